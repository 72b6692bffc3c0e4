/* Huawei IoTDA, data forwarding by HTTP:
 *
 *   {"resource":"device.message","event":"report","event_time":"20151212T121212Z",
 *    "notify_data":{"header":{"device_id":"…","node_id":"86…"},"body":{"topic":"…","content":"…base 64…"}}}
 *   {"resource":"device.property","event":"report",
 *    "notify_data":{"header":{…},"body":{"services":[{"service_id":"…","properties":{"RAWData":"…"},"event_time":"…"}]}}}
 *
 * and what its forerunner (OceanConnect, also run by China Telecom) sends: {"notifyType":"deviceDataChanged","deviceId":"…","service":{"data":{…},
 * "eventTime":"…"}}, or deviceDatasChanged with services.  A report whose services come as several pushes is several reports: each is whole by
 * itself, and values of one time meet in the readings. */
#include "proto/envelope.h"
#include "proto/platform.h"
#include "proto/trace.h"

struct push {
    enum envelope_kind kind;
    struct json header, content, services, device, time;
};

enum {
    RESOURCE,
    EVENT,
    NOTIFY_DATA,
    TIME_MS,
    TIME,
    NOTIFY_TYPE,
    DEVICE,
    SERVICE,
    SERVICES,
    MEMBERS
};
static const char *const names[MEMBERS] = { "resource",      "event",      "notify_data",
                                            "event_time_ms", "event_time", "notifyType",
                                            "deviceId",      "service",    "services" };

static bool is_report(const struct json m[MEMBERS], const char *resource)
{
    return json_is(m[RESOURCE], resource) && json_is(m[EVENT], "report");
}

static void pick_forerunner(const struct json m[MEMBERS], struct push *out)
{
    bool one = json_is(m[NOTIFY_TYPE], "deviceDataChanged");

    out->kind =
        one || json_is(m[NOTIFY_TYPE], "deviceDatasChanged") ? ENVELOPE_PAYLOAD : ENVELOPE_ASIDE;
    out->device = m[DEVICE];
    out->services = m[one ? SERVICE : SERVICES];
}

static void pick_notified(const struct json m[MEMBERS], struct push *out)
{
    static const char *const in_data[] = { "header", "body" };
    static const char *const in_body[] = { "content", "services" };
    struct json data[2], body[2];

    if (is_report(m, "device.message") || is_report(m, "device.property"))
        out->kind = ENVELOPE_PAYLOAD;
    else if (is_report(m, "device.event"))
        out->kind = ENVELOPE_HEARD;
    json_pick(m[NOTIFY_DATA], in_data, 2, data);
    json_pick(data[1], in_body, 2, body);
    out->header = data[0];
    out->device = json_get(out->header, "device_id");
    out->content = body[0];
    out->services = body[1];
    out->time = m[m[TIME_MS].kind == JSON_IS_ABSENT ? TIME : TIME_MS];
}

static enum err pick(struct span bytes, struct push *out, struct refusal *r)
{
    struct json root, m[MEMBERS];
    enum err err = json_check(bytes, &root, r);

    *out = (struct push){ .kind = ENVELOPE_ASIDE };
    if (err)
        return err;
    json_pick(root, names, MEMBERS, m);
    if (m[NOTIFY_TYPE].kind == JSON_IS_TEXT)
        pick_forerunner(m, out);
    else if (m[RESOURCE].kind == JSON_IS_TEXT)
        pick_notified(m, out);
    else
        return refuse(r, ERR_MALFORMED, json_offset(bytes, root), "resource",
                      "expected a push of IoTDA with a resource");
    return ERR_OK;
}

static enum err iotda_envelope(const struct dialect *d, struct span bytes, struct arena *a,
                               struct envelope *out, struct refusal *r)
{
    struct push push;
    enum err err = pick(bytes, &push, r);

    (void)d;
    (void)a;
    if (err)
        return err;
    out->kind = push.kind;
    out->event = push.kind == ENVELOPE_PAYLOAD ? "data" : "event";
    return ERR_OK;
}

static struct json of_either(struct json object, const char *name, const char *older)
{
    struct json v = json_get(object, name);

    return v.kind == JSON_IS_ABSENT ? json_get(object, older) : v;
}

static enum err take_service(struct platform *p, struct json service)
{
    struct json fields = of_either(service, "properties", "data");
    struct json time = of_either(service, "event_time", "eventTime");
    int64_t at_s = 0;

    if (!platform_ms(time, &at_s))
        at_s = 0;
    return platform_part(p, fields, true, "services", envelope_heard(p->in, at_s));
}

/* Services, of which some may bear no frame. */
static enum err take_services(struct platform *p, struct json services)
{
    struct json service;
    enum err err = ERR_OK;

    if (services.kind == JSON_IS_OBJECT)
        return take_service(p, services);
    if (json_element(services, ENVELOPE_MESSAGES).raw.len)
        return refuse(p->refusal, ERR_TOO_LARGE, envelope_offset(p->in, services), "services",
                      "expected at most %d services in one push", ENVELOPE_MESSAGES);
    for (struct json_walk w = json_walk(services); !err && json_next(&w, NULL, &service);)
        err = take_service(p, service);
    return err;
}

/* The names stand in the header, or among the fields of a service. */
static enum err take_names(struct platform *p, const struct push *push)
{
    struct json service =
        push->services.kind == JSON_IS_ARRAY ? json_element(push->services, 0) : push->services;
    enum err err;

    if ((err = platform_name(p, json_get(push->header, "node_id"), "node_id")) ||
        (err =
             platform_name(p, json_get(of_either(service, "properties", "data"), "IMEI"), "IMEI")))
        return err;
    return platform_name(p, push->device, "device_id");
}

/* Messages in JSON come as such, or as a text in which it stands. */
static enum err take_content(struct platform *p, struct json content)
{
    struct json inside;
    struct span text;

    if (content.kind == JSON_IS_TEXT && content.raw.len > 2 &&
        (content.raw.at[1] == '{' || content.raw.at[1] == '[')) {
        enum err err = json_text(content, p->arena, &text);

        if (err == ERR_NO_MEMORY)
            return err;
        if (!err && !json_check(text, &inside, NULL))
            content = inside;
    }
    return platform_part(p, content, false, "content", 0);
}

static enum err iotda_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                             struct refusal *r)
{
    struct platform p = platform_of(in, a, out, r);
    struct push push;
    enum err err;

    if ((err = pick(in->bytes, &push, r)) || (err = take_names(&p, &push)) ||
        (err = platform_time(&p, push.time, "event_time")))
        return err;
    if (push.kind == ENVELOPE_PAYLOAD && push.services.kind != JSON_IS_ABSENT)
        err = take_services(&p, push.services);
    else if (push.kind == ENVELOPE_PAYLOAD)
        err = take_content(&p, push.content);
    return err ? err : platform_end(&p);
}

const struct dialect dialect_iotda = {
    .name = "iotda",
    .id = 11,
    .enveloped = true,
    .formats = { 0 },
    .decode = iotda_decode,
    .envelope = iotda_envelope,
};
