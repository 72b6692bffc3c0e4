/* Determinants, and their bytes:
 *
 *   u8 form · varint flags · u8 quality | method << 4 · u8 checks · u8 why · counted account · [form 2: the rules and inputs of checks, as checks_told_write has them] ·
 *   [1: zigzag start] · [2: zigzag end − start] · [4: zigzag litres/1000, m³] · [8: the same of `later`] ·
 *   [16: zigzag rollovers · counted serial with its zero] or varint parts, each
 *   u8 kind | flags << 2 · u8 quality | method << 4 · varint length in s · [with a meter: counted serial · zigzag rollovers ·
 *   [start] [end − start] [litres/1000]]
 *
 *   flags: 1 start, 2 end, 4 known, 8 `later` differs, 16 one part, metered, that says what the whole says */
#include "server/billing/cycle.h"

#include <string.h>

#define FORM 1
#define FORM_TOLD 2
#define HAS_START 1u
#define HAS_END 2u
#define KNOWN 4u
#define LATER 8u
#define PLAIN 16u

const char *missing_why_name(enum missing_why w)
{
    static const char *const names[] = { NULL, "not-over", "never-read", "first-week" };

    return names[w];
}

const char *missing_why_text_en(enum missing_why w)
{
    static const char *const texts[] = {
        NULL, "The span is not over, and nothing was read after its end.",
        "No reading of the meter takes part since it was fitted.",
        "The meter was read for less than seven days since it was fitted: too little to estimate."
    };

    return texts[w];
}

const char *missing_why_text_zh(enum missing_why w)
{
    static const char *const texts[] = { NULL, "本期尚未结束，且期末之后没有读数。",
                                         "自安装以来没有可用的读数。",
                                         "自安装以来读数不足七天，无法估算。" };

    return texts[w];
}

bool billed_equal(const struct billed *a, const struct billed *b)
{
    return a->known == b->known &&
           (!a->known || (a->consumption_ml == b->consumption_ml && a->m3 == b->m3));
}

struct billed billed_of(const struct consumption *c)
{
    return (struct billed){ c->known, c->known ? c->consumption_ml : 0,
                            c->known ? c->billed_m3 : 0 };
}

int64_t cycle_days(const struct zone *z, int64_t from_s, int64_t to_s)
{
    return to_s > from_s ? zone_day_number(z, to_s - 1) - zone_day_number(z, from_s) + 1 : 0;
}

static bool under_meter(const struct part *p)
{
    return p->kind != PART_NO_METER;
}

/* F1: the first start and the last end under a meter. */
static void indices_of(const struct consumption *c, struct determinant *d)
{
    size_t first = 0, last = c->part_count;

    while (first < c->part_count && !under_meter(&c->parts[first]))
        first++;
    while (last > first && !under_meter(&c->parts[last - 1]))
        last--;
    if (first == last)
        return;
    d->start_known = c->parts[first].start_known;
    d->start_ml = d->start_known ? c->parts[first].start_ml : 0;
    d->end_known = c->parts[last - 1].end_known;
    d->end_ml = d->end_known ? c->parts[last - 1].end_ml : 0;
}

bool determinant_unread(const struct determinant *d)
{
    return d->quality == QUALITY_ESTIMATED || d->quality == QUALITY_MISSING;
}

void determinant_prolonged(struct determinant *d, const struct check_line *rule, int64_t since_s)
{
    const unsigned bit = 1u << CHECK_PROLONGED;

    d->checks |= bit;
    d->told_of |= bit;
    d->told[CHECK_PROLONGED] = (struct check_told){ .version = rule->version,
                                                    .parameters = 1,
                                                    .inputs = 1,
                                                    .value = { rule->value[0] },
                                                    .input = { since_s } };
}

void determinant_of(const struct consumption *c, const struct billed *later, enum missing_why why,
                    struct determinant *out)
{
    memset(out, 0, sizeof *out);
    indices_of(c, out);
    out->billed = billed_of(c);
    out->later = *later;
    out->quality = c->quality;
    out->method = c->known ? c->method : METHOD_NONE;
    out->why = c->known ? WHY_NONE : why;
    out->checks = c->checks;
    out->told_of = c->checks & c->judged;
    if (out->told_of)
        memcpy(out->told, c->told, sizeof out->told);
    out->part_count = c->part_count;
    out->parts = c->parts;
}

/* ---- writing ---- */

static void billed_write(struct wr *w, const struct billed *b)
{
    wr_zigzag(w, b->consumption_ml);
    wr_zigzag(w, b->m3);
}

/* Differences wrap: they come back by the same arithmetic. */
static int64_t less(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t more(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void serial_write(struct wr *w, const char *serial)
{
    wr_counted(w, span_of(serial, strlen(serial) + 1));
}

static unsigned part_flags(const struct part *p)
{
    return (p->start_known ? HAS_START : 0) | (p->end_known ? HAS_END : 0) | (p->known ? KNOWN : 0);
}

static void part_write(struct wr *w, const struct part *p)
{
    wr_u8(w, (uint8_t)(p->kind | part_flags(p) << 2));
    wr_u8(w, (uint8_t)(p->quality | p->method << 4));
    wr_varint(w, (uint64_t)(p->to_s - p->from_s));
    if (!under_meter(p))
        return;
    serial_write(w, p->serial);
    wr_zigzag(w, p->rollovers);
    if (p->start_known)
        wr_zigzag(w, p->start_ml);
    if (p->end_known)
        wr_zigzag(w, less(p->end_ml, p->start_known ? p->start_ml : 0));
    if (p->known)
        wr_zigzag(w, p->consumption_ml);
}

/* Nearly all: one meter all through. */
static bool is_plain(const struct determinant *d, int64_t from_s, int64_t to_s)
{
    const struct part *p = d->parts;

    return d->part_count == 1 && p->kind == PART_METERED && p->from_s == from_s &&
           p->to_s == to_s && p->known == d->billed.known && p->quality == d->quality &&
           (!p->known || p->method == d->method) && p->start_known == d->start_known &&
           p->end_known == d->end_known && p->start_ml == d->start_ml && p->end_ml == d->end_ml &&
           p->consumption_ml == d->billed.consumption_ml;
}

void determinant_write(struct wr *w, const struct determinant *d, int64_t from_s, int64_t to_s)
{
    bool plain = is_plain(d, from_s, to_s), later = !billed_equal(&d->billed, &d->later);

    wr_u8(w, d->told_of ? FORM_TOLD : FORM);
    wr_varint(w, (d->start_known ? HAS_START : 0) | (d->end_known ? HAS_END : 0) |
                     (d->billed.known ? KNOWN : 0) | (later && d->later.known ? LATER : 0) |
                     (plain ? PLAIN : 0));
    wr_u8(w, (uint8_t)(d->quality | d->method << 4));
    wr_u8(w, (uint8_t)d->checks);
    wr_u8(w, (uint8_t)d->why);
    wr_counted(w, d->account);
    if (d->told_of)
        checks_told_write(w, d->told_of, d->told);
    if (d->start_known)
        wr_zigzag(w, d->start_ml);
    if (d->end_known)
        wr_zigzag(w, less(d->end_ml, d->start_known ? d->start_ml : 0));
    if (d->billed.known)
        billed_write(w, &d->billed);
    if (later && d->later.known)
        billed_write(w, &d->later);
    if (plain) {
        wr_zigzag(w, d->parts->rollovers);
        serial_write(w, d->parts->serial);
        return;
    }
    wr_varint(w, d->part_count);
    for (size_t i = 0; i < d->part_count; i++)
        part_write(w, &d->parts[i]);
}

/* ---- reading ---- */

static void billed_read(struct rd *r, struct billed *b)
{
    b->known = true;
    b->consumption_ml = rd_zigzag(r);
    b->m3 = rd_zigzag(r);
}

static const char *serial_read(struct rd *r)
{
    struct span s = rd_counted(r);

    if (!s.len || s.at[s.len - 1]) {
        rd_fail(r, ERR_CORRUPT);
        return "";
    }
    return (const char *)s.at;
}

static void part_read(struct rd *r, int64_t from_s, struct part *p)
{
    uint8_t kind = rd_u8(r), how = rd_u8(r);
    unsigned flags = kind >> 2;

    memset(p, 0, sizeof *p);
    p->kind = (enum part_kind)(kind & 3);
    p->quality = (enum quality)(how & 15);
    p->method = (enum method)(how >> 4);
    p->from_s = from_s;
    p->to_s = more(from_s, (int64_t)rd_varint(r));
    p->known = flags & KNOWN;
    p->start_known = flags & HAS_START;
    p->end_known = flags & HAS_END;
    if (p->kind > PART_NO_METER || p->quality > QUALITY_MISSING || p->method > METHOD_REBASED)
        rd_fail(r, ERR_CORRUPT);
    if (!under_meter(p))
        return;
    p->serial = serial_read(r);
    p->rollovers = (int32_t)rd_zigzag(r);
    if (p->start_known)
        p->start_ml = rd_zigzag(r);
    if (p->end_known)
        p->end_ml = more(rd_zigzag(r), p->start_ml);
    if (p->known)
        p->consumption_ml = rd_zigzag(r);
}

static void plain_read(struct rd *r, int64_t from_s, int64_t to_s, const struct determinant *d,
                       struct part *p)
{
    *p = (struct part){ .kind = PART_METERED,
                        .from_s = from_s,
                        .to_s = to_s,
                        .start_ml = d->start_ml,
                        .end_ml = d->end_ml,
                        .consumption_ml = d->billed.consumption_ml,
                        .known = d->billed.known,
                        .start_known = d->start_known,
                        .end_known = d->end_known,
                        .quality = d->quality,
                        .method = d->method };
    p->rollovers = (int32_t)rd_zigzag(r);
    p->serial = serial_read(r);
}

static enum err parts_read(struct rd *r, bool plain, int64_t from_s, int64_t to_s,
                           struct part *parts, size_t cap, struct determinant *d)
{
    uint64_t count = plain ? 1 : rd_varint(r);

    if (r->err || count > DETERMINANT_PARTS_MAX)
        return ERR_CORRUPT;
    d->part_count = (size_t)count;
    if (count > cap)
        return ERR_TOO_LARGE;
    d->parts = parts;
    if (plain)
        plain_read(r, from_s, to_s, d, parts);
    for (size_t i = 0; !plain && i < count && !r->err; i++) {
        part_read(r, from_s, &parts[i]);
        from_s = parts[i].to_s;
    }
    return r->err || rd_left(r) || (count && parts[count - 1].to_s != to_s) ? ERR_CORRUPT : ERR_OK;
}

enum err determinant_read(struct span bytes, int64_t from_s, int64_t to_s, struct part *parts,
                          size_t cap, struct determinant *out)
{
    struct rd r = rd_of(bytes);
    struct determinant d = { 0 };
    uint8_t form = rd_u8(&r), how;
    uint64_t flags = rd_varint(&r);
    enum err err = ERR_OK;

    how = rd_u8(&r);
    d.quality = (enum quality)(how & 15);
    d.method = (enum method)(how >> 4);
    d.checks = rd_u8(&r);
    d.why = (enum missing_why)rd_u8(&r);
    d.account = rd_counted(&r);
    if (form == FORM_TOLD)
        d.told_of = checks_told_read(&r, d.told);
    d.start_known = flags & HAS_START;
    d.end_known = flags & HAS_END;
    if (d.start_known)
        d.start_ml = rd_zigzag(&r);
    if (d.end_known)
        d.end_ml = more(rd_zigzag(&r), d.start_ml);
    if (flags & KNOWN)
        billed_read(&r, &d.billed);
    d.later = d.billed;
    if (flags & LATER)
        billed_read(&r, &d.later);
    if (r.err || (form != FORM && form != FORM_TOLD) || d.told_of & ~d.checks ||
        d.quality > QUALITY_MISSING || d.method > METHOD_REBASED || d.why >= WHY_COUNT ||
        d.checks >> CHECK_COUNT)
        return ERR_CORRUPT;
    if (parts)
        err = parts_read(&r, flags & PLAIN, from_s, to_s, parts, cap, &d);
    if (!err || err == ERR_TOO_LARGE)
        *out = d;
    return err;
}
