/* Whose water may be cut off.  Asked when a closing is ordered and when it is approved; and once more
 * when the register changes behind one that has not been carried out: a meter may be put before a
 * hydrant meanwhile. */
#include "server/commands_priv.h"

#include "server/registers.h"

#include <stdio.h>

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
    struct fittings all;
    enum err err = fittings_load(t, false, meter, &all);

    *out_point = 0;
    for (size_t i = 0; i < all.count && !err; i++)
        if (all.at[i].from_s <= now_s && now_s < all.at[i].to_s)
            *out_point = all.at[i].point;
    fittings_done(&all);
    return err;
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
    for (struct pending *p = pending_first_lkd(m, meter); p; p = pending_next(p)) {
        if (!closes(p))
            continue;
        p->review = true; /* it goes nowhere until then */
        m->review = m->awake = true;
        pthread_cond_signal(&m->wake);
    }
    pthread_mutex_unlock(&m->lock);
}

/* One that is to be looked at; false: none. */
static bool take(struct commands_memory *m, uint32_t *out_meter)
{
    bool found = false;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; m->review && i < m->bucket_count && !found; i++) {
        for (struct pending *p = m->buckets[i]; p && !found; p = p->next) {
            found = p->review;
            *out_meter = p->meter;
        }
    }
    m->review = found;
    pthread_mutex_unlock(&m->lock);
    return found;
}

static void decide(struct commands_memory *m, uint32_t meter, bool never_cut, int64_t now_s)
{
    struct pending *p, *next;

    pthread_mutex_lock(&m->lock);
    for (p = pending_first_lkd(m, meter); p; p = next) {
        const struct command_event e = { .meter = meter,
                                         .id = p->id,
                                         .kind = COMMAND_EVENT_CANCELLED,
                                         .at_s = (uint32_t)now_s,
                                         .why =
                                             "what stands behind the meter now is never cut off" };

        next = pending_next(p);
        if (p->review && never_cut)
            event_happen_lkd(m, p, &e);
        else
            p->review = false;
    }
    pthread_mutex_unlock(&m->lock);
}

enum err review_turn(struct commands_memory *m, int64_t now_s)
{
    struct txn t = ledger_read(m->app->ledger);
    struct supplied s;
    enum err err = ERR_OK, ended;
    uint32_t meter;

    while (!err && take(m, &meter))
        if (!(err = command_supplies(&t, meter, now_s, &s)))
            decide(m, meter, s.never_cut != NULL, now_s);
    ended = txn_end(&t);
    return err ? err : ended;
}
