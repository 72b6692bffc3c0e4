/* Reading the journal again with today's decoders, keys and recipes, and holding what they say against
 * what is settled: what `nilo store rebuild` prints, and changes once it is told that the difference
 * is right.  The store is opened by nobody else meanwhile. */
#ifndef NILO_SERVER_REDECODE_H
#define NILO_SERVER_REDECODE_H

#include "server/app.h"

/* One reading that is settled and would not be, or the other way round. */
struct redecode_change {
    const char *serial;
    enum channel channel;
    bool added;
    struct row row;
};

struct redecode_options {
    bool accept; /* change the archive */
    void (*each)(void *arg, const struct redecode_change *change); /* NULL: nobody wants to know */
    void (*progress)(void *arg, uint64_t done, uint64_t all); /* records; NULL */
    void *arg;
    uint64_t entries_most; /* (meter, record) pairs held at once, 16 bytes each; 0 = 8 million */
};

struct redecode_report {
    uint64_t records;   /* read again */
    uint64_t unreadable; /* frames of known meters that do not read now, or were played back: nothing of their meters is removed */
    uint64_t meters;    /* that differ */
    uint64_t added, removed; /* readings */
    bool whole; /* the journal reaches back to the store's beginning: only then is a settled reading
                   that no record tells a difference, and only then is any removed */
};

/* Compares, and changes where told so; a crash leaves each month either as it was or amended, and a
 * second run finds the rest. CORRUPT, MISSING, FULL, IO, NO_MEMORY. */
MUST_CHECK enum err redecode(struct app *app, const struct redecode_options *options,
                             struct redecode_report *out);

#endif
