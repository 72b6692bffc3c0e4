/* Who speaks what: the meters of a town, from its files meters.csv (serial, dialect, radio_id, resolution_l) and keys.csv (serial,
 * kind, key_hex). */
#ifndef NILO_TOOLS_SIM_CAST_H
#define NILO_TOOLS_SIM_CAST_H

#include "tools/sim/voice.h"

struct cast;

/* `keys` may be NULL. NULL: said why, with the line. */
struct cast *cast_read(const char *meters, const char *keys);
void cast_free(struct cast *c); /* NULL is fine */

/* NULL: the file does not have the meter. */
const struct speaker *cast_of(const struct cast *c, const char *serial);

#endif
