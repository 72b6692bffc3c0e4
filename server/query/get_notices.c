/* Notices to customers, and what accounts want of them. */
#include "proto/base/rd.h"
#include "server/notices.h"
#include "server/points.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "id",      "case",    "kind",    "part",     "state",
                                       "why",     "account", "point",   "phone",    "onset",
                                       "made_at", "due",     "done_at", "evidence", "text_en",
                                       "text_zh", NULL };

struct wanted {
    struct listing *l;
    struct txn *txn;
    char account[NOTICE_ACCOUNT_MAX + 1]; /* "": any */
    uint32_t point;                       /* 0: any */
    bool by_kind, by_state, none;
    enum notice_kind kind;
    enum notice_state state;
    int64_t since_s;
    bool more;
};

static void put(struct wanted *w, const struct ledger_notice *n)
{
    struct listing *l = w->l;
    struct notice_place now;
    uint8_t cursor[8];
    struct wr wr = wr_of(cursor, sizeof cursor);
    bool theirs;

    wr_be64(&wr, n->number);
    if (notice_place(w->txn, n->point, INT64_MAX, &now)) {
        listing_fail(l, w->txn->err);
        return;
    }
    theirs = n->account.len && span_equal(n->account, span_text(now.account));
    row_begin(l);
    row_int(l, "id", (int64_t)n->number);
    row_text(l, "case", n->case_id);
    row_word(l, "kind", notice_kind_name((enum notice_kind)n->kind));
    row_word(l, "part", notice_part_name((enum notice_part)n->part));
    row_word(l, "state", notice_state_name((enum notice_state)n->state));
    row_text(l, "why", n->why);
    if (n->account.len)
        row_text(l, "account", n->account);
    else
        row_null(l, "account");
    row_word(l, "point", now.point);
    row_word(l, "phone", theirs && now.phone[0] ? now.phone : NULL);
    row_time(l, "onset", n->onset_s);
    row_time(l, "made_at", n->made_s);
    row_time(l, "due", n->due_s);
    if (n->done_s)
        row_time(l, "done_at", n->done_s);
    else
        row_null(l, "done_at");
    out_bytes(row_raw_begin(l, "evidence"), n->evidence.at, n->evidence.len);
    row_raw_end(l);
    row_text(l, "text_en", n->en);
    row_text(l, "text_zh", n->zh);
    row_end(l, wr_span(&wr));
}

static bool is_wanted(const struct wanted *w, const struct ledger_notice *n)
{
    return (!w->by_kind || n->kind == w->kind) && (!w->by_state || n->state == w->state) &&
           n->made_s >= w->since_s &&
           (!w->account[0] || span_equal(n->account, span_text(w->account))) &&
           (!w->point || n->point == w->point);
}

static bool take(void *arg, const struct ledger_notice *n)
{
    struct wanted *w = (struct wanted *)arg;
    uint8_t cursor[8];
    struct wr wr = wr_of(cursor, sizeof cursor);

    if (listing_full(w->l)) {
        w->more = true;
        return false;
    }
    wr_be64(&wr, n->number);
    if (is_wanted(w, n))
        put(w, n);
    else
        listing_pass(w->l, wr_span(&wr));
    return !w->l->err;
}

static void fill(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint64_t after;

    w->l = l;
    w->txn = &t;
    if (listing_number(l, 8, &after) && !w->none)
        listing_fail(l, ledger_notices(&t, span_text(w->account), w->account[0] ? 0 : w->point,
                                       after, take, w));
    listing_fail(l, txn_end(&t));
    l->ended = !w->more && !l->err;
    w->more = false;
}

static bool ask_words(struct request *q, struct wanted *w)
{
    struct span kind = ask_text(q, "kind"), state = ask_text(q, "state");

    w->by_kind = kind.len;
    w->by_state = state.len;
    if (kind.len && !notice_kind_read(kind, &w->kind)) {
        problem_of(q, ERR_INVALID, "kind",
                   "kind: found %.*s, expected leak, unusual-use, no-use or frost",
                   (int)(kind.len < 40 ? kind.len : 40), (const char *)kind.at);
        return false;
    }
    if (!state.len || notice_state_read(state, &w->state))
        return true;
    problem_of(q, ERR_INVALID, "state",
               "state: found %.*s, expected waiting, sent, withheld or dropped",
               (int)(state.len < 40 ? state.len : 40), (const char *)state.at);
    return false;
}

static bool ask_point(struct request *q, struct wanted *w)
{
    struct span name = ask_text(q, "point");
    struct ledger_row row;
    struct txn t;
    bool known;

    if (!name.len)
        return true;
    t = ledger_read(q->app->ledger);
    known = named_is_known(q, &t, LIST_POINT, "point") &&
            ledger_find(&t, LIST_POINT, name, INT64_MAX, &row);
    if (known)
        w->point = row.id;
    txn_abort(&t);
    return known;
}

void answer_notices(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_words(q, w) && ask_copy(q, "account", w->account, sizeof w->account) &&
             ask_point(q, w) && ask_time(q, "since", INT64_MIN, &w->since_s))
        listing_new(q, columns, fill, w, free, PAGE);
    else
        free(w);
}

void answer_notice(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct scope scope = scope_of(q->caller.org);
    struct listing alone;
    struct wanted w = { .l = &alone, .txn = &t };
    struct ledger_notice n;
    int64_t number = 0;

    row_alone_begin(&alone, q);
    if (text_int(q->subject[0], &number) || number < 1 ||
        !ledger_notice(&t, (uint64_t)number, &n)) {
        problem_of(
            q, t.err ? t.err : ERR_NOT_FOUND, "notice", "notice %.*s: there is none of that number",
            (int)(q->subject[0].len < 40 ? q->subject[0].len : 40), (const char *)q->subject[0].at);
    } else if (!scope_point(&scope, &t, n.point)) {
        problem_of(q, t.err ? t.err : ERR_FORBIDDEN, "notice",
                   "the role %s of the org unit %s may not see this: its point belongs to another "
                   "unit, or to none",
                   role_name(q->caller.role), q->caller.org);
    } else {
        put(&w, &n);
        row_alone_end(&alone);
    }
    txn_abort(&t);
}

/* ---- what accounts want ---- */

static const char *const choice_columns[] = { "account", "notices", "since", "who", NULL };

static bool is_theirs(struct listing *l, struct txn *t, struct span account)
{
    struct scope scope = scope_of(l->q->caller.org);
    struct index_walk w;
    bool any = false, ours = true;

    if (!l->q->caller.org[0])
        return true;
    w = points_of_account(t, account, span_of(NULL, 0));
    while (ours && index_next(&w)) {
        any = true;
        ours = scope_point(&scope, t, w.value);
    }
    index_done(&w);
    return any && ours;
}

static void put_choice(struct listing *l, const struct ledger_choice *c)
{
    char words[64] = "";
    size_t len = 0;

    for (unsigned k = 0; k < NOTICE_KINDS; k++)
        if (c->kinds & 1u << k)
            len += (size_t)snprintf(words + len, sizeof words - len, "%s%s", len ? "," : "",
                                    notice_kind_name((enum notice_kind)k));
    row_begin(l);
    row_text(l, "account", c->account);
    row_word(l, "notices", c->kinds ? words : "off");
    row_time(l, "since", c->at_s);
    row_text(l, "who", c->who);
    row_end(l, c->account);
}

struct choices {
    struct listing *l;
    struct txn *txn;
};

static bool take_choice(void *arg, const struct ledger_choice *c)
{
    struct choices *w = (struct choices *)arg;

    if (listing_full(w->l))
        return false;
    if (is_theirs(w->l, w->txn, c->account))
        put_choice(w->l, c);
    else
        listing_pass(w->l, c->account);
    return !w->l->err;
}

static void fill_choices(struct listing *l)
{
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct choices w = { .l = l, .txn = &t };
    enum err err, ended;

    memcpy(after, l->cursor, l->cursor_len);
    err = ledger_notice_choices(&t, span_of(after, l->cursor_len), take_choice, &w);
    ended = txn_end(&t);
    if (err || ended)
        listing_fail(l, err ? err : ended);
    l->ended = !listing_full(l);
}

void answer_notice_choices(struct request *q)
{
    listing_new(q, choice_columns, fill_choices, NULL, NULL, PAGE);
}
