/* A city that reports at once: how many acknowledged frames a second does a server give?  Bounded,
 * and loopback only: it is no weapon.  One thread, one socket; every meter speaks from an address
 * of its own, 127.x.y.z. */
#ifndef NILO_TOOLS_SIM_LOAD_H
#define NILO_TOOLS_SIM_LOAD_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdio.h>

#define SIM_LOAD_METERS_MAX 16000000 /* addresses that 127.0.0.0/8 holds, less some */
#define SIM_LOAD_WINDOW_MAX 32768

struct sim_load_options {
    const char
        *coap;       /* ADDR:PORT in 127.0.0.0/8, or [::1]:PORT (then all speak from one address) */
    uint32_t meters; /* serials 10000001 and on; 0 = 100 000 */
    uint64_t reports; /* in all; 0 = one of each meter */
    uint32_t window;  /* under way at once; 0 = 2 000 */
    uint32_t rate;    /* a second at most; 0 = as fast as the window allows */
    uint32_t seconds; /* at most; 0 = 600 */
    int64_t at_s; /* the reports' time; 0 = now. Each round over the meters is a day later, the last
                     one the newest */
    bool echo;    /* the other side sends everything back: tools/measure/echo.c */
};

/* Prints one line:
 * {"sent","acked","resent","lost","seconds","per_second","p50_us","p99_us","codes":{"2.04":N}}.
 * Returns an exit code: 0; 1 could not (said why); 2 wrong options (said why). */
int sim_load(const struct sim_load_options *options, FILE *json);

/* The meters that it speaks for, as a file for `nilo import meters`. */
void sim_load_meters(uint32_t meters, FILE *csv);

#endif
