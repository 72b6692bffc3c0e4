/* Readings of one register → steps that can be trusted.
 *
 * What follows what is rules-bills B8: y follows x if it is a roll-over, or 0 ≤ y − x ≤ C with
 * C = 1.1 × Q4 × hours + 1 pulse; on a net register also −C ≤ y − x < 0.  Then, so that a wild
 * value (B9, B11; a wheel read half-way, a digit read wrong) never becomes flow:
 *
 *   - a step that moves the register is held back until the next reading bears it out; a step of
 *     zero is sure at once;
 *   - a register that cannot fall, and then falls to where it could have been without its last
 *     value: that value was the wild one, once two readings say so (B11); if the next one is above
 *     it, the low one was wild;
 *   - on a net register a value far outside its two neighbours is left out: there it would be flow
 *     and back flow. How many there were goes with its steps: who reads digits wrong does it again;
 *   - what follows from nothing waits; the fourth in a row that says the same is a new beginning
 *     (B12: re-base; B9 upwards too).  Where such a register fell no more than water could make it,
 *     the fall is handed on as evidence (`fall`), never as flow; and once it has fallen with four
 *     readings in a row, so is each further fall until it climbs again. */
#include "server/detect/detect_priv.h"

#include <assert.h>

#define ODD_TURNS 4 /* the first that does not follow and three more (B12) */
#define MISREADS_MOST 3

enum {
    HAS = 1,
    HELD = 2,
    HIGH = 4,
    SINKS = 8, /* a register that cannot fall */
    DOUBTED =
        8 /* a net register: the step that is held back came among readings that do not follow */
};

/* A track, laid out to work with. */
struct course {
    int64_t value, before, odd;
    int64_t held; /* of the step that is held back, where `knows_held` */
    uint32_t value_s, before_s, odd_s;
    uint8_t odd_count, sank, flags;
    bool knows_held;
};

/* Bounds of what a track can hold: 36 billion m³, and 140 million m³ from one value to the next. No
 * register is that large; what is further off is rubbish. */
#define VALUE_MOST ((INT64_C(1) << 55) - 1)
#define APART_MOST ((INT64_C(1) << 47) - 1)

static struct course unpack(const struct track *t)
{
    return (struct course){
        .value = t->value,
        .before = t->value - t->above_before,
        .odd = t->value + t->odd_above,
        .value_s = (uint32_t)t->value_s_high << 16 | (uint32_t)t->value_s_low,
        .before_s = t->before_s,
        .odd_s = t->odd_s,
        .odd_count = t->odd_count,
        .sank = t->sank,
        .flags = t->flags,
    };
}

static bool far_apart(int64_t x, int64_t y)
{
    return x - y > APART_MOST || y - x > APART_MOST;
}

static void pack(struct track *t, const struct course *c)
{
    bool held = c->flags & HELD;
    bool odd = c->odd_count > 0;

    assert(c->odd_count < ODD_TURNS && c->sank < ODD_TURNS);
    *t = (struct track){
        .value = c->value,
        .flags = c->flags & 15u,
        .odd_count = c->odd_count & 3,
        .sank = c->sank & 3,
        .above_before = held ? c->value - c->before : 0,
        .value_s_low = c->value_s & UINT16_MAX,
        .odd_above = odd ? c->odd - c->value : 0,
        .value_s_high = c->value_s >> 16,
        .before_s = held ? c->before_s : 0,
        .odd_s = odd ? c->odd_s : 0,
    };
}

/* 1.1 × Q4 = 1.1 × 1.25 × Q3, in millilitres a second for Q3 in litres an hour. */
#define CEILING_MLPS (1.1 * 1.25 * 1000 / 3600)

static double ceiling_ml(const struct meter_facts *m, uint32_t seconds)
{
    return m->q3_lph > 0 ? (double)m->q3_lph * CEILING_MLPS * seconds + (double)m->resolution_ml
                         : 1e15;
}

/* Whether y follows x after `seconds` (B8), and the litres counted. */
static bool follows(const struct meter_facts *m, bool net, int64_t x, int64_t y, uint32_t seconds,
                    int64_t *out_used)
{
    double most = ceiling_ml(m, seconds), turn = (double)m->modulus_ml;
    int64_t used;

    if (__builtin_sub_overflow(y, x, &used)) /* a register has no such room: rubbish */
        return false;
    if (used >= 0) {
        if (net && used > m->modulus_ml / 2 && (double)x < 0.1 * turn && (double)y > 0.9 * turn &&
            used <= m->modulus_ml && (double)(m->modulus_ml - used) <= most)
            used -= m->modulus_ml;
        else if ((double)used > most)
            return false;
    } else if ((double)x > 0.9 * turn && (double)y < 0.1 * turn &&
               (double)(used + m->modulus_ml) >= 0 && (double)(used + m->modulus_ml) <= most) {
        used += m->modulus_ml;
    } else if (!net || -(double)used > most) {
        return false;
    }
    *out_used = used;
    return true;
}

static struct judge_step step_of(uint32_t from_s, uint32_t to_s, int64_t used_ml)
{
    return (struct judge_step){ .from_s = from_s, .to_s = to_s, .used_ml = used_ml };
}

/* The step that was held back. */
static struct judge_step held_step(const struct course *t, bool net, int64_t used_ml)
{
    struct judge_step step = step_of(t->before_s, t->value_s, used_ml);

    step.doubted = net && ((t->flags & DOUBTED) || t->odd_count);
    return step;
}

/* Goes on from what holds to `row`, `used` further. Appends to `out`, returns how many are in it.
 */
static unsigned go_on(struct course *t, bool net, const struct row *row, int64_t used,
                      struct judge_step *out, unsigned count)
{
    if (used == 0) {
        out[count++] = step_of(t->value_s, row->time_s, 0);
        t->flags &= (uint8_t)~HELD;
    } else {
        t->before = t->value;
        t->before_s = t->value_s;
        t->held = used;
        t->knows_held = true;
        t->flags |= HELD;
        t->flags &= (uint8_t) ~(SINKS | DOUBTED);
        if (net && t->odd_count)
            t->flags |= DOUBTED;
    }
    t->value = row->value;
    t->value_s = row->time_s;
    t->odd_count = 0;
    t->flags &= (uint8_t)~HIGH;
    return count;
}

/* Up and down again, or down and up again, to where it was or above: after back flow it stands below. */
static bool is_spike(const struct meter_facts *m, int64_t there, int64_t back)
{
    int64_t pulse = m->resolution_ml - m->resolution_ml / 10;
    int64_t least = 20000 > pulse ? 20000 : pulse;

    bool turns = (there > least && back < -least) || (there < -least && back > least);

    return turns && there + back >= 0;
}

/* The litres of the step that is held back; false: it is none after all. */
static bool held_follows(const struct course *t, const struct meter_facts *m, bool net,
                         int64_t *out_used)
{
    if (!(t->flags & HELD))
        return false;
    *out_used = t->held;
    return t->knows_held ||
           follows(m, net, t->before, t->value, t->value_s - t->before_s, out_used);
}

/* `row` follows what holds. */
static unsigned take(struct course *t, const struct meter_facts *m, bool net, const struct row *row,
                     int64_t used, struct judge_step *out)
{
    int64_t held = 0, whole;
    unsigned count = 0;

    if (held_follows(t, m, net, &held)) {
        if (net && is_spike(m, held, used) &&
            follows(m, net, t->before, row->value, row->time_s - t->before_s, &whole)) {
            t->value = t->before;
            t->value_s = t->before_s;
            t->sank = (uint8_t)(t->sank + (t->sank < MISREADS_MOST));
            return go_on(t, net, row, whole, out, 0);
        }
        out[count++] = held_step(t, net, held);
    }
    return go_on(t, net, row, used, out, count);
}

/* The value that held was a wild one: the odd reading follows the one before it, and `row` the odd
 * one. */
static unsigned drop_peak(struct course *t, const struct meter_facts *m, const struct row *row,
                          int64_t used, struct judge_step *out)
{
    struct row odd = { .value = t->odd, .time_s = t->odd_s };
    int64_t first = 0;
    unsigned count = 0;

    if (follows(m, false, t->before, odd.value, odd.time_s - t->before_s, &first))
        out[count++] = step_of(t->before_s, odd.time_s, first);
    t->value = odd.value;
    t->value_s = odd.time_s;
    return go_on(t, false, row, used, out, count);
}

/* Too many readings say so: the register begins anew at `row`. */
static unsigned begin_again(struct course *t, const struct meter_facts *m, bool net,
                            const struct row *row, struct judge_step *out)
{
    int64_t held, fell;
    unsigned count = 0;
    struct judge_step *turn;
    bool sinks;

    if (held_follows(t, m, net, &held))
        out[count++] = held_step(t, net, held);
    turn = &out[count++];
    *turn = step_of(t->value_s, row->time_s, 0);
    turn->fall = true;
    if (!net && !__builtin_sub_overflow(row->value, t->value, &fell) && fell < 0 &&
        -(double)fell <= ceiling_ml(m, row->time_s - t->value_s))
        turn->used_ml = fell;
    sinks = turn->used_ml < 0 && (t->sank == ODD_TURNS - 1 || (t->flags & SINKS));
    *t = (struct course){ .value = row->value,
                          .value_s = row->time_s,
                          .sank = net ? t->sank : 0,
                          .flags = (uint8_t)(HAS | (sinks ? SINKS : 0)) };
    return count;
}

/* Whether the value that holds was a wild one: the odd reading follows the one before it (and `row`
 * the odd one). */
static bool is_peak(const struct course *t, const struct meter_facts *m)
{
    int64_t used;

    return (t->flags & HELD) && t->odd_s > t->before_s &&
           follows(m, false, t->before, t->odd, t->odd_s - t->before_s, &used);
}

/* `row` does not follow what holds. */
static unsigned doubt(struct course *t, const struct meter_facts *m, bool net,
                      const struct row *row, struct judge_step *out)
{
    uint8_t high = row->value > t->value ? HIGH : 0;
    int64_t used = 0;
    bool same = t->odd_count && (t->flags & HIGH) == high;
    bool chained = same && follows(m, net, t->odd, row->value, row->time_s - t->odd_s, &used);
    /* A register that goes on falling says the same thing with every reading. */
    bool falls = same && !net && !high;
    bool sinks = falls && row->value <= t->odd;

    if (chained && !net && !high && is_peak(t, m))
        return drop_peak(t, m, row, used, out);
    if (!chained && !falls)
        t->odd_count = 0;
    t->flags = (uint8_t)((t->flags & ~HIGH) | high);
    t->odd = row->value;
    t->odd_s = row->time_s;
    t->odd_count++;
    if (!net)
        t->sank = (uint8_t)(sinks ? t->sank + 1 : 0);
    if (t->odd_count >= ODD_TURNS || (!net && (t->flags & SINKS) && !high))
        return begin_again(t, m, net, row, out);
    return 0;
}

static unsigned feed(struct course *c, const struct meter_facts *m, bool net, const struct row *row,
                     struct judge_step out[2])
{
    unsigned count;
    int64_t used;

    if (row->value > VALUE_MOST || row->value < -VALUE_MOST)
        return 0;
    if (!(c->flags & HAS)) {
        *c = (struct course){ .value = row->value, .value_s = row->time_s, .flags = HAS };
        return 0;
    }
    if (row->time_s <= c->value_s || far_apart(row->value, c->value))
        return 0;
    if (follows(m, net, c->value, row->value, row->time_s - c->value_s, &used))
        count = take(c, m, net, row, used, out);
    else
        count = doubt(c, m, net, row, out);
    for (unsigned i = 0; net && i < count; i++)
        out[i].misreads = c->sank;
    if ((c->flags & HELD) && far_apart(c->value, c->before)) /* more than a track can hold */
        c->flags &= (uint8_t)~HELD;
    return count;
}

unsigned track_feed(struct track *t, const struct meter_facts *m, bool net, const struct row *row,
                    struct judge_step out[2])
{
    struct course c = unpack(t);
    unsigned count = feed(&c, m, net, row, out);

    pack(t, &c);
    return count;
}

/* ---- many rows ----
 *
 * Nearly all rows climb by no more than water makes them, one after the other.  Of such a stretch nothing is held back
 * but its last step, so it is found with integers alone and handed on whole. */

/* Whether `row` is what holds, with nothing beside it that a row above it could make anything of. */
static bool is_settled(const struct course *c, bool net, const struct row *row)
{
    bool held = c->flags & HELD;

    return (c->flags & ~HELD) == HAS && !c->odd_count && (c->knows_held || !held) &&
           !(net && (c->sank || (held && c->held < 0))) && row->value == c->value &&
           row->time_s == c->value_s;
}

/* The most that a plain step has; below 0: there is none. */
static int64_t plain_most(const struct meter_facts *m, bool net, uint32_t seconds)
{
    double most = ceiling_ml(m, seconds);
    int64_t bound = net && m->modulus_ml / 2 < APART_MOST ? m->modulus_ml / 2 : APART_MOST;

    return most < 0 ? -1 : most < (double)bound ? (int64_t)most : bound;
}

/* How many rows follow plainly, each the one before it, from rows[0] on; that one counts. */
static size_t plain_rows(const struct meter_facts *m, bool net, const struct row *rows,
                         size_t count)
{
    uint32_t usual_s = 0;
    int64_t most = 0;
    size_t n = 1;

    for (; n < count; n++) {
        uint32_t seconds = rows[n].time_s - rows[n - 1].time_s;
        int64_t used;

        if (rows[n].time_s <= rows[n - 1].time_s || rows[n].value > VALUE_MOST ||
            rows[n].value < rows[n - 1].value || (rows[n].attr & ATTR_SOURCE) != SOURCE_REMOTE)
            break;
        if (seconds != usual_s) {
            usual_s = seconds;
            most = plain_most(m, net, seconds);
        }
        used = rows[n].value - rows[n - 1].value;
        if (used > most)
            break;
    }
    return n;
}

/* Goes on from rows[0], which holds, over those that follow it plainly: two and more. */
static void take_plain(struct course *c, const struct row *rows, size_t count,
                       const struct track_ear *to, void *arg)
{
    const struct row *last = &rows[count - 1];
    int64_t used = last->value - last[-1].value;
    size_t sure = used ? count - 1 : count;

    if (c->flags & HELD) {
        struct judge_step step = held_step(c, false, c->held);

        to->step(arg, &step);
    }
    if (sure > 1)
        to->plain(arg, rows, sure);
    c->flags &= (uint8_t)~HELD;
    if (used) {
        c->before = last[-1].value;
        c->before_s = last[-1].time_s;
        c->held = used;
        c->knows_held = true;
        c->flags |= HELD;
    }
    c->value = last->value;
    c->value_s = last->time_s;
}

void track_run(struct track *t, const struct meter_facts *m, bool net, const struct row *rows,
               size_t count, const struct track_ear *to, void *arg)
{
    struct course c = unpack(t);
    struct judge_step steps[2];

    for (size_t i = 0, run; i < count; i += run) {
        unsigned n;

        if (i && is_settled(&c, net, &rows[i - 1]) &&
            (run = plain_rows(m, net, &rows[i - 1], count - i + 1) - 1)) {
            take_plain(&c, &rows[i - 1], run + 1, to, arg);
            continue;
        }
        run = 1;
        if ((rows[i].attr & ATTR_SOURCE) != SOURCE_REMOTE)
            continue;
        n = feed(&c, m, net, &rows[i], steps);
        for (unsigned k = 0; k < n; k++)
            to->step(arg, &steps[k]);
    }
    pack(t, &c);
}

bool track_believes(const struct track *t, int64_t *out_value, int64_t *out_at_s)
{
    struct course c = unpack(t);

    if (!(c.flags & HAS))
        return false;
    *out_value = c.flags & HELD ? c.before : c.value;
    *out_at_s = c.flags & HELD ? c.before_s : c.value_s;
    return true;
}
