#include "tests/check.h"

#include "tools/sim/house.h"

#include <stdlib.h>
#include <string.h>

static struct zone zone;

static struct trial_options options(void)
{
    zone_fixed(&zone, "Asia/Shanghai", 8 * 3600);
    return (struct trial_options){
        .seed = 42, .days = 120, .from_day = day_number(2024, 3, 1), .zone = &zone, .faulty = 0.5
    };
}

static struct trial *lived(const struct trial_options *o, uint32_t n)
{
    struct trial *l = (struct trial *)calloc(1, sizeof *l);

    assert_non_null(l);
    assert_ok(trial_live(o, n, l));
    return l;
}

static void give_back(struct trial *l)
{
    trial_done(l);
    free(l);
}

static void a_life_is_the_same_whatever_was_made_before_it(void **state)
{
    struct trial_options o = options();
    struct trial *again = (struct trial *)calloc(1, sizeof *again);

    (void)state;
    assert_non_null(again);
    for (uint32_t n = 0; n < 24; n++) {
        struct trial *l = lived(&o, n);

        assert_ok(trial_live(&o, n, again)); /* in memory that others have used */
        assert_int_equal(again->count, l->count);
        assert_memory_equal(&again->fault, &l->fault, sizeof l->fault);
        for (size_t i = 0; i < l->count; i++) {
            assert_int_equal(again->rows[i].row.value, l->rows[i].row.value);
            assert_int_equal(again->rows[i].row.time_s, l->rows[i].row.time_s);
            assert_int_equal(again->rows[i].arrival_s, l->rows[i].arrival_s);
        }
        give_back(l);
    }
    give_back(again);
}

static void readings_stand_in_order_and_none_arrives_before_it_was_taken(void **state)
{
    struct trial_options o = options();

    (void)state;
    for (uint32_t n = 0; n < 60; n++) {
        struct trial *l = lived(&o, n);

        for (size_t i = 0; i < l->count; i++) {
            const struct trial_row *r = &l->rows[i];

            if (i)
                assert_true(l->rows[i - 1].row.time_s <= r->row.time_s);
            if ((r->row.attr & ATTR_SOURCE) == SOURCE_REMOTE &&
                !(l->mishaps & 1u << MISHAP_DOUBLED))
                assert_true(l->fault.kind == FAULT_CLOCK || r->arrival_s >= r->row.time_s);
            assert_true(r->fitting < l->fitting_count);
        }
        give_back(l);
    }
}

/* Of a whole life without a fault the register shows what a sound meter registers of what was used. */
static void a_sound_register_shows_what_was_used(void **state)
{
    struct trial_options o = options();
    unsigned looked = 0;

    (void)state;
    o.faulty = 0;
    for (uint32_t n = 0; n < 60; n++) {
        struct trial *l = lived(&o, n);

        if (l->mishaps == 0 && l->meter.form == REGISTER_NET && l->count > 2000) {
            double days =
                (double)(l->rows[l->count - 1].row.time_s - l->rows[0].row.time_s) / 86400;
            double ml = (double)(l->rows[l->count - 1].row.value - l->rows[0].row.value);

            looked++;
            assert_true(fabs(ml / 1000 / days - l->used_lpd) <=
                        0.15 * l->used_lpd + 2.0 * (double)l->meter.resolution_ml / 1000 / days +
                            5);
        }
        give_back(l);
    }
    assert_true(looked >= 5);
}

static void a_fault_changes_nothing_before_its_onset(void **state)
{
    struct trial_options o = options(), sound = o;
    unsigned looked = 0;

    (void)state;
    sound.faulty = 0;
    for (uint32_t n = 0; n < 60; n++) {
        struct trial *faulty = lived(&o, n), *l = lived(&sound, n);

        for (size_t i = 0; i < faulty->count && i < l->count && faulty->fault.kind != FAULT_NONE &&
                           faulty->mishaps == l->mishaps && faulty->tries == 1 &&
                           faulty->fault.kind != FAULT_OUT_OF_STEP && /* its dial is read besides */
                           faulty->meter.q3_lph == l->meter.q3_lph &&
                           faulty->rows[i].row.time_s < faulty->fault.onset_s;
             i++) {
            assert_int_equal(faulty->rows[i].row.value, l->rows[i].row.value);
            looked += i == 500;
        }
        give_back(l);
        give_back(faulty);
    }
    assert_true(looked >= 5);
}

/* Every kind is drawn, at a place that can have it, and tells what it cost. */
static void every_fault_is_there_and_costs_what_it_costs(void **state)
{
    struct trial_options o = options();
    struct trial *l = (struct trial *)calloc(1, sizeof *l);
    unsigned seen[FAULTS] = { 0 };

    (void)state;
    assert_non_null(l);
    o.faulty = 1;
    for (uint32_t n = 0; n < 500; n++) {
        const struct fault *f = &l->fault;

        assert_ok(trial_live(&o, n, l));
        seen[f->kind]++;
        assert_true(f->onset_s >= l->from_s && f->end_s <= l->to_s && f->onset_s < f->end_s);
        if (f->kind >= FAULT_LEAK_2_5 && f->kind <= FAULT_LEAK_20_200)
            assert_true(l->lost_lpd / 24 > 0.9 * f->size && l->lost_lpd / 24 < 1.15 * f->size);
        if (f->kind == FAULT_STUCK_WHOLE || f->kind == FAULT_REVERSED || f->kind == FAULT_UNMOVED)
            assert_true(fabs(l->lost_lpd - l->would_lpd) <= 0.001 * l->would_lpd);
        if (f->kind >= FAULT_SLOW_5_20 && f->kind <= FAULT_SLOW_50)
            assert_true(fabs(l->lost_lpd - f->size * l->would_lpd) <= 0.001 * l->would_lpd);
        if (f->kind == FAULT_SILENT || f->kind == FAULT_BATTERY)
            assert_true(l->count == 0 || l->rows[l->count - 1].row.time_s <= f->end_s);
    }
    assert_int_equal(seen[FAULT_NONE], 0);
    for (int k = 1; k < FAULTS; k++)
        assert_true(seen[k] > 0);
    give_back(l);
}

/* Litres of a meter between two instants, by the readings nearest to them. */
static double litres_between(const struct trial *l, double from_s, double to_s)
{
    int64_t a = -1, b = -1;

    for (size_t i = 0; i < l->count; i++) {
        if (a < 0 && l->rows[i].row.time_s >= from_s)
            a = l->rows[i].row.value;
        if (l->rows[i].row.time_s <= to_s)
            b = l->rows[i].row.value;
    }
    assert_true(a >= 0 && b >= a);
    return (double)(b - a) / 1000;
}

static struct house *lived_house(uint32_t n, double faulty)
{
    struct trial_options o = options();
    struct house *h = (struct house *)calloc(1, sizeof *h);

    assert_non_null(h);
    o.faulty = faulty;
    assert_ok(house_live(&o, n, h));
    return h;
}

static void leave_house(struct house *h)
{
    house_done(h);
    free(h);
}

static void what_flats_use_runs_through_the_meter_before_them(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 6; n++) {
        struct house *h = lived_house(n, 0);
        double from_s = h->parent.from_s + 86400, to_s = h->parent.to_s - 3 * 86400, sum = 0, all;

        for (int i = 0; i < h->count; i++)
            sum += litres_between(&h->flats[i], from_s, to_s);
        sum += h->pipe_lph * (to_s - from_s) / 3600;
        all = litres_between(&h->parent, from_s, to_s);
        assert_true(fabs(all / sum - 1) < 0.15);
        leave_house(h);
    }
}

/* The house without and with its fault: what a slow meter does not count, the one before all of them does; swapped ones count each
 * other's water. */
static void a_house_has_the_fault_that_it_tells(void **state)
{
    unsigned seen[HOUSE_FAULTS] = { 0 };

    (void)state;
    for (uint32_t n = 0; n < 8; n++) {
        struct house *sound = lived_house(n, 0), *h = lived_house(n, 1);
        double to_s = h->parent.to_s - 3 * 86400;
        double a0 = litres_between(&sound->flats[h->flat], h->onset_s, to_s);
        double a = litres_between(&h->flats[h->flat], h->onset_s, to_s);
        double b0 = litres_between(&sound->flats[h->other], h->onset_s, to_s);
        double b = litres_between(&h->flats[h->other], h->onset_s, to_s);

        seen[h->fault]++;
        assert_true(fabs(litres_between(&h->parent, h->onset_s, to_s) -
                         litres_between(&sound->parent, h->onset_s, to_s)) < 1);
        if (h->fault == HOUSE_SLOW)
            assert_true(fabs(a - (1 - h->size) * a0) <= 0.02 * a0 + 300);
        if (h->fault == HOUSE_SWAPPED)
            assert_true(fabs(a - b0) <= 0.12 * b0 + 300 && fabs(b - a0) <= 0.12 * a0 + 300);
        leave_house(sound);
        leave_house(h);
    }
    assert_true(seen[HOUSE_SLOW] > 0 && seen[HOUSE_SWAPPED] > 0);
}

static void what_flows_is_shared_among_the_stretches_between_readings(void **state)
{
    struct course k = { 0 };
    double sum = 0;

    (void)state;
    assert_ok(course_begin(&k, 1000, 3600, 24));
    course_add(&k, k.forward_ml, 1000 + 1.5 * 3600, 2 * 3600, 8000);
    assert_true(fabs((double)k.forward_ml[1] - 2000) < 1 &&
                fabs((double)k.forward_ml[2] - 4000) < 1 &&
                fabs((double)k.forward_ml[3] - 2000) < 1);
    course_add(&k, k.forward_ml, 1000 - 3600, 2 * 3600, 8000); /* half of it before the first */
    course_add(&k, k.forward_ml, 1000 + 23.5 * 3600, 3600, 8000);
    course_add(&k, k.forward_ml, 1000 + 99 * 3600, 3600, 8000);
    for (uint32_t n = 0; n < k.count; n++)
        sum += (double)k.forward_ml[n];
    assert_true(fabs(sum - 16000) < 1);
    course_done(&k);
}

static void a_new_meter_keeps_its_class_and_shows_nothing_below_its_starting_flow(void **state)
{
    struct chance c = chance_of(1, 2, 3);

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct curve k;

        curve_make(&k, &c, (enum works)(i % 3), 2500, 0);
        assert_true(curve_share(&k, k.start_lph * 0.99) <= 0);
        for (double lph = k.q1_lph; lph <= 3125; lph *= 1.1)
            assert_true(fabs(curve_share(&k, lph) - 1) <= (lph < k.q2_lph ? 0.05 : 0.021));
    }
}

static double loss_of(enum fault_kind kind, double *out_sum)
{
    struct chance c = chance_of(5, (uint64_t)kind, 1);
    struct fault f;
    double on = 0;
    int hours = 0;

    fault_make(&f, &c, kind, 0, 400 * 86400.0, 2500);
    *out_sum = f.size;
    for (double at_s = f.onset_s; at_s < f.end_s; at_s += 3600, hours++)
        on += fault_share(&f, at_s);
    return hours ? 1 - on / hours : 0;
}

static void faults_do_what_their_names_say(void **state)
{
    double size;

    (void)state;
    assert_true(loss_of(FAULT_STUCK_WHOLE, &size) >= 1);
    assert_true(fabs(loss_of(FAULT_SLOW_20_50, &size) - size) < 1e-9 && size >= 0.2 && size < 0.5);
    assert_true(fabs(loss_of(FAULT_SLOW_50, &size) - size) < 1e-9 && size >= 0.5);
    assert_true(fabs(loss_of(FAULT_FAST, &size) + size) < 1e-9);
    assert_true(fabs(loss_of(FAULT_STUCK_GO, &size) - 0.67) < 0.25);
    assert_true(fabs(loss_of(FAULT_STUCK_PARTLY, &size) - 0.86) < 0.1);
    assert_true(fault_has_flag("stuck slow", "slow") && !fault_has_flag("stuck slow", "st"));
    assert_true(!fault_has_flag("", "slow") && !fault_has_flag("slower", "slow"));
}

static void add(void *arg, double at_s, double seconds, double lph)
{
    (void)at_s;
    *(double *)arg += seconds * lph / 3600;
}

/* Means of the literature that enduse.c names: 90 to 170 L a person and day at home. */
static void homes_use_what_homes_use(void **state)
{
    double litres = 0, people = 0;

    (void)state;
    for (uint32_t n = 0; n < 300; n++) {
        struct chance c = chance_of(9, n, 0);
        struct home h;

        home_make(&h, &c, 20000, 400);
        h.pool_day = h.water_every = h.soften_every = 0;
        h.waters_by_hand = false;
        h.drip_lph = 0;
        for (int d = 0; d < 30; d++)
            home_day(&h, &c, 20150 + d, 0, add, &litres);
        people += 30 * h.people;
    }
    assert_true(litres / people > 90 && litres / people < 170);
}

static int number_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* In the median of the homes that are lived in the mean of 28 days varies by 18 % over a year, in Alicante and here. */
static void homes_vary_from_month_to_month_as_real_ones_do(void **state)
{
    double cv[100];

    (void)state;
    for (uint32_t n = 0; n < 100; n++) {
        struct chance c = chance_of(11, n, 0);
        struct home h;
        double sum = 0, squares = 0;

        home_make(&h, &c, 20000, 400);
        h.pool_day = h.leaves_day = h.enters_day = h.smaller_day = 0;
        h.water_every = 0;
        h.waters_by_hand = false;
        for (int month = 0; month < 13; month++) {
            double litres = 0;

            for (int d = 0; d < 28; d++)
                home_day(&h, &c, 20000 + month * 28 + d, 0, add, &litres);
            sum += litres;
            squares += litres * litres;
        }
        cv[n] = sqrt((squares / 13 - sum * sum / 169) * 13 / 12) / (sum / 13);
    }
    qsort(cv, 100, sizeof cv[0], number_order);
    assert_true(cv[50] > 0.13 && cv[50] < 0.24);
}

/* ---- being away ---- */

#define FIRST_DAY 20000 /* 4 October */

struct pauses_seen {
    double last_s; /* end of the last draw, or the first day's begin */
    double hours[9000], at_h[9000];
    unsigned count;
};

struct draws_of_day {
    double from_s[400];
    unsigned count;
};

static void keep(void *arg, double at_s, double seconds, double lph)
{
    struct draws_of_day *d = (struct draws_of_day *)arg;

    if (lph * seconds > 0 && d->count < 400)
        d->from_s[d->count++] = at_s;
}

/* Standstills of a day and more of one home in a year, after the hour of the last draw. */
static unsigned live_a_year(uint32_t n, struct pauses_seen *p)
{
    struct chance c = chance_of(13, n, 0);
    unsigned before = p->count;
    struct home h;

    home_make(&h, &c, FIRST_DAY, 400);
    h.pool_day = h.leaves_day = h.enters_day = h.smaller_day = 0;
    h.water_every = h.soften_every = 0;
    h.drip_lph = 0;
    h.goes_home = h.travels = false;
    p->last_s = (double)FIRST_DAY * 86400;
    for (int64_t day = FIRST_DAY; day < FIRST_DAY + 365; day++) {
        struct draws_of_day d = { .count = 0 };

        home_day(&h, &c, day, (double)day * 86400, keep, &d);
        qsort(d.from_s, d.count, sizeof d.from_s[0], number_order);
        for (unsigned i = 0; i < d.count; i++) {
            double hours = (d.from_s[i] - p->last_s) / 3600;

            if (hours >= 24 && p->count < 9000) {
                p->at_h[p->count] = fmod(p->last_s, 86400) / 3600;
                p->hours[p->count++] = hours;
            }
            p->last_s = d.from_s[i];
        }
    }
    return p->count - before;
}

/* As often, as long, by as few and at such hours as in Alicante (2016), as enduse.c has it. */
static void people_are_away_as_real_ones_are(void **state)
{
    static struct pauses_seen p;
    unsigned homes = 400, steady = 0, two = 0, week = 0, late = 0;

    (void)state;
    for (uint32_t n = 0; n < homes; n++)
        steady += live_a_year(n, &p) == 0;
    for (unsigned i = 0; i < p.count; i++) {
        two += p.hours[i] >= 48;
        week += p.hours[i] >= 180;
        late += p.hours[i] >= 48 && (p.at_h[i] >= 21 || p.at_h[i] < 3);
    }
    assert_in_range(p.count, 5 * homes, 9 * homes);
    assert_in_range(two, 2 * homes, 4 * homes);
    assert_in_range(week, homes / 10, homes * 3 / 10);
    assert_in_range(steady, homes * 17 / 100, homes * 35 / 100);
    assert_in_range(late, two * 3 / 100, two * 15 / 100);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_are_away_as_real_ones_are),
        cmocka_unit_test(a_life_is_the_same_whatever_was_made_before_it),
        cmocka_unit_test(readings_stand_in_order_and_none_arrives_before_it_was_taken),
        cmocka_unit_test(a_sound_register_shows_what_was_used),
        cmocka_unit_test(a_fault_changes_nothing_before_its_onset),
        cmocka_unit_test(every_fault_is_there_and_costs_what_it_costs),
        cmocka_unit_test(what_flats_use_runs_through_the_meter_before_them),
        cmocka_unit_test(a_house_has_the_fault_that_it_tells),
        cmocka_unit_test(what_flows_is_shared_among_the_stretches_between_readings),
        cmocka_unit_test(a_new_meter_keeps_its_class_and_shows_nothing_below_its_starting_flow),
        cmocka_unit_test(faults_do_what_their_names_say),
        cmocka_unit_test(homes_use_what_homes_use),
        cmocka_unit_test(homes_vary_from_month_to_month_as_real_ones_do),
    };

    return check_run(tests, argc, argv);
}
