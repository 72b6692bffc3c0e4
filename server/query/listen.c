#include "server/query/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A page that opens for a whole office at once; the system cuts it to somaxconn. */
#define BACKLOG 4096
/* Bytes the system holds for a reader that does not read; by itself it takes 4 MB. */
#define UNSENT_MAX 131072

enum err listen_read(const char *text, struct address *out, struct refusal *r)
{
    char all[ADDRESS_TEXT];

    if (text[0] == ':')
        snprintf(all, sizeof all, "*%s", text);
    if (address_read(text[0] == ':' ? all : text, out))
        return ERR_OK;
    return refuse(r, ERR_INVALID, 0, "http",
                  "http: found %.60s, expected ADDR:PORT like 127.0.0.1:8080 or [::1]:8080", text);
}

bool listen_is_public(const struct address *a)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&a->at;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->at;

    if (a->at.ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> 24 != 127;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return six->sin6_addr.s6_addr[12] != 127;
    return !IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

enum err listen_open(const struct address *a, int *out_fd, struct refusal *r)
{
    int fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    int unsent = UNSENT_MAX;
    char text[ADDRESS_TEXT];

    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
        if (a->at.ss_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        if (bind(fd, (const struct sockaddr *)&a->at, a->len) == 0 && listen(fd, BACKLOG) == 0) {
            *out_fd = fd;
            return ERR_OK;
        }
    }
    address_put(a, text);
    refuse(r, ERR_IO, 0, "http", "cannot listen on %s: %s%s", text, strerror(errno),
           errno == EADDRINUSE ? "; end the program that does, or choose another port" : "");
    if (fd >= 0)
        close(fd);
    return ERR_IO;
}
