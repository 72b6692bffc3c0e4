#include "server/query/xlsx.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xlsxwriter.h>

#define DAY_ZERO 25569     /* 1970-01-01 in days since 1899-12-30 */
#define DAY_LEAST (-25508) /* 1900-03-01: before it the format has a 29 February 1900 */
#define DAY_MOST 2932896   /* 9999-12-31 */
#define MARGIN 0.4         /* inches */
#define HEADING_POINTS 32  /* two lines */
#define ESCAPED 7          /* bytes that one may become */

struct xlsx {
    const struct sheet_column *columns;
    size_t count;
    const struct zone *zone;
    lxw_workbook *book;
    lxw_worksheet *page;
    lxw_format *format[XLSX_COLUMNS_MAX];
    lxw_row_t row; /* 0: the heading */
    lxw_col_t cell;
    int fd; /* the file, in memory */
    enum err err;
    char text[XLSX_TEXT_MAX + 1];
};

static void note(struct xlsx *x, lxw_error e)
{
    if (e == LXW_NO_ERROR || x->err)
        return;
    x->err = e == LXW_ERROR_MEMORY_MALLOC_FAILED ? ERR_NO_MEMORY : ERR_IO;
}

/* ---- texts ---- */

/* Length of the character at s.at[0], 0: it is none that XML may hold (RFC 3629; XML 1.0 §2.2). */
static size_t character(struct span s)
{
    uint8_t first = s.at[0];
    size_t len = first < 0x80   ? 1
                 : first < 0xC2 ? 0
                 : first < 0xE0 ? 2
                 : first < 0xF0 ? 3
                 : first < 0xF5 ? 4
                                : 0;
    uint32_t code = len == 1 ? first : first & (0x7Fu >> len);

    if (!len || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s.at[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (s.at[i] & 0x3Fu);
    }
    if ((len == 3 && code < 0x800) || (len == 4 && (code < 0x10000 || code > 0x10FFFF)) ||
        (code >= 0xD800 && code < 0xE000) || code == 0xFFFE || code == 0xFFFF)
        return 0;
    return len;
}

/* Sheets read _xHHHH_ as the character of that number (ISO/IEC 29500-1 §22.4.2.4). */
static bool looks_escaped(struct span s)
{
    if (s.len < 7 || s.at[0] != '_' || s.at[1] != 'x' || s.at[6] != '_')
        return false;
    for (size_t i = 2; i < 6; i++)
        if (!strchr("0123456789ABCDEFabcdef", s.at[i]) || !s.at[i])
            return false;
    return true;
}

/* `text` as a cell may hold it, in x->text. */
static const char *clean(struct xlsx *x, struct span text)
{
    char *to = x->text, *end = x->text + XLSX_TEXT_MAX;

    while (text.len && to + ESCAPED <= end) {
        size_t len = character(text), step = len ? len : 1;

        if (!len) {
            memcpy(to, "\xEF\xBF\xBD", 3);
            to += 3;
        } else if (looks_escaped(text)) {
            memcpy(to, "_x005F_", ESCAPED);
            to += ESCAPED;
        } else if (len == 1 && (text.at[0] < ' ' || text.at[0] == 0x7F)) {
            *to++ = text.at[0] == '\n' ? '\n' : ' ';
        } else {
            memcpy(to, text.at, len);
            to += len;
        }
        text = span_of(text.at + step, text.len - step);
    }
    *to = 0;
    return x->text;
}

/* ---- the sheet ---- */

static void name_of(const char *name, char out[32])
{
    size_t len = 0;

    for (; name[len] && len < 31; len++)
        out[len] =
            (char)(strchr("[]:*?/\\'", name[len]) || (unsigned char)name[len] < ' ' ? '_'
                                                                                    : name[len]);
    while (len && ((unsigned char)name[len] & 0xC0) == 0x80)
        len--; /* not within a character */
    out[len] = 0;
}

static void number_format(const struct sheet_column *c, char out[32])
{
    static const char zeros[] = "000000000";

    if (c->kind == SHEET_TIME)
        strcpy(out, "yyyy-mm-dd hh:mm");
    else if (c->kind == SHEET_DATE)
        strcpy(out, "yyyy-mm-dd");
    else if (c->digits)
        snprintf(out, 32, "0.%.*s", c->digits < 9 ? c->digits : 9, zeros);
    else
        strcpy(out, "0");
}

static lxw_format *cell_format(struct xlsx *x, const struct sheet_column *c)
{
    lxw_format *f = workbook_add_format(x->book);
    char text[32];

    if (!f) {
        note(x, LXW_ERROR_MEMORY_MALLOC_FAILED);
        return NULL;
    }
    format_set_border(f, LXW_BORDER_THIN);
    format_set_align(f, LXW_ALIGN_VERTICAL_CENTER);
    if (c->kind == SHEET_TEXT) {
        format_set_num_format(f, "@"); /* what is typed over it stays text as well */
        format_set_text_wrap(f);
    } else if (c->kind != SHEET_EMPTY) {
        number_format(c, text);
        format_set_num_format(f, text);
    }
    return f;
}

static double width_of(const struct sheet_column *c)
{
    size_t heading = strlen(c->en) + (c->unit ? strlen(c->unit) + 3 : 0);
    size_t least = c->kind == SHEET_TIME   ? 16
                   : c->kind == SHEET_DATE ? 11
                   : c->kind == SHEET_TEXT ? 12
                                           : 9;

    return c->width ? c->width : (double)(heading > least ? heading : least);
}

static void put_choices(struct xlsx *x, size_t n)
{
    lxw_data_validation rule = { .validate = LXW_VALIDATION_TYPE_LIST,
                                 .value_list = (char **)(uintptr_t)x->columns[n].choices,
                                 .ignore_blank = LXW_VALIDATION_ON,
                                 .error_type = LXW_VALIDATION_ERROR_TYPE_WARNING };

    if (x->columns[n].choices && x->row > 1)
        note(x, worksheet_data_validation_range(x->page, 1, (lxw_col_t)n, x->row - 1, (lxw_col_t)n,
                                                &rule));
}

static void put_headings(struct xlsx *x)
{
    lxw_format *f = workbook_add_format(x->book);
    char text[256];

    if (!f) {
        note(x, LXW_ERROR_MEMORY_MALLOC_FAILED);
        return;
    }
    format_set_bold(f);
    format_set_text_wrap(f);
    format_set_border(f, LXW_BORDER_THIN);
    format_set_bg_color(f, 0xDDE6EE);
    format_set_align(f, LXW_ALIGN_CENTER);
    format_set_align(f, LXW_ALIGN_VERTICAL_CENTER);
    note(x, worksheet_set_row(x->page, 0, HEADING_POINTS, NULL));
    for (size_t i = 0; i < x->count; i++) {
        const struct sheet_column *c = &x->columns[i];

        note(x, worksheet_set_column(x->page, (lxw_col_t)i, (lxw_col_t)i, width_of(c), NULL));
        x->format[i] = cell_format(x, c);
        snprintf(text, sizeof text, "%s\n%s%s%s%s", c->zh, c->en, c->unit ? " (" : "",
                 c->unit ? c->unit : "", c->unit ? ")" : "");
        note(x, worksheet_write_string(x->page, 0, (lxw_col_t)i, text, f));
    }
}

/* A page's head and foot, in which & begins an order. */
static void put_head(struct xlsx *x, const char *title)
{
    char text[256] = "&L";
    size_t len = 2;
    struct span left = span_text(title);

    while (left.len) {
        size_t step = character(left);

        if (!step || (step == 1 && left.at[0] < ' ')) {
            left = span_of(left.at + 1, left.len - 1);
            continue;
        }
        if (len + 2 * step > 200)
            break;
        if (left.at[0] == '&')
            text[len++] = '&';
        memcpy(text + len, left.at, step);
        len += step;
        left = span_of(left.at + step, left.len - step);
    }
    text[len] = 0;
    note(x, worksheet_set_header(x->page, text));
    note(x, worksheet_set_footer(x->page, "&R&P / &N"));
}

static void set_up(struct xlsx *x, const struct sheet *s)
{
    lxw_doc_properties properties = { .title = (char *)(uintptr_t)clean(x, span_text(s->title)),
                                      .created = s->made_at_s };

    note(x, workbook_set_properties(x->book, &properties));
    put_head(x, s->title);
    worksheet_set_landscape(x->page);
    worksheet_set_paper(x->page, 9); /* A4 */
    worksheet_set_margins(x->page, MARGIN, MARGIN, 2 * MARGIN, 2 * MARGIN);
    worksheet_fit_to_pages(x->page, 1, 0); /* one page wide, as long as it gets */
    note(x, worksheet_repeat_rows(x->page, 0, 0));
    worksheet_freeze_panes(x->page, 1, 0);
    put_headings(x);
    x->row = 1;
}

enum err xlsx_new(const struct sheet *sheet, const struct sheet_column *columns, size_t count,
                  struct xlsx **out)
{
    struct xlsx *x = (struct xlsx *)calloc(1, sizeof *x);
    lxw_workbook_options options = { .constant_memory = LXW_TRUE };
    char text[32];
    enum err err;

    assert(count <= XLSX_COLUMNS_MAX);
    if (!x)
        return ERR_NO_MEMORY;
    x->columns = columns;
    x->count = count;
    x->zone = sheet->zone;
    if ((x->fd = memfd_create("sheet", MFD_CLOEXEC)) < 0) {
        free(x);
        return ERR_IO;
    }
    snprintf(text, sizeof text, "/proc/self/fd/%d", x->fd); /* the library wants a name */
    x->book = workbook_new_opt(text, &options);
    if (x->book) {
        name_of(sheet->name, text);
        x->page = workbook_add_worksheet(x->book, text);
    }
    if (!x->page)
        x->err = ERR_NO_MEMORY;
    else
        set_up(x, sheet);
    if (x->err) {
        err = x->err;
        xlsx_drop(x);
        return err;
    }
    *out = x;
    return ERR_OK;
}

/* ---- cells ---- */

/* The format of the cell at hand; NULL: there is none. */
static lxw_format *next_cell(struct xlsx *x, lxw_col_t *out)
{
    if (!x->err && x->row > XLSX_ROWS_MAX)
        x->err = ERR_LIMIT;
    if (x->err)
        return NULL;
    assert(x->cell < x->count);
    *out = x->cell++;
    return x->format[*out];
}

void xlsx_empty(struct xlsx *x)
{
    lxw_col_t at;
    lxw_format *f = next_cell(x, &at);

    if (f)
        note(x, worksheet_write_blank(x->page, x->row, at, f));
}

void xlsx_text(struct xlsx *x, struct span text)
{
    lxw_col_t at;
    lxw_format *f;

    if (!text.len) {
        xlsx_empty(x);
        return;
    }
    if ((f = next_cell(x, &at)))
        note(x, worksheet_write_string(x->page, x->row, at, clean(x, text), f));
}

void xlsx_number(struct xlsx *x, double v)
{
    lxw_col_t at;
    lxw_format *f;

    if (!isfinite(v)) {
        xlsx_empty(x);
        return;
    }
    if ((f = next_cell(x, &at)))
        note(x, worksheet_write_number(x->page, x->row, at, v, f));
}

void xlsx_litres(struct xlsx *x, int64_t ml)
{
    xlsx_number(x, (double)ml / 1e6);
}

void xlsx_date(struct xlsx *x, int64_t day)
{
    if (day < DAY_LEAST || day > DAY_MOST)
        xlsx_empty(x);
    else
        xlsx_number(x, (double)(day + DAY_ZERO));
}

void xlsx_time(struct xlsx *x, int64_t utc_s)
{
    int64_t local_s = utc_s + zone_offset(x->zone, utc_s);

    if (local_s < DAY_LEAST * INT64_C(86400) || local_s >= (DAY_MOST + 1) * INT64_C(86400))
        xlsx_empty(x);
    else
        xlsx_number(x, (double)(local_s + DAY_ZERO * INT64_C(86400)) / 86400); /* rounded once */
}

void xlsx_row_end(struct xlsx *x)
{
    while (!x->err && x->cell < x->count)
        xlsx_empty(x);
    x->cell = 0;
    x->row++;
}

/* ---- the end ---- */

static enum err take_file(struct xlsx *x, struct out *out)
{
    struct stat st;
    size_t got = 0;
    char *to;

    if (fstat(x->fd, &st) || st.st_size <= 0)
        return ERR_IO;
    if (!(to = out_room(out, (size_t)st.st_size)))
        return ERR_NO_MEMORY;
    while (got < (size_t)st.st_size) {
        ssize_t n = pread(x->fd, to + got, (size_t)st.st_size - got, (off_t)got);

        if (n <= 0)
            return ERR_IO;
        got += (size_t)n;
    }
    out->len += got;
    return ERR_OK;
}

/* The library asks gmtime when it was made, whose answer all threads share. */
static pthread_mutex_t closing = PTHREAD_MUTEX_INITIALIZER;

enum err xlsx_end(struct xlsx *x, struct out *out)
{
    enum err err;

    for (size_t i = 0; i < x->count; i++)
        put_choices(x, i);
    if (x->row > 1)
        note(x, worksheet_autofilter(x->page, 0, 0, x->row - 1, (lxw_col_t)(x->count - 1)));
    if (!x->err) {
        pthread_mutex_lock(&closing);
        note(x, workbook_close(x->book)); /* frees it, also where it fails */
        pthread_mutex_unlock(&closing);
        x->book = NULL;
    }
    err = x->err ? x->err : take_file(x, out);
    xlsx_drop(x);
    return err;
}

void xlsx_drop(struct xlsx *x)
{
    if (!x)
        return;
    lxw_workbook_free(x->book);
    close(x->fd);
    free(x);
}
