/* Meters, points, zones, routes, orgs and boundaries, as they are or were. */
#include "server/fleet/life.h"
#include "server/points.h"
#include "server/prices.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/readings.h"
#include "server/stock.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define RECENT_S (45 * 86400) /* where a meter's last reading is looked for first */

struct wanted {
    const struct list *list;
    int64_t as_of_s, at_s; /* of the ledger's rows (INT64_MAX: the newest); of lives */
    int64_t known_s;       /* what was recorded later is not known yet */
    char state[32];        /* "": any */
    int zone_column, route_column, model_column, batch_column, account_column, use_column,
        reader_column;
    char zone[128], route[128], model[128], batch[128];
    char account[LIMIT_TEXT + 1], use[32], reader[128];
    char holder_kind;         /* 'c', 'd', 0: any */
    char holder[128];         /* a crew or depot */
    struct fleet_rules rules; /* of meters as they are now: for their dates by condition */
    const char *columns[COLUMNS_MAX + 17];
};

static bool cell_is(const struct ledger_row *row, int column, const char *wanted)
{
    return !*wanted || (column >= 0 && (unsigned)column < row->count &&
                        span_equal(row->cells[column], span_text(wanted)));
}

/* A depot has what lies in it, and not what went out from there. */
static bool holder_is(const struct wanted *w, const struct life *life)
{
    bool lies = STOCK_STATES >> life->state & 1 && life->state != LIFE_ISSUED;

    if (w->holder_kind == 'c')
        return span_equal(life->crew, span_text(w->holder));
    return !w->holder_kind || (lies && span_equal(life->depot, span_text(w->holder)));
}

static bool life_is(const struct wanted *w, const struct meter_then *m)
{
    const char *state = life_state_name(m->life.state);

    return (!w->state[0] || (state && strcmp(state, w->state) == 0)) && holder_is(w, &m->life);
}

static bool cells_are(const struct wanted *w, const struct ledger_row *row)
{
    return cell_is(row, w->zone_column, w->zone) && cell_is(row, w->route_column, w->route) &&
           cell_is(row, w->model_column, w->model) && cell_is(row, w->batch_column, w->batch) &&
           cell_is(row, w->account_column, w->account) && cell_is(row, w->use_column, w->use) &&
           cell_is(row, w->reader_column, w->reader);
}

static bool is_now(const struct wanted *w)
{
    return w->as_of_s == INT64_MAX && w->known_s == INT64_MAX;
}

static void put_meter(struct listing *l, struct txn *t, const struct ledger_row *row,
                      struct span key)
{
    const struct wanted *w = (const struct wanted *)l->state;
    struct meter_then m = { 0 };
    enum err err = meter_then(l->app, t, row->id, w->at_s, w->known_s, &m);
    bool shown = !err && life_is(w, &m);

    if (shown && is_now(w))
        err = meter_condition(l->app, t, &w->rules, w->at_s, &m);
    if (err)
        listing_fail(l, err);
    else if (shown)
        row_of_meter(l, t, row, &m, key);
    else
        listing_pass(l, key);
    life_done(&m.of);
}

static void put_wanted(struct listing *l, struct txn *t, const struct ledger_row *row,
                       struct span key)
{
    const struct wanted *w = (const struct wanted *)l->state;

    if (!cells_are(w, row))
        listing_pass(l, key);
    else if (w->list->kind == LIST_METER)
        put_meter(l, t, row, key);
    else
        row_of_register(l, t, w->list, row, w->at_s, key);
}

static void fill(struct listing *l)
{
    const struct wanted *w = (const struct wanted *)l->state;

    rows_fill(l, w->list->kind, w->as_of_s, put_wanted);
}

/* The index knows what holds now; where the past is asked for, or anything may be, all are walked. */
static struct index_walk index_of(struct txn *t, const struct wanted *w, struct span after)
{
    enum life_state state = LIFE_NONE;

    if (w->account[0])
        return points_of_account(t, span_text(w->account), after);
    if (w->use[0])
        return points_of_use(t, span_text(w->use), after);
    if (w->holder_kind)
        return lives_held(t, w->holder_kind, span_text(w->holder), after);
    (void)life_state_read(span_text(w->state), &state);
    return lives_in_state(t, state, after);
}

static bool by_index(const struct wanted *w)
{
    if (w->list->kind == LIST_POINT)
        return is_now(w) && (w->account[0] || points_use_indexed(span_text(w->use)));
    return w->list->kind == LIST_METER && is_now(w) && (w->state[0] || w->holder_kind);
}

static void put_indexed(struct listing *l, struct txn *t, uint32_t id)
{
    const struct wanted *w = (const struct wanted *)l->state;
    struct ledger_row row;

    if (ledger_by_id(t, w->list->kind, id, INT64_MAX, &row) && row.count)
        put_wanted(l, t, &row, row.cells[0]); /* the key of either list */
    else
        listing_fail(l, t->err ? t->err : ERR_MISSING);
}

static void fill_indexed(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    uint8_t after[CURSOR_MAX];
    struct index_walk walk;
    struct txn t;
    bool more = true;

    listing_fail(l, lives_now(l->app, &w->at_s));
    t = ledger_read(l->app->ledger);
    memcpy(after, l->cursor, l->cursor_len);
    walk = index_of(&t, w, span_of(after, l->cursor_len));
    while (!t.err && !l->err && (more = index_next(&walk)) && !listing_full(l))
        put_indexed(l, &t, walk.value);
    index_done(&walk);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

/* The columns of the CSV: those of the list, and what row_of_register adds. */
static void name_columns(struct wanted *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->list->columns; i++) {
        if (w->list->column[i].type != COLUMN_STATE)
            w->columns[n++] = w->list->column[i].name;
    }
    if (w->list->kind == LIST_METER) {
        for (unsigned i = 0; meter_columns[i]; i++)
            w->columns[n++] = meter_columns[i];
    } else if (w->list->kind == LIST_POINT) {
        w->columns[n++] = "serial";
    }
    w->columns[n] = NULL;
}

static bool ask_as_of(struct request *q, int64_t *out_as_of_s, int64_t *out_at_s)
{
    if (!ask_time(q, "as_of", INT64_MAX, out_as_of_s))
        return false;
    *out_at_s = *out_as_of_s == INT64_MAX ? clock_now_s(&q->app->clock) : *out_as_of_s;
    return true;
}

static const struct list *list_of_path(const struct request *q)
{
    return list_named(q->target.segment[1]);
}

/* A meter that a crew has lies in no depot. */
static bool ask_holder(struct request *q, struct wanted *w)
{
    struct span crew = ask_text(q, "crew"), depot = ask_text(q, "depot");

    if (crew.len && depot.len) {
        problem_of(q, ERR_INVALID, "depot", "depot: found one beside a crew, expected one of them");
        return false;
    }
    w->holder_kind = crew.len ? 'c' : depot.len ? 'd' : 0;
    return ask_copy(q, crew.len ? "crew" : "depot", w->holder, sizeof w->holder);
}

static bool ask_use(struct request *q, struct wanted *w)
{
    if (!ask_copy(q, "use_class", w->use, sizeof w->use))
        return false;
    if (!w->use[0] || use_known(span_text(w->use)))
        return true;
    problem_of(q, ERR_INVALID, "use_class", "use_class: found %s, expected %s", w->use,
               cell_expected(&w->list->column[CELL_POINT_use_class]));
    return false;
}

static bool ask_filters(struct request *q, struct wanted *w)
{
    struct txn t;
    enum err err;
    bool known;

    if (!ask_copy(q, "state", w->state, sizeof w->state) ||
        !ask_copy(q, "zone", w->zone, sizeof w->zone) ||
        !ask_copy(q, "route", w->route, sizeof w->route) ||
        !ask_copy(q, "model", w->model, sizeof w->model) ||
        !ask_copy(q, "batch", w->batch, sizeof w->batch) ||
        !ask_copy(q, "reader", w->reader, sizeof w->reader) || !ask_holder(q, w))
        return false;
    if (w->list->kind == LIST_POINT &&
        (!ask_copy(q, "account", w->account, sizeof w->account) || !ask_use(q, w)))
        return false;
    if (w->state[0] && !state_known(span_text(w->state))) {
        char states[256] = "";
        struct wr said = wr_of(states, sizeof states - 1);

        life_states_say((LIFE_BIT(LIFE_STATES) - 1) & ~LIFE_BIT(LIFE_NONE), &said);
        states[wr_len(&said)] = 0;
        problem_of(q, ERR_INVALID, "state", "state: found %s, expected %s", w->state, states);
        return false;
    }
    t = ledger_read(q->app->ledger);
    known = named_is_known(q, &t, LIST_ZONE, "zone") && named_is_known(q, &t, LIST_ROUTE, "route");
    if (known && (err = fleet_rules_now(q->app, &t, &w->rules))) {
        problem_of(q, err, "", "the list of prices cannot be read: it %s", err_text(err));
        known = false;
    }
    txn_abort(&t);
    return known;
}

void answer_register(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    w->list = list_of_path(q);
    w->zone_column = list_column(w->list, span_text("zone"));
    w->route_column = list_column(w->list, span_text("route"));
    w->model_column = list_column(w->list, span_text("model"));
    w->batch_column = list_column(w->list, span_text("batch"));
    w->account_column = list_column(w->list, span_text("account"));
    w->use_column = list_column(w->list, span_text("use_class"));
    w->reader_column = list_column(w->list, span_text("reader"));
    name_columns(w);
    if (!ask_as_of(q, &w->as_of_s, &w->at_s) || !ask_time(q, "known_at", INT64_MAX, &w->known_s) ||
        !ask_filters(q, w)) {
        free(w);
        return;
    }
    listing_new(q, w->columns, by_index(w) ? fill_indexed : fill, w, free, PAGE);
}

/* ---- one row ---- */

static const struct row *last_of(const struct rows *rows)
{
    for (size_t i = rows->count; i-- > 0;) {
        if (!(rows->at[i].attr & ATTR_FUTURE))
            return &rows->at[i];
    }
    return NULL;
}

/* The newest reading of the billed channel that was no fantasy of the meter's clock. */
static void put_last_reading(struct listing *l, const struct meter_facts *m, int64_t at_s)
{
    enum channel c = meter_billed_channel(m);
    struct rows rows = { 0 };
    const struct row *last = NULL;
    enum err err = readings_load(l->app, m, c, at_s - RECENT_S, INT64_MAX, &rows);

    if (!err && !(last = last_of(&rows)))
        err = readings_load(l->app, m, c, 0, INT64_MAX, &rows);
    listing_fail(l, err);
    if (!err && (last || (last = last_of(&rows)))) {
        row_time(l, "last_reading_at", last->time_s);
        row_litres(l, "last_index_l", last->value);
    }
    rows_done(&rows);
}

static void put_status(struct listing *l, uint32_t status)
{
    bool first = true;

    out_key(&l->out, "status");
    out_text(&l->out, "[");
    for (unsigned i = 0; i < STATUS_BITS; i++) {
        if (!(status >> i & 1))
            continue;
        out_format(&l->out, "%s\"%s\"", first ? "" : ",", status_name(i));
        first = false;
    }
    out_text(&l->out, "]");
}

/* What its frames last said of the meter itself. */
static void put_vitals(struct listing *l, const struct meter_facts *m)
{
    struct vitals vitals;
    int32_t offset_s;
    enum err err = readings_vitals(l->app, m, &vitals);

    listing_fail(l, err);
    if (err || !vitals.position)
        return;
    row_time(l, "last_seen_at", vitals.arrival_s);
    put_status(l, vitals.status);
    if (vitals_offset(&vitals, &offset_s))
        row_int(l, "clock_offset_s", offset_s);
    if (vitals.battery_mv)
        row_int(l, "battery_mv", vitals.battery_mv);
    if (vitals.rsrp_dbm)
        row_int(l, "rsrp_dbm", vitals.rsrp_dbm);
    if (vitals.snr_db)
        row_int(l, "snr_db", vitals.snr_db);
    if (vitals.cell & CELL_GATEWAY) {
        char gateway[9];

        snprintf(gateway, sizeof gateway, "%08x", (unsigned)(vitals.cell & ~CELL_GATEWAY));
        row_word(l, "gateway", gateway);
    } else if (vitals.cell) {
        row_int(l, "cell", vitals.cell);
    }
}

static void put_meter_alone(struct listing *l, struct txn *t, const struct ledger_row *row,
                            int64_t at_s, int64_t known_s, bool now, struct meter_facts *out)
{
    struct meter_then m = { 0 };
    enum err err = meter_then(l->app, t, row->id, at_s, known_s, &m);
    struct fleet_rules rules;

    if (!err && now && !(err = fleet_rules_now(l->app, t, &rules)))
        err = meter_condition(l->app, t, &rules, at_s, &m);
    listing_fail(l, err);
    if (!err) {
        *out = m.of.facts;
        row_of_meter(l, t, row, &m, (struct span){ 0 });
    }
    life_done(&m.of);
}

void answer_register_one(struct request *q)
{
    const struct list *list = list_of_path(q);
    struct listing alone;
    struct meter_facts m = { 0 };
    struct ledger_row row;
    int64_t as_of_s, at_s, known_s;
    struct txn t;
    bool now;

    if (!ask_as_of(q, &as_of_s, &at_s) || !ask_time(q, "known_at", INT64_MAX, &known_s))
        return;
    now = as_of_s == INT64_MAX && known_s == INT64_MAX;
    t = ledger_read(q->app->ledger);
    row_alone_begin(&alone, q);
    if (!row_named(q, &t, list, as_of_s, &row)) {
        txn_abort(&t);
        return;
    }
    if (list->kind == LIST_METER)
        put_meter_alone(&alone, &t, &row, at_s, known_s, now, &m);
    else
        row_of_register(&alone, &t, list, &row, at_s, (struct span){ 0 });
    listing_fail(&alone, txn_end(&t));
    if (m.id && now && !alone.err && alone.out.len) {
        alone.out.len--; /* the row is opened again for what is read outside the register */
        put_last_reading(&alone, &m, at_s);
        put_vitals(&alone, &m);
        out_text(&alone.out, "}");
    }
    row_alone_end(&alone);
}
