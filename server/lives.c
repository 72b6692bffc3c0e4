#include "server/lives.h"

#include "server/lives_priv.h"

#include <stdlib.h>

/* ---- loading ---- */

static void text_keep(char *out, size_t cap, struct span text)
{
    size_t len = text.len < cap ? text.len : cap - 1;

    if (len)
        memcpy(out, text.at, len);
    out[len] = 0;
}

static enum err row_rules(struct app *app, const struct ledger_row *row, struct meter_life *out)
{
    struct span state = row->cells[CELL_METER_state], day = row->cells[CELL_METER_verified_on];
    struct span months = row->cells[CELL_METER_life_months];
    struct verify_meter *v = &out->rules.verify;
    int64_t n = 0;

    out->rules.serial = out->facts.serial;
    out->rules.zone = &app->zone;
    if (state.len && !life_state_read(state, &out->rules.imported))
        return ERR_CORRUPT;
    v->rules = &app->verify_rules;
    v->dn_mm = out->facts.dn_mm;
    v->q3_lph = out->facts.q3_lph;
    v->row_verified_on = NO_DAY;
    if (day.len && text_date(day, &n))
        return ERR_CORRUPT;
    if (day.len)
        v->row_verified_on = (int32_t)n;
    if (months.len && text_int(months, &n))
        return ERR_CORRUPT;
    v->life_months = months.len && n > 0 && n <= INT32_MAX ? (int32_t)n : 0;
    text_keep(out->model, sizeof out->model, row->cells[CELL_METER_model]);
    text_keep(out->depot, sizeof out->depot, row->cells[CELL_METER_depot]);
    return ERR_OK;
}

enum err life_of_row(struct app *app, const struct ledger_row *row, struct meter_life *out)
{
    struct cells cells = cells_of(row);

    memset(out, 0, sizeof *out);
    out->meter = row->id;
    if (cells_meter(&cells, row->id, &out->facts))
        return ERR_CORRUPT;
    return row_rules(app, row, out);
}

static bool events_room(struct meter_life *l)
{
    size_t cap = l->cap ? l->cap * 2 : 8;
    struct life_event *more;

    if (l->count < l->cap)
        return true;
    if (!(more = (struct life_event *)realloc(l->events, cap * sizeof *more)))
        return false;
    l->events = more;
    l->cap = cap;
    return true;
}

struct loading {
    struct meter_life *life;
    size_t bytes; /* of all texts */
    enum err err;
};

static bool event_keep(void *arg, const struct life_event *e)
{
    struct loading *l = (struct loading *)arg;

    if (!events_room(l->life)) {
        l->err = ERR_NO_MEMORY;
        return false;
    }
    l->life->events[l->life->count++] = *e;
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        l->bytes += e->text[i].len;
    return true;
}

/* Views become copies: they end with the ledger's next change. */
static enum err texts_keep(struct meter_life *l, size_t bytes)
{
    uint8_t *at;

    if (!bytes)
        return ERR_OK;
    if (arena_init(&l->texts, bytes + 16) || !(at = (uint8_t *)arena_alloc(&l->texts, bytes)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < l->count; i++) {
        for (unsigned k = 0; k < EVENT_TEXTS; k++) {
            struct span *text = &l->events[i].text[k];

            if (!text->len)
                continue;
            memcpy(at, text->at, text->len);
            text->at = at;
            at += text->len;
        }
    }
    return ERR_OK;
}

static enum err events_load(struct txn *t, struct meter_life *out)
{
    struct loading l = { .life = out };
    enum err err = ledger_events(t, out->meter, event_keep, &l);

    if (!err)
        err = l.err;
    return err ? err : texts_keep(out, l.bytes);
}

enum err life_load(struct app *app, struct txn *t, uint32_t meter, struct meter_life *out)
{
    struct ledger_row row;
    enum err err;

    memset(out, 0, sizeof *out);
    if (!ledger_by_id(t, LIST_METER, meter, INT64_MAX, &row))
        return t->err ? t->err : ERR_NOT_FOUND;
    err = life_of_row(app, &row, out);
    return err ? err : events_load(t, out);
}

enum err life_load_serial(struct app *app, struct txn *t, struct span serial,
                          struct meter_life *out)
{
    struct ledger_row row;
    enum err err;

    memset(out, 0, sizeof *out);
    if (!ledger_find(t, LIST_METER, serial, INT64_MAX, &row))
        return t->err ? t->err : ERR_NOT_FOUND;
    err = life_of_row(app, &row, out);
    return err ? err : events_load(t, out);
}

enum err life_look(struct app *app, struct txn *t, const struct ledger_row *row,
                   struct meter_life *out)
{
    struct life_event *events = out->events;
    struct loading l = { .life = out };
    size_t cap = out->cap;
    enum err err;

    arena_done(&out->texts);
    err = life_of_row(app, row, out);
    out->events = events;
    out->cap = cap;
    if (!err)
        err = ledger_events(t, out->meter, event_keep, &l);
    return err ? err : l.err;
}

void life_done(struct meter_life *l)
{
    free(l->events);
    arena_done(&l->texts);
    l->events = NULL;
    l->count = l->cap = 0;
}

/* ---- writing ---- */

static size_t second_end(const struct meter_life *l, int64_t at_s, size_t place)
{
    while (place < l->count && l->events[place].at_s <= at_s)
        place++;
    return place;
}

size_t life_place_told(const struct meter_life *l, const struct life_event *e,
                       const struct fitting *f)
{
    size_t end = second_end(l, e->at_s, 0), place = end;
    bool momentary = f->from_s == f->to_s;
    unsigned own = e->kind == EVENT_REMOVE && momentary; /* its own install is the first */

    if (e->kind == EVENT_INSTALL && !momentary)
        return end;
    while (place && l->events[place - 1].at_s == e->at_s)
        place--;
    while (place < end && (l->events[place].kind != EVENT_INSTALL || own--))
        place++;
    return place;
}

enum err life_add_at(struct meter_life *l, const struct life_event *e, size_t place)
{
    if (!events_room(l))
        return ERR_NO_MEMORY;
    memmove(l->events + place + 1, l->events + place, (l->count - place) * sizeof *l->events);
    l->events[place] = *e;
    l->count++;
    return ERR_OK;
}

enum err life_add(struct meter_life *l, const struct life_event *e)
{
    return life_add_at(l, e, life_place(l->events, l->count, e));
}

/* Each fitting begins with an event of its own. */
static enum err fittings_of(const struct meter_life *l, struct fitting **out, size_t *out_count)
{
    size_t cap = l->count ? l->count : 1;

    if (!(*out = (struct fitting *)malloc(cap * sizeof **out)))
        return ERR_NO_MEMORY;
    *out_count = life_fittings(l->events, l->count, l->meter, *out, NULL, cap);
    return *out_count <= cap ? ERR_OK : ERR_CORRUPT;
}

static bool same_fitting(const struct fitting *a, const struct fitting *b)
{
    return a->point == b->point && a->from_s == b->from_s && a->to_s == b->to_s &&
           a->start_ml == b->start_ml && a->has_end == b->has_end &&
           (!a->has_end || a->end_ml == b->end_ml);
}

static bool is_in(const struct fitting *f, const struct fitting *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same_fitting(f, &all[i]))
            return true;
    return false;
}

static void fittings_follow(struct act *act, const struct fitting *was, size_t was_count,
                            const struct fitting *is, size_t is_count)
{
    for (size_t i = 0; i < was_count; i++)
        if (!is_in(&was[i], is, is_count))
            act_drop_fitting(act, &was[i]);
    for (size_t i = 0; i < is_count; i++)
        if (!is_in(&is[i], was, was_count))
            act_put_fitting(act, &is[i]);
}

static void fail(struct act *act, enum err err)
{
    if (err && !act->txn.err)
        act->txn.err = err;
}

static bool moves_fittings(const struct life_event *e)
{
    return e->kind == EVENT_INSTALL || e->kind == EVENT_REMOVE || e->kind == EVENT_LOSE;
}

/* Events are numbered without a gap; those of the second that stand behind `e` move on by one number. */
static void put_event(struct act *act, struct meter_life *l, struct life_event *e, size_t place)
{
    size_t end = second_end(l, e->at_s, place);
    uint32_t number = (uint32_t)l->count + 1;

    for (size_t i = end; i-- > place;) {
        uint32_t was = l->events[i].arrival;

        l->events[i].arrival = number;
        act_put_event(act, l->meter, &l->events[i]);
        number = was;
    }
    e->arrival = number;
    act_put_event(act, l->meter, e);
    if (!act->txn.err)
        fail(act, life_add_at(l, e, place));
}

static bool any_moves_fittings(struct life_event *const *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (moves_fittings(events[i]))
            return true;
    return false;
}

/* What follows from the events is compared with what was, and written, once. */
void life_write_all(struct app *app, struct act *act, struct meter_life *l,
                    struct life_event *const *events, size_t count, const struct fitting *told)
{
    bool moves = any_moves_fittings(events, count);
    struct fitting *was = NULL, *is = NULL;
    size_t was_count = 0, is_count = 0;
    struct life_keys before, after;
    int64_t at_s = lives_instant(app, act);

    lives_catch_up(app, act);
    life_keys_of(l, at_s, &before);
    if (moves)
        fail(act, fittings_of(l, &was, &was_count));
    for (size_t i = 0; i < count && !act->txn.err; i++)
        put_event(act, l, events[i],
                  told ? life_place_told(l, events[i], told) : second_end(l, events[i]->at_s, 0));
    if (!act->txn.err && moves)
        fail(act, fittings_of(l, &is, &is_count));
    if (!act->txn.err) {
        fittings_follow(act, was, was_count, is, is_count);
        life_keys_of(l, at_s, &after);
        life_keys_follow(act, l->meter, &before, &after);
    }
    free(was);
    free(is);
}

void life_write(struct app *app, struct act *act, struct meter_life *l, struct life_event *e)
{
    life_write_all(app, act, l, &e, 1, NULL);
}

void life_read_index(struct act *act, struct meter_life *l, size_t place, int64_t index_ml)
{
    struct fitting *was = NULL, *is = NULL;
    size_t was_count = 0, is_count = 0;
    struct life_event *e = &l->events[place];

    fail(act, fittings_of(l, &was, &was_count));
    e->index_ml = index_ml;
    e->flags |= EVENT_HAS_INDEX | EVENT_READ_INDEX;
    act_put_event(act, l->meter, e);
    if (!act->txn.err)
        fail(act, fittings_of(l, &is, &is_count));
    if (!act->txn.err)
        fittings_follow(act, was, was_count, is, is_count);
    free(was);
    free(is);
}

void life_indexed(struct app *app, struct act *act, const struct meter_life *before, uint32_t meter)
{
    struct life_keys was = { .place.state = LIFE_NONE }, is;
    int64_t at_s = lives_instant(app, act);
    struct meter_life l;

    if (act->txn.err)
        return;
    if (before)
        life_keys_of(before, at_s, &was);
    fail(act, life_load(app, &act->txn, meter, &l));
    if (!act->txn.err) {
        life_keys_of(&l, at_s, &is);
        life_keys_follow(act, meter, before ? &was : NULL, &is);
    }
    life_done(&l);
    if (!before && meter == 1)
        lives_index_made(app, act);
}
