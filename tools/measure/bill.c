/* The readings of a city whose month is closed: what `tools/bench bill` and `figures` put into a store.
 *
 *     bench_bill STORE COUNT HOURS    meters 1 to COUNT by id, by the hour to the end of March 2026, a third of the hours without use
 *
 * No nilod may have the store open. The readings go into the archive by the calls that settle, and lie there as they do when a month
 * was settled and tidied. Imported as files, 7.44 thousand million lines would take an hour; how fast that is, `tools/bench import` says. */
#include "proto/base/limits.h"
#include "storage/archive.h"
#include "storage/store.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define END_S INT64_C(1775001600) /* 2026-04-01T00:00:00Z */
#define HOURS_MOST 9000u
#define START_L 1000
#define UNIT_ML 1000 /* meters of a resolution of one litre */

static void must(enum err err, const char *what, const char *why)
{
    if (!err)
        return;
    fprintf(stderr, "bench_bill: %s: %s %s\n", what, err_text(err), why);
    exit(1);
}

static void fill(struct archive *a, uint32_t count, unsigned hours)
{
    static struct row rows[HOURS_MOST + 1];
    struct archive_pass *p = NULL;

    must(archive_pass_begin(a, 0, &p), "a pass", "");
    for (uint32_t meter = 1; meter <= count; meter++) {
        int64_t used_l = 0;

        for (unsigned h = 0; h <= hours; h++) {
            rows[h] = (struct row){ .value = (START_L + used_l) * UNIT_ML,
                                    .time_s = (uint32_t)(END_S - (int64_t)(hours - h) * 3600) };
            used_l += h % 3 ? (meter + h * 7) % 40 : 0;
        }
        must(archive_pass_put(p, meter, CHANNEL_FORWARD, UNIT_ML, rows, hours + 1), "a meter", "");
    }
    must(archive_pass_end(p, archive_settled(a)), "the pass", "");
}

int main(int argc, char **argv)
{
    unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    unsigned long hours = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    struct store_lock *lock = NULL;
    struct archive *a = NULL;
    struct refusal r = { 0 };

    if (!count || count > LIMIT_METERS || !hours || hours > HOURS_MOST) {
        fprintf(stderr, "usage: bench_bill STORE COUNT HOURS (at most %u)\n", HOURS_MOST);
        return 2;
    }
    must(store_lock_take(argv[1], &lock, &r), argv[1], r.text);
    must(archive_open(argv[1], store_db_flags(lock), &a, &r), argv[1], r.text);
    fill(a, (uint32_t)count, (unsigned)hours);
    archive_close(a);
    store_lock_release(lock);
    return 0;
}
