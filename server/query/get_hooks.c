/* Webhooks: who is told of what happens, how that goes, and what was given up. */
#include "proto/base/rd.h"
#include "server/hooks.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"
#include "storage/store_key.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define SECRET_MOST 256

static const char *const columns[] = {
    "name",       "url",         "kinds",    "enabled",       "org",   "fingerprint",
    "created_at", "created_by",  "backlog",  "backlog_more",  "dead",  "up_to",
    "last_at",    "last_status", "last_why", "failing_since", "fails", NULL
};

struct wanted {
    struct listing *l;
    struct txn *txn;
    struct span after;
};

static bool count_dead(void *arg, const struct hook_dead *d)
{
    (void)d;
    ++*(int64_t *)arg;
    return true;
}

static void put_fingerprint(struct listing *l, const struct ledger_hook *h)
{
    const struct store_key *key = l->app->store_key;
    uint8_t place[HOOK_PLACE_SIZE], secret[SECRET_MOST];
    char print[FINGERPRINT_SIZE] = "";
    size_t len;

    hook_secret_place(h->id, place);
    if (key && !store_key_unseal(key, span_of(place, sizeof place), h->sealed, secret,
                                 sizeof secret, &len))
        store_key_fingerprint(key, 'h', span_of(secret, len), print);
    explicit_bzero(secret, sizeof secret);
    row_word(l, "fingerprint", print[0] ? print : NULL);
}

static void put_tries(struct listing *l, const struct hook_seen *seen)
{
    if (seen->last_at_s) {
        row_time(l, "last_at", seen->last_at_s);
        row_int(l, "last_status", seen->last_status);
    } else {
        row_null(l, "last_at");
        row_null(l, "last_status");
    }
    row_word(l, "last_why", seen->last_why[0] ? seen->last_why : NULL);
    if (seen->cursor.failing_since_s)
        row_time(l, "failing_since", seen->cursor.failing_since_s);
    else
        row_null(l, "failing_since");
    row_int(l, "fails", seen->cursor.fails);
}

static void put(struct wanted *w, const struct ledger_hook *h)
{
    struct listing *l = w->l;
    char name[HOOK_NAME_MAX + 1], org[64], up_to[HOOK_ID_SIZE];
    const struct hook_listener who = { .kinds = h->kinds, .name = name, .org = org };
    struct hook_seen seen = { 0 };
    int64_t dead = 0;
    uint64_t backlog = 0;
    bool more = false;

    snprintf(name, sizeof name, "%.*s", (int)h->name.len, (const char *)h->name.at);
    snprintf(org, sizeof org, "%.*s", (int)(h->org.len < 64 ? h->org.len : 63),
             h->org.len ? (const char *)h->org.at : "");
    if (!hooks_seen(l->app->hooks, h->id, &seen))
        (void)ledger_hook_cursor(w->txn, h->id, &seen.cursor);
    if (hook_backlog(w->txn, &who, seen.cursor.at, &backlog, &more) ||
        ledger_hook_deads(w->txn, h->id, (struct hook_place){ 0 }, count_dead, &dead)) {
        listing_fail(l, w->txn->err);
        return;
    }
    row_begin(l);
    row_word(l, "name", name);
    row_text(l, "url", h->url);
    hook_kinds_put(row_raw_begin(l, "kinds"), h->kinds);
    row_raw_end(l);
    row_bool(l, "enabled", h->enabled);
    row_text(l, "org", h->org);
    put_fingerprint(l, h);
    row_time(l, "created_at", h->created_s);
    row_text(l, "created_by", h->who);
    row_int(l, "backlog", (int64_t)backlog);
    row_bool(l, "backlog_more", more);
    row_int(l, "dead", dead);
    if (seen.cursor.at.part == UINT32_MAX)
        snprintf(up_to, sizeof up_to, "%llu", (unsigned long long)seen.cursor.at.act);
    else
        hook_event_id(seen.cursor.at, up_to);
    row_word(l, "up_to", up_to);
    put_tries(l, &seen);
    row_end(l, h->name);
}

/* A unit sees its own. */
static bool is_theirs(const struct request *q, struct txn *t, const struct ledger_hook *h)
{
    struct scope scope = scope_of(q->caller.org);

    return !q->caller.org[0] || (h->org.len && scope_org(&scope, t, h->org));
}

static bool take(void *arg, const struct ledger_hook *h)
{
    struct wanted *w = (struct wanted *)arg;
    size_t least = h->name.len < w->after.len ? h->name.len : w->after.len;
    int order = least ? memcmp(h->name.at, w->after.at, least) : 0;

    if (order < 0 || (!order && h->name.len <= w->after.len))
        return true;
    if (listing_full(w->l))
        return false;
    if (is_theirs(w->l->q, w->txn, h))
        put(w, h);
    else
        listing_pass(w->l, h->name);
    return !w->l->err;
}

static void fill(struct listing *l)
{
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct wanted w = { .l = l, .txn = &t, .after = span_of(after, l->cursor_len) };
    enum err err, ended;

    memcpy(after, l->cursor, l->cursor_len);
    err = ledger_hooks(&t, take, &w);
    ended = txn_end(&t);
    if (err || ended)
        listing_fail(l, err ? err : ended);
    l->ended = !listing_full(l);
}

void answer_hooks(struct request *q)
{
    listing_new(q, columns, fill, NULL, NULL, PAGE);
}

/* False: 403, 404 or worse stands. */
static bool hook_asked(struct request *q, struct txn *t, struct ledger_hook *h)
{
    if (!ledger_hook(t, q->subject[0], h)) {
        problem_of(
            q, t->err ? t->err : ERR_NOT_FOUND, "hook", "%.*s: there is no webhook of that name",
            (int)(q->subject[0].len < 64 ? q->subject[0].len : 64), (const char *)q->subject[0].at);
        return false;
    }
    if (is_theirs(q, t, h))
        return true;
    problem_of(q, ERR_FORBIDDEN, "hook",
               "the role %s of the org unit %s may not do this: the webhook belongs to another "
               "unit, or to none",
               role_name(q->caller.role), q->caller.org);
    return false;
}

void answer_hook(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct listing alone;
    struct wanted w = { .l = &alone, .txn = &t };
    struct ledger_hook h;

    row_alone_begin(&alone, q);
    if (hook_asked(q, &t, &h)) {
        put(&w, &h);
        row_alone_end(&alone);
    }
    txn_abort(&t);
}

/* ---- dead letters ---- */

static const char *const dead_columns[] = { "id",       "kind",     "since",
                                            "tried_at", "attempts", "last_status",
                                            "last_why", "again",    NULL };

struct deads {
    uint32_t hook;
};

static bool take_dead(void *arg, const struct hook_dead *d)
{
    struct listing *l = (struct listing *)arg;
    char id[HOOK_ID_SIZE];
    uint8_t cursor[12];
    struct wr w = wr_of(cursor, sizeof cursor);

    if (listing_full(l))
        return false;
    hook_event_id(d->at, id);
    wr_be64(&w, d->at.act);
    wr_be32(&w, d->at.part);
    row_begin(l);
    row_word(l, "id", id);
    row_word(l, "kind", d->kind);
    row_time(l, "since", d->since_s);
    row_time(l, "tried_at", d->tried_s);
    row_int(l, "attempts", d->attempts);
    row_int(l, "last_status", d->status);
    row_word(l, "last_why", d->why[0] ? d->why : NULL);
    row_bool(l, "again", d->again);
    row_end(l, wr_span(&w));
    return true;
}

static void fill_dead(struct listing *l)
{
    const struct deads *d = (const struct deads *)l->state;
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    struct txn t = ledger_read(l->app->ledger);
    struct hook_place after = { 0 };
    enum err err, ended;

    if (l->cursor_len) {
        after.act = rd_be64(&r);
        after.part = rd_be32(&r);
    }
    err = l->cursor_len && (r.err || rd_left(&r))
              ? ERR_INVALID
              : ledger_hook_deads(&t, d->hook, after, take_dead, l);
    ended = txn_end(&t);
    if (err || ended)
        listing_fail(l, err ? err : ended);
    l->ended = !listing_full(l);
}

void answer_hook_dead(struct request *q)
{
    struct deads *d = (struct deads *)calloc(1, sizeof *d);
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_hook h;
    bool fine = d && hook_asked(q, &t, &h);

    txn_abort(&t);
    if (!d)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (fine)
        d->hook = h.id;
    if (fine)
        listing_new(q, dead_columns, fill_dead, d, free, PAGE);
    else
        free(d);
}
