/* nilod: options, open, start, wait, stop in reverse order. */
#include "server/app_open.h"
#include "server/field_list.h"
#include "server/gateway/mqtt.h"
#include "server/gateway/udp.h"
#include "server/hooks.h"
#include "server/lore.h"
#include "server/options.h"
#include "server/query/http.h"
#include "server/query/within.h"
#include "server/replacements.h"
#include "server/settler.h"
#include "server/token_file.h"
#include "storage/db.h"

#include <malloc.h>
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
    struct gateway *gateway, *coaps;
    struct http *http;
    struct mqtt *mqtt;
};

static const char *text_or_null(const struct option_value *v)
{
    return v->count ? v->text[0] : NULL;
}

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
        .verification_rules = o->verification_rules.count ? o->verification_rules.text[0] : NULL,
        .fleet_rules = o->fleet_rules.count ? o->fleet_rules.text[0] : NULL,
        .order_rules = o->order_rules.count ? o->order_rules.text[0] : NULL,
        .store_key_file = o->store_key_file.count ? o->store_key_file.text[0] : NULL,
        .segment_bytes = (uint64_t)o->segment_mib.number << 20,
        .quarantine_frames = (uint64_t)o->quarantine_frames.number,
        .quarantine_source_frames = (uint64_t)o->quarantine_source_frames.number,
        .retention_days = (uint32_t)o->retention_days.number,
        .session_hours = (uint32_t)o->session_hours.number,
        .settle_every_s = (unsigned)o->settle_every.number,
        .figures_close_day = (unsigned)o->figures_close_day.number,
        .notices = { .on = strcmp(o->notices.text[0], "on") == 0,
                     .dir = o->notice_dir.count ? o->notice_dir.text[0] : NULL,
                     .rules = o->notice_rules.count ? o->notice_rules.text[0] : NULL },
        .history_off = strcmp(o->history_requests.text[0], "off") == 0,
    };
}

static enum err word_check(const struct option_value *v, const char *name, struct refusal *r)
{
    if (strcmp(v->text[0], "on") == 0 || strcmp(v->text[0], "off") == 0)
        return ERR_OK;
    return refuse(r, ERR_INVALID, 0, name, "--%s: expected on or off, found %.40s", name,
                  v->text[0]);
}

static enum err words_check(const struct options *o, struct refusal *r)
{
    enum err err = word_check(&o->history_requests, "history-requests", r);

    if (!err && (o->session_hours.number < 1 || o->session_hours.number > SESSION_HOURS_MOST))
        return refuse(r, ERR_INVALID, 0, "session-hours",
                      "--session-hours: found %lld, expected 1 to %d",
                      (long long)o->session_hours.number, SESSION_HOURS_MOST);
    if (!err && o->figures_close_day.number > 28)
        err = refuse(
            r, ERR_INVALID, 0, "figures-close-day",
            "--figures-close-day: expected a day that every month has, 1 to 28, or 0, found %lld",
            (long long)o->figures_close_day.number);
    return err ? err : word_check(&o->notices, "notices", r);
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

/* On the thread that reads coaps. */
static bool key_of(void *arg, struct span identity, unsigned attempt, uint8_t out[DTLS_PSK_MAX],
                   size_t *out_len)
{
    struct app *app = (struct app *)arg;
    uint32_t meter;

    return lore_psk(app, identity, attempt, clock_now_s(&app->clock), out, out_len, &meter);
}

static enum err listen_coaps(struct nilod *n, const struct gate_options *gate, struct refusal *r)
{
    const struct options *o = &n->options;
    struct dtls_options dtls = { .sessions = (uint32_t)o->coaps_sessions.number,
                                 .handshake_rate = (uint32_t)o->coaps_handshake_rate.number,
                                 .psk = key_of,
                                 .psk_arg = &n->app };

    if (is_off(&o->coaps))
        return ERR_OK;
    if (o->coaps_sessions.number < 1 || o->coaps_sessions.number > DTLS_SESSIONS_MAX)
        return refuse(r, ERR_INVALID, 0, "coaps-sessions",
                      "--coaps-sessions: found %lld, expected 1 to %d",
                      (long long)o->coaps_sessions.number, DTLS_SESSIONS_MAX);
    return gateway_open_secure(&n->app, (const char *const *)o->coaps.text, o->coaps.count, gate,
                               &dtls, &n->coaps, r);
}

/* The first line of the file that an option names. */
static enum err secret_read(const struct option_value *file, char *out, size_t cap,
                            struct refusal *r)
{
    FILE *f = file->count ? fopen(file->text[0], "re") : NULL;
    bool fine = f && fgets(out, (int)cap, f) && out[strcspn(out, "\r\n")];

    if (f)
        fclose(f);
    out[strcspn(out, "\r\n")] = 0;
    return fine || !file->count
               ? ERR_OK
               : refuse(r, ERR_INVALID, 0, "onenet-token",
                        "%.150s: cannot be read, or is no line of at most %zu characters",
                        file->text[0], cap - 2);
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
                                 .behind_proxy = o->http_behind_proxy.flag,
                                 .photo_bytes = (uint64_t)o->photo_space.number << 20,
                                 .photos_an_hour = (uint32_t)o->photo_rate.number,
                                 .page = { .utility = text_or_null(&o->utility),
                                           .map_tiles = text_or_null(&o->map_tiles),
                                           .map_credit = text_or_null(&o->map_credit) } };
    enum err err;

    if (!is_off(&o->coap) && (err = gateway_open(&n->app, (const char *const *)o->coap.text,
                                                 o->coap.count, &gate, &n->gateway, r)))
        return err;
    if ((err = listen_coaps(n, &gate, r)))
        return err;
    if ((err = secret_read(&o->onenet_token, n->app.onenet_token, sizeof n->app.onenet_token, r)))
        return err;
    return is_off(&o->http) ? ERR_OK : http_open(&n->app, &http, &n->http, r);
}

static enum err hear_brokers(struct nilod *n, struct refusal *r)
{
    const struct options *o = &n->options;
    struct mqtt_options mqtt = { .urls = (const char *const *)o->mqtt.text,
                                 .url_count = o->mqtt.count,
                                 .topics = (const char *const *)o->mqtt_topic.text,
                                 .topic_count = o->mqtt_topic.count,
                                 .ca = text_or_null(&o->mqtt_ca),
                                 .cert = text_or_null(&o->mqtt_cert),
                                 .key = text_or_null(&o->mqtt_key),
                                 .password_file = text_or_null(&o->mqtt_password_file),
                                 .client_id = text_or_null(&o->mqtt_client_id) };

    return mqtt.url_count ? mqtt_open(&n->app, &mqtt, &n->mqtt, r) : ERR_OK;
}

static void put_listening(const struct gateway *g, unsigned count, char out[ADDRESSES_TEXT])
{
    size_t len = 0;

    snprintf(out, ADDRESSES_TEXT, "-");
    for (unsigned i = 0; g && i < count; i++) {
        char address[ADDRESS_TEXT];

        gateway_address(g, i, address);
        len += (size_t)snprintf(out + len, ADDRESSES_TEXT - len, "%s%s", i ? "," : "", address);
    }
}

static void ready(const struct nilod *n)
{
    char coap[ADDRESSES_TEXT], coaps[ADDRESSES_TEXT];

    put_listening(n->gateway, n->options.coap.count, coap);
    put_listening(n->coaps, n->options.coaps.count, coaps);
    printf("ready coap=%s coaps=%s http=%s\n", coap, coaps,
           n->http ? http_listening(n->http) : "-");
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

/* Buffers of imports and lists go back to the system when they are done. By itself the C library learns from the first of them to keep such: up to 64 MB in
 * each of its arenas, of which there are eight a core, and a server that was filled bears half a gigabyte of nothing ever after. */
static void memory_prepare(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
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

/* What is kept in memory beside the store, at the end of a test's server: the tests set NILOD_SELF_CHECK, so that each of them finds an act that told nobody what it changed. */
static enum err self_check(struct nilod *n, struct refusal *r)
{
    uint32_t meter;
    enum err err;

    if (!getenv("NILOD_SELF_CHECK"))
        return ERR_OK;
    /* What the clock made due since the last pass is nobody's act. */
    if ((err = settler_settle(n->app.settler)) || (err = rankings_check(&n->app, &meter)))
        return err;
    if (!meter && ((err = fields_check(&n->app, &meter)) || !meter))
        return err;
    return refuse(r, ERR_CORRUPT, 0, "",
                  "self-check: the kept ranking of replacements, or the list for crews, is not "
                  "what all meters say, first "
                  "at the meter number %u: who changed it did not call rankings_touch",
                  meter);
}

static enum err serve(struct nilod *n, struct refusal *r)
{
    struct app_options options = app_options_of(&n->options);
    enum err err;

    if ((err = words_check(&n->options, r)) || (err = clock_start(n, r)) ||
        (err = app_open_store(&n->app, &options, r)) || (err = token_file_make(&n->app, r)) ||
        (err = app_start(&n->app, &options, r)) || (err = listen_all(n, r)) ||
        (err = hear_brokers(n, r)) ||
        (err = hooks_start(n->app.hooks, query_within, (uint32_t)n->options.hook_give_up.number)))
        return err;
    ready(n);
    wait_for_end();
    return self_check(n, r);
}

int main(int argc, char **argv)
{
    static struct nilod n;
    struct refusal r = { 0 };
    enum err err;
    int status = 0;

    memory_prepare();
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
        gateway_close(n.coaps);
        http_close(n.http);
        mqtt_close(n.mqtt);
        app_stop(&n.app);
        app_close_store(&n.app);
    }
    options_done(&n.options);
    return status;
}
