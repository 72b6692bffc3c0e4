#include "server/orders.h"

#include "proto/base/rd.h"
#include "proto/base/text.h"
#include "server/acts/register.h"
#include "server/fleet/columns.h"

#include <stdio.h>

#define NEVER INT64_MIN

/* ---- rows ---- */

static bool time_of(struct span text, int64_t *out_s)
{
    *out_s = NEVER;
    return !text.len || text_time(text, NULL, out_s) == ERR_OK;
}

static bool litres_of(struct span text, bool *out_has, int64_t *out_ml)
{
    *out_ml = 0;
    *out_has = text.len != 0;
    return !text.len || text_litres(text, out_ml) == ERR_OK;
}

static bool count_of(struct span text, uint32_t *out)
{
    int64_t n = 0;

    if (text.len && (text_int(text, &n) || n < 0 || n > UINT32_MAX))
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool words_of(const struct ledger_row *row, struct order *o)
{
    struct span result = ledger_cell(row, CELL_ORDER_result);

    o->result = ORDER_RESULTS;
    return order_kind_read(ledger_cell(row, CELL_ORDER_kind), &o->kind) &&
           order_state_read(ledger_cell(row, CELL_ORDER_state), &o->state) &&
           order_priority_read(ledger_cell(row, CELL_ORDER_priority), &o->priority) &&
           (!result.len || order_result_read(result, &o->result));
}

static bool times_of(const struct ledger_row *row, struct order *o)
{
    return time_of(ledger_cell(row, CELL_ORDER_due), &o->due_s) && o->due_s != NEVER &&
           time_of(ledger_cell(row, CELL_ORDER_created_at), &o->created_s) &&
           time_of(ledger_cell(row, CELL_ORDER_since), &o->since_s) && o->since_s != NEVER &&
           time_of(ledger_cell(row, CELL_ORDER_assigned_at), &o->assigned_s) &&
           time_of(ledger_cell(row, CELL_ORDER_started_at), &o->started_s) &&
           time_of(ledger_cell(row, CELL_ORDER_done_at), &o->done_s);
}

static bool numbers_of(const struct ledger_row *row, struct order *o)
{
    return litres_of(ledger_cell(row, CELL_ORDER_index_l), &o->has_index, &o->index_ml) &&
           litres_of(ledger_cell(row, CELL_ORDER_new_index_l), &o->has_new_index,
                     &o->new_index_ml) &&
           count_of(ledger_cell(row, CELL_ORDER_attempts), &o->attempts) &&
           count_of(ledger_cell(row, CELL_ORDER_stop), &o->stop);
}

/* Where each text of an order lies in its row. */
static const struct {
    unsigned place;
    size_t offset;
} texts[] = {
    { CELL_ORDER_order, offsetof(struct order, name) },
    { CELL_ORDER_point, offsetof(struct order, point) },
    { CELL_ORDER_serial, offsetof(struct order, serial) },
    { CELL_ORDER_reason, offsetof(struct order, reason) },
    { CELL_ORDER_assignee, offsetof(struct order, assignee) },
    { CELL_ORDER_flag, offsetof(struct order, flag) },
    { CELL_ORDER_created_by, offsetof(struct order, created_by) },
    { CELL_ORDER_closed_by, offsetof(struct order, closed_by) },
    { CELL_ORDER_new_serial, offsetof(struct order, new_serial) },
    { CELL_ORDER_photo, offsetof(struct order, photo) },
    { CELL_ORDER_seal, offsetof(struct order, seal) },
    { CELL_ORDER_lon, offsetof(struct order, lon) },
    { CELL_ORDER_lat, offsetof(struct order, lat) },
    { CELL_ORDER_note, offsetof(struct order, note) },
    { CELL_ORDER_remark, offsetof(struct order, remark) },
    { CELL_ORDER_rule, offsetof(struct order, rule) },
    { CELL_ORDER_tour, offsetof(struct order, tour) },
};
#define TEXTS (sizeof texts / sizeof texts[0])

static struct span *text_in(struct order *o, size_t i)
{
    return (struct span *)((char *)o + texts[i].offset);
}

enum err order_of_row(const struct ledger_row *row, struct order *out_view)
{
    struct order o = { .id = row->id };

    if (!words_of(row, &o) || !times_of(row, &o) || !numbers_of(row, &o))
        return ERR_CORRUPT;
    for (size_t i = 0; i < TEXTS; i++)
        *text_in(&o, i) = ledger_cell(row, texts[i].place);
    *out_view = o;
    return ERR_OK;
}

static bool order_taken(struct txn *t, const struct ledger_row *row, struct order *out_view)
{
    enum err err = order_of_row(row, out_view);

    if (err && !t->err)
        t->err = err;
    return !err;
}

bool order_find(struct txn *t, struct span name, struct order *out_view)
{
    struct ledger_row row;

    return name.len && name.len < 64 && ledger_find(t, LIST_ORDER, name, INT64_MAX, &row) &&
           order_taken(t, &row, out_view);
}

bool order_by_id(struct txn *t, uint32_t id, struct order *out_view)
{
    struct ledger_row row;

    return ledger_by_id(t, LIST_ORDER, id, INT64_MAX, &row) && order_taken(t, &row, out_view);
}

_Static_assert(ORDER_ROOM >= 6 * (LIMIT_TEXT + 1) + 11 * 64, "all texts of an order fit");

void order_keep(const struct order *o, struct order_kept *out)
{
    char *at = out->room, *end = out->room + sizeof out->room;

    out->order = *o;
    for (size_t i = 0; i < TEXTS; i++) {
        struct span *text = text_in(&out->order, i);

        if (text->len > (size_t)(end - at))
            text->len = (size_t)(end - at); /* cells are bounded: it cannot be */
        if (text->len)
            memcpy(at, text->at, text->len);
        text->at = (const uint8_t *)at;
        at += text->len;
    }
}

struct order order_new(const struct act *a, enum order_kind kind)
{
    return (struct order){ .kind = kind,
                           .state = ORDER_OPEN,
                           .priority = PRIORITY_NORMAL,
                           .result = ORDER_RESULTS,
                           .created_by = span_text(a->who),
                           .created_s = a->now_s,
                           .since_s = a->now_s,
                           .due_s = order_due(PRIORITY_NORMAL, a->now_s),
                           .assigned_s = NEVER,
                           .started_s = NEVER,
                           .done_s = NEVER };
}

/* ---- indexes ---- */

struct keys {
    struct key at[ORDER_KEYS_MAX];
    unsigned count;
};

static struct key *key_new(struct keys *keys, char what)
{
    struct key *k = &keys->at[keys->count++];

    key_clear(k);
    key_u8(k, (uint8_t)what);
    return k;
}

static void key_of_name(struct keys *keys, char what, struct span name, bool closed, uint32_t id)
{
    struct key *k;

    if (!name.len)
        return;
    k = key_new(keys, what);
    key_text(k, name);
    key_u8(k, closed);
    key_u32(k, id);
}

static void keys_of(const struct order *o, struct keys *out)
{
    bool closed = !order_is_live(o->state);
    struct key *k;

    out->count = 0;
    k = key_new(out, 's');
    key_u8(k, (uint8_t)o->state);
    key_u8(k, (uint8_t)o->kind);
    key_u32(k, o->id);
    k = key_new(out, 'k');
    key_u8(k, (uint8_t)o->kind);
    key_u32(k, o->id);
    if (!closed) {
        k = key_new(out, 'd');
        key_i64(k, o->due_s);
        key_u32(k, o->id);
    }
    key_of_name(out, ORDERS_OF_ASSIGNEE, o->assignee, closed, o->id);
    key_of_name(out, ORDERS_OF_POINT, o->point, closed, o->id);
    key_of_name(out, ORDERS_OF_METER, o->serial, closed, o->id);
    if (o->flag.len) {
        k = key_new(out, ORDERS_OF_FLAG);
        key_text(k, o->flag);
        key_u32(k, o->id);
    }
    if (o->tour.len) {
        k = key_new(out, ORDERS_OF_TOUR);
        key_text(k, o->tour);
        key_u32(k, o->stop);
        key_u32(k, o->id);
    }
    if (o->tour.len && o->assignee.len) {
        k = key_new(out, ORDERS_TOURS_OF);
        key_text(k, o->assignee);
        key_text(k, o->tour);
        key_u32(k, o->id);
    }
}

unsigned order_keys(const struct order *o, struct key out[ORDER_KEYS_MAX])
{
    struct keys keys;

    keys_of(o, &keys);
    memcpy(out, keys.at, keys.count * sizeof *out);
    return keys.count;
}

static bool has_key(const struct keys *keys, const struct key *k)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (span_equal(key_span(&keys->at[i]), key_span(k)))
            return true;
    }
    return false;
}

static void keys_move(struct act *a, const struct keys *was, const struct keys *is, uint32_t id)
{
    for (unsigned i = 0; i < was->count; i++) {
        if (!has_key(is, &was->at[i]))
            act_index_drop(a, INDEX_ORDERS, key_span(&was->at[i]));
    }
    for (unsigned i = 0; i < is->count; i++) {
        if (!has_key(was, &is->at[i]))
            act_index_put(a, INDEX_ORDERS, key_span(&is->at[i]), id);
    }
}

static void note_act(struct act *a, uint32_t id)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 'h');
    key_u32(&k, id);
    key_u64(&k, a->number);
    act_index_put(a, INDEX_ORDERS, key_span(&k), id);
}

/* ---- numbers ---- */

static struct key number_key(void)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 'n');
    return k;
}

static uint32_t last_number(struct txn *t)
{
    struct key k = number_key();
    struct index_walk w = ledger_index_walk(t, INDEX_ORDERS, key_span(&k), span_of(NULL, 0));
    uint32_t last = index_next(&w) ? w.value : 0;

    index_done(&w);
    return last;
}

static void number_given(struct act *a, uint32_t number)
{
    struct key k = number_key();

    act_index_put(a, INDEX_ORDERS, key_span(&k), number);
}

/* ---- writing ---- */

/* What numbers and times are in a row, as text. */
struct row_texts {
    char due[TEXT_TIME_SIZE], created[TEXT_TIME_SIZE], since[TEXT_TIME_SIZE];
    char assigned[TEXT_TIME_SIZE], started[TEXT_TIME_SIZE], done[TEXT_TIME_SIZE];
    char index[TEXT_LITRES_SIZE], new_index[TEXT_LITRES_SIZE];
    char attempts[12], stop[12];
};

static struct span time_text(int64_t at_s, char room[TEXT_TIME_SIZE])
{
    if (at_s == NEVER)
        return span_of(NULL, 0);
    text_put_time(room, at_s);
    return span_text(room);
}

static struct span litres_text(bool has, int64_t ml, char room[TEXT_LITRES_SIZE])
{
    return has ? span_of(room, text_put_litres(room, ml)) : span_of(NULL, 0);
}

static struct span count_text(uint32_t n, char room[12])
{
    snprintf(room, 12, "%u", (unsigned)n);
    return n ? span_text(room) : span_of(NULL, 0);
}

static void row_of(struct order *o, struct row_texts *r, struct span cells[COLUMNS_MAX])
{
    const char *result = order_result_name(o->result);

    for (size_t i = 0; i < TEXTS; i++)
        cells[texts[i].place] = *text_in(o, i);
    cells[CELL_ORDER_kind] = span_text(order_kind_name(o->kind));
    cells[CELL_ORDER_state] = span_text(order_state_name(o->state));
    cells[CELL_ORDER_priority] = span_text(order_priority_name(o->priority));
    cells[CELL_ORDER_result] = result ? span_text(result) : span_of(NULL, 0);
    cells[CELL_ORDER_due] = time_text(o->due_s, r->due);
    cells[CELL_ORDER_created_at] = time_text(o->created_s, r->created);
    cells[CELL_ORDER_since] = time_text(o->since_s, r->since);
    cells[CELL_ORDER_assigned_at] = time_text(o->assigned_s, r->assigned);
    cells[CELL_ORDER_started_at] = time_text(o->started_s, r->started);
    cells[CELL_ORDER_done_at] = time_text(o->done_s, r->done);
    cells[CELL_ORDER_index_l] = litres_text(o->has_index, o->index_ml, r->index);
    cells[CELL_ORDER_new_index_l] = litres_text(o->has_new_index, o->new_index_ml, r->new_index);
    cells[CELL_ORDER_attempts] = count_text(o->attempts, r->attempts);
    cells[CELL_ORDER_stop] = count_text(o->stop, r->stop);
}

/* As a file's cell is kept, so that what goes out comes in as the same. */
static struct span trimmed(struct span text)
{
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = span_of(text.at + 1, text.len - 1);
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static void name_it(struct act *a, struct order *o, char room[ORDER_NAME_SIZE])
{
    uint32_t last = last_number(&a->txn), number = last + 1;

    if (last == UINT32_MAX && !a->txn.err)
        a->txn.err = ERR_LIMIT;
    order_name(number, room);
    o->name = span_text(room);
    number_given(a, number);
}

void order_put(struct act *a, struct order *o, char room[ORDER_NAME_SIZE])
{
    struct span cells[COLUMNS_MAX] = { { NULL, 0 } };
    struct keys was = { .count = 0 }, is;
    struct row_texts r;
    struct order known;
    bool written = false;

    a->words = &register_words;
    for (size_t i = 0; i < TEXTS; i++)
        *text_in(o, i) = trimmed(*text_in(o, i));
    if (!o->id)
        name_it(a, o, room);
    else if (order_by_id(&a->txn, o->id, &known))
        keys_of(&known, &was);
    row_of(o, &r, cells);
    if (a->txn.err)
        return;
    act_put_row(a, LIST_ORDER, o->name, o->id ? a->now_s : LEDGER_ALWAYS, cells,
                list_of(LIST_ORDER)->columns, &o->id, &written);
    if (a->txn.err || !written)
        return;
    keys_of(o, &is);
    keys_move(a, &was, &is, o->id);
    note_act(a, o->id);
}

void order_imported(struct act *a, uint32_t id)
{
    struct keys none = { .count = 0 }, is;
    uint32_t number = 0;
    struct order o;

    if (!order_by_id(&a->txn, id, &o))
        return;
    keys_of(&o, &is);
    if (order_number(o.name, &number) && number > last_number(&a->txn))
        number_given(a, number);
    keys_move(a, &none, &is, id);
    note_act(a, id);
}

/* ---- moves ---- */

static void tell_closed(const struct order *o, char *out, size_t size)
{
    bool told = o->state == ORDER_DONE && o->result < ORDER_RESULTS;
    char at[TEXT_TIME_SIZE];

    text_put_time(at, o->since_s);
    snprintf(out, size, ", since %s by %.*s%s%s", at, (int)o->closed_by.len,
             o->closed_by.len ? (const char *)o->closed_by.at : "",
             told ? ", with the result " : "", told ? order_result_name(o->result) : "");
}

bool order_may(const struct order *o, enum order_move m, char *why, size_t size)
{
    char from[80], closed[160] = "";

    if (order_move_from(m) >> o->state & 1)
        return true;
    order_states_list(order_move_from(m), from, sizeof from);
    if (!order_is_live(o->state))
        tell_closed(o, closed, sizeof closed);
    snprintf(why, size, "%.*s is %s%s; %s is for one that is %s", (int)o->name.len,
             (const char *)o->name.at, order_state_name(o->state), closed, order_move_name(m),
             from);
    return false;
}

static void back(struct order *o, int64_t now_s)
{
    o->assignee = o->tour = span_of(NULL, 0);
    o->stop = 0;
    o->assigned_s = o->started_s = NEVER;
    o->since_s = now_s;
}

static void reported(struct order *o, int64_t now_s)
{
    enum order_state to = order_reported(o->result, o->state);

    if (order_result_ending(o->result) == ORDER_BACK) {
        back(o, now_s);
        o->attempts++;
        o->due_s = order_due(o->priority, now_s);
    }
    if (to == ORDER_STARTED && o->state != to)
        o->started_s = now_s;
    if (to != o->state)
        o->since_s = now_s;
    o->state = to;
}

void order_move(struct order *o, enum order_move m, int64_t now_s)
{
    enum order_state to = order_moved(m, o->state);

    if (m == MOVE_REPORT) {
        reported(o, now_s);
        return;
    }
    if (m == MOVE_UNASSIGN)
        back(o, now_s);
    if (m == MOVE_ASSIGN) {
        o->assigned_s = now_s;
        o->started_s = NEVER;
    }
    if (m == MOVE_START)
        o->started_s = now_s;
    if (to != o->state || m == MOVE_ASSIGN)
        o->since_s = now_s;
    o->state = to;
}

/* ---- walks ---- */

struct order_walk orders_all(struct txn *t, struct span after)
{
    struct order_walk w = { .txn = t, .by_name = true };

    w.rows = ledger_walk(t, LIST_ORDER, after, INT64_MAX);
    return w;
}

static struct order_walk by_key(struct txn *t, const struct key *prefix, struct span after)
{
    struct order_walk w = { .txn = t };

    w.index = ledger_index_walk(t, INDEX_ORDERS, key_span(prefix), after);
    return w;
}

struct order_walk orders_in_state(struct txn *t, enum order_state s, enum order_kind k,
                                  struct span after)
{
    struct key prefix;

    key_clear(&prefix);
    key_u8(&prefix, 's');
    key_u8(&prefix, (uint8_t)s);
    if (k < ORDER_KINDS)
        key_u8(&prefix, (uint8_t)k);
    return by_key(t, &prefix, after);
}

struct order_walk orders_of_kind(struct txn *t, enum order_kind k, struct span after)
{
    struct key prefix;

    key_clear(&prefix);
    key_u8(&prefix, 'k');
    key_u8(&prefix, (uint8_t)k);
    return by_key(t, &prefix, after);
}

struct order_walk orders_by_due(struct txn *t, struct span after)
{
    struct key prefix;

    key_clear(&prefix);
    key_u8(&prefix, 'd');
    return by_key(t, &prefix, after);
}

struct order_walk orders_of(struct txn *t, enum orders_of of, struct span name, bool live,
                            struct span after)
{
    struct key prefix;

    key_clear(&prefix);
    key_u8(&prefix, (uint8_t)of);
    key_text(&prefix, name);
    if (live && of != ORDERS_OF_FLAG && of != ORDERS_OF_TOUR)
        key_u8(&prefix, 0);
    return by_key(t, &prefix, after);
}

bool order_next(struct order_walk *w)
{
    struct ledger_row row;

    if (w->by_name) {
        if (!ledger_walk_next(&w->rows, &row))
            return false;
        w->cursor = w->rows.key;
        return order_taken(w->txn, &row, &w->order);
    }
    if (!index_next(&w->index))
        return false;
    w->cursor = w->index.key;
    if (order_by_id(w->txn, w->index.value, &w->order))
        return true;
    if (!w->txn->err)
        w->txn->err = ERR_MISSING;
    return false;
}

void order_walk_done(struct order_walk *w)
{
    if (w->by_name)
        ledger_walk_done(&w->rows);
    else
        index_done(&w->index);
}

static bool live_of(struct txn *t, enum order_kind k, enum orders_of of, struct span name,
                    struct order *out_view)
{
    struct order_walk w;
    bool found = false;

    if (!name.len)
        return false;
    w = orders_of(t, of, name, true, span_of(NULL, 0));
    while (!found && order_next(&w)) {
        if (w.order.kind == k) {
            *out_view = w.order;
            found = true;
        }
    }
    order_walk_done(&w);
    return found;
}

bool order_live_at(struct txn *t, enum order_kind k, struct span point, struct span serial,
                   struct order *out_view)
{
    return live_of(t, k, ORDERS_OF_POINT, point, out_view) ||
           live_of(t, k, ORDERS_OF_METER, serial, out_view);
}

/* ---- history ---- */

struct telling {
    uint64_t number; /* the act at hand */
    struct span name;
    bool (*each)(void *arg, const struct audit_record *r);
    void *arg;
    bool ended;
};

static bool tell(void *arg, const struct audit_record *r)
{
    struct telling *t = (struct telling *)arg;

    if (r->number != t->number)
        return false;
    if (r->what.len > 7 && memcmp(r->what.at, "orders.", 7) == 0 && span_equal(r->subject, t->name))
        t->ended = !t->each(t->arg, r);
    return !t->ended;
}

enum err order_history(struct txn *t, const struct order *o,
                       bool (*each)(void *arg, const struct audit_record *r), void *arg)
{
    struct telling telling = { .name = o->name, .each = each, .arg = arg };
    struct key prefix;
    struct index_walk w;
    enum err err = ERR_OK;

    key_clear(&prefix);
    key_u8(&prefix, 'h');
    key_u32(&prefix, o->id);
    w = ledger_index_walk(t, INDEX_ORDERS, key_span(&prefix), span_of(NULL, 0));
    while (!err && !telling.ended && index_next(&w)) {
        struct rd r = rd_of(span_of(w.key.at + prefix.len, w.key.len - prefix.len));

        telling.number = rd_be64(&r);
        err = ledger_audit(t, telling.number, tell, &telling);
    }
    index_done(&w);
    return err ? err : t->err;
}

/* ---- as people see them ---- */

static void put_time(struct out *o, const char *name, int64_t at_s)
{
    if (at_s == NEVER || at_s == INT64_MAX)
        out_member_null(o, name);
    else
        out_member_time(o, name, at_s);
}

static void put_litres(struct out *o, const char *name, bool has, int64_t ml)
{
    if (has)
        out_member_litres(o, name, ml);
    else
        out_member_null(o, name);
}

static void put_number(struct out *o, const char *name, struct span text)
{
    out_key(o, name);
    if (text.len)
        out_bytes(o, text.at, text.len);
    else
        out_text(o, "null");
}

static void put_word(struct out *o, const char *name, const char *word)
{
    out_member_text(o, name, word);
}

static void put_text(struct out *o, const char *name, struct span text)
{
    out_member_span(o, name, text);
}

static void put_count(struct out *o, const char *name, uint32_t n)
{
    if (n)
        out_member_int(o, name, n);
    else
        out_member_null(o, name);
}

static void put_whole(struct out *o, const char *name, int64_t n)
{
    out_member_int(o, name, n);
}

static void put_truth(struct out *o, const char *name, bool is)
{
    out_member_bool(o, name, is);
}

void order_put_json(struct out *out, const struct order *o, int64_t now_s)
{
#define ORDER_MEMBER(how, name, ...) put_##how(out, #name, __VA_ARGS__);
#include "server/order_members.def"
}
