/* The flags `clock`, `battery` and `tamper`: what a meter said of itself over time (proto/past.h), as episodes of the judge. */
#include "server/detect/said.h"
#include "server/judge_priv.h"
#include "server/readings.h"

#define DAY_S 86400
#define BEFORE_S (28 * DAY_S)

/* Between the first and the last remote reading of [from_s, to_s): false where they are less than a day apart, or the register began anew. */
static bool use_of(const struct meter_facts *m, const struct rows *rows, int64_t from_s,
                   int64_t to_s, int64_t *out_mlpd)
{
    const struct row *first = NULL, *last = NULL;
    int64_t used;

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->at[i];

        if (row->time_s < from_s || row->time_s >= to_s || row->attr & ATTR_FUTURE ||
            (row->attr & ATTR_SOURCE) != SOURCE_REMOTE)
            continue;
        if (!first)
            first = row;
        last = row;
    }
    if (!first || last->time_s - first->time_s < DAY_S ||
        __builtin_sub_overflow(last->value, first->value, &used) || used < 0 ||
        used > m->modulus_ml)
        return false;
    *out_mlpd = (int64_t)((__int128)used * DAY_S / (last->time_s - first->time_s));
    return true;
}

static enum err look_at_use(const struct judge_view *v, struct said *s)
{
    int64_t from_s = s->span->from_s, to_s = s->span->seen_s, start_s = from_s - BEFORE_S;
    struct rows rows = { 0 };
    enum err err;

    if (start_s < s->from_s)
        start_s = s->from_s;
    if (to_s > s->to_s)
        to_s = s->to_s;
    err = readings_load(v->app, v->meter, meter_billed_channel(v->meter), start_s, to_s, &rows);
    s->use_known = !err && use_of(v->meter, &rows, start_s, from_s, &s->before_mlpd) &&
                   use_of(v->meter, &rows, from_s, to_s, &s->during_mlpd);
    rows_done(&rows);
    return err;
}

static enum err look_at_span(const struct judge_view *v, enum past_kind k, const struct past *past,
                             const struct past_span *span, struct flag_records *out)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < v->count && !err; i++) {
        const struct fitting *f = &v->fittings[i];
        struct said s = { .span = span, .past = past, .from_s = f->from_s, .to_s = f->to_s };
        struct flag_record r = { .kind = said_detector(k),
                                 .meter = v->meter->id,
                                 .point = f->point,
                                 .fitting_from_s = f->from_s };

        if (!said_times(&s, &r.verdict) || (k == PAST_TAMPER && (err = look_at_use(v, &s))) ||
            !said_judge(k, &s, &r.verdict))
            continue;
        r.ended = !r.verdict.open;
        err = flag_records_push(out, &r);
    }
    return err;
}

static enum err vitals_episodes(const struct judge_view *v, struct flag_records *out)
{
    struct past past = { .full_mv = 0 };
    enum err err = archive_past(v->app->archive, v->meter->id, &past);

    for (enum past_kind k = PAST_TAMPER; k < PAST_KINDS && !err; k++)
        for (unsigned i = 0; i < past.count[k] && !err; i++)
            err = look_at_span(v, k, &past, &past.spans[k][i], out);
    return err;
}

/* Spans that were told are never forgotten: where there is none, there is no flag. */
static bool vitals_idle(const struct judge_view *v)
{
    struct past past = { .full_mv = 0 };

    if (archive_past(v->app->archive, v->meter->id, &past))
        return false;
    return past.count[PAST_TAMPER] + past.count[PAST_CLOCK] + past.count[PAST_BATTERY] == 0;
}

/* Readings tell what was used while somebody tampered. */
const struct judge_source judge_source_vitals = {
    .kinds = { &detector_clock, &detector_battery, &detector_tamper },
    .news = NEWS_PAST | NEWS_READINGS,
    .idle = vitals_idle,
    .episodes = vitals_episodes,
};
