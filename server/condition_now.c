#include "server/condition_now.h"

#include "server/judge.h"
#include "server/readings.h"

int64_t volume_since(const struct meter_facts *m, int64_t start_ml, int64_t index_ml)
{
    int64_t volume = index_ml - start_ml;

    if (volume >= 0 || m->form == REGISTER_NET || m->modulus_ml <= 0)
        return volume;
    volume += m->modulus_ml;
    return volume >= 0 && volume <= m->modulus_ml / 2 && start_ml >= m->modulus_ml / 2 ? volume : 0;
}

struct confirming {
    const struct fleet_rules *rules;
    const struct zone *zone;
    int64_t fitted_s, now_s;
    int32_t day;
};

static bool confirmed_in(void *arg, const char *kind, int64_t fitting_from_s, int64_t onset_s)
{
    struct confirming *c = (struct confirming *)arg;
    enum failure_kind failure;
    int32_t day;

    if (fitting_from_s != c->fitted_s || onset_s > c->now_s ||
        !failure_of_flag(c->rules, kind, &failure))
        return true;
    day = (int32_t)zone_day_number(c->zone, onset_s);
    if (c->day == NO_DAY || day < c->day)
        c->day = day;
    return true;
}

enum err condition_now(struct app *app, const struct fleet_rules *rules, struct txn *ledger,
                       struct txn *views, const struct meter_life *l, const struct life *now,
                       int64_t now_s, struct condition *out)
{
    struct condition_facts f = { .q3_lph = l->facts.q3_lph,
                                 .volume_day = NO_DAY,
                                 .status_day = NO_DAY };
    struct confirming confirming = { rules, &app->zone, now->fitted_s, now_s, NO_DAY };
    struct vitals vitals;
    struct judge_index index;
    enum err err;

    *out = (struct condition){ .due = NO_DAY };
    if (!life_is_fitted(now->state))
        return ERR_OK;
    if ((err = readings_vitals(app, &l->facts, &vitals)) ||
        (err = flags_confirmed(ledger, l->meter, confirmed_in, &confirming)))
        return err;
    f.fitted_day = (int32_t)zone_day_number(&app->zone, now->fitted_s);
    if (judge_index(views, l->meter, now->fitted_s, &index) && index.at_s <= now_s) {
        f.volume_day = (int32_t)zone_day_number(&app->zone, index.at_s);
        f.volume_ml = volume_since(&l->facts, now->start_ml, index.index_ml);
    }
    if (vitals.position && vitals.arrival_s >= now->fitted_s) {
        f.status = vitals.status;
        f.status_day = (int32_t)zone_day_number(&app->zone, vitals.arrival_s);
    }
    f.confirmed_day = confirming.day;
    condition_of_life(l->events, l->count, now, &app->zone, now_s, &f.failed_day, &f.faulty_day);
    condition_of(rules, &f, out);
    return views->err ? views->err : ledger->err;
}
