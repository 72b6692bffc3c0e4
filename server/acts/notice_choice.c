/* POST /v1/notices/choices: what accounts want to be told.  A choice belongs to the account and not to its point, so that nobody gets the one of who lived there before. */
#include "server/acts/answer.h"

#include "server/billing/notice.h"
#include "server/notices.h"
#include "server/points.h"
#include "server/scope.h"

#include <stdio.h>

#define CHOICES_MAX 10000

struct choosing {
    const struct act_request *q;
    struct act_reply *out;
    struct scope scope;
    const json_t *choices;
    uint64_t changed;
};

static struct span text_of(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);

    return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v))
                             : span_of(NULL, 0);
}

/* "off", "usual", or kinds with commas between. */
static bool kinds_read(struct span text, uint32_t *out)
{
    enum notice_kind k;

    *out = 0;
    if (span_equal(text, span_text("off")))
        return true;
    *out = NOTICES_USUAL;
    if (span_equal(text, span_text("usual")))
        return true;
    *out = 0;
    while (text.len) {
        const uint8_t *comma = (const uint8_t *)memchr(text.at, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.at) : text.len;

        if (!notice_kind_read(span_of(text.at, len), &k))
            return false;
        *out |= 1u << k;
        len += comma != NULL;
        text = span_of(text.at + len, text.len - len);
    }
    return *out != 0;
}

static bool one_fits(struct choosing *c, size_t i, const json_t *choice)
{
    struct span account = text_of(choice, "account"), notices = text_of(choice, "notices");
    uint32_t kinds;

    if (!account.len || account.len > NOTICE_ACCOUNT_MAX || !text_is_utf8(account))
        answer_refuse(c->out, ERR_INVALID, "account",
                      "choices[%zu].account: expected 1 to %d bytes of UTF-8", i,
                      NOTICE_ACCOUNT_MAX);
    else if (json_object_size(choice) != 2 || !kinds_read(notices, &kinds))
        answer_refuse(c->out, ERR_INVALID, "notices",
                      "choices[%zu].notices: found %.*s, expected off, usual, or some of leak, "
                      "unusual-use, no-use and frost with commas between",
                      i, (int)(notices.len < 60 ? notices.len : 60),
                      notices.len ? (const char *)notices.at : "nothing");
    else
        return true;
    return false;
}

static bool facts_fit(struct choosing *c)
{
    const json_t *choice;
    size_t i;

    if (!answer_members(c->q, c->out, "choices", NULL))
        return false;
    c->choices = json_object_get(c->q->body, "choices");
    if (!json_is_array(c->choices) || !json_array_size(c->choices) ||
        json_array_size(c->choices) > CHOICES_MAX) {
        answer_refuse(c->out, ERR_INVALID, "choices",
                      "choices: expected a list of 1 to %d of {\"account\",\"notices\"}",
                      CHOICES_MAX);
        return false;
    }
    json_array_foreach((json_t *)c->choices, i, choice)
    {
        if (!one_fits(c, i, choice))
            return false;
    }
    return true;
}

/* An account is known by its points; a unit's token speaks for accounts all of whose points are its. */
static bool account_fits(struct choosing *c, struct txn *t, struct span account)
{
    struct index_walk w = points_of_account(t, account, span_of(NULL, 0));
    bool any = false, ours = true;

    while (ours && index_next(&w)) {
        struct notice_place place;

        if (notice_place(t, w.value, INT64_MAX, &place) ||
            !span_equal(span_text(place.account), account))
            continue;
        any = true;
        ours = scope_point(&c->scope, t, w.value);
    }
    index_done(&w);
    if (t->err)
        answer_failed(c->out, t->err);
    else if (!any)
        answer_refuse(c->out, ERR_NOT_FOUND, "account", "account %.*s: no point bears it",
                      (int)(account.len < 64 ? account.len : 64), (const char *)account.at);
    else if (!ours)
        answer_refuse(c->out, ERR_FORBIDDEN, "account",
                      "account %.*s: a point of it is not of the org unit %s that the token is for",
                      (int)(account.len < 64 ? account.len : 64), (const char *)account.at,
                      c->q->caller->org);
    return any && ours && !t->err;
}

static bool all_known(struct choosing *c, struct txn *t)
{
    const json_t *choice;
    size_t i;

    json_array_foreach((json_t *)c->choices, i, choice)
    {
        if (!account_fits(c, t, text_of(choice, "account")))
            return false;
    }
    return true;
}

static void put(struct choosing *c, struct act *act, const json_t *choice)
{
    struct ledger_choice known, is = { .account = text_of(choice, "account"),
                                       .who = span_text(c->q->caller->who),
                                       .at_s = act->now_s };
    struct span told = text_of(choice, "notices");

    (void)kinds_read(told, &is.kinds);
    if (ledger_notice_choice(&act->txn, is.account, &known) ? known.kinds == is.kinds
                                                            : is.kinds == NOTICES_USUAL)
        return;
    act_put_notice_choice(act, &is);
    act_note(act, "notice.choice", is.account, span_of(NULL, 0), told, span_of(NULL, 0));
    c->changed++;
}

void act_choose_notices(const struct act_request *q, struct act_reply *out)
{
    struct choosing c = { .q = q, .out = out, .scope = scope_of(q->caller->org) };
    const json_t *choice;
    struct act act;
    size_t i;

    if (!answer_role(q, out, ROLES_BILLING) || !facts_fit(&c))
        return;
    act = act_by(q);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (all_known(&c, &act.txn)) {
        json_array_foreach((json_t *)c.choices, i, choice)
        {
            put(&c, &act, choice);
        }
        answer_begin(out, 200);
        out_member_int(&out->body, "changed", (int64_t)c.changed);
        answer_end(out, NULL);
        (void)!answer_commit(q, out, &act); /* the answer tells */
    }
    act_abort(&act);
}
