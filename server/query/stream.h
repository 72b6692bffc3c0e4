/* A list on its way out: while the wire takes one slice of it, a reader fills the next. Two threads, of which neither waits for the other: the
 * listener's, which takes, and one at a time that fills. */
#ifndef NILO_SERVER_QUERY_STREAM_H
#define NILO_SERVER_QUERY_STREAM_H

#include "server/query/listing.h"
#include "server/query/work.h"

/* What a stream needs of who has its connection; `arg` is stream_new's. */
struct stream_host {
    bool (*fill)(void *arg, struct work *job); /* has the job run by another thread; false: none runs any more, and the stream is cut */
    void (*wake)(void *arg);                   /* what stream_wait waited for is there; by the thread that fills */
    void (*gone)(void *arg);                   /* stream_leave is through: the stream and its list may be freed; by either thread */
};

struct stream;

/* The list has its first slice (listing_start), and is borrowed until gone(). NULL: no memory. */
struct stream *stream_new(struct listing *l, const struct stream_host *host, void *arg);
void stream_free(struct stream *s); /* NULL is fine */

/* ---- by the listener ---- */

enum { STREAM_WAIT = 0, STREAM_END = -1, STREAM_CUT = -2 };
/* Copies at most `max` bytes; returns how many, or STREAM_WAIT: none are there yet; STREAM_END: all were taken; STREAM_CUT: the list failed, or who
 * takes it is slower than HTTP_SLOW_BYTES in HTTP_SLOW_S. */
long stream_read(struct stream *s, char *to, size_t max);
/* After STREAM_WAIT. True: wake() will be called, once; false: go on reading. */
bool stream_wait(struct stream *s);
/* The connection is gone: nothing is read any more, and gone() will be called, at once or when the thread that fills has come to its end. */
void stream_leave(struct stream *s);

#endif
