#include "server/acts/read_range.h"

#include "server/dials.h"

#include <stdlib.h>

#define DAY_S 86400
#define BEFORE_S (90 * DAY_S) /* of the read, for its neighbour and the pace */
#define BEHIND_S (35 * DAY_S)
#define PACE_LEAST_S (7 * DAY_S)

struct look {
    struct app *app;
    const struct meter_facts *meter;
    struct fittings of_meter;
    struct fitting fitting;
    int64_t at_s;
    /* What was found. */
    struct row last,
        next; /* what takes part before the read, or the fitting's start; and after it */
    bool read_before, has_next;
    int64_t pace_ml_day; /* < 0: not known */
};

static void take(struct look *k, const struct row *row, struct row *first)
{
    if (row->time_s > k->at_s) {
        k->next = *row;
        k->has_next = true;
        return;
    }
    if (!k->read_before)
        *first = *row;
    k->read_before = true;
    k->last = *row;
}

/* The rows of the fitting from from_s on. */
static enum err look(struct look *k, int64_t from_s)
{
    const struct fitting *f = &k->fitting;
    struct row first = { 0 };
    struct rows rows = { 0 };
    enum rule *rules = NULL;
    enum err err =
        sheet_rows_load(k->app, k->meter, &k->of_meter, from_s, k->at_s + BEHIND_S, &rows, &rules);

    k->last =
        (struct row){ .value = f->start_ml, .time_s = (uint32_t)(f->from_s < 0 ? 0 : f->from_s) };
    k->pace_ml_day = -1;
    k->read_before = k->has_next = false;
    for (size_t i = 0; i < rows.count && !err && !k->has_next; i++)
        if (!rules[i] && rows.at[i].time_s >= from_s && rows.at[i].time_s >= f->from_s &&
            rows.at[i].time_s <= f->to_s)
            take(k, &rows.at[i], &first);
    free(rules);
    rows_done(&rows);
    if (k->read_before && (int64_t)k->last.time_s - first.time_s >= PACE_LEAST_S)
        k->pace_ml_day = dial_difference(k->meter, first.value, k->last.value) * DAY_S /
                         ((int64_t)k->last.time_s - first.time_s);
    return err;
}

/* The dial may stand elsewhere than its transmitter, by an offset: then it is that which says what it should show. Looked for where the
 * number fits nothing else, and where what takes part stands below the start index: there the transmitter may have begun by itself. */
static enum err look_behind_offset(struct look *k, struct txn *t, int64_t index_ml,
                                   enum read_range *out)
{
    struct dials d;
    struct dial_expected e;
    bool known = false;
    enum err err = dials_load(k->app, t, k->meter, &k->fitting, &d);

    if (!err)
        err =
            dials_expect(k->meter, &k->fitting, &d.rows, d.told, d.told_count, k->at_s, &known, &e);
    if (!err && known && e.offset_ml && e.at_s <= k->at_s) {
        struct row last = { .value = e.dial_ml, .time_s = (uint32_t)e.at_s };

        *out = read_judge(k->meter, &last, NULL, k->pace_ml_day, k->at_s, index_ml);
    }
    dials_done(&d);
    return err;
}

enum err read_range_of(struct app *app, struct txn *t, const struct meter_facts *m, int64_t at_s,
                       int64_t index_ml, enum read_range *out)
{
    struct look k = { .app = app, .meter = m, .at_s = at_s };
    int64_t from_s = at_s - BEFORE_S;
    enum err err = fittings_load(t, false, m->id, &k.of_meter);

    for (size_t i = 0; i < k.of_meter.count && !err; i++)
        if (k.of_meter.at[i].from_s <= at_s && at_s <= k.of_meter.at[i].to_s)
            k.fitting = k.of_meter.at[i];
    if (!err && !k.fitting.meter)
        err = ERR_NOT_FOUND;
    if (!err)
        err = look(&k, from_s < k.fitting.from_s ? k.fitting.from_s : from_s);
    if (!err && !k.read_before && from_s > k.fitting.from_s)
        err = look(&k, k.fitting.from_s);
    if (!err)
        *out = read_judge(m, &k.last, k.has_next ? &k.next : NULL, k.pace_ml_day, at_s, index_ml);
    if (!err && (*out != READ_PLAUSIBLE || k.last.value < k.fitting.start_ml))
        err = look_behind_offset(&k, t, index_ml, out);
    fittings_done(&k.of_meter);
    return err;
}
