/* GET /v1/live: server-sent events (WHATWG HTML §9.2) of what happens, for pages that show it.
 *
 *   arrivals     {at, records, per_s}            how many records became durable, each second while that changes; it has no id
 *   begin        {at}                            first of all: from here on everything is told
 *   missed       {at}                            what lies between is not told any more: ask for what you show anew
 *   flag, order, command, route-day, … (live.def)   {at, change, path}, or of an act that did more than LIVE_ACT_MOST such things {at, change, count}
 *   end          {why}                           signed out, shut out or stopping: there is no use in coming again at once
 *
 * An event tells what changed, not how it is now: who shows it asks for it, by the rights that he has.  Ids are places in the audit ("812-1"), good over restarts: Last-Event-ID goes on
 * behind it as far as the last LIVE_KEPT events reach.
 *
 * One thread looks at the counters and at new acts once a second while anybody listens, writes each listener's text, and wakes its connection; nothing that takes a meter's report knows of it.
 * A listener that does not read has LIVE_ROOM of text at most, and is told that it missed what it did not take.
 *
 *   live_open, live_stop, live_close   who opens the API      live_join, live_read, live_leave   libmicrohttpd's threads */
#ifndef NILO_SERVER_QUERY_LIVE_H
#define NILO_SERVER_QUERY_LIVE_H

#include "server/query/request.h"

#define LIVE_MOST 512        /* listeners in all */
#define LIVE_PERSON_MOST 12  /* of one name: some pages and a wall */
#define LIVE_KEPT 2048       /* events that a listener may come back for */
#define LIVE_ACT_MOST 32     /* events of a kind that one act is told as; more are counted */
#define LIVE_ROOM 65536      /* bytes that wait for one listener */
#define LIVE_LOOK_MS 1000
#define LIVE_BEAT_MS 15000   /* without anything to tell a comment goes out, so that proxies and both ends know the way is open */

struct live;
struct live_listener;

MUST_CHECK enum err live_open(struct app *app, struct live **out); /* NO_MEMORY */
void live_stop(struct live *l);  /* all listeners are told the end; no more come. NULL is fine */
void live_close(struct live *l); /* when nobody listens any more; NULL is fine */

/* The request, whose caller is known, becomes a listener; q->token stays until live_leave. `last` is Last-Event-ID, empty where none came. LIMIT with `r`: too many; STOPPING, NO_MEMORY. */
MUST_CHECK enum err live_join(struct live *l, struct request *q, struct span last, struct live_listener **out, struct refusal *r);

/* Text for the listener's connection: its length; 0: none yet, and the connection is suspended until there is; -1: the end. */
long live_read(struct live_listener *s, char *to, size_t max);
void live_leave(struct live_listener *s); /* NULL is fine */

#endif
