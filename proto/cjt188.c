#include "proto/cjt188.h"

static enum err cjt188_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                              struct refusal *r)
{
    (void)in;
    (void)a;
    (void)out;
    return refuse(r, ERR_UNSUPPORTED, 0, "", "not read yet");
}

const struct dialect dialect_cjt188 = {
    .name = "cjt188",
    .id = 3,
    .enveloped = false,
    .formats = { 0 },
    .decode = cjt188_decode,
};
