/* Flags, as the judge makes them. */
#include "server/judge.h"
#include "server/query/answers.h"
#include "server/query/replacing.h"
#include "server/query/rows.h"
#include "server/query/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "id",         "kind",      "serial",     "point",
                                       "cell",       "zone",      "onset",      "raised_at",
                                       "cleared_at", "state",     "severity",   "lost_lpd",
                                       "lost_low",   "lost_high", "confidence", "evidence",
                                       "text_en",    "text_zh",   "decided_by", "decided_at",
                                       "note",       NULL };

/* The kinds of the contract; those without a detector have no flags yet. */
static const char *const kinds[] = { "stuck",   "reversed",    "slow",     "fast",     "leak",
                                     "burst",   "backflow",    "selfturn", "swapped",  "silent",
                                     "clock",   "battery",     "tamper",   "oversize", "undersize",
                                     "unmoved", "out-of-step", "overdue",  "outage" };

struct wanted {
    struct flag_filter filter;
    bool none;      /* of that kind there is no detector */
    char point[64]; /* "": any */
    uint32_t point_id;
    struct listing *l;
    uint8_t after[CURSOR_MAX];
    struct head *heads; /* of few flags by date: all of them, in order */
    size_t head_count, head_cap, head_at;
    bool many; /* they are not few */
};

static void wanted_done(void *state)
{
    struct wanted *w = (struct wanted *)state;

    free(w->heads);
    free(w);
}

/* ---- writing ---- */

static void put_evidence(struct out *o, const struct flag *f)
{
    const struct verdict *v = &f->verdict;

    out_text(o, "{");
    for (unsigned i = 0; i < v->evidence_count && i < EVIDENCE_MAX; i++) {
        const struct evidence *e = &v->evidence[i];

        if (e->form == EVIDENCE_TIME)
            out_member_time(o, e->name, e->value);
        else if (e->form == EVIDENCE_METER)
            out_member_text(o, e->name, f->other.serial);
        else
            out_member_litres(o, e->name, e->value);
    }
    out_text(o, "}");
}

static void put_decision(struct listing *l, const struct flag_decision *d)
{
    if (!d->state) {
        row_absent(l, "decided_by");
        row_absent(l, "decided_at");
        row_absent(l, "note");
        return;
    }
    row_word(l, "decided_by", d->who);
    row_time(l, "decided_at", d->at_s);
    row_text(l, "note", span_text(d->note));
}

/* An outage has a radio cell in place of a meter; it belongs to the org unit of one of the cell's points. */
static void put_subject(struct listing *l, const struct flag *f)
{
    char cell[FLAG_CELL_SIZE];

    if (f->meter) {
        row_word(l, "serial", f->meter_facts.serial);
        row_word(l, "point", f->point_facts.point[0] ? f->point_facts.point : NULL);
        row_absent(l, "cell");
        row_absent(l, "zone");
        return;
    }
    row_absent(l, "serial");
    row_absent(l, "point");
    scoping_cell(l->scoping, "point", span_text(f->point_facts.point));
    flag_cell(&f->verdict, cell);
    if (f->zone[0])
        row_absent(l, "cell");
    else
        row_word(l, "cell", cell);
    if (f->zone[0])
        row_word(l, "zone", f->zone);
    else
        row_absent(l, "zone");
}

static void put_flag(struct listing *l, const struct flag *f)
{
    const struct verdict *v = &f->verdict;

    row_begin(l);
    row_word(l, "id", f->id);
    row_word(l, "kind", f->kind->flag);
    put_subject(l, f);
    row_time(l, "onset", v->onset_s);
    row_time(l, "raised_at", f->told_s);
    if (f->ended)
        row_time(l, "cleared_at", v->cleared_s);
    else
        row_null(l, "cleared_at");
    row_word(l, "state", flag_state_name(f->state));
    row_word(l, "severity", severity_name(v->severity));
    row_litres(l, "lost_lpd", v->lost_mlpd);
    row_litres(l, "lost_low", v->lost_low_mlpd);
    row_litres(l, "lost_high", v->lost_high_mlpd);
    row_litres(l, "confidence", 10 * (int64_t)v->confidence_pct);
    put_evidence(row_raw_begin(l, "evidence"), f);
    row_raw_end(l);
    row_word(l, "text_en", f->text_en);
    row_word(l, "text_zh", f->text_zh);
    put_decision(l, &f->decision);
    row_end(l, span_text(f->id));
}

static bool take_flag(void *arg, const struct flag *f)
{
    struct wanted *w = (struct wanted *)arg;

    if (listing_full(w->l))
        return false;
    if (w->point[0] && (!f->meter || strcmp(w->point, f->point_facts.point) != 0))
        listing_pass(w->l, span_text(f->id));
    else
        put_flag(w->l, f);
    return true;
}

static int id_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The meters that were ever at the point, as flags stand by meter; free() them. */
static enum err meters_at(struct app *app, uint32_t point, uint32_t **out, size_t *out_count)
{
    struct txn t = ledger_read(app->ledger);
    struct fittings fittings;
    enum err err = fittings_load(&t, true, point, &fittings), ended;
    uint32_t *at = (uint32_t *)malloc((fittings.count + 1) * sizeof *at);
    size_t count = 0;

    if (!err && !at)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < fittings.count && !err; i++)
        at[i] = fittings.at[i].meter;
    if (!err && fittings.count)
        qsort(at, fittings.count, sizeof *at, id_order);
    for (size_t i = 0; i < fittings.count && !err; i++)
        if (!i || at[i] != at[i - 1])
            at[count++] = at[i];
    fittings_done(&fittings);
    ended = txn_end(&t);
    *out = at;
    *out_count = count;
    return err ? err : ended;
}

static enum err each_at_point(struct listing *l, struct wanted *w)
{
    struct flag_filter filter = w->filter;
    uint32_t *meters = NULL;
    size_t count = 0;
    enum err err = meters_at(l->app, w->point_id, &meters, &count);

    for (size_t i = 0; i < count && !err && !listing_full(l); i++) {
        char begin[16];
        struct span after = filter.after;

        snprintf(begin, sizeof begin, "%08x", (unsigned)meters[i]);
        if (after.len >= 8 && memcmp(after.at, begin, 8) > 0)
            continue; /* shown before */
        w->filter.meter = meters[i];
        err = flags_each(l->app, &w->filter, take_flag, w);
    }
    w->filter = filter;
    free(meters);
    return err;
}

static void fill(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    enum err err = ERR_OK;

    w->l = l;
    memcpy(w->after, l->cursor, l->cursor_len);
    w->filter.after = span_of(w->after, l->cursor_len);
    if (!w->none)
        err = w->point_id && !w->filter.meter ? each_at_point(l, w)
                                              : flags_each(l->app, &w->filter, take_flag, w);
    if (err)
        listing_fail(l, err);
    l->ended = !listing_full(l);
}

/* ---- those of the calendar: by onset, then serial (rules-fleet V14) ---- */

static bool take_dated(void *arg, const struct flag *f, struct span cursor)
{
    struct wanted *w = (struct wanted *)arg;

    if (listing_full(w->l))
        return false;
    if (f && !(w->point[0] && strcmp(w->point, f->point_facts.point) != 0))
        put_flag(w->l, f);
    listing_pass(w->l, cursor);
    return true;
}

static void fill_dated(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    enum err err;

    w->l = l;
    memcpy(w->after, l->cursor, l->cursor_len);
    w->filter.after = span_of(w->after, l->cursor_len);
    if ((err = flags_dated_each(l->app, &w->filter, take_dated, w)))
        listing_fail(l, err);
    l->ended = !listing_full(l);
}

/* ---- few of them: a point's, and those on which somebody decided, are found without a walk over the dates ---- */

#define HEADS_MOST 65536u

struct head {
    int64_t onset_s;
    uint32_t meter;
    char serial[SERIAL_MAX + 1], id[FLAG_ID_SIZE];
};

static bool take_head(void *arg, const struct flag_head *f)
{
    struct wanted *w = (struct wanted *)arg;
    size_t cap = w->head_cap ? 2 * w->head_cap : 16;
    struct head *more, *h;

    if (w->head_count == HEADS_MOST) {
        w->many = true;
        return false;
    }
    if (w->head_count == w->head_cap) {
        if (!(more = (struct head *)realloc(w->heads, cap * sizeof *more))) {
            listing_fail(w->l, ERR_NO_MEMORY);
            return false;
        }
        w->heads = more;
        w->head_cap = cap;
    }
    h = &w->heads[w->head_count++];
    *h = (struct head){ .onset_s = f->verdict->onset_s, .meter = f->meter };
    snprintf(h->id, sizeof h->id, "%s", f->id);
    return true;
}

static enum err find_at_point(struct listing *l, struct wanted *w)
{
    struct flag_filter filter = w->filter;
    uint32_t *meters = NULL;
    size_t count = 0;
    enum err err = meters_at(l->app, w->point_id, &meters, &count);

    filter.after = (struct span){ 0 };
    for (size_t i = 0; i < count && !err && !l->err; i++) {
        filter.meter = meters[i];
        err = flag_heads_each(l->app, &filter, take_head, w);
    }
    free(meters);
    return err;
}

static enum err name_heads(struct app *app, struct wanted *w)
{
    struct txn t = ledger_read(app->ledger);

    for (size_t i = 0; i < w->head_count && !t.err; i++)
        if (!meter_serial(&t, w->heads[i].meter, w->heads[i].serial) && !t.err)
            t.err = ERR_MISSING;
    return txn_end(&t);
}

static int head_order(const void *a, const void *b)
{
    const struct head *x = (const struct head *)a, *y = (const struct head *)b;
    int order = (x->onset_s > y->onset_s) - (x->onset_s < y->onset_s);

    if (!order)
        order = strcmp(x->serial, y->serial);
    return order ? order : strcmp(x->id, y->id);
}

static struct key head_key(const struct head *h)
{
    return views_dated_key(h->onset_s, span_text(h->serial), span_text(h->id));
}

/* As memcmp of the keys, the shorter first. */
static bool is_behind(const struct head *h, struct span cursor)
{
    struct key k = head_key(h);
    size_t len = k.len < cursor.len ? k.len : cursor.len;
    int order = memcmp(k.bytes, cursor.at, len);

    return order > 0 || (order == 0 && k.len > cursor.len);
}

static enum err find_heads(struct listing *l, struct wanted *w)
{
    struct span after = span_of(l->cursor, l->cursor_len);
    struct flag_filter filter = w->filter;
    enum err err;

    filter.after = (struct span){ 0 };
    err = w->point_id ? find_at_point(l, w) : flag_heads_each(l->app, &filter, take_head, w);
    if (err || w->many || (err = name_heads(l->app, w)))
        return err;
    if (w->head_count)
        qsort(w->heads, w->head_count, sizeof *w->heads, head_order);
    while (after.len && w->head_at < w->head_count && !is_behind(&w->heads[w->head_at], after))
        w->head_at++;
    return ERR_OK;
}

static enum err put_head(struct listing *l, struct wanted *w, const struct head *h, struct flag *f)
{
    struct key cursor = head_key(h);
    enum err err = flag_of(l->app, span_text(h->id), f);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* it was judged anew meanwhile */
    if ((!w->filter.states || w->filter.states >> f->state & 1) && f->told_s >= w->filter.since_s &&
        !(w->point[0] && strcmp(w->point, f->point_facts.point) != 0))
        put_flag(l, f);
    listing_pass(l, key_span(&cursor));
    return ERR_OK;
}

static void fill_heads(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct flag *f = (struct flag *)malloc(sizeof *f);
    enum err err = f ? ERR_OK : ERR_NO_MEMORY;

    w->l = l;
    if (!err && !w->heads)
        err = find_heads(l, w);
    if (!err && w->many) {
        l->fill = fill_dated;
        fill_dated(l);
        free(f);
        return;
    }
    while (!err && !listing_full(l) && w->head_at < w->head_count)
        err = put_head(l, w, &w->heads[w->head_at++], f);
    if (err)
        listing_fail(l, err);
    l->ended = w->head_at == w->head_count && !l->err;
    free(f);
}

/* ---- asking ---- */

bool ask_flag_kind(struct request *q, const struct detector **out, bool *out_none)
{
    struct span name = ask_text(q, "kind");

    if (!name.len || (*out = detector_named(name)))
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (span_equal(name, span_text(kinds[i]))) {
            *out_none = true;
            return true;
        }
    }
    problem_of(q, ERR_INVALID, "kind",
               "kind: found %.*s, expected a kind of flag such as stuck or leak",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

static bool ask_state(struct request *q, struct wanted *w)
{
    struct span name = ask_text(q, "state");
    enum flag_state state;

    if (!name.len)
        return true;
    if (flag_state_read(name, &state)) {
        problem_of(q, ERR_INVALID, "state",
                   "state: found %.*s, expected open, cleared, confirmed, dismissed or withdrawn",
                   (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
        return false;
    }
    w->filter.states = 1u << state;
    return true;
}

static bool ask_subject(struct request *q, struct wanted *w)
{
    struct span serial = ask_text(q, "serial"), point = ask_text(q, "point");
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool known =
        named_is_known(q, &t, LIST_METER, "serial") && named_is_known(q, &t, LIST_POINT, "point");

    if (known && serial.len && ledger_find(&t, LIST_METER, serial, INT64_MAX, &row))
        w->filter.meter = row.id;
    if (known && point.len && point.len < sizeof w->point &&
        ledger_find(&t, LIST_POINT, point, INT64_MAX, &row)) {
        memcpy(w->point, point.at, point.len);
        w->point_id = row.id;
    }
    txn_abort(&t);
    return known;
}

/* One meter's dates follow each other as its ids do. */
static bool by_date(const struct flag_filter *f)
{
    return f->kind == &detector_overdue && !f->meter;
}

static bool are_few(const struct wanted *w)
{
    unsigned decided = 1u << FLAG_CONFIRMED | 1u << FLAG_DISMISSED;

    return w->point_id || (w->filter.states && !(w->filter.states & ~decided));
}

void answer_flags(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_flag_kind(q, &w->filter.kind, &w->none) && ask_state(q, w) && ask_subject(q, w) &&
             ask_time(q, "since", INT64_MIN, &w->filter.since_s))
        listing_new(q, columns,
                    !by_date(&w->filter) ? fill
                    : are_few(w)         ? fill_heads
                                         : fill_dated,
                    w, wanted_done, PAGE);
    else
        wanted_done(w);
}

void answer_flag(struct request *q)
{
    struct flag *f = (struct flag *)malloc(sizeof *f);
    enum err err = f ? flag_of(q->app, q->subject[0], f) : ERR_NO_MEMORY;
    struct listing alone;

    if (err) {
        problem_of(q, err, "id", "id %.*s: there is no such flag",
                   (int)(q->subject[0].len < 60 ? q->subject[0].len : 60),
                   (const char *)q->subject[0].at);
    } else {
        row_alone_begin(&alone, q);
        put_flag(&alone, f);
        row_alone_end(&alone);
    }
    free(f);
}
