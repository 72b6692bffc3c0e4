/* What is to be done about one datagram: the contract's table of outcomes.  No socket and no
 * waiting; whoever reads the datagrams (udp.c, the fuzzer, tests) stores and answers as the verdict
 * says.  One thread. */
#ifndef NILO_SERVER_GATEWAY_GATE_H
#define NILO_SERVER_GATEWAY_GATE_H

#include "server/commands.h"
#include "server/gateway/coap.h"
#include "server/gateway/hash.h"
#include "server/ingest.h"

struct gate;

struct gate_options {
    uint32_t endpoint_rate, endpoint_burst,
        address_rate; /* requests a second; a rate of 0 = no limit */
};

MUST_CHECK enum err gate_new(struct ingest *ingest, const struct gate_options *options,
                             struct gate **out);
void gate_free(struct gate *g); /* NULL is fine */
/* From now on answers to reports carry what waits for their meters. NULL: nothing does. */
void gate_carry(struct gate *g, struct commands *commands);

struct gate_now {
    int64_t clock_s; /* data's time */
    uint64_t monotonic_us;
    uint32_t round; /* number, from 1, of the batch that reports go into; batches are committed in
                       this order */
    bool stopping;  /* reports are turned away */
};
/* What holds for the datagrams that follow. Now and then also without any: what has timed out is
 * forgotten here. */
void gate_set(struct gate *g, const struct gate_now *now);

/* The commit of a batch has ended, and all before it: a repeat of what came to nothing is a new
 * report. */
void gate_round_ended(struct gate *g, uint32_t round, bool kept);

struct datagram {
    struct peer peer;
    struct span bytes;
    bool cut;             /* it was longer */
    struct span identity; /* what its DTLS session proves; empty: it came in the clear */
};

/* Work that needs no answer yet, done for a whole batch first so that memory is there when it is
 * asked for. */
struct gate_hint {
    struct hash key;
    uint64_t endpoint, address;
};
void gate_prepare(const struct gate *g, const struct datagram *d, struct gate_hint *out);

enum gate_act {
    GATE_SILENCE,
    GATE_ANSWER, /* `answer`, now */
    GATE_STORE,  /* add `record` to the batch; `answer` if it is kept */
    GATE_FOLLOW  /* a repeat of what went with batch `round`, whose end is awaited: `answer` if that
                    was kept */
};

struct gate_verdict {
    enum gate_act act;
    uint32_t round;
    uint8_t no_response; /* what the sender does not want to hear: coap_answer_unwanted */
    bool keep_reject;  /* with GATE_ANSWER: `record` holds refused bytes that people may want to see
                       */
    struct span named; /* the meter that was named where DTLS proves another; borrowed alike */
    struct coap_answer answer; /* borrowed, as `record` is, until the next call */
    struct record record;
    /* With GATE_STORE: told to commands_told when the answer has gone out, or nothing was kept. Meter 0: nothing to tell. */
    struct command_ticket told;
};

/* The caller holds the registry's read lock. */
void gate_handle(struct gate *g, const struct datagram *d, const struct gate_hint *hint,
                 struct gate_verdict *v);

/* The answer where the store would not take the report: 5.03. Type, id and token are kept. */
void gate_turn_away(struct coap_answer *a);
/* Max-Age of a 5.03: a disk is not emptied in less, and a sleeping meter does not ask sooner. */
#define GATE_RETRY_S 60

#define GATE_TEXT_MAX 256 /* of an answer: a sentence, or the list of paths */

/* For tests and figures. */
uint32_t gate_uploads(const struct gate *g);
size_t gate_upload_bytes(const struct gate *g);

#endif
