/* oversize: the right meter, the wrong size: what is used lies where it counts badly.
 *
 *   raised   over a year (300 whole days of the last 420), DN32 to DN50: the tenth largest hour below 3 % of what Q3 gives in an hour, and four
 *            fifths of all use in hours below 1.6 % of Q3, which is Q2 at R = 100
 *   not      DN25 and less, for which nothing smaller is worth a visit; above DN50, for such meters are sized for a fire
 *   cleared  when the tenth largest hour is above 5 %, or the meter is changed
 *   lost     0: how much a meter misses below Q2 is its own affair, and not known
 *
 * Source: handbook §1.6 (share below Q2; peak below 0.2 Q3 for a year).  An hour's mean is not the peak within it: a home's peak of 1 to 2 m³/h
 * stands in hours of 0.1 to 0.4 m³, so that 0.2 Q3 becomes 0.03 Q3; measured with tools/bench detect. */
#include "server/detect/daily.h"
#include "server/detect/detect_priv.h"

#define DAYS_LEAST 300
#define DN_LEAST 32
#define DN_MOST 50
#define PEAK_NTH 10
#define PEAK_CLEARS 1.67 /* times that share */

static bool oversize_look(const struct judge_place *p, const struct day_span *days,
                          const struct verdict *open, struct verdict *out)
{
    double q3_ml = (double)p->meter->q3_lph * 1000, peak;
    double share = (double)place_figure(p, FIGURE_OVERSIZE_peak_share) / 1000,
           low_flow = (double)place_figure(p, FIGURE_OVERSIZE_low_flow) / 1000,
           low_share = (double)place_figure(p, FIGURE_OVERSIZE_low_share) / 1000;
    struct hours_top top;

    if (p->meter->dn_mm < DN_LEAST || p->meter->dn_mm > DN_MOST || q3_ml <= 0 ||
        !days_are_recent(days))
        return false;
    hours_rank(days, (int64_t)(low_flow * q3_ml), &top);
    peak = top.ml[PEAK_NTH - 1];
    if (open) {
        if (peak < PEAK_CLEARS * share * q3_ml)
            return false;
        *out = *open;
        out->open = false;
        out->cleared_s = days->at[days->count - 1].last_s;
        return true;
    }
    if (top.days < DAYS_LEAST || peak <= 0 || peak >= share * q3_ml || top.low_share < low_share)
        return false;
    *out = (struct verdict){ .open = true,
                             .onset_s = day_midnight_s(p->zone, days->at[0].day),
                             .raised_s = days->at[days->count - 1].last_s,
                             .severity = SEVERITY_LOW,
                             .confidence_pct = 85 };
    verdict_number(out, "days_known", top.days * 1000LL);
    verdict_number(out, "q3_lph", p->meter->q3_lph * 1000);
    verdict_number(out, "peak_lph", (int64_t)peak);
    verdict_number(out, "peak_share_pct", (int64_t)(100000 * peak / q3_ml));
    verdict_number(out, "low_flow_pct", (int64_t)(100000 * top.low_share));
    return true;
}

static void oversize_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                             struct wr *zh)
{
    (void)p;
    wr_format(en, "This meter is made for %lld L an hour; in a year but ten hours had more than ",
              (long long)(verdict_value(v, "q3_lph") / 1000));
    say_volume(en, verdict_value(v, "peak_lph"));
    wr_format(en,
              ", and %lld %% of the water flows where such a meter counts badly. Fit a smaller one "
              "when it is next changed.",
              (long long)(verdict_value(v, "low_flow_pct") / 1000));
    wr_format(zh, "该表常用流量%lld L/h，一年中仅十个小时超过",
              (long long)(verdict_value(v, "q3_lph") / 1000));
    say_volume(zh, verdict_value(v, "peak_lph"));
    wr_format(zh, "，%lld%%的水量处于小流量区，计量不准。下次换表时宜改用小口径。",
              (long long)(verdict_value(v, "low_flow_pct") / 1000));
}

const struct detector detector_oversize = {
    .flag = "oversize",
    .look = oversize_look,
    .explain = oversize_explain,
};
