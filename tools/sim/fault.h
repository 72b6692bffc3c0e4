/* Faults of meters and of what lies behind them: what they are, how large, since when; and what they do to flow.
 *
 * A fault changes flow or what the meter makes of it, never a reading: so no detector's threshold is in here.  Sizes and onsets are
 * drawn at random; the bands of sizes are those that the goals are told in. */
#ifndef NILO_TOOLS_SIM_FAULT_H
#define NILO_TOOLS_SIM_FAULT_H

#include "tools/sim/enduse.h"
#include "tools/sim/wheel.h"

enum fault_kind {
#define FAULT(name, text, right, explained, weight, within) FAULT_##name,
#include "tools/sim/fault.def"
#undef FAULT
    FAULTS
};

struct fault_about {
    const char *text;      /* "leak 2-5 L/h" */
    const char *right;     /* flags that are right, with spaces between */
    const char *explained; /* flags that count neither for nor against */
    int weight;
    int within_days; /* 0: until the fault's end */
};
extern const struct fault_about fault_about[FAULTS];
bool fault_has_flag(const char *list, const char *flag);

#define SPELLS_MAX 384

struct fault {
    enum fault_kind kind;
    double onset_s, end_s; /* UTC; end_s: mended, or the end of what is known */
    double
        size; /* leaks: L/h (growing: in the end); slow, fast: share lost or gained; else see fault.c */
    double extra; /* growing: days to its size; flapper: litres a refill; erosion: days; burst: - */
    /* Stop-and-go, intermittent: it is off, on, off … from onset on, ending at these seconds after it. */
    unsigned spells;
    float spell_end_s[SPELLS_MAX];
};

/* A fault of `kind` that begins and lasts within the span. */
void fault_make(struct fault *f, struct chance *c, enum fault_kind kind, double from_s, double to_s,
                double q3_lph);
/* Whether it is at work at an instant (spells counted). */
bool fault_is_on(const struct fault *f, double at_s);
/* Water that runs because of it on the day from midnight_s on. */
void fault_day(const struct fault *f, struct chance *c, double midnight_s, enduse_take *take,
               void *arg);
/* What the meter makes of flow while it is on: registered ÷ what a sound one registers; the error curve as it is then. */
double fault_share(const struct fault *f, double at_s);
void fault_curve(const struct fault *f, double at_s, struct curve *k);
double fault_clock_s(const struct fault *f, double at_s); /* how far the meter's clock is ahead */
double fault_battery_mv(const struct fault *f, double at_s);
bool fault_turns_back(const struct fault *f, double at_s);
static inline bool fault_is_leak(enum fault_kind k)
{
    return k >= FAULT_LEAK_2_5 && k <= FAULT_BURST;
}

#endif
