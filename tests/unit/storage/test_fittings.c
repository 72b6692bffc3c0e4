/* Fittings by meter and by point: the same whichever way they are asked for, in rows of several and in the rows of older stores. */
#include "storage/ledger_priv.h"
#include "tests/check.h"

#include <stdlib.h>

#define METERS 5
#define POINTS 4
#define MOST 600

static struct ledger *opened(void)
{
    struct ledger *l = NULL;
    struct refusal r = { 0 };

    assert_err(ERR_OK, ledger_open(check_folder(), DB_CREATE, &l, &r));
    return l;
}

static int by_time(const void *a, const void *b)
{
    const struct fitting *x = (const struct fitting *)a, *y = (const struct fitting *)b;

    if (x->from_s != y->from_s)
        return x->from_s < y->from_s ? -1 : 1;
    return (x->meter * 100 + x->point > y->meter * 100 + y->point) ? 1 : -1;
}

static bool same(const struct fitting *a, const struct fitting *b)
{
    return a->meter == b->meter && a->point == b->point && a->from_s == b->from_s &&
           a->to_s == b->to_s && a->start_ml == b->start_ml && a->has_end == b->has_end &&
           a->end_ml == b->end_ml;
}

/* A plain list, and what of it must come for a meter or a point. */
struct model {
    struct fitting at[MOST];
    size_t count;
};

static void assert_list(struct txn *t, const struct model *m, bool by_point, uint32_t id)
{
    struct fitting wanted[MOST], found[MOST];
    size_t count = 0, there;

    for (size_t i = 0; i < m->count; i++)
        if ((by_point ? m->at[i].point : m->at[i].meter) == id)
            wanted[count++] = m->at[i];
    qsort(wanted, count, sizeof wanted[0], by_time);
    assert_ok(by_point ? ledger_fittings_of_point(t, id, found, MOST, &there)
                       : ledger_fittings_of_meter(t, id, found, MOST, &there));
    assert_int_equal(count, there);
    for (size_t i = 0; i < count; i++)
        assert_true(same(&wanted[i], &found[i]));
}

static void assert_model(struct ledger *l, const struct model *m)
{
    struct txn t = ledger_read(l);
    struct refusal r = { 0 };

    for (uint32_t i = 1; i <= METERS; i++)
        assert_list(&t, m, false, i);
    for (uint32_t i = 1; i <= POINTS; i++)
        assert_list(&t, m, true, i);
    assert_ok(txn_end(&t));
    if (ledger_check(l, &r))
        fail_msg("%s", r.text);
}

static struct fitting any_fitting(struct check_random *r)
{
    struct fitting f = { .meter = (uint32_t)check_between(r, 1, METERS),
                         .point = (uint32_t)check_between(r, 1, POINTS),
                         .from_s = check_between(r, 0, 60),
                         .to_s = FITTING_OPEN,
                         .start_ml = check_between(r, 0, 1000000000) };

    if (check_below(r, 8) == 0)
        f.from_s = check_below(r, 2) ? LEDGER_ALWAYS : INT64_MAX - 1;
    if (check_below(r, 2))
        f.to_s = f.from_s + 1;
    if (check_below(r, 2)) {
        f.has_end = true;
        f.end_ml = check_between(r, -5, 2000000000);
    }
    return f;
}

static struct fitting *find(struct model *m, const struct fitting *f)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->at[i].meter == f->meter && m->at[i].point == f->point &&
            m->at[i].from_s == f->from_s)
            return &m->at[i];
    return NULL;
}

static void put(struct ledger *l, struct model *m, const struct fitting *f)
{
    struct act a = act_begin(l, "root", 1, 0);
    struct fitting *old = find(m, f);

    act_put_fitting(&a, f);
    assert_ok(act_end(&a));
    if (old)
        *old = *f;
    else
        m->at[m->count++] = *f;
}

static void drop(struct ledger *l, struct model *m, const struct fitting *f)
{
    struct act a = act_begin(l, "root", 1, 0);
    struct fitting *old = find(m, f);

    act_drop_fitting(&a, f);
    assert_ok(act_end(&a));
    if (old)
        *old = m->at[--m->count];
}

/* As they lay before several shared a row: u32 · i64 from · u32 → the fitting. */
static void put_old(struct txn *t, unsigned table, uint32_t first, uint32_t second,
                    const struct fitting *f)
{
    bool ended = f->to_s != FITTING_OPEN;
    uint8_t bytes[64];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct key k;

    key_clear(&k);
    key_u32(&k, first);
    key_i64(&k, f->from_s);
    key_u32(&k, second);
    wr_u8(&w, (uint8_t)(ended | (f->has_end ? 2 : 0)));
    if (ended)
        wr_zigzag(&w, f->to_s - f->from_s);
    wr_zigzag(&w, f->start_ml);
    if (f->has_end)
        wr_zigzag(&w, f->end_ml - f->start_ml);
    txn_put(t, table, key_span(&k), wr_span(&w));
}

static void old_rows(struct ledger *l, struct model *m, struct check_random *r, unsigned count)
{
    struct txn t = txn_begin(l->db, TXN_WRITE);

    while (count--) {
        struct fitting f = any_fitting(r);

        if (find(m, &f))
            continue;
        put_old(&t, LEDGER_BY_METER, f.meter, f.point, &f);
        put_old(&t, LEDGER_BY_POINT, f.point, f.meter, &f);
        m->at[m->count++] = f;
    }
    assert_ok(txn_end(&t));
}

static void any_fittings_read_as_the_plain_list_of_them(void **state)
{
    struct check_random r = check_random_begin();
    struct model *m = (struct model *)calloc(1, sizeof *m);
    struct ledger *l = opened();

    (void)state;
    old_rows(l, m, &r, 40);
    assert_model(l, m);
    for (unsigned i = 0; i < 400; i++) {
        struct fitting f = any_fitting(&r);

        if (m->count && check_below(&r, 3) == 0) {
            struct fitting known = m->at[check_below(&r, m->count)];

            f.meter = known.meter;
            f.point = known.point;
            f.from_s = known.from_s;
        }
        if (check_below(&r, 3) == 0)
            drop(l, m, &f);
        else
            put(l, m, &f);
        if (i % 40 == 0)
            assert_model(l, m);
    }
    assert_model(l, m);
    ledger_close(l);
    free(m);
}

static void a_fitting_that_stands_in_one_index_alone_is_missed(void **state)
{
    struct ledger *l = opened();
    struct fitting f = { .meter = 1, .point = 2, .from_s = 5, .to_s = FITTING_OPEN };
    struct model m = { 0 };
    struct refusal r = { 0 };
    struct txn t;

    (void)state;
    put(l, &m, &f);
    t = txn_begin(l->db, TXN_WRITE);
    f.from_s = 9;
    put_old(&t, LEDGER_BY_POINT, f.point, f.meter, &f);
    assert_ok(txn_end(&t));
    assert_err(ERR_MISSING, ledger_check(l, &r));
    t = txn_begin(l->db, TXN_WRITE);
    f.end_ml = 1;
    f.has_end = true; /* there, but another */
    put_old(&t, LEDGER_BY_METER, f.meter, f.point, &f);
    assert_ok(txn_end(&t));
    assert_err(ERR_MISSING, ledger_check(l, &r));
    ledger_close(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_fittings_read_as_the_plain_list_of_them),
        cmocka_unit_test(a_fitting_that_stands_in_one_index_alone_is_missed),
    };

    return check_run(tests, argc, argv);
}
