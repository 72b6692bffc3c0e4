/* POST /v1/cycles/ID/accept: somebody has looked at figures that stand out, and lets them pass.  They are looked at outside the act, for that takes long; what
 * is written is the figures that were seen, so that a figure that changed meanwhile waits again. */
#include "server/acts/cycle.h"
#include "server/cycle_review.h"
#include "server/fleet/columns.h"

#include <stdlib.h>

#define ACCEPTED_MOST                                                                              \
    10000 /* points of one request, looked at or named: ten seconds at the worst, where each was read by the hour */
#define POINTS_TOLD 100

struct accepting {
    const struct act_request *q;
    struct act_reply *reply;
    struct ledger_cycle cycle;
    struct span note;
    int reason;        /* -1: by name */
    struct span after; /* of a reason: points behind this one */
    bool has_least, has_most;
    int64_t least_ml, most_ml;
    struct cycle_points points; /* that are looked at */
    struct seen {
        uint32_t point; /* its place in `points` */
        unsigned reasons;
        enum quality quality;
        struct billed billed;
        unsigned told_of;
        struct check_told told[CHECK_COUNT];
    } * seen;
    size_t seen_count;
    uint64_t already, passed_over;
    const char *next; /* the last that was looked at, where there are others behind it */
};

static void accepting_done(struct accepting *a)
{
    cycle_points_done(&a->points);
    free(a->seen);
    cycle_done(&a->cycle);
}

/* ---- what is asked for ---- */

static bool bound_taken(struct accepting *a, const char *name, bool *out_has, int64_t *out_ml)
{
    const json_t *v = json_object_get(a->q->body, name);
    char room[JSON_NUMBER_ROOM];
    struct span text;

    *out_has = v && !json_is_null(v);
    if (!*out_has)
        return true;
    text = json_scalar(v, room);
    if (text.len && !text_litres(text, out_ml))
        return true;
    answer_refuse(a->reply, ERR_INVALID, name, "%s: found %.*s, expected litres", name,
                  (int)(text.len < 40 ? text.len : 40), text.at ? (const char *)text.at : "");
    return false;
}

static bool reason_taken(struct accepting *a)
{
    struct span name;
    char names[REVIEW_REASONS_TEXT];
    enum review_reason reason;

    if (!answer_text(a->q, a->reply, "reason", false, &name))
        return false;
    a->reason = -1;
    if (!name.len)
        return true;
    if (review_reason_read(name, &reason)) {
        a->reason = (int)reason;
        return true;
    }
    review_reason_names(names);
    answer_refuse(a->reply, ERR_INVALID, "reason", "reason: found %.*s, expected %s",
                  (int)(name.len < 40 ? name.len : 40), (const char *)name.at, names);
    return false;
}

static bool on_routes(struct span routes, struct span route)
{
    struct span one;

    while (cycle_route_next(&routes, &one))
        if (span_equal(one, route))
            return true;
    return false;
}

static bool point_taken(struct accepting *a, struct txn *t, const json_t *v, size_t i)
{
    struct span name = span_of(json_string_value(v), json_string_length(v));
    struct ledger_row row;

    if (!name.len || name.len > LIMIT_TEXT) {
        answer_refuse(a->reply, ERR_INVALID, "points",
                      "points: the entry %zu is no name of a service point", i + 1);
        return false;
    }
    if (!ledger_find(t, LIST_POINT, name, INT64_MAX, &row) ||
        !on_routes(a->cycle.routes, row.cells[CELL_POINT_route])) {
        if (t->err)
            answer_failed(a->reply, t->err);
        else
            answer_refuse(a->reply, ERR_NOT_FOUND, "points",
                          "points: %.*s is on none of the routes of cycle %s",
                          (int)(name.len < 64 ? name.len : 64), (const char *)name.at,
                          a->cycle.name);
        return false;
    }
    a->points.at[a->points.count++] = (struct cycle_point){ row.id, (uint32_t)a->points.names.len };
    out_bytes(&a->points.names, name.at, name.len);
    out_bytes(&a->points.names, "", 1);
    if (a->points.names.err)
        answer_failed(a->reply, a->points.names.err);
    return !a->points.names.err;
}

static int by_id(const void *left, const void *right)
{
    uint32_t a = ((const struct cycle_point *)left)->id,
             b = ((const struct cycle_point *)right)->id;

    return (a > b) - (a < b);
}

static bool all_differ(struct accepting *a)
{
    struct cycle_points *p = &a->points;

    qsort(p->at, p->count, sizeof *p->at, by_id);
    for (size_t i = 1; i < p->count; i++) {
        if (p->at[i].id != p->at[i - 1].id)
            continue;
        answer_refuse(a->reply, ERR_INVALID, "points", "points: %s stands there twice",
                      cycle_point_name(p, i));
        return false;
    }
    return true;
}

/* The first point behind `after`. */
static size_t place_of(const struct accepting *a)
{
    size_t low = 0, high = a->points.count;

    while (low < high && a->after.len) {
        size_t middle = low + (high - low) / 2;

        /* A member of a body ends with a zero, and has none within (answer_text). */
        if (strcmp(cycle_point_name(&a->points, middle), (const char *)a->after.at) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool points_taken(struct accepting *a, struct txn *t)
{
    const json_t *list = json_object_get(a->q->body, "points");
    size_t count = json_array_size(list);

    if ((list && !json_is_array(list)) || (list != NULL) == (a->reason >= 0) ||
        (list && (!count || count > ACCEPTED_MOST || a->after.len))) {
        answer_refuse(a->reply, ERR_INVALID, "points",
                      "points: expected a list of 1 to %d service points, or else a reason, which "
                      "alone may have an after",
                      ACCEPTED_MOST);
        return false;
    }
    if (!list) {
        enum err err = cycle_points_load(t, a->cycle.routes, &a->points);

        if (err)
            answer_failed(a->reply, err);
        return !err;
    }
    if (!(a->points.at = (struct cycle_point *)calloc(count, sizeof *a->points.at))) {
        answer_failed(a->reply, ERR_NO_MEMORY);
        return false;
    }
    a->points.cap = count;
    for (size_t i = 0; i < count; i++)
        if (!point_taken(a, t, json_array_get(list, i), i))
            return false;
    return all_differ(a);
}

static bool refuse_closed(struct accepting *a)
{
    answer_refuse(a->reply, ERR_CONFLICT, "cycle",
                  "cycle %s: it is closed, so there is nothing left to accept", a->cycle.name);
    return false;
}

static bool taken(struct accepting *a, struct txn *t)
{
    return cycle_named(a->q, a->reply, t, &a->cycle) &&
           answer_members(a->q, a->reply, "points", "reason", "max_l", "min_l", "after", "note",
                          NULL) &&
           answer_text(a->q, a->reply, "after", false, &a->after) &&
           answer_text(a->q, a->reply, "note", false, &a->note) && reason_taken(a) &&
           bound_taken(a, "max_l", &a->has_most, &a->most_ml) &&
           bound_taken(a, "min_l", &a->has_least, &a->least_ml) && points_taken(a, t) &&
           (a->cycle.state != CYCLE_CLOSED || refuse_closed(a));
}

/* ---- looking ---- */

/* What nobody knows meets no bound. */
static bool meets(const struct accepting *a, const struct reviewed *r)
{
    const struct billed *b = &r->d.billed;

    if (r->elsewhere || !r->reasons || (a->reason >= 0 && !(r->reasons & 1u << a->reason)))
        return false;
    if (a->has_most && !(b->known && b->consumption_ml <= a->most_ml))
        return false;
    return !a->has_least || (b->known && b->consumption_ml >= a->least_ml);
}

static void see(struct seen *s, uint32_t point, const struct reviewed *r)
{
    *s = (struct seen){ point, r->reasons, r->d.quality, r->d.billed, r->d.told_of, { { 0 } } };
    memcpy(s->told, r->d.told, sizeof s->told);
}

static enum err look(struct accepting *a, struct txn *t)
{
    struct cycle_maker maker;
    struct point_use use = { 0 };
    size_t begin = place_of(a), left = a->points.count - begin;
    size_t end = begin + (left < ACCEPTED_MOST ? left : ACCEPTED_MOST);
    enum err err =
        cycle_maker_init(a->q->app, t, &a->cycle, clock_now_s(&a->q->app->clock), &maker);

    if (!err && !(a->seen = (struct seen *)calloc(end - begin + 1, sizeof *a->seen)))
        err = ERR_NO_MEMORY;
    if (end < a->points.count)
        a->next = cycle_point_name(&a->points, end - 1);
    for (size_t i = begin; i < end && !err; i++) {
        struct reviewed r;

        err = review_point(&maker, t, a->cycle.id, a->points.at[i].id,
                           span_text(cycle_point_name(&a->points, i)), &use, &r);
        if (err)
            break;
        if (!meets(a, &r))
            a->passed_over++;
        else if (r.accepted)
            a->already++;
        else
            see(&a->seen[a->seen_count++], (uint32_t)i, &r);
    }
    point_use_done(&use);
    cycle_maker_done(&maker);
    return err;
}

/* ---- writing ---- */

static void note_one(struct accepting *a, struct act *act, struct span point, const struct seen *s)
{
    struct out told = { 0 };

    out_text(&told, "{");
    out_member_text(&told, "cycle", a->cycle.name);
    if (s->billed.known)
        out_member_litres(&told, "consumption_l", s->billed.consumption_ml);
    out_member_text(&told, "quality", quality_name(s->quality));
    out_key(&told, "reasons");
    review_put_reasons(&told, s->reasons);
    out_key(&told, "check_inputs");
    rules_put_told(&told, s->told_of, s->told_of, s->told);
    out_text(&told, "}");
    if (told.err && !act->txn.err)
        act->txn.err = told.err;
    act_note(act, "cycle.accept", point, span_of(NULL, 0), span_of(told.at, told.len), a->note);
    out_done(&told);
}

static void put_one(struct accepting *a, struct act *act, const struct seen *s)
{
    struct span point = span_text(cycle_point_name(&a->points, s->point));
    struct review_accepted fact = { .billed = s->billed,
                                    .quality = s->quality,
                                    .reasons = s->reasons,
                                    .told_of = s->told_of,
                                    .at_s = act->now_s,
                                    .who = span_text(a->q->caller->who),
                                    .note = a->note };
    uint8_t bytes[REVIEW_BYTES_MOST];
    struct wr w = wr_of(bytes, sizeof bytes);

    memcpy(fact.told, s->told, sizeof fact.told);
    review_accepted_write(&w, &fact);
    if (w.err && !act->txn.err)
        act->txn.err = w.err;
    if (act->txn.err)
        return;
    act_put_accepted(act, a->cycle.id, point, wr_span(&w));
    note_one(a, act, point, s);
}

static void tell(struct accepting *a)
{
    struct out *o = &a->reply->body;

    answer_begin(a->reply, 200);
    out_member_text(o, "cycle", a->cycle.name);
    out_member_int(o, "accepted", (int64_t)a->seen_count);
    out_member_int(o, "already", (int64_t)a->already);
    out_member_int(o, "passed_over", (int64_t)a->passed_over);
    out_member_text(o, "next", a->next);
    out_key(o, "points");
    out_text(o, "[");
    for (size_t i = 0; i < a->seen_count && i < POINTS_TOLD; i++) {
        if (i)
            out_text(o, ",");
        out_string(o, span_text(cycle_point_name(&a->points, a->seen[i].point)));
    }
    out_text(o, "]");
    answer_end(a->reply, NULL);
}

static void write(struct accepting *a)
{
    struct act act = act_by(a->q);
    struct ledger_cycle now;

    if (act.txn.err) {
        answer_failed(a->reply, act.txn.err);
    } else if (!ledger_cycle_by_id(&act.txn, a->cycle.id, &now)) {
        answer_failed(a->reply, act.txn.err ? act.txn.err : ERR_CORRUPT);
    } else if (now.state != CYCLE_CLOSED || refuse_closed(a)) {
        for (size_t i = 0; i < a->seen_count; i++)
            put_one(a, &act, &a->seen[i]);
        tell(a);
        (void)!answer_commit(a->q, a->reply, &act); /* the answer tells */
    }
    act_abort(&act);
}

void act_accept_figures(const struct act_request *q, struct act_reply *out)
{
    struct accepting a = { .q = q, .reply = out };
    struct txn t;
    bool fine;
    enum err err;

    if (!answer_role(q, out, ROLES_BILLING))
        return;
    t = ledger_read(q->app->ledger);
    fine = taken(&a, &t);
    err = fine ? look(&a, &t) : ERR_OK;
    txn_abort(&t);
    if (err)
        answer_failed(out, err);
    else if (fine)
        write(&a);
    accepting_done(&a);
}
