/* Versions of the rules of validation that people made.
 *
 *   RULES   text rule 00 · u32 version → server/billing/rules.h's bytes
 *
 * They are only ever added, so that what judged a figure is known for good. */
#include "storage/ledger_priv.h"

static struct key rule_key(struct span rule, uint32_t version)
{
    struct key k;

    key_clear(&k);
    key_text(&k, rule);
    key_u32(&k, version);
    return k;
}

void act_put_rule(struct act *a, struct span rule, uint32_t version, struct span bytes)
{
    struct key k = rule_key(rule, version);

    if (k.full)
        ledger_fail(&a->txn, ERR_INVALID);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_RULES, key_span(&k), bytes);
}

static bool key_parts(struct span key, struct span *out_rule, uint32_t *out_version)
{
    if (key.len < 6 || key.at[key.len - 5] != 0)
        return false;
    *out_rule = span_of(key.at, key.len - 5);
    *out_version = ledger_be32(key.at + key.len - 4);
    return true;
}

enum err ledger_rules(struct txn *t,
                      bool (*each)(void *arg, struct span rule, uint32_t version,
                                   struct span bytes),
                      void *arg)
{
    struct scan s = scan_from(t, LEDGER_RULES, span_of(NULL, 0));
    struct span rule;
    uint32_t version;

    while (scan_next(&s)) {
        if (!key_parts(s.key, &rule, &version)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (!each(arg, rule, version, s.value))
            break;
    }
    scan_done(&s);
    return t->err;
}

uint64_t ledger_rule_count(struct txn *t)
{
    return txn_count(t, LEDGER_RULES);
}

enum err ledger_rules_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_RULES, span_of(NULL, 0));
    struct span rule, before = { 0 };
    uint32_t version, last = 0;
    bool whole = true;

    /* Version 1 is the program's own; those behind it follow without a gap. */
    while (whole && scan_next(&s)) {
        whole = key_parts(s.key, &rule, &version) && s.value.len;
        if (!whole)
            break;
        whole = version == (before.len && span_equal(rule, before) ? last + 1 : 2);
        before = rule;
        last = version;
    }
    scan_done(&s);
    if (t->err)
        return t->err;
    return whole ? ERR_OK : refuse(r, ERR_CORRUPT, 0, "ledger", "a version of a rule is missing");
}
