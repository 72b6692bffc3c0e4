#include "server/query/photo_desk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_MS INT64_C(3600000)

struct seat {
    char who[64];
    int64_t since_ms;
    uint32_t count; /* 0: nobody sits here */
};

struct photo_desk {
    struct photos *photos;
    uint32_t an_hour;
    pthread_mutex_t lock;
    struct seat seats[PHOTO_SEATS];
};

enum err photo_desk_open(const char *dir, uint64_t room_bytes, uint32_t an_hour,
                         struct photo_desk **out)
{
    struct photo_desk *d = (struct photo_desk *)calloc(1, sizeof *d);
    enum err err = d ? photos_open(dir, room_bytes, &d->photos) : ERR_NO_MEMORY;

    if (err) {
        free(d);
        return err;
    }
    d->an_hour = an_hour;
    pthread_mutex_init(&d->lock, NULL);
    *out = d;
    return ERR_OK;
}

void photo_desk_close(struct photo_desk *d)
{
    if (!d)
        return;
    photos_close(d->photos);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct photos *photo_desk_store(struct photo_desk *d)
{
    return d->photos;
}

/* The person's seat, else a free one, else the one whose hour began first. */
static struct seat *seat_of(struct photo_desk *d, const char *who, int64_t now_ms)
{
    struct seat *best = &d->seats[0];

    for (size_t i = 0; i < PHOTO_SEATS; i++) {
        struct seat *s = &d->seats[i];

        if (s->count && now_ms - s->since_ms >= HOUR_MS)
            s->count = 0;
        if (s->count && strcmp(s->who, who) == 0)
            return s;
        if (best->count && (!s->count || s->since_ms < best->since_ms))
            best = s;
    }
    best->count = 0;
    best->since_ms = now_ms;
    snprintf(best->who, sizeof best->who, "%s", who);
    return best;
}

int64_t photo_desk_wait_ms(struct photo_desk *d, const char *who, int64_t now_ms)
{
    struct seat *s;
    int64_t wait_ms = 0;

    if (!d->an_hour)
        return 0;
    pthread_mutex_lock(&d->lock);
    s = seat_of(d, who, now_ms);
    if (s->count >= d->an_hour)
        wait_ms = s->since_ms + HOUR_MS - now_ms;
    else
        s->count++;
    pthread_mutex_unlock(&d->lock);
    return wait_ms;
}
