/* Fitted meters whose date by condition lies in a window, by that date, then serial.
 *
 *     hints of the judge (judge_condition.h), flags that a person confirmed → candidates → condition_now.h → the list
 *
 * What settling has not seen yet is not found.  Any thread. */
#ifndef NILO_SERVER_CONDITION_LIST_H
#define NILO_SERVER_CONDITION_LIST_H

#include "server/condition_now.h"

#define CONDITION_LIST_MAX 500000 /* of 48 bytes */
#define CONDITION_TO_DAYS 1090    /* from today: further the judge's hints do not reach (CONDITION_AHEAD_DAYS, less a step of theirs) */

struct condition_wish {
    int32_t from_day, to_day; /* both inside */
    int32_t dn_mm;            /* 0: any */
    const char *zone, *route; /* the point's own; "": any */
};

struct condition_row {
    int32_t due;
    uint32_t meter;
    char serial[SERIAL_MAX + 1];
};

/* Free *out with free(). LIMIT: more than CONDITION_LIST_MAX; STOPPING, NO_MEMORY, what reading gives. */
MUST_CHECK enum err condition_list(struct app *app, const struct condition_wish *wish, struct condition_row **out, size_t *out_count);
int condition_row_order(const struct condition_row *a, const struct condition_row *b);

#endif
