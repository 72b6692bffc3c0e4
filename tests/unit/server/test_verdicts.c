/* Verdicts over a span are those of the whole life, whatever happened in it. */
#include "server/billing/verdicts.h"

#include "tests/check.h"

#include <stdlib.h>

#define HOUR 3600
#define START 1700000000

struct life {
    struct rows rows;
    size_t loaded; /* rows handed out, to see the short way gone */
    unsigned short_ways;
};

static enum err load(void *arg, int64_t from_s, int64_t to_s, struct rows *out)
{
    struct life *life = (struct life *)arg;
    enum err err = ERR_OK;

    out->count = 0;
    for (size_t i = 0; i < life->rows.count && !err; i++) {
        if (life->rows.at[i].time_s >= from_s && life->rows.at[i].time_s < to_s)
            err = rows_push(out, life->rows.at[i]);
    }
    life->loaded += out->count;
    return err;
}

static enum err below_zero(void *arg, bool *out_below)
{
    struct life *life = (struct life *)arg;

    *out_below = false;
    for (size_t i = 0; i < life->rows.count; i++)
        *out_below = *out_below || life->rows.at[i].value < 0;
    return ERR_OK;
}

static const struct meter_facts meter = { .id = 1,
                                          .serial = "M",
                                          .dn_mm = 20,
                                          .q3_lph = 2500,
                                          .resolution_ml = 1000,
                                          .modulus_ml = 10000000000,
                                          .form = REGISTER_FORWARD };

/* The rows of the span must have the verdicts that they have among all rows. */
static void same_as_whole(struct life *life, const struct fitting *f, size_t count, int64_t from_s,
                          int64_t to_s)
{
    struct row_source source = { load, below_zero, life };
    struct rows rows = { 0 };
    enum rule *some, *all = (enum rule *)malloc((life->rows.count + 1) * sizeof *all);
    size_t n = 0;

    assert_non_null(all);
    life->loaded = 0;
    assert_ok(walk_rows(&meter, f, count, CHANNEL_FORWARD, &life->rows, all));
    assert_ok(
        verdicts_load(&source, &meter, f, count, CHANNEL_FORWARD, from_s, to_s, &rows, &some));
    while (n < rows.count && rows.at[n].time_s < from_s)
        n++;
    for (size_t i = 0; i < life->rows.count; i++) {
        const struct row *row = &life->rows.at[i];

        if (row->time_s < from_s || row->time_s >= to_s)
            continue;
        assert_true(n < rows.count);
        assert_int_equal(rows.at[n].time_s, row->time_s);
        assert_int_equal(rows.at[n].value, row->value);
        if (some[n] != all[i])
            fail_msg("row %zu at %+ld s of the span: found %s, expected %s", i,
                     (long)(row->time_s - from_s), some[n] ? rule_name(some[n]) : "none",
                     all[i] ? rule_name(all[i]) : "none");
        n++;
    }
    assert_true(n == rows.count || rows.at[n].time_s >= to_s);
    life->short_ways += rows.count && life->loaded < life->rows.count / 2;
    rows_done(&rows);
    free(some);
    free(all);
}

/* ---- lives in which much goes wrong ---- */

static void add(struct life *life, int64_t at_s, int64_t value, uint32_t attr)
{
    assert_ok(rows_push(&life->rows, (struct row){ value, (uint32_t)at_s, attr }));
}

/* One thing that happens to a register now and then. */
static void disturb(struct check_random *r, int64_t *value, int64_t *at_s, int64_t *shown)
{
    switch (check_below(r, 9)) {
    case 0:
        *value = check_between(r, 0, *value + 1); /* begins anew */
        break;
    case 1:
        *value += check_between(r, 0, 2000000000); /* jumps, perhaps over the ceiling for weeks */
        break;
    case 2:
        *shown = *value + check_between(r, 0, 300000000); /* a peak */
        break;
    case 3:
        *shown = check_between(r, 0, *value + 1); /* a dip */
        break;
    case 4:
        *at_s += check_between(r, 1, 900) * HOUR; /* silence */
        break;
    case 5:
        *value = 9990000000 + check_between(r, 0, 9999999); /* soon to roll over */
        break;
    default:
        break;
    }
    *value %= 10000000000;
}

static void make_life(struct check_random *r, struct life *life, size_t hours, unsigned one_in)
{
    int64_t value = check_between(r, 0, 500000000), at_s = START;

    life->rows.count = 0;
    for (size_t i = 0; i < hours; i++, at_s += HOUR) {
        int64_t shown = -1;
        uint32_t attr = check_below(r, 5000) == 0 ? ATTR_FUTURE : 0;

        if (one_in && check_below(r, one_in) == 0)
            disturb(r, &value, &at_s, &shown);
        add(life, at_s, shown >= 0 ? shown : value, attr);
        if (check_below(r, 500) == 0)
            add(life, at_s, value + check_between(r, -5000, 5000), SOURCE_REMOTE);
        value = (value + check_between(r, 0, 40000) * (check_below(r, 3) == 0)) % 10000000000;
    }
    assert_ok(rows_tidy(&life->rows));
}

static size_t make_fittings(struct check_random *r, struct fitting f[2], int64_t hours)
{
    int64_t middle_s = START + check_between(r, 1, hours) * HOUR;
    bool two = check_below(r, 3) == 0;

    f[0] = (struct fitting){ .meter = 1,
                             .point = 1,
                             .from_s = START - HOUR,
                             .to_s = FITTING_OPEN,
                             .start_ml = check_between(r, 0, 100000000) };
    if (!two)
        return 1;
    f[0].to_s = middle_s;
    f[0].has_end = check_below(r, 2);
    f[0].end_ml = check_between(r, 0, 1000000000);
    f[1] = (struct fitting){ .meter = 1,
                             .point = 2,
                             .from_s = middle_s + check_between(r, 0, 100) * HOUR,
                             .to_s = FITTING_OPEN,
                             .start_ml = check_between(r, 0, 100000000) };
    return 2;
}

static void a_span_judged_by_itself_says_what_the_whole_life_says(void **state)
{
    struct check_random random = check_random_begin();
    struct life life = { 0 };

    (void)state;
    for (int i = 0; i < 400; i++) {
        size_t hours = (size_t)check_between(&random, 10, 3000);
        static const unsigned rates[] = { 0, 1000, 200, 50, 10 };
        struct fitting f[2];
        size_t count = make_fittings(&random, f, (int64_t)hours);

        make_life(&random, &life, hours, rates[check_below(&random, 5)]);
        for (int k = 0; k < 12; k++) {
            int64_t from_s = START + check_between(&random, -10, (int64_t)hours) * HOUR;

            same_as_whole(&life, f, count, from_s, from_s + check_between(&random, 0, 800) * HOUR);
        }
    }
    assert_true(life.short_ways > 100); /* or nothing was tried */
    rows_done(&life.rows);
}

static void a_calm_life_is_read_around_the_span_alone(void **state)
{
    struct check_random random = check_random_begin();
    struct fitting f = { .meter = 1, .point = 1, .from_s = START - HOUR, .to_s = FITTING_OPEN };
    struct row_source source;
    struct life life = { 0 };
    struct rows rows = { 0 };
    enum rule *rules;

    (void)state;
    for (int64_t i = 0, value = 0; i < 8760; i++) {
        add(&life, START + i * HOUR, value, 0);
        value += i % 24 < 5 ? 0 : check_between(&random, 0, 40000); /* people sleep */
    }
    source = (struct row_source){ load, below_zero, &life };
    assert_ok(verdicts_load(&source, &meter, &f, 1, CHANNEL_FORWARD, START + 4000 * HOUR,
                            START + 4720 * HOUR, &rows, &rules));
    assert_true(life.loaded < 900);
    for (size_t i = 0; i < rows.count; i++)
        assert_int_equal(rules[i], RULE_NONE);
    free(rules);
    rows_done(&rows);
    rows_done(&life.rows);
}

/* Each pair of readings takes out one link (B11), and what lies between keeps them from being a
 * re-base (B12): so what comes a day behind the span can reach back into it. */
static void a_fall_behind_the_span_may_take_out_what_lies_in_it(void **state)
{
    struct fitting f = { .meter = 1, .point = 1, .from_s = START - HOUR, .to_s = FITTING_OPEN };
    struct life life = { 0 };
    enum rule *all;
    int64_t n = 0;

    (void)state;
    for (; n < 99; n++)
        add(&life, START + n * 3 * HOUR, n * 10000, 0);
    for (int64_t link = 90; link < 99; link++) {
        add(&life, START + n++ * 3 * HOUR, link * 10000 - 5000, 0);
        add(&life, START + n++ * 3 * HOUR, link * 10000 - 5000, 0);
        add(&life, START + n++ * 3 * HOUR, 0, 0);
    }
    assert_non_null(all = (enum rule *)malloc(life.rows.count * sizeof *all));
    assert_ok(walk_rows(&meter, &f, 1, CHANNEL_FORWARD, &life.rows, all));
    assert_int_equal(all[89], RULE_NONE);
    assert_int_equal(all[90], RULE_PEAK);
    free(all);
    same_as_whole(&life, &f, 1, START + 60 * 3 * HOUR, START + 91 * 3 * HOUR);
    rows_done(&life.rows);
}

/* From far below 0 it takes long until a rise is believed (B9). */
static void a_register_that_was_below_0_is_judged_by_its_whole_life(void **state)
{
    struct fitting f = { .meter = 1, .point = 1, .from_s = START - HOUR, .to_s = FITTING_OPEN };
    struct life life = { 0 };
    enum rule *all;
    int64_t hour = 0;

    (void)state;
    for (; hour < 5; hour++)
        add(&life, START + hour * HOUR, -400000000, 0);
    for (; hour < 200; hour++)
        add(&life, START + hour * HOUR, 10000000 + hour * 1000, 0);
    assert_non_null(all = (enum rule *)malloc(life.rows.count * sizeof *all));
    assert_ok(walk_rows(&meter, &f, 1, CHANNEL_FORWARD, &life.rows, all));
    assert_int_equal(all[4], RULE_NONE);
    assert_int_equal(all[90], RULE_CEILING);
    free(all);
    same_as_whole(&life, &f, 1, START + 80 * HOUR, START + 100 * HOUR);
    rows_done(&life.rows);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_judged_by_itself_says_what_the_whole_life_says),
        cmocka_unit_test(a_calm_life_is_read_around_the_span_alone),
        cmocka_unit_test(a_fall_behind_the_span_may_take_out_what_lies_in_it),
        cmocka_unit_test(a_register_that_was_below_0_is_judged_by_its_whole_life),
    };

    return check_run(tests, argc, argv);
}
