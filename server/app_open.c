#include "server/app_open.h"

#include "server/check_rules.h"
#include "server/commands.h"
#include "server/cycles.h"
#include "server/drought.h"
#include "server/field_list.h"
#include "server/figures.h"
#include "server/hearing.h"
#include "server/hooks.h"
#include "server/judge.h"
#include "server/lives.h"
#include "server/lore.h"
#include "server/lulls.h"
#include "server/notices.h"
#include "server/outages.h"
#include "server/peers.h"
#include "server/points.h"
#include "server/readings.h"
#include "server/registers.h"
#include "server/replacements.h"
#include "server/replay.h"
#include "server/settler.h"
#include "server/survey.h"
#include "server/uplink.h"
#include "server/zonefile.h"
#include "storage/rowset.h"
#include "storage/store.h"

#include <stdio.h>
#include <stdlib.h>

#define STAGED_MAX 256     /* imports that a crash can have left: one worker makes one at a time */
#define TAIL_SLICE 4096    /* entries told to the tail at once */
#define HOLIDAYS_MAX 65536 /* bytes of a file of holidays */

/* ---- what the data are judged by ---- */

/* The whole file into `room`, which has a byte more than it may have. */
static enum err file_load(const char *path, const char *option, char *room, size_t most,
                          struct span *out, struct refusal *r)
{
    FILE *f = fopen(path, "rb");
    size_t len;
    bool whole;

    if (!f)
        return refuse(r, ERR_NOT_FOUND, 0, option, "%.120s: cannot be read", path);
    len = fread(room, 1, most + 1, f);
    whole = !ferror(f);
    fclose(f);
    if (!whole)
        return refuse(r, ERR_IO, 0, option, "%.120s: cannot be read", path);
    if (len > most)
        return refuse(r, ERR_TOO_LARGE, 0, option, "%.120s: is larger than %zu bytes", path, most);
    *out = span_of(room, len);
    return ERR_OK;
}

static enum err holidays_load(const char *path, struct holidays *out, struct refusal *r)
{
    static char bytes[HOLIDAYS_MAX + 1];
    struct span text = { 0 };
    enum err err;

    if (!path) {
        holidays_builtin(out);
        return ERR_OK;
    }
    err = file_load(path, "holidays", bytes, HOLIDAYS_MAX, &text, r);
    return err ? err : holidays_read(out, text, r);
}

static enum err verify_rules_load(const char *path, struct verify_rules *out, struct refusal *r)
{
    static char bytes[VERIFY_RULES_BYTES + 1];
    struct refusal why = { 0 };
    struct span text = { 0 };
    enum err err;

    if (!path) {
        verify_rules_builtin(out);
        return ERR_OK;
    }
    if ((err = file_load(path, "verification-rules", bytes, VERIFY_RULES_BYTES, &text, r)))
        return err;
    if ((err = verify_rules_read(out, text, &why)))
        return refuse(r, err, why.offset, "verification-rules", "%.60s: %s", path, why.text);
    return ERR_OK;
}

static enum err fleet_rules_load(const char *path, struct fleet_rules *out, struct refusal *r)
{
    static char bytes[DEFAULTS_BYTES + 1];
    struct refusal why = { 0 };
    struct span text = { 0 };
    enum err err;

    if (!path) {
        fleet_rules_builtin(out);
        return ERR_OK;
    }
    if ((err = file_load(path, "fleet-rules", bytes, DEFAULTS_BYTES, &text, r)))
        return err;
    if ((err = fleet_rules_read(out, text, &why)))
        return refuse(r, err, why.offset, "fleet-rules", "%.60s: %s", path, why.text);
    return ERR_OK;
}

static enum err order_rules_load(const char *path, struct order_rules *out, struct refusal *r)
{
    static char bytes[ORDER_RULES_BYTES + 1];
    struct refusal why = { 0 };
    struct span text = { 0 };
    enum err err;

    if (!path) {
        order_rules_builtin(out);
        return ERR_OK;
    }
    if ((err = file_load(path, "order-rules", bytes, ORDER_RULES_BYTES, &text, r)))
        return err;
    if ((err = order_rules_read(out, text, &why)))
        return refuse(r, err, why.offset, "order-rules", "%.60s: %s", path, why.text);
    return ERR_OK;
}

/* ---- after a crash ---- */

/* What is made visible here was judged by nobody, whatever the views say. */
static enum err import_seal(struct app *app, uint32_t tag)
{
    enum err err = archive_seal(app->archive, tag);
    struct txn t;

    if (err)
        return err;
    t = views_write(app->views);
    judge_unmark(&t);
    return txn_end(&t);
}

static enum err imports_finish(struct app *app)
{
    uint32_t tags[STAGED_MAX];
    size_t count = archive_staged(app->archive, tags, STAGED_MAX);
    struct txn t = ledger_read(app->ledger);
    enum err err = ERR_OK, ended;

    for (size_t i = 0; i < count && i < STAGED_MAX && !err; i++)
        err = ledger_import_complete(&t, tags[i]) ? import_seal(app, tags[i])
                                                  : archive_discard(app->archive, tags[i]);
    ended = txn_end(&t);
    return err ? err : ended;
}

/* Entries on their way into the tail, or meters on their way to the judge. */
struct scanned {
    struct app *app;
    struct tail_entry entries[TAIL_SLICE];
    size_t count;
    enum err (*flush)(struct scanned *s);
    bool recount; /* what waits was admitted by an earlier process */
};

static enum err flush_to_tail(struct scanned *s)
{
    enum err err = tail_add(s->app->tail, s->entries, s->count);

    s->count = 0;
    return err;
}

static enum err flush_to_judge(struct scanned *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->entries[i].meter)
            settler_touch(s->app->settler, s->entries[i].meter);
    s->count = 0;
    return ERR_OK;
}

static enum err scanned_add(struct scanned *s, uint32_t meter, uint64_t position)
{
    enum err err;

    if (s->count == TAIL_SLICE && (err = s->flush(s)))
        return err;
    s->entries[s->count++] = (struct tail_entry){ .meter = meter, .position = position };
    return ERR_OK;
}

static enum err scan_record(struct scanned *s, const struct record *record, uint64_t position)
{
    struct rows rows = { 0 };
    struct rd r = rd_of(record->bytes);
    uint32_t meter;
    enum channel c;
    enum err err;

    if (s->recount && record->kind == RECORD_FRAME && record->meter == 0 &&
        (err = quarantine_recount(s->app->quarantine, position, &record->peer, record->bytes.len)))
        return err;
    if (record->kind != RECORD_ROWS)
        return scanned_add(s, record->kind == RECORD_FRAME ? record->meter : 0, position);
    if (record->import_id)
        return ERR_OK; /* goes its own way: staged runs */
    while (!(err = rowset_next(&r, &meter, &c, &rows)))
        if ((err = scanned_add(s, meter, position)))
            break;
    rows_done(&rows);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* A start that cannot read a part of the store says which file it is. */
static enum err part_refused(struct app *app, enum err err, const char *file, struct refusal *r)
{
    if (r->text[0])
        return err;
    return refuse(r, err, 0, "", "%.160s/%s: %s%s", app->store, file, err_text(err),
                  err == ERR_CORRUPT ? "; run 'nilo store check', restore from a backup" : "");
}

static enum err scan_refused(struct app *app, enum err err, uint64_t position, struct refusal *r)
{
    char path[4200];

    journal_file(app->journal, position, path, sizeof path);
    return refuse(r, err, 0, "", "%.200s: %s; run 'nilo store check', restore from a backup", path,
                  err_text(err));
}

static enum err scan_journal(struct app *app, uint64_t from, uint64_t to,
                             enum err (*flush)(struct scanned *), struct refusal *r)
{
    struct scanned *s = (struct scanned *)calloc(1, sizeof *s);
    struct journal_reader *reader = NULL;
    struct record record;
    uint64_t at;
    unsigned since_renew = 0;
    enum err err;

    if (!s)
        return ERR_NO_MEMORY;
    s->app = app;
    s->flush = flush;
    s->recount = flush == flush_to_tail;
    err = journal_reader_open(app->journal, &reader);
    while (!err && !(err = journal_next(reader, &from, &at, &record)) && at < to) {
        err = scan_record(s, &record, at);
        if (++since_renew % 65536 == 0)
            journal_reader_renew(reader);
    }
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (err == ERR_CORRUPT)
        scan_refused(app, err, from, r);
    if (!err)
        err = flush(s);
    journal_reader_close(reader);
    free(s);
    return err;
}

static enum err tail_load(struct app *app, struct refusal *r)
{
    uint64_t settled = archive_settled(app->archive), begin = journal_begin(app->journal);

    return scan_journal(app, settled > begin ? settled : begin, UINT64_MAX, flush_to_tail, r);
}

/* Acts that the views do not know yet. */
struct unjudged {
    struct app *app;
    struct txn *ledger;
    bool everyone; /* an act that stands for many rows does not name them */
    enum err err;
};

static void touch_point(struct unjudged *u, struct span name)
{
    struct point_facts point;
    struct fittings fittings;

    if (point_facts_by_name(u->ledger, name, &point))
        return;
    u->err = fittings_load(u->ledger, true, point.id, &fittings);
    for (size_t i = 0; i < fittings.count && !u->err; i++)
        settler_touch(u->app->settler, fittings.at[i].meter);
    fittings_done(&fittings);
}

/* The subject is a row's key: its texts, each ended by 0x00 where there are several. What names a
 * meter or a point touches it. */
static bool touch_subject(void *arg, const struct audit_record *record)
{
    struct unjudged *u = (struct unjudged *)arg;
    struct rd r = rd_of(record->subject);
    bool import = span_ends(record->what, ".import") ||
                  span_equal(record->what, span_text("import.complete"));

    u->everyone = u->everyone || import;
    while (rd_left(&r) && !u->everyone && !u->err) {
        const uint8_t *end = (const uint8_t *)memchr(r.at, 0, rd_left(&r));
        struct span name = rd_bytes(&r, end ? (size_t)(end - r.at) : rd_left(&r));
        uint32_t meter = registry_find(u->app->registry, name);

        if (end)
            rd_u8(&r);
        if (meter)
            settler_touch_behind(u->app->settler, meter);
        touch_point(u, name);
    }
    return !u->everyone && !u->err;
}

static enum err touch_unjudged(struct app *app, uint64_t acts)
{
    struct txn t = ledger_read(app->ledger);
    struct unjudged u = { .app = app, .ledger = &t };
    enum err err = ERR_OK, ended;

    if (acts < ledger_end(&t))
        err = ledger_audit(&t, acts + 1, touch_subject, &u);
    if (!err)
        err = u.err;
    ended = txn_end(&t);
    for (uint32_t meter = 1; u.everyone && meter <= registry_count(app->registry); meter++)
        settler_touch(app->settler, meter);
    return err ? err : ended;
}

/* What was settled or recorded, and not judged before the end of the earlier process. */
static enum err judge_left(struct app *app, struct refusal *r)
{
    struct txn v = views_read(app->views);
    uint64_t folded = views_folded(&v), acts = views_acts(&v);
    uint64_t settled = archive_settled(app->archive), begin = journal_begin(app->journal);
    enum err err = txn_end(&v);

    if (err)
        return err;
    if (folded < settled &&
        (err = scan_journal(app, folded > begin ? folded : begin, settled, flush_to_judge, r)))
        return err;
    return touch_unjudged(app, acts);
}

/* ---- all together ---- */

/* DIR/store is written when all parts are made, and nothing comes in before: one that has something
 * and not that file has lost it, and with it its version. */
static enum err never_used(struct app *app, struct refusal *r)
{
    struct txn t = ledger_read(app->ledger);
    bool used = ledger_end(&t) > 0 || journal_end(app->journal) > journal_begin(app->journal);
    enum err err = txn_end(&t);

    if (err)
        return err;
    return used ? refuse(r, ERR_NOT_FOUND, 0, "", "%.200s/store: is missing; restore from a backup",
                         app->store)
                : ERR_OK;
}

static enum err open_parts(struct app *app, const struct app_options *o, struct refusal *r)
{
    unsigned flags = store_db_flags(app->lock);
    struct journal_options journal = { .segment_bytes = o->segment_bytes };
    struct quarantine_limits limits = { .frames = o->quarantine_frames,
                                        .source_frames = o->quarantine_source_frames };
    enum err err;

    if ((err = journal_open(app->store, &journal, flags, &app->journal, r)) ||
        (err = quarantine_open(app->store, &limits, flags, &app->quarantine, r)) ||
        (err = archive_open(app->store, flags, &app->archive, r)) ||
        (err = journal_reaches(app->journal, archive_settled(app->archive), r)) ||
        (err = ledger_open(app->store, flags, &app->ledger, r)) ||
        (err = views_open(app->store, DB_CREATE, &app->views, r)))
        return err;
    if (store_db_flags(app->lock) && (err = never_used(app, r)))
        return err;
    return store_made(app->lock, r);
}

static enum err fill_memory(struct app *app, const struct app_options *o, struct refusal *r)
{
    enum err err;

    if ((err = tail_new(&app->tail)) || (err = registry_new(&app->registry)) ||
        (err = registry_load(app->registry, app->ledger, LIST_METER, &meter_cells)))
        return part_refused(app, err, "ledger.mdb", r);
    if ((err = lore_open(app, o->store_key_file, r)))
        return part_refused(app, err, "ledger.mdb", r);
    if ((err = imports_finish(app)))
        return part_refused(app, err, "archive.mdb", r);
    if ((err = lives_convert(app)) || (err = lives_reindex(app)) || (err = points_reindex(app)) ||
        (err = cycles_tidy(app)))
        return part_refused(app, err, "ledger.mdb", r);
    if ((err = tail_load(app, r)))
        return part_refused(app, err, "journal", r);
    return ERR_OK;
}

enum err app_open_store(struct app *app, const struct app_options *o, struct refusal *r)
{
    enum err err;

    if (strlen(o->dir) >= sizeof app->store)
        return refuse(r, ERR_INVALID, 0, "store", "--store: a path of at most %zu bytes is taken",
                      sizeof app->store - 1);
    snprintf(app->store, sizeof app->store, "%s", o->dir);
    app->started_ms = clock_monotonic_ms();
    app->retention_days = o->retention_days;
    app->session_hours = o->session_hours ? o->session_hours : SESSION_HOURS;
    verify_rules_builtin(&app->verify_rules);
    if ((err = zone_load(o->tz, &app->zone, r)) ||
        (err = holidays_load(o->holidays, &app->holidays, r)) ||
        (err = verify_rules_load(o->verification_rules, &app->verify_rules, r)) ||
        (err = fleet_rules_load(o->fleet_rules, &app->fleet_rules, r)) ||
        (err = order_rules_load(o->order_rules, &app->order_rules, r)) ||
        (err = rules_shelf_open(&app->rules)) ||
        (err = store_lock_take(app->store, &app->lock, r)) || (err = open_parts(app, o, r)))
        return err;
    return fill_memory(app, o, r);
}

enum err app_open_ledger(struct app *app, const struct app_options *o, struct refusal *r)
{
    enum err err;

    verify_rules_builtin(&app->verify_rules);
    if ((err = zone_load(o->tz, &app->zone, r)) ||
        (err = verify_rules_load(o->verification_rules, &app->verify_rules, r)))
        return err;
    return ledger_open(o->dir, DB_READ_ONLY, &app->ledger, r);
}

enum err app_start(struct app *app, const struct app_options *o, struct refusal *r)
{
    struct ingest_parts parts = { .journal = app->journal,
                                  .tail = app->tail,
                                  .registry = app->registry,
                                  .lore = &app->lore,
                                  .formats = app->formats,
                                  .quarantine = app->quarantine };
    const struct notices_options notices = { .on = o->notices.on,
                                             .dir = o->notices.dir,
                                             .rules = o->notices.rules };
    enum err err;

    if ((err = lore_start(app)) || (err = ingest_open(&parts, &app->ingest)) ||
        (err = uplink_open(app, &app->uplink)) || (err = surveys_new(&app->surveys)) ||
        (err = figures_kept_new(&app->figures)) || (err = replays_open(app, &app->replays)) ||
        (err = commands_open(app, !o->history_off, &app->commands)) ||
        (err = hooks_open(app, &app->hooks, r)) ||
        (err = notices_open(app, &notices, &app->notices, r)) ||
        (err = fields_kept_new(&app->fields_kept)) || (err = rankings_open(&app->rankings)) ||
        (err = rankings_start(app)) || (err = hearing_open(app, &app->hearing)) ||
        (err = drought_open(app, &app->drought)) || (err = lulls_open(app, &app->lulls)) ||
        (err = fleet_peers_open(app, &app->peers)) ||
        (err = settler_open(app, o->settle_every_s, &app->settler)) || (err = judge_left(app, r)) ||
        (err = settler_start(app->settler)) || (err = commands_start(app->commands)) ||
        (err = notices_start(app->notices)) ||
        (o->figures_close_day &&
         (err = figures_keeper_start(app, (int32_t)o->figures_close_day, &app->figures_keeper))))
        return r->text[0]
                   ? err
                   : refuse(r, err, 0, "", "%.200s: the store %s", app->store, err_text(err));
    return ERR_OK;
}

void app_stop(struct app *app)
{
    replays_close(app->replays); /* before what it reads goes */
    app->replays = NULL;
    figures_keeper_close(app->figures_keeper); /* waits for the settler */
    app->figures_keeper = NULL;
    hooks_close(app->hooks);
    app->hooks = NULL;
    uplink_close(app->uplink);
    app->uplink = NULL;
    settler_close(app->settler); /* lets frames go that waited: by way of the commit thread */
    app->settler = NULL;
    notices_close(app->notices);
    app->notices = NULL;
    ingest_close(app->ingest);
    app->ingest = NULL;
    commands_close(app->commands);
    app->commands = NULL;
    surveys_free(app->surveys);
    app->surveys = NULL;
    figures_kept_free(app->figures);
    app->figures = NULL;
    rankings_close(app->rankings);
    app->rankings = NULL;
    fields_kept_free(app->fields_kept);
    app->fields_kept = NULL;
}

void app_close_store(struct app *app)
{
    lore_close(app);
    registry_free(app->registry);
    tail_free(app->tail);
    views_close(app->views);
    lulls_close(app->lulls);
    app->lulls = NULL;
    drought_close(app->drought);
    app->drought = NULL;
    fleet_peers_close(app->peers);
    app->peers = NULL;
    hearing_close(app->hearing);
    app->hearing = NULL;
    outages_free(app->outages);
    app->outages = NULL;
    rules_shelf_close(app->rules);
    app->rules = NULL;
    ledger_close(app->ledger);
    archive_close(app->archive);
    quarantine_close(app->quarantine);
    journal_close(app->journal);
    store_lock_release(app->lock);
}
