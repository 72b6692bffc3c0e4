/* POST /v1/flags/ID: a person says that a flag is right, or that it is not. */
#include "server/acts/answer.h"

#include "server/notices.h"
#include "server/replacements.h"
#include "server/settler.h"

#include <stdio.h>

static bool flag_known(const struct act_request *q, struct act_reply *out)
{
    struct txn t = ledger_read(q->app->ledger);
    struct span facts;
    bool known = q->subject.len && q->subject.len < 64 && ledger_flag_born(&t, q->subject, &facts);
    enum err err = txn_end(&t);

    if (err)
        answer_failed(out, err);
    else if (!known)
        answer_refuse(out, ERR_NOT_FOUND, "id", "%.*s: there is no flag of that id",
                      (int)(q->subject.len < 64 ? q->subject.len : 64),
                      (const char *)q->subject.at);
    return !err && known;
}

static bool state_taken(const struct act_request *q, struct act_reply *out, uint8_t *out_state)
{
    struct span text;

    if (!answer_text(q, out, "state", true, &text))
        return false;
    *out_state = span_equal(text, span_text("confirmed"))   ? 1
                 : span_equal(text, span_text("dismissed")) ? 2
                                                            : 0;
    if (*out_state)
        return true;
    answer_refuse(out, ERR_INVALID, "state", "state: found %.*s, expected confirmed or dismissed",
                  (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

static bool note_taken(const struct act_request *q, struct act_reply *out, struct flag_decision *d)
{
    struct span text;

    if (!answer_text(q, out, "note", false, &text))
        return false;
    if (text.len >= sizeof d->note) {
        answer_refuse(out, ERR_INVALID, "note", "note: expected at most %zu bytes",
                      sizeof d->note - 1);
        return false;
    }
    memcpy(d->note, text.len ? (const char *)text.at : "", text.len);
    return true;
}

/* The same decision again writes nothing. */
static void decide(const struct act_request *q, struct act_reply *out,
                   const struct flag_decision *d)
{
    struct app *app = q->app;
    struct act act = act_join(app->ledger, d->who, d->at_s, journal_end(app->journal));
    uint32_t flagged = flag_meter(q->subject);
    struct flag_decision old = { 0 };
    bool same = ledger_flag_decision(&act.txn, q->subject, &old) && old.state == d->state &&
                strcmp(old.note, d->note) == 0;

    if (!same)
        act_flag_decide(&act, q->subject, d);
    if (!answer_commit(q, out, &act)) {
        if (old.state && old.state != d->state)
            settler_touch(app->settler,
                          flagged); /* what it was judged by since was another thing */
        rankings_touch(app->rankings, &flagged, flagged != 0);
        notices_touch(app, flagged);
    }
}

void act_decide_flag(const struct act_request *q, struct act_reply *out)
{
    struct flag_decision d = { .at_s = clock_now_s(&q->app->clock) };

    if (!answer_role(q, out, ROLES_CHIEF) || !flag_known(q, out) ||
        !answer_members(q, out, "state", "note", NULL) || !state_taken(q, out, &d.state) ||
        !note_taken(q, out, &d))
        return;
    snprintf(d.who, sizeof d.who, "%s", q->caller->who);
    answer_begin(out, 200);
    out_member_span(&out->body, "id", q->subject);
    out_member_text(&out->body, "state", d.state == 1 ? "confirmed" : "dismissed");
    out_member_text(&out->body, "note", d.note);
    answer_end(out, NULL);
    decide(q, out, &d);
}
