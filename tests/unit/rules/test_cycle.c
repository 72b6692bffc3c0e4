/* Determinants come back as they were written, and strange bytes are refused. */
#include "server/billing/cycle.h"
#include "tests/check.h"
#include "tests/unit/told.h"

#define FROM 1772294400 /* 2026-03-01T00:00+08:00 */
#define TO (FROM + 31 * 86400)

static int64_t figure(struct check_random *r)
{
    return (int64_t)check_random(r) >> (check_random(r) % 64);
}

static void make_part(struct check_random *r, struct part *p, int64_t from_s, int64_t to_s)
{
    static const char *const serials[] = { "M1", "10000017", "A-VERY.LONG_SERIAL:OF-32-BYTES.0" };

    *p = (struct part){ .kind = (enum part_kind)(check_random(r) % 3),
                        .from_s = from_s,
                        .to_s = to_s,
                        .known = check_random(r) % 4 != 0,
                        .quality = (enum quality)(check_random(r) % 4),
                        .method = (enum method)(check_random(r) % 6) };
    if (p->kind == PART_NO_METER)
        return;
    p->serial = serials[check_random(r) % 3];
    p->start_known = p->known || check_random(r) % 2;
    p->end_known = p->known;
    p->start_ml = p->start_known ? figure(r) : 0;
    p->end_ml = p->end_known ? figure(r) : 0;
    p->consumption_ml = p->known ? figure(r) : 0;
    p->rollovers = check_random(r) % 8 ? 0 : (int32_t)(check_random(r) % 7) - 3;
}

static struct check_told told[CHECK_COUNT]; /* of the row at hand */

static void make(struct check_random *r, struct consumption *c, struct part *parts, size_t count)
{
    int64_t at_s = FROM;

    *c = (struct consumption){ .from_s = FROM, .to_s = TO, .known = true, .parts = parts };
    c->part_count = count;
    for (size_t i = 0; i < count; i++) {
        int64_t end_s = i + 1 == count
                            ? TO
                            : at_s + 1 + (int64_t)(check_random(r) % (uint64_t)((TO - at_s) / 2));

        make_part(r, &parts[i], at_s, end_s);
        at_s = end_s;
        c->known &= parts[i].known;
        c->quality = parts[i].quality > c->quality ? parts[i].quality : c->quality;
        c->method = parts[i].method > c->method ? parts[i].method : c->method;
    }
    c->consumption_ml = !c->known                           ? 0
                        : count == 1 && check_random(r) % 4 ? parts[0].consumption_ml
                                                            : figure(r);
    c->billed_m3 = c->known ? figure(r) : 0;
    c->checks = (unsigned)(check_random(r) % (1u << CHECK_COUNT));
    c->judged = (unsigned)(check_random(r) % (1u << CHECK_COUNT)); /* some were frozen without */
    make_told(r, told);
    c->told = told;
}

static void assert_same_part(const struct part *a, const struct part *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->from_s, b->from_s);
    assert_int_equal(a->to_s, b->to_s);
    assert_int_equal(a->quality, b->quality);
    assert_int_equal(a->known, b->known);
    if (a->kind == PART_NO_METER)
        return;
    assert_string_equal(a->serial, b->serial);
    assert_int_equal(a->start_known, b->start_known);
    assert_int_equal(a->end_known, b->end_known);
    assert_int_equal(a->start_ml, b->start_ml);
    assert_int_equal(a->end_ml, b->end_ml);
    assert_int_equal(a->consumption_ml, b->consumption_ml);
    assert_int_equal(a->rollovers, b->rollovers);
    if (a->known)
        assert_int_equal(a->method, b->method);
}

static void assert_same(const struct determinant *a, const struct determinant *b)
{
    assert_true(span_equal(a->account, b->account));
    assert_int_equal(a->start_known, b->start_known);
    assert_int_equal(a->end_known, b->end_known);
    assert_int_equal(a->start_ml, b->start_ml);
    assert_int_equal(a->end_ml, b->end_ml);
    assert_true(billed_equal(&a->billed, &b->billed));
    assert_true(billed_equal(&a->later, &b->later));
    assert_int_equal(a->quality, b->quality);
    assert_int_equal(a->method, b->method);
    assert_int_equal(a->why, b->why);
    assert_int_equal(a->checks, b->checks);
    assert_int_equal(a->told_of, b->told_of);
    assert_true(are_same_told(a->told_of, a->told, b->told));
    assert_int_equal(a->part_count, b->part_count);
    for (size_t i = 0; i < a->part_count; i++)
        assert_same_part(&a->parts[i], &b->parts[i]);
}

static void what_is_written_is_read(void **state)
{
    struct check_random r = check_random_begin();
    struct part parts[9], read[9];
    uint8_t bytes[2048];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t count = check_random(&r) % 4 ? 1 : 1 + check_random(&r) % 9;
        struct consumption c;
        struct determinant d, back;
        struct billed later;
        struct wr w = wr_of(bytes, sizeof bytes);

        make(&r, &c, parts, count);
        later = billed_of(&c);
        if (!c.known && check_random(&r) % 2)
            later = (struct billed){ true, figure(&r), figure(&r) };
        determinant_of(&c, &later, WHY_FIRST_WEEK, &d);
        d.account = check_random(&r) % 2 ? span_text("账户 12") : span_of(NULL, 0);
        determinant_write(&w, &d, FROM, TO);
        assert_ok(w.err);
        assert_ok(determinant_read(wr_span(&w), FROM, TO, read, 9, &back));
        assert_same(&d, &back);
        /* Without parts, and with too little room for them. */
        assert_ok(determinant_read(wr_span(&w), 0, 0, NULL, 0, &back));
        assert_true(billed_equal(&d.billed, &back.billed));
        if (count > 1) {
            assert_err(ERR_TOO_LARGE, determinant_read(wr_span(&w), FROM, TO, read, 1, &back));
            assert_int_equal(back.part_count, count);
        }
    }
}

/* The inputs end at a guard page. */
static void strange_bytes_are_refused_or_read_within_their_end(void **state)
{
    struct check_random r = check_random_begin();
    struct part parts[9], read[9];
    uint8_t bytes[2048];
    size_t refused = 0;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct consumption c;
        struct determinant d, back;
        struct billed later;
        struct wr w = wr_of(bytes, sizeof bytes);
        struct span guarded;

        make(&r, &c, parts, 1 + check_random(&r) % 4);
        later = billed_of(&c);
        determinant_of(&c, &later, WHY_NEVER_READ, &d);
        determinant_write(&w, &d, FROM, TO);
        if (check_random(&r) % 2)
            w.at = w.start + check_random(&r) % wr_len(&w);
        else
            bytes[check_random(&r) % wr_len(&w)] ^= (uint8_t)(1u << check_random(&r) % 8);
        guarded = check_guarded(wr_span(&w));
        refused += determinant_read(guarded, FROM, TO, read, 9, &back) != ERR_OK;
        check_unguard(guarded.at, guarded.len);
    }
    assert_true(refused > 900); /* at least all that were cut off */
}

static void days_are_civil_days(void **state)
{
    struct zone z;

    (void)state;
    zone_fixed(&z, "test", 8 * 3600);
    assert_int_equal(cycle_days(&z, FROM, TO), 31);
    assert_int_equal(cycle_days(&z, FROM, FROM), 0);
    assert_int_equal(cycle_days(&z, FROM, FROM + 1), 1);
    assert_int_equal(cycle_days(&z, FROM - 1, FROM + 1), 2);
    assert_int_equal(cycle_days(&z, FROM + 3600, FROM + 86400 + 1), 2);
}

/* F1: where no meter is, there is no index. */
static void indices_are_those_under_a_meter(void **state)
{
    struct part parts[] = {
        { .kind = PART_NO_METER, .from_s = FROM, .to_s = FROM + 10, .known = true },
        { .kind = PART_METERED,
          .from_s = FROM + 10,
          .to_s = FROM + 20,
          .serial = "A",
          .start_ml = 5,
          .end_ml = 9,
          .known = true,
          .start_known = true,
          .end_known = true },
        { .kind = PART_METERED,
          .from_s = FROM + 20,
          .to_s = FROM + 30,
          .serial = "B",
          .start_ml = 1,
          .end_ml = 7,
          .known = true,
          .start_known = true,
          .end_known = true },
        { .kind = PART_NO_METER, .from_s = FROM + 30, .to_s = TO, .known = true },
    };
    struct consumption c = {
        .from_s = FROM, .to_s = TO, .known = true, .part_count = 4, .parts = parts
    };
    struct billed later = billed_of(&c);
    struct determinant d;

    (void)state;
    determinant_of(&c, &later, WHY_NONE, &d);
    assert_true(d.start_known && d.end_known);
    assert_int_equal(d.start_ml, 5);
    assert_int_equal(d.end_ml, 7);
    c.part_count = 1;
    determinant_of(&c, &later, WHY_NONE, &d);
    assert_false(d.start_known || d.end_known);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(strange_bytes_are_refused_or_read_within_their_end),
        cmocka_unit_test(days_are_civil_days),
        cmocka_unit_test(indices_are_those_under_a_meter),
    };

    return check_run(tests, argc, argv);
}
