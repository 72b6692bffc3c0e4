/* Damage to what is found by index shows, and is named. */
#include "server/indexes_check.h"

#include "server/acts/act.h"
#include "server/app_open.h"
#include "server/orders.h"
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

static void import(struct store *s, const char *list, const char *text)
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
    assert_ok(act_import(&s->app, &root, span_text(list), fd, &o, &report, &r));
    import_report_done(&report);
    close(fd);
}

static void ordered(struct store *s)
{
    struct act a = act_begin(s->app.ledger, "test", NOW, 0);
    struct order o = order_new(&a, ORDER_INSPECT);
    char name[ORDER_NAME_SIZE];

    o.point = span_text("P1");
    o.serial = span_text("M5");
    a.words = NULL;
    order_put(&a, &o, name);
    assert_ok(act_end(&a));
}

static struct store *town(void)
{
    struct store *s = (struct store *)calloc(1, sizeof *s);
    struct app_options o = { .tz = "Asia/Shanghai", .retention_days = 90, .settle_every_s = 3600 };
    struct refusal r = { 0 };

    o.dir = s->folder = check_folder();
    clock_virtual(&s->app.clock, NOW);
    if (app_open_store(&s->app, &o, &r) || app_start(&s->app, &o, &r))
        fail_msg("%s", r.text);
    import(s, "batches", "batch\nB1\n");
    import(s, "meters",
           "serial,model,batch,dn,q3,state,verified_on,depot\n"
           "M1,A,B1,20,2.5,in-stock,2025-06-01,north\n"
           "M2,A,B1,20,2.5,in-stock,2025-06-01,north\n"
           "M3,A,,20,2.5,verified,2024-06-01,\n"
           "M4,,,20,2.5,,2026-04-01,\n" /* verified in a month */
           "M5,,,20,2.5,,2020-04-01,\n");
    import(s, "points", "point,account,use_class\nP1,ACC,hydrant\nP2,ACC,residential\n");
    import(s, "modems", "modem,imei,serial\nX1,861000000000011,M1\nX2,861000000000012,\n");
    import(s, "crews", "crew\nC1\n");
    import(s, "seals", "seal,crew\nS1,C1\nS2,\n");
    import(s, "fittings",
           "point,serial,from,start_index_l\nP1,M5,2026-01-01T00:00:00Z,0\n"
           "P2,M3,2026-05-01T00:00:00Z,0\n");
    ordered(s);
    return s;
}

static void free_store(struct store *s)
{
    app_stop(&s->app);
    app_close_store(&s->app);
    free(s);
}

static enum err look(struct store *s, struct indexes_checked *out, struct refusal *r)
{
    *r = (struct refusal){ 0 };
    return indexes_check(&s->app, out, r);
}

static void what_was_told_is_sound(void **state)
{
    struct indexes_checked told;
    struct refusal r;
    struct store *s = town();

    (void)state;
    if (look(s, &told, &r))
        fail_msg("%s", r.text);
    assert_true(told.lives);
    assert_int_equal(5 + 2 + 2 + 2 + 1, told.rows);
    /* state 4, due 4, shelf 2, held 2, ahead 2, batch 2, assets 3 + 3 + history, points 3, stock */
    assert_true(told.keys > 20);
    free_store(s);
}

struct damage {
    enum ledger_index index;
    const char *key;
    size_t len;
    int64_t value; /* −1: the key is dropped, else put */
    const char *said[2];
};

static void damage_and_mend(struct store *s, const struct damage *d)
{
    struct span key = span_of(d->key, d->len);
    struct act a = act_begin(s->app.ledger, "test", NOW, 0);
    struct index_walk w = ledger_index_walk(&a.txn, d->index, key, span_of(NULL, 0));
    bool there = index_next(&w) && span_equal(w.key, key);
    uint32_t was = there ? w.value : 0;
    struct indexes_checked told;
    struct refusal r;

    index_done(&w);
    if (!there && d->value < 0)
        fail_msg("nothing stands under %.*s", (int)d->len, d->key);
    if (d->value < 0)
        act_index_drop(&a, d->index, key);
    else
        act_index_put(&a, d->index, key, (uint32_t)d->value);
    assert_ok(act_end(&a));
    assert_err(ERR_MISSING, look(s, &told, &r));
    for (unsigned i = 0; i < 2; i++)
        if (!strstr(r.text, d->said[i]))
            fail_msg("expected …%s…, heard %s", d->said[i], r.text);
    a = act_begin(s->app.ledger, "test", NOW, 0);
    if (there)
        act_index_put(&a, d->index, key, was);
    else
        act_index_drop(&a, d->index, key);
    assert_ok(act_end(&a));
    if (look(s, &told, &r))
        fail_msg("mended, and yet: %s", r.text);
}

#define KEY(text) text, sizeof(text) - 1

static void a_key_that_is_lost_or_one_too_many_is_named(void **state)
{
    static const struct damage all[] = {
        { INDEX_STATE, KEY("\x05M1"), -1, { "by state", "M1 is not where" } },
        { INDEX_STATE, KEY("\x06M1"), 1, { "by state", "M1 stands where" } },
        { INDEX_STATE, KEY("\x05M2"), 1, { "by state", "M2 is not where" } },
        { INDEX_HELD, KEY("dnorth\0M2"), -1, { "by holder", "M2" } },
        { INDEX_HELD, KEY("csouth\0M2"), 2, { "by holder", "M2 stands" } },
        { INDEX_BATCH, KEY("B1\0M1\0"), -1, { "by batch", "M1" } },
        { INDEX_BATCH, KEY("B2\0M3\0"), 3, { "by batch", "M3 stands" } },
        { INDEX_POINTS, KEY("aACC\0P2\0"), -1, { "points", "P2" } },
        { INDEX_POINTS, KEY("upublic\0P2\0"), 2, { "points", "P2 stands" } },
        { INDEX_POINTS, KEY("aACC\0P9\0"), 9, { "points", "row 9 stands" } },
        { INDEX_ASSETS, KEY("i861000000000012\0"), -1, { "modems and seals", "X2" } },
        { INDEX_ASSETS, KEY("mM2\0"), 2, { "modems and seals", "X2 stands" } },
        { INDEX_ASSETS, KEY("sC1\0\x01S1\0"), -1, { "modems and seals", "S1" } },
        { INDEX_ASSETS, KEY("z\x03S2\0"), 2, { "modems and seals", "S2 stands" } },
        { INDEX_ORDERS, KEY("pP1\0\0\0\0\0\x01"), -1, { "orders", "W00000001 is not" } },
        { INDEX_ORDERS, KEY("pP2\0\0\0\0\0\x01"), 1, { "orders", "W00000001 stands" } },
        { INDEX_PAPERS, KEY("lissue:IS-1\0M1\0"), 1, { "papers", "issue:IS-1" } },
    };
    struct store *s = town();

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        damage_and_mend(s, &all[i]);
    free_store(s);
}

/* The n-th key of an index. */
static struct key key_at(struct store *s, enum ledger_index index, unsigned n, uint32_t *out_value)
{
    struct txn t = ledger_read(s->app.ledger);
    struct index_walk w = ledger_index_walk(&t, index, span_of(NULL, 0), span_of(NULL, 0));
    struct key k;

    key_clear(&k);
    for (unsigned i = 0; i <= n; i++)
        assert_true(index_next(&w));
    for (size_t i = 0; i < w.key.len; i++)
        key_u8(&k, w.key.at[i]);
    *out_value = w.value;
    index_done(&w);
    txn_abort(&t);
    return k;
}

static void dates_counts_and_what_is_to_come_are_looked_at(void **state)
{
    static const struct {
        enum ledger_index index;
        unsigned n;
        const char *name;
    } lost[] = {
        { INDEX_DUE, 0, "legal due date" },
        { INDEX_SHELF, 1, "in stock" },
        { INDEX_AHEAD, 0, "" },
        { INDEX_AHEAD, 1, "" },
        { INDEX_STOCK, 0, "stock" },
    };
    struct store *s = town();

    (void)state;
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        uint32_t value;
        struct key k = key_at(s, lost[i].index, lost[i].n, &value);
        struct damage d = { lost[i].index, (const char *)k.bytes, k.len, -1, { lost[i].name, "" } };

        damage_and_mend(s, &d);
        if (lost[i].index != INDEX_STOCK)
            continue;
        d.value = value + 1;
        d.said[0] = "are counted as";
        damage_and_mend(s, &d);
    }
    free_store(s);
}

static void of_another_time_zone_lives_are_passed_over(void **state)
{
    struct indexes_checked told;
    struct refusal r;
    struct store *s = town();

    (void)state;
    zone_fixed(&s->app.zone, "Europe/Berlin", 3600);
    assert_ok(look(s, &told, &r));
    assert_false(told.lives);
    free_store(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_is_sound),
        cmocka_unit_test(a_key_that_is_lost_or_one_too_many_is_named),
        cmocka_unit_test(dates_counts_and_what_is_to_come_are_looked_at),
        cmocka_unit_test(of_another_time_zone_lives_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
