/* Dial against transmitter (handbook §1.6, 机电同步): what persons read off a fitting's dial, held against what its transmitter counted.
 *
 * They are two registers.  A transmitter that was put on later counts from a beginning of its own, one whose battery was changed begins again, so between the two stands an offset:
 *
 *     dial = counted + offset
 *
 * Known is the offset from what somebody told (struct dial_told), else from the start index where the transmitter was heard within two days and does not go on from there.
 * Otherwise both are one number until a dial read says otherwise.  Over a re-base of the transmitter (rules-bills B12) the register goes on from where it stood; who reads the dial
 * while that happens, or within a day after, sets the offset anew.  A dial read that agrees without the offset of the start index disproves it: then the start index was wrong.
 *
 * The transmitter's values are judged among themselves (rules-bills B8 to B13), and so is a dial read against the dial reads before it: one that lies below them, or above what can
 * have flowed since, is a slip of the pen (DIAL_MISREAD) and says nothing of the transmitter.
 *
 * Pure.  Times are Unix seconds, volumes millilitres. */
#ifndef NILO_SERVER_BILLING_DIALS_H
#define NILO_SERVER_BILLING_DIALS_H

#include "server/billing/daysheet.h"

/* What somebody told of a meter: at this instant the dial stood at dial_ml, and the transmitter at counted_ml. */
struct dial_told {
    int64_t at_s, dial_ml, counted_ml;
    bool has_counted; /* false: what the transmitter stood at follows from its values around */
};

enum dial_verdict {
    DIAL_OPEN,    /* no value of the transmitter on both sides within 35 days (yet) */
    DIAL_AGREES,
    DIAL_OFF,     /* by more than the tolerance */
    DIAL_SETS,    /* read while the transmitter began anew, or before anything was known: the offset is made of it */
    DIAL_MISREAD
};
enum dial_offset { DIAL_OFFSET_NONE, DIAL_OFFSET_TOLD, DIAL_OFFSET_START, DIAL_OFFSET_REBASE, DIAL_OFFSET_READ };

struct dial_check {
    int64_t at_s, dial_ml;
    enum source source; /* the fitting's end index: SOURCE_MANUAL */
    enum dial_verdict verdict;
    bool settled;       /* what comes later in order of time changes nothing here */
    /* From here on only where the verdict is AGREES, OFF or SETS. */
    int64_t counted_ml, counted_at_s; /* the transmitter's value before it, as it says */
    int64_t offset_ml;  /* the short way round the register */
    enum dial_offset offset;
    int64_t off_ml;     /* how far the dial lies from all that the transmitter can have counted at that instant; above it: positive */
    int64_t tolerance_ml; /* sheet_tolerance_ml of the use since agreed_s */
    int64_t agreed_s;   /* of the dial read before that agreed, or the fitting's begin */
    bool turned;        /* since the dial read before, the transmitter began anew, jumped by as much, or an offset was told */
};
struct dial_checks {
    struct dial_check *at;
    size_t count, cap;
    int64_t open_s; /* of the newest that is not settled; 0: all are */
};

/* All dial reads of a fitting, by time.  `rows`: all that are known of the billed channel within it, in rows_tidy order.  `told` by at_s; what was told before the fitting counts
 * for nothing.  A fitting that ended with an index ends with a dial read, held against the transmitter's last value where that is at most two days older.  NO_MEMORY.  Free with
 * dial_checks_done, also after an error. */
MUST_CHECK enum err dials_check(const struct meter_facts *m, const struct fitting *f, const struct rows *rows, const struct dial_told *told, size_t told_count,
                                struct dial_checks *out);
void dial_checks_done(struct dial_checks *c);

/* The newest check at that instant; NULL: none. */
const struct dial_check *dial_check_at(const struct dial_checks *c, int64_t at_s);

/* Where the dial should stand at an instant by what the transmitter counted and what was read of the dial until then: by the value before it (or, before the first one, by that).
 * Not known: the transmitter was never heard, or the offset is not known. */
struct dial_expected {
    int64_t at_s, dial_ml; /* of that value, with the offset */
    int64_t counted_ml;    /* as the transmitter says */
    int64_t offset_ml;
    enum dial_offset offset;
};
MUST_CHECK enum err dials_expect(const struct meter_facts *m, const struct fitting *f, const struct rows *rows, const struct dial_told *told, size_t told_count, int64_t at_s,
                                 bool *out_known, struct dial_expected *out);

/* ---- what comes of it: the flag `out-of-step` ----
 *
 * An episode begins with a dial read that is off and ends with one that agrees, or when an offset is told.  One read alone that was off, before one that agrees with what the
 * transmitter went on counting (`turned` is false), was a slip: there is no episode. */
struct dial_episode {
    int64_t onset_s; /* of the first dial read that was off */
    int64_t cleared_s;
    bool ended;
    unsigned reads;  /* that were off */
    size_t last;     /* the newest of them, a place in the checks */
};
/* Writes at most `most`, the oldest first; returns how many there are. */
size_t dial_episodes(const struct dial_checks *c, const struct dial_told *told, size_t told_count, struct dial_episode *out, size_t most);

#endif
