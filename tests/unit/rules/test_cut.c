/* Three months of a fitting say of a span what all of it says, or that they cannot. */
#include "server/billing/consume.h"
#include "server/billing/cut.h"

#include "tests/check.h"

#include <stdlib.h>

#define HOUR 3600
#define DAY 86400
#define START 1700000000
#define M3 1000000

static struct zone zone;
static struct rows life;
static size_t loaded;

static enum err load(void *arg, int64_t from_s, int64_t to_s, struct rows *out)
{
    enum err err = ERR_OK;

    (void)arg;
    out->count = 0;
    for (size_t i = 0; i < life.count && !err; i++)
        if (life.at[i].time_s >= from_s && life.at[i].time_s < to_s)
            err = rows_push(out, life.at[i]);
    loaded += out->count;
    return err;
}

static enum err below_zero(void *arg, bool *out_below)
{
    (void)arg;
    *out_below = false;
    for (size_t i = 0; i < life.count; i++)
        *out_below = *out_below || life.at[i].value < 0;
    return ERR_OK;
}

static struct meter_facts meter_of(int64_t modulus_ml)
{
    return (struct meter_facts){ .id = 1,
                                 .serial = "M",
                                 .dn_mm = 20,
                                 .q3_lph = 2500,
                                 .resolution_ml = 1000,
                                 .modulus_ml = modulus_ml,
                                 .form = REGISTER_FORWARD };
}

/* ---- lives of years ---- */

static void add(int64_t at_s, int64_t value, uint32_t attr)
{
    assert_ok(rows_push(&life, (struct row){ value, (uint32_t)at_s, attr }));
}

/* A register by the hour or the day that turns its dial, is silent, begins anew, says too much or too little now and then. */
static void make_life(struct check_random *r, int64_t modulus_ml, unsigned hours)
{
    int64_t value = check_between(r, 0, modulus_ml - 1), at_s = START;
    unsigned one_in = (unsigned)check_between(r, 0, 4) ? (unsigned)check_between(r, 500, 20000) : 0;
    int64_t apart_s = check_below(r, 4) ? HOUR : DAY, most = check_between(r, 1000, 60000);

    life.count = 0;
    for (; at_s < START + (int64_t)hours * HOUR; at_s += apart_s) {
        unsigned what = one_in && check_below(r, one_in) == 0 ? (unsigned)check_below(r, 6) : 9;
        int64_t shown = value;

        if (what == 0)
            value = shown = check_between(r, 0, M3);
        else if (what == 1)
            shown = check_between(r, 0, modulus_ml - 1);
        else if (what == 2)
            at_s += check_between(r, 1, 70 * 24) * HOUR;
        else if (what == 3)
            shown = value + check_between(r, 0, 400 * M3);
        if (what != 4)
            add(at_s, shown % modulus_ml, what == 5 ? ATTR_FUTURE : 0);
        value = (value + check_between(r, 0, most) * (check_below(r, 3) != 0) * (apart_s / HOUR)) %
                modulus_ml;
    }
    assert_ok(rows_tidy(&life));
}

/* ---- both ways ---- */

struct answer {
    bool known;
    int64_t consumption_ml, billed_m3, start_ml, end_ml;
    enum quality quality;
    enum method method;
    unsigned checks, judged;
    size_t parts;
    int32_t rollovers;
    struct check_told told[CHECK_COUNT]; /* of those that were judged: they are frozen with it */
};

static struct answer answer_of(const struct consume_fitting *f, int64_t from_s, int64_t to_s)
{
    struct consumer *consumer;
    const struct consumption *c;
    struct answer a;

    assert_ok(consumer_new(f, 1, STEP_NONE, &zone, START + 2000 * (int64_t)DAY, &consumer));
    assert_ok(consumer_row(consumer, from_s, to_s, &c));
    a = (struct answer){ c->known,
                         c->consumption_ml,
                         c->billed_m3,
                         c->parts[0].start_ml,
                         c->parts[c->part_count - 1].end_ml,
                         c->quality,
                         c->method,
                         c->checks,
                         c->judged,
                         c->part_count,
                         c->parts[0].rollovers,
                         { { 0 } } };
    for (unsigned n = 0; n < CHECK_COUNT; n++)
        if (c->judged & 1u << n)
            a.told[n] = c->told[n];
    consumer_free(consumer);
    return a;
}

static void same(const struct answer *a, const struct answer *b)
{
    assert_int_equal(a->known, b->known);
    assert_int_equal(a->consumption_ml, b->consumption_ml);
    assert_int_equal(a->billed_m3, b->billed_m3);
    assert_int_equal(a->start_ml, b->start_ml);
    assert_int_equal(a->end_ml, b->end_ml);
    assert_int_equal(a->quality, b->quality);
    assert_int_equal(a->method, b->method);
    assert_int_equal(a->checks, b->checks);
    assert_int_equal(a->judged, b->judged);
    assert_int_equal(a->parts, b->parts);
    assert_int_equal(a->rollovers, b->rollovers);
    for (unsigned n = 0; n < CHECK_COUNT; n++)
        assert_memory_equal(a->told[n].input, b->told[n].input, sizeof a->told[n].input);
}

/* Whether it was cut. */
static bool try_span(const struct meter_facts *m, const struct fitting *f, int64_t from_s,
                     int64_t to_s, unsigned *estimated)
{
    struct row_source source = { load, below_zero, NULL };
    struct rows rows = { 0 };
    struct consume_fitting whole = { *f, m, &life }, part = { .meter = m, .rows = &rows };
    struct answer all, some;
    bool done;

    assert_ok(fitting_cut(&source, m, f, from_s, to_s, &part.fitting, &rows, &done));
    if (done) {
        some = answer_of(&part, from_s, to_s);
        assert_true(some.known);
        if (some.consumption_ml) {
            all = answer_of(&whole, from_s, to_s);
            same(&some, &all);
            *estimated += all.quality == QUALITY_ESTIMATED || all.method != METHOD_READ;
        }
    }
    rows_done(&rows);
    return done;
}

static void three_months_say_what_years_say(void **state)
{
    struct check_random random = check_random_begin();
    unsigned cut = 0, estimated = 0;

    (void)state;
    for (int i = 0; i < 120; i++) {
        unsigned hours = (unsigned)check_between(&random, 2000, 12000);
        struct meter_facts m = meter_of(check_between(&random, 1, 20) * 100 * M3);
        struct fitting f = { .meter = 1, .point = 1, .from_s = START - HOUR };

        make_life(&random, m.modulus_ml, hours);
        f.start_ml = life.count ? life.at[0].value : 0;
        f.to_s = check_below(&random, 4) ? FITTING_OPEN : START + (int64_t)hours * HOUR / 2;
        f.has_end = f.to_s != FITTING_OPEN && check_below(&random, 2);
        f.end_ml = f.has_end ? check_between(&random, 0, m.modulus_ml - 1) : 0;
        for (int k = 0; k < 8; k++) {
            int64_t from_s = START + check_between(&random, 0, hours) * HOUR;
            int64_t to_s = from_s + check_between(&random, 1, 60 * 24) * HOUR;

            cut += try_span(&m, &f, from_s, to_s, &estimated);
        }
    }
    assert_true(cut > 100 && estimated > 10); /* or nothing was tried */
    rows_done(&life);
}

static void of_years_a_few_months_are_read(void **state)
{
    struct meter_facts m = meter_of(10000ll * M3);
    struct fitting f = { .meter = 1, .point = 1, .from_s = START, .to_s = FITTING_OPEN };
    unsigned estimated = 0;

    (void)state;
    for (int64_t h = 0, value = 0; h < 3 * 8760; h++, value += h % 24 < 6 ? 0 : 15000)
        add(START + h * HOUR, value, 0);
    loaded = 0;
    assert_true(
        try_span(&m, &f, START + 800 * (int64_t)DAY, START + 831 * (int64_t)DAY, &estimated));
    assert_true(loaded < 140 * 24);
    /* Nothing stands behind the span yet; the register runs both ways; its dial turns at no whole cubic metre. */
    assert_false(
        try_span(&m, &f, START + 1080 * (int64_t)DAY, START + 1100 * (int64_t)DAY, &estimated));
    m.form = REGISTER_NET;
    assert_false(
        try_span(&m, &f, START + 800 * (int64_t)DAY, START + 831 * (int64_t)DAY, &estimated));
    m = meter_of(10000ll * M3 - 1);
    assert_false(
        try_span(&m, &f, START + 800 * (int64_t)DAY, START + 831 * (int64_t)DAY, &estimated));
    rows_done(&life);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_months_say_what_years_say),
        cmocka_unit_test(of_years_a_few_months_are_read),
    };

    zone_fixed(&zone, "+08", 8 * HOUR);
    return check_run(tests, argc, argv);
}
