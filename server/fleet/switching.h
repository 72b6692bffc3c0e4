/* How severely the next lot of a supplier's series is to be inspected, by what became of those before (GB/T 2828.1-2012, 9.3 and 9.4, which are ISO 2859-1:1999, 9.3 and
 * 9.4).  A suggestion: reduced inspection also needs steady production and that whoever answers for it wants it.  Pure. */
#ifndef NILO_SERVER_FLEET_SWITCHING_H
#define NILO_SERVER_FLEET_SWITCHING_H

#include <stdbool.h>
#include <stddef.h>

enum strictness { STRICT_NORMAL, STRICT_TIGHTENED, STRICT_REDUCED, STRICT_STOP };
const char *strictness_word(enum strictness s); /* "normal", "tightened", "reduced", "discontinued" */

/* One lot on original inspection; what is submitted again counts for nothing here. */
struct lot_result {
    enum strictness strictness; /* by which it was inspected */
    bool accepted;
    unsigned accept;       /* the plan's acceptance number */
    bool accepted_tighter; /* it would have been accepted with the AQL one step tighter, too */
};

struct switching_advice {
    enum strictness next;
    unsigned lots, rejected; /* since the severity of the last one began */
    unsigned score;          /* the switching score of normal inspection (9.3.3.2); 0 under another */
    char text_en[240], text_zh[240];
};

/* `lots` in the order of inspection; none: normal. */
void switching_advise(const struct lot_result *lots, size_t count, struct switching_advice *out);

#endif
