/* Whether the audit is what was written: its chain walked from the first act to the newest
 * (ledger_audit.c says how it is made). */
#include "storage/ledger_priv.h"

#include <stdarg.h>
#include <stdio.h>

#define SLICE_RECORDS 65536u /* of one transaction: some 20 MB */

struct chain {
    EVP_MD_CTX *sha;
    struct audit_end at; /* the last link that held */
    bool open;           /* an act's records are being taken in */
    uint64_t number;     /* which */
    uint32_t parts;
    uint64_t known_number; /* what was noted elsewhere; 0: nothing */
    const uint8_t *known_link;
    struct audit_verdict *out;
};

const char *audit_fault_name(enum audit_fault f)
{
    static const char *const names[] = {
        [AUDIT_SOUND] = "sound",         [AUDIT_CHANGED] = "changed", [AUDIT_PUT_IN] = "put-in",
        [AUDIT_TAKEN_OUT] = "taken-out", [AUDIT_CUT_OFF] = "cut-off", [AUDIT_ANOTHER] = "another",
    };

    return names[f];
}

PRINTF_LIKE(4, 5)
static bool fault(struct chain *c, enum audit_fault f, uint64_t number, const char *format, ...)
{
    struct audit_verdict *v = c->out;
    va_list args;
    int len = snprintf(v->text, sizeof v->text, "act %llu ", (unsigned long long)number);

    v->fault = f;
    v->number = number;
    va_start(args, format);
    vsnprintf(v->text + len, sizeof v->text - (size_t)len, format, args);
    va_end(args);
    return false;
}

static bool seal(struct chain *c, struct span value)
{
    uint8_t link[SHA256_BYTES];
    struct rd r = rd_of(value);
    uint32_t parts = rd_le32(&r);
    struct span kept = rd_bytes(&r, SHA256_BYTES);

    audit_sha_end(c->sha, link);
    c->open = false;
    if (r.err)
        return fault(c, AUDIT_CHANGED, c->number, "has an end that does not read");
    if (c->parts < parts)
        return fault(c, AUDIT_TAKEN_OUT, c->number, "had %u records and has %u: the last are gone",
                     parts, c->parts);
    if (c->parts > parts)
        return fault(c, AUDIT_PUT_IN, c->number, "had %u records and has %u", parts, c->parts);
    if (memcmp(kept.at, link, SHA256_BYTES) != 0)
        return fault(c, AUDIT_CHANGED, c->number,
                     "does not match its link: one of its records was changed");
    if (c->number == c->known_number && memcmp(c->known_link, link, SHA256_BYTES) != 0)
        return fault(c, AUDIT_ANOTHER, c->number,
                     "has another link than the one that was noted: the audit was made anew");
    c->at.number = c->number;
    memcpy(c->at.link, link, SHA256_BYTES);
    c->out->acts++;
    return true;
}

static bool begin(struct chain *c, uint64_t number)
{
    if (c->open)
        return fault(c, AUDIT_TAKEN_OUT, c->number, "has no end: it is gone");
    if (number != c->at.number + 1)
        return fault(c, AUDIT_TAKEN_OUT, c->at.number + 1, "is gone");
    audit_sha_begin(c->sha, c->at.link);
    c->open = true;
    c->number = number;
    c->parts = 0;
    return true;
}

static bool take(struct chain *c, uint64_t number, uint32_t part, struct span key,
                 struct span value)
{
    if (part == AUDIT_HEAD) {
        if (!begin(c, number))
            return false;
    } else if (!c->open || number != c->number) {
        return c->open
                   ? fault(c, AUDIT_TAKEN_OUT, c->number, "has no end: it is gone")
                   : fault(c, AUDIT_TAKEN_OUT, c->at.number + 1, "has no beginning: it is gone");
    } else if (part == AUDIT_SEAL) {
        return seal(c, value);
    } else if (part != c->parts + 1) {
        return fault(c, AUDIT_TAKEN_OUT, number, "lacks its record %u", c->parts + 1);
    } else {
        c->parts++;
        c->out->records++;
        c->out->bytes += key.len + value.len;
    }
    audit_sha_record(c->sha, key, value);
    return true;
}

/* After the last record: is it the last that was written? */
static bool at_end(struct chain *c, struct txn *t)
{
    struct audit_end end;

    if (!audit_end_read(t, &end))
        return false;
    if (c->open)
        return fault(c, AUDIT_CUT_OFF, c->number, "has no end: the audit is cut off there");
    if (c->at.number < end.number)
        return fault(c, AUDIT_CUT_OFF, c->at.number + 1, "is gone, and all after it up to %llu",
                     (unsigned long long)end.number);
    if (c->at.number > end.number)
        return fault(c, AUDIT_PUT_IN, end.number + 1, "is there, but %llu was the last",
                     (unsigned long long)end.number);
    if (memcmp(c->at.link, end.link, SHA256_BYTES) != 0)
        return fault(c, AUDIT_CHANGED, end.number, "is not what the audit's end says");
    if (c->known_number > c->at.number)
        return fault(c, AUDIT_CUT_OFF, c->at.number + 1, "is gone, and all after it up to %llu",
                     (unsigned long long)c->known_number);
    return true;
}

/* From `next` on. False: a fault, or t->err, or the end. */
static bool slice(struct chain *c, struct txn *t, struct key *next)
{
    struct scan s = scan_from(t, LEDGER_AUDIT, key_span(next));
    unsigned count = 0;
    bool more = false, fine = true;
    uint64_t number = 0;
    uint32_t part;

    while (count++ < SLICE_RECORDS && fine && (more = scan_next(&s)) &&
           (more = audit_key_read(t, s.key, &number, &part))) {
        fine = take(c, number, part, s.key, s.value);
        key_clear(next);
        key_u64(next, part == AUDIT_SEAL ? number + 1 : number);
        key_u32(next, part == AUDIT_SEAL ? AUDIT_HEAD : part + 1);
    }
    scan_done(&s);
    if (t->err == ERR_CORRUPT) { /* a record's own checksum says so */
        t->err = ERR_OK;
        return fault(c, AUDIT_CHANGED, c->open ? c->number : c->at.number + 1,
                     "has a record that is not what was written");
    }
    if (fine && !more && !t->err)
        (void)at_end(c, t); /* the verdict tells */
    return fine && more && !t->err;
}

static enum err walk(struct chain *c, struct ledger *l, const _Atomic bool *stop)
{
    struct key next;
    bool more = true;

    key_clear(&next);
    while (more) {
        struct txn t = ledger_read(l);
        enum err err = t.err;

        more = !err && slice(c, &t, &next);
        err = txn_end(&t);
        if (err)
            return err;
        if (stop && *stop)
            return ERR_STOPPING;
    }
    return ERR_OK;
}

enum err ledger_audit_verify(struct ledger *l, uint64_t known_number,
                             const uint8_t known_link[AUDIT_LINK], const _Atomic bool *stop,
                             struct audit_verdict *out)
{
    struct chain c = { .sha = EVP_MD_CTX_new(),
                       .known_number = known_link ? known_number : 0,
                       .known_link = known_link,
                       .out = out };
    enum err err;

    memset(out, 0, sizeof *out);
    err = c.sha ? walk(&c, l, stop) : ERR_NO_MEMORY;
    EVP_MD_CTX_free(c.sha);
    out->end = c.at.number;
    memcpy(out->link, c.at.link, SHA256_BYTES);
    return err;
}

enum err audit_check(struct ledger *l, struct refusal *r)
{
    struct audit_verdict v;
    enum err err = ledger_audit_verify(l, 0, NULL, NULL, &v);

    if (!err && v.fault)
        return refuse(r, ERR_MISSING, 0, "audit", "audit: %s", v.text);
    return err;
}
