/* CSV is split here while a line holds no quote, and by libcsv where one does. */
#include "server/acts/rowfile.h"

#include "proto/base/wr.h"

#include <csv.h>
#include <stdio.h>
#include <stdlib.h>

struct rowfile {
    const struct list *list;
    const struct rowfile_calls *calls;
    void *arg;
    uint64_t line; /* of the bytes at hand */
    bool stopped;
    enum err err;

    /* CSV */
    unsigned columns;       /* of the header; 0: not read yet */
    int place[COLUMNS_MAX]; /* the list's column at each place of the file */
    struct csv_parser csv;
    uint64_t begun; /* line where the row at hand began, 0: none did */
    unsigned cells;
    struct span cell[COLUMNS_MAX + 1]; /* one more, to tell a row that is too long */
    size_t used;
    struct import_refusal *header;
    uint8_t room[ROWFILE_ROW_MAX];
};

void import_refusal_fill(struct import_refusal *f, uint64_t line, const char *column,
                         struct span found, const char *expected)
{
    size_t len = found.len < sizeof f->found ? found.len : sizeof f->found - 1;

    memset(f, 0, sizeof *f);
    f->line = line;
    snprintf(f->column, sizeof f->column, "%s", column);
    memcpy(f->found, found.at ? (const char *)found.at : "", len);
    while (len && ((uint8_t)f->found[len - 1] & 0xc0) == 0x80 && len < found.len)
        f->found[--len] = 0; /* a character is not cut in its middle */
    if (len && len < found.len && ((uint8_t)f->found[len - 1] & 0x80))
        f->found[len - 1] = 0;
    snprintf(f->expected, sizeof f->expected, "%s", expected);
}

static void fault(struct rowfile *f, uint64_t line, const char *column, struct span found,
                  const char *expected)
{
    struct import_refusal refusal;

    import_refusal_fill(&refusal, line, column, found, expected);
    if (!f->calls->fault(f->arg, &refusal))
        f->stopped = true;
}

static struct span blanks_off(struct span text)
{
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = span_of(text.at + 1, text.len - 1);
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* ---- the header ---- */

static void header_fault(struct rowfile *f, struct span columns, struct span found,
                         const char *expected)
{
    char column[sizeof f->header->column];

    text_cut(column, sizeof column, columns);
    import_refusal_fill(f->header, f->begun, column, found, expected);
    f->err = ERR_INVALID;
    f->stopped = true;
}

static void known_columns(const struct list *l, char *out, size_t cap)
{
    struct wr w = wr_of(out, cap - 1);

    wr_text(&w, "one of the columns");
    for (unsigned i = 0; i < l->columns; i++)
        wr_format(&w, "%s %s", i ? "," : "", l->column[i].name);
    out[wr_len(&w)] = 0;
}

/* All of them at once, so that a file is put right at once. */
static void unknown_columns(struct rowfile *f)
{
    char found[sizeof f->header->found], known[sizeof f->header->expected];
    struct wr w = wr_of(found, sizeof found - 1);

    for (unsigned i = 0; i < f->cells; i++)
        if (i >= COLUMNS_MAX || list_column(f->list, f->cell[i]) < 0)
            wr_format(&w, "%s%.*s", wr_len(&w) ? ", " : "",
                      (int)(f->cell[i].len < 40 ? f->cell[i].len : 40),
                      (const char *)f->cell[i].at);
    known_columns(f->list, known, sizeof known);
    header_fault(f, wr_span(&w), wr_span(&w), known);
}

static bool header_has(const struct rowfile *f, unsigned column)
{
    for (unsigned i = 0; i < f->cells; i++)
        if (f->place[i] == (int)column)
            return true;
    return false;
}

static void header_complete(struct rowfile *f)
{
    static const char required[] = "the required columns ";
    char missing[sizeof f->header->expected];
    struct wr w = wr_of(missing, sizeof missing - 1);

    for (unsigned i = 0; i < f->list->columns; i++)
        if (f->list->column[i].need != NEED_MAY && !header_has(f, i))
            wr_format(&w, "%s%s", wr_len(&w) ? ", " : required, f->list->column[i].name);
    missing[wr_len(&w)] = 0;
    if (wr_len(&w))
        header_fault(f, span_text(missing + sizeof required - 1),
                     span_text("a header without them"), missing);
}

static void header_row(struct rowfile *f)
{
    for (unsigned i = 0; i < f->cells && !f->stopped; i++) {
        int column = i < COLUMNS_MAX ? list_column(f->list, f->cell[i]) : -1;

        for (unsigned before = 0; before < i && column >= 0; before++)
            if (f->place[before] == column) {
                header_fault(f, f->cell[i], f->cell[i], "each column once");
                return;
            }
        if (column < 0) {
            unknown_columns(f);
            return;
        }
        f->place[i] = column;
    }
    header_complete(f);
    f->columns = f->cells;
}

/* ---- rows ---- */

static void ragged(struct rowfile *f)
{
    char found[48], expected[48];

    snprintf(found, sizeof found, "%u cells%s", f->cells, f->cells > COLUMNS_MAX ? " or more" : "");
    snprintf(expected, sizeof expected, "%u cells, as in the header", f->columns);
    fault(f, f->begun, "", span_text(found), expected);
}

static void csv_row(struct rowfile *f)
{
    struct rowfile_row row = { .line = f->begun };

    if (f->columns == 0) {
        header_row(f);
    } else if (f->cells != f->columns) {
        ragged(f);
    } else {
        for (unsigned i = 0; i < f->cells; i++)
            row.cells[f->place[i]] = f->cell[i];
        if (!f->calls->row(f->arg, &row))
            f->stopped = true;
    }
}

static void row_clear(struct rowfile *f)
{
    f->begun = 0;
    f->cells = 0;
    f->used = 0;
}

static void cell_add(struct rowfile *f, struct span cell)
{
    if (f->cells <= COLUMNS_MAX)
        f->cell[f->cells++] = cell;
}

/* ---- with quotes: libcsv ---- */

static void on_cell(void *bytes, size_t len, void *arg)
{
    struct rowfile *f = (struct rowfile *)arg;

    if (f->stopped || len > sizeof f->room - f->used)
        return; /* the latter is told after the line */
    if (!f->begun)
        f->begun = f->line; /* a second row in one line, after a lone carriage return */
    memcpy(f->room + f->used, bytes, len);
    cell_add(f, span_of(f->room + f->used, len));
    f->used += len;
}

static void on_row(int end, void *arg)
{
    struct rowfile *f = (struct rowfile *)arg;

    (void)end;
    if (!f->stopped && f->begun && f->cells)
        csv_row(f);
    row_clear(f);
}

static void csv_again(struct rowfile *f)
{
    csv_free(&f->csv);
    row_clear(f);
    if (csv_init(&f->csv, CSV_STRICT | CSV_STRICT_FINI)) {
        f->err = ERR_NO_MEMORY;
        f->stopped = true;
    }
}

/* Where what is wrong began: after a lone carriage return that is the line at hand. */
static uint64_t wrong_line(const struct rowfile *f)
{
    return f->begun ? f->begun : f->line;
}

static void too_long(struct rowfile *f)
{
    fault(f, wrong_line(f), "", span_text("a row of more than 32 KiB"),
          "quotes that are closed, and shorter cells");
    f->stopped = true; /* nobody knows where the next row begins */
}

static void quoted_line(struct rowfile *f, struct span line)
{
    if (!f->begun)
        f->begun = f->line;
    if (line.len > ROWFILE_ROW_MAX) { /* libcsv would keep it all, 128 bytes at a time */
        too_long(f);
        return;
    }
    if (csv_parse(&f->csv, line.at, line.len, on_cell, on_row, f) == line.len) {
        if (f->csv.entry_pos + f->used > ROWFILE_ROW_MAX / 2)
            too_long(f);
        return;
    }
    if (f->stopped)
        return;
    if (csv_error(&f->csv) == CSV_EPARSE) {
        fault(f, wrong_line(f), "", span_text("a quote in the middle of a cell"),
              "quotes around the whole cell, doubled inside");
    } else {
        f->err = ERR_NO_MEMORY;
        f->stopped = true;
    }
    csv_again(f);
}

/* ---- without: one pass ---- */

/* False: a quote, or a carriage return that does not end the line; libcsv must look at it. */
static bool plain_line(struct rowfile *f, struct span line)
{
    const uint8_t *start = line.at, *end = line.at + line.len;

    if (end > start && end[-1] == '\r')
        end--;
    if (blanks_off(span_of(start, (size_t)(end - start))).len == 0)
        return true;
    for (const uint8_t *at = start; at < end; at++) {
        if (*at == ',') {
            cell_add(f, blanks_off(span_of(start, (size_t)(at - start))));
            start = at + 1;
        } else if (*at == '"' || *at == '\r') {
            f->cells = 0;
            return false;
        }
    }
    cell_add(f, blanks_off(span_of(start, (size_t)(end - start))));
    f->begun = f->line;
    csv_row(f);
    row_clear(f);
    return true;
}

static void csv_line(struct rowfile *f, struct span line, bool ended)
{
    if (!f->begun && plain_line(f, line))
        return;
    quoted_line(f, span_of(line.at, line.len + (ended ? 1 : 0)));
}

static void csv_end(struct rowfile *f)
{
    if (f->stopped || !f->begun)
        return;
    if (csv_fini(&f->csv, on_cell, on_row, f))
        fault(f, wrong_line(f), "", span_text("a quote that is never closed"),
              "quotes around the whole cell, doubled inside");
}

/* ---- lines ---- */

static void json_line(struct rowfile *f, struct span line)
{
    struct rowfile_row row = { .line = f->line };
    struct import_refusal refusal;

    line = blanks_off(line);
    if (line.len && line.at[line.len - 1] == '\r')
        line = blanks_off(span_of(line.at, line.len - 1));
    if (line.len == 0)
        return;
    if (rowfile_json(line, f->list, f->room, sizeof f->room, row.cells, &refusal)) {
        if (!f->calls->row(f->arg, &row))
            f->stopped = true;
        return;
    }
    refusal.line = f->line;
    if (!f->calls->fault(f->arg, &refusal))
        f->stopped = true;
}

static void each_line(struct rowfile *f, struct span text, bool json)
{
    const uint8_t *at = text.at, *end = text.at + text.len;

    while (at < end && !f->stopped) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        struct span line = span_of(at, (size_t)((newline ? newline : end) - at));

        f->line++;
        if (json)
            json_line(f, line);
        else
            csv_line(f, line, newline != NULL);
        at = newline ? newline + 1 : end;
    }
}

static struct span mark_off(struct span text)
{
    if (text.len >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
        text = span_of(text.at + 3, text.len - 3);
    return text;
}

static bool begins_with_object(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] != ' ' && text.at[i] != '\t' && text.at[i] != '\r' && text.at[i] != '\n')
            return text.at[i] == '{';
    return false;
}

enum err rowfile_read(struct span text, const struct list *list, const struct rowfile_calls *calls,
                      void *arg, struct import_refusal *out_header)
{
    struct rowfile *f = (struct rowfile *)calloc(1, sizeof *f);
    bool json;
    enum err err;

    if (!f)
        return ERR_NO_MEMORY;
    f->list = list;
    f->calls = calls;
    f->arg = arg;
    f->header = out_header;
    if (csv_init(&f->csv, CSV_STRICT | CSV_STRICT_FINI)) {
        free(f);
        return ERR_NO_MEMORY;
    }
    text = mark_off(text);
    json = begins_with_object(text);
    each_line(f, text, json);
    if (!json)
        csv_end(f);
    csv_free(&f->csv);
    err = f->err;
    explicit_bzero(f, sizeof *f); /* a file of keys goes this way, too */
    free(f);
    return err;
}
