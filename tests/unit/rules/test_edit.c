/* Edits among readings (server/billing/edit.h): what they change, and what they never do. */
#include "server/billing/consume.h"
#include "server/billing/edit.h"
#include "tests/check.h"

#include <stdlib.h>

#define HOUR_S 3600ll
#define DAY_S 86400ll
#define M3 1000000ll
#define L 1000ll
#define BEGIN 1777593600ll /* 2026-05-01T00:00:00Z */

static const struct meter_facts meter = { .id = 1,
                                          .serial = "M1",
                                          .q3_lph = 2500,
                                          .resolution_ml = 1000,
                                          .modulus_ml = 10000 * M3,
                                          .form = REGISTER_FORWARD };
static struct zone zone;
static const struct fitting fitting = { 1, 1, BEGIN - 100 * DAY_S, FITTING_OPEN, 0, 0, false };

static void read_at(struct rows *rows, int64_t at_s, int64_t value, enum source source)
{
    assert_ok(rows_push(rows, (struct row){ value, (uint32_t)at_s, source }));
}

static struct edit_mark mark(int64_t at_s, int64_t index_ml)
{
    return (struct edit_mark){ .id = 1, .meter = 1, .at_s = at_s, .index_ml = index_ml };
}

static struct edit_mark instead(int64_t at_s, int64_t index_ml, int64_t of_ml)
{
    struct edit_mark m = mark(at_s, index_ml);

    m.has_instead = true;
    m.instead_ml = of_ml;
    return m;
}

static struct part used; /* the one part of the span that was asked for last */

static int64_t use(const struct rows *rows, int64_t from_s, int64_t to_s)
{
    struct consume_fitting f = { fitting, &meter, rows };
    const struct consumption *c;
    struct consumer *consumer;

    assert_ok(consumer_new(&f, 1, STEP_NONE, &zone, BEGIN + 30 * DAY_S, &consumer));
    assert_ok(consumer_row(consumer, from_s, to_s, &c));
    assert_int_equal(c->part_count, 1);
    used = c->parts[0];
    consumer_free(consumer);
    return used.consumption_ml;
}

/* Three readings a day apart, 100 L each. */
static struct rows three(void)
{
    struct rows rows = { 0 };

    for (int day = 0; day < 3; day++)
        read_at(&rows, BEGIN + day * DAY_S, (1000 + 100 * day) * L, SOURCE_REMOTE);
    return rows;
}

static void an_edit_shares_out_and_the_whole_stays(void **state)
{
    struct rows rows = three();
    struct edit_mark e = mark(BEGIN + 36 * HOUR_S, 1180 * L);

    (void)state;
    assert_ok(edits_apply(&e, 1, &fitting, &rows));
    assert_int_equal(rows.count, 4);
    assert_int_equal(use(&rows, BEGIN + DAY_S, BEGIN + 36 * HOUR_S), 80 * L);
    assert_int_equal(used.quality, QUALITY_EDITED);
    assert_int_equal(used.method, METHOD_READ);
    assert_true(used.edited);
    assert_int_equal(use(&rows, BEGIN + 36 * HOUR_S, BEGIN + 2 * DAY_S), 20 * L);
    assert_int_equal(use(&rows, BEGIN, BEGIN + 2 * DAY_S), 200 * L);
    assert_int_equal(used.quality, QUALITY_ACTUAL);
    assert_false(used.edited);
    /* Between a reading and an edit it rests on both. */
    assert_int_equal(use(&rows, BEGIN + DAY_S, BEGIN + 30 * HOUR_S), 40 * L);
    assert_int_equal(used.quality, QUALITY_EDITED);
    assert_int_equal(used.method, METHOD_INTERPOLATED);
    rows_done(&rows);
}

static void it_goes_before_the_reading_that_it_names_and_no_other(void **state)
{
    struct edit_mark named = instead(BEGIN + DAY_S, 1090 * L, 1100 * L),
                     other = instead(BEGIN + DAY_S, 1090 * L, 1101 * L),
                     gap = mark(BEGIN + DAY_S, 1090 * L);
    struct rows rows = three();

    (void)state;
    assert_ok(edits_apply(&other, 1, &fitting, &rows));
    assert_ok(edits_apply(&gap, 1, &fitting, &rows));
    assert_int_equal(rows.count, 3);
    assert_ok(edits_apply(&named, 1, &fitting, &rows));
    assert_int_equal(rows.count, 4);
    assert_int_equal(use(&rows, BEGIN, BEGIN + DAY_S), 90 * L);
    assert_int_equal(used.quality, QUALITY_EDITED);
    rows_done(&rows);
    /* A better one of that instant came: it is what goes on now, and it is not named. */
    rows = three();
    assert_ok(rows_push(&rows, (struct row){ 1105 * L, BEGIN + DAY_S, SOURCE_MANUAL }));
    assert_ok(rows_tidy(&rows));
    assert_ok(edits_apply(&named, 1, &fitting, &rows));
    assert_int_equal(use(&rows, BEGIN, BEGIN + DAY_S), 105 * L);
    assert_int_equal(used.quality, QUALITY_ACTUAL);
    rows_done(&rows);
}

static void its_place_is_within_its_meters_fitting(void **state)
{
    struct fitting closed = fitting;
    struct edit_mark begin = mark(fitting.from_s, 0), end = mark(BEGIN + 3 * DAY_S, 1300 * L),
                     foreign = mark(BEGIN + 36 * HOUR_S, 1150 * L);
    struct rows rows = three();

    (void)state;
    closed.to_s = BEGIN + 3 * DAY_S;
    foreign.meter = 2;
    assert_ok(edits_apply(&begin, 1, &closed, &rows));
    assert_ok(edits_apply(&end, 1, &closed, &rows));
    assert_ok(edits_apply(&foreign, 1, &closed, &rows));
    assert_int_equal(rows.count, 3);
    assert_ok(edits_apply(&end, 1, &fitting, &rows));
    assert_int_equal(rows.count, 4);
    rows_done(&rows);
}

static void what_stands_against_it_puts_it_out(void **state)
{
    static const struct {
        int64_t index_l;
        enum rule rule;
    } cases[] = { { 1099, RULE_FALL },
                  { 1100, RULE_NONE },
                  { 1200, RULE_NONE },
                  { 1201, RULE_PEAK },
                  { 100000000, RULE_CEILING } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edit_mark e = mark(BEGIN + 36 * HOUR_S, cases[i].index_l * L % meter.modulus_ml);
        struct rows rows = three();
        enum rule rules[4];

        if (cases[i].index_l * L >= meter.modulus_ml)
            e.index_ml =
                9000 * M3; /* what no pipe lets through in 12 h, but below where it passes zero */
        assert_ok(edits_apply(&e, 1, &fitting, &rows));
        assert_ok(walk_rows(&meter, &fitting, 1, CHANNEL_FORWARD, &rows, rules));
        assert_int_equal(rules[2], cases[i].rule);
        assert_int_equal(rules[3], RULE_NONE);
        rows_done(&rows);
    }
}

static void one_that_is_out_gives_its_reading_back(void **state)
{
    struct edit_mark e = instead(BEGIN + DAY_S, 1201 * L, 1100 * L);
    struct rows rows = three();
    enum rule rules[4];

    (void)state;
    assert_ok(edits_apply(&e, 1, &fitting, &rows));
    assert_ok(walk_rows(&meter, &fitting, 1, CHANNEL_FORWARD, &rows, rules));
    assert_int_equal(rows.at[1].attr, ATTR_EDITED);
    assert_int_equal(rules[1], RULE_PEAK);
    assert_int_equal(rules[2], RULE_NONE);
    assert_int_equal(use(&rows, BEGIN, BEGIN + DAY_S), 100 * L);
    assert_int_equal(used.quality, QUALITY_ACTUAL);
    rows_done(&rows);
}

static void behind_the_last_reading_the_use_goes_on_from_it(void **state)
{
    struct edit_mark e = mark(BEGIN + 4 * DAY_S, 1500 * L);
    struct rows rows = three();

    (void)state;
    assert_ok(edits_apply(&e, 1, &fitting, &rows));
    assert_int_equal(use(&rows, BEGIN + 2 * DAY_S, BEGIN + 4 * DAY_S), 300 * L);
    assert_int_equal(used.quality, QUALITY_EDITED);
    (void)use(&rows, BEGIN + 2 * DAY_S, BEGIN + 5 * DAY_S);
    assert_int_equal(used.quality, QUALITY_ESTIMATED);
    assert_true(used.edited);
    rows_done(&rows);
}

static void two_see_what_moves_much_or_what_nobody_knows(void **state)
{
    struct edit_limits limits = { 5 * M3, 50 };

    (void)state;
    assert_false(edit_takes_two(&limits, true, 5 * M3, true, 10 * M3));
    assert_true(edit_takes_two(&limits, true, 5 * M3 + 1, true, 100 * M3));
    assert_true(edit_takes_two(&limits, true, -5 * M3 - 1, true, 100 * M3));
    assert_true(edit_takes_two(&limits, true, 5 * M3, true, 10 * M3 - 1));
    assert_true(edit_takes_two(&limits, true, 1, true, 0));
    assert_false(edit_takes_two(&limits, true, 0, true, 0));
    assert_true(edit_takes_two(&limits, false, 0, true, 10 * M3));
    assert_true(edit_takes_two(&limits, true, 0, false, 0));
    assert_true(edit_takes_two(&limits, true, INT64_MIN, true, INT64_MIN));
}

/* Random lives with random edits: no reading loses its part to an edit but the one that it is put in place of, neighbouring spans add up, and what no edit touches is as it was. */
static void edits_put_no_other_reading_aside(void **state)
{
    struct check_random rng = check_random_begin();

    (void)state;
    for (int life = 0; life < 400; life++) {
        struct rows rows = { 0 };
        enum rule before[64], after[96];
        int64_t dial = (int64_t)check_below(&rng, 1000) * L, cuts[5] = { 0 };
        int64_t sum = 0;
        size_t at = 0;

        for (int i = 0; i < 40; i++) {
            dial += (int64_t)check_below(&rng, 60) * L;
            read_at(&rows, BEGIN + i * HOUR_S * (1 + life % 5),
                    check_below(&rng, 12) ? dial : (int64_t)check_below(&rng, 3000) * L,
                    SOURCE_REMOTE);
        }
        assert_ok(walk_rows(&meter, &fitting, 1, CHANNEL_FORWARD, &rows, before));
        for (int i = 0; i < 6; i++) {
            size_t k = check_below(&rng, 40);
            const struct row *r = &rows.at[k];
            struct edit_mark e;

            if (r->attr & ATTR_EDITED)
                continue;
            e = check_below(&rng, 2)
                    ? mark(r->time_s + 600, r->value + (int64_t)check_below(&rng, 80) * L)
                    : mark(r->time_s + 900, (int64_t)check_below(&rng, 3000) * L);
            assert_ok(edits_apply(&e, 1, &fitting, &rows));
        }
        assert_ok(walk_rows(&meter, &fitting, 1, CHANNEL_FORWARD, &rows, after));
        for (size_t i = 0; i < rows.count; i++)
            if (!(rows.at[i].attr & ATTR_EDITED))
                assert_int_equal(after[i], before[at++]);
        assert_int_equal(at, 40);
        for (int i = 0; i < 5; i++)
            cuts[i] = BEGIN + i * 8 * HOUR_S * (1 + life % 5) +
                      (int64_t)(i && i < 4 ? check_below(&rng, 7200) : 0);
        for (int i = 0; i < 4; i++) {
            struct consume_fitting f = { fitting, &meter, &rows };
            const struct consumption *c;
            struct consumer *consumer;

            assert_ok(consumer_new(&f, 1, STEP_NONE, &zone, BEGIN + 30 * DAY_S, &consumer));
            assert_ok(consumer_figures(consumer, cuts[i], cuts[i + 1], &c));
            sum += c->consumption_ml;
            assert_ok(consumer_figures(consumer, cuts[0], cuts[4], &c));
            if (i == 3)
                assert_int_equal(sum, c->consumption_ml);
            consumer_free(consumer);
        }
        rows_done(&rows);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_shares_out_and_the_whole_stays),
        cmocka_unit_test(it_goes_before_the_reading_that_it_names_and_no_other),
        cmocka_unit_test(its_place_is_within_its_meters_fitting),
        cmocka_unit_test(what_stands_against_it_puts_it_out),
        cmocka_unit_test(one_that_is_out_gives_its_reading_back),
        cmocka_unit_test(behind_the_last_reading_the_use_goes_on_from_it),
        cmocka_unit_test(two_see_what_moves_much_or_what_nobody_knows),
        cmocka_unit_test(edits_put_no_other_reading_aside),
    };

    zone_fixed(&zone, "UTC", 0);
    return check_run(tests, argc, argv);
}
