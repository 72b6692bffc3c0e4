/* POST /v1/meters/SERIAL/commands/ID/approve: the second person who lets a valve be closed.
 * POST /v1/meters/SERIAL/commands/ID/cancel: by who asked for it, or a chief. */
#include "server/acts/command.h"

#include <stdio.h>

struct decision {
    const struct act_request *q;
    struct act_reply *out;
    char serial[SERIAL_MAX + 1];
    int64_t now_s;
    struct command_row row;
    struct warnings warnings;
};

static bool id_read(struct span text, uint32_t *out)
{
    uint64_t id = 0;

    if (!text.len || text.len > 10)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        id = id * 10 + (uint64_t)(text.at[i] - '0');
    }
    *out = (uint32_t)id;
    return id > 0 && id <= UINT32_MAX;
}

static bool command_found(struct decision *d, struct txn *t)
{
    struct span id = d->q->also;
    struct ledger_row meter;
    uint32_t number;

    if (!command_meter(d->q, d->out, t, &meter))
        return false;
    snprintf(d->serial, sizeof d->serial, "%.*s", (int)d->q->subject.len,
             (const char *)d->q->subject.at);
    if (id_read(id, &number) && ledger_command(t, meter.id, number, &d->row)) {
        commands_overlay(d->q->app->commands, d->now_s, &d->row);
        return true;
    }
    if (t->err)
        answer_failed(d->out, t->err);
    else
        answer_refuse(d->out, ERR_NOT_FOUND, "id", "id: %s has no command %.*s", d->serial,
                      (int)(id.len < 20 ? id.len : 20), (const char *)id.at);
    return false;
}

static bool not_ended(struct decision *d)
{
    if (!command_ended((enum command_state)d->row.state))
        return true;
    answer_refuse(d->out, ERR_CONFLICT, "state", "the command has ended: it is %s",
                  command_state_name((enum command_state)d->row.state));
    return false;
}

static bool can_be_approved(struct decision *d, struct txn *t)
{
    if (!command_found(d, t))
        return false;
    if (strcmp(d->row.asked_by, d->q->caller->who) == 0) {
        answer_refuse(d->out, ERR_FORBIDDEN, "",
                      "%s asked for it: closing a valve needs a second person, supervisor or admin",
                      d->row.asked_by);
        return false;
    }
    if (d->row.flags & COMMAND_TWO_PERSONS &&
        !command_may_close(d->q, d->out, t, d->row.meter, &d->warnings))
        return false;
    if (!not_ended(d))
        return false;
    if (!(d->row.flags & COMMAND_TWO_PERSONS))
        answer_refuse(d->out, ERR_CONFLICT, "state", "the command needs nobody's approval");
    else if (d->row.approved_by[0])
        answer_refuse(d->out, ERR_CONFLICT, "state", "%s approved it already", d->row.approved_by);
    else
        return true;
    return false;
}

static bool can_be_cancelled(struct decision *d, struct txn *t)
{
    bool chief = ROLES_CHIEF & 1u << d->q->caller->role;

    if (!command_found(d, t))
        return false;
    if (!chief && strcmp(d->row.asked_by, d->q->caller->who) != 0) {
        answer_refuse(d->out, ERR_FORBIDDEN, "",
                      "the role %s may cancel only what it asked for itself",
                      role_name(d->q->caller->role));
        return false;
    }
    return not_ended(d);
}

/* What the ledger knows of it now, changed by `change`, in one act; others may have come between. */
static void decide(struct decision *d, const char *what, bool (*change)(struct decision *d))
{
    struct app *app = d->q->app;
    struct act act = act_begin(app->ledger, d->q->caller->who, d->now_s, journal_end(app->journal));

    if (!ledger_command(&act.txn, d->row.meter, d->row.id, &d->row) || !change(d)) {
        enum err err = act.txn.err;

        act_abort(&act);
        if (err)
            answer_failed(d->out, err);
        else if (!d->out->status)
            answer_refuse(d->out, ERR_CONFLICT, "state", "the command has changed meanwhile");
        return;
    }
    act_command_put(&act, &d->row, what, command_lives(&d->row));
    command_answer(d->out, 200, span_text(d->serial), &d->row, &d->warnings);
    if (!answer_commit(d->q, d->out, &act))
        commands_put(app->commands, &d->row);
}

static bool approve(struct decision *d)
{
    if (d->row.state != COMMAND_QUEUED || d->row.approved_by[0])
        return false;
    snprintf(d->row.approved_by, sizeof d->row.approved_by, "%s", d->q->caller->who);
    d->row.approved_s = (uint32_t)d->now_s;
    return true;
}

static bool cancel(struct decision *d)
{
    char why[COMMAND_WHY_MAX];
    const struct command_event e = { .kind = COMMAND_EVENT_CANCELLED,
                                     .at_s = (uint32_t)d->now_s,
                                     .why = why };

    snprintf(why, sizeof why, "cancelled by %s", d->q->caller->who);
    if (d->row.sent_s)
        warn(&d->warnings, "sent", "it was sent: the meter may do it all the same");
    return command_apply(&d->row, &e);
}

static void run(const struct act_request *q, struct act_reply *out, const char *what,
                bool (*possible)(struct decision *d, struct txn *t),
                bool (*change)(struct decision *d))
{
    struct decision d = { .q = q, .out = out, .now_s = clock_now_s(&q->app->clock) };
    struct txn t = ledger_read(q->app->ledger);
    bool go = possible(&d, &t);

    txn_abort(&t);
    if (go)
        decide(&d, what, change);
}

void act_approve_command(const struct act_request *q, struct act_reply *out)
{
    if (answer_role(q, out, ROLES_CHIEF))
        run(q, out, "command.approved", can_be_approved, approve);
}

void act_cancel_command(const struct act_request *q, struct act_reply *out)
{
    if (answer_role(q, out, ROLES_CREW))
        run(q, out, "command.cancelled", can_be_cancelled, cancel);
}
