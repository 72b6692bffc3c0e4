/* Passes: what came of meters (judge_round.h) is taken into ledger, views and what is watched in memory, by the calling
 * thread alone and in the order of meters, a slice at a time: one act for what was born, one write transaction of
 * views, in this order.  Cut off anywhere, the next pass finds the births and comes to the same table. */
#include "server/judge_round.h"

#include "proto/base/crc.h"
#include "proto/base/wr.h"
#include "server/drought.h"
#include "server/hearing.h"
#include "server/metrics.h"
#include "server/notices.h"
#include "server/replacements.h"

#include <stdio.h>
#include <stdlib.h>

#define SLICE_STRETCHES 16
#define SLICE_METERS (SLICE_STRETCHES * STRETCH_METERS)
#define AT_ONCE (4 * SLICE_METERS) /* of judge_pass: enough for all cores */

struct slice {
    struct app *app;
    int64_t now_s;
    struct txn views;
    struct views_states states;
    bool begun;
    struct flag_records fresh, turned;
    uint32_t judged[SLICE_METERS];
    uint32_t moved[SLICE_METERS]; /* with other flags, or another condition, than before */
    size_t judged_count, moved_count;
    unsigned damaged; /* meters of the pass whose readings the store no longer has whole */
};

/* ---- flags of one meter ---- */

static bool has_id(const struct flag_records *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->at[i].id, id) == 0)
            return true;
    return false;
}

static enum err put_flag(struct txn *views, const struct flag_record *f, bool *changed)
{
    uint8_t bytes[FLAG_FACTS_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct span kept, id = span_text(f->id);
    enum err err = flag_encode(f, &w);

    if (!err && !(views_flag(views, id, &kept) && span_equal(kept, wr_span(&w)))) {
        views_put_flag(views, id, wr_span(&w));
        *changed = true;
    }
    return err ? err : views->err;
}

static struct flag_records part_of(const struct flag_records *list, struct lot p)
{
    return p.count ? (struct flag_records){ list->at + p.from, p.count, p.count }
                   : (struct flag_records){ 0 };
}

/* Makes views say what was found. */
static enum err keep_flags(struct txn *views, const struct findings *all, const struct finding *f,
                           bool *changed)
{
    struct flag_records old = part_of(&all->old, f->old), now = part_of(&all->now, f->now);
    enum err err = ERR_OK;

    for (size_t i = 0; i < old.count; i++)
        if (!has_id(&now, old.at[i].id)) {
            views_del_flag(views, span_text(old.at[i].id));
            *changed = true;
        }
    for (size_t i = 0; i < now.count && !err; i++)
        err = put_flag(views, &now.at[i], changed);
    overdue_list(views, span_text(f->serial), &old, &now);
    return err ? err : views->err;
}

/* ---- what came of one meter ---- */

/* Those who watch in memory. */
static enum err tell_watchers(const struct slice *s, const struct findings *all,
                              const struct finding *f)
{
    struct app *app = s->app;
    enum err err = ERR_OK;

    commands_look(app->commands, f->meter, f->heard,
                  f->holes.count ? all->holes.at + f->holes.from : NULL, f->holes.count);
    for (size_t i = 0; i < f->silences.count && !err; i++) {
        const struct silence_note *n = &all->silences.at[f->silences.from + i];

        if (n->counts_from_s)
            hearing_counts_from(app->hearing, f->meter, n->counts_from_s, s->now_s);
        else
            err = hearing_look_again(app->hearing, f->meter, n->again_s);
    }
    if (!err && f->flows)
        err = drought_note(app->drought, f->meter, f->zone, f->use, f->moved_s, f->read_s);
    return err;
}

static enum err keep(struct slice *s, const struct findings *all, const struct finding *f)
{
    bool changed = f->changed || f->condition.put || f->condition.drop;
    struct meter_state *state;
    enum err err;

    s->judged[s->judged_count++] = f->meter;
    if (f->nobody)
        return ERR_OK;
    if (!(state = (struct meter_state *)views_states_at(&s->states, f->meter)))
        return s->views.err;
    *state = f->state;
    s->damaged += f->damaged;
    condition_keep(&s->views, f->meter, &f->condition);
    if ((err = tell_watchers(s, all, f)) ||
        (f->told && (err = keep_flags(&s->views, all, f, &changed))))
        return err;
    if (changed)
        s->moved[s->moved_count++] = f->meter;
    return s->views.err;
}

/* ---- a slice ---- */

static enum err slice_begin(struct slice *s)
{
    s->fresh.count = s->turned.count = s->judged_count = s->moved_count = 0;
    s->begun = true;
    s->views = views_write(s->app->views);
    return views_states_begin(&s->states, &s->views, STATE_VERSION, sizeof(struct meter_state));
}

static enum err slice_take(struct slice *s, const struct findings *all)
{
    enum err err = s->begun ? ERR_OK : slice_begin(s);

    for (size_t i = 0; i < all->count && !err; i++)
        err = keep(s, all, &all->at[i]);
    if (err || (err = all->err))
        return err;
    err = flag_records_append(&s->fresh, &all->fresh);
    return err ? err : flag_records_append(&s->turned, &all->turned);
}

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

/* `err`: what became of its stretches; with an error nothing of it is kept. */
static enum err slice_end(struct slice *s, enum err err)
{
    struct app *app = s->app;

    if (!s->begun)
        return err;
    s->begun = false;
    views_states_end(&s->states);
    if (!err)
        err = bear(s);
    if (err)
        txn_abort(&s->views);
    else
        err = txn_end(&s->views);
    app->bearing = false;
    if (err)
        return err;
    rankings_touch(app->rankings, s->moved, s->moved_count);
    for (size_t i = 0; i < s->judged_count && app->notices; i++)
        notices_touch(app, s->judged[i]);
    return ERR_OK;
}

/* ---- passes ---- */

static enum err take_all(struct slice *s, struct judge_round *r)
{
    const struct findings *all;
    size_t stretches = 0;
    enum err err = ERR_OK;

    while (!err && (all = round_next(r))) {
        if (!s->begun && s->app->stopping)
            return ERR_STOPPING; /* what is left over, the next start finds by the views' marks */
        err = slice_take(s, all);
        if (err || ++stretches % SLICE_STRETCHES == 0)
            err = slice_end(s, err);
    }
    return slice_end(s, err);
}

enum err judge_pass_new(struct app *app, const struct judge_news *news, size_t count, int64_t now_s)
{
    struct slice *s = (struct slice *)calloc(1, sizeof *s);
    struct judge_round *r = NULL;
    enum err err = s ? round_open(app, news, count, now_s, &r) : ERR_NO_MEMORY;

    if (!err) {
        s->app = app;
        s->now_s = now_s;
        err = take_all(s, r);
    }
    round_close(r);
    if (s && s->damaged)
        fprintf(stderr,
                "nilod: %u meters could not be judged: their readings are damaged; run nilo store "
                "check\n",
                s->damaged);
    if (s) {
        flag_records_done(&s->fresh);
        flag_records_done(&s->turned);
    }
    free(s);
    return err;
}

enum err judge_pass(struct app *app, const uint32_t *meters, size_t count, int64_t now_s)
{
    size_t most = count < AT_ONCE ? count : AT_ONCE;
    struct judge_news *news = (struct judge_news *)calloc(most + 1, sizeof *news);
    enum err err = news ? ERR_OK : ERR_NO_MEMORY;

    for (size_t done = 0; done < count && !err; done += most) {
        size_t n = count - done < most ? count - done : most;

        for (size_t i = 0; i < n; i++)
            news[i].meter = meters[done + i];
        err = judge_pass_new(app, news, n, now_s);
    }
    free(news);
    return err;
}

/* ---- by what was judged ---- */

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
    uint32_t last = ledger_last_id(&t, LIST_METER);
    uint64_t acts = ledger_end(&t), settled = archive_settled(app->archive);
    enum err err = txn_end(&t);

    for (uint32_t next = 1; next <= last && !err;) {
        uint32_t meters[AT_ONCE];
        size_t n = 0;

        while (n < AT_ONCE && next <= last)
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
