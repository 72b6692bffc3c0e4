/* Rows of the register as the API shows them: the columns of server/fleet/columns.def, and what follows from fittings. */
#ifndef NILO_SERVER_QUERY_ROWS_H
#define NILO_SERVER_QUERY_ROWS_H

#include "server/fleet/columns.h"
#include "server/query/listing.h"
#include "server/condition_now.h"

/* Where a meter was, or what was at a point, at an instant (rules-fleet T3, L13). */
struct fitted {
    bool known;            /* there was a fitting at or before it */
    bool open;             /* it holds at the instant */
    struct fitting fitting; /* the latest that began by then */
};

/* `fittings` by from. */
struct fitted fitted_at(const struct fitting *fittings, size_t count, int64_t at_s);

/* What held of a meter at an instant (rules-fleet L13, V9), as known at known_s (INT64_MAX: now). life_done(&of) when done, also after an error; spans borrow from it, so that it is not to be copied. */
struct meter_then {
    struct meter_life of;
    struct life life;
    struct legal legal; /* by the verifications of the instant's civil day or earlier */
    int32_t day;        /* that civil day */
    struct condition condition; /* of what holds now alone; else, and until it is asked for, none */
};
MUST_CHECK enum err meter_then(struct app *app, struct txn *t, uint32_t meter, int64_t at_s, int64_t known_s, struct meter_then *out);
/* As meter_then, of a row at hand (life_look): a zeroed `out`, or that of the meter before. */
MUST_CHECK enum err meter_look(struct app *app, struct txn *t, const struct ledger_row *row, int64_t at_s, int64_t known_s, struct meter_then *out);
MUST_CHECK enum err meter_condition(struct app *app, struct txn *t, const struct fleet_rules *rules, int64_t now_s, struct meter_then *m); /* `m` as of now */

extern const char *const meter_columns[]; /* what a meter's row has besides its cells; NULL-ended */
void row_of_meter(struct listing *l, struct txn *t, const struct ledger_row *row, const struct meter_then *m, struct span cursor);
void row_condition(struct listing *l, const struct condition *c); /* condition_due, condition_basis, condition_text_en, condition_text_zh */
int32_t earlier_day(int32_t a, int32_t b); /* NO_DAY: no such day */
void row_day(struct listing *l, const char *name, int32_t day); /* NO_DAY: null */

/* Emits one row of another list: its columns, then `serial` of a point. */
void row_of_register(struct listing *l, struct txn *t, const struct list *list, const struct ledger_row *row, int64_t at_s,
                     struct span cursor);

/* A fill of a list that goes through the register's `kind` in order of keys, each row as of `as_of_s`: `put` emits it or passes it
 * over, with `key` (a view) as the cursor. */
typedef void rows_put(struct listing *l, struct txn *t, const struct ledger_row *row, struct span key);
void rows_fill(struct listing *l, enum list_kind kind, int64_t as_of_s, rows_put *put);

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
