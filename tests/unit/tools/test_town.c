/* The simulated town, and what the detectors make of it.  The town knows nothing of the detectors;
 * the seeds here were not those that rules were tried on. */
#include "server/detect/detect.h"
#include "tests/check.h"
#include "tools/sim/town.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAY 86400

static struct zone zone;
static struct holidays holidays;

static int prepare(void **state)
{
    (void)state;
    zone_fixed(&zone, "CST", 8 * 3600);
    holidays_builtin(&holidays);
    return 0;
}

/* ---- all readings of a town, by meter ---- */

struct lives {
    struct rows *billed, *reverse; /* by meter */
};

static bool keep(void *arg, const struct town_reading *r)
{
    struct lives *l = (struct lives *)arg;

    assert_ok(rows_push(
        r->channel == CHANNEL_REVERSE ? &l->reverse[r->meter] : &l->billed[r->meter], r->row));
    return true;
}

struct score {
    unsigned hidden, found, told, true_told, open, true_open, sure,
        true_sure; /* sure: open, 60 % */
};

struct listener {
    const struct town_meter *about;
    struct score *scores; /* by enum town_fault */
    bool told[4], open[4], right[4], sure[4];
    bool print;
};

static enum town_fault fault_of(const struct detector *d)
{
    return d == &detector_stuck ? TOWN_STUCK : d == &detector_reversed ? TOWN_REVERSED : TOWN_LEAK;
}

static void listen(void *arg, const struct detector *d, const struct verdict *v)
{
    struct listener *l = (struct listener *)arg;
    enum town_fault f = fault_of(d);

    if (d != &detector_stuck && d != &detector_reversed && d != &detector_leak)
        return; /* the town has no such fault */
    if (getenv("TOWN_SERIAL") && strcmp(getenv("TOWN_SERIAL"), l->about->facts.serial) == 0)
        print_message("%s %s onset %lld raised %lld cleared %lld\n", d->flag,
                      v->open ? "open" : "end", (long long)v->onset_s, (long long)v->raised_s,
                      (long long)v->cleared_s);
    l->told[f] = true;
    l->open[f] = v->open;
    l->sure[f] = v->open && v->confidence_pct >= 60;
    if (v->raised_s)
        l->right[f] = l->about->fault == f && v->raised_s > l->about->onset_s;
}

static void judge(struct lives *all, uint32_t n, struct listener *l)
{
    struct fitting fitting = { .meter = n + 1, .point = n + 1, .to_s = FITTING_OPEN };
    struct judge_place place = { .meter = &l->about->facts,
                                 .point = &l->about->point,
                                 .fitting = &fitting,
                                 .zone = &zone,
                                 .holidays = &holidays };
    struct detect_state state = { 0 };
    struct rows *b = &all->billed[n], *r = &all->reverse[n];
    size_t i = 0, j = 0;

    assert_ok(rows_tidy(b));
    assert_ok(rows_tidy(r));
    while (i < b->count || j < r->count) {
        bool first = j == r->count || (i < b->count && b->at[i].time_s <= r->at[j].time_s);
        struct judge_reading reading = { first ? meter_billed_channel(&l->about->facts)
                                               : CHANNEL_REVERSE,
                                         first ? b->at[i++] : r->at[j++] };

        detect_feed(&state, &place, &reading, listen, l);
    }
}

/* Leaks that one may ask to find: of 5 L/h and more, seen hour by hour in single litres, for ten
 * days or more. */
static bool is_asked(const struct town_meter *a, int64_t end_s)
{
    int64_t until = a->end_s < end_s ? a->end_s : end_s;

    if (a->fault != TOWN_LEAK)
        return !(a->fault == TOWN_STUCK && a->facts.resolution_ml > 10000);
    return a->size_lph >= 5 && a->facts.resolution_ml == 1000 && !a->daily &&
           until - a->onset_s >= 8 * DAY;
}

static void count(struct listener *l, int64_t end_s)
{
    const struct town_meter *a = l->about;

    if (a->fault != TOWN_SOUND && is_asked(a, end_s)) {
        l->scores[a->fault].hidden++;
        l->scores[a->fault].found += l->right[a->fault];
    }
    for (int f = TOWN_STUCK; f <= TOWN_LEAK; f++) {
        l->scores[f].told += l->told[f];
        l->scores[f].true_told += l->told[f] && l->right[f];
        l->scores[f].open += l->open[f];
        l->scores[f].true_open += l->open[f] && l->right[f];
        l->scores[f].sure += l->sure[f];
        l->scores[f].true_sure += l->sure[f] && l->right[f];
        if (getenv("TOWN_PRINT") &&
            ((l->told[f] && !l->right[f]) ||
             (a->fault == (enum town_fault)f && is_asked(a, end_s) && !l->right[f])))
            print_message(
                "%s fault %d way %d told as %d%s form %d res %lld daily %d size %.1f onset day "
                "%.1f use %d\n",
                a->facts.serial, a->fault, a->way, f,
                l->open[f]   ? " open"
                : l->told[f] ? " cleared"
                             : " NOT",
                a->facts.form, (long long)a->facts.resolution_ml / 1000, a->daily, a->size_lph,
                a->fault ? (double)(a->onset_s - (end_s - 120 * DAY)) / DAY : 0, a->point.use);
    }
}

static double share(unsigned part, unsigned of)
{
    return of ? (double)part / of : 1;
}

static void judge_town(uint32_t meters, uint32_t days, uint64_t seed, int64_t from_s,
                       struct score scores[4])
{
    struct town_options o = {
        .meters = meters, .days = days, .seed = seed, .from_s = from_s, .zone = &zone
    };
    struct lives all = { calloc(meters, sizeof(struct rows)), calloc(meters, sizeof(struct rows)) };
    struct town *t;
    bool more = true;

    assert_ok(town_new(&o, &t));
    while (more)
        assert_ok(town_day(t, keep, &all, &more));
    for (uint32_t n = 0; n < meters; n++) {
        struct listener l = { .about = town_meter(t, n), .scores = scores };

        judge(&all, n, &l);
        count(&l, town_options_of(t)->from_s + (int64_t)days * DAY);
        rows_done(&all.billed[n]);
        rows_done(&all.reverse[n]);
    }
    town_free(t);
    free(all.billed);
    free(all.reverse);
}

static void what_was_hidden_is_found_and_little_else(void **state)
{
    static const char *const names[] = { "", "stuck", "reversed", "leak" };
    struct score s[4] = { { 0 } };
    const char *seed = getenv("TOWN_SEED");

    (void)state;
    /* Three towns, so that chance is not what is measured. */
    for (uint64_t n = 0; n < 3; n++)
        judge_town(1000, 120, (seed ? strtoull(seed, NULL, 10) : 20261126) + n,
                   day_number(2026, 3, 5) * DAY - 8 * 3600, s);
    for (int f = TOWN_STUCK; f <= TOWN_LEAK; f++)
        print_message("[          ] %-8s hidden %u, found %u (recall %.3f); told %u, right %u "
                      "(%.3f); open at "
                      "the end %u, right %u (%.3f), of 60 %% and more %u, right %u (%.3f)\n",
                      names[f], s[f].hidden, s[f].found, share(s[f].found, s[f].hidden), s[f].told,
                      s[f].true_told, share(s[f].true_told, s[f].told), s[f].open, s[f].true_open,
                      share(s[f].true_open, s[f].open), s[f].sure, s[f].true_sure,
                      share(s[f].true_sure, s[f].sure));
    for (int f = TOWN_STUCK; f <= TOWN_LEAK; f++) {
        assert_true(s[f].hidden >= 15);
        assert_true(share(s[f].found, s[f].hidden) >= 0.95);
        /* In 120 days few standstills of homes become so sure: of those nothing follows. */
        assert_true(s[f].sure < 10 || share(s[f].true_sure, s[f].sure) >= 0.95);
        assert_true(share(s[f].true_open, s[f].open) >= 0.90);
    }
    /* A meter of people who are away cannot be told from one that is stuck until they are back:
     * those flags clear. */
    assert_true(share(s[TOWN_STUCK].true_told, s[TOWN_STUCK].told) >= 0.60);
    assert_true(share(s[TOWN_REVERSED].true_told, s[TOWN_REVERSED].told) >= 0.95);
    assert_true(share(s[TOWN_LEAK].true_told, s[TOWN_LEAK].told) >= 0.95);
}

static void spring_festival_empties_no_list_of_meters(void **state)
{
    struct score s[4] = { { 0 } };

    (void)state;
    judge_town(600, 100, 31, 0, s); /* from 1 January 2026 */
    print_message("[          ] over Spring Festival: stuck told %u, right %u; open at the end %u, "
                  "right %u\n",
                  s[TOWN_STUCK].told, s[TOWN_STUCK].true_told, s[TOWN_STUCK].open,
                  s[TOWN_STUCK].true_open);
    assert_true(s[TOWN_STUCK].told - s[TOWN_STUCK].true_told <= 3);
}

/* ---- the files ---- */

static void the_same_seed_makes_the_same_files(void **state)
{
    static const char *const names[] = { "orgs.csv",   "zones.csv",    "routes.csv",   "meters.csv",
                                         "points.csv", "fittings.csv", "readings.csv", "truth.csv",
                                         "notes.csv",  "keys.csv" };
    struct town_options o = { .meters = 120, .days = 35, .seed = 5, .zone = &zone, .mixed = true };
    char a[300], b[300];
    struct town_summary x, y;

    (void)state;
    snprintf(a, sizeof a, "%s/a", check_folder());
    snprintf(b, sizeof b, "%s/b", check_folder());
    assert_ok(town_write(&o, a, &x, NULL));
    assert_ok(town_write(&o, b, &y, NULL));
    assert_memory_equal(&x, &y, sizeof x);
    assert_int_equal(x.meters, 120);
    assert_true(x.readings > 120 * 35 * 20);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[400];
        struct span p, q;

        snprintf(path, sizeof path, "%s/%s", a, names[i]);
        p = check_read(path);
        snprintf(path, sizeof path, "%s/%s", b, names[i]);
        q = check_read(path);
        assert_true(span_equal(p, q));
        assert_true(text_is_utf8(p));
        free((void *)p.at);
        free((void *)q.at);
    }
}

static void even_a_small_town_has_each_fault(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct town_options o = { .meters = 40, .days = 60, .seed = seed, .zone = &zone };
        bool there[4] = { false };
        struct town *t;

        assert_ok(town_new(&o, &t));
        for (uint32_t n = 0; n < 40; n++)
            there[town_meter(t, n)->fault] = true;
        for (int f = TOWN_SOUND; f <= TOWN_LEAK; f++)
            assert_true(there[f]);
        town_free(t);
    }
}

static void a_town_without_people_is_refused(void **state)
{
    struct town_options o = { .days = 3, .zone = &zone };
    struct town_summary s;
    struct refusal r;

    (void)state;
    assert_err(ERR_INVALID, town_write(&o, check_folder(), &s, &r));
    assert_true(r.text[0]);
}

static void a_town_is_made_quickly(void **state)
{
    struct town_options o = { .meters = 200, .days = 90, .seed = 1, .zone = &zone };
    struct timespec a, b;
    struct town_summary s;
    char dir[300];

    (void)state;
    snprintf(dir, sizeof dir, "%s/t", check_folder());
    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_ok(town_write(&o, dir, &s, NULL));
    clock_gettime(CLOCK_MONOTONIC, &b);
    print_message("[          ] %.0f ns a reading\n",
                  ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) /
                      (double)s.readings);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_hidden_is_found_and_little_else, prepare),
        cmocka_unit_test_setup(spring_festival_empties_no_list_of_meters, prepare),
        cmocka_unit_test_setup(the_same_seed_makes_the_same_files, prepare),
        cmocka_unit_test_setup(even_a_small_town_has_each_fault, prepare),
        cmocka_unit_test_setup(a_town_without_people_is_refused, prepare),
        cmocka_unit_test_setup(a_town_is_made_quickly, prepare),
    };

    return check_run(tests, argc, argv);
}
