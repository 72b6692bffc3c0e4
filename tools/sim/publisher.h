/* Events on their way to a broker, as a LoRaWAN network server publishes them: MQTT, QoS 1. */
#ifndef NILO_TOOLS_SIM_PUBLISHER_H
#define NILO_TOOLS_SIM_PUBLISHER_H

#include "proto/base/span.h"

struct publisher;

/* `address`: HOST:PORT. NULL: said why. */
struct publisher *publisher_open(const char *address);
void publisher_close(struct publisher *p); /* NULL is fine */

/* Of the device: topic application/town/device/EUI/event/up. False: said why. */
bool publisher_put(struct publisher *p, const char *eui, struct span event);
/* Waits until the broker has acknowledged all of them, a minute at most. False: said why. */
bool publisher_drain(struct publisher *p);
uint64_t publisher_count(const struct publisher *p); /* published so far */

#endif
