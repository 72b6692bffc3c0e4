/* The verification calendar (rules-fleet V1 to V6) and tables of it as files. */
#include "proto/base/text.h"
#include "server/fleet/verify.h"
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

static struct verify_rules china;

static int32_t day(const char *text)
{
    int64_t n;

    assert_ok(text_date(span_text(text), &n));
    return (int32_t)n;
}

static struct verify_meter meter(int32_t dn_mm, int64_t q3_lph, int32_t life_months)
{
    return (struct verify_meter){ .rules = &china,
                                  .dn_mm = dn_mm,
                                  .q3_lph = q3_lph,
                                  .life_months = life_months,
                                  .row_verified_on = NO_DAY };
}

/* All verified on one day. */
static struct legal verified(int32_t dn_mm, int64_t q3_lph, int32_t life_months, const char *on,
                             const char *until)
{
    struct verify_meter m = meter(dn_mm, q3_lph, life_months);
    int32_t at = on ? day(on) : NO_DAY, last = until ? day(until) : NO_DAY;
    struct legal legal;

    legal_of(&m, at, last, at, last, &legal);
    return legal;
}

/* ---- V1: the regime ---- */

static void the_regime_follows_from_dn_and_q3_together(void **state)
{
    static const struct {
        int32_t dn_mm;
        int64_t q3_lph;
        enum regime regime;
        int32_t years;
    } expected[] = {
        { 15, 2500, REGIME_LIMITED, 6 },     { 25, 6300, REGIME_LIMITED, 6 },
        { 25, 16000, REGIME_LIMITED, 6 },    { 25, 16001, REGIME_PERIODIC, 2 },
        { 26, 16000, REGIME_LIMITED, 4 },    { 32, 10000, REGIME_LIMITED, 4 },
        { 50, 16000, REGIME_LIMITED, 4 },    { 50, 16001, REGIME_PERIODIC, 2 },
        { 50, 25000, REGIME_PERIODIC, 2 },   { 51, 1, REGIME_PERIODIC, 2 },
        { 65, 16000, REGIME_PERIODIC, 2 },   { 40, 40000, REGIME_PERIODIC, 2 },
        { 300, 630000, REGIME_PERIODIC, 2 }, { 1, 1, REGIME_LIMITED, 6 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct legal l = verified(expected[i].dn_mm, expected[i].q3_lph, 0, NULL, NULL);

        if (l.regime != expected[i].regime || l.rule_years != expected[i].years)
            fail_msg("DN %d, Q3 %lld: found %s, %d years", expected[i].dn_mm,
                     (long long)expected[i].q3_lph, regime_name(l.regime), l.rule_years);
        assert_int_equal(l.due, NO_DAY);
        assert_int_equal(l.basis, DUE_UNKNOWN);
    }
}

/* ---- V3: the corresponding day ---- */

static bool leap(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int32_t length_of(int32_t year, int32_t month)
{
    static const int32_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 1 && leap(year) ? 29 : lengths[month];
}

/* Every day of a century, its year, month and day counted up by hand: no calendar of the program. */
static void every_day_has_its_corresponding_day(void **state)
{
    static const int32_t spans[] = { 1, 6, 11, 12, 18, 24, 36, 48, 72, 120 };
    int32_t year = 1999, month = 0, of_month = 1;
    char text[32];

    (void)state;
    for (int32_t at = day("1999-01-01"); year < 2101; at++) {
        for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
            int32_t later = month + spans[i], y = year + later / 12, m = later % 12;
            int32_t d = of_month < length_of(y, m) ? of_month : length_of(y, m);

            snprintf(text, sizeof text, "%04d-%02d-%02d", y, m + 1, d);
            if (day_months_later(at, spans[i]) != day(text))
                fail_msg("%04d-%02d-%02d and %d months: expected %s", year, month + 1, of_month,
                         spans[i], text);
        }
        if (++of_month > length_of(year, month)) {
            of_month = 1;
            month = (month + 1) % 12;
            year += month == 0;
        }
    }
}

static void a_day_that_a_month_lacks_is_its_last_day(void **state)
{
    (void)state;
    assert_int_equal(verified(15, 2500, 0, "2020-02-29", NULL).due, day("2026-02-28"));
    assert_int_equal(verified(40, 16000, 0, "2020-02-29", NULL).due, day("2024-02-29"));
    assert_int_equal(verified(80, 63000, 0, "2024-02-29", NULL).due, day("2026-02-28"));
    assert_int_equal(verified(80, 63000, 0, "2022-02-28", NULL).due, day("2024-02-28"));
    assert_int_equal(verified(15, 2500, 18, "2024-08-31", NULL).due, day("2026-02-28"));
    assert_int_equal(verified(15, 2500, 1, "2025-01-31", NULL).due, day("2025-02-28"));
}

static void the_calendar_ends_with_the_year_9999(void **state)
{
    (void)state;
    assert_int_equal(day_months_later(day("9999-06-01"), 12), day("9999-12-31"));
    assert_int_equal(day_months_later(day("9999-12-31"), INT32_MAX), day("9999-12-31"));
    assert_int_equal(day_months_later(day("0000-01-31"), 1), day("0000-02-29"));
}

/* ---- V2: which verification ---- */

static void the_limited_class_counts_from_the_first_the_periodic_from_the_latest(void **state)
{
    struct verify_meter small = meter(15, 2500, 0), large = meter(100, 100000, 0);
    int32_t first = day("2020-04-20"), latest = day("2023-02-18");
    struct legal legal;

    (void)state;
    legal_of(&small, first, NO_DAY, latest, day("2023-12-31"), &legal);
    assert_int_equal(legal.due, day("2026-04-20"));
    assert_int_equal(legal.basis, DUE_RULE); /* the certificate is not that of the first */
    assert_int_equal(legal.first_verified_on, first);
    assert_int_equal(legal.verified_on, latest);
    legal_of(&large, first, day("2021-01-01"), latest, NO_DAY, &legal);
    assert_int_equal(legal.due, day("2025-02-18"));
    assert_int_equal(legal.basis, DUE_RULE);
    assert_int_equal(legal.first_verified_on, first);
    assert_int_equal(legal.verified_on, latest);
}

/* ---- V5, V6: what shortens it ---- */

static void the_earliest_of_rule_own_period_and_certificate_counts(void **state)
{
    static const struct {
        int32_t life_months;
        const char *until, *due;
        enum due_basis basis;
        unsigned warnings;
    } expected[] = {
        { 0, NULL, "2026-05-20", DUE_RULE, 0 },
        { 18, NULL, "2025-11-20", DUE_OVERRIDE, 0 },
        { 24, NULL, "2026-05-20", DUE_RULE, 0 }, /* as long as the rule is not longer */
        { 25, NULL, "2026-05-20", DUE_RULE, LEGAL_OVERRIDE_IGNORED },
        { INT32_MAX, NULL, "2026-05-20", DUE_RULE, LEGAL_OVERRIDE_IGNORED },
        { 0, "2026-05-19", "2026-05-19", DUE_CERTIFICATE, 0 },
        { 0, "2026-05-20", "2026-05-20", DUE_RULE, 0 },
        { 0, "2026-05-21", "2026-05-20", DUE_RULE, LEGAL_CERTIFICATE_IGNORED },
        { 18, "2025-11-20", "2025-11-20", DUE_OVERRIDE, 0 },
        { 18, "2025-11-19", "2025-11-19", DUE_CERTIFICATE, 0 },
        { 18, "2026-01-01", "2025-11-20", DUE_OVERRIDE, 0 },
        { 18, "2027-01-01", "2025-11-20", DUE_OVERRIDE, LEGAL_CERTIFICATE_IGNORED },
        { 36, "2027-01-01", "2026-05-20", DUE_RULE,
          LEGAL_CERTIFICATE_IGNORED | LEGAL_OVERRIDE_IGNORED },
        { 1, "2024-05-20", "2024-05-20", DUE_CERTIFICATE, 0 }, /* its own day */
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct legal l =
            verified(80, 63000, expected[i].life_months, "2024-05-20", expected[i].until);
        char due[11];

        text_put_date(due, l.due);
        if (strcmp(due, expected[i].due) != 0 || l.basis != expected[i].basis ||
            l.warnings != expected[i].warnings)
            fail_msg("line %zu: found %s %s, warnings %u", i, due, due_basis_name(l.basis),
                     l.warnings);
    }
}

static void a_longer_own_period_is_told_before_any_verification(void **state)
{
    struct legal l = verified(15, 2500, 73, NULL, NULL);

    (void)state;
    assert_int_equal(l.warnings, LEGAL_OVERRIDE_IGNORED);
    assert_int_equal(l.due, NO_DAY);
    assert_string_equal(due_basis_name(l.basis), "unknown");
}

/* ---- tables as files ---- */

#define HEAD "name test\nsource nowhere\n"

static void read_rules(struct verify_rules *out, const char *text)
{
    struct span guarded = check_guarded(span_text(text));
    struct refusal r = { 0 };

    if (verify_rules_read(out, guarded, &r))
        fail_msg("expected it to be read, found %s", r.text);
    check_unguard(guarded.at, guarded.len);
}

static void a_table_is_read_line_by_line(void **state)
{
    static struct verify_rules rules;
    struct verify_meter m = {
        .rules = &rules, .dn_mm = 20, .q3_lph = 2500, .row_verified_on = NO_DAY
    };
    struct legal l;

    (void)state;
    read_rules(&rules, "\xef\xbb\xbf# another country\r\n\r\n" HEAD
                       "\tlimited 15 years dn > 15 dn <= 20 q3 <= 2.5\r\n"
                       "limited 1 year q3 > 0.001 q3 <= 1.6 # small ones\n"
                       "periodic 18 months");
    assert_string_equal(rules.name, "test");
    assert_string_equal(rules.source, "nowhere");
    assert_int_equal(rules.count, 3);
    assert_int_equal(rules.at[1].q3_above_lph, 1);
    assert_int_equal(rules.at[1].q3_to_lph, 1600);
    legal_of(&m, day("2020-02-01"), NO_DAY, day("2022-02-01"), NO_DAY, &l);
    assert_int_equal(l.due, day("2035-02-01"));
    m.dn_mm = 15;
    legal_of(&m, day("2020-02-01"), NO_DAY, day("2022-02-01"), NO_DAY, &l);
    assert_int_equal(l.due, day("2023-08-01"));
    assert_int_equal(l.rule_years, 1);
    m.q3_lph = 1600;
    legal_of(&m, day("2020-02-01"), NO_DAY, day("2022-02-01"), NO_DAY, &l);
    assert_int_equal(l.due, day("2021-02-01"));
}

static void assert_refused(enum err expected, const char *text, size_t len, const char *says)
{
    struct verify_rules rules = { .count = 7 };
    struct span guarded = check_guarded(span_of(text, len));
    struct refusal r = { 0 };

    assert_err(expected, verify_rules_read(&rules, guarded, &r));
    if (!strstr(r.text, says))
        fail_msg("expected \"%s\", found \"%s\"", says, r.text);
    assert_int_equal(rules.count, 7);
    check_unguard(guarded.at, guarded.len);
}

static void malformed(const char *text, const char *says)
{
    assert_refused(ERR_MALFORMED, text, strlen(text), says);
}

static void a_wrong_table_is_refused_with_line_found_and_expected(void **state)
{
    (void)state;
    malformed("", "line 1: found \"the end\", expected a name and a source before it");
    malformed(HEAD, "line 3: found \"the end\", expected a rule without bounds before it");
    malformed("limits\n", "line 1: found \"limits\", expected name, source, limited, periodic");
    malformed("name\n", "line 1: found nothing more, expected a name of 1 to 31 bytes");
    malformed("name a\nname b\n", "line 2: found \"b\", expected name and source once each");
    malformed("name 12345678901234567890123456789012\n", "expected a name of 1 to 31 bytes");
    malformed("source \xff\n", "line 1: found \"?\", expected where the rules are from");
    malformed(HEAD "limited\n", "line 3: found nothing more, expected a whole number of years");
    malformed(HEAD "limited six years\n", "line 3: found \"six\", expected a whole number");
    malformed(HEAD "limited 0 years\n", "found \"0\", expected a whole number");
    malformed(HEAD "limited -6 years\n", "found \"-6\", expected a whole number");
    malformed(HEAD "limited 1.5 years\n", "found \"1.5\", expected a whole number");
    malformed(HEAD "limited 1201 months\n", "found \"1201\", expected a whole number");
    malformed(HEAD "limited 101 years\n", "found \"101\", expected a century at most");
    malformed(HEAD "limited 99999999999999999999 years\n", "expected a whole number");
    malformed(HEAD "limited 6\n", "line 3: found nothing more, expected years or months");
    malformed(HEAD "limited 6 days\n", "found \"days\", expected years or months");
    malformed(HEAD "limited 6 years q4 <= 3\n", "found \"q4\", expected dn, q3 or the end");
    malformed(HEAD "limited 6 years dn < 3\n", "found \"<\", expected <= or >");
    malformed(HEAD "limited 6 years dn <=\n", "found nothing more, expected a DN in whole");
    malformed(HEAD "limited 6 years dn <= 2.5\n", "found \"2.5\", expected a DN in whole");
    malformed(HEAD "limited 6 years q3 <= 0.0001\n", "found \"0.0001\", expected a Q3 in m3/h");
    malformed(HEAD "limited 6 years q3 <= 99999999999999999\n", "expected a Q3 in m3/h");
    malformed(HEAD "limited 6 years dn <= 3 dn <= 4\n", "found \"4\", expected one bound a side");
    malformed(HEAD "limited 6 years q3 > 3 q3 > 4\n", "found \"4\", expected one bound a side");
    malformed(HEAD "limited 6 years dn > 25 dn <= 25\n", "expected bounds with something between");
    malformed(HEAD "periodic 2 years\nlimited 6 years\n",
              "line 4: found \"limited\", expected no rule");
    malformed(HEAD "limited 6 years dn <= 3\n",
              "line 4: found \"the end\", expected a rule without");
    malformed("name a\nperiodic 2 years\n", "expected a name and a source before it");
    assert_refused(ERR_MALFORMED, "name a\0b\n", 9, "expected a name of 1 to 31 bytes");
    assert_refused(ERR_MALFORMED, "\0\n", 2, "line 1: found \"?\"");
}

static void a_table_without_end_is_refused(void **state)
{
    static char text[VERIFY_RULES_BYTES + 1];
    size_t len = 0;

    (void)state;
    memset(text, '\n', sizeof text);
    assert_refused(ERR_TOO_LARGE, text, sizeof text, "expected 65536 at most");
    len += (size_t)snprintf(text, sizeof text, HEAD);
    for (unsigned i = 0; i < VERIFY_RULES_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "limited 6 years dn <= %u\n", i + 1);
    len += (size_t)snprintf(text + len, sizeof text - len, "periodic 2 years\n");
    assert_refused(ERR_TOO_LARGE, text, len,
                   "line 35: found \"periodic\", expected at most 32 rules");
}

/* Whatever is done to the table that is built in: it is read or refused with a line, and never both. */
static void a_damaged_table_never_comes_in_by_halves(void **state)
{
    static const char *const words[] = { "limited", "6 years", "dn <= 25", "q3",   "\n",     "#",
                                         "source",  "18",      ">",        "\xff", "months", " " };
    struct check_random r = check_random_begin();
    char text[256];

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct verify_rules rules = { .count = UINT32_MAX };
        struct refusal why = { 0 };
        size_t len = (size_t)snprintf(text, sizeof text, HEAD);
        struct span guarded;

        for (unsigned n = (unsigned)check_below(&r, 16); n; n--)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s",
                                    words[check_below(&r, sizeof words / sizeof words[0])],
                                    check_below(&r, 4) ? " " : "");
        guarded = check_guarded(span_of(text, len));
        if (verify_rules_read(&rules, guarded, &why)) {
            assert_int_equal(rules.count, UINT32_MAX);
            assert_int_equal(strncmp(why.text, "line ", 5), 0);
            assert_true(why.offset >= 1);
        } else {
            assert_in_range(rules.count, 1, VERIFY_RULES_MAX);
        }
        check_unguard(guarded.at, guarded.len);
    }
}

static void a_table_is_known_by_its_rules_and_not_by_its_name(void **state)
{
    static struct verify_rules a, b, c;

    (void)state;
    read_rules(&a, HEAD "limited 6 years dn <= 25\nperiodic 2 years\n");
    read_rules(&b, "source elsewhere\nname b\nlimited 72 months dn <= 25\nperiodic 24 months\n");
    assert_int_equal(verify_rules_hash(&a), verify_rules_hash(&b));
    assert_int_not_equal(verify_rules_hash(&a), verify_rules_hash(&china));
    read_rules(&c, HEAD "limited 6 years dn <= 26\nperiodic 2 years\n");
    assert_int_not_equal(verify_rules_hash(&a), verify_rules_hash(&c));
    read_rules(&c, HEAD "periodic 6 years dn <= 25\nperiodic 2 years\n");
    assert_int_not_equal(verify_rules_hash(&a), verify_rules_hash(&c));
    read_rules(&c, HEAD "limited 6 years dn <= 25\nperiodic 25 months\n");
    assert_int_not_equal(verify_rules_hash(&a), verify_rules_hash(&c));
}

static void the_built_in_table_names_its_source(void **state)
{
    (void)state;
    assert_int_equal(china.count, 3);
    assert_string_equal(china.name, "JJG 162-2019");
    assert_non_null(strstr(china.source, "JJG 162"));
    assert_string_equal(regime_name(REGIME_LIMITED), "limited");
    assert_string_equal(regime_name(REGIME_PERIODIC), "periodic");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_table_names_its_source),
        cmocka_unit_test(the_regime_follows_from_dn_and_q3_together),
        cmocka_unit_test(every_day_has_its_corresponding_day),
        cmocka_unit_test(a_day_that_a_month_lacks_is_its_last_day),
        cmocka_unit_test(the_calendar_ends_with_the_year_9999),
        cmocka_unit_test(the_limited_class_counts_from_the_first_the_periodic_from_the_latest),
        cmocka_unit_test(the_earliest_of_rule_own_period_and_certificate_counts),
        cmocka_unit_test(a_longer_own_period_is_told_before_any_verification),
        cmocka_unit_test(a_table_is_read_line_by_line),
        cmocka_unit_test(a_wrong_table_is_refused_with_line_found_and_expected),
        cmocka_unit_test(a_table_without_end_is_refused),
        cmocka_unit_test(a_damaged_table_never_comes_in_by_halves),
        cmocka_unit_test(a_table_is_known_by_its_rules_and_not_by_its_name),
    };

    verify_rules_builtin(&china);
    return check_run(tests, argc, argv);
}
