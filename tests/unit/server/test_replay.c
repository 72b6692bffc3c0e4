/* What other figures would change (server/replay.h), and how often flags proved right (server/detect/precision.h). */
#include "server/detect/precision.h"
#include "server/replay_keep.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

static struct replay_episode episode(int64_t onset_s, int64_t raised_s, int64_t cleared_s)
{
    return (
        struct replay_episode){ .onset_s = onset_s, .raised_s = raised_s, .cleared_s = cleared_s };
}

static void hear(void *arg, enum replay_change c, int now_at, int then_at)
{
    char *said = (char *)arg;
    size_t len = strlen(said);

    snprintf(said + len, 256 - len, "%s %d %d;", replay_change_name(c), now_at, then_at);
}

static void each_flag_is_paired_with_the_one_that_overlaps_it(void **state)
{
    struct replay_episode now[] = { episode(100, 200, 300), episode(400, 500, 600),
                                    episode(700, 800, 0) };
    struct replay_episode then[] = { episode(100, 200, 300), episode(420, 560, 600),
                                     episode(610, 620, 630) };
    char said[256] = "";

    (void)state;
    replay_compare(now, 3, then, 3, hear, said);
    assert_string_equal(said, "same 0 0;moved 1 1;gone 2 -1;came -1 2;");
}

/* Two that would come in place of a long one: the first of them is the one that moved. */
static void nothing_is_paired_twice_or_across_fittings(void **state)
{
    struct replay_episode now[] = { episode(100, 200, 900) };
    struct replay_episode then[] = { episode(100, 250, 300), episode(400, 500, 0) };
    char said[256] = "";

    (void)state;
    replay_compare(now, 1, then, 2, hear, said);
    assert_string_equal(said, "moved 0 0;came -1 1;");
    said[0] = 0;
    then[0].fitting_from_s = then[1].fitting_from_s = 50;
    replay_compare(now, 1, then, 2, hear, said);
    assert_string_equal(said, "gone 0 -1;came -1 0;came -1 1;");
}

/* ---- kept ---- */

static void begin_views(struct app *app)
{
    struct refusal r;

    memset(app, 0, sizeof *app);
    assert_ok(views_open(check_folder(), DB_CREATE, &app->views, &r));
}

/* More than one part of each. */
static struct replay large(uint32_t id)
{
    struct replay r = { .id = id,
                        .state = REPLAY_DONE,
                        .wish = { .line = *line_standing(listed_flag(DETECT_LEAK)),
                                  .from_s = 1700000000,
                                  .zone = "Z1",
                                  .share_permille = 500,
                                  .who = "li" },
                        .begun_s = 1767196800,
                        .ended_s = 1767196900,
                        .meters = 9000,
                        .meters_done = 9000,
                        .damaged = 2,
                        .count = { 1, 2, 3, 4 },
                        .row_count = 3000,
                        .zone_count = 1500,
                        .model_count = 1,
                        .more = true };

    r.wish.line.value[2] = 5000;
    r.wish.line.dn_mm = 15;
    r.rows = (struct replay_row *)calloc(r.row_count, sizeof *r.rows);
    r.zones = (struct replay_group *)calloc(r.zone_count, sizeof *r.zones);
    r.models = (struct replay_group *)calloc(r.model_count, sizeof *r.models);
    assert_true(r.rows && r.zones && r.models);
    for (uint32_t i = 0; i < r.row_count; i++) {
        r.rows[i] = (struct replay_row){ .change = i % 3,
                                         .meter = i + 1,
                                         .point = 2 * i,
                                         .now = episode(i, i + 10, i % 2 ? 0 : i + 20),
                                         .then = episode(-1, 0, INT64_MAX) };
        r.rows[i].then.confidence_pct = i % 101;
        r.rows[i].now.lost_mlpd = -(int64_t)i;
        snprintf(r.rows[i].id, FLAG_ID_SIZE, "%08x-leak-%08x", (unsigned)i, (unsigned)i);
    }
    for (size_t i = 0; i < r.zone_count; i++) {
        snprintf(r.zones[i].name, REPLAY_NAME, "a zone with a name of some length %zu", i);
        r.zones[i].count[REPLAY_GONE] = i;
    }
    return r;
}

static void assert_same(const struct replay *a, const struct replay *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->wish.line.rule, b->wish.line.rule);
    assert_int_equal(a->wish.line.dn_mm, b->wish.line.dn_mm);
    assert_memory_equal(a->wish.line.value, b->wish.line.value, sizeof a->wish.line.value);
    assert_int_equal(a->wish.from_s, b->wish.from_s);
    assert_string_equal(a->wish.zone, b->wish.zone);
    assert_string_equal(a->wish.who, b->wish.who);
    assert_int_equal(a->wish.share_permille, b->wish.share_permille);
    assert_int_equal(a->begun_s, b->begun_s);
    assert_int_equal(a->ended_s, b->ended_s);
    assert_int_equal(a->damaged, b->damaged);
    assert_memory_equal(a->count, b->count, sizeof a->count);
    assert_int_equal(a->more, b->more);
    assert_int_equal(a->row_count, b->row_count);
    assert_int_equal(a->zone_count, b->zone_count);
    assert_int_equal(a->model_count, b->model_count);
    for (size_t i = 0; i < a->row_count; i++) {
        assert_string_equal(a->rows[i].id, b->rows[i].id);
        assert_int_equal(a->rows[i].change, b->rows[i].change);
        assert_int_equal(a->rows[i].point, b->rows[i].point);
        assert_int_equal(a->rows[i].now.lost_mlpd, b->rows[i].now.lost_mlpd);
        assert_int_equal(a->rows[i].now.cleared_s, b->rows[i].now.cleared_s);
        assert_int_equal(a->rows[i].then.onset_s, b->rows[i].then.onset_s);
        assert_int_equal(a->rows[i].then.cleared_s, b->rows[i].then.cleared_s);
        assert_int_equal(a->rows[i].then.confidence_pct, b->rows[i].then.confidence_pct);
    }
    for (size_t i = 0; i < a->zone_count; i++) {
        assert_string_equal(a->zones[i].name, b->zones[i].name);
        assert_memory_equal(a->zones[i].count, b->zones[i].count, sizeof a->zones[i].count);
    }
}

static void a_replay_that_ended_is_there_after_a_restart(void **state)
{
    struct app app;
    struct replay r = large(3), kept[REPLAYS_KEPT];
    size_t count;

    (void)state;
    begin_views(&app);
    assert_ok(replays_kept(&app, kept, &count));
    assert_int_equal(count, 0);
    assert_ok(replay_keep(&app, &r, true, 0));
    assert_ok(replay_keep(&app, &r, true, 0)); /* in its own place */
    assert_ok(replays_kept(&app, kept, &count));
    assert_int_equal(count, 1);
    assert_same(&kept[0], &r);
    replay_forget(&kept[0]);
    replay_forget(&r);
    views_close(app.views);
}

static void one_that_ran_is_interrupted(void **state)
{
    struct app app;
    struct replay r = large(1), kept[REPLAYS_KEPT];
    size_t count;

    (void)state;
    begin_views(&app);
    r.state = REPLAY_RUNNING;
    r.ended_s = 0;
    assert_ok(replay_keep(&app, &r, false, 0));
    assert_ok(replays_kept(&app, kept, &count));
    assert_int_equal(count, 1);
    assert_string_equal(replay_state_name(kept[0].state), "interrupted");
    assert_int_equal(kept[0].ended_s, 0);
    assert_int_equal(kept[0].row_count, 0);
    replay_forget(&r);
    views_close(app.views);
}

static void what_is_beyond_the_last_eight_goes(void **state)
{
    struct app app;
    struct replay kept[REPLAYS_KEPT], r = { .state = REPLAY_DONE };
    size_t count;

    (void)state;
    begin_views(&app);
    r.wish.line = *line_standing(listed_flag(DETECT_STUCK));
    for (r.id = 1; r.id <= 10; r.id++)
        assert_ok(replay_keep(&app, &r, true, r.id > REPLAYS_KEPT ? r.id - REPLAYS_KEPT : 0));
    assert_ok(replays_kept(&app, kept, &count));
    assert_int_equal(count, REPLAYS_KEPT);
    assert_int_equal(kept[0].id, 3);
    assert_int_equal(kept[7].id, 10);
    views_close(app.views);
}

/* They follow from nothing, and no start waits for them: neither damage nor a rule that is gone. */
static void one_that_does_not_read_is_none(void **state)
{
    struct app app;
    struct replay kept[REPLAYS_KEPT], r = large(1);
    struct txn t;
    size_t count;

    (void)state;
    begin_views(&app);
    for (r.id = 1; r.id <= 4; r.id++)
        assert_ok(replay_keep(&app, &r, true, 0));
    t = views_write(app.views);
    views_put_replay(&t, 1, 2, span_text("rubbish"));
    views_put_replay(&t, 3, 0, span_text("\1\1\7no-rule"));
    assert_ok(txn_end(&t));
    assert_ok(replays_kept(&app, kept, &count));
    assert_int_equal(count, 2);
    assert_int_equal(kept[0].id, 2);
    assert_int_equal(kept[1].id, 4);
    assert_int_equal(kept[1].row_count, r.row_count);
    for (size_t i = 0; i < count; i++)
        replay_forget(&kept[i]);
    replay_forget(&r);
    views_close(app.views);
}

/* Wilson: of 8 of 10 the interval is 0.490 to 0.943; of 45 of 50 0.786 to 0.957. */
static void precision_has_its_interval(void **state)
{
    struct found f = { .confirmed = 8, .dismissed = 2, .refused = 30 };
    struct precision p;

    (void)state;
    assert_true(precision_of(&f, &p));
    assert_int_equal(p.share, 800);
    assert_int_equal(p.low, 490);
    assert_int_equal(p.high, 943);
    assert_int_equal(precision_verdict(&f, 950), PRECISION_BELOW);
    assert_int_equal(precision_verdict(&f, 900), PRECISION_OPEN);
    f = (struct found){ .confirmed = 45, .dismissed = 5 };
    assert_int_equal(precision_verdict(&f, 950), PRECISION_OPEN);
    assert_int_equal(precision_verdict(&f, 700), PRECISION_ABOVE);
    f = (struct found){ .dismissed = 9, .refused = 5 };
    assert_int_equal(precision_verdict(&f, 950), PRECISION_UNKNOWN);
    f = (struct found){ .refused = 5 };
    assert_false(precision_of(&f, &p));
}

static void a_step_stricter_is_a_quarter_and_knows_its_bounds(void **state)
{
    int64_t out[DETECT_FIGURES], again[DETECT_FIGURES];
    const int64_t *stuck = detect_rules_standing.value + DETECT_STUCK * DETECT_FIGURES;
    const int64_t *silent = detect_rules_standing.value + DETECT_OVERDUE * DETECT_FIGURES;

    (void)state;
    assert_true(rule_stricter(DETECT_STUCK, stuck, out));
    assert_int_equal(out[2], 225);
    assert_int_equal(out[4], 1875);
    assert_int_equal(out[DETECT_TARGET], stuck[DETECT_TARGET]);
    for (int i = 0; i < 80; i++) {
        (void)rule_stricter(DETECT_STUCK, out, again);
        memcpy(out, again, sizeof out);
    }
    assert_false(rule_stricter(DETECT_STUCK, out, again));   /* all of it is at its most */
    assert_true(rule_stricter(DETECT_OVERDUE, silent, out)); /* no figures of its own */
    assert_int_equal(out[DETECT_ORDER_FROM], silent[DETECT_ORDER_FROM] + 100);
    out[DETECT_ORDER_FROM] = 950;
    assert_false(rule_stricter(DETECT_OVERDUE, out, again));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flag_is_paired_with_the_one_that_overlaps_it),
        cmocka_unit_test(nothing_is_paired_twice_or_across_fittings),
        cmocka_unit_test(a_replay_that_ended_is_there_after_a_restart),
        cmocka_unit_test(one_that_ran_is_interrupted),
        cmocka_unit_test(what_is_beyond_the_last_eight_goes),
        cmocka_unit_test(one_that_does_not_read_is_none),
        cmocka_unit_test(precision_has_its_interval),
        cmocka_unit_test(a_step_stricter_is_a_quarter_and_knows_its_bounds),
    };

    return check_run(tests, argc, argv);
}
