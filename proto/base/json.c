/* Walking JSON that was checked: nothing can fail but by ending. */
#include "proto/base/json_scan.h"

/* Behind the closing quote; at[0] is the opening one. */
static const uint8_t *text_end(const uint8_t *at, const uint8_t *end, bool *escaped)
{
    at++;
    for (*escaped = false; (at = scan_plain(at, end)) < end; at += 1 + (*at == '\\')) {
        if (*at == '"')
            return at + 1;
        if (end - at < 2)
            break;
        *escaped = true;
    }
    return end;
}

/* Behind the bracket that closes the one at at[0]. */
static const uint8_t *container_end(const uint8_t *at, const uint8_t *end)
{
    unsigned depth = 0;
    bool escaped;

    while ((at = scan_bracket(at, end)) < end) {
        if (*at == '"') {
            at = text_end(at, end, &escaped);
            continue;
        }
        depth += *at == '{' || *at == '[' ? 1 : -1u;
        at++;
        if (depth == 0)
            return at;
    }
    return end;
}

static const uint8_t *plain_end(const uint8_t *at, const uint8_t *end)
{
    while (at<end && * at> ' ' && *at != ',' && *at != ']' && *at != '}')
        at++;
    return at;
}

struct json scan_value(const uint8_t *at, const uint8_t *end)
{
    struct json v = { .kind = JSON_IS_NUMBER };
    const uint8_t *behind;

    switch (*at) {
    case '"':
        v.kind = JSON_IS_TEXT;
        behind = text_end(at, end, &v.escaped);
        break;
    case '{':
    case '[':
        v.kind = *at == '{' ? JSON_IS_OBJECT : JSON_IS_ARRAY;
        behind = container_end(at, end);
        break;
    default:
        if (*at == 'n' || *at == 't' || *at == 'f')
            v.kind = *at == 'n' ? JSON_IS_ABSENT : *at == 't' ? JSON_IS_TRUE : JSON_IS_FALSE;
        behind = plain_end(at, end);
    }
    v.raw = span_of(at, (size_t)(behind - at));
    return v;
}

struct json_walk json_walk(struct json of)
{
    if (of.kind != JSON_IS_OBJECT && of.kind != JSON_IS_ARRAY)
        return (struct json_walk){ 0 };
    return (struct json_walk){ .at = of.raw.at + 1,
                               .end = of.raw.at + of.raw.len - 1,
                               .named = of.kind == JSON_IS_OBJECT };
}

bool json_next(struct json_walk *w, struct json *out_name, struct json *out)
{
    const uint8_t *at = scan_blanks(w->at, w->end);
    struct json name = { 0 };

    if (at < w->end && *at == ',')
        at = scan_blanks(at + 1, w->end);
    if (at < w->end && w->named) {
        name = scan_value(at, w->end);
        at = scan_blanks(at + name.raw.len, w->end);
        if (at < w->end)
            at = scan_blanks(at + 1, w->end); /* the colon */
    }
    w->at = at;
    if (at == w->end)
        return false;
    if (out_name)
        *out_name = name;
    *out = scan_value(at, w->end);
    w->at += out->raw.len;
    return true;
}

static bool name_is(struct json name, struct span text)
{
    if (!name.escaped)
        return name.raw.len == text.len + 2 && memcmp(name.raw.at + 1, text.at, text.len) == 0;
    return scan_says(name, text);
}

bool json_is(struct json v, const char *text)
{
    return v.kind == JSON_IS_TEXT && name_is(v, span_text(text));
}

void json_pick(struct json of, const char *const *names, size_t count, struct json *out)
{
    struct json_walk w = json_walk(of);
    struct json name, v;

    memset(out, 0, count * sizeof *out);
    if (!w.named)
        return;
    while (json_next(&w, &name, &v)) {
        for (size_t i = 0; i < count; i++) {
            if (json_is(name, names[i])) {
                out[i] = v;
                break;
            }
        }
    }
}

static struct json member(struct json of, struct span called)
{
    struct json_walk w = json_walk(of);
    struct json name, v, found = { 0 };

    while (w.named && json_next(&w, &name, &v))
        if (name_is(name, called))
            found = v;
    return found;
}

struct json json_get(struct json of, const char *path)
{
    for (;;) {
        const char *dot = strchr(path, '.');

        of = member(of, dot ? span_of(path, (size_t)(dot - path)) : span_text(path));
        if (!dot)
            return of;
        path = dot + 1;
    }
}

struct json json_element(struct json of, size_t n)
{
    struct json_walk w = json_walk(of);
    struct json v;

    while (!w.named && json_next(&w, NULL, &v))
        if (n-- == 0)
            return v;
    return (struct json){ 0 };
}
