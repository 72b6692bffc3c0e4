/* Members of requests about lives.  What does not read is remembered and told later: that something
 * named does not exist comes first (rules-fleet R3). */
#include "server/acts/event_priv.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const text_names[EVENT_TEXTS] = {
    [EVENT_DOCUMENT] = "document", [EVENT_NOTE] = "note",   [EVENT_CREW] = "crew",
    [EVENT_REASON] = "reason",     [EVENT_DEPOT] = "depot", [EVENT_CERTIFICATE] = "certificate",
    [EVENT_PHOTO] = "photo",       [EVENT_SEAL] = "seal",   [EVENT_ORDER_ID] = "order",
    [EVENT_BATCH] = "batch",
};

struct life_body life_body_of(const struct act_request *q, struct refusal *wrong)
{
    return (struct life_body){ q->body, &q->app->zone, wrong };
}

static const json_t *member(const struct life_body *b, const char *name)
{
    const json_t *v = json_object_get(b->at, name);

    return v && !json_is_null(v) ? v : NULL;
}

void body_wrong(struct life_body *b, const char *name, const char *expected)
{
    char room[JSON_NUMBER_ROOM];
    const json_t *v = member(b, name);
    struct span found = v ? json_scalar(v, room) : span_text("nothing");

    if (b->wrong->err)
        return;
    if (!found.len)
        found = span_text(json_is_string(v) ? "an empty text" : "a list or an object");
    refuse(b->wrong, ERR_INVALID, 0, name, "%.40s: found %.*s, expected %s", name,
           (int)(found.len < 48 ? found.len : 48), (const char *)found.at, expected);
}

void body_text(struct life_body *b, const char *name, struct span *out)
{
    const json_t *v = member(b, name);

    *out = span_of(NULL, 0);
    if (!v)
        return;
    if (json_is_string(v))
        *out = span_of(json_string_value(v), json_string_length(v));
    if (!json_is_string(v))
        body_wrong(b, name, "a text");
    else if (out->len > LIMIT_TEXT || !text_is_utf8(*out))
        body_wrong(b, name, "at most 1024 bytes of UTF-8 without control characters");
}

void body_texts(struct life_body *b, struct span out[EVENT_TEXTS])
{
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        body_text(b, text_names[i], &out[i]);
}

void body_time(struct life_body *b, const char *name, int64_t absent_s, int64_t *out_s)
{
    const json_t *v = member(b, name);

    *out_s = absent_s;
    if (v && (!json_is_string(v) ||
              text_time(span_of(json_string_value(v), json_string_length(v)), b->zone, out_s)))
        body_wrong(b, name, "a time as 2026-03-01T02:00:00+08:00");
}

void body_index(struct life_body *b, const char *name, bool *out_has, int64_t *out_ml)
{
    const json_t *v = member(b, name);
    char room[JSON_NUMBER_ROOM];
    struct span text = v ? json_scalar(v, room) : span_of(NULL, 0);

    *out_has = false;
    *out_ml = 0;
    if (!v || (json_is_string(v) && !text.len))
        return;
    if (json_is_boolean(v) || text_litres(text, out_ml))
        body_wrong(b, name, "litres, with up to three decimals");
    else
        *out_has = true;
}

void body_flag(struct life_body *b, const char *name, bool *out)
{
    const json_t *v = member(b, name);

    *out = json_is_true(v);
    if (v && !json_is_boolean(v))
        body_wrong(b, name, "true or false");
}

static void body_day(struct life_body *b, const char *name, int32_t *out)
{
    struct span text;
    int64_t day;

    *out = NO_DAY;
    body_text(b, name, &text);
    if (!text.len)
        return;
    if (text_date(text, &day))
        body_wrong(b, name, "a date as 2026-03-01");
    else
        *out = (int32_t)day;
}

static bool is_text_name(const char *name)
{
    for (unsigned i = 0; i < EVENT_TEXTS; i++) {
        if (strcmp(name, text_names[i]) == 0)
            return true;
    }
    return false;
}

static bool is_one_of(const char *name, const char *first, va_list rest)
{
    for (const char *known = first; known; known = va_arg(rest, const char *)) {
        if (strcmp(name, known) == 0)
            return true;
    }
    return false;
}

void body_others(struct life_body *b, const char *first, ...)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)b->at, name, value)
    {
        va_list names;
        bool known;

        va_start(names, first);
        known = is_one_of(name, first, names);
        va_end(names);
        if (!known && !is_text_name(name) && !b->wrong->err)
            refuse(b->wrong, ERR_INVALID, 0, name, "%.60s: found a member that is not known here",
                   name);
    }
}

void body_only(struct life_body *b, const char *const *names)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)b->at, name, value)
    {
        size_t i = 0;

        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i] && !b->wrong->err)
            refuse(b->wrong, ERR_INVALID, 0, name, "%.60s: found a member that is not known here",
                   name);
    }
}

/* ---- an event's ---- */

static void read_result(struct life_body *b, struct life_wish *w)
{
    struct span result;

    body_text(b, "result", &result);
    w->no_result = result.len == 0;
    w->failed = span_equal(result, span_text("fail"));
    if (result.len && !w->failed && !span_equal(result, span_text("pass")))
        body_wrong(b, "result", "pass or fail");
}

/* What an event does not need is kept where it reads, and not judged (rules-fleet T2). */
static void read_index(struct life_body *b, struct life_wish *w)
{
    struct refusal ignored = { 0 };
    struct life_body lenient = { b->at, b->zone, &ignored };
    bool needed = w->kind == EVENT_KINDS || w->kind == EVENT_LOSE || event_needs_index(w->kind);

    body_index(needed ? b : &lenient, "index_l", &w->has_index, &w->index_ml);
}

void life_wish_read(const struct act_request *q, int64_t now_s, struct life_wish *w,
                    struct refusal *wrong)
{
    struct life_body b = life_body_of(q, wrong);

    body_time(&b, "at", now_s, &w->at_s);
    body_text(&b, "point", &w->point);
    body_texts(&b, w->text);
    body_flag(&b, "overrule", &w->overrule);
    read_index(&b, w);
    w->no_result = true;
    w->verified_on = w->valid_until = NO_DAY;
    if (w->kind == EVENT_INSPECT)
        read_result(&b, w);
    if (w->kind == EVENT_VERIFY) {
        body_day(&b, "verified_on", &w->verified_on);
        body_day(&b, "valid_until", &w->valid_until);
    }
    w->wrong = wrong->err ? wrong : NULL;
}
