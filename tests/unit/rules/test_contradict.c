/* Closing and opening indexes against readings (rules-fleet L7, L8, L10), told as small stories. */
#include "server/billing/contradict.h"
#include "tests/check.h"

#define BEGIN_S 1780000000
#define HOUR_S 3600
#define M3 INT64_C(1000000)

static const struct meter_facts household = { .id = 1,
                                              .serial = "M1",
                                              .q3_lph = 2500,
                                              .resolution_ml = 1000,
                                              .modulus_ml = 10000 * M3,
                                              .form = REGISTER_FORWARD };
static const struct fitting fitted = { 1, 1, BEGIN_S, FITTING_OPEN, 100 * M3, 0, false };

struct told {
    int hour; /* after the fitting's start */
    int64_t ml;
    uint32_t attr;
};

static struct rows rows_told(const struct told *told, size_t count)
{
    struct rows rows = { 0 };

    for (size_t i = 0; i < count; i++)
        assert_ok(
            rows_push(&rows, (struct row){ told[i].ml, (uint32_t)(BEGIN_S + told[i].hour * HOUR_S),
                                           told[i].attr }));
    assert_ok(rows_tidy(&rows));
    return rows;
}

static struct mark mark_at(int hour, int64_t ml)
{
    return (struct mark){ BEGIN_S + hour * HOUR_S, ml };
}

static struct contradiction closing(const struct meter_facts *m, const struct told *told,
                                    size_t count, int hour, int64_t ml)
{
    struct rows rows = rows_told(told, count);
    struct mark mark = mark_at(hour, ml);
    struct contradiction c;

    assert_ok(contradict_closing(m, &fitted, 1, &fitted, &rows, &mark, &c));
    rows_done(&rows);
    return c;
}

#define CLOSING(m, hour, ml, ...)                                                                  \
    closing(m, (const struct told[]){ __VA_ARGS__ },                                               \
            sizeof((const struct told[]){ __VA_ARGS__ }) / sizeof(struct told), hour, ml)

static const struct fitting earlier = {
    1, 2, BEGIN_S - 90 * HOUR_S, BEGIN_S - 10 * HOUR_S, 0, 90 * M3, true
};

static struct contradiction opening(const struct meter_facts *m, const struct told *told,
                                    size_t count, int64_t ml)
{
    const struct fitting after[] = { earlier, { 1, 1, BEGIN_S, FITTING_OPEN, ml, 0, false } };
    struct rows rows = rows_told(told, count);
    struct mark mark = mark_at(0, ml);
    struct contradiction c;

    assert_ok(contradict_opening(m, &earlier, 1, after, 2, &rows, &mark, &c));
    rows_done(&rows);
    return c;
}

#define OPENING(m, ml, ...)                                                                        \
    opening(m, (const struct told[]){ __VA_ARGS__ },                                               \
            sizeof((const struct told[]){ __VA_ARGS__ }) / sizeof(struct told), ml)

static void a_closing_index_is_held_against_the_last_reading_before_it(void **state)
{
    struct contradiction c = CLOSING(&household, 30, 101 * M3 - 1, { 10, 101 * M3, SOURCE_REMOTE });

    (void)state;
    assert_int_equal(c.of, AGAINST_READING);
    assert_int_equal(c.with.value, 101 * M3);
    assert_int_equal(c.with.at_s, BEGIN_S + 10 * HOUR_S);
    assert_int_equal(CLOSING(&household, 30, 101 * M3, { 10, 101 * M3, SOURCE_REMOTE }).of,
                     AGAINST_NONE);
    /* At the very instant counts as before. */
    assert_int_equal(CLOSING(&household, 10, 101 * M3 - 1, { 10, 101 * M3, SOURCE_PHOTO }).of,
                     AGAINST_READING);
    /* One that is absurdly high is no contradiction: it is not below. */
    assert_int_equal(CLOSING(&household, 11, 9000 * M3, { 10, 101 * M3, SOURCE_REMOTE }).of,
                     AGAINST_NONE);
}

static void without_a_reading_the_opening_index_stands_against_it(void **state)
{
    (void)state;
    assert_int_equal(CLOSING(&household, 30, 99 * M3, { 40, 99 * M3, SOURCE_REMOTE }).of,
                     AGAINST_OPENING);
    assert_int_equal(CLOSING(&household, 30, 100 * M3, { 40, 100 * M3, SOURCE_REMOTE }).of,
                     AGAINST_NONE);
}

static void a_reading_that_takes_no_part_is_no_evidence(void **state)
{
    (void)state;
    /* 40 m³ in an hour are over the ceiling. */
    assert_int_equal(CLOSING(&household, 3, 102 * M3, { 1, 101 * M3, SOURCE_REMOTE },
                             { 2, 141 * M3, SOURCE_REMOTE })
                         .of,
                     AGAINST_NONE);
    assert_int_equal(CLOSING(&household, 3, 100 * M3, { 2, 101 * M3, ATTR_FUTURE }).of,
                     AGAINST_NONE);
}

static void readings_behind_a_closing_index_stand_against_it(void **state)
{
    struct contradiction c = CLOSING(
        &household, 30, 102 * M3, { 10, 101 * M3, SOURCE_REMOTE }, { 31, 102 * M3, SOURCE_REMOTE },
        { 40, 103 * M3, SOURCE_REMOTE }, { 50, 104 * M3, SOURCE_REMOTE });

    (void)state;
    assert_int_equal(c.of, AGAINST_READING);
    assert_int_equal(c.with.value, 103 * M3);
    assert_int_equal(c.farthest.value, 104 * M3);
    assert_int_equal(CLOSING(&household, 30, 104 * M3, { 10, 101 * M3, SOURCE_REMOTE },
                             { 40, 103 * M3, SOURCE_REMOTE }, { 50, 104 * M3, SOURCE_REMOTE })
                         .of,
                     AGAINST_NONE);
}

static void a_roll_over_is_no_fall_where_it_is_possible(void **state)
{
    struct fitting high = fitted;
    struct told last = { 1000, 9999 * M3, SOURCE_REMOTE };
    struct rows rows = rows_told(&last, 1);
    struct mark soon = mark_at(1001, 2 * M3), at_once = mark_at(1000, 4 * M3),
                middle = mark_at(2000, 2000 * M3);
    struct contradiction c;

    (void)state;
    high.start_ml = 9000 * M3;
    assert_ok(contradict_closing(&household, &high, 1, &high, &rows, &soon, &c));
    assert_int_equal(c.of, AGAINST_NONE);
    assert_ok(contradict_closing(&household, &high, 1, &high, &rows, &at_once, &c));
    assert_int_equal(c.of, AGAINST_READING); /* 5 m³ in no time */
    assert_ok(contradict_closing(&household, &high, 1, &high, &rows, &middle, &c));
    assert_int_equal(c.of, AGAINST_READING); /* in the middle of the dial */
    rows_done(&rows);
}

static void a_net_register_may_fall_as_far_as_it_can_run(void **state)
{
    struct meter_facts net = household;

    (void)state;
    net.form = REGISTER_NET;
    assert_int_equal(CLOSING(&net, 12, 98 * M3, { 10, 101 * M3, SOURCE_REMOTE }).of, AGAINST_NONE);
    assert_int_equal(CLOSING(&net, 12, 90 * M3, { 10, 101 * M3, SOURCE_REMOTE }).of,
                     AGAINST_READING);
    assert_int_equal(OPENING(&net, 89 * M3, { 1, 89 * M3, 0 }).of, AGAINST_NONE);
}

static void an_opening_index_is_held_against_the_fitting_before(void **state)
{
    struct contradiction c = OPENING(&household, 90 * M3 - 1, { 1, 90 * M3, SOURCE_REMOTE });

    (void)state;
    assert_int_equal(c.of, AGAINST_CLOSING);
    assert_int_equal(c.with.value, 90 * M3);
    assert_int_equal(OPENING(&household, 90 * M3, { 1, 90 * M3, SOURCE_REMOTE }).of, AGAINST_NONE);
}

static void an_opening_index_is_not_above_what_was_read_behind_it(void **state)
{
    struct contradiction c =
        OPENING(&household, 95 * M3, { 1, 94 * M3, SOURCE_MANUAL }, { 2, 96 * M3, SOURCE_REMOTE });

    (void)state;
    assert_int_equal(c.of, AGAINST_READING);
    assert_int_equal(c.with.value, 94 * M3);
    /* What stands at the very instant, or from a clock that runs ahead, is not behind it. */
    assert_int_equal(OPENING(&household, 95 * M3, { 0, 94 * M3, SOURCE_REMOTE },
                             { 1, 93 * M3, ATTR_FUTURE }, { 2, 96 * M3, SOURCE_REMOTE })
                         .of,
                     AGAINST_NONE);
    /* Of two values of one instant the better source counts. */
    assert_int_equal(
        OPENING(&household, 95 * M3, { 2, 94 * M3, SOURCE_REMOTE }, { 2, 96 * M3, SOURCE_MANUAL })
            .of,
        AGAINST_NONE);
}

static void what_nobody_read_closes_with_the_last_reading_or_the_opening(void **state)
{
    const struct told told[] = { { 10, 101 * M3, SOURCE_REMOTE },
                                 { 20, 102 * M3, SOURCE_REMOTE },
                                 { 21, 140 * M3, SOURCE_REMOTE } };
    struct rows rows = rows_told(told, 3);
    struct mark last;

    (void)state;
    assert_ok(
        contradict_last(&household, &fitted, 1, &fitted, &rows, BEGIN_S + 30 * HOUR_S, &last));
    assert_int_equal(last.value, 102 * M3); /* 38 m³ in an hour took no part */
    assert_ok(
        contradict_last(&household, &fitted, 1, &fitted, &rows, BEGIN_S + 19 * HOUR_S, &last));
    assert_int_equal(last.value, 101 * M3);
    assert_ok(contradict_last(&household, &fitted, 1, &fitted, &rows, BEGIN_S + 9 * HOUR_S, &last));
    assert_int_equal(last.value, 100 * M3);
    rows_done(&rows);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closing_index_is_held_against_the_last_reading_before_it),
        cmocka_unit_test(without_a_reading_the_opening_index_stands_against_it),
        cmocka_unit_test(a_reading_that_takes_no_part_is_no_evidence),
        cmocka_unit_test(readings_behind_a_closing_index_stand_against_it),
        cmocka_unit_test(a_roll_over_is_no_fall_where_it_is_possible),
        cmocka_unit_test(a_net_register_may_fall_as_far_as_it_can_run),
        cmocka_unit_test(an_opening_index_is_held_against_the_fitting_before),
        cmocka_unit_test(an_opening_index_is_not_above_what_was_read_behind_it),
        cmocka_unit_test(what_nobody_read_closes_with_the_last_reading_or_the_opening),
    };

    return check_run(tests, argc, argv);
}
