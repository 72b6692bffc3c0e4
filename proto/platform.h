/* Pushes of operators' NB-IoT platforms: AEP/CTWing, OneNET, Huawei IoTDA. */
#ifndef NILO_PROTO_PLATFORM_H
#define NILO_PROTO_PLATFORM_H

#include "proto/dialect.h"

extern const struct dialect dialect_aep;
extern const struct dialect dialect_onenet;
extern const struct dialect dialect_iotda;

#endif
