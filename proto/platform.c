#include "proto/platform.h"

static enum err platform_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                                struct refusal *r)
{
    (void)in;
    (void)a;
    (void)out;
    return refuse(r, ERR_UNSUPPORTED, 0, "", "not read yet");
}

const struct dialect dialect_aep = {
    .name = "aep",
    .id = 9,
    .enveloped = true,
    .formats = { 0 },
    .decode = platform_decode,
};

const struct dialect dialect_onenet = {
    .name = "onenet",
    .id = 10,
    .enveloped = true,
    .formats = { 0 },
    .decode = platform_decode,
};

const struct dialect dialect_iotda = {
    .name = "iotda",
    .id = 11,
    .enveloped = true,
    .formats = { 0 },
    .decode = platform_decode,
};
