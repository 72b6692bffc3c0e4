/* Addresses of brokers as text. */
#ifndef NILO_SERVER_GATEWAY_MQTT_URL_H
#define NILO_SERVER_GATEWAY_MQTT_URL_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct mqtt_url {
    bool tls;
    char host[256], user[256], password[256];
    bool has_user, has_password;
    int port;
};

/* mqtt://[user[:password]@]host[:port] or mqtts://…; user and password may have %XX escapes, an IPv6 host stands in brackets. Default
 * ports 1883 and 8883. INVALID with `r`, which does not repeat the password. */
MUST_CHECK enum err mqtt_url_read(const char *text, struct mqtt_url *out, struct refusal *r);

#endif
