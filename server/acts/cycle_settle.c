/* POST /v1/cycles/ID/settled: the billing side says what it has billed, and by which document. What is
 * settled by one document is not settled by another: nobody bills twice. */
#include "proto/base/hex.h"
#include "server/acts/cycle.h"

#include <stdio.h>
#include <stdlib.h>

#define POINTS_MOST 10000 /* of one request */
#define CURSOR_BYTES 64   /* of a point's name */

struct settling {
    const struct act_request *q;
    struct act_reply *reply;
    struct act *act;
    struct ledger_cycle cycle;
    struct span document;
    struct ledger_receipt pulled, settled; /* the last ones; points are copied below */
    char pulled_to[CURSOR_BYTES + 1], settled_to[CURSOR_BYTES + 1];
    uint64_t count; /* points that were named and settled */
    bool changed;
};

static bool wrong(struct settling *s, enum err err, const char *field, struct span point,
                  const char *text)
{
    answer_refuse(s->reply, err, field, "%s: found %.*s, %s", field,
                  (int)(point.len < 64 ? point.len : 64), (const char *)point.at, text);
    return false;
}

static void keep(char out[CURSOR_BYTES + 1], struct ledger_receipt *r)
{
    snprintf(out, CURSOR_BYTES + 1, "%.*s", (int)r->point.len, (const char *)r->point.at);
    r->point = span_text(out);
}

static void load_marks(struct settling *s)
{
    struct txn *t = &s->act->txn;

    if (ledger_receipt_last(t, s->cycle.id, RECEIPT_PULLED, &s->pulled))
        keep(s->pulled_to, &s->pulled);
    if (ledger_receipt_last(t, s->cycle.id, RECEIPT_SETTLED, &s->settled))
        keep(s->settled_to, &s->settled);
}

static void put(struct settling *s, enum receipt_kind kind, struct span point)
{
    struct ledger_receipt r = { .point = point, .at_s = s->act->now_s, .document = s->document };

    snprintf(r.who, sizeof r.who, "%s", s->q->caller->who);
    act_put_receipt(s->act, s->cycle.id, kind, &r);
    s->changed = true;
}

static bool by_other(struct settling *s, const char *field, struct span point,
                     const struct ledger_receipt *r)
{
    char text[160];

    snprintf(text, sizeof text, "which %.60s settled by document %.*s", r->who,
             (int)(r->document.len < 60 ? r->document.len : 60), (const char *)r->document.at);
    return wrong(s, ERR_CONFLICT, field, point, text);
}

/* ---- up to a cursor ---- */

static bool settle_to(struct settling *s, const char *field, struct span point)
{
    struct ledger_receipt covers;

    if (strcmp(s->pulled_to, (const char *)point.at) < 0)
        return wrong(s, ERR_CONFLICT, field, point,
                     "expected a cursor up to which the cycle was pulled");
    if (strcmp((const char *)point.at, s->settled_to) > 0) {
        put(s, RECEIPT_SETTLED, point);
        return true;
    }
    /* The same again changes nothing. */
    if (ledger_receipt_from(&s->act->txn, s->cycle.id, RECEIPT_SETTLED, point, &covers) &&
        !span_equal(covers.document, s->document))
        return by_other(s, field, point, &covers);
    return !s->act->txn.err;
}

static bool settle_cursor(struct settling *s, const json_t *cursor)
{
    struct span text = json_is_string(cursor)
                           ? span_of(json_string_value(cursor), json_string_length(cursor))
                           : span_of(NULL, 0);
    uint8_t point[CURSOR_BYTES + 1];
    struct span known;
    size_t len = 0;

    if (!text.len || hex_read(text, point, CURSOR_BYTES, &len) || !len ||
        !ledger_determinant(&s->act->txn, s->cycle.id, span_of(point, len), &known))
        return wrong(s, ERR_INVALID, "cursor", text, "expected `next` of a page of determinants");
    point[len] = 0;
    return settle_to(s, "cursor", span_of(point, len));
}

static bool settle_all(struct settling *s)
{
    if (s->pulled_to[0])
        return settle_to(s, "all", span_text(s->pulled_to));
    return wrong(s, ERR_CONFLICT, "all", span_text("nothing"),
                 "expected a cycle of which something was pulled");
}

/* ---- single points ---- */

static bool settle_point(struct settling *s, struct span point)
{
    struct txn *t = &s->act->txn;
    struct ledger_receipt r;
    struct span known;
    bool there;

    if (!ledger_determinant(t, s->cycle.id, point, &known))
        return wrong(s, ERR_NOT_FOUND, "points", point, "expected points of the cycle");
    there =
        ledger_receipt_from(t, s->cycle.id, RECEIPT_POINT, point, &r) && span_equal(r.point, point);
    if (!there)
        there = ledger_receipt_from(t, s->cycle.id, RECEIPT_SETTLED, point, &r);
    if (there && !span_equal(r.document, s->document))
        return by_other(s, "points", point, &r);
    if (!there) {
        put(s, RECEIPT_POINT, point);
        s->count++;
    }
    return !t->err;
}

static bool settle_points(struct settling *s, const json_t *points)
{
    size_t count = json_array_size(points);
    bool fine = count && count <= POINTS_MOST;

    if (!fine) {
        answer_refuse(s->reply, ERR_INVALID, "points", "points: expected a list of 1 to %d points",
                      POINTS_MOST);
        return false;
    }
    for (size_t i = 0; i < count && fine; i++) {
        const json_t *one = json_array_get(points, i);

        if (json_is_string(one) && json_string_length(one))
            fine = settle_point(s, span_of(json_string_value(one), json_string_length(one)));
        else
            fine = wrong(s, ERR_INVALID, "points", span_text("something else"),
                         "expected names of points");
    }
    return fine;
}

/* ---- the act ---- */

static bool settle(struct settling *s)
{
    const json_t *cursor = json_object_get(s->q->body, "cursor");
    const json_t *points = json_object_get(s->q->body, "points");
    const json_t *all = json_object_get(s->q->body, "all");

    if (!answer_text(s->q, s->reply, "document", true, &s->document))
        return false;
    if ((cursor != NULL) + (points != NULL) + (all != NULL) != 1 || (all && !json_is_true(all))) {
        answer_refuse(s->reply, ERR_INVALID, "cursor",
                      "expected one of cursor, points and \"all\":true");
        return false;
    }
    if (s->cycle.state != CYCLE_CLOSED) {
        answer_refuse(s->reply, ERR_CONFLICT, "cycle",
                      "cycle %s: it is %s, so there is nothing to bill yet", s->cycle.name,
                      cycle_state_name((enum cycle_state)s->cycle.state));
        return false;
    }
    load_marks(s);
    return cursor ? settle_cursor(s, cursor) : points ? settle_points(s, points) : settle_all(s);
}

static void answer(struct settling *s)
{
    struct out *o = &s->reply->body;
    struct ledger_receipt last;

    answer_begin(s->reply, 200);
    out_member_text(o, "cycle", s->cycle.name);
    out_member_span(o, "document", s->document);
    out_member_span(o, "settled_before", span_text(s->settled_to));
    if (ledger_receipt_last(&s->act->txn, s->cycle.id, RECEIPT_SETTLED, &last))
        out_member_span(o, "settled_to", last.point);
    else
        out_member_null(o, "settled_to");
    if (json_object_get(s->q->body, "points"))
        out_member_int(o, "points", (int64_t)s->count);
    else
        out_member_null(o, "points"); /* a span of a city is not counted */
    answer_end(s->reply, NULL);
}

void act_settle_cycle(const struct act_request *q, struct act_reply *out)
{
    struct settling s = { .q = q, .reply = out };
    struct act act;

    if (!answer_role(q, out, ROLES_BILLING))
        return;
    act = act_by(q);
    s.act = &act;
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (cycle_named(q, out, &act.txn, &s.cycle) &&
               answer_members(q, out, "cursor", "points", "all", "document", NULL) && settle(&s)) {
        answer(&s);
        if (s.changed)
            act_note(&act, "cycle.settled", span_text(s.cycle.name), span_of(NULL, 0),
                     span_of(out->body.at, out->body.len), s.document);
        (void)!answer_commit(q, out, &act); /* the answer tells */
    } else if (act.txn.err) {
        answer_failed(out, act.txn.err);
    }
    act_abort(&act);
    cycle_done(&s.cycle);
}
