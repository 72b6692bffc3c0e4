#include "server/registers.h"

#include <stdlib.h>

const struct registry_cells meter_cells = { .serial = CELL_METER_serial,
                                            .radio = CELL_METER_radio_id,
                                            .dialect = CELL_METER_dialect };

struct cells cells_of(const struct ledger_row *row)
{
    struct cells cells = { 0 };

    for (unsigned i = 0; i < row->count && i < COLUMNS_MAX; i++)
        cells.at[i] = row->cells[i];
    return cells;
}

/* What a look-up that found nothing means. */
static enum err absent(const struct txn *t)
{
    return t->err ? t->err : ERR_NOT_FOUND;
}

static enum err corrupt_if(enum err err)
{
    return err ? ERR_CORRUPT : ERR_OK;
}

static enum err meter_of(const struct ledger_row *row, struct meter_facts *out)
{
    struct cells cells = cells_of(row);

    return corrupt_if(cells_meter(&cells, row->id, out));
}

static enum err point_of(const struct ledger_row *row, struct point_facts *out)
{
    struct cells cells = cells_of(row);

    return corrupt_if(cells_point(&cells, row->id, out));
}

enum err meter_facts_by_id(struct txn *t, uint32_t meter, struct meter_facts *out)
{
    struct ledger_row row;

    return ledger_by_id(t, LIST_METER, meter, INT64_MAX, &row) ? meter_of(&row, out) : absent(t);
}

enum err meter_facts_by_serial(struct txn *t, struct span serial, struct meter_facts *out)
{
    struct ledger_row row;

    return ledger_find(t, LIST_METER, serial, INT64_MAX, &row) ? meter_of(&row, out) : absent(t);
}

enum err point_facts_by_id(struct txn *t, uint32_t point, struct point_facts *out)
{
    struct ledger_row row;

    return ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row) ? point_of(&row, out) : absent(t);
}

enum err point_facts_by_name(struct txn *t, struct span point, struct point_facts *out)
{
    struct ledger_row row;

    return ledger_find(t, LIST_POINT, point, INT64_MAX, &row) ? point_of(&row, out) : absent(t);
}

enum err fittings_load(struct txn *t, bool of_point, uint32_t id, struct fittings *out)
{
    enum err (*load)(struct txn *, uint32_t, struct fitting *, size_t, size_t *) =
        of_point ? ledger_fittings_of_point : ledger_fittings_of_meter;
    size_t cap = FITTINGS_FEW;
    enum err err;

    out->at = out->few;
    out->count = 0;
    while (!(err = load(t, id, out->at, cap, &out->count)) && out->count > cap) {
        cap = out->count;
        fittings_done(out);
        if (!(out->at = (struct fitting *)malloc(cap * sizeof *out->at))) {
            fittings_done(out);
            return ERR_NO_MEMORY;
        }
    }
    return err;
}

void fittings_done(struct fittings *f)
{
    if (f->at != f->few)
        free(f->at);
    f->at = f->few;
    f->count = 0;
}

enum err fitting_at(struct txn *t, bool of_point, uint32_t id, int64_t at_s, struct fitting *out)
{
    struct fittings all;
    bool found = false;
    enum err err = fittings_load(t, of_point, id, &all);

    for (size_t i = 0; i < all.count && !err; i++) {
        if (all.at[i].from_s > at_s || all.at[i].to_s <= at_s)
            continue;
        *out = all.at[i];
        found = true;
    }
    fittings_done(&all);
    return err || found ? err : ERR_NOT_FOUND;
}
