/* The native report for people: every field in the order of the bytes, with its offset, its raw
 * bytes, what it says and in what unit.  It walks the bytes itself, so that it can tell something
 * of a report that the decoder refuses. */
#include <inttypes.h>
#include <stdio.h>

#include "proto/native_fields.h"
#include "proto/trace.h"

struct explain {
    struct trace trace;
    struct span bytes;
    int64_t arrival_s;
};

/* A line: what stands at `raw`. */
struct line {
    struct span raw;
    const char *field, *unit, *meaning;
    char value[80];
    char more[160]; /* what follows from the value and its neighbours */
};

static void put_line(struct explain *e, const struct line *l)
{
    const struct trace_line line = { .raw = l->raw,
                                     .field = l->field,
                                     .value = l->value,
                                     .unit = l->unit,
                                     .meaning = l->meaning,
                                     .is = l->more };

    trace_line(&e->trace, &line);
}

/* ---- values --------------------------------------------------------------------------------- */

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

static void say_time(char out[80], int64_t at_s)
{
    char text[TEXT_TIME_SIZE];

    if (at_s < 0 || at_s > UINT32_MAX) {
        snprintf(out, 80, "%lld s", (long long)at_s);
        return;
    }
    text_put_time(text, at_s);
    snprintf(out, 80, "%s", text);
}

/* What the other fields of a series say, for those that need them to mean something. */
struct context {
    int64_t scale, index, at_s, step_s, sent_s;
    uint64_t channel;
};

static void say_counts(char out[80], const struct context *c, int64_t counts)
{
    char litres[TEXT_LITRES_SIZE];
    int64_t value = counts;

    out[0] = 0;
    for (int64_t scale = c->scale; scale > -3; scale--) {
        if (scale > 6 || __builtin_mul_overflow(value, 10, &value))
            return;
    }
    if (c->scale < -3)
        return;
    text_put_litres(litres, value);
    snprintf(out, 80, "%s %s", litres,
             c->channel < CHANNEL_COUNT ? channel_unit((enum channel)c->channel) : "");
}

static void say(struct line *l, const struct native_field *field, const struct wire_field *f,
                const struct context *c)
{
    switch (field->kind) {
    case NATIVE_TEXT:
        trace_put_span(l->value, sizeof(l->value), f->bytes);
        return;
    case NATIVE_UINT:
        snprintf(l->value, sizeof(l->value), "%" PRIu64, f->value);
        return;
    case NATIVE_SINT:
        snprintf(l->value, sizeof(l->value), "%" PRId64, unzigzag(f->value));
        if (c && field->number == SERIES_INDEX)
            say_counts(l->more, c, c->index);
        return;
    case NATIVE_TIME:
        say_time(l->value, (int64_t)f->value);
        return;
    case NATIVE_CHANNEL:
        snprintf(l->value, sizeof(l->value), "%" PRIu64, f->value);
        snprintf(l->more, sizeof(l->more), "%s",
                 f->value < CHANNEL_COUNT ? channel_name((enum channel)f->value) : "unknown");
        return;
    case NATIVE_STATUS:
        snprintf(l->value, sizeof(l->value), "%" PRIu64, f->value);
        status_put(l->more, sizeof(l->more), (uint32_t)f->value);
        return;
    case NATIVE_RESULT:
        snprintf(l->value, sizeof(l->value), "%" PRIu64, f->value);
        snprintf(l->more, sizeof(l->more), "%s", outcome_name(f->value));
        return;
    case NATIVE_STEPS:
    case NATIVE_MESSAGE:
        snprintf(l->value, sizeof(l->value), "%zu bytes", f->bytes.len);
        return;
    }
}

/* ---- the walk ------------------------------------------------------------------------------- */

static struct context context_read(struct span series, int64_t sent_s)
{
    struct context c = { .sent_s = sent_s, .at_s = sent_s };
    struct rd rd = rd_of(series);
    struct wire_field f;

    while (wire_next(&rd, &f)) {
        if (f.number == SERIES_CHANNEL)
            c.channel = f.value;
        else if (f.number == SERIES_SCALE)
            c.scale = unzigzag(f.value);
        else if (f.number == SERIES_INDEX)
            c.index = unzigzag(f.value);
        else if (f.number == SERIES_AT && f.value)
            c.at_s = (int64_t)f.value;
        else if (f.number == SERIES_STEP)
            c.step_s = (int64_t)(uint32_t)f.value;
    }
    return c;
}

/* A line for each earlier value; `k` counts them over all of the series, `c` moves back along with
 * them. */
static void explain_steps(struct explain *e, const struct wire_field *f, struct context *c,
                          const char *path, uint32_t *k)
{
    struct rd rd = rd_of(f->bytes);

    while (rd_left(&rd) > 0) {
        const uint8_t *start = rd.at;
        int64_t step = rd_zigzag(&rd);
        struct line l = { .unit = "counts", .meaning = "" };
        char field[48], time[80], value[80];

        if (rd.err)
            return;
        snprintf(field, sizeof(field), "%s.back[%" PRIu32 "]", path, (*k)++);
        l.field = field;
        l.raw = span_of(start, (size_t)(rd.at - start));
        c->at_s -= c->step_s;
        c->index = (int64_t)((uint64_t)c->index - (uint64_t)step);
        snprintf(l.value, sizeof(l.value), "%" PRId64, step);
        say_time(time, c->at_s);
        say_counts(value, c, c->index);
        snprintf(l.more, sizeof(l.more), "%.40s at %.30s", value, time);
        put_line(e, &l);
    }
}

static void explain_field(struct explain *e, const struct native_field *field,
                          const struct wire_field *f, const uint8_t *start, const char *path,
                          const struct context *c)
{
    struct line l = { .unit = "", .meaning = "not in native.proto: passed over" };
    char name[48];

    snprintf(name, sizeof(name), "%s%s%s", path, *path ? "." : "", field ? field->name : "unknown");
    l.field = name;
    l.raw = span_of(start, (size_t)(f->bytes.at + f->bytes.len - start));
    if (!field) {
        snprintf(l.value, sizeof(l.value), "field %" PRIu32 ", %s", f->number,
                 wire_type_name(f->type));
    } else {
        l.unit = field->unit;
        l.meaning = field->meaning;
        /* What follows line by line shows only its head here. */
        if (field->kind == NATIVE_STEPS ||
            (field->kind == NATIVE_MESSAGE && f->type == WIRE_BYTES)) {
            l.raw.len -= f->bytes.len;
            l.unit = "";
        }
        say(&l, field, f, c);
    }
    put_line(e, &l);
}

static void explain_inner(struct explain *e, const struct native_message *m, struct span bytes,
                          const char *path, struct context c)
{
    struct context moving = c;
    struct rd rd = rd_of(bytes);
    struct wire_field f;
    uint32_t k = 0;

    for (const uint8_t *start = rd.at; wire_next(&rd, &f); start = rd.at) {
        const struct native_field *field = native_field(m, f.number);

        explain_field(e, field, &f, start, path, m == &native_report ? NULL : &c);
        if (field && field->kind == NATIVE_STEPS)
            explain_steps(e, &f, &moving, path, &k);
    }
}

static int64_t sent_read(const struct dialect_input *in)
{
    struct rd rd = rd_of(in->bytes);
    int64_t sent_s = 0;
    struct wire_field f;

    while (wire_next(&rd, &f)) {
        if (f.number == REPORT_SENT && f.type == WIRE_FIXED32)
            sent_s = (int64_t)f.value;
    }
    return sent_s ? sent_s : in->arrival_s;
}

static void explain_report(struct explain *e)
{
    struct dialect_input in = { .bytes = e->bytes, .arrival_s = e->arrival_s };
    int64_t sent_s = sent_read(&in);
    struct rd rd = rd_of(e->bytes);
    uint32_t series = 0, outcomes = 0;
    struct wire_field f;

    for (const uint8_t *start = rd.at; wire_next(&rd, &f); start = rd.at) {
        const struct native_field *field = native_field(&native_report, f.number);
        char path[32];

        explain_field(e, field, &f, start, "", NULL);
        if (!field || field->kind != NATIVE_MESSAGE || f.type != WIRE_BYTES)
            continue;
        snprintf(path, sizeof(path), "%s[%" PRIu32 "]", field->name,
                 f.number == REPORT_SERIES ? series++ : outcomes++);
        explain_inner(e, field->message, f.bytes, path,
                      f.number == REPORT_SERIES ? context_read(f.bytes, sent_s)
                                                : (struct context){ 0 });
    }
}

enum err native_explain(const struct dialect_input *in, bool json, struct wr *out,
                        struct refusal *r)
{
    struct explain e = { { .out = out, .json = json, .bytes = in->bytes },
                         in->bytes,
                         in->arrival_s };
    struct rd rd = rd_of(in->bytes);
    struct wire_field f;

    if (json)
        wr_text(out, "{\"dialect\":\"native\",\"fields\":[");
    explain_report(&e);
    if (json)
        wr_text(out, "]}\n");
    while (wire_next(&rd, &f))
        ;
    if (rd.err)
        return native_fault(in->bytes, r);
    return out->err;
}
