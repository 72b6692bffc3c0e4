/* The text of a recipe: lines of words, the heading, and what every part of a line is read with. */
#include "proto/recipe_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- words ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static const uint8_t *pass_blanks(const struct words *w)
{
    const uint8_t *at = w->at;

    while (at < w->end && is_blank(*at))
        at++;
    return at;
}

struct span words_peek(const struct words *w)
{
    const uint8_t *at = pass_blanks(w), *end = at;

    while (end < w->end && !is_blank(*end) && *end != '#')
        end++;
    return span_of(at, (size_t)(end - at));
}

struct span words_next(struct words *w)
{
    struct span word = words_peek(w);

    w->at = word.at + word.len;
    return word;
}

struct span words_rest(struct words *w)
{
    const uint8_t *at = pass_blanks(w), *end = at;

    while (end < w->end && *end != '#')
        end++;
    w->at = end;
    while (end > at && is_blank(end[-1]))
        end--;
    return span_of(at, (size_t)(end - at));
}

bool word_is(struct span word, const char *text)
{
    return span_equal(word, span_text(text));
}

/* ---- refusals ---- */

enum err reader_refuse(struct reader *r, struct span at, const char *format, ...)
{
    char what[140];
    unsigned column = (unsigned)(at.at - r->words.line) + 1;
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return refuse(r->r, ERR_INVALID, r->words.number, "recipe", "line %u, column %u: %s",
                  r->words.number, column, what);
}

enum err reader_expected(struct reader *r, struct span word, const char *what)
{
    int shown = word.len > 32 ? 32 : (int)word.len;

    if (word.len == 0)
        return reader_refuse(r, word, "expected %s, the line ends here", what);
    return reader_refuse(r, word, "expected %s, found '%.*s'", what, shown, (const char *)word.at);
}

/* ---- parts of a line ---- */

bool reader_line(struct reader *r)
{
    while (r->rest.len) {
        const uint8_t *end = memchr(r->rest.at, '\n', r->rest.len);
        size_t len = end ? (size_t)(end - r->rest.at) : r->rest.len;
        size_t used = end ? len + 1 : len;

        r->words.line = r->words.at = r->rest.at;
        r->words.end = r->rest.at + len;
        r->words.number++;
        r->rest = span_of(r->rest.at + used, r->rest.len - used);
        if (words_peek(&r->words).len)
            return true;
    }
    return false;
}

enum err reader_end_of_line(struct reader *r)
{
    struct span word = words_peek(&r->words);

    return word.len ? reader_expected(r, word, "the end of the line") : ERR_OK;
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

bool word_number(struct span word, int64_t *out)
{
    bool minus = word.len && word.at[0] == '-';
    size_t i = minus;
    int base = 10;
    int64_t v = 0;

    if (word.len > i + 2 && word.at[i] == '0' && (word.at[i + 1] | 0x20) == 'x') {
        base = 16;
        i += 2;
    }
    if (i == word.len)
        return false;
    for (; i < word.len; i++) {
        int digit = digit_of(word.at[i]);

        if (digit >= base || __builtin_mul_overflow(v, base, &v) ||
            __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = minus ? -v : v;
    return true;
}

enum err reader_number(struct reader *r, const char *what, int64_t low, int64_t high, int64_t *out)
{
    struct span word = words_next(&r->words);

    if (!word_number(word, out) || *out < low || *out > high)
        return reader_expected(r, word, what);
    return ERR_OK;
}

/* ---- scales ---- */

static const struct unit {
    const char *name;
    int64_t num, den; /* thousandths of what frames carry */
    enum channel channel;
} units[] = {
    { "L", 1000, 1, CHANNEL_BILLED },
    { "mL", 1, 1, CHANNEL_BILLED },
    { "m3", 1000000, 1, CHANNEL_BILLED },
    { "gal", 3785411784, 1000000, CHANNEL_BILLED }, /* of the United States */
    { "ft3", 28316846592, 1000000, CHANNEL_BILLED },
    { "Pa", 1, 1, CHANNEL_PRESSURE },
    { "kPa", 1000, 1, CHANNEL_PRESSURE },
    { "MPa", 1000000, 1, CHANNEL_PRESSURE },
    { "bar", 100000, 1, CHANNEL_PRESSURE },
    { "mbar", 100, 1, CHANNEL_PRESSURE },
    { "C", 1000, 1, CHANNEL_TEMPERATURE },
};

static const struct unit *unit_of(struct span word)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (word_is(word, units[i].name))
            return &units[i];
    return NULL;
}

/* `10`, `0.001`, `1/450`, as a fraction. */
static bool word_fraction(struct span word, int64_t *num, int64_t *den)
{
    const uint8_t *slash = word.len ? memchr(word.at, '/', word.len) : NULL;
    struct span above = slash ? span_of(word.at, (size_t)(slash - word.at)) : word;
    int64_t below = 1;

    if (slash && !word_number(span_of(slash + 1, word.len - above.len - 1), &below))
        return false;
    if (text_decimal(above, 6, num) || *num <= 0 || *num > 1000000000000 || below < 1 ||
        below > 1000000000)
        return false;
    *den = below * 1000000;
    while (*num % 10 == 0 && *den % 10 == 0) {
        *num /= 10;
        *den /= 10;
    }
    return true;
}

enum err reader_scale(struct reader *r, int64_t *out_num, int64_t *out_den,
                      enum channel *out_channel)
{
    struct span number = words_next(&r->words), word;
    const struct unit *unit;
    int64_t num, den;

    if (!word_fraction(number, &num, &den))
        return reader_expected(r, number, "what one count is: a number as 10, 0.001 or 1/450");
    word = words_next(&r->words);
    if (!(unit = unit_of(word)))
        return reader_expected(r, word,
                               "a unit: L, mL, m3, gal, ft3, Pa, kPa, MPa, bar, mbar or C");
    if (__builtin_mul_overflow(num, unit->num, &num) ||
        __builtin_mul_overflow(den, unit->den, &den))
        return reader_expected(r, number, "a smaller number");
    *out_num = num;
    *out_den = den;
    *out_channel = unit->channel;
    return ERR_OK;
}

bool word_channel(struct span word, enum channel *out)
{
    if (word_is(word, "billed")) {
        *out = CHANNEL_BILLED;
        return true;
    }
    return !channel_read(word, out);
}

static const char *const status_names[] = {
    "VALVE_CLOSED", "VALVE_FAULT", "BATTERY_LOW", "MAGNET",       "TAMPER", "LEAK",
    "BURST",        "BACKFLOW",    "DRY",         "SENSOR_FAULT", "FREEZE", "CLOCK_LOST",
};

const char *recipe_status_name(unsigned bit)
{
    return bit < sizeof status_names / sizeof *status_names ? status_names[bit] : NULL;
}

bool word_status(struct span word, uint32_t *out_bit)
{
    const char *name;

    for (unsigned bit = 0; (name = recipe_status_name(bit)); bit++) {
        if (word_is(word, name)) {
            *out_bit = 1u << bit;
            return true;
        }
    }
    return false;
}

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
    if (word.len != 2 || digit_of(word.at[0]) > 15 || digit_of(word.at[1]) > 15)
        return false;
    *out = (int16_t)(digit_of(word.at[0]) << 4 | digit_of(word.at[1]));
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
        !word_number(span_of(word.at + 4, 2), &minutes) || hours > 14 || minutes > 59)
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
