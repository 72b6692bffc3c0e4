/* Seals by crew and state, and which modem was in which meter. */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

/* ---- seals ---- */

static const char *const seal_states[] = { "free", "issued", "used", "broken" };

struct seals {
    struct key
        prefix; /* of INDEX_ASSETS, as server/acts/asset.h draws it; empty: the list itself */
    const char *columns[COLUMNS_MAX];
};

static void fill_seals_found(struct listing *l)
{
    const struct seals *s = (const struct seals *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct index_walk w;
    struct ledger_row row;
    bool more = true;

    memcpy(after, l->cursor, l->cursor_len);
    w = ledger_index_walk(&t, INDEX_ASSETS, key_span(&s->prefix), span_of(after, l->cursor_len));
    while (!t.err && !listing_full(l) && (more = index_next(&w))) {
        if (!ledger_by_id(&t, LIST_SEAL, w.value, INT64_MAX, &row)) {
            listing_fail(l, t.err ? t.err : ERR_MISSING);
            break;
        }
        row_of_register(l, &t, list_of(LIST_SEAL), &row, 0, w.key);
    }
    index_done(&w);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

static void put_seal(struct listing *l, struct txn *t, const struct ledger_row *row,
                     struct span key)
{
    row_of_register(l, t, list_of(LIST_SEAL), row, 0, key);
}

static void fill_seals(struct listing *l)
{
    rows_fill(l, LIST_SEAL, INT64_MAX, put_seal);
}

static int state_place(struct span name)
{
    for (int i = 0; i < 4; i++) {
        if (span_equal(name, span_text(seal_states[i])))
            return i;
    }
    return -1;
}

static void make_prefix(struct key *k, struct span crew, int state)
{
    key_clear(k);
    if (crew.len) {
        key_u8(k, 's');
        key_text(k, crew);
    } else if (state >= 0) {
        key_u8(k, 'z');
    }
    if (state >= 0)
        key_u8(k, (uint8_t)state);
}

void answer_seals(struct request *q)
{
    struct span crew = ask_text(q, "crew"), state = ask_text(q, "state");
    struct txn t = ledger_read(q->app->ledger);
    bool known = named_is_known(q, &t, LIST_CREW, "crew");
    struct seals *s;

    txn_abort(&t);
    if (!known)
        return;
    if (state.len && state_place(state) < 0) {
        problem_of(q, ERR_INVALID, "state",
                   "state: found %.*s, expected free, issued, used or broken",
                   (int)(state.len < 40 ? state.len : 40), (const char *)state.at);
        return;
    }
    if (!(s = (struct seals *)calloc(1, sizeof *s))) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    for (unsigned i = 0; i < list_of(LIST_SEAL)->columns; i++)
        s->columns[i] = list_of(LIST_SEAL)->column[i].name;
    make_prefix(&s->prefix, crew, state.len ? state_place(state) : -1);
    listing_new(q, s->columns, s->prefix.len ? fill_seals_found : fill_seals, s, free, PAGE);
}

/* ---- modems ---- */

/* One stay: what begins at `from_s` holds until the next entry, whose key ends in its instant. */
struct stays {
    char kind; /* 'h' those of a meter, 'g' those of a modem */
    char name[64];
};

struct stay {
    int64_t from_s;
    uint32_t id; /* 0: none was in */
    uint8_t cursor[CURSOR_MAX];
    size_t cursor_len;
};

static void stay_read(const struct index_walk *w, size_t prefix, struct stay *out)
{
    struct rd r = rd_of(span_of(w->key.at + prefix, w->key.len - prefix));

    out->from_s = (int64_t)(rd_be64(&r) ^ (UINT64_C(1) << 63));
    out->id = w->value;
    out->cursor_len = w->key.len < CURSOR_MAX ? w->key.len : 0;
    memcpy(out->cursor, w->key.at, out->cursor_len);
}

static void put_names(struct listing *l, struct txn *t, const struct stays *s, uint32_t id)
{
    struct ledger_row row = { 0 };
    bool of_meter = s->kind == 'h';

    if (!ledger_by_id(t, of_meter ? LIST_MODEM : LIST_METER, id, INT64_MAX, &row))
        listing_fail(l, t->err ? t->err : ERR_MISSING);
    if (l->err)
        return;
    row_text(l, "serial", of_meter ? span_text(s->name) : row.cells[CELL_METER_serial]);
    row_text(l, "modem", of_meter ? row.cells[CELL_MODEM_modem] : span_text(s->name));
    if (!of_meter && !ledger_find(t, LIST_MODEM, span_text(s->name), INT64_MAX, &row))
        listing_fail(l, t->err ? t->err : ERR_MISSING);
    row_text(l, "imei", row.cells[CELL_MODEM_imei]);
    row_text(l, "deveui", row.cells[CELL_MODEM_deveui]);
}

static void put_stay(struct listing *l, struct txn *t, const struct stay *a, int64_t to_s)
{
    const struct stays *s = (const struct stays *)l->state;
    struct span cursor = span_of(a->cursor, a->cursor_len);

    if (!a->id) {
        listing_pass(l, cursor);
        return;
    }
    row_begin(l);
    put_names(l, t, s, a->id);
    if (a->from_s == LEDGER_ALWAYS)
        row_null(l, "from");
    else
        row_time(l, "from", a->from_s);
    if (to_s == INT64_MAX)
        row_null(l, "to");
    else
        row_time(l, "to", to_s);
    row_end(l, cursor);
}

static void fill_stays(struct listing *l)
{
    const struct stays *s = (const struct stays *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct stay at = { 0 }, next;
    uint8_t after[CURSOR_MAX];
    struct index_walk w;
    struct key k;
    bool held = false, more = true;

    key_clear(&k);
    key_u8(&k, (uint8_t)s->kind);
    key_text(&k, span_text(s->name));
    memcpy(after, l->cursor, l->cursor_len);
    w = ledger_index_walk(&t, INDEX_ASSETS, key_span(&k), span_of(after, l->cursor_len));
    while (!t.err && !listing_full(l) && (more = index_next(&w))) {
        stay_read(&w, k.len, &next);
        if (held)
            put_stay(l, &t, &at, next.from_s);
        at = next;
        held = true;
    }
    if (held && !more)
        put_stay(l, &t, &at, INT64_MAX);
    index_done(&w);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

static const char *const stay_columns[] = {
    "serial", "modem", "imei", "deveui", "from", "to", NULL
};

static void answer_stays(struct request *q, enum list_kind kind, char letter)
{
    struct span name = q->subject[0];
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool known = row_named(q, &t, list_of(kind), INT64_MAX, &row);
    struct stays *s;

    txn_abort(&t);
    if (!known)
        return;
    if (!(s = (struct stays *)calloc(1, sizeof *s))) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    s->kind = letter;
    snprintf(s->name, sizeof s->name, "%.*s", (int)name.len, (const char *)name.at);
    listing_new(q, stay_columns, fill_stays, s, free, PAGE);
}

void answer_modems_of(struct request *q)
{
    answer_stays(q, LIST_METER, 'h');
}

void answer_meters_of(struct request *q)
{
    answer_stays(q, LIST_MODEM, 'g');
}
