#include "proto/platform.h"

#include "proto/envelope.h"
#include "proto/native.h"
#include "proto/senml.h"
#include "proto/trace.h"

struct platform platform_of(const struct dialect_input *in, struct arena *a, struct frame *out,
                            struct refusal *r)
{
    return (
        struct platform){ .in = in, .arena = a, .out = out, .refusal = r, .values = gather_of(a) };
}

static bool means_nothing(struct span name)
{
    return span_equal(name, span_text("undefined")) || span_equal(name, span_text("null"));
}

enum err platform_name(struct platform *p, struct json v, const char *field)
{
    struct frame_names *names = &p->out->names;
    struct span name;
    enum err err = envelope_name(v, p->arena, &name);

    if (err || !name.len || means_nothing(name) || names->count == FRAME_NAMES)
        return err;
    trace_field(p->in->trace, v.raw, field, "", "", "%.*s", (int)name.len, (const char *)name.at);
    names->at[names->count++] = name;
    return ERR_OK;
}

bool platform_ms(struct json v, int64_t *out_s)
{
    struct json number = json_unquoted(v);
    int64_t ms;

    if (number.kind != JSON_IS_NUMBER)
        return envelope_time(v, out_s);
    if (json_int(number, &ms))
        return false;
    *out_s = ms / 1000;
    return true;
}

enum err platform_time(struct platform *p, struct json v, const char *field)
{
    int64_t at_s;

    if (v.kind == JSON_IS_ABSENT)
        return ERR_OK;
    if (!platform_ms(v, &at_s))
        return refuse(p->refusal, ERR_MALFORMED, envelope_offset(p->in, v), field,
                      "expected milliseconds since 1970, or a time");
    p->out->heard_s = envelope_heard(p->in, at_s);
    trace_field(p->in->trace, v.raw, field, "",
                p->out->heard_s ? "" : "too far from the arrival, which counts instead", "%.*s",
                (int)v.raw.len, (const char *)v.raw.at);
    return ERR_OK;
}

/* ---- parts ---- */

static enum err take_values(struct platform *p, const struct frame *f)
{
    for (uint32_t s = 0; s < f->series_count; s++)
        for (uint32_t i = f->series[s].count;
             i-- > 0;) { /* oldest first: gather_end turns them round */
            const struct sample *sample = &f->series[s].samples[i];
            enum err err =
                gather_add(&p->values, f->series[s].channel, sample->at_s, sample->value);

            if (err == ERR_TOO_LARGE)
                return refuse(p->refusal, err, 0, "", "expected at most %d values", GATHER_MOST);
            if (err)
                return err;
        }
    return ERR_OK;
}

/* Of several parts each says some of it. */
static void join(struct frame *to, const struct frame *f)
{
    to->status |= f->status;
    to->battery_mv = f->battery_mv ? f->battery_mv : to->battery_mv;
    to->cell = f->cell ? f->cell : to->cell;
    to->rsrp_dbm = f->rsrp_dbm ? f->rsrp_dbm : to->rsrp_dbm;
    to->snr_db = f->snr_db ? f->snr_db : to->snr_db;
    to->sent_s = to->sent_s ? to->sent_s : f->sent_s;
    if (!to->outcome_count) {
        to->outcomes = f->outcomes;
        to->outcome_count = f->outcome_count;
    }
    if (!to->has_format && f->has_format) {
        to->has_format = true;
        to->format = f->format;
        to->format_list = f->format_list;
    }
}

static enum err part_read(struct platform *p, struct span bytes, int64_t heard_s)
{
    struct frame f = { .names = p->out->names, .heard_s = heard_s ? heard_s : p->out->heard_s };
    enum err err;

    if (p->parts == PLATFORM_PARTS)
        return refuse(p->refusal, ERR_TOO_LARGE, 0, "", "expected at most %d frames in one push",
                      PLATFORM_PARTS);
    if ((err = dialect_inner(p->in, bytes, &dialect_native, p->arena, &f, p->refusal)))
        return err;
    if (p->parts++ == 0) {
        int64_t pushed_s = p->out->heard_s;

        *p->out = f;
        p->out->heard_s = pushed_s ? pushed_s : f.heard_s;
    } else {
        join(p->out, &f);
    }
    return take_values(p, &f);
}

static enum err fields(struct platform *p, struct json v, const char *field, int64_t heard_s)
{
    struct json raw = envelope_raw_member(v);
    struct span profile;

    if (raw.kind != JSON_IS_ABSENT)
        return platform_part(p, raw, true, field, heard_s);
    profile = lore_profile(p->in, lore_meter(p->in, &p->out->names));
    if (span_equal(profile, span_text(dialect_senml_json.name)))
        return part_read(p, v.raw, heard_s);
    trace_field(p->in->trace, v.raw, field, "", "fields that the platform made; passed over",
                "%zu bytes", v.raw.len);
    p->fields_only = true;
    return ERR_OK;
}

enum err platform_part(struct platform *p, struct json v, bool hex, const char *field,
                       int64_t heard_s)
{
    struct span bytes;
    enum err err;

    if (p->out->names.count == 0)
        return refuse(p->refusal, ERR_NO_METER, envelope_offset(p->in, v), "IMEI",
                      "expected an IMEI or another name of the device, found none");
    if (v.kind != JSON_IS_TEXT)
        return fields(p, v, field, heard_s);
    err = envelope_bytes(p->in, v, hex ? CODING_HEX_FIRST : CODING_BASE64_FIRST, field, p->arena,
                         &bytes, p->refusal);
    if (err)
        return err;
    trace_field(p->in->trace, v.raw, field, "bytes", "", "%zu", bytes.len);
    return bytes.len ? part_read(p, bytes, heard_s) : ERR_OK;
}

/* Where nobody told what the meter speaks, its fields may yet turn out to be of use. */
static enum err end_without_frame(struct platform *p)
{
    uint32_t meter = lore_meter(p->in, &p->out->names);

    if (!p->fields_only)
        return ERR_OK;
    if (!meter)
        return refuse(p->refusal, ERR_UNKNOWN, 0, "meter", "nobody registered the meter %.*s",
                      (int)p->out->names.at[0].len, (const char *)p->out->names.at[0].at);
    if (lore_profile(p->in, meter).len)
        return ERR_OK;
    return refuse(p->refusal, ERR_NO_RECIPE, 0, "dialect",
                  "the platform sends fields of its own in place of the meter's bytes, and the "
                  "register's column dialect is empty");
}

enum err platform_end(struct platform *p)
{
    if (p->out->names.count == 0)
        return refuse(p->refusal, ERR_NO_METER, 0, "IMEI",
                      "expected an IMEI or another name of the device, found none");
    if (p->parts == 0)
        return end_without_frame(p);
    return p->parts == 1 ? ERR_OK : gather_end(&p->values, p->out);
}
