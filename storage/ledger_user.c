/* People who sign in with a name and a password, and where they are signed in.
 *
 *   USERS  'u' · name 00                      u8 role · u8 enabled · u32 turn · zigzag created, changed · u8 log2 N · u8 r · u8 p · 16 salt · 32 hash · counted org, who
 *          's' · SHA-256(secret)              u32 turn · zigzag began, ends · counted name
 *          'n' · name 00 · i64 began · SHA-256(secret)   nothing
 *
 * `turn` counts what ends all sessions of a person: another password, being shut out. */
#include "storage/ledger_priv.h"

#define USER_ROW_MAX 512
#define SESSION_HEAD 1 /* bytes before the hash in a session's key */

static struct key user_key(struct span name)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 'u');
    key_text(&k, name);
    return k;
}

static struct key session_key(const uint8_t hash[SHA256_BYTES])
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 's');
    memcpy(k.bytes + SESSION_HEAD, hash, SHA256_BYTES);
    k.len = SESSION_HEAD + SHA256_BYTES;
    return k;
}

static struct key sessions_of(struct span name)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 'n');
    key_text(&k, name);
    return k;
}

static struct key session_place(struct span name, int64_t began_s, const uint8_t hash[SHA256_BYTES])
{
    struct key k = sessions_of(name);

    key_i64(&k, began_s);
    if (k.full || k.len + SHA256_BYTES > KEY_MAX) {
        k.full = true;
        return k;
    }
    memcpy(k.bytes + k.len, hash, SHA256_BYTES);
    k.len = (uint16_t)(k.len + SHA256_BYTES);
    return k;
}

/* ---- people ---- */

static bool user_read(struct span key, struct span value, struct ledger_user *out)
{
    struct rd r = rd_of(value);
    struct ledger_user u = { .name = span_of(key.at + 1, key.len - 2) };
    uint8_t role = rd_u8(&r);
    struct span salt, hash;

    u.enabled = rd_u8(&r);
    u.turn = rd_le32(&r);
    u.created_s = rd_zigzag(&r);
    u.changed_s = rd_zigzag(&r);
    u.password.log_n = rd_u8(&r);
    u.password.r = rd_u8(&r);
    u.password.p = rd_u8(&r);
    salt = rd_bytes(&r, sizeof u.password.salt);
    hash = rd_bytes(&r, sizeof u.password.hash);
    u.org = rd_counted(&r);
    u.who = rd_counted(&r);
    if (r.err || rd_left(&r) || role == ROLE_NONE || role >= ROLE_COUNT ||
        u.name.len > USER_NAME_MAX || u.org.len > USER_NAME_MAX)
        return false;
    u.role = (enum role)role;
    memcpy(u.password.salt, salt.at, salt.len);
    memcpy(u.password.hash, hash.at, hash.len);
    *out = u;
    return true;
}

bool ledger_user(struct txn *t, struct span name, struct ledger_user *out_view)
{
    struct key k = user_key(name);
    struct span value;

    if (!name.len || name.len > USER_NAME_MAX || !txn_get(t, LEDGER_USERS, key_span(&k), &value))
        return false;
    if (!user_read(key_span(&k), value, out_view)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    out_view->name = name;
    return true;
}

enum err ledger_users(struct txn *t, struct span after,
                      bool (*each)(void *arg, const struct ledger_user *u), void *arg)
{
    struct key k = user_key(after);
    struct scan s = scan_from(t, LEDGER_USERS, after.len ? key_span(&k) : span_text("u"));
    struct ledger_user u;

    while (scan_next(&s) && s.key.len > 2 && s.key.at[0] == 'u') {
        if (after.len && span_equal(s.key, key_span(&k)))
            continue;
        if (!user_read(s.key, s.value, &u)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (!each(arg, &u))
            break;
    }
    scan_done(&s);
    return t->err;
}

void act_put_user(struct act *a, const struct ledger_user *u)
{
    struct key k = user_key(u->name);
    uint8_t bytes[USER_ROW_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_u8(&w, (uint8_t)u->role);
    wr_u8(&w, u->enabled);
    wr_le32(&w, u->turn);
    wr_zigzag(&w, u->created_s);
    wr_zigzag(&w, u->changed_s);
    wr_u8(&w, u->password.log_n);
    wr_u8(&w, u->password.r);
    wr_u8(&w, u->password.p);
    wr_bytes(&w, span_of(u->password.salt, sizeof u->password.salt));
    wr_bytes(&w, span_of(u->password.hash, sizeof u->password.hash));
    wr_counted(&w, u->org);
    wr_counted(&w, u->who);
    if (w.err || k.full || !u->name.len || u->name.len > USER_NAME_MAX)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_USERS, key_span(&k), wr_span(&w));
}

/* ---- where they are signed in ---- */

static bool session_read(struct span value, uint32_t *turn, int64_t *began_s, int64_t *ends_s,
                         struct span *name)
{
    struct rd r = rd_of(value);

    *turn = rd_le32(&r);
    *began_s = rd_zigzag(&r);
    *ends_s = rd_zigzag(&r);
    *name = rd_counted(&r);
    return !r.err && !rd_left(&r) && name->len && name->len <= USER_NAME_MAX;
}

enum err ledger_session(struct txn *t, struct span secret, int64_t now_s, struct token_facts *out)
{
    uint8_t hash[SHA256_BYTES];
    struct token_facts f = { 0 };
    struct ledger_user u;
    struct span value, name;
    struct key k;
    uint32_t turn;

    ledger_sha256(secret, hash);
    k = session_key(hash);
    if (!txn_get(t, LEDGER_USERS, key_span(&k), &value))
        return t->err ? t->err : ERR_UNAUTHORIZED;
    if (!session_read(value, &turn, &f.created_s, &f.expires_s, &name))
        return ERR_CORRUPT;
    if (!ledger_user(t, name, &u))
        return t->err ? t->err : ERR_UNAUTHORIZED;
    if (!u.enabled || u.turn != turn || now_s >= f.expires_s)
        return ERR_UNAUTHORIZED;
    f.role = u.role;
    memcpy(f.name, u.name.at, u.name.len);
    if (u.org.len)
        memcpy(f.org, u.org.at, u.org.len);
    *out = f;
    return ERR_OK;
}

/* The first session of that name in the order in which they began; how many there are. */
static unsigned first_session(struct act *a, struct span name, struct key *out_place,
                              int64_t *out_ends_s)
{
    struct key all = sessions_of(name);
    struct scan s = scan_from(&a->txn, LEDGER_USERS, key_span(&all));
    unsigned count = 0;

    while (scan_next(&s) && s.key.len == all.len + 8u + SHA256_BYTES &&
           !memcmp(s.key.at, all.bytes, all.len)) {
        if (count++ == 0)
            memcpy(out_place->bytes, s.key.at, out_place->len = (uint16_t)s.key.len);
    }
    scan_done(&s);
    if (count && !a->txn.err) {
        struct key k = session_key(out_place->bytes + out_place->len - SHA256_BYTES);
        struct span value, who;
        uint32_t turn;
        int64_t began_s;

        if (!txn_get(&a->txn, LEDGER_USERS, key_span(&k), &value) ||
            !session_read(value, &turn, &began_s, out_ends_s, &who))
            ledger_fail(&a->txn, ERR_CORRUPT);
    }
    return count;
}

static void drop_session(struct act *a, const struct key *place)
{
    struct key k = session_key(place->bytes + place->len - SHA256_BYTES);

    txn_del(&a->txn, LEDGER_USERS, key_span(&k));
    txn_del(&a->txn, LEDGER_USERS, key_span(place));
}

/* Those that are over, and the oldest of too many; one that began late may end late, so the order is that of ends as long as all last alike. */
static void make_room(struct act *a, struct span name, int64_t now_s)
{
    struct key place = { 0 };
    int64_t ends_s = 0;

    while (!a->txn.err) {
        unsigned count = first_session(a, name, &place, &ends_s);

        if (!count || a->txn.err || (count < USER_SESSIONS_MAX && ends_s > now_s))
            return;
        drop_session(a, &place);
    }
}

void act_begin_session(struct act *a, const struct ledger_user *u, int64_t ends_s,
                       char out_secret[SECRET_TEXT_SIZE])
{
    uint8_t hash[SHA256_BYTES], bytes[USER_NAME_MAX + 32], text[USER_NAME_MAX] = { 0 };
    struct span name = span_of(text, u->name.len);
    struct wr w = wr_of(bytes, sizeof bytes);
    struct key k, place;
    enum err err;

    if (u->name.len > sizeof text) {
        ledger_fail(&a->txn, ERR_TOO_LARGE);
        return;
    }
    memcpy(text, u->name.at, u->name.len);
    wr_le32(&w, u->turn);
    wr_zigzag(&w, a->now_s);
    wr_zigzag(&w, ends_s);
    wr_counted(&w, name);
    if ((err = ledger_secret_make(out_secret)))
        ledger_fail(&a->txn, err);
    make_room(a, name, a->now_s);
    if (a->txn.err)
        return;
    ledger_sha256(span_text(out_secret), hash);
    k = session_key(hash);
    place = session_place(name, a->now_s, hash);
    act_changed(a);
    txn_put(&a->txn, LEDGER_USERS, key_span(&k), wr_span(&w));
    txn_put(&a->txn, LEDGER_USERS, key_span(&place), span_of(NULL, 0));
}

bool act_end_session(struct act *a, struct span secret)
{
    uint8_t hash[SHA256_BYTES];
    struct span value, name;
    struct key k, place;
    int64_t began_s, ends_s;
    uint32_t turn;

    ledger_sha256(secret, hash);
    k = session_key(hash);
    if (!txn_get(&a->txn, LEDGER_USERS, key_span(&k), &value))
        return false;
    if (!session_read(value, &turn, &began_s, &ends_s, &name)) {
        ledger_fail(&a->txn, ERR_CORRUPT);
        return false;
    }
    place = session_place(name, began_s, hash);
    act_changed(a);
    drop_session(a, &place);
    return true;
}

enum err ledger_users_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_USERS, span_of(NULL, 0));
    struct ledger_user u;
    struct span name;
    int64_t began_s, ends_s;
    uint32_t turn;
    bool whole = true;

    while (whole && scan_next(&s)) {
        uint8_t kind = s.key.len ? s.key.at[0] : 0;

        whole = kind == 'u'   ? s.key.len > 2 && user_read(s.key, s.value, &u)
                : kind == 's' ? s.key.len == SESSION_HEAD + SHA256_BYTES &&
                                    session_read(s.value, &turn, &began_s, &ends_s, &name)
                              : kind == 'n' && s.key.len > 2 + 8 + SHA256_BYTES && !s.value.len;
    }
    scan_done(&s);
    if (t->err)
        return t->err;
    return whole ? ERR_OK
                 : refuse(r, ERR_CORRUPT, 0, "ledger", "a row of a person or of a session is none");
}
