/* POST /v1/routes/ROUTE/day/dispute and …/resolve: somebody doubts what a day's sheet says of a point; a supervisor says what came of it. */
#include "server/acts/route.h"

struct disputing {
    const struct act_request *q;
    struct act_reply *reply;
    struct ledger_row route;
    int32_t day;
    struct span point, note;
    struct route_place at;
    bool known;
    struct route_dispute dispute; /* the newest; its texts are views */
};

static bool taken(struct disputing *d, struct txn *t)
{
    struct span bytes;

    if (!route_named(d->q, d->reply, t, &d->route) ||
        !route_is_callers(d->q, d->reply, &d->route) || !route_date(d->q, d->reply, &d->day) ||
        !route_point(d->q, d->reply, t, &d->route, d->day, &d->point, &d->at.point) ||
        !answer_members(d->q, d->reply, "date", "point", "note", NULL) ||
        !route_text(d->q, d->reply, "note", true, &d->note))
        return false;
    d->at.route = d->route.id;
    d->at.day = d->day;
    d->known = ledger_route_fact(t, ROUTE_DISPUTE, &d->at, &bytes);
    if (!t->err && (!d->known || !route_dispute_read(bytes, &d->dispute)))
        return true;
    answer_failed(d->reply, t->err ? t->err : ERR_CORRUPT);
    return false;
}

static void put_members(const struct disputing *d, struct out *o)
{
    char date[11];

    text_put_date(date, d->day);
    out_member_span(o, "route", d->q->subject);
    out_member_text(o, "date", date);
    out_member_span(o, "point", d->point);
    out_member_text(o, "state", d->dispute.resolved_s ? "resolved" : "open");
    out_member_span(o, "note", d->dispute.note);
    out_member_span(o, "by", d->dispute.who);
    out_member_time(o, "at", d->dispute.at_s);
    if (d->dispute.resolved_s) {
        out_member_span(o, "resolution", d->dispute.resolution);
        out_member_span(o, "resolved_by", d->dispute.resolved_by);
        out_member_time(o, "resolved_at", d->dispute.resolved_s);
    }
}

/* The answer first: what is written ends the views. */
static void write(struct disputing *d, struct act *act, const char *what)
{
    uint8_t bytes[ROUTE_FACT_ROOM];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct out told = { 0 };

    route_dispute_write(&w, &d->dispute);
    answer_begin(d->reply, 201);
    put_members(d, &d->reply->body);
    answer_end(d->reply, NULL);
    out_text(&told, "{");
    put_members(d, &told);
    out_text(&told, "}");
    if (!act->txn.err && (told.err || w.err))
        act->txn.err = told.err ? told.err : w.err;
    if (!act->txn.err)
        act_put_route_fact(act, ROUTE_DISPUTE, &d->at, wr_span(&w));
    act_note(act, what, d->point, span_of(NULL, 0), span_of(told.at, told.len), d->note);
    out_done(&told);
    (void)!answer_commit(d->q, d->reply, act); /* the answer tells */
}

static bool may_be_opened(const struct disputing *d)
{
    char at[TEXT_TIME_SIZE];

    if (!d->known || d->dispute.resolved_s)
        return true;
    text_put_time(at, d->dispute.at_s);
    answer_refuse(d->reply, ERR_CONFLICT, "point",
                  "point: %.*s is disputed already, by %.*s since %s", (int)d->point.len,
                  (const char *)d->point.at, (int)d->dispute.who.len,
                  (const char *)d->dispute.who.at, at);
    return false;
}

static bool may_be_resolved(const struct disputing *d)
{
    if (d->known && !d->dispute.resolved_s)
        return true;
    answer_refuse(d->reply, ERR_CONFLICT, "point", "point: %.*s is not disputed%s",
                  (int)d->point.len, (const char *)d->point.at,
                  d->known ? " any more" : " on this day");
    return false;
}

void act_dispute_row(const struct act_request *q, struct act_reply *out)
{
    struct disputing d = { .q = q, .reply = out };
    struct act act;

    if (!answer_role(q, out, ROLES_SHEETS))
        return;
    act = act_by(q);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (taken(&d, &act.txn) && may_be_opened(&d)) {
        d.dispute = (struct route_dispute){ .at_s = act.now_s,
                                            .who = span_text(q->caller->who),
                                            .note = d.note };
        write(&d, &act, "route.dispute");
    }
    act_abort(&act);
}

void act_resolve_row(const struct act_request *q, struct act_reply *out)
{
    struct disputing d = { .q = q, .reply = out };
    struct act act;

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    act = act_by(q);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (taken(&d, &act.txn) && may_be_resolved(&d)) {
        d.dispute.resolved_s = act.now_s;
        d.dispute.resolved_by = span_text(q->caller->who);
        d.dispute.resolution = d.note;
        write(&d, &act, "route.resolve");
    }
    act_abort(&act);
}
