/* Gathers values in any order, and makes a frame's series of them: a series for each channel, newest first.  For dialects whose
 * records come as they come. */
#ifndef NILO_PROTO_GATHER_H
#define NILO_PROTO_GATHER_H

#include "proto/base/arena.h"
#include "proto/frame.h"

#define GATHER_MOST 16384 /* values of one frame: more than 64 KiB of any record that bears a value hold */

struct gathered {
    enum channel channel;
    uint32_t order; /* of arrival */
    struct sample sample;
};

struct gather {
    struct arena *arena;
    uint32_t count, cap;
    struct gathered *at;
};

static inline struct gather gather_of(struct arena *a)
{
    return (struct gather){ .arena = a };
}

/* `value` in thousandths, as in struct sample. TOO_LARGE above GATHER_MOST; NO_MEMORY. */
MUST_CHECK enum err gather_add(struct gather *g, enum channel c, int64_t at_s, int64_t value);

/* Sets the frame's series; of values with one channel and time all stay, as they came. NO_MEMORY. */
MUST_CHECK enum err gather_end(const struct gather *g, struct frame *f);

/* a · 10^power, exactly; RANGE where it leaves ±9.2·10¹⁸ or, with a negative power, digits other than 0 are cut off and
 * `exact` is asked for; without `exact` they are cut off toward zero. */
MUST_CHECK enum err scale_ten(int64_t a, int power, bool exact, int64_t *out);

#endif
