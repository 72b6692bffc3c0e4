/* The link and the layers of M-Bus telegrams: forms, addresses, CI fields, what is refused and why. */
#include "proto/base/limits.h"
#include "proto/dialect.h"
#include "proto/oms.h"
#include "proto/oms_encode.h"
#include "proto/oms_layers.h"
#include "tests/check.h"

#include <stdio.h>

static const uint8_t volume[] = { 0x04, 0x13, 0x57, 0x04, 0x00, 0x00 }; /* 1111 L */
static const struct oms_address water = { OMS_MAKER('N', 'I', 'L'), 0x12345678, 0x1b, 0x16 };
static const struct oms_address radio = { OMS_MAKER('N', 'I', 'L'), 0x99000001, 0x01, 0x37 };

static uint8_t room[512];
static struct arena arena;

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

static struct span encode(const struct oms_writing *of)
{
    struct wr w = wr_of(room, sizeof room);

    assert_ok(oms_encode(of, &w));
    return wr_span(&w);
}

/* Link and layers, as the dialect goes through them. */
static enum err peel(struct span bytes, struct oms_telegram *t, struct frame *f, struct refusal *r)
{
    struct dialect_input in = { .bytes = bytes };
    struct span layers;
    enum err err;

    memset(t, 0, sizeof *t);
    memset(f, 0, sizeof *f);
    memset(r, 0, sizeof *r);
    arena_clear(&arena);
    err = oms_link_read(bytes, oms_form_of(bytes), &arena, NULL, t, &layers, r);
    return err ? err : oms_layers_read(&in, layers, &arena, t, f, r);
}

static void assert_name(const struct frame *f, uint32_t n, const char *expected)
{
    assert_true(n < f->names.count);
    if (!span_equal(f->names.at[n], span_text(expected)))
        fail_msg("name %u is %.*s, not %s", n, (int)f->names.at[n].len,
                 (const char *)f->names.at[n].at, expected);
}

static void crc_is_the_standards(void **state)
{
    (void)state;
    assert_int_equal(oms_crc(span_text("123456789")), 0xc2b7);
    assert_int_equal(oms_crc(span_of(NULL, 0)), 0xffff);
}

/* ---- forms ---------------------------------------------------------------------------------- */

static void one_telegram_says_the_same_in_every_form(void **state)
{
    static const enum oms_form forms[] = { OMS_FORM_BARE, OMS_FORM_A, OMS_FORM_B, OMS_FORM_WIRED };
    uint8_t records[229]; /* the most that format B holds */
    uint32_t digest = 0;

    (void)state;
    for (size_t len = 0; len <= sizeof records; len++) {
        memset(records, 0x2f, sizeof records);
        for (size_t i = 0; i < 4; i++) {
            struct oms_writing of = { .form = forms[i],
                                      .link = radio,
                                      .meter = water,
                                      .ci = 0x72,
                                      .access = 9,
                                      .status = 0x14,
                                      .records = { records, len } };
            struct span bytes = check_guarded(encode(&of));
            struct oms_telegram t;
            struct refusal r;
            struct frame f;

            assert_int_equal(oms_form_of(bytes), forms[i]);
            assert_ok(peel(bytes, &t, &f, &r));
            assert_true(span_equal(t.records, span_of(records, len)));
            assert_name(&f, 0, "NIL-12345678-1B-16");
            assert_int_equal(f.status, 0x14 << STATUS_RAW_SHIFT | STATUS_BATTERY_LOW);
            assert_int_equal(f.seq, 9);
            assert_int_equal(f.seq_rule, SEQ_REPEATS);
            assert_in_range(f.digest, 1, 0xffffff);
            if (i == 0)
                digest = f.digest;
            else if (forms[i] != OMS_FORM_WIRED)
                assert_int_equal(f.digest, digest);
            check_unguard(bytes.at, bytes.len);
        }
    }
}

static void a_damaged_byte_is_found_by_its_link_crc(void **state)
{
    struct oms_writing of = {
        .form = OMS_FORM_A, .link = water, .ci = 0x78, .records = { volume, sizeof volume }
    };
    struct span bytes = encode(&of);

    (void)state;
    for (size_t i = 1; i < bytes.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct oms_telegram t;
            struct refusal r;
            struct frame f;

            room[i] ^= (uint8_t)(1 << bit);
            assert_err(ERR_MALFORMED, peel(bytes, &t, &f, &r));
            assert_string_equal(r.field, "crc");
            assert_int_equal(r.offset, i < 12 ? 10 : bytes.len - 2);
            room[i] ^= (uint8_t)(1 << bit);
        }
    }
}

static void a_telegram_cut_anywhere_is_refused(void **state)
{
    static const enum oms_form forms[] = { OMS_FORM_BARE, OMS_FORM_A, OMS_FORM_B, OMS_FORM_WIRED };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct oms_writing of = { .form = forms[i],
                                  .link = radio,
                                  .meter = water,
                                  .ci = 0x72,
                                  .ell = forms[i] == OMS_FORM_WIRED ? 0 : 0x8e,
                                  .records = { volume, sizeof volume } };
        struct span whole = encode(&of);

        for (size_t len = 0; len < whole.len; len++) {
            struct span bytes = check_guarded(span_of(whole.at, len));
            struct oms_telegram t;
            struct refusal r;
            struct frame f;
            enum err err = peel(bytes, &t, &f, &r);

            assert_true(err == ERR_TRUNCATED || err == ERR_MALFORMED || err == ERR_UNSUPPORTED);
            assert_int_equal(err, r.err);
            assert_true(r.text[0] != 0);
            check_unguard(bytes.at, len);
        }
    }
}

/* Two bytes behind DIF 0F that make a CRC of format B: nothing but their sense tells them apart. */
static void a_bare_telegram_that_ends_like_format_b_is_read_whole(void **state)
{
    uint8_t records[16] = { 0x04, 0x13, 0x57, 0x04, 0x00, 0x00, 0x04,
                            0x93, 0x3c, 0x00, 0x00, 0x00, 0x00 };
    struct oms_writing of = { .link = water, .ci = 0x78, .records = { records, 13 } };
    struct span bytes = encode(&of);
    struct dialect_input in = { .arrival_s = 1795651200 };
    struct frame f = { 0 };
    struct refusal r;
    uint16_t crc = 0;

    (void)state;
    for (uint32_t v = 0; v < 0x10000; v++) { /* a value of the first record that does it */
        room[13] = (uint8_t)v;
        room[14] = (uint8_t)(v >> 8);
        crc = oms_crc(span_of(room, bytes.len - 2));
        if (crc == 0)
            break;
    }
    assert_int_equal(crc, 0);
    assert_int_equal(oms_form_of(bytes), OMS_FORM_B);
    in.bytes = check_guarded(bytes);
    arena_clear(&arena);
    assert_ok(dialect_oms.decode(&in, &arena, &f, &r));
    assert_int_equal(f.series_count, 2);
    check_unguard(in.bytes.at, in.bytes.len);
}

/* ---- wired ---------------------------------------------------------------------------------- */

static void expect(const char *what, const uint8_t *bytes, size_t len, enum err expected,
                   const char *field, const char *part)
{
    struct span guarded = check_guarded(span_of(bytes, len));
    struct oms_telegram t;
    struct refusal r;
    struct frame f;
    enum err err = peel(guarded, &t, &f, &r);

    if (err != expected || strcmp(r.field, field) != 0 || !strstr(r.text, part))
        fail_msg("%s: %s %s: %s", what, err_name(err), r.field, r.text);
    check_unguard(guarded.at, len);
}

static void wired_frames_without_data_are_refused_by_name(void **state)
{
    static const uint8_t ack[] = { 0xe5 }, request[] = { 0x10, 0x7b, 0x01, 0x7c, 0x16 };
    static const uint8_t master[] = { 0x68, 3, 3, 0x68, 0x53, 1, 0x51, 0xa5, 0x16 };

    (void)state;
    expect("E5", ack, sizeof ack, ERR_UNSUPPORTED, "", "acknowledgement");
    expect("10", request, sizeof request, ERR_UNSUPPORTED, "", "short frame");
    expect("53", master, sizeof master, ERR_UNSUPPORTED, "C", "master");
}

static void wired_frames_are_summed_and_measured(void **state)
{
    struct oms_writing of = {
        .form = OMS_FORM_WIRED, .meter = water, .ci = 0x72, .records = { volume, sizeof volume }
    };
    struct span good = encode(&of);

    (void)state;
    room[good.len - 3] ^= 1;
    expect("sum", room, good.len, ERR_MALFORMED, "sum", "checksum");
    room[good.len - 3] ^= 1;
    room[good.len - 1] = 0x17;
    expect("stop", room, good.len, ERR_MALFORMED, "stop", "expected 16");
    expect("more", room, good.len + 1, ERR_MALFORMED, "L", "the length says");
    expect("less", room, good.len - 1, ERR_TRUNCATED, "L", "the length says");
}

/* By its primary address alone nobody can tell it; the transport may. */
static void a_wired_telegram_without_long_header_names_no_meter(void **state)
{
    struct oms_writing of = {
        .form = OMS_FORM_WIRED, .primary = 7, .ci = 0x78, .records = { volume, sizeof volume }
    };
    struct oms_telegram t;
    struct refusal r;
    struct frame f;

    (void)state;
    assert_ok(peel(encode(&of), &t, &f, &r));
    assert_false(t.has_meter);
    assert_int_equal(f.names.count, 0);
}

/* ---- who it is ------------------------------------------------------------------------------ */

static void a_meter_has_three_names(void **state)
{
    const struct oms_address hex = { OMS_MAKER('Z', 'R', 'I'), 0x00a0e4ff, 0xab, 0x07 };
    const struct oms_address none = { 0x001f, 0x00000001, 0, 0 }; /* no letters */
    struct frame f = { 0 };

    (void)state;
    arena_clear(&arena);
    assert_ok(oms_names(&hex, &arena, &f.names));
    assert_int_equal(f.names.count, 3);
    assert_name(&f, 0, "ZRI-00A0E4FF-AB-07");
    assert_name(&f, 1, "ZRI-00A0E4FF");
    assert_name(&f, 2, "00A0E4FF");
    assert_ok(oms_names(&none, &arena, &f.names));
    assert_int_equal(f.names.count, 1);
    assert_name(&f, 0, "00000001");
}

static void the_long_header_names_the_meter_and_no_receiver_does(void **state)
{
    struct oms_writing of = { .link = radio,
                              .meter = water,
                              .receiver = { 0x1234, 0x55555555, 1, 0x31 },
                              .ci = 0x72,
                              .ell = 0x8e,
                              .records = { volume, sizeof volume } };
    struct oms_telegram t;
    struct refusal r;
    struct frame f;

    (void)state;
    assert_ok(peel(encode(&of), &t, &f, &r));
    assert_name(&f, 0, "NIL-12345678-1B-16");
    assert_int_equal(t.link.id, 0x99000001);
    of.ci = 0x7a;
    assert_ok(peel(encode(&of), &t, &f, &r));
    assert_name(&f, 0, "NIL-99000001-01-37");
}

static void makers_that_turn_their_address_are_read_as_printed(void **state)
{
    const struct oms_address turned = { OMS_MAKER('D', 'M', 'E'), 0x43210778, 0x65, 0x87 };
    struct oms_writing of = { .link = turned, .ci = 0xa1, .records = { volume, sizeof volume } };
    struct oms_telegram t;
    struct refusal r;
    struct frame f;

    (void)state;
    assert_ok(peel(encode(&of), &t, &f, &r));
    assert_name(&f, 0, "DME-87654321-78-07");
    assert_int_equal(t.content, OMS_LAYOUT);
    of.ci = 0x78;
    assert_ok(peel(encode(&of), &t, &f, &r));
    assert_name(&f, 0, "DME-43210778-65-87");
    of.link.maker = OMS_MAKER('S', 'A', 'P');
    of.ci = 0xa1;
    assert_ok(peel(encode(&of), &t, &f, &r));
    assert_name(&f, 0, "SAP-43210778-65-87");
}

static void status_is_kept_raw_and_meant(void **state)
{
    (void)state;
    for (unsigned sts = 0; sts < 256; sts++) {
        struct oms_writing of = { .link = water, .ci = 0x7a, .status = (uint8_t)sts };
        uint32_t meant = (sts & 4 ? STATUS_BATTERY_LOW : 0) | (sts & 8 ? STATUS_SENSOR_FAULT : 0);
        struct oms_telegram t;
        struct refusal r;
        struct frame f;

        assert_ok(peel(encode(&of), &t, &f, &r));
        assert_int_equal(f.status, sts << STATUS_RAW_SHIFT | meant);
    }
}

/* ---- layers --------------------------------------------------------------------------------- */

static void put_head(struct wr *w)
{
    uint8_t m2_a6[8];

    oms_address_write(&water, m2_a6);
    wr_u8(w, 0);
    wr_u8(w, 0x44);
    wr_bytes(w, span_of(m2_a6, 8));
}

/* A wireless telegram of these layers. */
static size_t with_layers(const uint8_t *layers, size_t len)
{
    struct wr w = wr_of(room, sizeof room);

    put_head(&w);
    wr_bytes(&w, span_of(layers, len));
    room[0] = (uint8_t)(wr_len(&w) - 1);
    return wr_len(&w);
}

#define EXPECT_LAYERS(err, field, part, ...)                                                       \
    do {                                                                                           \
        static const uint8_t layers_[] = { __VA_ARGS__ };                                          \
        size_t len_ = with_layers(layers_, sizeof layers_);                                        \
        expect(#__VA_ARGS__, room, len_, err, field, part);                                        \
    } while (0)

static void layers_out_of_order_are_refused(void **state)
{
    (void)state;
    EXPECT_LAYERS(ERR_OK, "", "", 0x8c, 0x20, 1, 0x90, 2, 0, 0, 0x78);
    EXPECT_LAYERS(ERR_MALFORMED, "CI", "behind another", 0x8c, 0x20, 1, 0x8c, 0x20, 1, 0x78);
    EXPECT_LAYERS(ERR_MALFORMED, "CI", "behind another", 0x90, 2, 0, 0, 0x8c, 0x20, 1, 0x78);
    EXPECT_LAYERS(ERR_MALFORMED, "CI", "second AFL", 0x90, 2, 0, 0, 0x90, 2, 0, 0, 0x78);
    EXPECT_LAYERS(ERR_TRUNCATED, "CI", "", 0x8c, 0x20, 1);
    EXPECT_LAYERS(ERR_TRUNCATED, "ell", "", 0x8c, 0x20);
    EXPECT_LAYERS(ERR_TRUNCATED, "ell", "", 0x8e, 0x20, 1, 1, 2, 3);
    EXPECT_LAYERS(ERR_TRUNCATED, "tpl", "", 0x7a, 1, 0, 0);
    EXPECT_LAYERS(ERR_TRUNCATED, "signature", "", 0x79, 1, 2, 3);
}

static void fragments_are_refused_with_a_sentence(void **state)
{
    (void)state;
    EXPECT_LAYERS(ERR_UNSUPPORTED, "afl.fcl", "(1, more follow)", 0x90, 2, 0x01, 0x40, 0x7a, 0, 0,
                  0, 0);
    EXPECT_LAYERS(ERR_UNSUPPORTED, "afl.fcl", "(2, the last)", 0x90, 2, 0x02, 0x00, 0x7a, 0, 0, 0,
                  0);
    EXPECT_LAYERS(ERR_MALFORMED, "afl.len", "more", 0x90, 2, 0x00, 0x20, 0x78);
    EXPECT_LAYERS(ERR_MALFORMED, "afl.len", "less", 0x90, 3, 0x00, 0x00, 0x00, 0x78);
    EXPECT_LAYERS(ERR_MALFORMED, "afl.fcl", "MCL", 0x90, 2, 0x00, 0x04, 0x78);
    EXPECT_LAYERS(ERR_TRUNCATED, "afl", "", 0x90, 9, 0x00, 0x00, 0x78);
}

static void every_ci_field_has_a_name(void **state)
{
    (void)state;
    for (unsigned ci = 0; ci < 256; ci++) {
        uint8_t layers[32] = { (uint8_t)ci };
        struct oms_telegram t;
        struct refusal r;
        struct frame f;
        size_t len = with_layers(layers, sizeof layers);
        enum err err = peel(span_of(room, len), &t, &f, &r);

        assert_true(f.names.count > 0);
        if (ci >= 0x8c && ci <= 0x90)
            continue; /* another follows */
        if (err == ERR_UNSUPPORTED) {
            char begins[16];

            snprintf(begins, sizeof begins, "CI %02X is ", ci);
            assert_memory_equal(r.text, begins, strlen(begins));
            assert_int_equal(r.offset, 10);
        } else if (!err) {
            assert_int_equal(t.ci, ci);
        } else { /* a format frame whose list is none */
            assert_true(ci >= 0x69 && ci <= 0x6b);
        }
    }
}

static void alarms_and_errors_tell_their_status_and_no_value(void **state)
{
    static const uint8_t cis[] = { 0x6e, 0x6f, 0x74, 0x75, 0x8a, 0x8b };

    (void)state;
    for (size_t i = 0; i < sizeof cis; i++) {
        struct oms_writing of = { .link = water,
                                  .meter = water,
                                  .ci = cis[i],
                                  .status = 0x08,
                                  .records = { volume, sizeof volume } };
        struct dialect_input in = { .bytes = encode(&of) };
        struct refusal r;
        struct frame f = { 0 };

        arena_clear(&arena);
        assert_ok(dialect_oms.decode(&in, &arena, &f, &r));
        assert_int_equal(f.series_count, 0);
        assert_true(f.status & STATUS_SENSOR_FAULT);
    }
}

/* The signature is the CRC of the list: 02 FF 20, 04 13, 44 13, 61 5B, 61 67 is A8 ED. */
static void a_format_frame_proves_its_list(void **state)
{
    (void)state;
    EXPECT_LAYERS(ERR_OK, "", "", 0x69, 0xed, 0xa8, 0x02, 0xff, 0x20, 0x04, 0x13, 0x44, 0x13, 0x61,
                  0x5b, 0x61, 0x67);
    EXPECT_LAYERS(ERR_OK, "", "", 0x69, 0xed, 0xa8, 0x02, 0xff, 0x20, 0x04, 0x13, 0x44, 0x13, 0x61,
                  0x5b, 0x61, 0x67, 0x2f, 0x2f);
    EXPECT_LAYERS(ERR_MALFORMED, "signature", "", 0x69, 0xee, 0xa8, 0x02, 0xff, 0x20, 0x04, 0x13,
                  0x44, 0x13, 0x61, 0x5b, 0x61, 0x67);
    EXPECT_LAYERS(ERR_MALFORMED, "signature", "", 0x69, 0xff, 0xff);
}

static void a_clear_session_is_held_to_its_payload_crc(void **state)
{
    struct oms_writing of = { .link = water,
                              .ci = 0x78,
                              .ell = 0x8d,
                              .session = 0x01234567,
                              .records = { volume, sizeof volume } };
    struct span bytes = encode(&of);
    struct oms_telegram t;
    struct refusal r;
    struct frame f;

    (void)state;
    assert_ok(peel(bytes, &t, &f, &r));
    assert_int_equal(f.seq, 0x01234567);
    room[bytes.len - 1] ^= 1;
    expect("crc", room, bytes.len, ERR_MALFORMED, "ell.crc", "does not fit");
    room[16] = 0x41; /* mode 2 of the session */
    expect("mode", room, bytes.len, ERR_UNSUPPORTED, "ell.sn", "mode 2");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_is_the_standards),
        cmocka_unit_test_setup_teardown(one_telegram_says_the_same_in_every_form, arena_begin,
                                        arena_end),
        cmocka_unit_test_setup_teardown(a_damaged_byte_is_found_by_its_link_crc, arena_begin,
                                        arena_end),
        cmocka_unit_test_setup_teardown(a_telegram_cut_anywhere_is_refused, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(a_bare_telegram_that_ends_like_format_b_is_read_whole,
                                        arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(wired_frames_without_data_are_refused_by_name, arena_begin,
                                        arena_end),
        cmocka_unit_test_setup_teardown(wired_frames_are_summed_and_measured, arena_begin,
                                        arena_end),
        cmocka_unit_test_setup_teardown(a_wired_telegram_without_long_header_names_no_meter,
                                        arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(a_meter_has_three_names, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(the_long_header_names_the_meter_and_no_receiver_does,
                                        arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(makers_that_turn_their_address_are_read_as_printed,
                                        arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(status_is_kept_raw_and_meant, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(layers_out_of_order_are_refused, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(fragments_are_refused_with_a_sentence, arena_begin,
                                        arena_end),
        cmocka_unit_test_setup_teardown(every_ci_field_has_a_name, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(alarms_and_errors_tell_their_status_and_no_value,
                                        arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(a_format_frame_proves_its_list, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(a_clear_session_is_held_to_its_payload_crc, arena_begin,
                                        arena_end),
    };

    return check_run(tests, argc, argv);
}
