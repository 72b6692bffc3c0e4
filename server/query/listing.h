/* Lists that leave the server in slices, with flat memory: as one page of JSON, or streamed as NDJSON or CSV; as a
 * workbook all at once, made from the rows of the CSV (`form` is then FORM_CSV).
 *
 * A source's fill() emits rows until listing_full() or its end, and sets the cursor with every row; the next fill goes on behind
 * it.  No transaction outlives a fill: a reader, however slow, pins no page of the store.  `state` is the source's own, malloc'd
 * things in it are freed by done(). */
#ifndef NILO_SERVER_QUERY_LISTING_H
#define NILO_SERVER_QUERY_LISTING_H

#include "server/query/request.h"
#include "server/query/scope.h"

#define LISTING_SLICE 32768 /* bytes a fill makes before the wire is asked to take them */
#define LISTING_SLICE_LONG                                                                         \
    131072 /* and once a stream has proved long: handing over costs as much as 30 rows */
#define LISTING_LONG (8 * LISTING_SLICE)
#define LISTING_VISITS                                                                             \
    8192 /* rows a fill looks at, wanted or not, before it lets go of its transaction */

struct listing {
    struct request *q;
    struct app *app;
    enum form form;
    struct out out; /* the slice at hand */
    struct out raw; /* a nested value that becomes a cell of CSV */
    uint64_t told;  /* bytes of the slices so far */
    uint64_t rows, limit;
    bool ended;   /* the source has no more rows */
    bool closed;  /* the last line was written */
    bool patient; /* its fills take long and may emit nothing: others go between two of them */
    bool first_cell;
    unsigned visits; /* of the fill at hand */
    enum err err;    /* met on the way: the stream is cut off */
    struct refusal refusal;
    struct scoping *scoping;    /* rows that are not the caller's are left out; NULL: all are */
    size_t row_start;           /* of the row at hand, in `out` */
    uint8_t cursor[CURSOR_MAX]; /* of the last row that was emitted */
    size_t cursor_len;

    const char *const *columns; /* of the CSV, NULL-ended */
    void (*fill)(struct listing *l);
    void (*done)(void *state);
    void *state;
};

/* Makes the request's answer a list: reads limit and after. `state` (may be NULL) is freed with done, also when NULL comes back
 * because the request was refused. */
struct listing *listing_new(struct request *q, const char *const *columns,
                            void (*fill)(struct listing *l), void *state, void (*done)(void *state),
                            uint64_t page);
void listing_free(struct listing *l); /* NULL is fine */

/* Fills the first slice, which decides the status: then the page is whole, or the stream may begin. */
void listing_start(struct listing *l);
void listing_more(struct listing *l); /* the next slice of a stream */

/* ---- for sources ---- */

bool listing_full(const struct listing *l);
void listing_fail(struct listing *l, enum err err);
void listing_pass(struct listing *l, struct span cursor); /* a row that is not wanted */
/* A cursor that is one number of `bytes` (4 or 8), big-endian; 0 at the list's begin. False: it is another list's, and the list has failed (INVALID). */
bool listing_number(struct listing *l, size_t bytes, uint64_t *out);

/* Rows: every cell of every row in the order of the columns. */
void row_begin(struct listing *l);
void row_end(struct listing *l, struct span cursor);
void row_number(struct listing *l, const char *name,
                struct span text); /* a number as it is kept; empty: absent */

/* Of CSV; the rest is in the header, where a name that is a literal has a length that the compiler knows. */
void row_comma(struct listing *l);
void row_csv_time(struct listing *l, int64_t utc_s);
void row_csv_raw(struct listing *l);

static inline void row_int(struct listing *l, const char *name, int64_t v)
{
    if (l->form != FORM_CSV) {
        out_member_int(&l->out, name, v);
        return;
    }
    row_comma(l);
    out_int(&l->out, v);
}

static inline void row_litres(struct listing *l, const char *name, int64_t ml)
{
    if (l->form != FORM_CSV) {
        out_member_litres(&l->out, name, ml);
        return;
    }
    row_comma(l);
    out_litres(&l->out, ml);
}

static inline void row_time(struct listing *l, const char *name, int64_t utc_s)
{
    if (l->form != FORM_CSV)
        out_member_time(&l->out, name, utc_s);
    else
        row_csv_time(l, utc_s);
}

static inline void row_bool(struct listing *l, const char *name, bool v)
{
    if (l->form != FORM_CSV) {
        out_member_bool(&l->out, name, v);
        return;
    }
    row_comma(l);
    out_text(&l->out, v ? "true" : "false");
}

static inline void row_null(struct listing *l, const char *name)
{
    scoping_cell(l->scoping, name, (struct span){ 0 });
    if (l->form != FORM_CSV)
        out_member_null(&l->out, name);
    else
        row_comma(l);
}

/* No member, an empty cell. */
static inline void row_absent(struct listing *l, const char *name)
{
    scoping_cell(l->scoping, name, (struct span){ 0 });
    if (l->form == FORM_CSV)
        row_comma(l);
}

/* Empty: absent. */
static inline void row_text(struct listing *l, const char *name, struct span text)
{
    if (!text.len) {
        row_absent(l, name);
        return;
    }
    scoping_cell(l->scoping, name, text);
    if (l->form != FORM_CSV) {
        out_member_string(&l->out, name, text);
        return;
    }
    row_comma(l);
    out_csv(&l->out, text);
}

/* NULL: null. */
static inline void row_word(struct listing *l, const char *name, const char *text)
{
    if (text)
        row_text(l, name, span_text(text));
    else
        row_null(l, name);
}

/* For JSON that the source writes itself: in its place, or aside where it becomes a cell of CSV. */
static inline struct out *row_raw_begin(struct listing *l, const char *name)
{
    if (l->form != FORM_CSV) {
        out_key(&l->out, name);
        return &l->out;
    }
    row_comma(l);
    out_clear(&l->raw);
    return &l->raw;
}

static inline void row_raw_end(struct listing *l)
{
    if (l->form == FORM_CSV)
        row_csv_raw(l);
}

#endif
