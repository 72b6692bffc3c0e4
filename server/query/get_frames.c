/* Frames of a meter as the journal has them, the newest first, explained by the decoders themselves.
 *
 * The journal has no index by meter: it is what came in, in order.  So a window of batches is walked forward, what is of the
 * meter told backward, and then the window before it; where a span begins and ends is found by halving, since arrivals rise
 * with positions.  A page looks at LOOK_MOST records, and then says where to go on, whether or not it found something. */
#include "proto/base/hex.h"
#include "proto/base/rd.h"
#include "proto/dialect.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/readings.h"
#include "storage/journal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 100
#define LOOK_MOST 1000000u    /* records that one page looks at */
#define WINDOW_FIRST 16u      /* batches */
#define WINDOW_RECORDS 50000u /* a window has about so many */
#define WINDOW_FOUND 4096u    /* frames of one meter in a window; in a larger one it is cut */
#define EXPLAINED_MAX 65536u

static const char *const columns[] = { "id",        "serial", "arrived_at", "dialect",
                                       "transport", "peer",   "name",       "len",
                                       "bytes",     "fault",  NULL };
static const char *const explained_columns[] = { "id",        "serial", "arrived_at", "dialect",
                                                 "transport", "peer",   "name",       "len",
                                                 "bytes",     "fault",  "explain",    NULL };

struct frames {
    uint32_t meter;
    char serial[SERIAL_MAX + 1];
    int64_t from_s, to_s;
    bool explained, opened; /* opened: with the server's keys */
    uint64_t begin, end;    /* positions of the span; end: what is told lies below it */
    uint64_t batches;       /* of a window */
    uint64_t looked;        /* of the page at hand */
    uint64_t *found;        /* WINDOW_FOUND positions */
    char *text;             /* EXPLAINED_MAX */
};

static void frames_done(void *state)
{
    struct frames *f = (struct frames *)state;

    free(f->found);
    free(f->text);
    free(f);
}

/* ---- a frame ---- */

static const char *transport_of(uint8_t transport)
{
    static const char *const names[] = { NULL, "coap", "coaps", "http", "mqtt", "file" };

    return transport < sizeof names / sizeof names[0] ? names[transport] : NULL;
}

static void put_peer(struct listing *l, const struct peer *p)
{
    char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 10] = "";

    if (p->len == 4 && inet_ntop(AF_INET, p->address, host, sizeof host))
        snprintf(text, sizeof text, "%s:%u", host, p->port);
    else if (p->len == 16 && inet_ntop(AF_INET6, p->address, host, sizeof host))
        snprintf(text, sizeof text, "[%s]:%u", host, p->port);
    row_text(l, "peer", span_text(text));
}

static void put_bytes(struct listing *l, struct span bytes)
{
    struct out *o = row_raw_begin(l, "bytes");
    bool quoted = l->form != FORM_CSV;
    char *room = out_room(o, 2 * bytes.len + 2);

    if (room) {
        struct wr w = wr_of(room, 2 * bytes.len + 2);

        if (quoted)
            wr_u8(&w, '"');
        hex_write(&w, bytes);
        if (quoted)
            wr_u8(&w, '"');
        o->len += wr_len(&w);
    }
    row_raw_end(l);
}

/* What the decoder tells; *out_len 0: more than there is room for. */
static enum err explain(struct app *app, const struct frames *f, const struct record *r,
                        size_t *out_len)
{
    const struct dialect *d = dialect_by_id(r->dialect);
    struct arena *scratch = readings_scratch();
    struct lore lore = app->lore;
    struct lore_memo memo = { 0 };
    struct dialect_input in = { .bytes = r->bytes,
                                .arrival_s = r->arrival_s,
                                .given = r->name,
                                .recipe = r->recipe,
                                .lore = &lore,
                                .memo = &memo };
    struct wr w = wr_of(f->text, EXPLAINED_MAX);
    struct refusal why = { 0 };
    enum err err;

    *out_len = 0;
    if (!d || !scratch)
        return d ? ERR_NO_MEMORY : ERR_UNSUPPORTED;
    if (!f->opened)
        lore.keys = NULL;
    registry_read_lock(app->registry);
    err = dialect_explain(d, &in, true, scratch, &w, &why);
    registry_read_unlock(app->registry);
    if (w.err)
        return ERR_FULL;
    *out_len = wr_len(&w);
    while (*out_len && f->text[*out_len - 1] == '\n')
        --*out_len;
    return err;
}

static void put_frame(struct listing *l, const struct frames *f, uint64_t position,
                      const struct record *r)
{
    const struct dialect *d = dialect_by_id(r->dialect);
    uint8_t cursor[8];
    struct wr w = wr_of(cursor, sizeof cursor);
    char id[17];
    size_t len;
    enum err err = explain(l->app, f, r, &len);

    snprintf(id, sizeof id, "%016llx", (unsigned long long)position);
    row_begin(l);
    row_word(l, "id", id);
    row_word(l, "serial", f->serial);
    row_time(l, "arrived_at", r->arrival_s);
    row_text(l, "dialect", r->recipe.len ? r->recipe : span_text(d ? d->name : ""));
    row_word(l, "transport", transport_of(r->transport));
    put_peer(l, &r->peer);
    row_text(l, "name", span_equal(r->name, span_text(f->serial)) ? (struct span){ 0 } : r->name);
    row_int(l, "len", (int64_t)r->bytes.len);
    put_bytes(l, r->bytes);
    row_text(l, "fault", span_text(err ? err_name(err) : ""));
    if (f->explained && len) {
        out_bytes(row_raw_begin(l, "explain"), f->text, len);
        row_raw_end(l);
    } else if (f->explained) {
        row_absent(l, "explain");
    }
    wr_be64(&w, position);
    row_end(l, wr_span(&w));
}

/* ---- places in the journal ---- */

/* The first position that has a record which arrived at or after `at_s`, to the batch. */
static enum err seek(struct journal_reader *reader, uint64_t begin, uint64_t end, int64_t at_s,
                     uint64_t *out)
{
    uint64_t low = begin >> 24, high = (end >> 24) + 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2, position = position_of(middle, 0), at;
        struct record r;
        enum err err = journal_next(reader, &position, &at, &r);

        if (err && err != ERR_NOT_FOUND)
            return err;
        if (err || (int64_t)r.arrival_s >= at_s)
            high = middle;
        else
            low = middle + 1;
        journal_reader_renew(reader);
    }
    *out = position_of(low ? low - 1 : 0, 0); /* the batch before may end with such a one */
    if (*out < begin)
        *out = begin;
    return ERR_OK;
}

static enum err find_span(struct app *app, struct frames *f)
{
    struct journal_reader *reader;
    uint64_t begin = journal_begin(app->journal), end = journal_end(app->journal), behind;
    enum err err = journal_reader_open(app->journal, &reader);

    if (err)
        return err;
    f->begin = begin;
    f->end = end;
    if (f->from_s > 0)
        err = seek(reader, begin, end, f->from_s, &f->begin);
    if (!err && f->to_s <= UINT32_MAX && !(err = seek(reader, begin, end, f->to_s, &behind)))
        f->end =
            position_of((behind >> 24) + 2, 0) < end ? position_of((behind >> 24) + 2, 0) : end;
    journal_reader_close(reader);
    return err;
}

/* ---- a window ---- */

static bool is_wanted(const struct frames *f, const struct record *r)
{
    return r->kind == RECORD_FRAME && r->meter == f->meter && r->arrival_s >= f->from_s &&
           r->arrival_s < f->to_s;
}

/* The meter's frames in [begin, f->end): the newest WINDOW_FOUND of them. *out_records: how many records were looked at. */
static enum err collect(struct journal_reader *reader, const struct frames *f, uint64_t begin,
                        size_t *out_found, uint64_t *out_records)
{
    uint64_t position = begin, at;
    struct record r;
    enum err err;

    *out_found = 0;
    *out_records = 0;
    while (!(err = journal_next(reader, &position, &at, &r)) && at < f->end) {
        ++*out_records;
        if (is_wanted(f, &r))
            f->found[(*out_found)++ % WINDOW_FOUND] = at;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static uint64_t window_begin(const struct frames *f)
{
    uint64_t last = f->end >> 24;
    uint64_t begin = last > f->batches ? position_of(last - f->batches, 0) : 0;

    return begin > f->begin ? begin : f->begin;
}

/* What was found, the newest first. */
static enum err tell(struct listing *l, struct frames *f, struct journal_reader *reader,
                     size_t found, uint64_t begin)
{
    size_t kept = found < WINDOW_FOUND ? found : WINDOW_FOUND;

    for (size_t n = 0; n < kept; n++) {
        uint64_t at = f->found[(found - 1 - n) % WINDOW_FOUND];
        struct record r;
        enum err err;

        if (listing_full(l))
            return ERR_OK;
        if ((err = journal_get(reader, at, &r)))
            return err;
        put_frame(l, f, at, &r);
        f->end = at;
    }
    if (kept == found)
        f->end = begin;
    return ERR_OK;
}

static enum err look(struct listing *l, struct frames *f)
{
    struct journal_reader *reader;
    uint64_t begin = window_begin(f), records;
    size_t found;
    enum err err = journal_reader_open(l->app->journal, &reader);

    if (err)
        return err;
    if (!(err = collect(reader, f, begin, &found, &records)))
        err = tell(l, f, reader, found, begin);
    journal_reader_close(reader);
    f->looked += records;
    if (records < WINDOW_RECORDS / 2)
        f->batches *= 2;
    else if (records > 2 * WINDOW_RECORDS && f->batches > 1)
        f->batches /= 2;
    return err;
}

static void fill(struct listing *l)
{
    struct frames *f = (struct frames *)l->state;
    uint8_t cursor[8];
    struct wr w = wr_of(cursor, sizeof cursor);
    uint64_t begun = journal_begin(l->app->journal); /* what is old goes while we look */

    f->begin = f->begin > begun ? f->begin : begun;
    if (f->end > f->begin)
        listing_fail(l, look(l, f));
    if (f->end <= f->begin) {
        l->ended = true;
        return;
    }
    wr_be64(&w, f->end);
    listing_pass(l, wr_span(&w));
    if (l->form == FORM_JSON && f->looked >= LOOK_MOST)
        l->limit = l->rows; /* the page is over */
}

/* ---- asking ---- */

static bool ask_meter(struct request *q, struct frames *f)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool found = row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row);

    if (found) {
        f->meter = row.id;
        found = meter_serial(&t, row.id, f->serial);
    }
    txn_abort(&t);
    return found;
}

static bool go_on(struct request *q, struct listing *l, struct frames *f)
{
    uint64_t end;

    if (!listing_number(l, 8, &end)) {
        problem_of(q, ERR_INVALID, "after", "after: found a cursor of another list");
        return false;
    }
    if (l->cursor_len && end < f->end)
        f->end = end;
    return true;
}

void answer_frames(struct request *q)
{
    struct frames *f = (struct frames *)calloc(1, sizeof *f);
    struct listing *l;
    enum err err;

    if (!f || !(f->found = (uint64_t *)malloc(WINDOW_FOUND * sizeof *f->found)) ||
        !(f->text = (char *)malloc(EXPLAINED_MAX))) {
        if (f)
            frames_done(f);
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    f->batches = WINDOW_FIRST;
    f->opened = ROLES_CHIEF & 1u << q->caller.role;
    if (!ask_span(q, &f->from_s, &f->to_s, false) || !ask_bool(q, "explain", &f->explained) ||
        !ask_meter(q, f)) {
        frames_done(f);
        return;
    }
    if ((err = find_span(q->app, f))) {
        frames_done(f);
        problem_of(q, err, "", "the journal cannot be read: it %s", err_text(err));
        return;
    }
    l = listing_new(q, f->explained ? explained_columns : columns, fill, f, frames_done, PAGE);
    if (l) {
        l->patient = true;
        (void)go_on(q, l, f);
    }
}
