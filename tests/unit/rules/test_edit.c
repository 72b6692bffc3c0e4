/* Edits among readings (server/billing/edit.h): what they change, and what they never do. */
#include "server/billing/consume.h"
#include "server/billing/edit.h"
#include "tests/check.h"

#include <stdlib.h>

#define HOUR_S 3600ll
#define DAY_S 86400ll
#define M3 1000000ll
#define L 1000ll
#define BEGIN 1777593600ll /* 2026-05-01T00:00:00Z */

static const struct meter_facts meter = { .id = 1,
                                          .serial = "M1",
                                          .q3_lph = 2500,
                                          .resolution_ml = 1000,
                                          .modulus_ml = 10000 * M3,
                                          .form = REGISTER_FORWARD };
static struct zone zone;
static const struct fitting fitting = { 1, 1, BEGIN - 100 * DAY_S, FITTING_OPEN, 0, 0, false };

static void read_at(struct rows *rows, int64_t at_s, int64_t value, enum source source)
{
    assert_ok(rows_push(rows, (struct row){ value, (uint32_t)at_s, source }));
}

static struct edit_mark mark(int64_t at_s, int64_t index_ml)
{
    return (struct edit_mark){ .id = 1, .meter = 1, .at_s = at_s, .index_ml = index_ml };
}

static struct edit_mark instead(int64_t at_s, int64_t index_ml, int64_t of_ml)
{
    struct edit_mark m = mark(at_s, index_ml);

    m.has_instead = true;
    m.instead_ml = of_ml;
    return m;
}

static struct part used; /* the one part of the span that was asked for last */

static int64_t use(const struct rows *rows, int64_t from_s, int64_t to_s)
{
    struct consume_fitting f = { fitting, &meter, rows };
    const struct consumption *c;
    struct consumer *consumer;

    assert_ok(consumer_new(&f, 1, STEP_NONE, &zone, BEGIN + 30 * DAY_S, &consumer));
    assert_ok(consumer_row(consumer, from_s, to_s, &c));
    assert_int_equal(c->part_count, 1);
    used = c->parts[0];
    consumer_free(consumer);
    return used.consumption_ml;
}

/* Three readings a day apart, 100 L each. */
static struct rows three(void)
{
    struct rows rows = { 0 };

    for (int day = 0; day < 3; day++)
        read_at(&rows, BEGIN + day * DAY_S, (1000 + 100 * day) * L, SOURCE_REMOTE);
    return rows;
}

static void an_edit_shares_out_and_the_whole_stays(void **state)
{
    struct rows rows = three();
    struct edit_mark e = mark(BEGIN + 36 * HOUR_S, 1180 * L);

    (void)state;
    assert_ok(edits_apply(&e, 1, &fitting, &rows));
    assert_int_equal(rows.count, 4);
    assert_int_equal(use(&rows, BEGIN + DAY_S, BEGIN + 36 * HOUR_S), 80 * L);
    assert_int_equal(used.quality, QUALITY_EDITED);
    assert_int_equal(used.method, METHOD_READ);
    assert_true(used.edited);
    assert_int_equal(use(&rows, BEGIN + 36 * HOUR_S, BEGIN + 2 * DAY_S), 20 * L);
    assert_int_equal(use(&rows, BEGIN, BEGIN + 2 * DAY_S), 200 * L);
    assert_int_equal(used.quality, QUALITY_ACTUAL);
    assert_false(used.edited);
    /* Between a reading and an edit it rests on both. */
    assert_int_equal(use(&rows, BEGIN + DAY_S, BEGIN + 30 * HOUR_S), 40 * L);
    assert_int_equal(used.quality, QUALITY_EDITED);
    assert_int_equal(used.method, METHOD_INTERPOLATED);
    rows_done(&rows);
}

static void it_goes_before_the_reading_that_it_names_and_no_other(void **state)
{
    struct edit_mark named = instead(BEGIN + DAY_S, 1090 * L, 1100 * L),
                     other = instead(BEGIN + DAY_S, 1090 * L, 1101 * L),
                     gap = mark(BEGIN + DAY_S, 1090 * L);
    struct rows rows = three();

    (void)state;
    assert_ok(edits_apply(&other, 1, &fitting, &rows));
    assert_ok(edits_apply(&gap, 1, &fitting, &rows));
    assert_int_equal(rows.count, 3);
    assert_ok(edits_apply(&named, 1, &fitting, &rows));
    assert_int_equal(rows.count, 4);
    assert_int_equal(use(&rows, BEGIN, BEGIN + DAY_S), 90 * L);
    assert_int_equal(used.quality, QUALITY_EDITED);
    rows_done(&rows);
    /* A better one of that instant came: it is what goes on now, and it is not named. */
    rows = three();
    assert_ok(rows_push(&rows, (struct row){ 1105 * L, BEGIN + DAY_S, SOURCE_MANUAL }));
    assert_ok(rows_tidy(&rows));
    assert_ok(edits_apply(&named, 1, &fitting, &rows));
    assert_int_equal(use(&rows, BEGIN, BEGIN + DAY_S), 105 * L);
    assert_int_equal(used.quality, QUALITY_ACTUAL);
    rows_done(&rows);
}

static void its_place_is_within_its_meters_fitting(void **state)
{
    struct fitting closed = fitting;
    struct edit_mark begin = mark(fitting.from_s, 0), end = mark(BEGIN + 3 * DAY_S, 1300 * L),
                     foreign = mark(BEGIN + 36 * HOUR_S, 1150 * L);
    struct rows rows = three();

    (void)state;
    closed.to_s = BEGIN + 3 * DAY_S;
    foreign.meter = 2;
    assert_ok(edits_apply(&begin, 1, &closed, &rows));
    assert_ok(edits_apply(&end, 1, &closed, &rows));
    assert_ok(edits_apply(&foreign, 1, &closed, &rows));
    assert_int_equal(rows.count, 3);
    assert_ok(edits_apply(&end, 1, &fitting, &rows));
    assert_int_equal(rows.count, 4);
    rows_done(&rows);
}

static void what_stands_against_it_puts_it_out(void **state)
{
    static const struct {
        int64_t index_l;
        enum rule rule;
    } cases[] = { { 1099, RULE_FALL },
                  { 1100, RULE_NONE },
                  { 1200, RULE_NONE },
                  { 1201, RULE_PEAK },
                  { 100000000, RULE_CEILING } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edit_mark e = mark(BEGIN + 36 * HOUR_S, cases[i].index_l * L % meter.modulus_ml);
        struct rows rows = three();
        enum rule rules[4];

        if (cases[i].index_l * L >= meter.modulus_ml)
            e.index_ml =
                9000 * M3; /* what no pipe lets through in 12 h, but below where it passes zero */
        assert_ok(edits_apply(&e, 1, &fitting, &rows));
        assert_ok(walk_rows(&meter, &fitting, 1, CHANNEL_FORWARD, &rows, rules));
        assert_int_equal(rules[2], cases[i].rule);
        assert_int_equal(rules[3], RULE_NONE);
        rows_done(&rows);
    }
}

static void one_that_is_out_gives_its_reading_back(void **state)
{
    struct edit_mark e = instead(BEGIN + DAY_S, 1201 * L, 1100 * L);
    struct rows rows = three();
    enum rule rules[4];

    (void)state;
    assert_ok(edits_apply(&e, 1, &fitting, &rows));
    assert_ok(walk_rows(&meter, &fitting, 1, CHANNEL_FORWARD, &rows, rules));
    assert_int_equal(rows.at[1].attr, ATTR_EDITED);
    assert_int_equal(rules[1], RULE_PEAK);
    assert_int_equal(rules[2], RULE_NONE);
    assert_int_equal(use(&rows, BEGIN, BEGIN + DAY_S), 100 * L);
    assert_int_equal(used.quality, QUALITY_ACTUAL);
    rows_done(&rows);
}

static void behind_the_last_reading_the_use_goes_on_from_it(void **state)
{
    struct edit_mark e = mark(BEGIN + 4 * DAY_S, 1500 * L);
    struct rows rows = three();

    (void)state;
    assert_ok(edits_apply(&e, 1, &fitting, &rows));
    assert_int_equal(use(&rows, BEGIN + 2 * DAY_S, BEGIN + 4 * DAY_S), 300 * L);
    assert_int_equal(used.quality, QUALITY_EDITED);
    (void)use(&rows, BEGIN + 2 * DAY_S, BEGIN + 5 * DAY_S);
    assert_int_equal(used.quality, QUALITY_ESTIMATED);
    assert_true(used.edited);
    rows_done(&rows);
}

static void two_see_what_moves_much_or_what_nobody_knows(void **state)
{
    struct edit_limits limits = { 5 * M3, 50 };

    (void)state;
    assert_false(edit_takes_two(&limits, true, 5 * M3, true, 10 * M3));
    assert_true(edit_takes_two(&limits, true, 5 * M3 + 1, true, 100 * M3));
    assert_true(edit_takes_two(&limits, true, -5 * M3 - 1, true, 100 * M3));
    assert_true(edit_takes_two(&limits, true, 5 * M3, true, 10 * M3 - 1));
    assert_true(edit_takes_two(&limits, true, 1, true, 0));
    assert_false(edit_takes_two(&limits, true, 0, true, 0));
    assert_true(edit_takes_two(&limits, false, 0, true, 10 * M3));
    assert_true(edit_takes_two(&limits, true, 0, false, 0));
    assert_true(edit_takes_two(&limits, true, INT64_MIN, true, INT64_MIN));
}

/* ---- random lives ---- */

#define READ 40

struct random_life {
    struct check_random *rng;
    struct meter_facts meter;
    struct fitting
        fitting;     /* as old as a month, so that what goes on behind the last reading is known */
    int64_t apart_s; /* of two readings */
    struct rows rows;
};

/* Forward or net, on a dial that is large, or passes zero on the way; one reading in twelve is off. */
static void live(struct random_life *l, int n)
{
    int64_t dial, back;

    l->meter = meter;
    l->meter.form = n % 3 == 2 ? REGISTER_NET : REGISTER_FORWARD;
    l->meter.modulus_ml = n % 2 ? 10000 * M3 : 5 * M3;
    l->apart_s = HOUR_S * (1 + n % 5);
    l->fitting = fitting;
    l->fitting.from_s = BEGIN - 30 * DAY_S;
    l->rows = (struct rows){ 0 };
    back = l->meter.form == REGISTER_NET ? 20 * L : 0;
    dial = l->meter.modulus_ml - (int64_t)check_below(l->rng, 1500) * L;
    l->fitting.start_ml = dial;
    for (int i = 0; i < READ; i++) {
        dial = (dial + (int64_t)check_below(l->rng, 60) * L - back + l->meter.modulus_ml) %
               l->meter.modulus_ml;
        read_at(&l->rows, BEGIN + i * l->apart_s,
                check_below(l->rng, 12) ? dial : (int64_t)check_below(l->rng, 5000) * L,
                SOURCE_REMOTE);
    }
}

/* Near a reading, where it may fit, or anywhere. */
static void edit_one(struct random_life *l)
{
    const struct row *r = &l->rows.at[check_below(l->rng, l->rows.count)];
    int64_t at_s = r->time_s + (check_below(l->rng, 2) ? 600 : 900);
    struct edit_mark e =
        check_below(l->rng, 2)
            ? mark(at_s, (r->value + (int64_t)check_below(l->rng, 80) * L) % l->meter.modulus_ml)
            : mark(at_s, (int64_t)check_below(l->rng, 5000) * L);

    assert_ok(edits_apply(&e, 1, &l->fitting, &l->rows));
}

static int64_t figure(const struct random_life *l, int64_t from_s, int64_t to_s)
{
    struct consume_fitting f = { l->fitting, &l->meter, &l->rows };
    const struct consumption *c;
    struct consumer *consumer;
    int64_t figure_ml;

    assert_ok(consumer_new(&f, 1, STEP_NONE, &zone, BEGIN + 30 * DAY_S, &consumer));
    assert_ok(consumer_figures(consumer, from_s, to_s, &c));
    assert_true(c->known);
    figure_ml = c->consumption_ml;
    consumer_free(consumer);
    return figure_ml;
}

/* No reading loses its part to an edit, or wins one. */
static void edits_put_no_other_reading_aside(void **state)
{
    struct check_random rng = check_random_begin();
    struct random_life l = { .rng = &rng };
    enum rule before[READ], after[READ + 8];

    (void)state;
    for (int n = 0; n < 600; n++) {
        size_t at = 0;

        live(&l, n);
        assert_ok(walk_rows(&l.meter, &l.fitting, 1, CHANNEL_BILLED, &l.rows, before));
        for (int i = 0; i < 8; i++)
            edit_one(&l);
        assert_ok(walk_rows(&l.meter, &l.fitting, 1, CHANNEL_BILLED, &l.rows, after));
        for (size_t i = 0; i < l.rows.count; i++)
            if (!(l.rows.at[i].attr & ATTR_EDITED))
                assert_int_equal(after[i], before[at++]);
        assert_int_equal(at, READ);
        rows_done(&l.rows);
    }
}

/* What an edit takes from one span it gives to the next: from reading to reading the figure is as without any, and neighbouring spans add up. */
static void edits_move_use_and_make_none(void **state)
{
    struct check_random rng = check_random_begin();
    struct random_life l = { .rng = &rng };
    struct register_line line;
    unsigned held = 0;

    (void)state;
    for (int n = 0; n < 300; n++) {
        int64_t end_s, whole_ml, cut_s, again_s;
        bool plain; /* the last reading takes part, and nothing was re-based */

        live(&l, n);
        end_s = BEGIN + (READ - 1) * l.apart_s;
        assert_ok(register_line_make(&l.meter, &l.fitting, &l.rows, &line));
        plain = line.next_after_s == end_s;
        for (size_t i = 0; i < line.count; i++)
            plain &= !line.steps[i].rebased;
        register_line_done(&line);
        whole_ml = figure(&l, l.fitting.from_s, end_s);
        for (int i = 0; i < 8; i++)
            edit_one(&l);
        cut_s = BEGIN + (int64_t)check_below(&rng, (uint64_t)(end_s - BEGIN));
        again_s = cut_s + (int64_t)check_below(&rng, (uint64_t)(end_s - cut_s));
        assert_int_equal(figure(&l, l.fitting.from_s, cut_s) + figure(&l, cut_s, again_s) +
                             figure(&l, again_s, end_s),
                         figure(&l, l.fitting.from_s, end_s));
        held += plain;
        if (plain)
            assert_int_equal(figure(&l, l.fitting.from_s, end_s), whole_ml);
        rows_done(&l.rows);
    }
    assert_true(held > 30);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_shares_out_and_the_whole_stays),
        cmocka_unit_test(it_goes_before_the_reading_that_it_names_and_no_other),
        cmocka_unit_test(its_place_is_within_its_meters_fitting),
        cmocka_unit_test(what_stands_against_it_puts_it_out),
        cmocka_unit_test(one_that_is_out_gives_its_reading_back),
        cmocka_unit_test(behind_the_last_reading_the_use_goes_on_from_it),
        cmocka_unit_test(two_see_what_moves_much_or_what_nobody_knows),
        cmocka_unit_test(edits_put_no_other_reading_aside),
        cmocka_unit_test(edits_move_use_and_make_none),
    };

    zone_fixed(&zone, "UTC", 0);
    return check_run(tests, argc, argv);
}
