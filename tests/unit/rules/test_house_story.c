/* A house over two and a half years: what was found of it goes on from window to window, and is the same whether each week was looked at as it came or all of it afterwards. */
#define FLATS_WEEKS 132
#include "server/detect/house_story.h"

#include "tests/check.h"
#include "tests/unit/rules/flats.h"

/* The registers of a window as far as `weeks` of the house are known. */
static void look(struct house_story *s, const struct house *h, unsigned window, unsigned weeks)
{
    unsigned first = house_window_first(window), held = weeks - first;
    struct house_column columns[FLATS];
    struct house_window w = { .columns = columns, .count = FLATS };
    int64_t from_s = FROM_S + first * BALANCE_WEEK_S;
    int last = (int)weeks * 168 + 24 < HOURS ? (int)weeks * 168 + 24 : HOURS;

    held = held < HOUSE_WEEKS ? held : HOUSE_WEEKS;
    assert_ok(balance_new(from_s + BALANCE_FROM_S, held, FLATS, &w.balance));
    assert_ok(swapped_new(from_s, held, FLATS, &w.hands));
    for (int n = (int)first * 168; n < last; n++)
        for (int f = -1; f < FLATS; f++) {
            struct judge_step step = step_of(n, f < 0 ? h->parent[n] : h->counted[f][n]);

            balance_take(w.balance, (unsigned)(f + 1), &a_litre, &step);
            if (f >= 0)
                swapped_take(w.hands, (unsigned)f, &step);
        }
    for (unsigned f = 0; f < FLATS; f++)
        columns[f] = (struct house_column){ .meter = f + 1 };
    assert_ok(house_story_look(s, &w, from_s + held * BALANCE_WEEK_S + BALANCE_FROM_S));
    balance_free(w.balance);
    swapped_free(w.hands);
}

/* From nothing. */
static void look_at_all(struct house_story *s, const struct house *h, unsigned weeks)
{
    memset(s, 0, sizeof *s);
    for (unsigned window = 0; window <= house_window_of(weeks); window++) {
        house_story_begin(s, window);
        look(s, h, window, weeks);
    }
}

static void assert_same(const struct house_story *a, const struct house_story *b)
{
    assert_int_equal(a->slow_count, b->slow_count);
    assert_int_equal(a->pair_count, b->pair_count);
    for (unsigned i = 0; i < a->slow_count; i++) {
        assert_int_equal(a->slow[i].at.meter, b->slow[i].at.meter);
        assert_int_equal(a->slow[i].f.onset_s, b->slow[i].f.onset_s);
        assert_int_equal(a->slow[i].f.raised_s, b->slow[i].f.raised_s);
        assert_int_equal(a->slow[i].f.cleared_s, b->slow[i].f.cleared_s);
        assert_true(a->slow[i].f.share == b->slow[i].f.share);
    }
    for (unsigned i = 0; i < a->pair_count; i++) {
        assert_int_equal(a->pairs[i].first.meter, b->pairs[i].first.meter);
        assert_int_equal(a->pairs[i].f.onset_s, b->pairs[i].f.onset_s);
        assert_int_equal(a->pairs[i].f.raised_s, b->pairs[i].f.raised_s);
        assert_int_equal(a->pairs[i].f.cleared_s, b->pairs[i].f.cleared_s);
        assert_true(a->pairs[i].f.score == b->pairs[i].f.score);
    }
}

static int64_t week(unsigned n)
{
    return FROM_S + n * BALANCE_WEEK_S;
}

static struct house *story_house(void)
{
    struct house *h = lived(21, 2);

    slow_from(h, 3, 40 * 168, HOURS, 0.4);
    swap_from(h, 1, 6, 50 * 168);
    return h;
}

static void every_week_is_some_windows_own_and_windows_overlap(void **state)
{
    (void)state;
    for (unsigned weeks = 1; weeks < 1000; weeks++) {
        unsigned n = house_window_of(weeks), first = house_window_first(n);

        assert_true(first < weeks && weeks - first <= HOUSE_WEEKS);
        assert_true(weeks > house_window_own(n) || weeks <= HOUSE_WEEKS);
        assert_true(n == 0 || weeks - first > HOUSE_WEEKS - HOUSE_HOP);
    }
}

static void what_stands_goes_over_into_the_next_windows(void **state)
{
    struct house *h = story_house();
    struct house_story *s = (struct house_story *)calloc(2, sizeof *s), *whole = s + 1;
    int64_t slow_raised_s, pair_raised_s;

    (void)state;
    assert_non_null(s);
    look_at_all(s, h, 60);
    assert_int_equal(s->slow_count, 1);
    assert_int_equal(s->pair_count, 1);
    slow_raised_s = s->slow[0].f.raised_s;
    pair_raised_s = s->pairs[0].f.raised_s;
    for (unsigned weeks = 61; weeks <= FLATS_WEEKS - 1; weeks++) { /* one after the other */
        if (house_window_of(weeks) != s->window)
            house_story_begin(s, house_window_of(weeks));
        look(s, h, s->window, weeks);
    }
    assert_true(s->window ==
                3); /* the first two hold nothing of weeks 40 and 50 together with these */
    assert_int_equal(s->slow_count, 1);
    assert_int_equal(s->slow[0].at.meter, 4);
    assert_int_equal(s->slow[0].f.raised_s, slow_raised_s);
    assert_int_equal(s->slow[0].f.cleared_s, 0);
    assert_int_equal(s->pair_count, 1);
    assert_int_equal(s->pairs[0].first.meter, 2);
    assert_int_equal(s->pairs[0].second.meter, 7);
    assert_int_equal(s->pairs[0].f.raised_s, pair_raised_s);
    assert_int_equal(s->pairs[0].f.cleared_s, 0);
    look_at_all(whole, h, FLATS_WEEKS - 1);
    assert_same(s, whole);
    free(s);
    free(h);
}

static void what_is_put_right_years_later_ends(void **state)
{
    struct house *h = story_house();
    struct house_story *s = (struct house_story *)calloc(1, sizeof *s);

    (void)state;
    assert_non_null(s);
    for (int n = 105 * 168; n < HOURS; n++) /* somebody turned a screw */
        h->counted[3][n] /= 0.6;
    swap_from(h, 1, 6, 100 * 168);
    look_at_all(s, h, FLATS_WEEKS - 1);
    assert_int_equal(s->slow_count, 1);
    assert_true(s->slow[0].f.cleared_s > week(105) && s->slow[0].f.cleared_s < week(115));
    assert_int_equal(s->pair_count, 1);
    assert_true(s->pairs[0].f.cleared_s > week(100) && s->pairs[0].f.cleared_s < week(108));
    free(s);
    free(h);
}

static void what_came_later_can_be_taken_back_and_found_again(void **state)
{
    struct house *h = story_house();
    struct house_story *s = (struct house_story *)calloc(2, sizeof *s), *whole = s + 1;

    (void)state;
    assert_non_null(s);
    swap_from(h, 1, 6, 100 * 168);
    look_at_all(s, h, FLATS_WEEKS - 1);
    look_at_all(whole, h, FLATS_WEEKS - 1);
    house_story_cut(s, week(house_window_own(1)) + 43200);
    assert_int_equal(s->pairs[0].f.cleared_s, 0);
    for (unsigned window = 1; window <= house_window_of(FLATS_WEEKS - 1); window++) {
        house_story_begin(s, window);
        look(s, h, window, FLATS_WEEKS - 1);
    }
    assert_same(s, whole);
    free(s);
    free(h);
}

static void who_leaves_the_house_has_nothing_standing_there(void **state)
{
    struct house *h = story_house();
    struct house_story *s = (struct house_story *)calloc(1, sizeof *s);
    const struct house_column two = { .meter = 2 }, four = { .meter = 4 };

    (void)state;
    assert_non_null(s);
    look_at_all(s, h, 60);
    house_story_left(s, &four, week(61));
    assert_int_equal(s->slow[0].f.cleared_s, week(61));
    assert_int_equal(s->pairs[0].f.cleared_s, 0);
    house_story_left(s, &two, week(62));
    assert_int_equal(s->pairs[0].f.cleared_s, week(62));
    house_story_left(s, &four, week(63));
    assert_int_equal(s->slow[0].f.cleared_s, week(61));
    free(s);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_week_is_some_windows_own_and_windows_overlap),
        cmocka_unit_test(what_stands_goes_over_into_the_next_windows),
        cmocka_unit_test(what_is_put_right_years_later_ends),
        cmocka_unit_test(what_came_later_can_be_taken_back_and_found_again),
        cmocka_unit_test(who_leaves_the_house_has_nothing_standing_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
