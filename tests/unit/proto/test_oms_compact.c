/* Compact frames: what full ones and format frames teach, and what does not fit. */
#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/oms_compact.h"
#include "proto/oms_encode.h"
#include "tests/check.h"
#include "tests/one_meter.h"

#include <stdio.h>
#include <string.h>

#define ARRIVAL_S 1795651200

static struct arena arena;
static struct frame frame;
static struct refusal why;

/* ---- what the meter's register knows -------------------------------------------------------- */

static uint8_t key[16];
static struct one_meter its = { .keys = { { key, sizeof key } } };
static struct format_id known_id;
static uint8_t known_list[256];
static size_t known_len;
static uint8_t rival_list[256]; /* another of the same signature */
static size_t rival_len;

static bool known(void *arg, const struct format_id *id, struct span *out_list_view)
{
    (void)arg;
    *out_list_view = id->nth ? span_of(rival_list, rival_len) : span_of(known_list, known_len);
    return id->nth < 2 && out_list_view->len && id->maker == known_id.maker &&
           id->signature == known_id.signature && id->version == known_id.version &&
           id->type == known_id.type && id->sealed == known_id.sealed;
}

static struct lore lore;

static void learn(void)
{
    assert_true(frame.has_format);
    assert_true(frame.format_list.len <= sizeof known_list);
    known_id = frame.format;
    known_len = frame.format_list.len;
    memcpy(known_list, frame.format_list.at, known_len);
}

static int forget(void **state)
{
    (void)state;
    lore = one_meter_lore(&its);
    lore.format = known;
    its.key_count = 0;
    known_len = rival_len = 0;
    return 0;
}

static void use_key(const char *hex)
{
    size_t len;

    assert_ok(hex_read(span_text(hex), key, sizeof key, &len));
    assert_int_equal(len, sizeof key);
    its.key_count = 1;
}

static enum err take(struct span bytes)
{
    static const struct frame none;
    struct dialect_input in = { .bytes = check_guarded(bytes),
                                .arrival_s = ARRIVAL_S,
                                .lore = &lore };
    enum err err;

    arena_clear(&arena);
    frame = none;
    why = (struct refusal){ .err = ERR_OK };
    err = dialect_by_name(span_text("oms"))->decode(&in, &arena, &frame, &why);
    assert_int_equal(err, why.err);
    return err;
}

static enum err take_hex(const char *hex)
{
    uint8_t bytes[300];
    size_t len = 0;

    assert_ok(hex_read(span_text(hex), bytes, sizeof bytes, &len));
    return take(span_of(bytes, len));
}

static int64_t total_ml(void)
{
    assert_true(frame.series_count > 0 && frame.series[0].channel == CHANNEL_BILLED);
    assert_int_equal(frame.series[0].samples[0].at_s, ARRIVAL_S);
    return frame.series[0].samples[0].value;
}

/* ---- cases/field.md, WM2 -------------------------------------------------------------------- */

static const char first[] =
    "23442d2c445668741b168d2013c1875020fabdf7ed2af48698b8b1bbde661c9bcca3820f";
static const char full[] =
    "2a442d2c445668741b168d2014c287502045df521de588e8f63c64a54ee971543887affc5a4"
    "7a92a5bbb5f";
static const char later[] =
    "23442d2c445668741b168d2015c38750200ea3f33e9904d31a71558b24aeb7ed08ae0d45";
static const char off_by_one[] =
    "23442d2c445668741b168d2016c4875020b4c9af00df7ef859c7f780129dcea1f0bff348";

static void a_compact_frame_waits_for_a_full_one_and_is_read_after_it(void **state)
{
    (void)state;
    use_key("B91EAF561BEF664ADD91875125763485");
    assert_err(ERR_NO_FORMAT, take_hex(first));
    assert_non_null(strstr(why.text, "A8ED"));
    assert_true(span_equal(frame_name(&frame), span_text("KAM-74685644-1B-16")));
    assert_ok(take_hex(full));
    assert_int_equal(total_ml(), 163712000);
    assert_int_equal(frame.format.signature, 0xa8ed);
    learn();
    assert_ok(take_hex(first));
    assert_int_equal(total_ml(), 163712000);
    assert_false(frame.has_format);
    assert_ok(take_hex(later));
    assert_int_equal(total_ml(), 163717000);
}

static void data_that_fail_their_crc_are_no_reading_and_ban_nobody(void **state)
{
    (void)state;
    use_key("B91EAF561BEF664ADD91875125763485");
    assert_ok(take_hex(full));
    learn();
    assert_err(ERR_DAMAGED, take_hex(off_by_one));
    assert_int_equal(frame.series_count, 0);
    assert_true(frame.names.count > 0);
    assert_ok(take_hex(later));
    assert_int_equal(total_ml(), 163717000);
}

static void a_wrong_key_is_told_before_a_missing_format(void **state)
{
    static const char *const frames[] = { first, full, later };

    (void)state;
    use_key("B91EAF561BEF664ADD91875125763486");
    for (size_t i = 0; i < 3; i++)
        assert_err(ERR_WRONG_KEY, take_hex(frames[i]));
}

static void explain_shows_the_records_of_a_compact_frame(void **state)
{
    static uint8_t text[1 << 16];
    uint8_t bytes[64];
    size_t len = 0;
    struct wr w = wr_of(text, sizeof text - 1);
    struct dialect_input in = { .arrival_s = ARRIVAL_S, .lore = &lore };

    (void)state;
    use_key("B91EAF561BEF664ADD91875125763485");
    assert_ok(take_hex(full));
    learn();
    assert_ok(hex_read(span_text(first), bytes, sizeof bytes, &len));
    in.bytes = span_of(bytes, len);
    arena_clear(&arena);
    assert_ok(dialect_explain(dialect_by_name(span_text("oms")), &in, false, &arena, &w, &why));
    text[wr_len(&w)] = 0;
    assert_non_null(strstr((char *)text, "full records, by the learned format"));
    assert_non_null(strstr((char *)text, "volume               163.712 m3 = 163712 L"));
    assert_non_null(strstr((char *)text, "volume.storage1      139.175 m3"));
}

/* ---- frames of our own ---------------------------------------------------------------------- */

static enum err take_made_by(uint8_t mode, uint8_t ci, const char *hex)
{
    uint8_t records[256], made[OMS_TELEGRAM_MOST];
    struct wr w = wr_of(made, sizeof made);
    struct oms_writing of = { .link = { OMS_MAKER('N', 'I', 'L'), 0x10000017, 1, 7 },
                              .ci = ci,
                              .access = 42,
                              .mode = mode,
                              .key = key };
    size_t len = 0;

    assert_ok(hex_read(span_text(hex), records, sizeof records, &len));
    of.records = span_of(records, len);
    assert_ok(oms_encode(&of, &w));
    return take(wr_span(&w));
}

static enum err take_made(uint8_t ci, const char *hex)
{
    return take_made_by(0, ci, hex);
}

static uint16_t crc_of(const char *hex)
{
    uint8_t bytes[256];
    size_t len = 0;

    assert_ok(hex_read(span_text(hex), bytes, sizeof bytes, &len));
    return oms_crc(span_of(bytes, len));
}

/* A compact frame's hex: signature and CRC over the list and the full records, then the data. */
static const char *compact_hex(const char *list, const char *records, const char *data)
{
    static char text[600];
    uint16_t signature = crc_of(list), crc = crc_of(records);

    snprintf(text, sizeof text, "%02x%02x %02x%02x %s", signature & 255, signature >> 8, crc & 255,
             crc >> 8, data);
    return text;
}

static void every_kind_of_data_comes_back(void **state)
{
    static const struct {
        const char *list, *full, *data;
    } cases[] = {
        { "0413 02fd17", "0413 0a000000 02fd17 0000", "0a000000 0000" },
        { "8404933b 0413", "8404933b 0a000000 0413 0a000000", "0a000000 0a000000" },
        { "0dfd11 0413", "0dfd11 03 434241 0413 0a000000", "03 434241 0a000000" },
        { "02fc0374 6f703b 0413", "02fc0374 6f703b 0a00 0413 0a000000", "0a00 0a000000" },
        { "0013 0413", "0013 0413 0a000000", "0a000000" },
        { "0413 0f", "0413 0a000000 0f 010203", "0a000000 010203" },
        { "8d049313 0413", "8d049313 04 31fe 0102 0413 0a000000", "04 31fe 0102 0a000000" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(take_made(0x7a, cases[i].full));
        assert_int_equal(frame.format.signature, crc_of(cases[i].list));
        learn();
        assert_ok(take_made(0x7b, compact_hex(cases[i].list, cases[i].full, cases[i].data)));
        assert_int_equal(total_ml(), 10000);
        assert_ok(take_made(0x79, compact_hex(cases[i].list, cases[i].full, cases[i].data)));
        assert_int_equal(total_ml(), 10000);
    }
}

static void a_format_frame_teaches_as_well(void **state)
{
    char hex[64];
    uint16_t signature = crc_of("0413 02fd17");

    (void)state;
    snprintf(hex, sizeof hex, "%02x%02x 0413 02fd17", signature & 255, signature >> 8);
    assert_ok(take_made(0x6a, hex));
    assert_int_equal(frame.series_count, 0);
    assert_int_equal(frame.format.signature, signature);
    learn();
    assert_ok(
        take_made(0x7b, compact_hex("0413 02fd17", "0413 0a000000 02fd17 0000", "0a000000 0000")));
    assert_int_equal(total_ml(), 10000);
}

static void a_format_is_of_one_maker_version_and_type(void **state)
{
    const char *compact;

    (void)state;
    assert_ok(take_made(0x7a, "0413 0a000000"));
    learn();
    compact = compact_hex("0413", "0413 0a000000", "0a000000");
    known_id.version++;
    assert_err(ERR_NO_FORMAT, take_made(0x7b, compact));
    known_id.version--;
    known_id.type++;
    assert_err(ERR_NO_FORMAT, take_made(0x7b, compact));
    known_id.type--;
    known_id.maker++;
    assert_err(ERR_NO_FORMAT, take_made(0x7b, compact));
    known_id.maker--;
    assert_ok(take_made(0x7b, compact));
}

static void data_of_another_length_are_damaged(void **state)
{
    static const char list[] = "0413 02fd17", records[] = "0413 0a000000 02fd17 0000";
    static const char *const data[] = { "", "0a", "0a000000", "0a000000 00", "0a000000 0000 01" };

    (void)state;
    assert_ok(take_made(0x7a, records));
    learn();
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++)
        assert_err(ERR_DAMAGED, take_made(0x7b, compact_hex(list, records, data[i])));
    /* Fillers up to a whole block of a cipher are none of the data. */
    assert_ok(take_made(0x7b, compact_hex(list, records, "0a000000 0000 2f2f2f")));
}

/* The signature and the CRC of the full records have sixteen bits each, and are linear: the second list fits whatever the first
 * fits, whatever the data, and says ten times as much. */
static const char list_of_meter[] = "0413 02fd17 046d 4413 426c";
static const char list_made_up[] = "0414 02882e 046d 6502 6261";
static const char its_records[] = "0413 0a000000 02fd17 0000 046d 322d7a36 4413 05000000 426c 5f35";
static const char its_data[] = "0a000000 0000 322d7a36 05000000 5f35";

static void rival(const char *hex)
{
    assert_ok(hex_read(span_text(hex), rival_list, sizeof rival_list, &rival_len));
}

static void lists_that_fit_every_frame_alike_make_no_reading(void **state)
{
    const char *compact = compact_hex(list_of_meter, its_records, its_data);

    (void)state;
    assert_int_equal(crc_of(list_of_meter), crc_of(list_made_up));
    assert_ok(take_made(0x7a, its_records));
    learn();
    rival("0414 02fd17 046d 4413 426c"); /* fits nothing: the CRC tells */
    assert_ok(take_made(0x7b, compact));
    assert_int_equal(frame.series[0].samples[0].value, 10000);
    rival(list_made_up);
    assert_err(ERR_DAMAGED, take_made(0x7b, compact));
    assert_non_null(strstr(why.text, "two formats"));
    assert_int_equal(frame.series_count, 0);
}

static void a_sealed_frame_is_not_read_by_what_anybody_could_say(void **state)
{
    const char *compact = compact_hex(list_of_meter, its_records, its_data);

    (void)state;
    use_key("000102030405060708090A0B0C0D0E0F");
    assert_ok(take_made(0x7a, its_records));
    assert_false(frame.format.sealed);
    learn();
    assert_ok(take_made(0x7b, compact));
    assert_err(ERR_NO_FORMAT, take_made_by(5, 0x7b, compact));
    assert_ok(take_made_by(5, 0x7a, its_records));
    assert_true(frame.format.sealed);
    learn();
    assert_ok(take_made_by(5, 0x7b, compact));
    assert_ok(take_made(0x7b, compact)); /* what a key proved serves all */
}

/* What lore remembers is not trusted: whatever the list, an answer. */
static void any_list_is_answered(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t list[24], data[40];
        struct oms_telegram t = { .content = OMS_COMPACT, .full_crc = 7 };
        struct span out, heads;
        enum err err;

        check_fill(&r, list, sizeof list);
        check_fill(&r, data, sizeof data);
        heads = check_guarded(span_of(list, check_below(&r, sizeof list + 1)));
        t.records = check_guarded(span_of(data, check_below(&r, sizeof data + 1)));
        arena_clear(&arena);
        err = oms_expand(&t, heads, &arena, &out, &why);
        assert_true(err == ERR_OK || err == ERR_DAMAGED);
        check_unguard(heads.at, heads.len);
        check_unguard(t.records.at, t.records.len);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_compact_frame_waits_for_a_full_one_and_is_read_after_it, forget),
        cmocka_unit_test_setup(data_that_fail_their_crc_are_no_reading_and_ban_nobody, forget),
        cmocka_unit_test_setup(a_wrong_key_is_told_before_a_missing_format, forget),
        cmocka_unit_test_setup(explain_shows_the_records_of_a_compact_frame, forget),
        cmocka_unit_test_setup(every_kind_of_data_comes_back, forget),
        cmocka_unit_test_setup(a_format_frame_teaches_as_well, forget),
        cmocka_unit_test_setup(a_format_is_of_one_maker_version_and_type, forget),
        cmocka_unit_test_setup(data_of_another_length_are_damaged, forget),
        cmocka_unit_test_setup(lists_that_fit_every_frame_alike_make_no_reading, forget),
        cmocka_unit_test_setup(a_sealed_frame_is_not_read_by_what_anybody_could_say, forget),
        cmocka_unit_test_setup(any_list_is_answered, forget),
    };

    if (arena_init(&arena, LIMIT_DECODE_ARENA))
        return 1;
    return check_run(tests, argc, argv);
}
