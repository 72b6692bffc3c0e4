#include "proto/oms.h"

static enum err oms_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                           struct refusal *r)
{
    (void)in;
    (void)a;
    (void)out;
    return refuse(r, ERR_UNSUPPORTED, 0, "", "not read yet");
}

const struct dialect dialect_oms = {
    .name = "oms",
    .id = 2,
    .enveloped = false,
    .formats = { 0 },
    .decode = oms_decode,
};
