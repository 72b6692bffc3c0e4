/* Consumption of a point (rules-bills C, D and E), told as small stories, and what must hold for
 * any: spans add up. */
#include "server/billing/consume.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HOUR_S 3600
#define DAY_S 86400
#define M3 1000000ll
#define MANY 20000

static struct meter_facts household = { .id = 1,
                                        .serial = "M1",
                                        .q3_lph = 2500,
                                        .resolution_ml = 1000,
                                        .modulus_ml = 10000 * M3,
                                        .form = REGISTER_FORWARD };

static int64_t at(const char *text)
{
    int64_t at_s = 0;

    assert_ok(text_time(span_text(text), NULL, &at_s));
    return at_s;
}

static int64_t ml(const char *litres)
{
    int64_t v = 0;

    assert_ok(text_litres(span_text(litres), &v));
    return v;
}

/* ---- a point and what it is asked ----------------------------------------------------------- */

static struct zone zone;

struct place {
    struct consume_fitting fittings[4];
    size_t count;
    struct meter_facts meters[4];
    struct rows rows[4];
    int64_t now_s;
};

static void place_fit(struct place *p, const struct meter_facts *m, const char *from,
                      const char *start, const char *to, const char *end)
{
    size_t n = p->count++;

    p->meters[n] = *m;
    snprintf(p->meters[n].serial, sizeof(p->meters[n].serial), "M%zu", n + 1);
    p->fittings[n] = (struct consume_fitting){ { m->id, 1, at(from), to ? at(to) : FITTING_OPEN,
                                                 ml(start), end ? ml(end) : 0, end != NULL },
                                               &p->meters[n],
                                               &p->rows[n] };
}

static void place_read(struct place *p, size_t n, int64_t at_s, int64_t value)
{
    assert_ok(rows_push(&p->rows[n], (struct row){ value, (uint32_t)at_s, 0 }));
}

static void place_done(struct place *p)
{
    for (size_t i = 0; i < 4; i++)
        rows_done(&p->rows[i]);
}

static struct {
    struct consumption c[MANY];
    struct part parts[8]; /* of the last */
    size_t count;
} answer;

static bool keep(void *arg, const struct consumption *c)
{
    (void)arg;
    assert_true(answer.count < MANY);
    answer.c[answer.count++] = *c;
    if (c->part_count <= 8 && c->part_count)
        memcpy(answer.parts, c->parts, c->part_count * sizeof(*c->parts));
    return true;
}

static void ask_s(struct place *p, int64_t from_s, int64_t to_s, enum consume_step step)
{
    answer.count = 0;
    assert_ok(consume(p->fittings, p->count, from_s, to_s, step, &zone, p->now_s, keep, NULL));
}

static void ask(struct place *p, const char *from, const char *to, enum consume_step step)
{
    ask_s(p, at(from), at(to), step);
}

/* "4000.555 L 4 m3 actual interpolated"; "missing". */
static void said_at(size_t n, const char *expected, const char *file, int line)
{
    const struct consumption *c = &answer.c[n];
    const char *method = method_name(c->method);
    char found[120], litres[TEXT_LITRES_SIZE];

    text_put_litres(litres, c->consumption_ml);
    if (c->known)
        snprintf(found, sizeof(found), "%s L %lld m3 %s%s%s", litres, (long long)c->billed_m3,
                 quality_name(c->quality), method ? " " : "", method ? method : "");
    else
        snprintf(found, sizeof(found), "%s%s", quality_name(c->quality), method ? method : "");
    _assert_string_equal(found, expected, file, line);
}
#define said(n, expected) said_at(n, expected, __FILE__, __LINE__)

/* "metered M1 21480-33117 = 11637 L actual read" */
static void part_at(size_t n, const char *expected, const char *file, int line)
{
    const struct part *p = &answer.parts[n];
    const char *method = method_name(p->method);
    char found[200], start[TEXT_LITRES_SIZE], end[TEXT_LITRES_SIZE], litres[TEXT_LITRES_SIZE];

    text_put_litres(start, p->start_ml);
    text_put_litres(end, p->end_ml);
    text_put_litres(litres, p->consumption_ml);
    if (p->kind == PART_NO_METER)
        snprintf(found, sizeof(found), "%s = %s L %s", part_kind_name(p->kind), litres,
                 quality_name(p->quality));
    else if (!p->known)
        snprintf(found, sizeof(found), "%s %s %s", part_kind_name(p->kind), p->serial,
                 quality_name(p->quality));
    else
        snprintf(found, sizeof(found), "%s %s %s-%s = %s L %s %s", part_kind_name(p->kind),
                 p->serial, start, end, litres, quality_name(p->quality), method ? method : "");
    _assert_string_equal(found, expected, file, line);
}
#define part(n, expected) part_at(n, expected, __FILE__, __LINE__)

static int shanghai(void **state)
{
    (void)state;
    zone_fixed(&zone, "+08", 8 * HOUR_S);
    return 0;
}

/* ---- read and interpolated ------------------------------------------------------------------ */

static void cubic_metres_are_the_floors_of_the_dial(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_fit(&p, &household, "2026-01-01T00:00:00Z", "0", NULL, NULL);
    place_read(&p, 0, at("2026-03-31T16:00:00Z"), ml("7990"));
    place_read(&p, 0, at("2026-04-30T16:00:00Z"), ml("16010.5"));
    place_read(&p, 0, at("2026-05-31T16:00:00Z"), ml("16999.9"));
    ask(&p, "2026-03-31T16:00:00Z", "2026-04-30T16:00:00Z", STEP_NONE);
    said(0, "8020.5 L 9 m3 actual read");
    part(0, "metered M1 7990-16010.5 = 8020.5 L actual read");
    ask(&p, "2026-03-31T16:00:00Z", "2026-05-31T16:00:00Z", STEP_MONTH);
    assert_int_equal(answer.count, 2);
    said(0, "8020.5 L 9 m3 actual read");
    said(1, "989.4 L 0 m3 actual read");
    place_done(&p);
}

static void between_readings_the_line_is_floored_once(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_fit(&p, &household, "2026-01-01T00:00:00Z", "0", NULL, NULL);
    place_read(&p, 0, at("2026-05-01T00:00:00Z"), ml("1000"));
    place_read(&p, 0, at("2026-05-01T07:00:00Z"), ml("1100"));
    ask(&p, "2026-05-01T00:00:00Z", "2026-05-01T07:00:00Z", STEP_HOUR);
    assert_int_equal(answer.count, 7);
    said(0, "14.285 L 0 m3 estimated interpolated");
    said(1, "14.286 L 0 m3 estimated interpolated");
    said(3, "14.285 L 0 m3 estimated interpolated");
    said(6, "14.286 L 0 m3 estimated interpolated");
    ask(&p, "2026-05-01T00:00:00Z", "2026-05-01T07:00:00Z", STEP_NONE);
    said(0, "100 L 0 m3 actual read");
    ask(&p, "2026-05-01T01:00:00Z", "2026-05-01T02:00:00Z", STEP_NONE);
    said(0, "14.286 L 0 m3 actual interpolated");
    place_done(&p);
}

static void beyond_36_hours_a_line_is_an_estimate(void **state)
{
    static const int64_t apart_s[] = { 36 * HOUR_S, 36 * HOUR_S + 1 };
    static const char *const expected[] = { "180 L 0 m3 actual interpolated",
                                            "179.998 L 0 m3 estimated interpolated" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct place p = { .now_s = at("2026-06-02T00:00:00Z") };
        int64_t begin_s = at("2026-05-01T00:00:00Z");

        place_fit(&p, &household, "2026-01-01T00:00:00Z", "0", NULL, NULL);
        place_read(&p, 0, begin_s, ml("1000"));
        place_read(&p, 0, begin_s + apart_s[i], ml("1360"));
        ask_s(&p, begin_s, begin_s + 18 * HOUR_S, STEP_NONE);
        said(0, expected[i]);
        place_done(&p);
    }
}

static void a_roll_over_inside_the_span_counts_through_zero(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_fit(&p, &household, "2026-04-20T00:00:00Z", "9990000", NULL, NULL);
    place_read(&p, 0, at("2026-05-01T00:00:00Z"), ml("9999500"));
    place_read(&p, 0, at("2026-05-01T10:00:00Z"), ml("500"));
    ask(&p, "2026-05-01T00:00:00Z", "2026-05-01T10:00:00Z", STEP_NONE);
    said(0, "1000 L 1 m3 actual read");
    part(0, "metered M1 9999500-500 = 1000 L actual read");
    assert_int_equal(answer.parts[0].rollovers, 1);
    ask(&p, "2026-05-01T06:00:00Z", "2026-05-01T10:00:00Z", STEP_NONE);
    part(0, "metered M1 100-500 = 400 L actual interpolated");
    assert_int_equal(answer.parts[0].rollovers, 0);
    ask(&p, "2026-05-01T04:00:00Z", "2026-05-01T06:00:00Z", STEP_NONE);
    part(0, "metered M1 9999900-100 = 200 L actual interpolated");
    assert_int_equal(answer.parts[0].rollovers, 1);
    said(0, "200 L 1 m3 actual interpolated");
    place_done(&p);
}

static void a_net_register_may_give_back(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };
    struct meter_facts net = household;

    (void)state;
    net.form = REGISTER_NET;
    place_fit(&p, &net, "2026-01-01T00:00:00Z", "700", NULL, NULL);
    place_read(&p, 0, at("2026-04-30T16:00:00Z"), ml("1000"));
    place_read(&p, 0, at("2026-05-01T16:00:00Z"), ml("995.5"));
    place_read(&p, 0, at("2026-05-02T16:00:00Z"), ml("9999990"));
    ask(&p, "2026-04-30T16:00:00Z", "2026-05-02T16:00:00Z", STEP_DAY);
    said(0, "-4.5 L -1 m3 actual read");
    said(1, "-1005.5 L -1 m3 actual read");
    assert_int_equal(answer.parts[0].rollovers, -1);
    place_done(&p);
}

/* ---- meters come and go --------------------------------------------------------------------- */

static void an_exchange_and_a_hole_are_parts(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_fit(&p, &household, "2026-01-01T00:00:00Z", "0", "2026-05-10T00:00:00Z", "5600");
    place_fit(&p, &household, "2026-05-10T00:00:00Z", "12", "2026-05-20T00:00:00Z", "1900");
    place_fit(&p, &household, "2026-05-25T00:00:00Z", "3", NULL, NULL);
    place_read(&p, 0, at("2026-05-01T00:00:00Z"), ml("5000"));
    place_read(&p, 2, at("2026-05-31T16:00:00Z"), ml("103"));
    ask(&p, "2026-05-01T00:00:00Z", "2026-05-31T16:00:00Z", STEP_NONE);
    said(0, "2588 L 1 m3 actual read");
    assert_int_equal(answer.c[0].part_count, 4);
    part(0, "metered M1 5000-5600 = 600 L actual read");
    part(1, "metered M2 12-1900 = 1888 L actual read");
    part(2, "no meter = 0 L actual");
    part(3, "metered M3 3-103 = 100 L actual read");
    ask(&p, "2026-05-21T00:00:00Z", "2026-05-22T00:00:00Z", STEP_NONE);
    said(0, "0 L 0 m3 actual");
    assert_int_equal(answer.c[0].part_count, 1);
    ask(&p, "2026-05-20T00:00:00Z", "2026-05-25T00:00:00Z", STEP_NONE); /* no part of no length */
    assert_int_equal(answer.c[0].part_count, 1);
    place_done(&p);
}

static void nobody_ever_fitted_is_nothing_used(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    ask(&p, "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", STEP_NONE);
    said(0, "0 L 0 m3 actual");
    part(0, "no meter = 0 L actual");
}

static void a_re_base_counts_nothing_and_both_stretches_count(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };
    int64_t begin_s = at("2026-05-01T00:00:00Z");
    static const char *const litres[] = { "807750", "808000", "120", "360", "620", "900" };

    (void)state;
    place_fit(&p, &household, "2024-01-01T00:00:00Z", "0", NULL, NULL);
    for (int i = 0; i < 6; i++)
        place_read(&p, 0, begin_s + i * DAY_S, ml(litres[i]));
    ask_s(&p, begin_s, begin_s + 5 * DAY_S, STEP_NONE);
    said(0, "1030 L 1 m3 estimated re-based");
    assert_int_equal(answer.c[0].part_count, 3);
    part(0, "metered M1 807750-808000 = 250 L actual read");
    part(1, "re-based M1 808000-120 = 0 L estimated re-based");
    part(2, "metered M1 120-900 = 780 L actual read");
    /* Cut inside the step, the part still names the readings at its ends. */
    ask_s(&p, begin_s + DAY_S + HOUR_S, begin_s + DAY_S + 2 * HOUR_S, STEP_NONE);
    said(0, "0 L 0 m3 estimated re-based");
    assert_int_equal(answer.c[0].part_count, 1);
    part(0, "re-based M1 808000-120 = 0 L estimated re-based");
    ask_s(&p, begin_s + DAY_S + HOUR_S, begin_s + 3 * DAY_S, STEP_NONE);
    said(0, "240 L 0 m3 estimated re-based");
    ask_s(&p, begin_s, begin_s + 5 * DAY_S, STEP_DAY);
    assert_int_equal(answer.count, 6); /* civil days begin at 16:00Z */
    place_done(&p);
}

/* ---- after the last reading ----------------------------------------------------------------- */

static void after_the_last_reading_the_mean_of_28_days_goes_on(void **state)
{
    struct place p = { .now_s = at("2026-05-30T04:00:00Z") };
    int64_t begin_s = at("2026-04-01T00:00:00Z");

    (void)state;
    place_fit(&p, &household, "2026-03-01T00:00:00Z", "0", NULL, NULL);
    place_read(&p, 0, begin_s, ml("1000"));
    place_read(&p, 0, begin_s + 28 * DAY_S, ml("1700")); /* 25 L a day */
    ask_s(&p, begin_s + 28 * DAY_S, begin_s + 29 * DAY_S, STEP_NONE);
    said(0, "25 L 0 m3 estimated profile");
    ask_s(&p, begin_s + 28 * DAY_S, begin_s + 28 * DAY_S + 100, STEP_NONE);
    said(0, "0.028 L 0 m3 estimated profile");
    ask(&p, "2026-05-29T04:00:00Z", "2026-05-30T04:00:00Z", STEP_NONE);
    said(0, "25 L 0 m3 estimated profile");
    ask(&p, "2026-05-29T04:00:00Z", "2026-05-30T04:00:01Z", STEP_NONE);
    said(0, "missing");
    part(0, "metered M1 missing");
    place_done(&p);
}

static void a_week_is_the_least_to_go_by(void **state)
{
    static const int64_t heard_s[] = { 7 * DAY_S - 1, 7 * DAY_S };
    static const char *const expected[] = { "missing", "100 L 0 m3 estimated profile" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct place p = { .now_s = at("2026-05-30T04:00:00Z") };
        int64_t from_s = at("2026-05-01T00:00:00Z");

        place_fit(&p, &household, "2026-05-01T00:00:00Z", "777", NULL, NULL);
        place_read(&p, 0, from_s + heard_s[i], ml("1477"));
        ask_s(&p, from_s + heard_s[i], from_s + heard_s[i] + DAY_S, STEP_NONE);
        said(0, expected[i]);
        place_done(&p);
    }
}

static void never_heard_is_missing_and_not_zero(void **state)
{
    struct place p = { .now_s = at("2026-05-30T04:00:00Z") };

    (void)state;
    place_fit(&p, &household, "2026-01-01T00:00:00Z", "777", NULL, NULL);
    ask(&p, "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", STEP_NONE);
    said(0, "missing");
    place_done(&p);
}

/* ---- the shape of days like it -------------------------------------------------------------- */

/* Litres of each hour of a working day and of a day off. */
static const int working[24] = { 2,  1, 0, 0, 1, 6,  22, 35, 18, 9, 7, 8,
                                 14, 9, 6, 5, 8, 12, 25, 28, 14, 9, 5, 2 };
static const int at_home[24] = { 3,  2,  1,  0,  0,  2,  6,  14, 28, 34, 25, 18,
                                 22, 15, 12, 10, 11, 14, 20, 24, 18, 12, 8,  4 };

/* Hourly readings over civil days from 2026-05-04, a Monday; `leave` tells which hours since then
 * have none. */
static void place_days(struct place *p, int days, bool (*leave)(int hour))
{
    int64_t begin_s = at("2026-05-03T16:00:00Z"), value = ml("20000");

    place_fit(p, &household, "2026-01-01T00:00:00Z", "0", NULL, NULL);
    for (int hour = 0; hour <= 24 * days; hour++) {
        const int *use = hour / 24 % 7 >= 5 ? at_home : working;

        if (!leave(hour))
            place_read(p, 0, begin_s + (int64_t)hour * HOUR_S, value);
        value += use[hour % 24] * 1000ll;
    }
}

static int64_t hour_of(int hour)
{
    return at("2026-05-03T16:00:00Z") + (int64_t)hour * HOUR_S;
}

static bool thursday_morning(int hour)
{
    return hour > 3 * 24 + 6 && hour < 3 * 24 + 12;
}

static void a_gap_takes_the_shape_of_three_days_like_it(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_days(&p, 5, thursday_morning);
    ask_s(&p, hour_of(3 * 24 + 5), hour_of(3 * 24 + 13), STEP_HOUR);
    said(0, "6 L 0 m3 actual read");
    for (int i = 1; i <= 6; i++) { /* all days are alike, so the shape finds the very litres */
        assert_int_equal(answer.c[i].consumption_ml, working[5 + i] * 1000);
        assert_int_equal(answer.c[i].method, METHOD_LIKE_DAY);
        assert_int_equal(answer.c[i].quality, QUALITY_ESTIMATED);
    }
    said(7, "14 L 0 m3 actual read");
    ask_s(&p, hour_of(3 * 24 + 8), hour_of(3 * 24 + 9), STEP_NONE);
    said(0, "18 L 0 m3 actual like-day");
    ask_s(&p, hour_of(3 * 24 + 7) + 1800, hour_of(3 * 24 + 7) + 1801,
          STEP_NONE); /* within the hour it is a line */
    said(0, "0.009 L 0 m3 actual like-day");
    place_done(&p);
}

static bool wednesday_morning(int hour)
{
    return hour > 2 * 24 + 6 && hour < 2 * 24 + 12;
}

static void two_days_are_no_profile(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_days(&p, 5, wednesday_morning);
    ask_s(&p, hour_of(2 * 24 + 6), hour_of(2 * 24 + 7), STEP_NONE);
    said(0, "16.5 L 0 m3 actual interpolated"); /* 99 L in six hours */
    place_done(&p);
}

static bool thursday_two_gaps(int hour)
{
    return hour == 3 * 24 + 7 || hour == 3 * 24 + 12 || hour == 3 * 24 + 13;
}

static void two_hours_are_a_line_and_three_have_the_shape(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_days(&p, 5, thursday_two_gaps);
    ask_s(&p, hour_of(3 * 24 + 6), hour_of(3 * 24 + 7), STEP_NONE);
    said(0, "28.5 L 0 m3 actual interpolated");
    ask_s(&p, hour_of(3 * 24 + 11), hour_of(3 * 24 + 12), STEP_NONE);
    said(0, "8 L 0 m3 actual like-day");
    place_done(&p);
}

static bool friday_night(int hour)
{
    return hour > 18 * 24 + 20 && hour < 19 * 24 + 10;
}

static bool friday_night_after_one_weekend(int hour)
{
    return hour > 11 * 24 + 20 && hour < 12 * 24 + 10;
}

static void a_gap_over_friday_night_needs_both_shapes(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_days(&p, 21, friday_night);
    ask_s(&p, hour_of(18 * 24 + 20), hour_of(19 * 24 + 10), STEP_HOUR);
    assert_int_equal(answer.count, 14);
    for (int i = 0; i < 14; i++) {
        int hour = 20 + i;

        assert_int_equal(answer.c[i].consumption_ml,
                         (hour < 24 ? working[hour] : at_home[hour - 24]) * 1000);
        assert_int_equal(answer.c[i].method, METHOD_LIKE_DAY);
    }
    place_done(&p);
    /* One weekend has two days off: no profile for them, so none at all. */
    p = (struct place){ .now_s = at("2026-06-02T00:00:00Z") };
    place_days(&p, 14, friday_night_after_one_weekend);
    ask_s(&p, hour_of(11 * 24 + 20), hour_of(11 * 24 + 21), STEP_NONE);
    assert_int_equal(answer.c[0].method, METHOD_INTERPOLATED);
    place_done(&p);
}

static bool friday_morning_and_a_hole_on_tuesday(int hour)
{
    return hour == 24 + 4 || (hour > 4 * 24 + 6 && hour < 4 * 24 + 12);
}

static bool two_holes(int hour)
{
    return hour == 2 * 24 + 4 || friday_morning_and_a_hole_on_tuesday(hour);
}

static void a_day_with_a_hole_is_no_pattern(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_days(&p, 5, friday_morning_and_a_hole_on_tuesday);
    ask_s(&p, hour_of(4 * 24 + 7), hour_of(4 * 24 + 8), STEP_NONE);
    said(0, "35 L 0 m3 actual like-day");
    place_done(&p);
    p = (struct place){ .now_s = at("2026-06-02T00:00:00Z") };
    place_days(&p, 5, two_holes);
    ask_s(&p, hour_of(4 * 24 + 7), hour_of(4 * 24 + 8), STEP_NONE);
    said(0, "16.5 L 0 m3 actual interpolated");
    place_done(&p);
}

static bool daily_from_thursday_on(int hour)
{
    return hour > 3 * 24 && hour % 24 != 0;
}

/* Hourly on Monday to Wednesday, then once a day: on the fourth Monday after, the first begins just
 * 28 days before. */
static void days_older_than_28_days_give_no_shape(void **state)
{
    struct place p = { .now_s = at("2026-07-02T00:00:00Z") };

    (void)state;
    place_days(&p, 32, daily_from_thursday_on);
    ask_s(&p, hour_of(28 * 24 + 7), hour_of(28 * 24 + 8), STEP_NONE);
    said(0, "35 L 0 m3 actual like-day");
    ask_s(&p, hour_of(29 * 24 + 7), hour_of(29 * 24 + 8), STEP_NONE);
    assert_int_equal(answer.c[0].method, METHOD_INTERPOLATED);
    ask_s(&p, hour_of(5 * 24 + 7), hour_of(5 * 24 + 8),
          STEP_NONE); /* a Saturday, with no day off before it */
    assert_int_equal(answer.c[0].method, METHOD_INTERPOLATED);
    place_done(&p);
}

static void a_net_register_has_no_shape(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };

    (void)state;
    place_days(&p, 5, thursday_morning);
    p.meters[0].form = REGISTER_NET;
    ask_s(&p, hour_of(3 * 24 + 6), hour_of(3 * 24 + 7), STEP_NONE);
    said(0, "16.5 L 0 m3 actual interpolated");
    place_done(&p);
}

/* ---- civil time ----------------------------------------------------------------------------- */

static void days_of_23_and_25_hours_count_their_hours(void **state)
{
    struct place p = { .now_s = at("2017-06-02T00:00:00Z") };
    struct span file;

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Madrid", R_OK)) {
        print_message("no Europe/Madrid here: the test is skipped\n");
        skip();
    }
    file = check_read("/usr/share/zoneinfo/Europe/Madrid");
    assert_ok(zone_read(&zone, "Europe/Madrid", file));
    free((void *)file.at);
    place_fit(&p, &household, "2016-01-01T00:00:00Z", "0", NULL, NULL);
    for (int64_t t = at("2016-01-01T06:00:00Z"); t < at("2017-01-02T00:00:00Z"); t += DAY_S)
        place_read(&p, 0, t, (t - at("2016-01-01T00:00:00Z")) / HOUR_S * 12000);
    ask(&p, "2016-03-26T23:00:00Z", "2016-03-28T22:00:00Z", STEP_DAY);
    assert_int_equal(answer.count, 2);
    said(0, "276 L 1 m3 actual interpolated");
    said(1, "288 L 0 m3 actual interpolated");
    ask(&p, "2016-10-29T22:00:00Z", "2016-10-30T23:00:00Z", STEP_DAY);
    assert_int_equal(answer.count, 1);
    said(0, "300 L 0 m3 actual interpolated");
    ask(&p, "2016-10-29T22:00:00Z", "2016-10-30T23:00:00Z", STEP_HOUR);
    assert_int_equal(answer.count, 25);
    ask(&p, "2016-01-10T00:00:00Z", "2016-12-31T23:00:00Z", STEP_MONTH);
    assert_int_equal(answer.count, 12);
    place_done(&p);
    shanghai(NULL);
}

/* ---- what a person should look at (E) -------------------------------------------------------- */

static void checked_at(size_t n, const char *expected, const char *file, int line)
{
    char found[64] = "";

    for (unsigned c = 0; c < CHECK_COUNT; c++) {
        if (answer.c[n].checks >> c & 1) {
            strcat(found, *found ? " " : "");
            strcat(found, check_name((enum check)c));
        }
    }
    _assert_string_equal(found, expected, file, line);
}
#define checked(n, expected) checked_at(n, expected, __FILE__, __LINE__)

/* A reading at the start of each civil day from 2026-04-01 on (Shanghai), `use_l[i]` litres on day
 * i. */
static void place_daily(struct place *p, int days, int (*use_l)(int day))
{
    int64_t begin_s = at("2026-03-31T16:00:00Z"), value = ml("5000");

    place_fit(p, &household, "2026-03-31T16:00:00Z", "5000", NULL, NULL);
    for (int day = 0; day < days; day++) {
        value += use_l(day) * 1000ll;
        place_read(p, 0, begin_s + (day + 1) * (int64_t)DAY_S, value);
    }
}

static void ask_days(struct place *p, int first, int count)
{
    int64_t begin_s = at("2026-03-31T16:00:00Z") + first * (int64_t)DAY_S;

    ask_s(p, begin_s, begin_s + count * (int64_t)DAY_S, STEP_DAY);
    assert_int_equal(answer.count, count);
}

static int steady_then_high(int day)
{
    static const int after[] = { 1200, 1201, 400, 119, 400 };

    return day < 30 ? 400 : after[(day - 30) % 5];
}

static void high_is_above_three_times_the_median_and_500_litres(void **state)
{
    struct place p = { .now_s = at("2026-07-02T00:00:00Z") };

    (void)state;
    place_daily(&p, 35, steady_then_high);
    ask_days(&p, 30, 5);
    checked(0, ""); /* just three times */
    checked(1, "high");
    checked(2, "");
    checked(3, ""); /* below 0.3 times, but by less than 500 L */
    ask_days(&p, 29, 2);
    checked(0, ""); /* 29 days of history */
    place_done(&p);
}

static int small_then_500_more(int day)
{
    return day < 30 ? 200 : 670 + day; /* 700 on the first */
}

static void high_needs_500_litres_more(void **state)
{
    struct place p = { .now_s = at("2026-07-02T00:00:00Z") };

    (void)state;
    place_daily(&p, 32, small_then_500_more);
    ask_days(&p, 30, 2);
    checked(0, "");
    checked(1, "high");
    place_done(&p);
}

static int shop_that_closes(int day)
{
    static const int after[] = { 1300, 1200, 1199, 900 };

    return day < 31 ? 4000 : day < 35 ? after[day - 31] : 0;
}

static void low_at_once_and_zero_from_the_seventh_day(void **state)
{
    struct place p = { .now_s = at("2026-07-02T00:00:00Z") };

    (void)state;
    place_daily(&p, 45, shop_that_closes);
    ask_days(&p, 31, 13);
    checked(0, "");
    checked(1, ""); /* just 0.3 times */
    checked(2, "low");
    checked(3, "low");
    checked(4, "low");
    checked(9, "low");
    checked(10, "low zero");
    place_done(&p);
}

static int nothing(int day)
{
    (void)day;
    return 0;
}

static void one_that_never_turned_is_vacant_and_not_stopped(void **state)
{
    struct place p = { .now_s = at("2026-07-02T00:00:00Z") };

    (void)state;
    place_daily(&p, 20, nothing);
    ask_days(&p, 12, 2);
    checked(0, "");
    place_done(&p);
}

static void a_spike_stands_out_of_a_whole_day(void **state)
{
    static const struct {
        const char *spike, *expected;
        int missing;
    } days[] = { { "280", "", 0 }, { "280.001", "spike", 0 }, { "600", "", 20 } };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct place p = { .now_s = at("2026-07-02T00:00:00Z") };
        int64_t value = ml("70000");

        place_fit(&p, &household, "2026-01-01T00:00:00Z", "0", NULL, NULL);
        for (int hour = 0; hour <= 24; hour++) {
            if (hour != days[i].missing || hour == 0)
                place_read(&p, 0, hour_of(hour), value);
            value += hour == 12 ? ml(days[i].spike) : hour == 8 || hour == 9 ? ml("100") : ml("3");
        }
        ask_s(&p, hour_of(11), hour_of(14), STEP_HOUR);
        checked(0, "");
        checked(1, days[i].expected);
        checked(2, "");
        ask_s(&p, hour_of(0), hour_of(24), STEP_NONE);
        checked(0, "");
        place_done(&p);
    }
}

static void a_spike_is_above_a_tenth_of_q3(void **state)
{
    static const char *const spikes[] = { "250", "250.001" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct place p = { .now_s = at("2026-07-02T00:00:00Z") };
        int64_t value = ml("70000");

        place_fit(&p, &household, "2026-01-01T00:00:00Z", "0", NULL, NULL);
        for (int hour = 0; hour <= 24; hour++) {
            place_read(&p, 0, hour_of(hour), value);
            value += hour == 12 ? ml(spikes[i]) : 0;
        }
        ask_s(&p, hour_of(12), hour_of(13), STEP_HOUR);
        checked(0, i ? "spike" : "");
        place_done(&p);
    }
}

static void what_is_given_back_is_negative(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };
    struct meter_facts net = household;

    (void)state;
    net.form = REGISTER_NET;
    place_fit(&p, &net, "2026-01-01T00:00:00Z", "700", NULL, NULL);
    place_read(&p, 0, hour_of(0), ml("1000"));
    place_read(&p, 0, hour_of(1), ml("995.5"));
    place_read(&p, 0, hour_of(2), ml("1000"));
    ask_s(&p, hour_of(0), hour_of(2), STEP_HOUR);
    checked(0, "negative");
    checked(1, "");
    place_done(&p);
}

static void an_estimate_is_not_checked(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };
    struct meter_facts net = household;

    (void)state;
    net.form = REGISTER_NET;
    place_fit(&p, &net, "2026-01-01T00:00:00Z", "700", NULL, NULL);
    place_read(&p, 0, hour_of(0), ml("1000"));
    place_read(&p, 0, hour_of(100), ml("900"));
    ask_s(&p, hour_of(1), hour_of(2), STEP_NONE);
    assert_int_equal(answer.c[0].quality, QUALITY_ESTIMATED);
    checked(0, "");
    place_done(&p);
}

/* ---- what holds for any --------------------------------------------------------------------- */

static void random_place(struct check_random *random, struct place *p)
{
    struct meter_facts m = household;
    int64_t value = 0, begin_s = at("2026-03-01T00:00:00Z"), at_s = begin_s;
    char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE];

    m.form = check_below(random, 4) ? REGISTER_FORWARD : REGISTER_NET;
    m.modulus_ml = 20 * M3;
    *p = (struct place){ .now_s = begin_s + 60 * DAY_S };
    for (size_t n = 0; n < 3; n++) {
        int64_t end_s = at_s + check_between(random, 1, 20 * DAY_S), t = at_s;

        text_put_time(from, at_s);
        text_put_time(to, end_s);
        place_fit(p, &m, from, "0", n < 2 ? to : NULL,
                  check_below(random, 2) && n < 2 ? "300" : NULL);
        value = 0;
        while ((t += check_between(random, 1, check_below(random, 3) ? HOUR_S : 3 * DAY_S)) <
               end_s) {
            value += check_below(random, 10) ? check_between(random, 0, 90000)
                                             : check_between(random, -5000000, 5000000);
            place_read(p, n, t, value);
        }
        at_s = end_s + check_between(random, 0, 1) * check_between(random, 0, 3 * DAY_S);
    }
}

static void the_parts_of_a_span_add_up_and_leave_no_hole(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct place p;
        int64_t from_s, to_s, litres, metres;

        random_place(&random, &p);
        from_s = at("2026-03-01T00:00:00Z") + check_between(&random, -DAY_S, 40 * DAY_S);
        to_s = from_s + check_between(&random, 1, 20 * DAY_S);
        ask_s(&p, from_s, to_s, STEP_NONE);
        litres = answer.c[0].consumption_ml;
        metres = answer.c[0].billed_m3;
        if (answer.c[0].part_count <= 8) {
            for (size_t k = 0; k < answer.c[0].part_count; k++) {
                assert_int_equal(answer.parts[k].from_s, k ? answer.parts[k - 1].to_s : from_s);
                assert_true(answer.parts[k].to_s > answer.parts[k].from_s);
            }
            assert_int_equal(answer.parts[answer.c[0].part_count - 1].to_s, to_s);
        }
        for (unsigned step = STEP_HOUR; answer.c[0].known && step <= STEP_MONTH; step++) {
            int64_t sum = 0, cubes = 0, end_s = from_s;

            ask_s(&p, from_s, to_s, (enum consume_step)step);
            for (size_t k = 0; k < answer.count; k++) {
                assert_int_equal(answer.c[k].from_s, end_s);
                end_s = answer.c[k].to_s;
                assert_true(answer.c[k].known);
                sum += answer.c[k].consumption_ml;
                cubes += answer.c[k].billed_m3;
            }
            assert_int_equal(end_s, to_s);
            assert_int_equal(sum, litres);
            assert_int_equal(cubes, metres);
            ask_s(&p, from_s, to_s, STEP_NONE);
        }
        place_done(&p);
    }
}

static bool first_only(void *arg, const struct consumption *c)
{
    (void)c;
    ++*(int *)arg;
    return false;
}

static void whoever_asks_may_stop(void **state)
{
    struct place p = { .now_s = at("2026-06-02T00:00:00Z") };
    int calls = 0;

    (void)state;
    place_days(&p, 5, two_holes);
    assert_ok(consume(p.fittings, 1, hour_of(0), hour_of(100), STEP_HOUR, &zone, p.now_s,
                      first_only, &calls));
    assert_int_equal(calls, 1);
    place_done(&p);
}

/* A clock that jumped leaves a gap of 80 years after days that give it a shape. */
static void a_gap_of_decades_is_no_burden(void **state)
{
    struct place p = { .now_s = at("2027-06-02T00:00:00Z") };
    clock_t begin = clock();

    (void)state;
    place_days(&p, 21, two_holes);
    place_read(&p, 0, 4200000000, ml("90000"));
    ask_s(&p, hour_of(21 * 24), hour_of(21 * 24 + MANY - 1), STEP_HOUR);
    assert_int_equal(answer.c[100].method, METHOD_LIKE_DAY);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 5);
    place_done(&p);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cubic_metres_are_the_floors_of_the_dial),
        cmocka_unit_test(between_readings_the_line_is_floored_once),
        cmocka_unit_test(beyond_36_hours_a_line_is_an_estimate),
        cmocka_unit_test(a_roll_over_inside_the_span_counts_through_zero),
        cmocka_unit_test(a_net_register_may_give_back),
        cmocka_unit_test(an_exchange_and_a_hole_are_parts),
        cmocka_unit_test(nobody_ever_fitted_is_nothing_used),
        cmocka_unit_test(a_re_base_counts_nothing_and_both_stretches_count),
        cmocka_unit_test(after_the_last_reading_the_mean_of_28_days_goes_on),
        cmocka_unit_test(a_week_is_the_least_to_go_by),
        cmocka_unit_test(never_heard_is_missing_and_not_zero),
        cmocka_unit_test(a_gap_takes_the_shape_of_three_days_like_it),
        cmocka_unit_test(two_days_are_no_profile),
        cmocka_unit_test(two_hours_are_a_line_and_three_have_the_shape),
        cmocka_unit_test(a_gap_over_friday_night_needs_both_shapes),
        cmocka_unit_test(a_day_with_a_hole_is_no_pattern),
        cmocka_unit_test(days_older_than_28_days_give_no_shape),
        cmocka_unit_test(a_net_register_has_no_shape),
        cmocka_unit_test(days_of_23_and_25_hours_count_their_hours),
        cmocka_unit_test(high_is_above_three_times_the_median_and_500_litres),
        cmocka_unit_test(high_needs_500_litres_more),
        cmocka_unit_test(low_at_once_and_zero_from_the_seventh_day),
        cmocka_unit_test(one_that_never_turned_is_vacant_and_not_stopped),
        cmocka_unit_test(a_spike_stands_out_of_a_whole_day),
        cmocka_unit_test(a_spike_is_above_a_tenth_of_q3),
        cmocka_unit_test(what_is_given_back_is_negative),
        cmocka_unit_test(an_estimate_is_not_checked),
        cmocka_unit_test(the_parts_of_a_span_add_up_and_leave_no_hole),
        cmocka_unit_test(whoever_asks_may_stop),
        cmocka_unit_test(a_gap_of_decades_is_no_burden),
    };

    shanghai(NULL);
    return check_run(tests, argc, argv);
}
