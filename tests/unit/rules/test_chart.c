/* A series thinned for a chart loses no extreme and no litre. */
#include "server/billing/chart.h"

#include "tests/check.h"

#include <stdlib.h>

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define START INT64_C(1767196800) /* 2026-01-01T00:00:00+08:00 */
#define M3 INT64_C(1000000)

static struct zone zone;
static struct rows life;
static enum rule *rules;
static struct register_line line;
static struct chart_edges edges;

static struct meter_facts meter = { .id = 1,
                                    .serial = "M",
                                    .dn_mm = 15,
                                    .q3_lph = 2500,
                                    .resolution_ml = 1000,
                                    .modulus_ml = 100000 * M3,
                                    .form = REGISTER_FORWARD };

static void add(int64_t at_s, int64_t value)
{
    assert_ok(rows_push(&life, (struct row){ value, (uint32_t)at_s, 0 }));
}

static void judge(const struct fitting *f)
{
    rules = (enum rule *)malloc((life.count + 1) * sizeof *rules);
    assert_non_null(rules);
    assert_ok(walk_rows(&meter, f, 1, CHANNEL_FORWARD, &life, rules));
    assert_ok(register_line_make(&meter, f, &life, &line));
}

static void forget(struct chart *c)
{
    chart_done(c);
    register_line_done(&line);
    free(rules);
    rules = NULL;
    life.count = 0;
}

/* ---- edges ---- */

static void buckets_are_as_fine_as_the_points_allow(void **state)
{
    static const struct {
        int64_t length_s, least_s;
        size_t points;
        int64_t width_s;
    } cuts[] = {
        { DAY, 0, 1000, 900 },
        { DAY, HOUR, 1000, HOUR },
        { 365 * DAY, HOUR, 4000, 3 * HOUR },
        { 365 * DAY, HOUR, 1000, 12 * HOUR },
        { 365 * DAY, DAY, 1000, DAY },
        { 10 * 365 * DAY, HOUR, 1000, 7 * DAY },
        { 366 * DAY, HOUR, 10, 91 * DAY },
        { 56 * 365 * DAY, HOUR, CHART_POINTS_LEAST, 20 * 365 * DAY }, /* from 1970 on */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        chart_lay(&zone, START, START + cuts[i].length_s, cuts[i].least_s, cuts[i].points, &edges);
        assert_int_equal(edges.width_s, cuts[i].width_s);
        assert_true(edges.count <= cuts[i].points);
        assert_true(edges.at[edges.count] >= START + cuts[i].length_s);
    }
}

static void buckets_cover_any_span_without_holes(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (int round = 0; round < 2000; round++) {
        int64_t from_s = check_between(&r, 0, UINT32_MAX - 1);
        int64_t length_s = check_between(&r, 1, (int64_t)1 << check_between(&r, 1, 32));
        int64_t to_s = from_s + length_s > UINT32_MAX ? (int64_t)UINT32_MAX + 1 : from_s + length_s;
        size_t points = round % 4 ? (size_t)check_between(&r, CHART_POINTS_LEAST, CHART_POINTS_MOST)
                                  : CHART_POINTS_LEAST;

        chart_lay(&zone, from_s, to_s, check_between(&r, 0, 400 * DAY), points, &edges);
        assert_true(edges.count >= 1 && edges.count <= points);
        assert_true(edges.at[0] <= from_s && edges.at[1] > from_s);
        assert_true(edges.at[edges.count] >= to_s && edges.at[edges.count - 1] < to_s);
        for (size_t n = 0; n < edges.count; n++)
            assert_true(edges.at[n] < edges.at[n + 1]);
        if (edges.width_s >= DAY)
            for (size_t n = 0; n <= edges.count; n++)
                assert_int_equal(zone_day_start(&zone, edges.at[n]), edges.at[n]);
    }
}

/* ---- what is kept ---- */

static void use_of_an_hour_stands_in_its_bucket(void **state)
{
    struct fitting f = {
        .meter = 1, .point = 1, .from_s = START, .to_s = FITTING_OPEN, .start_ml = 5 * M3
    };
    struct chart c;

    (void)state;
    for (int h = 1; h <= 48; h++)
        add(START + h * HOUR, 5 * M3 + h * 1000 + (h > 30 ? 500000 : 0));
    judge(&f);
    chart_lay(&zone, START, START + 2 * DAY, HOUR, 1000, &edges);
    assert_ok(chart_make(&life, rules, &line, 1, &edges, START, START + 2 * DAY, 3 * HOUR, &c));
    assert_int_equal(edges.count, 48);
    for (int h = 0; h < 48; h++) {
        assert_true(c.buckets[h].flows);
        assert_int_equal(c.buckets[h].use_ml, h == 30 ? 501000 : 1000);
        assert_int_equal(c.buckets[h].flow_most_mlph, h == 30 ? 501000 : 1000);
    }
    assert_int_equal(c.moved_ml, 548000);
    assert_int_equal(c.gap_count, 0);
    forget(&c);
}

static void what_was_used_in_a_gap_stands_in_no_bucket(void **state)
{
    struct fitting f = { .meter = 1, .point = 1, .from_s = START, .to_s = FITTING_OPEN };
    struct chart c;

    (void)state;
    for (int h = 1; h <= 10; h++)
        add(START + h * HOUR, h * 1000);
    for (int h = 20; h <= 30; h++)
        add(START + h * HOUR, 100000 + h * 1000);
    judge(&f);
    chart_lay(&zone, START, START + DAY, HOUR, 1000, &edges);
    assert_ok(chart_make(&life, rules, &line, 1, &edges, START, START + DAY, 3 * HOUR, &c));
    assert_int_equal(c.gap_count, 1);
    assert_int_equal(c.gaps[0].from_s, START + 10 * HOUR);
    assert_int_equal(c.gaps[0].to_s, START + 20 * HOUR);
    assert_int_equal(c.gaps[0].use_ml, 110000);
    for (int h = 0; h < 24; h++) {
        assert_int_equal(c.buckets[h].flows, h < 10 || h >= 20);
        assert_int_equal(c.buckets[h].use_ml, h < 10 || h >= 20 ? 1000 : 0);
    }
    assert_int_equal(c.moved_ml, 124000);
    forget(&c);
}

static void a_suspect_reading_is_told_apart(void **state)
{
    struct fitting f = { .meter = 1, .point = 1, .from_s = START, .to_s = FITTING_OPEN };
    struct chart c;

    (void)state;
    for (int h = 1; h <= 24; h++)
        add(START + h * HOUR, h == 7 ? 900 * M3 : h * 1000);
    judge(&f);
    chart_lay(&zone, START, START + DAY + HOUR, HOUR, 10, &edges);
    assert_ok(chart_make(&life, rules, &line, 1, &edges, START, START + DAY + HOUR, 6 * HOUR, &c));
    assert_int_equal(edges.width_s, 3 * HOUR);
    assert_int_equal(c.buckets[2].suspects, 1);
    assert_int_equal(c.buckets[2].suspect_least, 6);
    assert_int_equal(c.buckets[2].suspect_greatest, 6);
    assert_int_equal(c.buckets[2].count, 2);
    assert_int_equal(c.buckets[2].greatest, 8000);
    assert_int_equal(c.moved_ml, 24000);
    forget(&c);
}

static void make_life(struct check_random *r)
{
    int64_t at_s = START, value = check_between(r, 0, 99999 * M3);
    int64_t apart_s = check_below(r, 3) ? HOUR : check_below(r, 2) ? 900 : DAY;

    for (int n = 0; n < 3000; n++) {
        int64_t shown = value;

        at_s += check_below(r, 200) ? apart_s : check_between(r, 1, 3000) * 600;
        value = (value + check_between(r, 0, 300) * (apart_s / 900)) % meter.modulus_ml;
        if (check_below(r, 300) == 0)
            value = shown = check_between(r, 0, M3); /* begun anew */
        else if (check_below(r, 300) == 0)
            shown = value + check_between(r, M3, 1000 * M3);
        add(at_s, shown % meter.modulus_ml);
    }
}

static int64_t counted(int64_t at_s)
{
    for (size_t i = 1; i < line.count; i++) {
        const struct step *x = &line.steps[i - 1], *y = &line.steps[i];

        if (at_s < y->at_s)
            return at_s <= x->at_s ? x->counted_ml
                                   : x->counted_ml + (y->counted_ml - x->counted_ml) *
                                                         (at_s - x->at_s) / (y->at_s - x->at_s);
    }
    return line.steps[line.count - 1].counted_ml;
}

/* Any life, span and cut: sums are the register's movement, and of each bucket nothing is higher or lower than what is kept. */
static void no_extreme_and_no_litre_is_lost(void **state)
{
    struct check_random r = check_random_begin();
    struct fitting f = { .meter = 1, .point = 1, .from_s = START, .to_s = FITTING_OPEN };

    (void)state;
    for (int round = 0; round < 60; round++) {
        int64_t end_s, from_s, to_s, sum_ml = 0, step_s;
        size_t suspects = 0, takers = 0;
        struct chart c;

        make_life(&r);
        f.start_ml = life.at[0].value;
        judge(&f);
        end_s = life.at[life.count - 1].time_s;
        from_s = check_between(&r, START - 10 * DAY, end_s);
        to_s = check_between(&r, from_s + 1, end_s + 10 * DAY);
        assert_ok(chart_step(&life, rules, from_s, to_s, &step_s));
        chart_lay(&zone, from_s, to_s, step_s, (size_t)check_between(&r, 10, 4000), &edges);
        assert_ok(chart_make(&life, rules, &line, 1, &edges, from_s, to_s,
                             check_between(&r, 1, 5 * DAY), &c));
        for (size_t n = 0; n < edges.count; n++) {
            const struct chart_bucket *b = &c.buckets[n];

            sum_ml += b->use_ml;
            suspects += b->suspects;
            takers += b->count;
            assert_true(b->flows || !b->use_ml);
        }
        for (size_t n = 0; n < c.gap_count; n++)
            sum_ml += c.gaps[n].use_ml;
        assert_int_equal(sum_ml, c.moved_ml);
        assert_int_equal(sum_ml, counted(to_s) - counted(from_s));
        for (size_t i = 0, n = 0; i < life.count; i++) {
            const struct row *row = &life.at[i];
            const struct chart_bucket *b;

            if (row->time_s < from_s || row->time_s >= to_s)
                continue;
            while (edges.at[n + 1] <= row->time_s)
                n++;
            b = &c.buckets[n];
            if (rules[i]) {
                suspects--;
                assert_true(life.at[b->suspect_least].value <= row->value &&
                            row->value <= life.at[b->suspect_greatest].value);
            } else {
                takers--;
                assert_true(b->least <= row->value && row->value <= b->greatest);
            }
        }
        assert_int_equal(suspects, 0);
        assert_int_equal(takers, 0);
        forget(&c);
    }
}

static void absurd_values_end_in_no_overflow(void **state)
{
    struct fitting f = { .meter = 1,
                         .point = 1,
                         .from_s = START,
                         .to_s = START + 100,
                         .start_ml = INT64_MIN / 2,
                         .end_ml = INT64_MAX / 2,
                         .has_end = true };
    struct chart c;

    (void)state;
    add(START + 50, INT64_MAX / 3);
    judge(&f);
    chart_lay(&zone, START, START + DAY, HOUR, 10, &edges);
    assert_ok(chart_make(&life, rules, &line, 1, &edges, START, START + DAY, DAY, &c));
    assert_true(c.buckets[0].flows && c.buckets[0].use_ml > 0);
    forget(&c);
    rows_done(&life);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_as_fine_as_the_points_allow),
        cmocka_unit_test(buckets_cover_any_span_without_holes),
        cmocka_unit_test(use_of_an_hour_stands_in_its_bucket),
        cmocka_unit_test(what_was_used_in_a_gap_stands_in_no_bucket),
        cmocka_unit_test(a_suspect_reading_is_told_apart),
        cmocka_unit_test(no_extreme_and_no_litre_is_lost),
        cmocka_unit_test(absurd_values_end_in_no_overflow),
    };

    zone_fixed(&zone, "+08:00", 8 * 3600);
    return check_run(tests, argc, argv);
}
