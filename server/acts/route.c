#include "server/acts/route.h"

#define DAY_LATEST 49709 /* 2106-02-06 */

bool route_named(const struct act_request *q, struct act_reply *out, struct txn *t,
                 struct ledger_row *out_view)
{
    if (ledger_find(t, LIST_ROUTE, q->subject, INT64_MAX, out_view))
        return true;
    if (t->err)
        answer_failed(out, t->err);
    else
        answer_refuse(out, ERR_NOT_FOUND, "route", "route %.*s: nobody registered it",
                      (int)(q->subject.len < 64 ? q->subject.len : 64),
                      (const char *)q->subject.at);
    return false;
}

bool route_is_callers(const struct act_request *q, struct act_reply *out,
                      const struct ledger_row *route)
{
    struct span reader = ledger_cell(route, CELL_ROUTE_reader),
                name = ledger_cell(route, CELL_ROUTE_route);

    if (q->caller->role != ROLE_READER || !reader.len ||
        span_equal(reader, span_text(q->caller->who)))
        return true;
    answer_refuse(out, ERR_FORBIDDEN, "route",
                  "the role reader may not do this: the route %.*s is read by %.*s, not by %s",
                  (int)(name.len < 64 ? name.len : 64), (const char *)name.at,
                  (int)(reader.len < 64 ? reader.len : 64), (const char *)reader.at,
                  q->caller->who);
    return false;
}

bool route_date(const struct act_request *q, struct act_reply *out, int32_t *out_day)
{
    int64_t day = zone_day_number(&q->app->zone, clock_now_s(&q->app->clock));
    struct span text;

    if (!answer_text(q, out, "date", false, &text))
        return false;
    if (text.len && (text_date(text, &day) || day < 0 || day > DAY_LATEST)) {
        answer_refuse(out, ERR_INVALID, "date", "date: found %.*s, expected a date as 2026-03-01",
                      (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
        return false;
    }
    *out_day = (int32_t)day;
    return true;
}

bool route_text(const struct act_request *q, struct act_reply *out, const char *name, bool needed,
                struct span *out_text)
{
    if (!answer_text(q, out, name, needed, out_text))
        return false;
    if (out_text->len <= ROUTE_TEXT_MAX)
        return true;
    answer_refuse(out, ERR_INVALID, name, "%s: found %zu bytes, expected at most %d", name,
                  out_text->len, ROUTE_TEXT_MAX);
    return false;
}

bool route_point(const struct act_request *q, struct act_reply *out, struct txn *t,
                 const struct ledger_row *route, int32_t day, struct span *out_name,
                 uint32_t *out_id)
{
    struct ledger_row point;
    struct route_place at = { .route = route->id, .day = day };
    struct span bytes;

    if (!answer_text(q, out, "point", true, out_name))
        return false;
    if (!ledger_find(t, LIST_POINT, *out_name, INT64_MAX, &point)) {
        if (t->err)
            answer_failed(out, t->err);
        else
            answer_refuse(out, ERR_NOT_FOUND, "point",
                          "point: found %.*s, expected a point that is registered",
                          (int)(out_name->len < 64 ? out_name->len : 64),
                          (const char *)out_name->at);
        return false;
    }
    *out_id = at.point = point.id;
    if (span_equal(ledger_cell(&point, CELL_POINT_route), ledger_cell(route, CELL_ROUTE_route)) ||
        ledger_route_fact(t, ROUTE_LINE, &at, &bytes))
        return true;
    answer_refuse(out, ERR_INVALID, "point", "point: %.*s is not on the route %.*s",
                  (int)(out_name->len < 64 ? out_name->len : 64), (const char *)out_name->at,
                  (int)(q->subject.len < 64 ? q->subject.len : 64), (const char *)q->subject.at);
    return false;
}
