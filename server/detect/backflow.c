/* backflow (倒流): once, water flowed back through the meter: from a tank, a boiler, a pressurised works; what is in it may have come into
 * the mains.
 *
 *   event    it runs back without a pause for at most `steps_most` (3) readings, then no more; a step of 20 h and more is an event by itself. One
 *            of more than 26 h, a gap, is over once it runs forward, or a civil day passes without back flow, so that it was no meter that was turned round
 *            meanwhile; and it is none where it brought more than four hours at Q3 do: a register that was set anew
 *   raised   when the event is over and brought more than the figure `event_least_l` (50 L). A net register shows what flowed forward
 *            in the same hours taken off: there `net_share` (0.4) of that, and two pulses or one of 50 L and more
 *   to and fro   pressure waves (selfturn.c) run forward as much as back. So where it also ran back on two of the three nights before:
 *            more than 3 times what ran forward in the same hours; in a step of more than 2 h by night, as a gap is: 1.2 times and two pulses.  A single pulse
 *            of 50 L and more says nothing by night
 *   misread  a wrong digit of a net register falls and rises. track.c takes out one wrong value; where it did so before (a meter that is
 *            read wrong is so again), an event is none that what rose just before it or the step after it undoes, or both of them each by a digit's worth (1
 *            to 9 times a power of ten): two wrong values side by side.  So there an event is waited with for 4 h
 *   never used   where nothing ever ran forward an event is over after a day in which nothing runs back any more: a meter that is turned
 *            round runs back the next day, too
 *   not      where two of the last four days ran back: reversed.c; what falls though it cannot: a read
 *            digit; a net register's step among readings from which it does not follow: days that came twice, stamps from the past
 *   cleared  after `quiet_days` (7) without another event, or when the meter proves to be turned round
 *   onset    the beginning of the first step that ran back
 *
 * What it cannot see: on a net register what flows forward in the same hour is taken off, so that an event is smaller or none; pulses of
 * 100 L show one of 100 to 200 L as a single pulse, which by night pressure waves make too.
 *
 * Source: handbook of the fleet, §6.2. */
#include "server/detect/back.h"

#define LONG_STEP_S (20 * HOUR_S)
#define GAP_S (26 * HOUR_S)
#define FINE_STEP_S (2 * HOUR_S + 600)
#define GAP_MOST_Q3_H 4
#define NEVER_FORWARD_S (27 * HOUR_S) /* with the event's own hours */
#define COARSE_ML 50000
#define TO_AND_FRO 3
#define TO_AND_FRO_UNSEEN 1.2f
#define DIGIT_LEAST_ML 10000 /* of less nobody is told */
#define UNDONE 0.98f         /* volumes are kept in 11 bits */
#define MISREAD_WAIT_S (4 * HOUR_S)
#define URGENT_ML 500000
#define NIGHT_FROM_H 21
#define NIGHT_TO_H 8

static unsigned confidence(float ml)
{
    return ml >= 200000 ? 95 : ml >= 100000 ? 90 : ml >= 50000 ? 85 : 75;
}

/* The event that this step ended lies in part between NIGHT_FROM_H and NIGHT_TO_H. */
static bool is_by_night(const struct back *b, const struct judge_step *step)
{
    float mid_s = (float)(step->to_s - step->from_s) / 2,
          run_s = (float)(step->from_s - b->event_s);
    float end_h = (float)step->hour - mid_s / HOUR_S, from_h = end_h - run_s / HOUR_S;

    while (from_h < 0) {
        from_h += 24;
        end_h += 24;
    }
    return from_h < NIGHT_TO_H || from_h >= NIGHT_FROM_H || end_h > NIGHT_FROM_H;
}

static bool is_turned_round(const struct back *b)
{
    unsigned back_days = 0; /* one may be the event's own */

    for (unsigned ago = 1; ago <= 4; ago++)
        back_days += back_day(b, ago) == DAY_BACK;
    return b->flags & BACK_REVERSED || back_days >= 2;
}

static bool turns_by_itself(const struct back *b)
{
    unsigned before = b->nights >> 1 & 7; /* tonight may be the event's own */

    return b->flags & BACK_SELFTURN || (before & (before - 1));
}

/* Of what ran back and forth in the same hours. */
static bool is_to_and_fro(const struct back *b, float back_ml, float pulse_ml, bool night,
                          bool unseen)
{
    float forward = unpacked_ml(b->event_forward);

    return (turns_by_itself(b) && back_ml <= TO_AND_FRO * forward) ||
           (night && unseen && back_ml <= TO_AND_FRO_UNSEEN * forward + 2 * pulse_ml);
}

/* The most that a wrong digit can have added to what rose by so much, were it beside another one of DIGIT_LEAST_ML. */
static float digit_of(float ml)
{
    float place = DIGIT_LEAST_ML;

    ml += DIGIT_LEAST_ML;
    while (10 * place <= ml)
        place *= 10;
    return (float)(int)(ml / place) * place;
}

/* Of a net register what rose without a pause: of two wrong values in a row both may be too high. */
static float rise_ml(const struct back *b, const struct judge_step *step)
{
    uint16_t ago_s = (uint16_t)(step->from_s - b->last_from);
    float before = ago_s <= FINE_STEP_S ? unpacked_ml(b->last_forward) : 0;

    return step->used_ml > 0 ? (float)step->used_ml + before : 0;
}

/* A net register whose digits were read wrong before: what fell had risen just before (its event_forward), or rises again. Where far more
 * has risen, somebody draws. */
static bool is_misread(const struct back *b, float back_ml, const struct judge_step *after)
{
    float before = unpacked_ml(b->event_forward), least = UNDONE * back_ml, most = 3 * back_ml;
    float rise = after->to_s - after->from_s <= FINE_STEP_S ? rise_ml(b, after) : 0;

    before = before <= most ? before : 0;
    rise = rise <= most ? rise : 0;
    return after->misreads &&
           (before >= least || rise >= least || digit_of(before) + digit_of(rise) >= least);
}

static bool is_enough(const struct back *b, const struct judge_place *p, float back_ml,
                      const struct judge_step *after)
{
    float least = (float)place_figure(p, FIGURE_BACKFLOW_event_least_l);
    float share = (float)place_figure(p, FIGURE_BACKFLOW_net_share) / 1000;
    float pulse = (float)p->meter->resolution_ml;
    uint32_t run_s = after->from_s - b->event_s;
    bool night = is_by_night(b, after), single = back_ml <= 1.5f * pulse;
    bool unseen = run_s > (uint32_t)(b->event_steps ? b->event_steps : 1) * FINE_STEP_S;

    if (run_s > GAP_S && back_ml > (float)p->meter->q3_lph * 1000 * GAP_MOST_Q3_H)
        return false;
    if (p->meter->form != REGISTER_NET)
        return back_ml >= least && !(single && pulse >= COARSE_ML && night) &&
               !is_to_and_fro(b, back_ml, pulse, night, unseen);
    return back_ml >= share * least && !(single && (pulse < COARSE_ML || night)) &&
           !is_misread(b, back_ml, after);
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
                  is_enough(b, p, ml, step);

    b->flags &= (uint8_t)~BACK_PERSISTS;
    if (enough) {
        bool stands = b->flags & BACK_EVENT;

        *out = (struct verdict){ .open = true,
                                 .onset_s = stands ? 0 : b->event_s,
                                 .raised_s = stands ? 0 : step->to_s,
                                 .severity = ml >= URGENT_ML ? SEVERITY_URGENT : SEVERITY_HIGH,
                                 .confidence_pct = confidence(ml) };
        verdict_number(out, "back_l", (int64_t)ml);
        verdict_number(out, "forward_l",
                       p->meter->form == REGISTER_NET ? 0 : (int64_t)unpacked_ml(b->event_forward));
        verdict_time(out, "from_at", b->event_s);
        verdict_time(out, "seen_at", step->to_s);
        b->flags |= BACK_EVENT;
        b->quiet_days = 0;
    }
    forget(b);
    return enough;
}

static void go_back(struct back *b, const struct judge_place *p, const struct judge_step *step)
{
    unsigned steps_most = (unsigned)place_figure(p, FIGURE_BACKFLOW_steps_most);
    bool is_long = step->to_s - step->from_s >= LONG_STEP_S;

    if (b->event_s == 0) {
        uint16_t ago_s = (uint16_t)(step->from_s - b->last_from);

        b->event_s = step->from_s;
        /* The other register's is told first; one register's own are the steps before. */
        if (p->meter->form == REGISTER_NET ? ago_s && ago_s <= FINE_STEP_S : ago_s == 0)
            b->event_forward = b->last_forward;
    }
    b->event_back = packed_ml(unpacked_ml(b->event_back) + (float)step_ml(step));
    if (step->doubted || b->event_steps >= steps_most || (is_long && b->event_steps))
        b->flags |= BACK_PERSISTS;
    else
        b->event_steps = (uint8_t)((b->event_steps + 1) & 3);
}

static void go_forward(struct back *b, const struct judge_place *p, const struct judge_step *step)
{
    b->last_forward =
        packed_ml(p->meter->form == REGISTER_NET ? rise_ml(b, step) : (float)step->used_ml);
    b->last_from = (uint16_t)step->from_s;
    if (p->meter->form != REGISTER_NET && b->event_s && step->from_s >= b->event_s)
        b->event_forward = packed_ml(unpacked_ml(b->event_forward) + (float)step->used_ml);
}

/* The civil day that this step leaves had no back flow: reversed.c turns it after us. */
static bool is_quiet_day(const struct back *b, const struct judge_step *step)
{
    return b->day && step->day > b->day && b->today_back == 0;
}

/* The event at hand is over with this step, which runs back no more. */
static bool is_over(const struct back *b, const struct judge_step *step, bool tells)
{
    if (!b->event_s)
        return false;
    if (!(b->flags & BACK_HAD_FORWARD) && step->used_ml == 0)
        return tells && step->to_s - b->event_s >= NEVER_FORWARD_S;
    if (step->misreads && step->to_s - b->event_s <= MISREAD_WAIT_S)
        return is_misread(b, unpacked_ml(b->event_back), step);
    if (step->to_s - b->event_s <= GAP_S || step->from_s <= b->event_s)
        return tells;
    return (!step->reverse && step->used_ml > 0) || is_quiet_day(b, step);
}

static bool backflow_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                           struct verdict *out)
{
    struct back *b = (struct back *)state;
    int32_t quiet_most = (int32_t)place_figure(p, FIGURE_BACKFLOW_quiet_days);
    bool net = p->meter->form == REGISTER_NET, said = false;
    bool tells = step->reverse || net; /* this register tells of back flow */

    if (!place_has_direction(p) || (step->fall && !net))
        return false;
    if (b->flags & BACK_EVENT && b->day && step->day > b->day) {
        int32_t quiet = b->quiet_days + (step->day - b->day);

        b->quiet_days = (uint8_t)((quiet < quiet_most ? quiet : quiet_most) & 7);
    }
    if (step_is_back(step) && tells)
        go_back(b, p, step);
    else if (is_over(b, step, tells))
        said = end_event(b, p, step, out);
    if (!step->reverse && step->used_ml > 0)
        go_forward(b, p, step);
    if (said || !(b->flags & BACK_EVENT))
        return said;
    if (!(b->flags & BACK_REVERSED) && b->quiet_days < quiet_most)
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
