/* POST /v1/hooks/HOOK/remove, …/test, …/dead/ID/retry. */
#include "server/acts/hook.h"

#include <stdio.h>

/* The act's end: what waits is looked at by the thread that sends. */
static void commit(const struct act_request *q, struct act_reply *out, struct act *act)
{
    answer_end(out, NULL);
    if (!answer_commit(q, out, act))
        hooks_changed(q->app);
}

void act_remove_hook(const struct act_request *q, struct act_reply *out)
{
    char name[HOOK_NAME_MAX + 1];
    struct ledger_hook h;
    struct span note;
    struct act act;

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    act = act_by(q);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (hook_named(q, out, &act.txn, &h) && answer_members(q, out, "note", NULL) &&
               answer_text(q, out, "note", false, &note)) {
        snprintf(name, sizeof name, "%.*s", (int)h.name.len, (const char *)h.name.at);
        act_drop_hook(&act, &h);
        act_note(&act, "hook.remove", span_text(name), span_of(NULL, 0), span_of(NULL, 0), note);
        answer_begin(out, 200);
        out_member_text(&out->body, "name", name);
        commit(q, out, &act);
    }
    act_abort(&act);
}

void act_test_hook(const struct act_request *q, struct act_reply *out)
{
    char name[HOOK_NAME_MAX + 1], id[HOOK_ID_SIZE];
    struct ledger_hook h;
    struct act act;

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    act = act_by(q);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (hook_named(q, out, &act.txn, &h) && answer_members(q, out, NULL)) {
        snprintf(name, sizeof name, "%.*s", (int)h.name.len, (const char *)h.name.at);
        if (!h.enabled) {
            answer_refuse(out, ERR_CONFLICT, "enabled",
                          "the webhook %s is not enabled: nothing is sent to it", name);
        } else {
            hook_event_id((struct hook_place){ act.number, 1 }, id); /* the only part of this act */
            act_note(&act, "hook.test", span_text(name), span_of(NULL, 0), span_of(NULL, 0),
                     span_of(NULL, 0));
            answer_begin(out, 200);
            out_member_text(&out->body, "id", id);
            out_member_text(&out->body, "kind", "test");
            commit(q, out, &act);
        }
    }
    act_abort(&act);
}

static bool dead_named(const struct act_request *q, struct act_reply *out, struct txn *t,
                       const struct ledger_hook *h, struct hook_dead *d)
{
    struct hook_place at;

    if (hook_event_place(q->also, &at) && ledger_hook_dead(t, h->id, at, d))
        return true;
    if (t->err)
        answer_failed(out, t->err);
    else
        answer_refuse(out, ERR_NOT_FOUND, "id", "%.*s: the webhook has no dead letter of that id",
                      (int)(q->also.len < 40 ? q->also.len : 40), (const char *)q->also.at);
    return false;
}

void act_retry_dead(const struct act_request *q, struct act_reply *out)
{
    char name[HOOK_NAME_MAX + 1], id[HOOK_ID_SIZE], told[64];
    struct ledger_hook h;
    struct hook_dead d;
    struct act act;

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    act = act_by(q);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (hook_named(q, out, &act.txn, &h) && dead_named(q, out, &act.txn, &h, &d) &&
               answer_members(q, out, NULL)) {
        snprintf(name, sizeof name, "%.*s", (int)h.name.len, (const char *)h.name.at);
        hook_event_id(d.at, id);
        if (!h.enabled) {
            answer_refuse(out, ERR_CONFLICT, "enabled",
                          "the webhook %s is not enabled: nothing is sent to it", name);
        } else {
            d.again = true;
            act_put_hook_dead(&act, h.id, &d);
            snprintf(told, sizeof told, "{\"id\":\"%s\"}", id);
            act_note(&act, "hook.retry", span_text(name), span_of(NULL, 0), span_text(told),
                     span_of(NULL, 0));
            answer_begin(out, 200);
            out_member_text(&out->body, "id", id);
            out_member_text(&out->body, "kind", d.kind);
            out_member_int(&out->body, "attempts", d.attempts);
            out_member_bool(&out->body, "again", true);
            commit(q, out, &act);
        }
    }
    act_abort(&act);
}
