/* What every line of a recipe is read with: words, numbers, scales, names, and refusals that say where. */
#include "proto/recipe_priv.h"

#include "proto/base/hex.h"

#include <stdarg.h>
#include <stdio.h>

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
        int digit = hex_digit(word.at[i]);

        if (digit < 0 || digit >= base || __builtin_mul_overflow(v, base, &v) ||
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

static const char *const status_ids[STATUS_BITS] = {
#define STATUS(name, told, words) #name,
#include "proto/status.def"
#undef STATUS
};

const char *recipe_status_name(unsigned bit)
{
    return bit < STATUS_BITS ? status_ids[bit] : NULL;
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
