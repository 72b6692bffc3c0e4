#include "tools/sim/publisher.h"

#include <errno.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/clock.h"
#include "tools/nilo/args.h"

#define KEEPALIVE_S 60
#define PATIENCE_MS 60000
#define UNDER_WAY_MOST 1000 /* messages that the broker did not acknowledge yet */

struct publisher {
    struct mosquitto *client;
    uint64_t sent, acknowledged;
};

static void acknowledged(struct mosquitto *client, void *arg, int mid)
{
    (void)client;
    (void)mid;
    ((struct publisher *)arg)->acknowledged++;
}

struct publisher *publisher_open(const char *address)
{
    struct publisher *p = calloc(1, sizeof *p);
    const char *colon = strrchr(address, ':');
    char host[128];
    int rc;

    if (!p || !colon) {
        say(p ? "--mqtt: expected HOST:PORT, found '%s'" : "no memory is left for %s", address);
        free(p);
        return NULL;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    mosquitto_lib_init();
    p->client = mosquitto_new(NULL, true, p);
    rc = p->client ? mosquitto_connect(p->client, host, atoi(colon + 1), KEEPALIVE_S)
                   : MOSQ_ERR_NOMEM;
    if (rc) {
        say("the broker %s cannot be reached: %s", address,
            rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
        publisher_close(p);
        return NULL;
    }
    mosquitto_publish_callback_set(p->client, acknowledged);
    mosquitto_max_inflight_messages_set(p->client, UNDER_WAY_MOST);
    return p;
}

void publisher_close(struct publisher *p)
{
    if (!p)
        return;
    mosquitto_disconnect(p->client);
    mosquitto_destroy(p->client);
    mosquitto_lib_cleanup();
    free(p);
}

/* Until at most `most` are under way. */
static bool wait_for(struct publisher *p, uint64_t most)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (p->sent - p->acknowledged > most) {
        int rc = mosquitto_loop(p->client, 100, 1);

        if (rc || clock_monotonic_ms() > until_ms) {
            say("the broker does not take what is published: %s",
                rc ? mosquitto_strerror(rc) : "it does not acknowledge");
            return false;
        }
    }
    return true;
}

bool publisher_put(struct publisher *p, const char *eui, struct span event)
{
    char topic[128];
    int rc;

    snprintf(topic, sizeof topic, "application/town/device/%s/event/up", eui);
    rc = mosquitto_publish(p->client, NULL, topic, (int)event.len, event.at, 1, false);
    if (rc) {
        say("an event cannot be published: %s", mosquitto_strerror(rc));
        return false;
    }
    p->sent++;
    return wait_for(p, UNDER_WAY_MOST / 2);
}

bool publisher_drain(struct publisher *p)
{
    return wait_for(p, 0);
}

uint64_t publisher_count(const struct publisher *p)
{
    return p->sent;
}
