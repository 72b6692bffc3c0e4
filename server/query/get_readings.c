/* All kept readings of a meter over a span, with the rule by which one takes no part (rules-bills
 * B14), in the order of A5: by time; of one instant those that take part first, then by channel,
 * then as first received. */
#include "proto/base/rd.h"
#include "server/billing/against.h"
#include "server/billing/verdicts.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdlib.h>

#define PAGE 10000 /* more than a year of hours */

static const char *const columns[] = { "serial",  "channel", "time",    "index_l", "source",
                                       "quality", "retimed", "suspect", "rule",    NULL };

static const char *const explained_columns[] = { "serial", "channel", "time",    "index_l",
                                                 "source", "quality", "retimed", "suspect",
                                                 "rule",   "explain", NULL };

struct line {
    struct row row;
    uint8_t channel, rule;
    uint32_t against; /* its place in there */
};

struct readings {
    struct meter_facts meter;
    struct fittings fittings;
    int64_t from_s, to_s;
    unsigned channels; /* a set of 1 << channel */
    bool explained;
    size_t count, cap;
    struct line *lines;
    struct against *against; /* as many as `cap`; where it was asked for */
};

static void readings_done(void *state)
{
    struct readings *r = (struct readings *)state;

    fittings_done(&r->fittings);
    free(r->lines);
    free(r->against);
    free(r);
}

/* ---- loading and judging ---- */

static enum err make_room(struct readings *r, size_t more)
{
    size_t cap = r->count + more;
    struct line *grown;

    if (cap <= r->cap)
        return ERR_OK;
    if (!(grown = (struct line *)realloc(r->lines, cap * sizeof *grown)))
        return ERR_NO_MEMORY;
    r->lines = grown;
    if (r->explained) {
        struct against *more_told = (struct against *)realloc(r->against, cap * sizeof *more_told);

        if (!more_told)
            return ERR_NO_MEMORY;
        r->against = more_told;
    }
    r->cap = cap;
    return ERR_OK;
}

static enum err keep(struct readings *r, enum channel c, const struct rows *rows,
                     const enum rule *rules)
{
    size_t first = 0, end;
    enum err err;

    while (first < rows->count && rows->at[first].time_s < r->from_s)
        first++;
    for (end = first; end < rows->count && rows->at[end].time_s < r->to_s;)
        end++;
    if ((err = make_room(r, end - first)))
        return err;
    if (r->explained)
        against_list(&r->meter, r->fittings.at, r->fittings.count, c, rows, rules, first, end,
                     r->against + r->count);
    for (size_t i = first; i < end; i++, r->count++)
        r->lines[r->count] =
            (struct line){ rows->at[i], (uint8_t)c, (uint8_t)rules[i], (uint32_t)r->count };
    return ERR_OK;
}

struct channel_source {
    struct app *app;
    const struct meter_facts *meter;
    enum channel channel;
};

static enum err load_rows(void *arg, int64_t from_s, int64_t to_s, struct rows *out)
{
    const struct channel_source *s = (const struct channel_source *)arg;

    return readings_load(s->app, s->meter, s->channel, from_s, to_s, out);
}

static enum err look_below_zero(void *arg, bool *out_below)
{
    const struct channel_source *s = (const struct channel_source *)arg;

    return readings_below_zero(s->app, s->meter, out_below);
}

static enum err load_channel(struct app *app, struct readings *r, enum channel c)
{
    struct channel_source channel = { app, &r->meter, c };
    struct row_source source = { load_rows, look_below_zero, &channel };
    struct rows rows = { 0 };
    enum rule *rules = NULL;
    enum err err = verdicts_load(&source, &r->meter, r->fittings.at, r->fittings.count, c,
                                 r->from_s, r->to_s, &rows, &rules);

    if (!err)
        err = keep(r, c, &rows, rules);
    free(rules);
    rows_done(&rows);
    return err;
}

static bool after(const struct line *x, const struct line *y)
{
    if (x->row.time_s != y->row.time_s)
        return x->row.time_s > y->row.time_s;
    if (!x->rule != !y->rule)
        return x->rule != 0;
    return x->channel > y->channel;
}

/* Merges two ordered halves through `spare`, stably. */
static void merge(struct line *at, size_t half, size_t count, struct line *spare)
{
    size_t left = 0, right = half, n = 0;

    memcpy(spare, at, half * sizeof *at);
    while (left < half && right < count)
        at[n++] = after(&spare[left], &at[right]) ? at[right++] : spare[left++];
    memcpy(at + n, spare + left, (half - left) * sizeof *at);
}

/* Rows of one channel stand in order but where two of one instant differ, so halves mostly need no
 * merging. */
static void sort(struct line *at, size_t count, struct line *spare)
{
    size_t half = count / 2;

    if (count < 2)
        return;
    sort(at, half, spare);
    sort(at + half, count - half, spare);
    if (after(&at[half - 1], &at[half]))
        merge(at, half, count, spare);
}

static enum err sort_lines(struct readings *r)
{
    struct line *spare;
    size_t n = 1;

    while (n < r->count && !after(&r->lines[n - 1], &r->lines[n]))
        n++;
    if (n >= r->count)
        return ERR_OK;
    if (!(spare = (struct line *)malloc((r->count / 2 + 1) * sizeof *spare)))
        return ERR_NO_MEMORY;
    sort(r->lines, r->count, spare);
    free(spare);
    return ERR_OK;
}

static enum err load(struct app *app, struct readings *r)
{
    enum err err = ERR_OK;

    for (int c = 0; c < CHANNEL_COUNT && !err; c++) {
        if (r->channels & 1u << c)
            err = load_channel(app, r, (enum channel)c);
    }
    return err ? err : sort_lines(r);
}

/* ---- writing ---- */

static const char *const source_names[] = { "remote", "manual", "photo", "manual" };

static void put_mark(struct out *o, const char *name, const struct mark_told *m)
{
    out_key(o, name);
    out_text(o, "{");
    out_member_time(o, "time", m->at_s);
    out_member_litres(o, "index_l", m->index_ml);
    out_member_text(o, "source", m->own ? "fitting" : source_names[m->source]);
    out_text(o, "}");
}

static void put_against(struct out *o, const struct against *a)
{
    const struct listed *rule = listed_rule(a->rule);

    out_text(o, "{");
    out_member_text(o, "rule", rule->name);
    out_member_int(o, "version", 1);
    out_member_text(o, "text_en", rule->en);
    out_member_text(o, "text_zh", rule->zh);
    if (a->has_before) {
        put_mark(o, "before", &a->before);
        out_member_litres(o, a->counts ? "counted_l" : "difference_l", a->moved_ml);
        out_member_int(o, "seconds", a->seconds);
        out_member_litres(o, "ceiling_l", a->ceiling_ml);
    }
    if (a->rollovers)
        out_member_int(o, "rollovers", a->rollovers);
    if (a->has_beside)
        put_mark(o, "beside", &a->beside);
    if (a->has_fitting)
        out_member_time(o, "fitted_until", a->fitted_until_s);
    if (a->has_next)
        out_member_time(o, "fitted_from", a->fitted_from_s);
    out_text(o, "}");
}

static void put_cells(struct listing *l, const struct readings *r, const struct line *line)
{
    const char *rule = rule_name((enum rule)line->rule);

    row_begin(l);
    row_word(l, "serial", r->meter.serial);
    row_word(l, "channel", channel_name((enum channel)line->channel));
    row_time(l, "time", line->row.time_s);
    row_litres(l, "index_l", line->row.value);
    row_word(l, "source", source_names[line->row.attr & ATTR_SOURCE]);
    row_word(l, "quality", "actual");
    if (line->row.attr & ATTR_RETIMED)
        row_bool(l, "retimed", true);
    else
        row_absent(l, "retimed");
    if (rule) {
        row_bool(l, "suspect", true);
        row_word(l, "rule", rule);
    } else {
        row_absent(l, "suspect");
        row_absent(l, "rule");
    }
    if (r->explained) {
        put_against(row_raw_begin(l, "explain"), &r->against[line->against]);
        row_raw_end(l);
    }
    row_end(l, (struct span){ 0 }); /* fill sets the cursor */
}

/* The same as JSON, with what all rows of a channel share written once: a month must cost
 * microseconds. */
struct prefix {
    char text[96];
    size_t len; /* 0: not made yet */
};

#define LINE_MOST 320 /* of one row */

static char *append(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static void make_prefix(struct prefix *p, const char *serial, enum channel c)
{
    struct wr w = wr_of(p->text, sizeof p->text); /* a serial needs no escapes */

    wr_format(&w, "{\"serial\":\"%s\",\"channel\":\"%s\",\"time\":", serial, channel_name(c));
    p->len = wr_len(&w);
}

static char *put_marks(char *at, const struct line *line)
{
    if (line->row.attr & ATTR_RETIMED)
        at = append(at, ",\"retimed\":true");
    if (line->rule) {
        at = append(at, ",\"suspect\":true,\"rule\":\"");
        at = append(at, rule_name((enum rule)line->rule));
        *at++ = '"';
    }
    return at;
}

static void put_fast(struct listing *l, const struct readings *r, const struct line *line,
                     struct prefix prefixes[CHANNEL_COUNT])
{
    struct prefix *p = &prefixes[line->channel];
    char *begin = out_room(&l->out, LINE_MOST), *at = begin;

    if (!begin)
        return;
    if (!p->len)
        make_prefix(p, r->meter.serial, (enum channel)line->channel);
    if (l->form == FORM_JSON && l->rows)
        *at++ = ',';
    memcpy(at, p->text, p->len);
    at = out_put_time(at + p->len, line->row.time_s);
    at = append(at, ",\"index_l\":");
    at = out_put_litres(at, line->row.value);
    at = append(at, ",\"source\":\"");
    at = append(at, source_names[line->row.attr & ATTR_SOURCE]);
    at = append(at, "\",\"quality\":\"actual\"");
    if (line->rule || line->row.attr & ATTR_RETIMED)
        at = put_marks(at, line);
    *at++ = '}';
    if (l->form == FORM_NDJSON)
        *at++ = '\n';
    l->out.len += (size_t)(at - begin);
    l->rows++;
}

/* The cursor names the row by its place in the order, not by its number, so that it holds when more
 * rows come. */
#define CURSOR_SIZE 14

static struct span cursor_of(const struct line *line, uint8_t to[CURSOR_SIZE])
{
    struct wr w = wr_of(to, CURSOR_SIZE);

    wr_be32(&w, line->row.time_s);
    wr_u8(&w, line->rule != 0);
    wr_u8(&w, line->channel);
    wr_be64(&w, (uint64_t)line->row.value);
    return wr_span(&w);
}

/* The first row behind the cursor: of rows that differ in value alone, those behind the one named.
 */
static size_t place_after(const struct readings *r, const struct listing *l)
{
    struct rd rd = rd_of(span_of(l->cursor, l->cursor_len));
    struct line last = { { 0 }, 0, 0, 0 };
    size_t low = 0, high = r->count, n;

    if (!l->cursor_len)
        return 0;
    last.row.time_s = rd_be32(&rd);
    last.rule = rd_u8(&rd);
    last.channel = rd_u8(&rd);
    last.row.value = (int64_t)rd_be64(&rd);
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (after(&last, &r->lines[middle]))
            low = middle + 1;
        else
            high = middle;
    }
    for (n = low; n < r->count && !after(&r->lines[n], &last); n++) {
        if (r->lines[n].row.value == last.row.value)
            return n + 1;
    }
    return rd.err ? r->count : n;
}

static void fill(struct listing *l)
{
    struct readings *r = (struct readings *)l->state;
    struct prefix prefixes[CHANNEL_COUNT];
    uint8_t cursor[CURSOR_SIZE];
    size_t first = place_after(r, l), n = first;

    for (int c = 0; c < CHANNEL_COUNT; c++)
        prefixes[c].len = 0;
    for (; n < r->count && !listing_full(l); n++) {
        if (l->form == FORM_CSV || r->explained)
            put_cells(l, r, &r->lines[n]);
        else
            put_fast(l, r, &r->lines[n], prefixes);
    }
    if (n > first)
        listing_pass(l, cursor_of(&r->lines[n - 1], cursor));
    l->ended = n >= r->count;
}

/* ---- asking ---- */

static bool ask_channels(struct request *q, struct readings *r)
{
    struct span name = ask_text(q, "channel");
    enum channel c;
    enum err err;

    if (name.len) {
        if (channel_read(name, &c)) {
            problem_of(q, ERR_INVALID, "channel",
                       "channel: found %.*s, expected forward, reverse, net, pressure or "
                       "temperature",
                       (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
            return false;
        }
        r->channels = 1u << c;
        return true;
    }
    if ((err = readings_channels(q->app, &r->meter, &r->channels)))
        problem_of(q, err, "", "the meter's readings cannot be read: a part %s", err_text(err));
    return !err;
}

static bool ask_meter(struct request *q, struct readings *r)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool found = row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row);
    enum err err = ERR_OK;

    if (found && !(err = meter_facts_by_id(&t, row.id, &r->meter)))
        err = fittings_load(&t, false, row.id, &r->fittings);
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the meter's record %s", err_text(err));
    return found && !err;
}

/* Times are 32 bits: whatever is asked beyond is as good as their bounds. */
static void clamp_span(struct readings *r)
{
    r->from_s = r->from_s < 0 ? 0 : r->from_s;
    r->to_s = r->to_s > (int64_t)UINT32_MAX + 1 ? (int64_t)UINT32_MAX + 1 : r->to_s;
}

void answer_readings(struct request *q)
{
    struct readings *r = (struct readings *)calloc(1, sizeof *r);
    enum err err;

    if (!r) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    r->fittings.at = r->fittings.few;
    if (!ask_span(q, &r->from_s, &r->to_s, false) || !ask_bool(q, "explain", &r->explained) ||
        !ask_meter(q, r) || !ask_channels(q, r)) {
        readings_done(r);
        return;
    }
    clamp_span(r);
    if ((err = load(q->app, r))) {
        readings_done(r);
        problem_of(q, err, "", "the meter's readings cannot be read: a part %s", err_text(err));
        return;
    }
    listing_new(q, r->explained ? explained_columns : columns, fill, r, readings_done, PAGE);
}
