/* One meter's part of an act, step by step in the order of rules-fleet R3: what the acts on events and exchanges share.  For this
 * folder.  Each step returns false where the act is refused: then the answer stands. */
#ifndef NILO_SERVER_ACTS_EVENT_PRIV_H
#define NILO_SERVER_ACTS_EVENT_PRIV_H

#include "server/acts/lifeact.h"
#include "server/billing/contradict.h"

struct fit_list {
    struct fitting *at; /* malloc'd */
    size_t count;
};

struct life_part {
    struct life_act *l;
    const char *serial_field, *index_field; /* as the body calls them */
    struct span serial, point;
    bool overrule;
    bool named; /* refusals name the serial */
    struct life_event event;
    /* Known from part_exists on: */
    struct meter_life life;
    size_t place; /* of the event among the meter's */
    struct life was; /* what holds there before it */
    /* Known from part_judge on: */
    struct life_warnings warnings;
    struct fit_list before, after; /* the meter's fittings without and with the event */
    /* Known from part_weigh on: */
    struct contradiction contradiction;
};

void part_done(struct life_part *p);
bool part_exists(struct life_part *p);                        /* 404 */
bool part_time(struct life_part *p);                          /* 422: `at` lies ahead (L4) */
bool part_index(struct life_part *p);                         /* 422: impossible on this dial (L8) */
bool part_judge(struct life_part *p);                         /* 409: the state table, the calendar, the point (L2, L3, L5, L6, L9, V7) */
bool part_weigh(struct life_part *p);                         /* what the readings say; refuses only where they cannot be read */
bool part_agrees(struct life_part *p);                        /* 422 by what they say (L7) */
bool part_write(struct life_part *p);                         /* with its audit record and warnings; false: the store failed */

bool part_refuse(struct life_part *p, enum life_stage stage, enum err err, const char *field, const char *format, ...) PRINTF_LIKE(5, 6);
bool life_refuse(struct life_act *l, enum life_stage stage, enum err err, const char *field, const char *format, ...) PRINTF_LIKE(5, 6);
bool life_failed(struct life_act *l, enum err err); /* the machine or the store */
bool life_point_exists(struct life_act *l, struct span name, uint32_t *out_point); /* 404; an empty name is no point */
void life_warn(struct life_act *l, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
/* This meter was issued on civil day `day`: is there one in stock that had to go out before it? */
bool life_issued_one(struct life_act *l, const struct meter_life *of, int32_t day, int32_t due);

/* Reads an event's body as POST …/events has it, and those that are like it; a member `besides` (may be NULL) is the caller's. */
enum life_kind event_wish_read(const struct act_request *q, const char *besides, int64_t now_s, struct life_wish *w, struct refusal *wrong);

/* The event `w` of each of `serials` (texts, checked before); `each` (may be NULL) after every one that is taken, false: refused, with
 * l->stage told. False: refused. */
typedef bool life_lot_each(void *arg, struct span serial);
bool life_act_lot(struct life_act *l, struct life_wish *w, const json_t *serials, life_lot_each *each, void *arg);

/* ---- members of a body that may be wrong without a word until all that is named exists ---- */

struct life_body {
    const json_t *at; /* NULL: there is none */
    const struct zone *zone;
    struct refusal *wrong; /* the first member that does not read */
};
struct life_body life_body_of(const struct act_request *q, struct refusal *wrong);
void body_wrong(struct life_body *b, const char *name, const char *expected);
void body_text(struct life_body *b, const char *name, struct span *out); /* empty where it is absent */
void body_texts(struct life_body *b, struct span out[EVENT_TEXTS]);      /* all that events bear */
void body_time(struct life_body *b, const char *name, int64_t absent_s, int64_t *out_s);
void body_index(struct life_body *b, const char *name, bool *out_has, int64_t *out_ml);
void body_flag(struct life_body *b, const char *name, bool *out);
/* Members other than `first`, … (ended by NULL) and those that events bear are not known. */
void body_others(struct life_body *b, const char *first, ...) __attribute__((sentinel));
/* Likewise where events' texts are not known either: `names` are all, ended by NULL. */
void body_only(struct life_body *b, const char *const *names);

#endif
