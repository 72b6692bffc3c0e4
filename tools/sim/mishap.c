/* What befalls data though the meter is sound: wrong values, wrong stamps, other registers, other people.
 *
 *   glitch       one reading 80 000 m³ too high (2 % of lives)
 *   wild         0.4 % of readings with a wrong digit, ± 10 to 10 000 L (2 %)
 *   re-based     from some instant on a register ± 100 to 900 m³ away (1.5 %)
 *   clock reset  one to three days stamped 3 to 30 days early (1.5 %)
 *   doubled      a day's values once more under the next day's date (1.5 %)
 *   estimated    a value put in between by some platform, up to two days' use too high (1.5 %)
 *   typed        a reader types whole m³ once a month (5 %)
 *   exchange     another register from 0 on, at a fitting of its own (4 %)
 *   moved        the meter goes on at another customer's (1 %)
 *   roll-over    begins 1 to 60 m³ before its last digit turns (2 %)
 *   deaf         no report for 7 to 40 days (2 %)
 * The frequencies are ours: each is common enough to count.  A faulty life has none of those that begin a fitting. */
#include "tools/sim/trial.h"

#include <stdlib.h>

#define DAY_S 86400.0

const char *const mishap_name[MISHAPS] = {
#define X(name, text) text,
    TRIAL_MISHAPS
#undef X
};

void mishaps_draw(struct trial *l, const struct trial_options *o, struct chance *c)
{
    static const struct {
        enum mishap mishap;
        double p;
    } table[] = { { MISHAP_GLITCH, 0.02 },   { MISHAP_WILD, 0.02 },
                  { MISHAP_REBASED, 0.015 }, { MISHAP_CLOCK_RESET, 0.015 },
                  { MISHAP_DOUBLED, 0.015 }, { MISHAP_ESTIMATED, 0.015 },
                  { MISHAP_TYPED, 0.05 },    { MISHAP_EXCHANGED, 0.04 },
                  { MISHAP_MOVED, 0.01 },    { MISHAP_ROLLED, 0.02 },
                  { MISHAP_DEAF, 0.02 } };
    double u = chance_unit(c);
    bool faulty = l->fault.kind != FAULT_NONE;

    l->mishaps = 0;
    l->mishap_s = l->from_s + chance_even(c, 0.1, 0.9) * (l->to_s - l->from_s);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (u >= 0 && u < table[i].p)
            l->mishaps |= 1u << table[i].mishap;
        u -= table[i].p;
    }
    if (o->mishaps_given)
        l->mishaps = o->mishaps;
    if (faulty)
        l->mishaps &= ~(1u << MISHAP_EXCHANGED | 1u << MISHAP_MOVED | 1u << MISHAP_REBASED |
                        1u << MISHAP_DEAF);
    if (l->mishaps & 1u << MISHAP_ROLLED)
        l->start_ml =
            (double)l->meter.modulus_ml - chance_whole(c, 1, 60) * 1e6 + fmod(l->start_ml, 1e6);
    if (!(l->mishaps & (1u << MISHAP_EXCHANGED | 1u << MISHAP_MOVED)))
        return;
    l->fittings[0].to_s = (int64_t)l->mishap_s;
    l->fittings[1] =
        (struct fitting){ .meter = l->meter.id + (l->mishaps & 1u << MISHAP_EXCHANGED ? 1 : 0),
                          .point = l->point.id + (l->mishaps & 1u << MISHAP_MOVED ? 1 : 0),
                          .from_s = (int64_t)l->mishap_s,
                          .to_s = FITTING_OPEN };
    l->fitting_count = 2;
}

/* ---- rows ---- */

enum err trial_push(struct trial *l, const struct trial_row *row)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16384;
        struct trial_row *at = (struct trial_row *)realloc(l->rows, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        l->rows = at;
        l->cap = cap;
    }
    l->rows[l->count++] = *row;
    return ERR_OK;
}

static int row_order(const void *a, const void *b)
{
    const struct trial_row *x = (const struct trial_row *)a, *y = (const struct trial_row *)b;

    if (x->row.time_s != y->row.time_s)
        return x->row.time_s < y->row.time_s ? -1 : 1;
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    if (source_rank(x->row.attr) != source_rank(y->row.attr))
        return source_rank(x->row.attr) > source_rank(y->row.attr) ? -1 : 1;
    if (x->arrival_s != y->arrival_s)
        return x->arrival_s < y->arrival_s ? -1 : 1;
    return (x->row.value > y->row.value) - (x->row.value < y->row.value);
}

static bool is_sorted(const struct trial *l)
{
    for (size_t i = 1; i < l->count; i++)
        if (row_order(&l->rows[i - 1], &l->rows[i]) >= 0)
            return false;
    return true;
}

void trial_tidy(struct trial *l)
{
    size_t kept = 0;

    if (l->count == 0 || is_sorted(l))
        return;
    qsort(l->rows, l->count, sizeof *l->rows, row_order);
    for (size_t i = 0; i < l->count; i++) {
        const struct trial_row *r = &l->rows[i];

        if ((double)r->row.time_s < l->from_s)
            continue; /* before it was fitted */
        if (kept && l->rows[kept - 1].row.time_s == r->row.time_s &&
            l->rows[kept - 1].channel == r->channel)
            continue;
        l->rows[kept++] = *r;
    }
    l->count = kept;
}

static bool is_billed(const struct trial *l, const struct trial_row *r)
{
    return r->channel == (uint8_t)meter_billed_channel(&l->meter);
}

static bool is_within(const struct trial_row *r, double from_s, double seconds)
{
    return r->row.time_s >= from_s && r->row.time_s < from_s + seconds;
}

/* ---- what befalls ---- */

static void glitch(struct trial *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (is_billed(l, &l->rows[i]) && l->rows[i].row.time_s >= l->mishap_s) {
            l->rows[i].row.value += INT64_C(80000000000);
            return;
        }
}

static void wild(struct trial *l, struct chance *c)
{
    static const int64_t slips_ml[] = { 10000, 100000, 1000000, 10000000 };

    for (size_t i = 0; i < l->count; i++) {
        int64_t slip = slips_ml[chance_whole(c, 0, 3)] * (chance_happens(c, 0.5) ? 1 : -1);

        if (is_billed(l, &l->rows[i]) && chance_happens(c, 0.004) &&
            l->rows[i].row.value + slip >= 0)
            l->rows[i].row.value += slip;
    }
}

static void rebase(struct trial *l, struct chance *c)
{
    int64_t by = chance_whole(c, 100, 900) * INT64_C(1000000), at = 0;

    if (chance_happens(c, 0.5))
        by = -by;
    for (size_t i = 0; i < l->count; i++) {
        if (!is_billed(l, &l->rows[i]) || l->rows[i].row.time_s < l->mishap_s)
            continue;
        if (at == 0 && l->rows[i].row.value + by < 0)
            by = -by;
        at = 1;
        l->rows[i].row.value += by;
    }
}

static void reset_clock(struct trial *l, struct chance *c)
{
    double seconds = chance_whole(c, 1, 3) * DAY_S;
    uint32_t early_s = (uint32_t)(chance_even(c, 3, 30) * DAY_S);

    for (size_t i = 0; i < l->count; i++)
        if (is_within(&l->rows[i], l->mishap_s, seconds))
            l->rows[i].row.time_s -= early_s;
}

static enum err double_day(struct trial *l)
{
    size_t count = l->count;
    enum err err = ERR_OK;

    for (size_t i = 0; i < count && !err; i++)
        if (is_within(&l->rows[i], l->mishap_s, DAY_S)) {
            struct trial_row twice = l->rows[i];

            twice.row.time_s += (uint32_t)DAY_S;
            twice.arrival_s += (uint32_t)DAY_S + 60;
            err = trial_push(l, &twice);
        }
    return err;
}

/* A gap of some hours in which one value is made up. */
static void estimate(struct trial *l, struct chance *c)
{
    double seconds = chance_even(c, 4, 30) * 3600;
    int64_t much_ml = (int64_t)(chance_even(c, 0.1, 2) * l->used_lpd * 1000);
    size_t kept = 0;
    bool put = false;

    for (size_t i = 0; i < l->count; i++) {
        struct trial_row r = l->rows[i];

        if (is_billed(l, &r) && is_within(&r, l->mishap_s, seconds)) {
            if (put || r.row.time_s < l->mishap_s + seconds / 2)
                continue;
            put = true;
            r.row.value += much_ml;
        }
        l->rows[kept++] = r;
    }
    l->count = kept;
}

static enum err type(struct trial *l, struct chance *c)
{
    double next_s = l->from_s + chance_even(c, 0, 30) * DAY_S;
    size_t count = l->count;
    enum err err = ERR_OK;

    for (size_t i = 0; i < count && !err; i++) {
        struct trial_row r = l->rows[i];

        if (!is_billed(l, &r) || r.row.time_s < next_s)
            continue;
        next_s += 30 * DAY_S;
        r.row.value = r.row.value / 1000000 * 1000000;
        r.row.attr = SOURCE_MANUAL;
        r.row.time_s += 600;
        err = trial_push(l, &r);
    }
    return err;
}

static void refit(struct trial *l)
{
    int64_t start = -1;
    bool fresh = l->mishaps & 1u << MISHAP_EXCHANGED;

    for (size_t i = 0; i < l->count; i++) {
        struct trial_row *r = &l->rows[i];

        if (r->row.time_s < l->mishap_s)
            continue;
        r->fitting = 1;
        if (!fresh || !is_billed(l, r))
            continue;
        if (start < 0)
            start = r->row.value;
        r->row.value = (r->row.value - start + l->meter.modulus_ml) % l->meter.modulus_ml;
    }
}

enum err mishaps_befall(struct trial *l, struct chance *c)
{
    enum err err = ERR_OK;

    if (l->mishaps & (1u << MISHAP_EXCHANGED | 1u << MISHAP_MOVED))
        refit(l);
    if (l->mishaps & 1u << MISHAP_GLITCH)
        glitch(l);
    if (l->mishaps & 1u << MISHAP_WILD)
        wild(l, c);
    if (l->mishaps & 1u << MISHAP_REBASED)
        rebase(l, c);
    if (l->mishaps & 1u << MISHAP_CLOCK_RESET)
        reset_clock(l, c);
    if (l->mishaps & 1u << MISHAP_DOUBLED)
        err = double_day(l);
    if (l->mishaps & 1u << MISHAP_ESTIMATED)
        estimate(l, c);
    if (!err && l->mishaps & 1u << MISHAP_TYPED)
        err = type(l, c);
    return err;
}
