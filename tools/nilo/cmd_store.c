/* nilo store: looking after a store where it lies.  check, stat and backup may run beside nilod;
 * rebuild and restore need it stopped. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/adjust.h"
#include "server/app_open.h"
#include "server/indexes_check.h"
#include "server/judge.h"
#include "server/redecode.h"
#include "server/registers.h"
#include "storage/store.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/progress.h"
#include "tools/nilo/sheet.h"

static int failed(const char *dir, enum err err, const struct refusal *r)
{
    if (r->text[0])
        say("%s", r->text);
    else
        say("the store %s %s", dir, err_text(err));
    return EXIT_FAILED;
}

/* Prints an object and lets go of it. */
static int print(const struct args *a, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    enum format format;
    int code = EXIT_FAILED;

    if (!text)
        say("no memory is left");
    else if (!format_read(a, &format))
        code = EXIT_USAGE;
    else {
        sheet_object(object, text, format, stdout);
        code = EXIT_DONE;
    }
    free(text);
    json_decref(object);
    return code;
}

#define INT(value) ((json_int_t)(value))

/* Indexes against rows and lives. */
static enum err check_indexes(const struct args *a, struct indexes_checked *out, struct refusal *r)
{
    const char *tz = args_option(a, "tz");
    const struct app_options o = { .dir = args_option(a, "store"),
                                   .tz = tz ? tz : "Asia/Shanghai",
                                   .verification_rules = args_option(a, "verification-rules") };
    struct app *app = calloc(1, sizeof *app);
    enum err err = app ? app_open_ledger(app, &o, r) : ERR_NO_MEMORY;

    if (!err)
        err = indexes_check(app, out, r);
    if (app)
        ledger_close(app->ledger);
    free(app);
    return err;
}

int cmd_store_check(const struct args *a)
{
    const char *dir = args_option(a, "store");
    struct indexes_checked indexes = { 0 };
    struct store_counts n = { 0 };
    struct refusal r = { 0 };
    struct store_keys keys = { 0 };
    enum err err = store_check(dir, &n, &r);

    if (err || (err = store_keys_check(dir, args_option(a, "store-key-file"), &keys, &r)) ||
        (err = check_indexes(a, &indexes, &r)))
        return failed(dir, err, &r);
    if (!indexes.lives)
        say("the indexes of meters' lives were not held against these: they were made by another "
            "verification table or time zone; give them with --verification-rules and --tz");
    if (keys.count && !keys.at_hand)
        say("the keys of meters were not opened: the store key is not at hand; give it with "
            "--store-key-file");
    return print(a, json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sound", 1,
                              "keys", INT(keys.count), "index_keys", INT(indexes.keys), "batches",
                              INT(n.batches), "records", INT(n.records), "settled_readings",
                              INT(n.readings), "ledger_rows", INT(n.ledger_rows), "view_rows",
                              INT(n.view_rows), "quarantined", INT(n.quarantined), "photos",
                              INT(n.photos), "bytes", INT(n.bytes)));
}

/* ---- stat ---- */

struct parts {
    struct journal *journal;
    struct archive *archive;
    struct ledger *ledger;
};

static enum err open_parts(struct parts *p, const char *dir, struct refusal *r)
{
    static const struct journal_options as_it_is = { 0 };
    enum err err;

    if ((err = journal_open(dir, &as_it_is, DB_READ_ONLY, &p->journal, r)) ||
        (err = archive_open(dir, DB_READ_ONLY, &p->archive, r)))
        return err;
    return ledger_open(dir, DB_READ_ONLY, &p->ledger, r);
}

static json_t *stat_of(struct parts *p, enum err *out_err)
{
    struct archive_stat archive = { 0 };
    json_t *object = json_object();
    struct txn t;

    *out_err = archive_stat(p->archive, &archive);
    json_object_set_new(object, "journal_bytes", json_integer(INT(journal_bytes(p->journal))));
    json_object_set_new(
        object, "unsettled_batches",
        json_integer(INT((journal_end(p->journal) - archive_settled(p->archive)) >> 24)));
    json_object_set_new(object, "settled_readings", json_integer(INT(archive.rows)));
    json_object_set_new(object, "archive_bytes", json_integer(INT(archive.file_bytes)));
    json_object_set_new(object, "archive_used_bytes", json_integer(INT(archive.used_bytes)));
    json_object_set_new(object, "archive_block_bytes", json_integer(INT(archive.block_bytes)));
    json_object_set_new(object, "archive_runs", json_integer(INT(archive.runs)));
    t = ledger_read(p->ledger);
    for (int i = 0; i < LIST_COUNT; i++)
        json_object_set_new(object, list_of((enum list_kind)i)->plural,
                            json_integer(INT(ledger_last_id(&t, (unsigned)i))));
    json_object_set_new(object, "acts", json_integer(INT(ledger_end(&t))));
    json_object_set_new(object, "ledger_bytes", json_integer(INT(ledger_bytes(p->ledger))));
    json_object_set_new(object, "ledger_free_bytes", json_integer(INT(txn_free_bytes(&t))));
    json_object_set_new(object, "ledger_audit_bytes", json_integer(INT(ledger_audit_bytes(&t))));
    if (!*out_err)
        *out_err = txn_end(&t);
    return object;
}

int cmd_store_stat(const struct args *a)
{
    const char *dir = args_option(a, "store");
    struct parts p = { 0 };
    struct refusal r = { 0 };
    enum err err = open_parts(&p, dir, &r);
    json_t *object = err ? NULL : stat_of(&p, &err);
    int code;

    ledger_close(p.ledger);
    archive_close(p.archive);
    journal_close(p.journal);
    if (!err)
        return print(a, object);
    code = failed(dir, err, &r);
    json_decref(object);
    return code;
}

/* ---- rebuild ---- */

static bool count_flag(void *arg, const struct flag *f)
{
    uint64_t *states = arg;

    states[f->state]++;
    return true;
}

/* The clock stands where it is said, else it is now: what is silent or overdue follows from it. */
static bool set_clock(const struct args *a, struct app *app)
{
    const char *text = args_option(a, "virtual-clock");
    int64_t at_s;

    clock_real(&app->clock);
    if (!text)
        return true;
    if (text_time(span_text(text), NULL, &at_s)) {
        say("--virtual-clock: expected a time such as 2026-03-01T00:00:00Z, found '%s'", text);
        return false;
    }
    clock_virtual(&app->clock, at_s);
    return true;
}

static enum err remove_views(const char *dir, struct refusal *r)
{
    static const char *const names[] = { "views.mdb", "views.mdb-lock" };
    char path[1024];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (unlink(path) && errno != ENOENT)
            return refuse(r, ERR_IO, 0, "", "%.150s cannot be removed: %m", path);
    }
    return ERR_OK;
}

#define DIFFERENCES_SHOWN 20 /* on standard error; a file takes all */

struct differences {
    FILE *file; /* or NULL */
    uint64_t shown;
    struct progress progress;
};

static void show_difference(void *arg, const struct redecode_change *change)
{
    struct differences *d = arg;
    char time[TEXT_TIME_SIZE], litres[TEXT_LITRES_SIZE];
    const char *what = change->added ? "added" : "removed";

    text_put_time(time, change->row.time_s);
    text_put_litres(litres, change->row.value);
    if (d->file)
        fprintf(d->file, "%s,%s,%s,%s,%s\n", change->serial, channel_name(change->channel), time,
                litres, what);
    if (d->shown++ < DIFFERENCES_SHOWN)
        say("difference: %s %s at %s: %s L would be %s", change->serial,
            channel_name(change->channel), time, litres, what);
}

static void show_progress(void *arg, uint64_t done, uint64_t all)
{
    struct differences *d = arg;

    d->progress.total = all;
    progress_at(&d->progress, done);
}

static enum err open_differences(const char *path, struct differences *d, struct refusal *r)
{
    d->progress = progress_begin("reading the journal again", 0);
    if (!path)
        return ERR_OK;
    if (!(d->file =
              fopen(path, "wx"))) /* never over what is there: it might be a part of the store */
        return refuse(r, errno == EEXIST ? ERR_EXISTS : ERR_IO, 0, "",
                      "%.150s cannot be made for the difference: %m", path);
    fputs("serial,channel,time,index_l,change\n", d->file);
    return ERR_OK;
}

static enum err close_differences(struct differences *d, enum err err, struct refusal *r)
{
    progress_end(&d->progress);
    if (d->shown > DIFFERENCES_SHOWN)
        say("and %" PRIu64 " more; --difference FILE takes them all", d->shown - DIFFERENCES_SHOWN);
    if (d->file && (ferror(d->file) | fclose(d->file)) && !err)
        return refuse(r, ERR_IO, 0, "", "the file of --difference cannot be written: %m");
    return err;
}

static enum err read_again(const struct args *a, struct app *app, struct redecode_report *out,
                           struct refusal *r)
{
    struct differences d = { 0 };
    const struct redecode_options options = { .accept = args_option(a, "accept"),
                                              .each = show_difference,
                                              .progress = show_progress,
                                              .arg = &d };
    enum err err = open_differences(args_option(a, "difference"), &d, r);

    if (!err)
        err = redecode(app, &options, out);
    err = close_differences(&d, err, r);
    if (!err && d.shown && !options.accept)
        say("the settled readings were left as they are; --accept takes the difference over");
    return err;
}

struct rebuilt {
    uint64_t states[FLAG_STATES];
    struct redecode_report again;
};

static enum err rebuild(const struct args *a, struct app *app, const struct app_options *o,
                        struct rebuilt *out, struct refusal *r)
{
    static const struct flag_filter every = { 0 };
    struct store_lock *lock = NULL;
    enum err err;

    /* The lock first: the views of a running nilod are not ours to remove. */
    if ((err = store_lock_take(o->dir, &lock, r)))
        return err;
    err = remove_views(o->dir, r);
    store_lock_release(lock);
    if (err || (err = app_open_store(app, o, r)) || (err = read_again(a, app, &out->again, r)) ||
        (args_option(a, "accept") && (err = adjust_all(app))) || (err = judge_rebuild(app)))
        return err;
    return flags_each(app, &every, count_flag, out->states);
}

static json_t *rebuilt_json(const struct args *a, const struct rebuilt *b, uint32_t meters,
                            int64_t ms)
{
    const struct redecode_report *again = &b->again;
    json_t *object =
        json_pack("{s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "meters", INT(meters), "seconds",
                  (double)ms / 1000, "records_read_again", INT(again->records), "unreadable",
                  INT(again->unreadable), "meters_that_differ", INT(again->meters),
                  "readings_added", INT(again->added), "readings_removed", INT(again->removed),
                  "journal_whole", again->whole, "accepted", args_option(a, "accept") != NULL);

    for (int i = 0; i < FLAG_STATES; i++) {
        char name[32];

        snprintf(name, sizeof name, "flags_%s", flag_state_name((enum flag_state)i));
        json_object_set_new(object, name, json_integer(INT(b->states[i])));
    }
    return object;
}

int cmd_store_rebuild(const struct args *a)
{
    static struct app app;
    const char *tz = args_option(a, "tz");
    struct app_options o = { .dir = args_option(a, "store"),
                             .tz = tz ? tz : "Asia/Shanghai",
                             .holidays = args_option(a, "holidays"),
                             .store_key_file = args_option(a, "store-key-file") };
    struct rebuilt rebuilt = { 0 };
    struct refusal r = { 0 };
    int64_t begun_ms = clock_monotonic_ms();
    uint32_t meters;
    enum err err;

    if (!set_clock(a, &app))
        return EXIT_USAGE;
    if (args_option(a, "accept") && !tz) {
        say("--accept needs --tz, as nilod has it: meters that tell local time are read in it");
        return EXIT_USAGE;
    }
    err = access(o.dir, F_OK) ? refuse(&r, ERR_NOT_FOUND, 0, "", "there is no store %.150s", o.dir)
                              : rebuild(a, &app, &o, &rebuilt, &r);
    meters = app.registry ? registry_count(app.registry) : 0;
    app_close_store(&app);
    if (err)
        return failed(o.dir, err, &r);
    return print(a, rebuilt_json(a, &rebuilt, meters, clock_monotonic_ms() - begun_ms));
}

/* ---- copies ---- */

/* Whoever has copy and key has the keys of all meters; who has the copy alone has none. */
static int say_of_key(const char *copy)
{
    struct store_keys keys;
    struct refusal r = { 0 };
    char path[4200];
    bool own;

    snprintf(path, sizeof path, "%s/store.key", copy);
    own = access(path, F_OK) == 0;
    if (store_keys_check(copy, own ? path : NULL, &keys, &r))
        return failed(copy, r.err, &r);
    if (own)
        say("%s holds the store key, too (store.key): whoever has both has the keys of meters",
            copy);
    else if (keys.count)
        say("the store key lies elsewhere and is not in %s: without it %" PRIu64
            " keys of meters are lost; keep a copy of it apart",
            copy, keys.count);
    return EXIT_DONE;
}

int cmd_store_backup(const struct args *a)
{
    const char *dir = args_option(a, "store");
    struct refusal r = { 0 };
    enum err err = store_backup(dir, args_option(a, "to"), &r);

    return err ? failed(dir, err, &r) : say_of_key(args_option(a, "to"));
}

int cmd_store_restore(const struct args *a)
{
    const char *dir = args_option(a, "store");
    struct refusal r = { 0 };
    enum err err = store_restore(args_option(a, "from"), dir, &r);

    return err ? failed(dir, err, &r) : say_of_key(dir);
}
