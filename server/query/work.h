/* Threads for what may take long.  A job is embedded in what it works on: nothing is allocated. */
#ifndef NILO_SERVER_QUERY_WORK_H
#define NILO_SERVER_QUERY_WORK_H

#include "proto/base/err.h"

struct workers;

struct work {
    void (*run)(struct work *w); /* the job may be handed in again from here */
    struct work *next;
};

MUST_CHECK enum err workers_open(const char *name, unsigned threads, struct workers **out);
void workers_submit(struct workers *w, struct work *job); /* any thread; first in, first out */
void workers_close(struct workers *w);                    /* does what is queued, then ends the threads; NULL is fine */

#endif
