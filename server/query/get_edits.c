/* What people said dials stood at, as asked for: in force, waiting, refused or taken back. */
#include "proto/base/rd.h"
#include "server/edits.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"

#include <stdlib.h>

#define PAGE 1000

struct wanted {
    struct listing *l;
    struct txn *txn;
    uint32_t point; /* 0: any */
    int state;      /* enum edit_state; -1: any */
    int64_t since_s;
    bool more;
};

static const char *const columns[] = {
#define EDIT_MEMBER(how, name, ...) #name,
#include "server/edit_members.def"
    NULL
};

/* ---- a row ---- */

static const char *word_of(const char *text)
{
    return text[0] ? text : NULL;
}

static void put_whole(struct listing *l, const char *name, int64_t v)
{
    row_int(l, name, v);
}

static void put_word(struct listing *l, const char *name, const char *word)
{
    row_word(l, name, word);
}

static void put_time(struct listing *l, const char *name, int64_t at_s)
{
    if (at_s)
        row_time(l, name, at_s);
    else
        row_null(l, name);
}

static void put_litres(struct listing *l, const char *name, bool has, int64_t ml)
{
    if (has)
        row_litres(l, name, ml);
    else
        row_null(l, name);
}

static void put_truth(struct listing *l, const char *name, bool is)
{
    row_bool(l, name, is);
}

static void put(struct wanted *w, const struct ledger_edit *e, struct span cursor)
{
    struct listing *l = w->l;
    char point[64], serial[SERIAL_MAX + 1];

    if (!point_name(w->txn, e->point, point) || !meter_serial(w->txn, e->meter, serial)) {
        listing_fail(l, w->txn->err ? w->txn->err : ERR_CORRUPT);
        return;
    }
    row_begin(l);
#define EDIT_MEMBER(how, name, ...) put_##how(l, #name, __VA_ARGS__);
#include "server/edit_members.def"
    row_end(l, cursor);
}

/* ---- which ---- */

static int64_t changed_s(const struct ledger_edit *e)
{
    const int64_t times[] = { e->asked.at_s, e->decided.at_s, e->undo_asked.at_s, e->undone.at_s };
    int64_t last_s = 0;

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        last_s = times[i] > last_s ? times[i] : last_s;
    return last_s;
}

static bool take(void *arg, const struct ledger_edit *e)
{
    struct wanted *w = (struct wanted *)arg;
    uint8_t cursor[8];
    struct wr wr = wr_of(cursor, sizeof cursor);

    if (listing_full(w->l)) {
        w->more = true;
        return false;
    }
    wr_be64(&wr, e->id);
    if ((w->state < 0 || e->state == w->state) && changed_s(e) >= w->since_s)
        put(w, e, wr_span(&wr));
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
        listing_fail(l, ledger_edits(&t, w->point, after, take, w));
    listing_fail(l, txn_end(&t));
    l->ended = !w->more && !l->err;
    w->more = false;
}

/* ---- asking ---- */

static bool ask_point(struct request *q, uint32_t *out)
{
    struct span name = ask_text(q, "point");
    struct ledger_row row;
    struct txn t;
    bool known;

    *out = 0;
    if (!name.len)
        return true;
    t = ledger_read(q->app->ledger);
    known = named_is_known(q, &t, LIST_POINT, "point");
    if (known && ledger_find(&t, LIST_POINT, name, INT64_MAX, &row))
        *out = row.id;
    txn_abort(&t);
    return known;
}

static bool ask_state(struct request *q, int *out)
{
    struct span name = ask_text(q, "state");
    enum edit_state state;

    *out = -1;
    if (!name.len)
        return true;
    if (edit_state_read(name, &state)) {
        *out = (int)state;
        return true;
    }
    problem_of(q, ERR_INVALID, "state",
               "state: found %.*s, expected waiting, in-force, refused, undo-waiting or undone",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

void answer_edits(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_point(q, &w->point) && ask_state(q, &w->state) &&
             ask_time(q, "since", INT64_MIN, &w->since_s))
        listing_new(q, columns, fill, w, free, PAGE);
    else
        free(w);
}

/* ---- one ---- */

static bool edit_asked(struct request *q, struct txn *t, struct ledger_edit *out)
{
    struct scope s = scope_of(q->caller.org);
    struct span name = q->subject[0];
    uint64_t id;

    if (!edit_id_read(name, &id) || !ledger_edit(t, id, out)) {
        if (t->err)
            problem_of(q, t->err, "", "the edits cannot be read: the store %s", err_text(t->err));
        else
            problem_of(q, ERR_NOT_FOUND, "id", "id: nobody asked for an edit %.*s",
                       (int)(name.len < 20 ? name.len : 20), (const char *)name.at);
        return false;
    }
    if (scope_point(&s, t, out->point))
        return true;
    if (t->err)
        problem_of(q, t->err, "", "the register cannot be read: it %s", err_text(t->err));
    else
        problem_of(q, ERR_FORBIDDEN, "id",
                   "the role %s of the org unit %s may not do this: the point of the edit belongs "
                   "to another unit, or to none",
                   role_name(q->caller.role), q->caller.org);
    return false;
}

void answer_edit(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_edit e;
    enum err err;

    if (edit_asked(q, &t, &e)) {
        out_clear(&q->out);
        out_text(&q->out, "{");
        err = edit_put(&q->out, &t, &e);
        out_text(&q->out, "}\n");
        q->status = 200;
        if (err)
            problem_of(q, err, "", "the edit cannot be shown: the store %s", err_text(err));
    }
    txn_abort(&t);
}
