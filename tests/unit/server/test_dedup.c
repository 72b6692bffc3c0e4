/* What the gateway remembers between datagrams: repeats, rates, uploads in blocks; all with time in
 * our hands. */
#include "server/gateway/blockwise.h"
#include "server/gateway/dedup.h"
#include "server/rate.h"
#include "tests/check.h"

#include "proto/base/limits.h"

#include <stdlib.h>

/* ---- hashing ---- */

/* `openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 SIPHASH` over the
 * bytes 00 01 02 …; the first 24 stand in the endpoint. */
static void the_hash_is_siphash(void **state)
{
    static const struct {
        size_t len;
        const char *mac;
    } known[] = {
        { 24, "\x2D\xB4\x79\xAE\x78\xBD\x50\xD8\x88\x2A\x8A\x17\x8A\x61\x32\xAD" },
        { 27, "\xAB\xF2\x48\xAF\x69\xA6\xEA\xE4\xBF\xD3\xEB\x2F\x12\x9E\xEB\x94" },
        { 32, "\x7C\x39\x56\xCA\x5E\xEA\xFC\x3E\x36\x3E\x9D\x55\x65\x46\xEB\x68" },
    };
    struct hash_key key;
    struct endpoint e;
    uint8_t bytes[32];

    (void)state;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    memcpy(key.k, bytes, sizeof key.k);
    memcpy(e.w, bytes, sizeof e.w);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct hash h = hash_of(&key, &e, span_of(bytes + 24, known[i].len - 24));

        assert_memory_equal(&h, known[i].mac, sizeof h);
    }
}

static struct hash random_hash(struct check_random *r)
{
    return (struct hash){ check_random(r), check_random(r) };
}

/* One bit anywhere in endpoint or bytes, or one byte less, is another key. */
static void whatever_differs_has_another_hash(void **state)
{
    struct check_random r = check_random_begin();
    struct hash_key key = { { check_random(&r), check_random(&r) } };
    uint8_t bytes[64];

    (void)state;
    check_fill(&r, bytes, sizeof bytes);
    for (size_t len = 0; len < sizeof bytes; len++) {
        struct endpoint e = { { 1, 2, 3 } };
        struct hash h = hash_of(&key, &e, span_of(bytes, len));

        assert_false(hash_equal(h, hash_of(&key, &e, span_of(bytes, len + 1))));
        for (size_t bit = 0; bit < len * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(hash_equal(h, hash_of(&key, &e, span_of(bytes, len))));
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        e.w[2] ^= 1;
        assert_false(hash_equal(h, hash_of(&key, &e, span_of(bytes, len))));
    }
}

/* ---- repeats ---- */

static struct exchange exchange_of(struct hash key, uint32_t until_s, uint32_t round)
{
    return (struct exchange){ .key = key, .until_s = until_s, .round = round };
}

static void put(struct dedup *d, struct hash key, uint32_t until_s, uint32_t round)
{
    struct exchange e = exchange_of(key, until_s, round);

    dedup_put(d, &e);
}

static void an_exchange_is_found_until_its_lifetime_ends(void **state)
{
    struct hash key = { 1, 2 }, other = { 1, 3 };
    struct dedup *d;

    (void)state;
    assert_ok(dedup_new(10, &d));
    assert_null(dedup_find(d, key, 0));
    put(d, key, 247, 0);
    assert_non_null(dedup_find(d, key, 246));
    assert_null(dedup_find(d, key, 247));
    assert_null(dedup_find(d, other, 0));
    dedup_free(d);
}

/* Seconds are counted modulo 2^32. */
static void lifetimes_cross_the_end_of_the_count(void **state)
{
    struct hash key = { 1, 2 };
    struct dedup *d;

    (void)state;
    assert_ok(dedup_new(10, &d));
    put(d, key, 100, 0);
    assert_non_null(dedup_find(d, key, UINT32_MAX - 100));
    assert_null(dedup_find(d, key, 101));
    dedup_free(d);
}

static void when_there_is_no_room_the_oldest_goes(void **state)
{
    struct check_random r = check_random_begin();
    enum { ROOM = 1024, MANY = 10 * ROOM };
    struct hash *keys = (struct hash *)malloc(MANY * sizeof *keys);
    struct dedup *d;
    int kept = 0;

    (void)state;
    assert_ok(dedup_new(10, &d));
    for (int i = 0; i < MANY; i++) {
        keys[i] = random_hash(&r);
        put(d, keys[i], 1000, 0);
        assert_non_null(dedup_find(d, keys[i], 0));
    }
    assert_int_equal(dedup_count(d), ROOM);
    for (int i = 0; i < MANY - ROOM; i++)
        assert_null(dedup_find(d, keys[i], 0));
    for (int i = MANY - ROOM; i < MANY; i++)
        kept += dedup_find(d, keys[i], 0) != NULL;
    assert_in_range(kept, ROOM - ROOM / 50, ROOM); /* a bucket in a hundred overflows */
    free(keys);
    dedup_free(d);
}

static void a_round_that_failed_is_forgotten_and_no_other(void **state)
{
    struct check_random r = check_random_begin();
    struct hash keys[30];
    struct dedup *d;

    (void)state;
    assert_ok(dedup_new(10, &d));
    for (uint32_t i = 0; i < 30; i++) {
        keys[i] = random_hash(&r);
        put(d, keys[i], 1000,
            i % 2 ? 0 : i / 10 + 7); /* rounds 7, 8, 9, and answers without one between */
    }
    dedup_drop_round(d, 8);
    for (uint32_t i = 0; i < 30; i++)
        assert_int_equal(dedup_find(d, keys[i], 0) == NULL, i / 10 == 1 && i % 2 == 0);
    dedup_drop_round(d, 7);
    assert_null(dedup_find(d, keys[0], 0));
    assert_non_null(dedup_find(d, keys[28], 0));
    dedup_free(d);
}

/* ---- rates ---- */

static void a_burst_is_served_and_then_the_rate(void **state)
{
    struct rate *rate;
    uint64_t now_us = 1000000000;
    unsigned served = 0;

    (void)state;
    assert_ok(rate_new(10, 200, 10, &rate));
    for (int i = 0; i < 1000; i++)
        served += rate_take(rate, 42, now_us) == 0;
    assert_int_equal(served, 200);
    assert_int_equal(rate_take(rate, 43, now_us), 0); /* somebody else */
    for (int i = 0; i < 1000; i++, now_us += 10000)   /* ten seconds, a hundred requests a second */
        served += rate_take(rate, 42, now_us) == 0;
    assert_in_range(served, 298, 301);
    assert_in_range(rate_take(rate, 42, now_us - 9999), 1, 2);
    now_us += 100 * 1000000ull;
    for (int i = 0; i < 1000; i++)
        served += rate_take(rate, 42, now_us) == 0;
    assert_in_range(served, 498, 501);
    rate_free(rate);
}

static void no_limit_is_none(void **state)
{
    struct rate *rate;

    (void)state;
    assert_ok(rate_new(0, 0, 10, &rate));
    for (int i = 0; i < 100000; i++)
        assert_int_equal(rate_take(rate, 42, 1), 0);
    rate_free(rate);
}

/* However many strangers ask in between, who is over the rate stays so: full buckets make room
 * first. */
static void strangers_do_not_push_out_who_is_over_the_rate(void **state)
{
    struct check_random r = check_random_begin();
    struct rate *rate;
    unsigned served = 0;

    (void)state;
    assert_ok(rate_new(10, 200, 8, &rate));
    for (int i = 0; i < 200; i++)
        assert_int_equal(rate_take(rate, 42, 1000), 0);
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(rate_take(rate, check_random(&r) | 1u << 20, 1000), 0);
        served += rate_take(rate, 42, 1000) == 0;
    }
    assert_int_equal(served, 0);
    rate_free(rate);
}

/* ---- uploads ---- */

static enum block_outcome take(struct blockwise *b, uint64_t who, uint32_t num, bool more,
                               const char *bytes, struct span *body)
{
    struct block_option block = { .num = num, .more = more, .szx = 0 };

    return blockwise_take(b, (struct hash){ who, 0 }, block, span_text(bytes), 0, body);
}

#define SIXTEEN_A "aaaaaaaaaaaaaaaa"
#define SIXTEEN_B "bbbbbbbbbbbbbbbb"

static void blocks_are_put_together_in_order(void **state)
{
    struct blockwise *b;
    struct span body;

    (void)state;
    assert_ok(blockwise_new(NULL, &b));
    assert_int_equal(take(b, 1, 0, true, SIXTEEN_A, &body), BLOCK_CONTINUE);
    assert_int_equal(take(b, 2, 0, true, SIXTEEN_B, &body), BLOCK_CONTINUE); /* another's */
    assert_int_equal(take(b, 1, 2, false, "x", &body), BLOCK_INCOMPLETE);
    assert_int_equal(take(b, 1, 1, true, SIXTEEN_A, &body), BLOCK_CONTINUE);
    assert_int_equal(take(b, 1, 1, true, SIXTEEN_A, &body), BLOCK_CONTINUE); /* once more */
    assert_int_equal(take(b, 1, 1, true, SIXTEEN_B, &body), BLOCK_INCOMPLETE);
    assert_int_equal(take(b, 1, 2, false, "end", &body), BLOCK_WHOLE);
    assert_true(span_equal(body, span_text(SIXTEEN_A SIXTEEN_A "end")));
    assert_int_equal(take(b, 1, 2, false, "end", &body), BLOCK_INCOMPLETE);
    assert_int_equal(take(b, 2, 1, false, "", &body), BLOCK_WHOLE);
    assert_true(span_equal(body, span_text(SIXTEEN_B)));
    assert_int_equal(blockwise_count(b), 0);
    assert_int_equal(blockwise_bytes(b), 0);
    blockwise_free(b);
}

static void block_0_begins_anew_and_leaves_no_byte_of_before(void **state)
{
    struct blockwise *b;
    struct span body;

    (void)state;
    assert_ok(blockwise_new(NULL, &b));
    assert_int_equal(take(b, 1, 0, true, SIXTEEN_A, &body), BLOCK_CONTINUE);
    assert_int_equal(take(b, 1, 1, true, SIXTEEN_A, &body), BLOCK_CONTINUE);
    assert_int_equal(take(b, 1, 0, true, SIXTEEN_B, &body), BLOCK_CONTINUE);
    assert_int_equal(take(b, 1, 1, false, "b", &body), BLOCK_WHOLE);
    assert_true(span_equal(body, span_text(SIXTEEN_B "b")));
    blockwise_free(b);
}

static void an_idle_upload_is_forgotten_after_the_exchange_s_lifetime(void **state)
{
    struct block_option first = { .more = true }, second = { .num = 1 };
    struct span piece = span_text(SIXTEEN_A), body;
    struct hash key = { 1, 2 };
    struct blockwise *b;

    (void)state;
    assert_ok(blockwise_new(NULL, &b));
    assert_int_equal(blockwise_take(b, key, first, piece, 1000, &body), BLOCK_CONTINUE);
    blockwise_expire(b, 1000 + BLOCKWISE_IDLE_S);
    assert_int_equal(blockwise_count(b), 1);
    assert_int_equal(blockwise_take(b, key, second, piece, 1001 + BLOCKWISE_IDLE_S, &body),
                     BLOCK_INCOMPLETE);
    assert_int_equal(blockwise_count(b), 0);
    assert_int_equal(blockwise_bytes(b), 0);
    blockwise_free(b);
}

/* Against a plain model: whatever comes back whole is what one sender put in, and bounds hold. */
static void random_uploads_never_mix_and_stay_within_bounds(void **state)
{
    enum { SENDERS = 24, BLOCK = 1024 };
    static uint8_t bodies[SENDERS][LIMIT_PAYLOAD_BLOCK + BLOCK];
    struct check_random r = check_random_begin();
    const struct blockwise_limits limits = { .transfers = 16, .bytes = 512 << 10 };
    uint32_t next[SENDERS] = { 0 }, total[SENDERS];
    unsigned whole = 0, gone = 0;
    uint32_t s = 0;
    struct blockwise *b;

    (void)state;
    assert_ok(blockwise_new(&limits, &b));
    for (int i = 0; i < SENDERS; i++) {
        check_fill(&r, bodies[i], sizeof bodies[i]);
        total[i] = (uint32_t)check_between(&r, 1, LIMIT_PAYLOAD_BLOCK);
    }
    for (int i = 0; i < 40000; i++) {
        struct block_option block;
        struct span body, piece;
        uint32_t at;
        bool more;

        if (check_below(&r, 16) == 0) /* else the same one goes on */
            s = (uint32_t)check_below(&r, SENDERS);
        at = next[s] * BLOCK;
        more = at + BLOCK < total[s];
        block = (struct block_option){ .num = next[s], .more = more, .szx = 6 };
        piece = span_of(bodies[s] + at, more ? BLOCK : total[s] - at);

        switch (blockwise_take(b, (struct hash){ s, s }, block, piece, 0, &body)) {
        case BLOCK_CONTINUE:
            assert_true(more);
            next[s]++;
            break;
        case BLOCK_WHOLE:
            assert_true(span_equal(body, span_of(bodies[s], total[s])));
            total[s] = (uint32_t)check_between(&r, 1, LIMIT_PAYLOAD_BLOCK);
            next[s] = 0;
            whole++;
            break;
        case BLOCK_INCOMPLETE: /* made room for others */
            assert_true(next[s] > 0);
            next[s] = 0;
            gone++;
            break;
        default:
            fail();
        }
        assert_true(blockwise_count(b) <= 16);
        assert_true(blockwise_bytes(b) <= 512u << 10);
    }
    assert_true(whole > 50);
    assert_true(gone > 50);
    blockwise_free(b);
}

static void an_upload_above_the_limit_is_refused_and_gone(void **state)
{
    static uint8_t piece[1024];
    struct hash key = { 1, 2 };
    struct blockwise *b;
    struct span body;

    (void)state;
    assert_ok(blockwise_new(NULL, &b));
    for (uint32_t num = 0; num < 64; num++) {
        struct block_option block = { .num = num, .more = true, .szx = 6 };

        assert_int_equal(blockwise_take(b, key, block, span_of(piece, 1024), 0, &body),
                         BLOCK_CONTINUE);
    }
    assert_int_equal(blockwise_take(b, key, (struct block_option){ .num = 64, .szx = 6 },
                                    span_of(piece, 1), 0, &body),
                     BLOCK_TOO_LARGE);
    assert_int_equal(blockwise_count(b), 0);
    blockwise_free(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_hash_is_siphash),
    cmocka_unit_test(whatever_differs_has_another_hash),
    cmocka_unit_test(an_exchange_is_found_until_its_lifetime_ends),
    cmocka_unit_test(lifetimes_cross_the_end_of_the_count),
    cmocka_unit_test(when_there_is_no_room_the_oldest_goes),
    cmocka_unit_test(a_round_that_failed_is_forgotten_and_no_other),
    cmocka_unit_test(a_burst_is_served_and_then_the_rate),
    cmocka_unit_test(no_limit_is_none),
    cmocka_unit_test(strangers_do_not_push_out_who_is_over_the_rate),
    cmocka_unit_test(blocks_are_put_together_in_order),
    cmocka_unit_test(block_0_begins_anew_and_leaves_no_byte_of_before),
    cmocka_unit_test(an_idle_upload_is_forgotten_after_the_exchange_s_lifetime),
    cmocka_unit_test(random_uploads_never_mix_and_stay_within_bounds),
    cmocka_unit_test(an_upload_above_the_limit_is_refused_and_gone),
};

int main(int argc, char **argv)
{
    return check_run(tests, argc, argv);
}
