/* Meters to be changed, ranked by what a change brings (server/fleet/replace.h).  Any thread.
 *
 * Listed is a fitted meter that has an open or confirmed flag that blames the meter itself (stuck, reversed: a customer's leak is no reason to change a meter), or whose legal date or whose
 * date by condition is over or lies within the horizon of the rules (defaults.h).
 *
 * A ranking is made whole, since a rank is a place among all, kept, and shared by all who ask: 56 bytes a candidate, one ranking and those that are still being read.  It holds as long as the
 * ledger's acts, the views' flags and conditions, the prices and the day are what they were.  Where making one takes longer than RANKING_QUICK_MS, and prices and day are the same, one that
 * is younger than RANKING_AGE times as long is taken as it is: what has been exchanged meanwhile is left out when it is shown.  While somebody asks now and then, a thread makes
 * the next one before that, so that nobody waits.  After a settling nothing older is shown. */
#ifndef NILO_SERVER_REPLACEMENTS_H
#define NILO_SERVER_REPLACEMENTS_H

#include "server/condition_now.h"
#include "server/fleet/replace.h"
#include "server/judge.h"

#define RANKING_QUICK_MS 40
#define RANKING_AGE 20

struct replacement {
    int64_t benefit, lost_mlpd; /* lost: of the worst of its flags that blame it; 0: none does */
    uint32_t meter, point;
    uint32_t zone, route;       /* rows of the point's; 0: none */
    uint32_t model;             /* model_number() of the meter's; 0: none */
    unsigned kinds;             /* flags that are open or confirmed: a set of 1 << n: detector_at(n) */
    int32_t legal_due, condition_due; /* NO_DAY */
    uint16_t dn_mm;
    uint8_t use, confidence_pct; /* use: enum use_class */
};
_Static_assert(sizeof(struct replacement) == 56, "two million of them are 112 MB");

struct ranking {
    struct replacement *at; /* by replace_order */
    size_t count;
    int32_t today;
    struct fleet_rules rules; /* with people's prices */
    uint64_t acts, changes;   /* of ledger and views when it was begun */
    int64_t made_ms, took_ms; /* monotonic */
    unsigned holders;         /* under the lock of whoever keeps it */
    struct rankings *of;
};

/* The newest ranking; give it back with ranking_release. NO_MEMORY, STOPPING, what reading a store returns. */
MUST_CHECK enum err ranking_hold(struct app *app, struct ranking **out);
void ranking_release(struct ranking *r); /* NULL is fine */

MUST_CHECK enum err rankings_open(struct rankings **out); /* of an app, which does without, too: then each one is made for who asks */
MUST_CHECK enum err rankings_start(struct app *app);      /* keeps those ready that are costly and in use: a thread. NO_MEMORY */
void rankings_close(struct rankings *all);                /* NULL is fine; nobody holds one any more */
void rankings_expire(struct rankings *all);               /* nothing that was made before is shown again; NULL is fine */

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
    bool gone;      /* it was taken off, or moved, since the ranking was made */
    bool blamed;    /* `flag` is the worst of its flags that blame it */
    struct flag flag;
    struct condition condition;
};
MUST_CHECK enum err replacement_show(struct app *app, const struct ranking *r, const struct replacement *one, struct replacement_shown *out);

#endif
