/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), with the processor's instruction where it has one. */
#ifndef NILO_PROTO_BASE_CRC_H
#define NILO_PROTO_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* `crc` is 0 to begin with, or the result over the bytes before. crc32c(0, "123456789", 9) is 0xE3069283. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* The same without the instruction: what crc32c falls back to, open to the test that holds the two against each other. */
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t len);

#endif
