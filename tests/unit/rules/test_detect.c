#include "tests/unit/rules/story.h"

#include <time.h>

/* ---- steps that can be trusted ---- */

static void a_step_waits_until_the_next_reading_bears_it_out(void **state)
{
    struct meter_facts m = { .q3_lph = 2500, .resolution_ml = 1000, .modulus_ml = 10000000000 };
    struct track t = { 0 };
    struct judge_step out[2];

    (void)state;
    assert_int_equal(track_feed(&t, &m, false, &(struct row){ 100000, 3600, 0 }, out), 0);
    assert_int_equal(track_feed(&t, &m, false, &(struct row){ 110000, 7200, 0 }, out), 0);
    assert_int_equal(track_feed(&t, &m, false, &(struct row){ 111000, 10800, 0 }, out), 1);
    assert_int_equal(out[0].used_ml, 10000);
    assert_int_equal(out[0].to_s, 7200);
    assert_int_equal(track_feed(&t, &m, false, &(struct row){ 111000, 14400, 0 }, out), 2);
    assert_int_equal(out[0].used_ml, 1000);
    assert_int_equal(out[1].used_ml, 0);
}

static void a_value_that_no_register_could_hold_changes_nothing(void **state)
{
    static const int64_t wild[] = { INT64_MAX, INT64_MIN, INT64_C(1) << 55, -(INT64_C(1) << 55),
                                    110000 + (INT64_C(1) << 47) };
    struct meter_facts m = { .resolution_ml = 1000, .modulus_ml = 10000000000 };
    struct track t = { 0 }, before;
    struct judge_step out[2];

    (void)state;
    for (int net = 0; net < 2; net++) {
        memset(&t, 0, sizeof t);
        assert_int_equal(track_feed(&t, &m, net, &(struct row){ 100000, 3600, 0 }, out), 0);
        assert_int_equal(track_feed(&t, &m, net, &(struct row){ 110000, 7200, 0 }, out), 0);
        before = t;
        for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
            struct row row = { wild[i], 9000 + (uint32_t)i, 0 };

            assert_int_equal(track_feed(&t, &m, net, &row, out), 0);
            assert_memory_equal(&t, &before, sizeof t);
        }
        assert_int_equal(track_feed(&t, &m, net, &(struct row){ 111000, 10800, 0 }, out), 1);
        assert_int_equal(out[0].used_ml, 10000);
    }
}

struct heard {
    struct judge_step steps[4000];
    size_t count;
};

static void hear_step(void *arg, const struct judge_step *step)
{
    struct heard *h = (struct heard *)arg;

    h->steps[h->count++] = *step;
}

static void hear_plain(void *arg, const struct row *rows, size_t count)
{
    assert_true(count >= 2);
    for (size_t i = 1; i < count; i++) {
        struct judge_step step = { .from_s = rows[i - 1].time_s,
                                   .to_s = rows[i].time_s,
                                   .used_ml = rows[i].value - rows[i - 1].value };

        assert_true(step.to_s > step.from_s && step.used_ml >= 0);
        hear_step(arg, &step);
    }
}

static const struct track_ear ear = { hear_step, hear_plain };

/* A register that climbs, stands, falls, begins anew and is misread, by whom so ever. */
static void many_rows_make_the_steps_of_each(void **state)
{
    static struct heard one, all;
    static struct row rows[1500];
    struct check_random r = check_random_begin();

    (void)state;
    for (int round = 0; round < 400; round++) {
        struct meter_facts m = { .q3_lph = check_below(&r, 4) ? 2500 : 0,
                                 .resolution_ml = 1000,
                                 .modulus_ml = check_below(&r, 2) ? 100000000 : 10000000000 };
        bool net = check_below(&r, 2);
        struct track t = { 0 }, u = { 0 };
        int64_t value = check_between(&r, 0, m.modulus_ml / 1000) * 1000;
        size_t count = check_below(&r, 1500), from = 0;

        for (size_t i = 0; i < count; i++) {
            value += check_between(&r, net ? -3000 : 0, 9000) * (check_below(&r, 3) > 0);
            value = check_below(&r, 60) ? value : check_between(&r, 0, m.modulus_ml);
            value %= m.modulus_ml;
            rows[i] =
                (struct row){ .value = check_below(&r, 25)  ? value
                                       : check_below(&r, 3) ? value - 70000
                                                            : INT64_MAX >> check_below(&r, 40),
                              .time_s = (uint32_t)(i + 1) * 3600,
                              .attr = check_below(&r, 30) ? SOURCE_REMOTE : SOURCE_MANUAL };
        }
        one.count = all.count = 0;
        for (size_t i = 0; i < count; i++)
            if ((rows[i].attr & ATTR_SOURCE) == SOURCE_REMOTE)
                one.count += track_feed(&t, &m, net, &rows[i], one.steps + one.count);
        while (from < count) { /* in parts of any size */
            size_t part = 1 + check_below(&r, count - from);

            track_run(&u, &m, net, rows + from, part, &ear, &all);
            from += part;
        }
        assert_memory_equal(&t, &u, sizeof t);
        assert_int_equal(one.count, all.count);
        for (size_t i = 0; i < one.count; i++) {
            const struct judge_step *a = &one.steps[i], *b = &all.steps[i];

            assert_true(a->from_s == b->from_s && a->to_s == b->to_s && a->used_ml == b->used_ml &&
                        a->fall == b->fall && a->doubted == b->doubted &&
                        a->misreads == b->misreads);
        }
    }
}

/* Feeds hours and litres; the sum of all steps in *sum, of falls in *falls, how many steps end a
 * re-base in *turns. */
static void run(bool net, int64_t modulus_l, const int64_t (*rows)[2], size_t count, int64_t *sum,
                int64_t *falls, int *turns)
{
    struct meter_facts m = { .q3_lph = 2500,
                             .resolution_ml = 1000,
                             .modulus_ml = modulus_l * 1000 };
    struct track t = { 0 };
    struct judge_step out[2];

    *sum = *falls = *turns = 0;
    for (size_t i = 0; i < count; i++) {
        struct row row = { rows[i][1] * 1000, (uint32_t)(rows[i][0] * 3600), 0 };
        unsigned n = track_feed(&t, &m, net, &row, out);

        assert_true(n <= 2);
        for (unsigned k = 0; k < n; k++) {
            *(out[k].fall ? falls : sum) += out[k].used_ml / 1000;
            *turns += out[k].fall;
        }
    }
}

#define RUN(net, modulus_l, ...)                                                                   \
    do {                                                                                           \
        static const int64_t rows[][2] = { __VA_ARGS__ };                                          \
        run(net, modulus_l, rows, sizeof rows / sizeof rows[0], &sum, &falls, &turns);             \
    } while (0)

static void a_wild_value_is_never_flow(void **state)
{
    int64_t sum, falls;
    int turns;

    (void)state;
    /* high and within what water could do, high beyond it, low, low to nothing; 8 L flow in each
     * story */
    RUN(false, 10000000, { 1, 100 }, { 2, 104 }, { 3, 1104 }, { 4, 106 }, { 5, 108 }, { 6, 108 });
    assert_int_equal(sum, 8);
    RUN(false, 10000000, { 1, 100 }, { 2, 104 }, { 3, 990104 }, { 4, 106 }, { 5, 108 }, { 6, 108 });
    assert_int_equal(sum, 8);
    RUN(false, 10000000, { 1, 100 }, { 2, 104 }, { 3, 14 }, { 4, 106 }, { 5, 108 }, { 6, 108 });
    assert_int_equal(sum, 8);
    RUN(false, 10000000, { 1, 100 }, { 2, 104 }, { 3, 0 }, { 4, 0 }, { 5, 108 }, { 6, 108 });
    assert_int_equal(sum, 8);
    RUN(true, 10000000, { 1, 100 }, { 2, 104 }, { 3, 1104 }, { 4, 106 }, { 5, 108 }, { 6, 108 });
    assert_int_equal(sum, 8);
    RUN(true, 10000000, { 1, 1100 }, { 2, 1104 }, { 3, 4 }, { 4, 1106 }, { 5, 1108 }, { 6, 1108 });
    assert_int_equal(sum, 8);
    assert_int_equal(turns, 0);
}

static void a_register_that_begins_anew_counts_on_from_there(void **state)
{
    int64_t sum, falls;
    int turns;

    (void)state;
    /* battery changed: the count begins at 0 */
    RUN(false, 10000000, { 1, 4190 }, { 2, 4200 }, { 3, 0 }, { 4, 3 }, { 5, 5 }, { 6, 9 },
        { 7, 19 }, { 8, 19 });
    assert_int_equal(turns, 1);
    assert_int_equal(sum, 20);
    /* a dial base was written: up by 100 m³ */
    RUN(false, 10000000, { 1, 4190 }, { 2, 4200 }, { 3, 104200 }, { 4, 104203 }, { 5, 104205 },
        { 6, 104209 }, { 7, 104219 }, { 8, 104219 });
    assert_int_equal(turns, 1);
    assert_int_equal(sum, 20);
    /* the first reading was the wild one */
    RUN(false, 10000000, { 1, 88888 }, { 2, 100 }, { 3, 104 }, { 4, 110 }, { 5, 112 }, { 6, 122 },
        { 7, 122 });
    assert_int_equal(turns, 1);
    assert_int_equal(sum, 10);
}

static void a_roll_over_is_use_and_its_wobble_is_none_twice(void **state)
{
    int64_t sum, falls;
    int turns;

    (void)state;
    RUN(false, 10000, { 1, 9990 }, { 2, 9998 }, { 3, 6 }, { 4, 9 }, { 5, 9 });
    assert_int_equal(sum, 19);
    assert_int_equal(turns, 0);
    RUN(true, 10000, { 1, 9990 }, { 2, 9998 }, { 3, 6 }, { 4, 9999 }, { 5, 3 }, { 6, 3 });
    assert_int_equal(sum, 13);
    assert_int_equal(turns, 0);
}

/* The field case: three whole digits in m³, 10 L a pulse, a register that wobbles down after it
 * rolled over. */
static void a_wobbling_roll_over_raises_nothing(void **state)
{
    static const struct {
        uint32_t after_s;
        int64_t litres;
    } rows[] = { { 0, 999930 },   { 5251, 10930 }, { 5551, 10870 },
                 { 5851, 10870 }, { 6151, 11020 }, { 7051, 11090 } };
    struct story s;

    (void)state;
    story_begin(&s);
    s.meter.form = REGISTER_NET;
    s.meter.q3_lph = 16000;
    s.meter.resolution_ml = 10000;
    s.meter.modulus_ml = 1000000000;
    for (size_t i = 0; i < 6; i++) {
        s.now_s = START + rows[i].after_s;
        story_row(&s, CHANNEL_NET, rows[i].litres * 1000, 0);
    }
    assert_quiet(&s);
}

/* ---- what people type ---- */

static void numbers_that_people_type_raise_nothing(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    for (unsigned day = 0; day < 60; day++) {
        story_live(&s, 1);
        s.now_s += 60;
        story_row(&s, CHANNEL_FORWARD, s.true_ml / 1000000 * 1000000 - 1000000,
                  day % 2 ? SOURCE_MANUAL : SOURCE_PHOTO);
        s.now_s -= 60;
    }
    assert_quiet(&s);
    /* nor do they hide what the meter says */
    for (unsigned day = 0; day < 10; day++) {
        story_still(&s, 24);
        s.now_s += 60;
        story_row(&s, CHANNEL_FORWARD, (s.true_ml / 1000000 + 1 + day) * 1000000, SOURCE_SIGNED);
        s.now_s -= 60;
    }
    assert_true(story_is_open(&s, &detector_stuck));
}

/* ---- holidays ---- */

static void spring_festival_begins_with_the_little_new_year(void **state)
{
    struct holidays h;
    struct zone z;
    int64_t noon = day_number(2026, 2, 17) * 86400 +
                   4 * 3600; /* noon in Shanghai on the first day of the lunar year */

    (void)state;
    holidays_builtin(&h);
    zone_fixed(&z, "CST", 8 * 3600);
    assert_int_equal(h.count, 62);
    assert_int_equal(holidays_overlap(&h, &z, noon - 86400 * 60, noon + 86400 * 60), 23 * 86400);
    assert_int_equal(holidays_overlap(&h, &z, noon, noon + 86400), 86400);
    assert_int_equal(holidays_overlap(&h, &z, noon + 86400 * 14, noon + 86400 * 16), 43200);
    /* 1 to 7 October */
    assert_int_equal(
        holidays_overlap(&h, &z, day_number(2026, 9, 1) * 86400, day_number(2026, 11, 1) * 86400),
        7 * 86400);
    /* the earliest and the latest possible new year lie between 21 January and 20 February */
    for (size_t i = 0; i < h.count; i += 2) {
        struct civil c = day_civil((int64_t)(h.spans[i].first_day + 8) * 86400);

        assert_true(c.month == 1 ? c.day >= 21 : c.month == 2 && c.day <= 20);
    }
}

static void a_file_of_holidays_is_read_or_refused_with_its_line(void **state)
{
    struct holidays h = { .count = 1 };
    struct refusal r;

    (void)state;
    assert_ok(holidays_read(&h,
                            span_text("name,last,first\r\n\"Semana Santa, 2016\", 2016-03-28 "
                                      ",2016-03-20\r\n\nsummer,2016-08-31,2016-08-01\n"),
                            &r));
    assert_int_equal(h.count, 2);
    assert_int_equal(h.spans[0].first_day, day_number(2016, 3, 20));
    assert_int_equal(h.spans[0].last_day, day_number(2016, 3, 28));
    assert_err(
        ERR_MALFORMED,
        holidays_read(&h, span_text("first,last\n2026-01-01,2026-01-03\n2026-02-30,2026-03-01\n"),
                      &r));
    assert_int_equal(r.offset, 3);
    assert_err(ERR_MALFORMED,
               holidays_read(&h, span_text("first,last\n2026-01-03,2026-01-01\n"), &r));
    assert_err(ERR_MALFORMED, holidays_read(&h, span_text("von,bis\n2026-01-03,2026-01-01\n"), &r));
    assert_err(ERR_MALFORMED, holidays_read(&h, span_text("first,last\n2026-01-03\n"), &r));
    assert_int_equal(h.count, 2);
}

static void overlapping_holidays_count_once(void **state)
{
    struct holidays h = { 0 };
    struct zone z;

    (void)state;
    zone_fixed(&z, "UTC", 0);
    assert_ok(holidays_read(
        &h,
        span_text(
            "first,last\n1970-01-08,1970-01-12\n1970-01-02,1970-01-09\n1970-01-03,1970-01-04\n"),
        NULL));
    assert_int_equal(holidays_overlap(&h, &z, 0, 86400 * 30), 11 * 86400);
}

/* ---- the table ---- */

static void states_lie_side_by_side(void **state)
{
    size_t end = 0, n = 0;

    (void)state;
    for (; detector_at(n); n++) {
        size_t at = detector_state_at(n), size = detector_at(n)->state_size;

        /* beside what came before, or the very same */
        assert_true(at >= end || (n && at == detector_state_at(n - 1) &&
                                  size == detector_at(n - 1)->state_size));
        assert_int_equal(at % 4, 0);
        end = at + size;
        assert_ptr_equal(detector_named(span_text(detector_at(n)->flag)), detector_at(n));
    }
    assert_true(n >= 7);
    assert_true(end <= DETECTORS_STATE);
    assert_null(detector_named(span_text("nonesuch")));
}

static void volumes_are_said_with_three_digits(void **state)
{
    static const struct {
        int64_t ml;
        const char *text;
    } cases[] = { { 0, "0.0 L" },          { 4449, "4.4 L" },      { 9949, "9.9 L" },
                  { 9950, "10 L" },        { 85400, "85 L" },      { 999499, "999 L" },
                  { 999500, "1.00 m³" },   { 1237000, "1.24 m³" }, { 12370000, "12.4 m³" },
                  { 123700000, "124 m³" }, { -85400, "-85 L" } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64] = { 0 };
        struct wr w = wr_of(text, sizeof text - 1);

        say_volume(&w, cases[i].ml);
        assert_string_equal(text, cases[i].text);
    }
}

/* Whatever the readings are, the same flags come of them however they are cut; and nothing breaks.
 */
static void rubbish_is_survived(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct story s;

        story_begin(&s);
        s.meter.form = (enum register_form)check_below(&r, 3);
        s.meter.resolution_ml =
            (int64_t[]){ 1, 100, 1000, 10000, 100000, 1000000 }[check_below(&r, 6)];
        s.meter.q3_lph = (int64_t[]){ 0, 2500, 16000, 1000000 }[check_below(&r, 4)];
        s.meter.dn_mm = (int32_t[]){ 15, 40, 80 }[check_below(&r, 3)];
        s.meter.modulus_ml =
            (int64_t[]){ 1000000, 10000000000, 1000000000000000 }[check_below(&r, 3)];
        s.point.use = (enum use_class)check_below(&r, 8);
        holidays_builtin(&s.holidays);
        for (int i = 0; i < 400; i++) {
            int64_t v = check_below(&r, 3) ? check_between(&r, 0, 2000000)
                                           : (int64_t)(check_random(&r) >> check_below(&r, 64));

            if (check_below(&r, 8) == 0 && v > 0)
                v = -v;
            s.now_s += (uint32_t)(1 + check_below(&r, (uint64_t[]){ 3600, 86400,
                                                                    864000 }[check_below(&r, 3)]));
            s.said = 0;
            story_row(&s, (enum channel)check_below(&r, CHANNEL_COUNT), v,
                      (uint32_t)check_below(&r, 16));
        }
    }
}

/* Registers at both ends of what a number holds: their difference is none. */
static void a_difference_that_no_number_holds_is_no_flow(void **state)
{
    (void)state;
    for (int form = 0; form < 3; form++) {
        struct story s;

        story_begin(&s);
        s.meter.form = (enum register_form)form;
        s.meter.q3_lph = 0; /* no ceiling: all that falls is looked at */
        holidays_builtin(&s.holidays);
        for (int i = 0; i < 60; i++) {
            s.now_s += 3600;
            story_row(&s, CHANNEL_FORWARD, i / (1 + i % 7) % 2 ? INT64_MAX - i : INT64_MIN + i, 0);
            story_row(&s, CHANNEL_NET, i % 5 ? INT64_MIN + i : INT64_MAX, 0);
        }
        assert_int_equal(s.said, 0);
    }
}

/* A bound, and generous: 24 new readings of a meter are to cost little. The figure is printed. */
static void a_year_of_readings_is_judged_in_no_time(void **state)
{
    struct story s;
    struct timespec a, b;
    double ns;

    (void)state;
    story_begin(&s);
    clock_gettime(CLOCK_MONOTONIC, &a);
    story_live(&s, 365);
    clock_gettime(CLOCK_MONOTONIC, &b);
    ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 8760;
    print_message("[          ] %.0f ns a reading, with its making\n", ns);
    assert_true(ns < 20000);
    assert_quiet(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_waits_until_the_next_reading_bears_it_out),
        cmocka_unit_test(many_rows_make_the_steps_of_each),
        cmocka_unit_test(a_value_that_no_register_could_hold_changes_nothing),
        cmocka_unit_test(a_wild_value_is_never_flow),
        cmocka_unit_test(a_register_that_begins_anew_counts_on_from_there),
        cmocka_unit_test(a_roll_over_is_use_and_its_wobble_is_none_twice),
        cmocka_unit_test(a_wobbling_roll_over_raises_nothing),
        cmocka_unit_test(numbers_that_people_type_raise_nothing),
        cmocka_unit_test(spring_festival_begins_with_the_little_new_year),
        cmocka_unit_test(a_file_of_holidays_is_read_or_refused_with_its_line),
        cmocka_unit_test(overlapping_holidays_count_once),
        cmocka_unit_test(states_lie_side_by_side),
        cmocka_unit_test(volumes_are_said_with_three_digits),
        cmocka_unit_test(rubbish_is_survived),
        cmocka_unit_test(a_difference_that_no_number_holds_is_no_flow),
        cmocka_unit_test(a_year_of_readings_is_judged_in_no_time),
    };

    return check_run(tests, argc, argv);
}
