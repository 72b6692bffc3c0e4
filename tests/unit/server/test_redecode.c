/* The journal read again, against what is settled: readings that an earlier decoder got wrong are told,
 * and put right once that is accepted. */
#include "server/acts/act.h"
#include "server/app_open.h"
#include "server/readings.h"
#include "server/redecode.h"
#include "server/registers.h"
#include "server/settler.h"
#include "tests/check.h"
#include "tests/client/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1772416800 /* 2026-03-02T02:00:00Z */
#define METERS 5

struct world {
    struct app app;
    const char *folder;
};

static struct world *world_of_segments(const char *folder, uint64_t segment_bytes)
{
    struct world *w = (struct world *)calloc(1, sizeof *w);
    struct app_options o = { .dir = folder,
                             .tz = "Asia/Shanghai",
                             .segment_bytes = segment_bytes,
                             .retention_days = 90,
                             .settle_every_s = 3600 };
    struct refusal r = { 0 };

    assert_non_null(w);
    w->folder = folder;
    clock_virtual(&w->app.clock, NOW);
    if (app_open_store(&w->app, &o, &r) || app_start(&w->app, &o, &r))
        fail_msg("%s", r.text);
    return w;
}

static struct world *world_open(const char *folder)
{
    return world_of_segments(folder, 0);
}

static void world_close(struct world *w)
{
    app_stop(&w->app);
    app_close_store(&w->app);
    free(w);
}

static void register_meters(struct world *w)
{
    static const struct caller root = { .role = ROLE_ADMIN, .who = "root" };
    struct import_report report = { 0 };
    struct refusal r = { 0 };
    char text[512] = "serial,dn,q3,dialect,radio_id\n", path[600];
    FILE *f;

    for (int i = 1; i <= METERS; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "M%d,15,2.5,native,000000000000000%d\n", i, i);
    snprintf(path, sizeof path, "%s/meters", w->folder);
    check_write(path, span_text(text));
    assert_non_null(f = fopen(path, "r"));
    assert_ok(act_import(&w->app, &root, span_text("meters"), fileno(f),
                         &(struct import_options){ 0 }, &report, &r));
    fclose(f);
    import_report_done(&report);
}

static void arrives(struct world *w, uint8_t dialect, int64_t at_s, struct span bytes)
{
    struct arrival arrival = { .dialect = dialect_by_id(dialect),
                               .transport = TRANSPORT_COAP,
                               .arrival_s = at_s,
                               .peer = { .len = 4, .address = { 127, 0, 0, 1 } },
                               .bytes = bytes };
    struct arena scratch = { 0 };
    struct intake *k = NULL;
    struct judged judged;
    struct refusal r = { 0 };

    assert_ok(arena_init(&scratch, 1 << 20));
    registry_read_lock(w->app.registry);
    assert_ok(ingest_judge_lkd(w->app.ingest, &arrival, &scratch, &judged, &r));
    registry_read_unlock(w->app.registry);
    assert_ok(intake_new(&k));
    assert_ok(intake_add(k, &judged.record));
    assert_ok(ingest_submit_wait(w->app.ingest, k));
    intake_free(k);
    arena_done(&scratch);
}

/* 24 hourly values up to `at_s`. */
static void report(struct world *w, unsigned meter, int64_t at_s, int64_t last_l)
{
    uint8_t room[512];
    char serial[16];
    int64_t litres[24];
    struct report sent = { .meter = serial,
                           .sent = (uint32_t)at_s,
                           .at = (uint32_t)at_s,
                           .step_s = 3600,
                           .litres = litres,
                           .count = 24 };

    snprintf(serial, sizeof serial, "M%u", meter);
    for (int i = 0; i < 24; i++)
        litres[i] = last_l - i;
    arrives(w, 1, at_s, span_of(room, report_put(&sent, room, sizeof room)));
}

/* M1 says 5 000 L without a time of its own, by way of a network server that heard it then. */
static void heard(struct world *w, const char *time, int64_t at_s)
{
    char body[256];

    snprintf(body, sizeof body,
             "{\"deviceInfo\":{\"devEui\":\"0000000000000001\"},\"time\":\"%s\",\"fCnt\":7,"
             "\"fPort\":2,\"data\":\"IgMYkE4=\"}",
             time);
    arrives(w, 7, at_s, span_text(body));
}

static struct world *settled_world(const char *folder)
{
    struct world *w = world_open(folder);

    register_meters(w);
    for (unsigned meter = 1; meter <= METERS; meter++)
        for (int day = 3; day >= 0; day--)
            report(w, meter, NOW - day * 86400, 1000 - day * 24);
    assert_ok(settler_settle(w->app.settler));
    return w;
}

static void load(struct world *w, uint32_t meter, struct rows *out)
{
    struct meter_facts facts;
    struct txn t = ledger_read(w->app.ledger);

    assert_ok(meter_facts_by_id(&t, meter, &facts));
    assert_ok(txn_end(&t));
    assert_ok(readings_load(&w->app, &facts, CHANNEL_FORWARD, 0, INT64_MAX, out));
}

struct amending {
    struct archive *archive;
    struct amendment amendment;
};

static enum err amend(void *arg)
{
    const struct amending *a = (const struct amending *)arg;

    return archive_amend(a->archive, archive_month(NOW), &a->amendment, 1);
}

/* As a decoder that read ten times too much would have settled the meter's rows of March, and as if it
 * had passed over the first of them. */
static void spoil(struct world *w, uint32_t meter)
{
    struct rows rows = { 0 };
    size_t from = 0;

    load(w, meter, &rows);
    while (archive_month(rows.at[from].time_s) != archive_month(NOW))
        from++;
    for (size_t i = from; i < rows.count; i++)
        rows.at[i].value *= 10;
    from++;

    struct amending a = { .archive = w->app.archive,
                          .amendment = { .meter = meter,
                                         .channel = CHANNEL_FORWARD,
                                         .replaces = true,
                                         .unit_ml = 1000,
                                         .rows = rows.at + from,
                                         .count = rows.count - from } };

    assert_ok(settler_lend(w->app.settler, amend, &a)); /* which else tidies the same runs */
    rows_done(&rows);
}

static void assert_same(const struct rows *a, const struct rows *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->at[i].time_s, b->at[i].time_s);
        assert_int_equal(a->at[i].value, b->at[i].value);
        assert_int_equal(a->at[i].attr, b->at[i].attr);
    }
}

struct reading_again {
    struct world *world;
    struct redecode_options options;
    struct redecode_report report;
};

static enum err read_again(void *arg)
{
    struct reading_again *r = (struct reading_again *)arg;

    return redecode(&r->world->app, &r->options, &r->report);
}

/* In the settler's place: it tidies the archive when it has nothing else to do. */
static struct redecode_report again(struct world *w, bool accept, uint64_t entries_most)
{
    struct reading_again r = { .world = w,
                               .options = { .accept = accept, .entries_most = entries_most } };

    assert_ok(settler_lend(w->app.settler, read_again, &r));
    return r.report;
}

static void what_is_settled_rightly_does_not_differ(void **state)
{
    struct world *w = settled_world(check_folder());
    struct redecode_report said = again(w, true, 0);

    (void)state;
    assert_true(said.whole);
    assert_int_equal(METERS * 4, said.records);
    assert_int_equal(0, said.meters);
    assert_int_equal(0, said.added + said.removed + said.unreadable);
    world_close(w);
}

static void a_wrong_decoding_is_told_and_put_right_when_accepted(void **state)
{
    struct world *w = settled_world(check_folder());
    struct rows before = { 0 }, spoiled = { 0 }, now = { 0 };
    struct redecode_report said;

    (void)state;
    load(w, 2, &before);
    spoil(w, 2);
    load(w, 2, &spoiled);
    assert_true(spoiled.count < before.count);
    said = again(w, false, 0);
    assert_int_equal(1, said.meters);
    assert_int_equal(said.removed + 1, said.added);
    load(w, 2, &now);
    assert_same(&spoiled, &now); /* not accepted: nothing changed */
    assert_int_equal(said.added, again(w, true, 0).added);
    load(w, 2, &now);
    assert_same(&before, &now);
    assert_int_equal(0, again(w, false, 0).meters);
    assert_ok(archive_check(w->app.archive, NULL));
    rows_done(&before);
    rows_done(&spoiled);
    rows_done(&now);
    world_close(w);
}

/* Room for the records of one meter at a time: the same difference. */
static void slices_of_meters_find_the_same(void **state)
{
    struct world *w = settled_world(check_folder());
    struct redecode_report all, sliced;

    (void)state;
    spoil(w, 1);
    spoil(w, 5);
    all = again(w, false, 0);
    sliced = again(w, false, 4);
    assert_int_equal(2, all.meters);
    assert_memory_equal(&all, &sliced, sizeof all);
    assert_int_equal(2, again(w, true, 4).meters);
    assert_int_equal(0, again(w, false, 0).meters);
    world_close(w);
}

/* Its first copy is gone with the retention: that the second is one, nobody can tell any more. */
static void a_repeat_is_no_reading_when_its_first_copy_is_gone(void **state)
{
    struct world *w = world_of_segments(check_folder(), 1); /* a segment a commit */
    struct rows rows = { 0 };
    struct redecode_report said;

    (void)state;
    register_meters(w);
    heard(w, "2026-03-02T02:00:00Z", NOW);
    heard(w, "2026-03-02T02:00:48Z", NOW + 48);
    assert_ok(settler_settle(w->app.settler));
    load(w, 1, &rows);
    assert_int_equal(1, rows.count);
    said = again(w, false, 0);
    assert_true(said.whole);
    assert_int_equal(2, said.records);
    assert_int_equal(0, said.added + said.removed + said.unreadable);
    assert_ok(clock_set(&w->app.clock, NOW + (int64_t)100 * 86400));
    assert_ok(settler_settle(w->app.settler));
    said = again(w, true, 0);
    assert_false(said.whole);
    assert_int_equal(1, said.records);
    assert_int_equal(0, said.added + said.removed + said.unreadable);
    load(w, 1, &rows);
    assert_int_equal(1, rows.count);
    rows_done(&rows);
    world_close(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_settled_rightly_does_not_differ),
        cmocka_unit_test(a_wrong_decoding_is_told_and_put_right_when_accepted),
        cmocka_unit_test(slices_of_meters_find_the_same),
        cmocka_unit_test(a_repeat_is_no_reading_when_its_first_copy_is_gone),
    };

    return check_run(tests, argc, argv);
}
