/* What meters of each kind send at the end of a day: native reports, encrypted OMS telegrams, CJ/T 188 frames, LoRaWAN
 * uplinks.  Made by the encoders that the tests hold against independent tools; never read back here. */
#ifndef NILO_TOOLS_SIM_VOICE_H
#define NILO_TOOLS_SIM_VOICE_H

#include "proto/base/text.h"

enum voice { VOICE_NATIVE, VOICE_OMS, VOICE_CJT188, VOICE_LORAWAN, VOICE_COUNT };

#define VOICE_KEY 16
#define VOICE_LORAWAN_RECIPE "lora-pulse-day"

/* The register's column `dialect` for it. */
static inline const char *voice_dialect(enum voice v)
{
    static const char *const names[VOICE_COUNT] = { "native", "oms", "cjt188",
                                                    VOICE_LORAWAN_RECIPE };

    return names[v];
}

#endif
