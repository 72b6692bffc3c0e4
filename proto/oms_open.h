/* Opening what a meter enciphered: which of its keys fits, and how each security mode is undone.
 *
 *   ELL     AES-128 CTR over CRC2 and all that follows; the CRC proves the key
 *   mode 2  DES-CBC, CF's low byte says how many bytes
 *   mode 5  AES-128 CBC, initial vector M2 A6 ACC×8; bits 7..4 of CF say how many blocks
 *   mode 7  the same with keys derived from counter and number, initial vector 0; before it a CMAC over all
 *
 * In modes 2, 5 and 7 the first two bytes in the clear are 2F 2F. */
#ifndef NILO_PROTO_OMS_OPEN_H
#define NILO_PROTO_OMS_OPEN_H

#include "proto/oms_crypt.h"
#include "proto/oms_link.h"

/* What an AFL told. */
struct oms_afl {
    bool has, has_mcl, has_counter, has_mac, has_length;
    uint32_t at; /* offset of FCL */
    uint8_t mcl;
    uint32_t counter;
    uint16_t length;
    struct span mac;     /* as sent */
    struct span covered; /* the bytes behind the AFL, over which the MAC goes as well */
};

struct oms_open {
    const struct dialect_input *in;
    struct arena *arena;
    const struct frame_names *names; /* whose keys */
    struct oms_telegram *t;
    struct refusal *why;
    uint32_t offset; /* of the bytes at hand in the telegram */
    struct oms_message_keys keys; /* where t->mac_good */
};

/* Holds the MAC of an AFL against the meter's keys, whatever the security mode: WRONG_KEY where none of those known makes it. Where one
 * does, t->mac_good and o->keys. Nothing happens without MAC, counter or known keys. */
MUST_CHECK enum err oms_authenticate(struct oms_open *o, const struct oms_afl *afl);

/* `sealed` begins at the payload CRC; `out_clear` behind it. */
MUST_CHECK enum err oms_open_session(struct oms_open *o, uint8_t cc, struct span sealed, struct span *out_clear);

/* After oms_authenticate. `body` is all behind the TPL's header; sets t->records and t->records_at. UNSUPPORTED for modes that we do not know. */
MUST_CHECK enum err oms_open_records(struct oms_open *o, const struct oms_afl *afl, struct span body);

/* Whether what a maker's own mode should have enciphered reads as records of known quantities all the same, the register first. Of random
 * bytes one text in two millions does at 12 bytes, in fifty at 19. */
bool oms_is_plain(struct span bytes);

#endif
