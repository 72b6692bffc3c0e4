/* tamper (干扰): the meter says that something interferes with it: a magnet, a cut or tilt, an empty pipe.
 *
 *   raised   with the third report (reports) that says so, each within 7 days of the one before: a loose contact says so now and then
 *   use      of the four weeks before, and of the time from the first such report to the newest, at most the last four weeks of it: where less than 0.7 (left_share) of at
 *            least 20 L a day (use_least_lpd) are left, something was gained by it, and what is missing is the loss (± 30 %)
 *   severity high with such a loss; low where the pipe was empty and nothing else; else medium
 *   cleared  after 14 days of reports without any
 *
 * Figures: rules.def. Source: handbook of the fleet, §6.5; limits ours. */
#include "server/detect/said.h"

#include "server/detect/detect_priv.h"

bool tamper_judge(const struct said *s, struct verdict *out)
{
    const struct past_span *p = s->span;
    bool only_dry = (p->bits & PAST_TAMPER_BITS) == STATUS_DRY;
    bool gained = s->use_known && s->before_mlpd >= said_figure(s, FIGURE_TAMPER_use_least_lpd) &&
                  s->during_mlpd < s->before_mlpd / 1000 * said_figure(s, FIGURE_TAMPER_left_share);

    if (!said_times(s, PAST_TAMPER, out))
        return false;
    out->severity = gained ? SEVERITY_HIGH : only_dry ? SEVERITY_LOW : SEVERITY_MEDIUM;
    if (gained) {
        out->lost_mlpd = s->before_mlpd - s->during_mlpd;
        out->lost_low_mlpd = out->lost_mlpd * 7 / 10;
        out->lost_high_mlpd = out->lost_mlpd * 13 / 10;
    }
    out->confidence_pct = gained ? 95 : only_dry ? 65 : p->reports >= 4 ? 90 : 80;
    verdict_number(out, "magnet", p->bits & STATUS_MAGNET ? 1000 : 0);
    verdict_number(out, "tamper", p->bits & STATUS_TAMPER ? 1000 : 0);
    verdict_number(out, "dry", p->bits & STATUS_DRY ? 1000 : 0);
    verdict_number(out, "reports", (int64_t)p->reports * 1000);
    verdict_number(out, "reports_limit", said_figure(s, FIGURE_TAMPER_reports) * 1000);
    if (s->use_known) {
        verdict_number(out, "use_before_lpd", s->before_mlpd);
        verdict_number(out, "use_during_lpd", s->during_mlpd);
    }
    verdict_time(out, "seen_at", p->seen_s);
    return true;
}

static void tamper_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                           struct wr *zh)
{
    bool magnet = verdict_value(v, "magnet") > 0, tamper = verdict_value(v, "tamper") > 0;
    bool dry = verdict_value(v, "dry") > 0;

    wr_text(en, "The meter reported ");
    wr_text(en, magnet ? "a magnet" : "");
    wr_text(en, magnet && tamper ? " and " : "");
    wr_text(en, tamper ? "tampering (cut, tilted or opened)" : "");
    wr_text(en, (magnet || tamper) && dry ? " and " : "");
    wr_text(en, dry ? "an empty pipe" : "");
    wr_format(en, " %lld times since ", (long long)(verdict_value(v, "reports") / 1000));
    say_minute(en, p->zone, v->onset_s);
    if (v->lost_mlpd > 0) {
        wr_text(en, "; use fell from ");
        say_volume(en, verdict_value(v, "use_before_lpd"));
        wr_text(en, " to ");
        say_volume(en, verdict_value(v, "use_during_lpd"));
        wr_text(en, " a day");
    }
    wr_text(en, magnet || tamper
                    ? ". Look at the meter and its seals, unannounced."
                    : ". Look whether the pipe has water and the meter sits below it.");

    wr_text(zh, "水表自");
    say_minute(zh, p->zone, v->onset_s);
    wr_text(zh, "起报告");
    wr_text(zh, magnet ? "强磁" : "");
    wr_text(zh, magnet && tamper ? "、" : "");
    wr_text(zh, tamper ? "拆动（断线、倾斜或开盖）" : "");
    wr_text(zh, (magnet || tamper) && dry ? "、" : "");
    wr_text(zh, dry ? "空管" : "");
    wr_format(zh, "%lld次", (long long)(verdict_value(v, "reports") / 1000));
    if (v->lost_mlpd > 0) {
        wr_text(zh, "，日用水由");
        say_volume(zh, verdict_value(v, "use_before_lpd"));
        wr_text(zh, "降至");
        say_volume(zh, verdict_value(v, "use_during_lpd"));
    }
    wr_text(zh,
            magnet || tamper ? "。请突击检查水表及铅封。" : "。请检查管内是否有水、水表安装位置。");
}

const struct detector detector_tamper = {
    .flag = "tamper",
    .explain = tamper_explain,
};
