/* HTTP requests that go out: several at once, one thread, nothing that waits for ever.  The one place that knows libcurl.
 *
 * All but post_wake is for one thread.  A request takes at most POST_TIMEOUT_S from its begin to its end; of the answer the status counts, and
 * of its body no more than POST_ANSWER_MAX bytes are taken, none of them kept.  Redirects are answers like others: nobody follows them.
 * Only http and https are spoken; which addresses may be asked is not restricted, since a utility's own systems have private ones. */
#ifndef NILO_SERVER_HOOKS_POST_H
#define NILO_SERVER_HOOKS_POST_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

#define POST_TIMEOUT_S 10
#define POST_ANSWER_MAX 65536

struct post_box;

MUST_CHECK enum err post_open(struct post_box **out); /* NO_MEMORY */
void post_close(struct post_box *p);                  /* gives up what is under way; NULL is fine */

/* Sends `body`, which must stay until it ends, to `url` (post_url_fits), with lines of header such as "Name: value" (NULL-ended, copied). `arg` names the
 * request. NO_MEMORY: it was not begun. */
MUST_CHECK enum err post_begin(struct post_box *p, const char *url, const char *const *headers, struct span body, void *arg);
void post_drop(struct post_box *p, void *arg); /* gives it up; none is fine */

struct post_end {
    void *arg;
    unsigned status; /* 0: there was no answer, and `why` says why not */
    char why[120];
};
bool post_next(struct post_box *p, struct post_end *out); /* one that ended; false: none has */
void post_wait(struct post_box *p, int ms);               /* until something happens, post_wake, or so long */
void post_wake(struct post_box *p);                       /* any thread */

/* Whether a text is an address that we would post to: http or https with a host, without a user's name, password or fragment, at most `most` bytes of
 * visible ASCII. `r` says what is wrong. */
bool post_url_fits(struct span url, size_t most, struct refusal *r);

#endif
