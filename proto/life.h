/* A meter's life as events: what storage keeps and server/fleet reasons over (rules-fleet T, L, V).  Plain data; the numbers stand on
 * disk and never change. */
#ifndef NILO_PROTO_LIFE_H
#define NILO_PROTO_LIFE_H

#include "proto/facts.h"

enum life_state {
    LIFE_NONE, /* registered, nothing recorded of its life */
    LIFE_ORDERED,
    LIFE_RECEIVED,
    LIFE_VERIFIED,
    LIFE_REJECTED,
    LIFE_IN_STOCK,
    LIFE_ISSUED,
    LIFE_RUNNING,
    LIFE_SUSPENDED,
    LIFE_FAULTY,
    LIFE_REMOVED,
    LIFE_AT_LAB,
    LIFE_RETIRED,
    LIFE_SCRAPPED,
    LIFE_LOST,
    LIFE_STATES
};

#define LIFE_BIT(state) (1u << (state)) /* of a set of states */
#define LIFE_FITTED (LIFE_BIT(LIFE_RUNNING) | LIFE_BIT(LIFE_SUSPENDED) | LIFE_BIT(LIFE_FAULTY))               /* rules-fleet T3 */
#define LIFE_IN_STORE (LIFE_BIT(LIFE_VERIFIED) | LIFE_BIT(LIFE_IN_STOCK) | LIFE_BIT(LIFE_ISSUED))             /* rules-fleet V12 */

static inline bool life_is_fitted(enum life_state s)
{
    return LIFE_FITTED >> s & 1;
}

enum life_kind {
    EVENT_ORDER,
    EVENT_RECEIVE,
    EVENT_INSPECT,
    EVENT_VERIFY,
    EVENT_REJECT,
    EVENT_STOCK,
    EVENT_ISSUE,
    EVENT_RETURN,
    EVENT_INSTALL,
    EVENT_SUSPEND,
    EVENT_RESUME,
    EVENT_FAULT,
    EVENT_REMOVE,
    EVENT_TO_LAB,
    EVENT_RETIRE,
    EVENT_SCRAP,
    EVENT_LOSE,
    EVENT_FIND,
    EVENT_KINDS
};

/* Texts that an event may bear; on disk those that are there follow each other in this order. */
enum event_text {
    EVENT_DOCUMENT,
    EVENT_NOTE,
    EVENT_CREW,
    EVENT_REASON,
    EVENT_CERTIFICATE,
    EVENT_DEPOT, /* the store where the meter lies afterwards */
    EVENT_PHOTO, /* a reference; the picture lies elsewhere */
    EVENT_SEAL,
    EVENT_ORDER_ID, /* the order of work that it was done for */
    EVENT_BATCH,
    EVENT_TEXTS
};

#define EVENT_IMPORTED 1u  /* flags: came as a fitting of a file: an install or remove that is not judged (rules-fleet L13) */
#define EVENT_OVERRULED 2u /* a supervisor took it against the readings */
#define EVENT_HAS_INDEX 4u /* index_ml counts */
#define EVENT_FAILED 8u    /* an inspection's result; without it: passed */
#define EVENT_READ_INDEX 16u /* index_ml was not told: it is the last actual reading, or the opening index (rules-fleet L10) */

#define NO_DAY INT32_MIN /* a civil day that is not known */

struct life_event {
    uint8_t kind; /* enum life_kind */
    uint8_t flags;
    uint32_t arrival; /* its number among the meter's events in the order in which they came, from 1 */
    int64_t at_s, recorded_s;
    uint64_t act;      /* the ledger's act that wrote it: the audit tells who */
    uint32_t point;    /* install: where; 0: none */
    int64_t index_ml;
    int32_t verified_on, valid_until; /* verify: civil days since 1970-01-01; NO_DAY: not told */
    struct span text[EVENT_TEXTS];    /* views, of whom it was read from */
};

#endif
