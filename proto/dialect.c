#include "proto/dialect.h"

#include "proto/native.h"

/* One line per dialect. */
static const struct dialect *const dialects[] = {
    &dialect_native,
};

enum {
    DIALECT_COUNT = sizeof(dialects) / sizeof(const struct dialect *)
}; /* NOLINT: pointers indeed */

const struct dialect *dialect_at(size_t n)
{
    return n < DIALECT_COUNT ? dialects[n] : NULL;
}

const struct dialect *dialect_by_name(struct span name)
{
    const struct dialect *d;

    for (size_t n = 0; (d = dialect_at(n)); n++) {
        if (span_equal(name, span_text(d->name)))
            return d;
    }
    return NULL;
}

const struct dialect *dialect_by_id(uint8_t id)
{
    const struct dialect *d;

    for (size_t n = 0; (d = dialect_at(n)); n++) {
        if (d->id == id)
            return d;
    }
    return NULL;
}
