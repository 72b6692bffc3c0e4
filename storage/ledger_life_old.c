/* Events of stores of before, a row each; a start turns them into rows of several (ledger_life.c).
 *
 *   EVENTS  u32 meter · i64 at · u32 arrival →
 *           u8 kind · u8 flags · u16 which texts are there · varint act · zigzag recorded − at
 *           [flag 4: zigzag index] · [install: varint point] · [verify: zigzag verified on, zigzag valid until,
 *           each + 1, 0 where it is not told] · each text, counted */
#include "storage/ledger_priv.h"

static int32_t read_day(struct rd *r)
{
    int64_t v = rd_zigzag(r);

    if (v == 0)
        return NO_DAY;
    if (v > INT32_MAX || v < INT32_MIN)
        rd_fail(r, ERR_CORRUPT);
    return (int32_t)(v > 0 ? v - 1 : v);
}

static void read_texts(struct rd *r, unsigned there, struct life_event *e)
{
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (there >> i & 1)
            e->text[i] = rd_counted(r);
    if (there >> EVENT_TEXTS)
        rd_fail(r, ERR_CORRUPT);
}

static void read_facts(struct rd *r, struct life_event *e)
{
    unsigned there;
    uint64_t point;

    e->kind = rd_u8(r);
    e->flags = rd_u8(r);
    there = rd_le16(r);
    e->act = rd_varint(r);
    e->recorded_s = (int64_t)((uint64_t)e->at_s + (uint64_t)rd_zigzag(r));
    if (e->flags & EVENT_HAS_INDEX)
        e->index_ml = rd_zigzag(r);
    if (e->kind == EVENT_INSTALL) {
        point = rd_varint(r);
        if (point > UINT32_MAX)
            rd_fail(r, ERR_CORRUPT);
        e->point = (uint32_t)point;
    }
    if (e->kind == EVENT_VERIFY) {
        e->verified_on = read_day(r);
        e->valid_until = read_day(r);
    }
    read_texts(r, there, e);
}

static enum err row_read(struct span key, struct span value, uint32_t *out_meter,
                         struct life_event *out)
{
    struct rd k = rd_of(key), r = rd_of(value);
    struct life_event e = { .verified_on = NO_DAY, .valid_until = NO_DAY };

    *out_meter = rd_be32(&k);
    e.at_s = (int64_t)(rd_be64(&k) ^ UINT64_C(1) << 63);
    e.arrival = rd_be32(&k);
    read_facts(&r, &e);
    if (k.err || r.err || rd_left(&k) || rd_left(&r) || e.kind >= EVENT_KINDS || !e.arrival)
        return ERR_CORRUPT;
    *out = e;
    return ERR_OK;
}

bool ledger_old_events(struct txn *t)
{
    struct scan s = scan_from(t, LEDGER_EVENTS, span_of(NULL, 0));
    bool are = scan_next(&s);

    scan_done(&s);
    return are;
}

/* Views of one table stay while another is written to only as long as no page moves, so that an event is copied before it is put. */
static bool copy_row(const struct scan *s, uint8_t *room, size_t cap, struct span *out_value)
{
    if (s->value.len > cap)
        return false;
    memcpy(room, s->value.at, s->value.len);
    *out_value = span_of(room, s->value.len);
    return true;
}

void act_convert_events(struct act *a)
{
    struct scan s = scan_from(&a->txn, LEDGER_EVENTS, span_of(NULL, 0));
    uint8_t room[96 + EVENT_TEXTS * (LIMIT_TEXT + 2)];
    struct life_event e;
    struct span value;
    uint32_t meter;

    while (scan_next(&s)) {
        if (!copy_row(&s, room, sizeof room, &value) || row_read(s.key, value, &meter, &e)) {
            ledger_fail(&a->txn, ERR_CORRUPT);
            break;
        }
        act_put_event(a, meter, &e);
    }
    scan_done(&s);
    ledger_drop_table(a, LEDGER_EVENTS);
}
