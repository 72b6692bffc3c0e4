/* Rows as a workbook (ISO/IEC 29500, .xlsx) for people: one sheet whose first row stays in sight and stands on every printed page, headings in Chinese and English,
 * numbers, dates and times as such (times in civil time: a sheet knows no zones), volumes in m3.
 *
 *     static const struct sheet_column columns[] = {
 *         { .en = "Address", .zh = "地址", .kind = SHEET_TEXT, .width = 30 },
 *         { .en = "Index", .zh = "读数", .kind = SHEET_NUMBER, .unit = "m³", .digits = 3 },
 *         …
 *     if ((err = xlsx_new(&sheet, columns, count, &x)))
 *         …
 *     xlsx_text(x, address); xlsx_litres(x, index_ml); … xlsx_row_end(x);     // cells from left to right; those not written stay empty
 *     err = xlsx_end(x, &out);                                                // the file's bytes; frees x
 *
 * A text is a text whatever it looks like: "=1+1" is no formula. Control characters become blanks, wrong UTF-8 U+FFFD.  Rows go to a temporary file as they come, so
 * that a long list takes no memory; the first error sticks.  One thread.  This file alone knows libxlsxwriter. */
#ifndef NILO_SERVER_QUERY_XLSX_H
#define NILO_SERVER_QUERY_XLSX_H

#include "server/out.h"

enum sheet_kind {
    SHEET_TEXT,
    SHEET_NUMBER, /* with `digits` decimals */
    SHEET_TIME,   /* yyyy-mm-dd hh:mm */
    SHEET_DATE,   /* yyyy-mm-dd */
    SHEET_EMPTY   /* for the hand: ruled, nothing in it */
};

struct sheet_column {
    const char *en, *zh;        /* heading */
    enum sheet_kind kind;
    const char *unit;           /* behind the heading; NULL: none */
    uint8_t digits;             /* decimals shown */
    uint8_t width;              /* characters; 0: by kind and heading */
    const char *const *choices; /* of a cell, NULL-ended, 255 bytes in all: a list to pick from. NULL: anything */
};

struct sheet {
    const char *name;        /* of the sheet: 31 characters at most, without [ ] : * ? / and backslash; what does not fit becomes '_' or is cut off */
    const char *title;       /* on every printed page's head, 200 bytes at most */
    const struct zone *zone; /* of its times; borrowed until the end */
    int64_t made_at_s;       /* told in the file's properties: the same rows at the same time give the same bytes */
};

#define XLSX_COLUMNS_MAX 64
#define XLSX_ROWS_MAX 1048575 /* the format's, less the heading */
#define XLSX_TEXT_MAX 32767 /* bytes of a cell; what is longer is cut off between characters: the format's end, in characters */

struct xlsx;

/* NO_MEMORY, IO. `columns` are borrowed until the end. */
MUST_CHECK enum err xlsx_new(const struct sheet *sheet, const struct sheet_column *columns, size_t count, struct xlsx **out);

void xlsx_text(struct xlsx *x, struct span text);
void xlsx_number(struct xlsx *x, double v); /* in the column's unit; NaN and infinite: an empty cell */
void xlsx_litres(struct xlsx *x, int64_t ml); /* shown in m3 */
void xlsx_time(struct xlsx *x, int64_t utc_s);
void xlsx_date(struct xlsx *x, int64_t day); /* days since 1970-01-01. Before 1900-03-01 (or after 9999), where sheets count differently: an empty cell */
void xlsx_empty(struct xlsx *x);
void xlsx_row_end(struct xlsx *x);

/* Appends the file to `out`. LIMIT: more than XLSX_ROWS_MAX rows; NO_MEMORY; IO; FULL. Frees x in any case. */
MUST_CHECK enum err xlsx_end(struct xlsx *x, struct out *out);
void xlsx_drop(struct xlsx *x); /* frees without a file; NULL is fine */

#endif
