/* What flows at least: from a register's steps to the smallest flow that may have run all the time.
 *
 *   most     v pulses of w litres within h hours leave room for a constant flow of (v + 1) × w ÷ h;
 *            a pause of h hours between two pulses for w ÷ h.  So one rule for all pulses: what a
 *            fine pulse says within the hour, a coarse one says by its pauses
 *   window   pulses from the end of one step to the end of a later one (both with pulses), at least
 *            2 h (pulses up to 2 L) or 4 h apart: the mean that tells the size better than a
 *            single hour, in which 2.4 L/h is 2 or 3 L
 *   least    looked for: 0.9 × the figure least_lph; at 10 L a pause of at most 3.3 h, at 100 L of
 *            6.7 h; from DN 40 on 0.1 % of Q3 if that is more
 *
 * A step over a gap is a step like another: it leaves more room. Source: handbook of the fleet, §1.4
 * and §6.4 (L1). */
#include "server/detect/leak_priv.h"

#include <string.h>

#define FINE_PULSE_L 2.0f
#define COARSE_PULSE_L 20.0f
#define FINE_WINDOW_S (2 * HOUR_S - 300) /* clocks of meters drift: 118 minutes are two hours too */
#define COARSE_WINDOW_S (4 * HOUR_S - 300)
#define COARSE_PAUSE_H 3.33f
#define VERY_COARSE_PAUSE_H 6.67f
#define LARGE_DN_MM 40
#define LEAST_Q3_SHARE 0.001f
#define LEAST_SLACK 0.9f /* 2 L/h through a meter that shows 2 % too little, at ± 4 % a day */

#define CODE_BITS 19 /* of a float's 23 of mantissa that are left out */
#define CODE_BASE (((127 - 2) << 4) - 1)

uint8_t flow_code(float lph)
{
    uint32_t bits;
    int32_t code;

    if (!(lph >= 0.25f))
        return 0;
    memcpy(&bits, &lph, sizeof bits);
    code = (int32_t)((bits + (1u << (CODE_BITS - 1))) >> CODE_BITS) - CODE_BASE;
    return (uint8_t)(code >= NOT_YET ? NOT_YET - 1 : code);
}

float flow_lph(uint8_t code)
{
    uint32_t bits = (uint32_t)(code + CODE_BASE) << CODE_BITS;
    float lph;

    if (code == 0)
        return 0;
    memcpy(&lph, &bits, sizeof lph);
    return lph;
}

void flow_lower(uint8_t *code, float lph)
{
    if (*code == NOT_YET || lph < flow_lph(*code))
        *code = flow_code(lph);
}

float leak_pulse_l(const struct judge_place *p)
{
    return (float)p->meter->resolution_ml / 1000;
}

bool leak_is_fine(const struct judge_place *p)
{
    return leak_pulse_l(p) <= FINE_PULSE_L;
}

float leak_least_lph(const struct judge_place *p)
{
    float pulse = leak_pulse_l(p), share = (float)p->meter->q3_lph * LEAST_Q3_SHARE;
    float least = LEAST_SLACK * (float)place_figure(p, FIGURE_LEAK_least_lph) / 1000;
    float paused = leak_is_fine(p)           ? 0
                   : pulse <= COARSE_PULSE_L ? pulse / COARSE_PAUSE_H
                                             : pulse / VERY_COARSE_PAUSE_H;

    if (p->meter->dn_mm >= LARGE_DN_MM && share > least)
        least = share;
    return paused > least ? paused : least;
}

static uint16_t plus(uint16_t sum, float more)
{
    float all = (float)sum + more + 0.5f;

    return all < UINT16_MAX ? (uint16_t)all : UINT16_MAX;
}

static float per_hour(float litres, uint16_t ticks)
{
    return ticks ? litres * HOUR_S / ((float)ticks * TICK_S) : 1e9f;
}

void leak_flow_begin(struct leak *s)
{
    s->window_ticks = s->window_pulses = 0;
}

struct leak_flow leak_flow_take(struct leak *s, const struct judge_place *p,
                                const struct judge_step *step)
{
    struct leak_flow f = { .mean_lph = -1 };
    float pulse = leak_pulse_l(p), seconds = (float)(step->to_s - step->from_s);
    float pulses = step->used_ml > 0 ? (float)step->used_ml / 1000 / pulse : 0;
    float window_s = leak_is_fine(p) ? FINE_WINDOW_S : COARSE_WINDOW_S;

    s->window_ticks = plus(s->window_ticks, seconds / TICK_S);
    if (pulses < 1) {
        s->pause_ticks = plus(s->pause_ticks, seconds / TICK_S);
        f.most_lph = per_hour(pulse, s->pause_ticks);
        return f;
    }
    f.most_lph =
        (pulses + 1) * pulse * HOUR_S / seconds; /* the pause before it was told step by step */
    s->pause_ticks = 0;
    s->window_pulses = plus(s->window_pulses, pulses);
    if ((float)s->window_ticks * TICK_S < window_s)
        return f;
    f.mean_lph = per_hour((float)s->window_pulses * pulse, s->window_ticks);
    leak_flow_begin(s);
    return f;
}
