/* Who asks: Bearer tokens (RFC 6750) to roles, with a small memory so that a busy client costs no look-up. Any thread. */
#ifndef NILO_SERVER_QUERY_AUTH_H
#define NILO_SERVER_QUERY_AUTH_H

#include "server/query/request.h"

struct auth;

MUST_CHECK enum err auth_new(struct auth **out);
void auth_free(struct auth *a); /* NULL is fine */

struct span auth_token(struct span header); /* of "Bearer TOKEN", a view; empty if it is none such */

/* Fills `out` from an Authorization header. UNAUTHORIZED with `r`: none, of another scheme, unknown, or expired. */
MUST_CHECK enum err auth_caller(struct auth *a, struct app *app, struct span header, struct caller *out, struct refusal *r);

/* Likewise from a session's cookie (ledger_session); never remembered, so that signing out counts at once. */
MUST_CHECK enum err auth_session(struct app *app, struct span secret, struct caller *out, struct refusal *r);

/* Who a caller is now by the same secret, asked of the ledger; for who stays connected. UNAUTHORIZED: nobody any more; other errors say nothing. */
MUST_CHECK enum err auth_again(struct app *app, struct span secret, bool by_session, struct caller *out);

/* What a page must send as X-CSRF-Token with each request that writes: HMAC-SHA256(the session's secret, "nilometer: csrf"), 64 hexadecimal digits. */
#define CSRF_SIZE 65
void auth_csrf(struct span secret, char out[CSRF_SIZE]);
bool auth_csrf_fits(struct span secret, struct span sent); /* in a time that tells nothing */

#endif
