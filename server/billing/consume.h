/* Consumption of a point over a span (rules-bills C, D and E).  Pure: the caller loads fittings, meters and rows. */
#ifndef NILO_SERVER_BILLING_CONSUME_H
#define NILO_SERVER_BILLING_CONSUME_H

#include "server/billing/rules.h"

enum quality { QUALITY_ACTUAL, QUALITY_EDITED, QUALITY_ESTIMATED, QUALITY_MISSING };                    /* from good to bad */
enum method { METHOD_NONE, METHOD_READ, METHOD_INTERPOLATED, METHOD_LIKE_DAY, METHOD_PROFILE, METHOD_REBASED }; /* in D3's order */
enum part_kind { PART_METERED, PART_REBASED, PART_NO_METER };
enum consume_step { STEP_NONE, STEP_HOUR, STEP_DAY, STEP_MONTH };

const char *quality_name(enum quality q);
const char *method_name(enum method m); /* NULL for METHOD_NONE */
const char *part_kind_name(enum part_kind k);
const char *check_name(enum check c);

struct part {
    enum part_kind kind;
    int64_t from_s, to_s;
    const char *serial; /* borrowed from the meter's facts */
    int64_t start_ml, end_ml, consumption_ml;
    bool known;                 /* false: an end is missing (D4) */
    bool start_known, end_known; /* which of start_ml and end_ml count */
    enum quality quality;
    enum method method;
    int32_t rollovers;
    bool edited; /* an end rests on an edit (edit.h), whatever the quality; false of what was frozen */
};

struct consumption {
    int64_t from_s, to_s;
    bool known;
    int64_t consumption_ml, billed_m3;
    enum quality quality;
    enum method method;
    size_t part_count;
    struct part *parts;
    unsigned checks; /* a set of 1 << enum check */
    unsigned judged; /* likewise: there was enough to judge by; they are among them */
    const struct check_told *told; /* by enum check, of those that were judged: by what; borrowed until the next row. NULL: none was */
    bool edited;     /* a part is */
};

/* One fitting with all that is needed of its meter: the rows of the billed channel, all that are known, and its edits among them (edits_apply). */
struct consume_fitting {
    struct fitting fitting;
    const struct meter_facts *meter;
    const struct rows *rows;
};

/* Rows of one kind for one point, asked for one after the other: each fitting is walked once, when the first row touches it.  The
 * fittings by time; those that touch the rows, and for the checks (E3) those of the 62 days before as well.  They, their meters,
 * rows and the zone are borrowed until consumer_free.  `now_s` bounds what can be known (C6).  One thread at a time. */
struct consumer;

MUST_CHECK enum err consumer_new(const struct consume_fitting *fittings, size_t count, enum consume_step step, const struct zone *zone,
                                 int64_t now_s, struct consumer **out);
void consumer_free(struct consumer *c); /* NULL is fine */

/* By which figures its rows are checked; without it, by the table's own. `rules` is borrowed until consumer_free. `use`: the point's. */
void consumer_judge_by(struct consumer *c, const struct check_rules *rules, enum use_class use);
int32_t consumer_dn(const struct consumer *c); /* of the meter at which the row that was asked for last begins, or that comes next; 0: none */
/* What holds of a check for the row that was asked for last. */
const struct check_line *consumer_line(const struct consumer *c, enum check check);

/* The row of [from_s, to_s), which is cut at nothing. `out` is borrowed until the next call. NO_MEMORY. */
MUST_CHECK enum err consumer_row(struct consumer *c, int64_t from_s, int64_t to_s, const struct consumption **out);

/* The same without its checks, which cost most of it. */
MUST_CHECK enum err consumer_figures(struct consumer *c, int64_t from_s, int64_t to_s, const struct consumption **out);

/* The median of the daily use on the days before the row that was asked for last that count for it (rules-bills E3), floored; false: fewer do than the rule asks for. NO_MEMORY. */
MUST_CHECK enum err consumer_median(struct consumer *c, bool *out_known, int64_t *out_ml);

/* When the last reading was taken that is known of the meter's last fitting among the consumer's, if the last FIRM_LEAST are calm (rows_calm) and take part: then
 * later ones that follow them calmly change nothing before. For the walk looks ahead by three readings (rules-bills B12), and takes back its last step only for one
 * that falls. INT64_MIN: they do not. NO_MEMORY. */
#define FIRM_LEAST 8
MUST_CHECK enum err consumer_firm(struct consumer *c, uint32_t meter, int64_t *out_s);

/* Where the civil hour, day or month that holds `from_s` ends; INT64_MAX for STEP_NONE. */
int64_t consume_step_end(enum consume_step step, const struct zone *zone, int64_t from_s);

/* Calls `each` for the one answer (STEP_NONE) or for each civil hour, day or month of [from_s, to_s), in order; false ends it.
 * NO_MEMORY. */
MUST_CHECK enum err consume(const struct consume_fitting *fittings, size_t count, int64_t from_s, int64_t to_s, enum consume_step step,
                            const struct zone *zone, int64_t now_s, bool (*each)(void *arg, const struct consumption *c), void *arg);

#endif
