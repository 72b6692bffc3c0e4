/* What shows in months: slow, fast, oversize, undersize, on homes made of single draws. */
#include "server/detect/daily.h"
#include "server/detect/draws.h"
#include "server/detect/monthly.h"
#include "server/detect/peers.h"
#include "tests/unit/rules/story.h"

#include <math.h>
#include <stdlib.h>

#define ROWS_MOST (24 * 900)

/* A home whose draws are drawn at random: flushes of 6 L, taps of 0.5 to 8 L, showers of 30 to 80 L. */
struct home {
    struct story s;
    uint64_t chance;
    double people, size,
        empty_l; /* size: what the meter makes of a litre; empty_l: a day's litres of an empty home */
    double runs_lph, hose_l; /* without a pause; at 19 o'clock */
    double shown_ml;
    struct row rows[ROWS_MOST];
    size_t count;
    struct verdict said[16];
    const struct detector *kind[16];
    size_t said_count;
};

static double chance(struct home *h)
{
    h->chance = h->chance * 6364136223846793005u + 1442695040888963407u;
    return (double)(h->chance >> 11) / 9007199254740992.0;
}

static struct home *home_new(void)
{
    struct home *h = (struct home *)calloc(1, sizeof *h);

    assert_non_null(h);
    story_begin(&h->s);
    h->chance = 42;
    h->people = 3;
    h->size = 1;
    h->shown_ml = 123456000;
    return h;
}

static unsigned times(struct home *h, double mean)
{
    unsigned n = 0;

    for (int i = 0; i < 20; i++)
        n += chance(h) < mean / 20;
    return n;
}

static double an_hour_l(struct home *h, int hour)
{
    double busy = hour < 6 ? 0.1 : hour < 9 ? 2 : hour < 17 ? 0.6 : hour < 23 ? 1.6 : 0.4, l = 0;

    for (unsigned n = times(h, 0.25 * h->people * busy); n > 0; n--)
        l += 6;
    for (unsigned n = times(h, 0.5 * h->people * busy); n > 0; n--)
        l += 0.5 + 7.5 * chance(h) * chance(h);
    for (unsigned n = times(h, 0.035 * h->people * busy); n > 0; n--)
        l += 30 + 50 * chance(h);
    return l;
}

static void reading(struct home *h, double litres)
{
    assert_true(h->count < ROWS_MOST);
    h->shown_ml += litres * 1000 * h->size;
    h->s.now_s += HOUR;
    h->rows[h->count++] =
        (struct row){ .value = (int64_t)(h->shown_ml / (double)h->s.meter.resolution_ml) *
                               h->s.meter.resolution_ml,
                      .time_s = h->s.now_s };
}

static void live(struct home *h, int days)
{
    for (int d = 0; d < days; d++)
        for (int hour = 0; hour < 24; hour++)
            reading(h, an_hour_l(h, hour) + h->runs_lph + (hour == 19 ? h->hose_l : 0));
}

static void away(struct home *h, int days)
{
    for (int hour = 0; hour < days * 24; hour++)
        reading(h, h->empty_l / 24);
}

static void hear(void *arg, const struct detector *d, const struct verdict *v)
{
    struct home *h = (struct home *)arg;

    assert_true(h->said_count < 16);
    assert_true(v->onset_s <= v->raised_s);
    h->kind[h->said_count] = d;
    h->said[h->said_count++] = *v;
}

/* Looks at all of it; how often something was said. */
static size_t look(struct home *h)
{
    struct monthly *m = (struct monthly *)malloc(sizeof *m);

    assert_non_null(m);
    h->said_count = 0;
    monthly_begin(m);
    monthly_run(m, &h->s.place, h->rows, h->count, h->s.fitting.from_s, h->s.now_s, hear, h);
    free(m);
    return h->said_count;
}

static void a_meter_that_shows_half_of_each_draw_is_slow(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 150);
    h->size = 0.5;
    live(h, 90);
    assert_int_equal(look(h), 1);
    assert_ptr_equal(h->kind[0], &detector_slow);
    assert_true(h->said[0].onset_s > START + 147 * DAY && h->said[0].onset_s < START + 153 * DAY);
    assert_true(h->said[0].raised_s < START + 240 * DAY);
    assert_in_range(verdict_value(&h->said[0], "draw_size_pct"), 42000, 58000);
    /* as much is lost as is registered */
    assert_in_range(h->said[0].lost_mlpd, verdict_value(&h->said[0], "use_since_lpd") * 7 / 10,
                    verdict_value(&h->said[0], "use_since_lpd") * 14 / 10);
    assert_true(h->said[0].lost_low_mlpd < h->said[0].lost_mlpd &&
                h->said[0].lost_mlpd < h->said[0].lost_high_mlpd);
    free(h);
}

static void half_of_the_people_are_not(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 150);
    h->people = 1.5;
    live(h, 120);
    assert_int_equal(look(h), 0);
    free(h);
}

static void nor_who_moves_in_behind_an_empty_fortnight(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 150);
    away(h, 14);
    h->size = 0.5;
    live(h, 100);
    assert_int_equal(look(h), 0);
    free(h);
}

static void unless_no_people_make_so_small_draws(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 150);
    away(h, 14);
    h->size = 0.25;
    live(h, 60);
    assert_int_equal(look(h), 1);
    assert_ptr_equal(h->kind[0], &detector_slow);
    free(h);
}

static void a_meter_that_wears_out_month_by_month_is_slow(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 100);
    for (int d = 0; d < 260; d++) {
        h->size = 1 - 0.4 * d / 260;
        live(h, 1);
    }
    assert_int_equal(look(h), 1);
    assert_ptr_equal(h->kind[0], &detector_slow);
    assert_in_range(verdict_value(&h->said[0], "month_pct"), 90000, 98000);
    assert_true(h->said[0].onset_s > START + 100 * DAY && h->said[0].onset_s < START + 220 * DAY);
    free(h);
}

static void nor_people_who_become_fewer_month_by_month(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 100);
    for (int d = 0; d < 260; d++) {
        h->people = 3 - 1.5 * d / 260;
        live(h, 1);
    }
    assert_int_equal(look(h), 0);
    free(h);
}

/* Draws and use are less in the same weeks of each year. */
static void nor_what_the_same_weeks_had_a_year_before(void **state)
{
    struct home *h = home_new();
    size_t first;

    (void)state;
    live(h, 150);
    h->size = 0.5;
    live(h, 60);
    h->size = 1;
    live(h, 305);
    first = look(h);
    assert_int_equal(first, 2); /* of the first year nothing else is known */
    assert_false(h->said[1].open);
    h->size = 0.5;
    live(h, 58);
    assert_int_equal(look(h), first);
    free(h);
}

static void peers_by(struct peers *p, int64_t from_s, int64_t to_s, int64_t change_s, double ln)
{
    int32_t change_day = (int32_t)(change_s / DAY);

    *p = (struct peers){ 0 };
    for (int32_t week = (int32_t)(from_s / DAY) / PEERS_WEEK_D; week < to_s / DAY / PEERS_WEEK_D;
         week++) {
        int32_t since = (week + 1) * PEERS_WEEK_D -
                        change_day; /* of its 28 days so many lie behind the change */
        double now = since < 0    ? 0
                     : since > 28 ? 1
                                  : since / 28.0,
               before = since < 28   ? 0
                        : since > 56 ? 1
                                     : (since - 28) / 28.0;

        peers_add(p, week,
                  (int32_t)(1000 * log((1 + now * (exp(ln) - 1)) / (1 + before * (exp(ln) - 1)))));
    }
}

static void nor_what_all_homes_of_its_kind_use_less(void **state)
{
    struct home *h = home_new();
    struct peers peers;

    (void)state;
    live(h, 150);
    h->size = 0.5;
    live(h, 110);
    peers_by(&peers, START, h->s.now_s, START + 150 * DAY, log(0.5));
    assert_true(fabs(peers_ln(&peers, (int32_t)(START / DAY) + 235) - log(0.5)) < 0.05);
    for (uint32_t id = 1; id <= MONTHLY_EVERY_D; id++) { /* whatever day it is looked at */
        h->s.meter.id = id;
        h->s.place.peers = &peers;
        assert_int_equal(look(h), 0);
        h->s.place.peers = NULL;
        assert_int_equal(look(h), 1);
    }
    h->s.place.peers = &peers;
    peers_by(&peers, START, h->s.now_s, START + 150 * DAY, 0); /* they use what they did */
    assert_int_equal(look(h), 1);
    assert_in_range(verdict_value(&h->said[0], "peers_pct"), 99000, 101000);
    free(h);
}

static void peers_are_known_when_their_week_is_over_for_days(void **state)
{
    struct peers all = { 0 }, known;

    (void)state;
    for (int32_t week = 100; week < 110; week++)
        peers_add(&all, week, 50);
    peers_until(&all, 110 * PEERS_WEEK_D + PEERS_GRACE_D, &known);
    assert_int_equal(known.count, 10);
    peers_until(&all, 110 * PEERS_WEEK_D + PEERS_GRACE_D - 1, &known);
    assert_int_equal(known.count, 9);
    peers_until(&all, 100 * PEERS_WEEK_D, &known);
    assert_int_equal(known.count, 0);
    assert_true(peers_ln(&known, 800) == 0 && peers_ln(NULL, 800) == 0);
}

static void a_week_that_was_left_out_changed_nothing_and_old_ones_go(void **state)
{
    struct peers p = { 0 };
    double ln[] = { 0.3, -0.1, 0.1, 9 };

    (void)state;
    for (int32_t week = 0; week < 6; week++)
        peers_add(&p, 100 + week, -100);
    assert_int_equal(p.level[5], p.level[1] - 100);
    peers_add(&p, 107, 0);
    assert_int_equal(p.count, 8);
    assert_int_equal(p.level[6], p.level[5]);
    peers_add(&p, 103, 700); /* not in order: it is too late */
    assert_int_equal(p.count, 8);
    for (int32_t week = 108; week < 108 + 2 * PEERS_WEEKS; week++)
        peers_add(&p, week, 0);
    assert_int_equal(p.count, PEERS_WEEKS);
    assert_int_equal(p.first + (int32_t)p.count, 108 + 2 * PEERS_WEEKS);
    assert_int_equal(peers_change(ln, 4), 200);
    assert_int_equal(peers_change(ln, 1), -100);
}

/* A trickle of 8 L in every third hour, which worn gear no longer starts for. */
static void a_trickle_that_is_gone_is_told_as_unsure(void **state)
{
    struct home *h = home_new();

    (void)state;
    for (int d = 0; d < 240; d++)
        for (int hour = 0; hour < 24; hour++)
            reading(h, hour % 3 == 0 ? 15 + 20 * chance(h) : hour % 3 == 1 && d < 150 ? 8 : 0);
    assert_int_equal(look(h), 1);
    assert_ptr_equal(h->kind[0], &detector_slow);
    assert_in_range(verdict_value(&h->said[0], "trickle_hours_pct"), 1, 50000);
    assert_true(h->said[0].confidence_pct < 60);
    free(h);
}

static void nor_a_garden_that_is_watered_no_more(void **state)
{
    struct home *h = home_new();

    (void)state;
    h->hose_l = 600;
    live(h, 150);
    h->hose_l = 0;
    live(h, 100);
    assert_int_equal(look(h), 0);
    free(h);
}

static void nor_a_leak_that_was_mended(void **state)
{
    struct home *h = home_new();

    (void)state;
    h->runs_lph = 20;
    live(h, 150);
    h->runs_lph = 0;
    live(h, 100);
    assert_int_equal(look(h), 0);
    free(h);
}

static void a_meter_that_stands_for_hours_is_slow_too(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 150);
    for (int d = 0; d < 90; d++) /* moves in three hours of the eighteen */
        for (int hour = 0; hour < 24; hour++) {
            h->size = (d * 24 + hour) % 18 < 4;
            reading(h, an_hour_l(h, hour));
        }
    assert_int_equal(look(h), 1);
    assert_ptr_equal(h->kind[0], &detector_slow);
    assert_true(verdict_value(&h->said[0], "hours_with_use_pct") < 60000);
    free(h);
}

static void it_clears_when_draws_are_what_they_were(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 150);
    h->size = 0.5;
    live(h, 90);
    h->size = 1;
    live(h, 70);
    assert_int_equal(look(h), 2);
    assert_true(h->said[0].open);
    assert_false(h->said[1].open);
    assert_int_equal(h->said[1].onset_s, h->said[0].onset_s);
    assert_true(h->said[1].cleared_s > START + 240 * DAY);
    free(h);
}

static void a_paused_account_tells_nothing(void **state)
{
    struct home *h = home_new();
    struct pauses pauses = { 0 };

    (void)state;
    live(h, 150);
    h->size = 0.5;
    live(h, 90);
    pauses_add(&pauses, PAUSE_SUSPENDED, START + 150 * DAY, INT64_MAX);
    h->s.place.pauses = &pauses;
    assert_int_equal(look(h), 0);
    free(h);
}

static void looks_one_by_one_say_what_all_of_them_say(void **state)
{
    struct home *h = home_new();
    struct monthly *m = (struct monthly *)malloc(sizeof *m);
    struct verdict said[16];
    size_t count;
    int64_t since_s = START;

    (void)state;
    live(h, 400);
    h->size = 0.4;
    live(h, 100);
    h->size = 1;
    live(h, 300);
    count = look(h);
    assert_true(count >= 2);
    memcpy(said, h->said, sizeof said);
    h->said_count = 0;
    for (int64_t at_s = START + 11 * DAY; since_s < h->s.now_s; at_s += 17 * DAY) {
        int64_t needs_s = monthly_needs(&h->s.zone, &h->s.fitting, h->s.meter.id, since_s);
        size_t from = 0, to;

        if (at_s > h->s.now_s)
            at_s = h->s.now_s;
        while (from < h->count && h->rows[from].time_s < needs_s)
            from++;
        for (to = from; to < h->count && h->rows[to].time_s <= at_s; to++)
            ;
        monthly_begin(m);
        for (size_t i = 0; i < h->said_count; i++)
            monthly_recall(m, h->kind[i], &h->said[i]);
        if (monthly_is_due(&h->s.zone, h->s.meter.id, since_s, at_s))
            monthly_run(m, &h->s.place, h->rows + from, to - from, since_s, at_s, hear, h);
        since_s = at_s;
    }
    assert_int_equal(h->said_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(h->said[i].open, said[i].open);
        assert_int_equal(h->said[i].onset_s, said[i].onset_s);
        assert_int_equal(h->said[i].raised_s, said[i].raised_s);
        assert_int_equal(h->said[i].lost_mlpd, said[i].lost_mlpd);
    }
    free(m);
    free(h);
}

static void a_meter_that_shows_a_quarter_more_is_fast(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 200);
    h->size = 1.25;
    live(h, 120);
    assert_int_equal(look(h), 1);
    assert_ptr_equal(h->kind[0], &detector_fast);
    free(h);
}

static void more_people_are_not(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 200);
    h->people = 4;
    live(h, 120);
    assert_int_equal(look(h), 0);
    free(h);
}

static void a_home_behind_a_meter_for_a_works_is_oversize_after_a_year(void **state)
{
    struct home *h = home_new();

    (void)state;
    h->s.meter.dn_mm = 40;
    h->s.meter.q3_lph = 16000;
    live(h, 290);
    assert_int_equal(look(h), 0);
    live(h, 60);
    assert_int_equal(look(h), 1);
    assert_ptr_equal(h->kind[0], &detector_oversize);
    h->s.meter.dn_mm = 25; /* nothing smaller is worth a visit */
    assert_int_equal(look(h), 0);
    free(h);
}

static void twenty_homes_behind_a_homes_meter_are_undersize(void **state)
{
    struct home *h = home_new();

    (void)state;
    h->people = 30;
    live(h, 350);
    assert_int_equal(look(h), 1);
    assert_ptr_equal(h->kind[0], &detector_undersize);
    h->s.meter.q3_lph = 10000;
    assert_int_equal(look(h), 0);
    free(h);
}

/* How often something is said where people set that figure. */
static size_t look_by(struct home *h, enum detect_figure figure, int64_t value)
{
    struct rule_period always = { .rules = detect_rules_standing };
    struct rule_book book = { 1, &always };
    size_t said;

    always.rules.value[figure] = value;
    h->s.place.book = &book;
    said = look(h);
    h->s.place.book = NULL;
    return said;
}

static void people_say_how_soon_a_meter_may_be_fast(void **state)
{
    struct home *h = home_new();

    (void)state;
    live(h, 200);
    h->size = 1.25;
    live(h, 75);
    assert_int_equal(look(h), 1);
    assert_int_equal(look_by(h, FIGURE_FAST_since_days, 100), 0);
    free(h);
    h = home_new();
    live(h, 200);
    away(h, 8);
    h->size = 1.25;
    live(h, 75);
    assert_int_equal(look(h), 0);
    assert_int_equal(look_by(h, FIGURE_FAST_empty_days, 20), 1);
    free(h);
}

static void people_say_what_is_too_large(void **state)
{
    struct home *h = home_new();

    (void)state;
    h->s.meter.dn_mm = 40;
    h->s.meter.q3_lph = 16000;
    live(h, 350);
    assert_int_equal(look(h), 1);
    assert_int_equal(look_by(h, FIGURE_OVERSIZE_low_flow, 5), 0);
    free(h);
    h = home_new();
    h->s.meter.dn_mm = 50;
    h->s.meter.q3_lph = 25000;
    h->hose_l = 420; /* half of all, above 1.6 % of Q3 */
    live(h, 350);
    assert_int_equal(look(h), 0);
    assert_int_equal(look_by(h, FIGURE_OVERSIZE_low_share, 300), 1);
    free(h);
}

/* A works that draws a tenth of Q3 in an hour of each third day, and else nothing. */
static void people_say_what_is_too_small(void **state)
{
    struct home *h = home_new();

    (void)state;
    h->people = 30;
    live(h, 350);
    assert_int_equal(look(h), 1);
    assert_int_equal(look_by(h, FIGURE_UNDERSIZE_home_hour_share, 900), 0);
    assert_int_equal(look_by(h, FIGURE_UNDERSIZE_home_mean_share, 500), 0);
    free(h);
    h = home_new();
    h->s.point.use = USE_INDUSTRIAL;
    for (int hour = 0; hour < 350 * 24; hour++)
        reading(h, hour % 72 == 19 ? (double)h->s.meter.q3_lph / 10 : 0);
    assert_int_equal(look(h), 0);
    assert_int_equal(look_by(h, FIGURE_UNDERSIZE_hour_share, 90), 1);
    assert_ptr_equal(h->kind[0], &detector_undersize);
    assert_int_equal(look_by(h, FIGURE_UNDERSIZE_hour_share, 110), 0);
    free(h);
}

static void what_was_used_in_a_gap_belongs_to_its_days_and_to_no_hour(void **state)
{
    struct days *d = (struct days *)calloc(1, sizeof *d);
    struct zone z;
    struct judge_step hour = { .from_s = START + 3 * HOUR,
                               .to_s = START + 4 * HOUR,
                               .used_ml = 7000 };
    struct judge_step gap = { .from_s = START + 4 * HOUR,
                              .to_s = START + 2 * DAY,
                              .used_ml = 44000 };
    struct judge_step fall = {
        .from_s = START + 2 * DAY, .to_s = START + 2 * DAY + HOUR, .fall = true, .used_ml = -9000
    };

    (void)state;
    zone_fixed(&z, "CST", 8 * 3600);
    days_add(d, &z, &hour);
    days_add(d, &z, &gap);
    days_add(d, &z, &fall);
    assert_int_equal(d->count, 2);
    assert_int_equal(d->at[0].hour_ml[3], 7000);
    assert_int_equal(d->at[0].hour_ml[4], HOUR_UNKNOWN);
    assert_int_equal(d->at[0].used_ml, 27000);
    assert_int_equal(d->at[1].used_ml, 24000);
    assert_int_equal(d->at[0].covered_s, 21 * HOUR);
    assert_true(day_is_whole(&d->at[1]));
    free(d);
}

/* Hours, quarters, gaps of days; over more days than there is room for; through a year of which a day has 25 hours. */
static void many_rows_make_the_days_of_each_step(void **state)
{
    static struct days one, all;
    static struct row rows[9000];
    static const uint32_t steps_s[] = { HOUR, HOUR, HOUR, HOUR - 7, 900, 5400, 5401, 3 * DAY };
    struct check_random r = check_random_begin();
    struct zone z;

    (void)state;
    for (int round = 0; round < 40; round++) {
        size_t count = 2 + check_below(&r, 8998), from = 0;
        uint32_t step_s = HOUR, at_s = START;
        int64_t value = 0;

        zone_fixed(&z, "Berlin", 3600);
        z.count = 2;
        z.steps[0] = (struct zone_step){ START + 100 * DAY, 7200 };
        z.steps[1] = (struct zone_step){ START + 200 * DAY, 3600 };
        for (size_t i = 0; i < count; i++) {
            rows[i] = (struct row){ .value = value, .time_s = at_s };
            if (!check_below(&r, 50))
                step_s = steps_s[check_below(&r, sizeof steps_s / sizeof steps_s[0])];
            at_s += step_s;
            value += check_below(&r, 3) ? 0 : check_between(&r, 0, INT64_C(1) << 33);
        }
        memset(&one, 0, sizeof one);
        memset(&all, 0, sizeof all);
        for (size_t i = 1; i < count; i++) {
            struct judge_step step = { .from_s = rows[i - 1].time_s,
                                       .to_s = rows[i].time_s,
                                       .used_ml = rows[i].value - rows[i - 1].value };

            days_add(&one, &z, &step);
        }
        while (from + 1 < count) {
            size_t part = 1 + check_below(&r, count - from - 1);

            days_add_rows(&all, &z, rows + from, part + 1);
            from += part;
        }
        assert_int_equal(one.count, all.count);
        assert_memory_equal(one.at, all.at, one.count * sizeof one.at[0]);
    }
}

static void the_oldest_days_go_when_there_is_no_more_room(void **state)
{
    struct days *d = (struct days *)calloc(1, sizeof *d);
    struct zone z;
    struct day_span span;

    (void)state;
    zone_fixed(&z, "CST", 8 * 3600);
    for (uint32_t n = 0; n < DAYS_MOST + 5; n++) {
        struct judge_step step = { .from_s = START + n * DAY,
                                   .to_s = START + n * DAY + HOUR,
                                   .used_ml = 1000 };

        days_add(d, &z, &step);
    }
    assert_true(d->count <= DAYS_MOST);
    span = days_between(d, d->day - 99, d->day + 1);
    assert_int_equal(span.count, 100);
    assert_int_equal(span.at[99].day, d->day);
    assert_true(days_are_recent(&span));
    free(d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_that_shows_half_of_each_draw_is_slow),
        cmocka_unit_test(half_of_the_people_are_not),
        cmocka_unit_test(nor_who_moves_in_behind_an_empty_fortnight),
        cmocka_unit_test(unless_no_people_make_so_small_draws),
        cmocka_unit_test(a_meter_that_wears_out_month_by_month_is_slow),
        cmocka_unit_test(nor_people_who_become_fewer_month_by_month),
        cmocka_unit_test(nor_what_the_same_weeks_had_a_year_before),
        cmocka_unit_test(nor_what_all_homes_of_its_kind_use_less),
        cmocka_unit_test(peers_are_known_when_their_week_is_over_for_days),
        cmocka_unit_test(a_week_that_was_left_out_changed_nothing_and_old_ones_go),
        cmocka_unit_test(a_trickle_that_is_gone_is_told_as_unsure),
        cmocka_unit_test(nor_a_garden_that_is_watered_no_more),
        cmocka_unit_test(nor_a_leak_that_was_mended),
        cmocka_unit_test(a_meter_that_stands_for_hours_is_slow_too),
        cmocka_unit_test(it_clears_when_draws_are_what_they_were),
        cmocka_unit_test(a_paused_account_tells_nothing),
        cmocka_unit_test(looks_one_by_one_say_what_all_of_them_say),
        cmocka_unit_test(a_meter_that_shows_a_quarter_more_is_fast),
        cmocka_unit_test(more_people_are_not),
        cmocka_unit_test(a_home_behind_a_meter_for_a_works_is_oversize_after_a_year),
        cmocka_unit_test(twenty_homes_behind_a_homes_meter_are_undersize),
        cmocka_unit_test(people_say_how_soon_a_meter_may_be_fast),
        cmocka_unit_test(people_say_what_is_too_large),
        cmocka_unit_test(people_say_what_is_too_small),
        cmocka_unit_test(what_was_used_in_a_gap_belongs_to_its_days_and_to_no_hour),
        cmocka_unit_test(many_rows_make_the_days_of_each_step),
        cmocka_unit_test(the_oldest_days_go_when_there_is_no_more_room),
    };

    return check_run(tests, argc, argv);
}
