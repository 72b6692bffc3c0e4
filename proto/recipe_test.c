/* Samples held against the decoder: each statement must come out, and nothing else may. */
#include "proto/recipe_priv.h"

#include "proto/trace.h"

#include <inttypes.h>
#include <stdio.h>

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

/* What is stated and did not come out; and what came in its place, where something of its kind did. */
static enum err refuse_absent(const struct recipe_sample *s, struct give stated,
                              const struct outcome_list *l, const struct refusal *why,
                              struct refusal *r)
{
    char text[160], came[160] = "";
    unsigned k = 0;

    stated.at_s = stated.at_s == INT64_MIN ? s->arrived_s : stated.at_s;
    put_give(&stated, text, sizeof text);
    if (l->count == 1 && l->at[0].kind == GIVE_REFUSAL)
        return refuse(r, ERR_INVALID, s->line, "sample",
                      "line %u: 'gives %s' did not come out: %.70s: %.80s", s->line, text,
                      why->field, why->text);
    while (k < l->count && l->at[k].kind != stated.kind)
        k++;
    if (k < l->count)
        put_give(&l->at[k], came, sizeof came);
    return refuse(r, ERR_INVALID, s->line, "sample",
                  "line %u: 'gives %.80s' did not come out%s%.80s%s", s->line, text,
                  *came ? ", but '" : "", came, *came ? "'" : "");
}

/* Takes what is stated out of what came. */
static enum err list_hold(const struct recipe *recipe, const struct recipe_sample *s,
                          struct outcome_list *l, const struct refusal *why, struct refusal *r)
{
    const struct give *absent = NULL;
    char text[160];

    for (unsigned i = 0; i < s->give_count; i++) {
        const struct give *stated = &recipe->gives[s->give + i];
        unsigned k = 0;

        while (k < l->count && !same(stated, &l->at[k], s))
            k++;
        if (k < l->count)
            l->at[k] = l->at[--l->count];
        else if (!absent)
            absent = stated;
    }
    if (absent)
        return refuse_absent(s, *absent, l, why, r);
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
    struct lore lore = { .zone = &lore_china };
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
