/* silent (失联): a fitted meter says nothing for longer than it ever does (silent.h has the limits and their source).
 *
 *   from     the arrival of its last report, or when it was fitted or taken into use again, if that is later
 *   raised   when the silence has lasted three of its own periods, at least 25 hours
 *   worse    at 3, 7, 14 and 21 days, once that is longer than two and a half of its own longest pause; a large user's is a level worse
 *   cleared  with the arrival of its next report
 *   none     of a meter that was never heard (it is read by hand, or waits for its radio); while it is suspended; while its radio cell is out (outage.c): what had been told by then is
 *            marked as a part of that, and who stays silent when the cell is back has a flag from then on
 *   surer    5 %, 20 %, 30 %, 80 % and 98 % at the five levels (bench_outage: how often a visit would find a dead meter); as a part of an outage 5 %
 *
 * It follows from arrivals and the clock and from no reading, so it judges no step: server/judge_silent.c makes its episodes. */
#include "server/detect/silent.h"

#include "server/detect/detect_priv.h"

#define LATE_LEAST_S (2 * HOUR_S)
#define SURE (SILENCE_LEVELS - 1)

static const uint32_t level_least_s[SILENCE_LEVELS] = { 0, 3 * DAY_S, 7 * DAY_S, 14 * DAY_S, 0 };
static const unsigned level_confidence[SILENCE_LEVELS] = { 5, 20, 30, 80, 98 };
static const enum severity level_severity[SILENCE_LEVELS] = { SEVERITY_LOW, SEVERITY_MEDIUM,
                                                              SEVERITY_HIGH, SEVERITY_HIGH,
                                                              SEVERITY_HIGH };

static uint32_t at_least(uint64_t value, uint64_t least)
{
    uint64_t v = value > least ? value : least;

    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

void silence_limits(uint32_t period_s, uint32_t longest_s, const struct detect_rules *rules,
                    struct silence_limits *out)
{
    const int64_t *value = (rules ? rules : &detect_rules_standing)->value;
    uint64_t period = period_s ? period_s : SILENCE_PERIOD_S;
    uint64_t least = (uint64_t)value[FIGURE_SILENT_periods] * period;

    out->late_s = at_least(period * 5 / 4, LATE_LEAST_S);
    out->later_s = at_least(period * 9 / 4, LATE_LEAST_S);
    for (unsigned i = 0; i < SILENCE_LEVELS; i++) {
        out->level_s[i] = at_least(least, level_least_s[i]);
        out->level_s[i] = at_least(out->level_s[i], (uint64_t)value[FIGURE_SILENT_hours] * HOUR_S);
        if (i > 0)
            out->level_s[i] = at_least(out->level_s[i], (uint64_t)longest_s * 5 / 2);
    }
    out->level_s[SURE] =
        at_least(out->level_s[SURE], (uint64_t)value[FIGURE_SILENT_sure_days] * DAY_S);
}

int64_t silence_ruled_s(const struct silence *s)
{
    struct silence_limits limits;

    silence_limits(s->period_s, s->longest_s, NULL, &limits);
    return s->from_s + limits.level_s[0];
}

int64_t silence_next_s(const struct silence *s)
{
    struct silence_limits limits;

    silence_limits(s->period_s, s->longest_s, s->rules, &limits);
    for (unsigned i = 0; i < SILENCE_LEVELS && !s->ended; i++)
        if (s->from_s + limits.level_s[i] > s->until_s)
            return s->from_s + limits.level_s[i];
    return 0;
}

bool silence_broken(const struct vitals *before, const struct vitals *now, struct hush *out)
{
    struct silence_limits limits;

    if (!before->position || now->position == before->position)
        return false;
    silence_limits(vitals_period_s(before), vitals_longest_s(before), NULL, &limits);
    if (now->arrival_s - before->arrival_s < limits.level_s[0])
        return false;
    *out = (struct hush){ .from_s = before->arrival_s,
                          .to_s = now->arrival_s,
                          .period_s = vitals_period_s(before),
                          .longest_s = vitals_longest_s(before),
                          .cell = before->cell };
    return true;
}

bool silence_judge(const struct silence *s, struct verdict *out)
{
    struct silence_limits limits;
    int64_t lasted_s = s->until_s - s->from_s, raised_s;
    unsigned level = 0;

    silence_limits(s->period_s, s->longest_s, s->rules, &limits);
    raised_s = s->from_s + limits.level_s[0];
    if (raised_s < s->not_before_s)
        raised_s = s->not_before_s;
    if (s->until_s < raised_s)
        return false;
    while (level + 1 < SILENCE_LEVELS && lasted_s >= limits.level_s[level + 1])
        level++;
    *out = (struct verdict){ .open = !s->ended,
                             .onset_s = s->from_s,
                             .raised_s = raised_s,
                             .cleared_s = s->ended ? s->until_s : 0,
                             .severity = level_severity[level],
                             .confidence_pct = level_confidence[level] };
    if (s->large)
        out->severity++;
    verdict_time(out, "last_heard_at", s->heard_s);
    verdict_number(out, "period_h",
                   (int64_t)(s->period_s ? s->period_s : SILENCE_PERIOD_S) * 1000 / HOUR_S);
    verdict_number(out, "limit_h", (int64_t)limits.level_s[0] * 1000 / HOUR_S);
    verdict_number(out, "longest_pause_h", (int64_t)s->longest_s * 1000 / HOUR_S);
    if (s->cell)
        verdict_number(out, "cell", (int64_t)s->cell * 1000);
    if (s->outage_s) {
        out->severity = SEVERITY_LOW;
        out->confidence_pct = level_confidence[0];
        verdict_time(out, "outage_since", s->outage_s);
    }
    return true;
}

static void silent_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                           struct wr *zh)
{
    int64_t period_s = verdict_value(v, "period_h") * HOUR_S / 1000;
    int64_t outage_s = verdict_value(v, "outage_since");

    wr_text(en, "Nothing was heard of this meter since ");
    say_minute(en, p->zone, verdict_value(v, "last_heard_at"));
    wr_text(en, "; it used to report every ");
    say_span(en, period_s, false);
    wr_text(zh, "该表自");
    say_minute(zh, p->zone, verdict_value(v, "last_heard_at"));
    wr_text(zh, "起无任何上报，平时每");
    say_span(zh, period_s, true);
    if (outage_s) {
        wr_text(en, ". Most meters of its radio cell are silent since ");
        say_minute(en, p->zone, outage_s);
        wr_text(en, ": it is a part of that outage, do not go to the meter.");
        wr_text(zh, "上报一次。其所在基站或网关自");
        say_minute(zh, p->zone, outage_s);
        wr_text(zh, "起大面积失联，属同一故障，不必上门。");
        return;
    }
    wr_text(en,
            ". No outage is known that would explain it: read the dial, look at battery, antenna "
            "and whether it is still there.");
    wr_text(zh,
            "上报一次，未发现可解释的基站或网关故障。请上门抄表，并检查电池、天线及水表是否在位。");
}

const struct detector detector_silent = {
    .flag = "silent",
    .explain = silent_explain,
};
