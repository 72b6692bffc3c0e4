/* One meter's part of an act on lives: the steps of rules-fleet R3, one after the other. */
#include "server/acts/event_priv.h"
#include "server/acts/seal.h"
#include "server/readings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct txn *txn_of(struct life_part *p)
{
    return &p->l->act->txn;
}

bool part_refuse(struct life_part *p, enum life_stage stage, enum err err, const char *field,
                 const char *format, ...)
{
    char text[REPLY_DETAIL];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (p->named)
        return life_refuse(p->l, stage, err, field, "%s: %s", p->life.facts.serial, text);
    return life_refuse(p->l, stage, err, field, "%s", text);
}

void part_done(struct life_part *p)
{
    life_done(&p->life);
    free(p->before.at);
    free(p->after.at);
}

/* ---- does it exist ---- */

/* What holds where the event comes to stand: after all of its second. */
static void part_place(struct life_part *p)
{
    const struct meter_life *life = &p->life;

    life_begin(&p->was, &life->rules);
    for (p->place = 0; p->place < life->count && life->events[p->place].at_s <= p->event.at_s;
         p->place++)
        life_step(&p->was, &life->events[p->place]);
}

bool part_exists(struct life_part *p)
{
    enum err err = life_load_serial(p->l->q->app, txn_of(p), p->serial, &p->life);

    if (err == ERR_NOT_FOUND)
        return life_refuse(p->l, STAGE_EXISTS, err, p->serial_field,
                           "%s: nobody registered the meter %.*s", p->serial_field,
                           (int)(p->serial.len < 64 ? p->serial.len : 64),
                           (const char *)p->serial.at);
    if (err)
        return life_failed(p->l, err);
    part_place(p);
    return true;
}

/* ---- are the facts possible ---- */

bool part_time(struct life_part *p)
{
    int64_t now_s = p->l->act->now_s;
    char now[TEXT_TIME_SIZE], at[TEXT_TIME_SIZE];

    if (p->event.at_s <= now_s + FUTURE_AFTER_S)
        return true;
    text_put_time(now, now_s);
    text_put_time(at, p->event.at_s);
    return part_refuse(p, STAGE_FACTS, ERR_INVALID, "at",
                       "at: found %s, expected a time at most 600 s after the server's clock, %s",
                       at, now);
}

/* What a meter does not lose or leave with is kept, and not judged (T2). */
static bool index_counts(const struct life_part *p)
{
    return p->event.flags & EVENT_HAS_INDEX &&
           (event_needs_index((enum life_kind)p->event.kind) ||
            (p->event.kind == EVENT_LOSE && life_is_fitted(p->was.state)));
}

bool part_index(struct life_part *p)
{
    const struct meter_facts *m = &p->life.facts;
    char modulus[TEXT_LITRES_SIZE], index[TEXT_LITRES_SIZE];

    if (!index_counts(p) || (p->event.index_ml >= 0 && p->event.index_ml < m->modulus_ml))
        return true;
    text_put_litres(modulus, m->modulus_ml);
    text_put_litres(index, p->event.index_ml);
    return part_refuse(p, STAGE_FACTS, ERR_INVALID, p->index_field,
                       "%s: found %s, expected 0 to below %s, which the dial of %s does not reach",
                       p->index_field, index, modulus, m->serial);
}

/* ---- does the state, does anything else stand against it ---- */

static bool changes_fittings(const struct life_part *p)
{
    return p->event.kind == EVENT_INSTALL || p->event.kind == EVENT_REMOVE ||
           p->event.kind == EVENT_LOSE;
}

static enum err fits_of(const struct life_event *events, size_t count, uint32_t meter,
                        struct fit_list *out)
{
    size_t cap = count ? count : 1; /* each begins with an event of its own */

    free(out->at);
    if (!(out->at = (struct fitting *)malloc(cap * sizeof *out->at)))
        return ERR_NO_MEMORY;
    out->count = life_fittings(events, count, meter, out->at, NULL, cap);
    return out->count <= cap ? ERR_OK : ERR_CORRUPT;
}

static enum err fits_known(struct life_part *p)
{
    const struct meter_life *life = &p->life;
    struct life_event *with;
    enum err err;

    if (!(with = (struct life_event *)malloc((life->count + 1) * sizeof *with)))
        return ERR_NO_MEMORY;
    if (p->place)
        memcpy(with, life->events, p->place * sizeof *with);
    with[p->place] = p->event;
    if (life->count > p->place)
        memcpy(with + p->place + 1, life->events + p->place,
               (life->count - p->place) * sizeof *with);
    if (!(err = fits_of(life->events, life->count, life->meter, &p->before)))
        err = fits_of(with, life->count + 1, life->meter, &p->after);
    free(with);
    return err;
}

static bool same_fitting(const struct fitting *a, const struct fitting *b)
{
    return a->point == b->point && a->from_s == b->from_s && a->to_s == b->to_s;
}

static bool is_in(const struct fit_list *list, const struct fitting *f)
{
    for (size_t i = 0; i < list->count; i++) {
        if (same_fitting(&list->at[i], f))
            return true;
    }
    return false;
}

/* Fittings of no length stand against each other where they fall together, though half-open spans of
 * that kind do not overlap. */
static bool against(const struct fitting *a, const struct fitting *b)
{
    return (a->from_s < b->to_s && b->from_s < a->to_s) ||
           (a->from_s == b->from_s && a->to_s == b->to_s);
}

static bool refuse_occupied(struct life_part *p, const struct fitting *other)
{
    char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE] = "now on";
    struct meter_facts meter;
    struct ledger_row point;
    enum err err = meter_facts_by_id(txn_of(p), other->meter, &meter);

    if (!err && !ledger_by_id(txn_of(p), LIST_POINT, other->point, INT64_MAX, &point))
        err = txn_of(p)->err ? txn_of(p)->err : ERR_MISSING;
    if (err)
        return life_failed(p->l, err == ERR_NOT_FOUND ? ERR_MISSING : err);
    text_put_time(from, other->from_s);
    if (other->to_s != FITTING_OPEN)
        text_put_time(to, other->to_s);
    return part_refuse(p, STAGE_STATE, ERR_CONFLICT, "point",
                       "point: at %.*s there is the meter %s, from %s to %s",
                       (int)point.cells[0].len, (const char *)point.cells[0].at, meter.serial, from,
                       to);
}

static bool place_free(struct life_part *p, const struct fitting *f)
{
    struct fittings all;
    enum err err = fittings_load(txn_of(p), true, f->point, &all);
    bool is_free = !err;

    for (size_t i = 0; i < all.count && is_free; i++) {
        if (all.at[i].meter != f->meter && against(&all.at[i], f))
            is_free = refuse_occupied(p, &all.at[i]);
    }
    fittings_done(&all);
    return err ? life_failed(p->l, err) : is_free;
}

/* L5: what an installation makes of the meter's fittings must find its points without another meter;
 * what takes a meter off is never in anybody's way. */
static bool places_free(struct life_part *p)
{
    enum err err = fits_known(p);

    if (err)
        return life_failed(p->l, err);
    for (size_t i = 0; i < p->after.count && p->event.kind == EVENT_INSTALL; i++) {
        if (!is_in(&p->before, &p->after.at[i]) && !place_free(p, &p->after.at[i]))
            return false;
    }
    return true;
}

bool part_judge(struct life_part *p)
{
    const struct meter_life *life = &p->life;
    struct life_refusal why;
    enum err err =
        life_judge(&life->rules, life->events, life->count, &p->event, &p->warnings, &why);

    if (err == ERR_CONFLICT)
        return part_refuse(p, STAGE_STATE, err, why.field ? why.field : "", "%s", why.text);
    if (err)
        return life_failed(p->l, err);
    return !changes_fittings(p) || places_free(p);
}

/* ---- what the readings say ---- */

static enum err rows_of(struct life_part *p, int64_t from_s, int64_t to_s, struct rows *out)
{
    const struct meter_facts *m = &p->life.facts;

    return readings_load(p->l->q->app, m, meter_billed_channel(m), from_s,
                         to_s == FITTING_OPEN ? INT64_MAX : to_s + 1, out);
}

/* The fitting that the event ends; NULL: there is none. */
static const struct fitting *fitting_ended(const struct life_part *p)
{
    for (size_t i = p->before.count; i-- > 0;) {
        const struct fitting *f = &p->before.at[i];

        if (f->point == p->was.point && f->from_s == p->was.fitted_s && f->to_s >= p->event.at_s)
            return f;
    }
    return NULL;
}

static enum err weigh_closing(struct life_part *p, const struct fitting *f)
{
    struct mark closing = { p->event.at_s, p->event.index_ml };
    const struct fit_list *b = &p->before;
    const struct meter_facts *m = &p->life.facts;
    struct rows rows = { 0 };
    enum err err = rows_of(p, f->from_s, f->to_s, &rows);

    if (!err && p->event.flags & EVENT_HAS_INDEX) {
        err = contradict_closing(m, b->at, b->count, f, &rows, &closing, &p->contradiction);
    } else if (!err) {
        err = contradict_last(m, b->at, b->count, f, &rows, closing.at_s, &closing);
        p->event.index_ml = closing.value;
        p->event.flags |= EVENT_HAS_INDEX | EVENT_READ_INDEX;
    }
    rows_done(&rows);
    return err;
}

static enum err weigh_opening(struct life_part *p)
{
    const struct mark opening = { p->event.at_s, p->event.index_ml };
    struct rows rows = { 0 };
    enum err err = rows_of(p, p->event.at_s, FITTING_OPEN, &rows);

    if (!err)
        err = contradict_opening(&p->life.facts, p->before.at, p->before.count, p->after.at,
                                 p->after.count, &rows, &opening, &p->contradiction);
    rows_done(&rows);
    return err;
}

bool part_weigh(struct life_part *p)
{
    const struct fitting *f;
    enum err err = ERR_OK;

    if (p->event.kind == EVENT_INSTALL)
        err = weigh_opening(p);
    else if (changes_fittings(p) && life_is_fitted(p->was.state) && (f = fitting_ended(p)))
        err = weigh_closing(p, f);
    if (err)
        return life_failed(p->l, err);
    if (p->contradiction.of && p->overrule)
        p->event.flags |= EVENT_OVERRULED;
    return true;
}

static bool refuse_contradicted(struct life_part *p)
{
    static const char *const what[] = { [AGAINST_READING] = "read",
                                        [AGAINST_OPENING] = "with which it was installed",
                                        [AGAINST_CLOSING] = "with which it had been taken off" };
    const struct contradiction *e = &p->contradiction;
    bool below = p->event.index_ml < e->with.value;
    char index[TEXT_LITRES_SIZE], with[TEXT_LITRES_SIZE], at[TEXT_TIME_SIZE], farther[96] = "";

    text_put_litres(index, p->event.index_ml);
    if (e->farthest.value != e->with.value) {
        text_put_litres(with, e->farthest.value);
        text_put_time(at, e->farthest.at_s);
        snprintf(farther, sizeof farther, ", and %s, read at %s", with, at);
    }
    text_put_litres(with, e->with.value);
    text_put_time(at, e->with.at_s);
    return part_refuse(p, STAGE_READINGS, ERR_INVALID, p->index_field,
                       "%s: found %s, expected %s %s, %s at %s%s", p->index_field, index,
                       below ? "not below" : "not above", with, what[e->of], at, farther);
}

bool part_agrees(struct life_part *p)
{
    return !p->contradiction.of || p->overrule || refuse_contradicted(p);
}

/* ---- it is taken ---- */

static int32_t day_of(const struct life_part *p, int64_t at_s)
{
    return (int32_t)zone_day_number(p->life.rules.zone, at_s);
}

static void warn_of_verification(struct life_part *p)
{
    const struct verify_meter *v = &p->life.rules.verify;
    int32_t day = p->event.verified_on == NO_DAY ? day_of(p, p->event.at_s) : p->event.verified_on;
    struct legal legal;
    char until[11], due[11];

    legal_of(v, day, p->event.valid_until, day, p->event.valid_until, &legal);
    text_put_date(due, legal.due);
    if (legal.warnings & LEGAL_CERTIFICATE_IGNORED) {
        text_put_date(until, p->event.valid_until);
        life_warn(p->l, "certificate-date-ignored",
                  "%s: the certificate names %s, but the rule ends on %s", p->life.facts.serial,
                  until, due);
    }
    if (legal.warnings & LEGAL_OVERRIDE_IGNORED)
        life_warn(p->l, "override-ignored",
                  "%s: its own period of %d months is longer than the rule, which ends on %s",
                  p->life.facts.serial, (int)v->life_months, due);
}

static bool warn_of_issue(struct life_part *p)
{
    char due[11];

    if (p->warnings.legal_due == NO_DAY)
        return true;
    text_put_date(due, p->warnings.legal_due);
    if (p->warnings.under_a_year)
        life_warn(p->l, "under-a-year", "%s: its last day in date is %s, less than a year away",
                  p->life.facts.serial, due);
    return life_issued_one(p->l, &p->life, day_of(p, p->event.at_s), p->warnings.legal_due);
}

static bool part_warn(struct life_part *p)
{
    if (p->warnings.unverified)
        life_warn(p->l, "unverified", "%s: nobody knows that it was ever verified",
                  p->life.facts.serial);
    if (p->event.kind == EVENT_VERIFY)
        warn_of_verification(p);
    return p->event.kind != EVENT_ISSUE || warn_of_issue(p);
}

static void note_text(struct out *o, const struct life_event *e, enum event_text which,
                      const char *name)
{
    if (e->text[which].len)
        out_member_span(o, name, e->text[which]);
}

static void put_facts(struct out *o, const struct life_part *p, enum life_state state)
{
    const struct life_event *e = &p->event;

    out_text(o, "{");
    out_member_time(o, "at", e->at_s);
    out_member_text(o, "state", life_state_name(state));
    if (p->point.len)
        out_member_span(o, "point", p->point);
    if (e->flags & EVENT_HAS_INDEX)
        out_member_litres(o, "index_l", e->index_ml);
    note_text(o, e, EVENT_DOCUMENT, "document");
    note_text(o, e, EVENT_CREW, "crew");
    note_text(o, e, EVENT_CERTIFICATE, "certificate");
    note_text(o, e, EVENT_REASON, "reason");
    note_text(o, e, EVENT_ORDER_ID, "order");
    if (e->kind == EVENT_INSPECT)
        out_member_text(o, "result", e->flags & EVENT_FAILED ? "fail" : "pass");
    if (e->flags & EVENT_OVERRULED)
        out_member_bool(o, "overruled", true);
    out_text(o, "}");
}

static void part_note(struct life_part *p)
{
    struct act *act = p->l->act;
    struct out told = { 0 };
    char what[32];

    snprintf(what, sizeof what, "meter.%s", event_name((enum life_kind)p->event.kind));
    put_facts(&told, p, p->l->state);
    if (told.err)
        act->txn.err = told.err;
    else
        act_note(act, what, span_text(p->life.facts.serial), span_of(NULL, 0),
                 span_of(told.at, told.len), p->event.text[EVENT_NOTE]);
    out_done(&told);
}

static bool touch(struct life_act *l, uint32_t meter)
{
    if (l->touched_count == l->touched_cap) {
        size_t cap = l->touched_cap ? l->touched_cap * 2 : 4;
        uint32_t *more = (uint32_t *)realloc(l->touched, cap * sizeof *more);

        if (!more)
            return false;
        l->touched = more;
        l->touched_cap = cap;
    }
    l->touched[l->touched_count++] = meter;
    return true;
}

/* Readings and flags follow from fittings, from when it is in use and from the legal date, a date by condition from what was found. */
static bool is_judged_anew(const struct life_part *p)
{
    static const unsigned found = 1u << EVENT_VERIFY | 1u << EVENT_INSPECT | 1u << EVENT_FAULT |
                                  1u << EVENT_SUSPEND | 1u << EVENT_RESUME;

    return changes_fittings(p) || (found >> p->event.kind & 1);
}

/* A seal that the register knows is put on once; what comes off with a meter puts none on. */
static bool part_seals(struct life_part *p)
{
    struct act *act = p->l->act;
    struct span point = p->point;
    struct ledger_row row;
    char why[200], name[64];
    enum err err;

    if (!p->event.text[EVENT_SEAL].len || p->event.kind == EVENT_REMOVE ||
        p->event.kind == EVENT_LOSE)
        return true;
    if (!point.len && life_is_fitted(p->was.state) &&
        ledger_by_id(&act->txn, LIST_POINT, p->was.point, INT64_MAX, &row)) {
        snprintf(name, sizeof name, "%.*s", (int)row.cells[0].len, (const char *)row.cells[0].at);
        point = span_text(name);
    }
    err = seal_use(act, p->event.text[EVENT_SEAL], p->serial, point, why, sizeof why);
    if (err == ERR_CONFLICT)
        return part_refuse(p, STAGE_STATE, err, "seal", "%s", why);
    return err ? life_failed(p->l, err) : true;
}

static const struct fitting *fitting_begun(const struct life_part *p)
{
    for (size_t i = 0; p->event.kind == EVENT_INSTALL && i < p->after.count; i++) {
        const struct fitting *f = &p->after.at[i];

        if (f->point == p->event.point && f->from_s == p->event.at_s)
            return f;
    }
    return NULL;
}

/* It was lost later, when nobody knew that it was fitted: what the fitting closes with is read now (L10). */
static enum err close_lost(struct life_part *p)
{
    const struct fitting *f = fitting_begun(p);
    struct meter_life *life = &p->life;
    struct rows rows = { 0 };
    struct mark last;
    size_t i = p->place + 1;
    enum err err;

    if (!f || f->to_s == FITTING_OPEN || f->has_end)
        return ERR_OK;
    while (i < life->count &&
           (life->events[i].kind != EVENT_LOSE || life->events[i].at_s != f->to_s))
        i++;
    if (i == life->count)
        return ERR_OK;
    err = rows_of(p, f->from_s, f->to_s, &rows);
    if (!err && !(err = contradict_last(&life->facts, p->after.at, p->after.count, f, &rows,
                                        f->to_s, &last)))
        life_read_index(p->l->act, life, i, last.value);
    rows_done(&rows);
    return err;
}

bool part_write(struct life_part *p)
{
    struct life_act *l = p->l;
    struct life then = p->was;
    enum err err;

    life_step(&then, &p->event);
    l->state = then.state;
    if (l->judge_only)
        return true;
    if (!part_seals(p))
        return false;
    life_write(l->q->app, l->act, &p->life, &p->event);
    if (!l->act->txn.err && (err = close_lost(p)))
        return life_failed(l, err);
    if (!l->quiet)
        part_note(p);
    if (l->act->txn.err)
        return life_failed(l, l->act->txn.err);
    if ((is_judged_anew(p) && !touch(l, p->life.meter)) || !part_warn(p))
        return life_failed(l, ERR_NO_MEMORY);
    return true;
}
