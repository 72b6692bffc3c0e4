#include "tests/check.h"

#include "storage/archive.h"
#include "storage/journal.h"
#include "storage/ledger.h"
#include "storage/quarantine.h"
#include "storage/store.h"
#include "storage/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a store with something in every part --------------------------------------------------- */

struct parts {
    struct store_lock *lock;
    struct journal *journal;
    struct quarantine *quarantine;
    struct archive *archive;
    struct ledger *ledger;
    struct views *views;
};

static enum err parts_try(const char *dir, struct parts *p, struct refusal *r)
{
    struct journal_options options = { .segment_bytes = 50000 };
    enum err err = store_lock_take(dir, &p->lock, r);
    unsigned flags;

    if (err)
        return err;
    flags = store_db_flags(p->lock);
    if ((err = journal_open(dir, &options, flags, &p->journal, r)) ||
        (err = quarantine_open(dir, NULL, flags, &p->quarantine, r)) ||
        (err = archive_open(dir, flags, &p->archive, r)) ||
        (err = journal_reaches(p->journal, archive_settled(p->archive), r)) ||
        (err = ledger_open(dir, flags, &p->ledger, r)) ||
        (err = views_open(dir, DB_CREATE, &p->views, r)))
        return err;
    return store_made(p->lock, r);
}

static void parts_close(struct parts *p)
{
    views_close(p->views);
    ledger_close(p->ledger);
    archive_close(p->archive);
    quarantine_close(p->quarantine);
    journal_close(p->journal);
    store_lock_release(p->lock);
    *p = (struct parts){ 0 };
}

static struct parts parts_open(const char *dir)
{
    struct parts p = { 0 };
    struct refusal r = { 0 };

    if (parts_try(dir, &p, &r))
        fail_msg("%s", r.text);
    return p;
}

static void commit_batch(struct parts *p, uint64_t n)
{
    struct batch *b;
    uint64_t number;
    uint8_t bytes[100] = { 0 };
    uint32_t offset;

    assert_ok(batch_new(&b));
    for (uint32_t i = 0; i < 30; i++) {
        struct record r = { .kind = RECORD_FRAME,
                            .meter = i + 1,
                            .arrival_s = 1780000000 + (uint32_t)n,
                            .bytes = { bytes, 100 } };

        memcpy(bytes, &n, sizeof(n));
        bytes[99] = (uint8_t)i;
        assert_ok(batch_add(b, &r, &offset));
    }
    assert_ok(journal_commit(p->journal, (struct batch *const[]){ b }, 1, &number));
    batch_free(b);
}

/* What settling does: quarantine, archive with its position, views, and old segments go. */
static void settle(struct parts *p, uint64_t n)
{
    struct record waiting = { .kind = RECORD_FRAME,
                              .arrival_s = 1780000000,
                              .peer = { 4, { 10, 0, 0, 1 }, 7 } };
    struct archive_pass *pass;
    uint64_t end = journal_end(p->journal);
    unsigned dropped;
    struct txn t;

    waiting.bytes = span_text("waits");
    assert_ok(
        quarantine_put(p->quarantine, end - (1 << 24), span_text("M"), ERR_UNKNOWN, &waiting));
    assert_ok(quarantine_flush(p->quarantine));
    assert_ok(archive_pass_begin(p->archive, 0, &pass));
    for (uint32_t meter = 1; meter <= 30; meter++) {
        struct row rows[20];

        for (uint32_t i = 0; i < 20; i++)
            rows[i] = (struct row){ (int64_t)(n * 20 + i) * 1000,
                                    1780000000 + (uint32_t)(n * 20 + i) * 900, 0 };
        assert_ok(archive_pass_put(pass, meter, CHANNEL_FORWARD, 1000, rows, 20));
    }
    assert_ok(archive_pass_end(pass, end));
    t = views_write(p->views);
    views_put_flag(&t, span_text("00000001-leak-00000001"), span_text("facts"));
    views_set_folded(&t, end);
    assert_ok(txn_end(&t));
    assert_ok(
        journal_drop(p->journal, end, 1780000000 + (uint32_t)(n > 40 ? n - 40 : 0), &dropped));
}

static void act(struct parts *p, uint64_t n)
{
    struct act a =
        act_begin(p->ledger, "tester admin", 1780000000 + (int64_t)n, journal_end(p->journal));
    char key[32];
    struct span cells[3];
    uint32_t id;
    bool new_row;

    snprintf(key, sizeof(key), "M%06llu", (unsigned long long)n);
    cells[0] = span_text(key);
    cells[1] = span_text("DN15");
    cells[2] = span_text("2500");
    act_put_row(&a, 0, span_text(key), 1780000000, cells, 3, &id, &new_row);
    act_note(&a, "registered", span_text(key), (struct span){ 0 }, span_text("{}"),
             span_text("test"));
    assert_ok(act_end(&a));
}

static void live(struct parts *p, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++) {
        act(p, n);
        commit_batch(p, n);
        if (n % 10 == 9)
            settle(p, n);
    }
}

static const char *made_store(uint64_t batches)
{
    const char *dir = check_folder();
    struct parts p = parts_open(dir);

    live(&p, 0, batches);
    parts_close(&p);
    return dir;
}

/* This program again, to do `what`; its status. What it says goes to `said`. */
static int other_process(const char *what, const char *from, const char *to, char said[2048])
{
    int pipes[2], status;
    size_t len = 0;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    if ((child = fork()) == 0) {
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execl("/proc/self/exe", "test_store", what, from, to, (char *)NULL);
        _exit(99);
    }
    close(pipes[1]);
    while (len < 2047 && (got = read(pipes[0], said + len, 2047 - len)) > 0)
        len += (size_t)got;
    said[len] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int be_other_process(char **argv)
{
    struct store_counts counts = { 0 };
    struct store_lock *lock;
    struct refusal r = { 0 };
    enum err err = ERR_INVALID;

    db_faults_install();
    if (strcmp(argv[1], "--check") == 0)
        err = store_check(argv[2], &counts, &r);
    else if (strcmp(argv[1], "--backup") == 0)
        err = store_backup(argv[2], argv[3], &r);
    else if (strcmp(argv[1], "--lock") == 0 && !(err = store_lock_take(argv[2], &lock, &r)))
        store_lock_release(lock);
    fprintf(stderr, "%s", err ? r.text : "");
    return err ? 2 + (int)err : 0;
}

/* ---- the lock ------------------------------------------------------------------------------- */

static void a_second_nilod_is_told_the_holders_pid(void **state)
{
    const char *dir = check_folder();
    struct store_lock *lock;
    char said[2048], pid[32];
    int status;

    (void)state;
    assert_ok(store_lock_take(dir, &lock, NULL));
    status = other_process("--lock", dir, "", said);
    assert_int_equal(WEXITSTATUS(status), 2 + ERR_BUSY);
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    assert_non_null(strstr(said, pid));
    store_lock_release(lock);
    status = other_process("--lock", dir, "", said);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_ok(store_lock_take(dir, &lock,
                              NULL)); /* the holder is dead, though its pid still stands there */
    store_lock_release(lock);
}

static void a_store_is_made_for_its_owner_alone(void **state)
{
    char dir[4200];
    struct store_lock *lock;
    struct stat s;

    (void)state;
    snprintf(dir, sizeof(dir), "%s/in/depth", check_folder());
    assert_ok(store_lock_take(dir, &lock, NULL));
    assert_int_equal(stat(dir, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    store_lock_release(lock);
}

static void a_newer_store_is_refused_with_a_sentence(void **state)
{
    const char *dir = made_store(1);
    struct store_lock *lock;
    struct refusal r = { 0 };
    char path[4200];

    (void)state;
    snprintf(path, sizeof(path), "%s/store", dir);
    check_write(path, span_text("nilometer store 2\n"));
    assert_err(ERR_NEWER, store_lock_take(dir, &lock, &r));
    assert_non_null(strstr(r.text, dir));
    assert_non_null(strstr(r.text, "newer version"));
    check_write(path, span_text("something else"));
    assert_err(ERR_CORRUPT, store_lock_take(dir, &lock, &r));
}

static void a_part_that_is_gone_is_noticed_at_the_start(void **state)
{
    static const char *const names[] = { "ledger.mdb", "archive.mdb", "journal/quarantine.mdb",
                                         "journal/0000000001.mdb" };
    struct store_counts counts;
    struct refusal r = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *dir = made_store(3);
        struct parts p = { 0 };
        char path[4200];

        assert_ok(store_check(dir, &counts, &r));
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
        if (!parts_try(dir, &p, &r))
            fail_msg("%s", names[i]);
        assert_non_null(strstr(r.text, dir));
        parts_close(&p);
        assert_true(store_check(dir, &counts, &r) != ERR_OK);
        assert_non_null(strstr(r.text, dir));
    }
}

static void views_may_go(void **state)
{
    const char *dir = made_store(10);
    struct store_counts counts;
    struct refusal r = { 0 };
    char path[4200];
    struct parts p;

    (void)state;
    snprintf(path, sizeof(path), "%s/views.mdb", dir);
    assert_int_equal(unlink(path), 0);
    assert_ok(store_check(dir, &counts, &r));
    p = parts_open(dir);
    parts_close(&p);
}

/* ---- checking ------------------------------------------------------------------------------- */

static void a_sound_store_is_counted(void **state)
{
    const char *dir = made_store(25);
    struct store_counts counts;
    struct refusal r = { 0 };

    (void)state;
    if (store_check(dir, &counts, &r))
        fail_msg("%s", r.text);
    assert_int_equal(counts.batches, 25);
    assert_int_equal(counts.records, 25 * 30);
    assert_int_equal(counts.readings, 2 * 30 * 20);
    assert_int_equal(counts.quarantined, 2);
    assert_true(counts.ledger_rows > 25 && counts.view_rows > 1 && counts.bytes > 100000);
}

static void an_archive_ahead_of_its_journal_is_noticed(void **state)
{
    const char *dir = made_store(20), *short_dir = made_store(5);
    struct store_counts counts;
    struct refusal r = { 0 };
    char command[8600];

    (void)state;
    snprintf(command, sizeof(command), "rm '%s'/journal/0* && cp '%s'/journal/0* '%s'/journal/",
             dir, short_dir, dir);
    assert_int_equal(system(command), 0);
    assert_err(ERR_MISSING, store_check(dir, &counts, &r));
    assert_non_null(strstr(r.text, "journal"));
}

/* Damage in any file is named, or it hit nothing that is in use; it never ends the check by a
 * signal. */
static void damage_anywhere_is_named_or_hits_nothing(void **state)
{
    static const char *const names[] = { "ledger.mdb", "archive.mdb", "views.mdb",
                                         "journal/quarantine.mdb", "journal/0000000001.mdb" };
    struct check_random random = check_random_begin();
    const char *dir = made_store(40);
    unsigned found = 0, tried = 0;
    char path[4200], said[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct span whole;

        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        whole = check_read(path);
        for (int k = 0; k < 20; k++, tried++) {
            uint64_t at = 8192 + check_below(&random, whole.len - 8192);
            uint8_t *copy = malloc(whole.len);
            int status;

            memcpy(copy, whole.at, whole.len);
            for (uint64_t b = at; b < at + 16 && b < whole.len; b++)
                copy[b] ^= (uint8_t)(1 + check_below(&random, 255));
            check_write(path, span_of(copy, whole.len));
            status = other_process("--check", dir, "", said);
            if (!WIFEXITED(status) || (WEXITSTATUS(status) && !strstr(said, dir)))
                fail_msg("%s at %llu: status %x: %s", names[i], (unsigned long long)at, status,
                         said);
            found += WEXITSTATUS(status) != 0;
            free(copy);
        }
        check_write(path, whole);
        free((void *)whole.at);
    }
    print_message("%u of %u damaged places were in use, and named\n", found, tried);
    assert_true(found > 0); /* most pages are free ones */
    assert_int_equal(other_process("--check", dir, "", said), 0);
}

/* ---- copies --------------------------------------------------------------------------------- */

static void a_backup_beside_a_writer_is_a_sound_store(void **state)
{
    const char *dir = check_folder();
    struct parts p = parts_open(dir);
    uint64_t n = 0, seen = 0;

    (void)state;
    for (int round = 0; round < 4; round++) {
        char to[4200], said[2048];
        uint64_t promised;
        struct store_counts counts;
        struct refusal r = { 0 };
        struct parts copy;
        pid_t child;
        int status;

        live(&p, n, n + 60);
        promised = n += 60;
        snprintf(to, sizeof(to), "%s/copy%d", check_folder(), round);
        if ((child = fork()) == 0) {
            execl("/proc/self/exe", "test_store", "--backup", dir, to, (char *)NULL);
            _exit(99);
        }
        while (waitpid(child, &status, WNOHANG) == 0) { /* life goes on */
            live(&p, n, n + 1);
            n++;
        }
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(other_process("--check", to, "", said), 0);
        copy = parts_open(to);
        assert_true(journal_end(copy.journal) >= position_of(promised + 1, 0));
        assert_true(archive_settled(copy.archive) <= journal_end(copy.journal));
        {
            struct txn t = ledger_read(copy.ledger);
            uint64_t acts = ledger_end(&t), batches = (journal_end(copy.journal) >> 24) - 1;

            /* A meter is registered before its frames come: with the frame of n, act n is there
             * too. */
            assert_true(acts >= promised);
            assert_true(batches <= acts);
            assert_ok(txn_end(&t));
            seen = batches;
        }
        live(&copy, seen, seen + 30); /* and it lives on */
        parts_close(&copy);
        assert_ok(store_check(to, &counts, &r));
    }
    print_message("%llu batches were committed meanwhile\n", (unsigned long long)n);
    parts_close(&p);
}

static void a_restored_store_is_what_was_saved(void **state)
{
    const char *dir = made_store(30);
    struct store_counts before, after;
    struct refusal r = { 0 };
    char to[4200], back[4200];

    (void)state;
    snprintf(to, sizeof(to), "%s/copy", check_folder());
    snprintf(back, sizeof(back), "%s/back", check_folder());
    assert_ok(store_check(dir, &before, &r));
    if (store_backup(dir, to, &r))
        fail_msg("%s", r.text);
    assert_err(ERR_EXISTS, store_backup(dir, to, &r));
    assert_ok(store_restore(to, back, &r));
    assert_ok(store_check(back, &after, &r));
    before.bytes = after.bytes = 0; /* a copy is compact */
    assert_memory_equal(&before, &after, sizeof(before));
    assert_err(ERR_EXISTS, store_restore(to, back, &r));
}

static void a_damaged_copy_is_not_restored(void **state)
{
    const char *dir = made_store(10);
    struct refusal r = { 0 };
    char to[4200], back[4200], path[4300];
    struct span file;
    uint8_t *place;

    (void)state;
    snprintf(to, sizeof(to), "%s/copy", check_folder());
    snprintf(back, sizeof(back), "%s/back", check_folder());
    assert_ok(store_backup(dir, to, &r));
    snprintf(path, sizeof(path), "%s/ledger.mdb", to);
    file = check_read(path);
    while ((place = memmem(file.at, file.len, "DN15", 4)))
        memcpy(place, "DN20", 4);
    check_write(path, file);
    free((void *)file.at);
    assert_err(ERR_CORRUPT, store_restore(to, back, &r));
    assert_non_null(strstr(r.text, "ledger"));
    assert_int_not_equal(access(back, F_OK), 0);
    snprintf(path, sizeof(path), "%s/store", to); /* a copy that never ended */
    assert_int_equal(unlink(path), 0);
    assert_err(ERR_NOT_FOUND, store_restore(to, back, &r));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_nilod_is_told_the_holders_pid),
        cmocka_unit_test(a_store_is_made_for_its_owner_alone),
        cmocka_unit_test(a_newer_store_is_refused_with_a_sentence),
        cmocka_unit_test(a_part_that_is_gone_is_noticed_at_the_start),
        cmocka_unit_test(views_may_go),
        cmocka_unit_test(a_sound_store_is_counted),
        cmocka_unit_test(an_archive_ahead_of_its_journal_is_noticed),
        cmocka_unit_test(damage_anywhere_is_named_or_hits_nothing),
        cmocka_unit_test(a_backup_beside_a_writer_is_a_sound_store),
        cmocka_unit_test(a_restored_store_is_what_was_saved),
        cmocka_unit_test(a_damaged_copy_is_not_restored),
    };

    if (argc == 4 && strncmp(argv[1], "--", 2) == 0)
        return be_other_process(argv);
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return check_run(tests, argc, argv);
}
