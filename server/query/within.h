/* The API asked from within: how a thing is shown, for those who tell others of it. */
#ifndef NILO_SERVER_QUERY_WITHIN_H
#define NILO_SERVER_QUERY_WITHIN_H

#include "server/app.h"
#include "server/out.h"

/* GET `path` ("/v1/flags/…", as it would be sent) as a viewer of that org unit ("": all there is), on the caller's thread. `out` is the body, of a refusal its
 * problem+json; *out_status its status. Things alone, no lists: those are 404. NO_MEMORY. */
MUST_CHECK enum err query_within(struct app *app, const char *org, const char *path, struct out *out, unsigned *out_status);

#endif
