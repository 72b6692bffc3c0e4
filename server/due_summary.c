#include "server/due_summary.h"

#include "server/registers.h"
#include "server/scope.h"

#include <stdlib.h>

#define SLICE_ENTRIES 65536 /* of an index, before its pages are let go */
#define SLICE_METERS 8192   /* looked up, likewise */

/* ---- names: each kept once, so that groups compare numbers ---- */

struct due_names {
    char (*at)[DUE_NAME];
    size_t count, cap;
    uint32_t *slots; /* of a table by name: the place + 1; twice `cap` */
};

static uint64_t name_hash(struct span name)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ name.at[i]) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

static size_t name_slot(const struct due_names *n, struct span name)
{
    size_t at = (size_t)name_hash(name) & (2 * n->cap - 1);

    while (n->slots[at] && !span_equal(span_text(n->at[n->slots[at] - 1]), name))
        at = (at + 1) & (2 * n->cap - 1);
    return at;
}

static enum err names_grow(struct due_names *n)
{
    size_t cap = n->cap ? 2 * n->cap : 256;
    char(*at)[DUE_NAME] = (char(*)[DUE_NAME])realloc(n->at, cap * sizeof *at);
    uint32_t *slots = (uint32_t *)calloc(2 * cap, sizeof *slots);

    if (at)
        n->at = at;
    if (!at || !slots) {
        free(slots);
        return ERR_NO_MEMORY;
    }
    free(n->slots);
    n->slots = slots;
    n->cap = cap;
    for (size_t i = 0; i < n->count; i++)
        slots[name_slot(n, span_text(n->at[i]))] = (uint32_t)i + 1;
    return ERR_OK;
}

/* Names of zones and routes have at most 63 bytes (server/fleet/columns.def). 0: the empty one. */
static enum err name_number(struct due_names *n, struct span name, uint32_t *out)
{
    enum err err = n->count < n->cap ? ERR_OK : names_grow(n);
    size_t slot;

    *out = 0;
    if (err || !name.len)
        return err;
    name.len = name.len < DUE_NAME ? name.len : DUE_NAME - 1;
    slot = name_slot(n, name);
    if (!n->slots[slot]) {
        memcpy(n->at[n->count], name.at, name.len);
        n->at[n->count++][name.len] = 0;
        n->slots[slot] = (uint32_t)n->count;
    }
    *out = n->slots[slot];
    return ERR_OK;
}

/* ---- counting ---- */

struct tally {
    int32_t month, dn_mm;
    uint32_t zone, route;
    uint64_t fitted, store, overdue, never_verified;
};

struct entry {
    uint32_t meter;
    int32_t due;
    bool fitted;
};

struct counting {
    struct app *app;
    const struct due_wish *wish;
    int64_t now_s;
    struct entry *entries;
    size_t count, cap;
    struct tally *tallies;
    size_t tally_count, tally_cap;
    uint32_t *slots; /* twice tally_cap */
    struct due_names *names;
    bool looks_up; /* by something that the index does not know */
};

static bool in_window(const struct due_wish *w, int32_t due)
{
    return due != NO_DAY && due >= w->from_day && due <= w->to_day;
}

static int32_t month_of(const struct due_wish *w, int32_t due)
{
    struct civil c;

    if (!(w->by & DUE_BY_MONTH) || !in_window(w, due))
        return NO_DAY;
    c = day_civil((int64_t)due * 86400);
    return c.year * 12 + c.month - 1;
}

static bool same_group(const struct tally *a, const struct tally *b)
{
    return a->month == b->month && a->dn_mm == b->dn_mm && a->zone == b->zone &&
           a->route == b->route;
}

static size_t tally_slot(const struct counting *c, const struct tally *key)
{
    uint64_t h = ((uint64_t)key->zone << 32 | key->route) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at;

    h ^= ((uint64_t)(uint32_t)key->month << 32 | (uint32_t)key->dn_mm) *
         UINT64_C(0xbf58476d1ce4e5b9);
    at = (size_t)(h ^ h >> 31) & (2 * c->tally_cap - 1);
    while (c->slots[at] && !same_group(&c->tallies[c->slots[at] - 1], key))
        at = (at + 1) & (2 * c->tally_cap - 1);
    return at;
}

static enum err tallies_grow(struct counting *c)
{
    size_t cap = c->tally_cap ? 2 * c->tally_cap : 256;
    struct tally *at;
    uint32_t *slots;

    if (c->tally_count >= DUE_GROUPS_MAX)
        return ERR_LIMIT;
    if (!(at = (struct tally *)realloc(c->tallies, cap * sizeof *at)))
        return ERR_NO_MEMORY;
    c->tallies = at;
    if (!(slots = (uint32_t *)calloc(2 * cap, sizeof *slots)))
        return ERR_NO_MEMORY;
    free(c->slots);
    c->slots = slots;
    c->tally_cap = cap;
    for (size_t i = 0; i < c->tally_count; i++)
        slots[tally_slot(c, &at[i])] = (uint32_t)i + 1;
    return ERR_OK;
}

static enum err count_one(struct counting *c, const struct entry *e, struct tally key)
{
    const struct due_wish *w = c->wish;
    struct tally *t;
    size_t slot;
    enum err err;

    if (c->tally_count == c->tally_cap && (err = tallies_grow(c)))
        return err;
    key.month = month_of(w, e->due);
    slot = tally_slot(c, &key);
    if (!c->slots[slot]) {
        c->tallies[c->tally_count++] = key;
        c->slots[slot] = (uint32_t)c->tally_count;
    }
    t = &c->tallies[c->slots[slot] - 1];
    t->fitted += e->fitted && in_window(w, e->due);
    t->store += !e->fitted && in_window(w, e->due);
    t->overdue += e->fitted && e->due != NO_DAY && e->due < w->today;
    t->never_verified += e->fitted && e->due == NO_DAY;
    return ERR_OK;
}

/* ---- what the index does not know ---- */

/* Where it is fitted at the instant; 0: nowhere. */
static uint32_t point_of(struct counting *c, struct txn *t, uint32_t meter)
{
    struct fitting fitting;
    enum err err = fitting_at(t, false, meter, c->now_s, &fitting);

    if (err && err != ERR_NOT_FOUND && !t->err)
        t->err = err;
    return err ? 0 : fitting.point;
}

/* False: not wanted, or t->err. */
static bool place_ask(struct counting *c, struct txn *t, const struct entry *e, struct tally *out)
{
    const struct due_wish *w = c->wish;
    struct ledger_row row = { 0 };
    uint32_t point = e->fitted ? point_of(c, t, e->meter) : 0;
    struct span zone, route;
    enum err err = ERR_OK;

    if (point && !ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row))
        return false;
    zone = ledger_cell(&row, CELL_POINT_zone);
    route = ledger_cell(&row, CELL_POINT_route);
    if ((w->zone[0] && !span_equal(zone, span_text(w->zone))) ||
        (w->route[0] && !span_equal(route, span_text(w->route))))
        return false;
    if (w->by & DUE_BY_ZONE)
        err = name_number(c->names, zone, &out->zone);
    if (!err && w->by & DUE_BY_ROUTE)
        err = name_number(c->names, route, &out->route);
    if (err && !t->err)
        t->err = err;
    return !t->err;
}

static bool size_ask(struct counting *c, struct txn *t, const struct entry *e, struct scope *scope,
                     struct tally *out)
{
    const struct due_wish *w = c->wish;
    struct ledger_row row;
    int64_t dn;

    if (!w->dn_mm && !(w->by & DUE_BY_DN) && !w->org[0])
        return true;
    if (!ledger_by_id(t, LIST_METER, e->meter, INT64_MAX, &row))
        return false;
    if (text_int(ledger_cell(&row, CELL_METER_dn), &dn)) {
        t->err = ERR_CORRUPT;
        return false;
    }
    if (w->by & DUE_BY_DN)
        out->dn_mm = (int32_t)dn;
    return (!w->dn_mm || dn == w->dn_mm) && (!w->org[0] || scope_meter(scope, t, &row));
}

static enum err look_up(struct counting *c, size_t from, size_t to)
{
    const struct due_wish *w = c->wish;
    bool places = w->by & (DUE_BY_ZONE | DUE_BY_ROUTE) || w->zone[0] || w->route[0];
    struct txn t = ledger_read(c->app->ledger);
    struct scope scope = scope_of(w->org);
    enum err err = ERR_OK, ended;

    for (size_t i = from; i < to && !err && !t.err; i++) {
        const struct entry *e = &c->entries[i];
        struct tally key = { 0 };

        if (size_ask(c, &t, e, &scope, &key) && (!places || place_ask(c, &t, e, &key)))
            err = count_one(c, e, key);
    }
    ended = txn_end(&t);
    return err ? err : ended;
}

static int entry_order(const void *a, const void *b)
{
    const struct entry *x = (const struct entry *)a, *y = (const struct entry *)b;

    return (x->meter > y->meter) - (x->meter < y->meter);
}

/* In the order of ids, for rows lie so. */
static enum err look_all_up(struct counting *c)
{
    enum err err = ERR_OK;

    if (c->count)
        qsort(c->entries, c->count, sizeof *c->entries, entry_order);
    for (size_t from = 0; from < c->count && !err; from += SLICE_METERS) {
        err = look_up(c, from, c->count - from < SLICE_METERS ? c->count : from + SLICE_METERS);
        if (!err && c->app->stopping)
            err = ERR_STOPPING;
    }
    return err;
}

/* ---- the index ---- */

static enum err take(struct counting *c, const struct due_walk *w, bool fitted)
{
    struct entry e = { .meter = w->meter, .due = w->due, .fitted = fitted };
    size_t cap = c->cap ? 2 * c->cap : 4096;
    struct entry *more;

    if (!c->looks_up)
        return count_one(c, &e, (struct tally){ 0 });
    if (c->count == c->cap) {
        if (!(more = (struct entry *)realloc(c->entries, cap * sizeof *more)))
            return ERR_NO_MEMORY;
        c->entries = more;
        c->cap = cap;
    }
    c->entries[c->count++] = e;
    return ERR_OK;
}

static enum err walk(struct counting *c, enum due_place place, int32_t from_day, int32_t to_day,
                     bool unknown_too)
{
    uint8_t after[KEY_MAX];
    size_t after_len = 0;
    bool more = true;
    enum err err = ERR_OK, ended;

    while (more && !err) {
        struct txn t = ledger_read(c->app->ledger);
        struct due_walk w =
            lives_due(&t, place, from_day, to_day, unknown_too, span_of(after, after_len));
        unsigned n = 0;

        while (!err && n < SLICE_ENTRIES && (more = due_next(&w))) {
            err = take(c, &w, place == DUE_FITTED);
            if (++n == SLICE_ENTRIES) {
                after_len = w.cursor.len;
                memcpy(after, w.cursor.at, after_len);
            }
        }
        due_done(&w);
        ended = txn_end(&t);
        err = err ? err : ended;
        if (!err && c->app->stopping)
            err = ERR_STOPPING;
    }
    return err;
}

/* All that is over, then what of the window is not; those without a date. */
static enum err walk_all(struct counting *c)
{
    const struct due_wish *w = c->wish;
    int32_t from = w->from_day > w->today ? w->from_day : w->today;
    enum err err = ERR_OK;

    if (w->fitted)
        err = walk(c, DUE_FITTED, NO_DAY, w->today - 1, true);
    if (!err && w->fitted && from <= w->to_day)
        err = walk(c, DUE_FITTED, from, w->to_day, false);
    if (!err && w->store)
        err = walk(c, DUE_STORE, w->from_day, w->to_day, false);
    return err;
}

/* ---- groups ---- */

static int absent_last(const char *a, const char *b)
{
    return !*a || !*b ? !*a - !*b : strcmp(a, b);
}

int due_group_order(const struct due_group *a, const struct due_group *b)
{
    int order;

    if (a->month != b->month)
        return a->month == NO_DAY || (b->month != NO_DAY && a->month > b->month) ? 1 : -1;
    if ((order = absent_last(a->zone, b->zone)) || (order = absent_last(a->route, b->route)))
        return order;
    return (a->dn_mm > b->dn_mm) - (a->dn_mm < b->dn_mm);
}

static int order_of(const void *a, const void *b)
{
    return due_group_order((const struct due_group *)a, (const struct due_group *)b);
}

static enum err groups_make(struct counting *c, struct due_summary *out)
{
    out->groups = (struct due_group *)calloc(c->tally_count + 1, sizeof *out->groups);
    if (!out->groups)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < c->tally_count; i++) {
        const struct tally *t = &c->tallies[i];

        out->groups[out->count++] =
            (struct due_group){ .month = t->month,
                                .zone = t->zone ? c->names->at[t->zone - 1] : "",
                                .route = t->route ? c->names->at[t->route - 1] : "",
                                .dn_mm = t->dn_mm,
                                .fitted = t->fitted,
                                .store = t->store,
                                .overdue = t->overdue,
                                .never_verified = t->never_verified };
    }
    qsort(out->groups, out->count, sizeof *out->groups, order_of);
    return ERR_OK;
}

enum err due_summary_make(struct app *app, const struct due_wish *wish, int64_t now_s,
                          struct due_summary *out)
{
    struct counting c = { .app = app, .wish = wish, .now_s = now_s };
    enum err err;

    *out = (struct due_summary){ 0 };
    if (!(c.names = (struct due_names *)calloc(1, sizeof *c.names)))
        return ERR_NO_MEMORY;
    out->names = c.names;
    c.looks_up = (wish->by & ~(unsigned)DUE_BY_MONTH) || wish->dn_mm || wish->zone[0] ||
                 wish->route[0] || wish->org[0];
    if (!(err = walk_all(&c)) && !(err = look_all_up(&c)))
        err = groups_make(&c, out);
    free(c.entries);
    free(c.tallies);
    free(c.slots);
    return err;
}

void due_summary_done(struct due_summary *s)
{
    if (s->names) {
        free(s->names->at);
        free(s->names->slots);
    }
    free(s->names);
    free(s->groups);
    *s = (struct due_summary){ 0 };
}
