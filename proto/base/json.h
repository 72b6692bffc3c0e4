/* JSON (RFC 8259), read where it lies: a text is checked once as a whole, and from then on walked in views of it, which cannot fail.
 *
 *     struct json root, v, name;
 *
 *     if ((err = json_check(in->bytes, &root, r)))
 *         return err;
 *     for (struct json_walk w = json_walk(root); json_next(&w, &name, &v);)
 *         if (json_is(name, "fPort"))
 *             fport = v;
 *
 * or, of many members the few that count, whatever their order: json_pick. `null` is as good as absent, everywhere. Of members of one
 * name the last counts. No memory but what json_text decodes, no recursion; all that is given out is borrowed from the input. */
#ifndef NILO_PROTO_BASE_JSON_H
#define NILO_PROTO_BASE_JSON_H

#include "proto/base/arena.h"
#include "proto/base/span.h"

#define JSON_DEPTH 32 /* objects and arrays inside one another */

enum json_kind {
    JSON_IS_ABSENT, /* or null: then `raw` is its four letters */
    JSON_IS_FALSE,
    JSON_IS_TRUE,
    JSON_IS_NUMBER,
    JSON_IS_TEXT,
    JSON_IS_OBJECT,
    JSON_IS_ARRAY
};

/* A value, a view of checked JSON. Zeroed it is absent. */
struct json {
    enum json_kind kind;
    bool escaped;    /* of a text: a backslash stands in it */
    struct span raw; /* as it stands there: a text with its quotes, a container with its brackets */
};

/* `bytes` must be one JSON value and blanks around it (a byte order mark before it is passed over). Control characters inside texts,
 * numbers such as 01 or 1., a comma too many: MALFORMED; TRUNCATED where it ends too early, TOO_LARGE when deeper than JSON_DEPTH;
 * `r` (may be NULL) tells the offset. Bytes above 0x7f are looked at when a text is used: json_text. */
MUST_CHECK enum err json_check(struct span bytes, struct json *out, struct refusal *r);

/* Walks the members of an object or the elements of an array, as they stand; anything else has none. `out_name` may be NULL, and is
 * a text, absent in arrays. */
struct json_walk {
    const uint8_t *at, *end;
    bool named, open; /* open: it ends at its brace, somewhere before `end` */
};
struct json_walk json_walk(struct json of);
bool json_next(struct json_walk *w, struct json *out_name, struct json *out);

/* Quicker where every element is walked, for its end need not be found beforehand: json_enter goes inside the next element of an
 * array where it is an object, json_leave behind it; what was not walked is passed over. `*out_from` is its opening brace. False at
 * the end of the array, and at an element that is no object: then json_next gives it. */
bool json_enter(struct json_walk *w, struct json_walk *inside, const uint8_t **out_from);
struct json json_leave(struct json_walk *w, struct json_walk *inside, const uint8_t *from); /* the object */

/* The members by these names: out[i] is the one called names[i], absent if there is none or `of` is no object. */
void json_pick(struct json of, const char *const *names, size_t count, struct json *out);
/* One member, absent likewise. A path such as "deviceInfo.devEui" goes inside; it reads the object once per call. */
struct json json_get(struct json of, const char *path);
/* Element n of an array, from 0; absent beyond its end. */
struct json json_element(struct json of, size_t n);

/* Whether it is a text that says just this (escapes decoded). */
bool json_is(struct json v, const char *text);

/* What the text says: a view of the input where nothing is escaped, else decoded into the arena. MALFORMED: no text, or not what
 * text_is_utf8 takes (a lone surrogate, a control character other than tab and line feed); NO_MEMORY. */
MUST_CHECK enum err json_text(struct json v, struct arena *a, struct span *out);
/* Likewise into the caller's bytes, where needed; FULL when it holds more than `cap`. */
MUST_CHECK enum err json_text_into(struct json v, uint8_t *room, size_t cap, struct span *out);

/* A number is mantissa · 10^power, exactly, but where `cut`: then it has more digits than 64 bits hold, and those behind were cut off. */
struct json_number {
    int64_t mantissa;
    int32_t power;
    bool cut;
};
/* MALFORMED: no number; RANGE: an exponent beyond ±100 000. */
MUST_CHECK enum err json_number(struct json v, struct json_number *out);
/* Whole numbers ("12", "12.0", "1.2e1"), and counts of 10^-places (2.5 with 3 places is 2500), exactly. MALFORMED; RANGE: it is finer,
 * or beyond 64 bits. */
MUST_CHECK enum err json_int(struct json v, int64_t *out);
MUST_CHECK enum err json_decimal(struct json v, unsigned places, int64_t *out);
MUST_CHECK enum err json_bool(struct json v, bool *out); /* MALFORMED */

/* Of a text that holds nothing but a number ("1700000000", as protobuf writes 64 bits) that number; anything else comes back as it is. */
struct json json_unquoted(struct json v);

/* Where in the input it stands, for refusals. */
static inline uint32_t json_offset(struct span input, struct json v)
{
    return v.raw.at ? (uint32_t)(v.raw.at - input.at) : 0;
}

#endif
