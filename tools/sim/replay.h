/* nilo sim replay: the readings of a file lived again, day by day: each meter sends its day's
 * report over CoAP in its own dialect, or by way of a LoRaWAN network server and its broker; the server's virtual clock
 * moves along. */
#ifndef NILO_TOOLS_SIM_REPLAY_H
#define NILO_TOOLS_SIM_REPLAY_H

#include "tools/nilo/api.h"
#include "tools/sim/cast.h"
#include "tools/sim/history.h"

struct replay_options {
    const struct zone *zone; /* of the meters' days */
    const char *coap;
    bool enroll;           /* meters, points and fittings first */
    const char *dn, *q3;   /* of those */
    const struct cast *cast; /* who speaks what; NULL: all are native */
    const char *mqtt;        /* HOST:PORT of the broker that LoRaWAN uplinks go to */
    unsigned settle_every; /* days; 0: never */
    unsigned window;
};

struct replay_summary {
    uint64_t rows, by_hand, meters, days, reports, acked, resent, refused, unanswered, published;
    double seconds;
    char refusal[160];
};

/* False: said why. What was refused or stayed unanswered is in the summary. */
bool replay_run(const struct history *h, const struct replay_options *o, struct api *c,
                struct replay_summary *out);

#endif
