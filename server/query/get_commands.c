/* GET /v1/meters/SERIAL/commands: what was asked of a meter, and what became of it, oldest first. */
#include "proto/base/rd.h"
#include "server/commands.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "id",
                                       "serial",
                                       "what",
                                       "open",
                                       "report_every_s",
                                       "report_offset_s",
                                       "step_s",
                                       "base_index_l",
                                       "from",
                                       "to",
                                       "state",
                                       "expires",
                                       "requested_by",
                                       "requested_at",
                                       "two_persons",
                                       "approved_by",
                                       "approved_at",
                                       "sent_at",
                                       "delivered_at",
                                       "ended_at",
                                       "attempts",
                                       "reason",
                                       NULL };

struct wanted {
    uint32_t meter;
    char serial[SERIAL_MAX + 1];
    int state; /* enum command_state; -1: any */
    int64_t now_s;
    struct listing *l;
};

static void put_time(struct listing *l, const char *name, uint32_t at_s)
{
    if (at_s)
        row_time(l, name, at_s);
    else
        row_null(l, name);
}

/* Of the members that only some commands have, that of this one. */
static void put_value(struct listing *l, const struct command_row *row)
{
    static const struct {
        const char *name;
        enum command_what what;
    } numbers[] = { { "report_every_s", COMMAND_REPORT_EVERY },
                    { "report_offset_s", COMMAND_REPORT_OFFSET },
                    { "step_s", COMMAND_STEP },
                    { "base_index_l", COMMAND_BASE_INDEX } };

    if (row->what == COMMAND_VALVE)
        row_bool(l, "open", row->value != 0);
    else
        row_absent(l, "open");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (row->what == numbers[i].what)
            row_int(l, numbers[i].name, row->value);
        else
            row_absent(l, numbers[i].name);
    }
    if (row->what == COMMAND_HISTORY) {
        row_time(l, "from", row->value);
        row_time(l, "to", row->until);
    } else {
        row_absent(l, "from");
        row_absent(l, "to");
    }
}

static void put_command(struct listing *l, const struct wanted *w, const struct command_row *row,
                        struct span cursor)
{
    row_begin(l);
    row_int(l, "id", row->id);
    row_word(l, "serial", w->serial);
    row_word(l, "what", command_what_name((enum command_what)row->what));
    put_value(l, row);
    row_word(l, "state", command_state_name((enum command_state)row->state));
    row_time(l, "expires", row->expires_s);
    row_word(l, "requested_by", row->asked_by);
    put_time(l, "requested_at", row->queued_s);
    row_bool(l, "two_persons", row->flags & COMMAND_TWO_PERSONS);
    row_word(l, "approved_by", row->approved_by[0] ? row->approved_by : NULL);
    put_time(l, "approved_at", row->approved_s);
    put_time(l, "sent_at", row->sent_s);
    put_time(l, "delivered_at", row->delivered_s);
    put_time(l, "ended_at", row->ended_s);
    row_int(l, "attempts", row->attempts);
    row_word(l, "reason", row->why[0] ? row->why : NULL);
    row_end(l, cursor);
}

static bool take(void *arg, const struct command_row *kept)
{
    struct wanted *w = (struct wanted *)arg;
    struct command_row row = *kept;
    uint8_t cursor[4];
    struct wr at = wr_of(cursor, sizeof cursor);

    if (listing_full(w->l))
        return false;
    wr_be32(&at, row.id);
    commands_overlay(w->l->app->commands, w->now_s, &row);
    if (w->state >= 0 && row.state != w->state)
        listing_pass(w->l, wr_span(&at));
    else
        put_command(w->l, w, &row, wr_span(&at));
    return true;
}

static void fill(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint64_t after;

    w->l = l;
    if (listing_number(l, 4, &after))
        listing_fail(l, ledger_commands_of(&t, w->meter, (uint32_t)after, take, w));
    txn_abort(&t);
    l->ended = !listing_full(l) && !l->err;
}

static bool ask_state(struct request *q, struct wanted *w)
{
    struct span name = ask_text(q, "state");

    w->state = -1;
    if (!name.len)
        return true;
    for (int s = 0; s < COMMAND_STATES; s++)
        if (span_equal(name, span_text(command_state_name((enum command_state)s))))
            w->state = s;
    if (w->state >= 0)
        return true;
    problem_of(q, ERR_INVALID, "state",
               "state: found %.*s, expected queued, sent, delivered, done, failed or expired",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

static bool ask_meter(struct request *q, struct wanted *w)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool named = row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row) &&
                 meter_serial(&t, row.id, w->serial);

    if (named)
        w->meter = row.id;
    txn_abort(&t);
    return named;
}

void answer_commands(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (w)
        w->now_s = clock_now_s(&q->app->clock);
    if (!w)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_meter(q, w) && ask_state(q, w))
        listing_new(q, columns, fill, w, free, PAGE);
    else
        free(w);
}
