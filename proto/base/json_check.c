/* The grammar of RFC 8259, once over a whole text: a state for what may come next, and a bit for each
 * container that is open. */
#include "proto/base/json_scan.h"

#include "proto/base/hex.h"

enum next { VALUE, VALUE_OR_END, NAME, NAME_OR_END, COMMA_OR_END };

struct check {
    const uint8_t *start, *at, *end;
    uint32_t
        objects; /* the lowest bit: the container at hand is an object; the others around it above */
    unsigned depth;
    struct refusal *r;
    enum err err;
};

_Static_assert(JSON_DEPTH <= 32, "a bit for each container");

/* Always false, so that a check is one line. */
static bool fail(struct check *c, const uint8_t *at, const char *expected)
{
    uint32_t offset = (uint32_t)(at - c->start);

    if (at >= c->end)
        c->err =
            refuse(c->r, ERR_TRUNCATED, offset, "json", "expected %s, found the end", expected);
    else
        c->err = refuse(c->r, ERR_MALFORMED, offset, "json", "expected %s, found byte 0x%02x",
                        expected, *at);
    return false;
}

const uint8_t *scan_number(const uint8_t *at, const uint8_t *end, const uint8_t **out_fault)
{
    const uint8_t *digits;

    at += at < end && *at == '-';
    digits = at;
    at = at < end && *at == '0' ? at + 1 : scan_digits(at, end);
    if (at == digits)
        goto fault;
    if (at < end && *at == '.') {
        digits = ++at;
        if ((at = scan_digits(at, end)) == digits)
            goto fault;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        if ((at = scan_digits(at, end)) == digits)
            goto fault;
    }
    *out_fault = NULL;
    return at;
fault:
    *out_fault = at;
    return at;
}

int32_t scan_hex4(const uint8_t *at, const uint8_t *end)
{
    int32_t v = 0;

    if (end - at < 4)
        return -1;
    for (unsigned i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);

        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* At a backslash. */
static bool check_escape(struct check *c)
{
    const uint8_t *at = c->at + 1;

    if (at < c->end && *at == 'u') {
        for (unsigned i = 0; i < 4; i++)
            if (++at >= c->end || hex_digit(*at) < 0)
                return fail(c, at, "four hexadecimal digits");
    } else if (at >= c->end || !*at || !strchr("\"\\/bfnrt", *at)) {
        return fail(c, at, "one of \"\\/bfnrtu after a backslash");
    }
    c->at = at + 1;
    return true;
}

static bool check_text(struct check *c)
{
    for (c->at++;;) {
        c->at = scan_plain(c->at, c->end);
        if (c->at == c->end || *c->at <= 0x1f)
            return fail(c, c->at, "the text to go on, or a quote");
        if (*c->at == '"')
            break;
        if (!check_escape(c))
            return false;
    }
    c->at++;
    return true;
}

static bool check_word(struct check *c, const char *word)
{
    for (; *word; word++, c->at++)
        if (c->at == c->end || *c->at != (uint8_t)*word)
            return fail(c, c->at, "null, true or false");
    return true;
}

static bool check_number(struct check *c)
{
    const uint8_t *fault;

    c->at = scan_number(c->at, c->end, &fault);
    return fault ? fail(c, fault, "a digit") : true;
}

static bool check_open(struct check *c, bool object)
{
    if (c->depth == JSON_DEPTH) {
        c->err = refuse(c->r, ERR_TOO_LARGE, (uint32_t)(c->at - c->start), "json",
                        "deeper than %d objects and arrays", JSON_DEPTH);
        return false;
    }
    c->depth++;
    c->objects = c->objects << 1 | object;
    c->at++;
    return true;
}

static bool check_close(struct check *c)
{
    if (*c->at != (c->objects & 1 ? '}' : ']'))
        return fail(c, c->at, c->objects & 1 ? "a comma or }" : "a comma or ]");
    c->depth--;
    c->objects >>= 1;
    c->at++;
    return true;
}

/* A value, or the beginning of one: `*next` is what may follow it. */
static bool check_value(struct check *c, enum next *next)
{
    bool object = *c->at == '{';

    *next = COMMA_OR_END;
    switch (*c->at) {
    case '{':
    case '[':
        *next = object ? NAME_OR_END : VALUE_OR_END;
        return check_open(c, object);
    case '"':
        return check_text(c);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        if (*c->at != '-' && (unsigned)*c->at - '0' > 9)
            return fail(c, c->at, "a value");
        return check_number(c);
    }
}

static bool check_name(struct check *c)
{
    if (*c->at != '"')
        return fail(c, c->at, "a name in quotes");
    if (!check_text(c))
        return false;
    c->at = scan_blanks(c->at, c->end);
    if (c->at == c->end || *c->at != ':')
        return fail(c, c->at, "a colon");
    c->at++;
    return true;
}

/* One step; at a byte that is no blank. */
static bool check_step(struct check *c, enum next *next)
{
    switch (*next) {
    case VALUE_OR_END:
        if (*c->at == ']')
            break;
        return check_value(c, next);
    case VALUE:
        return check_value(c, next);
    case NAME_OR_END:
        if (*c->at == '}')
            break;
        *next = VALUE;
        return check_name(c);
    case NAME:
        *next = VALUE;
        return check_name(c);
    case COMMA_OR_END:
        if (*c->at != ',')
            break;
        *next = c->objects & 1 ? NAME : VALUE;
        c->at++;
        return true;
    }
    *next = COMMA_OR_END;
    return check_close(c);
}

static const char *expected_of(const struct check *c, enum next next)
{
    switch (next) {
    case NAME:
    case NAME_OR_END:
        return "a name in quotes";
    case COMMA_OR_END:
        return c->objects & 1 ? "a comma or }" : "a comma or ]";
    default:
        return "a value";
    }
}

static bool check_all(struct check *c)
{
    enum next next = VALUE;

    do {
        c->at = scan_blanks(c->at, c->end);
        if (c->at == c->end)
            return fail(c, c->at, expected_of(c, next));
        if (!check_step(c, &next))
            return false;
    } while (c->depth || next != COMMA_OR_END);
    return true;
}

enum err json_check(struct span bytes, struct json *out, struct refusal *r)
{
    static const uint8_t mark[3] = { 0xef, 0xbb, 0xbf };
    struct check c = { .start = bytes.at, .at = bytes.at, .r = r };
    const uint8_t *first;

    c.end = bytes.len ? bytes.at + bytes.len : bytes.at;
    if (bytes.len >= 3 && memcmp(bytes.at, mark, 3) == 0)
        c.at += 3;
    c.at = first = scan_blanks(c.at, c.end);
    if (!check_all(&c))
        return c.err;
    if (*first == '{' || *first == '[') /* whose end is known already */
        *out = (struct json){ .kind = *first == '{' ? JSON_IS_OBJECT : JSON_IS_ARRAY,
                              .raw = span_of(first, (size_t)(c.at - first)) };
    else
        scan_value(first, c.at, out);
    c.at = scan_blanks(c.at, c.end);
    if (c.at != c.end) {
        fail(&c, c.at, "nothing more");
        return c.err;
    }
    return ERR_OK;
}
