/* Sessions that a restart lost: how many endpoints still speak in them, told in one line of the log
 * where each of them telling its own would be a hundred thousand.  One thread. */
#ifndef NILO_SERVER_GATEWAY_DTLS_LOST_H
#define NILO_SERVER_GATEWAY_DTLS_LOST_H

#include "server/gateway/hash.h"

struct dtls_lost;
MUST_CHECK enum err dtls_lost_new(struct dtls_lost **out);
/* Tells what was not told yet. NULL is fine. */
void dtls_lost_free(struct dtls_lost *l);

void dtls_lost_heard(struct dtls_lost *l, const struct endpoint *from, uint64_t now_s);
void dtls_lost_tick(struct dtls_lost *l, uint64_t now_s); /* tells when it is time */

#endif
