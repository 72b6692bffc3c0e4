/* Data files of rules, line by line and word by word: what the readers of such files share.  # and what is behind it are remarks where a reader wants them to be.  Pure. */
#ifndef NILO_SERVER_FLEET_LINES_H
#define NILO_SERVER_FLEET_LINES_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

struct lines {
    struct span rest, line; /* what is left of the file, and of the line at hand */
    uint32_t number;        /* of that line, from 1 */
    struct refusal *r;
};

struct lines lines_of(struct span file, struct refusal *r); /* a byte order mark before it is passed over */
bool lines_next(struct lines *l);             /* false: the file is over; then `number` is that of the line behind it */
struct span lines_word(struct lines *l);      /* takes the next word of the line; empty: there is none */
struct span lines_left(const struct lines *l); /* what is left of the line, without blanks around it */

/* "line 3: found "x", expected …": bytes that a terminal would not show are told as '?'. Returns `err`. */
enum err lines_wrong(struct lines *l, enum err err, struct span found, const char *expected);

/* Reads a whole file of at most `most` bytes into `l`: `line` is called for each line, and the first error ends it. TOO_LARGE. */
MUST_CHECK enum err lines_each(struct lines *l, struct span file, size_t most, struct refusal *r, enum err (*line)(void *arg), void *arg);

#endif
