/* POST /v1/edits/ID/approve and …/refuse: the second person.  POST /v1/edits/ID/undo: what took two is taken back by two, which is a fact of its own. */
#include "server/acts/edit.h"
#include "server/scope.h"

#include <stdio.h>

static bool found(struct editing *e)
{
    struct scope s = scope_of(e->q->caller->org);
    struct span id = e->q->subject;
    struct txn *t = &e->act.txn;
    uint64_t number;

    if (!edit_id_read(id, &number) || !ledger_edit(t, number, &e->edit)) {
        if (t->err)
            answer_failed(e->reply, t->err);
        else
            answer_refuse(e->reply, ERR_NOT_FOUND, "id", "id: nobody asked for an edit %.*s",
                          (int)(id.len < 20 ? id.len : 20), (const char *)id.at);
        return false;
    }
    if (scope_point(&s, t, e->edit.point))
        return true;
    if (t->err)
        answer_failed(e->reply, t->err);
    else
        answer_refuse(e->reply, ERR_FORBIDDEN, "id",
                      "the role %s of the org unit %s may not do this: the point of edit %llu "
                      "belongs to another unit, or to none",
                      role_name(e->q->caller->role), e->q->caller->org, (unsigned long long)number);
    return false;
}

static bool refuse_state(struct editing *e, const char *expected)
{
    answer_refuse(e->reply, ERR_CONFLICT, "state", "edit %llu is %s, expected %s",
                  (unsigned long long)e->edit.id, edit_state_name(e->edit.state), expected);
    return false;
}

static bool somebody_else(struct editing *e)
{
    const struct edit_word *asked =
        e->edit.state == EDIT_UNDOING ? &e->edit.undo_asked : &e->edit.asked;

    if (strcmp(asked->who, e->q->caller->who) != 0)
        return true;
    answer_refuse(e->reply, ERR_FORBIDDEN, "",
                  "%s asked for it: what moves so much needs a second person", asked->who);
    return false;
}

static bool waits(struct editing *e)
{
    return edit_waits(&e->edit) || refuse_state(e, "waiting or undo-waiting");
}

/* What readings or exchanges brought since it was asked for is held against it once more. */
static bool still_holds(struct editing *e)
{
    return e->edit.state == EDIT_UNDOING || edit_can_hold(e, true);
}

/* ---- the three acts ---- */

static bool approve(struct editing *e)
{
    bool undo = e->edit.state == EDIT_UNDOING;

    if (!somebody_else(e) || !waits(e) ||
        !edit_word_taken(e, "note", false, undo ? &e->edit.undone : &e->edit.decided))
        return false;
    if (!still_holds(e))
        return false;
    e->edit.state = undo ? EDIT_UNDONE : EDIT_IN_FORCE;
    edit_warn_closed(e);
    return true;
}

/* Also by who asked for it: so a wish is withdrawn. An edit that is to be taken back stays then. */
static bool refuse_it(struct editing *e)
{
    bool undo = e->edit.state == EDIT_UNDOING;

    if (!waits(e) || !edit_word_taken(e, "note", false, undo ? &e->edit.undone : &e->edit.decided))
        return false;
    e->edit.state = undo ? EDIT_IN_FORCE : EDIT_REFUSED;
    return true;
}

static bool undo(struct editing *e)
{
    if (!edit_word_taken(e, "reason", true, &e->edit.undo_asked) ||
        (e->edit.state != EDIT_IN_FORCE && !refuse_state(e, "in-force")))
        return false;
    e->edit.state = e->edit.takes_two ? EDIT_UNDOING : EDIT_UNDONE;
    e->edit.undone = (struct edit_word){ 0 };
    if (!e->edit.takes_two)
        e->edit.undone = e->edit.undo_asked;
    edit_warn_closed(e);
    return true;
}

static void run(const struct act_request *q, struct act_reply *out, const char *what,
                const char *member, bool (*change)(struct editing *e))
{
    struct editing e = { .q = q, .reply = out };
    struct span why;

    if (!answer_role(q, out, ROLES_BILLING))
        return;
    e.act = act_by(q);
    if (e.act.txn.err) {
        answer_failed(out, e.act.txn.err);
    } else if (found(&e) && answer_members(q, out, member, NULL)) {
        const char *before = edit_state_name(e.edit.state);

        if (change(&e) && answer_text(q, out, member, false, &why))
            edit_commit(&e, 200, what, before, why);
    }
    act_abort(&e.act);
}

void act_approve_edit(const struct act_request *q, struct act_reply *out)
{
    run(q, out, "edit.approved", "note", approve);
}

void act_refuse_edit(const struct act_request *q, struct act_reply *out)
{
    run(q, out, "edit.refused", "note", refuse_it);
}

void act_undo_edit(const struct act_request *q, struct act_reply *out)
{
    run(q, out, "edit.undone", "reason", undo);
}
