#include "server/routes.h"

#include "server/readings.h"

#include <stdlib.h>

#define NOON_S 43200
#define CELL_LEAST 3 /* meters of one cell on the route, before it is said to be out */
#define DAY_S 86400

/* ---- the day ---- */

/* The first instant of a civil day. */
static int64_t day_start(const struct zone *z, int64_t day)
{
    struct civil noon = day_civil(day * DAY_S + NOON_S);
    int64_t at_s;

    if (zone_utc(z, noon, &at_s)) /* a day without a noon */
        at_s = day * DAY_S + NOON_S - zone_offset(z, day * DAY_S + NOON_S);
    return zone_day_start(z, at_s);
}

struct route_day route_day_of(const struct app *app, const struct ledger_row *route, int32_t day)
{
    struct span text =
        CELL_ROUTE_days < route->count ? route->cells[CELL_ROUTE_days] : (struct span){ 0 };
    int64_t cut_s = day_start(&app->zone, day);
    struct route_day d = { .route = route->id,
                           .day = day,
                           .span = sheet_day_of(cut_s, day_start(&app->zone, day + 1)) };
    struct route_days days;

    d.due_known = route_days_read(text, &days) == ERR_OK;
    d.due = d.due_known && route_days_hold(&days, day);
    d.since_s =
        day_start(&app->zone, d.due_known ? route_days_before(&days, day) : (int64_t)day - 1);
    return d;
}

/* ---- points ---- */

void route_sheet_done(struct route_sheet *s)
{
    free(s->rows);
    out_done(&s->texts);
    *s = (struct route_sheet){ 0 };
}

static struct sheet_text keep(struct route_sheet *s, const struct ledger_row *row, unsigned place)
{
    struct span text = place < row->count ? row->cells[place] : (struct span){ 0 };
    struct sheet_text kept = { (uint32_t)s->texts.len, (uint32_t)text.len };

    if (text.len)
        out_bytes(&s->texts, text.at, text.len);
    return kept;
}

static enum err take_point(struct txn *t, struct route_sheet *s, uint32_t id)
{
    struct sheet_row *row = &s->rows[s->count];
    struct ledger_row point;

    if (!ledger_by_id(t, LIST_POINT, id, INT64_MAX, &point) || !point.count)
        return t->err ? t->err : ERR_CORRUPT;
    *row = (struct sheet_row){ .point = id, .seq = -1 };
    row->name = keep(s, &point, CELL_POINT_point);
    row->account = keep(s, &point, CELL_POINT_account);
    row->address = keep(s, &point, CELL_POINT_address);
    if (CELL_POINT_route_seq < point.count &&
        text_int(point.cells[CELL_POINT_route_seq], &row->seq))
        row->seq = -1;
    s->count++;
    return s->texts.err;
}

static enum err take_points(struct txn *t, struct span route, struct route_sheet *s)
{
    uint32_t *ids = NULL, *more;
    size_t cap = 1024, count = 0;
    enum err err = ERR_OK;

    do {
        cap *= 4;
        if (!(more = (uint32_t *)realloc(ids, cap * sizeof *ids)))
            err = ERR_NO_MEMORY;
        else
            ids = more;
    } while (!err && !(err = ledger_points_on(t, false, route, 0, ids, cap, &count)) &&
             count == cap && cap < SHEET_POINTS_MOST);
    if (!err && count > SHEET_POINTS_MOST)
        err = ERR_LIMIT;
    if (!err && count && !(s->rows = (struct sheet_row *)calloc(count, sizeof *s->rows)))
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < count && !err; i++)
        err = take_point(t, s, ids[i]);
    free(ids);
    return err;
}

/* ---- why nothing came ---- */

static enum err look_vitals(struct app *app, struct sheet_row *row)
{
    struct vitals v;
    enum err err;

    if (!row->meter)
        return ERR_OK;
    if (!(err = readings_vitals(app, &row->facts_meter, &v))) {
        row->cell = v.cell;
        if (v.arrival_s > row->facts.heard_at_s)
            row->facts.heard_at_s = v.arrival_s;
    }
    return err;
}

static bool is_silent(const struct sheet_row *row)
{
    return row->facts.heard_at_s < row->facts.day->from_s;
}

/* Of the route's meters in a cell most are silent: more than half, of three at least. */
static bool cell_is_out(const struct route_sheet *s, uint32_t cell)
{
    size_t all = 0, silent = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->rows[i].cell != cell)
            continue;
        all++;
        silent += is_silent(&s->rows[i]);
    }
    return all >= CELL_LEAST && silent * 2 > all;
}

static bool note_waiting(void *arg, const struct waiting *w)
{
    (void)w;
    *(bool *)arg = true;
    return false;
}

static enum err look_quarantine(struct app *app, struct txn *t, struct sheet_row *row)
{
    struct ledger_row meter;
    struct span radio = { 0 };
    enum err err;

    err = quarantine_each(app->quarantine, span_text(row->serial), 0, note_waiting,
                          &row->facts.waits);
    if (err || row->facts.waits)
        return err;
    if (!ledger_by_id(t, LIST_METER, row->meter, INT64_MAX, &meter))
        return t->err;
    if (CELL_METER_radio_id < meter.count)
        radio = meter.cells[CELL_METER_radio_id];
    return radio.len ? quarantine_each(app->quarantine, radio, 0, note_waiting, &row->facts.waits)
                     : ERR_OK;
}

static bool is_unread(const struct sheet_row *row)
{
    return row->meter && !row->facts.remote.known && row->facts.now_s >= row->facts.day->cut_s;
}

static enum err find_causes(struct app *app, struct txn *t, struct route_sheet *s)
{
    bool any = false;
    enum err err = ERR_OK;

    for (size_t i = 0; i < s->count; i++)
        any |= is_unread(&s->rows[i]);
    for (size_t i = 0; any && i < s->count && !err; i++)
        err = look_vitals(app, &s->rows[i]);
    for (size_t i = 0; any && i < s->count && !err; i++) {
        struct sheet_row *row = &s->rows[i];

        if (!is_unread(row))
            continue;
        if (quarantine_count(app->quarantine))
            err = look_quarantine(app, t, row);
        row->facts.outage = row->cell && is_silent(row) && cell_is_out(s, row->cell);
    }
    return err;
}

/* ---- all of it ---- */

enum err route_sheet_load(struct app *app, struct txn *t, struct span route,
                          const struct route_day *day, int64_t now_s, struct route_sheet *out)
{
    enum err err;

    *out = (struct route_sheet){ .day = *day };
    err = take_points(t, route, out);
    for (size_t i = 0; i < out->count && !err; i++)
        err = sheet_point_load(app, t, &out->day, now_s, &out->rows[i]);
    if (!err)
        err = find_causes(app, t, out);
    for (size_t i = 0; i < out->count && !err; i++)
        out->rows[i].state = sheet_judge(&out->rows[i].facts, &out->rows[i].reason);
    return err;
}
