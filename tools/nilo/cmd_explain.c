/* nilo frame explain: any frame, field by field with offsets, from the same decoders that the
 * server uses.  Asks nobody. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/dialect.h"
#include "proto/native.h"
#include "proto/recipe.h"
#include "server/zonefile.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/sheet.h"

#define EXPLAINED_MAX                                                                              \
    (16u << 20) /* 65 536 values, a line of at most 160 bytes each, and the rest */
#define HEX_MAX (3 * LIMIT_PAYLOAD_BLOCK)
#define KEY_LEN_MAX 64
#define RECIPES_MAX 256

/* ---- what the decoders may ask: answered from the command line and the program's own recipes ---- */

struct answers {
    uint8_t key[KEY_LEN_MAX];
    size_t key_len;
    const char *profile; /* "" where none was given */
    struct recipe *recipes[RECIPES_MAX];
    size_t recipe_count;
    struct zone zone;
    struct arena arena;
};

static uint32_t any_meter(void *arg, struct span name)
{
    (void)arg;
    return name.len > 0;
}

static unsigned the_key(void *arg, uint32_t meter, enum key_kind kind, int64_t at_s,
                        struct span out[LORE_KEYS])
{
    struct answers *a = arg;

    (void)meter;
    (void)kind;
    (void)at_s;
    out[0] = span_of(a->key, a->key_len);
    return a->key_len > 0;
}

static const struct recipe *recipe_named(void *arg, struct span name)
{
    struct answers *a = arg;

    for (size_t i = 0; i < a->recipe_count; i++)
        if (span_equal(recipe_about(a->recipes[i])->name, name))
            return a->recipes[i];
    return NULL;
}

static const struct recipe *recipe_matching(void *arg, const struct layout_id *of)
{
    struct answers *a = arg;

    for (size_t i = 0; i < a->recipe_count; i++)
        if (recipe_matches(a->recipes[i], of))
            return a->recipes[i];
    return NULL;
}

static struct span the_profile(void *arg, uint32_t meter)
{
    (void)meter;
    return span_text(((struct answers *)arg)->profile);
}

static struct lore lore_of(struct answers *a)
{
    return (struct lore){ .zone = &a->zone,
                          .arg = a,
                          .meter = any_meter,
                          .keys = the_key,
                          .recipe = recipe_named,
                          .recipe_of = recipe_matching,
                          .profile = the_profile };
}

static bool recipe_take(struct answers *a, struct span text, const char *where)
{
    struct refusal r = { 0 };

    if (a->recipe_count < RECIPES_MAX && !recipe_new(text, &a->recipes[a->recipe_count], &r)) {
        a->recipe_count++;
        return true;
    }
    say("%s, line %u: %s", where, r.offset, r.text);
    return false;
}

/* The program's own, and before them the one of --recipe. */
static bool recipes_read(struct answers *a, const char *file)
{
    static char text[RECIPE_TEXT_MAX + 1];
    struct span shipped;
    FILE *f = file ? fopen(file, "r") : NULL;
    size_t len;

    if (file && !f) {
        say("%s cannot be read: %m", file);
        return false;
    }
    if (f) {
        len = fread(text, 1, sizeof text, f);
        fclose(f);
        if (!recipe_take(a, span_of(text, len), file))
            return false;
    }
    for (size_t n = 0; (shipped = recipe_shipped(n)).len; n++)
        if (!recipe_take(a, shipped, "a recipe of the program itself"))
            return false;
    return true;
}

static bool answers_read(const struct args *args, struct answers *a)
{
    const char *key = args_option(args, "key"), *zone = args_option(args, "times-in");
    struct refusal r = { 0 };

    a->profile = args_option(args, "profile") ? args_option(args, "profile") : "";
    if (key && hex_read(span_text(key), a->key, sizeof a->key, &a->key_len)) {
        say("--key: expected pairs of hexadecimal digits, at most %d", KEY_LEN_MAX);
        return false;
    }
    if (zone_load(zone ? zone : "Asia/Shanghai", &a->zone, &r)) {
        say("--times-in: %s", r.text);
        return false;
    }
    return recipes_read(a, args_option(args, "recipe")) &&
           !arena_init(&a->arena, LIMIT_DECODE_ARENA);
}

static void answers_done(struct answers *a)
{
    while (a->recipe_count)
        recipe_free(a->recipes[--a->recipe_count]);
    arena_done(&a->arena);
    explicit_bzero(a->key, sizeof a->key);
}

/* ---- whose frame it is ---- */

/* A dialect, or a recipe, whose payload it then is. */
static bool named(struct answers *a, const char *name, const struct dialect **out,
                  struct dialect_input *in)
{
    const struct dialect *known;

    *out = dialect_by_name(span_text(name));
    if (*out && (*out)->id != DIALECT_RECIPE)
        return true;
    if (recipe_named(a, span_text(name))) {
        *out = &dialect_recipe;
        in->recipe = span_text(name);
        return true;
    }
    fprintf(stderr, "nilo: there is no dialect or recipe '%s'; dialects:", name);
    for (size_t i = 0; (known = dialect_at(i)); i++)
        if (known->id != DIALECT_RECIPE)
            fprintf(stderr, " %s", known->name);
    fputs("; nilo recipe list tells the recipes\n", stderr);
    return false;
}

static bool says_something(const struct frame *f)
{
    return f->names.count || f->series_count || f->outcome_count;
}

/* Does the dialect take it? Waiting for a key or a recipe is taking, too. */
static bool takes(const struct dialect *d, const struct dialect_input *in, struct arena *arena)
{
    struct frame f = { 0 };
    struct refusal r = { 0 };
    enum err err;

    arena_clear(arena);
    err = d->decode(in, arena, &f, &r);
    return err == ERR_OK ? says_something(&f) : err_class(err) == ERR_CLASS_WAIT && f.names.count;
}

/* The first that takes it, in the table's order: native reports first; NULL where none does. */
static const struct dialect *guessed(struct answers *a, const struct dialect_input *in)
{
    const struct dialect *d;

    for (size_t i = 0; (d = dialect_at(i)); i++)
        if (d->id != DIALECT_RECIPE && takes(d, in, &a->arena))
            return d;
    return NULL;
}

/* Of the envelopes in JSON the one that reads farthest before it refuses. */
static const struct dialect *likeliest_json(struct answers *a, const struct dialect_input *in)
{
    static const char *const names[] = { "chirpstack", "tts", "aep", "onenet", "iotda" };
    const struct dialect *best = NULL;
    uint32_t farthest = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct dialect *d = dialect_by_name(span_text(names[i]));
        struct frame f = { 0 };
        struct refusal r = { 0 };

        arena_clear(&a->arena);
        d->decode(in, &a->arena, &f, &r);
        if (!best || r.offset > farthest) {
            best = d;
            farthest = r.offset;
        }
    }
    return best;
}

/* Whose damaged frame it may be, by its first bytes: the refusal of that one tells most. */
static const struct dialect *likeliest(struct answers *a, const struct dialect_input *in)
{
    struct span b = in->bytes;
    const char *name = "native";

    if (b.len && b.at[0] == '{')
        return likeliest_json(a, in);
    if (b.len && b.at[0] == '[')
        name = "senml-json";
    else if (b.len > 3 && b.at[0] == 0x68 && b.at[3] != 0x68)
        name = "cjt188";
    else if (b.len > 3 && (b.at[0] == 0x68 || b.at[1] == 0x44)) /* by wire; SND-NR by radio */
        name = "oms";
    else if (b.len && b.at[0] >= 0x80 && b.at[0] <= 0x9f) /* an array */
        name = "senml-cbor";
    return dialect_by_name(span_text(name));
}

/* ---- the frame ---- */

/* Hex digits, or JSON as it stands; of the argument or of standard input. */
static bool read_frame(const char *argument, char text[HEX_MAX + 1], uint8_t *out, size_t *out_len)
{
    struct span given = span_text(argument);
    enum err err = ERR_OK;

    if (!strcmp(argument, "-")) {
        size_t len = fread(text, 1, HEX_MAX + 1, stdin);

        while (len && isspace((unsigned char)text[len - 1]))
            len--;
        given = span_of(text, len);
    }
    if (!given.len || !strchr("{[", given.at[0])) {
        err = hex_read(given, out, LIMIT_PAYLOAD_BLOCK, out_len);
    } else if (given.len > LIMIT_PAYLOAD_BLOCK) {
        err = ERR_FULL;
    } else {
        memcpy(out, given.at, given.len);
        *out_len = given.len;
    }
    if (err == ERR_FULL)
        say("the frame is longer than %d bytes", LIMIT_PAYLOAD_BLOCK);
    else if (err)
        say("expected pairs of hexadecimal digits, or JSON, which begins with { or [; found "
            "something else");
    return !err;
}

/* What the user can do about it, behind the sentence. */
static const char *advice(enum err err, const struct dialect_input *in, const struct answers *a)
{
    if (err == ERR_NO_KEY)
        return a->key_len ? "" : "; --key HEX gives one";
    if (err == ERR_NO_RECIPE && in->recipe.len)
        return "; --recipe FILE gives a newer one";
    if (err == ERR_NO_RECIPE)
        return *a->profile ? "; --recipe FILE adds one"
                           : "; --profile NAME says what the meter speaks, --recipe FILE adds one";
    return "";
}

static void say_refusal(enum err err, const struct refusal *r, const char *advice)
{
    say("the frame %s: byte %u%s%s%s%s%s", err_text(err), r->offset, *r->field ? ", " : "",
        r->field, *r->text ? ": " : "", r->text, advice);
}

/* One object over many lines, or on one, as NDJSON has it. */
static void put_explained(struct span s, enum format format)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] != '\n' || format != FORMAT_NDJSON)
            putchar(s.at[i]);
    if (s.len && (s.at[s.len - 1] != '\n' || format == FORMAT_NDJSON))
        putchar('\n');
}

static int explain(const struct dialect *d, const struct dialect_input *in, struct answers *a,
                   enum format format)
{
    char *buffer = malloc(EXPLAINED_MAX);
    struct refusal r = { 0 };
    struct wr w = wr_of(buffer, buffer ? EXPLAINED_MAX : 0);
    enum err err;

    arena_clear(&a->arena);
    err =
        buffer ? dialect_explain(d, in, format != FORMAT_TABLE, &a->arena, &w, &r) : ERR_NO_MEMORY;
    put_explained(wr_span(&w), format);
    if (err)
        say_refusal(err, &r, advice(err, in, a));
    free(buffer);
    return err ? EXIT_FAILED : EXIT_DONE;
}

static int explain_as(const struct args *args, struct answers *a, enum format format)
{
    static char text[HEX_MAX + 1];
    static uint8_t bytes[LIMIT_PAYLOAD_BLOCK];
    const char *name = args_option(args, "dialect");
    struct lore lore = lore_of(a);
    struct dialect_input in = { .arrival_s = (int64_t)time(NULL), .lore = &lore };
    const struct dialect *d = NULL;
    size_t len;

    if (name && !named(a, name, &d, &in))
        return EXIT_USAGE;
    if (!read_frame(args->positional[0], text, bytes, &len))
        return EXIT_FAILED;
    in.bytes = span_of(bytes, len);
    if (!d && !(d = guessed(a, &in))) {
        d = likeliest(a, &in);
        say("no dialect takes this frame; it is read as %s, --dialect NAME says another or a "
            "recipe",
            d->name);
    }
    return explain(d, &in, a, format);
}

int cmd_frame_explain(const struct args *args)
{
    static struct answers answers;
    enum format format;
    int code;

    if (!format_read(args, &format))
        return EXIT_USAGE;
    if (!args_option(args, "format"))
        format = FORMAT_TABLE; /* made for people: also into a pipe */
    if (format == FORMAT_CSV) {
        say("a frame is explained as table, json or ndjson");
        return EXIT_USAGE;
    }
    code = answers_read(args, &answers) ? explain_as(args, &answers, format) : EXIT_USAGE;
    answers_done(&answers);
    return code;
}
