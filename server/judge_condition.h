/* What the judge notes of a meter's condition, so that those with a date soon are found without a walk over all: a hint, which server/condition_now.h makes exact.
 *
 *   in views, by meter:   i32 the date that readings and status speak for · i32 the date that its life speaks for   (condition.h; NO_DAY: none)
 *
 * Confirmed flags are no part of it: those who ask read flags anyway.  Noted is a date at most CONDITION_AHEAD_DAYS off, and one that moves by less than CONDITION_STEP_DAYS stays as it was noted,
 * so that a report a day changes nothing on disk.  Any thread looks, the judging one keeps. */
#ifndef NILO_SERVER_JUDGE_CONDITION_H
#define NILO_SERVER_JUDGE_CONDITION_H

#include "server/judge.h"

#define CONDITION_AHEAD_DAYS 1100 /* three years: a meter that says nothing for longer has other troubles */
#define CONDITION_STEP_DAYS 7

struct condition_news {
    const struct meter_facts *meter;
    const struct fitting *fitting;    /* the open one; NULL: it is not fitted */
    const struct judge_index *index;  /* the newest that is believed; NULL: none */
    bool life;                        /* its life may have changed */
    int64_t now_s;
    struct archive_reader *reader; /* of the thread at hand */
};
/* What is to be noted; zeroed: what is noted stands. */
struct condition_change {
    bool put, drop;
    int32_t readings, life; /* of `put` */
};
MUST_CHECK enum err condition_look(struct app *app, struct txn *ledger, struct txn *views, const struct condition_news *n, struct condition_change *out); /* any thread */
void condition_keep(struct txn *views, uint32_t meter, const struct condition_change *c); /* errors stick in `views` */

/* The earlier of both dates; `out_life` (may be NULL) the second alone. False: no such record. */
bool condition_read(struct span record, int32_t *out_due, int32_t *out_life);

/* Of the rules that it follows from: with others all meters are judged anew. */
uint32_t condition_rules_hash(const struct fleet_rules *rules);

#endif
