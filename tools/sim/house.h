/* A house: 5 to 40 flats with a meter each, and one meter before all of them; with a flat's meter that runs slow, or two flats whose
 * meters stand in each other's accounts, or nothing wrong. */
#ifndef NILO_TOOLS_SIM_HOUSE_H
#define NILO_TOOLS_SIM_HOUSE_H

#include "tools/sim/trial.h"

enum house_fault { HOUSE_SOUND, HOUSE_SLOW, HOUSE_SWAPPED, HOUSE_FAULTS };
extern const char *const house_fault_name[HOUSE_FAULTS]; /* "slow behind a building meter" */

struct house {
    struct trial parent, flats[FLATS_MAX];
    int count;
    enum house_fault fault;
    int flat, other; /* which; `other` of swapped ones */
    double onset_s;
    double size;     /* slow: share lost, 0.15 to 0.9 */
    double pipe_lph; /* flows away between the meters */
};

/* The house n of `o` (seed, days, from_day, zone); `faulty` is the share of houses with a fault.  Memory is used again; a zeroed one is fine.
 * NO_MEMORY. */
MUST_CHECK enum err house_live(const struct trial_options *o, uint32_t n, struct house *h);
void house_done(struct house *h);

#endif
