/* What one settling leaves for the next, and for the next start. */
#include "server/app_open.h"
#include "server/judge.h"
#include "server/metrics.h"
#include "server/registers.h"
#include "server/settler.h"
#include "storage/rowset.h"
#include "tests/check.h"

#include <pthread.h>
#include <stdatomic.h>

#define HOUR 3600
#define DAY 86400
#define BEGAN 1772294400 /* 2026-03-01T00:00+08:00 */
#define NOW (BEGAN + 60 * DAY)

static struct app app;

static struct app_options options_of(const char *dir)
{
    return (struct app_options){ .dir = dir,
                                 .tz = "Asia/Shanghai",
                                 .segment_bytes = 1 << 20,
                                 .quarantine_frames = 1000,
                                 .quarantine_source_frames = 100,
                                 .retention_days = 90,
                                 .settle_every_s = 3600 };
}

static void open_store(const char *dir)
{
    struct app_options options = options_of(dir);
    struct refusal r = { 0 };

    memset(&app, 0, sizeof app);
    clock_virtual(&app.clock, NOW);
    assert_ok(app_open_store(&app, &options, &r));
}

static void start(const char *dir)
{
    struct app_options options = options_of(dir);
    struct refusal r = { 0 };

    assert_ok(app_start(&app, &options, &r));
}

static void register_meter(void)
{
    struct span meter[] = { span_text("M1"),  span_text(""),  span_text("15"),
                            span_text("2.5"), span_text(""),  span_text(""),
                            span_text(""),    span_text("1"), span_text("forward") };
    struct span place[] = { span_text("P1"), span_text(""), span_text(""),
                            span_text(""),   span_text(""), span_text("residential") };
    struct act a = act_begin(app.ledger, "test", BEGAN, 0);
    uint32_t id, point;

    act_put_row(&a, LIST_METER, meter[0], LEDGER_ALWAYS, meter, 9, &id, NULL);
    act_put_row(&a, LIST_POINT, place[0], LEDGER_ALWAYS, place, 6, &point, NULL);
    act_put_fitting(&a,
                    &(struct fitting){
                        .meter = id, .point = point, .from_s = BEGAN - DAY, .to_s = FITTING_OPEN });
    assert_ok(act_end(&a));
    assert_int_equal(id, 1);
    assert_ok(registry_add(app.registry, span_text("M1"), id));
}

static bool count_one(void *arg, const struct waiting *w)
{
    (void)w;
    ++*(unsigned *)arg;
    return true;
}

static void a_frame_that_no_longer_reads_is_put_aside_before_it_counts_as_settled(void **state)
{
    const char *dir = check_folder();
    struct record record = { .kind = RECORD_FRAME,
                             .dialect = 1,
                             .transport = TRANSPORT_COAP,
                             .meter = 1,
                             .arrival_s = NOW,
                             .bytes = span_text("\xff\xff\xff") };
    struct intake *k;
    unsigned waiting = 0;

    (void)state;
    open_store(dir);
    register_meter();
    start(dir);
    assert_ok(intake_new(&k));
    assert_ok(intake_add(k, &record));
    assert_ok(ingest_submit_wait(app.ingest, k));
    assert_ok(settler_settle(app.settler));
    assert_int_equal(tail_count(app.tail), 0);
    assert_int_equal(archive_settled(app.archive), journal_end(app.journal));
    assert_ok(quarantine_each(app.quarantine, span_text("M1"), 0, count_one, &waiting));
    assert_int_equal(waiting, 1);
    assert_int_equal(quarantine_count(app.quarantine), 1);
    intake_free(k);
    app_stop(&app);
    app_close_store(&app);
}

/* A leak of 50 L/h from the twentieth day on. */
static void live(struct rows *rows)
{
    int64_t ml = 0;

    for (int64_t hour = 0; hour < 40 * 24; hour++) {
        assert_ok(rows_push(rows, (struct row){ ml, (uint32_t)(BEGAN + hour * HOUR), 0 }));
        ml += hour % 24 == 7 ? 60000 : 0;
        ml += hour >= 20 * 24 ? 50000 : 0;
    }
}

/* Settled as the settler does it, up to where a kill came before the judging. */
static void settle_by_hand(const struct rows *rows)
{
    static uint8_t bytes[64 << 10];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct record record = { .kind = RECORD_ROWS, .transport = TRANSPORT_HTTP, .arrival_s = NOW };
    struct archive_pass *pass;
    struct batch *batch;
    uint64_t number;
    uint32_t offset;

    rowset_put(&w, 1, CHANNEL_FORWARD, rows->at, rows->count);
    record.bytes = wr_span(&w);
    assert_ok(batch_new(&batch));
    assert_ok(batch_add(batch, &record, &offset));
    assert_ok(journal_commit(app.journal, &batch, 1, &number));
    batch_free(batch);
    assert_ok(archive_pass_begin(app.archive, 0, &pass));
    assert_ok(archive_pass_put(pass, 1, CHANNEL_FORWARD, 1000, rows->at, rows->count));
    assert_ok(archive_pass_end(pass, journal_end(app.journal)));
}

static void mark_judged(void)
{
    struct txn ledger = ledger_read(app.ledger), views = views_write(app.views);

    views_set_acts(&views, ledger_end(&ledger));
    judge_mark(&app, &views);
    assert_ok(txn_end(&views));
    assert_ok(txn_end(&ledger));
}

static bool see(void *arg, const struct flag *f)
{
    (void)f;
    ++*(unsigned *)arg;
    return true;
}

static void what_a_kill_left_unjudged_is_judged_by_the_first_settling(void **state)
{
    const char *dir = check_folder();
    struct flag_filter all = { 0 };
    struct rows rows = { 0 };
    unsigned flags = 0;

    (void)state;
    open_store(dir);
    register_meter();
    live(&rows);
    settle_by_hand(&rows);
    mark_judged();
    app_close_store(&app);
    open_store(dir);
    start(dir);
    assert_ok(settler_settle(app.settler));
    assert_ok(flags_each(&app, &all, see, &flags));
    assert_int_equal(flags, 1);
    app_stop(&app);
    app_close_store(&app);
    rows_done(&rows);
}

/* The disk was full when a complete import was to be made visible, and acts were judged after it. */
static void an_import_that_a_start_makes_visible_is_judged(void **state)
{
    const char *dir = check_folder();
    struct flag_filter all = { 0 };
    struct archive_pass *pass;
    struct rows rows = { 0 };
    unsigned flags = 0;
    uint32_t import;
    struct act a;

    (void)state;
    open_store(dir);
    register_meter();
    live(&rows);
    a = act_begin(app.ledger, "test", NOW, 0);
    act_import_begin(&a, &import);
    act_import_complete(&a, import, rows.count);
    assert_ok(act_end(&a));
    assert_ok(archive_pass_begin(app.archive, import, &pass));
    assert_ok(archive_pass_put(pass, 1, CHANNEL_FORWARD, 1000, rows.at, rows.count));
    assert_ok(archive_pass_stage(pass));
    mark_judged();
    app_close_store(&app);
    open_store(dir);
    start(dir);
    assert_ok(settler_settle(app.settler));
    assert_ok(flags_each(&app, &all, see, &flags));
    assert_int_equal(flags, 1);
    app_stop(&app);
    app_close_store(&app);
    rows_done(&rows);
}

/* An act touches whatever it changed, whether or not anybody can judge meanwhile. */
static void touches_without_end_are_remembered_once_a_meter(void **state)
{
    const char *dir = check_folder();
    struct flag_filter all = { 0 };
    struct rows rows = { 0 };
    unsigned flags = 0;

    (void)state;
    open_store(dir);
    register_meter();
    live(&rows);
    settle_by_hand(&rows);
    mark_judged();
    assert_ok(settler_open(&app, 3600, &app.settler));
    for (unsigned i = 0; i < 200000; i++)
        settler_touch(app.settler, 1 + i % 7); /* six of them are nobody's */
    assert_ok(settler_start(app.settler));
    assert_ok(settler_settle(app.settler));
    assert_ok(flags_each(&app, &all, see, &flags));
    assert_int_equal(flags, 1);
    app_stop(&app);
    app_close_store(&app);
    rows_done(&rows);
}

static void register_its_predecessor(void)
{
    struct span meter[] = { span_text("M0"),  span_text(""),  span_text("15"),
                            span_text("2.5"), span_text(""),  span_text(""),
                            span_text(""),    span_text("1"), span_text("forward") };
    struct act a = act_begin(app.ledger, "test", BEGAN, 0);
    uint32_t id;

    act_put_row(&a, LIST_METER, meter[0], LEDGER_ALWAYS, meter, 9, &id, NULL);
    assert_ok(act_end(&a));
    assert_int_equal(id, 2);
    assert_ok(registry_add(app.registry, span_text("M0"), id));
}

/* Over a hundred days at the point of M1, before it. */
static void take_off_predecessor(int64_t used_ml)
{
    struct act a = act_begin(app.ledger, "test", NOW, 0);

    act_put_fitting(&a, &(struct fitting){ .meter = 2,
                                           .point = 1,
                                           .from_s = BEGAN - 101 * DAY,
                                           .to_s = BEGAN - DAY,
                                           .end_ml = used_ml,
                                           .has_end = true });
    assert_ok(act_end(&a));
}

static unsigned count_settled_flags(void)
{
    struct flag_filter open = { .meter = 1, .states = 1u << FLAG_OPEN };
    unsigned flags = 0;

    assert_ok(settler_settle(app.settler));
    assert_ok(flags_each(&app, &open, see, &flags));
    return flags;
}

/* M1 never turned. That is odd where the meter before it measured 250 L a day, and is not where nobody lived. */
static void who_was_fitted_behind_a_meter_whose_end_is_put_right_is_judged_anew(void **state)
{
    const char *dir = check_folder();
    struct rows rows = { 0 };

    (void)state;
    open_store(dir);
    register_meter();
    register_its_predecessor();
    take_off_predecessor(100 * INT64_C(2000));
    for (int64_t hour = 0; hour < 40 * 24; hour++)
        assert_ok(rows_push(&rows, (struct row){ 0, (uint32_t)(BEGAN + hour * HOUR), 0 }));
    settle_by_hand(&rows);
    start(dir);
    assert_int_equal(count_settled_flags(), 0);
    take_off_predecessor(100 * INT64_C(250000));
    settler_touch(app.settler, 2); /* itself alone */
    assert_int_equal(count_settled_flags(), 0);
    settler_touch_behind(app.settler, 2);
    assert_int_equal(count_settled_flags(), 1);
    take_off_predecessor(100 * INT64_C(2000));
    settler_touch_behind(app.settler, 2);
    assert_int_equal(count_settled_flags(), 0);
    app_stop(&app);
    app_close_store(&app);
    rows_done(&rows);
}

static void *report_without_pause(void *arg)
{
    _Atomic bool *stop = (_Atomic bool *)arg;
    struct row row = { .value = 1000, .time_s = BEGAN };
    struct record record = { .kind = RECORD_ROWS, .transport = TRANSPORT_HTTP, .arrival_s = NOW };
    struct intake *k;
    uint8_t bytes[64];

    assert_ok(intake_new(&k));
    while (!*stop) {
        struct wr w = wr_of(bytes, sizeof bytes);

        row.time_s++;
        rowset_put(&w, 1, CHANNEL_FORWARD, &row, 1);
        record.bytes = wr_span(&w);
        intake_clear(k);
        assert_ok(intake_add(k, &record));
        assert_ok(ingest_submit_wait(app.ingest, k));
    }
    intake_free(k);
    return NULL;
}

static void a_settling_ends_however_many_reports_keep_coming(void **state)
{
    const char *dir = check_folder();
    _Atomic bool stop = false;
    pthread_t reporters[6];
    uint64_t passes;

    (void)state;
    open_store(dir);
    register_meter();
    start(dir);
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&reporters[i], NULL, report_without_pause, &stop), 0);
    assert_ok(settler_settle(app.settler));
    passes = metrics_get(METRIC_SETTLE_PASSES);
    for (int i = 0; i < 10; i++)
        assert_ok(settler_settle(app.settler));
    assert_in_range(metrics_get(METRIC_SETTLE_PASSES) - passes, 0, 10); /* one each */
    stop = true;
    for (int i = 0; i < 6; i++)
        pthread_join(reporters[i], NULL);
    app_stop(&app);
    app_close_store(&app);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_that_no_longer_reads_is_put_aside_before_it_counts_as_settled),
        cmocka_unit_test(what_a_kill_left_unjudged_is_judged_by_the_first_settling),
        cmocka_unit_test(an_import_that_a_start_makes_visible_is_judged),
        cmocka_unit_test(who_was_fitted_behind_a_meter_whose_end_is_put_right_is_judged_anew),
        cmocka_unit_test(a_settling_ends_however_many_reports_keep_coming),
        cmocka_unit_test(touches_without_end_are_remembered_once_a_meter),
    };

    return check_run(tests, argc, argv);
}
