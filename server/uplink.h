/* The door for what network servers and operators' platforms push, by HTTP or MQTT: each push is judged, those of all callers share
 * a batch, and nobody is told "yes" before it is durable.
 *
 * A push may hold the frames of several meters, or nothing to keep at all (a log, a downlink's fate): then it is done when it is read.
 * Refused bytes are kept for people, a few a second. */
#ifndef NILO_SERVER_UPLINK_H
#define NILO_SERVER_UPLINK_H

#include "server/commands.h"
#include "server/ingest.h"

struct app;
struct uplink;

enum uplink_outcome {
    UPLINK_STORED,
    UPLINK_QUARANTINED,
    UPLINK_REFUSED,
    UPLINK_ASIDE,  /* nothing in it to keep */
    UPLINK_NO_ROOM /* not kept: send it again */
};

/* A command for the meter that was just heard, as bytes for a downlink. */
struct downlink {
    struct command_ticket ticket; /* give it to uplink_sent, whatever became of it; meter 0: there is none */
    uint8_t bytes[COMMAND_BYTES];
    size_t len; /* 0: nothing to send */
    uint8_t port; /* fPort of the uplink */
};

struct push {
    const struct dialect *dialect; /* enveloped */
    uint8_t transport;
    bool can_answer;   /* a downlink can be sent */
    struct span meter; /* by its topic; may be empty */
    struct span event; /* by its topic or ?event=; may be empty */
    struct span bytes;
    int64_t arrival_s;
    /* Afterwards. */
    enum err err; /* OK: durable, or nothing to keep; PEER: refused, never of use; else: not kept, send it again */
    enum uplink_outcome outcome; /* of its parts the best */
    struct refusal refusal;
    struct downlink downlink;
    uint64_t batch; /* for uplink_take itself */
};

MUST_CHECK enum err uplink_open(struct app *app, struct uplink **out);
void uplink_close(struct uplink *u); /* nobody may be inside; NULL is fine */

/* Fills in what became of each push.  Returns when all of them are durable, or are known not to be. Any thread. */
void uplink_take(struct uplink *u, struct push *pushes, size_t count);

/* After uplink_take: whether the downlink was handed to the network. Does nothing where there was none. */
void uplink_sent(struct uplink *u, const struct downlink *d, bool sent);

/* How a downlink names its command, so that the network's news of it can be understood: a UUID for ChirpStack, a correlation id for The Things
 * Stack. */
#define DOWNLINK_NAME 40
void downlink_name(const struct downlink *d, bool uuid, char out[DOWNLINK_NAME]);
bool downlink_named(struct span name, uint32_t *out_meter, uint32_t *out_command);

#endif
