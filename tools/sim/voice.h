/* What meters of each kind send at the end of a day: native reports, encrypted OMS telegrams, CJ/T 188 frames, LoRaWAN
 * uplinks as their network server tells them.  Made by the encoders that tests hold against independent tools; never read back here. */
#ifndef NILO_TOOLS_SIM_VOICE_H
#define NILO_TOOLS_SIM_VOICE_H

#include "proto/base/text.h"

struct past;

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

struct speaker {
    enum voice voice;
    char serial[SERIAL_MAX + 1], radio_id[SERIAL_MAX + 1];
    uint8_t key[VOICE_KEY]; /* OMS; */
    bool has_key;           /* without one the telegrams are not encrypted */
    int64_t pulse_ml;       /* LoRaWAN: litres of a pulse, 1, 10 or 100 */
};

/* Takes one message. False ends the work. */
typedef bool voice_sink(void *arg, struct span payload, size_t readings);

/* What a meter that is not native sends of these rows (a meter's of one day, in order of time; what people read is left out).
 * *counter: its access number or frame counter, moved on. False: the sink said so, or said why. */
bool voice_reports(const struct speaker *who, const struct past *rows, size_t count,
                   const struct zone *zone, uint32_t *counter, voice_sink *sink, void *arg);

#endif
