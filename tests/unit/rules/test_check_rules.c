/* By which figures checks judge (server/billing/rules.h), and what a verdict tells of itself; every number here was worked out by hand. */
#include "server/billing/agree.h"
#include "server/billing/consume.h"
#include "tests/check.h"
#include "tests/unit/told.h"

#include <stdlib.h>

#define DAY_S 86400ll
#define L 1000ll
#define D0 20500 /* a civil day */

/* ---- which line holds ---- */

static struct check_line line(uint32_t version, int64_t from_day, enum use_class use, int32_t dn,
                              int64_t factor)
{
    struct check_line l = *check_line_standing(CHECK_HIGH);

    l.version = version;
    l.from_day = from_day;
    l.use = use;
    l.dn_mm = dn;
    l.value[0] = factor;
    return l;
}

static uint32_t holds(const struct check_rules *r, int64_t day, enum use_class use, int32_t dn)
{
    return check_line_for(r, CHECK_HIGH, day, use, dn)->version;
}

static void the_narrowest_line_of_the_latest_day_holds(void **state)
{
    struct check_line at[] = {
        line(2, D0, USE_UNKNOWN, 0, 2000),         line(3, D0 + 10, USE_UNKNOWN, 0, 2500),
        line(4, D0, USE_UNKNOWN, 15, 4000),        line(5, D0 + 5, USE_COMMERCIAL, 0, 5000),
        line(6, D0 + 5, USE_COMMERCIAL, 15, 6000), line(7, D0 + 10, USE_UNKNOWN, 0, 2600),
        line(8, D0 + 20, USE_COMMERCIAL, 15, 0),
    };
    struct check_rules r = { 7, at, false };

    (void)state;
    at[6].state = LINE_WITHDRAWN;
    check_rules_sort(&r);
    assert_true(r.by_use);
    assert_int_equal(holds(&r, D0 - 1, USE_COMMERCIAL, 15), 1); /* before all of them */
    assert_int_equal(holds(&r, D0, USE_RESIDENTIAL, 20), 2);
    assert_int_equal(holds(&r, D0 + 9, USE_RESIDENTIAL, 20), 2);
    assert_int_equal(holds(&r, D0 + 10, USE_RESIDENTIAL, 20),
                     7); /* of one day the higher version */
    assert_int_equal(holds(&r, D0 + 10, USE_RESIDENTIAL, 15), 4); /* the DN before all meters */
    assert_int_equal(holds(&r, D0 + 4, USE_COMMERCIAL, 15), 4);
    assert_int_equal(holds(&r, D0 + 5, USE_COMMERCIAL, 20), 5);
    assert_int_equal(holds(&r, D0 + 5, USE_COMMERCIAL, 15), 6);
    assert_int_equal(holds(&r, D0 + 20, USE_COMMERCIAL, 15), 5); /* as if 6 had never been */
    assert_int_equal(holds(NULL, D0 + 20, USE_COMMERCIAL, 15), 1);
    assert_int_equal(check_line_for(&r, CHECK_LOW, D0 + 20, USE_COMMERCIAL, 15)->version, 1);
}

/* Lines may come in any order: the same holds. */
static void the_order_of_lines_is_no_matter(void **state)
{
    struct check_random rnd = check_random_begin();

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct check_line at[12], turned[12];
        struct check_rules a = { 12, at, false }, b = { 12, turned, false };

        for (uint32_t i = 0; i < 12; i++)
            at[i] = line(i + 2, D0 + (int64_t)(check_random(&rnd) % 4),
                         (enum use_class)(check_random(&rnd) % 3),
                         (int32_t)(check_random(&rnd) % 2) * 15, 1000 + i);
        for (uint32_t i = 0; i < 12; i++)
            turned[i] = at[(i * 5 + (uint32_t)round) % 12];
        check_rules_sort(&a);
        check_rules_sort(&b);
        for (int64_t day = D0 - 1; day < D0 + 5; day++)
            for (int use = 0; use < 4; use++)
                assert_int_equal(holds(&a, day, (enum use_class)use, 15),
                                 holds(&b, day, (enum use_class)use, 15));
    }
}

static void figures_out_of_their_range_are_told(void **state)
{
    struct check_line l = *check_line_standing(CHECK_HIGH);
    char expected[96];

    (void)state;
    for (int c = 0; c < CHECK_COUNT; c++)
        assert_null(check_line_wrong(check_line_standing((enum check)c), expected, 96));
    l.value[0] = 999;
    assert_string_equal(check_line_wrong(&l, expected, 96), "factor");
    assert_string_equal(expected, "1 to 100");
    l.value[0] = 1000;
    l.value[2] = 20;
    assert_string_equal(check_line_wrong(&l, expected, 96), "days_least"); /* 30 of 20 */
    l.value[3] = 20;
    assert_null(check_line_wrong(&l, expected, 96));
}

static void what_is_written_is_read(void **state)
{
    struct check_line_told t = { .line = line(9, D0, USE_PUBLIC, 40, 2500),
                                 .at_s = 1780000000,
                                 .who = span_text("ana"),
                                 .note = span_text("夏季") },
                           back;
    uint8_t bytes[256];
    struct wr w = wr_of(bytes, sizeof bytes);

    (void)state;
    t.line.state = LINE_OFF;
    check_line_write(&w, &t);
    assert_ok(w.err);
    assert_ok(check_line_read(wr_span(&w), LISTED_HIGH, 9, &back));
    assert_memory_equal(back.line.value, t.line.value, sizeof t.line.value);
    assert_true(back.line.use == USE_PUBLIC && back.line.dn_mm == 40 && back.line.from_day == D0 &&
                back.line.version == 9 && back.line.state == LINE_OFF && back.at_s == t.at_s &&
                span_equal(back.note, t.note) && span_equal(back.who, t.who));
    for (size_t len = 0; len < wr_len(&w); len++)
        assert_int_equal(check_line_read(span_of(bytes, len), LISTED_HIGH, 9, &back), ERR_CORRUPT);
}

/* ---- the table is what the rules do ---- */

static int64_t parameter(enum listed_rule rule, const char *name)
{
    for (unsigned i = 0; i < RULE_FIGURES; i++)
        if (listed_rule(rule)->parameter[i].name &&
            strcmp(listed_rule(rule)->parameter[i].name, name) == 0)
            return listed_rule(rule)->parameter[i].standing;
    fail_msg("%s has no %s", listed_rule(rule)->name, name);
    return 0;
}

/* What the table shows of the rules that are fixed is what they judge by. */
static void the_ceiling_that_is_shown_is_the_one_that_judges(void **state)
{
    static const struct meter_facts m = { .q3_lph = 4000, .resolution_ml = 10000 };
    struct meter_limits limits = meter_limits_of(&m);
    /* 1.1 × 1.25 × 4 000 L/h for 2 h, and a pulse of 10 L: 11 010 L. */
    int64_t most =
        parameter(LISTED_CEILING, "factor") * parameter(LISTED_CEILING, "q4_q3") * 4000 * 2 / 1000 +
        parameter(LISTED_CEILING, "pulses") * 10000;
    struct mark x = { 0, 0 }, y = { 7200, most };

    (void)state;
    assert_int_equal(most, 11010 * L);
    assert_true(marks_agree(&limits, &x, &y, NULL));
    y.value++;
    assert_false(marks_agree(&limits, &x, &y, NULL));
}

/* 0.9 and 0.1 of four digits: 9 000 000 L and 1 000 000 L. */
static void the_roll_over_that_is_shown_is_the_one_that_counts(void **state)
{
    static const struct meter_facts m = { .q3_lph = 4000,
                                          .resolution_ml = 1000,
                                          .modulus_ml = 10000000 * L };
    struct meter_limits limits = meter_limits_of(&m);

    (void)state;
    assert_int_equal(limits.above, m.modulus_ml * parameter(LISTED_ROLL_OVER, "above") / 1000);
    assert_int_equal(limits.below, m.modulus_ml * parameter(LISTED_ROLL_OVER, "below") / 1000);
}

static void rules_have_a_name_each_and_texts_in_both_languages(void **state)
{
    (void)state;
    for (int i = 0; i < LISTED_RULES; i++) {
        const struct listed *r = listed_rule((enum listed_rule)i);

        assert_int_equal(listed_named(span_text(r->name)), i);
        assert_true(r->en && *r->en && r->zh && *r->zh && r->source && *r->source);
        assert_int_equal(r->open, i < CHECK_COUNT || i >= LISTED_FLAGS);
    }
    for (int v = RULE_FUTURE; v <= RULE_PEAK; v++)
        assert_string_equal(listed_rule(listed_verdict((enum rule)v))->name,
                            rule_name((enum rule)v));
    assert_int_equal(listed_named(span_text("nonsense")), -1);
}

/* ---- judged by other figures ---- */

static struct zone zone;
static struct meter_facts household = { .id = 1,
                                        .serial = "M1",
                                        .dn_mm = 15,
                                        .q3_lph = 2500,
                                        .resolution_ml = 1000,
                                        .modulus_ml = 10000000 * L,
                                        .form = REGISTER_FORWARD };

/* 40 days of 400 L and 401 L in turn, then one of 1 201 L: the median is 400.5 L. */
struct house {
    struct rows rows;
    struct consume_fitting fitting;
    struct consumer *consumer;
};

static void house_open(struct house *h, const struct check_rules *rules, enum use_class use)
{
    int64_t value = 0;

    *h = (struct house){ .fitting = {
                             { 1, 1, D0 * DAY_S, FITTING_OPEN, 0, 0, false }, &household, NULL } };
    h->fitting.rows = &h->rows;
    for (int day = 1; day <= 41; day++) {
        value += day == 41 ? 1201 * L : (400 + day % 2) * L;
        assert_ok(rows_push(&h->rows, (struct row){ value, (uint32_t)((D0 + day) * DAY_S), 0 }));
    }
    assert_ok(consumer_new(&h->fitting, 1, STEP_DAY, &zone, (D0 + 60) * DAY_S, &h->consumer));
    consumer_judge_by(h->consumer, rules, use);
}

static void house_close(struct house *h)
{
    consumer_free(h->consumer);
    rows_done(&h->rows);
}

static const struct consumption *day_of(struct house *h, int day)
{
    const struct consumption *c;

    assert_ok(consumer_row(h->consumer, (D0 + day) * DAY_S, (D0 + day + 1) * DAY_S, &c));
    return c;
}

static void a_verdict_tells_its_version_and_what_it_rested_on(void **state)
{
    struct house h;
    const struct consumption *c;
    const struct check_told *t;

    (void)state;
    house_open(&h, NULL, USE_UNKNOWN);
    c = day_of(&h, 40);
    t = &c->told[CHECK_HIGH];
    /* 1 201 is not above 3 × 400.5 = 1 201.5. */
    assert_int_equal(c->checks, 0);
    assert_int_equal(c->judged, 1u << CHECK_HIGH | 1u << CHECK_LOW | 1u << CHECK_NEGATIVE);
    assert_int_equal(t->version, 1);
    assert_int_equal(t->parameters, 4);
    assert_int_equal(t->inputs, 4);
    assert_int_equal(t->input[0], 1201 * L);
    assert_int_equal(t->input[1], DAY_S);
    assert_int_equal(t->input[2], 801 * L); /* in halves */
    assert_int_equal(t->input[3], 40);
    assert_int_equal(t->value[0], 3000);
    house_close(&h);
}

static void other_figures_judge_otherwise_from_their_day_on(void **state)
{
    struct check_line at[] = { line(2, D0 + 40, USE_UNKNOWN, 15, 2998),
                               line(3, D0 + 41, USE_UNKNOWN, 15, 3000) };
    struct check_rules r = { 2, at, false };
    struct house h;

    (void)state;
    check_rules_sort(&r);
    house_open(&h, &r, USE_UNKNOWN);
    /* 2.998 × 400.5 = 1 200.699; and the day before is judged by version 1. */
    assert_int_equal(day_of(&h, 40)->checks, 1u << CHECK_HIGH);
    assert_int_equal(day_of(&h, 40)->told[CHECK_HIGH].version, 2);
    assert_int_equal(day_of(&h, 39)->told[CHECK_HIGH].version, 1);
    assert_int_equal(day_of(&h, 40)->told[CHECK_LOW].version, 1);
    house_close(&h);
    household.dn_mm = 20;
    house_open(&h, &r, USE_UNKNOWN);
    assert_int_equal(day_of(&h, 40)->checks, 0);
    assert_int_equal(day_of(&h, 40)->told[CHECK_HIGH].version, 1);
    house_close(&h);
    household.dn_mm = 15;
    at[0].state = at[1].state = LINE_OFF;
    house_open(&h, &r, USE_UNKNOWN);
    assert_int_equal(day_of(&h, 40)->judged, 1u << CHECK_LOW | 1u << CHECK_NEGATIVE);
    house_close(&h);
}

static void a_use_class_has_figures_of_its_own(void **state)
{
    struct check_line at[] = { line(2, D0, USE_PUBLIC, 0, 2000) };
    struct check_rules r = { 1, at, false };
    struct house h;

    (void)state;
    check_rules_sort(&r);
    house_open(&h, &r, USE_PUBLIC);
    assert_int_equal(day_of(&h, 40)->checks, 1u << CHECK_HIGH);
    house_close(&h);
    house_open(&h, &r, USE_RESIDENTIAL);
    assert_int_equal(day_of(&h, 40)->checks, 0);
    house_close(&h);
}

/* A history of ten days: the first day that can be judged is the eighth where five are enough. */
static void the_length_of_the_history_is_a_figure(void **state)
{
    struct check_line at[] = { line(2, D0, USE_UNKNOWN, 0, 1000) };
    struct check_rules r = { 1, at, false };
    struct house h;

    (void)state;
    at[0].value[1] = 0;
    at[0].value[2] = 10;
    at[0].value[3] = 5;
    house_open(&h, &r, USE_UNKNOWN);
    assert_int_equal(day_of(&h, 4)->judged & 1u << CHECK_HIGH, 0);
    assert_int_equal(day_of(&h, 5)->judged & 1u << CHECK_HIGH, 1u << CHECK_HIGH);
    assert_int_equal(day_of(&h, 5)->told[CHECK_HIGH].input[3], 5);
    assert_int_equal(day_of(&h, 20)->told[CHECK_HIGH].input[3], 10);
    /* Days 0 to 4 used 401, 400, 401, 400, 401: the median is 401, and day 5 used 400. */
    assert_int_equal(day_of(&h, 5)->told[CHECK_HIGH].input[2], 802 * L);
    assert_int_equal(day_of(&h, 5)->checks, 0);
    assert_int_equal(day_of(&h, 40)->checks, 1u << CHECK_HIGH);
    house_close(&h);
}

static struct check_line of_check(enum check c, int64_t value)
{
    struct check_line l = *check_line_standing(c);

    l.version = 2;
    l.from_day = D0;
    l.state = LINE_ON;
    l.value[0] = value;
    return l;
}

/* 1 201 L on day 40; a bound needs no history. */
static void a_bound_judges_from_the_first_day_on_once_it_is_set(void **state)
{
    struct check_line at[] = { of_check(CHECK_LIMIT, 1201 * L) };
    struct check_rules r = { 1, at, false };
    struct house h;

    (void)state;
    assert_int_equal(check_line_standing(CHECK_LIMIT)->state, LINE_OFF);
    house_open(&h, &r, USE_UNKNOWN);
    assert_int_equal(day_of(&h, 40)->checks, 0);
    assert_int_equal(day_of(&h, 0)->judged, 1u << CHECK_NEGATIVE | 1u << CHECK_LIMIT);
    house_close(&h);
    at[0].value[0] = 1200999;
    house_open(&h, &r, USE_UNKNOWN);
    assert_int_equal(day_of(&h, 40)->checks, 1u << CHECK_LIMIT);
    assert_int_equal(day_of(&h, 40)->told[CHECK_LIMIT].input[0], 1201 * L);
    assert_int_equal(day_of(&h, 39)->checks, 0);
    house_close(&h);
}

/* 2 500 L in an hour is what Q3 gives. */
static void an_hour_above_q3_is_told_once_it_is_asked_for(void **state)
{
    static const int64_t uses[] = { 2500 * L, 2500001 };
    struct check_line at[] = { of_check(CHECK_OVERLOAD, 1000) };
    struct check_rules r = { 1, at, false };

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned on = 0; on < 2; on++) {
            struct rows rows = { 0 };
            struct consume_fitting f = { { 1, 1, D0 * DAY_S, FITTING_OPEN, 0, 0, false },
                                         &household,
                                         &rows };
            const struct consumption *c;
            struct consumer *hours;

            for (int64_t hour = 1; hour <= 3; hour++)
                assert_ok(
                    rows_push(&rows, (struct row){ hour > 1 ? uses[i] : 0,
                                                   (uint32_t)(D0 * DAY_S + hour * 3600), 0 }));
            assert_ok(consumer_new(&f, 1, STEP_HOUR, &zone, (D0 + 60) * DAY_S, &hours));
            consumer_judge_by(hours, on ? &r : NULL, USE_UNKNOWN);
            assert_ok(consumer_row(hours, D0 * DAY_S + 3600, D0 * DAY_S + 7200, &c));
            assert_int_equal(c->consumption_ml, uses[i]);
            assert_int_equal(c->checks & 1u << CHECK_OVERLOAD, i && on ? 1u << CHECK_OVERLOAD : 0);
            if (on)
                assert_int_equal(c->told[CHECK_OVERLOAD].input[1], 2500 * L);
            consumer_free(hours);
            rows_done(&rows);
        }
}

static void checks_are_told_by_name(void **state)
{
    (void)state;
    for (unsigned n = 1; n < CHECK_COUNT; n++)
        assert_true(strcmp(check_name(check_by_name(n - 1)), check_name(check_by_name(n))) < 0);
}

static void told_figures_come_back(void **state)
{
    struct check_told t = { .version = 300,
                            .parameters = 2,
                            .inputs = 3,
                            .value = { 1, -2 },
                            .input = { INT64_MAX, INT64_MIN, 0 } },
                      back;
    uint8_t bytes[128];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct rd r;

    (void)state;
    check_told_write(&w, &t);
    assert_ok(w.err);
    r = rd_of(wr_span(&w));
    check_told_read(&r, &back);
    assert_ok(r.err);
    assert_int_equal(rd_left(&r), 0);
    assert_true(is_same_told(&back, &t));
    for (size_t len = 0; len < wr_len(&w); len++) {
        r = rd_of(span_of(bytes, len));
        check_told_read(&r, &back);
        assert_true(r.err != ERR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_narrowest_line_of_the_latest_day_holds),
        cmocka_unit_test(the_order_of_lines_is_no_matter),
        cmocka_unit_test(figures_out_of_their_range_are_told),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_ceiling_that_is_shown_is_the_one_that_judges),
        cmocka_unit_test(the_roll_over_that_is_shown_is_the_one_that_counts),
        cmocka_unit_test(rules_have_a_name_each_and_texts_in_both_languages),
        cmocka_unit_test(a_verdict_tells_its_version_and_what_it_rested_on),
        cmocka_unit_test(other_figures_judge_otherwise_from_their_day_on),
        cmocka_unit_test(a_use_class_has_figures_of_its_own),
        cmocka_unit_test(the_length_of_the_history_is_a_figure),
        cmocka_unit_test(a_bound_judges_from_the_first_day_on_once_it_is_set),
        cmocka_unit_test(an_hour_above_q3_is_told_once_it_is_asked_for),
        cmocka_unit_test(checks_are_told_by_name),
        cmocka_unit_test(told_figures_come_back),
    };

    zone_fixed(&zone, "UTC", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
