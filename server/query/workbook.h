/* Any list as a workbook: the rows of its CSV, each cell as the number, date or time that its column's name says (heading.def), with headings in both languages. */
#ifndef NILO_SERVER_QUERY_WORKBOOK_H
#define NILO_SERVER_QUERY_WORKBOOK_H

#include "server/query/request.h"
#include "server/query/xlsx.h"

#define WORKBOOK_TYPE "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

struct workbook;

/* How a list's column is headed and shown; false: heading.def does not know it, and it is a text under its own name. `en` is filled in. */
bool workbook_heading(const char *name, char en[48], struct sheet_column *out);

/* NO_MEMORY, IO. `columns` (NULL-ended, at most XLSX_COLUMNS_MAX) and `zone` are borrowed until the end. */
MUST_CHECK enum err workbook_new(const char *name, const char *title, const struct zone *zone, int64_t now_s, const char *const *columns, struct workbook **out);

/* Takes whole rows of CSV (RFC 4180) as listings write them. LIMIT: more than XLSX_ROWS_MAX in all; CORRUPT: no such rows. */
MUST_CHECK enum err workbook_rows(struct workbook *w, struct span csv);

MUST_CHECK enum err workbook_end(struct workbook *w, struct out *out); /* appends the file; frees w in any case. As xlsx_end */
void workbook_drop(struct workbook *w);                                /* NULL is fine */

#endif
