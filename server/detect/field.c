#include "server/detect/field.h"

#define MONTH_DAYS 30
#define SET(r) (1u << DETECT_##r)

/* By enum detect_rule. */
static const struct {
    enum field_act act, confirmed; /* confirmed: what is left to do once somebody has seen it */
    uint32_t explained_by;
} about[DETECT_RULES] = {
    [DETECT_STUCK] = { FIELD_ACT_INSPECT, FIELD_ACT_REPLACE, SET(UNMOVED) | SET(TAMPER) },
    [DETECT_LEAK] = { FIELD_ACT_INSPECT, FIELD_ACT_NONE, SET(BURST) },
    [DETECT_REVERSED] = { FIELD_ACT_INSPECT, FIELD_ACT_REPLACE, 0 },
    [DETECT_OVERDUE] = { FIELD_ACT_NONE, FIELD_ACT_NONE, 0 },
    [DETECT_OUT_OF_STEP] = { FIELD_ACT_INSPECT, FIELD_ACT_REPLACE, 0 },
    [DETECT_SLOW] = { FIELD_ACT_INSPECT, FIELD_ACT_REPLACE,
                      SET(STUCK) | SET(REVERSED) | SET(SWAPPED) | SET(UNMOVED) },
    [DETECT_FAST] = { FIELD_ACT_INSPECT, FIELD_ACT_REPLACE,
                      SET(LEAK) | SET(BURST) | SET(SELFTURN) | SET(SWAPPED) },
    [DETECT_BURST] = { FIELD_ACT_INSPECT, FIELD_ACT_NONE, 0 },
    [DETECT_BACKFLOW] = { FIELD_ACT_INSPECT, FIELD_ACT_NONE, SET(REVERSED) | SET(SELFTURN) },
    [DETECT_SELFTURN] = { FIELD_ACT_INSPECT, FIELD_ACT_REPLACE, SET(REVERSED) },
    [DETECT_SWAPPED] = { FIELD_ACT_INSPECT, FIELD_ACT_NONE, 0 },
    [DETECT_SILENT] = { FIELD_ACT_INSPECT, FIELD_ACT_NONE, SET(OUTAGE) },
    [DETECT_CLOCK] = { FIELD_ACT_NONE, FIELD_ACT_NONE, 0 },
    [DETECT_BATTERY] = { FIELD_ACT_REPLACE, FIELD_ACT_REPLACE, 0 },
    [DETECT_TAMPER] = { FIELD_ACT_INSPECT, FIELD_ACT_NONE, 0 },
    [DETECT_OVERSIZE] = { FIELD_ACT_NONE, FIELD_ACT_NONE, 0 },
    [DETECT_UNDERSIZE] = { FIELD_ACT_NONE, FIELD_ACT_NONE, 0 },
    [DETECT_UNMOVED] = { FIELD_ACT_INSPECT, FIELD_ACT_REPLACE, 0 },
    [DETECT_OUTAGE] = { FIELD_ACT_NONE, FIELD_ACT_NONE, 0 },
};

const char *field_why_name(enum field_why w)
{
    static const char *const names[FIELD_WHYS] = { "go", "unsure", "explained", "small",
                                                   "no-visit" };

    return names[w];
}

enum field_act field_act(enum detect_rule r, bool confirmed)
{
    return confirmed ? about[r].confirmed : about[r].act;
}

int field_explains(enum detect_rule r, uint32_t others)
{
    for (int o = 0; o < DETECT_RULES; o++)
        if (about[r].explained_by & others & 1u << o)
            return o;
    return -1;
}

enum field_why field_why(const struct field_flag *f, const struct detect_rules *rules,
                         uint32_t others)
{
    const int64_t *value = rules->value + (size_t)f->rule * DETECT_FIGURES;

    if (field_act(f->rule, f->confirmed) == FIELD_ACT_NONE)
        return FIELD_NO_VISIT;
    if (f->of_many || field_explains(f->rule, others) >= 0)
        return FIELD_EXPLAINED;
    if (!f->confirmed && (int64_t)f->verdict->confidence_pct * 10 < value[DETECT_ORDER_FROM])
        return FIELD_UNSURE;
    if (f->rule == DETECT_LEAK &&
        f->verdict->lost_mlpd / 24 < rules->value[FIGURE_LEAK_order_least_lph])
        return FIELD_SMALL;
    return FIELD_GO;
}

int64_t field_money_month(const struct verdict *v, bool confirmed, int64_t price_m3)
{
    unsigned sure = confirmed ? 100 : v->confidence_pct;
    __int128 money = (__int128)v->lost_mlpd * MONTH_DAYS * price_m3 * sure / 100 / 1000000;

    return money > INT64_MAX ? INT64_MAX : (int64_t)money;
}
