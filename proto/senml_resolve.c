/* Records become values: base fields and names resolved, units brought to ours, times to UTC. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "proto/senml_priv.h"

#define VALUE_MOST 9200000000000000000 /* as contract §3 has it: 9.2·10¹⁵ litres */
#define RELATIVE_BELOW (1 << 28)       /* RFC 8428 §4.5.3 */
#define TIME_MOST (1ll << 40)
#define VERSION_MOST 10
/* Until the pack ends: of values without a time, for resource 5518 may tell it; and what is added to
 * times that count from arrival, or from what a wrong clock shows at arrival. */
#define UNTIMED INT64_MIN
#define RELATIVE (INT64_MIN / 2)
#define OLDER_S (400ll * 86400) /* contract §3, "Clocks" */
#define NEWER_S 600

enum { SLOT_BATTERY = STATUS_BITS, SLOT_RSRP, SLOT_SNR }; /* before them the bits of status */
_Static_assert(SLOT_SNR < SENML_SLOTS, "a slot for each");

const struct senml_label senml_labels[SENML_FIELDS] = {
    [SENML_BVER] = { "bver", -1, SENML_NUMBER }, [SENML_BN] = { "bn", -2, SENML_TEXT },
    [SENML_BT] = { "bt", -3, SENML_NUMBER },     [SENML_BU] = { "bu", -4, SENML_TEXT },
    [SENML_BV] = { "bv", -5, SENML_NUMBER },     [SENML_BS] = { "bs", -6, SENML_NUMBER },
    [SENML_N] = { "n", 0, SENML_TEXT },          [SENML_U] = { "u", 1, SENML_TEXT },
    [SENML_V] = { "v", 2, SENML_NUMBER },        [SENML_VS] = { "vs", 3, SENML_TEXT },
    [SENML_VB] = { "vb", 4, SENML_BOOL },        [SENML_S] = { "s", 5, SENML_NUMBER },
    [SENML_T] = { "t", 6, SENML_NUMBER },        [SENML_UT] = { "ut", 7, SENML_NUMBER },
    [SENML_VD] = { "vd", 8, SENML_TEXT },
};

enum senml_field senml_field_named(struct span name)
{
    for (unsigned f = 0; name.len && name.len <= 4 && f < SENML_FIELDS; f++)
        if (senml_says(name, senml_labels[f].name))
            return (enum senml_field)f;
    return SENML_OTHER;
}

/* ---- refusals ------------------------------------------------------------------------------- */

static uint32_t offset_of(const struct senml *s, const uint8_t *at)
{
    return at ? (uint32_t)(at - s->in->bytes.at) : 0;
}

enum err senml_refuse(struct senml *s, enum err err, const uint8_t *at, const char *field,
                      const char *what)
{
    char name[32];

    snprintf(name, sizeof name, "record[%" PRIu32 "].%s", s->count, field);
    return refuse(s->r, err, offset_of(s, at), name, "%s", what);
}

enum err senml_other(struct senml *s, struct span name, const uint8_t *at)
{
    char shown[40];

    trace_put_span(shown, sizeof shown, name);
    if (!span_ends(name, "_")) {
        trace_field(s->trace, name, "unknown field", "", "passed over", "%s", shown);
        return ERR_OK;
    }
    return refuse(s->r, ERR_UNSUPPORTED, offset_of(s, at), "record",
                  "field '%s' of record %" PRIu32 " must be understood (RFC 8428 §4.4), and is not",
                  shown, s->count);
}

/* ---- telling -------------------------------------------------------------------------------- */

static void put_value(char *out, size_t cap, const struct senml_record *rec)
{
    const struct senml_number *n = &rec->number[senml_has(rec, SENML_V) ? SENML_V : SENML_S];

    *out = 0;
    if (senml_has(rec, SENML_V) || senml_has(rec, SENML_S)) /* for the eye alone */
        snprintf(out, cap, "%.15g",
                 n->binary ? ldexp((double)n->mantissa, n->power)
                           : (double)n->mantissa * pow(10, n->power));
    else if (senml_has(rec, SENML_VB))
        snprintf(out, cap, "%s", rec->boolean ? "true" : "false");
    else if (senml_has(rec, SENML_VS))
        trace_put_span(out, cap, rec->text[SENML_VS]);
    else if (senml_has(rec, SENML_VD))
        trace_put_span(out, cap, rec->text[SENML_VD]);
}

/* When, as far as the record at hand tells. */
static void put_when(const struct senml *s, int64_t at_s, char out[TEXT_TIME_SIZE])
{
    if (at_s != UNTIMED && at_s < RELATIVE / 2)
        at_s += s->in->arrival_s - RELATIVE;
    if (at_s >= 0 && at_s <= UINT32_MAX)
        text_put_time(out, at_s);
    else
        snprintf(out, TEXT_TIME_SIZE, "%s", at_s == UNTIMED ? "" : "no such time");
}

static const char *meaning_of(const struct senml_measure *m)
{
    switch (m->what) {
    case WHAT_CHANNEL:
        return m->arg == CHANNEL_BILLED ? "volume, no direction named" : channel_name(m->arg);
    case WHAT_STATUS:
        return status_words(m->arg);
    case WHAT_QUALITY:
        return "1: rejected by the meter itself";
    case WHAT_BATTERY:
        return "battery";
    default:
        return "";
    }
}

/* A line for the record: its name, value, unit, time, and what it was taken for or why not. */
static void tell(const struct senml *s, const struct senml_record *rec, struct span name,
                 struct span unit, int64_t at_s, const char *meaning)
{
    char field[SENML_NAME_MOST + 24], value[80], shown[SENML_NAME_MOST], units[24];
    char when[TEXT_TIME_SIZE];

    if (!s->trace)
        return;
    trace_put_span(shown, sizeof shown, name);
    trace_put_span(units, sizeof units, unit);
    snprintf(field, sizeof field, "record[%" PRIu32 "] %s", s->count, shown);
    put_value(value, sizeof value, rec);
    put_when(s, at_s, when);
    trace_line(s->trace, &(struct trace_line){ .raw = rec->raw,
                                               .field = field,
                                               .value = value,
                                               .unit = units,
                                               .meaning = meaning,
                                               .is = when });
}

/* ---- base fields ---------------------------------------------------------------------------- */

static const enum senml_field base_of[SENML_FIELDS] = {
    [SENML_V] = SENML_BV, [SENML_S] = SENML_BS, [SENML_T] = SENML_BT
};

static enum err base_keep(struct senml *s, const struct senml_record *rec)
{
    __int128 version;

    for (unsigned f = SENML_BN; f <= SENML_BS; f++) {
        if (!senml_has(rec, (enum senml_field)f))
            continue;
        s->base.given |= 1u << f;
        s->base.number[f] = rec->number[f];
        s->base.text[f] = rec->text[f];
    }
    if (!senml_has(rec, SENML_BVER))
        return ERR_OK;
    if (!senml_fixed(&rec->number[SENML_BVER], 1, &version) ||
        version > (__int128)VERSION_MOST * 1000000000)
        return senml_refuse(s, ERR_UNSUPPORTED, rec->raw.at, "bver",
                            "expected version 10 of SenML at most, found a later one");
    return ERR_OK;
}

/* A field and its base field together, in billionths. */
static enum err sum_of(struct senml *s, const struct senml_record *rec, enum senml_field f,
                       int64_t unit, __int128 *out)
{
    enum senml_field b = base_of[f];
    __int128 v = 0, base = 0;

    if ((senml_has(rec, f) && !senml_fixed(&rec->number[f], unit, &v)) ||
        (senml_has(&s->base, b) && !senml_fixed(&s->base.number[b], unit, &base)) ||
        __builtin_add_overflow(v, base, out))
        return senml_refuse(s, ERR_RANGE, rec->raw.at, senml_labels[f].name,
                            "the number leaves the range of all that we keep");
    return ERR_OK;
}

/* `*out_s` is UNTIMED where neither t nor bt says anything. */
static enum err time_of(struct senml *s, const struct senml_record *rec, int64_t *out_s)
{
    __int128 fixed = 0;
    enum err err;

    *out_s = UNTIMED;
    if (!senml_has(rec, SENML_T) && !senml_has(&s->base, SENML_BT))
        return ERR_OK;
    if ((err = sum_of(s, rec, SENML_T, 1, &fixed)))
        return err;
    if (!senml_floor(fixed, TIME_MOST, out_s))
        return senml_refuse(s, ERR_RANGE, rec->raw.at, "t", "the time lies beyond all calendars");
    if (*out_s < RELATIVE_BELOW)
        *out_s += RELATIVE;
    else if (*out_s > s->newest_s)
        s->newest_s = *out_s;
    return ERR_OK;
}

/* bn and n in one piece. */
static enum err name_of(struct senml *s, const struct senml_record *rec, struct span *out)
{
    struct span parts[2] = { { 0 } };
    size_t len = 0;

    if (senml_has(&s->base, SENML_BN))
        parts[0] = s->base.text[SENML_BN];
    if (senml_has(rec, SENML_N))
        parts[1] = rec->text[SENML_N];
    for (unsigned i = 0; i < 2; i++) {
        if (parts[i].len > sizeof s->name - len)
            return senml_refuse(s, ERR_TOO_LARGE, rec->raw.at, "n",
                                "the name has more bytes than any that we know");
        if (parts[i].len)
            memcpy(s->name + len, parts[i].at, parts[i].len);
        len += parts[i].len;
    }
    if (!len)
        return senml_refuse(s, ERR_MALFORMED, rec->raw.at, "n",
                            "expected a name in n or bn (RFC 8428 §4.5.1), found none");
    *out = span_of(s->name, len);
    return ERR_OK;
}

/* ---- the meter ------------------------------------------------------------------------------ */

static enum err meter_keep(struct senml *s, const struct senml_record *rec, struct span meter)
{
    uint8_t *copy;

    if (!meter.len || (s->named && span_equal(meter, s->meter)))
        return ERR_OK;
    if (s->named)
        return refuse(s->r, ERR_NAMES_DIFFER, offset_of(s, rec->raw.at), "meter",
                      "record %" PRIu32 " names %.*s, an earlier one %.*s", s->count,
                      (int)meter.len, (const char *)meter.at, (int)s->meter.len,
                      (const char *)s->meter.at);
    copy = (uint8_t *)arena_alloc(s->g.arena, meter.len);
    if (!copy)
        return refuse(s->r, ERR_NO_MEMORY, 0, "", "no memory left");
    memcpy(copy, meter.at, meter.len);
    s->named = true;
    s->meter = span_of(copy, meter.len);
    s->f.names = senml_meter_names(s->meter);
    return ERR_OK;
}

/* Of several water meters behind one device the first that speaks is the one that the register knows. */
static bool is_other_instance(struct senml *s, const struct senml_name *n)
{
    if (!n->is_path || n->object != 3424)
        return false;
    if (!s->has_instance)
        s->instance = n->instance;
    s->has_instance = true;
    return n->instance != s->instance;
}

/* ---- values --------------------------------------------------------------------------------- */

static int64_t time_at_last(int64_t at_s, int64_t now_s, int64_t untimed_s)
{
    if (at_s == UNTIMED)
        return untimed_s;
    return at_s < RELATIVE / 2 ? at_s - RELATIVE + now_s : at_s;
}

static void slot_set(struct senml *s, unsigned slot, int64_t at_s, int64_t value)
{
    struct senml_slot *to = &s->slots[slot];

    at_s = time_at_last(at_s, s->in->arrival_s, s->in->arrival_s);
    if (to->given && to->at_s > at_s)
        return;
    if (to->given && to->at_s == at_s && slot < SLOT_BATTERY)
        value |= to->value; /* "suspected" and "detected" are one bit */
    *to = (struct senml_slot){ true, at_s, value };
}

/* True and the truth where the record tells one. */
static bool truth_of(const struct senml_record *rec, bool *out)
{
    if (senml_has(rec, SENML_VB))
        *out = rec->boolean;
    else if (senml_has(rec, SENML_V))
        *out = rec->number[SENML_V].mantissa != 0;
    else
        return false;
    return true;
}

static bool is_one(const struct senml_record *rec)
{
    __int128 fixed = 0;

    return senml_has(rec, SENML_V) && senml_fixed(&rec->number[SENML_V], 1, &fixed) &&
           fixed == 1000000000;
}

static enum err number_take(struct senml *s, const struct senml_record *rec,
                            const struct senml_measure *m, int64_t at_s, int64_t value)
{
    enum err err;

    switch (m->what) {
    case WHAT_CHANNEL:
    case WHAT_FLOW:
        err = gather_add(&s->g, (enum channel)m->arg, at_s, value);
        return err ? refuse(s->r, err, offset_of(s, rec->raw.at), "record",
                            "more values than %d, or no memory left", GATHER_MOST)
                   : ERR_OK;
    case WHAT_BATTERY:
        slot_set(s, SLOT_BATTERY, at_s, value < 0 || value > UINT16_MAX ? 0 : value);
        return ERR_OK;
    default:
        slot_set(s, m->what == WHAT_RSRP ? SLOT_RSRP : SLOT_SNR, at_s,
                 value / 1000 > INT16_MAX || value / 1000 < INT16_MIN ? 0 : value / 1000);
        return ERR_OK;
    }
}

/* What has a unit: a value, or of flows their sum over time, in the unit times a second (RFC 8428 §4.3). */
static enum err measured(struct senml *s, const struct senml_record *rec,
                         const struct senml_measure *m, const struct senml_unit *unit, int64_t at_s)
{
    enum senml_field f = m->what == WHAT_FLOW ? SENML_S : SENML_V;
    __int128 fixed = 0;
    int64_t value;
    enum err err;

    if ((err = sum_of(s, rec, f, unit->thousandths, &fixed)))
        return err;
    if (!senml_whole(fixed, VALUE_MOST, &value))
        return senml_refuse(s, ERR_RANGE, rec->raw.at, senml_labels[f].name,
                            "the value leaves the range of 9.2e15 either way");
    return number_take(s, rec, m, at_s, value);
}

static void unit_missed(struct senml *s, const struct senml_record *rec, struct span unit)
{
    char shown[32], name[32];

    if (s->unit.err)
        return;
    trace_put_span(shown, sizeof shown, unit);
    snprintf(name, sizeof name, "record[%" PRIu32 "].u", s->count);
    (void)refuse(&s->unit, ERR_NO_RECIPE, offset_of(s, rec->raw.at), name,
                 unit.len ? "unit '%s' is none that a volume is known to have"
                          : "a volume without a unit%s",
                 shown);
}

static enum err stamp_take(struct senml *s, const struct senml_record *rec)
{
    __int128 fixed = 0;
    enum err err;

    if (!senml_has(rec, SENML_V))
        return ERR_OK;
    if ((err = sum_of(s, rec, SENML_V, 1, &fixed)))
        return err;
    if (!senml_floor(fixed, TIME_MOST, &s->stamp_s))
        return senml_refuse(s, ERR_RANGE, rec->raw.at, "v", "the time lies beyond all calendars");
    s->stamped = true;
    return ERR_OK;
}

/* The value; `*out_meaning` tells what became of it. */
static enum err value_take(struct senml *s, const struct senml_record *rec,
                           const struct senml_measure *m, const struct senml_unit *unit,
                           struct span unit_text, int64_t at_s, const char **out_meaning)
{
    bool truth;

    *out_meaning = meaning_of(m);
    switch (m->what) {
    case WHAT_UNKNOWN:
        *out_meaning = "no measure that we keep: passed over";
        return ERR_OK;
    case WHAT_STAMP:
        *out_meaning = "the time of the values of this object";
        return stamp_take(s, rec);
    case WHAT_STATUS:
    case WHAT_QUALITY:
        if (!truth_of(rec, &truth))
            *out_meaning = "neither true nor false: passed over";
        else if (m->what == WHAT_STATUS)
            slot_set(s, m->arg, at_s, truth);
        else if (is_one(rec))
            slot_set(s, m->arg, at_s, 1);
        return ERR_OK;
    default:
        break;
    }
    if (!senml_has(rec, m->what == WHAT_FLOW ? SENML_S : SENML_V)) {
        *out_meaning = m->what == WHAT_FLOW ? "flows are not kept" : "no number: passed over";
        return ERR_OK;
    }
    if (!unit || unit->quantity != m->quantity) {
        *out_meaning = "unit not known here: passed over";
        if (m->quantity == QUANTITY_VOLUME)
            unit_missed(s, rec, unit_text);
        return ERR_OK;
    }
    return measured(s, rec, m, unit, at_s);
}

static bool has_value(const struct senml_record *rec)
{
    const uint32_t values =
        1u << SENML_V | 1u << SENML_VS | 1u << SENML_VB | 1u << SENML_VD | 1u << SENML_S;

    return rec->given & values;
}

enum err senml_record(struct senml *s, const struct senml_record *rec)
{
    const struct senml_unit *unit;
    struct senml_measure measure;
    struct senml_name name;
    struct span whole = { 0 }, unit_text;
    const char *meaning;
    int64_t at_s;
    enum err err;

    if ((err = base_keep(s, rec)) || !has_value(rec))
        return err;
    if ((err = name_of(s, rec, &whole)))
        return err;
    name = senml_name_read(whole);
    if ((err = meter_keep(s, rec, name.meter)) || (err = time_of(s, rec, &at_s)))
        return err;
    unit_text = senml_has(rec, SENML_U)         ? rec->text[SENML_U]
                : senml_has(&s->base, SENML_BU) ? s->base.text[SENML_BU]
                                                : senml_path_unit(&name);
    unit = senml_unit_of(unit_text);
    measure = senml_measure_of(&name, unit);
    if (is_other_instance(s, &name))
        meaning = "of another water meter behind the same device: passed over";
    else
        err = value_take(s, rec, &measure, unit, unit_text, at_s, &meaning);
    tell(s, rec, whole, unit_text, at_s, meaning);
    return err;
}

/* ---- the pack ------------------------------------------------------------------------------- */

struct senml senml_begin(const struct dialect_input *in, struct arena *a, struct refusal *r)
{
    return (struct senml){ .in = in, .trace = in->trace, .r = r, .g = gather_of(a) };
}

/* What the clock must have shown, if it was wrong beyond doubt; what stood without a time gets one. */
static void times_end(struct senml *s)
{
    int64_t now_s = s->in->arrival_s, untimed_s;

    if (s->stamped && s->stamp_s > s->newest_s)
        s->newest_s = s->stamp_s;
    if (s->newest_s && (s->newest_s < now_s - OLDER_S || s->newest_s > now_s + NEWER_S))
        now_s = s->f.sent_s = s->newest_s;
    untimed_s = s->stamped ? s->stamp_s : now_s;
    for (uint32_t i = 0; i < s->g.count; i++) {
        struct gathered *g = &s->g.at[i];

        g->sample.at_s =
            time_at_last(g->sample.at_s, now_s, g->channel == CHANNEL_BILLED ? untimed_s : now_s);
    }
}

static void slots_end(struct senml *s)
{
    for (unsigned bit = 0; bit < SLOT_BATTERY; bit++)
        s->f.status |= (uint32_t)(s->slots[bit].value != 0) << bit;
    s->f.battery_mv = (uint32_t)s->slots[SLOT_BATTERY].value;
    s->f.rsrp_dbm = (int32_t)s->slots[SLOT_RSRP].value;
    s->f.snr_db = (int32_t)s->slots[SLOT_SNR].value;
}

enum err senml_end(struct senml *s, enum err err, struct frame *out)
{
    if (err)
        return err;
    times_end(s);
    slots_end(s);
    if ((err = gather_end(&s->g, &s->f)))
        return refuse(s->r, err, 0, "", "no memory left");
    *out = s->f;
    if (s->g.count || !s->unit.err)
        return ERR_OK;
    return refuse(s->r, s->unit.err, s->unit.offset, s->unit.field, "%s", s->unit.text);
}
