/* A native report as a meter writes it (contract §3), and a list of readings as the API tells it:
 * written from the contract alone, sharing no line with the server's own codecs.  Nothing here
 * fails a test, so that any thread may call it. */
#ifndef NILO_TESTS_CLIENT_REPORT_H
#define NILO_TESTS_CLIENT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report {
    const char *meter;
    uint32_t sent;    /* the meter's clock */
    unsigned channel; /* of the contract's enum Channel */
    uint32_t at, step_s;
    const int64_t *litres; /* newest first: at, at − step_s, … */
    size_t count;
};

/* Its bytes; how many, at most `cap`, else 0. */
size_t report_put(const struct report *r, uint8_t *out, size_t cap);

/* A datagram that POSTs `payload` to /r with `token`; CON. Its length, 0 where it does not fit. */
size_t report_datagram(uint16_t mid, uint32_t token, const uint8_t *payload, size_t len,
                       uint8_t *out, size_t cap);

struct listed {
    int64_t time_s, ml;
    char channel[12], source[8], rule[16]; /* rule: "" where it takes part */
    bool retimed;
};

/* The rows of an NDJSON answer of …/readings; how many, or −1 where it is not whole. Free *out with
 * free(). */
long listed_read(const char *body, struct listed **out);

void report_time(int64_t at_s, char out[24]); /* RFC 3339, Z */

#endif
