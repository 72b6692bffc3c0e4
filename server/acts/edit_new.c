/* POST /v1/points/POINT/edits: what a dial stood at, by whom and why.  Told as the dial's index at an instant, or as what was used over a span, which is the index
 * that the dial must have shown at its end.  What moves the register by more than one person may waits for another; what one person alone moved at the point within a year,
 * or within the days that the limit looks at, counts with it. */
#include "server/acts/edit.h"
#include "server/prices.h"
#include "server/registers.h"

#define DAY_S 86400
#define SPAN_MOST_S (400ll * DAY_S) /* as of a cycle */
#define YEAR_S (366ll * DAY_S)

struct asking {
    struct editing e;
    bool by_use; /* told as what was used */
    bool has_from;
    int64_t use_ml;
    struct span serial;
    struct meter_facts meter;
    struct fleet_rules rules;
};

/* ---- names ---- */

static bool names_known(struct asking *a)
{
    struct editing *e = &a->e;
    struct ledger_row point;
    enum err err;

    if (!ledger_find(&e->act.txn, LIST_POINT, e->q->subject, INT64_MAX, &point)) {
        if (e->act.txn.err)
            answer_failed(e->reply, e->act.txn.err);
        else
            answer_refuse(e->reply, ERR_NOT_FOUND, "point",
                          "point: found %.*s, expected a point that is registered",
                          (int)(e->q->subject.len < 64 ? e->q->subject.len : 64),
                          (const char *)e->q->subject.at);
        return false;
    }
    e->edit.point = point.id;
    if (!answer_text(e->q, e->reply, "serial", false, &a->serial))
        return false;
    if (!a->serial.len)
        return true;
    err = meter_facts_by_serial(&e->act.txn, a->serial, &a->meter);
    if (!err) {
        e->edit.meter = a->meter.id;
        return true;
    }
    if (err == ERR_NOT_FOUND)
        answer_refuse(e->reply, ERR_NOT_FOUND, "serial",
                      "serial: found %.*s, expected a meter that is registered",
                      (int)(a->serial.len < 64 ? a->serial.len : 64), (const char *)a->serial.at);
    else
        answer_failed(e->reply, err);
    return false;
}

/* ---- facts ---- */

static bool litres_taken(struct asking *a, const char *name, int64_t *out_ml)
{
    const json_t *v = json_object_get(a->e.q->body, name);
    char room[JSON_NUMBER_ROOM];
    struct span text = v ? json_scalar(v, room) : span_of(NULL, 0);

    if (text.len && text_litres(text, out_ml) == ERR_OK && *out_ml >= 0)
        return true;
    answer_refuse(a->e.reply, ERR_INVALID, name,
                  "%s: found %.*s, expected litres, with up to three decimals, and not below 0",
                  name, text.len ? (int)(text.len < 60 ? text.len : 60) : 7,
                  text.len ? (const char *)text.at : "nothing");
    return false;
}

/* The instant that it is of, and where the span before it begins. */
static bool times_taken(struct asking *a)
{
    struct editing *e = &a->e;
    const char *end = a->by_use ? "to" : "at";
    char found[TEXT_TIME_SIZE], now[TEXT_TIME_SIZE];

    if (!answer_time(e->q, e->reply, end, INT64_MIN, &e->edit.at_s) ||
        !answer_time(e->q, e->reply, "from", INT64_MIN, &e->edit.span_from_s))
        return false;
    a->has_from = e->edit.span_from_s != INT64_MIN;
    if (e->edit.at_s < 0 || (a->by_use && !a->has_from)) {
        const char *missing = e->edit.at_s < 0 ? end : "from";

        answer_refuse(e->reply, ERR_INVALID, missing,
                      "%s: found nothing, expected a time since 1970", missing);
        return false;
    }
    if (e->edit.at_s > e->act.now_s) {
        text_put_time(found, e->edit.at_s);
        text_put_time(now, e->act.now_s);
        answer_refuse(e->reply, ERR_INVALID, end,
                      "%s: found %s, expected a time not after the server's clock, %s", end, found,
                      now);
        return false;
    }
    if (!a->has_from || (e->edit.span_from_s >= 0 && e->edit.span_from_s < e->edit.at_s &&
                         e->edit.at_s - e->edit.span_from_s <= SPAN_MOST_S))
        return true;
    answer_refuse(e->reply, ERR_INVALID, "from",
                  "from: expected a time before %s by at most 400 days", end);
    return false;
}

static bool facts_taken(struct asking *a)
{
    struct editing *e = &a->e;

    a->by_use = json_object_get(e->q->body, "consumption_l") != NULL;
    if (!edit_word_taken(e, "reason", true, &e->edit.asked) || !times_taken(a))
        return false;
    if (a->by_use &&
        (json_object_get(e->q->body, "index_l") || json_object_get(e->q->body, "at"))) {
        answer_refuse(e->reply, ERR_INVALID, "consumption_l",
                      "consumption_l: found together with at or index_l, expected from, to and "
                      "consumption_l, or else at and index_l");
        return false;
    }
    return a->by_use ? litres_taken(a, "consumption_l", &a->use_ml)
                     : litres_taken(a, "index_l", &e->edit.index_ml);
}

static bool index_possible(struct asking *a)
{
    char found[TEXT_LITRES_SIZE], modulus[TEXT_LITRES_SIZE];

    if (a->meter.modulus_ml <= 0 || a->e.edit.index_ml < a->meter.modulus_ml)
        return true;
    text_put_litres(found, a->e.edit.index_ml);
    text_put_litres(modulus, a->meter.modulus_ml);
    answer_refuse(a->e.reply, ERR_INVALID, "index_l",
                  "index_l: found %s, expected below %s, where the dial passes zero", found,
                  modulus);
    return false;
}

/* ---- where ---- */

/* The meter, and what it is put in place of; the index, where it was told as what was used. */
static bool place_taken(struct asking *a)
{
    struct editing *e = &a->e;
    enum edit_place place;
    bool has;
    enum err err = edit_place(&e->act.txn, e->edit.point, e->edit.at_s, &place, &e->fitting);

    if (err || place != EDIT_PLACE_FOUND) /* edit_can_hold tells why */
        return err ? (answer_failed(e->reply, err), false) : true;
    if ((err = meter_facts_by_id(&e->act.txn, e->fitting.meter, &a->meter)) ||
        (err = edit_reading_at(e->q->app, &a->meter, e->edit.at_s, &e->edit.has_instead,
                               &e->edit.instead_ml))) {
        answer_failed(e->reply, err);
        return false;
    }
    if (!e->edit.has_instead)
        e->edit.instead_ml = 0;
    if (a->by_use) {
        if ((err =
                 edit_index_for(e->q->app, &e->act.txn, e->edit.point, e->edit.span_from_s,
                                e->edit.at_s, a->use_ml, e->act.now_s, &has, &e->edit.index_ml))) {
            answer_failed(e->reply, err);
            return false;
        }
        if (!has) {
            answer_refuse(e->reply, ERR_INVALID, "consumption_l",
                          "consumption_l: nobody knows where the register stood before, or more "
                          "than that was used before the last meter came; tell at and index_l");
            return false;
        }
    }
    return index_possible(a);
}

/* Where the days before the instant begin that an edit is held against. */
static int64_t days_from_s(const struct asking *a)
{
    int64_t from_s = a->e.edit.at_s - (int64_t)a->rules.edit_span_days * DAY_S;

    from_s = from_s > a->e.fitting.from_s ? from_s : a->e.fitting.from_s;
    return from_s < 0 ? 0 : from_s;
}

struct counting {
    unsigned count;
};

static bool count_one(void *arg, const struct ledger_edit *e)
{
    (void)e;
    return ++((struct counting *)arg)->count < EDITS_OF_POINT_MOST;
}

/* One edit of an instant at a time: the next one says that the one before was wrong, and somebody has to agree to that, too. */
static bool alone_there(struct asking *a)
{
    struct editing *e = &a->e;
    struct counting c = { 0 };
    struct ledger_edit other;

    if (edit_there(&e->act.txn, e->edit.point, e->fitting.meter, e->edit.at_s, &other)) {
        answer_refuse(e->reply, ERR_CONFLICT, "at",
                      "at: edit %llu of that instant is %s; refuse it or take it back first",
                      (unsigned long long)other.id, edit_state_name(other.state));
        return false;
    }
    if (!e->act.txn.err && !ledger_edits(&e->act.txn, e->edit.point, 0, count_one, &c) &&
        c.count < EDITS_OF_POINT_MOST)
        return true;
    if (e->act.txn.err)
        answer_failed(e->reply, e->act.txn.err);
    else
        answer_refuse(e->reply, ERR_CONFLICT, "point",
                      "point: it has %d edits by now, and takes no more", EDITS_OF_POINT_MOST);
    return false;
}

/* ---- what it changes ---- */

static bool says_something(struct asking *a)
{
    char found[TEXT_LITRES_SIZE];

    if (!a->e.weighed.same)
        return true;
    text_put_litres(found, a->e.edit.index_ml);
    answer_refuse(a->e.reply, ERR_INVALID, "index_l",
                  "index_l: a reading of that instant says %s already", found);
    return false;
}

/* Where the begin of the span hangs on its end, the litres that were told are not what comes out. */
static bool use_comes_out(struct asking *a)
{
    const struct edit_weighed *w = &a->e.weighed;
    char found[TEXT_LITRES_SIZE];

    if (!a->by_use || (w->span_known_then && w->span_then_ml == a->use_ml))
        return true;
    text_put_litres(found, w->span_then_ml);
    answer_refuse(a->e.reply, ERR_INVALID, "consumption_l",
                  "consumption_l: no reading stands between from and to, or none before from, so "
                  "that moving the end moves the begin: %s would come out; tell at and index_l",
                  w->span_known_then ? found : "nothing");
    return false;
}

static bool holds(struct asking *a)
{
    struct editing *e = &a->e;

    if (!a->has_from)
        e->edit.span_from_s = days_from_s(a);
    return edit_can_hold(e, false) && says_something(a) && use_comes_out(a);
}

/* What edits of the point moved that nobody but one person saw: in the days around this one's instant, and in a year. */
struct unseen {
    const struct ledger_edit *edit;
    int64_t days_s;
    int64_t in_days_ml, in_year_ml;
};

static int64_t plus_size(int64_t sum_ml, int64_t delta_ml)
{
    __int128 sum = (__int128)sum_ml + (delta_ml < 0 ? -(__int128)delta_ml : delta_ml);

    return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

static bool add_unseen(void *arg, const struct ledger_edit *e)
{
    struct unseen *u = (struct unseen *)arg;
    int64_t apart_s = e->at_s < u->edit->at_s ? u->edit->at_s - e->at_s : e->at_s - u->edit->at_s;

    if (e->takes_two || !edit_in_force(e) || apart_s > YEAR_S)
        return true;
    u->in_year_ml = plus_size(u->in_year_ml, e->delta_ml);
    if (apart_s <= u->days_s)
        u->in_days_ml = plus_size(u->in_days_ml, e->delta_ml);
    return true;
}

static bool is_much(const struct asking *a, const struct edit_weighed *w, const struct unseen *u)
{
    struct edit_limits limits = { a->rules.edit_alone_ml, a->rules.edit_percent };

    return plus_size(u->in_year_ml, w->delta_ml) > limits.alone_ml ||
           edit_takes_two(&limits, w->delta_known, plus_size(u->in_days_ml, w->delta_ml),
                          w->span_known, w->span_ml);
}

/* Many small edits are no way around the limit, nor is a span that was told: who names a long one, or one in which more was used, is held against the days before as well. */
static enum err waits(struct asking *a, bool *out)
{
    struct editing *e = &a->e;
    struct unseen u = { .edit = &e->edit, .days_s = (int64_t)a->rules.edit_span_days * DAY_S };
    struct ledger_edit by_days = e->edit;
    struct edit_weighed w;
    enum err err = ledger_edits(&e->act.txn, e->edit.point, 0, add_unseen, &u);

    if (err)
        return err;
    *out = is_much(a, &e->weighed, &u);
    if (*out || !a->has_from)
        return ERR_OK;
    by_days.span_from_s = days_from_s(a);
    err = edit_weigh(e->q->app, &e->act.txn, &by_days, &e->fitting, e->act.now_s, &w);
    *out = err || is_much(a, &w, &u);
    return err;
}

static void write(struct asking *a)
{
    struct editing *e = &a->e;
    const struct edit_weighed *w = &e->weighed;
    enum err err = waits(a, &e->edit.takes_two);

    if (err) {
        answer_failed(e->reply, err);
        return;
    }

    e->edit.delta_known = w->delta_known;
    e->edit.delta_ml = w->delta_ml;
    e->edit.span_known = w->span_known;
    e->edit.span_ml = w->span_known ? w->span_ml : 0;
    e->edit.state = e->edit.takes_two ? EDIT_WAITING : EDIT_IN_FORCE;
    edit_warn_closed(e);
    edit_commit(e, 201, "edit.asked", "", span_text(e->edit.asked.text));
}

void act_post_edit(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct asking a = { .e = { .q = q, .reply = out } };
    enum err err;

    if (!answer_role(q, out, ROLES_BILLING))
        return;
    a.e.act = act_by(q);
    if (a.e.act.txn.err || (err = fleet_rules_now(app, &a.e.act.txn, &a.rules)))
        answer_failed(out, a.e.act.txn.err);
    else if (names_known(&a) &&
             answer_members(q, out, "from", "to", "consumption_l", "at", "index_l", "serial",
                            "reason", NULL) &&
             facts_taken(&a) && place_taken(&a) && alone_there(&a) && holds(&a))
        write(&a);
    act_abort(&a.e.act);
}
