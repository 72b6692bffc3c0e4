/* Who did what, when and why.  And whether all of it is still there. */
#include "proto/base/hex.h"
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define PAGE 1000
#define CURSOR_SIZE 12

static const char *const columns[] = { "number", "at",    "who", "what", "subject",
                                       "before", "after", "why", NULL };

struct wanted {
    int64_t since_s;
    struct listing *l;
    uint64_t number; /* what the cursor names: parts up to `part` are known */
    uint32_t part;
};

/* Rows' cells are kept as JSON objects, anything else as text. */
static void put_state(struct listing *l, const char *name, struct span text)
{
    if (text.len > 1 && text.at[0] == '{' && text.at[text.len - 1] == '}') {
        out_bytes(row_raw_begin(l, name), text.at, text.len);
        row_raw_end(l);
    } else {
        row_text(l, name, text);
    }
}

/* Keys of several columns end each with a zero. */
static void put_subject(struct listing *l, struct span subject)
{
    struct out *o = &l->raw;

    out_clear(o);
    if (subject.len && subject.at[subject.len - 1] == 0)
        subject.len--;
    for (size_t i = 0; i < subject.len; i++)
        out_bytes(o, subject.at[i] ? (const void *)&subject.at[i] : "/", 1);
    row_text(l, "subject", span_of(o->at, o->len));
}

static bool take(void *arg, const struct audit_record *r)
{
    struct wanted *w = (struct wanted *)arg;
    struct listing *l = w->l;
    uint8_t cursor[CURSOR_SIZE];
    struct wr wr = wr_of(cursor, sizeof cursor);

    if (r->number == w->number && r->part <= w->part)
        return true;
    if (listing_full(l))
        return false;
    wr_be64(&wr, r->number);
    wr_be32(&wr, r->part);
    if (r->at_s < w->since_s) {
        listing_pass(l, wr_span(&wr));
        return true;
    }
    row_begin(l);
    row_int(l, "number", (int64_t)r->number);
    row_time(l, "at", r->at_s);
    row_text(l, "who", r->who);
    row_text(l, "what", r->what);
    put_subject(l, r->subject);
    put_state(l, "before", r->before);
    put_state(l, "after", r->after);
    row_text(l, "why", r->why);
    row_end(l, wr_span(&wr));
    return true;
}

static void fill(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    enum err err = t.err, end;
    uint64_t from = 1;

    w->l = l;
    w->number = 0;
    if (l->cursor_len) {
        struct rd r = rd_of(span_of(l->cursor, l->cursor_len));

        w->number = rd_be64(&r);
        w->part = rd_be32(&r);
        from = w->number;
    } else if (!err && w->since_s != INT64_MIN) {
        err = ledger_act_since(&t, w->since_s, &from);
    }
    if (!err)
        err = ledger_audit(&t, from, take, w);
    end = txn_end(&t);
    if (err || end)
        listing_fail(l, err ? err : end);
    l->ended = !listing_full(l);
}

void answer_audit(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_time(q, "since", INT64_MIN, &w->since_s))
        listing_new(q, columns, fill, w, free, PAGE);
    else
        free(w);
}

/* ---- GET /v1/audit/verify ---- */

/* An act and its link that somebody noted elsewhere: "N:HEX". */
static bool ask_known(struct request *q, uint64_t *out_number, uint8_t link[AUDIT_LINK])
{
    struct span text = ask_text(q, "known"), digits = text;
    int64_t number = 0;
    size_t len = 0, at = 0;

    *out_number = 0;
    if (!text.len)
        return true;
    while (at < text.len && text.at[at] != ':')
        at++;
    digits.len = at;
    if (at < text.len && text_int(digits, &number) == ERR_OK && number > 0 &&
        hex_read(span_of(text.at + at + 1, text.len - at - 1), link, AUDIT_LINK, &len) == ERR_OK &&
        len == AUDIT_LINK) {
        *out_number = (uint64_t)number;
        return true;
    }
    problem_of(q, ERR_INVALID, "known",
               "known: found %.*s, expected an act and its link as an earlier answer told them, "
               "such as 120:9f86…",
               (int)(text.len < 80 ? text.len : 80), (const char *)text.at);
    return false;
}

static void put_verdict(struct out *o, const struct audit_verdict *v)
{
    char link[2 * AUDIT_LINK];
    struct wr w = wr_of(link, sizeof link);

    hex_write(&w, span_of(v->link, AUDIT_LINK));
    out_text(o, "{");
    out_member_bool(o, "sound", !v->fault);
    out_member_int(o, "acts", (int64_t)v->acts);
    out_member_int(o, "records", (int64_t)v->records);
    out_member_int(o, "bytes", (int64_t)v->bytes);
    out_member_int(o, "end", (int64_t)v->end);
    out_member_span(o, "link", wr_span(&w));
    if (v->fault) {
        out_member_text(o, "fault", audit_fault_name(v->fault));
        out_member_int(o, "act", (int64_t)v->number);
        out_member_text(o, "text", v->text);
    }
    out_text(o, "}\n");
}

void answer_audit_verify(struct request *q)
{
    struct app *app = q->app;
    uint8_t link[AUDIT_LINK];
    struct audit_verdict v;
    uint64_t known;
    enum err err;

    if (!ask_known(q, &known, link))
        return;
    err = ledger_audit_verify(app->ledger, known, known ? link : NULL, &app->stopping, &v);
    if (err) {
        problem_of(q, err, "", "the audit cannot be read: the store %s", err_text(err));
        return;
    }
    q->status = 200;
    put_verdict(&q->out, &v);
}
