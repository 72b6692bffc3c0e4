/* One pass over the tail's settling generation: from the journal to archive and quarantine.  The settling thread's, for settler.c. */
#ifndef NILO_SERVER_SETTLE_PASS_H
#define NILO_SERVER_SETTLE_PASS_H

#include "server/judge.h"

/* Meters that must be judged, and from when. Zeroed: none; free `at`. */
struct news {
    struct judge_news *at;
    size_t count, cap;
};
MUST_CHECK enum err news_push(struct news *n, uint32_t meter, uint32_t first_s);
MUST_CHECK enum err news_push_of(struct news *n, uint32_t meter, unsigned news); /* NEWS_… without readings; NO_MEMORY */
MUST_CHECK enum err news_push_due(struct news *n, uint32_t meter); /* its legal due date has passed; NO_MEMORY */
void news_sort(struct news *n); /* by meter, each once, with the earliest of its times */

/* What may go on that waits in quarantine. */
#define RELEASE_NAMES_MOST 64 /* above it one look at all that waits is cheaper */
struct release_due {
    bool all;
    bool formats;   /* formats were learned */
    unsigned names; /* a frame came to wait for what was there meanwhile, under this name */
    char name[RELEASE_NAMES_MOST][RADIO_NAME_MAX + 1];
};
void release_due_add(struct release_due *due, struct span names); /* as judged_names has them */

/* Settles the generation; the caller drops it.  Appends its meters to `touched`, and sets what came to be due.  Whatever fails leaves
 * the generation to be settled again. */
MUST_CHECK enum err settle_pass(struct app *app, struct news *touched, struct release_due *due);

#endif
