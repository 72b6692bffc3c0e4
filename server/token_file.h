/* The administrator's first token. */
#ifndef NILO_SERVER_TOKEN_FILE_H
#define NILO_SERVER_TOKEN_FILE_H

#include "server/app.h"

/* On a store that has none yet: makes a token of role admin and writes it to DIR/admin.token (mode 0600). The file comes first
 * and is durable before the ledger holds the token, so that no crash leaves a token that nobody knows. To be called before anything
 * else may write to the ledger (app_start does): a store is new as long as its ledger is empty. IO, FULL. */
MUST_CHECK enum err token_file_make(struct app *app, struct refusal *r);

#endif
