#include "server/edits.h"

#include "server/billing/walk.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name, *en, *zh;
} states[EDIT_STATES] = {
    [EDIT_WAITING] = { "waiting", "It waits for a second person.", "待他人审批。" },
    [EDIT_IN_FORCE] = { "in-force", "It is in force.", "已生效。" },
    [EDIT_REFUSED] = { "refused", "It was refused, and never in force.", "已驳回，未曾生效。" },
    [EDIT_UNDOING] = { "undo-waiting",
                       "It is in force; that it be taken back waits for a second person.",
                       "已生效，撤销待他人审批。" },
    [EDIT_UNDONE] = { "undone", "It was in force, and was taken back.", "曾生效，已撤销。" },
};

const char *edit_state_name(unsigned state)
{
    return states[state].name;
}

const char *edit_state_en(unsigned state)
{
    return states[state].en;
}

const char *edit_state_zh(unsigned state)
{
    return states[state].zh;
}

bool edit_state_read(struct span name, enum edit_state *out)
{
    for (unsigned s = 0; s < EDIT_STATES; s++) {
        if (span_equal(name, span_text(states[s].name))) {
            *out = (enum edit_state)s;
            return true;
        }
    }
    return false;
}

bool edit_id_read(struct span text, uint64_t *out)
{
    uint64_t id = 0;

    if (!text.len || text.len > 18)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        id = id * 10 + (uint64_t)(text.at[i] - '0');
    }
    *out = id;
    return id > 0;
}

/* ---- where ---- */

enum err edit_place(struct txn *t, uint32_t point, int64_t at_s, enum edit_place *out,
                    struct fitting *out_fitting)
{
    struct fittings f;
    enum err err = fittings_load(t, true, point, &f);

    *out = EDIT_PLACE_NONE;
    for (size_t i = 0; i < f.count && !err; i++) {
        const struct fitting *one = &f.at[i];

        if (one->from_s > at_s || one->to_s < at_s)
            continue;
        *out_fitting = *one;
        *out = one->from_s == at_s || one->to_s == at_s ? EDIT_PLACE_OWN_INDEX : EDIT_PLACE_FOUND;
    }
    fittings_done(&f);
    return err;
}

struct searching {
    uint32_t meter;
    int64_t at_s;
    bool found;
    struct ledger_edit *out;
};

static bool is_there(void *arg, const struct ledger_edit *e)
{
    struct searching *s = (struct searching *)arg;

    s->found = e->meter == s->meter && e->at_s == s->at_s && (edit_in_force(e) || edit_waits(e));
    if (s->found)
        *s->out = *e;
    return !s->found;
}

bool edit_there(struct txn *t, uint32_t point, uint32_t meter, int64_t at_s,
                struct ledger_edit *out)
{
    struct searching s = { .meter = meter, .at_s = at_s, .out = out };

    return ledger_edits(t, point, 0, is_there, &s) == ERR_OK && s.found;
}

enum err edit_reading_at(struct app *app, const struct meter_facts *m, int64_t at_s, bool *out_has,
                         int64_t *out_ml)
{
    struct rows rows = { 0 };
    enum err err = readings_load(app, m, meter_billed_channel(m), at_s, at_s + 1, &rows);

    if (!err)
        *out_has = reading_at(&rows, at_s, out_ml);
    rows_done(&rows);
    return err;
}

/* ---- what it changes ---- */

struct weighing {
    struct app *app;
    struct txn *txn;
    const struct ledger_edit *edit;
    const struct fitting *fitting;
    int64_t now_s;
    struct edit_weighed *out;
};

/* Of what was loaded the edit's own fitting. */
static const struct consume_fitting *its_fitting(const struct weighing *w,
                                                 const struct point_use *u)
{
    for (size_t i = 0; i < u->count; i++)
        if (u->fittings[i].fitting.meter == w->fitting->meter &&
            u->fittings[i].fitting.from_s == w->fitting->from_s)
            return &u->fittings[i];
    return NULL;
}

static enum err judge(const struct consume_fitting *f, enum rule **out)
{
    enum err err;

    if (!(*out = (enum rule *)malloc((f->rows->count + 1) * sizeof **out)))
        return ERR_NO_MEMORY;
    if ((err = walk_rows(f->meter, &f->fitting, 1, CHANNEL_BILLED, f->rows, *out))) {
        free(*out);
        *out = NULL;
    }
    return err;
}

static enum err load(const struct weighing *w, struct point_use *u, bool *out_span_known,
                     int64_t *out_span_ml, bool *out_known, int64_t *out_ml)
{
    const struct ledger_edit *e = w->edit;
    const struct consumption *c;
    int64_t from_s = e->span_from_s < w->fitting->from_s ? e->span_from_s : w->fitting->from_s;
    enum err err =
        point_use_load(w->app, w->txn, e->point, from_s, e->at_s, STEP_NONE, w->now_s, u);

    if (err || (err = consumer_figures(u->consumer, w->fitting->from_s, e->at_s, &c)))
        return err;
    *out_known = c->known;
    *out_ml = c->consumption_ml;
    if ((err = consumer_figures(u->consumer, e->span_from_s, e->at_s, &c)))
        return err;
    *out_span_known = c->known;
    *out_span_ml = c->consumption_ml;
    return its_fitting(w, u) ? ERR_OK : ERR_CORRUPT;
}

static void look_around(const struct weighing *w, const struct rows *rows, const enum rule *rules)
{
    struct edit_weighed *out = w->out;
    int64_t at_s = w->edit->at_s;

    for (size_t i = 0; i < rows->count && !out->has_after; i++) {
        const struct row *row = &rows->at[i];

        if (rules[i] || row->time_s < w->fitting->from_s || row->time_s > w->fitting->to_s)
            continue;
        if (row->time_s == at_s && row->value == w->edit->index_ml)
            out->same = true;
        if (row->time_s < at_s) {
            out->has_before = true;
            out->before = *row;
        } else if (row->time_s > at_s) {
            out->has_after = true;
            out->after = *row;
        }
    }
}

static enum err weigh_without(const struct weighing *w, bool *out_known, int64_t *out_ml)
{
    struct point_use u = { .without = w->edit->id };
    enum rule *rules = NULL;
    enum err err = load(w, &u, &w->out->span_known, &w->out->span_ml, out_known, out_ml);

    if (!err && !(err = judge(its_fitting(w, &u), &rules)))
        look_around(w, its_fitting(w, &u)->rows, rules);
    free(rules);
    point_use_done(&u);
    return err;
}

static enum err weigh_with(const struct weighing *w, bool *out_known, int64_t *out_ml)
{
    struct point_use u = { .trial = w->edit, .without = w->edit->id };
    struct edit_mark mark = point_use_mark(w->edit);
    const struct rows *rows;
    enum rule *rules = NULL;
    size_t at;
    enum err err = load(w, &u, &w->out->span_known_then, &w->out->span_then_ml, out_known, out_ml);

    if (!err && !(err = judge(its_fitting(w, &u), &rules))) {
        rows = its_fitting(w, &u)->rows;
        if (edit_found(&mark, rows, &at))
            w->out->rule = rules[at];
        else
            w->out->beaten = reading_at(rows, mark.at_s, &w->out->reading_ml);
    }
    free(rules);
    point_use_done(&u);
    return err;
}

enum err edit_weigh(struct app *app, struct txn *t, const struct ledger_edit *e,
                    const struct fitting *fitting, int64_t now_s, struct edit_weighed *out)
{
    struct weighing w = { app, t, e, fitting, now_s, out };
    bool known = false, known_then = false;
    int64_t stood_ml = 0, stands_ml = 0;
    enum err err;

    *out = (struct edit_weighed){ 0 };
    if ((err = weigh_without(&w, &known, &stood_ml)) ||
        (err = weigh_with(&w, &known_then, &stands_ml)))
        return err;
    out->delta_known = known && known_then;
    out->delta_ml = out->delta_known ? stands_ml - stood_ml : 0;
    return ERR_OK;
}

/* ---- an index for a consumption ---- */

enum err edit_index_for(struct app *app, struct txn *t, uint32_t point, int64_t from_s,
                        int64_t to_s, int64_t litres_ml, int64_t now_s, bool *out_has,
                        int64_t *out_ml)
{
    struct point_use u = { 0 };
    const struct consumption *c;
    const struct part *last;
    __int128 left = litres_ml;
    enum err err = point_use_load(app, t, point, from_s, to_s, STEP_NONE, now_s, &u);

    *out_has = false;
    if (!err && !(err = consumer_figures(u.consumer, from_s, to_s, &c)) && c->part_count) {
        last = &c->parts[c->part_count - 1];
        *out_has = last->kind == PART_METERED && last->start_known;
        for (size_t i = 0; i + 1 < c->part_count; i++) {
            *out_has &= c->parts[i].known;
            left -= c->parts[i].consumption_ml;
        }
        left += last->start_ml;
        *out_has &= left >= 0 && left <= INT64_MAX;
        for (size_t i = 0; i < u.count && *out_has; i++) {
            const struct meter_facts *m = u.fittings[i].meter;

            if (strcmp(m->serial, last->serial) == 0 && m->modulus_ml > 0)
                left %= m->modulus_ml; /* C7 */
        }
        *out_ml = *out_has ? (int64_t)left : 0;
    }
    point_use_done(&u);
    return err;
}

/* ---- JSON ---- */

static const char *word_of(const char *text)
{
    return text[0] ? text : NULL;
}

static void put_whole(struct out *o, const char *name, int64_t v)
{
    out_member_int(o, name, v);
}

static void put_word(struct out *o, const char *name, const char *word)
{
    out_member_text(o, name, word);
}

static void put_time(struct out *o, const char *name, int64_t at_s)
{
    if (at_s)
        out_member_time(o, name, at_s);
    else
        out_member_null(o, name);
}

static void put_litres(struct out *o, const char *name, bool has, int64_t ml)
{
    if (has)
        out_member_litres(o, name, ml);
    else
        out_member_null(o, name);
}

static void put_truth(struct out *o, const char *name, bool is)
{
    out_member_bool(o, name, is);
}

enum err edit_put(struct out *o, struct txn *t, const struct ledger_edit *e)
{
    char point[64], serial[SERIAL_MAX + 1];
    struct ledger_row row;
    struct meter_facts m;
    enum err err;

    if (!ledger_by_id(t, LIST_POINT, e->point, INT64_MAX, &row))
        return t->err ? t->err : ERR_CORRUPT;
    snprintf(point, sizeof point, "%.*s", (int)row.cells[CELL_POINT_point].len,
             (const char *)row.cells[CELL_POINT_point].at);
    if ((err = meter_facts_by_id(t, e->meter, &m)))
        return err;
    snprintf(serial, sizeof serial, "%s", m.serial);
#define EDIT_MEMBER(how, name, ...) put_##how(o, #name, __VA_ARGS__);
#include "server/edit_members.def"
    return o->err;
}
