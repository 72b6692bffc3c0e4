/* What was decided of a route's day comes back as it was written, and strange bytes are refused. */
#include "proto/base/wr.h"
#include "server/route_facts.h"
#include "tests/check.h"
#include "tests/unit/told.h"

static uint8_t bytes[ROUTE_FACT_ROOM];

static struct span text(struct check_random *r, size_t most)
{
    static const char letters[] = "门锁着。The door was locked, nobody answered; 已贴单。";
    size_t len = check_random(r) % (most < sizeof letters ? most : sizeof letters);

    return span_of(letters, len);
}

static int64_t figure(struct check_random *r)
{
    return (int64_t)check_random(r) >> (check_random(r) % 64);
}

static struct route_line a_line(struct check_random *r)
{
    struct route_line f = { .state = (enum sheet_state)(check_random(r) % SHEET_SIGNED),
                            .reason = (enum sheet_reason)(check_random(r) % SHEET_REASONS),
                            .remote.known = check_random(r) % 2,
                            .manual.known = check_random(r) % 2,
                            .use_known = check_random(r) % 2,
                            .serial = text(r, SERIAL_MAX),
                            .remark = text(r, 60) };

    if (f.remote.known)
        f.remote.at_s = figure(r), f.remote.dial_ml = figure(r);
    if (f.manual.known)
        f.manual.at_s = figure(r), f.manual.dial_ml = figure(r);
    if (f.use_known)
        f.use_ml = figure(r);
    f.told_of = (unsigned)(check_random(r) % (1u << CHECK_COUNT));
    make_told(r, f.told);
    return f;
}

static struct span line_bytes(const struct route_line *f)
{
    struct wr w = wr_of(bytes, sizeof bytes);

    route_line_write(&w, f);
    assert_int_equal(w.err, ERR_OK);
    return wr_span(&w);
}

static void a_line_is_read_as_it_was_written(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (int n = 0; n < 2000; n++) {
        struct route_line f = a_line(&r), back;

        assert_int_equal(route_line_read(line_bytes(&f), &back), ERR_OK);
        assert_int_equal(back.state, f.state);
        assert_int_equal(back.reason, f.reason);
        assert_int_equal(back.remote.known, f.remote.known);
        assert_true(back.remote.at_s == f.remote.at_s && back.remote.dial_ml == f.remote.dial_ml);
        assert_true(back.manual.at_s == f.manual.at_s && back.manual.dial_ml == f.manual.dial_ml);
        assert_true(back.use_known == f.use_known && back.use_ml == f.use_ml);
        assert_int_equal(back.told_of, f.told_of);
        assert_true(are_same_told(f.told_of, f.told, back.told));
        assert_true(span_equal(back.serial, f.serial) && span_equal(back.remark, f.remark));
    }
}

static void a_dispute_and_a_recheck_are_read_as_they_were_written(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (int n = 0; n < 500; n++) {
        struct route_dispute d = { figure(&r), text(&r, 60), text(&r, 60),
                                   figure(&r), text(&r, 60), text(&r, 60) },
                             dd;
        struct route_recheck c = { (enum recheck_level)(check_random(&r) % RECHECK_LEVELS),
                                   figure(&r),
                                   figure(&r),
                                   text(&r, 60),
                                   text(&r, 60),
                                   check_random(&r) % 2 },
                             cc;
        struct wr w = wr_of(bytes, sizeof bytes);

        route_dispute_write(&w, &d);
        assert_int_equal(route_dispute_read(wr_span(&w), &dd), ERR_OK);
        assert_true(dd.at_s == d.at_s && dd.resolved_s == d.resolved_s);
        assert_true(span_equal(dd.who, d.who) && span_equal(dd.note, d.note) &&
                    span_equal(dd.resolved_by, d.resolved_by) &&
                    span_equal(dd.resolution, d.resolution));
        w = wr_of(bytes, sizeof bytes);
        route_recheck_write(&w, &c);
        assert_int_equal(route_recheck_read(wr_span(&w), &cc), ERR_OK);
        assert_true(cc.level == c.level && cc.at_s == c.at_s && cc.index_ml == c.index_ml &&
                    cc.agrees == c.agrees);
        assert_true(span_equal(cc.who, c.who) && span_equal(cc.note, c.note));
    }
}

static void the_longest_facts_have_room(void **state)
{
    static char most[ROUTE_TEXT_MAX];
    struct span longest = span_of(memset(most, 'x', sizeof most), sizeof most),
                who = span_of(most, 63);
    struct route_dispute d = { INT64_MIN, who, longest, INT64_MIN, who, longest };
    struct route_signed s = { .at_s = INT64_MIN,
                              .who = who,
                              .note = longest,
                              .points = UINT64_MAX },
                        back;
    struct wr w = wr_of(bytes, sizeof bytes);

    (void)state;
    route_dispute_write(&w, &d);
    assert_int_equal(w.err, ERR_OK);
    w = wr_of(bytes, sizeof bytes);
    memset(s.digest, 0xa5, sizeof s.digest);
    route_signed_write(&w, &s);
    assert_int_equal(route_signed_read(wr_span(&w), &back), ERR_OK);
    assert_memory_equal(back.digest, s.digest, sizeof s.digest);
    assert_true(back.points == UINT64_MAX && span_equal(back.note, longest));
}

/* One byte less, one more, and any byte changed: CORRUPT, or other facts; never a byte beyond the end (a guard page). */
static void strange_bytes_are_refused_or_read_within_their_end(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (int n = 0; n < 300; n++) {
        struct route_line f = a_line(&r), back;
        struct route_signed s;
        struct route_dispute d;
        struct route_recheck c;
        struct span whole = line_bytes(&f);
        struct span at;

        for (size_t len = 0; len < whole.len; len++) {
            struct span cut = check_guarded(span_of(whole.at, len));

            assert_int_equal(route_line_read(cut, &back), ERR_CORRUPT);
            (void)!route_signed_read(cut, &s);
            (void)!route_dispute_read(cut, &d);
            (void)!route_recheck_read(cut, &c);
            check_unguard(cut.at, len);
        }
        bytes[check_random(&r) % whole.len] ^= (uint8_t)(1u << check_random(&r) % 8);
        at = check_guarded(whole);
        (void)!route_line_read(at, &back);
        (void)!route_signed_read(at, &s);
        check_unguard(at.at, at.len);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read_as_it_was_written),
        cmocka_unit_test(a_dispute_and_a_recheck_are_read_as_they_were_written),
        cmocka_unit_test(the_longest_facts_have_room),
        cmocka_unit_test(strange_bytes_are_refused_or_read_within_their_end),
    };

    return check_run(tests, argc, argv);
}
