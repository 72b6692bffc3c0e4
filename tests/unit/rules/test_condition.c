/* Due dates by condition, and the table of figures behind them. */
#include "server/fleet/condition.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fleet_rules rules;

/* A DN 15 that was fitted on day 1000: 1 400 h at Q3 2.5 are 3 500 m³. */
static struct condition_facts facts(void)
{
    return (struct condition_facts){ .q3_lph = 2500,
                                     .fitted_day = 1000,
                                     .volume_day = NO_DAY,
                                     .status_day = NO_DAY,
                                     .confirmed_day = NO_DAY,
                                     .failed_day = NO_DAY,
                                     .faulty_day = NO_DAY };
}

static void assert_due(const struct condition_facts *f, int32_t due, enum condition_basis basis)
{
    struct condition c;

    condition_of(&rules, f, &c);
    if (c.due != due || c.basis != basis)
        fail_msg("expected %d %s, found %d %s", due, basis ? condition_name(basis) : "none", c.due,
                 c.basis ? condition_name(c.basis) : "none");
}

static void nothing_known_is_no_date(void **state)
{
    struct condition_facts f = facts();

    (void)state;
    assert_due(&f, NO_DAY, CONDITION_NONE);
}

static void throughput_goes_on_at_its_pace(void **state)
{
    struct condition_facts f = facts();

    (void)state;
    f.volume_day = 1100;
    f.volume_ml = INT64_C(350) * 1000000; /* a tenth in 100 days */
    assert_due(&f, 2000, CONDITION_THROUGHPUT);
    f.volume_ml = INT64_C(7000) * 1000000; /* twice as much as it is good for */
    assert_due(&f, 1050, CONDITION_THROUGHPUT);
    f.volume_day = 1089; /* for 89 days */
    assert_due(&f, NO_DAY, CONDITION_NONE);
    f.volume_day = 1100;
    f.volume_ml = 1000000; /* in a thousand years */
    assert_due(&f, NO_DAY, CONDITION_NONE);
    f.volume_ml = -5;
    assert_due(&f, NO_DAY, CONDITION_NONE);
}

static void the_earliest_of_all_counts(void **state)
{
    struct condition_facts f = facts();

    (void)state;
    f.volume_day = 1100;
    f.volume_ml = INT64_C(350) * 1000000;
    f.status = UINT32_C(4); /* battery_low: in 90 days */
    f.status_day = 1500;
    assert_due(&f, 1590, CONDITION_ALARM);
    f.status |= UINT32_C(16); /* tamper: in 7 */
    assert_due(&f, 1507, CONDITION_ALARM);
    f.confirmed_day = 1505;
    assert_due(&f, 1505, CONDITION_ALARM);
    f.failed_day = 1504;
    assert_due(&f, 1504, CONDITION_LAB);
    f.faulty_day = 1503;
    assert_due(&f, 1503, CONDITION_FAULT);
    f.status = UINT32_C(1); /* a closed valve is no alarm */
    f.confirmed_day = f.failed_day = f.faulty_day = NO_DAY;
    assert_due(&f, 2000, CONDITION_THROUGHPUT);
}

/* A person reads what the date is from. */
static void its_words_tell_the_numbers(void **state)
{
    struct condition_facts f = facts();
    char text_en[160] = "", text_zh[160] = "";
    struct wr en = wr_of(text_en, sizeof text_en - 1), zh = wr_of(text_zh, sizeof text_zh - 1);
    struct condition c;

    (void)state;
    f.volume_day = 1100;
    f.volume_ml = INT64_C(350) * 1000000;
    condition_of(&rules, &f, &c);
    condition_say(&c, &en, &zh);
    assert_string_equal(text_en, "350 m³ through it, its size is good for 3500");
    assert_string_equal(text_zh, "累计通过 350 m³，此口径限 3500");
}

static void an_inspection_stands_until_it_is_passed_or_fitted_anew(void **state)
{
    struct life_event events[] = {
        { .kind = EVENT_INSTALL, .at_s = 0 },
        { .kind = EVENT_INSPECT, .at_s = 86400 * 5, .flags = EVENT_FAILED },
        { .kind = EVENT_INSPECT, .at_s = 86400 * 7, .flags = EVENT_FAILED },
        { .kind = EVENT_INSPECT, .at_s = 86400 * 9 },
    };
    struct life now = { .state = LIFE_RUNNING };
    struct zone zone;
    int32_t failed, faulty;

    (void)state;
    zone_fixed(&zone, "UTC", 0);
    condition_of_life(events, 4, &now, &zone, 86400 * 8, &failed, &faulty);
    assert_int_equal(failed, 5);
    assert_int_equal(faulty, NO_DAY);
    condition_of_life(events, 4, &now, &zone, 86400 * 9, &failed, &faulty);
    assert_int_equal(failed, NO_DAY);
    now.state = LIFE_FAULTY;
    now.since_s = 86400 * 6;
    condition_of_life(events, 2, &now, &zone, 86400 * 9, &failed, &faulty);
    assert_int_equal(failed, 5);
    assert_int_equal(faulty, 6);
}

/* ---- the table ---- */

static void the_built_in_table_reads(void **state)
{
    (void)state;
    assert_string_equal(rules.currency, "yuan");
    assert_int_equal(rules.water_m3[USE_RESIDENTIAL], 5000);
    assert_int_equal(rules.water_m3[USE_HYDRANT], 5000);
    assert_int_equal(fleet_change_cost(&rules, 15), 180000);
    assert_int_equal(fleet_change_cost(&rules, 32), 900000);
    assert_int_equal(fleet_change_cost(&rules, 9999), 25000000);
    assert_int_equal(rules.exchange_days, 90);
}

static void peoples_prices_go_before_the_table(void **state)
{
    struct fleet_rules own = rules;

    (void)state;
    assert_true(fleet_rules_price(&own, span_text("water"), span_text("residential"), 6500));
    assert_true(fleet_rules_price(&own, span_text("change"), span_text("32"), 700000));
    assert_true(fleet_rules_price(&own, span_text("change"), span_text("15"), 150000));
    assert_false(fleet_rules_price(&own, span_text("water"), span_text("champagne"), 1));
    assert_false(fleet_rules_price(&own, span_text("lunch"), span_text("15"), 1));
    assert_false(fleet_rules_price(&own, span_text("water"), span_text("residential"), -1));
    assert_int_equal(own.water_m3[USE_RESIDENTIAL], 6500);
    assert_int_equal(own.water_m3[USE_COMMERCIAL], 9500);
    assert_int_equal(fleet_change_cost(&own, 15), 150000);
    assert_int_equal(fleet_change_cost(&own, 30), 700000);
    assert_int_equal(fleet_change_cost(&own, 33), 900000);
}

static void words_find_their_kind(void **state)
{
    enum failure_kind kind = FAILURE_OTHER;

    (void)state;
    assert_true(failure_of_text(&rules, span_text("表停走了"), &kind));
    assert_int_equal(kind, FAILURE_STUCK);
    assert_true(failure_of_text(&rules, span_text("Frost damage"), &kind));
    assert_int_equal(kind, FAILURE_BROKEN);
    assert_false(failure_of_text(&rules, span_text("periodic"), &kind));
    assert_false(failure_of_text(&rules, span_text(""), &kind));
    assert_true(failure_of_flag(&rules, "reversed", &kind));
    assert_int_equal(kind, FAILURE_REVERSED);
    assert_false(failure_of_flag(&rules, "leak", &kind));
}

/* The table of `from` with one line put in the place of the one that begins with `old`; NULL: as it is. */
static void assert_refused(const char *old, const char *line, const char *says)
{
    struct span file = check_read(NILO_SOURCE_DIR "/server/fleet/defaults/cn.table");
    static char text[DEFAULTS_BYTES];
    const char *at = strstr((const char *)file.at, old);
    struct fleet_rules out = { .name = "untouched" };
    struct refusal r = { 0 };
    int len;

    assert_non_null(at);
    len = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - (const char *)file.at),
                   (const char *)file.at, line, strchr(at + 1, '\n'));
    assert_err(ERR_MALFORMED, fleet_rules_read(&out, span_of(text, (size_t)len), &r));
    if (!strstr(r.text, says) || !strstr(r.text, "line "))
        fail_msg("%s: expected a line and %s, found %s", line, says, r.text);
    assert_string_equal(out.name, "untouched");
    free((void *)file.at);
}

static void a_table_that_does_not_read_is_told_by_its_line(void **state)
{
    (void)state;
    assert_refused("\nthroughput ", "\nthroughput many 90 from a person", "many");
    assert_refused("\nthroughput ", "\n", "throughput");
    assert_refused("\nalarm tamper", "\nalarm sunshine 7 from a person", "sunshine");
    assert_refused("\nchange 20 ", "\nchange 10 210 from a person", "10");
    assert_refused("\nflag slow ", "\nflag slow sleepy from a person", "sleepy");
    assert_refused("\ndiscount ", "\ndiscount 5", "from");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_no_date),
        cmocka_unit_test(throughput_goes_on_at_its_pace),
        cmocka_unit_test(the_earliest_of_all_counts),
        cmocka_unit_test(its_words_tell_the_numbers),
        cmocka_unit_test(an_inspection_stands_until_it_is_passed_or_fitted_anew),
        cmocka_unit_test(the_built_in_table_reads),
        cmocka_unit_test(peoples_prices_go_before_the_table),
        cmocka_unit_test(words_find_their_kind),
        cmocka_unit_test(a_table_that_does_not_read_is_told_by_its_line),
    };

    fleet_rules_builtin(&rules);
    return check_run(tests, argc, argv);
}
