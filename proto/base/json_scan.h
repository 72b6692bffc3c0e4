/* For json*.c alone: finds the end of things, sixteen bytes at a time where the processor can. Nothing is read at `end` or behind. */
#ifndef NILO_PROTO_BASE_JSON_SCAN_H
#define NILO_PROTO_BASE_JSON_SCAN_H

#include "proto/base/json.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline const uint8_t *scan_blanks(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* The next quote, backslash or control character inside a text; `end` where there is none. */
static inline const uint8_t *scan_plain(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)at);
        __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(0x1f)), _mm_set1_epi8(0x1f));
        __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash)));

        if (found)
            return at + __builtin_ctz(found);
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && *at > 0x1f)
        at++;
    return at;
}

/* The next quote or bracket outside texts; `end` where there is none. */
static inline const uint8_t *scan_bracket(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)at);
        __m128i curly = _mm_or_si128(v, _mm_set1_epi8(0x20)); /* [ and ] become { and } */
        __m128i brackets = _mm_or_si128(_mm_cmpeq_epi8(curly, _mm_set1_epi8('{')), _mm_cmpeq_epi8(curly, _mm_set1_epi8('}')));
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_or_si128(brackets, _mm_cmpeq_epi8(v, _mm_set1_epi8('"'))));

        if (found)
            return at + __builtin_ctz(found);
    }
#endif
    while (at < end && *at != '"' && (*at | 0x20) != '{' && (*at | 0x20) != '}')
        at++;
    return at;
}

static inline const uint8_t *scan_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (unsigned)*at - '0' <= 9)
        at++;
    return at;
}

/* The end of the number that begins at `at`. `*out_fault`: NULL where it is one, else where it ceases to be. */
const uint8_t *scan_number(const uint8_t *at, const uint8_t *end, const uint8_t **out_fault);

/* The value that begins at `at`, in JSON that was checked; returns its end. Field by field into `out`: a struct on its way through
 * registers made each step wait for the one before. */
const uint8_t *scan_value(const uint8_t *at, const uint8_t *end, struct json *out);

/* Whether an escaped text says just this. */
bool scan_says(struct json v, struct span text);

/* The four hexadecimal digits of \uXXXX at `at` ("XXXX"); -1 where they are none. */
int32_t scan_hex4(const uint8_t *at, const uint8_t *end);

#endif
