/* Commands that must be looked at again before they go on.
 *
 * Whose water may be cut off is asked when a closing is ordered and when it is approved; and once
 * more when the register changes behind one that has not been carried out: a meter may be put before
 * a hydrant meanwhile. A request for readings that have come by themselves is not made. */
#include "server/commands_priv.h"

#include "server/registers.h"

#include <stdio.h>

#define LOOKED_AT_ONCE 2048 /* in a turn: settling waits for it */

static const char *protected_word(enum use_class use)
{
    switch (use) {
    case USE_PUBLIC:
        return "public";
    case USE_HYDRANT:
        return "hydrant";
    case USE_ZONE_INLET:
        return "zone-inlet";
    case USE_ZONE_OUTLET:
        return "zone-outlet";
    default:
        return NULL;
    }
}

/* The point where the meter is now; 0: none. */
static enum err point_now(struct txn *t, uint32_t meter, int64_t now_s, uint32_t *out_point)
{
    struct fitting fitting;
    enum err err = fitting_at(t, false, meter, now_s, &fitting);

    *out_point = err ? 0 : fitting.point;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err command_supplies(struct txn *t, uint32_t meter, int64_t now_s, struct supplied *out)
{
    struct point_facts point = { 0 };
    uint32_t id;
    enum err err = point_now(t, meter, now_s, &id);

    *out = (struct supplied){ 0 };
    if (!err && id)
        err = point_facts_by_id(t, id, &point);
    if (err)
        return err;
    out->fitted = id != 0;
    out->never_cut = protected_word(point.use);
    snprintf(out->point, sizeof out->point, "%s", point.point);
    return ERR_OK;
}

/* ---- after the register has changed ---- */

/* A number for each mark, so that what changes while it is looked at is looked at, too. */
void review_mark_lkd(struct commands_memory *m, struct pending *p)
{
    size_t bucket = pending_bucket(m, p->meter);

    m->reviews += m->reviews == UINT32_MAX ? 2 : 1;
    p->review = m->reviews;
    if (bucket < m->review_bucket)
        m->review_bucket = bucket;
    m->awake = true;
    pthread_cond_signal(&m->wake);
}

static bool closes(const struct pending *p)
{
    return p->what == COMMAND_VALVE && !p->value && !command_ended((enum command_state)p->state);
}

void commands_review(struct commands *c, uint32_t meter)
{
    struct commands_memory *m;

    if (!commands_any(c))
        return;
    m = c->memory;
    pthread_mutex_lock(&m->lock);
    for (struct pending *p = pending_first_lkd(m, meter); p; p = pending_next(p))
        if (closes(p))
            review_mark_lkd(m, p);
    pthread_mutex_unlock(&m->lock);
}

void review_requests(struct commands_memory *m, uint32_t meter)
{
    pthread_mutex_lock(&m->lock);
    for (struct pending *p = pending_first_lkd(m, meter); p; p = pending_next(p))
        if (p->flags & COMMAND_OF_ITSELF && p->state == COMMAND_QUEUED)
            review_mark_lkd(m, p);
    pthread_mutex_unlock(&m->lock);
}

/* One that is to be looked at; false: none. */
static bool take(struct commands_memory *m, struct pending *out)
{
    bool found = false;

    pthread_mutex_lock(&m->lock);
    while (!found && m->review_bucket < m->bucket_count) {
        for (struct pending *p = m->buckets[m->review_bucket]; p && !found; p = p->next) {
            found = p->review;
            *out = *p;
        }
        if (!found && ++m->review_bucket % BUCKETS_AT_ONCE == 0)
            breathe_lkd(m);
    }
    pthread_mutex_unlock(&m->lock);
    return found;
}

/* Why it goes no further; NULL: it does. */
static enum err look(struct commands_memory *m, struct txn *t, const struct pending *p,
                     int64_t now_s, const char **out_why)
{
    struct supplied s;
    bool filled;
    enum err err;

    *out_why = NULL;
    if (p->what == COMMAND_HISTORY) {
        if (!(err = gap_filled(m, t, p, &filled)) && filled)
            *out_why = "the readings have come by themselves";
        return err;
    }
    if (!(err = command_supplies(t, p->meter, now_s, &s)) && s.never_cut)
        *out_why = "what stands behind the meter now is never cut off";
    return err;
}

static void decide(struct commands_memory *m, const struct pending *of, const char *why,
                   int64_t now_s)
{
    const struct command_event e = { .meter = of->meter,
                                     .id = of->id,
                                     .kind = COMMAND_EVENT_CANCELLED,
                                     .at_s = (uint32_t)now_s,
                                     .why = why };
    struct pending *p;

    pthread_mutex_lock(&m->lock);
    if ((p = pending_find_lkd(m, of->meter, of->id))) {
        if (p->review == of->review)
            p->review = 0;
        if (why)
            event_happen_lkd(m, p, &e);
    }
    pthread_mutex_unlock(&m->lock);
}

enum err review_turn(struct commands_memory *m, int64_t now_s, bool *out_more)
{
    struct txn t = ledger_read(m->app->ledger);
    struct pending p;
    const char *why;
    unsigned left = LOOKED_AT_ONCE;
    enum err err = ERR_OK, ended;

    while (!err && left && take(m, &p)) {
        txn_renew(&t); /* what its mark followed is seen */
        if (!(err = t.err ? t.err : look(m, &t, &p, now_s, &why)))
            decide(m, &p, why, now_s);
        left--;
    }
    *out_more = !left;
    ended = txn_end(&t);
    return err ? err : ended;
}
