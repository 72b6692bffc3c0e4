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

#endif
