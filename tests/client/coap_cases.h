/* The contract's table of outcomes (contract.md §2) and RFC 7252's rules for a server, as cases for
 * whoever serves CoAP at an address of 127.0.0.0/8: the gateway alone in a unit test, or a nilod.
 */
#ifndef NILO_TESTS_CLIENT_COAP_CASES_H
#define NILO_TESTS_CLIENT_COAP_CASES_H

#include "tests/client/coap.h"

struct coap_target {
    const char *host, *port;
    const char *meter;  /* a registered serial */
    const char *second; /* another */
    int64_t now_s;      /* the server's clock, within some minutes */
};
extern struct coap_target coap_target; /* set before the cases run */

/* Writes a report of `meter`: one value of `index` litres, or `hours` of them. */
struct span report_bytes(uint8_t *room, size_t cap, const char *meter, int64_t at_s,
                         int64_t index_l, unsigned hours);
void message_report(struct message *m, unsigned type, uint16_t mid, const char *meter,
                    int64_t index_l);

struct CMUnitTest;
extern const struct CMUnitTest *const coap_cases;
extern const size_t coap_case_count;

#endif
