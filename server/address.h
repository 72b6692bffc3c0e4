/* Addresses of listeners, as options and the ready line write them: "127.0.0.1:5683", "[::1]:5683", "*:5683".  Numbers alone: which
 * addresses a server is reached at is not for a name server to say. */
#ifndef NILO_SERVER_ADDRESS_H
#define NILO_SERVER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#define ADDRESS_TEXT 96 /* "[ffff:…%interface]:65535" and its zero */

struct address {
    struct sockaddr_storage at; /* AF_INET or AF_INET6 */
    socklen_t len;
};

bool address_read(const char *text, struct address *out); /* false: it is none; "*" is every IPv4 one */
bool address_is_any(const struct address *a);             /* 0.0.0.0 or [::] */
void address_put(const struct address *a, char out[ADDRESS_TEXT]);
void address_of_socket(int fd, char out[ADDRESS_TEXT]); /* what it is bound to; "-": nothing */

#endif
