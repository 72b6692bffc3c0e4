/* The keys of the meter at hand, and what is said when none of them opens a telegram. */
#ifndef NILO_PROTO_OMS_RING_H
#define NILO_PROTO_OMS_RING_H

#include "proto/dialect.h"

struct oms_ring {
    const char *mode; /* for sentences: "mode 5" */
    size_t len;       /* bytes of a key of this mode */
    uint32_t meter;   /* 0: nobody registered it */
    unsigned known, count; /* keys of the meter; those of the right length */
    const uint8_t *at[LORE_KEYS]; /* the likeliest first */
};

/* `mode` is kept, not copied. */
struct oms_ring oms_ring_of(const struct dialect_input *in, const struct frame_names *names, const char *mode, size_t len);

/* Why nothing opens it: UNKNOWN where nobody registered the meter, NO_KEY without a key of this length, WRONG_KEY where `proof` is
 * none of those that are known. `offset`: of what is enciphered. */
enum err oms_ring_refuse(const struct oms_ring *ring, const struct dialect_input *in, const struct frame_names *names,
                         const char *proof, uint32_t offset, struct refusal *r);

#endif
