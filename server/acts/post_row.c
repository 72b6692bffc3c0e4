/* One row by a request's body: the members are the columns, and the checks those of a file's row.
 * What a request names must exist (rules-fleet R3, R4); nothing is made bare. */
#include "server/acts/answer.h"
#include "server/acts/register.h"

#include <stdio.h>

struct post {
    const struct act_request *q;
    struct act_reply *out;
    const struct list *list;
    struct cells cells;
    struct refusal
        wrong; /* the first cell that is wrong, if any: told only when all that is named exists */
    char missing[160]; /* names of required members that are not there */
    uint8_t room[COLUMNS_MAX * (LIMIT_TEXT + 8)];
};

static bool body_is_object(struct post *p)
{
    if (json_is_object(p->q->body))
        return true;
    answer_refuse(p->out, ERR_INVALID, "", "found no object, expected one with the members of %s",
                  p->list->plural);
    return false;
}

static bool members_known(struct post *p)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)p->q->body, name, value)
    {
        if (list_column(p->list, span_text(name)) >= 0)
            continue;
        answer_refuse(p->out, ERR_INVALID, name, "%.47s: found a member that %s do not have", name,
                      p->list->plural);
        return false;
    }
    return true;
}

static void cell_wrong(struct post *p, const struct column *c, const char *found)
{
    if (!p->wrong.err)
        (void)refuse(&p->wrong, ERR_INVALID, 0, c->name, "%s: found %s, expected %s", c->name,
                     found, cell_expected(c));
}

static void cell_take(struct post *p, unsigned i, struct wr *w)
{
    const struct column *c = &p->list->column[i];
    const json_t *v = json_object_get(p->q->body, c->name);
    char number[JSON_NUMBER_ROOM];
    uint8_t *start = w->at;
    struct refusal r;

    if (json_is_object(v) || json_is_array(v)) {
        cell_wrong(p, c, "a list or an object");
        return;
    }
    if (json_is_boolean(v)) {
        cell_wrong(p, c, json_is_true(v) ? "true" : "false");
        return;
    }
    if (v && cell_read(c, json_scalar(v, number), &p->q->app->zone, w, &r) && !p->wrong.err) {
        p->wrong = r;
        snprintf(p->wrong.text, sizeof p->wrong.text, "%s: %.*s", c->name,
                 (int)(sizeof p->wrong.text - 50), r.text);
    }
    p->cells.at[i] = span_of(start, (size_t)(w->at - start));
}

static void missing_add(struct post *p, const char *name)
{
    size_t len = strlen(p->missing);

    snprintf(p->missing + len, sizeof p->missing - len, "%s%s", len ? ", " : "", name);
}

/* Reads all cells; `all` says that required ones must be there. */
static void cells_take(struct post *p, bool all)
{
    struct wr w = wr_of(p->room, sizeof p->room);

    for (unsigned i = 0; i < p->list->columns; i++) {
        cell_take(p, i, &w);
        if (all && p->list->column[i].need != NEED_MAY && p->cells.at[i].len == 0 &&
            strcmp(p->wrong.field, p->list->column[i].name) != 0)
            missing_add(p, p->list->column[i].name);
    }
}

static bool facts_right(struct post *p)
{
    if (p->missing[0]) {
        answer_refuse(p->out, ERR_INVALID, p->missing, "%s: found nothing, expected %s", p->missing,
                      strchr(p->missing, ',') ? "all of them" : "a value");
        return false;
    }
    if (!p->wrong.err)
        return true;
    answer_refuse(p->out, ERR_INVALID, p->wrong.field, "%s", p->wrong.text);
    return false;
}

static void refused(struct post *p, enum err err, const struct import_refusal *why)
{
    if (row_refused(err))
        answer_refuse(p->out, err, why->column, "%s: found %s, expected %s", why->column,
                      why->found, why->expected);
    else
        answer_failed(p->out, err);
}

static void answer(struct post *p, enum put_outcome outcome)
{
    answer_begin(p->out, outcome == PUT_NEW ? 201 : 200);
    for (unsigned i = 0; i < list_keys(p->list); i++)
        out_member_span(&p->out->body, p->list->column[i].name, p->cells.at[i]);
    answer_end(p->out, NULL);
}

typedef enum err put_row(struct registrar *g, const struct list *l, const struct cells *cells,
                         enum put_outcome *out, struct import_refusal *why);

static enum err change_meter(struct registrar *g, const struct list *l, const struct cells *cells,
                             enum put_outcome *out, struct import_refusal *why)
{
    (void)l;
    return registrar_change_meter(g, cells, out, why);
}

/* The act: opened first, so that what is checked is what is written to. */
static void post(struct post *p, put_row *put)
{
    struct app *app = p->q->app;
    enum put_outcome outcome = PUT_SAME;
    struct act act = act_by(p->q);
    struct import_refusal why;
    struct registrar g;
    enum err err;

    registrar_init(&g, app, &act, false);
    if (!(err = act.txn.err))
        err = registrar_names_exist(&g, p->list, &p->cells, &why);
    if (err) {
        refused(p, err, &why);
    } else if (facts_right(p)) {
        if ((err = put(&g, p->list, &p->cells, &outcome, &why))) {
            refused(p, err, &why);
        } else {
            answer(p, outcome);
            (void)!answer_commit(p->q, p->out, &act); /* the answer tells */
        }
    }
    act_abort(&act);
    if (p->out->status < 300 && (err = registrar_committed(&g)))
        fprintf(stderr, "nilod: frames that wait for a meter: the store %s\n", err_text(err));
    registrar_done(&g);
}

/* What lies in the store is the store's business; places and the tree of units are the chiefs'. */
unsigned list_roles(enum list_kind kind)
{
    static const unsigned of_store = 1u << LIST_METER | 1u << LIST_MODEL | 1u << LIST_BATCH |
                                     1u << LIST_MODEM | 1u << LIST_SEAL | 1u << LIST_DEPOT |
                                     1u << LIST_CREW;

    return of_store >> kind & 1 ? ROLES_STORE : ROLES_CHIEF;
}

void act_post_row(const struct act_request *q, struct act_reply *out, enum list_kind kind)
{
    struct post p = { .q = q, .out = out, .list = list_of(kind) };

    if (!answer_role(q, out, list_roles(kind)) || !body_is_object(&p) || !members_known(&p))
        return;
    cells_take(&p, true);
    post(&p, registrar_put);
}

void act_post_meter(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_METER);
}

void act_post_point(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_POINT);
}

void act_post_fitting(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_FITTING);
}

void act_post_zone(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_ZONE);
}

void act_post_route(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_ROUTE);
}

void act_post_org(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_ORG);
}

void act_post_boundary(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_BOUNDARY);
}

/* ---- POST /v1/meters/SERIAL ---- */

/* The life of a meter is told by events, and its name for ever. */
static bool change_allowed(struct post *p)
{
    static const unsigned fixed[] = { CELL_METER_state, CELL_METER_verified_on,
                                      CELL_METER_certificate };

    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        const char *name = p->list->column[fixed[i]].name;

        if (!json_object_get(p->q->body, name))
            continue;
        answer_refuse(p->out, ERR_INVALID, name,
                      "%s: found a new value, expected an event of the meter", name);
        return false;
    }
    return true;
}

static bool subject_taken(struct post *p)
{
    struct span sent = p->cells.at[CELL_METER_serial];

    if (sent.len && !span_equal(sent, p->q->subject)) {
        answer_refuse(p->out, ERR_INVALID, "serial",
                      "serial: found %.*s, expected %.*s as in the path", (int)sent.len,
                      (const char *)sent.at, (int)p->q->subject.len,
                      (const char *)p->q->subject.at);
        return false;
    }
    p->cells.at[CELL_METER_serial] = p->q->subject;
    return true;
}

static bool meter_exists(struct post *p)
{
    struct txn t = ledger_read(p->q->app->ledger);
    struct ledger_row row;
    bool found = ledger_find(&t, LIST_METER, p->q->subject, INT64_MAX, &row);
    enum err err = txn_end(&t);

    if (err)
        answer_failed(p->out, err);
    else if (!found)
        answer_refuse(
            p->out, ERR_NOT_FOUND, "serial", "%.*s: no meter of that serial is registered",
            (int)(p->q->subject.len < 64 ? p->q->subject.len : 64), (const char *)p->q->subject.at);
    return !err && found;
}

void act_change_meter(const struct act_request *q, struct act_reply *out)
{
    struct post p = { .q = q, .out = out, .list = list_of(LIST_METER) };

    if (!answer_role(q, out, ROLES_STORE) || !meter_exists(&p) || !body_is_object(&p) ||
        !members_known(&p) || !change_allowed(&p))
        return;
    cells_take(&p, false);
    if (subject_taken(&p))
        post(&p, change_meter);
}
