/* People who sign in with a name and a password.  A session is a secret that the browser keeps in a cookie; the ledger keeps its hash, so that a restart
 * signs nobody out.  Any thread; all of it takes the time of a password (server/password.h) before the ledger is asked for. */
#ifndef NILO_SERVER_USERS_H
#define NILO_SERVER_USERS_H

#include "server/app.h"
#include "server/password.h"

struct signed_in {
    struct token_facts facts; /* as whom, and until when */
    char secret[SECRET_TEXT_SIZE];
};

/* Always another secret than any before. UNAUTHORIZED: no such name, shut out, or another password, and nothing tells which; LIMIT: too many try at once. */
MUST_CHECK enum err users_sign_in(struct app *app, struct span name, struct span password, struct signed_in *out);
MUST_CHECK enum err users_sign_out(struct app *app, const char *who, struct span secret); /* fine where nobody is signed in */

/* Whether a text may be a password of `name`. INVALID with `r`, which names `field`. */
MUST_CHECK enum err users_password_may_be(struct span name, struct span password, const char *field, struct refusal *r);
/* Puts another password in place of `old`, which ends all sessions. UNAUTHORIZED: `old` is not it; INVALID; LIMIT; `r` says why. */
MUST_CHECK enum err users_change_password(struct app *app, struct span name, struct span old, struct span fresh, struct refusal *r);

#endif
