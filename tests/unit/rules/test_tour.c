/* Walking orders against the best there is, and which stops make a day. */
#include "server/fleet/tour.h"
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARTH_M 6371008.8
#define PI 3.14159265358979323846
#define DEGREE_M (EARTH_M * PI / 180)

static struct tour_space *space;

static struct tour_place at_metres(double east, double north)
{
    return (struct tour_place){ .lon = 114.3 + east / (DEGREE_M * cos(30.6 * PI / 180)),
                                .lat = 30.6 + north / DEGREE_M };
}

static void scatter(struct check_random *r, struct tour_place *out, size_t count, int64_t metres)
{
    for (size_t i = 0; i < count; i++)
        out[i] =
            at_metres((double)check_between(r, 0, metres), (double)check_between(r, 0, metres));
}

static double walked(const struct tour_place *stops, const uint16_t *order, size_t count,
                     const struct tour_place *start)
{
    double sum = start && count ? tour_metres(*start, stops[order[0]]) : 0;

    for (size_t i = 1; i < count; i++)
        sum += tour_metres(stops[order[i - 1]], stops[order[i]]);
    return sum;
}

static void assert_permutation(const uint16_t *order, size_t count)
{
    bool seen[TOUR_STOPS_MAX] = { false };

    for (size_t i = 0; i < count; i++) {
        assert_true(order[i] < count);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
    }
}

static double ordered(const struct tour_place *stops, size_t count, const struct tour_place *start)
{
    uint16_t order[TOUR_STOPS_MAX];
    double metres = tour_order(space, stops, count, start, order);

    assert_permutation(order, count);
    assert_true(fabs(metres - walked(stops, order, count, start)) < 1e-3);
    return metres;
}

/* ---- distances ---- */

static void distances_are_those_of_the_sphere(void **state)
{
    struct tour_place o = { 0, 0 };

    (void)state;
    assert_true(fabs(tour_metres(o, (struct tour_place){ 0, 90 }) - EARTH_M * PI / 2) < 1e-6);
    assert_true(fabs(tour_metres(o, (struct tour_place){ 180, 0 }) - EARTH_M * PI) < 1e-6);
    assert_true(fabs(tour_metres(o, (struct tour_place){ 0, 1 }) - 111195.0797) < 1e-3);
    assert_true(fabs(tour_metres((struct tour_place){ 114, 60 }, (struct tour_place){ 115, 60 }) -
                     55597.0109) < 1e-3); /* the parallel is half a metre longer */
    assert_true(tour_metres((struct tour_place){ 114, 60 }, (struct tour_place){ 115, 60 }) <
                DEGREE_M * cos(60 * PI / 180));
    /* over the date line it is a step, not a journey */
    assert_true(
        fabs(tour_metres((struct tour_place){ 179.9995, 0 }, (struct tour_place){ -179.9995, 0 }) -
             111.195) < 1e-3);
    assert_true(tour_metres(at_metres(5, 5), at_metres(5, 5)) == 0);
}

/* ---- order ---- */

struct search {
    const struct tour_place *stops;
    size_t count;
    double best;
};

static void search_from(struct search *s, struct tour_place at, bool begun, unsigned visited,
                        double so_far)
{
    if (so_far >= s->best)
        return;
    if (visited == (1u << s->count) - 1) {
        s->best = so_far;
        return;
    }
    for (unsigned i = 0; i < s->count; i++)
        if (!(visited >> i & 1))
            search_from(s, s->stops[i], true, visited | 1u << i,
                        so_far + (begun ? tour_metres(at, s->stops[i]) : 0));
}

static double shortest(const struct tour_place *stops, size_t count, const struct tour_place *start)
{
    struct search s = { .stops = stops, .count = count, .best = INFINITY };

    search_from(&s, start ? *start : stops[0], start != NULL, 0, 0);
    return s.best;
}

static void nine_stops_are_walked_nearly_as_short_as_can_be(void **state)
{
    struct check_random r = check_random_begin();
    double worst = 1, sum = 0;
    unsigned same = 0, tries = 0;

    (void)state;
    for (size_t count = 1; count <= 9; count++)
        for (unsigned n = 0; n < 24; n++) {
            struct tour_place stops[9], start = at_metres(0, 0);
            const struct tour_place *from = n % 2 ? &start : NULL;
            double least, ratio;

            scatter(&r, stops, count, 2000);
            least = shortest(stops, count, from);
            ratio = least > 0 ? ordered(stops, count, from) / least : 1;
            assert_true(ratio > 1 - 1e-9);
            same += ratio < 1 + 1e-9;
            worst = ratio > worst ? ratio : worst;
            sum += ratio;
            tries++;
        }
    printf(
        "walking order against the shortest: %u of %u the same, on average %.4f, at worst %.4f\n",
        same, tries, sum / tries, worst);
    assert_true(sum / tries < 1.01);
    assert_true(worst < 1.2);
}

static double plain_nearest(const struct tour_place *stops, size_t count,
                            const struct tour_place *start, size_t first)
{
    bool seen[TOUR_STOPS_MAX] = { false };
    double sum = start ? tour_metres(*start, stops[first]) : 0;
    size_t at = first;

    seen[first] = true;
    for (size_t n = 1; n < count; n++) {
        size_t next = count;

        for (size_t i = 0; i < count; i++)
            if (!seen[i] && (next == count || tour_metres(stops[at], stops[i]) <
                                                  tour_metres(stops[at], stops[next])))
                next = i;
        sum += tour_metres(stops[at], stops[next]);
        seen[next] = true;
        at = next;
    }
    return sum;
}

static size_t nearest_to(const struct tour_place *stops, size_t count, struct tour_place to)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++)
        if (tour_metres(to, stops[i]) < tour_metres(to, stops[best]))
            best = i;
    return best;
}

static void two_hundred_stops_beat_nearest_neighbour_and_the_order_given(void **state)
{
    struct check_random r = check_random_begin();
    double of_nearest = 0, of_given = 0;

    (void)state;
    for (unsigned n = 0; n < 10; n++) {
        static struct tour_place stops[TOUR_STOPS_MAX];
        struct tour_place start = at_metres(1500, -100);
        uint16_t given[TOUR_STOPS_MAX];
        double metres, plain;

        for (size_t i = 0; i < TOUR_STOPS_MAX; i++)
            given[i] = (uint16_t)i;
        scatter(&r, stops, TOUR_STOPS_MAX, 3000);
        metres = ordered(stops, TOUR_STOPS_MAX, &start);
        plain =
            plain_nearest(stops, TOUR_STOPS_MAX, &start, nearest_to(stops, TOUR_STOPS_MAX, start));
        assert_true(metres <= plain);
        of_nearest += metres / plain / 10;
        of_given += metres / walked(stops, given, TOUR_STOPS_MAX, &start) / 10;
    }
    printf("200 stops: %.3f of plain nearest neighbour, %.3f of the order given\n", of_nearest,
           of_given);
    assert_true(of_nearest < 0.9);
    assert_true(of_given < 0.15);
}

static void a_good_order_given_is_never_made_worse(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (unsigned n = 0; n < 20; n++) {
        struct tour_place stops[60], sorted[60];
        uint16_t order[60], same[60];
        double metres;

        scatter(&r, stops, 60, 2000);
        metres = tour_order(space, stops, 60, NULL, order);
        for (uint16_t i = 0; i < 60; i++) {
            sorted[i] = stops[order[i]];
            same[i] = i;
        }
        assert_true(ordered(sorted, 60, NULL) <= metres + 1e-6);
        assert_true(walked(sorted, same, 60, NULL) <= metres + 1e-6);
    }
}

static void a_street_is_walked_from_one_end_to_the_other(void **state)
{
    struct check_random r = check_random_begin();
    struct tour_place stops[150], start = at_metres(-50, 0);
    uint16_t order[150];

    (void)state;
    for (size_t i = 0; i < 150; i++)
        stops[i] = at_metres(20.0 * (double)i, 0);
    check_shuffle(&r, stops, 150, sizeof stops[0]);
    assert_true(fabs(ordered(stops, 150, NULL) - 149 * 20) < 1);
    assert_true(fabs(ordered(stops, 150, &start) - (149 * 20 + 50)) < 1);
    tour_order(space, stops, 150, &start, order);
    assert_int_equal(nearest_to(stops, 150, start), order[0]);
}

static void one_place_and_one_stop_and_none(void **state)
{
    struct tour_place stops[TOUR_STOPS_MAX], start = at_metres(300, 400);
    uint16_t order[TOUR_STOPS_MAX];

    (void)state;
    assert_true(tour_order(space, NULL, 0, NULL, order) == 0);
    for (size_t i = 0; i < TOUR_STOPS_MAX; i++)
        stops[i] = at_metres(0, 0); /* two hundred meters in one shaft */
    assert_true(ordered(stops, 1, NULL) == 0);
    assert_true(fabs(ordered(stops, 1, &start) - 500) < 1);
    assert_true(ordered(stops, TOUR_STOPS_MAX, NULL) == 0);
    assert_true(fabs(ordered(stops, TOUR_STOPS_MAX, &start) - 500) < 1);
}

/* ---- lists ---- */

struct planned {
    size_t count;
    struct tour_turn *turn;
    uint32_t tours;
};

static struct planned planned(const struct tour_stop *stops, size_t count,
                              const struct tour_rules *rules)
{
    struct planned p = { .count = count, .turn = calloc(count + 1, sizeof *p.turn) };
    struct arena memory;
    uint32_t held = 0, before = 0;
    bool *seen = calloc(count + 1, sizeof *seen);

    assert_ok(arena_init(&memory, TOUR_PLAN_BYTES(count)));
    assert_ok(tour_plan(stops, count, rules, &memory, p.turn, &p.tours));
    arena_done(&memory);
    for (size_t i = 0; i < count; i++) { /* each stop once, lists in order and none too long */
        assert_true(p.turn[i].stop < count);
        assert_false(seen[p.turn[i].stop]);
        seen[p.turn[i].stop] = true;
        assert_true(p.turn[i].tour == before || (i && p.turn[i].tour == before + 1));
        held = p.turn[i].tour == before && i ? held + 1 : 1;
        before = p.turn[i].tour;
        assert_true(held <= rules->stops_most);
    }
    assert_int_equal(count ? before + 1 : 0, p.tours);
    free(seen);
    return p;
}

static struct tour_stop stop_at(double east, double north, uint32_t route, int64_t seq)
{
    return (struct tour_stop){
        .at = at_metres(east, north), .placed = true, .route = route, .seq = seq
    };
}

static void a_long_route_becomes_as_few_lists_of_equal_size_as_will_do(void **state)
{
    struct check_random r = check_random_begin();
    struct tour_rules rules = { .stops_most = 40, .near_m = TOUR_NEAR_M };
    struct tour_stop *stops = calloc(401, sizeof *stops);
    uint32_t held[11] = { 0 };
    struct planned p;

    (void)state;
    for (size_t i = 0; i < 401; i++)
        stops[i] = stop_at((double)check_between(&r, 0, 3000), (double)check_between(&r, 0, 900), 1,
                           (int64_t)i);
    p = planned(stops, 401, &rules);
    assert_int_equal(11, p.tours);
    for (size_t i = 0; i < 401; i++)
        held[p.turn[i].tour]++;
    for (unsigned n = 0; n < 11; n++)
        assert_true(held[n] == 36 || held[n] == 37);
    free(p.turn);
    free(stops);
}

static void routes_stay_whole_and_only_near_ones_join(void **state)
{
    struct tour_rules rules = { .stops_most = 40, .near_m = TOUR_NEAR_M };
    struct tour_stop stops[50];
    uint32_t of_route[5] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
    struct planned p;

    (void)state;
    for (size_t i = 0; i < 50; i++) { /* five routes of ten; the last lies 30 km away */
        uint32_t route = (uint32_t)(i % 5);

        stops[i] = stop_at(route == 4 ? 30000 : 300.0 * route, 10.0 * (double)i, route, (int64_t)i);
    }
    p = planned(stops, 50, &rules);
    for (size_t i = 0; i < 50; i++) {
        uint32_t *of = &of_route[stops[p.turn[i].stop].route];

        assert_true(*of == UINT32_MAX || *of == p.turn[i].tour);
        *of = p.turn[i].tour;
    }
    assert_int_equal(2, p.tours);
    assert_true(of_route[4] != of_route[0] && of_route[0] == of_route[3]);
    free(p.turn);
    rules.stops_most = 19; /* no two routes fit into one day */
    p = planned(stops, 50, &rules);
    assert_int_equal(5, p.tours);
    free(p.turn);
}

static void stops_without_coordinates_come_last_in_the_order_of_their_route(void **state)
{
    struct tour_place start = at_metres(0, 0);
    struct tour_rules rules = { .stops_most = 40, .near_m = TOUR_NEAR_M, .start = &start };
    struct tour_stop stops[12];
    struct planned p;

    (void)state;
    for (size_t i = 0; i < 12; i++) {
        stops[i] = stop_at(100.0 * (double)(i + 1), 0, 1, 100 - (int64_t)i);
        stops[i].placed = i % 3 != 0;
    }
    p = planned(stops, 12, &rules);
    assert_int_equal(1, p.tours);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(i < 8, stops[p.turn[i].stop].placed);
        assert_int_equal(i < 8, p.turn[i].leg_m >= 0);
        if (i > 8)
            assert_true(stops[p.turn[i].stop].seq > stops[p.turn[i - 1].stop].seq);
    }
    assert_int_equal(1, p.turn[0].stop);
    assert_true(fabs(p.turn[0].leg_m - 200) < 1);
    free(p.turn);
}

static void a_route_nobody_measured_is_cut_by_its_own_order(void **state)
{
    struct tour_rules rules = { .stops_most = 40, .near_m = TOUR_NEAR_M };
    struct tour_stop stops[100];
    struct planned p;

    (void)state;
    for (size_t i = 0; i < 100; i++)
        stops[i] = (struct tour_stop){ .route = 3, .seq = 1000 - (int64_t)i };
    p = planned(stops, 100, &rules);
    assert_int_equal(3, p.tours);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(99 - i, p.turn[i].stop);
    free(p.turn);
}

static void the_same_stops_give_the_same_lists_and_random_ones_are_all_planned(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (unsigned n = 0; n < 60; n++) {
        size_t count = (size_t)check_below(&r, 400);
        struct tour_rules rules = { .stops_most = 1 + (uint32_t)check_below(&r, 60),
                                    .near_m = (double)check_below(&r, 4000) };
        struct tour_stop *stops = calloc(count + 1, sizeof *stops);
        struct planned a, b;

        for (size_t i = 0; i < count; i++) {
            stops[i] = stop_at((double)check_below(&r, 9000), (double)check_below(&r, 9000),
                               (uint32_t)check_below(&r, 12), (int64_t)check_below(&r, 50));
            stops[i].placed = check_below(&r, 4) != 0;
        }
        a = planned(stops, count, &rules);
        b = planned(stops, count, &rules);
        assert_int_equal(a.tours, b.tours);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(a.turn[i].stop, b.turn[i].stop);
            assert_int_equal(a.turn[i].tour, b.turn[i].tour);
        }
        free(a.turn);
        free(b.turn);
        free(stops);
    }
}

static void too_little_memory_is_told(void **state)
{
    struct tour_rules rules = { .stops_most = 40 };
    struct tour_stop stops[10] = { { .placed = true } };
    struct tour_turn turns[10];
    struct arena memory;
    uint32_t tours;

    (void)state;
    assert_ok(arena_init(&memory, 1000));
    assert_err(ERR_NO_MEMORY, tour_plan(stops, 10, &rules, &memory, turns, &tours));
    arena_done(&memory);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_those_of_the_sphere),
        cmocka_unit_test(nine_stops_are_walked_nearly_as_short_as_can_be),
        cmocka_unit_test(two_hundred_stops_beat_nearest_neighbour_and_the_order_given),
        cmocka_unit_test(a_good_order_given_is_never_made_worse),
        cmocka_unit_test(a_street_is_walked_from_one_end_to_the_other),
        cmocka_unit_test(one_place_and_one_stop_and_none),
        cmocka_unit_test(a_long_route_becomes_as_few_lists_of_equal_size_as_will_do),
        cmocka_unit_test(routes_stay_whole_and_only_near_ones_join),
        cmocka_unit_test(stops_without_coordinates_come_last_in_the_order_of_their_route),
        cmocka_unit_test(a_route_nobody_measured_is_cut_by_its_own_order),
        cmocka_unit_test(the_same_stops_give_the_same_lists_and_random_ones_are_all_planned),
        cmocka_unit_test(too_little_memory_is_told),
    };
    int failed;

    space = calloc(1, sizeof *space);
    failed = check_run(tests, argc, argv);
    free(space);
    return failed;
}
