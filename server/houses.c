#include "server/houses.h"

#include "server/house_look.h"
#include "server/metrics.h"
#include "server/points.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- for the judge ---- */

struct houses {
    uint32_t house; /* at hand; 0: none */
    struct house_row row;
};

enum err houses_open(struct houses **out)
{
    *out = (struct houses *)calloc(1, sizeof **out);
    return *out ? ERR_OK : ERR_NO_MEMORY;
}

void houses_close(struct houses *h)
{
    free(h);
}

static unsigned add(uint32_t out[HOUSES_OF_POINT], unsigned count, uint32_t house)
{
    for (unsigned i = 0; i < count; i++)
        if (out[i] == house)
            return count;
    if (count < HOUSES_OF_POINT)
        out[count++] = house;
    return count;
}

static bool has_behind(struct txn *t, struct span name)
{
    bool some = false;

    for (int once = 0; once < 2 && !some; once++) {
        struct index_walk w = points_behind(t, name, once);

        some = index_next(&w);
        index_done(&w);
    }
    return some;
}

unsigned houses_of_point(struct txn *ledger, uint32_t point, uint32_t out[HOUSES_OF_POINT])
{
    struct ledger_row row, before;
    unsigned count = 0;
    int64_t as_of_s = INT64_MAX;

    while (ledger_by_id(ledger, LIST_POINT, point, as_of_s, &row)) {
        struct cells cells = cells_of(&row);
        struct span behind = cells.at[CELL_POINT_behind];

        if (as_of_s == INT64_MAX && has_behind(ledger, cells.at[CELL_POINT_point]))
            count = add(out, count, point);
        if (behind.len && ledger_find(ledger, LIST_POINT, behind, INT64_MAX, &before))
            count = add(out, count, before.id);
        if (row.since_s == LEDGER_ALWAYS)
            break;
        as_of_s = row.since_s - 1;
    }
    return count;
}

/* Zeroed: there is none of this version. */
static enum err row_of(struct txn *views, uint32_t house, struct house_row *out)
{
    struct span bytes;
    enum err err = views_house(views, house, &bytes) ? house_row_read(bytes, out) : ERR_NOT_FOUND;

    if (err == ERR_NOT_FOUND) {
        memset(out, 0, sizeof *out);
        err = views->err;
    }
    return err;
}

/* ERR_OK and NULL also where a window is yet to come. */
enum err houses_find(struct houses *h, struct txn *views, uint32_t house,
                     const struct house_story **out)
{
    enum err err = row_of(views, house, &h->row);

    *out = err || !h->row.week_s || h->row.unfinished ? NULL : &h->row.story;
    return err;
}

/* ---- which are due ---- */

static int64_t last_week_end(const struct app *app, int64_t now_s)
{
    return house_monday(&app->zone, now_s - HOUSE_LATE_S);
}

void house_round_done(struct house_round *r)
{
    free(r->late.at);
    free(r->untold.at);
    *r = (struct house_round){ 0 };
}

static enum err put_row(struct app *app, uint32_t house, const struct house_row *row)
{
    uint8_t *bytes = (uint8_t *)malloc(HOUSE_ROW_MAX);
    struct wr w = wr_of(bytes, HOUSE_ROW_MAX);
    enum err err = bytes ? house_row_write(row, &w) : ERR_NO_MEMORY;

    if (!err) {
        struct txn t = views_write(app->views);

        views_put_house(&t, house, wr_span(&w));
        err = txn_end(&t);
    }
    free(bytes);
    return err;
}

static enum err get_row(struct app *app, uint32_t house, struct house_row *out)
{
    struct txn t = views_read(app->views);
    enum err err = row_of(&t, house, out), ended = txn_end(&t);

    return err ? err : ended;
}

/* The houses of what came of a meter, with the instant that it reaches back to. */
static enum err note_meter(struct txn *t, const struct judge_news *n, struct news *houses)
{
    struct fittings all;
    enum err err = fittings_load(t, false, n->meter, &all);

    for (size_t i = 0; i < all.count && !err; i++) {
        uint32_t house[HOUSES_OF_POINT];
        unsigned count = houses_of_point(t, all.at[i].point, house);

        for (unsigned k = 0; k < count && !err; k++)
            err = news_push(houses, house[k], n->first_s ? n->first_s : 1);
    }
    fittings_done(&all);
    return err ? err : t->err;
}

/* A house that was never looked at waits for its turn in the round; one that was says so from now on, whatever becomes of this process. */
static enum err note_house(struct app *app, const struct judge_news *late, struct house_row *row,
                           struct house_round *r)
{
    enum err err = get_row(app, late->meter, row);

    if (!err && row->week_s && (!row->late_s || late->first_s < row->late_s)) {
        row->late_s = late->first_s;
        err = put_row(app, late->meter, row);
    }
    return err ? err : news_push(&r->late, late->meter, 0);
}

static enum err collect_late(struct app *app, int64_t week_s, const struct news *touched,
                             struct news *out)
{
    struct txn t = ledger_read(app->ledger);
    struct index_walk any = points_behind_any(&t);
    bool some = index_next(&any);
    enum err err = ERR_OK, ended;

    index_done(&any);
    for (size_t i = 0; i < touched->count && some && !err; i++)
        if (touched->at[i].first_s < week_s)
            err = note_meter(&t, &touched->at[i], out);
    ended = txn_end(&t);
    news_sort(out);
    return err ? err : ended;
}

enum err houses_note(struct app *app, int64_t now_s, const struct news *touched,
                     struct house_round *r)
{
    struct news late = { 0 };
    struct house_row *row = (struct house_row *)malloc(sizeof *row);
    enum err err =
        row ? collect_late(app, last_week_end(app, now_s), touched, &late) : ERR_NO_MEMORY;

    for (size_t i = 0; i < late.count && !err; i++)
        err = note_house(app, &late.at[i], row, r);
    news_sort(&r->late);
    free(row);
    free(late.at);
    return err;
}

/* ---- a round ---- */

/* The next that is to be asked: those that something came of first. 0: none; or t->err. */
static uint32_t next_house(struct house_round *r, struct txn *t, char name[64])
{
    struct ledger_row row;
    struct index_walk w;
    struct span found;
    uint32_t house = 0;

    while (r->late.count && !house) {
        uint32_t point = r->late.at[--r->late.count].meter;

        if (ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row)) {
            struct span own = cells_of(&row).at[CELL_POINT_point];

            snprintf(name, 64, "%.*s", (int)own.len, (const char *)own.at);
            house = point;
        }
    }
    while (!house && !r->all && !t->err) {
        w = points_behind_after(t, span_text(r->after));
        if (points_behind_next(&w, &found))
            snprintf(r->after, sizeof r->after, "%.*s", (int)found.len, (const char *)found.at);
        else
            r->all = !t->err;
        index_done(&w);
        if (!r->all && ledger_find(t, LIST_POINT, span_text(r->after), INT64_MAX, &row)) {
            memcpy(name, r->after, sizeof r->after);
            house = row.id;
        }
    }
    return house;
}

struct turn {
    struct app *app;
    struct house_round *round;
    struct house_row *row, *before;
    struct house_meters meters;
    struct news *touched;
    unsigned windows; /* that may still be looked at */
};

static enum err touch_all(struct turn *t)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < t->meters.count && !err; i++)
        err = news_push_of(t->touched, t->meters.at[i], NEWS_HOUSE);
    return err;
}

static enum err touch_named(struct turn *t, const struct house_story *s)
{
    enum err err = ERR_OK;

    for (unsigned i = 0; i < s->slow_count && !err; i++)
        err = news_push_of(t->touched, s->slow[i].at.meter, NEWS_HOUSE);
    for (unsigned i = 0; i < s->pair_count && !err; i++)
        if (!(err = news_push_of(t->touched, s->pairs[i].first.meter, NEWS_HOUSE)))
            err = news_push_of(t->touched, s->pairs[i].second.meter, NEWS_HOUSE);
    return err;
}

/* By the bytes of which nothing but what is told is made. */
static bool says_the_same(const struct house_row *a, const struct house_row *b)
{
    const struct house_story *x = &a->story, *y = &b->story;
    bool same = x->slow_count == y->slow_count && x->pair_count == y->pair_count;

    for (unsigned i = 0; same && i < x->slow_count; i++)
        same = x->slow[i].f.onset_s == y->slow[i].f.onset_s &&
               x->slow[i].f.raised_s == y->slow[i].f.raised_s &&
               x->slow[i].f.cleared_s == y->slow[i].f.cleared_s &&
               x->slow[i].f.lost_lpd == y->slow[i].f.lost_lpd &&
               x->slow[i].at.meter == y->slow[i].at.meter;
    for (unsigned i = 0; same && i < x->pair_count; i++)
        same = x->pairs[i].f.onset_s == y->pairs[i].f.onset_s &&
               x->pairs[i].f.raised_s == y->pairs[i].f.raised_s &&
               x->pairs[i].f.cleared_s == y->pairs[i].f.cleared_s &&
               x->pairs[i].f.score == y->pairs[i].f.score &&
               x->pairs[i].first.meter == y->pairs[i].first.meter &&
               x->pairs[i].second.meter == y->pairs[i].second.meter;
    return same;
}

static enum err look_to_the_end(struct turn *t, uint32_t house, const char *name)
{
    struct txn ledger = ledger_read(t->app->ledger);
    int64_t end_s = t->round->week_s;
    bool again = false;
    enum err err = ERR_OK, ended;

    do {
        t->meters.count = 0;
        err = house_look(t->app, &ledger, house, span_text(name), end_s, t->row, &t->meters);
        metrics_add(METRIC_HOUSES_LOOKED, 1);
        t->windows -= t->windows > 0;
        again = !err && t->row->week_s < end_s;
    } while (again && t->windows);
    ended = txn_end(&ledger);
    if (err_class(err) == ERR_CLASS_STORE && !ended) {
        /* One meter's damage is not the other houses'. What was found stands, and it is looked at again in a week. */
        fprintf(
            stderr,
            "nilod: house %s could not be looked at: readings are damaged; run nilo store check\n",
            name);
        *t->row = *t->before;
        t->row->week_s = end_s;
        t->row->late_s = 0;
        t->row->unfinished = false;
        return ERR_OK;
    }
    t->row->unfinished = again;
    return err ? err : ended;
}

/* Only one that is looked at to the end has its meters judged, all where nothing was known of it. */
static enum err turn_of(struct turn *t, uint32_t house, const char *name)
{
    bool known, due;
    enum err err = get_row(t->app, house, t->before);

    if (err)
        return err;
    *t->row = *t->before;
    known = t->before->week_s && !t->before->unfinished && !t->before->all_meters;
    due = t->before->week_s < t->round->week_s || t->before->late_s || t->before->unfinished;
    if (!due && !t->before->untold)
        return ERR_OK;
    t->row->all_meters = !known;
    if (due && (err = look_to_the_end(t, house, name)))
        return err;
    if (t->row->unfinished) {
        t->row->untold = true;
        if (!(err = put_row(t->app, house, t->row)))
            err = news_push(&t->round->late, house, 0);
        return err;
    }
    t->row->untold = t->before->untold || !known || !says_the_same(t->before, t->row);
    if ((err = put_row(t->app, house, t->row)) || !t->row->untold)
        return err;
    if ((err = news_push(&t->round->untold, house, 0)))
        return err;
    if (!known || t->before->untold)
        return touch_all(t);
    return (err = touch_named(t, &t->before->story)) ? err : touch_named(t, &t->row->story);
}

enum err houses_look(struct app *app, int64_t now_s, unsigned windows, struct house_round *r,
                     bool *out_more, struct news *touched)
{
    int64_t week_s = last_week_end(app, now_s);
    struct turn t = { .app = app, .round = r, .touched = touched, .windows = windows };
    uint32_t house = 1;
    enum err err = ERR_NO_MEMORY, ended;

    if (week_s != r->week_s) {
        r->week_s = week_s;
        r->all = false;
        r->after[0] = 0;
    }
    t.row = (struct house_row *)calloc(2, sizeof *t.row);
    if (t.row) {
        t.before = t.row + 1;
        err = ERR_OK;
    }
    while (!err && t.windows && house) {
        struct txn ledger = ledger_read(app->ledger);
        char name[64];

        house = next_house(r, &ledger, name);
        ended = txn_end(&ledger);
        if (!(err = ended) && house)
            err = turn_of(&t, house, name);
    }
    *out_more = house != 0;
    free(t.row);
    free(t.meters.at);
    return err;
}

enum err houses_told(struct app *app, struct house_round *r)
{
    struct house_row *row = (struct house_row *)malloc(sizeof *row);
    enum err err = row ? ERR_OK : ERR_NO_MEMORY;

    for (size_t i = 0; i < r->untold.count && !err; i++) {
        if ((err = get_row(app, r->untold.at[i].meter, row)))
            break;
        row->untold = row->all_meters = false;
        err = put_row(app, r->untold.at[i].meter, row);
    }
    if (!err)
        r->untold.count = 0;
    free(row);
    return err;
}
