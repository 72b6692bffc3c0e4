/* slow (慢走): the meter registers less than flows.  Without a second meter nothing proves it, so a flag is a suspicion and says how far.
 *
 *   compared   the days since a change that lies 20 to 110 days back with up to a year before it; days away, holidays and days of which
 *              less than 20 hours are known left out; what peers (homes of the same size and zone) changed meanwhile taken off (draws.h, peers.h)
 *   scaled     draws show as smaller ones by 25 % and more: against all days before and against the quietest quarter of them; use fell by
 *              30 % and more, below all months before, and about as much as draws did; and hours have use as often as before
 *   clear      draws show as smaller ones by 55 % and more, by odds that leave no doubt, and use fell as much: even where the home stood empty before
 *   deep       use fell by more than one half (pulses of 100 L, which show no single draws: 45 %) and draws did not stay as large
 *   by hours   use fell by one half because hours without any became that many, while draws stayed as large: worn gear that
 *              stands for hours and moves for hours
 *   drift      use and draws fell from month to month (drift.h), and what is registered now is scaled
 *   eroded     hours with a trickle alone (half of Q1) became half as many and all else stayed: worn gear that no longer starts for so little, or
 *              a trickle that somebody stopped
 *   not        where a run of 8 days without use lies between before and since: others may have moved in; where use fell in three hours of the day alone (a garden
 *              that is watered no more); where water had run without a pause before, and does no more (a leak that was mended); where the same weeks
 *              of the year before had as little; not while peers themselves change by 15 % in 28 days: later it shows whether the meter did
 *   cleared    the last 28 days have draws and use within 12 % of those before
 *   lost       what is registered now × (1 ÷ share − 1); the interval is that of a healthy home's 28-day mean: ± 20 %
 *   confidence what share of such flags was right in tools/bench detect; places that are no homes at most 65 %, for fewer guests or hands
 *              scale an hour's use as a slow meter does, which no simulated life shows
 *
 * Sources: handbook §6.3 (no single test is reliable without a reference), §1.6 (grit or a bad bearing: a step; worn teeth: by hours).  What
 * people do moves a home's 28-day mean by 20 % and in 1 to 2.5 % of homes by 40 % within 60 days: that is why use alone decides nothing here. */
#include "server/detect/detect_priv.h"
#include "server/detect/draws.h"
#include "server/detect/drift.h"
#include "server/detect/house.h"
#include "server/detect/peers.h"

#include <math.h>
#include <stdlib.h>

#define COARSER_LN 0.05  /* more, where pulses do not show each draw */
#define FAINTER_LN 0.035 /* less, where all else is alike */
#define ODDS_LEAST 6     /* log-likelihood */
#define AS_OFTEN_LN 0.25 /* hours with use */
#define ALIKE_LN 0.5     /* use and draws fell by the same */
#define DEEP_LN (-0.8)   /* use: 55 % less */
#define DEEP_OFTEN_LN 0.6
#define COARSE_ML 100000 /* a pulse of which one holds many draws */
#define COARSE_DEEP_LN (-0.6)
#define NOT_AS_LARGE_LN (-0.2)
#define SELDOM_LN (-0.5)     /* hours with use: 40 % fewer than draws explain */
#define ELSEWHERE_LN (-0.20) /* use outside of the hours that lost most: 18 % less */
#define MENDED_SHARE (-0.5)  /* of what is used less, that flowed without a pause */
#define FINE_ML 1000         /* a pulse that shows single draws: less is needed */
#define FAINT_OFTEN_LN 0.2
#define FAINT_ALIKE_LN 0.3
#define TOO_SELDOM_LN (-0.7)
#define FAINT_NEW_PEOPLE_D 5
#define CLEAR_LN (-0.13)
#define CLEAR_DAYS 28
#define OTHERS_MOST_PCT 65
#define WANDERS_LN 0.2 /* a healthy home's 28-day mean */

/* clear */
#define CLEAR_SIZE_LN (-0.8)
#define CLEAR_LARGE_LN (-0.45)
#define CLEAR_APART_LN (-0.3)
#define CLEAR_ODDS 20
#define CLEAR_OFTEN_LN 0.4
#define CLEAR_ALIKE_LN 0.8
#define CLEAR_SINCE_D 18
#define CLEAR_EMPTY_D 12 /* more than else */
/* drift: the last weeks against what lies well before them */
#define DRIFT_LN (-0.2)
#define DRIFT_SIZE_LN (-0.22)
#define DRIFT_APART_LN (-0.15)
#define DRIFT_OFTEN_LN 0.25
#define DRIFT_ALIKE_LN 0.3
#define DRIFT_MOST_ML 10000 /* a pulse that shows draws */
/* eroded */
#define ERODED_SHARE 0.08 /* of hours: two a day */
#define ERODED_LN (-0.7)
#define ERODED_REST_LN 0.12
#define SEASON_SHARE 0.5 /* of a fall: as much less than a year before it must be */

enum way {
    WAY_NONE,
    WAY_SCALED,
    WAY_FAINT,
    WAY_DEEP,
    WAY_BY_HOURS,
    WAY_CLEAR,
    WAY_DRIFT,
    WAY_ERODED
};

/* Draws became smaller by `size_ln` and more, whatever they are held against; use by a little more; nothing else changed by `apart` and more. */
static bool is_scaled(const struct draws_change *c, double size_ln, double often_ln,
                      double alike_ln)
{
    return c->size_ln <= size_ln && c->quiet_ln <= size_ln && c->quiet_odds > ODDS_LEAST &&
           c->large_ln < size_ln && c->volume_ln < size_ln - 0.05 && c->apart_ln < size_ln + 0.1 &&
           c->elsewhere_ln < size_ln + 0.05 && fabs(c->often_ln) < often_ln &&
           fabs(c->volume_ln - c->size_ln) < alike_ln;
}

static bool is_deep(const struct draws_change *c, bool coarse)
{
    if (c->elsewhere_ln > ELSEWHERE_LN || c->often_ln > DEEP_OFTEN_LN)
        return false;
    return coarse ? c->volume_ln < COARSE_DEEP_LN && c->apart_ln < COARSE_DEEP_LN / 2
                  : c->volume_ln < DEEP_LN && c->apart_ln < DEEP_LN + 0.3 &&
                        c->size_ln < NOT_AS_LARGE_LN && c->often_ln > TOO_SELDOM_LN;
}

/* Smaller by so much, and so surely, that no other people make such draws. */
static bool is_clear(const struct draws_change *c)
{
    return c->size_ln < CLEAR_SIZE_LN && c->quiet_ln < 0 && c->quiet_odds > CLEAR_ODDS &&
           c->large_ln < CLEAR_LARGE_LN && c->apart_ln < CLEAR_APART_LN &&
           c->elsewhere_ln < CLEAR_APART_LN && fabs(c->often_ln) < CLEAR_OFTEN_LN &&
           fabs(c->volume_ln - c->size_ln) < CLEAR_ALIKE_LN;
}

static bool is_eroded(const struct draws_change *c)
{
    return c->faint_share >= ERODED_SHARE && c->faint_ln < ERODED_LN &&
           fabs(c->rest_ln) < ERODED_REST_LN;
}

/* The same weeks of the year before had as little. */
static bool is_season(const struct draws_change *c)
{
    return c->season_ln > SEASON_SHARE * c->volume_ln;
}

/* The figures that people may turn. */
static double smaller_ln(const struct judge_place *p)
{
    return log(1 - (double)place_figure(p, FIGURE_SLOW_share_least) / 1000);
}

static struct draws_bounds bounds_of(const struct judge_place *p)
{
    double ln = smaller_ln(p) + FAINTER_LN;

    unsigned since_days = (unsigned)place_figure(p, FIGURE_SLOW_since_days);

    return (struct draws_bounds){
        .sign = -1,
        .volume_ln = 0.05 - ln,
        .apart_ln = -0.1 - ln,
        .after_days = since_days < CLEAR_SINCE_D ? since_days : CLEAR_SINCE_D,
        .empty_days = (unsigned)place_figure(p, FIGURE_SLOW_empty_days) + CLEAR_EMPTY_D
    };
}

static enum way way_of(const struct judge_place *p, const struct draws_change *c)
{
    bool fine = p->meter->resolution_ml <= FINE_ML;
    double ln = smaller_ln(p);

    if (isnan(c->apart_ln) || c->floor_share < MENDED_SHARE || is_season(c))
        return WAY_NONE;
    if (c->after_days < place_figure(p, FIGURE_SLOW_since_days) ||
        c->empty_days >= place_figure(p, FIGURE_SLOW_empty_days))
        return is_clear(c) ? WAY_CLEAR : WAY_NONE;
    if (is_scaled(c, fine ? ln : ln - COARSER_LN, AS_OFTEN_LN, ALIKE_LN))
        return WAY_SCALED;
    if (is_deep(c, p->meter->resolution_ml >= COARSE_ML))
        return WAY_DEEP;
    if (is_eroded(c))
        return WAY_ERODED;
    if (c->volume_ln < DEEP_LN + 0.1 && c->apart_ln < DEEP_LN + 0.4 && c->often_ln < SELDOM_LN &&
        c->elsewhere_ln < ELSEWHERE_LN)
        return WAY_BY_HOURS;
    if (fine && c->empty_days < FAINT_NEW_PEOPLE_D &&
        is_scaled(c, ln + FAINTER_LN, FAINT_OFTEN_LN, FAINT_ALIKE_LN))
        return WAY_FAINT;
    return is_clear(c) ? WAY_CLEAR : WAY_NONE;
}

/* Of a fall from month to month. */
static bool is_worn(const struct judge_place *p, const struct draws_change *c)
{
    return !(c->floor_share < MENDED_SHARE) && !is_season(c) &&
           c->empty_days <= place_figure(p, FIGURE_SLOW_empty_days) && c->size_ln < DRIFT_SIZE_LN &&
           c->quiet_ln < DRIFT_SIZE_LN && c->quiet_odds > ODDS_LEAST && c->large_ln < DRIFT_LN &&
           c->elsewhere_ln < DRIFT_LN && c->apart_ln < DRIFT_APART_LN &&
           fabs(c->often_ln) < DRIFT_OFTEN_LN && fabs(c->volume_ln - c->size_ln) < DRIFT_ALIKE_LN;
}

/* What a fall must come to at least for is_worn. */
static struct draws_bounds worn_bounds(const struct judge_place *p)
{
    return (struct draws_bounds){ .sign = -1,
                                  .volume_ln = -(DRIFT_SIZE_LN + DRIFT_ALIKE_LN),
                                  .apart_ln = -DRIFT_APART_LN,
                                  .empty_days =
                                      (unsigned)place_figure(p, FIGURE_SLOW_empty_days) + 1 };
}

static unsigned confidence(const struct judge_place *p, const struct draws_change *c, enum way way)
{
    unsigned pct = way == WAY_DEEP       ? 45
                   : way == WAY_ERODED   ? 40
                   : way == WAY_DRIFT    ? p->meter->resolution_ml <= FINE_ML ? 50 : 25
                   : way == WAY_CLEAR    ? 90
                   : way == WAY_FAINT    ? 65
                   : way == WAY_BY_HOURS ? 90
                   : c->volume_ln < -0.6 ? 85
                                         : 60;

    return place_is_household(p) || pct < OTHERS_MOST_PCT ? pct : OTHERS_MOST_PCT;
}

static int64_t lost_mlpd(double registered_mlpd, double ln)
{
    return ln >= 0 ? 0 : (int64_t)(registered_mlpd * (exp(-ln) - 1));
}

static void fill(const struct judge_place *p, const struct day_span *days,
                 const struct draws_change *c, enum way way, struct verdict *out)
{
    double share_ln = way == WAY_SCALED || way == WAY_FAINT || way == WAY_DRIFT
                          ? (c->size_ln + c->volume_ln) / 2
                          : c->volume_ln;
    double calendar = (double)(days->to_day - c->day),
           daily = c->after_mlpd * fmin(1, c->after_days / calendar);

    *out = (struct verdict){ .open = true,
                             .onset_s = day_midnight_s(p->zone, c->day),
                             .raised_s = days->at[days->count - 1].last_s,
                             .lost_mlpd = lost_mlpd(daily, share_ln),
                             .lost_low_mlpd = lost_mlpd(daily, share_ln + WANDERS_LN),
                             .lost_high_mlpd = lost_mlpd(daily, share_ln - WANDERS_LN),
                             .confidence_pct = confidence(p, c, way) };
    out->severity = severity_of_loss(out->lost_mlpd);
    verdict_time(out, "changed_at", out->onset_s);
    verdict_number(out, "use_before_lpd", (int64_t)c->before_mlpd);
    verdict_number(out, "use_since_lpd", (int64_t)c->after_mlpd);
    verdict_number(out, "draw_size_pct", (int64_t)(100000 * exp(c->size_ln)));
    verdict_number(out, "hours_with_use_pct", (int64_t)(100000 * exp(c->often_ln)));
    verdict_number(out, "days_before", c->before_days * 1000LL);
    verdict_number(out, "days_since", c->after_days * 1000LL);
    if (!isnan(c->season_ln))
        verdict_number(out, "year_before_pct", (int64_t)(100000 * exp(c->season_ln)));
    if (!isnan(c->peers_ln))
        verdict_number(out, "peers_pct", (int64_t)(100000 * exp(c->peers_ln)));
    if (way == WAY_ERODED)
        verdict_number(out, "trickle_hours_pct", (int64_t)(100000 * exp(c->faint_ln)));
}

/* Where a meter wears out: the fall of a month, and since when. False: it does not look so. */
static bool fill_drift(const struct judge_place *p, const struct day_span *days,
                       const struct drift *d, struct verdict *out)
{
    for (unsigned i = 0; i < d->change_count; i++) {
        struct draws_change c = d->changes[i];

        if (!is_worn(p, &c))
            continue;
        c.day = d->day;
        fill(p, days, &c, WAY_DRIFT, out);
        verdict_number(out, "month_pct", (int64_t)(100000 * exp(d->use_ln / (d->months - 1))));
        return true;
    }
    return false;
}

/* Draws and use are what they were. */
static bool is_over(const struct judge_place *p, const struct day_span *days,
                    const struct verdict *open)
{
    int32_t day = (int32_t)zone_day_number(p->zone, open->onset_s);
    struct draws_change c;

    return draws_since(p, days, day, CLEAR_DAYS, &c) && c.volume_ln > CLEAR_LN &&
           c.size_ln > CLEAR_LN;
}

static bool slow_look(const struct judge_place *p, const struct day_span *days,
                      const struct verdict *open, struct verdict *out)
{
    struct draws_bounds bounds = bounds_of(p), worn = worn_bounds(p);
    struct draws_change c;
    struct drift d;
    enum way way = WAY_NONE;

    if (!days_are_recent(days))
        return false;
    if (open) {
        if (!is_over(p, days, open))
            return false;
        *out = *open;
        out->open = false;
        out->cleared_s = days->at[days->count - 1].last_s;
        return true;
    }
    if (fabs(peers_lately_ln(p->peers)) > PEERS_MOVE_LN)
        return false;
    if (draws_compare(p, days, &bounds, &c))
        way = way_of(p, &c);
    if (way != WAY_NONE) {
        fill(p, days, &c, way, out);
        return true;
    }
    return p->meter->resolution_ml <= DRIFT_MOST_ML && drift_find(p, days, &worn, &d) &&
           fill_drift(p, days, &d, out);
}

static void slow_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                         struct wr *zh)
{
    int64_t size = (verdict_value(v, "draw_size_pct") + 500) / 1000;
    int64_t hours = (verdict_value(v, "hours_with_use_pct") + 500) / 1000;
    int64_t month = v->lost_mlpd * 30, apart = (v->lost_high_mlpd - v->lost_low_mlpd) * 15;
    int64_t a_month = (verdict_value(v, "month_pct") + 500) / 1000;
    int64_t trickles = (verdict_value(v, "trickle_hours_pct") + 500) / 1000;

    if (is_slow_in_house(v)) {
        house_slow_explain(v, p, en, zh);
        return;
    }
    wr_text(en, "Suspect: since about ");
    say_date(en, p->zone, v->onset_s);
    wr_text(en, " this meter registers ");
    say_volume(en, verdict_value(v, "use_since_lpd"));
    wr_text(en, " a day where it had ");
    say_volume(en, verdict_value(v, "use_before_lpd"));
    if (a_month)
        wr_format(en,
                  ", month by month %lld %% of the month before, and each draw shows as about "
                  "%lld %% of what it was, as if it wore out",
                  (long long)a_month, (long long)size);
    else if (trickles)
        wr_format(en,
                  ", and hours with a trickle alone are %lld %% of what they were while all else "
                  "stayed: it may no longer start for little, or a trickle was stopped",
                  (long long)trickles);
    else if (hours < 61 && size > 80)
        wr_format(en,
                  ", for it stands still in many hours (%lld %% of those with use are left), as "
                  "worn gear does",
                  (long long)hours);
    else
        wr_format(en, ", and each draw shows as about %lld %% of what it was, as if it ran slow",
                  (long long)size);
    wr_text(en, "; expected loss ");
    say_volume(en, month);
    wr_text(en, " ± ");
    say_volume(en, apart);
    wr_text(en, " a month. Ask whether people have left; test the meter against a measured draw, "
                "or change it.");

    wr_text(zh, "疑似慢走：约自");
    say_date(zh, p->zone, v->onset_s);
    wr_text(zh, "起，日计量由");
    say_volume(zh, verdict_value(v, "use_before_lpd"));
    wr_text(zh, "降至");
    say_volume(zh, verdict_value(v, "use_since_lpd"));
    if (a_month)
        wr_format(zh, "，逐月为上月的%lld%%，每次用水只计到原来的约%lld%%，似逐渐磨损",
                  (long long)a_month, (long long)size);
    else if (trickles)
        wr_format(zh, "，仅有细流的小时只剩%lld%%，其余未变，或小流量不起步，或滴漏已修",
                  (long long)trickles);
    else if (hours < 61 && size > 80)
        wr_format(zh, "，有用水的小时只剩%lld%%，似齿轮磨损时走时停", (long long)hours);
    else
        wr_format(zh, "，每次用水只计到原来的约%lld%%", (long long)size);
    wr_text(zh, "；预计每月少计");
    say_volume(zh, month);
    wr_text(zh, "±");
    say_volume(zh, apart);
    wr_text(zh, "。请询问住户人数是否减少，现场比对或换表。");
}

const struct detector detector_slow = {
    .flag = "slow",
    .replace = true,
    .look = slow_look,
    .explain = slow_explain,
};
