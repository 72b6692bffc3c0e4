/* Cells: what is taken, in which form it is kept, what is refused; and the defaults of rules-bills
 * B2 and B3. */
#include "server/fleet/columns.h"
#include "tests/check.h"

#include <stdio.h>

static struct zone shanghai;

static const struct column *column_of(enum list_kind kind, const char *name)
{
    const struct list *l = list_of(kind);
    int place = list_column(l, span_text(name));

    assert_true(place >= 0);
    return &l->column[place];
}

static void assert_taken(enum list_kind kind, const char *column, const char *text,
                         const char *canonical)
{
    char out[2100];
    struct wr w = wr_of(out, sizeof out);
    struct span guarded = check_guarded(span_text(text));
    struct refusal r = { 0 };
    enum err err = cell_read(column_of(kind, column), guarded, &shanghai, &w, &r);

    check_unguard(guarded.at, guarded.len);
    if (err)
        fail_msg("%s of \"%s\": %s", column, text, r.text);
    out[wr_len(&w)] = 0;
    assert_string_equal(canonical, out);
}

static void assert_refused(enum list_kind kind, const char *column, const char *text)
{
    char out[2100];
    struct wr w = wr_of(out, sizeof out);
    struct refusal r = { 0 };

    if (cell_read(column_of(kind, column), span_text(text), &shanghai, &w, &r) != ERR_INVALID)
        fail_msg("%s of \"%s\" was taken as \"%.*s\"", column, text, (int)wr_len(&w), out);
    assert_int_equal(0, wr_len(&w));
    assert_string_equal(column, r.field);
    assert_non_null(strstr(r.text, "found \""));
    assert_non_null(strstr(r.text, "expected "));
}

static void every_list_has_its_keys_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LIST_COUNT; i++) {
        const struct list *l = list_of((enum list_kind)i);

        assert_ptr_equal(l, list_named(span_text(l->plural)));
        assert_true(l->columns && l->columns <= COLUMNS_MAX);
        assert_true(list_keys(l) >= 1);
        for (unsigned c = 0; c < l->columns; c++) {
            assert_int_equal(c < list_keys(l), l->column[c].need == NEED_KEY);
            assert_int_equal(c, list_column(l, span_text(l->column[c].name)));
        }
    }
    assert_null(list_named(span_text("meter")));
    assert_int_equal(-1, list_column(list_of(LIST_METER), span_text("Serial")));
    assert_int_equal(3, list_keys(list_of(LIST_FITTING)));
    assert_int_equal(LIST_ZONE, list_reference(list_of(LIST_POINT), CELL_POINT_zone));
    assert_int_equal(LIST_ORG, list_reference(list_of(LIST_ORG), CELL_ORG_parent));
    assert_int_equal(-1, list_reference(list_of(LIST_METER), CELL_METER_serial));
}

static void numbers_are_kept_with_all_their_digits_in_one_form(void **state)
{
    (void)state;
    assert_taken(LIST_METER, "q3", "2.5", "2.5");
    assert_taken(LIST_METER, "q3", " 2.500 ", "2.5");
    assert_taken(LIST_METER, "q3", "+02.5", "2.5");
    assert_taken(LIST_METER, "q3", "25e-1", "2.5");
    assert_taken(LIST_METER, "q3", "1E4", "10000");
    assert_taken(LIST_METER, "q3", "0.001", "0.001");
    assert_taken(LIST_METER, "dn", "15.0", "15");
    assert_taken(LIST_METER, "modulus_l", "16777216", "16777216");
    assert_taken(LIST_ZONE, "mains_km", "0", "0");
    assert_taken(LIST_ZONE, "mains_km", "-0.0", "0");
    assert_taken(LIST_ZONE, "mains_km", "12.345678901234567", "12.345678901234567");
    assert_taken(LIST_POINT, "lon", "-179.99999999", "-179.99999999");
    assert_taken(LIST_POINT, "lon", "180.000", "180");
    assert_taken(LIST_POINT, "route_seq", "007", "7");
    assert_taken(LIST_FITTING, "start_index_l", "-0.5", "-0.5");
    assert_taken(LIST_METER, "dn", "", "");
    assert_taken(LIST_METER, "dn", " \t", "");
}

static void numbers_outside_their_bounds_are_refused(void **state)
{
    static const struct {
        enum list_kind kind;
        const char *column, *text;
    } cases[] = {
        { LIST_METER, "dn", "0" },
        { LIST_METER, "dn", "5001" },
        { LIST_METER, "dn", "15.5" },
        { LIST_METER, "dn", "0.9999" },
        { LIST_METER, "digits", "0" },
        { LIST_METER, "digits", "13" },
        { LIST_METER, "q3", "0" },
        { LIST_METER, "q3", "0.0009" },
        { LIST_METER, "q3", "10000.001" },
        { LIST_METER, "q3", "-2.5" },
        { LIST_METER, "q3", "2.5001" },
        { LIST_METER, "r", "0" },
        { LIST_METER, "resolution_l", "0" },
        { LIST_METER, "resolution_l", "0.0001" },
        { LIST_METER, "modulus_l", "0" },
        { LIST_METER, "life_months", "0" },
        { LIST_METER, "life_months", "1.5" },
        { LIST_METER, "life_months", "-1" },
        { LIST_POINT, "lon", "180.0000001" },
        { LIST_POINT, "lon", "-180.0000001" },
        { LIST_POINT, "lat", "90.0001" },
        { LIST_POINT, "lat", "-91" },
        { LIST_POINT, "route_seq", "-1" },
        { LIST_POINT, "route_seq", "4294967296" },
        { LIST_ZONE, "household_share", "1.0001" },
        { LIST_ZONE, "household_share", "-0.0001" },
        { LIST_ZONE, "publish_pct", "100.0001" },
        { LIST_ZONE, "mains_km", "-0.00001" },
        { LIST_FITTING, "start_index_l", "1.2345" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].kind, cases[i].column, cases[i].text);
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const texts[] = { "x",
                                         "1,5",
                                         "1 5",
                                         ".5",
                                         "5.",
                                         "1e",
                                         "1e+",
                                         "--1",
                                         "+",
                                         "-",
                                         "0x10",
                                         "nan",
                                         "inf",
                                         "1.2.3",
                                         "1e99",
                                         "1e-99",
                                         "11111111111111111111111111111111111111111",
                                         "１",
                                         "true",
                                         "1e1e1" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_refused(LIST_METER, "q3", texts[i]);
        assert_refused(LIST_METER, "dn", texts[i]);
        assert_refused(LIST_FITTING, "start_index_l", texts[i]);
    }
}

static void times_and_dates_have_one_form(void **state)
{
    (void)state;
    assert_taken(LIST_FITTING, "from", "2026-03-01T02:00:00+08:00", "2026-02-28T18:00:00Z");
    assert_taken(LIST_FITTING, "from", "2026-03-01T02:00:00Z", "2026-03-01T02:00:00Z");
    assert_taken(LIST_FITTING, "from", "2026-03-01 02:00", "2026-02-28T18:00:00Z");
    assert_taken(LIST_FITTING, "from", "2026-03-01", "2026-02-28T16:00:00Z");
    assert_taken(LIST_METER, "made_on", "2024-02-29", "2024-02-29");
    assert_refused(LIST_METER, "made_on", "2023-02-29");
    assert_refused(LIST_METER, "made_on", "29.02.2024");
    assert_refused(LIST_FITTING, "from", "2026-03-01T25:00:00Z");
    assert_refused(LIST_FITTING, "from", "yesterday");
}

static void words_and_names_are_held_to_what_they_may_be(void **state)
{
    char longest[66] = { 0 };

    (void)state;
    memset(longest, 'x', 63);
    assert_taken(LIST_POINT, "point", longest, longest);
    longest[63] = 'x';
    assert_refused(LIST_POINT, "point", longest);
    assert_taken(LIST_POINT, "point", "H-1/2 \xe6\xa5\xbc", "H-1/2 \xe6\xa5\xbc");
    assert_refused(LIST_POINT, "point", "a\nb");
    assert_refused(LIST_POINT, "point", "a\tb");
    assert_refused(LIST_POINT, "address", "\xff\xfe");
    assert_refused(LIST_POINT, "address", "\x01");
    assert_taken(LIST_POINT, "address", "two\nlines", "two\nlines");
    assert_taken(LIST_POINT, "use_class", "zone-inlet", "zone-inlet");
    assert_refused(LIST_POINT, "use_class", "Residential");
    assert_taken(LIST_METER, "state", "at-lab", "at-lab");
    assert_refused(LIST_METER, "state", "broken");
    assert_taken(LIST_METER, "register", "net", "net");
    assert_refused(LIST_METER, "register", "reverse");
    assert_refused(LIST_METER, "serial", "a b");
    assert_refused(LIST_METER, "serial", "012345678901234567890123456789012");
    assert_refused(LIST_BOUNDARY, "direction", "inout");
    assert_refused(LIST_ORG, "level", "crew");
}

static struct meter_facts meter(const char *q3, const char *digits, const char *modulus,
                                const char *form)
{
    struct cells c = { 0 };
    struct meter_facts m = { 0 };

    c.at[CELL_METER_serial] = span_text("M1");
    c.at[CELL_METER_dn] = span_text("15");
    c.at[CELL_METER_q3] = span_text(q3);
    c.at[CELL_METER_digits] = span_text(digits);
    c.at[CELL_METER_modulus_l] = span_text(modulus);
    c.at[CELL_METER_register] = span_text(form);
    assert_ok(cells_meter(&c, 9, &m));
    return m;
}

static void a_register_turns_over_where_the_rules_say(void **state)
{
    (void)state;
    assert_int_equal(INT64_C(10000) * 1000000, meter("6.3", "", "", "").modulus_ml);
    assert_int_equal(INT64_C(100000) * 1000000, meter("6.301", "", "", "").modulus_ml);
    assert_int_equal(INT64_C(100000) * 1000000, meter("63", "", "", "").modulus_ml);
    assert_int_equal(INT64_C(1000000) * 1000000, meter("63.001", "", "", "").modulus_ml);
    assert_int_equal(INT64_C(1000000) * 1000000, meter("630", "", "", "").modulus_ml);
    assert_int_equal(INT64_C(10000000) * 1000000, meter("630.001", "", "", "").modulus_ml);
    assert_int_equal(INT64_C(1000) * 1000000, meter("2.5", "3", "", "").modulus_ml);
    assert_int_equal(INT64_C(1000000000000) * 1000000, meter("2.5", "12", "", "").modulus_ml);
    assert_int_equal(INT64_C(16777216000), meter("2.5", "5", "16777216", "").modulus_ml);
    assert_int_equal(1000, meter("2.5", "", "", "").resolution_ml);
    assert_int_equal(REGISTER_FORWARD, meter("2.5", "", "", "").form);
    assert_int_equal(REGISTER_NET, meter("2.5", "", "", "net").form);
    assert_int_equal(2500, meter("2.5", "", "", "both").q3_lph);
}

static void a_row_that_does_not_read_is_a_damaged_store(void **state)
{
    struct cells c = { 0 };
    struct meter_facts m;
    struct point_facts p;

    (void)state;
    assert_err(ERR_CORRUPT, cells_meter(&c, 1, &m));
    c.at[CELL_METER_serial] = span_text("M1");
    c.at[CELL_METER_q3] = span_text("x");
    assert_err(ERR_CORRUPT, cells_meter(&c, 1, &m));
    memset(&c, 0, sizeof c);
    assert_err(ERR_CORRUPT, cells_point(&c, 1, &p));
    c.at[CELL_POINT_point] = span_text("P1");
    assert_ok(cells_point(&c, 1, &p));
    assert_int_equal(USE_UNKNOWN, p.use);
    c.at[CELL_POINT_use_class] = span_text("zone-outlet");
    assert_ok(cells_point(&c, 1, &p));
    assert_int_equal(USE_ZONE_OUTLET, p.use);
    c.at[CELL_POINT_use_class] = span_text("garden");
    assert_err(ERR_CORRUPT, cells_point(&c, 1, &p));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_has_its_keys_first),
        cmocka_unit_test(numbers_are_kept_with_all_their_digits_in_one_form),
        cmocka_unit_test(numbers_outside_their_bounds_are_refused),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(times_and_dates_have_one_form),
        cmocka_unit_test(words_and_names_are_held_to_what_they_may_be),
        cmocka_unit_test(a_register_turns_over_where_the_rules_say),
        cmocka_unit_test(a_row_that_does_not_read_is_a_damaged_store),
    };

    zone_fixed(&shanghai, "Asia/Shanghai", 8 * 3600);
    return check_run(tests, argc, argv);
}
