/* Judging one meter: facts and fittings from the ledger, state from views, readings from archive and tail,
 * then detectors, then the sources that look at what is stored, then ids of flags. */
#include "server/judge_desk.h"

#include "proto/base/crc.h"
#include "proto/base/wr.h"
#include "server/billing/daysheet.h"
#include "server/detect/monthly.h"
#include "server/detect/profile.h"
#include "server/drought.h"
#include "server/fleet/wear.h"
#include "server/lulls.h"
#include "server/metrics.h"
#include "server/readings.h"
#include "server/replacements.h"

#include <stdlib.h>

enum {
    BEGUN = 1,
    PAUSED = 2
}; /* of `begun`. PAUSED: there are pauses, which each pass must know */

/* ---- readings of one fitting ---- */

/* The fitting's own index at its ends goes before any reading (B6, B7). */
static bool gives_way(const struct fitting *f, bool billed, const struct row *row)
{
    return billed && ((row->time_s == f->from_s && row->value != f->start_ml) ||
                      (row->time_s == f->to_s && f->has_end && row->value != f->end_ml));
}

/* Leaves one row an instant, of those that may take part. */
static void resolve(struct rows *rows, const struct fitting *f, bool billed)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->at[i];

        if ((row->attr & ATTR_FUTURE) || gives_way(f, billed, row))
            continue;
        if (kept && rows->at[kept - 1].time_s == row->time_s) {
            if (source_rank(row->attr) > source_rank(rows->at[kept - 1].attr))
                rows->at[kept - 1] = *row;
            continue;
        }
        rows->at[kept++] = *row;
    }
    rows->count = kept;
}

/* Dial reads, or an end index that is one: further from the transmitter's last value than anything flows unseen. */
static void look_for_dials(struct desk *d, const struct fitting *f)
{
    const struct rows *rows = &d->billed;
    size_t last = rows->count;

    d->dials = false;
    for (size_t i = 0; i < rows->count; i++) {
        if ((rows->at[i].attr & ATTR_SOURCE) != SOURCE_REMOTE)
            d->dials = true;
        else
            last = i;
    }
    if (f->to_s != FITTING_OPEN && f->has_end && last < rows->count) {
        int64_t apart = dial_difference(&d->meter, rows->at[last].value, f->end_ml);

        d->dials |= apart > SHEET_TOLERANCE_ML || apart < -SHEET_TOLERANCE_ML;
    }
}

static int64_t fitting_end(const struct fitting *f)
{
    return f->to_s < UINT32_MAX ? f->to_s + 1 : (int64_t)UINT32_MAX + 1;
}

enum err judge_rows(const struct judge_view *v, const struct fitting *f, int64_t from_s,
                    struct rows *out)
{
    enum err err = readings_load_by(v->app, v->reader, v->meter, meter_billed_channel(v->meter),
                                    from_s > 0 ? from_s : 0, fitting_end(f), out);

    if (!err)
        resolve(out, f, true);
    return err;
}

static enum err load(struct desk *d, const struct fitting *f, int64_t from_s)
{
    int64_t to_s = fitting_end(f);
    enum err err;

    d->reverse.count = 0;
    if (from_s < f->from_s)
        from_s = f->from_s;
    if (from_s < 0)
        from_s = 0;
    if ((err = readings_load_by(d->app, d->reader, &d->meter, meter_billed_channel(&d->meter),
                                from_s, to_s, &d->billed)))
        return err;
    if (d->meter.form != REGISTER_NET &&
        (err = readings_load_by(d->app, d->reader, &d->meter, CHANNEL_REVERSE, from_s, to_s,
                                &d->reverse)))
        return err;
    look_for_dials(d, f);
    resolve(&d->billed, f, true);
    resolve(&d->reverse, f, false);
    return ERR_OK;
}

/* ---- episodes ---- */

static struct flag_record *open_episode(struct desk *d, const struct detector *kind)
{
    for (size_t i = d->episodes.count; i-- > 0;) {
        struct flag_record *e = &d->episodes.at[i];

        if (e->kind == kind && !e->ended && e->fitting_from_s == d->place.fitting->from_s)
            return e;
    }
    return NULL;
}

/* Episodes as views hold them, where a fold goes on from a state. */
static void recall(struct desk *d)
{
    size_t kept = 0;

    if (d->said)
        return;
    d->said = true;
    d->episodes.count = 0;
    d->err = flags_kept(&d->views, d->meter.id, &d->episodes);
    for (size_t i = 0; i < d->episodes.count; i++)
        if (!d->episodes.at[i].withdrawn)
            d->episodes.at[kept++] = d->episodes.at[i];
    d->episodes.count = kept;
}

static void say(void *arg, const struct detector *kind, const struct verdict *v)
{
    struct desk *d = (struct desk *)arg;
    struct flag_record fresh = { .kind = kind,
                                 .meter = d->meter.id,
                                 .point = d->point.id,
                                 .fitting_from_s = d->place.fitting->from_s };
    struct flag_record *e;

    recall(d);
    if (d->err)
        return;
    if (!(e = open_episode(d, kind))) {
        if (!v->open)
            return;
        if ((d->err = flag_records_push(&d->episodes, &fresh)))
            return;
        e = &d->episodes.at[d->episodes.count - 1];
    }
    verdict_take(&e->verdict, v);
    e->ended = !v->open;
}

/* The meter was taken off: what was open has ended with the fitting. */
static void end_episodes(struct desk *d, int64_t to_s)
{
    for (size_t i = 0; i < d->episodes.count; i++)
        if (d->episodes.at[i].fitting_from_s == d->place.fitting->from_s)
            flag_record_end(&d->episodes.at[i], to_s);
}

/* ---- folding ---- */

static void feed(struct desk *d, struct meter_state *state)
{
    const struct row *b = d->billed.at, *b_end = b + d->billed.count;
    const struct row *r = d->reverse.at, *r_end = r + d->reverse.count;
    enum channel billed = meter_billed_channel(&d->meter);

    while ((b < b_end || r < r_end) && !d->err) {
        bool first = r == r_end || (b < b_end && b->time_s <= r->time_s);
        struct judge_reading reading = { .channel = first ? billed : CHANNEL_REVERSE,
                                         .row = first ? *b++ : *r++ };

        detect_feed(&state->detect, &d->place, &reading, say, d);
        state->last_s = reading.row.time_s;
    }
}

/* What the meters before this fitting measured at its point in all, by their ends, a day; 0: nobody knows. */
static enum err used_before(struct desk *d, const struct fitting *f, int64_t *out_mlpd)
{
    struct fittings at = { .at = at.few };
    int64_t used_ml = 0, seconds = 0;
    enum err err = fittings_load(&d->ledger, true, f->point, &at);

    for (size_t i = 0; i < at.count && !err; i++) {
        const struct fitting *b = &at.at[i];

        if (b->to_s > f->from_s || !b->has_end || b->end_ml < b->start_ml || b->to_s <= b->from_s)
            continue;
        used_ml += (b->end_ml - b->start_ml) / 1000;
        seconds += b->to_s - b->from_s;
    }
    fittings_done(&at);
    *out_mlpd =
        seconds >= 30 * 86400 ? (int64_t)((double)used_ml * 1000 / (double)seconds * 86400) : 0;
    return err;
}

static enum err fold_fitting(struct desk *d, const struct fitting *f, int64_t from_s,
                             struct meter_state *state)
{
    enum err err = point_facts_by_id(&d->ledger, f->point, &d->point);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    if ((err = flag_rules_of(d->rules, &d->ledger, d->meter.id, d->point.use, d->meter.dn_mm,
                             &d->book)))
        return err;
    d->before_mlpd = 0;
    if (!detect_has_moved(&state->detect) && (err = used_before(d, f, &d->before_mlpd)))
        return err;
    d->place =
        (struct judge_place){ .meter = &d->meter,
                              .point = &d->point,
                              .fitting = f,
                              .zone = &d->app->zone,
                              .holidays = &d->app->holidays,
                              .pauses = d->pauses.count ? &d->pauses : NULL,
                              .lulls = d->point.use < LULL_CLASSES ? &d->lulls[d->point.use] : NULL,
                              .today = &d->today,
                              .used_before_mlpd = d->before_mlpd,
                              .book = d->book };
    if ((err = load(d, f, from_s)))
        return err;
    feed(d, state);
    metrics_add(METRIC_JUDGE_READINGS, d->billed.count + d->reverse.count);
    if (d->billed.count + d->reverse.count)
        d->news |= NEWS_READINGS;
    if (d->dials || state->dial_s)
        d->news |= NEWS_DIALS;
    return d->err;
}

/* All fittings from their first reading on; the state that stays is the last one's. */
static enum err fold_all(struct desk *d, struct meter_state *state, uint32_t hash)
{
    uint32_t begun = BEGUN | (d->pauses.count ? PAUSED : 0);
    enum err err = ERR_OK;

    d->said = true; /* whatever views hold is made anew */
    d->news |= NEWS_REGISTER;
    d->episodes.count = 0;
    *state = (struct meter_state){ .facts_hash = hash };
    for (size_t i = 0; i < d->fittings.count && !err; i++) {
        const struct fitting *f = &d->fittings.at[i];

        *state =
            (struct meter_state){ .facts_hash = hash, .fitting_from_s = f->from_s, .begun = begun };
        err = fold_fitting(d, f, 0, state);
        if (!err && f->to_s != FITTING_OPEN)
            end_episodes(d, f->to_s);
    }
    return err;
}

/* ---- what the judgement rests on ---- */

static uint32_t fitting_hash(uint32_t hash, const struct fitting *f)
{
    uint8_t bytes[48];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le32(&w, f->point);
    wr_le64(&w, (uint64_t)f->from_s);
    wr_le64(&w, (uint64_t)f->to_s);
    wr_le64(&w, (uint64_t)f->start_ml);
    wr_u8(&w, f->has_end);
    wr_le64(&w, (uint64_t)(f->has_end ? f->end_ml : 0));
    return crc32c(hash, bytes, wr_len(&w));
}

static uint32_t pause_hash(uint32_t hash, const struct pause *p)
{
    uint8_t bytes[20];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le64(&w, (uint64_t)p->from_s);
    wr_le64(&w, (uint64_t)p->to_s);
    wr_u8(&w, (uint8_t)p->why);
    return crc32c(hash, bytes, wr_len(&w));
}

static uint32_t facts_hash(const struct desk *d)
{
    uint8_t bytes[160];
    struct wr w = wr_of(bytes, sizeof bytes);
    const struct meter_facts *m = &d->meter;
    uint32_t hash;

    wr_le32(&w, d->holidays_hash);
    wr_counted(&w, span_text(d->app->zone.name));
    wr_zigzag(&w, m->dn_mm);
    wr_zigzag(&w, m->q3_lph);
    wr_zigzag(&w, m->resolution_ml);
    wr_zigzag(&w, m->modulus_ml);
    wr_u8(&w, (uint8_t)m->form);
    wr_u8(&w, (uint8_t)d->point.use);
    hash = crc32c(0, bytes, wr_len(&w));
    for (size_t i = 0; i < d->fittings.count; i++)
        hash = fitting_hash(hash, &d->fittings.at[i]);
    for (size_t i = 0; i < d->pauses.count; i++)
        hash = pause_hash(hash, &d->pauses.at[i]);
    return hash;
}

uint32_t holidays_hash(const struct holidays *h)
{
    return crc32c(0, h->spans, h->count * sizeof h->spans[0]);
}

/* What was judged until `until_s` rests on these figures. */
static uint32_t book_hash(const struct desk *d, uint32_t until_s)
{
    return d->book ? rule_book_hash(d->book, (int32_t)zone_day_number(&d->app->zone, until_s)) : 0;
}

/* While its register has not turned it is judged by what was used before it, too. Afterwards nothing asks for that; but whoever changes an earlier fitting has those behind it judged anew
 * (settler_touch_behind). */
static uint32_t before_hash(const struct desk *d, const struct meter_state *state)
{
    return d->before_mlpd && !detect_has_moved(&state->detect)
               ? crc32c(0, &d->before_mlpd, sizeof d->before_mlpd)
               : 0;
}

static enum err look_before(struct desk *d, const struct meter_state *state)
{
    d->before_mlpd = 0;
    return d->fittings.count && !detect_has_moved(&state->detect)
               ? used_before(d, &d->fittings.at[d->fittings.count - 1], &d->before_mlpd)
               : ERR_OK;
}

/* Facts and fittings of the meter; the point of its last fitting, and the figures there. */
static enum err look_up(struct desk *d, uint32_t meter)
{
    enum err err = meter_facts_by_id(&d->ledger, meter, &d->meter);

    d->point = (struct point_facts){ 0 };
    fittings_done(&d->fittings);
    if (err || (err = fittings_load(&d->ledger, false, meter, &d->fittings)))
        return err;
    if (d->fittings.count)
        err = point_facts_by_id(&d->ledger, d->fittings.at[d->fittings.count - 1].point, &d->point);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    return flag_rules_of(d->rules, &d->ledger, meter, d->point.use, d->meter.dn_mm, &d->book);
}

/* Whoever changes what pauses follow from touches the meter (first_s 0): one that had none has none. */
static enum err look_for_pauses(struct desk *d)
{
    const struct fitting *last = d->fittings.count ? &d->fittings.at[d->fittings.count - 1] : NULL;

    enum err err = judge_pauses(d->app, d->reader, &d->ledger, &d->meter, last, &d->pauses);

    if (!err && last && d->outages.count)
        outages_dry(&d->outages, drought_zone(&d->ledger, last->point), &d->pauses);
    return err ? err : d->ledger.err;
}

/* Of a zone that is, or was, without water: that counts for meters, too, that nobody touched when it was seen, for they were not read then. */
static bool was_dry(struct desk *d)
{
    const struct outages *o = &d->outages;
    bool some = o->count && o->at[o->count - 1].zone; /* those of zones come last */

    return some && d->fittings.count &&
           outages_ever_dry(o,
                            drought_zone(&d->ledger, d->fittings.at[d->fittings.count - 1].point));
}

/* When its register moved last, for whoever looks at zones. */
static enum err note_flow(struct desk *d, const struct meter_state *state, struct finding *f)
{
    const struct fitting *last = d->fittings.count ? &d->fittings.at[d->fittings.count - 1] : NULL;
    const struct profile *p = (const struct profile *)(const void *)state->detect.detectors;
    bool lives = last && last->to_s == FITTING_OPEN && profile_has_use(p);

    f->flows = true;
    f->zone = lives ? drought_zone(&d->ledger, last->point) : 0;
    f->use = d->point.use;
    f->moved_s = lives ? p->moved_s : 0;
    f->read_s = state->last_s;
    return d->ledger.err;
}

/* Whether only what came after the state must be read. */
static bool goes_on(const struct desk *d, const struct meter_state *state, uint32_t first_s,
                    uint32_t hash)
{
    const struct fitting *last;

    if (first_s == 0 || !state->begun || d->fittings.count == 0)
        return false;
    last = &d->fittings.at[d->fittings.count - 1];
    return state->facts_hash == (hash ^ book_hash(d, state->last_s)) &&
           state->fitting_from_s == last->from_s && last->to_s == FITTING_OPEN &&
           first_s > state->last_s;
}

/* ---- flags of one meter ---- */

/* What is raised on a day on which its rule is off is not told. */
static void leave_out(struct desk *d)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->episodes.count; i++) {
        const struct flag_record *e = &d->episodes.at[i];
        int rule = detect_rule_named(span_text(e->kind->flag));
        int32_t day = (int32_t)zone_day_number(&d->app->zone, e->verdict.raised_s);

        if (rule < 0 || !(rules_on(d->book, day)->off & 1u << rule))
            d->episodes.at[kept++] = *e;
    }
    d->episodes.count = kept;
}

/* Of all that sources found, what is told. */
static void choose(struct desk *d)
{
    house_goes_before(&d->episodes);
    if (d->book)
        leave_out(d);
}

static enum err append(struct flag_records *list, const struct flag_records *more,
                       struct lot *out_part)
{
    *out_part = (struct lot){ .from = list->count, .count = more->count };
    return flag_records_append(list, more);
}

/* Gives the episodes their ids: so they are to stand in views. */
static enum err name_flags(struct desk *d, struct findings *out, struct finding *f)
{
    struct flag_records old = { 0 };
    enum err err;

    d->births.count = 0;
    choose(d);
    if ((err = flags_born(&d->ledger, d->meter.id, &d->births)) ||
        (err = flags_match(&d->episodes, &d->births, d->now_s, &out->fresh)))
        return err;
    err = flags_kept(&d->views, d->meter.id, &old);
    if (!err && d->app->flag_listeners)
        err = flags_turned(&d->ledger, &old, &d->births, &d->episodes, &out->turned);
    if (!err && !(err = append(&out->old, &old, &f->old)))
        err = append(&out->now, &d->episodes, &f->now);
    flag_records_done(&old);
    f->told = true;
    memcpy(f->serial, d->meter.serial, sizeof f->serial);
    return err;
}

static enum err fold(struct desk *d, struct meter_state *state, uint32_t first_s,
                     struct findings *out, struct finding *f)
{
    uint32_t hash = facts_hash(d), before_s = 0;
    enum err err = look_before(d, state);

    d->said = false;
    d->billed.count = 0;
    if (err)
        return err;
    if (!goes_on(d, state, first_s, hash ^ before_hash(d, state))) {
        metrics_add(METRIC_JUDGE_RESTARTS, state->begun != 0);
        err = fold_all(d, state, hash);
    } else {
        before_s = state->last_s;
        err = fold_fitting(d, &d->fittings.at[d->fittings.count - 1], (int64_t)before_s + 1, state);
    }
    state->facts_hash = hash ^ book_hash(d, state->last_s) ^ before_hash(d, state);
    d->since_s = before_s;
    if (monthly_is_due(&d->app->zone, d->meter.id, before_s ? before_s : state->fitting_from_s,
                       state->last_s))
        d->news |= NEWS_MONTH;
    if (err)
        return err;
    f->heard = d->billed.count > 0;
    f->holes.from = out->holes.count;
    err = commands_holes(d->app->commands, before_s, &d->billed, d->now_s, &out->holes);
    f->holes.count = out->holes.count - f->holes.from;
    return err;
}

/* ---- what the sources say ---- */

/* What a source finds takes the place of what views hold, if it is another. */
static enum err look_at(struct desk *d, const struct judge_source *source,
                        const struct judge_view *view)
{
    struct flag_records found = { 0 }, kept = { 0 };
    enum err err = source->episodes(view, &found);

    if (!err && !d->said)
        err = flags_kept(&d->views, d->meter.id, &kept);
    if (!err && (d->said || !source_same(source, &kept, &found))) {
        recall(d);
        if (!(err = d->err))
            err = source_replace(source, &d->episodes, &found);
    }
    flag_records_done(&found);
    flag_records_done(&kept);
    return err;
}

/* `silences` NULL: nobody wants to know of them. */
static enum err look_at_sources(struct desk *d, struct meter_state *state,
                                struct silence_notes *silences)
{
    const struct judge_source *source;
    struct judge_view view = { .app = d->app,
                               .ledger = &d->ledger,
                               .views = &d->views,
                               .meter = &d->meter,
                               .fittings = d->fittings.at,
                               .count = d->fittings.count,
                               .now_s = d->now_s,
                               .outages = &d->outages,
                               .reader = d->reader,
                               .silences = silences,
                               .book = d->book,
                               .houses = d->houses,
                               .pauses = d->pauses.count ? &d->pauses : NULL,
                               .since_s = d->since_s,
                               .last_s = state->last_s,
                               .dial_s = &state->dial_s };
    enum err err = ERR_OK;

    for (size_t n = 0; !err && (source = judge_source_at(n)); n++) {
        view.news = d->news & (source->news | (source->idle_without ? 0 : NEWS_REGISTER));
        if (view.news && !(source->idle && source->idle(&view)))
            err = look_at(d, source, &view);
    }
    return err;
}

static enum err look_at_condition(struct desk *d, const struct meter_state *state, bool life,
                                  struct condition_change *out)
{
    const struct fitting *last = d->fittings.count ? &d->fittings.at[d->fittings.count - 1] : NULL;
    struct condition_news news = {
        .meter = &d->meter, .life = life, .now_s = d->now_s, .reader = d->reader
    };
    struct judge_index index;

    if (last && last->to_s == FITTING_OPEN) {
        news.fitting = last;
        if (track_believes(&state->detect.billed, &index.index_ml, &index.at_s))
            news.index = &index;
    }
    return condition_look(d->app, &d->ledger, &d->views, &news, out);
}

/* What counted so far, in the steps by which rankings know it. */
static uint32_t wear_step(const struct desk *d, const struct meter_state *state)
{
    const struct fitting *last = d->fittings.count ? &d->fittings.at[d->fittings.count - 1] : NULL;
    struct judge_index index;

    if (!last || state->fitting_from_s != last->from_s ||
        !track_believes(&state->detect.billed, &index.index_ml, &index.at_s))
        return 0;
    return wear_pace_of(index.index_ml - last->start_ml, index.at_s - last->from_s).step;
}

/* All that a meter's state moves; what it says besides goes into its finding. */
static enum err judge_known(struct desk *d, const struct judge_news *news, struct findings *out,
                            struct finding *f)
{
    struct meter_state *state = &f->state;
    uint32_t step = wear_step(d, state);
    enum err err = ERR_OK;

    if (news->first_s == 0 || !state->begun || state->begun & PAUSED || was_dry(d))
        err = look_for_pauses(d);
    if (err || (err = fold(d, state, news->first_s, out, f)))
        return err;
    f->silences.from = out->silences.count;
    err = look_at_sources(d, state, &out->silences);
    f->silences.count = out->silences.count - f->silences.from;
    if (!err)
        err = look_at_condition(d, state, news->first_s == 0, &f->condition);
    if (!err && d->app->drought)
        err = note_flow(d, state, f);
    f->changed = wear_step(d, state) != step;
    return err;
}

enum err desk_judge(struct desk *d, const struct judge_news *news, struct findings *out)
{
    struct finding *f = &out->at[out->count];
    enum err err;

    *f = (struct finding){ .meter = news->meter };
    d->err = ERR_OK;
    err = look_up(d, news->meter);
    if (err == ERR_NOT_FOUND) {
        f->nobody = true;
        out->count++;
        return ERR_OK;
    }
    if (err)
        return err;
    views_state(&d->views, news->meter, STATE_VERSION, &f->state, sizeof f->state);
    if (d->views.err)
        return d->views.err;
    d->news = news->news;
    d->pauses.count = 0;
    err = judge_known(d, news, out, f);
    if (err_class(err) == ERR_CLASS_STORE && !d->err && !d->views.err && !d->ledger.err) {
        /* One meter's damage is not the others': its flags stay as they are, and the next time it
         * is judged from nothing. */
        f->state = (struct meter_state){ 0 };
        f->damaged = f->changed = true;
        err = ERR_OK;
    } else if (!err && d->said) {
        err = name_flags(d, out, f);
    }
    if (!err)
        out->count++;
    return err;
}

enum err desk_rehearse(struct desk *d, uint32_t meter)
{
    struct meter_state state;
    enum err err = look_up(d, meter);

    d->err = ERR_OK;
    d->news = 0;
    d->pauses.count = 0;
    d->episodes.count = 0;
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if ((err = look_for_pauses(d)) || (err = fold_all(d, &state, 0)) ||
        (err = look_at_sources(d, &state, NULL)))
        return err;
    choose(d);
    return d->err;
}

/* ---- a desk ---- */

enum err desk_open(struct app *app, int64_t now_s, struct desk **out)
{
    struct desk *d = (struct desk *)calloc(1, sizeof *d);
    enum err err = d ? ERR_OK : ERR_NO_MEMORY;

    if (err)
        return err;
    d->app = app;
    d->now_s = now_s;
    d->holidays_hash = holidays_hash(&app->holidays);
    d->fittings.at = d->fittings.few;
    if ((err = houses_open(&d->houses)) || (err = archive_reader_open(app->archive, &d->reader))) {
        desk_close(d);
        return err;
    }
    *out = d;
    return ERR_OK;
}

void desk_close(struct desk *d)
{
    if (!d)
        return;
    desk_end(d);
    archive_reader_close(d->reader);
    flag_records_done(&d->episodes);
    flag_records_done(&d->births);
    fittings_done(&d->fittings);
    free(d->outages.at);
    rows_done(&d->billed);
    rows_done(&d->reverse);
    houses_close(d->houses);
    free(d);
}

enum err desk_begin(struct desk *d)
{
    enum err err;

    desk_end(d);
    d->ledger = ledger_read(d->app->ledger);
    d->views = views_read(d->app->views);
    d->begun = true;
    if (!(err = outages_load(&d->ledger, &d->outages)) &&
        !(err = lulls_load(&d->ledger, d->lulls)) &&
        !(err = flag_rules_open(d->app, &d->ledger, &d->rules)))
        err = d->views.err;
    return err;
}

void desk_end(struct desk *d)
{
    if (!d->begun)
        return;
    flag_rules_close(d->rules);
    d->rules = NULL;
    d->book = NULL;
    archive_reader_rest(d->reader);
    txn_abort(&d->views);
    txn_abort(&d->ledger);
    d->begun = false;
}

/* ---- findings ---- */

void findings_clear(struct findings *f)
{
    f->count = f->old.count = f->now.count = f->fresh.count = f->turned.count = 0;
    f->holes.count = f->silences.count = 0;
    f->err = ERR_OK;
}

void findings_done(struct findings *f)
{
    flag_records_done(&f->old);
    flag_records_done(&f->now);
    flag_records_done(&f->fresh);
    flag_records_done(&f->turned);
    free(f->holes.at);
    free(f->silences.at);
}
