/* A real nilod for tests: its own store, ports picked by the system, an administrator's token.  Every wait is bounded; a nilod that
 * does not start, or does not end well, fails the test with what it said.
 *
 *     struct nilod n = { .clock = "2026-03-01T00:00:00Z" };
 *     nilod_start(&n);  …  nilod_kill(&n);  nilod_start(&n);  …  nilod_stop(&n); */
#ifndef NILO_TESTS_NILOD_H
#define NILO_TESTS_NILOD_H

#include <stdbool.h>
#include <sys/types.h>

struct nilod {
    /* To be set before the first start; all may be left zero. */
    const char *clock;      /* --virtual-clock; NULL: the real one */
    const char *tz;         /* --tz; NULL: Asia/Shanghai */
    const char *extra[8];   /* further arguments, NULL-ended */
    bool coaps;             /* listens for it, too */
    char store[512];        /* "": a new folder */
    /* Known after a start; a later start asks for the same ports. */
    pid_t pid;
    int said; /* its standard output */
    char http_host[48], coap_host[48], coaps_host[48];
    int http_port, coap_port, coaps_port;
    char token[64];
    char ready[1024]; /* its first line */
    char log[600]; /* file of its standard error */
};

#define nilod_start(n) nilod_start_in(n, NILO_BUILD_DIR)
void nilod_start_in(struct nilod *n, const char *build);
void nilod_stop(struct nilod *n); /* SIGTERM; must end with 0 within 10 s */
void nilod_kill(struct nilod *n); /* SIGKILL */

/* Runs nilod until it ends by itself, within 10 s; its exit code. What it said on standard error goes to `said`. */
#define nilod_run(said, size, ...) nilod_run_in(NILO_BUILD_DIR, said, size, (const char *const[]){ __VA_ARGS__, NULL })
int nilod_run_in(const char *build, char *said, size_t size, const char *const *arguments);

#endif
