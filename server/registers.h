/* The register's rows (ledger) as the values that rules reason over: one place that puts storage's texts and fleet's columns
 * together. */
#ifndef NILO_SERVER_REGISTERS_H
#define NILO_SERVER_REGISTERS_H

#include "server/fleet/columns.h"
#include "storage/ledger.h"
#include "storage/registry.h"

extern const struct registry_cells meter_cells; /* of a row of LIST_METER */

/* NOT_FOUND; CORRUPT where a kept row does not read; t->err. As known now, or at `as_of_s`. */
MUST_CHECK enum err meter_facts_by_id(struct txn *t, uint32_t meter, struct meter_facts *out);
MUST_CHECK enum err meter_facts_by_serial(struct txn *t, struct span serial, struct meter_facts *out);
MUST_CHECK enum err point_facts_by_id(struct txn *t, uint32_t point, struct point_facts *out);
MUST_CHECK enum err point_facts_by_name(struct txn *t, struct span point, struct point_facts *out);
struct cells cells_of(const struct ledger_row *row); /* views into the row's transaction */

/* All fittings of a meter or a point by from_s, however many: in `few`, or malloc'd where there are more than fit. Free with
 * fittings_done, also after an error; NO_MEMORY, t->err. */
#define FITTINGS_FEW 16
struct fittings {
    struct fitting few[FITTINGS_FEW];
    struct fitting *at;
    size_t count;
};
MUST_CHECK enum err fittings_load(struct txn *t, bool of_point, uint32_t id, struct fittings *out);
void fittings_done(struct fittings *f);

/* The one that holds at `at_s`: from_s ≤ at_s < to_s, for an end may be stamped ahead of the clock, and a beginning, too. NOT_FOUND: there is none; and as fittings_load. */
MUST_CHECK enum err fitting_at(struct txn *t, bool of_point, uint32_t id, int64_t at_s, struct fitting *out);

#endif
