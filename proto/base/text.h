/* Times, dates, litres and serials as text, exactly. */
#ifndef NILO_PROTO_BASE_TEXT_H
#define NILO_PROTO_BASE_TEXT_H

#include "proto/base/day.h"
#include "proto/base/wr.h"

#define TEXT_TIME_SIZE 21   /* "2026-11-26T00:07:33Z" and its zero */
#define TEXT_LITRES_SIZE 24 /* "-9223372036854775.808" and its zero */
#define SERIAL_MAX 32

/* RFC 3339 with offset ("2026-03-01T02:00:00+08:00", "…Z", seconds' fraction cut off); where `local` is given also without
 * offset, "T" or a blank between date and time, seconds optional, and a bare date (its midnight).
 * MALFORMED; NOT_FOUND for a local time that never occurs. */
MUST_CHECK enum err text_time(struct span text, const struct zone *local, int64_t *out_utc_s);
void text_put_time(char out[TEXT_TIME_SIZE], int64_t utc_s); /* always "Z"; years 0000 to 9999 */
MUST_CHECK enum err text_date(struct span text, int64_t *out_day); /* "2026-03-01" → days since 1970-01-01 */
void text_put_date(char out[11], int64_t day);

/* Litres with up to three decimals ↔ millilitres. "12", "-0.5", "1249.350" (zeros after the third decimal are no harm, other
 * digits are RANGE). MALFORMED, RANGE. */
MUST_CHECK enum err text_litres(struct span text, int64_t *out_ml);
size_t text_put_litres(char out[TEXT_LITRES_SIZE], int64_t ml); /* the shortest; returns its length */
MUST_CHECK enum err text_int(struct span text, int64_t *out);

/* A decimal number to 10^-places, exactly: text_decimal("2.5", 3) is 2500. MALFORMED, RANGE. */
MUST_CHECK enum err text_decimal(struct span text, unsigned places, int64_t *out);

/* 1 to 32 bytes of A–Z a–z 0–9 . _ : - */
bool text_is_serial(struct span text);
bool text_is_utf8(struct span text); /* RFC 3629, without control characters other than tab and line feed */

/* As a path or a query wants it: all but letters, digits and -._~ escaped (RFC 3986 §2.1). To `out` at most 3 × text.len bytes, without a
 * zero; returns how many. */
size_t text_put_escaped(char *out, struct span text);

/* A copy that ends in a NUL, to be freed; NULL: no memory. Unlike strndup it reads nothing beyond the text, not even under a sanitizer that
 * looks for a text's end: a text of the store may lie at the end of its file. */
char *text_copy(struct span text);

/* As much of it as `size` ≥ 1 bytes hold, with a NUL. */
void text_cut(char *out, size_t size, struct span text);

#endif
