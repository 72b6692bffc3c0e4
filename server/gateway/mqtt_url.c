#include "server/gateway/mqtt_url.h"

#include "proto/base/hex.h"
#include "proto/base/text.h"

static enum err refuse_url(struct refusal *r, const char *what)
{
    return refuse(r, ERR_INVALID, 0, "mqtt",
                  "mqtt: %s; expected mqtt://host:1883 or mqtts://user@host:8883", what);
}

static bool begins(struct span *text, const char *with)
{
    size_t len = strlen(with);

    if (text->len < len || memcmp(text->at, with, len) != 0)
        return false;
    *text = span_of(text->at + len, text->len - len);
    return true;
}

/* Cuts at the last `c`; false: there is none. */
static bool cut_last(struct span text, char c, struct span *out_before, struct span *out_behind)
{
    for (size_t i = text.len; i-- > 0;)
        if (text.at[i] == (uint8_t)c) {
            *out_before = span_of(text.at, i);
            *out_behind = span_of(text.at + i + 1, text.len - i - 1);
            return true;
        }
    return false;
}

static bool unescape(struct span text, char *out, size_t cap)
{
    size_t len = 0, n;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c == '%') {
            if (text.len - i < 3 || hex_read(span_of(text.at + i + 1, 2), &c, 1, &n) || n != 1)
                return false;
            i += 2;
        }
        if (c == 0 || len + 1 == cap)
            return false;
        out[len++] = (char)c;
    }
    out[len] = 0;
    return true;
}

static bool take_user(struct span login, struct mqtt_url *out)
{
    const uint8_t *colon = (const uint8_t *)memchr(login.at, ':', login.len);
    size_t len = colon ? (size_t)(colon - login.at) : login.len;

    out->has_user = true;
    out->has_password = colon != NULL;
    if (colon &&
        !unescape(span_of(colon + 1, login.len - len - 1), out->password, sizeof out->password))
        return false;
    return unescape(span_of(login.at, len), out->user, sizeof out->user);
}

/* host, host:port, [address], [address]:port */
static bool take_host(struct span at, struct mqtt_url *out)
{
    struct span host = at, port = span_of(NULL, 0);
    int64_t number = out->port;

    if (at.len && at.at[0] == '[') {
        if (!cut_last(at, ']', &host, &port) || (port.len && port.at[0] != ':'))
            return false;
        host = span_of(host.at + 1, host.len - 1);
        port = port.len ? span_of(port.at + 1, port.len - 1) : span_of(NULL, 0);
    } else if (cut_last(at, ':', &host, &port) && !port.len) {
        return false;
    }
    if (port.len && (text_int(port, &number) || number < 1 || number > 65535))
        return false;
    out->port = (int)number;
    for (size_t i = 0; i < host.len; i++)
        if (host.at[i] <= ' ' || host.at[i] == '/' || host.at[i] == '@' || host.at[i] == '?')
            return false;
    return host.len && unescape(host, out->host, sizeof out->host);
}

enum err mqtt_url_read(const char *text, struct mqtt_url *out, struct refusal *r)
{
    struct span rest = span_text(text), login, at;

    memset(out, 0, sizeof *out);
    out->tls = begins(&rest, "mqtts://");
    if (!out->tls && !begins(&rest, "mqtt://"))
        return refuse_url(r, "found another kind of address");
    out->port = out->tls ? 8883 : 1883;
    if (rest.len && rest.at[rest.len - 1] == '/')
        rest.len--;
    if (!cut_last(rest, '@', &login, &at))
        at = rest;
    else if (!take_user(login, out))
        return refuse_url(r, "found a user or password that is too long or has a wrong escape");
    if (!take_host(at, out))
        return refuse_url(r, "found no host, or a port that is none");
    return ERR_OK;
}
