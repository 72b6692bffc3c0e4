#include "tools/nilo/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "server/clock.h"

#define BAR_CELLS 32
#define REDRAW_MS 100

struct progress progress_begin(const char *what, uint64_t total)
{
    return (struct progress){ .what = what, .total = total, .shown = isatty(STDERR_FILENO) };
}

static void draw(const struct progress *p, uint64_t done)
{
    char bar[BAR_CELLS + 1];
    unsigned cells;

    if (!p->total) {
        fprintf(stderr, "\r%s: %llu\033[K", p->what, (unsigned long long)done);
        return;
    }
    if (done > p->total)
        done = p->total;
    cells = (unsigned)((double)done / (double)p->total * BAR_CELLS);
    for (unsigned i = 0; i < BAR_CELLS; i++)
        bar[i] = i < cells ? '#' : '.';
    bar[BAR_CELLS] = 0;
    fprintf(stderr, "\r%s [%s] %3.0f %%\033[K", p->what, bar,
            (double)done / (double)p->total * 100);
}

void progress_at(struct progress *p, uint64_t done)
{
    int64_t now;

    if (!p->shown)
        return;
    now = clock_monotonic_ms();
    if (p->drawn_ms && now - p->drawn_ms < REDRAW_MS)
        return;
    p->drawn_ms = now;
    draw(p, done);
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
}
