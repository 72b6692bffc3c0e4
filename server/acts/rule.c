/* POST /v1/rules/RULE: other figures for a rule of validation, or one by which flags are raised, from a civil day on, for all meters or those of a use class and a DN. A version is a
 * row that never changes; what is closed stays as it was judged, so that no version reaches back into it; and what was raised stays as it was told, so that figures of flags begin with
 * tomorrow. */
#include "server/acts/rule.h"

#include "server/fleet/columns.h"

#include <stdio.h>

#define DN_MOST 5000
#define NOTE_MOST 500

/* ---- facts ---- */

bool rule_named(const struct act_request *q, struct act_reply *out, enum listed_rule *out_rule)
{
    int place = listed_named(q->subject);

    if (place >= 0) {
        *out_rule = (enum listed_rule)place;
        return true;
    }
    answer_refuse(out, ERR_NOT_FOUND, "rule",
                  "rule %.*s: there is none of that name; /v1/rules lists them",
                  (int)(q->subject.len < 64 ? q->subject.len : 64), (const char *)q->subject.at);
    return false;
}

bool rule_is_open(struct act_reply *out, enum listed_rule rule)
{
    const struct listed *l = listed_rule(rule);

    if (l->open)
        return true;
    answer_refuse(out, ERR_CONFLICT, "rule",
                  "rule %s: it says which readings take part (%s), and its figures are fixed; "
                  "expected a check or a kind of flag",
                  l->name, l->source);
    return false;
}

bool rule_int_taken(const struct act_request *q, struct act_reply *out, const char *name,
                    int64_t least, int64_t most, int64_t absent, int64_t *out_n)
{
    const json_t *v = json_object_get(q->body, name);
    char room[JSON_NUMBER_ROOM];
    struct span text = v ? json_scalar(v, room) : span_of(NULL, 0);
    bool absent_here = !v || json_is_null(v);

    *out_n = absent;
    if (absent_here || (!text_int(text, out_n) && *out_n >= least && *out_n <= most))
        return true;
    answer_refuse(out, ERR_INVALID, name,
                  "%s: found %.*s, expected a whole number from %lld to %lld", name,
                  (int)(text.len < 40 ? text.len : 40), text.len ? (const char *)text.at : "",
                  (long long)least, (long long)most);
    return false;
}

bool rule_date_taken(const struct act_request *q, struct act_reply *out, const char *name,
                     int64_t *out_day)
{
    struct span text;

    if (!answer_text(q, out, name, true, &text))
        return false;
    if (!text_date(text, out_day))
        return true;
    answer_refuse(out, ERR_INVALID, name, "%s: found %.*s, expected a date such as 2026-07-01",
                  name, (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

static int place_of(const struct listed *rule, const char *name)
{
    for (int i = 0; i < LINE_FIGURES && rule->parameter[i].name; i++)
        if (strcmp(rule->parameter[i].name, name) == 0)
            return i;
    return -1;
}

static void refuse_parameter(struct act_reply *out, const struct listed *rule, const char *name)
{
    char known[240] = "";

    for (int i = 0; i < LINE_FIGURES && rule->parameter[i].name; i++) {
        size_t len = strlen(known);

        snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "", rule->parameter[i].name);
    }
    answer_refuse(out, ERR_INVALID, "parameters",
                  "parameters: found %.40s, expected of the rule %s: %s", name, rule->name, known);
}

/* A decimal in thousandths, or a whole number. */
static bool figure_taken(struct act_reply *out, const struct rule_figure *p, const json_t *v,
                         int64_t *out_value)
{
    bool decimal = figure_is_decimal(p->unit);
    char room[JSON_NUMBER_ROOM];
    struct span text = json_scalar(v, room);

    if (text.len && !(decimal ? text_decimal(text, 3, out_value) : text_int(text, out_value)))
        return true;
    answer_refuse(out, ERR_INVALID, p->name, "%s: found %.*s, expected %s", p->name,
                  (int)(text.len ? text.len < 40 ? text.len : 40 : 14),
                  text.len ? (const char *)text.at : "something else",
                  decimal ? "a number of at most three decimals" : "a whole number");
    return false;
}

static bool figures_taken(const struct act_request *q, struct act_reply *out,
                          struct check_line *line)
{
    const struct listed *rule = listed_rule(line->rule);
    const json_t *given = json_object_get(q->body, "parameters");
    char expected[96];
    const char *name;
    json_t *v;

    if (given && !json_is_object(given) && !json_is_null(given)) {
        answer_refuse(out, ERR_INVALID, "parameters",
                      "parameters: expected an object such as {\"%s\":1}", rule->parameter[0].name);
        return false;
    }
    json_object_foreach((json_t *)given, name, v)
    {
        int place = place_of(rule, name);

        if (place < 0) {
            refuse_parameter(out, rule, name);
            return false;
        }
        if (!figure_taken(out, &rule->parameter[place], v, &line->value[place]))
            return false;
    }
    if (!(name = check_line_wrong(line, expected, sizeof expected)))
        return true;
    answer_refuse(out, ERR_INVALID, name, "%s: found another figure, expected %s", name, expected);
    return false;
}

static bool scope_taken(const struct act_request *q, struct act_reply *out, struct check_line *line)
{
    struct span use;
    int64_t dn;

    line->use = USE_UNKNOWN;
    if (!answer_text(q, out, "use_class", false, &use) ||
        !rule_int_taken(q, out, "dn", 1, DN_MOST, 0, &dn))
        return false;
    line->dn_mm = (int32_t)dn;
    if (!use.len || use_read(use, &line->use))
        return true;
    answer_refuse(out, ERR_INVALID, "use_class", "use_class: found %.*s, expected %s",
                  (int)(use.len < 40 ? use.len : 40), (const char *)use.at,
                  cell_expected(&list_of(LIST_POINT)->column[CELL_POINT_use_class]));
    return false;
}

static bool state_taken(const struct act_request *q, struct act_reply *out, struct check_line *line)
{
    struct span state;

    if (!answer_text(q, out, "state", false, &state))
        return false;
    if (!state.len) {
        line->state = LINE_ON;
        return true;
    }
    for (int s = LINE_OFF; s <= LINE_WITHDRAWN; s++)
        if (span_equal(state, span_text(line_state_name((enum line_state)s)))) {
            line->state = (enum line_state)s;
            return true;
        }
    answer_refuse(out, ERR_INVALID, "state", "state: found %.*s, expected on, off or withdrawn",
                  (int)(state.len < 40 ? state.len : 40), (const char *)state.at);
    return false;
}

bool rule_line_taken(const struct act_request *q, struct act_reply *out,
                     const struct check_rules *rules, struct check_line *line)
{
    const struct check_line *holds;

    if (!scope_taken(q, out, line) || !state_taken(q, out, line))
        return false;
    holds = line_for(rules, line->rule, line->from_day, line->use, line->dn_mm);
    memcpy(line->value, holds->value, sizeof line->value);
    return figures_taken(q, out, line);
}

/* ---- the act ---- */

struct setting {
    const struct act_request *q;
    struct act_reply *reply;
    struct act *act;
    struct rules_held *held;
    struct check_line_told told;
    uint32_t last; /* version so far */
};

static bool note_taken(struct setting *s)
{
    if (!answer_text(s->q, s->reply, "note", false, &s->told.note))
        return false;
    if (s->told.note.len <= NOTE_MOST)
        return true;
    answer_refuse(s->reply, ERR_INVALID, "note", "note: found %zu bytes, expected at most %d",
                  s->told.note.len, NOTE_MOST);
    return false;
}

static bool taken(struct setting *s)
{
    const struct check_rules *rules = rules_of(s->held);
    struct check_line *l = &s->told.line;
    int64_t version;

    s->last = 1;
    for (size_t i = 0; rules && i < rules->count; i++)
        if (rules->at[i].rule == l->rule && rules->at[i].version > s->last)
            s->last = rules->at[i].version;
    if (!answer_members(s->q, s->reply, "version", "parameters", "use_class", "dn", "from", "state",
                        "note", NULL) ||
        !rule_date_taken(s->q, s->reply, "from", &l->from_day) ||
        !rule_line_taken(s->q, s->reply, rules, l) ||
        !rule_int_taken(s->q, s->reply, "version", 2, INT32_MAX, (int64_t)s->last + 1, &version) ||
        !note_taken(s))
        return false;
    l->version = (uint32_t)version;
    return true;
}

/* ---- what stands against it ---- */

static bool version_is_next(struct setting *s)
{
    const struct check_line *l = &s->told.line;

    if (l->version != s->last + 1) {
        answer_refuse(s->reply, ERR_CONFLICT, "version",
                      "version: found %u, expected %u, for the newest of the rule %s is %u",
                      (unsigned)l->version, (unsigned)s->last + 1, listed_rule(l->rule)->name,
                      (unsigned)s->last);
        return false;
    }
    if (s->last < CHECK_LINES_MAX)
        return true;
    answer_refuse(s->reply, ERR_CONFLICT, "version", "version: a rule has %d versions at most",
                  CHECK_LINES_MAX);
    return false;
}

struct closed_until {
    const struct zone *zone;
    int64_t day; /* the first that no closed cycle touches */
    char cycle[CYCLE_NAME_MAX + 1];
};

static bool note_closed(void *arg, const struct ledger_cycle *c)
{
    struct closed_until *u = (struct closed_until *)arg;
    int64_t day = zone_day_number(u->zone, c->to_s - 1) + 1;

    if (c->state == CYCLE_CLOSED && day > u->day) {
        u->day = day;
        snprintf(u->cycle, sizeof u->cycle, "%s", c->name);
    }
    return true;
}

/* What readings of today were judged by is not changed behind them: they would have to be judged anew, and flags come or go that nobody expected. */
static bool begins_tomorrow(struct setting *s)
{
    int64_t today = zone_day_number(&s->q->app->zone, s->act->now_s);
    char least[11], found[11];

    if (s->told.line.from_day > today)
        return true;
    text_put_date(found, s->told.line.from_day);
    text_put_date(least, today + 1);
    answer_refuse(s->reply, ERR_CONFLICT, "from",
                  "from: found %s, expected %s or later, for readings until then are judged", found,
                  least);
    return false;
}

/* Months that are over, and cycles that are closed, stay as they were judged. */
static bool reaches_nothing_closed(struct setting *s)
{
    const struct zone *zone = &s->q->app->zone;
    struct closed_until u = { .zone = zone };
    enum err err = ERR_OK;
    int64_t month = zone_day_number(zone, zone_month_start(zone, s->act->now_s));
    char least[11], found[11];

    if (listed_rule(s->told.line.rule)->of == RULE_OF_FLAG)
        return begins_tomorrow(s);
    if ((err = ledger_cycles(&s->act->txn, span_of(NULL, 0), note_closed, &u))) {
        answer_failed(s->reply, err);
        return false;
    }
    if (s->told.line.from_day >= month && s->told.line.from_day >= u.day)
        return true;
    text_put_date(found, s->told.line.from_day);
    text_put_date(least, u.day > month ? u.day : month);
    if (u.day > month)
        answer_refuse(s->reply, ERR_CONFLICT, "from",
                      "from: found %s, expected %s or later, for the cycle %s is closed", found,
                      least, u.cycle);
    else
        answer_refuse(s->reply, ERR_CONFLICT, "from",
                      "from: found %s, expected %s or later, for months that are over stay as they "
                      "were judged",
                      found, least);
    return false;
}

/* ---- writing ---- */

static void put_line(struct act *act, struct out *o, const struct check_line *l)
{
    out_text(o, "{");
    rules_put_line(o, l);
    out_text(o, "}");
    if (o->err && !act->txn.err)
        act->txn.err = o->err;
}

static void write(struct setting *s)
{
    const struct check_line *l = &s->told.line;
    const struct listed *rule = listed_rule(l->rule);
    const struct check_line *holds =
        line_for(rules_of(s->held), l->rule, l->from_day, l->use, l->dn_mm);
    uint8_t bytes[NOTE_MOST + 256];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct out before = { 0 }, after = { 0 };

    s->told.at_s = s->act->now_s;
    s->told.who = span_text(s->q->caller->who);
    check_line_write(&w, &s->told);
    put_line(s->act, &before, holds);
    put_line(s->act, &after, l);
    if (w.err && !s->act->txn.err)
        s->act->txn.err = w.err;
    if (!s->act->txn.err)
        act_put_rule(s->act, span_text(rule->name), l->version, wr_span(&w));
    act_note(s->act, "rule.set", span_text(rule->name), span_of(before.at, before.len),
             span_of(after.at, after.len), s->told.note);
    out_done(&before);
    out_done(&after);
    answer_begin(s->reply, 201);
    rules_put_line(&s->reply->body, l);
    out_member_time(&s->reply->body, "at", s->told.at_s);
    out_member_text(&s->reply->body, "by", s->q->caller->who);
    out_member_span(&s->reply->body, "note", s->told.note);
    answer_end(s->reply, NULL);
    (void)!answer_commit(s->q, s->reply, s->act); /* the answer tells */
}

void act_set_rule(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct setting s = { .q = q, .reply = out };
    enum listed_rule rule;
    struct act act;
    enum err err;

    if (!answer_role(q, out, ROLES_CHIEF) || !rule_named(q, out, &rule) || !rule_is_open(out, rule))
        return;
    s.told.line = *line_standing(rule);
    act = act_by(q);
    s.act = &act;
    if ((err = act.txn.err) || (err = rules_take(app, &act.txn, &s.held)))
        answer_failed(out, err);
    else if (taken(&s) && version_is_next(&s) && reaches_nothing_closed(&s))
        write(&s);
    rules_give(s.held);
    act_abort(&act);
}
