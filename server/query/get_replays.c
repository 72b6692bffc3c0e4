/* Replays of rules of flags (server/replay.h): POST /v1/rules/RULE/replay begins one; GET /v1/replays, one of them, and what differs. They are of the whole store, and for tokens without a unit. */
#include "proto/base/rd.h"
#include "server/acts/rule.h"
#include "server/query/answers.h"
#include "server/query/entry.h"
#include "server/query/rows.h"
#include "server/replay.h"
#include "server/rule_proposals.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define DAYS_MOST 3660

/* ---- a replay ---- */

static void put_counts(struct out *o, const uint64_t count[REPLAY_CHANGES])
{
    for (int c = 0; c < REPLAY_CHANGES; c++)
        out_member_int(o, replay_change_name((enum replay_change)c), (int64_t)count[c]);
}

static void put_groups(struct listing *l, const char *name, const struct replay_group *groups,
                       size_t count)
{
    struct out *o = row_raw_begin(l, name);

    out_text(o, "[");
    for (size_t i = 0; i < count; i++) {
        out_text(o, i ? ",{" : "{");
        out_member_text(o, "name", groups[i].name);
        put_counts(o, groups[i].count);
        out_text(o, "}");
    }
    out_text(o, "]");
    row_raw_end(l);
}

static void put_replay(struct listing *l, const struct replay *r, bool whole)
{
    const struct replay_wish *w = &r->wish;
    struct out *o;
    uint8_t cursor[4];
    struct wr c = wr_of(cursor, sizeof cursor);

    wr_be32(&c, r->id);
    row_begin(l);
    row_int(l, "id", r->id);
    row_word(l, "rule", listed_rule(w->line.rule)->name);
    row_word(l, "state", replay_state_name(r->state));
    o = row_raw_begin(l, "line");
    out_text(o, "{");
    rules_put_line(o, &w->line);
    out_text(o, "}");
    row_raw_end(l);
    row_time(l, "from", w->from_s);
    row_word(l, "zone", w->zone[0] ? w->zone : NULL);
    row_litres(l, "share", w->share_permille);
    row_word(l, "by", w->who);
    row_time(l, "begun_at", r->begun_s);
    if (!r->ended_s)
        row_null(l, "ended_at");
    else
        row_time(l, "ended_at", r->ended_s);
    row_int(l, "meters", (int64_t)r->meters);
    row_int(l, "meters_done", (int64_t)r->meters_done);
    row_int(l, "damaged", (int64_t)r->damaged);
    for (int n = 0; n < REPLAY_CHANGES; n++)
        row_int(l, replay_change_name((enum replay_change)n), (int64_t)r->count[n]);
    row_bool(l, "more", r->more);
    if (whole) {
        put_groups(l, "zones", r->zones, r->zone_count);
        put_groups(l, "models", r->models, r->model_count);
    }
    row_end(l, wr_span(&c));
}

static const char *const columns[] = { "id",     "rule",        "state",   "line",     "from",
                                       "zone",   "share",       "by",      "begun_at", "ended_at",
                                       "meters", "meters_done", "damaged", "came",     "gone",
                                       "moved",  "same",        "more",    NULL };

struct walk {
    struct listing *l;
    uint64_t after;
    uint32_t id; /* the one that is wanted; 0: those behind `after` */
    bool found, more, whole;
};

static bool take(void *arg, const struct replay *r)
{
    struct walk *w = (struct walk *)arg;

    if (w->id ? r->id != w->id : r->id <= w->after)
        return true;
    if (!w->id && listing_full(w->l)) {
        w->more = true;
        return false;
    }
    w->found = true;
    put_replay(w->l, r, w->whole);
    return !w->id;
}

static void fill(struct listing *l)
{
    struct walk w = { .l = l };

    if (listing_number(l, 4, &w.after))
        replays_each(l->app->replays, take, &w);
    l->ended = !w.more && !l->err;
}

/* False: 403 stands. */
static bool is_for_all(struct request *q)
{
    if (!q->caller.org[0])
        return true;
    problem_of(q, ERR_FORBIDDEN, "",
               "the org unit %s may not do this: a replay is of the whole store, and needs a token "
               "that is for no single unit",
               q->caller.org);
    return false;
}

void answer_replays(struct request *q)
{
    if (is_for_all(q))
        listing_new(q, columns, fill, NULL, NULL, PAGE);
}

static void answer_one(struct request *q, uint32_t id)
{
    struct listing alone;
    struct walk w = { .l = &alone, .id = id, .whole = true };

    row_alone_begin(&alone, q);
    replays_each(q->app->replays, take, &w);
    if (w.found) {
        row_alone_end(&alone);
        return;
    }
    out_done(&alone.out);
    out_done(&alone.raw);
    problem_of(q, ERR_NOT_FOUND, "id", "id %u: there is no such replay; the last %d are kept",
               (unsigned)id, REPLAYS_KEPT);
}

/* The replay that the path names; 0: none can be of that name. */
static uint32_t id_asked(const struct request *q)
{
    int64_t id = 0;

    return text_int(q->subject[0], &id) || id < 0 || id > UINT32_MAX ? 0 : (uint32_t)id;
}

void answer_replay(struct request *q)
{
    uint32_t id = id_asked(q);

    if (!is_for_all(q))
        return;
    answer_one(q, id ? id : UINT32_MAX);
}

/* ---- what differs ---- */

static const char *const difference_columns[] = { "change",
                                                  "flag",
                                                  "kind",
                                                  "serial",
                                                  "point",
                                                  "onset",
                                                  "onset_then",
                                                  "raised",
                                                  "raised_then",
                                                  "ended_at",
                                                  "ended_at_then",
                                                  "lost_lpd",
                                                  "lost_lpd_then",
                                                  "confidence",
                                                  "confidence_then",
                                                  NULL };

#define ROWS_AT_ONCE 256
struct differing {
    uint32_t id;
    uint64_t after;
    bool found, more;
    size_t count;
    const char *kind;
    struct replay_row rows[ROWS_AT_ONCE]; /* copied: serials are looked up without the lock */
};

static bool copy_rows(void *arg, const struct replay *r)
{
    struct differing *d = (struct differing *)arg;

    if (r->id != d->id)
        return true;
    d->found = true;
    d->kind = listed_rule(r->wish.line.rule)->name;
    while (d->count < ROWS_AT_ONCE && d->after + d->count < r->row_count) {
        d->rows[d->count] = r->rows[d->after + d->count];
        d->count++;
    }
    d->more = d->after + d->count < r->row_count;
    return false;
}

static void put_time(struct listing *l, const char *name, bool there, int64_t at_s)
{
    if (there && at_s)
        row_time(l, name, at_s);
    else
        row_null(l, name);
}

static void put_number(struct listing *l, const char *name, bool there, int64_t value)
{
    if (there)
        row_litres(l, name, value);
    else
        row_null(l, name);
}

static void put_difference(struct listing *l, struct txn *t, const struct differing *d,
                           const struct replay_row *r, uint64_t place)
{
    bool now = r->change != REPLAY_CAME, then = r->change != REPLAY_GONE;
    char serial[SERIAL_MAX + 1] = "", point[64] = "";
    uint8_t cursor[8];
    struct wr w = wr_of(cursor, sizeof cursor);

    wr_be64(&w, place + 1);
    row_begin(l);
    row_word(l, "change", replay_change_name(r->change));
    row_word(l, "flag", r->id[0] ? r->id : NULL);
    row_word(l, "kind", d->kind);
    row_word(l, "serial", meter_serial(t, r->meter, serial) ? serial : NULL);
    row_word(l, "point", point_name(t, r->point, point) ? point : NULL);
    put_time(l, "onset", now, r->now.onset_s);
    put_time(l, "onset_then", then, r->then.onset_s);
    put_time(l, "raised", now, r->now.raised_s);
    put_time(l, "raised_then", then, r->then.raised_s);
    put_time(l, "ended_at", now, r->now.cleared_s);
    put_time(l, "ended_at_then", then, r->then.cleared_s);
    put_number(l, "lost_lpd", now, r->now.lost_mlpd);
    put_number(l, "lost_lpd_then", then, r->then.lost_mlpd);
    put_number(l, "confidence", now, 10 * (int64_t)r->now.confidence_pct);
    put_number(l, "confidence_then", then, 10 * (int64_t)r->then.confidence_pct);
    row_end(l, wr_span(&w));
}

static void fill_differences(struct listing *l)
{
    struct differing *d = (struct differing *)l->state;
    struct txn t;
    size_t i;

    d->count = 0;
    d->found = d->more = false;
    if (!listing_number(l, 8, &d->after))
        return;
    replays_each(l->app->replays, copy_rows, d);
    t = ledger_read(l->app->ledger);
    for (i = 0; i < d->count && !listing_full(l) && !l->err; i++)
        put_difference(l, &t, d, &d->rows[i], d->after + i);
    listing_fail(l, txn_end(&t));
    l->ended = i == d->count && !d->more && !l->err;
}

void answer_replay_flags(struct request *q)
{
    struct differing *d;

    if (!is_for_all(q))
        return;
    if (!(d = (struct differing *)calloc(1, sizeof *d))) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    d->id = id_asked(q);
    replays_each(q->app->replays, copy_rows, d);
    if (d->found) {
        listing_new(q, difference_columns, fill_differences, d, free, PAGE);
        return;
    }
    free(d);
    problem_of(q, ERR_NOT_FOUND, "id", "id %.*s: there is no such replay",
               (int)(q->subject[0].len < 40 ? q->subject[0].len : 40),
               (const char *)q->subject[0].at);
}

/* ---- beginning, and stopping ---- */

struct asking {
    struct request *q;
    struct act_request ask;
    struct act_reply reply;
    struct txn txn;
    struct replay_wish wish;
};

static bool zone_taken(struct asking *a)
{
    struct span zone;
    struct ledger_row row;

    if (!answer_text(&a->ask, &a->reply, "zone", false, &zone))
        return false;
    if (!zone.len)
        return true;
    if (zone.len < REPLAY_NAME && ledger_find(&a->txn, LIST_ZONE, zone, INT64_MAX, &row)) {
        memcpy(a->wish.zone, zone.at, zone.len);
        return true;
    }
    answer_refuse(&a->reply, ERR_NOT_FOUND, "zone", "zone: nobody registered %.*s",
                  (int)(zone.len < 64 ? zone.len : 64), (const char *)zone.at);
    return false;
}

/* The figures that are proposed for the rule where it misses its target. */
static bool proposed(struct asking *a, struct check_line *line)
{
    struct rule_proposal p;
    enum err err = rule_proposal_of(a->q->app, &a->txn, line->rule, &p);

    if (err) {
        answer_failed(&a->reply, err);
        return false;
    }
    if (p.proposed) {
        *line = p.line;
        return true;
    }
    answer_refuse(&a->reply, ERR_CONFLICT, "proposal",
                  "proposal: nothing is proposed for the rule %s: it meets its target, or too "
                  "little is known of it",
                  listed_rule(line->rule)->name);
    return false;
}

static bool line_taken(struct asking *a, enum listed_rule rule)
{
    const json_t *as_proposed = json_object_get(a->ask.body, "proposal");
    int64_t today = zone_day_number(&a->q->app->zone, clock_now_s(&a->q->app->clock));
    struct check_line *line = &a->wish.line;
    struct rules_held *held;
    enum err err;
    bool fine;

    *line = *line_standing(rule);
    line->from_day = today + 1;
    if (json_is_true(as_proposed))
        return proposed(a, line);
    if ((err = rules_take(a->q->app, &a->txn, &held))) {
        answer_failed(&a->reply, err);
        return false;
    }
    fine = rule_line_taken(&a->ask, &a->reply, rules_of(held), line);
    rules_give(held);
    return fine;
}

static bool is_of_flags(struct asking *a, enum listed_rule rule)
{
    if (listed_rule(rule)->of == RULE_OF_FLAG && rule != listed_flag(DETECT_OUTAGE) &&
        detector_named(span_text(listed_rule(rule)->name)))
        return true;
    answer_refuse(&a->reply, ERR_CONFLICT, "rule",
                  listed_rule(rule)->of == RULE_OF_FLAG
                      ? "rule %s: there are no such flags of meters"
                      : "rule %s: it judges no flags, so that it cannot be replayed; checks have a "
                        "trial",
                  listed_rule(rule)->name);
    return false;
}

static bool wish_taken(struct asking *a)
{
    struct app *app = a->q->app;
    int64_t now_s = clock_now_s(&app->clock), days, share;
    enum listed_rule rule;

    if (!rule_named(&a->ask, &a->reply, &rule) ||
        !answer_members(&a->ask, &a->reply, "parameters", "use_class", "dn", "state", "days",
                        "zone", "share", "proposal", NULL) ||
        !rule_int_taken(&a->ask, &a->reply, "days", 1, DAYS_MOST, 365, &days) ||
        !rule_int_taken(&a->ask, &a->reply, "share", 1, 1000, 1000, &share) || !zone_taken(a) ||
        !is_of_flags(a, rule) || !line_taken(a, rule))
        return false;
    a->wish.from_s = now_s - days * 86400;
    a->wish.share_permille = (unsigned)share;
    a->wish.line.from_day = zone_day_number(&app->zone, a->wish.from_s);
    a->wish.line.version = 0;
    snprintf(a->wish.who, sizeof a->wish.who, "%s", a->q->caller.who);
    return true;
}

static bool begun(struct asking *a, uint32_t *out_id)
{
    enum err err = replay_start(a->q->app->replays, &a->wish, out_id);

    if (err == ERR_CONFLICT)
        answer_refuse(&a->reply, err, "rule",
                      "rule: the replay %u runs, and there is one at a time; wait for it, or stop "
                      "it by POST /v1/replays/%u/stop",
                      (unsigned)*out_id, (unsigned)*out_id);
    else if (err)
        answer_failed(&a->reply, err);
    return !err;
}

void answer_start_replay(struct request *q)
{
    struct asking a = { .q = q };
    json_t *body;
    uint32_t id = 0;
    bool fine;

    if (!is_for_all(q) || !(body = entry_body(q)))
        return;
    a.ask = (struct act_request){
        .app = q->app, .caller = &q->caller, .subject = q->subject[0], .body = body
    };
    a.txn = ledger_read(q->app->ledger);
    fine = wish_taken(&a);
    txn_abort(&a.txn);
    fine = fine && begun(&a, &id);
    json_decref(body);
    if (fine)
        answer_one(q, id);
    else
        problem_detail(q, a.reply.status, &a.reply.refusal, a.reply.detail);
    out_done(&a.reply.body);
}

void answer_stop_replay(struct request *q)
{
    uint32_t id = id_asked(q);
    json_t *body;

    if (!is_for_all(q) || !(body = entry_body(q)))
        return;
    json_decref(body);
    if (id && replay_stop(q->app->replays, id))
        answer_one(q, id);
    else
        problem_of(q, ERR_NOT_FOUND, "id", "id %.*s: no such replay runs",
                   (int)(q->subject[0].len < 40 ? q->subject[0].len : 40),
                   (const char *)q->subject[0].at);
}
