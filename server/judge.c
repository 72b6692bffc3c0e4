/* One pass: for each meter facts and fittings from the ledger, state from views, readings from
 * archive and tail, then detectors, then flags.  Works through slices of meters: for each one read
 * transaction of the ledger, one act for what was born, one write transaction of views, in this
 * order.  Cut off anywhere, the next pass finds the births and comes to the same table. */
#include "server/judge_priv.h"

#include "proto/base/crc.h"
#include "proto/base/wr.h"
#include "server/billing/daysheet.h"
#include "server/commands.h"
#include "server/detect/monthly.h"
#include "server/detect/profile.h"
#include "server/drought.h"
#include "server/flag_rules.h"
#include "server/fleet/wear.h"
#include "server/houses.h"
#include "server/judge_condition.h"
#include "server/lulls.h"
#include "server/metrics.h"
#include "server/notices.h"
#include "server/outages.h"
#include "server/readings.h"
#include "server/registers.h"
#include "server/replacements.h"

#include <stdio.h>
#include <stdlib.h>

#define SLICE_METERS 4096
#define STATE_VERSION (1001u + DETECTORS_VERSION)

enum { BEGUN = 1, PAUSED = 2 }; /* PAUSED: there are pauses, which each pass must know */

/* What is remembered of a meter between passes. */
struct meter_state {
    int64_t fitting_from_s;
    uint32_t facts_hash; /* of all that a judgement rests on beside readings */
    uint32_t last_s;     /* the newest reading folded, on any channel */
    uint32_t begun;      /* a set of BEGUN, PAUSED; 0: nothing was folded */
    uint32_t
        dial_s; /* the newest dial read of which later readings may still say otherwise; 0: none */
    struct detect_state detect;
};
_Static_assert(sizeof(struct meter_state) <= 256,
               "ten million of them must fit a disk and its cache");
_Static_assert(sizeof(struct meter_state) == 24 + sizeof(struct detect_state),
               "no hidden bytes on disk");

struct slice {
    struct app *app;
    int64_t now_s;
    uint32_t holidays_hash;
    struct txn ledger, views;
    struct views_states states;
    struct flag_records episodes, births; /* of the meter at hand */
    struct flag_records fresh;            /* born in this slice */
    struct flag_records turned;           /* whose end, or return, somebody wants to hear of */
    struct rows billed, reverse;
    /* the meter at hand */
    struct meter_facts meter;
    struct fittings fittings;
    struct point_facts point;
    struct pauses pauses;
    struct outages outages;           /* as the ledger told at the slice's beginning */
    struct lulls lulls[LULL_CLASSES]; /* likewise */
    bool rehearsed;                   /* nothing of it is kept anywhere */
    struct judge_place place;
    struct civil_day today;
    struct flag_rules *rules;
    struct houses *houses;
    const struct rule_book *book; /* of the last fitting that was folded */
    int64_t
        before_mlpd; /* what was used at the last fitting's point before it, while its register has not turned; else 0 */
    int64_t since_s; /* the newest reading that was folded before; 0: all is made anew */
    bool said;       /* a detector said something */
    bool dials;      /* among the rows that were loaded are dial reads */
    unsigned news;   /* NEWS_…: which sources are to be looked at */
    bool changed;    /* its flags, or what is noted of its condition, are other ones */
    uint32_t *moved; /* meters of the slice of which that is so */
    size_t moved_count;
    unsigned damaged; /* meters whose readings the store no longer has whole */
    enum err err;
};

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
static void look_for_dials(struct slice *s, const struct fitting *f)
{
    const struct rows *rows = &s->billed;
    size_t last = rows->count;

    s->dials = false;
    for (size_t i = 0; i < rows->count; i++) {
        if ((rows->at[i].attr & ATTR_SOURCE) != SOURCE_REMOTE)
            s->dials = true;
        else
            last = i;
    }
    if (f->to_s != FITTING_OPEN && f->has_end && last < rows->count) {
        int64_t apart = dial_difference(&s->meter, rows->at[last].value, f->end_ml);

        s->dials |= apart > SHEET_TOLERANCE_ML || apart < -SHEET_TOLERANCE_ML;
    }
}

static int64_t fitting_end(const struct fitting *f)
{
    return f->to_s < UINT32_MAX ? f->to_s + 1 : (int64_t)UINT32_MAX + 1;
}

enum err judge_rows(struct app *app, const struct meter_facts *m, const struct fitting *f,
                    int64_t from_s, struct rows *out)
{
    enum err err = readings_load(app, m, meter_billed_channel(m), from_s > 0 ? from_s : 0,
                                 fitting_end(f), out);

    if (!err)
        resolve(out, f, true);
    return err;
}

static enum err load(struct slice *s, const struct fitting *f, int64_t from_s)
{
    int64_t to_s = fitting_end(f);
    enum err err;

    s->reverse.count = 0;
    if (from_s < f->from_s)
        from_s = f->from_s;
    if (from_s < 0)
        from_s = 0;
    if ((err = readings_load(s->app, &s->meter, meter_billed_channel(&s->meter), from_s, to_s,
                             &s->billed)))
        return err;
    if (s->meter.form != REGISTER_NET &&
        (err = readings_load(s->app, &s->meter, CHANNEL_REVERSE, from_s, to_s, &s->reverse)))
        return err;
    look_for_dials(s, f);
    resolve(&s->billed, f, true);
    resolve(&s->reverse, f, false);
    return ERR_OK;
}

/* ---- episodes ---- */

static struct flag_record *open_episode(struct slice *s, const struct detector *d)
{
    for (size_t i = s->episodes.count; i-- > 0;) {
        struct flag_record *e = &s->episodes.at[i];

        if (e->kind == d && !e->ended && e->fitting_from_s == s->place.fitting->from_s)
            return e;
    }
    return NULL;
}

/* Episodes as views hold them, where a fold goes on from a state. */
static void recall(struct slice *s)
{
    size_t kept = 0;

    if (s->said)
        return;
    s->said = true;
    s->episodes.count = 0;
    s->err = flags_kept(&s->views, s->meter.id, &s->episodes);
    for (size_t i = 0; i < s->episodes.count; i++)
        if (!s->episodes.at[i].withdrawn)
            s->episodes.at[kept++] = s->episodes.at[i];
    s->episodes.count = kept;
}

static void say(void *arg, const struct detector *d, const struct verdict *v)
{
    struct slice *s = (struct slice *)arg;
    struct flag_record fresh = { .kind = d,
                                 .meter = s->meter.id,
                                 .point = s->point.id,
                                 .fitting_from_s = s->place.fitting->from_s };
    struct flag_record *e;

    recall(s);
    if (s->err)
        return;
    if (!(e = open_episode(s, d))) {
        if (!v->open)
            return;
        if ((s->err = flag_records_push(&s->episodes, &fresh)))
            return;
        e = &s->episodes.at[s->episodes.count - 1];
    }
    verdict_take(&e->verdict, v);
    e->ended = !v->open;
}

/* The meter was taken off: what was open has ended with the fitting. */
static void end_episodes(struct slice *s, int64_t to_s)
{
    for (size_t i = 0; i < s->episodes.count; i++)
        if (s->episodes.at[i].fitting_from_s == s->place.fitting->from_s)
            flag_record_end(&s->episodes.at[i], to_s);
}

/* ---- folding ---- */

static void feed(struct slice *s, struct meter_state *state)
{
    const struct row *b = s->billed.at, *b_end = b + s->billed.count;
    const struct row *r = s->reverse.at, *r_end = r + s->reverse.count;
    enum channel billed = meter_billed_channel(&s->meter);

    while ((b < b_end || r < r_end) && !s->err) {
        bool first = r == r_end || (b < b_end && b->time_s <= r->time_s);
        struct judge_reading reading = { .channel = first ? billed : CHANNEL_REVERSE,
                                         .row = first ? *b++ : *r++ };

        detect_feed(&state->detect, &s->place, &reading, say, s);
        state->last_s = reading.row.time_s;
    }
}

/* What the meters before this fitting measured at its point in all, by their ends, a day; 0: nobody knows. */
static enum err used_before(struct slice *s, const struct fitting *f, int64_t *out_mlpd)
{
    struct fittings at = { .at = at.few };
    int64_t used_ml = 0, seconds = 0;
    enum err err = fittings_load(&s->ledger, true, f->point, &at);

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

static enum err fold_fitting(struct slice *s, const struct fitting *f, int64_t from_s,
                             struct meter_state *state)
{
    enum err err = point_facts_by_id(&s->ledger, f->point, &s->point);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    if ((err = flag_rules_of(s->rules, &s->ledger, s->meter.id, s->point.use, s->meter.dn_mm,
                             &s->book)))
        return err;
    s->before_mlpd = 0;
    if (!detect_has_moved(&state->detect) && (err = used_before(s, f, &s->before_mlpd)))
        return err;
    s->place =
        (struct judge_place){ .meter = &s->meter,
                              .point = &s->point,
                              .fitting = f,
                              .zone = &s->app->zone,
                              .holidays = &s->app->holidays,
                              .pauses = s->pauses.count ? &s->pauses : NULL,
                              .lulls = s->point.use < LULL_CLASSES ? &s->lulls[s->point.use] : NULL,
                              .today = &s->today,
                              .used_before_mlpd = s->before_mlpd,
                              .book = s->book };
    if ((err = load(s, f, from_s)))
        return err;
    feed(s, state);
    metrics_add(METRIC_JUDGE_READINGS, s->billed.count + s->reverse.count);
    if (s->billed.count + s->reverse.count)
        s->news |= NEWS_READINGS;
    if (s->dials || state->dial_s)
        s->news |= NEWS_DIALS;
    return s->err;
}

/* All fittings from their first reading on; the state that stays is the last one's. */
static enum err fold_all(struct slice *s, struct meter_state *state, uint32_t hash)
{
    uint32_t begun = BEGUN | (s->pauses.count ? PAUSED : 0);
    enum err err = ERR_OK;

    s->said = true; /* whatever views hold is made anew */
    s->news |= NEWS_REGISTER;
    s->episodes.count = 0;
    *state = (struct meter_state){ .facts_hash = hash };
    for (size_t i = 0; i < s->fittings.count && !err; i++) {
        const struct fitting *f = &s->fittings.at[i];

        *state =
            (struct meter_state){ .facts_hash = hash, .fitting_from_s = f->from_s, .begun = begun };
        err = fold_fitting(s, f, 0, state);
        if (!err && f->to_s != FITTING_OPEN)
            end_episodes(s, f->to_s);
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

static uint32_t facts_hash(const struct slice *s)
{
    uint8_t bytes[160];
    struct wr w = wr_of(bytes, sizeof bytes);
    const struct meter_facts *m = &s->meter;
    uint32_t hash;

    wr_le32(&w, s->holidays_hash);
    wr_counted(&w, span_text(s->app->zone.name));
    wr_zigzag(&w, m->dn_mm);
    wr_zigzag(&w, m->q3_lph);
    wr_zigzag(&w, m->resolution_ml);
    wr_zigzag(&w, m->modulus_ml);
    wr_u8(&w, (uint8_t)m->form);
    wr_u8(&w, (uint8_t)s->point.use);
    hash = crc32c(0, bytes, wr_len(&w));
    for (size_t i = 0; i < s->fittings.count; i++)
        hash = fitting_hash(hash, &s->fittings.at[i]);
    for (size_t i = 0; i < s->pauses.count; i++)
        hash = pause_hash(hash, &s->pauses.at[i]);
    return hash;
}

static uint32_t holidays_hash(const struct holidays *h)
{
    return crc32c(0, h->spans, h->count * sizeof h->spans[0]);
}

/* What was judged until `until_s` rests on these figures. */
static uint32_t book_hash(const struct slice *s, uint32_t until_s)
{
    return s->book ? rule_book_hash(s->book, (int32_t)zone_day_number(&s->app->zone, until_s)) : 0;
}

/* While its register has not turned it is judged by what was used before it, too. Afterwards nothing asks for that; but whoever changes an earlier fitting has those behind it judged anew
 * (settler_touch_behind). */
static uint32_t before_hash(const struct slice *s, const struct meter_state *state)
{
    return s->before_mlpd && !detect_has_moved(&state->detect)
               ? crc32c(0, &s->before_mlpd, sizeof s->before_mlpd)
               : 0;
}

static enum err look_before(struct slice *s, const struct meter_state *state)
{
    s->before_mlpd = 0;
    return s->fittings.count && !detect_has_moved(&state->detect)
               ? used_before(s, &s->fittings.at[s->fittings.count - 1], &s->before_mlpd)
               : ERR_OK;
}

/* Facts and fittings of the meter; the point of its last fitting, and the figures there. */
static enum err look_up(struct slice *s, uint32_t meter)
{
    enum err err = meter_facts_by_id(&s->ledger, meter, &s->meter);

    s->point = (struct point_facts){ 0 };
    fittings_done(&s->fittings);
    if (err || (err = fittings_load(&s->ledger, false, meter, &s->fittings)))
        return err;
    if (s->fittings.count)
        err = point_facts_by_id(&s->ledger, s->fittings.at[s->fittings.count - 1].point, &s->point);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    return flag_rules_of(s->rules, &s->ledger, meter, s->point.use, s->meter.dn_mm, &s->book);
}

/* Whoever changes what pauses follow from touches the meter (first_s 0): one that had none has none. */
static enum err look_for_pauses(struct slice *s)
{
    const struct fitting *last = s->fittings.count ? &s->fittings.at[s->fittings.count - 1] : NULL;

    enum err err = judge_pauses(s->app, &s->ledger, &s->meter, last, &s->pauses);

    if (!err && last && s->outages.count)
        outages_dry(&s->outages, drought_zone(&s->ledger, last->point), &s->pauses);
    return err ? err : s->ledger.err;
}

/* Of a zone that is, or was, without water: that counts for meters, too, that nobody touched when it was seen, for they were not read then. */
static bool was_dry(struct slice *s)
{
    const struct outages *o = &s->outages;
    bool some = o->count && o->at[o->count - 1].zone; /* those of zones come last */

    return some && s->fittings.count &&
           outages_ever_dry(o,
                            drought_zone(&s->ledger, s->fittings.at[s->fittings.count - 1].point));
}

/* When its register moved last, for whoever looks at zones. */
static enum err note_flow(struct slice *s, const struct meter_state *state)
{
    const struct fitting *last = s->fittings.count ? &s->fittings.at[s->fittings.count - 1] : NULL;
    const struct profile *p = (const struct profile *)(const void *)state->detect.detectors;
    bool lives = last && last->to_s == FITTING_OPEN && profile_has_use(p);
    uint32_t zone = lives ? drought_zone(&s->ledger, last->point) : 0;

    return s->ledger.err ? s->ledger.err
                         : drought_note(s->app->drought, s->meter.id, zone, s->point.use,
                                        lives ? p->moved_s : 0, state->last_s);
}

/* Whether only what came after the state must be read. */
static bool goes_on(const struct slice *s, const struct meter_state *state, uint32_t first_s,
                    uint32_t hash)
{
    const struct fitting *last;

    if (first_s == 0 || !state->begun || s->fittings.count == 0)
        return false;
    last = &s->fittings.at[s->fittings.count - 1];
    return state->facts_hash == (hash ^ book_hash(s, state->last_s)) &&
           state->fitting_from_s == last->from_s && last->to_s == FITTING_OPEN &&
           first_s > state->last_s;
}

/* ---- flags of one meter ---- */

static bool has_id(const struct flag_records *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->at[i].id, id) == 0)
            return true;
    return false;
}

static enum err put_flag(struct slice *s, const struct flag_record *f)
{
    struct txn *views = &s->views;
    uint8_t bytes[FLAG_FACTS_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct span kept, id = span_text(f->id);
    enum err err = flag_encode(f, &w);

    if (!err && !(views_flag(views, id, &kept) && span_equal(kept, wr_span(&w)))) {
        views_put_flag(views, id, wr_span(&w));
        s->changed = true;
    }
    return err ? err : views->err;
}

/* What is raised on a day on which its rule is off is not told. */
static void leave_out(struct slice *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->episodes.count; i++) {
        const struct flag_record *e = &s->episodes.at[i];
        int rule = detect_rule_named(span_text(e->kind->flag));
        int32_t day = (int32_t)zone_day_number(&s->app->zone, e->verdict.raised_s);

        if (rule < 0 || !(rules_on(s->book, day)->off & 1u << rule))
            s->episodes.at[kept++] = *e;
    }
    s->episodes.count = kept;
}

/* Of all that sources found, what is told. */
static void choose(struct slice *s)
{
    house_goes_before(&s->episodes);
    if (s->book)
        leave_out(s);
}

/* Gives the episodes their ids, and makes views say so. */
static enum err keep_flags(struct slice *s)
{
    struct flag_records old = { 0 };
    enum err err;

    s->births.count = 0;
    choose(s);
    if ((err = flags_born(&s->ledger, s->meter.id, &s->births)) ||
        (err = flags_match(&s->episodes, &s->births, s->now_s, &s->fresh)))
        return err;
    err = flags_kept(&s->views, s->meter.id, &old);
    if (!err && s->app->flag_listeners)
        err = flags_turned(&s->ledger, &old, &s->births, &s->episodes, &s->turned);
    for (size_t i = 0; i < old.count && !err; i++)
        if (!has_id(&s->episodes, old.at[i].id)) {
            views_del_flag(&s->views, span_text(old.at[i].id));
            s->changed = true;
        }
    for (size_t i = 0; i < s->episodes.count && !err; i++)
        err = put_flag(s, &s->episodes.at[i]);
    overdue_list(&s->views, span_text(s->meter.serial), &old, &s->episodes);
    flag_records_done(&old);
    return err ? err : s->views.err;
}

static enum err fold(struct slice *s, struct meter_state *state, uint32_t first_s)
{
    uint32_t hash = facts_hash(s), before_s = 0;
    enum err err = look_before(s, state);

    s->said = false;
    s->billed.count = 0;
    if (err)
        return err;
    if (!goes_on(s, state, first_s, hash ^ before_hash(s, state))) {
        metrics_add(METRIC_JUDGE_RESTARTS, state->begun != 0);
        err = fold_all(s, state, hash);
    } else {
        before_s = state->last_s;
        err = fold_fitting(s, &s->fittings.at[s->fittings.count - 1], (int64_t)before_s + 1, state);
    }
    state->facts_hash = hash ^ book_hash(s, state->last_s) ^ before_hash(s, state);
    s->since_s = before_s;
    if (monthly_is_due(&s->app->zone, s->meter.id, before_s ? before_s : state->fitting_from_s,
                       state->last_s))
        s->news |= NEWS_MONTH;
    if (!err)
        commands_look(s->app->commands, &s->meter, before_s, &s->billed, s->now_s);
    return err;
}

/* ---- what the sources say ---- */

/* What a source finds takes the place of what views hold, if it is another. */
static enum err look_at(struct slice *s, const struct judge_source *source,
                        const struct judge_view *view)
{
    struct flag_records found = { 0 }, kept = { 0 };
    enum err err = source->episodes(view, &found);

    if (!err && !s->said)
        err = flags_kept(&s->views, s->meter.id, &kept);
    if (!err && (s->said || !source_same(source, &kept, &found))) {
        recall(s);
        if (!(err = s->err))
            err = source_replace(source, &s->episodes, &found);
    }
    flag_records_done(&found);
    flag_records_done(&kept);
    return err;
}

static enum err look_at_sources(struct slice *s, struct meter_state *state)
{
    const struct judge_source *source;
    struct judge_view view = { .app = s->app,
                               .ledger = &s->ledger,
                               .views = &s->views,
                               .meter = &s->meter,
                               .fittings = s->fittings.at,
                               .count = s->fittings.count,
                               .now_s = s->now_s,
                               .outages = &s->outages,
                               .rehearsed = s->rehearsed,
                               .book = s->book,
                               .houses = s->houses,
                               .pauses = s->pauses.count ? &s->pauses : NULL,
                               .since_s = s->since_s,
                               .last_s = state->last_s,
                               .dial_s = &state->dial_s };
    enum err err = ERR_OK;

    for (size_t n = 0; !err && (source = judge_source_at(n)); n++) {
        view.news = s->news & (source->news | (source->idle_without ? 0 : NEWS_REGISTER));
        if (view.news && !(source->idle && source->idle(&view)))
            err = look_at(s, source, &view);
    }
    return err;
}

static enum err look_at_condition(struct slice *s, const struct meter_state *state, bool life)
{
    const struct fitting *last = s->fittings.count ? &s->fittings.at[s->fittings.count - 1] : NULL;
    struct condition_news news = {
        .meter = &s->meter, .life = life, .now_s = s->now_s, .changed = &s->changed
    };
    struct judge_index index;

    if (last && last->to_s == FITTING_OPEN) {
        news.fitting = last;
        if (track_believes(&state->detect.billed, &index.index_ml, &index.at_s))
            news.index = &index;
    }
    return condition_note(s->app, &s->ledger, &s->views, &news);
}

/* What counted so far, in the steps by which rankings know it. */
static uint32_t wear_step(const struct slice *s, const struct meter_state *state)
{
    const struct fitting *last = s->fittings.count ? &s->fittings.at[s->fittings.count - 1] : NULL;
    struct judge_index index;

    if (!last || state->fitting_from_s != last->from_s ||
        !track_believes(&state->detect.billed, &index.index_ml, &index.at_s))
        return 0;
    return wear_pace_of(index.index_ml - last->start_ml, index.at_s - last->from_s).step;
}

static enum err judge_meter(struct slice *s, const struct judge_news *news)
{
    uint32_t meter = news->meter, first_s = news->first_s;
    struct meter_state *state;
    uint32_t step;
    enum err err = look_up(s, meter);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* nobody's: not registered (any more) */
    if (!(state = (struct meter_state *)views_states_at(&s->states, meter)))
        return s->views.err;
    s->news = news->news;
    s->pauses.count = 0;
    step = wear_step(s, state);
    if ((first_s == 0 || !state->begun || state->begun & PAUSED || was_dry(s)) &&
        (err = look_for_pauses(s)))
        return err;
    if (!(err = fold(s, state, first_s)))
        err = look_at_sources(s, state);
    if (!err)
        err = look_at_condition(s, state, first_s == 0);
    if (!err && s->app->drought)
        err = note_flow(s, state);
    s->changed |= wear_step(s, state) != step;
    if (err_class(err) == ERR_CLASS_STORE && !s->err && !s->views.err && !s->ledger.err) {
        /* One meter's damage is not the others': its flags stay as they are, and the next time it
         * is judged from nothing. */
        *state = (struct meter_state){ 0 };
        s->damaged++;
        return ERR_OK;
    }
    return err || !s->said ? err : keep_flags(s);
}

/* ---- passes ---- */

/* What this slice is the first to tell is told once, whatever comes after. */
static enum err bear(struct slice *s)
{
    struct act act;
    enum err err;

    if (s->fresh.count == 0 && s->turned.count == 0)
        return ERR_OK;
    s->app->bearing = true; /* what the ledger tells in a moment, views will show in another */
    act = act_begin(s->app->ledger, "judge", s->now_s,
                    s->app->journal ? journal_end(s->app->journal) : 0);
    for (size_t i = 0; i < s->fresh.count && !act.txn.err; i++) {
        uint8_t bytes[FLAG_FACTS_MAX];
        struct wr w = wr_of(bytes, sizeof bytes);

        if ((err = flag_encode(&s->fresh.at[i], &w))) {
            act_abort(&act);
            return err;
        }
        act_flag_born(&act, span_text(s->fresh.at[i].id), wr_span(&w));
    }
    flags_tell_turned(&act, &s->turned);
    if ((err = act_end(&act)))
        return err;
    metrics_add(METRIC_FLAGS_RAISED, s->fresh.count);
    return ERR_OK;
}

static enum err run_slice(struct slice *s, const struct judge_news *news, size_t count)
{
    enum err err, ended;

    s->fresh.count = s->turned.count = s->moved_count = 0;
    s->err = ERR_OK;
    s->ledger = ledger_read(s->app->ledger);
    s->views = views_write(s->app->views);
    s->outages.count = 0;
    if (!(err = outages_load(&s->ledger, &s->outages)) &&
        !(err = lulls_load(&s->ledger, s->lulls)) &&
        !(err = flag_rules_open(s->app, &s->ledger, &s->rules)))
        err = views_states_begin(&s->states, &s->views, STATE_VERSION, sizeof(struct meter_state));
    for (size_t i = 0; i < count && !err; i++) {
        s->changed = false;
        err = judge_meter(s, &news[i]);
        if (s->changed)
            s->moved[s->moved_count++] = news[i].meter;
    }
    views_states_end(&s->states);
    flag_rules_close(s->rules);
    s->rules = NULL;
    ended = txn_end(&s->ledger);
    if (!err)
        err = ended;
    if (!err)
        err = bear(s);
    if (err)
        txn_abort(&s->views);
    else
        err = txn_end(&s->views);
    s->app->bearing = false;
    if (!err)
        rankings_touch(s->app->rankings, s->moved, s->moved_count);
    for (size_t i = 0; i < count && !err && s->app->notices; i++)
        notices_touch(s->app, news[i].meter);
    return err;
}

static struct slice *slice_new(struct app *app, int64_t now_s)
{
    struct slice *s = (struct slice *)calloc(1, sizeof *s);

    if (s && (!(s->moved = (uint32_t *)malloc(SLICE_METERS * sizeof *s->moved)) ||
              houses_open(&s->houses))) {
        free(s->moved);
        free(s);
        s = NULL;
    }
    if (s) {
        s->app = app;
        s->now_s = now_s;
        s->holidays_hash = holidays_hash(&app->holidays);
        s->fittings.at = s->fittings.few;
    }
    return s;
}

static void slice_free(struct slice *s)
{
    flag_records_done(&s->episodes);
    flag_records_done(&s->births);
    flag_records_done(&s->fresh);
    flag_records_done(&s->turned);
    fittings_done(&s->fittings);
    free(s->outages.at);
    rows_done(&s->billed);
    rows_done(&s->reverse);
    houses_close(s->houses);
    free(s->moved);
    free(s);
}

enum err judge_pass_new(struct app *app, const struct judge_news *news, size_t count, int64_t now_s)
{
    struct slice *s = slice_new(app, now_s);
    enum err err = s ? ERR_OK : ERR_NO_MEMORY;

    for (size_t done = 0; done < count && !err; done += SLICE_METERS)
        err = run_slice(s, news + done, count - done < SLICE_METERS ? count - done : SLICE_METERS);
    if (s && s->damaged)
        fprintf(stderr,
                "nilod: %u meters could not be judged: their readings are damaged; run nilo store "
                "check\n",
                s->damaged);
    if (s)
        slice_free(s);
    return err;
}

enum err judge_pass(struct app *app, const uint32_t *meters, size_t count, int64_t now_s)
{
    struct judge_news news[SLICE_METERS / 16];
    size_t most = sizeof news / sizeof news[0];
    enum err err = ERR_OK;

    for (size_t done = 0; done < count && !err; done += most) {
        size_t n = count - done < most ? count - done : most;

        for (size_t i = 0; i < n; i++)
            news[i] = (struct judge_news){ .meter = meters[done + i] };
        err = judge_pass_new(app, news, n, now_s);
    }
    return err;
}

/* ---- as if by other rules ---- */

struct judge_rehearsal {
    struct slice *slice;
    const struct check_line *line;
    bool open;
};

/* What the transactions see, with the line in its place. */
static enum err rehearsal_begin(struct judge_rehearsal *r)
{
    struct slice *s = r->slice;
    enum err err;

    s->ledger = ledger_read(s->app->ledger);
    s->views = views_read(s->app->views);
    r->open = true;
    s->rehearsed = true;
    s->outages.count = 0;
    if (!(err = outages_load(&s->ledger, &s->outages)) &&
        !(err = lulls_load(&s->ledger, s->lulls)) &&
        !(err = flag_rules_open(s->app, &s->ledger, &s->rules)))
        err = flag_rules_try(s->rules, r->line);
    return err;
}

static enum err rehearsal_end(struct judge_rehearsal *r)
{
    struct slice *s = r->slice;
    enum err err, ended;

    if (!r->open)
        return ERR_OK;
    flag_rules_close(s->rules);
    s->rules = NULL;
    r->open = false;
    err = txn_end(&s->views);
    ended = txn_end(&s->ledger);
    return err ? err : ended;
}

enum err judge_rehearsal_open(struct app *app, const struct check_line *line, int64_t now_s,
                              struct judge_rehearsal **out)
{
    struct judge_rehearsal *r = (struct judge_rehearsal *)calloc(1, sizeof *r);
    enum err err = ERR_NO_MEMORY;

    if (r && (r->slice = slice_new(app, now_s))) {
        r->line = line;
        err = rehearsal_begin(r);
    }
    if (err) {
        judge_rehearsal_close(r);
        return err;
    }
    *out = r;
    return ERR_OK;
}

void judge_rehearsal_close(struct judge_rehearsal *r)
{
    if (!r)
        return;
    (void)!rehearsal_end(r);
    if (r->slice)
        slice_free(r->slice);
    free(r);
}

enum err judge_rehearsal_renew(struct judge_rehearsal *r)
{
    enum err err = rehearsal_end(r);

    return err ? err : rehearsal_begin(r);
}

enum err judge_rehearse(struct judge_rehearsal *r, uint32_t meter,
                        const struct flag_records **out_view)
{
    struct slice *s = r->slice;
    struct meter_state state;
    enum err err = look_up(s, meter);

    s->err = ERR_OK;
    s->news = 0;
    s->pauses.count = 0;
    s->episodes.count = 0;
    *out_view = &s->episodes;
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if ((err = look_for_pauses(s)) || (err = fold_all(s, &state, 0)) ||
        (err = look_at_sources(s, &state)))
        return err;
    choose(s);
    return s->err;
}

enum err judge_stands(struct judge_rehearsal *r, uint32_t meter, struct flag_records *out)
{
    out->count = 0;
    return flags_kept(&r->slice->views, meter, out);
}

/* What every judgement rests on beside the meter's own facts: civil time, holidays, rules of condition, the figures of flags where nobody set others. */
static uint64_t rules_hash(const struct app *app)
{
    uint32_t zone = crc32c(0, app->zone.name, strlen(app->zone.name));

    zone ^= STATE_VERSION ^ condition_rules_hash(&app->fleet_rules);
    zone ^= crc32c(0, detect_rules_standing.value, sizeof detect_rules_standing.value);
    return (uint64_t)zone << 32 | holidays_hash(&app->holidays) | 1u;
}

enum err judge_outdated(struct app *app, bool *out_outdated)
{
    struct txn t = views_read(app->views);
    uint64_t judged_by = views_rules(&t);
    enum err err = txn_end(&t);

    if (!err)
        *out_outdated = judged_by != rules_hash(app);
    return err;
}

void judge_mark(struct app *app, struct txn *views)
{
    views_set_rules(views, rules_hash(app));
}

void judge_unmark(struct txn *views)
{
    views_set_rules(views, 0);
}

enum err judge_rebuild(struct app *app)
{
    struct txn t = ledger_read(app->ledger);
    uint32_t last = ledger_last_id(&t, LIST_METER), meters[SLICE_METERS / 16];
    uint64_t acts = ledger_end(&t), settled = archive_settled(app->archive);
    enum err err = txn_end(&t);

    for (uint32_t next = 1; next <= last && !err;) {
        size_t n = 0;

        while (n < sizeof meters / sizeof meters[0] && next <= last)
            meters[n++] = next++;
        err = judge_pass(app, meters, n, clock_now_s(&app->clock));
    }
    if (err || (err = outages_show(app)))
        return err;
    t = views_write(app->views);
    views_set_folded(&t, settled);
    views_set_acts(&t, acts);
    judge_mark(app, &t);
    return txn_end(&t);
}

bool judge_index(struct txn *views, uint32_t meter, int64_t fitting_from_s, struct judge_index *out)
{
    struct meter_state state;
    const struct track *t = &state.detect.billed;
    struct judge_index index;

    views_state(views, meter, STATE_VERSION, &state, sizeof state);
    if (views->err || !state.begun || state.fitting_from_s != fitting_from_s ||
        !track_believes(t, &index.index_ml, &index.at_s))
        return false;
    *out = index;
    return true;
}

size_t judge_state_bytes(void)
{
    return sizeof(struct meter_state);
}
