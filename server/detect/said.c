#include "server/detect/said.h"

#include "server/detect/detect_priv.h"

static const struct {
    const struct detector *detector;
    bool (*judge)(const struct said *s, struct verdict *out);
} kinds[PAST_KINDS] = {
    [PAST_TAMPER] = { &detector_tamper, tamper_judge },
    [PAST_CLOCK] = { &detector_clock, clock_judge },
    [PAST_BATTERY] = { &detector_battery, battery_judge },
};

const struct detector *said_detector(enum past_kind k)
{
    return kinds[k].detector;
}

bool said_judge(enum past_kind k, const struct said *s, struct verdict *out)
{
    return kinds[k].judge(s, out);
}

bool said_times(const struct said *s, struct verdict *out)
{
    const struct past_span *p = s->span;
    int64_t raised_s = p->raised_s > s->from_s ? p->raised_s : s->from_s;
    int64_t onset_s = p->from_s > s->from_s ? p->from_s : s->from_s;
    bool gone = s->to_s != FITTING_OPEN;

    /* seen_s: what is over before the fitting begins, told of it after its end, is another one's */
    if (!p->raised_s || p->seen_s < s->from_s || raised_s > s->to_s)
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
