/* The samples in a recipe: payloads, and what they say.  Each statement must come out, and nothing else may. */
#include "proto/recipe_priv.h"

#include "proto/base/hex.h"
#include "proto/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- reading them ---- */

static struct zone *sample_zone(void)
{
    static struct zone china = { .name = "UTC+8",
                                 .first_offset_s = 8 * 3600,
                                 .rule = { .standard_s = 8 * 3600, .summer_s = 8 * 3600 } };

    return &china;
}

static enum err read_time(struct reader *r, int64_t *out_s)
{
    struct span word = words_next(&r->words);

    if (text_time(word, sample_zone(), out_s))
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

/* ---- holding them against the decoder ---- */

/* What came out, in the words of a file. */
static void put_give(const struct give *g, char *out, size_t cap)
{
    static const char *const numbers[] = { [GIVE_BATTERY] = "battery %" PRId64 " mV",
                                           [GIVE_RAW] = "raw %" PRId64,
                                           [GIVE_SEQ] = "seq %" PRId64,
                                           [GIVE_RSRP] = "rsrp %" PRId64,
                                           [GIVE_SNR] = "snr %" PRId64,
                                           [GIVE_CELL] = "cell %" PRId64 };
    char value[TEXT_LITRES_SIZE], time[TEXT_TIME_SIZE] = "?";
    size_t len;

    switch (g->kind) {
    case GIVE_VALUE:
        text_put_litres(value, g->value);
        if (g->at_s >= 0 && g->at_s <= UINT32_MAX)
            text_put_time(time, g->at_s);
        snprintf(out, cap, "%s%s%s %s at %s",
                 g->channel == CHANNEL_BILLED ? "" : channel_name(g->channel),
                 g->channel == CHANNEL_BILLED ? "" : " ", value,
                 g->channel == CHANNEL_PRESSURE      ? "kPa"
                 : g->channel == CHANNEL_TEMPERATURE ? "C"
                                                     : "L",
                 time);
        break;
    case GIVE_STATUS:
        len = (size_t)snprintf(out, cap, "status");
        for (unsigned bit = 0; recipe_status_name(bit) && len < cap; bit++)
            if (g->value >> bit & 1)
                len += (size_t)snprintf(out + len, cap - len, " %s", recipe_status_name(bit));
        break;
    case GIVE_SENT:
        if (g->value >= 0 && g->value <= UINT32_MAX)
            text_put_time(time, g->value);
        snprintf(out, cap, "sent %s", time);
        break;
    case GIVE_NAME:
    case GIVE_REFUSAL:
        snprintf(out, cap, "%s %.*s", g->kind == GIVE_NAME ? "name" : "refusal", (int)g->text.len,
                 (const char *)g->text.at);
        break;
    default:
        snprintf(out, cap, numbers[g->kind], g->value);
    }
}

struct outcome_list {
    unsigned count;
    struct give at[RECIPE_GIVES + 1];
};

static void list_add(struct outcome_list *l, struct give g)
{
    if (l->count <= RECIPE_GIVES)
        l->at[l->count++] = g;
}

static void list_vital(struct outcome_list *l, enum give_kind kind, int64_t value)
{
    if (value)
        list_add(l, (struct give){ .kind = kind, .value = value });
}

static void list_frame(struct outcome_list *l, const struct frame *f, const struct recipe_sample *s)
{
    for (uint32_t i = 0; i < f->series_count; i++)
        for (uint32_t k = 0; k < f->series[i].count; k++)
            list_add(l, (struct give){ .kind = GIVE_VALUE,
                                       .channel = f->series[i].channel,
                                       .value = f->series[i].samples[k].value,
                                       .at_s = f->series[i].samples[k].at_s });
    for (uint32_t i = 0; i < f->names.count; i++)
        list_add(l, (struct give){ .kind = GIVE_NAME, .text = f->names.at[i] });
    list_vital(l, GIVE_STATUS, f->status & STATUS_MEANT);
    list_vital(l, GIVE_RAW, f->status >> STATUS_RAW_SHIFT);
    list_vital(l, GIVE_BATTERY, f->battery_mv);
    list_vital(l, GIVE_SENT, f->sent_s == s->sent_s ? 0 : f->sent_s);
    list_vital(l, GIVE_SEQ, f->seq);
    list_vital(l, GIVE_RSRP, f->rsrp_dbm);
    list_vital(l, GIVE_SNR, f->snr_db);
    list_vital(l, GIVE_CELL, f->cell);
}

static bool same(const struct give *stated, const struct give *came, const struct recipe_sample *s)
{
    int64_t at_s = stated->at_s == INT64_MIN ? s->arrived_s : stated->at_s;

    if (stated->kind != came->kind)
        return false;
    if (stated->kind == GIVE_NAME || stated->kind == GIVE_REFUSAL)
        return span_equal(stated->text, came->text);
    if (stated->kind != GIVE_VALUE)
        return stated->value == came->value;
    return stated->channel == came->channel && stated->value == came->value && at_s == came->at_s;
}

/* Takes what is stated out of what came. */
static enum err list_hold(const struct recipe *recipe, const struct recipe_sample *s,
                          struct outcome_list *l, const struct refusal *why, struct refusal *r)
{
    char text[160];

    for (unsigned i = 0; i < s->give_count; i++) {
        struct give stated = recipe->gives[s->give + i];
        unsigned k = 0;

        while (k < l->count && !same(&stated, &l->at[k], s))
            k++;
        if (k < l->count) {
            l->at[k] = l->at[--l->count];
            continue;
        }
        stated.at_s = stated.at_s == INT64_MIN ? s->arrived_s : stated.at_s;
        put_give(&stated, text, sizeof text);
        if (l->count == 1 && l->at[0].kind == GIVE_REFUSAL)
            return refuse(r, ERR_INVALID, s->line, "sample",
                          "line %u: 'gives %s' did not come out: %.70s: %.80s", s->line, text,
                          why->field, why->text);
        return refuse(r, ERR_INVALID, s->line, "sample", "line %u: 'gives %s' did not come out",
                      s->line, text);
    }
    if (l->count == 0)
        return ERR_OK;
    put_give(&l->at[0], text, sizeof text);
    return refuse(r, ERR_INVALID, s->line, "sample",
                  "line %u: what came out besides is not stated: 'gives %s'", s->line, text);
}

enum err recipe_test(const struct recipe *recipe, unsigned n, struct arena *a, struct trace *trace,
                     struct refusal *r)
{
    const struct recipe_sample *s = &recipe->samples[n];
    struct lore lore = { .zone = sample_zone() };
    struct dialect_input in = {
        .bytes = span_of(s->bytes, s->len), .arrival_s = s->arrived_s, .lore = &lore, .trace = trace
    };
    struct frame f = { .sent_s = s->sent_s };
    struct gather g = gather_of(a);
    struct outcome_list *l = (struct outcome_list *)arena_alloc(a, sizeof *l);
    struct refusal why = { 0 };
    enum err err;

    if (!l)
        return refuse(r, ERR_NO_MEMORY, 0, "", "no memory");
    l->count = 0;
    err = recipe_decode(recipe, &in, in.bytes, &g, &f, &why);
    if (!err)
        err = gather_end(&g, &f);
    if (err && !err_of_frame(err))
        return refuse(r, err, 0, "", "%s", err_text(err));
    if (err)
        list_add(l, (struct give){
                        .kind = GIVE_REFUSAL, .value = err, .text = span_text(err_name(err)) });
    else
        list_frame(l, &f, s);
    return list_hold(recipe, s, l, &why, r);
}

struct span recipe_sample_bytes(const struct recipe *recipe, unsigned n)
{
    return span_of(recipe->samples[n].bytes, recipe->samples[n].len);
}

struct span recipe_sample_title(const struct recipe *recipe, unsigned n)
{
    return recipe->samples[n].title;
}
