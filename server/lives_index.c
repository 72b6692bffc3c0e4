/* Where lives stand in the ledger's indexes: by state, by legal due date, on the shelf, by who holds them.
 *
 *   STATE  state u8 · serial                                    DUE   place u8 · due u32 · serial
 *   SHELF  dn u32 · q3 u64 · model 00 · due u32 · serial        HELD  'c' or 'd' · name 00 · serial
 *   AHEAD  'a' · time i64 · meter u32: there something changes of itself    'j' · time i64 · meter u32: there it did
 *
 * A day is kept with its sign turned, so that days before 1970 come first; of those without any verification
 * it is the greatest number. */
#include "proto/base/rd.h"
#include "server/lives_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- keys ---- */

static uint32_t due_number(int32_t day)
{
    return day == NO_DAY ? UINT32_MAX : (uint32_t)day ^ UINT32_C(0x80000000);
}

static int32_t day_of_due(uint32_t n)
{
    return n == UINT32_MAX ? NO_DAY : (int32_t)(n ^ UINT32_C(0x80000000));
}

/* The last part of a key: what follows nothing needs no end. */
static void key_tail(struct key *k, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        key_u8(k, text.at[i]);
}

static struct span at_most(struct span text, size_t most)
{
    return span_of(text.at, text.len < most ? text.len : most);
}

static void state_key(struct key *k, enum life_state state, struct span serial)
{
    key_clear(k);
    key_u8(k, (uint8_t)state);
    key_tail(k, serial);
}

static void due_key(struct key *k, enum due_place place, int32_t due, struct span serial)
{
    key_clear(k);
    key_u8(k, (uint8_t)place);
    key_u32(k, due_number(due));
    key_tail(k, serial);
}

static void shelf_key(struct key *k, const struct meter_life *l)
{
    key_clear(k);
    key_u32(k, (uint32_t)l->facts.dn_mm);
    key_u64(k, (uint64_t)l->facts.q3_lph);
    key_text(k, span_text(l->model));
}

static void held_key(struct key *k, char kind, struct span name, struct span serial)
{
    key_clear(k);
    key_u8(k, (uint8_t)kind);
    key_text(k, at_most(name, LIFE_NAME_MAX - 1));
    key_tail(k, serial);
}

static enum due_place due_place_of(enum life_state state)
{
    if (life_is_fitted(state))
        return DUE_FITTED;
    return LIFE_IN_STORE >> state & 1 ? DUE_STORE : DUE_NOWHERE;
}

/* Who has it: a crew, or a depot, the last told one. */
static void place_holder(const struct meter_life *l, const struct life *now, struct life_keys *out)
{
    struct span depot = now->depot.len ? now->depot : span_text(l->depot), holder;

    out->place.kind = '-';
    if (!(STOCK_STATES >> now->state & 1))
        return;
    holder = now->state == LIFE_ISSUED ? now->crew : depot;
    if (!holder.len)
        return;
    out->place.kind = now->state == LIFE_ISSUED ? 'c' : 'd';
    snprintf(out->holder, sizeof out->holder, "%.*s", (int)holder.len, (const char *)holder.at);
}

static void ahead_key(struct key *k, char kind, int64_t at_s, uint32_t meter)
{
    key_clear(k);
    key_u8(k, (uint8_t)kind);
    key_i64(k, at_s);
    key_u32(k, meter);
}

/* The instant at which a civil day begins. */
static int64_t day_start(const struct zone *z, int32_t day)
{
    int64_t noon_s = ((int64_t)day - 1) * 86400 + 43200; /* of the day before */

    return zone_day_next(z, noon_s - zone_offset(z, noon_s));
}

static void earlier_of(int64_t *next_s, int64_t at_s, int64_t candidate_s)
{
    if (candidate_s > at_s && candidate_s < *next_s)
        *next_s = candidate_s;
}

/* When the life is another than at `at_s` although nobody tells anything more: an event may be stamped ahead
 * of the clock, and a verification counts from its civil day on. INT64_MAX: never. */
static int64_t next_change(const struct meter_life *l, int64_t at_s)
{
    const struct zone *z = l->rules.zone;
    int64_t next_s = INT64_MAX;

    if (l->rules.verify.row_verified_on != NO_DAY)
        earlier_of(&next_s, at_s, day_start(z, l->rules.verify.row_verified_on));
    for (size_t i = l->count; i-- > 0 && l->events[i].at_s > at_s;) {
        const struct life_event *e = &l->events[i];
        int32_t on = e->verified_on;

        earlier_of(&next_s, at_s, e->at_s);
        if (e->kind == EVENT_VERIFY)
            earlier_of(&next_s, at_s,
                       day_start(z, on != NO_DAY ? on : (int32_t)zone_day_number(z, e->at_s)));
    }
    return next_s;
}

void life_keys_of(const struct meter_life *l, int64_t at_s, struct life_keys *out)
{
    struct span serial = span_text(l->facts.serial);
    enum due_place where;
    struct legal legal;
    struct life now;
    int64_t next_s;

    for (unsigned i = 0; i < LIFE_KEYS; i++)
        key_clear(&out->at[i]);
    out->holder[0] = out->model[0] = 0;
    life_fold(&l->rules, l->events, l->count, at_s, INT64_MAX, &now);
    life_legal(&l->rules, l->events, l->count, (int32_t)zone_day_number(l->rules.zone, at_s),
               INT64_MAX, &legal);
    next_s = next_change(l, at_s);
    where = due_place_of(now.state);
    out->place = (struct stock_place){
        .dn_mm = l->facts.dn_mm, .q3_lph = l->facts.q3_lph, .state = now.state, .due = legal.due
    };
    place_holder(l, &now, out);
    memcpy(out->model, l->model, sizeof out->model);
    out->place.holder = span_text(out->holder);
    out->place.model = span_text(out->model);
    if (now.state != LIFE_NONE)
        state_key(&out->at[KEY_STATE], now.state, serial);
    if (where != DUE_NOWHERE)
        due_key(&out->at[KEY_DUE], where, legal.due, serial);
    if (now.state == LIFE_IN_STOCK) {
        shelf_key(&out->at[KEY_SHELF], l);
        key_u32(&out->at[KEY_SHELF], due_number(legal.due));
        key_tail(&out->at[KEY_SHELF], serial);
    }
    if (out->place.kind != '-')
        held_key(&out->at[KEY_HELD], out->place.kind, out->place.holder, serial);
    if (next_s != INT64_MAX)
        ahead_key(&out->at[KEY_AHEAD], 'a', next_s, l->meter);
}

static const enum ledger_index index_of[LIFE_KEYS] = { INDEX_STATE, INDEX_DUE, INDEX_SHELF,
                                                       INDEX_HELD, INDEX_AHEAD };

enum ledger_index life_index(enum life_key k)
{
    return index_of[k];
}

static bool same_place(const struct stock_place *a, const struct stock_place *b)
{
    return a->kind == b->kind && span_equal(a->holder, b->holder) &&
           span_equal(a->model, b->model) && a->dn_mm == b->dn_mm && a->q3_lph == b->q3_lph &&
           a->state == b->state && a->due == b->due;
}

void life_keys_follow(struct act *act, uint32_t meter, const struct life_keys *before,
                      const struct life_keys *after)
{
    for (unsigned i = 0; i < LIFE_KEYS; i++) {
        struct span is = key_span(&after->at[i]);
        struct span was = before ? key_span(&before->at[i]) : span_of(NULL, 0);

        if (span_equal(was, is))
            continue;
        if (was.len)
            act_index_drop(act, index_of[i], was);
        if (is.len)
            act_index_put(act, index_of[i], is, meter);
    }
    if (before && same_place(&before->place, &after->place))
        return;
    if (before)
        stock_moves(act, &before->place, -1);
    stock_moves(act, &after->place, 1);
}

/* ---- what changes of itself when its time comes ---- */

#define MOVED_AT_ONCE 256

int64_t lives_instant(struct app *app, const struct act *act)
{
    int64_t at_s = app->lives_at_s; /* one writer at a time */

    if (act->now_s > at_s)
        app->lives_at_s = at_s = act->now_s;
    return at_s;
}

struct ahead {
    int64_t at_s;
    uint32_t meter;
};

/* The first of one kind, up to an instant; *out_count at most `cap`. */
static void ahead_read(struct txn *t, char kind, int64_t until_s, struct ahead *out, size_t cap,
                       size_t *out_count)
{
    uint8_t prefix[1] = { (uint8_t)kind };
    struct index_walk w = ledger_index_walk(t, INDEX_AHEAD, span_of(prefix, 1), span_of(NULL, 0));
    size_t count = 0;

    while (count < cap && index_next(&w)) {
        struct rd r = rd_of(span_of(w.key.at + 1, w.key.len - 1));
        int64_t at_s = (int64_t)(rd_be64(&r) ^ UINT64_C(1) << 63);

        if (at_s > until_s)
            break;
        out[count].at_s = at_s;
        out[count++].meter = w.value;
    }
    index_done(&w);
    *out_count = t->err ? 0 : count;
}

/* What stood there held until the second before. */
static void move_one(struct app *app, struct act *act, const struct ahead *a, int64_t at_s)
{
    struct life_keys before, after;
    struct meter_life l;
    struct key judged;
    enum err err = life_load(app, &act->txn, a->meter, &l);

    if (err && !act->txn.err)
        act->txn.err = err == ERR_NOT_FOUND ? ERR_MISSING : err;
    if (!err) {
        life_keys_of(&l, a->at_s - 1, &before);
        life_keys_of(&l, at_s, &after);
        life_keys_follow(act, a->meter, &before, &after);
        ahead_key(&judged, 'j', a->at_s, a->meter);
        act_index_put(act, INDEX_AHEAD, key_span(&judged), a->meter);
    }
    life_done(&l);
}

/* True: there may be more. */
static bool move_some(struct app *app, struct act *act, int64_t at_s)
{
    struct ahead some[MOVED_AT_ONCE];
    size_t count = 0;

    if (!act->txn.err)
        ahead_read(&act->txn, 'a', at_s, some, MOVED_AT_ONCE, &count);
    for (size_t i = 0; i < count && !act->txn.err; i++)
        move_one(app, act, &some[i], at_s);
    return count == MOVED_AT_ONCE && !act->txn.err;
}

void lives_catch_up(struct app *app, struct act *act)
{
    int64_t at_s = lives_instant(app, act);

    while (move_some(app, act, at_s))
        ;
}

static struct key moved_until(void)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 't');
    return k;
}

static bool is_behind(struct app *app, int64_t at_s, enum err *out_err)
{
    struct txn t = ledger_read(app->ledger);
    struct ahead first;
    size_t count;

    ahead_read(&t, 'a', at_s, &first, 1, &count);
    *out_err = txn_end(&t);
    return count != 0;
}

enum err lives_now(struct app *app, int64_t *out_now_s)
{
    int64_t now_s = clock_now_s(&app->clock);
    enum err err;

    if (app->lives_at_s > now_s)
        now_s = app->lives_at_s;
    *out_now_s = now_s;
    if (is_behind(app, now_s, &err)) {
        struct key until = moved_until();
        struct act act = act_begin(app->ledger, "nilod", now_s, journal_end(app->journal));

        act.still = true;
        lives_catch_up(app, &act);
        *out_now_s = lives_instant(app, &act);
        act_index_put(&act, INDEX_MADE, key_span(&until), (uint32_t)*out_now_s);
        err = act_end(&act);
    }
    return err;
}

enum err lives_moved(struct app *app, enum err (*each)(void *arg, uint32_t meter), void *arg,
                     int64_t *out_until_s)
{
    struct txn t = ledger_read(app->ledger);
    uint8_t prefix[1] = { 'j' };
    struct index_walk w = ledger_index_walk(&t, INDEX_AHEAD, span_of(prefix, 1), span_of(NULL, 0));
    enum err err = ERR_OK, ended;

    *out_until_s = INT64_MIN;
    while (!err && index_next(&w)) {
        struct rd r = rd_of(span_of(w.key.at + 1, w.key.len - 1));

        *out_until_s = (int64_t)(rd_be64(&r) ^ UINT64_C(1) << 63);
        err = each(arg, w.value);
    }
    index_done(&w);
    ended = txn_end(&t);
    return err ? err : ended;
}

enum err lives_moved_after(struct app *app, struct lives_move *after,
                           void (*each)(void *arg, uint32_t meter), void *arg)
{
    struct txn t = ledger_read(app->ledger);
    uint8_t prefix[1] = { 'j' };
    struct index_walk w;
    struct key from;

    ahead_key(&from, 'j', after->at_s, after->meter);
    w = ledger_index_walk(&t, INDEX_AHEAD, span_of(prefix, 1), key_span(&from));
    while (index_next(&w)) {
        struct rd r = rd_of(span_of(w.key.at + 1, w.key.len - 1));

        after->at_s = (int64_t)(rd_be64(&r) ^ UINT64_C(1) << 63);
        after->meter = w.value;
        each(arg, w.value);
    }
    index_done(&w);
    return txn_end(&t);
}

enum err lives_judged(struct app *app, int64_t until_s)
{
    struct ahead some[MOVED_AT_ONCE];
    size_t count = MOVED_AT_ONCE;
    struct act act;

    if (until_s == INT64_MIN)
        return ERR_OK;
    act = act_begin(app->ledger, "nilod", clock_now_s(&app->clock), journal_end(app->journal));
    act.still = true;
    while (count == MOVED_AT_ONCE && !act.txn.err) {
        ahead_read(&act.txn, 'j', until_s, some, MOVED_AT_ONCE, &count);
        for (size_t i = 0; i < count; i++) {
            struct key k;

            ahead_key(&k, 'j', some[i].at_s, some[i].meter);
            act_index_drop(&act, INDEX_AHEAD, key_span(&k));
        }
    }
    return act_end(&act);
}

/* ---- walks ---- */

struct due_walk lives_due(struct txn *t, enum due_place place, int32_t from_day, int32_t to_day,
                          bool unknown_too, struct span after)
{
    struct due_walk w = { .to_day = to_day, .unknown_too = unknown_too };
    struct key prefix, from;

    key_clear(&prefix);
    key_u8(&prefix, (uint8_t)place);
    due_key(&from, place, from_day, span_of(NULL, 0));
    if (from_day == NO_DAY) { /* from the first day on */
        key_clear(&from);
        key_u8(&from, (uint8_t)place);
    }
    w.walk =
        ledger_index_walk(t, INDEX_DUE, key_span(&prefix), after.len ? after : key_span(&from));
    return w;
}

/* The walk goes on behind all known days. */
static void to_unknown(struct due_walk *w)
{
    struct txn *t = w->walk.scan.txn;
    struct key prefix, from;

    key_clear(&prefix);
    key_u8(&prefix, w->walk.key.at[0]);
    due_key(&from, (enum due_place)w->walk.key.at[0], NO_DAY, span_of(NULL, 0));
    index_done(&w->walk);
    w->walk = ledger_index_walk(t, INDEX_DUE, key_span(&prefix), key_span(&from));
}

bool due_next(struct due_walk *w)
{
    while (index_next(&w->walk)) {
        struct rd r = rd_of(w->walk.key);

        (void)rd_u8(&r);
        w->due = day_of_due(rd_be32(&r));
        if (r.err) {
            w->walk.scan.txn->err = ERR_CORRUPT;
            return false;
        }
        if (w->due == NO_DAY ? !w->unknown_too : w->due > w->to_day) {
            if (w->due == NO_DAY || !w->unknown_too)
                return false;
            to_unknown(w);
            continue;
        }
        w->meter = w->walk.value;
        w->cursor = w->walk.key;
        return true;
    }
    return false;
}

void due_done(struct due_walk *w)
{
    index_done(&w->walk);
}

struct index_walk lives_in_state(struct txn *t, enum life_state state, struct span after_serial)
{
    struct key prefix, after;

    state_key(&prefix, state, span_of(NULL, 0));
    state_key(&after, state, after_serial);
    return ledger_index_walk(t, INDEX_STATE, key_span(&prefix),
                             after_serial.len ? key_span(&after) : span_of(NULL, 0));
}

struct index_walk lives_held(struct txn *t, char kind, struct span name, struct span after_serial)
{
    struct key prefix, after;

    held_key(&prefix, kind, name, span_of(NULL, 0));
    held_key(&after, kind, name, after_serial);
    return ledger_index_walk(t, INDEX_HELD, key_span(&prefix),
                             after_serial.len ? key_span(&after) : span_of(NULL, 0));
}

uint32_t lives_older_in_stock(struct txn *t, const struct meter_life *l, int32_t day,
                              int32_t before_day, int32_t *out_due)
{
    struct key prefix, from;
    struct index_walk w;
    uint32_t found = 0;

    shelf_key(&prefix, l);
    from = prefix;
    key_u32(&from, due_number(day));
    w = ledger_index_walk(t, INDEX_SHELF, key_span(&prefix), key_span(&from));
    if (index_next(&w)) {
        struct rd r = rd_of(span_of(w.key.at + prefix.len, w.key.len - prefix.len));
        int32_t due = day_of_due(rd_be32(&r));

        if (!r.err && due != NO_DAY && due < before_day) {
            *out_due = due;
            found = w.value;
        }
    }
    index_done(&w);
    return found;
}

/* ---- made anew ---- */

#define INDEX_VERSION                                                                              \
    2 /* 1: lives stood there as after their last event, also one ahead of the clock */

static uint32_t rules_hash(const struct app *app)
{
    uint32_t h = verify_rules_hash(&app->verify_rules);

    for (const char *c = app->zone.name; *c; c++)
        h = (h ^ (uint8_t)*c) * UINT32_C(16777619);
    return h ^ INDEX_VERSION;
}

void lives_index_made(struct app *app, struct act *act)
{
    act_index_put(act, INDEX_MADE, span_of(NULL, 0), rules_hash(app));
}

static bool keep_time(void *arg, const struct audit_record *record)
{
    *(int64_t *)arg = record->at_s;
    return false;
}

int64_t lives_moved_until(struct txn *t)
{
    struct key until = moved_until();
    struct index_walk w = ledger_index_walk(t, INDEX_MADE, key_span(&until), span_of(NULL, 0));
    int64_t moved_s = index_next(&w) ? w.value : INT64_MIN, acted_s = INT64_MIN;

    index_done(&w);
    for (uint64_t act = ledger_end(t); act && acted_s == INT64_MIN;
         act--) /* of one without a record the act before tells */
        if (ledger_audit(t, act, keep_time, &acted_s))
            break;
    return acted_s > moved_s ? acted_s : moved_s;
}

bool lives_index_agrees(struct app *app, struct txn *t)
{
    struct index_walk w = ledger_index_walk(t, INDEX_MADE, span_of(NULL, 0), span_of(NULL, 0));
    bool same = index_next(&w) && w.key.len == 0 && w.value == rules_hash(app);

    index_done(&w);
    return same;
}

static bool ahead_stands(struct txn *t, int64_t at_s, uint32_t meter)
{
    struct index_walk w;
    struct key k;
    bool there;

    ahead_key(&k, 'a', at_s, meter);
    w = ledger_index_walk(t, INDEX_AHEAD, key_span(&k), span_of(NULL, 0));
    there = index_next(&w);
    index_done(&w);
    return there;
}

int64_t lives_stand_at(struct txn *t, const struct meter_life *l, int64_t until_s)
{
    int64_t next_s = INT64_MIN;

    while ((next_s = next_change(l, next_s)) <= until_s)
        if (ahead_stands(t, next_s, l->meter))
            return next_s - 1;
    return until_s;
}

static bool agree(struct app *app, struct txn *t, enum err *out_err)
{
    bool same = lives_index_agrees(app, t);

    /* The clock stood later once: what has happened by then may lie ahead again. */
    same = same && lives_moved_until(t) <= clock_now_s(&app->clock);
    same = same || ledger_last_id(t, LIST_METER) == 0;
    *out_err = t->err;
    return same;
}

#define DROPPED_AT_ONCE 1024

/* Views of a walk end with a change: some keys are copied, dropped, and the walk begins again. */
static void index_clear(struct act *act, enum ledger_index index, struct span prefix)
{
    struct key *keys = (struct key *)malloc(DROPPED_AT_ONCE * sizeof *keys);
    size_t count;

    if (!keys)
        act->txn.err = ERR_NO_MEMORY;
    do {
        struct index_walk w = ledger_index_walk(&act->txn, index, prefix, span_of(NULL, 0));

        for (count = 0; keys && count < DROPPED_AT_ONCE && index_next(&w); count++) {
            key_clear(&keys[count]);
            key_tail(&keys[count], w.key);
        }
        index_done(&w);
        for (size_t i = 0; i < count; i++)
            act_index_drop(act, index, key_span(&keys[i]));
    } while (count == DROPPED_AT_ONCE && !act->txn.err);
    free(keys);
}

enum err lives_reindex(struct app *app)
{
    static const enum ledger_index made[] = { INDEX_STATE, INDEX_DUE, INDEX_SHELF, INDEX_HELD,
                                              INDEX_STOCK };
    struct txn t = ledger_read(app->ledger);
    struct key until = moved_until();
    uint8_t ahead[1] = { 'a' };
    enum err err;
    bool same = agree(app, &t, &err);
    enum err ended = txn_end(&t);
    uint32_t last;
    struct act act;

    if (err || ended || same)
        return err ? err : ended;
    act = act_begin(app->ledger, "nilod", clock_now_s(&app->clock), journal_end(app->journal));
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        index_clear(&act, made[i], span_of(NULL, 0));
    index_clear(&act, INDEX_AHEAD, span_of(ahead, 1));
    act_index_drop(&act, INDEX_MADE, key_span(&until));
    last = act.txn.err ? 0 : ledger_last_id(&act.txn, LIST_METER);
    for (uint32_t meter = 1; meter <= last && !act.txn.err; meter++)
        life_indexed(app, &act, NULL, meter);
    lives_index_made(app, &act);
    act_note(&act, "meters.index", span_of(NULL, 0), span_of(NULL, 0), span_of(NULL, 0),
             span_text("by the verification table and time zone of today"));
    return act_end(&act);
}
