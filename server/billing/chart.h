/* A series thinned for a chart: a span cut into at most so many buckets, each with what it must not lose.  Pure.
 *
 * Of the register a bucket keeps the first, least, greatest and last reading that takes part; of the flow the least and the greatest of all steps that touch it; of those that take no part their
 * number, and the least and the greatest.  Use is the register as counted (walk.h) at a bucket's end less that at its begin, between two readings by a straight line, rounded so that buckets and
 * gaps add up to what the register moved within the span, to the millilitre. */
#ifndef NILO_SERVER_BILLING_CHART_H
#define NILO_SERVER_BILLING_CHART_H

#include "proto/base/day.h"
#include "server/billing/walk.h"

#define CHART_POINTS_LEAST 10
#define CHART_POINTS_MOST 4000

/* Where buckets begin: `count` of them, and at[count] is where the last one ends. */
struct chart_edges {
    int64_t at[CHART_POINTS_MOST + 1]; /* UTC, rising; at[0] ≤ the span's begin, at[count] ≥ its end */
    size_t count;
    int64_t width_s; /* of a bucket; of whole civil days 86 400 a day, whatever summer time does */
};

/* The finest cut of [from_s, to_s), from_s < to_s ≤ 2^32, into at most `points` (CHART_POINTS_LEAST to CHART_POINTS_MOST) buckets that are not narrower than `least_s`: of 15 or 30 minutes,
 * 1, 2, 3, 6 or 12 hours counted from civil midnight of the span's begin, or of whole civil days. */
void chart_lay(const struct zone *zone, int64_t from_s, int64_t to_s, int64_t least_s, size_t points, struct chart_edges *out);

/* The median distance of two readings that take part one after the other in [from_s, to_s); 0: there are no two. NO_MEMORY. */
MUST_CHECK enum err chart_step(const struct rows *rows, const enum rule *rules, int64_t from_s, int64_t to_s, int64_t *out_s);

struct chart_bucket {
    size_t count;                        /* readings that take part */
    int64_t first, least, greatest, last; /* thousandths of what the index shows; of count > 0 */
    bool flows;                          /* some of its time lies between two readings that are no gap */
    int64_t use_ml;                      /* then */
    int64_t flow_least_mlph, flow_most_mlph; /* likewise, ml/h; what was used within an instant has none */
    bool has_flow;
    size_t suspects;                     /* readings that take no part */
    size_t suspect_least, suspect_greatest; /* their rows; of suspects > 0; the same where it is one */
};

/* Between two readings that lie further apart than `gap_s`: nobody knows when what was used in between was used. Cut at the span. */
struct chart_gap {
    int64_t from_s, to_s, use_ml;
};

struct chart {
    struct chart_bucket *buckets; /* edges->count of them */
    struct chart_gap *gaps;       /* by time, fitting after fitting */
    size_t gap_count, gap_cap;
    int64_t moved_ml; /* by the register within the span: the sum of all buckets and gaps */
};

/* Rows of one channel by time with their verdicts (walk_rows), and the meter's fittings as counted (register_line_make), by time; no lines for a channel that is not counted. `gap_s` > 0. NO_MEMORY:
 * `out` is empty. Free with chart_done. */
MUST_CHECK enum err chart_make(const struct rows *rows, const enum rule *rules, const struct register_line *lines, size_t line_count, const struct chart_edges *edges, int64_t from_s, int64_t to_s,
                               int64_t gap_s, struct chart *out);
void chart_done(struct chart *c);

#endif
