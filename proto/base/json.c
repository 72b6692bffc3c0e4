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

const uint8_t *scan_value(const uint8_t *at, const uint8_t *end, struct json *out)
{
    const uint8_t *behind;
    bool escaped = false;

    switch (*at) {
    case '"':
        out->kind = JSON_IS_TEXT;
        behind = text_end(at, end, &escaped);
        break;
    case '{':
    case '[':
        out->kind = *at == '{' ? JSON_IS_OBJECT : JSON_IS_ARRAY;
        behind = container_end(at, end);
        break;
    case 'n':
        out->kind = JSON_IS_ABSENT;
        behind = plain_end(at, end);
        break;
    case 't':
    case 'f':
        out->kind = *at == 't' ? JSON_IS_TRUE : JSON_IS_FALSE;
        behind = plain_end(at, end);
        break;
    default:
        out->kind = JSON_IS_NUMBER;
        behind = plain_end(at, end);
    }
    out->escaped = escaped;
    out->raw.at = at;
    out->raw.len = (size_t)(behind - at);
    return behind;
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
    struct json unasked;

    if (!out_name)
        out_name = &unasked;
    if (at < w->end && *at == ',')
        at = scan_blanks(at + 1, w->end);
    w->at = at;
    if (at == w->end || (w->open && *at == '}'))
        return false;
    if (w->named) {
        at = scan_value(at, w->end, out_name);
        at = scan_blanks(at, w->end);
        at = scan_blanks(at + (at < w->end), w->end); /* the colon */
        if (at == w->end)
            return false;
    } else {
        *out_name = (struct json){ 0 };
    }
    w->at = scan_value(at, w->end, out);
    return true;
}

bool json_enter(struct json_walk *w, struct json_walk *inside, const uint8_t **out_from)
{
    const uint8_t *at = scan_blanks(w->at, w->end);

    if (at < w->end && *at == ',')
        at = scan_blanks(at + 1, w->end);
    if (at == w->end || *at != '{')
        return false;
    *out_from = at;
    *inside = (struct json_walk){ .at = at + 1, .end = w->end, .named = true, .open = true };
    return true;
}

struct json json_leave(struct json_walk *w, struct json_walk *inside, const uint8_t *from)
{
    struct json v;

    while (json_next(inside, NULL, &v))
        ;
    w->at = inside->at + (inside->at < w->end);
    return (struct json){ .kind = JSON_IS_OBJECT, .raw = span_of(from, (size_t)(w->at - from)) };
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
