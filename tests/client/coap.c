#include "tests/client/coap.h"

#include "tests/check.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void resolve(const char *host, const char *port, struct sockaddr_storage *out,
                    socklen_t *out_len)
{
    struct addrinfo want = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *found;

    assert_int_equal(getaddrinfo(host, port, &want, &found), 0);
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *out_len = found->ai_addrlen;
    freeaddrinfo(found);
}

void probe_open(struct probe *p, const char *host, const char *port, const char *from)
{
    struct sockaddr_storage here;
    socklen_t here_len;

    resolve(host, port, &p->to, &p->to_len);
    p->fd = socket(p->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(p->fd >= 0);
    p->next_mid = 1;
    if (!from)
        return;
    resolve(from, "0", &here, &here_len);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&here, here_len), 0);
}

void probe_close(struct probe *p)
{
    close(p->fd);
    p->fd = -1;
}

void probe_send_bytes(struct probe *p, struct span bytes)
{
    assert_int_equal(
        sendto(p->fd, bytes.at, bytes.len, 0, (const struct sockaddr *)&p->to, p->to_len),
        bytes.len);
}

/* ---- messages ---- */

void message_begin(struct message *m, unsigned type, unsigned code, uint16_t mid, struct span token)
{
    m->bytes[0] = (uint8_t)(1 << 6 | type << 4 | token.len);
    m->bytes[1] = (uint8_t)code;
    m->bytes[2] = (uint8_t)(mid >> 8);
    m->bytes[3] = (uint8_t)mid;
    if (token.len)
        memcpy(m->bytes + 4, token.at, token.len);
    m->len = 4 + token.len;
    m->last = 0;
}

/* RFC 7252 §3.1: what fits the nibble, and the bytes behind it. */
static unsigned nibble(unsigned v)
{
    return v < 13 ? v : v < 269 ? 13 : 14;
}

static void extend(struct message *m, unsigned v)
{
    if (v >= 269) {
        m->bytes[m->len++] = (uint8_t)((v - 269) >> 8);
        m->bytes[m->len++] = (uint8_t)(v - 269);
    } else if (v >= 13) {
        m->bytes[m->len++] = (uint8_t)(v - 13);
    }
}

void message_option(struct message *m, unsigned number, struct span value)
{
    unsigned delta = number - m->last, len = (unsigned)value.len;

    assert_true(number >= m->last);
    m->bytes[m->len++] = (uint8_t)(nibble(delta) << 4 | nibble(len));
    extend(m, delta);
    extend(m, len);
    if (len)
        memcpy(m->bytes + m->len, value.at, len);
    m->len += len;
    m->last = number;
}

void message_uint(struct message *m, unsigned number, uint32_t value)
{
    uint8_t bytes[4];
    size_t len = 0;

    for (int shift = 24; shift >= 0; shift -= 8)
        if (value >> shift)
            bytes[len++] = (uint8_t)(value >> shift);
    message_option(m, number, span_of(bytes, len));
}

void message_path(struct message *m, const char *path)
{
    while (*path) {
        size_t len = strcspn(path, "/");

        message_option(m, PROBE_URI_PATH, span_of(path, len));
        path += len + (path[len] == '/');
    }
}

void message_block(struct message *m, unsigned option, uint32_t num, bool more, unsigned szx)
{
    message_uint(m, option, num << 4 | (uint32_t)more << 3 | szx);
}

void message_payload(struct message *m, struct span payload)
{
    m->bytes[m->len++] = 0xff;
    memcpy(m->bytes + m->len, payload.at, payload.len);
    m->len += payload.len;
}

struct span message_span(const struct message *m)
{
    return span_of(m->bytes, m->len);
}

/* ---- answers ---- */

struct option_at {
    size_t at;
    unsigned number;
    struct span value;
};

static unsigned extended(const struct heard *h, size_t *at, unsigned v)
{
    assert_true(v != 15);
    if (v == 13)
        return 13u + h->bytes[(*at)++];
    if (v == 14) {
        *at += 2;
        return 269u + (unsigned)(h->bytes[*at - 2] << 8 | h->bytes[*at - 1]);
    }
    return v;
}

/* Moves to the next option; false at the payload or the end. */
static bool next_option(const struct heard *h, struct option_at *o)
{
    uint8_t first;
    unsigned len;

    if (o->at >= h->len || h->bytes[o->at] == 0xff)
        return false;
    first = h->bytes[o->at++];
    o->number += extended(h, &o->at, first >> 4);
    len = extended(h, &o->at, first & 15u);
    assert_true(o->at + len <= h->len);
    o->value = span_of(h->bytes + o->at, len);
    o->at += len;
    return true;
}

void heard_read(struct heard *h)
{
    struct option_at o = { 0 };

    assert_true(h->len >= 4);
    assert_int_equal(h->bytes[0] >> 6, 1);
    h->type = h->bytes[0] >> 4 & 3;
    h->code = h->bytes[1];
    h->mid = (uint16_t)(h->bytes[2] << 8 | h->bytes[3]);
    h->token = span_of(h->bytes + 4, h->bytes[0] & 15);
    assert_true(h->token.len <= 8 && 4 + h->token.len <= h->len);
    if (h->code == 0)
        assert_int_equal(h->len, 4);
    o.at = 4 + h->token.len;
    while (next_option(h, &o))
        continue;
    h->payload = span_of(NULL, 0);
    if (o.at < h->len) {
        h->payload = span_of(h->bytes + o.at + 1, h->len - o.at - 1);
        assert_true(h->payload.len > 0);
    }
}

bool probe_hear(struct probe *p, int wait_ms, struct heard *out)
{
    struct pollfd poll_fd = { .fd = p->fd, .events = POLLIN };
    ssize_t n;

    if (poll(&poll_fd, 1, wait_ms) <= 0)
        return false;
    n = recv(p->fd, out->bytes, sizeof out->bytes, 0);
    assert_true(n >= 0);
    out->len = (size_t)n;
    heard_read(out);
    return true;
}

bool heard_option(const struct heard *h, unsigned number, struct span *out)
{
    struct option_at o = { .at = 4 + h->token.len };

    while (next_option(h, &o))
        if (o.number == number) {
            *out = o.value;
            return true;
        }
    return false;
}

uint32_t heard_uint(const struct heard *h, unsigned number)
{
    struct span value = { 0 };
    uint32_t v = 0;

    if (!heard_option(h, number, &value))
        fail_msg("the answer has no option %u", number);
    assert_true(value.len <= 4);
    for (size_t i = 0; i < value.len; i++)
        v = v << 8 | value.at[i];
    return v;
}

void probe_ask(struct probe *p, const struct message *m, struct heard *out)
{
    for (int tries = 0; tries < 5; tries++) {
        probe_send_bytes(p, message_span(m));
        if (probe_hear(p, 2000, out))
            return;
    }
    fail_msg("no answer to message %u", (unsigned)(m->bytes[2] << 8 | m->bytes[3]));
}
