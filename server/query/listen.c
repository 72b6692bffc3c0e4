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

static bool port_read(const char *text, uint16_t *out)
{
    char *end;
    unsigned long port;

    if (*text < '0' || *text > '9')
        return false;
    port = strtoul(text, &end, 10);
    *out = (uint16_t)port;
    return *end == 0 && port < 65536;
}

static bool address_read(const char *host, uint16_t port, struct listen_address *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&out->at;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->at;

    memset(out, 0, sizeof *out);
    if (!*host || strcmp(host, "*") == 0)
        host = "0.0.0.0";
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        out->len = sizeof *four;
    } else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        out->len = sizeof *six;
    }
    return out->len != 0;
}

enum err listen_read(const char *text, struct listen_address *out, struct refusal *r)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    size_t len = colon ? (size_t)(colon - text) : 0;
    uint16_t port;

    if (colon && len < sizeof host && port_read(colon + 1, &port)) {
        memcpy(host, text, len);
        host[len] = 0;
        if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
            host[len - 1] = 0;
            memmove(host, host + 1, len - 1);
        } else if (strchr(host, ':')) {
            host[0] = '?'; /* an IPv6 address needs its brackets */
        }
        if (address_read(host, port, out))
            return ERR_OK;
    }
    return refuse(r, ERR_INVALID, 0, "http",
                  "http: found %.60s, expected ADDR:PORT like 127.0.0.1:8080 or [::1]:8080", text);
}

bool listen_is_public(const struct listen_address *a)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&a->at;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->at;

    if (a->at.ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> 24 != 127;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return six->sin6_addr.s6_addr[12] != 127;
    return !IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static void put(const struct listen_address *a, char out[LISTEN_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *four = (const struct sockaddr_in *)&a->at;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->at;

    if (a->at.ss_family == AF_INET) {
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
        snprintf(out, LISTEN_TEXT_SIZE, "%s:%u", host, ntohs(four->sin_port));
    } else {
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
        snprintf(out, LISTEN_TEXT_SIZE, "[%s]:%u", host, ntohs(six->sin6_port));
    }
}

enum err listen_open(const struct listen_address *a, int *out_fd, struct refusal *r)
{
    int fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    int unsent = UNSENT_MAX;
    char text[LISTEN_TEXT_SIZE];

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
    put(a, text);
    refuse(r, ERR_IO, 0, "http", "http: %s cannot be listened on: %s", text, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ERR_IO;
}

void listen_put(int fd, char out[LISTEN_TEXT_SIZE])
{
    struct listen_address a = { .len = sizeof a.at };

    if (getsockname(fd, (struct sockaddr *)&a.at, &a.len))
        memset(&a, 0, sizeof a);
    put(&a, out);
}
