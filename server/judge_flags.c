/* Flags as they are listed: what views say, with what people decided. */
#include "server/judge_priv.h"

#include "proto/base/wr.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 128 /* flags read under one pair of transactions */

static const char *const state_names[FLAG_STATES] = {
    [FLAG_OPEN] = "open",           [FLAG_CLEARED] = "cleared",     [FLAG_CONFIRMED] = "confirmed",
    [FLAG_DISMISSED] = "dismissed", [FLAG_WITHDRAWN] = "withdrawn",
};

const char *flag_state_name(enum flag_state s)
{
    return state_names[s];
}

enum err flag_state_read(struct span name, enum flag_state *out_state)
{
    for (unsigned i = 0; i < FLAG_STATES; i++)
        if (span_equal(name, span_text(state_names[i]))) {
            *out_state = (enum flag_state)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

const char *severity_name(enum severity s)
{
    return s <= SEVERITY_LOW      ? "low"
           : s == SEVERITY_MEDIUM ? "medium"
           : s == SEVERITY_HIGH   ? "high"
                                  : "urgent";
}

/* ---- one flag ---- */

static enum flag_state state_of(const struct flag_record *f, const struct flag_decision *d)
{
    if (d->state)
        return d->state == 1 ? FLAG_CONFIRMED : FLAG_DISMISSED;
    if (f->withdrawn)
        return FLAG_WITHDRAWN;
    return f->ended ? FLAG_CLEARED : FLAG_OPEN;
}

static void explain(struct app *app, struct flag *f)
{
    struct fitting fitting = { .meter = f->meter, .point = f->point, .from_s = f->fitting_from_s };
    struct judge_place place = { .meter = &f->meter_facts,
                                 .point = &f->point_facts,
                                 .fitting = &fitting,
                                 .zone = &app->zone,
                                 .holidays = &app->holidays,
                                 .other = f->other.id ? &f->other : NULL };
    struct wr en = wr_of(f->text_en, sizeof f->text_en - 1);
    struct wr zh = wr_of(f->text_zh, sizeof f->text_zh - 1);

    f->kind->explain(&f->verdict, &place, &en, &zh);
    *en.at = 0;
    *zh.at = 0;
}

/* False: it is in none of the wanted states, or ledger->err. */
static bool decided(struct txn *ledger, const struct flag_filter *q, const struct flag_record *r,
                    struct flag_decision *out_decision, enum flag_state *out_state)
{
    memset(out_decision, 0, sizeof *out_decision);
    (void)ledger_flag_decision(ledger, span_text(r->id), out_decision);
    *out_state = state_of(r, out_decision);
    return !ledger->err && (!q->states || (q->states & 1u << *out_state));
}

static void find_zone(struct txn *ledger, struct flag *out)
{
    uint32_t zone = (uint32_t)(verdict_value(&out->verdict, "zone") / 1000);
    struct ledger_row row;

    out->zone[0] = 0;
    if (out->meter == 0 && zone && ledger_by_id(ledger, LIST_ZONE, zone, INT64_MAX, &row))
        snprintf(out->zone, sizeof out->zone, "%.*s", (int)row.cells[0].len,
                 (const char *)row.cells[0].at);
}

/* All but `state` and `decision`. */
static enum err fill(struct app *app, struct txn *ledger, const struct flag_record *r,
                     struct flag *out)
{
    enum err err = ERR_OK;

    memcpy(out->id, r->id, sizeof out->id);
    out->kind = r->kind;
    out->meter = r->meter;
    out->point = r->point;
    out->fitting_from_s = r->fitting_from_s;
    out->told_s = r->told_s;
    out->verdict = r->verdict;
    out->ended = r->ended;
    out->meter_facts = (struct meter_facts){ 0 };
    out->point_facts = (struct point_facts){ 0 };
    out->other = (struct meter_facts){ 0 };
    if ((r->meter && (err = meter_facts_by_id(ledger, r->meter, &out->meter_facts))) ||
        (verdict_other(&r->verdict) &&
         (err = meter_facts_by_id(ledger, verdict_other(&r->verdict), &out->other))) ||
        (r->point && (err = point_facts_by_id(ledger, r->point, &out->point_facts))))
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    find_zone(ledger, out);
    if (ledger->err)
        return ledger->err;
    explain(app, out);
    return ERR_OK;
}

/* ---- many ---- */

static bool wanted(const struct flag_filter *q, const struct flag_record *r)
{
    return (!q->kind || q->kind == r->kind) && r->told_s >= q->since_s &&
           (!q->meter || q->meter == r->meter);
}

/* An id says its meter and kind: what is not wanted need not be read. */
static bool id_may_be(const struct flag_filter *q, struct span id)
{
    const char *kind = q->kind ? q->kind->flag : "";
    size_t len = strlen(kind);

    return !len || (id.len > 9 + len && id.at[8] == '-' && memcmp(id.at + 9, kind, len) == 0 &&
                    id.at[9 + len] == '-');
}

/* The next wanted records after *last, at most PAGE; *last becomes the id that was looked at last.
 */
static enum err read_page(struct app *app, const struct flag_filter *q, char last[FLAG_ID_SIZE],
                          struct flag_records *out, bool *out_more)
{
    struct txn t = views_read(app->views);
    char after[FLAG_ID_SIZE];
    struct scan s;
    enum err err = ERR_OK, ended;

    memcpy(after, last, sizeof after);
    out->count = 0;
    *out_more = false;
    s = views_flags(&t, span_text(after));
    while (!err && scan_next(&s)) {
        struct flag_record r;

        if (span_equal(s.key, span_text(after)) || !id_may_be(q, s.key))
            continue;
        if ((err = flag_decode(s.key, s.value, &r)) || (q->meter && r.meter > q->meter))
            break;
        memcpy(last, r.id, sizeof r.id);
        if (wanted(q, &r))
            err = flag_records_push(out, &r);
        if (out->count == PAGE) {
            *out_more = true;
            break;
        }
    }
    scan_done(&s);
    ended = txn_end(&t);
    return err ? err : ended;
}

/* What people said is asked for alone: few flags have that. */
static bool only_decided(const struct flag_filter *q)
{
    return q->states && !(q->states & ~(1u << FLAG_CONFIRMED | 1u << FLAG_DISMISSED));
}

/* As read_page, of those that were decided. */
static enum err read_decided(struct app *app, const struct flag_filter *q, char last[FLAG_ID_SIZE],
                             struct flag_records *out, bool *out_more)
{
    struct txn views = views_read(app->views), ledger = ledger_read(app->ledger);
    char after[FLAG_ID_SIZE];
    struct scan s;
    enum err err = ERR_OK, ended;

    memcpy(after, last, sizeof after);
    out->count = 0;
    *out_more = false;
    s = ledger_flags_decided(&ledger, span_text(after));
    while (!err && !*out_more && scan_next(&s)) {
        struct flag_record r;
        struct span facts;

        if (span_equal(s.key, span_text(after)) || !id_may_be(q, s.key))
            continue;
        if (!views_flag(&views, s.key, &facts)) { /* it is being judged anew */
            err = views.err;
            continue;
        }
        if ((err = flag_decode(s.key, facts, &r)) || (q->meter && r.meter > q->meter))
            break;
        memcpy(last, r.id, sizeof r.id);
        if (wanted(q, &r))
            err = flag_records_push(out, &r);
        *out_more = out->count == PAGE;
    }
    scan_done(&s);
    ended = txn_end(&ledger);
    err = err ? err : ended;
    ended = txn_end(&views);
    return err ? err : ended;
}

/* Who is shown what: flags whole, or their heads. */
struct show {
    struct app *app;
    const struct flag_filter *q;
    bool (*each)(void *arg, const struct flag *f);
    bool (*each_head)(void *arg, const struct flag_head *f); /* instead */
    void *arg;
    struct flag *flag; /* room for one */
    bool go;           /* false: the caller has seen enough */
};

static void show_head(struct show *show, const struct flag_record *r, enum flag_state state)
{
    struct flag_head head = { .id = r->id,
                              .kind = r->kind,
                              .meter = r->meter,
                              .point = r->point,
                              .fitting_from_s = r->fitting_from_s,
                              .verdict = &r->verdict,
                              .state = state,
                              .ended = r->ended };

    show->go = show->each_head(show->arg, &head);
}

static enum err show_page(struct show *show, const struct flag_records *page)
{
    struct txn t = ledger_read(show->app->ledger);
    struct flag *f = show->flag;
    enum err err = ERR_OK, ended;

    for (size_t i = 0; i < page->count && !err && show->go; i++) {
        const struct flag_record *r = &page->at[i];

        if (!decided(&t, show->q, r, &f->decision, &f->state))
            err = t.err;
        else if (show->each_head)
            show_head(show, r, f->state);
        else if (!(err = fill(show->app, &t, r, f)))
            show->go = show->each(show->arg, f);
    }
    ended = txn_end(&t);
    return err ? err : ended;
}

/* Where a walk begins: after an id, or at a meter's first where that comes later. */
static void begin_after(const struct flag_filter *q, char out[FLAG_ID_SIZE])
{
    char first[16] = "";

    if (q->meter)
        snprintf(first, sizeof first, "%08x", (unsigned)q->meter);
    memset(out, 0, FLAG_ID_SIZE);
    if (q->after.len && q->after.len < FLAG_ID_SIZE)
        memcpy(out, q->after.at, q->after.len);
    if (strcmp(out, first) < 0)
        memcpy(out, first, sizeof first);
}

static enum err walk(struct show *show)
{
    struct flag_records page = { 0 };
    char last[FLAG_ID_SIZE];
    bool more = true;
    enum err err = ERR_OK;

    if (!(show->flag = (struct flag *)malloc(sizeof *show->flag)))
        return ERR_NO_MEMORY;
    begin_after(show->q, last);
    while (more && show->go && !err) {
        err = only_decided(show->q) ? read_decided(show->app, show->q, last, &page, &more)
                                    : read_page(show->app, show->q, last, &page, &more);
        if (!err)
            err = show_page(show, &page);
    }
    flag_records_done(&page);
    free(show->flag);
    return err;
}

enum err flags_each(struct app *app, const struct flag_filter *filter,
                    bool (*each)(void *arg, const struct flag *f), void *arg)
{
    struct show show = { .app = app, .q = filter, .each = each, .arg = arg, .go = true };

    return walk(&show);
}

enum err flag_heads_each(struct app *app, const struct flag_filter *filter,
                         bool (*each)(void *arg, const struct flag_head *f), void *arg)
{
    struct show show = { .app = app, .q = filter, .each_head = each, .arg = arg, .go = true };

    return walk(&show);
}

/* ---- those of the calendar ---- */

struct dated {
    struct flag_record record;
    uint8_t cursor[KEY_MAX];
    size_t cursor_len;
};

struct dated_page {
    struct dated at[PAGE];
    size_t count;
    uint8_t last[KEY_MAX]; /* the key that was looked at last */
    size_t last_len;
    bool more;
};

#define DATED_VISITS 8192 /* keys looked at under one pair of transactions */

/* Told without a look at the flag: it is not wanted. */
static bool is_passed_over(const struct flag_filter *q, struct span facts)
{
    enum flag_state state;
    int64_t told_s;

    if (!overdue_told(facts, &state, &told_s))
        return false;
    if (told_s < q->since_s)
        return true;
    return q->states && !(q->states & (1u << FLAG_CONFIRMED | 1u << FLAG_DISMISSED)) &&
           !(q->states & 1u << state);
}

/* The next PAGE of them behind `after`. */
static enum err read_dated(struct app *app, const struct flag_filter *q, struct span after,
                           struct dated_page *out)
{
    struct txn t = views_read(app->views), ledger = ledger_read(app->ledger);
    struct scan s = views_dated(&t, after);
    bool decided_alone = only_decided(q);
    unsigned visits = 0;
    enum err err = ERR_OK, ended;

    out->count = 0;
    out->more = true;
    while (!err && out->count < PAGE && visits++ < DATED_VISITS && (out->more = scan_next(&s))) {
        struct dated *d = &out->at[out->count];
        struct span id = dated_id(s.key), facts;

        if (span_equal(s.key, after))
            continue;
        memcpy(out->last, s.key.at, out->last_len = s.key.len);
        if (is_passed_over(q, s.value) || (decided_alone && !ledger_flag_decided(&ledger, id)))
            continue;
        memcpy(d->cursor, s.key.at, d->cursor_len = s.key.len);
        if (!views_flag(&t, id, &facts))
            err = t.err ? t.err : ERR_CORRUPT;
        else if (!(err = flag_decode(id, facts, &d->record)))
            out->count++;
    }
    scan_done(&s);
    ended = txn_end(&ledger);
    err = err ? err : ended;
    ended = txn_end(&t);
    return err ? err : ended;
}

static enum err show_dated(struct app *app, const struct flag_filter *q,
                           const struct dated_page *page,
                           bool (*each)(void *arg, const struct flag *f, struct span cursor),
                           void *arg, struct flag *f, bool *go)
{
    struct txn t = ledger_read(app->ledger);
    enum err err = ERR_OK, ended;

    for (size_t i = 0; i < page->count && !err && *go; i++) {
        const struct dated *d = &page->at[i];
        bool shown = wanted(q, &d->record) && decided(&t, q, &d->record, &f->decision, &f->state);

        err = shown ? fill(app, &t, &d->record, f) : t.err;
        if (!err)
            *go = each(arg, shown ? f : NULL, span_of(d->cursor, d->cursor_len));
    }
    ended = txn_end(&t);
    return err ? err : ended;
}

enum err flags_dated_each(struct app *app, const struct flag_filter *filter,
                          bool (*each)(void *arg, const struct flag *f, struct span cursor),
                          void *arg)
{
    struct dated_page *page = (struct dated_page *)malloc(sizeof *page);
    struct flag *f = (struct flag *)malloc(sizeof *f);
    struct span after = filter->after;
    enum err err = page && f ? ERR_OK : ERR_NO_MEMORY;
    uint8_t last[KEY_MAX];
    bool go = true, more = true;

    while (!err && go && more) {
        if ((err = read_dated(app, filter, after, page)))
            break;
        err = show_dated(app, filter, page, each, arg, f, &go);
        if ((more = page->more)) {
            memcpy(last, page->last, page->last_len);
            after = span_of(last, page->last_len);
        }
    }
    free(page);
    free(f);
    return err;
}

uint32_t flag_meter(struct span id)
{
    uint32_t meter = 0;

    if (id.len < 9 || id.at[8] != '-')
        return 0;
    for (size_t i = 0; i < 8; i++) {
        const char *digits = "0123456789abcdef", *found = strchr(digits, id.at[i]);

        if (!id.at[i] || !found)
            return 0;
        meter = meter << 4 | (uint32_t)(found - digits);
    }
    return meter;
}

void flag_cell(const struct verdict *v, char out[FLAG_CELL_SIZE])
{
    uint32_t cell = (uint32_t)(verdict_value(v, "cell") / 1000);

    if (verdict_value(v, "zone"))
        out[0] = 0;
    else if (!cell)
        snprintf(out, FLAG_CELL_SIZE, "all");
    else if (cell & CELL_GATEWAY)
        snprintf(out, FLAG_CELL_SIZE, "%08x", (unsigned)(cell & ~CELL_GATEWAY));
    else
        snprintf(out, FLAG_CELL_SIZE, "%u", (unsigned)cell);
}

uint32_t flag_outage_point(struct txn *ledger, struct span id)
{
    struct flag_record record;
    struct span facts;

    return ledger_flag_born(ledger, id, &facts) && !flag_decode(id, facts, &record) && !record.meter
               ? record.point
               : 0;
}

enum err flag_of(struct app *app, struct span id, struct flag *out)
{
    struct txn views = views_read(app->views), ledger = ledger_read(app->ledger);
    struct flag_record record;
    struct span facts;
    enum err err, ended;

    if (!views_flag(&views, id, &facts))
        err = views.err ? views.err : ERR_NOT_FOUND;
    else if (!(err = flag_decode(id, facts, &record)))
        err = decided(&ledger, &(struct flag_filter){ 0 }, &record, &out->decision, &out->state)
                  ? fill(app, &ledger, &record, out)
                  : ledger.err;
    ended = txn_end(&ledger);
    if (!err)
        err = ended;
    ended = txn_end(&views);
    return err ? err : ended;
}

static bool confirmed(struct txn *ledger, const struct flag_record *f)
{
    struct flag_decision d;

    return ledger_flag_decision(ledger, span_text(f->id), &d) && d.state == 1;
}

enum err flags_confirmed(struct txn *ledger, uint32_t meter,
                         bool (*each)(void *arg, const char *kind, int64_t fitting_from_s,
                                      int64_t onset_s),
                         void *arg)
{
    struct flag_records births = { 0 };
    enum err err = flags_born(ledger, meter, &births);
    bool more = true;

    for (size_t i = 0; i < births.count && !err && more; i++) {
        const struct flag_record *f = &births.at[i];

        if (confirmed(ledger, f))
            more = each(arg, f->kind->flag, f->fitting_from_s, f->verdict.onset_s);
        err = ledger->err;
    }
    flag_records_done(&births);
    return err;
}
