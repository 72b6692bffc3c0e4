/* Any bytes as JSON: they are refused, or every value inside can be walked, used, and checked by itself; and as base 64: what is read
 * is written back the same. */
#include "proto/base/base64.h"
#include "proto/base/json.h"

#include <stdlib.h>
#include <string.h>

static void must(bool what)
{
    if (!what)
        abort();
}

static uint8_t room[1 << 17];

static void check_leaf(struct json v)
{
    struct arena a = { room, 0, sizeof room };
    struct json_number n;
    struct json again;
    struct span text;
    int64_t i;

    must(!json_check(v.raw, &again, NULL));
    must(again.kind == v.kind && span_equal(again.raw, v.raw) && again.escaped == v.escaped);
    if (json_text(v, &a, &text) == ERR_OK)
        must(v.kind == JSON_IS_TEXT && text.len + 2 <= v.raw.len);
    if (json_number(v, &n) == ERR_OK)
        must(v.kind == JSON_IS_NUMBER && (n.mantissa != 0 || n.power == 0));
    if (json_int(json_unquoted(v), &i) == ERR_OK)
        must(v.kind == JSON_IS_NUMBER || v.kind == JSON_IS_TEXT);
}

static void check_walk(struct json root)
{
    static struct json_walk walks[JSON_DEPTH + 1];
    unsigned depth = 1, steps = 0;
    struct json name, v;

    check_leaf(root);
    walks[0] = json_walk(root);
    while (depth && ++steps < 2000) {
        if (!json_next(&walks[depth - 1], &name, &v)) {
            depth--;
            continue;
        }
        if (name.kind)
            check_leaf(name);
        check_leaf(v);
        if (v.kind == JSON_IS_OBJECT || v.kind == JSON_IS_ARRAY) {
            must(depth < JSON_DEPTH);
            walks[depth++] = json_walk(v);
        }
    }
}

/* Entered or not, an object ends at the same place. */
static void check_entered(struct json root)
{
    struct json_walk w = json_walk(root), plain = w, inside;
    const uint8_t *from;
    struct json v, other;

    while (root.kind == JSON_IS_ARRAY && json_enter(&w, &inside, &from)) {
        must(json_next(&plain, NULL, &other));
        v = json_leave(&w, &inside, from);
        must(span_equal(v.raw, other.raw) && v.raw.at == other.raw.at);
    }
}

static void check_base64(struct span text)
{
    static char back[1 << 17];
    struct wr w = wr_of(back, sizeof back);
    size_t len, most = BASE64_MOST(text.len);

    if (most > sizeof room || base64_read(text, room, most, &len))
        return;
    base64_write(&w, span_of(room, len));
    must(!w.err && wr_len(&w) >= text.len && wr_len(&w) - text.len <= 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "a", "bn" };
    struct span bytes = span_of(data, size);
    struct refusal r = { .err = ERR_OK };
    struct json root, picked[2];
    enum err err = json_check(bytes, &root, &r);

    must(err == r.err && (!err || r.offset <= size));
    check_base64(bytes);
    if (err)
        return 0;
    check_walk(root);
    check_entered(root);
    json_pick(root, names, 2, picked);
    must(span_equal(picked[0].raw, json_get(root, "a").raw));
    return 0;
}
