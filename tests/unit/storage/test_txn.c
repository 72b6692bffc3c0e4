#include "tests/check.h"

#include "storage/db.h"
#include "storage/key.h"
#include "storage/txn.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Byte by byte, the shorter first where one begins the other. */
static int span_compare(struct span a, struct span b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least ? memcmp(a.at, b.at, least) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

enum { PLAIN, RAW };

static const struct table tables[] = { { "plain", 0 }, { "raw", TABLE_RAW } };
static const struct db_layout layout = { "trial", 3, tables, 2, 0, 0 };

static char path[4400];

static const char *fresh_path(void)
{
    snprintf(path, sizeof(path), "%s/trial.mdb", check_folder());
    return path;
}

static struct db *open_db(unsigned flags)
{
    struct refusal r = { 0 };
    struct db *db = NULL;
    enum err err = db_open(path, &layout, flags, &db, &r);

    if (err)
        fail_msg("%s", r.text);
    return db;
}

static struct db *fresh_db(void)
{
    fresh_path();
    return open_db(DB_CREATE);
}

static struct key number_key(uint64_t n)
{
    struct key k;

    key_clear(&k);
    key_u64(&k, n);
    return k;
}

static void put_number(struct txn *t, unsigned table, uint64_t n, struct span value)
{
    struct key k = number_key(n);

    txn_put(t, table, key_span(&k), value);
}

static bool get_number(struct txn *t, unsigned table, uint64_t n, struct span *out)
{
    struct key k = number_key(n);

    return txn_get(t, table, key_span(&k), out);
}

static void del_number(struct txn *t, unsigned table, uint64_t n)
{
    struct key k = number_key(n);

    txn_del(t, table, key_span(&k));
}

/* `count` rows whose values tell their keys. */
static void put_rows(struct db *db, unsigned count)
{
    struct txn t = txn_begin(db, TXN_WRITE);

    for (unsigned i = 0; i < count; i++) {
        char text[64];

        snprintf(text, sizeof(text), "the value of row %u of the table", i);
        put_number(&t, PLAIN, i, span_text(text));
    }
    assert_ok(txn_end(&t));
}

/* Runs `body` in a process of its own; returns its status, its standard error is in `said`. */
static int in_child(int (*body)(void *arg), void *arg, char said[4096])
{
    int pipes[2], status;
    size_t len = 0;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        for (int i = SIGHUP; i <= SIGTERM;
             i++) /* cmocka's would go on with the next test in here */
            signal(i, SIG_DFL);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        _exit(body(arg));
    }
    close(pipes[1]);
    while (len < 4095 && (got = read(pipes[0], said + len, 4095 - len)) > 0)
        len += (size_t)got;
    said[len] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void rows_come_back_as_they_were_put(void **state)
{
    struct db *db = fresh_db();
    struct span value;
    struct txn t;

    (void)state;
    t = txn_begin(db, TXN_WRITE);
    put_number(&t, PLAIN, 1, span_text("one"));
    put_number(&t, PLAIN, 2, (struct span){ 0 });
    put_number(&t, RAW, 1, span_text("raw one"));
    put_number(&t, PLAIN, 1, span_text("another one"));
    assert_true(get_number(&t, PLAIN, 1, &value));
    assert_true(span_equal(value, span_text("another one")));
    assert_ok(txn_end(&t));

    t = txn_begin(db, TXN_READ);
    assert_true(get_number(&t, PLAIN, 1, &value));
    assert_true(span_equal(value, span_text("another one")));
    assert_true(get_number(&t, PLAIN, 2, &value));
    assert_int_equal(value.len, 0);
    assert_true(get_number(&t, RAW, 1, &value));
    assert_true(span_equal(value, span_text("raw one")));
    assert_false(get_number(&t, PLAIN, 3, &value));
    assert_int_equal(txn_count(&t, PLAIN), 2);
    assert_ok(txn_end(&t));

    t = txn_begin(db, TXN_WRITE);
    del_number(&t, PLAIN, 1);
    del_number(&t, PLAIN, 77); /* absent is fine */
    assert_false(get_number(&t, PLAIN, 1, &value));
    assert_ok(txn_end(&t));
    db_close(db);
}

static void scans_walk_both_ways_from_where_they_are_told(void **state)
{
    struct db *db = fresh_db();
    struct key k = number_key(50);
    struct span value;
    unsigned seen = 0;
    struct txn t;
    struct scan s;

    (void)state;
    t = txn_begin(db, TXN_WRITE);
    for (uint64_t i = 0; i < 100; i += 2)
        put_number(&t, PLAIN, i, span_text("x"));
    assert_ok(txn_end(&t));
    t = txn_begin(db, TXN_READ);
    s = scan_from(&t, PLAIN, key_span(&k));
    assert_true(scan_next(&s));
    assert_true(span_equal(s.key, key_span(&k)));
    for (seen = 1; scan_next(&s);)
        seen++;
    assert_int_equal(seen, 25);
    scan_done(&s);

    s = scan_from(&t, PLAIN, key_span(&k));
    for (seen = 0; scan_back(&s); seen++)
        assert_true(span_compare(s.key, key_span(&k)) < 0);
    assert_int_equal(seen, 25);
    scan_done(&s);

    k = number_key(1000); /* above all */
    s = scan_from(&t, PLAIN, key_span(&k));
    assert_false(scan_next(&s));
    scan_done(&s);
    s = scan_from(&t, PLAIN, key_span(&k));
    assert_true(scan_back(&s));
    k = number_key(98);
    assert_true(span_equal(s.key, key_span(&k)));
    scan_done(&s);

    s = scan_from(&t, PLAIN, (struct span){ 0 });
    assert_true(scan_back(&s));
    assert_true(span_equal(s.key, key_span(&k)));
    value = s.value;
    assert_true(span_equal(value, span_text("x")));
    scan_done(&s);
    s = scan_from(&t, RAW, (struct span){ 0 }); /* empty */
    assert_false(scan_next(&s));
    assert_false(scan_back(&s));
    scan_done(&s);
    assert_ok(txn_end(&t));
    db_close(db);
}

static void a_scan_goes_on_after_its_row_was_deleted(void **state)
{
    struct db *db = fresh_db();
    unsigned seen = 0;
    struct txn t;
    struct scan s;

    (void)state;
    put_rows(db, 2000);
    t = txn_begin(db, TXN_WRITE);
    s = scan_from(&t, PLAIN, (struct span){ 0 });
    while (scan_next(&s)) {
        if (seen++ % 3 != 2) {
            uint8_t copy[8];

            memcpy(copy, s.key.at, 8);
            txn_del(&t, PLAIN, span_of(copy, 8));
        }
    }
    scan_done(&s);
    assert_int_equal(seen, 2000);
    assert_int_equal(txn_count(&t, PLAIN), 666);
    assert_ok(txn_end(&t));
    db_close(db);
}

static void the_first_error_sticks_and_nothing_is_changed(void **state)
{
    struct db *db = fresh_db();
    uint8_t long_key[600] = { 1 };
    struct span value;
    struct txn t;

    (void)state;
    put_rows(db, 10);
    t = txn_begin(db, TXN_WRITE);
    put_number(&t, PLAIN, 100, span_text("before"));
    txn_put(&t, PLAIN, span_of(long_key, sizeof(long_key)), span_text("x"));
    assert_err(ERR_TOO_LARGE, t.err);
    put_number(&t, PLAIN, 101, span_text("after"));
    assert_err(ERR_TOO_LARGE, txn_end(&t));
    t = txn_begin(db, TXN_READ);
    assert_false(get_number(&t, PLAIN, 100, &value));
    assert_false(get_number(&t, PLAIN, 101, &value));
    assert_int_equal(txn_count(&t, PLAIN), 10);
    assert_false(txn_get(&t, PLAIN, span_of(long_key, sizeof(long_key)),
                         &value)); /* no such row, no error */
    assert_ok(txn_end(&t));

    t = txn_begin(db, TXN_WRITE);
    put_number(&t, PLAIN, 100, span_text("x"));
    txn_abort(&t);
    txn_abort(&t);
    t = txn_begin(db, TXN_READ);
    assert_false(get_number(&t, PLAIN, 100, &value));
    txn_abort(&t);
    db_close(db);
}

static void appending_below_the_last_key_is_a_conflict(void **state)
{
    struct db *db = fresh_db();
    struct key five = number_key(5), four = number_key(4);
    struct txn t;

    (void)state;
    t = txn_begin(db, TXN_WRITE);
    txn_append(&t, PLAIN, key_span(&five), span_text("x"));
    memcpy(txn_append_room(&t, RAW, key_span(&five), 3), "abc", 3);
    assert_ok(t.err);
    txn_append(&t, PLAIN, key_span(&four), span_text("x"));
    assert_err(ERR_CONFLICT, txn_end(&t));
    db_close(db);
}

/* LMDB keeps at most 131 072 changed pages in memory, and writes the others to the file before the commit. */
/* In a process of its own: LMDB keeps the list of pages that such a transaction spilled, a megabyte, until the process ends. */
static bool reads_what_it_spilled(void)
{
    enum { ROWS = 134000, ROW = 3000 }; /* a page each */
    struct db *db = fresh_db();
    struct txn t = txn_begin(db, TXN_WRITE);
    static uint8_t row[ROW];
    struct span value;
    bool right = true;

    for (unsigned i = 0; i < ROWS; i++) {
        memcpy(row, &i, sizeof i);
        put_number(&t, PLAIN, i, span_of(row, ROW));
    }
    for (unsigned i = 0; i < ROWS && right; i += 97)
        right = get_number(&t, PLAIN, i, &value) && memcmp(value.at, &i, sizeof i) == 0;
    right = right && !t.err;
    txn_abort(&t);
    db_close(db);
    return right;
}

static void a_transaction_too_large_for_memory_reads_what_it_wrote(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        _exit(reads_what_it_spilled() ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_transaction_within_another_is_undone_alone(void **state)
{
    struct db *db = fresh_db();
    struct txn outer = txn_begin(db, TXN_WRITE), inner;
    struct span value;

    (void)state;
    put_number(&outer, PLAIN, 1, span_text("outer"));
    inner = txn_begin_within(&outer);
    assert_true(get_number(&inner, PLAIN, 1, &value));
    put_number(&inner, PLAIN, 1, span_text("undone"));
    put_number(&inner, PLAIN, 2, span_text("undone"));
    txn_abort(&inner);
    inner = txn_begin_within(&outer);
    assert_false(get_number(&inner, PLAIN, 2, &value));
    put_number(&inner, PLAIN, 3, span_text("inner"));
    inner.err = ERR_CONFLICT; /* an error of its own is its own */
    assert_err(ERR_CONFLICT, txn_end(&inner));
    inner = txn_begin_within(&outer);
    put_number(&inner, PLAIN, 4, span_text("inner"));
    assert_ok(txn_end(&inner));
    assert_true(get_number(&outer, PLAIN, 1, &value));
    assert_true(span_equal(value, span_text("outer")));
    assert_false(get_number(&outer, PLAIN, 3, &value));
    assert_ok(txn_end(&outer));
    outer = txn_begin(db, TXN_READ);
    assert_int_equal(2, txn_count(&outer, PLAIN));
    assert_true(get_number(&outer, PLAIN, 4, &value));
    assert_ok(txn_end(&outer));
    db_close(db);
}

static void a_renewed_reader_sees_what_was_committed_since(void **state)
{
    struct db *db = fresh_db();
    struct txn reader = txn_begin(db, TXN_READ);
    struct span value;

    (void)state;
    put_rows(db, 1);
    assert_false(get_number(&reader, PLAIN, 0, &value));
    txn_renew(&reader);
    assert_true(get_number(&reader, PLAIN, 0, &value));
    assert_ok(txn_end(&reader));
    db_close(db);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void keys_stand_in_the_order_of_their_numbers(void **state)
{
    static const int64_t numbers[] = {
        INT64_MIN, -1000000, -1, 0, 1, 255, 256, 1000000, INT64_MAX
    };
    struct key before, k;

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        key_clear(&k);
        key_i64(&k, numbers[i]);
        if (i)
            assert_true(span_compare(key_span(&before), key_span(&k)) < 0);
        before = k;
    }
    key_clear(&k);
    key_u8(&k, 1);
    key_u16(&k, 0x0203);
    key_u32(&k, 0x04050607);
    key_text(&k, span_text("ab"));
    assert_int_equal(k.len, 10);
    assert_memory_equal(k.bytes, "\1\2\3\4\5\6\7ab", 10);
    assert_false(k.full);
    key_text(&k, span_of("a\0b", 3));
    assert_true(k.full);
}

static void a_key_that_is_full_says_so(void **state)
{
    struct key k;

    (void)state;
    key_clear(&k);
    for (int i = 0; i < 63; i++)
        key_u64(&k, 0);
    assert_false(k.full);
    key_u64(&k, 0); /* 512 */
    assert_true(k.full);
    key_u8(&k, 0);
    assert_int_equal(k.len, 504);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void a_file_is_refused_that_is_not_what_was_asked_for(void **state)
{
    static const struct db_layout older = { "trial", 2, tables, 2, 0, 0 },
                                  other = { "ledger", 3, tables, 2, 0, 0 };
    struct refusal r = { 0 };
    struct db *db = fresh_db(), *second;

    (void)state;
    assert_err(ERR_BUSY, db_open(path, &layout, 0, &second, &r));
    db_close(db);
    assert_err(ERR_NEWER, db_open(path, &older, 0, &second, &r));
    assert_non_null(strstr(r.text, path));
    assert_non_null(strstr(r.text, "newer version of Nilometer"));
    assert_err(ERR_CORRUPT, db_open(path, &other, 0, &second, &r));
    assert_non_null(strstr(r.text, path));
    check_write(
        path,
        span_text("this is a text, and no file of LMDB at all, however long it may go on and on"));
    assert_err(ERR_CORRUPT, db_open(path, &layout, 0, &second, &r));
    check_write(path, span_text(""));
    assert_true(db_open(path, &layout, 0, &second, &r) != ERR_OK);
    unlink(path);
    assert_err(ERR_NOT_FOUND, db_open(path, &layout, 0, &second, &r));
    assert_err(ERR_NOT_FOUND, db_open(path, &layout, DB_READ_ONLY | DB_CREATE, &second, &r));
}

static void a_file_that_was_made_is_opened_for_reading(void **state)
{
    struct db *db = fresh_db();
    struct span value;
    struct txn t;
    uint64_t rows;

    (void)state;
    put_rows(db, 3);
    assert_true(db_bytes(db) >= 4 * 4096);
    db_close(db);
    db = open_db(DB_READ_ONLY);
    t = txn_begin(db, TXN_READ);
    assert_true(get_number(&t, PLAIN, 2, &value));
    assert_ok(txn_end(&t));
    t = txn_begin(db, TXN_WRITE);
    assert_err(ERR_READ_ONLY, txn_end(&t));
    assert_ok(db_check(db, &rows, NULL));
    assert_int_equal(rows, 4); /* one is the file's own */
    db_close(db);
    db = open_db(DB_READ_ONLY | DB_SEALED);
    t = txn_begin(db, TXN_READ);
    assert_true(get_number(&t, PLAIN, 2, &value));
    assert_ok(txn_end(&t));
    db_close(db);
}

static void a_copy_holds_what_its_transaction_sees(void **state)
{
    struct db *db = fresh_db();
    char copy[4300];
    struct span value;
    struct txn t;

    (void)state;
    put_rows(db, 5000);
    t = txn_begin(db, TXN_READ);
    put_rows(db, 6000);
    snprintf(copy, sizeof(copy), "%s/copy.mdb", check_folder());
    assert_ok(db_copy(&t, copy, NULL));
    assert_err(ERR_EXISTS, db_copy(&t, copy, NULL));
    txn_abort(&t);
    db_close(db);
    snprintf(path, sizeof(path), "%s", copy);
    db = open_db(0);
    assert_ok(db_check(db, NULL, NULL));
    t = txn_begin(db, TXN_READ);
    assert_int_equal(txn_count(&t, PLAIN), 5000);
    assert_true(get_number(&t, PLAIN, 4999, &value));
    assert_true(span_equal(value, span_text("the value of row 4999 of the table")));
    txn_abort(&t);
    db_close(db);
}

/* ---- damage --------------------------------------------------------------------------------- */

static void a_flipped_byte_of_a_value_is_corrupt(void **state)
{
    static const char needle[] = "the value of row 70 of the table";
    struct db *db = fresh_db();
    struct span file, value;
    uint8_t *found;
    struct txn t;
    struct refusal r = { 0 };

    (void)state;
    put_rows(db, 100);
    db_close(db);
    file = check_read(path);
    while ((found = memmem(file.at, file.len, needle,
                           strlen(needle)))) /* older versions of the page too */
        found[10] ^= 0x20;
    check_write(path, file);
    free((void *)file.at);
    db = open_db(0);
    t = txn_begin(db, TXN_READ);
    assert_true(get_number(&t, PLAIN, 69, &value));
    assert_ok(t.err);
    assert_false(get_number(&t, PLAIN, 70, &value));
    assert_err(ERR_CORRUPT, txn_end(&t));
    assert_err(ERR_CORRUPT, db_check(db, NULL, &r));
    assert_non_null(strstr(r.text, path));
    db_close(db);
}

/* A large value that was proven is not proven again in the same state of the file, but in the next. */
static void a_large_value_is_proven_in_each_state(void **state)
{
    static const char needle[] = "the end of a large value";
    char text[3000];
    struct db *db = fresh_db();
    struct span file, value;
    uint8_t *found;
    struct txn t = txn_begin(db, TXN_WRITE);
    int fd;

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + sizeof text - sizeof needle, needle, sizeof needle);
    put_number(&t, PLAIN, 1, span_of((uint8_t *)text, sizeof text));
    assert_ok(txn_end(&t));
    for (int look = 0; look < 2; look++) {
        t = txn_begin(db, TXN_READ);
        assert_true(get_number(&t, PLAIN, 1, &value));
        assert_int_equal(value.len, sizeof text);
        assert_memory_equal(value.at, text, sizeof text);
        assert_ok(txn_end(&t));
    }
    file = check_read(path);
    found = memmem(file.at, file.len, needle, strlen(needle));
    assert_non_null(found);
    fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "THE", 3, found - file.at), 3);
    close(fd);
    free((void *)file.at);
    put_rows(db, 1); /* another state; the large value lies where it lay */
    t = txn_begin(db, TXN_READ);
    assert_false(get_number(&t, PLAIN, 1, &value));
    assert_err(ERR_CORRUPT, txn_end(&t));
    db_close(db);
}

static void a_value_under_another_key_is_corrupt(void **state)
{
    struct db *db = fresh_db();
    struct span file, value;
    struct key k = number_key(41), other = number_key(4141);
    uint8_t *found;
    struct txn t;

    (void)state;
    put_rows(db, 42);
    db_close(db);
    file = check_read(path);
    while ((found = memmem(file.at, file.len, k.bytes, k.len)))
        memcpy(found, other.bytes, other.len);
    check_write(path, file);
    free((void *)file.at);
    db = open_db(0);
    t = txn_begin(db, TXN_READ);
    assert_false(get_number(&t, PLAIN, 4141, &value));
    assert_err(ERR_CORRUPT, txn_end(&t));
    db_close(db);
}

static void a_file_cut_short_is_refused(void **state)
{
    struct db *db = fresh_db();
    struct refusal r = { 0 };
    struct stat whole;

    (void)state;
    put_rows(db, 5000);
    db_close(db);
    assert_int_equal(stat(path, &whole), 0);
    for (off_t size = whole.st_size - 1; size > 2 * 4096; size -= 7 * 4096 + 1) {
        assert_int_equal(truncate(path, size), 0);
        assert_err(ERR_CORRUPT, db_open(path, &layout, 0, &db, &r));
        assert_non_null(strstr(r.text, path));
    }
}

/* LMDB does not write pages at the end that a transaction took and gave back. */
static void a_file_that_ends_in_pages_never_written_is_sound(void **state)
{
    struct check_random random = check_random_begin();
    struct db *db = fresh_db();
    uint8_t *big = calloc(1, 1 << 20);
    unsigned shorter = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct txn t = txn_begin(db, TXN_WRITE);
        struct stat file;
        uint64_t bytes;

        put_number(&t, PLAIN, check_below(&random, 50), span_of(big, check_below(&random, 60000)));
        put_number(&t, PLAIN, 1000, span_of(big, 100000 + check_below(&random, 900000)));
        if (check_below(&random, 2))
            del_number(&t, PLAIN, 1000);
        else
            put_number(&t, PLAIN, 1000, span_text("small again"));
        del_number(&t, PLAIN, check_below(&random, 50));
        assert_ok(txn_end(&t));
        bytes = db_bytes(db);
        db_close(db);
        assert_int_equal(stat(path, &file), 0);
        shorter += (uint64_t)file.st_size < bytes;
        db = open_db(0);
        assert_ok(db_check(db, NULL, NULL));
    }
    print_message("%u of 200 files ended before their last page\n", shorter);
    assert_true(shorter > 0);
    db_close(db);
    free(big);
}

static int read_shortened(void *arg)
{
    struct db *db = arg;
    struct span value;
    struct txn t;

    db_faults_install();
    db = open_db(0);
    if (truncate(path, 3 * 4096))
        return 9;
    t = txn_begin(db, TXN_READ);
    for (uint64_t i = 0; i < 5000; i++)
        (void)!get_number(&t, PLAIN, i, &value);
    return 8;
}

static void a_fault_in_a_map_ends_the_process_and_names_the_file(void **state)
{
    struct db *db = fresh_db();
    char said[4096];
    int status;

    (void)state;
    put_rows(db, 5000);
    db_close(db);
    status = in_child(read_shortened, NULL, said);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(said, path));
    assert_non_null(strstr(said, "cannot be read"));
}

static int fault_elsewhere(void *arg)
{
    static int *volatile nowhere = (int *)8; /* the compiler must not see where it leads */

    (void)arg;
    db_faults_install();
    return *nowhere;
}

static void a_fault_elsewhere_is_not_ours(void **state)
{
    char said[4096];
    int status;

    (void)state;
    status = in_child(fault_elsewhere, NULL, said);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 8);
    assert_null(strstr(said, "cannot be read (the file"));
}

/* 0: every value that was served is right; 2: refused; 1: ended with the sentence. */
static int read_damaged(void *arg)
{
    struct refusal r = { 0 };
    struct db *db;
    struct txn t;
    struct scan s;
    enum err err;

    (void)arg;
    db_faults_install();
    if (db_open(path, &layout, DB_READ_ONLY, &db, &r))
        return 2;
    t = txn_begin(db, TXN_READ);
    s = scan_from(&t, PLAIN, (struct span){ 0 });
    while (scan_next(&s)) {
        char text[64];
        uint64_t n = 0;

        if (s.key.len != 8)
            return 7;
        for (int i = 0; i < 8; i++)
            n = n << 8 | s.key.at[i];
        snprintf(text, sizeof(text), "the value of row %u of the table", (unsigned)n);
        if (!span_equal(s.value, span_text(text)))
            return 7;
    }
    scan_done(&s);
    err = txn_end(&t);
    return err ? 2 : 0;
}

static void damage_anywhere_never_serves_a_wrong_value(void **state)
{
    struct check_random random = check_random_begin();
    struct db *db = fresh_db();
    unsigned seen[3] = { 0 };
    struct span whole;

    (void)state;
    put_rows(db, 1500);
    db_close(db);
    whole = check_read(path);
    for (int i = 0; i < 250; i++) {
        uint8_t *copy = malloc(whole.len);
        uint64_t at = 8192 + check_below(&random, whole.len - 8192);
        unsigned run = 1 + (unsigned)check_below(&random, 4);
        char said[4096];
        int status;

        memcpy(copy, whole.at, whole.len);
        for (unsigned k = 0; k < run && at + k < whole.len; k++)
            copy[at + k] ^= (uint8_t)(1 + check_below(&random, 255));
        check_write(path, span_of(copy, whole.len));
        status = in_child(read_damaged, NULL, said);
        /* Where damage leads astray, our handler names the file; a sanitizer that looks at each access first has words of
         * its own. */
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 2 ||
            (WEXITSTATUS(status) == 1 && !strstr(said, path) && !strstr(said, "AddressSanitizer")))
            fail_msg("%u bytes at %llu: status %x, said %s", run, (unsigned long long)at, status,
                     said);
        seen[WEXITSTATUS(status)]++;
        free(copy);
    }
    print_message("served right %u, ended %u, refused %u\n", seen[0], seen[1], seen[2]);
    free((void *)whole.at);
}

/* ---- threads -------------------------------------------------------------------------------- */

static atomic_bool stop;

static void *read_pairs(void *arg)
{
    struct db *db = arg;
    unsigned long reads = 0;

    while (!atomic_load(&stop) || reads < 10) {
        struct txn t = txn_begin(db, TXN_READ);
        struct span a, b;

        if (get_number(&t, PLAIN, 1, &a) && get_number(&t, PLAIN, 2, &b) && !span_equal(a, b))
            return (void *)"a reader saw half a transaction";
        if (txn_end(&t))
            return (void *)"a reader's transaction failed";
        reads++;
    }
    return NULL;
}

static void readers_beside_a_writer_see_whole_transactions(void **state)
{
    struct db *db = fresh_db();
    pthread_t readers[3];

    (void)state;
    atomic_store(&stop, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_pairs, db), 0);
    for (int i = 0; i < 200; i++) {
        struct txn t = txn_begin(db, TXN_WRITE);
        char text[32];

        snprintf(text, sizeof(text), "pair %d", i);
        put_number(&t, PLAIN, 1, span_text(text));
        put_number(&t, PLAIN, 2, span_text(text));
        assert_ok(txn_end(&t));
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        void *fault;

        pthread_join(readers[i], &fault);
        if (fault)
            fail_msg("%s", (char *)fault);
    }
    db_close(db);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_as_they_were_put),
        cmocka_unit_test(scans_walk_both_ways_from_where_they_are_told),
        cmocka_unit_test(a_scan_goes_on_after_its_row_was_deleted),
        cmocka_unit_test(the_first_error_sticks_and_nothing_is_changed),
        cmocka_unit_test(appending_below_the_last_key_is_a_conflict),
        cmocka_unit_test(a_transaction_too_large_for_memory_reads_what_it_wrote),
        cmocka_unit_test(a_transaction_within_another_is_undone_alone),
        cmocka_unit_test(a_renewed_reader_sees_what_was_committed_since),
        cmocka_unit_test(keys_stand_in_the_order_of_their_numbers),
        cmocka_unit_test(a_key_that_is_full_says_so),
        cmocka_unit_test(a_file_is_refused_that_is_not_what_was_asked_for),
        cmocka_unit_test(a_file_that_was_made_is_opened_for_reading),
        cmocka_unit_test(a_copy_holds_what_its_transaction_sees),
        cmocka_unit_test(a_flipped_byte_of_a_value_is_corrupt),
        cmocka_unit_test(a_large_value_is_proven_in_each_state),
        cmocka_unit_test(a_value_under_another_key_is_corrupt),
        cmocka_unit_test(a_file_cut_short_is_refused),
        cmocka_unit_test(a_file_that_ends_in_pages_never_written_is_sound),
        cmocka_unit_test(a_fault_in_a_map_ends_the_process_and_names_the_file),
        cmocka_unit_test(a_fault_elsewhere_is_not_ours),
        cmocka_unit_test(damage_anywhere_never_serves_a_wrong_value),
        cmocka_unit_test(readers_beside_a_writer_see_whole_transactions),
    };

    return check_run(tests, argc, argv);
}
