/* Uplink events of LoRaWAN network servers: ChirpStack v4 and The Things Stack. */
#ifndef NILO_PROTO_LORAWAN_H
#define NILO_PROTO_LORAWAN_H

#include "proto/dialect.h"

extern const struct dialect dialect_chirpstack;
extern const struct dialect dialect_tts;

#endif
