/* The disk is full, or fails: nothing of a commit is kept, the caller is told, and as soon as there
 * is room the same open journal goes on.  Room is taken away by a limit on file sizes (the kernel
 * then cuts a write short, as a full disk does) and by the shim, which lets any of LMDB's calls
 * fail, that of the meta page too, after which LMDB itself gives up. */
#include "tests/check.h"

#include "storage/journal.h"
#include "storage/key.h"
#include "storage/quarantine.h"
#include "storage/txn.h"
#include "tests/shim/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir;
static const uint8_t filling[1 << 20];

static void commit_some(struct journal *j, uint32_t reports, size_t len, enum err *out,
                        uint64_t *out_number)
{
    static uint8_t bytes[65536];
    struct batch *b;
    uint32_t offset;

    assert_ok(batch_new(&b));
    for (uint32_t i = 0; i < reports; i++) {
        struct record r = {
            .kind = RECORD_FRAME, .meter = i + 1, .arrival_s = i, .bytes = { bytes, len }
        };

        memset(bytes, (int)i, len);
        assert_ok(batch_add(b, &r, &offset));
    }
    *out = journal_commit(j, (struct batch *const[]){ b }, 1, out_number);
    batch_free(b);
}

static uint32_t records(struct journal *j)
{
    struct journal_reader *r;
    uint64_t position = 0, at;
    struct record found;
    uint32_t count = 0;
    enum err err;

    assert_ok(journal_reader_open(j, &r));
    while (!(err = journal_next(r, &position, &at, &found)))
        count++;
    assert_err(ERR_NOT_FOUND, err);
    journal_reader_close(r);
    return count;
}

static struct journal *open_journal(unsigned flags, uint64_t segment_bytes)
{
    struct journal_options options = { .segment_bytes = segment_bytes };
    struct refusal r = { 0 };
    struct journal *j = NULL;

    if (journal_open(dir, &options, flags, &j, &r))
        fail_msg("%s", r.text);
    return j;
}

static void allow_files_of(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* ---- a limit on the file's size ------------------------------------------------------------- */

static void a_full_disk_says_so_and_works_on_when_there_is_room(void **state)
{
    struct check_random random = check_random_begin();
    struct journal *j;
    uint64_t number, expected = 1;
    uint32_t count = 0;
    unsigned refused = 0;
    enum err err;

    (void)state;
    dir = check_folder();
    j = open_journal(DB_CREATE, 0);
    for (int i = 0; i < 200; i++) {
        uint32_t reports = 1 + (uint32_t)check_below(&random, 200);

        if (i % 4 == 1)
            allow_files_of((rlim_t)(journal_bytes(j) + check_below(&random, 30000)));
        commit_some(j, reports, 100, &err, &number);
        if (err) {
            assert_err(ERR_FULL, err);
            assert_int_equal(journal_end(j), position_of(expected, 0));
            assert_int_equal(records(j), count); /* reading goes on */
            refused++;
        } else {
            assert_int_equal(number, expected++);
            count += reports;
        }
        if (i % 4 == 3)
            allow_files_of(RLIM_INFINITY);
        if (i % 50 == 49) {
            journal_close(j);
            j = open_journal(0, 0);
            assert_int_equal(records(j), count);
        }
    }
    print_message("%u of 200 commits found no room\n", refused);
    assert_true(refused > 20);
    commit_some(j, 10, 100, &err, &number);
    assert_ok(err);
    assert_int_equal(records(j), count + 10);
    journal_close(j);
}

static void a_new_segment_for_which_there_is_no_room_is_begun_later(void **state)
{
    struct journal *j;
    uint64_t number;
    enum err err;

    (void)state;
    dir = check_folder();
    j = open_journal(DB_CREATE, 50000);
    do {
        commit_some(j, 10, 1000, &err, &number);
        assert_ok(err);
    } while (journal_bytes(j) <= 50000);
    allow_files_of(5000); /* not even the new file's first pages */
    for (int i = 0; i < 3; i++) {
        commit_some(j, 10, 1000, &err, &number);
        assert_err(ERR_FULL, err);
    }
    allow_files_of(RLIM_INFINITY);
    commit_some(j, 10, 1000, &err, &number);
    assert_ok(err);
    assert_int_equal(records(j), number * 10);
    journal_close(j);
    j = open_journal(0, 50000);
    assert_int_equal(records(j), number * 10);
    journal_close(j);
}

static void quarantine_keeps_what_it_has_while_the_disk_is_full(void **state)
{
    struct record r = { .kind = RECORD_FRAME, .peer = { 4, { 10, 0, 0, 1 }, 1 } };
    static uint8_t bytes[20000];
    struct quarantine *q;

    (void)state;
    dir = check_folder();
    r.bytes = span_of(bytes, sizeof(bytes));
    assert_ok(quarantine_open(dir, NULL, DB_CREATE, &q, NULL));
    assert_ok(quarantine_put(q, 1, span_text("M"), ERR_UNKNOWN, &r));
    assert_ok(quarantine_flush(q));
    allow_files_of(40000);
    assert_ok(quarantine_put(q, 2, span_text("M"), ERR_UNKNOWN, &r));
    assert_err(ERR_FULL, quarantine_flush(q));
    allow_files_of(RLIM_INFINITY);
    assert_ok(quarantine_put(q, 2, span_text("M"), ERR_UNKNOWN, &r));
    assert_ok(quarantine_flush(q));
    assert_ok(quarantine_check(q, NULL, NULL));
    quarantine_close(q);
}

/* ---- a disk of its own ----------------------------------------------------------------------- */

static bool write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    bool good = f && fputs(text, f) >= 0;

    return f && fclose(f) == 0 && good;
}

/* A disk of 4 MiB that nobody else sees; 77 where this machine does not let us. */
static int mount_small_disk(const char *folder)
{
    char users[64], groups[64];
    unsigned user = geteuid(), group = getegid();

    if (unshare(user ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS))
        return 77;
    snprintf(users, sizeof(users), "0 %u 1", user);
    snprintf(groups, sizeof(groups), "0 %u 1", group);
    if (user &&
        (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", users) ||
         !write_text("/proc/self/gid_map", groups)))
        return 77;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", folder, "tmpfs", 0, "size=4m"))
        return 77;
    return 0;
}

static int small_disk_work(const char *folder)
{
    char filler[4300];
    struct journal *j;
    uint64_t number = 0, kept = 0;
    enum err err;
    int rc = mount_small_disk(folder);
    FILE *f;

    if (rc)
        return rc;
    dir = folder;
    snprintf(filler, sizeof(filler), "%s/filler", folder);
    if (!(f = fopen(filler, "w")) || fwrite(filling, 1, sizeof(filling), f) != sizeof(filling) ||
        fclose(f))
        return 2;
    j = open_journal(DB_CREATE, 500000);
    do {
        commit_some(j, 40, 1000, &err, &number);
        kept += !err;
    } while (!err);
    for (int i = 0; i < 10; i++) {
        if (err != ERR_FULL || records(j) != kept * 40)
            return 3;
        commit_some(j, 40, 1000, &err, &number);
    }
    unlink(filler);
    for (int i = 0; i < 10; i++) {
        commit_some(j, 40, 1000, &err, &number);
        if (err || records(j) != ++kept * 40)
            return 4;
    }
    journal_close(j);
    j = open_journal(0, 500000);
    rc = records(j) == kept * 40 ? 0 : 5;
    journal_close(j);
    return rc;
}

static void a_disk_that_is_really_full_is_used_on_when_there_is_room(void **state)
{
    const char *folder = check_folder();
    int status;
    pid_t child;

    (void)state;
    if ((child = fork()) == 0) {
        execl("/proc/self/exe", "test_full", "--disk", folder, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("this machine lets nobody mount a small disk\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- any call may fail: in a process of its own, under the shim ----------------------------- */

static const struct failure {
    unsigned kinds;
    int code;
    enum err expected; /* ERR_COUNT: either FULL or IO */
} failures[] = {
    { SHIM_FAIL_WRITE, ENOSPC, ERR_FULL },
    { SHIM_FAIL_WRITE | SHIM_FAIL_SHORT, ENOSPC, ERR_COUNT },
    { SHIM_FAIL_WRITE, EIO, ERR_IO },
    { SHIM_FAIL_WRITE, EDQUOT, ERR_FULL },
    { SHIM_FAIL_SYNC, EIO, ERR_IO },
    { SHIM_FAIL_SYNC, ENOSPC, ERR_FULL },
    { SHIM_FAIL_WRITTEN, ENOSPC, ERR_FULL },
    { SHIM_FAIL_WRITTEN, EIO, ERR_IO },
    { SHIM_FAIL_WRITTEN | SHIM_FAIL_WRITE, EIO, ERR_IO }, /* the way back is barred as well */
    { SHIM_FAIL_WRITTEN | SHIM_FAIL_WRITE, ENOSPC, ERR_FULL },
};

static shim_fail_fn *shim_fail_now;

#define HOLDS(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "line %d, failure %zu, after %u: %s\n", __LINE__, f, after, #what);    \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int fail_once(struct journal *j, size_t f, unsigned after, uint32_t *count, bool with_reader)
{
    struct journal_reader *reader = NULL;
    uint64_t number, before = journal_end(j), position = 0, at;
    struct record found;
    enum err err;

    if (with_reader) { /* somebody reads all the while */
        HOLDS(!journal_reader_open(j, &reader));
        HOLDS(!journal_next(reader, &position, &at, &found));
    }
    shim_fail_now(failures[f].kinds, failures[f].code, after);
    commit_some(j, 40, 1000, &err, &number);
    if (err) {
        HOLDS(failures[f].expected == ERR_COUNT ? err == ERR_FULL || err == ERR_IO
                                                : err == failures[f].expected);
        HOLDS(journal_end(j) == before);
        commit_some(j, 40, 1000, &err,
                    &number); /* it goes on failing, or not (the environment was opened anew) */
        *count += err ? 0 : 40;
    } else {
        *count += 40;
    }
    shim_fail_now(0, 0, 0);
    if (reader)
        HOLDS(found.bytes.len == 1000 && found.bytes.at[999] == 0);
    journal_reader_close(reader);
    commit_some(j, 40, 1000, &err, &number); /* there is room again */
    HOLDS(!err);
    *count += 40;
    if (failures[f].kinds == (SHIM_FAIL_WRITTEN | SHIM_FAIL_WRITE) && records(j) == *count + 40)
        *count += 40; /* it could not even be undone: it is there, though nobody was told so */
    HOLDS(records(j) == *count);
    return 0;
}

static int fail_work(const char *folder)
{
    struct journal *j;
    uint64_t number;
    enum err err;
    int failed = 0;

    shim_fail_now = (shim_fail_fn *)dlsym(RTLD_DEFAULT, "shim_fail");
    if (!shim_fail_now)
        return 2;
    dir = folder;
    for (size_t f = 0; f < sizeof(failures) / sizeof(failures[0]) && !failed; f++) {
        uint32_t count = 40;

        j = open_journal(DB_CREATE, f % 2 ? 200000 : 0);
        commit_some(j, 40, 1000, &err, &number);
        count = records(j);
        for (unsigned after = 0; after < 8 && !failed; after++) {
            failed = fail_once(j, f, after, &count, after % 2);
            if (after == 5) {
                journal_close(j);
                j = open_journal(0, f % 2 ? 200000 : 0);
                failed = failed || records(j) != count;
            }
        }
        journal_close(j);
    }
    return failed;
}

static void whatever_call_fails_the_journal_works_on(void **state)
{
    const char *folder = check_folder();
    int status;
    pid_t child;

    (void)state;
    if ((child = fork()) == 0) {
        setenv("LD_PRELOAD", NILO_BUILD_DIR "/libnilo_shim.so", 1);
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
        setenv("NILO_SHIM_DIR", folder, 1);
        execl("/proc/self/exe", "test_full", "--work", folder, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_says_so_and_works_on_when_there_is_room),
        cmocka_unit_test(a_new_segment_for_which_there_is_no_room_is_begun_later),
        cmocka_unit_test(quarantine_keeps_what_it_has_while_the_disk_is_full),
        cmocka_unit_test(a_disk_that_is_really_full_is_used_on_when_there_is_room),
        cmocka_unit_test(whatever_call_fails_the_journal_works_on),
    };

    signal(SIGXFSZ, SIG_IGN); /* as nilod does: the write fails then, and that is dealt with */
    if (argc == 3 && strcmp(argv[1], "--work") == 0)
        return fail_work(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--disk") == 0)
        return small_disk_work(argv[2]);
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return check_run(tests, argc, argv);
}
