/* How often each kind of flag proved right (server/detect/precision.h), by rule, model and zone, and what is therefore proposed.  What counts are flags that somebody confirmed or dismissed,
 * in person or by the report of an order, told in the last PROPOSALS_DAYS days and, where people set the rule's figures for all meters, since those hold.  Nothing is ever set from here: a
 * person does (POST /v1/rules/RULE). */
#ifndef NILO_SERVER_RULE_PROPOSALS_H
#define NILO_SERVER_RULE_PROPOSALS_H

#include "server/app.h"
#include "server/check_rules.h"
#include "server/detect/precision.h"

#define PROPOSALS_DAYS 400
#define FOUND_GROUPS_MOST 5000 /* of models and zones; what is beyond is counted with the rules alone */
#define FOUND_NAME 64

enum found_by { FOUND_BY_RULE, FOUND_BY_MODEL, FOUND_BY_ZONE, FOUND_BYS };
const char *found_by_name(enum found_by b); /* "model" */

struct found_group {
    enum found_by by;
    enum detect_rule rule;
    char name[FOUND_NAME]; /* of a model or zone; "": without one, or of all */
    struct found found;
};
struct found_groups {
    size_t count, cap;
    struct found_group *at; /* by rule, then what it is by, then name; all rules stand there */
    bool more;
};
/* NO_MEMORY, CORRUPT, ledger->err; found_groups_done(out) in any case. */
MUST_CHECK enum err found_groups_load(struct app *app, struct txn *ledger, struct found_groups *out);
void found_groups_done(struct found_groups *g);

struct rule_proposal {
    struct found found;
    enum precision_verdict verdict;
    int64_t target; /* thousandths */
    bool proposed;
    struct check_line now, line; /* as holds today for all meters; proposed: a step stricter, from tomorrow on */
};
MUST_CHECK enum err rule_proposal_of(struct app *app, struct txn *ledger, enum listed_rule rule, struct rule_proposal *out);
/* Likewise, where what was found is known. */
MUST_CHECK enum err rule_proposal_by(struct app *app, struct txn *ledger, enum listed_rule rule, const struct found *found, struct rule_proposal *out);

#endif
