/* POST /v1/papers: a numbered note by which many meters go somewhere at once: ordered, received, put in stock, issued, given back,
 * to the laboratory, retired, scrapped.  Each meter gets the event of that name; all of them or none. */
#include "server/acts/act.h"
#include "server/acts/paper.h"

#include <stdio.h>

#define NOTES                                                                                      \
    (1u << EVENT_ORDER | 1u << EVENT_RECEIVE | 1u << EVENT_STOCK | 1u << EVENT_ISSUE |             \
     1u << EVENT_RETURN | 1u << EVENT_TO_LAB | 1u << EVENT_RETIRE | 1u << EVENT_SCRAP |            \
     1u << EVENT_REJECT)

struct noting {
    const struct act_request *q;
    struct act_reply *out;
    struct life_act l;
    struct life_wish w;
    struct paper paper;
    const json_t *serials;
};

static bool kind_read(struct noting *n)
{
    const char *kind = json_string_value(json_object_get(n->q->body, "kind"));

    if (kind && event_read(span_text(kind), &n->w.kind) && NOTES >> n->w.kind & 1)
        return true;
    answer_refuse(
        n->out, ERR_INVALID, "kind",
        "kind: found %.40s, expected order, receive, reject, stock, issue, return, to-lab, "
        "retire or scrap",
        kind ? kind : "nothing");
    return false;
}

static bool place_known(struct noting *n)
{
    struct act *act = n->l.act;

    return paper_names(act, n->out, LIST_DEPOT, "depot", n->w.text[EVENT_DEPOT]) &&
           paper_names(act, n->out, LIST_CREW, "crew", n->w.text[EVENT_CREW]);
}

static bool put_on(void *arg, struct span serial)
{
    struct noting *n = (struct noting *)arg;
    struct paper_line line = { .what = LINE_DONE, .serial = serial };
    struct ledger_row row;

    if (!ledger_find(&n->l.act->txn, LIST_METER, line.serial, INT64_MAX, &row))
        return life_failed(&n->l, n->l.act->txn.err ? n->l.act->txn.err : ERR_MISSING);
    line.meter = row.id;
    line.state = n->l.state;
    paper_line(&n->paper, n->l.act, &line);
    return true;
}

static bool all(struct noting *n)
{
    struct paper *p = &n->paper;

    if (!paper_open(p, &n->q->app->zone, n->l.act, n->out, event_name(n->w.kind),
                    n->w.text[EVENT_DOCUMENT], "document", n->w.at_s))
        return false;
    n->w.text[EVENT_DOCUMENT] = span_text(p->number);
    p->depot = n->w.text[EVENT_DEPOT];
    p->crew = n->w.text[EVENT_CREW];
    p->note = n->w.text[EVENT_NOTE];
    if (!life_act_lot(&n->l, &n->w, n->serials, put_on, n))
        return false;
    p->meters = json_array_size(n->serials);
    paper_close(p, n->l.act);
    return true;
}

static void answer(struct noting *n)
{
    const struct warnings *warnings = life_act_warnings(&n->l);
    struct out *o = &n->out->body;

    answer_begin(n->out, 201);
    out_member_text(o, "paper", n->paper.name);
    out_member_text(o, "kind", n->paper.kind);
    out_member_text(o, "number", n->paper.number);
    out_member_time(o, "at", n->paper.at_s);
    out_member_int(o, "meters", (int64_t)n->paper.meters);
    out_member_text(o, "state", life_state_name(n->l.state));
    answer_end(n->out, warnings);
}

void act_post_paper(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    int64_t now_s = clock_now_s(&app->clock);
    struct noting n = { .q = q, .out = out, .serials = json_object_get(q->body, "serials") };
    struct refusal wrong = { 0 };
    struct life_body b = life_body_of(q, &wrong);
    struct act act;

    if (!answer_role(q, out, ROLES_STORE) || !kind_read(&n))
        return;
    life_wish_read(q, now_s, &n.w, &wrong);
    body_others(&b, "kind", "serials", "at", NULL);
    n.w.wrong = wrong.err ? &wrong : NULL;
    if (!life_may(q, out, n.w.kind, n.w.overrule) || !serials_read(n.serials, SERIALS_MAX, out))
        return;
    act = act_join(app->ledger, q->caller->who, now_s, journal_end(app->journal));
    life_act_init(&n.l, q, out, &act);
    n.l.many = n.l.quiet = true;
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (place_known(&n) && all(&n)) {
        answer(&n);
        if (!answer_commit(q, out, &act))
            life_act_committed(&n.l);
    }
    answer_abort(out, &act);
    out_done(&n.paper.facts);
    life_act_done(&n.l);
}
