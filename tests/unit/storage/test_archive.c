/* The archive against a plain model: whatever passes, imports, merges and crashes did, a series
 * reads as all its visible rows in the order in which they came. */
#include "tests/check.h"

#include "storage/archive_priv.h"
#include "storage/db.h"
#include "storage/txn.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARCH 1456790400u /* 2016-03-01T00:00Z */
#define APRIL 1459468800u
#define MAY 1462060800u
#define LONG_AFTER INT64_C(4000000000)
#define FOR_EVER 0, INT64_MAX

static struct archive *open_archive(const char *folder)
{
    struct archive *a = NULL;
    struct refusal r = { 0 };

    if (archive_open(folder, DB_CREATE, &a, &r))
        fail_msg("%s", r.text);
    return a;
}

static struct archive *reopen(struct archive *a, const char *folder)
{
    archive_close(a);
    return open_archive(folder);
}

static void put(struct archive_pass *p, uint32_t meter, const struct row *rows, size_t count)
{
    assert_ok(archive_pass_put(p, meter, CHANNEL_FORWARD, 1000, rows, count));
}

static void settle_rows(struct archive *a, uint32_t meter, const struct row *rows, size_t count)
{
    struct archive_pass *p = NULL;

    assert_ok(archive_pass_begin(a, 0, &p));
    put(p, meter, rows, count);
    assert_ok(archive_pass_end(p, archive_settled(a) + 1));
}

static void settle_row(struct archive *a, uint32_t meter, uint32_t time_s, int64_t value)
{
    settle_rows(a, meter, &(struct row){ .value = value, .time_s = time_s }, 1);
}

static struct rows hours(uint32_t from_s, size_t count, int64_t value)
{
    struct rows rows = { 0 };

    for (size_t i = 0; i < count; i++)
        assert_ok(rows_push(&rows, (struct row){ .value = value + (int64_t)i * 3000,
                                                 .time_s = from_s + (uint32_t)i * 3600 }));
    return rows;
}

static void settle_hours(struct archive *a, uint32_t meters, uint32_t from_s, size_t count)
{
    struct archive_pass *p = NULL;

    assert_ok(archive_pass_begin(a, 0, &p));
    for (uint32_t meter = 1; meter <= meters; meter++) {
        struct rows rows = hours(
            from_s, count, meter * INT64_C(1000000) + (from_s - MARCH) / 3600 * INT64_C(3000));

        put(p, meter, rows.at, rows.count);
        rows_done(&rows);
    }
    assert_ok(archive_pass_end(p, archive_settled(a) + 1));
}

static void tidy_all(struct archive *a, int64_t now_s)
{
    bool more = true;

    while (more)
        assert_ok(archive_tidy(a, now_s, 1 << 20, &more));
}

static void expect_rows(struct archive *a, uint32_t meter, enum channel c,
                        const struct rows *expected)
{
    struct rows rows = { 0 };

    assert_ok(archive_read(a, meter, c, FOR_EVER, &rows));
    assert_int_equal(rows.count, expected->count);
    if (rows.count)
        assert_memory_equal(rows.at, expected->at, rows.count * sizeof *rows.at);
    rows_done(&rows);
}

static size_t count_rows(struct archive *a, uint32_t meter, int64_t from_s, int64_t to_s)
{
    struct rows rows = { 0 };
    size_t count;

    assert_ok(archive_read(a, meter, CHANNEL_FORWARD, from_s, to_s, &rows));
    count = rows.count;
    rows_done(&rows);
    return count;
}

static uint64_t runs_of(struct archive *a)
{
    struct archive_stat s;

    assert_ok(archive_stat(a, &s));
    return s.runs;
}

static void expect_sound(struct archive *a)
{
    struct refusal r = { 0 };

    if (archive_check(a, &r))
        fail_msg("%s", r.text);
}

/* ---- reading what was written ---------------------------------------------------------------- */

static void a_span_holds_its_first_second_and_not_its_last(void **unused)
{
    struct archive *a = open_archive(check_folder());
    struct rows rows = hours(APRIL - 5 * 3600, 10, 0);

    (void)unused;
    settle_rows(a, 7, rows.at, rows.count);
    expect_rows(a, 7, CHANNEL_FORWARD, &rows);
    assert_int_equal(count_rows(a, 7, APRIL - 3600, APRIL + 3600), 2);
    assert_int_equal(count_rows(a, 7, APRIL - 3601, APRIL + 3601), 3);
    assert_int_equal(count_rows(a, 7, MAY, INT64_MAX), 0);
    assert_int_equal(count_rows(a, 7, INT64_MIN, APRIL), 5);
    assert_int_equal(count_rows(a, 7, APRIL, APRIL), 0);
    assert_int_equal(count_rows(a, 6, FOR_EVER), 0);
    assert_int_equal(count_rows(a, 8, FOR_EVER), 0);
    rows_done(&rows);
    archive_close(a);
}

static void rows_at_both_ends_of_time_come_back(void **unused)
{
    struct archive *a = open_archive(check_folder());
    struct row at[] = { { INT64_MIN, 0, 0 },
                        { INT64_MAX, 1, 3 },
                        { -1, UINT32_MAX - 1, 0 },
                        { 0, UINT32_MAX, UINT32_MAX } };
    struct rows expected = { at, 4, 4 };

    (void)unused;
    settle_rows(a, UINT32_MAX, at, 4);
    expect_rows(a, UINT32_MAX, CHANNEL_FORWARD, &expected);
    tidy_all(a, INT64_MAX / 2);
    expect_rows(a, UINT32_MAX, CHANNEL_FORWARD, &expected);
    expect_sound(a);
    archive_close(a);
}

static void a_read_adds_to_the_rows_that_are_there(void **unused)
{
    struct archive *a = open_archive(check_folder());
    struct rows rows = { 0 };

    (void)unused;
    settle_row(a, 1, MARCH, 5);
    assert_ok(rows_push(&rows, (struct row){ .value = 9, .time_s = MAY }));
    assert_ok(archive_read(a, 1, CHANNEL_FORWARD, FOR_EVER, &rows));
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.at[0].value, 9);
    assert_int_equal(rows.at[1].value, 5);
    rows_done(&rows);
    archive_close(a);
}

static void channels_of_a_meter_are_found_in_any_month(void **unused)
{
    struct archive *a = open_archive(check_folder());
    struct row march = { .time_s = MARCH }, april = { .time_s = APRIL };
    struct archive_pass *p = NULL;
    unsigned set = 99;

    (void)unused;
    assert_ok(archive_pass_begin(a, 0, &p));
    assert_ok(archive_pass_put(p, 3, CHANNEL_FORWARD, 1000, &march, 1));
    assert_ok(archive_pass_put(p, 3, CHANNEL_TEMPERATURE, 1, &march, 1));
    assert_ok(archive_pass_put(p, 4, CHANNEL_PRESSURE, 1, &march, 1));
    assert_ok(archive_pass_end(p, 1));
    assert_ok(archive_pass_begin(a, 0, &p));
    assert_ok(archive_pass_put(p, 3, CHANNEL_REVERSE, 1000, &april, 1));
    assert_ok(archive_pass_end(p, 2));
    assert_ok(archive_channels(a, 3, &set));
    assert_int_equal(set,
                     1u << CHANNEL_FORWARD | 1u << CHANNEL_TEMPERATURE | 1u << CHANNEL_REVERSE);
    assert_ok(archive_channels(a, 5, &set));
    assert_int_equal(set, 0);
    archive_close(a);
}

/* Values without any pattern: several blocks, several chunks. */
static void a_series_larger_than_a_chunk_comes_back(void **unused)
{
    struct check_random r = check_random_begin();
    struct archive *a = open_archive(check_folder());
    struct rows rows = { 0 };

    (void)unused;
    for (unsigned i = 0; i < 20000; i++)
        assert_ok(rows_push(&rows, (struct row){ .value = (int64_t)check_random(&r),
                                                 .time_s = MARCH + i * 60,
                                                 .attr = (uint32_t)check_random(&r) }));
    settle_row(a, 4, MARCH, 1);
    settle_rows(a, 5, rows.at, rows.count / 2);
    settle_rows(a, 5, rows.at + rows.count / 2, rows.count - rows.count / 2);
    settle_row(a, 6, MARCH, 1);
    expect_rows(a, 5, CHANNEL_FORWARD, &rows);
    expect_sound(a);
    tidy_all(a, LONG_AFTER);
    assert_int_equal(runs_of(a), 1);
    expect_rows(a, 5, CHANNEL_FORWARD, &rows);
    assert_int_equal(count_rows(a, 4, FOR_EVER), 1);
    assert_int_equal(count_rows(a, 6, FOR_EVER), 1);
    expect_sound(a);
    rows_done(&rows);
    archive_close(a);
}

static void rows_of_one_instant_keep_the_order_in_which_they_came(void **unused)
{
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    struct rows expected = { 0 };

    (void)unused;
    for (int i = 0; i < 30; i++) {
        int64_t value = (i * 7919) % 31;

        settle_row(a, 1, MARCH + 100, value);
        assert_ok(rows_push(&expected, (struct row){ .value = value, .time_s = MARCH + 100 }));
        if (i % 10 == 9)
            tidy_all(a, MARCH + 200);
        expect_rows(a, 1, CHANNEL_FORWARD, &expected);
    }
    tidy_all(a, LONG_AFTER);
    a = reopen(a, folder);
    expect_rows(a, 1, CHANNEL_FORWARD, &expected);
    rows_done(&expected);
    archive_close(a);
}

/* ---- all or nothing -------------------------------------------------------------------------- */

static void a_pass_is_seen_with_its_settled_position_and_not_before(void **unused)
{
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    struct rows rows = hours(MARCH, 700, 0);
    struct archive_pass *p = NULL;

    (void)unused;
    assert_int_equal(archive_settled(a), 0);
    assert_ok(archive_pass_begin(a, 0, &p));
    put(p, 1, rows.at, rows.count);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 0);
    assert_ok(archive_pass_end(p, 77));
    assert_int_equal(count_rows(a, 1, FOR_EVER), 700);
    assert_int_equal(archive_settled(a), 77);
    a = reopen(a, folder);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 700);
    assert_int_equal(archive_settled(a), 77);
    rows_done(&rows);
    archive_close(a);
}

static void a_pass_without_rows_moves_the_position(void **unused)
{
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    struct archive_pass *p = NULL;

    (void)unused;
    assert_ok(archive_pass_begin(a, 0, &p));
    assert_ok(archive_pass_end(p, 5));
    a = reopen(a, folder);
    assert_int_equal(archive_settled(a), 5);
    expect_sound(a);
    archive_close(a);
}

/* Random values, so that more is written than a pass holds back. */
static void put_megabytes(struct archive_pass *p, struct check_random *r, unsigned meters)
{
    struct row rows[2000];

    for (uint32_t meter = 1; meter <= meters; meter++) {
        for (unsigned i = 0; i < 2000; i++)
            rows[i] = (struct row){ .value = (int64_t)check_random(r), .time_s = MARCH + i * 600 };
        put(p, meter, rows, 2000);
    }
}

static void an_abandoned_pass_leaves_nothing(void **unused)
{
    struct check_random r = check_random_begin();
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    struct archive_pass *p = NULL;

    (void)unused;
    archive_pass_abandon(NULL);
    assert_ok(archive_pass_begin(a, 0, &p));
    put_megabytes(p, &r, 600);
    archive_pass_abandon(p);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 0);
    expect_sound(a);
    tidy_all(a, 0);
    a = reopen(a, folder);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 0);
    expect_sound(a);
    archive_close(a);
}

static void expect_child_did(int status)
{
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_pass_whose_process_died_is_forgotten(void **unused)
{
    struct check_random r = check_random_begin();
    const char *folder = check_folder();
    int status;
    pid_t child = fork();

    (void)unused;
    if (child == 0) {
        struct archive *a = open_archive(folder);
        struct archive_pass *p = NULL;

        settle_row(a, 9, MARCH, 1);
        assert_ok(archive_pass_begin(a, 0, &p));
        put_megabytes(p, &r, 600);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    expect_child_did(status);

    struct archive *a = open_archive(folder);

    assert_int_equal(count_rows(a, 1, FOR_EVER), 0);
    assert_int_equal(count_rows(a, 9, FOR_EVER), 1);
    assert_int_equal(archive_settled(a), 1);
    expect_sound(a);
    tidy_all(a, 0);
    settle_row(a, 1, MARCH, 5);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 1);
    expect_sound(a);
    archive_close(a);
}

/* A process that dies after any number of slices of a merge leaves every row in its place. */
static void a_merge_may_die_anywhere(void **unused)
{
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    struct rows expected = hours(MARCH, 240, 3000000);
    int status;

    (void)unused;
    for (unsigned day = 0; day < 10; day++) {
        struct archive_pass *p = NULL;

        assert_ok(archive_pass_begin(a, 0, &p));
        for (uint32_t meter = 1; meter <= 40; meter++)
            put(p, meter, expected.at + day * 24, 24);
        assert_ok(archive_pass_end(p, day + 1));
    }
    archive_close(a);
    for (unsigned slices = 1; slices < 60; slices += 3) {
        pid_t child = fork();

        if (child == 0) {
            bool more = true;

            a = open_archive(folder);
            for (unsigned i = 0; i < slices && more; i++)
                assert_ok(archive_tidy(a, LONG_AFTER, 300, &more));
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        expect_child_did(status);
        a = open_archive(folder);
        for (uint32_t meter = 1; meter <= 40; meter += 13)
            expect_rows(a, meter, CHANNEL_FORWARD, &expected);
        expect_sound(a);
        archive_close(a);
    }
    a = open_archive(folder);
    tidy_all(a, LONG_AFTER);
    assert_int_equal(runs_of(a), 1);
    expect_rows(a, 40, CHANNEL_FORWARD, &expected);
    rows_done(&expected);
    archive_close(a);
}

/* ---- imports --------------------------------------------------------------------------------- */

static void stage(struct archive *a, uint32_t tag, uint32_t meter, uint32_t time_s, int64_t value)
{
    struct archive_pass *p = NULL;

    assert_ok(archive_pass_begin(a, tag, &p));
    put(p, meter, &(struct row){ .value = value, .time_s = time_s }, 1);
    assert_ok(archive_pass_stage(p));
}

static void staged_rows_are_seen_when_they_are_sealed(void **unused)
{
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    uint32_t tags[4] = { 0 };

    (void)unused;
    stage(a, 11, 1, MARCH, 1);
    stage(a, 11, 2, APRIL, 1);
    stage(a, 12, 1, MARCH + 1, 1);
    assert_int_equal(archive_staged(a, tags, 4), 2);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 0);
    a = reopen(a, folder);
    assert_int_equal(archive_staged(a, tags, 4), 2);
    assert_int_equal(tags[0] + tags[1], 23);
    tidy_all(a, LONG_AFTER);
    assert_ok(archive_seal(a, 11));
    assert_int_equal(count_rows(a, 1, FOR_EVER), 1);
    assert_int_equal(count_rows(a, 2, FOR_EVER), 1);
    assert_ok(archive_discard(a, 12));
    assert_int_equal(archive_staged(a, tags, 4), 0);
    tidy_all(a, LONG_AFTER);
    a = reopen(a, folder);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 1);
    expect_sound(a);
    archive_close(a);
}

static void an_import_comes_when_it_is_sealed_not_when_it_was_staged(void **unused)
{
    struct archive *a = open_archive(check_folder());
    struct row at[] = { { 5, MARCH, 0 }, { 4, MARCH, 0 } };
    struct rows expected = { at, 2, 2 };

    (void)unused;
    stage(a, 11, 1, MARCH, 4);
    settle_row(a, 1, MARCH, 5);
    assert_ok(archive_seal(a, 11));
    expect_rows(a, 1, CHANNEL_FORWARD, &expected);
    tidy_all(a, LONG_AFTER);
    expect_rows(a, 1, CHANNEL_FORWARD, &expected);
    archive_close(a);
}

/* ---- tidying --------------------------------------------------------------------------------- */

static void a_month_becomes_one_run_a_day_after_its_end(void **unused)
{
    struct archive *a = open_archive(check_folder());
    struct archive_stat before, after;

    (void)unused;
    for (unsigned week = 0; week < 4; week++)
        settle_hours(a, 100, MARCH + week * 7 * 86400, 7 * 24);
    assert_ok(archive_stat(a, &before));
    tidy_all(a, APRIL + 86400);
    assert_int_equal(runs_of(a), 4);
    tidy_all(a, APRIL + 86401);
    assert_ok(archive_stat(a, &after));
    assert_int_equal(after.runs, 1);
    assert_int_equal(after.rows, before.rows);
    assert_int_equal(after.blocks, 100);
    assert_true(after.block_bytes < before.block_bytes);
    expect_sound(a);
    archive_close(a);
}

static void eight_small_runs_become_one(void **unused)
{
    struct archive *a = open_archive(check_folder());

    (void)unused;
    for (unsigned day = 0; day < 7; day++)
        settle_hours(a, 10, MARCH + day * 86400, 24);
    tidy_all(a, MARCH);
    assert_int_equal(runs_of(a), 7);
    settle_hours(a, 10, MARCH + 7 * 86400, 24);
    tidy_all(a, MARCH);
    assert_int_equal(runs_of(a), 1);
    archive_close(a);
}

static void settle_megabytes(struct archive *a, struct check_random *r, unsigned meters)
{
    struct archive_pass *p = NULL;

    assert_ok(archive_pass_begin(a, 0, &p));
    put_megabytes(p, r, meters);
    assert_ok(archive_pass_end(p, archive_settled(a) + 1));
}

static void a_trickle_of_late_rows_leaves_a_whole_month_alone(void **unused)
{
    struct check_random r = check_random_begin();
    struct archive *a = open_archive(check_folder());
    struct archive_stat whole, s;

    (void)unused;
    settle_megabytes(a, &r, 30);
    settle_megabytes(a, &r, 30);
    tidy_all(a, LONG_AFTER);
    assert_ok(archive_stat(a, &whole));
    assert_int_equal(whole.runs, 1);
    for (unsigned i = 0; i < 20; i++) {
        settle_row(a, 1 + i, MARCH + 7 + i, 5);
        tidy_all(a, LONG_AFTER);
        assert_ok(archive_stat(a, &s));
        assert_in_range(s.runs, 2, 8);
        assert_true(s.blocks > whole.blocks);
    }
    settle_megabytes(a, &r, 10);
    tidy_all(a, LONG_AFTER);
    assert_int_equal(runs_of(a), 1);
    expect_sound(a);
    archive_close(a);
}

static void expect_below_zero(struct archive *a, uint32_t meter, bool expected)
{
    bool below = !expected;

    assert_ok(archive_below_zero(a, meter, &below));
    assert_int_equal(below, expected);
}

static void whether_a_meter_was_below_0_is_known_whatever_was_merged(void **unused)
{
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);

    (void)unused;
    settle_hours(a, 5, MARCH, 24);
    settle_row(a, 3, MARCH + 7, -1);
    expect_below_zero(a, 2, false);
    expect_below_zero(a, 3, true);
    settle_hours(a, 5, MARCH + 86400, 24);
    tidy_all(a, LONG_AFTER);
    a = reopen(a, folder);
    assert_int_equal(runs_of(a), 1);
    expect_below_zero(a, 2, false);
    expect_below_zero(a, 3, true);
    expect_below_zero(a, 6, false);
    expect_sound(a);
    archive_close(a);
}

static void space_of_merged_runs_is_used_again(void **unused)
{
    struct archive *a = open_archive(check_folder());
    struct archive_stat early, late;

    (void)unused;
    for (unsigned round = 0; round < 40; round++) {
        settle_hours(a, 300, MARCH, 200);
        tidy_all(a, LONG_AFTER);
        assert_ok(archive_stat(a, round < 10 ? &early : &late));
    }
    assert_int_equal(late.rows, 300 * 200);
    assert_true(late.file_bytes < early.file_bytes * 3 / 2);
    archive_close(a);
}

/* ---- a plain model --------------------------------------------------------------------------- */

#define METERS 6
#define CHANNELS 2
#define TAGS 3

struct model {
    struct rows seen[METERS][CHANNELS], staged[TAGS][METERS][CHANNELS];
};

static void model_add(struct rows *to, const struct rows *more)
{
    for (size_t i = 0; i < more->count; i++)
        assert_ok(rows_push(to, more->at[i]));
}

static void model_compare(struct archive *a, const struct model *m)
{
    for (uint32_t meter = 0; meter < METERS; meter++) {
        for (unsigned c = 0; c < CHANNELS; c++) {
            struct rows expected = { 0 };

            model_add(&expected, &m->seen[meter][c]);
            assert_ok(rows_tidy(&expected));
            expect_rows(a, meter * 1000 + 1, (enum channel)c, &expected);
            rows_done(&expected);
        }
    }
}

/* A reader that goes up, back, over gaps and stays says what a read of its own says. */
static void expect_reader_alike(struct archive *a, struct archive_reader *reader,
                                struct check_random *r)
{
    uint32_t meter = 0;

    for (unsigned i = 0; i < 40; i++) {
        enum channel c = (enum channel)check_below(r, CHANNELS + 1);
        int64_t from_s = check_below(r, 3) ? MARCH + (int64_t)check_below(r, 2000) * 3600 : 0;
        int64_t to_s = check_below(r, 2) ? INT64_MAX : from_s + (int64_t)check_below(r, 900) * 3600;
        struct rows one = { 0 }, other = { 0 };

        meter = check_below(r, 4) ? meter + (uint32_t)check_below(r, 3) * 500
                                  : (uint32_t)check_below(r, METERS) * 1000 + 1;
        assert_ok(archive_read(a, meter, c, from_s, to_s, &one));
        assert_ok(archive_reader_read(reader, meter, c, from_s, to_s, &other));
        assert_int_equal(one.count, other.count);
        if (one.count)
            assert_memory_equal(one.at, other.at, one.count * sizeof *one.at);
        rows_done(&one);
        rows_done(&other);
        if (!check_below(r, 30))
            archive_reader_rest(reader);
    }
}

static struct rows any_rows(struct check_random *r)
{
    struct rows rows = { 0 };
    size_t count = check_below(r, 3) ? check_below(r, 30) : check_below(r, 900);

    for (size_t i = 0; i < count; i++)
        assert_ok(rows_push(
            &rows, (struct row){ .value = check_between(r, 0, 50) * 1000,
                                 .time_s = MARCH + (uint32_t)check_below(r, 2000) * 3600,
                                 .attr = check_below(r, 9) ? 0 : (uint32_t)check_below(r, 16) }));
    assert_ok(rows_tidy(&rows));
    return rows;
}

static void any_pass(struct archive *a, struct check_random *r, struct model *m)
{
    uint32_t tag = (uint32_t)check_below(r, TAGS + 3);
    bool staged = tag > 0 && tag <= TAGS, kept = check_below(r, 8) > 0;
    struct archive_pass *p = NULL;

    assert_ok(archive_pass_begin(a, staged ? tag : 0, &p));
    for (uint32_t meter = 0; meter < METERS; meter++) {
        for (unsigned c = 0; c < CHANNELS; c++) {
            struct rows rows = check_below(r, 3) ? any_rows(r) : (struct rows){ 0 };

            assert_ok(archive_pass_put(p, meter * 1000 + 1, (enum channel)c,
                                       check_below(r, 2) ? 1000 : 77, rows.at, rows.count));
            if (kept)
                model_add(staged ? &m->staged[tag - 1][meter][c] : &m->seen[meter][c], &rows);
            rows_done(&rows);
        }
    }
    if (!kept)
        archive_pass_abandon(p);
    else if (staged)
        assert_ok(archive_pass_stage(p));
    else
        assert_ok(archive_pass_end(p, archive_settled(a) + 1));
}

static void any_verdict(struct archive *a, struct check_random *r, struct model *m)
{
    uint32_t tag = (uint32_t)check_below(r, TAGS);
    bool seal = check_below(r, 2);

    if (seal)
        assert_ok(archive_seal(a, tag + 1));
    else
        assert_ok(archive_discard(a, tag + 1));
    for (uint32_t meter = 0; meter < METERS; meter++) {
        for (unsigned c = 0; c < CHANNELS; c++) {
            struct rows *staged = &m->staged[tag][meter][c];

            if (seal)
                model_add(&m->seen[meter][c], staged);
            staged->count = 0;
        }
    }
}

/* What `rows` has of a month, moved out of it. */
static struct rows take_month(struct rows *rows, unsigned month)
{
    struct rows out = { 0 };
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++) {
        if (archive_month(rows->at[i].time_s) == month)
            assert_ok(rows_push(&out, rows->at[i]));
        else
            rows->at[kept++] = rows->at[i];
    }
    rows->count = kept;
    return out;
}

/* Some series of a month get other rows, or more of them. */
static void any_amendment(struct archive *a, struct check_random *r, struct model *m)
{
    struct amendment list[METERS * CHANNELS];
    struct rows rows[METERS * CHANNELS];
    unsigned month = archive_month(MARCH) + (unsigned)check_below(r, 3);
    size_t count = 0;

    for (uint32_t meter = 0; meter < METERS; meter++) {
        for (unsigned c = 0; c < CHANNELS; c++) {
            struct rows any = any_rows(r), before;
            bool replaces = check_below(r, 2);

            rows[count] = take_month(&any, month);
            rows_done(&any);
            if (check_below(r, 2)) {
                rows_done(&rows[count]);
                continue;
            }
            before = take_month(&m->seen[meter][c], month);
            if (!replaces)
                model_add(&m->seen[meter][c], &before);
            rows_done(&before);
            model_add(&m->seen[meter][c], &rows[count]);
            list[count] = (struct amendment){ .meter = meter * 1000 + 1,
                                              .channel = (enum channel)c,
                                              .replaces = replaces,
                                              .unit_ml = 1000,
                                              .rows = rows[count].at,
                                              .count = rows[count].count };
            count++;
        }
    }
    assert_ok(archive_amend(a, month, list, count));
    while (count)
        rows_done(&rows[--count]);
}

static void random_histories_read_like_a_plain_model(void **unused)
{
    struct check_random r = check_random_begin();
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    struct model *m = calloc(1, sizeof *m);
    struct archive_reader *reader = NULL;
    bool more;

    (void)unused;
    assert_non_null(m);
    assert_ok(archive_reader_open(a, &reader));
    for (unsigned i = 0; i < 250; i++) {
        switch (check_below(&r, 9)) {
        case 0:
            any_verdict(a, &r, m);
            break;
        case 4:
            any_amendment(a, &r, m);
            break;
        case 1:
            archive_reader_close(reader);
            a = reopen(a, folder);
            assert_ok(archive_reader_open(a, &reader));
            break;
        case 2:
        case 3:
            assert_ok(archive_tidy(a, check_below(&r, 2) ? LONG_AFTER : MARCH,
                                   check_below(&r, 20000), &more));
            break;
        default:
            any_pass(a, &r, m);
        }
        if (i % 5 == 0)
            model_compare(a, m);
        archive_reader_rest(reader); /* verdicts, imports and amendments settle nothing */
        expect_reader_alike(a, reader, &r);
    }
    archive_reader_close(reader);
    tidy_all(a, LONG_AFTER);
    model_compare(a, m);
    expect_sound(a);
    for (struct rows *rows = &m->seen[0][0]; rows < (struct rows *)(m + 1); rows++)
        rows_done(rows);
    free(m);
    archive_close(a);
}

/* ---- readers beside a writer ----------------------------------------------------------------- */

struct reading {
    struct archive *a;
    uint32_t meter;
    atomic_bool *stop;
    atomic_uint wrong;
    unsigned reads;
};

/* Days come one after the other: whatever is read must be the first days, whole. */
static void *read_on(void *arg)
{
    struct reading *reading = arg;
    struct rows rows = { 0 };

    do {
        size_t seen = rows.count;

        rows.count = 0;
        if (archive_read(reading->a, reading->meter, CHANNEL_FORWARD, FOR_EVER, &rows) ||
            rows.count % 24 || rows.count < seen)
            atomic_fetch_add(&reading->wrong, 1);
        for (size_t i = 0; i < rows.count; i++)
            if (rows.at[i].time_s != MARCH + i * 3600 ||
                rows.at[i].value != reading->meter * INT64_C(1000000) + (int64_t)i * 3000)
                atomic_fetch_add(&reading->wrong, 1);
        reading->reads++;
    } while (!atomic_load(reading->stop));
    rows_done(&rows);
    return NULL;
}

static void two_readers_see_whole_days_while_others_merge(void **unused)
{
    struct archive *a = open_archive(check_folder());
    atomic_bool stop = false;
    struct reading readings[2] = { { .a = a, .meter = 1, .stop = &stop },
                                   { .a = a, .meter = 50, .stop = &stop } };
    pthread_t threads[2];
    bool more;

    (void)unused;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readings[i]), 0);
    for (unsigned day = 0; day < 60; day++) {
        settle_hours(a, 50, MARCH + day * 86400, 24);
        assert_ok(archive_tidy(a, day % 20 == 19 ? LONG_AFTER : MARCH, 5000, &more));
    }
    tidy_all(a, LONG_AFTER);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readings[i].wrong, 0);
        assert_true(readings[i].reads > 0);
    }
    archive_close(a);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static const struct table tables[] = { { "head", 0 }, { "runs", 0 }, { "chunks", 0 } };
static const struct db_layout layout = {
    .what = "archive", .version = 1, .tables = tables, .count = 3
};

enum { HEAD, RUNS, CHUNKS };

static struct db *open_file(const char *folder)
{
    struct db *db = NULL;
    char path[4096];

    snprintf(path, sizeof path, "%s/archive.mdb", folder);
    assert_ok(db_open(path, &layout, 0, &db, NULL));
    return db;
}

/* The key and the value's first bytes of the nth row. */
static void find_row(struct db *db, unsigned table, size_t nth, uint8_t key[64], size_t *key_len,
                     uint8_t value[64])
{
    struct txn t = txn_begin(db, TXN_READ);
    struct scan s = scan_from(&t, table, (struct span){ 0 });

    for (size_t i = 0; i <= nth; i++)
        assert_true(scan_next(&s));
    assert_true(s.key.len <= 64);
    memcpy(key, s.key.at, *key_len = s.key.len);
    memcpy(value, s.value.at, s.value.len < 64 ? s.value.len : 64);
    scan_done(&s);
    assert_ok(txn_end(&t));
}

static void remove_row(const char *folder, unsigned table, size_t nth)
{
    struct db *db = open_file(folder);
    uint8_t key[64], value[64];
    size_t key_len;

    find_row(db, table, nth, key, &key_len, value);

    struct txn t = txn_begin(db, TXN_WRITE);

    txn_del(&t, table, span_of(key, key_len));
    assert_ok(txn_end(&t));
    db_close(db);
}

static void flip_byte_of_chunk(const char *folder, size_t nth, size_t byte)
{
    uint8_t key[64], value[64];
    size_t key_len;
    char path[4096];
    struct db *db = open_file(folder);

    find_row(db, CHUNKS, nth, key, &key_len, value);
    db_close(db);
    snprintf(path, sizeof path, "%s/archive.mdb", folder);

    struct span file = check_read(path);
    uint8_t *at = memmem(file.at, file.len, value, sizeof value);

    assert_non_null(at);
    at[byte] ^= 0x10;
    check_write(path, file);
    free((void *)file.at);
}

/* Three chunks and more in one run. */
static const char *make_damaged(size_t *out_chunks)
{
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    struct check_random r = { 1 };
    struct archive_pass *p = NULL;
    struct archive_stat s;

    assert_ok(archive_pass_begin(a, 0, &p));
    put_megabytes(p, &r, 10);
    assert_ok(archive_pass_end(p, 1));
    assert_ok(archive_stat(a, &s));
    *out_chunks = s.chunks;
    assert_true(s.chunks >= 4);
    archive_close(a);
    return folder;
}

static void expect_damage(const char *folder, enum err expected)
{
    struct archive *a = open_archive(folder);
    struct archive_reader *reader = NULL;
    struct refusal r = { 0 };
    size_t refused = 0;

    assert_err(expected, archive_check(a, &r));
    assert_non_null(strstr(r.text, "archive.mdb"));
    assert_ok(archive_reader_open(a, &reader));
    for (uint32_t meter = 1; meter <= 10; meter++) {
        struct rows rows = { 0 }, other = { 0 };
        enum err err = archive_read(a, meter, CHANNEL_FORWARD, FOR_EVER, &rows);

        /* Who reads on is refused for the meters that are damaged, and for no other. */
        assert_err(err, archive_reader_read(reader, meter, CHANNEL_FORWARD, FOR_EVER, &other));
        assert_int_equal(other.count, rows.count);
        rows_done(&other);
        if (err) {
            assert_err(expected, err);
            assert_int_equal(rows.count, 0);
            refused++;
        } else {
            assert_int_equal(rows.count, 2000);
        }
        rows_done(&rows);
    }
    assert_true(refused > 0);
    archive_reader_close(reader);
    archive_close(a);
}

static void any_removed_chunk_is_missed(void **unused)
{
    size_t chunks = 1;

    (void)unused;
    for (size_t i = 0; i < chunks; i++) {
        const char *folder = make_damaged(&chunks);

        remove_row(folder, CHUNKS, i);
        expect_damage(folder, ERR_MISSING);
    }
}

static void a_flipped_byte_is_never_served(void **unused)
{
    size_t chunks;

    (void)unused;
    for (size_t byte = 0; byte < 64; byte += 9) {
        const char *folder = make_damaged(&chunks);

        flip_byte_of_chunk(folder, 1 + byte % (chunks - 1), byte);
        expect_damage(folder, ERR_CORRUPT);
    }
}

static void a_removed_run_is_missed_when_the_archive_opens(void **unused)
{
    size_t chunks;
    const char *folder = make_damaged(&chunks);
    struct archive *a = NULL;
    struct refusal r = { 0 };

    (void)unused;
    remove_row(folder, RUNS, 0);
    assert_err(ERR_MISSING, archive_open(folder, 0, &a, &r));
    assert_non_null(strstr(r.text, "archive.mdb"));
    folder = make_damaged(&chunks);
    remove_row(folder, HEAD, 0);
    assert_err(ERR_MISSING, archive_open(folder, 0, &a, &r));
}

static void a_damaged_month_stops_its_own_merge_and_no_other(void **unused)
{
    size_t chunks;
    const char *folder = make_damaged(&chunks);
    struct archive *a = open_archive(folder);
    bool more = true;
    enum err err = ERR_OK;

    (void)unused;
    settle_row(a, 1, MARCH + 1, 5);
    settle_row(a, 1, APRIL, 5);
    settle_row(a, 2, APRIL, 5);
    archive_close(a);
    flip_byte_of_chunk(folder, 2, 40);
    a = open_archive(folder);
    assert_int_equal(runs_of(a), 4);
    while (more && !err)
        err = archive_tidy(a, LONG_AFTER, 1 << 20, &more);
    assert_err(ERR_CORRUPT, err);
    tidy_all(a, LONG_AFTER);
    assert_int_equal(runs_of(a), 3);
    settle_row(a, 11, MARCH + 1, 5);
    assert_int_equal(count_rows(a, 11, FOR_EVER), 1);
    archive_close(a);
}

/* ---- a full disk ----------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Random values until the pass has enough; what it says then. */
static enum err fill(struct archive_pass *p, struct check_random *r)
{
    struct row rows[2000];
    enum err err = ERR_OK;

    for (uint32_t meter = 1; !err && meter < 2000; meter++) {
        for (unsigned i = 0; i < 2000; i++)
            rows[i] = (struct row){ .value = (int64_t)check_random(r), .time_s = MARCH + i * 600 };
        err = archive_pass_put(p, meter, CHANNEL_FORWARD, 1000, rows, 2000);
    }
    return err;
}

static void a_full_disk_changes_nothing_and_work_goes_on_when_there_is_room(void **unused)
{
    struct check_random r = check_random_begin();
    struct archive *a = open_archive(check_folder());
    struct archive_pass *p = NULL;
    enum err filled, ended;

    (void)unused;
    settle_hours(a, 50, MARCH, 24);
    signal(SIGXFSZ, SIG_IGN);
    limit_files(10 << 20);
    assert_ok(archive_pass_begin(a, 0, &p));
    filled = fill(p, &r);
    ended = archive_pass_end(p, 99);
    limit_files(RLIM_INFINITY);
    assert_err(ERR_FULL, filled);
    assert_err(ERR_FULL, ended);
    assert_int_equal(archive_settled(a), 1);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 24);
    expect_sound(a);
    settle_hours(a, 50, MARCH + 86400, 24);
    tidy_all(a, LONG_AFTER);
    assert_int_equal(count_rows(a, 1, FOR_EVER), 48);
    expect_sound(a);
    archive_close(a);
}

/* What folds frames must say the same after a restart. */
static void what_a_meter_said_last_survives_a_restart(void **state)
{
    const char *folder = check_folder();
    struct archive *a = open_archive(folder);
    const struct vitals said = { .position = 7,
                                 .arrival_s = MARCH,
                                 .seq = 4711,
                                 .digest = 0xabcdef,
                                 .rises = true,
                                 .renewed = true,
                                 .status = 5,
                                 .battery_mv = 3600,
                                 .cell = 9,
                                 .rsrp_dbm = -101,
                                 .snr_db = -3,
                                 .offset_count = VITALS_OFFSETS,
                                 .offset_s = { 1, -2, 3, -4, 5, -6, 7 },
                                 .pause_count = 3,
                                 .pause_min = { 1440, 65535, 61 },
                                 .longest_quarters = 40000 };
    struct vitals_entry entries[2] = { { .meter = 31, .vitals = said },
                                       { .meter = 32, .vitals = said } };
    struct vitals found = { 0 };

    (void)state;
    entries[1].vitals.renewed = false;
    assert_ok(archive_vitals_put(a, entries, 2, NULL, 0));
    a = reopen(a, folder);
    for (uint32_t meter = 31; meter <= 32; meter++) {
        assert_ok(archive_vitals(a, meter, &found));
        assert_int_equal(found.renewed, meter == 31);
        assert_true(found.rises);
        assert_int_equal(found.seq, said.seq);
        assert_int_equal(found.digest, said.digest);
        assert_int_equal(found.offset_count, VITALS_OFFSETS);
        assert_memory_equal(found.offset_s, said.offset_s, sizeof said.offset_s);
        assert_int_equal(found.rsrp_dbm, said.rsrp_dbm);
        assert_int_equal(found.pause_count, 3);
        assert_memory_equal(found.pause_min, said.pause_min, sizeof said.pause_min);
        assert_int_equal(found.longest_quarters, said.longest_quarters);
    }
    archive_close(a);
}

/* 64 bytes a meter, until pauses were noted. */
static void vitals_of_a_store_of_before_are_read_and_kept(void **state)
{
    struct archive *a = open_archive(check_folder());
    struct vitals_entry next = { .meter = 6, .vitals = { .position = 9, .arrival_s = MARCH } };
    uint8_t bytes[32 * 64] = { 0 };
    struct vitals found;
    struct txn t;
    struct key k;

    (void)state;
    bytes[5 * 64] = 7;       /* position */
    bytes[5 * 64 + 24] = 42; /* radio cell */
    key_clear(&k);
    key_u32(&k, 0);
    t = txn_begin(a->db, TXN_WRITE);
    txn_put(&t, TABLE_VITALS, key_span(&k), span_of(bytes, sizeof bytes));
    assert_ok(txn_end(&t));
    for (int i = 0; i < 2; i++) {
        assert_ok(archive_vitals(a, 5, &found));
        assert_true(found.position == 7 && found.cell == 42 && found.pause_count == 0);
        assert_ok(archive_vitals_put(a, &next, 1, NULL, 0)); /* makes the value wider */
    }
    assert_ok(archive_vitals(a, 6, &found));
    assert_true(found.position == 9 && found.arrival_s == MARCH);
    archive_close(a);
}

struct hushes_seen {
    struct hush at[4];
    size_t count;
};

static enum err see_hush(void *arg, const struct hush *p)
{
    struct hushes_seen *seen = (struct hushes_seen *)arg;

    assert_true(seen->count < 4);
    seen->at[seen->count++] = *p;
    return ERR_OK;
}

static bool see_meter(void *arg, uint32_t meter, const struct vitals *v)
{
    struct hushes_seen *seen = (struct hushes_seen *)arg;

    seen->at[seen->count++] = (struct hush){ .meter = meter, .from_s = v->arrival_s };
    return seen->count < 4;
}

static void hushes_stand_by_meter_and_time_and_the_heard_in_order(void **state)
{
    struct archive *a = open_archive(check_folder());
    const struct hush pauses[3] = { { 7, MARCH, MARCH + 900000, 86400, 172800, 9 },
                                    { 7, MARCH - 900000, MARCH - 9, 3600, 0, CELL_GATEWAY | 1 },
                                    { 8, MARCH, MARCH + 1, 0, 0, 0 } };
    const struct vitals_entry entries[2] = {
        { .meter = 3, .vitals = { .position = 1, .arrival_s = MARCH } },
        { .meter = 70, .vitals = { .position = 2, .arrival_s = MARCH + 5 } }
    };
    struct hushes_seen seen = { .count = 0 };

    (void)state;
    assert_ok(archive_vitals_put(a, entries, 2, pauses, 3));
    assert_ok(archive_hushes(a, 7, see_hush, &seen));
    assert_int_equal(seen.count, 2);
    assert_memory_equal(&seen.at[0], &pauses[1], sizeof pauses[1]);
    assert_memory_equal(&seen.at[1], &pauses[0], sizeof pauses[0]);
    seen.count = 0;
    assert_ok(archive_vitals_each(a, see_meter, &seen));
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.at[0].meter, 3);
    assert_int_equal(seen.at[1].meter, 70);
    assert_int_equal(seen.at[1].from_s, MARCH + 5);
    archive_close(a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_meter_said_last_survives_a_restart),
        cmocka_unit_test(a_span_holds_its_first_second_and_not_its_last),
        cmocka_unit_test(rows_at_both_ends_of_time_come_back),
        cmocka_unit_test(a_read_adds_to_the_rows_that_are_there),
        cmocka_unit_test(channels_of_a_meter_are_found_in_any_month),
        cmocka_unit_test(a_series_larger_than_a_chunk_comes_back),
        cmocka_unit_test(rows_of_one_instant_keep_the_order_in_which_they_came),
        cmocka_unit_test(a_pass_is_seen_with_its_settled_position_and_not_before),
        cmocka_unit_test(a_pass_without_rows_moves_the_position),
        cmocka_unit_test(an_abandoned_pass_leaves_nothing),
        cmocka_unit_test(a_pass_whose_process_died_is_forgotten),
        cmocka_unit_test(a_merge_may_die_anywhere),
        cmocka_unit_test(staged_rows_are_seen_when_they_are_sealed),
        cmocka_unit_test(an_import_comes_when_it_is_sealed_not_when_it_was_staged),
        cmocka_unit_test(a_month_becomes_one_run_a_day_after_its_end),
        cmocka_unit_test(eight_small_runs_become_one),
        cmocka_unit_test(a_trickle_of_late_rows_leaves_a_whole_month_alone),
        cmocka_unit_test(whether_a_meter_was_below_0_is_known_whatever_was_merged),
        cmocka_unit_test(space_of_merged_runs_is_used_again),
        cmocka_unit_test(random_histories_read_like_a_plain_model),
        cmocka_unit_test(two_readers_see_whole_days_while_others_merge),
        cmocka_unit_test(any_removed_chunk_is_missed),
        cmocka_unit_test(a_flipped_byte_is_never_served),
        cmocka_unit_test(a_removed_run_is_missed_when_the_archive_opens),
        cmocka_unit_test(a_damaged_month_stops_its_own_merge_and_no_other),
        cmocka_unit_test(a_full_disk_changes_nothing_and_work_goes_on_when_there_is_room),
        cmocka_unit_test(vitals_of_a_store_of_before_are_read_and_kept),
        cmocka_unit_test(hushes_stand_by_meter_and_time_and_the_heard_in_order),
    };

    return check_run(tests, argc, argv);
}
