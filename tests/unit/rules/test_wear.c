#include "server/fleet/wear.h"
#include "tests/check.h"
#include "tools/sim/chance.h"

#define MANY 400

/* Meters of Q3 2.5 that miss `s` of each 1 000 m³ and `t` a year, at homes that change by a fifth from year to year and by `c` all together. */
static void draw(struct wear_sample *out, size_t count, uint64_t seed, double s, double t, double c)
{
    struct chance dice = chance_of(seed, 1, 1);

    for (size_t n = 0; n < count; n++) {
        double years = chance_even(&dice, 0.5, 9),
               thousands = years * chance_even(&dice, 0.05, 0.4);

        out[n] =
            (struct wear_sample){ .years = years, .volume_l = thousands * 1e6, .q3_lph = 2500 };
        out[n].ratio =
            exp(-(c + s * thousands + t * years) +
                0.2 * (chance_unit(&dice) + chance_unit(&dice) + chance_unit(&dice) - 1.5));
    }
}

static void without_exchanges_the_default_speaks(void **state)
{
    struct wear_sums none = { 0 };
    struct wear_curve c;
    struct wear_error e;

    (void)state;
    wear_learn(&none, &none, 0.25, &c);
    assert_int_equal(c.source, WEAR_DEFAULT);
    wear_predict(&c, 0, 1e6, 2500, &e);
    assert_true(fabs(e.missed - (1 - exp(-0.0113))) < 1e-9);
    assert_true(e.low < e.missed && e.missed < e.high);
    wear_predict(&c, 0, 4e6, 10000, &e); /* as worn: as many hours at Q3 */
    assert_true(fabs(e.missed - (1 - exp(-0.0113))) < 1e-9);
}

static void a_thousand_exchanges_find_what_a_model_loses(void **state)
{
    static struct wear_sample bad[MANY], fine[MANY];
    double values[MANY];
    struct wear_sums all = { 0 }, own = { 0 };
    struct wear_curve of_bad, of_none;
    struct wear_error e, other;

    (void)state;
    draw(bad, MANY, 7, 0.06, 0.012, 0.04);
    draw(fine, MANY, 8, 0.01, 0, 0.04);
    wear_add(&own, bad, MANY);
    wear_add(&all, bad, MANY);
    wear_add(&all, fine, MANY);
    wear_learn(&all, &own, wear_spread(bad, MANY, values), &of_bad);
    wear_predict(&of_bad, 6, 1.5e6, 2500, &e);
    assert_int_equal(of_bad.source, WEAR_MODEL);
    assert_int_equal(of_bad.own, MANY);
    assert_true(e.low < 1 - exp(-0.162) && 1 - exp(-0.162) < e.high && e.high - e.low < 0.12);
    wear_learn(&all, &(struct wear_sums){ 0 }, 0.2,
               &of_none); /* a model that nobody exchanged yet */
    wear_predict(&of_none, 6, 1.5e6, 2500, &other);
    assert_int_equal(of_none.source, WEAR_FLEET);
    assert_true(other.missed < e.missed && other.high - other.low > e.high - e.low);
}

static void few_exchanges_move_little(void **state)
{
    struct wear_sample wild[3] = { { 0.6, 8, 2e6, 2500 },
                                   { 0.7, 8, 2e6, 2500 },
                                   { 0.65, 8, 2e6, 2500 } };
    struct wear_sums own = { 0 };
    struct wear_curve c;
    struct wear_error e;
    double values[3];

    (void)state;
    wear_add(&own, wild, 3);
    wear_learn(&own, &own, wear_spread(wild, 3, values), &c);
    wear_predict(&c, 8, 2e6, 2500, &e);
    assert_int_equal(c.source, WEAR_DEFAULT);
    assert_true(e.missed > 0.02 && e.missed < 0.2);
}

static void stuck_meters_and_open_taps_are_no_wear(void **state)
{
    struct wear_sample odd[4] = {
        { 0, 5, 1e6, 2500 }, { 0.1, 5, 1e6, 2500 }, { 9, 5, 1e6, 2500 }, { 0.95, 5, 1e6, 0 }
    };
    struct wear_sums s = { 0 };

    (void)state;
    wear_add(&s, odd, 4);
    assert_int_equal(s.count, 0);
    assert_int_equal(s.left_out, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_exchanges_the_default_speaks),
        cmocka_unit_test(a_thousand_exchanges_find_what_a_model_loses),
        cmocka_unit_test(few_exchanges_move_little),
        cmocka_unit_test(stuck_meters_and_open_taps_are_no_wear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
