/* The samples in a recipe: payloads, and what they say. */
#include "proto/recipe_priv.h"

#include "proto/base/hex.h"

#include <stdlib.h>

static enum err read_time(struct reader *r, int64_t *out_s)
{
    struct span word = words_next(&r->words);

    if (text_time(word, &lore_china, out_s))
        return reader_expected(r, word, "a time as 2026-03-01T02:00:00+08:00");
    return ERR_OK;
}

static enum err sample_bytes(struct reader *r, struct recipe_sample *s)
{
    struct span hex = words_rest(&r->words);
    size_t room = hex.len / 2 + 1, len;
    uint8_t *bytes = (uint8_t *)realloc(s->bytes, s->len + room);

    if (!bytes)
        return refuse(r->r, ERR_NO_MEMORY, 0, "", "no memory");
    s->bytes = bytes;
    if (hex_read(hex, bytes + s->len, room, &len))
        return reader_expected(r, hex, "bytes as pairs of hex digits");
    s->len += len;
    return ERR_OK;
}

static enum err give_add(struct reader *r, struct recipe_sample *s, const struct give *g)
{
    struct recipe *recipe = r->recipe;

    if (s->give_count == RECIPE_GIVES)
        return reader_refuse(r, span_of(r->words.line, 0), "a sample gives at most %d values",
                             RECIPE_GIVES);
    if (recipe->give_count == r->give_cap) {
        uint32_t cap = r->give_cap ? r->give_cap * 2 : 32;
        struct give *gives = (struct give *)realloc(recipe->gives, cap * sizeof *gives);

        if (!gives)
            return refuse(r->r, ERR_NO_MEMORY, 0, "", "no memory");
        recipe->gives = gives;
        r->give_cap = cap;
    }
    if (s->give_count == 0)
        s->give = (uint16_t)recipe->give_count;
    recipe->gives[recipe->give_count++] = *g;
    s->give_count++;
    return ERR_OK;
}

static enum err give_unit(struct reader *r, struct give *g)
{
    static const struct {
        const char *name;
        int64_t factor;
        enum channel channel;
    } units[] = { { "L", 1, CHANNEL_BILLED },
                  { "m3", 1000, CHANNEL_BILLED },
                  { "kPa", 1, CHANNEL_PRESSURE },
                  { "C", 1, CHANNEL_TEMPERATURE } };
    struct span word = words_next(&r->words);

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!word_is(word, units[i].name))
            continue;
        if (g->channel == CHANNEL_BILLED)
            g->channel = units[i].channel;
        if (__builtin_mul_overflow(g->value, units[i].factor, &g->value))
            return reader_expected(r, word, "a smaller value");
        return ERR_OK;
    }
    return reader_expected(r, word, "a unit: L, m3, kPa or C");
}

/* gives [CHANNEL] VALUE UNIT [at TIME] */
static enum err give_value(struct reader *r, struct give *g)
{
    struct span word = words_peek(&r->words);
    enum err err;

    g->kind = GIVE_VALUE;
    g->channel = CHANNEL_BILLED;
    if (word_channel(word, &g->channel))
        words_next(&r->words);
    word = words_next(&r->words);
    if (text_decimal(word, 3, &g->value))
        return reader_expected(r, word,
                               "a channel and a value, or battery, status, raw, name, sent, seq, "
                               "rsrp, snr, cell or refusal");
    if ((err = give_unit(r, g)))
        return err;
    word = words_peek(&r->words);
    if (word.len == 0)
        return ERR_OK;
    words_next(&r->words);
    return word_is(word, "at") ? read_time(r, &g->at_s)
                               : reader_expected(r, word, "'at' or the end of the line");
}

static enum err give_number(struct reader *r, struct give *g)
{
    enum err err = reader_number(r, "a number", INT32_MIN, UINT32_MAX, &g->value);

    if (!err && g->kind == GIVE_BATTERY && !word_is(words_next(&r->words), "mV"))
        return reader_expected(r, words_peek(&r->words), "'mV' behind the number");
    return err;
}

static enum err give_status(struct reader *r, struct give *g)
{
    do {
        struct span word = words_next(&r->words);
        uint32_t bit;

        if (!word_status(word, &bit))
            return reader_expected(r, word, "a status as LEAK");
        g->value |= bit;
    } while (words_peek(&r->words).len);
    return ERR_OK;
}

static enum err give_text(struct reader *r, struct give *g)
{
    g->text = words_next(&r->words);
    if (g->kind == GIVE_NAME)
        return text_is_serial(g->text) ? ERR_OK : reader_expected(r, g->text, "a meter's name");
    for (unsigned e = ERR_OK + 1; e < ERR_COUNT; e++) {
        if (err_of_frame((enum err)e) && word_is(g->text, err_name((enum err)e))) {
            g->value = e;
            return ERR_OK;
        }
    }
    return reader_expected(r, g->text, "an error as no_recipe, malformed, truncated or range");
}

static const struct {
    const char *word;
    enum give_kind kind;
} give_words[] = { { "battery", GIVE_BATTERY }, { "status", GIVE_STATUS }, { "raw", GIVE_RAW },
                   { "name", GIVE_NAME },       { "sent", GIVE_SENT },     { "seq", GIVE_SEQ },
                   { "rsrp", GIVE_RSRP },       { "snr", GIVE_SNR },       { "cell", GIVE_CELL },
                   { "refusal", GIVE_REFUSAL } };

static enum err give_read(struct reader *r, struct give *g)
{
    struct span word = words_peek(&r->words);

    for (size_t i = 0; i < sizeof give_words / sizeof *give_words; i++) {
        if (!word_is(word, give_words[i].word))
            continue;
        words_next(&r->words);
        g->kind = give_words[i].kind;
        if (g->kind == GIVE_STATUS)
            return give_status(r, g);
        if (g->kind == GIVE_SENT)
            return read_time(r, &g->value);
        return g->kind == GIVE_NAME || g->kind == GIVE_REFUSAL ? give_text(r, g)
                                                               : give_number(r, g);
    }
    return give_value(r, g);
}

static enum err sample_gives(struct reader *r, struct recipe_sample *s)
{
    struct give g = { .at_s = INT64_MIN };
    enum err err = give_read(r, &g);

    return err ? err : give_add(r, s, &g);
}

static enum err sample_line(struct reader *r, struct recipe_sample *s, struct span first)
{
    enum err err;

    if (word_is(first, "bytes"))
        err = sample_bytes(r, s);
    else if (word_is(first, "arrived"))
        err = read_time(r, &s->arrived_s);
    else if (word_is(first, "sent"))
        err = read_time(r, &s->sent_s);
    else if (word_is(first, "gives"))
        err = sample_gives(r, s);
    else
        return reader_expected(r, first, "bytes, arrived, sent, gives or end");
    return err ? err : reader_end_of_line(r);
}

static enum err sample_whole(struct reader *r, const struct recipe_sample *s)
{
    struct span here = span_of(r->words.line, 0);

    if (s->len == 0)
        return reader_refuse(r, here, "the sample lacks a line 'bytes HEX'");
    if (s->give_count == 0)
        return reader_refuse(r, here, "the sample lacks a line 'gives …': what its bytes say");
    if (s->arrived_s == 0)
        return reader_refuse(r, here, "the sample lacks a line 'arrived TIME'");
    return ERR_OK;
}

enum err reader_sample(struct reader *r)
{
    struct recipe *recipe = r->recipe;
    struct span title = words_rest(&r->words), first;
    struct recipe_sample *s = &recipe->samples[recipe->about.sample_count];
    enum err err;

    if (title.len == 0)
        return reader_expected(r, title, "what the sample shows, in a few words");
    if (recipe->about.sample_count == RECIPE_SAMPLES)
        return reader_refuse(r, title, "more than %d samples", RECIPE_SAMPLES);
    *s = (struct recipe_sample){ .title = title, .line = r->words.number };
    recipe->about.sample_count++;
    while (reader_line(r)) {
        first = words_next(&r->words);
        if (word_is(first, "end"))
            return (err = sample_whole(r, s)) ? err : reader_end_of_line(r);
        if ((err = sample_line(r, s, first)))
            return err;
    }
    return reader_refuse(r, span_of(r->words.line, 0), "the sample of line %u lacks its 'end'",
                         s->line);
}
