/* Learning is a fading mean for each figure: x̄ += (x − x̄) × max(1 ÷ days known, 1 ÷ scale).  Counts
 * of pauses fade by a quarter whenever 400 days are known, which then are 300.
 *
 * How often a home pauses: journeys of a day and more, times the share of them that is so long, and people who move out.
 *   journeys   of 81 homes of Alicante (2016) that are lived in a quarter has none in a year, and the counts vary as if a home's own rate were
 *              drawn from a gamma distribution of shape ½ with the mean 6.8 a year; so of a home with n in T days (½ + n) ÷ (½ ÷ mean + T) a day
 *              are to be expected: who was never away for a year leaves seldom
 *   share      of those journeys 0.44 took 2 days, 0.12 4, 0.027 7.5, 0.009 14 and none of 550 25 days; that and LENGTH_PAUSES own ones
 *   move out   none of 81 homes stood empty for 25 days in a year (at most 0.037 with 95 %); homes of a trial stay. EMPTY_A_DAY halves at
 *              30 days, at 52 it is a quarter (planning figures)
 * Others pause by the weeks of shops and works, with the closures of schools (pauses_of), which counts as PRIOR_DAYS of the meter's own days;
 * so do pauses of homes below a day.
 *
 * Journeys come in clusters: in the three days after one 2.6 times as many begin as else in that home, in the four days that follow 1.6 times as
 * many; 24 of those 81 homes had four or more within 28 days, 9 had six.
 *
 * The hour of the last movement: of pauses of 2 days and more of those homes 4, 3, 9, 19, 18, 20, 21 and 7 % began in the three hours from
 * midnight, 3, … on (left_in_block), while a meter that stops, at any hour, shows the hours of use before it: 35 % from 21 to 3 o'clock.
 * By weekday journeys of 4 days and more begin evenly.  That nothing drips any more tells little: of the 13 homes that used
 * water in most nights (8 of 10) four stood still for 3 days and more, of all homes half: people shut the valve as they leave. */
#include "server/detect/profile.h"

#include "server/detect/detect_priv.h"

#include <math.h>

#define SLOW_DAYS 60
#define QUICK_DAYS 14
#define SHARE_DAYS 30
#define WEEKDAY_TIMES 8
#define KNOWN_MOST 400
#define KNOWN_FADED 300
#define PRIOR_DAYS 120.0
#define NEW_PEOPLE_S (14 * DAY_S)
#define NEW_KNOWN_DAYS 30
#define PULSE_TIMES 3
#define TAIL_POWER 1.5
#define HALF_DAYS_OF_HOMES 0.3 /* pauses of 12 h and more that begin in a day */
#define JOURNEYS_A_DAY (6.8 / 365)
#define JOURNEYS_SHAPE 0.5
#define LENGTH_PAUSES 8
#define EMPTY_A_DAY (0.04 / 365)
#define EMPTY_HALF_H (30 * 24.0)
#define AFTER_ONE 2.6       /* times as often as else */
#define UNSETTLED_A_DAY 0.1 /* pauses of a day and more */
#define PULSES_A_DAY 15
#define OTHERS_SHARE 0.1 /* of those who leave that keep other hours: their hours of use */
#define NIGHT_FROM 2
#define NIGHT_TO 5
#define STEP_MOST_S (90 * 60)
#define HOUR_LEAST_S (55 * 60)
#define GAP_S (36 * HOUR_S)
#define ZERO_DAYS_MOST 60               /* of a pause that teach weekdays */
#define PAUSE_BEFORE_USE_S (20 * DAY_S) /* a flat that was not let yet says little of its tenant */
#define OWN_WEEKS 57

const uint16_t profile_pause_h[PROFILE_PAUSES] = { 12, 24, 48, 96, 180, 336, 720 };

static const double pauses_of[PROFILE_PAUSES] = { 0.7, 0.15, 0.10, 0.010, 0.0040, 0.0020, 0.0010 };
/* of a home's pauses of a day and more the share that is so long */
static const double length_of[PROFILE_PAUSES] = { 1, 1, 0.44, 0.117, 0.0273, 0.0091, 0.0010 };

static float within(float x, float n, float scale)
{
    return n < 1 ? x : x / (n < scale ? n : scale);
}

static void mean_to(small *mean, float x, float days, float known, float scale)
{
    float m = small_value(*mean), keep = expf(-days / scale), fresh = days / (known + days);

    if (1 - keep > fresh)
        fresh = 1 - keep;
    *mean = small_of(m + (x - m) * fresh);
}

/* In one byte: what is less than one counts on as many days as make one. */
static void share_to(uint8_t *share, float x, float n, float scale, int32_t day)
{
    float s = (float)*share + within(x * 255 - (float)*share, n + 1, scale);
    float part = (float)((uint32_t)day * 2654435769u >> 24) / 256;

    *share = (uint8_t)(s + part < 255 ? s + part : 255);
}

static void known_to(struct profile *s, unsigned days)
{
    s->known_days = (uint16_t)(s->known_days + (days > KNOWN_MOST ? KNOWN_MOST : days));
    if (s->known_days <= KNOWN_MOST)
        return;
    s->known_days = KNOWN_FADED;
    for (unsigned i = 0; i < PROFILE_PAUSES; i++)
        s->pauses[i] = (uint8_t)(s->pauses[i] * 3 / 4);
    if ((uint8_t)(s->day / 7 - s->longest_week) > OWN_WEEKS)
        s->longest = 0;
}

/* ---- days ---- */

static unsigned weekday_of(int32_t day)
{
    return (unsigned)day_of_week(day);
}

static void used_day(struct profile *s)
{
    float l = s->today_ml / 1000, known = (float)s->known_days;

    mean_to(&s->slow_lpd, l, 1, known, SLOW_DAYS);
    mean_to(&s->quick_lpd, l, 1, known, QUICK_DAYS);
    mean_to(&s->low_lph, s->today_low_lph == UINT16_MAX ? 0 : small_value(s->today_low_lph), 1,
            known, SHARE_DAYS);
    share_to(&s->weekday[weekday_of(s->day)], 1, (float)(s->known_days / 7), WEEKDAY_TIMES, s->day);
    for (unsigned i = 0; i < PROFILE_BLOCKS; i++)
        share_to(&s->block[i], s->today_blocks >> i & 1, known, SHARE_DAYS, s->day);
    share_to(&s->night_share, l > 0 ? fminf(small_value(s->today_night_l) / l, 1) : 0, known,
             SHARE_DAYS, s->day);
    known_to(s, 1);
}

/* Days without use between `day` and the one that begins. */
static void idle_days(struct profile *s, unsigned days)
{
    float known = (float)s->known_days;

    mean_to(&s->slow_lpd, 0, (float)days, known, SLOW_DAYS);
    mean_to(&s->quick_lpd, 0, (float)days, known, QUICK_DAYS);
    mean_to(&s->low_lph, 0, (float)days, known, SHARE_DAYS);
    for (unsigned i = 1; i <= days && i <= ZERO_DAYS_MOST; i++)
        share_to(&s->weekday[weekday_of(s->day + (int32_t)i)], 0, (float)(s->known_days / 7),
                 WEEKDAY_TIMES, s->day + (int32_t)i);
    known_to(s, days);
}

static void begin_day(struct profile *s, int32_t day)
{
    if (s->day && day > s->day) {
        used_day(s);
        if (day > s->day + 1)
            idle_days(s, (unsigned)(day - s->day - 1));
    }
    s->day = (uint16_t)day;
    s->today_ml = 0;
    s->today_low_lph = UINT16_MAX;
    s->today_night_l = 0;
    s->today_blocks = 0;
}

/* A gap of days in which water flowed, nobody knows when. */
static void gap(struct profile *s, const struct judge_step *step, float l)
{
    float days = (float)(step->to_s - step->from_s) / DAY_S, known = (float)s->known_days;

    if (s->day)
        used_day(s);
    s->day = 0; /* the day on which it ends is not whole */
    s->today_ml = 0;
    mean_to(&s->slow_lpd, l / days, days, known, SLOW_DAYS);
    mean_to(&s->quick_lpd, l / days, days, known, QUICK_DAYS);
    known_to(s, (unsigned)days);
}

/* ---- pauses ---- */

int64_t profile_counted_s(const struct judge_place *p, int64_t from_s, int64_t to_s)
{
    int64_t off = holidays_overlap(p->holidays, p->zone, from_s, to_s) +
                  pauses_overlap(p->pauses, from_s, to_s) + lulls_left_out(p, from_s, to_s);

    return off < to_s - from_s ? to_s - from_s - off : 0;
}

/* After two weeks others may live there: what was known counts for little. */
static void new_people(struct profile *s)
{
    for (unsigned i = 0; i < PROFILE_PAUSES; i++)
        s->pauses[i] =
            (uint8_t)((s->pauses[i] * NEW_KNOWN_DAYS + s->known_days - 1) / s->known_days);
    s->known_days = NEW_KNOWN_DAYS;
}

static void learn_pause(struct profile *s, const struct judge_place *p, uint32_t to_s)
{
    int64_t counted = profile_counted_s(p, s->moved_s, to_s);
    float length;
    unsigned week = to_s / DAY_S / 7;

    if (!profile_has_use(s) && counted > PAUSE_BEFORE_USE_S)
        counted = PAUSE_BEFORE_USE_S;
    for (unsigned i = PROFILE_PAUSES; i-- > 0;)
        if (counted >= profile_pause_h[i] * (int64_t)HOUR_S) {
            s->pauses[i] = (uint8_t)(s->pauses[i] + (s->pauses[i] < UINT8_MAX));
            break;
        }
    if (counted < profile_pause_h[0] * (int64_t)HOUR_S)
        return;
    if (counted >= NEW_PEOPLE_S && s->known_days > NEW_KNOWN_DAYS)
        new_people(s);
    length = ceilf(16 * log2f((float)counted / (12.0f * HOUR_S)));
    if (length >= s->longest || (uint8_t)(week - s->longest_week) > OWN_WEEKS) {
        s->longest = (uint8_t)(length > UINT8_MAX ? UINT8_MAX : length);
        s->longest_week = (uint8_t)week;
    }
}

int64_t profile_longest_s(const struct profile *s)
{
    return s->longest ? (int64_t)(12.0f * HOUR_S * exp2f((float)s->longest / 16)) : 0;
}

/* Between two lengths even in the logarithms. */
static double between(double a, double b, double share)
{
    return exp(log(a) + (log(b) - log(a)) * share);
}

/* Where a length lies between two bounds, in the logarithm. */
static double length_share(unsigned n, double hours)
{
    return log(hours / profile_pause_h[n]) /
           log((double)profile_pause_h[n + 1] / profile_pause_h[n]);
}

/* Own pauses of at least that length; of a bin a quarter might as well have been of the next one. */
static double own_at_least(const struct profile *s, unsigned n)
{
    double sum = n > 0 ? 0.25 * s->pauses[n - 1] : 0;

    for (; n < PROFILE_PAUSES; n++)
        sum += s->pauses[n];
    return sum;
}

/* Pulses of 100 L come days apart in a small home: so much longer do pauses look. */
static double pulse_hours(const struct profile *s, const struct judge_place *p)
{
    double use = (double)small_value(s->slow_lpd);

    return use > 0 ? PULSE_TIMES * 24 * (double)p->meter->resolution_ml / 1000 / use : 0;
}

static double of_kind(const struct profile *s, const struct judge_place *p, double hours)
{
    const double *rate = pauses_of;
    double last = profile_pause_h[PROFILE_PAUSES - 1];
    unsigned n = 0;

    hours -= pulse_hours(s, p);
    if (hours <= profile_pause_h[0])
        return rate[0];
    if (hours >= last)
        return rate[PROFILE_PAUSES - 1] * pow(last / hours, TAIL_POWER);
    while (hours >= profile_pause_h[n + 1])
        n++;
    return between(rate[n], rate[n + 1], length_share(n, hours));
}

static double own(const struct profile *s, double hours)
{
    double last = profile_pause_h[PROFILE_PAUSES - 1], a, b;
    unsigned n = 0;

    if (hours >= last)
        return own_at_least(s, PROFILE_PAUSES - 1) * pow(last / hours, TAIL_POWER);
    while (n + 2 < PROFILE_PAUSES && hours >= profile_pause_h[n + 1])
        n++;
    a = own_at_least(s, n);
    b = own_at_least(s, n + 1);
    if (n < 2) /* whoever is out for 18 hours is so each day: no length within the bin is rarer */
        return a;
    return hours <= profile_pause_h[0] ? a : a + (b - a) * length_share(n, hours);
}

static double length_share_of(double hours)
{
    double last = profile_pause_h[PROFILE_PAUSES - 1];
    unsigned n = 1;

    if (hours <= profile_pause_h[1])
        return 1;
    if (hours >= last)
        return length_of[PROFILE_PAUSES - 1] * pow(last / hours, TAIL_POWER);
    while (hours >= profile_pause_h[n + 1])
        n++;
    return between(length_of[n], length_of[n + 1], length_share(n, hours));
}

/* `hours` as the register shows them, `away_h` as people may have been away. */
static double home_pauses_a_day(const struct profile *s, double hours, double away_h)
{
    double known = s->known_days, count = 0, journeys, length, half_days, empty, rate;

    for (unsigned n = 1; n < PROFILE_PAUSES; n++)
        count += s->pauses[n];
    journeys = (JOURNEYS_SHAPE + count) / (JOURNEYS_SHAPE / JOURNEYS_A_DAY + known);
    length = (LENGTH_PAUSES * length_share_of(away_h) + own(s, hours)) / (LENGTH_PAUSES + count);
    empty = EMPTY_A_DAY / (1 + pow(away_h / EMPTY_HALF_H, 2));
    rate = journeys * (length < 1 ? length : 1) + empty;
    half_days = (HALF_DAYS_OF_HOMES * PRIOR_DAYS + own(s, hours)) / (PRIOR_DAYS + known);
    return hours < profile_pause_h[1] && half_days > rate ? half_days : rate;
}

double profile_pauses_a_day(const struct profile *s, const struct judge_place *p, double hours)
{
    if (place_is_household(p))
        return home_pauses_a_day(s, hours, fmax(hours - pulse_hours(s, p), 0));
    return (of_kind(s, p, hours) * PRIOR_DAYS + own(s, hours)) / (PRIOR_DAYS + s->known_days);
}

double profile_unsettled_a_day(const struct profile *s, const struct judge_place *p, double hours)
{
    double rate = AFTER_ONE * profile_pauses_a_day(s, p, hours),
           least = UNSETTLED_A_DAY * length_share_of(fmax(hours - pulse_hours(s, p), 0));

    return place_is_household(p) && rate < least ? least : rate;
}

/* ---- the hour of the last movement ---- */

/* Of meters that stop at any hour, how many show each three hours as those of their last movement: blocks without use pass to the one before. */
static void stops_in_block(const struct profile *s, double out[PROFILE_BLOCKS])
{
    double sum = 0;

    for (unsigned b = 0; b < PROFILE_BLOCKS; b++) {
        double none = 1; /* in the blocks between */

        out[b] = 0.5;
        for (unsigned i = 1; i < PROFILE_BLOCKS; i++) {
            double used = s->block[(b + i) % PROFILE_BLOCKS] / 255.0;

            out[b] += none * (1 - used / 2);
            none *= 1 - used;
        }
        out[b] *= s->block[b] / 255.0;
        sum += out[b];
    }
    for (unsigned b = 0; b < PROFILE_BLOCKS && sum > 0; b++)
        out[b] /= sum;
}

double profile_hour_odds(const struct profile *s, const struct judge_place *p)
{
    static const double left_in_block[PROFILE_BLOCKS] = { 0.037, 0.029, 0.086, 0.193,
                                                          0.181, 0.202, 0.206, 0.066 };
    double stops[PROFILE_BLOCKS];
    unsigned block = zone_civil(p->zone, (int64_t)s->moved_s - HOUR_S / 2).hour / 3;

    if (!place_is_household(p) || !(s->today_blocks >> block & 1) ||
        profile_use_mlpd(s) < (double)PULSES_A_DAY * (double)p->meter->resolution_ml)
        return 1;
    stops_in_block(s, stops);
    return stops[block] / ((1 - OTHERS_SHARE) * left_in_block[block] + OTHERS_SHARE * stops[block]);
}

double profile_away_share(const struct profile *s, double *out_mean_h)
{
    static const double middle_h[PROFILE_PAUSES] = { 17, 34, 68, 131, 246, 492, 1000 };
    double count = 0, hours = 0;

    for (unsigned n = 1; n < PROFILE_PAUSES; n++) {
        count += s->pauses[n];
        hours += s->pauses[n] * middle_h[n];
    }
    *out_mean_h = count > 0 ? hours / count : 0;
    return count >= 2 && s->known_days ? hours / 24 / s->known_days : 0;
}

/* ---- steps ---- */

bool profile_has_use(const struct profile *s)
{
    return s->slow_lpd > 0 || s->today_ml > 0;
}

double profile_use_mlpd(const struct profile *s)
{
    return (double)small_value(s->slow_lpd) * 1000;
}

static void flows(struct profile *s, const struct judge_step *step)
{
    uint32_t seconds = step->to_s - step->from_s;
    float l = (float)step->used_ml / 1000;
    small lph = small_of(l * HOUR_S / (float)seconds);

    if (seconds > GAP_S) {
        gap(s, step, l);
        return;
    }
    if (s->day != step->day)
        begin_day(s, step->day);
    s->today_ml += l * 1000;
    if (seconds > STEP_MOST_S)
        return;
    s->today_blocks |= (uint8_t)(1u << step->hour / 3);
    if (step->hour >= NIGHT_FROM && step->hour < NIGHT_TO)
        s->today_night_l = small_of(small_value(s->today_night_l) + l);
    if (seconds >= HOUR_LEAST_S && lph < s->today_low_lph)
        s->today_low_lph = lph;
}

void profile_learn(struct profile *s, const struct judge_place *p, const struct judge_step *step)
{
    if (s->moved_s == 0)
        s->moved_s = step->from_s;
    if (step->used_ml == 0 && !step->fall) {
        if (!step->reverse && s->day == step->day)
            s->today_low_lph = 0;
        return;
    }
    if (!step->fall && step->from_s > s->moved_s &&
        step->from_s - s->moved_s >= profile_pause_h[0] * HOUR_S)
        learn_pause(s, p, step->from_s);
    if (!step->reverse && !step->fall && step->used_ml > 0)
        flows(s, step);
    if (step->to_s > s->moved_s)
        s->moved_s = step->to_s;
}
