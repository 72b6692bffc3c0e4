/* What people say dials stood at, and who agreed.
 *
 *   EDITS     u64 id → u8 state · u8 flags (1 takes two, 2 instead, 4 delta, 8 span) · varint point, meter · zigzag at, index ·
 *             zigzag instead, delta, span's from, span's figure · varint act ·
 *             asked, decided, undo asked, undone: each zigzag at (0: nobody yet), and of others counted who, text
 *   EDITS_OF  u32 point · u64 id → u8 0 */
#include "storage/ledger_priv.h"

#define EDIT_BYTES_MOST (4 * (EDIT_TEXT_MAX + 96) + 128)
#define TAKES_TWO 1u
#define INSTEAD 2u
#define DELTA 4u
#define SPAN 8u

static struct key edit_key(uint64_t id)
{
    struct key k;

    key_clear(&k);
    key_u64(&k, id);
    return k;
}

static struct key of_key(uint32_t point, uint64_t id)
{
    struct key k = ledger_number_key(point);

    key_u64(&k, id);
    return k;
}

/* ---- bytes ---- */

static void word_write(struct wr *w, const struct edit_word *word)
{
    wr_zigzag(w, word->at_s);
    if (!word->at_s)
        return;
    wr_counted(w, span_text(word->who));
    wr_counted(w, span_text(word->text));
}

static void edit_write(struct wr *w, const struct ledger_edit *e)
{
    wr_u8(w, e->state);
    wr_u8(w, (e->takes_two ? TAKES_TWO : 0) | (e->has_instead ? INSTEAD : 0) |
                 (e->delta_known ? DELTA : 0) | (e->span_known ? SPAN : 0));
    wr_varint(w, e->point);
    wr_varint(w, e->meter);
    wr_zigzag(w, e->at_s);
    wr_zigzag(w, e->index_ml);
    wr_zigzag(w, e->instead_ml);
    wr_zigzag(w, e->delta_ml);
    wr_zigzag(w, e->span_from_s);
    wr_zigzag(w, e->span_ml);
    wr_varint(w, e->act);
    word_write(w, &e->asked);
    word_write(w, &e->decided);
    word_write(w, &e->undo_asked);
    word_write(w, &e->undone);
}

static void text_read(struct rd *r, char *out, size_t cap)
{
    struct span text = rd_counted(r);

    if (text.len >= cap) {
        rd_fail(r, ERR_CORRUPT);
        return;
    }
    if (text.len)
        memcpy(out, text.at, text.len);
    out[text.len] = 0;
}

static void word_read(struct rd *r, struct edit_word *word)
{
    word->at_s = rd_zigzag(r);
    if (!word->at_s)
        return;
    text_read(r, word->who, sizeof word->who);
    text_read(r, word->text, sizeof word->text);
}

static uint32_t id_read(struct rd *r)
{
    uint64_t id = rd_varint(r);

    if (!id || id > UINT32_MAX)
        rd_fail(r, ERR_CORRUPT);
    return (uint32_t)id;
}

static bool edit_read(struct txn *t, uint64_t id, struct span value, struct ledger_edit *out)
{
    struct rd r = rd_of(value);
    unsigned flags;

    *out = (struct ledger_edit){ .id = id };
    out->state = rd_u8(&r);
    flags = rd_u8(&r);
    out->takes_two = flags & TAKES_TWO;
    out->has_instead = flags & INSTEAD;
    out->delta_known = flags & DELTA;
    out->span_known = flags & SPAN;
    out->point = id_read(&r);
    out->meter = id_read(&r);
    out->at_s = rd_zigzag(&r);
    out->index_ml = rd_zigzag(&r);
    out->instead_ml = rd_zigzag(&r);
    out->delta_ml = rd_zigzag(&r);
    out->span_from_s = rd_zigzag(&r);
    out->span_ml = rd_zigzag(&r);
    out->act = rd_varint(&r);
    word_read(&r, &out->asked);
    word_read(&r, &out->decided);
    word_read(&r, &out->undo_asked);
    word_read(&r, &out->undone);
    if (!r.err && !rd_left(&r) && out->state < EDIT_STATES)
        return true;
    ledger_fail(t, ERR_CORRUPT);
    return false;
}

/* ---- rows ---- */

bool ledger_edit(struct txn *t, uint64_t id, struct ledger_edit *out)
{
    struct key k = edit_key(id);
    struct span value;

    return txn_get(t, LEDGER_EDITS, key_span(&k), &value) && edit_read(t, id, value, out);
}

static uint64_t last_edit(struct txn *t)
{
    struct scan s = scan_from(t, LEDGER_EDITS, span_of(NULL, 0));
    struct rd r;
    uint64_t id = 0;

    if (scan_back(&s)) {
        r = rd_of(s.key);
        id = rd_be64(&r);
        if (r.err || rd_left(&r))
            ledger_fail(t, ERR_CORRUPT);
    }
    scan_done(&s);
    return id;
}

void act_put_edit(struct act *a, struct ledger_edit *e)
{
    static const uint8_t nothing[1];
    uint8_t bytes[EDIT_BYTES_MOST];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct key k, of;

    if (!e->id)
        e->id = last_edit(&a->txn) + 1;
    act_changed(a);
    e->act = a->number;
    edit_write(&w, e);
    k = edit_key(e->id);
    of = of_key(e->point, e->id);
    if (w.err)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    txn_put(&a->txn, LEDGER_EDITS, key_span(&k), wr_span(&w));
    txn_put(&a->txn, LEDGER_EDITS_OF, key_span(&of), span_of(nothing, 1));
}

static enum err edits_of(struct txn *t, uint32_t point, uint64_t after,
                         bool (*each)(void *arg, const struct ledger_edit *e), void *arg)
{
    struct key from = of_key(point, after + 1);
    struct scan s = scan_from(t, LEDGER_EDITS_OF, key_span(&from));
    struct ledger_edit e;

    while (scan_next(&s) && s.key.len == 12 && ledger_be32(s.key.at) == point) {
        struct rd r = rd_of(span_of(s.key.at + 4, 8));

        if (!ledger_edit(t, rd_be64(&r), &e)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (!each(arg, &e))
            break;
    }
    scan_done(&s);
    return t->err;
}

enum err ledger_edits(struct txn *t, uint32_t point, uint64_t after,
                      bool (*each)(void *arg, const struct ledger_edit *e), void *arg)
{
    struct key from = edit_key(after + 1);
    struct ledger_edit e;
    struct scan s;

    if (after == UINT64_MAX)
        return t->err;
    if (point)
        return edits_of(t, point, after, each, arg);
    s = scan_from(t, LEDGER_EDITS, key_span(&from));
    while (scan_next(&s)) {
        struct rd r = rd_of(s.key);
        uint64_t id = rd_be64(&r);

        if (r.err || rd_left(&r))
            ledger_fail(t, ERR_CORRUPT);
        else if (edit_read(t, id, s.value, &e) && each(arg, &e))
            continue;
        break;
    }
    scan_done(&s);
    return t->err;
}

/* ---- check ---- */

static bool count_one(void *arg, const struct ledger_edit *e)
{
    (void)e;
    ++*(uint64_t *)arg;
    return true;
}

/* Both tables tell the same edits, and ids have no gap. */
enum err ledger_edits_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_EDITS_OF, span_of(NULL, 0));
    uint64_t of_points = 0, all = 0;
    struct ledger_edit e;
    bool whole = true;

    while (whole && scan_next(&s)) {
        struct rd id = rd_of(s.key);
        uint32_t point = rd_be32(&id);

        whole = s.key.len == 12 && ledger_edit(t, rd_be64(&id), &e) && e.point == point;
        of_points++;
    }
    scan_done(&s);
    if (!t->err && whole)
        (void)!ledger_edits(t, 0, 0, count_one, &all); /* t->err says it */
    if (t->err)
        return t->err;
    return whole && of_points == all && last_edit(t) == all
               ? ERR_OK
               : refuse(r, ERR_CORRUPT, 0, "ledger", "edits of points and edits differ");
}
