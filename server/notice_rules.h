/* The file that says which notices customers get (server/billing/notices/default.rules shows its form). */
#ifndef NILO_SERVER_NOTICE_RULES_H
#define NILO_SERVER_NOTICE_RULES_H

#include "proto/base/err.h"
#include "server/billing/notice.h"

#define NOTICE_RULES_BYTES 16384
/* INVALID or TOO_LARGE with `r`: line, what was found and expected. `out` changes on success only. */
MUST_CHECK enum err notice_rules_read(struct notice_rules *out, struct span file, struct refusal *r);
void notice_rules_builtin(struct notice_rules *out);

#endif
