/* Fittings that a file or a request tells: they become events of the meter's life, an install and a remove that are not judged
 * (rules-fleet L13).  Those of one point never overlap, and a meter is in one place at a time; one may begin at the instant the
 * other ends. */
#include "server/acts/register_priv.h"
#include "server/lives.h"
#include "server/out.h"

#include <stdlib.h>

/* A row on its way: what it says, and the life that it goes into. Cells came checked: what does not
 * read is a damaged store. */
struct fitting_row {
    struct registrar *g;
    const struct cells *cells;
    struct import_refusal *why;
    struct fitting f;
    struct meter_life life;
    struct fitting *known; /* what follows from the life */
    struct span *reasons;
    size_t known_count;
};

static const struct column *column_of(unsigned cell)
{
    return &list_of(LIST_FITTING)->column[cell];
}

static enum err cell_time(struct span cell, int64_t absent_s, int64_t *out_s)
{
    *out_s = absent_s;
    return cell.len && text_time(cell, NULL, out_s) ? ERR_CORRUPT : ERR_OK;
}

static enum err cell_litres(struct span cell, int64_t *out_ml)
{
    return cell.len && text_litres(cell, out_ml) ? ERR_CORRUPT : ERR_OK;
}

enum err span_check(const struct list *l, const struct cells *cells, unsigned from, unsigned to,
                    struct import_refusal *why)
{
    int64_t from_s, to_s;

    if (cell_time(cells->at[from], INT64_MIN, &from_s) ||
        cell_time(cells->at[to], INT64_MAX, &to_s))
        return ERR_CORRUPT;
    if (to_s >= from_s)
        return ERR_OK;
    return row_refuse(why, ERR_INVALID, &l->column[to], cells->at[to], "a time not before %.*s",
                      (int)cells->at[from].len, (const char *)cells->at[from].at);
}

/* ---- what the row says ---- */

static enum err names_read(struct fitting_row *r)
{
    struct txn *t = &r->g->act->txn;
    struct span point = r->cells->at[CELL_FITTING_point],
                serial = r->cells->at[CELL_FITTING_serial];
    struct ledger_row row;
    enum err err;

    if (!ledger_find(t, LIST_POINT, point, INT64_MAX, &row))
        return t->err ? t->err
                      : row_refuse(r->why, ERR_NOT_FOUND, column_of(CELL_FITTING_point), point,
                                   "a point that is registered");
    r->f.point = row.id;
    err = life_load_serial(r->g->app, t, serial, &r->life);
    r->f.meter = r->life.meter;
    return err == ERR_NOT_FOUND ? row_refuse(r->why, err, column_of(CELL_FITTING_serial), serial,
                                             "a meter that is registered")
                                : err;
}

static enum err row_read(struct fitting_row *r)
{
    const struct span *at = r->cells->at;
    enum err err = names_read(r);

    r->f.has_end = at[CELL_FITTING_end_index_l].len != 0;
    if (err || (err = cell_time(at[CELL_FITTING_from], 0, &r->f.from_s)) ||
        (err = cell_time(at[CELL_FITTING_to], FITTING_OPEN, &r->f.to_s)) ||
        (err = cell_litres(at[CELL_FITTING_start_index_l], &r->f.start_ml)))
        return err;
    return cell_litres(at[CELL_FITTING_end_index_l], &r->f.end_ml);
}

static enum err known_read(struct fitting_row *r)
{
    size_t cap = r->life.count ? r->life.count : 1; /* each begins with an event of its own */

    r->known = (struct fitting *)malloc(cap * sizeof *r->known);
    r->reasons = (struct span *)calloc(cap, sizeof *r->reasons);
    if (!r->known || !r->reasons)
        return ERR_NO_MEMORY;
    r->known_count =
        life_fittings(r->life.events, r->life.count, r->life.meter, r->known, r->reasons, cap);
    return r->known_count <= cap ? ERR_OK : ERR_CORRUPT;
}

static bool same_key(const struct fitting *a, const struct fitting *b)
{
    return a->meter == b->meter && a->point == b->point && a->from_s == b->from_s;
}

/* Its place among those known; −1: it is new. */
static int known_place(const struct fitting_row *r)
{
    for (size_t i = 0; i < r->known_count; i++)
        if (same_key(&r->known[i], &r->f))
            return (int)i;
    return -1;
}

/* ---- is it possible, does anything stand against it ---- */

/* rules-fleet L8: below 0, or not below the modulus, is impossible. */
static enum err index_check(const struct fitting_row *r, unsigned column, int64_t ml)
{
    const struct meter_facts *m = &r->life.facts;
    char modulus[TEXT_LITRES_SIZE];

    if (ml >= 0 && ml < m->modulus_ml)
        return ERR_OK;
    text_put_litres(modulus, m->modulus_ml);
    return row_refuse(r->why, ERR_INVALID, column_of(column), r->cells->at[column],
                      "an index from 0 to below %s, which the dial of %s does not reach", modulus,
                      m->serial);
}

static enum err row_possible(const struct fitting_row *r)
{
    enum err err;

    if ((err = span_check(list_of(LIST_FITTING), r->cells, CELL_FITTING_from, CELL_FITTING_to,
                          r->why)) ||
        (err = index_check(r, CELL_FITTING_start_index_l, r->f.start_ml)))
        return err;
    if (r->f.has_end && r->f.to_s == FITTING_OPEN)
        return row_refuse(r->why, ERR_INVALID, column_of(CELL_FITTING_to), span_text("nothing"),
                          "the time at which the meter came off with its end_index_l");
    return r->f.has_end ? index_check(r, CELL_FITTING_end_index_l, r->f.end_ml) : ERR_OK;
}

/* Fittings of one instant do not overlap by the arithmetic of half-open spans when both have no
 * length, but stand against each other all the same. */
static bool against(const struct fitting *a, const struct fitting *b)
{
    return !same_key(a, b) && ((a->from_s < b->to_s && b->from_s < a->to_s) ||
                               (a->from_s == b->from_s && a->to_s == b->to_s));
}

static enum err say_against(const struct fitting_row *r, const struct fitting *other, bool of_point)
{
    struct txn *t = &r->g->act->txn;
    char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE] = "now on";
    struct ledger_row meter, point;

    if (!ledger_by_id(t, LIST_METER, other->meter, INT64_MAX, &meter) ||
        !ledger_by_id(t, LIST_POINT, other->point, INT64_MAX, &point))
        return t->err ? t->err : ERR_MISSING;
    text_put_time(from, other->from_s);
    if (other->to_s != FITTING_OPEN)
        text_put_time(to, other->to_s);
    return row_refuse(
        r->why, ERR_CONFLICT, column_of(CELL_FITTING_from), r->cells->at[CELL_FITTING_from],
        of_point ? "a time when no meter is at %.*s: %.*s is there from %s to %s"
                 : "a time when the meter is nowhere else: at %.*s there is %.*s from %s to %s",
        (int)point.cells[0].len, (const char *)point.cells[0].at, (int)meter.cells[0].len,
        (const char *)meter.cells[0].at, from, to);
}

static enum err places_free(const struct fitting_row *r)
{
    struct fittings all;
    enum err err = fittings_load(&r->g->act->txn, true, r->f.point, &all);

    for (size_t i = 0; i < all.count && !err; i++)
        if (against(&r->f, &all.at[i]))
            err = say_against(r, &all.at[i], true);
    fittings_done(&all);
    for (size_t i = 0; i < r->known_count && !err; i++)
        if (against(&r->f, &r->known[i]))
            err = say_against(r, &r->known[i], false);
    return err;
}

/* A known fitting may be sent again, and an open one be closed; what was told stays. */
static enum err told_again(const struct fitting_row *r, const struct fitting *was,
                           struct span reason, bool *out_closes)
{
    const struct span *at = r->cells->at;
    char told[TEXT_TIME_SIZE + TEXT_LITRES_SIZE] = "nothing";
    unsigned column = 0;

    *out_closes = was->to_s == FITTING_OPEN && r->f.to_s != FITTING_OPEN;
    if (r->f.start_ml != was->start_ml) {
        column = CELL_FITTING_start_index_l;
        text_put_litres(told, was->start_ml);
    } else if (was->to_s != FITTING_OPEN && at[CELL_FITTING_to].len && r->f.to_s != was->to_s) {
        column = CELL_FITTING_to;
        text_put_time(told, was->to_s);
    } else if (!*out_closes && r->f.has_end && !(was->has_end && was->end_ml == r->f.end_ml)) {
        column = CELL_FITTING_end_index_l;
        if (was->has_end)
            text_put_litres(told, was->end_ml);
    } else if (at[CELL_FITTING_reason].len && (reason.len || !*out_closes) &&
               !span_equal(at[CELL_FITTING_reason], reason)) {
        return row_refuse(r->why, ERR_EXISTS, column_of(CELL_FITTING_reason),
                          at[CELL_FITTING_reason], "%.*s, as %.*s is registered",
                          reason.len ? (int)reason.len : 7,
                          reason.len ? (const char *)reason.at : "nothing",
                          (int)at[CELL_FITTING_point].len, (const char *)at[CELL_FITTING_point].at);
    }
    if (!column)
        return ERR_OK;
    return row_refuse(r->why, ERR_EXISTS, column_of(column), at[column],
                      "%s, as %.*s is registered", told, (int)at[CELL_FITTING_point].len,
                      (const char *)at[CELL_FITTING_point].at);
}

/* ---- what it does to a life that was recorded event by event ---- */

static struct life_event install_of(const struct fitting_row *r)
{
    struct life_event e = { .kind = EVENT_INSTALL,
                            .flags = EVENT_IMPORTED | EVENT_HAS_INDEX,
                            .at_s = r->f.from_s,
                            .point = r->f.point,
                            .index_ml = r->f.start_ml,
                            .verified_on = NO_DAY,
                            .valid_until = NO_DAY };

    if (r->f.to_s == FITTING_OPEN)
        e.text[EVENT_REASON] = r->cells->at[CELL_FITTING_reason];
    return e;
}

static struct life_event remove_of(const struct fitting_row *r)
{
    struct life_event e = { .kind = EVENT_REMOVE,
                            .flags =
                                (uint8_t)(EVENT_IMPORTED | (r->f.has_end ? EVENT_HAS_INDEX : 0)),
                            .at_s = r->f.to_s,
                            .index_ml = r->f.end_ml,
                            .verified_on = NO_DAY,
                            .valid_until = NO_DAY };

    e.text[EVENT_REASON] = r->cells->at[CELL_FITTING_reason];
    return e;
}

static enum life_verdict verdict(const struct meter_life *l, size_t place, struct life_refusal *why)
{
    return life_verdict(&l->rules, l->events, l->count, place, why);
}

static bool same_event(const struct life_event *a, const struct life_event *b)
{
    return a->at_s == b->at_s && a->arrival == b->arrival;
}

/* Events that somebody recorded must stay as right as they were (L3). `then`: the life with the row's events. */
static enum err recorded_right(const struct fitting_row *r, const struct meter_life *then)
{
    const struct meter_life *now = &r->life;
    struct life_refusal before, why;
    size_t place = 0;

    for (size_t i = 0; i < now->count; i++) {
        const struct life_event *e = &now->events[i];

        if (e->at_s < r->f.from_s || e->flags & EVENT_IMPORTED)
            continue;
        while (place < then->count && !same_event(&then->events[place], e))
            place++;
        if (place == then->count)
            return ERR_CORRUPT;
        if (verdict(then, place, &why) > verdict(now, i, &before))
            return row_refuse(r->why, ERR_CONFLICT, column_of(CELL_FITTING_from),
                              r->cells->at[CELL_FITTING_from],
                              "a fitting with which the recorded event %s stays right: %.200s",
                              event_name((enum life_kind)e->kind), why.text);
    }
    return ERR_OK;
}

/* What follows must be the fittings known, and this one. */
static enum err follows(const struct fitting_row *r, const struct meter_life *then, bool is_known)
{
    size_t cap = then->count, count, found = 0;
    struct fitting *all = (struct fitting *)malloc(cap * sizeof *all);

    if (!all)
        return ERR_NO_MEMORY;
    count = life_fittings(then->events, then->count, then->meter, all, NULL, cap);
    for (size_t i = 0; i < count && i < cap; i++) {
        const struct fitting *f = &all[i];

        for (size_t k = 0; k < r->known_count; k++)
            found +=
                same_key(f, &r->known[k]) && f->to_s == r->known[k].to_s && !same_key(f, &r->f);
        found += same_key(f, &r->f) && f->to_s == r->f.to_s;
    }
    free(all);
    if (count == r->known_count + !is_known && found == count)
        return ERR_OK;
    return row_refuse(r->why, ERR_CONFLICT, column_of(CELL_FITTING_from),
                      r->cells->at[CELL_FITTING_from],
                      "a fitting that leaves the meter's other fittings as they are");
}

/* The life as it would be, in memory of its own but for the texts. */
static enum err life_with(const struct meter_life *l, const struct fitting *f,
                          const struct life_event *events, size_t count, struct meter_life *out)
{
    enum err err = ERR_OK;

    *out = *l;
    memset(&out->texts, 0, sizeof out->texts);
    out->cap = l->count + count;
    if (!(out->events = (struct life_event *)malloc(out->cap * sizeof *out->events)))
        return ERR_NO_MEMORY;
    if (l->count)
        memcpy(out->events, l->events, l->count * sizeof *l->events);
    for (size_t i = 0; i < count && !err; i++) {
        struct life_event e = events[i];

        err = life_add_at(out, &e, life_place_told(out, &e, f));
    }
    return err;
}

static enum err life_allows(const struct fitting_row *r, const struct life_event *events,
                            size_t count, bool is_known)
{
    struct meter_life then;
    enum err err;

    if (!r->life.count)
        return ERR_OK;
    err = life_with(&r->life, &r->f, events, count, &then);
    if (!err)
        err = recorded_right(r, &then);
    if (!err)
        err = follows(r, &then, is_known);
    life_done(&then);
    return err;
}

/* ---- writing ---- */

/* As of every row of the register: what was added or changed, under the row's key. */
static void note(const struct fitting_row *r, bool is_known)
{
    const struct list *l = list_of(LIST_FITTING);
    struct act *act = r->g->act;
    uint8_t bytes[512];
    struct wr key = wr_of(bytes, sizeof bytes);
    struct out told = { 0 };

    if (is_known ? act->quiet_known : act->quiet_new)
        return;
    cells_key(l, r->cells, &key);
    out_text(&told, "{");
    for (unsigned i = is_known ? CELL_FITTING_to : 0; i < l->columns; i++)
        if (r->cells->at[i].len)
            out_member_span(&told, l->column[i].name, r->cells->at[i]);
    out_text(&told, "}");
    if (key.err || told.err)
        act->txn.err = key.err ? key.err : told.err;
    else
        act_note(act, is_known ? "fittings.change" : "fittings.add", wr_span(&key),
                 span_of(NULL, 0), span_of(told.at, told.len), span_of(NULL, 0));
    out_done(&told);
}

static enum err write_events(struct fitting_row *r, struct life_event *events, size_t count,
                             bool is_known)
{
    struct life_event *in_turn[] = { &events[0], &events[count - 1] };
    struct act *act = r->g->act;

    life_write_all(r->g->app, act, &r->life, in_turn, count, &r->f);
    note(r, is_known);
    if (act->txn.err)
        return act->txn.err;
    return registrar_touch(r->g, r->life.meter) ? ERR_OK : ERR_NO_MEMORY;
}

static enum err put_known(struct fitting_row *r, size_t place, enum put_outcome *out)
{
    struct fitting *was = &r->known[place];
    struct life_event event;
    bool closes;
    enum err err = told_again(r, was, r->reasons[place], &closes);

    *out = PUT_SAME;
    if (err || !closes)
        return err;
    event = remove_of(r);
    if ((err = row_possible(r)) || (err = places_free(r)) ||
        (err = life_allows(r, &event, 1, true)))
        return err;
    *out = PUT_CHANGED;
    return write_events(r, &event, 1, true);
}

static enum err put_new(struct fitting_row *r, enum put_outcome *out)
{
    struct life_event events[2] = { install_of(r), remove_of(r) };
    size_t count = r->f.to_s == FITTING_OPEN ? 1 : 2;
    enum err err;

    if ((err = row_possible(r)) || (err = places_free(r)) ||
        (err = life_allows(r, events, count, false)))
        return err;
    *out = PUT_NEW;
    return write_events(r, events, count, false);
}

enum err fitting_put(struct registrar *g, const struct cells *cells, enum put_outcome *out,
                     struct import_refusal *why)
{
    struct fitting_row r = { .g = g, .cells = cells, .why = why };
    enum err err = row_read(&r);
    int place;

    if (!err && !(err = known_read(&r))) {
        place = known_place(&r);
        err = place < 0 ? put_new(&r, out) : put_known(&r, (size_t)place, out);
    }
    life_done(&r.life);
    free(r.known);
    free(r.reasons);
    return err;
}
