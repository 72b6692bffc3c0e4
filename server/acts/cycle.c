#include "server/acts/cycle.h"

#include "server/scope.h"

#include <stdlib.h>

bool cycle_routes_are_ours(const struct act_request *q, struct act_reply *out, struct txn *t,
                           struct span routes)
{
    struct scope scope = scope_of(q->caller->org);
    struct span route;

    while (q->caller->org[0] && cycle_route_next(&routes, &route)) {
        if (scope_named(&scope, t, LIST_ROUTE, route))
            continue;
        if (t->err)
            answer_failed(out, t->err);
        else
            answer_refuse(out, ERR_FORBIDDEN, "routes",
                          "routes: %.*s is not of the org unit %s that the token is for",
                          (int)(route.len < 64 ? route.len : 64), (const char *)route.at,
                          q->caller->org);
        return false;
    }
    return true;
}

bool cycle_named(const struct act_request *q, struct act_reply *out, struct txn *t,
                 struct ledger_cycle *c)
{
    struct span routes;
    uint8_t *copy;

    if (!ledger_cycle(t, q->subject, c)) {
        c->routes = span_of(NULL, 0);
        if (t->err)
            answer_failed(out, t->err);
        else
            answer_refuse(out, ERR_NOT_FOUND, "cycle", "cycle %.*s: nobody opened it",
                          (int)(q->subject.len < 64 ? q->subject.len : 64),
                          (const char *)q->subject.at);
        return false;
    }
    routes = c->routes;
    c->routes = span_of(NULL, 0);
    if (!cycle_routes_are_ours(q, out, t, routes))
        return false;
    if (!(copy = (uint8_t *)malloc(routes.len + 1))) {
        answer_failed(out, ERR_NO_MEMORY);
        return false;
    }
    if (routes.len)
        memcpy(copy, routes.at, routes.len);
    c->routes = span_of(copy, routes.len);
    return true;
}

void cycle_done(struct ledger_cycle *c)
{
    free((void *)c->routes.at);
    c->routes = span_of(NULL, 0);
}

void cycle_answer(struct act_reply *out, unsigned status, const struct ledger_cycle *c,
                  const struct cycle_sums *sums)
{
    answer_begin(out, status);
    cycle_put(&out->body, c, sums);
    answer_end(out, NULL);
}
