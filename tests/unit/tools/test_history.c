/* A file of readings becomes days of reports, and the reports say again exactly what the file said.
 */
#include <stdlib.h>

#include "proto/base/limits.h"
#include "proto/native.h"
#include "tests/check.h"
#include "tools/sim/history.h"

static struct zone utc;

static bool read_text(const char *text, const char *map, struct history *out)
{
    FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    struct history_columns columns;
    bool ok;

    assert_non_null(f);
    assert_true(history_columns_read(map, &columns));
    ok = history_read(f, "test", &columns, &utc, out);
    fclose(f);
    return ok;
}

/* What all reports of a day say, and how many there were. */
struct heard {
    struct past rows[8192];
    size_t count, reports, largest, per_report[512];
};

static bool hear(void *arg, struct span payload, size_t readings)
{
    struct heard *heard = arg;
    struct arena a = { 0 };
    struct frame f;
    struct refusal r = { 0 };
    size_t before = heard->count;

    assert_true(payload.len <= LIMIT_PAYLOAD_PLAIN);
    assert_ok(arena_init(&a, 1 << 20));
    assert_ok(dialect_native.decode(&(struct dialect_input){ .bytes = payload }, &a, &f, &r));
    for (uint32_t i = 0; i < f.series_count; i++)
        for (uint32_t j = 0; j < f.series[i].count; j++) {
            const struct sample *s = &f.series[i].samples[j];

            heard->rows[heard->count++] = (struct past){ .time_s = s->at_s,
                                                         .value = s->value,
                                                         .channel = (uint8_t)f.series[i].channel };
        }
    assert_int_equal(heard->count - before, readings);
    heard->per_report[heard->reports++] = readings;
    if (payload.len > heard->largest)
        heard->largest = payload.len;
    arena_done(&a);
    return true;
}

static int by_time_then_value(const void *a, const void *b)
{
    const struct past *x = a, *y = b;

    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static void assert_heard_all(const struct past *rows, size_t count, struct heard *heard)
{
    struct past *sorted = malloc(count * sizeof *sorted);
    size_t kept = 0;

    memcpy(sorted, rows, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_time_then_value);
    for (size_t i = 0; i < count; i++)
        if (!i || by_time_then_value(&sorted[i], &sorted[kept - 1]))
            sorted[kept++] = sorted[i];
    qsort(heard->rows, heard->count, sizeof *heard->rows, by_time_then_value);
    assert_int_equal(heard->count, kept);
    for (size_t i = 0; i < kept; i++)
        assert_int_equal(by_time_then_value(&sorted[i], &heard->rows[i]), 0);
    free(sorted);
}

static void an_evenly_spaced_day_is_one_series_in_one_report(void **state)
{
    static struct heard heard;
    struct past rows[24];
    uint32_t seq = 7;

    (void)state;
    heard = (struct heard){ 0 };
    for (int i = 0; i < 24; i++)
        rows[i] = (struct past){ .time_s = 1000000000 + i * 3600, .value = i * 12000 };
    assert_true(history_reports("A1", rows, 24, 1000086400, &seq, hear, &heard));
    assert_int_equal(heard.reports, 1);
    assert_int_equal(seq, 8);
    assert_true(heard.largest < 90);
    assert_heard_all(rows, 24, &heard);
}

static void rows_that_differ_at_one_instant_go_in_reports_of_their_own(void **state)
{
    static struct heard heard;
    struct past rows[] = { { .time_s = 1000, .value = 5000 }, { .time_s = 4600, .value = 6000 },
                           { .time_s = 4600, .value = 7000 }, { .time_s = 4600, .value = 6000 },
                           { .time_s = 4600, .value = 8000 }, { .time_s = 8200, .value = 9000 } };
    uint32_t seq = 0;

    (void)state;
    heard = (struct heard){ 0 };
    assert_true(history_reports("A1", rows, 6, 0, &seq, hear, &heard));
    assert_int_equal(heard.reports, 3);
    assert_int_equal(heard.per_report[0], 3);
    assert_heard_all(rows, 6, &heard);
}

static void any_day_arrives_whole_within_the_payload_limit(void **state)
{
    static struct heard heard;
    static struct past rows[4096];
    struct check_random r = check_random_begin();

    (void)state;
    for (int round = 0; round < 200; round++) {
        size_t count = 1 + check_below(&r, round % 10 ? 60 : 4096);
        int64_t unit = (int64_t[]){ 1, 10, 100, 1000 }[check_below(&r, 4)];
        int64_t time_s = 1000000000, value = check_between(&r, -1000000, 1000000000) * unit;
        int wild = (int)check_below(&r, 4);
        bool mixed = check_below(&r, 3) == 0;
        uint32_t seq = 0;

        for (size_t i = 0; i < count; i++) {
            rows[i] = (struct past){ .time_s = time_s,
                                     .value = value,
                                     .order = (uint32_t)i,
                                     .channel = mixed ? (uint8_t)check_below(&r, CHANNEL_COUNT)
                                                      : CHANNEL_FORWARD };
            if (!wild || check_below(&r, 8))
                time_s += wild && !check_below(&r, 3) ? check_between(&r, 0, 7200) : 60;
            value += check_below(&r, 16) ? check_between(&r, -3, 300) * unit
                                         : check_between(&r, -5000000000, 5000000000) * unit;
        }
        heard = (struct heard){ 0 };
        assert_true(history_reports("a-serial-of-thirty-two-bytes-000", rows, count, 1000086400,
                                    &seq, hear, &heard));
        assert_heard_all(rows, count, &heard);
    }
}

static void a_file_is_sorted_by_day_and_meter_and_time(void **state)
{
    struct history h;

    (void)state;
    assert_true(read_text(
        "index_l,meter,when\r\n"
        "3,B,2026-03-02 01:00\r\n1,A,2026-03-01T23:00:00\r\n\"2.5\",B,2026-03-01T00:00:00Z\r\n"
        "0.5,A,2026-03-01T05:00:00Z\r\n",
        "serial=meter,time=when", &h));
    assert_int_equal(h.count, 4);
    assert_int_equal(h.meter_count, 2);
    assert_int_equal(history_day(&h, &utc, 0), 3);
    assert_string_equal(h.meters[h.at[0].meter].serial, "B");
    assert_int_equal(h.at[0].value, 2500);
    assert_int_equal(history_meter(&h, 0, 3), 1);
    assert_int_equal(h.at[1].value, 500);
    assert_int_equal(h.at[2].value, 1000);
    assert_int_equal(h.meters[h.at[0].meter].first_value, 2500);
    history_done(&h);
}

static void a_row_that_is_no_reading_refuses_the_file(void **state)
{
    struct history h;

    (void)state;
    assert_false(read_text("serial,time\nA,2026-03-01T00:00:00Z\n", NULL, &h));
    assert_false(read_text("serial,time,index_l\nA,yesterday,1\n", NULL, &h));
    assert_false(read_text("serial,time,index_l\nA,2026-03-01T00:00:00Z,1 L\n", NULL, &h));
    assert_false(read_text("serial,time,index_l\nA B,2026-03-01T00:00:00Z,1\n", NULL, &h));
    assert_false(read_text("serial,time,index_l\n\"A,2026-03-01T00:00:00Z,1\n", NULL, &h));
    assert_null(h.at);
}

static void what_a_person_read_is_sent_by_no_meter(void **state)
{
    static struct heard heard;
    struct history h;
    uint32_t seq = 0;

    (void)state;
    heard = (struct heard){ 0 };
    assert_true(
        read_text("serial,time,index_l,channel,source\n"
                  "A,2026-03-01T01:00:00Z,1,net,\nA,2026-03-01T01:00:00Z,2,net,manual\n"
                  "A,2026-03-01T01:00:00Z,3,pressure,remote\nA,2026-03-01T02:00:00Z,4,,photo\n",
                  NULL, &h));
    assert_true(history_reports("A", h.at, h.count, 0, &seq, hear, &heard));
    assert_int_equal(heard.reports, 1);
    assert_int_equal(heard.count, 2);
    assert_int_equal(heard.rows[0].channel, CHANNEL_NET);
    assert_int_equal(heard.rows[0].value, 1000);
    assert_int_equal(heard.rows[1].channel, CHANNEL_PRESSURE);
    history_done(&h);
    assert_false(
        read_text("serial,time,index_l,channel\nA,2026-03-01T01:00:00Z,1,sideways\n", NULL, &h));
    assert_false(
        read_text("serial,time,index_l,source\nA,2026-03-01T01:00:00Z,1,heard\n", NULL, &h));
}

static void many_serials_keep_their_meters(void **state)
{
    char *text = malloc(1 << 20);
    struct history h;
    size_t len = (size_t)sprintf(text, "serial,time,index_l\n");

    (void)state;
    for (int i = 0; i < 6000; i++)
        len += (size_t)sprintf(text + len, "M%d,2026-03-01T00:00:00Z,%d\n", i % 3000, i % 3000);
    assert_true(read_text(text, NULL, &h));
    assert_int_equal(h.meter_count, 3000);
    for (size_t i = 0; i < h.count; i++)
        assert_int_equal(atoi(h.meters[h.at[i].meter].serial + 1) * 1000, h.at[i].value);
    history_done(&h);
    free(text);
}

static void columns_that_do_not_exist_are_wrong_usage(void **state)
{
    struct history_columns c;

    (void)state;
    assert_true(history_columns_read("index_l=v,serial=s", &c));
    assert_string_equal(c.index_l, "v");
    assert_string_equal(c.time, "time");
    assert_false(history_columns_read("serials=x", &c));
    assert_false(history_columns_read("serial", &c));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evenly_spaced_day_is_one_series_in_one_report),
        cmocka_unit_test(rows_that_differ_at_one_instant_go_in_reports_of_their_own),
        cmocka_unit_test(any_day_arrives_whole_within_the_payload_limit),
        cmocka_unit_test(a_file_is_sorted_by_day_and_meter_and_time),
        cmocka_unit_test(a_row_that_is_no_reading_refuses_the_file),
        cmocka_unit_test(what_a_person_read_is_sent_by_no_meter),
        cmocka_unit_test(many_serials_keep_their_meters),
        cmocka_unit_test(columns_that_do_not_exist_are_wrong_usage),
    };

    zone_fixed(&utc, "UTC", 0);
    return check_run(tests, argc, argv);
}
