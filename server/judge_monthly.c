/* What shows in a year of days: slow, fast, oversize, undersize (server/detect/monthly.h).
 *
 * A meter's readings of the last 14 to 16 months are read again once in 28 days, on a day of its own, when a reading of that day has come; in between
 * nothing is kept but the flags.  This source goes on from the episodes that views hold, where they hold all of them, so it looks at the new days alone: what it
 * finds is still what a look at all of them in order would find, for each look rests on the days before it and on the episode that was open. */
#include "server/detect/house.h"
#include "server/detect/monthly.h"
#include "server/drought.h"
#include "server/judge_priv.h"
#include "server/peers.h"
#include "server/registers.h"

#include <stdlib.h>

struct months {
    const struct judge_view *view;
    const struct fitting *fitting;
    struct flag_records *out;
    enum err err;
};

static struct flag_record *open_of(struct months *m, const struct detector *d)
{
    for (size_t i = m->out->count; i-- > 0;) {
        struct flag_record *e = &m->out->at[i];

        if (e->kind == d && !e->ended && e->fitting_from_s == m->fitting->from_s)
            return e;
    }
    return NULL;
}

static void say(void *arg, const struct detector *d, const struct verdict *v)
{
    struct months *m = (struct months *)arg;
    struct flag_record fresh = { .kind = d,
                                 .meter = m->view->meter->id,
                                 .point = m->fitting->point,
                                 .fitting_from_s = m->fitting->from_s };
    struct flag_record *e = open_of(m, d);

    if (!e) {
        if (m->err || !v->open || (m->err = flag_records_push(m->out, &fresh)))
            return;
        e = &m->out->at[m->out->count - 1];
    }
    e->verdict = *v;
    e->ended = !v->open;
}

/* Episodes that earlier looks found. */
static enum err go_on(struct months *m, struct monthly *room)
{
    struct flag_records kept = { 0 };
    enum err err = flags_kept(m->view->views, m->view->meter->id, &kept);

    for (size_t i = 0; i < kept.count && !err; i++) {
        const struct flag_record *e = &kept.at[i];

        if (e->withdrawn || !source_owns(&judge_source_monthly, e))
            continue;
        err = flag_records_push(m->out, e);
        if (!e->ended && e->fitting_from_s == m->fitting->from_s)
            monthly_recall(room, e->kind, &e->verdict);
    }
    flag_records_done(&kept);
    return err;
}

static enum err look(struct months *m, struct monthly *room, struct rows *rows, int64_t since_s)
{
    const struct judge_view *v = m->view;
    const struct fitting *f = m->fitting;
    struct point_facts point;
    struct peers_known peers;
    struct judge_place place = { .meter = v->meter,
                                 .point = &point,
                                 .fitting = f,
                                 .zone = &v->app->zone,
                                 .holidays = &v->app->holidays,
                                 .pauses = v->pauses,
                                 .book = v->book };
    int64_t until_s = v->last_s;
    enum err err = point_facts_by_id(v->ledger, f->point, &point);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    if (fleet_peers_any(v->app->peers) &&
        fleet_peers_of(v->app->peers, point.use, v->meter->dn_mm, drought_zone(v->ledger, f->point),
                       &peers)) {
        place.peers = &peers.zone;
        place.peers_all = &peers.all;
    }
    if (v->ledger->err)
        return v->ledger->err;
    if ((err = judge_rows(v, f, monthly_needs(place.zone, f, v->meter->id, since_s), rows)))
        return err;
    if (f->to_s != FITTING_OPEN)
        until_s = rows->count ? rows->at[rows->count - 1].time_s : 0;
    monthly_run(room, &place, rows->at, rows->count, since_s, until_s, say, m);
    return m->err;
}

/* Of what earlier looks found views hold what was told: neither one that gave way to the house's, nor what was raised while its rule was off. */
static enum err may_lack(const struct judge_view *v, bool *out)
{
    struct flag_records kept = { 0 };
    uint32_t kinds = 0;
    enum err err = flags_kept(v->views, v->meter->id, &kept);

    *out = false;
    for (size_t i = 0; i < kept.count; i++)
        *out |= !kept.at[i].withdrawn && is_slow_in_house(&kept.at[i].verdict);
    for (size_t i = 0; i < SOURCE_KINDS && judge_source_monthly.kinds[i]; i++) {
        int rule = detect_rule_named(span_text(judge_source_monthly.kinds[i]->flag));

        kinds |= rule < 0 ? 0 : 1u << rule;
    }
    for (size_t i = 0; v->book && i < v->book->count; i++)
        *out |= (v->book->at[i].rules.off & kinds) != 0;
    flag_records_done(&kept);
    return err;
}

static enum err monthly_episodes(const struct judge_view *v, struct flag_records *out)
{
    struct monthly *room = (struct monthly *)malloc(sizeof *room);
    struct months m = { .view = v, .out = out };
    struct rows rows = { 0 };
    enum err err = room ? ERR_OK : ERR_NO_MEMORY;
    bool anew = !v->since_s;

    if (!err && !anew)
        err = may_lack(v, &anew);
    if (!err && !anew) { /* the last fitting has gone on */
        m.fitting = &v->fittings[v->count - 1];
        monthly_begin(room);
        if (!(err = go_on(&m, room)))
            err = look(&m, room, &rows, v->since_s);
    }
    for (size_t i = 0; i < v->count && !err && anew; i++) {
        m.fitting = &v->fittings[i];
        monthly_begin(room);
        err = look(&m, room, &rows, m.fitting->from_s);
        for (size_t n = 0; n < out->count && m.fitting->to_s != FITTING_OPEN; n++)
            if (out->at[n].fitting_from_s == m.fitting->from_s)
                flag_record_end(&out->at[n], m.fitting->to_s);
    }
    rows_done(&rows);
    free(room);
    return err;
}

static bool by_its_own_days(const struct flag_record *r)
{
    return !is_slow_in_house(&r->verdict);
}

const struct judge_source judge_source_monthly = {
    .kinds = { &detector_slow, &detector_fast, &detector_oversize, &detector_undersize },
    .own = by_its_own_days,
    .news = NEWS_MONTH,
    .episodes = monthly_episodes,
};
