/* bench_coap_server ADDR PORT: libcoap's own server, which keeps a session for each peer; it
 * answers every POST to /r with 2.04 and stores nothing.  What the gateway is compared with, and
 * why plain CoAP does not go through libcoap's sessions. */
#include <coap3/coap.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static void post(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                 const coap_string_t *query, coap_pdu_t *response)
{
    (void)resource;
    (void)session;
    (void)request;
    (void)query;
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
}

int main(int argc, char **argv)
{
    coap_address_t address;
    coap_context_t *context;
    coap_resource_t *resource;

    if (argc != 3) {
        fprintf(stderr, "bench_coap_server ADDR PORT\n");
        return 2;
    }
    coap_startup();
    coap_set_log_level(LOG_EMERG);
    coap_address_init(&address);
    address.addr.sin.sin_family = AF_INET;
    address.addr.sin.sin_port = htons((uint16_t)atoi(argv[2]));
    address.size = sizeof address.addr.sin;
    context = coap_new_context(NULL);
    if (inet_pton(AF_INET, argv[1], &address.addr.sin.sin_addr) != 1 || !context ||
        !coap_new_endpoint(context, &address, COAP_PROTO_UDP)) {
        fprintf(stderr, "bench_coap_server: cannot listen on %s:%s\n", argv[1], argv[2]);
        return 1;
    }
    resource = coap_resource_init(coap_make_str_const("r"), 0);
    coap_register_request_handler(resource, COAP_REQUEST_POST, post);
    coap_add_resource(context, resource);
    while (coap_io_process(context, COAP_IO_WAIT) >= 0)
        continue;
    coap_free_context(context);
    return 0;
}
