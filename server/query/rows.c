#include "server/query/rows.h"

#include <stdio.h>

struct fitted fitted_at(const struct fitting *fittings, size_t count, int64_t at_s)
{
    struct fitted f = { 0 };

    for (size_t i = 0; i < count && fittings[i].from_s <= at_s; i++) {
        f.known = true;
        f.fitting = fittings[i];
        f.open = at_s < fittings[i].to_s;
    }
    return f;
}

static void fold_then(struct app *app, int64_t at_s, int64_t known_s, struct meter_then *out)
{
    out->day = (int32_t)zone_day_number(&app->zone, at_s);
    out->condition = (struct condition){ .due = NO_DAY };
    life_fold(&out->of.rules, out->of.events, out->of.count, at_s, known_s, &out->life);
    if (!out->life.depot.len) /* where its life began */
        out->life.depot = span_text(out->of.depot);
    life_legal(&out->of.rules, out->of.events, out->of.count, out->day, known_s, &out->legal);
}

enum err meter_then(struct app *app, struct txn *t, uint32_t meter, int64_t at_s, int64_t known_s,
                    struct meter_then *out)
{
    enum err err = life_load(app, t, meter, &out->of);

    if (!err)
        fold_then(app, at_s, known_s, out);
    return err;
}

enum err meter_look(struct app *app, struct txn *t, const struct ledger_row *row, int64_t at_s,
                    int64_t known_s, struct meter_then *out)
{
    enum err err = life_look(app, t, row, &out->of);

    if (!err)
        fold_then(app, at_s, known_s, out);
    return err;
}

enum err meter_condition(struct app *app, struct txn *t, const struct fleet_rules *rules,
                         int64_t now_s, struct meter_then *m)
{
    struct txn views = views_read(app->views);
    enum err err = condition_now(app, rules, t, &views, &m->of, &m->life, now_s, &m->condition);
    enum err ended = txn_end(&views);

    return err ? err : ended;
}

bool point_name(struct txn *t, uint32_t point, char out[64])
{
    struct ledger_row row;

    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row) || !row.count)
        return false;
    text_cut(out, 64, row.cells[0]);
    return true;
}

bool meter_serial(struct txn *t, uint32_t meter, char out[SERIAL_MAX + 1])
{
    struct ledger_row row;

    if (!ledger_by_id(t, LIST_METER, meter, INT64_MAX, &row) || !row.count)
        return false;
    snprintf(out, SERIAL_MAX + 1, "%.*s",
             (int)(row.cells[0].len < SERIAL_MAX ? row.cells[0].len : SERIAL_MAX),
             (const char *)row.cells[0].at);
    return true;
}

static bool is_number(enum column_type type)
{
    return type == COLUMN_INT || type == COLUMN_DECIMAL || type == COLUMN_LITRES;
}

void row_day(struct listing *l, const char *name, int32_t day)
{
    char text[11];

    if (day == NO_DAY) {
        row_null(l, name);
        return;
    }
    text_put_date(text, day);
    row_word(l, name, text);
}

static void put_cell(struct listing *l, const struct column *c, struct span cell)
{
    if (is_number(c->type))
        row_number(l, c->name, cell);
    else
        row_text(l, c->name, cell);
}

/* Of a meter some cells are where its life began: what holds now stands in their place. */
static void put_cells(struct listing *l, const struct list *list, const struct ledger_row *row,
                      const struct meter_then *m)
{
    for (unsigned i = 0; i < list->columns; i++) {
        const struct column *c = &list->column[i];
        struct span cell = i < row->count ? row->cells[i] : (struct span){ 0 };

        if (c->type == COLUMN_STATE)
            continue; /* what holds now stands at the row's end */
        if (m && i == CELL_METER_verified_on)
            row_day(l, c->name, m->legal.verified_on);
        else if (m && i == CELL_METER_depot)
            row_text(l, c->name, m->life.depot);
        else
            put_cell(l, c, cell);
    }
}

static void put_warning(struct out *o, bool *first, const char *code, const char *text)
{
    out_text(o, *first ? "{" : ",{");
    out_member_text(o, "code", code);
    out_member_text(o, "text", text);
    out_text(o, "}");
    *first = false;
}

static void put_warnings(struct listing *l, unsigned warnings)
{
    struct out *o = row_raw_begin(l, "warnings");
    bool first = true;

    out_text(o, "[");
    if (warnings & LEGAL_OVERRIDE_IGNORED)
        put_warning(o, &first, "override-ignored",
                    "life_months is longer than the rule allows, and does not count");
    if (warnings & LEGAL_CERTIFICATE_IGNORED)
        put_warning(o, &first, "certificate-date-ignored",
                    "valid_until lies after the last day that the rule allows, and does not count");
    out_text(o, "]");
    row_raw_end(l);
}

int32_t earlier_day(int32_t a, int32_t b)
{
    return b == NO_DAY || (a != NO_DAY && a < b) ? a : b;
}

void row_condition(struct listing *l, const struct condition *c)
{
    char text_en[160], text_zh[160];
    struct wr en = wr_of(text_en, sizeof text_en - 1), zh = wr_of(text_zh, sizeof text_zh - 1);

    condition_say(c, &en, &zh);
    *en.at = *zh.at = 0;
    row_day(l, "condition_due", c->due);
    row_word(l, "condition_basis", condition_name(c->basis));
    row_word(l, "condition_text_en", c->due == NO_DAY ? NULL : text_en);
    row_word(l, "condition_text_zh", c->due == NO_DAY ? NULL : text_zh);
}

/* meter_columns, in their order (rules-fleet V9), and the date by condition beside the law's. */
static void put_life(struct listing *l, struct txn *t, const struct meter_then *m)
{
    const struct legal *legal = &m->legal;
    char point[64];

    row_word(l, "state", life_state_name(m->life.state));
    row_word(l, "point", m->life.point && point_name(t, m->life.point, point) ? point : NULL);
    if (m->life.crew.len)
        row_text(l, "crew", m->life.crew);
    else
        row_null(l, "crew");
    row_word(l, "regime", regime_name(legal->regime));
    row_int(l, "rule_years", legal->rule_years);
    row_day(l, "first_verified_on", legal->first_verified_on);
    row_day(l, "legal_due", legal->due);
    row_word(l, "due_basis", due_basis_name(legal->basis));
    if (legal->due == NO_DAY) {
        row_null(l, "days_left");
    } else {
        row_int(l, "days_left", (int64_t)legal->due - m->day);
    }
    row_bool(l, "in_date", legal->due != NO_DAY && legal->due >= m->day);
    put_warnings(l, legal->warnings);
    row_condition(l, &m->condition);
    row_day(l, "due_on", earlier_day(legal->due, m->condition.due));
}

const char *const meter_columns[] = { "state",
                                      "point",
                                      "crew",
                                      "regime",
                                      "rule_years",
                                      "first_verified_on",
                                      "legal_due",
                                      "due_basis",
                                      "days_left",
                                      "in_date",
                                      "warnings",
                                      "condition_due",
                                      "condition_basis",
                                      "condition_text_en",
                                      "condition_text_zh",
                                      "due_on",
                                      NULL };

void row_of_meter(struct listing *l, struct txn *t, const struct ledger_row *row,
                  const struct meter_then *m, struct span cursor)
{
    row_begin(l);
    put_cells(l, list_of(LIST_METER), row, m);
    put_life(l, t, m);
    row_end(l, cursor);
}

static void put_point_meter(struct listing *l, struct txn *t, const struct ledger_row *row,
                            int64_t at_s)
{
    char serial[SERIAL_MAX + 1];
    struct fittings fittings;
    struct fitted f;
    enum err err = fittings_load(t, true, row->id, &fittings);

    if (err) {
        listing_fail(l, err);
        return;
    }
    f = fitted_at(fittings.at, fittings.count, at_s);
    fittings_done(&fittings);
    row_word(l, "serial", f.open && meter_serial(t, f.fitting.meter, serial) ? serial : NULL);
}

void row_of_register(struct listing *l, struct txn *t, const struct list *list,
                     const struct ledger_row *row, int64_t at_s, struct span cursor)
{
    row_begin(l);
    put_cells(l, list, row, NULL);
    if (list->kind == LIST_POINT)
        put_point_meter(l, t, row, at_s);
    row_end(l, cursor);
}

void rows_fill(struct listing *l, enum list_kind kind, int64_t as_of_s, rows_put *put)
{
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct ledger_walk walk;
    struct ledger_row row;
    bool more = true;

    memcpy(after, l->cursor, l->cursor_len);
    walk = ledger_walk(&t, kind, span_of(after, l->cursor_len), as_of_s);
    while (!t.err && (more = ledger_walk_next(&walk, &row)) && !listing_full(l))
        put(l, &t, &row, walk.key);
    ledger_walk_done(&walk);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

void row_alone_begin(struct listing *l, struct request *q)
{
    *l = (struct listing){ .q = q, .app = q->app, .form = FORM_JSON, .limit = 1 };
}

void row_alone_end(struct listing *l)
{
    struct request *q = l->q;

    if (l->out.err || l->err) {
        problem_of(q, l->err ? l->err : l->out.err, "", "the row cannot be shown: it %s",
                   err_text(l->err ? l->err : l->out.err));
    } else {
        out_text(&l->out, "\n");
        out_done(&q->out);
        q->out = l->out;
        l->out = (struct out){ 0 };
        q->status = 200;
    }
    out_done(&l->out);
    out_done(&l->raw);
}

bool row_named(struct request *q, struct txn *t, const struct list *list, int64_t as_of_s,
               struct ledger_row *out)
{
    struct span key = q->subject[0];

    if (ledger_find(t, list->kind, key, as_of_s, out))
        return true;
    if (t->err)
        problem_of(q, t->err, "", "the register cannot be read: it %s", err_text(t->err));
    else
        problem_of(q, ERR_NOT_FOUND, list->column[0].name, "%s %.*s: nobody registered it%s",
                   list->column[0].name, (int)(key.len < 80 ? key.len : 80), (const char *)key.at,
                   as_of_s == INT64_MAX ? "" : " by then");
    return false;
}

bool named_is_known(struct request *q, struct txn *t, enum list_kind kind, const char *name)
{
    struct span key = ask_text(q, name);
    struct ledger_row row;

    if (!key.len || ledger_find(t, kind, key, INT64_MAX, &row))
        return true;
    problem_of(q, t->err ? t->err : ERR_NOT_FOUND, name, "%s %.*s: nobody registered it", name,
               (int)(key.len < 80 ? key.len : 80), (const char *)key.at);
    return false;
}
