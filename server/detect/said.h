/* Flags that follow from what a meter said of itself over time (proto/past.h has the limits and their sources): clock.c, battery.c, tamper.c.
 * They judge no step: server/judge_vitals.c makes their episodes of the spans that are kept. */
#ifndef NILO_SERVER_DETECT_SAID_H
#define NILO_SERVER_DETECT_SAID_H

#include "proto/past.h"
#include "server/detect/detect.h"

/* One span as one fitting sees it. */
struct said {
    const struct past_span *span;
    const struct past *past;
    int64_t from_s, to_s; /* of the fitting; FITTING_OPEN */
    const struct detect_rules *rules; /* of the civil day on which the span would be told at the soonest (raised_s); NULL: the standing ones */
    bool use_known;       /* tamper: what flowed in the four weeks before, and in the span until it was seen last, at most the last SAID_USE_DAYS of it; ml a day */
    int64_t before_mlpd, during_mlpd;
};

/* False: nothing to tell in this fitting. Severity, loss, confidence and evidence are the kind's own. */
bool clock_judge(const struct said *s, struct verdict *out);
bool battery_judge(const struct said *s, struct verdict *out);
bool tamper_judge(const struct said *s, struct verdict *out);

const struct detector *said_detector(enum past_kind k);
bool said_judge(enum past_kind k, const struct said *s, struct verdict *out);

static inline int64_t said_figure(const struct said *s, enum detect_figure f)
{
    return (s->rules ? s->rules : &detect_rules_standing)->value[f];
}
#define SAID_USE_DAYS 28

/* For the three, with its first figure as the limit: when it began, was told and ended, within the fitting. */
bool said_times(const struct said *s, enum past_kind k, struct verdict *out);

extern const struct detector detector_clock, detector_battery, detector_tamper;

#endif
