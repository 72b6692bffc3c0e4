/* How long it takes to plan day lists, and how much shorter they are: one JSON line per figure.
 *
 *   bench_tour [STOPS]   default 10 000, in a city of 12 km by 12 km with routes of 500 m by 500 m
 *
 * The baselines are the same stops in plain nearest neighbour order and as they were given. */
#include "server/fleet/tour.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CITY_M 12000
#define ROUTE_M 500

static uint64_t seed = 20260301;

static double metres_below(double most)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(seed >> 33) / 2147483648.0 * most;
}

static struct tour_place place_of(double east, double north)
{
    return (struct tour_place){ .lon = 114.3 + east / 95700, .lat = 30.6 + north / 111195 };
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void figure(const char *name, double value, const char *unit)
{
    printf("{\"bench\":\"tour\",\"figure\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"}\n", name, value,
           unit);
    fflush(stdout);
}

static double plain_nearest(const struct tour_place *stops, size_t count, size_t at)
{
    bool seen[TOUR_STOPS_MAX] = { false };
    double sum = 0;

    seen[at] = true;
    for (size_t n = 1; n < count; n++) {
        size_t next = count;

        for (size_t i = 0; i < count; i++)
            if (!seen[i] && (next == count || tour_metres(stops[at], stops[i]) <
                                                  tour_metres(stops[at], stops[next])))
                next = i;
        sum += tour_metres(stops[at], stops[next]);
        seen[at = next] = true;
    }
    return sum;
}

static void one_list(void)
{
    struct tour_space *space = (struct tour_space *)calloc(1, sizeof *space);
    double ms = 0, ours = 0, nearest = 0, given = 0;

    for (unsigned n = 0; space && n < 20; n++) {
        struct tour_place stops[TOUR_STOPS_MAX];
        uint16_t order[TOUR_STOPS_MAX];
        double began;

        for (size_t i = 0; i < TOUR_STOPS_MAX; i++)
            stops[i] = place_of(metres_below(3000), metres_below(3000));
        began = now_ms();
        ours += tour_order(space, stops, TOUR_STOPS_MAX, NULL, order);
        ms += now_ms() - began;
        nearest += plain_nearest(stops, TOUR_STOPS_MAX, order[0]);
        for (size_t i = 1; i < TOUR_STOPS_MAX; i++)
            given += tour_metres(stops[i - 1], stops[i]);
    }
    free(space);
    figure("order of 200 stops", ms / 20, "ms");
    figure("its length against nearest neighbour", ours / nearest, "");
    figure("its length against the order given", ours / given, "");
}

static void many_lists(size_t count, uint32_t most)
{
    struct tour_rules rules = { .stops_most = most, .near_m = TOUR_NEAR_M };
    struct tour_stop *stops = (struct tour_stop *)calloc(count, sizeof *stops);
    struct tour_turn *turns = (struct tour_turn *)calloc(count, sizeof *turns);
    struct arena memory;
    uint32_t tours = 0;
    char name[64];
    double began;

    if (!stops || !turns || arena_init(&memory, TOUR_PLAN_BYTES(count)))
        exit(1);
    for (size_t i = 0; i < count; i++) {
        double east = metres_below(CITY_M), north = metres_below(CITY_M);

        stops[i] = (struct tour_stop){ .at = place_of(east, north),
                                       .placed = true,
                                       .route = (uint32_t)(east / ROUTE_M) * (CITY_M / ROUTE_M) +
                                                (uint32_t)(north / ROUTE_M),
                                       .seq = (int64_t)i };
    }
    began = now_ms();
    if (tour_plan(stops, count, &rules, &memory, turns, &tours))
        exit(1);
    snprintf(name, sizeof name, "%zu stops into lists of %u at most", count, most);
    figure(name, now_ms() - began, "ms");
    snprintf(name, sizeof name, "lists of %u at most", most);
    figure(name, tours, "");
    arena_done(&memory);
    free(stops);
    free(turns);
}

int main(int argc, char **argv)
{
    long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : TOUR_PLAN_MAX;
    size_t count = wanted > 0 && wanted < TOUR_PLAN_MAX ? (size_t)wanted : TOUR_PLAN_MAX;

    one_list();
    many_lists(count, TOUR_STOPS_DAY);
    many_lists(count, TOUR_STOPS_MAX);
    return 0;
}
