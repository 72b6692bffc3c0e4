/* What hangs on rows of the store's lists: models fill new meters, batches find theirs, modems and seals are found by who has
 * them. */
#include "server/acts/asset.h"

#include <stdio.h>

void row_copy(const struct ledger_row *row, struct row_copy *out)
{
    struct wr w = wr_of(out->room, sizeof out->room);

    out->id = row->id;
    out->since_s = row->since_s;
    memset(&out->cells, 0, sizeof out->cells);
    for (unsigned i = 0; i < row->count && i < COLUMNS_MAX; i++) {
        out->cells.at[i] = span_of(w.at, row->cells[i].len);
        wr_bytes(&w, row->cells[i]);
    }
}

bool row_find(struct txn *t, enum list_kind kind, struct span key, struct row_copy *out)
{
    struct ledger_row row;

    if (!ledger_find(t, kind, key, INT64_MAX, &row))
        return false;
    row_copy(&row, out);
    return true;
}

/* ---- models ---- */

static const struct {
    unsigned meter, model;
} filled[] = {
    { CELL_METER_r, CELL_MODEL_r },
    { CELL_METER_register, CELL_MODEL_register },
    { CELL_METER_digits, CELL_MODEL_digits },
    { CELL_METER_resolution_l, CELL_MODEL_resolution_l },
    { CELL_METER_dialect, CELL_MODEL_dialect },
};

static enum err same_size(const struct cells *cells, unsigned column, struct span of_model,
                          struct import_refusal *why)
{
    if (!of_model.len || span_equal(cells->at[column], of_model))
        return ERR_OK;
    return row_refuse(why, ERR_CONFLICT, &list_of(LIST_METER)->column[column], cells->at[column],
                      "%.*s, as meters of the model %.*s have", (int)of_model.len,
                      (const char *)of_model.at, (int)cells->at[CELL_METER_model].len,
                      (const char *)cells->at[CELL_METER_model].at);
}

enum err meter_filled(struct registrar *g, struct cells *cells, struct wr *room,
                      struct import_refusal *why)
{
    struct txn *t = &g->act->txn;
    struct ledger_row model;
    enum err err;

    if (!cells->at[CELL_METER_model].len ||
        !ledger_find(t, LIST_MODEL, cells->at[CELL_METER_model], INT64_MAX, &model))
        return t->err;
    if ((err = same_size(cells, CELL_METER_dn, model.cells[CELL_MODEL_dn], why)) ||
        (err = same_size(cells, CELL_METER_q3, model.cells[CELL_MODEL_q3], why)))
        return err;
    for (size_t i = 0; i < sizeof filled / sizeof filled[0]; i++) {
        struct span told = model.cells[filled[i].model];

        if (cells->at[filled[i].meter].len)
            continue;
        cells->at[filled[i].meter] = span_of(room->at, told.len);
        wr_bytes(room, told);
    }
    return room->err;
}

/* ---- batches ---- */

/* Registered batches have names of up to 63 bytes: a longer text names none. */
bool batch_key(struct span batch, struct span serial, struct key *out)
{
    key_clear(out);
    key_text(out, batch);
    key_text(out, serial);
    return batch.len && batch.len < 64 && !out->full;
}

static void batch_leaves(struct act *a, const struct ledger_row *was, const struct cells *is)
{
    struct span serial = is->at[CELL_METER_serial];
    struct key k;

    if (!span_equal(was->cells[CELL_METER_batch], is->at[CELL_METER_batch]) &&
        batch_key(was->cells[CELL_METER_batch], serial, &k))
        act_index_drop(a, INDEX_BATCH, key_span(&k));
}

static void batch_joined(struct act *a, const struct cells *cells, uint32_t id)
{
    struct key k;

    if (batch_key(cells->at[CELL_METER_batch], cells->at[CELL_METER_serial], &k))
        act_index_put(a, INDEX_BATCH, key_span(&k), id);
}

/* ---- hooks ---- */

enum err asset_check(struct registrar *g, const struct list *l, const struct cells *cells,
                     uint32_t id, struct import_refusal *why)
{
    switch (l->kind) {
    case LIST_MODEM:
        return modem_check(g, cells, id, why);
    case LIST_SEAL:
        return seal_check(cells, why);
    default:
        return ERR_OK;
    }
}

enum err asset_leaves(struct registrar *g, const struct list *l, const struct cells *cells,
                      uint32_t id)
{
    struct txn *t = &g->act->txn;
    struct row_copy was;
    struct ledger_row row;

    if (l->kind != LIST_METER && l->kind != LIST_MODEM && l->kind != LIST_SEAL)
        return ERR_OK;
    if (!ledger_by_id(t, l->kind, id, INT64_MAX, &row))
        return t->err ? t->err : ERR_MISSING;
    if (l->kind == LIST_METER) {
        batch_leaves(g->act, &row, cells);
        return t->err;
    }
    row_copy(&row, &was);
    if (l->kind == LIST_MODEM)
        modem_indexed(g->act, &was.cells, id, false);
    else
        seal_indexed(g->act, &was.cells, id, false);
    return t->err;
}

static enum err modem_written(struct registrar *g, const struct cells *cells, uint32_t id,
                              bool known)
{
    struct span serial = cells->at[CELL_MODEM_serial];
    struct ledger_row meter;

    modem_indexed(g->act, cells, id, true);
    if (known || !serial.len || g->act->txn.err)
        return g->act->txn.err;
    if (!ledger_find(&g->act->txn, LIST_METER, serial, INT64_MAX, &meter))
        return g->act->txn.err ? g->act->txn.err : ERR_MISSING;
    modem_dated(g->act, serial, cells->at[CELL_MODEM_modem], LEDGER_ALWAYS, id, meter.id);
    return g->act->txn.err;
}

enum err asset_written(struct registrar *g, const struct list *l, const struct cells *cells,
                       uint32_t id, bool known)
{
    switch (l->kind) {
    case LIST_METER:
        batch_joined(g->act, cells, id);
        return g->act->txn.err;
    case LIST_MODEM:
        return modem_written(g, cells, id, known);
    case LIST_SEAL:
        seal_indexed(g->act, cells, id, true);
        return g->act->txn.err;
    default:
        return ERR_OK;
    }
}
