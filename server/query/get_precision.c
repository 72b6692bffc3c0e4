/* GET /v1/flag-precision: how often flags proved right, with an interval, and what is proposed where a rule misses its target (server/rule_proposals.h). */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/replay.h"
#include "server/rule_proposals.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "rule",    "by",        "name",   "confirmed", "dismissed",
                                       "refused", "precision", "low",    "high",      "target",
                                       "verdict", "proposal",  "replay", NULL };

struct shown {
    int by, rule; /* −1: any */
    bool loaded;
    struct found_groups groups;
};

static void shown_done(void *state)
{
    struct shown *s = (struct shown *)state;

    found_groups_done(&s->groups);
    free(s);
}

/* The newest replay of the very figures that are proposed. */
struct seeking {
    const struct check_line *line;
    struct replay found; /* what it counts; its lists are not ours */
    bool any;
};

static bool seek(void *arg, const struct replay *r)
{
    struct seeking *s = (struct seeking *)arg;

    if (r->wish.line.rule == s->line->rule && r->wish.line.use == s->line->use &&
        r->wish.line.dn_mm == s->line->dn_mm && r->wish.line.state == s->line->state &&
        memcmp(r->wish.line.value, s->line->value, sizeof s->line->value) == 0) {
        s->found = *r;
        s->any = true;
    }
    return true;
}

static void put_replay(struct listing *l, const struct check_line *line)
{
    struct seeking s = { .line = line };
    struct out *o;

    replays_each(l->app->replays, seek, &s);
    if (!s.any) {
        row_null(l, "replay");
        return;
    }
    o = row_raw_begin(l, "replay");
    out_text(o, "{");
    out_member_int(o, "id", s.found.id);
    out_member_text(o, "state", replay_state_name(s.found.state));
    for (int c = 0; c < REPLAY_CHANGES; c++)
        out_member_int(o, replay_change_name((enum replay_change)c), (int64_t)s.found.count[c]);
    out_text(o, "}");
    row_raw_end(l);
}

static void put_share(struct listing *l, const struct found *found)
{
    struct precision p;

    if (!precision_of(found, &p)) {
        row_null(l, "precision");
        row_null(l, "low");
        row_null(l, "high");
        return;
    }
    row_litres(l, "precision", p.share);
    row_litres(l, "low", p.low);
    row_litres(l, "high", p.high);
}

static void put_proposal(struct listing *l, const struct found_group *g,
                         const struct rule_proposal *p)
{
    struct out *o;

    if (g->by != FOUND_BY_RULE || !p->proposed) {
        row_null(l, "proposal");
        row_null(l, "replay");
        return;
    }
    o = row_raw_begin(l, "proposal");
    out_text(o, "{");
    rules_put_line(o, &p->line);
    out_text(o, "}");
    row_raw_end(l);
    put_replay(l, &p->line);
}

static void put(struct listing *l, struct txn *t, const struct found_group *g, size_t place)
{
    struct rule_proposal p;
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    enum err err = rule_proposal_by(l->app, t, listed_flag(g->rule), &g->found, &p);

    if (err) {
        listing_fail(l, err);
        return;
    }
    wr_be32(&w, (uint32_t)place + 1);
    row_begin(l);
    row_word(l, "rule", detect_rule_name(g->rule));
    row_word(l, "by", found_by_name(g->by));
    row_word(l, "name", g->name[0] ? g->name : NULL);
    row_int(l, "confirmed", g->found.confirmed);
    row_int(l, "dismissed", g->found.dismissed);
    row_int(l, "refused", g->found.refused);
    put_share(l, &g->found);
    row_litres(l, "target", p.target);
    row_word(l, "verdict", precision_verdict_name(p.verdict));
    put_proposal(l, g, &p);
    row_end(l, wr_span(&w));
}

static void fill(struct listing *l)
{
    struct shown *s = (struct shown *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint64_t place;

    if (!s->loaded)
        listing_fail(l, found_groups_load(l->app, &t, &s->groups));
    s->loaded = true;
    for (listing_number(l, 4, &place); !l->err && place < s->groups.count && !listing_full(l);
         place++) {
        const struct found_group *g = &s->groups.at[place];

        if ((s->by < 0 || (int)g->by == s->by) && (s->rule < 0 || (int)g->rule == s->rule))
            put(l, &t, g, (size_t)place);
    }
    listing_fail(l, txn_end(&t));
    l->ended = !l->err && place >= s->groups.count;
}

static bool ask_by(struct request *q, struct shown *s)
{
    struct span name = ask_text(q, "by");

    s->by = -1;
    if (!name.len)
        return true;
    for (int b = 0; b < FOUND_BYS; b++)
        if (span_equal(name, span_text(found_by_name((enum found_by)b)))) {
            s->by = b;
            return true;
        }
    problem_of(q, ERR_INVALID, "by", "by: found %.*s, expected rule, model or zone",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

static bool ask_kind(struct request *q, struct shown *s)
{
    struct span name = ask_text(q, "kind");

    s->rule = name.len ? detect_rule_named(name) : -1;
    if (!name.len || s->rule >= 0)
        return true;
    problem_of(q, ERR_INVALID, "kind",
               "kind: found %.*s, expected a kind of flag such as stuck or leak",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

void answer_precision(struct request *q)
{
    struct shown *s;

    if (q->caller.org[0]) {
        problem_of(
            q, ERR_FORBIDDEN, "",
            "the org unit %s may not do this: precision is counted over the whole store, and "
            "needs a token that is for no single unit",
            q->caller.org);
        return;
    }
    s = (struct shown *)calloc(1, sizeof *s);
    if (!s)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_by(q, s) && ask_kind(q, s))
        listing_new(q, columns, fill, s, shown_done, PAGE);
    else
        shown_done(s);
}
