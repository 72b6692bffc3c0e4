/* The audit: who, when, what, before, after, why; in the act's own transaction, and chained.
 *
 *   AUDIT  u64 act · u32 part → part 0            zigzag at · u64 position · counted who
 *                               1, 2, …           counted what, subject, before, after, why
 *                               UINT32_MAX        SHA-256 of the link: u32 parts · 32 bytes
 *   STATE  "audit-end" → u64 act · 32 bytes       the newest link, once more
 *
 * link(n) = SHA-256(link(n − 1) · for each record of act n, in order of part: key · u32 length ·
 * value).  So a record that is changed, taken out or put in between breaks every link from there
 * on; and what is cut off at the end misses the end that STATE tells.  ledger_chain.c looks. */
#include "storage/ledger_priv.h"

#include <assert.h>
#include <stdlib.h>

static const char end_name[] = "audit-end";

bool audit_end_read(struct txn *t, struct audit_end *out)
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

    return audit_end_read(t, &end) ? end.number : 0;
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

void audit_sha_record(EVP_MD_CTX *sha, struct span key, struct span value)
{
    uint8_t length[4];
    struct wr w = wr_of(length, sizeof length);

    wr_le32(&w, (uint32_t)value.len);
    sha_or_die(EVP_DigestUpdate(sha, key.at, key.len));
    sha_or_die(EVP_DigestUpdate(sha, length, sizeof length));
    sha_or_die(EVP_DigestUpdate(sha, value.at, value.len));
}

void audit_sha_begin(EVP_MD_CTX *sha, const uint8_t link[SHA256_BYTES])
{
    sha_or_die(EVP_DigestInit_ex(sha, EVP_sha256(), NULL));
    sha_or_die(EVP_DigestUpdate(sha, link, SHA256_BYTES));
}

void audit_sha_end(EVP_MD_CTX *sha, uint8_t link[SHA256_BYTES])
{
    sha_or_die(EVP_DigestFinal_ex(sha, link, NULL));
}

static void put_part(struct act *a, uint32_t part, struct span value)
{
    struct key k = audit_key(a->number, part);

    audit_sha_record(a->work->sha, key_span(&k), value);
    txn_append(&a->txn, LEDGER_AUDIT, key_span(&k), value);
}

void audit_head(struct act *a)
{
    uint8_t bytes[128];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct audit_end end;

    if (!audit_end_read(&a->txn, &end))
        return;
    audit_sha_begin(a->work->sha, end.link);
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

    audit_sha_end(a->work->sha, link);
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

uint64_t ledger_audit_bytes(struct txn *t)
{
    return txn_bytes(t, LEDGER_AUDIT);
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

bool audit_key_read(struct txn *t, struct span key, uint64_t *out_number, uint32_t *out_part)
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

    while (scan_next(&s) && audit_key_read(t, s.key, &record.number, &record.part)) {
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

static bool note_time(void *arg, const struct audit_record *r)
{
    *(int64_t *)arg = r->at_s;
    return false;
}

enum err ledger_act_since(struct txn *t, int64_t since_s, uint64_t *out)
{
    uint64_t low = 1, high = ledger_end(t) + 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int64_t at_s = INT64_MAX;
        enum err err = ledger_audit(t, middle, note_time, &at_s);

        if (err)
            return err;
        if (at_s < since_s)
            low = middle + 1;
        else
            high = middle;
    }
    *out = low;
    return ERR_OK;
}
