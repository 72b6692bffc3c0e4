/* POST /v1/deliveries: what came against what was ordered.  Meters of the batch that wait for it are received; others are told, each
 * with what stands against it; those that nobody registered may be registered on the way, as the batch's model says. */
#include "server/acts/act.h"
#include "server/acts/lot.h"
#include "server/acts/paper.h"

#include <stdio.h>
#include <stdlib.h>

struct delivery {
    const struct act_request *q;
    struct act_reply *out;
    struct act act;
    struct life_act l;
    struct registrar g;
    struct life_wish w;
    struct refusal wrong;
    struct row_copy batch, model; /* model.id 0: none */
    const json_t *serials;
    bool may_register;
    struct paper paper;
    uint64_t before, received, registered, unknown, other_batch, other_model, other_state;
};

static bool failed(struct delivery *d, enum err err)
{
    answer_failed(d->out, err);
    return false;
}

static bool refused(struct delivery *d, enum err err, const struct import_refusal *why)
{
    if (!row_refused(err))
        return failed(d, err);
    answer_refuse(d->out, err, why->column, "%s: found %s, expected %s", why->column, why->found,
                  why->expected);
    return false;
}

static void read_body(struct delivery *d)
{
    struct life_body b = life_body_of(d->q, &d->wrong);

    d->w.kind = EVENT_RECEIVE;
    life_wish_read(d->q, d->l.act->now_s, &d->w, &d->wrong);
    body_flag(&b, "register", &d->may_register);
    body_others(&b, "serials", "register", "at", NULL);
    if (!d->w.text[EVENT_BATCH].len)
        body_wrong(&b, "batch", "the batch that was delivered");
    d->w.wrong = NULL;
}

static bool batch_known(struct delivery *d)
{
    struct txn *t = &d->act.txn;
    struct span model;

    if (!paper_names(&d->act, d->out, LIST_BATCH, "batch", d->w.text[EVENT_BATCH]) ||
        !paper_names(&d->act, d->out, LIST_DEPOT, "depot", d->w.text[EVENT_DEPOT]))
        return false;
    if (d->w.text[EVENT_BATCH].len && !row_find(t, LIST_BATCH, d->w.text[EVENT_BATCH], &d->batch))
        return failed(d, t->err ? t->err : ERR_MISSING);
    model = d->batch.cells.at[CELL_BATCH_model];
    if (model.len && !row_find(t, LIST_MODEL, model, &d->model) && t->err)
        return failed(d, t->err);
    return true;
}

static bool facts_right(struct delivery *d)
{
    if (d->wrong.err) {
        answer_refuse(d->out, ERR_INVALID, d->wrong.field, "%s", d->wrong.text);
        return false;
    }
    if (!d->may_register ||
        (d->model.cells.at[CELL_MODEL_dn].len && d->model.cells.at[CELL_MODEL_q3].len))
        return true;
    answer_refuse(d->out, ERR_INVALID, "register",
                  "register: expected a batch whose model is registered with its dn and q3");
    return false;
}

/* ---- one meter ---- */

static bool register_one(struct delivery *d, struct span serial)
{
    struct import_refusal why;
    struct cells cells = { 0 };
    enum put_outcome outcome;
    enum err err;

    cells.at[CELL_METER_serial] = serial;
    cells.at[CELL_METER_model] = d->model.cells.at[CELL_MODEL_model];
    cells.at[CELL_METER_dn] = d->model.cells.at[CELL_MODEL_dn];
    cells.at[CELL_METER_q3] = d->model.cells.at[CELL_MODEL_q3];
    cells.at[CELL_METER_batch] = d->batch.cells.at[CELL_BATCH_batch];
    cells.at[CELL_METER_supplier] = d->batch.cells.at[CELL_BATCH_supplier];
    if ((err = registrar_put(&d->g, list_of(LIST_METER), &cells, &outcome, &why)))
        return refused(d, err, &why);
    d->registered++;
    return true;
}

/* A meter that was registered without a batch came in this one. */
static bool join_batch(struct delivery *d, struct row_copy *row)
{
    struct import_refusal why;
    enum put_outcome outcome;
    enum err err;

    row->cells.at[CELL_METER_batch] = d->batch.cells.at[CELL_BATCH_batch];
    err = registrar_replace(&d->g, list_of(LIST_METER), &row->cells, row->id, &outcome, &why);
    return err ? refused(d, err, &why) : true;
}

static bool differs(struct span is, struct span wanted)
{
    return is.len && wanted.len && !span_equal(is, wanted);
}

/* What stands against receiving it: LINE_DONE, nothing. */
static enum line_what stands_against(struct delivery *d, const struct row_copy *row,
                                     const struct paper_line *line)
{
    if (differs(row->cells.at[CELL_METER_batch], d->batch.cells.at[CELL_BATCH_batch]))
        return LINE_OTHER_BATCH;
    if (differs(row->cells.at[CELL_METER_model], d->batch.cells.at[CELL_BATCH_model]))
        return LINE_OTHER_MODEL;
    return event_from(EVENT_RECEIVE) >> line->state & 1 ? LINE_DONE : LINE_OTHER_STATE;
}

static void count(struct delivery *d, enum line_what what)
{
    switch (what) {
    case LINE_DONE:
        d->received++;
        break;
    case LINE_UNKNOWN:
        d->unknown++;
        break;
    case LINE_OTHER_BATCH:
        d->other_batch++;
        break;
    case LINE_OTHER_MODEL:
        d->other_model++;
        break;
    default:
        d->other_state++;
    }
}

static bool receive(struct delivery *d, struct paper_line *line)
{
    d->w.serial = line->serial;
    if (!life_act_event(&d->l, &d->w))
        return false;
    line->state = d->l.state;
    return true;
}

static bool one(struct delivery *d, struct span serial)
{
    struct txn *t = &d->act.txn;
    struct paper_line line = { .serial = serial, .what = LINE_UNKNOWN };
    struct row_copy row;
    enum err err;

    if (!row_find(t, LIST_METER, serial, &row)) {
        if (t->err)
            return failed(d, t->err);
        if (d->may_register && (!register_one(d, serial) || !row_find(t, LIST_METER, serial, &row)))
            return t->err ? failed(d, t->err) : false;
        if (!d->may_register)
            row.id = 0;
    }
    if (row.id) {
        line.meter = row.id;
        if ((err = lot_meter_at(d->q->app, t, row.id, d->w.at_s, &line)))
            return failed(d, err);
        line.what = stands_against(d, &row, &line);
    }
    if (line.what == LINE_DONE) {
        if ((!row.cells.at[CELL_METER_batch].len && !join_batch(d, &row)) || !receive(d, &line))
            return false;
        line.holder_kind = 0;
        line.holder[0] = 0;
    }
    count(d, line.what);
    paper_line(&d->paper, &d->act, &line);
    return true;
}

/* ---- the act ---- */

static void put_figures(struct delivery *d)
{
    struct out *o = &d->paper.facts;
    int64_t ordered = 0, total = (int64_t)(d->before + d->received);
    bool known = d->batch.cells.at[CELL_BATCH_ordered].len &&
                 !text_int(d->batch.cells.at[CELL_BATCH_ordered], &ordered);

    out_text(o, "{");
    if (known)
        out_member_int(o, "ordered", ordered);
    else
        out_member_null(o, "ordered");
    out_member_int(o, "delivered", (int64_t)json_array_size(d->serials));
    out_member_int(o, "received", (int64_t)d->received);
    out_member_int(o, "received_before", (int64_t)d->before);
    out_member_int(o, "registered", (int64_t)d->registered);
    out_member_int(o, "short", known && ordered > total ? ordered - total : 0);
    out_member_int(o, "over", known && total > ordered ? total - ordered : 0);
    out_member_int(o, "unknown", (int64_t)d->unknown);
    out_member_int(o, "other_batch", (int64_t)d->other_batch);
    out_member_int(o, "other_model", (int64_t)d->other_model);
    out_member_int(o, "other_state", (int64_t)d->other_state);
    out_text(o, "}");
}

static bool all(struct delivery *d)
{
    struct paper *p = &d->paper;
    json_t *serial;
    size_t i;
    enum err err = lot_count(d->q->app, &d->act.txn, d->batch.cells.at[CELL_BATCH_batch],
                             ~(LIFE_BIT(LIFE_NONE) | LIFE_BIT(LIFE_ORDERED)), &d->before);

    if (err)
        return failed(d, err);
    if (!paper_open(p, &d->q->app->zone, &d->act, d->out, "delivery", d->w.text[EVENT_DOCUMENT],
                    "document", d->w.at_s))
        return false;
    d->w.text[EVENT_DOCUMENT] = span_text(p->number);
    json_array_foreach((json_t *)d->serials, i, serial)
    {
        if (!one(d, span_of(json_string_value(serial), json_string_length(serial))))
            return false;
    }
    if (d->unknown == json_array_size(d->serials)) {
        answer_refuse(d->out, ERR_MISSING, "serials",
                      "serials: none of the %llu is a registered meter, so nothing was received; "
                      "\"register\":true registers those that are new",
                      (unsigned long long)d->unknown);
        return false;
    }
    p->batch = d->batch.cells.at[CELL_BATCH_batch];
    p->depot = d->w.text[EVENT_DEPOT];
    p->note = d->w.text[EVENT_NOTE];
    p->meters = d->received;
    put_figures(d);
    paper_close(p, &d->act);
    return true;
}

static void carry_out(struct delivery *d)
{
    if (d->act.txn.err) {
        answer_failed(d->out, d->act.txn.err);
        return;
    }
    if (!batch_known(d) || !facts_right(d) || !all(d))
        return;
    paper_answer(&d->paper, &d->act, d->out, life_act_warnings(&d->l));
    (void)!answer_commit(d->q, d->out, &d->act); /* the answer tells */
}

void act_post_delivery(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct delivery *d;
    enum err err;

    if (!answer_role(q, out, ROLES_STORE) ||
        !serials_read(json_object_get(q->body, "serials"), SERIALS_MAX, out))
        return;
    if (!(d = (struct delivery *)calloc(1, sizeof *d))) {
        answer_failed(out, ERR_NO_MEMORY);
        return;
    }
    d->q = q;
    d->out = out;
    d->serials = json_object_get(q->body, "serials");
    d->act = act_by(q);
    life_act_init(&d->l, q, out, &d->act);
    registrar_init(&d->g, app, &d->act, false);
    d->l.many = d->l.quiet = d->act.quiet_new = d->act.quiet_known =
        true; /* the paper tells of all */
    read_body(d);
    carry_out(d);
    act_abort(&d->act);
    if (out->status < 300) {
        if ((err = registrar_committed(&d->g)))
            fprintf(stderr, "nilod: frames that wait for a meter: the store %s\n", err_text(err));
        life_act_committed(&d->l);
    }
    out_done(&d->paper.facts);
    registrar_done(&d->g);
    life_act_done(&d->l);
    free(d);
}
