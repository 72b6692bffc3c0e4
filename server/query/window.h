/* A window of an index whose rows are looked up in the order of their ids, and told in the order of the index.
 *
 *     while (window_room(w)) … window_add(w, id, key)     from the index, in its order
 *     window_look(w)                                      each id is looked up, on all cores where there are many
 *     while (window_next(w, &one)) … one.id, one.key, one.row
 *
 * Rows lie in the order of ids, and an index goes across: one that is looked up after the other misses every cache on its way, and waits.  Of a window that is sorted the neighbours
 * share pages and all that leads to them, and its parts do not meet: 2.4 µs of all cores together a row where it took 6.5 (tools/bench fleet, due_month).
 *
 * Windows grow from WINDOW_FIRST on eightfold, so that the first rows go out soon; beyond WINDOW_SMALL rows only as far as all windows at hand have WINDOW_ALL rows (some 90 bytes
 * each) at most.  What was looked up longer than WINDOW_FRESH_MS ago is let go, and looked up again from where its reader is: who reads slowly gets no old rows, and holds little. */
#ifndef NILO_SERVER_QUERY_WINDOW_H
#define NILO_SERVER_QUERY_WINDOW_H

#include "server/app.h"
#include "server/out.h"

#define WINDOW_FIRST 512
#define WINDOW_SMALL 4096
#define WINDOW_MOST 262144
#define WINDOW_ALL 524288
#define WINDOW_BLOCK 2048 /* rows looked up by one call */
#define WINDOW_FRESH_MS 3000

/* Looks up ids[0..count), which rise: appends to `into` what its caller wants to tell of each, and says in at[] where that begins. Several threads; under transactions of its own. */
typedef enum err window_rows(void *arg, const uint32_t *ids, size_t count, struct out *into, uint32_t *at);

struct window;
struct window *window_new(struct app *app, window_rows *look, void *arg); /* NULL: no memory */
void window_free(struct window *w);                                         /* NULL is fine */

/* How many rows the next window takes: more of them the more were told before; `most`: nobody wants more. 0: rows of this window wait to be told. Lets go of rows that are no longer fresh. */
size_t window_room(struct window *w, uint64_t most);
void window_add(struct window *w, uint32_t id, struct span key); /* copied; at most as many as window_room said */
MUST_CHECK enum err window_look(struct window *w);               /* NO_MEMORY, STOPPING, what `look` returned: then there are no rows */

struct window_row {
    uint32_t id;
    struct span key, row; /* views, until the next window; row: as far as the next one's, or beyond */
};
bool window_next(struct window *w, struct window_row *out); /* false: all were told */
bool window_told(const struct window *w);                 /* that the next one would say so */

#endif
