/* backflow (倒流): once, water flowed back through the meter: from a tank, a boiler, a pressurised works; what is in it may have come into
 * the mains.
 *
 *   event    it runs back without a pause for at most three readings, then no more; a step of 20 h and more is an event by itself, one of
 *            more than 26 h tells nothing
 *   raised   when the event is over and brought more than the figure `event_least_l` (50 L). A net register shows what flowed forward
 *            in the same hours taken off: there 0.4 of that, and two pulses or one of 50 L and more
 *   not      where nothing ever ran forward, or two of the last four days ran back: reversed.c; where it also ran back on two of the
 *            three nights before, or one coarse pulse came at night: selfturn.c; what falls though it cannot: a read digit; a net
 *            register's step among readings from which it does not follow: days that came twice, stamps from the past
 *   cleared  after seven days without another event, or when the meter proves to be turned round
 *   onset    the beginning of the first step that ran back
 *
 * Source: handbook of the fleet, §6.2. */
#include "server/detect/back.h"

#define STEPS_MOST 3
#define LONG_STEP_S (20 * HOUR_S)
#define STEP_MOST_S (26 * HOUR_S)
#define NET_SHARE 0.4f
#define COARSE_ML 50000
#define QUIET_DAYS 7
#define URGENT_ML 500000

static unsigned confidence(float ml)
{
    return ml >= 200000 ? 95 : ml >= 100000 ? 90 : ml >= 50000 ? 85 : 75;
}

/* Of the event that ends with this step. */
static bool is_night(const struct back *b, const struct judge_step *step)
{
    uint32_t ago_h = (step->from_s + (step->to_s - step->from_s) / 2 - b->event_s) / HOUR_S;
    unsigned hour = (step->hour + 48 - (ago_h < 24 ? ago_h : 24)) % 24;

    return hour < 8 || hour >= 21;
}

static bool is_turned_round(const struct back *b)
{
    unsigned back_days = 0; /* one may be the event's own */

    for (unsigned ago = 1; ago <= 4; ago++)
        back_days += back_day(b, ago) == DAY_BACK;
    return !(b->flags & BACK_HAD_FORWARD) || b->flags & BACK_REVERSED || back_days >= 2;
}

static bool turns_by_itself(const struct back *b)
{
    unsigned before = b->nights >> 1 & 7; /* tonight may be the event's own */

    return b->flags & BACK_SELFTURN || (before & (before - 1));
}

static bool is_enough(const struct back *b, const struct judge_place *p, float back_ml, bool night)
{
    float least = (float)place_figure(p, FIGURE_BACKFLOW_event_least_l);
    float pulse = (float)p->meter->resolution_ml;

    if (p->meter->form != REGISTER_NET)
        return back_ml >= least && (back_ml > 1.5f * pulse || pulse < COARSE_ML || !night) &&
               (!turns_by_itself(b) || back_ml > 3 * unpacked_ml(b->event_forward));
    return back_ml >= NET_SHARE * least &&
           (back_ml > 1.5f * pulse || (pulse >= COARSE_ML && !night));
}

static void forget(struct back *b)
{
    b->event_s = 0;
    b->event_back = b->event_forward = 0;
    b->event_steps = 0;
}

/* What was going on is over at now_s. */
static bool end_event(struct back *b, const struct judge_place *p, const struct judge_step *step,
                      struct verdict *out)
{
    float ml = unpacked_ml(b->event_back);
    bool enough = b->event_s && !(b->flags & BACK_PERSISTS) && !is_turned_round(b) &&
                  is_enough(b, p, ml, is_night(b, step));

    b->flags &= (uint8_t)~BACK_PERSISTS;
    if (enough) {
        bool stands = b->flags & BACK_EVENT;

        *out = (struct verdict){ .open = true,
                                 .onset_s = stands ? 0 : b->event_s,
                                 .raised_s = stands ? 0 : step->to_s,
                                 .severity = ml >= URGENT_ML ? SEVERITY_URGENT : SEVERITY_HIGH,
                                 .confidence_pct = confidence(ml) };
        verdict_number(out, "back_l", (int64_t)ml);
        verdict_number(out, "forward_l", (int64_t)unpacked_ml(b->event_forward));
        verdict_time(out, "from_at", b->event_s);
        verdict_time(out, "seen_at", step->to_s);
        b->flags |= BACK_EVENT;
        b->quiet_days = 0;
    }
    forget(b);
    return enough;
}

static void go_back(struct back *b, const struct judge_step *step)
{
    bool is_long = step->to_s - step->from_s >= LONG_STEP_S;

    if (b->event_s == 0) {
        b->event_s = step->from_s;
        if (b->last_from == (uint16_t)step->from_s) /* the other register's is told first */
            b->event_forward = b->last_forward;
    }
    b->event_back = packed_ml(unpacked_ml(b->event_back) + (float)step_ml(step));
    if (step->doubted || b->event_steps == STEPS_MOST || (is_long && b->event_steps) ||
        step->to_s - step->from_s > STEP_MOST_S)
        b->flags |= BACK_PERSISTS;
    else
        b->event_steps = (uint8_t)((b->event_steps + 1) & 3);
}

static bool backflow_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                           struct verdict *out)
{
    struct back *b = (struct back *)state;
    bool net = p->meter->form == REGISTER_NET, said = false;
    bool tells = step->reverse || net; /* this register tells of back flow */

    if (!place_has_direction(p) || (step->fall && !net))
        return false;
    if (b->flags & BACK_EVENT && b->day && step->day > b->day) {
        int32_t quiet = b->quiet_days + (step->day - b->day);

        b->quiet_days = (uint8_t)((quiet < QUIET_DAYS ? quiet : QUIET_DAYS) & 7);
    }
    if (!step->reverse && step->used_ml > 0) {
        b->last_forward = packed_ml((float)step->used_ml);
        b->last_from = (uint16_t)step->from_s;
        if (b->event_s && step->from_s >= b->event_s)
            b->event_forward = packed_ml(unpacked_ml(b->event_forward) + (float)step->used_ml);
    }
    if (step_is_back(step) && tells)
        go_back(b, step);
    else if (tells && b->event_s)
        said = end_event(b, p, step, out);
    if (said || !(b->flags & BACK_EVENT))
        return said;
    if (!(b->flags & BACK_REVERSED) && b->quiet_days < QUIET_DAYS)
        return false;
    b->flags &= (uint8_t)~BACK_EVENT;
    b->quiet_days = 0;
    *out = (struct verdict){ .cleared_s = step->to_s };
    return true;
}

/* ---- for people ---- */

static void backflow_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                             struct wr *zh)
{
    wr_text(en, "About ");
    say_volume(en, verdict_value(v, "back_l"));
    wr_text(en, " flowed back through the meter from ");
    say_minute(en, p->zone, verdict_value(v, "from_at"));
    wr_text(
        en,
        " on. It may have fouled the mains: find what it came from (tank, boiler, pump), check the "
        "check valve, and think of a water sample.");

    wr_text(zh, "自");
    say_minute(zh, p->zone, verdict_value(v, "from_at"));
    wr_text(zh, "起约");
    say_volume(zh, verdict_value(v, "back_l"));
    wr_text(
        zh,
        "水经水表倒流，可能污染管网：请查明来源（水箱、锅炉、水泵），检查止回阀，必要时采样化验。");
}

const struct detector detector_backflow = {
    .flag = "backflow",
    .state_size = sizeof(struct back),
    .judge = backflow_judge,
    .explain = backflow_explain,
};
