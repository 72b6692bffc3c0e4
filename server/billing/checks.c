/* What a person should look at in a row (rules-bills E).  Nothing here changes a figure. */
#include <stdlib.h>
#include <string.h>

#include "server/billing/agree.h"
#include "server/billing/consume_priv.h"

#define DAY_S 86400ll
#define HOURS_MOST 32 /* a civil day has 25, and some room for the odd zone */

const char *check_name(enum check c)
{
    return listed_rule(listed_check(c))->name;
}

/* ---- by which figures ----------------------------------------------------------------------- */

/* Places of parameters in rules.def. */
enum { HIGH_FACTOR, HIGH_FLOOR, HIGH_DAYS, HIGH_LEAST }; /* and of LOW */
enum { NEGATIVE_BEYOND = 0 };
enum { SPIKE_FACTOR, SPIKE_SHARE };
enum { ZERO_DAYS = 0 };
enum { OVERLOAD_FACTOR = 0 };
enum { LIMIT_MOST = 0 };

void consumer_judge_by(struct consumer *c, const struct check_rules *rules, enum use_class use)
{
    c->judge = rules && rules->count ? rules : NULL;
    c->use = use;
}

int32_t consumer_dn(const struct consumer *c)
{
    size_t i = line_after(c, c->row.c.from_s);

    return i < c->line_count ? c->lines[i].of->meter->dn_mm : 0;
}

const struct check_line *consumer_line(const struct consumer *c, enum check check)
{
    if (!c->judge)
        return check_line_standing(check);
    return check_line_for(c->judge, check, zone_day_number(c->rules.zone, c->row.c.from_s), c->use,
                          consumer_dn(c));
}

/* Says by what the row was judged. */
static void judged(struct consumer *c, const struct check_line *l, bool found,
                   const int64_t *inputs, unsigned count)
{
    const struct listed *rule = listed_rule(l->rule);
    enum check check = (enum check)l->rule; /* the first rows of the table */
    struct check_told *t = &c->told[check];

    *t = (struct check_told){ .version = l->version, .inputs = (uint8_t)count };
    while (t->parameters < RULE_FIGURES && rule->parameter[t->parameters].name)
        t->parameters++;
    memcpy(t->value, l->value, sizeof t->value);
    memcpy(t->input, inputs, count * sizeof *inputs);
    c->row.c.told = c->told;
    c->row.c.judged |= 1u << check;
    c->row.c.checks |= found ? 1u << check : 0;
}

static int by_use(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* ---- E2: spike ------------------------------------------------------------------------------ */

/* The hours of the civil day that holds `at_s`: are all of them actual, and how much is the third
 * highest? */
static enum err hours_load(struct consumer *c, int64_t at_s)
{
    struct hours_of_use *h = &c->hours;
    int64_t use_ml[HOURS_MOST];
    size_t count = 0;

    if (at_s >= h->begin_s && at_s < h->end_s)
        return ERR_OK;
    h->begin_s = zone_day_start(c->rules.zone, at_s);
    h->end_s = zone_day_next(c->rules.zone, at_s);
    h->actual = true;
    for (int64_t from_s = h->begin_s; from_s < h->end_s && h->actual && count < HOURS_MOST;
         count++) {
        int64_t end_s = zone_hour_next(c->rules.zone, from_s);
        enum err err = row_make(c, &c->scratch, from_s, end_s < h->end_s ? end_s : h->end_s);

        if (err)
            return err;
        h->actual = c->scratch.c.quality == QUALITY_ACTUAL;
        use_ml[count] = c->scratch.c.consumption_ml;
        from_s = end_s;
    }
    h->actual &= count >= 3;
    if (h->actual) {
        qsort(use_ml, count, sizeof(*use_ml), by_use);
        h->third_ml = use_ml[count - 3];
    }
    return ERR_OK;
}

static int64_t row_q3_lph(const struct consumer *c)
{
    size_t i = line_after(c, c->row.c.from_s);

    return i < c->line_count ? c->lines[i].of->meter->q3_lph : INT64_MAX / 1000;
}

static enum err spike_check(struct consumer *c)
{
    const struct check_line *l = consumer_line(c, CHECK_SPIKE);
    __int128 use_ml = c->row.c.consumption_ml;
    __int128 floor_ml = (__int128)row_q3_lph(c) * l->value[SPIKE_SHARE]; /* for an hour */
    int64_t inputs[4];
    enum err err;

    if (l->state != LINE_ON || use_ml <= floor_ml)
        return ERR_OK;
    err = hours_load(c, c->row.c.from_s);
    if (err || !c->hours.actual)
        return err;
    inputs[0] = c->row.c.consumption_ml;
    inputs[1] = c->hours.third_ml;
    inputs[2] = volume_clamped(floor_ml);
    inputs[3] = c->row.c.from_s;
    judged(c, l, use_ml * 1000 > (__int128)c->hours.third_ml * l->value[SPIKE_FACTOR], inputs, 4);
    return ERR_OK;
}

static void overload_check(struct consumer *c)
{
    const struct check_line *l = consumer_line(c, CHECK_OVERLOAD);
    __int128 use_ml = c->row.c.consumption_ml, q3_ml = (__int128)row_q3_lph(c) * 1000;
    int64_t inputs[] = { c->row.c.consumption_ml, volume_clamped(q3_ml), c->row.c.from_s };

    if (l->state == LINE_ON)
        judged(c, l, use_ml * 1000 > q3_ml * l->value[OVERLOAD_FACTOR], inputs, 3);
}

/* ---- E3: high and low ----------------------------------------------------------------------- */

static bool metered_all_through(const struct consumption *c)
{
    for (size_t i = 0; i < c->part_count; i++) {
        if (c->parts[i].kind != PART_METERED)
            return false;
    }
    return true;
}

/* The civil day that ends at `end_s`; `*out_begin_s`: where the one before it ends. */
static enum err day_load(struct consumer *c, int64_t end_s, struct day_of_use **out,
                         int64_t *out_begin_s)
{
    int64_t begin_s = zone_day_start(c->rules.zone, end_s - 1);
    size_t slots = sizeof(c->days) / sizeof(*c->days);
    struct day_of_use *day = &c->days[(uint64_t)zone_day_number(c->rules.zone, begin_s) % slots];
    enum err err = ERR_OK;

    if (day->end_s != end_s) {
        err = row_make(c, &c->scratch, begin_s, end_s);
        if (err)
            return err;
        *day = (struct day_of_use){
            .end_s = end_s,
            .use_ml = c->scratch.c.consumption_ml,
            .counts = c->scratch.c.quality == QUALITY_ACTUAL && metered_all_through(&c->scratch.c),
        };
    }
    *out = day;
    *out_begin_s = begin_s;
    return err;
}

/* Of the days before the row's first: how many count, and twice the median of their use. */
struct history {
    unsigned days, least; /* what a rule asks for */
    unsigned count;
    bool known; /* enough of them count */
    __int128 twice;
};

static enum err history_load(struct consumer *c, struct history *h)
{
    int64_t end_s = zone_day_start(c->rules.zone, c->row.c.from_s);
    int64_t use_ml[CHECK_DAYS];

    h->count = 0;
    for (unsigned i = 0; i < h->days; i++) {
        struct day_of_use *day;
        enum err err = day_load(c, end_s, &day, &end_s);

        if (err)
            return err;
        if (day->counts)
            use_ml[h->count++] = day->use_ml;
    }
    h->known = h->count >= h->least;
    if (h->known) {
        qsort(use_ml, h->count, sizeof(*use_ml), by_use);
        h->twice = (__int128)use_ml[(h->count - 1) / 2] + use_ml[h->count / 2];
    }
    return ERR_OK;
}

static struct history history_of(const struct check_line *l)
{
    return (struct history){ .days = (unsigned)l->value[HIGH_DAYS],
                             .least = (unsigned)l->value[HIGH_LEAST] };
}

enum err consumer_median(struct consumer *c, bool *out_known, int64_t *out_ml)
{
    struct history h = history_of(consumer_line(c, CHECK_HIGH));
    enum err err = history_load(c, &h);

    *out_known = h.known;
    if (!err && h.known)
        *out_ml = volume_clamped(h.twice / 2 - (h.twice % 2 < 0));
    return err;
}

/* With x = use × 86 400 / seconds and m = twice / 2 all is compared without a division. */
static void against_history(struct consumer *c, const struct check_line *l, const struct history *h)
{
    int64_t seconds = c->row.c.to_s - c->row.c.from_s;
    __int128 x = (__int128)c->row.c.consumption_ml * DAY_S * 2, m = h->twice * seconds;
    __int128 floor = (__int128)2 * l->value[HIGH_FLOOR] * seconds;
    int64_t inputs[] = { c->row.c.consumption_ml, seconds, (int64_t)h->twice, h->count };
    bool found = l->rule == LISTED_HIGH ? 1000 * x > l->value[HIGH_FACTOR] * m && x - m > floor
                                        : 1000 * x < l->value[HIGH_FACTOR] * m && m - x > floor;

    if (l->state == LINE_ON && h->known)
        judged(c, l, found, inputs, 4);
}

static enum err high_low_check(struct consumer *c)
{
    const struct check_line *high = consumer_line(c, CHECK_HIGH);
    const struct check_line *low = consumer_line(c, CHECK_LOW);
    struct history h = history_of(high), other = history_of(low);
    enum err err = ERR_OK;

    if (high->state == LINE_ON && !(err = history_load(c, &h)))
        against_history(c, high, &h);
    if (err || low->state != LINE_ON)
        return err;
    if (high->state == LINE_ON && h.days == other.days && h.least == other.least)
        other = h; /* as in the table: once for both */
    else if ((err = history_load(c, &other)))
        return err;
    against_history(c, low, &other);
    return ERR_OK;
}

/* ---- E4: zero ------------------------------------------------------------------------------- */

static enum err zero_check(struct consumer *c)
{
    const struct check_line *l = consumer_line(c, CHECK_ZERO);
    const struct consumption *row = &c->row.c;
    int64_t still_s = row->to_s - l->value[ZERO_DAYS] * DAY_S;
    int64_t begin_s = row->from_s < still_s ? row->from_s : still_s;
    size_t i = line_after(c, begin_s);
    struct fitting_line *f = i < c->line_count ? &c->lines[i] : NULL;
    int64_t inputs[3];
    enum err err;

    if (l->state != LINE_ON || row->consumption_ml != 0 || !f || f->of->fitting.from_s > begin_s ||
        f->of->fitting.to_s < row->to_s)
        return ERR_OK;
    err = row_make(c, &c->scratch, still_s, row->to_s);
    if (err || !c->scratch.c.known)
        return err;
    inputs[0] = begin_s;
    inputs[1] = register_at(f, &c->rules, row->to_s).register_ml;
    inputs[2] = f->of->fitting.start_ml;
    judged(c, l, c->scratch.c.consumption_ml == 0 && inputs[1] != inputs[2], inputs, 3);
    return ERR_OK;
}

/* ---- a bound without a history --- */

static void limit_check(struct consumer *c)
{
    const struct check_line *l = consumer_line(c, CHECK_LIMIT);
    int64_t seconds = c->row.c.to_s - c->row.c.from_s;
    int64_t inputs[] = { c->row.c.consumption_ml, seconds };
    __int128 x = (__int128)c->row.c.consumption_ml * DAY_S;

    if (l->state == LINE_ON)
        judged(c, l, x > (__int128)l->value[LIMIT_MOST] * seconds, inputs, 2);
}

/* ---- all of them ---------------------------------------------------------------------------- */

enum err row_check(struct consumer *c)
{
    const struct check_line *negative = consumer_line(c, CHECK_NEGATIVE);
    int64_t use_ml = c->row.c.consumption_ml;
    enum err err;

    if (c->row.c.quality != QUALITY_ACTUAL || c->row.c.to_s <= c->row.c.from_s) /* E1 */
        return ERR_OK;
    if (negative->state == LINE_ON)
        judged(c, negative, use_ml < -negative->value[NEGATIVE_BEYOND], &use_ml, 1);
    if (c->step == STEP_HOUR) {
        overload_check(c);
        return spike_check(c);
    }
    limit_check(c);
    err = high_low_check(c);
    return err ? err : zero_check(c);
}
