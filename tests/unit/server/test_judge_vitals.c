/* Flags that follow from what a meter said of itself, through a store: fittings, births, a rebuild. */
#include "server/app_open.h"
#include "server/detect/said.h"
#include "server/judge_priv.h"
#include "server/registers.h"
#include "tests/check.h"

#include <stdlib.h>

#define DAY INT64_C(86400)
#define MARCH INT64_C(1772294400) /* 2026-03-01T00:00 in Shanghai */

struct world {
    struct app app;
    struct vitals now;
    struct past past;
    uint64_t position, settled;
    int64_t at_s;
};

static void begin(struct world *w)
{
    struct app_options options = { .dir = check_folder(),
                                   .tz = "Asia/Shanghai",
                                   .segment_bytes = 1 << 20,
                                   .quarantine_frames = 1000,
                                   .quarantine_source_frames = 100,
                                   .retention_days = 90 };
    struct refusal r = { 0 };
    struct span cells[] = { span_text("M"), span_text(""), span_text("15"), span_text("2.5") };
    struct span point = span_text("P");
    uint32_t id, point_id;
    struct act a;

    memset(w, 0, sizeof *w);
    w->at_s = MARCH;
    clock_virtual(&w->app.clock, MARCH + 400 * DAY);
    assert_ok(app_open_store(&w->app, &options, &r));
    a = act_begin(w->app.ledger, "test", MARCH, 0);
    act_put_row(&a, LIST_METER, cells[0], LEDGER_ALWAYS, cells, 4, &id, NULL);
    act_put_row(&a, LIST_POINT, point, LEDGER_ALWAYS, &point, 1, &point_id, NULL);
    act_put_fitting(
        &a, &(struct fitting){
                .meter = id, .point = point_id, .from_s = MARCH - DAY, .to_s = FITTING_OPEN });
    assert_ok(act_end(&a));
}

/* A day: 24 readings of `litres` in all, and a report, as a settling pass leaves them. */
static void live(struct world *w, unsigned days, int64_t litres, uint32_t status)
{
    static int64_t ml = 5000000;

    for (unsigned d = 0; d < days; d++) {
        struct frame f = { .status = status, .battery_mv = 3600, .sent_s = w->at_s };
        struct vitals was = w->now;
        struct past_change change = { .any = false };
        uint8_t bytes[PAST_BYTES_MAX];
        struct wr wr = wr_of(bytes, sizeof bytes);
        struct rows rows = { 0 };
        struct vitals_entry entry;
        struct archive_pass *pass;

        vitals_take(&w->now, &f, ++w->position, (uint32_t)w->at_s);
        past_take(&w->past, &was, &w->now, &change);
        past_encode(&w->past, &wr);
        entry = (struct vitals_entry){ .meter = 1, .vitals = w->now, .past = wr_span(&wr) };
        for (int hour = 0; hour < 24; hour++) {
            assert_ok(
                rows_push(&rows, (struct row){ .value = ml / 1000 * 1000,
                                               .time_s = (uint32_t)(w->at_s + hour * 3600) }));
            ml += hour >= 6 && hour < 22 ? litres * 1000 / 16 : 0;
        }
        assert_ok(archive_pass_begin(w->app.archive, 0, &pass));
        assert_ok(archive_pass_put(pass, 1, CHANNEL_FORWARD, 1000, rows.at, rows.count));
        archive_pass_vitals(pass, &entry, 1, NULL, 0);
        w->settled += 1 << 24;
        assert_ok(archive_pass_end(pass, w->settled));
        {
            struct judge_news news = { .meter = 1,
                                       .first_s = change.shut ? 0 : rows.at[0].time_s,
                                       .news = NEWS_VITALS | (change.any ? NEWS_PAST : 0) };

            assert_ok(judge_pass_new(&w->app, &news, 1, w->at_s + DAY));
        }
        rows_done(&rows);
        w->at_s += DAY;
    }
}

struct shown {
    unsigned count;
    struct flag last;
    uint64_t sum; /* of ids, onsets, states */
};

static bool show(void *arg, const struct flag *f)
{
    struct shown *s = (struct shown *)arg;

    s->count++;
    s->last = *f;
    for (const char *c = f->id; *c; c++)
        s->sum = s->sum * 31 + (uint8_t)*c;
    s->sum = s->sum * 31 + (uint64_t)f->verdict.onset_s + (uint64_t)f->verdict.raised_s * 7 +
             (uint64_t)f->state;
    return true;
}

static struct shown flags(struct world *w, const struct detector *kind)
{
    struct flag_filter q = { .kind = kind };
    struct shown s = { .count = 0 };

    assert_ok(flags_each(&w->app, &q, show, &s));
    return s;
}

static void a_magnet_that_saves_water_is_told_with_what_is_missing(void **state)
{
    struct world w;
    struct shown s, before;

    (void)state;
    begin(&w);
    live(&w, 40, 320, 0);
    assert_int_equal(flags(&w, &detector_tamper).count, 0);
    live(&w, 2, 100, STATUS_MAGNET);
    assert_int_equal(flags(&w, &detector_tamper).count, 0);
    live(&w, 8, 100, STATUS_MAGNET);
    s = flags(&w, &detector_tamper);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.last.state, FLAG_OPEN);
    assert_int_equal(s.last.verdict.severity, SEVERITY_HIGH);
    assert_int_equal(s.last.verdict.onset_s, MARCH + 40 * DAY);
    assert_int_equal(s.last.verdict.raised_s, MARCH + 42 * DAY);
    assert_in_range(s.last.verdict.lost_mlpd, 190000, 250000);
    assert_non_null(strstr(s.last.text_en, "a magnet"));
    assert_non_null(strstr(s.last.text_zh, "强磁"));
    live(&w, 20, 320, 0);
    s = flags(&w, &detector_tamper);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.last.state, FLAG_CLEARED);
    assert_int_equal(s.last.verdict.cleared_s, MARCH + 50 * DAY);
    before = flags(&w, &detector_tamper);
    assert_ok(judge_rebuild(&w.app)); /* the same flags, ids and onsets */
    s = flags(&w, &detector_tamper);
    assert_int_equal(s.count, before.count);
    assert_true(s.sum == before.sum);
    app_close_store(&w.app);
}

static void a_clock_told_of_in_stock_is_the_fittings_from_its_beginning(void **state)
{
    struct past_span span = { .from_s = MARCH - 50 * DAY,
                              .raised_s = MARCH - 40 * DAY,
                              .seen_s = MARCH + 5 * DAY,
                              .worst = -1000,
                              .value = -1000,
                              .reports = 9 };
    struct past past = { .full_mv = 3600 };
    struct said s = { .span = &span, .past = &past, .from_s = MARCH, .to_s = FITTING_OPEN };
    struct verdict v;

    (void)state;
    assert_true(clock_judge(&s, &v));
    assert_true(v.open);
    assert_int_equal(v.onset_s, MARCH);
    assert_int_equal(v.raised_s, MARCH);
    assert_int_equal(v.severity, SEVERITY_MEDIUM);
    s.to_s = MARCH + 3 * DAY; /* taken off */
    assert_true(clock_judge(&s, &v));
    assert_false(v.open);
    assert_int_equal(v.cleared_s, MARCH + 3 * DAY);
    span.seen_s = MARCH - DAY; /* over before it was fitted */
    assert_false(clock_judge(&s, &v));
    span = (struct past_span){ .from_s = MARCH, .seen_s = MARCH };
    assert_false(clock_judge(&s, &v)); /* never told */
}

static void while_the_valve_is_closed_no_use_is_expected(void **state)
{
    struct world w;
    struct txn t;
    struct meter_facts m;
    struct pauses p;

    (void)state;
    begin(&w);
    live(&w, 30, 320, 0);
    live(&w, 40, 0, STATUS_VALVE_CLOSED);
    t = ledger_read(w.app.ledger);
    assert_ok(meter_facts_by_id(&t, 1, &m));
    assert_ok(judge_pauses(&w.app, NULL, &t, &m, NULL, &p));
    assert_int_equal(p.count, 1);
    assert_int_equal(p.at[0].why, PAUSE_SHUT);
    assert_int_equal(p.at[0].from_s, MARCH + 29 * DAY);
    assert_true(p.at[0].to_s == INT64_MAX);
    assert_ok(txn_end(&t));
    assert_int_equal(flags(&w, &detector_stuck).count, 0);
    app_close_store(&w.app);
}

static void a_damaged_row_is_found_by_the_check(void **state)
{
    struct world w;
    struct refusal r = { 0 };
    struct past past;
    struct vitals_entry entry = { .meter = 1,
                                  .vitals = { .position = 9, .arrival_s = 5 },
                                  .past = span_text("rubbish") };

    (void)state;
    begin(&w);
    live(&w, 3, 100, STATUS_DRY);
    assert_ok(archive_check(w.app.archive, &r));
    assert_ok(archive_past(w.app.archive, 1, &past));
    assert_int_equal(past.count[PAST_TAMPER], 1);
    assert_ok(archive_past(w.app.archive, 77, &past));
    assert_int_equal(past.count[PAST_TAMPER], 0);
    assert_ok(archive_vitals_put(w.app.archive, &entry, 1, NULL, 0));
    assert_err(ERR_CORRUPT, archive_past(w.app.archive, 1, &past));
    assert_err(ERR_CORRUPT, archive_check(w.app.archive, &r));
    app_close_store(&w.app);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_magnet_that_saves_water_is_told_with_what_is_missing),
        cmocka_unit_test(a_clock_told_of_in_stock_is_the_fittings_from_its_beginning),
        cmocka_unit_test(while_the_valve_is_closed_no_use_is_expected),
        cmocka_unit_test(a_damaged_row_is_found_by_the_check),
    };

    return check_run(tests, argc, argv);
}
