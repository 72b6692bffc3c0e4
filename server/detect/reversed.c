/* reversed (倒装, 反转): the meter counts the customer's use backwards.
 *
 *   a day    counts back where back − forward > 1 pulse; F/R registers: and back ÷ both > 0.9
 *   raised   when the figure `back_days` (3) or more of the last 7 days count back, and since the first back flow the meter ran back by
 *            more than the figure `back_least_l` (50 L): of a net register on the whole, of F/R registers where R ÷ (F + R) > back_share, too
 *   falling  one register that cannot fall, and falls (track.c): what it fell is back flow, on at
 *            least 4 days: a mechanical dial that nobody registered as `net`. One fall and then a
 *            parallel course is a wrong or re-based read: one day
 *   onset    the first back flow that no forward flow has made up for since; since_installed is 1
 *            where there never was any
 *   cleared  when the last three days with any flow were forward
 *   not      meters between zones, where water may flow either way
 *
 * A step over several days (a gap) counts as one day, that of its middle.  A little back flow by
 * day and more forward is a check valve's matter (selfturn.c, backflow.c), not this one's.
 * Source: handbook of the fleet, §6.2. */
#include "server/detect/back.h"

#define DAYS 7
#define FALL_DAYS 4
#define GOOD_DAYS 3
#define LONG_STEP_S (20 * HOUR_S)

struct week {
    unsigned back_days;
    bool good; /* the last GOOD_DAYS of them with any flow were forward */
};

static enum day_sign sign_of(const struct back *b, const struct judge_place *p)
{
    float forward = unpacked_ml(b->today_forward), back = unpacked_ml(b->today_back);
    float pulse = (float)p->meter->resolution_ml;
    float share = (float)place_figure(p, FIGURE_REVERSED_back_share) / 1000;

    if (forward + back <= 0)
        return DAY_NONE;
    if (back - forward > pulse && (!(b->flags & BACK_BOTH) || back > share * (forward + back)))
        return DAY_BACK;
    return forward - back > pulse && back < forward / 2 ? DAY_FORWARD : DAY_MIXED;
}

/* Looks back from the last whole day. With `whole`, today is whole too. */
static struct week look_back(const struct back *b, const struct judge_place *p, bool whole)
{
    struct week w = { 0 };
    unsigned good = 0, from = whole ? 0 : 1;
    bool broken = false;

    for (unsigned ago = from; ago < from + DAYS; ago++) {
        enum day_sign sign = ago ? back_day(b, ago) : sign_of(b, p);

        w.back_days += sign == DAY_BACK;
        broken = broken || sign == DAY_BACK || sign == DAY_MIXED;
        good += !broken && sign == DAY_FORWARD;
    }
    w.good = good >= GOOD_DAYS;
    return w;
}

static void turn_to(struct back *b, const struct judge_place *p, int32_t day)
{
    int32_t days = day - b->day;

    if (b->day) {
        b->signs = (uint16_t)(b->signs << 2 | (unsigned)sign_of(b, p));
        b->signs = (uint16_t)(days > DAYS ? 0 : b->signs << 2 * (days - 1));
    }
    b->day = (uint16_t)day;
    b->today_forward = b->today_back = 0;
}

/* What a late step of yesterday brings is little, and counts for today. */
static void add(struct back *b, const struct judge_step *step, bool net)
{
    float ml = (float)step_ml(step);
    bool back = step_is_back(step);
    uint16_t *today = back ? &b->today_back : &b->today_forward;

    if (step->reverse)
        b->flags |= BACK_BOTH;
    if (step->fall && !net)
        b->flags |= BACK_FALLS;
    *today = packed_ml(unpacked_ml(*today) + ml);
    if (back) {
        if (b->onset_s == 0)
            b->onset_s = step->from_s;
        b->back_since += ml;
        return;
    }
    if (b->onset_s == 0) {
        b->flags |= BACK_HAD_FORWARD;
        return;
    }
    b->forward_since += ml;
    if (b->forward_since > b->back_since && !(b->flags & BACK_REVERSED)) {
        b->flags |= BACK_HAD_FORWARD;
        b->onset_s = 0;
        b->forward_since = b->back_since = 0;
    }
}

static bool is_reversed(const struct back *b, const struct judge_place *p, const struct week *w)
{
    unsigned back_days = (unsigned)place_figure(p, FIGURE_REVERSED_back_days);
    float back_least = (float)place_figure(p, FIGURE_REVERSED_back_least_l);
    float share = (float)place_figure(p, FIGURE_REVERSED_back_share) / 1000;

    if ((b->flags & BACK_FALLS) && !(b->flags & BACK_BOTH) && back_days < FALL_DAYS)
        back_days = FALL_DAYS;
    if (w->back_days < back_days || b->onset_s == 0)
        return false;
    if (!(b->flags & (BACK_BOTH | BACK_FALLS)))
        return b->back_since - b->forward_since > back_least;
    return b->back_since > back_least && b->back_since > share * (b->back_since + b->forward_since);
}

/* raised_s 0: it stands, and keeps its onset and when it was raised. */
static void fill(const struct back *b, const struct week *w, uint32_t now_s, uint32_t raised_s,
                 struct verdict *out)
{
    float days = (float)(now_s - b->onset_s) / DAY_S;
    int64_t lost = (int64_t)(b->back_since / (days < 1 ? 1 : days));

    *out = (struct verdict){
        .open = true,
        .onset_s = raised_s ? b->onset_s : 0,
        .raised_s = raised_s,
        .severity = severity_of_loss(lost),
        .lost_mlpd = lost,
        .lost_low_mlpd = (int64_t)(0.75 * (double)lost),
        .lost_high_mlpd = (int64_t)(1.25 * (double)lost),
        .confidence_pct = w->back_days >= DAYS - 1 ? 95 : 85,
    };
    if (out->severity < SEVERITY_MEDIUM)
        out->severity = SEVERITY_MEDIUM;
    verdict_number(out, "back_days", (int64_t)w->back_days * 1000);
    verdict_number(out, "back_since_l", (int64_t)b->back_since);
    verdict_number(out, "forward_since_l", (int64_t)b->forward_since);
    verdict_number(out, "since_installed", b->flags & BACK_HAD_FORWARD ? 0 : 1000);
    verdict_time(out, "seen_at", now_s);
}

static bool look(struct back *b, const struct judge_place *p, uint32_t now_s, bool whole,
                 struct verdict *out)
{
    struct week w = look_back(b, p, whole);

    if (!(b->flags & BACK_REVERSED)) {
        if (!is_reversed(b, p, &w))
            return false;
        b->flags |= BACK_REVERSED;
        b->told_days = w.back_days & 7;
        fill(b, &w, now_s, now_s, out);
        return true;
    }
    if (w.good) {
        *out = (struct verdict){ .cleared_s = now_s };
        b->flags = (uint8_t)((b->flags & ~BACK_REVERSED) | BACK_HAD_FORWARD);
        b->onset_s = 0;
        b->forward_since = b->back_since = 0;
        return true;
    }
    if (w.back_days < DAYS - 1 || b->told_days >= DAYS - 1)
        return false;
    b->told_days = w.back_days & 7;
    fill(b, &w, now_s, 0, out);
    return true;
}

static bool reversed_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                           struct verdict *out)
{
    struct back *b = (struct back *)state;
    bool said = false, whole = step->to_s - step->from_s >= LONG_STEP_S;

    if (!place_has_direction(p))
        return false;
    if (step->day > b->day) {
        bool begun = b->day != 0;

        turn_to(b, p, step->day);
        said = begun && look(b, p, step->from_s, false, out);
    }
    if (step->used_ml != 0)
        add(b, step, p->meter->form == REGISTER_NET);
    /* One reading a day: its day is whole with the step. */
    if (!said && whole && step->used_ml != 0)
        said = look(b, p, step->to_s, true, out);
    return said;
}

/* ---- for people ---- */

/* Flags that were told long ago name the week alone. */
static const char *since_name(const struct verdict *v)
{
    return verdict_value(v, "back_since_l") ? "back_since_l" : "back_week_l";
}

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
    say_volume(en, verdict_value(v, since_name(v)));
    wr_text(en, " in all. Turn the meter round or fit another; the customer's use of about ");
    say_volume(en, v->lost_mlpd);
    wr_text(en, " a day is not billed.");

    wr_text(zh, "水表自");
    say_minute(zh, p->zone, v->onset_s);
    wr_text(zh, installed ? "（有记录以来）一直倒走，疑似倒装。" : "起倒走。");
    wr_format(zh, "近7天中有%lld天倒转，共倒走", days);
    say_volume(zh, verdict_value(v, since_name(v)));
    wr_text(zh, "，请调向或换表");
    wr_text(zh, "。每天约");
    say_volume(zh, v->lost_mlpd);
    wr_text(zh, "用水未计费。");
}

const struct detector detector_reversed = {
    .flag = "reversed",
    .replace = true,
    .state_size = sizeof(struct back),
    .judge = reversed_judge,
    .explain = reversed_explain,
};
