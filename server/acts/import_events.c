/* A file of events: lives of meters brought over, from another register or from an export of this one.
 *
 * The rows of a meter that follow each other are one life, taken whole or not at all: a life with a
 * hole is none.  A row with `recorded_at` was judged when it was recorded, by what was known then: it
 * must obey the state table, but dates and readings are not held against it again.  Only an admin may
 * say when something was recorded.  A row without it is judged as any event, but for the readings. */
#include "server/acts/import.h"

#include "server/acts/lifeact.h"
#include "server/acts/register.h"
#include "server/commands.h"
#include "server/replacements.h"
#include "server/settler.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    EVENT_SERIAL,
    EVENT_EVENT,
    EVENT_AT,
    EVENT_RECORDED,
    EVENT_POINT,
    EVENT_INDEX,
    EVENT_RESULT,
    EVENT_FIRST_TEXT,
    EVENT_VERIFIED_ON = EVENT_FIRST_TEXT + EVENT_TEXTS,
    EVENT_VALID_UNTIL,
    EVENT_IS_OVERRULED,
    EVENT_IS_READ,
    EVENT_IS_IMPORTED,
    EVENT_COLUMNS
};

_Static_assert(EVENT_FIRST_TEXT == IMPORT_EVENT_TEXTS && EVENT_COLUMNS <= COLUMNS_MAX, "");

const struct list list_events = {
    .kind = LIST_COUNT,
    .plural = "events",
    .columns = EVENT_COLUMNS,
    .column = {
        [EVENT_SERIAL] = { "serial", COLUMN_SERIAL, NEED_KEY },
        [EVENT_EVENT] = { "event", COLUMN_TEXT, NEED_MUST },
        [EVENT_AT] = { "at", COLUMN_TIME, NEED_MUST },
        [EVENT_RECORDED] = { "recorded_at", COLUMN_TIME, NEED_MAY },
        [EVENT_POINT] = { "point", COLUMN_NAME, NEED_MAY },
        [EVENT_INDEX] = { "index_l", COLUMN_LITRES, NEED_MAY },
        [EVENT_RESULT] = { "result", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_DOCUMENT] = { "document", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_NOTE] = { "note", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_CREW] = { "crew", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_REASON] = { "reason", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_CERTIFICATE] = { "certificate", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_DEPOT] = { "depot", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_PHOTO] = { "photo", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_SEAL] = { "seal", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_ORDER_ID] = { "order", COLUMN_TEXT, NEED_MAY },
        [EVENT_FIRST_TEXT + EVENT_BATCH] = { "batch", COLUMN_TEXT, NEED_MAY },
        [EVENT_VERIFIED_ON] = { "verified_on", COLUMN_DATE, NEED_MAY },
        [EVENT_VALID_UNTIL] = { "valid_until", COLUMN_DATE, NEED_MAY },
        [EVENT_IS_OVERRULED] = { "overruled", COLUMN_TEXT, NEED_MAY },
        [EVENT_IS_READ] = { "read_index", COLUMN_TEXT, NEED_MAY },
        [EVENT_IS_IMPORTED] = { "imported", COLUMN_TEXT, NEED_MAY },
    },
};

/* One row, kept until its meter's rows are all there. */
struct event_row {
    struct event_row *next;
    struct import_refusal refusal; /* .line: of the row; the rest where it is refused */
    enum err err;
    bool known; /* it was there before this file */
    struct life_event event;
    struct span cells[EVENT_COLUMNS]; /* in `bytes` */
    uint8_t bytes[];
};

struct event_file {
    struct import *import;
    struct act act;
    char serial[SERIAL_MAX + 1]; /* of the rows at hand */
    struct event_row *first, **last;
    uint32_t *touched;
    size_t touched_count, touched_cap;
};

static enum err refuse_cell(struct event_row *row, unsigned column, enum err err,
                            const char *expected)
{
    uint64_t line = row->refusal.line;
    struct span found = row->cells[column].len ? row->cells[column] : span_text("nothing");

    import_refusal_fill(&row->refusal, line, list_events.column[column].name, found, expected);
    return row->err = err;
}

/* ---- cells ---- */

static bool flag_read(struct event_row *row, unsigned column, uint8_t flag)
{
    struct span text = row->cells[column];

    if (span_equal(text, span_text("true")))
        row->event.flags |= flag;
    else if (text.len && !span_equal(text, span_text("false")))
        return refuse_cell(row, column, ERR_INVALID, "true or false") == ERR_OK;
    return true;
}

static bool day_read(const struct event_row *row, unsigned column, int32_t *out)
{
    int64_t day;

    *out = NO_DAY;
    if (row->cells[column].len && !text_date(row->cells[column], &day))
        *out = (int32_t)day;
    return true;
}

static bool result_read(struct event_row *row)
{
    struct span text = row->cells[EVENT_RESULT];

    if (span_equal(text, span_text("fail")))
        row->event.flags |= EVENT_FAILED;
    else if (row->event.kind == EVENT_INSPECT && !span_equal(text, span_text("pass")))
        return refuse_cell(row, EVENT_RESULT, ERR_INVALID, "pass or fail") == ERR_OK;
    return true;
}

static bool times_read(struct event_file *f, struct event_row *row)
{
    struct life_event *e = &row->event;
    int64_t now_s = f->import->now_s;

    if (text_time(row->cells[EVENT_AT], NULL, &e->at_s) ||
        (row->cells[EVENT_RECORDED].len &&
         text_time(row->cells[EVENT_RECORDED], NULL, &e->recorded_s)))
        return refuse_cell(row, EVENT_AT, ERR_CORRUPT, "a time") == ERR_OK;
    if (e->at_s > now_s + FUTURE_AFTER_S)
        return refuse_cell(row, EVENT_AT, ERR_INVALID,
                           "a time at most 600 s after the server's clock") == ERR_OK;
    if (row->cells[EVENT_RECORDED].len && f->import->caller->role != ROLE_ADMIN)
        return refuse_cell(row, EVENT_RECORDED, ERR_INVALID,
                           "nothing: only an admin may tell when it was recorded") == ERR_OK;
    if (e->recorded_s > now_s)
        return refuse_cell(row, EVENT_RECORDED, ERR_INVALID, "a time that is past") == ERR_OK;
    return true;
}

/* As of the event told alone (rules-fleet R2): one that the role may not record is no row's fault, and ends the file. */
static bool role_may(struct event_file *f, struct event_row *row)
{
    const struct life_event *e = &row->event;
    enum role role = f->import->caller->role;
    bool beyond = e->flags & (EVENT_OVERRULED | EVENT_IMPORTED) && !(ROLES_CHIEF & 1u << role);

    if (life_role_may(role, (enum life_kind)e->kind) && !beyond)
        return true;
    f->import->err = row->err =
        refuse(&f->import->forbidden, ERR_FORBIDDEN, 0, beyond ? "overruled" : "event",
               "line %llu: the role %s may not record %s%s", (unsigned long long)row->refusal.line,
               role_name(role),
               beyond ? "what was overruled or imported: a supervisor or admin may" : "the event ",
               beyond ? "" : event_name((enum life_kind)e->kind));
    return false;
}

static bool facts_read(struct event_file *f, struct event_row *row)
{
    struct life_event *e = &row->event;
    enum life_kind kind;

    if (!event_read(row->cells[EVENT_EVENT], &kind))
        return refuse_cell(row, EVENT_EVENT, ERR_INVALID, "an event of a meter") == ERR_OK;
    e->kind = (uint8_t)kind;
    if (row->cells[EVENT_INDEX].len && !text_litres(row->cells[EVENT_INDEX], &e->index_ml))
        e->flags |= EVENT_HAS_INDEX;
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        e->text[i] = row->cells[EVENT_FIRST_TEXT + i];
    return times_read(f, row) && result_read(row) &&
           day_read(row, EVENT_VERIFIED_ON, &e->verified_on) &&
           day_read(row, EVENT_VALID_UNTIL, &e->valid_until) &&
           flag_read(row, EVENT_IS_OVERRULED, EVENT_OVERRULED) &&
           flag_read(row, EVENT_IS_READ, EVENT_READ_INDEX) &&
           flag_read(row, EVENT_IS_IMPORTED, EVENT_IMPORTED) && role_may(f, row);
}

static bool point_read(struct event_file *f, struct event_row *row)
{
    struct txn *t = &f->act.txn;
    struct ledger_row point;

    if (row->event.kind != EVENT_INSTALL || !row->cells[EVENT_POINT].len)
        return true;
    if (ledger_find(t, LIST_POINT, row->cells[EVENT_POINT], INT64_MAX, &point)) {
        row->event.point = point.id;
        return true;
    }
    return refuse_cell(row, EVENT_POINT, t->err ? t->err : ERR_NOT_FOUND,
                       "a point that is registered") == ERR_OK;
}

/* ---- judging ---- */

static bool same_event(const struct life_event *a, const struct life_event *b)
{
    if (a->kind != b->kind || a->at_s != b->at_s || a->flags != b->flags || a->point != b->point ||
        a->verified_on != b->verified_on || a->valid_until != b->valid_until ||
        (a->flags & EVENT_HAS_INDEX && a->index_ml != b->index_ml))
        return false;
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (!span_equal(a->text[i], b->text[i]))
            return false;
    return true;
}

/* The same file again changes nothing; two like rows of one file are two events. */
static bool is_known(const struct event_file *f, const struct meter_life *life,
                     const struct life_event *e)
{
    for (size_t i = 0; i < life->count; i++)
        if (life->events[i].act && life->events[i].act != f->act.number &&
            same_event(&life->events[i], e))
            return true;
    return false;
}

/* By the table alone: what else was known when it was recorded is not known now. */
static enum err judge_recorded(const struct meter_life *life, struct event_row *row)
{
    enum life_kind kind = (enum life_kind)row->event.kind;
    struct life was;
    char states[200];
    struct wr w = wr_of(states, sizeof states - 1);
    const char *name;

    life_fold(&life->rules, life->events, life->count, row->event.at_s, INT64_MAX, &was);
    if (event_from(kind) & LIFE_BIT(was.state))
        return ERR_OK;
    name = life_state_name(was.state);
    wr_format(&w, "not %s but ", name ? name : "no recorded life");
    life_states_say(event_from(kind), &w);
    states[wr_len(&w)] = 0;
    return refuse_cell(row, EVENT_EVENT, ERR_CONFLICT, states);
}

static enum err refuse_said(struct event_row *row, enum err err, const struct life_refusal *why)
{
    int column = list_column(&list_events, span_text(why->field ? why->field : "event"));

    return refuse_cell(row, column < 0 ? EVENT_EVENT : (unsigned)column, err, why->text);
}

static bool index_counts(const struct event_row *row)
{
    return row->event.flags & EVENT_HAS_INDEX &&
           (event_needs_index((enum life_kind)row->event.kind) || row->event.kind == EVENT_LOSE);
}

static enum err judge_row(const struct meter_life *life, struct event_row *row)
{
    const struct life_event *e = &row->event;
    struct life_warnings warnings;
    struct life_refusal why = { 0 };
    enum err err;

    if (e->flags & EVENT_IMPORTED)
        return ERR_OK;
    if (index_counts(row) && (e->index_ml < 0 || e->index_ml >= life->facts.modulus_ml))
        return refuse_cell(row, EVENT_INDEX, ERR_INVALID, "an index that the dial reaches");
    err = life_facts(&life->rules, life->events, life->count, e, e->flags & EVENT_OVERRULED, &why);
    if (err == ERR_INVALID)
        return refuse_said(row, err, &why);
    if (err || row->cells[EVENT_RECORDED].len)
        return err ? err : judge_recorded(life, row);
    err = life_judge(&life->rules, life->events, life->count, e, &warnings, &why);
    return err == ERR_CONFLICT ? refuse_said(row, err, &why) : err;
}

/* ---- points ---- */

/* Fittings that ended in the second in which they began follow each other: a meter put on and taken
 * off again at once, as the acts let it be. */
static bool overlap(const struct fitting *a, const struct fitting *b)
{
    return a->from_s < b->to_s && b->from_s < a->to_s;
}

static struct event_row *row_of(const struct event_file *f, const struct fitting *fitting)
{
    for (struct event_row *r = f->first; r; r = r->next)
        if (r->event.kind == EVENT_INSTALL && r->event.at_s == fitting->from_s &&
            r->event.point == fitting->point)
            return r;
    return f->first;
}

static enum err place_free(struct event_file *f, const struct fitting *fitting)
{
    struct fittings all;
    enum err err = fittings_load(&f->act.txn, true, fitting->point, &all);

    for (size_t i = 0; i < all.count && !err; i++) {
        if (all.at[i].meter != fitting->meter && overlap(&all.at[i], fitting))
            err = refuse_cell(row_of(f, fitting), EVENT_POINT, ERR_CONFLICT,
                              "a point where no other meter is then");
    }
    fittings_done(&all);
    return err;
}

/* Of the whole life that comes out (rules-fleet L5): what is open half way is no conflict. */
static enum err places_free(struct event_file *f, const struct meter_life *life)
{
    size_t cap = life->count ? life->count : 1, count;
    struct fitting *fits = (struct fitting *)malloc(cap * sizeof *fits);
    enum err err = fits ? ERR_OK : ERR_NO_MEMORY;

    if (err)
        return err;
    count = life_fittings(life->events, life->count, life->meter, fits, NULL, cap);
    for (size_t i = 0; i < count && i < cap && !err; i++)
        err = place_free(f, &fits[i]);
    free(fits);
    return err;
}

/* ---- a meter's rows ---- */

/* ERR_OK: the life that comes out is right; else the row that is not says why, or the store failed. */
static enum err judge_all(struct event_file *f, struct meter_life *life)
{
    enum err err = ERR_OK;

    for (struct event_row *r = f->first; r && !err; r = r->next) {
        r->known = is_known(f, life, &r->event);
        if (r->known)
            continue;
        if (!(err = judge_row(life, r)))
            err = life_add(life, &r->event);
    }
    return err ? err : places_free(f, life);
}

static bool touch(struct event_file *f, uint32_t meter)
{
    if (f->touched_count == f->touched_cap) {
        size_t cap = f->touched_cap ? f->touched_cap * 2 : 64;
        uint32_t *more = (uint32_t *)realloc(f->touched, cap * sizeof *more);

        if (!more)
            return false;
        f->touched = more;
        f->touched_cap = cap;
    }
    f->touched[f->touched_count++] = meter;
    return true;
}

static size_t rows_new(struct event_file *f)
{
    size_t count = 0;

    for (struct event_row *r = f->first; r; r = r->next)
        count += !r->known;
    return count;
}

static size_t rows_all(const struct event_file *f)
{
    size_t count = 0;

    for (const struct event_row *r = f->first; r; r = r->next)
        count++;
    return count;
}

static enum err write_new(struct event_file *f, struct meter_life *life, size_t count)
{
    struct life_event **events = (struct life_event **)malloc(count * sizeof(struct life_event *));
    size_t i = 0;

    if (!events)
        return ERR_NO_MEMORY;
    for (struct event_row *r = f->first; r; r = r->next)
        if (!r->known)
            events[i++] = &r->event;
    life_write_all(f->import->app, &f->act, life, events, count, NULL);
    free(events);
    if (f->act.txn.err)
        return f->act.txn.err;
    return touch(f, life->meter) ? ERR_OK : ERR_NO_MEMORY;
}

static enum err write_all(struct event_file *f)
{
    struct import_report *report = f->import->report;
    size_t count = rows_new(f);
    struct meter_life life;
    enum err err = life_load_serial(f->import->app, &f->act.txn, span_text(f->serial), &life);

    if (!err && count)
        err = write_new(f, &life, count);
    report->written += count;
    report->unchanged += rows_all(f) - count;
    life_done(&life);
    return err;
}

/* The row that is wrong is told as it is, the others of its meter because of it. */
static enum err refuse_all(struct event_file *f)
{
    char expected[96];
    uint64_t culprit = 0;

    for (struct event_row *r = f->first; r; r = r->next)
        if (row_refused(r->err) && !culprit)
            culprit = r->refusal.line;
    snprintf(expected, sizeof expected, "a life that is right as a whole: line %llu is refused",
             (unsigned long long)culprit);
    for (struct event_row *r = f->first; r; r = r->next) {
        if (!row_refused(r->err))
            refuse_cell(r, EVENT_SERIAL, ERR_CONFLICT, expected);
        if (!import_refuse(f->import, &r->refusal))
            return f->import->err;
    }
    return ERR_OK;
}

static bool any_refused(const struct event_file *f)
{
    for (const struct event_row *r = f->first; r; r = r->next)
        if (r->err)
            return true;
    return false;
}

static enum err meter_take(struct event_file *f)
{
    struct meter_life life = { 0 };
    enum err err = ERR_OK;

    if (!any_refused(f)) {
        err = life_load_serial(f->import->app, &f->act.txn, span_text(f->serial), &life);
        if (err == ERR_NOT_FOUND)
            err = refuse_cell(f->first, EVENT_SERIAL, err, "a meter that is registered");
        else if (!err)
            err = judge_all(f, &life);
        life_done(&life);
    }
    if (any_refused(f))
        return row_refused(err) || !err ? refuse_all(f) : err;
    return err ? err : write_all(f);
}

static void rows_clear(struct event_file *f)
{
    while (f->first) {
        struct event_row *next = f->first->next;

        free(f->first);
        f->first = next;
    }
    f->last = &f->first;
}

/* The rows of one meter have come. False: the import ends. */
static bool meter_end(struct event_file *f)
{
    enum err err = f->first ? meter_take(f) : ERR_OK;

    rows_clear(f);
    if (err && !f->import->err)
        f->import->err = err;
    return !err;
}

/* ---- the file ---- */

/* Texts of people stay as they are, blanks at their edges too. */
static enum err text_read(struct span text, struct wr *w)
{
    if (text.len > LIMIT_TEXT || !text_is_utf8(text))
        return ERR_INVALID;
    wr_bytes(w, text);
    return w->err;
}

static enum err cells_read(struct event_file *f, const struct rowfile_row *row,
                           struct event_row *out, struct wr *w)
{
    for (unsigned i = 0; i < EVENT_COLUMNS; i++) {
        const struct column *c = &list_events.column[i];
        uint8_t *start = w->at;
        enum err err = i >= EVENT_FIRST_TEXT && i < EVENT_VERIFIED_ON
                           ? text_read(row->cells[i], w)
                           : cell_read(c, row->cells[i], f->import->zone, w, NULL);

        out->cells[i] = err ? row->cells[i] : span_of(start, (size_t)(w->at - start));
        if (err == ERR_INVALID || (!err && c->need != NEED_MAY && !out->cells[i].len))
            return refuse_cell(out, i, ERR_INVALID, cell_expected(c));
        if (err)
            return err;
    }
    return ERR_OK;
}

static struct event_row *row_new(struct event_file *f, const struct rowfile_row *row,
                                 enum err *out_err)
{
    size_t room = 256;
    struct event_row *r;
    struct wr w;

    for (unsigned i = 0; i < EVENT_COLUMNS; i++)
        room += row->cells[i].len + 32;
    if (!(r = (struct event_row *)calloc(1, sizeof *r + room))) {
        *out_err = ERR_NO_MEMORY;
        return NULL;
    }
    r->refusal.line = row->line;
    w = wr_of(r->bytes, room);
    *out_err = cells_read(f, row, r, &w);
    if (!*out_err && facts_read(f, r))
        (void)point_read(f, r);
    return r;
}

static bool take_row(void *arg, const struct rowfile_row *row)
{
    struct event_file *f = (struct event_file *)arg;
    struct span serial = row->cells[EVENT_SERIAL];
    struct event_row *r;
    enum err err;

    if (import_stopped(f->import))
        return false;
    if (f->first && !span_equal(serial, span_text(f->serial)) && !meter_end(f))
        return false;
    f->import->report->rows++;
    r = row_new(f, row, &err);
    if (r)
        err = r->err;
    if (err && !row_refused(err)) {
        free(r);
        f->import->err = err;
        return false;
    }
    snprintf(f->serial, sizeof f->serial, "%.*s", (int)serial.len,
             serial.len ? (const char *)serial.at : "");
    *f->last = r;
    f->last = &r->next;
    return true;
}

static bool take_fault(void *arg, const struct import_refusal *refusal)
{
    struct event_file *f = (struct event_file *)arg;

    f->import->report->rows++;
    return import_refuse(f->import, refusal);
}

static enum err file_read(struct event_file *f, struct span text)
{
    static const struct rowfile_calls calls = { take_row, take_fault };
    struct import_refusal header;
    enum err err = rowfile_read(text, &list_events, &calls, f, &header);

    if (err == ERR_INVALID) {
        import_refuse(f->import, &header);
        return err;
    }
    if (!err && !f->import->err)
        (void)meter_end(f);
    return err ? err : import_verdict(f->import);
}

static enum err commit(struct event_file *f)
{
    struct import_report *r = f->import->report;
    struct app *app = f->import->app;
    char told[160];
    enum err err;

    if (f->import->options->dry_run || !r->written) {
        act_abort(&f->act);
        return ERR_OK;
    }
    snprintf(told, sizeof told,
             "{\"rows\":%llu,\"written\":%llu,\"unchanged\":%llu,\"refused\":%llu}",
             (unsigned long long)r->rows, (unsigned long long)r->written,
             (unsigned long long)r->unchanged, (unsigned long long)r->refused);
    act_note(&f->act, "events.import", span_of(NULL, 0), span_of(NULL, 0), span_text(told),
             span_of(NULL, 0));
    if ((err = act_end(&f->act)))
        return err;
    rankings_touch(app->rankings, f->touched, f->touched_count);
    for (size_t i = 0; i < f->touched_count; i++) {
        settler_touch_behind(app->settler, f->touched[i]);
        commands_review(app->commands, f->touched[i]);
    }
    return ERR_OK;
}

enum err import_events(struct import *i, struct span text)
{
    struct event_file f = { .import = i };
    enum err err;

    f.last = &f.first;
    f.act = act_begin(i->app->ledger, i->caller->who, i->now_s, journal_end(i->app->journal));
    f.act.words = &register_words;
    if (!(err = f.act.txn.err))
        err = file_read(&f, text);
    if (err)
        act_abort(&f.act);
    else
        err = commit(&f);
    if (err)
        i->report->written = 0;
    rows_clear(&f);
    free(f.touched);
    return err;
}
