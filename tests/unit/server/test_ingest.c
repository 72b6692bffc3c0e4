/* The door to the journal: what a frame comes to, and what "done" promises. */
#include "server/ingest.h"

#include "proto/native.h"
#include "storage/rowset.h"
#include "tests/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

static struct ingest_parts parts;
static struct ingest *ingest;
static struct arena scratch;

static void open_limited(const struct quarantine_limits *limits)
{
    const char *folder = check_folder();
    struct refusal r = { 0 };

    assert_ok(journal_open(folder, NULL, DB_CREATE, &parts.journal, &r));
    assert_ok(quarantine_open(folder, limits, DB_CREATE, &parts.quarantine, &r));
    assert_ok(tail_new(&parts.tail));
    assert_ok(registry_new(&parts.registry));
    assert_ok(registry_add(parts.registry, span_text("10000001"), 1));
    assert_ok(registry_add(parts.registry, span_text("10000002"), 2));
    assert_ok(registry_add_radio(parts.registry, span_text("radio-1"), 1));
    assert_ok(ingest_open(&parts, &ingest));
    assert_ok(arena_init(&scratch, 1 << 20));
}

static void open_all(void)
{
    open_limited(NULL);
}

static void close_all(void)
{
    arena_done(&scratch);
    ingest_close(ingest);
    registry_free(parts.registry);
    tail_free(parts.tail);
    quarantine_close(parts.quarantine);
    journal_close(parts.journal);
}

/* ---- judging ---- */

#define NOW 1767225600

static struct span report(const char *meter, int64_t sent_s, int64_t index_l)
{
    static uint8_t room[256];
    struct sample sample = { sent_s ? sent_s : NOW, index_l * 1000 };
    struct series series = { .channel = CHANNEL_FORWARD, .count = 1, .samples = &sample };
    struct frame f = {
        .names = names_of(span_text(meter)), .sent_s = sent_s, .series_count = 1, .series = &series
    };
    struct wr w = wr_of(room, sizeof room);
    int8_t scale = 0;

    assert_ok(native_encode(&f, &scale, &w));
    return wr_span(&w);
}

static struct arrival arrival_of(struct span bytes, const char *name)
{
    return (struct arrival){ .dialect = &dialect_native,
                             .transport = TRANSPORT_COAP,
                             .peer = { .len = 4, .address = { 127, 0, 0, 9 }, .port = 40001 },
                             .name = span_text(name),
                             .arrival_s = NOW,
                             .bytes = bytes };
}

static enum err judge(const struct arrival *a, struct record *out, struct refusal *r)
{
    struct judged judged;
    enum err err;

    arena_clear(&scratch);
    registry_read_lock(parts.registry);
    err = ingest_judge_lkd(ingest, a, &scratch, &judged, r);
    registry_read_unlock(parts.registry);
    if (!err)
        *out = judged.record;
    return err;
}

static void a_report_becomes_a_record_of_its_meter(void **state)
{
    struct span bytes;
    struct arrival a;
    struct record record;
    struct refusal r = { 0 };

    (void)state;
    open_all();
    bytes = report("10000002", NOW, 5);
    a = arrival_of(bytes, "");
    assert_ok(judge(&a, &record, &r));
    assert_int_equal(record.kind, RECORD_FRAME);
    assert_int_equal(record.meter, 2);
    assert_int_equal(record.arrival_s, NOW);
    assert_int_equal(record.dialect, dialect_native.id);
    assert_int_equal(record.name.len, 0);
    assert_true(span_equal(record.bytes, bytes));
    close_all();
}

static void names_by_transport_and_payload_must_agree(void **state)
{
    static const struct {
        const char *payload, *given;
        bool proven;
        enum err err;
        uint32_t meter;
    } cases[] = {
        { "10000001", "10000001", false, ERR_OK, 1 },
        { "", "10000001", false, ERR_OK, 1 },
        { "10000001", "radio-1", false, ERR_OK, 1 }, /* two names of one meter */
        { "radio-1", "", false, ERR_OK, 1 },
        { "10000001", "10000002", false, ERR_NAMES_DIFFER, 0 },
        { "10000001", "nobody", false, ERR_NAMES_DIFFER, 0 },
        { "nobody", "10000001", false, ERR_NAMES_DIFFER, 0 },
        { "nobody", "nobody", false, ERR_OK, 0 },
        { "", "", false, ERR_NO_METER, 0 },
        { "", "two words", false, ERR_MALFORMED, 0 },
        { "", "an-identity-that-is-longer-than-32-bytes", false, ERR_MALFORMED, 0 },
        { "10000001", "10000002", true, ERR_FORBIDDEN, 0 },
        { "nobody", "10000002", true, ERR_FORBIDDEN, 0 },
        { "10000001", "10000001", true, ERR_OK, 1 },
        { "", "radio-1", true, ERR_OK, 1 },
    };

    (void)state;
    open_all();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arrival a = arrival_of(report(cases[i].payload, NOW, 5), cases[i].given);
        struct record record = { 0 };
        struct refusal r = { 0 };

        print_message("payload '%s', given '%s'\n", cases[i].payload, cases[i].given);
        a.proven = cases[i].proven;
        assert_err(cases[i].err, judge(&a, &record, &r));
        if (cases[i].err)
            assert_true(r.text[0] != 0);
        else
            assert_int_equal(record.meter, cases[i].meter);
    }
    close_all();
}

static void a_report_whose_times_cannot_be_is_refused(void **state)
{
    struct arrival a;
    struct record record;
    struct refusal r = { 0 };

    (void)state;
    open_all();
    a = arrival_of(report("10000001", 1000, 5), "");
    assert_ok(judge(&a, &record, &r)); /* 1970: re-timed when read */
    a.arrival_s = NOW;
    a.bytes = span_of("\x0a\x08", 2); /* ends before its own length says */
    assert_int_equal(err_class(judge(&a, &record, &r)), ERR_CLASS_PEER);
    assert_true(r.text[0] != 0);
    close_all();
}

static void the_quarantine_is_bounded_by_source_and_what_fails_gives_its_share_back(void **state)
{
    const struct quarantine_limits limits = { .source_frames = 2 };
    struct rlimit free_again, full;
    struct record record;
    struct refusal r = { 0 };
    struct intake *k;
    struct arrival a;

    (void)state;
    open_limited(&limits);
    assert_ok(intake_new(&k));
    a = arrival_of(report("nobody", NOW, 5), "");
    for (int i = 0; i < 2; i++) {
        assert_ok(judge(&a, &record, &r));
        assert_ok(intake_add(k, &record));
    }
    assert_err(ERR_LIMIT, judge(&a, &record, &r));
    a.peer.address[3]++;
    assert_ok(judge(&a, &record, &r)); /* another source has a share of its own */
    a.peer.address[3]--;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &free_again), 0);
    full = free_again;
    full.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    assert_int_equal(err_class(ingest_submit_wait(ingest, k)), ERR_CLASS_HOST);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &free_again), 0);
    intake_clear(k);
    for (int i = 0; i < 2; i++) {
        assert_ok(judge(&a, &record, &r));
        assert_ok(intake_add(k, &record));
    }
    assert_ok(ingest_submit_wait(ingest, k));
    assert_err(ERR_LIMIT, judge(&a, &record, &r)); /* what is kept keeps its share */
    assert_int_equal(tail_count(parts.tail), 2);
    intake_free(k);
    close_all();
}

/* ---- committing ---- */

static struct record frame_of(uint32_t meter, struct span bytes)
{
    return (struct record){ .kind = RECORD_FRAME,
                            .dialect = dialect_native.id,
                            .transport = TRANSPORT_COAP,
                            .meter = meter,
                            .arrival_s = NOW,
                            .bytes = bytes };
}

/* Called on the commit thread: what it says must hold already. */
struct promise {
    uint32_t meter;
    atomic_uint called;
    bool durable, visible;
    enum err err;
};

static void promised(void *arg, struct intake *k, enum err err)
{
    struct promise *p = (struct promise *)arg;
    struct journal_reader *reader;
    struct record record;
    uint64_t position;

    (void)k;
    p->err = err;
    p->visible = tail_of(parts.tail, p->meter, &position, 1) == 1;
    if (p->visible && !journal_reader_open(parts.journal, &reader)) {
        p->durable = journal_get(reader, position, &record) == ERR_OK && record.meter == p->meter;
        journal_reader_close(reader);
    }
    p->called++;
}

static void done_is_called_when_it_is_durable_and_visible(void **state)
{
    struct promise p[8] = { 0 };
    struct intake *k[8];

    (void)state;
    open_all();
    for (uint32_t i = 0; i < 8; i++) {
        struct record record = frame_of(i + 1, span_text("frame"));

        assert_ok(intake_new(&k[i]));
        assert_ok(intake_add(k[i], &record));
        p[i].meter = i + 1;
        k[i]->done = promised;
        k[i]->arg = &p[i];
    }
    for (int i = 0; i < 8; i++)
        ingest_submit(ingest, k[i]);
    ingest_close(ingest); /* commits what is queued */
    ingest = NULL;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(p[i].called, 1);
        assert_ok(p[i].err);
        assert_true(p[i].visible);
        assert_true(p[i].durable);
        intake_free(k[i]);
    }
    close_all();
}

static unsigned order[64], ordered;

static void note_order(void *arg, struct intake *k, enum err err)
{
    (void)k;
    assert_ok(err);
    order[ordered++] = (unsigned)(uintptr_t)arg;
}

static void batches_end_in_the_order_in_which_they_were_handed_over(void **state)
{
    struct intake *k[64];

    (void)state;
    open_all();
    ordered = 0;
    for (unsigned i = 0; i < 64; i++) {
        struct record record = frame_of(1, span_text("frame"));

        assert_ok(intake_new(&k[i]));
        if (i % 3) /* empty ones keep their place too */
            assert_ok(intake_add(k[i], &record));
        k[i]->done = note_order;
        k[i]->arg = (void *)(uintptr_t)i;
        ingest_submit(ingest, k[i]);
    }
    ingest_close(ingest);
    ingest = NULL;
    assert_int_equal(ordered, 64);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(order[i], i);
        intake_free(k[i]);
    }
    close_all();
}

static void a_batch_that_fails_leaves_nothing_and_the_next_is_kept(void **state)
{
    struct record record = frame_of(1, span_text("frame"));
    struct rlimit free_again, full;
    struct intake *k;

    (void)state;
    open_all();
    assert_ok(intake_new(&k));
    assert_ok(intake_add(k, &record));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &free_again), 0);
    full = free_again;
    full.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    assert_int_equal(err_class(ingest_submit_wait(ingest, k)), ERR_CLASS_HOST);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &free_again), 0);
    assert_int_equal(tail_count(parts.tail), 0);
    intake_clear(k);
    assert_ok(intake_add(k, &record));
    assert_ok(ingest_submit_wait(ingest, k));
    assert_int_equal(tail_count(parts.tail), 1);
    intake_free(k);
    close_all();
}

static void nothing_is_taken_while_too_much_is_unsettled(void **state)
{
    struct record record = frame_of(1, span_text("frame"));
    struct record staged = { .kind = RECORD_ROWS, .import_id = 7, .bytes = span_text("rows") };
    struct intake *k;

    (void)state;
    parts.unsettled_most = 2;
    open_all();
    parts.unsettled_most = 0;
    assert_ok(intake_new(&k));
    for (int i = 0; i < 2; i++) {
        assert_ok(intake_add(k, &record));
        assert_ok(ingest_submit_wait(ingest, k));
        intake_clear(k);
    }
    assert_ok(intake_add(k, &record));
    assert_int_equal(ingest_submit_wait(ingest, k), ERR_FULL);
    assert_int_equal(tail_count(parts.tail), 2);
    intake_clear(k);
    assert_ok(intake_add(k, &staged)); /* goes its own way, and takes no place in the tail */
    assert_ok(ingest_submit_wait(ingest, k));
    intake_clear(k);
    assert_true(tail_turn(parts.tail)); /* settled at last */
    tail_drop(parts.tail);
    assert_ok(intake_add(k, &record));
    assert_ok(ingest_submit_wait(ingest, k));
    assert_int_equal(tail_count(parts.tail), 1);
    intake_free(k);
    close_all();
}

/* A manual read of several meters is one record; each sees it. An import's chunk is nobody's until
 * it is complete. */
static void rows_are_visible_under_each_of_their_meters(void **state)
{
    struct row row = { .value = 1000, .time_s = NOW };
    uint8_t bytes[128];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct record record = { .kind = RECORD_ROWS, .transport = TRANSPORT_FILE, .arrival_s = NOW };
    uint64_t position[2];
    struct intake *k;

    (void)state;
    open_all();
    rowset_put(&w, 1, CHANNEL_FORWARD, &row, 1);
    rowset_put(&w, 1, CHANNEL_REVERSE, &row, 1);
    rowset_put(&w, 7, CHANNEL_BILLED, &row, 1);
    record.bytes = wr_span(&w);
    assert_ok(intake_new(&k));
    assert_ok(intake_add(k, &record));
    record.import_id = 3;
    assert_ok(intake_add(k, &record));
    record.import_id = 0;
    record.bytes.len--;
    assert_int_equal(intake_add(k, &record), ERR_CORRUPT);
    assert_int_equal(batch_count(k->batch), 2);
    assert_ok(ingest_submit_wait(ingest, k));
    assert_int_equal(tail_count(parts.tail), 2);
    assert_int_equal(tail_of(parts.tail, 1, position, 2), 1);
    assert_int_equal(tail_of(parts.tail, 7, position, 2), 1);
    intake_free(k);
    close_all();
}

static void refused_bytes_stand_under_meter_0(void **state)
{
    struct record record = { .kind = RECORD_REJECT, .arrival_s = NOW, .bytes = span_text("?") };
    uint64_t position;
    struct intake *k;

    (void)state;
    open_all();
    assert_ok(intake_new(&k));
    assert_ok(intake_add(k, &record));
    assert_int_equal(k->share_count, 0);
    assert_ok(ingest_submit_wait(ingest, k));
    assert_int_equal(tail_of(parts.tail, 0, &position, 1), 1);
    intake_free(k);
    close_all();
}

/* ---- many producers ---- */

struct producer {
    pthread_t thread;
    uint32_t meter;
};

static void *produce(void *arg)
{
    const struct producer *p = (const struct producer *)arg;
    struct intake *k;

    if (intake_new(&k))
        return NULL;
    for (int i = 0; i < 40; i++) {
        struct record record = frame_of(p->meter, span_text("frame"));

        intake_clear(k);
        for (int n = 0; n < 5; n++)
            if (intake_add(k, &record))
                return NULL;
        if (ingest_submit_wait(ingest, k))
            return NULL;
    }
    intake_free(k);
    return arg;
}

static void many_producers_lose_nothing(void **state)
{
    struct producer p[4];
    void *result;

    (void)state;
    open_all();
    for (uint32_t i = 0; i < 4; i++) {
        p[i].meter = i + 1;
        assert_int_equal(pthread_create(&p[i].thread, NULL, produce, &p[i]), 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t positions[300];

        assert_int_equal(pthread_join(p[i].thread, &result), 0);
        assert_non_null(result);
        assert_int_equal(tail_of(parts.tail, i + 1, positions, 300), 200);
    }
    close_all();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_report_becomes_a_record_of_its_meter),
    cmocka_unit_test(names_by_transport_and_payload_must_agree),
    cmocka_unit_test(a_report_whose_times_cannot_be_is_refused),
    cmocka_unit_test(the_quarantine_is_bounded_by_source_and_what_fails_gives_its_share_back),
    cmocka_unit_test(done_is_called_when_it_is_durable_and_visible),
    cmocka_unit_test(batches_end_in_the_order_in_which_they_were_handed_over),
    cmocka_unit_test(a_batch_that_fails_leaves_nothing_and_the_next_is_kept),
    cmocka_unit_test(nothing_is_taken_while_too_much_is_unsettled),
    cmocka_unit_test(rows_are_visible_under_each_of_their_meters),
    cmocka_unit_test(refused_bytes_stand_under_meter_0),
    cmocka_unit_test(many_producers_lose_nothing),
};

int main(int argc, char **argv)
{
    return check_run(tests, argc, argv);
}
