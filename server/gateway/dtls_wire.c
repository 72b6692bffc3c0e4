/* A record (RFC 6347 §4.1), and a ClientHello in it (§4.2):
 *
 *   u8 type · u16 version · u16 epoch · u48 sequence · u16 length · fragment
 *   fragment: u8 1 · u24 length · u16 message · u24 offset · u24 fragment's length · body
 *   body:     u16 version · 32 bytes of random · u8 n, session id · u8 n, cookie · … */
#include "server/gateway/dtls_wire.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"

#include <openssl/crypto.h>

#define CLIENT_HELLO 1
#define VERIFY_REQUEST 3
#define DTLS_1_0 0xfeff
#define RANDOM_BYTES 32
#define SESSION_ID_MAX 32

static uint32_t rd_be24(struct rd *r)
{
    uint32_t high = rd_u8(r);

    return high << 16 | rd_be16(r);
}

static void wr_be24(struct wr *w, uint32_t v)
{
    wr_u8(w, (uint8_t)(v >> 16));
    wr_be16(w, (uint16_t)v);
}

bool dtls_record_next(struct span *rest, struct dtls_record *out)
{
    struct rd r = rd_of(*rest);
    struct dtls_record record;
    uint64_t high;

    record.type = rd_u8(&r);
    record.version = rd_be16(&r);
    record.epoch = rd_be16(&r);
    high = rd_be16(&r);
    record.seq = high << 32 | rd_be32(&r);
    record.fragment = rd_bytes(&r, rd_be16(&r));
    if (r.err || record.type < DTLS_CHANGE || record.type > DTLS_DATA ||
        record.version >> 8 != DTLS_1_2 >> 8)
        return false;
    *rest = span_of(r.at, rd_left(&r));
    *out = record;
    return true;
}

/* A handshake message's head. */
struct message {
    uint8_t type;
    uint32_t len, offset, fragment_len;
    uint16_t seq;
};

static struct message message_read(struct rd *r)
{
    struct message m;

    m.type = rd_u8(r);
    m.len = rd_be24(r);
    m.seq = rd_be16(r);
    m.offset = rd_be24(r);
    m.fragment_len = rd_be24(r);
    if (m.fragment_len > rd_left(r) || m.offset + m.fragment_len > m.len)
        rd_fail(r, ERR_MALFORMED);
    return m;
}

bool dtls_hello_read(const struct dtls_record *record, struct dtls_hello *out)
{
    struct rd r = rd_of(record->fragment);
    struct message m = message_read(&r);
    struct dtls_hello hello = { .seq = record->seq };
    uint8_t session_len;

    if (r.err || record->type != DTLS_HANDSHAKE || record->epoch || m.type != CLIENT_HELLO ||
        m.offset)
        return false;
    r.end = r.at + m.fragment_len;
    if (rd_be16(&r) >> 8 != DTLS_1_2 >> 8)
        return false;
    hello.random = rd_bytes(&r, RANDOM_BYTES);
    session_len = rd_u8(&r);
    rd_bytes(&r, session_len);
    hello.cookie = rd_bytes(&r, rd_u8(&r));
    if (r.err || session_len > SESSION_ID_MAX)
        return false;
    *out = hello;
    return true;
}

/* With a pre-shared key a client sends ClientHello, ClientKeyExchange and Finished, and each goes
 * into one datagram; ClientHello may be the longest. */
#define MESSAGE_BYTES_MAX 2048
#define MESSAGE_SEQ_MAX 8

bool dtls_handshake_is_modest(const struct dtls_record *record)
{
    struct rd r = rd_of(record->fragment);

    while (rd_left(&r)) {
        struct message m = message_read(&r);

        if (r.err || m.len > MESSAGE_BYTES_MAX || m.seq > MESSAGE_SEQ_MAX)
            return false;
        rd_bytes(&r, m.fragment_len);
    }
    return record->fragment.len > 0;
}

/* ---- cookies ---- */

static void cookie_of_slot(const struct hash_key *key, const struct endpoint *from, uint64_t slot,
                           uint8_t out[DTLS_COOKIE_BYTES])
{
    struct hash h = hash_of(key, from, span_of(&slot, sizeof slot));

    _Static_assert(sizeof h == DTLS_COOKIE_BYTES, "a cookie is one hash");
    memcpy(out, &h, sizeof h);
}

void dtls_cookie_make(const struct hash_key *key, const struct endpoint *from, uint64_t now_s,
                      uint8_t out[DTLS_COOKIE_BYTES])
{
    cookie_of_slot(key, from, now_s / DTLS_COOKIE_S, out);
}

bool dtls_cookie_holds(const struct hash_key *key, const struct endpoint *from, uint64_t now_s,
                       struct span cookie)
{
    uint64_t slot = now_s / DTLS_COOKIE_S;
    uint8_t right[DTLS_COOKIE_BYTES];

    if (cookie.len != DTLS_COOKIE_BYTES)
        return false;
    cookie_of_slot(key, from, slot, right);
    if (CRYPTO_memcmp(right, cookie.at, sizeof right) == 0)
        return true;
    cookie_of_slot(key, from, slot - 1, right);
    return CRYPTO_memcmp(right, cookie.at, sizeof right) == 0;
}

/* RFC 6347 §4.2.1: the version is DTLS 1.0's whatever will be spoken, the record's number that of
 * the ClientHello. */
void dtls_verify_write(const struct dtls_hello *hello, const uint8_t cookie[DTLS_COOKIE_BYTES],
                       uint8_t out[DTLS_VERIFY_BYTES])
{
    struct wr w = wr_of(out, DTLS_VERIFY_BYTES);
    uint32_t body = 3 + DTLS_COOKIE_BYTES;

    wr_u8(&w, DTLS_HANDSHAKE);
    wr_be16(&w, DTLS_1_0);
    wr_be16(&w, 0);
    wr_be16(&w, (uint16_t)(hello->seq >> 32));
    wr_be32(&w, (uint32_t)hello->seq);
    wr_be16(&w, (uint16_t)(12 + body));
    wr_u8(&w, VERIFY_REQUEST);
    wr_be24(&w, body);
    wr_be16(&w, 0);
    wr_be24(&w, 0);
    wr_be24(&w, body);
    wr_be16(&w, DTLS_1_0);
    wr_u8(&w, DTLS_COOKIE_BYTES);
    wr_bytes(&w, span_of(cookie, DTLS_COOKIE_BYTES));
}
