#include "proto/frame.h"

#include <stdio.h>

#include "proto/base/limits.h"

/* Contract §3, "Clocks". */
#define CLOCK_BEHIND_MOST_S (400ll * 86400)
#define CLOCK_AHEAD_MOST_S 600

static void frame_shift(struct frame *f, int64_t by_s)
{
    for (uint32_t i = 0; i < f->series_count; i++) {
        /* The decoder made them in the caller's arena; they are const for everybody after us. */
        struct sample *samples = (struct sample *)f->series[i].samples;

        for (uint32_t k = 0; k < f->series[i].count; k++)
            samples[k].at_s += by_s;
    }
    f->retimed = true;
}

static enum err series_times_fit(const struct series *series, uint32_t n, struct refusal *r)
{
    char field[32];

    for (uint32_t k = 0; k < series->count; k++) {
        int64_t at_s = series->samples[k].at_s;

        if (at_s >= 0 && at_s <= UINT32_MAX)
            continue;
        snprintf(field, sizeof(field), "series[%u]", n);
        return refuse(r, ERR_RANGE, 0, field,
                      "value %u stands at %lld s, outside the years 1970 to 2106", k,
                      (long long)at_s);
    }
    return ERR_OK;
}

enum err frame_retime(struct frame *f, int64_t arrival_s, struct refusal *r)
{
    int64_t ahead_s = f->sent_s - (f->heard_s ? f->heard_s : arrival_s);

    if (f->sent_s != 0 && (ahead_s > CLOCK_AHEAD_MOST_S || ahead_s < -CLOCK_BEHIND_MOST_S))
        frame_shift(f, -ahead_s);
    for (uint32_t i = 0; i < f->series_count; i++) {
        enum err err = series_times_fit(&f->series[i], i, r);

        if (err)
            return err;
    }
    return ERR_OK;
}

static const char *const channel_names[CHANNEL_COUNT] = {
    [CHANNEL_FORWARD] = "forward",   [CHANNEL_REVERSE] = "reverse",         [CHANNEL_NET] = "net",
    [CHANNEL_PRESSURE] = "pressure", [CHANNEL_TEMPERATURE] = "temperature",
};

const char *channel_unit(enum channel c)
{
    return c == CHANNEL_PRESSURE ? "kPa" : c == CHANNEL_TEMPERATURE ? "degrees" : "L";
}

const char *channel_name(enum channel c)
{
    if (c == CHANNEL_BILLED)
        return "billed";
    return (unsigned)c < CHANNEL_COUNT ? channel_names[c] : "unknown";
}

enum err channel_read(struct span name, enum channel *out_channel)
{
    for (unsigned c = 0; c < CHANNEL_COUNT; c++) {
        if (span_equal(name, span_text(channel_names[c]))) {
            *out_channel = (enum channel)c;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* ---- in words ---- */

static const struct {
    const char *name, *words;
} statuses[STATUS_BITS] = {
#define STATUS(name, told, words) { told, words },
#include "proto/status.def"
#undef STATUS
};

const char *status_name(unsigned bit)
{
    return bit < STATUS_BITS ? statuses[bit].name : NULL;
}

const char *status_words(unsigned bit)
{
    return bit < STATUS_BITS ? statuses[bit].words : NULL;
}

void status_put(char *out, size_t cap, uint32_t bits)
{
    size_t len = 0;

    out[0] = 0;
    for (unsigned bit = 0; bits && len < cap; bits >>= 1, bit++) {
        const char *words = status_words(bit);

        if (bits & 1)
            len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? ", " : "",
                                    words ? words : "unknown");
    }
}

const char *outcome_name(uint64_t result)
{
    static const char *const names[] = { "done", "failed", "refused", "expired" };

    return result < sizeof names / sizeof *names ? names[result] : "unknown";
}
