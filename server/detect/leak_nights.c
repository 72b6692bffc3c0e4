/* What a night of this customer's is like, and how unlikely the latest ones are by living alone.
 *
 *   night    the smallest flow between 0 and 5 o'clock that the register leaves room for
 *            (leak_flow.c), in L/h: 0 where people sleep; what runs by nature or in other flats
 *            where they do not
 *   usual    the median of the nights before the run
 *   P        of a night as high by living: (a + how many of the n before were as high) ÷ (n + a + 1),
 *            within 13 % (two steps of the code).  a = 1; from 1.3 times the highest in 3 to 9 weeks on, times
 *            squared less, down to 0.01 (fine pulses).  In a household a = 0.05, and with coarse
 *            pulses 0.05 × (1.5 pulses an hour ÷ the flow)², at most 1, for there a few draws fill
 *            the pauses
 *   nats     run × − ln P: independent nights
 *   old      a leak that grows is soon a part of the nights before.  So each 21 nights the highest
 *            of them is kept for two turns, and P is taken of those of 3 to 9 weeks ago as well
 *   lived    a household is a meter below DN 25 of a residential point of whose nights at most 15 %
 *            had half of the least flow: several flats behind a meter that is too small show by that
 *
 * A night minimum against the own base (handbook §6.4, L2 and L4), not the absence of a zero: so a
 * hotel, a house's master meter or a cooler tell of a change and not of what they are.  With 20 to
 * 24 nights the figures are the same, with 16 more is missed (bench_detect --seeds train). */
#include "server/detect/leak_priv.h"

#include <math.h>
#include <string.h>

#define PRIOR 1.0f
#define PRIOR_LEAST 0.01f
#define PRIOR_HOUSEHOLD 0.05f
#define PRIOR_PULSES 1.5f
#define AS_HIGH 0.87f
#define BUSY_LEAST 0.5f
#define BUSY_PERCENT 15
#define HOUSEHOLD_DN_MM 25 /* below: families; DN 25 and more stands before several flats */
#define CALM_LEAST 0.6f
#define CALM_USUAL 1.25f
#define CALM_ODD 0.5f
#define ODD 1.3f

static uint8_t median_of(const uint8_t *at, unsigned count)
{
    uint8_t sorted[NIGHTS];

    for (unsigned i = 0; i < count; i++) {
        unsigned j = i;

        for (; j > 0 && sorted[j - 1] > at[i]; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = at[i];
    }
    return count ? sorted[count / 2] : 0;
}

static bool is_household(const struct judge_place *p, const uint8_t *at, unsigned count)
{
    uint8_t busy_from = flow_code(BUSY_LEAST * leak_least_lph(p));
    unsigned busy = 0;

    if (p->meter->dn_mm >= HOUSEHOLD_DN_MM || !place_is_household(p))
        return false;
    for (unsigned i = 0; i < count; i++)
        busy += at[i] >= busy_from;
    return busy * 100 <= count * BUSY_PERCENT;
}

/* `most`: the highest night of those that are known. */
static float prior_of(const struct judge_place *p, bool household, float lph, uint8_t most)
{
    float part = lph / leak_pulse_l(p) / PRIOR_PULSES, a = PRIOR_HOUSEHOLD;
    float top = fmaxf(flow_lph(most), leak_least_lph(p)), times = lph / top;

    if (!household)
        return times < ODD || !leak_is_fine(p) ? PRIOR
                                               : fmaxf(PRIOR / (times * times), PRIOR_LEAST);
    if (part < 1)
        a /= part * part;
    return a < PRIOR ? a : PRIOR;
}

static struct leak_proof run_of(const struct leak *s, unsigned run)
{
    uint8_t least = NOT_YET, most = 0;
    struct leak_proof proof = { .run = run };

    for (unsigned i = 0; i < run; i++) {
        least = s->nights[i] < least ? s->nights[i] : least;
        most = s->nights[i] > most ? s->nights[i] : most;
        proof.mean_lph += flow_lph(s->nights[i]) / (float)run;
    }
    proof.least_lph = flow_lph(least);
    proof.most_lph = flow_lph(most);
    proof.usual = median_of(s->nights + run, s->count - run);
    return proof;
}

static float nats_of(const struct judge_place *p, const struct leak_proof *proof, unsigned high,
                     unsigned count, uint8_t most)
{
    float a = prior_of(p, proof->household, proof->least_lph, most);

    return -(float)proof->run * logf(((float)high + a) / ((float)count + a + 1));
}

struct leak_proof leak_nights_weigh(const struct leak *s, const struct judge_place *p, unsigned run)
{
    const uint8_t *before = s->nights + run;
    unsigned count = s->count - run, high = 0;
    uint8_t most = 0;
    struct leak_proof proof = run_of(s, run);
    uint8_t from = flow_code(AS_HIGH * proof.least_lph);

    proof.household = is_household(p, before, count);
    for (unsigned i = 0; i < count; i++) {
        high += before[i] >= from;
        most = before[i] > most ? before[i] : most;
    }
    if (s->most_then != NOT_YET && s->most_then > most)
        most = s->most_then;
    if (s->most_before != NOT_YET && s->most_before > most)
        most = s->most_before;
    proof.nats = nats_of(p, &proof, high, count, most);
    return proof;
}

struct leak_proof leak_nights_weigh_old(const struct leak *s, const struct judge_place *p,
                                        unsigned run)
{
    struct leak_proof proof = run_of(s, run);

    proof.household = s->flags & FEW_BEFORE;
    if (s->most_before < proof.usual)
        proof.usual = s->most_before;
    if (s->most_before != NOT_YET && s->most_before < flow_code(AS_HIGH * proof.least_lph))
        proof.nats = nats_of(p, &proof, 0, NIGHTS, s->most_before);
    return proof;
}

static void turn(struct leak *s, const struct judge_place *p)
{
    bool few = s->flags & FEW_THEN;

    s->flags &= (uint8_t) ~(FEW_THEN | FEW_BEFORE);
    s->flags |=
        (uint8_t)((few ? FEW_BEFORE : 0) | (is_household(p, s->nights, s->count) ? FEW_THEN : 0));
    s->most_before = s->most_then;
    s->most_then = 0;
    for (unsigned i = 0; i < s->count; i++)
        s->most_then = s->nights[i] > s->most_then ? s->nights[i] : s->most_then;
    s->turn = 0;
}

void leak_nights_push(struct leak *s, const struct judge_place *p, uint8_t low)
{
    if (s->count == 0)
        s->most_then = s->most_before = NOT_YET;
    memmove(s->nights + 1, s->nights, NIGHTS - 1);
    s->nights[0] = low;
    if (s->count < NIGHTS)
        s->count++;
    if (++s->turn >= NIGHTS)
        turn(s, p);
}

void leak_nights_forget(struct leak *s, unsigned run)
{
    s->count = (uint8_t)(s->count - run);
    memmove(s->nights, s->nights + run, s->count);
}

/* After a night such as none was, less than half of it is a pause: what flows on through the day
 * must be of its size. */
float leak_nights_calm(const struct leak *s, const struct judge_place *p)
{
    float least = CALM_LEAST * leak_least_lph(p);
    float usual = flow_lph(median_of(s->nights, s->count)),
          calm = CALM_USUAL * usual + least / 1.2f;
    float low = s->count ? flow_lph(s->nights[0]) : 0;
    uint8_t most = 0;

    for (unsigned i = 1; i < s->count; i++)
        most = s->nights[i] > most ? s->nights[i] : most;
    if (low > ODD * flow_lph(most) && CALM_ODD * low > calm)
        calm = CALM_ODD * low;
    return calm > least ? calm : least;
}
