#include "storage/secret.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

void *secret_new(size_t bytes)
{
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (room == MAP_FAILED)
        return NULL;
    (void)madvise(room, bytes, MADV_DONTDUMP);
    return room;
}

void *secret_grow(void *room, size_t bytes, size_t more)
{
    void *moved = mremap(room, bytes, more, MREMAP_MAYMOVE);

    if (moved == MAP_FAILED)
        return NULL;
    (void)madvise(moved, more, MADV_DONTDUMP);
    (void)madvise(moved, more, MADV_HUGEPAGE); /* a look-up is a random place */
    return moved;
}

void secret_free(void *room, size_t bytes)
{
    if (!room)
        return;
    OPENSSL_cleanse(room, bytes);
    munmap(room, bytes);
}

void secret_wipe(void *room, size_t bytes)
{
    OPENSSL_cleanse(room, bytes);
}
