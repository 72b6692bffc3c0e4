/* Lists as workbooks: every column of every list has its heading, and what is no CSV is refused. */
#include "server/query/workbook.h"

#include "server/fleet/columns.h"
#include "server/query/route.h"
#include "tests/check.h"

#include <stdlib.h>

static void every_column_of_every_list_has_its_heading(void **state)
{
    static const struct {
        const char *schema, *name;
    } fields[] = {
#define SCHEMA(name, text)
#define FIELD(schema_, name_, type, text) { #schema_, #name_ },
#include "server/query/schema.def"
#undef SCHEMA
#undef FIELD
    };
    char en[48];
    struct sheet_column c;
    unsigned seen = 0;

    (void)state;
    for (size_t n = 0; route_at(n); n++) {
        const struct route *r = route_at(n);

        for (size_t i = 0; r->forms & FORM_CSV && i < sizeof fields / sizeof fields[0]; i++) {
            if (strcmp(fields[i].schema, r->schema) != 0)
                continue;
            if (!workbook_heading(fields[i].name, en, &c))
                fail_msg("%s.%s has no line in server/query/heading.def", r->schema,
                         fields[i].name);
            assert_true(c.zh[0] && en[0]);
            seen++;
        }
    }
    assert_true(seen > 100);
    for (int kind = 0; kind < LIST_COUNT; kind++) {
        const struct list *l = list_of((enum list_kind)kind);

        for (unsigned i = 0; l && i < l->columns; i++)
            if (!workbook_heading(l->column[i].name, en, &c))
                fail_msg("%s.%s has no line in server/query/heading.def", l->plural,
                         l->column[i].name);
    }
}

static void a_heading_says_the_unit_and_leaves_it_out_of_the_name(void **state)
{
    char en[48];
    struct sheet_column c;

    (void)state;
    assert_true(workbook_heading("start_index_l", en, &c));
    assert_string_equal(c.en, "Start index");
    assert_string_equal(c.zh, "起度");
    assert_string_equal(c.unit, "m³");
    assert_int_equal(c.digits, 3);
    assert_true(workbook_heading("verified_on", en, &c));
    assert_int_equal(c.kind, SHEET_DATE);
    assert_false(workbook_heading("nobody_knows", en, &c));
    assert_string_equal(c.en, "Nobody knows");
    assert_int_equal(c.kind, SHEET_TEXT);
}

static void what_is_no_row_is_refused(void **state)
{
    static const char *const columns[] = { "point", "at", NULL };
    static const char *const broken[] = {
        "a", "a,b", "a,b\r", "a\r\n", "a,b,c\r\n", "\"a,b\r\n", "\"a\"x,b\r\n", "\"", "a,\"b\"",
    };
    static const struct zone utc = { 0 };
    struct workbook *w;
    struct out out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        size_t len = strlen(broken[i]);
        uint8_t *guarded = (uint8_t *)malloc(len);

        assert_non_null(guarded);
        memcpy(guarded, broken[i], len);
        assert_int_equal(workbook_new("n", "t", &utc, 0, columns, &w), ERR_OK);
        if (workbook_rows(w, span_of(guarded, len)) != ERR_CORRUPT)
            fail_msg("row %s was taken", broken[i]);
        workbook_drop(w);
        free(guarded);
    }
    assert_int_equal(workbook_new("n", "t", &utc, 0, columns, &w), ERR_OK);
    assert_int_equal(
        workbook_rows(w, span_text("\"a \"\"b\"\"\r\n\",\r\n,2026-03-01T00:00:00Z\r\n")), ERR_OK);
    assert_int_equal(workbook_rows(w, span_text("")), ERR_OK);
    assert_int_equal(workbook_end(w, &out), ERR_OK);
    assert_true(out.len > 1000);
    out_done(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_of_every_list_has_its_heading),
        cmocka_unit_test(a_heading_says_the_unit_and_leaves_it_out_of_the_name),
        cmocka_unit_test(what_is_no_row_is_refused),
    };

    return check_run(tests, argc, argv);
}
