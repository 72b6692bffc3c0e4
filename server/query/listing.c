#include "server/query/listing.h"

#include "proto/base/hex.h"
#include "server/metrics.h"
#include "server/query/workbook.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_MAX 100000 /* rows of one page of JSON, some 30 MB: whoever wants more streams */

struct listing *listing_new(struct request *q, const char *const *columns,
                            void (*fill)(struct listing *l), void *state, void (*done)(void *state),
                            uint64_t page)
{
    struct listing *l = (struct listing *)calloc(1, sizeof *l);
    bool paged = q->form == FORM_JSON;
    struct refusal r = { 0 };
    int64_t limit;

    if (!l) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    } else if (target_cursor(&q->target, l->cursor, &l->cursor_len, &r)) {
        problem_status(q, 422, &r);
    } else if (ask_int(q, "limit", 1, paged ? PAGE_MAX : INT64_MAX,
                       paged ? (int64_t)page : INT64_MAX, &limit)) {
        l->q = q;
        l->app = q->app;
        l->form = q->form == FORM_XLSX ? FORM_CSV : q->form;
        l->limit = (uint64_t)limit;
        l->columns = columns;
        l->fill = fill;
        l->state = state;
        l->done = done;
        q->status = 200;
        if (!scoping_new(q, &l->scoping))
            return q->listing = l;
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    }
    if (done)
        done(state);
    free(l);
    return NULL;
}

void listing_free(struct listing *l)
{
    if (!l)
        return;
    if (l->done)
        l->done(l->state);
    out_done(&l->out);
    out_done(&l->raw);
    free(l->scoping);
    free(l);
}

static size_t slice_bytes(const struct listing *l)
{
    return l->told < LISTING_LONG ? LISTING_SLICE : LISTING_SLICE_LONG;
}

bool listing_full(const struct listing *l)
{
    return l->rows >= l->limit || l->err || l->out.err || l->visits >= LISTING_VISITS ||
           (l->form != FORM_JSON && l->out.len >= slice_bytes(l));
}

void listing_fail(struct listing *l, enum err err)
{
    if (!l->err)
        l->err = err;
}

static void set_cursor(struct listing *l, struct span cursor)
{
    size_t len = cursor.len < CURSOR_MAX ? cursor.len : CURSOR_MAX;

    if (len)
        memmove(l->cursor, cursor.at, len);
    l->cursor_len = len;
    l->visits++;
}

void listing_pass(struct listing *l, struct span cursor)
{
    set_cursor(l, cursor);
}

bool listing_number(struct listing *l, size_t bytes, uint64_t *out)
{
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));

    *out = 0;
    if (!l->cursor_len)
        return true;
    if (l->cursor_len != bytes)
        listing_fail(l, ERR_INVALID);
    else
        *out = bytes == 4 ? rd_be32(&r) : rd_be64(&r);
    return !l->err;
}

/* ---- slices ---- */

static void put_next(struct listing *l)
{
    char text[2 * CURSOR_MAX];
    struct wr w = wr_of(text, sizeof text);

    hex_write(&w, span_of(l->cursor, l->cursor_len));
    out_key(&l->out, "next");
    out_string(&l->out, wr_span(&w));
}

/* Fills once; errors of the text stick as the list's. */
static void fill(struct listing *l)
{
    l->visits = 0;
    scoping_begin(l->scoping, l->app);
    l->fill(l);
    listing_fail(l, scoping_end(l->scoping));
    if (l->out.err)
        listing_fail(l, l->out.err);
    health_damage(l->err);
}

static bool is_over(const struct listing *l)
{
    return l->ended || l->rows >= l->limit;
}

static void close_stream(struct listing *l)
{
    l->closed = true;
    if (l->form != FORM_NDJSON)
        return;
    out_text(&l->out, "{\"end\":true");
    out_member_int(&l->out, "rows", (int64_t)l->rows);
    if (!l->ended)
        put_next(l);
    out_text(&l->out, "}\n");
}

void listing_more(struct listing *l)
{
    out_clear(&l->out);
    do {
        if (!l->err && !is_over(l))
            fill(l);
    } while (!l->err && !is_over(l) && l->out.len == 0 && !l->patient);
    if (!l->err && is_over(l))
        close_stream(l);
    l->told += l->out.len;
}

static void put_columns(struct listing *l)
{
    for (size_t i = 0; l->columns[i]; i++) {
        if (i)
            out_bytes(&l->out, ",", 1);
        out_csv(&l->out, span_text(l->columns[i]));
    }
    out_text(&l->out, "\r\n");
}

static void start_stream(struct listing *l)
{
    if (l->form == FORM_CSV)
        put_columns(l);
    if (!is_over(l))
        fill(l);
    if (!l->err && is_over(l))
        close_stream(l);
    l->told = l->out.len;
}

static void make_page(struct listing *l)
{
    out_text(&l->out, "{\"rows\":[");
    while (!l->err && !is_over(l))
        fill(l);
    out_text(&l->out, "]");
    if (l->ended)
        out_member_null(&l->out, "next");
    else
        put_next(l);
    out_text(&l->out, "}\n");
    if (l->out.err)
        listing_fail(l, l->out.err);
}

/* ---- as a workbook ---- */

/* The last word of the route's path: "/v1/meters/{serial}/readings" → "readings". */
static void name_of_list(const struct route *route, char out[24])
{
    const char *word = "", *at = route->path;
    size_t len = 0;

    while ((at = strchr(at, '/')) && *++at)
        if (*at != '{')
            len = strcspn(word = at, "/");
    snprintf(out, 24, "%.*s", (int)len, word);
}

/* All rows, or as many as were asked for: their CSV, cell by cell. */
static enum err fill_workbook(struct listing *l, struct workbook *w)
{
    enum err err = ERR_OK;

    while (!err && !l->err && !is_over(l)) {
        out_clear(&l->out);
        fill(l);
        if (!l->err)
            err = workbook_rows(w, span_of(l->out.at, l->out.len));
    }
    return err ? err : l->err;
}

static void make_workbook(struct listing *l)
{
    struct request *q = l->q;
    char name[24];
    struct workbook *w = NULL;
    enum err err;

    name_of_list(q->route, name);
    err = workbook_new(name, q->route->summary, &l->app->zone, clock_now_s(&l->app->clock),
                       l->columns, &w);
    if (!err && (err = fill_workbook(l, w))) {
        workbook_drop(w);
    } else if (!err) {
        out_clear(&q->out);
        err = workbook_end(w, &q->out);
    }
    if (err && !l->err)
        refuse(&l->refusal, err, 0, "form",
               err == ERR_LIMIT ? "the list has more rows than a sheet can hold, %d: ask for less "
                                  "of it, or for NDJSON or CSV"
                                : "no sheet of at most %d rows could be made",
               XLSX_ROWS_MAX);
    listing_fail(l, err);
    q->type = WORKBOOK_TYPE;
    snprintf(q->file, sizeof q->file, "%s.xlsx", name);
}

static void answer_workbook(struct listing *l)
{
    struct request *q = l->q;

    make_workbook(l);
    if (l->err) {
        struct refusal r = l->refusal;

        r.err = l->err;
        q->file[0] = 0;
        if (r.err == ERR_LIMIT)
            problem_status(q, 422, &r);
        else
            problem(q, &r);
    }
    q->listing = NULL;
    listing_free(l);
}

void listing_start(struct listing *l)
{
    struct request *q = l->q;

    if (q->form == FORM_XLSX) {
        answer_workbook(l);
        return;
    }
    if (l->form == FORM_JSON)
        make_page(l);
    else
        start_stream(l);
    if (l->err) {
        struct refusal r = l->refusal;

        r.err = l->err;
        problem(q, &r);
    } else if (l->form == FORM_JSON) {
        struct out spare = q->out;

        q->out = l->out;
        l->out = spare;
    }
    if (l->err || l->form == FORM_JSON) {
        q->listing = NULL;
        listing_free(l);
    }
}

/* ---- rows ---- */

void row_begin(struct listing *l)
{
    l->first_cell = true;
    l->row_start = l->out.len;
    scoping_row(l->scoping);
    if (l->form == FORM_JSON && l->rows)
        out_bytes(&l->out, ",", 1);
    if (l->form != FORM_CSV)
        out_bytes(&l->out, "{", 1);
}

void row_end(struct listing *l, struct span cursor)
{
    if (!scoping_allows(l->scoping)) {
        l->out.len = l->row_start;
        listing_pass(l, cursor);
        return;
    }
    if (l->form == FORM_CSV)
        out_bytes(&l->out, "\r\n", 2);
    else
        out_bytes(&l->out, "}\n", l->form == FORM_NDJSON ? 2 : 1);
    l->rows++;
    set_cursor(l, cursor);
}

void row_comma(struct listing *l)
{
    if (!l->first_cell)
        out_bytes(&l->out, ",", 1);
    l->first_cell = false;
}

void row_csv_time(struct listing *l, int64_t utc_s)
{
    char text[TEXT_TIME_SIZE];

    text_put_time(text, utc_s);
    row_comma(l);
    out_text(&l->out, text);
}

void row_csv_raw(struct listing *l)
{
    if (l->raw.err)
        l->out.err = l->raw.err;
    else
        out_csv(&l->out, span_of(l->raw.at, l->raw.len));
}

static size_t count_digits(struct span s, size_t from)
{
    size_t n = from;

    while (n < s.len && s.at[n] >= '0' && s.at[n] <= '9')
        n++;
    return n - from;
}

/* A number as RFC 8259 §6 writes it, without an exponent. */
static bool is_json_number(struct span s)
{
    size_t at = s.len && s.at[0] == '-', whole = count_digits(s, at), part;

    if (!whole || (whole > 1 && s.at[at] == '0'))
        return false;
    at += whole;
    if (at == s.len)
        return true;
    part = s.at[at] == '.' ? count_digits(s, at + 1) : 0;
    return part && at + 1 + part == s.len;
}

void row_number(struct listing *l, const char *name, struct span text)
{
    if (!text.len || !is_json_number(text)) {
        row_text(l, name, text);
        return;
    }
    if (l->form != FORM_CSV)
        out_key(&l->out, name);
    else
        row_comma(l);
    out_bytes(&l->out, text.at, text.len);
}
