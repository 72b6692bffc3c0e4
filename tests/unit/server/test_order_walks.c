/* Orders of work in a store: what is written is read again, and every walk finds what a plain list of the same orders has, after
 * random moves. */
#include "server/orders.h"

#include "storage/db.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW 1772416800 /* 2026-03-02T02:00:00Z */
#define HOUR 3600
#define COUNT 60

static const char *const crews[] = { "", "K1", "K2", "K10" };
static const char *const points[] = { "", "P1", "P2", "P11" };
static const char *const serials[] = { "", "S1", "S2", "S11" };
static const char *const tours[] = { "", "T1", "T2" };

/* An order as the model has it. */
struct plain {
    uint32_t id;
    char name[ORDER_NAME_SIZE];
    unsigned kind, state, crew, point, serial, tour, stop, flag;
    int64_t due_s;
};

struct store {
    struct ledger *ledger;
    struct plain plain[COUNT];
    unsigned count;
    int64_t now_s;
    struct check_random random;
};

static unsigned below(struct store *s, unsigned bound)
{
    return (unsigned)check_below(&s->random, bound);
}

static struct act begin(struct store *s)
{
    struct act a = act_begin(s->ledger, "office", s->now_s, 0);

    assert_ok(a.txn.err);
    return a;
}

static void make(struct store *s)
{
    struct plain *p = &s->plain[s->count++];
    struct act a = begin(s);
    struct order o;
    char name[ORDER_NAME_SIZE];

    p->kind = below(s, ORDER_KINDS);
    p->state = ORDER_OPEN;
    p->crew = p->tour = p->stop = 0;
    p->point = below(s, 4);
    p->serial = p->point ? below(s, 4) : 1 + below(s, 3);
    p->flag = below(s, 2);
    o = order_new(&a, (enum order_kind)p->kind);
    o.point = span_text(points[p->point]);
    o.serial = span_text(serials[p->serial]);
    o.reason = span_text("故障, by \"hand\"");
    o.flag = span_text(p->flag ? "0000002a-stuck-69a1b2c3" : "");
    p->due_s = o.due_s;
    order_put(&a, &o, name);
    assert_ok(act_end(&a));
    p->id = o.id;
    memcpy(p->name, name, sizeof p->name);
}

static void change(struct store *s)
{
    struct plain *p = &s->plain[below(s, s->count)];
    enum order_move m = (enum order_move)below(s, ORDER_MOVES);
    struct act a = begin(s);
    struct order_kept kept;
    struct order o;
    char why[400];

    assert_true(order_find(&a.txn, span_text(p->name), &o));
    order_keep(&o, &kept);
    o = kept.order;
    assert_int_equal(o.state, p->state);
    if (!order_may(&o, m, why, sizeof why)) {
        assert_false(order_move_from(m) >> p->state & 1);
        assert_non_null(strstr(why, order_state_name(o.state)));
        act_abort(&a);
        return;
    }
    if (m == MOVE_ASSIGN)
        o.assignee = span_text(crews[p->crew = 1 + below(s, 3)]);
    if (m == MOVE_CHANGE) {
        o.tour = span_text(tours[p->tour = below(s, 3)]);
        o.stop = p->stop = p->tour ? 1 + below(s, 40) : 0;
        o.due_s = p->due_s = s->now_s + HOUR * (int64_t)below(s, 100);
    }
    if (m == MOVE_REPORT)
        o.result = (enum order_result)below(s, ORDER_RESULTS);
    order_move(&o, m, s->now_s);
    if (m == MOVE_UNASSIGN || (m == MOVE_REPORT && order_result_ending(o.result) == ORDER_BACK))
        p->crew = p->tour = p->stop = 0;
    if (m == MOVE_REPORT && order_result_ending(o.result) == ORDER_BACK)
        p->due_s = order_due(PRIORITY_NORMAL, s->now_s);
    p->state = m == MOVE_REPORT ? order_reported(o.result, (enum order_state)p->state)
                                : order_moved(m, (enum order_state)p->state);
    order_put(&a, &o, NULL);
    assert_ok(act_end(&a));
}

/* ---- walks against the model ---- */

typedef bool wanted(const struct plain *p, unsigned value);

static bool in_state(const struct plain *p, unsigned v)
{
    return p->state == v;
}
static bool of_kind(const struct plain *p, unsigned v)
{
    return p->kind == v;
}
static bool is_live(const struct plain *p, unsigned v)
{
    (void)v;
    return order_is_live((enum order_state)p->state);
}
static bool of_crew(const struct plain *p, unsigned v)
{
    return p->crew == v;
}
static bool of_crew_live(const struct plain *p, unsigned v)
{
    return p->crew == v && is_live(p, 0);
}
static bool at_point(const struct plain *p, unsigned v)
{
    return p->point == v;
}
static bool of_meter(const struct plain *p, unsigned v)
{
    return p->serial == v;
}
static bool on_tour(const struct plain *p, unsigned v)
{
    return p->tour == v;
}
static bool of_flag(const struct plain *p, unsigned v)
{
    return p->flag == v;
}
static bool any(const struct plain *p, unsigned v)
{
    (void)p, (void)v;
    return true;
}

static const struct plain *plain_of(const struct store *s, uint32_t id)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (s->plain[i].id == id)
            return &s->plain[i];
    }
    fail_msg("order %u: nobody made it", (unsigned)id);
    return NULL;
}

/* The walk's rows are those of the model, each once, and as the model has them. */
static void holds(struct store *s, struct order_walk w, wanted *want, unsigned value)
{
    unsigned found = 0, expected = 0;
    int64_t due_s = INT64_MIN;
    uint32_t stop = 0;

    while (order_next(&w)) {
        const struct plain *p = plain_of(s, w.order.id);

        found++;
        assert_true(want(p, value));
        assert_true(span_equal(w.order.name, span_text(p->name)));
        assert_int_equal(w.order.kind, p->kind);
        assert_int_equal(w.order.state, p->state);
        assert_true(span_equal(w.order.assignee, span_text(crews[p->crew])));
        assert_true(span_equal(w.order.tour, span_text(tours[p->tour])));
        assert_int_equal(w.order.stop, p->stop);
        assert_true(w.order.due_s == p->due_s);
        assert_true(span_equal(w.order.reason, span_text("故障, by \"hand\"")));
        if (want == is_live) {
            assert_true(due_s <= p->due_s);
            due_s = p->due_s;
        }
        if (want == on_tour) {
            assert_true(stop <= p->stop);
            stop = p->stop;
        }
    }
    assert_ok(w.txn->err);
    order_walk_done(&w);
    for (unsigned i = 0; i < s->count; i++)
        expected += want(&s->plain[i], value);
    assert_int_equal(found, expected);
}

static void all_hold(struct store *s)
{
    static const struct span first;
    struct txn t = ledger_read(s->ledger);

    holds(s, orders_all(&t, first), any, 0);
    holds(s, orders_by_due(&t, first), is_live, 0);
    for (unsigned i = 0; i < ORDER_STATES; i++)
        holds(s, orders_in_state(&t, (enum order_state)i, ORDER_KINDS, first), in_state, i);
    for (unsigned i = 0; i < ORDER_KINDS; i++)
        holds(s, orders_of_kind(&t, (enum order_kind)i, first), of_kind, i);
    for (unsigned i = 1; i < 4; i++) {
        holds(s, orders_of(&t, ORDERS_OF_ASSIGNEE, span_text(crews[i]), false, first), of_crew, i);
        holds(s, orders_of(&t, ORDERS_OF_ASSIGNEE, span_text(crews[i]), true, first), of_crew_live,
              i);
        holds(s, orders_of(&t, ORDERS_OF_POINT, span_text(points[i]), false, first), at_point, i);
        holds(s, orders_of(&t, ORDERS_OF_METER, span_text(serials[i]), false, first), of_meter, i);
    }
    for (unsigned i = 1; i < 3; i++)
        holds(s, orders_of(&t, ORDERS_OF_TOUR, span_text(tours[i]), false, first), on_tour, i);
    holds(s, orders_of(&t, ORDERS_OF_FLAG, span_text("0000002a-stuck-69a1b2c3"), false, first),
          of_flag, 1);
    assert_ok(txn_end(&t));
}

static struct store *store_new(void)
{
    struct store *s = (struct store *)calloc(1, sizeof *s);
    struct refusal r;

    s->now_s = NOW;
    assert_ok(ledger_open(check_folder(), DB_CREATE, &s->ledger, &r));
    return s;
}

static void store_free(struct store *s)
{
    assert_ok(ledger_check(s->ledger, NULL));
    ledger_close(s->ledger);
    free(s);
}

static void every_walk_finds_what_a_plain_list_has(void **state)
{
    struct store *s = store_new();

    (void)state;
    s->random = check_random_begin();
    for (unsigned round = 0; round < 8 * COUNT; round++) {
        s->now_s += below(s, 2) * below(s, 9 * HOUR);
        if (s->count < COUNT && below(s, 6) == 0)
            make(s);
        else if (s->count)
            change(s);
        if (round % 40 == 39)
            all_hold(s);
    }
    all_hold(s);
    store_free(s);
}

/* A page at a time, wherever it is cut. */
static void a_walk_goes_on_behind_its_cursor(void **state)
{
    struct store *s = store_new();
    uint8_t cursor[512];
    size_t len = 0;
    unsigned found = 0;

    (void)state;
    s->random = check_random_begin();
    while (s->count < 20)
        make(s);
    for (bool more = true; more;) {
        struct txn t = ledger_read(s->ledger);
        struct order_walk w = orders_by_due(&t, span_of(cursor, len));

        if ((more = order_next(&w))) {
            found++;
            assert_true(w.cursor.len <= sizeof cursor);
            len = w.cursor.len;
            memcpy(cursor, w.cursor.at, len);
        }
        order_walk_done(&w);
        assert_ok(txn_end(&t));
    }
    assert_int_equal(found, 20);
    store_free(s);
}

static void a_live_order_is_found_at_its_place_and_by_its_meter(void **state)
{
    struct store *s = store_new();
    struct act a = begin(s);
    struct order o = order_new(&a, ORDER_REPLACE), found;
    char name[ORDER_NAME_SIZE];

    (void)state;
    o.point = span_text("P1");
    o.serial = span_text("S1");
    order_put(&a, &o, name);
    assert_string_equal(name, "W00000001");
    assert_true(order_live_at(&a.txn, ORDER_REPLACE, span_text("P1"), span_text(""), &found));
    assert_true(order_live_at(&a.txn, ORDER_REPLACE, span_text("P9"), span_text("S1"), &found));
    assert_false(order_live_at(&a.txn, ORDER_READ, span_text("P1"), span_text("S1"), &found));
    assert_false(order_live_at(&a.txn, ORDER_REPLACE, span_text("P"), span_text("S"), &found));
    order_move(&o, MOVE_CANCEL, s->now_s);
    order_put(&a, &o, NULL);
    assert_false(order_live_at(&a.txn, ORDER_REPLACE, span_text("P1"), span_text("S1"), &found));
    assert_ok(act_end(&a));
    store_free(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_walk_finds_what_a_plain_list_has),
        cmocka_unit_test(a_walk_goes_on_behind_its_cursor),
        cmocka_unit_test(a_live_order_is_found_at_its_place_and_by_its_meter),
    };

    return check_run(tests, argc, argv);
}
