/* Rows of the register as the API shows them: the columns of server/fleet/columns.def, and what follows from fittings. */
#ifndef NILO_SERVER_QUERY_ROWS_H
#define NILO_SERVER_QUERY_ROWS_H

#include "server/fleet/columns.h"
#include "server/query/listing.h"
#include "server/registers.h"

/* Where a meter was, or what was at a point, at an instant (rules-fleet T3, L13). */
struct fitted {
    bool known;            /* there was a fitting at or before it */
    bool open;             /* it holds at the instant */
    struct fitting fitting; /* the latest that began by then */
};

/* `fittings` by from. */
struct fitted fitted_at(const struct fitting *fittings, size_t count, int64_t at_s);

/* Emits one row of a list: its columns, then `point` and `state` of a meter, `serial` of a point. */
void row_of_register(struct listing *l, struct txn *t, const struct list *list, const struct ledger_row *row, int64_t at_s,
                     struct span cursor);

/* A fill of a list that goes through the register's `kind` in order of keys, each row as of `as_of_s`: `put` emits it or passes it
 * over, with `key` (a view) as the cursor. */
typedef void rows_put(struct listing *l, struct txn *t, const struct ledger_row *row, struct span key);
void rows_fill(struct listing *l, enum list_kind kind, int64_t as_of_s, rows_put *put);

/* The state of a meter at an instant (rules-fleet T3), copied: "" if it has none; and the point that it is at, 0 if none. */
MUST_CHECK enum err state_at(struct txn *t, const struct ledger_row *meter, int64_t at_s, char out[32], uint32_t *out_point);

/* One row as the whole answer. */
void row_alone_begin(struct listing *l, struct request *q);
void row_alone_end(struct listing *l);

/* The row that the path names; false: 404 or worse stands. */
bool row_named(struct request *q, struct txn *t, const struct list *list, int64_t as_of_s, struct ledger_row *out);

/* What a parameter names must be registered, where it is sent at all; false: 404 or worse stands. */
bool named_is_known(struct request *q, struct txn *t, enum list_kind kind, const char *name);

/* Names by id, copied; false: unknown. */
bool point_name(struct txn *t, uint32_t point, char out[64]);
bool meter_serial(struct txn *t, uint32_t meter, char out[SERIAL_MAX + 1]);

#endif
