/* POST /v1/batches/BATCH/reject: a lot goes back, as one act: all of its meters that may still be rejected are; those elsewhere are
 * told with where they are. */
#include "server/acts/act.h"
#include "server/acts/lot.h"

#include <stdlib.h>

struct rejecting {
    const struct act_request *q;
    struct act_reply *out;
    struct act act;
    struct life_act l;
    struct life_wish w;
    struct refusal wrong;
    struct paper paper;
    struct meter_facts facts; /* of the meter at hand */
    struct members {
        uint32_t *at;
        size_t count, cap;
    } meters;
    uint64_t rejected, elsewhere;
};

static bool failed(struct rejecting *r, enum err err)
{
    answer_failed(r->out, err);
    return false;
}

static void read_body(struct rejecting *r)
{
    struct life_body b = life_body_of(r->q, &r->wrong);

    r->w.kind = EVENT_REJECT;
    life_wish_read(r->q, r->act.now_s, &r->w, &r->wrong);
    body_others(&b, "at", NULL);
    if (!r->w.text[EVENT_NOTE].len)
        body_wrong(&b, "note", "why the lot is rejected");
    if (!r->w.text[EVENT_DOCUMENT].len)
        r->w.text[EVENT_DOCUMENT] = span_text("auto");
    r->w.wrong = NULL;
}

/* Their ids, before anything is written: a walk does not outlive a change. */
static enum err members_load(struct rejecting *r)
{
    struct members *m = &r->meters;
    struct index_walk w = lot_meters(&r->act.txn, r->q->subject);
    enum err err = ERR_OK;

    while (!err && index_next(&w)) {
        if (m->count == m->cap) {
            size_t cap = m->cap ? m->cap * 2 : 1024;
            uint32_t *more = (uint32_t *)realloc(m->at, cap * sizeof *more);

            if (!more) {
                err = ERR_NO_MEMORY;
                break;
            }
            m->at = more;
            m->cap = cap;
        }
        m->at[m->count++] = w.value;
    }
    index_done(&w);
    return err ? err : r->act.txn.err;
}

static bool one(struct rejecting *r, uint32_t meter)
{
    struct paper_line line = { .what = LINE_OTHER_STATE };
    enum err err = meter_facts_by_id(&r->act.txn, meter, &r->facts);

    if (err || (err = lot_meter_at(r->q->app, &r->act.txn, meter, r->w.at_s, &line)))
        return failed(r, err);
    line.serial = r->w.serial = span_text(r->facts.serial);
    if (event_from(EVENT_REJECT) >> line.state & 1) {
        if (!life_act_event(&r->l, &r->w))
            return false;
        line = (struct paper_line){ .serial = line.serial, .meter = meter, .what = LINE_DONE };
        line.state = r->l.state;
        r->rejected++;
    } else {
        r->elsewhere++;
    }
    paper_line(&r->paper, &r->act, &line);
    return true;
}

static bool all(struct rejecting *r)
{
    struct paper *p = &r->paper;
    enum err err = members_load(r);

    if (err)
        return failed(r, err);
    if (!paper_open(p, &r->q->app->zone, &r->act, r->out, "reject", r->w.text[EVENT_DOCUMENT],
                    "document", r->w.at_s))
        return false;
    r->w.text[EVENT_DOCUMENT] = span_text(p->number);
    for (size_t i = 0; i < r->meters.count; i++) {
        if (!one(r, r->meters.at[i]))
            return false;
    }
    if (!r->rejected) {
        answer_refuse(r->out, ERR_CONFLICT, "batch",
                      "batch: none of the %zu meters of %.*s is received, verified, in-stock or "
                      "at-lab",
                      r->meters.count, (int)r->q->subject.len, (const char *)r->q->subject.at);
        return false;
    }
    p->batch = r->q->subject;
    p->note = r->w.text[EVENT_NOTE];
    p->meters = r->rejected;
    out_text(&p->facts, "{");
    out_member_int(&p->facts, "rejected", (int64_t)r->rejected);
    out_member_int(&p->facts, "elsewhere", (int64_t)r->elsewhere);
    out_text(&p->facts, "}");
    paper_close(p, &r->act);
    return true;
}

static void carry_out(struct rejecting *r)
{
    if (r->act.txn.err) {
        answer_failed(r->out, r->act.txn.err);
        return;
    }
    if (!paper_names(&r->act, r->out, LIST_BATCH, "batch", r->q->subject))
        return;
    if (r->wrong.err) {
        answer_refuse(r->out, ERR_INVALID, r->wrong.field, "%s", r->wrong.text);
        return;
    }
    if (!all(r))
        return;
    paper_answer(&r->paper, &r->act, r->out, life_act_warnings(&r->l));
    if (!answer_commit(r->q, r->out, &r->act))
        life_act_committed(&r->l);
}

void act_reject_batch(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct rejecting r = { .q = q, .out = out };

    if (!answer_role(q, out, ROLES_STORE))
        return;
    r.act =
        act_join(app->ledger, q->caller->who, clock_now_s(&app->clock), journal_end(app->journal));
    life_act_init(&r.l, q, out, &r.act);
    r.l.many = r.l.quiet = true;
    read_body(&r);
    carry_out(&r);
    answer_abort(out, &r.act);
    free(r.meters.at);
    out_done(&r.paper.facts);
    life_act_done(&r.l);
}
