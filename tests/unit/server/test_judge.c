#include "server/app_open.h"
#include "server/registers.h"
#include "server/replacements.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600
#define DAY 86400
#define START 1767196800    /* 2026-01-01 in Shanghai */
#define NEW_YEAR 1772294400 /* 2026-03-01T00:00+08:00: after the holidays */

/* ---- a store with a few meters, without threads ---- */

struct world {
    struct app app;
    uint64_t settled;
};

static void world_open(struct world *w, const char *dir)
{
    struct app_options options = { .dir = dir,
                                   .tz = "Asia/Shanghai",
                                   .segment_bytes = 1 << 20,
                                   .quarantine_frames = 1000,
                                   .quarantine_source_frames = 100,
                                   .retention_days = 90 };
    struct refusal r = { 0 };

    memset(w, 0, sizeof *w);
    clock_virtual(&w->app.clock, NEW_YEAR + 200 * DAY);
    assert_ok(app_open_store(&w->app, &options, &r));
}

static void world_begin(struct world *w)
{
    world_open(w, check_folder());
}

static void world_end(struct world *w)
{
    app_close_store(&w->app);
}

static uint32_t put_meter(struct world *w, const char *serial, const char *reg, const char *use)
{
    struct span meter[] = { span_text(serial), span_text(""),  span_text("15"),
                            span_text("2.5"),  span_text(""),  span_text(""),
                            span_text(""),     span_text("1"), span_text(reg) };
    char point_name[40];
    uint32_t id, point;
    struct act a = act_begin(w->app.ledger, "test", NEW_YEAR, 0);

    snprintf(point_name, sizeof point_name, "P-%s", serial);
    act_put_row(&a, LIST_METER, meter[0], LEDGER_ALWAYS, meter, 9, &id, NULL);
    {
        struct span cells[] = { span_text(point_name), span_text(""),  span_text("1 Nile Street"),
                                span_text(""),         span_text(""),  span_text(use),
                                span_text("Z1"),       span_text("R1") };

        act_put_row(&a, LIST_POINT, cells[0], LEDGER_ALWAYS, cells, 8, &point, NULL);
    }
    act_put_fitting(
        &a, &(struct fitting){
                .meter = id, .point = point, .from_s = NEW_YEAR - DAY, .to_s = FITTING_OPEN });
    assert_ok(act_end(&a));
    return id;
}

static void close_fitting(struct world *w, uint32_t meter, int64_t to_s)
{
    struct fitting f;
    size_t count;
    struct txn t = ledger_read(w->app.ledger);
    struct act a;

    assert_ok(ledger_fittings_of_meter(&t, meter, &f, 1, &count));
    assert_ok(txn_end(&t));
    f.to_s = to_s;
    a = act_begin(w->app.ledger, "test", to_s, 0);
    act_put_fitting(&a, &f);
    assert_ok(act_end(&a));
}

static void put_rows(struct world *w, uint32_t meter, enum channel c, struct row *rows,
                     size_t count)
{
    struct rows tidy = { 0 };
    struct archive_pass *pass;

    for (size_t i = 0; i < count; i++)
        assert_ok(rows_push(&tidy, rows[i]));
    assert_ok(rows_tidy(&tidy));
    assert_ok(archive_pass_begin(w->app.archive, 0, &pass));
    assert_ok(archive_pass_put(pass, meter, c, 1000, tidy.at, tidy.count));
    w->settled += 1 << 24;
    assert_ok(archive_pass_end(pass, w->settled));
    rows_done(&tidy);
}

static uint32_t first_of(const struct row *rows, size_t count)
{
    uint32_t first = UINT32_MAX;

    for (size_t i = 0; i < count; i++)
        if (rows[i].time_s < first)
            first = rows[i].time_s;
    return first;
}

static void bring(struct world *w, uint32_t meter, enum channel c, struct row *rows, size_t count)
{
    struct judge_news news = { .meter = meter, .first_s = first_of(rows, count) };

    put_rows(w, meter, c, rows, count);
    assert_ok(judge_pass_new(&w->app, &news, 1, clock_now_s(&w->app.clock)));
}

/* ---- what a meter sends: a reading an hour ---- */

static const uint8_t family[24] = { 0,  0,  0, 0, 0, 0,  30, 45, 20, 5,  0,  8,
                                    20, 10, 0, 0, 5, 20, 45, 40, 25, 15, 10, 0 };

struct lived {
    struct row rows[24 * 200];
    size_t count;
    int64_t ml;
};

static void live(struct lived *l, unsigned days, bool at_home, int64_t leak_lph)
{
    for (unsigned hour = 0; hour < days * 24; hour++) {
        l->rows[l->count] =
            (struct row){ .value = l->ml,
                          .time_s = (uint32_t)(NEW_YEAR + (int64_t)l->count * HOUR) };
        l->ml += ((at_home ? family[l->count % 24] : 0) + leak_lph) * 1000;
        l->count++;
    }
}

/* ---- what is told ---- */

struct seen {
    size_t count;
    struct flag flags[64];
};

static bool see(void *arg, const struct flag *f)
{
    struct seen *s = (struct seen *)arg;

    assert_true(s->count < 64);
    s->flags[s->count++] = *f;
    return true;
}

static struct seen *look(struct world *w, struct flag_filter q)
{
    struct seen *s = (struct seen *)calloc(1, sizeof *s);

    assert_non_null(s);
    assert_ok(flags_each(&w->app, &q, see, s));
    return s;
}

static struct flag only(struct world *w)
{
    struct seen *s = look(w, (struct flag_filter){ 0 });
    struct flag f = s->flags[0];

    assert_int_equal(s->count, 1);
    free(s);
    return f;
}

static void a_flag_is_told_with_its_id_words_and_clock(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct flag f;
    uint32_t meter;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 30, true, 0);
    live(l, 10, false, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    f = only(&w);
    assert_string_equal(f.kind->flag, "stuck");
    assert_string_equal(f.meter_facts.serial, "M1");
    assert_string_equal(f.point_facts.point, "P-M1");
    assert_int_equal(f.state, FLAG_OPEN);
    assert_int_equal(f.told_s, NEW_YEAR + 200 * DAY);
    assert_int_equal(f.verdict.onset_s, NEW_YEAR + 30 * DAY - HOUR);
    assert_non_null(strstr(f.text_en, "has not moved"));
    assert_non_null(strstr(f.text_zh, "未走字"));
    {
        char id[FLAG_ID_SIZE];

        snprintf(id, sizeof id, "%08x-stuck-%08x", (unsigned)meter, (unsigned)f.verdict.onset_s);
        assert_string_equal(f.id, id);
    }
    assert_ok(flag_of(&w.app, span_text(f.id), &f));
    assert_err(ERR_NOT_FOUND, flag_of(&w.app, span_text("00000001-stuck-00000000"), &f));
    world_end(&w);
    free(l);
}

static void late_use_withdraws_a_stuck_flag_and_its_evidence_stays(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l),
                 *late = (struct lived *)calloc(1, sizeof *l);
    struct flag before, after;
    uint32_t meter;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 30, true, 0);
    live(l, 12, false, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    before = only(&w);
    live(late, 42, true,
         0); /* people typed nothing: an import brings what the meter itself had kept */
    for (size_t i = 0; i < late->count; i++)
        late->rows[i].attr = SOURCE_REMOTE;
    for (size_t i = 0; i < late->count; i++)
        late->rows[i].time_s += 60;
    bring(&w, meter, CHANNEL_FORWARD, late->rows, late->count);
    after = only(&w);
    assert_string_equal(before.id, after.id);
    assert_int_equal(after.state, FLAG_WITHDRAWN);
    assert_int_equal(after.told_s, before.told_s);
    assert_int_equal(after.verdict.onset_s, before.verdict.onset_s);
    assert_int_equal(after.verdict.evidence_count, before.verdict.evidence_count);
    world_end(&w);
    free(l);
    free(late);
}

static void an_onset_that_moves_keeps_the_id(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct flag before, after;
    uint32_t meter;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 30, true, 0);
    live(l, 10, true, 20);
    /* five days of the leak are missing first, with the nights before them */
    bring(&w, meter, CHANNEL_FORWARD, l->rows, 28 * 24);
    bring(&w, meter, CHANNEL_FORWARD, l->rows + 35 * 24, 5 * 24);
    before = only(&w);
    assert_true(before.verdict.onset_s >= NEW_YEAR + 35 * DAY);
    bring(&w, meter, CHANNEL_FORWARD, l->rows + 28 * 24, 7 * 24);
    after = only(&w);
    assert_string_equal(before.id, after.id);
    assert_int_equal(after.state, FLAG_OPEN);
    assert_int_equal(after.verdict.onset_s, NEW_YEAR + 30 * DAY);
    world_end(&w);
    free(l);
}

static void new_readings_go_on_from_the_state_as_if_all_were_read(void **state)
{
    struct world a, b;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct flag x, y;
    uint32_t meter;

    (void)state;
    live(l, 30, true, 0);
    live(l, 10, true, 9);
    live(l, 10, true, 0);
    world_begin(&a);
    meter = put_meter(&a, "M1", "forward", "residential");
    for (size_t day = 0; day < 50; day++) /* day by day */
        bring(&a, meter, CHANNEL_FORWARD, l->rows + day * 24, 24);
    x = only(&a);
    world_end(&a);
    world_begin(&b);
    meter = put_meter(&b, "M1", "forward", "residential");
    bring(&b, meter, CHANNEL_FORWARD, l->rows, l->count);
    y = only(&b);
    world_end(&b);
    assert_int_equal(x.state, FLAG_CLEARED);
    assert_string_equal(x.id, y.id);
    assert_memory_equal(&x.verdict.onset_s, &y.verdict.onset_s, sizeof x.verdict.onset_s);
    assert_int_equal(x.verdict.cleared_s, y.verdict.cleared_s);
    assert_int_equal(x.verdict.raised_s, y.verdict.raised_s);
    free(l);
}

static void what_is_stamped_in_the_future_or_loses_a_conflict_is_not_judged(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct seen *s;
    struct row odd[3];
    uint32_t meter;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 40, true, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    for (int i = 0; i < 3; i++) /* the same instants, other values, later */
        odd[i] = (struct row){ .value = 1, .time_s = l->rows[500 + i].time_s };
    bring(&w, meter, CHANNEL_FORWARD, odd, 3);
    for (int i = 0; i < 3; i++)
        odd[i] = (struct row){ .value = l->ml,
                               .time_s = (uint32_t)(NEW_YEAR + (60 + i) * DAY),
                               .attr = ATTR_FUTURE };
    bring(&w, meter, CHANNEL_FORWARD, odd, 3);
    s = look(&w, (struct flag_filter){ 0 });
    assert_int_equal(s->count, 0);
    free(s);
    world_end(&w);
    free(l);
}

/* The audit's words on flags' ends: "clearedwithdrawn…", in the order told. */
static bool add_turn(void *arg, const struct audit_record *r)
{
    char *out = (char *)arg;

    if (span_equal(r->what, span_text("flag.turned")))
        snprintf(out + strlen(out), 64 - strlen(out), "%.*s ", (int)r->after.len,
                 (const char *)r->after.at);
    return true;
}

static const char *turns(struct world *w)
{
    static char told[64];
    struct txn t = ledger_read(w->app.ledger);

    told[0] = 0;
    assert_ok(ledger_audit(&t, 1, add_turn, told));
    assert_ok(txn_end(&t));
    return told;
}

static void ends_of_flags_are_facts_once_while_somebody_listens(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    uint32_t meter;

    (void)state;
    live(l, 30, true, 0);
    live(l, 10, true, 20);
    live(l, 10, true, 0);
    live(l, 10, true, 20);
    live(l, 10, true, 0);
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    bring(&w, meter, CHANNEL_FORWARD, l->rows, 50 * 24); /* nobody does */
    assert_int_equal(FLAG_CLEARED, only(&w).state);
    assert_string_equal("", turns(&w));
    w.app.flag_listeners = FLAG_LISTENER_HOOK;
    assert_ok(judge_pass(&w.app, &meter, 1, clock_now_s(&w.app.clock))); /* what was, is no news */
    assert_string_equal("", turns(&w));
    bring(&w, meter, CHANNEL_FORWARD, l->rows + 50 * 24, 10 * 24);
    assert_string_equal("", turns(&w)); /* a birth says itself */
    bring(&w, meter, CHANNEL_FORWARD, l->rows + 60 * 24, 10 * 24);
    assert_string_equal("cleared ", turns(&w));
    assert_ok(judge_rebuild(&w.app));
    assert_string_equal("cleared ", turns(&w));
    world_end(&w);
    free(l);
}

/* A standpipe's meter, lent out day by day, has more fittings than anybody reckons with. */
static void a_meter_fitted_hundreds_of_times_is_judged_where_it_is(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct ranking *list;
    uint32_t meter;
    struct act a;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    a = act_begin(w.app.ledger, "test", NEW_YEAR, 0);
    for (int64_t i = 2; i <= 301; i++)
        act_put_fitting(&a, &(struct fitting){ .meter = meter,
                                               .point = 1,
                                               .from_s = NEW_YEAR - i * DAY,
                                               .to_s = NEW_YEAR - i * DAY + HOUR });
    assert_ok(act_end(&a));
    live(l, 30, true, 0);
    live(l, 12, false, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    assert_int_equal(only(&w).fitting_from_s, NEW_YEAR - DAY);
    assert_ok(ranking_hold(&w.app, &list));
    assert_int_equal(ranking_most(list), 1);
    ranking_release(list);
    world_end(&w);
    free(l);
}

/* ---- what was used before ---- */

static void fit_before(struct world *w, uint32_t meter, int64_t used_ml)
{
    struct act a = act_begin(w->app.ledger, "test", NEW_YEAR, 0);

    act_put_fitting(&a, &(struct fitting){ .meter = meter,
                                           .point = 1,
                                           .from_s = NEW_YEAR - 101 * DAY,
                                           .to_s = NEW_YEAR - DAY,
                                           .end_ml = used_ml,
                                           .has_end = true });
    assert_ok(act_end(&a));
}

/* A meter that never turned where, by its predecessor's end, 250 L a day were used. */
static void what_its_predecessor_used_is_a_fact_of_a_meter_that_never_turned(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct row next;
    struct flag f;
    uint32_t meter, before;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    before = put_meter(&w, "M0", "forward", "residential");
    fit_before(&w, before, 100 * INT64_C(250000));
    live(l, 40, false, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    f = only(&w);
    assert_string_equal(f.kind->flag, "unmoved");
    assert_int_equal(f.state, FLAG_OPEN);
    assert_int_equal(f.verdict.lost_mlpd, 250000);
    /* Somebody puts the index right at which the other one was taken off: nobody lived there. */
    fit_before(&w, before, 100 * INT64_C(2000));
    next = (struct row){ .value = 0, .time_s = (uint32_t)(NEW_YEAR + 40 * DAY) };
    bring(&w, meter, CHANNEL_FORWARD, &next, 1);
    assert_int_equal(only(&w).state, FLAG_WITHDRAWN);
    fit_before(&w, before, 100 * INT64_C(250000));
    next.time_s += HOUR;
    bring(&w, meter, CHANNEL_FORWARD, &next, 1);
    assert_string_equal(only(&w).id, f.id);
    assert_int_equal(only(&w).state, FLAG_OPEN);
    world_end(&w);
    free(l);
}

static void an_exchange_ends_what_was_open(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct flag f;
    struct ranking *list;
    uint32_t meter;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 30, true, 0);
    live(l, 12, false, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    assert_ok(ranking_hold(&w.app, &list));
    assert_int_equal(ranking_most(list), 1);
    assert_int_equal(list->base->all.at[0].meter, meter);
    assert_true(list->base->all.at[0].lost_mlpd > 250000);
    ranking_release(list);
    close_fitting(&w, meter, NEW_YEAR + 42 * DAY);
    assert_ok(judge_pass(&w.app, &meter, 1, NEW_YEAR + 42 * DAY));
    f = only(&w);
    assert_int_equal(f.state, FLAG_CLEARED);
    assert_int_equal(f.verdict.cleared_s, NEW_YEAR + 42 * DAY);
    assert_ok(ranking_hold(&w.app, &list));
    assert_int_equal(ranking_most(list), 0);
    ranking_release(list);
    /* a day that turns out to have been after the exchange takes no part */
    close_fitting(&w, meter, NEW_YEAR + 32 * DAY);
    assert_ok(judge_pass(&w.app, &meter, 1, NEW_YEAR + 42 * DAY));
    assert_int_equal(only(&w).state, FLAG_WITHDRAWN);
    world_end(&w);
    free(l);
}

static void what_people_decided_goes_before_what_readings_say(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct flag_decision d = {
        .state = 2, .at_s = NEW_YEAR + 50 * DAY, .who = "crew", .note = "family abroad"
    };
    struct flag f;
    struct act a;
    uint32_t meter;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 30, true, 0);
    live(l, 12, false, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    f = only(&w);
    a = act_begin(w.app.ledger, "test", d.at_s, 0);
    act_flag_decide(&a, span_text(f.id), &d);
    assert_ok(act_end(&a));
    live(l, 5, true, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows + 42 * 24, 5 * 24);
    f = only(&w);
    assert_int_equal(f.state, FLAG_DISMISSED);
    assert_true(f.ended);
    assert_string_equal(f.decision.note, "family abroad");
    world_end(&w);
    free(l);
}

static void lists_are_filtered_paged_and_ranked(void **state)
{
    static const unsigned days_off[] = { 8, 0, 9, 30 };
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct seen *s;
    struct ranking *list;

    (void)state;
    world_begin(&w);
    for (int i = 0; i < 4; i++) {
        char serial[16];
        uint32_t meter;

        snprintf(serial, sizeof serial, "M%d", i);
        meter = put_meter(&w, serial, "forward", "residential");
        l->count = 0;
        l->ml = 0;
        live(l, 30, true, 0);
        live(l, days_off[i], false, 0);
        live(l, i == 1 ? 5 : 0, true, 30);
        bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    }
    s = look(&w, (struct flag_filter){ 0 });
    assert_int_equal(s->count, 4);
    {
        struct seen *rest = look(&w, (struct flag_filter){ .after = span_text(s->flags[1].id) });

        assert_int_equal(rest->count, 2);
        assert_string_equal(rest->flags[0].id, s->flags[2].id);
        free(rest);
    }
    free(s);
    s = look(&w, (struct flag_filter){ .kind = &detector_leak });
    assert_int_equal(s->count, 1);
    free(s);
    s = look(&w, (struct flag_filter){ .meter = 3, .states = 1u << FLAG_OPEN });
    assert_int_equal(s->count, 1);
    free(s);
    s = look(&w, (struct flag_filter){ .since_s = NEW_YEAR + 201 * DAY });
    assert_int_equal(s->count, 0);
    free(s);
    /* equal losses: the surer ones first; a customer's leak is no reason to change a meter */
    assert_ok(ranking_hold(&w.app, &list));
    assert_int_equal(ranking_most(list), 3);
    assert_int_equal(list->base->all.at[0].meter, 4);
    assert_true(list->base->all.at[1].confidence_pct <= list->base->all.at[0].confidence_pct);
    ranking_release(list);
    world_end(&w);
    free(l);
}

/* ---- the same whatever the way ---- */

/* All of the flags' table, as bytes. */
static char *snapshot(struct world *w, size_t *out_len)
{
    struct txn t = views_read(w->app.views);
    struct scan s = views_flags(&t, span_of(NULL, 0));
    char *bytes = NULL;
    size_t len;
    FILE *f = open_memstream(&bytes, &len);

    assert_non_null(f);
    while (scan_next(&s)) {
        fwrite(s.key.at, 1, s.key.len, f);
        fputc(0, f);
        fwrite(s.value.at, 1, s.value.len, f);
        fputc(0, f);
    }
    scan_done(&s);
    assert_ok(txn_end(&t));
    fclose(f);
    *out_len = len;
    return bytes;
}

static void assert_same(struct world *w, const char *bytes, size_t len)
{
    size_t now_len;
    char *now = snapshot(w, &now_len);

    assert_int_equal(now_len, len);
    assert_memory_equal(now, bytes, len);
    free(now);
}

struct parcel {
    uint32_t meter;
    enum channel channel;
    size_t count;
    struct row rows[96];
};

/* A random life in parcels: absences, leaks, a meter that stops or turns, wild values, conflicts,
 * typed numbers. */
static size_t make_parcels(struct check_random *r, uint32_t meter, enum channel c,
                           struct parcel *out, size_t cap)
{
    size_t count = 0;
    int64_t ml = 5000000;
    uint32_t now = NEW_YEAR;
    int mode = 0;
    int64_t leak = 0, ahead = 0; /* of the dial */

    for (int day = 0; day < 75; day++) {
        struct parcel *p = &out[count];

        if (check_below(r, 6) == 0)
            mode = (int)check_below(r, 4); /* at home, away, at home, backwards */
        if (check_below(r, 8) == 0)
            leak = check_below(r, 2) ? 0 : check_between(r, 4, 40);
        if (check_below(r, 10) == 0)
            ahead = check_below(r, 2) ? 0 : check_between(r, -4, 6) * 1000000;
        *p = (struct parcel){ .meter = meter, .channel = c };
        for (int hour = 0; hour < 24; hour++, now += HOUR) {
            int64_t use = (mode == 1 ? 0 : family[hour] + leak) * 1000;
            struct row row = { .value = ml, .time_s = now };

            ml += mode == 3 && c == CHANNEL_NET ? -use : use;
            if (check_below(r, 20) == 0)
                continue; /* lost on the way */
            if (check_below(r, 60) == 0)
                row.value += check_between(r, -400000, 400000);
            if (check_below(r, 80) == 0)
                row.attr = (uint32_t)check_below(r, 16);
            p->rows[p->count++] = row;
            if (check_below(r, 40) == 0)
                p->rows[p->count++] =
                    (struct row){ .value = ml, .time_s = now, .attr = (uint32_t)check_below(r, 4) };
            if (check_below(r, 100) == 0) /* somebody reads the dial */
                p->rows[p->count++] = (struct row){ .value = ml + ahead,
                                                    .time_s = now - 1200,
                                                    .attr = 1 + (uint32_t)check_below(r, 2) };
        }
        if (p->count && count + 2 < cap) {
            count++;
            if (check_below(r, 10) == 0) { /* sent twice */
                out[count] = out[count - 1];
                count++;
            }
        }
    }
    return count;
}

/* In order but for some that come late. */
static void delay_some(struct check_random *r, struct parcel *parcels, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (check_below(r, 8) == 0) {
            size_t j = i + 1 + check_below(r, count - i - 1 < 40 ? count - i - 1 : 40);
            struct parcel p = parcels[i];

            memmove(&parcels[i], &parcels[i + 1], (j - i) * sizeof *parcels);
            parcels[j] = p;
        }
}

static void forget_views(struct world *w)
{
    char path[600];
    struct refusal r;

    views_close(w->app.views);
    w->app.views = NULL;
    snprintf(path, sizeof path, "%s/views.mdb", w->app.store);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/views.mdb-lock", w->app.store);
    unlink(path);
    assert_ok(views_open(w->app.store, DB_CREATE, &w->app.views, &r));
}

static void random_history(struct check_random *r)
{
    static struct parcel parcels[4 * 200];
    static const char *const forms[] = { "forward", "net", "both", "forward" };
    struct world w;
    uint32_t meters[4];
    size_t count = 0, len;
    char *told;

    world_begin(&w);
    for (int i = 0; i < 4; i++) {
        char serial[16];

        snprintf(serial, sizeof serial, "M%d", i);
        meters[i] = put_meter(&w, serial, forms[i], "residential");
        count += make_parcels(r, meters[i], i == 1 ? CHANNEL_NET : CHANNEL_FORWARD, parcels + count,
                              150);
        if (i == 2)
            count += make_parcels(r, meters[i], CHANNEL_REVERSE, parcels + count, 150);
    }
    delay_some(r, parcels, count);
    for (size_t i = 0; i < count; i++) {
        if (check_below(r, 50) == 0) {
            uint32_t meter = meters[check_below(r, 4)];

            close_fitting(&w, meter,
                          check_below(r, 2) ? FITTING_OPEN
                                            : NEW_YEAR + check_between(r, 20, 70) * DAY);
            assert_ok(judge_pass(&w.app, &meter, 1, clock_now_s(&w.app.clock)));
        }
        if (check_below(r, 50) == 0)
            assert_ok(judge_pass(&w.app, meters, 4, NEW_YEAR + (int64_t)i * HOUR));
        assert_ok(clock_set(&w.app.clock, clock_now_s(&w.app.clock) + 60));
        bring(&w, parcels[i].meter, parcels[i].channel, parcels[i].rows, parcels[i].count);
    }
    told = snapshot(&w, &len);
    forget_views(&w);
    assert_ok(clock_set(&w.app.clock, clock_now_s(&w.app.clock) + 365 * DAY));
    assert_ok(judge_rebuild(&w.app));
    assert_same(&w, told, len);
    assert_ok(judge_rebuild(&w.app)); /* and upon what is there */
    assert_same(&w, told, len);
    free(told);
    world_end(&w);
}

static void a_rebuild_finds_the_same_flags_whatever_the_history(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (int round = 0; round < 3; round++)
        random_history(&r);
}

/* A pass that was cut off after its births were told tells them no second time. */
static void births_without_views_are_found_again(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct flag before, after;
    uint32_t meter;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 30, true, 0);
    live(l, 12, false, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    before = only(&w);
    forget_views(&w);
    assert_ok(clock_set(&w.app.clock, clock_now_s(&w.app.clock) + DAY));
    assert_ok(judge_pass(&w.app, &meter, 1, clock_now_s(&w.app.clock)));
    after = only(&w);
    assert_string_equal(before.id, after.id);
    assert_int_equal(before.told_s, after.told_s);
    world_end(&w);
    free(l);
}

static bool is_outdated(struct world *w)
{
    bool outdated = false;

    assert_ok(judge_outdated(&w->app, &outdated));
    return outdated;
}

/* ---- dial against transmitter ---- */

static bool count_flag(void *arg, const struct flag *f)
{
    (void)f;
    ++*(size_t *)arg;
    return true;
}

static void read_dial(struct world *w, uint32_t meter, unsigned day, int64_t ml)
{
    struct row row = { .value = ml,
                       .time_s = (uint32_t)(NEW_YEAR + (int64_t)day * DAY + 1800),
                       .attr = SOURCE_MANUAL };

    bring(w, meter, CHANNEL_FORWARD, &row, 1);
}

static int64_t shown(const struct flag *f, const char *name)
{
    return verdict_value(&f->verdict, name);
}

/* A meter of which the dial, by day 40, is ten cubic metres ahead. */
static struct flag out_of_step_at_40(struct world *w, uint32_t *out_meter, struct lived *l)
{
    world_begin(w);
    *out_meter = put_meter(w, "M1", "forward", "residential");
    live(l, 60, true, 0);
    bring(w, *out_meter, CHANNEL_FORWARD, l->rows, l->count);
    read_dial(w, *out_meter, 20, l->rows[20 * 24].value);
    read_dial(w, *out_meter, 40, l->rows[40 * 24].value + 10000000);
    return only(w);
}

static void a_dial_that_left_its_transmitter_is_told_with_both(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    uint32_t meter;
    struct flag f = out_of_step_at_40(&w, &meter, l);

    (void)state;
    assert_ptr_equal(f.kind, &detector_out_of_step);
    assert_int_equal(f.state, FLAG_OPEN);
    assert_int_equal(f.verdict.onset_s, NEW_YEAR + 40 * DAY + 1800);
    assert_int_equal(shown(&f, "dial_l"), l->rows[40 * 24].value + 10000000);
    assert_int_equal(shown(&f, "counted_l"), l->rows[40 * 24].value);
    assert_int_equal(shown(&f, "tolerance_l"), 1000000);
    assert_int_equal(shown(&f, "off_l"), 10000000);
    assert_int_equal(shown(&f, "agreed_at"), NEW_YEAR + 20 * DAY + 1800);
    assert_int_equal(f.verdict.lost_mlpd, 500000); /* 10 m3 in 20 days */
    assert_non_null(strstr(f.text_en, "10.0 m³ above"));
    assert_non_null(strstr(f.text_zh, "10.0 m³"));
    read_dial(&w, meter, 50, l->rows[50 * 24].value + 13000000);
    f = only(&w);
    assert_int_equal(shown(&f, "dial_reads"), 2000);
    assert_int_equal(f.verdict.onset_s, NEW_YEAR + 40 * DAY + 1800);
    assert_int_equal(f.verdict.confidence_pct, 85);
    read_dial(&w, meter, 55, l->rows[55 * 24].value);
    f = only(&w);
    assert_int_equal(f.state, FLAG_CLEARED);
    assert_int_equal(f.verdict.cleared_s, NEW_YEAR + 55 * DAY + 1800);
    world_end(&w);
    free(l);
}

static void a_slip_of_the_pen_is_withdrawn_by_the_next_dial(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    uint32_t meter;
    struct flag f, before = out_of_step_at_40(&w, &meter, l);

    (void)state;
    read_dial(&w, meter, 50, l->rows[50 * 24].value);
    f = only(&w);
    assert_string_equal(f.id, before.id);
    assert_int_equal(f.state, FLAG_WITHDRAWN);
    world_end(&w);
    free(l);
}

/* What came before the dial read was known already: only what is new is read, and it decides. */
static void a_dial_is_judged_when_the_transmitter_is_heard_again(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct flag_filter all = { 0 };
    size_t flags = 0;
    uint32_t meter;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 32, true, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, (size_t)30 * 24 + 1);
    read_dial(&w, meter, 30, l->rows[30 * 24].value + 5000000);
    assert_ok(flags_each(&w.app, &all, count_flag, &flags));
    assert_int_equal(flags, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows + (size_t)30 * 24 + 1, 10);
    assert_ptr_equal(only(&w).kind, &detector_out_of_step);
    world_end(&w);
    free(l);
}

static void an_offset_that_is_told_late_withdraws_the_flag(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    uint32_t meter;
    struct flag before = out_of_step_at_40(&w, &meter, l);
    struct ledger_dial d = { .at_s = (uint32_t)(NEW_YEAR + 30 * DAY),
                             .dial_ml = l->rows[30 * 24].value + 10000000,
                             .counted_ml = l->rows[30 * 24].value,
                             .has_counted = true,
                             .told_s = NEW_YEAR + 60 * DAY,
                             .who = span_text("crew"),
                             .note = span_text("a new battery") };
    struct act a = act_begin(w.app.ledger, "crew", NEW_YEAR + 60 * DAY, 0);

    (void)state;
    assert_int_equal(before.state, FLAG_OPEN);
    act_put_dial(&a, meter, &d);
    assert_ok(act_end(&a));
    assert_ok(judge_pass(&w.app, &meter, 1, clock_now_s(&w.app.clock)));
    assert_int_equal(only(&w).state, FLAG_WITHDRAWN);
    world_end(&w);
    free(l);
}

/* Nobody has to know that views are gone or that holidays changed: the next start sees to it. */
static void a_start_judges_anew_what_was_judged_otherwise(void **state)
{
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    uint32_t meter;
    struct refusal r;

    (void)state;
    world_begin(&w);
    meter = put_meter(&w, "M1", "forward", "residential");
    live(l, 30, true, 0);
    live(l, 12, false, 0);
    bring(&w, meter, CHANNEL_FORWARD, l->rows, l->count);
    assert_true(is_outdated(&w)); /* nothing was judged yet */
    assert_ok(judge_rebuild(&w.app));
    assert_false(is_outdated(&w));
    forget_views(&w);
    assert_true(is_outdated(&w));
    assert_ok(judge_rebuild(&w.app));
    assert_int_equal(only(&w).state, FLAG_OPEN);
    assert_ok(holidays_read(&w.app.holidays, span_text("first,last\n2026-03-25,2026-04-20\n"), &r));
    assert_true(is_outdated(&w));
    assert_ok(judge_rebuild(&w.app));
    assert_int_equal(only(&w).state, FLAG_WITHDRAWN);
    world_end(&w);
    free(l);
}

/* What it costs, printed; and a bound that only a blunder would break. */
static void a_day_of_a_meter_costs_little(void **state)
{
    enum { METERS = 64 };
    struct world w;
    struct lived *l = (struct lived *)calloc(1, sizeof *l);
    struct judge_news news[METERS] = { 0 };
    struct timespec a, b;
    double us;

    (void)state;
    world_begin(&w);
    live(l, 61, true, 0);
    for (int i = 0; i < METERS; i++) {
        char serial[16];

        snprintf(serial, sizeof serial, "M%02d", i);
        news[i].meter = put_meter(&w, serial, "forward", "residential");
        news[i].first_s = l->rows[0].time_s;
        put_rows(&w, news[i].meter, CHANNEL_FORWARD, l->rows, 60 * 24);
    }
    assert_ok(judge_pass_new(&w.app, news, METERS, NEW_YEAR));
    for (int i = 0; i < METERS; i++) {
        news[i].first_s = l->rows[60 * 24].time_s;
        put_rows(&w, news[i].meter, CHANNEL_FORWARD, l->rows + 60 * 24, 24);
    }
    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_ok(judge_pass_new(&w.app, news, METERS, NEW_YEAR));
    clock_gettime(CLOCK_MONOTONIC, &b);
    us = ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / METERS;
    print_message(
        "[          ] %.1f us a meter with 24 new readings, its look-ups and reads included\n", us);
    assert_true(us < 50000);
    world_end(&w);
    free(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_is_told_with_its_id_words_and_clock),
        cmocka_unit_test(ends_of_flags_are_facts_once_while_somebody_listens),
        cmocka_unit_test(late_use_withdraws_a_stuck_flag_and_its_evidence_stays),
        cmocka_unit_test(an_onset_that_moves_keeps_the_id),
        cmocka_unit_test(new_readings_go_on_from_the_state_as_if_all_were_read),
        cmocka_unit_test(what_is_stamped_in_the_future_or_loses_a_conflict_is_not_judged),
        cmocka_unit_test(a_meter_fitted_hundreds_of_times_is_judged_where_it_is),
        cmocka_unit_test(what_its_predecessor_used_is_a_fact_of_a_meter_that_never_turned),
        cmocka_unit_test(an_exchange_ends_what_was_open),
        cmocka_unit_test(what_people_decided_goes_before_what_readings_say),
        cmocka_unit_test(lists_are_filtered_paged_and_ranked),
        cmocka_unit_test(births_without_views_are_found_again),
        cmocka_unit_test(a_dial_that_left_its_transmitter_is_told_with_both),
        cmocka_unit_test(a_slip_of_the_pen_is_withdrawn_by_the_next_dial),
        cmocka_unit_test(a_dial_is_judged_when_the_transmitter_is_heard_again),
        cmocka_unit_test(an_offset_that_is_told_late_withdraws_the_flag),
        cmocka_unit_test(a_rebuild_finds_the_same_flags_whatever_the_history),
        cmocka_unit_test(a_start_judges_anew_what_was_judged_otherwise),
        cmocka_unit_test(a_day_of_a_meter_costs_little),
    };

    return check_run(tests, argc, argv);
}
