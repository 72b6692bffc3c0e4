/* CJ/T 188-2004 and -2018: the household meter's frame. */
#ifndef NILO_PROTO_CJT188_H
#define NILO_PROTO_CJT188_H

#include "proto/dialect.h"

extern const struct dialect dialect_cjt188;

#endif
