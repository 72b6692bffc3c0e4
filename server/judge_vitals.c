/* The flags `clock`, `battery` and `tamper`: what a meter said of itself over time (proto/past.h), as episodes of the judge. */
#include "server/detect/said.h"
#include "server/judge_priv.h"
#include "server/readings.h"

#define DAY_S 86400
#define USE_S (SAID_USE_DAYS * DAY_S)

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

/* False in *out: nothing is known of it. */
static enum err use_between(const struct judge_view *v, int64_t from_s, int64_t to_s, bool *out,
                            int64_t *out_mlpd)
{
    struct rows rows = { 0 };
    enum err err = readings_load_by(v->app, v->reader, v->meter, meter_billed_channel(v->meter),
                                    from_s, to_s, &rows);

    *out = !err && use_of(v->meter, &rows, from_s, to_s, out_mlpd);
    rows_done(&rows);
    return err;
}

/* At most four weeks before, and the last four of the span, however long it lasts. */
static enum err look_at_use(const struct judge_view *v, struct said *s)
{
    int64_t from_s = s->span->from_s, to_s = s->span->seen_s, start_s = from_s - USE_S;
    int64_t during_s;
    enum err err;

    if (start_s < s->from_s)
        start_s = s->from_s;
    if (to_s > s->to_s)
        to_s = s->to_s;
    during_s = to_s - USE_S > from_s ? to_s - USE_S : from_s;
    if (start_s >= from_s || during_s >= to_s)
        return ERR_OK;
    if ((err = use_between(v, start_s, from_s, &s->use_known, &s->before_mlpd)) || !s->use_known)
        return err;
    return use_between(v, during_s, to_s, &s->use_known, &s->during_mlpd);
}

/* Nobody goes to a meter whose account is suspended: what would be told meanwhile is told when it is over, if reports still say so, and what stood has ended with it for as long. False: it is
 * not told. */
static bool told_in_use(const struct pauses *pauses, const struct past_span *span,
                        struct verdict *v)
{
    for (size_t i = 0; pauses && i < pauses->count; i++) {
        const struct pause *p = &pauses->at[i];

        if (p->why != PAUSE_SUSPENDED)
            continue;
        if (v->raised_s >= p->from_s && v->raised_s < p->to_s) {
            if (span->seen_s < p->to_s)
                return false;
            v->raised_s = p->to_s;
        } else if (v->open && v->raised_s < p->from_s && p->to_s == INT64_MAX) {
            v->open = false;
            v->cleared_s = p->from_s;
        }
    }
    return true;
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

        s.rules = rules_on(v->book, (int32_t)zone_day_number(&v->app->zone, span->raised_s));
        if (!said_times(&s, k, &r.verdict) || (k == PAST_TAMPER && (err = look_at_use(v, &s))) ||
            !said_judge(k, &s, &r.verdict) || !told_in_use(v->pauses, span, &r.verdict))
            continue;
        r.ended = !r.verdict.open;
        err = flag_records_push(out, &r);
    }
    return err;
}

static enum err vitals_episodes(const struct judge_view *v, struct flag_records *out)
{
    struct past past = { .full_mv = 0 };
    enum err err = archive_reader_past(v->reader, v->meter->id, &past);

    for (enum past_kind k = PAST_TAMPER; k < PAST_KINDS && !err; k++)
        for (unsigned i = 0; i < past.count[k] && !err; i++)
            err = look_at_span(v, k, &past, &past.spans[k][i], out);
    return err;
}

/* Of readings alone that are later than all before: they move what a span says of use only where they lie before its newest report. */
static bool is_moved_by_readings(const struct judge_view *v, const struct past *past)
{
    for (unsigned i = 0; i < past->count[PAST_TAMPER]; i++)
        if (past->spans[PAST_TAMPER][i].seen_s >= v->since_s)
            return true;
    return false;
}

/* Spans that were told are never forgotten: where there is none, there is no flag. */
static bool vitals_idle(const struct judge_view *v)
{
    struct past past = { .full_mv = 0 };

    if (archive_reader_past(v->reader, v->meter->id, &past))
        return false;
    if (past.count[PAST_TAMPER] + past.count[PAST_CLOCK] + past.count[PAST_BATTERY] == 0)
        return true;
    return v->since_s && v->news == NEWS_READINGS && !is_moved_by_readings(v, &past);
}

/* Readings tell what was used while somebody tampered. */
const struct judge_source judge_source_vitals = {
    .kinds = { &detector_clock, &detector_battery, &detector_tamper },
    .news = NEWS_PAST | NEWS_READINGS,
    .idle = vitals_idle,
    .episodes = vitals_episodes,
};
