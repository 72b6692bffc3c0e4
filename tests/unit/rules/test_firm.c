/* Readings that follow calmly change nothing before the last one that took part: what lets the settler leave meters alone after their cycles are closed. */
#include "server/billing/agree.h"
#include "server/billing/consume.h"
#include "tests/check.h"

#define FROM 1772294400 /* 2026-03-01T00:00+08:00 */
#define HOUR 3600

static const struct meter_facts meters[] = {
    { .id = 1,
      .serial = "F",
      .q3_lph = 2500,
      .resolution_ml = 1000,
      .modulus_ml = 10000000000,
      .form = REGISTER_FORWARD },
    { .id = 1,
      .serial = "R",
      .q3_lph = 2500,
      .resolution_ml = 1000,
      .modulus_ml = 20000000,
      .form = REGISTER_FORWARD },
    { .id = 1,
      .serial = "N",
      .q3_lph = 2500,
      .resolution_ml = 1000,
      .modulus_ml = 20000000,
      .form = REGISTER_NET },
};

/* Mostly a register that goes on, and everything that the rules know: falls that stay and falls that do not, peaks, leaps, roll-overs. */
static int64_t next_value(struct check_random *r, int64_t value, int64_t modulus, uint64_t wild)
{
    switch (check_below(r, wild)) {
    case 0:
        return check_between(r, 0, 200) * 100000; /* anywhere */
    case 1:
        return value - check_between(r, 1, 400000);
    case 2:
        return value + check_between(r, 5000000, 20000000);
    default:
        value += check_between(r, 0, 900000);
        return value >= modulus ? value - modulus : value;
    }
}

static void grow(struct check_random *r, struct rows *rows, int64_t modulus, size_t count)
{
    uint64_t wild = check_below(r, 3) ? 80 : 12; /* one in so many steps is none of a meter's */
    int64_t value = rows->count ? rows->at[rows->count - 1].value : 100000;
    uint32_t at_s = rows->count ? rows->at[rows->count - 1].time_s : FROM;

    for (size_t i = 0; i < count; i++) {
        value = next_value(r, value, modulus, wild);
        at_s += (uint32_t)check_between(r, 1, 20) * HOUR;
        assert_ok(rows_push(rows, (struct row){ value, at_s, 0 }));
    }
}

/* The same, as far as it is calm. How many there are. */
static size_t grow_calmly(struct check_random *r, struct rows *rows, const struct meter_facts *m,
                          size_t count)
{
    struct meter_limits limits = meter_limits_of(m);
    size_t was = rows->count;

    if (!was)
        return 0;
    grow(r, rows, m->modulus_ml, count);
    while (rows->count > was && !rows_calm(&limits, rows->at, was - 1, rows->count))
        rows->count--;
    return rows->count - was;
}

struct figure {
    struct consumption c; /* without its parts */
    int64_t start_ml, end_ml;
};

static struct figure figure(struct consumer *c, int64_t from_s, int64_t to_s)
{
    const struct consumption *row;
    struct figure f;

    assert_ok(consumer_figures(c, from_s, to_s, &row));
    f = (struct figure){ *row, row->parts[0].start_ml, row->parts[row->part_count - 1].end_ml };
    f.c.parts = NULL;
    return f;
}

static struct consumer *consumer_of(const struct consume_fitting *f, const struct zone *zone)
{
    struct consumer *c;

    assert_ok(consumer_new(f, 1, STEP_NONE, zone, INT64_MAX / 2, &c));
    return c;
}

static void calm_readings_change_nothing_before_them(void **state)
{
    struct check_random r = check_random_begin();
    size_t firm = 0;
    struct zone zone;

    (void)state;
    zone_fixed(&zone, "test", 8 * HOUR);
    for (int round = 0; round < 20000; round++) {
        const struct meter_facts *m = &meters[check_below(&r, 3)];
        struct rows rows = { 0 };
        struct consume_fitting f = { .fitting = { .meter = 1,
                                                  .point = 1,
                                                  .from_s = FROM,
                                                  .to_s = FITTING_OPEN,
                                                  .start_ml = 100000 },
                                     .meter = m,
                                     .rows = &rows };
        struct consumer *before, *after;
        int64_t firm_s;

        grow(&r, &rows, m->modulus_ml, check_below(&r, 60));
        if (check_below(&r, 2)) /* the wild ones, then some that are calm */
            grow_calmly(&r, &rows, m, 6 + check_below(&r, 6));
        before = consumer_of(&f, &zone);
        assert_ok(consumer_firm(before, 1, &firm_s));
        if (firm_s > FROM) {
            int64_t to_s = check_between(&r, FROM + 1, firm_s);
            int64_t from_s = check_between(&r, FROM, to_s - 1);
            struct figure was = figure(before, from_s, to_s), is;

            firm += grow_calmly(&r, &rows, m, 1 + check_below(&r, 12));
            after = consumer_of(&f, &zone);
            is = figure(after, from_s, to_s);
            assert_true(was.c.known && is.c.known);
            assert_int_equal(was.c.consumption_ml, is.c.consumption_ml);
            assert_int_equal(was.c.billed_m3, is.c.billed_m3);
            assert_int_equal(was.c.quality, is.c.quality);
            assert_int_equal(was.c.method, is.c.method);
            assert_int_equal(was.start_ml, is.start_ml);
            assert_int_equal(was.end_ml, is.end_ml);
            consumer_free(after);
        }
        consumer_free(before);
        rows_done(&rows);
    }
    assert_true(firm > 10000);
}

static void of_a_meter_that_is_not_there_nothing_is_firm(void **state)
{
    struct rows rows = { 0 };
    struct consume_fitting f = {
        .fitting = { .meter = 1, .point = 1, .from_s = FROM, .to_s = FITTING_OPEN },
        .meter = &meters[0],
        .rows = &rows
    };
    struct zone zone;
    struct consumer *c;
    int64_t firm_s;

    (void)state;
    zone_fixed(&zone, "test", 8 * HOUR);
    c = consumer_of(&f, &zone);
    assert_ok(consumer_firm(c, 2, &firm_s));
    assert_int_equal(firm_s, INT64_MIN);
    assert_ok(consumer_firm(c, 1, &firm_s)); /* its start alone */
    assert_int_equal(firm_s, INT64_MIN);
    consumer_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calm_readings_change_nothing_before_them),
        cmocka_unit_test(of_a_meter_that_is_not_there_nothing_is_firm),
    };

    return check_run(tests, argc, argv);
}
