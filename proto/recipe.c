/* The interpreter: walks a recipe's steps over a payload.  Every read is bounded by the end of the bytes, or of the tag that is being
 * read; every walk by its fuel, so that a recipe that goes in circles ends.  A slot whose bytes say "no value" is unknown, and so is
 * all that is computed from it: values that come out unknown are left out. */
#include "proto/recipe_priv.h"

#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/trace.h"

#include <inttypes.h>
#include <stdio.h>

#define FUEL_BASE 4096u
#define FUEL_PER_BYTE 64u /* steps: a loop's body over an array of bytes is shorter */
#define LOOPS (RECIPE_DEEP * 2)

struct loop {
    bool runs;
    int64_t count, left; /* INT64_MAX: to the end */
    const uint8_t *at;   /* where this pass began */
    const uint8_t *end;  /* the end around the tag */
};

struct machine {
    const struct recipe *recipe;
    const struct dialect_input *in;
    const struct zone *zone;
    struct gather *gather;
    struct frame *frame;
    struct refusal *why;
    struct span bytes;
    const uint8_t *at, *end;
    uint32_t next, fuel;
    bool done, named;
    struct slot slots[RECIPE_SLOTS];
    struct loop loops[LOOPS];
};

static uint32_t here(const struct machine *m)
{
    return (uint32_t)(m->at - m->bytes.at);
}

static const char *slot_name(const struct machine *m, uint16_t slot)
{
    return m->recipe->names[slot].text;
}

/* ---- telling ---- */

static void tell_field(const struct machine *m, const char *name, const struct slot *slot)
{
    char value[TEXT_TIME_SIZE > 68 ? TEXT_TIME_SIZE : 68], *text = value;

    if (!m->in->trace)
        return;
    if (!slot->known) {
        trace_field(m->in->trace, slot->raw, name, "", "no value", "-");
        return;
    }
    if (slot->form == FORM_ASCII)
        trace_put_span(text, sizeof value, slot->raw);
    else if (slot->form == FORM_HEX)
        snprintf(value, sizeof value, "%zu bytes", slot->raw.len);
    else if (slot->form == FORM_BCD)
        snprintf(value, sizeof value, "%0*" PRId64, (int)(2 * slot->raw.len), slot->value);
    else if (slot->form >= FORM_UNIX && slot->value >= 0 && slot->value <= UINT32_MAX)
        text_put_time(value, slot->value);
    else
        snprintf(value, sizeof value, "%" PRId64, slot->value);
    trace_field(m->in->trace, slot->raw, name, "", "", "%s", text);
}

static void tell_passed(const struct machine *m, const char *name, size_t len)
{
    if (len)
        trace_field(m->in->trace, span_of(m->at, len), name, "", "passed over", "%zu bytes", len);
}

/* ---- operands ---- */

static struct slot slot_at(const struct machine *m, uint16_t slot)
{
    struct slot left = { .value = m->end - m->at, .known = true };

    return slot == SLOT_LEFT ? left : m->slots[slot];
}

static struct slot operand(const struct machine *m, const struct operand *o)
{
    struct slot fixed = { .value = o->value, .known = true };

    return o->fixed ? fixed : slot_at(m, o->slot);
}

/* ---- bytes ---- */

static enum err take(struct machine *m, size_t len, const char *name, struct span *out)
{
    size_t left = (size_t)(m->end - m->at);

    if (left < len)
        return refuse(m->why, ERR_TRUNCATED, here(m), name, "expected %zu bytes, %zu are left", len,
                      left);
    *out = span_of(m->at, len);
    m->at += len;
    return ERR_OK;
}

static enum err step_read(struct machine *m, const struct step *s)
{
    struct slot *slot = &m->slots[s->slot];
    struct span raw;
    enum err err = take(m, s->width, slot_name(m, s->slot), &raw);

    if (err)
        return err;
    recipe_form_read(m->recipe, s, m->zone, raw, slot);
    tell_field(m, slot_name(m, s->slot), slot);
    return ERR_OK;
}

static enum err step_one_of(struct machine *m, const struct step *s, enum err otherwise)
{
    const struct slot *slot = &m->slots[s->slot];

    for (unsigned i = 0; i < s->pool_count; i++)
        if (slot->known && slot->value == m->recipe->pool[s->pool + i])
            return ERR_OK;
    return refuse(m->why, otherwise, slot->raw.at ? (uint32_t)(slot->raw.at - m->bytes.at) : 0,
                  slot_name(m, s->slot), "expected %" PRId64 "%s, found %" PRId64,
                  m->recipe->pool[s->pool],
                  s->pool_count > 1 ? " or another that the recipe names" : "", slot->value);
}

static enum err step_skip(struct machine *m, const struct step *s)
{
    struct slot count = operand(m, &s->a);
    struct span passed;

    if (!count.known || count.value < 0 || count.value > m->end - m->at)
        return refuse(m->why, ERR_TRUNCATED, here(m), "skip",
                      "expected %" PRId64 " bytes, %td are left", count.value, m->end - m->at);
    tell_passed(m, "-", (size_t)count.value);
    return take(m, (size_t)count.value, "skip", &passed);
}

/* The byte that a number of the recipe means; false: outside. */
static bool place_of(const struct machine *m, int64_t n, size_t *out)
{
    int64_t at = n < 0 ? (int64_t)m->bytes.len + n : n;

    *out = (size_t)at;
    return at >= 0 && at <= (int64_t)m->bytes.len;
}

static enum err step_seek(struct machine *m, const struct step *s)
{
    struct slot to = operand(m, &s->a);
    size_t at;

    if (!to.known || !place_of(m, to.value, &at) || m->bytes.at + at > m->end)
        return refuse(m->why, ERR_TRUNCATED, here(m), "seek", "there is no byte %" PRId64,
                      to.value);
    m->at = m->bytes.at + at;
    return ERR_OK;
}

static enum err step_limit(struct machine *m, const struct step *s)
{
    struct slot to = operand(m, &s->a);
    size_t at;

    if (!to.known || !place_of(m, to.value, &at) || m->bytes.at + at > m->end ||
        m->bytes.at + at < m->at)
        return refuse(m->why, ERR_TRUNCATED, here(m), "limit",
                      "the fields cannot end at byte %" PRId64, to.value);
    m->end = m->bytes.at + at;
    return ERR_OK;
}

static enum err too_long(const struct machine *m)
{
    return refuse(m->why, ERR_RANGE, here(m), "",
                  "the recipe takes more steps than these bytes are worth");
}

/* Each of its bytes is a step: within a loop, sums over all of a payload would take minutes. */
static enum err step_checksum(struct machine *m, const struct step *s)
{
    unsigned len = recipe_sum_bytes((enum sum)s->form);
    size_t first, last, at;
    uint16_t sum, found;

    if (!place_of(m, s->a.value, &first) || !place_of(m, s->b.value, &last) ||
        !place_of(m, s->c.value, &at) || first > last || last >= m->bytes.len ||
        at + len > m->bytes.len)
        return refuse(m->why, ERR_TRUNCATED, (uint32_t)m->bytes.len, "checksum",
                      "%zu bytes are fewer than the checksum is over", m->bytes.len);
    if (m->fuel < last - first)
        return too_long(m);
    m->fuel -= (uint32_t)(last - first);
    sum = recipe_sum((enum sum)s->form, span_of(m->bytes.at + first, last - first + 1));
    found = m->bytes.at[at];
    if (len == 2)
        found = s->big ? (uint16_t)(found << 8 | m->bytes.at[at + 1])
                       : (uint16_t)(m->bytes.at[at + 1] << 8 | found);
    trace_field(m->in->trace, span_of(m->bytes.at + at, len), "checksum", "",
                sum == found ? "as computed" : "wrong", "%0*x", (int)(2 * len), found);
    if (sum != found)
        return refuse(m->why, ERR_MALFORMED, (uint32_t)at, "checksum",
                      "expected %0*x over bytes %zu to %zu, found %0*x", (int)(2 * len), sum, first,
                      last, (int)(2 * len), found);
    return ERR_OK;
}

static enum err step_ends(struct machine *m)
{
    if (m->at != m->end)
        return refuse(m->why, ERR_MALFORMED, here(m), "", "expected the end, %td bytes follow",
                      m->end - m->at);
    return ERR_OK;
}

/* ---- arithmetic ---- */

/* Operands that an operation has none of are `heard`, which is known. */
static void step_set(struct machine *m, const struct step *s)
{
    const struct operand *operands[6] = {
        &s->a, &s->b, &s->c, &s->more[0], &s->more[1], &s->more[2]
    };
    struct slot *out = &m->slots[s->slot];
    enum op op = (enum op)s->op;
    struct slot first = operand(m, &s->a);
    int64_t v[6] = { 0 };
    bool known = true;

    if (op == OP_ELSE || op == OP_COPY) {
        *out = op == OP_ELSE && !first.known ? operand(m, &s->b) : first;
        return;
    }
    for (unsigned i = 0; i < (op < OP_BITS ? 2 : 6); i++) {
        struct slot slot = operand(m, operands[i]);

        v[i] = slot.value;
        known = known && slot.known;
    }
    *out = (struct slot){ .form = op > OP_BITS ? FORM_UNIX : FORM_INT };
    out->known = known && recipe_compute(op, m->zone, v, &out->value);
}

static bool holds(const struct machine *m, const struct step *s)
{
    struct slot a = operand(m, &s->a), b;

    if (s->op == OP_KNOWN || s->op == OP_UNKNOWN)
        return a.known == (s->op == OP_KNOWN);
    b = operand(m, &s->b);
    if (!a.known || !b.known)
        return false;
    switch ((enum op)s->op) {
    case OP_EQ:
        return a.value == b.value;
    case OP_NE:
        return a.value != b.value;
    case OP_LT:
        return a.value < b.value;
    case OP_LE:
        return a.value <= b.value;
    case OP_GT:
        return a.value > b.value;
    case OP_GE:
        return a.value >= b.value;
    default:
        return (a.value & b.value) != 0;
    }
}

/* ---- loops ---- */

static enum err step_repeat(struct machine *m, const struct step *s)
{
    struct loop *loop = &m->loops[s->loop];
    bool to_end = s->a.fixed && s->a.value == INT64_MAX;

    if (!loop->runs) {
        struct slot count = operand(m, &s->a);

        if (!count.known || count.value < 0)
            return refuse(m->why, ERR_RANGE, here(m), "repeat",
                          "the number of values is not known");
        *loop = (struct loop){ .runs = true, .count = count.value, .left = count.value };
    }
    if (to_end && loop->at == m->at)
        return refuse(m->why, ERR_MALFORMED, here(m), "repeat", "a pass to the end takes no bytes");
    if (loop->left-- == 0 || (to_end && m->at == m->end)) {
        loop->runs = false;
        m->next = s->jump;
        return ERR_OK;
    }
    loop->at = m->at;
    if (s->slot < RECIPE_SLOTS)
        m->slots[s->slot] = (struct slot){ .value = loop->count - 1 - loop->left, .known = true };
    return ERR_OK;
}

static enum err step_tags(struct machine *m, const struct step *s)
{
    struct loop *loop = &m->loops[s->loop];
    struct span raw;
    uint64_t len;
    enum err err;

    if (m->at == m->end) {
        m->next = s->jump;
        return ERR_OK;
    }
    if ((err = step_read(m, s)))
        return err;
    loop->end = m->end;
    if (!s->width_b)
        return ERR_OK;
    if ((err = take(m, s->width_b, "length", &raw)))
        return err;
    len = recipe_uint(raw, s->bcd);
    trace_field(m->in->trace, raw, "length", "", "", "%" PRIu64, len);
    if (len > (uint64_t)(m->end - m->at))
        return refuse(m->why, ERR_TRUNCATED, here(m), slot_name(m, s->slot),
                      "expected %" PRIu64 " bytes of this tag, %td are left", len, m->end - m->at);
    m->end = m->at + len;
    return ERR_OK;
}

/* The tag's bytes end; of a tag without length they ended where its case stopped reading. Of one that no case knows nobody can tell
 * where the next begins: the rest is passed over. */
static void step_tag_done(struct machine *m, const struct step *s)
{
    const struct step *head = &m->recipe->steps[s->jump];

    if (head->width_b || s->kind == STEP_PASS_TAG) {
        tell_passed(m, s->kind == STEP_PASS_TAG ? "unknown tag" : "rest of the tag",
                    (size_t)(m->end - m->at));
        m->at = m->end;
    }
    m->end = m->loops[s->loop].end;
    m->next = s->jump;
}

/* ---- what it says ---- */

static enum err step_reading(struct machine *m, const struct step *s)
{
    struct slot v = slot_at(m, s->a.slot), at = slot_at(m, s->b.slot);
    int64_t value;
    enum err err;

    if (!v.known || !at.known) {
        trace_field(m->in->trace, span_of(NULL, 0), slot_name(m, s->a.slot), "", "no reading of it",
                    "%s", v.known ? "time unknown" : "unknown");
        return ERR_OK;
    }
    if (!recipe_scale(v.value, s->num, s->den, &value) || !recipe_is_instant(at.value))
        return refuse(m->why, ERR_RANGE, here(m), slot_name(m, s->a.slot),
                      "%" PRId64 " is too large", v.value);
    err = gather_add(m->gather, (enum channel)s->channel, at.value, value);
    return err ? refuse(m->why, err, here(m), slot_name(m, s->a.slot),
                        "too many values, or no memory left")
               : ERR_OK;
}

/* A name in text: ASCII without padding, digits as they are printed, bytes in hex. */
static size_t put_name(const struct slot *slot, bool big, char out[SERIAL_MAX])
{
    struct span raw = slot->raw;
    struct wr w = wr_of(out, SERIAL_MAX);

    if (slot->form == FORM_UINT)
        return (size_t)snprintf(out, SERIAL_MAX, "%" PRId64, slot->value);
    if (slot->form == FORM_ASCII) {
        while (raw.len && (raw.at[raw.len - 1] == ' ' || raw.at[raw.len - 1] == 0))
            raw.len--;
        while (raw.len && raw.at[0] == ' ')
            raw = span_of(raw.at + 1, raw.len - 1);
        if (raw.len <= SERIAL_MAX)
            memcpy(out, raw.at, raw.len);
        return raw.len;
    }
    for (size_t i = 0; i < raw.len; i++) /* 16 bytes at most: they fit */
        hex_write(&w, span_of(&raw.at[big ? i : raw.len - 1 - i], 1));
    return wr_len(&w);
}

/* The order in which a name's bytes were read. */
static bool slot_big(const struct machine *m, uint16_t slot)
{
    for (unsigned i = 0; i < m->recipe->step_count; i++)
        if (m->recipe->steps[i].kind == STEP_READ && m->recipe->steps[i].slot == slot)
            return m->recipe->steps[i].big || m->recipe->steps[i].form == FORM_HEX;
    return true;
}

static enum err step_name(struct machine *m, const struct step *s)
{
    const struct slot *slot = &m->slots[s->a.slot];
    struct frame_names *names = &m->frame->names;
    char text[SERIAL_MAX], *kept;
    size_t len;

    if (!slot->known || (m->named && names->count == FRAME_NAMES))
        return ERR_OK;
    len = put_name(slot, slot_big(m, s->a.slot), text);
    if (len > SERIAL_MAX || !text_is_serial(span_of(text, len)))
        return refuse(m->why, ERR_MALFORMED,
                      slot->raw.at ? (uint32_t)(slot->raw.at - m->bytes.at) : 0,
                      slot_name(m, s->a.slot), "is no name: 1 to 32 of A-Z a-z 0-9 . _ : -");
    if (!m->named)
        names->count = 0;
    m->named = true;
    if (!(kept = (char *)arena_alloc(m->gather->arena, len)))
        return refuse(m->why, ERR_NO_MEMORY, 0, "", "no memory left");
    memcpy(kept, text, len);
    names->at[names->count++] = span_of(kept, len);
    return ERR_OK;
}

static bool fits_32(int64_t v)
{
    return v >= 0 && v <= UINT32_MAX;
}

static bool fits_radio(int64_t v)
{
    return v >= INT16_MIN && v <= INT16_MAX;
}

/* Numbers that do not fit are left out: they say nothing of the index. */
static void step_vital(struct machine *m, const struct step *s)
{
    struct slot v = slot_at(m, s->a.slot);
    struct frame *f = m->frame;
    int64_t scaled = 0;

    if (!v.known)
        return;
    if (s->kind == STEP_BATTERY && recipe_scale(v.value, s->num, s->den, &scaled) &&
        fits_32(scaled))
        f->battery_mv = (uint32_t)scaled;
    else if (s->kind == STEP_SENT && recipe_is_instant(v.value))
        f->sent_s = v.value;
    else if (s->kind == STEP_SEQ && fits_32(v.value))
        f->seq = (uint32_t)v.value;
    else if (s->kind == STEP_RSRP && fits_radio(v.value))
        f->rsrp_dbm = (int32_t)v.value;
    else if (s->kind == STEP_SNR && fits_radio(v.value))
        f->snr_db = (int32_t)v.value;
    else if (s->kind == STEP_CELL && fits_32(v.value))
        f->cell = (uint32_t)v.value;
    else if (s->kind == STEP_STATUS_RAW)
        f->status = (f->status & STATUS_MEANT) | ((uint32_t)v.value & 0xffff) << STATUS_RAW_SHIFT;
}

static void step_status(struct machine *m, const struct step *s)
{
    if (!holds(m, s))
        return;
    m->frame->status |= s->bits;
    trace_field(m->in->trace, span_of(NULL, 0), "status", "", "", "%s",
                recipe_status_name((unsigned)__builtin_ctz(s->bits)));
}

/* ---- the walk ---- */

static enum err step_walk(struct machine *m, const struct step *s)
{
    switch ((enum step_kind)s->kind) {
    case STEP_READ:
        return step_read(m, s);
    case STEP_IS:
        return step_one_of(m, s, ERR_NO_RECIPE);
    case STEP_MUST:
        return step_one_of(m, s, ERR_MALFORMED);
    case STEP_SET:
        step_set(m, s);
        return ERR_OK;
    case STEP_UNLESS:
        m->next = holds(m, s) ? m->next : s->jump;
        return ERR_OK;
    case STEP_JUMP:
        m->next = s->jump;
        return ERR_OK;
    case STEP_REPEAT:
        return step_repeat(m, s);
    case STEP_TAGS:
        return step_tags(m, s);
    case STEP_PASS_TAG:
    case STEP_TAG_DONE:
        step_tag_done(m, s);
        return ERR_OK;
    case STEP_SKIP:
        return step_skip(m, s);
    case STEP_SEEK:
        return step_seek(m, s);
    case STEP_LIMIT:
        return step_limit(m, s);
    case STEP_CHECKSUM:
        return step_checksum(m, s);
    case STEP_ENDS:
        return step_ends(m);
    case STEP_READING:
        return step_reading(m, s);
    case STEP_STATUS:
        step_status(m, s);
        return ERR_OK;
    case STEP_NAME:
        return step_name(m, s);
    case STEP_REFUSE:
        return refuse(m->why, s->err, here(m), "", "%.*s", (int)s->words.len,
                      (const char *)s->words.at);
    case STEP_DONE:
        m->done = true;
        return ERR_OK;
    default:
        step_vital(m, s);
        return ERR_OK;
    }
}

static enum err walk(struct machine *m)
{
    while (!m->done) {
        const struct step *s = &m->recipe->steps[m->next++];
        enum err err;

        if (m->fuel-- == 0)
            return too_long(m);
        if ((err = step_walk(m, s)))
            return err;
    }
    tell_passed(m, "-", (size_t)(m->end - m->at));
    return ERR_OK;
}

enum err recipe_decode(const struct recipe *recipe, const struct dialect_input *in,
                       struct span bytes, struct gather *g, struct frame *f, struct refusal *why)
{
    static const uint8_t none[1];
    struct machine m;
    int64_t heard_s = f->heard_s ? f->heard_s : in->arrival_s;

    if (bytes.len > LIMIT_PAYLOAD_BLOCK)
        return refuse(why, ERR_TOO_LARGE, 0, "", "%zu bytes are more than a payload has",
                      bytes.len);
    if (bytes.len == 0)
        bytes = span_of(none, 0);
    m.recipe = recipe;
    m.in = in;
    m.zone = recipe->zone_given ? recipe->zone : lore_zone(in);
    m.gather = g;
    m.frame = f;
    m.why = why;
    m.bytes = bytes;
    m.at = bytes.at;
    m.end = bytes.at + bytes.len;
    m.next = 0;
    m.fuel = FUEL_BASE + FUEL_PER_BYTE * (uint32_t)bytes.len;
    m.done = m.named = false;
    memset(m.slots, 0, recipe->slot_count * sizeof *m.slots);
    memset(m.loops, 0, recipe->loop_count * sizeof *m.loops);
    m.slots[SLOT_HEARD] = (struct slot){ .value = heard_s, .known = true, .form = FORM_UNIX };
    m.slots[SLOT_SENT] =
        (struct slot){ .value = f->sent_s ? f->sent_s : heard_s, .known = true, .form = FORM_UNIX };
    m.slots[SLOT_LENGTH] = (struct slot){ .value = (int64_t)bytes.len, .known = true };
    return walk(&m);
}

/* ---- the dialect ---- */

static enum err recipe_dialect_decode(const struct dialect_input *in, struct arena *a,
                                      struct frame *out, struct refusal *r)
{
    const struct recipe *recipe = lore_recipe(in, in->recipe);
    struct gather g = gather_of(a);
    enum err err;

    memset(out, 0, sizeof *out);
    if (!recipe)
        return refuse(r, ERR_NO_RECIPE, 0, "recipe", "there is no recipe %.*s", (int)in->recipe.len,
                      in->recipe.len ? (const char *)in->recipe.at : "");
    if (in->port && !recipe_takes_port(recipe, in->port))
        return refuse(r, ERR_NO_RECIPE, 0, "port",
                      "the recipe %.*s does not tell payloads of port %u", (int)in->recipe.len,
                      (const char *)in->recipe.at, in->port);
    if ((err = recipe_decode(recipe, in, in->bytes, &g, out, r)))
        return err;
    err = gather_end(&g, out);
    return err ? refuse(r, err, 0, "", "no memory left") : ERR_OK;
}

const struct dialect dialect_recipe = {
    .name = "recipe",
    .id = DIALECT_RECIPE,
    .decode = recipe_dialect_decode,
};
