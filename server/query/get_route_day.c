/* The day sheet of a route (handbook §8): one row a point in walking order, with what was read by radio and by hand and what is the matter. */
#include "server/point_use.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/routes.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = {
    "point",     "account",  "address",      "serial",
    "seq",       "due",      "due_at",       "remote_l",
    "remote_at", "manual_l", "manual_at",    "difference_l",
    "offset_l",  "off_l",    "tolerance_l",  "use_l",
    "use_from",  "state",    "reason",       "reason_en",
    "reason_zh", "heard_at", "checks",       "signed_by",
    "signed_at", "was",      "remark",       "changed_since_signed",
    "now",       "dispute",  "check_inputs", NULL
};

struct shown {
    struct route_sheet sheet;
    bool blind; /* without the figures of what nobody read by hand yet */
};

static void shown_done(void *state)
{
    struct shown *s = (struct shown *)state;

    route_sheet_done(&s->sheet);
    free(s);
}

/* ---- a row ---- */

static void cell_litres(struct listing *l, const char *name, bool known, int64_t ml)
{
    if (known)
        row_litres(l, name, ml);
    else
        row_null(l, name);
}

static void cell_time(struct listing *l, const char *name, bool known, int64_t at_s)
{
    if (known)
        row_time(l, name, at_s);
    else
        row_null(l, name);
}

static void put_place(struct listing *l, const struct route_sheet *s, const struct sheet_row *row)
{
    row_text(l, "point", sheet_span(s, row->name));
    row_text(l, "account", sheet_span(s, row->account));
    row_text(l, "address", sheet_span(s, row->address));
    row_word(l, "serial", row->serial[0] ? row->serial : NULL);
    if (row->seq >= 0)
        row_int(l, "seq", row->seq);
    else
        row_null(l, "seq");
    if (s->day.due_known)
        row_bool(l, "due", s->day.due);
    else
        row_null(l, "due");
    row_time(l, "due_at", s->day.span.cut_s);
}

/* What was signed is shown as it was signed. */
static void put_figures(struct listing *l, const struct sheet_row *row, bool hidden)
{
    const struct sheet_facts *f = &row->facts;
    struct route_line line = row->is_signed ? row->line : sheet_line(row, (struct span){ 0 });
    bool remote = line.remote.known && !hidden, manual = line.manual.known, both = remote && manual;

    cell_litres(l, "remote_l", remote, line.remote.dial_ml);
    cell_time(l, "remote_at", line.remote.known, line.remote.at_s);
    cell_litres(l, "manual_l", manual, line.manual.dial_ml);
    cell_time(l, "manual_at", manual, line.manual.at_s);
    cell_litres(l, "difference_l", both,
                both ? dial_difference(&row->facts_meter, line.remote.dial_ml,
                                       line.manual.dial_ml - f->offset_ml)
                     : 0);
    cell_litres(l, "offset_l", f->offset_ml && !hidden, f->offset_ml);
    cell_litres(l, "off_l", f->off_known && !hidden, f->off_ml);
    cell_litres(l, "tolerance_l", f->fitted, f->tolerance_ml);
    cell_litres(l, "use_l", line.use_known && !hidden, line.use_ml);
}

static void put_now(struct listing *l, const struct route_sheet *s, const struct sheet_row *row)
{
    struct route_line now = sheet_line(row, (struct span){ 0 });
    struct out *o = row_raw_begin(l, "now");

    out_text(o, "{");
    route_line_put(o, sheet_span(s, row->name), &now);
    out_text(o, "}");
    row_raw_end(l);
}

static void put_dispute(struct listing *l, const struct route_dispute *d)
{
    struct out *o = row_raw_begin(l, "dispute");

    out_text(o, "{");
    out_member_text(o, "state", d->resolved_s ? "resolved" : "open");
    out_member_span(o, "note", d->note);
    out_member_span(o, "by", d->who);
    out_member_time(o, "at", d->at_s);
    if (d->resolved_s) {
        out_member_span(o, "resolution", d->resolution);
        out_member_span(o, "resolved_by", d->resolved_by);
        out_member_time(o, "resolved_at", d->resolved_s);
    }
    out_text(o, "}");
    row_raw_end(l);
}

static void put_decided(struct listing *l, const struct route_sheet *s, const struct sheet_row *row)
{
    bool is_signed = row->is_signed && s->is_signed;

    row_text(l, "signed_by", is_signed ? s->signature.who : (struct span){ 0 });
    cell_time(l, "signed_at", is_signed, s->signature.at_s);
    row_word(l, "was", row->is_signed ? sheet_state_name(row->line.state) : NULL);
    row_text(l, "remark", row->is_signed ? row->line.remark : (struct span){ 0 });
    row_bool(l, "changed_since_signed", row->changed);
    if (row->changed)
        put_now(l, s, row);
    else
        row_null(l, "now");
    if (row->has_dispute)
        put_dispute(l, &row->dispute);
    else
        row_null(l, "dispute");
}

/* Figures by radio are among them. */
static void put_inputs(struct out *o, const struct sheet_row *row, bool hidden)
{
    unsigned of = row->is_signed ? row->line.told_of : row->facts.checks;

    rules_put_told(o, hidden ? 0 : of, of, row->is_signed ? row->line.told : row->told);
}

/* Where to go on: its place on the route, and its name, so that a point that leaves the route loses nobody else. */
static struct span cursor_of(const struct route_sheet *s, const struct sheet_row *row,
                             uint8_t room[CURSOR_MAX])
{
    struct wr w = wr_of(room, CURSOR_MAX);

    wr_be32(&w, row->seq < 0 ? UINT32_MAX : (uint32_t)row->seq);
    wr_bytes(&w, sheet_span(s, row->name));
    return wr_span(&w);
}

static void put_row(struct listing *l, const struct shown *w, const struct sheet_row *row)
{
    const struct route_sheet *s = &w->sheet;
    uint8_t cursor[CURSOR_MAX];

    row_begin(l);
    put_place(l, s, row);
    put_figures(l, row, w->blind && !row->facts.manual.known);
    row_time(l, "use_from", s->day.since_s);
    row_word(l, "state", sheet_state_name(row->state));
    row_word(l, "reason", sheet_reason_name(row->reason));
    row_word(l, "reason_en", sheet_reason_en(row->reason));
    row_word(l, "reason_zh", sheet_reason_zh(row->reason));
    cell_time(l, "heard_at", row->facts.heard_at_s > 0, row->facts.heard_at_s);
    use_put_checks(row_raw_begin(l, "checks"), row->facts.checks);
    row_raw_end(l);
    put_decided(l, s, row);
    put_inputs(row_raw_begin(l, "check_inputs"), row, w->blind && !row->facts.manual.known);
    row_raw_end(l);
    row_end(l, cursor_of(s, row, cursor));
}

/* ---- the list ---- */

static bool is_behind(const struct listing *l, const struct route_sheet *s,
                      const struct sheet_row *row)
{
    uint8_t room[CURSOR_MAX];
    struct span own = cursor_of(s, row, room);
    size_t least = own.len < l->cursor_len ? own.len : l->cursor_len;
    int order = least ? memcmp(own.at, l->cursor, least) : 0;

    return order > 0 || (order == 0 && own.len > l->cursor_len);
}

static void fill(struct listing *l)
{
    const struct shown *w = (const struct shown *)l->state;
    size_t i = 0;

    while (i < w->sheet.count && l->cursor_len && !is_behind(l, &w->sheet, &w->sheet.rows[i]))
        i++;
    for (; i < w->sheet.count && !listing_full(l); i++)
        put_row(l, w, &w->sheet.rows[i]);
    l->ended = i == w->sheet.count && !l->err;
}

bool route_day_asked(struct request *q, struct txn *t, int64_t now_s, struct ledger_row *route,
                     struct route_day *out)
{
    int32_t day = (int32_t)zone_day_number(&q->app->zone, now_s);

    if (!row_named(q, t, list_of(LIST_ROUTE), INT64_MAX, route) || !ask_day(q, "date", false, &day))
        return false;
    if (day >= 0 && day < 49710) {
        *out = route_day_of(q->app, route, day);
        return true;
    }
    problem_of(q, ERR_INVALID, "date", "date: found another year, expected one from 1970 to 2105");
    return false;
}

void answer_route_day(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct shown *w = (struct shown *)calloc(1, sizeof *w);
    int64_t now_s = clock_now_s(&q->app->clock);
    struct ledger_row route;
    struct route_day day;
    bool fine = false;
    enum err err = w ? ERR_OK : ERR_NO_MEMORY;

    if (w && route_day_asked(q, &t, now_s, &route, &day) && ask_bool(q, "blind", &w->blind)) {
        err = route_sheet_load(q->app, &t, q->subject[0], &day, now_s, &w->sheet);
        fine = !err;
    }
    txn_abort(&t);
    if (err == ERR_LIMIT)
        problem_of(q, err, "route", "route: it has more than %d points, which is no day's walk",
                   SHEET_POINTS_MOST);
    else if (err)
        problem_of(q, err, "", "the sheet cannot be made: the store %s", err_text(err));
    if (fine)
        listing_new(q, columns, fill, w, shown_done, PAGE);
    else if (w)
        shown_done(w);
}
