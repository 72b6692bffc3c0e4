/* Pushes of operators' NB-IoT platforms: AEP/CTWing (aep.c), OneNET (onenet.c), Huawei IoTDA (iotda.c).  What they share stands in
 * platform.c.
 *
 * A platform either passes on the meter's bytes, as base 64 or hexadecimal text, or fields that it was told to make of them.  The bytes are read
 * by the dialect or recipe that the register names, the native one where it names none.  Of fields it is the member that still holds the
 * bytes which counts (RAWData and its like); fields without such a member are read where the register says senml-json, and are passed over
 * otherwise: the meter was heard, and that is all. */
#ifndef NILO_PROTO_PLATFORM_H
#define NILO_PROTO_PLATFORM_H

#include "proto/base/json.h"
#include "proto/dialect.h"
#include "proto/gather.h"

extern const struct dialect dialect_aep;
extern const struct dialect dialect_onenet;
extern const struct dialect dialect_iotda;

/* ---- for the three ---- */

#define PLATFORM_PARTS 64 /* frames in one push: services of one report */

/* A push on its way to a frame: names and times of the push first, then its parts. */
struct platform {
    const struct dialect_input *in;
    struct arena *arena;
    struct frame *out;
    struct refusal *refusal;
    struct gather values;
    unsigned parts;
    bool fields_only; /* something came that was no frame */
};
struct platform platform_of(const struct dialect_input *in, struct arena *a, struct frame *out, struct refusal *r);

/* Adds a name, if it is one. NO_MEMORY. */
MUST_CHECK enum err platform_name(struct platform *p, struct json v, const char *field);
/* Milliseconds since 1970, number or text, or a time as text; absent: nothing. MALFORMED. */
MUST_CHECK enum err platform_time(struct platform *p, struct json v, const char *field);
/* A part: text of bytes, or fields. `heard_s`: its own time, or 0. Errors as dialect_inner's. */
MUST_CHECK enum err platform_part(struct platform *p, struct json v, bool hex, const char *field, int64_t heard_s);
/* Joins the parts into the frame. */
MUST_CHECK enum err platform_end(struct platform *p);

bool platform_ms(struct json v, int64_t *out_s); /* what platform_time takes; false: it is no time */

#endif
