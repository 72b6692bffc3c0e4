/* Blocks: any rows come back exactly; any bytes are refused or are what was packed. */
#include "storage/block.h"
#include "storage/block_bits.h"
#include "tests/check.h"

#include <stdlib.h>

#define ROWS_MAX 2000
#define MONTH 1456790400u /* 2016-03-01 */

static struct check_random dice;

static uint64_t any(void)
{
    return check_random(&dice);
}

static uint64_t below(uint64_t limit)
{
    return check_below(&dice, limit);
}

/* The bytes end at a page that nobody may touch. */
static struct span guarded(struct span bytes)
{
    static uint8_t *room;
    enum { ROOM = 1 << 19 };

    if (!room)
        room = check_guard(ROOM);
    assert_true(bytes.len <= ROOM);
    memcpy(room + ROOM - bytes.len, bytes.at, bytes.len);
    return span_of(room + ROOM - bytes.len, bytes.len);
}

/* ---- series ---------------------------------------------------------------------------------- */

struct trace {
    struct row rows[ROWS_MAX];
    size_t count;
    uint32_t month_s;
    int64_t unit;
};

typedef int64_t next_value(int64_t last);
typedef uint32_t next_step(size_t i);

static int64_t value_flow(int64_t last)
{
    return below(2) ? last : last + (int64_t)below(300) * 1000;
}

static int64_t value_still(int64_t last)
{
    return last;
}

static int64_t value_constant(int64_t last)
{
    return last + 7000;
}

static int64_t value_tenths(int64_t last)
{
    return last + (int64_t)below(9) * 100;
}

static int64_t value_pressure(int64_t last)
{
    return last + (int64_t)below(4001) - 2000;
}

static int64_t value_falls(int64_t last)
{
    return below(20) ? value_flow(last) : last - (int64_t)below(100) * 1000;
}

static int64_t value_leaps(int64_t last)
{
    return below(9) ? last + 1000 : last + ((int64_t)below(1 << 20) << below(30));
}

static int64_t value_any(int64_t last)
{
    (void)last;
    return (int64_t)any();
}

static int64_t value_ends(int64_t last)
{
    static const int64_t ends[] = { INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1 };

    (void)last;
    return ends[below(6)];
}

static next_value *const values[] = { value_flow,   value_still, value_constant,
                                      value_tenths, value_falls, value_pressure,
                                      value_leaps,  value_any,   value_ends };

static uint32_t step_hour(size_t i)
{
    (void)i;
    return 3600;
}

static uint32_t step_quarter(size_t i)
{
    (void)i;
    return 900;
}

static uint32_t step_sessions(size_t i)
{
    return i % 4 ? 3600 : 3600 + (uint32_t)below(40) - 5 + (below(30) ? 0 : 4 * 3600);
}

static uint32_t step_gaps(size_t i)
{
    (void)i;
    return 3600 * (below(25) ? 1 : 1 + (uint32_t)below(100));
}

static uint32_t step_jitter(size_t i)
{
    (void)i;
    return 3540 + (uint32_t)below(121);
}

static uint32_t step_equal(size_t i)
{
    (void)i;
    return 0;
}

static uint32_t step_twice(size_t i)
{
    return i % 3 ? 0 : 86400;
}

static uint32_t step_odd(size_t i)
{
    (void)i;
    return 1 + (uint32_t)below(3);
}

static uint32_t step_any(size_t i)
{
    (void)i;
    return (uint32_t)below(UINT64_C(1) << below(27));
}

static uint32_t step_leap(size_t i)
{
    (void)i;
    return below(500) ? 60 : 1u << 29;
}

static next_step *const steps[] = { step_hour,  step_quarter, step_sessions, step_gaps, step_jitter,
                                    step_equal, step_twice,   step_odd,      step_any,  step_leap };

static uint32_t attr_plain(size_t i)
{
    (void)i;
    return 0;
}

static uint32_t attr_few(size_t i)
{
    (void)i;
    return below(50) ? 0 : (uint32_t)below(16);
}

static uint32_t attr_runs(size_t i)
{
    return i / 24 % 3 ? 0 : ATTR_RETIMED;
}

static uint32_t attr_all(size_t i)
{
    (void)i;
    return SOURCE_MANUAL;
}

static uint32_t attr_any(size_t i)
{
    (void)i;
    return (uint32_t)any();
}

static next_step *const attrs[] = { attr_plain, attr_few, attr_runs, attr_all, attr_any };

static const int64_t units[] = { 1000, 1, 10, 100, 10000, 1000000, 7, 0, -5, INT64_MAX, INT64_MIN };

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void make_series(struct trace *s, size_t count, next_step *step, next_value *value,
                        next_step *attr)
{
    uint64_t time_s = s->month_s + below(7200);
    int64_t last = (int64_t)below(1000000) * 1000;

    s->count = 0;
    while (s->count < count && time_s < s->month_s + (UINT64_C(1) << 31) && time_s <= UINT32_MAX) {
        last = value(last);
        s->rows[s->count] =
            (struct row){ .value = last, .time_s = (uint32_t)time_s, .attr = attr(s->count) };
        s->count++;
        time_s += step(s->count);
    }
}

static void any_series(struct trace *s)
{
    static const uint32_t months[] = { MONTH, 0, UINT32_MAX, 1u << 31, UINT32_MAX - (1u << 31) };
    size_t count = below(4) ? below(100) : below(ROWS_MAX);

    s->month_s = below(3) ? MONTH : months[below(COUNT(months))];
    s->unit = below(2) ? 1000 : units[below(COUNT(units))];
    make_series(s, count, steps[below(COUNT(steps))], values[below(COUNT(values))],
                below(2) ? attr_plain : attrs[below(COUNT(attrs))]);
}

static struct trace made; /* too large for the stack's taste */
static uint8_t packed[1 << 20];

static struct span pack(const struct trace *s)
{
    size_t len = block_pack(s->rows, s->count, s->month_s, s->unit, packed, block_bound(s->count));

    assert_true(block_bound(s->count) <= sizeof packed);
    assert_true(len > 0);
    return guarded(span_of(packed, len));
}

static void expect_same(const struct trace *s, struct span block)
{
    struct rows back = { 0 };
    uint32_t last_s;
    enum err err = block_last_s(block, s->month_s, s->unit, s->count, &last_s);

    if (s->count ? err || last_s != s->rows[s->count - 1].time_s : err != ERR_NOT_FOUND)
        fail_msg("a block ends at another time");
    if (block_unpack(block, s->month_s, s->unit, s->count, &back))
        fail_msg("a packed block was refused");
    if (back.count != s->count)
        fail_msg("another number of rows came back");
    if (s->count && memcmp(back.at, s->rows, s->count * sizeof *s->rows) != 0)
        fail_msg("other rows came back");
    rows_done(&back);
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void every_kind_of_series_comes_back(void **unused)
{
    (void)unused;
    dice = check_random_begin();
    for (size_t i = 0; i < COUNT(steps); i++)
        for (size_t j = 0; j < COUNT(values); j++)
            for (size_t k = 0; k < COUNT(attrs); k++)
                for (size_t count = 0; count < 800; count = count < 6 ? count + 1 : count * 11) {
                    made.month_s = MONTH;
                    made.unit = units[(i + j + k) % COUNT(units)];
                    make_series(&made, count, steps[i], values[j], attrs[k]);
                    expect_same(&made, pack(&made));
                }
}

static void any_series_comes_back(void **unused)
{
    (void)unused;
    dice = check_random_begin();
    for (int i = 0; i < 3000; i++) {
        any_series(&made);
        expect_same(&made, pack(&made));
    }
}

static void the_last_second_before_the_bound_comes_back(void **unused)
{
    (void)unused;
    made = (struct trace){ .count = 3, .month_s = MONTH, .unit = 1000 };
    made.rows[0] = (struct row){ .value = INT64_MIN, .time_s = MONTH };
    made.rows[1] = (struct row){ .value = INT64_MAX, .time_s = MONTH + INT32_MAX };
    made.rows[2] = (struct row){ .value = INT64_MIN, .time_s = MONTH + INT32_MAX };
    expect_same(&made, pack(&made));
}

static void too_little_room_packs_nothing(void **unused)
{
    uint8_t out[1];

    (void)unused;
    dice = check_random_begin();
    made.month_s = MONTH;
    make_series(&made, 1, step_hour, value_flow, attr_plain);
    assert_int_equal(block_pack(made.rows, 1, MONTH, 1000, packed, block_bound(1) - 1), 0);
    assert_int_equal(block_pack(made.rows, 1, MONTH, 1000, out, sizeof out), 0);
}

static void rows_are_appended_to_what_is_there(void **unused)
{
    struct rows rows = { 0 };
    struct row before = { .value = 5, .time_s = 6, .attr = 7 };

    (void)unused;
    dice = check_random_begin();
    made.month_s = MONTH;
    made.unit = 1000;
    make_series(&made, 100, step_sessions, value_flow, attr_few);
    assert_int_equal(rows_push(&rows, before), ERR_OK);
    assert_int_equal(block_unpack(pack(&made), MONTH, 1000, 100, &rows), ERR_OK);
    assert_int_equal(rows.count, 101);
    assert_memory_equal(rows.at, &before, sizeof before);
    assert_memory_equal(rows.at + 1, made.rows, 100 * sizeof before);
    rows_done(&rows);
}

static void more_rows_than_are_believed_are_refused(void **unused)
{
    struct rows rows = { 0 };

    (void)unused;
    dice = check_random_begin();
    made.month_s = MONTH;
    made.unit = 1000;
    make_series(&made, 500, step_hour, value_constant, attr_plain);
    assert_int_equal(block_unpack(pack(&made), MONTH, 1000, 499, &rows), ERR_TOO_LARGE);
    assert_int_equal(rows.count, 0);
    assert_int_equal(block_unpack(pack(&made), MONTH, 1000, 500, &rows), ERR_OK);
    rows_done(&rows);
}

/* Refused, and nothing was added. */
static void expect_refused(const struct trace *s, struct span block)
{
    struct rows back = { 0 };
    enum err err = block_unpack(guarded(block), s->month_s, s->unit, ROWS_MAX, &back);

    if (err != ERR_CORRUPT && err != ERR_TRUNCATED && err != ERR_TOO_LARGE)
        fail_msg("a damaged block was not refused");
    if (back.count)
        fail_msg("a damaged block left rows behind");
    rows_done(&back);
}

static void every_truncation_is_refused(void **unused)
{
    (void)unused;
    dice = check_random_begin();
    for (int i = 0; i < 200; i++) {
        any_series(&made);
        made.count = made.count > 60 ? 60 : made.count;
        size_t len = pack(&made).len;
        uint8_t copy[8192];

        assert_true(len <= sizeof copy);
        memcpy(copy, packed, len);
        for (size_t cut = 0; cut < len; cut++)
            expect_refused(&made, span_of(copy, cut));
    }
}

static void every_flipped_bit_is_refused(void **unused)
{
    (void)unused;
    dice = check_random_begin();
    for (int i = 0; i < 200; i++) {
        any_series(&made);
        made.count = made.count > 60 ? 60 : made.count;
        size_t len = pack(&made).len;

        for (size_t bit = 0; bit < 8 * len; bit++) {
            packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
            expect_refused(&made, span_of(packed, len));
            packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void a_byte_too_many_is_refused(void **unused)
{
    (void)unused;
    dice = check_random_begin();
    for (int i = 0; i < 200; i++) {
        any_series(&made);
        size_t len = pack(&made).len;

        packed[len] = 0;
        expect_refused(&made, span_of(packed, len + 1));
    }
}

static void mangled_bytes_do_no_harm(void **unused)
{
    struct rows back = { 0 };
    uint32_t last_s;

    (void)unused;
    dice = check_random_begin();
    for (int i = 0; i < 20000; i++) {
        size_t len = below(64);

        if (below(4)) {
            any_series(&made);
            made.count = made.count > 200 ? 200 : made.count;
            len = pack(&made).len;
            for (uint64_t hits = 1 + below(6); hits; hits--)
                packed[below(len < 24 || below(2) ? len : 24)] = (uint8_t)any();
        } else {
            for (size_t j = 0; j < len; j++)
                packed[j] = (uint8_t)any();
        }
        back.count = 0;
        if (block_unpack(guarded(span_of(packed, len)), made.month_s, made.unit, ROWS_MAX, &back))
            assert_int_equal(back.count, 0);
        else if (back.count) /* what is whole says when it ends */
            assert_true(!block_last_s(guarded(span_of(packed, len)), made.month_s, made.unit,
                                      ROWS_MAX, &last_s) &&
                        last_s == back.at[back.count - 1].time_s);
        if (!block_last_s(guarded(span_of(packed, len)), made.month_s, made.unit, ROWS_MAX,
                          &last_s))
            assert_true(last_s >= made.month_s);
    }
    rows_done(&back);
}

static void a_constant_step_on_the_grid_takes_fourteen_bytes(void **unused)
{
    (void)unused;
    dice = check_random_begin();
    made.month_s = MONTH;
    made.unit = 1000;
    make_series(&made, 744, step_hour, value_constant, attr_plain);
    assert_in_range(pack(&made).len, 1, 14);
}

static void a_coarse_register_costs_what_its_own_counts_cost(void **unused)
{
    static const int64_t per_count[] = { 1, 10, 1000, 10000, 100000, 1000000 };
    size_t least = SIZE_MAX, most = 0;
    struct trace counts;

    (void)unused;
    dice = check_random_begin();
    made.month_s = MONTH;
    made.unit = 1000;
    make_series(&made, 700, step_sessions, value_flow, attr_plain);
    for (size_t i = 0; i < COUNT(per_count); i++) {
        counts = made;
        for (size_t j = 0; j < counts.count; j++)
            counts.rows[j].value = made.rows[j].value / 1000 * per_count[i];
        struct span block = pack(&counts);

        expect_same(&counts, block);
        least = block.len < least ? block.len : least;
        most = block.len > most ? block.len : most;
    }
    assert_in_range(most - least, 0, 6);
}

/* Codes taken several at a peek are those taken one by one, up to the first that no writer makes. */
static void codes_in_a_row_are_those_one_by_one(void **state)
{
    uint8_t bytes[200];

    (void)state;
    dice = check_random_begin();
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)below(sizeof bytes + 1);
        unsigned sparse = (unsigned)below(5), orders[2];
        struct bits_rd one, row;
        struct golomb_rd g = { .r = &row };

        orders[0] = (unsigned)below(GOLOMB_ORDER_MAX + 1);
        orders[1] = (unsigned)below(GOLOMB_ORDER_MAX + 1);
        for (size_t k = 0; k < len; k++)
            bytes[k] =
                sparse && below(sparse + 1) ? 0 : (uint8_t)any(); /* long runs of zeros, too */
        one = row = (struct bits_rd){ .at = bytes, .len = len, .bit = below(64) };
        for (unsigned k = 0; !one.bad && one.bit < len * 8 + 64; k++) {
            assert_int_equal(golomb_next(&g, orders[k % 2]), golomb_get(&one, orders[k % 2]));
            assert_int_equal(row.bit, one.bit);
            assert_int_equal(row.bad, one.bad);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_series_comes_back),
        cmocka_unit_test(any_series_comes_back),
        cmocka_unit_test(the_last_second_before_the_bound_comes_back),
        cmocka_unit_test(too_little_room_packs_nothing),
        cmocka_unit_test(rows_are_appended_to_what_is_there),
        cmocka_unit_test(more_rows_than_are_believed_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(a_byte_too_many_is_refused),
        cmocka_unit_test(mangled_bytes_do_no_harm),
        cmocka_unit_test(a_constant_step_on_the_grid_takes_fourteen_bytes),
        cmocka_unit_test(codes_in_a_row_are_those_one_by_one),
        cmocka_unit_test(a_coarse_register_costs_what_its_own_counts_cost),
    };

    return check_run(tests, argc, argv);
}
