/* Two meters that are crossed from the first day on, as vacant flats and shut valves show. */
#define FLATS_WEEKS 40
#include "server/detect/swapped.h"

#include "tests/check.h"
#include "tests/unit/rules/flats.h"

#define DAY_S 86400

/* Litres of each flat's meter of the house, with days on which nothing was to be used through some. */
struct tried {
    struct house *h;
    struct {
        unsigned meter;
        bool shut;
        int from_day, to_day;
    } idle[4];
    unsigned idle_count;
};

static size_t pairs_by(const struct tried *t, unsigned weeks, struct swapped_finding out[16])
{
    struct swapped_scan scan = { 0 };
    struct swapped *s;
    size_t count = 0;

    assert_ok(swapped_new(FROM_S, weeks, FLATS, &s));
    for (int n = 0; n < HOURS && n < (int)weeks * 168; n++)
        for (unsigned f = 0; f < FLATS; f++) {
            struct judge_step step = step_of(n, t->h->counted[f][n]);

            swapped_take(s, f, &step);
        }
    for (unsigned i = 0; i < t->idle_count; i++)
        swapped_idle(s, t->idle[i].meter, t->idle[i].shut,
                     FROM_S + (int64_t)t->idle[i].from_day * DAY_S,
                     FROM_S + (int64_t)t->idle[i].to_day * DAY_S);
    assert_ok(
        swapped_find(s, &swapped_usual, FROM_S + weeks * INT64_C(604800), &scan, out, 16, &count));
    swapped_free(s);
    return count;
}

/* Flats 2 and 5 have each other's meters, and 5 stands empty from day 150 to 200. All others are at home then. */
static struct house *crossed(bool really)
{
    struct house *h = lived(31, 0);

    for (int n = 148 * 24; n < 202 * 24; n++)
        for (int f = 0; f < FLATS; f++)
            h->counted[f][n] = n % 24 > 6 && n % 24 < 22 ? 5 + f : 0;
    for (int n = 150 * 24; n < 200 * 24; n++)
        h->counted[5][n] = 0;
    if (really)
        swap_from(h, 2, 5, 0);
    return h;
}

static void a_vacant_flats_meter_that_turns_while_another_stands_names_both(void **state)
{
    struct tried t = { .h = crossed(true), .idle = { { 5, false, 150, 200 } }, .idle_count = 1 };
    struct swapped_finding found[16];

    (void)state;
    assert_int_equal(pairs_by(&t, 38, found), 1);
    assert_int_equal(found[0].first, 2);
    assert_int_equal(found[0].second, 5);
    assert_true(found[0].second_idle);
    assert_int_equal(found[0].vacant_days, SWAPPED_VACANT_DAYS);
    assert_int_equal(found[0].shut_days, 0);
    assert_int_equal(found[0].onset_s, FROM_S + INT64_C(150) * DAY_S);
    assert_int_equal(found[0].raised_s,
                     FROM_S + INT64_C(26) * 604800); /* day 178 lies in week 26 */
    assert_true(found[0].first_after_lpd == 0 && found[0].second_after_lpd > 0);
    assert_int_equal(pairs_by(&t, 25, found), 0); /* not before */
    free(t.h);
}

static void a_valve_that_stops_another_meter_names_both_sooner(void **state)
{
    struct tried t = { .h = crossed(false), .idle = { { 5, true, 150, 157 } }, .idle_count = 1 };
    struct swapped_finding found[16];

    (void)state;
    for (int n = 150 * 24; n < 200 * 24; n++) {
        t.h->counted[5][n] = 9;
        if (n < 157 * 24)
            t.h->counted[2][n] = 0;
    }
    assert_int_equal(pairs_by(&t, 38, found), 1);
    assert_int_equal(found[0].first, 2);
    assert_int_equal(found[0].second, 5);
    assert_int_equal(found[0].shut_days, 7);
    assert_int_equal(found[0].raised_s,
                     FROM_S + INT64_C(23) * 604800); /* two days after it was opened */
    t.idle[0].to_day = 153; /* it stands on when the valve is open again: nobody was at home */
    assert_int_equal(pairs_by(&t, 38, found), 0);
    free(t.h);
}

static void who_is_right_or_in_doubt_is_not_named(void **state)
{
    struct tried sound = { .h = crossed(false),
                           .idle = { { 5, false, 150, 200 } },
                           .idle_count = 1 };
    struct tried two = { .h = crossed(true), .idle = { { 5, false, 150, 200 } }, .idle_count = 1 };
    struct tried used_to = two;
    struct swapped_finding found[16];

    (void)state;
    assert_int_equal(pairs_by(&sound, 38, found), 0); /* its own meter stands */
    sound.idle[0].meter = 4;
    assert_int_equal(pairs_by(&sound, 38, found), 1); /* but if it was 4 that stood empty */
    for (int n = 140 * 24; n < 190 * 24; n++)
        two.h->counted[7][n] = 0; /* another one stands, too */
    assert_int_equal(pairs_by(&two, 38, found), 0);
    used_to.h = crossed(true);
    for (int n = 80 * 24; n < 110 * 24; n++)
        used_to.h->counted[2][n] = 0; /* and this one stood as long in spring */
    assert_int_equal(pairs_by(&used_to, 38, found), 0);
    free(sound.h);
    free(two.h);
    free(used_to.h);
}

static void days_that_show_the_right_meter_standing_end_it(void **state)
{
    struct tried t = { .h = crossed(true),
                       .idle = { { 5, false, 150, 200 }, { 5, true, 220, 225 } },
                       .idle_count = 2 };
    struct swapped_finding found[16];

    (void)state;
    for (int n = 220 * 24; n < 225 * 24; n++)
        t.h->counted[5][n] = 0; /* the pipes were put right */
    assert_int_equal(pairs_by(&t, 38, found), 1);
    assert_int_equal(found[0].cleared_s, FROM_S + INT64_C(33) * 604800);
    free(t.h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vacant_flats_meter_that_turns_while_another_stands_names_both),
        cmocka_unit_test(a_valve_that_stops_another_meter_names_both_sooner),
        cmocka_unit_test(who_is_right_or_in_doubt_is_not_named),
        cmocka_unit_test(days_that_show_the_right_meter_standing_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
