/* Houses with a meter before all flats (tools/sim/house.h), through the rules that look at a house as a whole: which flat's meter counts too little, which two stand in each other's accounts.
 *
 * Matching.  A flag counts for the house's fault if it names the flat, or both flats, that have it, and was raised from the onset on; of several the first. All others are false: another flat, another kind, too early.
 * Of a slow meter it must be raised within 120 days (recall); under 15 % is not drawn, and a flat in which nothing was used while it lasted is not scored. */
#ifndef NILO_TOOLS_MEASURE_DETECT_HOUSES_H
#define NILO_TOOLS_MEASURE_DETECT_HOUSES_H

#include "server/detect/house_story.h"
#include "tools/measure/detect/bench.h"
#include "tools/sim/house.h"

#define HOUSE_WITHIN_D 120

/* What holds of each register of a house from a Monday's midnight on, by track.c as the judge has it. NO_MEMORY. */
MUST_CHECK enum err house_balance(const struct house *h, double from_s, struct balance **out);
MUST_CHECK enum err house_hands(const struct house *h, double from_s, struct swapped **out);

/* One flag that a house raised: of the flats `first` and, swapped, `second`, from 0 on. */
struct house_flag {
    enum house_fault kind;
    unsigned first, second;
    int64_t onset_s, raised_s, cleared_s;
    double lost_lpd;
};
#define HOUSE_TOLD_MOST 128
struct house_told {
    struct house_flag at[HOUSE_TOLD_MOST];
    size_t count;
};
MUST_CHECK enum err house_tell(const struct house *h, struct house_told *out); /* NO_MEMORY */

struct house_subject {
    uint8_t fault, flats, wrong[HOUSE_FAULTS]; /* wrong: false flags of the kind */
    bool found, scored;
    int32_t resolution_l; /* of the flat; of two the coarser */
    double size, delay_d, onset_off_d, loss_off, meter_years;
};
struct house_record {
    struct house_subject *subjects;
    size_t count;
    unsigned too; /* of real houses: flags that they raise without the fault; they count neither way */
};

/* `without`: what the same house tells without its fault, NULL for a simulated one: such a flag counts neither way. NO_MEMORY. */
MUST_CHECK enum err house_weigh(const struct house *h, const struct house_told *without, struct house_subject *out);

/* The houses 0 to count − 1 of `o`. NO_MEMORY; free with house_record_done. */
MUST_CHECK enum err houses_run(const struct trial_options *o, uint32_t count, unsigned threads, struct house_record *out);
/* real_house.c: houses of real series, with real gaps: the meter before them counts all of them, each meter with a constant error of its own. The file as real_run's. NOT_FOUND. */
MUST_CHECK enum err real_houses_run(const char *path, uint64_t seed, uint32_t count, struct house_record *out);
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
MUST_CHECK enum err goals_houses(const struct house_record *r, const char *base, bool json, FILE *out); /* goals.c */

#endif
