/* SenML (RFC 8428) in JSON and CBOR, with LwM2M resources as SenML: what 3424 (water meter), 3427 (pressure) and 3411 (battery) say.
 *
 * A record's name (bn + n) is taken apart: "urn:imei:868123456789012:vol" and "urn:dev:mac:0024befffe804ff1_vol" name a meter and a
 * measure, as do "10000017:vol" and "10000017/vol" (at the last of : and /); ".../3424/0/1" ends in an object, its instance and a resource. The meter's names are the
 * whole ("urn:imei:868123456789012"), then the number alone. All records must name the same one, or none: NAMES_DIFFER.
 *
 * Measures by their names (senml_measure.def), by their unit where the name is the meter's alone. A value is brought to thousandths of what we
 * keep (mL, Pa, …) with one rounding: to the nearest, halves away from zero; where a base value is added, digits behind the billionth of such a thousandth
 * are cut off from both before. Units that are not known (or absent) are never taken for another: the record is passed over, told by name, and
 * where a volume is passed over so and nothing else is read the frame waits (NO_RECIPE).
 *
 * Times below 2^28 count from arrival. `sent_s` is 0, but where the newest time of the pack shows a clock that is wrong beyond doubt
 * (contract §3, "Clocks"): then that is what the clock said, and the caller re-times. */
#ifndef NILO_PROTO_SENML_H
#define NILO_PROTO_SENML_H

#include "proto/dialect.h"

#define SENML_NAME_MOST 192 /* bytes of a record's name; longer ones are refused */

extern const struct dialect dialect_senml_json;
extern const struct dialect dialect_senml_cbor;

#endif
