/* battery (电池): it is running out, and the meter will fall silent.
 *
 *   raised   with the second sample (one each two days) whose level is within a tenth of the full one of the end, or whose fall brings it
 *            there within 4 times 30 days (ahead_months; at least 120 mV below full, 2 mV a day); or with the second report that says that it is low
 *   end      0.7 of the full level, the highest that it ever had: 2.5 V of 3.6
 *   empty_at where the line from the mean of the oldest three of twelve samples to that of the newest three meets the end
 *   severity high where that is at most 30 days off (soon_days); else medium
 *   cleared  after 7 days that say nothing of the kind: it was changed
 *
 * Figures: rules.def. Source: handbook of the fleet, §6.5 (slope of the voltage); that seasons move a cell by less than 120 mV is ours. */
#include "server/detect/said.h"

#include "server/detect/detect_priv.h"

bool battery_judge(const struct said *s, struct verdict *out)
{
    const struct past_span *p = s->span;
    int64_t soon_s = said_figure(s, FIGURE_BATTERY_soon_days) * DAY_S;
    bool low = p->bits & STATUS_BATTERY_LOW, soon;
    int32_t end_mv = s->past->full_mv * 7 / 10;
    bool at_end = p->value && p->value <= end_mv + s->past->full_mv / 10;

    if (!said_times(s, PAST_BATTERY, out))
        return false;
    soon = (p->until_s && p->until_s < p->seen_s + soon_s) || (p->value && p->value <= end_mv);
    out->severity = soon ? SEVERITY_HIGH : SEVERITY_MEDIUM;
    out->confidence_pct = low || at_end ? 95 : p->reports >= 4 ? 90 : 80;
    verdict_number(out, "level_mv", (int64_t)p->value * 1000);
    verdict_number(out, "full_mv", (int64_t)s->past->full_mv * 1000);
    verdict_number(out, "end_mv", (int64_t)end_mv * 1000);
    verdict_number(out, "ahead_limit_days", said_figure(s, FIGURE_BATTERY_ahead_months) * 30000);
    verdict_number(out, "fall_mv_per_day", p->rate < 0 ? -(int64_t)p->rate : 0);
    verdict_number(out, "battery_low", low ? 1000 : 0);
    if (p->until_s)
        verdict_time(out, "empty_at", p->until_s);
    verdict_time(out, "seen_at", p->seen_s);
    return true;
}

static void battery_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                            struct wr *zh)
{
    int64_t level = verdict_value(v, "level_mv") / 1000;
    int64_t empty_s = verdict_value(v, "empty_at"),
            fall = verdict_value(v, "fall_mv_per_day") / 1000;

    wr_text(en, verdict_value(v, "battery_low") > 0 ? "The meter says that its battery is low"
                                                    : "The battery is running out");
    wr_text(zh, verdict_value(v, "battery_low") > 0 ? "水表报告电池电量低" : "电池即将耗尽");
    if (level) {
        wr_format(en, ": %lld mV", (long long)level);
        wr_format(zh, "：%lld毫伏", (long long)level);
    }
    if (fall > 0) {
        wr_format(en, ", %lld mV less each day", (long long)fall);
        wr_format(zh, "，每天下降%lld毫伏", (long long)fall);
    }
    wr_text(en, ". Change battery or meter");
    wr_text(zh, "。请更换电池或水表");
    if (empty_s) {
        wr_text(en, " before ");
        say_date(en, p->zone, empty_s);
        wr_text(zh, "，最迟");
        say_date(zh, p->zone, empty_s);
    }
    wr_text(en, ", or it falls silent.");
    wr_text(zh, "，否则将失联。");
}

const struct detector detector_battery = {
    .flag = "battery",
    .explain = battery_explain,
};
