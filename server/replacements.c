/* Meters to replace: those whose flags blame the meter itself, worst first. */
#include "server/replacements.h"

#include "server/registers.h"

#include <stdlib.h>

#define ZONE_DEPTH_MAX 32 /* a tree of zones that is deeper is a ring */

struct replacing {
    struct app *app;
    const struct replacement_filter *filter;
    struct txn ledger;
    struct replacement *at;
    size_t count, cap;
    struct replacement now; /* of the meter at hand, whose flags come one after the other */
    bool faulty;            /* one of its flags blames the meter itself */
    enum err err;
};

static bool in_zone(struct txn *t, struct span zone, struct span wanted_zone)
{
    char name[LIMIT_TEXT];

    for (int depth = 0; zone.len && depth < ZONE_DEPTH_MAX; depth++) {
        struct ledger_row row;

        if (span_equal(zone, wanted_zone))
            return true;
        if (zone.len > sizeof name)
            return false;
        memcpy(name, zone.at, zone.len);
        if (!ledger_find(t, LIST_ZONE, span_of(name, zone.len), INT64_MAX, &row))
            return false;
        zone = cells_of(&row).at[CELL_ZONE_parent];
    }
    return false;
}

static bool is_there(struct replacing *r, uint32_t point)
{
    const struct replacement_filter *q = r->filter;
    struct ledger_row row;
    struct cells cells;

    if (!q->zone.len && !q->route.len)
        return true;
    if (!ledger_by_id(&r->ledger, LIST_POINT, point, INT64_MAX, &row))
        return false;
    cells = cells_of(&row);
    return (!q->route.len || span_equal(q->route, cells.at[CELL_POINT_route])) &&
           (!q->zone.len || in_zone(&r->ledger, cells.at[CELL_POINT_zone], q->zone));
}

/* Whether the fitting that was judged is still the meter's. */
static bool still_fitted(struct replacing *r, const struct flag *f)
{
    struct fittings fittings;
    bool still = false;

    r->err = fittings_load(&r->ledger, false, f->meter, &fittings);
    for (size_t i = 0; i < fittings.count && !r->err; i++)
        if (fittings.at[i].from_s == f->fitting_from_s)
            still = fittings.at[i].to_s == FITTING_OPEN;
    fittings_done(&fittings);
    return still;
}

static void finish_meter(struct replacing *r)
{
    if (r->err || !r->faulty || !is_there(r, r->now.point))
        return;
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct replacement *at = (struct replacement *)realloc(r->at, cap * sizeof *at);

        if (!at) {
            r->err = ERR_NO_MEMORY;
            return;
        }
        r->at = at;
        r->cap = cap;
    }
    r->at[r->count++] = r->now;
}

static void take_worst(struct replacement *now, const struct flag *f)
{
    now->point = f->point;
    now->lost_mlpd = f->verdict.lost_mlpd;
    now->lost_low_mlpd = f->verdict.lost_low_mlpd;
    now->lost_high_mlpd = f->verdict.lost_high_mlpd;
    now->confidence_pct = f->state == FLAG_CONFIRMED ? 100 : f->verdict.confidence_pct;
    now->severity = f->verdict.severity;
    memcpy(now->flag_id, f->id, sizeof now->flag_id);
    memcpy(now->text_en, f->text_en, sizeof now->text_en);
    memcpy(now->text_zh, f->text_zh, sizeof now->text_zh);
}

static bool take_flag(void *arg, const struct flag *f)
{
    struct replacing *r = (struct replacing *)arg;
    struct replacement *now = &r->now;
    unsigned bit = 0;

    if (f->meter != now->meter) {
        finish_meter(r);
        *now = (struct replacement){ .meter = f->meter, .point = f->point };
        r->faulty = false;
    }
    /* What was confirmed stays on the list until the meter is off: one that sticks and goes is
     * still to be changed. */
    if (!still_fitted(r, f))
        return !r->err;
    while (detector_at(bit) != f->kind)
        bit++;
    now->kinds |= 1u << bit;
    if (!now->onset_s || f->verdict.onset_s < now->onset_s)
        now->onset_s = f->verdict.onset_s;
    if (f->kind->replace && (!r->faulty || f->verdict.lost_mlpd > now->lost_mlpd)) {
        take_worst(now, f);
        r->faulty = true;
    }
    return !r->err;
}

static int replacement_order(const void *a, const void *b)
{
    const struct replacement *x = (const struct replacement *)a, *y = (const struct replacement *)b;
    int64_t p = x->lost_mlpd * x->confidence_pct, q = y->lost_mlpd * y->confidence_pct;

    if (p != q)
        return p > q ? -1 : 1;
    return (x->meter > y->meter) - (x->meter < y->meter);
}

enum err replacements_make(struct app *app, const struct replacement_filter *filter,
                           struct replacement **out, size_t *out_count)
{
    struct replacing r = { .app = app, .filter = filter };
    struct flag_filter q = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED };
    enum err err, ended;

    r.ledger = ledger_read(app->ledger);
    err = flags_each(app, &q, take_flag, &r);
    if (!err) {
        finish_meter(&r);
        err = r.err;
    }
    ended = txn_end(&r.ledger);
    if (!err)
        err = ended;
    if (err) {
        free(r.at);
        return err;
    }
    if (r.count)
        qsort(r.at, r.count, sizeof *r.at, replacement_order);
    *out = r.at;
    *out_count = r.count;
    return ERR_OK;
}
