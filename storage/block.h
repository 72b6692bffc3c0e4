/* One meter's rows squeezed into a block: exact, decodable alone, closed by a CRC-32C over the
 * decoded rows. The format is drawn at the top of block.c and in FORMAT.md. */
#ifndef NILO_STORAGE_BLOCK_H
#define NILO_STORAGE_BLOCK_H

#include "proto/facts.h"

/* Room that block_pack needs for `count` rows: the largest block, and its scratch memory behind it
 * (it allocates nothing). */
size_t block_bound(size_t count);

/* Rows in order of time (equal times keep their order), all within `month_start_s` ≤ time <
 * month_start_s + 2^31; `unit` is the meter's pulse in thousandths, a hint only: any values
 * round-trip. Returns bytes written, 0 if `cap` is below block_bound. */
size_t block_pack(const struct row *rows, size_t count, uint32_t month_start_s, int64_t unit,
                  uint8_t *out, size_t cap);

/* Appends the rows to `out`. Any bytes may come: CORRUPT, TRUNCATED; at most `max_rows` rows are
 * believed: TOO_LARGE. On an error `out` is as before. `month_start_s` and `unit` as they were
 * packed. */
MUST_CHECK enum err block_unpack(struct span block, uint32_t month_start_s, int64_t unit,
                                 size_t max_rows, struct rows *out);

/* The time of the last row, from the times alone, unproven: the checksum of what the block lies in must
 * have been looked at. Errors and arguments as of block_unpack; NOT_FOUND: it has no rows. */
MUST_CHECK enum err block_last_s(struct span block, uint32_t month_start_s, int64_t unit,
                                 size_t max_rows, uint32_t *out_last_s);

/* How many rows the block says it holds, unproven; 0 where that cannot be read. */
size_t block_count(struct span block);

#endif
