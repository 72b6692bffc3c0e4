/* The power goes at every write.
 *
 * A workload (this program again, with the shim preloaded) commits to a journal with small segments
 * and to a table beside it, and marks what it would acknowledge.  From the shim's log we know what
 * was on disk for sure at every moment, and what was on its way: of that a disk may have kept any
 * part.  For each sync we build the store from every prefix of it, from all but each single write,
 * and from random subsets with torn writes among them, open it as a start does, and look whether
 * all that was marked is there and nothing is half.
 *
 * FULL=1: 1 000 subsets for each sync instead of fewer, and no limit of time. */
#include "tests/check.h"

#include "storage/journal.h"
#include "storage/key.h"
#include "storage/txn.h"
#include "tests/shim/shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define SECTOR 512
#define FILES 128
#define NAMES 64
#define UNITS 4096
#define SEGMENT_BYTES 60000
#define QUICK_SUBSETS 150
#define FULL_SUBSETS 1000
#define QUICK_SECONDS 25

enum { MARK_JOURNAL_MADE, MARK_BATCHES, MARK_DROPPING, MARK_TABLE_MADE, MARK_TABLE, MARKS };

/* ---- the workload, and what it leaves ------------------------------------------------------- */

#define COMMITS 26
#define ROWS 40

/* How many reports batch `number` has. */
static uint32_t batch_size(uint64_t number)
{
    return number % 7 == 3 ? 400 : 3 + (uint32_t)(number * 5 % 40);
}

static struct record batch_report(uint64_t number, uint32_t i, uint8_t bytes[100])
{
    memset(bytes, (int)(number * 31 + i), 100);
    memcpy(bytes, &number, 8);
    memcpy(bytes + 8, &i, 4);
    return (struct record){ .kind = RECORD_FRAME,
                            .meter = i + 1,
                            .arrival_s = (uint32_t)number,
                            .peer = { 4, { 10, 1, 1, 1 }, 5683 },
                            .bytes = { bytes, 20 + (number + i) % 80 } };
}

static enum err batch_fill(struct batch *b, uint64_t number)
{
    uint8_t bytes[100];
    uint32_t offset;
    enum err err = ERR_OK;

    batch_clear(b);
    for (uint32_t i = 0; i < batch_size(number) && !err; i++) {
        struct record r = batch_report(number, i, bytes);

        err = batch_add(b, &r, &offset);
    }
    return err;
}

static const struct table tables[] = { { "rows", 0 }, { "commit", 0 } };
static const struct db_layout layout = { "table", 1, tables, 2, 0, 5 };

/* What the table holds after `commit` commits: lengths of the rows' values, 0 where there is none.
 */
static void table_model(uint64_t commit, uint32_t lengths[ROWS])
{
    memset(lengths, 0, ROWS * sizeof(lengths[0]));
    for (uint64_t k = 1; k <= commit; k++) {
        for (uint64_t i = 0; i < 6; i++)
            lengths[(k * 7 + i * 13) % ROWS] = (uint32_t)(1 + (k * 997 + i * 411) % 5000);
        lengths[k * 5 % ROWS] = 0;
    }
}

static struct span row_value(uint64_t row, uint32_t length, uint8_t out[8192])
{
    memset(out, (int)(row + length), length);
    return span_of(out, length);
}

static enum err table_commit(struct db *db, uint64_t commit)
{
    struct txn t = txn_begin(db, TXN_WRITE);
    uint32_t before[ROWS], after[ROWS];
    uint8_t value[8192];
    struct key k;

    table_model(commit - 1, before);
    table_model(commit, after);
    for (uint64_t row = 0; row < ROWS; row++) {
        key_clear(&k);
        key_u64(&k, row);
        if (after[row] == before[row])
            continue;
        if (after[row])
            txn_put(&t, 0, key_span(&k), row_value(row, after[row], value));
        else
            txn_del(&t, 0, key_span(&k));
    }
    txn_put(&t, 1, span_text("commit"), span_of(&commit, sizeof(commit)));
    return txn_end(&t);
}

static int work(const char *dir)
{
    struct journal_options options = { .segment_bytes = SEGMENT_BYTES };
    shim_mark_fn *mark = (shim_mark_fn *)dlsym(RTLD_DEFAULT, "shim_mark");
    struct refusal r = { 0 };
    struct journal *j = NULL;
    struct batch *b = NULL;
    struct db *db = NULL;
    uint64_t numbers[1];
    unsigned dropped;
    char path[4200];
    enum err err = ERR_OK;

    snprintf(path, sizeof(path), "%s/table.mdb", dir);
    if (!mark || (err = journal_open(dir, &options, DB_CREATE, &j, &r)) || (err = batch_new(&b)))
        goto failed;
    mark(MARK_JOURNAL_MADE, 1);
    if ((err = db_open(path, &layout, DB_CREATE, &db, &r)))
        goto failed;
    mark(MARK_TABLE_MADE, 1);
    for (uint64_t k = 1; k <= COMMITS; k++) {
        if ((err = batch_fill(b, k)) ||
            (err = journal_commit(j, (struct batch *const[]){ b }, 1, numbers)) || numbers[0] != k)
            goto failed;
        mark(MARK_BATCHES, k);
        if ((err = table_commit(db, k)))
            goto failed;
        mark(MARK_TABLE, k);
        if (k == 20) {
            mark(MARK_DROPPING, 12);
            if ((err = journal_drop(j, position_of(12, 0), UINT32_MAX, &dropped)) || !dropped)
                goto failed;
        }
    }
    batch_free(b);
    journal_close(j);
    db_close(db);
    return 0;
failed:
    fprintf(stderr, "workload: %s %s\n", err_name(err), r.text);
    return 1;
}

/* ---- the disk ------------------------------------------------------------------------------- */

struct bytes {
    uint8_t *at;
    size_t len, cap;
};

/* A piece of what was on its way: of a write at most a page. */
struct unit {
    enum shim_kind kind;
    uint32_t file;
    uint64_t offset;
    size_t len;
    const uint8_t *bytes; /* in the log */
};

struct name {
    char text[64];
    uint32_t file;
};

struct disk {
    struct bytes files[FILES]; /* what is surely there */
    struct name names[NAMES];
    size_t name_count;
    struct unit units[UNITS]; /* on their way, in order */
    size_t unit_count;
    uint64_t marks[MARKS];
    uint64_t begun[MARKS]; /* marks that may or may not have been reached */
};

static void bytes_write(struct bytes *b, uint64_t offset, const uint8_t *from, size_t len)
{
    if (offset + len > b->cap) {
        b->cap = (offset + len) * 2;
        b->at = realloc(b->at, b->cap);
    }
    if (offset > b->len)
        memset(b->at + b->len, 0, offset - b->len);
    memcpy(b->at + offset, from, len);
    if (offset + len > b->len)
        b->len = offset + len;
}

static void bytes_truncate(struct bytes *b, uint64_t len)
{
    if (len > b->len)
        bytes_write(b, len - 1, (const uint8_t *)"", 1);
    b->len = len;
}

static void name_remove(struct name *names, size_t *count, const char *text)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(names[i].text, text) == 0)
            names[i--] = names[--*count];
    }
}

static void name_apply(struct name *names, size_t *count, const struct unit *u)
{
    char text[64];

    snprintf(text, sizeof(text), "%.*s", (int)u->len, (const char *)u->bytes);
    name_remove(names, count, text);
    if (u->kind == SHIM_UNLINK)
        return;
    for (size_t i = 0; i < *count; i++) { /* a renamed one leaves its old name */
        if (names[i].file == u->file)
            names[i--] = names[--*count];
    }
    memcpy(names[*count].text, text, sizeof(text));
    names[(*count)++].file = u->file;
}

static bool is_name(const struct unit *u)
{
    return u->kind == SHIM_CREATE || u->kind == SHIM_RENAME || u->kind == SHIM_UNLINK;
}

/* `torn`: only the first bytes reached the disk. */
static void unit_apply(struct bytes *files, const struct unit *u, size_t torn)
{
    size_t len = u->len < torn ? u->len : torn;

    if (u->kind == SHIM_TRUNCATE)
        bytes_truncate(&files[u->file], u->offset);
    else if (!is_name(u))
        bytes_write(&files[u->file], u->offset, u->bytes, len);
}

/* A sync puts what it covers on disk. */
static void disk_settle(struct disk *d, bool (*covered)(const struct unit *u, uint32_t file),
                        uint32_t file)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->unit_count; i++) {
        struct unit *u = &d->units[i];

        if (!covered(u, file))
            d->units[kept++] = *u;
        else if (is_name(u))
            name_apply(d->names, &d->name_count, u);
        else
            unit_apply(d->files, u, SIZE_MAX);
    }
    d->unit_count = kept;
}

static bool by_file(const struct unit *u, uint32_t file)
{
    return !is_name(u) && u->file == file;
}

static bool by_folder(const struct unit *u, uint32_t file)
{
    (void)file;
    return is_name(u);
}

static void unit_add(struct disk *d, struct unit u)
{
    while (u.kind == SHIM_WRITE && u.len) { /* a disk knows no calls, only pages */
        size_t piece = PAGE - u.offset % PAGE;
        struct unit one = u;

        if (piece > u.len)
            piece = u.len;
        one.len = piece;
        assert_true(d->unit_count < UNITS);
        d->units[d->unit_count++] = one;
        u.offset += piece;
        u.bytes += piece;
        u.len -= piece;
    }
    if (u.kind != SHIM_WRITE)
        d->units[d->unit_count++] = u;
}

/* ---- an image ------------------------------------------------------------------------------- */

static const char *image_dir;
static unsigned long images;

static void image_clear(void)
{
    char command[4300];

    snprintf(command, sizeof(command), "rm -rf '%s'/* ", image_dir);
    assert_int_equal(system(command), 0);
}

static char written[NAMES][64];
static size_t written_count;

static void image_remove(const char *name)
{
    char path[4300];

    snprintf(path, sizeof(path), "%s/%s", image_dir, name);
    unlink(path);
    snprintf(path, sizeof(path), "%s/%s-lock", image_dir, name);
    unlink(path);
}

/* Everything that a start may have made, too. */
static void image_empty(void)
{
    char path[64];

    for (size_t i = 0; i < written_count; i++)
        image_remove(written[i]);
    written_count = 0;
    for (unsigned n = 1; n < COMMITS + 4; n++) {
        snprintf(path, sizeof(path), "journal/%010x.mdb", n);
        image_remove(path);
    }
    image_remove("table.mdb");
    image_remove("table.mdb-redo");
}

static void image_write(const struct name *name, const struct bytes *b)
{
    char path[4300];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", image_dir, name->text);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b->at, b->len), b->len);
    close(fd);
    memcpy(written[written_count++], name->text, 64);
}

/* Builds the store as it is if of the units on their way those with keep[i] > 0 arrived, as far as
 * keep[i] bytes. Names change in order: the first that was lost loses those after it. */
static void image_build(const struct disk *d, const size_t *keep)
{
    static struct bytes files[FILES];
    static struct name names[NAMES];
    size_t name_count = d->name_count;
    bool names_on = true;

    image_empty();
    memcpy(names, d->names, sizeof(names));
    for (size_t i = 0; i < d->unit_count; i++) {
        if (is_name(&d->units[i]) && (names_on = names_on && keep[i]))
            name_apply(names, &name_count, &d->units[i]);
    }
    for (size_t n = 0; n < name_count; n++) {
        struct bytes *b = &files[names[n].file];

        b->len = 0;
        if (d->files[names[n].file].len)
            bytes_write(b, 0, d->files[names[n].file].at, d->files[names[n].file].len);
        for (size_t i = 0; i < d->unit_count; i++) {
            if (keep[i] && d->units[i].file == names[n].file)
                unit_apply(files, &d->units[i], keep[i]);
        }
        image_write(&names[n], b);
    }
    images++;
}

/* ---- is all there? -------------------------------------------------------------------------- */

static char complaint[512];

static bool complain(const char *what, enum err err, const char *text)
{
    snprintf(complaint, sizeof(complaint), "%s: %s %s", what, err_name(err), text);
    return false;
}

static bool batches_whole(struct journal *j, const struct disk *d)
{
    uint64_t first = journal_begin(j) >> 24, end = journal_end(j) >> 24, position = 0, at;
    struct journal_reader *r;
    struct record found;
    uint8_t bytes[100];
    bool good = true;
    enum err err;

    if (end - 1 < d->marks[MARK_BATCHES] || end - 1 > d->marks[MARK_BATCHES] + 1)
        return complain("batches", ERR_MISSING, "acknowledged ones are gone, or too many there");
    if (first > (d->begun[MARK_DROPPING] ? d->begun[MARK_DROPPING] : 1))
        return complain("batches", ERR_MISSING, "the journal begins too late");
    if ((err = journal_reader_open(j, &r)))
        return complain("reader", err, "");
    for (uint64_t number = first; good && number < end; number++) {
        for (uint32_t i = 0; good && i < batch_size(number); i++) {
            struct record expected = batch_report(number, i, bytes);

            err = journal_next(r, &position, &at, &found);
            good = !err && at >> 24 == number && span_equal(found.bytes, expected.bytes) &&
                   found.meter == expected.meter;
        }
    }
    if (good)
        good = (err = journal_next(r, &position, &at, &found)) == ERR_NOT_FOUND;
    journal_reader_close(r);
    return good ? true : complain("records", err, "differ from what was written");
}

static bool journal_whole(const struct disk *d, bool use_on)
{
    struct journal_options options = { .segment_bytes = SEGMENT_BYTES };
    struct refusal r = { 0 };
    struct journal *j;
    enum err err =
        journal_open(image_dir, &options, d->marks[MARK_JOURNAL_MADE] ? 0 : DB_CREATE, &j, &r);
    bool good;

    if (err)
        return complain("journal", err, r.text);
    good = batches_whole(j, d);
    if (good && use_on) { /* the next batch finds its place */
        struct batch *b;
        uint64_t number = journal_end(j) >> 24, given;
        struct disk after = { .marks = { [MARK_BATCHES] = number },
                              .begun = { [MARK_DROPPING] = COMMITS } };

        assert_ok(batch_new(&b));
        assert_ok(batch_fill(b, number));
        if ((err = journal_commit(j, (struct batch *const[]){ b }, 1, &given)) || given != number)
            good = complain("commit after the start", err, "");
        batch_free(b);
        good = good && batches_whole(j, &after);
    }
    journal_close(j);
    return good;
}

static bool rows_whole(struct txn *t, uint64_t commit)
{
    uint32_t lengths[ROWS];
    uint8_t expected[8192];
    uint64_t count = 0;
    struct span value;
    struct key k;

    table_model(commit, lengths);
    for (uint64_t row = 0; row < ROWS; row++) {
        key_clear(&k);
        key_u64(&k, row);
        if (txn_get(t, 0, key_span(&k), &value) != (lengths[row] != 0))
            return complain("table", t->err, "a row too many or too few");
        if (lengths[row] && !span_equal(value, row_value(row, lengths[row], expected)))
            return complain("table", t->err, "a row of another commit");
        count += lengths[row] != 0;
    }
    return txn_count(t, 0) == count ? true : complain("table", t->err, "it has other rows");
}

static bool table_whole(const struct disk *d)
{
    struct refusal r = { 0 };
    struct span value;
    uint64_t commit = 0;
    char path[4300];
    struct db *db;
    struct txn t;
    enum err err;
    bool good;

    snprintf(path, sizeof(path), "%s/table.mdb", image_dir);
    if ((err = db_open(path, &layout, d->marks[MARK_TABLE_MADE] ? 0 : DB_CREATE, &db, &r)))
        return complain("table", err, r.text);
    t = txn_begin(db, TXN_READ);
    if (txn_get(&t, 1, span_text("commit"), &value))
        memcpy(&commit, value.at, sizeof(commit));
    good = !t.err && commit >= d->marks[MARK_TABLE] && commit <= d->marks[MARK_TABLE] + 1
               ? rows_whole(&t, commit)
               : complain("table", t.err, "commit");
    txn_abort(&t);
    db_close(db);
    return good;
}

static void judge(const struct disk *d, const size_t *keep, const char *how, size_t which)
{
    image_build(d, keep);
    if (!journal_whole(d, images % 16 == 0) || !table_whole(d))
        fail_msg("after batch %llu, table commit %llu, %zu units on their way, %s %zu: %s",
                 (unsigned long long)d->marks[MARK_BATCHES],
                 (unsigned long long)d->marks[MARK_TABLE], d->unit_count, how, which, complaint);
}

/* ---- every cut ------------------------------------------------------------------------------ */

struct effort {
    struct check_random random;
    unsigned subsets;
    time_t until;
    unsigned reduced; /* syncs that got fewer subsets, or none */
};

static bool all_subsets_fit(const struct disk *d, const struct effort *e)
{
    return d->unit_count < 16 && 1u << d->unit_count <= e->subsets;
}

static void judge_subsets(const struct disk *d, struct effort *e)
{
    static size_t keep[UNITS];
    bool all = all_subsets_fit(d, e);
    unsigned count = all ? 1u << d->unit_count : e->subsets;

    if (e->until && time(NULL) > e->until)
        count = 0;
    e->reduced += !all && count < FULL_SUBSETS;
    for (unsigned s = 0; s < count; s++) {
        unsigned odds = 1 + (unsigned)check_below(&e->random, 7); /* few or many of them */

        for (size_t i = 0; i < d->unit_count; i++)
            keep[i] = (all ? s >> i & 1 : check_below(&e->random, 8) < odds) ? SIZE_MAX : 0;
        if (!all && d->unit_count && check_below(&e->random, 2)) { /* one write is torn */
            size_t torn = check_below(&e->random, d->unit_count);

            if (d->units[torn].kind == SHIM_WRITE && d->units[torn].len == PAGE)
                keep[torn] = SECTOR * (1 + check_below(&e->random, PAGE / SECTOR - 1));
        }
        judge(d, keep, all ? "subset" : "random subset", s);
    }
}

static void judge_all(const struct disk *d, struct effort *e)
{
    static size_t keep[UNITS];

    for (size_t prefix = 0; prefix <= d->unit_count; prefix++) {
        for (size_t i = 0; i < d->unit_count; i++)
            keep[i] = i < prefix ? SIZE_MAX : 0;
        judge(d, keep, "prefix", prefix);
    }
    for (size_t omitted = 0; omitted + 1 < d->unit_count; omitted++) {
        for (size_t i = 0; i < d->unit_count; i++)
            keep[i] = i != omitted ? SIZE_MAX : 0;
        judge(d, keep, "without", omitted);
    }
    judge_subsets(d, e);
}

static void step(struct disk *d, const struct shim_entry *entry, const uint8_t *bytes,
                 struct effort *e)
{
    struct unit u = { (enum shim_kind)entry->kind, entry->file, entry->offset, entry->len, bytes };

    assert_true(entry->kind == SHIM_MARK || entry->kind == SHIM_SYNC_FOLDER || entry->file < FILES);
    switch (u.kind) {
    case SHIM_MARK:
        if (u.file == MARK_DROPPING)
            d->begun[MARK_DROPPING] = u.offset;
        else
            d->marks[u.file] = u.offset;
        break;
    case SHIM_SYNC:
        judge_all(d, e);
        disk_settle(d, by_file, u.file);
        break;
    case SHIM_SYNC_FOLDER:
        judge_all(d, e);
        disk_settle(d, by_folder, 0);
        break;
    case SHIM_WRITTEN:
        u.kind = SHIM_WRITE;
        unit_add(d, u);
        judge_all(d, e);
        d->unit_count--; /* less than a page: one unit */
        unit_apply(d->files, &u, SIZE_MAX);
        break;
    default:
        unit_add(d, u);
        break;
    }
}

static void run_workload(const char *dir, const char *log)
{
    char journal[4300];
    pid_t child;
    int status;

    snprintf(journal, sizeof(journal), "%s/journal", dir);
    assert_int_equal(mkdir(journal, 0700), 0);
    if ((child = fork()) == 0) {
        setenv("LD_PRELOAD", NILO_BUILD_DIR "/libnilo_shim.so", 1);
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
        setenv("NILO_SHIM_DIR", dir, 1);
        setenv("NILO_SHIM_LOG", log, 1);
        execl("/proc/self/exe", "test_powercut", "--work", dir, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void all_that_was_acknowledged_outlives_the_power(void **state)
{
    static struct disk d;
    const char *full = getenv("FULL"), *dir = check_folder();
    struct effort e = { .random = check_random_begin(),
                        .subsets = full ? FULL_SUBSETS : QUICK_SUBSETS,
                        .until = full ? 0 : time(NULL) + QUICK_SECONDS };
    char log[4300], journal[4300];
    struct span entries;
    size_t at = 0;

    (void)state;
    snprintf(log, sizeof(log), "%s/log", check_folder());
    run_workload(dir, log);
    image_dir = check_folder();
    image_clear();
    snprintf(journal, sizeof(journal), "%s/journal", image_dir);
    assert_int_equal(mkdir(journal, 0700), 0);
    entries = check_read(log);
    while (at < entries.len) {
        struct shim_entry entry;

        memcpy(&entry, entries.at + at, sizeof(entry));
        step(&d, &entry, entries.at + at + sizeof(entry), &e);
        at += sizeof(entry) + entry.len;
    }
    judge_all(&d, &e);
    assert_int_equal(d.marks[MARK_BATCHES], COMMITS);
    print_message("%lu stores after a power cut were looked at\n", images);
    if (e.reduced)
        print_message("note: %u syncs had more than %u subsets and got that many, or none after %u "
                      "s; FULL=1 tries %u for each\n",
                      e.reduced, QUICK_SUBSETS, QUICK_SECONDS, FULL_SUBSETS);
    free((void *)entries.at);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests_[] = {
        cmocka_unit_test(all_that_was_acknowledged_outlives_the_power),
    };

    if (argc == 3 && strcmp(argv[1], "--work") == 0)
        return work(argv[2]);
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return check_run(tests_, argc, argv);
}
