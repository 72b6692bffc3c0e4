#include "server/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool port_read(const char *text, uint16_t *out)
{
    size_t len = strspn(text, "0123456789");
    long port = strtol(text, NULL, 10);

    *out = (uint16_t)port;
    return len >= 1 && len <= 5 && text[len] == 0 && port <= UINT16_MAX;
}

static bool four_read(const char *host, uint16_t port, struct address *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&out->at;

    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    out->len = sizeof *four;
    return inet_pton(AF_INET, strcmp(host, "*") == 0 ? "0.0.0.0" : host, &four->sin_addr) == 1;
}

/* With its interface, where the address is of one link alone. */
static bool six_read(const char *host, uint16_t port, struct address *out)
{
    struct addrinfo want = { .ai_family = AF_INET6,
                             .ai_socktype = SOCK_DGRAM,
                             .ai_flags = AI_NUMERICHOST };
    struct addrinfo *found = NULL;

    if (getaddrinfo(host, NULL, &want, &found))
        return false;
    memcpy(&out->at, found->ai_addr, found->ai_addrlen);
    ((struct sockaddr_in6 *)&out->at)->sin6_port = htons(port);
    out->len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool address_read(const char *text, struct address *out)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    char host[ADDRESS_TEXT];
    uint16_t port;

    memset(out, 0, sizeof *out);
    if (len == 0 || len >= sizeof host || !port_read(colon + 1, &port))
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    if (host[0] != '[')
        return four_read(host, port, out);
    if (len < 3 || host[len - 1] != ']')
        return false;
    host[len - 1] = 0;
    return six_read(host + 1, port, out);
}

bool address_is_any(const struct address *a)
{
    if (a->at.ss_family == AF_INET)
        return ((const struct sockaddr_in *)&a->at)->sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&a->at)->sin6_addr);
}

void address_put(const struct address *a, char out[ADDRESS_TEXT])
{
    char host[NI_MAXHOST], port[8];

    if (getnameinfo((const struct sockaddr *)&a->at, a->len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(out, ADDRESS_TEXT, "-");
    else
        snprintf(out, ADDRESS_TEXT, a->at.ss_family == AF_INET6 ? "[%.80s]:%s" : "%.80s:%s", host,
                 port);
}

void address_of_socket(int fd, char out[ADDRESS_TEXT])
{
    struct address a = { .len = sizeof a.at };

    if (getsockname(fd, (struct sockaddr *)&a.at, &a.len))
        a.len = 0;
    address_put(&a, out);
}
