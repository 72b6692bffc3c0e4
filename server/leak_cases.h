/* Cases of leaks for people: what flows behind one meter from one cause, from its start until it stops, whatever flags tell of it.
 *
 * A case is made of the flags `leak` and `burst` of one fitting that follow each other by less than CASE_GAP_S: a burst that goes over into a leak, or stands within one, is one case.
 * Its id is that of its first flag. Nothing of it is stored: flags, decisions, notices and orders are, and it follows from them.
 *
 *   open    something of it flows          closed   it has stopped          none   all of it was dismissed or withdrawn
 *   lost    by flag: what it had counted when it was last told (evidence lost_l, seen_at), and its flow from then until it stopped or the newest reading; without those its flow since
 *           its start. Of a burst within a leak what it has above the leak; no time counts twice for flags of the same kind. The interval is that of the flags' flow
 *   money   lost, at the price of a m³ of the point's use class (list of prices)
 *
 * Any thread. */
#ifndef NILO_SERVER_LEAK_CASES_H
#define NILO_SERVER_LEAK_CASES_H

#include "server/app.h"
#include "server/judge.h"

#define CASE_GAP_S 86400
#define CASE_FLAGS_MOST 32 /* of one case; later ones make another */
#define CASES_MOST 64      /* of one meter; the oldest are left out */

enum leak_case_state { CASE_OPEN, CASE_CLOSED, CASE_NONE, CASE_STATES };
const char *leak_case_state_name(enum leak_case_state s);
bool leak_case_state_read(struct span name, enum leak_case_state *out);

/* One of its flags, as far as the case goes. */
struct case_part {
    char id[FLAG_ID_SIZE];
    bool burst, none; /* none: dismissed or withdrawn: it counts for nothing */
    bool ended;
    int64_t fitting_from_s;
    int64_t onset_s, told_s, ended_s; /* ended_s: of one that goes on, until when it is known to */
    int64_t lost_mlpd, low_mlpd, high_mlpd;
    int64_t counted_ml, counted_s; /* what it had counted by then; counted_s 0: nothing is told of it */
};
struct leak_case {
    enum leak_case_state state;
    size_t count;
    struct case_part part[CASE_FLAGS_MOST]; /* by onset */
    int64_t onset_s, told_s, ended_s;
    int64_t flow_mlph; /* now, or when it stopped */
    int64_t lost_ml, low_ml, high_ml;
};
/* Pure: groups parts (in order of onset) and reckons each group; at most `cap`, how many. */
size_t leak_cases_group(const struct case_part *parts, size_t count, struct leak_case *out, size_t cap);

/* Of one meter, by onset. NO_MEMORY, and what the stores say; *out: malloc'd, free(). */
MUST_CHECK enum err leak_cases_of(struct app *app, uint32_t meter, struct leak_case **out, size_t *out_count);

/* The next meters (ids ascending) behind `after` that have such flags, at most `cap`. */
MUST_CHECK enum err leak_cases_meters(struct app *app, uint32_t after, uint32_t *out, size_t cap, size_t *out_count);

#endif
