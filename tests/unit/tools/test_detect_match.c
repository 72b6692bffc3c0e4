#include "tests/check.h"

#include "tools/measure/detect/houses.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A home of 400 days with a leak of 10 L/h from day 100 to day 150. */
static struct trial leaking(void)
{
    struct trial l = { .n = 1,
                       .to_s = 400 * 86400.0,
                       .seen_share = 1,
                       .lost_lpd = 240,
                       .would_lpd = 300,
                       .used_lpd = 300 };

    l.meter.resolution_ml = 1000;
    l.meter.dn_mm = 15;
    l.fault = (struct fault){
        .kind = FAULT_LEAK_5_20, .size = 10, .onset_s = 100 * 86400.0, .end_s = 150 * 86400.0
    };
    return l;
}

static void tell(struct told_list *list, const char *rule, double raised_day, double lost_lpd)
{
    list->at[list->count++] = (struct told){ .rule = rule_named(rule),
                                             .confidence_pct = 80,
                                             .onset_s = (int64_t)((raised_day - 1) * 86400),
                                             .raised_s = (int64_t)(raised_day * 86400),
                                             .told_s = (uint32_t)(raised_day * 86400),
                                             .lost_lpd = lost_lpd };
}

static struct figures leak_figures(const struct told_list *told)
{
    struct trial l = leaking();
    struct record r = { 0 };
    struct figures f;

    assert_ok(record_add(&r, &l, told, false));
    assert_ok(figures_of(&r, &(struct pick){ .rule = rule_named("leak") }, &f));
    record_done(&r);
    return f;
}

static void a_flag_counts_between_onset_and_two_days_after_the_end(void **state)
{
    static const struct {
        double day;
        bool found;
    } cases[] = { { 99, false }, { 101, true }, { 149, true }, { 151.5, true }, { 153, false } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct told_list told = { 0 };
        struct figures f;

        tell(&told, "leak", cases[i].day, 250);
        f = leak_figures(&told);
        assert_int_equal(f.faults, 1);
        assert_int_equal(f.found, cases[i].found);
        assert_int_equal(f.wrong, !cases[i].found);
    }
}

static void a_second_flag_of_the_same_fault_is_a_repeat(void **state)
{
    struct told_list told = { 0 };
    struct figures f;

    (void)state;
    tell(&told, "leak", 103, 250);
    tell(&told, "leak", 120, 250);
    f = leak_figures(&told);
    assert_true(f.found == 1 && f.right == 1 && f.wrong == 0 && f.repeats == 1);
    assert_true(fabs(f.delay_median_d - 3) < 1e-6 && fabs(f.onset_off_d - 2) < 1e-6);
    assert_true(fabs(f.loss_off - 10.0 / 240) < 1e-6);
}

static void another_kind_is_false_unless_the_fault_explains_it(void **state)
{
    struct trial l = leaking();
    struct told_list told = { 0 };
    struct record r = { 0 };

    (void)state;
    tell(&told, "stuck", 120, 250);
    tell(&told, "burst", 120, 250);
    assert_ok(record_add(&r, &l, &told, false));
    assert_int_equal(r.notes[0].outcome, NOTE_FALSE);
    assert_int_equal(r.notes[1].outcome, NOTE_EXPLAINED);
    record_done(&r);
}

static void what_the_series_raises_without_the_fault_counts_neither_way(void **state)
{
    struct told_list told = { 0 };
    struct figures f;

    (void)state;
    tell(&told, "leak", 103, 250);
    told.at[0].too = told.at[0].open = true;
    f = leak_figures(&told);
    assert_true(f.faults == 0 && f.found == 0 && f.wrong == 0 && f.too == 1);
}

static void nor_does_a_flag_of_no_fault_beside_one_that_the_series_has_anyway(void **state)
{
    struct trial l = leaking();
    struct told_list told = { 0 };
    struct record r = { 0 };

    (void)state;
    tell(&told, "stuck", 120, 250);
    tell(&told, "leak", 120, 250);
    tell(&told, "stuck", 130, 250);
    told.at[0].beside = told.at[1].beside = true;
    assert_ok(record_add(&r, &l, &told, true));
    assert_int_equal(r.notes[0].outcome, NOTE_TOO);
    assert_int_equal(r.notes[1].outcome, NOTE_FOUND); /* the fault's own flag counts for it */
    assert_int_equal(r.notes[2].outcome, NOTE_FALSE);
    record_done(&r);
}

static void a_leak_that_the_meter_does_not_see_is_not_scored(void **state)
{
    struct trial l = leaking();
    struct told_list told = { 0 };
    struct record r = { 0 };
    struct figures f;

    (void)state;
    l.seen_share = 0.1;
    assert_ok(record_add(&r, &l, &told, false));
    assert_ok(figures_of(&r, &(struct pick){ .rule = rule_named("leak") }, &f));
    assert_int_equal(f.faults, 0);
    record_done(&r);
}

/* ---- real series ---- */

/* Two homes for 200 days: at one of them water has run without a pause from day 20 on. */
static const char *two_homes(void)
{
    static char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/real.csv", check_folder());
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "meter,local_time,index_l\n");
    for (int home = 0; home < 2; home++) {
        struct chance c = chance_of(3, (uint64_t)home, 0);
        double litres = 1000;

        for (int h = 0; h < 200 * 24; h++) {
            struct civil at = day_civil(day_number(2016, 3, 1) * 86400 + h * 3600);

            litres += h % 24 < 6 ? 0 : chance_happens(&c, 0.6) ? chance_even(&c, 1, 40) : 0;
            litres += home == 1 && h >= 480 ? 25 : 0;
            fprintf(file, "H%d,%04d-%02u-%02uT%02u:07:00,%.0f\n", home, at.year, at.month, at.day,
                    at.hour, floor(litres));
        }
    }
    assert_int_equal(fclose(file), 0);
    return path;
}

static void
real_series_bear_the_faults_and_what_they_raise_themselves_counts_neither_way(void **state)
{
    const char *path = two_homes();
    struct holidays none = { 0 };
    struct record r = { 0 }, again = { 0 };
    unsigned leaks = 0, own = 0;

    (void)state;
    assert_ok(real_run(path, 1, 0, 60, &none, &r));
    assert_ok(real_run(path, 1, 0, 60, &none, &again));
    assert_int_equal(r.subject_count, 120);
    assert_int_equal(again.note_count, r.note_count);
    for (size_t i = 0; i < r.note_count; i++) {
        const struct note *n = &r.notes[i];
        const struct subject *s = &r.subjects[n->subject];

        assert_int_equal(again.notes[i].raised_s, n->raised_s);
        assert_int_equal(again.notes[i].outcome, n->outcome);
        if (n->rule != rule_named("leak"))
            continue;
        leaks += n->outcome == NOTE_FOUND;
        own += n->outcome == NOTE_TOO;
        if (s->n % 2 == 1 && (double)n->onset_s < s->onset_s - 5 * 86400) /* the home's own */
            assert_int_equal(n->outcome, NOTE_TOO);
    }
    assert_true(leaks >= 5 && own >= 20);
    record_done(&r);
    record_done(&again);
    assert_err(ERR_NOT_FOUND, real_run("/nowhere/real.csv", 1, 0, 1, &none, &r));
}

/* ---- the list of replacements ---- */

static void the_list_is_ranked_by_what_flags_tell_and_weighed_by_the_truth(void **state)
{
    struct record r = { 0 };
    char line[256];
    double length, flags, plain, best;
    /* 5 yuan a m3 at ends of 36 months at 5 % a year, a change for 180: 300 L a day bring 1 321.5, 100 L 320.5. */
    double months = (1 - pow(1 + 0.05 / 12, -36)) / (0.05 / 12);
    double first = (45 * months - 180) / (45 * months - 180 + 15 * months - 180);
    unsigned looked = 0;
    FILE *out = tmpfile();

    (void)state;
    assert_non_null(out);
    for (
        uint32_t n = 0; n < 100;
        n++) { /* 0 loses 300 and is told; 1 loses 100 and is not; of 7 what is told pays for no change */
        struct trial l = leaking();
        struct told_list told = { 0 };

        l.n = n;
        l.fault = (struct fault){ .kind = n < 2 ? FAULT_STUCK_WHOLE : FAULT_NONE,
                                  .onset_s = 200 * 86400.0,
                                  .end_s = l.to_s };
        l.lost_lpd = n == 0 ? 300 : n == 1 ? 100 : 0;
        if (n == 0 || n == 7)
            tell(&told, "stuck", 250, n == 0 ? 290 : 40);
        if (told.count)
            told.at[0].open = true;
        assert_ok(record_add(&r, &l, &told, false));
    }
    assert_ok(table_list(&r, out));
    rewind(out);
    while (fgets(line, sizeof line, out))
        if (sscanf(line, "%lf %lf %lf %lf", &length, &flags, &plain, &best) == 4) {
            looked++;
            assert_true(fabs(flags - (length < 1 ? 0 : first)) < 0.001 && plain < 0.001);
            assert_true(fabs(best - (length < 1 ? 0 : length < 2 ? first : 1)) < 0.001);
        }
    assert_int_equal(looked, 6);
    fclose(out);
    record_done(&r);
}

/* Every goal has its lines, whether its rule is built or not; none is met without a fault. */
static void every_goal_is_told(void **state)
{
    struct trial l = leaking();
    struct told_list told = { 0 };
    struct record r = { 0 };
    char line[512];
    unsigned lines = 0, met = 0;
    FILE *out = tmpfile();

    (void)state;
    assert_non_null(out);
    tell(&told, "leak", 101.5, 250);
    assert_ok(record_add(&r, &l, &told, false));
    assert_ok(table_rules(&r, out));
    assert_ok(table_recall(&r, out));
    assert_ok(table_curve(&r, out));
    assert_ok(table_false(&r, out));
    rewind(out);
    assert_ok(table_goals(&r, false, out));
    rewind(out);
    assert_ok(table_goals(&r, true, out));
    rewind(out);
    while (fgets(line, sizeof line, out) && line[0] == '{') {
        lines++;
        met += strstr(line, "\"met\":\"met\"") != NULL;
        assert_non_null(strstr(line, "}\n"));
    }
    assert_true(lines >= 26);
    assert_int_equal(met, 10); /* the leak's, of the rows that it is in, and no false flags */
    fclose(out);
    record_done(&r);
}

/* Four houses: one found in time, one found too late, one missed, one sound that was blamed. */
static void houses_are_counted_by_flat_and_time(void **state)
{
    struct house_subject houses[] = {
        { .fault = HOUSE_SLOW,
          .flats = 9,
          .found = true,
          .scored = true,
          .resolution_l = 1,
          .size = 0.4,
          .delay_d = 30,
          .meter_years = 10,
          .loss_off = 0.2 },
        { .fault = HOUSE_SLOW,
          .flats = 30,
          .found = true,
          .scored = true,
          .resolution_l = 10,
          .size = 0.2,
          .delay_d = 200,
          .meter_years = 30,
          .loss_off = NAN },
        { .fault = HOUSE_SLOW,
          .flats = 9,
          .scored = true,
          .resolution_l = 1,
          .size = 0.8,
          .meter_years = 10 },
        { .fault = HOUSE_SOUND,
          .flats = 9,
          .scored = true,
          .wrong = { [HOUSE_SLOW] = 1 },
          .meter_years = 50 },
    };
    struct house_record r = { houses, 4, 0 };
    struct house_pick in_time = { HOUSE_SLOW, 0, 0, 0.15, 0, HOUSE_WITHIN_D },
                      fine = { HOUSE_SLOW, 1, 0, 0, 0.5, 0 };
    struct house_figures f;
    char text[4096] = "";
    FILE *out = tmpfile();

    (void)state;
    assert_ok(house_figures_of(&r, &in_time, &f));
    assert_int_equal(f.faults, 3);
    assert_true(fabs(f.recall.value - 1 / 3.0) < 1e-9);
    assert_true(fabs(f.precision.value - 2 / 3.0) < 1e-9);
    assert_true(fabs(f.false_per_1000.value - 10) < 1e-9);
    assert_true(fabs(f.loss_off - 0.2) < 1e-9);
    assert_ok(house_figures_of(&r, &fine, &f));
    assert_int_equal(f.faults, 1);
    assert_true(fabs(f.recall.value - 1) < 1e-9);
    assert_non_null(out);
    assert_ok(goals_houses(&r, "houses", true, out));
    rewind(out);
    assert_true(fread(text, 1, sizeof text - 1, out) > 0);
    assert_non_null(strstr(text, "slow >= 15 % behind a building"));
    assert_null(strstr(text, "\"met\":\"met\""));
    fclose(out);
}

/* Seven homes for eleven months, each with two hours of its own. */
static const char *seven_homes(void)
{
    static char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof path, "%s/homes.csv", check_folder());
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "meter,local_time,index_l\n");
    for (int home = 0; home < 7; home++) {
        struct chance c = chance_of(3, (uint64_t)home, 1);
        double mood = 1, index = 1000;

        for (int n = 0; n < 330 * 24; n++) {
            time_t at_s = (time_t)1735689600 + (time_t)n * 3600;
            int hour = n % 24;
            struct tm t;

            gmtime_r(&at_s, &t);
            if (hour == 0)
                mood = chance_even(&c, 0.5, 1.5);
            fprintf(file, "H%d,%04d-%02d-%02dT%02d:00:00,%.0f\n", home, t.tm_year + 1900,
                    t.tm_mon + 1, t.tm_mday, t.tm_hour, index);
            if (hour == 6 + home % 4 || hour == 17 + home % 5)
                index += floor((60 + 25 * home) * mood * chance_even(&c, 0.2, 1.2));
            else if (hour > 6 && chance_happens(&c, 0.2))
                index += floor(chance_even(&c, 3, 30));
        }
    }
    fclose(file);
    return path;
}

static void houses_of_real_homes_bear_their_faults(void **state)
{
    const char *path = seven_homes();
    struct house_record r = { 0 }, again = { 0 };
    unsigned faults = 0, found = 0, wrong = 0;

    (void)state;
    assert_ok(real_houses_run(path, 5, 16, &r));
    assert_ok(real_houses_run(path, 5, 16, &again));
    assert_int_equal(r.count, 16);
    for (size_t i = 0; i < r.count; i++) {
        const struct house_subject *s = &r.subjects[i];

        assert_int_equal(s->found, again.subjects[i].found);
        assert_true(s->flats >= 5 && s->flats <= 7);
        faults += s->fault != HOUSE_SOUND && s->resolution_l < 100;
        found += s->found && s->resolution_l < 100;
        wrong += s->wrong[HOUSE_SLOW] + s->wrong[HOUSE_SWAPPED];
    }
    assert_true(faults >= 4 && found * 4 >= faults * 3 && wrong <= 1);
    house_record_done(&r);
    house_record_done(&again);
    assert_err(ERR_NOT_FOUND, real_houses_run("/nowhere/real.csv", 1, 1, &r));
    house_record_done(&r);
}

static bool near(double a, double b)
{
    return fabs(a - b) < 0.0006;
}

/* Newcombe, Statistics in Medicine 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29. */
static void shares_have_wilsons_interval(void **state)
{
    struct interval i = wilson(81, 263);

    (void)state;
    assert_true(near(i.low, 0.2553) && near(i.high, 0.3662));
    i = wilson(15, 148);
    assert_true(near(i.low, 0.0624) && near(i.high, 0.1605));
    i = wilson(0, 20);
    assert_true(near(i.low, 0) && near(i.high, 0.1611));
    i = wilson(1, 29);
    assert_true(near(i.low, 0.0061) && near(i.high, 0.1718));
    assert_true(isnan(wilson(0, 0).value));
}

/* Garwood's table: 0 → 3.689; 1 → 0.0253 to 5.572; 10 → 4.795 to 18.39; 100 → 81.36 to 121.63. */
static void counts_have_garwoods_interval(void **state)
{
    struct interval i = rate_of(0, 1);

    (void)state;
    assert_true(near(i.low, 0) && fabs(i.high - 3.689) < 0.001);
    i = rate_of(1, 1);
    assert_true(near(i.low, 0.0253) && fabs(i.high - 5.572) < 0.001);
    i = rate_of(10, 2);
    assert_true(fabs(i.low * 2 - 4.795) < 0.001 && fabs(i.high * 2 - 18.390) < 0.001);
    i = rate_of(100, 1);
    assert_true(fabs(i.low - 81.36) < 0.01 && fabs(i.high - 121.63) < 0.01);
}

static void the_plain_rules_do_as_they_say(void **state)
{
    struct trial_row rows[24 * 20];
    struct trial l = leaking();
    struct told_list told;
    struct zone zone;
    struct holidays none = { 0 };

    (void)state;
    zone_fixed(&zone, "UTC", 0);
    l.fitting_count = 1;
    l.rows = rows;
    l.meter.q3_lph = 2500;
    l.meter.modulus_ml = INT64_C(10000000000);
    for (uint32_t h = 0; h < 24 * 20; h++) {
        int64_t litres = h < 30 ? h * 4 : 30 * 4; /* 4 L an hour for 30 hours, then nothing */

        rows[h] = (struct trial_row){ .row = { .value = litres * 1000, .time_s = 3600 * (h + 1) },
                                      .channel = CHANNEL_FORWARD };
    }
    l.meter.form = REGISTER_FORWARD;
    l.count = sizeof rows / sizeof rows[0];
    assert_ok(run_rules(&l, &zone, &none, &told));
    assert_int_equal(told.count, 2);
    assert_string_equal(rules[told.at[0].rule].name, "one-gallon");
    assert_int_equal(told.at[0].raised_s, 25 * 3600);
    assert_int_equal(told.at[0].onset_s, 3600);
    assert_false(told.at[0].open);
    assert_string_equal(rules[told.at[1].rule].name, "zero-14");
    assert_int_equal(told.at[1].raised_s, (31 + 14 * 24) * 3600);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_counts_between_onset_and_two_days_after_the_end),
        cmocka_unit_test(a_second_flag_of_the_same_fault_is_a_repeat),
        cmocka_unit_test(another_kind_is_false_unless_the_fault_explains_it),
        cmocka_unit_test(what_the_series_raises_without_the_fault_counts_neither_way),
        cmocka_unit_test(nor_does_a_flag_of_no_fault_beside_one_that_the_series_has_anyway),
        cmocka_unit_test(a_leak_that_the_meter_does_not_see_is_not_scored),
        cmocka_unit_test(
            real_series_bear_the_faults_and_what_they_raise_themselves_counts_neither_way),
        cmocka_unit_test(the_list_is_ranked_by_what_flags_tell_and_weighed_by_the_truth),
        cmocka_unit_test(every_goal_is_told),
        cmocka_unit_test(houses_are_counted_by_flat_and_time),
        cmocka_unit_test(houses_of_real_homes_bear_their_faults),
        cmocka_unit_test(shares_have_wilsons_interval),
        cmocka_unit_test(counts_have_garwoods_interval),
        cmocka_unit_test(the_plain_rules_do_as_they_say),
    };

    rules_make();
    return check_run(tests, argc, argv);
}
