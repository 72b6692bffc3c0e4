/* Is a file that is shorter than its last page damaged?
 *
 * LMDB does not write pages that a transaction took and gave back, so a sound file may end before
 * its last page; all that is missing then stands in the list of free pages.  A file that was cut
 * lacks pages in use.  We tell them apart by reading the list with pread, never through the map,
 * where a missing page is a fault.
 *
 * The format is that of LMDB 0.9 data version 1, on a machine of 8-byte words, little-endian:
 *   page    u64 number · u16 pad · u16 flags · u16 lower · u16 upper ·
 *           u16 offsets[(lower − 16) / 2] … nodes
 *           overflow pages have u32 count in place of lower and upper
 *   node    u16 low · u16 high · u16 flags · u16 key length · key · data:
 *           in a branch low, high, flags are the child's number; in a leaf low, high are the data's
 *           length, and with flag 1 the data is the u64 number of an overflow page
 *   meta    u32 magic · u32 version · u64 · u64 map size · 2 × table (free, main) ·
 *           u64 last page · u64 transaction
 *   table   u32 pad · u16 flags · u16 depth · u64 branches · u64 leaves · u64 overflows ·
 *           u64 entries · u64 root
 *   free    value: u64 count · u64 page numbers[count] */
#include "storage/db_length.h"

#include <stdlib.h>
#include <unistd.h>

#define PAGE_HEADER 16
#define PAGE_BRANCH 0x01
#define PAGE_LEAF 0x02
#define PAGE_OVERFLOW 0x04
#define NODE_HEADER 8
#define NODE_BIG 0x01
#define DEPTH_MAX 32
#define META_TABLE 48
#define META_TABLES (PAGE_HEADER + 24)
#define META_LAST (META_TABLES + 2 * META_TABLE)
#define NO_PAGE UINT64_MAX
#define MISSING_MOST (1u << 24) /* 64 GiB: no transaction gives that much back */

struct walk {
    int fd;
    size_t page_bytes;
    uint64_t first_missing, last; /* pages */
    uint8_t *found;               /* a byte for each missing page that is in the list */
    uint64_t found_count;
};

static uint64_t number(const uint8_t *at, unsigned width)
{
    uint64_t v = 0;

    memcpy(&v, at, width);
    return v;
}

static bool page_read(const struct walk *w, uint64_t page, uint8_t *out, size_t len)
{
    return page < w->first_missing &&
           pread(w->fd, out, len, (off_t)(page * w->page_bytes)) == (ssize_t)len;
}

static void note_free(struct walk *w, uint64_t page)
{
    if (page < w->first_missing || page > w->last || w->found[page - w->first_missing])
        return;
    w->found[page - w->first_missing] = 1;
    w->found_count++;
}

/* Free page numbers, the value of one record of the list. */
static bool note_list(struct walk *w, const uint8_t *at, uint64_t len)
{
    uint64_t count = len >= 8 ? number(at, 8) : 0;

    if (len < 8 || count > len / 8 - 1)
        return false;
    for (uint64_t i = 0; i < count; i++)
        note_free(w, number(at + 8 + 8 * i, 8));
    return true;
}

static bool note_big_list(struct walk *w, uint64_t page, uint64_t len)
{
    uint64_t end = page * w->page_bytes + PAGE_HEADER + len;
    uint8_t *list;
    bool good;

    if (page >= w->first_missing || end > w->first_missing * w->page_bytes ||
        !(list = malloc(len + 1)))
        return false;
    good = pread(w->fd, list, len, (off_t)(end - len)) == (ssize_t)len && note_list(w, list, len);
    free(list);
    return good;
}

static bool walk_page(struct walk *w, uint64_t page, unsigned depth);

static bool walk_node(struct walk *w, const uint8_t *page, size_t offset, bool branch,
                      unsigned depth)
{
    const uint8_t *node = page + offset;
    uint64_t low = number(node, 2) | number(node + 2, 2) << 16, flags = number(node + 4, 2);
    size_t data = offset + NODE_HEADER + number(node + 6, 2);

    if (branch)
        return walk_page(w, low | flags << 32, depth + 1);
    if (flags & NODE_BIG)
        return data + 8 <= w->page_bytes && note_big_list(w, number(page + data, 8), low);
    return data + low <= w->page_bytes && note_list(w, page + data, low);
}

static bool walk_page(struct walk *w, uint64_t page_number, unsigned depth)
{
    uint8_t *page = malloc(w->page_bytes);
    bool good = page && depth < DEPTH_MAX && page_read(w, page_number, page, w->page_bytes);
    uint64_t flags = good ? number(page + 10, 2) : 0, lower = good ? number(page + 12, 2) : 0;

    good =
        good && flags & (PAGE_BRANCH | PAGE_LEAF) && lower >= PAGE_HEADER && lower <= w->page_bytes;
    for (size_t i = PAGE_HEADER; good && i + 2 <= lower; i += 2) {
        size_t offset = number(page + i, 2);

        good = offset + NODE_HEADER <= w->page_bytes &&
               walk_node(w, page, offset, flags & PAGE_BRANCH, depth);
    }
    free(page);
    return good;
}

/* The free table's root in the newer of the two metas. */
static bool newest_root(const struct walk *w, uint64_t *out_root)
{
    uint8_t meta[2][META_LAST + 16];
    unsigned newer;

    if (!page_read(w, 0, meta[0], sizeof(meta[0])) || !page_read(w, 1, meta[1], sizeof(meta[1])))
        return false;
    newer = number(meta[1] + META_LAST + 8, 8) > number(meta[0] + META_LAST + 8, 8);
    *out_root = number(meta[newer] + META_TABLES + 40, 8);
    return number(meta[newer] + META_LAST, 8) == w->last;
}

bool db_length_sound(int fd, uint64_t file_bytes, size_t page_bytes, uint64_t last_page)
{
    struct walk w = { .fd = fd,
                      .page_bytes = page_bytes,
                      .first_missing = file_bytes / page_bytes,
                      .last = last_page };
    uint64_t root, missing = last_page + 1 - w.first_missing;
    bool good;

    if (w.first_missing > last_page)
        return true;
    if (w.first_missing < 2 || missing > MISSING_MOST || !(w.found = calloc(missing, 1)))
        return false;
    good = newest_root(&w, &root) && root != NO_PAGE && walk_page(&w, root, 0) &&
           w.found_count == missing;
    free(w.found);
    return good;
}
