/* EN 13757-3/-4/-7 and OMS: wireless and wired M-Bus telegrams. */
#ifndef NILO_PROTO_OMS_H
#define NILO_PROTO_OMS_H

#include "proto/dialect.h"

extern const struct dialect dialect_oms;

#endif
