/* The text of a recipe: its heading, then the layout, then samples. */
#include "proto/recipe_priv.h"

#include "proto/base/hex.h"

#include <stdlib.h>

/* ---- the heading ---- */

static enum err head_name(struct reader *r)
{
    struct span word = words_next(&r->words);

    if (!text_is_serial(word))
        return reader_expected(r, word, "the recipe's name: 1 to 32 of A-Z a-z 0-9 . _ : -");
    if (dialect_by_name(word) || word_is(word, "native"))
        return reader_expected(r, word, "a name that no dialect has");
    r->recipe->about.name = word;
    return ERR_OK;
}

static enum err head_version(struct reader *r)
{
    int64_t version;
    enum err err = reader_number(r, "a version from 1 to 65535", 1, 65535, &version);

    if (!err)
        r->recipe->about.version = (uint32_t)version;
    return err;
}

static enum err head_text(struct reader *r, struct span *out, const char *what)
{
    struct span rest = words_rest(&r->words);

    if (rest.len == 0 || rest.len > 200)
        return reader_expected(r, span_of(rest.at, 0), what);
    if (out->len == 0)
        *out = rest;
    return ERR_OK;
}

static const char *const carriers[] = { "raw", "cjt188", "oms", "lorawan" };

const char *recipe_carrier_name(enum recipe_carrier c)
{
    return carriers[c];
}

static enum err head_ports(struct reader *r)
{
    struct recipe_about *about = &r->recipe->about;
    struct span word = words_next(&r->words);

    if (word.len == 0)
        return ERR_OK;
    if (!word_is(word, "fport"))
        return reader_expected(r, word, "the end of the line or 'fport'");
    do {
        int64_t port;
        enum err err = reader_number(r, "a port from 1 to 223", 1, 223, &port);

        if (err)
            return err;
        if (about->fport_count == RECIPE_FPORTS)
            return reader_refuse(r, word, "more than %d ports", RECIPE_FPORTS);
        about->fport[about->fport_count++] = (uint8_t)port;
    } while (words_peek(&r->words).len);
    return ERR_OK;
}

static enum err head_carrier(struct reader *r)
{
    struct span word = words_next(&r->words);

    for (unsigned c = 0; c < sizeof carriers / sizeof *carriers; c++) {
        if (!word_is(word, carriers[c]))
            continue;
        r->recipe->about.carrier = (enum recipe_carrier)c;
        return c == RECIPE_LORAWAN ? head_ports(r) : ERR_OK;
    }
    return reader_expected(r, word, "a carrier: raw, cjt188, oms or lorawan");
}

/* Three letters of a maker, as EN 13757 packs them. */
static bool word_maker(struct span word, uint16_t *out)
{
    uint16_t maker = 0;

    if (word.len != 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (word.at[i] < 'A' || word.at[i] > 'Z')
            return false;
        maker = (uint16_t)(maker << 5 | (word.at[i] - 64));
    }
    *out = maker;
    return true;
}

static bool word_byte(struct span word, int16_t *out)
{
    if (word_is(word, "*")) {
        *out = -1;
        return true;
    }
    if (word.len != 2 || hex_digit(word.at[0]) < 0 || hex_digit(word.at[1]) < 0)
        return false;
    *out = (int16_t)(hex_digit(word.at[0]) << 4 | hex_digit(word.at[1]));
    return true;
}

static enum err head_match(struct reader *r)
{
    struct recipe_about *about = &r->recipe->about;
    struct recipe_match m = { 0 };
    struct span word = words_next(&r->words);
    int16_t ci;

    if (!word_is(word, "oms"))
        return reader_expected(r, word, "'oms'");
    if (about->match_count == RECIPE_MATCHES)
        return reader_refuse(r, word, "more than %d lines 'match'", RECIPE_MATCHES);
    if (!word_maker((word = words_next(&r->words)), &m.maker))
        return reader_expected(r, word, "a maker's three capital letters");
    if (!word_byte((word = words_next(&r->words)), &m.version))
        return reader_expected(r, word, "the version as two hex digits, or *");
    if (!word_byte((word = words_next(&r->words)), &m.type))
        return reader_expected(r, word, "the device type as two hex digits, or *");
    if (!word_is((word = words_next(&r->words)), "ci"))
        return reader_expected(r, word, "'ci'");
    if (!word_byte((word = words_next(&r->words)), &ci) || ci < 0)
        return reader_expected(r, word, "the CI field as two hex digits (0F: behind DIF 0F)");
    m.ci = (uint8_t)ci;
    about->match[about->match_count++] = m;
    return ERR_OK;
}

static enum err head_order(struct reader *r)
{
    struct span word = words_next(&r->words);

    if (!word_is(word, "little") && !word_is(word, "big"))
        return reader_expected(r, word, "'little' or 'big': which byte of a number comes first");
    r->recipe->big = word_is(word, "big");
    return ERR_OK;
}

/* "+08:00" */
static bool word_offset(struct span word, int32_t *out_s)
{
    int64_t hours, minutes;

    if (word.len != 6 || (word.at[0] != '+' && word.at[0] != '-') || word.at[3] != ':' ||
        !word_number(span_of(word.at + 1, 2), &hours) ||
        !word_number(span_of(word.at + 4, 2), &minutes) || hours < 0 || hours > 14 || minutes < 0 ||
        minutes > 59)
        return false;
    *out_s = (int32_t)((hours * 60 + minutes) * 60) * (word.at[0] == '-' ? -1 : 1);
    return true;
}

static enum err head_zone(struct reader *r)
{
    struct recipe *recipe = r->recipe;
    struct span word = words_next(&r->words);
    int32_t offset_s = 0;

    if (word_is(word, "utility"))
        return ERR_OK;
    if (!word_is(word, "utc") && !word_offset(word, &offset_s))
        return reader_expected(r, word, "'utility', 'utc' or an offset as +08:00");
    if (!recipe->zone && !(recipe->zone = (struct zone *)calloc(1, sizeof *recipe->zone)))
        return refuse(r->r, ERR_NO_MEMORY, 0, "", "no memory");
    zone_fixed(recipe->zone, "recipe", offset_s);
    recipe->zone_given = true;
    return ERR_OK;
}

static enum err head_title(struct reader *r)
{
    return head_text(r, &r->recipe->about.title, "a title of at most 200 bytes");
}

static enum err head_source(struct reader *r)
{
    return head_text(r, &r->recipe->about.source,
                     "where the facts come from, in at most 200 bytes");
}

static const struct head {
    const char *word;
    enum err (*read)(struct reader *r);
} heads[] = {
    { "recipe", head_name },   { "version", head_version }, { "title", head_title },
    { "source", head_source }, { "carrier", head_carrier }, { "match", head_match },
    { "order", head_order },   { "zone", head_zone },
};

/* One line: of the heading, a sample's first, or of the layout. */
static enum err reader_part(struct reader *r)
{
    struct span first = words_next(&r->words);
    enum err err;

    if (word_is(first, "sample")) {
        if ((err = reader_layout_end(r)))
            return err;
        return reader_sample(r);
    }
    if (r->recipe->about.sample_count)
        return reader_expected(r, first, "'sample': the layout ends where the first sample begins");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        if (!word_is(first, heads[i].word))
            continue;
        if (r->recipe->step_count)
            return reader_refuse(r, first, "'%s' belongs above the layout", heads[i].word);
        err = heads[i].read(r);
        return err ? err : reader_end_of_line(r);
    }
    return reader_statement(r, first);
}

/* What must be there, whatever the order. */
static enum err reader_whole(struct reader *r)
{
    const struct recipe_about *about = &r->recipe->about;
    struct span end = span_of(r->words.line, 0);

    if (about->name.len == 0)
        return reader_refuse(r, end, "expected a line 'recipe NAME'");
    if (about->version == 0)
        return reader_refuse(r, end, "expected a line 'version N'");
    if (about->title.len == 0)
        return reader_refuse(r, end, "expected a line 'title TEXT'");
    if (about->source.len == 0)
        return reader_refuse(r, end, "expected a line 'source TEXT': where the facts come from");
    if (!r->reads)
        return reader_refuse(r, end, "expected a line 'reading': the layout tells no value");
    if (about->sample_count == 0)
        return reader_refuse(r, end, "expected a sample: what no payload proves is not taken");
    if (about->match_count && about->carrier != RECIPE_OMS)
        return reader_refuse(r, end, "lines 'match oms' need 'carrier oms'");
    return ERR_OK;
}

static enum err recipe_read(struct reader *r)
{
    enum err err;

    r->words.line = r->words.at = r->words.end = r->rest.at;
    while (reader_line(r))
        if ((err = reader_part(r)))
            return err;
    return reader_whole(r);
}

/* Lines may end as on Windows. */
static size_t copy_lines(char *out, struct span text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] != '\r' || i + 1 == text.len || text.at[i + 1] != '\n')
            out[len++] = (char)text.at[i];
    out[len] = 0;
    return len;
}

static struct recipe *recipe_alloc(struct span text)
{
    struct recipe *recipe = (struct recipe *)calloc(1, sizeof *recipe);

    if (!recipe)
        return NULL;
    recipe->text = (char *)malloc(text.len + 1);
    if (!recipe->text) {
        free(recipe);
        return NULL;
    }
    recipe->about.text = span_of(recipe->text, copy_lines(recipe->text, text));
    strcpy(recipe->names[SLOT_HEARD].text, "heard");
    strcpy(recipe->names[SLOT_SENT].text, "sent");
    strcpy(recipe->names[SLOT_LENGTH].text, "length");
    strcpy(recipe->names[SLOT_LEFT].text, "left");
    recipe->slot_count = SLOTS_GIVEN;
    return recipe;
}

enum err recipe_new(struct span text, struct recipe **out, struct refusal *r)
{
    struct reader reader = { .r = r };
    enum err err;

    if (text.len == 0 || text.len > RECIPE_TEXT_MAX)
        return refuse(r, ERR_INVALID, 0, "recipe", "a recipe has 1 to %d bytes, this has %zu",
                      RECIPE_TEXT_MAX, text.len);
    if (!(reader.recipe = recipe_alloc(text)))
        return refuse(r, ERR_NO_MEMORY, 0, "", "no memory");
    if (!text_is_utf8(reader.recipe->about.text)) {
        recipe_free(reader.recipe);
        return refuse(r, ERR_INVALID, 0, "recipe",
                      "a recipe is UTF-8 text without control characters");
    }
    reader.rest = reader.recipe->about.text;
    err = recipe_read(&reader);
    if (err) {
        recipe_free(reader.recipe);
        return err;
    }
    *out = reader.recipe;
    return ERR_OK;
}

void recipe_free(struct recipe *recipe)
{
    if (!recipe)
        return;
    for (unsigned i = 0; i < RECIPE_SAMPLES; i++)
        free(recipe->samples[i].bytes);
    free(recipe->zone);
    free(recipe->gives);
    free(recipe->steps);
    free(recipe->text);
    free(recipe);
}

const struct recipe_about *recipe_about(const struct recipe *recipe)
{
    return &recipe->about;
}

bool recipe_matches(const struct recipe *recipe, const struct layout_id *of)
{
    for (unsigned i = 0; i < recipe->about.match_count; i++) {
        const struct recipe_match *m = &recipe->about.match[i];

        if (m->maker == (of->maker & 0x7fff) && m->ci == of->ci &&
            (m->version < 0 || m->version == of->version) && (m->type < 0 || m->type == of->type))
            return true;
    }
    return false;
}

bool recipe_takes_port(const struct recipe *recipe, unsigned fport)
{
    for (unsigned i = 0; i < recipe->about.fport_count; i++)
        if (recipe->about.fport[i] == fport)
            return true;
    return recipe->about.fport_count == 0;
}
