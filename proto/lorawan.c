#include "proto/lorawan.h"

static enum err lorawan_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                               struct refusal *r)
{
    (void)in;
    (void)a;
    (void)out;
    return refuse(r, ERR_UNSUPPORTED, 0, "", "not read yet");
}

const struct dialect dialect_chirpstack = {
    .name = "chirpstack",
    .id = 7,
    .enveloped = true,
    .formats = { 0 },
    .decode = lorawan_decode,
};

const struct dialect dialect_tts = {
    .name = "tts",
    .id = 8,
    .enveloped = true,
    .formats = { 0 },
    .decode = lorawan_decode,
};
