/* A file of holidays: whatever the bytes, spans come out in order of their first day and none ends
 * before it begins; a refusal says where and changes nothing. */
#include "server/detect/detect.h"

#include <stdlib.h>

static void must(bool what)
{
    if (!what)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct holidays h = { .count = 1 };
    struct refusal r = { 0 };
    struct zone z;
    int64_t overlap;

    if (holidays_read(&h, span_of(data, size), &r)) {
        must(h.count == 1 && r.err && r.text[0]);
        return 0;
    }
    for (size_t i = 0; i < h.count; i++) {
        must(h.spans[i].first_day <= h.spans[i].last_day);
        must(i == 0 || h.spans[i - 1].first_day <= h.spans[i].first_day);
    }
    zone_fixed(&z, "fuzz", 8 * 3600);
    overlap = holidays_overlap(&h, &z, 1000000000, 1100000000);
    must(overlap >= 0 && overlap <= 100000000);
    return 0;
}
