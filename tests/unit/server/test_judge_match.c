/* Which episode is which flag: of the calendar's flags, whose dates people move. */
#include "server/judge_priv.h"
#include "tests/check.h"

#define DAY 86400
#define FROM 1680400800 /* of the fitting */
#define NOW 1772400000

static struct flag_record overdue(int64_t fitting_from_s, int64_t onset_s)
{
    return (
        struct flag_record){ .kind = &detector_overdue,
                             .meter = 1,
                             .point = 1,
                             .fitting_from_s = fitting_from_s,
                             .verdict = { .open = true, .onset_s = onset_s, .raised_s = onset_s } };
}

/* Matches one episode against one birth; what comes of it stands in `out`. */
static void match(struct flag_record episode, struct flag_record birth, struct flag_records *out,
                  size_t *out_fresh)
{
    struct flag_records births = { 0 }, fresh = { 0 };

    *out = (struct flag_records){ 0 };
    flag_id(birth.id, birth.meter, birth.kind, birth.verdict.onset_s);
    birth.told_s = NOW - DAY;
    assert_ok(flag_records_push(&births, &birth));
    assert_ok(flag_records_push(out, &episode));
    assert_ok(flags_match(out, &births, NOW, &fresh));
    *out_fresh = fresh.count;
    flag_records_done(&births);
    flag_records_done(&fresh);
}

static void a_date_that_moves_keeps_its_flag(int64_t moved_s)
{
    int64_t onset_s = FROM + 400 * DAY;
    struct flag_records now;
    char id[FLAG_ID_SIZE];
    size_t fresh;

    flag_id(id, 1, &detector_overdue, onset_s);
    match(overdue(FROM, onset_s + moved_s), overdue(FROM, onset_s), &now, &fresh);
    assert_int_equal(fresh, 0);
    assert_int_equal(now.count, 1);
    assert_string_equal(now.at[0].id, id);
    assert_int_equal(now.at[0].told_s, NOW - DAY);
    assert_int_equal(now.at[0].verdict.onset_s, onset_s + moved_s);
    assert_false(now.at[0].withdrawn);
    flag_records_done(&now);
}

static void a_date_moved_to_later_is_the_same_flag(void **state)
{
    (void)state;
    a_date_that_moves_keeps_its_flag(182 * DAY);
}

static void a_date_moved_to_earlier_is_the_same_flag(void **state)
{
    (void)state;
    a_date_that_moves_keeps_its_flag(-365 * DAY);
}

static void another_fitting_has_a_flag_of_its_own(void **state)
{
    struct flag_records now;
    size_t fresh;

    (void)state;
    match(overdue(FROM + 500 * DAY, FROM + 900 * DAY), overdue(FROM, FROM + 400 * DAY), &now,
          &fresh);
    assert_int_equal(fresh, 1);
    assert_int_equal(now.count, 2);
    assert_false(now.at[0].withdrawn);
    assert_int_equal(now.at[0].told_s, NOW);
    assert_true(now.at[1].withdrawn);
    flag_records_done(&now);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_moved_to_later_is_the_same_flag),
        cmocka_unit_test(a_date_moved_to_earlier_is_the_same_flag),
        cmocka_unit_test(another_fitting_has_a_flag_of_its_own),
    };

    return check_run(tests, argc, argv);
}
