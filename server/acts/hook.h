/* What the acts on webhooks share.  For this folder. */
#ifndef NILO_SERVER_ACTS_HOOK_H
#define NILO_SERVER_ACTS_HOOK_H

#include "server/acts/answer.h"
#include "server/hooks.h"

/* The hook that the path names, and whether it is the caller's; false: refused. Views into the transaction. */
bool hook_named(const struct act_request *q, struct act_reply *out, struct txn *t, struct ledger_hook *h);

#endif
