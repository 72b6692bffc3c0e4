/* Reads the whole store and says the first thing that is not as it was written. */
#include "storage/archive.h"
#include "storage/journal.h"
#include "storage/keyring.h"
#include "storage/ledger.h"
#include "storage/photos.h"
#include "storage/quarantine.h"
#include "storage/store_key.h"
#include "storage/store_priv.h"
#include "storage/views.h"

#include <unistd.h>

#define RECORDS_AT_ONCE 4096 /* until the reader lets go of its pages */
#define TRIES 3              /* beside a nilod that drops segments while we list them */

struct check {
    const char *dir;
    struct store_counts counts;
    uint64_t settled;
    struct refusal *r;
};

static enum err check_archive(struct check *c)
{
    struct archive *a;
    struct archive_stat stat = { 0 };
    enum err err = archive_open(c->dir, DB_READ_ONLY, &a, c->r);

    if (err)
        return err;
    c->settled = archive_settled(a);
    if (!(err = archive_check(a, c->r)) && (err = archive_stat(a, &stat)))
        err = refuse(c->r, err, 0, "", "%s: the archive %s", c->dir, err_text(err));
    c->counts.readings = stat.rows;
    c->counts.bytes += stat.file_bytes;
    archive_close(a);
    return err;
}

/* Every record, every batch against its count and the one before it. */
static enum err check_records(struct check *c, struct journal *j)
{
    struct journal_reader *reader;
    uint64_t position = journal_begin(j), at, batch = 0;
    struct record record;
    enum err err = journal_reader_open(j, &reader);

    if (err)
        return err;
    while (!(err = journal_next(reader, &position, &at, &record))) {
        c->counts.batches += at >> 24 != batch;
        batch = at >> 24;
        if (++c->counts.records % RECORDS_AT_ONCE == 0)
            journal_reader_renew(reader);
    }
    journal_reader_close(reader);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    return refuse(c->r, err, 0, "", "%s/journal: batch %llu, after byte %llu: what is there %s",
                  c->dir, (unsigned long long)(position >> 24),
                  (unsigned long long)(position & 0xffffff), err_text(err));
}

static enum err check_journal(struct check *c)
{
    struct journal *j;
    enum err err = journal_open(c->dir, NULL, DB_READ_ONLY, &j, c->r);

    if (err)
        return err;
    c->counts.bytes += journal_bytes(j);
    if (!(err = journal_reaches(j, c->settled, c->r)))
        err = check_records(c, j);
    journal_close(j);
    return err;
}

static enum err check_quarantine(struct check *c)
{
    struct quarantine *q;
    uint64_t rows;
    enum err err = quarantine_open(c->dir, NULL, DB_READ_ONLY, &q, c->r);

    if (err)
        return err;
    err = quarantine_check(q, &rows, c->r);
    c->counts.quarantined = quarantine_count(q);
    quarantine_close(q);
    return err;
}

static enum err check_ledger(struct check *c)
{
    struct ledger *l;
    struct txn t;
    enum err err = ledger_open(c->dir, DB_READ_ONLY, &l, c->r);

    if (err)
        return err;
    t = ledger_read(l);
    c->counts.bytes += db_bytes(t.db);
    if (!(err = t.err))
        err = db_check(t.db, &c->counts.ledger_rows, c->r);
    txn_abort(&t);
    if (!err)
        err = ledger_check(l, c->r);
    ledger_close(l);
    return err;
}

/* Views may be missing: they are made anew. */
static enum err check_views(struct check *c)
{
    struct views *v;
    struct txn t;
    enum err err = views_open(c->dir, DB_READ_ONLY, &v, c->r);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    t = views_read(v);
    c->counts.bytes += db_bytes(t.db);
    if (!(err = t.err))
        err = db_check(t.db, &c->counts.view_rows, c->r);
    txn_abort(&t);
    views_close(v);
    return err;
}

static enum err check_photos(struct check *c)
{
    uint64_t bytes;
    enum err err = photos_check(c->dir, &c->counts.photos, &bytes, c->r);

    c->counts.bytes += bytes;
    return err;
}

/* The archive before the journal: what it says is settled was in the journal before. */
static enum err check_once(struct check *c)
{
    enum err err;

    c->counts = (struct store_counts){ 0 };
    if ((err = store_version(c->dir, c->r)) == ERR_NOT_FOUND && c->r && access(c->dir, F_OK) == 0)
        return refuse(c->r, err, 0, "", "%s/store: is missing", c->dir);
    if (err || (err = check_archive(c)) || (err = check_journal(c)) ||
        (err = check_quarantine(c)) || (err = check_ledger(c)) || (err = check_photos(c)))
        return err;
    return check_views(c);
}

enum err store_check(const char *dir, struct store_counts *out, struct refusal *r)
{
    struct check c = { .dir = dir, .r = r };
    enum err err = check_once(&c);

    for (int i = 1; i < TRIES && (err == ERR_NOT_FOUND || err == ERR_MISSING); i++)
        err = check_once(&c);
    *out = c.counts;
    return err;
}

enum err store_keys_check(const char *dir, const char *file, struct store_keys *out,
                          struct refusal *r)
{
    struct store_key *key = NULL;
    struct ledger *l = NULL;
    struct txn t;
    enum err err = ledger_open(dir, DB_READ_ONLY, &l, r);

    *out = (struct store_keys){ .count = 0 };
    if (err)
        return err;
    t = ledger_read(l);
    out->count = ledger_key_count(&t);
    err = txn_end(&t);
    if (!err && (err = store_key_find(dir, file, &key, r)) == ERR_NOT_FOUND)
        err = ERR_OK;
    else if (!err && !(err = keyring_check(l, key, &out->count, r)))
        out->at_hand = true;
    store_key_free(key);
    ledger_close(l);
    return err;
}
