/* CJ/T 188, the other way: requests to meters, and replies as meters send them, for the simulator and for tests. */
#ifndef NILO_PROTO_CJT188_ENCODE_H
#define NILO_PROTO_CJT188_ENCODE_H

#include "proto/dialect.h"

#define CJT188_DATA_MOST 0x61 /* behind DI and SER: reads have L up to 64 hexadecimal */

struct cjt188_head {
    uint8_t type;        /* T; 0x10: cold water */
    struct span address; /* fourteen digits, the maker first; empty: to all (then T is AA) */
    uint8_t control;     /* 0x01 read, 0x03 read address, 0x04 write, 0x16 write base index; + 0x80 replies, + 0xc0 failures */
    uint8_t serial;
    uint16_t di;         /* 0x901f */
    bool low_first;      /* DI as 1F 90 */
};

/* Without preambles. INVALID: an address that is no fourteen hexadecimal digits, too much data; FULL. */
MUST_CHECK enum err cjt188_put(const struct cjt188_head *h, struct span data, struct wr *w);
/* A failure has no DI: SER and the two bytes of status, first byte low. Likewise. */
MUST_CHECK enum err cjt188_put_failure(const struct cjt188_head *h, uint16_t status, struct wr *w);

/* What replies hold behind DI and SER. Volumes must be whole hundredths of `unit` (0x29 L … 0x2c m3 … 0x2e 100 m3) and have eight
 * digits, others as many as there is room for: RANGE. Times: Unix seconds, 0: not set. `zone` may be NULL: UTC+8. */
struct cjt188_metering {
    int64_t volume_ml, settled_ml, clock_s;
    const struct zone *zone;
    uint8_t unit;
    uint16_t status; /* first byte low */
};
MUST_CHECK enum err cjt188_put_metering(const struct cjt188_metering *m, struct wr *w);

struct cjt188_freeze {
    int64_t at_s, volume_ml;
    const struct zone *zone;
    uint8_t unit;
    int64_t flow_mlph;   /* tenths of a litre per hour and coarser: sent in m3/h with four decimals */
    int64_t temperature; /* thousandths of a degree, sent as hundredths */
    int64_t pressure_pa; /* sent in kPa with two decimals */
};
MUST_CHECK enum err cjt188_put_freeze(const struct cjt188_freeze *f, struct wr *w);
MUST_CHECK enum err cjt188_put_volume(int64_t ml, uint8_t unit, struct wr *w);                  /* five bytes */
MUST_CHECK enum err cjt188_put_clock(const struct zone *zone, int64_t at_s, struct wr *w);      /* seven */

/* struct dialect's: valve, base index, time, and history as reads of the daily freezes D3xx that the span touches, one frame after
 * another, where all of them fit. SER is the low 8 bits of the command's number. UNSUPPORTED: other commands; a meter whose name is not
 * its fourteen digits; a base index that eight digits do not hold; a history older than 256 days or longer than `out`. */
enum err cjt188_command(const struct meter_command *c, struct wr *out);

#endif
