/* stuck (停走): the register stands still while the customer normally uses water.
 *
 *   raised   when the run counts more than max(base, 1.5 × own longest run, 10 × pulse ÷ mean use),
 *            mean use before it is above 30 L/day (weights fall with 60 days), and three readings
 *            or more bear it out
 *   counts   the run less the days on which customers are away (holidays)
 *   base     household: 7 days and the nights on either side (12 h).  Others, and DN ≥ 40: 48 h;
 *            DN ≥ 80: 6 h where they lie in working hours (Monday to Friday, 8 to 18); their
 *            weekends are own runs
 *   own      the longest run of 12 h and more that ended by itself in the last 400 days: the same as
 *            the 99.5 % quantile of runs of a day and more, of which 400 days hold fewer than 200.
 *            The standstill before the first use counts as 20 days at most: a flat that was not let
 *            yet says little about its tenant.  A household with two runs of a day and more of late
 *            comes and goes: for it the bound is also the 99.5 % quantile of an exponential tail
 *            through their mean
 *   not      before 14 days (two weekends) are known; hydrants; what never turned (that is
 *            `unmoved`)
 *   cleared  when the register has moved by max(2 pulses, a tenth of a day's use) within 7 days:
 *            knocks turn a wheel by a pulse
 *   surer    confidence is 50 % at the bound, 75 % at twice, 88 % at four times: most absences end
 *
 * A gap in the data counts by its register difference: a register that shows the same after it has
 * registered nothing.  Base, 1.5 and 30 L/day are figures of rules.def.
 * Source: handbook of the fleet, §6.1; 1.5 and 99.5 % are its defaults. */
#include "server/detect/detect_priv.h"

#define BASE_LARGE_S (6 * HOUR_S)
#define KNOWN_LEAST_S (14 * DAY_S)
#define READINGS_LEAST 3
#define OWN_RUN_LEAST_S (12 * HOUR_S)
#define OWN_DAYS 400
#define OWN_BEFORE_USE_S (20 * DAY_S)
#define OWN_RUNS 4
#define PULSES_LEAST 10
#define MEAN_LONG_S (60.0f * DAY_S)
#define MEAN_SHORT_S (14.0f * DAY_S)
#define PAUSE_LEAST_S DAY_S
#define PAUSES_OFTEN 0.8f
#define PAUSES_SHARE 0.25f
#define PAUSES_FADE_S (120.0f * DAY_S)
/* ln 200: of an exponential tail one in 200 is longer than this many means */
#define TAIL_995 5.3
#define NEVER UINT32_MAX

/* A mean rate whose weights fall with time: litres and seconds, both faded. */
struct mean {
    float seconds, ml;
};

struct stuck {
    uint32_t first_s;  /* what is known begins */
    uint32_t moved_s;  /* the register last moved: the run begins */
    uint32_t check_s;  /* no need to look before */
    uint32_t raised_s; /* 0: no flag */
    uint32_t moving_s; /* first movement since then */
    float moving_ml;
    struct mean slow, quick;
    uint16_t readings; /* of the run */
    uint8_t told;      /* how often the run was told again */
    uint8_t used;      /* the register has moved since what is known begins */
    uint8_t runs;
    uint8_t spare[3];
    struct own_run {
        uint16_t hours, day;
    } run[OWN_RUNS];  /* longest first, and so the oldest first: what a longer, later one made
                         needless is gone */
    uint32_t bound_s; /* when it was raised */
    float pauses,
        pause_s; /* of a day and more: how many, how long together; weights fall with 120 days */
};
_Static_assert(sizeof(struct stuck) <= STUCK_STATE, "of a meter's room");

/* e^−x, near enough, without its price. */
static float fade(float x)
{
    return x < 0.1f ? 1 - x + x * x / 2 : 1 / (1 + x + x * x / 2);
}

static void mean_add(struct mean *m, float seconds, float ml, float scale_s)
{
    float keep = fade(seconds * (1 / scale_s));

    m->seconds = m->seconds * keep + seconds;
    m->ml = m->ml * keep + ml;
}

static double mean_mlpd(const struct mean *m)
{
    return m->seconds > 0 ? (double)m->ml / (double)m->seconds * DAY_S : 0;
}

/* ---- own zero runs ---- */

static void own_add(struct stuck *s, int64_t counted_s, uint32_t at_s)
{
    struct own_run run = { (uint16_t)(counted_s / HOUR_S > UINT16_MAX ? UINT16_MAX
                                                                      : counted_s / HOUR_S),
                           (uint16_t)(at_s / DAY_S) };
    float keep =
        s->runs ? fade((float)(run.day - s->run[s->runs - 1].day) * DAY_S / PAUSES_FADE_S) : 0;
    float pause = counted_s >= PAUSE_LEAST_S ? 1 : 0;

    s->pauses = s->pauses * keep + pause;
    s->pause_s = s->pause_s * keep + pause * (float)counted_s;
    while (s->runs && s->run[s->runs - 1].hours <= run.hours)
        s->runs--;
    if (s->runs == OWN_RUNS) {
        run.hours = s->run[OWN_RUNS - 1].hours;
        s->runs--;
    }
    s->run[s->runs++] = run;
}

static int64_t own_longest_s(const struct stuck *s, uint32_t now_s)
{
    for (unsigned i = 0; i < s->runs; i++)
        if (now_s / DAY_S <= s->run[i].day + (uint32_t)OWN_DAYS)
            return (int64_t)s->run[i].hours * HOUR_S;
    return 0;
}

/* ---- raising ---- */

static int64_t counted_s(const struct stuck *s, const struct judge_place *p, uint32_t now_s)
{
    return now_s - s->moved_s - holidays_overlap(p->holidays, p->zone, s->moved_s, now_s);
}

static bool in_working_hours(const struct zone *z, uint32_t now_s)
{
    struct civil c = zone_civil(z, now_s);

    return c.hour >= 14 && c.hour < 18 && day_of_week(zone_day_number(z, now_s)) < 5;
}

static int64_t base_s(const struct judge_place *p, uint32_t now_s)
{
    if (place_is_household(p))
        return place_figure(p, FIGURE_STUCK_household_hours) * HOUR_S;
    if (p->meter->dn_mm >= 80 && in_working_hours(p->zone, now_s))
        return BASE_LARGE_S;
    return place_figure(p, FIGURE_STUCK_other_hours) * HOUR_S;
}

/* Of those who come and go. */
static int64_t tail_s(const struct stuck *s)
{
    float known = (float)(s->moved_s - s->first_s);

    known = PAUSES_FADE_S * (1 - fade(known / PAUSES_FADE_S));
    if (s->pauses < PAUSES_OFTEN || s->pause_s < PAUSES_SHARE * known)
        return 0;
    return PAUSE_LEAST_S +
           (int64_t)(TAIL_995 * ((double)s->pause_s / (double)s->pauses - PAUSE_LEAST_S));
}

static int64_t bound_s(const struct stuck *s, const struct judge_place *p, uint32_t now_s)
{
    int64_t bound = base_s(p, now_s), own;
    int64_t tail = place_is_household(p) ? tail_s(s) : 0;
    double pulses = PULSES_LEAST * (double)p->meter->resolution_ml / mean_mlpd(&s->slow) * DAY_S;

    own = own_longest_s(s, now_s) * place_figure(p, FIGURE_STUCK_own_factor) / 1000;
    if (own > bound)
        bound = own;
    if (tail > bound)
        bound = tail;
    return pulses > (double)bound ? (int64_t)pulses : bound;
}

static void fill(const struct stuck *s, const struct judge_place *p, uint32_t now_s,
                 struct verdict *out)
{
    double slow = mean_mlpd(&s->slow), quick = mean_mlpd(&s->quick);
    int64_t counted = counted_s(s, p, now_s), confidence = 100 - 50 * (int64_t)s->bound_s / counted;

    *out = (struct verdict){
        .open = true,
        .onset_s = s->moved_s,
        .raised_s = s->raised_s,
        .lost_mlpd = (int64_t)slow,
        .lost_low_mlpd = (int64_t)(0.8 * (slow < quick ? slow : quick)),
        .lost_high_mlpd = (int64_t)(1.25 * (slow > quick ? slow : quick)),
        .confidence_pct = (unsigned)(confidence > 95 ? 95 : confidence),
    };
    out->severity = severity_of_loss(out->lost_mlpd);
    verdict_number(out, "zero_days", (int64_t)(now_s - s->moved_s) * 1000 / DAY_S);
    verdict_number(out, "counted_days", counted * 1000 / DAY_S);
    verdict_number(out, "bound_days", (int64_t)s->bound_s * 1000 / DAY_S);
    verdict_number(out, "own_longest_zero_days", own_longest_s(s, now_s) * 1000 / DAY_S);
    verdict_number(out, "use_before_lpd", (int64_t)slow);
    verdict_number(out, "readings", (int64_t)s->readings * 1000);
    verdict_time(out, "last_moved_at", s->moved_s);
    verdict_time(out, "seen_at", now_s);
}

static bool is_judged(const struct stuck *s, const struct judge_place *p)
{
    return s->used && s->moved_s - s->first_s >= KNOWN_LEAST_S &&
           mean_mlpd(&s->slow) > (double)place_figure(p, FIGURE_STUCK_use_least_lpd) &&
           p->point->use != USE_HYDRANT;
}

/* When a run is worth telling again: after each half of the bound, from eight times on at each
 * double. */
static int64_t next_telling_s(const struct stuck *s)
{
    return s->told < 14 ? (int64_t)s->bound_s * (s->told + 3) / 2
                        : (int64_t)s->bound_s * 16 << (s->told < 30 ? s->told - 14 : 16);
}

/* The run goes on at now_s. */
static bool stands(struct stuck *s, const struct judge_place *p, uint32_t now_s,
                   struct verdict *out)
{
    int64_t counted, bound;

    if (s->readings < UINT16_MAX)
        s->readings++;
    if (now_s < s->check_s)
        return false;
    counted = counted_s(s, p, now_s);
    if (s->raised_s) {
        if (counted >= next_telling_s(s)) {
            s->told++;
            fill(s, p, now_s, out);
            return true;
        }
        s->check_s = now_s + DAY_S;
        return false;
    }
    if (!is_judged(s, p)) {
        s->check_s = NEVER; /* nothing of it changes while the register stands */
        return false;
    }
    bound = bound_s(s, p, now_s);
    if (counted <= bound || s->readings < READINGS_LEAST) {
        /* A large meter's bound depends on the hour of the day. */
        if (counted <= bound && p->meter->dn_mm < 80)
            s->check_s = (uint32_t)(now_s + (bound - counted));
        return false;
    }
    s->raised_s = now_s;
    s->bound_s = (uint32_t)bound;
    s->told = 0;
    s->moving_s = 0;
    s->moving_ml = 0;
    fill(s, p, now_s, out);
    return true;
}

/* ---- movement ---- */

static void begin_run(struct stuck *s, uint32_t at_s, uint32_t run_s, const struct judge_place *p)
{
    if (run_s >= OWN_RUN_LEAST_S) {
        int64_t counted = run_s - holidays_overlap(p->holidays, p->zone, at_s - run_s, at_s);

        if (!s->used && counted > OWN_BEFORE_USE_S)
            counted = OWN_BEFORE_USE_S;
        if (counted >= OWN_RUN_LEAST_S)
            own_add(s, counted, at_s);
    }
    s->moved_s = at_s;
    s->readings = 0;
    s->check_s = at_s + BASE_LARGE_S;
}

static bool moves_again(struct stuck *s, const struct judge_place *p, const struct judge_step *step,
                        float ml, struct verdict *out)
{
    double least = mean_mlpd(&s->slow) / 10, pulses = 2.0 * (double)p->meter->resolution_ml;

    if (s->moving_s == 0 || step->to_s - s->moving_s > 7 * DAY_S) {
        s->moving_s = step->to_s;
        s->moving_ml = 0;
    }
    s->moving_ml += ml;
    if ((double)s->moving_ml < (least > pulses ? least : pulses))
        return false;
    fill(s, p, step->from_s, out);
    out->open = false;
    out->cleared_s = s->moving_s;
    s->raised_s = 0;
    begin_run(s, step->to_s, step->from_s - s->moved_s, p);
    return true;
}

static bool stuck_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                        struct verdict *out)
{
    struct stuck *s = (struct stuck *)state;
    float seconds, ml = (float)(step->used_ml < 0 ? -step->used_ml : step->used_ml);

    if (s->first_s == 0)
        s->first_s = s->moved_s = step->from_s;
    if (step->used_ml == 0) {
        if (step->reverse)
            return false;
        if (!step->fall)
            return stands(s, p, step->to_s, out);
        if (!s->raised_s) /* a re-base tells nothing of the time before it */
            begin_run(s, step->to_s, 0, p);
        return false;
    }
    if (s->raised_s)
        return moves_again(s, p, step, ml, out);
    if (!step->reverse && !step->fall && step->used_ml > 0) {
        seconds = (float)(step->to_s - s->moved_s);
        mean_add(&s->slow, seconds, ml, MEAN_LONG_S);
        mean_add(&s->quick, seconds, ml, MEAN_SHORT_S);
    }
    begin_run(s, step->to_s, step->from_s > s->moved_s ? step->from_s - s->moved_s : 0, p);
    s->used = 1;
    return false;
}

/* ---- for people ---- */

/* Told anew now and then (next_telling_s), so that it speaks of what was so at least. */
static void stuck_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                          struct wr *zh)
{
    int64_t zero_s = verdict_value(v, "zero_days") * DAY_S / 1000;
    int64_t bound = verdict_value(v, "bound_days") * DAY_S / 1000;

    wr_text(en, "The meter has not moved for at least ");
    say_span(en, zero_s, false);
    wr_text(en, ", since ");
    say_minute(en, p->zone, v->onset_s);
    wr_text(en, "; before, the customer used ");
    say_volume(en, v->lost_mlpd);
    wr_text(en, " a day, and a pause of more than ");
    say_span(en, bound, false);
    wr_text(en, " is not usual here. Not measured: about ");
    say_volume(en, v->lost_low_mlpd);
    wr_text(en, " to ");
    say_volume(en, v->lost_high_mlpd);
    wr_text(en, " a day.");

    wr_text(zh, "水表自");
    say_minute(zh, p->zone, v->onset_s);
    wr_text(zh, "起至少");
    say_span(zh, zero_s, true);
    wr_text(zh, "未走字；此前日均用水");
    say_volume(zh, v->lost_mlpd);
    wr_text(zh, "，该处停用一般不超过");
    say_span(zh, bound, true);
    wr_text(zh, "。估计每天漏计");
    say_volume(zh, v->lost_low_mlpd);
    wr_text(zh, "～");
    say_volume(zh, v->lost_high_mlpd);
    wr_text(zh, "。");
}

const struct detector detector_stuck = {
    .flag = "stuck",
    .replace = true,
    .state_size = sizeof(struct stuck),
    .judge = stuck_judge,
    .explain = stuck_explain,
};
