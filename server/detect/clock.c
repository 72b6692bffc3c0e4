/* clock (时钟): the meter's clock is wrong, so the times of its readings are.
 *
 *   raised   when the least of the last four offsets (meter's clock − arrival), all of one sign, is beyond 2 minutes (offset_min), or two reports say that it
 *            was lost
 *   severity medium from 15 minutes on (bad_min), or where it lost it: readings stand in a wrong hour; else low
 *   onset    of one that jumped the first report that said so; of one that runs off when the line through its offsets was at 0
 *   cleared  when the median of the last seven has been within 60 s for two days
 *
 * Figures: rules.def. Source: handbook of the fleet, §4.3. */
#include "server/detect/said.h"

#include "server/detect/detect_priv.h"

bool clock_judge(const struct said *s, struct verdict *out)
{
    const struct past_span *p = s->span;
    int64_t bad_s = said_figure(s, FIGURE_CLOCK_bad_min) * 60;
    int64_t off_s = p->worst < 0 ? -(int64_t)p->worst : p->worst;
    bool lost = p->bits & STATUS_CLOCK_LOST;

    if (!said_times(s, PAST_CLOCK, out))
        return false;
    out->severity = off_s > bad_s || lost ? SEVERITY_MEDIUM : SEVERITY_LOW;
    out->confidence_pct = off_s > bad_s ? 95 : lost ? 80 : p->reports >= 3 ? 90 : 85;
    verdict_number(out, "offset_s", (int64_t)p->value * 1000);
    verdict_number(out, "worst_offset_s", (int64_t)p->worst * 1000);
    verdict_number(out, "limit_s", said_figure(s, FIGURE_CLOCK_offset_min) * 60000);
    verdict_number(out, "drift_s_per_day", p->rate);
    verdict_number(out, "clock_lost", lost ? 1000 : 0);
    verdict_time(out, "seen_at", p->seen_s);
    return true;
}

/* "95 s", "14 min", "27 h" */
static void say_off(struct wr *w, int64_t s, bool zh)
{
    if (s < 180)
        wr_format(w, zh ? "%lld秒" : "%lld s", (long long)s);
    else if (s < 7200)
        wr_format(w, zh ? "%lld分钟" : "%lld min", (long long)((s + 30) / 60));
    else if (s < 3 * DAY_S)
        wr_format(w, zh ? "%lld小时" : "%lld h", (long long)((s + 1800) / 3600));
    else
        wr_format(w, zh ? "%lld天" : "%lld days", (long long)((s + DAY_S / 2) / DAY_S));
}

static void clock_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                          struct wr *zh)
{
    int64_t off_s = verdict_value(v, "offset_s") / 1000;
    int64_t drift = verdict_value(v, "drift_s_per_day") / 1000;
    bool lost = verdict_value(v, "clock_lost") > 0;

    if (off_s) {
        wr_text(en, "The meter's clock is ");
        say_off(en, off_s < 0 ? -off_s : off_s, false);
        wr_text(en, off_s < 0 ? " slow" : " fast");
        wr_text(zh, "表内时钟");
        wr_text(zh, off_s < 0 ? "慢" : "快");
        say_off(zh, off_s < 0 ? -off_s : off_s, true);
    } else {
        wr_text(en, "The meter says that it lost its clock");
        wr_text(zh, "水表报告时钟丢失");
    }
    if (drift && off_s) {
        wr_format(en, ", %lld s more each day", (long long)(drift < 0 ? -drift : drift));
        wr_format(zh, "，每天偏%lld秒", (long long)(drift < 0 ? -drift : drift));
    }
    if (lost && off_s) {
        wr_text(en, "; it says that it lost its time");
        wr_text(zh, "，并报告时钟丢失");
    }
    wr_text(en, ", since ");
    say_minute(en, p->zone, v->onset_s);
    wr_text(en,
            ": set it by command (clock); if it runs off again, the electronics must be changed.");
    wr_text(zh, "，始于");
    say_minute(zh, p->zone, v->onset_s);
    wr_text(zh, "：请下发对时命令；若再次偏走，须更换电子部分。");
}

const struct detector detector_clock = {
    .flag = "clock",
    .explain = clock_explain,
};
