/* nilod: options, open, start, wait, stop in reverse order. */
#include "server/app_open.h"
#include "server/gateway/udp.h"
#include "server/options.h"
#include "server/query/http.h"
#include "server/settler.h"
#include "server/token_file.h"
#include "storage/db.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define ADDRESSES_TEXT 1024

struct nilod {
    struct options options;
    struct app app;
    struct gateway *gateway;
    struct http *http;
};

/* A list of one word `off` or `-` is no listener at all. */
static bool is_off(const struct option_value *list)
{
    return list->count == 1 &&
           (strcmp(list->text[0], "off") == 0 || strcmp(list->text[0], "-") == 0);
}

static struct app_options app_options_of(const struct options *o)
{
    return (struct app_options){
        .dir = o->store.text[0],
        .tz = o->tz.text[0],
        .holidays = o->holidays.count ? o->holidays.text[0] : NULL,
        .store_key_file = o->store_key_file.count ? o->store_key_file.text[0] : NULL,
        .segment_bytes = (uint64_t)o->segment_mib.number << 20,
        .quarantine_frames = (uint64_t)o->quarantine_frames.number,
        .quarantine_source_frames = (uint64_t)o->quarantine_source_frames.number,
        .retention_days = (uint32_t)o->retention_days.number,
        .settle_every_s = (unsigned)o->settle_every.number,
        .history_off = strcmp(o->history_requests.text[0], "off") == 0,
    };
}

static enum err words_check(const struct options *o, struct refusal *r)
{
    const char *word = o->history_requests.text[0];

    if (strcmp(word, "on") == 0 || strcmp(word, "off") == 0)
        return ERR_OK;
    return refuse(r, ERR_INVALID, 0, "history-requests",
                  "--history-requests: expected on or off, found %.40s", word);
}

static enum err clock_start(struct nilod *n, struct refusal *r)
{
    int64_t at_s;

    clock_real(&n->app.clock);
    if (n->options.virtual_clock.count == 0)
        return ERR_OK;
    if (text_time(span_text(n->options.virtual_clock.text[0]), NULL, &at_s))
        return refuse(r, ERR_INVALID, 0, "virtual-clock",
                      "--virtual-clock: expected a time such as 2026-03-01T00:00:00Z, found %.60s",
                      n->options.virtual_clock.text[0]);
    if (at_s < 0 || at_s > CLOCK_MOST_S)
        return refuse(r, ERR_INVALID, 0, "virtual-clock",
                      "--virtual-clock: expected a time from 1970 to 2106-02-07, found %.60s",
                      n->options.virtual_clock.text[0]);
    clock_virtual(&n->app.clock, at_s);
    return ERR_OK;
}

static enum err listen_all(struct nilod *n, struct refusal *r)
{
    const struct options *o = &n->options;
    struct gate_options gate = { .endpoint_rate = (uint32_t)o->endpoint_rate.number,
                                 .endpoint_burst = (uint32_t)o->endpoint_burst.number,
                                 .address_rate = (uint32_t)o->address_rate.number };
    struct http_options http = { .listen = (const char *const *)o->http.text,
                                 .listen_count = o->http.count,
                                 .cert_file = o->http_cert.count ? o->http_cert.text[0] : NULL,
                                 .key_file = o->http_key.count ? o->http_key.text[0] : NULL,
                                 .behind_proxy = o->http_behind_proxy.flag };
    enum err err;

    if (!is_off(&o->coap) && (err = gateway_open(&n->app, (const char *const *)o->coap.text,
                                                 o->coap.count, &gate, &n->gateway, r)))
        return err;
    return is_off(&o->http) ? ERR_OK : http_open(&n->app, &http, &n->http, r);
}

static void ready(const struct nilod *n)
{
    char coap[ADDRESSES_TEXT] = "-";
    size_t len = 0;

    for (unsigned i = 0; n->gateway && i < n->options.coap.count; i++) {
        char address[ADDRESS_TEXT];

        gateway_address(n->gateway, i, address);
        len += (size_t)snprintf(coap + len, sizeof coap - len, "%s%s", i ? "," : "", address);
    }
    /* DTLS does not exist yet: --coaps is taken, and said to be off. */
    printf("ready coap=%s coaps=- http=%s\n", coap, n->http ? http_listening(n->http) : "-");
    fflush(stdout);
    sd_notify(0, "READY=1");
}

static void wait_for_end(void)
{
    sigset_t ends;
    int which;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigwait(&ends, &which);
    sd_notify(0, "STOPPING=1");
}

/* Threads inherit what stands here: nobody but wait_for_end hears these. */
static void signals_prepare(void)
{
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of write(), as a full disk is */
    db_faults_install();
}

static enum err serve(struct nilod *n, struct refusal *r)
{
    struct app_options options = app_options_of(&n->options);
    enum err err;

    if ((err = words_check(&n->options, r)) || (err = clock_start(n, r)) || (err = app_open_store(&n->app, &options, r)) ||
        (err = app_start(&n->app, &options, r)) || (err = token_file_make(&n->app, r)) ||
        (err = listen_all(n, r)))
        return err;
    ready(n);
    wait_for_end();
    return ERR_OK;
}

int main(int argc, char **argv)
{
    static struct nilod n;
    struct refusal r = { 0 };
    enum err err;
    int status = 0;

    db_standard_files();
    signals_prepare();
    if (options_read(argc, argv, &n.options, &r)) {
        fprintf(stderr, "nilod: %s\n", r.text);
        status = 2;
    } else if (n.options.help) {
        options_print_help(stdout);
    } else if (n.options.version) {
        puts("nilod " NILO_VERSION);
    } else if (n.options.store.count == 0) {
        fputs("nilod: --store DIR is needed; see nilod --help\n", stderr);
        status = 2;
    } else {
        if ((err = serve(&n, &r))) {
            fprintf(stderr, "nilod: %s\n", r.text[0] ? r.text : err_text(err));
            status = err == ERR_INVALID ? 2 : 1;
        }
        n.app.stopping = true;
        gateway_close(n.gateway);
        http_close(n.http);
        app_stop(&n.app);
        app_close_store(&n.app);
    }
    options_done(&n.options);
    return status;
}
