/* Fields of a recipe: what they are called, how their bytes are read, and what is computed from them. */
#include "proto/recipe_priv.h"

#include <stdlib.h>

/* ---- steps and slots ---- */

struct step *reader_step(struct reader *r, enum step_kind kind, enum err *out_err)
{
    struct recipe *recipe = r->recipe;
    struct step *step;

    if (recipe->step_count == RECIPE_STEPS) {
        *out_err = reader_refuse(r, span_of(r->words.line, 0), "a layout has at most %d steps",
                                 RECIPE_STEPS);
        return NULL;
    }
    if (recipe->step_count == r->step_cap) {
        uint32_t cap = r->step_cap ? r->step_cap * 2 : 32;
        struct step *steps = (struct step *)realloc(recipe->steps, cap * sizeof *steps);

        if (!steps) {
            *out_err = refuse(r->r, ERR_NO_MEMORY, 0, "", "no memory");
            return NULL;
        }
        recipe->steps = steps;
        r->step_cap = cap;
    }
    step = &recipe->steps[recipe->step_count++];
    *step = (struct step){ .kind = (uint8_t)kind,
                           .line = (uint16_t)r->words.number,
                           .big = recipe->big,
                           .jump = RECIPE_NOWHERE };
    return step;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

static bool word_is_field(struct span word)
{
    if (word.len == 0 || word.len >= RECIPE_WORD || !is_letter(word.at[0]))
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (!is_letter(word.at[i]) && !(word.at[i] >= '0' && word.at[i] <= '9'))
            return false;
    return true;
}

static bool slot_find(const struct recipe *recipe, struct span word, uint16_t *out)
{
    for (unsigned i = 0; i < recipe->slot_count; i++) {
        if (word_is(word, recipe->names[i].text)) {
            *out = (uint16_t)i;
            return true;
        }
    }
    return false;
}

/* A field's own slot; one that is there already is filled anew. */
enum err reader_slot(struct reader *r, struct span word, uint16_t *out)
{
    struct recipe *recipe = r->recipe;

    if (!word_is_field(word))
        return reader_expected(r, word,
                               "a statement, or a field's name: a-z 0-9 _, at most 31 of them");
    if (slot_find(recipe, word, out))
        return *out < SLOTS_GIVEN
                   ? reader_refuse(r, word, "'%s' is there already and cannot be set",
                                   recipe->names[*out].text)
                   : ERR_OK;
    if (recipe->slot_count == RECIPE_SLOTS)
        return reader_refuse(r, word, "more than %d fields", RECIPE_SLOTS - SLOTS_GIVEN);
    *out = (uint16_t)recipe->slot_count++;
    memcpy(recipe->names[*out].text, word.at, word.len);
    return ERR_OK;
}

enum err reader_operand(struct reader *r, struct operand *out)
{
    struct span word = words_next(&r->words);

    if (word_number(word, &out->value)) {
        out->fixed = true;
        return ERR_OK;
    }
    if (slot_find(r->recipe, word, &out->slot))
        return ERR_OK;
    return reader_expected(r, word, "a number, or a field that stands above");
}

enum err reader_field(struct reader *r, struct operand *out)
{
    struct span word = words_next(&r->words);

    if (slot_find(r->recipe, word, &out->slot))
        return ERR_OK;
    return reader_expected(r, word, "a field that stands above");
}

/* ---- forms ---- */

/* "bcd8" by its stem: false where it is something else. */
static bool form_stem(struct span word, const char *stem, int64_t *out_number, bool *out_le,
                      bool *out_be)
{
    size_t len = strlen(stem), end = word.len;

    *out_le = *out_be = false;
    if (word.len <= len || memcmp(word.at, stem, len) != 0)
        return false;
    if (span_ends(word, "le") || span_ends(word, "be")) {
        *out_le = word.at[word.len - 2] == 'l';
        *out_be = !*out_le;
        end -= 2;
    }
    return end > len && word.at[len] != '-' &&
           word_number(span_of(word.at + len, end - len), out_number);
}

static const struct stem {
    const char *stem;
    enum form form;
    int64_t low, high, per_byte; /* the number of the form, and how much of it a byte holds */
} stems[] = {
    { "u", FORM_UINT, 8, 64, 8 },      { "i", FORM_INT, 8, 64, 8 },   { "bcd", FORM_BCD, 2, 18, 2 },
    { "ascii", FORM_ASCII, 1, 64, 1 }, { "hex", FORM_HEX, 1, 16, 1 },
};

bool word_form(struct span word, struct step *s)
{
    bool little, big;
    int64_t n;

    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++) {
        const struct stem *stem = &stems[i];

        if (!form_stem(word, stem->stem, &n, &little, &big) || n < stem->low || n > stem->high ||
            n % stem->per_byte || (stem->form == FORM_ASCII && (little || big)))
            continue;
        s->form = (uint8_t)stem->form;
        s->width = (uint8_t)(n / stem->per_byte);
        s->big = big || (s->big && !little);
        return true;
    }
    return false;
}

static const struct {
    const char *word;
    enum clock_part part;
    uint8_t bytes;
} clock_words[] = {
    { "CC", CLOCK_CENTURY, 1 }, { "YY", CLOCK_YEAR, 1 },   { "YYYY", CLOCK_YEAR4, 2 },
    { "MM", CLOCK_MONTH, 1 },   { "DD", CLOCK_DAY, 1 },    { "hh", CLOCK_HOUR, 1 },
    { "mm", CLOCK_MINUTE, 1 },  { "ss", CLOCK_SECOND, 1 }, { "--", CLOCK_PASS, 1 },
};

static bool clock_part_of(struct span word, struct step *s)
{
    for (size_t i = 0; i < sizeof clock_words / sizeof *clock_words; i++) {
        if (!word_is(word, clock_words[i].word))
            continue;
        s->clock[s->clock_count++] = (uint8_t)clock_words[i].part;
        s->width = (uint8_t)(s->width + clock_words[i].bytes);
        return true;
    }
    return false;
}

static enum err form_clock(struct reader *r, struct step *s)
{
    unsigned seen = 0;

    s->form = FORM_CLOCK;
    while (s->clock_count < RECIPE_CLOCK && clock_part_of(words_peek(&r->words), s)) {
        seen |= 1u << s->clock[s->clock_count - 1];
        words_next(&r->words);
    }
    if (!(seen & (1u << CLOCK_YEAR | 1u << CLOCK_YEAR4)) || !(seen & 1u << CLOCK_MONTH) ||
        !(seen & 1u << CLOCK_DAY))
        return reader_expected(r, words_peek(&r->words),
                               "the clock's bytes in their order, of CC YY YYYY MM DD hh mm ss --: "
                               "year, month and day at least");
    return ERR_OK;
}

static enum err form_time(struct reader *r, struct step *s)
{
    static const struct {
        const char *word;
        enum form form;
        uint8_t width;
    } times[] = { { "unix", FORM_UNIX, 4 }, { "unixle", FORM_UNIX, 4 }, { "unixbe", FORM_UNIX, 4 },
                  { "F", FORM_F, 4 },       { "G", FORM_G, 2 },         { "I", FORM_I, 6 } };
    struct span word = words_next(&r->words);

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (!word_is(word, times[i].word))
            continue;
        s->form = (uint8_t)times[i].form;
        s->width = times[i].width;
        if (times[i].form == FORM_UNIX && word.len > 4)
            s->big = span_ends(word, "be");
        return ERR_OK;
    }
    s->bcd = word_is(word, "bcd");
    if (s->bcd || word_is(word, "bin"))
        return form_clock(r, s);
    return reader_expected(r, word, "a form of time: unix, F, G, I, bcd or bin");
}

static enum err read_form(struct reader *r, struct step *s)
{
    struct span word = words_next(&r->words);

    if (word_is(word, "time"))
        return form_time(r, s);
    if (word_form(word, s))
        return ERR_OK;
    return reader_expected(
        r, word,
        "a form: u8 to u64, i8 to i64, bcd2 to bcd18, ascii1 to ascii64, hex1 to "
        "hex16, time …, or '='");
}

/* ---- fields ---- */

static enum err read_pool(struct reader *r, uint16_t *out_first, uint16_t *out_count)
{
    struct recipe *recipe = r->recipe;
    int64_t value;

    *out_first = (uint16_t)recipe->pool_count;
    while (word_number(words_peek(&r->words), &value)) {
        struct span word = words_next(&r->words);

        if (recipe->pool_count == RECIPE_POOL)
            return reader_refuse(r, word, "more than %d constants", RECIPE_POOL);
        recipe->pool[recipe->pool_count++] = value;
    }
    *out_count = (uint16_t)(recipe->pool_count - *out_first);
    return *out_count ? ERR_OK : reader_expected(r, words_peek(&r->words), "a number");
}

/* `is`, `must`, `invalid` behind a field's form. */
static enum err field_option(struct reader *r, uint32_t read, uint16_t slot)
{
    struct span word = words_next(&r->words);
    bool is = word_is(word, "is"), must = word_is(word, "must");
    uint16_t first = 0, count = 0;
    struct step *s;
    enum err err;

    if (!is && !must && !word_is(word, "invalid"))
        return reader_expected(r, word, "'is', 'must', 'invalid' or the end of the line");
    if ((err = read_pool(r, &first, &count)))
        return err;
    if (!is && !must) {
        r->recipe->steps[read].pool = first;
        r->recipe->steps[read].pool_count = count;
        return ERR_OK;
    }
    if (!(s = reader_step(r, is ? STEP_IS : STEP_MUST, &err)))
        return err;
    s->slot = slot;
    s->pool = first;
    s->pool_count = count;
    return ERR_OK;
}

enum err reader_new_field(struct reader *r, uint16_t slot)
{
    enum err err = ERR_OK;
    uint32_t read = r->recipe->step_count;
    struct step *s = reader_step(r, STEP_READ, &err);

    if (!s || (err = read_form(r, s)))
        return err;
    s->slot = slot;
    while (words_peek(&r->words).len)
        if ((err = field_option(r, read, slot)))
            return err;
    return ERR_OK;
}

/* ---- what follows from fields ---- */

static const struct {
    const char *word;
    enum op op;
} sums[] = {
    { "+", OP_ADD }, { "-", OP_SUB }, { "*", OP_MUL },  { "/", OP_DIV },  { "%", OP_MOD },
    { "&", OP_AND }, { "|", OP_OR },  { "<<", OP_SHL }, { ">>", OP_SHR }, { "or", OP_ELSE }
};

static const struct {
    const char *word;
    enum op op;
    unsigned operands;
} calls[] = { { "bits", OP_BITS, 3 },
              { "date", OP_DATE, 3 },
              { "datetime", OP_DATETIME, 6 },
              { "date_after", OP_DATE_AFTER, 3 },
              { "month_start", OP_MONTH_START, 2 } };

static enum err read_call(struct reader *r, struct step *s, size_t call)
{
    struct operand *to[6] = { &s->a, &s->b, &s->c, &s->more[0], &s->more[1], &s->more[2] };

    s->op = (uint8_t)calls[call].op;
    for (unsigned i = 0; i < calls[call].operands; i++) {
        enum err err = reader_operand(r, to[i]);

        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err read_sum(struct reader *r, struct step *s)
{
    struct span word;
    enum err err;

    if ((err = reader_operand(r, &s->a)))
        return err;
    s->op = OP_COPY;
    word = words_peek(&r->words);
    if (word.len == 0)
        return ERR_OK;
    words_next(&r->words);
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        if (word_is(word, sums[i].word)) {
            s->op = (uint8_t)sums[i].op;
            return reader_operand(r, &s->b);
        }
    }
    return reader_expected(r, word, "one of + - * / % & | << >> or, or the end of the line");
}

enum err reader_assignment(struct reader *r, struct span name)
{
    struct span first;
    struct step *s;
    uint16_t slot = 0;
    enum err err = ERR_OK;

    words_next(&r->words); /* = */
    if (!(s = reader_step(r, STEP_SET, &err)))
        return err;
    first = words_peek(&r->words);
    for (size_t i = 0; i < sizeof calls / sizeof *calls && !err; i++) {
        if (word_is(first, calls[i].word)) {
            words_next(&r->words);
            err = read_call(r, s, i);
            goto named;
        }
    }
    err = read_sum(r, s);
named:
    if (err || (err = reader_slot(r, name, &slot)))
        return err;
    s->slot = slot;
    return ERR_OK;
}
