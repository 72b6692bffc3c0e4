/* What an order's result does to its meter, its flag and its series. */
#include "server/acts/order_done_priv.h"
#include "server/acts/seal.h"
#include "server/judge.h"

#include <stdio.h>

/* ---- the meter ---- */

static bool meter_loaded(struct report *r)
{
    struct meter_life life;
    struct life then;
    enum err err;

    r->state = LIFE_NONE;
    if (!r->o.kept.order.serial.len)
        return true;
    err = life_load_serial(r->o.q->app, &r->o.act.txn, r->o.kept.order.serial, &life);
    if (!err) {
        life_fold(&life.rules, life.events, life.count, r->at_s, INT64_MAX, &then);
        r->state = then.state;
    }
    life_done(&life);
    if (err)
        answer_failed(r->o.out, err == ERR_NOT_FOUND ? ERR_MISSING : err);
    return !err;
}

/* A text that an event needs and nobody wrote: the order and its result. */
static struct span note_of(const struct report *r, char room[120])
{
    if (r->text[EVENT_NOTE].len)
        return r->text[EVENT_NOTE];
    snprintf(room, 120, "%.*s: %s (%s)", (int)r->o.kept.order.name.len,
             (const char *)r->o.kept.order.name.at, order_result_en(r->result),
             order_result_zh(r->result));
    return span_text(room);
}

/* The texts of an event or exchange that is done for the order. */
static void texts_of(struct report *r, char room[120], struct span out[EVENT_TEXTS])
{
    const struct order *order = &r->o.kept.order;

    memcpy(out, r->text, sizeof r->text);
    out[EVENT_ORDER_ID] = order->name;
    out[EVENT_NOTE] = note_of(r, room);
    out[EVENT_BATCH] = span_of(NULL, 0);
    if (!out[EVENT_DOCUMENT].len)
        out[EVENT_DOCUMENT] = order->name;
    if (!out[EVENT_CREW].len)
        out[EVENT_CREW] = order->assignee;
    if (!out[EVENT_REASON].len)
        out[EVENT_REASON] = order->reason.len ? order->reason : span_text("order");
    if (r->seal_used)
        out[EVENT_SEAL] = span_of(NULL, 0); /* one event puts it on */
}

static bool event(struct report *r, enum life_kind kind, bool failed)
{
    struct life_wish w = { .kind = kind,
                           .serial = r->o.kept.order.serial,
                           .at_s = r->at_s,
                           .has_index = r->has_index && kind == EVENT_REMOVE,
                           .index_ml = kind == EVENT_REMOVE ? r->index_ml : 0,
                           .overrule = r->overrule,
                           .failed = failed,
                           .verified_on = r->verified_on,
                           .valid_until = r->valid_until };
    char room[120];

    texts_of(r, room, w.text);
    if (!life_act_event(&r->l, &w))
        return false;
    r->state = r->l.state;
    r->seal_used = r->seal_used || (w.text[EVENT_SEAL].len && kind != EVENT_REMOVE);
    return true;
}

/* An inspection is an event where the meter's state has it; else the order alone tells of it. */
static bool inspected(struct report *r, bool failed)
{
    const unsigned states = LIFE_BIT(LIFE_RECEIVED) | LIFE_FITTED | LIFE_BIT(LIFE_AT_LAB);

    if (r->o.kept.order.kind != ORDER_INSPECT || !(states >> r->state & 1))
        return true;
    return event(r, EVENT_INSPECT, failed);
}

static bool faulty(struct report *r)
{
    if (!inspected(r, true))
        return false;
    return (r->state != LIFE_RUNNING && r->state != LIFE_SUSPENDED) || event(r, EVENT_FAULT, false);
}

static bool resumed(struct report *r)
{
    return inspected(r, r->found) && (r->state != LIFE_FAULTY || event(r, EVENT_RESUME, false));
}

static bool exchanged(struct report *r)
{
    const struct order *order = &r->o.kept.order;
    struct exchange_wish w = { .point = order->point,
                               .old_serial = order->serial,
                               .new_serial = r->new_serial,
                               .at_s = r->at_s,
                               .has_old_index = r->has_index,
                               .old_index_ml = r->index_ml,
                               .has_new_index = r->has_new_index,
                               .new_index_ml = r->new_index_ml,
                               .overrule = r->overrule,
                               .receipt = r->receipt };
    char room[120];

    texts_of(r, room, w.text);
    if (r->overrule)
        w.text[EVENT_NOTE] = r->text[EVENT_NOTE]; /* of an overruling a person says why */
    r->seal_used = w.text[EVENT_SEAL].len != 0;
    return life_act_exchange(&r->l, &w);
}

/* What the order is about, done. */
static bool done(struct report *r)
{
    switch (r->o.kept.order.kind) {
    case ORDER_REPLACE:
        return exchanged(r);
    case ORDER_INSPECT:
        return inspected(r, r->found);
    case ORDER_VERIFY:
        return event(r, EVENT_VERIFY, false);
    case ORDER_REPAIR:
        return resumed(r);
    default:
        return true;
    }
}

bool report_effect(struct report *r)
{
    if (!meter_loaded(r))
        return false;
    switch (order_result_effect(r->result)) {
    case EFFECT_KIND:
        return done(r);
    case EFFECT_FAULT:
        return faulty(r);
    case EFFECT_PASS:
        return inspected(r, false);
    case EFFECT_RESUME:
        return resumed(r);
    case EFFECT_REMOVE:
        return event(r, EVENT_REMOVE, false);
    default:
        return true;
    }
}

/* ---- the series ---- */

/* An exchange and a removal bear the index themselves. */
static bool is_reading(const struct report *r)
{
    bool is_exchange = r->o.kept.order.kind == ORDER_REPLACE && r->result == RESULT_DONE;

    return r->has_index && !is_exchange && order_result_effect(r->result) != EFFECT_REMOVE;
}

static bool refuse_reading(struct report *r, const char *there)
{
    const struct order *order = &r->o.kept.order;
    char at[TEXT_TIME_SIZE];

    text_put_time(at, r->at_s);
    answer_refuse(r->o.out, ERR_CONFLICT, "serial",
                  "serial: at %s %s%s was fitted at %.*s%s%.*s: whose dial was read? An "
                  "order is for one meter: cancel it and make one for the meter that is there",
                  at, there ? "the meter " : "no meter", there ? there : "",
                  order->point.len ? (int)order->point.len : 8,
                  order->point.len ? (const char *)order->point.at : "no point",
                  order->serial.len ? ", not " : "", (int)order->serial.len,
                  order->serial.len ? (const char *)order->serial.at : "");
    return false;
}

bool report_reading(struct report *r)
{
    const struct order *order = &r->o.kept.order;
    struct txn *t = &r->o.act.txn;
    struct manual_read *m = &r->read;
    struct ledger_row point;
    uint32_t meter = 0;
    enum err err = ERR_NOT_FOUND;

    if (!is_reading(r))
        return true;
    *m = (struct manual_read){ .app = r->o.q->app,
                               .now_s = r->o.act.now_s,
                               .at_s = r->at_s,
                               .index_ml = r->index_ml,
                               .photo = r->text[EVENT_PHOTO].len != 0 };
    if (order->point.len && ledger_find(t, LIST_POINT, order->point, INT64_MAX, &point) &&
        !(err = manual_meter_at(t, point.id, r->at_s, &meter)))
        err = meter_facts_by_id(t, meter, &m->meter);
    if (err == ERR_NOT_FOUND && !t->err)
        return refuse_reading(r, NULL);
    if (err || t->err) {
        answer_failed(r->o.out, err ? err : t->err);
        return false;
    }
    if (order->serial.len && !span_equal(order->serial, span_text(m->meter.serial)))
        return refuse_reading(r, m->meter.serial);
    r->has_read = manual_possible(m, r->o.out);
    return r->has_read;
}

/* ---- the seal ---- */

bool report_seal(struct report *r)
{
    const struct order *order = &r->o.kept.order;
    char why[200];
    enum err err;

    if (!r->text[EVENT_SEAL].len || r->seal_used || order_result_effect(r->result) == EFFECT_REMOVE)
        return true;
    err = seal_use(&r->o.act, r->text[EVENT_SEAL], order->serial, order->point, why, sizeof why);
    if (err == ERR_CONFLICT)
        answer_refuse(r->o.out, err, "seal", "%s", why);
    else if (err)
        answer_failed(r->o.out, err);
    return !err;
}

/* ---- the flag ---- */

/* That work is done says of a flag what it is about where the meter was changed or repaired; of what was only looked at, read or verified the report must say what was `found`. */
static uint8_t decision_of(const struct report *r)
{
    enum order_kind kind = r->o.kept.order.kind;

    if (r->has_found && order_result_ending(r->result) == ORDER_ENDS)
        return r->found ? 1 : 2;
    if (r->result == RESULT_DONE && kind != ORDER_REPLACE && kind != ORDER_REPAIR)
        return 0;
    switch (order_result_flag(r->result)) {
    case ORDER_FLAG_CONFIRMED:
        return 1;
    case ORDER_FLAG_DISMISSED:
        return 2;
    default:
        return 0;
    }
}

/* The beginning of a text that fits, without half a character. */
static int cut(struct span text, size_t most)
{
    size_t len = text.len < most ? text.len : most;

    while (len && len < text.len && (text.at[len] & 0xc0) == 0x80)
        len--;
    return (int)len;
}

/* What a person said of it before stands: it may have been said of what this very order found. */
bool report_flag(struct report *r)
{
    const struct order *order = &r->o.kept.order;
    struct flag_decision d = { .state = decision_of(r), .at_s = r->o.act.now_s }, known;
    struct span note = r->text[EVENT_NOTE];

    if (!order->flag.len || !d.state)
        return true;
    if (ledger_flag_decision(&r->o.act.txn, order->flag, &known)) {
        if (known.state != d.state)
            life_warn(&r->l, "flag-decided", "%.*s: %s said of it what stands",
                      (int)order->flag.len, (const char *)order->flag.at, known.who);
        return true;
    }
    snprintf(d.who, sizeof d.who, "%s", r->o.act.who);
    snprintf(d.note, sizeof d.note, "%.*s: %s%s%.*s", (int)order->name.len,
             (const char *)order->name.at, order_result_name(r->result), note.len ? ", " : "",
             cut(note, 900), note.len ? (const char *)note.at : "");
    act_flag_decide(&r->o.act, order->flag, &d);
    if (r->o.act.txn.err)
        answer_failed(r->o.out, r->o.act.txn.err);
    return !r->o.act.txn.err;
}
