/* The layout of a recipe, line by line, into steps.  A line that opens a block leaves a jump behind whose target is known when the
 * block ends. */
#include "proto/recipe_priv.h"

#define NOWHERE RECIPE_NOWHERE

/* ---- blocks ---- */

/* NULL: *out_err says why. */
static struct block *block_open(struct reader *r, unsigned kind, struct span at, enum err *out_err)
{
    struct block *b;

    if (r->deep == RECIPE_DEEP) {
        *out_err = reader_refuse(r, at, "blocks stand at most %d deep", RECIPE_DEEP);
        return NULL;
    }
    b = &r->blocks[r->deep++];
    *b = (struct block){ .line = r->words.number, .skip = NOWHERE, .outs = NOWHERE };
    b->kind = kind;
    return b;
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

    if ((err = reader_field(r, &s->a)))
        return err;
    word = words_next(&r->words);
    if (word_is(word, "known") || word_is(word, "unknown")) {
        s->op = word_is(word, "known") ? OP_KNOWN : OP_UNKNOWN;
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (word_is(word, tests[i].word)) {
            s->op = (uint8_t)tests[i].op;
            return reader_operand(r, &s->b);
        }
    }
    return reader_expected(r, word, "one of == != < <= > >= & known unknown");
}

static enum err branch_open(struct reader *r, struct block *b)
{
    enum err err = ERR_OK;
    struct step *s = reader_step(r, STEP_UNLESS, &err);

    if (!s)
        return err;
    b->skip = r->recipe->step_count - 1;
    return read_condition(r, s);
}

/* The branch at hand ends: its jump to the block's end is chained, the next branch begins here. */
static enum err branch_close(struct reader *r, struct block *b)
{
    enum err err = ERR_OK;
    struct step *s = reader_step(r, STEP_JUMP, &err);

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
    enum err err = ERR_OK;
    struct block *b = block_open(r, BLOCK_IF, at, &err);

    return b ? branch_open(r, b) : err;
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
    enum err err = ERR_OK;
    struct block *b = block_open(r, BLOCK_REPEAT, at, &err);
    struct step *s;
    struct span word;

    if (!b || !(s = reader_step(r, STEP_REPEAT, &err)) || (err = loop_take(r, at, s)))
        return err;
    b->head = b->skip = r->recipe->step_count - 1;
    if (word_is(words_peek(&r->words), "to")) {
        words_next(&r->words);
        if (!word_is((word = words_next(&r->words)), "end"))
            return reader_expected(r, word, "'end'");
        s->a = (struct operand){ .fixed = true, .value = INT64_MAX };
    } else if ((err = reader_operand(r, &s->a))) {
        return err;
    }
    s->slot = RECIPE_SLOTS; /* nobody counts */
    if (!word_is(words_peek(&r->words), "as"))
        return ERR_OK;
    words_next(&r->words);
    return reader_slot(r, words_next(&r->words), &s->slot);
}

/* tags NAME FORM [length FORM] */
static enum err statement_tags(struct reader *r, struct span at)
{
    struct step tag = { .big = r->recipe->big }, length = tag;
    enum err err = ERR_OK;
    struct block *b = block_open(r, BLOCK_TAGS, at, &err);
    struct step *s;
    struct span word;
    uint16_t slot = 0;

    if (!b || (err = reader_slot(r, words_next(&r->words), &slot)))
        return err;
    word = words_next(&r->words);
    if (!word_form(word, &tag) || tag.form != FORM_UINT || tag.width > 4)
        return reader_expected(r, word, "the tag's form: u8 to u32");
    if (words_peek(&r->words).len) {
        if (!word_is((word = words_next(&r->words)), "length"))
            return reader_expected(r, word, "'length' or the end of the line");
        word = words_next(&r->words);
        if (!word_form(word, &length) || length.form != FORM_UINT || length.width > 4)
            return reader_expected(r, word, "the length's form: u8 to u32");
    }
    if (!(s = reader_step(r, STEP_TAGS, &err)) || (err = loop_take(r, at, s)))
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
    int64_t value = 0;
    enum err err = ERR_OK;

    if (!tags)
        return reader_refuse(r, at, "'tag' without 'tags' above");
    if (!(b = block_open(r, BLOCK_TAG, at, &err)) ||
        (err = reader_number(r, "the tag's value", 0, UINT32_MAX, &value)) ||
        !(s = reader_step(r, STEP_UNLESS, &err)))
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
    struct step *s = reader_step(r, kind, &err);

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
    struct step *s = reader_step(r, STEP_SKIP, &err);

    (void)at;
    return s ? reader_operand(r, &s->a) : err;
}

static enum err statement_seek(struct reader *r, struct span at)
{
    enum err err = ERR_OK;
    struct step *s = reader_step(r, STEP_SEEK, &err);

    (void)at;
    return s ? reader_operand(r, &s->a) : err;
}

/* limit PLACE: what stands behind it is no part of the fields. */
static enum err statement_limit(struct reader *r, struct span at)
{
    enum err err = ERR_OK;
    struct step *s = reader_step(r, STEP_LIMIT, &err);

    if (!s)
        return err;
    if (r->deep)
        return reader_refuse(r, at, "'limit' stands outside of blocks");
    return reader_operand(r, &s->a);
}

static enum err statement_ends(struct reader *r, struct span at)
{
    enum err err = ERR_OK;

    (void)at;
    reader_step(r, STEP_ENDS, &err);
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
    struct step *s = reader_step(r, STEP_CHECKSUM, &err);
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
    enum channel unit = CHANNEL_BILLED;
    struct span word;
    enum err err = ERR_OK;
    struct step *s = reader_step(r, STEP_READING, &err);

    (void)at;
    if (!s || (err = reader_field(r, &s->a)) || (err = reader_scale(r, &s->num, &s->den, &unit)) ||
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
    return reader_field(r, &s->b);
}

/* status raw FIELD · status BIT if CONDITION */
static enum err statement_status(struct reader *r, struct span at)
{
    struct span word = words_next(&r->words);
    bool raw = word_is(word, "raw");
    enum err err = ERR_OK;
    struct step *s = reader_step(r, raw ? STEP_STATUS_RAW : STEP_STATUS, &err);

    (void)at;
    if (!s)
        return err;
    if (raw)
        return reader_field(r, &s->a);
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
    struct step *s = reader_step(r, STEP_BATTERY, &err);

    (void)at;
    if (!s || (err = reader_field(r, &s->a)))
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
    struct step *s = reader_step(r, kind, &err);

    return s ? reader_field(r, &s->a) : err;
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
    struct step *s = reader_step(r, STEP_REFUSE, &err);

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
    uint16_t slot = 0;
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
        err = reader_assignment(r, first);
    else if (!(err = reader_slot(r, first, &slot)))
        err = reader_new_field(r, slot);
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
    reader_step(r, STEP_DONE, &err);
    return err;
}
