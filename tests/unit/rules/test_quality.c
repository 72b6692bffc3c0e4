/* What counts as a failure of a life, and the figures made of failures. */
#include "server/fleet/quality.h"
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DAY INT64_C(86400)
#define CLOSE(found, expected, within)                                                             \
    do {                                                                                           \
        if (!(fabs((found) - (expected)) <= (within)))                                             \
            fail_msg("%s: expected %.6f, found %.6f", #found, (double)(expected),                  \
                     (double)(found));                                                             \
    } while (0)

static struct fleet_rules rules;

/* What came out, as text: "0-100 stuck@30/30 100-" … */
struct told {
    char text[400];
};

static void stretch(void *arg, int64_t from_s, int64_t to_s)
{
    struct told *t = (struct told *)arg;
    size_t len = strlen(t->text);

    snprintf(t->text + len, sizeof t->text - len, "%lld-%lld ", (long long)(from_s / DAY),
             (long long)(to_s / DAY));
}

static void failure(void *arg, const struct quality_failure *f)
{
    struct told *t = (struct told *)arg;
    size_t len = strlen(t->text);

    snprintf(t->text + len, sizeof t->text - len, "%s@%lld/%lld ", failure_name(f->kind),
             (long long)(f->at_s / DAY), (long long)(f->age_s / DAY));
}

static struct life_event at(int64_t day, enum life_kind kind, const char *reason, const char *note)
{
    struct life_event e = { .kind = (uint8_t)kind, .at_s = day * DAY };

    e.text[EVENT_REASON] = span_text(reason);
    e.text[EVENT_NOTE] = span_text(note);
    return e;
}

static struct life_event failed_inspection(int64_t day)
{
    struct life_event e = at(day, EVENT_INSPECT, "", "");

    e.flags = EVENT_FAILED;
    return e;
}

static void says(const struct life_event *events, size_t count, const struct quality_flag *flags,
                 size_t flag_count, const char *expected, bool fails, int64_t age_days)
{
    struct told told = { "" };
    struct quality_of q = { .rules = &rules,
                            .events = events,
                            .count = count,
                            .flags = flags,
                            .flag_count = flag_count,
                            .now_s = 1000 * DAY,
                            .stretch = stretch,
                            .failure = failure,
                            .arg = &told };
    struct quality_end end = quality_read(&q);

    assert_string_equal(told.text, expected);
    assert_int_equal(end.failed, fails);
    assert_int_equal(end.age_s, age_days * DAY);
}
#define SAYS(events, expected, fails, age)                                                         \
    says(events, sizeof events / sizeof events[0], NULL, 0, expected, fails, age)

static void removed_in_good_order_is_no_failure(void **state)
{
    struct life_event periodic[] = { at(100, EVENT_INSTALL, "", ""),
                                     at(400, EVENT_REMOVE, "periodic", "") };
    struct life_event running[] = { at(100, EVENT_INSTALL, "", "") };
    struct life_event store[] = { at(100, EVENT_RECEIVE, "", ""), failed_inspection(101) };

    (void)state;
    SAYS(periodic, "100-400 ", false, 300);
    SAYS(running, "100-1000 ", false, 900);
    SAYS(store, "", false, 0);
}

static void one_failure_that_is_told_thrice_is_one(void **state)
{
    struct life_event life[] = { at(0, EVENT_INSTALL, "", ""), at(210, EVENT_FAULT, "", "no idea"),
                                 at(220, EVENT_REMOVE, "停走", "") };
    struct quality_flag flag = { .onset_s = 200 * DAY, .kind = FAILURE_SLOW };

    (void)state;
    SAYS(life, "stuck@210/210 0-220 ", true, 210);
    says(life, 3, &flag, 1, "slow@200/200 0-220 ", true, 200);
}

static void a_meter_that_was_mended_may_fail_again(void **state)
{
    struct life_event life[] = {
        at(0, EVENT_INSTALL, "", ""),
        at(50, EVENT_FAULT, "frost", ""),
        at(60, EVENT_RESUME, "", "thawed"),
        at(90, EVENT_FAULT, "", "Leaks"),
        at(95, EVENT_REMOVE, "exchange", ""),
        at(200, EVENT_INSTALL, "", ""),
        at(230, EVENT_REMOVE, "battery empty", ""),
    };

    (void)state;
    SAYS(life, "broken@50/50 leaking@90/90 0-95 battery@230/125 200-230 ", true, 50);
}

static void a_loss_counts_by_kind_and_not_for_survival(void **state)
{
    struct life_event life[] = { at(0, EVENT_INSTALL, "", ""), at(80, EVENT_LOSE, "", "stolen") };

    (void)state;
    SAYS(life, "lost@80/80 0-80 ", false, 80);
}

static void the_laboratory_tells_of_the_fitting_before(void **state)
{
    struct life_event silent[] = { at(0, EVENT_INSTALL, "", ""),
                                   at(80, EVENT_REMOVE, "periodic", ""), failed_inspection(90) };
    struct life_event known[] = { at(0, EVENT_INSTALL, "", ""), at(80, EVENT_REMOVE, "stuck", ""),
                                  failed_inspection(90) };
    struct life_event fitted[] = { at(0, EVENT_INSTALL, "", ""), failed_inspection(10),
                                   failed_inspection(20) };

    (void)state;
    SAYS(silent, "0-80 inaccurate@90/80 ", true, 80);
    SAYS(known, "stuck@80/80 0-80 ", true, 80);
    SAYS(fitted, "inaccurate@10/10 0-1000 ", true, 10);
}

static void what_comes_later_than_now_does_not_count(void **state)
{
    struct life_event life[] = { at(0, EVENT_INSTALL, "", ""),
                                 at(1001, EVENT_REMOVE, "stuck", "") };
    struct quality_flag flag = { .onset_s = 1001 * DAY, .kind = FAILURE_STUCK };

    (void)state;
    says(life, 2, &flag, 1, "0-1000 ", false, 1000);
}

/* Garwood's table as every text of statistics has it. */
static void bounds_are_the_exact_ones(void **state)
{
    static const struct {
        uint64_t failures;
        double low, high;
    } expected[] = { { 0, 0, 3.6889 },         { 1, 0.0253, 5.5716 },   { 2, 0.2422, 7.2247 },
                     { 5, 1.6235, 11.6683 },   { 10, 4.7954, 18.3904 }, { 50, 37.1110, 65.9188 },
                     { 100, 81.3639, 121.627 } };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        double low, high;

        quality_bounds(expected[i].failures, &low, &high);
        CLOSE(low, expected[i].low, i < 6 ? 6e-5 : 6e-4);
        CLOSE(high, expected[i].high, i < 6 ? 6e-5 : 6e-4);
    }
}

/* Where the normal curve is as good: k ± 1.96 √k, and (z² + 2) / 3 ± … beyond it (Johnson, Kotz and Kemp 1992, 4.7.3). */
static void bounds_hold_for_a_million_too(void **state)
{
    double low, high;

    (void)state;
    quality_bounds(1000000, &low, &high);
    CLOSE(low, 1000000 - 1959.96 + 1, 1.5);
    CLOSE(high, 1000000 + 1959.96 + 2, 1.5);
}

static void a_rate_is_per_thousand_years(void **state)
{
    (void)state;
    CLOSE(quality_rate(3, INT64_C(600) * QUALITY_YEAR_S), 5, 1e-12);
    CLOSE(quality_rate(3, 0), 0, 0);
}

static void medians_and_their_sign_test_bounds(void **state)
{
    uint16_t odd[] = { 9, 1, 5 }, even[] = { 9, 1, 5, 6 };
    int32_t ten[] = { 900, 100, 800, 200, 700, 300, 600, 400, 500, 1000 };
    struct quality_middle m;

    (void)state;
    CLOSE(quality_median(odd, 3), 5, 0);
    CLOSE(quality_median(even, 4), 5.5, 0);
    assert_false(quality_middle(ten, 5, &m));
    assert_true(quality_middle(ten, 10, &m)); /* of ten the second and the ninth: 97.9 % */
    CLOSE(m.median, .55, 1e-12);
    CLOSE(m.low, .2, 1e-12);
    CLOSE(m.high, .9, 1e-12);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removed_in_good_order_is_no_failure),
        cmocka_unit_test(one_failure_that_is_told_thrice_is_one),
        cmocka_unit_test(a_meter_that_was_mended_may_fail_again),
        cmocka_unit_test(a_loss_counts_by_kind_and_not_for_survival),
        cmocka_unit_test(the_laboratory_tells_of_the_fitting_before),
        cmocka_unit_test(what_comes_later_than_now_does_not_count),
        cmocka_unit_test(bounds_are_the_exact_ones),
        cmocka_unit_test(bounds_hold_for_a_million_too),
        cmocka_unit_test(a_rate_is_per_thousand_years),
        cmocka_unit_test(medians_and_their_sign_test_bounds),
    };

    fleet_rules_builtin(&rules);
    return check_run(tests, argc, argv);
}
