#include "server/query/scope.h"

#include "server/judge.h"
#include "server/query/answers.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

/* Members, parameters and cells that name what belongs to somebody. */
static const struct named {
    const char *name;
    enum list_kind list;
} owners[] = {
    /* in the order in which a row's cells decide */
    { "org", LIST_ORG },       { "point", LIST_POINT },      { "serial", LIST_METER },
    { "route", LIST_ROUTE },   { "depot", LIST_DEPOT },      { "crew", LIST_CREW },
    { "parent", LIST_ORG }, /* of an org unit; zones are common */
    { "assignee", LIST_CREW }, { "old_serial", LIST_METER }, { "new_serial", LIST_METER },
    { "seal", LIST_SEAL },     { "modem", LIST_MODEM },      { "behind", LIST_POINT },
};
#define ROW_OWNERS 6u

static const struct named *owner_named(const char *name, size_t most)
{
    for (size_t i = 0; i < most; i++)
        if (strcmp(owners[i].name, name) == 0)
            return &owners[i];
    return NULL;
}

/* ---- refusals ---- */

static void refuse_name(struct request *q, const char *what, struct span name)
{
    problem_of(
        q, ERR_FORBIDDEN, what,
        "the role %s of the org unit %s may not do this: %s %.*s belongs to another unit, or "
        "to none",
        role_name(q->caller.role), q->caller.org, what, (int)(name.len < 64 ? name.len : 64),
        (const char *)name.at);
}

static void refuse_whole(struct request *q, const char *why)
{
    problem_of(q, ERR_FORBIDDEN, "",
               "the role %s of the org unit %s may not do this: %s needs a token that is for no "
               "single unit",
               role_name(q->caller.role), q->caller.org, why);
}

/* ---- path and query ---- */

/* What concerns all units: the register's common parts, and what has no owner yet. */
static const struct common {
    const char *path;
    uint32_t verbs;
} commons[] = {
    { "/v1/audit", VERB_GET },
    { "/v1/audit/verify", VERB_GET },
    { "/v1/quarantine", VERB_GET },
    { "/v1/quarantine/summary", VERB_GET },
    { "/v1/quarantine/retry", VERB_POST },
    { "/v1/rejects", VERB_GET },
    { "/v1/clock", VERB_POST },
    { "/v1/import/{list}", VERB_POST },
    { "/v1/recipes", VERB_POST },
    { "/v1/models", VERB_POST },
    { "/v1/batches", VERB_POST },
    { "/v1/prices", VERB_POST },
    { "/v1/rules/{rule}", VERB_POST },
    { "/v1/zones", VERB_POST },
    { "/v1/zones/{zone}/balance", VERB_GET }, /* it counts the points of all units */
    { "/v1/figures/{month}/close", VERB_POST },
};

static bool is_common(const struct request *q)
{
    for (size_t i = 0; i < sizeof commons / sizeof commons[0]; i++)
        if (commons[i].verbs & q->route->verb && strcmp(commons[i].path, q->route->path) == 0)
            return true;
    return false;
}

static bool told_ours(struct request *q, struct txn *t, bool ours, const char *what,
                      struct span name)
{
    if (ours)
        return true;
    if (t->err)
        problem_of(q, t->err, "", "the register cannot be read: it %s", err_text(t->err));
    else
        refuse_name(q, what, name);
    return false;
}

static bool one_is_ours(struct request *q, struct txn *t, struct scope *s, const char *what,
                        enum list_kind list, struct span name)
{
    return told_ours(q, t, scope_named(s, t, list, name), what, name);
}

/* A stocktaking is a paper of that kind. */
static bool stocktake_is_ours(struct request *q, struct txn *t, struct scope *s)
{
    char paper[16 + 64];
    int len = snprintf(paper, sizeof paper, "stocktake:%.*s",
                       (int)(q->subject[0].len < 64 ? q->subject[0].len : 64),
                       (const char *)q->subject[0].at);

    return told_ours(q, t, scope_named(s, t, LIST_PAPER, span_of(paper, (size_t)len)), "stocktake",
                     q->subject[0]);
}

/* A flag's id begins with its meter's, as 8 hex digits; an outage has none, and belongs to where one of its meters is. */
static bool flag_is_ours(struct request *q, struct txn *t, struct scope *s)
{
    struct ledger_row row;
    char digits[9] = "", *end;
    unsigned long meter;

    snprintf(digits, sizeof digits, "%.*s", (int)(q->subject[0].len < 8 ? q->subject[0].len : 8),
             (const char *)q->subject[0].at);
    meter = strtoul(digits, &end, 16);
    if (end == digits + 8 && !meter) {
        uint32_t point = flag_outage_point(t, q->subject[0]);
        struct span facts;

        if ((point && scope_point(s, t, point)) || !ledger_flag_born(t, q->subject[0], &facts))
            return true;
        refuse_name(q, "flag", q->subject[0]);
        return false;
    }
    if (end != digits + 8 || !ledger_by_id(t, LIST_METER, (uint32_t)meter, INT64_MAX, &row))
        return true; /* there is none: others tell */
    if (scope_meter(s, t, &row))
        return true;
    refuse_name(q, "flag", q->subject[0]);
    return false;
}

static bool subject_is_ours(struct request *q, struct txn *t, struct scope *s)
{
    const struct list *list = q->target.segments > 2 ? list_named(q->target.segment[1]) : NULL;

    if (!q->subject[0].len)
        return true;
    if (span_equal(q->target.segment[1], span_text("stocktakes")))
        return stocktake_is_ours(q, t, s);
    if (list && list->kind == LIST_BATCH && q->target.segments > 3)
        return told_ours(q, t, scope_lot(s, t, q->subject[0]), "a meter of the batch",
                         q->subject[0]);
    if (list)
        return one_is_ours(q, t, s, list->column[0].name, list->kind, q->subject[0]);
    return !(span_equal(q->target.segment[1], span_text("flags")) ||
             span_equal(q->target.segment[1], span_text("leak-cases"))) ||
           flag_is_ours(q, t, s);
}

static bool query_is_ours(struct request *q, struct txn *t, struct scope *s)
{
    for (size_t i = 0; i < ROW_OWNERS; i++) {
        struct span name = ask_text(q, owners[i].name);

        if (name.len && !one_is_ours(q, t, s, owners[i].name, owners[i].list, name))
            return false;
    }
    return true;
}

void scope_check(struct request *q)
{
    struct scope s = scope_of(q->caller.org);
    struct txn t;

    if (!q->caller.org[0])
        return;
    if (is_common(q)) {
        refuse_whole(q, q->route->path);
        return;
    }
    t = ledger_read(q->app->ledger);
    if (subject_is_ours(q, &t, &s))
        (void)query_is_ours(q, &t, &s);
    txn_abort(&t);
}

/* ---- bodies ---- */

/* What is made new must be made for the unit: the member that says so. */
static const struct maker {
    const char *path, *key;
    enum list_kind list;
    const char *needs;
} makers[] = {
    { "/v1/points", "point", LIST_POINT, "route" },
    { "/v1/meters", "serial", LIST_METER, "depot" },
    { "/v1/routes", "route", LIST_ROUTE, "org" },
    { "/v1/orgs", "org", LIST_ORG, "parent" },
    { "/v1/depots", "depot", LIST_DEPOT, "org" },
    { "/v1/crews", "crew", LIST_CREW, "org" },
    { "/v1/modems", "modem", LIST_MODEM, "serial" },
    { "/v1/seals", "", LIST_COUNT, "crew" },
    { "/v1/deliveries", "", LIST_COUNT, "depot" },
    { "/v1/tokens", "", LIST_COUNT, "org" },
    { "/v1/hooks", "", LIST_COUNT, "org" },
    { "/v1/users", "", LIST_COUNT, "org" },
};

static struct span text_of(const json_t *v)
{
    return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v))
                             : (struct span){ 0 };
}

struct body_check {
    struct request *q;
    struct txn txn;
    struct scope scope;
    const struct maker *maker; /* NULL: the path makes nothing */
    bool serials_freely; /* what is counted where it should not be is what a stocktake is for */
};

static bool value_is_ours(struct body_check *c, const struct named *n, const json_t *v)
{
    struct span name = text_of(v);

    /* A new row's own name is not known yet; who it will belong to is told by `needs`. */
    return told_ours(c->q, &c->txn, scope_may_take(&c->scope, &c->txn, n->list, name), n->name,
                     name);
}

static bool list_is_ours(struct body_check *c, const char *name, const json_t *list);

static bool object_is_ours(struct body_check *c, const json_t *object)
{
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)object, name, v)
    {
        const struct named *n = owner_named(name, sizeof owners / sizeof owners[0]);

        if (n && !value_is_ours(c, n, v))
            return false;
        if (json_is_array(v) && !list_is_ours(c, name, v))
            return false;
    }
    return true;
}

static bool list_is_ours(struct body_check *c, const char *name, const json_t *list)
{
    static const struct named serial = { "serial", LIST_METER }, order = { "order", LIST_ORDER };
    const struct named *one = strcmp(name, "orders") == 0                          ? &order
                              : strcmp(name, "serials") == 0 && !c->serials_freely ? &serial
                                                                                   : NULL;
    json_t *v;
    size_t i;

    json_array_foreach((json_t *)list, i, v)
    {
        if ((one && !value_is_ours(c, one, v)) || (json_is_object(v) && !object_is_ours(c, v)))
            return false;
    }
    return true;
}

static bool made_is_ours(struct body_check *c, const json_t *body)
{
    const struct maker *m = c->maker;
    struct span key, owner;
    struct ledger_row row;

    if (!m)
        return true;
    key = text_of(json_object_get(body, m->key));
    if (m->list != LIST_COUNT && key.len && ledger_find(&c->txn, m->list, key, INT64_MAX, &row))
        return true; /* known: judged with the rest */
    owner = text_of(json_object_get(body, m->needs));
    if (owner.len &&
        ledger_find(&c->txn, owner_named(m->needs, ROW_OWNERS + 1)->list, owner, INT64_MAX, &row))
        return true; /* likewise */
    if (owner.len)
        refuse_name(c->q, m->needs, owner);
    else
        problem_of(
            c->q, ERR_FORBIDDEN, m->needs,
            "the role %s of the org unit %s may not do this: without %s it belongs to no unit",
            role_name(c->q->caller.role), c->q->caller.org, m->needs);
    return false;
}

static const struct maker *maker_of(const char *path)
{
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++)
        if (strcmp(makers[i].path, path) == 0)
            return &makers[i];
    return NULL;
}

bool scope_check_body(struct request *q, const json_t *body)
{
    struct body_check c = { .q = q, .scope = scope_of(q->caller.org) };
    bool ours;

    if (!q->caller.org[0])
        return true;
    c.maker = maker_of(q->route->path);
    c.serials_freely = strcmp(q->route->path, "/v1/stocktakes") == 0;
    c.txn = ledger_read(q->app->ledger);
    ours = object_is_ours(&c, body) && made_is_ours(&c, body);
    txn_abort(&c.txn);
    return ours;
}

/* ---- rows of lists ---- */

struct scoping {
    struct scope scope;
    struct txn txn;
    bool owned;                  /* the row has such a cell */
    char owner[ROW_OWNERS][128]; /* "": not told */
};

/* Under a meter or a point that was looked up already, rows need no look of their own. */
static bool is_looked_up(const struct request *q)
{
    return strncmp(q->route->path, "/v1/meters/{", 12) == 0 ||
           strncmp(q->route->path, "/v1/points/{", 12) == 0;
}

enum err scoping_new(struct request *q, struct scoping **out)
{
    *out = NULL;
    if (!q->caller.org[0] || is_looked_up(q))
        return ERR_OK;
    if (!(*out = (struct scoping *)calloc(1, sizeof **out)))
        return ERR_NO_MEMORY;
    (*out)->scope = scope_of(q->caller.org);
    return ERR_OK;
}

void scoping_begin(struct scoping *s, struct app *app)
{
    if (s)
        s->txn = ledger_read(app->ledger);
}

enum err scoping_end(struct scoping *s)
{
    if (!s)
        return ERR_OK;
    s->scope = scope_of(s->scope.org); /* the register may change before the next slice */
    return txn_end(&s->txn);
}

void scoping_row(struct scoping *s)
{
    if (!s)
        return;
    s->owned = false;
    for (unsigned i = 0; i < ROW_OWNERS; i++)
        s->owner[i][0] = 0;
}

void scoping_keep(struct scoping *s, const char *name, struct span text)
{
    const struct named *n = owner_named(name, ROW_OWNERS);

    if (!n)
        return;
    s->owned = true;
    snprintf(s->owner[n - owners], sizeof s->owner[0], "%.*s", (int)text.len,
             text.len ? (const char *)text.at : "");
}

bool scoping_allows(struct scoping *s)
{
    struct ledger_row row;

    if (!s || !s->owned)
        return true;
    for (unsigned i = 0; i < ROW_OWNERS; i++) {
        struct span name = span_text(s->owner[i]);

        if (name.len)
            return ledger_find(&s->txn, owners[i].list, name, INT64_MAX, &row) &&
                   scope_row(&s->scope, &s->txn, &row);
    }
    return false;
}
