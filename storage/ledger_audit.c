/* The audit: who, when, what, before, after, why; in the act's own transaction, and chained.
 *
 *   AUDIT  u64 act · u32 part → part 0            zigzag at · u64 position · counted who
 *                               1, 2, …           counted what, subject, before, after, why
 *                               UINT32_MAX        SHA-256 of the link: u32 parts · 32 bytes
 *   STATE  "audit-end" → u64 act · 32 bytes       the newest link, once more
 *
 * link(n) = SHA-256(link(n − 1) · for each record of act n, in order of part: key · u32 length ·
 * value).  So a record that is changed, taken out or put in between breaks every link from there
 * on; and what is cut off at the end misses the end that STATE tells. */
#include "storage/ledger_priv.h"

#include <assert.h>
#include <stdlib.h>

static const char end_name[] = "audit-end";

struct audit_end {
    uint64_t number;
    uint8_t link[SHA256_BYTES];
};

static bool end_read(struct txn *t, struct audit_end *out)
{
    struct span value;
    struct rd r;

    memset(out, 0, sizeof *out);
    if (!txn_get(t, LEDGER_STATE, span_text(end_name), &value))
        return !t->err;
    r = rd_of(value);
    out->number = rd_le64(&r);
    value = rd_bytes(&r, SHA256_BYTES);
    if (r.err) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    memcpy(out->link, value.at, SHA256_BYTES);
    return true;
}

static void end_write(struct act *a, const uint8_t link[SHA256_BYTES])
{
    uint8_t bytes[8 + SHA256_BYTES];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le64(&w, a->number);
    wr_bytes(&w, span_of(link, SHA256_BYTES));
    txn_put(&a->txn, LEDGER_STATE, span_text(end_name), wr_span(&w));
}

uint64_t ledger_end(struct txn *t)
{
    struct audit_end end;

    return end_read(t, &end) ? end.number : 0;
}

static struct key audit_key(uint64_t number, uint32_t part)
{
    struct key k;

    key_clear(&k);
    key_u64(&k, number);
    key_u32(&k, part);
    return k;
}

static void sha_or_die(int ok)
{
    if (ok != 1)
        abort(); /* memory was given at the act's begin; the library has nothing left to fail with
                  */
}

static void sha_record(EVP_MD_CTX *sha, struct span key, struct span value)
{
    uint8_t length[4];
    struct wr w = wr_of(length, sizeof length);

    wr_le32(&w, (uint32_t)value.len);
    sha_or_die(EVP_DigestUpdate(sha, key.at, key.len));
    sha_or_die(EVP_DigestUpdate(sha, length, sizeof length));
    sha_or_die(EVP_DigestUpdate(sha, value.at, value.len));
}

static void sha_begin(EVP_MD_CTX *sha, const uint8_t link[SHA256_BYTES])
{
    sha_or_die(EVP_DigestInit_ex(sha, EVP_sha256(), NULL));
    sha_or_die(EVP_DigestUpdate(sha, link, SHA256_BYTES));
}

static void put_part(struct act *a, uint32_t part, struct span value)
{
    struct key k = audit_key(a->number, part);

    sha_record(a->work->sha, key_span(&k), value);
    txn_append(&a->txn, LEDGER_AUDIT, key_span(&k), value);
}

void audit_head(struct act *a)
{
    uint8_t bytes[128];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct audit_end end;

    if (!end_read(&a->txn, &end))
        return;
    sha_begin(a->work->sha, end.link);
    wr_zigzag(&w, a->now_s);
    wr_le64(&w, a->position);
    wr_counted(&w, span_text(a->who));
    assert(!w.err);
    put_part(a, AUDIT_HEAD, wr_span(&w));
}

void audit_seal(struct act *a)
{
    struct key k = audit_key(a->number, AUDIT_SEAL);
    uint8_t link[SHA256_BYTES], bytes[4 + SHA256_BYTES];
    struct wr w = wr_of(bytes, sizeof bytes);

    sha_or_die(EVP_DigestFinal_ex(a->work->sha, link, NULL));
    wr_le32(&w, a->work->parts);
    wr_bytes(&w, span_of(link, sizeof link));
    txn_append(&a->txn, LEDGER_AUDIT, key_span(&k), wr_span(&w));
    end_write(a, link);
}

void act_note(struct act *a, const char *what, struct span subject, struct span before,
              struct span after, struct span why)
{
    struct wr w = act_record_scratch(a);

    act_changed(a);
    if (a->txn.err)
        return;
    wr_counted(&w, span_text(what));
    wr_counted(&w, subject);
    wr_counted(&w, before);
    wr_counted(&w, after);
    wr_counted(&w, why);
    if (w.err)
        ledger_fail(&a->txn, w.err);
    else
        put_part(a, ++a->work->parts, wr_span(&w));
}

/* ---- reading ---- */

static void head_read(struct txn *t, struct span value, struct audit_record *out)
{
    struct rd r = rd_of(value);

    out->at_s = rd_zigzag(&r);
    out->position = rd_le64(&r);
    out->who = rd_counted(&r);
    if (r.err)
        ledger_fail(t, ERR_CORRUPT);
}

static void part_read(struct txn *t, struct span value, struct audit_record *out)
{
    struct rd r = rd_of(value);

    out->what = rd_counted(&r);
    out->subject = rd_counted(&r);
    out->before = rd_counted(&r);
    out->after = rd_counted(&r);
    out->why = rd_counted(&r);
    if (r.err)
        ledger_fail(t, ERR_CORRUPT);
}

/* The act and part that a key names. */
static bool key_read(struct txn *t, struct span key, uint64_t *out_number, uint32_t *out_part)
{
    struct rd r = rd_of(key);

    *out_number = rd_be64(&r);
    *out_part = rd_be32(&r);
    if (r.err)
        ledger_fail(t, ERR_CORRUPT);
    return !t->err;
}

enum err ledger_audit(struct txn *t, uint64_t from_number,
                      bool (*each)(void *arg, const struct audit_record *r), void *arg)
{
    struct key from = audit_key(from_number, AUDIT_HEAD);
    struct scan s = scan_from(t, LEDGER_AUDIT, key_span(&from));
    struct audit_record record = { 0 };

    while (scan_next(&s) && key_read(t, s.key, &record.number, &record.part)) {
        if (record.part == AUDIT_HEAD)
            head_read(t, s.value, &record);
        else if (record.part != AUDIT_SEAL)
            part_read(t, s.value, &record);
        if (t->err)
            break;
        if (record.part != AUDIT_HEAD && record.part != AUDIT_SEAL && !each(arg, &record))
            break;
    }
    scan_done(&s);
    return t->err;
}

/* ---- the chain ---- */

struct chain {
    EVP_MD_CTX *sha;
    struct audit_end at; /* the last link that held */
    bool open;           /* an act's records are being taken in */
    uint64_t number;
    uint32_t parts;
};

static const char *chain_seal(struct chain *c, struct span value)
{
    uint8_t link[SHA256_BYTES];
    struct rd r = rd_of(value);
    uint32_t parts = rd_le32(&r);
    struct span kept = rd_bytes(&r, SHA256_BYTES);

    sha_or_die(EVP_DigestFinal_ex(c->sha, link, NULL));
    if (r.err || parts != c->parts || memcmp(kept.at, link, SHA256_BYTES) != 0)
        return "does not match its link: a record was changed or taken out";
    c->at.number = c->number;
    memcpy(c->at.link, link, SHA256_BYTES);
    c->open = false;
    return NULL;
}

/* What is wrong with the next record; NULL: nothing. */
static const char *chain_take(struct chain *c, uint64_t number, uint32_t part, struct span key,
                              struct span value)
{
    if (part == AUDIT_HEAD) {
        if (c->open)
            return "begins before its predecessor is sealed";
        if (number != c->at.number + 1)
            return "is not the one after its predecessor: an act is missing";
        sha_begin(c->sha, c->at.link);
        c->open = true;
        c->number = number;
        c->parts = 0;
    } else if (!c->open || number != c->number) {
        return "lacks its beginning";
    } else if (part == AUDIT_SEAL) {
        return chain_seal(c, value);
    } else if (part != ++c->parts) {
        return "lacks a record";
    }
    sha_record(c->sha, key, value);
    return NULL;
}

static enum err chain_check(struct txn *t, struct chain *c, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_AUDIT, span_of(NULL, 0));
    const char *fault = NULL;
    struct audit_end end;
    uint64_t number = 0;
    uint32_t part;

    while (!fault && scan_next(&s) && key_read(t, s.key, &number, &part))
        fault = chain_take(c, number, part, s.key, s.value);
    scan_done(&s);
    if (!fault && end_read(t, &end)) {
        if (c->open || c->at.number != end.number)
            fault = "is not the last that was written: the end is missing";
        else if (memcmp(c->at.link, end.link, SHA256_BYTES) != 0)
            fault = "is not what its end says";
    }
    if (t->err)
        return t->err;
    return fault ? refuse(r, ERR_MISSING, 0, "audit", "act %llu %s", (unsigned long long)number,
                          fault)
                 : ERR_OK;
}

enum err audit_check(struct txn *t, struct refusal *r)
{
    struct chain c = { .sha = EVP_MD_CTX_new() };
    enum err err = c.sha ? chain_check(t, &c, r) : ERR_NO_MEMORY;

    EVP_MD_CTX_free(c.sha);
    return err;
}
