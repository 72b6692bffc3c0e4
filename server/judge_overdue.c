/* The flag `overdue` (rules-fleet V14): for each fitting of a meter, from the midnight that ends its legal
 * due date, or from the fitting's beginning if that is later, until the meter is taken off. What is stamped ahead
 * of the clock counts when its time has come: the settler looks again then (lives_moved). */
#include "server/judge_priv.h"
#include "server/lives.h"

/* The midnight that ends a civil day. */
static int64_t day_end(const struct zone *z, int32_t day)
{
    /* Noon by the zone's offset at that day's noon in UTC lies within the day, whatever the clocks did at night. */
    int64_t noon_s = (int64_t)day * 86400 + 43200;

    return zone_day_next(z, noon_s - zone_offset(z, noon_s));
}

/* On the day on which a meter is taken off it can be verified anew only after that. */
static int32_t day_judged(const struct zone *z, const struct fitting *f, int64_t now_s)
{
    int32_t first = (int32_t)zone_day_number(z, f->from_s), last;

    if (f->to_s > now_s)
        return (int32_t)zone_day_number(z, now_s);
    last = (int32_t)zone_day_number(z, f->to_s) - 1;
    return last > first ? last : first;
}

/* False: it was, or is, in date all the time, or nobody knows. A fitting that is over is judged by what was verified until its end. */
static bool episode_of(const struct meter_life *l, const struct zone *z, const struct fitting *f,
                       int64_t now_s, struct flag_record *out)
{
    bool ended = f->to_s <= now_s;
    int64_t until_s = ended ? f->to_s : now_s, end_s, onset_s;
    struct legal legal;

    life_legal(&l->rules, l->events, l->count, day_judged(z, f, now_s), INT64_MAX, &legal);
    if (legal.due == NO_DAY)
        return false;
    end_s = day_end(z, legal.due);
    onset_s = end_s > f->from_s ? end_s : f->from_s;
    if (ended ? onset_s >= until_s : onset_s > until_s)
        return false;
    *out = (struct flag_record){ .kind = &detector_overdue,
                                 .meter = l->meter,
                                 .point = f->point,
                                 .fitting_from_s = f->from_s,
                                 .ended = ended };
    out->verdict = (struct verdict){ .open = !ended,
                                     .onset_s = onset_s,
                                     .raised_s = onset_s,
                                     .cleared_s = ended ? f->to_s : 0,
                                     .severity = SEVERITY_MEDIUM,
                                     .confidence_pct = 100 };
    verdict_time(&out->verdict, "legal_end", end_s);
    verdict_number(&out->verdict, "rule_years", (int64_t)legal.rule_years * 1000);
    return true;
}

static enum err overdue_episodes(const struct judge_view *v, struct flag_records *out)
{
    struct meter_life life = { 0 };
    enum err err = life_load(v->app, v->ledger, v->meter->id, &life);

    for (size_t i = 0; i < v->count && !err; i++) {
        const struct fitting *f = &v->fittings[i];
        struct flag_record e;

        if (f->from_s <= v->now_s && episode_of(&life, &v->app->zone, f, v->now_s, &e))
            err = flag_records_push(out, &e);
    }
    life_done(&life);
    return err;
}

/* Readings alone move nothing here. */
const struct judge_source judge_source_overdue = {
    .kinds = { &detector_overdue },
    .news = NEWS_DATE,
    .episodes = overdue_episodes,
};

/* The record of the same id and onset. */
static bool dated_alike(const struct flag_records *list, const struct flag_record *f)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i].verdict.onset_s == f->verdict.onset_s && strcmp(list->at[i].id, f->id) == 0)
            return true;
    return false;
}

static void facts_put(struct wr *w, const struct flag_record *f)
{
    wr_u8(w, (uint8_t)(f->withdrawn ? FLAG_WITHDRAWN : f->ended ? FLAG_CLEARED : FLAG_OPEN));
    wr_le64(w, (uint64_t)f->told_s);
}

bool overdue_told(struct span facts, enum flag_state *out_state, int64_t *out_told_s)
{
    struct rd r = rd_of(facts);

    *out_state = (enum flag_state)rd_u8(&r);
    *out_told_s = (int64_t)rd_le64(&r);
    return !r.err;
}

void overdue_list(struct txn *views, struct span serial, const struct flag_records *kept,
                  const struct flag_records *wanted)
{
    for (size_t i = 0; i < kept->count; i++) {
        const struct flag_record *f = &kept->at[i];

        if (f->kind == &detector_overdue && !dated_alike(wanted, f))
            views_del_dated(views, f->verdict.onset_s, serial, span_text(f->id));
    }
    for (size_t i = 0; i < wanted->count; i++) {
        const struct flag_record *f = &wanted->at[i];
        uint8_t bytes[16];
        struct wr facts = wr_of(bytes, sizeof bytes);

        facts_put(&facts, f);
        if (f->kind == &detector_overdue)
            views_put_dated(views, f->verdict.onset_s, serial, span_text(f->id), wr_span(&facts));
    }
}
