/* A progress bar on standard error, only where that is a terminal. */
#ifndef NILO_TOOLS_NILO_PROGRESS_H
#define NILO_TOOLS_NILO_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what;
    uint64_t total; /* 0: unknown */
    int64_t drawn_ms;
    bool shown;
};

struct progress progress_begin(const char *what, uint64_t total);
void progress_at(struct progress *p, uint64_t done); /* cheap: draws ten times a second at most */
void progress_end(struct progress *p);               /* clears the line */

#endif
