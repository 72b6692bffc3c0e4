/* POST /v1/cycles: opens a billing cycle over a span and a set of routes (rules-bills F1). */
#include "server/acts/cycle.h"
#include "server/fleet/columns.h"

#include <stdio.h>
#include <stdlib.h>

#define SPAN_MOST_S (400ll * 86400) /* a year, and some days to make it up with */
#define ROUTES_MOST 65536

struct opening {
    const struct act_request *q;
    struct act_reply *reply;
    struct ledger_cycle cycle;
    struct out routes; /* texts, each ended by 0x00 */
};

/* ---- facts ---- */

static bool name_taken(struct opening *o)
{
    struct span name;

    if (!answer_text(o->q, o->reply, "cycle", true, &name))
        return false;
    if (name.len <= CYCLE_NAME_MAX && !memchr(name.at, '\n', name.len) &&
        !memchr(name.at, '\t', name.len)) {
        memcpy(o->cycle.name, name.at, name.len);
        return true;
    }
    answer_refuse(o->reply, ERR_INVALID, "cycle",
                  "cycle: found %zu bytes, expected a name of 1 to %d in one line", name.len,
                  CYCLE_NAME_MAX);
    return false;
}

static bool time_taken(struct opening *o, const char *name, int64_t *out_s)
{
    if (!answer_time(o->q, o->reply, name, INT64_MIN, out_s))
        return false;
    if (*out_s >= 0 && *out_s <= UINT32_MAX)
        return true;
    answer_refuse(o->reply, ERR_INVALID, name, "%s: found %s, expected a time from 1970 to 2106",
                  name, *out_s == INT64_MIN ? "nothing" : "another time");
    return false;
}

static bool span_taken(struct opening *o)
{
    struct ledger_cycle *c = &o->cycle;

    if (!time_taken(o, "from", &c->from_s) || !time_taken(o, "to", &c->to_s))
        return false;
    if (c->from_s < c->to_s && c->to_s - c->from_s <= SPAN_MOST_S)
        return true;
    answer_refuse(
        o->reply, ERR_INVALID, "to",
        "to: found an instant %lld s after from, expected one after it by at most 400 days",
        (long long)(c->to_s - c->from_s));
    return false;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool refuse_routes(struct opening *o, const char *found)
{
    answer_refuse(o->reply, ERR_INVALID, "routes",
                  "routes: found %.80s, expected a list of 1 to %d names of routes, each once",
                  found, ROUTES_MOST);
    return false;
}

/* In order of name, so that the same facts are the same bytes. */
static bool routes_sorted(struct opening *o, const char **names, size_t count)
{
    qsort(names, count, sizeof *names, by_text);
    for (size_t i = 0; i < count; i++) {
        if (i && strcmp(names[i - 1], names[i]) == 0)
            return refuse_routes(o, names[i]);
        out_bytes(&o->routes, names[i], strlen(names[i]) + 1);
    }
    if (o->routes.err) {
        answer_failed(o->reply, o->routes.err);
        return false;
    }
    o->cycle.routes = span_of(o->routes.at, o->routes.len);
    return true;
}

static bool routes_taken(struct opening *o)
{
    const json_t *routes = json_object_get(o->q->body, "routes");
    size_t count = json_array_size(routes), i;
    const char **names;
    bool fine = true;

    if (!count || count > ROUTES_MOST)
        return refuse_routes(o, count ? "more" : "none");
    if (!(names = (const char **)calloc(count, sizeof *names))) {
        answer_failed(o->reply, ERR_NO_MEMORY);
        return false;
    }
    for (i = 0; i < count && fine; i++) {
        const json_t *one = json_array_get(routes, i);

        names[i] = json_string_value(one);
        if (!names[i] || !*names[i] || json_string_length(one) != strlen(names[i]) ||
            json_string_length(one) > LIMIT_TEXT)
            fine = refuse_routes(o, names[i] && *names[i] ? "a name that is too long"
                                                          : "something that is no name");
    }
    fine = fine && routes_sorted(o, names, count);
    free(names);
    return fine;
}

/* ---- what stands against it ---- */

static bool routes_exist(struct opening *o, struct txn *t)
{
    struct span routes = o->cycle.routes, route;
    struct ledger_row row;

    while (cycle_route_next(&routes, &route)) {
        if (ledger_find(t, LIST_ROUTE, route, INT64_MAX, &row))
            continue;
        if (t->err)
            answer_failed(o->reply, t->err);
        else
            answer_refuse(o->reply, ERR_NOT_FOUND, "routes",
                          "routes: nobody registered the route %.*s",
                          (int)(route.len < 64 ? route.len : 64), (const char *)route.at);
        return false;
    }
    return true;
}

struct overlap {
    struct opening *o;
    bool found;
};

/* Both lists are in order of name. */
static bool shared_route(struct span a, struct span b, struct span *out)
{
    struct span x, y;
    bool more = cycle_route_next(&a, &x) && cycle_route_next(&b, &y);

    while (more) {
        int order = strcmp((const char *)x.at, (const char *)y.at);

        if (order == 0) {
            *out = x;
            return true;
        }
        more = order < 0 ? cycle_route_next(&a, &x) : cycle_route_next(&b, &y);
    }
    return false;
}

static bool look_for_overlap(void *arg, const struct ledger_cycle *c)
{
    struct overlap *w = (struct overlap *)arg;
    const struct ledger_cycle *mine = &w->o->cycle;
    struct span route;
    char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE];

    if (c->to_s <= mine->from_s || mine->to_s <= c->from_s ||
        !shared_route(c->routes, mine->routes, &route))
        return true;
    text_put_time(from, c->from_s);
    text_put_time(to, c->to_s);
    answer_refuse(
        w->o->reply, ERR_CONFLICT, "routes",
        "routes: the route %.*s is in the cycle %s from %s to %s, which overlaps; expected a span "
        "beside it",
        (int)(route.len < 64 ? route.len : 64), (const char *)route.at, c->name, from, to);
    w->found = true;
    return false;
}

static bool same_facts(const struct ledger_cycle *a, const struct ledger_cycle *b)
{
    return a->from_s == b->from_s && a->to_s == b->to_s && span_equal(a->routes, b->routes);
}

/* False: refused, or it is there already and the answer says so. */
static bool is_new(struct opening *o, struct txn *t)
{
    struct overlap w = { .o = o };
    struct ledger_cycle known;
    char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE];
    enum err err;

    if (ledger_cycle(t, span_text(o->cycle.name), &known)) {
        if (same_facts(&known, &o->cycle)) {
            cycle_answer(o->reply, 200, &known, NULL);
            return false;
        }
        text_put_time(from, known.from_s);
        text_put_time(to, known.to_s);
        answer_refuse(o->reply, ERR_CONFLICT, "cycle",
                      "cycle: %s was opened from %s to %s over other facts; expected another name",
                      known.name, from, to);
        return false;
    }
    if ((err = t->err) || (err = ledger_cycles(t, span_of(NULL, 0), look_for_overlap, &w))) {
        answer_failed(o->reply, err);
        return false;
    }
    return !w.found;
}

/* ---- the act ---- */

static void note(const struct opening *o, struct act *act)
{
    struct span routes = o->cycle.routes, route;
    struct out told = { 0 };
    size_t count = 0;

    while (cycle_route_next(&routes, &route))
        count++;
    out_text(&told, "{");
    out_member_time(&told, "from", o->cycle.from_s);
    out_member_time(&told, "to", o->cycle.to_s);
    out_member_int(&told, "routes", (int64_t)count);
    out_text(&told, "}");
    if (told.err && !act->txn.err)
        act->txn.err = told.err;
    act_note(act, "cycle.open", span_text(o->cycle.name), span_of(NULL, 0),
             span_of(told.at, told.len), span_of(NULL, 0));
    out_done(&told);
}

static void open_cycle(struct opening *o, struct act *act)
{
    struct cycle_mark *opened = &o->cycle.opened;

    opened->at_s = act->now_s;
    snprintf(opened->who, sizeof opened->who, "%s", o->q->caller->who);
    act_put_cycle(act, &o->cycle);
    note(o, act);
    cycle_answer(o->reply, 201, &o->cycle, NULL);
    (void)!answer_commit(o->q, o->reply, act); /* the answer tells */
}

void act_open_cycle(const struct act_request *q, struct act_reply *out)
{
    struct opening o = { .q = q, .reply = out };
    struct act act;

    if (!answer_role(q, out, ROLES_BILLING) ||
        !answer_members(q, out, "cycle", "from", "to", "routes", NULL) || !routes_taken(&o)) {
        out_done(&o.routes);
        return;
    }
    act = act_by(q);
    if (act.txn.err)
        answer_failed(out, act.txn.err);
    else if (cycle_routes_are_ours(q, out, &act.txn, o.cycle.routes) &&
             routes_exist(&o, &act.txn) && name_taken(&o) && span_taken(&o) && is_new(&o, &act.txn))
        open_cycle(&o, &act);
    act_abort(&act);
    out_done(&o.routes);
}
