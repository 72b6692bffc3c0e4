#include "proto/oms_frame.h"

#include "proto/gather.h"
#include "proto/oms_compact.h"
#include "proto/oms_reading.h"
#include "proto/oms_tell.h"
#include "proto/recipe.h"

#include <stdio.h>

/* A telegram of 255 bytes has at most 127 records and a few runs of fillers between them. */
#define RECORDS_MOST 1024

struct taking {
    const struct dialect_input *in;
    const struct oms_telegram *t;
    struct arena *arena;
    struct frame *out;
    struct oms_records records;
    struct gather gather;
    bool falling;  /* what was gathered is of one channel, newest first */
    enum err tail; /* why the maker's tail is not read, where there is one */
    const struct oms_value *tail_record;
    struct refusal tail_why; /* by its recipe */
};

/* ---- records ---- */

/* Reads all; on an error records.count are whole. `base` is the offset of the first byte, for `r`. */
static enum err walk(struct taking *k, struct span bytes, uint32_t base, struct refusal *r)
{
    size_t cap = bytes.len < RECORDS_MOST ? bytes.len : RECORDS_MOST;
    struct oms_value *values =
        (struct oms_value *)arena_alloc(k->arena, (cap + 1) * sizeof *values);
    struct rd rd = rd_of(bytes);

    if (!values)
        return refuse(r, ERR_NO_MEMORY, base, "", "the arena is full");
    k->records.values = values;
    while (rd_left(&rd)) {
        enum err err;

        if (k->records.count == cap)
            return refuse(r, ERR_TOO_LARGE, base + (uint32_t)rd_offset(&rd), "record",
                          "more than %d records", RECORDS_MOST);
        if ((err = oms_record_read(&rd, &values[k->records.count], r))) {
            if (r)
                r->offset += base;
            return err;
        }
        k->records.count++;
    }
    return ERR_OK;
}

/* What an earlier record of the telegram said already (a settlement that is history as well) needs no second row. */
static bool is_known(const struct taking *k, const struct oms_reading *reading)
{
    const struct gather *g = &k->gather;

    if (k->falling && g->count && g->at[g->count - 1].channel == reading->channel &&
        reading->sample.at_s < g->at[g->count - 1].sample.at_s)
        return false; /* all before it are of the same channel, and later */
    for (uint32_t i = 0; i < g->count; i++)
        if (g->at[i].channel == reading->channel && g->at[i].sample.at_s == reading->sample.at_s &&
            g->at[i].sample.value == reading->sample.value)
            return true;
    return false;
}

static enum err keep(struct taking *k, const struct oms_reading *reading)
{
    const struct gathered *last = k->gather.count ? &k->gather.at[k->gather.count - 1] : NULL;

    if (!reading->is || is_known(k, reading))
        return ERR_OK;
    k->falling = !last || (k->falling && last->channel == reading->channel &&
                           reading->sample.at_s < last->sample.at_s);
    return gather_add(&k->gather, reading->channel, reading->sample.at_s, reading->sample.value);
}

static void put_is(char *out, size_t cap, const struct oms_reading *reading)
{
    char value[TEXT_LITRES_SIZE], time[TEXT_TIME_SIZE] = "a time out of range";

    if (!reading->is) {
        *out = 0;
        return;
    }
    if (reading->sample.at_s >= 0 && reading->sample.at_s <= UINT32_MAX)
        text_put_time(time, reading->sample.at_s);
    text_put_litres(value, reading->sample.value);
    snprintf(out, cap, "%s %s at %s, %s", value, channel_unit(reading->channel), time,
             channel_name(reading->channel));
}

/* Which of those with the same DIF to VIFE. */
static unsigned ordinal_of(const struct oms_records *r, const struct oms_value *v)
{
    unsigned n = 1;

    if (v->kind == OMS_IS_FILLER)
        return n;
    for (const struct oms_value *o = r->values; o < v; o++)
        n += span_equal(span_of(o->raw.at, o->head), span_of(v->raw.at, v->head));
    return n;
}

static void tell(const struct taking *k, const struct oms_value *v,
                 const struct oms_reading *reading)
{
    char is[120];

    if (!k->in->trace)
        return;
    put_is(is, sizeof is, reading);
    oms_tell(k->in->trace, v, ordinal_of(&k->records, v), &(struct oms_fate){ is, reading->note });
}

static enum err take_profile(struct taking *k, const struct oms_value *v)
{
    struct oms_reading whole = { .note = "" };
    struct oms_profile p;
    struct oms_past past;
    struct oms_entry e;
    enum err err;

    if (oms_profile_open(v, oms_profile_base(&k->records, v), &p, &whole.note)) {
        tell(k, v, &whole);
        return ERR_OK;
    }
    tell(k, v, &whole);
    past = oms_past_of(&k->records, v, &p);
    while (oms_profile_next(&p, &e)) {
        struct oms_reading reading = oms_judge_entry(&k->records, v, &p, &past, &e);
        char is[120];

        if ((err = keep(k, &reading)))
            return err;
        if (!k->in->trace)
            continue;
        put_is(is, sizeof is, &reading);
        oms_tell_entry(k->in->trace, v, &p, &e, &(struct oms_fate){ is, reading.note });
    }
    if (p.entries.len)
        trace_field(k->in->trace, p.entries, v->vif->name, "", "behind the end of the profile",
                    "%zu bytes", p.entries.len);
    return ERR_OK;
}

static void take_battery(struct taking *k, const struct oms_value *v)
{
    int64_t mv;

    if (v->kind != OMS_IS_NUMBER || v->function || v->storage || v->barred || k->out->battery_mv ||
        scale_ten(v->number, v->power + 3, false, &mv) || mv <= 0 || mv > UINT32_MAX)
        return;
    k->out->battery_mv = (uint32_t)mv;
}

/* ---- the maker's tail ---- */

static const struct recipe *recipe_for(const struct taking *k)
{
    const struct oms_telegram *t = k->t;
    const struct layout_id of = { t->meter.maker, t->meter.version, t->meter.type, 0x0f };

    return lore_recipe_for(k->in, &k->out->names, &of);
}

/* What a recipe refuses counts for nothing: values, status and clock are as they were. */
static enum err by_recipe(struct taking *k, const struct recipe *recipe, struct span bytes)
{
    struct trace before = trace_layer(k->in->trace, "maker_data, by recipe", bytes);
    struct frame f = *k->out;
    uint32_t count = k->gather.count;
    enum err err;

    if (!f.sent_s)
        f.sent_s = k->records.sent_s;
    k->falling = false;
    err = recipe_decode(recipe, k->in, bytes, &k->gather, &f, &k->tail_why);
    if (err)
        k->gather.count = count;
    else
        *k->out = f;
    trace_back(k->in->trace, &before);
    if (err)
        trace_field(k->in->trace, bytes, "maker_data", "", "not read by its recipe", "%s",
                    k->tail_why.text);
    return err;
}

static enum err take_tail(struct taking *k, const struct oms_value *v)
{
    const struct recipe *recipe = v->data.len ? recipe_for(k) : NULL;
    struct oms_reading whole = { .note = v->data.len && !recipe ? "no recipe tells it" : "" };

    tell(k, v, &whole);
    if (v->data.len == 0)
        return ERR_OK;
    k->tail_record = v;
    k->tail = recipe ? by_recipe(k, recipe, v->data) : ERR_NO_RECIPE;
    return k->tail == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_OK;
}

/* Nothing but a tail: it waits for a recipe, or is what its recipe says. */
static enum err refuse_tail(struct taking *k, uint32_t base, struct refusal *r)
{
    const struct oms_address *of = &k->t->meter;
    char maker[4];
    const uint8_t *first = k->records.values[0].raw.at;
    uint32_t offset = base + (uint32_t)(k->tail_record->data.at - first);

    oms_maker_text(of->maker, maker);
    if (k->tail_why.err == ERR_OK)
        return refuse(r, k->tail, offset, "maker_data",
                      "no recipe tells what %s version %02X type %02X sends behind DIF %02X, "
                      "and nothing else bears a value",
                      maker, of->version, of->type, k->tail_record->dif);
    if (r) {
        *r = k->tail_why;
        r->offset += offset;
    }
    return k->tail;
}

/* ---- all together ---- */

static enum err take(struct taking *k, const struct oms_value *v)
{
    struct oms_reading reading = { .note = "" };
    enum err err;

    if (v->kind == OMS_IS_PROFILE)
        return take_profile(k, v);
    if (v->kind == OMS_IS_TAIL)
        return take_tail(k, v);
    if (v->vif->quantity != OMS_OTHER)
        reading = oms_judge(&k->records, v);
    if (v->vif->quantity == OMS_VOLTAGE)
        take_battery(k, v);
    if ((err = keep(k, &reading)))
        return err;
    tell(k, v, &reading);
    return ERR_OK;
}

/* The undirected register first: it is what the meter's dial shows, so it counts where one of a direction, which shares its channel,
 * says something else for the same instant. */
static void billed_first(struct frame *f)
{
    struct series *series = (struct series *)f->series; /* gather_end made them in our arena */
    struct series last;

    if (f->series_count < 2 || series[f->series_count - 1].channel != CHANNEL_BILLED)
        return;
    last = series[f->series_count - 1];
    memmove(series + 1, series, (f->series_count - 1) * sizeof *series);
    series[0] = last;
}

static enum err learn(struct taking *k, struct span list, uint16_t signature)
{
    const struct oms_address *of = &k->t->meter;

    if (list.len == 0 || !k->t->has_meter)
        return ERR_OK;
    k->out->has_format = true;
    k->out->format =
        (struct format_id){ of->maker, signature, of->version, of->type, .sealed = k->t->sealed };
    k->out->format_list = list;
    return ERR_OK;
}

static enum err take_all(struct taking *k, struct span bytes, uint32_t base, struct refusal *r)
{
    enum err err = walk(k, bytes, base, r), taken = ERR_OK;

    oms_records_survey(&k->records);
    for (uint32_t i = 0; i < k->records.count && !taken; i++)
        if (!err || k->in->trace)
            taken = take(k, &k->records.values[i]);
    if (err)
        return err;
    if (!taken) {
        if (k->records.sent_s && !k->out->sent_s)
            k->out->sent_s = k->records.sent_s;
        taken = gather_end(&k->gather, k->out);
    }
    if (taken)
        return refuse(r, taken, base, "record", "%s", err_text(taken));
    billed_first(k->out);
    return k->out->series_count == 0 && k->tail ? refuse_tail(k, base, r) : ERR_OK;
}

static enum err take_full(struct taking *k, struct refusal *r)
{
    struct span list;
    enum err err = take_all(k, k->t->records, k->t->records_at, r);

    if (err)
        return err;
    if (oms_format_list(k->records.values, k->records.count, k->arena, &list))
        return refuse(r, ERR_NO_MEMORY, k->t->records_at, "", "the arena is full");
    return learn(k, list, oms_crc(list));
}

/* The full records by the lists of that signature. The signature and the CRC of the full records are sixteen bits each, and linear:
 * who likes can make a list that fits all that another fits. So where two do, nobody knows. NO_FORMAT without any. */
static enum err expand_by(struct taking *k, struct format_id id, struct span *out_full,
                          struct refusal *r)
{
    enum err err = ERR_NO_FORMAT, one;
    struct span list, by = { 0 }, full;

    for (id.nth = 0; id.nth < FORMAT_LISTS && lore_format(k->in, &id, &list); id.nth++) {
        if ((one = oms_expand(k->t, list, k->arena, &full, err ? r : NULL)) == ERR_NO_MEMORY)
            return one;
        if (one) {
            err = err == ERR_NO_FORMAT ? one : err;
            continue;
        }
        if (!err && !span_equal(list, by))
            return refuse(r, ERR_DAMAGED, k->t->records_at, "compact",
                          "two formats with signature %04X fit: one of them is made up",
                          id.signature);
        err = ERR_OK;
        by = list;
        *out_full = full;
    }
    return err;
}

/* What a key of the meter's opened is read by what one opened; the rest, which anybody may have sent, by whatever fits. */
static enum err expand(struct taking *k, struct span *out_full, struct refusal *r)
{
    const struct oms_telegram *t = k->t;
    struct format_id id = {
        t->meter.maker, t->signature, t->meter.version, t->meter.type, true, 0
    };
    enum err err = expand_by(k, id, out_full, r), plain;
    char maker[4];

    if (err && err != ERR_NO_MEMORY && !t->sealed) {
        id.sealed = false;
        plain = expand_by(k, id, out_full, r);
        err = plain == ERR_NO_FORMAT ? err : plain;
    }
    if (err != ERR_NO_FORMAT)
        return err;
    oms_maker_text(id.maker, maker);
    return refuse(
        r, err, t->records_at, "compact",
        "format %04X of %s version %02X type %02X was not learned yet%s: the meter's next "
        "full frame teaches it",
        id.signature, maker, id.version, id.type, t->sealed ? " under a key" : "");
}

static enum err take_compact(struct taking *k, struct refusal *r)
{
    struct trace before;
    struct span full = { 0 };
    enum err err = expand(k, &full, r);

    if (err)
        return err;
    if (r)
        *r = (struct refusal){ .err = ERR_OK };
    before = trace_layer(k->in->trace, "full records, by the learned format", full);
    err = take_all(k, full, 0, r);
    trace_back(k->in->trace, &before);
    return err;
}

enum err oms_records(const struct dialect_input *in, const struct oms_telegram *t, struct arena *a,
                     struct frame *out, struct refusal *r)
{
    struct taking k = { .in = in, .t = t, .arena = a, .out = out, .gather = gather_of(a) };

    k.records.zone = lore_zone(in);
    k.records.heard_s = out->heard_s ? out->heard_s : in->arrival_s;
    switch (t->content) {
    case OMS_RECORDS:
        return take_full(&k, r);
    case OMS_COMPACT:
        return take_compact(&k, r);
    case OMS_FORMAT:
        trace_field(in->trace, t->records, "format", "", "the list of DIF and VIF", "%04X",
                    t->signature);
        return learn(&k, t->records, t->signature);
    default:
        return refuse(r, ERR_UNSUPPORTED, t->records_at, "", "is no list of records");
    }
}
