/* Any file of readings is read or refused, and what was read goes out as reports that our own
 * decoder takes. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/limits.h"
#include "proto/native.h"
#include "tools/sim/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counted {
    struct arena arena;
    size_t readings;
};

static bool count(void *arg, struct span payload, size_t readings)
{
    struct counted *c = (struct counted *)arg;
    struct frame f;
    size_t values = 0;

    arena_clear(&c->arena);
    if (payload.len > LIMIT_PAYLOAD_PLAIN ||
        dialect_native.decode(&(struct dialect_input){ .bytes = payload }, &c->arena, &f, NULL))
        abort();
    for (uint32_t i = 0; i < f.series_count; i++)
        values += f.series[i].count;
    if (values != readings)
        abort();
    c->readings += readings;
    return true;
}

static void send_all(const struct history *h, const struct zone *zone, struct counted *c)
{
    uint32_t seq = 0;

    for (size_t first = 0, day_end, end; first < h->count; first = end) {
        day_end = history_day(h, zone, first);
        end = history_meter(h, first, day_end);
        if (day_end <= first || end <= first || end > day_end ||
            !history_reports(h->meters[h->at[first].meter].serial, h->at + first, end - first, 1,
                             &seq, count, c))
            abort();
    }
    if (c->readings > h->count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone zone;
    struct history_columns columns;
    struct counted c = { .readings = 0 };
    struct history h;
    FILE *f = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;

    if (!f)
        return 0;
    zone_fixed(&zone, "UTC+8", 28800);
    if (arena_init(&c.arena, 8 << 20) || !history_columns_read(NULL, &columns))
        abort();
    if (history_read(f, "fuzz", &columns, &zone, &h)) {
        send_all(&h, &zone, &c);
        history_done(&h);
    }
    arena_done(&c.arena);
    fclose(f);
    return 0;
}
