/* CoAP over UDP: many datagrams in, one transaction, their answers out.
 *
 *   reading thread   reads what is there, decides (gate.c), fills a batch while the one before syncs
 *   commit thread    (ingest.c) makes it durable, and tells how that ended
 *   sending thread   sends its answers, while the next one syncs
 *
 * Answers that hang on nothing durable (reads, refusals, pings) leave at once. */
#ifndef NILO_SERVER_GATEWAY_UDP_H
#define NILO_SERVER_GATEWAY_UDP_H

#include "server/app.h"
#include "server/gateway/dtls.h"
#include "server/gateway/gate.h"
#include "server/gateway/listener.h"

struct gateway;

/* Binds every address and begins to serve. Uses app's clock, registry and ingest, which must
 * outlive it. INVALID, IO: `r` names the address and what to do. */
MUST_CHECK enum err gateway_open(struct app *app, const char *const *addresses, size_t count,
                                 const struct gate_options *options, struct gateway **out,
                                 struct refusal *r);

/* The same in DTLS: what a session's identity proves goes with each of its datagrams. Uses app's
 * ledger, too. */
MUST_CHECK enum err gateway_open_secure(struct app *app, const char *const *addresses, size_t count,
                                        const struct gate_options *options,
                                        const struct dtls_options *secured, struct gateway **out,
                                        struct refusal *r);

/* Stops reading (what has arrived already is turned away with 5.03), waits until everything taken
 * is committed and answered. Before ingest_close. NULL is fine. */
void gateway_close(struct gateway *g);

/* The n-th address as bound, in the order given. */
void gateway_address(const struct gateway *g, size_t n, char out[ADDRESS_TEXT]);

#endif
