#include "proto/native.h"

#include "proto/base/limits.h"
#include "proto/native.pb-c.h"
#include "tests/check.h"

#include <stdlib.h>

#define NOW_S 1790000000

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    return arena_init(&arena, LIMIT_DECODE_ARENA);
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static enum err decode(struct span bytes, struct frame *f, struct refusal *r)
{
    struct dialect_input in = { .bytes = bytes, .arrival_s = NOW_S };

    arena_clear(&arena);
    return dialect_native.decode(&in, &arena, f, r);
}

static void assert_same(const struct frame *a, const struct frame *b)
{
    assert_true(span_equal(frame_name(a), frame_name(b)));
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->sent_s, b->sent_s);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->battery_mv, b->battery_mv);
    assert_int_equal(a->cell, b->cell);
    assert_int_equal(a->rsrp_dbm, b->rsrp_dbm);
    assert_int_equal(a->snr_db, b->snr_db);
    assert_int_equal(a->series_count, b->series_count);
    for (uint32_t i = 0; i < a->series_count; i++) {
        assert_int_equal(a->series[i].channel, b->series[i].channel);
        assert_int_equal(a->series[i].count, b->series[i].count);
        assert_memory_equal(a->series[i].samples, b->series[i].samples,
                            a->series[i].count * sizeof(struct sample));
    }
    assert_int_equal(a->outcome_count, b->outcome_count);
    if (a->outcome_count)
        assert_memory_equal(a->outcomes, b->outcomes, a->outcome_count * sizeof(struct outcome));
}

/* ---- there and back ------------------------------------------------------------------------- */

static struct sample samples[8][LIMIT_BACK + 1];

static struct series random_series(struct check_random *random, struct sample *at, int8_t *scale)
{
    uint32_t count =
        (uint32_t)check_below(random, check_below(random, 4) ? 30 : LIMIT_BACK + 1) + 1;
    int64_t unit = 1, step_s = check_between(random, 1, 90000);

    *scale = (int8_t)check_between(random, -3, 6);
    for (int8_t s = *scale; s > -3; s--)
        unit *= 10;
    at[0] = (struct sample){ check_between(random, 1, UINT32_MAX),
                             check_between(random, -4000000, 4000000000) * unit };
    for (uint32_t k = 1; k < count; k++)
        at[k] = (struct sample){ at[k - 1].at_s - step_s,
                                 at[k - 1].value - check_between(random, -2, 1000000) * unit };
    return (struct series){ (enum channel)check_below(random, CHANNEL_COUNT), count, at };
}

static void any_report_comes_back(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int i = 0; i < 2000; i++) {
        static uint8_t buffer[LIMIT_PAYLOAD_BLOCK];
        struct wr w = wr_of(buffer, sizeof(buffer));
        struct series series[8];
        int8_t scales[8];
        struct outcome outcomes[2] = { { .command = (uint32_t)check_random(&random),
                                         .result = 3 } };
        struct frame f = {
            .names =
                names_of(span_of("0123456789ABCDEFabcdef._:-GHIJKL", check_below(&random, 33))),
            .seq = (uint32_t)check_random(&random),
            .sent_s = check_between(&random, 0, UINT32_MAX),
            .status = (uint32_t)check_random(&random),
            .battery_mv = (uint32_t)check_below(&random, 4000),
            .cell = (uint32_t)check_random(&random),
            .rsrp_dbm = (int32_t)check_random(&random),
            .snr_db = (int32_t)check_random(&random),
            .series_count = (uint32_t)check_below(&random, 9),
            .series = series,
            .outcome_count = (uint32_t)check_below(&random, 3),
            .outcomes = outcomes,
        };
        struct span bytes;
        struct frame g;

        for (uint32_t k = 0; k < f.series_count; k++)
            series[k] = random_series(&random, samples[k], &scales[k]);
        assert_ok(native_encode(&f, scales, &w));
        bytes = check_guarded(wr_span(&w));
        assert_ok(decode(bytes, &g, NULL));
        assert_same(&f, &g);
        check_unguard(bytes.at, bytes.len);
    }
}

static void what_cannot_be_said_is_not_encoded(void **state)
{
    uint8_t buffer[200];
    struct sample uneven[3] = { { NOW_S, 3000 }, { NOW_S - 60, 2000 }, { NOW_S - 121, 1000 } };
    struct sample fine[1] = { { NOW_S, 1500 } };
    struct sample wide[2] = { { NOW_S, 3000000000000 }, { NOW_S - 60, 0 } };
    struct series series = { CHANNEL_FORWARD, 3, uneven };
    struct frame f = { .sent_s = NOW_S, .series_count = 1, .series = &series };
    struct wr w = wr_of(buffer, sizeof(buffer));
    int8_t scale = 0;

    (void)state;
    assert_err(ERR_INVALID, native_encode(&f, &scale, &w));
    series = (struct series){ CHANNEL_FORWARD, 1, fine };
    assert_err(ERR_INVALID, native_encode(&f, &scale, &w));
    series = (struct series){ CHANNEL_FORWARD, 2, wide };
    assert_err(ERR_INVALID, native_encode(&f, &scale, &w));
    series = (struct series){ CHANNEL_BILLED, 1, fine };
    scale = -3;
    assert_err(ERR_INVALID, native_encode(&f, &scale, &w));
    series = (struct series){ CHANNEL_FORWARD, 1, fine };
    scale = 7;
    assert_err(ERR_INVALID, native_encode(&f, &scale, &w));
    assert_int_equal(wr_len(&w), 0);
    scale = -3;
    assert_ok(native_encode(&f, &scale, &w));
}

static void a_report_that_does_not_fit_is_full(void **state)
{
    struct sample sample = { NOW_S - 60, 123456 };
    struct series series = { CHANNEL_NET, 1, &sample };
    struct outcome outcome = { .command = 7, .result = 1 };
    struct frame f = { .names = names_of(span_text("M1")),
                       .seq = 300,
                       .sent_s = NOW_S,
                       .series_count = 1,
                       .series = &series,
                       .status = 4,
                       .outcome_count = 1,
                       .outcomes = &outcome };
    uint8_t buffer[200];
    struct wr whole = wr_of(buffer, sizeof(buffer));
    int8_t scale = -3;

    (void)state;
    assert_ok(native_encode(&f, &scale, &whole));
    for (size_t cap = 0; cap < wr_len(&whole); cap++) {
        uint8_t *at = check_guard(cap);
        struct wr w = wr_of(at, cap);

        assert_err(ERR_FULL, native_encode(&f, &scale, &w));
        assert_int_equal(wr_len(&w), 0);
        check_unguard(at, cap);
    }
}

/* ---- commands, read back by protobuf-c ------------------------------------------------------ */

static void commands_are_what_protobuf_reads(void **state)
{
    static const struct meter_command commands[] = {
        { .id = 1, .expires_s = NOW_S, .what = COMMAND_VALVE, .value = 0 },
        { .id = 2, .what = COMMAND_VALVE, .value = 1 },
        { .id = 3, .what = COMMAND_REPORT_EVERY, .value = UINT32_MAX },
        { .id = 4, .what = COMMAND_REPORT_OFFSET, .value = 0 },
        { .id = 5, .what = COMMAND_STEP, .value = 900 },
        { .id = 6, .what = COMMAND_BASE_INDEX, .value = -12345678901 },
        { .id = 7, .what = COMMAND_HISTORY, .value = NOW_S - 86400, .until = NOW_S },
    };
    uint8_t buffer[400];
    struct wr w = wr_of(buffer, sizeof(buffer));
    Nilometer__V1__Commands *read;

    (void)state;
    assert_ok(native_encode_commands(commands, 7, NOW_S, &w));
    read = nilometer__v1__commands__unpack(NULL, wr_len(&w), buffer);
    assert_non_null(read);
    assert_int_equal(read->now, NOW_S);
    assert_int_equal(read->n_commands, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(read->commands[i]->id, commands[i].id);
        assert_int_equal(read->commands[i]->expires, commands[i].expires_s);
        assert_int_equal(read->commands[i]->what_case, 3 + commands[i].what);
    }
    assert_false(read->commands[0]->valve_open);
    assert_true(read->commands[1]->valve_open);
    assert_int_equal(read->commands[2]->report_every_s, UINT32_MAX);
    assert_int_equal(read->commands[3]->report_offset_s, 0);
    assert_int_equal(read->commands[4]->step_s, 900);
    assert_int_equal(read->commands[5]->base_index_l, -12345678901);
    assert_int_equal(read->commands[6]->history->from, NOW_S - 86400);
    assert_int_equal(read->commands[6]->history->to, NOW_S);
    nilometer__v1__commands__free_unpacked(read, NULL);
}

/* valve_open = false is a member of a oneof: absent it would say nothing at all. */
static void closing_a_valve_is_said_byte_by_byte(void **state)
{
    static const uint8_t expected[] = { 0x0a, 0x09, 0x08, 0x05, 0x15, 0x00, 0x00, 0x01,
                                        0x00, 0x18, 0x00, 0x15, 0x00, 0x01, 0x00, 0x00 };
    const struct meter_command close = {
        .id = 5, .expires_s = 65536, .what = COMMAND_VALVE, .value = 0, .now_s = 256
    };
    uint8_t buffer[64];
    struct wr w = wr_of(buffer, sizeof(buffer));

    (void)state;
    assert_ok(dialect_native.command(&close, &w));
    assert_int_equal(wr_len(&w), sizeof(expected));
    assert_memory_equal(buffer, expected, sizeof(expected));
}

static void a_time_command_is_now_alone(void **state)
{
    static const uint8_t expected[] = { 0x15, 0x00, 0x01, 0x00, 0x00 };
    const struct meter_command time = { .id = 5, .what = COMMAND_TIME, .value = 9, .now_s = 256 };
    uint8_t buffer[64];
    struct wr w = wr_of(buffer, sizeof(buffer));

    (void)state;
    assert_ok(dialect_native.command(&time, &w));
    assert_int_equal(wr_len(&w), sizeof(expected));
    assert_memory_equal(buffer, expected, sizeof(expected));
}

static void without_commands_nothing_is_said(void **state)
{
    uint8_t buffer[8];
    struct wr w = wr_of(buffer, sizeof(buffer));

    (void)state;
    assert_ok(native_encode_commands(NULL, 0, NOW_S, &w));
    assert_int_equal(wr_len(&w), 0);
}

static void commands_that_mean_nothing_are_invalid(void **state)
{
    static const struct meter_command bad[] = {
        { .what = (enum command_what)9 },
        { .what = COMMAND_VALVE, .value = 2 },
        { .what = COMMAND_REPORT_EVERY, .value = -1 },
        { .what = COMMAND_STEP, .value = (int64_t)UINT32_MAX + 1 },
        { .what = COMMAND_HISTORY, .value = -1, .until = 5 },
        { .what = COMMAND_HISTORY, .value = 1, .until = (int64_t)UINT32_MAX + 1 },
    };
    uint8_t buffer[64];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct wr w = wr_of(buffer, sizeof(buffer));

        assert_err(ERR_INVALID, native_encode_commands(&bad[i], 1, NOW_S, &w));
        assert_int_equal(wr_len(&w), 0);
    }
    for (size_t cap = 0; cap < 11; cap++) {
        struct meter_command c = { .id = 1, .what = COMMAND_BASE_INDEX, .value = 5 };
        struct wr w = wr_of(buffer, cap);

        assert_err(ERR_FULL, native_encode_commands(&c, 1, NOW_S, &w));
    }
}

/* ---- hostile bytes -------------------------------------------------------------------------- */

/* 64 KiB of the pieces that cost protobuf-c most memory for a byte. */
static void no_payload_outgrows_the_arena(void **state)
{
    static const char *const pieces[] = { "\x10\x00", "\x22\x00", "\x52\x00", "\x58\x00",
                                          "\x5a\x00", "\x0a\x00", "\x10\x01" };
    static uint8_t bytes[LIMIT_PAYLOAD_BLOCK];

    (void)state;
    for (size_t p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
        struct refusal r = { .err = ERR_OK };
        struct frame f;
        enum err err;

        for (size_t i = 0; i < sizeof(bytes); i += 2)
            memcpy(bytes + i, pieces[p], 2);
        err = decode(span_of(bytes, sizeof(bytes)), &f, &r);
        assert_true(err == ERR_OK || err == ERR_RANGE);
    }
}

static void the_same_inside_a_series(void **state)
{
    static const char *const pieces[] = { "\x10\x00", "\x30\x00", "\x58\x00", "\x5a\x00",
                                          "\x32\x00" };
    static uint8_t bytes[LIMIT_PAYLOAD_BLOCK];

    (void)state;
    for (size_t p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
        struct wr w = wr_of(bytes, sizeof(bytes));
        struct frame f;
        enum err err;

        wr_u8(&w, 0x22);
        wr_varint(&w, sizeof(bytes) - 4);
        while (wr_len(&w) < sizeof(bytes))
            wr_bytes(&w, span_of(pieces[p], 2));
        assert_ok(w.err);
        err = decode(wr_span(&w), &f, NULL);
        assert_true(err == ERR_OK || err == ERR_RANGE || err == ERR_MALFORMED);
    }
}

/* Readings at odd times: a series for each. */
static void a_payload_may_be_full_of_series(void **state)
{
    static uint8_t bytes[LIMIT_PAYLOAD_BLOCK];
    struct frame f;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i += 2)
        memcpy(bytes + i, "\x22\x00", 2);
    assert_ok(decode(span_of(bytes, sizeof(bytes)), &f, NULL));
    assert_int_equal(f.series_count, LIMIT_SERIES);
    for (size_t i = 0; i < sizeof(bytes); i += 2)
        memcpy(bytes + i, "\x52\x00", 2);
    assert_ok(decode(span_of(bytes, sizeof(bytes)), &f, NULL));
    assert_int_equal(f.outcome_count, LIMIT_OUTCOMES);
}

static void the_most_values_fit_the_arena(void **state)
{
    static uint8_t bytes[LIMIT_PAYLOAD_BLOCK];
    struct wr w = wr_of(bytes, sizeof(bytes));
    struct frame f;

    (void)state;
    for (int i = 0; i < 63; i++) { /* each: step_s 1, 1 024 steps of 0 */
        wr_u8(&w, 0x22);
        wr_varint(&w, 2 + 3 + LIMIT_BACK);
        wr_bytes(&w, span_of("\x28\x01\x32\x80\x08", 5));
        for (int k = 0; k < LIMIT_BACK; k++)
            wr_u8(&w, 0);
    }
    assert_ok(w.err);
    assert_ok(decode(wr_span(&w), &f, NULL));
    assert_int_equal(f.series_count, 63);
    assert_int_equal(f.series[62].count, LIMIT_BACK + 1);
}

static void a_small_arena_is_no_fault_of_the_bytes(void **state)
{
    static const char bytes[] = "\x0a\x01M\x22\x06\x18\x02\x28\x01\x30\x02\x52\x02\x08\x01";
    struct dialect_input in = { .bytes = span_of(bytes, sizeof(bytes) - 1), .arrival_s = NOW_S };
    struct refusal r;
    struct frame f;

    (void)state;
    for (size_t cap = 0; cap < 4096; cap += 16) {
        struct arena small;
        enum err err;

        assert_ok(arena_init(&small, cap));
        err = dialect_native.decode(&in, &small, &f, &r);
        arena_done(&small);
        if (err == ERR_OK)
            return;
        assert_err(ERR_NO_MEMORY, err);
    }
    fail();
}

static void more_than_64_kib_is_too_large(void **state)
{
    static uint8_t bytes[LIMIT_PAYLOAD_BLOCK + 1];
    struct frame f;

    (void)state;
    assert_err(ERR_TOO_LARGE, decode(span_of(bytes, sizeof(bytes)), &f, NULL));
}

static void random_bytes_are_answered(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t len = check_below(&random, 64);
        uint8_t *at = check_guard(len);
        struct refusal r = { .err = ERR_OK };
        struct frame f;
        enum err err;

        check_fill(&random, at, len);
        err = decode(span_of(at, len), &f, &r);
        assert_int_equal(err, r.err);
        check_unguard(at, len);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_report_comes_back, setup, teardown),
        cmocka_unit_test(what_cannot_be_said_is_not_encoded),
        cmocka_unit_test(a_report_that_does_not_fit_is_full),
        cmocka_unit_test(commands_are_what_protobuf_reads),
        cmocka_unit_test(closing_a_valve_is_said_byte_by_byte),
        cmocka_unit_test(a_time_command_is_now_alone),
        cmocka_unit_test(without_commands_nothing_is_said),
        cmocka_unit_test(commands_that_mean_nothing_are_invalid),
        cmocka_unit_test_setup_teardown(no_payload_outgrows_the_arena, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_inside_a_series, setup, teardown),
        cmocka_unit_test_setup_teardown(the_most_values_fit_the_arena, setup, teardown),
        cmocka_unit_test(a_small_arena_is_no_fault_of_the_bytes),
        cmocka_unit_test_setup_teardown(a_payload_may_be_full_of_series, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_64_kib_is_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(random_bytes_are_answered, setup, teardown),
    };

    return check_run(tests, argc, argv);
}
