/* Houses with a meter before all flats (tools/sim/house.h), through the rules that look at a house as a whole: which flat's meter counts too little, which two stand in each other's accounts.
 *
 * Matching.  A flag counts for the house's fault if it names the flat, or both flats, that have it, and was raised from the onset on; of several the first. All others are false: another flat, another kind, too early.
 * Of a slow meter it must be raised within 120 days (recall); under 15 % is not drawn, and a flat in which nothing was used while it lasted is not scored. */
#ifndef NILO_TOOLS_MEASURE_DETECT_HOUSES_H
#define NILO_TOOLS_MEASURE_DETECT_HOUSES_H

#include "server/detect/balance.h"
#include "server/detect/swapped.h"
#include "tools/measure/detect/bench.h"
#include "tools/sim/house.h"

#define HOUSE_WITHIN_D 120

/* What holds of each register of a house, by track.c as the judge has it. NO_MEMORY. */
MUST_CHECK enum err house_balance(const struct house *h, struct balance **out);
MUST_CHECK enum err house_hands(const struct house *h, struct swapped **out);

struct house_subject {
    uint8_t fault, flats, wrong[HOUSE_FAULTS]; /* wrong: false flags of the kind */
    bool found, scored;
    int32_t resolution_l; /* of the flat; of two the coarser */
    double size, delay_d, onset_off_d, loss_off, meter_years;
};
struct house_record {
    struct house_subject *subjects;
    size_t count;
};

/* The houses 0 to count − 1 of `o`. NO_MEMORY; free with house_record_done. */
MUST_CHECK enum err houses_run(const struct trial_options *o, uint32_t count, unsigned threads, struct house_record *out);
void house_record_done(struct house_record *r);

struct house_pick { /* 0: any */
    enum house_fault fault;
    int32_t resolution_l;
    int flats_most;
    double size_least, size_below, within_d;
};
struct house_figures {
    unsigned faults, found, wrong;
    struct interval recall, precision, false_per_1000; /* precision and false ones of all flags of the kind */
    double delay_median_d, onset_off_d, loss_off;
};
MUST_CHECK enum err house_figures_of(const struct house_record *r, const struct house_pick *p, struct house_figures *out);

MUST_CHECK enum err table_houses(const struct house_record *r, FILE *out);
MUST_CHECK enum err goals_houses(const struct house_record *r, bool json, FILE *out); /* goals.c */

#endif
