/* What strangers write into a request: the target on the first line, an Accept header on the
 * second.  Whatever the bytes, what is read lies within the target's own memory, is UTF-8, and a
 * refusal says what was wrong. */
#include "server/query/route.h"

#include <stdlib.h>

static void must(bool what)
{
    if (!what)
        abort();
}

static void check_inside(const struct target *t, struct span s)
{
    must(s.len == 0 || (s.at >= t->text && s.at + s.len <= t->text + sizeof t->text));
    must(text_is_utf8(s));
}

static void check_parts(const struct target *t)
{
    must(t->segments <= TARGET_SEGMENTS_MAX && t->parameters <= TARGET_PARAMETERS_MAX);
    for (unsigned i = 0; i < t->segments; i++)
        check_inside(t, t->segment[i]);
    for (unsigned i = 0; i < t->parameters; i++) {
        check_inside(t, t->parameter[i].name);
        check_inside(t, t->parameter[i].value);
    }
}

static void check_routes(const struct target *t)
{
    static const enum verb verbs[] = { VERB_GET, VERB_POST, VERB_HEAD, (enum verb)0 };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        struct span subject[2];
        uint32_t allowed;
        const struct route *r = route_find(verbs[i], t, subject, &allowed);

        must(!r || allowed);
        check_inside(t, subject[0]);
        check_inside(t, subject[1]);
        for (unsigned p = 0; r && p < t->parameters; p++)
            (void)route_takes(r, t->parameter[p].name);
    }
}

static void check_typed(const struct target *t)
{
    static const char *const times[] = { "from", "to", "since", "as_of" };
    uint8_t cursor[CURSOR_MAX];
    struct refusal r = { 0 };
    int64_t v;
    size_t len;
    bool flag;

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        must(!target_time(t, times[i], -7, &v, &r) || (r.text[0] && r.field[0]));
    must(!target_int(t, "limit", 1, 100, 7, &v, &r) ? v >= 1 && v <= 100 : r.text[0] != 0);
    must(!target_bool(t, "keep_going", &flag, &r) || r.text[0]);
    must(!target_cursor(t, cursor, &len, &r) ? len <= CURSOR_MAX : r.text[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct target t;
    const uint8_t *end = len ? (const uint8_t *)memchr(bytes, '\n', len) : NULL;
    size_t first = end ? (size_t)(end - bytes) : len;
    struct span raw = span_of(bytes, first);
    struct span accept = end ? span_of(end + 1, len - first - 1) : (struct span){ 0 };
    struct refusal r = { 0 };

    for (unsigned offered = 1; offered < 8; offered++) {
        unsigned chosen = form_chosen(accept, offered);

        must((chosen & offered) == chosen && (chosen & (chosen - 1)) == 0);
    }
    if (target_read(raw, &t, &r)) {
        must(r.err && r.text[0]);
        return 0;
    }
    check_parts(&t);
    check_routes(&t);
    check_typed(&t);
    return 0;
}
