/* What people were told and what they said: births of flags, their decisions, and imports.
 *
 *   BORN       flag's id → facts, views' own encoding
 *   DECISIONS  flag's id → u8 state · zigzag at · counted who · counted note
 *   TOLD       flag's id → u8 state: how it stood when that was told last [· zigzag when it ended, of one whose end is a fact]
 *   IMPORTS    u32 import → u8 complete · varint rows */
#include "storage/ledger_priv.h"

#include <stdio.h>

void act_flag_born(struct act *a, struct span id, struct span facts)
{
    struct span known;

    if (a->txn.err)
        return;
    if (txn_get(&a->txn, LEDGER_BORN, id, &known))
        return; /* never changes again */
    act_note(a, "flag.born", id, span_of(NULL, 0), span_of(NULL, 0), span_of(NULL, 0));
    txn_put(&a->txn, LEDGER_BORN, id, facts);
}

bool ledger_flag_born(struct txn *t, struct span id, struct span *out_facts)
{
    return txn_get(t, LEDGER_BORN, id, out_facts);
}

struct scan ledger_flags_of(struct txn *t, uint32_t meter)
{
    /* A scan borrows its beginning until its first step, which comes after we have returned. */
    static _Thread_local char from[9];

    snprintf(from, sizeof from, "%08x", (unsigned)meter);
    return scan_from(t, LEDGER_BORN, span_of(from, 8));
}

struct scan ledger_flags_from(struct txn *t, struct span id)
{
    return scan_from(t, LEDGER_BORN, id);
}

static const char *state_text(uint8_t state)
{
    return state == 1 ? "confirmed" : state == 2 ? "dismissed" : "";
}

void act_flag_decide(struct act *a, struct span id, const struct flag_decision *d)
{
    struct wr w = act_scratch(a);
    struct flag_decision old = { 0 };

    (void)ledger_flag_decision(&a->txn, id, &old);
    wr_u8(&w, d->state);
    wr_zigzag(&w, d->at_s);
    wr_counted(&w, span_text(d->who));
    wr_counted(&w, span_text(d->note));
    if (w.err)
        ledger_fail(&a->txn, w.err);
    if (a->txn.err)
        return;
    txn_put(&a->txn, LEDGER_DECISIONS, id, wr_span(&w));
    act_note(a, "flag.decide", id, span_text(state_text(old.state)),
             span_text(state_text(d->state)), span_text(d->note));
}

static bool text_keep(char *out, size_t cap, struct span text)
{
    if (text.len >= cap)
        return false;
    memcpy(out, text.at, text.len);
    out[text.len] = 0;
    return true;
}

bool ledger_flag_decision(struct txn *t, struct span id, struct flag_decision *out)
{
    struct flag_decision d = { 0 };
    struct span value, who, note;
    struct rd r;

    if (!txn_get(t, LEDGER_DECISIONS, id, &value))
        return false;
    r = rd_of(value);
    d.state = rd_u8(&r);
    d.at_s = rd_zigzag(&r);
    who = rd_counted(&r);
    note = rd_counted(&r);
    if (r.err || !text_keep(d.who, sizeof d.who, who) || !text_keep(d.note, sizeof d.note, note)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    *out = d;
    return true;
}

enum err ledger_flag_decisions(struct txn *t,
                               bool (*each)(void *arg, struct span id, uint8_t state), void *arg)
{
    struct scan s = scan_from(t, LEDGER_DECISIONS, (struct span){ 0 });

    while (scan_next(&s)) {
        struct rd r = rd_of(s.value);
        uint8_t state = rd_u8(&r);

        if (r.err)
            ledger_fail(t, ERR_CORRUPT);
        if (t->err || !each(arg, s.key, state))
            break;
    }
    scan_done(&s);
    return t->err;
}

uint8_t ledger_flag_decided(struct txn *t, struct span id)
{
    struct span value;

    return txn_get(t, LEDGER_DECISIONS, id, &value) && value.len ? value.at[0] : 0;
}

struct scan ledger_flags_decided(struct txn *t, struct span from_id)
{
    return scan_from(t, LEDGER_DECISIONS, from_id);
}

/* ---- what was told since ---- */

static const char *told_text(uint8_t state)
{
    return state == FLAG_TOLD_CLEARED     ? "cleared"
           : state == FLAG_TOLD_WITHDRAWN ? "withdrawn"
                                          : "open";
}

uint8_t ledger_flag_told(struct txn *t, struct span id)
{
    struct span value;

    return txn_get(t, LEDGER_TOLD, id, &value) && value.len ? value.at[0] : 0;
}

void act_flag_turned(struct act *a, struct span id, uint8_t state)
{
    uint8_t before = ledger_flag_told(&a->txn, id);

    if (a->txn.err || before == state)
        return;
    act_note(a, "flag.turned", id, span_text(told_text(before)), span_text(told_text(state)),
             span_of(NULL, 0));
    txn_put(&a->txn, LEDGER_TOLD, id, span_of(&state, 1));
}

void act_flag_ended(struct act *a, struct span id, int64_t cleared_s)
{
    uint8_t before = ledger_flag_told(&a->txn, id);
    struct wr w = act_scratch(a);

    wr_u8(&w, FLAG_TOLD_CLEARED);
    wr_zigzag(&w, cleared_s);
    if (a->txn.err)
        return;
    txn_put(&a->txn, LEDGER_TOLD, id, wr_span(&w));
    act_note(a, "flag.turned", id, span_text(told_text(before)),
             span_text(told_text(FLAG_TOLD_CLEARED)), span_of(NULL, 0));
}

bool ledger_flag_ended(struct txn *t, struct span id, int64_t *out_cleared_s)
{
    struct span value;
    struct rd r;

    if (!txn_get(t, LEDGER_TOLD, id, &value) || value.len < 2)
        return false;
    r = rd_of(value);
    (void)rd_u8(&r);
    *out_cleared_s = rd_zigzag(&r);
    if (r.err)
        ledger_fail(t, ERR_CORRUPT);
    return !r.err;
}

/* ---- imports ---- */

static void put_import(struct act *a, uint32_t import, bool complete, uint64_t rows)
{
    struct key k = ledger_number_key(import);
    uint8_t bytes[16];
    struct wr w = wr_of(bytes, sizeof bytes);
    char text[64];

    wr_u8(&w, complete);
    wr_varint(&w, rows);
    act_changed(a);
    txn_put(&a->txn, LEDGER_IMPORTS, key_span(&k), wr_span(&w));
    snprintf(text, sizeof text, "%u", (unsigned)import);
    if (complete) {
        char counted[32];

        snprintf(counted, sizeof counted, "{\"rows\":%llu}", (unsigned long long)rows);
        act_note(a, "import.complete", span_text(text), span_of(NULL, 0), span_text(counted),
                 span_of(NULL, 0));
    } else {
        act_note(a, "import.begin", span_text(text), span_of(NULL, 0), span_of(NULL, 0),
                 span_of(NULL, 0));
    }
}

void act_import_begin(struct act *a, uint32_t *out_import)
{
    struct scan s = scan_from(&a->txn, LEDGER_IMPORTS, span_of(NULL, 0));
    uint32_t last = 0;

    if (scan_back(&s)) {
        if (s.key.len == 4)
            last = ledger_be32(s.key.at);
        else
            ledger_fail(&a->txn, ERR_CORRUPT);
    }
    scan_done(&s);
    if (a->txn.err)
        return;
    put_import(a, last + 1, false, 0);
    *out_import = last + 1;
}

void act_import_complete(struct act *a, uint32_t import, uint64_t rows)
{
    if (!a->txn.err)
        put_import(a, import, true, rows);
}

bool ledger_import_complete(struct txn *t, uint32_t import)
{
    struct key k = ledger_number_key(import);
    struct span value;

    return txn_get(t, LEDGER_IMPORTS, key_span(&k), &value) && value.len && value.at[0] == 1;
}
