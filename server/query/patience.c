#include "server/query/patience.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PLACES 8192 /* a power of two */
#define FORGET_MS (3600 * INT64_C(1000))
#define SECOND_MS INT64_C(1000)
#define DOUBLINGS_MOST 20

enum count { BY_BOTH, BY_ADDRESS, BY_NAME, COUNTS };

static const struct {
    uint32_t free_tries;
    int64_t most_ms;
} limits[COUNTS] = {
    [BY_BOTH] = { 5, 900 * SECOND_MS },
    [BY_ADDRESS] = { 30, 900 * SECOND_MS },
    [BY_NAME] = { 20, 60 * SECOND_MS },
};

struct place {
    uint64_t tag; /* of whom; 0: free */
    int64_t failed_ms;
    uint32_t fails;
};

struct patience {
    pthread_mutex_t lock;
    uint64_t seed; /* nobody outside knows who shares a place */
    struct place places[PLACES];
};

enum err patience_new(struct patience **out)
{
    struct patience *p = (struct patience *)calloc(1, sizeof *p);

    if (!p)
        return ERR_NO_MEMORY;
    if (getrandom(&p->seed, sizeof p->seed, 0) != sizeof p->seed) {
        free(p);
        return ERR_IO;
    }
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return ERR_OK;
}

void patience_free(struct patience *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static uint64_t mix(uint64_t h, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ text.at[i]) * UINT64_C(1099511628211);
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 33;
}

static uint64_t tag_of(const struct patience *p, enum count c, struct span name,
                       struct span address)
{
    uint64_t h = mix(p->seed + c, c == BY_ADDRESS ? (struct span){ 0 } : name);

    h = mix(h, c == BY_NAME ? (struct span){ 0 } : address);
    return h ? h : 1;
}

static struct place *place_lkd(struct patience *p, uint64_t tag)
{
    return &p->places[tag & (PLACES - 1)];
}

static int64_t wait_lkd(const struct place *place, enum count c, int64_t now_ms)
{
    uint32_t over = place->fails - limits[c].free_tries;
    int64_t most = limits[c].most_ms, wait;

    if (place->fails < limits[c].free_tries || now_ms - place->failed_ms > FORGET_MS)
        return 0;
    wait = over > DOUBLINGS_MOST ? most : SECOND_MS << over;
    wait = (wait > most ? most : wait) - (now_ms - place->failed_ms);
    return wait > 0 ? wait : 0;
}

int64_t patience_wait_ms(struct patience *p, struct span name, struct span address, int64_t now_ms)
{
    int64_t most = 0;

    pthread_mutex_lock(&p->lock);
    for (enum count c = BY_BOTH; c < COUNTS; c++) {
        uint64_t tag = tag_of(p, c, name, address);
        const struct place *place = place_lkd(p, tag);
        int64_t wait = place->tag == tag ? wait_lkd(place, c, now_ms) : 0;

        most = wait > most ? wait : most;
    }
    pthread_mutex_unlock(&p->lock);
    return most;
}

void patience_failed(struct patience *p, struct span name, struct span address, int64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    for (enum count c = BY_BOTH; c < COUNTS; c++) {
        uint64_t tag = tag_of(p, c, name, address);
        struct place *place = place_lkd(p, tag);

        /* Who failed more, and lately, keeps a place that two share. */
        if (place->tag != tag && place->tag && place->fails > 1 &&
            now_ms - place->failed_ms <= FORGET_MS) {
            place->fails--;
            continue;
        }
        if (place->tag != tag || now_ms - place->failed_ms > FORGET_MS)
            *place = (struct place){ .tag = tag };
        place->failed_ms = now_ms;
        place->fails += place->fails < UINT32_MAX;
    }
    pthread_mutex_unlock(&p->lock);
}

void patience_forgive(struct patience *p, struct span name, struct span address)
{
    pthread_mutex_lock(&p->lock);
    for (enum count c = BY_BOTH; c < COUNTS; c++) {
        uint64_t tag = tag_of(p, c, name, address);
        struct place *place = place_lkd(p, tag);

        if (c != BY_ADDRESS &&
            place->tag == tag) /* one good password is no leave to guess at others */
            *place = (struct place){ 0 };
    }
    pthread_mutex_unlock(&p->lock);
}
