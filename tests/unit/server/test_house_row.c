/* What is kept of a house: bytes that say the same again, or that they are damaged. */
#include "server/house_row.h"

#include "tests/check.h"

#include <stdlib.h>

static void fill(struct house_row *row)
{
    struct house_story *s = &row->story;

    *row = (struct house_row){ .untold = true,
                               .origin_s = 1767542400,
                               .week_s = 1803744000,
                               .late_s = 77,
                               .columns_sum = 5,
                               .before_sum = 6 };
    s->window = 2;
    s->balance = (struct balance_scan){ .own_week = 35,
                                        .week = 40,
                                        .step_count = 2,
                                        .steps = { { 3, 11 }, { 41, 30 } },
                                        .pending = { 4, 39, 40 },
                                        .variance = 1.25 };
    s->hands =
        (struct swapped_scan){ .own_week = 35, .week = 40, .first = 1, .second = 6, .held = 1 };
    s->slow_count = 1;
    s->slow[0] = (struct house_slow){ .at = { 2, 3, -5 },
                                      .building = 99,
                                      .f = { .stepped = true,
                                             .onset_s = 1,
                                             .raised_s = 2,
                                             .before = 1.01,
                                             .after = 1.5,
                                             .share = 0.3,
                                             .share_low = 0.2,
                                             .share_high = 0.4,
                                             .lost_lpd = 60,
                                             .lost_low_lpd = 50,
                                             .lost_high_lpd = 70,
                                             .z = 9,
                                             .loss_lph = 2.5,
                                             .children = 40,
                                             .weeks = 44 } };
    s->pair_count = 2;
    s->pairs[0] = (struct house_pair){ .first = { 2, 3, 4 },
                                       .second = { 5, 6, 7 },
                                       .f = { .onset_s = 1,
                                              .raised_s = 2,
                                              .cleared_s = 3,
                                              .since_s = 4,
                                              .score = 123.5,
                                              .first_before_lpd = 1,
                                              .second_after_lpd = 2,
                                              .weeks_before = 5,
                                              .weeks_after = 6 } };
    s->pairs[1] = s->pairs[0];
    s->pairs[1].f.vacant_days = 28;
    s->pairs[1].f.second_idle = true;
}

static void a_row_is_read_as_it_was_written_and_no_damage_is(void **state)
{
    struct house_row *a = (struct house_row *)calloc(2, sizeof *a), *b = a + 1;
    static uint8_t bytes[HOUSE_ROW_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);

    (void)state;
    assert_non_null(a);
    fill(a);
    assert_ok(house_row_write(a, &w));
    assert_ok(house_row_read(wr_span(&w), b));
    assert_memory_equal(a, b, sizeof *a);
    for (size_t len = 1; len < wr_len(&w); len++)
        assert_int_equal(house_row_read(span_of(bytes, len), b), ERR_CORRUPT);
    bytes[0] = 200; /* of another version: as if there were none */
    assert_int_equal(house_row_read(wr_span(&w), b), ERR_NOT_FOUND);
    assert_int_equal(b->week_s, 0);
    free(a);
}

static void the_largest_row_has_room(void **state)
{
    struct house_row *row = (struct house_row *)calloc(1, sizeof *row);
    static uint8_t bytes[HOUSE_ROW_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);

    (void)state;
    assert_non_null(row);
    fill(row);
    row->story.slow_count = row->story.pair_count = HOUSE_FINDINGS_MOST;
    for (unsigned i = 0; i < HOUSE_FINDINGS_MOST; i++) {
        row->story.slow[i] = row->story.slow[0];
        row->story.slow[i].at = (struct house_column){ UINT32_MAX, UINT32_MAX, INT64_MIN };
        row->story.pairs[i] = row->story.pairs[0];
        row->story.pairs[i].first = row->story.pairs[i].second = row->story.slow[i].at;
        row->story.pairs[i].f.onset_s = row->story.pairs[i].f.raised_s = INT64_MIN;
    }
    assert_ok(house_row_write(row, &w));
    free(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_read_as_it_was_written_and_no_damage_is),
        cmocka_unit_test(the_largest_row_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
