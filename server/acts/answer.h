/* How acts read a body and write an answer.  For this folder.  The readers return false where the request is refused: then the
 * answer stands. */
#ifndef NILO_SERVER_ACTS_ANSWER_H
#define NILO_SERVER_ACTS_ANSWER_H

#include "server/acts/act.h"

bool answer_role(const struct act_request *q, struct act_reply *out, unsigned roles);
bool answer_members(const struct act_request *q, struct act_reply *out, ...) __attribute__((sentinel)); /* no others than these */

/* A member as text, numbers as they would be written; an empty one counts as absent. `room` keeps numbers. */
#define JSON_NUMBER_ROOM 40
struct span json_scalar(const json_t *v, char room[JSON_NUMBER_ROOM]);
bool answer_text(const struct act_request *q, struct act_reply *out, const char *name, bool needed, struct span *out_text);
/* *has: it was sent; without it *out_value is true. */
bool answer_bool(const struct act_request *q, struct act_reply *out, const char *name, bool *has, bool *out_value);
bool answer_time(const struct act_request *q, struct act_reply *out, const char *name, int64_t absent_s, int64_t *out_s);

/* Refusals. */
void answer_refuse(struct act_reply *out, enum err err, const char *field, const char *format, ...) PRINTF_LIKE(4, 5);
void answer_failed(struct act_reply *out, enum err err); /* the machine or the store */

/* An act of who asks, as of now and of what has come; its error sticks in act.txn.err. */
struct act act_by(const struct act_request *q);
/* Commits the act together with the answer in `out`, so that its key gives that answer again whatever happens next (rules-fleet
 * R6). Where the commit fails, the answer becomes that failure. */
MUST_CHECK enum err answer_commit(const struct act_request *q, struct act_reply *out, struct act *act);
/* Undoes what was not committed; fine after answer_commit. A refusal by what others did just before, which then failed, becomes that failure. */
void answer_abort(struct act_reply *out, struct act *act);

/* {"…": members written by the caller, "warnings":[…]} */
struct warnings {
    unsigned count;
    struct {
        const char *code;
        char text[160];
    } at[4];
};
void warn(struct warnings *w, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
void answer_begin(struct act_reply *out, unsigned status);
void answer_end(struct act_reply *out, const struct warnings *w); /* NULL: none */

#endif
