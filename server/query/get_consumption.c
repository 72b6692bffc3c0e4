/* What a service point used (rules-bills C to E), and the same cut at civil hours, days or months:
 * a row at a time, so that years of hours leave with flat memory. */
#include "proto/base/rd.h"
#include "server/point_use.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/query/step_asked.h"

#include <stdlib.h>

#define PAGE 10000

static const char *const columns[] = { "point",   "from",   "to",     "consumption_l", "billed_m3",
                                       "quality", "method", "checks", "parts",         NULL };
static const char *const explained_columns[] = { "point",         "from",         "to",
                                                 "consumption_l", "billed_m3",    "quality",
                                                 "method",        "checks",       "parts",
                                                 "explain",       "check_inputs", NULL };

struct used {
    char point[64];
    struct span name; /* the same */
    int64_t from_s, to_s, now_s;
    enum consume_step step;
    bool explained; /* of the whole alone */
    struct point_use use;
};

static void used_done(void *state)
{
    struct used *u = (struct used *)state;

    point_use_done(&u->use);
    free(u);
}

/* ---- loading ---- */

static bool load(struct request *q, struct used *u)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    enum err err = ERR_OK;
    bool found =
        row_named(q, &t, list_of(LIST_POINT), INT64_MAX, &row) && point_name(&t, row.id, u->point);

    u->name = span_text(u->point);
    if (found)
        err = point_use_load(q->app, &t, row.id, u->from_s, u->to_s, u->step, u->now_s, &u->use);
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the point's readings cannot be read: a part %s", err_text(err));
    return found && !err;
}

/* ---- writing ---- */

/* The cursor is the row's end: where the next begins. */
static void put(struct listing *l, const struct used *u, const struct consumption *c)
{
    uint8_t cursor[8];
    struct wr w = wr_of(cursor, sizeof cursor);

    wr_be64(&w, (uint64_t)c->to_s);
    row_begin(l);
    row_text(l, "point", u->name);
    row_time(l, "from", c->from_s);
    row_time(l, "to", c->to_s);
    if (c->known) {
        row_litres(l, "consumption_l", c->consumption_ml);
        row_int(l, "billed_m3", c->billed_m3);
    } else {
        row_null(l, "consumption_l");
        row_null(l, "billed_m3");
    }
    row_word(l, "quality", quality_name(c->quality));
    row_word(l, "method", c->known ? method_name(c->method) : NULL);
    use_put_checks(row_raw_begin(l, "checks"), c->checks);
    row_raw_end(l);
    use_put_told_parts(row_raw_begin(l, "parts"), &u->use, c);
    row_raw_end(l);
    if (u->explained) {
        listing_fail(l, use_put_explanation(row_raw_begin(l, "explain"), &u->use, c));
        row_raw_end(l);
        rules_put_told(row_raw_begin(l, "check_inputs"), c->judged, c->checks, c->told);
        row_raw_end(l);
    }
    row_end(l, wr_span(&w));
}

static int64_t place_of(const struct listing *l, const struct used *u)
{
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    int64_t at_s = l->cursor_len ? (int64_t)rd_be64(&r) : u->from_s;

    return at_s < u->from_s || r.err ? u->to_s : at_s;
}

/* One row; returns where it ends, or INT64_MAX after an error. */
static int64_t put_row(struct listing *l, const struct used *u, int64_t from_s)
{
    int64_t end_s = consume_step_end(u->step, &l->app->zone, from_s);
    const struct consumption *c;
    enum err err;

    if (end_s > u->to_s)
        end_s = u->to_s;
    if ((err = consumer_row(u->use.consumer, from_s, end_s, &c))) {
        listing_fail(l, err);
        return INT64_MAX;
    }
    put(l, u, c);
    return end_s;
}

static void fill(struct listing *l)
{
    const struct used *u = (const struct used *)l->state;
    int64_t from_s = place_of(l, u);

    while (from_s < u->to_s && !listing_full(l))
        from_s = put_row(l, u, from_s);
    l->ended = from_s >= u->to_s;
}

/* ---- asking ---- */

bool ask_step(struct request *q, enum consume_step *out)
{
    static const struct {
        const char *name;
        enum consume_step step;
    } steps[] = {
        { "", STEP_NONE }, { "hour", STEP_HOUR }, { "day", STEP_DAY }, { "month", STEP_MONTH }
    };
    struct span name = ask_text(q, "step");

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (span_equal(name, span_text(steps[i].name))) {
            *out = steps[i].step;
            return true;
        }
    }
    problem_of(q, ERR_INVALID, "step", "step: found %.*s, expected hour, day or month",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

/* What a row rests on is some kilobytes: of the whole, not of each of thousands of hours. */
static bool ask_explained(struct request *q, struct used *u)
{
    if (!ask_bool(q, "explain", &u->explained))
        return false;
    if (!u->explained || u->step == STEP_NONE)
        return true;
    problem_of(q, ERR_INVALID, "explain",
               "explain: found together with step, expected a span without one");
    return false;
}

/* Without a step the answer is the one row itself. */
static void answer_whole(struct request *q, const struct used *u)
{
    struct listing alone;

    row_alone_begin(&alone, q);
    put_row(&alone, u, u->from_s);
    row_alone_end(&alone);
}

void answer_consumption(struct request *q)
{
    struct used *u = (struct used *)calloc(1, sizeof *u);

    if (!u) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the answer");
        return;
    }
    u->now_s = clock_now_s(&q->app->clock);
    if (!ask_step(q, &u->step) || !ask_explained(q, u) ||
        !ask_span(q, &u->from_s, &u->to_s, true) || !load(q, u)) {
        used_done(u);
    } else if (u->step == STEP_NONE && q->form == FORM_JSON) {
        answer_whole(q, u);
        used_done(u);
    } else {
        listing_new(q, u->explained ? explained_columns : columns, fill, u, used_done, PAGE);
    }
}
