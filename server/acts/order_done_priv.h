/* An order's report: what it tells, and what follows from it.  For order_done.c and order_effect.c. */
#ifndef NILO_SERVER_ACTS_ORDER_DONE_PRIV_H
#define NILO_SERVER_ACTS_ORDER_DONE_PRIV_H

#include "server/acts/manual.h"
#include "server/acts/order_priv.h"

struct report {
    struct order_act o;
    struct life_act l;
    bool begun; /* l is */
    enum order_result result;
    int64_t at_s;
    bool has_index, has_new_index, overrule, has_found, found;
    int64_t index_ml, new_index_ml;
    int32_t verified_on, valid_until;
    struct span new_serial, lon, lat, receipt;
    struct span text[EVENT_TEXTS];
    char lon_room[JSON_NUMBER_ROOM], lat_room[JSON_NUMBER_ROOM];
    /* The state of its meter at at_s, and where it was fitted then; LIFE_NONE where it has no meter. */
    enum life_state state;
    bool seal_used; /* by an event */
    bool has_read;
    struct manual_read read;
};

/* What the result does to the meter: its events or its exchange, within the act (R3's order for each). */
bool report_effect(struct report *r);
/* The index as a manual reading: may it be one? And the seal that no event put on. */
bool report_reading(struct report *r);
bool report_seal(struct report *r);
/* What it says of the flag that the order was made for. */
bool report_flag(struct report *r);

#endif
