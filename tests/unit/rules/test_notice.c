/* Notices to customers: which deeds follow from which state, quiet hours, who is told, and what is written. */
#include "server/billing/notice.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#define CHINA 28800
#define T0 1772294400 /* 2026-03-01T00:00+08:00 */
#define HOUR 3600

static struct zone china(void)
{
    struct zone z;

    zone_fixed(&z, "Asia/Shanghai", CHINA);
    return z;
}

static void each_state_leads_to_one_deed(void **state)
{
    static const struct {
        struct notice_case c;
        struct notice_told told;
        enum notice_deed deed;
    } cases[] = {
        { { .open = true, .great = true }, { 0 }, NOTICE_BEGIN },
        { { .open = true }, { 0 }, NOTICE_DO_NOTHING }, /* a drip */
        { { .open = true, .great = true, .none = true },
          { 0 },
          NOTICE_DO_NOTHING },                           /* dismissed at once */
        { { .great = true }, { 0 }, NOTICE_DO_NOTHING }, /* over before anybody looked */
        { { .open = true, .great = true },
          { .begun = true, .begin = NOTICE_SENT },
          NOTICE_DO_NOTHING },
        { { .open = true },
          { .begun = true, .begin = NOTICE_SENT },
          NOTICE_DO_NOTHING }, /* smaller by now, and not over */
        { { .great = true }, { .begun = true, .begin = NOTICE_SENT }, NOTICE_FINISH },
        { { .open = true, .none = true }, { .begun = true, .begin = NOTICE_SENT }, NOTICE_FINISH },
        { { 0 }, { .begun = true, .begin = NOTICE_WAITING }, NOTICE_DROP },
        { { .past = true }, { .begun = true, .begin = NOTICE_WAITING }, NOTICE_FINISH },
        { { .past = true }, { .begun = true, .begin = NOTICE_WITHHELD }, NOTICE_DO_NOTHING },
        { { 0 }, { .begun = true, .begin = NOTICE_WITHHELD }, NOTICE_DO_NOTHING },
        { { 0 }, { .begun = true, .begin = NOTICE_DROPPED }, NOTICE_DO_NOTHING },
        { { 0 }, { .begun = true, .begin = NOTICE_SENT, .ended = true }, NOTICE_DO_NOTHING },
        { { .open = true, .great = true },
          { .begun = true, .begin = NOTICE_SENT, .ended = true },
          NOTICE_DO_NOTHING }, /* it came back: once a case */
        { { .open = true, .great = true },
          { .begun = true, .begin = NOTICE_DROPPED },
          NOTICE_DO_NOTHING },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (notice_deed(&cases[i].c, &cases[i].told) != cases[i].deed)
            fail_msg("case %zu: found %d, expected %d", i,
                     (int)notice_deed(&cases[i].c, &cases[i].told), (int)cases[i].deed);
}

static void nobody_is_written_to_in_quiet_hours(void **state)
{
    struct zone z = china();
    const struct notice_rules night = { .quiet_from_min = 22 * 60, .quiet_to_min = 7 * 60 },
                              noon = { .quiet_from_min = 12 * 60, .quiet_to_min = 14 * 60 },
                              none = { .quiet_from_min = 60, .quiet_to_min = 60 };

    (void)state;
    assert_int_equal(T0 + 7 * HOUR, notice_due(&night, &z, T0));
    assert_int_equal(T0 + 7 * HOUR, notice_due(&night, &z, T0 + 7 * HOUR - 1));
    assert_int_equal(T0 + 7 * HOUR, notice_due(&night, &z, T0 + 7 * HOUR));
    assert_int_equal(T0 + 22 * HOUR - 1, notice_due(&night, &z, T0 + 22 * HOUR - 1));
    assert_int_equal(T0 + 31 * HOUR, notice_due(&night, &z, T0 + 22 * HOUR));
    assert_int_equal(T0 + 14 * HOUR, notice_due(&noon, &z, T0 + 13 * HOUR));
    assert_int_equal(T0 + 11 * HOUR, notice_due(&noon, &z, T0 + 11 * HOUR));
    assert_int_equal(T0 + HOUR, notice_due(&none, &z, T0 + HOUR));
}

/* Whatever the zone does: never in the past, never within them, and not later than a day. */
static void quiet_hours_hold_over_changes_of_the_clock(void **state)
{
    struct check_random r = check_random_begin();
    struct zone z = china();

    (void)state;
    z.rule =
        (struct zone_rule){ .standard_s = CHINA,
                            .summer_s = CHINA + HOUR,
                            .begin = { .month = 3, .week = 5, .weekday = 0, .at_s = 2 * HOUR },
                            .end = { .month = 10, .week = 5, .weekday = 0, .at_s = 3 * HOUR } };
    for (int i = 0; i < 20000; i++) {
        int32_t from = (int32_t)check_below(&r, 1440), length = (int32_t)check_below(&r, 16 * 60);
        struct notice_rules q = { .quiet_from_min = from, .quiet_to_min = (from + length) % 1440 };
        int64_t now_s = T0 + check_between(&r, 0, 400 * 86400), due_s = notice_due(&q, &z, now_s);

        if (due_s < now_s || due_s > now_s + 26 * HOUR)
            fail_msg("from %d to %d at %lld: %lld", (int)q.quiet_from_min, (int)q.quiet_to_min,
                     (long long)now_s, (long long)due_s);
        if (notice_due(&q, &z, due_s) != due_s)
            fail_msg("from %d to %d at %lld: %lld is quiet", (int)q.quiet_from_min,
                     (int)q.quiet_to_min, (long long)now_s, (long long)due_s);
    }
}

static void only_the_account_of_the_onset_is_told_what_it_wants(void **state)
{
    struct span a = span_text("A"), b = span_text("B"), none = span_of(NULL, 0);

    (void)state;
    assert_null(notice_withheld(a, a, NOTICES_USUAL, NOTICE_LEAK));
    assert_string_equal("account-changed", notice_withheld(a, b, NOTICES_USUAL, NOTICE_LEAK));
    assert_string_equal("account-changed", notice_withheld(none, b, NOTICES_USUAL, NOTICE_LEAK));
    assert_string_equal("no-account", notice_withheld(a, none, NOTICES_USUAL, NOTICE_LEAK));
    assert_string_equal("opted-out", notice_withheld(a, a, 0, NOTICE_LEAK));
    assert_string_equal("opted-out", notice_withheld(a, a, NOTICES_USUAL, NOTICE_NO_USE));
}

static void every_text_fits_and_is_whole(void **state)
{
    char place[400];
    struct zone z = china();

    (void)state;
    for (size_t i = 0; i + 3 <= sizeof place - 1; i += 3)
        memcpy(place + i, "州", 3);
    place[399] = 0;
    for (int bits = 0; bits < NOTICE_KINDS * 2 * 2 * 2; bits++) {
        char en[NOTICE_TEXT_MAX], zh[NOTICE_TEXT_MAX];
        struct wr w_en = wr_of(en, sizeof en), w_zh = wr_of(zh, sizeof zh);
        struct notice_facts f = { .kind = (enum notice_kind)(bits % NOTICE_KINDS),
                                  .part = (enum notice_part)(bits / NOTICE_KINDS % 2),
                                  .none = bits / NOTICE_KINDS / 2 % 2,
                                  .has_temperature = bits / NOTICE_KINDS / 4 % 2,
                                  .place = span_text(place),
                                  .onset_s = T0,
                                  .ended_s = T0 + HOUR,
                                  .flow_mlph = 9223372036854774,
                                  .lost_mlpd = 9223372036854774,
                                  .use_ml = 9223372036854774,
                                  .usual_ml = 9223372036854774,
                                  .temperature_mk = -12345,
                                  .zone = &z };

        notice_say(&f, &w_en, &w_zh);
        assert_ok(w_en.err);
        assert_ok(w_zh.err);
        assert_true(wr_len(&w_en) > 160 && wr_len(&w_zh) > 160);
        assert_true(en[wr_len(&w_en) - 1] == '.');
        assert_memory_equal(zh + wr_len(&w_zh) - 3, "。", 3);
    }
}

static void a_text_says_what_was_measured(void **state)
{
    char en[NOTICE_TEXT_MAX], zh[NOTICE_TEXT_MAX];
    struct zone z = china();
    struct wr w_en = wr_of(en, sizeof en), w_zh = wr_of(zh, sizeof zh);
    const struct notice_facts f = { .kind = NOTICE_FROST,
                                    .place = span_text("1 Nile Street"),
                                    .onset_s = T0 + 5 * HOUR,
                                    .has_temperature = true,
                                    .temperature_mk = -450,
                                    .zone = &z };

    (void)state;
    notice_say(&f, &w_en, &w_zh);
    en[wr_len(&w_en)] = zh[wr_len(&w_zh)] = 0;
    assert_non_null(
        strstr(en, "1 Nile Street: The water meter reported frost at 2026-03-01 05:00 (-0.5 °C)."));
    assert_non_null(strstr(zh, "1 Nile Street：水表于2026-03-01 05:00报告低温（-0.5 °C）。"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_leads_to_one_deed),
        cmocka_unit_test(nobody_is_written_to_in_quiet_hours),
        cmocka_unit_test(quiet_hours_hold_over_changes_of_the_clock),
        cmocka_unit_test(only_the_account_of_the_onset_is_told_what_it_wants),
        cmocka_unit_test(every_text_fits_and_is_whole),
        cmocka_unit_test(a_text_says_what_was_measured),
    };

    return check_run(tests, argc, argv);
}
