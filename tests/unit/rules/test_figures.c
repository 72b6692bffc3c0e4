/* Figures of a month: its days, shares that are rounded once, sums that add, bytes that come back; a point's units by hand-reckoned numbers. */
#include "server/billing/figures.h"
#include "tests/check.h"

static struct zone zone_of(int32_t offset_s)
{
    struct zone z;

    zone_fixed(&z, "test", offset_s);
    return z;
}

static void a_month_has_its_days_and_no_text_but_its_own_is_one(void **state)
{
    static const char *const wrong[] = { "",         "2026-3",  "2026-13", "2026-00", "202603",
                                         "2026-03-", "1999-12", "2106-01", "2026/03", "２026-03" };
    struct zone z = zone_of(8 * 3600);
    struct figure_month m;
    char text[FIGURE_MONTH_SIZE];

    (void)state;
    assert_true(figure_month_read(span_text("2024-02"), &z, &m));
    assert_int_equal(m.days, 29);
    assert_int_equal(m.at_s[0], 1706716800); /* 2024-02-01T00:00:00+08:00 */
    assert_int_equal(figure_month_end(&m), 1706716800 + 29 * 86400);
    assert_int_equal(figure_month_number(&m), 202402);
    figure_month_put(&m, text);
    assert_string_equal(text, "2024-02");
    assert_false(figure_month_over(&m, figure_month_end(&m) - 1));
    assert_true(figure_month_over(&m, figure_month_end(&m)));
    assert_int_equal(figure_days_over(&m, m.at_s[3] + 5), 3);
    assert_int_equal(figure_month_at(&m, m.at_s[3] + 5), m.at_s[3] + 5);
    assert_int_equal(figure_month_at(&m, INT64_MAX), figure_month_end(&m) - 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(figure_month_read(span_text(wrong[i]), &z, &m));
}

static void a_share_is_rounded_once_half_away_from_zero(void **state)
{
    static const struct {
        uint64_t numerator, denominator;
        int64_t hundredths;
    } shares[] = {
        { 0, 7, 0 },     { 7, 7, 10000 }, { 1, 3, 3333 },
        { 2, 3, 6667 },  { 1, 8, 1250 },  { 1, 16000, 1 },
        { 1, 20000, 1 }, { 1, 20001, 0 }, { UINT64_C(1) << 60, UINT64_C(1) << 61, 5000 }
    };
    struct figure_counts none = { .numerator = 0 };
    int64_t h = -1;

    (void)state;
    assert_false(figure_share(&none, &h));
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        struct figure_counts c = { .numerator = shares[i].numerator,
                                   .denominator = shares[i].denominator };

        assert_true(figure_share(&c, &h));
        assert_int_equal(h, shares[i].hundredths);
    }
}

static void a_group_comes_back_from_its_bytes_and_damaged_ones_are_refused(void **state)
{
    struct figure_group g = { 0 }, back;
    uint8_t bytes[FIGURE_GROUP_ROOM];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct rd r;

    (void)state;
    for (int f = 0; f < FIGURES; f++) {
        g.of[f].numerator = (uint64_t)f * 7;
        g.of[f].denominator = UINT64_MAX - (uint64_t)f;
        g.of[f].without[f % FIGURE_REASONS] = (uint64_t)f;
    }
    figure_group_write(&w, &g);
    assert_int_equal(w.err, ERR_OK);
    r = rd_of(wr_span(&w));
    assert_int_equal(figure_group_read(&r, &back), ERR_OK);
    assert_memory_equal(&g, &back, sizeof g);
    for (size_t len = 0; len < wr_span(&w).len; len++) {
        r = rd_of(span_of(bytes, len));
        assert_int_equal(figure_group_read(&r, &back), ERR_CORRUPT);
    }
    bytes[0] = FIGURES + 1;
    r = rd_of(wr_span(&w));
    assert_int_equal(figure_group_read(&r, &back), ERR_CORRUPT);
}

/* ---- a point ---- */

struct world {
    struct zone zone;
    struct figure_month month;
    struct figure_fitting fitting[2];
    struct figure_point point;
    struct rows rows;
    enum rule rules[512];
    struct figure_group sum;
};

static void take(void *arg, const struct figure_case *u)
{
    figure_group_take(&((struct world *)arg)->sum, u);
}

/* March 2026 in Shanghai, long over; a meter since January, read each midnight from 28 February to 3 April, 100 L a day. */
static void world_begin(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->zone = zone_of(8 * 3600);
    figure_month_of(&w->zone, 2026, 3, &w->month);
    for (int d = -1; d < 34; d++)
        assert_int_equal(
            rows_push(&w->rows, (struct row){ .time_s = (uint32_t)(w->month.at_s[0] + d * 86400),
                                              .value = 1000000 + d * 100000 }),
            ERR_OK);
    w->fitting[0] = (struct figure_fitting){
        .fitting = { .meter = 1, .from_s = w->month.at_s[0] - 50 * 86400, .to_s = FITTING_OPEN },
        .rows = &w->rows,
        .rules = w->rules,
        .radio = true,
        .legal_due = INT32_MIN,
        .due_then = INT32_MIN
    };
    w->point = (struct figure_point){ .month = &w->month,
                                      .now_s = figure_month_end(&w->month) + 5 * 86400,
                                      .fittings = w->fitting,
                                      .count = 1,
                                      .due = 1u << 0 | 1u << 14,
                                      .has_account = true,
                                      .is_customer = true };
}

static void count(struct world *w)
{
    memset(&w->sum, 0, sizeof w->sum);
    figure_point_units(&w->point, take, w);
}

static void is(const struct world *w, enum figure f, unsigned numerator, unsigned denominator)
{
    assert_int_equal(w->sum.of[f].numerator, numerator);
    assert_int_equal(w->sum.of[f].denominator, denominator);
}

static void a_month_of_daily_reads_is_whole(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    count(&w);
    is(&w, FIGURE_DAYS_READ, 31, 31);
    is(&w, FIGURE_ESTIMATED_DAYS, 0, 31);
    is(&w, FIGURE_READS_SEEN, 2, 2);
    is(&w, FIGURE_READS_ON_TIME, 2, 2);
    is(&w, FIGURE_MANUAL_SHARE, 0, 2);
    is(&w, FIGURE_ZERO_USE, 0, 1);
    is(&w, FIGURE_SILENT_METERS, 0, 1);
    is(&w, FIGURE_OVERDUE_METERS, 0, 0);
    assert_int_equal(w.sum.of[FIGURE_OVERDUE_METERS].without[WITHOUT_UNVERIFIED_PLACE], 1);
    rows_done(&w.rows);
}

/* Of the 10th to the 12th nothing takes part: their days are not read, and those at whose end stands a gap of more than 36 h are estimated. */
static void what_takes_no_part_is_not_read(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    for (int d = 10; d < 13; d++)
        w.rules[d] = RULE_FALL; /* rows->at[1] is that of the 1st */
    w.rules[14] = RULE_FALL;    /* alone: the 14th */
    count(&w);
    is(&w, FIGURE_DAYS_READ, 27, 31);
    is(&w, FIGURE_ESTIMATED_DAYS, 6,
       31); /* the 9th to the 12th, and the 13th and 14th around that midnight */
    is(&w, FIGURE_READS_SEEN, 2, 2);
    rows_done(&w.rows);
}

static void what_is_left_out_is_left_out_by_name(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    w.fitting[0].suspended = 7u << 13; /* the 14th to the 16th */
    w.fitting[0].fitting.to_s = w.month.at_s[20] + 3600;
    w.fitting[1] = w.fitting[0];
    w.fitting[1].suspended = 0;
    w.fitting[1].fitting =
        (struct fitting){ .meter = 2, .from_s = w.month.at_s[22], .to_s = FITTING_OPEN };
    w.point.count = 2;
    w.fitting[0].due_then = w.month.first_day + 20;
    w.fitting[1].legal_due = w.month.first_day + 29;
    count(&w);
    is(&w, FIGURE_DAYS_READ, 26, 26);
    assert_int_equal(w.sum.of[FIGURE_DAYS_READ].without[WITHOUT_SUSPENDED_PLACE], 3);
    assert_int_equal(w.sum.of[FIGURE_DAYS_READ].without[WITHOUT_MOVED_PLACE], 1);
    assert_int_equal(w.sum.of[FIGURE_DAYS_READ].without[WITHOUT_NO_METER_PLACE], 1);
    is(&w, FIGURE_READS_SEEN, 1, 1);
    assert_int_equal(w.sum.of[FIGURE_READS_SEEN].without[WITHOUT_SUSPENDED_PLACE], 1);
    assert_int_equal(w.sum.of[FIGURE_ZERO_USE].without[WITHOUT_SUSPENDED_PLACE], 1);
    is(&w, FIGURE_EXCHANGES_ON_TIME, 1, 1);
    is(&w, FIGURE_OVERDUE_METERS, 1, 1);
    w.fitting[0].due_then--; /* taken off on the day after */
    count(&w);
    is(&w, FIGURE_EXCHANGES_ON_TIME, 0, 1);
    rows_done(&w.rows);
}

static void a_month_that_is_under_way_counts_what_is_over(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    w.point.now_s = w.month.at_s[10] + 3600;
    w.rows.count = 12; /* up to the midnight that begins the 11th */
    w.fitting[0].due_then = w.month.first_day + 20;
    count(&w);
    is(&w, FIGURE_DAYS_READ, 10, 10);
    is(&w, FIGURE_READS_SEEN, 1, 1);
    is(&w, FIGURE_ZERO_USE, 0, 1);
    is(&w, FIGURE_EXCHANGES_ON_TIME, 0, 0);
    w.point.now_s = w.month.at_s[0] - 1;
    count(&w);
    for (int f = 0; f < FIGURES; f++)
        is(&w, (enum figure)f, 0, 0);
    rows_done(&w.rows);
}

static void no_use_shows_at_a_glance_or_is_asked_for(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    assert_int_equal(figure_use(&w.point), FIGURE_USE_SOME);
    for (size_t i = 0; i < w.rows.count; i++)
        w.rows.at[i].value = 5000;
    assert_int_equal(figure_use(&w.point), FIGURE_USE_NONE);
    w.rows.at[w.rows.count - 2].value = 4000; /* after the month */
    assert_int_equal(figure_use(&w.point), FIGURE_USE_NONE);
    w.rows.at[5].value = 4000;
    assert_int_equal(figure_use(&w.point), FIGURE_USE_ASK);
    count(&w);
    assert_int_equal(w.sum.of[FIGURE_ZERO_USE].without[WITHOUT_UNREAD_PLACE], 1); /* nobody asked */
    w.point.use_asked = w.point.use_known = true;
    count(&w);
    is(&w, FIGURE_ZERO_USE, 1, 1);
    w.rules[1] = w.rules[2] = RULE_FALL;
    w.rows.at[5].value = 5000;
    assert_int_equal(figure_use(&w.point), FIGURE_USE_UNREAD);
    rows_done(&w.rows);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_month_has_its_days_and_no_text_but_its_own_is_one),
        cmocka_unit_test(a_share_is_rounded_once_half_away_from_zero),
        cmocka_unit_test(a_group_comes_back_from_its_bytes_and_damaged_ones_are_refused),
        cmocka_unit_test(a_month_of_daily_reads_is_whole),
        cmocka_unit_test(what_takes_no_part_is_not_read),
        cmocka_unit_test(what_is_left_out_is_left_out_by_name),
        cmocka_unit_test(a_month_that_is_under_way_counts_what_is_over),
        cmocka_unit_test(no_use_shows_at_a_glance_or_is_asked_for),
    };

    return check_run(tests, argc, argv);
}
