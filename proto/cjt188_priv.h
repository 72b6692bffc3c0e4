/* For cjt188*.c alone. */
#ifndef NILO_PROTO_CJT188_PRIV_H
#define NILO_PROTO_CJT188_PRIV_H

#include "proto/cjt188.h"
#include "proto/gather.h"
#include "proto/trace.h"

#define CJT188_HEAD 11                    /* bytes before DATA */
#define CJT188_LEAST (CJT188_HEAD + 2)    /* CS and 16 */
#define CJT188_DI_SER 3

enum cjt188_function {
    FUNCTION_READ = 0x01,
    FUNCTION_READ_ADDRESS = 0x03,
    FUNCTION_WRITE = 0x04,
    FUNCTION_READ_KEY = 0x09,
    FUNCTION_WRITE_ADDRESS = 0x15,
    FUNCTION_WRITE_BASE = 0x16
};
enum { CONTROL_REPLY = 0x80, CONTROL_FAILED = 0x40, CONTROL_MAKERS = 0x20, CONTROL_FUNCTION = 0x1f };

enum { DI_METERING = 0x901f, DI_ADDRESS = 0x810a, DI_CLOCK = 0xa015, DI_BASE = 0xa016, DI_VALVE = 0xa017, DI_FREEZE = 0xd300 };

/* A frame in the making. */
struct cjt188 {
    const struct dialect_input *in;
    struct trace *trace;
    struct refusal *r;
    struct gather g;
    struct frame f;
    uint8_t type, control, serial;
    uint16_t di;
    struct span data; /* DATA; behind DI and SER once these are read */
};

static inline uint32_t cjt188_offset(const struct cjt188 *c, const uint8_t *at)
{
    return (uint32_t)(at - c->in->bytes.at);
}

/* A data identifier and what stands behind DI and SER. */
struct cjt188_item {
    uint16_t from, to;
    int16_t length; /* -1: any */
    const char *name;
    enum err (*read)(struct cjt188 *c, const struct cjt188_item *item);
};
const struct cjt188_item *cjt188_item_of(uint16_t di); /* NULL: no table tells it */

enum err cjt188_read(struct cjt188 *c); /* the data of a reply to a read */
void cjt188_status(struct cjt188 *c, struct span two_bytes);

/* Low byte first; false where a nibble is no digit. */
bool cjt188_digits(struct span raw, int64_t *out);

/* Units of volume: what a hundredth is. */
struct cjt188_unit {
    uint8_t code;
    const char *name;
    int64_t hundredth_ml;
};
const struct cjt188_unit *cjt188_unit_of(uint8_t code); /* NULL: no unit of volume */

#endif
