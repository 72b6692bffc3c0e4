/* The flag `silent`: from what the archive keeps of arrivals, and the clock. Each pause that was too long is looked at within each fitting, without the time for which the meter was suspended. */
#include "server/detect/silent.h"
#include "server/judge_priv.h"
#include "server/lives.h"
#include "server/outages.h"
#include "server/readings.h"

#include <stdlib.h>

struct silences {
    const struct judge_view *view;
    const struct outages *outages;
    struct meter_life life;
    struct flag_records births; /* of the meter; loaded when asked for */
    bool born;
    bool large;
    struct flag_records *out;
};

static enum err note(struct silence_notes *list, int64_t counts_from_s, int64_t again_s)
{
    size_t cap = list->cap ? 2 * list->cap : 64;
    struct silence_note *more;

    if (list->count == list->cap) {
        if (!(more = (struct silence_note *)realloc(list->at, cap * sizeof *more)))
            return ERR_NO_MEMORY;
        list->at = more;
        list->cap = cap;
    }
    list->at[list->count++] = (struct silence_note){ counts_from_s, again_s };
    return ERR_OK;
}

/* Whether somebody was told of it while it lasted. */
static enum err was_told(struct silences *s, int64_t onset_s, bool *out)
{
    enum err err = ERR_OK;

    if (!s->born)
        err = flags_born(s->view->ledger, s->view->meter->id, &s->births);
    s->born = !err;
    *out = false;
    for (size_t i = 0; i < s->births.count && !err; i++)
        *out |=
            s->births.at[i].kind == &detector_silent && s->births.at[i].verdict.onset_s == onset_s;
    return err;
}

/* While its cell is out it has no flag of its own but the one that was told before; nor afterwards, if it came back with the others. */
static enum err within_outage(struct silences *s, struct silence *x, bool *out_hidden)
{
    struct silence_limits limits;
    const struct outage *o;
    bool told;
    enum err err;

    silence_limits(x->period_s, x->longest_s, x->rules, &limits);
    *out_hidden = false;
    if (!(o = outage_of(s->outages, x->cell, x->from_s, x->from_s + limits.level_s[0])))
        return ERR_OK;
    if ((err = was_told(s, x->from_s, &told)))
        return err;
    if (!o->cleared_s || (x->ended && x->until_s <= o->cleared_s + limits.late_s))
        x->outage_s = o->onset_s;
    else
        x->not_before_s = o->cleared_s;
    *out_hidden = !told && (!o->cleared_s || x->ended);
    return ERR_OK;
}

static enum err look(struct silences *s, const struct fitting *f, struct silence *x)
{
    struct flag_record r = { .kind = &detector_silent,
                             .meter = s->view->meter->id,
                             .point = f->point,
                             .fitting_from_s = f->from_s };
    int64_t next_s;
    bool hidden;
    enum err err;

    x->rules =
        rules_on(s->view->book, (int32_t)zone_day_number(&s->view->app->zone, silence_ruled_s(x)));
    if (s->view->silences && !x->ended && x->from_s > x->heard_s &&
        (err = note(s->view->silences, x->from_s, 0)))
        return err;
    if (s->view->silences && x->rules != &detect_rules_standing && (next_s = silence_next_s(x)) &&
        (err = note(s->view->silences, 0, next_s)))
        return err;
    if (x->until_s <= x->from_s || !silence_judge(x, &r.verdict))
        return ERR_OK;
    if ((err = within_outage(s, x, &hidden)) || hidden || !silence_judge(x, &r.verdict))
        return err;
    r.ended = x->ended;
    return flag_records_push(s->out, &r);
}

/* The parts of a pause in which the meter was in use: `x` is the pause, cut to the fitting. */
static enum err look_in_use(struct silences *s, const struct fitting *f, const struct silence *x)
{
    struct silence part = *x;
    bool suspended = false;
    enum err err = ERR_OK;

    for (size_t i = 0; i < s->life.count && !err; i++) {
        const struct life_event *e = &s->life.events[i];

        if (e->at_s >= x->until_s)
            break;
        if (e->kind == EVENT_SUSPEND && !suspended) {
            part.until_s = e->at_s;
            part.ended = true;
            err = look(s, f, &part);
            suspended = true;
        } else if ((e->kind == EVENT_RESUME || e->kind == EVENT_INSTALL) && suspended) {
            part = *x;
            if (part.from_s < e->at_s)
                part.from_s = e->at_s;
            suspended = false;
        }
    }
    return err || suspended ? err : look(s, f, &part);
}

static enum err look_at_pause(void *arg, const struct hush *p)
{
    struct silences *s = (struct silences *)arg;
    enum err err = ERR_OK;

    for (size_t i = 0; i < s->view->count && !err; i++) {
        const struct fitting *f = &s->view->fittings[i];
        bool ends = f->to_s != FITTING_OPEN && f->to_s <= s->view->now_s;
        struct silence x = { .heard_s = p->from_s,
                             .from_s = p->from_s > f->from_s ? p->from_s : f->from_s,
                             .until_s = p->to_s ? p->to_s : s->view->now_s,
                             .ended = p->to_s != 0,
                             .period_s = p->period_s,
                             .longest_s = p->longest_s,
                             .cell = p->cell,
                             .large = s->large };

        if (ends && f->to_s <= x.until_s) {
            x.until_s = f->to_s;
            x.ended = true;
        }
        if (x.from_s < x.until_s)
            err = look_in_use(s, f, &x);
    }
    return err;
}

/* A meter of a large pipe, or no household's. */
static enum err size_of(struct silences *s)
{
    const struct judge_view *v = s->view;
    struct point_facts point;
    enum err err = point_facts_by_id(v->ledger, v->fittings[v->count - 1].point, &point);

    if (!err)
        s->large =
            v->meter->dn_mm >= 40 || (point.use != USE_RESIDENTIAL && point.use != USE_UNKNOWN);
    return err;
}

static enum err silent_episodes(const struct judge_view *v, struct flag_records *out)
{
    struct silences s = { .view = v, .out = out, .outages = v->outages };
    struct vitals vitals = { 0 };
    struct hush open;
    enum err err;

    if (!v->count)
        return ERR_OK;
    if ((err = archive_vitals(v->app->archive, v->meter->id, &vitals)) || !vitals.position)
        return err;
    open = (struct hush){ .from_s = vitals.arrival_s,
                          .period_s = vitals_period_s(&vitals),
                          .longest_s = vitals_longest_s(&vitals),
                          .cell = vitals.cell };
    if (!(err = size_of(&s)) && !(err = life_load(v->app, v->ledger, v->meter->id, &s.life)) &&
        !(err = archive_hushes(v->app->archive, v->meter->id, look_at_pause, &s)))
        err = look_at_pause(&s, &open);
    life_done(&s.life);
    flag_records_done(&s.births);
    return err;
}

/* A report alone moves nothing here: it is looked at where a silence has become another (server/hearing.h), or one is over (settle_pass.c). */
const struct judge_source judge_source_silent = {
    .kinds = { &detector_silent },
    .news = NEWS_SILENCE,
    .episodes = silent_episodes,
};
