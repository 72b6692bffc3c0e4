/* What comes in wrong raises no flag by itself: homes and shops live a year twice, once as they are and once with one thing wrong in
 * their data, through the real detectors.  A flag of the second life must be one of the first. */
#include "tests/check.h"

#include "tools/measure/detect/bench.h"

#include <stdlib.h>
#include <string.h>

#ifndef LIVES
#define LIVES 60
#endif
#define SAME_S (3 * 86400)

static struct zone zone;
static struct holidays holidays;

struct twice {
    struct trial sound, wrong;
    struct told_list sound_told, wrong_told;
};

static struct trial_options options(unsigned mishaps)
{
    return (struct trial_options){ .seed = 7,
                                   .days = 365,
                                   .from_day = day_number(2024, 3, 1),
                                   .zone = &zone,
                                   .mishaps_given = true,
                                   .mishaps = mishaps };
}

static bool is_watched(const struct told *t)
{
    static const char *const flags[] = { "leak",  "stuck",    "slow", "reversed",
                                         "burst", "backflow", "fast" };

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (rules[t->rule].detector && strcmp(rules[t->rule].flag, flags[i]) == 0)
            return true;
    return false;
}

static bool is_among(const struct told *t, const struct told_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        if (list->at[i].rule == t->rule && (llabs(list->at[i].onset_s - t->onset_s) <= SAME_S ||
                                            llabs(list->at[i].raised_s - t->raised_s) <= SAME_S))
            return true;
    return false;
}

static void live(struct trial *l, struct told_list *told, uint32_t n, unsigned mishaps)
{
    struct trial_options o = options(mishaps);

    assert_ok(trial_live(&o, n, l));
    assert_ok(run_rules(l, &zone, &holidays, told));
}

/* `backflow_most`: of all lives, so many flags of that kind may come. */
static void raises_no_more(enum mishap mishap, unsigned backflow_most)
{
    struct twice *t = (struct twice *)calloc(1, sizeof *t);
    unsigned changed = 0, raised = 0, backflow = 0;

    assert_non_null(t);
    for (uint32_t n = 0; n < LIVES; n++) {
        live(&t->sound, &t->sound_told, n, 0);
        live(&t->wrong, &t->wrong_told, n, 1u << mishap);
        changed +=
            t->sound.count != t->wrong.count ||
            memcmp(t->sound.rows, t->wrong.rows, t->sound.count * sizeof *t->sound.rows) != 0;
        for (unsigned i = 0; i < t->wrong_told.count; i++) {
            const struct told *told = &t->wrong_told.at[i];

            if (!is_watched(told) || is_among(told, &t->sound_told))
                continue;
            if (strcmp(rules[told->rule].flag, "backflow") == 0)
                backflow++;
            else
                raised++;
            print_message("life %u (%s): %s of %lld raised %lld, %s at %.0f\n", n,
                          way_name[t->wrong.use.way], rules[told->rule].name,
                          (long long)told->onset_s, (long long)told->raised_s, mishap_name[mishap],
                          t->wrong.mishap_s);
        }
    }
    trial_done(&t->sound);
    trial_done(&t->wrong);
    free(t);
    assert_true(changed >= LIVES / 2);
    assert_int_equal(raised, 0);
    assert_true(backflow <= backflow_most);
}

static void raises_nothing(enum mishap mishap)
{
    raises_no_more(mishap, 0);
}

static void a_glitch_of_80000_m3_raises_nothing(void **state)
{
    (void)state;
    raises_nothing(MISHAP_GLITCH);
}

static void digits_read_wrong_raise_nothing(void **state)
{
    (void)state;
    /* Two readings side by side on a net register, the first too high and the second too low, are what a little water that flowed back looks like. */
    raises_no_more(MISHAP_WILD, LIVES / 20);
}

static void a_clock_that_was_reset_raises_nothing(void **state)
{
    (void)state;
    raises_nothing(MISHAP_CLOCK_RESET);
}

static void a_doubled_day_raises_nothing(void **state)
{
    (void)state;
    raises_nothing(MISHAP_DOUBLED);
}

static void a_register_that_technicians_re_based_raises_nothing(void **state)
{
    (void)state;
    raises_nothing(MISHAP_REBASED);
}

static void an_estimate_between_reads_raises_nothing(void **state)
{
    (void)state;
    raises_nothing(MISHAP_ESTIMATED);
}

static void whole_cubic_metres_typed_among_fine_reads_raise_nothing(void **state)
{
    (void)state;
    raises_nothing(MISHAP_TYPED);
}

static void a_roll_over_raises_nothing(void **state)
{
    (void)state;
    raises_nothing(MISHAP_ROLLED);
}

/* What its new people do is theirs: but no flag may span the move, or begin with it. */
static void a_meter_moved_to_another_customer_raises_nothing_that_spans_the_move(void **state)
{
    struct trial *l = (struct trial *)calloc(1, sizeof *l);
    struct told_list *told = (struct told_list *)calloc(1, sizeof *told);

    (void)state;
    assert_non_null(l);
    assert_non_null(told);
    for (uint32_t n = 0; n < LIVES; n++) {
        live(l, told, n, 1u << MISHAP_MOVED);
        for (unsigned i = 0; i < told->count; i++) {
            const struct told *t = &told->at[i];

            if (is_watched(t) && (double)t->raised_s > l->mishap_s)
                assert_true((double)t->onset_s > l->mishap_s + 86400);
        }
    }
    trial_done(l);
    free(l);
    free(told);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_glitch_of_80000_m3_raises_nothing),
        cmocka_unit_test(digits_read_wrong_raise_nothing),
        cmocka_unit_test(a_clock_that_was_reset_raises_nothing),
        cmocka_unit_test(a_doubled_day_raises_nothing),
        cmocka_unit_test(a_register_that_technicians_re_based_raises_nothing),
        cmocka_unit_test(an_estimate_between_reads_raises_nothing),
        cmocka_unit_test(whole_cubic_metres_typed_among_fine_reads_raise_nothing),
        cmocka_unit_test(a_roll_over_raises_nothing),
        cmocka_unit_test(a_meter_moved_to_another_customer_raises_nothing_that_spans_the_move),
    };

    zone_fixed(&zone, "Asia/Shanghai", 8 * 3600);
    holidays_builtin(&holidays);
    rules_make();
    return check_run(tests, argc, argv);
}
