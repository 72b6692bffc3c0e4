/* What was decided of a route's days, point by point.
 *
 *   ROUTE_DAYS   u8 kind · u32 route · u32 day · u32 point (0: the whole day) → server/route_facts.c's bytes */
#include "storage/ledger_priv.h"

#define KEY_BYTES 13
#define ROUTE_AT 1
#define DAY_AT 5
#define POINT_AT 9

static struct key day_key(enum route_fact kind, uint32_t route, int32_t day)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, (uint8_t)kind);
    key_u32(&k, route);
    if (day >= 0)
        key_u32(&k, (uint32_t)day);
    return k;
}

void act_put_route_fact(struct act *a, enum route_fact kind, const struct route_place *at,
                        struct span bytes)
{
    struct key k = day_key(kind, at->route, at->day);

    key_u32(&k, at->point);
    act_changed(a);
    txn_put(&a->txn, LEDGER_ROUTE_DAYS, key_span(&k), bytes);
}

bool ledger_route_fact(struct txn *t, enum route_fact kind, const struct route_place *at,
                       struct span *out_view)
{
    struct key k = day_key(kind, at->route, at->day);

    key_u32(&k, at->point);
    return txn_get(t, LEDGER_ROUTE_DAYS, key_span(&k), out_view);
}

static enum err
facts_below(struct txn *t, const struct key *prefix,
            bool (*each)(void *arg, const struct route_place *at, struct span bytes), void *arg)
{
    struct scan s = scan_from(t, LEDGER_ROUTE_DAYS, key_span(prefix));

    while (scan_next(&s)) {
        struct route_place at;

        if (s.key.len != KEY_BYTES || memcmp(s.key.at, prefix->bytes, prefix->len) != 0)
            break;
        at.route = ledger_be32(s.key.at + ROUTE_AT);
        at.day = (int32_t)ledger_be32(s.key.at + DAY_AT);
        at.point = ledger_be32(s.key.at + POINT_AT);
        if (!each(arg, &at, s.value))
            break;
    }
    scan_done(&s);
    return t->err;
}

enum err ledger_route_facts(struct txn *t, enum route_fact kind, uint32_t route, int32_t day,
                            bool (*each)(void *arg, const struct route_place *at,
                                         struct span bytes),
                            void *arg)
{
    struct key prefix = day_key(kind, route, day);

    return facts_below(t, &prefix, each, arg);
}

enum err ledger_route_facts_all(struct txn *t, enum route_fact kind,
                                bool (*each)(void *arg, const struct route_place *at,
                                             struct span bytes),
                                void *arg)
{
    struct key prefix;

    key_clear(&prefix);
    key_u8(&prefix, (uint8_t)kind);
    return facts_below(t, &prefix, each, arg);
}

enum err ledger_routes_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_ROUTE_DAYS, span_of(NULL, 0));
    bool whole = true;

    while (whole && scan_next(&s))
        whole = s.key.len == KEY_BYTES && s.key.at[0] < ROUTE_FACTS &&
                (s.key.at[0] == ROUTE_SIGNED) == !ledger_be32(s.key.at + POINT_AT);
    scan_done(&s);
    if (t->err)
        return t->err;
    return whole ? ERR_OK : refuse(r, ERR_CORRUPT, 0, "ledger", "a fact of a route's day is none");
}
