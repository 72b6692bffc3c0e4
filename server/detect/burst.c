/* burst (爆管): far more flows for hours than this customer ever draws for so long.
 *
 *   flow     the mean of each step between two readings ≥ q3_share × Q3 (0.27: 0.3 less what a meter
 *            and part of an hour may miss)
 *   raised   once it has flowed so for run_hours (2), and for 1.5 × as long as it ever did by itself within
 *            the last 6 to 12 weeks: a garden's timer, a shop's wash day, works behind a meter that
 *            is too small.  Others than households: for twice as long, and not before 14 days are known
 *   hose     not where a person may have opened a tap to fill a pool: through a meter below DN 40, at
 *            most hose_most_lph (1 150 L/h, a garden hose), begun between 9 and 15 o'clock in the warm
 *            months.  Such a flow is told after hose_hours (66), if it still runs, and is no habit
 *   warm     from warm_from_month to warm_to_month; where people said neither, June to August, south of
 *            the tropics December to February, between them always: by the place that the time zone
 *            is named after (proto/base/day.h)
 *   begun    with the first step of 0.75 of that, so that a hose is known by when it was opened and
 *            not by when somebody took a shower besides; anew with a step of 1.5 times as much.  One
 *            step alone says nothing: its clock may be wrong
 *   cleared  by the first step that flows less than half of what flowed at least
 *   pauses   as leak.c has them: what runs while a zone fills again, or where no water is wanted, is no burst and no habit; a flag stands
 *            until water is there and does not flow so
 *   loss     what flowed at least; as much again at most
 *
 * Source: handbook of the fleet, §6.4 (L3:
 * 0.3 Q3 for 2 h; 2 × the own highest hour would tell every pool). */
#include "server/detect/leak_priv.h"

#define RUN_SLACK_S 600 /* clocks of meters drift */
#define OWN_TIMES 1.5f
#define OWN_TIMES_OTHERS 2.0f
#define RUN_TIMES_OTHERS 2
#define OWN_DAYS 42
#define OWN_UNIT_S 720
#define LEARN_DAYS 14
#define HOSE_DN_MM 40
#define HOSE_FROM_HOUR 9
#define HOSE_TO_HOUR 15
#define BACK 0.5f
#define NEAR 0.75f
#define ANOTHER 1.5f
#define NEWS_S (6 * HOUR_S)

enum { RAISED = 1, HOSE = 2, TOLD_LONG = 4, LEARNT = 8 };

struct burst {
    uint32_t begin_s;  /* the flow at hand began (0: none), or was raised */
    uint16_t wait_min; /* from the one to the other */
    uint8_t low;       /* the least step of it: low_lph */
    uint8_t own,
        own_before;    /* the longest that ended by itself, in this span of days and the last */
    uint8_t day, days; /* the newest day, its low 8 bits; days of this span */
    uint8_t flags;
};
_Static_assert(sizeof(struct burst) == BURST_STATE, "of a meter's room");

/* As through a DN 15: so a byte has room for what flows through any meter. */
#define CODED_Q3_LPH 2500

static float low_lph(const struct burst *s, const struct judge_place *p)
{
    return flow_lph(s->low) * (float)p->meter->q3_lph / CODED_Q3_LPH;
}

static void see_low(struct burst *s, const struct judge_place *p, float lph)
{
    flow_lower(&s->low, lph * CODED_Q3_LPH / (float)p->meter->q3_lph);
}

static float limit_lph(const struct judge_place *p)
{
    return (float)place_figure(p, FIGURE_BURST_q3_share) / 1000 * (float)p->meter->q3_lph;
}

static void count_day(struct burst *s, const struct judge_step *step)
{
    if (s->day == (uint8_t)step->day)
        return;
    s->day = (uint8_t)step->day;
    if (++s->days >= LEARN_DAYS)
        s->flags |= LEARNT;
    if (s->days < OWN_DAYS)
        return;
    s->own_before = s->own;
    s->own = 0;
    s->days = 0;
}

static bool is_warm(const struct judge_place *p, unsigned month)
{
    static const uint8_t by_place[][2] = {
        [SUMMER_NORTH] = { 6, 8 }, [SUMMER_SOUTH] = { 12, 2 }, [SUMMER_ALWAYS] = { 1, 12 }
    };
    unsigned from = (unsigned)place_figure(p, FIGURE_BURST_warm_from_month),
             to = (unsigned)place_figure(p, FIGURE_BURST_warm_to_month);

    if (!from && !to) {
        from = by_place[p->zone->summer][0];
        to = by_place[p->zone->summer][1];
    } else if (!from || !to) { /* one month alone */
        from = to = from + to;
    }
    return from <= to ? month >= from && month <= to : month >= from || month <= to;
}

/* Of the flow at hand: no more than a hose brings. */
static bool is_hose_flow(const struct burst *s, const struct judge_place *p)
{
    return (s->flags & HOSE) &&
           low_lph(s, p) * 1000 <= (float)place_figure(p, FIGURE_BURST_hose_most_lph);
}

static bool is_hose(const struct judge_place *p, const struct judge_step *step)
{
    struct civil c = day_civil((int64_t)step->day * DAY_S);

    return p->meter->dn_mm < HOSE_DN_MM && step->hour >= HOSE_FROM_HOUR &&
           step->hour < HOSE_TO_HOUR && is_warm(p, c.month);
}

static uint32_t wait_of(const struct burst *s, const struct judge_place *p)
{
    uint8_t own = s->own > s->own_before ? s->own : s->own_before;
    uint32_t wait = (uint32_t)place_figure(p, FIGURE_BURST_run_hours) * HOUR_S;
    bool few = place_is_household(p);
    uint32_t by_own = (uint32_t)((few ? OWN_TIMES : OWN_TIMES_OTHERS) * (float)own * OWN_UNIT_S);

    if (own == UINT8_MAX || (!(s->flags & LEARNT) && !few))
        return UINT32_MAX;
    if (is_hose_flow(s, p))
        wait = (uint32_t)place_figure(p, FIGURE_BURST_hose_hours) * HOUR_S;
    else
        wait = (few ? 1 : RUN_TIMES_OTHERS) * wait - RUN_SLACK_S;
    return by_own > wait ? by_own : wait;
}

static void fill(const struct burst *s, const struct judge_place *p, uint32_t now_s,
                 struct verdict *out)
{
    float low = low_lph(s, p);
    int64_t onset_s = (int64_t)s->begin_s - s->wait_min * 60, run_s = now_s - onset_s;

    *out = (struct verdict){
        .open = true,
        .onset_s = onset_s,
        .raised_s = s->begin_s,
        .severity = SEVERITY_URGENT,
        .lost_mlpd = (int64_t)((double)low * 24000),
        .lost_low_mlpd = (int64_t)((double)low * 21600),
        .lost_high_mlpd = (int64_t)((double)low * 48000),
        .confidence_pct = s->flags & HOSE        ? 70
                          : s->flags & TOLD_LONG ? 97
                                                 : 95,
    };
    verdict_number(out, "min_flow_lph", (int64_t)((double)low * 1000));
    verdict_number(out, "limit_lph", (int64_t)((double)limit_lph(p) * 1000));
    verdict_number(out, "flowing_hours", run_s * 1000 / HOUR_S);
    verdict_number(out, "own_longest_hours",
                   (int64_t)(s->own > s->own_before ? s->own : s->own_before) * OWN_UNIT_S * 1000 /
                       HOUR_S);
    verdict_number(out, "lost_l", (int64_t)((double)low * 1000 * (double)run_s / HOUR_S));
    verdict_time(out, "seen_at", now_s);
}

static void forget_run(struct burst *s)
{
    s->begin_s = 0;
    s->wait_min = 0;
    s->flags &= LEARNT;
}

/* It flows as before again. */
static bool end(struct burst *s, const struct judge_place *p, const struct judge_step *step,
                struct verdict *out)
{
    uint32_t units = (step->from_s - s->begin_s) / OWN_UNIT_S;
    bool raised = s->flags & RAISED, hose = is_hose_flow(s, p);

    if (raised) {
        fill(s, p, step->from_s, out);
        out->open = false;
        out->cleared_s = step->to_s;
    } else if (!hose && units > s->own) {
        s->own = (uint8_t)(units < UINT8_MAX ? units : UINT8_MAX);
    }
    forget_run(s);
    return raised;
}

static bool burst_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                        struct verdict *out)
{
    struct burst *s = (struct burst *)state;
    float lph = (float)step->used_ml * 3.6f / (float)(step->to_s - step->from_s);
    enum use_class use = p->point->use;
    enum flow_tells tells;
    uint32_t run_s;

    if (step->reverse || use == USE_ZONE_INLET || use == USE_ZONE_OUTLET || p->meter->q3_lph <= 0)
        return false;
    count_day(s, step);
    tells = pauses_flow_tells(p->pauses, step->from_s, step->to_s);
    if (tells == FLOW_TELLS_NOTHING || (tells == FLOW_TELLS_END && !(s->flags & RAISED))) {
        if (!(s->flags & RAISED))
            forget_run(s);
        return false;
    }
    if (step->fall || lph < (s->flags & RAISED ? BACK * low_lph(s, p) : NEAR * limit_lph(p)))
        return s->begin_s && end(s, p, step, out);
    if (s->begin_s && !(s->flags & RAISED) && s->low != NOT_YET && low_lph(s, p) < limit_lph(p) &&
        lph >= ANOTHER * low_lph(s, p))
        (void)end(s, p, step, out);
    if (s->begin_s == 0) {
        s->begin_s = step->from_s;
        s->low = NOT_YET;
        s->flags |= is_hose(p, step) ? HOSE : 0;
        return false; /* a first hour is a part of one */
    }
    see_low(s, p, lph);
    run_s = step->to_s - s->begin_s;
    if (s->flags & RAISED) {
        if ((s->flags & TOLD_LONG) || run_s < NEWS_S)
            return false;
        s->flags |= TOLD_LONG;
    } else {
        if (run_s < wait_of(s, p) || low_lph(s, p) < 0.97f * limit_lph(p))
            return false;
        s->flags |= RAISED;
        s->begin_s = step->to_s;
        s->wait_min = (uint16_t)(run_s / 60 < UINT16_MAX ? run_s / 60 : UINT16_MAX);
    }
    fill(s, p, step->to_s, out);
    return true;
}

static void burst_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                          struct wr *zh)
{
    int64_t flow = verdict_value(v, "min_flow_lph");
    int64_t run_s = verdict_value(v, "flowing_hours") * HOUR_S / 1000;

    wr_text(en, "Since ");
    say_minute(en, p->zone, v->onset_s);
    wr_text(en, ", for at least ");
    say_span(en, run_s, false);
    wr_text(en, ", at least ");
    say_volume(en, flow);
    wr_text(en, " an hour run through the meter, far more than is ever drawn here for so long. "
                "Call the customer at once; if nobody answers, shut the valve before the meter.");
    wr_text(zh, "自");
    say_minute(zh, p->zone, v->onset_s);
    wr_text(zh, "起至少");
    say_span(zh, run_s, true);
    wr_text(zh, "，每小时至少");
    say_volume(zh, flow);
    wr_text(zh, "，远超该户平时用水，疑似爆管。请立即联系用户；联系不上则关闭表前阀。");
}

const struct detector detector_burst = {
    .flag = "burst",
    .state_size = sizeof(struct burst),
    .judge = burst_judge,
    .explain = burst_explain,
};
