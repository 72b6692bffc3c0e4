/* What meters said of themselves over time: a row a meter, in the bytes that proto/past.h draws.  It is written with the vitals that it was
 * made of, in their transaction: settled again from there, it comes out the same. */
#include "storage/archive_priv.h"

#include "proto/past.h"

static void past_key(struct key *k, uint32_t meter)
{
    key_clear(k);
    key_u32(k, meter);
}

void past_put(struct txn *t, uint32_t meter, struct span bytes)
{
    struct key k;

    past_key(&k, meter);
    txn_put(t, TABLE_PASTS, key_span(&k), bytes);
}

enum err past_get(struct txn *t, uint32_t meter, struct past *out)
{
    struct past past = { .full_mv = 0 };
    struct span kept;
    struct key k;
    enum err err = ERR_OK;

    past_key(&k, meter);
    if (txn_get(t, TABLE_PASTS, key_span(&k), &kept))
        err = past_decode(kept, &past);
    if (!err && !(err = t->err))
        *out = past;
    return err;
}

enum err archive_past(struct archive *a, uint32_t meter, struct past *out)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    enum err err = past_get(&t, meter, out), ended = txn_end(&t);

    return err ? err : ended;
}

/* Every row reads, for the check of the store. */
enum err pasts_check(struct archive *a, struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, TABLE_PASTS, span_of(NULL, 0));
    struct past past;
    enum err err = ERR_OK;

    while (!err && scan_next(&s)) {
        struct rd key = rd_of(s.key);
        uint32_t meter = rd_be32(&key);

        if (key.err || past_decode(s.value, &past))
            err = refuse(r, ERR_CORRUPT, 0, "archive",
                         "%s: what meter %u said over time does not read", db_path(a->db), meter);
    }
    scan_done(&s);
    return err ? err : t->err;
}
