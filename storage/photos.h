/* Photos of dials and places: DIR/photos/ab/abcd…, each named by what is in it, written once and never changed.
 *
 * A photo is on disk, its name synced, before its id is told; so whoever refers to an id in an act refers to something that is there.  A copy of the store that takes its photos after
 * the ledger has all that the ledger refers to.
 *
 *   photos_put, photos_get   any thread        photos_check, photos_copy   of a folder, beside a running nilod if one runs */
#ifndef NILO_STORAGE_PHOTOS_H
#define NILO_STORAGE_PHOTOS_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

#define PHOTO_ID_SIZE 65       /* SHA-256 of the bytes, 64 hexadecimal digits and 0 */
#define PHOTO_BYTES_MAX (1u << 20)

struct photos;

/* `room_bytes`: of all photos together, 0: none is taken. The folder is made with the first. NO_MEMORY. */
MUST_CHECK enum err photos_open(const char *dir, uint64_t room_bytes, struct photos **out);
void photos_close(struct photos *p); /* NULL is fine */

/* "image/jpeg", "image/png", "image/webp", by the first bytes; NULL: none of them. */
const char *photo_type(struct span bytes);

/* INVALID: no such image, or longer than PHOTO_BYTES_MAX; LIMIT: no room is left for photos; FULL, IO. `r` says what. The same again: *out_new is false. */
MUST_CHECK enum err photos_put(struct photos *p, struct span bytes, char out_id[PHOTO_ID_SIZE], bool *out_new, struct refusal *r);

/* The bytes, malloc'd. NOT_FOUND: no such photo, or no id; CORRUPT: they are not what the id says; NO_MEMORY, IO. */
MUST_CHECK enum err photos_get(struct photos *p, struct span id, uint8_t **out, size_t *out_len);

/* Reads each photo below DIR and holds it against its name. CORRUPT with its path, IO. */
MUST_CHECK enum err photos_check(const char *dir, uint64_t *out_count, uint64_t *out_bytes, struct refusal *r);

/* Copies all photos below `dir` to below `to`, where there are none yet, and syncs them. CORRUPT with the path of one that is not what its name says, NOT_FOUND of one that went meanwhile; FULL, IO. */
MUST_CHECK enum err photos_copy(const char *dir, const char *to, struct refusal *r);

#endif
