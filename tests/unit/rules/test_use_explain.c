/* What is told of a row's ends (server/billing/explain.h), by numbers worked out by hand. */
#include "server/billing/explain.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#define HOUR_S 3600
#define DAY_S 86400
#define M3 1000000ll
#define BEGIN 1777593600 /* 2026-05-01T00:00:00Z */
#define L 1000ll

static struct meter_facts meter = { .id = 1,
                                    .serial = "M1",
                                    .q3_lph = 2500,
                                    .resolution_ml = 1000,
                                    .modulus_ml = 10000 * M3,
                                    .form = REGISTER_FORWARD };
static struct zone zone;

struct place {
    struct rows rows;
    struct fitting fitting;
    int64_t now_s;
};

static struct place place_of(int64_t from_s, int64_t start_ml)
{
    return (struct place){ .fitting = { 1, 1, from_s, FITTING_OPEN, start_ml, 0, false },
                           .now_s = BEGIN + 30 * DAY_S };
}

static void read_as(struct place *p, int64_t at_s, int64_t value, enum source source)
{
    assert_ok(rows_push(&p->rows, (struct row){ value, (uint32_t)at_s, source }));
}

/* What was told, copied; the parts end with the consumer. */
static struct told {
    size_t count;
    struct explained at[EXPLAIN_PARTS_MAX];
    struct part parts[EXPLAIN_PARTS_MAX];
} told;

static void keep(void *arg, const struct explained *e)
{
    (void)arg;
    assert_true(told.count < EXPLAIN_PARTS_MAX);
    told.at[told.count] = *e;
    told.parts[told.count++] = *e->part;
}

static void explain(struct place *p, int64_t from_s, int64_t to_s)
{
    struct consume_fitting f = { p->fitting, &meter, &p->rows };
    const struct consumption *c;
    struct consumer *consumer;

    told.count = 0;
    assert_ok(consumer_new(&f, 1, STEP_NONE, &zone, p->now_s, &consumer));
    assert_ok(consumer_row(consumer, from_s, to_s, &c)); /* its checks ask for other rows, too */
    assert_ok(consumer_explain(consumer, keep, NULL));
    consumer_free(consumer);
    rows_done(&p->rows);
}

/* "C2 1000+floor(100*3600/25200)=1014.285": what an end says in one line; litres. */
static void end_at(const struct part_end *e, const char *expected, const char *file, int line)
{
    char found[160], base[TEXT_LITRES_SIZE], moved[TEXT_LITRES_SIZE], stands[TEXT_LITRES_SIZE];

    text_put_litres(base, e->before.register_ml);
    text_put_litres(moved, e->moved_ml);
    text_put_litres(stands, e->register_ml);
    if (e->whole)
        snprintf(found, sizeof found, "%s %s+floor(%s*%lld/%lld)=%s", end_why_rule(e->why), base,
                 moved, (long long)e->share, (long long)e->whole, stands);
    else
        snprintf(found, sizeof found, "%s %s=%s", end_why_rule(e->why), base, stands);
    _assert_string_equal(found, expected, file, line);
}
#define end_says(e, expected) end_at(e, expected, __FILE__, __LINE__)

static void a_read_end_names_its_reading_and_a_line_its_neighbours(void **state)
{
    struct place p = place_of(BEGIN - 100 * DAY_S, 0);
    const struct part_end *start, *end;

    (void)state;
    read_as(&p, BEGIN, 1000 * L, SOURCE_PHOTO);
    read_as(&p, BEGIN + 7 * HOUR_S, 1100 * L, SOURCE_REMOTE);
    explain(&p, BEGIN, BEGIN + HOUR_S);
    assert_int_equal(told.count, 1);
    start = &told.at[0].start;
    end = &told.at[0].end;
    end_says(start, "C1 1000=1000");
    assert_int_equal(start->why, END_READ);
    assert_int_equal(start->before.source, SOURCE_PHOTO);
    assert_false(start->has_after);
    /* 100 L over 7 h: 14.2857… L in the first. */
    end_says(end, "C2 1000+floor(100*3600/25200)=1014.285");
    assert_true(end->has_after);
    assert_int_equal(end->after.at_s, BEGIN + 7 * HOUR_S);
    assert_int_equal(end->after.dial_ml, 1100 * L);
    assert_int_equal(told.parts[0].consumption_ml, 14285);
}

static void the_fittings_own_index_is_no_reading(void **state)
{
    struct place p = place_of(BEGIN, 12 * L);

    (void)state;
    read_as(&p, BEGIN + DAY_S, 112 * L, SOURCE_REMOTE);
    explain(&p, BEGIN, BEGIN + DAY_S);
    assert_int_equal(told.at[0].start.why, END_OWN_INDEX);
    assert_true(told.at[0].start.before.own);
    assert_int_equal(told.at[0].end.why, END_READ);
    assert_false(told.at[0].end.before.own);
}

/* 24 readings an hour apart on each of three days before, of 1 L an hour in the first half and 3 L in the second: 48 L a day. */
static void a_gap_is_told_with_the_weights_of_days_like_it(void **state)
{
    struct place p = place_of(BEGIN - 4 * DAY_S, 0); /* a Monday; BEGIN is a Friday */
    int64_t at_s = p.fitting.from_s, value = 0;

    (void)state;
    for (int h = 1; h <= 96; h++) {
        value += (h - 1) % 24 < 12 ? L : 3 * L;
        read_as(&p, at_s + (int64_t)h * HOUR_S, value, SOURCE_REMOTE);
    }
    read_as(&p, BEGIN + 18 * HOUR_S, value + 60 * L, SOURCE_REMOTE);
    zone_fixed(&zone, "UTC", 0);
    explain(&p, BEGIN, BEGIN + 13 * HOUR_S);
    zone_fixed(&zone, "+08", 8 * HOUR_S);
    /* W to 13:00 is 3 × (12 × 1 L + 1 × 3 L) × 3600 s, of the whole 3 × (12 + 6 × 3) L × 3600 s: a half of 60 L. */
    end_says(&told.at[0].end, "C3 192+floor(60*162000000/324000000)=222");
    assert_int_equal(told.at[0].end.why, END_LIKE_DAY);
}

static void beyond_the_last_reading_the_pace_is_told(void **state)
{
    struct place p = place_of(BEGIN - 40 * DAY_S, 0);

    (void)state;
    read_as(&p, BEGIN - 28 * DAY_S, 1000 * L, SOURCE_REMOTE);
    read_as(&p, BEGIN, 1700 * L, SOURCE_REMOTE);
    explain(&p, BEGIN, BEGIN + DAY_S);
    end_says(&told.at[0].end, "C6 1700+floor(700*86400/2419200)=1725");
    assert_int_equal(told.at[0].end.why, END_PACE);
    assert_int_equal(told.at[0].end.pace_from_s, BEGIN - 28 * DAY_S);
    assert_int_equal(told.at[0].end.before.at_s, BEGIN);
}

static void three_ways_to_be_missing_are_told_apart(void **state)
{
    struct place future = place_of(BEGIN - 40 * DAY_S, 0), week = place_of(BEGIN - 5 * DAY_S, 0),
                 never = place_of(BEGIN - 5 * DAY_S, 0);

    (void)state;
    read_as(&future, BEGIN, 1700 * L, SOURCE_REMOTE);
    explain(&future, BEGIN, future.now_s + 1);
    assert_int_equal(told.at[0].end.why, END_FUTURE);
    read_as(&week, BEGIN - DAY_S, 10 * L, SOURCE_REMOTE);
    explain(&week, BEGIN - DAY_S, BEGIN);
    assert_int_equal(told.at[0].end.why, END_FIRST_WEEK);
    explain(&never, BEGIN - DAY_S, BEGIN);
    assert_int_equal(told.at[0].end.why, END_NEVER_READ);
    assert_false(told.parts[0].known);
}

static void a_roll_over_is_a_register_beyond_the_dial(void **state)
{
    struct place p = place_of(BEGIN - 10 * DAY_S, 9990000 * L);

    (void)state;
    read_as(&p, BEGIN, 9999500 * L, SOURCE_REMOTE);
    read_as(&p, BEGIN + 10 * HOUR_S, 500 * L, SOURCE_REMOTE);
    explain(&p, BEGIN, BEGIN + 6 * HOUR_S);
    end_says(&told.at[0].end, "C2 9999500+floor(1000*21600/36000)=10000100");
    assert_int_equal(told.at[0].end.after.dial_ml, 500 * L);
    assert_int_equal(told.at[0].end.after.register_ml, 10000500 * L);
    assert_int_equal(told.at[0].modulus_ml, 10000000 * L);
    assert_int_equal(told.parts[0].rollovers, 1);
}

static void a_re_base_names_the_readings_of_its_step(void **state)
{
    static const int64_t litres[] = { 807750, 808000, 120, 360, 620, 900 };
    struct place p = place_of(BEGIN - 800 * DAY_S, 0);

    (void)state;
    for (int i = 0; i < 6; i++)
        read_as(&p, BEGIN + (int64_t)i * DAY_S, litres[i] * L, SOURCE_REMOTE);
    explain(&p, BEGIN, BEGIN + 5 * DAY_S);
    assert_int_equal(told.count, 3);
    assert_int_equal(told.parts[1].kind, PART_REBASED);
    assert_int_equal(told.at[1].end.before.dial_ml, 808000 * L);
    assert_int_equal(told.at[1].end.after.dial_ml, 120 * L);
    assert_string_equal(end_why_rule(told.at[1].end.why), "C5");
    end_says(&told.at[2].start, "C1 120=120");
}

/* A lone fall within the gap that is asked for, two of one instant at its end, and one far before. */
static void what_takes_no_part_is_named_near_the_ends_alone(void **state)
{
    struct place p = place_of(BEGIN - 100 * DAY_S, 0);
    const struct part_end *e = &told.at[0].end;

    (void)state;
    read_as(&p, BEGIN - 50 * DAY_S, 500 * L, SOURCE_REMOTE);
    read_as(&p, BEGIN - 49 * DAY_S, 3 * L, SOURCE_REMOTE); /* a fall of long ago */
    read_as(&p, BEGIN - 48 * DAY_S, 510 * L, SOURCE_REMOTE);
    read_as(&p, BEGIN, 1000 * L, SOURCE_REMOTE);
    read_as(&p, BEGIN + 2 * HOUR_S, 40 * L, SOURCE_REMOTE);
    read_as(&p, BEGIN + 7 * HOUR_S, 1099 * L, SOURCE_REMOTE);
    read_as(&p, BEGIN + 7 * HOUR_S, 1100 * L, SOURCE_MANUAL);
    explain(&p, BEGIN, BEGIN + 3 * HOUR_S);
    assert_int_equal(e->out_count, 2);
    assert_int_equal(e->told_count, 2);
    assert_int_equal(e->outs[0].dial_ml, 40 * L);
    assert_string_equal(rule_name(e->outs[0].rule), "fall");
    assert_int_equal(e->outs[1].dial_ml, 1099 * L);
    assert_string_equal(rule_name(e->outs[1].rule), "conflict");
    assert_int_equal(e->after.source, SOURCE_MANUAL);
    assert_int_equal(told.at[0].start.out_count, 0);
}

static void of_many_the_last_are_told_and_all_are_counted(void **state)
{
    struct place p = place_of(BEGIN - 100 * DAY_S, 0);
    const struct part_end *e = &told.at[0].end;

    (void)state;
    read_as(&p, BEGIN, 1000 * L, SOURCE_REMOTE);
    for (int i = 1; i <= 20; i++)
        read_as(&p, BEGIN + (int64_t)i * 60, 1000 * M3 + i * L,
                SOURCE_REMOTE); /* over the ceiling */
    read_as(&p, BEGIN + 7 * HOUR_S, 1100 * L, SOURCE_REMOTE);
    explain(&p, BEGIN, BEGIN + 3 * HOUR_S);
    assert_int_equal(e->out_count, 20);
    assert_int_equal(e->told_count, EXPLAIN_OUT_MAX);
    assert_int_equal(e->outs[EXPLAIN_OUT_MAX - 1].dial_ml, 1000 * M3 + 20 * L);
    assert_int_equal(e->outs[0].dial_ml, 1000 * M3 + 13 * L);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_end_names_its_reading_and_a_line_its_neighbours),
        cmocka_unit_test(the_fittings_own_index_is_no_reading),
        cmocka_unit_test(a_gap_is_told_with_the_weights_of_days_like_it),
        cmocka_unit_test(beyond_the_last_reading_the_pace_is_told),
        cmocka_unit_test(three_ways_to_be_missing_are_told_apart),
        cmocka_unit_test(a_roll_over_is_a_register_beyond_the_dial),
        cmocka_unit_test(a_re_base_names_the_readings_of_its_step),
        cmocka_unit_test(what_takes_no_part_is_named_near_the_ends_alone),
        cmocka_unit_test(of_many_the_last_are_told_and_all_are_counted),
    };

    zone_fixed(&zone, "+08", 8 * HOUR_S);
    return check_run(tests, argc, argv);
}
