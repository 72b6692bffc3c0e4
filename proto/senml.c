#include "proto/senml.h"

static enum err senml_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                             struct refusal *r)
{
    (void)in;
    (void)a;
    (void)out;
    return refuse(r, ERR_UNSUPPORTED, 0, "", "not read yet");
}

const struct dialect dialect_senml_json = {
    .name = "senml-json",
    .id = 4,
    .enveloped = false,
    .formats = { 110, 50 },
    .decode = senml_decode,
};

const struct dialect dialect_senml_cbor = {
    .name = "senml-cbor",
    .id = 5,
    .enveloped = false,
    .formats = { 112, 60 },
    .decode = senml_decode,
};
