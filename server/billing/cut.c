/* What is reckoned of a span looks back so far:
 *
 *   civil days for the checks (E3, E4)           62 days before the span, EARLIEST
 *   at each of these instants, the reading p at or before it, and from there
 *   the shape of days like it (C3, C4), or the pace (C6)       28 days, SHAPE
 *
 * So where readings that take part begin at least that long before, what lies before them is indifferent to everything but the register's turns and re-bases, and
 * these are looked for: the register must only rise, and turn at a whole cubic metre (D5). Which readings take part there, server/billing/verdicts.h knows. Behind the span a
 * reading is needed, for else the estimate of C6 would hold that the next one ends. */
#include "server/billing/cut.h"

#include <stdlib.h>

#define DAY_S INT64_C(86400)
#define EARLIEST_S (62 * DAY_S)
#define SHAPE_S (29 * DAY_S) /* C4's 28 times 24 h, and a day that begins within an hour of them */
#define SPARE_S (3 * DAY_S)  /* for the first reading and that before the earliest instant */
#define BEFORE_S (EARLIEST_S + SHAPE_S + SPARE_S)
#define BEHIND_S (2 * DAY_S)
#define CUBIC_METRE_ML 1000000

static void keep_those_that_take_part(struct rows *rows, const enum rule *rules, int64_t from_s,
                                      int64_t to_s)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++)
        if (!rules[i] && rows->at[i].time_s >= from_s && rows->at[i].time_s <= to_s)
            rows->at[kept++] = rows->at[i];
    rows->count = kept;
}

static bool only_rises(const struct rows *rows)
{
    for (size_t i = 1; i < rows->count; i++)
        if (rows->at[i].value < rows->at[i - 1].value ||
            rows->at[i].time_s <= rows->at[i - 1].time_s)
            return false;
    return true;
}

static bool reaches(const struct rows *rows, int64_t from_s, int64_t to_s)
{
    size_t behind = rows_from(rows, from_s - EARLIEST_S + 1);

    return behind && rows->at[behind - 1].time_s - SHAPE_S >= rows->at[0].time_s &&
           rows->at[rows->count - 1].time_s >= to_s;
}

enum err fitting_cut(const struct row_source *source, const struct meter_facts *m,
                     const struct fitting *f, int64_t from_s, int64_t to_s,
                     struct fitting *out_fitting, struct rows *rows, bool *out_done)
{
    int64_t first_s = from_s - BEFORE_S;
    enum rule *rules = NULL;
    enum err err;

    *out_done = false;
    if (m->form == REGISTER_NET || m->modulus_ml % CUBIC_METRE_ML || f->from_s >= first_s ||
        f->to_s < to_s)
        return ERR_OK;
    rows->count = 0;
    err = verdicts_load(source, m, f, 1, meter_billed_channel(m), first_s, to_s + BEHIND_S, rows,
                        &rules);
    if (err)
        return err;
    if (rows->count)
        keep_those_that_take_part(rows, rules, first_s, f->to_s);
    free(rules);
    if (!rows->count || !only_rises(rows) || !reaches(rows, from_s, to_s))
        return ERR_OK;
    *out_fitting = *f;
    out_fitting->from_s = rows->at[0].time_s;
    out_fitting->start_ml = rows->at[0].value;
    *out_done = true;
    return ERR_OK;
}
