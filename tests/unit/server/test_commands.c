/* The memory of commands and its courier, over a real ledger: what a frame meets, what becomes of
 * it, held against a plain model; and what a row becomes by events. */
#include "server/app_open.h"
#include "server/commands.h"
#include "server/registers.h"
#include "tests/check.h"

#include <stdio.h>
#include <time.h>

#define NOW 1773100800
#define DAY 86400

static struct app app;
static const struct dialect *native;

static void start(const char *dir, int64_t now_s)
{
    struct app_options options = { .dir = dir,
                                   .tz = "Asia/Shanghai",
                                   .segment_bytes = 1 << 20,
                                   .quarantine_frames = 1000,
                                   .quarantine_source_frames = 100,
                                   .retention_days = 90,
                                   .settle_every_s = 3600 };
    struct refusal r = { 0 };

    memset(&app, 0, sizeof app);
    clock_virtual(&app.clock, now_s);
    assert_ok(app_open_store(&app, &options, &r));
    assert_ok(app_start(&app, &options, &r));
    native = dialect_by_name(span_text("native"));
}

static void stop(void)
{
    app_stop(&app);
    app_close_store(&app);
}

static uint32_t queue(uint32_t meter, enum command_what what, int64_t value, unsigned flags,
                      uint32_t expires_s)
{
    struct command_row row = { .meter = meter,
                               .what = (uint8_t)what,
                               .value = value,
                               .flags = (uint8_t)flags,
                               .queued_s = NOW,
                               .expires_s = expires_s,
                               .asked_by = "li" };
    struct act a = act_begin(app.ledger, "li", NOW, 0);

    act_command_new(&a, &row);
    assert_ok(act_end(&a));
    commands_put(app.commands, &row);
    return row.id;
}

static uint32_t queue_step(uint32_t meter)
{
    return queue(meter, COMMAND_STEP, 900, 0, NOW + 7 * DAY);
}

static struct command_row row_of(uint32_t meter, uint32_t id)
{
    struct command_row row = { 0 };
    struct txn t;

    assert_ok(commands_flush(app.commands));
    t = ledger_read(app.ledger);
    assert_true(ledger_command(&t, meter, id, &row));
    assert_ok(txn_end(&t));
    return row;
}

/* A frame comes, is kept or not, and its answer goes out; the command that it carried. */
struct comes {
    const struct dialect *dialect;
    struct outcome outcome; /* command 0: none */
    uint32_t status;
    bool mute, once, lost;
};

static uint32_t meet(uint32_t meter, const struct comes *in)
{
    uint8_t bytes[COMMAND_BYTES];
    struct wr w = wr_of(bytes, sizeof bytes);
    const struct frame f = { .names = names_of(span_text("00112233445566")),
                             .status = in->status,
                             .outcome_count = in->outcome.command != 0,
                             .outcomes = &in->outcome };
    const struct commands_meeting m = { .meter = meter,
                                        .dialect = in->dialect ? in->dialect : native,
                                        .frame = &f,
                                        .now_s = clock_now_s(&app.clock),
                                        .mute = in->mute,
                                        .once = in->once };
    struct command_ticket ticket;

    commands_meet(app.commands, &m, &w, &ticket);
    assert_true((ticket.sent != 0) == (wr_len(&w) != 0));
    commands_told(app.commands, &ticket, 1, !in->lost);
    return ticket.sent;
}

static uint32_t comes(uint32_t meter)
{
    return meet(meter, &(struct comes){ 0 });
}

/* ---- what a frame meets ---- */

static void nothing_is_asked_of_anybody_at_first(void **state)
{
    (void)state;
    start(check_folder(), NOW);
    assert_false(commands_any(app.commands));
    assert_false(commands_any(NULL));
    assert_int_equal(comes(1), 0);
    queue_step(1);
    assert_true(commands_any(app.commands));
    assert_int_equal(comes(2), 0);
    stop();
}

static void a_report_that_was_not_kept_leaves_everything_as_it_was(void **state)
{
    uint32_t one, two;

    (void)state;
    start(check_folder(), NOW);
    one = queue_step(1);
    two = queue_step(1);
    assert_int_equal(meet(1, &(struct comes){ .lost = true }), one);
    assert_int_equal(row_of(1, one).state, COMMAND_QUEUED);
    assert_int_equal(row_of(1, one).attempts, 0);
    comes(1);
    assert_int_equal(meet(1, &(struct comes){ .outcome = { one, 0, 0 }, .lost = true }), two);
    assert_int_equal(row_of(1, one).state, COMMAND_SENT);
    assert_int_equal(comes(1), one);
    assert_int_equal(meet(1, &(struct comes){ .outcome = { one, 0, 0 } }), two);
    assert_int_equal(row_of(1, one).state, COMMAND_DONE);
    stop();
}

static void after_so_many_answers_without_an_outcome_it_has_failed(void **state)
{
    uint32_t one, two;

    (void)state;
    start(check_folder(), NOW);
    one = queue_step(1);
    two = queue_step(1);
    for (int i = 0; i < COMMAND_ATTEMPTS; i++)
        assert_int_equal(comes(1), one);
    assert_int_equal(comes(1), two);
    assert_int_equal(row_of(1, one).state, COMMAND_FAILED);
    assert_int_equal(row_of(1, one).attempts, COMMAND_ATTEMPTS);
    assert_non_null(strstr(row_of(1, one).why, "many times"));
    stop();
}

static enum err say_nothing(const struct meter_command *c, struct wr *out)
{
    (void)c;
    (void)out;
    return ERR_UNSUPPORTED;
}

static enum err say_much(const struct meter_command *c, struct wr *out)
{
    static const uint8_t much[COMMAND_BYTES + 1];

    (void)c;
    wr_bytes(out, span_of(much, sizeof much));
    return ERR_OK;
}

static void what_a_dialect_cannot_say_has_failed(void **state)
{
    const struct dialect mute = { .name = "mute", .command = say_nothing };
    const struct dialect wordy = { .name = "wordy", .command = say_much };
    uint32_t one, two;

    (void)state;
    start(check_folder(), NOW);
    one = queue_step(1);
    two = queue_step(2);
    assert_int_equal(meet(1, &(struct comes){ .dialect = &mute }), 0);
    assert_int_equal(meet(2, &(struct comes){ .dialect = &wordy }), 0);
    assert_int_equal(row_of(1, one).state, COMMAND_FAILED);
    assert_int_equal(row_of(2, two).state, COMMAND_FAILED);
    assert_false(commands_any(app.commands));
    stop();
}

/* CJ/T 188: eight bits of the number come back. */
static void few_bits_mean_what_is_under_way(void **state)
{
    uint32_t one = 0, two;

    (void)state;
    start(check_folder(), NOW);
    for (int i = 0; i < 300; i++)
        one = queue(9, COMMAND_STEP, 60, 0, NOW + DAY);
    one = queue_step(1);
    two = queue_step(1);
    assert_true(one > 255);
    assert_int_equal(meet(1, &(struct comes){ .outcome = { one & 255, 0, 8 } }), one);
    assert_int_equal(row_of(1, one).state, COMMAND_SENT); /* nobody had been told then */
    assert_int_equal(meet(1, &(struct comes){ .outcome = { (one + 5) & 255, 0, 8 } }), one);
    assert_int_equal(meet(1, &(struct comes){ .outcome = { one & 255, 2, 8 } }), two);
    assert_int_equal(row_of(1, one).state, COMMAND_FAILED);
    assert_int_equal(row_of(1, two).state, COMMAND_SENT);
    stop();
}

static void a_network_that_keeps_downlinks_is_given_each_once(void **state)
{
    const struct comes once = { .once = true };
    uint32_t one, two;

    (void)state;
    start(check_folder(), NOW);
    one = queue_step(1);
    two = queue_step(1);
    assert_int_equal(meet(1, &once), one);
    assert_int_equal(meet(1, &once), 0);
    commands_lost(app.commands, 1, one);
    assert_int_equal(meet(1, &once), one);
    assert_int_equal(meet(1, &once), 0);
    commands_delivered(app.commands, 1, one, NOW + 5);
    assert_int_equal(row_of(1, one).state, COMMAND_DELIVERED);
    assert_int_equal(row_of(1, one).delivered_s, NOW + 5);
    assert_int_equal(meet(1, &once), 0);
    assert_int_equal(meet(1, &(struct comes){ .once = true, .outcome = { one, 0, 0 } }), two);
    assert_int_equal(row_of(1, one).state, COMMAND_DONE);
    stop();
}

/* ---- settled frames ---- */

static void fold(uint32_t meter, struct outcome o, int64_t arrival_s)
{
    const struct frame f = { .outcome_count = 1, .outcomes = &o };

    commands_fold(app.commands, meter, &f, arrival_s);
    assert_ok(commands_fold_end(&app));
}

static uint64_t acts(void)
{
    struct txn t = ledger_read(app.ledger);
    uint64_t number = ledger_end(&t);

    assert_ok(txn_end(&t));
    return number;
}

static void settling_finds_what_was_not_written_and_twice_is_once(void **state)
{
    uint32_t one;
    uint64_t before;

    (void)state;
    start(check_folder(), NOW);
    one = queue_step(1);
    fold(2, (struct outcome){ one, 0, 0 }, NOW);
    assert_int_equal(row_of(1, one).state, COMMAND_QUEUED);
    fold(1, (struct outcome){ one, 1, 0 }, NOW + 1);
    assert_int_equal(row_of(1, one).state, COMMAND_FAILED);
    assert_int_equal(row_of(1, one).ended_s, NOW + 1);
    assert_false(commands_any(app.commands));
    before = acts();
    fold(1, (struct outcome){ one, 1, 0 }, NOW + 1);
    fold(1, (struct outcome){ one, 0, 0 }, NOW + 2);
    assert_int_equal(acts(), before);
    assert_int_equal(row_of(1, one).state, COMMAND_FAILED);
    stop();
}

/* A report of hundreds of outcomes is what a liar sends; the newest stand at its ends. */
static void of_very_many_outcomes_those_at_the_ends_count(void **state)
{
    enum { COUNT = 200 };
    struct outcome outcomes[COUNT] = { { 0 } };
    const struct frame f = { .outcome_count = COUNT, .outcomes = outcomes };
    uint32_t first, middle, last;

    (void)state;
    start(check_folder(), NOW);
    first = queue_step(1);
    middle = queue_step(1);
    last = queue_step(1);
    for (int i = 0; i < COUNT; i++)
        outcomes[i].command = first;
    outcomes[COUNT / 2].command = middle;
    outcomes[COUNT - 1].command = last;
    commands_fold(app.commands, 1, &f, NOW + 1);
    assert_ok(commands_fold_end(&app));
    assert_int_equal(row_of(1, first).state, COMMAND_DONE);
    assert_int_equal(row_of(1, middle).state, COMMAND_QUEUED);
    assert_int_equal(row_of(1, last).state, COMMAND_DONE);
    stop();
}

/* A frame that is settled again must not speak of a later command whose low bits are the same. */
static void few_bits_in_a_settled_frame_mean_what_had_been_sent_by_then(void **state)
{
    uint32_t one, later = 0;

    (void)state;
    start(check_folder(), NOW);
    one = queue_step(1);
    comes(1);
    assert_ok(clock_set(&app.clock, NOW + 10));
    meet(1, &(struct comes){ .outcome = { one & 255, 0, 8 } });
    while (later != one + 256)
        later = queue(later + 1 == one + 256 ? 1 : 9, COMMAND_STEP, 60, 0, NOW + DAY);
    assert_int_equal(comes(1), later); /* in the second in which the outcome came */
    fold(1, (struct outcome){ one & 255, 0, 8 }, NOW + 10);
    assert_int_equal(row_of(1, later).state, COMMAND_SENT);
    fold(1, (struct outcome){ one & 255, 0, 8 }, NOW + 5);
    assert_int_equal(row_of(1, later).state, COMMAND_SENT);
    fold(1, (struct outcome){ later & 255, 0, 8 }, NOW + 11);
    assert_int_equal(row_of(1, later).state, COMMAND_DONE);
    stop();
}

static void a_closed_valve_in_a_settled_frame_proves_what_was_sent_before(void **state)
{
    const struct frame closed = { .status = STATUS_VALVE_CLOSED };
    const struct frame faulty = { .status = STATUS_VALVE_CLOSED | STATUS_VALVE_FAULT };
    uint32_t id;

    (void)state;
    start(check_folder(), NOW);
    id = queue(1, COMMAND_VALVE, 0, 0, NOW + DAY);
    comes(1);
    commands_fold(app.commands, 1, &closed, NOW);
    commands_fold(app.commands, 1, &faulty, NOW + 1);
    assert_ok(commands_fold_end(&app));
    assert_int_equal(row_of(1, id).state, COMMAND_SENT);
    commands_fold(app.commands, 1, &closed, NOW + 1);
    assert_ok(commands_fold_end(&app));
    assert_int_equal(row_of(1, id).state, COMMAND_DONE);
    stop();
}

/* ---- rows ---- */

static void a_row_becomes_what_happens_to_it(void **state)
{
    static const enum command_event_kind kinds[] = {
        COMMAND_EVENT_SENT,      COMMAND_EVENT_DELIVERED,   COMMAND_EVENT_OUTCOME,
        COMMAND_EVENT_EXPIRED,   COMMAND_EVENT_UNSPEAKABLE, COMMAND_EVENT_UNHEARD,
        COMMAND_EVENT_CANCELLED,
    };
    struct check_random r = check_random_begin();

    (void)state;
    for (int run = 0; run < 2000; run++) {
        struct command_row row = { .id = 1, .expires_s = NOW }, before;
        bool by_meter = false;

        for (uint32_t i = 1; i < 20; i++) {
            const struct command_event e = { .kind = kinds[check_below(&r, 7)],
                                             .at_s = i,
                                             .attempts = i,
                                             .result = (uint8_t)check_below(&r, 5),
                                             .why = "so" };
            bool ended = command_ended((enum command_state)row.state), changed;

            before = row;
            changed = command_apply(&row, &e);
            assert_int_equal(changed, memcmp(&row, &before, sizeof row) != 0);
            /* Forwards only; an end is final but for the meter's first word. */
            assert_true(row.state >= before.state || e.kind == COMMAND_EVENT_OUTCOME);
            if (ended)
                assert_int_equal(changed, e.kind == COMMAND_EVENT_OUTCOME && !by_meter);
            by_meter = by_meter || e.kind == COMMAND_EVENT_OUTCOME;
            before = row;
            assert_false(command_apply(&row, &e)); /* twice is once */
            assert_memory_equal(&row, &before, sizeof row);
        }
    }
}

static void what_nobody_approved_has_no_outcome(void **state)
{
    struct command_row row = { .id = 1, .flags = COMMAND_TWO_PERSONS };
    const struct command_event done = { .kind = COMMAND_EVENT_OUTCOME, .at_s = 1 };

    (void)state;
    assert_false(command_apply(&row, &done));
    snprintf(row.approved_by, sizeof row.approved_by, "wang");
    assert_true(command_apply(&row, &done));
    assert_int_equal(row.state, COMMAND_DONE);
}

/* ---- against a plain model ---- */

#define MODEL_MOST 400
struct model {
    struct {
        uint32_t id, meter, expires_s, attempts;
        enum command_state state;
    } at[MODEL_MOST];
    size_t count;
};

static size_t model_due(const struct model *m, uint32_t meter, int64_t now_s)
{
    size_t due = m->count;

    for (size_t i = m->count; i-- > 0;) {
        if (m->at[i].meter != meter || now_s >= m->at[i].expires_s)
            continue;
        if (m->at[i].state == COMMAND_SENT)
            return i;
        if (m->at[i].state == COMMAND_QUEUED)
            due = i;
    }
    return due;
}

static void model_expire(struct model *m, int64_t now_s)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->at[i].state < COMMAND_DONE && now_s >= m->at[i].expires_s)
            m->at[i].state = COMMAND_EXPIRED;
}

static void model_report(struct model *m, struct check_random *r, uint32_t meter, int64_t now_s)
{
    size_t due = model_due(m, meter, now_s), told = due;
    struct comes in = { .lost = check_below(r, 5) == 0, .mute = check_below(r, 8) == 0 };
    bool ends = due < m->count && m->at[due].state == COMMAND_SENT && check_below(r, 2);
    uint32_t expected;

    if (ends) {
        in.outcome = (struct outcome){ m->at[due].id, (uint32_t)check_below(r, 3), 0 };
        m->at[due].state = COMMAND_DONE; /* for the look at what comes next */
        told = model_due(m, meter, now_s);
    }
    expected = in.mute || told == m->count ? 0 : m->at[told].id;
    assert_int_equal(meet(meter, &in), expected);
    if (ends)
        m->at[due].state = in.lost             ? COMMAND_SENT
                           : in.outcome.result ? COMMAND_FAILED
                                               : COMMAND_DONE;
    if (expected && !in.lost) {
        m->at[told].state = COMMAND_SENT;
        m->at[told].attempts++;
    }
}

static void model_compare(const struct model *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct command_row row = row_of(m->at[i].meter, m->at[i].id);

        if (row.state != m->at[i].state || row.attempts != m->at[i].attempts)
            fail_msg("command %u is %s after %u attempts, in the model %s after %u",
                     (unsigned)row.id, command_state_name((enum command_state)row.state),
                     (unsigned)row.attempts, command_state_name(m->at[i].state),
                     (unsigned)m->at[i].attempts);
    }
}

static void one_is_under_way_whatever_happens(void **state)
{
    struct check_random r = check_random_begin();
    const char *dir = check_folder();
    static struct model m;
    int64_t now_s = NOW;

    (void)state;
    m.count = 0;
    start(dir, now_s);
    for (int step = 0; step < 3000; step++) {
        uint32_t meter = 1 + (uint32_t)check_below(&r, 5);
        uint64_t what = check_below(&r, 100);

        if (what < 15 && m.count < MODEL_MOST) {
            uint32_t expires_s = (uint32_t)(now_s + 1 + (int64_t)check_below(&r, 2000));

            m.at[m.count].id = queue(meter, COMMAND_STEP, 60, 0, expires_s);
            m.at[m.count].meter = meter;
            m.at[m.count].expires_s = expires_s;
            m.at[m.count].state = COMMAND_QUEUED;
            m.at[m.count++].attempts = 0;
        } else if (what < 85) {
            model_report(&m, &r, meter, now_s);
        } else if (what < 96) {
            now_s += (int64_t)check_below(&r, 50);
            assert_ok(clock_set(&app.clock, now_s));
            model_expire(&m, now_s);
        } else if (what < 97) {
            stop();
            start(dir, now_s);
        } else {
            model_compare(&m);
        }
    }
    model_compare(&m);
    stop();
}

/* An outage is over, or a register is imported: the work must not grow with the square. */
static void many_are_looked_at_in_one_walk(void **state)
{
    enum { MANY = 200000 };
    clock_t before;

    (void)state;
    start(check_folder(), NOW);
    for (uint32_t meter = 1; meter <= MANY; meter++) {
        const struct command_row row = { .id = meter,
                                         .meter = meter,
                                         .what = COMMAND_VALVE,
                                         .flags = COMMAND_TWO_PERSONS,
                                         .approved_by = "wang",
                                         .expires_s = NOW + DAY };

        commands_put(app.commands, &row);
    }
    before = clock();
    for (uint32_t meter = 1; meter <= MANY; meter++)
        commands_review(app.commands, meter);
    assert_ok(commands_flush(app.commands));
    assert_true(clock() - before < 8 * CLOCKS_PER_SEC);
    for (uint32_t meter = 1; meter <= MANY; meter++)
        assert_int_equal(comes(meter), meter); /* it goes nowhere before it was looked at */
    stop();
}

/* Weeks after an outage: what nobody heard expires, and what would come again is over. */
static void many_expire_and_come_again_in_a_few_walks(void **state)
{
    enum { MANY = 20000 };
    struct act a;
    clock_t before;

    (void)state;
    start(check_folder(), NOW);
    a = act_begin(app.ledger, "nilometer", NOW, 0);
    for (uint32_t meter = 1; meter <= MANY; meter++) {
        struct command_row row = { .meter = meter,
                                   .what = COMMAND_HISTORY,
                                   .flags = COMMAND_OF_ITSELF,
                                   .value = NOW - DAY,
                                   .until = NOW,
                                   .tries = 1,
                                   .queued_s = NOW,
                                   .expires_s = NOW + 60,
                                   .asked_by = "nilometer" };

        act_command_new(&a, &row);
        commands_put(app.commands, &row);
    }
    assert_ok(act_end(&a));
    before = clock();
    assert_ok(clock_set(&app.clock, NOW + 61));
    assert_int_equal(row_of(MANY, MANY).state, COMMAND_EXPIRED);
    assert_true(commands_any(app.commands)); /* they wait to come again */
    assert_int_equal(comes(1), 0);
    assert_ok(clock_set(&app.clock, NOW + 3 * DAY));
    assert_int_equal(row_of(MANY, MANY).retry_s, 0); /* nobody knows such meters */
    assert_false(commands_any(app.commands));
    assert_true(clock() - before < 20 * CLOCKS_PER_SEC);
    stop();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_asked_of_anybody_at_first),
        cmocka_unit_test(a_report_that_was_not_kept_leaves_everything_as_it_was),
        cmocka_unit_test(after_so_many_answers_without_an_outcome_it_has_failed),
        cmocka_unit_test(what_a_dialect_cannot_say_has_failed),
        cmocka_unit_test(few_bits_mean_what_is_under_way),
        cmocka_unit_test(a_network_that_keeps_downlinks_is_given_each_once),
        cmocka_unit_test(settling_finds_what_was_not_written_and_twice_is_once),
        cmocka_unit_test(of_very_many_outcomes_those_at_the_ends_count),
        cmocka_unit_test(few_bits_in_a_settled_frame_mean_what_had_been_sent_by_then),
        cmocka_unit_test(a_closed_valve_in_a_settled_frame_proves_what_was_sent_before),
        cmocka_unit_test(a_row_becomes_what_happens_to_it),
        cmocka_unit_test(what_nobody_approved_has_no_outcome),
        cmocka_unit_test(one_is_under_way_whatever_happens),
        cmocka_unit_test(many_are_looked_at_in_one_walk),
        cmocka_unit_test(many_expire_and_come_again_in_a_few_walks),
    };

    return check_run(tests, argc, argv);
}
