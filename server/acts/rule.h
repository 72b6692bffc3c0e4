/* Figures of a rule as a body tells them.  For server/acts, and for the trial of a rule (server/query). */
#ifndef NILO_SERVER_ACTS_RULE_H
#define NILO_SERVER_ACTS_RULE_H

#include "server/acts/answer.h"
#include "server/check_rules.h"

/* The rule that the path names. False: 404 stands. */
bool rule_named(const struct act_request *q, struct act_reply *out, enum listed_rule *out_rule);
/* Its figures may be set: a check, or a kind of flag. False: 409 stands, for others are the contract's. */
bool rule_is_open(struct act_reply *out, enum listed_rule rule);

/* Of the body: use_class, dn, parameters, state. What it does not tell is what holds for such meters on line->from_day, which the caller sets with line->rule; `rules`: rules_of. False: 422 stands. */
bool rule_line_taken(const struct act_request *q, struct act_reply *out, const struct check_rules *rules, struct check_line *line);
bool rule_date_taken(const struct act_request *q, struct act_reply *out, const char *name, int64_t *out_day); /* must be there */
bool rule_int_taken(const struct act_request *q, struct act_reply *out, const char *name, int64_t least, int64_t most, int64_t absent, int64_t *out_n);

#endif
