/* Meters to be changed, ranked by what a change brings (server/fleet/replace.h).  Any thread.
 *
 * Listed is a fitted meter that has an open or confirmed flag that blames the meter itself (stuck, reversed: a customer's leak is no reason to change a meter), or whose legal date or whose
 * date by condition is over or lies within the horizon of the rules (defaults.h).
 *
 * A rank is a place among all, so a ranking is made whole, 56 bytes a candidate, and kept; but no page waits for that.  Whoever changes what a meter's place rests on says so
 * (rankings_touch) after it is committed and before anybody is told.  Who asks for a ranking has the touched ones looked at again, some microseconds each, and gets the whole one without
 * them, and them in their places: it is exact as of the question.  A thread makes the first one at the start, looks at what was touched every second, or as soon as there are many, and
 * puts it into a new whole one when there are more still.  Another day or other prices move everybody: benefits are reckoned anew from what is kept (ranked_turn), which the thread
 * does at midnight; prices are waited for.  Made whole while somebody waits it is only where none is there yet, where more was touched than is remembered (an import), and where prices change
 * what a condition is. */
#ifndef NILO_SERVER_REPLACEMENTS_H
#define NILO_SERVER_REPLACEMENTS_H

#include "server/condition_now.h"
#include "server/fleet/replace.h"
#include "server/judge.h"
#include "server/lives.h"

#define TOUCHED_MOST 262144u /* that are remembered, and that a ranking may have beside what was made whole */
#define TOUCHED_MANY 512u    /* that are looked at without being asked for */
#define TOUCHED_BITS 18

struct replacement {
    int64_t benefit, lost_mlpd; /* lost: of the worst of its flags that blame it; without one by its wear, where somebody priced that; 0: nothing is known */
    uint32_t meter, point;
    uint32_t zone, route;       /* rows of the point's; 0: none */
    uint32_t model;             /* model_number() of the meter's; 0: none */
    unsigned kinds;             /* flags that are open or confirmed: a set of 1 << n: detector_at(n) */
    int32_t legal_due, condition_due; /* NO_DAY */
    uint16_t dn_mm;
    uint8_t use, confidence_pct; /* use: enum use_class */
};
_Static_assert(sizeof(struct replacement) == 56, "two million of them are 112 MB");

struct ranks {
    struct replacement *at; /* by replace_order */
    size_t count;
};

struct ranking_base { /* shared by the rankings of which it is the most part */
    struct ranks all;
    unsigned holders;
    int32_t whole_day; /* when all of it was looked at last */
};

struct ranking {
    struct ranking_base *base;
    struct ranks own;     /* what the touched meters are now */
    uint32_t *touched;     /* they rise: what the base says of these does not count */
    size_t touched_count;
    uint8_t *marks;        /* 1 << TOUCHED_BITS bits: where none is set, it is not among them */
    int32_t today;
    struct fleet_rules rules; /* with people's prices */
    uint64_t touches;         /* of all there ever were, how many it knows */
    unsigned holders;         /* under the lock of whoever keeps it */
    struct rankings *of;
};

/* Goes through it in order, from a zeroed walk on; it lets the store change. */
struct ranking_walk {
    size_t base, own;
};
const struct replacement *ranking_next(const struct ranking *r, struct ranking_walk *w); /* NULL: the end */
struct ranking_walk ranking_behind(const struct ranking *r, const struct replace_rank *last); /* from behind that place on, whether anybody is there or not */
size_t ranking_most(const struct ranking *r); /* there are no more than that */

/* The newest ranking; give it back with ranking_release. NO_MEMORY, STOPPING, what reading a store returns. */
MUST_CHECK enum err ranking_hold(struct app *app, struct ranking **out);
void ranking_release(struct ranking *r); /* NULL is fine */

MUST_CHECK enum err rankings_open(struct rankings **out); /* of an app, which does without, too: then each one is made for who asks */
MUST_CHECK enum err rankings_start(struct app *app);      /* makes the first, and keeps it: a thread. NO_MEMORY */
void rankings_close(struct rankings *all);                /* NULL is fine; nobody holds one any more */

/* What the place of these meters rests on is another: their life, row, point, flags or what is known of their condition. After the commit, before it is told to anybody. NULL is fine, and
 * so are doubles. Lives that the clock moves are found by themselves. */
void rankings_touch(struct rankings *all, const uint32_t *meters, size_t count);

/* Whether what is kept is what looking at all meters anew says: who changed what a place rests on and did not say so is found by that. A meter that differs in *out_meter, 0: none does.
 * For tests, at the end of a server (main.c): it takes as long as a whole ranking. NO_MEMORY, STOPPING, what reading a store returns. */
MUST_CHECK enum err rankings_check(struct app *app, uint32_t *out_meter);

void replacement_facts(const struct ranking *r, const struct replacement *one, struct replace_facts *out);
struct replace_rank replacement_rank(const struct replacement *one);

/* ---- who is wanted ---- */

struct replacement_filter {
    struct span zone;    /* this zone and those below it; empty: any */
    struct span route, model; /* empty: any */
    int64_t dn;          /* 0: any */
    const struct detector *kind; /* with such a flag; NULL: any */
    bool nothing;        /* of a kind that has no flags */
    bool has_least;
    int64_t least_benefit;
    const char *org; /* of the unit's routes and those of units below; "" or NULL: all */
};

/* The filter in numbers, so that a hundred thousand are asked in a millisecond. Free with sieve_done. */
struct sieve {
    struct replacement_filter filter; /* its spans need not live on */
    uint32_t route, model;
    uint8_t *zones, *routes; /* by id: 1 it is wanted; NULL: any */
    uint32_t zone_count, route_count;
    bool none;
};
/* NO_MEMORY, t->err. Names that nobody registered let nothing through. */
MUST_CHECK enum err sieve_open(struct txn *t, const struct replacement_filter *filter, struct sieve *out);
bool sieve_lets(const struct sieve *s, const struct replacement *one);
void sieve_done(struct sieve *s); /* a zeroed one is fine */
uint32_t model_number(struct span model); /* of equal names the same; 0: of none */

/* ---- one of them, with what a person checks it by ---- */

struct replacement_shown {
    bool gone;      /* it was taken off, or moved, since its place was found */
    bool blamed;    /* `flag` is the worst of its flags that blame it */
    double wear_missed, wear_volume_l; /* without one: the share that meters of its model miss after so much; 0: nobody priced that */
    struct flag flag;
    struct condition condition;
    struct meter_life life; /* room, from one to the next: life_done */
};
/* `meter`: its row; `out` zeroed, or of the one before. */
MUST_CHECK enum err replacement_show(struct app *app, const struct ranking *r, const struct replacement *one, struct txn *ledger, struct txn *views, const struct ledger_row *meter,
                                     struct replacement_shown *out);

#endif
