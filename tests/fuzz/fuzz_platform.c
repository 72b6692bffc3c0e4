/* Pushes of AEP, OneNET and IoTDA. */
#include "proto/platform.h"
#include "tests/fuzz/enveloped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dialect *const dialects[] = { &dialect_aep, &dialect_onenet, &dialect_iotda,
                                                      &dialect_onenet };

    if (size)
        enveloped_check(dialects[data[0] >> 5 & 3], data[0], span_of(data + 1, size - 1));
    return 0;
}
