/* The one place that knows what time it is.  Below the server's edge time is an argument. */
#ifndef NILO_SERVER_CLOCK_H
#define NILO_SERVER_CLOCK_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct clock {
    bool is_virtual;
    _Atomic int64_t virtual_s;
};

#define CLOCK_MOST_S UINT32_MAX /* 2106-02-07: a report's times have 32 bits, and so have ours on disk; the first is 1970 */

void clock_real(struct clock *c);
void clock_virtual(struct clock *c, int64_t at_s);         /* within [0, CLOCK_MOST_S] */
int64_t clock_now_s(struct clock *c);                      /* data's time: UTC seconds */
MUST_CHECK enum err clock_set(struct clock *c, int64_t at_s); /* INVALID: not a virtual clock; CONFLICT: backwards; RANGE */
int64_t clock_monotonic_us(void);
int64_t clock_monotonic_ms(void);                          /* protocol's time */
int64_t clock_machine_s(void); /* the machine's UTC, whatever a virtual clock says: for what other people's machines hold against their own */

#endif
