/* Orders of work (工单): their states, who may be late, and what a result means.  The tables are order.def.  Pure. */
#ifndef NILO_SERVER_FLEET_ORDER_H
#define NILO_SERVER_FLEET_ORDER_H

#include "proto/base/span.h"

#define ORDER_KIND(kind, name, en, zh) ORDER_##kind,
enum order_kind {
#include "server/fleet/order.def"
    ORDER_KINDS
};
#define ORDER_STATE(state, name, live, zh) ORDER_##state,
enum order_state {
#include "server/fleet/order.def"
    ORDER_STATES
};
#define ORDER_PRIORITY(priority, name, accept, start, finish, zh) PRIORITY_##priority,
enum order_priority {
#include "server/fleet/order.def"
    ORDER_PRIORITIES
};
#define ORDER_MOVE(move, name, from, to) MOVE_##move,
enum order_move {
#include "server/fleet/order.def"
    ORDER_MOVES
};
#define ORDER_RESULT(result, name, kinds, ends, effect, flag, en, zh) RESULT_##result,
enum order_result {
#include "server/fleet/order.def"
    ORDER_RESULTS /* nothing was reported */
};

enum order_ending { ORDER_ENDS, ORDER_BACK, ORDER_STAYS };
enum order_effect { EFFECT_KIND, EFFECT_FAULT, EFFECT_PASS, EFFECT_RESUME, EFFECT_REMOVE, EFFECT_NONE };
enum order_flag { ORDER_FLAG_NONE, ORDER_FLAG_CONFIRMED, ORDER_FLAG_DISMISSED };

const char *order_kind_name(enum order_kind k); /* "replace" */
const char *order_kind_en(enum order_kind k);   /* "replace the meter" */
const char *order_kind_zh(enum order_kind k);   /* "换表" */
const char *order_state_name(enum order_state s);
const char *order_state_zh(enum order_state s);
const char *order_priority_name(enum order_priority p);
const char *order_priority_zh(enum order_priority p);
const char *order_result_name(enum order_result r); /* NULL of ORDER_RESULTS, which is none; so are the texts */
const char *order_result_en(enum order_result r);
const char *order_result_zh(enum order_result r);
const char *order_move_name(enum order_move m);

/* False: not in the table, and `out` as it was. */
bool order_kind_read(struct span name, enum order_kind *out);
bool order_state_read(struct span name, enum order_state *out);
bool order_priority_read(struct span name, enum order_priority *out);
bool order_result_read(struct span name, enum order_result *out);

bool order_is_live(enum order_state s); /* work is left */
unsigned order_move_from(enum order_move m); /* states, a set of 1 << enum order_state */
/* The state after a move that is allowed; a report's is order_reported. */
enum order_state order_moved(enum order_move m, enum order_state from);

bool order_result_fits(enum order_result r, enum order_kind k); /* may it be reported of such an order? */
enum order_ending order_result_ending(enum order_result r);
enum order_effect order_result_effect(enum order_result r);
enum order_flag order_result_flag(enum order_result r);
enum order_state order_reported(enum order_result r, enum order_state from);

/* "open, assigned or started": names of a set of states, of results of a kind, of all kinds and priorities. What does not fit `size` is cut off. */
void order_states_list(unsigned states, char *out, unsigned size);
void order_results_list(enum order_kind k, char *out, unsigned size);
void order_kinds_list(char *out, unsigned size);
void order_priorities_list(char *out, unsigned size);

/* When an order that was made, or came back, at `at_s` is due where nobody said otherwise. */
int64_t order_due(enum order_priority p, int64_t at_s);
/* The deadline of the state itself, which began at `since_s`: to be given, begun, done; never after `due_s`. INT64_MAX: the state has none. */
int64_t order_sla(enum order_state s, enum order_priority p, int64_t since_s, int64_t due_s);
/* Past its due time: a live one now, one that is closed when that happened (`since_s`). */
bool order_is_late(enum order_state s, int64_t since_s, int64_t due_s, int64_t now_s);

/* Names of orders: "W" and a number, at least 8 digits. */
#define ORDER_NAME_SIZE 12
void order_name(uint32_t number, char out[ORDER_NAME_SIZE]);
bool order_number(struct span name, uint32_t *out); /* false: no name of an order as order_name writes it */

#endif
