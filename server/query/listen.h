/* Listening sockets from texts like "127.0.0.1:8080". */
#ifndef NILO_SERVER_QUERY_LISTEN_H
#define NILO_SERVER_QUERY_LISTEN_H

#include "proto/base/err.h"
#include "server/address.h"

/* As server/address.h, and ":PORT" for all IPv4 addresses. INVALID with `r`. */
MUST_CHECK enum err listen_read(const char *text, struct address *out, struct refusal *r);
bool listen_is_public(const struct address *a); /* others than this machine may reach it */

/* Binds and listens; a port that was ours a moment ago is taken at once. IO with `r`. */
MUST_CHECK enum err listen_open(const struct address *a, int *out_fd, struct refusal *r);

#endif
