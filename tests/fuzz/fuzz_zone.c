/* Time zone files: whatever the bytes, reading them answers, and in a zone that was read days
 * follow one another and civil times are found again. */
#include "proto/base/day.h"

#include <stdlib.h>

static void must(bool what)
{
    if (!what)
        abort();
}

static void check_instant(const struct zone *z, int64_t at_s)
{
    int64_t begin_s = zone_day_start(z, at_s), end_s = zone_day_next(z, at_s), again_s = 0;

    must(begin_s <= at_s && at_s < end_s);
    must(zone_hour_next(z, at_s) > at_s);
    must(zone_month_start(z, at_s) <= at_s && zone_month_next(z, at_s) > at_s);
    /* The earlier of two instants with the same civil time, never a later one. */
    must(!zone_utc(z, zone_civil(z, at_s), &again_s));
    must(again_s <= at_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone z;

    if (zone_read(&z, "fuzz", span_of(data, size)))
        return 0;
    for (int64_t at_s = -5000000000; at_s < 8000000000; at_s += 400000001)
        check_instant(&z, at_s);
    for (uint32_t i = 0; i < z.count && i < 16; i++) {
        /* Years of nine digits are nobody's; the calendar itself is only promised for those that
         * people write. */
        if (z.steps[i].from_s > -60000000000 && z.steps[i].from_s < 250000000000)
            check_instant(&z, z.steps[i].from_s);
    }
    return 0;
}
