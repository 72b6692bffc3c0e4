/* GET /v1/leak-cases and one of them: what flows behind a meter, since when, how much, what it costs, and what was told and done about it (server/leak_cases.h). */
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/leak_cases.h"
#include "server/notices.h"
#include "server/orders.h"
#include "server/prices.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define METERS 64 /* looked for at a time */

static const char *const columns[] = {
    "id",         "state",      "serial",  "point",      "account",     "address",  "phone",
    "zone",       "route",      "kinds",   "onset",      "raised_at",   "ended_at", "known_until",
    "days",       "flow_lph",   "lost_l",  "lost_low_l", "lost_high_l", "money",    "currency",
    "severity",   "confidence", "flags",   "decided_by", "decided_at",  "note",     "notice",
    "noticed_at", "order",      "text_en", "text_zh",    NULL,
};

struct shown {
    int state; /* enum leak_case_state; -1: any */
    char zone[128], route[128];
    uint32_t meter, point; /* 0: any */
    int64_t since_s;
    struct fleet_rules prices;
    struct flag *flag;
};

static void shown_done(void *state)
{
    struct shown *s = (struct shown *)state;

    free(s->flag);
    free(s);
}

/* ---- a case ---- */

/* What is said of a case: its flags as they are now. `main`: the one that its words are from: the worst that counts, and of those the newest. */
struct telling {
    const struct leak_case *c;
    const struct flag *main;
    struct ledger_row point; /* views */
    struct notice_place place;
    bool at_point;
};

static size_t main_part(const struct leak_case *c)
{
    size_t best = 0;

    for (size_t i = 1; i < c->count; i++) {
        const struct case_part *p = &c->part[i], *b = &c->part[best];

        if (p->none != b->none ? b->none : p->ended != b->ended ? b->ended : p->burst >= b->burst)
            best = i;
    }
    return best;
}

static void put_lists(struct listing *l, const struct leak_case *c)
{
    struct out *o = row_raw_begin(l, "kinds");
    bool burst = false, leak = false;

    for (size_t i = 0; i < c->count; i++) {
        burst = burst || c->part[i].burst;
        leak = leak || !c->part[i].burst;
    }
    out_text(o, leak && burst ? "[\"leak\",\"burst\"]" : leak ? "[\"leak\"]" : "[\"burst\"]");
    row_raw_end(l);
}

static void put_flags(struct listing *l, const struct leak_case *c)
{
    struct out *o = row_raw_begin(l, "flags");

    for (size_t i = 0; i < c->count; i++) {
        out_text(o, i ? "," : "[");
        out_string(o, span_text(c->part[i].id));
    }
    out_text(o, "]");
    row_raw_end(l);
}

/* The first notice of its beginning, whatever became of it. */
static bool case_notice(struct txn *t, const struct leak_case *c, struct ledger_notice *out)
{
    for (size_t i = 0; i < c->count; i++)
        if (ledger_notice_of(t, span_text(c->part[i].id), NOTICE_START, out))
            return true;
    return false;
}

static void put_notice(struct listing *l, struct txn *t, const struct leak_case *c)
{
    struct ledger_notice n;

    if (!case_notice(t, c, &n)) {
        row_null(l, "notice");
        row_null(l, "noticed_at");
        return;
    }
    row_word(l, "notice", notice_state_name((enum notice_state)n.state));
    if (n.state == NOTICE_SENT)
        row_time(l, "noticed_at", n.done_s);
    else
        row_null(l, "noticed_at");
}

static void put_order(struct listing *l, struct txn *t, const struct leak_case *c)
{
    for (size_t i = c->count; i-- > 0;) {
        struct order_walk w =
            orders_of(t, ORDERS_OF_FLAG, span_text(c->part[i].id), false, span_of(NULL, 0));
        bool found = order_next(&w);

        if (found)
            row_text(l, "order", w.order.name);
        order_walk_done(&w);
        if (found)
            return;
    }
    row_null(l, "order");
}

static void put_loss(struct listing *l, const struct shown *s, const struct telling *t)
{
    const struct leak_case *c = t->c;
    int64_t price = s->prices.water_m3[t->main->point_facts.use];
    __int128 money = (__int128)c->lost_ml * price / 1000000;

    row_litres(l, "flow_lph", c->flow_mlph);
    row_litres(l, "lost_l", c->lost_ml);
    row_litres(l, "lost_low_l", c->low_ml);
    row_litres(l, "lost_high_l", c->high_ml);
    row_litres(l, "money", money > INT64_MAX ? INT64_MAX : (int64_t)money);
    row_word(l, "currency", s->prices.currency);
}

static void put_decision(struct listing *l, const struct flag_decision *d)
{
    if (!d->state) {
        row_null(l, "decided_by");
        row_null(l, "decided_at");
        row_null(l, "note");
        return;
    }
    row_word(l, "decided_by", d->who);
    row_time(l, "decided_at", d->at_s);
    row_text(l, "note", span_text(d->note));
}

/* All members; the row is open. */
static void put_case(struct listing *l, struct txn *t, const struct shown *s,
                     const struct telling *k)
{
    const struct leak_case *c = k->c;
    const struct flag *f = k->main;

    row_word(l, "id", c->part[0].id);
    row_word(l, "state", leak_case_state_name(c->state));
    row_word(l, "serial", f->meter_facts.serial);
    row_word(l, "point", f->point_facts.point[0] ? f->point_facts.point : NULL);
    row_word(l, "account", k->place.account[0] ? k->place.account : NULL);
    row_word(l, "address", k->place.address[0] ? k->place.address : NULL);
    row_word(l, "phone", k->place.phone[0] ? k->place.phone : NULL);
    row_text(l, "zone", k->at_point ? ledger_cell(&k->point, CELL_POINT_zone) : span_of(NULL, 0));
    row_text(l, "route", k->at_point ? ledger_cell(&k->point, CELL_POINT_route) : span_of(NULL, 0));
    put_lists(l, c);
    row_time(l, "onset", c->onset_s);
    row_time(l, "raised_at", c->told_s);
    if (c->state == CASE_CLOSED)
        row_time(l, "ended_at", c->ended_s);
    else
        row_null(l, "ended_at");
    row_time(l, "known_until", c->ended_s);
    row_litres(l, "days", (c->ended_s - c->onset_s) * 1000 / 86400);
    put_loss(l, s, k);
    row_word(l, "severity", severity_name(f->verdict.severity));
    row_litres(l, "confidence", 10 * (int64_t)f->verdict.confidence_pct);
    put_flags(l, c);
    put_decision(l, &f->decision);
    put_notice(l, t, c);
    put_order(l, t, c);
    row_word(l, "text_en", f->text_en);
    row_word(l, "text_zh", f->text_zh);
}

/* ---- its history ---- */

#define ENTRIES_MOST 256

struct entry {
    int64_t at_s;
    size_t place; /* as they were added: of one instant in this order */
    char what[32], who[80], id[64], note[256];
};
struct entries {
    struct entry at[ENTRIES_MOST];
    size_t count;
};

static struct entry *add_entry(struct entries *h, int64_t at_s, const char *what, const char *id)
{
    struct entry *e = &h->at[h->count < ENTRIES_MOST ? h->count++ : ENTRIES_MOST - 1];

    *e = (struct entry){ .at_s = at_s, .place = h->count };
    snprintf(e->what, sizeof e->what, "%s", what);
    snprintf(e->id, sizeof e->id, "%s", id);
    return e;
}

static void flag_entries(struct entries *h, const struct flag *f)
{
    struct entry *e;

    add_entry(h, f->verdict.onset_s, "began", f->id);
    add_entry(h, f->told_s, "told", f->id);
    if (f->ended)
        add_entry(h, f->verdict.cleared_s, "stopped", f->id);
    if (!f->decision.state)
        return;
    e = add_entry(h, f->decision.at_s, f->decision.state == 1 ? "confirmed" : "dismissed", f->id);
    snprintf(e->who, sizeof e->who, "%s", f->decision.who);
    snprintf(e->note, sizeof e->note, "%.*s", (int)sizeof e->note - 1, f->decision.note);
}

static void notice_entries(struct entries *h, struct txn *t, const char *id)
{
    for (int part = NOTICE_START; part <= NOTICE_END; part++) {
        struct ledger_notice n;
        char what[48], number[24];
        struct entry *e;

        if (!ledger_notice_of(t, span_text(id), (uint8_t)part, &n))
            continue;
        snprintf(what, sizeof what, "notice-%s-%s", part == NOTICE_START ? "start" : "end",
                 notice_state_name((enum notice_state)n.state));
        snprintf(number, sizeof number, "%llu", (unsigned long long)n.number);
        e = add_entry(h, n.done_s ? n.done_s : n.made_s, what, number);
        snprintf(e->who, sizeof e->who, "%.*s", (int)(n.account.len < 79 ? n.account.len : 79),
                 n.account.len ? (const char *)n.account.at : "");
        snprintf(e->note, sizeof e->note, "%.*s", (int)(n.why.len < 255 ? n.why.len : 255),
                 n.why.len ? (const char *)n.why.at : "");
    }
}

static void order_entries(struct entries *h, struct txn *t, const char *id)
{
    struct order_walk w = orders_of(t, ORDERS_OF_FLAG, span_text(id), false, span_of(NULL, 0));

    while (order_next(&w)) {
        const struct order *o = &w.order;
        char name[64];
        struct entry *e;

        snprintf(name, sizeof name, "%.*s", (int)(o->name.len < 63 ? o->name.len : 63),
                 (const char *)o->name.at);
        e = add_entry(h, o->created_s, "order-made", name);
        snprintf(e->who, sizeof e->who, "%.*s",
                 (int)(o->created_by.len < 79 ? o->created_by.len : 79),
                 o->created_by.len ? (const char *)o->created_by.at : "");
        if (o->state != ORDER_DONE && o->state != ORDER_CANCELLED)
            continue;
        e = add_entry(h, o->since_s, o->state == ORDER_DONE ? "order-done" : "order-cancelled",
                      name);
        snprintf(e->who, sizeof e->who, "%.*s",
                 (int)(o->closed_by.len < 79 ? o->closed_by.len : 79),
                 o->closed_by.len ? (const char *)o->closed_by.at : "");
        if (order_result_name(o->result))
            snprintf(e->note, sizeof e->note, "%s", order_result_name(o->result));
    }
    order_walk_done(&w);
}

static int by_time(const void *left, const void *right)
{
    const struct entry *a = (const struct entry *)left, *b = (const struct entry *)right;
    int by = (a->at_s > b->at_s) - (a->at_s < b->at_s);

    return by ? by : (a->place > b->place) - (a->place < b->place);
}

static void put_history(struct listing *l, struct txn *t, const struct leak_case *c,
                        struct flag *room)
{
    struct entries *h = (struct entries *)calloc(1, sizeof *h);
    struct out *o;

    if (!h) {
        listing_fail(l, ERR_NO_MEMORY);
        return;
    }
    for (size_t i = 0; i < c->count; i++) {
        if (!flag_of(l->app, span_text(c->part[i].id), room))
            flag_entries(h, room);
        notice_entries(h, t, c->part[i].id);
        order_entries(h, t, c->part[i].id);
    }
    qsort(h->at, h->count, sizeof h->at[0], by_time);
    o = row_raw_begin(l, "history");
    out_text(o, "[");
    for (size_t i = 0; i < h->count; i++) {
        out_text(o, i ? ",{" : "{");
        out_member_time(o, "at", h->at[i].at_s);
        out_member_text(o, "what", h->at[i].what);
        out_member_text(o, "id", h->at[i].id);
        if (h->at[i].who[0])
            out_member_text(o, "who", h->at[i].who);
        if (h->at[i].note[0])
            out_member_text(o, "note", h->at[i].note);
        out_text(o, "}");
    }
    out_text(o, "]");
    row_raw_end(l);
    free(h);
}

/* ---- the list ---- */

/* With what belongs to its point; false: it is of another place than asked for, or the flag is being judged anew. */
static bool tell_of(struct listing *l, struct txn *t, const struct shown *s,
                    const struct leak_case *c, struct telling *out)
{
    enum err err = flag_of(l->app, span_text(c->part[main_part(c)].id), s->flag);

    if (err) {
        if (err != ERR_NOT_FOUND)
            listing_fail(l, err);
        return false;
    }
    *out = (struct telling){ .c = c, .main = s->flag };
    if ((s->point && s->flag->point != s->point) ||
        (err = notice_place(t, s->flag->point, c->onset_s, &out->place)))
        return listing_fail(l, err), false;
    out->at_point = ledger_by_id(t, LIST_POINT, s->flag->point, INT64_MAX, &out->point);
    return (!s->zone[0] || (out->at_point && span_equal(ledger_cell(&out->point, CELL_POINT_zone),
                                                        span_text(s->zone)))) &&
           (!s->route[0] || (out->at_point && span_equal(ledger_cell(&out->point, CELL_POINT_route),
                                                         span_text(s->route))));
}

static struct span cursor_of(uint8_t room[8], uint32_t meter, uint32_t next)
{
    struct wr w = wr_of(room, 8);

    wr_be32(&w, meter);
    wr_be32(&w, next);
    return wr_span(&w);
}

/* The meter's cases from the `first` on. False: the page is full. */
static bool put_meter(struct listing *l, uint32_t meter, size_t first)
{
    const struct shown *s = (const struct shown *)l->state;
    struct leak_case *cases = NULL;
    size_t count = 0, i;
    struct txn t = ledger_read(l->app->ledger);

    listing_fail(l, leak_cases_of(l->app, meter, &cases, &count));
    for (i = first; i < count && !listing_full(l) && !l->err; i++) {
        const struct leak_case *c = &cases[i];
        uint8_t room[8];
        struct span cursor = cursor_of(room, meter, (uint32_t)i + 1);
        struct telling k;

        if ((s->state >= 0 && (int)c->state != s->state) || c->told_s < s->since_s ||
            !tell_of(l, &t, s, c, &k)) {
            listing_pass(l, cursor);
            continue;
        }
        row_begin(l);
        put_case(l, &t, s, &k);
        row_end(l, cursor);
    }
    if (i >= count && !l->err &&
        !listing_full(l)) { /* the list goes on behind the meter, whatever there was of it */
        uint8_t room[8];

        listing_pass(l, cursor_of(room, meter, (uint32_t)count));
    }
    free(cases);
    listing_fail(l, txn_end(&t));
    return i >= count && !l->err;
}

static void fill(struct listing *l)
{
    const struct shown *s = (const struct shown *)l->state;
    uint32_t meters[METERS];
    size_t count = 1, at;
    uint64_t cursor;
    bool whole = true;

    if (!listing_number(l, 8, &cursor))
        return;
    if (cursor >> 32) /* what is left of the one before */
        whole = put_meter(l, (uint32_t)(cursor >> 32), (uint32_t)cursor);
    if (s->meter) {
        whole = whole && (cursor >> 32 || put_meter(l, s->meter, 0));
        l->ended = whole;
        return;
    }
    listing_fail(l,
                 whole ? leak_cases_meters(l->app, (uint32_t)(cursor >> 32), meters, METERS, &count)
                       : ERR_OK);
    for (at = 0; whole && at < count && !l->err && !listing_full(l); at++)
        whole = put_meter(l, meters[at], 0);
    l->ended = whole && !l->err && count < METERS && at == count;
}

static bool ask_state(struct request *q, struct shown *s)
{
    struct span name = ask_text(q, "state");
    enum leak_case_state state;

    s->state = -1;
    if (!name.len)
        return true;
    if (leak_case_state_read(name, &state)) {
        s->state = (int)state;
        return true;
    }
    problem_of(q, ERR_INVALID, "state", "state: found %.*s, expected open, closed or none",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

static bool ask_subject(struct request *q, struct txn *t, struct shown *s)
{
    struct span serial = ask_text(q, "serial"), point = ask_text(q, "point");
    struct ledger_row row;

    if (!named_is_known(q, t, LIST_METER, "serial") || !named_is_known(q, t, LIST_POINT, "point") ||
        !named_is_known(q, t, LIST_ZONE, "zone") || !named_is_known(q, t, LIST_ROUTE, "route"))
        return false;
    if (serial.len && ledger_find(t, LIST_METER, serial, INT64_MAX, &row))
        s->meter = row.id;
    if (point.len && ledger_find(t, LIST_POINT, point, INT64_MAX, &row))
        s->point = row.id;
    return true;
}

static struct shown *shown_new(struct request *q, struct txn *t)
{
    struct shown *s = (struct shown *)calloc(1, sizeof *s);
    enum err err = s ? ERR_OK : ERR_NO_MEMORY;

    if (s && !(s->flag = (struct flag *)malloc(sizeof *s->flag)))
        err = ERR_NO_MEMORY;
    if (!err)
        err = fleet_rules_now(q->app, t, &s->prices);
    if (!err)
        return s;
    problem_of(q, err, "", "the cases cannot be read: the store %s", err_text(err));
    if (s)
        shown_done(s);
    return NULL;
}

void answer_leak_cases(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct shown *s = shown_new(q, &t);
    bool fine = s && ask_state(q, s) && ask_copy(q, "zone", s->zone, sizeof s->zone) &&
                ask_copy(q, "route", s->route, sizeof s->route) && ask_subject(q, &t, s) &&
                ask_time(q, "since", INT64_MIN, &s->since_s);

    txn_abort(&t);
    if (fine)
        listing_new(q, columns, fill, s, shown_done, PAGE);
    else if (s)
        shown_done(s);
}

/* ---- one ---- */

static const struct leak_case *case_with(const struct leak_case *cases, size_t count,
                                         struct span id)
{
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < cases[i].count; n++)
            if (span_equal(id, span_text(cases[i].part[n].id)))
                return &cases[i];
    return NULL;
}

static void put_alone(struct request *q, struct txn *t, const struct shown *s,
                      const struct leak_case *c)
{
    struct flag *room = (struct flag *)malloc(sizeof *room);
    struct listing alone;
    struct telling k;

    row_alone_begin(&alone, q);
    row_begin(&alone);
    if (!room)
        listing_fail(&alone, ERR_NO_MEMORY);
    else if (tell_of(&alone, t, s, c, &k))
        put_case(&alone, t, s, &k);
    else if (!alone.err)
        listing_fail(&alone, ERR_NOT_FOUND); /* judged anew meanwhile */
    if (room && !alone.err)
        put_history(&alone, t, c, room);
    row_end(&alone, span_of(NULL, 0));
    row_alone_end(&alone);
    free(room);
}

void answer_leak_case(struct request *q)
{
    struct span id = q->subject[0];
    uint32_t meter = flag_meter(id);
    struct leak_case *cases = NULL;
    const struct leak_case *c = NULL;
    size_t count = 0;
    struct txn t = ledger_read(q->app->ledger);
    struct shown *s = shown_new(q, &t);
    enum err err = s && meter ? leak_cases_of(q->app, meter, &cases, &count) : ERR_OK;

    if (s && err)
        problem_of(q, err, "", "the case cannot be read: the store %s", err_text(err));
    else if (s && !(c = case_with(cases, count, id)))
        problem_of(q, ERR_NOT_FOUND, "id", "id %.*s: there is no such case",
                   (int)(id.len < 60 ? id.len : 60), (const char *)id.at);
    else if (s)
        put_alone(q, &t, s, c);
    txn_abort(&t);
    free(cases);
    if (s)
        shown_done(s);
}
