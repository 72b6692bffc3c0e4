/* Meters: a name on the radio belongs to one meter alone, and to none as its serial but its own. */
#include "server/acts/register_priv.h"

#include <stdio.h>

static enum err radio_taken(struct import_refusal *why, unsigned cell, struct span name,
                            const char *by)
{
    return row_refuse(why, ERR_CONFLICT, &list_of(LIST_METER)->column[cell], name,
                      "a name that no other meter has: %s has it", by);
}

static const char *radio_in_act(struct registrar *g, struct span name)
{
    uint8_t room[RADIO_NAME_MAX];
    struct span form = registry_radio_form(name, room);
    const json_t *serial = json_object_getn(g->radios, (const char *)form.at, form.len);

    return serial ? json_string_value(serial) : NULL;
}

static enum err radio_keep(struct registrar *g, struct span name, struct span serial)
{
    uint8_t room[RADIO_NAME_MAX];
    struct span form = registry_radio_form(name, room);

    if (!g->radios && !(g->radios = json_object()))
        return ERR_NO_MEMORY;
    return json_object_setn_new(g->radios, (const char *)form.at, form.len,
                                json_stringn((const char *)serial.at, serial.len))
               ? ERR_NO_MEMORY
               : ERR_OK;
}

/* The serial of the meter that has `name` on the radio or as its serial, and is not `serial`. */
static enum err name_holder(struct registrar *g, struct span name, struct span serial, char *out,
                            size_t cap)
{
    struct txn *t = &g->act->txn;
    const char *in_act = radio_in_act(g, name);
    struct ledger_row row;
    uint32_t meter;

    out[0] = 0;
    if (in_act && !span_equal(span_text(in_act), serial)) {
        snprintf(out, cap, "%s", in_act);
        return ERR_OK;
    }
    if (span_equal(name, serial) || !ledger_find(t, LIST_METER, name, INT64_MAX, &row)) {
        meter = registry_find(g->app->registry, name);
        if (t->err || !meter || !ledger_by_id(t, LIST_METER, meter, INT64_MAX, &row))
            return t->err;
    }
    if (!span_equal(row.cells[CELL_METER_serial], serial))
        snprintf(out, cap, "%.*s", (int)row.cells[CELL_METER_serial].len,
                 (const char *)row.cells[CELL_METER_serial].at);
    return ERR_OK;
}

static void text_keep(char out[SERIAL_MAX + 1], struct span text)
{
    snprintf(out, SERIAL_MAX + 1, "%.*s", (int)text.len, (const char *)text.at);
}

/* The registry learns after the commit, and must then know what to forget. */
static enum err hearing_changes(struct registrar *g, const struct cells *cells, uint32_t id)
{
    struct span radio = cells->at[CELL_METER_radio_id], dialect = cells->at[CELL_METER_dialect];
    struct ledger_row before;

    if (!ledger_by_id(&g->act->txn, LIST_METER, id, INT64_MAX, &before))
        return g->act->txn.err ? g->act->txn.err : ERR_MISSING;
    if (span_equal(before.cells[CELL_METER_radio_id], radio) &&
        span_equal(before.cells[CELL_METER_dialect], dialect))
        return ERR_OK;
    g->heard.meter = id;
    text_keep(g->heard.was, before.cells[CELL_METER_radio_id]);
    text_keep(g->heard.is, radio);
    snprintf(g->heard.dialect, sizeof g->heard.dialect, "%.*s", (int)dialect.len,
             dialect.len ? (const char *)dialect.at : "");
    return ERR_OK;
}

enum err meter_check(struct registrar *g, const struct cells *cells, uint32_t id,
                     struct import_refusal *why)
{
    struct span serial = cells->at[CELL_METER_serial], radio = cells->at[CELL_METER_radio_id];
    char holder[SERIAL_MAX + 1];
    enum err err;

    if (!id) {
        if ((err = name_holder(g, serial, serial, holder, sizeof holder)))
            return err;
        if (holder[0])
            return radio_taken(why, CELL_METER_serial, serial, holder);
    }
    if (radio.len) {
        if ((err = name_holder(g, radio, serial, holder, sizeof holder)))
            return err;
        if (holder[0])
            return radio_taken(why, CELL_METER_radio_id, radio, holder);
    }
    return id ? hearing_changes(g, cells, id) : ERR_OK;
}

enum err meter_written(struct registrar *g, const struct cells *cells, uint32_t id, bool known)
{
    if (cells->at[CELL_METER_radio_id].len) {
        enum err err = radio_keep(g, cells->at[CELL_METER_radio_id], cells->at[CELL_METER_serial]);

        if (err)
            return err;
    }
    if (known)
        return registrar_touch(g, id) ? ERR_OK : ERR_NO_MEMORY;
    if (!g->first_new_meter)
        g->first_new_meter = id;
    return ERR_OK;
}
