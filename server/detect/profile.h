/* What is learned of one customer, reading by reading, in 48 bytes: how much is used and when, how
 * little flows at least, how often and how long the register stands still.  All step detectors may
 * read it (`place->profile`); it holds what came before the step at hand.
 *
 *   a day      is learned when the register moves on a later one: so days without use while the
 *              register stands are learned when it moves again, and a meter that stops keeps the
 *              profile of its customer
 *   shares     of the last 30 days or so (of each weekday: of the last eight)
 *   pauses     standstills of 12 h and more that ended by themselves, holidays and pauses left out
 *              (struct judge_place), by length; of the last 400 days or so
 *   a gap      in the data is spread evenly over its days and teaches no hours
 *
 * It follows from the steps of one fitting, begins empty with each, and knows nothing of the clock. */
#ifndef NILO_SERVER_DETECT_PROFILE_H
#define NILO_SERVER_DETECT_PROFILE_H

#include "server/detect/detect.h"
#include "server/detect/small.h"

#define PROFILE_BLOCKS 8 /* of three hours each */
#define PROFILE_PAUSES 7 /* by length: profile_pause_h */
extern const uint16_t profile_pause_h[PROFILE_PAUSES]; /* 12, 24, 48, 96, 180, 336, 720 hours at least */

struct profile {
    uint32_t moved_s;     /* the register last moved, or what is known begins; UTC seconds */
    float today_ml;       /* of `day` so far */
    uint16_t day;         /* the last day on which it moved, days since 1970-01-01; 0: never yet */
    uint16_t known_days;  /* at most 400 */
    small slow_lpd, quick_lpd;  /* mean use a day; weights fall with 60 and with 14 days */
    small today_low_lph, low_lph; /* the lowest hour of the day so far; of days of late, in the mean */
    small today_night_l;
    uint8_t weekday[7];   /* share of such days with use, of 255; Monday first */
    uint8_t block[PROFILE_BLOCKS]; /* share of days with use in those hours, of all days with use */
    uint8_t today_blocks; /* a set of those with use */
    uint8_t night_share;  /* of a day's use that falls from 2 to 5 o'clock, of 255 */
    uint8_t pauses[PROFILE_PAUSES];
    uint8_t longest, longest_week; /* pause: 12 h × 2^(longest ÷ 16); weeks since 1970, modulo 256 */
};
_Static_assert(sizeof(struct profile) == 48, "of a meter's room");

/* Takes a step after the detectors have seen it. */
void profile_learn(struct profile *s, const struct judge_place *p, const struct judge_step *step);

bool profile_has_use(const struct profile *s); /* it has moved forward since what is known began */
double profile_use_mlpd(const struct profile *s); /* mean of the last 60 days with their weights */
/* Pauses at least `hours` long that begin in a day, by what is known of this meter and, as far as that is little, of its kind; of homes with
 * those that come of people who move out. */
double profile_pauses_a_day(const struct profile *s, const struct judge_place *p, double hours);
/* The same in weeks in which people come and go more than they used to. */
double profile_unsettled_a_day(const struct profile *s, const struct judge_place *p, double hours);
/* How much likelier a meter that stops would have moved last at the hour at which this one did, than one whose people leave; 1 where
 * nobody knows: others than homes, steps longer than 90 minutes, fewer than 15 pulses a day. */
double profile_hour_odds(const struct profile *s, const struct judge_place *p);
/* The share of all time that it spent in pauses of a day and more, 0 of fewer than two; their mean length. */
double profile_away_share(const struct profile *s, double *out_mean_h);
int64_t profile_longest_s(const struct profile *s); /* pause of its own of the last 400 days; 0: none */
/* Seconds of [from_s, to_s) in which use was to be expected: without holidays, pauses and what lulls leave out. */
int64_t profile_counted_s(const struct judge_place *p, int64_t from_s, int64_t to_s);

#endif
