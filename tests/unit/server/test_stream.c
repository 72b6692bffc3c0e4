/* A list on its way out: all of it comes, in order, whoever is faster; what fails or is left on the way is cut, and freed once. */
#include "server/query/stream.h"

#include "tests/check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ROW 40        /* bytes, with its line feed */
#define PATIENCE_S 20 /* until a test that waits has failed */

struct numbers {
    uint64_t rows, fails_after;
};

/* One who has the connection. */
struct door {
    struct workers *readers;
    struct listing *list;
    struct numbers numbers;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned woken, gone, fills, fills_most;
    struct work *held; /* a job that nobody runs yet */
    bool holds;
};

/* ---- a list of numbered rows ---- */

static void fill(struct listing *l)
{
    const struct numbers *s = (const struct numbers *)l->state;

    while (l->rows < s->rows && !listing_full(l)) {
        char text[ROW + 1], cursor[8] = { 0 };

        if (l->rows == s->fails_after) {
            listing_fail(l, ERR_DAMAGED);
            return;
        }
        snprintf(text, sizeof text, "%0*llu\n", ROW - 1, (unsigned long long)l->rows);
        row_begin(l);
        l->out.len = l->row_start;
        out_bytes(&l->out, text, ROW);
        l->rows++;
        listing_pass(l, span_of(cursor, sizeof cursor));
    }
    l->ended = l->rows >= s->rows;
}

static struct listing *list_new(struct numbers *s)
{
    struct listing *l = (struct listing *)calloc(1, sizeof *l);

    assert_non_null(l);
    *l = (struct listing){ .form = FORM_CSV, .limit = UINT64_MAX, .fill = fill, .state = s };
    listing_more(l);
    return l;
}

/* ---- who has the connection ---- */

static bool have_filled(void *arg, struct work *job)
{
    struct door *d = (struct door *)arg;
    bool may;

    pthread_mutex_lock(&d->lock);
    may = d->fills++ < d->fills_most;
    if (may && d->holds)
        d->held = job;
    pthread_mutex_unlock(&d->lock);
    if (may && !d->holds)
        workers_submit(d->readers, job);
    return may;
}

static void wake(void *arg)
{
    struct door *d = (struct door *)arg;

    pthread_mutex_lock(&d->lock);
    d->woken++;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static void gone(void *arg)
{
    struct door *d = (struct door *)arg;

    pthread_mutex_lock(&d->lock);
    d->gone++;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static void wait_for(struct door *d, const unsigned *count, unsigned least)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&d->lock);
    while (*count < least)
        assert_int_equal(pthread_cond_timedwait(&d->changed, &d->lock, &until), 0);
    pthread_mutex_unlock(&d->lock);
}

static const struct stream_host host = { have_filled, wake, gone };

static struct stream *open_door(struct door *d, uint64_t rows, uint64_t fails_after)
{
    struct stream *s;

    *d = (struct door){ .numbers = { rows, fails_after }, .fills_most = UINT32_MAX };
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    assert_ok(workers_open("fill", 2, &d->readers));
    d->list = list_new(&d->numbers);
    s = stream_new(d->list, &host, d);
    assert_non_null(s);
    return s;
}

/* The connection goes: whatever is being filled, all is let go once. */
static void close_door(struct door *d, struct stream *s)
{
    stream_leave(s);
    wait_for(d, &d->gone, 1);
    workers_close(d->readers);
    assert_int_equal(d->gone, 1);
    stream_free(s);
    listing_free(d->list);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
}

/* Reads on to the end or the cut, and checks that rows come in order; returns which of the two. */
static long read_on(struct door *d, struct stream *s, size_t most, uint64_t *bytes)
{
    char block[5000], row[ROW + 1];
    unsigned waited = 0;
    long len;

    while ((len = stream_read(s, block, most)) >= 0) {
        assert_true((size_t)len <= most);
        if (len == STREAM_WAIT && stream_wait(s))
            wait_for(d, &d->woken, ++waited);
        for (long i = 0; i < len; i++, ++*bytes) {
            if (*bytes % ROW == 0 || i == 0)
                snprintf(row, sizeof row, "%0*llu\n", ROW - 1, (unsigned long long)(*bytes / ROW));
            assert_int_equal(block[i], row[*bytes % ROW]);
        }
    }
    assert_int_equal(d->woken, waited);
    return len;
}

static void all_rows_come_in_order(void **state)
{
    static const uint64_t counts[] = { 0, 1, 819, 820, 5000, 60000 };
    static const size_t mosts[] = { 1, 7, 4096, 5000 };

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (size_t k = 0; k < sizeof mosts / sizeof mosts[0]; k++) {
            struct door d;
            struct stream *s = open_door(&d, counts[i], UINT64_MAX);
            uint64_t bytes = 0;

            assert_int_equal(read_on(&d, s, mosts[k], &bytes), STREAM_END);
            assert_int_equal(bytes, counts[i] * ROW);
            assert_int_equal(stream_read(s, (char *)&bytes, 1), STREAM_END);
            close_door(&d, s);
        }
    }
}

static void a_list_that_fails_is_cut_behind_what_was_whole(void **state)
{
    struct door d;
    struct stream *s = open_door(&d, 60000, 30000);
    uint64_t bytes = 0;

    (void)state;
    assert_int_equal(read_on(&d, s, 4096, &bytes), STREAM_CUT);
    assert_int_equal(bytes, 30000 * ROW);
    close_door(&d, s);
}

/* As when the server stops. */
static void a_stream_is_cut_where_nobody_fills_any_more(void **state)
{
    struct door d;
    struct stream *s = open_door(&d, 60000, UINT64_MAX);
    uint64_t bytes = 0;

    (void)state;
    d.fills_most = 3;
    assert_int_equal(read_on(&d, s, 4096, &bytes), STREAM_CUT);
    assert_true(bytes > 0 && bytes < 60000 * ROW);
    assert_int_equal(d.fills, 4);
    close_door(&d, s);
}

/* The next slice is asked for as soon as the wire has begun with the one before it, and no more than that one. */
static void one_slice_is_filled_ahead(void **state)
{
    struct door d;
    struct stream *s = open_door(&d, 60000, UINT64_MAX);
    char block[4096];
    long len;

    (void)state;
    d.holds = true;
    assert_true(stream_read(s, block, 1) == 1);
    assert_int_equal(d.fills, 1);
    while ((len = stream_read(s, block, sizeof block)) > 0)
        assert_int_equal(d.fills, 1);
    assert_int_equal(len, STREAM_WAIT);
    assert_true(stream_wait(s));
    assert_int_equal(d.woken, 0);
    d.held->run(d.held);
    assert_int_equal(d.woken, 1);
    assert_true(stream_read(s, block, 1) == 1);
    assert_int_equal(d.fills, 2);
    d.holds = false;
    d.held->run(d.held);
    close_door(&d, s);
}

static void who_asks_to_wait_too_late_need_not(void **state)
{
    struct door d;
    struct stream *s = open_door(&d, 60000, UINT64_MAX);
    char block[4096];

    (void)state;
    d.holds = true;
    while (stream_read(s, block, sizeof block) > 0)
        ;
    d.held->run(d.held);
    assert_false(stream_wait(s));
    assert_true(stream_read(s, block, sizeof block) > 0);
    d.held->run(d.held);
    assert_int_equal(d.woken, 0);
    close_door(&d, s);
}

/* The connection may go at any moment, also while a slice is being filled: then who fills lets go. */
static void a_stream_may_be_left_at_any_moment(void **state)
{
    struct check_random r = check_random_begin();
    struct door d;
    struct stream *s;

    (void)state;
    s = open_door(&d, 60000, UINT64_MAX);
    d.holds = true;
    assert_true(stream_read(s, (char *)&(char){ 0 }, 1) == 1);
    stream_leave(s);
    assert_int_equal(d.gone, 0);
    d.held->run(d.held);
    assert_int_equal(d.gone, 1);
    assert_int_equal(d.woken, 0);
    workers_close(d.readers);
    stream_free(s);
    listing_free(d.list);
    for (unsigned round = 0; round < 500; round++) {
        uint64_t most = check_below(&r, 600000), taken = 0;
        char block[4096];
        long len = 1;

        s = open_door(&d, 60000, UINT64_MAX);
        while (taken < most && (len = stream_read(s, block, sizeof block)) > 0)
            taken += (uint64_t)len;
        close_door(&d, s);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_rows_come_in_order),
        cmocka_unit_test(a_list_that_fails_is_cut_behind_what_was_whole),
        cmocka_unit_test(a_stream_is_cut_where_nobody_fills_any_more),
        cmocka_unit_test(one_slice_is_filled_ahead),
        cmocka_unit_test(who_asks_to_wait_too_late_need_not),
        cmocka_unit_test(a_stream_may_be_left_at_any_moment),
    };

    return check_run(tests, argc, argv);
}
