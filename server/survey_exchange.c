/* Under-registration as exchanges show it: what the new meter counts, the old one should have (handbook 6.3). */
#include "server/survey_priv.h"

#include "server/billing/consume.h"
#include "server/readings.h"
#include "server/registers.h"

#define DAY_S 86400

bool exchange_find(struct txn *t, uint32_t point, uint32_t old_meter, int64_t removed_s,
                   struct exchange_ref *out)
{
    struct fittings all;
    bool found = false;

    if (fittings_load(t, true, point, &all) && !t->err)
        t->err = ERR_NO_MEMORY;
    for (size_t i = 0; i < all.count && !t->err && !found; i++) {
        const struct fitting *f = &all.at[i];

        found = f->meter != old_meter && f->from_s >= removed_s && f->from_s <= removed_s + DAY_S;
        if (found)
            *out = (struct exchange_ref){ .point = point,
                                          .old_meter = old_meter,
                                          .new_meter = f->meter,
                                          .removed_s = removed_s,
                                          .fitted_s = f->from_s };
    }
    fittings_done(&all);
    return found;
}

/* The same instant by the calendar, a year before; of 29 February the 28th. */
static int64_t year_before(const struct zone *z, int64_t at_s)
{
    struct civil c = zone_civil(z, at_s);
    int64_t before_s;

    c.year--;
    if (c.day > day_month_length(c.year, c.month))
        c.day--;
    return zone_utc(z, c, &before_s) ? at_s - 365 * DAY_S : before_s;
}

struct used {
    bool read; /* all of it by actual readings */
    int64_t ml;
};

static bool take(void *arg, const struct consumption *c)
{
    struct used *u = (struct used *)arg;

    u->read = c->known && c->quality == QUALITY_ACTUAL;
    u->ml = c->consumption_ml;
    return true;
}

/* The meter's fitting at the point that holds the instant. False: none. */
static enum err fitting_of(struct app *app, const struct exchange_ref *x, uint32_t meter,
                           int64_t at_s, struct meter_facts *out_facts, struct fitting *out,
                           bool *out_found)
{
    struct txn t = ledger_read(app->ledger);
    struct fittings all;
    enum err err = fittings_load(&t, false, meter, &all), ended;

    *out_found = false;
    for (size_t i = 0; i < all.count && !err; i++) {
        const struct fitting *f = &all.at[i];

        if (f->point != x->point || f->from_s > at_s || f->to_s < at_s)
            continue;
        *out = *f;
        *out_found = true;
    }
    if (!err && *out_found)
        err = meter_facts_by_id(&t, meter, out_facts);
    fittings_done(&all);
    ended = txn_end(&t);
    return err ? err : ended;
}

static enum err use_of(struct app *app, const struct meter_facts *m, const struct fitting *f,
                       int64_t from_s, int64_t to_s, int64_t now_s, struct used *out)
{
    struct rows rows = { 0 };
    struct consume_fitting one = { .fitting = *f, .meter = m, .rows = &rows };
    enum err err = readings_load(app, m, meter_billed_channel(m), f->from_s < 0 ? 0 : f->from_s,
                                 f->to_s == FITTING_OPEN ? INT64_MAX : f->to_s + 1, &rows);

    if (!err)
        err = consume(&one, 1, from_s, to_s, STEP_NONE, &app->zone, now_s, take, out);
    rows_done(&rows);
    return err;
}

/* By its two indexes, a roll-over at most. */
static double counted_l(const struct meter_facts *m, const struct fitting *f)
{
    int64_t ml = f->has_end ? f->end_ml - f->start_ml : 0;

    return (double)(ml < 0 ? ml + m->modulus_ml : ml) / 1000;
}

enum err exchange_measure(struct app *app, const struct exchange_ref *x, int32_t days,
                          int64_t now_s, struct wear_sample *out, enum exchange_left_out *out_why)
{
    int64_t new_end_s = x->fitted_s + (int64_t)days * DAY_S;
    int64_t old_from_s = year_before(&app->zone, x->fitted_s);
    int64_t old_end_s = old_from_s + (int64_t)days * DAY_S;
    struct used now = { 0 }, before = { 0 };
    struct fitting fresh, old;
    struct meter_facts facts;
    bool found;
    enum err err = fitting_of(app, x, x->new_meter, x->fitted_s, &facts, &fresh, &found);

    *out_why = LEFT_RECENT;
    if (err || !found || new_end_s > now_s || fresh.to_s < new_end_s)
        return err;
    if ((err = use_of(app, &facts, &fresh, x->fitted_s, new_end_s, now_s, &now)) ||
        (err = fitting_of(app, x, x->old_meter, x->removed_s, &facts, &old, &found)))
        return err;
    *out_why = LEFT_SHORT;
    if (!found || old.from_s > old_from_s || old.to_s < old_end_s)
        return ERR_OK;
    if ((err = use_of(app, &facts, &old, old_from_s, old_end_s, now_s, &before)))
        return err;
    *out_why = LEFT_UNREAD;
    if (!now.read || !before.read)
        return ERR_OK;
    *out_why = LEFT_UNUSED;
    if (now.ml < EXCHANGE_LEAST_ML)
        return ERR_OK;
    *out = (struct wear_sample){ .ratio = (double)before.ml / (double)now.ml,
                                 .years = (double)(old.to_s - old.from_s) / QUALITY_YEAR_S,
                                 .volume_l = counted_l(&facts, &old),
                                 .q3_lph = facts.q3_lph };
    *out_why = EXCHANGE_LEFT;
    return ERR_OK;
}
