/* What one running nilod consists of: made by main.c, passed to those who answer. */
#ifndef NILO_SERVER_APP_H
#define NILO_SERVER_APP_H

#include "server/clock.h"
#include "server/detect/detect.h"
#include "server/fleet/defaults.h"
#include "server/fleet/order_rules.h"
#include "server/fleet/verify.h"
#include "server/ingest.h"
#include "storage/archive.h"
#include "storage/ledger.h"
#include "storage/views.h"

struct commands;
struct cookbook;
struct fields_kept;
struct figures_keeper;
struct figures_kept;
struct formats;
struct drought;
struct lull_watch;
struct hearing;
struct hooks;
struct keyring;
struct notices;
struct fleet_peers;
struct outages;
struct rankings;
struct replays;
struct rules_shelf;
struct settler;
struct store_key;
struct store_lock;
struct surveys;
struct uplink;

#define FLAG_LISTENER_HOOK 1u
#define FLAG_LISTENER_NOTICES 2u
#define FLAG_LISTENER_LIVE 4u

#define SESSION_HOURS 24
#define SESSION_HOURS_MOST 8760

struct app {
    struct clock clock;
    struct zone zone;
    struct holidays holidays;
    struct verify_rules verify_rules; /* the verification calendar's table */
    struct fleet_rules fleet_rules;   /* what replacements and failures are reckoned with */
    struct order_rules order_rules;   /* what makes orders of work, and how long they take */
    char store[512]; /* DIR */
    struct store_lock *lock;
    struct journal *journal;
    struct quarantine *quarantine;
    struct archive *archive;
    struct ledger *ledger;
    struct views *views;
    struct tail *tail;
    struct registry *registry;
    struct store_key *store_key; /* NULL: none yet */
    struct keyring *keyring;
    struct formats *formats;
    struct cookbook *cookbook;
    struct lore lore; /* what decoders may ask; its questions need the registry's read lock */
    struct ingest *ingest;
    struct settler *settler;
    struct hearing *hearing; /* who was heard when; NULL in programs that do not watch the clock */
    struct drought *drought; /* which meters stand still; likewise */
    struct lull_watch *lulls; /* on which days many do; likewise */
    struct fleet_peers *peers; /* how kinds of places went from week to week; likewise */
    struct outages *outages; /* what the ledger tells of them, kept from the first question on */
    struct uplink *uplink; /* what network servers and platforms push */
    char onenet_token[72]; /* with which OneNET signs its pushes; "": it does not */
    struct commands *commands; /* to meters; NULL in programs that hear none */
    struct rankings *rankings; /* of meters to be changed, kept for a while; NULL in programs that show none */
    struct fields_kept *fields_kept; /* the lists that crews get, kept for a while; NULL in programs that show none */
    struct rules_shelf *rules; /* of validation, as people set them: kept for a while */
    struct replays *replays; /* of rules of flags, before they are switched on; NULL in programs that make none */
    struct hooks *hooks; /* who is told of what happens; NULL in programs that tell nobody */
    struct notices *notices; /* to customers; NULL: they are off */
    struct surveys *surveys; /* of all lives, kept for a while; NULL in programs that make none */
    struct figures_keeper *figures_keeper; /* NULL: months are closed by people alone */
    struct figures_kept *figures; /* of months, kept for a while; NULL in programs that show none */
    int64_t started_ms; /* monotonic */
    uint32_t retention_days;
    unsigned judges; /* threads that judge; 0: one a core */
    uint32_t session_hours; /* how long who signed in stays so */
    _Atomic int64_t lives_at_s; /* the indexes of lives were asked for as of this instant, and go back to no earlier one */
    _Atomic bool stopping; /* what takes long gives up with STOPPING */
    _Atomic uint32_t flag_listeners; /* a set of FLAG_LISTENER_…: who wants to hear of flags' ends as well; 0: nobody, and nothing is noted */
    _Atomic uint32_t hook_kinds; /* what the webhooks that are enabled want: a set of 1 << enum hook_kind */
    _Atomic bool bearing; /* the ledger tells of flags what views do not show yet */
    _Atomic uint32_t closing; /* id of the billing cycle that is being closed; 0: none is */
    _Atomic uint32_t closings; /* how many were closed since the start */
};

#endif
