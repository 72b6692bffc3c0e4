/* Which service points were an account's, or stood behind another one, and when.  Both are dated as a point's row is: what was used before an account changed is another's, and nobody is told
 * of it; and water that passed a meter behind the main one is that point's, not the main one's.  Any thread. */
#ifndef NILO_SERVER_ACCOUNTS_H
#define NILO_SERVER_ACCOUNTS_H

#include "server/app.h"

struct account_stay {
    uint32_t point;
    char name[64];
    int64_t from_s, to_s; /* INT64_MIN: since ever; INT64_MAX: on and on */
};
struct account_stays {
    size_t count, cap;
    struct account_stay *at; /* by point's name, then from_s */
};

#define ACCOUNT_POINTS_MOST 200 /* of one account, now and before: their readings are held together, 140 KB for a year by the hour */

/* None: nobody ever registered such an account. LIMIT: it has more points. `out` zeroed before; done also after an error. */
MUST_CHECK enum err account_stays_load(struct txn *t, struct span account, struct account_stays *out);
/* Points that stood behind this one: the meter of the main one counted their water, too. None is fine. */
MUST_CHECK enum err behind_stays_load(struct txn *t, struct span point, struct account_stays *out);
void account_stays_done(struct account_stays *s);

#endif
