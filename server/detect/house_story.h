/* What is found of a house over its years, though the registers of HOUSE_WEEKS alone are held at a time.
 *
 *     window 0  |----------------------------- 60 weeks ----|
 *     window 1                        |--------- 34 --------|---- own: 26 ----|
 *     window 2                                              …
 *
 * Each window begins HOUSE_HOP weeks after the one before; weeks that both hold are the earlier one's, and the later one only catches up with them (balance_scan.own_week).  So every week is judged once, with
 * 34 weeks before it at least, once there are so many.  What was found goes over from window to window: it ends by a step back, where a meter leaves the house, and never because a window ends.
 *
 * Plain numbers that follow from registers and weeks alone: who keeps them looks at the newest week only, who does not finds the same from the beginning. Pure. */
#ifndef NILO_SERVER_DETECT_HOUSE_STORY_H
#define NILO_SERVER_DETECT_HOUSE_STORY_H

#include "server/detect/balance.h"
#include "server/detect/swapped.h"

#define HOUSE_WEEKS BALANCE_WEEKS_MOST
#define HOUSE_HOP 26
#define HOUSE_FINDINGS_MOST 96 /* of each sort, ever: beyond nothing new is told */
#define HOUSE_LEAST 4 /* meters behind the building's: of fewer its own use is most of the balance */
_Static_assert(SWAPPED_WEEKS_MOST >= HOUSE_WEEKS, "both look at one window");

/* A meter behind the building's, in one of its fittings. */
struct house_column {
    uint32_t meter, point;
    int64_t fitting_from_s;
};
struct house_slow {
    struct house_column at;
    uint32_t building; /* the building's meter when it was told: the caller's to set; 0: new */
    struct balance_finding f; /* f.child is the window's own */
};
struct house_pair {
    struct house_column first, second;
    struct swapped_finding f;
};
struct house_story { /* zeroed: nothing was looked at */
    unsigned window;
    struct balance_scan balance;
    struct swapped_scan hands;
    unsigned slow_count, pair_count;
    struct house_slow slow[HOUSE_FINDINGS_MOST];
    struct house_pair pairs[HOUSE_FINDINGS_MOST];
};

/* The window whose own the last of so many weeks is; weeks count from the house's first. */
unsigned house_window_of(unsigned weeks);
unsigned house_window_first(unsigned window); /* its first week */
unsigned house_window_own(unsigned window);   /* weeks, from the house's first on, that are the earlier ones' */

void house_story_begin(struct house_story *s, unsigned window); /* nothing of it was looked at */
void house_story_cut(struct house_story *s, int64_t until_s);   /* as it was when until_s was the end of what was known */

/* Registers of a window: column i of `columns` is child i + 1 of the balance and meter i of the hands. */
struct house_window {
    const struct house_column *columns;
    unsigned count;
    struct balance *balance; /* NULL: too few or too many columns, so nothing is to be found */
    struct swapped *hands;
};
/* Goes on to the end of the week before until_s. NO_MEMORY. */
MUST_CHECK enum err house_story_look(struct house_story *s, const struct house_window *w, int64_t until_s);
/* The meter left the house at at_s, and stays in its fitting: what stands of it has ended. */
void house_story_left(struct house_story *s, const struct house_column *c, int64_t at_s);

#endif
