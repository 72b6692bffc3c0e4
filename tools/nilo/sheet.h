/* Rows as people and programs want them: an aligned table (East Asian wide characters count two),
 * JSON, NDJSON or CSV. */
#ifndef NILO_TOOLS_NILO_SHEET_H
#define NILO_TOOLS_NILO_SHEET_H

#include "proto/base/day.h"
#include "tools/nilo/args.h"

#include <jansson.h>
#include <stdio.h>

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_NDJSON, FORMAT_CSV };

/* --format, or a table on a terminal and NDJSON elsewhere. False: said why. */
bool format_read(const struct args *a, enum format *out);

/* Columns of text on a terminal. */
unsigned text_width(const char *utf8);

/* Is the person at the terminal Chinese? From LC_ALL, LC_MESSAGES and LANG. */
bool speaks_chinese(void);
/* The heading of a member ("serial" → 水表号 for those who speak Chinese), else the name itself. */
const char *label_of(const char *name);

/* From now on tables show times in this civil time, offset and all; in UTC without it. JSON and CSV
 * are for machines and stay in UTC. Kept, not copied. */
void sheet_times_in(const struct zone *zone);

/* A sentence with the times in it told so, malloc'd; NULL: no memory. */
char *civil_words(const char *text);

struct sheet;

/* A table of the members named in `columns` ("serial dn kind" or "serial,dn,kind"). A table needs
 * widths, so that up to SHEET_HELD rows are held back before the first line is printed; later rows
 * follow with those widths. */
#define SHEET_HELD 2000
struct sheet *sheet_new(const char *columns, FILE *to);
bool sheet_row(struct sheet *s,
               json_t *row); /* borrows; false: out of memory or the output failed */
void sheet_give_up(
    struct sheet *s);             /* an empty table is not to look like an answer; NULL is fine */
bool sheet_free(struct sheet *s); /* prints what is held; NULL is fine */

/* The same members as CSV, with a heading. */
void csv_heading(const char *columns, FILE *to);
void csv_row(const char *columns, json_t *row, FILE *to);

/* One object: "name  value" lines, or CSV of a single row, or `raw`: the JSON as it came, with
 * every digit. The lines are for people: members that are empty are left out, a code stands with its
 * text in the reader's language, of a list of objects each has a line,
 * and what nests deep is a tree. */
void sheet_object(json_t *object, const char *raw, enum format f, FILE *to);

#endif
