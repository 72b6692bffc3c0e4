#include "server/houses.h"

#include "server/accounts.h"
#include "server/points.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdlib.h>

#define KEPT 32           /* houses: neighbours are judged together */
#define FINDINGS_MOST 128 /* of a house */
#define YEAR_WEEKS 52
#define DAY_S 86400

struct houses {
    struct app *app;
    int64_t now_s;
    unsigned count, next;
    struct kept {
        uint32_t point;
        struct house_findings found;
    } kept[KEPT];
};

/* One that is being looked at. */
struct looking {
    struct houses *of;
    struct txn *ledger;
    int64_t from_s; /* a Monday's midnight */
    unsigned weeks;
    struct fitting building;
    struct span_of_column {
        struct house_column column;
        int64_t from_s, to_s;
    } spans[BALANCE_CHILDREN_MOST];
    unsigned count;
    struct balance *balance;
    struct swapped *hands;
    struct rows rows;
};

enum err houses_open(struct app *app, int64_t now_s, struct houses **out)
{
    struct houses *h = (struct houses *)calloc(1, sizeof *h);

    if (!h)
        return ERR_NO_MEMORY;
    h->app = app;
    h->now_s = now_s;
    *out = h;
    return ERR_OK;
}

static void found_done(struct house_findings *f)
{
    free(f->columns);
    free(f->slow);
    free(f->swapped);
    *f = (struct house_findings){ 0 };
}

void houses_close(struct houses *h)
{
    if (!h)
        return;
    for (unsigned i = 0; i < h->count; i++)
        found_done(&h->kept[i].found);
    free(h);
}

/* ---- weeks ---- */

/* The midnight that begins the week of an instant; by noons, which no clock of any zone moves to another day. */
static int64_t monday_of(const struct zone *z, int64_t at_s)
{
    int64_t day = zone_day_number(z, at_s), back = (day + 3) % 7; /* day 0 was a Thursday */

    return zone_day_start(z, zone_day_start(z, at_s) + DAY_S / 2 - back * DAY_S);
}

static int64_t last_week_end(const struct app *app, int64_t now_s)
{
    return monday_of(&app->zone, now_s - HOUSE_LATE_S);
}

/* False: not a week is over yet. */
static bool weeks_of(struct looking *k)
{
    int64_t end_s = last_week_end(k->of->app, k->of->now_s);
    int64_t first_s = monday_of(&k->of->app->zone, k->building.from_s), weeks;

    if (k->building.from_s > first_s)
        first_s = monday_of(&k->of->app->zone, first_s + 8 * DAY_S);
    weeks = (end_s - first_s + DAY_S / 2) / (7 * DAY_S); /* some have an hour more or less */
    if (weeks > BALANCE_WEEKS_MOST - 1) {
        int64_t years = (weeks - BALANCE_WEEKS_MOST + YEAR_WEEKS) / YEAR_WEEKS;

        first_s = monday_of(&k->of->app->zone, first_s + years * YEAR_WEEKS * 7 * DAY_S + DAY_S);
        weeks -= years * YEAR_WEEKS;
    }
    k->from_s = first_s;
    k->weeks = weeks > 1 ? (unsigned)weeks : 0;
    return k->weeks > 0;
}

/* ---- its meters ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Fittings of a point while it stood behind the building's, that touch the weeks. LIMIT: there is no room. */
static enum err take_stay(struct looking *k, const struct account_stay *stay)
{
    int64_t until_s = k->from_s + (int64_t)k->weeks * 7 * DAY_S;
    struct fittings all;
    enum err err = fittings_load(k->ledger, true, stay->point, &all);

    for (size_t i = 0; i < all.count && !err; i++) {
        const struct fitting *f = &all.at[i];
        int64_t from_s = later(f->from_s, stay->from_s), to_s = earlier(f->to_s, stay->to_s);

        if (from_s >= until_s || to_s <= k->from_s || from_s >= to_s)
            continue;
        if (k->count == BALANCE_CHILDREN_MOST)
            err = ERR_LIMIT;
        else
            k->spans[k->count++] =
                (struct span_of_column){ { f->meter, stay->point, f->from_s }, from_s, to_s };
    }
    fittings_done(&all);
    return err ? err : k->ledger->err;
}

static enum err take_meters(struct looking *k, struct span point)
{
    struct account_stays stays = { 0 };
    enum err err = behind_stays_load(k->ledger, point, &stays);

    for (size_t i = 0; i < stays.count && !err; i++)
        err = take_stay(k, &stays.at[i]);
    account_stays_done(&stays);
    return err;
}

/* ---- readings ---- */

/* What the meter itself sent, of one instant the first. `column` 0: the building's. */
static enum err take_readings(struct looking *k, uint32_t meter, unsigned column, int64_t from_s,
                              int64_t to_s)
{
    int64_t until_s = k->from_s + (int64_t)k->weeks * 7 * DAY_S + DAY_S;
    struct track track = { 0 };
    struct judge_step steps[2];
    struct meter_facts m;
    uint32_t last_s = 0;
    enum err err = meter_facts_by_id(k->ledger, meter, &m);

    from_s = later(from_s, k->from_s - DAY_S);
    if (err ||
        (err = readings_load(k->of->app, &m, meter_billed_channel(&m), later(from_s, 0),
                             earlier(to_s < INT64_MAX ? to_s + 1 : to_s, until_s), &k->rows)))
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    for (size_t i = 0; i < k->rows.count; i++) {
        const struct row *row = &k->rows.at[i];
        unsigned count;

        if ((row->attr & ATTR_SOURCE) != SOURCE_REMOTE || row->attr & ATTR_FUTURE ||
            (last_s && row->time_s == last_s))
            continue;
        last_s = row->time_s;
        count = track_feed(&track, &m, m.form == REGISTER_NET, row, steps);
        for (unsigned n = 0; n < count; n++) {
            balance_take(k->balance, column, &m, &steps[n]);
            if (column)
                swapped_take(k->hands, column - 1, &steps[n]);
        }
    }
    return ERR_OK;
}

static enum err take_all(struct looking *k)
{
    enum err err = balance_new(k->from_s + BALANCE_FROM_S, k->weeks, k->count, &k->balance);

    if (!err)
        err = swapped_new(k->from_s, k->weeks, k->count, &k->hands);
    if (!err)
        err = take_readings(k, k->building.meter, 0, k->building.from_s, k->building.to_s);
    for (unsigned i = 0; i < k->count && !err; i++) {
        const struct span_of_column *c = &k->spans[i];

        balance_fitted(k->balance, i + 1, c->from_s, c->to_s);
        err = take_readings(k, c->column.meter, i + 1, c->from_s, c->to_s);
    }
    return err;
}

/* ---- findings ---- */

static enum err judge(struct looking *k, struct house_findings *out)
{
    int64_t until_s = k->from_s + (int64_t)k->weeks * 7 * DAY_S + BALANCE_FROM_S;
    enum err err;

    *out = (struct house_findings){
        .columns = (struct house_column *)calloc(k->count, sizeof *out->columns),
        .column_count = k->count,
        .slow = (struct balance_finding *)calloc(FINDINGS_MOST, sizeof *out->slow),
        .swapped = (struct swapped_finding *)calloc(FINDINGS_MOST, sizeof *out->swapped)
    };
    if (!out->columns || !out->slow || !out->swapped)
        return ERR_NO_MEMORY;
    for (unsigned i = 0; i < k->count; i++)
        out->columns[i] = k->spans[i].column;
    err = balance_find(k->balance, &balance_usual, until_s, out->slow, FINDINGS_MOST,
                       &out->slow_count);
    if (!err)
        err = swapped_find(k->hands, &swapped_usual, until_s, out->swapped, FINDINGS_MOST,
                           &out->swapped_count);
    out->building = err ? 0 : k->building.meter;
    return err;
}

/* The house of a point that others stand behind; no building: there is nothing to be said of it. */
static enum err look(struct houses *h, struct txn *ledger, struct span name, uint32_t point,
                     struct house_findings *out)
{
    struct looking *k = (struct looking *)calloc(1, sizeof *k);
    enum err err = k ? ERR_OK : ERR_NO_MEMORY;

    if (err)
        return err;
    k->of = h;
    k->ledger = ledger;
    err = fitting_at(ledger, true, point, h->now_s, &k->building);
    if (!err && weeks_of(k) && !(err = take_meters(k, name)) && k->count >= HOUSE_LEAST &&
        !(err = take_all(k)))
        err = judge(k, out);
    balance_free(k->balance);
    swapped_free(k->hands);
    rows_done(&k->rows);
    free(k);
    return err == ERR_NOT_FOUND || err == ERR_LIMIT ? ledger->err : err;
}

/* ---- which house ---- */

/* The point before it, else itself where others stand behind it; false: neither. `out_name` is a view. */
static bool house_of(struct txn *t, uint32_t point, struct span *out_name, uint32_t *out_point)
{
    struct ledger_row row;
    struct cells cells;
    struct index_walk w;
    bool some;

    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row))
        return false;
    cells = cells_of(&row);
    if (cells.at[CELL_POINT_behind].len) {
        if (!ledger_find(t, LIST_POINT, cells.at[CELL_POINT_behind], INT64_MAX, &row))
            return false;
        *out_name = cells_of(&row).at[CELL_POINT_point];
        *out_point = row.id;
        return true;
    }
    w = points_behind(t, cells.at[CELL_POINT_point], false);
    some = index_next(&w);
    index_done(&w);
    *out_name = cells.at[CELL_POINT_point];
    *out_point = point;
    return some;
}

enum err houses_find(struct houses *h, struct txn *ledger, uint32_t point,
                     const struct house_findings **out)
{
    struct house_findings found = { 0 };
    struct kept *k;
    struct span name;
    uint32_t house;
    enum err err;

    *out = NULL;
    if (!house_of(ledger, point, &name, &house))
        return ledger->err;
    for (unsigned i = 0; i < h->count; i++)
        if (h->kept[i].point == house) {
            *out = &h->kept[i].found;
            return ERR_OK;
        }
    if ((err = look(h, ledger, name, house, &found))) {
        found_done(&found);
        return err;
    }
    k = &h->kept[h->next++ % KEPT];
    if (h->count < KEPT)
        h->count++;
    else
        found_done(&k->found);
    *k = (struct kept){ house, found };
    *out = &k->found;
    return ERR_OK;
}

/* ---- who is to be looked at ---- */

/* All meters that are fitted at the points of this walk. */
static enum err touch_points(struct txn *t, struct index_walk w, struct news *touched)
{
    enum err err = ERR_OK;

    while (!err && index_next(&w)) {
        struct fittings all;

        err = fittings_load(t, true, w.value, &all);
        for (size_t i = 0; i < all.count && !err; i++)
            err = news_push_of(touched, all.at[i].meter, NEWS_HOUSE);
        fittings_done(&all);
    }
    index_done(&w);
    return err ? err : t->err;
}

/* Something came of a meter that belongs to a week that was judged: its houses, as numbers of points. */
static enum err note_houses_of(struct txn *t, uint32_t meter, struct news *houses)
{
    struct fittings all;
    struct span name;
    uint32_t house;
    enum err err = fittings_load(t, false, meter, &all);

    for (size_t i = 0; i < all.count && !err; i++)
        if (house_of(t, all.at[i].point, &name, &house))
            err = news_push(houses, house, 0);
    fittings_done(&all);
    return err ? err : t->err;
}

/* Each house once, however many of its meters bring something: else a year of history for all meters behind a zone's would grow with their square. */
static enum err touch_late(struct txn *t, int64_t week_s, struct news *touched)
{
    struct news houses = { 0 };
    enum err err = ERR_OK;

    for (size_t i = 0; i < touched->count && !err; i++)
        if (touched->at[i].first_s < week_s)
            err = note_houses_of(t, touched->at[i].meter, &houses);
    news_sort(&houses);
    for (size_t i = 0; i < houses.count && !err; i++) {
        struct ledger_row row;

        if (ledger_by_id(t, LIST_POINT, houses.at[i].meter, INT64_MAX, &row))
            err = touch_points(t, points_behind(t, cells_of(&row).at[CELL_POINT_point], false),
                               touched);
    }
    free(houses.at);
    return err ? err : t->err;
}

enum err houses_touch(struct app *app, int64_t now_s, int64_t *seen_week, struct news *touched)
{
    int64_t week_s = last_week_end(app, now_s);
    struct txn t = ledger_read(app->ledger);
    struct index_walk any = points_behind_any(&t);
    bool houses = index_next(&any);
    enum err err = ERR_OK, ended;

    index_done(&any);
    if (houses && *seen_week != week_s)
        err = touch_points(&t, points_behind_any(&t), touched);
    else if (houses)
        err = touch_late(&t, week_s, touched);
    ended = txn_end(&t);
    if (!err && !(err = ended))
        *seen_week = week_s;
    return err;
}
