/* The bytes of a RECORD_ROWS: readings from a file, a person or a platform, many meters in one record.
 *
 *   repeat: varint meter · u8 channel · varint count · count × (zigzag time step s · zigzag value step · u8 attr)
 *
 * steps from 0 at the first. */
#ifndef NILO_STORAGE_ROWSET_H
#define NILO_STORAGE_ROWSET_H

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "proto/facts.h"

void rowset_put(struct wr *w, uint32_t meter, enum channel channel, const struct row *rows, size_t count);

/* The next group of the record: its rows are pushed to `out` (cleared first). NOT_FOUND at the end; CORRUPT. */
MUST_CHECK enum err rowset_next(struct rd *r, uint32_t *out_meter, enum channel *out_channel, struct rows *out);

#endif
