/* Real series of registers, as real.c and real_house.c take them. */
#ifndef NILO_TOOLS_MEASURE_DETECT_REAL_H
#define NILO_TOOLS_MEASURE_DETECT_REAL_H

#include "tools/measure/detect/bench.h"

#define SERIES_MAX 4096

struct real_series {
    char name[32];
    struct row *at; /* in order of time, ml */
    size_t count, cap;
};
struct real {
    struct real_series *series;
    size_t count;
    struct zone zone;
};
/* CSV meter,local_time,index_l, meter by meter. NOT_FOUND, NO_MEMORY, TOO_LARGE; `r` zeroed before, done also after an error. */
MUST_CHECK enum err real_load(const char *path, struct real *r);
void real_unload(struct real *r);

#endif
