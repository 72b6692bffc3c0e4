/* fast: the meter registers more than flows; slow (slow.c) with the other sign.
 *
 *   raised   draws show as larger ones by 13 % and more since a day 20 to 110 days back, against all days before and against the busiest
 *            quarter of them; use rose as much; hours have use as often as before; on 30 days with people at home,  at a household's meter with pulses of 1 L or finer
 *   not      where a run of 5 days without use lies between before and since; where water runs without a pause now
 *   cleared  the last 28 days have draws and use within 6 % of those before
 *   lost     0: what is billed too much is the customer's loss
 *
 * Twenty per cent sure, which no crew is sent for: of simulated flags one in ten is right, of those on real homes seven. Below 13 % nothing tells a fast meter from a new shower head.  What no pipe could carry never gets here: track.c takes it for a wild
 * value.  Source: handbook §6.3; bounds measured with tools/bench detect. */
#include "server/detect/detect_priv.h"
#include "server/detect/draws.h"
#include "server/detect/peers.h"

#include <math.h>

#define AS_OFTEN_LN 0.1
#define ALIKE_LN 0.12
#define ODDS_LEAST 5
#define FINE_ML 1000
#define LEAK_SHARE 0.3 /* of what is used more, that flows without a pause */
#define CLEAR_LN 0.06
#define CLEAR_DAYS 28

/* Days without people, and with them, are within the bounds by which it was looked for. */
static bool is_fast(const struct draws_change *c, double larger_ln)
{
    return c->floor_share < LEAK_SHARE && c->size_ln >= larger_ln && c->quiet_ln >= larger_ln &&
           c->quiet_odds > ODDS_LEAST && c->volume_ln > larger_ln + 0.02 &&
           c->apart_ln > larger_ln - 0.1 && c->large_ln > 0.7 * larger_ln &&
           c->elsewhere_ln > 0.7 * larger_ln && fabs(c->often_ln) < AS_OFTEN_LN &&
           fabs(c->volume_ln - c->size_ln) < ALIKE_LN;
}

static bool fast_look(const struct judge_place *p, const struct day_span *days,
                      const struct verdict *open, struct verdict *out)
{
    double larger_ln = log(1 + (double)place_figure(p, FIGURE_FAST_share_least) / 1000);
    struct draws_bounds bounds = { 1, larger_ln + 0.02, larger_ln - 0.1,
                                   (unsigned)place_figure(p, FIGURE_FAST_since_days),
                                   (unsigned)place_figure(p, FIGURE_FAST_empty_days) };
    struct draws_change c;

    if (!place_is_household(p) || p->meter->resolution_ml > FINE_ML)
        return false;
    if (!days_are_recent(days))
        return false;
    if (open) {
        if (!draws_since(p, days, (int32_t)zone_day_number(p->zone, open->onset_s), CLEAR_DAYS,
                         &c) ||
            c.volume_ln > CLEAR_LN || c.size_ln > CLEAR_LN)
            return false;
        *out = *open;
        out->open = false;
        out->cleared_s = days->at[days->count - 1].last_s;
        return true;
    }
    if (fabs(peers_lately_ln(p->peers)) > PEERS_MOVE_LN)
        return false;
    if (!draws_compare(p, days, &bounds, &c) || !is_fast(&c, larger_ln))
        return false;
    *out = (struct verdict){ .open = true,
                             .onset_s = day_midnight_s(p->zone, c.day),
                             .raised_s = days->at[days->count - 1].last_s,
                             .severity = SEVERITY_LOW,
                             .confidence_pct = 20 };
    verdict_time(out, "changed_at", out->onset_s);
    verdict_number(out, "use_before_lpd", (int64_t)c.before_mlpd);
    verdict_number(out, "use_since_lpd", (int64_t)c.after_mlpd);
    verdict_number(out, "draw_size_pct", (int64_t)(100000 * exp(c.size_ln)));
    verdict_number(out, "hours_with_use_pct", (int64_t)(100000 * exp(c.often_ln)));
    verdict_number(out, "days_before", c.before_days * 1000LL);
    verdict_number(out, "days_since", c.after_days * 1000LL);
    return true;
}

static void fast_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                         struct wr *zh)
{
    long long size = (verdict_value(v, "draw_size_pct") + 500) / 1000;

    wr_text(en, "Suspect: since about ");
    say_date(en, p->zone, v->onset_s);
    wr_format(en, " each draw shows as about %lld %% of what it was, ", size);
    say_volume(en, verdict_value(v, "use_since_lpd"));
    wr_text(en, " a day instead of ");
    say_volume(en, verdict_value(v, "use_before_lpd"));
    wr_text(en, ", as if the meter ran fast. Test it against a measured draw before the customer "
                "is billed.");
    wr_text(zh, "疑似快走：约自");
    say_date(zh, p->zone, v->onset_s);
    wr_format(zh, "起，每次用水计到原来的约%lld%%，日计量由", size);
    say_volume(zh, verdict_value(v, "use_before_lpd"));
    wr_text(zh, "升至");
    say_volume(zh, verdict_value(v, "use_since_lpd"));
    wr_text(zh, "。请现场比对后再计费。");
}

const struct detector detector_fast = {
    .flag = "fast",
    .replace = true,
    .look = fast_look,
    .explain = fast_explain,
};
