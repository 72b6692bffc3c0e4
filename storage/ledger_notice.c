/* Notices to customers.  The rows are drawn in FORMAT.md. */
#include "storage/ledger_priv.h"

#define NOTICE_ROW_MAX 4096
#define NUMBER_KEY 9

static struct key kind_key(uint8_t kind)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, kind);
    return k;
}

static struct key number_key(uint64_t number)
{
    struct key k = kind_key('n');

    key_u64(&k, number);
    return k;
}

static struct key case_key(struct span case_id, uint8_t part)
{
    struct key k = kind_key('c');

    key_u8(&k, part);
    key_text(&k, case_id);
    return k;
}

static struct key account_key(uint8_t kind, struct span account)
{
    struct key k = kind_key(kind);

    key_text(&k, account);
    return k;
}

static struct key point_key(uint32_t point)
{
    struct key k = kind_key('p');

    key_u32(&k, point);
    return k;
}

static struct key due_key(int64_t due_s, uint64_t number)
{
    struct key k = kind_key('w');

    key_i64(&k, due_s);
    key_u64(&k, number);
    return k;
}

/* ---- reading ---- */

static bool notice_read(struct txn *t, uint64_t number, struct span value,
                        struct ledger_notice *out)
{
    struct rd r = rd_of(value);
    struct ledger_notice n = { .number = number };

    n.kind = rd_u8(&r);
    n.part = rd_u8(&r);
    n.state = rd_u8(&r);
    n.meter = rd_le32(&r);
    n.point = rd_le32(&r);
    n.onset_s = rd_zigzag(&r);
    n.made_s = rd_zigzag(&r);
    n.due_s = rd_zigzag(&r);
    n.done_s = rd_zigzag(&r);
    n.case_id = rd_counted(&r);
    n.account = rd_counted(&r);
    n.why = rd_counted(&r);
    n.evidence = rd_counted(&r);
    n.en = rd_counted(&r);
    n.zh = rd_counted(&r);
    if (r.err || rd_left(&r)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    *out = n;
    return true;
}

bool ledger_notice(struct txn *t, uint64_t number, struct ledger_notice *out_view)
{
    struct key k = number_key(number);
    struct span value;

    return txn_get(t, LEDGER_NOTICES, key_span(&k), &value) &&
           notice_read(t, number, value, out_view);
}

bool ledger_notice_of(struct txn *t, struct span case_id, uint8_t part,
                      struct ledger_notice *out_view)
{
    struct key k = case_key(case_id, part);
    struct span value;
    struct rd r;
    uint64_t number;

    if (!txn_get(t, LEDGER_NOTICES, key_span(&k), &value))
        return false;
    r = rd_of(value);
    number = rd_le64(&r);
    if (!r.err && ledger_notice(t, number, out_view))
        return true;
    ledger_fail(t, r.err ? ERR_CORRUPT : ERR_MISSING);
    return false;
}

static uint64_t be64(const uint8_t *at)
{
    return (uint64_t)ledger_be32(at) << 32 | ledger_be32(at + 4);
}

uint64_t ledger_notices_end(struct txn *t)
{
    struct key behind = kind_key('n' + 1);
    struct scan s = scan_from(t, LEDGER_NOTICES, key_span(&behind));
    uint64_t number = 0;

    if (scan_back(&s) && s.key.len == NUMBER_KEY && s.key.at[0] == 'n')
        number = be64(s.key.at + 1);
    scan_done(&s);
    return number;
}

enum err ledger_notices(struct txn *t, struct span account, uint32_t point, uint64_t after,
                        bool (*each)(void *arg, const struct ledger_notice *n), void *arg)
{
    struct key prefix = account.len ? account_key('a', account)
                        : point     ? point_key(point)
                                    : kind_key('n'),
               from = prefix;
    struct ledger_notice n;
    struct scan s;

    if (after == UINT64_MAX)
        return t->err;
    key_u64(&from, after + 1);
    s = scan_from(t, LEDGER_NOTICES, key_span(&from));
    while (scan_next(&s) && s.key.len == (size_t)prefix.len + 8 &&
           !memcmp(s.key.at, prefix.bytes, prefix.len)) {
        uint64_t number = be64(s.key.at + prefix.len);
        bool fine = prefix.bytes[0] == 'n' ? notice_read(t, number, s.value, &n)
                                           : ledger_notice(t, number, &n);

        if (!fine) {
            ledger_fail(t, ERR_MISSING);
            break;
        }
        if (!each(arg, &n))
            break;
    }
    scan_done(&s);
    return t->err;
}

enum err ledger_notices_due(struct txn *t, int64_t until_s, uint64_t *out, size_t cap,
                            size_t *out_count)
{
    struct key from = kind_key('w'), behind = due_key(until_s, UINT64_MAX);
    struct scan s = scan_from(t, LEDGER_NOTICES, key_span(&from));

    *out_count = 0;
    while (*out_count < cap && scan_next(&s) && s.key.len == behind.len &&
           memcmp(s.key.at, behind.bytes, behind.len) <= 0)
        out[(*out_count)++] = be64(s.key.at + 9);
    scan_done(&s);
    return t->err;
}

/* ---- writing ---- */

static void put_empty(struct act *a, struct key k)
{
    uint8_t nothing = 0;

    if (k.full)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    else
        txn_put(&a->txn, LEDGER_NOTICES, key_span(&k), span_of(&nothing, 1));
}

static void write_row(struct act *a, const struct ledger_notice *n)
{
    struct key k = number_key(n->number);
    uint8_t bytes[NOTICE_ROW_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_u8(&w, n->kind);
    wr_u8(&w, n->part);
    wr_u8(&w, n->state);
    wr_le32(&w, n->meter);
    wr_le32(&w, n->point);
    wr_zigzag(&w, n->onset_s);
    wr_zigzag(&w, n->made_s);
    wr_zigzag(&w, n->due_s);
    wr_zigzag(&w, n->done_s);
    wr_counted(&w, n->case_id);
    wr_counted(&w, n->account);
    wr_counted(&w, n->why);
    wr_counted(&w, n->evidence);
    wr_counted(&w, n->en);
    wr_counted(&w, n->zh);
    if (w.err)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (!a->txn.err)
        txn_put(&a->txn, LEDGER_NOTICES, key_span(&k), wr_span(&w));
}

static void index_new(struct act *a, const struct ledger_notice *n)
{
    struct key of_case = case_key(n->case_id, n->part), of_account = account_key('a', n->account),
               of_point = point_key(n->point);
    uint8_t bytes[8];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le64(&w, n->number);
    txn_put(&a->txn, LEDGER_NOTICES, key_span(&of_case), wr_span(&w));
    key_u64(&of_account, n->number);
    key_u64(&of_point, n->number);
    if (n->account.len)
        put_empty(a, of_account);
    put_empty(a, of_point);
}

void act_put_notice(struct act *a, struct ledger_notice *n, bool waits)
{
    bool is_new = !n->number;
    struct key due;

    if (is_new)
        n->number = ledger_notices_end(&a->txn) + 1;
    due = due_key(n->due_s, n->number);
    if (n->account.len > LIMIT_TEXT / 4 || n->case_id.len > NOTICE_CASE_MAX)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    write_row(a, n);
    if (is_new)
        index_new(a, n);
    if (waits)
        put_empty(a, due);
    else
        txn_del(&a->txn, LEDGER_NOTICES, key_span(&due));
}

/* ---- open cases ---- */

static struct key open_key(uint8_t kind, uint32_t point)
{
    struct key k = kind_key('o');

    key_u8(&k, kind);
    key_u32(&k, point);
    return k;
}

bool ledger_notice_open(struct txn *t, uint8_t kind, uint32_t point,
                        char out_case[NOTICE_CASE_MAX + 1])
{
    struct key k = open_key(kind, point);
    struct span value;

    if (!txn_get(t, LEDGER_NOTICES, key_span(&k), &value) || value.len > NOTICE_CASE_MAX)
        return false;
    if (value.len)
        memcpy(out_case, value.at, value.len);
    out_case[value.len] = 0;
    return value.len > 0;
}

void act_open_notice(struct act *a, uint8_t kind, uint32_t point, struct span case_id)
{
    struct key k = open_key(kind, point);

    act_changed(a);
    if (case_id.len)
        txn_put(&a->txn, LEDGER_NOTICES, key_span(&k), case_id);
    else
        txn_del(&a->txn, LEDGER_NOTICES, key_span(&k));
}

/* ---- what accounts want ---- */

static bool choice_read(struct txn *t, struct span account, struct span value,
                        struct ledger_choice *out)
{
    struct rd r = rd_of(value);

    out->account = account;
    out->kinds = rd_le32(&r);
    out->at_s = rd_zigzag(&r);
    out->who = rd_counted(&r);
    if (r.err || rd_left(&r))
        ledger_fail(t, ERR_CORRUPT);
    return !t->err;
}

bool ledger_notice_choice(struct txn *t, struct span account, struct ledger_choice *out_view)
{
    struct key k = account_key('k', account);
    struct span value;

    return account.len && account.len <= LIMIT_TEXT / 4 &&
           txn_get(t, LEDGER_NOTICES, key_span(&k), &value) &&
           choice_read(t, account, value, out_view);
}

enum err ledger_notice_choices(struct txn *t, struct span after,
                               bool (*each)(void *arg, const struct ledger_choice *c), void *arg)
{
    struct key from = after.len ? account_key('k', after) : kind_key('k');
    struct scan s = scan_from(t, LEDGER_NOTICES, key_span(&from));
    struct ledger_choice c;

    while (scan_next(&s) && s.key.len > 2 && s.key.at[0] == 'k') {
        if (span_equal(s.key, key_span(&from)))
            continue;
        if (!choice_read(t, span_of(s.key.at + 1, s.key.len - 2), s.value, &c) || !each(arg, &c))
            break;
    }
    scan_done(&s);
    return t->err;
}

void act_put_notice_choice(struct act *a, const struct ledger_choice *c)
{
    struct key k = account_key('k', c->account);
    uint8_t bytes[LIMIT_TEXT];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le32(&w, c->kinds);
    wr_zigzag(&w, c->at_s);
    wr_counted(&w, c->who);
    if (w.err || k.full || c->account.len > LIMIT_TEXT / 4)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_NOTICES, key_span(&k), wr_span(&w));
}

/* ---- since when, and up to where ---- */

int64_t ledger_notices_since(struct txn *t)
{
    struct key k = kind_key('s');
    struct span value;
    struct rd r;
    int64_t since_s;

    if (!txn_get(t, LEDGER_NOTICES, key_span(&k), &value))
        return 0;
    r = rd_of(value);
    since_s = rd_zigzag(&r);
    if (r.err)
        ledger_fail(t, ERR_CORRUPT);
    return since_s;
}

void act_put_notices_since(struct act *a, int64_t since_s)
{
    struct key k = kind_key('s');
    uint8_t bytes[16];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_zigzag(&w, since_s);
    act_changed(a);
    txn_put(&a->txn, LEDGER_NOTICES, key_span(&k), wr_span(&w));
}

bool ledger_notice_mark(struct txn *t, struct notice_mark *out)
{
    struct key k = kind_key('m');
    struct span value;
    struct rd r;

    if (!txn_get(t, LEDGER_NOTICES, key_span(&k), &value))
        return false;
    r = rd_of(value);
    out->folded = rd_le64(&r);
    out->changes = rd_le64(&r);
    if (r.err)
        ledger_fail(t, ERR_CORRUPT);
    return !t->err;
}

void act_put_notice_mark(struct act *a, const struct notice_mark *m)
{
    struct key k = kind_key('m');
    uint8_t bytes[16];
    struct wr w = wr_of(bytes, sizeof bytes);

    if (a->txn.err)
        return;
    wr_le64(&w, m->folded);
    wr_le64(&w, m->changes);
    a->work->written = true;
    txn_put(&a->txn, LEDGER_NOTICES, key_span(&k), wr_span(&w));
}

/* ---- check ---- */

enum err ledger_notices_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_NOTICES, span_text("n"));
    struct ledger_notice n, of_case;
    uint64_t next = 1;
    bool whole = true;

    while (whole && scan_next(&s) && s.key.len == NUMBER_KEY && s.key.at[0] == 'n')
        whole = be64(s.key.at + 1) == next && notice_read(t, next++, s.value, &n) &&
                ledger_notice_of(t, n.case_id, n.part, &of_case) && of_case.number == n.number;
    scan_done(&s);
    if (whole && !t->err)
        return ERR_OK;
    ledger_fail(t, ERR_CORRUPT);
    return refuse(r, t->err, 0, "ledger", "notices: one is missing, or stands under no case");
}
