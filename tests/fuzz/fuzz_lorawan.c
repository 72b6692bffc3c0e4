/* Events of ChirpStack and The Things Stack. */
#include "proto/lorawan.h"
#include "tests/fuzz/enveloped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size)
        enveloped_check(data[0] & 32 ? &dialect_tts : &dialect_chirpstack, data[0],
                        span_of(data + 1, size - 1));
    return 0;
}
