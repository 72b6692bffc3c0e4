/* Every draw of a flat runs through its own meter and through the one before all of them, each with its own error, pulse, minute and
 * radio: so the sum of the flats is never quite the parent's, as in life.  Between them half of the houses lose 0.5 to 15 L/h, for ever (handbook
 * §7: parent − children = leak + error of metering).
 *
 * Slow: one flat's meter loses 15 to 90 % from its onset on.  Swapped: from its onset on what two flats use is counted by each other's meter, as
 * after work in the shaft. */
#include "tools/sim/house.h"

#define DAY_S 86400.0
#define PART_HOUSE 9

const char *const house_fault_name[HOUSE_FAULTS] = { "none", "slow behind a building meter",
                                                     "swapped" };

static void draw_house(struct house *h, const struct trial_options *o, struct chance *c)
{
    bool faulty = chance_happens(c, o->faulty), slow = chance_happens(c, 0.5);

    h->count = (int)chance_log_even(c, 5, FLATS_MAX + 1);
    h->fault = !faulty ? HOUSE_SOUND : slow ? HOUSE_SLOW : HOUSE_SWAPPED;
    h->flat = chance_whole(c, 0, h->count - 1);
    h->other = (h->flat + chance_whole(c, 1, h->count - 1)) % h->count;
    h->size = chance_even(c, 0.15, 0.9);
    h->pipe_lph = chance_happens(c, 0.5) ? chance_log_even(c, 0.5, 15) : 0;
}

/* Its own course and register; no life of its own. */
static enum err parent_make(struct house *h, const struct trial_options *o, uint32_t n,
                            struct chance *c)
{
    struct trial *p = &h->parent;
    enum err err = trial_begin(o, n, p);

    if (err)
        return err;
    p->use.way = WAY_FLATS;
    p->use.flat_count = h->count;
    trial_meter(p, c, h->count <= 8 ? 2 : h->count <= 16 ? 3 : 4);
    p->meter.form = REGISTER_FORWARD;
    p->meter.resolution_ml = chance_happens(c, 0.7) ? 1000 : 10000;
    p->used_lpd = 240.0 * h->count; /* what flows meanwhile, to see where on its curve it runs */
    course_add(&p->course, p->course.forward_ml, p->from_s, o->days * DAY_S,
               h->pipe_lph / 3.6 * o->days * DAY_S);
    return ERR_OK;
}

static void strike(struct house *h, const struct trial_options *o, struct chance *c)
{
    struct trial *a = &h->flats[h->flat], *b = &h->flats[h->other];

    h->onset_s = h->parent.from_s + chance_even(c, 0.3, 0.65) * o->days * DAY_S;
    if (h->fault == HOUSE_SLOW)
        a->fault = (struct fault){ .kind = h->size < 0.2   ? FAULT_SLOW_5_20
                                           : h->size < 0.5 ? FAULT_SLOW_20_50
                                                           : FAULT_SLOW_50,
                                   .onset_s = h->onset_s,
                                   .end_s = a->to_s,
                                   .size = h->size };
    if (h->fault == HOUSE_SWAPPED) {
        a->other = b;
        b->other = a;
        a->other_s = b->other_s = h->onset_s;
    }
}

enum err house_live(const struct trial_options *o, uint32_t n, struct house *h)
{
    struct chance c = chance_of(o->seed, n, PART_HOUSE);
    struct trial_options homes = *o;
    uint32_t first = n * (FLATS_MAX + 1);
    enum err err;

    homes.faulty = 0;
    homes.homes = homes.mishaps_given = true;
    homes.mishaps = 0;
    homes.from_day += chance_whole(&c, 0, 364);
    draw_house(h, o, &c);
    err = parent_make(h, &homes, first, &c);
    for (int i = 0; i < h->count && !err; i++) {
        if ((err = trial_begin(&homes, first + 1 + (uint32_t)i, &h->flats[i])))
            break;
        if (h->flats[i].meter.form != REGISTER_NET)
            h->flats[i].meter.form = REGISTER_FORWARD;
        h->flats[i].above = &h->parent;
    }
    if (err)
        return err;
    strike(h, o, &c);
    for (int i = 0; i < h->count; i++)
        trial_days(&homes, &h->flats[i]);
    for (int i = 0; i < h->count && !err; i++)
        err = trial_end(&homes, &h->flats[i]);
    return err ? err : trial_end(&homes, &h->parent);
}

void house_done(struct house *h)
{
    trial_done(&h->parent);
    for (int i = 0; i < FLATS_MAX; i++)
        trial_done(&h->flats[i]);
}
