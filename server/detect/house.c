/* What flags say of meters that are looked at as a house (balance.h, swapped.h): the verdicts, and the sentences.
 *
 *   swapped   medium; by hands sure by how often such a pair is one in the bench (test seeds): 90 %; by a valve that was shut 70 %, by a vacant flat 60 %, which are ours: nobody has such days in numbers; nothing is lost, but two accounts pay each other's water
 *   slow      behind a building's meter: what is lost, with its interval, from the balance */
#include "server/detect/house.h"

#include <math.h>

#define SWAPPED_CONFIDENCE 90
#define SHUT_CONFIDENCE 70
#define VACANT_CONFIDENCE 60
#define STEP_CONFIDENCE 90
#define LEVEL_CONFIDENCE 70
#define WEAK_Z 6 /* of a step: below it less sure */
#define WEAK_CONFIDENCE 80

static int64_t thousandths(double x)
{
    return llround(x * 1000);
}

void house_swapped_verdict(const struct swapped_finding *f, bool first, uint32_t other,
                           struct verdict *out)
{
    *out = (struct verdict){ .open = !f->cleared_s,
                             .onset_s = f->onset_s,
                             .raised_s = f->raised_s,
                             .cleared_s = f->cleared_s,
                             .severity = SEVERITY_MEDIUM,
                             .confidence_pct = f->vacant_days ? VACANT_CONFIDENCE
                                               : f->shut_days ? SHUT_CONFIDENCE
                                                              : SWAPPED_CONFIDENCE };
    verdict_meter(out, "other_meter", other);
    verdict_number(out, "use_before_lpd",
                   thousandths(first ? f->first_before_lpd : f->second_before_lpd));
    verdict_number(out, "use_since_lpd",
                   thousandths(first ? f->first_after_lpd : f->second_after_lpd));
    verdict_number(out, "other_before_lpd",
                   thousandths(first ? f->second_before_lpd : f->first_before_lpd));
    verdict_number(out, "other_since_lpd",
                   thousandths(first ? f->second_after_lpd : f->first_after_lpd));
    if (f->vacant_days || f->shut_days) {
        verdict_number(out, f->shut_days ? "shut_days" : "vacant_days",
                       (int64_t)(f->shut_days + f->vacant_days) * 1000);
        verdict_number(out, "own_flat_idle", first != f->second_idle ? 1000 : 0);
        return;
    }
    verdict_number(out, "score", thousandths(f->score));
    verdict_number(out, "weeks_before", (int64_t)f->weeks_before * 1000);
    verdict_number(out, "weeks_since", (int64_t)f->weeks_after * 1000);
}

void house_slow_verdict(const struct balance_finding *f, uint32_t building, struct verdict *out)
{
    *out = (struct verdict){ .open = !f->cleared_s,
                             .onset_s = f->onset_s,
                             .raised_s = f->raised_s,
                             .cleared_s = f->cleared_s,
                             .lost_mlpd = thousandths(f->lost_lpd),
                             .lost_low_mlpd = thousandths(f->lost_low_lpd),
                             .lost_high_mlpd = thousandths(f->lost_high_lpd),
                             .confidence_pct = !f->stepped     ? LEVEL_CONFIDENCE
                                               : f->z < WEAK_Z ? WEAK_CONFIDENCE
                                                               : STEP_CONFIDENCE };
    out->severity = severity_of_loss(out->lost_mlpd);
    verdict_meter(out, "building_meter", building);
    verdict_number(out, "missed_pct", thousandths(100 * f->share));
    verdict_number(out, "missed_low_pct", thousandths(100 * f->share_low));
    verdict_number(out, "missed_high_pct", thousandths(100 * f->share_high));
    verdict_number(out, "ratio_before", thousandths(f->before));
    verdict_number(out, "ratio_since", thousandths(f->after));
    verdict_number(out, "standard_errors", thousandths(f->z));
    verdict_number(out, "meters", (int64_t)f->children * 1000);
    verdict_number(out, "weeks", (int64_t)f->weeks * 1000);
    verdict_number(out, "between_meters_lph", thousandths(f->loss_lph));
}

bool is_slow_in_house(const struct verdict *v)
{
    return verdict_value(v, "building_meter") != 0;
}

static const char *other_of(const struct judge_place *p)
{
    return p->other ? p->other->serial : "?";
}

void house_slow_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                        struct wr *zh)
{
    int64_t share = verdict_value(v, "missed_pct") / 1000;
    int64_t low = verdict_value(v, "missed_low_pct") / 1000;
    int64_t high = verdict_value(v, "missed_high_pct") / 1000;

    wr_text(en, "Suspect: since ");
    say_date(en, p->zone, v->onset_s);
    wr_format(en,
              " this meter counts some %d %% (%d to %d %%) less than runs through it by the "
              "building's meter %s: about ",
              (int)share, (int)low, (int)high, other_of(p));
    say_volume(en, v->lost_mlpd * 30);
    wr_text(en, " a month. Test it on site at low and at usual flow, or change it.");
    wr_format(zh, "疑似慢走：与楼栋总表 %s 比对，自", other_of(p));
    say_date(zh, p->zone, v->onset_s);
    wr_format(zh, "起本表少计约 %d%%（%d%%–%d%%），每月约", (int)share, (int)low, (int)high);
    say_volume(zh, v->lost_mlpd * 30);
    wr_text(zh, "。请现场以小流量和常用流量检测，或换表。");
}

/* By days on which nothing was to be used in one of the two flats. */
static void idle_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                         struct wr *zh)
{
    bool own = verdict_value(v, "own_flat_idle") != 0, shut = verdict_value(v, "shut_days") != 0;
    int days = (int)((verdict_value(v, "shut_days") + verdict_value(v, "vacant_days")) / 1000);

    wr_text(en, "Suspect: from ");
    say_date(en, p->zone, v->onset_s);
    wr_text(zh, "疑似串户：自");
    say_date(zh, p->zone, v->onset_s);
    if (own) {
        wr_format(
            en,
            " on, for %d days, %s, and it turned; meter %s of the same building stood instead. ",
            days,
            shut ? "this meter's valve was shut" : "nobody was to use water through this meter",
            other_of(p));
        wr_format(zh, "起%d天，%s，但本表走字，而同楼水表 %s 停走。", days,
                  shut ? "本表阀门已关" : "本户应无用水", other_of(p));
    } else {
        wr_format(en,
                  " on this meter stood for %d days, as never before, while meter %s of the same "
                  "building turned, %s. ",
                  days, other_of(p),
                  shut ? "whose valve was shut" : "through which nobody was to use water");
        wr_format(zh, "起%d天，本表停走，而同楼水表 %s %s却走字。", days, other_of(p),
                  shut ? "阀门已关" : "应无用水");
    }
    wr_text(en, "Shut the valve of one flat and see which meter stops; if they are crossed, put "
                "the accounts right.");
    wr_text(zh, "请关闭其中一户阀门，查看哪只表停走；如属串户，更正户表对应关系。");
}

static void swapped_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                            struct wr *zh)
{
    if (verdict_value(v, "shut_days") || verdict_value(v, "vacant_days")) {
        idle_explain(v, p, en, zh);
        return;
    }
    wr_text(en, "Suspect: since ");
    say_date(en, p->zone, v->onset_s);
    wr_format(
        en,
        " this meter counts what meter %s of the same building counted before, by volume and "
        "hours of the day, and that one what this one did. Shut the valve of one flat and see "
        "which meter stops; if they are crossed, put the accounts right.",
        other_of(p));
    wr_text(zh, "疑似串户：自");
    say_date(zh, p->zone, v->onset_s);
    wr_format(
        zh,
        "起，本表与同楼水表 %s "
        "的用水量和用水时段互换。请关闭其中一户阀门，查看哪只表停走；如属串户，更正户表对应关系。",
        other_of(p));
}

const struct detector detector_swapped = {
    .flag = "swapped",
    .explain = swapped_explain,
};
