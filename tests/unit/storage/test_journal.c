#include "tests/check.h"

#include "storage/journal.h"
#include "storage/txn.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir;

static struct journal *open_journal(uint64_t segment_bytes, unsigned flags)
{
    struct journal_options options = { .segment_bytes = segment_bytes };
    struct refusal r = { 0 };
    struct journal *j = NULL;
    enum err err = journal_open(dir, &options, flags, &j, &r);

    if (err)
        fail_msg("%s: %s", err_name(err), r.text);
    return j;
}

static struct journal *fresh_journal(uint64_t segment_bytes)
{
    dir = check_folder();
    return open_journal(segment_bytes, DB_CREATE);
}

static struct batch *fresh_batch(void)
{
    struct batch *b = NULL;

    assert_ok(batch_new(&b));
    return b;
}

static struct journal_reader *fresh_reader(struct journal *j)
{
    struct journal_reader *r = NULL;

    assert_ok(journal_reader_open(j, &r));
    return r;
}

/* A report of 100 bytes from an IPv4 address, told by `n`. */
static struct record report(uint32_t n, uint8_t bytes[100])
{
    struct record r = { .kind = RECORD_FRAME,
                        .dialect = 1,
                        .transport = TRANSPORT_COAP,
                        .meter = n % 1000000 + 1,
                        .arrival_s = 1780000000 + n / 100,
                        .peer = { 4, { 10, 0, 1, 2 }, 5683 } };

    memset(bytes, (int)(n & 0xff), 100);
    memcpy(bytes, &n, sizeof(n));
    r.bytes = span_of(bytes, 100);
    return r;
}

static uint64_t commit(struct journal *j, struct batch *b)
{
    uint64_t number = 0;

    assert_ok(journal_commit(j, (struct batch *const[]){ b }, 1, &number));
    return number;
}

/* Commits `batches` batches of `each` reports, numbered on from `*n`. */
static void commit_reports(struct journal *j, uint32_t batches, uint32_t each, uint32_t *n)
{
    struct batch *b = fresh_batch();
    uint8_t bytes[100];
    uint32_t offset;

    for (uint32_t i = 0; i < batches; i++) {
        batch_clear(b);
        for (uint32_t k = 0; k < each; k++) {
            struct record r = report((*n)++, bytes);

            assert_ok(batch_add(b, &r, &offset));
        }
        commit(j, b);
    }
    batch_free(b);
}

/* Walks from `position` and holds what comes against reports from `n` on; returns how many came. */
static uint32_t walk_reports(struct journal *j, uint64_t position, uint32_t n)
{
    struct journal_reader *r = fresh_reader(j);
    uint64_t at, before = 0;
    struct record found;
    uint8_t bytes[100];
    uint32_t count = 0;
    enum err err;

    while (!(err = journal_next(r, &position, &at, &found))) {
        struct record expected = report(n + count++, bytes);

        assert_true(at > before);
        assert_true(at < position);
        before = at;
        assert_true(span_equal(found.bytes, expected.bytes));
        assert_int_equal(found.meter, expected.meter);
    }
    assert_err(ERR_NOT_FOUND, err);
    journal_reader_close(r);
    return count;
}

/* ---- records -------------------------------------------------------------------------------- */

struct kept {
    struct record record;
    uint8_t name[300], bytes[3000];
    uint64_t position;
};

static void random_record(struct check_random *random, struct kept *k)
{
    static const uint8_t lengths[] = { 0, 4, 16 };
    struct record *r = &k->record;

    *r = (struct record){ .kind = (enum record_kind)(1 + check_below(random, 3)),
                          .dialect = (uint8_t)check_below(random, 256),
                          .transport = (uint8_t)check_below(random, 16),
                          .meter = (uint32_t)check_below(random, LIMIT_METERS),
                          .arrival_s = (uint32_t)check_random(random) };
    if (r->kind == RECORD_ROWS)
        r->import_id = (uint32_t)check_random(random);
    r->peer.len = lengths[check_below(random, 3)];
    if (r->peer.len) {
        check_fill(random, r->peer.address, r->peer.len);
        r->peer.port = (uint16_t)check_random(random);
    }
    check_fill(random, k->name, sizeof(k->name));
    check_fill(random, k->bytes, sizeof(k->bytes));
    r->name = span_of(k->name, check_below(random, 4) ? 0 : check_below(random, sizeof(k->name)));
    r->bytes = span_of(k->bytes, check_below(random, sizeof(k->bytes)));
}

static void assert_record(const struct record *expected, const struct record *found)
{
    assert_int_equal(expected->kind, found->kind);
    assert_int_equal(expected->dialect, found->dialect);
    assert_int_equal(expected->transport, found->transport);
    assert_int_equal(expected->meter, found->meter);
    assert_int_equal(expected->arrival_s, found->arrival_s);
    assert_int_equal(expected->import_id, found->import_id);
    assert_int_equal(expected->peer.len, found->peer.len);
    assert_memory_equal(expected->peer.address, found->peer.address, 16);
    assert_int_equal(expected->peer.port, found->peer.port);
    assert_true(span_equal(expected->name, found->name));
    assert_true(span_equal(expected->bytes, found->bytes));
}

static void any_record_comes_back_by_position_and_in_order(void **state)
{
    enum { COUNT = 600 };
    struct check_random random = check_random_begin();
    struct journal *j = fresh_journal(300000);
    struct kept *kept = calloc(COUNT, sizeof(*kept));
    struct batch *b = fresh_batch();
    struct journal_reader *r;
    struct record found;
    uint64_t position = 0, at;
    size_t first = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t offset;

        random_record(&random, &kept[i]);
        assert_ok(batch_add(b, &kept[i].record, &offset));
        kept[i].position = offset;
        if (check_below(&random, 20) == 0 || i == COUNT - 1) {
            uint64_t number = commit(j, b);

            for (; first <= i; first++)
                kept[first].position = position_of(number, (uint32_t)kept[first].position);
            batch_clear(b);
        }
    }
    batch_free(b);
    for (int again = 0; again < 2; again++) {
        r = fresh_reader(j);
        position = 0;
        for (size_t i = 0; i < COUNT; i++) {
            assert_ok(journal_next(r, &position, &at, &found));
            assert_int_equal(at, kept[i].position);
            assert_record(&kept[i].record, &found);
        }
        assert_err(ERR_NOT_FOUND, journal_next(r, &position, &at, &found));
        for (int i = 0; i < 2000; i++) {
            struct kept *one = &kept[check_below(&random, COUNT)];

            assert_ok(journal_get(r, one->position, &found));
            assert_record(&one->record, &found);
        }
        journal_reader_close(r);
        journal_close(j);
        j = open_journal(300000, again ? DB_READ_ONLY : 0);
    }
    journal_close(j);
    free(kept);
}

static void a_report_costs_at_most_26_bytes_beside_its_own(void **state)
{
    struct batch *b = fresh_batch();
    uint8_t bytes[100];
    uint32_t offset;
    size_t before;

    (void)state;
    for (uint32_t n = 0; n < 1000; n++) {
        struct record r = report(n * 7919, bytes);

        r.meter = LIMIT_METERS - 1;
        r.arrival_s = 1780000000 + n;
        before = batch_bytes(b);
        assert_ok(batch_add(b, &r, &offset));
        assert_int_equal(offset, before);
        assert_in_range(batch_bytes(b) - before, 100, 126);
    }
    batch_free(b);
}

static void a_position_that_is_no_record_is_refused(void **state)
{
    struct journal *j = fresh_journal(0);
    struct journal_reader *r;
    struct record found;
    uint32_t n = 0;

    (void)state;
    commit_reports(j, 1, 10, &n);
    r = fresh_reader(j);
    assert_err(ERR_NOT_FOUND, journal_get(r, position_of(0, 36), &found));
    assert_err(ERR_NOT_FOUND, journal_get(r, position_of(2, 36), &found));
    assert_err(ERR_NOT_FOUND, journal_get(r, position_of(1, 0), &found));
    assert_err(ERR_NOT_FOUND, journal_get(r, position_of(1, 0xffffff), &found));
    assert_ok(journal_get(r, position_of(1, 36), &found));
    for (uint32_t offset = 37; offset < 100; offset++)
        assert_err(ERR_CORRUPT, journal_get(r, position_of(1, offset), &found));
    journal_reader_close(r);
    journal_close(j);
}

static void a_batch_is_full_at_its_limits(void **state)
{
    struct batch *b = fresh_batch();
    uint8_t *large = calloc(1, LIMIT_BATCH_BYTES);
    struct record r = { .kind = RECORD_FRAME, .bytes = { large, 0 } };
    uint32_t offset, count = 0;
    enum err err;

    (void)state;
    while (!(err = batch_add(b, &r, &offset)))
        count++;
    assert_err(ERR_FULL, err);
    assert_int_equal(count, LIMIT_BATCH_RECORDS);
    batch_clear(b);
    assert_int_equal(batch_count(b), 0);
    r.bytes.len = LIMIT_PAYLOAD_BLOCK;
    for (count = 0; !(err = batch_add(b, &r, &offset)); count++)
        assert_true(batch_bytes(b) <= LIMIT_BATCH_BYTES);
    assert_err(ERR_FULL, err);
    assert_int_equal(count, LIMIT_BATCH_BYTES / (LIMIT_PAYLOAD_BLOCK + 20));
    batch_clear(b);
    r.bytes.len = LIMIT_BATCH_BYTES;
    assert_err(ERR_TOO_LARGE, batch_add(b, &r, &offset));
    r.bytes.len = LIMIT_BATCH_BYTES - 60;
    assert_ok(batch_add(b, &r, &offset));
    batch_free(b);
    free(large);
}

/* ---- batches -------------------------------------------------------------------------------- */

static void several_batches_are_one_commit_and_empty_ones_no_part_of_it(void **state)
{
    struct journal *j = fresh_journal(0);
    struct batch *batches[4];
    uint64_t numbers[4] = { 99, 99, 99, 99 };
    uint8_t bytes[100];
    uint32_t offset;

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct record r = report(i / 2, bytes);

        batches[i] = fresh_batch();
        if (i % 2)
            assert_ok(batch_add(batches[i], &r, &offset));
    }
    assert_int_equal(journal_end(j), position_of(1, 0));
    assert_ok(journal_commit(j, batches, 4, numbers));
    assert_int_equal(numbers[0], 99);
    assert_int_equal(numbers[1], 1);
    assert_int_equal(numbers[3], 2);
    assert_int_equal(journal_end(j), position_of(3, 0));
    assert_int_equal(walk_reports(j, 0, 0), 2);
    assert_ok(journal_commit(j, batches, 1, numbers)); /* nothing at all */
    assert_int_equal(journal_end(j), position_of(3, 0));
    for (int i = 0; i < 4; i++)
        batch_free(batches[i]);
    journal_close(j);
}

static void a_walk_begins_anywhere(void **state)
{
    struct journal *j = fresh_journal(0);
    struct journal_reader *r, *other;
    uint64_t position = 0, at;
    struct record found;
    uint32_t n = 0, left = 50;

    (void)state;
    commit_reports(j, 5, 10, &n);
    r = fresh_reader(j);
    other = fresh_reader(j);
    while (!journal_next(r, &position, &at, &found)) {
        uint64_t here = at, between = at - 3, found_at;

        assert_int_equal(walk_reports(j, at, 50 - left), left);
        left--;
        assert_ok(journal_next(other, &here, &found_at, &found));
        assert_int_equal(found_at, at);
        if ((at & 0xffffff) > 40) { /* within the record before: the next one comes */
            assert_ok(journal_next(other, &between, &found_at, &found));
            assert_int_equal(found_at, at);
        }
    }
    assert_int_equal(left, 0);
    assert_int_equal(walk_reports(j, journal_end(j), 50), 0);
    journal_reader_close(r);
    journal_reader_close(other);
    journal_close(j);
}

static void a_reader_sees_what_was_committed_after_it_was_opened(void **state)
{
    struct journal *j = fresh_journal(0);
    struct journal_reader *r = fresh_reader(j);
    uint64_t position = 0, at;
    struct record found;
    uint32_t n = 0;

    (void)state;
    assert_err(ERR_NOT_FOUND, journal_next(r, &position, &at, &found));
    commit_reports(j, 1, 1, &n);
    assert_ok(journal_next(r, &position, &at, &found));
    assert_err(ERR_NOT_FOUND, journal_next(r, &position, &at, &found));
    commit_reports(j, 3, 1, &n);
    assert_ok(journal_get(r, position_of(4, 36), &found));
    assert_ok(journal_next(r, &position, &at, &found));
    journal_reader_renew(r);
    assert_ok(journal_next(r, &position, &at, &found));
    journal_reader_close(r);
    journal_close(j);
}

/* ---- segments ------------------------------------------------------------------------------- */

static unsigned segment_names(char names[64][32])
{
    char path[4200];
    struct dirent *entry;
    unsigned count = 0;
    DIR *d;

    snprintf(path, sizeof(path), "%s/journal", dir);
    d = opendir(path);
    while ((entry = readdir(d))) {
        size_t len = strlen(entry->d_name);

        if (len == 14 && strcmp(entry->d_name + 10, ".mdb") == 0 && count < 64)
            memcpy(names[count++], entry->d_name, len + 1);
    }
    closedir(d);
    qsort(names, count, sizeof(names[0]), (int (*)(const void *, const void *))strcmp);
    return count;
}

static void segment_path(const char *name, char out[4400])
{
    snprintf(out, 4400, "%s/journal/%s", dir, name);
}

static void segments_follow_one_another(void **state)
{
    struct journal *j = fresh_journal(100000);
    char names[64][32];
    uint32_t n = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        commit_reports(j, 20, 30, &n);
        assert_int_equal(walk_reports(j, 0, 0), n);
        journal_close(j);
        j = open_journal(100000, 0);
    }
    assert_in_range(segment_names(names), 6, 40);
    assert_int_equal(walk_reports(j, 0, 0), n);
    assert_int_equal(journal_begin(j), position_of(1, 0));
    assert_true(journal_bytes(j) > 6 * 100000);
    journal_close(j);
}

static void a_segment_holds_at_least_one_batch(void **state)
{
    struct journal *j = fresh_journal(1);
    char names[64][32];
    uint32_t n = 0;

    (void)state;
    commit_reports(j, 40, 3, &n);
    assert_int_equal(segment_names(names), 40);
    assert_int_equal(walk_reports(j, 0, 0), n);
    journal_close(j);
    j = open_journal(1, 0);
    commit_reports(j, 10, 3, &n);
    assert_int_equal(walk_reports(j, 0, 0), n);
    journal_close(j);
}

static void settled_and_old_segments_are_dropped_and_no_others(void **state)
{
    struct journal *j = fresh_journal(100000);
    uint32_t n = 0, left;
    uint64_t begin;
    unsigned dropped;
    char names[64][32];
    unsigned count;

    (void)state;
    commit_reports(j, 200, 30, &n); /* arrivals 1780000000 to 1780000059 */
    count = segment_names(names);
    assert_ok(journal_drop(j, 0, UINT32_MAX, &dropped));
    assert_int_equal(dropped, 0);
    assert_ok(journal_drop(j, journal_end(j), 1780000000, &dropped));
    assert_int_equal(dropped, 0);
    assert_ok(journal_drop(j, position_of(100, 0), UINT32_MAX, &dropped));
    begin = journal_begin(j) >> 24;
    assert_true(dropped > 0 && begin > 1 && begin <= 100);
    assert_int_equal(segment_names(names), count - dropped);
    left = walk_reports(j, 0, (uint32_t)(begin - 1) * 30);
    assert_int_equal(left, n - (begin - 1) * 30);
    assert_ok(journal_drop(j, UINT64_MAX, 1780000045, &dropped));
    assert_true(dropped > 0);
    assert_true((journal_begin(j) >> 24) * 30 / 100 < 46);
    assert_ok(journal_drop(j, UINT64_MAX, UINT32_MAX, &dropped));
    assert_int_equal(segment_names(names), 1); /* the newest stays */
    journal_close(j);
    j = open_journal(100000, 0);
    begin = journal_begin(j) >> 24;
    assert_int_equal(walk_reports(j, 0, (uint32_t)(begin - 1) * 30), n - (begin - 1) * 30);
    commit_reports(j, 20, 30, &n);
    assert_int_equal(walk_reports(j, 0, (uint32_t)(begin - 1) * 30), n - (begin - 1) * 30);
    journal_close(j);
}

static void a_reader_keeps_its_segment_while_it_is_dropped(void **state)
{
    struct journal *j = fresh_journal(100000);
    struct journal_reader *r;
    uint64_t position = 0, at;
    struct record found;
    uint32_t n = 0;
    unsigned dropped;

    (void)state;
    commit_reports(j, 100, 30, &n);
    r = fresh_reader(j);
    assert_ok(journal_next(r, &position, &at, &found));
    assert_ok(journal_drop(j, UINT64_MAX, UINT32_MAX, &dropped));
    assert_true(dropped > 1);
    assert_int_equal(found.bytes.at[50], 0);
    assert_ok(journal_next(r, &position, &at, &found)); /* goes on where the journal now begins */
    assert_true(at >= journal_begin(j));
    assert_err(ERR_NOT_FOUND, journal_get(r, position_of(1, 36), &found));
    journal_reader_close(r);
    journal_close(j);
}

static void a_missing_segment_is_noticed_at_the_start(void **state)
{
    struct journal *j = fresh_journal(100000);
    struct refusal r = { 0 };
    char names[64][32], path[4400], away[4420];
    unsigned count;
    uint32_t n = 0;

    (void)state;
    commit_reports(j, 150, 30, &n);
    journal_close(j);
    count = segment_names(names);
    assert_true(count > 3);
    for (unsigned i = 1; i < count;
         i++) { /* without the first it is one whose beginning was dropped */
        segment_path(names[i], path);
        snprintf(away, sizeof(away), "%s.away", path);
        assert_int_equal(rename(path, away), 0);
        for (unsigned flags = 0; flags <= DB_CREATE; flags++) {
            assert_err(ERR_MISSING, journal_open(dir, NULL, flags, &j, &r));
            assert_non_null(strstr(r.text, names[i - 1]));
        }
        assert_int_equal(rename(away, path), 0);
    }
    assert_ok(journal_open(dir, NULL, 0, &j, &r));
    journal_close(j);
    for (unsigned i = 0; i < count; i++) {
        segment_path(names[i], path);
        assert_int_equal(unlink(path), 0);
    }
    assert_err(ERR_NOT_FOUND, journal_open(dir, NULL, 0, &j, &r));
    assert_non_null(strstr(r.text, dir));
}

static void a_start_after_a_half_made_segment_goes_on(void **state)
{
    static const struct table tables[] = { { "batches", TABLE_RAW }, { "facts", 0 } };
    static const struct db_layout layout = { "journal", 1, tables, 2, 0, 0 };
    struct journal *j = fresh_journal(0);
    char path[4400], name[32], names[64][32];
    struct db *db;
    uint32_t n = 0;

    (void)state;
    commit_reports(j, 7, 30, &n);
    journal_close(j);
    snprintf(name, sizeof(name), "%010x.mdb.new", 8); /* not even named */
    segment_path(name, path);
    check_write(path, span_text("half"));
    j = open_journal(1, 0);
    assert_int_equal(walk_reports(j, 0, 0), n);
    journal_close(j);
    snprintf(name, sizeof(name), "%010x.mdb", 8); /* made, and the old one not yet closed */
    segment_path(name, path);
    assert_ok(db_open(path, &layout, DB_CREATE, &db, NULL));
    db_close(db);
    j = open_journal(0, 0);
    assert_int_equal(segment_names(names), 2);
    assert_int_equal(walk_reports(j, 0, 0), n);
    commit_reports(j, 3, 30, &n);
    assert_int_equal(walk_reports(j, 0, 0), n);
    journal_close(j);
    j = open_journal(1, 0);
    commit_reports(j, 3, 30, &n); /* a segment each */
    assert_int_equal(walk_reports(j, 0, 0), n);
    journal_close(j);
}

/* ---- damage --------------------------------------------------------------------------------- */

static void a_flipped_byte_withholds_its_record_and_no_other(void **state)
{
    struct journal *j = fresh_journal(0);
    struct journal_reader *r;
    char path[4400], names[64][32];
    uint64_t position = 0, at, positions[20], damaged = 0;
    struct record found;
    struct span file;
    uint8_t bytes[100], *place;
    uint32_t n = 0;

    (void)state;
    commit_reports(j, 2, 10, &n);
    r = fresh_reader(j);
    for (unsigned i = 0; i < 20; i++) {
        assert_ok(journal_next(r, &position, &at, &found));
        positions[i] = at;
    }
    journal_reader_close(r);
    journal_close(j);
    assert_int_equal(segment_names(names), 1);
    segment_path(names[0], path);
    file = check_read(path);
    report(13, bytes);
    place = memmem(file.at, file.len, bytes, sizeof(bytes));
    assert_non_null(place);
    place[77] ^= 1;
    check_write(path, file);
    free((void *)file.at);

    j = open_journal(0, 0);
    r = fresh_reader(j);
    for (unsigned i = 0; i < 20; i++) {
        enum err err = journal_get(r, positions[i], &found);

        damaged += err == ERR_CORRUPT;
        assert_err(i == 13 ? ERR_CORRUPT : ERR_OK, err);
    }
    assert_int_equal(damaged, 1);
    for (position = 0, n = 0; !journal_next(r, &position, &at, &found);)
        n++;
    assert_int_equal(n, 13);
    assert_err(ERR_CORRUPT, journal_next(r, &position, &at, &found));
    assert_int_equal(position >> 24, 2); /* where it stands */
    journal_reader_close(r);
    journal_close(j);
}

/* The value of a batch in the only segment of a journal that is closed, or puts another in its
 * place, or takes it out. */
static void edit_batch(uint64_t number, struct span *out_copy, const struct span *put)
{
    static const struct table tables[] = { { "batches", TABLE_RAW }, { "facts", 0 } };
    static const struct db_layout layout = { "journal", 1, tables, 2, 0, 0 };
    char path[4400], names[64][32];
    uint8_t key[8] = { 0, 0, 0, 0, 0, 0, 0, (uint8_t)number };
    struct span value;
    struct db *db;
    struct txn t;

    assert_int_equal(segment_names(names), 1);
    segment_path(names[0], path);
    assert_ok(db_open(path, &layout, 0, &db, NULL));
    t = txn_begin(db, TXN_WRITE);
    if (out_copy) {
        assert_true(txn_get(&t, 0, span_of(key, 8), &value));
        *out_copy = span_of(memcpy(malloc(value.len), value.at, value.len), value.len);
    } else if (put) {
        txn_put(&t, 0, span_of(key, 8), *put);
    } else {
        txn_del(&t, 0, span_of(key, 8));
    }
    assert_ok(txn_end(&t));
    db_close(db);
}

static void a_batch_taken_out_is_missing(void **state)
{
    struct refusal r = { 0 };
    struct journal *j;
    uint32_t n = 0;

    (void)state;
    for (uint64_t number = 1; number < 6; number++) {
        j = fresh_journal(0);
        n = 0;
        commit_reports(j, 6, 10, &n);
        journal_close(j);
        edit_batch(number, NULL, NULL);
        assert_err(ERR_MISSING, journal_open(dir, NULL, 0, &j, &r));
        assert_non_null(strstr(r.text, dir));
    }
}

static void a_batch_of_another_history_is_missing_its_predecessor(void **state)
{
    struct journal *j = fresh_journal(0);
    struct journal_reader *r;
    uint64_t position = 0, at;
    struct record found;
    struct span other;
    uint32_t n = 0;

    (void)state;
    commit_reports(j, 6, 10, &n);
    journal_close(j);
    edit_batch(4, &other, NULL);
    j = fresh_journal(0);
    n = 0;
    commit_reports(j, 6, 10, &n); /* the same reports, but it was another time */
    journal_close(j);
    edit_batch(4, NULL, &other);
    free((void *)other.at);
    j = open_journal(0, 0);
    r = fresh_reader(j);
    for (n = 0; !journal_next(r, &position, &at, &found);)
        n++;
    assert_int_equal(n, 30);
    assert_err(ERR_MISSING, journal_next(r, &position, &at, &found));
    position = position_of(5, 0); /* also for one who begins behind it */
    assert_err(ERR_MISSING, journal_next(r, &position, &at, &found));
    position = position_of(6, 0);
    assert_ok(journal_next(r, &position, &at, &found));
    journal_reader_close(r);
    journal_close(j);
}

static void a_record_moved_within_its_batch_is_corrupt(void **state)
{
    struct journal *j = fresh_journal(0);
    struct journal_reader *r;
    struct record found;
    struct span value;
    uint8_t *copy;
    uint64_t position = 0, at, second;
    uint32_t n = 0;
    size_t len;

    (void)state;
    commit_reports(j, 1, 10, &n);
    r = fresh_reader(j);
    assert_ok(journal_next(r, &position, &at, &found));
    assert_ok(journal_next(r, &position, &second, &found));
    len = (size_t)(second - at);
    journal_reader_close(r);
    journal_close(j);
    edit_batch(1, &value, NULL);
    copy = (uint8_t *)value.at;
    memcpy(copy + (second & 0xffffff), copy + (at & 0xffffff), len);
    edit_batch(1, NULL, &value);
    free(copy);
    j = open_journal(0, 0);
    r = fresh_reader(j);
    assert_ok(journal_get(r, at, &found));
    assert_err(ERR_CORRUPT, journal_get(r, second, &found));
    journal_reader_close(r);
    journal_close(j);
}

/* ---- processes and threads ------------------------------------------------------------------ */

static void another_process_reads_beside_the_writer(void **state)
{
    struct journal *j = fresh_journal(100000);
    uint32_t n = 0;

    (void)state;
    for (int i = 0; i < 8; i++) {
        pid_t child;
        int status;

        commit_reports(j, 20, 30, &n);
        if ((child = fork()) == 0) {
            execl("/proc/self/exe", "test_journal", "--count", dir, (char *)NULL);
            _exit(99);
        }
        commit_reports(j, 20, 30, &n); /* while it reads */
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    journal_close(j);
}

/* The other process of the test above: every batch must be whole. */
static int count_records(const char *folder)
{
    struct refusal refusal = { 0 };
    struct journal *j;
    struct journal_reader *r;
    uint64_t position = 0, at;
    struct record found;
    uint32_t count = 0;
    enum err err = journal_open(folder, NULL, DB_READ_ONLY, &j, &refusal);

    if (err || (err = journal_reader_open(j, &r))) {
        fprintf(stderr, "%s\n", refusal.text);
        return 1;
    }
    while (!(err = journal_next(r, &position, &at, &found)))
        count++;
    journal_reader_close(r);
    journal_close(j);
    fprintf(stderr, "%u records beside the writer, then %s\n", count, err_name(err));
    return err == ERR_NOT_FOUND && count && count % 30 == 0 ? 0 : 2;
}

static atomic_bool stop;

struct shared {
    struct journal *journal;
    atomic_uint walks;
};

static void *walk_often(void *arg)
{
    struct shared *s = arg;

    while (!atomic_load(&stop)) {
        struct journal_reader *r;
        uint64_t position = 0, at;
        struct record found;
        uint32_t in_batch = 0;
        uint64_t batch = 0;
        enum err err;

        if (journal_reader_open(s->journal, &r))
            return (void *)"no reader";
        while (!(err = journal_next(r, &position, &at, &found))) {
            if (batch && at >> 24 != batch && in_batch != 30 &&
                position_of(batch, 0) >= journal_begin(s->journal)) /* or it was dropped under us */
                return (void *)"a batch was not whole";
            in_batch = at >> 24 == batch ? in_batch + 1 : 1;
            batch = at >> 24;
            if (journal_get(r, at, &found) && journal_begin(s->journal) <= at)
                return (void *)"a record that was there is not";
        }
        journal_reader_close(r);
        if (err != ERR_NOT_FOUND)
            return (void *)err_name(err);
        atomic_fetch_add(&s->walks, 1);
    }
    return NULL;
}

static void readers_see_whole_batches_while_segments_come_and_go(void **state)
{
    struct shared s = { .journal = fresh_journal(60000) };
    pthread_t threads[3];
    uint32_t n = 0;

    (void)state;
    atomic_store(&stop, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, walk_often, &s), 0);
    for (int i = 0; i < 60 || atomic_load(&s.walks) < 30; i++) {
        unsigned dropped;

        commit_reports(s.journal, 10, 30, &n);
        if (i % 5 == 4 && journal_end(s.journal) > position_of(60, 0))
            assert_ok(journal_drop(s.journal, journal_end(s.journal) - position_of(50, 0),
                                   UINT32_MAX, &dropped));
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        void *fault;

        pthread_join(threads[i], &fault);
        if (fault)
            fail_msg("%s", (char *)fault);
    }
    journal_close(s.journal);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_record_comes_back_by_position_and_in_order),
        cmocka_unit_test(a_report_costs_at_most_26_bytes_beside_its_own),
        cmocka_unit_test(a_position_that_is_no_record_is_refused),
        cmocka_unit_test(a_batch_is_full_at_its_limits),
        cmocka_unit_test(several_batches_are_one_commit_and_empty_ones_no_part_of_it),
        cmocka_unit_test(a_walk_begins_anywhere),
        cmocka_unit_test(a_reader_sees_what_was_committed_after_it_was_opened),
        cmocka_unit_test(segments_follow_one_another),
        cmocka_unit_test(a_segment_holds_at_least_one_batch),
        cmocka_unit_test(settled_and_old_segments_are_dropped_and_no_others),
        cmocka_unit_test(a_reader_keeps_its_segment_while_it_is_dropped),
        cmocka_unit_test(a_missing_segment_is_noticed_at_the_start),
        cmocka_unit_test(a_start_after_a_half_made_segment_goes_on),
        cmocka_unit_test(a_flipped_byte_withholds_its_record_and_no_other),
        cmocka_unit_test(a_batch_taken_out_is_missing),
        cmocka_unit_test(a_batch_of_another_history_is_missing_its_predecessor),
        cmocka_unit_test(a_record_moved_within_its_batch_is_corrupt),
        cmocka_unit_test(another_process_reads_beside_the_writer),
        cmocka_unit_test(readers_see_whole_batches_while_segments_come_and_go),
    };

    if (argc == 3 && strcmp(argv[1], "--count") == 0)
        return count_records(argv[2]);
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm",
               0); /* a thousand commits: what a disk makes of them is tests/fault's business */
    return check_run(tests, argc, argv);
}
