/* Refusals as application/problem+json (RFC 9457). */
#include "server/metrics.h"
#include "server/query/request.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    unsigned status;
    const char *title;
} titles[] = {
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 409, "Conflict" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 422, "Unprocessable Content" },
    { 429, "Too Many Requests" },
    { 500, "Internal Server Error" },
    { 503, "Service Unavailable" },
    { 507, "Insufficient Storage" },
};

static const char *title_of(unsigned status)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (titles[i].status == status)
            return titles[i].title;
    }
    return "Refused";
}

/* A sentence of the form "x: found A, expected B" also stands as members, so that programs need not
 * cut it. */
static void put_found_expected(struct out *o, const char *text)
{
    const char *found = strstr(text, "found "), *expected = strstr(text, ", expected ");

    if (!found || !expected || expected < found + 6)
        return;
    found += 6;
    out_key(o, "found");
    out_string(o, span_of(found, (size_t)(expected - found)));
    out_member_text(o, "expected", expected + 11);
}

void problem_status(struct request *q, unsigned status, const struct refusal *r)
{
    problem_detail(q, status, r, r->text);
}

void problem_detail(struct request *q, unsigned status, const struct refusal *r, const char *text)
{
    struct out *o = &q->out;

    health_damage(r->err);
    q->status = status;
    q->refused = true;
    q->type = "application/problem+json";
    out_clear(o);
    out_text(o, "{");
    out_member_text(o, "type", "about:blank");
    out_member_text(o, "title", title_of(status));
    out_member_int(o, "status", status);
    out_member_text(o, "code", err_name(r->err));
    out_member_text(o, "detail", text[0] ? text : err_text(r->err));
    if (r->field[0])
        out_member_text(o, "field", r->field);
    put_found_expected(o, text);
    out_text(o, "}\n");
}

void problem(struct request *q, const struct refusal *r)
{
    problem_status(q, http_status_of(r->err), r);
}

void problem_of(struct request *q, enum err err, const char *field, const char *format, ...)
{
    struct refusal r = { .err = err };
    va_list args;

    snprintf(r.field, sizeof r.field, "%s", field);
    va_start(args, format);
    vsnprintf(r.text, sizeof r.text, format, args);
    va_end(args);
    problem(q, &r);
}

bool ask_time(struct request *q, const char *name, int64_t fallback_s, int64_t *out_s)
{
    struct refusal r = { 0 };

    if (!target_time(&q->target, name, fallback_s, out_s, &r))
        return true;
    problem_status(q, 422, &r);
    return false;
}

bool ask_span(struct request *q, int64_t *out_from_s, int64_t *out_to_s, bool needed)
{
    if (!ask_time(q, "from", INT64_MIN, out_from_s) || !ask_time(q, "to", INT64_MAX, out_to_s))
        return false;
    if (needed && *out_from_s == INT64_MIN) {
        problem_of(q, ERR_INVALID, "from", "from: found nothing, expected a time with offset");
        return false;
    }
    if (needed && *out_to_s == INT64_MAX) {
        problem_of(q, ERR_INVALID, "to", "to: found nothing, expected a time with offset");
        return false;
    }
    if (*out_from_s > *out_to_s) {
        char to[TEXT_TIME_SIZE], from[TEXT_TIME_SIZE];

        text_put_time(from, *out_from_s);
        text_put_time(to, *out_to_s);
        problem_of(q, ERR_INVALID, "from", "from: found %s, expected a time not after to, %s", from,
                   to);
        return false;
    }
    return true;
}

bool ask_int(struct request *q, const char *name, int64_t least, int64_t most, int64_t fallback,
             int64_t *out)
{
    struct refusal r = { 0 };

    if (!target_int(&q->target, name, least, most, fallback, out, &r))
        return true;
    problem_status(q, 422, &r);
    return false;
}

bool ask_day(struct request *q, const char *name, bool needed, int32_t *out)
{
    struct span text = ask_text(q, name);
    int64_t day = *out;

    if (!text.len && needed)
        problem_of(q, ERR_INVALID, name, "%s: found nothing, expected a date as 2026-03-01", name);
    else if (text.len && text_date(text, &day))
        problem_of(q, ERR_INVALID, name, "%s: found %.*s, expected a date as 2026-03-01", name,
                   (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    else
        *out = (int32_t)day;
    return q->status == 0;
}

bool ask_days(struct request *q, bool needed, int32_t *out_from, int32_t *out_to)
{
    char from[11], to[11];

    if (!ask_day(q, "from", needed, out_from) || !ask_day(q, "to", needed, out_to))
        return false;
    if (*out_from == NO_DAY || *out_to == NO_DAY || *out_from <= *out_to)
        return true;
    text_put_date(from, *out_from);
    text_put_date(to, *out_to);
    problem_of(q, ERR_INVALID, "from", "from: found %s, expected a date not after to, %s", from,
               to);
    return false;
}

bool ask_copy(struct request *q, const char *name, char *out, size_t size)
{
    struct span text = ask_text(q, name);

    if (text.len >= size) {
        problem_of(q, ERR_INVALID, name, "%s: found %zu bytes, expected at most %zu", name,
                   text.len, size - 1);
        return false;
    }
    if (text.len)
        memcpy(out, text.at, text.len);
    out[text.len] = 0;
    return true;
}

bool ask_bool(struct request *q, const char *name, bool *out)
{
    struct refusal r = { 0 };

    if (!target_bool(&q->target, name, out, &r))
        return true;
    problem_status(q, 422, &r);
    return false;
}

struct span ask_text(const struct request *q, const char *name)
{
    struct span text = { 0 };

    target_parameter(&q->target, name, &text);
    return text;
}
