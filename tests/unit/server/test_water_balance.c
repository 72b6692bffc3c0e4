/* A zone's water balance in exact numbers: steps, clamps and roundings at their edges, and regions. */
#include "server/billing/water_balance.h"
#include "server/zonefile.h"

#include "tests/check.h"

#define DAY_S 86400
#define MILLION 1000000
#define KNOWN ((1u << WATER_INPUTS) - 1)

static struct zone_traits plain(int64_t mains_km)
{
    return (struct zone_traits){ .known = KNOWN,
                                 .input = { mains_km * MILLION, 300000, 0 },
                                 .has_share = true,
                                 .publish = PUBLISH_STANDING };
}

/* A year of 10 000 m³, of which so much was billed. */
static struct water_facts year_of(int64_t billed_m3)
{
    return (struct water_facts){ .span_s = INT64_C(365) * DAY_S,
                                 .years = 1,
                                 .inlet_fitted = true,
                                 .gates_read = true,
                                 .inflow_known = true,
                                 .inflow_ml = INT64_C(10000) * MILLION,
                                 .billed_ml = billed_m3 * MILLION,
                                 .due = 1,
                                 .read = 1 };
}

static int64_t told(const struct water_balance *b, const struct water_share *s)
{
    assert_true(s->known);
    return water_share(b, s);
}

static void shares_are_rounded_once_half_away_from_zero(void **state)
{
    struct zone_traits t = plain(0);
    struct water_facts f = year_of(0);
    struct water_balance b;

    (void)state;
    f.billed_ml = f.inflow_ml - 500000; /* half of a cubic metre: 0.005 % */
    assert_ok(water_balance_of(&t, &f, &b));
    assert_int_equal(told(&b, &b.r_wl), 1);
    f.billed_ml++;
    assert_ok(water_balance_of(&t, &f, &b));
    assert_int_equal(told(&b, &b.r_wl), 0);
    f.billed_ml = f.inflow_ml + 500000;
    assert_ok(water_balance_of(&t, &f, &b));
    assert_int_equal(told(&b, &b.r_wl), -1);
    assert_int_equal(told(&b, &b.nrw), -1);
}

/* 99 % × (A − 0.0693): A is km a year and 10⁴ m³. */
static void mains_stop_at_three_percent(void **state)
{
    static const struct {
        int64_t mains; /* millionths of km */
        int64_t r2;    /* hundredths of a percent */
    } cases[] = { { 0, -300 },    { 38996, -300 }, { 38997, -300 }, { 39100, -299 }, { 69300, 0 },
                  { 90000, 205 }, { 99600, 300 },  { 99604, 300 },  { 1000000, 300 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct zone_traits t = plain(0);
        struct water_facts f = year_of(9000);
        struct water_balance b;

        t.input[INPUT_MAINS_KM] = cases[i].mains;
        assert_ok(water_balance_of(&t, &f, &b));
        assert_int_equal(told(&b, &b.r[1]), cases[i].r2);
        f.years = 0; /* the same 365 days, told by seconds */
        assert_ok(water_balance_of(&t, &f, &b));
        assert_int_equal(told(&b, &b.r[1]), cases[i].r2);
    }
}

/* By the unrounded value: 10.004 % reads 10 and is II. */
static void a_grade_is_of_the_unrounded_share(void **state)
{
    struct zone_traits t = plain(0);
    struct water_facts f = year_of(9000);
    struct water_balance b;

    (void)state;
    t.input[INPUT_MAINS_KM] = 69300; /* R2 is 0, and all others */
    assert_ok(water_balance_of(&t, &f, &b));
    assert_int_equal(told(&b, &b.r_bl), 1000);
    assert_string_equal(water_grade(&b), "I");
    f.billed_ml -= 1;
    assert_ok(water_balance_of(&t, &f, &b));
    assert_int_equal(told(&b, &b.r_bl), 1000);
    assert_string_equal(water_grade(&b), "II");
    f.billed_ml = INT64_C(8800) * MILLION;
    assert_ok(water_balance_of(&t, &f, &b));
    assert_string_equal(water_grade(&b), "II");
    f.billed_ml -= 1;
    assert_ok(water_balance_of(&t, &f, &b));
    assert_string_equal(water_grade(&b), "none");
    t.known &= ~(1u << INPUT_FROST_M);
    assert_ok(water_balance_of(&t, &f, &b));
    assert_null(water_grade(&b));
    assert_int_equal(b.missing, 1u << INPUT_FROST_M);
    assert_false(b.r[3].known || b.rn.known || b.r_bl.known);
    assert_true(b.r_wl.known && b.r[0].known && b.r[1].known && b.r[2].known);
}

/* An hour's share of what is used unmetered by the day is no whole millilitre; three hours' is. */
static void unmetered_use_counts_by_the_second(void **state)
{
    struct zone_traits t = plain(0);
    struct water_facts f = year_of(0);
    struct water_balance b;

    (void)state;
    t.billed_unmetered = 8 * 1000; /* 8 ml a day */
    t.free_unmetered = 4 * 1000;
    f.span_s = 3 * 3600;
    f.years = 0;
    assert_ok(water_balance_of(&t, &f, &b));
    assert_int_equal(water_ml(b.billed), 1);
    assert_int_equal(water_ml(b.unbilled), 1); /* half of one */
    assert_int_equal(water_ml(b.billed + b.unbilled), 2);
    assert_true(2 * b.unbilled == b.billed);
    f.span_s = 3600;
    assert_ok(water_balance_of(&t, &f, &b));
    assert_int_equal(water_ml(b.billed), 0);
    assert_true(3 * b.billed == WATER_UNIT);
}

static void completeness_is_exact_at_the_threshold(void **state)
{
    (void)state;
    assert_true(water_enough(PUBLISH_STANDING, 49, 50));
    assert_false(water_enough(PUBLISH_STANDING, 48, 49));
    assert_true(water_enough(PUBLISH_STANDING, 0, 0));
    assert_true(water_enough(0, 0, 7));
    assert_true(water_enough(100 * MILLION, 7, 7));
    assert_false(water_enough(100 * MILLION, 9999999, 10000000));
    assert_true(water_enough(33333333, 1, 3)); /* 33.333333 % of three is less than one */
    assert_false(water_enough(33333334, 1, 3));
}

static void what_is_withheld_has_no_shares(void **state)
{
    struct zone_traits t = plain(1);
    struct water_balance b;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct water_facts f = year_of(9000);

        f.inlet_fitted = i != 0;
        f.gates_read = i != 1;
        f.inflow_known = i != 2;
        f.read = i != 3;
        assert_ok(water_balance_of(&t, &f, &b));
        assert_false(b.published || b.r_wl.known || b.r[0].known || b.rn.known || b.r_bl.known ||
                     b.nrw.known);
        assert_null(water_grade(&b));
    }
}

static void nothing_is_divided_by_no_inflow(void **state)
{
    struct zone_traits t = plain(1);
    struct water_facts f = year_of(1);
    struct water_balance b;

    (void)state;
    for (int64_t inflow_ml = -1; inflow_ml <= 0; inflow_ml++) {
        f.inflow_ml = inflow_ml;
        assert_ok(water_balance_of(&t, &f, &b));
        assert_true(b.published && b.loss < 0);
        assert_false(b.r_wl.known || b.r_bl.known || b.nrw.known || b.r[0].known);
    }
    f.inflow_ml = INT64_MAX;
    assert_err(ERR_RANGE, water_balance_of(&t, &f, &b));
    f.inflow_ml = INT64_C(1000000000000000000);
    f.billed_ml = -f.inflow_ml;
    t.input[INPUT_MAINS_KM] = INT64_C(1000000) * MILLION;
    t.billed_unmetered = t.free_unmetered = INT64_C(1000000000000000000);
    f.span_s = INT64_C(136) * 366 * DAY_S;
    f.years = 136;
    assert_ok(water_balance_of(&t, &f, &b)); /* the most that there can be */
    assert_int_equal(told(&b, &b.r[1]), 300);
    assert_int_equal(told(&b, &b.nrw), -477760); /* 1 − 48.776 */
}

/* Σ(r_bl,i × inflow,i) / Σ inflow,i. */
static void a_region_weighs_its_children_by_inflow(void **state)
{
    struct zone_traits t = plain(0);
    struct water_facts f = year_of(9000);
    struct water_balance a, b, region;

    (void)state;
    t.input[INPUT_MAINS_KM] = 69300;
    assert_ok(water_balance_of(&t, &f, &a)); /* 10 % of 10 000 */
    f.inflow_ml *= 3;
    f.billed_ml = INT64_C(24000) * MILLION; /* 20 % of 30 000 */
    t.input[INPUT_MAINS_KM] *= 3;
    assert_ok(water_balance_of(&t, &f, &b));
    water_region_begin(&region);
    assert_ok(water_region_add(&region, &a));
    assert_ok(water_region_add(&region, &b));
    water_region_end(&region);
    assert_true(region.published);
    assert_int_equal(told(&region, &region.r_bl), 1750);
    assert_int_equal(told(&region, &region.r_wl), 1750);
    assert_int_equal(region.inflow_ml, INT64_C(40000) * MILLION);
    assert_int_equal(water_ml(region.loss), INT64_C(7000) * MILLION);
    assert_int_equal(region.due, 2);
    f.gates_read = false;
    assert_ok(water_balance_of(&t, &f, &b));
    water_region_begin(&region);
    assert_ok(water_region_add(&region, &a));
    assert_ok(water_region_add(&region, &b));
    water_region_end(&region);
    assert_false(region.published || region.r_bl.known || region.r_wl.known);
}

static void a_median_of_two_is_their_mean(void **state)
{
    int64_t one[] = { 7 }, two[] = { 4, 1 }, odd[] = { 9, -5, 3 }, low[] = { -4, -1 };

    (void)state;
    assert_int_equal(water_median(one, 1), 7);
    assert_int_equal(water_median(two, 2), 3); /* 2.5, half away from zero */
    assert_int_equal(water_median(low, 2), -3);
    assert_int_equal(water_median(odd, 3), 3);
}

static int64_t at(const struct zone *z, int32_t year, uint8_t month, uint8_t day, uint8_t hour)
{
    int64_t utc_s;

    assert_ok(zone_utc(z, (struct civil){ .year = year, .month = month, .day = day, .hour = hour },
                       &utc_s));
    return utc_s;
}

static void years_are_from_midnight_to_the_same_midnight(void **state)
{
    struct zone z;
    struct refusal r;

    (void)state;
    assert_ok(zone_load("Europe/Berlin", &z, &r));
    assert_int_equal(water_years(&z, at(&z, 2024, 3, 15, 0), at(&z, 2025, 3, 15, 0)), 1);
    assert_int_equal(water_years(&z, at(&z, 2024, 3, 15, 0), at(&z, 2030, 3, 15, 0)), 6);
    assert_int_equal(water_years(&z, at(&z, 2024, 3, 15, 1), at(&z, 2025, 3, 15, 1)), 0);
    assert_int_equal(water_years(&z, at(&z, 2024, 3, 15, 0), at(&z, 2025, 3, 14, 0)), 0);
    assert_int_equal(water_years(&z, at(&z, 2024, 2, 29, 0), at(&z, 2028, 2, 29, 0)), 4);
    assert_int_equal(water_years(&z, at(&z, 2024, 2, 29, 0), at(&z, 2025, 2, 28, 0)), 0);
    assert_int_equal(water_years(&z, at(&z, 2024, 3, 15, 0), at(&z, 2024, 3, 15, 0)), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_rounded_once_half_away_from_zero),
        cmocka_unit_test(mains_stop_at_three_percent),
        cmocka_unit_test(a_grade_is_of_the_unrounded_share),
        cmocka_unit_test(unmetered_use_counts_by_the_second),
        cmocka_unit_test(completeness_is_exact_at_the_threshold),
        cmocka_unit_test(what_is_withheld_has_no_shares),
        cmocka_unit_test(nothing_is_divided_by_no_inflow),
        cmocka_unit_test(a_region_weighs_its_children_by_inflow),
        cmocka_unit_test(a_median_of_two_is_their_mean),
        cmocka_unit_test(years_are_from_midnight_to_the_same_midnight),
    };

    return check_run(tests, argc, argv);
}
