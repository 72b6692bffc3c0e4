/* Random histories of a small town, told to a real nilod and to a plain model; both must list the
 * same readings with the same verdicts, the same consumption, and the same flags before and after
 * the views are made anew.  A history that fails is cut down to the steps that still make it fail,
 * and printed.
 *
 * NILO_SECONDS says for how long (default 18); NILO_SEED runs the same histories again. */
#include "tests/model/history.h"

#include "tests/check.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/client/report.h"
#include "tests/nilod.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- the model ---- */

static int64_t use_l(int meter, int hour)
{
    bool day = hour % 24 < 15;

    switch (meter) {
    case 0: /* somebody's day, from hour 400 on with a leak */
        return day ? 50 + hour % 3 : hour >= 400 ? 45 : 0;
    case 1:
        return 50;
    case 2:
        return day && hour < 450 ? 60 : 0;
    default:
        return 0;
    }
}

int64_t true_ml(int meter, int channel, int hour)
{
    static int64_t litres[METERS][HOURS_MOST + 1];

    if (!litres[0][0])
        for (int m = 0; m < METERS; m++) {
            litres[m][0] = 5000;
            for (int h = 0; h < HOURS_MOST; h++)
                litres[m][h + 1] = litres[m][h] + use_l(m, h);
        }
    return (channel == MODEL_PRESSURE ? 300 + hour % 17 : litres[meter][hour]) * 1000;
}

bool rises_at(int meter, int hour)
{
    return use_l(meter, hour) >= 40;
}

void model_copy(struct model *m, struct copy c)
{
    if (m->copy_count < COPIES_MOST)
        m->copies[m->copy_count++] = c;
    m->version++;
}

bool model_may_fit(const struct model *m, const struct placed *f)
{
    for (size_t i = 0; i < m->fitting_count; i++) {
        const struct placed *o = &m->fittings[i];

        if (o->point == f->point && f->from_h < o->to_h && o->from_h < f->to_h)
            return false;
        if (o->meter == f->meter && f->from_h <= o->to_h && o->from_h <= f->to_h)
            return false;
    }
    return true;
}

static unsigned rank_of(enum model_source s)
{
    return s == MODEL_REMOTE ? 0 : 1;
}

/* The readings of one hour hang together: `first` of the hour, then `next` of each; −1 ends. */
struct hours {
    int first[HOURS_MOST], next[COPIES_MOST];
    bool future[COPIES_MOST];
};

static int hour_find(const struct hours *h, const struct expected *rows, const struct copy *c)
{
    int at = h->first[c->hour];

    while (at >= 0 && rows[at].ml != c->ml)
        at = h->next[at];
    return at;
}

/* Another arrival of the same value.  One stamped too far ahead counts for nothing beside one that
 * is not (B4). */
static void merge_copy(struct expected *e, bool *future, const struct copy *c, size_t order)
{
    if (*future && !c->future) {
        *e = (struct expected){ c->hour, c->ml, c->source, c->retimed, "", order };
        *future = false;
    } else if (*future == c->future) {
        if (rank_of(c->source) > rank_of(e->source))
            e->source = c->source;
        e->retimed = e->retimed && c->retimed;
    }
}

/* Equal values of one instant are one reading (B6). */
static size_t merge_copies(const struct model *m, int meter, int channel, struct expected *out,
                           struct hours *h)
{
    int count = 0;

    memset(h->first, -1, sizeof h->first);
    for (size_t i = 0; i < m->copy_count; i++) {
        const struct copy *c = &m->copies[i];
        int at;

        if (c->meter != meter || c->channel != channel)
            continue;
        if ((at = hour_find(h, out, c)) >= 0) {
            merge_copy(&out[at], &h->future[at], c, i);
            continue;
        }
        at = count++;
        out[at] = (struct expected){ c->hour, c->ml, c->source, c->retimed, "", i };
        h->future[at] = c->future;
        h->next[at] = h->first[c->hour];
        h->first[c->hour] = at;
    }
    return (size_t)count;
}

/* The fitting's own index at that hour, if there is one; `*fitted`: the meter is on one. */
static bool own_at(const struct model *m, int meter, int hour, bool *fitted, int64_t *ml)
{
    bool own = false;

    *fitted = false;
    for (size_t i = 0; i < m->fitting_count; i++) {
        const struct placed *f = &m->fittings[i];

        if (f->meter != meter || hour < f->from_h || hour > f->to_h)
            continue;
        *fitted = true;
        if (hour == f->from_h || (f->has_end && hour == f->to_h)) {
            own = true;
            *ml = hour == f->from_h ? f->start_ml : f->end_ml;
        }
    }
    return own;
}

/* Another of that hour goes before it (B6). */
static bool is_beaten(const struct expected *rows, const struct hours *h, int i)
{
    unsigned mine = rank_of(rows[i].source);

    for (int k = h->first[rows[i].hour]; k >= 0; k = h->next[k]) {
        unsigned other = rank_of(rows[k].source);

        if (k != i && !h->future[k] &&
            (other > mine || (other == mine && rows[k].order < rows[i].order)))
            return true;
    }
    return false;
}

static const char *rule_of(const struct model *m, int meter, int channel,
                           const struct expected *rows, const struct hours *h, int i)
{
    int64_t own_ml = 0;
    bool fitted, own = own_at(m, meter, rows[i].hour, &fitted, &own_ml);

    if (h->future[i])
        return "future";
    if (!fitted)
        return "not-fitted";
    if (channel == MODEL_FORWARD && own)
        return rows[i].ml == own_ml ? "" : "conflict";
    return is_beaten(rows, h, i) ? "conflict" : "";
}

static int in_list_order(const void *a, const void *b)
{
    const struct expected *x = (const struct expected *)a, *y = (const struct expected *)b;

    if (x->hour != y->hour)
        return x->hour < y->hour ? -1 : 1;
    if (!*x->rule != !*y->rule)
        return *x->rule ? 1 : -1;
    return x->order < y->order ? -1 : x->order > y->order;
}

size_t model_list(const struct model *m, int meter, int channel, struct expected *out)
{
    static struct hours hours;
    size_t count = merge_copies(m, meter, channel, out, &hours);

    for (size_t i = 0; i < count; i++)
        out[i].rule = rule_of(m, meter, channel, out, &hours, (int)i);
    qsort(out, count, sizeof *out, in_list_order);
    return count;
}

/* What takes part of a meter, by hour; kept until something changes. */
static const int64_t *known_at(const struct model *m, int meter)
{
    static struct {
        unsigned version;
        int64_t ml[HOURS_MOST]; /* −1: nothing */
    } known[METERS];
    static struct expected rows[COPIES_MOST];
    size_t count;

    if (known[meter].version == m->version)
        return known[meter].ml;
    known[meter].version = m->version;
    memset(known[meter].ml, -1, sizeof known[meter].ml);
    count = model_list(m, meter, MODEL_FORWARD, rows);
    for (size_t i = 0; i < count; i++)
        if (!*rows[i].rule)
            known[meter].ml[rows[i].hour] = rows[i].ml;
    return known[meter].ml;
}

/* The register exactly at an hour of a fitting (C1). */
static bool register_at(const struct model *m, const struct placed *f, int hour, int64_t *ml)
{
    if (hour == f->from_h || (f->has_end && hour == f->to_h)) {
        *ml = hour == f->from_h ? f->start_ml : f->end_ml;
        return true;
    }
    *ml = known_at(m, f->meter)[hour];
    return *ml >= 0;
}

bool model_use(const struct model *m, int point, int from_h, int to_h, struct expected_use *out)
{
    *out = (struct expected_use){ 0, 0 };
    for (size_t i = 0; i < m->fitting_count; i++) {
        const struct placed *f = &m->fittings[i];
        int begin = f->from_h > from_h ? f->from_h : from_h;
        int end = f->to_h < to_h ? f->to_h : to_h;
        int64_t start_ml, end_ml;

        if (f->point != point || begin >= end)
            continue;
        if (!register_at(m, f, begin, &start_ml) || !register_at(m, f, end, &end_ml))
            return false;
        out->consumption_ml += end_ml - start_ml;
        out->billed_m3 += end_ml / 1000000 - start_ml / 1000000;
    }
    return true;
}

/* ---- steps of a history ---- */

enum kind {
    REGISTER,
    POINT,
    FIT,
    END,
    REPORT,
    FILE_OF_ROWS,
    READ,
    CLOCK,
    SETTLE,
    RESTART,
    REBUILD,
    CHECK,
    KINDS
};

/* What the numbers mean depends on the kind; a step that makes no sense where it stands is passed
 * over, so that a shorter history is one too. */
struct step {
    enum kind kind;
    int meter, point, hour, count, channel, off_l, how;
    uint64_t seed;
};

#define STEPS_MOST 120
#define REPORT_MOST 400

struct history {
    struct step steps[STEPS_MOST];
    size_t count;
};

static const char *const kind_names[KINDS] = { "register", "point",   "fit",     "end",
                                               "report",   "file",    "read",    "clock",
                                               "settle",   "restart", "rebuild", "check" };

static const int kind_weights[KINDS] = { 6, 4, 7, 5, 40, 12, 6, 6, 8, 3, 1, 6 };

static enum kind random_kind(struct check_random *r)
{
    int total = 0, at;

    for (int k = 0; k < KINDS; k++)
        total += kind_weights[k];
    at = (int)check_below(r, (uint64_t)total);
    for (int k = 0;; k++)
        if ((at -= kind_weights[k]) < 0)
            return (enum kind)k;
}

/* A street in working order: three meters that report for weeks, so that detectors have something
 * to tell. */
static void street_make(struct check_random *r, struct history *h)
{
    for (int i = 0; i < 3; i++) {
        struct step all = { .meter = i, .point = i, .hour = (int)check_below(r, 40), .how = 99 };

        for (int k = REGISTER; k <= FIT; k++) {
            all.kind = (enum kind)k;
            h->steps[h->count++] = all;
        }
    }
}

static void street_reports(struct check_random *r, struct history *h)
{
    size_t first = h->count;

    for (int meter = 0; meter < 3; meter++)
        for (int hour = 299; hour < BEGIN_H; hour += 300)
            h->steps[h->count++] = (struct step){
                .kind = REPORT, .meter = meter, .hour = hour, .count = 300, .how = 99
            };
    for (size_t i = first; i < h->count; i++) { /* among the other steps */
        size_t other = 9 + check_below(r, h->count - 9);
        struct step swap = h->steps[i];

        h->steps[i] = h->steps[other];
        h->steps[other] = swap;
    }
}

static void history_make(struct check_random *r, struct history *h)
{
    static const int offs[] = { 0, 0, 0, 0, 3, 7, 12 };
    bool street = check_below(r, 2);
    size_t more = 20 + check_below(r, STEPS_MOST - 42);

    h->count = 0;
    if (street)
        street_make(r, h);
    while (more--)
        h->steps[h->count++] =
            (struct step){ .kind = random_kind(r),
                           .meter = (int)check_below(r, METERS),
                           .point = (int)check_below(r, POINTS),
                           .hour = (int)check_below(r, BEGIN_H),
                           .count = 1 + (int)check_below(r, check_below(r, 4) ? 40 : REPORT_MOST),
                           .channel = check_below(r, 8) == 0,
                           .off_l = offs[check_below(r, 7)],
                           .how = (int)check_below(r, 100),
                           .seed = check_random(r) };
    if (street)
        street_reports(r, h);
    h->steps[h->count++] = (struct step){ .kind = CHECK };
    h->steps[h->count++] = (struct step){ .kind = REBUILD };
}

static void history_print(const struct history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct step *s = &h->steps[i];

        print_message("  %2zu %-8s meter %d point %d hour %d count %d channel %d off %d how %d "
                      "seed %llu\n",
                      i, kind_names[s->kind], s->meter, s->point, s->hour, s->count, s->channel,
                      s->off_l, s->how, (unsigned long long)s->seed);
    }
}

/* ---- telling them to the server ---- */

static struct nilod n;
static struct client c;
static struct probe radio;
static struct model model;
static char now_text[24];
static char why[800]; /* what differs; "": nothing yet */
static bool spoken;   /* prints each step as it is told */

__attribute__((format(printf, 1, 2))) static bool differs(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!why[0])
        vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return false;
}

static int64_t at_s(int hour)
{
    return BASE_S + (int64_t)hour * 3600;
}

static void serial_of(int meter, char out[16])
{
    snprintf(out, 16, "MODEL-%d", meter);
}

static void litres(int64_t ml, char out[32])
{
    snprintf(out, 32, "%lld.%03lld", (long long)ml / 1000, (long long)ml % 1000);
}

static void connect_both(void)
{
    char port[8];

    snprintf(port, sizeof port, "%d", n.coap_port);
    client_open(&c, n.http_host, n.http_port, n.token);
    probe_open(&radio, n.coap_host, port, NULL);
    radio.next_mid = (uint16_t)time(NULL);
}

static void start_and_connect(void)
{
    n.http_port = n.coap_port = 0; /* others may have taken those of before */
    nilod_start(&n);
    connect_both();
}

static void disconnect_both(void)
{
    client_close(&c);
    probe_close(&radio);
}

static bool post(const char *path, const char *type, const char *body, int wanted)
{
    char fields[60];
    struct answer a;
    int status;

    snprintf(fields, sizeof fields, "Content-Type: %s\r\n", type);
    http_post(&c, path, fields, body, &a);
    status = a.status;
    if (status / 100 != wanted / 100)
        differs("POST %s: %d %.300s\nof %.200s", path, a.status, a.body, body);
    answer_done(&a);
    return status / 100 == wanted / 100;
}

static bool do_register(const struct step *s)
{
    char body[100];

    if (model.meter_known[s->meter])
        return true;
    model.meter_known[s->meter] = true;
    snprintf(body, sizeof body, "{\"serial\":\"MODEL-%d\",\"dn\":15,\"q3\":2.5}", s->meter);
    return post("/v1/meters", "application/json", body, 201);
}

static bool do_point(const struct step *s)
{
    char body[100];

    model.point_known[s->point] = true;
    snprintf(body, sizeof body, "{\"point\":\"P%d\",\"account\":\"A%d\"}", s->point, s->how);
    return post("/v1/points", "application/json", body, 201);
}

static bool tell_fitting(const struct placed *f)
{
    char body[300], from[24], to[24] = "", start[32], end[32] = "";

    report_time(at_s(f->from_h), from);
    litres(f->start_ml, start);
    if (f->to_h != NO_END)
        report_time(at_s(f->to_h), to);
    if (f->has_end)
        litres(f->end_ml, end);
    snprintf(body, sizeof body,
             "point,serial,from,start_index_l,to,end_index_l\nP%d,MODEL-%d,%s,%s,%s,%s\n", f->point,
             f->meter, from, start, to, end);
    return post("/v1/import/fittings", "text/csv", body, 200);
}

static int64_t off_ml(int meter, int channel, int hour, int off_l)
{
    return channel == MODEL_PRESSURE || rises_at(meter, hour) ? off_l * 1000 : 0;
}

static bool do_fit(const struct step *s)
{
    struct placed f = { .meter = s->meter,
                        .point = s->point,
                        .from_h = s->hour,
                        .to_h = NO_END,
                        .start_ml = true_ml(s->meter, MODEL_FORWARD, s->hour) +
                                    off_ml(s->meter, MODEL_FORWARD, s->hour, s->off_l) };

    if (s->how < 40) { /* it is over already */
        f.to_h = s->hour + s->count;
        f.has_end = s->how < 30;
        f.end_ml = f.has_end ? true_ml(s->meter, MODEL_FORWARD, f.to_h) : 0;
    }
    if (!model.meter_known[s->meter] || !model.point_known[s->point] ||
        model.fitting_count == FITTINGS_MOST || (f.to_h != NO_END && f.to_h > model.now_h) ||
        !model_may_fit(&model, &f))
        return true;
    model.fittings[model.fitting_count++] = f;
    model.version++;
    return tell_fitting(&f);
}

/* The open fitting of the point comes off; at times a new meter goes on at the same instant. */
static bool do_end(const struct step *s)
{
    for (size_t i = 0; i < model.fitting_count; i++) {
        struct placed *f = &model.fittings[i];
        struct step next = *s;

        if (f->point != s->point || f->to_h != NO_END || f->from_h + s->count > model.now_h)
            continue;
        f->to_h = f->from_h + s->count;
        model.version++;
        f->has_end = s->how < 70;
        f->end_ml = f->has_end ? true_ml(f->meter, MODEL_FORWARD, f->to_h) : 0;
        next.hour = f->to_h;
        next.how = 99;
        return tell_fitting(f) && (s->how % 2 || do_fit(&next));
    }
    return true;
}

static int64_t report_litres(const struct step *s, int hour)
{
    return (true_ml(s->meter, s->channel, hour) + off_ml(s->meter, s->channel, hour, s->off_l)) /
           1000;
}

/* how: 0–9 a clock ahead, 10–19 one far behind (both re-timed), 20–29 the datagram twice, 30–39 the
 * report under another message id, 40–49 values up to two days ahead of the clock. */
static bool do_report(const struct step *s)
{
    static struct message m;
    int64_t values[REPORT_MOST];
    char serial[16];
    uint8_t bytes[1100];
    int newest = s->how >= 40 && s->how < 50 ? model.now_h + s->hour % 48 - 10 : s->hour;
    int64_t shift_s = s->how < 10   ? (1 + s->count) * (int64_t)3600
                      : s->how < 20 ? -(401 + s->count) * 86400LL
                                    : 0;
    struct report r = { .meter = serial, .litres = values, .step_s = 3600 };

    serial_of(s->meter, serial);
    r.channel = s->channel == MODEL_PRESSURE ? 3 : 0;
    if (shift_s)
        r.sent = (uint32_t)(at_s(model.now_h) + shift_s);
    r.at = (uint32_t)(at_s(newest) + shift_s);
    for (; r.count < (size_t)s->count && newest - (int)r.count >= 0; r.count++)
        values[r.count] = report_litres(s, newest - (int)r.count);
    for (size_t i = r.count; i-- > 0;) {
        int hour = newest - (int)i;

        model_copy(&model,
                   (struct copy){ s->meter, s->channel, hour, values[i] * 1000, MODEL_REMOTE,
                                  shift_s != 0, shift_s == 0 && hour > model.now_h });
    }
    for (int times = s->how >= 20 && s->how < 40 ? 2 : 1; times; times--) {
        struct heard h;

        if (times == 1 || s->how >= 30)
            radio.next_mid++;
        message_begin(&m, PROBE_CON, PROBE_POST, radio.next_mid, span_of("M", 1));
        message_path(&m, "r");
        message_payload(&m, span_of(bytes, report_put(&r, bytes, sizeof bytes)));
        probe_ask(&radio, &m, &h);
        if (h.code != PROBE_CODE(2, 4))
            return differs("a report was answered %u.%02u %.*s", h.code >> 5, h.code & 31,
                           (int)h.payload.len, (const char *)h.payload.at);
    }
    return true;
}

/* A few rows of any meter that is registered; how < 20: among so many others that the import is
 * staged. */
static bool do_file(const struct step *s)
{
    static const char *const sources[] = { "remote", "manual", "photo" };
    static char text[400000];
    struct check_random r = { s->seed };
    char *at = text;

    at += sprintf(at, "serial,time,index_l,channel,source\n");
    for (int i = 0; i < 1 + s->count / 4; i++) {
        struct copy row = { .meter = (int)check_below(&r, METERS),
                            .channel = check_below(&r, 8) == 0,
                            .hour = (int)check_below(&r, (uint64_t)model.now_h + 5),
                            .source = (enum model_source)check_below(&r, 3) };
        int row_off_ml = check_below(&r, 3) ? 0 : (int)check_below(&r, 20) * 500;
        char time[24], index[32];

        if (row.channel == MODEL_FORWARD && !rises_at(row.meter, row.hour))
            row_off_ml = 0;
        row.ml = true_ml(row.meter, row.channel, row.hour) + row_off_ml;
        row.future = row.hour > model.now_h;
        if (!model.meter_known[row.meter])
            continue;
        model_copy(&model, row);
        report_time(at_s(row.hour), time);
        litres(row.ml, index);
        at += sprintf(at, "MODEL-%d,%s,%s,%s,%s\n", row.meter, time, index,
                      row.channel          ? "pressure"
                      : check_below(&r, 2) ? "forward"
                                           : "",
                      row.source == MODEL_REMOTE && s->how % 2 ? "" : sources[row.source]);
    }
    if (s->how < 20) {
        if (!post("/v1/import/meters", "text/csv", "serial,dn,q3\nBULK,15,2.5\n", 200))
            return false;
        for (int i = 0; i < 4200; i++) {
            char time[24];

            report_time(BASE_S + i * 60, time);
            at += sprintf(at, "BULK,%s,%d,,\n", time, i);
        }
    }
    return post("/v1/import/readings", "text/csv", text, 200);
}

static bool do_read(const struct step *s)
{
    int found = 0;
    struct copy read = { .hour = s->hour,
                         .channel = MODEL_FORWARD,
                         .source = s->how < 30 ? MODEL_PHOTO : MODEL_MANUAL };
    char body[200], at[24], index[32];

    for (size_t i = 0; i < model.fitting_count; i++) {
        const struct placed *f = &model.fittings[i];

        if (f->point != s->point || s->hour < f->from_h || s->hour > f->to_h)
            continue;
        read.meter = f->meter;
        found++;
    }
    if (found != 1)
        return true;
    read.ml = true_ml(read.meter, MODEL_FORWARD, s->hour) +
              off_ml(read.meter, MODEL_FORWARD, s->hour, s->off_l);
    model_copy(&model, read);
    report_time(at_s(s->hour), at);
    litres(read.ml, index);
    snprintf(body, sizeof body, "{\"point\":\"P%d\",\"at\":\"%s\",\"index_l\":%s%s}", s->point, at,
             index, read.source == MODEL_PHOTO ? ",\"photo\":\"x.jpg\"" : "");
    return post("/v1/reads", "application/json", body, 201);
}

static bool do_clock(const struct step *s)
{
    char body[60];

    model.now_h += s->count < 40 ? s->count / 2 : 24;
    report_time(at_s(model.now_h), now_text);
    snprintf(body, sizeof body, "{\"now\":\"%s\"}", now_text);
    return post("/v1/clock", "application/json", body, 200);
}

static bool do_settle(void)
{
    return post("/v1/settle", "application/json", "{}", 200);
}

static bool do_restart(const struct step *s)
{
    disconnect_both();
    if (s->how < 50)
        nilod_kill(&n);
    else
        nilod_stop(&n);
    start_and_connect();
    return true;
}

/* ---- comparing ---- */

static bool same_row(const struct expected *e, const struct listed *l)
{
    static const char *const sources[] = { "remote", "manual", "photo" };

    return l->time_s == at_s(e->hour) && l->ml == e->ml &&
           strcmp(l->source, sources[e->source]) == 0 && strcmp(l->rule, e->rule) == 0 &&
           l->retimed == e->retimed;
}

static void row_text(const struct listed *l, char out[160])
{
    char time[24];

    report_time(l->time_s, time);
    snprintf(out, 160, "%s %lld mL %s %s%s", time, (long long)l->ml, l->source, l->rule,
             l->retimed ? " retimed" : "");
}

static size_t rows_seen, uses_seen, flags_seen;

static bool compare_rows(int meter, int channel, const struct expected *e, size_t expected,
                         const struct listed *l, size_t listed)
{
    char found[160] = "nothing", wanted[160] = "nothing";
    size_t i = 0;

    while (i < expected && i < listed && same_row(&e[i], &l[i]))
        i++;
    rows_seen += i;
    if (i == expected && i == listed)
        return true;
    if (i < listed)
        row_text(&l[i], found);
    if (i < expected)
        snprintf(wanted, sizeof wanted, "hour %d %lld mL source %d %s%s", e[i].hour,
                 (long long)e[i].ml, (int)e[i].source, e[i].rule, e[i].retimed ? " retimed" : "");
    return differs("meter %d channel %d, row %zu of %zu (expected %zu): found %s, expected %s",
                   meter, channel, i, listed, expected, found, wanted);
}

/* What stands within the span alone; how many. */
static size_t cut(struct expected *e, size_t count, int from_h, int to_h)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (e[i].hour >= from_h && e[i].hour < to_h)
            e[kept++] = e[i];
    return kept;
}

static bool check_meter(int meter, int channel, int from_h, int to_h)
{
    static struct expected expected[COPIES_MOST];
    char path[200], from[24], to[24];
    struct answer a;
    struct listed *rows = NULL;
    size_t wanted = model_list(&model, meter, channel, expected);
    long count;
    bool same;

    report_time(at_s(from_h), from);
    report_time(at_s(to_h), to);
    snprintf(path, sizeof path, "/v1/meters/MODEL-%d/readings?from=%s&to=%s&channel=%s", meter,
             from, to, channel ? "pressure" : "forward");
    http_get(&c, path, "application/x-ndjson", &a);
    count = a.status == 200 ? listed_read(a.body, &rows) : -1;
    if (!model.meter_known[meter])
        same = a.status == 404 || differs("an unknown meter was answered %d", a.status);
    else if (count < 0)
        same = differs("GET %s: %d %.200s", path, a.status, a.body);
    else
        same = compare_rows(meter, channel, expected, cut(expected, wanted, from_h, to_h), rows,
                            (size_t)count);
    free(rows);
    answer_done(&a);
    return same;
}

static bool compare_use(const struct expected_use *e, const char *path, const char *body)
{
    json_t *j = json_loads(body, 0, NULL); /* all it has are numbers that doubles hold */
    double consumption = json_number_value(json_object_get(j, "consumption_l"));
    const char *quality = json_string_value(json_object_get(j, "quality"));
    json_int_t billed = json_integer_value(json_object_get(j, "billed_m3"));
    bool same = llround(consumption * 1000) == e->consumption_ml && billed == e->billed_m3 &&
                quality && strcmp(quality, "actual") == 0;

    json_decref(j);
    uses_seen += e->consumption_ml != 0;
    return same || differs("GET %s: expected %lld mL, %lld m3, actual; found %.500s", path,
                           (long long)e->consumption_ml, (long long)e->billed_m3, body);
}

/* A span over which the model knows what was used; false: none was found soon. */
static bool draw_span(struct check_random *r, int point, int *from_h, int *to_h,
                      struct expected_use *e)
{
    for (int tries = 0; tries < 20; tries++) {
        *from_h = (int)check_below(r, (uint64_t)model.now_h);
        *to_h = *from_h + 1 + (int)check_below(r, (uint64_t)(model.now_h - *from_h));
        if (model_use(&model, point, *from_h, *to_h, e))
            return true;
    }
    return false;
}

static bool check_use(struct check_random *r, int point)
{
    int from_h, to_h;
    char path[160], from[24], to[24];
    struct expected_use e;
    struct answer a;
    bool same;

    if (!model.point_known[point] || !draw_span(r, point, &from_h, &to_h, &e))
        return true;
    report_time(at_s(from_h), from);
    report_time(at_s(to_h), to);
    snprintf(path, sizeof path, "/v1/points/P%d/consumption?from=%s&to=%s", point, from, to);
    http_get(&c, path, NULL, &a);
    same = a.status == 200 ? compare_use(&e, path, a.body)
                           : differs("GET %s: %d %.300s", path, a.status, a.body);
    answer_done(&a);
    return same;
}

/* A part of the list is just that, verdicts included. */
static bool check_part(struct check_random *r, int meter, int channel)
{
    int from_h = (int)check_below(r, (uint64_t)model.now_h);

    return check_meter(meter, channel, from_h, from_h + 1 + (int)check_below(r, 300));
}

static bool do_check(const struct step *s)
{
    struct check_random r = { s->seed + 1 };
    bool same = true;

    for (int meter = 0; meter < METERS && same; meter++)
        for (int channel = 0; channel < MODEL_CHANNELS && same; channel++)
            same = check_meter(meter, channel, -24, HOURS_MOST) && check_part(&r, meter, channel);
    for (int i = 0; i < 12 && same; i++)
        same = check_use(&r, i % POINTS);
    return same;
}

static char *flags(void)
{
    struct answer a;
    char *text;

    http_get(&c, "/v1/flags", "application/x-ndjson", &a);
    assert_int_equal(a.status, 200);
    text = strdup(a.body);
    answer_done(&a);
    return text;
}

static bool do_rebuild(const struct step *s)
{
    char command[1600], *before, *after;
    bool same;

    if (!do_settle())
        return false;
    before = flags();
    disconnect_both();
    nilod_stop(&n);
    snprintf(command, sizeof command,
             "%s/nilo store rebuild --store %s --virtual-clock %s --format json 2> %s.said |"
             " grep -q '\"meters_that_differ\":0,'",
             NILO_BUILD_DIR, n.store, now_text, n.store);
    if (s->how % 2 == 0)
        same = system(command) == 0 ||
               differs("nilo store rebuild failed, or reads something otherwise");
    else
        snprintf(command, sizeof command, "rm %s/views.mdb", n.store),
            same = system(command) == 0 || differs("no views.mdb to remove");
    start_and_connect();
    same = same && do_settle();
    after = flags();
    for (const char *line = before; (line = strchr(line, '\n')); line++)
        flags_seen++;
    flags_seen--;
    if (same && strcmp(before, after) != 0)
        same = differs("flags before (%d):\n%.330s\nand after:\n%.330s", s->how % 2, before, after);
    free(before);
    free(after);
    return same && do_check(s);
}

static bool step_do(const struct step *s)
{
    switch (s->kind) {
    case REGISTER:
        return do_register(s);
    case POINT:
        return do_point(s);
    case FIT:
        return do_fit(s);
    case END:
        return do_end(s);
    case REPORT:
        return do_report(s);
    case FILE_OF_ROWS:
        return do_file(s);
    case READ:
        return do_read(s);
    case CLOCK:
        return do_clock(s);
    case SETTLE:
        return do_settle();
    case RESTART:
        return do_restart(s);
    case REBUILD:
        return do_rebuild(s);
    default:
        return do_check(s);
    }
}

/* ---- running and cutting down ---- */

static const char *folder;
static unsigned store_number, version = 1;

/* On a store of its own. True: nothing differs. */
static bool history_holds(const struct history *h)
{
    bool same = true;
    char command[700];

    memset(&model, 0, sizeof model);
    model.version = version;
    model.now_h = BEGIN_H;
    report_time(at_s(model.now_h), now_text);
    why[0] = 0;
    n = (struct nilod){ .clock = now_text,
                        .extra = { "--settle-every", "3600", "--endpoint-rate", "1000000" } };
    if (!folder)
        folder = check_folder();
    snprintf(n.store, sizeof n.store, "%.400s/model-%u", folder, store_number++);
    snprintf(n.log, sizeof n.log, "%.420s.log", n.store);
    start_and_connect();
    for (size_t i = 0; i < h->count && same; i++) {
        same = step_do(&h->steps[i]);
        if (spoken)
            print_message("    step %zu %s: %s\n", i, kind_names[h->steps[i].kind],
                          same ? "fine" : why);
    }
    version = model.version + 1; /* what the model keeps is of another history */
    disconnect_both();
    nilod_kill(&n);
    snprintf(command, sizeof command, "rm -rf %s", n.store);
    return same && system(command) == 0;
}

/* Leaves out what can be left out, in pieces that get smaller, while it still fails. */
static void history_shrink(struct history *h)
{
    int runs = 150;

    for (size_t piece = h->count / 2; piece; piece = piece > 1 ? piece / 2 : 0) {
        for (size_t at = 0; at + piece <= h->count && runs > 0;) {
            struct history less = *h;

            memmove(less.steps + at, less.steps + at + piece,
                    (less.count - at - piece) * sizeof *less.steps);
            less.count -= piece;
            runs--;
            if (history_holds(&less))
                at += piece;
            else
                *h = less;
        }
    }
}

static void nilod_and_a_plain_model_agree_on_random_histories(void **state)
{
    struct check_random r = check_random_begin();
    const char *seconds = getenv("NILO_SECONDS");
    time_t until = time(NULL) + (seconds ? atoi(seconds) : 18);
    size_t count = 0, steps = 0;

    (void)state;
    for (; time(NULL) < until; count++) {
        struct history h;

        history_make(&r, &h);
        steps += h.count;
        if (history_holds(&h))
            continue;
        print_message("history %zu differs: %s\n", count, why);
        history_shrink(&h);
        spoken = true;
        (void)history_holds(&h);
        spoken = false;
        history_print(&h);
        fail_msg("history %zu: %s", count, why);
    }
    print_message("%zu histories of %zu steps; compared: %zu readings, %zu uses, %zu flags\n",
                  count, steps, rows_seen, uses_seen, flags_seen);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nilod_and_a_plain_model_agree_on_random_histories),
};

int main(int argc, char **argv)
{
    return check_run(tests, argc, argv);
}
