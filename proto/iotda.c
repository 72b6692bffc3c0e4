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

static bool is_report(struct json root, const char *resource)
{
    return json_is(json_get(root, "resource"), resource) &&
           json_is(json_get(root, "event"), "report");
}

static void pick_forerunner(struct json root, struct json notify, struct push *out)
{
    bool one = json_is(notify, "deviceDataChanged");

    out->kind = one || json_is(notify, "deviceDatasChanged") ? ENVELOPE_PAYLOAD : ENVELOPE_ASIDE;
    out->device = json_get(root, "deviceId");
    out->services = json_get(root, one ? "service" : "services");
}

static enum err pick(struct span bytes, struct push *out, struct refusal *r)
{
    struct json root, notify, body;
    enum err err = json_check(bytes, &root, r);

    *out = (struct push){ .kind = ENVELOPE_ASIDE };
    if (err)
        return err;
    notify = json_get(root, "notifyType");
    if (notify.kind == JSON_IS_TEXT) {
        pick_forerunner(root, notify, out);
        return ERR_OK;
    }
    if (json_get(root, "resource").kind != JSON_IS_TEXT)
        return refuse(r, ERR_MALFORMED, json_offset(bytes, root), "resource",
                      "expected a push of IoTDA with a resource");
    if (is_report(root, "device.message") || is_report(root, "device.property"))
        out->kind = ENVELOPE_PAYLOAD;
    else if (is_report(root, "device.event"))
        out->kind = ENVELOPE_HEARD;
    body = json_get(root, "notify_data.body");
    out->header = json_get(root, "notify_data.header");
    out->device = json_get(out->header, "device_id");
    out->content = json_get(body, "content");
    out->services = json_get(body, "services");
    out->time = json_get(root, "event_time_ms");
    if (out->time.kind == JSON_IS_ABSENT)
        out->time = json_get(root, "event_time");
    return ERR_OK;
}

enum err iotda_envelope(struct span bytes, struct arena *a, struct envelope *out, struct refusal *r)
{
    struct push push;
    enum err err = pick(bytes, &push, r);

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
};
