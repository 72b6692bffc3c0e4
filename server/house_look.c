#include "server/house_look.h"

#include "proto/base/crc.h"
#include "server/accounts.h"
#include "server/judge_priv.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdlib.h>

#define DAY_S INT64_C(86400)
#define WEEK_S (7 * DAY_S)

/* A meter in one of its fittings, while its point stood behind the building's. */
struct stay {
    struct house_column column;
    int64_t from_s, to_s, fitting_to_s;
};

struct looking {
    struct app *app;
    struct txn *ledger;
    struct house_row *row;
    struct fittings buildings; /* of the building's point */
    struct stay *stays;        /* ever */
    size_t stay_count, stay_cap;
    int64_t end_s;
    unsigned weeks; /* from the origin to end_s */
    /* of the window at hand */
    int64_t from_s, to_s; /* its 60 weeks; those that are known end at until_s */
    int64_t until_s;
    unsigned known_weeks;
    struct stay columns[BALANCE_CHILDREN_MOST];
    unsigned count;
    bool many; /* more columns than that */
    struct balance *balance;
    struct swapped *hands;
    struct rows rows;
};

/* ---- weeks ---- */

/* By noons, which no clock of any zone moves to another day. */
int64_t house_monday(const struct zone *z, int64_t at_s)
{
    int64_t day = zone_day_number(z, at_s), back = (day + 3) % 7; /* day 0 was a Thursday */

    return zone_day_start(z, zone_day_start(z, at_s) + DAY_S / 2 - back * DAY_S);
}

/* The beginning of a week of the house; some have an hour more or less. */
static int64_t week_start(const struct looking *k, unsigned week)
{
    return house_monday(&k->app->zone, k->row->origin_s + week * WEEK_S + DAY_S);
}

static int64_t first_monday(const struct looking *k)
{
    int64_t from_s = k->buildings.at[0].from_s, monday_s;

    for (size_t i = 1; i < k->buildings.count; i++)
        if (k->buildings.at[i].from_s < from_s)
            from_s = k->buildings.at[i].from_s;
    monday_s = house_monday(&k->app->zone, from_s);
    return from_s > monday_s ? house_monday(&k->app->zone, monday_s + WEEK_S + DAY_S) : monday_s;
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

static enum err push_stay(struct looking *k, const struct stay *stay)
{
    if (k->stay_count == k->stay_cap) {
        size_t cap = k->stay_cap ? k->stay_cap * 2 : 32;
        struct stay *at = (struct stay *)realloc(k->stays, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        k->stays = at;
        k->stay_cap = cap;
    }
    k->stays[k->stay_count++] = *stay;
    return ERR_OK;
}

static enum err take_stay(struct looking *k, const struct account_stay *stay)
{
    struct fittings all;
    enum err err = fittings_load(k->ledger, true, stay->point, &all);

    for (size_t i = 0; i < all.count && !err; i++) {
        const struct fitting *f = &all.at[i];
        struct stay s = { .column = { f->meter, stay->point, f->from_s },
                          .from_s = later(f->from_s, stay->from_s),
                          .to_s = earlier(f->to_s, stay->to_s),
                          .fitting_to_s = f->to_s };

        if (s.from_s < s.to_s)
            err = push_stay(k, &s);
    }
    fittings_done(&all);
    return err ? err : k->ledger->err;
}

static enum err take_stays(struct looking *k, struct span name)
{
    struct account_stays stays = { 0 };
    enum err err = behind_stays_load(k->ledger, name, &stays);

    for (size_t i = 0; i < stays.count && !err; i++)
        err = take_stay(k, &stays.at[i]);
    account_stays_done(&stays);
    return err;
}

/* ---- a window ---- */

static void window_choose(struct looking *k, unsigned window)
{
    unsigned first = house_window_first(window);

    k->from_s = week_start(k, first);
    k->to_s = week_start(k, first + HOUSE_WEEKS);
    k->known_weeks = k->weeks - first < HOUSE_WEEKS ? k->weeks - first : HOUSE_WEEKS;
    k->until_s = k->from_s + k->known_weeks * WEEK_S;
    k->count = 0;
    k->many = false;
    for (size_t i = 0; i < k->stay_count; i++) {
        const struct stay *s = &k->stays[i];

        if (s->from_s >= k->to_s || s->to_s <= k->from_s)
            continue;
        if (k->count == BALANCE_CHILDREN_MOST)
            k->many = true;
        else
            k->columns[k->count++] = *s;
    }
}

static uint32_t sum_of(uint32_t sum, const struct stay *s, int64_t from_s, int64_t to_s)
{
    const int64_t facts[] = { s->column.meter, s->column.point, s->column.fitting_from_s,
                              later(s->from_s, from_s), earlier(s->to_s, to_s) };

    return crc32c(sum, facts, sizeof facts);
}

/* What the window rests on beside readings. */
static uint32_t columns_sum(const struct looking *k)
{
    uint32_t sum = k->many;

    for (unsigned i = 0; i < k->count; i++)
        sum = sum_of(sum, &k->columns[i], k->from_s, k->to_s);
    return sum;
}

/* And what the windows before it rested on. */
static uint32_t before_sum(const struct looking *k, unsigned window)
{
    int64_t own_s = week_start(k, house_window_own(window));
    uint32_t sum = 0;

    for (size_t i = 0; i < k->stay_count && window; i++)
        if (k->stays[i].from_s < own_s)
            sum = sum_of(sum, &k->stays[i], INT64_MIN, own_s);
    return sum;
}

/* ---- readings ---- */

/* What the meter itself sent, of one instant the first. `column` 0: the building's. */
static enum err take_readings(struct looking *k, uint32_t meter, unsigned column, int64_t from_s,
                              int64_t to_s)
{
    struct track track = { 0 };
    struct judge_step steps[2];
    struct meter_facts m;
    uint32_t last_s = 0;
    enum err err = meter_facts_by_id(k->ledger, meter, &m);

    from_s = later(from_s, k->from_s - DAY_S);
    if (err || (err = readings_load(k->app, &m, meter_billed_channel(&m), later(from_s, 0),
                                    earlier(to_s < INT64_MAX ? to_s + 1 : to_s, k->until_s + DAY_S),
                                    &k->rows)))
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

/* When nothing was to be used in the flat, by events, orders and what the meter says of its valve. */
static enum err take_idle(struct looking *k, unsigned column)
{
    const struct stay *c = &k->columns[column];
    struct fitting f = { .meter = c->column.meter,
                         .point = c->column.point,
                         .from_s = c->column.fitting_from_s,
                         .to_s = c->fitting_to_s };
    struct meter_facts m;
    struct pauses pauses;
    enum err err = meter_facts_by_id(k->ledger, c->column.meter, &m);

    if (err || (err = judge_pauses(k->app, NULL, k->ledger, &m, &f, &pauses)))
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    for (size_t i = 0; i < pauses.count; i++) {
        const struct pause *p = &pauses.at[i];

        if (p->from_s >= c->from_s && p->from_s < c->to_s)
            swapped_idle(k->hands, column, p->why == PAUSE_SHUT, p->from_s,
                         earlier(p->to_s, c->to_s));
    }
    return ERR_OK;
}

static enum err take_all(struct looking *k)
{
    enum err err = balance_new(k->from_s + BALANCE_FROM_S, k->known_weeks, k->count, &k->balance);

    if (!err)
        err = swapped_new(k->from_s, k->known_weeks, k->count, &k->hands);
    for (size_t i = 0; i < k->buildings.count && !err; i++) {
        const struct fitting *f = &k->buildings.at[i];

        if (f->from_s < k->until_s && f->to_s > k->from_s)
            err = take_readings(k, f->meter, 0, f->from_s, f->to_s);
    }
    for (unsigned i = 0; i < k->count && !err; i++) {
        const struct stay *c = &k->columns[i];

        balance_fitted(k->balance, i + 1, c->from_s, c->to_s);
        err = take_readings(k, c->column.meter, i + 1, c->from_s, c->to_s);
        if (!err)
            err = take_idle(k, i);
    }
    return err;
}

/* ---- what is found ---- */

static uint32_t building_at(const struct looking *k, int64_t at_s)
{
    const struct fitting *found = &k->buildings.at[0];

    for (size_t i = 1; i < k->buildings.count; i++)
        if (k->buildings.at[i].from_s <= at_s)
            found = &k->buildings.at[i];
    return found->meter;
}

static bool comes_back(const struct looking *k, const struct stay *s)
{
    for (size_t i = 0; i < k->stay_count; i++)
        if (memcmp(&k->stays[i].column, &s->column, sizeof s->column) == 0 &&
            k->stays[i].to_s > s->to_s)
            return true;
    return false;
}

static enum err judge(struct looking *k)
{
    struct house_story *story = &k->row->story;
    struct house_column columns[BALANCE_CHILDREN_MOST];
    struct house_window w = {
        .columns = columns, .count = k->count, .balance = k->balance, .hands = k->hands
    };
    enum err err;

    for (unsigned i = 0; i < k->count; i++)
        columns[i] = k->columns[i].column;
    err = house_story_look(story, &w, k->until_s + BALANCE_FROM_S);
    for (unsigned i = 0; i < story->slow_count; i++)
        if (!story->slow[i].building)
            story->slow[i].building = building_at(k, story->slow[i].f.raised_s);
    for (size_t i = 0; i < k->stay_count && !err; i++) {
        const struct stay *s = &k->stays[i];

        if (s->to_s <= k->until_s && s->to_s < s->fitting_to_s && !comes_back(k, s))
            house_story_left(story, &s->column, s->to_s);
    }
    return err;
}

/* ---- how far ---- */

/* The window that is to be gone on with, as far as what was found before still stands. */
static unsigned window_begin(struct looking *k)
{
    struct house_row *row = k->row;
    unsigned from = row->story.window;
    bool again = false;

    if (!row->week_s || before_sum(k, from) != row->before_sum) {
        from = 0;
        again = true;
    } else if (window_choose(k, from), columns_sum(k) != row->columns_sum) {
        again = true;
    }
    if (row->late_s) {
        int64_t week = (row->late_s - row->origin_s) / WEEK_S;
        unsigned late = week < 0 ? 0 : house_window_of((unsigned)week + 1);

        from = late < from ? late : from;
        again = true;
    }
    if (from > house_window_of(k->weeks)) { /* the clock was set back */
        from = house_window_of(k->weeks);
        again = true;
    }
    if (again) {
        house_story_cut(&row->story, from ? week_start(k, house_window_own(from)) + DAY_S / 2 : 0);
        house_story_begin(&row->story, from);
    } else if (row->week_s >= week_start(k, house_window_first(from) + HOUSE_WEEKS) &&
               from < house_window_of(k->weeks)) {
        house_story_begin(&row->story, ++from);
    }
    return from;
}

static enum err look_at_window(struct looking *k)
{
    struct house_row *row = k->row;
    unsigned window = window_begin(k);
    enum err err = ERR_OK;

    window_choose(k, window);
    if (k->count >= HOUSE_LEAST && !k->many && k->known_weeks > 1)
        err = take_all(k);
    if (!err)
        err = judge(k);
    row->columns_sum = columns_sum(k);
    row->before_sum = before_sum(k, window);
    row->week_s = window < house_window_of(k->weeks) ? k->to_s : k->end_s;
    row->late_s = 0;
    balance_free(k->balance);
    swapped_free(k->hands);
    return err;
}

/* Where its first week is another than it was, nothing of what was found stands. */
static bool weeks_of(struct looking *k)
{
    int64_t origin_s;

    if (k->buildings.count == 0)
        return false;
    origin_s = first_monday(k);
    if (origin_s != k->row->origin_s)
        *k->row = (struct house_row){ .origin_s = origin_s, .untold = k->row->untold };
    if (k->end_s <= origin_s)
        return false;
    k->weeks = (unsigned)((k->end_s - origin_s + DAY_S / 2) / WEEK_S);
    return true;
}

static enum err list_meters(const struct looking *k, struct house_meters *out)
{
    for (size_t i = 0; i < k->stay_count; i++) {
        if (out->count == out->cap) {
            size_t cap = out->cap ? out->cap * 2 : 64;
            uint32_t *at = (uint32_t *)realloc(out->at, cap * sizeof *at);

            if (!at)
                return ERR_NO_MEMORY;
            out->at = at;
            out->cap = cap;
        }
        out->at[out->count++] = k->stays[i].column.meter;
    }
    return ERR_OK;
}

enum err house_look(struct app *app, struct txn *ledger, uint32_t point, struct span name,
                    int64_t end_s, struct house_row *row, struct house_meters *meters)
{
    struct looking *k = (struct looking *)calloc(1, sizeof *k);
    enum err err = k ? ERR_OK : ERR_NO_MEMORY, stays;

    if (err)
        return err;
    *k = (struct looking){ .app = app, .ledger = ledger, .row = row, .end_s = end_s };
    if (!(err = fittings_load(ledger, true, point, &k->buildings))) {
        stays = take_stays(k, name);
        err = stays == ERR_LIMIT ? ERR_OK : stays;
        if (!err && stays != ERR_LIMIT && weeks_of(k)) {
            err = look_at_window(k);
        } else {
            row->week_s = end_s;
            row->late_s = 0;
        }
    }
    if (!err && meters)
        err = list_meters(k, meters);
    fittings_done(&k->buildings);
    free(k->stays);
    rows_done(&k->rows);
    free(k);
    return err ? err : ledger->err;
}
