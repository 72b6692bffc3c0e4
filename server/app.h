/* What one running nilod consists of: made by main.c, passed to those who answer. */
#ifndef NILO_SERVER_APP_H
#define NILO_SERVER_APP_H

#include "server/clock.h"
#include "server/detect/detect.h"
#include "server/ingest.h"
#include "storage/archive.h"
#include "storage/ledger.h"
#include "storage/views.h"

struct settler;
struct store_lock;

struct app {
    struct clock clock;
    struct zone zone;
    struct holidays holidays;
    char store[512]; /* DIR */
    struct store_lock *lock;
    struct journal *journal;
    struct quarantine *quarantine;
    struct archive *archive;
    struct ledger *ledger;
    struct views *views;
    struct tail *tail;
    struct registry *registry;
    struct lore lore; /* what decoders may ask; its questions need the registry's read lock */
    struct ingest *ingest;
    struct settler *settler;
    int64_t started_ms; /* monotonic */
    uint32_t retention_days;
    _Atomic bool stopping; /* what takes long gives up with STOPPING */
};

#endif
