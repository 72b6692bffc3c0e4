/* One house looked at: from its fittings and readings to what is found of it (server/detect/house_story.h), a window at a time.  Reads only; any thread. */
#ifndef NILO_SERVER_HOUSE_LOOK_H
#define NILO_SERVER_HOUSE_LOOK_H

#include "server/app.h"
#include "server/house_row.h"

/* The midnight that begins the week of an instant, a Monday of the zone. */
int64_t house_monday(const struct zone *z, int64_t at_s);

struct house_meters {
    uint32_t *at; /* that stood behind it ever, some more than once; free it */
    size_t count, cap;
};

/* Goes on with `row` (zeroed: from the beginning) of the house whose building's meter is, or was, at this point, until the end of its next window, or end_s, a Monday's midnight: row->week_s says how far.
 * `name` is the point's. Appends its meters to `meters` (NULL is fine). What reading a store returns. */
MUST_CHECK enum err house_look(struct app *app, struct txn *ledger, uint32_t point, struct span name, int64_t end_s, struct house_row *row, struct house_meters *meters);

#endif
