#include "proto/frame.h"
#include "tests/check.h"

#define NOW_S 1790000000ll
#define DAY_S 86400

static struct sample samples[2];
static struct series series = { CHANNEL_FORWARD, 2, samples };

static struct frame frame_at(int64_t sent_s)
{
    samples[0] = (struct sample){ sent_s, 2000 };
    samples[1] = (struct sample){ sent_s - 3600, 1000 };
    return (struct frame){ .sent_s = sent_s, .series_count = 1, .series = &series };
}

static void a_clock_that_is_nearly_right_is_left_alone(void **state)
{
    static const int64_t off_s[] = { 0, 600, -600, -400 * DAY_S };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct frame f = frame_at(NOW_S + off_s[i]);

        assert_ok(frame_retime(&f, NOW_S, NULL));
        assert_false(f.retimed);
        assert_int_equal(samples[1].at_s, NOW_S + off_s[i] - 3600);
    }
}

static void a_clock_far_off_shifts_the_whole_report(void **state)
{
    static const int64_t off_s[] = { 601, -400 * DAY_S - 1, -NOW_S + 1, UINT32_MAX - NOW_S };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct frame f = frame_at(NOW_S + off_s[i]);

        assert_ok(frame_retime(&f, NOW_S, NULL));
        assert_true(f.retimed);
        assert_int_equal(samples[0].at_s, NOW_S);
        assert_int_equal(samples[1].at_s, NOW_S - 3600);
        assert_int_equal(f.sent_s,
                         NOW_S + off_s[i]); /* what the clock showed is kept for its flag */
    }
}

static void no_clock_is_no_wrong_clock(void **state)
{
    struct frame f = frame_at(0);

    (void)state;
    samples[0].at_s = NOW_S;
    samples[1].at_s = NOW_S - 3600;
    assert_ok(frame_retime(&f, NOW_S, NULL));
    assert_false(f.retimed);
}

static void times_that_cannot_be_kept_are_refused(void **state)
{
    struct frame f = frame_at(NOW_S);
    struct refusal r;

    (void)state;
    samples[1].at_s = -1;
    assert_err(ERR_RANGE, frame_retime(&f, NOW_S, &r));
    assert_string_equal(r.field, "series[0]");
    assert_string_equal(r.text, "value 1 stands at -1 s, outside the years 1970 to 2106");
    samples[1].at_s = (int64_t)UINT32_MAX + 1;
    assert_err(ERR_RANGE, frame_retime(&f, NOW_S, NULL));
    samples[1].at_s = UINT32_MAX;
    assert_ok(frame_retime(&f, NOW_S, NULL));
    samples[1].at_s = 0;
    assert_ok(frame_retime(&f, NOW_S, NULL));
}

static void channels_have_names(void **state)
{
    (void)state;
    for (unsigned c = 0; c < CHANNEL_COUNT; c++) {
        enum channel again = CHANNEL_COUNT;

        assert_ok(channel_read(span_text(channel_name((enum channel)c)), &again));
        assert_int_equal(again, c);
    }
    assert_string_equal(channel_name(CHANNEL_NET), "net");
    assert_err(ERR_NOT_FOUND, channel_read(span_text("forwards"), &(enum channel){ 0 }));
    assert_err(ERR_NOT_FOUND, channel_read(span_text(""), &(enum channel){ 0 }));
    assert_err(ERR_NOT_FOUND, channel_read(span_text("billed"), &(enum channel){ 0 }));
}

/* The numbers are the contract's (native.proto), whatever order the table has. */
static void status_bits_are_those_of_the_wire_and_have_words(void **state)
{
    char text[160], small[8];

    (void)state;
    assert_int_equal(STATUS_VALVE_CLOSED, 1);
    assert_int_equal(STATUS_LEAK, 32);
    assert_int_equal(STATUS_BACKFLOW, 128);
    assert_int_equal(STATUS_CLOCK_LOST, 2048);
    assert_string_equal(status_name(STATUS_SENSOR_FAULT_BIT), "sensor_fault");
    assert_null(status_name(STATUS_BITS));
    assert_null(status_words(STATUS_BITS));
    status_put(text, sizeof text, STATUS_LEAK | STATUS_DRY | 1u << 31);
    assert_string_equal(text, "leak, dry, unknown");
    status_put(text, sizeof text, 0);
    assert_string_equal(text, "");
    status_put(text, sizeof text, 0xfff);
    assert_non_null(strstr(text, ", clock lost"));
    status_put(small, sizeof small, UINT32_MAX);
    assert_string_equal(small, "valve c");
}

static void a_result_that_nobody_knows_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(outcome_name(0), "done");
    assert_string_equal(outcome_name(3), "expired");
    assert_string_equal(outcome_name(4), "unknown");
    assert_string_equal(outcome_name(UINT64_MAX), "unknown");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_nearly_right_is_left_alone),
        cmocka_unit_test(a_clock_far_off_shifts_the_whole_report),
        cmocka_unit_test(no_clock_is_no_wrong_clock),
        cmocka_unit_test(times_that_cannot_be_kept_are_refused),
        cmocka_unit_test(channels_have_names),
        cmocka_unit_test(status_bits_are_those_of_the_wire_and_have_words),
        cmocka_unit_test(a_result_that_nobody_knows_is_unknown),
    };

    return check_run(tests, argc, argv);
}
