/* What a command becomes by the things that happen to it.  Pure.
 *
 *   queued → sent → delivered    by what the server did and heard
 *   → done, failed, expired      by the meter's word, which is final; else by the server's judgement,
 *                                which the meter's word overrules, however late it comes */
#include "server/commands.h"

#include <stdio.h>

/* A request for history that the server made comes again while the gap is there: one, two and four
 * days after the last one ended, three requests in all. */
#define TRIES_MOST 3

static uint32_t comes_again(const struct command_row *row)
{
    static const uint32_t days[TRIES_MOST] = { 1, 2, 4 };

    if (!(row->flags & COMMAND_OF_ITSELF) || row->tries == 0 || row->tries >= TRIES_MOST)
        return 0;
    return row->ended_s + days[row->tries - 1] * 86400;
}

static void end(struct command_row *row, enum command_state state, uint32_t at_s, const char *why)
{
    row->state = (uint8_t)state;
    row->ended_s = at_s;
    snprintf(row->why, sizeof row->why, "%s", why ? why : "");
    row->retry_s = comes_again(row);
}

static bool sent(struct command_row *row, const struct command_event *e)
{
    bool more = e->attempts > row->attempts;

    if (command_ended((enum command_state)row->state) || (!more && row->state != COMMAND_QUEUED))
        return false;
    if (more)
        row->attempts = e->attempts;
    if (row->state == COMMAND_QUEUED)
        row->state = COMMAND_SENT;
    if (!row->sent_s) {
        row->sent_s = e->at_s;
        row->flags |= e->was_closed ? COMMAND_WAS_CLOSED : 0;
    }
    return true;
}

static bool delivered(struct command_row *row, const struct command_event *e)
{
    if (command_ended((enum command_state)row->state) || row->state == COMMAND_DELIVERED)
        return false;
    row->state = COMMAND_DELIVERED;
    row->delivered_s = e->at_s;
    if (!row->sent_s)
        row->sent_s = e->at_s;
    return true;
}

static bool outcome(struct command_row *row, const struct command_event *e)
{
    static const enum command_state states[] = { COMMAND_DONE, COMMAND_FAILED, COMMAND_FAILED,
                                                 COMMAND_EXPIRED };
    static const char *const whys[] = { "", "the meter could not do it", "the meter refused it",
                                        "the meter heard it too late" };
    bool known = e->result < sizeof states / sizeof states[0];

    /* Nobody may have done what nobody was told. */
    if (row->flags & COMMAND_BY_METER || !command_may_go(row))
        return false;
    row->flags |= COMMAND_BY_METER;
    row->result = e->result;
    if (!row->sent_s) /* a crash kept that from being written */
        row->sent_s = e->at_s;
    if (!row->delivered_s)
        row->delivered_s = e->at_s;
    end(row, known ? states[e->result] : COMMAND_FAILED, e->at_s,
        known ? whys[e->result] : "the meter gave a result that is not known");
    if (e->result == 2) /* nor would it a second time */
        row->retry_s = 0;
    return true;
}

/* What the server itself decides. */
static bool judged(struct command_row *row, enum command_state state, const struct command_event *e,
                   const char *why)
{
    end(row, state, e->at_s, why);
    return true;
}

bool command_apply(struct command_row *row, const struct command_event *e)
{
    if (e->kind == COMMAND_EVENT_OUTCOME)
        return outcome(row, e);
    if (command_ended((enum command_state)row->state))
        return false;
    switch (e->kind) {
    case COMMAND_EVENT_SENT:
        return sent(row, e);
    case COMMAND_EVENT_DELIVERED:
        return delivered(row, e);
    case COMMAND_EVENT_EXPIRED:
        return judged(row, COMMAND_EXPIRED, e, "its time was over");
    case COMMAND_EVENT_UNSPEAKABLE:
        return judged(row, COMMAND_FAILED, e, "the meter's dialect has no words for it");
    case COMMAND_EVENT_UNHEARD:
        return judged(row, COMMAND_FAILED, e, "it was sent many times, and nothing came of it");
    case COMMAND_EVENT_CANCELLED:
        return judged(row, COMMAND_FAILED, e, e->why);
    default:
        return false;
    }
}

const char *command_event_name(enum command_event_kind k)
{
    static const char *const names[] = { "command.sent",     "command.delivered", "command.outcome",
                                         "command.expired",  "command.failed",    "command.failed",
                                         "command.cancelled" };

    return (unsigned)k < sizeof names / sizeof names[0] ? names[k] : "command";
}

const char *command_state_name(enum command_state s)
{
    static const char *const names[COMMAND_STATES] = { "queued", "sent",   "delivered",
                                                       "done",   "failed", "expired" };

    return (unsigned)s < COMMAND_STATES ? names[s] : "";
}

const char *command_what_name(enum command_what w)
{
    static const char *const names[] = { "valve",      "report_every", "report_offset", "step",
                                         "base_index", "history",      "time" };

    return (unsigned)w < sizeof names / sizeof names[0] ? names[w] : "";
}
