/* One event of many meters, all of them or none; of those that cannot, the first by the order of the
 * checks is told, and how many more there are. */
#include "server/acts/event_priv.h"

#include <stdio.h>

#define NAMED_MOST 5 /* meters that a refusal names */

struct lot {
    struct life_act *l;
    struct life_wish *w;
    const json_t *serials;
    /* Of those that cannot, in the stage that is told: */
    struct act_reply first;
    enum life_stage stage;
    unsigned refused, named;
    char names[NAMED_MOST * (SERIAL_MAX + 2) + 1];
};

static void keep_name(struct lot *lot)
{
    size_t len = strlen(lot->names);

    if (lot->named++ < NAMED_MOST)
        snprintf(lot->names + len, sizeof lot->names - len, "%s%.*s", len ? ", " : "",
                 (int)lot->w->serial.len, (const char *)lot->w->serial.at);
}

/* One that cannot: told is the earliest stage, and in it the first meter; a store that fails, before
 * all. */
static void keep_refusal(struct lot *lot)
{
    struct act_reply *out = lot->l->out;

    lot->l->judge_only = true;
    if (!lot->refused || lot->l->stage < lot->stage || lot->l->stage == STAGE_FAILED) {
        lot->first = *out;
        lot->stage = lot->l->stage;
        lot->refused = lot->named = 0;
        lot->names[0] = 0;
    }
    if (lot->l->stage == lot->stage) {
        lot->refused++;
        keep_name(lot);
    }
    memset(out, 0, sizeof *out);
}

static void refuse_lot(struct lot *lot)
{
    struct act_reply *out = lot->l->out;

    *out = lot->first;
    if (lot->refused > 1)
        answer_refuse(out, lot->first.refusal.err, lot->first.refusal.field,
                      "%s; %u of %zu meters cannot: %s%s", lot->first.detail, lot->refused,
                      json_array_size(lot->serials), lot->names,
                      lot->refused > NAMED_MOST ? ", …" : "");
}

bool life_act_lot(struct life_act *l, struct life_wish *w, const json_t *serials,
                  life_lot_each *each, void *arg)
{
    struct lot lot = { .l = l, .w = w, .serials = serials };
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)serials, i, one)
    {
        w->serial = span_of(json_string_value(one), json_string_length(one));
        if (life_act_event(l, w) && (l->judge_only || !each || each(arg, w->serial)))
            continue;
        keep_refusal(&lot);
        if (lot.stage == STAGE_FAILED)
            break;
    }
    if (!lot.refused)
        return true;
    refuse_lot(&lot);
    return false;
}
