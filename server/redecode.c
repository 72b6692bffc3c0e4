/* Meters are taken in slices, as many as have their records' positions held at once; for each slice
 * the journal is walked, the positions are put in the order of (meter, position), and each meter's
 * records are decoded as settling does it.  What differs from the archive is told, and where it is
 * accepted, kept as amendments until there are many, month by month. */
#include "server/redecode.h"

#include "server/readings.h"
#include "server/registers.h"
#include "storage/rowset.h"

#include <stdlib.h>

#define ENTRIES_MOST (8u << 20)
#define AMENDED_ROWS_MOST (16u << 20) /* 384 MB of rows; then they are written */
#define RENEW_AFTER 65536u

struct entry {
    uint32_t meter;
    uint64_t position;
};

struct amended {
    struct amendment is;
    unsigned month;
    size_t first; /* of its rows in `rows` */
};

struct work {
    struct app *app;
    const struct redecode_options *options;
    struct redecode_report *report;
    struct journal_reader *reader;
    struct txn ledger;
    struct entry *entries;
    size_t entry_count, entry_cap;
    uint64_t from, to;                /* positions */
    uint32_t first_meter, last_meter; /* of the slice */
    struct rows said[CHANNEL_COUNT];  /* by the meter's records, read again */
    struct rows settled;
    bool whole; /* the meter's records are all there, and all read */
    struct amended *amended;
    size_t amended_count, amended_cap;
    struct rows rows; /* of the amendments */
};

/* ---- which records are whose ---- */

static enum err entry_add(struct work *w, uint32_t meter, uint64_t position)
{
    if (meter < w->first_meter || meter > w->last_meter)
        return ERR_OK;
    if (w->entry_count == w->entry_cap)
        return ERR_FULL;
    w->entries[w->entry_count++] = (struct entry){ meter, position };
    return ERR_OK;
}

static enum err rows_entries(struct work *w, const struct record *record, uint64_t position)
{
    struct rd r = rd_of(record->bytes);
    struct rows rows = { 0 };
    uint32_t meter;
    enum channel c;
    enum err err;

    if (record->import_id && !ledger_import_complete(&w->ledger, record->import_id))
        return w->ledger.err;
    while (!(err = rowset_next(&r, &meter, &c, &rows)) && !(err = entry_add(w, meter, position)))
        continue;
    rows_done(&rows);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err record_entries(struct work *w, const struct record *record, uint64_t position)
{
    /* A staged import is seen when the ledger says so, wherever settling has come to. */
    if (position >= w->to && !(record->kind == RECORD_ROWS && record->import_id))
        return ERR_OK;
    if (record->kind == RECORD_ROWS)
        return rows_entries(w, record, position);
    return record->kind == RECORD_FRAME && record->meter ? entry_add(w, record->meter, position)
                                                         : ERR_OK;
}

static int entry_order(const void *a, const void *b)
{
    const struct entry *x = (const struct entry *)a, *y = (const struct entry *)b;

    if (x->meter != y->meter)
        return x->meter < y->meter ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

/* More meters than have room: half of them. */
static void narrow(struct work *w)
{
    w->last_meter = w->first_meter + (w->last_meter - w->first_meter) / 2;
}

static enum err gather_entries(struct work *w)
{
    uint64_t at, next = w->from, seen = 0;
    struct record record;
    enum err err;

    w->entry_count = 0;
    while (!(err = journal_next(w->reader, &next, &at, &record))) {
        if ((err = record_entries(w, &record, at)))
            break;
        if (++seen % RENEW_AFTER == 0)
            journal_reader_renew(w->reader);
    }
    if (err == ERR_FULL && w->last_meter > w->first_meter) {
        narrow(w);
        return gather_entries(w);
    }
    if (err && err != ERR_NOT_FOUND)
        return err;
    qsort(w->entries, w->entry_count, sizeof *w->entries, entry_order);
    return ERR_OK;
}

/* ---- what differs ---- */

static bool same_row(const struct row *a, const struct row *b)
{
    return a->time_s == b->time_s && a->value == b->value && a->attr == b->attr;
}

static void tell(struct work *w, const struct meter_facts *m, enum channel c, bool added,
                 const struct row *row)
{
    const struct redecode_change change = {
        .serial = m->serial, .channel = c, .added = added, .row = *row
    };

    if (added)
        w->report->added++;
    else
        w->report->removed++;
    if (w->options->each)
        w->options->each(w->options->arg, &change);
}

/* Whether `row` stands among the rows of its instant. */
static bool stands_in(const struct rows *rows, size_t from, const struct row *row)
{
    for (size_t i = from; i < rows->count && rows->at[i].time_s == row->time_s; i++)
        if (same_row(&rows->at[i], row))
            return true;
    return false;
}

/* Both in order of time: tells what only one of them has; true where there is any. */
static bool compare(struct work *w, const struct meter_facts *m, enum channel c)
{
    const struct rows *said = &w->said[c], *settled = &w->settled;
    size_t i = 0, k = 0;
    bool differ = false;

    while (i < said->count || k < settled->count) {
        uint32_t a = i < said->count ? said->at[i].time_s : UINT32_MAX;
        uint32_t b = k < settled->count ? settled->at[k].time_s : UINT32_MAX;
        uint32_t now = a < b ? a : b;
        size_t i0 = i, k0 = k;

        for (; i < said->count && said->at[i].time_s == now; i++)
            if (!stands_in(settled, k0, &said->at[i])) {
                tell(w, m, c, true, &said->at[i]);
                differ = true;
            }
        for (; k < settled->count && settled->at[k].time_s == now; k++)
            if (w->whole && !stands_in(said, i0, &settled->at[k])) {
                tell(w, m, c, false, &settled->at[k]);
                differ = true;
            }
    }
    return differ;
}

/* ---- amendments ---- */

static int amended_order(const void *a, const void *b)
{
    const struct amended *x = (const struct amended *)a, *y = (const struct amended *)b;

    if (x->month != y->month)
        return x->month < y->month ? -1 : 1;
    if (x->is.meter != y->is.meter)
        return x->is.meter < y->is.meter ? -1 : 1;
    return (x->is.channel > y->is.channel) - (x->is.channel < y->is.channel);
}

static enum err write_amendments(struct work *w)
{
    struct amendment *list = (struct amendment *)malloc((w->amended_count + 1) * sizeof *list);
    enum err err = list ? ERR_OK : ERR_NO_MEMORY;
    size_t from = 0, to;

    if (w->amended_count)
        qsort(w->amended, w->amended_count, sizeof *w->amended, amended_order);
    for (size_t i = 0; list && i < w->amended_count; i++) {
        list[i] = w->amended[i].is;
        list[i].rows = w->rows.at + w->amended[i].first;
    }
    for (; !err && from < w->amended_count; from = to) {
        unsigned month = w->amended[from].month;

        for (to = from; to < w->amended_count && w->amended[to].month == month; to++)
            continue;
        err = archive_amend(w->app->archive, month, list + from, to - from);
    }
    free(list);
    w->amended_count = w->rows.count = 0;
    return err;
}

/* A series' rows of one month. */
static enum err amended_add(struct work *w, const struct meter_facts *m, enum channel c,
                            unsigned month, const struct row *rows, size_t count)
{
    enum err err = rows_reserve(&w->rows, count);

    if (err)
        return err;
    if (w->amended_count == w->amended_cap) {
        size_t cap = w->amended_cap ? w->amended_cap * 2 : 1024;
        struct amended *more = (struct amended *)realloc(w->amended, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        w->amended = more;
        w->amended_cap = cap;
    }
    w->amended[w->amended_count++] = (struct amended){ .is = { .meter = m->id,
                                                               .channel = c,
                                                               .replaces = w->whole,
                                                               .unit_ml = m->resolution_ml,
                                                               .count = count },
                                                       .month = month,
                                                       .first = w->rows.count };
    for (size_t i = 0; i < count; i++)
        w->rows.at[w->rows.count++] = rows[i];
    return ERR_OK;
}

/* The first row at or after `from` that lies in another month than row `from`. */
static size_t month_end(const struct rows *rows, size_t from)
{
    size_t to = from;

    while (to < rows->count &&
           archive_month(rows->at[to].time_s) == archive_month(rows->at[from].time_s))
        to++;
    return to;
}

static bool same_rows(const struct row *a, size_t a_count, const struct row *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!same_row(&a[i], &b[i]))
            return false;
    return true;
}

/* Month by month, what the series shall be from now on, where it is otherwise. A month that only the
 * archive has is emptied where the journal is whole. */
static enum err amend_series(struct work *w, const struct meter_facts *m, enum channel c)
{
    const struct rows *said = &w->said[c], *settled = &w->settled;
    size_t i = 0, k = 0;
    enum err err = ERR_OK;

    while (!err && (i < said->count || k < settled->count)) {
        unsigned a = i < said->count ? archive_month(said->at[i].time_s) : UINT32_MAX;
        unsigned b = k < settled->count ? archive_month(settled->at[k].time_s) : UINT32_MAX;
        unsigned month = a < b ? a : b;
        size_t i1 = a == month ? month_end(said, i) : i;
        size_t k1 = b == month ? month_end(settled, k) : k;

        if ((i1 > i || w->whole) && !same_rows(said->at + i, i1 - i, settled->at + k, k1 - k))
            err = amended_add(w, m, c, month, said->at + i, i1 - i);
        i = i1;
        k = k1;
    }
    if (!err && w->rows.count > AMENDED_ROWS_MOST)
        err = write_amendments(w);
    return err;
}

/* ---- a meter ---- */

static enum err take_rows(void *arg, enum channel c, const struct row *rows, size_t count)
{
    return rows_append(&((struct work *)arg)->said[c], rows, count);
}

/* One record. Where those before are gone, the first that counts by a rule may repeat one of them, or
 * play it back, and nobody can tell any more: what it says is the archive's to know. */
static enum err record_again(struct work *w, const struct meter_facts *m, uint64_t position,
                             struct arena *scratch, struct vitals *vitals)
{
    struct kept_record kept = { .position = position };
    bool counted = w->report->whole || vitals->digest;
    size_t said[CHANNEL_COUNT];
    enum err err;

    for (int c = 0; c < CHANNEL_COUNT; c++)
        said[c] = w->said[c].count;
    if (!(err = journal_get(w->reader, kept.position, &kept.record)))
        err = readings_of_record(w->app, &kept, m, scratch, take_rows, w, vitals);
    for (int c = 0; c < CHANNEL_COUNT && !counted && vitals->digest; c++)
        w->said[c].count = said[c];
    return err;
}

static enum err read_again(struct work *w, const struct meter_facts *m, const struct entry *e,
                           size_t count)
{
    struct arena *scratch = readings_scratch();
    struct vitals vitals = { 0 };
    enum err err = scratch ? ERR_OK : ERR_NO_MEMORY;

    w->whole = w->report->whole;
    for (int c = 0; c < CHANNEL_COUNT; c++)
        w->said[c].count = 0;
    for (size_t i = 0; i < count && !err; i++) {
        if (i && e[i].position == e[i - 1].position)
            continue;
        err = record_again(w, m, e[i].position, scratch, &vitals);
        if (err_of_frame(err)) {
            w->report->unreadable++;
            w->whole = false; /* what it once said stays */
            err = ERR_OK;
        }
    }
    for (int c = 0; c < CHANNEL_COUNT && !err; c++)
        err = rows_tidy(&w->said[c]);
    return err;
}

static enum err meter_again(struct work *w, uint32_t meter, const struct entry *e, size_t count)
{
    struct meter_facts facts;
    bool differs = false;
    enum err err;

    if ((err = meter_facts_by_id(&w->ledger, meter, &facts)) ||
        (err = read_again(w, &facts, e, count)))
        return err;
    for (int c = 0; c < CHANNEL_COUNT && !err; c++) {
        w->settled.count = 0;
        if ((err = archive_read(w->app->archive, meter, (enum channel)c, 0, INT64_MAX,
                                &w->settled)) ||
            !compare(w, &facts, (enum channel)c))
            continue;
        differs = true;
        if (w->options->accept)
            err = amend_series(w, &facts, (enum channel)c);
    }
    w->report->meters += differs;
    w->report->records += count;
    return err;
}

/* Meters that the archive has and no record names are looked at too where the journal is whole. */
static enum err slice_again(struct work *w)
{
    size_t from = 0, to;
    enum err err = gather_entries(w);

    for (uint32_t meter = w->first_meter; !err && meter <= w->last_meter; meter++) {
        for (to = from; to < w->entry_count && w->entries[to].meter == meter; to++)
            continue;
        if (to > from || w->report->whole)
            err = meter_again(w, meter, w->entries + from, to - from);
        from = to;
        if (meter % 4096 == 0) {
            journal_reader_renew(w->reader);
            txn_renew(&w->ledger);
            if (w->options->progress)
                w->options->progress(w->options->arg, meter, registry_count(w->app->registry));
        }
    }
    return err;
}

static enum err all_again(struct work *w)
{
    uint32_t meters = registry_count(w->app->registry);
    enum err err = ERR_OK;

    for (w->first_meter = 1; !err && w->first_meter <= meters; w->first_meter = w->last_meter + 1) {
        w->last_meter = meters;
        err = slice_again(w);
    }
    return err || !w->options->accept ? err : write_amendments(w);
}

enum err redecode(struct app *app, const struct redecode_options *options,
                  struct redecode_report *out)
{
    struct work w = { .app = app, .options = options, .report = out };
    uint64_t most = options->entries_most ? options->entries_most : ENTRIES_MOST;
    enum err err, ended;

    *out = (struct redecode_report){ 0 };
    w.from = journal_begin(app->journal);
    w.to = archive_settled(app->archive);
    out->whole = w.from >> 24 <= 1;
    w.entry_cap = most;
    w.entries = (struct entry *)malloc(most * sizeof *w.entries);
    w.ledger = ledger_read(app->ledger);
    err = w.entries ? journal_reader_open(app->journal, &w.reader) : ERR_NO_MEMORY;
    if (!err)
        err = all_again(&w);
    journal_reader_close(w.reader);
    ended = txn_end(&w.ledger);
    for (int c = 0; c < CHANNEL_COUNT; c++)
        rows_done(&w.said[c]);
    rows_done(&w.settled);
    rows_done(&w.rows);
    free(w.amended);
    free(w.entries);
    return err ? err : ended;
}
