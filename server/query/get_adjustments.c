/* What changed after cycles were closed, as made: a billing system goes on behind its last cursor. */
#include "proto/base/rd.h"
#include "server/adjust.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"

#include <stdlib.h>

#define PAGE 1000

struct wanted {
    struct listing *l;
    struct txn *txn;
    uint32_t cycle; /* 0: any */
    char point[64]; /* "": any */
    int64_t since_s;
    bool more;
    uint64_t one; /* the path names it */
    bool found;
};

static const char *const columns[] = { "id",      "cycle",    "point",   "delta_l", "delta_m3",
                                       "reason",  "text_en",  "text_zh", "at",      "corrects",
                                       "value_l", "value_m3", NULL };

static void put(struct wanted *w, const struct ledger_adjustment *a, struct span cursor)
{
    struct listing *l = w->l;
    struct ledger_cycle c;

    if (!ledger_cycle_by_id(w->txn, a->cycle, &c)) {
        listing_fail(l, w->txn->err ? w->txn->err : ERR_CORRUPT);
        return;
    }
    row_begin(l);
    row_int(l, "id", (int64_t)a->id);
    row_word(l, "cycle", c.name);
    row_text(l, "point", a->point);
    row_litres(l, "delta_l", a->delta_ml);
    row_int(l, "delta_m3", a->delta_m3);
    row_word(l, "reason", a->reason);
    row_word(l, "text_en", adjust_text_en(a->reason));
    row_word(l, "text_zh", adjust_text_zh(a->reason));
    row_time(l, "at", a->at_s);
    if (a->corrects)
        row_int(l, "corrects", (int64_t)a->corrects);
    else
        row_null(l, "corrects");
    row_litres(l, "value_l", a->value_ml);
    row_int(l, "value_m3", a->value_m3);
    row_end(l, cursor);
}

static bool is_wanted(const struct wanted *w, const struct ledger_adjustment *a)
{
    return (!w->cycle || a->cycle == w->cycle) && a->at_s >= w->since_s &&
           (!w->point[0] || span_equal(a->point, span_text(w->point)));
}

static bool take(void *arg, const struct ledger_adjustment *a)
{
    struct wanted *w = (struct wanted *)arg;
    uint8_t cursor[8];
    struct wr wr = wr_of(cursor, sizeof cursor);

    if (listing_full(w->l)) {
        w->more = true;
        return false;
    }
    wr_be64(&wr, a->id);
    if (is_wanted(w, a))
        put(w, a, wr_span(&wr));
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
    if (listing_number(l, 8, &after))
        listing_fail(l, ledger_adjustments(&t, after, take, w));
    listing_fail(l, txn_end(&t));
    l->ended = !w->more && !l->err;
    w->more = false;
}

/* A cycle that is asked for is there. */
static bool ask_cycle(struct request *q, uint32_t *out)
{
    struct span name = ask_text(q, "cycle");
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_cycle c;
    bool found = name.len && ledger_cycle(&t, name, &c);
    enum err err = txn_end(&t);

    *out = found ? c.id : 0;
    if (err)
        problem_of(q, err, "", "the cycles cannot be read: the store %s", err_text(err));
    else if (name.len && !found)
        problem_of(q, ERR_NOT_FOUND, "cycle", "cycle %.*s: nobody opened it",
                   (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
    return !err && (found || !name.len);
}

static bool ask_point(struct request *q, char out[64])
{
    struct span name = ask_text(q, "point");
    struct txn t;
    bool known;

    text_cut(out, 64, name);
    if (!name.len)
        return true;
    t = ledger_read(q->app->ledger);
    known = named_is_known(q, &t, LIST_POINT, "point");
    txn_abort(&t);
    return known;
}

void answer_adjustments(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_cycle(q, &w->cycle) && ask_point(q, w->point) &&
             ask_time(q, "since", INT64_MIN, &w->since_s))
        listing_new(q, columns, fill, w, free, PAGE);
    else
        free(w);
}

static bool take_one(void *arg, const struct ledger_adjustment *a)
{
    struct wanted *w = (struct wanted *)arg;
    struct scope scope = scope_of(w->l->q->caller.org);

    if (a->id != w->one)
        return false;
    w->found = true;
    if (scope_named(&scope, w->txn, LIST_POINT, a->point))
        put(w, a, span_of(NULL, 0));
    else
        problem_of(
            w->l->q, ERR_FORBIDDEN, "adjustment",
            "the org unit %s may not see this: its point belongs to another unit, or to none",
            w->l->q->caller.org);
    return false;
}

void answer_adjustment(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct listing alone;
    struct wanted w = { .l = &alone, .txn = &t };
    int64_t id = 0;
    enum err err = ERR_OK;

    row_alone_begin(&alone, q);
    if (text_int(q->subject[0], &id) == ERR_OK && id > 0) {
        w.one = (uint64_t)id;
        err = ledger_adjustments(&t, w.one - 1, take_one, &w);
    }
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the adjustment cannot be read: the store %s", err_text(err));
    else if (!w.found)
        problem_of(q, ERR_NOT_FOUND, "adjustment", "adjustment %.*s: there is none of that number",
                   (int)(q->subject[0].len < 40 ? q->subject[0].len : 40),
                   (const char *)q->subject[0].at);
    if (q->refused) {
        out_done(&alone.out);
        out_done(&alone.raw);
    } else {
        row_alone_end(&alone);
    }
}
