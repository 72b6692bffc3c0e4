/* Seals: numbers that are registered singly or as a range, issued to crews, used at meters, broken or returned.
 *
 *   free ── issue ──▶ issued (a crew has it) ── an event names it ──▶ used ── break ──▶ broken
 *     ◀── return ──── */
#include "server/acts/asset.h"
#include "server/acts/event_priv.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define RANGE_MAX 10000 /* seals of one request: two boxes, and a second of the writer's time */
#define NAME_ROOM 64

/* ---- ranges ---- */

struct range {
    struct span prefix;
    unsigned width;
    uint64_t from, to; /* both included */
};

static struct span digits_at_end(struct span name)
{
    size_t n = 0;

    while (n < name.len && n < 18 && name.at[name.len - 1 - n] >= '0' &&
           name.at[name.len - 1 - n] <= '9')
        n++;
    return span_of(name.at + name.len - n, n);
}

static uint64_t number_of(struct span digits)
{
    uint64_t n = 0;

    for (size_t i = 0; i < digits.len; i++)
        n = n * 10 + (uint64_t)(digits.at[i] - '0');
    return n;
}

static bool range_read(struct span from, struct span to, struct range *out)
{
    struct span low = digits_at_end(from), high = digits_at_end(to);
    struct span prefix = span_of(from.at, from.len - low.len);

    if (!low.len || from.len != to.len || low.len != high.len || from.len >= NAME_ROOM ||
        !span_equal(prefix, span_of(to.at, to.len - high.len)))
        return false;
    *out = (struct range){ prefix, (unsigned)low.len, number_of(low), number_of(high) };
    return out->from <= out->to && out->to - out->from < RANGE_MAX;
}

static struct span range_name(const struct range *r, uint64_t n, char room[NAME_ROOM])
{
    int len = snprintf(room, NAME_ROOM, "%.*s%0*llu", (int)r->prefix.len,
                       (const char *)r->prefix.at, (int)r->width, (unsigned long long)n);

    return span_of(room, (size_t)len);
}

/* ---- acts on seals ---- */

enum deed { DEED_REGISTER, DEED_ISSUE, DEED_RETURN, DEED_BREAK };

struct sealing {
    const struct act_request *q;
    struct act_reply *out;
    struct act *act;
    enum deed deed;
    struct refusal wrong;
    struct span kind, crew, document, note, first, last;
    struct range range;
    uint64_t changed, same;
};

static const char *const deed_names[] = { "seals.register", "seals.issue", "seals.return",
                                          "seals.break" };

static void need(struct life_body *b, const char *name, struct span is, const char *expected)
{
    if (!is.len)
        body_wrong(b, name, expected);
}

static void read_body(struct sealing *s)
{
    struct life_body b = life_body_of(s->q, &s->wrong);
    struct span seal;

    body_text(&b, "seal", &seal);
    body_text(&b, "from", &s->first);
    body_text(&b, "to", &s->last);
    body_text(&b, "kind", &s->kind);
    body_text(&b, "crew", &s->crew);
    body_text(&b, "document", &s->document);
    body_text(&b, "note", &s->note);
    body_others(&b, "seal", "from", "to", "kind", NULL);
    if (seal.len)
        s->first = s->last = seal;
    need(&b, "from", s->first, "the first seal of a range, or `seal`");
    need(&b, "to", s->last, "the last seal of the range");
    if (s->deed == DEED_ISSUE)
        need(&b, "crew", s->crew, "the crew that gets them");
    if (s->deed == DEED_BREAK)
        need(&b, "note", s->note, "why");
    if (s->first.len && s->last.len && !range_read(s->first, s->last, &s->range)) {
        if (seal.len)
            s->range = (struct range){ .prefix = seal }; /* a name without a number */
        else
            body_wrong(&b, "to",
                       "a name that differs from `from` in its last digits alone, at most 10000 "
                       "seals on");
    }
}

static bool refuse_seal(struct sealing *s, struct span name, const char *found,
                        const char *expected)
{
    answer_refuse(s->out, ERR_CONFLICT, "seal", "seal: %.*s is %s, expected %s", (int)name.len,
                  (const char *)name.at, found, expected);
    return false;
}

static void change(struct sealing *s, struct row_copy *row, enum seal_state to, struct span crew)
{
    seal_indexed(s->act, &row->cells, row->id, false);
    row->cells.at[CELL_SEAL_state] = span_text(seal_state_name(to));
    row->cells.at[CELL_SEAL_crew] = crew;
    seal_put(s->act, row);
    s->changed++;
}

static bool add(struct sealing *s, struct span name)
{
    struct cells cells = { 0 };
    uint32_t id = 0;

    cells.at[CELL_SEAL_seal] = name;
    cells.at[CELL_SEAL_kind] = s->kind;
    cells.at[CELL_SEAL_crew] = s->crew;
    cells.at[CELL_SEAL_state] = span_text(seal_state_name(s->crew.len ? SEAL_ISSUED : SEAL_FREE));
    act_put_row(s->act, LIST_SEAL, name, LEDGER_ALWAYS, cells.at, list_of(LIST_SEAL)->columns, &id,
                NULL);
    seal_indexed(s->act, &cells, id, true);
    s->changed++;
    return true;
}

static bool issue(struct sealing *s, struct span name, struct row_copy *row)
{
    enum seal_state state = seal_state_of(&row->cells);
    char found[96];

    if (state == SEAL_ISSUED && span_equal(row->cells.at[CELL_SEAL_crew], s->crew)) {
        s->same++;
        return true;
    }
    if (state == SEAL_FREE) {
        change(s, row, SEAL_ISSUED, s->crew);
        return true;
    }
    snprintf(found, sizeof found, "%s%s%.*s", seal_state_name(state),
             state == SEAL_ISSUED ? " to " : "",
             state == SEAL_ISSUED ? (int)row->cells.at[CELL_SEAL_crew].len : 0,
             (const char *)row->cells.at[CELL_SEAL_crew].at);
    return refuse_seal(s, name, found, "a free one");
}

static bool give_back(struct sealing *s, struct span name, struct row_copy *row)
{
    enum seal_state state = seal_state_of(&row->cells);

    if (state == SEAL_FREE) {
        s->same++;
        return true;
    }
    if (state != SEAL_ISSUED)
        return refuse_seal(s, name, seal_state_name(state), "an issued one");
    change(s, row, SEAL_FREE, span_of(NULL, 0));
    return true;
}

static bool break_one(struct sealing *s, struct row_copy *row)
{
    if (seal_state_of(&row->cells) == SEAL_BROKEN)
        s->same++;
    else
        change(s, row, SEAL_BROKEN, row->cells.at[CELL_SEAL_crew]);
    return true;
}

static bool one(struct sealing *s, struct span name)
{
    struct row_copy row;
    bool known = row_find(&s->act->txn, LIST_SEAL, name, &row);

    if (s->act->txn.err) {
        answer_failed(s->out, s->act->txn.err);
        return false;
    }
    if (s->deed == DEED_REGISTER) {
        s->same += known;
        return known || add(s, name);
    }
    if (!known) {
        answer_refuse(s->out, ERR_NOT_FOUND, "seal", "seal %.*s: nobody registered it",
                      (int)name.len, (const char *)name.at);
        return false;
    }
    if (s->deed == DEED_ISSUE)
        return issue(s, name, &row);
    return s->deed == DEED_RETURN ? give_back(s, name, &row) : break_one(s, &row);
}

static bool each_of_range(struct sealing *s)
{
    char room[NAME_ROOM];

    if (!s->range.width)
        return one(s, s->range.prefix);
    for (uint64_t n = s->range.from; n <= s->range.to; n++) {
        if (!one(s, range_name(&s->range, n, room)))
            return false;
    }
    return true;
}

/* Of a range the body names but the ends: all of it must be the unit's, or nobody's. */
static bool range_is_his(struct sealing *s)
{
    struct scope scope = scope_of(s->q->caller->org);
    char room[NAME_ROOM];

    for (uint64_t n = s->range.from; scope.org[0] && s->range.width && n <= s->range.to; n++) {
        struct span name = range_name(&s->range, n, room);

        if (scope_may_take(&scope, &s->act->txn, LIST_SEAL, name))
            continue;
        answer_refuse(s->out, ERR_FORBIDDEN, "seal",
                      "the role %s of the org unit %s may not do this: seal %.*s belongs to "
                      "another unit, or to none",
                      role_name(s->q->caller->role), s->q->caller->org, (int)name.len,
                      (const char *)name.at);
        return false;
    }
    return true;
}

static bool crew_exists(struct sealing *s)
{
    struct ledger_row row;

    if (!s->crew.len || ledger_find(&s->act->txn, LIST_CREW, s->crew, INT64_MAX, &row))
        return true;
    if (s->act->txn.err)
        answer_failed(s->out, s->act->txn.err);
    else
        answer_refuse(s->out, ERR_NOT_FOUND, "crew", "crew %.*s: nobody registered it",
                      (int)(s->crew.len < 64 ? s->crew.len : 64), (const char *)s->crew.at);
    return false;
}

static void note(struct sealing *s)
{
    struct out told = { 0 };

    out_text(&told, "{");
    out_member_span(&told, "from", s->first);
    out_member_span(&told, "to", s->last);
    out_member_span(&told, "crew", s->crew);
    out_member_span(&told, "document", s->document);
    out_member_int(&told, "seals", (int64_t)s->changed);
    out_text(&told, "}");
    act_note(s->act, deed_names[s->deed], s->first, span_of(NULL, 0), span_of(told.at, told.len),
             s->note);
    out_done(&told);
}

static void carry_out(struct sealing *s)
{
    if (s->act->txn.err) {
        answer_failed(s->out, s->act->txn.err);
        return;
    }
    if (!range_is_his(s) || !crew_exists(s))
        return;
    if (s->wrong.err) {
        answer_refuse(s->out, ERR_INVALID, s->wrong.field, "%s", s->wrong.text);
        return;
    }
    if (!each_of_range(s))
        return;
    if (s->changed)
        note(s);
    answer_begin(s->out, s->changed && s->deed == DEED_REGISTER ? 201 : 200);
    out_member_int(&s->out->body, "changed", (int64_t)s->changed);
    out_member_int(&s->out->body, "unchanged", (int64_t)s->same);
    answer_end(s->out, NULL);
    (void)!answer_commit(s->q, s->out, s->act); /* the answer tells */
}

static void seal_act(const struct act_request *q, struct act_reply *out, enum deed deed,
                     unsigned roles)
{
    struct app *app = q->app;
    struct sealing s = { .q = q, .out = out, .deed = deed };
    struct act act;

    if (!answer_role(q, out, roles))
        return;
    read_body(&s);
    act =
        act_join(app->ledger, q->caller->who, clock_now_s(&app->clock), journal_end(app->journal));
    act.words = &register_words;
    act.quiet_new = act.quiet_known = true; /* one record tells of all */
    s.act = &act;
    carry_out(&s);
    answer_abort(out, &act);
}

/* One row as of any list, or a range of numbers. */
void act_post_seals(const struct act_request *q, struct act_reply *out)
{
    if (json_object_get(q->body, "from"))
        seal_act(q, out, DEED_REGISTER, ROLES_STORE);
    else
        act_post_row(q, out, LIST_SEAL);
}

void act_issue_seals(const struct act_request *q, struct act_reply *out)
{
    seal_act(q, out, DEED_ISSUE, ROLES_STORE);
}

void act_return_seals(const struct act_request *q, struct act_reply *out)
{
    seal_act(q, out, DEED_RETURN, ROLES_STORE);
}

void act_break_seals(const struct act_request *q, struct act_reply *out)
{
    seal_act(q, out, DEED_BREAK, ROLES_FIELD);
}
