/* The layout of a recipe, line by line, into steps.  A line that opens a block leaves a jump behind whose target is known when the
 * block ends. */
#include "proto/recipe_priv.h"

#include <stdlib.h>

#define NOWHERE UINT32_MAX

/* ---- steps and slots ---- */

static struct step *step_add(struct reader *r, enum step_kind kind, enum err *out_err)
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
                           .jump = NOWHERE };
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
static enum err slot_named(struct reader *r, struct span word, uint16_t *out)
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

static enum err read_operand(struct reader *r, struct operand *out)
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

static enum err read_field(struct reader *r, struct operand *out)
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

static bool form_number(struct span word, struct step *s)
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
    if (form_number(word, s))
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
    uint16_t first, count;
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
    if (!(s = step_add(r, is ? STEP_IS : STEP_MUST, &err)))
        return err;
    s->slot = slot;
    s->pool = first;
    s->pool_count = count;
    return ERR_OK;
}

static enum err statement_field(struct reader *r, uint16_t slot)
{
    enum err err = ERR_OK;
    uint32_t read = r->recipe->step_count;
    struct step *s = step_add(r, STEP_READ, &err);

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
        enum err err = read_operand(r, to[i]);

        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err read_sum(struct reader *r, struct step *s)
{
    struct span word;
    enum err err;

    if ((err = read_operand(r, &s->a)))
        return err;
    s->op = OP_COPY;
    word = words_peek(&r->words);
    if (word.len == 0)
        return ERR_OK;
    words_next(&r->words);
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        if (word_is(word, sums[i].word)) {
            s->op = (uint8_t)sums[i].op;
            return read_operand(r, &s->b);
        }
    }
    return reader_expected(r, word, "one of + - * / % & | << >> or, or the end of the line");
}

static enum err statement_set(struct reader *r, struct span name)
{
    struct span first;
    struct step *s;
    uint16_t slot;
    enum err err = ERR_OK;

    words_next(&r->words); /* = */
    if (!(s = step_add(r, STEP_SET, &err)))
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
    if (err || (err = slot_named(r, name, &slot)))
        return err;
    s->slot = slot;
    return ERR_OK;
}

/* ---- blocks ---- */

static enum err block_open(struct reader *r, unsigned kind, struct span at, struct block **out)
{
    if (r->deep == RECIPE_DEEP)
        return reader_refuse(r, at, "blocks stand at most %d deep", RECIPE_DEEP);
    *out = &r->blocks[r->deep++];
    **out = (struct block){ .line = r->words.number, .skip = NOWHERE, .outs = NOWHERE };
    (*out)->kind = kind;
    return ERR_OK;
}

static const struct {
    const char *word;
    enum op op;
} tests[] = { { "==", OP_EQ }, { "!=", OP_NE }, { "<", OP_LT }, { "<=", OP_LE },
              { ">", OP_GT },  { ">=", OP_GE }, { "&", OP_ANY } };

static enum err read_condition(struct reader *r, struct step *s)
{
    struct span word;
    enum err err;

    if ((err = read_field(r, &s->a)))
        return err;
    word = words_next(&r->words);
    if (word_is(word, "known") || word_is(word, "unknown")) {
        s->op = word_is(word, "known") ? OP_KNOWN : OP_UNKNOWN;
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (word_is(word, tests[i].word)) {
            s->op = (uint8_t)tests[i].op;
            return read_operand(r, &s->b);
        }
    }
    return reader_expected(r, word, "one of == != < <= > >= & known unknown");
}

static enum err branch_open(struct reader *r, struct block *b)
{
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_UNLESS, &err);

    if (!s)
        return err;
    b->skip = r->recipe->step_count - 1;
    return read_condition(r, s);
}

/* The branch at hand ends: its jump to the block's end is chained, the next branch begins here. */
static enum err branch_close(struct reader *r, struct block *b)
{
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_JUMP, &err);

    if (!s)
        return err;
    s->jump = b->outs;
    b->outs = r->recipe->step_count - 1;
    if (b->skip != NOWHERE)
        r->recipe->steps[b->skip].jump = r->recipe->step_count;
    b->skip = NOWHERE;
    return ERR_OK;
}

static void jumps_land(struct reader *r, struct block *b)
{
    struct recipe *recipe = r->recipe;

    if (b->skip != NOWHERE)
        recipe->steps[b->skip].jump = recipe->step_count;
    for (uint32_t at = b->outs; at != NOWHERE;) {
        uint32_t next = recipe->steps[at].jump;

        recipe->steps[at].jump = recipe->step_count;
        at = next;
    }
}

static enum err statement_if(struct reader *r, struct span at)
{
    struct block *b;
    enum err err = block_open(r, BLOCK_IF, at, &b);

    return err ? err : branch_open(r, b);
}

static struct block *block_at_hand(struct reader *r, unsigned kind)
{
    return r->deep && r->blocks[r->deep - 1].kind == kind ? &r->blocks[r->deep - 1] : NULL;
}

static enum err statement_elif(struct reader *r, struct span at)
{
    struct block *b = block_at_hand(r, BLOCK_IF);
    enum err err;

    if (!b || b->skip == NOWHERE)
        return reader_refuse(r, at, "'elif' without an 'if' above");
    err = branch_close(r, b);
    return err ? err : branch_open(r, b);
}

static enum err statement_else(struct reader *r, struct span at)
{
    struct block *b = block_at_hand(r, BLOCK_IF);

    if (!b || b->skip == NOWHERE)
        return reader_refuse(r, at, "'else' without an 'if' above");
    return branch_close(r, b);
}

static enum err loop_take(struct reader *r, struct span at, struct step *s)
{
    if (r->recipe->loop_count == RECIPE_DEEP * 2)
        return reader_refuse(r, at, "more than %d loops", RECIPE_DEEP * 2);
    s->loop = (uint8_t)r->recipe->loop_count++;
    return ERR_OK;
}

/* repeat COUNT [as NAME] · repeat to end [as NAME] */
static enum err statement_repeat(struct reader *r, struct span at)
{
    struct block *b;
    struct step *s;
    struct span word;
    enum err err = block_open(r, BLOCK_REPEAT, at, &b);

    if (err || !(s = step_add(r, STEP_REPEAT, &err)) || (err = loop_take(r, at, s)))
        return err;
    b->head = b->skip = r->recipe->step_count - 1;
    if (word_is(words_peek(&r->words), "to")) {
        words_next(&r->words);
        if (!word_is((word = words_next(&r->words)), "end"))
            return reader_expected(r, word, "'end'");
        s->a = (struct operand){ .fixed = true, .value = INT64_MAX };
    } else if ((err = read_operand(r, &s->a))) {
        return err;
    }
    s->slot = RECIPE_SLOTS; /* nobody counts */
    if (!word_is(words_peek(&r->words), "as"))
        return ERR_OK;
    words_next(&r->words);
    return slot_named(r, words_next(&r->words), &s->slot);
}

/* tags NAME FORM [length FORM] */
static enum err statement_tags(struct reader *r, struct span at)
{
    struct step tag = { .big = r->recipe->big }, length = tag;
    struct block *b;
    struct step *s;
    struct span word;
    uint16_t slot;
    enum err err = block_open(r, BLOCK_TAGS, at, &b);

    if (err || (err = slot_named(r, words_next(&r->words), &slot)))
        return err;
    word = words_next(&r->words);
    if (!form_number(word, &tag) || tag.form != FORM_UINT || tag.width > 4)
        return reader_expected(r, word, "the tag's form: u8 to u32");
    if (words_peek(&r->words).len) {
        if (!word_is((word = words_next(&r->words)), "length"))
            return reader_expected(r, word, "'length' or the end of the line");
        word = words_next(&r->words);
        if (!form_number(word, &length) || length.form != FORM_UINT || length.width > 4)
            return reader_expected(r, word, "the length's form: u8 to u32");
    }
    if (!(s = step_add(r, STEP_TAGS, &err)) || (err = loop_take(r, at, s)))
        return err;
    s->slot = b->slot = slot;
    s->form = FORM_UINT;
    s->width = tag.width;
    s->big = tag.big;
    s->bcd = length.big; /* the order of the length's bytes */
    s->width_b = length.width;
    b->head = b->skip = r->recipe->step_count - 1;
    return ERR_OK;
}

/* A case of the tags: a test whose miss goes to the next case. */
static enum err statement_tag(struct reader *r, struct span at)
{
    struct block *tags = block_at_hand(r, BLOCK_TAGS), *b;
    struct step *s;
    int64_t value;
    enum err err;

    if (!tags)
        return reader_refuse(r, at, "'tag' without 'tags' above");
    if ((err = block_open(r, BLOCK_TAG, at, &b)) ||
        (err = reader_number(r, "the tag's value", 0, UINT32_MAX, &value)) ||
        !(s = step_add(r, STEP_UNLESS, &err)))
        return err;
    s->op = OP_EQ;
    s->a = (struct operand){ .slot = tags->slot };
    s->b = (struct operand){ .fixed = true, .value = value };
    b->skip = r->recipe->step_count - 1;
    return ERR_OK;
}

static enum err end_loop(struct reader *r, const struct block *b, enum step_kind kind)
{
    uint8_t loop = r->recipe->steps[b->head].loop;
    enum err err = ERR_OK;
    struct step *s = step_add(r, kind, &err);

    if (s) {
        s->jump = b->head;
        s->loop = loop;
    }
    return err;
}

static enum err statement_end(struct reader *r, struct span at)
{
    struct block *b;
    enum err err = ERR_OK;

    if (r->deep == 0)
        return reader_refuse(r, at, "'end' without a block above");
    b = &r->blocks[--r->deep];
    if (b->kind == BLOCK_REPEAT)
        err = end_loop(r, b, STEP_JUMP);
    else if (b->kind == BLOCK_TAGS)
        err = end_loop(r, b, STEP_PASS_TAG);
    else if (b->kind == BLOCK_TAG)
        err = end_loop(r, &r->blocks[r->deep - 1], STEP_TAG_DONE);
    if (!err)
        jumps_land(r, b);
    return err;
}

/* ---- where bytes stand ---- */

static enum err statement_skip(struct reader *r, struct span at)
{
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_SKIP, &err);

    (void)at;
    return s ? read_operand(r, &s->a) : err;
}

static enum err statement_seek(struct reader *r, struct span at)
{
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_SEEK, &err);

    (void)at;
    return s ? read_operand(r, &s->a) : err;
}

/* limit PLACE: what stands behind it is no part of the fields. */
static enum err statement_limit(struct reader *r, struct span at)
{
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_LIMIT, &err);

    if (!s)
        return err;
    if (r->deep)
        return reader_refuse(r, at, "'limit' stands outside of blocks");
    return read_operand(r, &s->a);
}

static enum err statement_ends(struct reader *r, struct span at)
{
    enum err err = ERR_OK;

    (void)at;
    step_add(r, STEP_ENDS, &err);
    return err;
}

static enum err read_place(struct reader *r, const char *before, struct operand *out)
{
    struct span word = words_next(&r->words);

    if (!word_is(word, before))
        return reader_refuse(r, word, "expected '%s' and a byte's number (-1: the last)", before);
    out->fixed = true;
    return reader_number(r, "a byte's number from -65536 to 65535", -RECIPE_TEXT_MAX,
                         RECIPE_TEXT_MAX - 1, &out->value);
}

/* checksum SUM from A to B at C [le|be] */
static enum err statement_checksum(struct reader *r, struct span at)
{
    struct span word = words_next(&r->words);
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_CHECKSUM, &err);
    unsigned sum = 0;

    (void)at;
    if (!s)
        return err;
    while (sum < SUM_COUNT && !word_is(word, recipe_sum_name((enum sum)sum)))
        sum++;
    if (sum == SUM_COUNT)
        return reader_expected(
            r, word, "a sum: sum8, xor8, crc16-modbus, crc16-ccitt, crc16-xmodem or crc16-en13757");
    s->form = (uint8_t)sum;
    if ((err = read_place(r, "from", &s->a)) || (err = read_place(r, "to", &s->b)) ||
        (err = read_place(r, "at", &s->c)))
        return err;
    word = words_peek(&r->words);
    if (!word_is(word, "le") && !word_is(word, "be"))
        return ERR_OK;
    s->big = word_is(words_next(&r->words), "be");
    return ERR_OK;
}

/* ---- what the payload says ---- */

static enum err reading_channel(struct reader *r, enum channel unit, struct step *s)
{
    enum channel named;

    s->channel = (uint8_t)unit;
    if (!word_channel(words_peek(&r->words), &named))
        return ERR_OK;
    if (unit != CHANNEL_BILLED || named == CHANNEL_PRESSURE || named == CHANNEL_TEMPERATURE)
        return reader_expected(r, words_peek(&r->words), "a channel that fits the unit");
    words_next(&r->words);
    s->channel = (uint8_t)named;
    return ERR_OK;
}

/* reading FIELD SCALE UNIT [CHANNEL] [at TIME] */
static enum err statement_reading(struct reader *r, struct span at)
{
    enum channel unit;
    struct span word;
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_READING, &err);

    (void)at;
    if (!s || (err = read_field(r, &s->a)) || (err = reader_scale(r, &s->num, &s->den, &unit)) ||
        (err = reading_channel(r, unit, s)))
        return err;
    r->reads = true;
    s->b = (struct operand){ .slot = SLOT_HEARD };
    word = words_peek(&r->words);
    if (word.len == 0)
        return ERR_OK;
    words_next(&r->words);
    if (!word_is(word, "at"))
        return reader_expected(r, word, "forward, reverse, net, 'at' or the end of the line");
    return read_field(r, &s->b);
}

/* status raw FIELD · status BIT if CONDITION */
static enum err statement_status(struct reader *r, struct span at)
{
    struct span word = words_next(&r->words);
    bool raw = word_is(word, "raw");
    enum err err = ERR_OK;
    struct step *s = step_add(r, raw ? STEP_STATUS_RAW : STEP_STATUS, &err);

    (void)at;
    if (!s)
        return err;
    if (raw)
        return read_field(r, &s->a);
    if (!word_status(word, &s->bits))
        return reader_expected(r, word,
                               "'raw', or a status: LEAK, BURST, BACKFLOW, TAMPER, MAGNET, …");
    if (!word_is((word = words_next(&r->words)), "if"))
        return reader_expected(r, word, "'if' and a condition");
    return read_condition(r, s);
}

/* battery FIELD SCALE mV|V */
static enum err statement_battery(struct reader *r, struct span at)
{
    struct span word;
    int64_t num;
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_BATTERY, &err);

    (void)at;
    if (!s || (err = read_field(r, &s->a)))
        return err;
    word = words_next(&r->words);
    if (text_decimal(word, 6, &num) || num <= 0 || num > 1000000000)
        return reader_expected(r, word, "what one count is: a number as 1, 0.01 or 10");
    word = words_next(&r->words);
    if (!word_is(word, "mV") && !word_is(word, "V"))
        return reader_expected(r, word, "'mV' or 'V'");
    s->num = num * (word_is(word, "V") ? 1000 : 1);
    s->den = 1000000;
    return ERR_OK;
}

static enum err statement_of_field(struct reader *r, enum step_kind kind)
{
    enum err err = ERR_OK;
    struct step *s = step_add(r, kind, &err);

    return s ? read_field(r, &s->a) : err;
}

/* Whether a field is text, or digits that name something. */
static bool slot_is_name(const struct recipe *recipe, uint16_t slot)
{
    for (unsigned i = 0; i < recipe->step_count; i++) {
        const struct step *s = &recipe->steps[i];

        if (s->kind == STEP_READ && s->slot == slot)
            return s->form == FORM_ASCII || s->form == FORM_HEX || s->form == FORM_BCD ||
                   s->form == FORM_UINT;
    }
    return false;
}

static enum err statement_name(struct reader *r, struct span at)
{
    enum err err = statement_of_field(r, STEP_NAME);

    if (err)
        return err;
    if (!slot_is_name(r->recipe, r->recipe->steps[r->recipe->step_count - 1].a.slot))
        return reader_refuse(r, at, "a name is read as ascii, hex, bcd or u");
    return ERR_OK;
}

static enum err statement_sent(struct reader *r, struct span at)
{
    (void)at;
    return statement_of_field(r, STEP_SENT);
}

static enum err statement_seq(struct reader *r, struct span at)
{
    (void)at;
    return statement_of_field(r, STEP_SEQ);
}

static enum err statement_rsrp(struct reader *r, struct span at)
{
    (void)at;
    return statement_of_field(r, STEP_RSRP);
}

static enum err statement_snr(struct reader *r, struct span at)
{
    (void)at;
    return statement_of_field(r, STEP_SNR);
}

static enum err statement_cell(struct reader *r, struct span at)
{
    (void)at;
    return statement_of_field(r, STEP_CELL);
}

static enum err statement_refuse(struct reader *r, enum err with)
{
    enum err err = ERR_OK;
    struct step *s = step_add(r, STEP_REFUSE, &err);

    if (!s)
        return err;
    s->err = with;
    s->words = words_rest(&r->words);
    return ERR_OK;
}

static enum err statement_unknown(struct reader *r, struct span at)
{
    (void)at;
    return statement_refuse(r, ERR_NO_RECIPE);
}

static enum err statement_malformed(struct reader *r, struct span at)
{
    (void)at;
    return statement_refuse(r, ERR_MALFORMED);
}

/* ---- one line ---- */

static const struct statement {
    const char *word;
    enum err (*read)(struct reader *r, struct span at);
} statements[] = {
    { "if", statement_if },
    { "elif", statement_elif },
    { "else", statement_else },
    { "end", statement_end },
    { "repeat", statement_repeat },
    { "tags", statement_tags },
    { "tag", statement_tag },
    { "skip", statement_skip },
    { "seek", statement_seek },
    { "limit", statement_limit },
    { "ends", statement_ends },
    { "checksum", statement_checksum },
    { "reading", statement_reading },
    { "status", statement_status },
    { "battery", statement_battery },
    { "name", statement_name },
    { "sent", statement_sent },
    { "seq", statement_seq },
    { "rsrp", statement_rsrp },
    { "snr", statement_snr },
    { "cell", statement_cell },
    { "unknown", statement_unknown },
    { "malformed", statement_malformed },
};

enum err reader_statement(struct reader *r, struct span first)
{
    uint16_t slot;
    enum err err;

    if (block_at_hand(r, BLOCK_TAGS) && !word_is(first, "tag") && !word_is(first, "end"))
        return reader_expected(r, first, "'tag' or 'end'");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (!word_is(first, statements[i].word) || word_is(words_peek(&r->words), "="))
            continue;
        err = statements[i].read(r, first);
        return err ? err : reader_end_of_line(r);
    }
    if (word_is(words_peek(&r->words), "="))
        err = statement_set(r, first);
    else if (!(err = slot_named(r, first, &slot)))
        err = statement_field(r, slot);
    return err ? err : reader_end_of_line(r);
}

enum err reader_layout_end(struct reader *r)
{
    enum err err = ERR_OK;

    if (r->recipe->about.sample_count)
        return ERR_OK;
    if (r->deep)
        return reader_refuse(r, span_of(r->words.line, 0), "the block of line %u lacks its 'end'",
                             r->blocks[r->deep - 1].line);
    step_add(r, STEP_DONE, &err);
    return err;
}
