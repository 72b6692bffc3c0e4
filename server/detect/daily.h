/* The days of one meter, hour by hour, for what shows in weeks and not in a day (slow, fast, oversize, undersize).
 *
 * Made of the same steps that every detector sees (track.c): wild values, falls and re-based registers are none.  What was used while
 * readings were missing is spread over the days it may belong to, and to no hour. */
#ifndef NILO_SERVER_DETECT_DAILY_H
#define NILO_SERVER_DETECT_DAILY_H

#include "server/detect/detect.h"

#define DAYS_MOST 640 /* kept of one meter: a year, the months that are compared with it, and what lies before an anchor */
#define HOUR_UNKNOWN (-1)
#define HOUR_LONGEST_S 5400 /* a longer step belongs to no hour */

struct day_use {
    int32_t day;         /* civil, days since 1970-01-01 */
    uint32_t covered_s;  /* of it, between readings */
    int64_t used_ml;     /* of the whole day, as far as it is covered */
    uint32_t last_s;     /* the last reading that its steps rest on */
    int32_t hour_ml[24]; /* since its midnight; HOUR_UNKNOWN; a 25th hour counts in used_ml alone */
};

/* In order of day, without those of which nothing is known. Zeroed: none. */
struct days {
    size_t count;
    int64_t day_from_s, day_to_s; /* of the last one that was asked for */
    int32_t day;
    struct day_use at[DAYS_MOST];
};

/* Adds a step of the billed register; steps come in order of time. Where there is no more room the oldest days go. */
void days_add(struct days *d, const struct zone *z, const struct judge_step *step);
/* Adds the steps from each of the rows to the next one, which is later and does not fall. */
void days_add_rows(struct days *d, const struct zone *z, const struct row *rows, size_t count);

/* Days of [from_day, to_day), borrowed. */
struct day_span {
    const struct day_use *at;
    size_t count;
    int32_t to_day;
    struct home_days *home; /* room for what those who look at one place share (draws_priv.h) */
};
struct day_span days_between(const struct days *d, int32_t from_day, int32_t to_day); /* without such room */
/* What a year of hours says of the size of a meter. */
#define TOP_HOURS 100
struct hours_top {
    unsigned days;           /* of which enough is known */
    int32_t ml[TOP_HOURS];   /* the largest hours, largest first; 0 where there are fewer */
    double mean_mlpd;        /* of the days that are known, without what flows all day */
    double low_share;        /* of the use that is known by hours: in hours with less than low_ml */
};
/* Mean use of the whole days; much cheaper than a ranking. 0: there are none. */
double days_mean_mlpd(const struct day_span *days);
void hours_rank(const struct day_span *days, int64_t low_ml, struct hours_top *out);
void days_clear(struct days *d);
/* Whether the last fortnight is among them: of a meter that is silent a month's look says nothing new. */
bool days_are_recent(const struct day_span *days);

int64_t day_midnight_s(const struct zone *z, int32_t day); /* the instant at which a civil day begins */

static inline bool day_is_whole(const struct day_use *d)
{
    return d->covered_s >= 72000; /* 20 hours of it */
}

#endif
