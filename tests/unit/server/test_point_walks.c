/* Service points by account and use class, against a whole store. */
#include "server/points.h"

#include "server/acts/act.h"
#include "server/app_open.h"
#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1772416800 /* 2026-03-02T02:00:00Z */

struct store {
    struct app app;
    const char *folder;
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
}

static void import(struct store *s, const char *text)
{
    struct import_options o = { 0 };
    struct import_report report = { 0 };
    struct refusal r;
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/file", s->folder);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
    assert_int_equal(0, lseek(fd, 0, SEEK_SET));
    assert_ok(act_import(&s->app, &root, span_text("points"), fd, &o, &report, &r));
    import_report_done(&report);
    close(fd);
}

/* "1 3 ": the points that a walk meets. */
static void meets(struct txn *t, struct index_walk w, const char *expected)
{
    char met[64] = "";
    size_t len = 0;

    while (index_next(&w))
        len += (size_t)snprintf(met + len, sizeof met - len, "%u ", w.value);
    index_done(&w);
    assert_ok(txn_end(t));
    assert_string_equal(expected, met);
}

static void walk_is(struct store *s, bool account, const char *of, const char *after,
                    const char *expected)
{
    struct txn t = ledger_read(s->app.ledger);
    struct span name = span_text(of), behind = span_text(after);

    meets(&t, account ? points_of_account(&t, name, behind) : points_of_use(&t, name, behind),
          expected);
}

static void once_is(struct store *s, const char *account, const char *expected)
{
    struct txn t = ledger_read(s->app.ledger);

    meets(&t, points_once_of(&t, span_text(account)), expected);
}

static struct store *town(void)
{
    struct store *s = (struct store *)calloc(1, sizeof *s);

    s->folder = check_folder();
    store_start(s);
    import(s, "point,account,use_class\n"
              "P3,A1,residential\nP1,A1,commercial\nP2,A11,hydrant\nP4,,public\nP5,A1,hydrant\n");
    return s;
}

static void all_is_found(struct store *s)
{
    walk_is(s, true, "A1", "", "2 1 5 ");
    walk_is(s, true, "A1", "P1", "1 5 ");
    walk_is(s, true, "A11", "", "3 ");
    walk_is(s, true, "A", "", "");
    walk_is(s, false, "hydrant", "", "3 5 ");
    walk_is(s, false, "public", "", "4 ");
    walk_is(s, false, "residential", "", ""); /* no index: points_use_indexed */
}

static void store_free(struct store *s)
{
    assert_ok(ledger_check(s->app.ledger, NULL));
    store_stop(s);
    free(s);
}

static void a_point_is_found_by_account_and_use(void **state)
{
    struct store *s = town();

    (void)state;
    all_is_found(s);
    assert_false(points_use_indexed(span_text("residential")));
    assert_true(points_use_indexed(span_text("hydrant")));
    store_free(s);
}

static void a_point_that_changes_is_found_where_it_is_now(void **state)
{
    struct store *s = town();

    (void)state;
    assert_ok(clock_set(&s->app.clock, NOW + 60));
    import(s, "point,account,use_class\nP1,A11,residential\nP4,A1,public\nP3,A1,industrial\n");
    walk_is(s, true, "A1", "", "1 4 5 ");
    walk_is(s, true, "A11", "", "2 3 ");
    walk_is(s, false, "commercial", "", "");
    walk_is(s, false, "industrial", "", "1 ");
    store_free(s);
}

static void a_store_without_the_index_gets_it_at_the_start(void **state)
{
    static const struct {
        enum ledger_index index;
        const char *key;
        size_t len;
    } made[] = {
        { INDEX_MADE, "p", 1 },
        { INDEX_POINTS, "aA1\0P1\0", 7 },
        { INDEX_POINTS, "aA1\0P3\0", 7 },
        { INDEX_POINTS, "uhydrant\0P2\0", 12 },
    };
    struct store *s = town();
    struct act a = act_begin(s->app.ledger, "test", NOW, 0);

    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        act_index_drop(&a, made[i].index, span_of(made[i].key, made[i].len));
    assert_ok(act_end(&a));
    walk_is(s, true, "A1", "", "5 ");
    store_stop(s);
    store_start(s);
    all_is_found(s);
    store_free(s);
}

/* P1 was A1's, then A11's, then A2's; another change of the row is none of its account. */
static void whose_a_point_was_it_is_found_by_also_in_a_store_of_before(void **state)
{
    struct store *s = town();
    struct act a;

    (void)state;
    assert_ok(clock_set(&s->app.clock, NOW + 60));
    import(s, "point,account,use_class\nP1,A11,commercial\n");
    assert_ok(clock_set(&s->app.clock, NOW + 120));
    import(s, "point,account,use_class\nP1,A11,public\n");
    assert_ok(clock_set(&s->app.clock, NOW + 180));
    import(s, "point,account,use_class\nP1,A2,public\n");
    for (int round = 0; round < 2; round++) {
        once_is(s, "A1", "2 ");
        once_is(s, "A11", "2 ");
        once_is(s, "A2", "");
        a = act_begin(s->app.ledger, "test", NOW, 0);
        act_index_drop(&a, INDEX_POINTS, span_of("oA1\0P1\0", 7));
        act_index_put(&a, INDEX_MADE, span_of("p", 1),
                      1); /* as it was before such accounts were kept */
        assert_ok(act_end(&a));
        once_is(s, "A1", "");
        store_stop(s);
        store_start(s);
    }
    once_is(s, "A1", "2 ");
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_is_found_by_account_and_use),
        cmocka_unit_test(a_point_that_changes_is_found_where_it_is_now),
        cmocka_unit_test(a_store_without_the_index_gets_it_at_the_start),
        cmocka_unit_test(whose_a_point_was_it_is_found_by_also_in_a_store_of_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
