/* What M-Bus telegrams are enciphered with (EN 13757-3/-4/-7): AES-128 as CBC and CTR, CMAC and the keys derived by it, and the DES of old.
 *
 * Ciphers are fetched and their contexts made once per thread, at its first call, and freed when it ends: fetching costs more than a
 * whole telegram, and is the only memory here that is not the caller's. Every function: NO_MEMORY. */
#ifndef NILO_PROTO_OMS_CRYPT_H
#define NILO_PROTO_OMS_CRYPT_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#define OMS_KEY 16     /* bytes of an AES-128 key */
#define OMS_DES_KEY 8
#define OMS_BLOCK 16

/* Deciphers whole blocks into `out`, which may be `in`. A right key shows in the first two bytes, 2F 2F: where they are others,
 * `out_proved` is false and no more than the first block is deciphered. `key` has OMS_KEY bytes. */
MUST_CHECK enum err oms_cbc_open(const uint8_t *key, const uint8_t iv[OMS_BLOCK], struct span in, uint8_t *out, bool *out_proved);
MUST_CHECK enum err oms_cbc_seal(const uint8_t *key, const uint8_t iv[OMS_BLOCK], struct span in, uint8_t *out);

/* The same with single DES and an initial vector of zeros (mode 2); whole blocks of 8. */
MUST_CHECK enum err oms_des_open(const uint8_t *key, struct span in, uint8_t *out, bool *out_proved);
MUST_CHECK enum err oms_des_seal(const uint8_t *key, struct span in, uint8_t *out);

/* Either way; any length. `first` is the first counter block. */
MUST_CHECK enum err oms_ctr(const uint8_t *key, const uint8_t first[OMS_BLOCK], struct span in, uint8_t *out);

/* NIST SP 800-38B over `parts` one after another. */
MUST_CHECK enum err oms_cmac(const uint8_t *key, const struct span *parts, size_t count, uint8_t out[OMS_BLOCK]);

/* The keys of one message (EN 13757-7, 9.6): from the meter's lasting key, the message counter and the identification number as it
 * stands on the wire (low byte first). */
struct oms_message_keys {
    uint8_t enc[OMS_KEY], mac[OMS_KEY];
};
MUST_CHECK enum err oms_derive(const uint8_t *key, uint32_t counter, uint32_t id, struct oms_message_keys *out);

#endif
