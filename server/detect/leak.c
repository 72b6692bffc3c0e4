/* leak (用户侧漏水): water runs behind the meter, as it does not where people just live.
 *
 *   night    what flows at least at night, against the nights of this meter before (leak_nights.c).
 *            The more often a night was as high before, the more such nights it takes
 *   raised   by the 1 to 12 latest nights, if one of these runs is beyond living:
 *              nats     continuous (no pause for wait_hours): household_nats (5.8), else other_nats (14);
 *                       by night alone: 12/5.8 and 16/14 times that, over more nights than faint_hours has, and alike
 *                       within 10 % and a litre, or a third of a coarse pulse: a valve that a timer
 *                       leaves open runs evenly, pressure waves (selfturn) do not
 *              size     mean of these nights − the usual night ≥ the least (leak_flow.c)
 *              hose     where it flows at 400 L/h and more through a meter below DN 40, 4 nights: a
 *                       pool is being filled, or burst.c has told it
 *            At least 7 nights are known before: so what runs from the first reading on is how
 *            this customer is, and only a rise counts
 *   growing  5 nights and more are held against those of 3 to 9 weeks ago as well
 *   onset    the last step that left no room for such a flow
 *   cleared  by the first step that leaves room for the usual flow and 0.4 × the size at most; by
 *            night alone: by such a night.  What ends within 48 h was a habit rather: such
 *            nights, 3 at least, count among those before.  Nights of any other leak do not
 *   again    within 10 nights after the last one ended: it comes and goes
 *   size     of the last night, if that had less than half of the mean
 *            afterwards: each night's, smoothed (0.3); at once if doubled or halved.  Growing: 1.5
 *            times what it was at first
 *   loss     size × 24 h, by night × 7 h (5 to 12); interval ± one pulse within the window of
 *            leak_flow.c, and 10 %
 *   severity under 10 L/h low, 50 medium, 200 high, above urgent
 *   confidence, in percent, before it has lasted: the share that was right on train seeds
 *
 * pauses   while the zone is without water or fills again, or the meter says that its valve is closed, nothing is raised, cleared or
 *          counted as lost; while the account is suspended or nobody lives there nothing is raised (pauses_flow_tells). Nights that
 *          such a span touches are no evidence
 *
 * Estimates and what people typed never get here (detect.h).  A meter of one reading a day tells no
 * night.  Water that flowed back in a night (on the reverse register) makes it no evidence.
 *
 * In 92 real households over a year (Alicante 2016) there were 131 runs of ≥ 24 h at 3 L/h and more,
 * in 18 households: hence nights that are compared, and not hours counted.  Sources: handbook of the
 * fleet, §6.4 (L1, L2, L4; exceptions are learned) and §1.4. */
#include "server/detect/leak_priv.h"

#define STEP_MOST_S (150 * 60) /* a reading may be missing */
#define GAP_MOST_S DAY_S       /* beyond, where it began cannot be said */
#define NIGHT_LEAST_TENTHS 40
#define RUN_MOST 12
#define NIGHT_TIMES_HOUSEHOLD (12 / 5.8f)
#define NIGHT_TIMES_OTHERS (16 / 14.0f)
#define ALIKE 0.1f
#define ALIKE_L 1.0f
#define HOSE_LPH 400
#define HOSE_DN_MM 40
#define HOSE_NIGHTS 4
#define BACK 0.4f
#define SMOOTH 0.3f
#define GROWN 1.5f
#define HABIT_S (48 * HOUR_S)
#define HABIT_NIGHTS 3
#define OLD_RUN 5
#define KEPT (NIGHT_AT_HAND | NO_EVIDENCE | FEW_THEN | FEW_BEFORE)
#define AGAIN_NIGHTS 10
#define NEWS_NIGHTS 7
#define NIGHT_RUN_H 7 /* of a leak by night */
#define NIGHT_RUN_LEAST_H 5
#define NIGHT_RUN_MOST_H 12

/* ---- what is told ---- */

static enum severity severity_of(float lph)
{
    return lph < 10    ? SEVERITY_LOW
           : lph < 50  ? SEVERITY_MEDIUM
           : lph < 200 ? SEVERITY_HIGH
                       : SEVERITY_URGENT;
}

static int64_t ml_of(float lph, int hours)
{
    return lph > 0 ? (int64_t)((double)lph * 1000 * hours) : 0;
}

static unsigned confidence_of(const struct leak *s, const struct judge_place *p)
{
    unsigned percent = s->flags & BY_NIGHT ? 75 : s->flags & HOUSEHOLD ? 90 : 85;

    if (!leak_is_fine(p))
        percent -= 5;
    percent += s->since >= NEWS_NIGHTS ? 5 : s->since >= 2 ? 2 : 0;
    return percent < 97 ? percent : 97;
}

static void fill(const struct leak *s, const struct judge_place *p, uint32_t now_s,
                 struct verdict *out)
{
    float size = flow_lph(s->told), usual = flow_lph(s->usual), least = leak_least_lph(p);
    float off = 0.1f * size + leak_pulse_l(p) / (leak_is_fine(p) ? 2 : 4);
    bool night = s->flags & BY_NIGHT;

    *out = (struct verdict){
        .open = true,
        .onset_s = s->since_s,
        .raised_s = s->raised_s,
        .severity = severity_of(size),
        .lost_mlpd = ml_of(size, night ? NIGHT_RUN_H : 24),
        .lost_low_mlpd = ml_of(size - off, night ? NIGHT_RUN_LEAST_H : 24),
        .lost_high_mlpd = ml_of(size + off, night ? NIGHT_RUN_MOST_H : 24),
        .confidence_pct = confidence_of(s, p),
    };
    verdict_number(out, "min_flow_lph", (int64_t)((size + usual) * 1000));
    verdict_number(out, "first_min_flow_lph", (int64_t)((flow_lph(s->first) + usual) * 1000));
    verdict_number(out, "usual_flow_lph", (int64_t)(usual * 1000));
    verdict_number(out, "limit_lph", (int64_t)((usual + least) * 1000));
    verdict_number(out, "flowing_hours", ((int64_t)now_s - s->since_s) * 1000 / HOUR_S);
    verdict_number(out, "nights_unusual", 1000 * (int64_t)s->run);
    verdict_number(out, "nights_before", 1000 * (int64_t)s->count);
    verdict_number(out, "lost_l", (int64_t)((double)s->lost_l * 1000));
    verdict_time(out, "seen_at", now_s);
    if (night)
        verdict_number(out, "by_night", 1000);
    if (s->flags & AGAIN)
        verdict_number(out, "comes_and_goes", 1000);
    if (flow_lph(s->told) >= GROWN * flow_lph(s->first))
        verdict_number(out, "grown_times", (int64_t)(size / flow_lph(s->first) * 1000));
}

/* ---- raising ---- */

static bool is_beyond_living(const struct judge_place *p, const struct leak_proof *proof,
                             bool lasts)
{
    float usual = flow_lph(proof->usual), least = leak_least_lph(p), pulse = leak_pulse_l(p);
    float alike = ALIKE * proof->mean_lph + (leak_is_fine(p) ? ALIKE_L : pulse / 3);
    float nats = (float)place_figure(p, proof->household ? FIGURE_LEAK_household_nats
                                                         : FIGURE_LEAK_other_nats) /
                 1000;
    bool hose = proof->least_lph > HOSE_LPH && p->meter->dn_mm < HOSE_DN_MM;

    if (!lasts)
        nats *= proof->household ? NIGHT_TIMES_HOUSEHOLD : NIGHT_TIMES_OTHERS;
    if (proof->nats < nats || proof->mean_lph - usual < least ||
        proof->least_lph - usual < least * 0.95f || (hose && proof->run < HOSE_NIGHTS))
        return false;
    return lasts || ((int64_t)proof->run * 24 > place_figure(p, FIGURE_LEAK_faint_hours) &&
                     proof->most_lph - proof->least_lph <= alike);
}

/* Between the night before the run and its first one; where the flow of the day hides it, in the
 * middle. */
static uint32_t onset_of(const struct leak *s, const struct judge_step *step,
                         const struct leak_proof *proof)
{
    int64_t run = proof->run;
    int64_t hours = (step->hour + 24 - NIGHT_HOURS) % 24;
    int64_t night_end_s = (int64_t)step->from_s - hours * HOUR_S;
    int64_t first_s = night_end_s - NIGHT_HOURS * HOUR_S - (run - 1) * DAY_S;
    int64_t before_s = night_end_s - run * DAY_S, onset_s = (first_s + before_s) / 2;

    if (s->since_s <= first_s)
        onset_s = s->since_s > before_s || proof->household ? s->since_s : before_s;
    return onset_s < 0 ? 0 : onset_s < step->to_s ? (uint32_t)onset_s : step->to_s;
}

static bool raise(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                  const struct leak_proof *proof, bool lasts, struct verdict *out)
{
    float size = proof->mean_lph - flow_lph(proof->usual);
    float latest = flow_lph(s->nights[0]) - flow_lph(proof->usual);
    bool again = (s->flags & HAD_LEAK) && s->since <= AGAIN_NIGHTS;

    s->flags &= KEPT;
    s->flags |= (uint8_t)((lasts ? 0 : BY_NIGHT) | (again ? AGAIN : 0) |
                          (proof->household ? HOUSEHOLD : 0));
    if (latest < size / 2) /* what burst, and runs on as less */
        size = latest;
    s->since_s = onset_of(s, step, proof);
    s->raised_s = step->to_s;
    s->usual = proof->usual;
    s->told = s->first = flow_code(size);
    s->run = (uint8_t)proof->run;
    s->since = 0;
    s->lost_l = (float)ml_of(size, lasts ? 24 : NIGHT_RUN_H) / 1000 / DAY_S *
                (float)(s->raised_s - s->since_s);
    leak_nights_forget(s, proof->run);
    fill(s, p, step->to_s, out);
    return true;
}

static bool weigh(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                  struct verdict *out)
{
    bool lasts = s->wait.borne >= place_figure(p, FIGURE_LEAK_wait_hours) * 10;

    for (unsigned run = 1; run <= RUN_MOST && run + NIGHTS_LEAST <= s->count; run++) {
        struct leak_proof proof = leak_nights_weigh(s, p, run);

        if (is_beyond_living(p, &proof, lasts))
            return raise(s, p, step, &proof, lasts, out);
        if (run < OLD_RUN)
            continue;
        proof = leak_nights_weigh_old(s, p, run);
        if (is_beyond_living(p, &proof, lasts))
            return raise(s, p, step, &proof, lasts, out);
    }
    return false;
}

/* ---- going on and ending ---- */

static bool is_back(const struct leak *s, float lph)
{
    return lph < flow_lph(s->usual) + BACK * flow_lph(s->told);
}

static bool clear(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                  struct verdict *out)
{
    uint8_t low = flow_code(flow_lph(s->usual) + flow_lph(s->told));

    fill(s, p, step->to_s, out);
    out->open = false;
    out->cleared_s = step->to_s;
    for (unsigned i = 0; (i < s->run || i < HABIT_NIGHTS) && step->to_s - s->raised_s < HABIT_S;
         i++)
        leak_nights_push(s, p, low);
    s->raised_s = 0;
    s->flags = (uint8_t)((s->flags & KEPT) | HAD_LEAK);
    s->since = 0;
    s->since_s = step->to_s;
    s->wait.borne = 0;
    s->wait.calm = flow_code(leak_nights_calm(s, p));
    return true;
}

/* A night of a leak that was told. */
static bool goes_on(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                    float low, struct verdict *out)
{
    float size = flow_lph(s->told), now = low - flow_lph(s->usual);
    bool jumped = now > 2 * size || now < size / 2;

    if (is_back(s, low))
        return clear(s, p, step, out);
    s->told = flow_code(jumped ? now : size + SMOOTH * (now - size));
    if (!jumped && s->since != 2 && s->since % NEWS_NIGHTS)
        return false;
    fill(s, p, step->to_s, out);
    return true;
}

static bool end_night(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                      struct verdict *out)
{
    bool known = !(s->flags & NO_EVIDENCE) && s->night_tenths >= NIGHT_LEAST_TENTHS;

    s->flags &= (uint8_t) ~(NIGHT_AT_HAND | NO_EVIDENCE);
    s->since = (uint8_t)(s->since < UINT8_MAX ? s->since + 1 : UINT8_MAX);
    if (!known)
        return false;
    if (s->raised_s)
        return goes_on(s, p, step, flow_lph(s->night_low), out);
    leak_nights_push(s, p, s->night_low);
    s->wait.calm = flow_code(leak_nights_calm(s, p));
    return weigh(s, p, step, out);
}

/* ---- steps ---- */

static uint16_t tenths(uint16_t sum, uint32_t seconds, uint16_t most)
{
    uint32_t all = sum + (seconds + HOUR_S / 20) / (HOUR_S / 10);

    return all < most ? (uint16_t)all : most;
}

static void begin_night(struct leak *s, const struct judge_place *p, const struct judge_step *step)
{
    s->flags |= NIGHT_AT_HAND;
    s->day = (uint8_t)step->day;
    s->night_low = NOT_YET;
    s->night_tenths = 0;
    if (leak_is_fine(p))
        leak_flow_begin(s);
}

/* A pause that began in the night is a part of it until it ends. */
static void see_night(struct leak *s, const struct judge_step *step, const struct leak_flow *f,
                      bool night)
{
    uint32_t seconds = step->to_s - step->from_s;

    flow_lower(&s->night_low, f->most_lph);
    if (night && f->mean_lph >= 0)
        flow_lower(&s->night_low, f->mean_lph);
    if (night && seconds <= STEP_MOST_S)
        s->night_tenths = (uint8_t)tenths(s->night_tenths, seconds, UINT8_MAX);
}

static bool see_flow(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                     float most_lph, struct verdict *out)
{
    uint32_t seconds = step->to_s - step->from_s;
    int64_t wait = place_figure(p, FIGURE_LEAK_wait_hours) * 10;
    uint16_t before = s->wait.borne;

    if (s->raised_s) {
        if (is_back(s, most_lph) && !(s->flags & BY_NIGHT))
            return clear(s, p, step, out);
        s->lost_l += (float)ml_of(flow_lph(s->told), s->flags & BY_NIGHT ? NIGHT_RUN_H : 24) /
                     1000 / DAY_S * (float)seconds;
        return false;
    }
    if (most_lph < flow_lph(s->wait.calm) || seconds > GAP_MOST_S) {
        s->since_s = step->to_s;
        s->wait.borne = 0;
    } else if (seconds <= STEP_MOST_S) {
        s->wait.borne = tenths(before, seconds, UINT16_MAX);
    }
    return before < wait && s->wait.borne >= wait && !(s->flags & NIGHT_AT_HAND) &&
           weigh(s, p, step, out);
}

/* The night at hand is no evidence, and what has run until now none of anything that runs on. */
static void set_aside(struct leak *s, const struct judge_step *step)
{
    if (s->flags & NIGHT_AT_HAND)
        s->flags |= NO_EVIDENCE;
    if (s->raised_s)
        return;
    s->since_s = step->to_s;
    s->wait.borne = 0;
}

/* In a pause. */
static bool see_pause(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                      enum flow_tells tells, struct verdict *out)
{
    struct leak_flow f;

    set_aside(s, step);
    if (tells == FLOW_TELLS_NOTHING) {
        leak_flow_begin(s);
        s->pause_ticks = 0;
        return false;
    }
    f = leak_flow_take(s, p, step);
    return s->raised_s && see_flow(s, p, step, f.most_lph, out);
}

/* On the reverse register. */
static void see_back(struct leak *s, const struct judge_step *step)
{
    if (step->used_ml > 0 && !step->fall && s->flags & NIGHT_AT_HAND)
        set_aside(s, step);
}

static bool leak_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                       struct verdict *out)
{
    struct leak *s = (struct leak *)state;
    bool night = step->hour < NIGHT_HOURS, over, said = false;
    enum flow_tells tells;
    struct leak_flow f;

    if (step->reverse)
        return see_back(s, step), false;
    if (p->point->use == USE_ZONE_INLET || p->point->use == USE_ZONE_OUTLET)
        return false;
    if (step->fall) {
        leak_flow_begin(s);
        s->pause_ticks = 0;
        return false;
    }
    if (s->since_s == 0) {
        s->since_s = step->from_s;
        s->wait.calm = flow_code(leak_nights_calm(s, p));
        leak_flow_begin(s);
    }
    tells = pauses_flow_tells(p->pauses, step->from_s, step->to_s);
    if (tells != FLOW_TELLS_ALL)
        return see_pause(s, p, step, tells, out);
    over = (s->flags & NIGHT_AT_HAND) && (!night || s->day != (uint8_t)step->day);
    if (over && (leak_is_fine(p) || s->pause_ticks == 0 || night)) {
        said = end_night(s, p, step, out);
        over = false;
    }
    if (night && !(s->flags & NIGHT_AT_HAND) && s->day != (uint8_t)step->day)
        begin_night(s, p, step);
    f = leak_flow_take(s, p, step);
    if (s->flags & NIGHT_AT_HAND)
        see_night(s, step, &f, night);
    if (over && s->pause_ticks == 0)
        said = end_night(s, p, step, out);
    return said || see_flow(s, p, step, f.most_lph, out);
}

/* ---- for people ---- */

static void say_flow(struct wr *en, struct wr *zh, const struct verdict *v)
{
    int64_t usual = verdict_value(v, "usual_flow_lph"), flow = verdict_value(v, "min_flow_lph");

    wr_text(en, "; in the quietest hour of the night ");
    say_volume(en, flow);
    wr_text(zh, "，夜间最小流量每小时");
    say_volume(zh, flow);
    if (usual) {
        wr_text(en, " (usual here: ");
        say_volume(en, usual);
        wr_text(en, ")");
        wr_text(zh, "（该处平时");
        say_volume(zh, usual);
        wr_text(zh, "）");
    }
}

static void say_course(struct wr *en, struct wr *zh, const struct verdict *v)
{
    if (verdict_value(v, "grown_times")) {
        wr_text(en, ", growing");
        wr_text(zh, "，且在增大");
    }
    if (verdict_value(v, "comes_and_goes")) {
        wr_text(en, "; it had stopped and has come back");
        wr_text(zh, "；曾停止后又出现");
    }
}

/* Told anew only when there is news, so that it speaks of what was so at least. */
static void leak_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                         struct wr *zh)
{
    int64_t run_s = verdict_value(v, "flowing_hours") * HOUR_S / 1000;
    bool night = verdict_value(v, "by_night");

    wr_text(en,
            night ? "Water has run every night since " : "Water has run without a pause since ");
    say_minute(en, p->zone, v->onset_s);
    wr_text(zh, "自");
    say_minute(zh, p->zone, v->onset_s);
    if (night) {
        wr_text(zh, "起每夜持续用水");
    } else {
        wr_text(en, ", for at least ");
        say_span(en, run_s, false);
        wr_text(zh, "起至少连续");
        say_span(zh, run_s, true);
        wr_text(zh, "不间断用水");
    }
    say_flow(en, zh, v);
    say_course(en, zh, v);
    wr_text(en, ". About ");
    say_volume(en, v->lost_mlpd);
    wr_text(en, " a day are lost behind the meter, ");
    say_volume(en, verdict_value(v, "lost_l"));
    wr_text(en, night ? " or more in all. Look for a valve on a timer: watering, softener, cistern."
                      : " or more in all. Shut the customer's valve: if the meter stands still "
                        "then, look at cisterns, taps and pipes behind it.");
    wr_text(zh, "。表后疑似漏水，每天约");
    say_volume(zh, v->lost_mlpd);
    wr_text(zh, "，累计至少");
    say_volume(zh, verdict_value(v, "lost_l"));
    wr_text(zh, night ? "。请检查定时阀门：浇灌、软水机、水箱。"
                      : "。请关闭户内阀门核对：水表停走即漏点在阀后，检查马桶水箱、龙头和管道。");
}

const struct detector detector_leak = {
    .flag = "leak",
    .state_size = sizeof(struct leak),
    .judge = leak_judge,
    .explain = leak_explain,
};
