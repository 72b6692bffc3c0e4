/* The HTTP API: listeners, limits, and who runs what.
 *
 *     struct http_options o = { .listen = texts, .listen_count = 1 };
 *     if ((err = http_open(&app, &o, &http, &refusal)))
 *         …refusal.text says which address and why
 *     printf("… http=%s\n", http_listening(http));  // "127.0.0.1:8080,[::1]:8080", ports as bound
 *     …
 *     http_close(http);                             // before settler, ingest and stores are closed
 *
 * Requests that read a little are answered on the listeners' threads.  Whatever may take long
 * (acts, imports, settling, lists, consumption) runs on worker threads while its connection is
 * suspended, so that no slow request delays a quick one. Everything in `app` must be open before
 * http_open and stay so until http_close returns.
 *
 * Limits: 12 KiB for a request's line and headers; a JSON body of 1 MiB, of 4 MiB where it lists a lot; an import as large as the
 * disk has room for, in an unlinked file under STORE/tmp; 10 000 connections besides 240
 * descriptors for the rest of the process (http_open raises RLIMIT_NOFILE as far as it may);
 * HTTP_IDLE_S without a byte ends a connection; a stream's reader that takes less than
 * HTTP_SLOW_BYTES in HTTP_SLOW_S is cut off. */
#ifndef NILO_SERVER_QUERY_HTTP_H
#define NILO_SERVER_QUERY_HTTP_H

#include "server/app.h"
#include "server/query/page.h"

struct http;

#define HTTP_IDLE_S 120
#define HTTP_SLOW_S 60
#define HTTP_SLOW_BYTES 65536
#define HTTP_CONNECTIONS_MAX 10240
#define HTTP_BODY_MAX (1 << 20)
#define HTTP_LOT_MAX (4 << 20) /* a depot's 100 000 serials, as they stand in a body */

struct http_options {
    const char *const *listen; /* "ADDR:PORT", "[ADDR6]:PORT", ":PORT" and "*:PORT" for all; port 0
                                  picks a free one */
    size_t listen_count;
    const char *cert_file, *key_file; /* PEM; NULL: plain HTTP */
    bool behind_proxy;                /* a public address is fine without a certificate */
    struct page_options page;
    uint64_t photo_bytes;             /* room for photos; 0: none are taken */
    uint32_t photos_an_hour;          /* of one name; 0: as many as it likes */
};

/* INVALID: an address is not one, is public without a certificate, or cert and key do not go
 * together; IO: it cannot be bound or a file cannot be read.  `r` names it. */
MUST_CHECK enum err http_open(struct app *app, const struct http_options *options,
                              struct http **out, struct refusal *r);

/* Takes no more requests, lets those at hand finish, cuts streams off. NULL is fine. */
void http_close(struct http *h);

const char *
http_listening(const struct http *h); /* as the ready line shows it; lives as long as `h` */

#endif
