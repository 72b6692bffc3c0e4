#include "server/acts/lifeact.h"

#include "server/acts/event_priv.h"
#include "server/acts/register.h"
#include "server/commands.h"
#include "server/replacements.h"
#include "server/settler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- who may (R2) ---- */

#define EVENT_BIT(kind) (1u << (kind))
#define EVENTS_OF_CREW                                                                             \
    (EVENT_BIT(EVENT_INSPECT) | EVENT_BIT(EVENT_INSTALL) | EVENT_BIT(EVENT_SUSPEND) |              \
     EVENT_BIT(EVENT_RESUME) | EVENT_BIT(EVENT_FAULT) | EVENT_BIT(EVENT_REMOVE) |                  \
     EVENT_BIT(EVENT_LOSE))
#define EVENTS_NOT_OF_STORE                                                                        \
    (EVENT_BIT(EVENT_INSTALL) | EVENT_BIT(EVENT_SUSPEND) | EVENT_BIT(EVENT_RESUME) |               \
     EVENT_BIT(EVENT_FAULT) | EVENT_BIT(EVENT_REMOVE))

bool life_role_may(enum role role, enum life_kind kind)
{
    if (ROLES_CHIEF & 1u << role)
        return true;
    if (role == ROLE_STORE)
        return kind == EVENT_KINDS || !(EVENTS_NOT_OF_STORE & EVENT_BIT(kind));
    return role == ROLE_CREW && (kind == EVENT_KINDS || EVENTS_OF_CREW & EVENT_BIT(kind));
}

static bool may_overrule(const struct act_request *q, struct act_reply *out, bool overrule)
{
    if (!overrule || ROLES_CHIEF & 1u << q->caller->role)
        return true;
    answer_refuse(out, ERR_FORBIDDEN, "overrule",
                  "the role %s may not overrule readings: a supervisor or admin may",
                  role_name(q->caller->role));
    return false;
}

bool life_may(const struct act_request *q, struct act_reply *out, enum life_kind kind,
              bool overrule)
{
    if (life_role_may(q->caller->role, kind))
        return may_overrule(q, out, overrule);
    answer_refuse(out, ERR_FORBIDDEN, "", "the role %s may not record the event %s",
                  role_name(q->caller->role),
                  kind == EVENT_KINDS ? "of a meter" : event_name(kind));
    return false;
}

bool life_may_exchange(const struct act_request *q, struct act_reply *out, bool overrule)
{
    return answer_role(q, out, ROLES_CREW) && may_overrule(q, out, overrule);
}

/* ---- refusals and warnings ---- */

bool life_refuse(struct life_act *l, enum life_stage stage, enum err err, const char *field,
                 const char *format, ...)
{
    char text[REPLY_DETAIL];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    l->stage = stage;
    answer_refuse(l->out, err, field, "%s", text);
    return false;
}

bool life_failed(struct life_act *l, enum err err)
{
    l->stage = STAGE_FAILED;
    answer_failed(l->out, err);
    return false;
}

void life_warn(struct life_act *l, const char *code, const char *format, ...)
{
    struct warnings *w = &l->warnings;
    char text[sizeof w->at[0].text];
    va_list args;

    for (unsigned i = 0; i < w->count; i++) {
        if (strcmp(w->at[i].code, code) != 0)
            continue;
        l->warned[i]++;
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (w->count < sizeof l->warned / sizeof l->warned[0])
        l->warned[w->count] = 1;
    warn(w, code, "%s", text);
}

/* ---- first expired, first out (V11) ---- */

/* Meters of one dn, q3 and model that this act issues: the one with the latest date. */
struct life_issued {
    struct meter_life of; /* without its events */
    int32_t day, due;
};

static bool same_kind(const struct meter_life *a, const struct meter_life *b)
{
    return a->facts.dn_mm == b->facts.dn_mm && a->facts.q3_lph == b->facts.q3_lph &&
           strcmp(a->model, b->model) == 0;
}

bool life_issued_one(struct life_act *l, const struct meter_life *of, int32_t day, int32_t due)
{
    struct life_issued *i = l->issued, *end = l->issued + l->issued_count;

    while (i < end && !(i->day == day && same_kind(&i->of, of)))
        i++;
    if (i == end) {
        i = (struct life_issued *)realloc(l->issued, (l->issued_count + 1) * sizeof *i);
        if (!i)
            return false;
        l->issued = i;
        i += l->issued_count++;
        *i = (struct life_issued){ .day = day, .due = INT32_MIN };
    }
    if (due <= i->due)
        return true;
    i->of = *of;
    i->of.events = NULL;
    i->of.count = i->of.cap = 0;
    memset(&i->of.texts, 0, sizeof i->of.texts);
    i->due = due;
    return true;
}

static void warn_of_older(struct life_act *l, const struct life_issued *i)
{
    struct meter_facts older;
    char was[11], is[11];
    int32_t due;
    uint32_t meter = lives_older_in_stock(&l->act->txn, &i->of, i->day, i->due, &due);

    if (!meter || meter_facts_by_id(&l->act->txn, meter, &older))
        return;
    text_put_date(was, due);
    text_put_date(is, i->due);
    life_warn(l, "older-in-stock", "%s is in stock and in date until %s, %s until %s", older.serial,
              was, i->of.facts.serial, is);
}

const struct warnings *life_act_warnings(struct life_act *l)
{
    struct warnings *w = &l->warnings;

    if (l->issued_count)
        lives_catch_up(l->q->app, l->act);
    for (size_t i = 0; i < l->issued_count; i++)
        warn_of_older(l, &l->issued[i]);
    l->issued_count = 0;
    for (unsigned i = 0; i < w->count; i++) {
        size_t len = strlen(w->at[i].text);

        if (l->warned[i] > 1)
            snprintf(w->at[i].text + len, sizeof w->at[i].text - len, " (and %u more)",
                     l->warned[i] - 1);
        l->warned[i] = 1;
    }
    return w;
}

/* ---- begin and end ---- */

void life_act_init(struct life_act *l, const struct act_request *q, struct act_reply *out,
                   struct act *act)
{
    memset(l, 0, sizeof *l);
    l->q = q;
    l->out = out;
    l->act = act;
    act->words = &register_words;
}

void life_act_done(struct life_act *l)
{
    free(l->touched);
    free(l->issued);
}

void life_act_committed(struct life_act *l)
{
    rankings_touch(l->q->app->rankings, l->touched, l->touched_count);
    for (size_t i = 0; i < l->touched_count; i++) {
        settler_touch_behind(l->q->app->settler, l->touched[i]);
        commands_review(l->q->app->commands, l->touched[i]);
    }
}

/* ---- an event ---- */

bool life_point_exists(struct life_act *l, struct span name, uint32_t *out_point)
{
    struct txn *t = &l->act->txn;
    struct ledger_row row;

    *out_point = 0;
    if (!name.len)
        return true;
    if (ledger_find(t, LIST_POINT, name, INT64_MAX, &row)) {
        *out_point = row.id;
        return true;
    }
    if (t->err)
        return life_failed(l, t->err);
    return life_refuse(l, STAGE_EXISTS, ERR_NOT_FOUND, "point",
                       "point: nobody registered the point %.*s",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
}

static bool event_known(struct life_part *p, const struct life_wish *w)
{
    if (w->wrong)
        return part_refuse(p, STAGE_FACTS, w->wrong->err, w->wrong->field, "%s", w->wrong->text);
    if (w->kind != EVENT_KINDS)
        return true;
    return part_refuse(p, STAGE_FACTS, ERR_INVALID, "event",
                       "event: found nothing, expected an event of a meter");
}

static bool event_facts(struct life_part *p, const struct life_wish *w)
{
    const struct meter_life *life = &p->life;
    struct life_refusal why;
    enum err err =
        life_facts(&life->rules, life->events, life->count, &p->event, p->overrule, &why);

    if (err == ERR_INVALID)
        return part_refuse(p, STAGE_FACTS, err, why.field ? why.field : "", "%s", why.text);
    if (err)
        return life_failed(p->l, err);
    if (p->event.kind == EVENT_INSPECT && w->no_result)
        return part_refuse(p, STAGE_FACTS, ERR_INVALID, "result",
                           "result: found nothing, expected pass or fail");
    return part_index(p);
}

static void event_begin(struct life_part *p, struct life_act *l, const struct life_wish *w)
{
    memset(p, 0, sizeof *p);
    p->l = l;
    p->serial_field = "serial";
    p->index_field = "index_l";
    p->serial = w->serial;
    p->point = w->point;
    p->overrule = w->overrule;
    p->named = l->many;
    p->event.kind = (uint8_t)w->kind;
    p->event.at_s = w->at_s;
    p->event.flags = (uint8_t)((w->has_index ? EVENT_HAS_INDEX : 0) |
                               (w->failed && w->kind == EVENT_INSPECT ? EVENT_FAILED : 0));
    p->event.index_ml = w->index_ml;
    p->event.verified_on = w->kind == EVENT_VERIFY ? w->verified_on : NO_DAY;
    p->event.valid_until = w->kind == EVENT_VERIFY ? w->valid_until : NO_DAY;
    memcpy(p->event.text, w->text, sizeof w->text);
}

bool life_act_event(struct life_act *l, const struct life_wish *w)
{
    struct life_part p;
    bool fine;

    event_begin(&p, l, w);
    fine = part_exists(&p) && life_point_exists(l, w->point, &p.event.point) &&
           event_known(&p, w) && part_time(&p) && event_facts(&p, w) && part_judge(&p) &&
           part_weigh(&p) && part_agrees(&p) && part_write(&p);
    part_done(&p);
    return fine;
}
