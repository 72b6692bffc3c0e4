/* Orders of work (工单) between the ledger and those who make, plan, do and list them.  An order is a row of LIST_ORDER; the tables of states, priorities and results are server/fleet/order.def.
 * Whoever writes an order does it by order_put, so that no index is left behind; may it be written is asked before (order_may).
 *
 * INDEX_ORDERS (value: the row's id, but for 'n')
 *     'n'                                         → u32 the highest number that was given
 *     's' state u8 · kind u8 · id u32             all, by state and kind
 *     'k' kind u8 · id u32                        all, by kind
 *     'd' due i64 · id u32                        live ones, by due time
 *     'a' assignee 00 · closed u8 · id u32        of a crew or person, those that are live before the others
 *     'p' point 00 · closed u8 · id u32           at a point
 *     'm' serial 00 · closed u8 · id u32          of a meter
 *     'f' flag 00 · id u32                        made for a flag
 *     't' tour 00 · stop u32 · id u32             of a day list, in its order
 *     'c' assignee 00 · tour 00 · id u32          likewise by whose list it is (server/tours.h; 'T' is its, too)
 *     'h' id u32 · act u64                        the acts that changed it: the audit has what, when and who
 *
 * Any number of threads read; writing is part of an act. */
#ifndef NILO_SERVER_ORDERS_H
#define NILO_SERVER_ORDERS_H

#include "server/app.h"
#include "server/fleet/order.h"
#include "server/out.h"
#include "storage/ledger.h"

struct order {
    uint32_t id;      /* of its row; 0: not written yet */
    struct span name; /* "W00000012"; empty: not written yet */
    enum order_kind kind;
    enum order_state state;
    enum order_priority priority;
    enum order_result result; /* of the last report; ORDER_RESULTS: none yet */
    struct span point, serial; /* one of them at least */
    struct span reason;        /* why it was made, in words */
    struct span flag;          /* the id of the flag it was made for; empty: none */
    struct span rule;          /* the rule that made it; empty: a person */
    struct span assignee;      /* a crew or a person; empty: nobody */
    struct span note;          /* of who made or changed it */
    struct span created_by, closed_by; /* names of tokens; closed_by: who reported last, or cancelled */
    /* Unix seconds; INT64_MIN: it did not happen */
    int64_t due_s;
    int64_t created_s;
    int64_t since_s;               /* when its state began: of a closed one, when it was closed */
    int64_t assigned_s, started_s; /* of the attempt at hand */
    int64_t done_s;                /* what the last report says happened, happened then */
    /* What the last report told. index_ml: of the order's meter (of an exchange: the old one's last) */
    bool has_index, has_new_index;
    int64_t index_ml, new_index_ml;
    struct span new_serial, photo, seal, remark;
    struct span lon, lat;          /* degrees, WGS84, as text; both or none */
    uint32_t attempts;             /* reports that put it back */
    struct span tour;              /* the day list that it stands on; empty: none */
    uint32_t stop;                 /* its place there, from 1; 0: none */
};

/* A row of LIST_ORDER as an order whose texts are views into the transaction. CORRUPT */
MUST_CHECK enum err order_of_row(const struct ledger_row *row, struct order *out_view);
/* False: there is none, or t->err. */
bool order_find(struct txn *t, struct span name, struct order *out_view);
bool order_by_id(struct txn *t, uint32_t id, struct order *out_view);

/* The same with its texts in memory of its own, for views end with the act's next change. */
#define ORDER_ROOM 8192
struct order_kept {
    struct order order;
    char room[ORDER_ROOM];
};
void order_keep(const struct order *o, struct order_kept *out);

/* An order that nobody gave to anybody yet: open, normal, made by the act's caller now. Texts are borrowed. */
struct order order_new(const struct act *a, enum order_kind kind);

/* Writes it with its indexes and audit record: a new one (id 0) gets its id, and its name in `room`. Texts must not be views into the transaction. Errors stick in a->txn; LIMIT: a file brought the highest number there is. */
void order_put(struct act *a, struct order *o, char room[ORDER_NAME_SIZE]);

/* The keys of INDEX_ORDERS under which it stands; how many. */
#define ORDER_KEYS_MAX 10
unsigned order_keys(const struct order *o, struct key out[ORDER_KEYS_MAX]);

/* False: its state does not allow the move; `why` says which state it is in, and from which the move would be allowed; of a closed one also when it was closed, by whom and with what result. */
bool order_may(const struct order *o, enum order_move m, char *why, size_t size);
/* Makes the move: state, times and names follow (not written). ASSIGN wants o->assignee set to whom, REPORT o->result. UNASSIGN and a report that puts it back take it off its tour. */
void order_move(struct order *o, enum order_move m, int64_t now_s);

/* After a row of LIST_ORDER came from a file: its indexes, and the highest number. */
void order_imported(struct act *a, uint32_t id);

/* ---- walks ---- */

struct order_walk {
    struct txn *txn;
    bool by_name;
    struct index_walk index;
    struct ledger_walk rows;
    struct order order; /* views, until the next step */
    struct span cursor; /* where to go on behind this one: a view */
};
/* `after`: a cursor of the same walk; empty: from the first. order_next: false at the end, or t->err. The struct must not be moved after the first order_next. */
struct order_walk orders_all(struct txn *t, struct span after); /* by name */
struct order_walk orders_in_state(struct txn *t, enum order_state s, enum order_kind k, struct span after); /* ORDER_KINDS: any kind */
struct order_walk orders_of_kind(struct txn *t, enum order_kind k, struct span after);
struct order_walk orders_by_due(struct txn *t, struct span after); /* live ones */
enum orders_of { ORDERS_OF_ASSIGNEE = 'a', ORDERS_OF_POINT = 'p', ORDERS_OF_METER = 'm', ORDERS_OF_FLAG = 'f', ORDERS_OF_TOUR = 't' };
#define ORDERS_TOURS_OF 'c'
struct order_walk orders_of(struct txn *t, enum orders_of of, struct span name, bool live, struct span after); /* live: only those (not of flags and tours) */
bool order_next(struct order_walk *w);
void order_walk_done(struct order_walk *w);

/* A live order of that kind at the point or of the meter (either may be empty); false: there is none, or t->err. */
bool order_live_at(struct txn *t, enum order_kind k, struct span point, struct span serial, struct order *out_view);

/* What the audit has of an order, oldest first: its making and each change, with when and by whom; false from `each` ends it. Records are views. */
MUST_CHECK enum err order_history(struct txn *t, const struct order *o, bool (*each)(void *arg, const struct audit_record *r), void *arg);

/* ---- as people see them ---- */

/* Members of an object, with `late` and `sla` as of now_s; no braces. */
void order_put_json(struct out *o, const struct order *order, int64_t now_s);

#endif
