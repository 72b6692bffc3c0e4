#include "server/acts/answer.h"

#include "storage/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

unsigned http_status_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return 200;
    case ERR_TRUNCATED:
    case ERR_MALFORMED:
    case ERR_UNSUPPORTED:
    case ERR_NAMES_DIFFER:
        return 400;
    case ERR_UNAUTHORIZED:
        return 401;
    case ERR_FORBIDDEN:
        return 403;
    case ERR_NOT_FOUND:
    case ERR_UNKNOWN:
        return 404;
    case ERR_EXISTS:
    case ERR_CONFLICT:
        return 409;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_RANGE:
    case ERR_NO_METER:
    case ERR_INVALID:
        return 422;
    default:
        return err_class(err) == ERR_CLASS_HOST ? 503 : 500;
    }
}

void answer_refuse(struct act_reply *out, enum err err, const char *field, const char *format, ...)
{
    va_list args;

    out_done(&out->body);
    memset(out, 0, sizeof *out);
    out->status = http_status_of(err);
    out->refusal.err = err;
    snprintf(out->refusal.field, sizeof out->refusal.field, "%s", field);
    va_start(args, format);
    vsnprintf(out->detail, sizeof out->detail, format, args);
    va_end(args);
    snprintf(out->refusal.text, sizeof out->refusal.text, "%.*s", (int)sizeof out->refusal.text - 1,
             out->detail);
}

void answer_failed(struct act_reply *out, enum err err)
{
    answer_refuse(out, err, "", "nothing was changed: the store %s", err_text(err));
}

bool answer_role(const struct act_request *q, struct act_reply *out, unsigned roles)
{
    if (roles & 1u << q->caller->role)
        return true;
    answer_refuse(out, ERR_FORBIDDEN, "", "the role %s may not do this",
                  role_name(q->caller->role));
    return false;
}

bool answer_bool(const struct act_request *q, struct act_reply *out, const char *name, bool *has,
                 bool *out_value)
{
    const json_t *v = json_object_get(q->body, name);

    *has = v && !json_is_null(v);
    *out_value = !*has || json_is_true(v);
    if (!*has || json_is_boolean(v))
        return true;
    answer_refuse(out, ERR_INVALID, name, "%s: expected true or false", name);
    return false;
}

static bool named(const char *name, const char *first, va_list rest)
{
    for (const char *known = first; known; known = va_arg(rest, const char *))
        if (strcmp(name, known) == 0)
            return true;
    return false;
}

bool answer_members(const struct act_request *q, struct act_reply *out, ...)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)q->body, name, value)
    {
        va_list names;
        bool known;

        va_start(names, out);
        known = named(name, va_arg(names, const char *), names);
        va_end(names);
        if (known)
            continue;
        answer_refuse(out, ERR_INVALID, name, "%s: found a member that is not known here", name);
        return false;
    }
    return true;
}

/* A double that came from a decimal of up to 15 digits goes back to those very digits; 17 tell any
 * double apart. */
struct span json_scalar(const json_t *v, char room[JSON_NUMBER_ROOM])
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return span_of(json_string_value(v), json_string_length(v));
    case JSON_INTEGER:
        snprintf(room, JSON_NUMBER_ROOM, "%lld", (long long)json_integer_value(v));
        return span_text(room);
    case JSON_REAL:
        snprintf(room, JSON_NUMBER_ROOM, "%.15g", json_real_value(v));
        if (strtod(room, NULL) != json_real_value(v))
            snprintf(room, JSON_NUMBER_ROOM, "%.17g", json_real_value(v));
        return span_text(room);
    case JSON_TRUE:
        return span_text("true");
    case JSON_FALSE:
        return span_text("false");
    default:
        return span_of(NULL, 0);
    }
}

static bool is_scalar(const json_t *v)
{
    return !v || json_is_string(v) || json_is_number(v) || json_is_null(v);
}

bool answer_text(const struct act_request *q, struct act_reply *out, const char *name, bool needed,
                 struct span *out_text)
{
    const json_t *v = json_object_get(q->body, name);

    *out_text =
        json_is_string(v) ? span_of(json_string_value(v), json_string_length(v)) : span_of(NULL, 0);
    if ((!v || json_is_null(v) || json_is_string(v)) && (out_text->len || !needed)) {
        if (out_text->len <= LIMIT_TEXT && text_is_utf8(*out_text))
            return true;
        answer_refuse(out, ERR_INVALID, name,
                      "%s: expected at most 1024 bytes of UTF-8 without control characters", name);
        return false;
    }
    answer_refuse(out, ERR_INVALID, name, "%s: found %s, expected a text", name,
                  is_scalar(v) ? "nothing" : "something else");
    return false;
}

bool answer_time(const struct act_request *q, struct act_reply *out, const char *name,
                 int64_t absent_s, int64_t *out_s)
{
    const json_t *v = json_object_get(q->body, name);

    *out_s = absent_s;
    if (!v || json_is_null(v))
        return true;
    if (json_is_string(v) && text_time(span_of(json_string_value(v), json_string_length(v)),
                                       &q->app->zone, out_s) == ERR_OK)
        return true;
    answer_refuse(out, ERR_INVALID, name,
                  "%s: found \"%.60s\", expected a time as 2026-03-01T02:00:00+08:00", name,
                  json_is_string(v) ? json_string_value(v) : "no text");
    return false;
}

void warn(struct warnings *w, const char *code, const char *format, ...)
{
    va_list args;

    if (w->count == sizeof w->at / sizeof w->at[0])
        return;
    w->at[w->count].code = code;
    va_start(args, format);
    vsnprintf(w->at[w->count].text, sizeof w->at[0].text, format, args);
    va_end(args);
    w->count++;
}

void answer_begin(struct act_reply *out, unsigned status)
{
    memset(&out->refusal, 0, sizeof out->refusal);
    out->status = status;
    out_clear(&out->body);
    out_text(&out->body, "{");
}

void answer_end(struct act_reply *out, const struct warnings *w)
{
    out_key(&out->body, "warnings");
    out_text(&out->body, "[");
    for (unsigned i = 0; w && i < w->count; i++) {
        out_text(&out->body, i ? ",{" : "{");
        out_member_text(&out->body, "code", w->at[i].code);
        out_member_text(&out->body, "text", w->at[i].text);
        out_text(&out->body, "}");
    }
    out_text(&out->body, "]}");
    if (out->body.err)
        answer_failed(out, out->body.err);
}

static enum err keep_answer(const struct act_request *q, const struct act_reply *out,
                            struct act *act)
{
    struct span kept = span_of(out->body.at, out->body.len);
    struct out sealed = { 0 };
    enum err err = ERR_OK;

    if (q->seal) {
        err = q->seal(q->seal_arg, kept, &sealed);
        kept = span_of(sealed.at, sealed.len);
    }
    if (!err)
        act_answer(act, span_text(q->caller->who), q->key, q->request, out->status, kept);
    out_done(&sealed);
    return err;
}

struct act act_by(const struct act_request *q)
{
    struct app *app = q->app;

    return act_begin(app->ledger, q->caller->who, clock_now_s(&app->clock),
                     journal_end(app->journal));
}

enum err answer_commit(const struct act_request *q, struct act_reply *out, struct act *act)
{
    enum err err = out->status < 400 ? ERR_OK : out->refusal.err; /* no memory to write it */

    if (!err && q->key.len)
        err = keep_answer(q, out, act);
    if (err)
        act_abort(act);
    else
        err = act_end(act);
    if (err)
        answer_failed(out, err);
    return err;
}

void answer_abort(struct act_reply *out, struct act *act)
{
    enum err err = act_abort(act);

    if (err && out->status >= 400)
        answer_failed(out, err);
}
