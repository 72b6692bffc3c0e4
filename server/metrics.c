#include "server/metrics.h"

#include <stdatomic.h>

_Atomic uint64_t metrics_values[METRIC_COUNT];

static _Atomic uint64_t refused[ERR_COUNT];
static _Atomic int commit_err, damage_err;

static const struct {
    const char *family, *kind, *labels, *text;
} metrics[METRIC_COUNT] = {
#define METRIC(id, kind_, family_, labels_, text_) { family_, #kind_, labels_, text_ },
#include "server/metrics.def"
#undef METRIC
};

/* Bounds in microseconds: an answer from memory takes tens, one that reads the disk thousands. */
static const int64_t span_bounds_us[] = { 50,    100,   250,    500,    1000,    2500,   5000,
                                          10000, 25000, 100000, 250000, 1000000, 5000000 };
#define SPAN_BOUNDS (sizeof(span_bounds_us) / sizeof(span_bounds_us[0]))

static struct {
    _Atomic uint64_t buckets[SPAN_BOUNDS + 1];
    _Atomic uint64_t sum_us;
} spans[METRIC_SPAN_COUNT];

static const char *const span_names[METRIC_SPAN_COUNT] = { "read", "write" };

void metrics_span(enum metric_span s, int64_t us)
{
    size_t n = 0;

    while (n < SPAN_BOUNDS && us > span_bounds_us[n])
        n++;
    atomic_fetch_add_explicit(&spans[s].buckets[n], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&spans[s].sum_us, (uint64_t)us, memory_order_relaxed);
}

/* One seat a thread; more threads than seats share some, and then the younger work is seen. */
#define SEATS 64
static _Atomic int64_t read_since_ms[SEATS];
static _Atomic unsigned seats_given;
static _Thread_local unsigned own_seat; /* from 1; 0: none yet */

void metrics_read_begin(int64_t now_ms)
{
    if (!own_seat)
        own_seat = 1 + atomic_fetch_add(&seats_given, 1) % SEATS;
    atomic_store_explicit(&read_since_ms[own_seat - 1], now_ms, memory_order_relaxed);
}

void metrics_read_end(void)
{
    atomic_store_explicit(&read_since_ms[own_seat - 1], 0, memory_order_relaxed);
}

int64_t metrics_oldest_read_ms(int64_t now_ms)
{
    int64_t oldest_ms = now_ms;

    for (unsigned i = 0; i < SEATS; i++) {
        int64_t since_ms = atomic_load_explicit(&read_since_ms[i], memory_order_relaxed);

        if (since_ms && i + 1 != own_seat && since_ms < oldest_ms)
            oldest_ms = since_ms;
    }
    return now_ms - oldest_ms;
}

void metrics_refused(enum err why)
{
    if (why < ERR_COUNT)
        atomic_fetch_add_explicit(&refused[why], 1, memory_order_relaxed);
}

static void write_head(struct out *o, const char *family, const char *kind, const char *text)
{
    out_format(o, "# HELP %s %s\n# TYPE %s %s\n", family, text, family, kind);
}

static void write_figures(struct out *o)
{
    for (size_t n = 0; n < METRIC_COUNT; n++) {
        const char *labels = metrics[n].labels;

        if (n == 0 || strcmp(metrics[n].family, metrics[n - 1].family) != 0)
            write_head(o, metrics[n].family, metrics[n].kind, metrics[n].text);
        out_format(o, "%s%s%s%s %llu\n", metrics[n].family, *labels ? "{" : "", labels,
                   *labels ? "}" : "", (unsigned long long)metrics_get((enum metric)n));
    }
}

static void write_refused(struct out *o)
{
    write_head(o, "nilo_refused_frames_total", "counter", "Frames that were refused, by reason.");
    for (int n = 1; n < ERR_COUNT; n++) {
        uint64_t count = atomic_load_explicit(&refused[n], memory_order_relaxed);

        if (err_class((enum err)n) == ERR_CLASS_PEER || count)
            out_format(o, "nilo_refused_frames_total{reason=\"%s\"} %llu\n", err_name((enum err)n),
                       (unsigned long long)count);
    }
}

static void write_span(struct out *o, size_t s)
{
    const char *name = span_names[s];
    uint64_t sum = 0;

    for (size_t n = 0; n < SPAN_BOUNDS; n++) {
        sum += atomic_load_explicit(&spans[s].buckets[n], memory_order_relaxed);
        out_format(o, "nilo_http_answer_seconds_bucket{kind=\"%s\",le=\"%g\"} %llu\n", name,
                   (double)span_bounds_us[n] / 1e6, (unsigned long long)sum);
    }
    sum += atomic_load_explicit(&spans[s].buckets[SPAN_BOUNDS], memory_order_relaxed);
    out_format(o, "nilo_http_answer_seconds_bucket{kind=\"%s\",le=\"+Inf\"} %llu\n", name,
               (unsigned long long)sum);
    out_format(o, "nilo_http_answer_seconds_sum{kind=\"%s\"} %.6f\n", name,
               (double)atomic_load_explicit(&spans[s].sum_us, memory_order_relaxed) / 1e6);
    out_format(o, "nilo_http_answer_seconds_count{kind=\"%s\"} %llu\n", name,
               (unsigned long long)sum);
}

void metrics_write(struct out *o)
{
    write_figures(o);
    write_refused(o);
    write_head(o, "nilo_http_answer_seconds", "histogram",
               "Time from a request's last byte to its answer's first.");
    for (size_t s = 0; s < METRIC_SPAN_COUNT; s++)
        write_span(o, s);
}

void health_commit(enum err err)
{
    if (err == ERR_OK || err_class(err) == ERR_CLASS_HOST)
        atomic_store_explicit(&commit_err, (int)err, memory_order_relaxed);
}

void health_damage(enum err err)
{
    if (err_class(err) == ERR_CLASS_STORE)
        atomic_store_explicit(&damage_err, (int)err, memory_order_relaxed);
}

enum err health(void)
{
    int damage = atomic_load_explicit(&damage_err, memory_order_relaxed);

    return (enum err)(damage ? damage : atomic_load_explicit(&commit_err, memory_order_relaxed));
}
