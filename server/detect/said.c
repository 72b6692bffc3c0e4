#include "server/detect/said.h"

#include "server/detect/detect_priv.h"

static const struct {
    const struct detector *detector;
    bool (*judge)(const struct said *s, struct verdict *out);
    enum detect_figure limit;
} kinds[PAST_KINDS] = {
    [PAST_TAMPER] = { &detector_tamper, tamper_judge, FIGURE_TAMPER_reports },
    [PAST_CLOCK] = { &detector_clock, clock_judge, FIGURE_CLOCK_offset_min },
    [PAST_BATTERY] = { &detector_battery, battery_judge, FIGURE_BATTERY_ahead_months },
};

const struct detector *said_detector(enum past_kind k)
{
    return kinds[k].detector;
}

bool said_judge(enum past_kind k, const struct said *s, struct verdict *out)
{
    return kinds[k].judge(s, out);
}

bool said_times(const struct said *s, enum past_kind k, struct verdict *out)
{
    const struct past_span *p = s->span;
    int64_t told_s = past_raised(k, p, said_figure(s, kinds[k].limit));
    int64_t raised_s = told_s > s->from_s ? told_s : s->from_s;
    int64_t onset_s = p->from_s > s->from_s ? p->from_s : s->from_s;
    bool gone = s->to_s != FITTING_OPEN;

    /* seen_s: what is over before the fitting begins, told of it after its end, is another one's */
    if (!told_s || p->seen_s < s->from_s || raised_s > s->to_s)
        return false;
    *out = (struct verdict){ .open = !p->ended && !gone,
                             .onset_s = onset_s < raised_s ? onset_s : raised_s,
                             .raised_s = raised_s };
    if (p->ended)
        out->cleared_s = p->quiet_s;
    if (gone && (!p->ended || out->cleared_s > s->to_s))
        out->cleared_s = s->to_s;
    if (!out->open && out->cleared_s < raised_s)
        out->cleared_s = raised_s;
    return true;
}
