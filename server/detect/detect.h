/* Detectors: pure functions of (state, reading, now).  One flag, one file; formula, source, units and parameters at its top.
 *
 * The judge feeds a meter's readings in order of time, all channels together, those that take no part under rules-bills B4 to B6
 * left out, within one fitting; a detector keeps what it must remember in its own fixed-size state (zeroed at the start of a
 * fitting).  When late data changes the past, the judge begins the fitting again: so flags follow from the readings known, not
 * from the order in which they came. */
#ifndef NILO_SERVER_DETECT_DETECT_H
#define NILO_SERVER_DETECT_DETECT_H

#include "proto/facts.h"

/* Spans of civil days on which many customers are away: zero use then is no evidence of a stuck meter. */
struct holidays {
    size_t count;
    struct holiday_span {
        int32_t first_day, last_day; /* days since 1970-01-01, both included */
    } spans[128];
};

/* What does not change while one fitting is judged. */
struct judge_place {
    const struct meter_facts *meter;
    const struct point_facts *point;
    const struct fitting *fitting;
    const struct zone *zone;         /* civil time */
    const struct holidays *holidays;
};

struct judge_reading {
    enum channel channel;
    struct row row;
};

#define EVIDENCE_MAX 12

/* One number of evidence, as `evidence` of the API shows it: {"name": value, …}. */
struct evidence {
    const char *name;  /* with its unit last: "min_flow_lph" */
    enum { EVIDENCE_NUMBER, EVIDENCE_TIME } form;
    int64_t value;     /* thousandths of the number; or UTC seconds */
};

enum severity { SEVERITY_LOW = 1, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_URGENT };

/* What a detector says of an episode.  raised_s and cleared_s are instants of the readings that showed it, never of the clock. */
struct verdict {
    bool open;              /* false: the episode that was open has ended at cleared_s */
    int64_t onset_s, raised_s, cleared_s;
    enum severity severity;
    int64_t lost_mlpd, lost_low_mlpd, lost_high_mlpd; /* millilitres per day, with an interval */
    unsigned confidence_pct;
    unsigned evidence_count;
    struct evidence evidence[EVIDENCE_MAX];
};

struct detector {
    const char *flag;       /* "stuck" */
    size_t state_size;      /* of its part of the meter's state, at most 64 bytes each in all DETECTORS_STATE */
    /* Takes one reading. Returns whether it has something to say, in *out: an episode opened, changed (worse, better known), or
     * ended. `out` is filled only then. */
    bool (*judge)(void *state, const struct judge_place *place, const struct judge_reading *reading, struct verdict *out);
    /* One sentence for a crew, from the verdict's numbers. */
    void (*explain)(const struct verdict *v, const struct judge_place *place, struct wr *text_en, struct wr *text_zh);
};

#define DETECTORS_STATE 256 /* bytes of all detectors for one meter */

const struct detector *detector_at(size_t n);            /* NULL at the end of the table */
const struct detector *detector_named(struct span flag); /* NULL if unknown */
size_t detector_state_at(size_t n);                      /* where its state begins */

extern const struct detector detector_stuck, detector_reversed, detector_leak;

#endif
