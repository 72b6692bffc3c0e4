/* What people bring, against a whole store with its threads: files, rows, reads, and what is left
 * when something is wrong. */
#include "proto/native.h"
#include "server/acts/act.h"
#include "server/acts/rowfile.h"
#include "server/app_open.h"
#include "server/readings.h"
#include "server/registers.h"
#include "server/settler.h"
#include "tests/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW 1772416800 /* 2026-03-02T02:00:00Z, 10:00 in Shanghai */

struct store {
    struct app app;
    const char *folder;
    struct import_report report;
    struct refusal refusal;
};

static const struct caller root = { .role = ROLE_ADMIN, .who = "root" };

static void store_start(struct store *s)
{
    struct app_options o = {
        .dir = s->folder, .tz = "Asia/Shanghai", .retention_days = 90, .settle_every_s = 3600
    };
    struct refusal r = { 0 };

    memset(&s->app, 0, sizeof s->app);
    clock_virtual(&s->app.clock, NOW);
    if (app_open_store(&s->app, &o, &r) || app_start(&s->app, &o, &r))
        fail_msg("%s", r.text);
}

static void store_stop(struct store *s)
{
    app_stop(&s->app);
    app_close_store(&s->app);
    import_report_done(&s->report);
}

static struct store *store_new(void)
{
    struct store *s = (struct store *)calloc(1, sizeof *s);

    s->folder = check_folder();
    store_start(s);
    return s;
}

static void store_free(struct store *s)
{
    assert_ok(ledger_check(s->app.ledger, NULL));
    store_stop(s);
    free(s);
}

static int file_of(const char *folder, struct span text)
{
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/file", folder);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(text.len, write(fd, text.at, text.len));
    assert_int_equal(0, lseek(fd, 0, SEEK_SET));
    return fd;
}

static enum err import_with(struct store *s, const char *list, struct span text,
                            struct import_options o)
{
    int fd = file_of(s->folder, text);
    enum err err;

    import_report_done(&s->report);
    err = act_import(&s->app, &root, span_text(list), fd, &o, &s->report, &s->refusal);
    close(fd);
    return err;
}

static enum err import(struct store *s, const char *list, const char *text)
{
    return import_with(s, list, span_text(text), (struct import_options){ 0 });
}

static void assert_counts(const struct store *s, unsigned rows, unsigned written,
                          unsigned unchanged, unsigned refused)
{
    assert_int_equal(rows, s->report.rows);
    assert_int_equal(written, s->report.written);
    assert_int_equal(unchanged, s->report.unchanged);
    assert_int_equal(refused, s->report.refused);
}

static void assert_refusal(const struct store *s, size_t n, unsigned line, const char *column,
                           const char *found, const char *expected_part)
{
    const struct import_refusal *r = &s->report.refusals[n];

    assert_true(n < s->report.refusal_count);
    assert_int_equal(line, r->line);
    assert_string_equal(column, r->column);
    if (found)
        assert_string_equal(found, r->found);
    if (!strstr(r->expected, expected_part))
        fail_msg("expected \"%s\" says nothing of \"%s\"", r->expected, expected_part);
}

static uint64_t acts(struct store *s)
{
    struct txn t = ledger_read(s->app.ledger);
    uint64_t end = ledger_end(&t);

    assert_ok(txn_end(&t));
    return end;
}

/* A cell of a row as known at an instant; "" where the row is not there. */
static const char *cell(struct store *s, unsigned list, const char *key, unsigned place,
                        int64_t as_of_s)
{
    static char text[1100];
    struct txn t = ledger_read(s->app.ledger);
    struct ledger_row row;

    text[0] = 0;
    if (ledger_find(&t, list, span_text(key), as_of_s, &row))
        snprintf(text, sizeof text, "%.*s", (int)row.cells[place].len,
                 (const char *)row.cells[place].at);
    assert_ok(txn_end(&t));
    return text;
}

static void register_a_meter_at_a_point(struct store *s)
{
    assert_ok(import(s, "meters", "serial,dn,q3\nM1,15,2.5\nM2,15,2.5\n"));
    assert_ok(import(s, "points", "point,use_class\nP1,residential\nP2,residential\n"));
    assert_ok(
        import(s, "fittings", "point,serial,from,start_index_l\nP1,M1,2026-01-01T00:00:00Z,0\n"));
}

/* ---- files ---- */

static void columns_may_come_in_any_order_with_a_mark_and_carriage_returns(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_ok(import(
        s, "meters",
        "\xef\xbb\xbfq3,supplier,serial,dn\r\n 2.50 ,\"Jin, \"\"he\"\"\",M1, 15\r\n\r\n4,,M2,20"));
    assert_counts(s, 2, 2, 0, 0);
    assert_string_equal("2.5", cell(s, LIST_METER, "M1", CELL_METER_q3, INT64_MAX));
    assert_string_equal("Jin, \"he\"", cell(s, LIST_METER, "M1", CELL_METER_supplier, INT64_MAX));
    assert_string_equal("20", cell(s, LIST_METER, "M2", CELL_METER_dn, INT64_MAX));
    assert_int_equal(1, registry_find(s->app.registry, span_text("M1")));
    assert_int_equal(2, registry_find(s->app.registry, span_text("M2")));
    store_free(s);
}

static void objects_a_line_are_told_by_the_first_byte(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_ok(import(s, "meters",
                     "\n  "
                     "{\"serial\":\"M1\",\"dn\":15,\"q3\":2.50,\"supplier\":"
                     "\"\\u91d1\\ud83d\\ude00\\n\",\"model\":null}\n"
                     "{ \"dn\" : \"20\" , \"q3\":4e0, \"serial\":\"M2\" }\r\n"));
    assert_counts(s, 2, 2, 0, 0);
    assert_string_equal("2.5", cell(s, LIST_METER, "M1", CELL_METER_q3, INT64_MAX));
    assert_string_equal("\xe9\x87\x91\xf0\x9f\x98\x80\n",
                        cell(s, LIST_METER, "M1", CELL_METER_supplier, INT64_MAX));
    assert_string_equal("4", cell(s, LIST_METER, "M2", CELL_METER_q3, INT64_MAX));
    store_free(s);
}

static void a_header_that_is_not_understood_refuses_the_file(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_err(ERR_INVALID, import(s, "meters", "serial,dn,q3,colour\nM1,15,2.5,red\n"));
    assert_refusal(s, 0, 1, "colour", "colour", "one of the columns");
    assert_err(ERR_INVALID, import(s, "meters", "hue,serial,dn,colour,q3\nred,M1,15,deep,2.5\n"));
    assert_refusal(s, 0, 1, "hue, colour", "hue, colour", "one of the columns");
    assert_err(ERR_INVALID, import(s, "meters", "serial,dn,q3,dn\nM1,15,2.5,15\n"));
    assert_refusal(s, 0, 1, "dn", "dn", "once");
    assert_err(ERR_INVALID, import(s, "meters", "\nserial,q3\nM1,2.5\n"));
    assert_refusal(s, 0, 2, "dn", "a header without them", "dn");
    assert_err(ERR_NOT_FOUND, import(s, "metres", "serial,dn,q3\n"));
    assert_int_equal(0, acts(s));
    store_free(s);
}

static void a_refused_row_says_line_column_found_and_expected(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_err(
        ERR_INVALID,
        import(s, "meters",
               "serial,dn,q3,digits,supplier\nM1,15,2.5,,a\nM2,15,2.5\nM "
               "3,15,2.5,5,\nM4,0,2.5,,\nM5,15,-1,,\nM6,,2.5,,\n"
               "M7,15,2.5,13,\nM8,15,2.5,,\"two\nlines\"\nM9,15,2.5,,a\"b\nM10,15,2.5,x,\n"));
    assert_int_equal(10, s->report.rows);
    assert_int_equal(8, s->report.refused);
    assert_refusal(s, 0, 3, "", "3 cells", "5 cells");
    assert_refusal(s, 1, 4, "serial", "M 3", "1 to 32 bytes");
    assert_refusal(s, 2, 5, "dn", "0", "1 to 5000");
    assert_refusal(s, 3, 6, "q3", "-1", "above 0");
    assert_refusal(s, 4, 7, "dn", "nothing", "1 to 5000");
    assert_refusal(s, 5, 8, "digits", "13", "1 to 12");
    assert_refusal(s, 6, 11, "", NULL, "quotes");
    assert_refusal(s, 7, 12, "digits", "x", "whole number");
    assert_int_equal(0, acts(s));
    assert_string_equal("", cell(s, LIST_METER, "M1", 0, INT64_MAX));
    assert_int_equal(0, registry_find(s->app.registry, span_text("M1")));
    store_free(s);
}

static void every_refused_row_is_told_of(void **state)
{
    struct store *s = store_new();
    char *text = (char *)malloc(64 + 5000 * 16);
    size_t len = (size_t)sprintf(text, "serial,dn,q3\n");

    (void)state;
    for (int i = 0; i < 5000; i++)
        len += (size_t)sprintf(text + len, "M%d,x,2.5\n", i);
    assert_err(ERR_INVALID, import(s, "meters", text));
    assert_int_equal(5000, s->report.refused);
    assert_refusal(s, 4999, 5001, "dn", "x", "whole number");
    free(text);
    store_free(s);
}

static void true_is_no_text(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_err(ERR_INVALID, import(s, "meters", "{\"serial\":true,\"dn\":15,\"q3\":2.5}\n"));
    assert_refusal(s, 0, 1, "serial", "true", "1 to 32");
    store_free(s);
}

static void a_quote_that_is_never_closed_is_one_refused_row(void **state)
{
    struct store *s = store_new();
    size_t len = 300000;
    char *text = (char *)malloc(len + 1);

    (void)state;
    assert_err(ERR_INVALID, import(s, "points", "point,address\nP1,\"Main road\nP2,x\n"));
    assert_refusal(s, 0, 2, "", NULL, "quotes");
    memset(text, 'x', len);
    for (size_t i = 99; i < len; i += 100)
        text[i] = '\n';
    memcpy(text, "point,address\nP1,\"", 18);
    assert_err(ERR_INVALID,
               import_with(s, "points", span_of(text, len), (struct import_options){ 0 }));
    assert_int_equal(1, s->report.refused);
    free(text);
    store_free(s);
}

static void objects_that_are_wrong_are_refused_by_line_and_member(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_err(
        ERR_INVALID,
        import(
            s, "meters",
            "{\"serial\":\"M1\",\"dn\":15,\"q3\":2.5}\n{\"serial\":\"M2\",\"dn\":15,\"q3\":[2.5]}\n"
            "{\"serial\":\"M3\",\"dn\":15,\"q3\":2.5,\"hue\":1}\n{\"serial\":\"M4\",\"dn\":15,"
            "\"dn\":15,\"q3\":2}\n"
            "{\"serial\":\"M5\",\"dn\":15,\"q3\":2.5\n{\"serial\":\"M6\",\"dn\":15,\"q3\":2.5} "
            "x\n{\"serial\":\"\\ud800\"}\n"
            "{\"serial\":\"M7\",\"dn\":015,\"q3\":2.5}\n{\"serial\":\"M8\",\"dn\":true,\"q3\":2.5}"
            "\n{}\n"));
    assert_int_equal(9, s->report.refused);
    assert_refusal(s, 0, 2, "q3", NULL, "a text, a number or null");
    assert_refusal(s, 1, 3, "hue", "hue", "column");
    assert_refusal(s, 2, 4, "dn", "dn", "once");
    assert_refusal(s, 3, 5, "", NULL, "comma");
    assert_refusal(s, 4, 6, "", "x", "one object");
    assert_refusal(s, 7, 9, "dn", "true", "whole number");
    assert_refusal(s, 8, 10, "serial", "nothing", "1 to 32");
    store_free(s);
}

static void keep_going_leaves_the_refused_rows_out(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_ok(import_with(s, "meters", span_text("serial,dn,q3\nM1,15,2.5\nM2,x,2.5\nM3,15,2.5\n"),
                          (struct import_options){ .keep_going = true }));
    assert_counts(s, 3, 2, 0, 1);
    assert_refusal(s, 0, 3, "dn", "x", "whole");
    assert_int_equal(0, registry_find(s->app.registry, span_text("M2")));
    assert_int_not_equal(0, registry_find(s->app.registry, span_text("M3")));
    store_free(s);
}

static void a_dry_run_writes_nothing(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_ok(import_with(s, "meters", span_text("serial,dn,q3\nM1,15,2.5\n"),
                          (struct import_options){ .dry_run = true }));
    assert_counts(s, 1, 1, 0, 0);
    assert_int_equal(0, acts(s));
    register_a_meter_at_a_point(s);
    assert_ok(import_with(s, "readings",
                          span_text("serial,time,index_l\nM1,2026-02-01T00:00:00Z,1\n"),
                          (struct import_options){ .dry_run = true }));
    assert_counts(s, 1, 1, 0, 0);
    assert_int_equal(0, tail_count(s->app.tail));
    store_free(s);
}

/* ---- known keys ---- */

static void the_same_file_twice_changes_nothing(void **state)
{
    static const char *const files[][2] = {
        { "orgs", "org,parent,level\nC,,company\nB,C,branch\n" },
        { "zones", "zone,parent,mains_km\nZ1,,1.50\nZ2,Z1,\n" },
        { "routes", "route,org,days\nR1,B,5\n" },
        { "meters", "serial,dn,q3,radio_id,verified_on\nM1,15,2.50,0011223344556677,2026-01-01\n" },
        { "points", "point,zone,route,route_seq,lon\nP1,Z2,R1,07,121.50\n" },
        { "fittings", "point,serial,from,start_index_l\nP1,M1,2026-01-10T09:30:00+08:00,0.0\n" },
        { "boundaries", "zone,point,direction\nZ1,P1,in\n" },
        { "readings",
          "serial,time,index_l\nM1,2026-01-11T00:00:00Z,1.5\nM1,2026-01-12T00:00:00Z,2\n" },
    };
    struct store *s = store_new();
    uint64_t before;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_ok(import(s, files[i][0], files[i][1]));
        assert_int_equal(0, s->report.bare);
        assert_int_equal(s->report.rows, s->report.written);
    }
    before = acts(s);
    assert_ok(clock_set(&s->app.clock, NOW + 86400));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_ok(import(s, files[i][0], files[i][1]));
        assert_int_equal(s->report.rows, s->report.unchanged);
        assert_int_equal(0, s->report.written);
    }
    assert_int_equal(before, acts(s));
    store_free(s);
}

static void a_known_meter_with_other_values_is_a_refused_row_that_names_the_field(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_ok(import(s, "meters", "serial,dn,q3\nM1,15,2.5\n"));
    assert_err(ERR_INVALID, import(s, "meters", "serial,dn,q3\nM2,15,2.5\nM1,20,2.5\n"));
    assert_refusal(s, 0, 3, "dn", "20", "15, as M1 is registered");
    assert_err(ERR_INVALID, import(s, "meters", "serial,dn,q3,batch\nM1,15,2.5,B7\n"));
    assert_refusal(s, 0, 2, "batch", "B7", "nothing");
    store_free(s);
}

static void a_known_point_with_other_values_changes_as_of_the_import(void **state)
{
    struct store *s = store_new();
    uint32_t on[2];
    size_t count;
    struct txn t;

    (void)state;
    assert_ok(import(s, "points", "point,address,route,route_seq\nP1,Old lane,R1,1\n"));
    assert_ok(clock_set(&s->app.clock, NOW + 100));
    assert_ok(import(s, "points", "point,address,route\nP1,New lane,R2\n"));
    assert_counts(s, 1, 1, 0, 0);
    assert_string_equal("Old lane", cell(s, LIST_POINT, "P1", CELL_POINT_address, NOW + 99));
    assert_string_equal("Old lane", cell(s, LIST_POINT, "P1", CELL_POINT_address, 0));
    assert_string_equal("New lane", cell(s, LIST_POINT, "P1", CELL_POINT_address, NOW + 100));
    assert_string_equal("1", cell(s, LIST_POINT, "P1", CELL_POINT_route_seq,
                                  INT64_MAX)); /* what was not sent stays */
    t = ledger_read(s->app.ledger);
    assert_ok(ledger_points_on(&t, false, span_text("R1"), 0, on, 2, &count));
    assert_int_equal(0, count);
    assert_ok(ledger_points_on(&t, false, span_text("R2"), 0, on, 2, &count));
    assert_int_equal(1, count);
    assert_ok(txn_end(&t));
    store_free(s);
}

/* ---- what rows name ---- */

static void what_nobody_registered_is_made_bare_and_counted(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_ok(import(s, "points", "point,zone,route\nP1,Z1,R1\nP2,Z1,R2\n"));
    assert_int_equal(3, s->report.bare);
    assert_string_equal("Z1", cell(s, LIST_ZONE, "Z1", 0, INT64_MAX));
    assert_ok(import(s, "zones", "zone,name\nZ1,North\n"));
    assert_string_equal("North", cell(s, LIST_ZONE, "Z1", CELL_ZONE_name, INT64_MAX));
    store_free(s);
}

static void parents_may_come_after_their_children(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_ok(import(s, "zones", "zone,parent,name\nZ3,Z2,c\nZ2,Z1,b\nZ1,,a\n"));
    assert_int_equal(0, s->report.bare);
    assert_counts(s, 3, 3, 0, 0);
    assert_string_equal("b", cell(s, LIST_ZONE, "Z2", CELL_ZONE_name, 0));
    store_free(s);
}

static void a_ring_of_parents_is_refused(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_err(ERR_INVALID, import(s, "zones", "zone,parent\nZ1,Z2\nZ2,Z3\nZ3,Z1\n"));
    assert_refusal(s, 0, 4, "parent", "Z1", "below the row itself");
    assert_err(ERR_INVALID, import(s, "orgs", "org,parent\nO1,O1\n"));
    assert_refusal(s, 0, 2, "parent", "O1", "below the row itself");
    assert_int_equal(0, acts(s));
    store_free(s);
}

static void a_radio_name_belongs_to_one_meter(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_ok(import(s, "meters", "serial,dn,q3,radio_id\nM1,15,2.5,00aabbccddeeff00\n"));
    assert_err(ERR_INVALID,
               import(s, "meters", "serial,dn,q3,radio_id\nM2,15,2.5,00AABBCCDDEEFF00\n"));
    assert_refusal(s, 0, 2, "radio_id", "00AABBCCDDEEFF00", "M1 has it");
    assert_err(ERR_INVALID,
               import(s, "meters", "serial,dn,q3,radio_id\nM2,15,2.5,r\nM3,15,2.5,r\n"));
    assert_refusal(s, 0, 3, "radio_id", "r", "M2 has it");
    assert_err(ERR_INVALID, import(s, "meters", "serial,dn,q3,radio_id\nM2,15,2.5,M1\n"));
    assert_refusal(s, 0, 2, "radio_id", "M1", "M1 has it");
    assert_ok(import(s, "meters", "serial,dn,q3,radio_id\nM2,15,2.5,M2\n"));
    store_free(s);
}

/* ---- fittings ---- */

static void fittings_of_unknown_points_or_meters_are_refused(void **state)
{
    struct store *s = store_new();

    (void)state;
    register_a_meter_at_a_point(s);
    assert_err(ERR_INVALID, import(s, "fittings",
                                   "point,serial,from,start_index_l\nP9,M2,2026-01-01T00:00:00Z,"
                                   "0\nP2,M9,2026-01-01T00:00:00Z,0\n"));
    assert_refusal(s, 0, 2, "point", "P9", "registered");
    assert_refusal(s, 1, 3, "serial", "M9", "registered");
    store_free(s);
}

static void fittings_may_touch_and_never_overlap(void **state)
{
    struct store *s = store_new();

    (void)state;
    register_a_meter_at_a_point(s);
    assert_err(
        ERR_INVALID,
        import(s, "fittings", "point,serial,from,start_index_l\nP1,M2,2026-02-01T00:00:00Z,0\n"));
    assert_refusal(s, 0, 2, "from", "2026-02-01T00:00:00Z",
                   "no meter is at P1: M1 is there from 2026-01-01T00:00:00Z to now on");
    assert_err(
        ERR_INVALID,
        import(s, "fittings", "point,serial,from,start_index_l\nP2,M1,2026-02-01T00:00:00Z,0\n"));
    assert_refusal(s, 0, 2, "from", "2026-02-01T00:00:00Z", "at P1 there is M1");
    assert_err(ERR_INVALID, import(s, "fittings",
                                   "point,serial,from,start_index_l,to\nP1,M2,2025-12-01T00:00:00Z,"
                                   "0,2026-01-01T00:00:01Z\n"));
    assert_ok(import(
        s, "fittings",
        "point,serial,from,start_index_l,to\nP1,M2,2025-12-01T00:00:00Z,0,2026-01-01T00:00:00Z\n"));
    store_free(s);
}

static void an_open_fitting_is_closed_by_importing_it_again(void **state)
{
    static const char closed[] = "point,serial,from,start_index_l,to,end_index_l\nP1,M1,2026-01-"
                                 "01T00:00:00Z,0,2026-02-01T00:00:00Z,900\n";
    struct store *s = store_new();
    struct fitting f[2];
    size_t count;
    struct txn t;

    (void)state;
    register_a_meter_at_a_point(s);
    assert_ok(import(s, "fittings", closed));
    assert_counts(s, 1, 1, 0, 0);
    t = ledger_read(s->app.ledger);
    assert_ok(ledger_fittings_of_meter(&t, 1, f, 2, &count));
    assert_int_equal(1, count);
    assert_int_equal(900000, f[0].end_ml);
    assert_true(f[0].has_end);
    assert_ok(txn_end(&t));
    /* The old file again leaves it closed; another end is refused. */
    assert_ok(
        import(s, "fittings", "point,serial,from,start_index_l\nP1,M1,2026-01-01T00:00:00Z,0\n"));
    assert_counts(s, 1, 0, 1, 0);
    assert_err(ERR_INVALID, import(s, "fittings",
                                   "point,serial,from,start_index_l,to\nP1,M1,2026-01-01T00:00:00Z,"
                                   "0,2026-02-02T00:00:00Z\n"));
    assert_refusal(s, 0, 2, "to", "2026-02-02T00:00:00Z", "2026-02-01T00:00:00Z");
    assert_ok(
        import(s, "fittings", "point,serial,from,start_index_l\nP1,M2,2026-02-01T00:00:00Z,0\n"));
    store_free(s);
}

static void impossible_fittings_are_refused(void **state)
{
    struct store *s = store_new();

    (void)state;
    register_a_meter_at_a_point(s);
    assert_err(ERR_INVALID,
               import(s, "fittings",
                      "point,serial,from,start_index_l,to,end_index_l\n"
                      "P2,M2,2026-01-02T00:00:00Z,0,2026-01-01T00:00:00Z,\nP2,M2,2026-01-02T00:00:"
                      "00Z,10000000,,\n"
                      "P2,M2,2026-01-02T00:00:00Z,-1,,\nP2,M2,2026-01-02T00:00:00Z,0,,5\nP2,M2,"
                      "2026-01-02T00:00:00Z,0,2026-01-03T00:00:00Z,10000000.5\n"));
    assert_int_equal(5, s->report.refused);
    assert_refusal(s, 0, 2, "to", NULL, "not before");
    assert_refusal(s, 1, 3, "start_index_l", "10000000", "below 10000000");
    assert_refusal(s, 2, 4, "start_index_l", "-1", "from 0");
    assert_refusal(s, 3, 5, "to", "nothing", "end_index_l");
    assert_refusal(s, 4, 6, "end_index_l", NULL, "below 10000000");
    store_free(s);
}

/* Random fittings against a plain list of those that were taken. */
static void no_two_fittings_ever_overlap_whatever_is_asked(void **state)
{
    struct check_random random = check_random_begin();
    struct store *s = store_new();
    struct {
        unsigned point, meter;
        int64_t from, to;
    } taken[400];
    unsigned count = 0, refused = 0;

    (void)state;
    assert_ok(import(s, "meters", "serial,dn,q3\nM0,15,2.5\nM1,15,2.5\nM2,15,2.5\n"));
    assert_ok(import(s, "points", "point\nP0\nP1\nP2\n"));
    for (unsigned n = 0; n < 300; n++) {
        unsigned point = (unsigned)check_below(&random, 3),
                 meter = (unsigned)check_below(&random, 3);
        int64_t from = check_between(&random, 0, 400), to = from + check_between(&random, 0, 6);
        bool free = true, same = false;
        char text[160], from_text[TEXT_TIME_SIZE], to_text[TEXT_TIME_SIZE];
        enum err err;

        for (unsigned i = 0; i < count; i++) {
            bool shares = taken[i].point == point || taken[i].meter == meter;
            bool key = taken[i].point == point && taken[i].meter == meter && taken[i].from == from;

            same = same || (key && taken[i].to == to);
            free = free && !key &&
                   !(shares && ((taken[i].from < to && from < taken[i].to) ||
                                (taken[i].from == from && taken[i].to == to)));
        }
        text_put_time(from_text, 1767225600 + from);
        text_put_time(to_text, 1767225600 + to);
        snprintf(text, sizeof text, "point,serial,from,to,start_index_l\nP%u,M%u,%s,%s,0\n", point,
                 meter, from_text, to_text);
        err = import(s, "fittings", text);
        if (err != (free || same ? ERR_OK : ERR_INVALID))
            fail_msg("%s: %s", text, err_name(err));
        refused += err != ERR_OK;
        if (free) {
            taken[count].point = point;
            taken[count].meter = meter;
            taken[count].from = from;
            taken[count++].to = to;
        }
    }
    assert_true(count > 20 && refused > 20);
    store_free(s);
}

/* ---- readings ---- */

static size_t load(struct store *s, uint32_t meter, enum channel c, struct rows *rows)
{
    struct meter_facts m;
    struct txn t = ledger_read(s->app.ledger);

    assert_ok(meter_facts_by_id(&t, meter, &m));
    assert_ok(txn_end(&t));
    assert_ok(readings_load(&s->app, &m, c, 0, INT64_MAX, rows));
    return rows->count;
}

static void readings_show_at_once_and_on_the_billed_channel(void **state)
{
    struct store *s = store_new();
    struct rows rows = { 0 };

    (void)state;
    assert_ok(import(s, "meters", "serial,dn,q3,register\nM1,15,2.5,net\nM2,15,2.5,both\n"));
    assert_ok(import(s, "readings",
                     "serial,time,index_l,channel,source\nM1,2026-03-01T00:00:00Z,12.345,,\nM2,"
                     "2026-03-01 08:00,7,reverse,photo\n"
                     "M2,2026-03-01T00:00:00Z,8,,manual\nM1,2026-03-02T02:10:01Z,13,,\nM1,2026-03-"
                     "02T02:10:00Z,12.5,,\n"));
    assert_counts(s, 5, 5, 0, 0);
    assert_int_equal(3, load(s, 1, CHANNEL_NET, &rows));
    assert_int_equal(12345, rows.at[0].value);
    assert_int_equal(SOURCE_REMOTE, rows.at[1].attr); /* exactly 600 s ahead of the clock */
    assert_int_equal(SOURCE_REMOTE | ATTR_FUTURE, rows.at[2].attr);
    assert_int_equal(1, load(s, 2, CHANNEL_REVERSE, &rows));
    assert_int_equal(1772323200, rows.at[0].time_s);
    assert_int_equal(SOURCE_PHOTO, rows.at[0].attr);
    assert_int_equal(1, load(s, 2, CHANNEL_FORWARD, &rows));
    assert_int_equal(SOURCE_MANUAL, rows.at[0].attr);
    assert_ok(settler_settle(s->app.settler));
    assert_int_equal(3, load(s, 1, CHANNEL_NET, &rows));
    rows_done(&rows);
    store_free(s);
}

static void local_times_are_read_in_the_zone_that_was_asked_for(void **state)
{
    struct store *s = store_new();
    struct zone prague;
    struct rows rows = { 0 };
    struct span tzif;

    (void)state;
    tzif = check_read("/usr/share/zoneinfo/Europe/Prague");
    assert_ok(zone_read(&prague, "Europe/Prague", tzif));
    free((void *)(uintptr_t)tzif.at);
    register_a_meter_at_a_point(s);
    assert_ok(import_with(
        s, "readings",
        span_text("serial,time,index_l\nM1,2025-10-26 02:30,1\nM1,2025-10-26 02:30:01,1\n"),
        (struct import_options){ .times_in = &prague }));
    assert_int_equal(2, load(s, 1, CHANNEL_FORWARD, &rows));
    assert_int_equal(1761438600, rows.at[0].time_s); /* 00:30Z: the earlier of the two */
    assert_err(ERR_INVALID,
               import_with(s, "readings", span_text("serial,time,index_l\nM1,2025-03-30 02:30,1\n"),
                           (struct import_options){ .times_in = &prague }));
    assert_refusal(s, 0, 2, "time", "2025-03-30 02:30", "occurs");
    rows_done(&rows);
    store_free(s);
}

static void readings_that_make_no_sense_are_refused_and_none_is_kept(void **state)
{
    struct store *s = store_new();
    struct rows rows = { 0 };

    (void)state;
    register_a_meter_at_a_point(s);
    assert_err(ERR_INVALID,
               import(s, "readings",
                      "serial,time,index_l,channel,source\nM1,2026-01-01T00:00:00Z,1,,\nM9,2026-01-"
                      "01T00:00:00Z,1,,\n"
                      "M1,2026-01-01T24:00:00Z,1,,\nM1,2026-02-30T00:00:00Z,1,,\nM1,2026-01-01T00:"
                      "00:00Z,1.2345,,\nM1,2026-01-01T00:00:00Z,,,\n"
                      "M1,2026-01-01T00:00:00Z,1,sideways,\nM1,2026-01-01T00:00:00Z,1,,guess\nM1,"
                      "1969-12-31T23:59:59Z,1,,\nm1,2026-01-01T00:00:00Z,1,,\n"));
    assert_int_equal(9, s->report.refused);
    assert_refusal(s, 0, 3, "serial", "M9", "registered");
    assert_refusal(s, 1, 4, "time", "2026-01-01T24:00:00Z", "a time");
    assert_refusal(s, 3, 6, "index_l", "1.2345", "three decimals");
    assert_refusal(s, 4, 7, "index_l", "nothing", "litres");
    assert_refusal(s, 5, 8, "channel", "sideways", "forward");
    assert_refusal(s, 6, 9, "source", "guess", "remote");
    assert_int_equal(0, load(s, 1, CHANNEL_FORWARD, &rows));
    assert_int_equal(0, journal_end(s->app.journal) - journal_begin(s->app.journal));
    rows_done(&rows);
    store_free(s);
}

/* Hourly readings of meters 1 to `meters`, hour by hour, from an hour on; a file that is too large
 * to go in one piece. */
static struct span many_readings(unsigned meters, unsigned hours, const char *last_line)
{
    size_t cap = (size_t)meters * hours * 48 + 256, len;
    char *text = (char *)malloc(cap);

    len = (size_t)sprintf(text, "serial,time,index_l\n");
    for (unsigned h = 0; h < hours; h++)
        for (unsigned m = 1; m <= meters; m++) {
            char at[TEXT_TIME_SIZE];

            text_put_time(at, 1767225600 + (int64_t)h * 3600);
            len += (size_t)sprintf(text + len, "M%u,%s,%u.%u\n", m, at, h * 10 + m, h % 10);
        }
    len += (size_t)sprintf(text + len, "%s", last_line);
    return span_of(text, len);
}

static void register_meters(struct store *s, unsigned count)
{
    char *text = (char *)malloc((size_t)count * 32 + 64);
    size_t len = (size_t)sprintf(text, "serial,dn,q3\n");

    for (unsigned m = 1; m <= count; m++)
        len += (size_t)sprintf(text + len, "M%u,15,2.5\n", m);
    assert_ok(import_with(s, "meters", span_of(text, len), (struct import_options){ 0 }));
    free(text);
}

static void a_large_file_is_staged_sealed_and_the_same_twice_changes_nothing(void **state)
{
    struct store *s = store_new();
    struct span text = many_readings(50, 200, "");
    struct rows rows = { 0 };

    (void)state;
    register_meters(s, 50);
    assert_ok(import_with(s, "readings", text, (struct import_options){ 0 }));
    assert_counts(s, 10000, 10000, 0, 0);
    assert_int_equal(0, tail_count(s->app.tail));
    for (uint32_t m = 1; m <= 50; m++) {
        assert_int_equal(200, load(s, m, CHANNEL_FORWARD, &rows));
        for (size_t h = 0; h < 200; h++) {
            assert_int_equal((h * 10 + m) * 1000 + h % 10 * 100, rows.at[h].value);
            assert_int_equal(1767225600 + h * 3600, rows.at[h].time_s);
        }
    }
    assert_ok(import_with(s, "readings", text, (struct import_options){ 0 }));
    assert_counts(s, 10000, 0, 10000, 0);
    store_stop(s);
    store_start(s);
    assert_int_equal(200, load(s, 7, CHANNEL_FORWARD, &rows));
    rows_done(&rows);
    free((void *)(uintptr_t)text.at);
    store_free(s);
}

static void a_large_file_with_one_wrong_row_leaves_nothing(void **state)
{
    struct store *s = store_new();
    struct span text = many_readings(50, 200, "M51,2026-01-01T00:00:00Z,1\n");
    struct rows rows = { 0 };
    uint64_t before;
    uint32_t tags[4];

    (void)state;
    register_meters(s, 50);
    before = acts(s);
    assert_err(ERR_INVALID, import_with(s, "readings", text, (struct import_options){ 0 }));
    assert_int_equal(1, s->report.refused);
    assert_refusal(s, 0, 10002, "serial", "M51", "registered");
    assert_int_equal(0, load(s, 1, CHANNEL_FORWARD, &rows));
    assert_int_equal(before, acts(s));
    assert_int_equal(0, archive_staged(s->app.archive, tags, 4));
    assert_ok(import_with(s, "readings", text, (struct import_options){ .keep_going = true }));
    assert_counts(s, 10001, 10000, 0, 1);
    assert_int_equal(200, load(s, 1, CHANNEL_FORWARD, &rows));
    rows_done(&rows);
    free((void *)(uintptr_t)text.at);
    store_free(s);
}

/* Dies when the writer of the ledger is asked for the import's end: the slices are staged and
 * nothing says that they count. */
static void a_process_that_dies_in_an_import_leaves_nothing_of_it(void **state)
{
    struct store *s = store_new();
    struct span text = many_readings(20, 300, "");
    struct rows rows = { 0 };
    uint32_t tags[4];
    pid_t child;
    int status;

    (void)state;
    register_meters(s, 20);
    store_stop(s);
    if ((child = fork()) == 0) {
        struct archive_pass *pass = NULL;
        struct row row = { .value = 5, .time_s = 1767225600 };
        struct act act;
        uint32_t id = 0;

        store_start(s);
        act = act_begin(s->app.ledger, "root", NOW, 1);
        act_import_begin(&act, &id);
        if (act_end(&act) || archive_pass_begin(s->app.archive, id, &pass) ||
            archive_pass_put(pass, 1, CHANNEL_FORWARD, 1000, &row, 1) || archive_pass_stage(pass))
            _exit(2);
        _exit(archive_staged(s->app.archive, tags, 4) == 1 ? 0 : 3);
    }
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_int_equal(0, status);
    store_start(s);
    assert_int_equal(0, archive_staged(s->app.archive, tags, 4));
    assert_int_equal(0, load(s, 1, CHANNEL_FORWARD, &rows));
    assert_ok(import_with(s, "readings", text, (struct import_options){ 0 }));
    assert_counts(s, 6000, 6000, 0, 0);
    assert_int_equal(300, load(s, 20, CHANNEL_FORWARD, &rows));
    rows_done(&rows);
    free((void *)(uintptr_t)text.at);
    store_free(s);
}

/* The same rows in one file, and cut in two at any place, are the same readings. */
static void a_file_may_be_cut_anywhere(void **state)
{
    struct check_random random = check_random_begin();
    struct rows whole = { 0 }, cut = { 0 };
    char lines[64][64];

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        char at[TEXT_TIME_SIZE];

        text_put_time(at, 1767225600 + check_between(&random, 0, 20));
        snprintf(lines[i], sizeof lines[i], "M%u,%s,%u,,%s\n",
                 1 + (unsigned)check_below(&random, 2), at, (unsigned)check_below(&random, 3),
                 check_below(&random, 2) ? "manual" : "");
    }
    for (unsigned place = 0; place <= 64; place += 16) {
        struct store *s = store_new();
        char text[2][64 * 64 + 64];

        register_a_meter_at_a_point(s);
        for (unsigned part = 0; part < 2; part++) {
            strcpy(text[part], "serial,time,index_l,channel,source\n");
            for (unsigned i = part ? place : 0; i < (part ? 64 : place); i++)
                strcat(text[part], lines[i]);
            assert_ok(import(s, "readings", text[part]));
            if (check_below(&random, 2))
                assert_ok(settler_settle(s->app.settler));
        }
        for (uint32_t m = 1; m <= 2; m++) {
            load(s, m, CHANNEL_FORWARD, &cut);
            if (m == 1 && place == 0)
                load(s, m, CHANNEL_FORWARD, &whole);
            if (m != 1)
                continue;
            assert_int_equal(whole.count, cut.count);
            for (size_t i = 0; i < cut.count; i++) {
                assert_int_equal(whole.at[i].value, cut.at[i].value);
                assert_int_equal(whole.at[i].time_s, cut.at[i].time_s);
                assert_int_equal(whole.at[i].attr, cut.at[i].attr);
            }
        }
        store_free(s);
    }
    rows_done(&whole);
    rows_done(&cut);
}

/* ---- killed ---- */

/* Imports in a process of its own that is killed `after_us` after it began; false: it was through
 * before. */
static bool import_killed(struct store *s, const char *list, struct span text, useconds_t after_us)
{
    int begun[2], status, fd = file_of(s->folder, text);
    char byte = 0;
    pid_t child;

    assert_int_equal(0, pipe(begun));
    if ((child = fork()) == 0) {
        struct import_options o = { 0 };

        store_start(s);
        if (write(begun[1], "b", 1) != 1)
            _exit(2);
        _exit(act_import(&s->app, &root, span_text(list), fd, &o, &s->report, &s->refusal) ? 3 : 0);
    }
    assert_int_equal(1, read(begun[0], &byte, 1));
    usleep(after_us); /* chance, not waiting: any moment will do */
    kill(child, SIGKILL);
    assert_int_equal(child, waitpid(child, &status, 0));
    close(begun[0]);
    close(begun[1]);
    close(fd);
    if (WIFEXITED(status))
        assert_int_equal(0, WEXITSTATUS(status));
    return WIFSIGNALED(status);
}

static void killed_at_any_moment_an_import_is_there_whole_or_not_at_all(void **state)
{
    struct check_random random = check_random_begin();
    struct span readings = many_readings(40, 500, "");
    struct rows rows = { 0 };
    unsigned killed = 0;

    (void)state;
    for (unsigned round = 0; round < 12; round++) {
        struct store *s = store_new();
        uint32_t tags[4];
        size_t count;

        register_meters(s, 40);
        store_stop(s);
        killed += import_killed(s, "readings", readings, (useconds_t)check_below(&random, 160000));
        store_start(s);
        assert_int_equal(0, archive_staged(s->app.archive, tags, 4));
        count = load(s, 1, CHANNEL_FORWARD, &rows);
        assert_true(count == 0 || count == 500);
        for (uint32_t m = 2; m <= 40; m++)
            assert_int_equal(count, load(s, m, CHANNEL_FORWARD, &rows));
        assert_ok(import_with(s, "readings", readings, (struct import_options){ 0 }));
        assert_int_equal(20000 - count * 40, s->report.written);
        assert_int_equal(500, load(s, 40, CHANNEL_FORWARD, &rows));
        store_free(s);
    }
    printf("%u of 12 were killed before their end\n", killed);
    rows_done(&rows);
    free((void *)(uintptr_t)readings.at);
}

static void killed_at_any_moment_a_register_has_all_of_a_file_or_none(void **state)
{
    struct check_random random = check_random_begin();
    char *text = (char *)malloc(600000);
    size_t len = (size_t)sprintf(text, "serial,dn,q3,radio_id\n");
    unsigned killed = 0;

    (void)state;
    for (unsigned m = 1; m <= 5000; m++)
        len += (size_t)sprintf(text + len, "M%u,15,2.5,%016x\n", m, m);
    for (unsigned round = 0; round < 8; round++) {
        struct store *s = store_new();
        uint32_t count;

        store_stop(s);
        killed += import_killed(s, "meters", span_of(text, len),
                                (useconds_t)check_below(&random, 160000));
        store_start(s);
        count = registry_count(s->app.registry);
        assert_true(count == 0 || count == 5000);
        assert_int_equal(count ? 17 : 0,
                         registry_find(s->app.registry, span_text("0000000000000011")));
        store_free(s);
    }
    printf("%u of 8 were killed before their end\n", killed);
    free(text);
}

static void a_better_source_or_a_time_no_longer_ahead_is_no_repeat(void **state)
{
    struct store *s = store_new();
    struct rows rows = { 0 };

    (void)state;
    register_a_meter_at_a_point(s);
    assert_ok(import(
        s, "readings",
        "serial,time,index_l,source\nM1,2026-03-01T00:00:00Z,5,\nM1,2026-03-02T03:00:00Z,6,\n"));
    assert_ok(
        import(s, "readings", "serial,time,index_l,source\nM1,2026-03-01T00:00:00Z,5,manual\n"));
    assert_counts(s, 1, 1, 0, 0);
    assert_ok(import(s, "readings", "serial,time,index_l,source\nM1,2026-03-01T00:00:00Z,5,\n"));
    assert_counts(s, 1, 0, 1, 0);
    assert_ok(clock_set(&s->app.clock, NOW + 3600));
    assert_ok(import(s, "readings", "serial,time,index_l,source\nM1,2026-03-02T03:00:00Z,6,\n"));
    assert_counts(s, 1, 1, 0, 0);
    assert_int_equal(2, load(s, 1, CHANNEL_FORWARD, &rows));
    assert_int_equal(SOURCE_MANUAL, rows.at[0].attr);
    assert_int_equal(SOURCE_REMOTE, rows.at[1].attr);
    rows_done(&rows);
    store_free(s);
}

/* ---- requests ---- */

struct answer {
    struct act_reply reply;
    char body[2048];
};

static struct answer ask_as(struct store *s, act_handler *act, const char *subject,
                            const char *body, enum role role)
{
    struct caller caller = { .role = role, .who = "somebody" };
    json_t *json = body ? json_loads(body, 0, NULL) : NULL;
    struct act_request q = {
        .app = &s->app, .caller = &caller, .subject = span_text(subject), .body = json
    };
    struct answer a = { 0 };

    act(&q, &a.reply);
    snprintf(a.body, sizeof a.body, "%.*s", (int)a.reply.body.len,
             a.reply.body.at ? a.reply.body.at : "");
    if (a.reply.status < 300 && a.body[0]) {
        json_t *answer = json_loads(a.body, 0, NULL);

        assert_non_null(answer);
        assert_true(json_is_array(json_object_get(answer, "warnings")));
        json_decref(answer);
    }
    out_done(&a.reply.body);
    json_decref(json);
    return a;
}

static struct answer ask(struct store *s, act_handler *act, const char *subject, const char *body)
{
    return ask_as(s, act, subject, body, ROLE_ADMIN);
}

static void assert_refused(struct answer a, unsigned status, const char *says)
{
    assert_int_equal(status, a.reply.status);
    if (!strstr(a.reply.refusal.text, says))
        fail_msg("\"%s\" says nothing of \"%s\"", a.reply.refusal.text, says);
}

static void a_meter_is_registered_once(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_int_equal(201, ask(s, act_post_meter, "",
                              "{\"serial\":\"M17\",\"dn\":20,\"q3\":4,\"supplier\":\"Jinhe\"}")
                              .reply.status);
    assert_int_equal(200, ask(s, act_post_meter, "",
                              "{\"serial\":\"M17\",\"dn\":20,\"q3\":4.0,\"supplier\":\"Jinhe\"}")
                              .reply.status);
    assert_int_equal(
        200,
        ask(s, act_post_meter, "", "{\"serial\":\"M17\",\"dn\":20,\"q3\":\"4.00\"}").reply.status);
    assert_refused(ask(s, act_post_meter, "", "{\"serial\":\"M17\",\"dn\":25,\"q3\":4}"), 409,
                   "M17");
    assert_refused(ask(s, act_post_meter, "", "{\"serial\":\"M17\",\"dn\":25,\"q3\":4}"), 409,
                   "dn");
    assert_refused(ask(s, act_post_meter, "", "{\"serial\":\"M17\",\"q3\":4}"), 422, "dn");
    assert_refused(ask(s, act_post_meter, "", "{\"serial\":\"M18\",\"q3\":\"\"}"), 422, "dn, q3");
    assert_refused(ask(s, act_post_meter, "", "{\"serial\":\"M18\",\"dn\":20,\"q3\":4,\"hue\":1}"),
                   422, "hue");
    assert_refused(ask(s, act_post_meter, "", "{\"serial\":\"M18\",\"dn\":20.5,\"q3\":4}"), 422,
                   "dn");
    assert_refused(ask(s, act_post_meter, "", "{\"serial\":\"M18\",\"dn\":[20],\"q3\":4}"), 422,
                   "dn");
    assert_refused(ask(s, act_post_meter, "", NULL), 422, "object");
    assert_int_equal(1, registry_find(s->app.registry, span_text("M17")));
    store_free(s);
}

static void roles_do_what_they_may(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_refused(
        ask_as(s, act_post_meter, "", "{\"serial\":\"M1\",\"dn\":20,\"q3\":4}", ROLE_CREW), 403,
        "crew");
    assert_refused(ask_as(s, act_post_point, "", "{\"point\":\"P1\"}", ROLE_STORE), 403, "store");
    assert_int_equal(
        201, ask_as(s, act_post_meter, "", "{\"serial\":\"M1\",\"dn\":20,\"q3\":4}", ROLE_STORE)
                 .reply.status);
    assert_refused(ask_as(s, act_post_read, "", "{\"point\":\"P1\",\"index_l\":4}", ROLE_BILLING),
                   403, "billing");
    assert_refused(
        ask_as(s, act_create_token, "", "{\"role\":\"admin\",\"name\":\"x\"}", ROLE_VIEWER), 403,
        "viewer");
    store_free(s);
}

static void what_a_request_names_must_exist(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_refused(ask(s, act_post_point, "", "{\"point\":\"P1\",\"zone\":\"Z1\"}"), 404, "Z1");
    assert_int_equal(201,
                     ask(s, act_post_zone, "", "{\"zone\":\"Z1\",\"mains_km\":0.1}").reply.status);
    assert_int_equal(201,
                     ask(s, act_post_point, "", "{\"point\":\"P1\",\"zone\":\"Z1\"}").reply.status);
    assert_int_equal(
        200, ask(s, act_post_point, "", "{\"point\":\"P1\",\"address\":\"x\"}").reply.status);
    assert_refused(ask(s, act_post_fitting, "", "{\"point\":\"P1\",\"serial\":\"M1\"}"), 404, "M1");
    assert_int_equal(
        201, ask(s, act_post_meter, "", "{\"serial\":\"M1\",\"dn\":20,\"q3\":4}").reply.status);
    assert_refused(ask(s, act_post_fitting, "", "{\"point\":\"P1\",\"serial\":\"M1\"}"), 422,
                   "from, start_index_l");
    assert_int_equal(201, ask(s, act_post_fitting, "",
                              "{\"point\":\"P1\",\"serial\":\"M1\",\"from\":\"2026-01-01T00:00:"
                              "00Z\",\"start_index_l\":0.5}")
                              .reply.status);
    assert_refused(ask(s, act_post_fitting, "",
                       "{\"point\":\"P1\",\"serial\":\"M1\",\"from\":\"2026-02-01T00:00:00Z\","
                       "\"start_index_l\":0}"),
                   409, "P1");
    store_free(s);
}

static void a_meters_attributes_change_but_its_life_does_not(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_int_equal(201, ask(s, act_post_meter, "",
                              "{\"serial\":\"M1\",\"dn\":20,\"q3\":4,\"radio_id\":\"old\"}")
                              .reply.status);
    assert_int_equal(
        200,
        ask(s, act_change_meter, "M1", "{\"life_months\":36,\"radio_id\":\"new\"}").reply.status);
    assert_string_equal("36", cell(s, LIST_METER, "M1", CELL_METER_life_months, INT64_MAX));
    assert_int_equal(0, registry_find(s->app.registry, span_text("old")));
    assert_int_equal(1, registry_find(s->app.registry, span_text("new")));
    assert_int_equal(200, ask(s, act_change_meter, "M1", "{\"radio_id\":\"newest\"}").reply.status);
    assert_int_equal(0, registry_find(s->app.registry, span_text("new"))); /* in the same second */
    assert_int_equal(1, registry_find(s->app.registry, span_text("newest")));
    assert_refused(ask(s, act_change_meter, "M2", "{\"life_months\":36}"), 404, "M2");
    assert_refused(ask(s, act_change_meter, "M1", "{\"life_months\":0}"), 422, "life_months");
    assert_refused(ask(s, act_change_meter, "M1", "{\"state\":\"running\"}"), 422, "state");
    assert_refused(ask(s, act_change_meter, "M1", "{\"serial\":\"M3\"}"), 422, "serial");
    store_free(s);
}

static void a_manual_read_counts_at_the_meter_that_was_there(void **state)
{
    struct store *s = store_new();
    struct rows rows = { 0 };
    struct answer a;

    (void)state;
    register_a_meter_at_a_point(s);
    a = ask_as(s, act_post_read, "",
               "{\"point\":\"P1\",\"at\":\"2026-03-01T10:00:00Z\",\"index_l\":51480.5,\"reader\":"
               "\"Li\",\"note\":\"dial\"}",
               ROLE_READER);
    assert_int_equal(201, a.reply.status);
    assert_non_null(strstr(a.body, "\"serial\":\"M1\""));
    assert_non_null(strstr(a.body, "\"index_l\":51480.5"));
    assert_int_equal(200,
                     ask(s, act_post_read, "",
                         "{\"point\":\"P1\",\"at\":\"2026-03-01T10:00:00Z\",\"index_l\":51480.5}")
                         .reply.status);
    assert_int_equal(1, load(s, 1, CHANNEL_FORWARD, &rows));
    assert_int_equal(51480500, rows.at[0].value);
    assert_int_equal(SOURCE_MANUAL, rows.at[0].attr);
    assert_refused(ask(s, act_post_read, "", "{\"point\":\"P9\",\"index_l\":1}"), 404, "P9");
    assert_refused(ask(s, act_post_read, "", "{\"point\":\"P2\",\"index_l\":1}"), 409, "P2");
    assert_refused(ask(s, act_post_read, "", "{\"point\":\"P1\"}"), 422, "index_l");
    assert_refused(ask(s, act_post_read, "", "{\"point\":\"P1\",\"index_l\":10000000}"), 422,
                   "index_l");
    assert_refused(ask(s, act_post_read, "",
                       "{\"point\":\"P1\",\"index_l\":1,\"at\":\"2026-03-02T02:10:01Z\"}"),
                   422, "at");
    assert_int_equal(201, ask(s, act_post_read, "",
                              "{\"point\":\"P1\",\"index_l\":1,\"at\":\"2026-03-02T02:10:00Z\"}")
                              .reply.status);
    rows_done(&rows);
    store_free(s);
}

static void a_virtual_clock_moves_forward_only(void **state)
{
    struct store *s = store_new();

    (void)state;
    assert_int_equal(200,
                     ask(s, act_set_clock, "", "{\"now\":\"2026-03-03T00:00:00Z\"}").reply.status);
    assert_refused(ask(s, act_set_clock, "", "{\"now\":\"2026-03-02T00:00:00Z\"}"), 409,
                   "2026-03-03T00:00:00Z");
    assert_refused(ask(s, act_set_clock, "", "{\"now\":\"soon\"}"), 422, "now");
    assert_refused(ask(s, act_set_clock, "", "{}"), 422, "now");
    store_free(s);
}

static void a_token_is_told_once(void **state)
{
    struct store *s = store_new();
    struct token_facts facts;
    json_t *body;
    struct txn t;

    (void)state;
    body =
        json_loads(ask(s, act_create_token, "",
                       "{\"role\":\"reader\",\"name\":\"Li\",\"expires\":\"2026-04-01T00:00:00Z\"}")
                       .body,
                   0, NULL);
    assert_non_null(body);
    t = ledger_read(s->app.ledger);
    assert_ok(ledger_token(&t, span_text(json_string_value(json_object_get(body, "token"))), NOW,
                           &facts));
    assert_ok(txn_end(&t));
    assert_int_equal(ROLE_READER, facts.role);
    json_decref(body);
    assert_refused(ask(s, act_create_token, "", "{\"role\":\"king\",\"name\":\"Li\"}"), 422,
                   "king");
    assert_refused(ask(s, act_create_token, "", "{\"role\":\"reader\"}"), 422, "name");
    assert_refused(
        ask(s, act_create_token, "",
            "{\"role\":\"reader\",\"name\":\"Li\",\"expires\":\"2026-03-01T00:00:00Z\"}"),
        422, "expires");
    store_free(s);
}

/* ---- at the same moment ---- */

#define RIVALS 8

struct rival {
    struct store *store;
    unsigned number, status;
    pthread_t thread;
};

static void *rival_run(void *arg)
{
    struct rival *r = (struct rival *)arg;
    char body[160];

    snprintf(body, sizeof body,
             "{\"point\":\"P1\",\"serial\":\"M%u\",\"from\":\"2026-02-01T00:00:00Z\",\"start_index_"
             "l\":0}",
             r->number);
    r->status = ask(r->store, act_post_fitting, "", body).reply.status;
    return NULL;
}

static void of_many_who_ask_for_one_place_one_gets_it(void **state)
{
    struct rival rivals[RIVALS];
    struct store *s = store_new();
    unsigned taken = 0, refused = 0;

    (void)state;
    register_meters(s, RIVALS);
    assert_ok(import(s, "points", "point\nP1\n"));
    for (unsigned i = 0; i < RIVALS; i++) {
        rivals[i] = (struct rival){ .store = s, .number = i + 1 };
        assert_int_equal(0, pthread_create(&rivals[i].thread, NULL, rival_run, &rivals[i]));
    }
    for (unsigned i = 0; i < RIVALS; i++) {
        pthread_join(rivals[i].thread, NULL);
        taken += rivals[i].status == 201;
        refused += rivals[i].status == 409;
    }
    assert_int_equal(1, taken);
    assert_int_equal(RIVALS - 1, refused);
    store_free(s);
}

/* ---- frames that waited ---- */

static void send_frame(struct store *s, const char *serial, int64_t arrival_s, int64_t index_ml)
{
    struct sample sample = { .at_s = arrival_s, .value = index_ml };
    struct series series = { .channel = CHANNEL_FORWARD, .count = 1, .samples = &sample };
    struct frame frame = { .names = names_of(span_text(serial)),
                           .sent_s = arrival_s,
                           .series_count = 1,
                           .series = &series };
    struct arrival arrival = { .dialect = &dialect_native,
                               .transport = TRANSPORT_COAP,
                               .arrival_s = arrival_s,
                               .peer = { .len = 4, .address = { 127, 0, 0, 1 } } };
    uint8_t bytes[256];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct arena scratch = { 0 };
    struct intake *k = NULL;
    struct judged judged;
    struct refusal r = { 0 };
    int8_t scale = 0;

    assert_ok(native_encode(&frame, &scale, &w));
    arrival.bytes = wr_span(&w);
    assert_ok(arena_init(&scratch, 1 << 20));
    registry_read_lock(s->app.registry);
    assert_ok(ingest_judge_lkd(s->app.ingest, &arrival, &scratch, &judged, &r));
    registry_read_unlock(s->app.registry);
    assert_ok(intake_new(&k));
    assert_ok(intake_add(k, &judged.record));
    assert_ok(ingest_submit_wait(s->app.ingest, k));
    intake_free(k);
    arena_done(&scratch);
}

static void frames_of_a_meter_wait_until_it_is_registered(void **state)
{
    struct store *s = store_new();
    struct rows rows = { 0 };

    (void)state;
    send_frame(s, "M1", NOW - 7200, 1000);
    send_frame(s, "M2", NOW - 7200, 9000);
    assert_ok(settler_settle(s->app.settler));
    send_frame(s, "M1", NOW - 3600, 2000); /* still in the tail when the meter comes */
    assert_int_equal(
        201, ask(s, act_post_meter, "", "{\"serial\":\"M1\",\"dn\":15,\"q3\":2.5}").reply.status);
    assert_int_equal(2, load(s, 1, CHANNEL_FORWARD, &rows));
    assert_int_equal(NOW - 7200, rows.at[0].time_s);
    assert_int_equal(2000, rows.at[1].value);
    assert_int_equal(1, quarantine_count(s->app.quarantine));
    assert_ok(import(s, "meters", "serial,dn,q3\nM2,15,2.5\n"));
    assert_int_equal(0, quarantine_count(s->app.quarantine));
    assert_int_equal(1, load(s, 2, CHANNEL_FORWARD, &rows));
    assert_int_equal(9000, rows.at[0].value);
    rows_done(&rows);
    store_free(s);
}

/* The commit and the registration cross: the frame was judged before the meter was there, and
 * settled after. */
static void a_frame_that_crossed_its_registration_is_let_go_later(void **state)
{
    struct store *s = store_new();
    struct rows rows = { 0 };

    (void)state;
    send_frame(s, "M1", NOW - 7200, 1000);
    assert_ok(settler_settle(s->app.settler));
    assert_int_equal(1, quarantine_count(s->app.quarantine));
    {
        struct act a = act_begin(s->app.ledger, "root", NOW, 1);
        struct span cells[4] = { span_text("M1"), span_text(""), span_text("15"),
                                 span_text("2.5") };

        act_put_row(&a, LIST_METER, cells[0], LEDGER_ALWAYS, cells, 4, NULL, NULL);
        assert_ok(act_end(&a));
    }
    store_stop(s);
    store_start(s); /* as after a crash right behind the act's commit */
    assert_ok(settler_settle(s->app.settler));
    assert_int_equal(0, quarantine_count(s->app.quarantine));
    assert_int_equal(1, load(s, 1, CHANNEL_FORWARD, &rows));
    rows_done(&rows);
    store_free(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_may_come_in_any_order_with_a_mark_and_carriage_returns),
        cmocka_unit_test(objects_a_line_are_told_by_the_first_byte),
        cmocka_unit_test(a_header_that_is_not_understood_refuses_the_file),
        cmocka_unit_test(a_refused_row_says_line_column_found_and_expected),
        cmocka_unit_test(every_refused_row_is_told_of),
        cmocka_unit_test(true_is_no_text),
        cmocka_unit_test(a_quote_that_is_never_closed_is_one_refused_row),
        cmocka_unit_test(objects_that_are_wrong_are_refused_by_line_and_member),
        cmocka_unit_test(keep_going_leaves_the_refused_rows_out),
        cmocka_unit_test(a_dry_run_writes_nothing),
        cmocka_unit_test(the_same_file_twice_changes_nothing),
        cmocka_unit_test(a_known_meter_with_other_values_is_a_refused_row_that_names_the_field),
        cmocka_unit_test(a_known_point_with_other_values_changes_as_of_the_import),
        cmocka_unit_test(what_nobody_registered_is_made_bare_and_counted),
        cmocka_unit_test(parents_may_come_after_their_children),
        cmocka_unit_test(a_ring_of_parents_is_refused),
        cmocka_unit_test(a_radio_name_belongs_to_one_meter),
        cmocka_unit_test(fittings_of_unknown_points_or_meters_are_refused),
        cmocka_unit_test(fittings_may_touch_and_never_overlap),
        cmocka_unit_test(an_open_fitting_is_closed_by_importing_it_again),
        cmocka_unit_test(impossible_fittings_are_refused),
        cmocka_unit_test(no_two_fittings_ever_overlap_whatever_is_asked),
        cmocka_unit_test(readings_show_at_once_and_on_the_billed_channel),
        cmocka_unit_test(local_times_are_read_in_the_zone_that_was_asked_for),
        cmocka_unit_test(readings_that_make_no_sense_are_refused_and_none_is_kept),
        cmocka_unit_test(a_large_file_is_staged_sealed_and_the_same_twice_changes_nothing),
        cmocka_unit_test(a_large_file_with_one_wrong_row_leaves_nothing),
        cmocka_unit_test(a_process_that_dies_in_an_import_leaves_nothing_of_it),
        cmocka_unit_test(a_file_may_be_cut_anywhere),
        cmocka_unit_test(killed_at_any_moment_an_import_is_there_whole_or_not_at_all),
        cmocka_unit_test(killed_at_any_moment_a_register_has_all_of_a_file_or_none),
        cmocka_unit_test(a_better_source_or_a_time_no_longer_ahead_is_no_repeat),
        cmocka_unit_test(a_meter_is_registered_once),
        cmocka_unit_test(roles_do_what_they_may),
        cmocka_unit_test(what_a_request_names_must_exist),
        cmocka_unit_test(a_meters_attributes_change_but_its_life_does_not),
        cmocka_unit_test(a_manual_read_counts_at_the_meter_that_was_there),
        cmocka_unit_test(a_virtual_clock_moves_forward_only),
        cmocka_unit_test(a_token_is_told_once),
        cmocka_unit_test(of_many_who_ask_for_one_place_one_gets_it),
        cmocka_unit_test(frames_of_a_meter_wait_until_it_is_registered),
        cmocka_unit_test(a_frame_that_crossed_its_registration_is_let_go_later),
    };

    return check_run(tests, argc, argv);
}
