/* What is looked at once a month: the days of a year, of one meter.
 *
 * Detectors with a `look` are asked on one civil day in 28 (which one, the meter's id decides, so that a fleet's work is spread), about
 * the 420 days before it.  A look on day E is due when a reading of E + 1 day or later has come; it rests on the days before E alone, and
 * on the episode that was open until then.  So it is the same whether it is made in time or in a rebuild. */
#ifndef NILO_SERVER_DETECT_MONTHLY_H
#define NILO_SERVER_DETECT_MONTHLY_H

#include "server/detect/daily.h"

#define MONTHLY_EVERY_D 28
#define MONTHLY_WINDOW_D 420 /* a year, and the weeks that are held against it */
#define MONTHLY_ANCHOR_D 60  /* readings are taken up at one of the days that lie so far apart: so every look sees the same steps */
#define MONTHLY_KINDS 8

#define UNDERSIZE_NTH 100 /* hour of a look's days, by which a meter is too small */
/* What so many hours of that share of Q3 come to over the days of a look, as a share of Q3. */
static inline double undersize_mean(double hour_share)
{
    return hour_share * UNDERSIZE_NTH / (24.0 * MONTHLY_WINDOW_D);
}

/* Whether a look of this meter is due after since_s, up to until_s (instants of readings). */
bool monthly_is_due(const struct zone *z, uint32_t meter, int64_t since_s, int64_t until_s);
/* From when on readings are needed for the looks that are due after since_s: 0 or later. */
int64_t monthly_needs(const struct zone *z, const struct fitting *f, uint32_t meter, int64_t since_s);

/* Room for a run. */
struct monthly {
    struct days days;
    struct track track;
    const struct detector *kinds[MONTHLY_KINDS];
    struct verdict open[MONTHLY_KINDS]; /* .open: the episode of that kind that is open */
    unsigned kind_count;
};

/* Nothing is open. */
void monthly_begin(struct monthly *m);
/* An episode that was open at since_s. */
void monthly_recall(struct monthly *m, const struct detector *d, const struct verdict *v);
/* The looks that are due after since_s up to until_s, on readings of the billed channel of one fitting in order of time (from monthly_needs on, or earlier);
 * `say` as detect_feed has it. */
void monthly_run(struct monthly *m, const struct judge_place *place, const struct row *rows, size_t count, int64_t since_s,
                 int64_t until_s, detect_say *say, void *arg);

#endif
