/* What people and rules decided: the register's rows with their history, imports, tokens, flags' births and decisions, answers to
 * idempotent requests, and an audit record for each act in the act's own transaction.
 *
 * Storage knows no columns: a row is a list of texts; which list has which columns is server/fleet/columns.def.  Rows are found by
 * (list, key), have a dense id within their list from 1, and versions by the instant from which they hold.
 *
 *   reading   any number of threads       acts   one at a time, those that wait in order (an act begins and ends on one thread)
 *
 * The file is DIR/ledger.mdb; its tables are drawn in FORMAT.md. */
#ifndef NILO_STORAGE_LEDGER_H
#define NILO_STORAGE_LEDGER_H

#include "proto/base/rd.h"
#include "proto/life.h"
#include "storage/key.h"
#include "storage/txn.h"

struct ledger;

#define LEDGER_CELLS_MAX 32
#define LEDGER_LISTS_MAX 16
#define LEDGER_ALWAYS INT64_MIN /* `since_s` of a row as it was first registered: it holds for all times before, too */

struct ledger_row {
    unsigned list;
    uint32_t id;
    int64_t since_s; /* this version holds from here */
    unsigned count;                      /* cells kept: those after them are empty */
    struct span cells[LEDGER_CELLS_MAX]; /* views into the transaction */
};
/* A view; empty where the row has no such cell. */
static inline struct span ledger_cell(const struct ledger_row *row, unsigned place)
{
    return place < row->count ? row->cells[place] : (struct span){ 0 };
}

MUST_CHECK enum err ledger_open(const char *dir, unsigned db_flags, struct ledger **out, struct refusal *r);
void ledger_close(struct ledger *l); /* NULL is fine */
struct txn ledger_read(struct ledger *l); /* a read transaction; end it with txn_end */
uint64_t ledger_bytes(struct ledger *l);  /* the file's size in use */
uint64_t ledger_audit_bytes(struct txn *t); /* of that, the pages of the audit */

/* ---- the register ---- */

/* The version that holds at `as_of_s` (INT64_MAX: the newest). `key`: the key columns' texts, each ended by 0x00 if there are
 * several. False: none, or t->err. */
bool ledger_find(struct txn *t, unsigned list, struct span key, int64_t as_of_s, struct ledger_row *out_view);
bool ledger_by_id(struct txn *t, unsigned list, uint32_t id, int64_t as_of_s, struct ledger_row *out_view);

/* Walks a list in key order, after `after_key` (empty: from the start). */
struct ledger_walk {
    struct scan scan;
    unsigned list;
    int64_t as_of_s;
    struct span key; /* of the row at hand: a view */
    struct txn *txn;
    bool begun;
    struct key from;
};
struct ledger_walk ledger_walk(struct txn *t, unsigned list, struct span after_key, int64_t as_of_s);
bool ledger_walk_next(struct ledger_walk *w, struct ledger_row *out_view);
void ledger_walk_done(struct ledger_walk *w);
uint32_t ledger_last_id(struct txn *t, unsigned list);

/* Walks a list's newest versions in the order of ids, from `from_id` on; false from `each` ends it. */
MUST_CHECK enum err ledger_each_by_id(struct txn *t, unsigned list, uint32_t from_id, bool (*each)(void *arg, const struct ledger_row *row), void *arg);

/* Fittings by meter and by point, in order of `from_s`; ids are those of the lists of meters and points. At most `cap` are
 * written, *out_count says how many there are. */
MUST_CHECK enum err ledger_fittings_of_meter(struct txn *t, uint32_t meter, struct fitting *out, size_t cap, size_t *out_count);
MUST_CHECK enum err ledger_fittings_of_point(struct txn *t, uint32_t point, struct fitting *out, size_t cap, size_t *out_count);

/* The ids of points that stand on a route, or in a zone, as known now: in order of (route_seq, point's name) or of point's name,
 * those without a route_seq last. The first `after_index` of them are passed over; *out_count is how many were written, at most `cap`. */
MUST_CHECK enum err ledger_points_on(struct txn *t, bool zone, struct span name, uint32_t after_index, uint32_t *out, size_t cap, size_t *out_count);

/* The same as a walk, for routes and zones of any size. points_next: false at the end, or t->err; TOO_LARGE where the name is no name. */
struct points_walk {
    struct key prefix, from;
    struct scan scan;
    uint32_t point;    /* at hand */
    struct span place; /* where it stands in the walk: a view */
};
struct points_walk ledger_points_walk(struct txn *t, bool zone, struct span name);
void points_from(struct points_walk *w, struct span place); /* before the first points_next: begins at that place, or at the next that is there */
bool points_next(struct points_walk *w);
void points_done(struct points_walk *w);

/* ---- acts: one validated command, one transaction, audit inside ---- */

struct act {
    struct txn txn;      /* write; errors stick here */
    struct ledger *ledger;
    char who[64];        /* token's name and role */
    int64_t now_s;       /* recorded time */
    uint64_t position;   /* the journal's end: the act comes after it */
    uint64_t number;     /* of the act, from 1 */
    const struct act_words *words; /* how the audit names lists and cells; NULL: by number */
    bool quiet_new;      /* new rows leave no audit record each: the act notes them together (imports) */
    bool quiet_known;    /* likewise changed rows */
    bool still;          /* indexes follow the clock, and nothing else is written: it is committed, but takes no number */
    struct act_work *work; /* counters and the running checksum of the audit; the ledger's own */
};

struct act_words {
    const char *(*list)(unsigned list);
    const char *(*cell)(unsigned list, unsigned cell); /* NULL beyond the last */
};

struct act act_begin(struct ledger *l, const char *who, int64_t now_s, uint64_t position);
MUST_CHECK enum err act_end(struct act *a); /* commits, or undoes all when an error stuck; one that changed nothing takes no number */

/* Begins an act that goes with others in one commit where several wait (ledger_group.c). It sees what those before it changed, is undone
 * alone, and ends when all are durable: with their commit it fails. So it must keep, from within the act until after its end, nothing
 * that another act may wait for, and judge by nothing in memory that follows from acts only after their end. */
struct act act_join(struct ledger *l, const char *who, int64_t now_s, uint64_t position);

unsigned ledger_waiting(struct ledger *l); /* acts that wait for their turn, or for their group's commit */

/* Fine after act_end. Not OK: the act was judged by what others changed before it, whose commit then failed. */
enum err act_abort(struct act *a);

/* Puts a row: a new key gets the next id; a known key gets a version from `since_s` on (equal cells change nothing).
 * *out_id (may be NULL) its id, *out_new (may be NULL) whether something was written. Writes the audit record: before and after
 * are JSON objects of the cells that changed. A key's texts are the row's first cells. */
void act_put_row(struct act *a, unsigned list, struct span key, int64_t since_s, const struct span *cells, unsigned count, uint32_t *out_id, bool *out_new);
void act_drop_rows(struct act *a, unsigned list); /* all rows of a list with their versions, which other tables tell from now on */
void act_put_fitting(struct act *a, const struct fitting *f);  /* the index by meter and point, beside its row; replaces one of the same point, meter, from */
/* The indexes behind ledger_points_on; `name` is the point's, route_seq UINT32_MAX where there is none. */
void act_place_point(struct act *a, uint32_t point, struct span name, struct span route, uint32_t route_seq, struct span zone);
void act_note(struct act *a, const char *what, struct span subject, struct span before, struct span after, struct span why);

/* ---- lives of meters: events, as server/fleet/life.h judged them ---- */

/* Adds an event, or puts another in the place of (at, arrival): gives it, where they are 0, `arrival` (the meter's next), `act` and `recorded_s` (the act's now). The caller notes it. */
void act_put_event(struct act *a, uint32_t meter, struct life_event *e);
/* A meter's events in order of (at, arrival); texts are views into the transaction. False from `each` ends it. */
MUST_CHECK enum err ledger_events(struct txn *t, uint32_t meter, bool (*each)(void *arg, const struct life_event *e), void *arg);
/* Stores of before kept an event a row. False: there are none, or t->err. */
bool ledger_old_events(struct txn *t);
void act_convert_events(struct act *a); /* writes each as act_put_event does, with what it says of itself, and drops those rows */
void act_drop_fitting(struct act *a, const struct fitting *f); /* of this point, meter and from; absent is fine */

/* A row of several events, and what the next of them is told against (ledger_life.c). */
struct events_row {
    struct rd r;
    struct event_before {
        int64_t at_s, recorded_s;
        uint32_t arrival;
        uint64_t act;
    } before;
};

/* Walks the events of all meters, from `from_meter` on: by meter, then (at, arrival).
 *
 *     struct event_walk w = ledger_event_walk(&t, 1);
 *     while (event_walk_next(&w)) … w.meter, w.event (views)
 *     event_walk_done(&w); */
struct event_walk {
    struct scan scan;
    struct key from;
    struct events_row row;
    uint32_t meter;
    struct life_event event;
};
struct event_walk ledger_event_walk(struct txn *t, uint32_t from_meter);
bool event_walk_next(struct event_walk *w); /* false: the end, or t->err */
void event_walk_done(struct event_walk *w);

/* ---- indexes: small sorted sets for whoever lists by something other than a row's key ---- */

/* What the first byte of a key is; numbers stand on disk. Who builds which keys is said beside each. */
enum ledger_index {
    INDEX_STATE = 1, /* state u8 · serial → meter (server/lives.c) */
    INDEX_DUE,       /* place u8 · legal due u32 · serial → meter (server/lives.c) */
    INDEX_SHELF,     /* dn · q3 · model 00 · legal due u32 · serial → meter, of those in stock (server/lives.c) */
    INDEX_HELD,      /* 'c' or 'd' · crew or depot 00 · serial → meter (server/lives.c) */
    INDEX_ORDERS,    /* orders of work by state, kind, due time, place, assignee, flag and tour (server/orders.h) */
    INDEX_PAPERS,    /* server/acts/paper*.c */
    INDEX_ASSETS,    /* modems and seals by who has them, and modems by their names (server/acts/asset.h) */
    INDEX_BATCH,     /* batch 00 · serial 00 → meter (server/acts/asset_meter.c) */
    INDEX_STOCK,     /* meters by holder, model, size, state and due date, counted (server/stock.c) */
    INDEX_MADE,      /* nothing → by which rules the indexes of lives were made; 't' → as of when the clock alone moved them last (server/lives_index.c); 'p' → there is one of points */
    INDEX_AHEAD,     /* 'a' · time i64 · meter u32 → meter whose life changes then of itself; 'j' likewise: it did, and was not judged since (server/lives_index.c) */
    INDEX_POINTS     /* service points by account and by use class (server/points.h) */
};
/* `key` is what follows the first byte; several numbers under one key are not kept. */
void act_index_put(struct act *a, enum ledger_index index, struct span key, uint32_t value);
void act_index_drop(struct act *a, enum ledger_index index, struct span key); /* absent is fine */
/* Walks the keys of an index that begin with `prefix`, after `after` (a whole key, itself left out; empty: from the first).
 *
 *     struct index_walk w = ledger_index_walk(&t, INDEX_STATE, prefix, after);
 *     while (index_next(&w)) … w.key (after the first byte; a view), w.value
 *     index_done(&w); */
struct index_walk {
    struct scan scan;
    struct key from, prefix;
    struct span key;
    uint32_t value;
    bool skip; /* the key that equals `from` is the one before */
};
struct index_walk ledger_index_walk(struct txn *t, enum ledger_index index, struct span prefix, struct span after);
bool index_next(struct index_walk *w); /* false: the end, or t->err */
void index_done(struct index_walk *w);

/* ---- imports of readings: rows count once their import is complete ---- */

void act_import_begin(struct act *a, uint32_t *out_import);
void act_import_complete(struct act *a, uint32_t import, uint64_t rows);
bool ledger_import_complete(struct txn *t, uint32_t import);

/* ---- tokens: only SHA-256 hashes are kept ---- */

enum role { ROLE_NONE, ROLE_ADMIN, ROLE_SUPERVISOR, ROLE_READER, ROLE_BILLING, ROLE_STORE, ROLE_CREW, ROLE_VIEWER, ROLE_INGEST, ROLE_COUNT };

const char *role_name(enum role r);
enum role role_read(struct span name); /* ROLE_NONE if unknown */
struct token_facts {
    enum role role;
    char name[64];
    char org[64];                 /* the org unit that it is for, and those below; "": all that there is */
    int64_t created_s, expires_s; /* INT64_MAX: never */
};
#define SECRET_TEXT_SIZE 48
/* A secret of 32 bytes from the system's generator, as 43 characters of base64url and a zero. IO. */
MUST_CHECK enum err ledger_secret_make(char out[SECRET_TEXT_SIZE]);
/* Makes a token. `org`: an org unit's name, or "". */
void act_token_create(struct act *a, enum role role, const char *name, const char *org, int64_t expires_s, char out_token[SECRET_TEXT_SIZE]);
/* UNAUTHORIZED: unknown or expired at now_s. */
MUST_CHECK enum err ledger_token(struct txn *t, struct span token, int64_t now_s, struct token_facts *out);

/* ---- people: who signs in with a name and a password (ledger_user.c) ---- */

#define USER_NAME_MAX 63
#define USER_SESSIONS_MAX 32 /* of one person at a time: another one ends the oldest */

/* scrypt (RFC 7914) of a password: N = 2^log_n, r, p; server/password.h. */
struct password_hash {
    uint8_t log_n, r, p, salt[16], hash[32];
};
struct ledger_user {
    struct span name, org, who; /* views; `org` empty: all that there is; `who` made this version */
    enum role role;
    bool enabled;
    uint32_t turn; /* a session of another turn is over */
    int64_t created_s, changed_s;
    struct password_hash password;
};
bool ledger_user(struct txn *t, struct span name, struct ledger_user *out_view); /* false: none, or t->err */
/* In order of name, behind `after` (empty: all); false from `each` ends it. */
MUST_CHECK enum err ledger_users(struct txn *t, struct span after, bool (*each)(void *arg, const struct ledger_user *u), void *arg);
void act_put_user(struct act *a, const struct ledger_user *u); /* the caller notes it; replaces the one of that name */

/* Signs in: a new secret, of which the ledger keeps the hash. Sessions of the person that are over go. The caller notes it. */
void act_begin_session(struct act *a, const struct ledger_user *u, int64_t ends_s, char out_secret[SECRET_TEXT_SIZE]);
bool act_end_session(struct act *a, struct span secret); /* false: there was none, or the act's error; the caller notes it */
/* As whom the secret is signed in: role and org as they are now. UNAUTHORIZED: nobody, or it is over. */
MUST_CHECK enum err ledger_session(struct txn *t, struct span secret, int64_t now_s, struct token_facts *out);

/* ---- answers to requests with an Idempotency-Key (rules-fleet R6) ---- */

/* What was answered under (who, key): false if nothing. `out_request` is the hash of method, path and body then given. */
bool ledger_answered(struct txn *t, struct span who, struct span key, uint8_t out_request[32], unsigned *out_status, struct span *out_body_view);
void act_answer(struct act *a, struct span who, struct span key, const uint8_t request[32], unsigned status, struct span body);

/* ---- flags: what was told to people, and what they said ---- */

/* A flag's birth is a fact: id, subject, kind and first onset never change again. `facts` is views' own encoding. */
void act_flag_born(struct act *a, struct span id, struct span facts);
bool ledger_flag_born(struct txn *t, struct span id, struct span *out_facts);
/* Births of a meter, for a rebuild to find again: ids begin with the meter's id as 8 hex digits. */
struct scan ledger_flags_of(struct txn *t, uint32_t meter);
struct scan ledger_flags_from(struct txn *t, struct span id); /* in order of id, that one or what comes after it; `id` lives until the first step */
struct flag_decision {
    uint8_t state; /* 1 confirmed, 2 dismissed */
    int64_t at_s;
    char who[64];
    char note[LEDGER_CELLS_MAX * 32];
};
void act_flag_decide(struct act *a, struct span id, const struct flag_decision *d);
bool ledger_flag_decision(struct txn *t, struct span id, struct flag_decision *out);
/* Flags that people have decided on, by id; false from `each` ends it. */
MUST_CHECK enum err ledger_flag_decisions(struct txn *t, bool (*each)(void *arg, struct span id, uint8_t state), void *arg);
uint8_t ledger_flag_decided(struct txn *t, struct span id); /* its state alone; 0: nobody has said anything, or t->err */
struct scan ledger_flags_decided(struct txn *t, struct span from_id); /* the same, page by page: the keys are their ids */

/* How a flag stands was told: 'o' open, 'c' cleared, 'w' withdrawn, of those alone that somebody listened to (server/judge_turned.c). 0: nothing
 * was told since its birth, or t->err. The act notes it as "flag.turned". */
#define FLAG_TOLD_OPEN 'o'
#define FLAG_TOLD_CLEARED 'c'
#define FLAG_TOLD_WITHDRAWN 'w'
uint8_t ledger_flag_told(struct txn *t, struct span id);
void act_flag_turned(struct act *a, struct span id, uint8_t state);
/* Of a flag whose end is a fact as its birth is (server/outages.h): told as cleared, with when it ended. */
void act_flag_ended(struct act *a, struct span id, int64_t cleared_s);
bool ledger_flag_ended(struct txn *t, struct span id, int64_t *out_cleared_s); /* false: no such fact, or t->err */

/* ---- days on which many of a use class were away (server/lulls.h): told once, for good ---- */

struct ledger_lull {
    uint8_t use; /* enum use_class */
    int32_t day; /* since 1970-01-01, from 0 on */
    uint32_t meters, still;
    uint16_t usual_pm, counts_pm; /* thousandths */
    int64_t known_s;
};
void act_put_lull(struct act *a, const struct ledger_lull *l); /* notes it as "lull"; a day that was told stays as it is */
/* By class, then day; false from `each` ends it. CORRUPT. */
MUST_CHECK enum err ledger_lulls(struct txn *t, bool (*each)(void *arg, const struct ledger_lull *l), void *arg);

/* ---- how kinds of places went from week to week (server/peers.h): a fact, as it was counted ---- */

struct ledger_peers {
    uint32_t week;  /* days since 1970-01-01 ÷ 7 */
    uint8_t use;    /* enum use_class */
    uint16_t dn_mm;
    uint32_t zone;  /* id in LIST_ZONE; 0: all of them */
    int32_t change; /* thousandths of a logarithm */
    uint32_t meters;
};
void act_put_peers(struct act *a, const struct ledger_peers *p); /* the caller notes it */
/* All of them, in order of week; an error from `each` ends it. CORRUPT. */
MUST_CHECK enum err ledger_peers(struct txn *t, enum err (*each)(void *arg, const struct ledger_peers *p), void *arg);

/* ---- commands to meters: what was asked, by whom, and each thing that happened to it with its time ---- */

enum command_state { COMMAND_QUEUED, COMMAND_SENT, COMMAND_DELIVERED, COMMAND_DONE, COMMAND_FAILED, COMMAND_EXPIRED, COMMAND_STATES };

#define COMMAND_TWO_PERSONS 1u /* flags: it goes nowhere before somebody else approved it */
#define COMMAND_BY_METER 2u    /* the meter itself told its end: nothing changes that any more */
#define COMMAND_WAS_CLOSED 4u  /* the valve, when it was first sent */
#define COMMAND_OF_ITSELF 8u   /* a history request that the server made */
#define COMMAND_WHY_MAX 96

struct command_row {
    uint32_t id, meter; /* id: from 1, dense over all meters */
    uint8_t what;       /* enum command_what of proto/dialect.h */
    uint8_t state;      /* enum command_state */
    uint8_t flags, result;
    int64_t value, until;
    /* Unix seconds; 0: it did not happen */
    uint32_t expires_s, queued_s, approved_s, sent_s, delivered_s, ended_s;
    uint32_t attempts; /* answers that carried it */
    uint32_t retry_s;  /* of a request made by the server: asked again then if the gap is still there; 0: not any more */
    uint8_t tries;     /* likewise: how often it was made */
    char asked_by[64], approved_by[64];
    char why[COMMAND_WHY_MAX]; /* of its end, in words; may be empty */
};

void act_command_new(struct act *a, struct command_row *row); /* gives row->id */
/* Replaces the row and notes `what` ("command.sent", …) with the states before and after. `live`: it is found by ledger_commands_live. */
void act_command_put(struct act *a, const struct command_row *row, const char *what, bool live);
bool ledger_command(struct txn *t, uint32_t meter, uint32_t id, struct command_row *out); /* false: none, or t->err */
/* A meter's commands after `after_id`, in order of id; false from `each` ends it. */
MUST_CHECK enum err ledger_commands_of(struct txn *t, uint32_t meter, uint32_t after_id, bool (*each)(void *arg, const struct command_row *row), void *arg);
MUST_CHECK enum err ledger_commands_live(struct txn *t, bool (*each)(void *arg, const struct command_row *row), void *arg);

/* ---- keys of meters: sealed (storage/store_key.h) before they come here ---- */

struct sealed_key {
    uint32_t meter;
    uint8_t kind;   /* enum key_kind of proto/lore.h */
    int64_t from_s; /* it holds from here; LEDGER_ALWAYS: since ever */
    struct span sealed;
};
#define SEALED_PLACE_SIZE 13
void sealed_place(const struct sealed_key *k, uint8_t out[SEALED_PLACE_SIZE]); /* what it is bound to: all but the key */

void act_put_key(struct act *a, const struct sealed_key *k); /* the caller notes it; replaces */
/* Walks a meter's keys in order of kind, the oldest first, or (meter 0) those of all meters in their order. False from `each` ends it. */
MUST_CHECK enum err ledger_keys(struct txn *t, uint32_t meter, bool (*each)(void *arg, const struct sealed_key *k), void *arg);
uint64_t ledger_key_count(struct txn *t);

/* ---- formats that full frames taught (proto/frame.h, struct format_id) ---- */

void act_put_format(struct act *a, const struct format_id *id, struct span list); /* notes it, too */
MUST_CHECK enum err ledger_formats(struct txn *t, bool (*each)(void *arg, const struct format_id *id, struct span list), void *arg);

/* ---- recipes: payload layouts as files, by name and version (proto/recipe.h) ---- */

struct ledger_recipe {
    struct span name, who, text; /* views */
    uint32_t version;
    int64_t added_s;
};
bool ledger_recipe(struct txn *t, struct span name, uint32_t version, struct ledger_recipe *out_view); /* false: none, or t->err */
/* All of them in order of name, then version; false from `each` ends the walk. */
MUST_CHECK enum err ledger_recipes(struct txn *t, bool (*each)(void *arg, const struct ledger_recipe *r), void *arg);
void act_put_recipe(struct act *a, const struct ledger_recipe *recipe); /* its name, version and text; who and when are the act's */

/* ---- billing cycles: what was opened, what its closing froze, and what was set right since (rules-bills F) ---- */

enum cycle_state { CYCLE_OPEN, CYCLE_REVIEWED, CYCLE_CLOSED };
#define CYCLE_NAME_MAX 64
#define CYCLE_QUALITIES 4 /* of server/billing/consume.h */

struct cycle_mark {
    int64_t at_s; /* 0: not yet */
    char who[64];
};
struct ledger_cycle {
    uint32_t id; /* from 1, in the order of opening; 0 to act_put_cycle: a new one */
    char name[CYCLE_NAME_MAX + 1];
    uint8_t state; /* enum cycle_state */
    int64_t from_s, to_s;
    struct cycle_mark opened, reviewed, closed;
    struct span routes; /* their names, each ended by 0x00; a view */
    /* Of a closed one. */
    uint64_t position; /* of the journal: what came before it was known */
    uint64_t act;      /* likewise the newest act */
    uint64_t points, by_quality[CYCLE_QUALITIES];
    uint64_t elsewhere; /* points of its routes that another closed cycle has over a part of the span: frozen there, not here */
    int64_t consumption_ml, billed_m3; /* sums of what is not missing */
    uint8_t digest[32];                /* SHA-256 over the lines of its determinants */
};
bool ledger_cycle(struct txn *t, struct span name, struct ledger_cycle *out); /* false: none, or t->err */
bool ledger_cycle_by_id(struct txn *t, uint32_t id, struct ledger_cycle *out);
/* In order of name, after `after`; false from `each` ends it. `c` is borrowed for the call. */
MUST_CHECK enum err ledger_cycles(struct txn *t, struct span after, bool (*each)(void *arg, const struct ledger_cycle *c), void *arg);
void act_put_cycle(struct act *a, struct ledger_cycle *c); /* gives c->id; the caller notes it */

/* Determinants of a cycle by point; their bytes are server/billing/cycle.h's. They are written in slices of their own before the
 * cycle is closed, when nobody looks at them, and stay as they are from the act on that closes it. */
struct determinant_row {
    struct span point, bytes;
};
MUST_CHECK enum err ledger_stage_determinants(struct ledger *l, uint32_t cycle, const struct determinant_row *rows, size_t count); /* one commit */
MUST_CHECK enum err ledger_drop_determinants(struct ledger *l, uint32_t cycle); /* of a cycle that is not closed; in slices */
bool ledger_determinant(struct txn *t, uint32_t cycle, struct span point, struct span *out_view);
struct determinant_walk {
    struct scan scan;
    struct key from;
    uint32_t cycle;
    bool skip;                /* the key that equals `from` is the one before */
    struct span point, bytes; /* views */
};
struct determinant_walk ledger_determinants(struct txn *t, uint32_t cycle, struct span after_point);
bool determinant_next(struct determinant_walk *w); /* false: the end, or an error in the transaction */
void determinant_done(struct determinant_walk *w);

/* What the billing side has of a cycle: up to which point it was pulled, and what it says it has billed, by which document. */
struct ledger_receipt {
    struct span point;    /* a view */
    int64_t at_s;
    char who[64];
    struct span document; /* a view; empty of what was pulled */
};
enum receipt_kind {
    RECEIPT_PULLED = 'p',  /* all points up to this one; of a cycle there is the newest alone */
    RECEIPT_SETTLED = 's', /* all points up to this one, behind the receipt before it */
    RECEIPT_POINT = 'o'    /* this point alone */
};
/* The last of a kind; false: none, or t->err. */
bool ledger_receipt_last(struct txn *t, uint32_t cycle, enum receipt_kind kind, struct ledger_receipt *out);
/* The first of a kind at or behind a point; likewise. RECEIPT_SETTLED: the one that covers it. */
bool ledger_receipt_from(struct txn *t, uint32_t cycle, enum receipt_kind kind, struct span point, struct ledger_receipt *out);
void act_put_receipt(struct act *a, uint32_t cycle, enum receipt_kind kind, const struct ledger_receipt *r); /* the caller notes it */

/* What changed at a point after its cycle was closed (rules-bills F2). */
#define ADJUSTMENT_REASON_MAX 16
struct ledger_adjustment {
    uint64_t id;       /* from 1, dense, as made */
    uint32_t cycle;
    struct span point; /* a view */
    int64_t delta_ml, delta_m3;
    int64_t value_ml, value_m3; /* what the determinant and all deltas up to this one come to */
    uint64_t corrects; /* the adjustment before it at this point and cycle; 0: it corrects the determinant */
    int64_t at_s;      /* when it was made */
    uint64_t position; /* of the journal, up to which all was known */
    uint64_t act;      /* likewise the newest act */
    char reason[ADJUSTMENT_REASON_MAX];
};
/* Where a frozen figure stands by now. */
struct ledger_billed {
    int64_t delta_ml, delta_m3; /* sums of all adjustments */
    uint64_t last;              /* the newest of them; 0: none */
    bool known;                 /* what the figure was last seen to be, time left aside (server/billing/cycle.h, `later`); false: missing */
    int64_t seen_ml, seen_m3;
};
bool ledger_billed(struct txn *t, uint32_t cycle, struct span point, struct ledger_billed *out); /* false: as frozen, or t->err */
void act_put_billed(struct act *a, uint32_t cycle, struct span point, const struct ledger_billed *b); /* seen to be otherwise; the caller's act notes nothing */
void act_put_adjustment(struct act *a, struct ledger_adjustment *adj); /* gives adj->id, and notes it */
/* In order of id, after `after`; false from `each` ends it. */
MUST_CHECK enum err ledger_adjustments(struct txn *t, uint64_t after, bool (*each)(void *arg, const struct ledger_adjustment *adj), void *arg);
uint64_t ledger_adjustments_end(struct txn *t); /* the newest id; 0: none */

/* What was accepted of a cycle's point before its closing: the newest; its bytes are server/billing/review.h's. The caller notes it. */
void act_put_accepted(struct act *a, uint32_t cycle, struct span point, struct span bytes);
bool ledger_accepted(struct txn *t, uint32_t cycle, struct span point, struct span *out_view); /* false: nothing, or t->err */

/* ---- rules of validation: versions that people made ---- */

/* Their bytes are server/billing/rules.h's. Versions go from 2 without a gap, and stay. The caller notes it. */
void act_put_rule(struct act *a, struct span rule, uint32_t version, struct span bytes);
/* All of them by rule, then version (views); false from `each` ends the walk. */
MUST_CHECK enum err ledger_rules(struct txn *t, bool (*each)(void *arg, struct span rule, uint32_t version, struct span bytes), void *arg);
uint64_t ledger_rule_count(struct txn *t); /* since none ever goes, it says which of them `t` sees */

/* ---- edits: what a person says a dial stood at (server/billing/edit.h) ---- */

enum edit_state { EDIT_WAITING, EDIT_IN_FORCE, EDIT_REFUSED, EDIT_UNDOING /* in force; a second person is to take it back */, EDIT_UNDONE, EDIT_STATES }; /* numbers stand on disk */
#define EDIT_TEXT_MAX 400
#define EDITS_OF_POINT_MOST 1000 /* of one point, those that are refused and undone with them: more is somebody's program gone wild */

struct edit_word {
    int64_t at_s; /* 0: nobody yet */
    char who[64];
    char text[EDIT_TEXT_MAX + 1];
};
struct ledger_edit {
    uint64_t id; /* from 1, dense, as asked for; 0 to act_put_edit: a new one */
    uint32_t point, meter;
    uint8_t state; /* enum edit_state */
    bool takes_two;
    int64_t at_s, index_ml;
    bool has_instead, delta_known, span_known;
    int64_t instead_ml;             /* the reading that it is put in place of */
    int64_t delta_ml;               /* how far it moved the register, when it was asked for */
    int64_t span_from_s, span_ml;   /* up to at_s, and its figure then, which that was held against */
    uint64_t act;                   /* that changed its state last */
    struct edit_word asked, decided, undo_asked, undone; /* decided: approved or refused by; undone: who took it back, or said that it stays */
};
static inline bool edit_in_force(const struct ledger_edit *e)
{
    return e->state == EDIT_IN_FORCE || e->state == EDIT_UNDOING;
}
static inline bool edit_waits(const struct ledger_edit *e)
{
    return e->state == EDIT_WAITING || e->state == EDIT_UNDOING;
}
bool ledger_edit(struct txn *t, uint64_t id, struct ledger_edit *out); /* false: none, or t->err */
void act_put_edit(struct act *a, struct ledger_edit *e); /* gives e->id and e->act; the caller notes it */
/* By id, behind `after`, of a point or (0) of all; false from `each` ends it. */
MUST_CHECK enum err ledger_edits(struct txn *t, uint32_t point, uint64_t after, bool (*each)(void *arg, const struct ledger_edit *e), void *arg);
/* ---- figures of closed months (server/figures.h): written in one act, and never again ---- */

struct ledger_month {
    uint32_t month; /* 202603 */
    int64_t closed_s;
    char who[64];
    uint64_t position; /* of the journal: what came before it was known */
    uint64_t act;      /* likewise the newest act */
    uint64_t groups;   /* rows that follow */
    uint8_t digest[32];
};
bool ledger_month(struct txn *t, uint32_t month, struct ledger_month *out); /* false: it is not closed, or t->err */
/* Closed months after `after`, in their order; false from `each` ends it. */
MUST_CHECK enum err ledger_months(struct txn *t, uint32_t after, bool (*each)(void *arg, const struct ledger_month *m), void *arg);
void act_put_month(struct act *a, const struct ledger_month *m); /* the caller notes it */
void act_put_month_group(struct act *a, uint32_t month, char kind, struct span name, struct span bytes);
/* Groups of a month by kind, then name; `after` as (kind, name) of the one before, kind 0: from the first. */
struct month_walk {
    struct scan scan;
    struct key from;
    uint32_t month;
    bool skip;
    char kind;
    struct span name, bytes; /* views */
};
struct month_walk ledger_month_walk(struct txn *t, uint32_t month, char after_kind, struct span after_name);
bool month_walk_next(struct month_walk *w); /* false: the end, or an error in the transaction; the struct must not be moved after the first */
void month_walk_done(struct month_walk *w);

/* ---- days of routes: what was signed, disputed and read again (server/route_facts.h) ---- */

enum route_fact { ROUTE_SIGNED, ROUTE_LINE, ROUTE_DISPUTE, ROUTE_RECHECK /* and two more, one a level */, ROUTE_FACTS = ROUTE_RECHECK + 3 }; /* numbers stand on disk */
struct route_place {
    uint32_t route, point; /* ids; point 0: the whole day, of ROUTE_SIGNED alone */
    int32_t day;           /* days since 1970-01-01, from there on */
};
void act_put_route_fact(struct act *a, enum route_fact kind, const struct route_place *at, struct span bytes); /* replaces; the caller notes it */
bool ledger_route_fact(struct txn *t, enum route_fact kind, const struct route_place *at, struct span *out_view); /* false: none, or t->err */
/* Those of a route and day (-1: of all days, by day), by point; false from `each` ends it. */
MUST_CHECK enum err ledger_route_facts(struct txn *t, enum route_fact kind, uint32_t route, int32_t day,
                                       bool (*each)(void *arg, const struct route_place *at, struct span bytes), void *arg);

/* All of a kind, by route, day and point; false from `each` ends it. */
MUST_CHECK enum err ledger_route_facts_all(struct txn *t, enum route_fact kind, bool (*each)(void *arg, const struct route_place *at, struct span bytes), void *arg);

/* ---- dials and transmitters: what was told of how far one stands from the other (server/billing/dials.h) ---- */

struct ledger_dial {
    uint32_t at_s;
    int64_t dial_ml, counted_ml; /* at that instant; counted_ml only where has_counted */
    bool has_counted;
    int64_t told_s;
    struct span who, note; /* views */
};
void act_put_dial(struct act *a, uint32_t meter, const struct ledger_dial *d); /* replaces what was told of that instant; the caller notes it */
/* Of a meter, from from_s on, by at_s; false from `each` ends it. CORRUPT. */
MUST_CHECK enum err ledger_dials_of(struct txn *t, uint32_t meter, uint32_t from_s, bool (*each)(void *arg, const struct ledger_dial *d), void *arg);

/* ---- webhooks: who is told of what happens, up to where they were, and what could not be delivered (server/hooks.h) ---- */

#define HOOKS_MAX 64 /* each is a look through the new acts, and a connection */
#define HOOK_NAME_MAX 64
#define HOOK_URL_MAX 2048
#define HOOK_WHY_MAX 120

struct ledger_hook {
    uint32_t id; /* from 1, and no other hook ever has it */
    struct span name, url, org, who; /* views; `org`: an org unit, or empty; `who` made it */
    struct span sealed; /* the secret (storage/store_key.h), bound to hook_secret_place; a view */
    uint32_t kinds;     /* a set of 1 << enum hook_kind of server/hooks.h */
    bool enabled;
    int64_t created_s;
};
#define HOOK_PLACE_SIZE 8
void hook_secret_place(uint32_t id, uint8_t out[HOOK_PLACE_SIZE]);
bool ledger_hook(struct txn *t, struct span name, struct ledger_hook *out_view); /* false: none, or t->err */
/* In order of name; false from `each` ends it. */
MUST_CHECK enum err ledger_hooks(struct txn *t, bool (*each)(void *arg, const struct ledger_hook *h), void *arg);
uint32_t act_new_hook(struct act *a); /* the next id */
void act_put_hook(struct act *a, const struct ledger_hook *h); /* the caller notes it; replaces the one of that name */
void act_drop_hook(struct act *a, const struct ledger_hook *h); /* with its cursor and dead letters; likewise */

/* A record of the audit as an event: where it stands. */
struct hook_place {
    uint64_t act;
    uint32_t part;
};
struct hook_cursor {
    struct hook_place at; /* everything up to here was delivered, put aside or passed over */
    uint32_t fails;       /* deliveries that failed since one did not */
    int64_t failing_since_s; /* by the server's clock; 0: the last one did not fail */
    uint32_t failing_for_s;  /* by the monotonic clock of those who tried */
};
bool ledger_hook_cursor(struct txn *t, uint32_t hook, struct hook_cursor *out); /* false: none, or t->err */
void act_put_hook_cursor(struct act *a, uint32_t hook, const struct hook_cursor *c); /* no act by itself: it takes no number */

struct hook_dead {
    struct hook_place at;
    int64_t since_s;   /* when it was put aside */
    int64_t tried_s;   /* the last try */
    uint32_t attempts;
    uint16_t status;   /* what was answered; 0: nothing */
    bool again;        /* somebody asked for another try */
    char kind[16];
    char why[HOOK_WHY_MAX];
};
bool ledger_hook_dead(struct txn *t, uint32_t hook, struct hook_place at, struct hook_dead *out); /* false: none, or t->err */
/* In order of place, behind `after`; false from `each` ends it. */
MUST_CHECK enum err ledger_hook_deads(struct txn *t, uint32_t hook, struct hook_place after, bool (*each)(void *arg, const struct hook_dead *d), void *arg);
void act_put_hook_dead(struct act *a, uint32_t hook, const struct hook_dead *d); /* the caller notes it; replaces */
void act_drop_hook_dead(struct act *a, uint32_t hook, struct hook_place at);     /* likewise */

/* ---- notices to customers: what they were told, and what they want to be told (server/notices.h) ---- */

#define NOTICE_CASE_MAX 64
struct ledger_notice {
    uint64_t number; /* from 1, dense, as made; 0 to act_put_notice: a new one */
    uint8_t kind, part, state; /* of server/billing/notice.h */
    uint32_t meter, point;     /* meter 0: it is the point's */
    int64_t onset_s, made_s, due_s; /* it is told at due_s or later */
    int64_t done_s; /* when it was sent, withheld or dropped; 0: not yet */
    struct span case_id, account, why, evidence, en, zh; /* views. `account`: whom it is for; empty: nobody. `evidence`: a JSON object */
};
bool ledger_notice(struct txn *t, uint64_t number, struct ledger_notice *out_view); /* false: none, or t->err */
bool ledger_notice_of(struct txn *t, struct span case_id, uint8_t part, struct ledger_notice *out_view); /* likewise */
uint64_t ledger_notices_end(struct txn *t); /* the newest number; 0: none */
/* In order of number, behind `after`: all of them, or (not empty) those of an account, or (not 0) of a point; false from `each` ends it. */
MUST_CHECK enum err ledger_notices(struct txn *t, struct span account, uint32_t point, uint64_t after, bool (*each)(void *arg, const struct ledger_notice *n), void *arg);
/* Numbers of those that wait, by due_s, up to until_s; at most `cap`. */
MUST_CHECK enum err ledger_notices_due(struct txn *t, int64_t until_s, uint64_t *out, size_t cap, size_t *out_count);
void act_put_notice(struct act *a, struct ledger_notice *n, bool waits); /* gives n->number; the caller notes it; replaces */

/* What is kept of a point's cases of a kind: the one that is open, or when the last one ended (server/notices_case.c). False: nothing, or t->err. */
bool ledger_notice_open(struct txn *t, uint8_t kind, uint32_t point, char out_case[NOTICE_CASE_MAX + 1]);
void act_open_notice(struct act *a, uint8_t kind, uint32_t point, struct span case_id); /* empty: nothing. The caller notes what it means */

/* What an account wants: a set of kinds. False: it never said so, or t->err. */
struct ledger_choice {
    struct span account, who; /* views */
    uint32_t kinds;
    int64_t at_s;
};
bool ledger_notice_choice(struct txn *t, struct span account, struct ledger_choice *out_view);
MUST_CHECK enum err ledger_notice_choices(struct txn *t, struct span after, bool (*each)(void *arg, const struct ledger_choice *c), void *arg); /* in order of account */
void act_put_notice_choice(struct act *a, const struct ledger_choice *c); /* the caller notes it */

/* Since when notices are made; 0: they are not. And up to where all was looked at: what views and journal then were. */
int64_t ledger_notices_since(struct txn *t);
void act_put_notices_since(struct act *a, int64_t since_s); /* the caller notes it */
struct notice_mark {
    uint64_t folded, changes;
};
bool ledger_notice_mark(struct txn *t, struct notice_mark *out);
void act_put_notice_mark(struct act *a, const struct notice_mark *m); /* no act by itself */

/* ---- audit ---- */

struct audit_record {
    uint64_t number; /* of the act */
    uint32_t part;   /* within the act */
    int64_t at_s;
    uint64_t position;
    struct span who, what, subject, before, after, why; /* views */
};
/* Walks from (number, part) on; false from `each` ends it. */
MUST_CHECK enum err ledger_audit(struct txn *t, uint64_t from_number, bool (*each)(void *arg, const struct audit_record *r), void *arg);
uint64_t ledger_end(struct txn *t); /* number of the newest act */
/* The first act at or after an instant, found by halving: times never go back by more than a correction of the machine's clock. */
MUST_CHECK enum err ledger_act_since(struct txn *t, int64_t since_s, uint64_t *out);

/* What is wrong with the chain of the audit, first of all. */
enum audit_fault {
    AUDIT_SOUND,
    AUDIT_CHANGED,   /* a record is not what was written */
    AUDIT_PUT_IN,    /* … was not written by the act */
    AUDIT_TAKEN_OUT, /* a record or a whole act is gone */
    AUDIT_CUT_OFF,   /* the newest acts are */
    AUDIT_ANOTHER    /* the chain holds, but is not the one that was noted elsewhere */
};
#define AUDIT_LINK 32 /* bytes of SHA-256 */
struct audit_verdict {
    uint64_t acts, records, bytes; /* that hold, up to a fault; bytes with keys */
    enum audit_fault fault;
    uint64_t number; /* the act that it is about */
    char text[160];  /* what is wrong; "" */
    uint64_t end;    /* the newest act that holds, and its link: whoever notes them elsewhere can tell later whether the chain */
    uint8_t link[AUDIT_LINK]; /* was made anew, which its own end does not show */
};
/* Walks the whole chain, a transaction a slice, so that a running server's pages are not pinned. `known_number` and `known_link`: noted earlier (0, NULL: nothing). ERR_OK also with a
 * fault; STOPPING where `stop` (may be NULL) became true. */
MUST_CHECK enum err ledger_audit_verify(struct ledger *l, uint64_t known_number, const uint8_t known_link[AUDIT_LINK], const _Atomic bool *stop,
                                        struct audit_verdict *out);
const char *audit_fault_name(enum audit_fault f); /* "taken-out" */

/* Holds the audit's chain against its records, rows against their keys, and the fittings' two indexes against each other. The first
 * fault in `r`: CORRUPT, or MISSING where a part of the chain is gone. */
MUST_CHECK enum err ledger_check(struct ledger *l, struct refusal *r);

#endif
