/* How many verifications fall due: counted from the index of due dates, without a look at lives.
 *
 *     index of due dates → (meter, date) → by id: DN, point → zone, route → groups
 *
 * As the index stands: as lists show it at the same instant.  Any thread. */
#ifndef NILO_SERVER_DUE_SUMMARY_H
#define NILO_SERVER_DUE_SUMMARY_H

#include "server/lives.h"

enum due_by { DUE_BY_MONTH = 1, DUE_BY_ZONE = 2, DUE_BY_ROUTE = 4, DUE_BY_DN = 8 };
#define DUE_GROUPS_MAX 500000
#define DUE_NAME 64

struct due_wish {
    unsigned by;              /* a set of enum due_by; 0: all in one */
    int32_t from_day, to_day; /* legal due dates, both inside */
    int32_t today;
    bool fitted, store;       /* which of them */
    int32_t dn_mm;            /* 0: any */
    const char *zone, *route; /* the point's own; "": any. In store there is none */
    const char *org;          /* of this unit alone (server/scope.h); "": all */
};

struct due_group {
    int32_t month;         /* year × 12 + month − 1; NO_DAY: not by month, or the date lies outside the window, or is not known */
    const char *zone, *route; /* "": not asked for, or there is none */
    int32_t dn_mm;         /* 0: not asked for */
    uint64_t fitted, store; /* that fall due in the window */
    uint64_t overdue, never_verified; /* fitted ones: whose date, wherever it lies, is before today; or that have none */
};

struct due_summary {
    struct due_group *groups; /* by month, zone, route, DN; what has none of these last */
    size_t count;
    struct due_names *names;
};

/* `now_s`: of which instant the index is (lives_now). LIMIT: more groups than there is room for; STOPPING, NO_MEMORY, what reading gives. Free with due_summary_done, also after an error. */
MUST_CHECK enum err due_summary_make(struct app *app, const struct due_wish *wish, int64_t now_s, struct due_summary *out);
void due_summary_done(struct due_summary *s);
int due_group_order(const struct due_group *a, const struct due_group *b); /* as they stand */

#endif
