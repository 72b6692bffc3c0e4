/* Flags and the list of meters to replace, as the judge makes them. */
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/judge.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "id",         "kind",       "serial",     "point",
                                       "onset",      "raised_at",  "cleared_at", "state",
                                       "severity",   "lost_lpd",   "lost_low",   "lost_high",
                                       "confidence", "evidence",   "text_en",    "text_zh",
                                       "decided_by", "decided_at", "note",       NULL };

/* The kinds of the contract; those without a detector have no flags yet. */
static const char *const kinds[] = { "stuck",   "reversed",    "slow",     "fast",     "leak",
                                     "burst",   "backflow",    "selfturn", "swapped",  "silent",
                                     "clock",   "battery",     "tamper",   "oversize", "undersize",
                                     "unmoved", "out-of-step", "overdue",  "outage" };

struct wanted {
    struct flag_filter filter;
    bool none;      /* of that kind there is no detector */
    char point[64]; /* "": any */
    struct listing *l;
    uint8_t after[CURSOR_MAX];
};

/* ---- writing ---- */

static void put_evidence(struct out *o, const struct verdict *v)
{
    out_text(o, "{");
    for (unsigned i = 0; i < v->evidence_count && i < EVIDENCE_MAX; i++) {
        const struct evidence *e = &v->evidence[i];

        if (e->form == EVIDENCE_TIME)
            out_member_time(o, e->name, e->value);
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

static void put_flag(struct listing *l, const struct flag *f)
{
    const struct verdict *v = &f->verdict;

    row_begin(l);
    row_word(l, "id", f->id);
    row_word(l, "kind", f->kind->flag);
    row_word(l, "serial", f->meter_facts.serial);
    row_word(l, "point", f->point_facts.point[0] ? f->point_facts.point : NULL);
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
    put_evidence(row_raw_begin(l, "evidence"), v);
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
    if (w->point[0] && strcmp(w->point, f->point_facts.point) != 0)
        listing_pass(w->l, span_text(f->id));
    else
        put_flag(w->l, f);
    return true;
}

static void fill(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    enum err err = ERR_OK;

    w->l = l;
    memcpy(w->after, l->cursor, l->cursor_len);
    w->filter.after = span_of(w->after, l->cursor_len);
    if (!w->none)
        err = flags_each(l->app, &w->filter, take_flag, w);
    if (err)
        listing_fail(l, err);
    l->ended = !listing_full(l);
}

/* ---- those of the calendar: by onset, then serial (rules-fleet V14) ---- */

struct dated {
    int64_t onset_s;
    char serial[SERIAL_MAX + 1], id[FLAG_ID_SIZE];
};

struct dated_list {
    struct dated *at;
    size_t count, cap;
    const struct wanted *wanted;
    bool full; /* no memory */
};

static int dated_order(const void *a, const void *b)
{
    const struct dated *x = (const struct dated *)a, *y = (const struct dated *)b;
    int order = (x->onset_s > y->onset_s) - (x->onset_s < y->onset_s);

    if (!order)
        order = strcmp(x->serial, y->serial);
    return order ? order : strcmp(x->id, y->id);
}

static bool take_dated(void *arg, const struct flag *f)
{
    struct dated_list *d = (struct dated_list *)arg;
    struct dated *one;

    if (d->wanted->point[0] && strcmp(d->wanted->point, f->point_facts.point) != 0)
        return true;
    if (d->count == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 64;
        struct dated *at = (struct dated *)realloc(d->at, cap * sizeof *at);

        if (!at) {
            d->full = true;
            return false;
        }
        d->at = at;
        d->cap = cap;
    }
    one = &d->at[d->count++];
    *one = (struct dated){ .onset_s = f->verdict.onset_s };
    memcpy(one->serial, f->meter_facts.serial, sizeof one->serial);
    memcpy(one->id, f->id, sizeof one->id);
    return true;
}

/* The cursor: onset · serial 00 · id. */
static void dated_cursor(struct wr *w, const struct dated *d)
{
    wr_be64(w, (uint64_t)d->onset_s);
    wr_text(w, d->serial);
    wr_u8(w, 0);
    wr_text(w, d->id);
}

/* The first behind the cursor, whether the row before is still there or not. */
static size_t dated_first(struct listing *l, const struct dated_list *d)
{
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    struct dated last = { .onset_s = (int64_t)rd_be64(&r) };
    struct span rest = rd_bytes(&r, rd_left(&r));
    const uint8_t *zero = rest.len ? memchr(rest.at, 0, rest.len) : NULL;
    size_t n = 0;

    if (!zero)
        return 0;
    snprintf(last.serial, sizeof last.serial, "%s", (const char *)rest.at);
    snprintf(last.id, sizeof last.id, "%.*s", (int)(rest.len - (size_t)(zero + 1 - rest.at)),
             (const char *)zero + 1);
    while (n < d->count && dated_order(&d->at[n], &last) <= 0)
        n++;
    return n;
}

static void put_dated(struct listing *l, const struct dated_list *d, struct flag *f)
{
    size_t n = l->cursor_len ? dated_first(l, d) : 0;
    enum err err = ERR_OK;

    for (; n < d->count && !listing_full(l) && !err; n++) {
        err = flag_of(l->app, span_text(d->at[n].id), f);
        if (err == ERR_NOT_FOUND) { /* it went meanwhile */
            err = ERR_OK;
        } else if (!err) {
            uint8_t bytes[128];
            struct wr cursor = wr_of(bytes, sizeof bytes);

            dated_cursor(&cursor, &d->at[n]);
            put_flag(l, f);
            listing_pass(l, wr_span(&cursor));
        }
    }
    listing_fail(l, err);
    l->ended = n >= d->count;
}

static void fill_dated(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct dated_list d = { .wanted = w };
    struct flag *f = (struct flag *)malloc(sizeof *f);
    enum err err = f ? flags_each(l->app, &w->filter, take_dated, &d) : ERR_NO_MEMORY;

    if (d.full)
        err = ERR_NO_MEMORY;
    if (d.count)
        qsort(d.at, d.count, sizeof *d.at, dated_order);
    listing_fail(l, err);
    if (!err)
        put_dated(l, &d, f);
    free(d.at);
    free(f);
}

/* ---- asking ---- */

static bool ask_kind(struct request *q, struct wanted *w)
{
    struct span name = ask_text(q, "kind");

    if (!name.len || (w->filter.kind = detector_named(name)))
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (span_equal(name, span_text(kinds[i]))) {
            w->none = true;
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
    if (known && point.len && point.len < sizeof w->point)
        memcpy(w->point, point.at, point.len);
    txn_abort(&t);
    return known;
}

void answer_flags(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_kind(q, w) && ask_state(q, w) && ask_subject(q, w) &&
             ask_time(q, "since", INT64_MIN, &w->filter.since_s))
        listing_new(q, columns, w->filter.kind == &detector_overdue ? fill_dated : fill, w, free,
                    PAGE);
    else
        free(w);
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
