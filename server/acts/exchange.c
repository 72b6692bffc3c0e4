/* POST /v1/exchanges: the old meter off and the new one on, at one instant and in one act (rules-fleet
 * L12).  Whatever stands against one of them leaves both as they are. */
#include "server/acts/order_priv.h"
#include "server/acts/paper.h"

#include <stdio.h>

struct exchange {
    struct life_act *l;
    const struct exchange_wish *w;
    uint32_t point;
    struct life_part old, new;
    struct paper receipt;
};

static void missing_add(char missing[], size_t cap, bool there, const char *name)
{
    size_t len = strlen(missing);

    if (!there)
        snprintf(missing + len, cap - len, "%s%s", len ? ", " : "", name);
}

/* All that is missing at once (R4). */
static bool all_there(const struct exchange *x)
{
    const struct exchange_wish *w = x->w;
    char missing[120] = "";

    missing_add(missing, sizeof missing, w->point.len, "point");
    missing_add(missing, sizeof missing, w->old_serial.len, "old_serial");
    missing_add(missing, sizeof missing, w->has_old_index, "old_index_l");
    missing_add(missing, sizeof missing, w->new_serial.len, "new_serial");
    missing_add(missing, sizeof missing, w->has_new_index, "new_index_l");
    missing_add(missing, sizeof missing, w->text[EVENT_REASON].len, "reason");
    missing_add(missing, sizeof missing, !w->overrule || w->text[EVENT_NOTE].len, "note");
    if (!missing[0])
        return true;
    return life_refuse(x->l, STAGE_FACTS, ERR_INVALID, missing, "%s: found nothing, expected %s",
                       missing, strchr(missing, ',') ? "all of them" : "a value");
}

static bool facts_possible(struct exchange *x)
{
    const struct exchange_wish *w = x->w;

    if (w->wrong)
        return life_refuse(x->l, STAGE_FACTS, w->wrong->err, w->wrong->field, "%s", w->wrong->text);
    if (!all_there(x))
        return false;
    if (span_equal(w->old_serial, w->new_serial))
        return life_refuse(x->l, STAGE_FACTS, ERR_INVALID, "new_serial",
                           "new_serial: found %.*s, expected another meter than the old one",
                           (int)w->new_serial.len, (const char *)w->new_serial.at);
    if (w->receipt.len && !paper_number_fits(w->receipt))
        return life_refuse(x->l, STAGE_FACTS, ERR_INVALID, "receipt",
                           "receipt: expected a number of 1 to %d bytes in one line, or auto",
                           PAPER_NUMBER_MAX);
    return part_time(&x->old) && part_index(&x->old) && part_index(&x->new);
}

static bool all_exists(struct exchange *x)
{
    return life_point_exists(x->l, x->w->point, &x->point) &&
           (!x->w->old_serial.len || part_exists(&x->old)) &&
           (!x->w->new_serial.len || part_exists(&x->new));
}

/* Who is at the point at that instant; of two that touch the one that came. "no meter": nobody. */
static enum err meter_there(struct exchange *x, char out[SERIAL_MAX + 16])
{
    struct txn *t = &x->l->act->txn;
    struct meter_facts meter;
    struct fittings all;
    uint32_t there = 0;
    enum err err = fittings_load(t, true, x->point, &all);

    for (size_t i = 0; i < all.count && !err; i++) {
        if (all.at[i].from_s <= x->w->at_s && x->w->at_s < all.at[i].to_s)
            there = all.at[i].meter;
    }
    fittings_done(&all);
    snprintf(out, SERIAL_MAX + 16, "no meter");
    if (!err && there && !(err = meter_facts_by_id(t, there, &meter)))
        snprintf(out, SERIAL_MAX + 16, "the meter %s", meter.serial);
    return err;
}

static bool old_is_there(struct exchange *x)
{
    const struct life *was = &x->old.was;
    const char *state = life_state_name(was->state);
    char there[SERIAL_MAX + 16], at[TEXT_TIME_SIZE];
    enum err err;

    if (life_is_fitted(was->state) && was->point == x->point)
        return true;
    if ((err = meter_there(x, there)))
        return life_failed(x->l, err);
    text_put_time(at, x->w->at_s);
    return life_refuse(x->l, STAGE_STATE, ERR_CONFLICT, "old_serial",
                       "old_serial: %s is not fitted at %.*s at %s: its state is %s%s, and at the "
                       "point there is %s; what is taken off is running, suspended or faulty",
                       x->old.life.facts.serial, (int)x->w->point.len, (const char *)x->w->point.at,
                       at, state ? state : "not recorded",
                       life_is_fitted(was->state) ? " elsewhere" : "", there);
}

/* ---- the receipt: who handed the old meter over, and where it lies now ---- */

static bool receipt_open(struct exchange *x)
{
    const struct exchange_wish *w = x->w;
    struct paper *p = &x->receipt;

    x->l->receipt[0] = 0;
    if (!w->receipt.len)
        return true;
    if (!paper_open(p, &x->l->q->app->zone, x->l->act, x->l->out, "receipt", w->receipt, "receipt",
                    w->at_s)) {
        x->l->stage = STAGE_STATE;
        return false;
    }
    p->crew = w->text[EVENT_CREW];
    p->depot = w->text[EVENT_DEPOT];
    p->note = w->text[EVENT_REASON];
    return true;
}

static bool receipt_write(struct exchange *x)
{
    struct paper *p = &x->receipt;
    struct act *act = x->l->act;
    struct paper_line line = { .what = LINE_DONE, .serial = x->w->old_serial };

    if (!x->w->receipt.len || x->l->judge_only)
        return true;
    line_of_life(&act->txn, &x->old.life, x->w->at_s, &line);
    paper_line(p, act, &line);
    p->meters = 1;
    paper_close(p, act);
    memcpy(x->l->receipt, p->number, sizeof x->l->receipt);
    return act->txn.err ? life_failed(x->l, act->txn.err) : true;
}

/* The old meter is taken off before the new one is judged, so that it does not stand in its way; what
 * the readings say is told last (R3). */
static bool exchanged(struct exchange *x)
{
    if (!facts_possible(x))
        return false;
    x->old.named = x->new.named = true;
    return old_is_there(x) && part_judge(&x->old) && part_weigh(&x->old) && part_write(&x->old) &&
           part_judge(&x->new) && part_weigh(&x->new) && receipt_open(x) && part_agrees(&x->old) &&
           part_agrees(&x->new) && part_write(&x->new) && receipt_write(x);
}

static void part_begin(struct exchange *x, struct life_part *p, bool is_new)
{
    const struct exchange_wish *w = x->w;
    struct life_event *e = &p->event;
    bool has_index = is_new ? w->has_new_index : w->has_old_index;

    memset(p, 0, sizeof *p);
    p->l = x->l;
    p->serial_field = is_new ? "new_serial" : "old_serial";
    p->index_field = is_new ? "new_index_l" : "old_index_l";
    p->serial = is_new ? w->new_serial : w->old_serial;
    p->point = w->point;
    p->overrule = w->overrule;
    e->kind = is_new ? EVENT_INSTALL : EVENT_REMOVE;
    e->at_s = w->at_s;
    e->flags = has_index ? EVENT_HAS_INDEX : 0;
    e->index_ml = is_new ? w->new_index_ml : w->old_index_ml;
    e->verified_on = e->valid_until = NO_DAY;
    memcpy(e->text, w->text, sizeof w->text);
    if (is_new)
        e->text[EVENT_REASON] = e->text[EVENT_DEPOT] = span_of(NULL, 0);
    else
        e->text[EVENT_SEAL] = span_of(NULL, 0);
}

bool life_act_exchange(struct life_act *l, const struct exchange_wish *w)
{
    struct exchange x = { .l = l, .w = w };
    bool fine;

    part_begin(&x, &x.old, false);
    part_begin(&x, &x.new, true);
    fine = all_exists(&x);
    x.new.event.point = x.point;
    fine = fine && exchanged(&x);
    part_done(&x.old);
    part_done(&x.new);
    return fine;
}

static void read_wish(const struct act_request *q, int64_t now_s, struct exchange_wish *w,
                      struct refusal *wrong)
{
    struct life_body b = life_body_of(q, wrong);

    memset(w, 0, sizeof *w);
    body_text(&b, "point", &w->point);
    body_time(&b, "at", now_s, &w->at_s);
    body_text(&b, "old_serial", &w->old_serial);
    body_index(&b, "old_index_l", &w->has_old_index, &w->old_index_ml);
    body_text(&b, "new_serial", &w->new_serial);
    body_index(&b, "new_index_l", &w->has_new_index, &w->new_index_ml);
    body_flag(&b, "overrule", &w->overrule);
    body_text(&b, "receipt", &w->receipt);
    body_texts(&b, w->text);
    body_others(&b, "point", "at", "old_serial", "old_index_l", "new_serial", "new_index_l",
                "overrule", "receipt", NULL);
    w->wrong = wrong->err ? wrong : NULL;
}

static void answer(const struct life_act *l, const struct exchange_wish *w,
                   const struct order_closed *closed, const struct warnings *warnings)
{
    struct out *o = &l->out->body;

    answer_begin(l->out, 201);
    out_member_span(o, "point", w->point);
    out_member_time(o, "at", w->at_s);
    out_member_span(o, "old_serial", w->old_serial);
    out_member_litres(o, "old_index_l", w->old_index_ml);
    out_member_span(o, "new_serial", w->new_serial);
    out_member_litres(o, "new_index_l", w->new_index_ml);
    out_member_text(o, "state", life_state_name(l->state));
    if (l->receipt[0])
        out_member_text(o, "receipt", l->receipt);
    if (closed->found)
        out_member_span(o, "order", closed->kept.order.name);
    answer_end(l->out, warnings);
}

/* An order to replace that meter is done by it, whoever reported it and how. */
static bool exchanged_for_order(struct life_act *l, struct exchange_wish *w,
                                struct order_closed *closed)
{
    order_seek_exchanged(l->act, w, closed);
    if (!life_act_exchange(l, w))
        return false;
    order_close_exchanged(l->act, w, closed);
    return !l->act->txn.err || life_failed(l, l->act->txn.err);
}

void act_post_exchange(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    int64_t now_s = clock_now_s(&app->clock);
    struct refusal wrong = { 0 };
    struct order_closed closed;
    struct exchange_wish w;
    struct life_act l;
    struct act act;

    read_wish(q, now_s, &w, &wrong);
    if (!life_may_exchange(q, out, w.overrule))
        return;
    act = act_join(app->ledger, q->caller->who, now_s, journal_end(app->journal));
    life_act_init(&l, q, out, &act);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (exchanged_for_order(&l, &w, &closed)) {
        answer(&l, &w, &closed, life_act_warnings(&l));
        if (!answer_commit(q, out, &act))
            life_act_committed(&l);
    }
    answer_abort(out, &act);
    life_act_done(&l);
}
