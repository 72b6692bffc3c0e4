/* Frames and what they say, broken ones and the exact refusal: tests/golden/DIALECT/NAME.hex + .json,
 * tests/reject/DIALECT/NAME.hex + .err; NAME.raw instead of .hex holds the bytes as they are (JSON).
 * All arrive at 2026-11-26T00:00:00Z, in UTC+8, of a meter that is registered; beside them may stand
 * NAME.key (the meter's key, hex) and NAME.profile (its dialect or recipe in the register).  The
 * native ones were made by Google's protoc, not by our encoder. */
#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/dialect.h"
#include "tests/check.h"
#include "tests/one_meter.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRIVAL_S 1795651200

static const struct dialect *dialect;
static struct arena arena;

/* ---- what decoders may ask ------------------------------------------------------------------ */

static uint8_t key[64];
static char profile[64];
static struct one_meter its = { .profile = profile };
static struct lore lore;

/* A file beside the frame's, without the line end; empty where there is none. */
static struct span beside(const char *stem, const char *suffix, char room[4096])
{
    char path[4200];
    FILE *f;
    size_t len;

    snprintf(path, sizeof path, "%s%s", stem, suffix);
    f = fopen(path, "r");
    len = f ? fread(room, 1, 4095, f) : 0;
    if (f)
        fclose(f);
    while (len && room[len - 1] <= ' ')
        len--;
    room[len] = 0;
    return span_of(room, len);
}

static void lore_read(const char *stem)
{
    char room[4096];
    size_t key_len = 0;

    assert_ok(hex_read(beside(stem, ".key", room), key, sizeof key, &key_len));
    its.keys[0] = span_of(key, key_len);
    its.key_count = key_len > 0;
    snprintf(profile, sizeof profile, "%.63s", (const char *)beside(stem, ".profile", room).at);
}

/* ---- a frame as JSON ------------------------------------------------------------------------ */

static json_t *time_json(int64_t at_s)
{
    char text[TEXT_TIME_SIZE];

    if (at_s < 0)
        return json_sprintf("%lld", (long long)at_s);
    text_put_time(text, at_s);
    return json_string(text);
}

static json_t *series_json(const struct series *s)
{
    json_t *values = json_array();

    for (uint32_t k = 0; k < s->count; k++) {
        char litres[TEXT_LITRES_SIZE];

        text_put_litres(litres, s->samples[k].value);
        json_array_append_new(values, json_pack("[os]", time_json(s->samples[k].at_s), litres));
    }
    return json_pack("{ssso}", "channel", channel_name(s->channel), "values", values);
}

static json_t *frame_json(const struct frame *f)
{
    json_t *series = json_array(), *outcomes = json_array();

    for (uint32_t i = 0; i < f->series_count; i++)
        json_array_append_new(series, series_json(&f->series[i]));
    for (uint32_t i = 0; i < f->outcome_count; i++)
        json_array_append_new(outcomes, json_pack("[II]", (json_int_t)f->outcomes[i].command,
                                                  (json_int_t)f->outcomes[i].result));
    return json_pack("{ss%sIsosIsIsisisIsoso}", "serial",
                     (const char *)(frame_name(f).len ? frame_name(f).at : (const uint8_t *)""),
                     frame_name(f).len, "seq", (json_int_t)f->seq, "sent",
                     f->sent_s ? time_json(f->sent_s) : json_null(), "status",
                     (json_int_t)f->status, "battery_mv", (json_int_t)f->battery_mv, "rsrp_dbm",
                     f->rsrp_dbm, "snr_db", f->snr_db, "cell", (json_int_t)f->cell, "series",
                     series, "outcomes", outcomes);
}

/* ---- files ---------------------------------------------------------------------------------- */

static struct span frame_file(const char *path)
{
    struct span text = check_read(path), guarded;
    uint8_t *bytes = malloc(text.len + 1);
    size_t len = text.len;

    assert_non_null(bytes);
    if (span_ends(span_text(path), ".raw"))
        memcpy(bytes, text.at, text.len);
    else
        assert_ok(hex_read(text, bytes, text.len + 1, &len));
    guarded = check_guarded(span_of(bytes, len));
    free(bytes);
    free((void *)text.at);
    return guarded;
}

static void golden(const char *path, const char *stem)
{
    struct dialect_input in = { .bytes = frame_file(path), .arrival_s = ARRIVAL_S, .lore = &lore };
    struct refusal r = { .err = ERR_OK };
    char expected_path[4200];
    json_t *expected, *found;
    struct frame f;
    enum err err;

    lore_read(stem);
    arena_clear(&arena);
    memset(&f, 0, sizeof f);
    err = dialect->decode(&in, &arena, &f, &r);
    if (err)
        fail_msg("%s: %s %s: %s", path, err_name(err), r.field, r.text);
    snprintf(expected_path, sizeof(expected_path), "%s.json", stem);
    expected = json_load_file(expected_path, 0, NULL);
    found = frame_json(&f);
    if (!expected || !json_equal(expected, found))
        fail_msg("%s: says %s", path, json_dumps(found, 0));
    json_decref(expected);
    json_decref(found);
    check_unguard(in.bytes.at, in.bytes.len);
}

static void rejected(const char *path, const char *stem)
{
    struct dialect_input in = { .bytes = frame_file(path), .arrival_s = ARRIVAL_S, .lore = &lore };
    struct refusal r = { .err = ERR_OK };
    char expected_path[4200], found[400];
    struct span expected;
    struct frame f;
    enum err err;

    lore_read(stem);
    arena_clear(&arena);
    memset(&f, 0, sizeof f);
    err = dialect->decode(&in, &arena, &f, &r);
    assert_int_equal(err, r.err);
    assert_int_not_equal(err, ERR_OK);
    snprintf(found, sizeof(found), "%s %s %u\n%s\n", err_name(err), r.field, r.offset, r.text);
    snprintf(expected_path, sizeof(expected_path), "%s.err", stem);
    expected = check_read(expected_path);
    if (strcmp(found, (const char *)expected.at))
        fail_msg("%s: expected\n%sfound\n%s", path, (const char *)expected.at, found);
    free((void *)expected.at);
    check_unguard(in.bytes.at, in.bytes.len);
}

/* Whatever is cut off: an answer, and no byte too far. */
static void cut(const char *path, const char *stem)
{
    struct span whole = frame_file(path);

    lore_read(stem);
    for (size_t len = 0; len < whole.len; len++) {
        struct dialect_input in = { .bytes = check_guarded(span_of(whole.at, len)),
                                    .arrival_s = ARRIVAL_S,
                                    .lore = &lore };
        static uint8_t text[1 << 18];
        struct wr w = wr_of(text, sizeof(text));
        struct refusal r = { .err = ERR_OK };
        struct frame f;
        enum err err;

        arena_clear(&arena);
        memset(&f, 0, sizeof f);
        err = dialect->decode(&in, &arena, &f, &r);
        assert_int_equal(err, r.err);
        assert_int_not_equal(err, ERR_NO_MEMORY);
        arena_clear(&arena);
        err = dialect_explain(dialect, &in, len % 2, &arena, &w, &r);
        assert_true(err == ERR_OK || err_of_frame(err));
        check_unguard(in.bytes.at, in.bytes.len);
    }
    check_unguard(whole.at, whole.len);
}

static void in_each_dialect(const char *kind, void (*each)(const char *path, const char *stem))
{
    assert_ok(arena_init(&arena, LIMIT_DECODE_ARENA));
    lore = one_meter_lore(&its);
    one_meter_shelve(&its);
    for (size_t n = 0; (dialect = dialect_at(n)); n++) {
        char folder[4096];
        size_t count;

        if (dialect->id == DIALECT_RECIPE)
            continue; /* recipes bring their samples along */
        snprintf(folder, sizeof(folder), "%s/tests/%s/%s", NILO_SOURCE_DIR, kind, dialect->name);
        if (access(folder, R_OK))
            continue;
        count = check_each_file(folder, ".hex", each) + check_each_file(folder, ".raw", each);
        print_message("%s: %zu frames\n", folder, count);
        assert_true(count > 0);
    }
    one_meter_done(&its);
    arena_done(&arena);
}

static void golden_frames_say_what_they_say(void **state)
{
    (void)state;
    in_each_dialect("golden", golden);
}

static void broken_frames_are_refused_by_name_and_place(void **state)
{
    (void)state;
    in_each_dialect("reject", rejected);
}

static void frames_cut_at_every_byte_are_answered(void **state)
{
    (void)state;
    in_each_dialect("golden", cut);
    in_each_dialect("reject", cut);
}

static void dialects_are_found_by_name_and_number(void **state)
{
    (void)state;
    for (size_t n = 0; (dialect = dialect_at(n)); n++) {
        assert_ptr_equal(dialect_by_name(span_text(dialect->name)), dialect);
        assert_ptr_equal(dialect_by_id(dialect->id), dialect);
    }
    assert_int_equal(dialect_by_name(span_text("native"))->id, 1); /* stands in journals */
    assert_null(dialect_by_name(span_text("")));
    assert_null(dialect_by_name(span_text("nativ")));
    assert_null(dialect_by_id(0));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_frames_say_what_they_say),
        cmocka_unit_test(broken_frames_are_refused_by_name_and_place),
        cmocka_unit_test(frames_cut_at_every_byte_are_answered),
        cmocka_unit_test(dialects_are_found_by_name_and_number),
    };

    return check_run(tests, argc, argv);
}
