/* How long a meter may say nothing, by its own habit.  What silent.c and outage.c share with those who watch the clock.
 *
 * A meter that reports every P seconds and whose longest pause so far was L is
 *
 *     late      from 1.25 P on, of at least 2 hours: one report is missing, which alone means nothing; of most meters of a radio cell at one time it does
 *     silent    from 3 P on, of at least 25 hours                                 low
 *               from 3 days on, of at least 3 P and 2.5 L                         medium
 *               from 7 days on, likewise                                          high
 *               from 14 and 21 days on, likewise                                  high, and likely, or sure enough, not to come back by itself
 *
 * The 25 hours, 3 P and 21 days may be set higher (server/detect/rules.def: hours, periods, sure_days); no level then begins before the ones below it.
 * Source: handbook of the fleet, §6.5 and Appendix C (25 h, 3 days, 7 days; 3 × its period). That a meter whose radio is poor has to surpass itself, and what is longer than a week, are ours: by bench_outage most
 * silences of a week are spells of a poor radio, which end by themselves. P is the median of its
 * last pauses, a day where fewer than two are known; L is forgotten slowly (struct vitals). */
#ifndef NILO_SERVER_DETECT_SILENT_H
#define NILO_SERVER_DETECT_SILENT_H

#include "server/detect/detect.h"

#define SILENCE_PERIOD_S 86400 /* where it is not known */
#define SILENCE_LEAST_S (25 * 3600) /* whatever its habit */
#define SILENCE_LEVELS 5

/* Seconds of silence, ascending. */
struct silence_limits {
    uint32_t late_s, later_s; /* later_s: in a cell of few meters */
    uint32_t level_s[SILENCE_LEVELS]; /* low, medium, high; likely dead, surely */
};
/* Of period and longest pause in seconds; 0: not known. `rules` NULL: the standing ones, below which nobody can set any; by those it is watched who was heard when (server/hearing.h). */
void silence_limits(uint32_t period_s, uint32_t longest_s, const struct detect_rules *rules, struct silence_limits *out);

/* Whether a report, after which `now` is what the meter said last, ended a pause that was too long for it: then *out is that pause, but for the meter. */
bool silence_broken(const struct vitals *before, const struct vitals *now, struct hush *out);

/* A silence while somebody ought to have been heard. */
struct silence {
    int64_t heard_s; /* the last report before */
    int64_t from_s;  /* it counts from here: heard_s, or later where the meter was fitted, or taken into use again, after it */
    int64_t until_s; /* a report, the end of the fitting, a suspension; while it lasts: now */
    bool ended;
    uint32_t period_s, longest_s;
    uint32_t cell;      /* radio cell or gateway that it was last heard through; 0: not told */
    bool large;         /* a large user's, or no household's: a level worse */
    int64_t not_before_s; /* it is told from here on; 0: from its own limit on */
    const struct detect_rules *rules; /* of the civil day on which it would be told at the soonest; NULL: the standing ones */
    int64_t outage_s;     /* it is a part of the outage that began here; 0: of none */
};
/* ---- outage.c ---- */

#define OUTAGE_LEAST 3      /* meters of a cell */
#define OUTAGE_ALL_LEAST 20 /* of all there are */
#define OUTAGE_FEW 10       /* fewer are looked at later, for their chances meet */
#define OUTAGE_MANY 200
#define OUTAGE_LEFT_S (30 * 86400) /* whoever was silent for longer belongs to no cell any more */

bool outage_is_one(uint32_t meters, uint32_t late, bool all);
bool outage_is_over(uint32_t meters, uint32_t late);
/* How likely it is that so many of the meters are late at one time by themselves: each is, apart from the others, for its own share of the time (0 to 1). By exact sums (Poisson's binomial). `room`: late + 1 numbers. */
double outage_chance(const double *share, uint32_t meters, uint32_t late, double *room);
#define OUTAGE_CHANCE 1e-4 /* of a cell, at one time: above it that is no outage yet */
#define LATE_SHARE_LEAST 0.02 /* whatever a meter showed: it may be dead */
#define LATE_SHARE_POOR 0.08 /* of one of which nothing is known but that it was once silent for longer than it may be */
#define LATE_SHARE_FADES_S (60 * 86400) /* e-fold in which a share is forgotten */

/* A zone without water: meters that were read and stand still. */
#define DRY_LEAST 10              /* meters of a zone */
#define DRY_LEAST_S (24 * 3600)   /* so long a meter stands still */
#define DRY_TOGETHER_S (12 * 3600) /* they stopped within so long of each other */
struct dry_seen {
    uint32_t meters, still, together; /* together: of those that are still they stopped with the others */
    int64_t onset_s;                  /* when the last of those that are still moved last */
};
/* For how many hours a meter stands still by habit: the least of 24, 48, 96, 180 and 336 of which pauses so long or longer fill no more than a seventh of its time; DRY_NEVER: even those of 336 do. Of the lengths of
 * its pauses within span_s. */
#define DRY_NEVER UINT32_MAX
#define DRY_HABIT_S (56 * 86400) /* that is looked at before it stopped */
uint32_t standing_habit_h(const uint32_t *pause_s, size_t count, int64_t span_s);
bool dry_may_be(uint32_t meters, uint32_t still);
bool dry_is_one(const struct dry_seen *s);
bool dry_is_over(const struct dry_seen *s);

struct outage_seen {
    uint32_t cell; /* 0: all */
    uint32_t zone; /* not 0: a zone without water, and no cell */
    uint32_t meters, late;
    int64_t onset_s, raised_s;
};
void outage_judge(const struct outage_seen *s, struct verdict *out);

/* ---- silent.c ---- */

/* The instant by whose civil day's rules a silence is judged. */
int64_t silence_ruled_s(const struct silence *s);
/* When one that lasts will be told of, or reach its next level, by its rules; 0: no more. */
int64_t silence_next_s(const struct silence *s);

/* False: it was not long enough. raised_s is when it had lasted as long as the limit. */
bool silence_judge(const struct silence *s, struct verdict *out);

#endif
