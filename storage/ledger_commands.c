/* Commands to meters: a row each, changed in place as things happen to it; the audit has every step.
 *
 *   COMMANDS       u32 meter · u32 id → u8 what · u8 state · u8 flags · u8 result · u8 tries
 *                  · zigzag value · varint until
 *                  · varint expires, queued, approved, sent, delivered, ended, retry, attempts
 *                  · counted asked by · counted approved by · counted why
 *   COMMANDS_LIVE  u32 id → u32 meter      those that have not ended, or that come again
 *   STATE          "command-last" → u32 id */
#include "storage/ledger_priv.h"

#include <stdio.h>

static const char last_name[] = "command-last";

static struct key command_key(uint32_t meter, uint32_t id)
{
    struct key k = ledger_number_key(meter);

    key_u32(&k, id);
    return k;
}

/* ---- the row's bytes ---- */

static void row_write(struct wr *w, const struct command_row *row)
{
    wr_u8(w, row->what);
    wr_u8(w, row->state);
    wr_u8(w, row->flags);
    wr_u8(w, row->result);
    wr_u8(w, row->tries);
    wr_zigzag(w, row->value);
    wr_varint(w, (uint64_t)row->until);
    wr_varint(w, row->expires_s);
    wr_varint(w, row->queued_s);
    wr_varint(w, row->approved_s);
    wr_varint(w, row->sent_s);
    wr_varint(w, row->delivered_s);
    wr_varint(w, row->ended_s);
    wr_varint(w, row->retry_s);
    wr_varint(w, row->attempts);
    wr_counted(w, span_text(row->asked_by));
    wr_counted(w, span_text(row->approved_by));
    wr_counted(w, span_text(row->why));
}

static uint32_t read_u32(struct rd *r)
{
    uint64_t v = rd_varint(r);

    if (v > UINT32_MAX && !r->err)
        r->err = ERR_CORRUPT;
    return (uint32_t)v;
}

static void read_text(struct rd *r, char *out, size_t cap)
{
    struct span text = rd_counted(r);

    if (r->err)
        return;
    if (text.len >= cap) {
        r->err = ERR_CORRUPT;
        return;
    }
    memcpy(out, text.at, text.len);
    out[text.len] = 0;
}

static bool row_read(struct txn *t, struct span key, struct span value, struct command_row *out)
{
    struct rd r = rd_of(value);
    struct command_row row = { 0 };

    row.what = rd_u8(&r);
    row.state = rd_u8(&r);
    row.flags = rd_u8(&r);
    row.result = rd_u8(&r);
    row.tries = rd_u8(&r);
    row.value = rd_zigzag(&r);
    row.until = (int64_t)rd_varint(&r);
    row.expires_s = read_u32(&r);
    row.queued_s = read_u32(&r);
    row.approved_s = read_u32(&r);
    row.sent_s = read_u32(&r);
    row.delivered_s = read_u32(&r);
    row.ended_s = read_u32(&r);
    row.retry_s = read_u32(&r);
    row.attempts = read_u32(&r);
    read_text(&r, row.asked_by, sizeof row.asked_by);
    read_text(&r, row.approved_by, sizeof row.approved_by);
    read_text(&r, row.why, sizeof row.why);
    if (r.err || rd_left(&r) || key.len != 8 || row.state >= COMMAND_STATES) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    row.meter = ledger_be32(key.at);
    row.id = ledger_be32(key.at + 4);
    *out = row;
    return true;
}

bool ledger_command(struct txn *t, uint32_t meter, uint32_t id, struct command_row *out)
{
    struct key k = command_key(meter, id);
    struct span value;

    return txn_get(t, LEDGER_COMMANDS, key_span(&k), &value) &&
           row_read(t, key_span(&k), value, out);
}

/* ---- walks ---- */

enum err ledger_commands_of(struct txn *t, uint32_t meter, uint32_t after_id,
                            bool (*each)(void *arg, const struct command_row *row), void *arg)
{
    struct key k = command_key(meter, after_id + 1);
    struct scan s = scan_from(t, LEDGER_COMMANDS, key_span(&k));
    struct command_row row;

    while (after_id != UINT32_MAX && scan_next(&s) && s.key.len == 8 &&
           ledger_be32(s.key.at) == meter && row_read(t, s.key, s.value, &row))
        if (!each(arg, &row))
            break;
    scan_done(&s);
    return t->err;
}

enum err ledger_commands_live(struct txn *t, bool (*each)(void *arg, const struct command_row *row),
                              void *arg)
{
    struct scan s = scan_from(t, LEDGER_COMMANDS_LIVE, span_of(NULL, 0));
    struct command_row row = { 0 };

    while (scan_next(&s)) {
        struct rd r = rd_of(s.value);
        uint32_t meter = rd_le32(&r);

        if (r.err || s.key.len != 4)
            ledger_fail(t, ERR_CORRUPT);
        else if (!ledger_command(t, meter, ledger_be32(s.key.at), &row))
            ledger_fail(t, ERR_MISSING);
        if (t->err || !each(arg, &row))
            break;
    }
    scan_done(&s);
    return t->err;
}

static bool any_row(void *arg, const struct command_row *row)
{
    ++*(uint64_t *)arg;
    return row->id != 0;
}

enum err ledger_commands_check(struct txn *t, struct refusal *r)
{
    uint64_t live = 0;

    if (ledger_commands_live(t, any_row, &live))
        return refuse(r, t->err, 0, "ledger", "a command that has not ended %s", err_text(t->err));
    if (live != txn_count(t, LEDGER_COMMANDS_LIVE)) {
        ledger_fail(t, ERR_MISSING);
        return refuse(r, t->err, 0, "ledger", "commands-live has a row without a number");
    }
    return ERR_OK;
}

/* ---- changes ---- */

static void row_put(struct act *a, const struct command_row *row, bool live)
{
    struct key k = command_key(row->meter, row->id), by_id = ledger_number_key(row->id);
    uint8_t bytes[512], meter[4];
    struct wr w = wr_of(bytes, sizeof bytes), m = wr_of(meter, sizeof meter);

    row_write(&w, row);
    wr_le32(&m, row->meter);
    if (w.err)
        ledger_fail(&a->txn, w.err);
    txn_put(&a->txn, LEDGER_COMMANDS, key_span(&k), wr_span(&w));
    if (live)
        txn_put(&a->txn, LEDGER_COMMANDS_LIVE, key_span(&by_id), wr_span(&m));
    else
        txn_del(&a->txn, LEDGER_COMMANDS_LIVE, key_span(&by_id));
}

/* The next number: none is given twice, not even after what had it is gone. */
static uint32_t next_id(struct act *a)
{
    struct span value;
    uint8_t bytes[4];
    struct wr w = wr_of(bytes, sizeof bytes);
    uint32_t id = 1;

    if (txn_get(&a->txn, LEDGER_STATE, span_text(last_name), &value)) {
        struct rd r = rd_of(value);

        id = rd_le32(&r) + 1;
        if (r.err || id == 0)
            ledger_fail(&a->txn, r.err ? ERR_CORRUPT : ERR_LIMIT);
    }
    wr_le32(&w, id);
    txn_put(&a->txn, LEDGER_STATE, span_text(last_name), wr_span(&w));
    return id;
}

static const char *state_text(const struct command_row *row)
{
    static const char *const names[COMMAND_STATES] = { "queued", "sent",   "delivered",
                                                       "done",   "failed", "expired" };

    return row->state < COMMAND_STATES ? names[row->state] : "";
}

/* {"id":1,"meter":7,"state":"sent","attempts":1} */
static struct span row_told(const struct command_row *row, char *room, size_t cap)
{
    int len =
        snprintf(room, cap, "{\"id\":%u,\"state\":\"%s\",\"attempts\":%u,\"approved_by\":\"%s\"}",
                 (unsigned)row->id, state_text(row), (unsigned)row->attempts, row->approved_by);

    return span_of(room, len > 0 && (size_t)len < cap ? (size_t)len : 0);
}

static void note(struct act *a, const struct command_row *row, const char *what,
                 const struct command_row *before)
{
    char subject[16], then[192], now[192];
    struct span was = before ? row_told(before, then, sizeof then) : span_of(NULL, 0);

    snprintf(subject, sizeof subject, "%u", (unsigned)row->meter);
    act_note(a, what, span_text(subject), was, row_told(row, now, sizeof now), span_text(row->why));
}

void act_command_new(struct act *a, struct command_row *row)
{
    if (a->txn.err)
        return;
    act_changed(a);
    row->id = next_id(a);
    row_put(a, row, true);
    note(a, row, "command.queued", NULL);
}

void act_command_put(struct act *a, const struct command_row *row, const char *what, bool live)
{
    struct command_row before;

    if (a->txn.err)
        return;
    if (!ledger_command(&a->txn, row->meter, row->id, &before)) {
        ledger_fail(&a->txn, ERR_MISSING);
        return;
    }
    act_changed(a);
    row_put(a, row, live);
    note(a, row, what, &before);
}
