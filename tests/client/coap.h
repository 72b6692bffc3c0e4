/* A CoAP client for tests, written from RFC 7252 and 7959 alone: it shares no line with the server
 * or libcoap, and can say things no decent client would.  Calls fail the test where the system
 * fails. */
#ifndef NILO_TESTS_CLIENT_COAP_H
#define NILO_TESTS_CLIENT_COAP_H

#include "proto/base/span.h"

#include <netinet/in.h>

enum { PROBE_CON, PROBE_NON, PROBE_ACK, PROBE_RST };

#define PROBE_CODE(c, dd) ((c) << 5 | (dd))
enum { PROBE_GET = 1, PROBE_POST, PROBE_PUT, PROBE_DELETE };

/* Option numbers. */
enum {
    PROBE_IF_MATCH = 1,
    PROBE_URI_HOST = 3,
    PROBE_OBSERVE = 6,
    PROBE_URI_PORT = 7,
    PROBE_URI_PATH = 11,
    PROBE_CONTENT_FORMAT = 12,
    PROBE_MAX_AGE = 14,
    PROBE_URI_QUERY = 15,
    PROBE_ACCEPT = 17,
    PROBE_BLOCK2 = 23,
    PROBE_BLOCK1 = 27,
    PROBE_PROXY_URI = 35,
    PROBE_SIZE1 = 60,
    PROBE_NO_RESPONSE = 258,
    PROBE_REQUEST_TAG = 292
};

/* ---- where to ---- */

struct probe {
    int fd;
    uint16_t next_mid;
    struct sockaddr_storage to;
    socklen_t to_len;
};

/* `host` and `port` are numbers ("127.0.0.1", "::1"); `from` the address to speak from, NULL = any.
 */
void probe_open(struct probe *p, const char *host, const char *port, const char *from);
void probe_close(struct probe *p);
void probe_send_bytes(struct probe *p, struct span bytes);

/* ---- messages ---- */

struct message {
    uint8_t bytes[70000];
    size_t len;
    unsigned last; /* option number */
};

void message_begin(struct message *m, unsigned type, unsigned code, uint16_t mid,
                   struct span token);
void message_option(struct message *m, unsigned number, struct span value); /* in ascending order */
void message_uint(struct message *m, unsigned number, uint32_t value); /* without leading zeros */
void message_path(struct message *m, const char *path);                /* "r/oms" */
void message_block(struct message *m, unsigned option, uint32_t num, bool more, unsigned szx);
void message_payload(struct message *m, struct span payload);
struct span message_span(const struct message *m);

/* ---- answers ---- */

struct heard {
    uint8_t bytes[2048];
    size_t len;
    unsigned type, code;
    uint16_t mid;
    struct span token, payload;
};

/* The next datagram; false after `wait_ms` without one. Fails the test where it is no CoAP message.
 */
bool probe_hear(struct probe *p, int wait_ms, struct heard *out);
/* Takes apart what stands in `bytes`; fails the test where it is no CoAP message. */
void heard_read(struct heard *h);
bool heard_option(const struct heard *h, unsigned number,
                  struct span *out); /* the first with that number */
uint32_t heard_uint(const struct heard *h,
                    unsigned number); /* fails the test where there is none */

/* Sends and hears the answer, once more after each two seconds without one, as RFC 7252 §4.2 has
 * it; fails after five. */
void probe_ask(struct probe *p, const struct message *m, struct heard *out);

#endif
