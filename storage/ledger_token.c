/* Tokens, and what was answered to requests that may be repeated.
 *
 *   TOKENS   SHA-256(token) → u8 role · zigzag created · zigzag expires · counted name
 *            [· counted org: where it is for an org unit]
 *   ANSWERS  SHA-256(counted who · counted key) → 32 bytes hash of the request · u16 status · body
 */
#include "storage/ledger_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define ROLE_WORD_MAX 16

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_NONE] = "none",     [ROLE_ADMIN] = "admin",     [ROLE_SUPERVISOR] = "supervisor",
    [ROLE_READER] = "reader", [ROLE_BILLING] = "billing", [ROLE_STORE] = "store",
    [ROLE_CREW] = "crew",     [ROLE_VIEWER] = "viewer",   [ROLE_INGEST] = "ingest",
};

const char *role_name(enum role r)
{
    return r < ROLE_COUNT ? role_names[r] : role_names[ROLE_NONE];
}

enum role role_read(struct span name)
{
    for (unsigned i = ROLE_NONE + 1; i < ROLE_COUNT; i++)
        if (span_equal(name, span_text(role_names[i])))
            return (enum role)i;
    return ROLE_NONE;
}

/* 32 bytes from the system's generator as 43 characters of base64url (RFC 4648 §5, without
 * padding). */
enum err ledger_secret_make(char out[SECRET_TEXT_SIZE])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[33] = { 0 }; /* one zero more: eleven groups of three */
    char *at = out;

    if (getrandom(bytes, 32, 0) != 32)
        return ERR_IO;
    for (unsigned i = 0; i < sizeof bytes; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            *at++ = letters[group >> shift & 63];
    }
    out[43] = 0;
    explicit_bzero(bytes, sizeof bytes);
    return ERR_OK;
}

static void note_token(struct act *a, enum role role, const char *name, const char *org)
{
    char told[ROLE_WORD_MAX + sizeof((struct token_facts *)NULL)->org + 4];

    snprintf(told, sizeof told, "%s%s%s", role_name(role), *org ? " of " : "", org);
    act_note(a, "token.create", span_text(name), span_of(NULL, 0), span_text(told),
             span_of(NULL, 0));
}

void act_token_create(struct act *a, enum role role, const char *name, const char *org,
                      int64_t expires_s, char out_token[SECRET_TEXT_SIZE])
{
    uint8_t hash[SHA256_BYTES], bytes[192];
    struct wr w = wr_of(bytes, sizeof bytes);
    enum err err = ledger_secret_make(out_token);

    if (err || strlen(name) >= sizeof((struct token_facts *)NULL)->name ||
        strlen(org) >= sizeof((struct token_facts *)NULL)->org)
        ledger_fail(&a->txn, err ? err : ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    ledger_sha256(span_text(out_token), hash);
    wr_u8(&w, (uint8_t)role);
    wr_zigzag(&w, a->now_s);
    wr_zigzag(&w, expires_s);
    wr_counted(&w, span_text(name));
    if (*org)
        wr_counted(&w, span_text(org));
    txn_put(&a->txn, LEDGER_TOKENS, span_of(hash, sizeof hash), wr_span(&w));
    note_token(a, role, name, org);
}

static enum err token_read(struct span value, struct token_facts *out)
{
    struct token_facts f = { 0 };
    struct rd r = rd_of(value);
    uint8_t role = rd_u8(&r);
    struct span name, org = { 0 };

    f.created_s = rd_zigzag(&r);
    f.expires_s = rd_zigzag(&r);
    name = rd_counted(&r);
    if (!r.err && rd_left(&r))
        org = rd_counted(&r);
    if (r.err || role == ROLE_NONE || role >= ROLE_COUNT || name.len >= sizeof f.name ||
        org.len >= sizeof f.org)
        return ERR_CORRUPT;
    f.role = (enum role)role;
    memcpy(f.name, name.at, name.len);
    if (org.len)
        memcpy(f.org, org.at, org.len);
    *out = f;
    return ERR_OK;
}

enum err ledger_token(struct txn *t, struct span token, int64_t now_s, struct token_facts *out)
{
    uint8_t hash[SHA256_BYTES];
    struct token_facts f;
    struct span value;
    enum err err;

    /* Looked up by hash, so the time it takes tells nothing of the token itself. */
    ledger_sha256(token, hash);
    if (!txn_get(t, LEDGER_TOKENS, span_of(hash, sizeof hash), &value))
        return t->err ? t->err : ERR_UNAUTHORIZED;
    if ((err = token_read(value, &f)))
        return err;
    if (now_s >= f.expires_s)
        return ERR_UNAUTHORIZED;
    *out = f;
    return ERR_OK;
}

/* ---- answers ---- */

/* A key of any length in 32 bytes. */
static void answer_key(struct span who, struct span key, uint8_t out[SHA256_BYTES])
{
    uint8_t bytes[64 + LIMIT_TEXT + 16];
    struct wr w = wr_of(bytes, sizeof bytes);
    uint8_t hash[SHA256_BYTES];

    ledger_sha256(key, hash);
    wr_counted(&w, who.len > LIMIT_TEXT ? span_of(who.at, LIMIT_TEXT) : who);
    wr_bytes(&w, span_of(hash, sizeof hash));
    ledger_sha256(wr_span(&w), out);
}

bool ledger_answered(struct txn *t, struct span who, struct span key, uint8_t out_request[32],
                     unsigned *out_status, struct span *out_body_view)
{
    uint8_t hash[SHA256_BYTES];
    struct span value, request;
    struct rd r;
    uint16_t status;

    answer_key(who, key, hash);
    if (!txn_get(t, LEDGER_ANSWERS, span_of(hash, sizeof hash), &value))
        return false;
    r = rd_of(value);
    request = rd_bytes(&r, 32);
    status = rd_le16(&r);
    if (r.err) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    memcpy(out_request, request.at, 32);
    *out_status = status;
    *out_body_view = rd_bytes(&r, rd_left(&r));
    return true;
}

void act_answer(struct act *a, struct span who, struct span key, const uint8_t request[32],
                unsigned status, struct span body)
{
    size_t len = 32 + 2 + body.len; /* a report of an import may have megabytes */
    uint8_t *bytes = (uint8_t *)malloc(len), hash[SHA256_BYTES];
    struct wr w = wr_of(bytes, len);

    if (!bytes) {
        ledger_fail(&a->txn, ERR_NO_MEMORY);
        return;
    }
    answer_key(who, key, hash);
    wr_bytes(&w, span_of(request, 32));
    wr_le16(&w, (uint16_t)status);
    wr_bytes(&w, body);
    /* An answer alone is no act: it takes the number of none and leaves the audit as it is. */
    txn_put(&a->txn, LEDGER_ANSWERS, span_of(hash, sizeof hash), wr_span(&w));
    free(bytes);
    if (!a->txn.err)
        a->work->written = true;
}
