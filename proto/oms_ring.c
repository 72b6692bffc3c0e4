#include "proto/oms_ring.h"

struct oms_ring oms_ring_of(const struct dialect_input *in, const struct frame_names *names,
                            const char *mode, size_t len)
{
    struct oms_ring ring = { .mode = mode, .len = len, .meter = lore_meter(in, names) };
    struct span keys[LORE_KEYS];

    ring.known = lore_keys(in, ring.meter, KEY_OMS, keys);
    for (unsigned i = 0; i < ring.known && i < LORE_KEYS; i++)
        if (keys[i].len == len)
            ring.at[ring.count++] = keys[i].at;
    return ring;
}

static struct span its_name(const struct dialect_input *in, const struct frame_names *names)
{
    if (names->count)
        return names->at[0];
    return in->given.len ? in->given : span_text("the meter");
}

enum err oms_ring_refuse(const struct oms_ring *ring, const struct dialect_input *in,
                         const struct frame_names *names, const char *proof, uint32_t offset,
                         struct refusal *r)
{
    struct span name = its_name(in, names);

    if (!ring->meter && in->lore && in->lore->meter)
        return refuse(r, ERR_UNKNOWN, offset, "meter",
                      "nobody registered %.*s, and it is enciphered (%s)", (int)name.len,
                      (const char *)name.at, ring->mode);
    if (!ring->known)
        return refuse(r, ERR_NO_KEY, offset, "key", "enciphered (%s), no key of %.*s is known",
                      ring->mode, (int)name.len, (const char *)name.at);
    if (!ring->count)
        return refuse(r, ERR_NO_KEY, offset, "key",
                      "enciphered (%s), which takes a key of %zu bytes; those of %.*s have others",
                      ring->mode, ring->len, (int)name.len, (const char *)name.at);
    return refuse(r, ERR_WRONG_KEY, offset, "key",
                  "%s, %s fits none of %u keys of %.*s: a wrong key, or damaged on its way",
                  ring->mode, proof, ring->count, (int)name.len, (const char *)name.at);
}
