/* However many threads judge, what is told, kept and listed is the same, byte for byte: two stores with the same past, one judged by a thread, the other by many. */
#include "server/app_open.h"
#include "server/drought.h"
#include "server/judge_desk.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY 86400
#define STEP_S (6 * 3600)
#define BEGIN 1772294400 /* 2026-03-01T00:00+08:00 */
#define METERS                                                                                     \
    4700u /* more than one slice of the judge (4 096), and no whole number of stretches */
#define DAYS 30
#define PER_DAY 4
#define NOBODY 77u /* is judged and was never registered */

struct world {
    struct app app;
    uint64_t settled;
};

static void world_begin(struct world *w, unsigned judges)
{
    struct app_options options = { .dir = check_folder(),
                                   .tz = "Asia/Shanghai",
                                   .segment_bytes = 1 << 20,
                                   .quarantine_frames = 1000,
                                   .quarantine_source_frames = 100,
                                   .retention_days = 90 };
    struct refusal r = { 0 };

    memset(w, 0, sizeof *w);
    clock_virtual(&w->app.clock, BEGIN + 200 * DAY);
    assert_ok(app_open_store(&w->app, &options, &r));
    if (!w->app.drought)
        assert_ok(drought_open(&w->app, &w->app.drought));
    w->app.judges = judges;
    w->app.flag_listeners = FLAG_LISTENER_HOOK; /* so that ends are told as well */
}

static void world_end(struct world *w)
{
    drought_close(w->app.drought);
    w->app.drought = NULL;
    app_close_store(&w->app);
}

static void register_all(struct world *w)
{
    struct act a = act_begin(w->app.ledger, "test", BEGIN, 0);

    for (unsigned i = 1; i <= METERS; i++) {
        char serial[16], point_name[16];
        uint32_t meter, point;

        snprintf(serial, sizeof serial, "M%06u", i);
        snprintf(point_name, sizeof point_name, "P%06u", i);
        {
            struct span m[] = { span_text(serial), span_text(""),  span_text("15"),
                                span_text("2.5"),  span_text(""),  span_text(""),
                                span_text(""),     span_text("1"), span_text("forward") };
            struct span p[] = { span_text(point_name),
                                span_text(""),
                                span_text("1 Nile Street"),
                                span_text(""),
                                span_text(""),
                                span_text(i % 5 ? "residential" : "commercial"),
                                span_text(i % 3 ? "Z1" : "Z2"),
                                span_text("R1") };

            act_put_row(&a, LIST_METER, m[0], LEDGER_ALWAYS, m, 9, &meter, NULL);
            act_put_row(&a, LIST_POINT, p[0], LEDGER_ALWAYS, p, 8, &point, NULL);
        }
        act_put_fitting(
            &a, &(struct fitting){
                    .meter = meter, .point = point, .from_s = BEGIN - DAY, .to_s = FITTING_OPEN });
    }
    assert_ok(act_end(&a));
}

/* A sixth each: lived in, leaking from some day on, stopped, turning backwards, drawing far too much, leaking for a week. */
static int64_t used_ml(uint32_t meter, unsigned day, unsigned quarter)
{
    int64_t lived = (int64_t)((meter * 7 + day * 5 + quarter * 3) % 4 + (quarter == 1)) * 20000;
    unsigned from = meter % 9;

    switch (meter % 6) {
    case 1:
        return lived + (day >= from ? 6 * 40000 : 0);
    case 2:
        return day >= 5 + from ? 0 : lived + 1000;
    case 3:
        return day >= from ? -(int64_t)(1 + meter % 3) * 3000 : lived;
    case 4:
        return lived + (int64_t)20000000 * (day % 3 == 1);
    case 5:
        return lived + (day >= from && day < from + 7 ? 6 * 90000 : 0);
    default:
        return lived;
    }
}

/* Of every eleventh the newest day comes later. */
static void settle(struct world *w, unsigned from_day, unsigned to_day)
{
    struct archive_pass *p = NULL;

    assert_ok(archive_pass_begin(w->app.archive, 0, &p));
    for (uint32_t meter = 1; meter <= METERS; meter++) {
        struct row rows[DAYS * PER_DAY];
        int64_t ml = 5000000;
        size_t count = 0;

        for (unsigned i = 0; i < to_day * PER_DAY; i++) {
            if (i >= from_day * PER_DAY)
                rows[count++] =
                    (struct row){ .value = ml,
                                  .time_s = BEGIN + i * STEP_S + (uint32_t)(meter % 1800) };
            ml += used_ml(meter, i / PER_DAY, i % PER_DAY);
        }
        if (meter % 11 && count)
            assert_ok(archive_pass_put(p, meter, CHANNEL_FORWARD, 1000, rows, count));
    }
    w->settled += 1 << 24;
    assert_ok(archive_pass_end(p, w->settled));
}

static enum err judge(struct world *w, unsigned from_day)
{
    struct judge_news *news = (struct judge_news *)calloc(METERS + NOBODY, sizeof *news);
    size_t count = 0;
    enum err err;

    assert_non_null(news);
    for (uint32_t meter = 1; meter <= METERS; meter++)
        news[count++] = (struct judge_news){
            .meter = meter,
            .first_s = meter % 13 ? BEGIN + from_day * DAY + (uint32_t)(meter % 1800) : 0
        };
    news[count++].meter = METERS + NOBODY;
    err = judge_pass_new(&w->app, news, count, clock_now_s(&w->app.clock));
    free(news);
    return err;
}

/* ---- what is told, kept and listed ---- */

static void dump(FILE *f, struct scan s)
{
    while (scan_next(&s)) {
        fwrite(s.key.at, 1, s.key.len, f);
        fputc(0, f);
        fwrite(s.value.at, 1, s.value.len, f);
        fputc(0, f);
    }
    assert_ok(s.txn->err);
    scan_done(&s);
}

static bool write_flag(void *arg, const struct flag *flag)
{
    FILE *f = (FILE *)arg;

    fprintf(f, "%s %s %d %lld %s\n", flag->id, flag->meter_facts.serial, flag->state,
            (long long)flag->told_s, flag->text_en);
    return true;
}

static char *all_of(struct world *w, size_t *out_len)
{
    struct flag_filter every = { 0 };
    struct still_count still[LULL_CLASSES];
    struct txn t = views_read(w->app.views), l = ledger_read(w->app.ledger);
    struct key room;
    char *bytes = NULL;
    FILE *f = open_memstream(&bytes, out_len);

    assert_non_null(f);
    dump(f, views_flags(&t, span_of(NULL, 0)));
    dump(f, views_dated(&t, span_of(NULL, 0)));
    dump(f, views_conditions(&t, &room, 0));
    dump(f, ledger_flags_from(&l, span_text("0")));
    fprintf(f, "%llu %llu\n", (unsigned long long)views_changes(&t),
            (unsigned long long)ledger_end(&l));
    for (uint32_t meter = 0; meter <= METERS + NOBODY; meter++) {
        struct meter_state state;

        views_state(&t, meter, STATE_VERSION, &state, sizeof state);
        fwrite(&state, 1, sizeof state, f);
    }
    assert_ok(txn_end(&t));
    assert_ok(txn_end(&l));
    assert_ok(flags_each(&w->app, &every, write_flag, f));
    drought_count(w->app.drought, BEGIN + (DAYS - 2) * DAY, BEGIN + (DAYS - 1) * DAY, still);
    fwrite(still, 1, sizeof still, f);
    fclose(f);
    return bytes;
}

static void expect_alike(struct world *one, struct world *many)
{
    size_t len, other_len;
    char *a = all_of(one, &len), *b = all_of(many, &other_len);

    assert_int_equal(len, other_len);
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i])
            fail_msg("byte %zu of %zu differs", i, len);
    free(a);
    free(b);
}

static size_t births(struct world *w, uint32_t from_meter)
{
    struct txn t = ledger_read(w->app.ledger);
    struct scan s;
    char from[16];
    size_t count = 0;

    snprintf(from, sizeof from, "%08x-", (unsigned)from_meter);
    s = ledger_flags_from(&t, span_text(from));
    while (scan_next(&s))
        count++;
    scan_done(&s);
    assert_ok(txn_end(&t));
    return count;
}

static void both_begin(struct world both[2])
{
    world_begin(&both[0], 1);
    world_begin(&both[1], 4);
    for (int i = 0; i < 2; i++) {
        register_all(&both[i]);
        settle(&both[i], 0, DAYS - 1);
    }
}

static void both_end(struct world both[2])
{
    world_end(&both[0]);
    world_end(&both[1]);
}

static void many_threads_say_what_one_says(void **state)
{
    struct world both[2];

    (void)state;
    both_begin(both);
    for (int i = 0; i < 2; i++)
        assert_ok(judge(&both[i], 0));
    assert_true(births(&both[0], 1) > METERS / 4); /* else this shows little */
    assert_true(births(&both[0], 4097) > 0);
    expect_alike(&both[0], &both[1]);
    for (int i = 0; i < 2; i++) { /* and from what was kept */
        settle(&both[i], DAYS - 1, DAYS);
        assert_ok(clock_set(&both[i].app.clock, clock_now_s(&both[i].app.clock) + DAY));
        assert_ok(judge(&both[i], DAYS - 1));
    }
    expect_alike(&both[0], &both[1]);
    both_end(both);
}

/* A record of a flag that nobody wrote so. */
static void spoil(struct world *w, const char *id, bool spoilt)
{
    struct txn t = views_write(w->app.views);

    if (spoilt)
        views_put_flag(&t, span_text(id), span_text("x"));
    else
        views_del_flag(&t, span_text(id));
    assert_ok(txn_end(&t));
}

static void what_fails_in_one_thread_fails_the_pass_and_leaves_nothing_half(void **state)
{
    struct world both[2];

    (void)state;
    both_begin(both);
    for (int i = 0; i < 2; i++) {
        spoil(&both[i], "0000111c-leak-00000001",
              true); /* of meter 4380: the second of its slice's stretches */
        assert_err(ERR_CORRUPT, judge(&both[i], 0));
        assert_true(births(&both[i], 1) > 0);
        assert_int_equal(births(&both[i], 4097),
                         0); /* the whole slice is left out, the one before stands */
        spoil(&both[i], "0000111c-leak-00000001", false);
    }
    expect_alike(&both[0], &both[1]);
    for (int i = 0; i < 2; i++) {
        assert_ok(judge(&both[i], 0));
        assert_true(births(&both[i], 4097) > 0);
    }
    expect_alike(&both[0], &both[1]);
    both_end(both);
}

static void a_stop_ends_a_pass_between_slices(void **state)
{
    struct world both[2];

    (void)state;
    both_begin(both);
    both[1].app.stopping = true;
    assert_err(ERR_STOPPING, judge(&both[1], 0));
    assert_int_equal(births(&both[1], 1), 0);
    both[1].app.stopping = false;
    for (int i = 0; i < 2; i++)
        assert_ok(judge(&both[i], 0));
    expect_alike(&both[0], &both[1]);
    both_end(both);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_say_what_one_says),
        cmocka_unit_test(what_fails_in_one_thread_fails_the_pass_and_leaves_nothing_half),
        cmocka_unit_test(a_stop_ends_a_pass_between_slices),
    };

    return check_run(tests, argc, argv);
}
