/* stuck (停走, 时走时停): the register stands still while the customer normally uses water.
 *
 * Two things look the same at first: a meter that stopped, and people who are away.  So a flag begins as a suspicion and says how likely
 * it is; what it says grows as the standstill does, and only what is likely goes on the crew's list (order_from in rules.def).
 *
 *   suspected  when the standstill, without holidays and pauses, counts more than max(base, 1.5 × own longest, own tail, 10 × pulse ÷
 *              mean use), mean use before is above 30 L/day, and three readings or more bear it out
 *   base       household: 7 days and the nights on either side (12 h).  Others, and DN ≥ 40: 48 h; DN ≥ 80: 6 h where they lie in
 *              working hours (Monday to Friday, 14 to 18); their weekends are pauses of their own
 *   own tail   a household with a pause of a day and more each month or so comes and goes: for it also the length that one pause in
 *              200 exceeds (99.5 %)
 *   likely     odds = stops ÷ pauses: STOPS_A_DAY against how many pauses so long begin in a day, by what is known of this meter and
 *              of its kind, times what the hour of the last movement tells (profile.h); and what stop-and-go adds
 *   stop-and-go  G += ln(1 + a × S(length) ÷ pauses so long a day in weeks of coming and going) for each standstill of 12 h and more (of a day
 *              and more also + ln of what its hour tells), G −= a × days for the time
 *              between and the first day of each, never below 0 (CUSUM): a = 0.35 standstills a day, S half with a mean of 18 h and half of 6 days.
 *              Odds GO_ODDS × e^G: of 81 real homes 24 had four pauses of a day and more within 28 days, so that those who come and go
 *              for some weeks are many for each meter that jams, and what is weighed is whether it goes on.  Raised at 9:1;
 *              cleared when G has fallen to half of that: some weeks without one
 *   not        before 14 days (two weekends) are known; hydrants; what never turned (that is `unmoved`)
 *   cleared    when the register has moved by max(2 pulses, a tenth of a day's use) within 7 days: knocks turn a wheel by a pulse
 *
 * A gap in the data counts by its register difference: a register that shows the same after it has registered nothing.
 *
 * What limits it: at 7.5 days 0.05 to 0.2 absences a home and year stand against 0.005 meters that stop, also of those who were never seen
 * away; so a suspicion as early as that is an absence in most cases, whatever the formula.
 *
 * Base, 1.5 and 30 L/day are figures of rules.def.  Sources: handbook of the fleet, §6.1 (odds, 99.5 %, 1.5) and §1.6 (worn teeth);
 * STOPS_A_DAY is one stop in 200 meter-years. */
#include "server/detect/profile.h"

#include "server/detect/detect_priv.h"

#include <math.h>
#include <stdlib.h>

#define BASE_LARGE_S (6 * HOUR_S)
#define LOOK_EVERY_S (3 * HOUR_S)
#define KNOWN_LEAST_DAYS 14
#define READINGS_LEAST 3
#define PULSES_LEAST 10
#define AWAY_SHARE 0.25
/* ln 200: of an exponential tail one in 200 is longer than this many means */
#define TAIL_995 5.3
#define STOPS_A_DAY (0.005 / 365)
#define GO_ODDS 0.00003 /* of those who begin to come and go */
#define LEFT_LEAST_H 24
#define GO_RAISED 0.9
#define GO_MOST 15.0
#define GO_PULSES 2
#define GO_KNOWN_DAYS 60
#define NEW_PEOPLE_H (14 * 24)
#define GO_CLEARED 6300 /* thousandths of G: half of what raises */
#define SURE 50         /* percent: what a crew is told first */

struct stuck {
    uint32_t raised_s; /* 0: no flag */
    uint32_t since_s;  /* the first of the standstills in `go`; while a flag of one standstill is
                          raised, the first movement since. 0: none */
    small moving_l;
    uint16_t go[2];       /* G of each way of stopping, thousandths */
    uint8_t readings : 2; /* of the standstill */
    uint8_t last : 6;     /* standstill of 12 h and more: 12 h × 2^(last ÷ 8) */
    uint8_t told;         /* confidence as it was told, percent; with TOLD_GO: of stop-and-go */
};
_Static_assert(sizeof(struct stuck) <= STUCK_STATE, "of a meter's room");

#define TOLD_GO 128

/* ---- how likely ---- */

/* Two ways of stopping: for hours, and for days. */
static const struct way {
    double a_day;           /* standstills that begin in a day that has not one */
    double mean_h, least_h; /* how long beyond `least_h`, shorter ones do not count */
} ways[2] = { { 0.35, 18, 12 }, { 0.25, 144, 24 } };

/* What a standstill of that length adds to G. */
static double go_gain(const struct judge_place *p, const struct way *w, double hours)
{
    double by_hour = hours < LEFT_LEAST_H ? 0 : log(profile_hour_odds(p->profile, p));

    if (hours < w->least_h)
        return 0;
    return by_hour + log(1 + w->a_day * exp(-(hours - w->least_h) / w->mean_h) /
                                 profile_unsettled_a_day(p->profile, p, hours));
}

static double share_of(double odds)
{
    return odds / (1 + odds);
}

static unsigned go_most(const struct stuck *s)
{
    return s->go[0] > s->go[1] ? s->go[0] : s->go[1];
}

/* While it stands, `counted_s` long: of one standstill, and of stop-and-go. */
static double standing_odds(const struct judge_place *p, int64_t counted_s)
{
    double hours = (double)counted_s / HOUR_S;

    return hours < profile_pause_h[0] ? 0
                                      : STOPS_A_DAY * profile_hour_odds(p->profile, p) /
                                            profile_pauses_a_day(p->profile, p, hours);
}

static double go_odds(const struct stuck *s, const struct judge_place *p, int64_t counted_s)
{
    double odds = 0;

    for (unsigned i = 0; i < 2; i++)
        if (s->go[i] > 0)
            odds += GO_ODDS *
                    exp((double)s->go[i] / 1000 + go_gain(p, &ways[i], (double)counted_s / HOUR_S));
    return odds;
}

static unsigned percent(double share)
{
    return share < 0.01 ? 1 : share > 0.97 ? 97 : (unsigned)(share * 100);
}

/* ---- suspecting ---- */

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

/* Of those who come and go: what one pause in 200 exceeds, were they exponential beyond a day. */
static int64_t tail_s(const struct judge_place *p)
{
    double mean_h, share = profile_away_share(p->profile, &mean_h);

    if (!place_is_household(p) || share < AWAY_SHARE)
        return 0;
    return (int64_t)((24 + TAIL_995 * (mean_h - 24)) * HOUR_S);
}

static int64_t bound_s(const struct judge_place *p, uint32_t now_s)
{
    int64_t bound = base_s(p, now_s), own, tail = tail_s(p);
    double pulses =
        PULSES_LEAST * (double)p->meter->resolution_ml / profile_use_mlpd(p->profile) * DAY_S;

    own = profile_longest_s(p->profile) * place_figure(p, FIGURE_STUCK_own_factor) / 1000;
    if (own > bound)
        bound = own;
    if (tail > bound)
        bound = tail;
    return pulses > (double)bound ? (int64_t)pulses : bound;
}

static bool is_judged(const struct judge_place *p)
{
    return p->profile->known_days >= KNOWN_LEAST_DAYS &&
           profile_use_mlpd(p->profile) > (double)place_figure(p, FIGURE_STUCK_use_least_lpd) &&
           p->point->use != USE_HYDRANT;
}

static void fill(const struct stuck *s, const struct judge_place *p, uint32_t now_s,
                 unsigned confidence_pct, struct verdict *out)
{
    const struct profile *f = p->profile;
    /* While a flag is open the profile stands still (detect.c), so that it shows the customer. */
    double slow = profile_use_mlpd(f), quick = (double)small_value(f->quick_lpd) * 1000;
    uint32_t stands_s = now_s > f->moved_s ? now_s - f->moved_s : 0;
    bool go = s->told & TOLD_GO;

    *out = (struct verdict){
        .open = true,
        .onset_s = go ? s->since_s : f->moved_s,
        .raised_s = s->raised_s,
        .lost_mlpd = (int64_t)(go ? 0.6 * slow : slow),
        .lost_low_mlpd = (int64_t)((go ? 0.2 : 0.8) * (slow < quick ? slow : quick)),
        .lost_high_mlpd = (int64_t)((go ? 1.0 : 1.25) * (slow > quick ? slow : quick)),
        .confidence_pct = confidence_pct,
    };
    out->severity = confidence_pct < SURE ? SEVERITY_LOW : severity_of_loss(out->lost_mlpd);
    verdict_number(out, "zero_days", (int64_t)stands_s * 1000 / DAY_S);
    verdict_number(out, "counted_days",
                   profile_counted_s(p, f->moved_s, f->moved_s + stands_s) * 1000 / DAY_S);
    verdict_number(out, "bound_days", bound_s(p, now_s) * 1000 / DAY_S);
    verdict_number(out, "own_longest_zero_days", profile_longest_s(f) * 1000 / DAY_S);
    verdict_number(out, "use_before_lpd", (int64_t)slow);
    verdict_number(out, "stop_and_go_odds_ln", go ? (int64_t)go_most(s) : 0);
    verdict_time(out, "last_moved_at", f->moved_s);
    verdict_time(out, "seen_at", now_s);
}

static bool raise(struct stuck *s, const struct judge_place *p, uint32_t now_s, double odds,
                  bool go, struct verdict *out)
{
    unsigned confidence = percent(share_of(odds));

    if (!go)
        s->since_s = 0;
    s->raised_s = now_s;
    s->moving_l = 0;
    s->told = (uint8_t)(confidence | (go ? TOLD_GO : 0));
    fill(s, p, now_s, confidence, out);
    return true;
}

/* Told again where it is half again as likely or as unlikely as what was told. */
static bool has_news(const struct stuck *s, unsigned confidence)
{
    unsigned told = s->told & ~TOLD_GO;

    return confidence >= told + (told < 10   ? 5
                                 : told < 60 ? told / 2
                                             : 10) ||
           confidence + (told < 20 ? 10 : told / 2) <= told;
}

static bool tell(struct stuck *s, const struct judge_place *p, uint32_t now_s, double odds,
                 struct verdict *out)
{
    unsigned confidence = percent(share_of(odds));

    if (!has_news(s, confidence))
        return false;
    s->told = (uint8_t)(confidence | (s->told & TOLD_GO));
    fill(s, p, now_s, confidence, out);
    return true;
}

/* The standstill goes on with this step. */
static bool stands(struct stuck *s, const struct judge_place *p, const struct judge_step *step,
                   struct verdict *out)
{
    uint32_t now_s = step->to_s, stands_s = now_s - p->profile->moved_s;
    int64_t counted;
    double odds, go;

    if (s->readings < READINGS_LEAST)
        s->readings++;
    if (stands_s < BASE_LARGE_S ||
        (p->meter->dn_mm < 80 && step->from_s / LOOK_EVERY_S == now_s / LOOK_EVERY_S) ||
        !is_judged(p))
        return false;
    counted = profile_counted_s(p, p->profile->moved_s, now_s);
    go = p->profile->known_days >= GO_KNOWN_DAYS ? go_odds(s, p, counted) : 0;
    odds = standing_odds(p, counted) + go;
    if (s->raised_s)
        return tell(s, p, now_s, odds, out);
    if (s->readings < READINGS_LEAST)
        return false;
    if (share_of(go) >= GO_RAISED)
        return raise(s, p, now_s, odds, true, out);
    return counted > bound_s(p, now_s) && raise(s, p, now_s, odds, false, out);
}

/* ---- movement ---- */

/* As long as the one before: a timer's, or an office's hours. Jammed works keep none. */
static bool is_like_last(struct stuck *s, double hours)
{
    int length = hours < 12 ? 0 : (int)(8 * log2(hours / 12)), last = s->last;

    s->last = length < 63 ? (unsigned)length & 63u : 63;
    return last > 0 && abs(length - last) <= 1;
}

/* What has stood, and moved, up to the end of this step, in which it moved. */
static void weigh(struct stuck *s, const struct judge_place *p, const struct judge_step *step)
{
    uint32_t moved_s = p->profile->moved_s,
             stood_s = step->from_s > moved_s ? step->from_s - moved_s : 0;
    double days = (double)(step->to_s - step->from_s) / DAY_S, hours = 0;
    bool judged = stood_s >= profile_pause_h[0] * HOUR_S && is_judged(p) &&
                  p->profile->known_days >= GO_KNOWN_DAYS;

    if (judged) {
        hours = (double)profile_counted_s(p, moved_s, step->from_s) / HOUR_S;
        if (is_like_last(s, hours))
            hours = 0;
        hours -= GO_PULSES * (double)p->meter->resolution_ml / profile_use_mlpd(p->profile) * 24;
        if (go_most(s) == 0 || s->since_s == 0)
            s->since_s = moved_s;
    }
    days += stood_s < DAY_S ? (double)stood_s / DAY_S : 1;
    for (unsigned i = 0; i < 2; i++) {
        double g = (double)s->go[i] / 1000 - ways[i].a_day * days;

        if (hours > 0)
            g += go_gain(p, &ways[i], hours);
        if (hours >= NEW_PEOPLE_H)
            g = 0;
        s->go[i] = (uint16_t)(g <= 0 ? 0 : 1000 * (g < GO_MOST ? g : GO_MOST));
    }
}

static bool clear(struct stuck *s, const struct judge_place *p, const struct judge_step *step,
                  int64_t cleared_s, struct verdict *out)
{
    fill(s, p, step->from_s, s->told & ~TOLD_GO, out);
    out->open = false;
    out->cleared_s = cleared_s;
    s->raised_s = s->since_s = 0;
    return true;
}

/* A standstill was told. */
static bool moves_again(struct stuck *s, const struct judge_place *p, const struct judge_step *step,
                        float l, struct verdict *out)
{
    double least = profile_use_mlpd(p->profile) / 10000;
    double pulses = 2.0 * (double)p->meter->resolution_ml / 1000;

    if (s->since_s == 0 || step->to_s - s->since_s > 7 * DAY_S) {
        s->since_s = step->to_s;
        s->moving_l = 0;
    }
    s->moving_l = small_of(small_value(s->moving_l) + l);
    /* small numbers are off by a part in 4 000 */
    if ((double)small_value(s->moving_l) < (least > pulses ? least : pulses) * 0.999)
        return false;
    clear(s, p, step, s->since_s, out);
    weigh(s, p, step); /* if it was no absence, there will be more of them */
    return true;
}

/* Stop-and-go was told. */
static bool goes_again(struct stuck *s, const struct judge_place *p, const struct judge_step *step,
                       struct verdict *out)
{
    weigh(s, p, step);
    return go_most(s) < GO_CLEARED && clear(s, p, step, step->to_s, out);
}

bool stuck_holds(const void *state)
{
    const struct stuck *s = (const struct stuck *)state;

    return s->raised_s && !(s->told & TOLD_GO);
}

static bool stuck_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                        struct verdict *out)
{
    struct stuck *s = (struct stuck *)state;
    float l = (float)(step->used_ml < 0 ? -step->used_ml : step->used_ml) / 1000;

    if (!profile_has_use(p->profile)) /* these bytes are unmoved's */
        return false;
    if (step->used_ml == 0)
        return !step->reverse && !step->fall && stands(s, p, step, out);
    s->readings = 0;
    if (stuck_holds(s))
        return moves_again(s, p, step, l, out);
    if (s->raised_s)
        return goes_again(s, p, step, out);
    weigh(s, p, step);
    return false;
}

/* ---- for people ---- */

static void explain_go(const struct verdict *v, const struct judge_place *p, struct wr *en,
                       struct wr *zh)
{
    wr_text(en, "The meter stops and goes since ");
    say_minute(en, p->zone, v->onset_s);
    wr_text(en, ": again and again it stands still as never before here; the customer used ");
    say_volume(en, verdict_value(v, "use_before_lpd"));
    wr_text(en, " a day. Look whether the works jam. Not measured: about ");
    say_volume(en, v->lost_low_mlpd);
    wr_text(en, " to ");
    say_volume(en, v->lost_high_mlpd);
    wr_text(en, " a day.");

    wr_text(zh, "水表自");
    say_minute(zh, p->zone, v->onset_s);
    wr_text(zh, "起时走时停，停走频次远超该户以往；此前日均用水");
    say_volume(zh, verdict_value(v, "use_before_lpd"));
    wr_text(zh, "。请检查机芯是否卡滞。估计每天漏计");
    say_volume(zh, v->lost_low_mlpd);
    wr_text(zh, "～");
    say_volume(zh, v->lost_high_mlpd);
    wr_text(zh, "。");
}

/* Told anew now and then (has_news), so that it speaks of what was so at least. */
static void stuck_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                          struct wr *zh)
{
    int64_t zero_s = verdict_value(v, "zero_days") * DAY_S / 1000;
    int64_t bound = verdict_value(v, "bound_days") * DAY_S / 1000;
    bool sure = v->confidence_pct >= SURE;

    if (verdict_value(v, "stop_and_go_odds_ln") > 0) {
        explain_go(v, p, en, zh);
        return;
    }
    wr_text(en, "The meter has not moved for at least ");
    say_span(en, zero_s, false);
    wr_text(en, ", since ");
    say_minute(en, p->zone, v->onset_s);
    wr_text(en, "; before, the customer used ");
    say_volume(en, v->lost_mlpd);
    wr_text(en, " a day, and a pause of more than ");
    say_span(en, bound, false);
    wr_text(en, " is not usual here. ");
    wr_text(en, sure ? "Nobody here was ever away that long: look at the meter. "
                     : "Most likely nobody is there: ask the customer before anybody goes. ");
    wr_text(en, "If it is stuck, not measured: about ");
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
    wr_text(zh,
            sure ? "。该处从未停用如此之久，请现场查表。" : "。多为无人在家，派工前请先联系用户。");
    wr_text(zh, "若确系停走，估计每天漏计");
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
