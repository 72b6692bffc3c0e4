#include "server/routes.h"
#include "server/check_rules.h"
#include "server/readings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define NOON_S 43200
#define CELL_LEAST 3 /* meters of one cell on the route, before it is said to be out */
#define DAY_S 86400
#define SLICE 16 /* points that a thread takes at once */
#define ALONE 64 /* points for which no thread is worth its start */
#define HELPERS_MOST 3

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

struct signed_points {
    uint32_t *ids;
    size_t count, most;
    enum err err;
};

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static bool count_line(void *arg, const struct route_place *at, struct span bytes)
{
    (void)at;
    (void)bytes;
    ++*(size_t *)arg;
    return true;
}

static bool take_line(void *arg, const struct route_place *at, struct span bytes)
{
    struct signed_points *p = (struct signed_points *)arg;

    (void)bytes;
    p->ids[p->count++] = at->point;
    return p->count < p->most;
}

/* Points that were signed on this day and stand on the route no more: rows after `count` of ids, which stay as they are. */
static enum err add_signed(struct txn *t, const struct route_day *day, uint32_t **ids,
                           size_t *count)
{
    struct signed_points p = { 0 };
    uint32_t *sorted, *more;
    size_t lines = 0, on = *count;
    enum err err = ledger_route_facts(t, ROUTE_LINE, day->route, day->day, count_line, &lines);

    if (err || !lines)
        return err;
    sorted = (uint32_t *)malloc((on + lines) * sizeof *sorted);
    more = (uint32_t *)realloc(*ids, (on + lines) * sizeof *more);
    *ids = more ? more : *ids;
    if (!sorted || !more) {
        free(sorted);
        return ERR_NO_MEMORY;
    }
    if (on)
        memcpy(sorted, *ids, on * sizeof *sorted);
    qsort(sorted, on, sizeof *sorted, by_id);
    p = (struct signed_points){ .ids = sorted + on, .most = lines };
    err = ledger_route_facts(t, ROUTE_LINE, day->route, day->day, take_line, &p);
    for (size_t i = 0; i < p.count; i++)
        if (!bsearch(&p.ids[i], sorted, on, sizeof *sorted, by_id))
            (*ids)[(*count)++] = p.ids[i];
    free(sorted);
    return err;
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
    if (!err)
        err = add_signed(t, &s->day, &ids, &count);
    if (!err && count && !(s->rows = (struct sheet_row *)calloc(count, sizeof *s->rows)))
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < count && !err; i++)
        err = take_point(t, s, ids[i]);
    free(ids);
    return err;
}

/* ---- all points, on all cores ---- */

struct load {
    struct app *app;
    struct route_sheet *sheet;
    struct sheet_instants instants;
    int64_t now_s;
    _Atomic size_t next;
    _Atomic int err;
};

/* With a transaction of its own: points do not depend on each other. */
static void *load_slices(void *arg)
{
    struct load *l = (struct load *)arg;
    struct txn t = ledger_read(l->app->ledger);
    enum err err = t.err;

    while (!err && !atomic_load(&l->err)) {
        size_t at = atomic_fetch_add(&l->next, SLICE), end = at + SLICE;

        if (at >= l->sheet->count)
            break;
        for (; at < end && at < l->sheet->count && !err; at++)
            err = sheet_point_load(l->app, &t, &l->sheet->day, &l->instants, l->now_s,
                                   &l->sheet->rows[at]);
    }
    txn_abort(&t);
    if (err)
        atomic_store(&l->err, (int)err);
    return NULL;
}

static enum err load_points(struct app *app, int64_t now_s, struct route_sheet *s)
{
    struct load l = { .app = app, .sheet = s, .now_s = now_s };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t helpers[HELPERS_MOST];
    size_t helped = 0;

    sheet_instants_of(app, &s->day, &l.instants);
    while (helped < HELPERS_MOST && (long)helped + 1 < cores && (helped + 1) * ALONE < s->count &&
           !pthread_create(&helpers[helped], NULL, load_slices, &l))
        helped++;
    load_slices(&l);
    while (helped)
        pthread_join(helpers[--helped], NULL);
    return (enum err)atomic_load(&l.err);
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
        row->facts.gateway = row->cell & CELL_GATEWAY;
        row->facts.outage = row->cell && is_silent(row) && cell_is_out(s, row->cell);
    }
    return err;
}

/* ---- what was decided ---- */

struct route_line sheet_line(const struct sheet_row *row, struct span remark)
{
    struct route_line line = { .state = row->judged,
                               .reason = row->judged_reason,
                               .remote = row->facts.remote,
                               .manual = row->facts.manual,
                               .use_known = row->use_known,
                               .use_ml = row->use_ml,
                               .told_of = row->facts.checks,
                               .serial = span_text(row->serial),
                               .remark = remark };

    memcpy(line.told, row->told, sizeof line.told);
    return line;
}

static void put_read(struct out *o, const char *litres, const char *at, const struct sheet_read *r)
{
    if (r->known) {
        out_member_litres(o, litres, r->dial_ml);
        out_member_time(o, at, r->at_s);
    } else {
        out_member_null(o, litres);
        out_member_null(o, at);
    }
}

void route_line_put(struct out *o, struct span point, const struct route_line *line)
{
    out_member_span(o, "point", point);
    out_member_span(o, "serial", line->serial);
    put_read(o, "remote_l", "remote_at", &line->remote);
    put_read(o, "manual_l", "manual_at", &line->manual);
    if (line->use_known)
        out_member_litres(o, "use_l", line->use_ml);
    else
        out_member_null(o, "use_l");
    if (line->told_of) {
        out_key(o, "check_inputs");
        rules_put_told(o, line->told_of, line->told_of, line->told);
    }
    out_member_text(o, "state", sheet_state_name(line->state));
    out_member_text(o, "reason", sheet_reason_name(line->reason));
    out_member_span(o, "remark", line->remark);
}

static bool same_read(const struct sheet_read *a, const struct sheet_read *b)
{
    return a->known == b->known && (!a->known || (a->at_s == b->at_s && a->dial_ml == b->dial_ml));
}

static bool same_figures(const struct route_line *a, const struct route_line *b)
{
    return same_read(&a->remote, &b->remote) && same_read(&a->manual, &b->manual) &&
           a->use_known == b->use_known && (!a->use_known || a->use_ml == b->use_ml) &&
           span_equal(a->serial, b->serial);
}

static struct sheet_text keep_bytes(struct route_sheet *s, struct span bytes)
{
    struct sheet_text kept = { (uint32_t)s->texts.len, (uint32_t)bytes.len };

    out_bytes(&s->texts, bytes.at, bytes.len);
    return kept;
}

/* The facts' bytes first: texts move as they grow. */
static enum err keep_decided(struct txn *t, struct route_sheet *s)
{
    struct route_place at = { s->day.route, 0, s->day.day };
    struct span bytes;

    if ((s->is_signed = ledger_route_fact(t, ROUTE_SIGNED, &at, &bytes)))
        s->signature_bytes = keep_bytes(s, bytes);
    for (size_t i = 0; i < s->count && !t->err; i++) {
        struct sheet_row *row = &s->rows[i];

        at.point = row->point;
        if ((row->is_signed = ledger_route_fact(t, ROUTE_LINE, &at, &bytes)))
            row->line_bytes = keep_bytes(s, bytes);
        if ((row->has_dispute = ledger_route_fact(t, ROUTE_DISPUTE, &at, &bytes)))
            row->dispute_bytes = keep_bytes(s, bytes);
    }
    return t->err ? t->err : s->texts.err;
}

static enum err read_decided(const struct route_sheet *s, struct sheet_row *row)
{
    struct route_line now = sheet_line(row, (struct span){ 0 });
    enum err err = ERR_OK;

    if (row->is_signed) {
        err = route_line_read(sheet_span(s, row->line_bytes), &row->line);
        row->changed = !err && !same_figures(&row->line, &now);
        row->state = SHEET_SIGNED;
        row->reason = row->line.reason;
    }
    if (!err && row->has_dispute)
        err = route_dispute_read(sheet_span(s, row->dispute_bytes), &row->dispute);
    if (!err && sheet_is_disputed(row))
        row->state = SHEET_DISPUTED;
    return err;
}

/* ---- all of it ---- */

enum err route_sheet_load(struct app *app, struct txn *t, struct span route,
                          const struct route_day *day, int64_t now_s, struct route_sheet *out)
{
    enum err err;

    *out = (struct route_sheet){ .day = *day };
    err = take_points(t, route, out);
    if (!err)
        err = load_points(app, now_s, out);
    if (!err)
        err = find_causes(app, t, out);
    if (!err)
        err = keep_decided(t, out);
    if (!err && out->is_signed)
        err = route_signed_read(sheet_span(out, out->signature_bytes), &out->signature);
    for (size_t i = 0; i < out->count && !err; i++) {
        struct sheet_row *row = &out->rows[i];

        row->state = row->judged = sheet_judge(&row->facts, &row->judged_reason);
        row->reason = row->judged_reason;
        err = read_decided(out, row);
    }
    return err;
}
