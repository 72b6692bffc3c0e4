/* GET /v1/batches/BATCH/sample: how many meters of a lot to inspect, which, and how many may fail. */
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/sample.h"

static bool terms_read(struct request *q, struct lot_terms *terms)
{
    struct span severity = ask_text(q, "severity");

    terms->batch = q->subject[0];
    terms->level = ask_text(q, "level");
    terms->aql = ask_text(q, "aql");
    if (!severity.len || sampling_severity_read(severity, &terms->severity))
        return true;
    problem_of(q, ERR_INVALID, "severity", "severity: found %.*s, expected normal or tightened",
               (int)(severity.len < 40 ? severity.len : 40), (const char *)severity.at);
    return false;
}

static void put_advice(struct out *o, const struct switching_advice *a)
{
    out_member_text(o, "severity_suggested", strictness_word(a->next));
    out_member_text(o, "severity_why_en", a->text_en);
    out_member_text(o, "severity_why_zh", a->text_zh);
    out_member_int(o, "lots_before", a->lots);
    out_member_int(o, "lots_rejected", a->rejected);
    out_member_int(o, "switching_score", a->score);
}

static void put(struct request *q, const struct lot_sample *s,
                const struct switching_advice *advice)
{
    struct out *o = &q->out;

    out_clear(o);
    out_text(o, "{");
    out_member_span(o, "batch", q->subject[0]);
    lot_sample_put(o, s, q->subject[0]);
    put_advice(o, advice);
    out_key(o, "serials");
    out_text(o, "[");
    for (uint64_t i = 0; i < s->plan.sample; i++) {
        if (i)
            out_text(o, ",");
        out_string(o, span_text(s->drawn[i].serial));
    }
    out_text(o, "]}\n");
    q->status = 200;
    if (o->err)
        problem_of(q, o->err, "", "no memory for the answer");
}

void answer_sample(struct request *q)
{
    struct lot_terms terms = { .severity = SAMPLING_NORMAL };
    struct lot_sample sample = { .drawn = NULL };
    struct switching_advice advice;
    struct ledger_row row;
    struct refusal r;
    struct txn t = ledger_read(q->app->ledger);
    enum err err;

    if (row_named(q, &t, list_of(LIST_BATCH), INT64_MAX, &row) && terms_read(q, &terms)) {
        err = lot_sample(q->app, &t, &terms, &sample, &r);
        if (!err)
            err = lot_advice(&t, &terms, &advice);
        if (err == ERR_INVALID)
            problem_of(q, err, r.field, "%s", r.text);
        else if (err)
            problem_of(q, err, "", "the lot cannot be read: it %s", err_text(err));
        else
            put(q, &sample, &advice);
        lot_sample_done(&sample);
    }
    txn_abort(&t);
}
