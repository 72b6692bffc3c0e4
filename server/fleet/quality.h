/* What a meter's life says of its quality: how long it served, and when and how it failed.
 *
 *     events, confirmed flags → quality_read → stretches in service, failures with their age → counts by model, supplier, batch, DN
 *
 * In service is a meter while it is fitted; its age counts these days alone.  A failure is, by the table of defaults.h:
 *
 *     an event `fault`; the kind is told by its reason or note
 *     a removal whose reason tells a kind; any other removal was in good order
 *     a flag that a person confirmed, at its onset
 *     a loss while it was fitted (kind lost)
 *     an inspection that was failed, in service or afterwards in the laboratory (kind inaccurate)
 *
 * What is told of one failure several times (a flag, then a fault, then a removal) is one, at the first of these, until the meter is removed, resumed or
 * lost; the first that knows a kind names it.  For survival a meter fails once, by its first failure that is not its loss; removed in good order,
 * lost or still in service it is censored.  Pure. */
#ifndef NILO_SERVER_FLEET_QUALITY_H
#define NILO_SERVER_FLEET_QUALITY_H

#include "server/fleet/defaults.h"
#include "server/fleet/life.h"

struct quality_flag { /* that a person confirmed, and that blames the meter */
    int64_t onset_s;
    enum failure_kind kind;
};

struct quality_failure {
    enum failure_kind kind;
    int64_t at_s;
    int64_t age_s; /* in service until then */
};

struct quality_of {
    const struct fleet_rules *rules;
    const struct life_event *events; /* by (at, arrival) */
    size_t count;
    const struct quality_flag *flags; /* by onset */
    size_t flag_count;
    int64_t now_s; /* events and flags after it do not count */
    /* Either may be NULL. In order of time. */
    void (*stretch)(void *arg, int64_t from_s, int64_t to_s);
    void (*failure)(void *arg, const struct quality_failure *f);
    void *arg;
};

struct quality_end {
    bool served;   /* it was ever fitted; else nothing below counts */
    bool failed;
    int64_t age_s; /* in service when it failed first, else when it was last seen */
};

struct quality_end quality_read(const struct quality_of *q);

/* ---- figures ---- */

#define QUALITY_YEAR_S 31557600 /* of 365.25 days */

/* Failures per 1 000 meter-years; 0 without service. */
double quality_rate(uint64_t failures, int64_t service_s);

/* Where the rate behind `failures` lies in 95 of 100 cases, were they Poisson's: exact bounds (Garwood 1936), as failures:
 *
 *     low    the mean at which so many or more come in 2.5 of 100 cases: half the 2.5 % point of χ² with 2 k degrees; 0 for none
 *     high   the mean at which so many or fewer do: half the 97.5 % point of χ² with 2 k + 2 degrees
 *
 * Divided by the years in service like the failures themselves. */
void quality_bounds(uint64_t failures, double *out_low, double *out_high);

/* The middle one of `count` ages, the mean of the middle two where it is even; sorts them. `count` ≥ 1. */
double quality_median(uint16_t *ages, size_t count);

/* The median of ratios (thousandths, sorted here) and where it lies in 95 of 100 such samples, by the sign test (Conover 1999, 3.2): order statistics, no
 * form of the distribution is taken for granted. False: fewer than six, which bound nothing. */
struct quality_middle {
    double median, low, high;
};
bool quality_middle(int32_t *ratios, size_t count, struct quality_middle *out);

#endif
