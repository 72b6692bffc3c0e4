/* What the acts on edits share.  For this folder. */
#ifndef NILO_SERVER_ACTS_EDIT_H
#define NILO_SERVER_ACTS_EDIT_H

#include "server/acts/answer.h"
#include "server/edits.h"

struct editing {
    const struct act_request *q;
    struct act_reply *reply;
    struct act act;
    struct ledger_edit edit;
    struct fitting fitting; /* of its place */
    struct edit_weighed weighed;
    struct warnings warnings;
};

/* A word that must be said: at most EDIT_TEXT_MAX bytes. */
bool edit_word_taken(struct editing *e, const char *name, bool needed, struct edit_word *out);

/* Whether it can be in force: a meter is there, no index of its own stands against it, and the readings do not contradict it. Fills fitting and weighed; false: the answer
 * stands. `state_only`: what is out of place is 409 as well, for who approves has told no facts. */
bool edit_can_hold(struct editing *e, bool state_only);

/* Closed cycles that have the point at its instant: warnings. */
void edit_warn_closed(struct editing *e);

/* Puts the edit, notes it as `what` with the state before ("": it is new), answers with it and commits; then the meter's figures are looked at again. */
void edit_commit(struct editing *e, unsigned status, const char *what, const char *before, struct span why);

#endif
