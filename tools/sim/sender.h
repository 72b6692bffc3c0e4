/* Meters on a radio network, as a server sees them: confirmable CoAP POSTs to /r or /r/DIALECT, each meter from
 * an address of its own where the server listens on 127.0.0.0/8, retransmitted as RFC 7252 §4.2
 * says, many under way at once.  One thread. */
#ifndef NILO_TOOLS_SIM_SENDER_H
#define NILO_TOOLS_SIM_SENDER_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct sender;

struct sender_counts {
    uint64_t sent;    /* reports */
    uint64_t acked;   /* answered with 2.xx */
    uint64_t resent;  /* datagrams sent again, for want of an answer or because the server asked to
                         wait */
    uint64_t refused; /* answered with an error */
    uint64_t unanswered;
    char refusal[160]; /* the first refusal's code and sentence; "" where none */
};

/* A network gives a sleeping device another port now and then; so does `turn` (a day's number),
 * which keeps a year's reports that are replayed in seconds under the server's rate for one
 * endpoint. */
#define SENDER_PORTS 16

/* `address`: IPv4 and port. NULL: said why. */
struct sender *sender_open(const char *address, unsigned window);
void sender_close(struct sender *s); /* NULL is fine */

/* Sends a report of meter number `meter` to /r, or to /r/DIALECT where `dialect` (at most 12 bytes) is not NULL; waits while the
 * window is full. False: said why. */
bool sender_put(struct sender *s, uint32_t meter, uint32_t turn, const char *dialect, struct span payload);
/* Waits until every report is answered or given up. False: said why. */
bool sender_drain(struct sender *s);
const struct sender_counts *sender_counts(const struct sender *s);

#endif
