/* Swapped meters (串户): two meters of one house whose water is each other's from some week on.
 *
 * Each home has a hand of its own: how much it uses, and at which hours on days of work and at weekends.  Of each meter and week the volume in SWAPPED_SLOTS slots of two hours is kept.  For a week τ and a
 * pair (i, j), with μ of the weeks before and ν of those since, each a vector of the roots of volume and of the slots' shares (roots of counts and of shares have nearly one spread for all homes: Anscombe
 * 1948), in units of how much the homes of this house move between the same weeks by themselves:
 *
 *     own(i) = |ν_i − μ_i|²    crossed(i) = |ν_i − μ_j|²    score = Σ over both (own − crossed) / 2
 *
 *   raised   in a week in which the score is at least `least`, each of the two parts at least `part` of it, no other pair with either of them comes within `margin`, and it was so HOLD weeks before
 *   cleared  in a week in which the same pair swaps back
 *
 * And without any change, for two that were crossed from the first day on: for some days nothing is to be used in one flat (server/detect/idle.c), and its meter turns while one other stands.
 *
 *   raised   through SWAPPED_VACANT_DAYS since its account was suspended, or somebody found the flat vacant, the meter turned on three of five days, and of all others exactly one stood, which never stood for so
 *            long before; or while the meter's valve was shut, for SWAPPED_SHUT_DAYS at least, and the one that stood turned until two days before and again two days after
 *   cleared  when such days show the same meter standing, as it should; or by hands, as above
 *
 * A new tenant moves one home's hand and not the other's, so that his part falls. Pure; a week's finding rests on that week and those before it. Source: handbook §6.5 (two accounts swap levels on one date). */
#ifndef NILO_SERVER_DETECT_SWAPPED_H
#define NILO_SERVER_DETECT_SWAPPED_H

#include "server/detect/detect.h"

#define SWAPPED_SLOTS 24 /* of two hours: twelve of days of work, twelve of weekends */
#define SWAPPED_WEEKS_MOST 60
#define SWAPPED_METERS_MOST 64

#define SWAPPED_SHUT_DAYS 3
#define SWAPPED_VACANT_DAYS 28
#define SWAPPED_IDLE_MOST 64 /* spans of all meters of a house: more are passed over */

struct swapped;

/* From a civil midnight that begins a Monday on. LIMIT, NO_MEMORY. */
MUST_CHECK enum err swapped_new(int64_t from_s, unsigned weeks, unsigned meters, struct swapped **out);
void swapped_free(struct swapped *s); /* NULL is fine */
void swapped_take(struct swapped *s, unsigned meter, const struct judge_step *step); /* meters from 0 on */

/* Nothing is to be used through the meter from from_s on until to_s; `shut`: its valve is shut by a command. */
void swapped_idle(struct swapped *s, unsigned meter, bool shut, int64_t from_s, int64_t to_s);

struct swapped_rules {
    double least, part, margin, fit;
};
extern const struct swapped_rules swapped_usual;

struct swapped_finding {
    unsigned first, second;
    int64_t onset_s, raised_s, cleared_s; /* ends of weeks; cleared_s 0: it lasts; raised_s: it came and went in weeks that were looked at before, so nobody is told */
    int64_t since_s; /* since when both count what they do now: onset_s, or when they swapped back */
    unsigned vacant_days, shut_days; /* by which it was found; both 0: by hands */
    bool second_idle;                /* it is the second in whose flat nothing was to be used */
    double score;
    double first_before_lpd, first_after_lpd, second_before_lpd, second_after_lpd;
    unsigned weeks_before, weeks_after;
};

/* As balance_scan. */
struct swapped_scan {
    unsigned own_week, week;
    unsigned first, second, held; /* the pair that was the best last, for so many weeks in a row */
};

/* By the end of the week before until_s, in order of raising. `out` and `scan` go on as those of balance_find. NO_MEMORY. */
MUST_CHECK enum err swapped_find(const struct swapped *s, const struct swapped_rules *rules, int64_t until_s, struct swapped_scan *scan, struct swapped_finding *out, size_t most, size_t *out_count);

#endif
