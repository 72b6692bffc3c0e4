#include "server/tiers.h"

#include "server/accounts.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the year ---- */

static int64_t year_start(const struct zone *z, int32_t year)
{
    struct civil noon = { .year = year, .month = 1, .day = 1, .hour = 12 };
    int64_t at_s;

    if (zone_utc(z, noon, &at_s))
        at_s = day_utc(noon) - zone_offset(z, day_utc(noon));
    return zone_day_start(z, at_s);
}

struct loading {
    struct tier_year *year;
    enum err err;
};

static bool cycle_take(void *arg, const struct ledger_cycle *c)
{
    struct loading *l = (struct loading *)arg;
    struct tier_year *y = l->year;
    struct tier_cycle *more;

    if (c->state != CYCLE_CLOSED)
        return true;
    if (!(y->count & (y->count + 1))) { /* 0, 1, 3, 7: room for twice as many and one */
        more = (struct tier_cycle *)realloc(y->cycles, (2 * y->count + 1) * sizeof *more);
        if (!more) {
            l->err = ERR_NO_MEMORY;
            return false;
        }
        y->cycles = more;
    }
    more = &y->cycles[y->count++];
    *more = (struct tier_cycle){ .id = c->id, .from_s = c->from_s, .to_s = c->to_s };
    snprintf(more->name, sizeof more->name, "%s", c->name);
    return true;
}

static int latest_first(const void *a, const void *b)
{
    const struct tier_cycle *x = (const struct tier_cycle *)a, *y = (const struct tier_cycle *)b;

    return x->to_s != y->to_s ? (x->to_s < y->to_s) - (x->to_s > y->to_s)
                              : (x->id < y->id) - (x->id > y->id);
}

enum err tier_year_load(struct app *app, struct txn *t, int32_t year, struct tier_year *out)
{
    struct loading l = { .year = out };
    enum err err;

    *out = (struct tier_year){ .year = year,
                               .from_s = year_start(&app->zone, year),
                               .to_s = year_start(&app->zone, year + 1),
                               .now_s = clock_now_s(&app->clock) };
    err = ledger_cycles(t, span_of(NULL, 0), cycle_take, &l);
    if (!err && !l.err && out->count)
        qsort(out->cycles, out->count, sizeof *out->cycles, latest_first);
    return err ? err : l.err;
}

void tier_year_done(struct tier_year *y)
{
    free(y->cycles);
    y->cycles = NULL;
    y->count = 0;
}

/* ---- a point ---- */

static bool frozen_of(struct txn *t, const struct tier_cycle *c, struct span point,
                      struct tier_line *out)
{
    struct span bytes;

    if (!ledger_determinant(t, c->id, point, &bytes))
        return false;
    *out = (struct tier_line){ .cycle = c };
    if (determinant_read(bytes, c->from_s, c->to_s, NULL, 0, &out->frozen)) {
        t->err = ERR_CORRUPT;
        return false;
    }
    (void)ledger_billed(t, c->id, point, &out->adjusted);
    return !t->err;
}

static void add(struct tier_sums *s, const struct tier_line *l, bool ours)
{
    int64_t m3 = l->frozen.billed.known ? l->frozen.billed.m3 : 0;

    if (!ours) {
        s->others_m3 += m3 + l->adjusted.delta_m3;
        return;
    }
    s->cycles++;
    s->missing += !l->frozen.billed.known;
    s->billed_ml += l->frozen.billed.known ? l->frozen.billed.consumption_ml : 0;
    s->billed_m3 += m3;
    s->adjusted_ml += l->adjusted.delta_ml;
    s->adjusted_m3 += l->adjusted.delta_m3;
}

enum err tier_point(const struct tier_year *y, struct txn *t, struct span point,
                    struct span account, void (*each)(void *arg, const struct tier_line *line),
                    void *arg, struct tier_sums *sums)
{
    struct tier_line line;

    for (size_t i = y->count; i-- > 0 && !t->err;) {
        const struct tier_cycle *c = &y->cycles[i];
        bool ours;

        if (c->to_s < y->from_s || c->to_s >= y->to_s || !frozen_of(t, c, point, &line))
            continue;
        ours = span_equal(line.frozen.account, account);
        add(sums, &line, ours);
        if (ours && each)
            each(arg, &line);
    }
    return t->err;
}

/* ---- since ---- */

/* Since when the point is the account's; false: it is not. */
static enum err stay_now(const struct tier_year *y, struct txn *t, struct span point,
                         struct span account, bool *out_there, int64_t *out_since_s)
{
    struct account_stays stays = { 0 };
    enum err err = ERR_OK;

    *out_there = !account.len; /* of none: since ever */
    *out_since_s = INT64_MIN;
    if (account.len)
        err = account_stays_load(t, account, &stays);
    for (size_t i = 0; i < stays.count && !err; i++) {
        const struct account_stay *s = &stays.at[i];

        if (!span_equal(span_text(s->name), point) || s->from_s > y->now_s || s->to_s <= y->now_s)
            continue;
        *out_there = true;
        *out_since_s = s->from_s;
    }
    account_stays_done(&stays);
    return err == ERR_LIMIT ? ERR_OK : err; /* an account of so many points has no tiers */
}

enum err tier_open(struct app *app, const struct tier_year *y, struct txn *t, uint32_t point,
                   struct span name, struct span account, struct point_use *use,
                   struct tier_open *out)
{
    struct tier_open o = { .from_s = y->from_s, .to_s = y->now_s, .known = true };
    const struct consumption *c;
    struct span bytes;
    int64_t since_s;
    enum err err;

    *out = o;
    if (y->now_s < y->from_s || y->now_s >= y->to_s)
        return ERR_OK;
    if ((err = stay_now(y, t, name, account, &o.there, &since_s)) || !o.there)
        return err;
    for (size_t i = 0; i < y->count && !t->err; i++)
        if (ledger_determinant(t, y->cycles[i].id, name, &bytes)) {
            o.from_s = y->cycles[i].to_s;
            break;
        }
    if (o.from_s < since_s)
        o.from_s = since_s;
    if (t->err)
        return t->err;
    if (o.from_s < o.to_s) {
        if ((err = point_use_load(app, t, point, o.from_s, o.to_s, STEP_NONE, y->now_s, use)) ||
            (err = consumer_figures(use->consumer, o.from_s, o.to_s, &c)))
            return err;
        o.known = c->known;
        o.consumption_ml = c->consumption_ml;
        o.m3 = c->billed_m3;
        o.quality = c->quality;
    }
    *out = o;
    return ERR_OK;
}
