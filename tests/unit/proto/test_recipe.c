/* Recipes: every shipped one says what its samples state; every refusal of the reader names its place; the interpreter believes no
 * payload and no recipe. */
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/recipe.h"
#include "proto/trace.h"

#define HEAD "recipe t\nversion 1\ntitle T\nsource S\ncarrier raw\n"
#define SAMPLE "sample s\n bytes 00\n arrived 2026-03-01T00:00:00Z\n gives 1 L\nend\n"
#define ARRIVAL 1772323200 /* 2026-03-01T00:00:00Z */

/* ---- what the program ships ---- */

static void every_shipped_recipe_says_what_its_samples_state(void **state)
{
    struct arena a;
    struct refusal r;
    struct span text, last = span_of("", 0);
    size_t n = 0;

    (void)state;
    assert_ok(arena_init(&a, 1 << 20));
    for (; (text = recipe_shipped(n)).len; n++) {
        struct recipe *recipe;

        if (recipe_new(text, &recipe, &r))
            fail_msg("%.60s: %s", (const char *)text.at, r.text);
        for (unsigned i = 0; i < recipe_about(recipe)->sample_count; i++) {
            arena_clear(&a);
            if (recipe_test(recipe, i, &a, NULL, &r))
                fail_msg("%.*s: %s", (int)recipe_about(recipe)->name.len,
                         (const char *)recipe_about(recipe)->name.at, r.text);
        }
        recipe_free(recipe);
        last = text;
    }
    assert_true(n >= 10);
    assert_true(last.len);
    arena_done(&a);
}

/* The page that explains the format has a whole file in it. */
static void the_example_that_explains_recipes_says_what_it_states(void **state)
{
    struct span page = check_read(NILO_SOURCE_DIR "/proto/RECIPES.md");
    const char *begin = strstr((const char *)page.at, "\nrecipe   "), *end;
    struct recipe *recipe;
    struct refusal r;
    struct arena a;

    (void)state;
    assert_non_null(begin);
    end = strstr(begin, "\n```");
    assert_non_null(end);
    assert_ok(arena_init(&a, 1 << 20));
    if (recipe_new(span_of(begin, (size_t)(end - begin) + 1), &recipe, &r))
        fail_msg("%s", r.text);
    if (recipe_test(recipe, 0, &a, NULL, &r))
        fail_msg("%s", r.text);
    recipe_free(recipe);
    arena_done(&a);
    free((void *)page.at);
}

/* ---- the reader's refusals ---- */

static void refused(const char *text, const char *expected)
{
    struct recipe *recipe = NULL;
    struct refusal r = { 0 };
    struct span guarded = check_guarded(span_text(text));

    assert_err(ERR_INVALID, recipe_new(guarded, &recipe, &r));
    assert_null(recipe);
    if (!strstr(r.text, expected))
        fail_msg("'%s'\nexpected %s\nfound    %s", text, expected, r.text);
    check_unguard(guarded.at, guarded.len);
}

static void a_heading_that_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    refused("", "has 1 to 65536 bytes");
    refused("recipe t\001\n", "UTF-8 text without control");
    refused("\xff\xfe", "UTF-8 text");
    refused("recipe\n", "line 1, column 7: expected the recipe's name");
    refused("recipe a/b\n", "line 1, column 8: expected the recipe's name");
    refused("recipe oms\n", "a name that no dialect has");
    refused("recipe t x\n", "line 1, column 10: expected the end of the line, found 'x'");
    refused("version 0\n", "line 1, column 9: expected a version from 1 to 65535, found '0'");
    refused("version x\n", "expected a version");
    refused("title   # nothing\n", "expected a title");
    refused("source\n", "where the facts come from");
    refused("carrier pigeon\n", "expected a carrier: raw, cjt188, oms or lorawan, found 'pigeon'");
    refused("carrier lorawan port 2\n", "'fport'");
    refused("carrier lorawan fport 224\n", "a port from 1 to 223");
    refused("carrier lorawan fport 1 2 3 4 5 6 7 8 9\n", "more than 8 ports");
    refused("match mbus KAM 1B 16 ci A2\n", "expected 'oms'");
    refused("match oms Kam 1B 16 ci A2\n", "three capital letters");
    refused("match oms KAM 1 16 ci A2\n", "the version as two hex digits");
    refused("match oms KAM 1B x ci A2\n", "the device type as two hex digits");
    refused("match oms KAM 1B 16 A2\n", "expected 'ci'");
    refused("match oms KAM 1B 16 ci *\n", "the CI field as two hex digits");
    refused("order middle\n", "'little' or 'big'");
    refused("zone +-8:00\n", "'utility', 'utc' or an offset as +08:00");
    refused("zone +08:-5\n", "'utility', 'utc' or an offset as +08:00");
    refused("zone +8\n", "'utility', 'utc' or an offset as +08:00");
    refused(HEAD "a u8\nversion 2\n", "line 7, column 1: 'version' belongs above the layout");
    refused("version 1\ntitle T\nsource S\n", "expected a line 'recipe NAME'");
    refused("recipe t\ntitle T\nsource S\n", "expected a line 'version N'");
    refused("recipe t\nversion 1\nsource S\n", "expected a line 'title TEXT'");
    refused("recipe t\nversion 1\ntitle T\n", "expected a line 'source TEXT'");
    refused(HEAD "a u8\n" SAMPLE, "expected a line 'reading'");
    refused(HEAD "a u8\nreading a 1 L\n", "expected a sample");
    refused(HEAD "match oms KAM 1B 16 ci A2\na u8\nreading a 1 L\n" SAMPLE, "need 'carrier oms'");
}

static void a_layout_that_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    refused(HEAD "Volume u8\n", "line 6, column 1: expected a statement, or a field's name");
    refused(HEAD "a u9\n", "line 6, column 3: expected a form");
    refused(HEAD "a u72\n", "expected a form");
    refused(HEAD "a bcd3\n", "expected a form");
    refused(HEAD "a bcd20\n", "expected a form");
    refused(HEAD "a ascii0\n", "expected a form");
    refused(HEAD "a ascii8le\n", "expected a form");
    refused(HEAD "a\n", "expected a form");
    refused(HEAD "a u8 equals 3\n", "'is', 'must', 'invalid'");
    refused(HEAD "a u8 is x\n", "expected a number, found 'x'");
    refused(HEAD "a time\n", "a form of time");
    refused(HEAD "a time bcd MM DD\n", "year, month and day at least");
    refused(HEAD "heard u8\n", "'heard' is there already");
    refused(HEAD "a = b\n", "a number, or a field that stands above, found 'b'");
    refused(HEAD "a = 1 ? 2\n", "one of + - * /");
    refused(HEAD "a = 1 + 2 + 3\n", "column 11: expected the end of the line, found '+'");
    refused(HEAD "a = date 1 2\n", "a number, or a field that stands above");
    refused(HEAD "a = 99999999999999999999\n", "a number, or a field");
    refused(HEAD "if a == 1\n", "a field that stands above, found 'a'");
    refused(HEAD "a u8\nif a = 1\n", "one of == !=");
    refused(HEAD "a u8\nif a == 1\nreading a 1 L\n" SAMPLE, "the block of line 7 lacks its 'end'");
    refused(HEAD "else\n", "'else' without an 'if'");
    refused(HEAD "a u8\nif a == 1\nelse\nelse\n", "'else' without an 'if'");
    refused(HEAD "a u8\nif a == 1\nelse\nelif a == 2\n", "'elif' without an 'if'");
    refused(HEAD "end\n", "'end' without a block");
    refused(HEAD "repeat\n", "a number, or a field");
    refused(HEAD "repeat to a\n", "expected 'end', found 'a'");
    refused(HEAD "repeat 2 as heard\n", "'heard' is there already");
    refused(HEAD "tag 1\n", "'tag' without 'tags'");
    refused(HEAD "tags t i8\n", "the tag's form: u8 to u32");
    refused(HEAD "tags t u8 len u8\n", "'length' or the end");
    refused(HEAD "tags t u8 length bcd2\n", "the length's form");
    refused(HEAD "tags t u8\na u8\n", "expected 'tag' or 'end', found 'a'");
    refused(HEAD "tags t u8\ntag x\n", "the tag's value");
    refused(HEAD "a u8\nif a == 1\nlimit 2\n", "'limit' stands outside of blocks");
    refused(HEAD "skip x\n", "a number, or a field");
    refused(HEAD "seek\n", "a number, or a field");
    refused(HEAD "checksum crc32 from 0 to -2 at -1\n", "a sum: sum8");
    refused(HEAD "checksum sum8 0 to -2 at -1\n", "expected 'from' and a byte's number");
    refused(HEAD "checksum sum8 from 0 to x at -1\n", "a byte's number");
    refused(HEAD "reading a 1 L\n", "a field that stands above");
    refused(HEAD "a u8\nreading a 0 L\n", "what one count is");
    refused(HEAD "a u8\nreading a 1/0 L\n", "what one count is");
    refused(HEAD "a u8\nreading a -1 L\n", "what one count is");
    refused(HEAD "a u8\nreading a 0.0000001 L\n", "what one count is");
    refused(HEAD "a u8\nreading a 1 CFX\n", "a unit: L, mL, m3, gal, ft3");
    refused(HEAD "a u8\nreading a 1 bar forward\n", "a channel that fits the unit");
    refused(HEAD "a u8\nreading a 1 L pressure\n", "a channel that fits the unit");
    refused(HEAD "a u8\nreading a 1 L now\n", "forward, reverse, net, 'at'");
    refused(HEAD "a u8\nreading a 1 L at b\n", "a field that stands above, found 'b'");
    refused(HEAD "a u8\nstatus WET if a & 1\n", "'raw', or a status");
    refused(HEAD "a u8\nstatus LEAK a & 1\n", "'if' and a condition");
    refused(HEAD "a u8\nbattery a x mV\n", "what one count is");
    refused(HEAD "a u8\nbattery a 1 W\n", "'mV' or 'V'");
    refused(HEAD "a time unix\nname a\n", "a name is read as ascii");
    refused(HEAD "sent\n", "a field that stands above");
}

static void a_sample_that_is_wrong_is_refused_with_its_place(void **state)
{
#define BODY HEAD "a u8\nreading a 1 L\n"
    (void)state;
    refused(BODY "sample\n", "line 8, column 7: expected what the sample shows");
    refused(BODY "sample s\n bytes 0\n", "pairs of hex digits");
    refused(BODY "sample s\n arrived yesterday\n", "a time as 2026-03-01T02:00:00+08:00");
    refused(BODY "sample s\n takes 1\n", "bytes, arrived, sent, gives or end");
    refused(BODY "sample s\n gives x L\n", "a channel and a value");
    refused(BODY "sample s\n gives 1 gal\n", "a unit: L, m3, kPa or C");
    refused(BODY "sample s\n gives 1 L on\n", "'at' or the end of the line");
    refused(BODY "sample s\n gives status\n", "a status as LEAK");
    refused(BODY "sample s\n gives battery 3 V\n", "'mV' behind the number");
    refused(BODY "sample s\n gives name a/b\n", "a meter's name");
    refused(BODY "sample s\n gives refusal no\n", "an error as no_recipe");
    refused(BODY "sample s\nend\n", "lacks a line 'bytes HEX'");
    refused(BODY "sample s\n bytes 00\nend\n", "lacks a line 'gives");
    refused(BODY "sample s\n bytes 00\n gives 1 L\nend\n", "lacks a line 'arrived TIME'");
    refused(BODY "sample s\n bytes 00\n", "the sample of line 8 lacks its 'end'");
    refused(BODY SAMPLE "b u8\n", "expected 'sample': the layout ends");
#undef BODY
}

/* Bounds are refused, not overrun. */
static void a_recipe_has_bounds(void **state)
{
    char *text = (char *)malloc(RECIPE_TEXT_MAX + 2);
    size_t len;

    (void)state;
    len = (size_t)sprintf(text, "%s", HEAD);
    for (int i = 0; i < 200; i++)
        len += (size_t)sprintf(text + len, "f%d u8\n", i);
    refused(text, "more than 92 fields");
    len = (size_t)sprintf(text, HEAD "a u8\n");
    for (int i = 0; i < 1100; i++)
        len += (size_t)sprintf(text + len, "skip a\n");
    refused(text, "at most 1024 steps");
    len = (size_t)sprintf(text, HEAD "a u8\n");
    for (int i = 0; i < 9; i++)
        len += (size_t)sprintf(text + len, "if a == 1\n");
    refused(text, "blocks stand at most 8 deep");
    len = (size_t)sprintf(text, HEAD "a u8\n");
    for (int i = 0; i < 17; i++)
        len += (size_t)sprintf(text + len, "repeat 1\nend\n");
    refused(text, "more than 16 loops");
    len = (size_t)sprintf(text, HEAD "a u8 is");
    for (int i = 0; i < 513; i++)
        len += (size_t)sprintf(text + len, " %d", i);
    refused(text, "more than 512 constants");
    len = (size_t)sprintf(text, HEAD "a u8\nreading a 1 L\n");
    for (int i = 0; i < 33; i++)
        len += (size_t)sprintf(text + len, SAMPLE);
    refused(text, "more than 32 samples");
    len = (size_t)sprintf(text, HEAD "a u8\nreading a 1 L\nsample s\n");
    for (int i = 0; i < 129; i++)
        len += (size_t)sprintf(text + len, "gives 1 L\n");
    refused(text, "at most 128 values");
    len = 0;
    for (int i = 0; i < 17; i++)
        len += (size_t)sprintf(text + len, "match oms KAM 1B 16 ci A2\n");
    refused(text, "more than 16 lines 'match'");
    memset(text, '#', RECIPE_TEXT_MAX + 1);
    text[RECIPE_TEXT_MAX + 1] = 0;
    refused(text, "has 1 to 65536 bytes, this has 65537");
    free(text);
}

/* ---- samples are held ---- */

static void held(const char *text, const char *expected)
{
    struct recipe *recipe;
    struct refusal r = { 0 };
    struct arena a;
    enum err err;

    assert_ok(arena_init(&a, 1 << 20));
    if (recipe_new(span_text(text), &recipe, &r))
        fail_msg("%s", r.text);
    err = recipe_test(recipe, 0, &a, NULL, &r);
    if (!expected)
        assert_ok(err);
    else if (err != ERR_INVALID || !strstr(r.text, expected))
        fail_msg("expected %s, found %s", expected, r.text);
    recipe_free(recipe);
    arena_done(&a);
}

static void a_sample_must_come_out_whole_and_alone(void **state)
{
#define ONE(bytes, gives)                                                                          \
    HEAD                                                                                           \
        "a u8\nb u8\nreading a 1 L\nreading b 1 C\nstatus LEAK if a == 9\nsample s\n bytes " bytes \
        "\n arrived 2026-03-01T08:00:00+08:00\n" gives "end\n"
    (void)state;
    held(ONE("0105", " gives 1 L\n gives 5 C\n"), NULL);
    held(ONE("0105", " gives 1 L at 2026-03-01T00:00:00Z\n gives temperature 5 C\n"), NULL);
    held(ONE("0105", " gives 2 L\n gives 5 C\n"),
         "line 11: 'gives 2 L at 2026-03-01T00:00:00Z' did not come out, but '1 L at "
         "2026-03-01T00:00:00Z'");
    held(ONE("0105", " gives 1 L at 2026-03-01T00:00:01Z\n gives 5 C\n"), "did not come out");
    held(ONE("0105", " gives forward 1 L\n gives 5 C\n"), "'gives forward 1 L at");
    held(ONE("0105", " gives 1 L\n"), "not stated: 'gives temperature 5 C at");
    held(ONE("0105", " gives 1 L\n gives 5 C\n gives 1 L\n"), "did not come out");
    held(ONE("0905", " gives 9 L\n gives 5 C\n"), "not stated: 'gives status LEAK'");
    held(ONE("0905", " gives 9 L\n gives 5 C\n gives status LEAK BURST\n"),
         "'gives status LEAK BURST' did not come out");
    held(ONE("01", " gives 1 L\n gives 5 C\n"),
         "did not come out: b: expected 1 bytes, 0 are left");
    held(ONE("01", " gives refusal truncated\n"), NULL);
    held(ONE("01", " gives refusal malformed\n"), "'gives refusal malformed' did not come out");
#undef ONE
}

/* ---- the interpreter ---- */

struct said {
    struct recipe *recipe;
    struct arena arena;
    struct frame frame;
    struct refusal refusal;
    enum err err;
};

static void say(struct said *s, const char *layout, const char *hex)
{
    static char text[RECIPE_TEXT_MAX];
    uint8_t bytes[512];
    struct dialect_input in = { .arrival_s = ARRIVAL };
    struct gather g;
    size_t len;

    memset(s, 0, sizeof *s);
    snprintf(text, sizeof text, "%s%s\n%s", HEAD, layout, SAMPLE);
    if (recipe_new(span_text(text), &s->recipe, &s->refusal))
        fail_msg("%s: %s", layout, s->refusal.text);
    assert_ok(arena_init(&s->arena, 1 << 20));
    assert_ok(hex_read(span_text(hex), bytes, sizeof bytes, &len));
    in.bytes = check_guarded(span_of(bytes, len));
    g = gather_of(&s->arena);
    s->err = recipe_decode(s->recipe, &in, in.bytes, &g, &s->frame, &s->refusal);
    if (!s->err)
        assert_ok(gather_end(&g, &s->frame));
    check_unguard(in.bytes.at, in.bytes.len);
}

static void said_done(struct said *s)
{
    recipe_free(s->recipe);
    arena_done(&s->arena);
}

/* `text`: the values as "value@seconds before the arrival", newest first, of the first series. */
static void says(const char *layout, const char *hex, const char *text)
{
    struct said s;
    char found[2000] = "";
    size_t len = 0;

    say(&s, layout, hex);
    if (s.err)
        fail_msg("%s: %s: %s", layout, s.refusal.field, s.refusal.text);
    for (uint32_t i = 0; s.frame.series_count && i < s.frame.series[0].count; i++)
        len += (size_t)snprintf(found + len, sizeof found - len, "%s%lld@%lld", i ? " " : "",
                                (long long)s.frame.series[0].samples[i].value,
                                (long long)(ARRIVAL - s.frame.series[0].samples[i].at_s));
    assert_string_equal(found, text);
    said_done(&s);
}

static void fails(const char *layout, const char *hex, enum err err, const char *text)
{
    struct said s;

    say(&s, layout, hex);
    assert_err(err, s.err);
    if (!strstr(s.refusal.text, text))
        fail_msg("%s: expected %s, found %s", layout, text, s.refusal.text);
    said_done(&s);
}

static void numbers_are_read_in_every_form(void **state)
{
    (void)state;
    says("a u16\nreading a 1 mL", "3930", "12345@0");
    says("a u16be\nreading a 1 mL", "3039", "12345@0");
    says("a u24\nreading a 1 mL", "010203", "197121@0");
    says("a u64\nreading a 1 mL", "0100000000000000", "1@0");
    says("a u64\nreading a 1 mL", "ffffffffffffffff", ""); /* above what we hold: no value */
    says("a i8\nreading a 1 mL", "ff", "-1@0");
    says("a i24\nreading a 1 mL", "feffff", "-2@0");
    says("a i64\nreading a 1 mL", "feffffffffffffff", "-2@0");
    says("a bcd6\nreading a 1 mL", "563412", "123456@0");
    says("a bcd6be\nreading a 1 mL", "123456", "123456@0");
    says("a bcd4\nreading a 1 mL", "1f00", "");
    says("a u16 invalid 0xffff 0\nreading a 1 mL", "ffff", "");
    says("a u16 invalid 0xffff 0\nreading a 1 mL", "0000", "");
}

static void scales_are_exact(void **state)
{
    (void)state;
    says("a u8\nreading a 0.001 m3", "05", "5000@0");
    says("a u8\nreading a 1/3 m3", "02", "666667@0");
    says("a i8\nreading a 1/2 mL", "fd", "-2@0");              /* -1.5: away from zero */
    says("a u32\nreading a 1 ft3", "cd300000", "353762364@0"); /* 12493 cubic feet: 353 762.364 L */
    says("a u32\nreading a 1/256 gal", "00010000", "3785@0");
    says("a u16\nreading a 0.1 kPa", "d007", "200000@0");
    says("a u8\nreading a 1 bar", "02", "200000@0");
    says("a i16\nreading a 0.1 C", "9cff", "-10000@0");
}

static void times_are_read_in_every_form(void **state)
{
    (void)state;
    says("a u8\nt time unix\nreading a 1 mL at t", "0100000000", ""); /* not set */
    says("a u8\nt time unixbe\nreading a 1 mL at t", "01 69a38180", "1@0");
    says("zone utc\na u8\nt time F\nreading a 1 mL at t", "01 00004133", "1@0"); /* 2026-03-01 */
    says("zone utc\na u8\nt time F\nreading a 1 mL at t", "01 80004133", "");    /* invalid */
    says("zone utc\na u8\nt time G\nreading a 1 mL at t", "01 4133", "1@0");
    says("zone utc\na u8\nt time G\nreading a 1 mL at t", "01 ffff", "");
    says("zone utc\na u8\nt time I\nreading a 1 mL at t", "01 000000413300", "1@0");
    says("zone utc\na u8\nt time F\nreading a 1 mL at t", "01 00804133",
         "1@3600"); /* summer time */
    says("zone utc\na u8\nt time bcd YY MM DD hh mm ss\nreading a 1 mL at t", "01 260228235959",
         "1@1");
    says("zone utc\na u8\nt time bcd ss mm hh DD MM YY CC\nreading a 1 mL at t",
         "01 00000001032620", "1@0");
    says("a u8\nt time bin YYYY MM DD -- hh\nreading a 1 mL at t", "01 ea07 03 01 ff 08",
         "1@0"); /* UTC+8 */
    says("zone -01:30\na u8\nt time bin YY MM DD\nreading a 1 mL at t", "01 1a0301", "1@-5400");
    says("a u8\nt time bin YY MM DD\nreading a 1 mL at t", "01 1a0d01", "");
    says("a u8\nt time bcd YY MM DD\nreading a 1 mL at t", "01 2a0301", "");
}

static void deltas_go_back_until_one_is_unknown(void **state)
{
    static const char layout[] =
        "v u16\nw = heard + 0\nreading v 1 mL at w\nrepeat to end\n d u8 invalid 0xff\n"
        " v = v - d\n w = w - 3600\n reading v 1 mL at w\nend";

    (void)state;
    says(layout, "e803", "1000@0");
    says(layout, "e803 01 00 05", "1000@0 999@3600 999@7200 994@10800");
    says(layout, "e803 01 ff 05", "1000@0 999@3600");
}

static void absolute_values_may_have_holes(void **state)
{
    says("n u8\nrepeat n as i\n v u16 invalid 0xffff\n o = i * 60\n w = heard - o\n reading v 1 mL "
         "at w\nend\nends",
         "03 0500 ffff 0300", "5@0 3@120");
    (void)state;
    fails("n u8\nrepeat n\n v u16\nend\nreading n 1 L", "03 0500 ffff", ERR_TRUNCATED,
          "expected 2 bytes, 0 are left");
}

/* Whatever becomes of the field that told how many there are. */
static void passes_count_from_what_their_number_was_at_first(void **state)
{
    (void)state;
    says("n u8\nrepeat n as i\n n u8\n v = n + i\n w = heard - i\n reading v 1 mL at w\nend\nends",
         "02 0a14", "10@0 21@1");
    says("k i64\nrepeat k as i\n k i64\nend\nreading i 1 mL\nends",
         "0100000000000000 0000000000000080", "0@0");
}

static void conditions_choose(void **state)
{
    static const char layout[] =
        "k u8\nif k == 1\n a u8\nelif k < 3\n a u16\nelif k & 0x80\n malformed a high bit\nelse\n"
        " unknown this kind\nend\nreading a 1 mL";

    (void)state;
    says(layout, "01 05", "5@0");
    says(layout, "02 0501", "261@0");
    says(layout, "00 0501", "261@0");
    fails(layout, "81", ERR_MALFORMED, "a high bit");
    fails(layout, "05", ERR_NO_RECIPE, "this kind");
    fails("v u8 is 1 2\nreading v 1 L", "03", ERR_NO_RECIPE,
          "expected 1 or another that the recipe names, found 3");
    fails("v u8 must 0x68\nreading v 1 L", "69", ERR_MALFORMED, "expected 104, found 105");
    says("a u8 invalid 0\nb u8\nc = a or b\nreading c 1 mL", "0007", "7@0");
    says("a u8 invalid 0\nif a unknown\n b u8\n reading b 1 mL\nend", "0007", "7@0");
}

static void tags_are_taken_in_any_order_and_unknown_ones_passed_over(void **state)
{
    static const char layout[] =
        "tags t u8 length u8\n tag 1\n  a u8\n  reading a 1 mL\n end\n tag 2\n  tags s u8 length "
        "u8\n"
        "   tag 3\n    b u8\n    w = heard - 1\n    reading b 1 mL at w\n   end\n  end\n end\nend";

    (void)state;
    says(layout, "0101 05  7f03 aabbcc  0205 0301 07 0900", "5@0 7@1");
    says(layout, "0103 05aabb", "5@0"); /* longer than the case reads */
    fails(layout, "0100", ERR_TRUNCATED,
          "expected 1 bytes, 0 are left"); /* shorter: never the next tag's */
    fails(layout, "0102 05", ERR_TRUNCATED, "expected 2 bytes of this tag, 1 are left");
    fails(layout, "01", ERR_TRUNCATED, "");
    says("tags t u8\n tag 1\n  a u8\n  reading a 1 mL\n end\nend", "0105 99 0106", "5@0");
    says("tags t u16be length u16be\n tag 0x0102\n  a u8\n  reading a 1 mL\n end\nend",
         "0102 0001 05", "5@0");
}

static void checksums_hold_or_refuse(void **state)
{
    (void)state;
    /* The check values of the catalogues, over "123456789". */
    says("a u8\nreading a 1 mL\nchecksum sum8 from 0 to -2 at -1", "313233343536373839 dd", "49@0");
    says("a u8\nreading a 1 mL\nchecksum xor8 from 0 to -2 at -1", "313233343536373839 31", "49@0");
    says("a u8\nreading a 1 mL\nchecksum crc16-modbus from 0 to -3 at -2",
         "313233343536373839 374b", "49@0");
    says("a u8\nreading a 1 mL\nchecksum crc16-ccitt from 0 to -3 at -2 be",
         "313233343536373839 29b1", "49@0");
    says("a u8\nreading a 1 mL\nchecksum crc16-xmodem from 0 to -3 at -2 be",
         "313233343536373839 31c3", "49@0");
    says("a u8\nreading a 1 mL\nchecksum crc16-en13757 from 0 to -3 at -2 be",
         "313233343536373839 c2b7", "49@0");
    fails("a u8\nreading a 1 mL\nchecksum sum8 from 0 to -2 at -1", "313233343536373839 de",
          ERR_MALFORMED, "expected dd");
    fails("a u8\nreading a 1 mL\nchecksum crc16-modbus from 0 to -3 at -2", "31", ERR_TRUNCATED,
          "fewer");
}

/* A payload is read under the registry's lock: a file that sums all of it up again and again must not hold the city up. */
static void sums_in_a_loop_cost_what_they_cost(void **state)
{
    static const char layout[] =
        "a u8\nreading a 1 mL\nrepeat %u\n checksum sum8 from 0 to -2 at -1\nend";
    char zeros[601], text[128];

    (void)state;
    memset(zeros, '0', 600);
    zeros[600] = 0;
    snprintf(text, sizeof text, layout, 60u);
    says(text, zeros, "0@0");
    snprintf(text, sizeof text, layout, 100u);
    fails(text, zeros, ERR_RANGE, "more steps than these bytes are worth");
}

static void places_are_bounded(void **state)
{
    (void)state;
    says("skip 1\na u8\nseek 0\nb u8\nc = a + b\nreading c 1 mL", "0102", "3@0");
    says("seek -1\na u8\nreading a 1 mL", "0102", "2@0");
    says("limit -1\nskip left\na = length\nreading a 1 mL\nends", "010203", "3@0");
    fails("skip 3\na u8\nreading a 1 L", "0102", ERR_TRUNCATED, "expected 3 bytes, 2 are left");
    fails("seek 3\na u8\nreading a 1 L", "0102", ERR_TRUNCATED, "there is no byte 3");
    fails("seek -3\na u8\nreading a 1 L", "0102", ERR_TRUNCATED, "there is no byte -3");
    fails("limit 1\na u16\nreading a 1 L", "0102", ERR_TRUNCATED, "expected 2 bytes, 1 are left");
    fails("a u8\nreading a 1 L\nends", "0102", ERR_MALFORMED, "expected the end, 1 bytes follow");
    fails("a i8\nskip a\nreading a 1 L", "ff00", ERR_TRUNCATED, "expected -1 bytes");
}

/* What cannot be computed is unknown; what is too large is refused; what goes in circles ends. */
static void arithmetic_has_ends(void **state)
{
    (void)state;
    says("a u8\nb = a / 0\nreading b 1 mL", "01", "");
    says("a i64\nb = a + a\nreading b 1 mL", "ffffffffffffff7f", "");
    says("a u8\nb = a << 63\nreading b 1 mL", "01", "");
    says("a u8\nb = bits a 4 7\nreading b 1 mL", "5a", "5@0");
    says("a u8\nb = bits a 7 4\nreading b 1 mL", "5a", "");
    says("a u64\nb = bits a 0 62\nreading b 1 mL", "5a00000000000000", "90@0");
    says("a i64\nb = bits a 0 62\nc = b - 9223372036854775800\nreading c 1 mL", "ffffffffffffffff",
         "7@0");
    says("a u8\nb = date 2026 13 1\nreading a 1 mL at b", "5a", "");
    says("zone utc\na u8\nb = date_after heard 2 29\nreading a 1 mL at b", "01", "1@-63072000");
    says("zone utc\na u8\nb = month_start 3 heard\nreading a 1 mL at b", "01", "1@0");
    says("zone utc\na u8\nb = month_start 4 heard\nreading a 1 mL at b", "01", "1@28857600");
    says("zone utc\na u8\nb = date 26 3 1\nreading a 1 mL at b", "01", "1@0");
    says("zone utc\na u8\nb = datetime 26 2 28 23 59 58\nreading a 1 mL at b", "01", "1@2");
    fails("a i64\nreading a 1 m3", "ffffffffffffff7f", ERR_RANGE, "is too large");
    fails("a u32\nrepeat a\nend\nreading a 1 L", "ffffffff", ERR_RANGE,
          "more steps than these bytes are worth");
    fails("a u8\nrepeat to end\nend\nreading a 1 L", "0102", ERR_MALFORMED, "takes no bytes");
    fails("a i8\nrepeat a\nend\nreading a 1 L", "ff", ERR_RANGE,
          "the number of values is not known");
}

static void what_a_meter_says_of_itself_is_kept(void **state)
{
    struct said s;

    (void)state;
    say(&s,
        "n ascii6\nx hex3\nb bcd4\nu u16\nv u8\nc time unix\nst u16\nq u8\nr i8\nreading v 1 "
        "L\nname n\nname x\nname b\nname u\n"
        "battery v 0.1 V\nsent c\nstatus raw st\nstatus LEAK if st & 2\nseq q\nrsrp r\nsnr r\ncell "
        "u",
        "41422d312020 0a0b0c 3412 3930 24 8081a369 0300 07 9c");
    assert_ok(s.err);
    assert_int_equal(s.frame.names.count, 3);
    assert_memory_equal(s.frame.names.at[0].at, "AB-1", 4);
    assert_int_equal(s.frame.names.at[0].len, 4);
    assert_memory_equal(s.frame.names.at[1].at, "0a0b0c", 6);
    assert_memory_equal(s.frame.names.at[2].at, "1234", 4);
    assert_int_equal(s.frame.battery_mv, 3600);
    assert_int_equal(s.frame.sent_s, ARRIVAL);
    assert_int_equal(s.frame.status, STATUS_LEAK | 3u << STATUS_RAW_SHIFT);
    assert_int_equal(s.frame.seq, 7);
    assert_int_equal(s.frame.rsrp_dbm, -100);
    assert_int_equal(s.frame.snr_db, -100);
    assert_int_equal(s.frame.cell, 12345);
    said_done(&s);
    fails("n ascii3\nname n\nreading n 1 L", "412f42", ERR_MALFORMED, "is no name");
    say(&s, "n ascii3\nv u8\nname n\nreading v 1 L", "20ff00 01"); /* nobody gave it a name */
    assert_ok(s.err);
    assert_int_equal(s.frame.names.count, 0);
    said_done(&s);
}

/* Every shipped recipe over its own samples, cut short at every byte, and over noise: an end in time, no byte too far. */
static void no_payload_leads_a_recipe_astray(void **state)
{
    struct check_random rnd = check_random_begin();
    struct arena a;
    struct span text;

    (void)state;
    assert_ok(arena_init(&a, LIMIT_DECODE_ARENA));
    for (size_t n = 0; (text = recipe_shipped(n)).len; n++) {
        struct recipe *recipe;
        struct refusal r;

        assert_ok(recipe_new(text, &recipe, &r));
        for (unsigned i = 0; i < 4000; i++) {
            struct span whole = recipe_sample_bytes(recipe, i % recipe_about(recipe)->sample_count);
            size_t len = i < 1000 ? check_below(&rnd, whole.len + 1) : check_below(&rnd, 80);
            uint8_t *bytes = check_guard(len);
            struct dialect_input in = { .bytes = span_of(bytes, len), .arrival_s = ARRIVAL };
            struct gather g = gather_of(&a);
            struct frame f = { 0 };
            enum err err;

            memcpy(bytes, whole.at, len < whole.len ? len : whole.len);
            if (i >= 500)
                for (unsigned k = 0; k < 1 + i % 7 && len; k++)
                    bytes[check_below(&rnd, len)] = (uint8_t)check_random(&rnd);
            arena_clear(&a);
            err = recipe_decode(recipe, &in, in.bytes, &g, &f, &r);
            assert_true(!err || err_of_frame(err));
            check_unguard(bytes, len);
        }
        recipe_free(recipe);
    }
    arena_done(&a);
}

/* ---- as a dialect ---- */

static struct recipe *only;

static const struct recipe *find_only(void *arg, struct span name)
{
    (void)arg;
    return span_equal(name, span_text("t")) ? only : NULL;
}

static void a_payload_is_read_by_the_recipe_that_is_asked_for(void **state)
{
    struct lore lore = { .recipe = find_only };
    struct dialect_input in = {
        .bytes = span_of("\x05", 1), .arrival_s = ARRIVAL, .recipe = span_text("t"), .lore = &lore
    };
    struct frame f;
    struct refusal r;
    struct arena a;

    (void)state;
    assert_ok(arena_init(&a, 1 << 16));
    assert_ok(recipe_new(span_text(HEAD "a u8\nreading a 1 L\n" SAMPLE), &only, &r));
    assert_ok(dialect_recipe.decode(&in, &a, &f, &r));
    assert_int_equal(f.series[0].channel, CHANNEL_BILLED);
    assert_int_equal(f.series[0].samples[0].value, 5000);
    in.port = 3; /* no port is named: all are the recipe's */
    assert_ok(dialect_recipe.decode(&in, &a, &f, &r));
    recipe_free(only);
    assert_ok(recipe_new(
        span_text("recipe t\nversion 1\ntitle T\nsource S\ncarrier lorawan fport 2\na u8\n"
                  "reading a 1 L\n" SAMPLE),
        &only, &r));
    assert_err(ERR_NO_RECIPE, dialect_recipe.decode(&in, &a, &f, &r));
    in.port = 2;
    assert_ok(dialect_recipe.decode(&in, &a, &f, &r));
    in.recipe = span_text("other");
    assert_err(ERR_NO_RECIPE, dialect_recipe.decode(&in, &a, &f, &r));
    recipe_free(only);
    arena_done(&a);
}

static void layouts_and_ports_are_matched(void **state)
{
    struct layout_id id = { .maker = 0x2c2d, .version = 0x1b, .type = 0x16, .ci = 0xa2 };
    struct recipe *recipe;
    struct refusal r;

    (void)state;
    assert_ok(recipe_new(
        span_text(
            "recipe t\nversion 1\ntitle T\nsource S\ncarrier oms\nmatch oms KAM 1B * ci A2\na u8\n"
            "reading a 1 L\n" SAMPLE),
        &recipe, &r));
    assert_true(recipe_matches(recipe, &id));
    id.maker |= 0x8000; /* an address set by hand: the same maker */
    assert_true(recipe_matches(recipe, &id));
    id.version = 0x1c;
    assert_false(recipe_matches(recipe, &id));
    assert_true(recipe_takes_port(recipe, 7));
    recipe_free(recipe);
    assert_ok(recipe_new(span_text("recipe t\nversion 1\ntitle T\nsource S\r\ncarrier lorawan "
                                   "fport 2 10\na u8\nreading a 1 L\n" SAMPLE),
                         &recipe, &r));
    assert_true(recipe_takes_port(recipe, 10));
    assert_false(recipe_takes_port(recipe, 3));
    recipe_free(recipe);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_recipe_says_what_its_samples_state),
        cmocka_unit_test(the_example_that_explains_recipes_says_what_it_states),
        cmocka_unit_test(a_heading_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(a_layout_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(a_sample_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(a_recipe_has_bounds),
        cmocka_unit_test(a_sample_must_come_out_whole_and_alone),
        cmocka_unit_test(numbers_are_read_in_every_form),
        cmocka_unit_test(scales_are_exact),
        cmocka_unit_test(times_are_read_in_every_form),
        cmocka_unit_test(deltas_go_back_until_one_is_unknown),
        cmocka_unit_test(absolute_values_may_have_holes),
        cmocka_unit_test(passes_count_from_what_their_number_was_at_first),
        cmocka_unit_test(conditions_choose),
        cmocka_unit_test(tags_are_taken_in_any_order_and_unknown_ones_passed_over),
        cmocka_unit_test(checksums_hold_or_refuse),
        cmocka_unit_test(sums_in_a_loop_cost_what_they_cost),
        cmocka_unit_test(places_are_bounded),
        cmocka_unit_test(arithmetic_has_ends),
        cmocka_unit_test(what_a_meter_says_of_itself_is_kept),
        cmocka_unit_test(no_payload_leads_a_recipe_astray),
        cmocka_unit_test(a_payload_is_read_by_the_recipe_that_is_asked_for),
        cmocka_unit_test(layouts_and_ports_are_matched),
    };

    return check_run(tests, argc, argv);
}
