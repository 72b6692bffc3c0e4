/* What lives of meters say of models, suppliers, batches and sizes over the years: failures per 1 000 meter-years, and how long they last. */
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/survey.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

/* ---- figures ---- */

/* So many decimals as a person can use; what is not known is null. */
static void row_real(struct listing *l, const char *name, bool known, double v, int decimals)
{
    char text[48];

    snprintf(text, sizeof text, "%.*f", decimals, v);
    if (known && isfinite(v))
        row_number(l, name, span_text(text));
    else
        row_null(l, name);
}

static void member_real(struct out *o, const char *name, bool known, double v, int decimals)
{
    out_key(o, name);
    if (known && isfinite(v))
        out_format(o, "%.*f", decimals, v);
    else
        out_text(o, "null");
}

/* ---- failures ---- */

static const char *const columns[] = {
    "name", "meters",  "service_meter_years",        "failures",           "per_1000_my", "low",
    "high", "by_kind", "median_age_at_failure_days", "under_registration", NULL
};

struct shown {
    struct app *app;
    const struct survey *survey;
    struct survival_step *steps;
    size_t count;
};

static void shown_done(void *state)
{
    struct shown *s = (struct shown *)state;

    survey_give_back(s->app, s->survey);
    free(s->steps);
    free(s);
}

static void put_kinds(struct listing *l, const struct survey_group *g)
{
    struct out *o = row_raw_begin(l, "by_kind");

    out_text(o, "{");
    for (unsigned k = 0; k < FAILURE_KINDS; k++)
        out_member_int(o, failure_name((enum failure_kind)k), (int64_t)g->by_kind[k]);
    out_text(o, "}");
    row_raw_end(l);
}

/* Of a ratio old / new what the old one missed, in percent. */
static void put_exchanges(struct listing *l, const struct survey_group *g)
{
    struct out *o = row_raw_begin(l, "under_registration");

    out_text(o, "{");
    out_member_int(o, "exchanges", (int64_t)g->exchanges);
    out_member_int(o, "measured", (int64_t)g->measured);
    out_key(o, "left_out");
    out_text(o, "{");
    for (unsigned n = 0; n < EXCHANGE_LEFT; n++)
        out_member_int(o, exchange_left_name((enum exchange_left_out)n), (int64_t)g->left_out[n]);
    out_text(o, "}");
    member_real(o, "median_pct", g->spread, 100 - 100 * g->ratio.median, 1);
    member_real(o, "low", g->spread, 100 - 100 * g->ratio.high, 1);
    member_real(o, "high", g->spread, 100 - 100 * g->ratio.low, 1);
    out_text(o, "}");
    row_raw_end(l);
}

static void put_rate(struct listing *l, const struct survey_group *g)
{
    double low, high, a_failure = quality_rate(1, g->service_s);
    bool known = g->service_s > 0;

    quality_bounds(g->failures, &low, &high);
    row_real(l, "service_meter_years", true, (double)g->service_s / QUALITY_YEAR_S, 3);
    row_int(l, "failures", (int64_t)g->failures);
    row_real(l, "per_1000_my", known, quality_rate(g->failures, g->service_s), 3);
    row_real(l, "low", known, low * a_failure, 3);
    row_real(l, "high", known, high * a_failure, 3);
}

/* The cursor is the name: whatever is counted between two pages, the next begins behind it. */
static void put_group(struct listing *l, const struct survey_group *g)
{
    uint8_t cursor[1 + SURVEY_NAME];
    struct wr w = wr_of(cursor, sizeof cursor);

    wr_u8(&w, g->name ? 'n' : '-');
    if (g->name)
        wr_text(&w, g->name);
    row_begin(l);
    row_word(l, "name", g->name);
    row_int(l, "meters", (int64_t)g->meters);
    put_rate(l, g);
    put_kinds(l, g);
    row_real(l, "median_age_at_failure_days", g->failures > 0, g->median_age_days, 1);
    put_exchanges(l, g);
    row_end(l, wr_span(&w));
}

static void fill(struct listing *l)
{
    const struct shown *s = (const struct shown *)l->state;
    size_t n = 0;

    if (l->cursor_len) {
        char name[CURSOR_MAX];

        snprintf(name, sizeof name, "%.*s", (int)l->cursor_len - 1, (const char *)l->cursor + 1);
        n = survey_after(s->survey, l->cursor[0] == 'n' ? name : NULL);
    }
    for (; n < s->survey->count && !listing_full(l); n++)
        put_group(l, &s->survey->groups[n]);
    l->ended = n >= s->survey->count;
}

/* ---- survival ---- */

static const char *const survival_columns[] = { "age_days", "at_risk",         "failed",
                                                "censored", "survival",        "low",
                                                "high",     "median_age_days", NULL };

static void put_step(struct listing *l, const struct shown *s, size_t n)
{
    const struct survival_step *step = &s->steps[n];
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    uint32_t median = 0;
    bool known = survival_median(s->steps, s->count, &median);

    wr_be32(&w, step->age_days);
    row_begin(l);
    row_int(l, "age_days", step->age_days);
    row_int(l, "at_risk", (int64_t)step->at_risk);
    row_int(l, "failed", (int64_t)step->failed);
    row_int(l, "censored", (int64_t)step->censored);
    row_real(l, "survival", true, step->survival, 6);
    row_real(l, "low", true, step->low, 6);
    row_real(l, "high", true, step->high, 6);
    if (known)
        row_int(l, "median_age_days", median);
    else
        row_null(l, "median_age_days");
    row_end(l, wr_span(&w));
}

static void fill_steps(struct listing *l)
{
    const struct shown *s = (const struct shown *)l->state;
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t after = l->cursor_len ? rd_be32(&r) : 0;
    size_t n = 0;

    while (l->cursor_len && n < s->count && s->steps[n].age_days <= after)
        n++;
    for (; n < s->count && !listing_full(l); n++)
        put_step(l, s, n);
    l->ended = n >= s->count;
}

static enum err steps_make(struct shown *s)
{
    const struct survival_day *days = s->survey->days;

    s->count = survival_steps(days, SURVEY_AGES_MAX, NULL, 0);
    s->steps = (struct survival_step *)calloc(s->count + 1, sizeof *s->steps);
    if (!s->steps)
        return ERR_NO_MEMORY;
    (void)survival_steps(days, SURVEY_AGES_MAX, s->steps, s->count);
    return ERR_OK;
}

/* ---- asking ---- */

static bool ask_name(struct request *q, const char *name, struct span text, char out[SURVEY_NAME])
{
    if (text.len >= SURVEY_NAME) {
        problem_of(q, ERR_INVALID, name, "%s: found %zu bytes, expected at most %d", name, text.len,
                   SURVEY_NAME - 1);
        return false;
    }
    if (text.len)
        memcpy(out, text.at, text.len);
    out[text.len] = 0;
    return true;
}

static bool ask_by(struct request *q, enum survey_by *out)
{
    static const char *const names[] = { [SURVEY_MODEL] = "model",
                                         [SURVEY_SUPPLIER] = "supplier",
                                         [SURVEY_BATCH] = "batch",
                                         [SURVEY_DN] = "dn",
                                         [SURVEY_YEAR] = "year" };
    struct span by = ask_text(q, "by");

    for (unsigned n = 0; n < sizeof names / sizeof names[0]; n++)
        if (span_equal(by, span_text(names[n]))) {
            *out = (enum survey_by)n;
            return true;
        }
    if (!by.len)
        return true;
    problem_of(q, ERR_INVALID, "by", "by: found %.*s, expected model, supplier, batch, dn or year",
               (int)(by.len < 40 ? by.len : 40), (const char *)by.at);
    return false;
}

static void wish_begin(const struct request *q, struct survey_wish *w)
{
    *w = (struct survey_wish){ .from_day = NO_DAY, .to_day = NO_DAY };
    snprintf(w->org, sizeof w->org, "%s", q->caller.org);
}

/* NULL: refused. */
static struct shown *take(struct request *q, const struct survey_wish *wish)
{
    struct shown *s = (struct shown *)calloc(1, sizeof *s);
    enum err err = s ? surveys_take(q->app, wish, &s->survey) : ERR_NO_MEMORY;

    if (!err) {
        s->app = q->app;
        return s;
    }
    free(s);
    if (err == ERR_LIMIT)
        problem_of(q, ERR_INVALID, "by",
                   "by: found more than %d names, expected a model or a supplier beside it",
                   SURVEY_GROUPS_MAX);
    else
        problem_of(q, err, "", "the lives of meters cannot be read: it %s", err_text(err));
    return NULL;
}

void answer_quality(struct request *q)
{
    struct survey_wish wish;
    struct shown *s;

    wish_begin(q, &wish);
    if (ask_by(q, &wish.by) && ask_days(q, false, &wish.from_day, &wish.to_day) &&
        ask_name(q, "model", ask_text(q, "model"), wish.model) &&
        ask_name(q, "supplier", ask_text(q, "supplier"), wish.supplier) && (s = take(q, &wish)))
        listing_new(q, columns, fill, s, shown_done, PAGE);
}

/* A model that was never registered, nor stands with any meter that served, is unknown; of suppliers there is no register. */
static bool is_known(struct request *q, const char *what, const struct shown *s)
{
    struct txn t;
    struct ledger_row row;
    bool known;

    if (s->count)
        return true;
    t = ledger_read(q->app->ledger);
    known =
        strcmp(what, "model") == 0 && ledger_find(&t, LIST_MODEL, q->subject[0], INT64_MAX, &row);
    txn_abort(&t);
    if (!known)
        problem_of(q, ERR_NOT_FOUND, what, "%s %.*s: no meter of it was ever fitted", what,
                   (int)(q->subject[0].len < 80 ? q->subject[0].len : 80),
                   (const char *)q->subject[0].at);
    return known;
}

static void answer_survival(struct request *q, struct survey_wish *wish, const char *what)
{
    struct shown *s = take(q, wish);
    enum err err;

    if (!s)
        return;
    if ((err = steps_make(s)))
        problem_of(q, err, "", "no memory for the list");
    else if (is_known(q, what, s)) {
        listing_new(q, survival_columns, fill_steps, s, shown_done, PAGE);
        return;
    }
    shown_done(s);
}

void answer_model_survival(struct request *q)
{
    struct survey_wish wish;

    wish_begin(q, &wish);
    wish.survival = true;
    if (ask_name(q, "model", q->subject[0], wish.model) &&
        ask_name(q, "supplier", ask_text(q, "supplier"), wish.supplier))
        answer_survival(q, &wish, "model");
}

void answer_supplier_survival(struct request *q)
{
    struct survey_wish wish;

    wish_begin(q, &wish);
    wish.survival = true;
    if (ask_name(q, "supplier", q->subject[0], wish.supplier) &&
        ask_name(q, "model", ask_text(q, "model"), wish.model))
        answer_survival(q, &wish, "supplier");
}
