#include "storage/views.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

struct state {
    uint32_t number;
    uint8_t bytes[60];
};

static struct views *opened(const char *dir)
{
    struct refusal r = { 0 };
    struct views *v;

    assert_ok(views_open(dir, DB_CREATE, &v, &r));
    return v;
}

static void put_states(struct views *v, uint32_t version, const uint32_t *meters, size_t count,
                       uint32_t plus)
{
    struct txn t = views_write(v);
    struct views_states s;

    assert_ok(views_states_begin(&s, &t, version, sizeof(struct state)));
    for (size_t i = 0; i < count; i++) {
        struct state *state = (struct state *)views_states_at(&s, meters[i]);

        assert_non_null(state);
        state->number += meters[i] + plus;
        state->bytes[59] = (uint8_t)meters[i];
    }
    views_states_end(&s);
    assert_ok(txn_end(&t));
}

static uint32_t number_of(struct views *v, uint32_t version, uint32_t meter)
{
    struct txn t = views_read(v);
    struct state state;

    views_state(&t, meter, version, &state, sizeof state);
    assert_ok(txn_end(&t));
    return state.number;
}

static void states_come_back_after_a_restart(void **unused)
{
    static const uint32_t meters[] = { 1, 2, 31, 32, 33, 5000, 67108863 };
    const char *dir = check_folder();
    struct views *v = opened(dir);

    (void)unused;
    put_states(v, 7, meters, 7, 0);
    views_close(v);
    v = opened(dir);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(number_of(v, 7, meters[i]), meters[i]);
    assert_int_equal(number_of(v, 7, 3), 0);
    assert_int_equal(number_of(v, 7, 4999), 0);
    put_states(v, 7, meters + 1, 1, 100); /* its neighbours keep theirs */
    assert_int_equal(number_of(v, 7, 2), 2 + 102);
    assert_int_equal(number_of(v, 7, 1), 1);
    assert_int_equal(number_of(v, 7, 31), 31);
    views_close(v);
}

static void a_state_of_another_version_or_size_is_none(void **unused)
{
    static const uint32_t meters[] = { 4, 5 };
    struct views *v = opened(check_folder());
    struct txn t;
    uint8_t longer[80];

    (void)unused;
    put_states(v, 1, meters, 2, 0);
    assert_int_equal(number_of(v, 2, 4), 0);
    t = views_read(v);
    memset(longer, 1, sizeof longer);
    views_state(&t, 4, 1, longer, sizeof longer);
    assert_int_equal(longer[0], 0);
    assert_int_equal(longer[79], 0);
    assert_ok(txn_end(&t));
    put_states(v, 2, meters, 1, 10); /* the chunk begins anew */
    assert_int_equal(number_of(v, 2, 4), 14);
    assert_int_equal(number_of(v, 2, 5), 0);
    assert_int_equal(number_of(v, 1, 5), 0);
    views_close(v);
}

static void states_that_are_aborted_never_were(void **unused)
{
    struct views *v = opened(check_folder());
    struct txn t = views_write(v);
    struct views_states s;

    (void)unused;
    assert_ok(views_states_begin(&s, &t, 1, sizeof(struct state)));
    ((struct state *)views_states_at(&s, 9))->number = 9;
    ((struct state *)views_states_at(&s, 90))->number = 90;
    views_states_end(&s);
    txn_abort(&t);
    assert_int_equal(number_of(v, 1, 9), 0);
    assert_int_equal(number_of(v, 1, 90), 0);
    views_close(v);
}

static void flags_stand_in_order_of_their_ids(void **unused)
{
    static const char *const ids[] = { "00000002-leak-69000000", "00000001-stuck-69000000",
                                       "00000001-leak-69a00000", "0000000a-leak-00000000" };
    static const int order[] = { 2, 1, 0, 3 };
    struct views *v = opened(check_folder());
    struct txn t = views_write(v);
    struct scan s;
    struct span facts;
    int n = 0;

    (void)unused;
    for (int i = 0; i < 4; i++)
        views_put_flag(&t, span_text(ids[i]), span_of(&order[i], sizeof order[i]));
    assert_ok(txn_end(&t));
    t = views_read(v);
    s = views_flags(&t, span_of(NULL, 0));
    while (scan_next(&s))
        assert_true(span_equal(s.key, span_text(ids[order[n++]])));
    scan_done(&s);
    assert_int_equal(n, 4);
    s = views_flags(&t, span_text("00000002-"));
    assert_true(scan_next(&s));
    assert_true(span_equal(s.key, span_text(ids[0])));
    scan_done(&s);
    assert_true(views_flag(&t, span_text(ids[3]), &facts));
    assert_int_equal(facts.len, sizeof order[0]);
    assert_ok(txn_end(&t));
    t = views_write(v);
    views_del_flag(&t, span_text(ids[3]));
    assert_ok(txn_end(&t));
    t = views_read(v);
    assert_false(views_flag(&t, span_text(ids[3]), &facts));
    assert_ok(txn_end(&t));
    views_close(v);
}

static void dated_flags_stand_in_order_of_onset_then_serial(void **unused)
{
    static const struct {
        int64_t onset_s;
        const char *serial, *id;
    } put[] = { { 50, "B", "2-x" }, { -7, "Z", "9-x" }, { 50, "A", "3-x" }, { 50, "AB", "1-x" } };
    static const char *const order[] = { "9-x", "3-x", "1-x", "2-x" };
    struct views *v = opened(check_folder());
    struct txn t = views_write(v);
    uint64_t changes = views_changes(&t);
    uint8_t cursor[64];
    struct scan s;
    size_t len = 0;
    int n = 0;

    (void)unused;
    for (int twice = 0; twice < 2; twice++)
        for (int i = 0; i < 4; i++)
            views_put_dated(&t, put[i].onset_s, span_text(put[i].serial), span_text(put[i].id),
                            span_text("facts"));
    assert_ok(txn_end(&t));
    t = views_read(v);
    s = views_dated(&t, span_of(NULL, 0));
    while (scan_next(&s)) {
        assert_true(n < 4 && span_equal(dated_id(s.key), span_text(order[n])));
        if (n++ == 1)
            memcpy(cursor, s.key.at, len = s.key.len);
    }
    scan_done(&s);
    assert_int_equal(n, 4);
    s = views_dated(&t, span_of(cursor, len)); /* the row of the cursor itself, then the next */
    assert_true(scan_next(&s) && scan_next(&s));
    assert_true(span_equal(dated_id(s.key), span_text("1-x")));
    scan_done(&s);
    assert_int_equal(views_changes(&t), changes);
    assert_ok(txn_end(&t));
    t = views_write(v);
    views_del_dated(&t, 50, span_text("A"), span_text("3-x"));
    views_del_dated(&t, 50, span_text("A"), span_text("3-x"));
    s = views_dated(&t, span_of(NULL, 0));
    for (n = 0; scan_next(&s);)
        n++;
    scan_done(&s);
    assert_int_equal(n, 3);
    assert_ok(txn_end(&t));
    views_close(v);
}

static void conditions_stand_by_meter_and_count_as_changes(void **unused)
{
    struct views *v = opened(check_folder());
    struct txn t = views_write(v);
    struct key room;
    struct scan s;
    struct span facts;
    uint64_t before;

    (void)unused;
    views_put_condition(&t, 300, span_text("late"));
    views_put_condition(&t, 2, span_text("soon"));
    before = views_changes(&t);
    views_put_condition(&t, 2, span_text("now"));
    assert_int_equal(views_changes(&t), before + 1);
    views_put_flag(&t, span_text("00000001-stuck-69000000"), span_text("f"));
    assert_int_equal(views_changes(&t), before + 2);
    assert_true(views_condition(&t, 2, &facts) && span_equal(facts, span_text("now")));
    s = views_conditions(&t, &room, 3);
    assert_true(scan_next(&s));
    assert_int_equal(condition_meter(s.key), 300);
    assert_false(scan_next(&s));
    scan_done(&s);
    views_del_condition(&t, 300);
    assert_false(views_condition(&t, 300, &facts));
    assert_int_equal(views_changes(&t), before + 3);
    assert_ok(txn_end(&t));
    views_close(v);
}

static void how_far_they_go_is_kept_with_them(void **unused)
{
    const char *dir = check_folder();
    struct views *v = opened(dir);
    struct txn t = views_write(v);

    (void)unused;
    assert_int_equal(views_folded(&t), 0);
    assert_int_equal(views_acts(&t), 0);
    views_set_folded(&t, UINT64_C(0x123456789a));
    views_set_acts(&t, 77);
    assert_ok(txn_end(&t));
    views_close(v);
    v = opened(dir);
    t = views_read(v);
    assert_int_equal(views_folded(&t), UINT64_C(0x123456789a));
    assert_int_equal(views_acts(&t), 77);
    assert_ok(txn_end(&t));
    views_close(v);
}

/* LMDB's pages bear no checksum: ours must see a bit that turned. */
static void a_damaged_state_is_never_served(void **unused)
{
    static const uint32_t meters[] = { 3 };
    const char *dir = check_folder();
    struct views *v = opened(dir);
    char path[400];
    struct span file;
    struct txn t;
    struct state state;
    size_t hits = 0;

    (void)unused;
    put_states(v, 0x5eed5eed, meters, 1, 0x13579b);
    views_close(v);
    snprintf(path, sizeof path, "%s/views.mdb", dir);
    file = check_read(path);
    for (size_t i = 0; i + 8 <= file.len; i++) {
        struct {
            uint32_t version, size;
        } head = { 0x5eed5eed, sizeof(struct state) };

        if (memcmp(file.at + i, &head, 8) == 0) {
            ((uint8_t *)file.at)[i + 8 + 3 * sizeof(struct state)] ^= 4;
            hits++;
        }
    }
    assert_true(hits > 0);
    check_write(path, file);
    v = opened(dir);
    t = views_read(v);
    views_state(&t, 3, 0x5eed5eed, &state, sizeof state);
    assert_err(ERR_CORRUPT, t.err);
    txn_abort(&t);
    views_close(v);
    free((void *)file.at);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_come_back_after_a_restart),
        cmocka_unit_test(a_state_of_another_version_or_size_is_none),
        cmocka_unit_test(states_that_are_aborted_never_were),
        cmocka_unit_test(flags_stand_in_order_of_their_ids),
        cmocka_unit_test(dated_flags_stand_in_order_of_onset_then_serial),
        cmocka_unit_test(conditions_stand_by_meter_and_count_as_changes),
        cmocka_unit_test(how_far_they_go_is_kept_with_them),
        cmocka_unit_test(a_damaged_state_is_never_served),
    };

    return check_run(tests, argc, argv);
}
