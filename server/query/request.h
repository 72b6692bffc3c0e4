/* One request on its way: what was asked, by whom, and the answer under construction.  For this folder. */
#ifndef NILO_SERVER_QUERY_REQUEST_H
#define NILO_SERVER_QUERY_REQUEST_H

#include "server/acts/act.h"
#include "server/query/route.h"
#include "server/query/target.h"
#include "server/query/work.h"

struct http;
struct listing;
struct stream;
struct page;
struct live;
struct photo_desk;
struct live_listener;
struct MHD_Connection;

#define IDEMPOTENCY_KEY_MAX 255
#define ETAG_MAX 96
#define COOKIE_SIZE 160
#define COOKIE_NAME "nilo_session"
#define COOKIE_SECURE "__Host-nilo_session" /* where the way is HTTPS: browsers take it from nobody else (RFC 6265bis §4.1.3.2) */

enum phase {
    PHASE_READING, /* the body is coming in */
    PHASE_WORKING, /* its connection is suspended */
    PHASE_READY    /* the answer is there */
};

struct request {
    struct work work; /* first: a worker's job is its request */
    struct http *http;
    struct app *app;
    struct MHD_Connection *connection;
    const struct route *route; /* NULL: refused before one was found */
    struct caller caller;
    struct span token; /* the caller's own, in the connection's memory; empty where none is needed */
    bool by_session;   /* it is that of a session (ledger_session), which came as a cookie */
    bool secure;       /* the way from the browser is HTTPS */
    enum form form; /* chosen for the answer */
    enum phase phase;
    bool head; /* asked by HEAD: all but the body */
    bool entered, refused, close; /* refused: the answer stands, whatever the body is; close: the connection goes with it */
    uint32_t allowed;          /* with 405: the methods that the path has */
    int64_t began_us;

    struct span subject[2]; /* what stands in the path's places */
    char key[IDEMPOTENCY_KEY_MAX + 1]; /* Idempotency-Key; "" where none came */
    const uint8_t *known_by; /* with a key, while it is carried out: the 32 bytes of hash that its answer is kept with */

    char *body; /* of JSON; malloc'd */
    size_t body_len, body_cap;
    struct spool *spool; /* of an import */

    unsigned status;
    struct out out;
    const char *type; /* the answer's; NULL: application/json */
    struct span fixed;       /* an answer that stands in the program, in place of `out`; empty: none */
    const char *encoding;    /* Content-Encoding; NULL: none */
    const char *cache;       /* Cache-Control; NULL: no-store */
    const char *guard;       /* Content-Security-Policy of what browsers show; NULL: none */
    bool varies;             /* by Accept-Encoding */
    bool works_for_all;      /* a service worker that serves all of the page (Service-Worker-Allowed) */
    bool takes_gzip;         /* who asks does */
    char file[48];    /* what it is called where it is kept: safe characters alone; "": nothing */
    struct span last_event;     /* Last-Event-ID, likewise */
    struct span none_match;     /* If-None-Match, in the connection's memory; empty where none came */
    char cookie[COOKIE_SIZE];   /* Set-Cookie; "": none */
    int64_t wait_ms;            /* with 429: until another try may come */
    char etag[ETAG_MAX];        /* the answer's, with its quotes; "": none */
    struct listing *listing;
    struct stream *stream; /* that the list leaves by; NULL: not yet, or it is a page */
    struct live_listener *live; /* the answer is server-sent events; NULL: it is not */
    void *answer; /* the stream's MHD_Response: its trailer is added at its end */

    struct target target; /* last: its 4 KiB need no zeroing */
};

/* Who asks, as far as the network tells: an address without port; behind a proxy the one that it names last. */
#define PEER_SIZE 64
void request_peer(const struct request *q, char out[PEER_SIZE]);
struct patience *request_patience(const struct request *q);
const struct page *request_page(const struct request *q);
struct photo_desk *request_photos(const struct request *q);
struct live *request_live(const struct request *q);

/* ---- how handlers answer (problem.c) ---- */

/* Refuses with application/problem+json (RFC 9457); what was written so far is dropped.  Returns nothing, so that a handler ends
 * with it.  The status follows from the error. */
void problem(struct request *q, const struct refusal *r);
void problem_of(struct request *q, enum err err, const char *field, const char *format, ...) PRINTF_LIKE(4, 5);
void problem_status(struct request *q, unsigned status, const struct refusal *r);
void problem_detail(struct request *q, unsigned status, const struct refusal *r, const char *text); /* in other words than r->text */

/* Gives the answer the entity tag "tag" (RFC 9110 §8.8.3); true: the client has it already, and 304 stands. Before anything else of the answer. */
bool answer_is_known(struct request *q, const char *tag);

/* ---- typed questions to the query; false: refused, and the answer stands ---- */

bool ask_time(struct request *q, const char *name, int64_t fallback_s, int64_t *out_s);
bool ask_span(struct request *q, int64_t *out_from_s, int64_t *out_to_s, bool needed); /* from, to: 422 where from is after to */
bool ask_int(struct request *q, const char *name, int64_t least, int64_t most, int64_t fallback, int64_t *out);
bool ask_day(struct request *q, const char *name, bool needed, int32_t *out); /* not sent: `out` stays */
bool ask_days(struct request *q, bool needed, int32_t *out_from, int32_t *out_to); /* from, to, both inside: 422 where from is after to */
bool ask_bool(struct request *q, const char *name, bool *out);
struct span ask_text(const struct request *q, const char *name); /* empty where not sent */
bool ask_copy(struct request *q, const char *name, char *out, size_t size); /* likewise, ended by 0: 422 where it is longer */

#endif
