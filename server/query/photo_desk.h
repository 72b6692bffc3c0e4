/* Where photos are handed in and out: the store of them (storage/photos.h), and how many a person may hand in. Any thread. */
#ifndef NILO_SERVER_QUERY_PHOTO_DESK_H
#define NILO_SERVER_QUERY_PHOTO_DESK_H

#include "server/acts/act.h"
#include "storage/photos.h"

#define PHOTO_SEATS 256 /* people that are counted at once; of more the one whose hour began first goes */

struct photo_desk;

/* `dir`: the store's; `room_bytes`: of all photos; `an_hour`: of one name, 0: as many as it likes. NO_MEMORY. */
MUST_CHECK enum err photo_desk_open(const char *dir, uint64_t room_bytes, uint32_t an_hour, struct photo_desk **out);
void photo_desk_close(struct photo_desk *d); /* NULL is fine */
struct photos *photo_desk_store(struct photo_desk *d);

/* Counts one; 0: it may be handed in, else so many milliseconds are to pass before. By the monotonic clock. */
int64_t photo_desk_wait_ms(struct photo_desk *d, const char *who, int64_t now_ms);

#endif
