/* What one CoAP datagram says, and the bytes of an answer (RFC 7252, 7959, 7967).  Pure: no socket,
 * no clock, no memory.
 *
 * Options are read and written by libcoap.  Its coap_pdu_parse is passed by on purpose: it copies
 * every datagram, and calls a format error what RFC 7252 §5.4.3 wants treated as an unrecognized
 * option (a known option of a wrong length). */
#ifndef NILO_SERVER_GATEWAY_COAP_H
#define NILO_SERVER_GATEWAY_COAP_H

#include "proto/base/span.h"
#include "proto/base/wr.h"

enum message_type { MESSAGE_CON, MESSAGE_NON, MESSAGE_ACK, MESSAGE_RST };

#define CODE(c, dd) ((c) << 5 | (dd))

enum message_code {
    CODE_EMPTY = 0,
    CODE_GET = CODE(0, 1),
    CODE_POST = CODE(0, 2),
    CODE_CHANGED = CODE(2, 4),
    CODE_CONTENT = CODE(2, 5),
    CODE_CONTINUE = CODE(2, 31),
    CODE_BAD_REQUEST = CODE(4, 0),
    CODE_BAD_OPTION = CODE(4, 2),
    CODE_FORBIDDEN = CODE(4, 3),
    CODE_NOT_FOUND = CODE(4, 4),
    CODE_BAD_METHOD = CODE(4, 5),
    CODE_NOT_ACCEPTABLE = CODE(4, 6),
    CODE_INCOMPLETE = CODE(4, 8),
    CODE_TOO_LARGE = CODE(4, 13),
    CODE_BAD_FORMAT = CODE(4, 15),
    CODE_TOO_MANY = CODE(4, 29),
    CODE_UNAVAILABLE = CODE(5, 3),
    CODE_NO_PROXY = CODE(5, 5)
};

#define FORMAT_TEXT 0
#define FORMAT_LINKS 40
#define FORMAT_OCTETS 42

#define TOKEN_MAX 8
/* One more than any path of ours has: longer ones are unknown all the same. */
#define PATH_MAX_PARTS 4

/* Of a block-wise transfer (RFC 7959 §2.2). A block's bytes begin at num << (szx + 4). */
struct block_option {
    uint32_t num;
    bool more;
    uint8_t szx; /* 7 is reserved, and kept here for the one who refuses it */
};

/* A request. Spans point into the datagram. */
struct coap_request {
    enum message_type type; /* CON or NON */
    uint8_t code;
    uint16_t mid;
    struct span token;
    uint32_t path_count; /* may exceed what `path` holds */
    struct span path[PATH_MAX_PARTS];
    uint32_t name_count; /* of ?m=… */
    struct span name;    /* the first ?m=… */
    bool names_differ;
    bool has_format, has_accept, has_block1, has_block2, has_size1;
    uint16_t format, accept;
    struct block_option block1, block2;
    uint32_t size1;
    uint8_t no_response; /* RFC 7967: 2 = no 2.xx, 8 = no 4.xx, 16 = no 5.xx */
    uint16_t bad_option; /* the first critical option that is not understood; 0 = none */
    bool proxy;          /* Proxy-Uri or Proxy-Scheme stands there */
    bool cut;            /* longer than any datagram we take: the rest was not received */
    struct span options; /* all of them */
    struct span payload;
};

enum coap_form {
    COAP_SILENCE, /* not for us, or nothing that may be answered */
    COAP_RESET,   /* answer RST: a ping, or a CON whose format is wrong; `mid` is filled */
    COAP_REQUEST
};

/* `cut` = the datagram was longer than the bytes that are there. */
enum coap_form coap_request_read(struct span datagram, bool cut, struct coap_request *out);

/* What tells one block-wise transfer of an endpoint from another: path, query and Request-Tag, as
 * bytes. */
void coap_request_subject(const struct coap_request *q, struct wr *out);

struct coap_answer {
    enum message_type type;
    uint8_t code;
    uint16_t mid;
    struct span token;
    bool has_format, has_max_age, has_block1, has_block2, has_size1;
    uint16_t format;
    uint32_t max_age_s, size1;
    struct block_option block1, block2;
    struct span payload;
};

#define ANSWER_HEAD_MAX 48 /* all but the payload */

void coap_answer_write(const struct coap_answer *a, struct wr *out);

static inline bool coap_answer_unwanted(uint8_t no_response, uint8_t code)
{
    return code >> 5 >= 2 && (no_response & 1u << ((code >> 5) - 1)) != 0;
}

#endif
