/* POST /v1/cycles/ID/review and …/close: a person has looked at a cycle; its figures are frozen. */
#include "server/acts/cycle.h"
#include "server/settler.h"
#include "storage/journal.h"

#include <stdatomic.h>
#include <stdio.h>

static bool refuse_closed(struct act_reply *out, const struct ledger_cycle *c)
{
    char at[TEXT_TIME_SIZE];

    text_put_time(at, c->closed.at_s);
    answer_refuse(out, ERR_CONFLICT, "cycle",
                  "cycle %s: %s closed it at %s; what is closed stays closed, and later knowledge "
                  "becomes an adjustment",
                  c->name, c->closed.who, at);
    return false;
}

static void note(struct act *act, const char *what, const struct ledger_cycle *c,
                 const char *before, struct span why)
{
    struct out told = { 0 };

    out_text(&told, "{");
    out_member_text(&told, "state", cycle_state_name((enum cycle_state)c->state));
    if (c->state == CYCLE_CLOSED) {
        out_member_int(&told, "points", (int64_t)c->points);
        out_member_int(&told, "missing", (int64_t)c->by_quality[QUALITY_MISSING]);
        cycle_put_digest(&told, c);
    }
    out_text(&told, "}");
    if (told.err && !act->txn.err)
        act->txn.err = told.err;
    act_note(act, what, span_text(c->name), span_text(before), span_of(told.at, told.len), why);
    out_done(&told);
}

/* ---- review ---- */

void act_review_cycle(const struct act_request *q, struct act_reply *out)
{
    struct ledger_cycle c = { 0 };
    struct span why;
    struct act act;

    if (!answer_role(q, out, ROLES_BILLING))
        return;
    act = act_by(q);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (cycle_named(q, out, &act.txn, &c) && answer_members(q, out, "note", NULL) &&
               answer_text(q, out, "note", false, &why) &&
               (c.state != CYCLE_CLOSED || refuse_closed(out, &c))) {
        const char *before = cycle_state_name((enum cycle_state)c.state);

        c.state = CYCLE_REVIEWED;
        c.reviewed.at_s = act.now_s;
        snprintf(c.reviewed.who, sizeof c.reviewed.who, "%s", q->caller->who);
        act_put_cycle(&act, &c);
        note(&act, "cycle.review", &c, before, why);
        cycle_answer(out, 200, &c, NULL);
        (void)!answer_commit(q, out, &act); /* the answer tells */
    }
    act_abort(&act);
    cycle_done(&c);
}

/* ---- close ---- */

struct closing {
    const struct act_request *q;
    struct act_reply *reply;
    struct span why;
    struct ledger_cycle cycle;
    struct cycle_sums sums;
    int64_t now_s;
};

/* What was found there before it was staged holds no more: somebody may have reviewed it. */
static void keep_marks(struct closing *k, struct txn *t)
{
    struct ledger_cycle now;

    if (!ledger_cycle_by_id(t, k->cycle.id, &now))
        return;
    k->cycle.state = now.state;
    k->cycle.reviewed = now.reviewed;
}

static void commit(struct closing *k)
{
    struct app *app = k->q->app;
    struct act act = act_begin(app->ledger, k->q->caller->who, k->now_s, journal_end(app->journal));
    const char *before;

    if (!act.txn.err)
        keep_marks(k, &act.txn);
    before = cycle_state_name((enum cycle_state)k->cycle.state);
    k->cycle.state = CYCLE_CLOSED;
    k->cycle.closed.at_s = k->now_s;
    snprintf(k->cycle.closed.who, sizeof k->cycle.closed.who, "%s", k->q->caller->who);
    act_put_cycle(&act, &k->cycle);
    note(&act, "cycle.close", &k->cycle, before, k->why);
    cycle_answer(k->reply, 200, &k->cycle, &k->sums);
    if (!answer_commit(k->q, k->reply, &act))
        atomic_fetch_add(&app->closings, 1);
}

/* Again, for another may have closed it while we waited for the place. */
static bool is_still_open(struct closing *k)
{
    struct txn t = ledger_read(k->q->app->ledger);
    bool open = cycle_named(k->q, k->reply, &t, &k->cycle) &&
                (k->cycle.state != CYCLE_CLOSED || refuse_closed(k->reply, &k->cycle));
    enum err err = txn_end(&t);

    if (err)
        answer_failed(k->reply, err);
    return open && !err;
}

/* The settler's place is ours: no reading becomes settled before the cycle is closed. */
static enum err close_lent(void *arg)
{
    struct closing *k = (struct closing *)arg;
    struct app *app = k->q->app;
    enum err err = ERR_OK;

    if (!is_still_open(k))
        return ERR_OK;
    atomic_store(&app->closing, k->cycle.id);
    k->now_s = clock_now_s(&app->clock);
    if ((err = cycle_stage(app, &k->cycle, k->now_s, &k->sums)))
        answer_failed(k->reply, err);
    else
        commit(k);
    atomic_store(&app->closing, 0);
    return ERR_OK;
}

/* What can be said at once, without waiting for anybody. */
static bool may_close(const struct act_request *q, struct act_reply *out)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_cycle c = { 0 };
    bool fine = cycle_named(q, out, &t, &c);
    enum err err = txn_end(&t);

    if (err)
        answer_failed(out, err);
    else if (fine && c.state == CYCLE_CLOSED)
        fine = refuse_closed(out, &c);
    else if (fine && atomic_load(&q->app->closing) == c.id) {
        answer_refuse(out, ERR_CONFLICT, "cycle", "cycle %s: somebody is closing it at this moment",
                      c.name);
        fine = false;
    }
    cycle_done(&c);
    return fine && !err;
}

void act_close_cycle(const struct act_request *q, struct act_reply *out)
{
    struct closing k = { .q = q, .reply = out };
    enum err err;

    if (!answer_role(q, out, ROLES_BILLING) || !may_close(q, out) ||
        !answer_members(q, out, "note", NULL) || !answer_text(q, out, "note", false, &k.why))
        return;
    /* What was acknowledged before is known: it must be settled, for settled readings alone are
     * looked at. */
    if ((err = settler_settle(q->app->settler)) ||
        (err = settler_lend(q->app->settler, close_lent, &k)))
        answer_failed(out, err);
    cycle_done(&k.cycle);
}
