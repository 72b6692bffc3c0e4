#include "proto/dialect.h"

#include "proto/cjt188.h"
#include "proto/lorawan.h"
#include "proto/native.h"
#include "proto/oms.h"
#include "proto/platform.h"
#include "proto/recipe.h"
#include "proto/senml.h"
#include "proto/trace.h"

#include <stdio.h>

/* One line per dialect. */
static const struct dialect *const dialects[] = {
    &dialect_native,     &dialect_oms,    &dialect_cjt188,     &dialect_senml_json,
    &dialect_senml_cbor, &dialect_recipe, &dialect_chirpstack, &dialect_tts,
    &dialect_aep,        &dialect_onenet, &dialect_iotda,
};

enum {
    DIALECT_COUNT = sizeof(dialects) / sizeof(const struct dialect *)
}; /* NOLINT: pointers indeed */

const struct dialect *dialect_at(size_t n)
{
    return n < DIALECT_COUNT ? dialects[n] : NULL;
}

const struct dialect *dialect_by_name(struct span name)
{
    const struct dialect *d;

    for (size_t n = 0; (d = dialect_at(n)); n++) {
        if (span_equal(name, span_text(d->name)))
            return d;
    }
    return NULL;
}

const struct dialect *dialect_by_id(uint8_t id)
{
    const struct dialect *d;

    for (size_t n = 0; (d = dialect_at(n)); n++) {
        if (d->id == id)
            return d;
    }
    return NULL;
}

/* ---- what stands inside an envelope ---- */

static bool names_one(const struct frame_names *names, struct span name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (span_equal(names->at[i], name))
            return true;
    return false;
}

/* The inner frame may name its meter itself: then it must be the one that the envelope names. */
static bool names_agree(const struct dialect_input *in, const struct frame *outer,
                        const struct frame *inner, uint32_t meter)
{
    struct dialect_input asked = *in;

    asked.given = span_of(NULL, 0); /* whom the transport names is not asked here */
    if (inner->names.count == 0)
        return true;
    for (uint32_t i = 0; i < inner->names.count; i++)
        if (names_one(&outer->names, inner->names.at[i]))
            return true;
    return meter && lore_meter(&asked, &inner->names) == meter;
}

static void keep_outer(const struct frame *outer, struct frame *f)
{
    f->names = outer->names;
    f->heard_s = outer->heard_s;
    if (f->seq_rule != SEQ_RISES) { /* an authenticated counter is worth more than the network's */
        f->seq = outer->seq;
        f->seq_rule = outer->seq_rule;
        f->digest = outer->digest;
    }
    f->status |= outer->status;
    f->battery_mv = f->battery_mv ? f->battery_mv : outer->battery_mv;
    f->cell = f->cell ? f->cell : outer->cell;
    f->rsrp_dbm = f->rsrp_dbm ? f->rsrp_dbm : outer->rsrp_dbm;
    f->snr_db = f->snr_db ? f->snr_db : outer->snr_db;
}

enum err dialect_inner(const struct dialect_input *in, struct span bytes,
                       const struct dialect *fallback, struct arena *a, struct frame *out,
                       struct refusal *r)
{
    struct dialect_input inner = *in;
    uint32_t meter = lore_meter(in, &out->names);
    struct span profile = lore_profile(in, meter);
    const struct dialect *d = profile.len ? dialect_by_name(profile) : fallback;
    struct frame f = { 0 };
    struct trace before;
    enum err err;

    if (!meter)
        return refuse(r, ERR_UNKNOWN, 0, "meter", "nobody registered the meter %.*s",
                      (int)out->names.at[0].len, (const char *)out->names.at[0].at);
    if (!d && profile.len && lore_recipe(in, profile)) {
        d = &dialect_recipe;
        inner.recipe = profile;
    }
    if (!d || d->enveloped)
        return refuse(r, ERR_NO_RECIPE, 0, "dialect",
                      "the register's column dialect says '%.*s', which is no dialect or recipe "
                      "that could read the payload",
                      (int)profile.len, profile.len ? (const char *)profile.at : "");
    inner.bytes = bytes;
    inner.given = out->names.at[0];
    inner.memo = NULL; /* the envelope's names are one thing, the payload's another */
    if (out->heard_s)
        inner.arrival_s = out->heard_s;
    before = trace_layer(in->trace, d == &dialect_recipe ? "payload, by recipe" : d->name, bytes);
    err = d->decode(&inner, a, &f, r);
    trace_back(in->trace, &before);
    if (!err && !names_agree(in, out, &f, meter))
        return refuse(r, ERR_NAMES_DIFFER, 0, "meter", "the payload names %.*s, the envelope %.*s",
                      (int)f.names.at[0].len, (const char *)f.names.at[0].at,
                      (int)out->names.at[0].len, (const char *)out->names.at[0].at);
    if (err)
        return err;
    keep_outer(out, &f);
    *out = f;
    return ERR_OK;
}

/* ---- for people ---- */

static void explain_status(struct trace *t, const struct frame *f)
{
    char meant[160];

    status_put(meant, sizeof meant, f->status & STATUS_MEANT);
    trace_field(t, span_of(NULL, 0), "= status", "", meant, "%04X",
                (unsigned)(f->status >> STATUS_RAW_SHIFT));
}

static void explain_number(struct trace *t, const char *field, const char *unit, int64_t value)
{
    if (value)
        trace_field(t, span_of(NULL, 0), field, unit, "", "%lld", (long long)value);
}

static void explain_time(struct trace *t, const char *field, int64_t at_s)
{
    char time[TEXT_TIME_SIZE];

    if (at_s <= 0 || at_s > UINT32_MAX)
        return;
    text_put_time(time, at_s);
    trace_field(t, span_of(NULL, 0), field, "", "", "%s", time);
}

/* What it says of itself, and of what it was told. */
static void explain_state(struct trace *t, const struct frame *f)
{
    explain_time(t, "= sent", f->sent_s);
    explain_time(t, "= heard", f->heard_s);
    explain_number(t, "= counter", "", f->seq);
    if (f->status)
        explain_status(t, f);
    explain_number(t, "= battery", "mV", f->battery_mv);
    explain_number(t, "= rsrp", "dBm", f->rsrp_dbm);
    explain_number(t, "= snr", "dB", f->snr_db);
    if (f->cell & CELL_GATEWAY)
        trace_field(t, span_of(NULL, 0), "= gateway", "", "", "%08x",
                    (unsigned)(f->cell & ~CELL_GATEWAY));
    else
        explain_number(t, "= cell", "", f->cell);
    for (uint32_t i = 0; i < f->outcome_count; i++)
        trace_field(t, span_of(NULL, 0), "= outcome", "", "of the command with this number",
                    "%u %s", f->outcomes[i].command, outcome_name(f->outcomes[i].result));
}

/* What the frame comes to, after the bytes. */
static void explain_values(struct trace *t, const struct frame *f)
{
    for (uint32_t i = 0; i < f->names.count; i++)
        trace_field(t, span_of(NULL, 0), "= meter", "", i ? "or" : "", "%.*s",
                    (int)f->names.at[i].len, (const char *)f->names.at[i].at);
    explain_state(t, f);
    for (uint32_t s = 0; s < f->series_count; s++) {
        const struct series *series = &f->series[s];

        for (uint32_t i = 0; i < series->count; i++) {
            char field[32], value[TEXT_LITRES_SIZE], time[TEXT_TIME_SIZE] = "";

            if (series->samples[i].at_s >= 0 && series->samples[i].at_s <= UINT32_MAX)
                text_put_time(time, series->samples[i].at_s);
            text_put_litres(value, series->samples[i].value);
            snprintf(field, sizeof field, "= %s", channel_name(series->channel));
            trace_line(t, &(struct trace_line){ .field = field,
                                                .value = value,
                                                .unit = channel_unit(series->channel),
                                                .meaning = "",
                                                .is = time });
        }
    }
}

enum err dialect_explain(const struct dialect *d, const struct dialect_input *in, bool json,
                         struct arena *a, struct wr *out, struct refusal *r)
{
    struct trace trace = { .out = out, .json = json, .bytes = in->bytes };
    struct dialect_input traced = *in;
    struct frame frame = { 0 };
    enum err err;

    if (d->explain)
        return d->explain(in, json, out, r);
    traced.trace = &trace;
    if (json)
        wr_format(out, "{\"dialect\":\"%s\",\"fields\":[", d->name);
    err = d->decode(&traced, a, &frame, r);
    if (!err) {
        trace_layer(&trace, "what it says", span_of(NULL, 0));
        explain_values(&trace, &frame);
    }
    if (json)
        wr_text(out, "]}\n");
    return err ? err : out->err;
}
