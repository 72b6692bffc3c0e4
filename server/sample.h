/* Which meters of a lot are inspected: the lot are the meters of a batch that are received and wait; the sample is drawn by a rule
 * that anybody can follow, so that nobody picks.
 *
 *     seed = the batch's name    rank = SHA-256(seed ":" serial), as hexadecimal digits    drawn: the lowest ranks */
#ifndef NILO_SERVER_SAMPLE_H
#define NILO_SERVER_SAMPLE_H

#include "server/fleet/sampling.h"
#include "server/fleet/switching.h"
#include "server/lives.h"
#include "server/out.h"

struct drawn {
    uint8_t rank[32];
    uint32_t meter;
    char serial[SERIAL_MAX + 1];
};

struct lot_sample {
    char standard[48], level[8], aql[16];
    enum sampling_severity severity;
    struct sampling_plan plan;
    uint64_t lot;
    struct drawn *drawn; /* plan.sample of them, by serial; malloc'd */
};

struct lot_terms {
    struct span batch, level, aql; /* empty: II, 1.0 */
    enum sampling_severity severity;
};

/* INVALID: no such level or AQL, or (field "batch") no meter of the batch is received: `r` says so. NO_MEMORY; t->err. Free with lot_sample_done, also after an error. */
MUST_CHECK enum err lot_sample(struct app *app, struct txn *t, const struct lot_terms *terms, struct lot_sample *out, struct refusal *r);
void lot_sample_done(struct lot_sample *s);

/* The members lot, letter, sample, accept, reject, level, aql, severity, standard, seed. */
void lot_sample_put(struct out *o, const struct lot_sample *s, struct span batch);

/* How severely the next lot of this supplier and model (without both: of this batch) is to be inspected, by the samples of their lots under the same AQL so far, in the order in which they were
 * inspected. After a rejected sample of a batch those of the same batch count for nothing until one is accepted: the lot was submitted again. NO_MEMORY; t->err. */
MUST_CHECK enum err lot_advice(struct txn *t, const struct lot_terms *terms, struct switching_advice *out);

/* Walks the meters of a batch by serial; w.value is the meter. */
struct index_walk lot_meters(struct txn *t, struct span batch);

#endif
