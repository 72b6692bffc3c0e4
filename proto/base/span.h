/* Borrowed bytes. */
#ifndef NILO_PROTO_BASE_SPAN_H
#define NILO_PROTO_BASE_SPAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *at;
    size_t len;
};

static inline struct span span_of(const void *at, size_t len)
{
    return (struct span){ (const uint8_t *)at, len };
}

static inline struct span span_text(const char *text)
{
    return span_of(text, strlen(text));
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Whether all its bytes are `byte`. */
static inline bool span_is_all(struct span a, uint8_t byte)
{
    for (size_t i = 0; i < a.len; i++)
        if (a.at[i] != byte)
            return false;
    return true;
}

static inline bool span_ends(struct span a, const char *with)
{
    size_t len = strlen(with);

    return a.len >= len && memcmp(a.at + a.len - len, with, len) == 0;
}

#endif
