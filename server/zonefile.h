/* Time zones by name, from the system's files (Debian package tzdata). */
#ifndef NILO_SERVER_ZONEFILE_H
#define NILO_SERVER_ZONEFILE_H

#include "proto/base/day.h"

/* `name` as in "Asia/Shanghai"; "UTC" needs no file. INVALID for a name that is none or has no file; MALFORMED for a file that does
 * not read. `summer` is that of the place's latitude in zone.tab. */
MUST_CHECK enum err zone_load(const char *name, struct zone *out, struct refusal *r);

#endif
