#include "server/lulls.h"

#include "server/drought.h"

#include <stdlib.h>

#define AFTERNOON_H 14

struct lull_watch {
    struct app *app;
    int32_t seen_day; /* the day that was looked at last */
    struct lull_usual usual[LULL_CLASSES];
};

/* ---- what was told ---- */

static bool take(void *arg, const struct ledger_lull *l)
{
    struct lulls *all = (struct lulls *)arg;
    struct lull day = { .day = l->day, .counts_pm = l->counts_pm, .known_s = l->known_s };

    if (l->use < LULL_CLASSES)
        lulls_add(&all[l->use], &day);
    return true;
}

enum err lulls_load(struct txn *ledger, struct lulls out[LULL_CLASSES])
{
    for (unsigned i = 0; i < LULL_CLASSES; i++)
        out[i].count = 0;
    return ledger_lulls(ledger, take, out);
}

/* What was usual on that weekday when it was told is so still. */
static bool remember(void *arg, const struct ledger_lull *l)
{
    struct lull_watch *w = (struct lull_watch *)arg;
    unsigned weekday = (unsigned)day_of_week(l->day);

    if (l->use >= LULL_CLASSES)
        return true;
    w->usual[l->use].share[weekday] = (float)l->usual_pm / 1000;
    w->usual[l->use].days[weekday] = LULL_DAYS;
    w->seen_day = l->day > w->seen_day ? l->day : w->seen_day;
    return true;
}

enum err lulls_open(struct app *app, struct lull_watch **out)
{
    struct lull_watch *w = (struct lull_watch *)calloc(1, sizeof *w);
    struct txn t;
    enum err err, ended;

    if (!w)
        return ERR_NO_MEMORY;
    w->app = app;
    t = ledger_read(app->ledger);
    err = ledger_lulls(&t, remember, w);
    ended = txn_end(&t);
    if (err || ended) {
        free(w);
        return err ? err : ended;
    }
    *out = w;
    return ERR_OK;
}

void lulls_close(struct lull_watch *w)
{
    free(w);
}

/* ---- the look ---- */

static enum err tell(struct app *app, const struct ledger_lull *l, size_t count, int64_t now_s)
{
    struct act act =
        act_begin(app->ledger, "judge", now_s, app->journal ? journal_end(app->journal) : 0);

    for (size_t i = 0; i < count; i++)
        act_put_lull(&act, &l[i]);
    return act_end(&act);
}

enum err lulls_look(struct lull_watch *w, int64_t now_s)
{
    struct still_count counts[LULL_CLASSES];
    struct ledger_lull told[LULL_CLASSES];
    const struct zone *z;
    int64_t to_s, from_s;
    int32_t day;
    size_t count = 0;
    enum err err;

    if (!w)
        return ERR_OK;
    z = &w->app->zone;
    day = (int32_t)zone_day_number(z, now_s) - 1;
    if (day <= w->seen_day || zone_civil(z, now_s).hour < AFTERNOON_H)
        return ERR_OK;
    to_s = zone_day_start(z, now_s);
    from_s = zone_day_start(z, to_s - 1);
    drought_count(w->app->drought, from_s, to_s, counts);
    for (unsigned use = 0; use < LULL_CLASSES; use++) {
        struct lull_seen seen = { day, counts[use].meters, counts[use].still };
        float usual = w->usual[use].share[day_of_week(day)];
        struct ledger_lull l = { .use = (uint8_t)use,
                                 .day = day,
                                 .meters = seen.meters,
                                 .still = seen.still,
                                 .usual_pm = (uint16_t)(usual * 1000),
                                 .known_s = now_s };

        if (lull_judge(&w->usual[use], &seen, &l.counts_pm))
            told[count++] = l;
    }
    err = count ? tell(w->app, told, count, now_s) : ERR_OK;
    if (!err)
        w->seen_day = day;
    return err;
}
