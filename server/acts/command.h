/* What the acts on commands to meters share.  For this folder. */
#ifndef NILO_SERVER_ACTS_COMMAND_H
#define NILO_SERVER_ACTS_COMMAND_H

#include "server/acts/answer.h"
#include "server/commands.h"
#include "server/registers.h"

/* The meter that the path names; false: refused. */
bool command_meter(const struct act_request *q, struct act_reply *out, struct txn *t,
                   struct ledger_row *meter);

/* Whether a valve that supplies what stands behind the meter may be closed (a hydrant, the public,
 * a zone never): false: refused. A meter that is fitted nowhere supplies nobody: a warning. */
bool command_may_close(const struct act_request *q, struct act_reply *out, struct txn *t,
                       uint32_t meter, struct warnings *w);

/* The row as the answer. */
void command_answer(struct act_reply *out, unsigned status, struct span serial,
                    const struct command_row *row, const struct warnings *w);

#endif
