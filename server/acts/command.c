/* POST /v1/meters/SERIAL/commands: something for a meter to do, told with the answer to its next
 * report.  Chiefs command anything; a crew, what it needs at a meter: that it opens (rules-fleet R2,
 * resume), tells its history and sets its clock.  A valve is closed by two persons. */
#include "server/acts/command.h"

#include <stdio.h>

#define HISTORY_MOST_DAYS 92 /* a meter's memory, and some */
#define DAY_S ((int64_t)86400)

/* One line a command: its word, the field of the contract's `Command` (a word for it too), and its
 * bounds where it is a number of seconds. */
static const struct kind {
    const char *word, *field;
    int64_t least, most;
    enum command_what what;
    bool by_crew;
} kinds[] = {
    { "valve", "valve_open", 0, 1, COMMAND_VALVE, true }, /* to open */
    { "report_every", "report_every_s", 60, 31 * DAY_S, COMMAND_REPORT_EVERY, false },
    { "report_offset", "report_offset_s", 0, 86399, COMMAND_REPORT_OFFSET, false },
    { "step", "step_s", 60, 86400, COMMAND_STEP, false },
    { "base_index", "base_index_l", 0, 0, COMMAND_BASE_INDEX, false },
    { "history", "history", 0, 0, COMMAND_HISTORY, true },
    { "time", "time", 0, 0, COMMAND_TIME, true },
};

struct wish {
    const struct act_request *q;
    struct act_reply *out;
    const struct kind *kind;
    struct meter_facts facts;
    struct span serial;
    char serial_text[SERIAL_MAX + 1];
    int64_t now_s;
    struct command_row row;
    struct warnings warnings;
};

/* ---- what is asked for ---- */

static bool kind_named(struct wish *w)
{
    struct span word;

    if (!answer_text(w->q, w->out, "what", true, &word))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (span_equal(word, span_text(kinds[i].word)) ||
            span_equal(word, span_text(kinds[i].field))) {
            w->kind = &kinds[i];
            w->row.what = (uint8_t)kinds[i].what;
            return true;
        }
    }
    answer_refuse(w->out, ERR_INVALID, "what",
                  "what: found %.*s, expected valve, report_every, report_offset, step, "
                  "base_index, history or time",
                  (int)(word.len < 40 ? word.len : 40), (const char *)word.at);
    return false;
}

/* The command's own member, or the one that is called as its word is. */
static const json_t *member(const struct wish *w, const char *name)
{
    const json_t *v = json_object_get(w->q->body, name);

    return v && !json_is_null(v) ? v : NULL;
}

static bool refuse_value(struct wish *w, const char *field, const json_t *v, const char *expected)
{
    char room[JSON_NUMBER_ROOM];
    struct span text = v ? json_scalar(v, room) : span_text("nothing");

    if (!text.len)
        text = span_text("something else");
    answer_refuse(w->out, ERR_INVALID, field, "%s: found %.*s, expected %s", field,
                  (int)(text.len < 40 ? text.len : 40), (const char *)text.at, expected);
    return false;
}

static const json_t *open_member(const struct wish *w)
{
    return member(w, "open") ? member(w, "open") : member(w, "valve_open");
}

static bool open_taken(struct wish *w)
{
    const json_t *v = open_member(w);

    if (!v || !json_is_boolean(v))
        return refuse_value(w, "open", v, "true or false");
    w->row.value = json_is_true(v);
    w->row.flags = json_is_true(v) ? 0 : COMMAND_TWO_PERSONS;
    return true;
}

static bool seconds_taken(struct wish *w)
{
    const json_t *v = member(w, w->kind->field);
    char expected[64];

    snprintf(expected, sizeof expected, "%lld to %lld whole seconds", (long long)w->kind->least,
             (long long)w->kind->most);
    if (!v || !json_is_integer(v) || json_integer_value(v) < w->kind->least ||
        json_integer_value(v) > w->kind->most)
        return refuse_value(w, w->kind->field, v, expected);
    w->row.value = json_integer_value(v);
    return true;
}

/* The register of a meter is never negative, and below its modulus (rules-bills B3). */
static bool base_taken(struct wish *w)
{
    const json_t *v = member(w, "base_index_l");
    char modulus[TEXT_LITRES_SIZE], expected[96];

    text_put_litres(modulus, w->facts.modulus_ml);
    snprintf(expected, sizeof expected, "whole litres from 0 to below %s", modulus);
    if (!v || !json_is_integer(v) || json_integer_value(v) < 0 ||
        json_integer_value(v) >= (w->facts.modulus_ml + 999) / 1000)
        return refuse_value(w, "base_index_l", v, expected);
    w->row.value = json_integer_value(v);
    return true;
}

/* from and to stand beside `what`, or within "history". */
static bool time_taken(struct wish *w, const char *name, int64_t *out_s)
{
    const json_t *inner = json_object_get(w->q->body, "history");
    const json_t *v = json_is_object(inner) ? json_object_get(inner, name) : member(w, name);

    if (json_is_string(v) &&
        text_time(span_of(json_string_value(v), json_string_length(v)), &w->q->app->zone, out_s) ==
            ERR_OK &&
        *out_s >= 0 && *out_s <= UINT32_MAX)
        return true;
    return refuse_value(w, name, v, "a time as 2026-03-01T02:00:00+08:00");
}

static bool span_taken(struct wish *w)
{
    if (!time_taken(w, "from", &w->row.value) || !time_taken(w, "to", &w->row.until))
        return false;
    if (w->row.value < w->row.until && w->row.until - w->row.value <= HISTORY_MOST_DAYS * DAY_S)
        return true;
    answer_refuse(w->out, ERR_INVALID, "from",
                  "from: expected a time before `to`, and at most %d days before it",
                  HISTORY_MOST_DAYS);
    return false;
}

static bool value_taken(struct wish *w)
{
    switch (w->kind->what) {
    case COMMAND_VALVE:
        return open_taken(w);
    case COMMAND_BASE_INDEX:
        return base_taken(w);
    case COMMAND_HISTORY:
        return span_taken(w);
    case COMMAND_TIME:
        return true;
    default:
        return seconds_taken(w);
    }
}

static bool expiry_taken(struct wish *w)
{
    char now[TEXT_TIME_SIZE];
    int64_t expires_s;

    if (!answer_time(w->q, w->out, "expires", w->now_s + COMMAND_EXPIRES_S, &expires_s))
        return false;
    if (expires_s > w->now_s && expires_s <= w->now_s + COMMAND_EXPIRES_MOST_S &&
        expires_s <= UINT32_MAX) {
        w->row.expires_s = (uint32_t)expires_s;
        return true;
    }
    text_put_time(now, w->now_s);
    answer_refuse(w->out, ERR_INVALID, "expires",
                  "expires: expected a time after the server's clock, %s, by at most %d days", now,
                  (int)(COMMAND_EXPIRES_MOST_S / DAY_S));
    return false;
}

/* ---- may it be asked of this meter ---- */

/* A dialect that has no words for it; where none is registered for the meter, its next report
 * tells. */
static bool can_be_said(struct wish *w, const struct ledger_row *meter)
{
    struct span name = meter->cells[CELL_METER_dialect];
    const struct dialect *d = name.len ? dialect_by_name(name) : NULL;
    const struct meter_command command = { .id = 1,
                                           .expires_s = w->row.expires_s,
                                           .what = (enum command_what)w->row.what,
                                           .value = w->row.value,
                                           .until = w->row.until,
                                           .meter = span_text("00000000000000"), /* some */
                                           .now_s = w->now_s,
                                           .zone = &w->q->app->zone };
    uint8_t bytes[COMMAND_BYTES];
    struct wr out = wr_of(bytes, sizeof bytes);

    if (!d || !d->command || d->command(&command, &out) != ERR_UNSUPPORTED)
        return true;
    answer_refuse(w->out, ERR_INVALID, "what",
                  "what: a meter of the dialect %s cannot be told this (%s)", d->name,
                  w->kind->word);
    return false;
}

static bool crew_may(struct wish *w)
{
    bool closes = w->kind->what == COMMAND_VALVE && !json_is_true(open_member(w));

    if (w->q->caller->role != ROLE_CREW || (w->kind->by_crew && !closes))
        return true;
    answer_refuse(w->out, ERR_FORBIDDEN, "", "the role crew may not command this");
    return false;
}

static bool has_room(struct wish *w)
{
    if (w->q->app->commands->live >= COMMANDS_MOST) {
        answer_refuse(w->out, ERR_LIMIT, "",
                      "%u commands wait already, which is all there is room for", COMMANDS_MOST);
        return false;
    }
    if (commands_of(w->q->app->commands, w->row.meter) < COMMANDS_PER_METER)
        return true;
    answer_refuse(w->out, ERR_CONFLICT, "",
                  "%d commands wait for this meter already: cancel one, or wait for them to end",
                  COMMANDS_PER_METER);
    return false;
}

/* In the order of rules-fleet R3. */
static bool is_possible(struct wish *w, struct txn *t)
{
    struct ledger_row meter;

    if (!command_meter(w->q, w->out, t, &meter))
        return false;
    if (meter_facts_by_id(t, meter.id, &w->facts)) {
        answer_failed(w->out, t->err ? t->err : ERR_CORRUPT);
        return false;
    }
    snprintf(w->serial_text, sizeof w->serial_text, "%s", w->facts.serial);
    w->serial = span_text(w->serial_text);
    w->row.meter = meter.id;
    return answer_members(w->q, w->out, "what", "open", "valve_open", "report_every_s",
                          "report_offset_s", "step_s", "base_index_l", "history", "from", "to",
                          "expires", NULL) &&
           kind_named(w) && crew_may(w) && value_taken(w) && expiry_taken(w) &&
           can_be_said(w, &meter) &&
           (!(w->row.flags & COMMAND_TWO_PERSONS) ||
            command_may_close(w->q, w->out, t, meter.id, &w->warnings)) &&
           has_room(w);
}

void act_post_command(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct wish w = { .q = q, .out = out, .now_s = clock_now_s(&app->clock) };
    struct act act;
    struct txn t;
    bool possible;

    if (!answer_role(q, out, ROLES_CREW))
        return;
    t = ledger_read(app->ledger);
    possible = is_possible(&w, &t);
    txn_abort(&t);
    if (!possible)
        return;
    w.row.queued_s = (uint32_t)w.now_s;
    snprintf(w.row.asked_by, sizeof w.row.asked_by, "%s", q->caller->who);
    act = act_begin(app->ledger, q->caller->who, w.now_s, journal_end(app->journal));
    act_command_new(&act, &w.row);
    command_answer(out, 201, w.serial, &w.row, &w.warnings);
    if (!answer_commit(q, out, &act))
        commands_put(app->commands, &w.row);
}

/* ---- what the acts share ---- */

bool command_meter(const struct act_request *q, struct act_reply *out, struct txn *t,
                   struct ledger_row *meter)
{
    if (q->subject.len && ledger_find(t, LIST_METER, q->subject, INT64_MAX, meter))
        return true;
    if (t->err)
        answer_failed(out, t->err);
    else
        answer_refuse(out, ERR_NOT_FOUND, "serial", "serial: nobody registered the meter %.*s",
                      (int)(q->subject.len < 64 ? q->subject.len : 64),
                      (const char *)q->subject.at);
    return false;
}

bool command_may_close(const struct act_request *q, struct act_reply *out, struct txn *t,
                       uint32_t meter, struct warnings *w)
{
    struct supplied s;
    enum err err = command_supplies(t, meter, clock_now_s(&q->app->clock), &s);

    if (err) {
        answer_failed(out, err);
        return false;
    }
    if (!s.fitted)
        warn(w, "not-fitted", "the meter is fitted nowhere: closing it cuts off nobody known");
    if (!s.never_cut)
        return true;
    answer_refuse(out, ERR_INVALID, "open",
                  "open: %s is of the use class %s, which is never cut off", s.point, s.never_cut);
    return false;
}

static void time_or_null(struct out *o, const char *name, uint32_t at_s)
{
    if (at_s)
        out_member_time(o, name, at_s);
    else
        out_member_null(o, name);
}

static void put_value(struct out *o, const struct command_row *row)
{
    switch ((enum command_what)row->what) {
    case COMMAND_VALVE:
        out_member_bool(o, "open", row->value != 0);
        break;
    case COMMAND_HISTORY:
        out_member_time(o, "from", row->value);
        out_member_time(o, "to", row->until);
        break;
    case COMMAND_TIME:
        break;
    default:
        out_member_int(o, kinds[row->what].field, row->value);
    }
}

void command_answer(struct act_reply *out, unsigned status, struct span serial,
                    const struct command_row *row, const struct warnings *w)
{
    struct out *o = &out->body;

    answer_begin(out, status);
    out_member_int(o, "id", row->id);
    out_member_span(o, "serial", serial);
    out_member_text(o, "what", command_what_name((enum command_what)row->what));
    put_value(o, row);
    out_member_text(o, "state", command_state_name((enum command_state)row->state));
    out_member_time(o, "expires", row->expires_s);
    out_member_text(o, "requested_by", row->asked_by);
    time_or_null(o, "requested_at", row->queued_s);
    out_member_bool(o, "two_persons", row->flags & COMMAND_TWO_PERSONS);
    out_member_text(o, "approved_by", row->approved_by[0] ? row->approved_by : NULL);
    time_or_null(o, "approved_at", row->approved_s);
    out_member_text(o, "reason", row->why[0] ? row->why : NULL);
    answer_end(out, w);
}
