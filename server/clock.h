/* The one place that knows what time it is.  Below the server's edge time is an argument. */
#ifndef NILO_SERVER_CLOCK_H
#define NILO_SERVER_CLOCK_H

#include "proto/base/err.h"

#include <stdbool.h>

struct clock {
    bool is_virtual;
    _Atomic int64_t virtual_s;
};

void clock_real(struct clock *c);
void clock_virtual(struct clock *c, int64_t at_s);
int64_t clock_now_s(struct clock *c);                      /* data's time: UTC seconds */
MUST_CHECK enum err clock_set(struct clock *c, int64_t at_s); /* INVALID: not a virtual clock; CONFLICT: backwards */
int64_t clock_monotonic_ms(void);                          /* protocol's time */

#endif
