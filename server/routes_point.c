/* One point of a day sheet: which meter, what it said and what a person read, what went through.
 *
 * Verdicts and checks follow from a meter's whole life (rules-bills B13), which is years of hours.  For a sheet
 * 62 days before the span are read with their verdicts (server/billing/verdicts.h), and a fitting that begins
 * earlier is cut there: from the first reading that takes part its register is counted as it would be from the
 * fitting's start.  That gives the same litres where the register only rises and stands within two hours of each
 * civil day's end (rules-bills C2, C3); the other readings of a day are then left out, 24 hours in 26.  Where it
 * is otherwise (gaps, re-bases, silence, `net`) the whole fitting is read.  So it is where a person edited the dial,
 * for what is used goes by that, while what was read does not. */
#include "server/billing/verdicts.h"
#include "server/check_rules.h"
#include "server/dials.h"
#include "server/point_use.h"
#include "server/readings.h"
#include "server/routes.h"

#include <stdlib.h>

#define DAY_S 86400
#define BEFORE_S (62 * DAY_S) /* rules-bills E3: 60 civil days before the row */
#define BEHIND_S (2 * DAY_S)  /* C2: a neighbour within 36 h makes an end actual */
#define PACE_S (28 * DAY_S)
#define NEAR_S 7200
#define SLACK_S                                                                                    \
    (46 * 3600) /* of the 62 days: 60 civil days have an hour more at most, and begin within one */

/* ---- rows ---- */

struct billed_rows {
    struct app *app;
    const struct meter_facts *meter;
};

static enum err load(void *arg, int64_t from_s, int64_t to_s, struct rows *out)
{
    const struct billed_rows *s = (const struct billed_rows *)arg;

    return readings_load(s->app, s->meter, meter_billed_channel(s->meter), from_s, to_s, out);
}

static enum err below_zero(void *arg, bool *out_below)
{
    const struct billed_rows *s = (const struct billed_rows *)arg;

    return readings_below_zero(s->app, s->meter, out_below);
}

enum err sheet_rows_load(struct app *app, const struct meter_facts *m,
                         const struct fittings *of_meter, int64_t from_s, int64_t to_s,
                         struct rows *out, enum rule **rules)
{
    struct billed_rows s = { app, m };
    struct row_source source = { load, below_zero, &s };

    return verdicts_load(&source, m, of_meter->at, of_meter->count, meter_billed_channel(m),
                         from_s < 0 ? 0 : from_s, to_s, out, rules);
}

/* ---- fittings ---- */

/* One of the point's fittings with what was read under it. */
struct part_of_sheet {
    struct meter_facts meter;
    struct rows rows; /* all */
    enum rule *rules;
    struct rows
        used; /* those that take part, within the fitting as it is cut; all of it and its edits, where there are any */
};

struct point_sheet {
    struct app *app;
    struct txn *txn;
    const struct route_day *day;
    const struct sheet_instants *instants;
    int64_t from_s, to_s; /* of what is loaded */
    size_t count;
    struct part_of_sheet *parts;
    struct consume_fitting *fittings;
    int main;                 /* the fitting that the sheet is about; -1: none */
    struct rules_held *rules; /* by which the use is checked */
    enum use_class use;
    size_t edit_count;
    struct edit_mark *edits; /* in force at the point */
    enum err edits_err;
};

static void point_sheet_done(struct point_sheet *p)
{
    for (size_t i = 0; i < p->count; i++) {
        rows_done(&p->parts[i].rows);
        rows_done(&p->parts[i].used);
        free(p->parts[i].rules);
    }
    free(p->parts);
    free(p->fittings);
    free(p->edits);
    rules_give(p->rules);
}

/* What takes part under the fitting, which is cut where the rows begin if it began before. */
static enum err take_used(struct part_of_sheet *part, int64_t from_s, struct fitting *f)
{
    const struct row *rows = part->rows.at;
    int64_t first_s = from_s > f->from_s ? from_s : f->from_s, to_s = f->to_s;
    bool begun = f->from_s >= from_s;
    size_t kept = 0;
    enum err err;

    part->used.count = 0;
    if ((err = rows_reserve(&part->used, part->rows.count)))
        return err;
    for (size_t i = 0; i < part->rows.count; i++) {
        if (part->rules[i] || rows[i].time_s < first_s || rows[i].time_s > to_s)
            continue;
        if (begun) {
            part->used.at[kept++] = rows[i];
            continue;
        }
        f->from_s = rows[i].time_s;
        f->start_ml = rows[i].value;
        begun = true;
    }
    part->used.count = kept;
    return ERR_OK;
}

/* ---- what civil days need ---- */

static int64_t loaded_from_s(const struct route_day *day)
{
    return (day->since_s < day->span.from_s ? day->since_s : day->span.from_s) - BEFORE_S;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

void sheet_instants_of(const struct app *app, const struct route_day *day,
                       struct sheet_instants *out)
{
    int64_t cut_s = day->span.cut_s, at_s = zone_day_next(&app->zone, loaded_from_s(day));

    out->count = 0;
    out->at[out->count++] = cut_s - PACE_S;
    for (; at_s <= cut_s && out->count < SHEET_INSTANTS_MOST - 1;
         at_s = zone_day_next(&app->zone, at_s))
        out->at[out->count++] = at_s;
    out->fit = at_s > cut_s;
    qsort(out->at, out->count, sizeof *out->at, by_time);
}

/* For how long nothing may go through before the cut (rules-bills E4). */
static int64_t still_s(const struct point_sheet *p, const struct meter_facts *m)
{
    int64_t day = zone_day_number(&p->app->zone, p->day->since_s);

    return DAY_S * check_line_for(rules_of(p->rules), CHECK_ZERO, day, p->use, m->dn_mm)->value[0];
}

/* With so long before the cut as the rules look back. False: too many. */
static bool instants_of(const struct point_sheet *p, const struct meter_facts *m,
                        struct sheet_instants *out)
{
    int64_t still = p->day->span.cut_s - still_s(p, m);
    size_t n = p->instants->count;

    if (!p->instants->fit)
        return false;
    memcpy(out->at, p->instants->at, n * sizeof *out->at);
    for (; n > 0 && out->at[n - 1] > still; n--)
        out->at[n] = out->at[n - 1];
    out->at[n] = still;
    out->count = p->instants->count + 1;
    return true;
}

static bool only_rises(const struct row *rows, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (rows[i].value < rows[i - 1].value || rows[i].time_s <= rows[i - 1].time_s)
            return false;
    return true;
}

/* Whether the register is known at each instant by a reading within two hours; keep[i]: row i is a neighbour of one. Instants before the first row follow from it. */
static bool is_known_at(const struct sheet_instants *at, const struct row *rows, bool *keep)
{
    size_t next = 0;

    keep[0] = true;
    for (size_t i = 0; i < at->count; i++) {
        if (rows[0].time_s > at->at[i])
            continue;
        while (rows[next].time_s < at->at[i])
            next++;
        keep[next] = true;
        if (rows[next].time_s == at->at[i])
            continue;
        keep[next - 1] = true;
        if (rows[next].time_s - rows[next - 1].time_s > NEAR_S)
            return false;
    }
    return true;
}

/* False: civil days do not follow from their ends alone. Else what lies between them is left out. */
static bool thin(const struct point_sheet *p, struct part_of_sheet *part)
{
    struct row *rows = part->used.at;
    size_t count = part->used.count, kept = 0;
    struct sheet_instants at;
    bool fine, *keep;

    if (!count || part->meter.form == REGISTER_NET || rows[count - 1].time_s < p->day->span.cut_s ||
        !only_rises(rows, count) || !instants_of(p, &part->meter, &at) ||
        !(keep = (bool *)calloc(count, sizeof *keep)))
        return false;
    fine = is_known_at(&at, rows, keep);
    for (size_t i = 0; i < count && fine; i++)
        if (keep[i] || rows[i].time_s >= p->day->span.cut_s)
            rows[kept++] = rows[i];
    if (fine)
        part->used.count = kept;
    free(keep);
    return fine;
}

static enum err load_part(struct point_sheet *p, struct part_of_sheet *part,
                          const struct fittings *of_meter, int64_t from_s, struct fitting *f)
{
    enum err err;

    free(part->rules);
    part->rules = NULL;
    err =
        sheet_rows_load(p->app, &part->meter, of_meter, from_s, p->to_s, &part->rows, &part->rules);
    return err ? err : take_used(part, from_s, f);
}

/* ---- edits ---- */

static bool keep_edit(void *arg, const struct ledger_edit *e)
{
    struct point_sheet *p = (struct point_sheet *)arg;
    struct edit_mark *more;

    if (!edit_in_force(e))
        return true;
    if (!(more = (struct edit_mark *)realloc(p->edits, (p->edit_count + 1) * sizeof *more))) {
        p->edits_err = ERR_NO_MEMORY;
        return false;
    }
    p->edits = more;
    more[p->edit_count++] = point_use_mark(e);
    return true;
}

static bool is_edited(const struct point_sheet *p, const struct fitting *f)
{
    for (size_t i = 0; i < p->edit_count; i++)
        if (p->edits[i].meter == f->meter && p->edits[i].at_s > f->from_s &&
            p->edits[i].at_s < f->to_s && p->edits[i].at_s < p->to_s)
            return true;
    return false;
}

static enum err load_edited(struct point_sheet *p, struct part_of_sheet *part,
                            const struct fittings *of_meter, const struct fitting *fitting)
{
    enum err err = ERR_OK;

    free(part->rules);
    part->rules = NULL;
    part->used.count = 0;
    err = sheet_rows_load(p->app, &part->meter, of_meter, fitting->from_s, p->to_s, &part->rows,
                          &part->rules);
    for (size_t i = 0; i < part->rows.count && !err; i++)
        if (part->rows.at[i].time_s >= fitting->from_s && part->rows.at[i].time_s <= fitting->to_s)
            err = rows_push(&part->used, part->rows.at[i]);
    for (size_t i = 0; i < p->edit_count && !err; i++)
        if (p->edits[i].at_s < p->to_s)
            err = edits_apply(&p->edits[i], 1, fitting, &part->used);
    return err;
}

static enum err add_fitting(struct point_sheet *p, const struct fitting *fitting)
{
    struct part_of_sheet *part = &p->parts[p->count];
    struct consume_fitting *f = &p->fittings[p->count++];
    struct fittings of_meter;
    enum err err = meter_facts_by_id(p->txn, fitting->meter, &part->meter);

    *f = (struct consume_fitting){ *fitting, &part->meter, &part->used };
    if (err)
        return err;
    err = fittings_load(p->txn, false, fitting->meter, &of_meter);
    if (!err && is_edited(p, fitting)) {
        err = load_edited(p, part, &of_meter, fitting);
        fittings_done(&of_meter);
        return err;
    }
    if (!err)
        err = load_part(p, part, &of_meter, p->from_s, &f->fitting);
    if (!err && (f->fitting.from_s > p->from_s + SLACK_S || !thin(p, part)) &&
        fitting->from_s < p->from_s) {
        f->fitting = *fitting;
        err = load_part(p, part, &of_meter, fitting->from_s, &f->fitting);
    }
    fittings_done(&of_meter);
    return err;
}

static enum err load_fittings(struct point_sheet *p, uint32_t point, const struct fittings *all)
{
    int chosen = sheet_fitting(all->at, all->count, &p->day->span);
    enum err err = ERR_OK;

    p->main = -1;
    if (!all->count)
        return ERR_OK;
    if ((err = ledger_edits(p->txn, point, 0, keep_edit, p)) || (err = p->edits_err))
        return err;
    p->parts = (struct part_of_sheet *)calloc(all->count, sizeof *p->parts);
    p->fittings = (struct consume_fitting *)calloc(all->count, sizeof *p->fittings);
    if (!p->parts || !p->fittings)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < all->count && !err; i++) {
        if ((int)i == chosen)
            p->main = (int)p->count;
        else if (all->at[i].to_s < p->from_s || all->at[i].from_s >= p->to_s)
            continue;
        err = add_fitting(p, &all->at[i]);
    }
    return err;
}

/* ---- figures ---- */

/* By `rule`, which is the row's. The fitting may be cut, so that its start index is told. Says by what. */
static bool is_zero(struct consumer *c, const struct point_sheet *p, const struct check_line *rule,
                    int64_t start_ml, int64_t at_s, struct check_told *out)
{
    int64_t begin_s = at_s - rule->value[0] * DAY_S;
    const struct consumption *row;
    const struct consume_fitting *f = &p->fittings[p->main];
    int64_t dial_ml = start_ml;

    if (rule->state != LINE_ON || f->fitting.from_s > begin_s ||
        consumer_row(c, begin_s, at_s, &row) || !row->known || row->consumption_ml ||
        row->part_count != 1)
        return false;
    if (row->parts[0].end_known)
        dial_ml = row->parts[0].end_ml;
    *out = (struct check_told){ .version = rule->version,
                                .parameters = 1,
                                .inputs = 3,
                                .value = { rule->value[0] },
                                .input = { begin_s, dial_ml, start_ml } };
    return dial_ml != start_ml;
}

/* start_ml: the fitting's own start index (E4). */
static enum err load_use(const struct point_sheet *p, int64_t now_s, int64_t start_ml,
                         struct sheet_row *row, int64_t *out_pace_ml)
{
    int64_t cut_s = p->day->span.cut_s;
    const struct consumption *c;
    struct consumer *consumer;
    bool actual;
    enum err err;

    *out_pace_ml = -1;
    if (!p->count || now_s < cut_s)
        return ERR_OK;
    if ((err = consumer_new(p->fittings, p->count, STEP_NONE, &p->app->zone, now_s, &consumer)))
        return err;
    consumer_judge_by(consumer, rules_of(p->rules), p->use);
    if (!(err = consumer_row(consumer, p->day->since_s, cut_s, &c))) {
        row->use_known = c->known;
        row->use_ml = c->consumption_ml;
        row->facts.checks = c->checks & ~(1u << CHECK_ZERO);
        if (c->told)
            memcpy(row->told, c->told, sizeof row->told);
        actual = c->known && c->quality == QUALITY_ACTUAL;
        if (actual && !c->consumption_ml && p->main >= 0 &&
            is_zero(consumer, p, consumer_line(consumer, CHECK_ZERO), start_ml, cut_s,
                    &row->told[CHECK_ZERO]))
            row->facts.checks |= 1u << CHECK_ZERO;
        if (!(err = consumer_row(consumer, cut_s - PACE_S, cut_s, &c)) && c->known)
            *out_pace_ml = c->consumption_ml * DAY_S / PACE_S;
    }
    consumer_free(consumer);
    return err;
}

static int64_t last_heard(const struct rows *rows)
{
    for (size_t i = rows->count; i-- > 0;)
        if ((rows->at[i].attr & ATTR_SOURCE) == SOURCE_REMOTE)
            return rows->at[i].time_s;
    return 0;
}

static void take_reads(const struct point_sheet *p, struct sheet_row *row, int64_t pace_ml)
{
    const struct part_of_sheet *part = &p->parts[p->main];
    struct sheet_facts *f = &row->facts;

    row->facts_meter = part->meter;
    row->meter = part->meter.id;
    memcpy(row->serial, part->meter.serial, sizeof row->serial);
    sheet_reads(&part->rows, part->rules, &p->day->span, &f->remote, &f->manual);
    for (size_t i = 0; i < part->rows.count && !f->any_remote; i++)
        f->any_remote = (part->rows.at[i].attr & ATTR_SOURCE) == SOURCE_REMOTE &&
                        part->rows.at[i].time_s >= p->day->span.from_s &&
                        part->rows.at[i].time_s <= p->day->span.to_s;
    f->heard_at_s = last_heard(&part->rows);
    f->tolerance_ml = sheet_tolerance_ml(&part->meter, row->use_ml);
    if (f->manual.known)
        f->off_known =
            sheet_off(&part->meter, &part->rows, part->rules, &f->manual, pace_ml, &f->off_ml);
}

/* ---- dial and transmitter ---- */

/* Whether the offset between the two must be looked for: what was read agrees with nothing else, or somebody told one. */
static bool told_any(void *arg, const struct ledger_dial *d)
{
    (void)d;
    *(bool *)arg = true;
    return false;
}

static enum err is_apart(struct txn *t, const struct sheet_row *row, bool *out)
{
    const struct sheet_facts *f = &row->facts;
    int64_t off = f->off_ml < 0 ? -f->off_ml : f->off_ml;

    *out = !f->off_known || off > f->tolerance_ml || f->manual.rule;
    return *out ? ERR_OK : ledger_dials_of(t, row->meter, 0, told_any, out);
}

/* How far the dial lies outside of what the transmitter may have gone on to since it stood at e. */
static int64_t off_since(const struct meter_facts *m, const struct dial_expected *e,
                         const struct sheet_read *manual, int64_t pace_ml)
{
    int64_t ahead = dial_difference(m, e->dial_ml, manual->dial_ml), most = 0;

    if (pace_ml > 0 && manual->at_s > e->at_s)
        most = (int64_t)((__int128)pace_ml * (manual->at_s - e->at_s) / DAY_S);
    return ahead < 0 ? ahead : ahead > most ? ahead - most : 0;
}

/* Under an offset the transmitter's values take no part beside the dial's; they were heard all the same. */
static enum err take_heard(const struct dials *d, const struct meter_facts *m,
                           const struct fitting *fitting, struct sheet_row *row)
{
    const struct sheet_day *day = row->facts.day;
    int64_t at[] = { day->cut_s, day->to_s };
    struct dial_expected e;
    bool known;

    for (size_t i = 0; i < 2 && !row->facts.remote.known; i++) {
        enum err err =
            dials_expect(m, fitting, &d->rows, d->told, d->told_count, at[i], &known, &e);

        if (err)
            return err;
        if (known && e.at_s >= day->from_s && e.at_s <= day->to_s)
            row->facts.remote = (struct sheet_read){
                .known = true, .at_s = e.at_s, .dial_ml = e.counted_ml, .source = SOURCE_REMOTE
            };
    }
    return ERR_OK;
}

static enum err hold_against(const struct dials *d, const struct fitting *fitting, int64_t pace_ml,
                             struct sheet_row *row)
{
    struct sheet_facts *f = &row->facts;
    const struct meter_facts *m = &row->facts_meter;
    struct dial_checks checks;
    const struct dial_check *c;
    struct dial_expected e;
    bool known, judged;
    enum err err = dials_check(m, fitting, &d->rows, d->told, d->told_count, &checks);

    if (!err)
        err =
            dials_expect(m, fitting, &d->rows, d->told, d->told_count, f->manual.at_s, &known, &e);
    if (err || !known || !e.offset_ml) {
        dial_checks_done(&checks);
        return err;
    }
    c = dial_check_at(&checks, f->manual.at_s);
    judged = c && c->verdict != DIAL_OPEN && c->verdict != DIAL_MISREAD;
    f->offset_ml = judged ? c->offset_ml : e.offset_ml;
    f->off_ml = judged ? c->off_ml : off_since(m, &e, &f->manual, pace_ml);
    if (judged && c->verdict == DIAL_SETS)
        f->off_ml = 0;
    f->off_known = true;
    f->dial_holds = judged && c->verdict != DIAL_OFF;
    dial_checks_done(&checks);
    return take_heard(d, m, fitting, row);
}

static enum err compare_dial(struct app *app, struct txn *t, const struct fitting *fitting,
                             int64_t pace_ml, struct sheet_row *row)
{
    struct dials d = { 0 };
    bool apart;
    enum err err;

    if (!row->facts.manual.known)
        return ERR_OK;
    if ((err = is_apart(t, row, &apart)) || !apart)
        return err;
    if (!(err = dials_load(app, t, &row->facts_meter, fitting, &d)))
        err = hold_against(&d, fitting, pace_ml, row);
    dials_done(&d);
    return err;
}

enum err sheet_point_load(struct app *app, struct txn *t, const struct route_day *day,
                          const struct sheet_instants *instants, int64_t now_s,
                          struct sheet_row *row)
{
    struct point_sheet p = { .app = app, .txn = t, .day = day, .instants = instants, .main = -1 };
    struct fittings all;
    int64_t pace_ml = -1, start_ml = 0;
    enum err err = fittings_load(t, true, row->point, &all);

    row->facts = (struct sheet_facts){ .day = &day->span, .now_s = now_s };
    p.from_s = loaded_from_s(day);
    p.to_s = day->span.to_s + BEHIND_S;
    if (!err && !(err = rules_take(app, t, &p.rules)))
        err = rules_use_of(p.rules, t, row->point, &p.use);
    for (size_t i = 0; i < all.count && !err; i++)
        row->facts.ever_fitted |= all.at[i].from_s <= day->span.to_s;
    if (!err && !(err = load_fittings(&p, row->point, &all))) {
        int chosen = sheet_fitting(all.at, all.count, &day->span);

        row->facts.fitted = p.main >= 0;
        if (chosen >= 0)
            start_ml = all.at[chosen].start_ml;
        err = load_use(&p, now_s, start_ml, row, &pace_ml);
        if (!err && p.main >= 0) {
            take_reads(&p, row, pace_ml);
            err = compare_dial(app, t, &all.at[chosen], pace_ml, row);
        }
    }
    point_sheet_done(&p);
    fittings_done(&all);
    return err;
}
