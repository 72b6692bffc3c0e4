/* M-Bus telegrams at the link (EN 13757-2 wired, -4 wireless), and the telegram that all layers fill.
 *
 *   wireless  L C M M ID ID ID ID V T CI…           L counts what follows it, without CRCs
 *             format A: a CRC after the first 10 bytes, then after each 16; format B: L counts the CRCs, one stands after 126 bytes
 *             where there are more than 128, one at the end; gateways mostly take them off
 *   wired     68 L L 68 C A CI… CS 16               L counts C to the last data byte, CS sums them up
 *
 * Offsets in refusals count in the telegram without its link CRCs, beginning at the L field (wired: at the first 68); of a CRC that does
 * not fit, in what was received. */
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
    OMS_NOTHING, /* that we read: alarms, errors, a bare transport layer; the header tells all we take */
    OMS_RECORDS, /* DIF/VIF records */
    OMS_COMPACT, /* data alone, by the format `signature` */
    OMS_FORMAT,  /* DIF/VIF list alone, of the format `signature` */
    OMS_LAYOUT   /* a maker's own: CI A0 to B7; CI 7A with a security mode of the maker's (1, 16 to 31), not deciphered */
};

struct oms_telegram {
    bool wired;
    bool has_link;            /* `link` is set: always but for wired ones */
    bool has_meter;           /* `meter` is set: the TPL's long header, else the link's */
    struct oms_address link, meter;
    uint8_t c, ci;            /* C field; CI of the TPL */
    bool has_header;          /* access, status and config were sent */
    uint8_t access, status;
    uint16_t config;
    bool has_session;         /* of the ELL: session number */
    uint32_t session;
    bool has_counter;         /* of the AFL; authenticated where `mac_good` */
    bool mac_good;
    uint32_t key_mark;        /* where `mac_good`: CRC-32C of the key */
    bool sealed;              /* a key of the meter's own opened it, or its MAC is good */
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

enum oms_form { OMS_FORM_BARE, OMS_FORM_A, OMS_FORM_B, OMS_FORM_WIRED };

/* What it looks like. A bare telegram whose last bytes happen to be a CRC looks like format B: one in 65 536, so that where OMS_FORM_B
 * makes no sense, OMS_FORM_BARE may. */
enum oms_form oms_form_of(struct span bytes);

/* Sets `wired`, `c`, `link`, `meter`, `telegram` (without CRCs, then a copy). `out_layers_view` begins at the first CI field.
 * MALFORMED, TRUNCATED, UNSUPPORTED (wired ones that bear no data), NO_MEMORY. */
MUST_CHECK enum err oms_link_read(struct span bytes, enum oms_form form, struct arena *a, struct trace *trace, struct oms_telegram *t,
                                  struct span *out_layers_view, struct refusal *r);

/* The meter's names, the most telling first: "KAM-74685644-1B-16", "KAM-74685644", "74685644"; the number alone where the maker is
 * no three letters. NO_MEMORY. */
MUST_CHECK enum err oms_names(const struct oms_address *of, struct arena *a, struct frame_names *out);

struct oms_address oms_address_read(struct span m2_a6);            /* 8 bytes: maker, identification number, version, type */
void oms_address_write(const struct oms_address *of, uint8_t out[8]);
void oms_maker_text(uint16_t maker, char out[4]);
const char *oms_type_text(uint8_t type); /* "" where it is none that we name */

/* Diehl Metering and what it bought (DME, HYD, SAP, EWT, SPL): they share addresses and keys of their own kind. */
bool oms_of_diehl(uint16_t maker);

#define OMS_MAKER(a, b, c) ((uint16_t)(((a) - 64) << 10 | ((b) - 64) << 5 | ((c) - 64)))

#endif
