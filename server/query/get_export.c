/* GET /v1/export/LIST: a list of the register as the file that imports take, with the columns and the
 * text of each cell as they are kept; so what goes into an empty store comes out again byte by byte.
 *
 * Lives are told by two files.  `fittings`: what was told as a fitting (an imported install, and its
 * remove).  `events`: all other events, in order of serial, time and arrival. */
#include "server/acts/import.h"
#include "server/lives.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define PAGE 10000

struct exporting {
    const struct list *list;
    const char *columns[COLUMNS_MAX + 1];
};

static bool is_number(enum column_type type)
{
    return type == COLUMN_INT || type == COLUMN_DECIMAL || type == COLUMN_LITRES;
}

static void put_cell(struct listing *l, const struct column *c, struct span cell)
{
    if (is_number(c->type))
        row_number(l, c->name, cell);
    else
        row_text(l, c->name, cell);
}

static void put_row(struct listing *l, struct txn *t, const struct ledger_row *row, struct span key)
{
    const struct list *list = ((const struct exporting *)l->state)->list;

    (void)t;
    row_begin(l);
    for (unsigned i = 0; i < list->columns; i++)
        put_cell(l, &list->column[i], i < row->count ? row->cells[i] : (struct span){ 0 });
    row_end(l, key);
}

/* ---- lives ---- */

/* What is needed of a meter's life: its events, and which of them the file of fittings tells. */
struct told {
    struct meter_life life;
    size_t *
        end; /* of an install that was told as a fitting: its remove, or `count` where it is open */
    bool *as_fitting;
};

static bool is_end(const struct life_event *e)
{
    return e->kind == EVENT_REMOVE || e->kind == EVENT_LOSE;
}

/* An install that was told, up to its end that was told too, or none. */
static void find_fittings(struct told *t)
{
    const struct life_event *e = t->life.events;
    size_t count = t->life.count;

    for (size_t i = 0; i < count; i++) {
        size_t j = i + 1;

        if (e[i].kind != EVENT_INSTALL || !(e[i].flags & EVENT_IMPORTED))
            continue;
        while (j < count && !is_end(&e[j]) && e[j].kind != EVENT_INSTALL)
            j++;
        if (j < count && !(e[j].kind == EVENT_REMOVE && e[j].flags & EVENT_IMPORTED))
            continue;
        t->as_fitting[i] = true;
        t->end[i] = j;
        if (j < count)
            t->as_fitting[j] = true;
    }
}

static enum err told_load(struct app *app, struct txn *t, uint32_t meter, struct told *out)
{
    enum err err;

    memset(out, 0, sizeof *out);
    if ((err = life_load(app, t, meter, &out->life)) || !out->life.count)
        return err;
    out->end = (size_t *)calloc(out->life.count, sizeof *out->end);
    out->as_fitting = (bool *)calloc(out->life.count, sizeof *out->as_fitting);
    if (!out->end || !out->as_fitting)
        return ERR_NO_MEMORY;
    find_fittings(out);
    return ERR_OK;
}

static void told_done(struct told *t)
{
    life_done(&t->life);
    free(t->end);
    free(t->as_fitting);
}

static void put_point(struct listing *l, struct txn *t, uint32_t point)
{
    char name[64];

    if (point && !point_name(t, point, name))
        listing_fail(l, t->err ? t->err : ERR_MISSING);
    else
        row_text(l, "point", point ? span_text(name) : (struct span){ 0 });
}

static void put_time(struct listing *l, const char *name, bool has, int64_t at_s)
{
    if (has)
        row_time(l, name, at_s);
    else
        row_absent(l, name);
}

static void put_litres(struct listing *l, const char *name, bool has, int64_t ml)
{
    if (has)
        row_litres(l, name, ml);
    else
        row_absent(l, name);
}

static void put_fitting(struct listing *l, struct txn *t, const struct told *f, size_t i,
                        struct span key)
{
    const struct life_event *from = &f->life.events[i];
    const struct life_event *to = f->end[i] < f->life.count ? &f->life.events[f->end[i]] : NULL;
    struct span reason =
        to && to->text[EVENT_REASON].len ? to->text[EVENT_REASON] : from->text[EVENT_REASON];

    row_begin(l);
    put_point(l, t, from->point);
    row_text(l, "serial", span_text(f->life.facts.serial));
    row_time(l, "from", from->at_s);
    row_litres(l, "start_index_l", from->index_ml);
    put_time(l, "to", to, to ? to->at_s : 0);
    put_litres(l, "end_index_l", to && to->flags & EVENT_HAS_INDEX, to ? to->index_ml : 0);
    row_text(l, "reason", reason);
    row_end(l, key);
}

static void put_day(struct listing *l, const char *name, int32_t day)
{
    char text[11];

    if (day != NO_DAY)
        text_put_date(text, day);
    row_text(l, name, day == NO_DAY ? (struct span){ 0 } : span_text(text));
}

static void put_flag(struct listing *l, const char *name, bool set)
{
    row_text(l, name, set ? span_text("true") : (struct span){ 0 });
}

static void put_event(struct listing *l, struct txn *t, const struct told *f, size_t i,
                      struct span key)
{
    const struct life_event *e = &f->life.events[i];

    row_begin(l);
    row_text(l, "serial", span_text(f->life.facts.serial));
    row_text(l, "event", span_text(event_name((enum life_kind)e->kind)));
    row_time(l, "at", e->at_s);
    row_time(l, "recorded_at", e->recorded_s);
    put_point(l, t, e->kind == EVENT_INSTALL ? e->point : 0);
    put_litres(l, "index_l", e->flags & EVENT_HAS_INDEX, e->index_ml);
    row_text(l, "result",
             e->kind != EVENT_INSPECT  ? (struct span){ 0 }
             : e->flags & EVENT_FAILED ? span_text("fail")
                                       : span_text("pass"));
    for (unsigned k = 0; k < EVENT_TEXTS; k++)
        row_text(l, list_events.column[IMPORT_EVENT_TEXTS + k].name, e->text[k]);
    put_day(l, "verified_on", e->verified_on);
    put_day(l, "valid_until", e->valid_until);
    put_flag(l, "overruled", e->flags & EVENT_OVERRULED);
    put_flag(l, "read_index", e->flags & EVENT_READ_INDEX);
    put_flag(l, "imported", e->flags & EVENT_IMPORTED);
    row_end(l, key);
}

static void put_life(struct listing *l, struct txn *t, const struct ledger_row *row,
                     struct span key)
{
    bool events = ((const struct exporting *)l->state)->list == &list_events;
    struct told told;
    enum err err = told_load(l->app, t, row->id, &told);

    listing_pass(l, key);
    for (size_t i = 0; i < told.life.count && !err; i++) {
        if (events && !told.as_fitting[i])
            put_event(l, t, &told, i, key);
        else if (!events && told.as_fitting[i] && told.life.events[i].kind == EVENT_INSTALL)
            put_fitting(l, t, &told, i, key);
    }
    listing_fail(l, err);
    told_done(&told);
}

/* ---- the answer ---- */

static bool of_lives(const struct list *list)
{
    return list == &list_events || list->kind == LIST_FITTING;
}

static void fill(struct listing *l)
{
    const struct exporting *x = (const struct exporting *)l->state;

    if (of_lives(x->list))
        rows_fill(l, LIST_METER, INT64_MAX, put_life);
    else
        rows_fill(l, x->list->kind, INT64_MAX, put_row);
}

static const struct list *list_asked(const struct request *q)
{
    const struct list *list = list_named(q->subject[0]);

    if (list && list->kind == LIST_PAPER)
        return NULL; /* told of the store's work, not of the fleet, and made by acts alone */
    return span_equal(q->subject[0], span_text(list_events.plural)) ? &list_events : list;
}

void answer_export(struct request *q)
{
    struct exporting *x = (struct exporting *)calloc(1, sizeof *x);

    if (!x) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    if (!(x->list = list_asked(q))) {
        problem_of(q, ERR_NOT_FOUND, "list", "there is no list %.*s to export",
                   (int)(q->subject[0].len < 40 ? q->subject[0].len : 40),
                   (const char *)q->subject[0].at);
        free(x);
        return;
    }
    for (unsigned i = 0; i < x->list->columns; i++)
        x->columns[i] = x->list->column[i].name;
    listing_new(q, x->columns, fill, x, free, PAGE);
}
