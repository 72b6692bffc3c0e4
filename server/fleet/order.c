#include "server/fleet/order.h"

#include <stdio.h>
#include <string.h>

/* ---- the tables ---- */

struct word {
    const char *name, *en, *zh;
};

static const struct word kinds[] = {
#define ORDER_KIND(kind, name, en, zh) [ORDER_##kind] = { name, en, zh },
#include "server/fleet/order.def"
};

static const struct word states[] = {
#define ORDER_STATE(state, name, live, zh) [ORDER_##state] = { name, name, zh },
#include "server/fleet/order.def"
};

static const bool lives[] = {
#define ORDER_STATE(state, name, live, zh) [ORDER_##state] = live,
#include "server/fleet/order.def"
};

static const struct word priorities[] = {
#define ORDER_PRIORITY(priority, name, accept, start, finish, zh)                                  \
    [PRIORITY_##priority] = { name, name, zh },
#include "server/fleet/order.def"
};

static const struct hours {
    int accept, start, finish;
} hours[] = {
#define ORDER_PRIORITY(priority, name, accept, start, finish, zh)                                  \
    [PRIORITY_##priority] = { accept, start, finish },
#include "server/fleet/order.def"
};

enum { TO_SAME = ORDER_STATES, TO_REPORTED };
#define ORDER_SAME TO_SAME
#define ORDER_REPORTED TO_REPORTED

static const struct move {
    const char *name;
    unsigned from;
    int to;
} moves[] = {
#define S(state) (1u << ORDER_##state)
#define ORDER_MOVE(move, name, from, to) [MOVE_##move] = { name, from, ORDER_##to },
#include "server/fleet/order.def"
#undef S
};

static const struct word results[] = {
#define ORDER_RESULT(result, name, kinds, ends, effect, flag, en, zh)                              \
    [RESULT_##result] = { name, en, zh },
#include "server/fleet/order.def"
};

static const struct meaning {
    unsigned kinds;
    enum order_ending ending;
    enum order_effect effect;
    enum order_flag flag;
} meanings[] = {
#define K(kind) (1u << ORDER_##kind)
#define ALL ((1u << ORDER_KINDS) - 1)
#define ORDER_RESULT(result, name, kinds, ends, effect, flag, en, zh)                              \
    [RESULT_##result] = { kinds, ORDER_##ends, EFFECT_##effect, ORDER_FLAG_##flag },
#include "server/fleet/order.def"
#undef K
#undef ALL
};

/* ---- words ---- */

const char *order_kind_name(enum order_kind k)
{
    return kinds[k].name;
}

const char *order_kind_en(enum order_kind k)
{
    return kinds[k].en;
}

const char *order_kind_zh(enum order_kind k)
{
    return kinds[k].zh;
}

const char *order_state_name(enum order_state s)
{
    return states[s].name;
}

const char *order_state_zh(enum order_state s)
{
    return states[s].zh;
}

const char *order_priority_name(enum order_priority p)
{
    return priorities[p].name;
}

const char *order_priority_zh(enum order_priority p)
{
    return priorities[p].zh;
}

const char *order_result_name(enum order_result r)
{
    return r < ORDER_RESULTS ? results[r].name : NULL;
}

const char *order_result_en(enum order_result r)
{
    return r < ORDER_RESULTS ? results[r].en : NULL;
}

const char *order_result_zh(enum order_result r)
{
    return r < ORDER_RESULTS ? results[r].zh : NULL;
}

const char *order_move_name(enum order_move m)
{
    return moves[m].name;
}

static int word_read(const struct word *words, int count, struct span name)
{
    for (int i = 0; i < count; i++) {
        if (span_equal(name, span_text(words[i].name)))
            return i;
    }
    return -1;
}

bool order_kind_read(struct span name, enum order_kind *out)
{
    int i = word_read(kinds, ORDER_KINDS, name);

    if (i >= 0)
        *out = (enum order_kind)i;
    return i >= 0;
}

bool order_state_read(struct span name, enum order_state *out)
{
    int i = word_read(states, ORDER_STATES, name);

    if (i >= 0)
        *out = (enum order_state)i;
    return i >= 0;
}

bool order_priority_read(struct span name, enum order_priority *out)
{
    int i = word_read(priorities, ORDER_PRIORITIES, name);

    if (i >= 0)
        *out = (enum order_priority)i;
    return i >= 0;
}

bool order_result_read(struct span name, enum order_result *out)
{
    int i = word_read(results, ORDER_RESULTS, name);

    if (i >= 0)
        *out = (enum order_result)i;
    return i >= 0;
}

/* "a, b or c" of the words whose bit is set. */
static void list(const struct word *words, unsigned set, char *out, unsigned size)
{
    unsigned len = 0;
    bool any = false;

    out[0] = 0;
    for (unsigned i = 0; set >> i && len < size; i++) {
        bool last = !(set >> i >> 1);

        if (!(set >> i & 1))
            continue;
        len += (unsigned)snprintf(out + len, size - len, "%s%s",
                                  !any   ? ""
                                  : last ? " or "
                                         : ", ",
                                  words[i].name);
        any = true;
    }
}

void order_states_list(unsigned set, char *out, unsigned size)
{
    list(states, set, out, size);
}

void order_kinds_list(char *out, unsigned size)
{
    list(kinds, (1u << ORDER_KINDS) - 1, out, size);
}

void order_priorities_list(char *out, unsigned size)
{
    list(priorities, (1u << ORDER_PRIORITIES) - 1, out, size);
}

void order_results_list(enum order_kind k, char *out, unsigned size)
{
    unsigned set = 0;

    for (unsigned i = 0; i < ORDER_RESULTS; i++)
        set |= (meanings[i].kinds >> k & 1) << i;
    list(results, set, out, size);
}

/* ---- states ---- */

bool order_is_live(enum order_state s)
{
    return lives[s];
}

unsigned order_move_from(enum order_move m)
{
    return moves[m].from;
}

enum order_state order_moved(enum order_move m, enum order_state from)
{
    return moves[m].to < (int)ORDER_STATES ? (enum order_state)moves[m].to : from;
}

/* ---- results ---- */

bool order_result_fits(enum order_result r, enum order_kind k)
{
    return meanings[r].kinds >> k & 1;
}

enum order_ending order_result_ending(enum order_result r)
{
    return meanings[r].ending;
}

enum order_effect order_result_effect(enum order_result r)
{
    return meanings[r].effect;
}

enum order_flag order_result_flag(enum order_result r)
{
    return meanings[r].flag;
}

enum order_state order_reported(enum order_result r, enum order_state from)
{
    switch (meanings[r].ending) {
    case ORDER_ENDS:
        return ORDER_DONE;
    case ORDER_BACK:
        return ORDER_OPEN;
    default:
        return from == ORDER_OPEN ? from : ORDER_STARTED;
    }
}

/* ---- clocks ---- */

#define HOUR_S INT64_C(3600)

int64_t order_due(enum order_priority p, int64_t at_s)
{
    return at_s + hours[p].finish * HOUR_S;
}

int64_t order_sla(enum order_state s, enum order_priority p, int64_t since_s, int64_t due_s)
{
    int64_t at_s = due_s;

    if (!order_is_live(s))
        return INT64_MAX;
    if (s == ORDER_OPEN)
        at_s = since_s + hours[p].accept * HOUR_S;
    else if (s == ORDER_ASSIGNED)
        at_s = since_s + hours[p].start * HOUR_S;
    return at_s < due_s ? at_s : due_s;
}

bool order_is_late(enum order_state s, int64_t since_s, int64_t due_s, int64_t now_s)
{
    return (order_is_live(s) ? now_s : since_s) > due_s;
}

/* ---- names ---- */

void order_name(uint32_t number, char out[ORDER_NAME_SIZE])
{
    snprintf(out, ORDER_NAME_SIZE, "W%08u", (unsigned)number);
}

bool order_number(struct span name, uint32_t *out)
{
    char again[ORDER_NAME_SIZE];
    uint64_t n = 0;

    if (name.len < 9 || name.len >= ORDER_NAME_SIZE || name.at[0] != 'W')
        return false;
    for (size_t i = 1; i < name.len; i++) {
        if (name.at[i] < '0' || name.at[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(name.at[i] - '0');
    }
    if (!n || n > UINT32_MAX)
        return false;
    order_name((uint32_t)n, again);
    *out = (uint32_t)n;
    return span_equal(name, span_text(again));
}
