/* The audit of reports that name another meter than their DTLS identity proves.  Noted on the
 * gateway's path by a copy into a bounded queue; a thread of its own writes them to the ledger, one
 * act a second at first and more and more seldom while there is no end of it; what does not fit is
 * counted in one note. */
#ifndef NILO_SERVER_GATEWAY_FORBIDDEN_H
#define NILO_SERVER_GATEWAY_FORBIDDEN_H

#include "server/app.h"

struct forbidden;
/* Uses app's clock, ledger and journal, which must outlive it. */
MUST_CHECK enum err forbidden_new(struct app *app, struct forbidden **out);
void forbidden_free(struct forbidden *f); /* writes what is noted; NULL is fine */

void forbidden_note(struct forbidden *f, struct span identity, struct span named);

#endif
