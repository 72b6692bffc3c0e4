/* Makers' own ciphers, sealed here by a second hand: bit by bit for Diehl, and through OMS_CBC for Apator; what comes out goes through
 * the recipes that the program ships. */
#include "proto/base/limits.h"
#include "proto/oms.h"
#include "proto/oms_crypt.h"
#include "proto/oms_link.h"
#include "tests/check.h"
#include "tests/one_meter.h"

#define ARRIVAL_S 1795651200 /* 2026-11-26T00:00:00Z */

static struct arena arena;
static struct one_meter its;
static struct lore lore;

static int begin(void **state)
{
    (void)state;
    lore = one_meter_lore(&its);
    its.key_count = 0;
    one_meter_shelve(&its);
    return arena_init(&arena, LIMIT_DECODE_ARENA) ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    one_meter_done(&its);
    arena_done(&arena);
    return 0;
}

static enum err decode(const uint8_t *bytes, size_t len, struct frame *f, struct refusal *r)
{
    struct dialect_input in = { .bytes = check_guarded(span_of(bytes, len)),
                                .arrival_s = ARRIVAL_S,
                                .lore = &lore };
    enum err err;

    memset(f, 0, sizeof *f);
    memset(r, 0, sizeof *r);
    arena_clear(&arena);
    err = dialect_oms.decode(&in, &arena, f, r);
    assert_int_equal(err, r->err);
    check_unguard(in.bytes.at, len);
    return err;
}

/* ---- Diehl ---------------------------------------------------------------------------------- */

/* The bits of the register one by one, the youngest first. */
static void diehl_seal(uint8_t *telegram, size_t len, const uint8_t key[8])
{
    uint8_t bits[32];
    uint32_t seed = 0;

    for (int i = 0; i < 4; i++)
        seed = seed << 8 | (uint32_t)(key[i] ^ key[i + 4] ^ telegram[2 + i] ^ telegram[6 + i] ^
                                      telegram[10 + i]);
    for (int i = 0; i < 32; i++)
        bits[i] = (uint8_t)(seed >> i & 1);
    for (size_t at = 15; at < len; at++) {
        for (int step = 0; step < 8; step++) {
            uint8_t bit = bits[1] ^ bits[2] ^ bits[11] ^ bits[31];

            memmove(bits + 1, bits, 31);
            bits[0] = bit;
        }
        for (int i = 0; i < 8; i++)
            telegram[at] ^= (uint8_t)(bits[i] << i);
    }
}

/* Version and type before the number, as Diehl sends it: 87654321, 12 345 L; 12 000 L at the end of 2026-10-31. */
static const uint8_t izar[] = { 0x19, 0x44, 0xa5, 0x11, 0x78, 0x07, 0x21, 0x43, 0x65,
                                0x87, 0xa2, 0x01, 0x98, 0x82, 0x13, 0x4b, 0x39, 0x30,
                                0x00, 0x00, 0xe0, 0x2e, 0x00, 0x00, 0x5f, 0x3a };
static const uint8_t factory[2][8] = { { 0x39, 0xbc, 0x8a, 0x10, 0xe6, 0x6d, 0x83, 0xf8 },
                                       { 0x51, 0x72, 0x89, 0x10, 0xe6, 0x6d, 0x83, 0xf8 } };
static const uint8_t own_key[8] = { 9, 8, 7, 6, 5, 4, 3, 2 };

static void assert_izar(const struct frame *f)
{
    assert_true(span_equal(frame_name(f), span_text("DME-87654321-78-07")));
    assert_int_equal(f->series_count, 1);
    assert_int_equal(f->series[0].count, 2);
    assert_int_equal(f->series[0].samples[0].value, 12345000);
    assert_int_equal(f->series[0].samples[0].at_s, ARRIVAL_S);
    assert_int_equal(f->series[0].samples[1].value, 12000000);
    assert_int_equal(f->series[0].samples[1].at_s, 1793462400); /* 2026-11-01T00:00:00+08:00 */
    assert_int_equal(f->status & STATUS_MEANT, STATUS_LEAK | STATUS_BACKFLOW | STATUS_TAMPER);
}

static void an_izar_opens_with_the_published_keys(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        uint8_t bytes[sizeof izar];
        struct refusal r;
        struct frame f;

        memcpy(bytes, izar, sizeof izar);
        diehl_seal(bytes, sizeof bytes, factory[k]);
        assert_ok(decode(bytes, sizeof bytes, &f, &r));
        assert_izar(&f);
    }
}

static void an_izar_opens_with_its_own_key_and_waits_for_it(void **state)
{
    uint8_t bytes[sizeof izar];
    struct refusal r;
    struct frame f;

    (void)state;
    memcpy(bytes, izar, sizeof izar);
    diehl_seal(bytes, sizeof bytes, own_key);
    assert_err(ERR_NO_KEY, decode(bytes, sizeof bytes, &f, &r));
    assert_true(span_equal(frame_name(&f), span_text("DME-87654321-78-07")));
    its.keys[0] = span_of(own_key, 8);
    its.key_count = 1;
    assert_ok(decode(bytes, sizeof bytes, &f, &r));
    assert_izar(&f);
    its.keys[0] = span_of(izar, 8);
    assert_err(ERR_WRONG_KEY, decode(bytes, sizeof bytes, &f, &r));
}

static void an_izar_cut_anywhere_is_answered(void **state)
{
    (void)state;
    for (size_t len = 11; len < sizeof izar; len++) {
        uint8_t bytes[sizeof izar];
        struct refusal r;
        struct frame f;

        memcpy(bytes, izar, sizeof izar);
        bytes[0] = (uint8_t)(len - 1);
        diehl_seal(bytes, len, factory[0]);
        if (decode(bytes, len, &f, &r) == ERR_OK)
            assert_true(len >= 20); /* the register at least */
    }
}

/* Behind CI 7A: a sum in the header, and records. */
static const uint8_t real_data[] = { 0x1e, 0x44, 0xa5, 0x11, 0x78, 0x07, 0x21, 0x43,
                                     0x65, 0x87, 0x7a, 0x05, 0x00, 0x00, 0x10, 0x0c,
                                     0x13, 0x45, 0x23, 0x01, 0x00, 0x04, 0x6d, 0x00,
                                     0x14, 0x59, 0x3b, 0x2f, 0x2f, 0x2f, 0x2f };

static void real_data_is_read_sealed_and_in_the_clear(void **state)
{
    uint8_t bytes[sizeof real_data], sum = 0;
    struct refusal r;
    struct frame f;

    (void)state;
    for (int sealed = 0; sealed < 2; sealed++) {
        memcpy(bytes, real_data, sizeof bytes);
        for (size_t i = 15; sealed && i < sizeof bytes; i++)
            sum = (uint8_t)(sum + bytes[i]);
        if (sealed) {
            bytes[14] = (uint8_t)((sum & 0xef) | 0x10); /* bit 4 says that it is of this kind */
            diehl_seal(bytes, sizeof bytes, factory[0]);
        }
        assert_ok(decode(bytes, sizeof bytes, &f, &r));
        assert_true(span_equal(frame_name(&f), span_text("DME-87654321-78-07")));
        assert_int_equal(f.series_count, 1);
        assert_int_equal(f.series[0].samples[0].value, 12345000);
    }
    bytes[20] ^= 0x40; /* neither the sum nor the records hold any longer */
    assert_err(ERR_NO_RECIPE, decode(bytes, sizeof bytes, &f, &r));
}

/* ---- Apator --------------------------------------------------------------------------------- */

static void an_apator_opens_with_its_key(void **state)
{
    static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8 }, other[16] = { 1, 2, 3 };
    /* 123 456 L on 2026-03-01 01:59, 100 001 L 300 hours before */
    static const uint8_t clear[16] = { 0x2f, 0x00, 0x24, 0x1e, 0x00, 0xe4, 0x59, 0x36,
                                       0x31, 0x2c, 0x07, 0xe7, 0x16, 0x00, 0x00, 0x80 };
    static const uint8_t head[] = { 0x1c, 0x44, 0x01, 0x06, 0x21, 0x43, 0x65,
                                    0x87, 0x14, 0x07, 0xa0, 0x21, 0x00 };
    /* M2 A6, then the first byte eight times */
    static const uint8_t iv[16] = { 0x01, 0x06, 0x21, 0x43, 0x65, 0x87, 0x14, 0x07,
                                    0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21 };
    uint8_t bytes[29];
    struct refusal r;
    struct frame f;

    (void)state;
    memcpy(bytes, head, sizeof head);
    assert_ok(oms_cbc_seal(key, iv, span_of(clear, 16), bytes + 13));
    assert_err(ERR_NO_KEY, decode(bytes, sizeof bytes, &f, &r));
    its.keys[0] = span_of(other, 16);
    its.key_count = 1;
    assert_err(ERR_WRONG_KEY, decode(bytes, sizeof bytes, &f, &r));
    its.keys[1] = span_of(key, 16);
    its.key_count = 2;
    assert_ok(decode(bytes, sizeof bytes, &f, &r));
    assert_true(span_equal(frame_name(&f), span_text("APA-87654321-14-07")));
    assert_int_equal(f.series_count, 1);
    assert_int_equal(f.series[0].count, 2);
    assert_int_equal(f.series[0].samples[0].value, 123456000);
    assert_int_equal(f.series[0].samples[1].value, 100001000);
    assert_int_equal(f.series[0].samples[0].at_s - f.series[0].samples[1].at_s, 300 * 3600);
    assert_int_equal(f.sent_s, f.series[0].samples[0].at_s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_izar_opens_with_the_published_keys, begin, end),
        cmocka_unit_test_setup_teardown(an_izar_opens_with_its_own_key_and_waits_for_it, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_izar_cut_anywhere_is_answered, begin, end),
        cmocka_unit_test_setup_teardown(real_data_is_read_sealed_and_in_the_clear, begin, end),
        cmocka_unit_test_setup_teardown(an_apator_opens_with_its_key, begin, end),
    };

    return check_run(tests, argc, argv);
}
