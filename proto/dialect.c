#include "proto/dialect.h"

#include "proto/native.h"

/* One line per dialect. */
static const struct dialect *const dialects[] = {
    &dialect_native,
};

#define DIALECT_COUNT (sizeof(dialects) / sizeof(*dialects))

const struct dialect *dialect_at(size_t n)
{
    return n < DIALECT_COUNT ? dialects[n] : NULL;
}

const struct dialect *dialect_by_name(struct span name)
{
    for (size_t i = 0; i < DIALECT_COUNT; i++) {
        if (span_equal(name, span_text(dialects[i]->name)))
            return dialects[i];
    }
    return NULL;
}

const struct dialect *dialect_by_id(uint8_t id)
{
    for (size_t i = 0; i < DIALECT_COUNT; i++) {
        if (dialects[i]->id == id)
            return dialects[i];
    }
    return NULL;
}
