/* The day sheet of a route (handbook §8): on which days a route is read, what was read at a point by radio and by hand, how the two compare, and what is the matter where nothing was.
 * Pure: the caller loads fittings, rows and their verdicts.  Times are Unix seconds, volumes millilitres. */
#ifndef NILO_SERVER_BILLING_DAYSHEET_H
#define NILO_SERVER_BILLING_DAYSHEET_H

#include "server/billing/consume.h"

/* ---- on which days ----
 *
 * A route's `days` are words between commas or blanks, each of which adds days:
 *
 *     1 … 31         of the month; in a shorter month its last day stands for those that it lacks
 *     mon … sun      of the week
 *     A-B            from one to the other, both days of the month or both of the week: 1-5, mon-fri
 *     last           the month's last day
 *     daily          every day, as is a route without any days */
struct route_days {
    uint32_t of_month; /* 1 << day, from 1 */
    uint8_t of_week;   /* 1 << day, 0 = Monday */
    bool last;
};

/* MALFORMED: something else stands there. */
MUST_CHECK enum err route_days_read(struct span text, struct route_days *out);
bool route_days_hold(const struct route_days *d, int64_t day); /* days since 1970-01-01 */
/* The latest such day before `day`, at most 62 days before; else the day before. */
int64_t route_days_before(const struct route_days *d, int64_t day);

/* ---- what was read ---- */

#define SHEET_NEAR_S 86400 /* a read counts for a day within so much of its cut-off (handbook §8) */

/* Of one civil day: the cut-off is its first instant. Reads count from `from_s` to `to_s`, both inside. */
struct sheet_day {
    int64_t cut_s, end_s; /* where the civil day begins and ends */
    int64_t from_s, to_s; /* SHEET_NEAR_S around the cut-off, and to the day's end where it has 25 hours */
};
struct sheet_day sheet_day_of(int64_t cut_s, int64_t end_s);

/* Which fitting the sheet is about: the one at the cut-off (of two that touch there the later), else the first that begins within the day's span; `fittings` by from_s. -1: none. */
int sheet_fitting(const struct fitting *fittings, size_t count, const struct sheet_day *day);

struct sheet_read {
    bool known;
    int64_t at_s, dial_ml;
    enum rule rule; /* by which it takes no part */
    enum source source;
};
/* remote   takes part, came by radio, and is the nearest to the cut-off (of two as near the earlier)
 * manual   from a person, whether it takes part or not: the last of the civil day, else the nearest to the cut-off
 * What stands at the fitting's own indexes is no read. Rows in rows_tidy order with their verdicts. */
void sheet_reads(const struct rows *rows, const enum rule *rules, const struct sheet_day *day, struct sheet_read *remote, struct sheet_read *manual);

/* How far the dial, as a person read it, lies from all that the transmitter can have counted at that instant: 0 between the reads by radio that take part before and after it. Where there is
 * none on one side, the register may have moved on by `pace_ml_day`. False: no read by radio to hold it against within 35 days. */
bool sheet_off(const struct meter_facts *m, const struct rows *rows, const enum rule *rules, const struct sheet_read *manual, int64_t pace_ml_day, int64_t *out_ml);

/* One register, told modulo its size: b - a the short way round. */
int64_t dial_difference(const struct meter_facts *m, int64_t a_ml, int64_t b_ml);

#define SHEET_TOLERANCE_ML 1000000 /* handbook §5.2, rule 14: 1 m3 */
/* How far that may be (out-of-step beyond it): one pulse and 1 % of what went through since the last day of the route, at least 1 m3. */
int64_t sheet_tolerance_ml(const struct meter_facts *m, int64_t use_ml);

/* ---- what comes of it ---- */

enum sheet_state { SHEET_OK, SHEET_MISSING, SHEET_ODD, SHEET_DISPUTED, SHEET_SIGNED }; /* numbers stand on disk */
const char *sheet_state_name(enum sheet_state s);

/* What is the matter. Numbers stand on disk: new ones go to the end. */
enum sheet_reason {
    SHEET_NONE,
    SHEET_NEVER_INSTALLED, /* no meter was ever fitted */
    SHEET_REMOVED,         /* it was taken off, and none came */
    SHEET_NOT_YET,         /* the day has not come */
    SHEET_NEVER_HEARD,     /* no frame ever came */
    SHEET_SILENT,          /* none since before the day's span */
    SHEET_OUTAGE,          /* likewise, as of most meters of its radio cell */
    SHEET_WAITING,         /* frames of it wait in quarantine */
    SHEET_NO_READING,      /* it reported, but no value near the cut-off */
    SHEET_SUSPECT,         /* there are values, but none that takes part */
    SHEET_DIAL_SUSPECT,    /* a person's read takes no part */
    SHEET_OUT_OF_STEP,     /* dial and transmitter disagree */
    SHEET_NEGATIVE,        /* checks of rules-bills E over the span since the route's last day */
    SHEET_ZERO,
    SHEET_HIGH,
    SHEET_LOW,
    SHEET_GATEWAY,         /* likewise, as of most meters that its gateway heard */
    SHEET_REASONS
};
const char *sheet_reason_name(enum sheet_reason r); /* "out-of-step"; NULL for SHEET_NONE */
const char *sheet_reason_en(enum sheet_reason r);   /* a sentence for people; NULL likewise */
const char *sheet_reason_zh(enum sheet_reason r);

struct sheet_facts {
    const struct sheet_day *day;
    int64_t now_s;
    bool ever_fitted, fitted; /* any fitting began by the day's end; one is what the sheet is about */
    bool any_remote;          /* values by radio in the day's span, whether they take part or not */
    bool waits, outage, gateway; /* gateway: its radio cell is one */
    int64_t heard_at_s; /* the last frame, or the last value by radio; 0: never */
    struct sheet_read remote, manual;
    bool off_known;
    int64_t off_ml, tolerance_ml;
    int64_t offset_ml; /* that stands between dial and transmitter, and is counted in (server/billing/dials.h) */
    bool dial_holds;   /* by it the dial read is right, whether it takes part or not */
    unsigned checks;
};
/* missing: neither read is there, or the day has not come. odd: one is, and something is the matter. ok with a reason: read by hand, and why not by radio. */
enum sheet_state sheet_judge(const struct sheet_facts *f, enum sheet_reason *out);

/* ---- a read by hand, before it is taken (handbook §8, no last read told) ---- */

enum read_range { READ_PLAUSIBLE, READ_FAR, READ_UNIT };
/* `last`: the newest value that takes part before; `next` (may be NULL): the first after. What a person read must not stand below the one nor above the other, nor above what could flow since
 * `last`, each by more than 1 m3: 3 times the own pace, at least 500 L a day more than it, and never more than the meter lets through (rules-bills B8). pace_ml_day < 0: not known, the meter's
 * limit alone. READ_UNIT: 1 000 times the value would be plausible. A `net` register may go back as far as it may go on. */
enum read_range read_judge(const struct meter_facts *m, const struct row *last, const struct row *next, int64_t pace_ml_day, int64_t at_s, int64_t index_ml);

/* ---- re-reads ---- */

enum recheck_level { RECHECK_TEAM, RECHECK_BRANCH, RECHECK_COMPANY, RECHECK_LEVELS };
const char *recheck_level_name(enum recheck_level l); /* "team" */
/* How many of `count` read points are read again: 5, 2 and 0.5 %, rounded up. */
size_t recheck_count(enum recheck_level l, size_t count);
/* Whether a second person's value agrees with what was read: not below it by more than a pulse, nor above it by more than could flow since (read_judge). use_ml went through in
 * use_s seconds before (< 0: not known). */
bool recheck_agrees(const struct meter_facts *m, const struct sheet_read *read, int64_t use_ml, int64_t use_s, int64_t at_s, int64_t index_ml);

#endif
