/* A datagram (RFC 7252 §3):
 *
 *   Ver 2 | T 2 | TKL 4 · code 8 · message id 16 · token · options · FF payload */
#include "server/gateway/coap.h"

#include <coap3/coap.h>

#define HEADER 4
#define VERSION 1
#define PAYLOAD_MARK 0xff

/* What we understand of an option: its range of lengths, and whether it may stand there more than
 * once (RFC 7252 table 4, RFC 7959 table 1, RFC 7967, RFC 9175). */
struct option_rule {
    uint16_t number;
    uint16_t least, most;
    bool repeats;
};

static const struct option_rule rules[] = {
    { COAP_OPTION_URI_HOST, 1, 255, false },   { COAP_OPTION_URI_PORT, 0, 2, false },
    { COAP_OPTION_URI_PATH, 0, 255, true },    { COAP_OPTION_CONTENT_FORMAT, 0, 2, false },
    { COAP_OPTION_URI_QUERY, 0, 255, true },   { COAP_OPTION_ACCEPT, 0, 2, false },
    { COAP_OPTION_BLOCK2, 0, 3, false },       { COAP_OPTION_BLOCK1, 0, 3, false },
    { COAP_OPTION_PROXY_URI, 1, 1034, false }, { COAP_OPTION_PROXY_SCHEME, 1, 255, false },
    { COAP_OPTION_SIZE1, 0, 4, false },        { COAP_OPTION_NORESPONSE, 0, 1, false },
    { COAP_OPTION_RTAG, 0, 8, true },
};

static const struct option_rule *rule_of(unsigned number)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].number == number)
            return &rules[i];
    return NULL;
}

/* Walks the options; a borrowed view of each. */
struct option_walk {
    const uint8_t *at, *end;
    unsigned number;
    struct span value;
    bool bad; /* the format is broken here */
};

static bool option_next(struct option_walk *w)
{
    coap_option_t option;
    size_t taken;

    if (w->at == w->end || *w->at == PAYLOAD_MARK)
        return false;
    taken = coap_opt_parse(w->at, (size_t)(w->end - w->at), &option);
    /* libcoap 4.3.1 lets a two-byte delta above 65 535 wrap to a small one. */
    if (taken == 0 || (*w->at >> 4 == 14 && option.delta < 269) ||
        w->number + option.delta > COAP_MAX_OPT) {
        w->bad = true;
        return false;
    }
    w->number += option.delta;
    w->value = span_of(option.value, option.length);
    w->at += taken;
    return true;
}

static uint32_t option_uint(struct span value)
{
    uint32_t v = 0;

    for (size_t i = 0; i < value.len; i++)
        v = v << 8 | value.at[i];
    return v;
}

static struct block_option option_block(struct span value)
{
    uint32_t v = option_uint(value);

    return (struct block_option){ .num = v >> 4, .more = v >> 3 & 1, .szx = v & 7 };
}

static void take_query(struct coap_request *q, struct span value)
{
    struct span name;

    if (value.len < 2 || value.at[0] != 'm' || value.at[1] != '=')
        return; /* not a word of ours: other programs' parameters do no harm */
    name = span_of(value.at + 2, value.len - 2);
    if (q->name_count++ == 0)
        q->name = name;
    else if (!span_equal(q->name, name))
        q->names_differ = true;
}

static void take_option(struct coap_request *q, unsigned number, struct span value)
{
    switch (number) {
    case COAP_OPTION_URI_PATH:
        if (q->path_count < PATH_MAX_PARTS)
            q->path[q->path_count] = value;
        q->path_count++;
        break;
    case COAP_OPTION_URI_QUERY:
        take_query(q, value);
        break;
    case COAP_OPTION_CONTENT_FORMAT:
        q->has_format = true;
        q->format = (uint16_t)option_uint(value);
        break;
    case COAP_OPTION_ACCEPT:
        q->has_accept = true;
        q->accept = (uint16_t)option_uint(value);
        break;
    case COAP_OPTION_BLOCK1:
        q->has_block1 = true;
        q->block1 = option_block(value);
        break;
    case COAP_OPTION_BLOCK2:
        q->has_block2 = true;
        q->block2 = option_block(value);
        break;
    case COAP_OPTION_SIZE1:
        q->has_size1 = true;
        q->size1 = option_uint(value);
        break;
    case COAP_OPTION_NORESPONSE:
        q->no_response = (uint8_t)option_uint(value);
        break;
    case COAP_OPTION_PROXY_URI:
    case COAP_OPTION_PROXY_SCHEME:
        q->proxy = true;
        break;
    default: /* Uri-Host, Uri-Port: whatever they name, it arrived here; Request-Tag: see
                coap_request_subject */
        break;
    }
}

/* RFC 7252 §5.4.1, 5.4.3, 5.4.5: what is unknown, of a wrong length or there once too often is
 * "unrecognized": passed over, or where critical (an odd number) a reason to refuse the message. */
static void read_options(struct option_walk *w, struct coap_request *q)
{
    unsigned last = 0;

    while (option_next(w)) {
        const struct option_rule *rule = rule_of(w->number);

        if (rule && w->value.len >= rule->least && w->value.len <= rule->most &&
            (rule->repeats || w->number != last))
            take_option(q, w->number, w->value);
        else if ((w->number & 1) && !q->bad_option)
            q->bad_option = (uint16_t)w->number;
        last = w->number;
    }
}

/* False: the message's format is wrong. */
static bool read_rest(struct span datagram, bool cut, struct coap_request *q)
{
    size_t token_len = datagram.at[0] & 0x0f;
    struct option_walk w;

    if (token_len > TOKEN_MAX || datagram.len < HEADER + token_len)
        return false;
    q->token = span_of(datagram.at + HEADER, token_len);
    w = (struct option_walk){ .at = datagram.at + HEADER + token_len,
                              .end = datagram.at + datagram.len };
    q->options = span_of(w.at, (size_t)(w.end - w.at));
    read_options(&w, q);
    if (w.bad)
        return cut; /* what is missing may be the reason */
    q->options.len = (size_t)(w.at - q->options.at);
    q->payload = span_of(w.at, 0); /* empty, not NULL: readers add to it */
    if (w.at == w.end)
        return true;
    q->payload = span_of(w.at + 1, (size_t)(w.end - w.at) - 1);
    return q->payload.len > 0; /* §3: a marker with nothing behind it */
}

enum coap_form coap_request_read(struct span datagram, bool cut, struct coap_request *out)
{
    enum message_type type;
    enum coap_form wrong;

    if (datagram.len < HEADER || datagram.at[0] >> 6 != VERSION)
        return COAP_SILENCE;
    type = (enum message_type)(datagram.at[0] >> 4 & 3);
    if (type == MESSAGE_ACK || type == MESSAGE_RST)
        return COAP_SILENCE; /* we ask nothing, so it answers nothing */
    memset(out, 0, sizeof *out);
    out->type = type;
    out->code = datagram.at[1];
    out->mid = (uint16_t)(datagram.at[2] << 8 | datagram.at[3]);
    out->cut = cut;
    wrong = type == MESSAGE_CON ? COAP_RESET : COAP_SILENCE;
    /* A ping, an empty message that is not empty, a reserved class, a response to nothing: §4.2,
     * §4.3. */
    if (out->code == CODE_EMPTY || out->code >> 5 != 0 || !read_rest(datagram, cut, out))
        return wrong;
    return COAP_REQUEST;
}

void coap_request_subject(const struct coap_request *q, struct wr *out)
{
    struct option_walk w = { .at = q->options.at, .end = q->options.at + q->options.len };

    while (option_next(&w)) {
        if (w.number != COAP_OPTION_URI_PATH && w.number != COAP_OPTION_URI_QUERY &&
            w.number != COAP_OPTION_RTAG)
            continue;
        wr_le16(out, (uint16_t)w.number);
        wr_le16(out, (uint16_t)w.value.len);
        wr_bytes(out, w.value);
    }
}

/* ---- answers ---- */

struct option_put {
    struct wr *out;
    uint16_t last;
};

static void put_option(struct option_put *p, uint16_t number, const uint8_t *value, size_t len)
{
    size_t room = (size_t)(p->out->end - p->out->at);
    size_t used = coap_opt_encode(p->out->at, room, (uint16_t)(number - p->last), value, len);

    if (used == 0) {
        p->out->err = ERR_FULL;
        return;
    }
    p->out->at += used;
    p->last = number;
}

/* Without leading zeros (§3.2). */
static void put_uint(struct option_put *p, uint16_t number, uint32_t v)
{
    uint8_t bytes[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    size_t zeros = 0;

    while (zeros < sizeof bytes && bytes[zeros] == 0)
        zeros++;
    put_option(p, number, bytes + zeros, sizeof bytes - zeros);
}

static void put_block(struct option_put *p, uint16_t number, struct block_option b)
{
    put_uint(p, number, b.num << 4 | (uint32_t)b.more << 3 | b.szx);
}

static void put_options(const struct coap_answer *a, struct wr *out)
{
    struct option_put p = { out, 0 };

    if (a->has_format)
        put_uint(&p, COAP_OPTION_CONTENT_FORMAT, a->format);
    if (a->has_max_age)
        put_uint(&p, COAP_OPTION_MAXAGE, a->max_age_s);
    if (a->has_block2)
        put_block(&p, COAP_OPTION_BLOCK2, a->block2);
    if (a->has_block1)
        put_block(&p, COAP_OPTION_BLOCK1, a->block1);
    if (a->has_size1)
        put_uint(&p, COAP_OPTION_SIZE1, a->size1);
}

void coap_answer_write(const struct coap_answer *a, struct wr *out)
{
    wr_u8(out, (uint8_t)(VERSION << 6 | a->type << 4 | a->token.len));
    wr_u8(out, a->code);
    wr_be16(out, a->mid);
    wr_bytes(out, a->token);
    if (!out->err)
        put_options(a, out);
    if (a->payload.len) {
        wr_u8(out, PAYLOAD_MARK);
        wr_bytes(out, a->payload);
    }
}
