/* Acts that go with one commit: each sees those before it, is undone alone, and is told when all are durable. */
#include "storage/ledger.h"
#include "tests/check.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST 3
#define HANDS 12
#define ACTS 120

static struct ledger *opened(const char *folder)
{
    struct ledger *l = NULL;
    struct refusal r = { 0 };

    assert_err(ERR_OK, ledger_open(folder, DB_CREATE, &l, &r));
    return l;
}

static void put(struct act *a, const char *key, const char *cell)
{
    struct span cells[2] = { span_text(key), span_text(cell) };

    act_put_row(a, LIST, span_text(key), LEDGER_ALWAYS, cells, 2, NULL, NULL);
}

static uint64_t number_of(struct span cell)
{
    char text[24] = "";

    memcpy(text, cell.at, cell.len < sizeof text - 1 ? cell.len : sizeof text - 1);
    return strtoull(text, NULL, 10);
}

static uint64_t counted(struct txn *t)
{
    struct ledger_row row;

    return ledger_find(t, LIST, span_text("counter"), INT64_MAX, &row) ? number_of(row.cells[1])
                                                                       : 0;
}

static bool is_there(struct ledger *l, const char *key)
{
    struct txn t = ledger_read(l);
    struct ledger_row row;
    bool found = ledger_find(&t, LIST, span_text(key), INT64_MAX, &row);

    txn_abort(&t);
    return found;
}

/* How an act of a hand ends. */
enum ending { GOOD, REFUSED, FAILED, EMPTY, ALONE, ENDINGS };

struct hand {
    pthread_t thread;
    struct ledger *ledger;
    unsigned number;
    unsigned good, wrong;
    int told; /* a pipe's end that hears of what was acknowledged, or -1 */
};

/* Counts what has been counted in a row that all change, and leaves a row of its own; both or neither. */
static void act_once(struct hand *h, unsigned i)
{
    enum ending ending = (enum ending)((h->number * 7 + i * 5 + i / 3) % ENDINGS);
    struct act a = ending == ALONE ? act_begin(h->ledger, "alone", 1000 + i, 0)
                                   : act_join(h->ledger, "hand", 1000 + i, 0);
    char key[32], next[24];
    enum err err = ERR_OK;
    bool keeps = ending == GOOD || ending == ALONE;

    snprintf(key, sizeof key, "h%u-%u", h->number, i);
    snprintf(next, sizeof next, "%llu", (unsigned long long)counted(&a.txn) + 1);
    if (ending != EMPTY) {
        put(&a, "counter", next);
        put(&a, key, "mine");
    }
    if (ending == REFUSED) {
        err = act_abort(&a);
    } else {
        if (ending == FAILED && !a.txn.err)
            a.txn.err = ERR_CONFLICT;
        err = act_end(&a);
    }
    h->wrong += err != (ending == FAILED ? ERR_CONFLICT : ERR_OK);
    h->wrong += is_there(h->ledger, key) != keeps;
    h->good += keeps;
    if (keeps && h->told >= 0)
        h->wrong += write(h->told, (uint16_t[2]){ (uint16_t)h->number, (uint16_t)i }, 4) != 4;
}

static void *act_often(void *arg)
{
    struct hand *h = (struct hand *)arg;

    for (unsigned i = 0; i < ACTS; i++)
        act_once(h, i);
    return NULL;
}

static void all_act(struct ledger *l, struct hand *hands, int told)
{
    for (unsigned i = 0; i < HANDS; i++) {
        hands[i] = (struct hand){ .ledger = l, .number = i, .told = told };
        if (pthread_create(&hands[i].thread, NULL, act_often, &hands[i]))
            abort();
    }
    for (unsigned i = 0; i < HANDS; i++)
        pthread_join(hands[i].thread, NULL);
}

static void assert_sound(struct ledger *l)
{
    struct refusal r = { 0 };

    if (ledger_check(l, &r))
        fail_msg("%s", r.text);
}

static void each_of_many_hands_is_counted_once_and_what_is_refused_never(void **state)
{
    struct ledger *l = opened(check_folder());
    struct hand hands[HANDS];
    unsigned good = 0;
    struct txn t;

    (void)state;
    all_act(l, hands, -1);
    for (unsigned i = 0; i < HANDS; i++) {
        assert_int_equal(0, hands[i].wrong);
        good += hands[i].good;
    }
    t = ledger_read(l);
    assert_int_equal(good, counted(&t));
    assert_int_equal(good, ledger_end(&t)); /* numbers without a gap */
    assert_ok(txn_end(&t));
    assert_sound(l);
    ledger_close(l);
}

/* ---- kill -9 ---- */

static void acknowledged_are_there(struct ledger *l, int from, unsigned *out_count)
{
    uint16_t told[2];
    char key[32];

    *out_count = 0;
    while (read(from, told, sizeof told) == sizeof told) {
        snprintf(key, sizeof key, "h%u-%u", (unsigned)told[0], (unsigned)told[1]);
        if (!is_there(l, key))
            fail_msg("%s was acknowledged, and is gone", key);
        (*out_count)++;
    }
}

static void what_was_acknowledged_survives_a_kill_within_groups(void **state)
{
    const char *folder = check_folder();
    struct hand hands[HANDS];
    uint16_t first[2 * 40];
    int fd[2], status;
    unsigned count;
    struct ledger *l;
    struct txn t;
    pid_t child;

    (void)state;
    assert_int_equal(0, pipe(fd));
    if (!(child = fork())) {
        close(fd[0]);
        if (!ledger_open(folder, DB_CREATE, &l, NULL))
            all_act(l, hands, fd[1]);
        _exit(1);
    }
    close(fd[1]);
    for (size_t got = 0; got < sizeof first;) { /* forty were told: then it ends, wherever it is */
        ssize_t n = read(fd[0], (uint8_t *)first + got, sizeof first - got);

        assert_true(n > 0);
        got += (size_t)n;
    }
    kill(child, SIGKILL);
    assert_int_equal(child, waitpid(child, &status, 0));
    l = opened(folder);
    for (unsigned i = 0; i < 40; i++) {
        char key[32];

        snprintf(key, sizeof key, "h%u-%u", (unsigned)first[2 * i], (unsigned)first[2 * i + 1]);
        assert_true(is_there(l, key));
    }
    acknowledged_are_there(l, fd[0], &count);
    t = ledger_read(l);
    assert_true(counted(&t) >= 40 + count);
    assert_int_equal(counted(&t), ledger_end(&t));
    assert_ok(txn_end(&t));
    assert_sound(l);
    ledger_close(l);
    close(fd[0]);
}

/* ---- a commit that fails ---- */

struct failing {
    pthread_t thread;
    struct ledger *ledger;
    bool refused;
    enum err err;
};

static char large[1000];

static void *act_large(void *arg)
{
    struct failing *f = (struct failing *)arg;
    struct act a = act_join(f->ledger, "hand", 1, 0);
    char key[32];

    snprintf(key, sizeof key, "f%p", (void *)f);
    put(&a, key, large);
    f->err = f->refused ? act_abort(&a) : act_end(&a);
    return NULL;
}

/* The opener holds the turn until all others wait. */
static void a_commit_that_fails_fails_for_all_that_went_with_it(void **state)
{
    struct ledger *l = opened(check_folder());
    struct failing f[6] = { { .refused = false } };
    struct rlimit limit, was;
    struct act opener = act_join(l, "opener", 1, 0);
    struct txn t;

    (void)state;
    memset(large, 'x', sizeof large - 1);
    put(&opener, "opener", large);
    for (unsigned i = 0; i < 6; i++) {
        f[i].ledger = l;
        f[i].refused = i == 3;
        assert_int_equal(0, pthread_create(&f[i].thread, NULL, act_large, &f[i]));
    }
    while (ledger_waiting(l) < 6)
        sched_yield();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    limit = was;
    limit.rlim_cur = 4096;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &limit));
    assert_err(ERR_FULL, act_end(&opener));
    for (unsigned i = 0; i < 6; i++) {
        pthread_join(f[i].thread, NULL);
        assert_err(ERR_FULL, f[i].err);
    }
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &was));
    t = ledger_read(l);
    assert_int_equal(0, ledger_end(&t));
    assert_ok(txn_end(&t));
    opener = act_join(l, "opener", 2, 0);
    assert_int_equal(1, opener.number);
    put(&opener, "again", "is taken");
    assert_ok(act_end(&opener));
    assert_sound(l);
    ledger_close(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_many_hands_is_counted_once_and_what_is_refused_never),
        cmocka_unit_test(what_was_acknowledged_survives_a_kill_within_groups),
        cmocka_unit_test(a_commit_that_fails_fails_for_all_that_went_with_it),
    };

    return check_run(tests, argc, argv);
}
