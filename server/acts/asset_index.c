/* Modems and seals as rows: what they may not be, and how they are found by who has them. */
#include "proto/base/rd.h"
#include "server/acts/asset.h"
#include "server/acts/seal.h"

#include <stdio.h>

#define NAME_ROOM 64

/* ---- indexes ---- */

static struct key text_key(char kind, struct span text)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, (uint8_t)kind);
    key_text(&k, text);
    return k;
}

static struct key dated_key(char kind, struct span text, int64_t at_s)
{
    struct key k = text_key(kind, text);

    key_i64(&k, at_s);
    return k;
}

static void index_key(struct act *a, const struct key *k, uint32_t id, bool put)
{
    if (!k->len)
        return;
    if (put)
        act_index_put(a, INDEX_ASSETS, key_span(k), id);
    else
        act_index_drop(a, INDEX_ASSETS, key_span(k));
}

static void key_if(char kind, struct span text, struct key *out)
{
    key_clear(out);
    if (text.len)
        *out = text_key(kind, text);
}

void modem_keys(const struct cells *cells, struct key *imei, struct key *deveui, struct key *serial)
{
    key_if('i', cells->at[CELL_MODEM_imei], imei);
    key_if('i', cells->at[CELL_MODEM_deveui], deveui);
    key_if('m', cells->at[CELL_MODEM_serial], serial);
}

void modem_indexed(struct act *a, const struct cells *cells, uint32_t id, bool put)
{
    struct key k[3];

    modem_keys(cells, &k[0], &k[1], &k[2]);
    for (size_t i = 0; i < 3; i++)
        index_key(a, &k[i], id, put);
}

/* Of one second every entry is kept: those after the first bear their number. */
static void put_dated(struct act *a, char kind, struct span text, int64_t at_s, uint32_t value)
{
    struct key k = dated_key(kind, text, at_s);
    struct index_walk w = ledger_index_walk(&a->txn, INDEX_ASSETS, key_span(&k), span_of(NULL, 0));
    uint16_t there = 0;

    while (there < UINT16_MAX && index_next(&w))
        there++;
    index_done(&w);
    if (there)
        key_u16(&k, there);
    act_index_put(a, INDEX_ASSETS, key_span(&k), value);
}

void modem_dated(struct act *a, struct span serial, struct span modem, int64_t at_s,
                 uint32_t modem_id, uint32_t meter)
{
    if (serial.len)
        put_dated(a, 'h', serial, at_s, modem_id);
    if (modem.len)
        put_dated(a, 'g', modem, at_s, meter);
}

/* The id under exactly this key; 0: none, or t->err. */
uint32_t asset_indexed(struct txn *t, char kind, struct span text)
{
    struct key k = text_key(kind, text);
    struct index_walk w = ledger_index_walk(t, INDEX_ASSETS, key_span(&k), span_of(NULL, 0));
    uint32_t id = index_next(&w) && span_equal(w.key, key_span(&k)) ? w.value : 0;

    index_done(&w);
    return id;
}

/* The instant of the last entry of a meter ('h') or a modem ('g'); LEDGER_ALWAYS: none. */
int64_t asset_last_dated(struct txn *t, char kind, struct span text)
{
    struct key k = text_key(kind, text);
    struct index_walk w;
    int64_t last = LEDGER_ALWAYS;

    w = ledger_index_walk(t, INDEX_ASSETS, key_span(&k), span_of(NULL, 0));
    while (index_next(&w)) {
        struct rd r = rd_of(span_of(w.key.at + k.len, w.key.len - k.len));

        last = (int64_t)(rd_be64(&r) ^ (UINT64_C(1) << 63));
    }
    index_done(&w);
    return last;
}

/* ---- rows of modems ---- */

static enum err name_free(struct registrar *g, const struct cells *cells, unsigned column,
                          uint32_t id, struct import_refusal *why)
{
    struct txn *t = &g->act->txn;
    bool of_meter = column == CELL_MODEM_serial;
    struct ledger_row other;
    uint32_t holder;

    if (!cells->at[column].len)
        return ERR_OK;
    holder = asset_indexed(t, of_meter ? 'm' : 'i', cells->at[column]);
    if (!holder || holder == id || t->err)
        return t->err;
    if (!ledger_by_id(t, LIST_MODEM, holder, INT64_MAX, &other))
        return t->err ? t->err : ERR_MISSING;
    return row_refuse(why, ERR_CONFLICT, &list_of(LIST_MODEM)->column[column], cells->at[column],
                      of_meter ? "a meter without a modem: %.*s is in it"
                               : "a name that no other modem has: %.*s has it",
                      (int)other.cells[0].len, (const char *)other.cells[0].at);
}

enum err modem_check(struct registrar *g, const struct cells *cells, uint32_t id,
                     struct import_refusal *why)
{
    enum err err = name_free(g, cells, CELL_MODEM_imei, id, why);

    if (!err)
        err = name_free(g, cells, CELL_MODEM_deveui, id, why);
    return err ? err : name_free(g, cells, CELL_MODEM_serial, id, why);
}

/* ---- seals ---- */

static const char *const state_names[SEAL_STATES] = { "free", "issued", "used", "broken" };

const char *seal_state_name(enum seal_state s)
{
    return state_names[s];
}

bool seal_state_read(struct span name, enum seal_state *out)
{
    for (unsigned i = 0; i < SEAL_STATES; i++) {
        if (!span_equal(name, span_text(state_names[i])))
            continue;
        *out = (enum seal_state)i;
        return true;
    }
    return false;
}

/* Rows of a file may tell it by who has the seal. */
enum seal_state seal_state_of(const struct cells *cells)
{
    enum seal_state s;

    if (seal_state_read(cells->at[CELL_SEAL_state], &s))
        return s;
    if (cells->at[CELL_SEAL_serial].len || cells->at[CELL_SEAL_point].len)
        return SEAL_USED;
    return cells->at[CELL_SEAL_crew].len ? SEAL_ISSUED : SEAL_FREE;
}

enum err seal_check(const struct cells *cells, struct import_refusal *why)
{
    struct span state = cells->at[CELL_SEAL_state];
    enum seal_state ignored;

    if (!state.len || seal_state_read(state, &ignored))
        return ERR_OK;
    return row_refuse(why, ERR_INVALID, &list_of(LIST_SEAL)->column[CELL_SEAL_state], state,
                      "free, issued, used or broken");
}

void seal_keys(const struct cells *cells, struct key *all, struct key *of_crew)
{
    enum seal_state state = seal_state_of(cells);
    struct span crew = cells->at[CELL_SEAL_crew];

    key_clear(all);
    key_u8(all, 'z');
    key_u8(all, (uint8_t)state);
    key_text(all, cells->at[CELL_SEAL_seal]);
    key_clear(of_crew);
    if (!crew.len || crew.len >= NAME_ROOM)
        return;
    key_u8(of_crew, 's');
    key_text(of_crew, crew);
    key_u8(of_crew, (uint8_t)state);
    key_text(of_crew, cells->at[CELL_SEAL_seal]);
}

void seal_indexed(struct act *a, const struct cells *cells, uint32_t id, bool put)
{
    struct key all, of_crew;

    seal_keys(cells, &all, &of_crew);
    index_key(a, &all, id, put);
    index_key(a, &of_crew, id, put);
}

void seal_put(struct act *a, struct row_copy *seal)
{
    act_put_row(a, LIST_SEAL, seal->cells.at[CELL_SEAL_seal],
                seal->since_s > a->now_s ? seal->since_s : a->now_s, seal->cells.at,
                list_of(LIST_SEAL)->columns, NULL, NULL);
    seal_indexed(a, &seal->cells, seal->id, true);
}

enum err seal_use(struct act *a, struct span seal, struct span serial, struct span point, char *why,
                  size_t size)
{
    struct row_copy row;
    struct span at;
    enum seal_state state;

    if (!seal.len || seal.len >= NAME_ROOM || !row_find(&a->txn, LIST_SEAL, seal, &row))
        return a->txn.err;
    state = seal_state_of(&row.cells);
    at = row.cells.at[row.cells.at[CELL_SEAL_serial].len ? CELL_SEAL_serial : CELL_SEAL_point];
    if (state == SEAL_USED && (serial.len ? span_equal(row.cells.at[CELL_SEAL_serial], serial)
                                          : span_equal(row.cells.at[CELL_SEAL_point], point)))
        return ERR_OK;
    if (state == SEAL_USED || state == SEAL_BROKEN) {
        snprintf(why, size, "seal: %.*s is %s%s%.*s, expected one that is free or issued",
                 (int)seal.len, (const char *)seal.at, state_names[state], at.len ? " at " : "",
                 (int)at.len, (const char *)at.at);
        return ERR_CONFLICT;
    }
    seal_indexed(a, &row.cells, row.id, false);
    row.cells.at[CELL_SEAL_serial] = serial;
    row.cells.at[CELL_SEAL_point] = point;
    row.cells.at[CELL_SEAL_state] = span_text(state_names[SEAL_USED]);
    seal_put(a, &row);
    return a->txn.err;
}
