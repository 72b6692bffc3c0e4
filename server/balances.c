#include "server/balances.h"

#include "server/billing/agree.h"
#include "server/fleet/columns.h"
#include "server/point_use.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdlib.h>

#define HOUR_S 3600
#define POINTS_AT_ONCE 256 /* names of points that one transaction lists */

/* One zone of the register, as far as the tree asks. */
struct zone_entry {
    char zone[ZONE_NAME_SIZE], parent[ZONE_NAME_SIZE];
};

/* An inlet or outlet: what it let in is `sign` times what went through, forward less reverse. */
struct gate {
    uint32_t point;
    int sign;
    int64_t from_s, to_s; /* as far as it is one */
    bool fitted;          /* within that span, and the balance's */
    struct point_use use;
    struct consume_fitting *back; /* the same fittings by their reverse registers */
    struct meter_facts *back_meter;
    struct rows *back_rows;
    size_t back_count;
    struct consumer *back_consumer;
};

struct gathering {
    struct app *app;
    int64_t from_s, to_s, now_s;
    struct zone_entry *entry; /* by parent, then by name */
    size_t entry_count, entry_cap;
    struct gate *gate; /* of the zone at hand */
    size_t gate_count, gate_cap;
    struct point_use use; /* of the customer at hand */
    struct zone_traits traits;
    struct water_facts facts;
    struct zone_balance
        *out; /* where its nights and missing points are told; of a region's children no nights */
    bool tell_nights;
};

/* ---- zones ---- */

static int by_parent(const void *left, const void *right)
{
    const struct zone_entry *a = (const struct zone_entry *)left;
    const struct zone_entry *b = (const struct zone_entry *)right;
    int order = strcmp(a->parent, b->parent);

    return order ? order : strcmp(a->zone, b->zone);
}

static enum err entry_add(struct gathering *g, const struct ledger_row *row)
{
    struct zone_entry *e;

    if (g->entry_count == ZONES_MOST)
        return ERR_TOO_LARGE;
    if (g->entry_count == g->entry_cap) {
        size_t cap = g->entry_cap ? 2 * g->entry_cap : 64;

        if (!(e = (struct zone_entry *)realloc(g->entry, cap * sizeof *e)))
            return ERR_NO_MEMORY;
        g->entry = e;
        g->entry_cap = cap;
    }
    e = &g->entry[g->entry_count++];
    text_cut(e->zone, sizeof e->zone, ledger_cell(row, CELL_ZONE_zone));
    text_cut(e->parent, sizeof e->parent, ledger_cell(row, CELL_ZONE_parent));
    return ERR_OK;
}

static enum err entries_load(struct gathering *g)
{
    struct txn t = ledger_read(g->app->ledger);
    struct ledger_walk w = ledger_walk(&t, LIST_ZONE, span_of(NULL, 0), INT64_MAX);
    struct ledger_row row;
    enum err err = ERR_OK, ended;

    while (!err && ledger_walk_next(&w, &row))
        err = entry_add(g, &row);
    ledger_walk_done(&w);
    ended = txn_end(&t);
    err = err ? err : ended;
    if (!err && g->entry_count)
        qsort(g->entry, g->entry_count, sizeof *g->entry, by_parent);
    return err;
}

/* Where the children of a zone begin, by name; they end where entry[i].parent is another. */
static size_t children_of(const struct gathering *g, const char *zone)
{
    size_t low = 0, high = g->entry_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(g->entry[middle].parent, zone) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_child(const struct gathering *g, size_t i, const char *zone)
{
    return i < g->entry_count && strcmp(g->entry[i].parent, zone) == 0;
}

/* A decimal to its sixth place. */
static int64_t millionths(struct span text)
{
    const uint8_t *dot = text.len ? (const uint8_t *)memchr(text.at, '.', text.len) : NULL;
    int64_t v;

    if (dot && text.len > (size_t)(dot - text.at) + 7)
        text.len = (size_t)(dot - text.at) + 7;
    return text_decimal(text, 6, &v) ? 0 : v;
}

static enum err traits_load(struct gathering *g, const char *zone, struct zone_traits *out)
{
    static const unsigned inputs[] = { [INPUT_MAINS_KM] = CELL_ZONE_mains_km,
                                       [INPUT_OUTLET_PRESSURE_MPA] = CELL_ZONE_outlet_pressure_mpa,
                                       [INPUT_FROST_M] = CELL_ZONE_frost_m };
    struct txn t = ledger_read(g->app->ledger);
    struct ledger_row row;
    enum err ended;
    bool found = ledger_find(&t, LIST_ZONE, span_text(zone), INT64_MAX, &row);

    *out = (struct zone_traits){ .publish = PUBLISH_STANDING };
    if (found) {
        struct span publish = ledger_cell(&row, CELL_ZONE_publish_pct);
        struct span share = ledger_cell(&row, CELL_ZONE_household_share);

        out->region = span_equal(ledger_cell(&row, CELL_ZONE_kind), span_text("region"));
        for (unsigned i = 0; i < WATER_INPUTS; i++) {
            struct span cell = ledger_cell(&row, inputs[i]);

            out->known |= (cell.len != 0) << i;
            out->input[i] = cell.len ? millionths(cell) : 0;
        }
        out->has_share = share.len != 0;
        out->share = share.len ? millionths(share) : 0;
        out->billed_unmetered = millionths(ledger_cell(&row, CELL_ZONE_billed_unmetered_lpd));
        out->free_unmetered = millionths(ledger_cell(&row, CELL_ZONE_free_unmetered_lpd));
        if (publish.len)
            out->publish = millionths(publish);
    }
    ended = txn_end(&t);
    return ended ? ended : found ? ERR_OK : ERR_NOT_FOUND;
}

/* ---- what was missing ---- */

static enum err miss(struct gathering *g, uint32_t point)
{
    struct zone_balance *b = g->out;
    struct txn t = ledger_read(g->app->ledger);
    struct ledger_row row;
    char *name = NULL;
    enum err ended;

    if (ledger_by_id(&t, LIST_POINT, point, INT64_MAX, &row))
        name = text_copy(row.cells[0]);
    ended = txn_end(&t);
    if (ended || !name) {
        free(name);
        return ended ? ended : ERR_NO_MEMORY;
    }
    if (b->missing_count == b->missing_cap) {
        size_t cap = b->missing_cap ? 2 * b->missing_cap : 16;
        char **more = (char **)realloc(b->missing, cap * sizeof *more);

        if (!more) {
            free(name);
            return ERR_NO_MEMORY;
        }
        b->missing = more;
        b->missing_cap = cap;
    }
    b->missing[b->missing_count++] = name;
    return ERR_OK;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* By name, each once: two children of a region may share a gate. */
static void missing_sort(struct zone_balance *b)
{
    size_t kept = 0;

    if (b->missing_count)
        qsort(b->missing, b->missing_count, sizeof *b->missing, by_name);
    for (size_t i = 0; i < b->missing_count; i++)
        if (kept && strcmp(b->missing[kept - 1], b->missing[i]) == 0)
            free(b->missing[i]);
        else
            b->missing[kept++] = b->missing[i];
    b->missing_count = kept;
}

/* ---- use ---- */

static bool touches(const struct fitting *f, int64_t from_s, int64_t to_s)
{
    return f->from_s < to_s && f->to_s > from_s;
}

static bool is_fitted(const struct point_use *u, int64_t from_s, int64_t to_s)
{
    for (size_t i = 0; i < u->count; i++)
        if (touches(&u->fittings[i].fitting, from_s, to_s))
            return true;
    return false;
}

static enum err load_point(struct gathering *g, uint32_t point, struct point_use *u)
{
    struct txn t = ledger_read(g->app->ledger);
    enum err err = point_use_load(g->app, &t, point, g->from_s, g->to_s, STEP_NONE, g->now_s, u);

    txn_abort(&t);
    return err;
}

/* ---- gates ---- */

static void gate_done(struct gate *e)
{
    point_use_done(&e->use);
    for (size_t i = 0; i < e->back_count; i++)
        rows_done(&e->back_rows[i]);
    consumer_free(e->back_consumer);
    free(e->back);
    free(e->back_meter);
    free(e->back_rows);
}

static void gates_done(struct gathering *g)
{
    for (size_t i = 0; i < g->gate_count; i++)
        gate_done(&g->gate[i]);
    g->gate_count = 0;
}

static enum err gate_add(struct gathering *g, uint32_t point, int sign, int64_t from_s,
                         int64_t to_s)
{
    struct gate *e;

    if (g->gate_count == g->gate_cap) {
        size_t cap = g->gate_cap ? 2 * g->gate_cap : 8;

        if (!(e = (struct gate *)realloc(g->gate, cap * sizeof *e)))
            return ERR_NO_MEMORY;
        g->gate = e;
        g->gate_cap = cap;
    }
    e = &g->gate[g->gate_count++];
    *e = (struct gate){ .point = point,
                        .sign = sign,
                        .from_s = from_s < g->from_s ? g->from_s : from_s,
                        .to_s = to_s > g->to_s ? g->to_s : to_s };
    return ERR_OK;
}

/* The reverse register of a fitting, which counts from the first value that is known of it. */
static enum err back_load(struct gathering *g, struct gate *e, const struct consume_fitting *f)
{
    size_t n = e->back_count;
    int64_t to_s = f->fitting.to_s == FITTING_OPEN ? INT64_MAX : f->fitting.to_s + 1;
    struct rows *rows = &e->back_rows[n];
    enum err err = readings_load(g->app, f->meter, CHANNEL_REVERSE,
                                 f->fitting.from_s < 0 ? 0 : f->fitting.from_s, to_s, rows);

    e->back_count++;
    if (err || !rows->count) {
        e->back_count -= !err; /* it never went backwards */
        return err;
    }
    e->back_meter[n] = *f->meter;
    e->back_meter[n].form = REGISTER_FORWARD;
    e->back[n] = (struct consume_fitting){ f->fitting, &e->back_meter[n], rows };
    e->back[n].fitting.from_s = rows->at[0].time_s;
    e->back[n].fitting.start_ml = rows->at[0].value;
    return ERR_OK;
}

static enum err backs_load(struct gathering *g, struct gate *e)
{
    size_t count = e->use.count;
    enum err err = ERR_OK;

    if (!count)
        return ERR_OK;
    e->back = (struct consume_fitting *)calloc(count, sizeof *e->back);
    e->back_meter = (struct meter_facts *)calloc(count, sizeof *e->back_meter);
    e->back_rows = (struct rows *)calloc(count, sizeof *e->back_rows);
    if (!e->back || !e->back_meter || !e->back_rows)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count && !err; i++)
        if (e->use.fittings[i].meter->form == REGISTER_BOTH)
            err = back_load(g, e, &e->use.fittings[i]);
    if (err || !e->back_count)
        return err;
    return consumer_new(e->back, e->back_count, STEP_NONE, &g->app->zone, g->now_s,
                        &e->back_consumer);
}

struct gate_flow {
    int64_t ml;
    bool known, actual, exact; /* exact: on readings at both ends */
};

static bool is_exact(const struct consumption *c)
{
    return c->known && c->method == METHOD_READ;
}

static enum err gate_flow(struct gate *e, int64_t from_s, int64_t to_s, struct gate_flow *out)
{
    const struct consumption *c;
    enum err err;

    from_s = from_s < e->from_s ? e->from_s : from_s;
    to_s = to_s > e->to_s ? e->to_s : to_s;
    *out = (struct gate_flow){ .known = true, .actual = true };
    if (from_s >= to_s)
        return ERR_OK;
    if ((err = consumer_figures(e->use.consumer, from_s, to_s, &c)))
        return err;
    *out = (struct gate_flow){ c->consumption_ml, c->known,
                               c->known && c->quality == QUALITY_ACTUAL, is_exact(c) };
    if (!e->back_consumer)
        return ERR_OK;
    if ((err = consumer_figures(e->back_consumer, from_s, to_s, &c)))
        return err;
    out->ml = volume_clamped((__int128)out->ml - c->consumption_ml);
    out->known &= c->known;
    out->actual &= c->known && c->quality == QUALITY_ACTUAL;
    out->exact &= c->part_count && c->parts[0].kind == PART_NO_METER ? c->known : is_exact(c);
    return ERR_OK;
}

/* Boundaries say of a meter in another zone that it is a gate of this one, too, and for how long. */
static enum err boundaries_add(struct gathering *g, const char *zone)
{
    struct txn t = ledger_read(g->app->ledger);
    struct ledger_walk w;
    struct ledger_row row, point;
    char after[ZONE_NAME_SIZE + 1];
    size_t len = strlen(zone);
    enum err err = ERR_OK, ended;

    memcpy(after, zone,
           len + 1); /* a key's texts end with a zero each: all rows of the zone lie behind it */
    w = ledger_walk(&t, LIST_BOUNDARY, span_of(after, len + 1), INT64_MAX);
    while (!err && ledger_walk_next(&w, &row) &&
           span_equal(ledger_cell(&row, CELL_BOUNDARY_zone), span_text(zone))) {
        struct span from = ledger_cell(&row, CELL_BOUNDARY_from);
        struct span to = ledger_cell(&row, CELL_BOUNDARY_to);
        int64_t from_s = INT64_MIN, to_s = INT64_MAX;
        bool out = span_equal(ledger_cell(&row, CELL_BOUNDARY_direction), span_text("out"));

        if ((from.len && text_time(from, NULL, &from_s)) || (to.len && text_time(to, NULL, &to_s)))
            err = ERR_CORRUPT;
        else if (ledger_find(&t, LIST_POINT, ledger_cell(&row, CELL_BOUNDARY_point), INT64_MAX,
                             &point) &&
                 from_s < g->to_s && to_s > g->from_s)
            err = gate_add(g, point.id, out ? -1 : 1, from_s, to_s);
    }
    ledger_walk_done(&w);
    ended = txn_end(&t);
    return err ? err : ended;
}

static bool is_gate(const struct gathering *g, uint32_t point)
{
    for (size_t i = 0; i < g->gate_count; i++)
        if (g->gate[i].point == point)
            return true;
    return false;
}

typedef enum err each_point(struct gathering *g, const struct point_facts *p);

static enum err points_each(struct gathering *g, const char *zone, each_point *each)
{
    uint32_t ids[POINTS_AT_ONCE], done = 0;
    size_t count = POINTS_AT_ONCE;
    enum err err = ERR_OK;

    while (!err && count == POINTS_AT_ONCE) {
        struct point_facts p[POINTS_AT_ONCE];
        struct txn t = ledger_read(g->app->ledger);
        enum err ended;

        err = ledger_points_on(&t, true, span_text(zone), done, ids, POINTS_AT_ONCE, &count);
        for (size_t i = 0; i < count && !err; i++)
            err = point_facts_by_id(&t, ids[i], &p[i]);
        ended = txn_end(&t);
        err = err ? err : ended;
        for (size_t i = 0; i < count && !err; i++)
            err = each(g, &p[i]);
        done += (uint32_t)count;
    }
    return err;
}

static enum err take_gate(struct gathering *g, const struct point_facts *p)
{
    if ((p->use != USE_ZONE_INLET && p->use != USE_ZONE_OUTLET) || is_gate(g, p->id))
        return ERR_OK;
    return gate_add(g, p->id, p->use == USE_ZONE_INLET ? 1 : -1, INT64_MIN, INT64_MAX);
}

static enum err gates_load(struct gathering *g, const char *zone)
{
    enum err err = boundaries_add(g, zone);

    if (!err)
        err = points_each(g, zone, take_gate);
    g->facts.gates_read = true;
    g->facts.inflow_known = true;
    for (size_t i = 0; i < g->gate_count && !err; i++) {
        struct gate *e = &g->gate[i];
        struct gate_flow flow;

        if ((err = load_point(g, e->point, &e->use)) || (err = backs_load(g, e)))
            break;
        if (!(e->fitted = is_fitted(&e->use, e->from_s, e->to_s)) ||
            (err = gate_flow(e, g->from_s, g->to_s, &flow)))
            continue;
        g->facts.inlet_fitted |= e->sign > 0;
        g->facts.inflow_known &= flow.known;
        g->facts.inflow_ml =
            volume_clamped((__int128)g->facts.inflow_ml + e->sign * (__int128)flow.ml);
        if (!flow.actual) {
            g->facts.gates_read = false;
            err = miss(g, e->point);
        }
    }
    g->facts.inflow_known &= g->facts.inlet_fitted;
    return err;
}

/* ---- nights ---- */

/* Where the civil day's clock first shows `hour` or more. */
static int64_t hour_of_day(const struct zone *z, int64_t start_s, int hour)
{
    int64_t at_s = start_s;

    while (zone_civil(z, at_s).hour < hour)
        at_s = zone_hour_next(z, at_s);
    return at_s;
}

static enum err night_try(struct gathering *g, int64_t from_s, struct night *n)
{
    int64_t flow_ml = 0;

    for (size_t i = 0; i < g->gate_count; i++) {
        struct gate *e = &g->gate[i];
        struct gate_flow flow;
        enum err err;

        if (!e->fitted || !is_fitted(&e->use, from_s, from_s + HOUR_S) || e->from_s > from_s ||
            e->to_s < from_s + HOUR_S)
            continue;
        if ((err = gate_flow(e, from_s, from_s + HOUR_S, &flow)))
            return err;
        if (!flow.exact)
            return ERR_OK;
        flow_ml = volume_clamped((__int128)flow_ml + e->sign * (__int128)flow.ml);
    }
    if (!n->found || flow_ml < n->flow_ml) {
        n->found = true;
        n->from_s = from_s;
        n->flow_ml = flow_ml;
    }
    return ERR_OK;
}

static size_t row_from(const struct rows *rows, int64_t at_s)
{
    size_t low = 0, high = rows->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rows->at[middle].time_s < at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Each hour within 02:00–04:00 that begins on a reading of one gate is asked of all. */
static enum err night_find(struct gathering *g, struct night *n)
{
    int64_t from_s = n->begin_s, to_s = n->end_s;
    const struct gate *first = NULL;
    enum err err = ERR_OK;

    for (size_t i = 0; i < g->gate_count && !first; i++)
        if (g->gate[i].fitted && is_fitted(&g->gate[i].use, from_s, to_s) &&
            g->gate[i].from_s <= from_s && g->gate[i].to_s >= to_s)
            first = &g->gate[i];
    for (size_t i = 0; first && i < first->use.count && !err; i++) {
        const struct rows *rows = first->use.fittings[i].rows;

        for (size_t k = row_from(rows, from_s);
             k < rows->count && rows->at[k].time_s <= to_s - HOUR_S && !err; k++)
            err = night_try(g, rows->at[k].time_s, n);
    }
    return err;
}

static enum err nights_find(struct gathering *g)
{
    const struct zone *z = &g->app->zone;
    int64_t start_s = zone_day_start(z, g->from_s);
    size_t most = (size_t)((g->to_s - g->from_s) / 86400 + 2);
    enum err err = ERR_OK;

    if (!g->tell_nights)
        return ERR_OK;
    if (!(g->out->nights = (struct night *)calloc(most, sizeof *g->out->nights)))
        return ERR_NO_MEMORY;
    for (; start_s < g->to_s && !err && g->out->night_count < most;
         start_s = zone_day_next(z, start_s)) {
        int64_t from_s = hour_of_day(z, start_s, 2), to_s = hour_of_day(z, start_s, 4);
        struct night *n = &g->out->nights[g->out->night_count];

        if (from_s < g->from_s || to_s > g->to_s)
            continue;
        g->out->night_count++;
        *n = (struct night){ .day = zone_day_number(z, start_s), .begin_s = from_s, .end_s = to_s };
        err = night_find(g, n);
    }
    return err;
}

/* Whether its register stood otherwise at the last reading within 02:00–04:00 than at the first (Z12). */
static enum err hydrant_look(struct gathering *g, struct night *n)
{
    for (size_t i = 0; i < g->use.count; i++) {
        const struct rows *rows = g->use.fittings[i].rows;
        size_t first = row_from(rows, n->begin_s), end = row_from(rows, n->end_s + 1);
        const struct consumption *c;
        enum err err;

        if (first + 1 >= end)
            continue;
        if ((err = consumer_figures(g->use.consumer, rows->at[first].time_s,
                                    rows->at[end - 1].time_s, &c)))
            return err;
        n->hydrant |= c->consumption_ml != 0;
    }
    return ERR_OK;
}

static enum err nights_take(struct gathering *g, enum use_class use)
{
    const struct consumption *c;
    enum err err;

    for (size_t i = 0; i < g->out->night_count; i++) {
        struct night *n = &g->out->nights[i];

        if (use == USE_HYDRANT && (err = hydrant_look(g, n)))
            return err;
        if (!n->found)
            continue;
        if ((err = consumer_figures(g->use.consumer, n->from_s, n->from_s + HOUR_S, &c)))
            return err;
        n->with += is_exact(c);
        if (c->known)
            n->use_ml = volume_clamped((__int128)n->use_ml + c->consumption_ml);
    }
    return ERR_OK;
}

/* ---- customers ---- */

static void sum_use(struct water_facts *f, enum use_class use, const struct consumption *c)
{
    bool free = use == USE_PUBLIC || use == USE_HYDRANT;
    int64_t *sum = free ? &f->unbilled_ml : &f->billed_ml;

    *sum = volume_clamped((__int128)*sum + c->consumption_ml);
    if (use == USE_RESIDENTIAL)
        f->residential_ml = volume_clamped((__int128)f->residential_ml + c->consumption_ml);
    if (c->quality != QUALITY_ACTUAL)
        f->estimated_ml = volume_clamped((__int128)f->estimated_ml + c->consumption_ml);
}

static enum err take_customer(struct gathering *g, const struct point_facts *p)
{
    /* Who has no class is billed as who lives there, as elsewhere (rules of validation, peers). */
    enum use_class use = p->use == USE_UNKNOWN ? USE_RESIDENTIAL : p->use;
    const struct consumption *c;
    enum err err;

    if (use == USE_ZONE_INLET || use == USE_ZONE_OUTLET)
        return ERR_OK;
    if ((err = load_point(g, p->id, &g->use)) || !is_fitted(&g->use, g->from_s, g->to_s))
        return err;
    g->facts.due++;
    if ((err = nights_take(g, use)) ||
        (err = consumer_figures(g->use.consumer, g->from_s, g->to_s, &c)))
        return err;
    if (c->known && c->quality == QUALITY_ACTUAL)
        g->facts.read++;
    else if ((err = miss(g, p->id)))
        return err;
    if (c->known)
        sum_use(&g->facts, use, c);
    return ERR_OK;
}

/* Those of a zone, and of all below it. */
static enum err customers_take(struct gathering *g, const char *zone, unsigned depth)
{
    enum err err = points_each(g, zone, take_customer);

    for (size_t i = children_of(g, zone); depth && !err && is_child(g, i, zone); i++)
        err = customers_take(g, g->entry[i].zone, depth - 1);
    return err;
}

/* ---- balances ---- */

#define DEPTH_MOST 32 /* of trees of zones, as the register takes them */

static enum err zone_own(struct gathering *g, const char *zone, const struct zone_traits *traits,
                         struct water_balance *out)
{
    enum err err;

    g->traits = *traits;
    g->facts = (struct water_facts){ .span_s = g->to_s - g->from_s,
                                     .years = water_years(&g->app->zone, g->from_s, g->to_s) };
    if (!(err = gates_load(g, zone)) && !(err = nights_find(g)) &&
        !(err = customers_take(g, zone, DEPTH_MOST)))
        err = water_balance_of(&g->traits, &g->facts, out);
    gates_done(g);
    return err;
}

static enum err part_add(struct zone_balance *b, const char *zone,
                         const struct water_balance *balance)
{
    struct zone_part *more =
        (struct zone_part *)realloc(b->parts, (b->part_count + 1) * sizeof *more);

    if (!more)
        return ERR_NO_MEMORY;
    b->parts = more;
    text_cut(more[b->part_count].zone, ZONE_NAME_SIZE, span_text(zone));
    more[b->part_count++].balance = *balance;
    return ERR_OK;
}

static enum err zone_any(struct gathering *g, const char *zone, unsigned depth,
                         struct zone_balance *told, struct water_balance *out)
{
    struct zone_traits traits;
    enum err err = traits_load(g, zone, &traits);

    if (err)
        return err;
    if (told)
        told->region = traits.region;
    g->tell_nights = told && !traits.region;
    if (!traits.region)
        return zone_own(g, zone, &traits, out);
    water_region_begin(out);
    for (size_t i = children_of(g, zone); depth && !err && is_child(g, i, zone); i++) {
        struct water_balance child;

        if (!(err = zone_any(g, g->entry[i].zone, depth - 1, NULL, &child)) &&
            !(err = water_region_add(out, &child)) && told)
            err = part_add(told, g->entry[i].zone, &child);
    }
    if (!err)
        water_region_end(out);
    return err;
}

enum err zone_balance(struct app *app, struct span zone, int64_t from_s, int64_t to_s,
                      int64_t now_s, struct zone_balance *out)
{
    struct gathering g = { .app = app, .from_s = from_s, .to_s = to_s, .now_s = now_s, .out = out };
    char name[ZONE_NAME_SIZE];
    enum err err;

    *out = (struct zone_balance){ 0 };
    if (zone.len >= sizeof name)
        return ERR_NOT_FOUND;
    text_cut(name, sizeof name, zone);
    if (!(err = entries_load(&g)))
        err = zone_any(&g, name, DEPTH_MOST, out, &out->balance);
    for (size_t i = 0; i < out->night_count; i++)
        out->nights[i].use_known = water_enough(g.traits.publish, out->nights[i].with, g.facts.due);
    missing_sort(out);
    point_use_done(&g.use);
    free(g.gate);
    free(g.entry);
    return err;
}

void zone_balance_done(struct zone_balance *b)
{
    for (size_t i = 0; i < b->missing_count; i++)
        free(b->missing[i]);
    free(b->missing);
    free(b->nights);
    free(b->parts);
    *b = (struct zone_balance){ 0 };
}
