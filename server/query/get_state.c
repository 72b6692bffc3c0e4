/* What the server is and holds: its clock, counts, metrics, and whether it is well. */
#include "proto/base/limits.h"
#include "server/commands.h"
#include "server/metrics.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "storage/journal.h"
#include "storage/quarantine.h"
#include "storage/tail.h"

#include <sys/statvfs.h>

#define FREE_LEAST LIMIT_BATCH_BYTES /* with less room a commit may fail at any time */

void answer_clock(struct request *q)
{
    struct out *o = &q->out;

    q->status = 200;
    out_text(o, "{");
    out_member_time(o, "now", clock_now_s(&q->app->clock));
    out_member_bool(o, "virtual", q->app->clock.is_virtual);
    out_member_text(o, "tz", q->app->zone.name);
    out_text(o, "}\n");
}

static uint64_t bytes_free(const struct app *app)
{
    struct statvfs s;

    return statvfs(app->store, &s) ? UINT64_MAX : (uint64_t)s.f_bavail * s.f_frsize;
}

/* Journal batches that are not in the archive yet. */
static uint64_t lag_of(const struct app *app)
{
    uint64_t end = journal_end(app->journal) >> 24, settled = archive_settled(app->archive) >> 24;

    settled = settled ? settled : 1; /* batches count from 1 */
    return end > settled ? end - settled : 0;
}

static void put_counts(struct out *o, struct txn *t)
{
    for (int kind = 0; kind < LIST_COUNT; kind++) {
        const struct list *list = list_of((enum list_kind)kind);

        out_member_int(o, list->plural, ledger_last_id(t, (unsigned)kind));
    }
    out_member_int(o, "acts", (int64_t)ledger_end(t));
}

static void put_archive(struct out *o, const struct archive_stat *s)
{
    out_member_int(o, "readings", (int64_t)s->rows);
    out_member_int(o, "blocks", (int64_t)s->blocks);
    out_member_int(o, "block_bytes", (int64_t)s->block_bytes);
    out_member_int(o, "runs", (int64_t)s->runs);
    out_member_int(o, "archive_bytes", (int64_t)s->file_bytes);
    out_member_int(o, "archive_used_bytes", (int64_t)s->used_bytes);
}

void answer_stat(struct request *q)
{
    struct app *app = q->app;
    struct txn t = ledger_read(app->ledger);
    struct archive_stat archive = { 0 };
    struct out *o = &q->out;
    enum err err;

    q->status = 200;
    out_text(o, "{");
    put_counts(o, &t);
    err = txn_end(&t);
    if (!err)
        err = archive_stat(app->archive, &archive);
    put_archive(o, &archive);
    out_member_int(o, "journal_bytes", (int64_t)journal_bytes(app->journal));
    out_member_int(o, "unsettled_records", (int64_t)tail_count(app->tail));
    out_member_int(o, "unsettled_batches", (int64_t)lag_of(app));
    out_member_int(o, "quarantine", (int64_t)quarantine_count(app->quarantine));
    out_member_int(o, "free_bytes", (int64_t)bytes_free(app));
    out_member_int(o, "uptime_s", (clock_monotonic_ms() - app->started_ms) / 1000);
    out_member_time(o, "now", clock_now_s(&app->clock));
    out_text(o, "}\n");
    if (err)
        problem_of(q, err, "", "the store cannot be counted: a part %s", err_text(err));
}

static void measure(struct app *app)
{
    struct txn t = ledger_read(app->ledger);
    struct archive_stat archive = { 0 };

    metrics_set(METRIC_METERS, ledger_last_id(&t, LIST_METER));
    metrics_set(METRIC_COMMANDS, app->commands ? app->commands->live : 0);
    metrics_set(METRIC_POINTS, ledger_last_id(&t, LIST_POINT));
    metrics_set(METRIC_LEDGER_ACTS, ledger_end(&t));
    health_damage(txn_end(&t));
    health_damage(archive_stat(app->archive, &archive));
    metrics_set(METRIC_ARCHIVE_BYTES, archive.file_bytes);
    metrics_set(METRIC_ARCHIVE_ROWS, archive.rows);
    metrics_set(METRIC_ARCHIVE_RUNS, archive.runs);
    metrics_set(METRIC_JOURNAL_BYTES, journal_bytes(app->journal));
    metrics_set(METRIC_JOURNAL_LAG, lag_of(app));
    metrics_set(METRIC_TAIL_RECORDS, tail_count(app->tail));
    metrics_set(METRIC_QUARANTINE_FRAMES, quarantine_count(app->quarantine));
    metrics_set(METRIC_STORE_FREE_BYTES, bytes_free(app));
    metrics_set(METRIC_READER_AGE_MS, (uint64_t)metrics_oldest_read_ms(clock_monotonic_ms()));
    metrics_set(METRIC_UPTIME, (uint64_t)(clock_monotonic_ms() - app->started_ms) / 1000);
}

void answer_metrics(struct request *q)
{
    measure(q->app);
    q->status = 200;
    q->type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(&q->out);
}

void answer_healthz(struct request *q)
{
    q->status = 200;
    q->type = "text/plain; charset=utf-8";
    out_text(&q->out, "ok\n");
}

void answer_readyz(struct request *q)
{
    enum err err = health();

    if (!err && bytes_free(q->app) < FREE_LEAST)
        err = ERR_FULL;
    if (err) {
        struct refusal r;

        refuse(&r, err, 0, "", "the store %s", err_text(err));
        problem_status(q, 503, &r);
        return;
    }
    q->status = 200;
    out_text(&q->out, "{\"ready\":true}\n");
}
