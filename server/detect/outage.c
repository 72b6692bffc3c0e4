/* outage: most meters of a radio cell or gateway are silent at one time: one thing to look at, and no meter's fault.
 *
 *   late     a meter that says nothing for one and a quarter of its own periods, at least 2 hours; in a cell of fewer than ten meters for two and a quarter (silent.h)
 *   raised   when more than half of the cell's meters are late, of at least three; of all meters there are more than half, of at least twenty: then the server's own way to them is what
 *            to look at, and no cell has an outage of its own
 *            and when chance would not do it once in 10 000 times: each meter is late by itself for the share of its time for which it was so in the last months, outages left out; of three meters with good radios
 *            all must be late, and of poor ones more than a handful
 *   onset    when the last of those that are late was heard
 *   cleared  when fewer than a third are late, as soon as that has lasted as long as they may be late: whoever is not back by then is silent by himself (silent.c)
 *   surer    90 % from ten meters on, else 75 %
 *
 * Dry: of a zone's meters that were read in the last two days, at least ten, nine of ten stand still for a day and more, and nine of ten of those stopped within 12 hours of each other: people do not, a closed valve
 * does.  Works and weekend homes do each week: so nine of ten of those that stand must have stood for longer than is their habit in the eight weeks before.  Since then nothing is to be expected of its meters (PAUSE_DRY); over when of ten that were read, or more, fewer than half stand still: after a start few are known at first; or when no meter is fitted in it any more. A shut-off of hours is not seen, and disturbs nobody. Surer: 80 %; the figures are ours.
 *
 * Meters that were taken off, are suspended, or were silent for a month before, do not count. It judges no step: server/hearing.c watches the clock, server/outages.c keeps its flags.
 * Source: handbook of the fleet, §6.5: cluster by cell and gateway before sending people; the figures are ours. */
#include "server/detect/silent.h"

#include "server/detect/detect_priv.h"

#include <string.h>

#define HABIT_PART 7

bool outage_is_one(uint32_t meters, uint32_t late, bool all)
{
    return meters >= (all ? OUTAGE_ALL_LEAST : OUTAGE_LEAST) && (uint64_t)late * 2 > meters;
}

/* room[k]: the chance of k of those seen so far; of `late` and more in the last place. */
double outage_chance(const double *share, uint32_t meters, uint32_t late, double *room)
{
    memset(room, 0, (late + 1) * sizeof *room);
    room[0] = 1;
    for (uint32_t i = 0; i < meters; i++) {
        double p = share[i];

        for (uint32_t k = late; k > 0; k--)
            room[k] = room[k] * (k < late ? 1 - p : 1) + room[k - 1] * p;
        if (late)
            room[0] *= 1 - p;
    }
    return room[late];
}

bool outage_is_over(uint32_t meters, uint32_t late)
{
    return meters == 0 || (uint64_t)late * 3 < meters;
}

uint32_t standing_habit_h(const uint32_t *pause_s, size_t count, int64_t span_s)
{
    static const uint32_t hours[] = { 24, 48, 96, 180, 336 };

    for (size_t n = 0; n < sizeof hours / sizeof hours[0]; n++) {
        int64_t filled_s = 0;

        for (size_t i = 0; i < count; i++)
            filled_s += pause_s[i] >= hours[n] * HOUR_S ? pause_s[i] : 0;
        if (filled_s * HABIT_PART <= span_s)
            return hours[n];
    }
    return DRY_NEVER;
}

bool dry_may_be(uint32_t meters, uint32_t still)
{
    return meters >= DRY_LEAST && (uint64_t)still * 10 >= (uint64_t)meters * 9;
}

bool dry_is_one(const struct dry_seen *s)
{
    return dry_may_be(s->meters, s->still) && (uint64_t)s->together * 10 >= (uint64_t)s->still * 9;
}

bool dry_is_over(const struct dry_seen *s)
{
    return s->meters >= DRY_LEAST && (uint64_t)s->still * 2 < s->meters;
}

static void dry_judge(const struct outage_seen *s, struct verdict *out)
{
    *out = (struct verdict){ .open = true,
                             .onset_s = s->onset_s,
                             .raised_s = s->raised_s,
                             .severity = s->late < OUTAGE_MANY ? SEVERITY_HIGH : SEVERITY_URGENT,
                             .confidence_pct = 80 };
    verdict_number(out, "zone", (int64_t)s->zone * 1000);
    verdict_number(out, "still", (int64_t)s->late * 1000);
    verdict_number(out, "meters", (int64_t)s->meters * 1000);
}

void outage_judge(const struct outage_seen *s, struct verdict *out)
{
    if (s->zone) {
        dry_judge(s, out);
        return;
    }
    *out = (struct verdict){ .open = true,
                             .onset_s = s->onset_s,
                             .raised_s = s->raised_s,
                             .severity = s->late < OUTAGE_FEW    ? SEVERITY_MEDIUM
                                         : s->late < OUTAGE_MANY ? SEVERITY_HIGH
                                                                 : SEVERITY_URGENT,
                             .confidence_pct = s->meters < OUTAGE_FEW ? 75 : 90 };
    verdict_number(out, "cell", (int64_t)s->cell * 1000);
    verdict_number(out, "silent", (int64_t)s->late * 1000);
    verdict_number(out, "meters", (int64_t)s->meters * 1000);
    verdict_time(out, "last_heard_at", s->onset_s);
}

static void dry_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                        struct wr *zh)
{
    long long still = verdict_value(v, "still") / 1000, meters = verdict_value(v, "meters") / 1000;

    wr_format(en, "%lld of the %lld meters of this zone stand still together since ", still,
              meters);
    say_minute(en, p->zone, v->onset_s);
    wr_text(en, ": the zone seems to be without water. Ask what was shut off; no meter is to be "
                "changed for it.");
    wr_text(zh, "自");
    say_minute(zh, p->zone, v->onset_s);
    wr_format(zh,
              "起，本分区%lld只表中有%lld只同时停走，疑似区域停水。请核实停水范围，不必逐表处理。",
              meters, still);
}

static void outage_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                           struct wr *zh)
{
    uint32_t cell = (uint32_t)(verdict_value(v, "cell") / 1000);
    long long silent = verdict_value(v, "silent") / 1000,
              meters = verdict_value(v, "meters") / 1000;

    if (verdict_value(v, "zone")) {
        dry_explain(v, p, en, zh);
        return;
    }
    if (!cell)
        wr_format(en, "%lld of all %lld meters are silent since ", silent, meters);
    else if (cell & CELL_GATEWAY)
        wr_format(en, "%lld of the %lld meters that gateway %08x heard are silent since ", silent,
                  meters, (unsigned)(cell & ~CELL_GATEWAY));
    else
        wr_format(en, "%lld of the %lld meters of radio cell %u are silent since ", silent, meters,
                  (unsigned)cell);
    say_minute(en, p->zone, v->onset_s);
    wr_text(en,
            !cell
                ? ": look at this server's own network and at the operator; send nobody to a meter."
            : cell & CELL_GATEWAY
                ? ": look at the gateway, its power and its network; send nobody to a meter."
                : ": ask the operator about this cell; send nobody to a meter.");
    wr_text(zh, "自");
    say_minute(zh, p->zone, v->onset_s);
    if (!cell)
        wr_format(zh,
                  "起，全部%lld只表中有%lld只失联。请检查本服务器网络及运营商线路，不必逐表上门。",
                  meters, silent);
    else if (cell & CELL_GATEWAY)
        wr_format(zh, "起，网关%08x下%lld只表中有%lld只失联。请检查网关电源和网络，不必逐表上门。",
                  (unsigned)(cell & ~CELL_GATEWAY), meters, silent);
    else
        wr_format(zh, "起，基站小区%u下%lld只表中有%lld只失联。请向运营商核实，不必逐表上门。",
                  (unsigned)cell, meters, silent);
}

const struct detector detector_outage = {
    .flag = "outage",
    .explain = outage_explain,
};
