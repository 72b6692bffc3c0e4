/* M-Bus telegrams from the outside in (EN 13757-2/-4/-7): link, network and transport layers, down to the data records in the clear.
 *
 *   oms_link_read    wireless `L C M M A6 CI…` with CRCs (format A, B) or without; wired `68 L L 68 C A CI… CS 16`
 *   oms_layers_read  ELL, NWL, AFL, TPL; deciphers by the meter's keys (oms_crypt.h)
 *
 * Offsets in refusals count in the telegram without its link CRCs, beginning at the L field (wired: at the first 68). */
#ifndef NILO_PROTO_OMS_LINK_H
#define NILO_PROTO_OMS_LINK_H

#include "proto/dialect.h"

/* Who sent it. `id` holds the eight digits as they are printed, a nibble each: 0x12345678; makers use A to F as well. */
struct oms_address {
    uint16_t maker; /* three letters of five bits */
    uint32_t id;
    uint8_t version, type; /* type 07: water, 16: cold water, … */
};

/* What the TPL's CI field says about the bytes that follow. */
enum oms_content {
    OMS_RECORDS, /* DIF/VIF records */
    OMS_COMPACT, /* data alone, by the format `signature` */
    OMS_FORMAT,  /* DIF/VIF list alone, of the format `signature` */
    OMS_LAYOUT   /* a maker's own (CI A0 to B7) */
};

struct oms_telegram {
    bool wired;
    bool has_link;            /* `link` is set: always but for wired ones */
    bool has_meter;           /* `meter` is set: the TPL's long header, else the ELL's, else the link's */
    struct oms_address link, meter;
    uint8_t c, ci;            /* C field; CI of the TPL */
    bool has_header;          /* access, status and config were sent */
    uint8_t access, status;
    uint16_t config;
    bool has_counter;         /* of the AFL (mode 7), authenticated where `mac_good` */
    bool mac_good;
    uint32_t counter;
    enum oms_content content;
    uint16_t signature;       /* of a compact or a format frame */
    uint16_t full_crc;        /* of a compact frame: CRC over the records of the full one */
    struct span telegram;     /* as received, without its link CRCs; a view of the input or the arena */
    struct span records;      /* in the clear, without the "2F 2F" that proves a key, without `signature` and `full_crc`; a view likewise.
                                 Unencrypted bytes behind the encrypted ones are part of it */
    uint32_t records_at;      /* offset of records.at[0] in `telegram`: add it to offsets in refusals */
};

/* CRC-16 of EN 13757-4: polynomial 3D65, initially 0, complemented; "123456789" gives C2B7. */
uint16_t oms_crc(struct span bytes);

/* Of a telegram with CRCs of format A or B a copy without them; sets `wired`, `c`, `link`, `telegram`. `out_layers_view` begins at the
 * first CI field. MALFORMED, TRUNCATED, UNSUPPORTED (wired ones that bear no data), NO_MEMORY. */
MUST_CHECK enum err oms_link_read(struct span bytes, struct arena *a, struct trace *trace, struct oms_telegram *t,
                                  struct span *out_layers_view, struct refusal *r);

/* The meter's names, the most telling first: "KAM-74685644-1B-16", "KAM-74685644", "74685644". None without an address. NO_MEMORY. */
MUST_CHECK enum err oms_names(const struct oms_address *of, struct arena *a, struct frame_names *out);

#endif
