/* The flag `overdue` follows from the calendar and the fittings alone (rules-fleet V14). */
#include "server/app_open.h"
#include "server/judge_priv.h"
#include "server/lives.h"
#include "server/registers.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)
#define MARCH INT64_C(1772294400) /* 2026-03-01T00:00 in Shanghai */

static struct app app;

static void begin(int64_t now_s)
{
    struct app_options options = { .dir = check_folder(),
                                   .tz = "Asia/Shanghai",
                                   .segment_bytes = 1 << 20,
                                   .quarantine_frames = 1000,
                                   .quarantine_source_frames = 100,
                                   .retention_days = 90 };
    struct refusal r = { 0 };

    memset(&app, 0, sizeof app);
    clock_virtual(&app.clock, now_s);
    assert_ok(app_open_store(&app, &options, &r));
}

static void end(void)
{
    app_close_store(&app);
}

/* Meter 1 at point 1. DN 15 is verified for six years, DN 80 for two. */
static void put_meter(const char *dn, const char *verified_on, const char *life_months)
{
    struct span cells[CELL_METER_life_months + 1] = { 0 };
    struct span point = span_text("P");
    struct act a = act_begin(app.ledger, "test", MARCH, 0);
    uint32_t id;

    cells[CELL_METER_serial] = span_text("M");
    cells[CELL_METER_dn] = span_text(dn);
    cells[CELL_METER_q3] = span_text("2.5");
    cells[CELL_METER_verified_on] = span_text(verified_on);
    cells[CELL_METER_life_months] = span_text(life_months);
    act_put_row(&a, LIST_METER, cells[0], LEDGER_ALWAYS, cells, CELL_METER_life_months + 1, &id,
                NULL);
    assert_int_equal(id, 1);
    act_put_row(&a, LIST_POINT, point, LEDGER_ALWAYS, &point, 1, NULL, NULL);
    assert_ok(act_end(&a));
}

static void put_event(struct life_event e)
{
    struct meter_life l;
    struct act a = act_begin(app.ledger, "test", MARCH, 0);

    assert_ok(life_load(&app, &a.txn, 1, &l));
    life_write(&app, &a, &l, &e);
    life_done(&l);
    assert_ok(act_end(&a));
}

static void install(int64_t at_s)
{
    put_event((struct life_event){
        .kind = EVENT_INSTALL, .at_s = at_s, .point = 1, .flags = EVENT_HAS_INDEX });
}

static void take_off(int64_t at_s)
{
    put_event((struct life_event){
        .kind = EVENT_REMOVE, .at_s = at_s, .flags = EVENT_HAS_INDEX, .index_ml = 1000 });
}

static void verify(int64_t at_s, int32_t on)
{
    put_event((struct life_event){
        .kind = EVENT_VERIFY, .at_s = at_s, .verified_on = on, .valid_until = NO_DAY });
}

/* Episodes as of an instant, as text: days from 2026-03-01 of onset and end, "1-" while it is open. */
static void says(int64_t now_s, const char *expected)
{
    struct txn t = ledger_read(app.ledger);
    struct flag_records list = { 0 };
    struct fittings fittings;
    struct meter_facts meter;
    char text[200] = "";

    assert_ok(fittings_load(&t, false, 1, &fittings));
    assert_ok(meter_facts_by_id(&t, 1, &meter));
    {
        struct judge_view view = { .app = &app,
                                   .ledger = &t,
                                   .meter = &meter,
                                   .fittings = fittings.at,
                                   .count = fittings.count,
                                   .now_s = now_s };

        assert_ok(judge_source_overdue.episodes(&view, &list));
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct flag_record *f = &list.at[i];
        size_t len = strlen(text);

        assert_ptr_equal(f->kind, &detector_overdue);
        assert_int_equal(f->verdict.open, !f->ended);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%g-", i ? " " : "",
                                (double)(f->verdict.onset_s - MARCH) / DAY);
        if (f->ended)
            snprintf(text + len, sizeof text - len, "%g",
                     (double)(f->verdict.cleared_s - MARCH) / DAY);
    }
    assert_string_equal(text, expected);
    flag_records_done(&list);
    fittings_done(&fittings);
    assert_ok(txn_end(&t));
}

static void it_begins_with_the_midnight_that_ends_the_date(void **state)
{
    (void)state;
    begin(MARCH);
    put_meter("15", "2020-03-01", ""); /* in date until 2026-03-01, itself inside */
    install(MARCH - 1000 * DAY);
    says(MARCH, "");
    says(MARCH + DAY - 1, "");
    says(MARCH + DAY, "1-");
    says(MARCH + 500 * DAY, "1-");
    end();
}

static void without_a_verification_there_is_none(void **state)
{
    (void)state;
    begin(MARCH);
    put_meter("15", "", "");
    install(MARCH - 1000 * DAY);
    says(MARCH + 5000 * DAY, "");
    end();
}

static void who_was_fitted_later_is_overdue_from_then(void **state)
{
    (void)state;
    begin(MARCH);
    put_meter("15", "2020-03-01", "");
    install(MARCH + 10 * DAY + DAY / 2);
    says(MARCH + 10 * DAY, "");
    says(MARCH + 11 * DAY, "10.5-");
    end();
}

static void it_ends_when_the_meter_is_taken_off(void **state)
{
    (void)state;
    begin(MARCH);
    put_meter("15", "2020-03-01", "");
    install(MARCH - 100 * DAY);
    take_off(MARCH + 20 * DAY);
    says(MARCH + 19 * DAY, "1-");
    says(MARCH + 20 * DAY, "1-20");
    install(MARCH + 30 * DAY);
    says(MARCH + 31 * DAY, "1-20 30-");
    end();
}

static void who_was_taken_off_in_date_never_was(void **state)
{
    (void)state;
    begin(MARCH);
    put_meter("15", "2020-03-01", "");
    install(MARCH - 100 * DAY);
    take_off(MARCH + DAY); /* the very instant in which it would begin */
    says(MARCH + 400 * DAY, "");
    end();
}

static void a_shorter_period_moves_it_as_if_it_had_always_been_so(void **state)
{
    (void)state;
    begin(MARCH);
    put_meter("15", "2020-03-01", "71"); /* until 2026-02-01 */
    install(MARCH - 1000 * DAY);
    says(MARCH, "-27-");
    end();
}

/* Of DN 80 a new certificate counts from its own day (V2). */
static void a_renewal_in_the_laboratory_counts_for_the_fitting_after_it(void **state)
{
    (void)state;
    begin(MARCH);
    put_meter("80", "2024-03-01", "");
    install(MARCH - 700 * DAY);
    take_off(MARCH + 5 * DAY);
    verify(MARCH + 6 * DAY, 20519); /* 2026-03-07 */
    install(MARCH + 7 * DAY);
    says(MARCH + 100 * DAY, "1-5");
    says(MARCH + 800 * DAY, "1-5 738-"); /* after 2028-03-07 */
    end();
}

static void kept_flags_are_the_same_or_not(void **state)
{
    struct flag_record one = { .kind = &detector_overdue,
                               .fitting_from_s = 5,
                               .verdict = { .open = true, .onset_s = 10, .raised_s = 10 } };
    struct flag_record other = { .kind = &detector_stuck, .fitting_from_s = 5 };
    struct flag_records kept = { 0 }, wanted = { 0 };

    (void)state;
    assert_true(source_same(&judge_source_overdue, &kept, &wanted));
    assert_ok(flag_records_push(&kept, &other)); /* of others nothing is asked */
    assert_true(source_same(&judge_source_overdue, &kept, &wanted));
    assert_ok(flag_records_push(&wanted, &one));
    assert_false(source_same(&judge_source_overdue, &kept, &wanted));
    assert_ok(flag_records_push(&kept, &one));
    assert_true(source_same(&judge_source_overdue, &kept, &wanted));
    kept.at[1].verdict.onset_s = 11;
    assert_false(source_same(&judge_source_overdue, &kept, &wanted));
    kept.at[1].verdict.onset_s = 10;
    kept.at[1].ended = true;
    assert_false(source_same(&judge_source_overdue, &kept, &wanted));
    kept.at[1].ended = false;
    kept.at[1].told_s = 99; /* what is given to an episode later does not count */
    memcpy(kept.at[1].id, "x", 2);
    assert_true(source_same(&judge_source_overdue, &kept, &wanted));
    verdict_number(&wanted.at[0].verdict, "rule_years", 6000);
    assert_false(source_same(&judge_source_overdue, &kept, &wanted));
    flag_records_done(&kept);
    flag_records_done(&wanted);
}

static void what_a_source_finds_takes_the_place_of_its_own_only(void **state)
{
    struct flag_record old = { .kind = &detector_overdue, .meter = 1 };
    struct flag_record other = { .kind = &detector_stuck, .meter = 2 };
    struct flag_record fresh = { .kind = &detector_overdue, .meter = 3 };
    struct flag_records list = { 0 }, found = { 0 };

    (void)state;
    assert_ok(flag_records_push(&list, &old));
    assert_ok(flag_records_push(&list, &other));
    assert_ok(flag_records_push(&found, &fresh));
    assert_ok(source_replace(&judge_source_overdue, &list, &found));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.at[0].meter, 2);
    assert_int_equal(list.at[1].meter, 3);
    found.count = 0;
    assert_ok(source_replace(&judge_source_overdue, &list, &found));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.at[0].meter, 2);
    flag_records_done(&list);
    flag_records_done(&found);
}

static void every_kind_that_no_step_makes_has_one_source(void **state)
{
    const struct detector *d;

    (void)state;
    for (size_t n = 0; (d = detector_at(n)); n++) {
        const struct judge_source *source;
        struct flag_record r = { .kind = d };
        unsigned owners = 0;

        for (size_t i = 0; (source = judge_source_at(i)); i++)
            owners += source_owns(source, &r);
        assert_int_equal(owners,
                         d->judge || d == &detector_outage ? 0 : 1); /* an outage is no meter's */
    }
}

/* ---- through the judge ---- */

struct shown {
    unsigned count;
    enum flag_state state;
    int64_t cleared_s;
    char id[FLAG_ID_SIZE], text_en[FLAG_TEXT_SIZE];
};

static bool show(void *arg, const struct flag *f)
{
    struct shown *s = (struct shown *)arg;

    s->count++;
    s->state = f->state;
    s->cleared_s = f->verdict.cleared_s;
    memcpy(s->id, f->id, sizeof s->id);
    memcpy(s->text_en, f->text_en, sizeof s->text_en);
    return true;
}

static struct shown listed(int64_t now_s, bool date)
{
    struct judge_news news = { .meter = 1,
                               .first_s = date ? JUDGE_NO_READING : 0,
                               .news = date ? NEWS_DATE : 0 };
    struct flag_filter q = { .kind = &detector_overdue };
    struct shown s = { 0 };

    assert_ok(judge_pass_new(&app, &news, 1, now_s));
    assert_ok(flags_each(&app, &q, show, &s));
    return s;
}

static void the_judge_keeps_one_flag_from_its_birth_to_its_end(void **state)
{
    struct shown born, later;

    (void)state;
    begin(MARCH + 400 * DAY);
    put_meter("15", "2020-03-01", "");
    install(MARCH - 1000 * DAY);
    assert_int_equal(listed(MARCH, false).count, 0);
    born = listed(MARCH + DAY, true); /* the date alone has passed */
    assert_int_equal(born.count, 1);
    assert_int_equal(born.state, FLAG_OPEN);
    assert_non_null(strstr(born.text_en, "2026-03-01"));
    later = listed(MARCH + 300 * DAY, false);
    assert_string_equal(later.id, born.id);
    take_off(MARCH + 301 * DAY);
    later = listed(MARCH + 302 * DAY, false);
    assert_int_equal(later.count, 1);
    assert_string_equal(later.id, born.id);
    assert_int_equal(later.state, FLAG_CLEARED);
    assert_int_equal(later.cleared_s, MARCH + 301 * DAY);
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_with_the_midnight_that_ends_the_date),
        cmocka_unit_test(without_a_verification_there_is_none),
        cmocka_unit_test(who_was_fitted_later_is_overdue_from_then),
        cmocka_unit_test(it_ends_when_the_meter_is_taken_off),
        cmocka_unit_test(who_was_taken_off_in_date_never_was),
        cmocka_unit_test(a_shorter_period_moves_it_as_if_it_had_always_been_so),
        cmocka_unit_test(a_renewal_in_the_laboratory_counts_for_the_fitting_after_it),
        cmocka_unit_test(kept_flags_are_the_same_or_not),
        cmocka_unit_test(what_a_source_finds_takes_the_place_of_its_own_only),
        cmocka_unit_test(every_kind_that_no_step_makes_has_one_source),
        cmocka_unit_test(the_judge_keeps_one_flag_from_its_birth_to_its_end),
    };

    return check_run(tests, argc, argv);
}
