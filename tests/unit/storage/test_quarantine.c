#include "tests/check.h"

#include "proto/base/crc.h"
#include "storage/key.h"
#include "storage/quarantine.h"
#include "storage/txn.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *dir;

static struct quarantine *open_quarantine(const struct quarantine_limits *limits, unsigned flags)
{
    struct refusal r = { 0 };
    struct quarantine *q = NULL;
    enum err err = quarantine_open(dir, limits, flags, &q, &r);

    if (err)
        fail_msg("%s", r.text);
    return q;
}

static struct quarantine *fresh_quarantine(const struct quarantine_limits *limits)
{
    dir = check_folder();
    return open_quarantine(limits, DB_CREATE);
}

static struct peer peer_of(uint32_t n)
{
    return (struct peer){ 4, { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n }, 5683 };
}

static struct record frame(uint32_t peer, uint32_t arrival_s, const char *text)
{
    return (struct record){ .kind = RECORD_FRAME,
                            .dialect = 1,
                            .transport = TRANSPORT_COAP,
                            .arrival_s = arrival_s,
                            .peer = peer_of(peer),
                            .name = span_text("as it came"),
                            .bytes = span_text(text) };
}

static void put(struct quarantine *q, uint64_t position, const char *name, uint32_t peer)
{
    struct record r = frame(peer, 1000 + (uint32_t)position, "the frame's bytes");

    assert_ok(quarantine_admit(q, &r.peer, r.bytes.len));
    assert_ok(quarantine_put(q, position, span_text(name), ERR_UNKNOWN, &r));
}

struct seen {
    unsigned count, stop_after;
    uint64_t positions[4096];
    char name[64];
};

static bool see(void *arg, const struct waiting *w)
{
    struct seen *s = arg;

    if (s->count < 4096)
        s->positions[s->count] = w->position;
    s->count++;
    snprintf(s->name, sizeof(s->name), "%.*s", (int)w->name.len, (const char *)w->name.at);
    return s->count != s->stop_after;
}

static unsigned count_of(struct quarantine *q, const char *name)
{
    struct seen s = { 0 };

    assert_ok(quarantine_each(q, span_text(name), 0, see, &s));
    return s.count;
}

static bool same_frame(void *arg, const struct waiting *w)
{
    struct record expected = frame(7, 1005, "the frame's bytes");

    assert_int_equal(w->position, 5);
    assert_true(span_equal(w->name, span_text("M1")));
    assert_err(ERR_UNKNOWN, w->why);
    assert_int_equal(w->record.kind, RECORD_FRAME);
    assert_int_equal(w->record.dialect, 1);
    assert_int_equal(w->record.transport, TRANSPORT_COAP);
    assert_int_equal(w->record.arrival_s, 1005);
    assert_int_equal(w->record.peer.len, 4);
    assert_memory_equal(w->record.peer.address, expected.peer.address, 4);
    assert_int_equal(w->record.peer.port, 5683);
    assert_true(span_equal(w->record.name, expected.name));
    assert_true(span_equal(w->record.bytes, expected.bytes));
    *(bool *)arg = true;
    return true;
}

static void a_frame_waits_as_it_came_also_over_a_restart(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    bool seen = false;

    (void)state;
    put(q, 5, "M1", 7);
    assert_int_equal(count_of(q, ""), 0); /* not flushed yet */
    assert_int_equal(quarantine_count(q), 1);
    assert_ok(quarantine_flush(q));
    assert_ok(quarantine_each(q, span_text("M1"), 0, same_frame, &seen));
    assert_true(seen);
    quarantine_close(q);
    seen = false;
    q = open_quarantine(NULL, DB_READ_ONLY);
    assert_ok(quarantine_each(q, (struct span){ 0 }, 0, same_frame, &seen));
    assert_true(seen);
    assert_int_equal(quarantine_count(q), 1);
    assert_ok(quarantine_check(q, NULL, NULL));
    quarantine_close(q);
}

static bool tell_why(void *arg, const struct waiting *w)
{
    ((enum err *)arg)[w->position] = w->why;
    return true;
}

static void what_stands_against_a_frame_may_change_and_nothing_else(void **state)
{
    static const uint64_t positions[] = { 5, 6, 99 };
    static const enum err reasons[] = { ERR_NO_KEY, ERR_DAMAGED, ERR_NO_KEY };
    struct quarantine *q = fresh_quarantine(NULL);
    enum err whys[8] = { ERR_OK };

    (void)state;
    for (uint64_t position = 5; position <= 7; position++)
        put(q, position, "M1", 7);
    assert_ok(quarantine_flush(q));
    assert_ok(quarantine_change(q, positions, reasons, 3)); /* the third waits no more */
    assert_ok(quarantine_each(q, span_text("M1"), 0, tell_why, whys));
    assert_err(ERR_NO_KEY, whys[5]);
    assert_err(ERR_DAMAGED, whys[6]);
    assert_err(ERR_UNKNOWN, whys[7]);
    assert_int_equal(quarantine_count(q), 3);
    assert_ok(quarantine_remove(q, positions, 2));
    assert_int_equal(count_of(q, "M1"), 1);
    quarantine_close(q);
}

static void a_name_is_found_in_either_case(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    uint64_t position = 1;

    (void)state;
    put(q, 1, "KAM-7468AbcD", 7);
    put(q, 2, "KAM-7468Abc", 7);
    assert_ok(quarantine_flush(q));
    assert_int_equal(count_of(q, "kam-7468ABCd"), 1);
    assert_ok(quarantine_remove(q, &position, 1));
    assert_int_equal(count_of(q, "KAM-7468AbcD"), 0);
    assert_int_equal(count_of(q, "kam-7468abc"), 1);
    assert_ok(quarantine_check(q, NULL, NULL));
    quarantine_close(q);
}

static void the_same_frame_put_twice_waits_once(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    struct record r = frame(1, 1000, "x");

    (void)state;
    assert_ok(quarantine_admit(q, &r.peer, r.bytes.len));
    for (int i = 0; i < 3; i++) {
        assert_ok(quarantine_put(q, 9, span_text("M"), ERR_UNKNOWN, &r));
        if (i)
            assert_ok(quarantine_flush(q));
    }
    assert_int_equal(count_of(q, "M"), 1);
    assert_int_equal(quarantine_count(q), 1);
    quarantine_close(q);
}

static void frames_are_found_by_the_name_they_wait_for(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    struct seen s = { .stop_after = 1 };

    (void)state;
    for (uint64_t i = 1; i <= 3000; i++)
        put(q, i, i % 3 ? "common" : i % 2 ? "odd" : "even", 1);
    put(q, 5000, "com", 2);
    put(q, 5001, "common2", 2);
    assert_ok(quarantine_flush(q));
    assert_int_equal(count_of(q, "common"), 2000);
    assert_int_equal(count_of(q, "odd"), 500);
    assert_int_equal(count_of(q, "com"), 1);
    assert_int_equal(count_of(q, "nobody"), 0);
    assert_int_equal(count_of(q, ""), 3002);
    assert_ok(quarantine_each(q, span_text("common"), 2900, see, &s));
    assert_int_equal(s.count, 1);
    assert_int_equal(s.positions[0], 2902); /* 2901 is a multiple of 3 */
    quarantine_close(q);
}

static void a_frame_is_found_under_each_of_its_names_and_leaves_them_all(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    struct seen s = { 0 };
    uint64_t position = 7;

    (void)state;
    put(q, 7, "78330011223344 0011223344 M1", 1);
    put(q, 8, "0011223344", 2);
    assert_ok(quarantine_flush(q));
    assert_int_equal(count_of(q, "78330011223344"), 1);
    assert_int_equal(count_of(q, "0011223344"), 2);
    assert_int_equal(count_of(q, "m1"), 1);
    assert_int_equal(count_of(q, "78330011223344 0011223344 M1"), 0);
    assert_ok(quarantine_each(q, span_text("M1"), 0, see, &s));
    assert_string_equal(s.name, "78330011223344");
    assert_ok(quarantine_change(q, &position, &(enum err){ ERR_NO_KEY }, 1));
    assert_int_equal(count_of(q, "M1"), 1);
    assert_ok(quarantine_remove(q, &position, 1));
    assert_int_equal(count_of(q, "M1"), 0);
    assert_int_equal(count_of(q, "78330011223344"), 0);
    assert_int_equal(count_of(q, "0011223344"), 1); /* the other's, and no key that leads nowhere */
    quarantine_close(q);
}

static int by_crc(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (x[0] > y[0]) - (x[0] < y[0]);
}

/* Finds two names whose checksums are equal: the index must not mix them up. */
static void names_that_share_a_checksum_are_told_apart(void **state)
{
    enum { NAMES = 300000 };
    struct quarantine *q = fresh_quarantine(NULL);
    uint32_t(*crcs)[2] = calloc(NAMES, sizeof(*crcs));
    char a[32], b[32];
    size_t i = 1;

    (void)state;
    for (uint32_t n = 0; n < NAMES; n++) {
        snprintf(a, sizeof(a), "M-%u-%u", n * 2654435761u, n);
        crcs[n][0] = crc32c(0, a, strlen(a));
        crcs[n][1] = n;
    }
    qsort(crcs, NAMES, sizeof(*crcs), by_crc);
    while (i < NAMES && crcs[i][0] != crcs[i - 1][0])
        i++;
    if (i < NAMES) {
        snprintf(a, sizeof(a), "M-%u-%u", crcs[i][1] * 2654435761u, crcs[i][1]);
        snprintf(b, sizeof(b), "M-%u-%u", crcs[i - 1][1] * 2654435761u, crcs[i - 1][1]);
        put(q, 1, a, 1);
        put(q, 2, b, 1);
        put(q, 3, a, 1);
        assert_ok(quarantine_flush(q));
        assert_int_equal(count_of(q, a), 2);
        assert_int_equal(count_of(q, b), 1);
        assert_ok(quarantine_remove(q, (const uint64_t[]){ 1 }, 1));
        assert_int_equal(count_of(q, a), 1);
        assert_int_equal(count_of(q, b), 1);
    }
    free(crcs);
    quarantine_close(q);
    if (i == NAMES)
        skip();
}

static void a_source_and_all_together_have_their_limits(void **state)
{
    struct quarantine_limits limits = { .frames = 13, .bytes = 1333, .source_frames = 4 };
    struct quarantine *q = fresh_quarantine(&limits);
    struct peer one = peer_of(1), two = peer_of(2), three = peer_of(3);
    const struct peer platform = { .len = 0 };

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_ok(quarantine_admit(q, &one, 10));
    assert_err(ERR_LIMIT, quarantine_admit(q, &one, 10));
    one.port = 9999; /* of one address, whatever its port */
    assert_err(ERR_LIMIT, quarantine_admit(q, &one, 10));
    quarantine_refund(q, &one, 10);
    assert_ok(quarantine_admit(q, &one, 10));
    for (int i = 0; i < 4; i++)
        assert_ok(quarantine_admit(q, &two, 10));
    assert_ok(quarantine_admit(q, &three, 10));
    assert_err(ERR_LIMIT, quarantine_admit(q, &three, 911)); /* 90 of 1000 bytes are used */
    assert_ok(quarantine_admit(q, &three, 910));
    assert_err(ERR_LIMIT, quarantine_admit(q, &three, 0)); /* 10 frames */
    assert_int_equal(quarantine_count(q), 10);
    assert_err(ERR_LIMIT, quarantine_admit(q, &platform, 334)); /* what datagrams left it */
    assert_ok(quarantine_admit(q, &platform, 333));
    for (int i = 0; i < 2; i++)
        assert_ok(quarantine_admit(q, &platform, 0));
    assert_err(ERR_LIMIT, quarantine_admit(q, &platform, 0));
    quarantine_close(q);
}

static struct peer ipv6_of(uint8_t network, uint8_t host)
{
    return (struct peer){ 16, { 0x20, 0x01, 0x0d, 0xb8, [7] = network, [15] = host }, 5683 };
}

/* Who has a network has 2^64 addresses. */
static void a_network_of_ipv6_is_one_source_and_ipv4_inside_it_is_not(void **state)
{
    struct quarantine_limits limits = { .source_frames = 2 };
    struct quarantine *q = fresh_quarantine(&limits);
    struct peer other, inside = { 16, { [10] = 0xff, [11] = 0xff }, 5683 };

    (void)state;
    for (uint8_t host = 1; host <= 2; host++) {
        struct peer peer = ipv6_of(1, host);

        assert_ok(quarantine_admit(q, &peer, 10));
    }
    other = ipv6_of(1, 3);
    assert_err(ERR_LIMIT, quarantine_admit(q, &other, 10));
    other = ipv6_of(2, 3);
    assert_ok(quarantine_admit(q, &other, 10));
    for (uint8_t host = 1; host <= 3; host++) {
        inside.address[15] = host;
        assert_ok(quarantine_admit(q, &inside, 10));
    }
    quarantine_close(q);
}

static void what_waits_counts_again_after_a_restart_until_it_is_removed(void **state)
{
    struct quarantine_limits limits = { .source_frames = 3 };
    struct quarantine *q = fresh_quarantine(&limits);
    struct peer one = peer_of(1);
    struct record r = frame(1, 1, "the frame's bytes");

    (void)state;
    put(q, 1, "M", 1);
    put(q, 2, "M", 1);
    assert_ok(quarantine_flush(q));
    put(q, 3, "M", 1); /* is still in the journal alone when the process ends */
    quarantine_close(q);
    q = open_quarantine(&limits, 0);
    assert_int_equal(quarantine_count(q), 2);
    assert_ok(quarantine_recount(
        q, 2, &r.peer, r.bytes.len)); /* flushed, but its pass did not end: counted already */
    assert_ok(quarantine_recount(q, 3, &r.peer, r.bytes.len));
    assert_int_equal(quarantine_count(q), 3);
    assert_err(ERR_LIMIT, quarantine_admit(q, &one, 1));
    assert_ok(quarantine_remove(q, (const uint64_t[]){ 1, 77 }, 2));
    assert_int_equal(quarantine_count(q), 2);
    assert_ok(quarantine_admit(q, &one, 1));
    assert_err(ERR_LIMIT, quarantine_admit(q, &one, 1));
    quarantine_close(q);
}

static void removing_many_leaves_the_others(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    static uint64_t positions[2500];

    (void)state;
    for (uint64_t i = 1; i <= 4000; i++)
        put(q, i, "M", (uint32_t)i);
    assert_ok(quarantine_flush(q));
    for (uint64_t i = 0; i < 2500; i++)
        positions[i] = i + 1;
    assert_ok(quarantine_remove(q, positions, 2500));
    assert_int_equal(count_of(q, "M"), 1500);
    assert_int_equal(count_of(q, ""), 1500);
    assert_int_equal(quarantine_count(q), 1500);
    quarantine_close(q);
}

static void what_waited_longer_than_its_retention_goes(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    uint64_t dropped = 9;

    (void)state;
    for (uint64_t i = 1; i <= 2500; i++)
        put(q, i, "M", 1); /* arrived at 1000 + i */
    assert_ok(quarantine_flush(q));
    assert_ok(quarantine_expire(q, 1001, &dropped));
    assert_int_equal(dropped, 0);
    assert_ok(quarantine_expire(q, 3001, &dropped));
    assert_int_equal(dropped, 2000);
    assert_int_equal(count_of(q, "M"), 500);
    assert_int_equal(quarantine_count(q), 500);
    quarantine_close(q);
}

static void only_the_newest_rejects_are_kept(void **state)
{
    struct quarantine_limits limits = { .rejects = 50 };
    struct quarantine *q = fresh_quarantine(&limits);
    struct record r = frame(1, 1, "\xff\xfe no report");
    struct seen s = { 0 };

    (void)state;
    for (uint64_t i = 1; i <= 120; i++) {
        assert_ok(quarantine_put_reject(q, i, ERR_MALFORMED, &r));
        if (i % 40 == 0)
            assert_ok(quarantine_flush(q));
    }
    assert_ok(quarantine_each_reject(q, 0, see, &s));
    assert_int_equal(s.count, 50);
    assert_int_equal(s.positions[0], 71);
    assert_int_equal(s.positions[49], 120);
    assert_int_equal(count_of(q, ""), 0);
    assert_int_equal(quarantine_count(q), 0);
    quarantine_close(q);
}

static void a_damaged_row_is_corrupt(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    struct refusal r = { 0 };
    char path[4200];
    struct span file;
    uint8_t *place;

    (void)state;
    put(q, 1, "M-damaged", 1);
    assert_ok(quarantine_flush(q));
    quarantine_close(q);
    snprintf(path, sizeof(path), "%s/journal/quarantine.mdb", dir);
    file = check_read(path);
    while ((place = memmem(file.at, file.len, "M-damaged", 9)))
        place[2] = 'D';
    check_write(path, file);
    free((void *)file.at);
    assert_err(ERR_CORRUPT, quarantine_open(dir, NULL, 0, &q, &r));
    assert_non_null(strstr(r.text, path));
}

static void *admit_and_refund(void *arg)
{
    struct quarantine *q = arg;

    for (uint32_t i = 0; i < 20000; i++) {
        struct peer p = peer_of(i % 100);

        if (!quarantine_admit(q, &p, 100) && i % 2)
            quarantine_refund(q, &p, 100);
    }
    return NULL;
}

static void counts_hold_when_many_threads_ask(void **state)
{
    struct quarantine *q = fresh_quarantine(NULL);
    pthread_t threads[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, admit_and_refund, q), 0);
    for (uint64_t i = 1; i <= 200; i++) {
        put(q, i, "M", 1);
        assert_ok(quarantine_flush(q));
        if (i % 2)
            assert_ok(quarantine_remove(q, &i, 1));
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(quarantine_count(q), 3 * 10000 + 100);
    quarantine_close(q);
}

/* The row at `position` stands under its name as 0.1 wrote it: by the letters as they are. */
static void age(uint64_t position, const char *name, const char *lower)
{
    static const struct table tables[] = { { "frames", 0 }, { "names", 0 }, { "rejects", 0 } };
    static const struct db_layout layout = { "quarantine", 1, tables, 3, 0, 0 };
    char path[600];
    struct db *db = NULL;
    struct key now, then;
    struct txn t;

    snprintf(path, sizeof path, "%s/journal/quarantine.mdb", dir);
    assert_ok(db_open(path, &layout, 0, &db, NULL));
    key_clear(&now);
    key_u32(&now, crc32c(0, lower, strlen(lower)));
    key_u64(&now, position);
    key_clear(&then);
    key_u32(&then, crc32c(0, name, strlen(name)));
    key_u64(&then, position);
    t = txn_begin(db, TXN_WRITE);
    txn_del(&t, 1, key_span(&now));
    txn_put(&t, 1, key_span(&then), span_of(NULL, 0));
    assert_ok(txn_end(&t));
    db_close(db);
}

static void rows_of_the_version_before_are_found_by_their_name(void **state)
{
    static const uint64_t both[] = { 5, 7 };
    struct quarantine *q = fresh_quarantine(NULL);
    struct seen s = { .stop_after = 1 };

    (void)state;
    put(q, 5, "ABC-1", 1);
    put(q, 6, "XYZ-1", 1);
    assert_ok(quarantine_flush(q));
    quarantine_close(q);
    age(5, "ABC-1", "abc-1");
    q = open_quarantine(NULL, 0);
    put(q, 7, "abc-1", 1);
    assert_ok(quarantine_flush(q));
    assert_int_equal(count_of(q, "ABC-1"), 2);
    assert_ok(quarantine_each(q, span_text("ABC-1"), 0, see, &s));
    assert_int_equal(s.count, 1); /* who has had enough is left alone */
    assert_int_equal(s.positions[0], 5);
    assert_ok(quarantine_remove(q, both, 2));
    assert_int_equal(count_of(q, "ABC-1"), 0);
    quarantine_close(q);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_waits_as_it_came_also_over_a_restart),
        cmocka_unit_test(what_stands_against_a_frame_may_change_and_nothing_else),
        cmocka_unit_test(a_name_is_found_in_either_case),
        cmocka_unit_test(the_same_frame_put_twice_waits_once),
        cmocka_unit_test(frames_are_found_by_the_name_they_wait_for),
        cmocka_unit_test(a_frame_is_found_under_each_of_its_names_and_leaves_them_all),
        cmocka_unit_test(names_that_share_a_checksum_are_told_apart),
        cmocka_unit_test(a_source_and_all_together_have_their_limits),
        cmocka_unit_test(a_network_of_ipv6_is_one_source_and_ipv4_inside_it_is_not),
        cmocka_unit_test(what_waits_counts_again_after_a_restart_until_it_is_removed),
        cmocka_unit_test(removing_many_leaves_the_others),
        cmocka_unit_test(what_waited_longer_than_its_retention_goes),
        cmocka_unit_test(only_the_newest_rejects_are_kept),
        cmocka_unit_test(a_damaged_row_is_corrupt),
        cmocka_unit_test(counts_hold_when_many_threads_ask),
        cmocka_unit_test(rows_of_the_version_before_are_found_by_their_name),
    };

    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return check_run(tests, argc, argv);
}
