/* The API's table, request targets, and the forms of answers. */
#include "server/query/answers.h"
#include "server/query/listen.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

static struct target target;

static enum err read_target(const char *text)
{
    struct span guarded = check_guarded(span_text(text));
    struct refusal r;
    enum err err = target_read(guarded, &target, &r);

    check_unguard(guarded.at, guarded.len);
    return err;
}

static void escapes_are_decoded_after_the_path_is_cut(void **state)
{
    (void)state;
    assert_ok(read_target("/v1/points/A%2FB%20%E8%A1%A8?from=a+b&x=%2B&empty="));
    assert_int_equal(target.segments, 3);
    assert_true(span_equal(target.segment[2], span_text("A/B 表")));
    assert_int_equal(target.parameters, 3);
    assert_true(span_equal(target.parameter[0].value, span_text("a b")));
    assert_true(span_equal(target.parameter[1].value, span_text("+")));
    assert_int_equal(target.parameter[2].value.len, 0);
}

static void a_target_that_is_no_text_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "v1",   "/%",      "/%4",     "/%zz",
        "/%00",       "/%ff", "/%c3%28", "/a?b=%f", "/a?b=%ed%a0%80",
        "/a?%0d%0a=1"
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_err(ERR_MALFORMED, read_target(wrong[i]));
    assert_err(ERR_LIMIT, read_target("/1/2/3/4/5/6/7"));
    assert_err(ERR_LIMIT, read_target("/a?x=1&x=2"));
    assert_err(ERR_LIMIT, read_target("/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q"));
}

static void a_target_longer_than_its_room_is_refused(void **state)
{
    char text[TARGET_RAW_MAX + 2];

    (void)state;
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[TARGET_RAW_MAX] = 0;
    assert_ok(read_target(text));
    text[TARGET_RAW_MAX] = 'a';
    text[TARGET_RAW_MAX + 1] = 0;
    assert_err(ERR_TOO_LARGE, read_target(text));
}

static void a_plus_that_came_as_a_blank_is_an_offset(void **state)
{
    int64_t at_s;
    struct refusal r;

    (void)state;
    assert_ok(read_target("/a?from=2026-03-01T08:00:00+08:00"));
    assert_ok(target_time(&target, "from", 0, &at_s, &r));
    assert_int_equal(at_s, 1772323200);
    assert_ok(read_target("/a?from=2026-03-01T08:00:00%2B08:00"));
    assert_ok(target_time(&target, "from", 0, &at_s, &r));
    assert_int_equal(at_s, 1772323200);
    assert_ok(read_target("/a?from=2026-03-01T08:00:00"));
    assert_err(ERR_MALFORMED, target_time(&target, "from", 0, &at_s, &r));
    assert_string_equal(r.field, "from");
}

static void cursors_are_ours_or_refused(void **state)
{
    uint8_t cursor[CURSOR_MAX];
    struct refusal r;
    size_t len;

    (void)state;
    assert_ok(read_target("/a?after=00ff"));
    assert_ok(target_cursor(&target, cursor, &len, &r));
    assert_int_equal(len, 2);
    assert_ok(read_target("/a?after=0"));
    assert_err(ERR_MALFORMED, target_cursor(&target, cursor, &len, &r));
    assert_ok(read_target("/a?after=zz"));
    assert_err(ERR_MALFORMED, target_cursor(&target, cursor, &len, &r));
}

static void accept_chooses_by_weight_then_by_name(void **state)
{
    static const struct {
        const char *accept;
        unsigned offered, chosen;
    } cases[] = {
        { "", 7, FORM_JSON },
        { "*/*", 7, FORM_JSON },
        { "application/json", 7, FORM_JSON },
        { "application/x-ndjson", 7, FORM_NDJSON },
        { "text/csv", 7, FORM_CSV },
        { "TEXT/CSV;charset=utf-8", 7, FORM_CSV },
        { "text/*", 7, FORM_CSV },
        { "text/csv, */*", 7, FORM_CSV },
        { "text/csv;q=0.5, application/json;q=0.4", 7, FORM_CSV },
        { "application/json;q=0.1, application/x-ndjson;q=0.9", 7, FORM_NDJSON },
        { "application/json;q=0, */*", 7, FORM_NDJSON },
        { "text/csv", FORM_JSON, 0 },
        { "text/html", 7, 0 },
        { "text/html, */*;q=0.1", 7, FORM_JSON },
        { "application/json;q=0", FORM_JSON, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned chosen = form_chosen(span_text(cases[i].accept), cases[i].offered);

        if (chosen != cases[i].chosen)
            fail_msg("Accept: %s chose %u", cases[i].accept, chosen);
    }
}

/* ---- the table ---- */

static const struct route *find(enum verb verb, const char *path, uint32_t *allowed)
{
    static struct span subject[2];

    assert_ok(read_target(path));
    return route_find(verb, &target, subject, allowed);
}

static void every_route_is_found_by_its_own_path(void **state)
{
    (void)state;
    for (size_t n = 0; route_at(n); n++) {
        uint32_t allowed;

        assert_ptr_equal(find(route_at(n)->verb,
                              strcmp(route_at(n)->path, "") ? route_at(n)->path : "/", &allowed),
                         route_at(n));
        assert_true(allowed & route_at(n)->verb);
    }
}

static void a_word_of_the_path_wins_over_a_place(void **state)
{
    uint32_t allowed;

    (void)state;
    assert_string_equal(find(VERB_POST, "/v1/quarantine/retry", &allowed)->path,
                        "/v1/quarantine/retry");
    assert_null(find(VERB_GET, "/v1/meters//readings", &allowed));
    assert_int_equal(allowed, 0);
    assert_null(find(VERB_POST, "/v1/audit", &allowed));
    assert_int_equal(allowed, VERB_GET | VERB_HEAD);
    assert_null(find((enum verb)0, "/v1/meters", &allowed));
    assert_int_equal(allowed, VERB_GET | VERB_HEAD | VERB_POST);
}

static const char *must_reference(const json_t *root, const json_t *node)
{
    const char *reference = json_string_value(json_object_get(node, "$ref"));
    static const char prefix[] = "#/components/schemas/";

    if (!reference)
        return "";
    assert_int_equal(strncmp(reference, prefix, sizeof prefix - 1), 0);
    if (!json_object_get(json_object_get(json_object_get(root, "components"), "schemas"),
                         reference + sizeof prefix - 1))
        fail_msg("%s leads nowhere", reference);
    return reference;
}

static void references_lead_somewhere(const json_t *root, json_t *node)
{
    const char *name;
    json_t *value;
    size_t i;

    if (json_is_object(node)) {
        must_reference(root, node);
        json_object_foreach(node, name, value) references_lead_somewhere(root, value);
    } else if (json_is_array(node)) {
        json_array_foreach(node, i, value) references_lead_somewhere(root, value);
    }
}

static bool has_parameter(const json_t *operation, const char *name, size_t len)
{
    json_t *value;
    size_t i;

    json_array_foreach(json_object_get(operation, "parameters"), i, value)
    {
        const char *found = json_string_value(json_object_get(value, "name"));

        if (strlen(found) == len && memcmp(found, name, len) == 0)
            return json_object_get(value, "description") ||
                   strcmp(json_string_value(json_object_get(value, "in")), "path") == 0;
    }
    return false;
}

static void route_is_described(const json_t *root, const struct route *r)
{
    json_t *path = json_object_get(json_object_get(root, "paths"), r->path);
    json_t *operation = json_object_get(path, r->verb == VERB_POST ? "post" : "get");

    if (!operation)
        fail_msg("%s is not described", r->path);
    for (const char *at = r->parameters; *at;) {
        size_t len = strcspn(at, ",");

        if (!has_parameter(operation, at, len))
            fail_msg("%s: parameter %.*s is not described", r->path, (int)len, at);
        at += len + (at[len] == ',');
    }
    for (const char *at = r->path; (at = strchr(at, '{'));) {
        size_t len = strcspn(++at, "}");

        assert_true(has_parameter(operation, at, len));
    }
    assert_int_equal(json_object_get(operation, "requestBody") != NULL, r->body != BODY_NONE);
    assert_int_equal(json_array_size(json_object_get(operation, "security")), 0);
    assert_int_equal(json_object_get(operation, "x-roles") != NULL, r->scope != SCOPE_NONE);
}

static void the_description_holds_every_route_and_no_other(void **state)
{
    struct request *q = (struct request *)calloc(1, sizeof *q);
    json_error_t e;
    json_t *root, *path;
    const char *name;
    size_t routes = 0, described = 0;

    (void)state;
    answer_openapi(q);
    root = json_loadb(q->out.at, q->out.len, JSON_REJECT_DUPLICATES, &e);
    if (!root)
        fail_msg("no JSON: %s at %d", e.text, e.position);
    for (; route_at(routes); routes++)
        route_is_described(root, route_at(routes));
    json_object_foreach(json_object_get(root, "paths"), name, path) described +=
        json_object_size(path);
    assert_int_equal(described, routes);
    references_lead_somewhere(root, root);
    json_decref(root);
    out_done(&q->out);
    free(q);
}

/* ---- addresses ---- */

static void only_loopback_addresses_are_not_public(void **state)
{
    static const struct {
        const char *text;
        bool fine, is_public;
    } cases[] = {
        { "127.0.0.1:0", true, false },   { "127.9.9.9:80", true, false },
        { "[::1]:8080", true, false },    { "[::ffff:127.0.0.1]:1", true, false },
        { "0.0.0.0:8080", true, true },   { ":8080", true, true },
        { "*:8080", true, true },         { "[::]:8080", true, true },
        { "192.168.1.1:80", true, true }, { "[::ffff:10.0.0.1]:1", true, true },
        { "127.0.0.1", false, false },    { "127.0.0.1:65536", false, false },
        { "::1:80", false, false },       { "localhost:80", false, false },
        { "1.2.3:80", false, false },     { "127.0.0.1:8o", false, false },
        { "127.0.0.1:", false, false },   { "[]:80", false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address a;
        struct refusal r;
        enum err err = listen_read(cases[i].text, &a, &r);

        if (!err != cases[i].fine || (!err && listen_is_public(&a) != cases[i].is_public))
            fail_msg("%s: %s", cases[i].text, err_name(err));
    }
}

/* ---- writing ---- */

static void numbers_times_and_texts_are_written_exactly(void **state)
{
    static const char expected[] =
        "{\"a\":-9223372036854775808,\"b\":0,\"c\":-0.001,\"d\":9223372036854775.807,\"e\":12,"
        "\"f\":0."
        "5,\"g\":\"1970-01-01T00:00:00Z\",\"h\":\"1969-12-31T23:59:59Z\",\"i\":\"2026-03-01T08:09:"
        "10Z\","
        "\"j\":\"a\\\"\\\\\\n\\u0001表\xef\xbf\xbd\xef\xbf\xbd\",\"k\":null,\"l\":true}";
    struct out o = { 0 };

    (void)state;
    out_text(&o, "{");
    out_member_int(&o, "a", INT64_MIN);
    out_member_int(&o, "b", 0);
    out_member_litres(&o, "c", -1);
    out_member_litres(&o, "d", INT64_MAX);
    out_member_litres(&o, "e", 12000);
    out_member_litres(&o, "f", 500);
    out_member_time(&o, "g", 0);
    out_member_time(&o, "h", -1);
    out_member_time(&o, "i", 1772352550);
    out_member_span(&o, "j", span_text("a\"\\\n\x01表\xff\xe8"));
    out_member_text(&o, "k", NULL);
    out_member_bool(&o, "l", true);
    out_text(&o, "}");
    assert_ok(o.err);
    assert_int_equal(o.len, sizeof expected - 1);
    assert_memory_equal(o.at, expected, o.len);
    out_done(&o);
}

static void litres_agree_with_the_reader_of_litres(void **state)
{
    struct check_random random = check_random_begin();
    struct out o = { 0 };

    (void)state;
    for (int i = 0; i < 100000; i++) {
        int64_t ml = (int64_t)check_random(&random) >> check_below(&random, 64), back;

        out_clear(&o);
        out_litres(&o, ml);
        assert_ok(text_litres(span_of(o.at, o.len), &back));
        assert_int_equal(back, ml);
    }
    out_done(&o);
}

static void csv_cells_are_quoted_where_they_must_be(void **state)
{
    struct out o = { 0 };

    (void)state;
    out_csv(&o, span_text("plain 表"));
    out_text(&o, "|");
    out_csv(&o, span_text("a,b"));
    out_text(&o, "|");
    out_csv(&o, span_text("say \"x\"\r\n"));
    assert_int_equal(o.len, strlen("plain 表|\"a,b\"|\"say \"\"x\"\"\r\n\""));
    assert_memory_equal(o.at, "plain 表|\"a,b\"|\"say \"\"x\"\"\r\n\"", o.len);
    out_done(&o);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded_after_the_path_is_cut),
        cmocka_unit_test(a_target_that_is_no_text_is_refused),
        cmocka_unit_test(a_target_longer_than_its_room_is_refused),
        cmocka_unit_test(a_plus_that_came_as_a_blank_is_an_offset),
        cmocka_unit_test(cursors_are_ours_or_refused),
        cmocka_unit_test(accept_chooses_by_weight_then_by_name),
        cmocka_unit_test(every_route_is_found_by_its_own_path),
        cmocka_unit_test(a_word_of_the_path_wins_over_a_place),
        cmocka_unit_test(the_description_holds_every_route_and_no_other),
        cmocka_unit_test(only_loopback_addresses_are_not_public),
        cmocka_unit_test(numbers_times_and_texts_are_written_exactly),
        cmocka_unit_test(litres_agree_with_the_reader_of_litres),
        cmocka_unit_test(csv_cells_are_quoted_where_they_must_be),
    };

    return check_run(tests, argc, argv);
}
