#include "server/gateway/dtls_lost.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SETTLES_S 60        /* after the first: those that are awake have come by then */
#define AGAIN_S (24 * 3600) /* sleeping meters wake once a day */
#define BITS 24             /* 2 MB, of which pages are taken as endpoints come */

struct dtls_lost {
    struct hash_key key;
    uint64_t *seen; /* by hash: two may meet, so the count is a little low */
    uint64_t count, told;
    uint64_t due_s; /* 0: there is nothing to tell */
    bool again;
};

enum err dtls_lost_new(struct dtls_lost **out)
{
    struct dtls_lost *l = (struct dtls_lost *)calloc(1, sizeof *l);

    if (!l)
        return ERR_NO_MEMORY;
    l->seen = (uint64_t *)calloc((1u << BITS) / 64, sizeof *l->seen);
    if (!l->seen || hash_key_make(&l->key)) {
        dtls_lost_free(l);
        return ERR_NO_MEMORY;
    }
    *out = l;
    return ERR_OK;
}

static void tell(struct dtls_lost *l)
{
    if (l->count == l->told)
        return;
    fprintf(stderr,
            "nilod: coaps: records of %" PRIu64
            " session%s that this server does not know%s: lost at a restart, or forgotten since; "
            "their meters begin anew by themselves\n",
            l->count - l->told, l->count - l->told > 1 ? "s" : "", l->told ? " came on top" : "");
    l->told = l->count;
}

void dtls_lost_free(struct dtls_lost *l)
{
    if (!l)
        return;
    tell(l);
    free(l->seen);
    free(l);
}

void dtls_lost_heard(struct dtls_lost *l, const struct endpoint *from, uint64_t now_s)
{
    uint64_t h =
        hash_quick(&l->key, hash_quick(&l->key, from->w[0], from->w[1]), from->w[2]) >> (64 - BITS);
    uint64_t bit = 1ull << (h & 63);

    if (l->seen[h >> 6] & bit)
        return;
    l->seen[h >> 6] |= bit;
    l->count++;
    if (!l->due_s)
        l->due_s = now_s + (l->again ? AGAIN_S : SETTLES_S);
}

void dtls_lost_tick(struct dtls_lost *l, uint64_t now_s)
{
    if (!l->due_s || now_s < l->due_s)
        return;
    tell(l);
    l->due_s = 0;
    l->again = true;
}
