/* SenML (RFC 8428) in JSON and CBOR, with the resources of LwM2M object 3424. */
#ifndef NILO_PROTO_SENML_H
#define NILO_PROTO_SENML_H

#include "proto/dialect.h"

extern const struct dialect dialect_senml_json;
extern const struct dialect dialect_senml_cbor;

#endif
