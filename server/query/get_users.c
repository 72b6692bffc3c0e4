/* GET /v1/users: who may sign in. */
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"
#include "storage/ledger.h"

#define PAGE 1000

static const char *const columns[] = { "name",       "role",       "org",        "enabled",
                                       "created_at", "changed_at", "changed_by", NULL };

struct wanted {
    struct listing *l;
    struct txn *txn;
    struct scope scope;
};

static bool take(void *arg, const struct ledger_user *u)
{
    struct wanted *w = (struct wanted *)arg;
    struct listing *l = w->l;

    if (listing_full(l))
        return false;
    if (l->q->caller.org[0] && !(u->org.len && scope_org(&w->scope, w->txn, u->org))) {
        listing_pass(l, u->name);
        return !l->err;
    }
    row_begin(l);
    row_text(l, "name", u->name);
    row_word(l, "role", role_name(u->role));
    row_text(l, "org", u->org);
    row_bool(l, "enabled", u->enabled);
    row_time(l, "created_at", u->created_s);
    row_time(l, "changed_at", u->changed_s);
    row_text(l, "changed_by", u->who);
    row_end(l, u->name);
    return !l->err;
}

static void fill(struct listing *l)
{
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct wanted w = { .l = l, .txn = &t, .scope = scope_of(l->q->caller.org) };
    enum err err, ended;

    memcpy(after, l->cursor, l->cursor_len);
    err = ledger_users(&t, span_of(after, l->cursor_len), take, &w);
    ended = txn_end(&t);
    if (err || ended)
        listing_fail(l, err ? err : ended);
    l->ended = !listing_full(l);
}

void answer_users(struct request *q)
{
    listing_new(q, columns, fill, NULL, NULL, PAGE);
}
