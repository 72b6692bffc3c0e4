#include "proto/oms_tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void oms_put_number(char out[OMS_NUMBER_SIZE], int64_t number, int power)
{
    char digits[24];
    const char *minus = number < 0 ? "-" : "";
    int len;

    while (power < 0 && number % 10 == 0 && number) {
        number /= 10;
        power++;
    }
    len = snprintf(digits, sizeof digits, "%" PRIu64,
                   number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    if (number == 0 || power == 0)
        snprintf(out, OMS_NUMBER_SIZE, "%s%s", minus, digits);
    else if (power > 0)
        snprintf(out, OMS_NUMBER_SIZE, "%s%s%.*d", minus, digits, power, 0);
    else if (-power >= len)
        snprintf(out, OMS_NUMBER_SIZE, "%s0.%.*d%s", minus, -power - len, 0, digits);
    else
        snprintf(out, OMS_NUMBER_SIZE, "%s%.*s.%s", minus, len + power, digits,
                 digits + len + power);
}

/* ---- a line put together from parts ---- */

struct text {
    char at[240];
    size_t len;
};

PRINTF_LIKE(2, 3) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(t->at + t->len, sizeof t->at - t->len, format, args);
    va_end(args);
    t->len += len < 0 ? 0 : (size_t)len;
    if (t->len >= sizeof t->at)
        t->len = sizeof t->at - 1;
}

static void add_part(struct text *t, const char *part)
{
    if (*part)
        add(t, "%s%s", t->len ? ", " : "", part);
}

static void put_path(struct text *t, const struct oms_value *v, uint64_t storage, unsigned ordinal)
{
    add(t, "%s", v->vif->name);
    if (v->direction)
        add(t, v->direction == OMS_VIFE_FORWARD ? ".forward" : ".backward");
    if (storage)
        add(t, ".storage%" PRIu64, storage);
    if (v->tariff)
        add(t, ".tariff%" PRIu32, v->tariff);
    if (v->subunit)
        add(t, ".subunit%u", v->subunit);
    if (ordinal > 1)
        add(t, "#%u", ordinal);
}

/* ---- values ---- */

#define BYTES_SHOWN 32

static void put_pattern(struct text *t, struct span data)
{
    for (size_t i = data.len; i-- > 0 && data.len - i <= BYTES_SHOWN;)
        add(t, "%02X", data.at[i]);
    if (data.len > BYTES_SHOWN)
        add(t, "..");
}

static void put_reversed(struct text *t, struct span data)
{
    for (size_t i = data.len; i-- > 0;)
        add(t, "%c", data.at[i] >= 0x20 && data.at[i] < 0x7f ? data.at[i] : '.');
}

static void put_value(struct text *t, const struct oms_value *v)
{
    char room[OMS_NUMBER_SIZE];

    switch (v->kind) {
    case OMS_IS_NUMBER:
        oms_put_number(room, v->number, v->power);
        add(t, "%s", room);
        break;
    case OMS_IS_DAY:
        oms_date_put(room, &v->date);
        add(t, "%s", room);
        break;
    case OMS_IS_TEXT:
        put_reversed(t, v->data);
        break;
    case OMS_IS_PATTERN:
        put_pattern(t, v->data);
        break;
    case OMS_IS_PROFILE:
    case OMS_IS_TAIL:
    case OMS_IS_LOST:
        add(t, "%zu bytes", v->data.len);
        break;
    case OMS_IS_FILLER:
        add(t, "%u", v->head);
        break;
    default:
        break;
    }
}

static void add_vifes(struct text *t, const struct oms_value *v)
{
    bool own = v->vif->low == OMS_LOW_OWN || v->vif->low == OMS_LOW_FAR;

    for (size_t i = 0; i < v->vifes.len && !own; i++) {
        const struct oms_vife *e = oms_vife(v->vifes.at[i]);

        add_part(t, e->text);
        if (e->effect == OMS_VIFE_SCALE || e->effect == OMS_VIFE_PLUS)
            add(t, " (10^%d)",
                (v->vifes.at[i] & 0x7f) - e->first - (e->effect == OMS_VIFE_SCALE ? 6 : 3));
        own = e->effect == OMS_VIFE_OWN || e->effect == OMS_VIFE_MORE;
    }
}

static void put_meaning(struct text *t, const struct oms_value *v, const struct oms_fate *fate)
{
    static const char *const functions[4] = { "", "maximum", "minimum", "during error" };
    static const char *const kinds[] = {
        [OMS_IS_NOTHING] = "no data",
        [OMS_IS_INVALID] = "the meter has no value",
        [OMS_IS_TAIL] = "the maker's own",
        [OMS_IS_LOST] = "cannot be told apart: kept raw",
    };

    add_part(t, functions[v->function]);
    add_vifes(t, v);
    if ((v->vif->low == OMS_LOW_BITS && v->kind == OMS_IS_PATTERN) || v->vif->low == OMS_LOW_OWN)
        add_part(t, "hex");
    if (v->kind < sizeof kinds / sizeof kinds[0] && kinds[v->kind])
        add_part(t, kinds[v->kind]);
    if (v->kind == OMS_IS_UNREADABLE)
        add_part(t, v->fault);
    if (v->cut)
        add_part(t, "more digits follow");
    add_part(t, fate->note);
}

static const char *unit_of(const struct oms_value *v, struct text *words)
{
    if (v->kind != OMS_IS_NUMBER && v->kind != OMS_IS_PROFILE)
        return "";
    if (v->words.len == 0)
        return oms_unit_names[v->unit];
    put_reversed(words, v->words);
    return words->at;
}

void oms_tell(struct trace *t, const struct oms_value *v, unsigned ordinal,
              const struct oms_fate *fate)
{
    struct text path = { 0 }, value = { 0 }, meaning = { 0 }, words = { 0 };

    put_path(&path, v, v->storage, ordinal);
    put_value(&value, v);
    put_meaning(&meaning, v, fate);
    trace_line(t, &(struct trace_line){ .raw = v->raw,
                                        .field = path.at,
                                        .value = value.at,
                                        .unit = v->kind == OMS_IS_PROFILE ? "" : unit_of(v, &words),
                                        .meaning = meaning.at,
                                        .is = fate->is });
}

void oms_tell_entry(struct trace *t, const struct oms_value *v, const struct oms_profile *p,
                    const struct oms_entry *e, const struct oms_fate *fate)
{
    static const char *const modes[4] = { "", "increment", "decrement", "difference" };
    struct text path = { 0 }, meaning = { 0 }, words = { 0 };
    char value[OMS_NUMBER_SIZE] = "";

    put_path(&path, v, v->storage + e->index, 1);
    if (e->kind == OMS_IS_NUMBER)
        oms_put_number(value, e->number, v->power);
    add_part(&meaning, modes[p->mode]);
    if (e->kind != OMS_IS_NUMBER)
        add_part(&meaning, e->kind == OMS_IS_INVALID ? "the meter has no value" : e->fault);
    add_part(&meaning, fate->note);
    trace_line(t, &(struct trace_line){ .raw = e->raw,
                                        .field = path.at,
                                        .value = value,
                                        .unit = *value ? unit_of(v, &words) : "",
                                        .meaning = meaning.at,
                                        .is = fate->is });
}
