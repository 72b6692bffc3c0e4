/* Faults, their sizes and courses (L/h: even in the logarithm between the bounds):
 *
 *   leak          constant, 2–5, 5–20, 20–200 L/h, 8 % more in the hours of the night, when pressure is higher
 *   flapper       4–80 L/h out of the cistern; the float opens when 1 to 2.5 L are gone and lets them in at 360 L/h
 *   growing       from 1 L/h to 15–150 L/h in 20 to 120 days, by a constant factor a day
 *   intermittent  5–100 L/h, on for 36 h and off for 36 h in the mean (exponential)
 *   by night      8–100 L/h from 23 to 6 o'clock alone: a timer's valve that does not close
 *   burst         0.3–0.9 Q3 for 4 to 72 h
 *   stuck         whole: nothing more. Stop-and-go: stands for 6 days, moves for 3, in the mean.  For hours: stands for 18 h, moves
 *                 for 3 h, in the mean (worn teeth: handbook §1.6)
 *   reversed      turned round by whoever worked on it: half of them from the first day on
 *   slow          step 5–20, 20–50, 50–90 %; drift: to 30–60 % in 100 to 250 days; erosion: the starting flow rises to 25–80 L/h in 60
 *                 to 200 days and half of what flows below twice that is lost with it
 *   fast          4–30 % too much
 *   backflow      one event of 60–3 000 L in 10 to 120 minutes
 *   selfturn      4–40 L/h forward and back by turns between 22 and 7 o'clock (pump's pressure waves: handbook §1.5)
 *   unmoved       never turned since installed
 *   silent        no report any more
 *   clock         runs off by 20 to 600 s a day, or (three in ten) jumps by 1 to 48 h, either way
 *   battery       from 3.6 V to 2.5 V in 20 to 90 days; the last report at 2.6 V
 *   tamper        a magnet, for 10 h at a time with 14 h between, in the mean: nothing turns, and the meter says so
 *   out of step   the transmitter misses 5 to 60 % of the pulses; the dial does not
 *   oversize, undersize   three sizes too large, two too small for what is used
 *
 * A leak is mended in two cases of five after 8 to 60 days; meters stay as they are. */
#include "tools/sim/fault.h"

#include <string.h>

#define DAY_S 86400.0
#define HOUR_S 3600.0
#define BATTERY_FULL_MV 3600.0
#define BATTERY_LAST_MV 2600.0
#define BATTERY_EMPTY_MV 2500.0

const struct fault_about fault_about[FAULTS] = {
#define FAULT(name, text, right, explained, weight, within)                                        \
    { text, right, explained, weight, within },
#include "tools/sim/fault.def"
#undef FAULT
};

bool fault_has_flag(const char *list, const char *flag)
{
    size_t len = strlen(flag);

    for (const char *at = list; (at = strstr(at, flag)); at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == 0 || at[len] == ' '))
            return true;
    return false;
}

/* ---- sizes ---- */

static void spells_make(struct fault *f, struct chance *c, double off_h, double on_h, double all_s)
{
    double at_s = 0;
    bool on = true;

    while (at_s < all_s && f->spells < SPELLS_MAX) {
        at_s += fmax(0.5, chance_exponential(c, on ? on_h : off_h)) * HOUR_S;
        f->spell_end_s[f->spells++] = (float)at_s;
        on = !on;
    }
}

static void size_make(struct fault *f, struct chance *c, double q3_lph)
{
    double all_s = f->end_s - f->onset_s;

    switch (f->kind) {
    case FAULT_LEAK_2_5:
        f->size = chance_log_even(c, 2, 5);
        return;
    case FAULT_LEAK_5_20:
        f->size = chance_log_even(c, 5, 20);
        return;
    case FAULT_LEAK_20_200:
        f->size = chance_log_even(c, 20, 200);
        return;
    case FAULT_LEAK_FLAPPER:
        f->size = chance_log_even(c, 4, 80);
        f->extra = chance_even(c, 1, 2.5);
        return;
    case FAULT_LEAK_GROWING:
        f->size = chance_log_even(c, 15, 150);
        f->extra = chance_even(c, 20, 120);
        return;
    case FAULT_LEAK_INTERMITTENT:
        f->size = chance_log_even(c, 5, 100);
        spells_make(f, c, 36, 36, all_s);
        return;
    case FAULT_LEAK_NIGHT:
        f->size = chance_log_even(c, 8, 100);
        return;
    case FAULT_BURST:
        f->size = q3_lph * chance_even(c, 0.3, 0.9);
        return;
    case FAULT_STUCK_GO:
        spells_make(f, c, 72, 144, all_s);
        return;
    case FAULT_STUCK_PARTLY:
        spells_make(f, c, 3, 18, all_s);
        return;
    case FAULT_SLOW_5_20:
        f->size = chance_even(c, 0.05, 0.2);
        return;
    case FAULT_SLOW_20_50:
        f->size = chance_even(c, 0.2, 0.5);
        return;
    case FAULT_SLOW_50:
        f->size = chance_even(c, 0.5, 0.9);
        return;
    case FAULT_SLOW_DRIFT:
        f->size = chance_even(c, 0.3, 0.6);
        f->extra = chance_even(c, 100, 250);
        return;
    case FAULT_SLOW_EROSION:
        f->size = chance_log_even(c, 25, 80);
        f->extra = chance_even(c, 60, 200);
        return;
    case FAULT_FAST:
        f->size = chance_even(c, 0.04, 0.3);
        return;
    case FAULT_BACKFLOW:
        f->size = chance_log_even(c, 60, 3000);
        f->extra = chance_even(c, 600, 7200);
        return;
    case FAULT_SELFTURN:
        f->size = chance_log_even(c, 4, 40);
        return;
    case FAULT_CLOCK:
        f->extra = chance_happens(c, 0.3) ? 0 : 1; /* runs off; else jumps */
        f->size = f->extra > 0 ? chance_log_even(c, 20, 600) : chance_log_even(c, 1, 48) * HOUR_S;
        if (chance_happens(c, 0.5))
            f->size = -f->size;
        return;
    case FAULT_BATTERY:
        f->extra = chance_even(c, 20, 90);
        return;
    case FAULT_TAMPER:
        spells_make(f, c, 14, 10, all_s);
        return;
    case FAULT_OUT_OF_STEP:
        f->size = chance_even(c, 0.05, 0.6);
        return;
    default:
        return;
    }
}

static bool since_the_start(struct chance *c, enum fault_kind kind)
{
    return kind == FAULT_UNMOVED || kind == FAULT_OVERSIZE || kind == FAULT_UNDERSIZE ||
           (kind == FAULT_REVERSED && chance_happens(c, 0.5));
}

void fault_make(struct fault *f, struct chance *c, enum fault_kind kind, double from_s, double to_s,
                double q3_lph)
{
    double all = to_s - from_s;
    bool slow = kind >= FAULT_SLOW_5_20 && kind <= FAULT_FAST;

    memset(f, 0, sizeof *f);
    f->kind = kind;
    f->onset_s =
        since_the_start(c, kind) ? from_s : from_s + chance_even(c, 0.3, slow ? 0.7 : 0.88) * all;
    f->end_s = to_s;
    if (kind == FAULT_BURST)
        f->end_s = fmin(to_s, f->onset_s + chance_even(c, 4, 72) * HOUR_S);
    else if (fault_is_leak(kind) && chance_happens(c, 0.4))
        f->end_s = fmin(to_s, f->onset_s + chance_even(c, 8, 60) * DAY_S);
    size_make(f, c, q3_lph);
    if (kind == FAULT_BACKFLOW)
        f->end_s = f->onset_s + f->extra;
    if (kind == FAULT_BATTERY)
        f->end_s = fmin(to_s, f->onset_s + f->extra * DAY_S * (BATTERY_FULL_MV - BATTERY_LAST_MV) /
                                               (BATTERY_FULL_MV - BATTERY_EMPTY_MV));
}

/* ---- courses ---- */

bool fault_is_on(const struct fault *f, double at_s)
{
    unsigned low = 0, high = f->spells;
    float since = (float)(at_s - f->onset_s);

    if (f->kind == FAULT_NONE || at_s < f->onset_s || at_s >= f->end_s)
        return false;
    if (f->spells == 0)
        return true;
    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (f->spell_end_s[middle] <= since)
            low = middle + 1;
        else
            high = middle;
    }
    return low % 2 == 0;
}

/* Hours from h on, of the day, as far as the fault lasts. */
static void run(const struct fault *f, double from_s, double to_s, double lph, enduse_take *take,
                void *arg)
{
    if (from_s < f->onset_s)
        from_s = f->onset_s;
    if (to_s > f->end_s)
        to_s = f->end_s;
    if (to_s > from_s)
        take(arg, from_s, to_s - from_s, lph);
}

static void refills(const struct fault *f, double from_s, double to_s, enduse_take *take, void *arg)
{
    double every_s = f->extra / f->size * HOUR_S, n = ceil((from_s - f->onset_s) / every_s);

    for (double at_s = f->onset_s + fmax(n, 0) * every_s; at_s < to_s && at_s < f->end_s;
         at_s += every_s)
        take(arg, at_s, f->extra * 10, 360);
}

static double grown(const struct fault *f, double at_s)
{
    double share = (at_s - f->onset_s) / (f->extra * DAY_S);

    return pow(f->size, share < 0 ? 0 : share > 1 ? 1 : share);
}

void fault_day(const struct fault *f, struct chance *c, double midnight_s, enduse_take *take,
               void *arg)
{
    double end_s = midnight_s + DAY_S, today = f->size * chance_even(c, 0.96, 1.04);

    if (f->onset_s >= end_s || f->end_s <= midnight_s)
        return;
    switch (f->kind) {
    case FAULT_LEAK_2_5:
    case FAULT_LEAK_5_20:
    case FAULT_LEAK_20_200:
        run(f, midnight_s, midnight_s + 6 * HOUR_S, today * 1.08, take, arg);
        run(f, midnight_s + 6 * HOUR_S, end_s, today, take, arg);
        return;
    case FAULT_BURST:
        run(f, midnight_s, end_s, f->size, take, arg);
        return;
    case FAULT_LEAK_GROWING:
        for (int h = 0; h < 24; h += 4)
            run(f, midnight_s + h * HOUR_S, midnight_s + (h + 4) * HOUR_S,
                grown(f, midnight_s + h * HOUR_S), take, arg);
        return;
    case FAULT_LEAK_FLAPPER:
        refills(f, midnight_s, end_s, take, arg);
        return;
    case FAULT_LEAK_NIGHT:
        run(f, midnight_s, midnight_s + 6 * HOUR_S, today, take, arg);
        run(f, midnight_s + 23 * HOUR_S, end_s, today, take, arg);
        return;
    case FAULT_LEAK_INTERMITTENT:
        for (int q = 0; q < 96; q++)
            if (fault_is_on(f, midnight_s + q * HOUR_S / 4))
                run(f, midnight_s + q * HOUR_S / 4, midnight_s + (q + 1) * HOUR_S / 4, today, take,
                    arg);
        return;
    default:
        return;
    }
}

double fault_share(const struct fault *f, double at_s)
{
    double days = (at_s - f->onset_s) / DAY_S;

    switch (f->kind) {
    case FAULT_STUCK_WHOLE:
    case FAULT_STUCK_GO:
    case FAULT_STUCK_PARTLY:
    case FAULT_UNMOVED:
    case FAULT_TAMPER:
        return fault_is_on(f, at_s) ? 0 : 1;
    case FAULT_SLOW_5_20:
    case FAULT_SLOW_20_50:
    case FAULT_SLOW_50:
    case FAULT_OUT_OF_STEP:
        return fault_is_on(f, at_s) ? 1 - f->size : 1;
    case FAULT_SLOW_DRIFT:
        return days < 0 ? 1 : 1 - f->size * fmin(1, days / f->extra);
    case FAULT_FAST:
        return fault_is_on(f, at_s) ? 1 + f->size : 1;
    default:
        return 1;
    }
}

void fault_curve(const struct fault *f, double at_s, struct curve *k)
{
    double share = (at_s - f->onset_s) / DAY_S / (f->extra > 0 ? f->extra : 1), start;

    if (f->kind != FAULT_SLOW_EROSION || share <= 0)
        return;
    start = k->start_lph + (f->size - k->start_lph) * fmin(1, share);
    if (start <= k->start_lph)
        return;
    k->start_lph = start;
    k->at_start = 0.5;
    k->q1_lph = fmax(k->q1_lph, 2 * start);
    k->q2_lph = fmax(k->q2_lph, 2.5 * start);
}

double fault_clock_s(const struct fault *f, double at_s)
{
    if (f->kind != FAULT_CLOCK || !fault_is_on(f, at_s))
        return 0;
    return f->extra > 0 ? f->size * (at_s - f->onset_s) / DAY_S : f->size;
}

double fault_battery_mv(const struct fault *f, double at_s)
{
    double share = (at_s - f->onset_s) / DAY_S / (f->extra > 0 ? f->extra : 1);

    if (f->kind != FAULT_BATTERY || share <= 0)
        return BATTERY_FULL_MV;
    return BATTERY_FULL_MV - (BATTERY_FULL_MV - BATTERY_EMPTY_MV) * fmin(1, share);
}

bool fault_turns_back(const struct fault *f, double at_s)
{
    return f->kind == FAULT_REVERSED && fault_is_on(f, at_s);
}
