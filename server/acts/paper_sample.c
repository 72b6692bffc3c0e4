/* POST /v1/batches/BATCH/sample: what was found of the meters that were drawn from a lot, all of them, and so whether the lot is
 * accepted.  Each gets an inspect event; the lot itself is rejected by an act of its own. */
#include "server/acts/act.h"
#include "server/acts/lot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ERROR_PCT_MOST                                                                             \
    1000              /* a dial that says eleven times what flowed: beyond it somebody mistyped */
#define NOTE_MOST 800 /* bytes; with what was measured it is the note of an event */

struct sampling {
    const struct act_request *q;
    struct act_reply *out;
    struct act act;
    struct life_act l;
    struct life_wish w; /* what all inspections have in common */
    struct refusal wrong;
    struct lot_terms terms;
    struct lot_sample sample;
    json_t *results; /* serial → its result, borrowed from the body */
    struct paper paper;
    unsigned failed;
};

static bool store_failed(struct sampling *s, enum err err)
{
    answer_failed(s->out, err);
    return false;
}

static void read_body(struct sampling *s)
{
    struct life_body b = life_body_of(s->q, &s->wrong);
    struct span severity;

    body_text(&b, "level", &s->terms.level);
    body_text(&b, "severity", &severity);
    if (severity.len && !sampling_severity_read(severity, &s->terms.severity))
        body_wrong(&b, "severity", "normal or tightened");
    body_others(&b, "level", "aql", "severity", "results", "at", NULL);
    life_wish_read(s->q, s->act.now_s, &s->w, &s->wrong);
    s->w.kind = EVENT_INSPECT;
    s->w.wrong = NULL;
    if (!s->w.text[EVENT_DOCUMENT].len)
        s->w.text[EVENT_DOCUMENT] = span_text("auto");
}

static bool refuse_results(struct sampling *s, const char *expected)
{
    answer_refuse(s->out, ERR_INVALID, "results", "results: expected %s", expected);
    return false;
}

static const char *const measured[] = { "q1_pct", "q2_pct", "q3_pct" };

static bool is_measured(const char *name)
{
    for (size_t i = 0; i < sizeof measured / sizeof measured[0]; i++)
        if (strcmp(name, measured[i]) == 0)
            return true;
    return false;
}

/* What a result says beside its serial and its verdict. */
static bool is_told_well(const json_t *result)
{
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)result, name, v)
    {
        bool fine = strcmp(name, "serial") == 0 || strcmp(name, "result") == 0;

        if (is_measured(name))
            fine = json_is_null(v) ||
                   (json_is_number(v) && fabs(json_number_value(v)) <= ERROR_PCT_MOST);
        else if (strcmp(name, "note") == 0)
            fine = json_is_null(v) ||
                   (json_is_string(v) && json_string_length(v) <= NOTE_MOST &&
                    text_is_utf8(span_of(json_string_value(v), json_string_length(v))));
        if (!fine)
            return false;
    }
    return true;
}

/* The results by serial. */
static bool results_read(struct sampling *s)
{
    const json_t *all = json_object_get(s->q->body, "results");
    json_t *one;
    size_t i;

    if (!json_is_array(all) || !json_array_size(all))
        return refuse_results(s, "a list of {\"serial\", \"result\": \"pass\" or \"fail\"}");
    if (!(s->results = json_object()))
        return store_failed(s, ERR_NO_MEMORY);
    json_array_foreach((json_t *)all, i, one)
    {
        const char *serial = json_string_value(json_object_get(one, "serial"));
        const char *result = json_string_value(json_object_get(one, "result"));

        if (!serial || !result || (strcmp(result, "pass") != 0 && strcmp(result, "fail") != 0))
            return refuse_results(s, "{\"serial\", \"result\": \"pass\" or \"fail\"} for each");
        if (!is_told_well(one))
            return refuse_results(s, "beside serial and result q1_pct, q2_pct and q3_pct of -1000 "
                                     "to 1000 and a note of at most 800 bytes, and nothing else");
        if (json_object_get(s->results, serial)) {
            answer_refuse(s->out, ERR_INVALID, "results",
                          "results: found %.40s twice, expected each meter once", serial);
            return false;
        }
        if (json_object_set(s->results, serial, one))
            return store_failed(s, ERR_NO_MEMORY);
    }
    return true;
}

/* All of the sample and nothing else. */
static bool results_whole(struct sampling *s)
{
    size_t found = 0;

    for (size_t i = 0; i < s->sample.plan.sample; i++) {
        if (json_object_get(s->results, s->sample.drawn[i].serial)) {
            found++;
            continue;
        }
        answer_refuse(s->out, ERR_INVALID, "results",
                      "results: found none of %s, expected one for each of the %llu that are drawn",
                      s->sample.drawn[i].serial, (unsigned long long)s->sample.plan.sample);
        return false;
    }
    if (found == json_object_size(s->results))
        return true;
    return refuse_results(s, "those of the meters that are drawn alone");
}

/* Measured errors stand in the event's note: "q1 +3.1 %, q2 -0.5 %: seal was loose". */
static struct span note_of(const json_t *result, char room[LIMIT_TEXT])
{
    const char *note = json_string_value(json_object_get(result, "note"));
    struct wr w = wr_of(room, LIMIT_TEXT);

    for (size_t i = 0; i < 3; i++) {
        const json_t *v = json_object_get(result, measured[i]);

        if (json_is_number(v))
            wr_format(&w, "%s%.2s %+g %%", wr_len(&w) ? ", " : "", measured[i],
                      json_number_value(v));
    }
    if (note)
        wr_format(&w, "%s%s", wr_len(&w) ? ": " : "", note);
    return wr_span(&w);
}

static bool inspect(struct sampling *s, const struct drawn *d)
{
    const json_t *result = json_object_get(s->results, d->serial);
    struct paper_line line = { .serial = span_text(d->serial), .meter = d->meter };
    struct life_wish w = s->w;
    char note[LIMIT_TEXT];

    w.serial = line.serial;
    w.no_result = false;
    w.failed = strcmp(json_string_value(json_object_get(result, "result")), "fail") == 0;
    w.text[EVENT_NOTE] = note_of(result, note);
    if (!life_act_event(&s->l, &w))
        return false;
    s->failed += w.failed;
    line.what = w.failed ? LINE_FAIL : LINE_PASS;
    line.state = s->l.state;
    paper_line(&s->paper, &s->act, &line);
    return true;
}

static void put_figures(struct sampling *s)
{
    struct out *o = &s->paper.facts;

    out_text(o, "{");
    lot_sample_put(o, &s->sample, s->terms.batch);
    out_member_int(o, "failed", s->failed);
    out_member_text(o, "verdict", s->failed <= s->sample.plan.accept ? "accepted" : "rejected");
    out_text(o, "}");
}

static bool all(struct sampling *s)
{
    struct paper *p = &s->paper;

    if (!paper_open(p, &s->q->app->zone, &s->act, s->out, "sample", s->w.text[EVENT_DOCUMENT],
                    "document", s->w.at_s))
        return false;
    s->w.text[EVENT_DOCUMENT] = span_text(p->number);
    for (size_t i = 0; i < s->sample.plan.sample; i++) {
        if (!inspect(s, &s->sample.drawn[i]))
            return false;
    }
    p->batch = s->terms.batch;
    p->note = s->w.text[EVENT_NOTE];
    p->meters = s->sample.plan.sample;
    put_figures(s);
    paper_close(p, &s->act);
    return true;
}

static void carry_out(struct sampling *s)
{
    char aql[JSON_NUMBER_ROOM];
    const json_t *v = json_object_get(s->q->body, "aql");
    struct refusal r;
    enum err err;

    if (s->act.txn.err) {
        answer_failed(s->out, s->act.txn.err);
        return;
    }
    if (!paper_names(&s->act, s->out, LIST_BATCH, "batch", s->terms.batch))
        return;
    if (s->wrong.err) {
        answer_refuse(s->out, ERR_INVALID, s->wrong.field, "%s", s->wrong.text);
        return;
    }
    if (v)
        s->terms.aql = json_scalar(v, aql);
    if (!results_read(s))
        return;
    if ((err = lot_sample(s->q->app, &s->act.txn, &s->terms, &s->sample, &r))) {
        if (err == ERR_INVALID)
            answer_refuse(s->out, err, r.field, "%s", r.text);
        else
            answer_failed(s->out, err);
        return;
    }
    if (!results_whole(s) || !all(s))
        return;
    paper_answer(&s->paper, &s->act, s->out, life_act_warnings(&s->l));
    if (!answer_commit(s->q, s->out, &s->act))
        life_act_committed(&s->l);
}

void act_post_sample(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct sampling s = { .q = q, .out = out, .terms.batch = q->subject };

    if (!answer_role(q, out, ROLES_STORE))
        return;
    s.act =
        act_join(app->ledger, q->caller->who, clock_now_s(&app->clock), journal_end(app->journal));
    life_act_init(&s.l, q, out, &s.act);
    s.l.many = s.l.quiet = true;
    read_body(&s);
    carry_out(&s);
    answer_abort(out, &s.act);
    lot_sample_done(&s.sample);
    json_decref(s.results);
    out_done(&s.paper.facts);
    life_act_done(&s.l);
}
