/* A zone's water balance (rules-fleet Z). */
#include "server/balances.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdlib.h>

/* ---- writing ---- */

static void put_volume(struct out *o, const char *name, const struct water_balance *b,
                       water_parts v)
{
    if (b->published)
        out_member_litres(o, name, water_ml(v));
    else
        out_member_null(o, name);
}

static void put_share(struct out *o, const char *name, const struct water_balance *b,
                      const struct water_share *s)
{
    if (s->known)
        out_member_litres(o, name, 10 * water_share(b, s)); /* hundredths, as thousandths */
    else
        out_member_null(o, name);
}

static void put_known(struct out *o, const char *name, bool known, int64_t ml)
{
    if (known)
        out_member_litres(o, name, ml);
    else
        out_member_null(o, name);
}

static void array_begin(struct out *o, const char *name)
{
    out_key(o, name);
    out_text(o, "[");
}

static void put_missing(struct out *o, const struct zone_balance *z)
{
    array_begin(o, "missing");
    for (size_t i = 0; i < z->missing_count; i++) {
        out_next(o);
        out_string(o, span_text(z->missing[i]));
    }
    out_text(o, "]");
}

static void put_volumes(struct out *o, const struct water_balance *b)
{
    put_known(o, "inflow_l", b->inflow_known, b->inflow_ml);
    put_volume(o, "billed_l", b, b->billed);
    put_volume(o, "unbilled_l", b, b->unbilled);
    put_volume(o, "registered_l", b, b->billed + b->unbilled);
    out_member_litres(o, "estimated_l", b->estimated_ml);
    put_volume(o, "loss_l", b, b->loss);
}

static void put_shares(struct out *o, const struct water_balance *b)
{
    put_share(o, "r_wl_pct", b, &b->r_wl);
    put_share(o, "r1_pct", b, &b->r[0]);
    put_share(o, "r2_pct", b, &b->r[1]);
    put_share(o, "r3_pct", b, &b->r[2]);
    put_share(o, "r4_pct", b, &b->r[3]);
    put_share(o, "rn_pct", b, &b->rn);
    put_share(o, "r_bl_pct", b, &b->r_bl);
    out_member_text(o, "grade", water_grade(b));
    put_share(o, "nrw_pct", b, &b->nrw);
    array_begin(o, "missing_inputs");
    for (unsigned i = 0; i < WATER_INPUTS; i++) {
        if (!(b->missing >> i & 1))
            continue;
        out_next(o);
        out_string(o, span_text(water_input_name((enum water_input)i)));
    }
    out_text(o, "]");
}

/* ---- nights ---- */

static bool is_kept(const struct night *n)
{
    return n->found && !n->hydrant;
}

static void put_date(struct out *o, const char *name, int64_t day)
{
    char text[11];

    text_put_date(text, day);
    out_member_text(o, name, text);
}

static int64_t net_ml(const struct night *n)
{
    return n->flow_ml - n->use_ml;
}

static void put_nights(struct out *o, const struct zone_balance *z)
{
    array_begin(o, "nights");
    for (size_t i = 0; i < z->night_count; i++) {
        const struct night *n = &z->nights[i];

        if (!is_kept(n))
            continue;
        out_next(o);
        out_text(o, "{");
        put_date(o, "night", n->day);
        out_member_time(o, "from", n->from_s);
        out_member_litres(o, "flow_lph", n->flow_ml);
        put_known(o, "use_lph", n->use_known, n->use_ml);
        put_known(o, "net_lph", n->use_known, net_ml(n));
        out_text(o, "}");
    }
    out_text(o, "]");
    array_begin(o, "nights_left_out");
    for (size_t i = 0; i < z->night_count; i++) {
        if (is_kept(&z->nights[i]))
            continue;
        out_next(o);
        out_text(o, "{");
        put_date(o, "night", z->nights[i].day);
        out_member_text(o, "why", z->nights[i].hydrant ? "hydrant" : "inlet");
        out_text(o, "}");
    }
    out_text(o, "]");
}

enum night_figure { NIGHT_FLOW, NIGHT_USE, NIGHT_NET };

/* The median over the nights that are left; `room` holds as many values as there are nights. */
static void put_median(struct out *o, const char *name, const struct zone_balance *z,
                       enum night_figure what, int64_t *room)
{
    size_t count = 0;

    for (size_t i = 0; i < z->night_count; i++) {
        const struct night *n = &z->nights[i];

        if (is_kept(n) && (what == NIGHT_FLOW || n->use_known))
            room[count++] = what == NIGHT_FLOW  ? n->flow_ml
                            : what == NIGHT_USE ? n->use_ml
                                                : net_ml(n);
    }
    put_known(o, name, count != 0, count ? water_median(room, count) : 0);
}

static enum err put_medians(struct out *o, const struct zone_balance *z)
{
    int64_t *room = (int64_t *)malloc((z->night_count + 1) * sizeof *room);

    if (!room)
        return ERR_NO_MEMORY;
    put_median(o, "night_flow_lph", z, NIGHT_FLOW, room);
    put_median(o, "night_use_lph", z, NIGHT_USE, room);
    put_median(o, "net_night_lph", z, NIGHT_NET, room);
    free(room);
    return ERR_OK;
}

/* ---- the rest ---- */

static void put_parts(struct out *o, const struct zone_balance *z)
{
    array_begin(o, "parts");
    for (size_t i = 0; i < z->part_count; i++) {
        const struct water_balance *b = &z->parts[i].balance;

        out_next(o);
        out_text(o, "{");
        out_member_text(o, "zone", z->parts[i].zone);
        put_known(o, "inflow_l", b->inflow_known, b->inflow_ml);
        put_share(o, "r_bl_pct", b, &b->r_bl);
        out_text(o, "}");
    }
    out_text(o, "]");
}

static void put_warnings(struct out *o, const struct water_balance *b)
{
    array_begin(o, "warnings");
    if (b->published && b->loss < 0) {
        out_text(o, "{");
        out_member_text(o, "code", "children-exceed-inflow");
        out_member_text(o, "text",
                        "more was registered at customers than flowed in: an inlet is slow, or a "
                        "customer is fed by another zone, or an inlet is not registered");
        out_text(o, "}");
    }
    out_text(o, "]");
}

static enum err put_balance(struct request *q, int64_t from_s, int64_t to_s,
                            const struct zone_balance *z)
{
    const struct water_balance *b = &z->balance;
    struct out *o = &q->out;
    enum err err;

    out_text(o, "{");
    out_member_span(o, "zone", q->subject[0]);
    out_member_time(o, "from", from_s);
    out_member_time(o, "to", to_s);
    out_member_bool(o, "published", b->published);
    out_member_int(o, "children_due", (int64_t)b->due);
    out_member_int(o, "children_read", (int64_t)b->read);
    out_member_litres(o, "completeness_pct", 10 * water_completeness(b));
    put_missing(o, z);
    put_volumes(o, b);
    put_shares(o, b);
    if ((err = put_medians(o, z)))
        return err;
    put_nights(o, z);
    put_parts(o, z);
    put_warnings(o, b);
    out_text(o, "}\n");
    return ERR_OK;
}

/* ---- asking ---- */

/* As long as readings of a zone could be of use; its nights alone are a megabyte then. */
#define SPAN_MOST_S (INT64_C(50) * 366 * 86400)

static bool ask_balance(struct request *q, int64_t *from_s, int64_t *to_s)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool found = row_named(q, &t, list_of(LIST_ZONE), INT64_MAX, &row);

    txn_abort(&t);
    if (!found || !ask_span(q, from_s, to_s, true))
        return false;
    if (*from_s < *to_s && *to_s - *from_s <= SPAN_MOST_S)
        return true;
    if (*from_s < *to_s)
        problem_of(q, ERR_INVALID, "to", "to: found it more than 50 years after from");
    else
        problem_of(q, ERR_INVALID, "from",
                   "from: found the same instant as to, expected one before it");
    return false;
}

void answer_balance(struct request *q)
{
    int64_t from_s, to_s;
    struct zone_balance z;
    enum err err;

    if (!ask_balance(q, &from_s, &to_s))
        return;
    err = zone_balance(q->app, q->subject[0], from_s, to_s, clock_now_s(&q->app->clock), &z);
    q->status = 200;
    if (!err)
        err = put_balance(q, from_s, to_s, &z);
    zone_balance_done(&z);
    if (err)
        problem_of(q, err, "", "the zone's balance cannot be told: %s",
                   err == ERR_RANGE ? "its volumes are beyond what any zone could have"
                                    : err_text(err));
}
