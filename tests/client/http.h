/* A small HTTP/1.1 client for tests (RFC 9112): keep-alive, chunked bodies with trailers, and bytes that no decent client would
 * send.  Calls fail the test where the connection does; every wait is bounded. */
#ifndef NILO_TESTS_CLIENT_HTTP_H
#define NILO_TESTS_CLIENT_HTTP_H

#include "proto/base/span.h"

#include <jansson.h>

struct client {
    int fd;
    char host[48], token[64]; /* token: sent as Bearer where not empty */
    int port;
    bool patient; /* silence is no failure but the end of the answer: see client_wait */
    uint8_t *in; /* received and not yet read */
    size_t len, cap;
};

struct answer {
    int status;
    char *head;    /* status line and fields, each line ended by \r\n */
    char *body;    /* zero-ended */
    size_t len;
    char *trailer; /* fields behind a chunked body */
    bool chunked, whole; /* whole: the body came to its end */
};

void client_open(struct client *c, const char *host, int port, const char *token);
void client_close(struct client *c);
void client_wait(struct client *c, int ms); /* from now on silence for so long counts as the end of the connection */

void client_send(struct client *c, const void *bytes, size_t len);
/* A request line, Host, Authorization, `fields` ("Name: value\r\n"…, or NULL) and a body (NULL: none). */
void client_ask(struct client *c, const char *method, const char *path, const char *fields, const char *body, size_t body_len);
/* The next answer; a connection that ends within it leaves `whole` false. `method`: HEAD has no body. */
void client_answer(struct client *c, const char *method, struct answer *out);
bool client_is_closed(struct client *c); /* by the other side, within 5 s */

/* Both at once; JSON body where `body` is given. */
void http_get(struct client *c, const char *path, const char *accept, struct answer *out);
void http_post(struct client *c, const char *path, const char *fields, const char *body, struct answer *out);

const char *answer_field(const struct answer *a, const char *name, char room[256]); /* NULL: absent; of the head, then the trailer */
json_t *answer_json(const struct answer *a); /* fails the test where it is none; json_decref */
void answer_done(struct answer *a);

#endif
