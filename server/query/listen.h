/* Listening sockets from texts like "127.0.0.1:8080". */
#ifndef NILO_SERVER_QUERY_LISTEN_H
#define NILO_SERVER_QUERY_LISTEN_H

#include "proto/base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

struct listen_address {
    struct sockaddr_storage at;
    socklen_t len;
};

#define LISTEN_TEXT_SIZE 64

/* "ADDR:PORT", "[ADDR6]:PORT"; no address or "*": all IPv4 ones. INVALID with `r`. */
MUST_CHECK enum err listen_read(const char *text, struct listen_address *out, struct refusal *r);
bool listen_is_public(const struct listen_address *a); /* others than this machine may reach it */

/* Binds and listens; a port that was ours a moment ago is taken at once. IO with `r`. */
MUST_CHECK enum err listen_open(const struct listen_address *a, int *out_fd, struct refusal *r);
void listen_put(int fd, char out[LISTEN_TEXT_SIZE]); /* what it is bound to */

#endif
