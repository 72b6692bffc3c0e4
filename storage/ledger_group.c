/* Acts that wait for each other go with one commit.
 *
 * A commit costs an fsync, and only one act can be under way: acts that are committed one by one make two thousand a second, however
 * many people wait.  So whoever comes while another has the turn queues, in order.  The act that finds nobody before it opens a
 * transaction of its own, as if it were alone; when it ends well and others wait that may share, its transaction becomes a group: they
 * get the turn one after the other, each in a transaction within it, so that one that is refused is undone by itself.  Then the opener,
 * on whose thread LMDB's writer lock lies, commits, and only now all of them return.
 *
 *   opener   ── act ── hands on ────────────── waits ─────────────── commits ── wakes ──▶
 *   member        waits ────── act (within) ── hands on ── waits ──────────────────────▶
 *   member        waits ─────────────────── act (within) ── hands back ── waits ───────▶
 *
 * An act that waits for nobody and for whom nobody waits pays nothing for this but a lock.  A group is as large as there are threads
 * that act, for each of them waits in it.  One that may not share (imports, what changes memory) waits in the same queue and ends the
 * group before it.  What was refused is told after the commit, too: it was judged by what that makes true. */
#include "storage/ledger_priv.h"

#include <assert.h>

void ledger_queue_init(struct ledger_queue *q)
{
    pthread_mutex_init(&q->lock, NULL);
    q->last = &q->first;
}

void ledger_queue_done(struct ledger_queue *q)
{
    assert(!q->taken && !q->first);
    pthread_mutex_destroy(&q->lock);
}

static void wait_lkd(struct ledger_queue *q, struct ledger_seat *seat, const bool *what)
{
    while (!*what)
        pthread_cond_wait(&seat->called, &q->lock);
}

static void give_turn_lkd(struct ledger_seat *seat)
{
    seat->turn = true;
    pthread_cond_signal(&seat->called);
}

/* The first of those who wait, as a member of `group` or (NULL) to open its own. */
static void call_first_lkd(struct ledger_queue *q, struct txn *group)
{
    struct ledger_seat *seat = q->first;

    if (!(q->first = seat->next))
        q->last = &q->first;
    seat->next = NULL;
    seat->group = group;
    give_turn_lkd(seat);
}

static bool may_join_lkd(const struct ledger_queue *q)
{
    return q->first && q->first->shares;
}

struct txn group_enter(struct ledger *l, struct ledger_seat *seat)
{
    struct ledger_queue *q = &l->queue;

    pthread_cond_init(&seat->called, NULL);
    pthread_mutex_lock(&q->lock);
    if (q->taken) {
        *q->last = seat;
        q->last = &seat->next;
        wait_lkd(q, seat, &seat->turn);
    }
    q->taken = seat->turn = true;
    pthread_mutex_unlock(&q->lock);
    return seat->group ? txn_begin_within(seat->group) : txn_begin(l->db, TXN_WRITE);
}

unsigned ledger_waiting(struct ledger *l)
{
    struct ledger_queue *q = &l->queue;
    unsigned count = 0;

    pthread_mutex_lock(&q->lock);
    for (const struct ledger_seat *s = q->first; s; s = s->next)
        count++;
    for (const struct ledger_seat *s = q->members; s; s = s->next)
        count++;
    pthread_mutex_unlock(&q->lock);
    return count;
}

/* ---- members ---- */

/* The turn goes on to the next, or back to the opener; the member's own end is the group's. */
static enum err member_wait(struct ledger_queue *q, struct ledger_seat *seat)
{
    pthread_mutex_lock(&q->lock);
    seat->turn = false;
    seat->next = q->members;
    q->members = seat;
    if (may_join_lkd(q))
        call_first_lkd(q, seat->group);
    else
        give_turn_lkd(q->opener);
    wait_lkd(q, seat, &seat->ended);
    pthread_mutex_unlock(&q->lock);
    return seat->err;
}

static enum err member_leave(struct ledger *l, struct ledger_seat *seat, struct txn *t, bool keep)
{
    enum err err = t->err, group;

    if (keep)
        err = txn_end(t);
    else
        txn_abort(t);
    group = member_wait(&l->queue, seat);
    return err ? err : group;
}

/* ---- the opener ---- */

static void let_others_act(struct ledger_queue *q, struct ledger_seat *seat, struct txn *t)
{
    pthread_mutex_lock(&q->lock);
    q->opener = seat;
    while (may_join_lkd(q)) {
        seat->turn = false;
        call_first_lkd(q, t);
        wait_lkd(q, seat, &seat->turn);
    }
    pthread_mutex_unlock(&q->lock);
}

static void pass_turn(struct ledger_queue *q, enum err err)
{
    struct ledger_seat *m;

    pthread_mutex_lock(&q->lock);
    while ((m = q->members)) {
        q->members = m->next;
        m->err = err;
        m->ended = true;
        pthread_cond_signal(&m->called); /* it goes on when the lock is let go, and `m` with it */
    }
    q->opener = NULL;
    q->taken = q->first != NULL;
    if (q->first)
        call_first_lkd(q, NULL);
    pthread_mutex_unlock(&q->lock);
}

static enum err opener_leave(struct ledger *l, struct ledger_seat *seat, struct txn *t, bool keep)
{
    enum err err = t->err;

    if (keep && !err) {
        if (seat->shares)
            let_others_act(&l->queue, seat, t);
        err = txn_end(t);
    } else {
        txn_abort(t);
    }
    pass_turn(&l->queue, err);
    return err;
}

enum err group_leave(struct ledger *l, struct ledger_seat *seat, struct txn *t, bool keep)
{
    enum err err = seat->group ? member_leave(l, seat, t, keep) : opener_leave(l, seat, t, keep);

    pthread_cond_destroy(&seat->called);
    return err;
}
