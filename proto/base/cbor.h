/* CBOR (RFC 8949), read item by item from a cursor (rd.h) whose first error sticks: TRUNCATED; MALFORMED: not well-formed;
 * TOO_LARGE: deeper than CBOR_DEPTH. No memory, no recursion, no floating point.
 *
 *     struct cbor map, key;
 *
 *     if (cbor_next(&rd, &map) && map.kind == CBOR_MAP)
 *         for (struct cbor_walk w = cbor_walk(&map); cbor_more(&rd, &w);) {
 *             cbor_next(&rd, &key);
 *             …
 *             cbor_skip(&rd);
 *         }
 *     if (rd.err) …
 */
#ifndef NILO_PROTO_BASE_CBOR_H
#define NILO_PROTO_BASE_CBOR_H

#include "proto/base/rd.h"

#define CBOR_DEPTH 32 /* arrays, maps and tags inside one another */

enum cbor_kind {
    CBOR_NONE,     /* after an error */
    CBOR_UNSIGNED, /* `value` */
    CBOR_NEGATIVE, /* −1 − `value` */
    CBOR_BYTES,    /* `bytes` */
    CBOR_TEXT,     /* `bytes`, whose UTF-8 nobody checked */
    CBOR_ARRAY,    /* `value` elements, or `endless` */
    CBOR_MAP,      /* `value` pairs, or `endless` */
    CBOR_TAG,      /* `value`; the item that it is about follows */
    CBOR_FALSE,
    CBOR_TRUE,
    CBOR_NULL,
    CBOR_UNDEFINED,
    CBOR_SIMPLE,   /* `value` */
    CBOR_FLOAT,    /* mantissa · 2^power, exactly; `finite` false: an infinity or no number */
    CBOR_BREAK     /* the end of an endless one; seen only by who does not walk with cbor_more */
};

struct cbor {
    enum cbor_kind kind;
    bool endless;       /* of indefinite length: a string's pieces follow, each an item, then CBOR_BREAK */
    bool finite;
    int32_t power;
    uint64_t value;
    int64_t mantissa;
    struct span bytes;  /* borrowed */
};

/* The next item: of an array, a map, a tag or an endless string its head alone. False once the cursor has failed. A count that the
 * bytes left cannot hold is TRUNCATED. */
bool cbor_next(struct rd *r, struct cbor *out);
void cbor_skip(struct rd *r); /* a whole item with all that is inside */

/* The elements of an array, or pairs of a map, that was just read. */
struct cbor_walk {
    uint64_t left;
    bool endless;
};
struct cbor_walk cbor_walk(const struct cbor *of);    /* of anything else: none */
bool cbor_more(struct rd *r, struct cbor_walk *w);    /* false at the end, or once the cursor has failed */

/* Where it is a whole number within 64 bits. */
bool cbor_is_int(const struct cbor *c, int64_t *out);

#endif
