/* What a request line asks for: its path, cut and decoded, and its query parameters.  Pure; bytes come from strangers. */
#ifndef NILO_SERVER_QUERY_TARGET_H
#define NILO_SERVER_QUERY_TARGET_H

#include "proto/base/text.h"

#define TARGET_RAW_MAX 4096   /* of a request's path and query: longer ones are 414 */
#define TARGET_SEGMENTS_MAX 6 /* our longest path has four */
#define TARGET_PARAMETERS_MAX 16

struct parameter {
    struct span name, value;
};

struct target {
    unsigned segments, parameters;
    struct span segment[TARGET_SEGMENTS_MAX];
    struct parameter parameter[TARGET_PARAMETERS_MAX];
    uint8_t text[TARGET_RAW_MAX]; /* what the spans above point into */
};

/* Splits `raw` ("/v1/meters/A%2FB?from=…") and decodes its parts (RFC 3986 §2.1; '+' in the query is a blank, as forms send it).
 * MALFORMED: no leading slash, a bad escape, bytes that are no UTF-8 text; TOO_LARGE; LIMIT: too many segments or parameters, or a
 * parameter twice.  `r` says which. */
MUST_CHECK enum err target_read(struct span raw, struct target *out, struct refusal *r);

/* The value of a parameter; false where it was not sent. An empty value counts as not sent. */
bool target_parameter(const struct target *t, const char *name, struct span *out);

/* RFC 3339 with offset; a '+' that came as a blank is understood. MALFORMED with `r`. */
MUST_CHECK enum err target_time(const struct target *t, const char *name, int64_t fallback_s, int64_t *out_s,
                                struct refusal *r);
MUST_CHECK enum err target_int(const struct target *t, const char *name, int64_t least, int64_t most, int64_t fallback,
                               int64_t *out, struct refusal *r);
MUST_CHECK enum err target_bool(const struct target *t, const char *name, bool *out, struct refusal *r);

/* The forms an answer can have. */
enum form { FORM_JSON = 1, FORM_NDJSON = 2, FORM_CSV = 4, FORM_GEOJSON = 8, FORM_XLSX = 16 };

/* The best of `offered` (a set of enum form) by an Accept header (RFC 9110 §12.5.1); an empty one accepts all. 0: none will do. */
unsigned form_chosen(struct span accept, unsigned offered);

/* Whether an Accept-Encoding header (RFC 9110 §12.5.3) names a coding and does not refuse it; "*" does not count. */
bool coding_taken(struct span accept, const char *coding);

/* A form by its short name ("xlsx"), of those offered; 0: there is none such. */
unsigned form_named(struct span name, unsigned offered);

/* Opaque cursors: bytes as hexadecimal text. */
#define CURSOR_MAX 320
MUST_CHECK enum err target_cursor(const struct target *t, uint8_t out[CURSOR_MAX], size_t *out_len, struct refusal *r);

#endif
