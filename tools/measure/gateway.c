/* bench_gateway ADDR:PORT METERS DIR: the path between a datagram and its answer alone (gateway,
 * journal with its fsync, tail), with METERS registered as 10000001 and on, and nothing behind it.
 * Ends with SIGTERM. */
#include "server/gateway/udp.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static enum err enroll(struct registry *r, uint32_t meters)
{
    enum err err = ERR_OK;

    for (uint32_t i = 0; i < meters && !err; i++) {
        char serial[16];

        snprintf(serial, sizeof serial, "%" PRIu32, 10000001 + i);
        err = registry_add(r, span_text(serial), i + 1);
    }
    return err;
}

static enum err open_parts(struct app *app, const char *dir, uint32_t meters, struct refusal *r)
{
    struct ingest_parts parts;
    enum err err;

    clock_real(&app->clock);
    if ((err = journal_open(dir, NULL, DB_CREATE, &app->journal, r)) ||
        (err = quarantine_open(dir, NULL, DB_CREATE, &app->quarantine, r)) ||
        (err = tail_new(&app->tail)) || (err = registry_new(&app->registry)) ||
        (err = enroll(app->registry, meters)))
        return err;
    parts = (struct ingest_parts){ .journal = app->journal,
                                   .tail = app->tail,
                                   .registry = app->registry,
                                   .quarantine = app->quarantine };
    return ingest_open(&parts, &app->ingest);
}

int main(int argc, char **argv)
{
    const struct gate_options options = { 10, 200, 20000 };
    struct app app = { 0 };
    struct gateway *gateway = NULL;
    struct refusal r = { 0 };
    const char *address;
    sigset_t ends;
    int signal_number;
    enum err err;

    if (argc != 4) {
        fprintf(stderr, "bench_gateway ADDR:PORT METERS DIR\n");
        return 2;
    }
    address = argv[1];
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if ((err = open_parts(&app, argv[3], (uint32_t)strtoul(argv[2], NULL, 10), &r)) ||
        (err = gateway_open(&app, &address, 1, &options, &gateway, &r)))
        fprintf(stderr, "bench_gateway: %s %s\n", err_text(err), r.text);
    else if (printf("ready\n") > 0 && fflush(stdout) == 0)
        sigwait(&ends, &signal_number);
    gateway_close(gateway);
    ingest_close(app.ingest);
    registry_free(app.registry);
    tail_free(app.tail);
    quarantine_close(app.quarantine);
    journal_close(app.journal);
    return err ? 1 : 0;
}
