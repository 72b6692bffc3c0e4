/* What a change brings, worked out by hand. */
#include "server/fleet/budget.h"
#include "server/fleet/replace.h"
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>

static const struct replace_facts plain = { .meter = 1,
                                            .dn_mm = 15,
                                            .use = USE_RESIDENTIAL,
                                            .legal_due = NO_DAY,
                                            .condition_due = NO_DAY,
                                            .today = 20000 };

static struct replace_figures reckoned(const struct replace_facts *f)
{
    struct fleet_rules rules;
    struct replace_figures x;

    fleet_rules_builtin(&rules);
    replace_reckon(&rules, f, &x);
    return x;
}

/* 1 m³ a day at 5.00: 150 a month; 36 months at 5 % a year are worth 33.3657 times that. */
static void a_loss_is_worth_its_months_discounted(void **state)
{
    struct replace_facts f = plain;
    struct replace_figures x;

    (void)state;
    f.lost_mlpd = 1000000;
    f.confidence_pct = 100;
    x = reckoned(&f);
    assert_int_equal(x.money_month, 150000);
    assert_int_equal(x.cost, 180000);
    assert_int_equal(x.months, 36);
    assert_true(llabs(x.benefit - (5004855 - 180000)) <= 50);
    assert_int_equal(x.payback_tenths, 12);
    f.confidence_pct = 50;
    x = reckoned(&f);
    assert_int_equal(x.money_month, 150000);
    assert_int_equal(x.payback_tenths, 24);
    assert_true(llabs(x.benefit - (2502428 - 180000)) <= 50);
}

static void the_law_ends_a_loss_but_not_before_a_year(void **state)
{
    struct replace_facts f = plain;

    (void)state;
    f.lost_mlpd = 1000;
    f.confidence_pct = 100;
    f.legal_due = f.today + 600; /* 19.7 months */
    assert_int_equal(reckoned(&f).months, 20);
    f.legal_due = f.today + 30;
    assert_int_equal(reckoned(&f).months, 12);
    f.legal_due = f.today + 5000;
    assert_int_equal(reckoned(&f).months, 36);
    f.legal_due = f.today - 1; /* over: who knows when somebody comes */
    assert_int_equal(reckoned(&f).months, 36);
}

static void a_duty_is_worth_its_cost_and_more_when_it_is_over(void **state)
{
    struct replace_facts f = plain;

    (void)state;
    assert_int_equal(reckoned(&f).benefit, -180000); /* nothing speaks for it */
    assert_int_equal(reckoned(&f).payback_tenths, -1);
    f.legal_due = f.today; /* the last day in date: paid anyway, now */
    assert_int_equal(reckoned(&f).benefit, 0);
    f.legal_due = f.today + 90;
    assert_true(reckoned(&f).benefit < 0 && reckoned(&f).benefit > -3000);
    f.legal_due = f.today + 91; /* beyond the horizon */
    assert_int_equal(reckoned(&f).benefit, -180000);
    f.legal_due = f.today - 487; /* 16 months of 30.4375 days over: 500 + 16 × 50 */
    assert_int_equal(reckoned(&f).benefit, 1300000);
    assert_int_equal(reckoned(&f).days_over, 487);
    f.legal_due = f.today - 20000; /* 24 months at most */
    assert_int_equal(reckoned(&f).benefit, 1700000);
}

static void the_greater_benefit_comes_first_then_loss_then_date_then_id(void **state)
{
    static const struct replace_rank order[] = {
        { 9, 0, 5, 1 }, { 8, 7, NO_DAY, 9 }, { 8, 6, -3, 9 }, { 8, 6, 4, 2 },
        { 8, 6, 4, 3 }, { 8, 6, NO_DAY, 1 }, { -8, 9, 1, 1 },
    };

    (void)state;
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 7; j++)
            assert_int_equal(replace_order(&order[i], &order[j]), (i > j) - (i < j));
}

/* ---- budgets ---- */

static const struct budget_line lines[] = {
    { .benefit = 900, .cost = 900, .duty = DUTY_OVER, .lost_mlpd = 10 },
    { .benefit = 500, .cost = 100, .duty = DUTY_SOON, .lost_mlpd = 20 },
    { .benefit = 400, .cost = 400, .money_month = 7 },
    { .benefit = 300, .cost = 60 },
    { .benefit = 0, .cost = 10 },
    { .benefit = -5, .cost = 0 },
};

static void a_count_takes_the_greatest_benefits(void **state)
{
    struct budget_limit limit = { .most = 2 };
    struct budget_place order[6] = { { 0 } };
    struct budget_sum sum = { 0 };
    size_t taken;

    (void)state;
    assert_int_equal(budget_choose(lines, 6, &limit, order, &taken), 4);
    assert_int_equal(taken, 2);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(order[i].place, i);
    for (size_t i = 0; i < taken; i++)
        budget_add(&sum, &lines[order[i].place]);
    assert_int_equal(sum.changes, 2);
    assert_int_equal(sum.cost, 1000);
    assert_int_equal(sum.benefit, 1400);
    assert_int_equal(sum.lost_mlpd, 30);
    assert_int_equal(sum.over, 1);
    assert_int_equal(sum.soon, 1);
    limit.most = 100;
    assert_int_equal(budget_choose(lines, 6, &limit, order, &taken), 4);
    assert_int_equal(taken, 4);
    assert_int_equal(budget_choose(lines, 0, &limit, order, &taken), 0);
    assert_int_equal(taken, 0);
}

static void money_takes_by_benefit_per_cost_and_passes_over_what_does_not_fit(void **state)
{
    static const uint32_t want[] = { 1, 3, 2,
                                     0 }; /* 0 (as dense as 2, and before it) does not fit */
    struct budget_limit limit = { .of_money = true, .most = 700 };
    struct budget_place order[6] = { { 0 } };
    size_t taken;

    (void)state;
    assert_int_equal(budget_choose(lines, 6, &limit, order, &taken), 4);
    assert_int_equal(taken, 3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i].place, want[i]);
    limit.most = 59;
    assert_int_equal(budget_choose(lines, 6, &limit, order, &taken), 4);
    assert_int_equal(taken, 0);
}

/* Against every subset of a dozen: never over the money, and short of the best by less than one change brings. */
static void the_greedy_is_near_the_best(void **state)
{
    struct budget_line some[12];
    struct budget_place order[12];
    uint32_t seed = 12345;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct budget_limit limit = { .of_money = true, .most = 400 };
        int64_t best = 0, cost = 0, benefit = 0, most = 0;
        size_t taken;

        for (int i = 0; i < 12; i++) {
            seed = seed * 1664525u + 1013904223u;
            some[i] = (struct budget_line){ .benefit = seed >> 24, .cost = 1 + (seed >> 16 & 127) };
            most = some[i].benefit > most ? some[i].benefit : most;
        }
        for (unsigned set = 0; set < 1u << 12; set++) {
            int64_t c = 0, b = 0;

            for (int i = 0; i < 12; i++) {
                c += set >> i & 1 ? some[i].cost : 0;
                b += set >> i & 1 ? some[i].benefit : 0;
            }
            best = c <= limit.most && b > best ? b : best;
        }
        (void)budget_choose(some, 12, &limit, order, &taken);
        for (size_t i = 0; i < taken; i++) {
            cost += some[order[i].place].cost;
            benefit += some[order[i].place].benefit;
        }
        assert_true(cost <= limit.most);
        assert_true(benefit + most >= best);
    }
}

static void the_curve_steps_by_one_two_five(void **state)
{
    static const size_t steps[] = { 100, 200, 500, 1000, 2000, 5000, 10000, 20000 };
    size_t at = 0;

    (void)state;
    for (int i = 0; i < 8; i++)
        assert_int_equal(at = budget_step(at), steps[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_is_worth_its_months_discounted),
        cmocka_unit_test(the_law_ends_a_loss_but_not_before_a_year),
        cmocka_unit_test(a_duty_is_worth_its_cost_and_more_when_it_is_over),
        cmocka_unit_test(the_greater_benefit_comes_first_then_loss_then_date_then_id),
        cmocka_unit_test(a_count_takes_the_greatest_benefits),
        cmocka_unit_test(money_takes_by_benefit_per_cost_and_passes_over_what_does_not_fit),
        cmocka_unit_test(the_greedy_is_near_the_best),
        cmocka_unit_test(the_curve_steps_by_one_two_five),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
