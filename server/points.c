#include "server/points.h"

#include "server/registers.h"
#include "storage/journal.h"

#include <string.h>

#define ACCOUNT_MAX 128 /* of a longer text the beginning */
#define MADE_BY 3       /* 1, 2: without what points were once, and stand behind */

static bool key_of(char kind, struct span text, struct span point, struct key *out)
{
    key_clear(out);
    if (!text.len)
        return false;
    key_u8(out, (uint8_t)kind);
    key_text(out, span_of(text.at, text.len < ACCOUNT_MAX ? text.len : ACCOUNT_MAX));
    if (point.len)
        key_text(out, point);
    return true;
}

bool points_use_indexed(struct span use_class)
{
    return use_class.len && !span_equal(use_class, span_text("residential"));
}

static struct span use_of(const struct span *cells)
{
    struct span use = cells[CELL_POINT_use_class];

    return points_use_indexed(use) ? use : span_of(NULL, 0);
}

/* Nothing stands under an empty key. */
static void follow(struct act *act, uint32_t point, const struct key *was, const struct key *is)
{
    if (span_equal(key_span(was), key_span(is)))
        return;
    if (was->len)
        act_index_drop(act, INDEX_POINTS, key_span(was));
    if (is->len)
        act_index_put(act, INDEX_POINTS, key_span(is), point);
}

/* Whose it was, and behind which it stood, it stays findable by. */
static void put_once(struct act *act, uint32_t point, const struct key *was)
{
    struct key once = *was;

    if (!was->len)
        return;
    once.bytes[0] = was->bytes[0] == 'a' ? 'o' : 'c';
    act_index_put(act, INDEX_POINTS, key_span(&once), point);
}

static struct key made_key(void)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 'p');
    return k;
}

void point_keys(const struct cells *cells, struct key *account, struct key *use, struct key *behind)
{
    const struct span *at = cells->at;

    (void)key_of('a', at[CELL_POINT_account], at[CELL_POINT_point], account);
    (void)key_of('u', use_of(at), at[CELL_POINT_point], use);
    (void)key_of('b', at[CELL_POINT_behind], at[CELL_POINT_point], behind);
}

void point_indexed(struct act *act, uint32_t point, const struct ledger_row *was,
                   const struct cells *is)
{
    struct key account, use, behind, was_account, was_use, was_behind, made = made_key();

    key_clear(&was_account);
    key_clear(&was_use);
    key_clear(&was_behind);
    if (was) {
        struct cells then = cells_of(was);

        point_keys(&then, &was_account, &was_use, &was_behind);
    }
    point_keys(is, &account, &use, &behind);
    follow(act, point, &was_account, &account);
    if (!span_equal(key_span(&was_account), key_span(&account)))
        put_once(act, point, &was_account);
    follow(act, point, &was_behind, &behind);
    if (!span_equal(key_span(&was_behind), key_span(&behind)))
        put_once(act, point, &was_behind);
    follow(act, point, &was_use, &use);
    if (point == 1 && !was)
        act_index_put(act, INDEX_MADE, key_span(&made), MADE_BY);
}

static struct index_walk walk(struct txn *t, char kind, struct span text, struct span after_point)
{
    struct key prefix, after;

    (void)key_of(kind, text, span_of(NULL, 0), &prefix);
    (void)key_of(kind, text, after_point, &after);
    return ledger_index_walk(t, INDEX_POINTS, key_span(&prefix),
                             after_point.len ? key_span(&after) : span_of(NULL, 0));
}

struct index_walk points_of_account(struct txn *t, struct span account, struct span after_point)
{
    return walk(t, 'a', account, after_point);
}

struct index_walk points_once_of(struct txn *t, struct span account)
{
    return walk(t, 'o', account, span_of(NULL, 0));
}

struct index_walk points_behind(struct txn *t, struct span point, bool once)
{
    return walk(t, once ? 'c' : 'b', point, span_of(NULL, 0));
}

struct index_walk points_behind_any(struct txn *t)
{
    return ledger_index_walk(t, INDEX_POINTS, span_text("b"), span_of(NULL, 0));
}

struct index_walk points_behind_after(struct txn *t, struct span house)
{
    struct key after;

    if (!house.len)
        return points_behind_any(t);
    key_clear(&after);
    key_u8(&after, 'b');
    key_text(&after, house);
    key_u8(&after, UINT8_MAX); /* no name begins so */
    return ledger_index_walk(t, INDEX_POINTS, span_text("b"), key_span(&after));
}

bool points_behind_next(struct index_walk *w, struct span *out_name)
{
    const uint8_t *end;

    if (!index_next(w))
        return false;
    end = memchr(w->key.at + 1, 0, w->key.len - 1);
    *out_name = span_of(w->key.at + 1, end ? (size_t)(end - w->key.at) - 1 : w->key.len - 1);
    return true;
}

struct index_walk points_of_use(struct txn *t, struct span use_class, struct span after_point)
{
    return walk(t, 'u', use_class, after_point);
}

/* ---- made anew ---- */

bool points_are_indexed(struct txn *t)
{
    struct key made = made_key();
    struct index_walk w = ledger_index_walk(t, INDEX_MADE, key_span(&made), span_of(NULL, 0));
    bool there = index_next(&w) && w.value >= MADE_BY;

    index_done(&w);
    return there;
}

static bool is_made(struct app *app, enum err *out_err)
{
    struct txn t = ledger_read(app->ledger);
    bool there = points_are_indexed(&t) || ledger_last_id(&t, LIST_POINT) == 0;

    *out_err = txn_end(&t);
    return there;
}

/* Of the versions before the newest, which holds from `since_s`. */
static void put_past(struct act *act, uint32_t point, int64_t since_s)
{
    struct ledger_row row;

    while (since_s != LEDGER_ALWAYS &&
           ledger_by_id(&act->txn, LIST_POINT, point, since_s - 1, &row)) {
        struct cells cells = cells_of(&row);
        struct key account, use, behind;

        since_s = row.since_s;
        point_keys(&cells, &account, &use, &behind);
        put_once(act, point, &account);
        put_once(act, point, &behind);
    }
}

enum err points_reindex(struct app *app)
{
    struct key made = made_key();
    struct ledger_row row;
    struct act act;
    uint32_t last;
    enum err err;

    if (is_made(app, &err) || err)
        return err;
    act = act_begin(app->ledger, "nilod", clock_now_s(&app->clock), journal_end(app->journal));
    last = act.txn.err ? 0 : ledger_last_id(&act.txn, LIST_POINT);
    for (uint32_t point = 1; point <= last && !act.txn.err; point++) {
        if (ledger_by_id(&act.txn, LIST_POINT, point, INT64_MAX, &row)) {
            struct cells cells = cells_of(&row);

            int64_t since_s = row.since_s;

            point_indexed(&act, point, NULL, &cells);
            put_past(&act, point, since_s);
        }
    }
    act_index_put(&act, INDEX_MADE, key_span(&made), MADE_BY);
    act_note(&act, "points.index", span_of(NULL, 0), span_of(NULL, 0), span_of(NULL, 0),
             span_text("by account and use class"));
    return act_end(&act);
}
