#include "server/condition_list.h"

#include "server/judge_condition.h"
#include "server/prices.h"

#include <stdlib.h>

#define SLICE_HINTS 65536
#define SLICE_METERS 4096

struct listing_up {
    struct app *app;
    const struct condition_wish *wish;
    struct fleet_rules rules;
    int64_t now_s;
    uint32_t *meters; /* candidates */
    size_t meter_count, meter_cap;
    struct condition_row *rows;
    size_t count, cap;
    enum err err;
};

static bool room(struct listing_up *l, void **at, size_t count, size_t *cap, size_t size)
{
    size_t more = *cap ? 2 * *cap : 256;
    void *grown;

    if (count < *cap)
        return true;
    if (!(grown = realloc(*at, more * size))) {
        l->err = ERR_NO_MEMORY;
        return false;
    }
    *at = grown;
    *cap = more;
    return true;
}

/* ---- candidates ---- */

static bool take_meter(struct listing_up *l, uint32_t meter)
{
    if (!room(l, (void **)&l->meters, l->meter_count, &l->meter_cap, sizeof *l->meters))
        return false;
    l->meters[l->meter_count++] = meter;
    return true;
}

/* A hint lies less than a step beside the date. */
static bool hint_fits(const struct condition_wish *w, int32_t due)
{
    return due != NO_DAY && (int64_t)due >= (int64_t)w->from_day - CONDITION_STEP_DAYS &&
           (int64_t)due <= (int64_t)w->to_day + CONDITION_STEP_DAYS;
}

/* A slice of hints; *from becomes the meter behind it. False: there are no more, or l->err. */
static bool hints_take(struct listing_up *l, uint32_t *from)
{
    struct txn t = views_read(l->app->views);
    struct key kept;
    struct scan s = views_conditions(&t, &kept, *from);
    unsigned n = 0;
    bool more = false;
    enum err ended;

    while (!l->err && n < SLICE_HINTS && (more = scan_next(&s))) {
        uint32_t meter = condition_meter(s.key);
        int32_t due;

        n++;
        *from = meter + 1;
        if (!condition_read(s.value, &due, NULL))
            l->err = ERR_CORRUPT;
        else if (hint_fits(l->wish, due))
            (void)take_meter(l, meter);
    }
    scan_done(&s);
    ended = txn_end(&t);
    l->err = l->err ? l->err : ended;
    if (!l->err && l->app->stopping)
        l->err = ERR_STOPPING;
    return more && !l->err;
}

/* A flag's id begins with its meter's, as 8 hex digits. */
static bool confirmed_take(void *arg, struct span id, uint8_t state)
{
    struct listing_up *l = (struct listing_up *)arg;
    char digits[9] = "";

    if (state != 1 || id.len < 8)
        return true;
    memcpy(digits, id.at, 8);
    return take_meter(l, (uint32_t)strtoul(digits, NULL, 16));
}

static enum err confirmed_find(struct listing_up *l)
{
    struct txn t = ledger_read(l->app->ledger);
    enum err err = ledger_flag_decisions(&t, confirmed_take, l), ended = txn_end(&t);

    return err ? err : ended;
}

static int meter_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static enum err candidates_find(struct listing_up *l)
{
    uint32_t from = 0;
    size_t kept = 0;
    enum err err;

    while (hints_take(l, &from))
        continue;
    if (l->err || (err = confirmed_find(l)))
        return l->err ? l->err : err;
    if (l->meter_count)
        qsort(l->meters, l->meter_count, sizeof *l->meters, meter_order);
    for (size_t i = 0; i < l->meter_count; i++)
        if (!kept || l->meters[kept - 1] != l->meters[i])
            l->meters[kept++] = l->meters[i];
    l->meter_count = kept;
    return l->err;
}

/* ---- what is so ---- */

static bool cell_is(const struct ledger_row *row, unsigned cell, const char *wanted)
{
    return !*wanted || (cell < row->count && span_equal(row->cells[cell], span_text(wanted)));
}

static bool place_is(const struct condition_wish *w, struct txn *t, uint32_t point)
{
    struct ledger_row row;

    return (!w->zone[0] && !w->route[0]) ||
           (ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row) &&
            cell_is(&row, CELL_POINT_zone, w->zone) && cell_is(&row, CELL_POINT_route, w->route));
}

static enum err look(struct listing_up *l, struct txn *ledger, struct txn *views, uint32_t meter)
{
    const struct condition_wish *w = l->wish;
    struct meter_life of = { 0 };
    struct condition c = { .due = NO_DAY };
    struct life now;
    enum err err = life_load(l->app, ledger, meter, &of);

    if (!err && (!w->dn_mm || of.facts.dn_mm == w->dn_mm)) {
        life_fold(&of.rules, of.events, of.count, l->now_s, INT64_MAX, &now);
        err = condition_now(l->app, &l->rules, ledger, views, &of, &now, l->now_s, &c);
        if (!err && c.due != NO_DAY && c.due >= w->from_day && c.due <= w->to_day &&
            place_is(w, ledger, now.point) &&
            room(l, (void **)&l->rows, l->count, &l->cap, sizeof *l->rows)) {
            struct condition_row row = { .due = c.due, .meter = meter };

            memcpy(row.serial, of.facts.serial, sizeof row.serial);
            l->rows[l->count++] = row;
        }
    }
    life_done(&of);
    if (!err && l->count > CONDITION_LIST_MAX)
        err = ERR_LIMIT;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err look_slice(struct listing_up *l, size_t from, size_t to)
{
    struct txn views = views_read(l->app->views), ledger = ledger_read(l->app->ledger);
    enum err err = ERR_OK, ended;

    for (size_t i = from; i < to && !err && !l->err; i++)
        err = look(l, &ledger, &views, l->meters[i]);
    ended = txn_end(&ledger);
    err = err ? err : ended;
    ended = txn_end(&views);
    err = err ? err : ended;
    if (!err && l->app->stopping)
        err = ERR_STOPPING;
    return err ? err : l->err;
}

int condition_row_order(const struct condition_row *a, const struct condition_row *b)
{
    if (a->due != b->due)
        return a->due < b->due ? -1 : 1;
    return strcmp(a->serial, b->serial);
}

static int order_of(const void *a, const void *b)
{
    return condition_row_order((const struct condition_row *)a, (const struct condition_row *)b);
}

enum err condition_list(struct app *app, const struct condition_wish *wish,
                        struct condition_row **out, size_t *out_count)
{
    struct listing_up l = { .app = app, .wish = wish, .now_s = clock_now_s(&app->clock) };
    struct txn t = ledger_read(app->ledger);
    enum err err = fleet_rules_now(app, &t, &l.rules), ended = txn_end(&t);

    err = err ? err : ended;
    if (!err)
        err = candidates_find(&l);
    for (size_t from = 0; from < l.meter_count && !err; from += SLICE_METERS)
        err = look_slice(&l, from,
                         l.meter_count - from < SLICE_METERS ? l.meter_count : from + SLICE_METERS);
    free(l.meters);
    if (err) {
        free(l.rows);
        return err;
    }
    if (l.count)
        qsort(l.rows, l.count, sizeof *l.rows, order_of);
    *out = l.rows;
    *out_count = l.count;
    return ERR_OK;
}
