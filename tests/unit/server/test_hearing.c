/* Who is silent, and which cells are out, as the clock goes: through the judge, on a store without a journal. */
#include "server/hearing.h"

#include "server/app_open.h"
#include "server/detect/silent.h"
#include "server/judge.h"
#include "server/outages.h"
#include "server/registers.h"
#include "storage/rowset.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR 3600
#define DAY 86400
#define BEGAN 1772294400 /* 2026-03-01T00:00+08:00 */
#define METERS 40u

static struct app app;
static struct vitals said[METERS + 1];
static uint32_t now_s;
static char folder[512];

static void open_store(void)
{
    struct app_options o = { .tz = "Asia/Shanghai", .retention_days = 90 };
    struct refusal r = { 0 };

    memset(&app, 0, sizeof app);
    o.dir = folder;
    clock_virtual(&app.clock, now_s);
    assert_ok(app_open_store(&app, &o, &r));
    assert_ok(hearing_open(&app, &app.hearing));
}

/* Meters from 1 on, each fitted since a day before at a point of its own. */
static void begin(uint32_t meters)
{
    struct act a;

    memset(said, 0, sizeof said);
    now_s = BEGAN;
    snprintf(folder, sizeof folder, "%s", check_folder());
    open_store();
    a = act_begin(app.ledger, "test", BEGAN, 0);
    for (uint32_t m = 1; m <= meters; m++) {
        char serial[16], place[16];
        struct span meter[] = { span_of(NULL, 0), span_text(""), span_text("15"),
                                span_text("2.5") };
        struct span point[] = { span_of(NULL, 0) };
        uint32_t id, point_id;

        snprintf(serial, sizeof serial, "M%u", m);
        snprintf(place, sizeof place, "P%u", m);
        meter[0] = span_text(serial);
        point[0] = span_text(place);
        act_put_row(&a, LIST_METER, meter[0], LEDGER_ALWAYS, meter, 4, &id, NULL);
        act_put_row(&a, LIST_POINT, point[0], LEDGER_ALWAYS, point, 1, &point_id, NULL);
        act_put_fitting(
            &a, &(struct fitting){
                    .meter = id, .point = point_id, .from_s = BEGAN - DAY, .to_s = FITTING_OPEN });
        assert_int_equal(id, m);
    }
    assert_ok(act_end(&a));
}

static void end(void)
{
    app_close_store(&app);
}

static void look(struct news *touched)
{
    assert_ok(clock_set(&app.clock, now_s));
    assert_ok(hearing_look(app.hearing, now_s, true, touched));
    news_sort(touched);
    assert_ok(judge_pass_new(&app, touched->at, touched->count, now_s));
    free(touched->at);
}

/* Meters [from, to] report through the cell. */
static void report(struct news *touched, uint32_t from, uint32_t to, uint32_t cell)
{
    for (uint32_t m = from; m <= to; m++) {
        struct frame f = { .cell = cell };
        struct vitals was = said[m];
        struct vitals_entry entry;
        struct hush hush;

        vitals_take(&said[m], &f, said[m].position + 1, now_s);
        entry = (struct vitals_entry){ .meter = m, .vitals = said[m] };
        hush = (struct hush){ 0 };
        if (silence_broken(&was, &said[m], &hush)) {
            hush.meter = m;
            assert_ok(news_push_of(touched, m, NEWS_SILENCE));
            assert_ok(archive_vitals_put(app.archive, &entry, 1, &hush, 1));
        } else {
            assert_ok(archive_vitals_put(app.archive, &entry, 1, NULL, 0));
        }
        assert_ok(hearing_heard(app.hearing, m, &said[m]));
    }
}

/* So often a day passes, those report, and the clock is looked at. */
static void days(unsigned count, uint32_t from, uint32_t to, uint32_t cell)
{
    while (count--) {
        struct news touched = { 0 };

        now_s += DAY;
        if (from)
            report(&touched, from, to, cell);
        look(&touched);
    }
}

/* Of all flags in order of id: "outage:7 open · M3 open". */
static bool tell_flag(void *arg, const struct flag *f)
{
    char *text = (char *)arg, cell[FLAG_CELL_SIZE];
    size_t len = strlen(text);

    flag_cell(&f->verdict, cell);
    snprintf(text + len, 2048 - len, "%s%s%s %s%s", len ? ", " : "", f->meter ? "" : "outage ",
             f->meter ? f->meter_facts.serial : cell, flag_state_name(f->state),
             verdict_is_explained(&f->verdict) ? " explained" : "");
    return true;
}

static const char *flags(void)
{
    static char text[2048];

    text[0] = 0;
    assert_ok(flags_each(&app, &(struct flag_filter){ 0 }, tell_flag, text));
    return text;
}

static void when_everything_is_silent_no_cell_and_no_meter_is_told_of(void **state)
{
    (void)state;
    begin(30);
    for (int i = 0; i < 4; i++) {
        struct news touched = { 0 };

        now_s += DAY;
        report(&touched, 1, 15, 7);
        report(&touched, 16, 30, 8);
        look(&touched);
    }
    assert_string_equal("", flags());
    days(2, 0, 0, 0);
    assert_string_equal("outage all open", flags());
    days(8, 0, 0, 0);
    assert_string_equal("outage all open", flags());
    days(1, 1, 29, 7); /* all but one are back */
    assert_string_equal("outage all open", flags());
    days(2, 1, 29, 7);
    assert_string_equal("outage all cleared, M30 open", flags());
    end();
}

/* Three poor radios of one cell are silent for days now and then, each by itself: that they are all at one time is no outage; of three good ones it is. */
static void a_cell_of_poor_radios_is_not_out_by_chance(void **state)
{
    (void)state;
    begin(40);
    for (unsigned d = 0; d < 60; d++) {
        struct news touched = { 0 };

        now_s += DAY;
        for (uint32_t m = 1; m <= 3; m++)
            if ((d + 5 * m) % 15 >= 5) /* five days of fifteen it is not heard */
                report(&touched, m, m, 7);
        report(&touched, 4, 6, 8);
        report(&touched, 11, 40, 9);
        look(&touched);
    }
    assert_null(strstr(flags(), "outage"));
    days(4, 11, 40, 9); /* now none of both cells is */
    assert_null(strstr(flags(), "outage 7 "));
    assert_non_null(strstr(flags(), "outage 8 open"));
    end();
}

static bool tell_figures(void *arg, const struct flag *f)
{
    int64_t *figures = (int64_t *)arg;

    figures[0] = verdict_value(&f->verdict, "silent") / 1000;
    figures[1] = verdict_value(&f->verdict, "meters") / 1000;
    return true;
}

/* The register is asked about some of so many, and what it says stands for all. */
static void an_outage_of_many_meters_says_how_many(void **state)
{
    enum { MANY = 2100 };
    struct vitals v = { 0 };
    struct frame f = { .cell = 0 };
    int64_t figures[2] = { 0 };

    (void)state;
    begin(MANY);
    for (int i = 0; i < 3; i++) {
        struct news touched = { 0 };

        now_s += DAY;
        vitals_take(&v, &f, v.position + 1, now_s);
        for (uint32_t m = 1; m <= MANY; m++)
            assert_ok(hearing_heard(app.hearing, m, &v));
        look(&touched);
    }
    days(2, 0, 0, 0);
    assert_string_equal("outage all open", flags());
    assert_ok(flags_each(&app, &(struct flag_filter){ 0 }, tell_figures, figures));
    assert_int_equal(figures[0], MANY);
    assert_int_equal(figures[1], MANY);
    end();
}

static void two_cells_that_fall_silent_in_one_second_are_two_flags(void **state)
{
    struct news touched = { 0 };

    (void)state;
    begin(40);
    for (int i = 0; i < 4; i++) {
        struct news all = { 0 };

        now_s += DAY;
        report(&all, 1, 5, 7);
        report(&all, 6, 10, CELL_GATEWAY | 8);
        report(&all, 11, 40, 9);
        look(&all);
    }
    days(3, 11, 40, 9);
    assert_string_equal("outage 00000008 open, outage 7 open", flags());
    now_s += DAY; /* the gateway's meters go over to another */
    report(&touched, 6, 10, CELL_GATEWAY | 5);
    report(&touched, 11, 40, 9);
    look(&touched);
    assert_string_equal("outage 00000008 cleared, outage 7 open", flags());
    end();
}

static void what_a_start_finds_is_what_was_told(void **state)
{
    char before[2048];
    struct txn t;

    (void)state;
    begin(40);
    for (int i = 0; i < 4; i++) {
        struct news all = { 0 };

        now_s += DAY;
        report(&all, 1, 5, 7);
        report(&all, 11, 40, 9);
        look(&all);
    }
    days(5, 12, 40, 9);
    assert_string_equal("outage 7 open, M11 open", flags());
    snprintf(before, sizeof before, "%s", flags());
    t = views_write(app.views); /* a crash came between the ledger and the views */
    views_del_flag(&t, span_text(app.outages->at[0].id));
    assert_ok(txn_end(&t));
    end();
    open_store();
    assert_string_equal(before, flags());
    days(1, 12, 40, 9);
    assert_string_equal(before, flags());
    assert_ok(judge_rebuild(&app));
    assert_string_equal(before, flags());
    end();
}

static void a_meter_that_was_heard_in_the_store_alone_is_silent_from_its_fitting_on(void **state)
{
    struct news touched = { 0 };
    struct act a;

    (void)state;
    begin(3);
    a = act_begin(app.ledger, "test", BEGAN, 0);
    act_put_fitting(
        &a, &(struct fitting){ .meter = 3, .point = 3, .from_s = BEGAN - DAY, .to_s = BEGAN });
    assert_ok(act_end(&a));
    for (int i = 0; i < 4; i++) {
        struct news all = { 0 };

        now_s += DAY;
        report(&all, 1, 3, 0);
        look(&all);
    }
    days(20, 1, 2, 0);
    assert_string_equal("", flags()); /* it lies in the store */
    a = act_begin(app.ledger, "test", now_s, 0);
    act_put_fitting(
        &a, &(struct fitting){ .meter = 3, .point = 3, .from_s = now_s, .to_s = FITTING_OPEN });
    assert_ok(act_end(&a));
    assert_ok(news_push(&touched, 3, 0));
    look(&touched);
    days(2, 1, 2, 0);
    assert_string_equal("", flags());
    days(1, 1, 2, 0);
    assert_string_equal("M3 open", flags());
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_everything_is_silent_no_cell_and_no_meter_is_told_of),
        cmocka_unit_test(a_cell_of_poor_radios_is_not_out_by_chance),
        cmocka_unit_test(an_outage_of_many_meters_says_how_many),
        cmocka_unit_test(two_cells_that_fall_silent_in_one_second_are_two_flags),
        cmocka_unit_test(what_a_start_finds_is_what_was_told),
        cmocka_unit_test(a_meter_that_was_heard_in_the_store_alone_is_silent_from_its_fitting_on),
    };

    return check_run(tests, argc, argv);
}
