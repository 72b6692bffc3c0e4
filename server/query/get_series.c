/* A meter's series thinned for a chart (server/billing/chart.h): from years to hours, at most so many points, column-wise,
 * for a page draws columns.  The channel that the meter is billed by is counted, and so has use and flow; of others the
 * readings alone are told. Edits stand in none of it: it is what came from the meter and who read it. */
#include "server/billing/chart.h"
#include "server/billing/verdicts.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdlib.h>

#define POINTS 1000
#define TIME_END ((int64_t)UINT32_MAX + 1)
#define DAY_S 86400
#define BEFORE_S                                                                                   \
    (40 *                                                                                          \
     DAY_S) /* a reading is looked for so long before the span and behind it: some meters are read once a month */
#define GAP_STEPS 3 /* usual steps, or two buckets, whichever is longer */

struct charted {
    struct meter_facts meter;
    struct fittings fittings;
    enum channel channel;
    int64_t from_s, to_s, step_s, points;
    struct rows rows;
    enum rule *rules;
    struct register_line *lines;
    size_t line_count;
    struct chart_edges edges;
    struct chart chart;
};

static void charted_done(struct charted *s)
{
    for (size_t i = 0; i < s->line_count; i++)
        register_line_done(&s->lines[i]);
    free(s->lines);
    free(s->rules);
    rows_done(&s->rows);
    fittings_done(&s->fittings);
    chart_done(&s->chart);
    free(s);
}

/* ---- loading ---- */

/* A span that was not asked for begins with the first reading and ends now. */
static void settle_span(struct charted *s, int64_t now_s)
{
    if (s->to_s == INT64_MAX)
        s->to_s = now_s + 1;
    if (s->from_s == INT64_MIN)
        s->from_s = s->rows.count ? s->rows.at[0].time_s : s->to_s;
    s->from_s = s->from_s < 0 ? 0 : s->from_s;
    s->to_s = s->to_s > TIME_END ? TIME_END : s->to_s;
    s->from_s = s->from_s > s->to_s ? s->to_s : s->from_s;
}

static enum err judge(struct charted *s)
{
    if (!s->rows.count)
        return ERR_OK;
    if (!(s->rules = (enum rule *)malloc(s->rows.count * sizeof *s->rules)))
        return ERR_NO_MEMORY;
    return walk_rows(&s->meter, s->fittings.at, s->fittings.count, s->channel, &s->rows, s->rules);
}

static enum err count_lines(struct charted *s)
{
    enum err err = ERR_OK;

    if (s->channel != meter_billed_channel(&s->meter))
        return ERR_OK;
    s->lines = (struct register_line *)calloc(s->fittings.count + 1, sizeof *s->lines);
    if (!s->lines)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < s->fittings.count && !err; i++) {
        const struct fitting *f = &s->fittings.at[i];

        if (f->from_s < s->to_s && f->to_s >= s->from_s &&
            !(err = register_line_make(&s->meter, f, &s->rows, &s->lines[s->line_count])))
            s->line_count++;
    }
    return err;
}

static enum err cut(struct app *app, struct charted *s)
{
    int64_t gap_s;
    enum err err = chart_step(&s->rows, s->rules, s->from_s, s->to_s, &s->step_s);

    if (err || s->from_s == s->to_s)
        return err;
    chart_lay(&app->zone, s->from_s, s->to_s, s->step_s, (size_t)s->points, &s->edges);
    gap_s =
        GAP_STEPS * s->step_s > 2 * s->edges.width_s ? GAP_STEPS * s->step_s : 2 * s->edges.width_s;
    return chart_make(&s->rows, s->rules, s->lines, s->line_count, &s->edges, s->from_s, s->to_s,
                      gap_s, &s->chart);
}

static enum err load_whole(struct app *app, struct charted *s)
{
    enum err err = readings_load(app, &s->meter, s->channel, 0, TIME_END, &s->rows);

    if (err)
        return err;
    settle_span(s, clock_now_s(&app->clock));
    if ((err = judge(s)))
        return err;
    return count_lines(s);
}

/* ---- a span of years without reading years ---- */

struct channel_source {
    struct app *app;
    const struct charted *series;
};

static enum err source_load(void *arg, int64_t from_s, int64_t to_s, struct rows *out)
{
    const struct channel_source *c = (const struct channel_source *)arg;

    return readings_load(c->app, &c->series->meter, c->series->channel, from_s, to_s, out);
}

static enum err source_below_zero(void *arg, bool *out_below)
{
    const struct channel_source *c = (const struct channel_source *)arg;

    return readings_below_zero(c->app, &c->series->meter, out_below);
}

/* The one fitting in which the span lies with what is looked for around it; NULL: there is none such. */
static struct fitting *fitting_around(struct charted *s)
{
    struct fitting *found = NULL;

    for (size_t i = 0; i < s->fittings.count; i++) {
        struct fitting *f = &s->fittings.at[i];

        if (f->from_s >= s->to_s + BEFORE_S || f->to_s < s->from_s - BEFORE_S)
            continue;
        if (found)
            return NULL;
        found = f;
    }
    return found && found->from_s < s->from_s - BEFORE_S ? found : NULL;
}

/* Whether what was loaded tells of all of the span: it begins with a reading that takes part, and ends with one behind, or where there are no more. */
static bool reaches(const struct charted *s, int64_t now_s)
{
    const struct rows *rows = &s->rows;

    return rows->count && !s->rules[0] && rows->at[0].time_s <= s->from_s &&
           (rows->at[rows->count - 1].time_s >= s->to_s || s->to_s + BEFORE_S > now_s);
}

/* Where verdicts need not the meter's whole life (verdicts.h), neither does the register: it is counted from the first reading there as from a start index. *out_done false: all of it has to be read. */
static enum err load_short(struct app *app, struct charted *s, bool *out_done)
{
    struct channel_source channel = { app, s };
    struct row_source source = { source_load, source_below_zero, &channel };
    int64_t now_s = clock_now_s(&app->clock);
    struct fitting *f;
    enum err err;

    *out_done = false;
    if (s->from_s == INT64_MIN || s->channel != meter_billed_channel(&s->meter))
        return ERR_OK;
    settle_span(s, now_s);
    if (!(f = fitting_around(s)))
        return ERR_OK;
    err = verdicts_load(&source, &s->meter, s->fittings.at, s->fittings.count, s->channel,
                        s->from_s - BEFORE_S, s->to_s + BEFORE_S, &s->rows, &s->rules);
    if (err || !reaches(s, now_s)) {
        free(s->rules);
        s->rules = NULL;
        s->rows.count = 0;
        return err;
    }
    f->from_s = s->rows.at[0].time_s;
    f->start_ml = s->rows.at[0].value;
    *out_done = true;
    return count_lines(s);
}

static enum err load(struct app *app, struct charted *s)
{
    bool done;
    enum err err = load_short(app, s, &done);

    if (!err && !done)
        err = load_whole(app, s);
    return err ? err : cut(app, s);
}

/* ---- writing ---- */

static void column_begin(struct out *o, const char *name)
{
    out_key(o, name);
    out_text(o, "[");
}

static void value_begin(struct out *o, size_t i)
{
    if (i)
        out_text(o, ",");
}

static void put_ints(struct out *o, const char *name, const struct charted *s,
                     int64_t (*value)(const struct charted *s, size_t i))
{
    column_begin(o, name);
    for (size_t i = 0; i < s->edges.count; i++) {
        value_begin(o, i);
        out_int(o, value(s, i));
    }
    out_text(o, "]");
}

/* `value` false: null. */
static void put_litres(struct out *o, const char *name, const struct charted *s,
                       bool (*value)(const struct chart_bucket *b, int64_t *out_ml))
{
    column_begin(o, name);
    for (size_t i = 0; i < s->edges.count; i++) {
        int64_t ml;

        value_begin(o, i);
        if (value(&s->chart.buckets[i], &ml))
            out_litres(o, ml);
        else
            out_text(o, "null");
    }
    out_text(o, "]");
}

static int64_t begin_of(const struct charted *s, size_t i)
{
    return s->edges.at[i];
}

static int64_t count_of(const struct charted *s, size_t i)
{
    return (int64_t)s->chart.buckets[i].count;
}

static int64_t suspects_of(const struct charted *s, size_t i)
{
    return (int64_t)s->chart.buckets[i].suspects;
}

#define LITRES_OF(name, known, value)                                                              \
    static bool name(const struct chart_bucket *b, int64_t *out_ml)                                \
    {                                                                                              \
        *out_ml = b->value;                                                                        \
        return b->known;                                                                           \
    }
LITRES_OF(first_of, count, first)
LITRES_OF(least_of, count, least)
LITRES_OF(greatest_of, count, greatest)
LITRES_OF(last_of, count, last)
LITRES_OF(use_of, flows, use_ml)
LITRES_OF(flow_least_of, has_flow, flow_least_mlph)
LITRES_OF(flow_most_of, has_flow, flow_most_mlph)

static void put_gap_times(struct out *o, const char *name, const struct chart *c, bool ends)
{
    column_begin(o, name);
    for (size_t i = 0; i < c->gap_count; i++) {
        value_begin(o, i);
        out_int(o, ends ? c->gaps[i].to_s : c->gaps[i].from_s);
    }
    out_text(o, "]");
}

static void put_gaps(struct out *o, const struct chart *c)
{
    out_key(o, "gaps");
    out_text(o, "{");
    put_gap_times(o, "from", c, false);
    put_gap_times(o, "to", c, true);
    column_begin(o, "use_l");
    for (size_t i = 0; i < c->gap_count; i++) {
        value_begin(o, i);
        out_litres(o, c->gaps[i].use_ml);
    }
    out_text(o, "]}");
}

/* Those of a bucket that are told apart, in order of time; returns how many: none, one or two. */
static size_t told_of(const struct chart_bucket *b, size_t rows[2])
{
    if (!b->suspects)
        return 0;
    rows[0] = b->suspect_least < b->suspect_greatest ? b->suspect_least : b->suspect_greatest;
    rows[1] = b->suspect_least < b->suspect_greatest ? b->suspect_greatest : b->suspect_least;
    return rows[0] == rows[1] ? 1 : 2;
}

enum suspect_column { SUSPECT_TIME, SUSPECT_INDEX, SUSPECT_RULE };

static void put_suspect(struct out *o, const struct charted *s, enum suspect_column what,
                        size_t row)
{
    if (what == SUSPECT_TIME)
        out_int(o, s->rows.at[row].time_s);
    else if (what == SUSPECT_INDEX)
        out_litres(o, s->rows.at[row].value);
    else
        out_string(o, span_text(rule_name(s->rules[row])));
}

static void put_suspects(struct out *o, const char *name, const struct charted *s,
                         enum suspect_column what)
{
    size_t told = 0, rows[2];

    column_begin(o, name);
    for (size_t i = 0; i < s->edges.count; i++) {
        size_t count = told_of(&s->chart.buckets[i], rows);

        for (size_t k = 0; k < count; k++) {
            value_begin(o, told++);
            put_suspect(o, s, what, rows[k]);
        }
    }
    out_text(o, "]");
}

static void put_counted(struct out *o, const struct charted *s)
{
    put_litres(o, "use_l", s, use_of);
    put_litres(o, "flow_min_lph", s, flow_least_of);
    put_litres(o, "flow_max_lph", s, flow_most_of);
    put_gaps(o, &s->chart);
    out_member_litres(o, "moved_l", s->chart.moved_ml);
}

static void put_series(struct out *o, const struct charted *s)
{
    out_text(o, "{");
    out_member_text(o, "serial", s->meter.serial);
    out_member_text(o, "channel", channel_name(s->channel));
    out_member_time(o, "from", s->from_s);
    out_member_time(o, "to", s->to_s);
    out_member_int(o, "step_s", s->step_s);
    out_member_int(o, "width_s", s->edges.width_s);
    put_ints(o, "t", s, begin_of);
    put_ints(o, "count", s, count_of);
    put_litres(o, "first_l", s, first_of);
    put_litres(o, "min_l", s, least_of);
    put_litres(o, "max_l", s, greatest_of);
    put_litres(o, "last_l", s, last_of);
    if (s->lines)
        put_counted(o, s);
    put_ints(o, "suspects", s, suspects_of);
    out_key(o, "suspect");
    out_text(o, "{");
    put_suspects(o, "t", s, SUSPECT_TIME);
    put_suspects(o, "index_l", s, SUSPECT_INDEX);
    put_suspects(o, "rule", s, SUSPECT_RULE);
    out_text(o, "}}\n");
}

/* ---- asking ---- */

static bool ask_channel(struct request *q, struct charted *s)
{
    struct span name = ask_text(q, "channel");

    s->channel = meter_billed_channel(&s->meter);
    if (!name.len || !channel_read(name, &s->channel))
        return true;
    problem_of(q, ERR_INVALID, "channel",
               "channel: found %.*s, expected forward, reverse, net, pressure or temperature",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

static bool ask_meter(struct request *q, struct charted *s)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool found = row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row);
    enum err err = ERR_OK;

    if (found && !(err = meter_facts_by_id(&t, row.id, &s->meter)))
        err = fittings_load(&t, false, row.id, &s->fittings);
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the meter's record %s", err_text(err));
    return found && !err;
}

void answer_series(struct request *q)
{
    struct charted *s = (struct charted *)calloc(1, sizeof *s);
    enum err err;

    if (!s) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the series");
        return;
    }
    s->fittings.at = s->fittings.few;
    if (ask_span(q, &s->from_s, &s->to_s, false) &&
        ask_int(q, "points", CHART_POINTS_LEAST, CHART_POINTS_MOST, POINTS, &s->points) &&
        ask_meter(q, s) && ask_channel(q, s)) {
        if ((err = load(q->app, s))) {
            problem_of(q, err, "", "the meter's readings cannot be read: a part %s", err_text(err));
        } else {
            q->status = 200;
            put_series(&q->out, s);
        }
    }
    charted_done(s);
}
