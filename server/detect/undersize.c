/* undersize: more flows than the meter is made for; it wears out fast.
 *
 *   raised   over a year (300 whole days of the last 420): homes: mean use above 2 % of Q3, and the hundredth largest hour above 4 % of what Q3 gives in an
 *            hour; others: the hundredth largest hour above 30 %
 *   cleared  when the hundredth largest hour is below two thirds of that, or the meter is changed
 *   lost     0
 *
 * Source: handbook §1.6 (hours above Q3).  No hour's mean reaches Q3 where the flow of minutes does: draws of many homes that fall together
 * are five to ten times their hour's mean, a kitchen's three times; so the bounds lie below 1.  What minutes would show, hours
 * cannot: most of the meters that are too small by two sizes (tools/bench detect) have hours like sound ones. */
#include "server/detect/detect_priv.h"
#include "server/detect/monthly.h"

#define DAYS_LEAST 300
#define NTH UNDERSIZE_NTH
#define CLEARS 0.67

_Static_assert(NTH <= TOP_HOURS, "as many are kept");

static bool undersize_look(const struct judge_place *p, const struct day_span *days,
                           const struct verdict *open, struct verdict *out)
{
    bool homes = p->point->use == USE_RESIDENTIAL || p->point->use == USE_UNKNOWN;
    double q3_ml = (double)p->meter->q3_lph * 1000,
           share = (double)place_figure(p, homes ? FIGURE_UNDERSIZE_home_hour_share
                                                 : FIGURE_UNDERSIZE_hour_share) /
                   1000,
           mean = homes ? (double)place_figure(p, FIGURE_UNDERSIZE_home_mean_share) / 1000
                        : undersize_mean(share),
           bound = share * q3_ml, peak;
    struct hours_top top;

    if (q3_ml <= 0 || !days_are_recent(days))
        return false;
    if (!open && days_mean_mlpd(days) < mean * q3_ml * 24)
        return false;
    hours_rank(days, 0, &top);
    peak = top.ml[NTH - 1];
    if (open) {
        if (peak >= CLEARS * bound)
            return false;
        *out = *open;
        out->open = false;
        out->cleared_s = days->at[days->count - 1].last_s;
        return true;
    }
    if (top.days < DAYS_LEAST || peak < bound || (homes && top.mean_mlpd < mean * q3_ml * 24))
        return false;
    *out = (struct verdict){ .open = true,
                             .onset_s = day_midnight_s(p->zone, days->at[0].day),
                             .raised_s = days->at[days->count - 1].last_s,
                             .severity = SEVERITY_LOW,
                             .confidence_pct = 80 };
    verdict_number(out, "days_known", top.days * 1000LL);
    verdict_number(out, "q3_lph", p->meter->q3_lph * 1000);
    verdict_number(out, "peak_lph", (int64_t)peak);
    verdict_number(out, "peak_share_pct", (int64_t)(100000 * peak / q3_ml));
    verdict_number(out, "use_before_lpd", (int64_t)top.mean_mlpd);
    return true;
}

static void undersize_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                              struct wr *zh)
{
    (void)p;
    wr_format(en, "This meter is made for %lld L an hour; a hundred hours of a year had ",
              (long long)(verdict_value(v, "q3_lph") / 1000));
    say_volume(en, verdict_value(v, "peak_lph"));
    wr_text(en, " and more, so its flow must often be above that for minutes: it wears out fast. "
                "Fit a larger one.");
    wr_format(zh, "该表常用流量%lld L/h，一年中有一百个小时用水达",
              (long long)(verdict_value(v, "q3_lph") / 1000));
    say_volume(zh, verdict_value(v, "peak_lph"));
    wr_text(zh, "以上，瞬时流量常超过常用流量，磨损快，宜改用大口径。");
}

const struct detector detector_undersize = {
    .flag = "undersize",
    .look = undersize_look,
    .explain = undersize_explain,
};
