/* Listens to MQTT brokers for what LoRaWAN network servers publish there, and publishes downlinks.
 *
 * A message is acknowledged when it is durable, and not before: libmosquitto is driven so that its acknowledgements wait until the
 * batch is committed (mqtt.c tells how).  With QoS 1 and a session that lasts, what a crash or a broken connection leaves
 * unacknowledged comes again; the readings in it are the same and count once.  A message of QoS 0 comes once or not at all.
 *
 * What can never be of use is kept as rejected bytes, counted and acknowledged, so that it does not hold up what stands behind it.
 * While the store or the quarantine has no room, nothing is acknowledged: the connection is closed, and made again after a pause. */
#ifndef NILO_SERVER_GATEWAY_MQTT_H
#define NILO_SERVER_GATEWAY_MQTT_H

#include "server/app.h"

#define MQTT_TOPICS 16

struct mqtt;

struct mqtt_options {
    const char *const *urls; /* mqtt://[user[:password]@]host[:1883], mqtts://…[:8883]; each a broker of its own */
    size_t url_count;
    const char *const *topics; /* none: those of ChirpStack and The Things Stack */
    size_t topic_count;
    const char *ca, *cert, *key;  /* PEM files; ca NULL: the system's certificates */
    const char *password_file;    /* NULL: $CREDENTIALS_DIRECTORY/mqtt-password where there is one */
    const char *client_id;        /* NULL: made of host name and store, so that it is the same after a restart */
};

/* Starts a thread for each broker; one that cannot be reached is tried again and again. INVALID with `r`: a URL, topic or file is not
 * what it must be.  `app` must be started, and stay so until mqtt_close returns. */
MUST_CHECK enum err mqtt_open(struct app *app, const struct mqtt_options *options, struct mqtt **out, struct refusal *r);
void mqtt_close(struct mqtt *m); /* what is durable is acknowledged, all else comes again after the next start; NULL is fine */

#endif
