/* reversed (倒装, 反转): the meter counts the customer's use backwards.
 *
 *   a day    counts back where back − forward > 1 pulse; F/R registers: and back ÷ both > 0.9
 *   net      raised when ≥ 3 of the last 7 whole days count back and the 7 days sum below −50 L
 *   F/R      raised when ≥ 3 of them count back, and since the first back flow R > 50 L and
 *            R ÷ (F + R) > 0.9
 *   falling  one register that cannot fall, and falls (track.c): what it fell is back flow, on at
 *            least 4 days: a mechanical dial that nobody registered as `net`. One fall and then a
 *            parallel course is a wrong or re-based read: one day
 *   onset    the first back flow that no forward flow has made up for since; since_installed is 1
 *            where there never was any
 *   cleared  when the last three days with any flow were forward
 *   not      meters between zones, where water may flow either way
 *
 * A step over several days (a gap) counts as one day, that of its middle.  A little back flow by
 * day and more forward is a check valve's matter (selfturn, backflow), not this one's.
 * Source: handbook of the fleet, §6.2. */
#include "server/detect/detect_priv.h"

#define DAYS 7
#define FALL_DAYS 4
#define SHARE 0.9f
#define GOOD_DAYS 3

enum { HAD_FORWARD = 1, FALLS = 2, FR = 4 };

struct reversed {
    float forward[DAYS], back[DAYS]; /* ml, by day modulo 7: today and the six days before */
    float forward_since, back_since; /* since onset_s */
    int32_t day;                     /* today; 0 = nothing yet */
    uint32_t onset_s;                /* 0: no back flow that was not made up for */
    uint32_t raised_s;               /* 0: no flag */
    uint32_t flag_onset_s;
    uint8_t flags, told_days;
};
_Static_assert(sizeof(struct reversed) <= FLOW_STATE, "of a meter's room");

struct week {
    unsigned back_days, days; /* days: with any flow */
    float forward, back;
    bool good; /* the last GOOD_DAYS of them were forward */
};

static unsigned slot(int32_t day)
{
    return (unsigned)((day % DAYS + DAYS) % DAYS);
}

static int day_sign(float forward, float back, float pulse, uint8_t flags)
{
    if (back - forward > pulse && (!(flags & FR) || back > SHARE * (forward + back)))
        return -1;
    return forward - back > pulse && back < forward / 2 ? 1 : 0;
}

/* Looks back from the last whole day. With `whole`, today is whole too. */
static struct week look_back(const struct reversed *s, const struct judge_place *p, bool whole)
{
    struct week w = { 0 };
    float pulse = (float)p->meter->resolution_ml;
    unsigned good = 0;
    bool broken = false;

    for (int32_t day = s->day - (whole ? 0 : 1); day > s->day - DAYS; day--) {
        float f = s->forward[slot(day)], b = s->back[slot(day)];
        int sign = day_sign(f, b, pulse, s->flags);

        w.forward += f;
        w.back += b;
        w.days += f + b > 0;
        w.back_days += sign < 0;
        broken = broken || (f + b > 0 && sign <= 0);
        good += !broken && sign > 0;
    }
    w.good = good >= GOOD_DAYS;
    return w;
}

static void turn_to(struct reversed *s, int32_t day)
{
    if (s->day == 0)
        s->day = day;
    if (day - s->day > DAYS)
        s->day = day - DAYS;
    while (s->day < day) {
        s->day++;
        s->forward[slot(s->day)] = s->back[slot(s->day)] = 0;
    }
}

static void add(struct reversed *s, const struct judge_step *step, bool net)
{
    float ml = (float)(step->used_ml < 0 ? -step->used_ml : step->used_ml);
    bool back = step->reverse != (step->used_ml < 0);

    if (step->reverse)
        s->flags |= FR;
    if (step->fall && !net)
        s->flags |= FALLS;
    if (s->day - step->day < DAYS)
        (back ? s->back : s->forward)[slot(step->day)] += ml;
    if (back) {
        if (s->onset_s == 0)
            s->onset_s = step->from_s;
        s->back_since += ml;
        return;
    }
    if (s->onset_s == 0) {
        s->flags |= HAD_FORWARD;
        return;
    }
    s->forward_since += ml;
    if (s->forward_since > s->back_since) {
        s->flags |= HAD_FORWARD;
        s->onset_s = 0;
        s->forward_since = s->back_since = 0;
    }
}

static bool is_reversed(const struct reversed *s, const struct judge_place *p, const struct week *w)
{
    unsigned back_days = (unsigned)place_figure(p, FIGURE_REVERSED_back_days);
    float back_least = (float)place_figure(p, FIGURE_REVERSED_back_least_l);

    if ((s->flags & FALLS) && !(s->flags & FR) && back_days < FALL_DAYS)
        back_days = FALL_DAYS;
    if (w->back_days < back_days || s->onset_s == 0)
        return false;
    if (!(s->flags & (FR | FALLS)))
        return w->back - w->forward > back_least;
    return s->back_since > back_least && s->back_since > SHARE * (s->back_since + s->forward_since);
}

static void fill(const struct reversed *s, const struct week *w, uint32_t now_s,
                 struct verdict *out)
{
    int64_t lost = (int64_t)(w->back_days ? w->back / (float)w->back_days : 0);

    *out = (struct verdict){
        .open = true,
        .onset_s = s->flag_onset_s,
        .raised_s = s->raised_s,
        .severity = severity_of_loss(lost),
        .lost_mlpd = lost,
        .lost_low_mlpd = (int64_t)(0.75 * (double)lost),
        .lost_high_mlpd = (int64_t)(1.25 * (double)lost),
        .confidence_pct = w->back_days >= DAYS - 1 ? 95 : 85,
    };
    if (out->severity < SEVERITY_MEDIUM)
        out->severity = SEVERITY_MEDIUM;
    verdict_number(out, "back_days", (int64_t)w->back_days * 1000);
    verdict_number(out, "back_week_l", (int64_t)w->back);
    verdict_number(out, "forward_week_l", (int64_t)w->forward);
    verdict_number(out, "back_since_l", (int64_t)s->back_since);
    verdict_number(out, "since_installed", s->flags & HAD_FORWARD ? 0 : 1000);
    verdict_time(out, "seen_at", now_s);
}

static bool look(struct reversed *s, const struct judge_place *p, uint32_t now_s, bool whole,
                 struct verdict *out)
{
    struct week w = look_back(s, p, whole);

    if (s->raised_s == 0) {
        if (!is_reversed(s, p, &w))
            return false;
        s->raised_s = now_s;
        s->flag_onset_s = s->onset_s;
        s->told_days = (uint8_t)w.back_days;
        fill(s, &w, now_s, out);
        return true;
    }
    if (w.good) {
        fill(s, &w, now_s, out);
        out->open = false;
        out->cleared_s = now_s;
        s->raised_s = 0;
        return true;
    }
    if (w.back_days < DAYS - 1 || s->told_days >= DAYS - 1)
        return false;
    s->told_days = (uint8_t)w.back_days;
    fill(s, &w, now_s, out);
    return true;
}

static bool reversed_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                           struct verdict *out)
{
    struct reversed *s = (struct reversed *)state;
    enum use_class use = p->point->use;
    bool said = false, whole = step->to_s - step->from_s >= 20 * HOUR_S;

    if (use == USE_ZONE_INLET || use == USE_ZONE_OUTLET)
        return false;
    if (step->day > s->day) {
        bool begun = s->day != 0;

        turn_to(s, step->day);
        said = begun && look(s, p, step->from_s, false, out);
    }
    if (step->used_ml != 0)
        add(s, step, p->meter->form == REGISTER_NET);
    /* One reading a day: its day is whole with the step. */
    if (!said && whole && step->used_ml != 0)
        said = look(s, p, step->to_s, true, out);
    return said;
}

/* ---- for people ---- */

static void reversed_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                             struct wr *zh)
{
    bool installed = verdict_value(v, "since_installed") > 0;
    long long days = (long long)(verdict_value(v, "back_days") / 1000);

    wr_text(en, installed ? "The meter has counted backwards since what is known of it began, "
                          : "The meter counts backwards since ");
    say_minute(en, p->zone, v->onset_s);
    wr_text(en, installed ? ": it was probably installed the wrong way round. " : ". ");
    wr_format(en, "On %lld of the last 7 days it ran back, ", days);
    say_volume(en, verdict_value(v, "back_week_l"));
    wr_text(en, " in all, against ");
    say_volume(en, verdict_value(v, "forward_week_l"));
    wr_text(en, " forward. The customer's use of about ");
    say_volume(en, v->lost_mlpd);
    wr_text(en, " a day is not billed.");

    wr_text(zh, "水表自");
    say_minute(zh, p->zone, v->onset_s);
    wr_text(zh, installed ? "（有记录以来）一直倒走，疑似倒装。" : "起倒走。");
    wr_format(zh, "近7天中有%lld天倒转，共倒走", days);
    say_volume(zh, verdict_value(v, "back_week_l"));
    wr_text(zh, "，正走");
    say_volume(zh, verdict_value(v, "forward_week_l"));
    wr_text(zh, "。每天约");
    say_volume(zh, v->lost_mlpd);
    wr_text(zh, "用水未计费。");
}

const struct detector detector_reversed = {
    .flag = "reversed",
    .replace = true,
    .state_size = sizeof(struct reversed),
    .judge = reversed_judge,
    .explain = reversed_explain,
};
