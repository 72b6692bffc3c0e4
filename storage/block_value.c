/* How much: the steps of a block's values, divided by what divides all of them.
 *
 *   VALUE_STEPS    every step, exp-Golomb
 *   VALUE_RUNS     a run of zero steps and the step after it, less 1, in turns, each exp-Golomb of
 *                  its own order
 *   VALUE_SIGNED   every step in zigzag, exp-Golomb: pressures, temperatures, registers that run
 *                  both ways
 *   VALUE_EQUAL    all steps are one
 *
 *   2 bits mode · 4 bits order · [RUNS: 3 bits order of runs] · codes
 *
 * A step that fits no code (a fall of a register that else grows, a leap) is listed after the
 * header and coded as 0.  All arithmetic is modulo 2^64, so that the leap from one end of int64 to
 * the other is a step like others. */
#include "storage/block_priv.h"

#define RUN_ORDER_MAX 7
#define LISTED_BITS 24 /* what a listed step costs, about */

/* ---- planning -------------------------------------------------------------------------------- */

static uint64_t golomb_cost(const uint32_t *x, size_t count, unsigned order)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < count; i++)
        bits += golomb_bits(x[i], order);
    return bits;
}

/* The cost over the order has one valley: walk down from where the mean puts it. */
unsigned golomb_order(const uint32_t *x, size_t count, unsigned most, uint64_t *out_bits)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += x[i];

    unsigned order = bits_log2((count ? sum / count : 0) + 1);

    if (order > most)
        order = most;

    uint64_t bits = golomb_cost(x, count, order);

    for (int way = -1; way <= 1; way += 2) {
        while (way < 0 ? order > 0 : order < most) {
            uint64_t other = golomb_cost(x, count, order + (unsigned)way);

            if (other >= bits)
                break;
            bits = other;
            order += (unsigned)way;
        }
    }
    *out_bits = bits;
    return order;
}

static int64_t step_to(const struct row *row)
{
    return (int64_t)((uint64_t)row->value - (uint64_t)row[-1].value);
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

/* A 32-bit division is three times as fast where it serves. */
static uint64_t divided(uint64_t a, uint64_t b)
{
    return (a | b) >> 32 ? a / b : (uint32_t)a / (uint32_t)b;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* What divides every step (0: all are 0), and how many of them fall. */
static uint64_t survey(const struct row *rows, size_t count, size_t *out_falls)
{
    uint64_t common = 0;

    *out_falls = 0;
    for (size_t i = 1; i < count; i++) {
        int64_t step = step_to(&rows[i]);
        uint64_t size = magnitude(step);

        *out_falls += step < 0;
        if (size && common != 1 && (!common || divided(size, common) * common != size))
            common = common_divisor(size, common);
    }
    return common;
}

/* The largest of the three multiples of the unit that serves first value and steps. A stated
 * divisor where none does, or where it is so much larger that shorter codes pay for stating it. */
static void choose_divisor(struct value_plan *p, int64_t first, size_t count, uint64_t unit,
                           uint64_t common)
{
    uint64_t stated = common && common >> 62 == 0 ? common : 1;

    for (p->scale = 3; p->scale; p->scale--) {
        p->divisor = value_divisor(p->scale, unit);
        if (common % p->divisor == 0 && magnitude(first) % p->divisor == 0)
            break;
    }
    if (p->scale && (count < 16 || stated / p->divisor < 10))
        return;
    p->scale = 0;
    p->divisor = stated;
}

/* A step's code; GOLOMB_MAX where it must be listed. */
static uint32_t code_of(const struct value_plan *p, int64_t step)
{
    uint64_t size = divided(magnitude(step), p->divisor);

    if (p->mode == VALUE_SIGNED)
        return size < GOLOMB_MAX / 2 ? (uint32_t)zigzag(step < 0 ? -(int64_t)size : (int64_t)size)
                                     : GOLOMB_MAX;
    return step >= 0 && size < GOLOMB_MAX ? (uint32_t)size : GOLOMB_MAX;
}

static void fill_steps(struct value_plan *p, const struct row *rows, size_t count)
{
    p->listed = 0;
    for (size_t i = 1; i < count; i++) {
        uint32_t code = code_of(p, step_to(&rows[i]));

        p->listed += code == GOLOMB_MAX;
        p->steps[i - 1] = code == GOLOMB_MAX ? 0 : code;
    }
    p->step_count = count - 1;
}

static bool all_equal(const struct value_plan *p)
{
    for (size_t i = 1; i < p->step_count; i++)
        if (p->steps[i] != p->steps[0])
            return false;
    return true;
}

static void fill_runs(struct value_plan *p)
{
    uint32_t run = 0;

    p->run_count = p->gain_count = 0;
    for (size_t i = 0; i < p->step_count; i++) {
        if (p->steps[i] == 0) {
            run++;
            continue;
        }
        p->runs[p->run_count++] = run;
        p->gains[p->gain_count++] = p->steps[i] - 1;
        run = 0;
    }
    if (run)
        p->runs[p->run_count++] = run;
}

/* Plans the codes of `mode` or of a cheaper one with the same steps; what they cost. */
static uint64_t plan_codes(struct value_plan *p, enum value_mode mode, const struct row *rows,
                           size_t count)
{
    uint64_t bits, run_bits, gain_bits;

    p->mode = mode;
    fill_steps(p, rows, count);
    if (mode == VALUE_STEPS && all_equal(p)) {
        p->mode = VALUE_EQUAL;
        p->order = golomb_order(p->steps, p->step_count ? 1 : 0, GOLOMB_ORDER_MAX, &bits);
        return bits + p->listed * LISTED_BITS;
    }
    p->order = golomb_order(p->steps, p->step_count, GOLOMB_ORDER_MAX, &bits);
    if (mode == VALUE_STEPS) {
        fill_runs(p);
        unsigned run_order = golomb_order(p->runs, p->run_count, RUN_ORDER_MAX, &run_bits);
        unsigned order = golomb_order(p->gains, p->gain_count, GOLOMB_ORDER_MAX, &gain_bits);

        if (run_bits + gain_bits < bits) {
            p->mode = VALUE_RUNS;
            p->run_order = run_order;
            p->order = order;
            bits = run_bits + gain_bits;
        }
    }
    return bits + p->listed * LISTED_BITS;
}

void value_plan(struct value_plan *p, const struct row *rows, size_t count, uint64_t unit)
{
    size_t falls;
    uint64_t common = survey(rows, count, &falls);

    choose_divisor(p, rows[0].value, count, unit, common);

    uint64_t rising = plan_codes(p, VALUE_STEPS, rows, count);

    if (falls && plan_codes(p, VALUE_SIGNED, rows, count) >= rising)
        plan_codes(p, VALUE_STEPS, rows, count);
}

/* ---- writing --------------------------------------------------------------------------------- */

void value_put_list(struct wr *w, const struct value_plan *p, const struct row *rows, size_t count)
{
    size_t last = 0;

    wr_varint(w, p->listed);
    for (size_t i = 1; i < count; i++) {
        int64_t step = step_to(&rows[i]);

        /* EQUAL and RUNS list what STEPS lists. */
        if (code_of(p, step) != GOLOMB_MAX)
            continue;
        wr_varint(w, i - last - 1);
        wr_zigzag(w, step / (int64_t)p->divisor);
        last = i;
    }
}

static void put_runs(struct bits_wr *w, const struct value_plan *p)
{
    for (size_t i = 0; i < p->run_count; i++) {
        golomb_put(w, p->runs[i], p->run_order);
        if (i < p->gain_count)
            golomb_put(w, p->gains[i], p->order);
    }
}

void value_put(struct bits_wr *w, const struct value_plan *p)
{
    if (p->step_count == 0)
        return;
    bits_put(w, p->mode, 2);
    bits_put(w, p->order, 4);
    switch (p->mode) {
    case VALUE_EQUAL:
        golomb_put(w, p->steps[0], p->order);
        break;
    case VALUE_RUNS:
        bits_put(w, p->run_order, 3);
        put_runs(w, p);
        break;
    default:
        for (size_t i = 0; i < p->step_count; i++)
            golomb_put(w, p->steps[i], p->order);
    }
}

/* ---- reading ---------------------------------------------------------------------------------
 *
 * By a copy of the reader: beside one in memory every row that is written might be a part of it. */

static void get_steps(struct bits_rd *r, unsigned order, uint64_t divisor, struct row *row,
                      const struct row *end)
{
    struct bits_rd own = *r;
    struct golomb_rd g = { .r = &own };
    uint64_t value = (uint64_t)row[-1].value;

    for (; row < end; row++) {
        value += golomb_next(&g, order) * divisor;
        row->value = (int64_t)value;
    }
    *r = own;
}

static void get_signed(struct bits_rd *r, unsigned order, uint64_t divisor, struct row *row,
                       const struct row *end)
{
    struct bits_rd own = *r;
    struct golomb_rd g = { .r = &own };
    uint64_t value = (uint64_t)row[-1].value;

    for (; row < end; row++) {
        value += (uint64_t)unzigzag(golomb_next(&g, order)) * divisor;
        row->value = (int64_t)value;
    }
    *r = own;
}

/* So many rows are written before it is asked how long the run is, which nobody can guess; what comes after it is written over them. */
#define RUN_AHEAD 4

static void get_runs(struct bits_rd *r, unsigned order, uint64_t divisor, struct row *row,
                     const struct row *end)
{
    unsigned run_order = (unsigned)bits_get(r, 3);
    struct bits_rd own = *r;
    struct golomb_rd g = { .r = &own };
    uint64_t value = (uint64_t)row[-1].value;

    while (row < end) {
        size_t run, left = (size_t)(end - row), ahead = left < RUN_AHEAD ? 0 : RUN_AHEAD;

        run = golomb_next(&g, run_order);
        if (run > left) {
            own.bad = true;
            break;
        }
        for (size_t i = 0; i < ahead; i++)
            row[i].value = (int64_t)value;
        for (size_t i = ahead; i < run; i++)
            row[i].value = (int64_t)value;
        row += run;
        if (row == end)
            break;
        value += (golomb_next(&g, order) + UINT64_C(1)) * divisor;
        row++->value = (int64_t)value;
    }
    *r = own;
}

static void get_equal(struct bits_rd *r, unsigned order, uint64_t divisor, struct row *row,
                      const struct row *end)
{
    uint64_t value = (uint64_t)row[-1].value;
    uint64_t step = golomb_get(r, order) * divisor;

    for (; row < end; row++) {
        value += step;
        row->value = (int64_t)value;
    }
}

bool value_get(struct bits_rd *r, uint64_t divisor, struct row *rows, size_t count)
{
    static void (*const get[])(struct bits_rd *, unsigned, uint64_t, struct row *,
                               const struct row *) = {
        [VALUE_STEPS] = get_steps,
        [VALUE_RUNS] = get_runs,
        [VALUE_SIGNED] = get_signed,
        [VALUE_EQUAL] = get_equal,
    };

    if (count == 1)
        return true;

    enum value_mode mode = (enum value_mode)bits_get(r, 2);
    unsigned order = (unsigned)bits_get(r, 4);

    if (order > GOLOMB_ORDER_MAX)
        return false;
    get[mode](r, order, divisor, rows + 1, rows + count);
    return !r->bad;
}

/* Every row from a listed step on is as much higher. */
static void raise(struct row *rows, size_t from, size_t to, uint64_t by)
{
    for (size_t i = from; i < to; i++)
        rows[i].value = (int64_t)((uint64_t)rows[i].value + by);
}

bool value_get_list(struct rd *r, uint64_t divisor, struct row *rows, size_t count)
{
    uint64_t left = rd_varint(r);
    uint64_t by = 0;
    size_t at = 0;

    if (left == 0 || left >= count)
        return false;
    for (; left; left--) {
        uint64_t distance = rd_varint(r);
        uint64_t step = (uint64_t)rd_zigzag(r) * divisor;

        if (r->err || distance >= count - 1 - at)
            return false;

        size_t next = at + 1 + (size_t)distance;

        if (rows)
            raise(rows, at, next, by);
        by += step;
        at = next;
    }
    if (rows)
        raise(rows, at, count, by);
    return true;
}
