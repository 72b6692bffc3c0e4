/* The rows of a file that people bring: CSV (RFC 4180, a header, columns in any order) or NDJSON, told apart by the first byte that
 * is no blank.  Pure: bytes in, cells out; what a cell means is fleet/columns.h. */
#ifndef NILO_SERVER_ACTS_ROWFILE_H
#define NILO_SERVER_ACTS_ROWFILE_H

#include "server/acts/act.h"
#include "server/fleet/columns.h"

#define ROWFILE_ROW_MAX 65536u /* bytes of one row: 20 cells of 1 024 bytes, with room for quotes and escapes */

struct rowfile_row {
    uint64_t line; /* where it begins, from 1 */
    struct span cells[COLUMNS_MAX]; /* as written, by the list's columns; absent ones are empty */
};

/* False from either ends the reading. All is borrowed for the call. */
struct rowfile_calls {
    bool (*row)(void *arg, const struct rowfile_row *row);
    bool (*fault)(void *arg, const struct import_refusal *fault); /* a row whose form is wrong */
};

/* INVALID: the header is refused, `out_header` says why, and no row was handed out. NO_MEMORY. */
MUST_CHECK enum err rowfile_read(struct span text, const struct list *list, const struct rowfile_calls *calls, void *arg,
                                 struct import_refusal *out_header);

void import_refusal_fill(struct import_refusal *f, uint64_t line, const char *column, struct span found, const char *expected);

/* One flat JSON object: its members' texts by the list's columns. `room` takes strings that had escapes. For rowfile.c and its tests. */
bool rowfile_json(struct span line, const struct list *list, uint8_t *room, size_t room_bytes, struct span cells[COLUMNS_MAX],
                  struct import_refusal *fault);

#endif
