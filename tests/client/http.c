#include "tests/client/http.h"

#include "tests/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_S 30

static int connect_to(const char *host, int port)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    bool is_six = strchr(host, ':') != NULL;
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct timeval wait = { .tv_sec = WAIT_S };

    assert_true(fd >= 0);
    if (is_six)
        inet_pton(AF_INET6, host, &six.sin6_addr);
    else
        inet_pton(AF_INET, host, &four.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four,
                is_six ? sizeof six : sizeof four))
        fail_msg("no connection to %s:%d: %s", host, port, strerror(errno));
    return fd;
}

void client_open(struct client *c, const char *host, int port, const char *token)
{
    memset(c, 0, sizeof *c);
    snprintf(c->host, sizeof c->host, "%s", host);
    snprintf(c->token, sizeof c->token, "%s", token ? token : "");
    c->port = port;
    c->fd = connect_to(host, port);
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

void client_wait(struct client *c, int ms)
{
    struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

    c->patient = true;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
}

void client_send(struct client *c, const void *bytes, size_t len)
{
    const char *at = (const char *)bytes;

    while (len) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the answer, or its absence, tells */
        at += n;
        len -= (size_t)n;
    }
}

void client_ask(struct client *c, const char *method, const char *path, const char *fields,
                const char *body, size_t body_len)
{
    char *head = NULL;
    int len = asprintf(&head, "%s %s HTTP/1.1\r\nHost: %s:%d\r\n%s%s%s%s", method, path, c->host,
                       c->port, c->token[0] ? "Authorization: Bearer " : "", c->token,
                       c->token[0] ? "\r\n" : "", fields ? fields : "");

    assert_true(len > 0);
    client_send(c, head, (size_t)len);
    free(head);
    if (body) {
        char length[64];

        client_send(
            c, length,
            (size_t)snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", body_len));
        client_send(c, body, body_len);
    } else {
        client_send(c, "\r\n", 2);
    }
}

/* Receives more; false at the end of the connection. */
static bool more(struct client *c)
{
    ssize_t n;

    if (c->len + 65536 > c->cap) {
        c->cap = c->cap ? 2 * c->cap : 131072;
        c->in = (uint8_t *)realloc(c->in, c->cap);
        assert_non_null(c->in);
    }
    n = recv(c->fd, c->in + c->len, c->cap - c->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !c->patient)
        fail_msg("no answer within %d s", WAIT_S);
    if (n <= 0)
        return false;
    c->len += (size_t)n;
    return true;
}

static void drop(struct client *c, size_t len)
{
    memmove(c->in, c->in + len, c->len - len);
    c->len -= len;
}

/* The bytes up to and with `end`, as zero-ended text; NULL if the connection ends before. */
static char *take_until(struct client *c, const char *end)
{
    size_t end_len = strlen(end);

    for (;;) {
        uint8_t *found = c->len ? (uint8_t *)memmem(c->in, c->len, end, end_len) : NULL;

        if (found) {
            size_t len = (size_t)(found - c->in) + end_len;
            char *text = (char *)calloc(1, len + 1);

            assert_non_null(text);
            memcpy(text, c->in, len);
            drop(c, len);
            return text;
        }
        if (!more(c))
            return NULL;
    }
}

static bool take_body(struct client *c, struct answer *a, size_t len)
{
    while (c->len < len && more(c))
        ;
    if (c->len < len)
        len = c->len;
    a->body = (char *)realloc(a->body, a->len + len + 1);
    assert_non_null(a->body);
    if (len)
        memcpy(a->body + a->len, c->in, len);
    a->len += len;
    a->body[a->len] = 0;
    if (len)
        drop(c, len);
    return true;
}

static void take_chunks(struct client *c, struct answer *a)
{
    for (;;) {
        char *line = take_until(c, "\r\n");
        size_t len, before = a->len;

        if (!line)
            return;
        len = strtoul(line, NULL, 16);
        free(line);
        if (len == 0)
            break;
        take_body(c, a, len);
        if (a->len - before < len || !(line = take_until(c, "\r\n")))
            return;
        free(line);
    }
    while ((a->trailer || (a->trailer = (char *)calloc(1, 1)))) {
        char *line = take_until(c, "\r\n"), *joined = NULL;

        if (!line)
            return;
        if (strcmp(line, "\r\n") == 0) {
            free(line);
            a->whole = true;
            return;
        }
        assert_true(asprintf(&joined, "%s%s", a->trailer, line) > 0);
        free(a->trailer);
        free(line);
        a->trailer = joined;
    }
}

void client_answer(struct client *c, const char *method, struct answer *out)
{
    char room[256];
    const char *length;

    memset(out, 0, sizeof *out);
    do {
        free(out->head);
        out->head = take_until(c, "\r\n\r\n");
        if (!out->head) {
            out->head = (char *)calloc(1, 1);
            out->body = (char *)calloc(1, 1);
            return;
        }
        if (sscanf(out->head, "HTTP/1.%*d %d", &out->status) != 1)
            fail_msg("not the head of an answer: %.60s", out->head);
    } while (out->status == 100);
    out->body = (char *)calloc(1, 1);
    length = answer_field(out, "Content-Length", room);
    if (strcmp(method, "HEAD") == 0 || out->status == 204 || out->status == 304) {
        out->whole = true;
    } else if (length) {
        size_t len = strtoul(length, NULL, 10);

        take_body(c, out, len);
        out->whole = out->len == len;
    } else if ((length = answer_field(out, "Transfer-Encoding", room)) &&
               strcasecmp(length, "chunked") == 0) {
        out->chunked = true;
        take_chunks(c, out);
    } else {
        while (more(c))
            ;
        take_body(c, out, c->len);
        out->whole = true;
    }
}

bool client_is_closed(struct client *c)
{
    struct timeval wait = { .tv_sec = 5 };
    char byte;
    ssize_t n;

    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    n = recv(c->fd, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

void http_get(struct client *c, const char *path, const char *accept, struct answer *out)
{
    char fields[256] = "";

    if (accept)
        snprintf(fields, sizeof fields, "Accept: %s\r\n", accept);
    client_ask(c, "GET", path, fields, NULL, 0);
    client_answer(c, "GET", out);
}

void http_post(struct client *c, const char *path, const char *fields, const char *body,
               struct answer *out)
{
    client_ask(c, "POST", path, fields, body ? body : "", body ? strlen(body) : 0);
    client_answer(c, "POST", out);
}

static const char *field_in(const char *text, const char *name, char room[256])
{
    size_t len = strlen(name);

    for (const char *line = text; line && *line;) {
        const char *end = strstr(line, "\r\n");

        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1;

            while (*value == ' ')
                value++;
            snprintf(room, 256, "%.*s", (int)(end - value), value);
            return room;
        }
        line = end ? end + 2 : NULL;
    }
    return NULL;
}

const char *answer_field(const struct answer *a, const char *name, char room[256])
{
    const char *found = field_in(a->head, name, room);

    return found ? found : field_in(a->trailer, name, room);
}

json_t *answer_json(const struct answer *a)
{
    json_error_t e;
    json_t *j = json_loadb(a->body, a->len, JSON_REJECT_DUPLICATES, &e);

    if (!j)
        fail_msg("the answer (%d) is no JSON: %s at %d: %.200s", a->status, e.text, e.position,
                 a->body);
    return j;
}

void answer_done(struct answer *a)
{
    free(a->head);
    free(a->body);
    free(a->trailer);
    memset(a, 0, sizeof *a);
}
