/* What a person should look at (server/billing/review.h), and that what was let pass is known again. */
#include "server/billing/review.h"
#include "tests/check.h"
#include "tests/unit/told.h"

#include <stdlib.h>

static struct determinant usual(void)
{
    return (struct determinant){ .billed = { true, 12500000, 12 }, .quality = QUALITY_ACTUAL };
}

static unsigned one(enum review_reason r)
{
    return 1u << r;
}

static void an_ordinary_point_waits_for_nobody(void **state)
{
    struct determinant d = usual();
    struct review_facts f = { .d = &d, .dn_mm_most = 15 };

    (void)state;
    assert_int_equal(review_reasons(&f), 0);
    d.quality = QUALITY_ESTIMATED; /* once is no reason */
    assert_int_equal(review_reasons(&f), 0);
}

static void every_check_is_a_reason(void **state)
{
    static const char *const names[CHECK_COUNT] = { "high",  "low",  "negative", "prolonged",
                                                    "spike", "zero", "spike",    "high" };
    struct determinant d = usual();
    struct review_facts f = { .d = &d };

    (void)state;
    for (int c = 0; c < CHECK_COUNT; c++) {
        enum review_reason r;

        d.checks = 1u << c;
        assert_true(review_reason_read(span_text(names[c]), &r));
        assert_int_equal(review_reasons(&f), one(r));
    }
}

static void the_other_reasons_have_their_borders(void **state)
{
    struct determinant d = usual();
    struct review_facts f = { .d = &d, .dn_mm_most = 49 };

    (void)state;
    assert_int_equal(review_reasons(&f), 0);
    f.dn_mm_most = 50;
    assert_int_equal(review_reasons(&f), one(REVIEW_LARGE_USER));
    f.dn_mm_most = 15;
    d.billed.consumption_ml = 500000000000ll; /* 500 m³: not above them */
    assert_int_equal(review_reasons(&f), 0);
    d.billed.consumption_ml++;
    assert_int_equal(review_reasons(&f), one(REVIEW_LARGE_USER));
    d = usual();
    f.estimated_before = true; /* and read now */
    assert_int_equal(review_reasons(&f), 0);
    d.quality = QUALITY_ESTIMATED;
    assert_int_equal(review_reasons(&f), one(REVIEW_ESTIMATED_TWICE));
    f.exchanged = true;
    f.spikes = 2;
    assert_int_equal(review_reasons(&f), one(REVIEW_ESTIMATED_TWICE) |
                                             one(REVIEW_FIRST_AFTER_EXCHANGE) | one(REVIEW_SPIKE));
    f = (struct review_facts){ .d = &d, .edits_waiting = 1 };
    assert_int_equal(review_reasons(&f), one(REVIEW_EDIT_WAITING));
    d = (struct determinant){ .quality = QUALITY_MISSING };
    f = (struct review_facts){ .d = &d };
    assert_int_equal(review_reasons(&f), one(REVIEW_MISSING));
}

static void names_are_in_order_and_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < REVIEW_REASONS; i++) {
        enum review_reason r;

        assert_true(review_reason_read(span_text(review_reason_name((enum review_reason)i)), &r));
        assert_int_equal(r, i);
        assert_true(i == 0 || i > REVIEW_ZERO || /* what came later follows */
                    strcmp(review_reason_name((enum review_reason)(i - 1)),
                           review_reason_name((enum review_reason)i)) < 0);
        assert_non_null(review_reason_text_en((enum review_reason)i));
        assert_non_null(review_reason_text_zh((enum review_reason)i));
    }
}

static void what_passed_holds_for_these_figures_alone(void **state)
{
    struct determinant d = usual();
    struct review_accepted a = { .billed = d.billed,
                                 .quality = d.quality,
                                 .reasons = one(REVIEW_HIGH) | one(REVIEW_LARGE_USER) };

    (void)state;
    assert_true(review_holds(&a, &d, one(REVIEW_HIGH) | one(REVIEW_LARGE_USER)));
    assert_true(review_holds(&a, &d, one(REVIEW_HIGH))); /* less stands out */
    assert_false(review_holds(&a, &d, one(REVIEW_HIGH) | one(REVIEW_SPIKE)));
    d.billed.consumption_ml++;
    assert_false(review_holds(&a, &d, one(REVIEW_HIGH)));
    d = usual();
    d.quality = QUALITY_ESTIMATED;
    assert_false(review_holds(&a, &d, one(REVIEW_HIGH)));
    d = usual();
    d.billed.known = false;
    assert_false(review_holds(&a, &d, one(REVIEW_HIGH)));
}

static void comes_back(unsigned told_of)
{
    struct check_random r = check_random_begin();
    struct review_accepted a = { .billed = { true, -4500, -1 },
                                 .quality = QUALITY_ESTIMATED,
                                 .reasons = one(REVIEW_ZERO) | one(REVIEW_ESTIMATED_TWICE),
                                 .told_of = told_of,
                                 .at_s = 1777593600,
                                 .who = span_text("billing"),
                                 .note = span_text("看过了") },
                           b;
    uint8_t bytes[REVIEW_BYTES_MOST];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct span all;

    make_told(&r, a.told);
    review_accepted_write(&w, &a);
    assert_int_equal(w.err, ERR_OK);
    all = wr_span(&w);
    assert_ok(review_accepted_read(all, &b));
    assert_true(billed_equal(&a.billed, &b.billed));
    assert_int_equal(a.quality, b.quality);
    assert_int_equal(a.reasons, b.reasons);
    assert_int_equal(a.told_of, b.told_of);
    assert_true(are_same_told(told_of, a.told, b.told));
    assert_int_equal(a.at_s, b.at_s);
    assert_true(span_equal(a.who, b.who));
    assert_true(span_equal(a.note, b.note));
    for (size_t len = 0; len < all.len; len++)
        assert_int_equal(review_accepted_read(span_of(all.at, len), &b), ERR_CORRUPT);
    bytes[0] = 3; /* a form of later */
    assert_int_equal(review_accepted_read(all, &b), ERR_CORRUPT);
}

static void what_passed_comes_back_as_it_was_written(void **state)
{
    (void)state;
    comes_back(0); /* as before it was kept what checks rest on */
    comes_back(1u << CHECK_ZERO);
    comes_back((1u << CHECK_COUNT) - 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_point_waits_for_nobody),
        cmocka_unit_test(every_check_is_a_reason),
        cmocka_unit_test(the_other_reasons_have_their_borders),
        cmocka_unit_test(names_are_in_order_and_read_back),
        cmocka_unit_test(what_passed_holds_for_these_figures_alone),
        cmocka_unit_test(what_passed_comes_back_as_it_was_written),
    };

    return check_run(tests, argc, argv);
}
