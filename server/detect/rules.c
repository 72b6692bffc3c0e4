#include "server/detect/rules.h"

#include "proto/base/crc.h"

#include <stdlib.h>
#include <string.h>

const struct detect_rules detect_rules_standing = {
    .value = {
#define DETECT_RULE(id_, kind_, target_, order_from_, source_, en_, zh_)                           \
    [DETECT_##id_ * DETECT_FIGURES + DETECT_TARGET] = (target_),                                   \
                                     [DETECT_##id_ * DETECT_FIGURES + DETECT_ORDER_FROM] =         \
                                         (order_from_),
#define DETECT_FIGURE(id_, place_, name_, unit_, least_, most_, standing_, stricter_, en_, zh_)    \
    [FIGURE_##id_##_##name_] = (standing_),
#include "server/detect/rules.def"
#undef DETECT_RULE
#undef DETECT_FIGURE
    },
    .version = {
#define DETECT_RULE(id_, kind_, target_, order_from_, source_, en_, zh_) [DETECT_##id_] = 1,
#define DETECT_FIGURE(id_, place_, name_, unit_, least_, most_, standing_, stricter_, en_, zh_)
#include "server/detect/rules.def"
#undef DETECT_RULE
#undef DETECT_FIGURE
    },
};

static const char *const kinds[DETECT_RULES] = {
#define DETECT_RULE(id_, kind_, target_, order_from_, source_, en_, zh_) [DETECT_##id_] = (kind_),
#define DETECT_FIGURE(id_, place_, name_, unit_, least_, most_, standing_, stricter_, en_, zh_)
#include "server/detect/rules.def"
#undef DETECT_RULE
#undef DETECT_FIGURE
};

struct range {
    int64_t least, most;
    enum stricter stricter;
};
static const struct range ranges[DETECT_RULES * DETECT_FIGURES] = {
#define DETECT_RULE(id_, kind_, target_, order_from_, source_, en_, zh_)
#define DETECT_FIGURE(id_, place_, name_, unit_, least_, most_, standing_, stricter_, en_, zh_)    \
    [FIGURE_##id_##_##name_] = { (least_), (most_), STRICTER_##stricter_ },
#include "server/detect/rules.def"
#undef DETECT_RULE
#undef DETECT_FIGURE
};

int detect_rule_named(struct span kind)
{
    for (int r = 0; r < DETECT_RULES; r++)
        if (span_equal(kind, span_text(kinds[r])))
            return r;
    return -1;
}

const char *detect_rule_name(enum detect_rule r)
{
    return kinds[r];
}

enum stricter detect_stricter(enum detect_rule r, unsigned place)
{
    return place < DETECT_FIGURES ? ranges[(unsigned)r * DETECT_FIGURES + place].stricter
                                  : STRICTER_NEITHER;
}

/* Whole numbers below the fourth move by one at least, or they would never. */
int64_t detect_stricter_by(enum detect_rule r, unsigned place, int64_t value, unsigned steps,
                           int64_t permille)
{
    enum stricter way = detect_stricter(r, place);
    const struct range *range;
    int64_t by;

    if (way == STRICTER_NEITHER)
        return value;
    range = &ranges[(unsigned)r * DETECT_FIGURES + place];
    by = value / 1000 * permille * steps + value % 1000 * permille * steps / 1000;
    if (by < (int64_t)steps)
        by = steps;
    value += way == STRICTER_UP ? by : -by;
    return value < range->least ? range->least : value > range->most ? range->most : value;
}

uint32_t rule_book_hash(const struct rule_book *b, int32_t until_day)
{
    uint32_t hash = 0;

    for (size_t i = 0; b && i < b->count; i++) {
        const struct rule_period *p = &b->at[i];

        if (p->from_day > until_day)
            continue;
        hash = crc32c(hash, &p->from_day, sizeof p->from_day);
        hash = crc32c(hash, p->rules.value, sizeof p->rules.value);
        hash = crc32c(hash, &p->rules.off, sizeof p->rules.off);
    }
    return hash;
}

/* ---- dismissals ---- */

unsigned dismissals_on(const struct flag_said *said, size_t count, enum detect_rule r, int32_t day)
{
    int32_t confirmed = INT32_MIN;
    unsigned found = 0;

    for (size_t i = 0; i < count; i++)
        if (said[i].rule == r && said[i].confirmed && said[i].day < day && said[i].day > confirmed)
            confirmed = said[i].day;
    for (size_t i = 0; i < count; i++)
        found += said[i].rule == r && !said[i].confirmed && said[i].day < day &&
                 said[i].day >= day - DISMISSED_DAYS && said[i].day > confirmed;
    return found < DISMISSED_MOST ? found : DISMISSED_MOST;
}

static int later_first(const void *left, const void *right)
{
    const struct rule_period *a = (const struct rule_period *)left;
    const struct rule_period *b = (const struct rule_period *)right;

    return (a->from_day < b->from_day) - (a->from_day > b->from_day);
}

static void make_stricter(struct detect_rules *rules, const struct flag_said *said, size_t count,
                          int32_t day)
{
    for (int r = 0; r < DETECT_RULES; r++) {
        unsigned steps = dismissals_on(said, count, (enum detect_rule)r, day);

        rules->dismissed[r] = (uint8_t)steps;
        for (unsigned place = 0; steps && place < DETECT_FIGURES; place++) {
            int64_t *value = &rules->value[(unsigned)r * DETECT_FIGURES + place];

            *value =
                detect_stricter_by((enum detect_rule)r, place, *value, steps, DISMISSED_PERMILLE);
        }
    }
}

void rule_book_dismissed(const struct rule_book *base, const struct flag_said *said, size_t count,
                         struct rule_period *room, struct rule_book *out)
{
    size_t n = 0, kept = 0;

    for (size_t i = 0; base && i < base->count; i++)
        room[n++].from_day = base->at[i].from_day;
    for (size_t i = 0; i < count; i++) {
        room[n++].from_day = said[i].day + 1;
        if (!said[i].confirmed)
            room[n++].from_day = said[i].day + DISMISSED_DAYS + 1;
    }
    if (n)
        qsort(room, n, sizeof *room, later_first);
    for (size_t i = 0; i < n; i++)
        if (!kept || room[kept - 1].from_day != room[i].from_day)
            room[kept++].from_day = room[i].from_day;
    for (size_t i = 0; i < kept; i++) {
        room[i].rules = *rules_on(base, room[i].from_day);
        make_stricter(&room[i].rules, said, count, room[i].from_day);
    }
    *out = (struct rule_book){ .count = kept, .at = room };
}
