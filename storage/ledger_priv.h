/* What the ledger's files share: its tables, and how rows and fittings lie in them.  The bytes are drawn in FORMAT.md. */
#ifndef NILO_STORAGE_LEDGER_PRIV_H
#define NILO_STORAGE_LEDGER_PRIV_H

#include "proto/base/limits.h"
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "storage/key.h"
#include "storage/ledger.h"

#include <openssl/evp.h>
#include <pthread.h>

enum ledger_table {
    LEDGER_KEYS,      /* list · key → id */
    LEDGER_HISTORY,   /* list · id · since → cells: versions that a later one has followed */
    LEDGER_BY_METER,  /* meter → fittings */
    LEDGER_BY_POINT,  /* point → fittings */
    LEDGER_ON_ROUTE,  /* route · seq · point's name → point */
    LEDGER_IN_ZONE,   /* zone · point's name → point */
    LEDGER_PLACES,    /* point → where the two above hold it */
    LEDGER_IMPORTS,   /* import → state */
    LEDGER_TOKENS,    /* SHA-256 of the token → role, name, times */
    LEDGER_ANSWERS,   /* SHA-256 of (who, key) → the request's hash, status, body */
    LEDGER_BORN,      /* flag's id → facts */
    LEDGER_DECISIONS, /* flag's id → decision */
    LEDGER_AUDIT,     /* act · part → record */
    LEDGER_STATE,     /* what there is one of: the audit's end */
    LEDGER_ROWS,      /* + list: id → the newest version */
    /* Numbers of tables stand in checksums: those that came later follow the lists'. */
    LEDGER_SECRETS = LEDGER_ROWS + LEDGER_LISTS_MAX, /* meter · kind · from → its key, sealed (ledger_keys.c) */
    LEDGER_FORMATS, /* maker · version · type · signature → the list that a full frame taught (ledger_keys.c) */
    LEDGER_COMMANDS,      /* meter · id → a command (ledger_commands.c) */
    LEDGER_COMMANDS_LIVE, /* id → meter, of those that have not ended */
    LEDGER_RECIPES,       /* name · version → a recipe as given (ledger_recipes.c) */
    LEDGER_EVENTS,        /* meter · at · arrival → one event: stores of before (ledger_life_old.c) */
    LEDGER_INDEX,         /* index · key → number (ledger_index.c) */
    LEDGER_CYCLES,        /* id → a billing cycle (ledger_cycle.c) */
    LEDGER_CYCLE_NAMES,   /* name → id */
    LEDGER_DETERMINANTS,  /* cycle · point → what closing froze */
    LEDGER_LIVES,         /* meter · at · arrival of the first → events of its life (ledger_life.c) */
    LEDGER_ROUTE_DAYS,    /* kind · route · day · point → what was decided of a route's day (ledger_route.c) */
    LEDGER_ADJUSTMENTS,   /* id → what changed afterwards */
    LEDGER_BILLED,        /* cycle · point → where its figure stands by now */
    LEDGER_RECEIPTS,      /* cycle · kind · point → what the billing side has of a cycle */
    LEDGER_ACCEPTED,      /* cycle · point → what somebody let pass before closing (ledger_review.c) */
    LEDGER_RULES,         /* rule · version → figures of validation that people set (ledger_rules.c) */
    LEDGER_DIALS,         /* meter · at → what was told of its dial and its transmitter (ledger_dial.c) */
    LEDGER_HOOKS,         /* webhooks, their cursors and dead letters (ledger_hook.c) */
    LEDGER_NOTICES,       /* notices to customers, and what accounts want of them (ledger_notice.c) */
    LEDGER_TOLD,          /* flag's id → how it stood when that was told last (ledger_flag.c) */
    LEDGER_EDITS,         /* id → what a person says a dial stood at (ledger_edit.c) */
    LEDGER_EDITS_OF,      /* point · id → nothing */
    LEDGER_FIGURES,       /* month [· kind · name] → figures of a closed month (ledger_figure.c) */
    LEDGER_LULLS,         /* use class · day → how much of it counts (ledger_lull.c) */
    LEDGER_USERS,         /* people who sign in, and where they are signed in (ledger_user.c) */
    LEDGER_PEERS,         /* week · kind of places → how its use went (ledger_peers.c) */
    LEDGER_TABLES
};

#define SHA256_BYTES 32

/* Whose turn it is to act, and who waits (ledger_group.c). A seat is an act's place in that queue, and later in its group. */
struct ledger_seat {
    struct ledger_seat *next;
    pthread_cond_t called;
    bool shares;       /* may go with others in one commit */
    bool turn;         /* it is this act's turn */
    bool ended;        /* the group is committed, or failed: `err` */
    struct txn *group; /* the transaction that it goes with; NULL: none, it opens its own */
    enum err err;
};

struct ledger_queue {
    pthread_mutex_t lock; /* held for moments; the turn is what lasts */
    bool taken;           /* somebody has the turn */
    struct ledger_seat *first, **last; /* who wait, in order */
    struct ledger_seat *opener, *members; /* of the group under way */
};

struct ledger {
    struct db *db;
    struct ledger_queue queue;
};

/* What an act keeps count of until it ends. */
struct act_work {
    bool changed; /* it gets a number and a link of the audit's chain */
    bool written; /* an answer alone, or what follows the clock: committed, but no act */
    uint32_t parts;
    uint32_t next_id[LEDGER_LISTS_MAX]; /* 0: not asked yet */
    EVP_MD_CTX *sha;
    uint8_t *scratch; /* twice LEDGER_SCRATCH_BYTES */
    struct ledger_seat seat;
};

/* Two rows of 32 cells in JSON, with every byte escaped in the worst case, stay below this. */
#define LEDGER_SCRATCH_BYTES (512u << 10)
_Static_assert(LEDGER_SCRATCH_BYTES > 2u * LEDGER_CELLS_MAX * LIMIT_TEXT * 6, "");

void ledger_queue_init(struct ledger_queue *q);
void ledger_queue_done(struct ledger_queue *q);
struct txn group_enter(struct ledger *l, struct ledger_seat *seat); /* waits for the turn; the act's transaction */
/* Ends the act's transaction, and with it or after it the turn: commits, or undoes it where `keep` is false or an error stuck. */
MUST_CHECK enum err group_leave(struct ledger *l, struct ledger_seat *seat, struct txn *t, bool keep);

void ledger_fail(struct txn *t, enum err err);
void ledger_drop_table(struct act *a, unsigned table); /* all its rows */
struct key ledger_row_key(unsigned list, struct span key);
bool ledger_row_read(struct txn *t, unsigned list, uint32_t id, struct span value, struct ledger_row *out_view);
void ledger_row_write(struct wr *w, int64_t since_s, const struct span *cells, unsigned count);
bool ledger_newest(struct txn *t, unsigned list, uint32_t id, struct ledger_row *out_view);
bool ledger_id(struct txn *t, unsigned list, struct span key, uint32_t *out_id);
MUST_CHECK enum err ledger_fittings_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_commands_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_index_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_lives_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_cycles_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_routes_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_notices_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_hooks_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_accepted_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_rules_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_dials_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_edits_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_users_check(struct txn *t, struct refusal *r);
MUST_CHECK enum err ledger_figures_check(struct txn *t, struct refusal *r);

void ledger_sha256(struct span bytes, uint8_t out[SHA256_BYTES]);
struct key ledger_history_key(unsigned list, uint32_t id, int64_t since_s);
struct wr act_scratch(struct act *a);        /* for texts that a record is made of; after an error nothing fits */
struct wr act_record_scratch(struct act *a); /* for the record itself */
void act_changed(struct act *a);      /* something was written: the act counts */

#define AUDIT_HEAD 0u          /* part: when, after which position, by whom */
#define AUDIT_SEAL UINT32_MAX  /* part: the chain's link */
void audit_head(struct act *a);
void audit_seal(struct act *a);
struct audit_end {
    uint64_t number;
    uint8_t link[SHA256_BYTES];
};
bool audit_end_read(struct txn *t, struct audit_end *out); /* false: t->err; zeroes where there is no act */
bool audit_key_read(struct txn *t, struct span key, uint64_t *out_number, uint32_t *out_part); /* the act and part that a key names; false: t->err */
void audit_sha_begin(EVP_MD_CTX *sha, const uint8_t link[SHA256_BYTES]);
void audit_sha_record(EVP_MD_CTX *sha, struct span key, struct span value);
void audit_sha_end(EVP_MD_CTX *sha, uint8_t link[SHA256_BYTES]);
MUST_CHECK enum err audit_check(struct ledger *l, struct refusal *r);

/* Key of a table whose rows are numbered. */
static inline struct key ledger_number_key(uint32_t number)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, number);
    return k;
}

static inline uint32_t ledger_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

#endif
