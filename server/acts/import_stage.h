/* Readings of a file on their way into the store, a slice at a time: sorted by meter and channel, what is known already left out, then
 * to the journal and to a staged archive pass.  For import_readings.c. */
#ifndef NILO_SERVER_ACTS_IMPORT_STAGE_H
#define NILO_SERVER_ACTS_IMPORT_STAGE_H

#include "server/acts/import.h"

struct item {
    int64_t value;
    uint32_t time_s;
    uint32_t key; /* meter << 4 | channel */
    uint32_t attr;
};

#define STAGE_SLICE (1u << 20) /* items: 24 MiB, and as much again while they are sorted */
#define STAGE_SMALL 4096u      /* rows that go as one intake instead: visible at once, atomic by itself */

_Static_assert(LIMIT_METERS <= (1u << 28), "an item's key holds a meter and a channel");

struct stage;

MUST_CHECK enum err stage_new(struct import *i, struct stage **out);
uint32_t stage_meters(const struct stage *s); /* ids below it can be put: those registered later are unknown to this import */
void stage_free(struct stage *s); /* NULL is fine; what was staged and not completed is discarded */

/* Items in the order of the file; they are changed. `small`: they are the whole file. */
MUST_CHECK enum err stage_put(struct stage *s, struct item *items, size_t count, bool small);

/* All rows count from now on. */
MUST_CHECK enum err stage_complete(struct stage *s);

#endif
