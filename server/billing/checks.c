/* What a person should look at in a row (rules-bills E).  Nothing here changes a figure. */
#include <stdlib.h>

#include "server/billing/agree.h"
#include "server/billing/consume_priv.h"

#define DAY_S 86400ll
#define HIGH_LOW_LEAST_ML 500000 /* E3: 500 L */
#define CHECK_DAYS_LEAST 30
#define STILL_S (7 * DAY_S) /* E4 */
#define HOURS_MOST 32       /* a civil day has 25, and some room for the odd zone */

const char *check_name(enum check c)
{
    static const char *const names[] = { "high", "low", "negative", "prolonged", "spike", "zero" };

    return names[c];
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
    __int128 use_ml = c->row.c.consumption_ml;
    enum err err;

    if (use_ml <= (__int128)row_q3_lph(c) * 100) /* 0.1 × Q3 × 1 h */
        return ERR_OK;
    err = hours_load(c, c->row.c.from_s);
    if (!err && c->hours.actual && use_ml * 10 > (__int128)c->hours.third_ml * 28)
        c->row.c.checks |= 1u << CHECK_SPIKE;
    return err;
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

/* Twice the median of the days before the row's first; false where too few count. */
static enum err median_load(struct consumer *c, bool *out_known, __int128 *out_twice)
{
    int64_t end_s = zone_day_start(c->rules.zone, c->row.c.from_s);
    int64_t use_ml[CHECK_DAYS];
    size_t count = 0;

    for (unsigned i = 0; i < CHECK_DAYS; i++) {
        struct day_of_use *day;
        enum err err = day_load(c, end_s, &day, &end_s);

        if (err)
            return err;
        if (day->counts)
            use_ml[count++] = day->use_ml;
    }
    *out_known = count >= CHECK_DAYS_LEAST;
    if (*out_known) {
        qsort(use_ml, count, sizeof(*use_ml), by_use);
        *out_twice = (__int128)use_ml[(count - 1) / 2] + use_ml[count / 2];
    }
    return ERR_OK;
}

enum err consumer_median(struct consumer *c, bool *out_known, int64_t *out_ml)
{
    __int128 twice = 0;
    enum err err = median_load(c, out_known, &twice);

    if (!err)
        *out_ml = volume_clamped(twice / 2 - (twice % 2 < 0));
    return err;
}

/* With x = use × 86 400 / seconds and m = twice / 2 all is compared without a division. */
static enum err high_low_check(struct consumer *c)
{
    __int128 seconds = c->row.c.to_s - c->row.c.from_s, twice = 0, x, m;
    bool known = false;
    enum err err = median_load(c, &known, &twice);

    if (err || !known)
        return err;
    x = (__int128)c->row.c.consumption_ml * DAY_S * 2;
    m = twice * seconds;
    if (x > 3 * m && x - m > 2 * HIGH_LOW_LEAST_ML * seconds)
        c->row.c.checks |= 1u << CHECK_HIGH;
    if (10 * x < 3 * m && m - x > 2 * HIGH_LOW_LEAST_ML * seconds)
        c->row.c.checks |= 1u << CHECK_LOW;
    return ERR_OK;
}

/* ---- E4: zero ------------------------------------------------------------------------------- */

static enum err zero_check(struct consumer *c)
{
    const struct consumption *row = &c->row.c;
    int64_t still_s = row->to_s - STILL_S;
    int64_t begin_s = row->from_s < still_s ? row->from_s : still_s;
    size_t i = line_after(c, begin_s);
    struct fitting_line *l = i < c->line_count ? &c->lines[i] : NULL;
    enum err err;

    if (row->consumption_ml != 0 || !l || l->of->fitting.from_s > begin_s ||
        l->of->fitting.to_s < row->to_s)
        return ERR_OK;
    err = row_make(c, &c->scratch, still_s, row->to_s);
    if (!err && c->scratch.c.known && c->scratch.c.consumption_ml == 0 &&
        register_at(l, &c->rules, row->to_s).register_ml != l->of->fitting.start_ml)
        c->row.c.checks |= 1u << CHECK_ZERO;
    return err;
}

/* ---- all of them ---------------------------------------------------------------------------- */

enum err row_check(struct consumer *c)
{
    enum err err;

    if (c->row.c.quality != QUALITY_ACTUAL || c->row.c.to_s <= c->row.c.from_s) /* E1 */
        return ERR_OK;
    if (c->row.c.consumption_ml < 0)
        c->row.c.checks |= 1u << CHECK_NEGATIVE;
    if (c->step == STEP_HOUR)
        return spike_check(c);
    err = high_low_check(c);
    return err ? err : zero_check(c);
}
