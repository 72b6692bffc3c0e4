/* Zones without water: homes' meters of a zone that stand still together, though they do not usually.  The other half of what server/hearing.h watches: there a meter is silent, here it reports that nothing flows.
 *
 *     judge.c → drought_note          settler.c → drought_look → outages of zones born and ended, and their meters for the judge, which then has pauses (PAUSE_DRY) for them
 *
 * 12 bytes a meter, filled as meters are judged: after a start it knows a meter again with its next report.  The judging thread's, or of whoever has its place. */
#ifndef NILO_SERVER_DROUGHT_H
#define NILO_SERVER_DROUGHT_H

#include "server/settle_pass.h"

struct drought;
MUST_CHECK enum err drought_open(struct app *app, struct drought **out); /* NO_MEMORY */
void drought_close(struct drought *d); /* NULL is fine */

/* The register of a meter at a point of this zone (id in LIST_ZONE; 0: none) and use class moved last at moved_s (0: it is fitted no more, or never moved) and was read at read_s. `d` NULL is fine. NO_MEMORY. */
MUST_CHECK enum err drought_note(struct drought *d, uint32_t meter, uint32_t zone, enum use_class use, uint32_t moved_s, uint32_t read_s);

/* Of each class those that moved within DROUGHT_LIVES_S before the day [from_s, to_s) or later and were read in its last two hours or later, and how many of them have not moved since from_s. */
#define DROUGHT_LIVES_S (60 * 86400)
struct still_count {
    uint32_t meters, still;
};
void drought_count(const struct drought *d, int64_t from_s, int64_t to_s, struct still_count out[LULL_CLASSES]);

/* Tells of zones that are dry, or have water again; appends their meters to `touched`, as changed from the beginning. */
MUST_CHECK enum err drought_look(struct drought *d, int64_t now_s, struct news *touched);

/* For how many hours a meter that moved last at moved_s stands still by habit (standing_habit_h). By default from its readings; for a bench from what it lets happen. */
typedef enum err drought_habit(void *arg, uint32_t meter, uint32_t moved_s, uint32_t *out_h);
void drought_habit_by(struct drought *d, drought_habit *habit, void *arg);

/* The zone of a point; 0: none. Errors stick in `ledger`. */
uint32_t drought_zone(struct txn *ledger, uint32_t point);

#endif
