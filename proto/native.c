/* Our own report.  protobuf-c unpacks; before it a walk over the outer fields bounds what it may
 * allocate and finds the serial's bytes, which protobuf-c would cut at a zero; after it the
 * contract's own bounds are checked. */
#include "proto/native.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/limits.h"
#include "proto/native.pb-c.h"
#include "proto/native_fields.h"
#include "proto/wire.h"

#define VALUE_MOST 9200000000000000000 /* contract §3: 9.2·10¹⁵ litres, in millilitres */

typedef Nilometer__V1__Report Report;
typedef Nilometer__V1__Series Series;
typedef Nilometer__V1__Outcome Outcome;

/* Millilitres in a count, by scale from −3. */
static const int64_t units[NATIVE_SCALE_MOST - NATIVE_SCALE_LEAST + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
};

/* ---- the outer fields ----------------------------------------------------------------------- */

struct outline {
    struct span serial;
};

static enum err outline_read(struct span bytes, struct outline *out, struct refusal *r)
{
    struct outline o = { 0 };
    struct rd rd = rd_of(bytes);
    struct wire_field f;

    while (wire_next(&rd, &f)) {
        if (f.type != WIRE_BYTES)
            continue;
        if (f.number == REPORT_METER)
            o.serial = f.bytes; /* of several the last counts, as everywhere in protobuf */
    }
    if (rd.err)
        return native_fault(bytes, r);
    if (o.serial.len && !text_is_serial(o.serial))
        return refuse(r, ERR_MALFORMED, native_offset(bytes, REPORT_METER, 0, 0), "meter",
                      "expected a serial of 1 to %d of A-Z a-z 0-9 . _ : -, found %zu other bytes",
                      SERIAL_MAX, o.serial.len);
    *out = o;
    return ERR_OK;
}

/* ---- protobuf-c in the arena ---------------------------------------------------------------- */

struct allocation {
    ProtobufCAllocator hooks;
    struct arena *arena;
    bool failed;
};

static void *arena_hook(void *data, size_t size)
{
    struct allocation *a = data;
    void *at = arena_alloc(a->arena, size);

    if (!at)
        a->failed = true;
    return at;
}

static void free_hook(void *data, void *at)
{
    (void)data;
    (void)at;
}

static enum err report_unpack(struct span bytes, struct arena *arena, Report **out,
                              struct refusal *r)
{
    struct allocation a = { { arena_hook, free_hook, NULL }, arena, false };

    a.hooks.allocator_data = &a;
    *out = nilometer__v1__report__unpack(&a.hooks, bytes.len, bytes.at);
    if (*out)
        return ERR_OK;
    if (a.failed)
        return refuse(r, ERR_NO_MEMORY, 0, "", "no memory left to unpack %zu bytes", bytes.len);
    return native_fault(bytes, r);
}

/* ---- series --------------------------------------------------------------------------------- */

/* Where in the input the refused field stands: `n` counts series, `inner` is the field's number
 * inside (0: the series itself). */
struct place {
    struct span bytes;
    uint32_t n, inner;
};

static uint32_t place_offset(const struct place *p)
{
    return native_offset(p->bytes, REPORT_SERIES, p->n, p->inner);
}

static const char *place_name(const struct place *p, const char *inner, char name[32])
{
    snprintf(name, 32, "series[%" PRIu32 "].%s", p->n, inner);
    return name;
}

static enum err series_check(const Series *s, struct span bytes, uint32_t n, struct refusal *r)
{
    struct place p = { bytes, n, 0 };
    char name[32];

    if ((int)s->channel < 0 || (int)s->channel >= CHANNEL_COUNT) {
        p.inner = SERIES_CHANNEL;
        return refuse(r, ERR_RANGE, place_offset(&p), place_name(&p, "channel", name),
                      "expected 0 to %d, found %d", CHANNEL_COUNT - 1, (int)s->channel);
    }
    if (s->scale < NATIVE_SCALE_LEAST || s->scale > NATIVE_SCALE_MOST) {
        p.inner = SERIES_SCALE;
        return refuse(r, ERR_RANGE, place_offset(&p), place_name(&p, "scale", name),
                      "expected %d to %d, found %" PRId32, NATIVE_SCALE_LEAST, NATIVE_SCALE_MOST,
                      s->scale);
    }
    p.inner = SERIES_BACK;
    if (s->n_back > LIMIT_BACK)
        return refuse(r, ERR_RANGE, place_offset(&p), place_name(&p, "back", name),
                      "expected at most %d values, found %zu", LIMIT_BACK, s->n_back);
    if (s->n_back && !s->step_s)
        return refuse(r, ERR_MALFORMED, place_offset(&p), place_name(&p, "step_s", name),
                      "expected the spacing of the %zu earlier values, found none", s->n_back);
    return ERR_OK;
}

static bool value_fits(int64_t ml)
{
    return ml >= -VALUE_MOST && ml <= VALUE_MOST;
}

static enum err value_refused(struct span bytes, uint32_t n, uint32_t inner, const char *field,
                              size_t k, struct refusal *r)
{
    struct place p = { bytes, n, inner };
    char name[32];

    return refuse(r, ERR_RANGE, place_offset(&p), place_name(&p, field, name),
                  "value %zu leaves the range of 9.2e15 litres either way", k);
}

/* The newest value stands first, the others follow at a step before each other. */
static enum err series_values(const Series *s, int64_t at_s, struct span bytes, uint32_t n,
                              struct sample *out, struct refusal *r)
{
    int64_t unit = units[s->scale - NATIVE_SCALE_LEAST];
    int64_t value;

    if (__builtin_mul_overflow(s->index, unit, &value) || !value_fits(value))
        return value_refused(bytes, n, SERIES_INDEX, "index", 0, r);
    out[0] = (struct sample){ at_s, value };
    for (size_t k = 0; k < s->n_back; k++) {
        at_s -= s->step_s;
        if (__builtin_sub_overflow(value, s->back[k] * unit, &value) || !value_fits(value))
            return value_refused(bytes, n, SERIES_BACK, "back", k + 1, r);
        out[k + 1] = (struct sample){ at_s, value };
    }
    return ERR_OK;
}

static enum err series_decode(const Report *report, uint32_t n, const struct dialect_input *in,
                              struct arena *a, struct series *out, struct refusal *r)
{
    const Series *s = report->series[n];
    int64_t sent_s = report->sent ? report->sent : in->arrival_s;
    enum err err = series_check(s, in->bytes, n, r);
    struct sample *samples;

    if (err)
        return err;
    samples = arena_alloc(a, (s->n_back + 1) * sizeof(*samples));
    if (!samples)
        return refuse(r, ERR_NO_MEMORY, 0, "series", "no memory left for %zu values",
                      s->n_back + 1);
    *out = (struct series){ (enum channel)s->channel, (uint32_t)s->n_back + 1, samples };
    return series_values(s, s->at ? s->at : sent_s, in->bytes, n, samples, r);
}

/* ---- the report ----------------------------------------------------------------------------- */

static enum err outcomes_decode(const Report *report, struct arena *a, struct frame *f,
                                struct refusal *r)
{
    struct outcome *outcomes = arena_alloc(a, report->n_outcomes * sizeof(*outcomes));

    if (!outcomes)
        return refuse(r, ERR_NO_MEMORY, 0, "outcomes", "no memory left for %zu outcomes",
                      report->n_outcomes);
    for (size_t i = 0; i < report->n_outcomes; i++) {
        const Outcome *o = report->outcomes[i];

        outcomes[i] = (struct outcome){ .command = o->command, .result = (uint32_t)o->result };
    }
    f->outcomes = outcomes;
    f->outcome_count = (uint32_t)report->n_outcomes;
    return ERR_OK;
}

static enum err series_all(const Report *report, const struct dialect_input *in, struct arena *a,
                           struct frame *f, struct refusal *r)
{
    struct series *series = arena_alloc(a, report->n_series * sizeof(*series));

    if (!series)
        return refuse(r, ERR_NO_MEMORY, 0, "series", "no memory left for %zu series",
                      report->n_series);
    for (uint32_t i = 0; i < report->n_series; i++) {
        enum err err = series_decode(report, i, in, a, &series[i], r);

        if (err)
            return err;
    }
    f->series = series;
    f->series_count = (uint32_t)report->n_series;
    return ERR_OK;
}

static enum err native_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                              struct refusal *r)
{
    struct outline outline = { 0 };
    struct frame f;
    Report *report;
    enum err err;

    if (in->bytes.len > LIMIT_PAYLOAD_BLOCK)
        return refuse(r, ERR_TOO_LARGE, 0, "", "%zu bytes, at most %d are taken", in->bytes.len,
                      LIMIT_PAYLOAD_BLOCK);
    if ((err = outline_read(in->bytes, &outline, r)) ||
        (err = report_unpack(in->bytes, a, &report, r)))
        return err;
    f = (struct frame){
        .names = names_of(outline.serial),
        .seq = report->seq,
        .sent_s = report->sent,
        .status = report->status,
        .battery_mv = report->battery_mv,
        .cell = report->cell,
        .rsrp_dbm = report->rsrp_dbm,
        .snr_db = report->snr_db,
    };
    if ((err = series_all(report, in, a, &f, r)) || (err = outcomes_decode(report, a, &f, r)))
        return err;
    *out = f;
    return ERR_OK;
}

const struct dialect dialect_native = {
    .name = "native",
    .id = 1,
    .formats = { 0 },
    .decode = native_decode,
    .explain = native_explain,
    .command = native_command,
};
