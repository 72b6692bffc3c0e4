/* POST /v1/figures/MONTH/close: the figures of a month are frozen, all of them in one act. */
#include "proto/base/hex.h"
#include "server/acts/answer.h"
#include "server/figures.h"
#include "server/settler.h"

struct month_closing {
    const struct act_request *q;
    struct act_reply *reply;
    struct figure_month month;
    char name[FIGURE_MONTH_SIZE];
    struct span why;
};

static bool month_taken(struct month_closing *k)
{
    struct span text = k->q->subject;

    if (figure_month_read(text, &k->q->app->zone, &k->month)) {
        figure_month_put(&k->month, k->name);
        return true;
    }
    answer_refuse(k->reply, ERR_NOT_FOUND, "month",
                  "month: found %.*s, expected a month as 2026-03",
                  (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

/* Refused where it is not over, or closed already. */
static bool is_ripe(struct month_closing *k, struct txn *t)
{
    int64_t now_s = clock_now_s(&k->q->app->clock);
    struct ledger_month row;
    char at[TEXT_TIME_SIZE];

    if (!figure_month_over(&k->month, now_s)) {
        text_put_time(at, figure_month_end(&k->month));
        answer_refuse(k->reply, ERR_CONFLICT, "month",
                      "month %s: it is over at %s; expected one that is over", k->name, at);
        return false;
    }
    if (!ledger_month(t, figure_month_number(&k->month), &row)) {
        if (t->err)
            answer_failed(k->reply, t->err);
        return !t->err;
    }
    text_put_time(at, row.closed_s);
    answer_refuse(k->reply, ERR_CONFLICT, "month",
                  "month %s: %s closed it at %s; what is closed stays closed, and what is known "
                  "since stands beside it as later",
                  k->name, row.who, at);
    return false;
}

static void put_row(struct out *o, const char *month, const struct ledger_month *row)
{
    char hex[2 * sizeof row->digest + 1];
    struct wr w = wr_of(hex, sizeof hex);

    hex_write(&w, span_of(row->digest, sizeof row->digest));
    wr_u8(&w, 0);
    out_member_text(o, "month", month);
    out_member_time(o, "frozen_at", row->closed_s);
    out_member_text(o, "frozen_by", row->who);
    out_member_int(o, "groups", (int64_t)row->groups);
    out_member_text(o, "digest", hex);
}

static void commit(struct month_closing *k, const struct figures *f)
{
    struct act act = act_by(k->q);
    struct ledger_month row;
    struct out told = { 0 };

    if (act.txn.err) {
        answer_failed(k->reply, act.txn.err);
    } else if (is_ripe(k, &act.txn)) {
        figures_freeze(&act, f, &row);
        out_text(&told, "{");
        put_row(&told, k->name, &row);
        out_text(&told, "}");
        if (told.err && !act.txn.err)
            act.txn.err = told.err;
        act_note(&act, "figures.close", span_text(k->name), span_of(NULL, 0),
                 span_of(told.at, told.len), k->why);
        answer_begin(k->reply, 200);
        put_row(&k->reply->body, k->name, &row);
        answer_end(k->reply, NULL);
        (void)!answer_commit(k->q, k->reply, &act); /* the answer tells */
        out_done(&told);
    }
    act_abort(&act);
}

void act_close_figures(const struct act_request *q, struct act_reply *out)
{
    struct month_closing k = { .q = q, .reply = out };
    struct figures *f = NULL;
    struct txn t;
    bool ripe;
    enum err err;

    if (!answer_role(q, out, ROLES_CHIEF) || !month_taken(&k) ||
        !answer_members(q, out, "note", NULL) || !answer_text(q, out, "note", false, &k.why))
        return;
    t = ledger_read(q->app->ledger);
    ripe = is_ripe(&k, &t);
    txn_abort(&t);
    if (!ripe)
        return;
    /* What was acknowledged and decided before is known, flags and adjustments too. */
    if ((err = settler_settle(q->app->settler)) || (err = figures_make(q->app, &k.month, &f)))
        answer_failed(out, err);
    else
        commit(&k, f);
    figures_free(f);
}
