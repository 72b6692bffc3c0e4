/* What meters encipher: the ciphers against published vectors and the openssl command, the security modes there and back, and which
 * error tells a missing key from a wrong one. */
#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/oms.h"
#include "proto/oms_crypt.h"
#include "proto/oms_encode.h"
#include "proto/oms_layers.h"
#include "tests/check.h"
#include "tests/one_meter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const struct oms_address water = { OMS_MAKER('N', 'I', 'L'), 0x12345678, 0x1b, 0x16 };
static const uint8_t right[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
static const uint8_t wrong[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16 };
static const uint8_t volume[] = { 0x04, 0x13, 0x57, 0x04, 0x00, 0x00, 0x01, 0xfd, 0x17, 0x00 };

static struct arena arena;
static uint8_t room[512];

static int arena_begin(void **state)
{
    (void)state;
    return arena_init(&arena, LIMIT_DECODE_ARENA) ? -1 : 0;
}

static int arena_end(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static size_t bytes_of(const char *hex, uint8_t *out, size_t cap)
{
    size_t len = 0;

    assert_ok(hex_read(span_text(hex), out, cap, &len));
    return len;
}

/* ---- published vectors ---------------------------------------------------------------------- */

/* RFC 4493 §4. */
static void cmac_is_that_of_rfc_4493(void **state)
{
    static const char text[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                               "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
    static const struct {
        size_t len;
        const char *mac;
    } cases[] = { { 0, "bb1d6929e95937287fa37d129b756746" },
                  { 16, "070a16b46b4d4144f79bdd9dd04a287c" },
                  { 40, "dfa66747de9ae63030ca32611497c827" },
                  { 64, "51f0bebf7e3b9d92fc49741779363cfe" } };
    uint8_t key[16], message[64], expected[16], found[16];

    (void)state;
    bytes_of("2b7e151628aed2a6abf7158809cf4f3c", key, sizeof key);
    bytes_of(text, message, sizeof message);
    for (size_t i = 0; i < 4; i++) {
        size_t half = cases[i].len / 2;
        const struct span parts[2] = { { message, half }, { message + half, cases[i].len - half } };

        bytes_of(cases[i].mac, expected, sizeof expected);
        assert_ok(oms_cmac(key, parts, 2, found));
        assert_memory_equal(found, expected, 16);
    }
}

/* NIST SP 800-38A, F.2.1 and F.5.1, the first two blocks. */
static void aes_is_that_of_sp_800_38a(void **state)
{
    uint8_t key[16], iv[16], text[32], expected[32], found[32];
    bool proved = true;

    (void)state;
    bytes_of("2b7e151628aed2a6abf7158809cf4f3c", key, sizeof key);
    bytes_of("000102030405060708090a0b0c0d0e0f", iv, sizeof iv);
    bytes_of("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51", text, sizeof text);
    bytes_of("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2", expected, 32);
    assert_ok(oms_cbc_seal(key, iv, span_of(text, 32), found));
    assert_memory_equal(found, expected, 32);
    assert_ok(oms_cbc_open(key, iv, span_of(expected, 32), found, &proved));
    assert_false(proved); /* does not begin with 2F 2F */
    assert_memory_equal(found, text, 16);
    bytes_of("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", iv, sizeof iv);
    bytes_of("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff", expected, 32);
    for (size_t len = 0; len <= 32; len++) {
        assert_ok(oms_ctr(key, iv, span_of(text, len), found));
        assert_memory_equal(found, expected, len);
    }
}

/* The known answer of FIPS 81: "Now is t" under 0123456789abcdef, with a vector of zeros as in ECB. */
static void des_is_that_of_fips_81(void **state)
{
    uint8_t key[8], text[8], expected[8], found[8];

    (void)state;
    bytes_of("0123456789abcdef", key, sizeof key);
    bytes_of("4e6f772069732074", text, sizeof text);
    bytes_of("3fa40e8a984d4815", expected, sizeof expected);
    assert_ok(oms_des_seal(key, span_of(text, 8), found));
    assert_memory_equal(found, expected, 8);
}

/* ---- against the openssl command ------------------------------------------------------------ */

static void put_hex(char *out, const uint8_t *bytes, size_t len)
{
    struct wr w = wr_of(out, 2 * len);

    hex_write(&w, span_of(bytes, len));
    out[2 * len] = 0;
}

/* What a shell command prints, hex digits, as bytes; skips where there is no openssl. */
static size_t command(const char *line, uint8_t *out, size_t cap)
{
    char text[1200];
    FILE *f;
    size_t len;

    if (system("command -v openssl >/dev/null && command -v xxd >/dev/null"))
        skip();
    f = popen(line, "r");
    assert_non_null(f);
    len = fread(text, 1, sizeof text - 1, f);
    assert_int_equal(pclose(f), 0);
    while (len && text[len - 1] <= ' ')
        len--;
    text[len] = 0;
    return bytes_of(text, out, cap);
}

static size_t openssl_opens(const char *cipher, const uint8_t *key, size_t key_len,
                            const uint8_t *iv, size_t iv_len, struct span in, uint8_t *out,
                            size_t cap)
{
    char key_hex[65], iv_hex[33], in_hex[1025], line[1600];

    put_hex(key_hex, key, key_len);
    put_hex(iv_hex, iv, iv_len);
    put_hex(in_hex, in.at, in.len);
    snprintf(line, sizeof line,
             "printf %s | xxd -r -p | openssl enc -d -%s -nopad -K %s -iv %s | xxd -p -c 256",
             in_hex, cipher, key_hex, iv_hex);
    return command(line, out, cap);
}

static struct span encode(const struct oms_writing *of)
{
    struct wr w = wr_of(room, sizeof room);

    assert_ok(oms_encode(of, &w));
    return wr_span(&w);
}

static void openssl_reads_what_we_write_in_mode_5(void **state)
{
    /* M2 A6 as on the wire, then ACC eight times. */
    static const uint8_t iv[16] = { 0x2c, 0x39, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x16,
                                    0xb5, 0xb5, 0xb5, 0xb5, 0xb5, 0xb5, 0xb5, 0xb5 };
    struct oms_writing of = { .link = water,
                              .ci = 0x7a,
                              .mode = 5,
                              .access = 0xb5,
                              .key = right,
                              .records = { volume, sizeof volume } };
    struct span bytes = encode(&of);
    uint8_t clear[64];

    (void)state;
    assert_int_equal(openssl_opens("aes-128-cbc", right, 16, iv, 16, span_of(bytes.at + 15, 16),
                                   clear, sizeof clear),
                     16);
    assert_memory_equal(clear, "\x2f\x2f", 2);
    assert_memory_equal(clear + 2, volume, sizeof volume);
}

static void openssl_reads_what_we_write_in_an_ell(void **state)
{
    /* M2 A6 CC (relayed cleared) SN4 FN2 BC1. */
    static const uint8_t block[16] = { 0x2c, 0x39, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x16,
                                       0x20, 0x67, 0x45, 0x23, 0x21, 0x00, 0x00, 0x00 };
    struct oms_writing of = { .link = water,
                              .ci = 0x78,
                              .ell = 0x8d,
                              .cc = 0x30,
                              .session = 0x21234567,
                              .key = right,
                              .records = { volume, sizeof volume } };
    struct span bytes = encode(&of);
    uint8_t clear[64];

    (void)state;
    assert_int_equal(openssl_opens("aes-128-ctr", right, 16, block, 16,
                                   span_of(bytes.at + 17, bytes.len - 17), clear, sizeof clear),
                     3 + sizeof volume);
    assert_int_equal(clear[2], 0x78);
    assert_memory_equal(clear + 3, volume, sizeof volume);
    assert_int_equal(oms_crc(span_of(clear + 2, 1 + sizeof volume)), clear[0] | clear[1] << 8);
}

static void openssl_mac(const uint8_t *key, const uint8_t *text, size_t len, uint8_t out[16])
{
    char key_hex[33], text_hex[1025], line[1400];

    put_hex(key_hex, key, 16);
    put_hex(text_hex, text, len);
    snprintf(line, sizeof line,
             "printf %s | xxd -r -p | openssl mac -cipher AES-128-CBC -macopt hexkey:%s -in - CMAC",
             text_hex, key_hex);
    assert_int_equal(command(line, out, 16), 16);
}

/* Both keys, the MAC and the text of a mode 7 telegram, step by step. */
static void openssl_reads_what_we_write_in_mode_7(void **state)
{
    struct oms_writing of = { .link = water,
                              .ci = 0x7a,
                              .mode = 7,
                              .access = 1,
                              .counter = 0x01020304,
                              .key = right,
                              .records = { volume, sizeof volume } };
    /* 00 | C4 | ID4 | 07 7 times */
    uint8_t text[64] = { 0, 4, 3, 2, 1, 0x78, 0x56, 0x34, 0x12, 7, 7, 7, 7, 7, 7, 7 };
    uint8_t enc[16], mac_key[16], mac[16], clear[64];
    static const uint8_t zeros[16];
    struct span bytes = encode(&of);

    (void)state;
    openssl_mac(right, text, 16, enc);
    text[0] = 1;
    openssl_mac(right, text, 16, mac_key);
    /* L C M2 A6 | 90 0F 002C 25 C4 MAC8 | 7A … : MCL and counter stand at 14, the MAC at 19, the TPL at 27. */
    memcpy(text, bytes.at + 14, 5);
    memcpy(text + 5, bytes.at + 27, bytes.len - 27);
    openssl_mac(mac_key, text, 5 + bytes.len - 27, mac);
    assert_memory_equal(bytes.at + 19, mac, 8);
    assert_int_equal(openssl_opens("aes-128-cbc", enc, 16, zeros, 16,
                                   span_of(bytes.at + 33, bytes.len - 33), clear, sizeof clear),
                     16);
    assert_memory_equal(clear + 2, volume, sizeof volume);
}

static void openssl_reads_what_we_write_in_mode_2(void **state)
{
    struct oms_writing of = {
        .link = water, .ci = 0x7a, .mode = 2, .key = right, .records = { volume, sizeof volume }
    };
    struct span bytes = encode(&of);
    uint8_t key[24], clear[64];
    static const uint8_t zeros[8];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        memcpy(key + 8 * i, right, 8);
    assert_int_equal(openssl_opens("des-ede3-cbc", key, 24, zeros, 8, span_of(bytes.at + 15, 16),
                                   clear, sizeof clear),
                     16);
    assert_memory_equal(clear + 2, volume, sizeof volume);
}

/* ---- there and back ------------------------------------------------------------------------- */

static enum err peel(struct span bytes, struct one_meter *its, struct oms_telegram *t,
                     struct frame *f, struct refusal *r)
{
    const struct lore lore = one_meter_lore(its);
    struct dialect_input in = { .bytes = bytes, .lore = &lore };
    struct span layers;
    enum err err;

    memset(t, 0, sizeof *t);
    memset(f, 0, sizeof *f);
    memset(r, 0, sizeof *r);
    arena_clear(&arena);
    err = oms_link_read(bytes, oms_form_of(bytes), &arena, NULL, t, &layers, r);
    return err ? err : oms_layers_read(&in, layers, &arena, t, f, r);
}

static struct one_meter keys(unsigned count, const uint8_t *first, const uint8_t *second,
                             size_t len)
{
    return (struct one_meter){ .key_count = count,
                               .keys = { span_of(first, len), span_of(second, len) } };
}

struct way {
    const char *name;
    struct oms_writing of;
    size_t key_len;
};

static const struct way ways[] = {
    { "mode 5",
      { .link = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ci = 0x7a,
        .mode = 5,
        .access = 77,
        .status = 4 },
      16 },
    { "mode 5, long",
      { .link = { 0x392c, 0x99000001, 1, 0x37 },
        .meter = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ci = 0x72,
        .mode = 5,
        .access = 77,
        .status = 4 },
      16 },
    { "mode 5, wired",
      { .form = OMS_FORM_WIRED,
        .meter = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ci = 0x72,
        .mode = 5,
        .access = 77,
        .status = 4 },
      16 },
    { "mode 5, clear tail",
      { .link = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ci = 0x7a,
        .mode = 5,
        .access = 77,
        .status = 4,
        .clear = 4 },
      16 },
    { "mode 5, ELL",
      { .link = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ell = 0x8c,
        .ci = 0x7a,
        .mode = 5,
        .access = 77,
        .status = 4 },
      16 },
    { "mode 7",
      { .link = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ci = 0x7a,
        .mode = 7,
        .counter = 77,
        .status = 4 },
      16 },
    { "mode 7, long",
      { .link = { 0x392c, 0x99000001, 1, 0x37 },
        .meter = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ell = 0x8c,
        .ci = 0x72,
        .mode = 7,
        .counter = 77,
        .status = 4 },
      16 },
    { "mode 2",
      { .link = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ci = 0x7a,
        .mode = 2,
        .access = 77,
        .status = 4 },
      8 },
    { "ELL II",
      { .link = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ell = 0x8d,
        .cc = 0x20,
        .session = 1u << 29 | 77,
        .ci = 0x7a,
        .status = 4 },
      16 },
    { "ELL IV",
      { .link = { 0x392c, 0x12345678, 0x1b, 0x16 },
        .ell = 0x8f,
        .session = 1u << 29 | 77,
        .ci = 0x7a,
        .status = 4 },
      16 },
};
#define WAYS (sizeof ways / sizeof ways[0])

/* Text of `len` bytes: fillers, so that those added for whole blocks cannot be told from them. */
static struct span way_bytes(const struct way *way, const uint8_t *records, size_t len)
{
    struct oms_writing of = way->of;

    of.key = right;
    of.records = span_of(records, len);
    if (of.clear > len)
        of.clear = len;
    return check_guarded(encode(&of));
}

static void what_is_sealed_opens_with_its_key(void **state)
{
    uint8_t records[120];

    (void)state;
    for (size_t i = 0; i < sizeof records; i++)
        records[i] = (uint8_t)(i * 7);
    for (size_t w = 0; w < WAYS; w++) {
        /* DES: a byte of CF counts 15 blocks of 8 at most */
        size_t most = ways[w].of.mode == 2 ? 112 : sizeof records;

        for (size_t len = 0; len <= most; len++) {
            struct span bytes = way_bytes(&ways[w], records, len);
            size_t inside = len - (ways[w].of.clear < len ? ways[w].of.clear : len);
            struct one_meter ring = keys(2, wrong, right, ways[w].key_len);
            struct oms_telegram t;
            struct refusal r;
            struct frame f;

            if (ways[w].key_len == 8)
                ring.keys[0].at = wrong + 8; /* the first eight are alike */
            assert_ok(peel(bytes, &ring, &t, &f, &r));
            assert_true(t.records.len >= len && t.records.len < len + 16);
            assert_memory_equal(t.records.at, records, inside);
            assert_memory_equal(t.records.at + t.records.len - (len - inside), records + inside,
                                len - inside);
            assert_int_equal(f.status, 4 << STATUS_RAW_SHIFT | STATUS_BATTERY_LOW);
            assert_int_equal(f.seq & 0xffff, 77);
            assert_int_equal(f.seq_rule, ways[w].of.mode == 7 ? SEQ_RISES : SEQ_REPEATS);
            check_unguard(bytes.at, bytes.len);
        }
    }
}

static void no_key_and_a_wrong_key_are_told_apart(void **state)
{
    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        struct span bytes = way_bytes(&ways[w], volume, sizeof volume);
        struct one_meter nobody = { .unregistered = true }, none = { .key_count = 0 };
        struct one_meter bad = keys(1, wrong + 1, NULL, ways[w].key_len == 8 ? 8 : 15);
        struct one_meter two = keys(2, wrong, wrong, 16);
        struct oms_telegram t;
        struct refusal r;
        struct frame f;

        assert_err(ERR_UNKNOWN, peel(bytes, &nobody, &t, &f, &r));
        assert_err(ERR_NO_KEY, peel(bytes, &none, &t, &f, &r));
        assert_true(strstr(r.text, "no key of NIL-12345678-1B-16 is known") != NULL);
        assert_int_equal(f.names.count, 3);
        if (ways[w].of.ell < 0x8d) /* else the header is enciphered as well */
            assert_int_equal(f.status, 4 << STATUS_RAW_SHIFT | STATUS_BATTERY_LOW);
        assert_in_range(f.digest, 1, 0xffffff);
        assert_err(ways[w].key_len == 8 ? ERR_WRONG_KEY : ERR_NO_KEY,
                   peel(bytes, &bad, &t, &f, &r));
        if (ways[w].key_len == 16) {
            assert_err(ERR_WRONG_KEY, peel(bytes, &two, &t, &f, &r));
            assert_true(strstr(r.text, "a wrong key, or damaged") != NULL);
        } else {
            assert_err(ERR_NO_KEY, peel(bytes, &two, &t, &f, &r)); /* none of 8 bytes */
        }
        check_unguard(bytes.at, bytes.len);
    }
}

/* Mode 7 and the ELL notice any change; what mode 5 does not notice, its records may. */
static void a_changed_bit_is_noticed_where_something_proves_the_text(void **state)
{
    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        size_t from = ways[w].of.mode == 7 ? 14 : 17; /* MCL; payload CRC */

        if (ways[w].of.mode != 7 && ways[w].of.ell != 0x8d)
            continue;
        from += ways[w].of.mode == 7 && ways[w].of.ell ? 3 : 0;
        for (size_t i = from;; i++) {
            struct span bytes = way_bytes(&ways[w], volume, sizeof volume);
            struct one_meter ring = keys(1, right, NULL, 16);
            struct oms_telegram t;
            struct refusal r;
            struct frame f;
            enum err err;

            check_unguard(bytes.at, bytes.len); /* a copy of `room` */
            if (i == bytes.len)
                break;
            room[i] ^= 0x10;
            err = peel(span_of(room, bytes.len), &ring, &t, &f, &r);
            if (err == ERR_OK || err == ERR_NO_MEMORY)
                fail_msg("%s, byte %zu: %s", ways[w].name, i, err_name(err));
            if (ways[w].of.ell == 0x8d)
                assert_int_equal(err, ERR_WRONG_KEY);
        }
    }
}

/* A repeater sets a bit in CC; the counter block leaves it out. */
static void a_relayed_telegram_opens_as_well(void **state)
{
    struct oms_writing of = { .link = water,
                              .ci = 0x78,
                              .ell = 0x8d,
                              .cc = 0x20,
                              .session = 1u << 29,
                              .key = right,
                              .records = { volume, sizeof volume } };
    struct one_meter ring = keys(1, right, NULL, 16);
    struct span bytes = encode(&of);
    struct oms_telegram t;
    struct refusal r;
    struct frame f;

    (void)state;
    room[11] |= 0x10;
    assert_ok(peel(bytes, &ring, &t, &f, &r));
}

/* ---- deciphered before it came here --------------------------------------------------------- */

static void what_a_gateway_deciphered_is_read(void **state)
{
    static const uint8_t clear[] = { 0x2e, 0x44, 0x2c, 0x39, 0x78, 0x56, 0x34, 0x12,
                                     0x1b, 0x16, 0x7a, 0x01, 0x00, 0x20, 0x05, 0x2f,
                                     0x2f, 0x04, 0x13, 0x57, 0x04, 0x00, 0x00 };
    struct one_meter rings[3] = { { .unregistered = true },
                                  { .key_count = 0 },
                                  keys(1, right, NULL, 16) };
    uint8_t bytes[47];

    (void)state;
    memset(bytes, 0x2f, sizeof bytes);
    memcpy(bytes, clear, sizeof clear);
    for (size_t i = 0; i < 3; i++) {
        struct oms_telegram t;
        struct refusal r;
        struct frame f;

        bytes[20] = 0x04;
        bytes[46] = 0x2f;
        assert_ok(peel(span_of(bytes, sizeof bytes), &rings[i], &t, &f, &r));
        assert_int_equal(t.records_at, 17);
        assert_int_equal(t.records.len, 30);
        bytes[46] = 0x04; /* a record that runs over the end: no text in the clear */
        assert_int_not_equal(peel(span_of(bytes, sizeof bytes), &rings[i], &t, &f, &r), ERR_OK);
    }
}

/* Of mode 7 only where no key is known that could prove it. */
static void with_a_key_at_hand_mode_7_wants_its_mac(void **state)
{
    struct oms_writing of = { .link = water,
                              .ci = 0x7a,
                              .mode = 7,
                              .counter = 5,
                              .key = right,
                              .records = { volume, sizeof volume } };
    struct one_meter none = { .key_count = 0 }, ring = keys(1, right, NULL, 16);
    struct span bytes = encode(&of);
    struct oms_telegram t;
    struct refusal r;
    struct frame f;

    (void)state;
    memset(room + 33, 0x2f, 16); /* behind CFE */
    assert_ok(peel(bytes, &none, &t, &f, &r));
    assert_false(t.mac_good);
    assert_int_equal(f.seq_rule, SEQ_REPEATS);
    assert_err(ERR_WRONG_KEY, peel(bytes, &ring, &t, &f, &r));
}

static void a_factory_key_that_is_published_needs_no_entry(void **state)
{
    static const uint8_t factory[16] = { 0x51, 0x72, 0x89, 0x10, 0xe6, 0x6d, 0x83, 0xf8,
                                         0x51, 0x72, 0x89, 0x10, 0xe6, 0x6d, 0x83, 0xf8 };
    struct oms_writing of = {
        .link = water, .ci = 0x7a, .mode = 5, .key = factory, .records = { volume, sizeof volume }
    };
    struct one_meter none = { .key_count = 0 };
    struct oms_telegram t;
    struct refusal r;
    struct frame f;

    (void)state;
    assert_err(ERR_NO_KEY, peel(encode(&of), &none, &t, &f, &r));
    of.link.maker = OMS_MAKER('D', 'M', 'E');
    assert_ok(peel(encode(&of), &none, &t, &f, &r));
}

/* ---- what we do not open -------------------------------------------------------------------- */

static void other_modes_are_refused_or_a_recipes(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 32; mode++) {
        struct oms_writing of = { .link = water, .ci = 0x7a, .records = { volume, sizeof volume } };
        struct one_meter ring = keys(1, right, NULL, 16);
        struct span bytes = encode(&of);
        struct oms_telegram t;
        struct refusal r;
        struct frame f;
        enum err err;

        room[13] = 0x10;
        room[14] = (uint8_t)mode;
        err = peel(bytes, &ring, &t, &f, &r);
        if (mode == 1 || mode >= 16) {
            assert_ok(err);
            assert_int_equal(t.content, OMS_LAYOUT);
        } else if (mode == 0) {
            assert_ok(err);
        } else if (mode == 2 || mode == 5) {
            assert_err(ERR_TRUNCATED, err);
        } else if (mode == 7) {
            assert_err(ERR_MALFORMED, err);
            assert_true(strstr(r.text, "AFL") != NULL);
        } else {
            assert_err(ERR_UNSUPPORTED, err);
            assert_true(strstr(r.text, "security mode") != NULL);
        }
    }
}

static void without_an_address_there_is_no_vector(void **state)
{
    struct oms_writing of = { .form = OMS_FORM_WIRED,
                              .ci = 0x7a,
                              .mode = 5,
                              .key = right,
                              .records = { volume, sizeof volume } };
    struct one_meter ring = keys(1, right, NULL, 16);
    struct oms_telegram t;
    struct refusal r;
    struct frame f;

    (void)state;
    assert_err(ERR_UNSUPPORTED, peel(encode(&of), &ring, &t, &f, &r));
}

/* ---- threads -------------------------------------------------------------------------------- */

static void *seal_often(void *arg)
{
    uint8_t *out = (uint8_t *)arg, text[64];

    memset(out, 0, 64);
    for (int i = 0; i < 2000; i++) {
        const struct span whole = { out, 64 };

        if (oms_cbc_seal(right, out, span_of(out, 64), text) || oms_cmac(text, &whole, 1, out) ||
            oms_ctr(text, out + 16, span_of(text, 64), out))
            return out;
    }
    return NULL;
}

static void threads_keep_their_ciphers_apart(void **state)
{
    uint8_t expected[64], found[4][64];
    pthread_t threads[4];

    (void)state;
    assert_null(seal_often(expected));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, seal_often, found[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
        assert_memory_equal(found[i], expected, 64);
    }
}

int main(int argc, char **argv)
{
#define with_arena(test) cmocka_unit_test_setup_teardown(test, arena_begin, arena_end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cmac_is_that_of_rfc_4493),
        cmocka_unit_test(aes_is_that_of_sp_800_38a),
        cmocka_unit_test(des_is_that_of_fips_81),
        cmocka_unit_test(openssl_reads_what_we_write_in_mode_5),
        cmocka_unit_test(openssl_reads_what_we_write_in_an_ell),
        cmocka_unit_test(openssl_reads_what_we_write_in_mode_7),
        cmocka_unit_test(openssl_reads_what_we_write_in_mode_2),
        with_arena(what_is_sealed_opens_with_its_key),
        with_arena(no_key_and_a_wrong_key_are_told_apart),
        with_arena(a_changed_bit_is_noticed_where_something_proves_the_text),
        with_arena(a_relayed_telegram_opens_as_well),
        with_arena(what_a_gateway_deciphered_is_read),
        with_arena(with_a_key_at_hand_mode_7_wants_its_mac),
        with_arena(a_factory_key_that_is_published_needs_no_entry),
        with_arena(other_modes_are_refused_or_a_recipes),
        with_arena(without_an_address_there_is_no_vector),
        cmocka_unit_test(threads_keep_their_ciphers_apart),
    };

    return check_run(tests, argc, argv);
}
