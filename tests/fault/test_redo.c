/* Transactions that are durable by a redo file (storage/db_redo.c): whatever happens to a process, to calls or to what was on its way to
 * the disk, what was acknowledged is there and what was refused is not.  test_powercut.c cuts the power at every write. */
#include "tests/check.h"

#include "storage/db.h"
#include "storage/key.h"
#include "storage/txn.h"
#include "tests/shim/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct table tables[] = { { "numbers", 0 }, { "texts", 0 }, { "more", TABLE_LATER } };
static const struct db_layout layout = { "trial", 1, tables, 2, 0, 4 },
                              grown = { "trial", 1, tables, 3, 0, 4 },
                              any = { NULL, 0, NULL, 0, 0, 0 };

#define TOO_LARGE (300u << 10) /* for a record */

/* ---- a db of numbered rows ---- */

static struct span path_in(const char *folder, const char *name, char out[4300])
{
    int len = snprintf(out, 4300, "%s/%s", folder, name);

    assert_in_range(len, 1, 4299);
    return span_text(out);
}

static struct db *open_as(const char *folder, const struct db_layout *as, unsigned flags)
{
    struct refusal r = { 0 };
    struct db *db = NULL;
    char path[4300];

    path_in(folder, "trial.mdb", path);
    if (db_open(path, as, flags, &db, &r))
        fail_msg("%s", r.text);
    return db;
}

static struct db *open_it(const char *folder, unsigned flags)
{
    return open_as(folder, &layout, flags);
}

static struct key key_of(uint64_t n)
{
    struct key k;

    key_clear(&k);
    key_u64(&k, n);
    return k;
}

static void put(struct txn *t, uint64_t n, size_t len)
{
    static uint8_t bytes[TOO_LARGE];
    struct key k = key_of(n);

    memset(bytes, (int)n, len);
    txn_put(t, n % 2, key_span(&k), span_of(bytes, len));
}

/* Rows stand for the commits that made them: row n, and row n − 3 is gone. */
static enum err commit(struct db *db, uint64_t n, size_t len)
{
    struct txn t = txn_begin(db, TXN_WRITE);
    struct key before = key_of(n - 3);

    put(&t, n, len);
    txn_del(&t, (n - 3) % 2, key_span(&before));
    return txn_end(&t);
}

static bool is_there(struct txn *t, uint64_t n)
{
    struct key k = key_of(n);
    struct span value;

    return txn_get(t, n % 2, key_span(&k), &value) && value.len && value.at[0] == (uint8_t)n;
}

/* Of commits 1 to `last` the newest three rows, and nothing else. */
static bool is_as_of(struct db *db, uint64_t last)
{
    struct txn t = txn_begin(db, TXN_READ);
    bool good = txn_count(&t, 0) + txn_count(&t, 1) == (last < 3 ? last : 3);

    for (uint64_t n = last > 3 ? last - 2 : 1; n <= last; n++)
        good = good && is_there(&t, n);
    txn_abort(&t);
    return good && !t.err;
}

static void copy_file(const char *from, const char *to, const char *name)
{
    char here[4300], there[4300];
    struct span bytes;

    path_in(from, name, here);
    path_in(to, name, there);
    if (access(here, F_OK)) {
        unlink(there);
        return;
    }
    bytes = check_read(here);
    check_write(there, bytes);
    free((void *)bytes.at);
}

/* What somebody finds who opens the files as they lie there now. */
static bool found_as_of(const char *folder, uint64_t last, bool read_only)
{
    static const char *copy;
    struct db *db;
    bool good;

    if (!copy)
        copy = check_folder();
    copy_file(folder, copy, "trial.mdb");
    copy_file(folder, copy, "trial.mdb-redo");
    db = open_it(copy, read_only ? DB_READ_ONLY : 0);
    good = is_as_of(db, last);
    db_close(db);
    return good;
}

/* Another process commits `from` to `to` and dies without a word. */
static void commit_and_die(const char *folder, uint64_t from, uint64_t to)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct db *db = open_it(folder, DB_CREATE);

        for (uint64_t n = from; n <= to; n++)
            if (commit(db, n, 100))
                _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- processes ---- */

static void what_a_killed_process_acknowledged_is_there(void **state)
{
    const char *folder = check_folder();
    struct db *db;

    (void)state;
    for (uint64_t n = 1; n < 40; n += 1 + n % 6) {
        commit_and_die(folder, n, n + n % 6);
        db = open_it(folder, n % 2 ? DB_READ_ONLY : 0);
        assert_true(is_as_of(db, n + n % 6));
        db_close(db);
    }
}

static void pages_that_never_reached_the_disk_are_made_again(void **state)
{
    const char *folder = check_folder(), *before = check_folder();
    struct db *db;

    (void)state;
    db = open_it(folder, DB_CREATE);
    assert_ok(commit(db, 1, 100));
    db_close(db);
    copy_file(folder, before, "trial.mdb");
    commit_and_die(folder, 2, 4);
    copy_file(before, folder, "trial.mdb");
    db = open_as(folder, &any, DB_READ_ONLY); /* a backup knows no layout */
    db_close(db);
    db = open_it(folder, DB_READ_ONLY);
    assert_true(is_as_of(db, 4));
    db_close(db);
}

static void of_many_who_open_it_at_once_one_does_the_records_again(void **state)
{
    const char *folder = check_folder();
    uint64_t last = 0;

    (void)state;
    for (int round = 0; round < 25; round++) {
        pid_t children[5];
        int status;

        commit_and_die(folder, last + 1, last + 3);
        last += 3;
        for (int i = 0; i < 5; i++) {
            if ((children[i] = fork()) == 0) {
                struct db *db = open_it(folder, i ? DB_READ_ONLY : 0);
                bool good = is_as_of(db, last);

                db_close(db);
                _exit(!good);
            }
        }
        for (int i = 0; i < 5; i++) {
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
    }
}

/* Reads as of now, says so, and looks again when it is told to. */
static int read_all_the_while(const char *folder, int said, int told)
{
    struct db *db = open_it(folder, DB_READ_ONLY);
    struct txn t = txn_begin(db, TXN_READ);
    char byte = 0;
    int rc = 0;

    if (write(said, &byte, 1) != 1 || read(told, &byte, 1) != 1)
        return 1;
    for (uint64_t n = 1; n <= 3; n++)
        if (!is_there(&t, n))
            rc = 2;
    txn_abort(&t);
    if (!rc && !is_as_of(db, 29))
        rc = 3;
    db_close(db);
    return rc;
}

static void a_reader_of_before_keeps_what_it_sees(void **state)
{
    const char *folder = check_folder();
    int said[2], told[2], status;
    char byte = 0;
    struct db *db;
    pid_t child;

    (void)state;
    commit_and_die(folder, 1, 3);
    assert_int_equal(pipe(said) | pipe(told), 0);
    if ((child = fork()) == 0)
        _exit(read_all_the_while(folder, said[1], told[0]));
    assert_int_equal(read(said[0], &byte, 1), 1);
    commit_and_die(folder, 4, 6);
    db = open_it(folder, 0);
    for (uint64_t n = 7; n < 30; n++) {
        assert_true(is_as_of(db, n - 1));
        assert_ok(commit(db, n, 2000));
        assert_true(found_as_of(folder, n, false));
    }
    assert_int_equal(write(told[1], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    db_close(db);
}

/* ---- transactions ---- */

static void a_large_transaction_and_small_ones_around_it_are_there(void **state)
{
    const char *folder = check_folder();
    struct db *db = open_it(folder, DB_CREATE);

    (void)state;
    for (uint64_t n = 1; n < 20; n++) {
        assert_ok(commit(db, n, n % 3 ? 50 : TOO_LARGE));
        assert_true(is_as_of(db, n));
        assert_true(found_as_of(folder, n, n % 2));
    }
    db_close(db);
}

static void what_was_undone_within_a_transaction_does_not_come_back(void **state)
{
    const char *folder = check_folder();
    struct db *db = open_it(folder, DB_CREATE);
    struct txn t = txn_begin(db, TXN_WRITE), inner;

    (void)state;
    put(&t, 1, 10);
    inner = txn_begin_within(&t);
    put(&inner, 2, 10);
    assert_ok(txn_end(&inner));
    inner = txn_begin_within(&t);
    put(&inner, 1, 4000);
    put(&inner, 9, 10);
    txn_abort(&inner);
    inner = txn_begin_within(&t);
    put(&inner, 8, TOO_LARGE);
    txn_abort(&inner);
    inner = txn_begin_within(&t);
    put(&inner, 3, 10);
    assert_ok(txn_end(&inner));
    assert_ok(txn_end(&t));
    assert_true(found_as_of(folder, 3, false));
    t = txn_begin(db, TXN_WRITE);
    put(&t, 7, 10);
    txn_abort(&t);
    t = txn_begin(db, TXN_WRITE); /* changes nothing */
    assert_ok(txn_end(&t));
    assert_ok(commit(db, 4, 10));
    assert_true(found_as_of(folder, 4, false));
    db_close(db);
    assert_true(found_as_of(folder, 4, true));
}

/* Whoever drops what a walk shows hands in a view, which ends with the change. */
static void a_key_that_is_a_view_is_recorded_as_it_was(void **state)
{
    const char *folder = check_folder(), *copy;
    struct db *db = open_it(folder, DB_CREATE);
    struct txn t;

    (void)state;
    for (uint64_t n = 1; n < 4; n++)
        assert_ok(commit(db, n, 100));
    for (unsigned left = 3; left; left--) {
        unsigned table = left % 2; /* of the rows 1 2 3 in turn the first of their table */
        struct scan s;

        t = txn_begin(db, TXN_WRITE);
        put(&t, 1000 + table,
            100); /* the page is the transaction's own, and this row moves into the gap */
        s = scan_from(&t, table, span_of(NULL, 0));
        assert_true(scan_next(&s));
        scan_done(&s);
        txn_del(&t, table, s.key);
        assert_ok(txn_end(&t));
        t = txn_begin(db, TXN_READ);
        assert_int_equal(txn_count(&t, 0) + txn_count(&t, 1), left - 1 + (left == 3 ? 1 : 2));
        txn_abort(&t);
    }
    copy = check_folder();
    copy_file(folder, copy, "trial.mdb");
    copy_file(folder, copy, "trial.mdb-redo");
    db_close(db);
    db = open_it(copy, 0);
    t = txn_begin(db, TXN_READ);
    assert_int_equal(txn_count(&t, 0) + txn_count(&t, 1), 2);
    assert_true(is_there(&t, 1000) && is_there(&t, 1001));
    txn_abort(&t);
    db_close(db);
}

static void records_of_a_program_of_before_are_done_by_their_tables_names(void **state)
{
    const char *folder = check_folder();
    struct db *db;
    struct txn t;

    (void)state;
    commit_and_die(folder, 1, 3);
    db = open_as(folder, &grown, 0);
    assert_true(is_as_of(db, 3));
    t = txn_begin(db, TXN_WRITE);
    txn_put(&t, 2, span_text("new"), span_text("table"));
    assert_ok(txn_end(&t));
    assert_true(found_as_of(folder, 3, false));
    db_close(db);
}

/* ---- damage ---- */

static enum err opened(const char *folder, struct refusal *r)
{
    struct db *db;
    char path[4300];
    enum err err;

    path_in(folder, "trial.mdb", path);
    if (!(err = db_open(path, &layout, 0, &db, r)))
        db_close(db);
    return err;
}

static void damage(const char *folder, off_t at)
{
    char path[4300];
    uint8_t byte;
    int fd;

    path_in(folder, "trial.mdb-redo", path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void damage_to_a_redo_file_that_is_wanted_shows(void **state)
{
    /* The head that counts, the tables' names, three records. */
    static const off_t places[] = { 4096 + 40, 8192 + 9, 3 * 4096 + 40, 4 * 4096 + 8,
                                    5 * 4096 + 2 };
    struct refusal r;

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *folder = check_folder();

        commit_and_die(folder, 1, 3);
        damage(folder, places[i]);
        if (i == 0) { /* it is there twice */
            assert_true(found_as_of(folder, 3, false));
            damage(folder, places[i] + 2048);
        }
        assert_err(ERR_CORRUPT, opened(folder, &r));
        assert_non_null(strstr(r.text, "trial.mdb-redo"));
    }
}

static void records_are_not_done_over_another_file(void **state)
{
    const char *folder = check_folder(), *other = check_folder();
    struct refusal r;
    struct db *db;

    (void)state;
    db = open_it(folder, DB_CREATE);
    for (uint64_t n = 1; n < 30; n++)
        assert_ok(commit(db, n, 100));
    db_close(db);
    commit_and_die(folder, 30, 31);
    commit_and_die(other, 1, 2);
    assert_err(ERR_OK, opened(other, &r));
    copy_file(other, folder, "trial.mdb");
    assert_err(ERR_CORRUPT, opened(folder, &r));
    assert_non_null(strstr(r.text, "does not belong"));
}

static void a_new_file_has_nothing_of_the_one_before(void **state)
{
    const char *folder = check_folder();
    char path[4300];
    struct db *db;

    (void)state;
    commit_and_die(folder, 1, 3);
    path_in(folder, "trial.mdb", path);
    assert_int_equal(unlink(path), 0);
    db = open_it(folder, DB_CREATE);
    assert_true(is_as_of(db, 0));
    assert_ok(commit(db, 1, 10));
    assert_true(found_as_of(folder, 1, false));
    db_close(db);
}

/* ---- no room, and calls that fail ---- */

static void without_room_for_a_redo_file_each_commit_syncs(void **state)
{
    const char *folder = check_folder();
    struct db *db = open_it(folder, DB_CREATE);
    struct rlimit limit;
    char path[4300];

    (void)state;
    path_in(folder, "trial.mdb-redo", path);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint64_t n = 1; n < 7; n++)
        assert_ok(commit(db, n, 100));
    assert_int_equal(access(path, F_OK), -1);
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint64_t n = 7; n < 12; n++)
        assert_ok(commit(db, n, 100));
    assert_int_equal(access(path, F_OK), 0);
    assert_true(found_as_of(folder, 11, false));
    db_close(db);
}

static const struct failure {
    unsigned kinds;
    int code;
} failures[] = {
    { SHIM_FAIL_WRITE, ENOSPC },
    { SHIM_FAIL_WRITE | SHIM_FAIL_SHORT, ENOSPC },
    { SHIM_FAIL_WRITE, EIO },
    { SHIM_FAIL_SYNC, EIO },
    { SHIM_FAIL_SYNC, ENOSPC },
    { SHIM_FAIL_WRITTEN, EIO },
    { SHIM_FAIL_WRITE | SHIM_FAIL_SYNC, EIO },
    { SHIM_FAIL_WRITE | SHIM_FAIL_SYNC | SHIM_FAIL_WRITTEN, ENOSPC },
};

static shim_fail_fn *shim_fail_now;

#define HOLDS(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "line %d, failure %zu, after %u, commit %llu, %s: %s\n", __LINE__, f,  \
                    after, (unsigned long long)*last + 1, err_name(err), #what);                   \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* A start that is cut off, at any call, leaves what the next one needs. */
static int fail_at_start(const char *folder, size_t f, unsigned after, uint64_t *last)
{
    char copy[4300], path[4300];
    struct db *db = NULL;
    struct refusal r;
    enum err err;

    path_in(folder, "copy", copy);
    (void)mkdir(copy, 0700);
    copy_file(folder, copy, "trial.mdb");
    copy_file(folder, copy, "trial.mdb-redo");
    path_in(copy, "trial.mdb", path);
    shim_fail_now(failures[f].kinds, failures[f].code, after);
    err = db_open(path, &layout, 0, &db, &r);
    shim_fail_now(0, 0, 0);
    HOLDS(!err || err == ERR_FULL || err == ERR_IO);
    if (!err)
        db_close(db);
    db = open_it(copy, after % 2 ? DB_READ_ONLY : 0);
    HOLDS(is_as_of(db, *last));
    db_close(db);
    return 0;
}

static int fail_once(struct db *db, const char *folder, size_t f, unsigned after, uint64_t *last)
{
    size_t len = after % 5 == 4 ? TOO_LARGE : 100 + after * 700;
    enum err err;

    shim_fail_now(failures[f].kinds, failures[f].code, after);
    for (int i = 0; i < 3; i++) { /* it goes on failing, or not */
        err = commit(db, *last + 1, len);
        HOLDS(!err || err == ERR_FULL || err == ERR_IO);
        *last += !err;
    }
    shim_fail_now(0, 0, 0);
    if (len == TOO_LARGE && failures[f].kinds & SHIM_FAIL_WRITTEN && is_as_of(db, *last + 1))
        (*last)++; /* LMDB's own commit could not even be undone: it is there, though nobody was told so */
    HOLDS(is_as_of(db, *last));
    HOLDS(found_as_of(folder, *last, after % 2));
    HOLDS(!commit(db, *last + 1, 100));
    (*last)++;
    HOLDS(is_as_of(db, *last));
    HOLDS(found_as_of(folder, *last, false));
    return fail_at_start(folder, f, after, last);
}

static int fail_work(const char *folder)
{
    uint64_t last = 0;
    int failed = 0;

    shim_fail_now = (shim_fail_fn *)dlsym(RTLD_DEFAULT, "shim_fail");
    if (!shim_fail_now)
        return 2;
    for (size_t f = 0; f < sizeof failures / sizeof failures[0] && !failed; f++) {
        struct db *db = open_it(folder, DB_CREATE);

        for (unsigned after = 0; after < 30 && !failed; after++)
            failed = fail_once(db, folder, f, after, &last);
        db_close(db);
    }
    return failed;
}

static void whatever_call_fails_what_was_refused_is_not_there(void **state)
{
    const char *folder = check_folder();
    int status;
    pid_t child;

    (void)state;
    if ((child = fork()) == 0) {
        setenv("LD_PRELOAD", NILO_BUILD_DIR "/libnilo_shim.so", 1);
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
        setenv("NILO_SHIM_DIR", folder, 1);
        execl("/proc/self/exe", "test_redo", "--work", folder, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_process_acknowledged_is_there),
        cmocka_unit_test(pages_that_never_reached_the_disk_are_made_again),
        cmocka_unit_test(of_many_who_open_it_at_once_one_does_the_records_again),
        cmocka_unit_test(a_reader_of_before_keeps_what_it_sees),
        cmocka_unit_test(a_large_transaction_and_small_ones_around_it_are_there),
        cmocka_unit_test(what_was_undone_within_a_transaction_does_not_come_back),
        cmocka_unit_test(a_key_that_is_a_view_is_recorded_as_it_was),
        cmocka_unit_test(records_of_a_program_of_before_are_done_by_their_tables_names),
        cmocka_unit_test(damage_to_a_redo_file_that_is_wanted_shows),
        cmocka_unit_test(records_are_not_done_over_another_file),
        cmocka_unit_test(a_new_file_has_nothing_of_the_one_before),
        cmocka_unit_test(without_room_for_a_redo_file_each_commit_syncs),
        cmocka_unit_test(whatever_call_fails_what_was_refused_is_not_there),
    };

    signal(SIGXFSZ, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "--work") == 0)
        return fail_work(argv[2]);
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return check_run(tests, argc, argv);
}
