/* What bench_detect is made of: lives → flags → notes → figures.
 *
 *   run.c     feeds a life to the real detectors and to the plain rules beside them
 *   match.c   which flag counts for which fault
 *   real.c    the same faults in real series
 *   sums.c    counts, intervals, quantiles
 *   table.c   what is printed; goals.c: the goals
 *   standstill.c  stuck by who lives there, and by how sure it is
 *   list.c    the list of replacements; slow_curve.c: slow meters by the share that they miss
 *   houses.c  houses with a meter before all flats; real_house.c: of real series
 *
 * Matching.  A flag counts for a life's fault if it is of a kind that is right for it (tools/sim/fault.def) and was raised between
 * the onset and two days after the end, or after the first reading from then on where that lies in a gap; of several the first (found), the others are repeats. A flag of a kind that the fault explains
 * counts neither for nor against; nor, in a real series, does one that is right for no fault while the series without it has one of the same kind. All others are false, also one that stood before the fault began.  A fault is missed if no flag
 * counts for it; where a goal has a time limit, if none does within it.  Not scored: a fault under which nothing was used or lost, for
 * nothing shows it; overdue, which follows from the calendar. What takes a whole house is scored apart: houses.h. */
#ifndef NILO_TOOLS_MEASURE_DETECT_BENCH_H
#define NILO_TOOLS_MEASURE_DETECT_BENCH_H

#include "server/detect/detect.h"
#include "tools/measure/detect/interval.h"
#include "tools/sim/trial.h"

#include <stdio.h>

#define RULES_MAX 32 /* a set of them is 32 bits */
#define TOLD_MAX 64
#define GALLON_LPH 3.785
#define ZERO_DAYS 14
#define SURE_STEPS 8
extern const uint8_t sure_pct[SURE_STEPS]; /* 0, 10, 20, 30, 50, 70, 80, 90 */

/* The detectors of the program, those that are still to be built, and two plain rules. */
struct scored_rule {
    const char *name, *flag;         /* "one-gallon", "leak" */
    const struct detector *detector; /* NULL: a plain rule, or not built */
    bool plain;
};
extern struct scored_rule rules[RULES_MAX];
extern unsigned rule_count;
void rules_make(void);
uint8_t rule_named(const char *name); /* "leak"; rule_count if there is none */
bool rule_is_built(unsigned rule);

/* An episode that a rule raised. */
struct told {
    uint8_t rule, fitting, confidence_pct, severity;
    bool open, too; /* too: the same series raises it without the fault */
    bool beside;    /* without the fault the series has one of the same rule that overlaps it */
    bool ordered; /* it stood on the list that crews get (server/detect/field.h) at some time */
    int64_t onset_s, raised_s, cleared_s;
    uint32_t told_s; /* when the reading that raised it had arrived */
    uint32_t sure_s[SURE_STEPS]; /* when it was as sure first; 0: never */
    double lost_lpd;
};
struct told_list {
    struct told at[TOLD_MAX];
    unsigned count, more; /* more: that found no room */
};
/* `l` with its rows; what stands in `out` is overwritten. */
MUST_CHECK enum err run_rules(const struct trial *l, const struct zone *zone,
                              const struct holidays *holidays,
                              struct told_list *out); /* NO_MEMORY */

/* For tests: hears all that detectors say of lives, one thread at a time; NULL: nobody does. */
struct verdict_hearer {
    void (*hear)(void *arg, const struct trial *l, const struct detector *d, const struct verdict *v);
    void *arg;
};
extern struct verdict_hearer verdict_hearer;

/* One life as it is scored. */
struct subject {
    uint32_t n;
    uint8_t way, fault, works, form, use; /* use: enum use_class */
    bool real, lasts; /* lasts: the fault is still there on the last day */
    uint32_t mishaps;
    int32_t resolution_l, dn_mm;
    double years, size, onset_s, end_s, would_lpd, lost_lpd, used_lpd, seen_share;
    double shown_s; /* the first reading after the end: before it nobody can tell of what ended in a gap */
    double zero_run_d; /* the longest before the fault */
    bool steady;       /* as of a note, before the fault */
    unsigned left_out; /* a set of rules: the fault is not scored for them */
};
enum note_outcome { NOTE_FOUND, NOTE_REPEAT, NOTE_EXPLAINED, NOTE_FALSE, NOTE_TOO };
/* One flag as it is scored. */
struct note {
    uint32_t subject; /* place in the list */
    uint8_t rule, outcome, confidence_pct, severity;
    bool open;                                       /* on the last day */
    bool ordered;
    double told_lph, delay_d, onset_off_d, loss_off; /* the last three of NOTE_FOUND and NOTE_REPEAT */
    float sure_d[SURE_STEPS]; /* delay_d of when it was as sure first; NAN: never */
    bool steady;              /* in 60 days and more before its onset the register never stood still for 2 days */
    int64_t onset_s, raised_s;
};
struct record {
    struct subject *subjects;
    struct note *notes;
    size_t subject_count, subject_cap, note_count, note_cap;
};
/* match.c. NO_MEMORY. */
MUST_CHECK enum err record_add(struct record *r, const struct trial *l,
                               const struct told_list *told, bool real);
MUST_CHECK enum err record_append(struct record *r, const struct record *more);
void record_done(struct record *r);

/* real.c: every series several times, with a fault each. The file is CSV: meter,local_time,index_l. NOT_FOUND. */
MUST_CHECK enum err real_run(const char *path, uint64_t seed, uint32_t kinds, unsigned rounds,
                             const struct holidays *holidays, struct record *out);

/* ---- sums.c ---- */

double quantile(double *values, size_t count, double q);  /* sorts them; NAN of none */

/* What is counted together; 0 or −1: any. */
struct pick {
    unsigned rule;
    uint32_t
        kinds; /* a set of 1 << enum fault_kind: of recall; 0: all for which the rule's flag is right */
    int32_t resolution_l; /* 0 any */
    unsigned form;        /* 1 + enum register_form; 0 any */
    double size_least,
        size_below;  /* of recall: the fault's size; of precision: what was told. Both 0: any */
    double within_d; /* of recall; 0: until the end */
    unsigned confidence_least; /* one of sure_pct: delays are those until it was as sure */
    bool homes;    /* families, second homes and vacant flats alone */
    bool seldom;   /* second homes and vacant flats alone */
    bool steady;   /* what was so before: with_use */
    bool with_use; /* homes with 30 L a day and more alone; of recall: while the fault lasts */
};
struct figures {
    unsigned faults, found, right, wrong, repeats, explained, too;
    unsigned in_bound,
        bound_asked; /* of `found` and stuck for good: after at most max(7 days, 1.5 × its own longest pause) and 2 days */
    struct interval recall, precision, false_per_1000;
    double delay_median_d, delay_p90_d, onset_off_d, loss_off;
    double years;
};
MUST_CHECK enum err figures_of(const struct record *r, const struct pick *p, struct figures *out);

/* ---- table.c, goals.c, list.c ---- */

void print_number(FILE *out, double v); /* one digit, in eight places; NAN: a dash */

MUST_CHECK enum err table_rules(const struct record *r, FILE *out);
MUST_CHECK enum err table_recall(const struct record *r, FILE *out);
MUST_CHECK enum err table_curve(const struct record *r, FILE *out);
MUST_CHECK enum err table_standstill(const struct record *r, FILE *out); /* standstill.c */
MUST_CHECK enum err table_goals(const struct record *r, bool json, FILE *out);
MUST_CHECK enum err table_registers(const struct record *r, FILE *out);
MUST_CHECK enum err table_slow(const struct record *r, FILE *out); /* slow_curve.c */
MUST_CHECK enum err table_list(const struct record *r, FILE *out);
MUST_CHECK enum err table_false(const struct record *r, FILE *out);
void list_truth(const struct record *r, FILE *out);
void list_notes(const struct record *r, FILE *out);

#endif
