/* Webhooks: who is told, up to where, and what could not be delivered.
 *
 *   HOOKS  'h' · name 00                   u32 id · u32 kinds · u8 enabled · zigzag created · counted url, org, who, sealed
 *          'c' · u32 id                    u64 act · u32 part · u32 fails · zigzag failing since · u32 failing for, seconds
 *          'd' · u32 id · u64 act · u32 part   zigzag since · zigzag tried · u32 attempts · u16 status · u8 again · counted kind, why
 *   STATE  "hook-last" → u32 id
 *
 * Rows of a hook that was dropped go with it; its number is never given again, so that nobody who still has it in mind takes another's. */
#include "storage/ledger_priv.h"

static const char last_name[] = "hook-last";

#define HOOK_ROW_MAX 8192
#define DEAD_KEY 17
_Static_assert(HOOK_URL_MAX + 3 * LIMIT_TEXT + 64 < HOOK_ROW_MAX,
               "url, org, who and secret have room");

static struct key name_key(struct span name)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 'h');
    key_text(&k, name);
    return k;
}

static struct key id_key(uint8_t kind, uint32_t id)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, kind);
    key_u32(&k, id);
    return k;
}

static struct key dead_key(uint32_t id, struct hook_place at)
{
    struct key k = id_key('d', id);

    key_u64(&k, at.act);
    key_u32(&k, at.part);
    return k;
}

void hook_secret_place(uint32_t id, uint8_t out[HOOK_PLACE_SIZE])
{
    struct wr w = wr_of(out, HOOK_PLACE_SIZE);

    wr_text(&w, "hook");
    wr_le32(&w, id);
}

/* ---- hooks ---- */

static bool hook_read(struct txn *t, struct span key, struct span value, struct ledger_hook *out)
{
    struct rd r = rd_of(value);
    struct ledger_hook h = { .name = span_of(key.at + 1, key.len - 2) };

    h.id = rd_le32(&r);
    h.kinds = rd_le32(&r);
    h.enabled = rd_u8(&r);
    h.created_s = rd_zigzag(&r);
    h.url = rd_counted(&r);
    h.org = rd_counted(&r);
    h.who = rd_counted(&r);
    h.sealed = rd_counted(&r);
    if (r.err || rd_left(&r) || !h.id) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    *out = h;
    return true;
}

bool ledger_hook(struct txn *t, struct span name, struct ledger_hook *out_view)
{
    struct key k = name_key(name);
    struct span value;

    if (!name.len || name.len > HOOK_NAME_MAX || !txn_get(t, LEDGER_HOOKS, key_span(&k), &value) ||
        !hook_read(t, key_span(&k), value, out_view))
        return false;
    out_view->name = name;
    return true;
}

enum err ledger_hooks(struct txn *t, bool (*each)(void *arg, const struct ledger_hook *h),
                      void *arg)
{
    struct scan s = scan_from(t, LEDGER_HOOKS, span_text("h"));
    struct ledger_hook h;

    while (scan_next(&s) && s.key.len > 2 && s.key.at[0] == 'h' && hook_read(t, s.key, s.value, &h))
        if (!each(arg, &h))
            break;
    scan_done(&s);
    return t->err;
}

uint32_t act_new_hook(struct act *a)
{
    struct span value;
    uint8_t bytes[4];
    struct wr w = wr_of(bytes, sizeof bytes);
    uint32_t id = 1;

    if (a->txn.err)
        return 0;
    if (txn_get(&a->txn, LEDGER_STATE, span_text(last_name), &value)) {
        struct rd r = rd_of(value);

        id = rd_le32(&r) + 1;
        if (r.err || !id)
            ledger_fail(&a->txn, r.err ? ERR_CORRUPT : ERR_LIMIT);
    }
    wr_le32(&w, id);
    act_changed(a);
    txn_put(&a->txn, LEDGER_STATE, span_text(last_name), wr_span(&w));
    return id;
}

void act_put_hook(struct act *a, const struct ledger_hook *h)
{
    struct key k = name_key(h->name);
    uint8_t bytes[HOOK_ROW_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le32(&w, h->id);
    wr_le32(&w, h->kinds);
    wr_u8(&w, h->enabled);
    wr_zigzag(&w, h->created_s);
    wr_counted(&w, h->url);
    wr_counted(&w, h->org);
    wr_counted(&w, h->who);
    wr_counted(&w, h->sealed);
    if (w.err || k.full)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_HOOKS, key_span(&k), wr_span(&w));
}

void act_drop_hook(struct act *a, const struct ledger_hook *h)
{
    struct key name = name_key(h->name), cursor = id_key('c', h->id), dead = id_key('d', h->id);
    bool more = !a->txn.err;

    act_changed(a);
    txn_del(&a->txn, LEDGER_HOOKS, key_span(&name));
    txn_del(&a->txn, LEDGER_HOOKS, key_span(&cursor));
    while (more && !a->txn.err) { /* a scan's views end with a change */
        struct scan s = scan_from(&a->txn, LEDGER_HOOKS, key_span(&dead));
        struct key k;

        key_clear(&k);
        more = scan_next(&s) && s.key.len == DEAD_KEY && !memcmp(s.key.at, dead.bytes, dead.len);
        if (more)
            memcpy(k.bytes, s.key.at, k.len = DEAD_KEY);
        scan_done(&s);
        if (more)
            txn_del(&a->txn, LEDGER_HOOKS, key_span(&k));
    }
}

/* ---- cursors ---- */

bool ledger_hook_cursor(struct txn *t, uint32_t hook, struct hook_cursor *out)
{
    struct key k = id_key('c', hook);
    struct hook_cursor c;
    struct span value;
    struct rd r;

    if (!txn_get(t, LEDGER_HOOKS, key_span(&k), &value))
        return false;
    r = rd_of(value);
    c.at.act = rd_le64(&r);
    c.at.part = rd_le32(&r);
    c.fails = rd_le32(&r);
    c.failing_since_s = rd_zigzag(&r);
    c.failing_for_s = rd_le32(&r);
    if (r.err || rd_left(&r)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    *out = c;
    return true;
}

void act_put_hook_cursor(struct act *a, uint32_t hook, const struct hook_cursor *c)
{
    struct key k = id_key('c', hook);
    uint8_t bytes[64];
    struct wr w = wr_of(bytes, sizeof bytes);

    if (a->txn.err)
        return;
    wr_le64(&w, c->at.act);
    wr_le32(&w, c->at.part);
    wr_le32(&w, c->fails);
    wr_zigzag(&w, c->failing_since_s);
    wr_le32(&w, c->failing_for_s);
    a->work->written = true;
    txn_put(&a->txn, LEDGER_HOOKS, key_span(&k), wr_span(&w));
}

/* ---- dead letters ---- */

static bool keep_text(char *out, size_t cap, struct span text)
{
    if (text.len >= cap)
        return false;
    if (text.len)
        memcpy(out, text.at, text.len);
    out[text.len] = 0;
    return true;
}

static bool dead_read(struct txn *t, struct span key, struct span value, struct hook_dead *out)
{
    struct rd r = rd_of(value), k = rd_of(span_of(key.at + 5, key.len - 5));
    struct span kind, why;

    memset(out, 0, sizeof *out);
    out->at.act = rd_be64(&k);
    out->at.part = rd_be32(&k);
    out->since_s = rd_zigzag(&r);
    out->tried_s = rd_zigzag(&r);
    out->attempts = rd_le32(&r);
    out->status = rd_le16(&r);
    out->again = rd_u8(&r);
    kind = rd_counted(&r);
    why = rd_counted(&r);
    if (k.err || r.err || rd_left(&r) || !keep_text(out->kind, sizeof out->kind, kind) ||
        !keep_text(out->why, sizeof out->why, why)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    return true;
}

bool ledger_hook_dead(struct txn *t, uint32_t hook, struct hook_place at, struct hook_dead *out)
{
    struct key k = dead_key(hook, at);
    struct span value;

    return txn_get(t, LEDGER_HOOKS, key_span(&k), &value) && dead_read(t, key_span(&k), value, out);
}

enum err ledger_hook_deads(struct txn *t, uint32_t hook, struct hook_place after,
                           bool (*each)(void *arg, const struct hook_dead *d), void *arg)
{
    struct key from = dead_key(hook, after);
    struct scan s = scan_from(t, LEDGER_HOOKS, key_span(&from));
    struct hook_dead d;

    while (scan_next(&s) && s.key.len == DEAD_KEY && !memcmp(s.key.at, from.bytes, 5)) {
        if (span_equal(s.key, key_span(&from)))
            continue;
        if (!dead_read(t, s.key, s.value, &d) || !each(arg, &d))
            break;
    }
    scan_done(&s);
    return t->err;
}

void act_put_hook_dead(struct act *a, uint32_t hook, const struct hook_dead *d)
{
    struct key k = dead_key(hook, d->at);
    uint8_t bytes[256];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_zigzag(&w, d->since_s);
    wr_zigzag(&w, d->tried_s);
    wr_le32(&w, d->attempts);
    wr_le16(&w, d->status);
    wr_u8(&w, d->again);
    wr_counted(&w, span_text(d->kind));
    wr_counted(&w, span_text(d->why));
    if (w.err)
        ledger_fail(&a->txn, w.err);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_HOOKS, key_span(&k), wr_span(&w));
}

void act_drop_hook_dead(struct act *a, uint32_t hook, struct hook_place at)
{
    struct key k = dead_key(hook, at);

    act_changed(a);
    txn_del(&a->txn, LEDGER_HOOKS, key_span(&k));
}

/* ---- check ---- */

enum err ledger_hooks_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_HOOKS, span_of(NULL, 0));
    struct ledger_hook hook;
    struct hook_dead dead;
    bool whole = true;

    while (whole && scan_next(&s)) {
        uint8_t kind = s.key.len ? s.key.at[0] : 0;

        whole = kind == 'h' ? s.key.len > 2 && hook_read(t, s.key, s.value, &hook)
                : kind == 'c'
                    ? s.key.len == 5 && s.value.len > 20
                    : kind == 'd' && s.key.len == DEAD_KEY && dead_read(t, s.key, s.value, &dead);
    }
    scan_done(&s);
    if (t->err && t->err != ERR_CORRUPT)
        return t->err;
    if (whole && !t->err)
        return ERR_OK;
    ledger_fail(t, ERR_CORRUPT);
    return refuse(r, ERR_CORRUPT, 0, "ledger", "a row of a webhook is none");
}
