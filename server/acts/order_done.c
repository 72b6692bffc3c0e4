/* POST /v1/orders/ORDER/done: what the field reports of an order.  The result (server/fleet/order.def) says whether the order ends, comes back or stays under way, and what follows for the meter, the flag
 * and the series; all of it is one act.  Where the meter's own rules refuse a part, that refusal is the answer and nothing was written.  Of two that report one order the first is taken.
 *
 * A crew decides the flag of its order by this, though POST /v1/flags is a supervisor's: it was sent to find out.  What a crew may not record by itself (rules-fleet R2) it may not record by an order either.
 *
 * The reading is written to the journal as the act's last step before its commit, so that a refused report leaves none.  Where that commit fails, or the machine does between the two, the reading stays though the
 * order is open: it was read, and the same report sent again finds it there. */
#include "server/acts/order_done_priv.h"

#include "server/notices.h"
#include "server/registers.h"
#include "server/replacements.h"
#include "server/settler.h"

#include <stdio.h>

/* ---- what it tells ---- */

static void read_result(struct report *r)
{
    struct span text;

    r->result = RESULT_DONE;
    body_text(&r->o.body, "result", &text);
    if (text.len && !order_result_read(text, &r->result)) {
        r->result = ORDER_RESULTS;
        body_wrong(&r->o.body, "result", "a result such as done, not-found or no-access");
    }
}

/* Both names of one thing: the index of the order's meter. */
static void read_index(struct report *r)
{
    struct life_body *b = &r->o.body;
    bool has_old;
    int64_t old_ml;

    body_index(b, "index_l", &r->has_index, &r->index_ml);
    body_index(b, "old_index_l", &has_old, &old_ml);
    if (has_old && r->has_index && old_ml != r->index_ml)
        body_wrong(b, "old_index_l", "the same as index_l, or only one of them");
    if (has_old) {
        r->has_index = true;
        r->index_ml = old_ml;
    }
    body_index(b, "new_index_l", &r->has_new_index, &r->new_index_ml);
}

static void read_degrees(struct report *r, const char *name, unsigned place, char *room,
                         struct span *out)
{
    const struct column *c = &list_of(LIST_ORDER)->column[place];
    const json_t *v = json_object_get(r->o.q->body, name);
    char number[JSON_NUMBER_ROOM];
    struct wr w = wr_of((uint8_t *)room, JSON_NUMBER_ROOM);
    struct span text;

    *out = span_of(NULL, 0);
    if (!v || json_is_null(v))
        return;
    text = json_is_boolean(v) ? span_of(NULL, 0) : json_scalar(v, number);
    if (!text.len || cell_read(c, text, NULL, &w, NULL))
        body_wrong(&r->o.body, name, cell_expected(c));
    else
        *out = wr_span(&w);
}

static void read_place(struct report *r)
{
    read_degrees(r, "lon", CELL_ORDER_lon, r->lon_room, &r->lon);
    read_degrees(r, "lat", CELL_ORDER_lat, r->lat_room, &r->lat);
    if (!r->lon.len != !r->lat.len)
        body_wrong(&r->o.body, r->lon.len ? "lat" : "lon", "both lon and lat, or none");
}

static void read_day(struct report *r, const char *name, int32_t *out)
{
    struct span text;
    int64_t day;

    *out = NO_DAY;
    body_text(&r->o.body, name, &text);
    if (!text.len)
        return;
    if (text_date(text, &day))
        body_wrong(&r->o.body, name, "a date as 2026-03-01");
    else
        *out = (int32_t)day;
}

static void read_report(struct report *r)
{
    static const char *const members[] = {
        "result",      "at",    "index_l", "old_index_l", "new_serial", "new_index_l",
        "certificate", "photo", "seal",    "lon",         "lat",        "verified_on",
        "valid_until", "note",  "crew",    "found",       "reason",     "document",
        "overrule",    "depot", "receipt", NULL
    };
    struct life_body *b = &r->o.body;

    read_result(r);
    body_time(b, "at", clock_now_s(&r->o.q->app->clock), &r->at_s);
    read_index(r);
    order_name_member(&r->o, "new_serial", &r->new_serial);
    body_text(b, "receipt", &r->receipt);
    body_texts(b, r->text);
    read_place(r);
    read_day(r, "verified_on", &r->verified_on);
    read_day(r, "valid_until", &r->valid_until);
    body_flag(b, "overrule", &r->overrule);
    body_flag(b, "found", &r->found);
    r->has_found = json_is_boolean(json_object_get(r->o.q->body, "found"));
    body_only(b, members);
}

/* ---- may it be so ---- */

/* Only exchanges and removals weigh readings against an index: `overrule` with nothing to overrule is asked for its right all the same. */
static bool may(struct report *r)
{
    return life_may_exchange(r->o.q, r->o.out, r->overrule);
}

static bool may_this(struct report *r)
{
    const struct order *order = &r->o.kept.order;

    return order_is_his(&r->o) && (order->kind != ORDER_VERIFY || r->result != RESULT_DONE ||
                                   life_may(r->o.q, r->o.out, EVENT_VERIFY, false));
}

static bool new_meter_exists(struct report *r)
{
    struct txn *t = &r->o.act.txn;
    struct ledger_row row;

    if (!r->new_serial.len || r->new_serial.len > 63 ||
        ledger_find(t, LIST_METER, r->new_serial, INT64_MAX, &row))
        return true;
    if (t->err)
        answer_failed(r->o.out, t->err);
    else
        answer_refuse(r->o.out, ERR_NOT_FOUND, "new_serial",
                      "new_serial: nobody registered the meter %.*s", (int)r->new_serial.len,
                      (const char *)r->new_serial.at);
    return false;
}

static bool time_possible(struct report *r)
{
    char now[TEXT_TIME_SIZE], at[TEXT_TIME_SIZE];

    if (r->at_s >= 0 && r->at_s <= UINT32_MAX && r->at_s <= r->o.act.now_s + FUTURE_AFTER_S)
        return true;
    text_put_time(now, r->o.act.now_s);
    text_put_time(at, r->at_s);
    answer_refuse(r->o.out, ERR_INVALID, "at",
                  "at: found %s, expected a time at most 600 s after the server's clock, %s", at,
                  now);
    return false;
}

static bool result_fits(struct report *r)
{
    enum order_kind kind = r->o.kept.order.kind;
    char known[200];

    if (order_result_fits(r->result, kind))
        return true;
    order_results_list(kind, known, sizeof known);
    answer_refuse(r->o.out, ERR_INVALID, "result",
                  "result: found %s, expected of an order to %s: %s", order_result_name(r->result),
                  order_kind_name(kind), known);
    return false;
}

/* What the result needs beyond what the meter's events ask for themselves. */
static bool facts_there(struct report *r)
{
    bool needs_index = r->o.kept.order.kind == ORDER_READ && r->result == RESULT_DONE;

    if (!needs_index || r->has_index)
        return true;
    answer_refuse(r->o.out, ERR_INVALID, "index_l",
                  "index_l: found nothing, expected what the dial shows, in litres");
    return false;
}

static bool possible(struct report *r)
{
    return order_known(&r->o, r->o.q->subject, "order") && may_this(r) && new_meter_exists(r) &&
           order_facts(&r->o) && result_fits(r) && facts_there(r) && time_possible(r) &&
           order_allows(&r->o, MOVE_REPORT);
}

/* ---- what becomes of the order ---- */

static void fill(struct report *r)
{
    struct order *order = &r->o.kept.order;
    bool is_exchange = order->kind == ORDER_REPLACE && r->result == RESULT_DONE;

    order->result = r->result;
    order->done_s = r->at_s;
    order->closed_by = span_text(r->o.act.who);
    order->has_index = r->has_index;
    order->index_ml = r->index_ml;
    order->has_new_index = is_exchange;
    order->new_index_ml = r->new_index_ml;
    order->new_serial = is_exchange ? r->new_serial : span_of(NULL, 0);
    order->photo = r->text[EVENT_PHOTO];
    order->seal = r->text[EVENT_SEAL];
    order->remark = r->text[EVENT_NOTE];
    order->lon = r->lon;
    order->lat = r->lat;
}

/* Who did it, where nobody was named before. */
static void name_him(struct report *r)
{
    struct span crew = r->text[EVENT_CREW];

    if (r->o.kept.order.assignee.len)
        return;
    if (caller_is_crew(&r->o))
        crew = span_text(r->o.q->caller->who);
    if (crew.len && crew.len < 64)
        order_assign(&r->o, crew);
}

static bool taken(struct report *r)
{
    name_him(r);
    if (!report_effect(r) || !report_reading(r) || !report_seal(r) || !report_flag(r))
        return false;
    fill(r);
    order_move(&r->o.kept.order, MOVE_REPORT, r->o.act.now_s);
    return order_write(&r->o, NULL);
}

/* The meter that a result which moves no reading and no event lets be judged anew: where nobody lives, no use is no evidence. 0: none. */
static uint32_t meter_eased(const struct report *r)
{
    const struct order *order = &r->o.kept.order;
    struct txn *t = (struct txn *)&r->o.act.txn;
    struct meter_facts meter;
    struct point_facts point;
    struct fitting f;

    if (r->result != RESULT_VACANT)
        return 0;
    if (order->serial.len)
        return meter_facts_by_serial(t, order->serial, &meter) ? 0 : meter.id;
    if (point_facts_by_name(t, order->point, &point) || fitting_at(t, true, point.id, r->at_s, &f))
        return 0;
    return f.meter;
}

/* The last step: nothing refuses the report any more. */
static bool reading_written(struct report *r)
{
    bool known = true;
    enum err err = ERR_OK;

    if (r->has_read && !(err = manual_known(&r->read, &known)) && !known)
        err = manual_journal(&r->read);
    if (err)
        answer_failed(r->o.out, err);
    return !err;
}

static void answer(struct report *r)
{
    const struct warnings *warnings = life_act_warnings(&r->l);
    struct out *o = &r->o.out->body;

    answer_begin(r->o.out, 200);
    order_put_json(o, &r->o.kept.order, r->o.act.now_s);
    if (r->l.receipt[0])
        out_member_text(o, "receipt", r->l.receipt);
    answer_end(r->o.out, warnings);
}

void act_order_done(const struct act_request *q, struct act_reply *out)
{
    struct report r = { .result = RESULT_DONE };

    order_act_init(&r.o, q, out);
    read_report(&r);
    if (!may(&r))
        return;
    if (order_act_begin(&r.o) && possible(&r)) {
        life_act_init(&r.l, q, out, &r.o.act);
        r.begun = true;
        if (taken(&r) && reading_written(&r)) {
            uint32_t flagged = flag_meter(r.o.kept.order.flag), eased = meter_eased(&r);

            answer(&r);
            if (!answer_commit(q, out, &r.o.act)) {
                life_act_committed(&r.l);
                if (eased)
                    settler_touch(q->app->settler, eased);
                rankings_touch(q->app->rankings, &flagged, flagged != 0);
                notices_touch(q->app, flagged);
            }
        }
    }
    order_act_done(&r.o);
    if (r.begun)
        life_act_done(&r.l);
}
