/* A window of an index: rows are looked up by id, whole and once, and told as they were added. */
#include "server/query/window.h"

#include "tests/check.h"

#include <stdio.h>

static struct app app;

struct asked {
    _Atomic uint32_t rows, falls; /* ids that did not rise */
    uint32_t fails_at;            /* an id; 0: none */
};

static enum err tell(void *arg, const uint32_t *ids, size_t count, struct out *into, uint32_t *at)
{
    struct asked *a = (struct asked *)arg;

    assert_in_range(count, 1, WINDOW_BLOCK);
    for (size_t i = 0; i < count; i++) {
        a->rows++;
        a->falls += i && ids[i] < ids[i - 1];
        if (ids[i] == a->fails_at)
            return ERR_CORRUPT;
        at[i] = (uint32_t)into->len;
        out_format(into, "row of %u;", (unsigned)ids[i]);
    }
    return ERR_OK;
}

/* The n-th id of an index that goes across: all differ. */
static uint32_t id_at(uint32_t n)
{
    return (uint32_t)((uint64_t)(n + 1) * 48271 % 2147483647);
}

static size_t add_some(struct window *w, uint32_t from, size_t count)
{
    char key[24];

    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof key, "key-%u", (unsigned)(from + i));
        window_add(w, id_at(from + (uint32_t)i), span_text(key));
    }
    return count;
}

static void expect_row(struct window *w, uint32_t n)
{
    struct window_row row;
    char key[24], text[32];

    snprintf(key, sizeof key, "key-%u", (unsigned)n);
    snprintf(text, sizeof text, "row of %u;", (unsigned)id_at(n));
    assert_true(window_next(w, &row));
    assert_int_equal(row.id, id_at(n));
    assert_true(span_equal(row.key, span_text(key)));
    assert_true(row.row.len >= strlen(text));
    assert_memory_equal(row.row.at, text, strlen(text));
}

static void rows_come_as_they_were_added_and_are_looked_up_as_ids_rise(void **state)
{
    struct asked asked = { 0 };
    struct window *w = window_new(&app, tell, &asked);
    uint32_t n = 0;

    (void)state;
    assert_non_null(w);
    while (n < 40000) {
        size_t room = window_room(w, UINT64_MAX);
        uint32_t end = n + (uint32_t)room;

        assert_in_range(room, WINDOW_FIRST, WINDOW_MOST);
        add_some(w, n, room);
        assert_ok(window_look(w));
        while (n < end) {
            assert_false(window_told(w));
            expect_row(w, n++);
        }
        assert_true(window_told(w));
        assert_false(window_next(w, &(struct window_row){ 0 }));
        assert_int_equal(asked.rows, n);
    }
    assert_int_equal(asked.falls, 0);
    window_free(w);
}

static void windows_grow_up_to_what_is_wanted(void **state)
{
    struct asked asked = { 0 };
    struct window *w = window_new(&app, tell, &asked);

    (void)state;
    assert_int_equal(window_room(w, 100), 100);
    assert_int_equal(window_room(w, UINT64_MAX),
                     WINDOW_FIRST * 8); /* nothing was added: nothing waits */
    add_some(w, 0, 3);
    assert_ok(window_look(w));
    expect_row(w, 0);
    assert_int_equal(window_room(w, UINT64_MAX), 0);
    expect_row(w, 1);
    expect_row(w, 2);
    for (int i = 0; i < 4; i++)
        assert_in_range(window_room(w, UINT64_MAX), WINDOW_FIRST, WINDOW_MOST);
    assert_int_equal(window_room(w, UINT64_MAX), WINDOW_MOST);
    window_free(w);
}

static void all_together_hold_no_more_than_was_said(void **state)
{
    enum { MANY = 8 };
    struct asked asked = { 0 };
    struct window *all[MANY];
    size_t rows = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        size_t room = 0;

        all[i] = window_new(&app, tell, &asked);
        for (int grown = 0; grown < 5; grown++)
            room = window_room(all[i], UINT64_MAX);
        assert_in_range(room, WINDOW_SMALL, WINDOW_MOST);
        rows += room > WINDOW_SMALL ? room : 0;
    }
    assert_in_range(rows, WINDOW_MOST, WINDOW_ALL);
    for (int i = 0; i < MANY; i++)
        window_free(all[i]);
    all[0] = window_new(&app, tell, &asked); /* what was freed can be had again */
    for (int grown = 0; grown < 5; grown++)
        rows = window_room(all[0], UINT64_MAX);
    assert_int_equal(rows, WINDOW_MOST);
    window_free(all[0]);
}

static void a_failure_leaves_no_rows(void **state)
{
    struct asked asked = { .fails_at = id_at(4000) };
    struct window *w = window_new(&app, tell, &asked);

    (void)state;
    (void)window_room(w, UINT64_MAX);
    add_some(w, 0, window_room(w, UINT64_MAX));
    assert_err(ERR_CORRUPT, window_look(w));
    assert_true(window_told(w));
    app.stopping = true;
    add_some(w, 0, window_room(w, UINT64_MAX));
    assert_err(ERR_STOPPING, window_look(w));
    app.stopping = false;
    window_free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_as_they_were_added_and_are_looked_up_as_ids_rise),
        cmocka_unit_test(windows_grow_up_to_what_is_wanted),
        cmocka_unit_test(all_together_hold_no_more_than_was_said),
        cmocka_unit_test(a_failure_leaves_no_rows),
    };

    return check_run(tests, argc, argv);
}
