/* A manual reading on its way into the series: what POST /v1/reads and an order's report share.  For this folder. */
#ifndef NILO_SERVER_ACTS_MANUAL_H
#define NILO_SERVER_ACTS_MANUAL_H

#include "server/acts/answer.h"
#include "server/registers.h"

struct manual_read {
    struct app *app;
    struct meter_facts meter;
    int64_t now_s, at_s; /* at_s: 0 to UINT32_MAX */
    int64_t index_ml;    /* of the billed channel */
    bool photo;          /* read off a picture */
};

/* The meter that was at the point: of two that touch at that instant the one that came. NOT_FOUND: none. */
MUST_CHECK enum err manual_meter_at(struct txn *t, uint32_t point, int64_t at_s, uint32_t *out_meter);
bool manual_possible(const struct manual_read *m, struct act_reply *out); /* false: 422, the dial does not reach it */
/* Is the very same read there already?  Then nothing needs to be written, so that a repeat is harmless. */
MUST_CHECK enum err manual_known(const struct manual_read *m, bool *out_known);
MUST_CHECK enum err manual_journal(const struct manual_read *m); /* durable and visible when it returns */

#endif
