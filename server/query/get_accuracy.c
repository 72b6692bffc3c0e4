/* What meters of a model miss, year by year, as exchanges show it (server/fleet/wear.h). */
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/survey.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 100
#define YEARS 15
#define Q3_USUAL 2500
#define PACE_USUAL 0.15 /* units of wear.h a year: 150 m³ of a DN 15 */

static const char *const columns[] = { "years",  "throughput_m3", "missed_pct",
                                       "low",    "high",          "by_400_h_pct",
                                       "source", "exchanges",     "exchanges_all",
                                       NULL };

struct accuracy {
    struct wear_curve curve;
    double litres_a_year;
    int64_t q3_lph;
};

static void row_real(struct listing *l, const char *name, double v, int decimals)
{
    char text[48];

    snprintf(text, sizeof text, "%.*f", decimals, v);
    row_number(l, name, span_text(text));
}

static void put_year(struct listing *l, const struct accuracy *a, uint32_t year)
{
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    struct wear_error e;

    wear_predict(&a->curve, year, a->litres_a_year * year, a->q3_lph, &e);
    wr_be32(&w, year);
    row_begin(l);
    row_int(l, "years", year);
    row_real(l, "throughput_m3", a->litres_a_year * year / 1000, 1);
    row_real(l, "missed_pct", 100 * e.missed, 2);
    row_real(l, "low", 100 * e.low, 2);
    row_real(l, "high", 100 * e.high, 2);
    row_real(l, "by_400_h_pct", wear_milli_pct(&a->curve, a->litres_a_year, a->q3_lph) / 1000, 3);
    row_word(l, "source", wear_source_name(a->curve.source));
    row_int(l, "exchanges", a->curve.own);
    row_int(l, "exchanges_all", a->curve.all);
    row_end(l, wr_span(&w));
}

static void fill(struct listing *l)
{
    const struct accuracy *a = (const struct accuracy *)l->state;
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t year = l->cursor_len ? rd_be32(&r) + 1 : 1;

    for (; year <= YEARS && !listing_full(l); year++)
        put_year(l, a, year);
    l->ended = year > YEARS;
}

/* ---- learning ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Litres a year of the middle one; `values`: room. */
static double pace_of(const struct survey_group *g, int64_t q3_lph, double *values)
{
    size_t n = 0;

    for (size_t i = 0; g && i < g->measured; i++)
        if (g->samples[i].years > 0)
            values[n++] = g->samples[i].volume_l / g->samples[i].years;
    if (!n)
        return PACE_USUAL * WEAR_UNIT_H * (double)q3_lph;
    qsort(values, n, sizeof *values, by_size);
    return values[n / 2];
}

static enum err learn(const struct survey *v, struct span model, struct accuracy *out,
                      bool *out_served)
{
    struct wear_sums all = { 0 }, own = { 0 };
    const struct survey_group *group = NULL;
    struct wear_sample *samples;
    double *values, spread;
    size_t count = 0, n = 0;

    for (size_t i = 0; i < v->count; i++)
        count += v->groups[i].measured;
    samples = (struct wear_sample *)calloc(count + 1, sizeof *samples);
    values = (double *)calloc(count + 1, sizeof *values);
    if (!samples || !values) {
        free(samples);
        free(values);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < v->count; i++) {
        const struct survey_group *g = &v->groups[i];

        if (g->name && span_equal(span_text(g->name), model))
            group = g;
        wear_add(&all, g->samples, g->measured);
        for (size_t k = 0; k < g->measured; k++)
            samples[n++] = g->samples[k];
    }
    if (group)
        wear_add(&own, group->samples, group->measured);
    spread = wear_spread(samples, count, values);
    wear_learn(&all, &own, spread, &out->curve);
    if (group && group->measured && group->samples[0].q3_lph > 0)
        out->q3_lph = group->samples[0].q3_lph;
    out->litres_a_year = pace_of(group, out->q3_lph, values);
    *out_served = group != NULL;
    free(samples);
    free(values);
    return ERR_OK;
}

/* The Q3 of its row. False: there is no such row, or t->err. */
static bool model_row(struct txn *t, struct span model, int64_t *out_q3_lph)
{
    struct ledger_row row;
    struct cells cells;
    int64_t q3;

    if (!ledger_find(t, LIST_MODEL, model, INT64_MAX, &row))
        return false;
    cells = cells_of(&row);
    if (!text_decimal(cells.at[CELL_MODEL_q3], 3, &q3) && q3 > 0)
        *out_q3_lph = q3;
    return true;
}

void answer_model_accuracy(struct request *q)
{
    struct survey_wish wish = { .from_day = NO_DAY, .to_day = NO_DAY };
    struct accuracy *a = (struct accuracy *)calloc(1, sizeof *a);
    const struct survey *v = NULL;
    struct txn t;
    bool known, served = false;
    enum err err = a ? ERR_OK : ERR_NO_MEMORY;

    snprintf(wish.org, sizeof wish.org, "%s", q->caller.org);
    if (!err) {
        a->q3_lph = Q3_USUAL;
        t = ledger_read(q->app->ledger);
        known = model_row(&t, q->subject[0], &a->q3_lph);
        if (!(err = txn_end(&t)) && !(err = surveys_take(q->app, &wish, &v)) &&
            !(err = learn(v, q->subject[0], a, &served)) && (known || served)) {
            survey_give_back(q->app, v);
            listing_new(q, columns, fill, a, free, PAGE);
            return;
        }
    }
    survey_give_back(q->app, v);
    free(a);
    if (err)
        problem_of(q, err, "", "the lives of meters cannot be read: it %s", err_text(err));
    else
        problem_of(q, ERR_NOT_FOUND, "model", "model %.*s: no meter of it was ever fitted",
                   (int)(q->subject[0].len < 80 ? q->subject[0].len : 80),
                   (const char *)q->subject[0].at);
}
