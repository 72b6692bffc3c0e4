#include "server/query/workbook.h"

#include "proto/base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEADING_SIZE 48
#define NUMBER_SIZE 40 /* a longer text is no number of ours */

static const struct heading {
    const char *name;
    enum { KIND_TEXT, KIND_NUMBER, KIND_LITRES, KIND_TIME, KIND_DATE } kind;
    uint8_t digits;
    const char *zh;
} headings[] = {
#define HEADING(name_, kind_, digits_, zh_) { #name_, KIND_##kind_, digits_, zh_ },
#include "server/query/heading.def"
#undef HEADING
};

struct workbook {
    struct xlsx *sheet;
    size_t count;
    uint64_t rows;
    size_t channel; /* the column of that name; count: there is none */
    bool no_volume; /* the row at hand is of a channel that counts no water */
    struct span cells[XLSX_COLUMNS_MAX];
    struct out texts; /* cells that were quoted, without their quotes */
    struct sheet_column columns[XLSX_COLUMNS_MAX];
    char en[XLSX_COLUMNS_MAX][HEADING_SIZE];
    uint8_t kinds[XLSX_COLUMNS_MAX];
};

static const struct heading *heading_of(const char *name)
{
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
        if (strcmp(headings[i].name, name) == 0)
            return &headings[i];
    return NULL;
}

/* "start_index_l" → "Start index" */
static void say_name(const char *name, bool litres, char out[HEADING_SIZE])
{
    size_t len = strlen(name);

    if (litres && len > 2)
        len -= 2;
    snprintf(out, HEADING_SIZE, "%.*s", (int)len, name);
    for (char *at = out; *at; at++)
        if (*at == '_')
            *at = ' ';
    if (out[0] >= 'a' && out[0] <= 'z')
        out[0] = (char)(out[0] - 'a' + 'A');
}

bool workbook_heading(const char *name, char en[HEADING_SIZE], struct sheet_column *out)
{
    static const enum sheet_kind kinds[] = { [KIND_TEXT] = SHEET_TEXT,
                                             [KIND_NUMBER] = SHEET_NUMBER,
                                             [KIND_LITRES] = SHEET_NUMBER,
                                             [KIND_TIME] = SHEET_TIME,
                                             [KIND_DATE] = SHEET_DATE };
    const struct heading *h = heading_of(name);
    bool litres = h && h->kind == KIND_LITRES;

    say_name(name, litres, en);
    *out = (struct sheet_column){ .en = en, .zh = h ? h->zh : name, .kind = SHEET_TEXT };
    if (!h)
        return false;
    out->kind = kinds[h->kind];
    out->digits = litres ? 3 : h->digits;
    out->unit = litres ? "m³" : NULL;
    return true;
}

enum err workbook_new(const char *name, const char *title, const struct zone *zone, int64_t now_s,
                      const char *const *columns, struct workbook **out)
{
    struct sheet sheet = { .name = name, .title = title, .zone = zone, .made_at_s = now_s };
    struct workbook *w = (struct workbook *)calloc(1, sizeof *w);
    enum err err;

    if (!w)
        return ERR_NO_MEMORY;
    while (columns[w->count] && w->count < XLSX_COLUMNS_MAX) {
        const struct heading *h = heading_of(columns[w->count]);

        workbook_heading(columns[w->count], w->en[w->count], &w->columns[w->count]);
        w->kinds[w->count] = (uint8_t)(h ? h->kind : KIND_TEXT);
        w->count++;
    }
    w->channel = 0;
    while (w->channel < w->count && strcmp(columns[w->channel], "channel") != 0)
        w->channel++;
    if ((err = xlsx_new(&sheet, w->columns, w->count, &w->sheet))) {
        free(w);
        return err;
    }
    *out = w;
    return ERR_OK;
}

/* ---- cells ---- */

static bool number_of(struct span text, double *out)
{
    char copy[NUMBER_SIZE], *end;

    if (!text.len || text.len >= sizeof copy)
        return false;
    for (size_t i = 0; i < text.len; i++) /* strtod takes "nan" and "0x1" as well */
        if (!strchr("+-.0123456789eE", text.at[i]) || !text.at[i])
            return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    *out = strtod(copy, &end);
    return !*end && end != copy && isfinite(*out);
}

/* A name that looks like one, in a column of numbers: "007" and "1e5" stay as they are written. */
static bool is_plain(struct span text)
{
    size_t sign = text.len && text.at[0] == '-';

    return !memchr(text.at, 'e', text.len) && !memchr(text.at, 'E', text.len) &&
           text.at[0] != '+' &&
           !(text.len > sign + 1 && text.at[sign] == '0' && text.at[sign + 1] != '.');
}

static void put_cell(struct workbook *w, size_t column, struct span text)
{
    int64_t value;
    double number;

    switch (w->kinds[column]) {
    case KIND_LITRES:
    case KIND_NUMBER:
        if (w->kinds[column] == KIND_LITRES && w->no_volume)
            break;
        if (number_of(text, &number) && is_plain(text)) {
            xlsx_number(w->sheet, w->kinds[column] == KIND_LITRES ? number / 1000 : number);
            return;
        }
        break;
    case KIND_TIME:
        if (text.len && !text_time(text, NULL, &value)) {
            xlsx_time(w->sheet, value);
            return;
        }
        break;
    case KIND_DATE:
        if (text.len && !text_date(text, &value)) {
            xlsx_date(w->sheet, value);
            return;
        }
        break;
    default:
        break;
    }
    xlsx_text(w->sheet, text);
}

static void put_row(struct workbook *w)
{
    struct span channel = w->channel < w->count ? w->cells[w->channel] : (struct span){ 0 };

    w->no_volume =
        span_equal(channel, span_text("pressure")) || span_equal(channel, span_text("temperature"));
    for (size_t i = 0; i < w->count; i++)
        put_cell(w, i, w->cells[i]);
    xlsx_row_end(w->sheet);
    w->rows++;
}

/* ---- CSV ---- */

/* A quoted cell from behind its first quote; its text without quotes is put to w->texts. False: it
 * does not end. */
static bool unquote(struct workbook *w, struct span csv, size_t *at, struct span *out)
{
    size_t begin = w->texts.len;

    for (; *at < csv.len; ++*at) {
        if (csv.at[*at] == '"' && (*at + 1 == csv.len || csv.at[*at + 1] != '"')) {
            ++*at;
            *out = span_of(w->texts.at + begin, w->texts.len - begin);
            return !w->texts.err;
        }
        if (csv.at[*at] == '"')
            ++*at;
        out_bytes(&w->texts, csv.at + *at, 1);
    }
    return false;
}

static bool read_cell(struct workbook *w, struct span csv, size_t *at, struct span *out)
{
    size_t begin = *at;

    if (*at < csv.len && csv.at[*at] == '"') {
        ++*at;
        return unquote(w, csv, at, out);
    }
    while (*at < csv.len && csv.at[*at] != ',' && csv.at[*at] != '\r')
        ++*at;
    *out = span_of(csv.at + begin, *at - begin);
    return true;
}

static bool read_row(struct workbook *w, struct span csv, size_t *at)
{
    out_clear(&w->texts);
    /* Texts must not move under the cells that point at them. */
    if (!out_room(&w->texts, csv.len - *at + 1))
        return false;
    for (size_t i = 0; i < w->count; i++) {
        if (!read_cell(w, csv, at, &w->cells[i]) || *at >= csv.len)
            return false;
        if (csv.at[*at] != (i + 1 < w->count ? ',' : '\r'))
            return false;
        ++*at;
    }
    if (*at >= csv.len || csv.at[*at] != '\n')
        return false;
    ++*at;
    return true;
}

enum err workbook_rows(struct workbook *w, struct span csv)
{
    size_t at = 0;

    while (at < csv.len) {
        if (w->rows == XLSX_ROWS_MAX)
            return ERR_LIMIT;
        if (!read_row(w, csv, &at))
            return w->texts.err ? w->texts.err : ERR_CORRUPT;
        put_row(w);
    }
    return ERR_OK;
}

enum err workbook_end(struct workbook *w, struct out *out)
{
    enum err err = xlsx_end(w->sheet, out);

    w->sheet = NULL;
    workbook_drop(w);
    return err;
}

void workbook_drop(struct workbook *w)
{
    if (!w)
        return;
    xlsx_drop(w->sheet);
    out_done(&w->texts);
    free(w);
}
