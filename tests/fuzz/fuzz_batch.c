/* Any bytes as a batch of the journal, and, under a checksum that fits, as what a record says. */
#include "proto/base/crc.h"
#include "storage/journal_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct batch_header *h, struct span value)
{
    uint32_t offset = BATCH_HEADER, next = 0;
    struct record record;
    size_t bytes = 0;

    while (!batch_record(h, value, offset, &record, &next, NULL)) {
        if (next <= offset || next > value.len ||
            record.name.len + record.bytes.len > next - offset)
            abort();
        for (size_t i = 0; i < record.name.len; i++)
            bytes += record.name.at[i];
        for (size_t i = 0; i < record.bytes.len; i++)
            bytes += record.bytes.at[i];
        offset = next;
    }
    if (bytes == SIZE_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch_header h = { .salt = 7, .base_s = 1780000000 };
    uint32_t offset = BATCH_HEADER, crc;
    uint8_t *value;

    if (!batch_header_read(1, span_of(data, size), &h))
        read_all(&h, span_of(data, size));
    value = malloc(BATCH_HEADER + 4 + size); /* exactly, so that one byte too far is noticed */
    if (!value)
        return 0;
    crc = crc32c(crc32c(h.salt, &offset, sizeof(offset)), data, size);
    memset(value, 0, BATCH_HEADER);
    memcpy(value + offset, &crc, sizeof(crc));
    if (size)
        memcpy(value + offset + 4, data, size);
    read_all(&h, span_of(value, BATCH_HEADER + 4 + size));
    free(value);
    return 0;
}
