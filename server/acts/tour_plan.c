/* POST /v1/tours: orders become day lists of a crew, or of a person, in walking order; each gets its assignee, its list and its stop in one act.
 *
 * Taken are orders that nobody has yet and those of the assignee that are not begun, with a point: those named, else those of the filter, the ones that are due first first. An order that stands on a
 * list stays there unless `again` is true.  A token of an org unit plans what is the unit's. */
#include "server/acts/answer.h"
#include "server/acts/event_priv.h"
#include "server/acts/paper.h"
#include "server/scope.h"
#include "server/tours.h"

#include <math.h>
#include <stdlib.h>

#define LOOKED_AT_MOST 200000 /* orders, or points, that a filter is held against: half a second */
#define PERSON_MAX 63         /* bytes; a column's */
#define DAY_S INT64_C(86400)

struct candidate {
    uint32_t id; /* of the order's row */
    enum order_kind kind;
    int64_t due_s, seq;
    struct tour_place at;
    bool placed;
    char route[64], order[ORDER_NAME_SIZE];
};

struct planning {
    const struct act_request *q;
    struct act_reply *out;
    struct act act;
    struct refusal wrong;
    struct scope scope;
    /* asked for */
    struct span crew, assignee, zone, route;
    int32_t day;
    unsigned kinds; /* a set; 0: all */
    int64_t stops_most, tours_most;
    struct tour_place start;
    bool has_start, again, dry_run;
    const json_t *orders; /* NULL: by filter */
    /* found */
    struct candidate *at;
    size_t count, cap;
    uint64_t planned, kept, nowhere, left_out, late, unplaced;
    bool full;
    /* planned */
    struct tour_turn *turn;
    uint32_t tours;
    size_t *begin;    /* of each list in `turn`; one more at the end */
    uint32_t *wanted; /* lists that are written, in their order */
    uint32_t wanted_count;
};

static bool failed(struct planning *p, enum err err)
{
    answer_failed(p->out, err);
    return false;
}

static bool refused(struct planning *p, enum err err, const char *field, const char *what,
                    struct span name)
{
    answer_refuse(p->out, err, field, "%s %.*s: %s", field, (int)(name.len < 64 ? name.len : 64),
                  name.len ? (const char *)name.at : "", what);
    return false;
}

/* ---- the body ---- */

static void read_day(struct planning *p, struct life_body *b)
{
    int64_t today = zone_day_number(&p->q->app->zone, p->act.now_s), day;
    struct span text;

    body_text(b, "date", &text);
    if (!text.len || text_date(text, &day))
        body_wrong(b, "date", "a date as 2026-03-01");
    else if (day < today)
        body_wrong(b, "date", "a day that is not over");
    else
        p->day = (int32_t)day;
}

static void read_count(struct life_body *b, const char *name, int64_t least, int64_t most,
                       int64_t absent, int64_t *out)
{
    const json_t *v = json_object_get(b->at, name);
    char expected[64];

    *out = absent;
    if (!v || json_is_null(v))
        return;
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)least,
             (long long)most);
    if (!json_is_integer(v) || json_integer_value(v) < least || json_integer_value(v) > most)
        body_wrong(b, name, expected);
    else
        *out = json_integer_value(v);
}

static void read_kinds(struct planning *p, struct life_body *b)
{
    const json_t *kinds = json_object_get(b->at, "kinds"), *v;
    size_t i;

    if (!kinds || json_is_null(kinds))
        return;
    if (!json_is_array(kinds) || !json_array_size(kinds))
        body_wrong(b, "kinds", "a list of kinds of orders");
    json_array_foreach((json_t *)kinds, i, v)
    {
        enum order_kind k;
        char names[80];

        order_kinds_list(names, sizeof names);
        if (json_is_string(v) &&
            order_kind_read(span_of(json_string_value(v), json_string_length(v)), &k))
            p->kinds |= 1u << k;
        else
            body_wrong(b, "kinds", names);
    }
}

static bool degree(const json_t *v, double most, double *out)
{
    *out = json_number_value(v);
    return json_is_number(v) && isfinite(*out) && fabs(*out) <= most;
}

static void read_start(struct planning *p, struct life_body *b)
{
    const json_t *start = json_object_get(b->at, "start");

    if (!start || json_is_null(start))
        return;
    p->has_start = true;
    if (!json_is_object(start) || json_object_size(start) != 2 ||
        !degree(json_object_get(start, "lon"), 180, &p->start.lon) ||
        !degree(json_object_get(start, "lat"), 90, &p->start.lat))
        body_wrong(b, "start", "{\"lon\":…,\"lat\":…} in degrees");
}

static void read_orders(struct planning *p, struct life_body *b)
{
    const json_t *v;
    size_t i;

    p->orders = json_object_get(b->at, "orders");
    if (json_is_null(p->orders))
        p->orders = NULL;
    if (!p->orders)
        return;
    if (!json_is_array(p->orders) || !json_array_size(p->orders) ||
        json_array_size(p->orders) > TOUR_PLAN_MAX)
        body_wrong(b, "orders", "a list of 1 to 10000 orders");
    json_array_foreach((json_t *)p->orders, i, v)
    {
        if (!json_is_string(v))
            body_wrong(b, "orders", "names of orders such as W00000001");
    }
}

static void read_body(struct planning *p)
{
    static const char *const members[] = { "date",  "crew",      "assignee", "zone",  "route",
                                           "kinds", "max_stops", "tours",    "start", "orders",
                                           "again", "dry_run",   NULL };
    struct life_body b = life_body_of(p->q, &p->wrong);

    read_day(p, &b);
    body_text(&b, "crew", &p->crew);
    body_text(&b, "assignee", &p->assignee);
    if ((p->crew.len != 0) == (p->assignee.len != 0))
        body_wrong(&b, "crew", "either a crew or an assignee");
    if (p->assignee.len > PERSON_MAX)
        body_wrong(&b, "assignee", "at most 63 bytes");
    body_text(&b, "zone", &p->zone);
    body_text(&b, "route", &p->route);
    read_kinds(p, &b);
    read_count(&b, "max_stops", 1, TOUR_STOPS_MAX, TOUR_STOPS_DAY, &p->stops_most);
    read_count(&b, "tours", 1, TOUR_PLAN_MAX, TOUR_PLAN_MAX, &p->tours_most);
    read_start(p, &b);
    read_orders(p, &b);
    body_flag(&b, "again", &p->again);
    body_flag(&b, "dry_run", &p->dry_run);
    body_only(&b, members);
}

/* ---- which orders ---- */

static bool room_for_one(struct planning *p)
{
    struct candidate *more;
    size_t cap;

    if (p->count < p->cap)
        return true;
    cap = p->cap ? p->cap * 2 : 256;
    if (!(more = (struct candidate *)realloc(p->at, cap * sizeof *more)))
        return failed(p, ERR_NO_MEMORY);
    p->at = more;
    p->cap = cap;
    return true;
}

static bool may_be_planned(const struct planning *p, const struct order *o)
{
    return o->state == ORDER_OPEN ||
           (o->state == ORDER_ASSIGNED && span_equal(o->assignee, p->assignee));
}

static bool is_asked_for(const struct planning *p, const struct order *o,
                         const struct tour_point *point)
{
    return (!p->kinds || p->kinds >> o->kind & 1) &&
           (!p->zone.len || span_equal(point->zone, p->zone)) &&
           (!p->route.len || span_equal(point->route, p->route));
}

/* Adds the order where it can stand on a list; false: the act is refused. */
static bool add(struct planning *p, const struct order *o, const struct tour_point *point)
{
    struct candidate *c;

    if (!point->known) {
        p->nowhere++;
        return true;
    }
    if (o->tour.len && !p->again) {
        p->kept++;
        return true;
    }
    if (!room_for_one(p))
        return false;
    c = &p->at[p->count++];
    memset(c, 0, sizeof *c);
    c->id = o->id;
    c->kind = o->kind;
    c->due_s = o->due_s;
    c->at = point->at;
    c->placed = point->placed;
    c->seq = point->seq;
    snprintf(c->route, sizeof c->route, "%.*s", (int)point->route.len,
             point->route.len ? (const char *)point->route.at : "");
    snprintf(c->order, sizeof c->order, "%.*s", (int)o->name.len, (const char *)o->name.at);
    return true;
}

static bool is_ours(struct planning *p, const struct tour_point *point)
{
    return !p->q->caller->org[0] ||
           (point->known && scope_point(&p->scope, &p->act.txn, point->id));
}

/* False: no more can be planned, as add. */
static bool consider(struct planning *p, const struct order *o)
{
    struct tour_point point;

    if (!may_be_planned(p, o))
        return true;
    tour_point(&p->act.txn, o->point, &point);
    return !is_asked_for(p, o, &point) || !is_ours(p, &point) || add(p, o, &point);
}

/* Live orders at a point, which are few. */
static bool at_point(struct planning *p, uint32_t id)
{
    struct ledger_row row;
    struct order_walk w;
    bool fine = true;

    if (!ledger_by_id(&p->act.txn, LIST_POINT, id, INT64_MAX, &row) || !row.count)
        return failed(p, p->act.txn.err ? p->act.txn.err : ERR_MISSING);
    w = orders_of(&p->act.txn, ORDERS_OF_POINT, row.cells[0], true, span_of(NULL, 0));
    while (fine && order_next(&w))
        fine = consider(p, &w.order);
    order_walk_done(&w);
    return fine;
}

static int by_due(const void *a, const void *b)
{
    const struct candidate *x = (const struct candidate *)a, *y = (const struct candidate *)b;

    if (x->due_s != y->due_s)
        return x->due_s < y->due_s ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void keep_first_due(struct planning *p)
{
    if (p->count <= TOUR_PLAN_MAX)
        return;
    qsort(p->at, p->count, sizeof *p->at, by_due);
    p->left_out += p->count - TOUR_PLAN_MAX;
    p->count = TOUR_PLAN_MAX;
}

/* Of a route or a zone: whatever else waits in the city is not looked at. */
static bool by_points(struct planning *p)
{
    bool zone = p->route.len == 0, fine = true;
    struct points_walk w = ledger_points_walk(&p->act.txn, zone, zone ? p->zone : p->route);
    size_t seen = 0;

    while (fine && points_next(&w)) {
        if (p->count >= LOOKED_AT_MOST || seen++ == LOOKED_AT_MOST) {
            p->full = true;
            break;
        }
        fine = at_point(p, w.point);
    }
    points_done(&w);
    if (fine)
        keep_first_due(p);
    return fine;
}

static bool by_filter(struct planning *p)
{
    struct order_walk w = orders_by_due(&p->act.txn, span_of(NULL, 0));
    size_t seen = 0;
    bool fine = true;

    while (fine && order_next(&w)) {
        if (p->count == TOUR_PLAN_MAX || seen++ == LOOKED_AT_MOST) {
            p->full = true;
            break;
        }
        fine = consider(p, &w.order);
    }
    order_walk_done(&w);
    return fine;
}

/* 403, 404 and 409 of orders that are named; `take` in a second round: the body must read first. */
static bool by_name(struct planning *p, bool take)
{
    const json_t *v;
    size_t i;

    json_array_foreach((json_t *)p->orders, i, v)
    {
        struct span name = span_of(json_string_value(v), json_string_length(v));
        struct tour_point point;
        struct order o;

        if (!json_is_string(v))
            continue; /* told with the body */
        if (!order_find(&p->act.txn, name, &o))
            return p->act.txn.err ? failed(p, p->act.txn.err)
                                  : refused(p, ERR_NOT_FOUND, "order", "there is none", name);
        if (!take && !scope_named(&p->scope, &p->act.txn, LIST_ORDER, name))
            return p->act.txn.err ? failed(p, p->act.txn.err)
                                  : refused(p, ERR_FORBIDDEN, "order",
                                            "it belongs to another org unit, or to none", name);
        if (!take)
            continue;
        if (o.state != ORDER_OPEN && o.state != ORDER_ASSIGNED) {
            char why[REPLY_DETAIL];

            snprintf(why, sizeof why, "it is %s; a list is for one that is open or assigned",
                     order_state_name(o.state));
            return refused(p, ERR_CONFLICT, "order", why, name);
        }
        tour_point(&p->act.txn, o.point, &point);
        if (!add(p, &o, &point))
            return false;
    }
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct candidate *x = (const struct candidate *)a, *y = (const struct candidate *)b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* An order that is named twice stands on a list once. */
static void drop_twins(struct planning *p)
{
    size_t kept = 0;

    if (p->count)
        qsort(p->at, p->count, sizeof *p->at, by_id);
    for (size_t i = 0; i < p->count; i++)
        if (!kept || p->at[kept - 1].id != p->at[i].id)
            p->at[kept++] = p->at[i];
    p->count = kept;
}

static bool choose_orders(struct planning *p)
{
    if (p->orders)
        return by_name(p, true);
    return p->route.len || p->zone.len ? by_points(p) : by_filter(p);
}

/* ---- lists ---- */

static int by_route_name(const void *a, const void *b)
{
    const struct candidate *x = (const struct candidate *)a, *y = (const struct candidate *)b;
    int order = strcmp(x->route, y->route);

    return order ? order : by_id(a, b);
}

static void tell_stops(struct planning *p, struct tour_stop *stops)
{
    uint32_t route = 0;
    int64_t begins = p->day * DAY_S;

    (void)!zone_utc(&p->q->app->zone, day_civil(begins),
                    &begins); /* a day without its midnight: near enough for a warning */
    qsort(p->at, p->count, sizeof *p->at, by_route_name);
    for (size_t i = 0; i < p->count; i++) {
        const struct candidate *c = &p->at[i];

        route += i && strcmp(c->route, p->at[i - 1].route) != 0;
        stops[i] =
            (struct tour_stop){ .at = c->at, .placed = c->placed, .route = route, .seq = c->seq };
        p->unplaced += !c->placed;
        p->late += c->due_s < begins;
    }
}

static bool make_lists(struct planning *p)
{
    struct tour_rules rules = { .stops_most = (uint32_t)p->stops_most,
                                .near_m = TOUR_NEAR_M,
                                .start = p->has_start ? &p->start : NULL };
    struct tour_stop *stops = (struct tour_stop *)calloc(p->count + 1, sizeof *stops);
    struct arena memory = { 0 };
    enum err err = arena_init(&memory, TOUR_PLAN_BYTES(p->count));

    p->turn = (struct tour_turn *)calloc(p->count + 1, sizeof *p->turn);
    if (!err && (!stops || !p->turn))
        err = ERR_NO_MEMORY;
    if (!err && p->count) {
        tell_stops(p, stops);
        err = tour_plan(stops, p->count, &rules, &memory, p->turn, &p->tours);
    }
    arena_done(&memory);
    free(stops);
    return err ? failed(p, err) : true;
}

struct urgency {
    uint32_t tour;
    int64_t due_s; /* of its most pressing order */
};

static int by_urgency(const void *a, const void *b)
{
    const struct urgency *x = (const struct urgency *)a, *y = (const struct urgency *)b;

    if (x->due_s != y->due_s)
        return x->due_s < y->due_s ? -1 : 1;
    return x->tour < y->tour ? -1 : 1;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = (const uint32_t *)a, *y = (const uint32_t *)b;

    return *x < *y ? -1 : *x > *y;
}

/* Where fewer lists are wanted than there would be: those with what is due first. */
static bool choose_lists(struct planning *p)
{
    struct urgency *u = (struct urgency *)calloc(p->tours + 1u, sizeof *u);

    p->begin = (size_t *)calloc(p->tours + 1u, sizeof *p->begin);
    p->wanted = (uint32_t *)calloc(p->tours + 1u, sizeof *p->wanted);
    if (!u || !p->begin || !p->wanted) {
        free(u);
        return failed(p, ERR_NO_MEMORY);
    }
    for (uint32_t n = 0; n < p->tours; n++)
        u[n] = (struct urgency){ .tour = n, .due_s = INT64_MAX };
    for (size_t i = 0; i < p->count; i++) {
        const struct tour_turn *turn = &p->turn[i];
        int64_t due_s = p->at[turn->stop].due_s;

        p->begin[turn->tour + 1] = i + 1;
        if (due_s < u[turn->tour].due_s)
            u[turn->tour].due_s = due_s;
    }
    p->wanted_count = p->tours_most < p->tours ? (uint32_t)p->tours_most : p->tours;
    qsort(u, p->tours, sizeof *u, by_urgency);
    for (uint32_t n = 0; n < p->tours; n++) {
        size_t stops = p->begin[u[n].tour + 1] - p->begin[u[n].tour];

        if (n < p->wanted_count)
            p->wanted[n] = u[n].tour;
        *(n < p->wanted_count ? &p->planned : &p->left_out) += stops;
    }
    qsort(p->wanted, p->wanted_count, sizeof *p->wanted, by_number);
    free(u);
    return true;
}

/* ---- writing ---- */

static bool write_stop(struct planning *p, struct order_kept *kept, uint32_t id, const char *tour,
                       uint32_t stop)
{
    char room[ORDER_NAME_SIZE];
    struct order o;

    if (!order_by_id(&p->act.txn, id, &o))
        return failed(p, p->act.txn.err ? p->act.txn.err : ERR_MISSING);
    order_keep(&o, kept);
    if (kept->order.state == ORDER_OPEN || !span_equal(kept->order.assignee, p->assignee)) {
        kept->order.assignee = p->assignee;
        order_move(&kept->order, MOVE_ASSIGN, p->act.now_s);
    }
    kept->order.tour = span_text(tour);
    kept->order.stop = stop;
    order_put(&p->act, &kept->order, room);
    return p->act.txn.err ? failed(p, p->act.txn.err) : true;
}

struct list_figures {
    double metres;
    uint32_t minutes, unplaced;
};

static struct list_figures figures_of(const struct planning *p, uint32_t list)
{
    struct list_figures f = { 0 };

    for (size_t i = p->begin[list]; i < p->begin[list + 1]; i++) {
        f.metres += p->turn[i].leg_m > 0 ? p->turn[i].leg_m : 0;
        f.unplaced += p->turn[i].leg_m < 0;
        f.minutes += p->q->app->order_rules.minutes[p->at[p->turn[i].stop].kind];
    }
    f.minutes += (uint32_t)ceil(f.metres * 60 / TOUR_WALK_MPH);
    return f;
}

static void tell_list(struct planning *p, uint32_t list, const char *tour)
{
    struct list_figures f = figures_of(p, list);
    struct out *o = &p->out->body;

    out_next(o);
    out_text(o, "{");
    out_member_text(o, "tour", tour);
    out_member_int(o, "stops", (int64_t)(p->begin[list + 1] - p->begin[list]));
    out_member_int(o, "metres", llround(f.metres));
    out_member_int(o, "minutes", f.minutes);
    out_member_int(o, "unplaced", f.unplaced);
    out_key(o, "orders");
    for (size_t i = p->begin[list]; i < p->begin[list + 1]; i++) {
        out_text(o, i == p->begin[list] ? "[" : ",");
        out_string(o, span_text(p->at[p->turn[i].stop].order));
    }
    out_text(o, "]}");
}

/* The act's own record of a list; each order's change has one besides. */
static void note_list(struct planning *p, uint32_t list, const char *tour)
{
    struct list_figures f = figures_of(p, list);
    struct out told = { 0 };

    out_text(&told, "{");
    out_member_span(&told, "assignee", p->assignee);
    out_member_int(&told, "stops", (int64_t)(p->begin[list + 1] - p->begin[list]));
    out_member_int(&told, "metres", llround(f.metres));
    out_text(&told, "}");
    if (told.err && !p->act.txn.err)
        p->act.txn.err = told.err;
    else
        act_note(&p->act, "tour.plan", span_text(tour), span_of(NULL, 0),
                 span_of(told.at, told.len), span_of(NULL, 0));
    out_done(&told);
}

static bool write_list(struct planning *p, struct order_kept *kept, uint32_t list)
{
    char tour[TOUR_NAME_SIZE] = "";

    if (!p->dry_run) {
        tour_next(&p->act, p->day, tour);
        if (p->act.txn.err == ERR_LIMIT) {
            p->act.txn.err = ERR_OK; /* the day's, not the store's */
            return refused(p, ERR_CONFLICT, "date", "it has as many lists as there are numbers",
                           span_of(NULL, 0));
        }
        note_list(p, list, tour);
        for (size_t i = p->begin[list]; i < p->begin[list + 1]; i++)
            if (!write_stop(p, kept, p->at[p->turn[i].stop].id, tour,
                            (uint32_t)(i - p->begin[list]) + 1))
                return false;
    }
    tell_list(p, list, p->dry_run ? NULL : tour);
    return true;
}

static void warn_all(struct planning *p, struct warnings *w)
{
    if (p->unplaced)
        warn(w, "no-coordinates",
             "%llu orders are at points without coordinates: they come last, by route",
             (unsigned long long)p->unplaced);
    if (p->nowhere)
        warn(w, "no-point", "%llu orders name no service point, and are on no list",
             (unsigned long long)p->nowhere);
    if (p->late)
        warn(w, "late", "%llu orders are due before that day", (unsigned long long)p->late);
    if (p->left_out || p->full)
        warn(w, "left-out", "%llu orders that were found are on no list%s",
             (unsigned long long)p->left_out,
             p->full ? ", and there are more than are looked at in one act" : "");
}

static bool tell_and_write(struct planning *p)
{
    struct order_kept *kept = (struct order_kept *)malloc(sizeof *kept);
    struct warnings w = { 0 };
    char date[11];
    bool fine = kept != NULL;

    if (!fine)
        return failed(p, ERR_NO_MEMORY);
    text_put_date(date, p->day);
    answer_begin(p->out, p->dry_run || !p->planned ? 200 : 201);
    out_member_text(&p->out->body, "date", date);
    out_member_span(&p->out->body, "assignee", p->assignee);
    out_member_bool(&p->out->body, "dry_run", p->dry_run);
    out_key(&p->out->body, "tours");
    out_text(&p->out->body, "[");
    for (uint32_t n = 0; fine && n < p->wanted_count; n++)
        fine = write_list(p, kept, p->wanted[n]);
    free(kept);
    if (!fine)
        return false;
    out_text(&p->out->body, "]");
    out_member_int(&p->out->body, "planned", (int64_t)p->planned);
    out_member_int(&p->out->body, "left_out", (int64_t)p->left_out);
    out_member_int(&p->out->body, "kept", (int64_t)p->kept);
    out_member_int(&p->out->body, "no_point", (int64_t)p->nowhere);
    warn_all(p, &w);
    answer_end(p->out, &w);
    return p->out->status < 400;
}

/* ---- the act ---- */

static bool names_exist(struct planning *p)
{
    return paper_names(&p->act, p->out, LIST_CREW, "crew", p->crew) &&
           paper_names(&p->act, p->out, LIST_ZONE, "zone", p->zone) &&
           paper_names(&p->act, p->out, LIST_ROUTE, "route", p->route) &&
           (!p->orders || by_name(p, false));
}

static void carry_out(struct planning *p)
{
    if (p->act.txn.err) {
        failed(p, p->act.txn.err);
        return;
    }
    if (!names_exist(p))
        return;
    if (p->wrong.err) {
        answer_refuse(p->out, ERR_INVALID, p->wrong.field, "%s", p->wrong.text);
        return;
    }
    if (p->crew.len)
        p->assignee = p->crew;
    if (!choose_orders(p))
        return;
    drop_twins(p);
    if (p->act.txn.err) {
        failed(p, p->act.txn.err);
        return;
    }
    if (make_lists(p) && choose_lists(p) && tell_and_write(p))
        (void)!answer_commit(
            p->q, p->out, &p->act); /* the answer tells; a dry run's is kept under its key, too */
}

void act_post_tour(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct planning p = { .q = q, .out = out, .scope = scope_of(q->caller->org) };

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    p.act =
        act_join(app->ledger, q->caller->who, clock_now_s(&app->clock), journal_end(app->journal));
    p.act.words = &register_words;
    read_body(&p);
    carry_out(&p);
    answer_abort(out, &p.act);
    free(p.at);
    free(p.turn);
    free(p.begin);
    free(p.wanted);
}
