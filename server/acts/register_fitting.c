/* Fittings: those of one point never overlap, and a meter is in one place at a time; one may begin
 * at the instant the other ends. */
#include "server/acts/register_priv.h"
#include "server/registers.h"

/* A fitting with the meter it is of, by its cells.  They came checked: what does not read is a
 * damaged store. */
struct place {
    struct fitting fitting;
    struct meter_facts meter;
};

static enum err cell_time(struct span cell, int64_t absent_s, int64_t *out_s)
{
    *out_s = absent_s;
    return cell.len && text_time(cell, NULL, out_s) ? ERR_CORRUPT : ERR_OK;
}

static enum err place_read(struct registrar *g, const struct cells *cells, struct place *out)
{
    struct txn *t = &g->act->txn;
    struct fitting *f = &out->fitting;
    struct span end = cells->at[CELL_FITTING_end_index_l];
    struct ledger_row point;
    enum err err;

    memset(f, 0, sizeof *f);
    if ((err = meter_facts_by_serial(t, cells->at[CELL_FITTING_serial], &out->meter)))
        return err;
    if (!ledger_find(t, LIST_POINT, cells->at[CELL_FITTING_point], INT64_MAX, &point))
        return t->err ? t->err : ERR_NOT_FOUND;
    f->meter = out->meter.id;
    f->point = point.id;
    f->has_end = end.len != 0;
    if ((err = cell_time(cells->at[CELL_FITTING_from], 0, &f->from_s)) ||
        (err = cell_time(cells->at[CELL_FITTING_to], FITTING_OPEN, &f->to_s)))
        return err;
    if (text_litres(cells->at[CELL_FITTING_start_index_l], &f->start_ml) ||
        (f->has_end && text_litres(end, &f->end_ml)))
        return ERR_CORRUPT;
    return ERR_OK;
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

/* rules-fleet L8: below 0, or not below the modulus, is impossible. */
static enum err index_check(const struct cells *cells, unsigned column, int64_t ml,
                            const struct meter_facts *m, struct import_refusal *why)
{
    char modulus[TEXT_LITRES_SIZE];

    if (ml >= 0 && ml < m->modulus_ml)
        return ERR_OK;
    text_put_litres(modulus, m->modulus_ml);
    return row_refuse(why, ERR_INVALID, &list_of(LIST_FITTING)->column[column], cells->at[column],
                      "an index from 0 to below %s, which the dial of %s does not reach", modulus,
                      m->serial);
}

static bool overlap(const struct fitting *a, const struct fitting *b)
{
    return a->from_s < b->to_s && b->from_s < a->to_s;
}

static bool same_key(const struct fitting *a, const struct fitting *b)
{
    return a->meter == b->meter && a->point == b->point && a->from_s == b->from_s;
}

/* Open fittings of one instant do not overlap by the arithmetic of half-open spans when both have
 * no length, but stand against each other all the same. */
static bool against(const struct fitting *a, const struct fitting *b)
{
    return !same_key(a, b) && (overlap(a, b) || (a->from_s == b->from_s && a->to_s == b->to_s));
}

static enum err say_against(struct registrar *g, const struct fitting *other, bool of_point,
                            const struct cells *cells, struct import_refusal *why)
{
    struct txn *t = &g->act->txn;
    char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE] = "now on";
    struct ledger_row meter, point;

    if (!ledger_by_id(t, LIST_METER, other->meter, INT64_MAX, &meter) ||
        !ledger_by_id(t, LIST_POINT, other->point, INT64_MAX, &point))
        return t->err ? t->err : ERR_MISSING;
    text_put_time(from, other->from_s);
    if (other->to_s != FITTING_OPEN)
        text_put_time(to, other->to_s);
    return row_refuse(
        why, ERR_CONFLICT, &list_of(LIST_FITTING)->column[CELL_FITTING_from],
        cells->at[CELL_FITTING_from],
        of_point ? "a time when no meter is at %.*s: %.*s is there from %s to %s"
                 : "a time when the meter is nowhere else: at %.*s there is %.*s from %s to %s",
        (int)point.cells[0].len, (const char *)point.cells[0].at, (int)meter.cells[0].len,
        (const char *)meter.cells[0].at, from, to);
}

static enum err against_any(struct registrar *g, const struct fitting *f, bool of_point,
                            const struct cells *cells, struct import_refusal *why)
{
    struct fittings all;
    enum err err = fittings_load(&g->act->txn, of_point, of_point ? f->point : f->meter, &all);

    for (size_t i = 0; i < all.count && !err; i++)
        if (against(f, &all.at[i]))
            err = say_against(g, &all.at[i], of_point, cells, why);
    fittings_done(&all);
    return err;
}

enum err fitting_check(struct registrar *g, const struct cells *cells, struct import_refusal *why)
{
    const struct list *l = list_of(LIST_FITTING);
    struct place p;
    enum err err;

    if ((err = place_read(g, cells, &p)) ||
        (err = span_check(l, cells, CELL_FITTING_from, CELL_FITTING_to, why)) ||
        (err = index_check(cells, CELL_FITTING_start_index_l, p.fitting.start_ml, &p.meter, why)))
        return err;
    if (p.fitting.has_end && p.fitting.to_s == FITTING_OPEN)
        return row_refuse(why, ERR_INVALID, &l->column[CELL_FITTING_to], span_text("nothing"),
                          "the time at which the meter came off with its end_index_l");
    if (p.fitting.has_end &&
        (err = index_check(cells, CELL_FITTING_end_index_l, p.fitting.end_ml, &p.meter, why)))
        return err;
    if ((err = against_any(g, &p.fitting, true, cells, why)))
        return err;
    return against_any(g, &p.fitting, false, cells, why);
}

enum err fitting_written(struct registrar *g, const struct cells *cells)
{
    struct place p;
    enum err err = place_read(g, cells, &p);

    if (err)
        return err;
    act_put_fitting(g->act, &p.fitting);
    if (g->act->txn.err)
        return g->act->txn.err;
    return registrar_touch(g, p.fitting.meter) ? ERR_OK : ERR_NO_MEMORY;
}
