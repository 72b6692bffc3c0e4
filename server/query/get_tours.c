/* Day lists of crews: which there are, and one of them as JSON, as GeoJSON for the map (RFC 7946) and as a workbook for the printer. */
#include "server/tours.h"

#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/query/xlsx.h"
#include "server/scope.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 100 /* each row adds up a list's orders */

/* ---- the lists there are ---- */

struct wanted {
    int32_t day;   /* NO_DAY: any */
    char crew[64]; /* "": anybody */
};

static void put_row(struct listing *l, struct txn *t, const char *name)
{
    struct tour_sum s;
    struct ledger_row crew;
    char date[11] = "";
    bool is_crew;
    int32_t day;

    tour_sum(l->app, t, span_text(name), &s);
    if (tour_day(span_text(name), &day))
        text_put_date(date, day);
    is_crew = ledger_find(t, LIST_CREW, span_text(s.assignee), INT64_MAX, &crew);
    row_begin(l);
    /* Whose list it is, for tokens of org units: the crew's; where a person has it, that of the place where it begins. */
    scoping_cell(l->scoping, is_crew ? "crew" : "point", span_text(is_crew ? s.assignee : s.point));
    row_word(l, "tour", name);
    row_word(l, "date", date[0] ? date : NULL);
    row_word(l, "assignee", s.assignee[0] ? s.assignee : NULL);
    row_int(l, "stops", s.stops);
    row_int(l, "left", s.left);
    row_int(l, "late", s.late);
    row_int(l, "unplaced", s.unplaced);
    row_int(l, "metres", llround(s.metres));
    row_int(l, "minutes", s.minutes);
    row_end(l, span_text(name));
}

static void fill(struct listing *l)
{
    const struct wanted *wanted = (const struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct tour_walk w =
        tours_of(&t, wanted->day, span_text(wanted->crew), span_of(l->cursor, l->cursor_len));
    bool more = true;

    while (!t.err && !listing_full(l) && (more = tour_walk_next(&w)))
        put_row(l, &t, w.name);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

static const char *const columns[] = { "tour", "date",     "assignee", "stops",   "left",
                                       "late", "unplaced", "metres",   "minutes", NULL };

static bool ask_crew(struct request *q, struct wanted *w)
{
    const char *name = ask_text(q, "crew").len ? "crew" : "assignee";
    struct span text = ask_text(q, name);
    struct txn t;
    bool known;

    if (text.len >= sizeof w->crew) {
        problem_of(q, ERR_INVALID, name, "%s: found %zu bytes, expected at most %zu", name,
                   text.len, sizeof w->crew - 1);
        return false;
    }
    snprintf(w->crew, sizeof w->crew, "%.*s", (int)text.len, text.len ? (const char *)text.at : "");
    t = ledger_read(q->app->ledger);
    known = named_is_known(q, &t, LIST_CREW, "crew");
    txn_abort(&t);
    return known;
}

void answer_tours(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    w->day = NO_DAY;
    if (ask_crew(q, w) && ask_day(q, "date", false, &w->day))
        listing_new(q, columns, fill, w, free, PAGE);
    else
        free(w);
}

/* ---- one list: a stop's members ---- */

static void put_litres(struct out *o, const char *name, bool has, int64_t ml)
{
    if (has)
        out_member_litres(o, name, ml);
    else
        out_member_null(o, name);
}

static void put_metres(struct out *o, const char *name, double metres)
{
    if (metres >= 0)
        out_member_int(o, name, llround(metres));
    else
        out_member_null(o, name);
}

/* Ten digits: a centimetre. */
static void put_degrees(struct out *o, const char *name, bool placed, double v)
{
    out_key(o, name);
    if (placed)
        out_format(o, "%.10g", v);
    else
        out_text(o, "null");
}

static void put_why(struct out *o, const struct tour_shown *s)
{
    out_member_span(o, "reason", s->order.reason);
    out_member_span(o, "flag", s->order.flag);
    out_member_text(o, "flag_state", s->flag ? flag_state_name(s->flag->state) : NULL);
    out_member_text(o, "text_en", s->text_en);
    out_member_text(o, "text_zh", s->text_zh);
    out_member_span(o, "note", s->order.note);
}

static void put_last(struct out *o, const struct tour_shown *s)
{
    put_litres(o, "last_index_l", s->has_last, s->last_ml);
    if (s->has_last)
        out_member_time(o, "last_read_at", s->last_s);
    else
        out_member_null(o, "last_read_at");
}

static void put_members(struct out *o, const struct tour_shown *s, int64_t now_s)
{
    const struct order *w = &s->order;

    out_member_int(o, "stop", s->number);
    out_member_span(o, "order", w->name);
    out_member_text(o, "kind", order_kind_name(w->kind));
    out_member_text(o, "kind_en", order_kind_en(w->kind));
    out_member_text(o, "kind_zh", order_kind_zh(w->kind));
    out_member_text(o, "state", order_state_name(w->state));
    out_member_text(o, "state_zh", order_state_zh(w->state));
    out_member_text(o, "priority", order_priority_name(w->priority));
    out_member_time(o, "due", w->due_s);
    out_member_bool(o, "late", order_is_late(w->state, w->since_s, w->due_s, now_s));
    out_member_span(o, "assignee", w->assignee);
    out_member_span(o, "point", w->point);
    out_member_span(o, "account", s->place.account);
    out_member_span(o, "address", s->place.address);
    out_member_span(o, "phone", s->place.phone);
    out_member_span(o, "serial", s->serial);
    if (s->dn_mm)
        out_member_int(o, "dn", s->dn_mm);
    else
        out_member_null(o, "dn");
    put_why(o, s);
    put_last(o, s);
    put_metres(o, "leg_m", s->leg_m);
    out_member_int(o, "attempts", w->attempts);
    out_member_text(o, "result", order_result_name(w->result));
}

/* ---- one list: its forms ---- */

#define CHOICES_MAX (ORDER_RESULTS + 1)

struct showing {
    struct app *app;
    int64_t now_s;
    struct tour_sum sum;
    struct out *out;
    struct out line; /* of GeoJSON: the places in their order */
    uint32_t placed;
    struct xlsx *sheet;
};

static bool show_json(void *arg, const struct tour_shown *s)
{
    struct showing *v = (struct showing *)arg;

    out_text(v->out, s->number == 1 ? "{" : ",{");
    put_members(v->out, s, v->now_s);
    put_degrees(v->out, "lon", s->place.placed, s->place.at.lon);
    put_degrees(v->out, "lat", s->place.placed, s->place.at.lat);
    out_text(v->out, "}");
    return true;
}

static void put_position(struct out *o, const struct tour_shown *s)
{
    out_format(o, "[%.10g,%.10g]", s->place.at.lon, s->place.at.lat);
}

/* One without coordinates is an unlocated feature (RFC 7946 §3.2). */
static bool show_geojson(void *arg, const struct tour_shown *s)
{
    struct showing *v = (struct showing *)arg;

    out_text(v->out, s->number == 1 ? "{\"type\":\"Feature\",\"geometry\":"
                                    : ",{\"type\":\"Feature\",\"geometry\":");
    if (s->place.placed) {
        out_text(v->out, "{\"type\":\"Point\",\"coordinates\":");
        put_position(v->out, s);
        out_text(v->out, "}");
        if (v->placed++)
            out_text(&v->line, ",");
        put_position(&v->line, s);
    } else {
        out_text(v->out, "null");
    }
    out_text(v->out, ",\"properties\":{");
    put_members(v->out, s, v->now_s);
    out_text(v->out, "}}");
    return true;
}

static void put_sum(struct out *o, const char *name, const struct tour_sum *s)
{
    char date[11] = "";
    int32_t day;

    if (tour_day(span_text(name), &day))
        text_put_date(date, day);
    out_member_text(o, "tour", name);
    out_member_text(o, "date", date[0] ? date : NULL);
    out_member_text(o, "assignee", s->assignee[0] ? s->assignee : NULL);
    out_member_int(o, "count", s->stops);
    out_member_int(o, "left", s->left);
    out_member_int(o, "late", s->late);
    out_member_int(o, "unplaced", s->unplaced);
    out_member_int(o, "metres", llround(s->metres));
    out_member_int(o, "minutes", s->minutes);
}

static enum err make_json(struct showing *v, struct txn *t, const char *name)
{
    enum err err;

    out_text(v->out, "{");
    put_sum(v->out, name, &v->sum);
    out_key(v->out, "stops");
    out_text(v->out, "[");
    err = tour_each(v->app, t, span_text(name), show_json, v);
    out_text(v->out, "]}\n");
    return err;
}

static enum err make_geojson(struct showing *v, struct txn *t, const char *name)
{
    enum err err;

    out_text(v->out, "{\"type\":\"FeatureCollection\",\"features\":[");
    err = tour_each(v->app, t, span_text(name), show_geojson, v);
    if (v->placed > 1) { /* a line has two positions or more (§3.1.4) */
        out_text(v->out, ",{\"type\":\"Feature\",\"geometry\":{\"type\":\"LineString\","
                         "\"coordinates\":[");
        out_bytes(v->out, v->line.at, v->line.len);
        out_text(v->out, "]},\"properties\":{");
        put_sum(v->out, name, &v->sum);
        out_text(v->out, "}}");
    }
    out_text(v->out, "]}\n");
    if (!err)
        err = v->line.err;
    out_done(&v->line);
    return err;
}

/* ---- the sheet ---- */

enum sheet_place {
    STOP_STOP,
    STOP_ORDER,
    STOP_KIND,
    STOP_PRIORITY,
    STOP_DUE,
    STOP_ACCOUNT,
    STOP_ADDRESS,
    STOP_PHONE,
    STOP_SERIAL,
    STOP_DN,
    STOP_WHY,
    STOP_LAST,
    STOP_LAST_AT,
    STOP_LEG,
    STOP_INDEX, /* from here on the crew writes */
    STOP_NEW_SERIAL,
    STOP_NEW_INDEX,
    STOP_SEAL,
    STOP_PHOTO,
    STOP_RESULT,
    STOP_REMARK,
    STOP_COLUMNS
};

static const struct sheet_column sheet_columns[STOP_COLUMNS] = {
    [STOP_STOP] = { .en = "No.", .zh = "序号", .kind = SHEET_NUMBER, .width = 5 },
    [STOP_ORDER] = { .en = "Order", .zh = "工单", .kind = SHEET_TEXT, .width = 11 },
    [STOP_KIND] = { .en = "Work", .zh = "类别", .kind = SHEET_TEXT, .width = 9 },
    [STOP_PRIORITY] = { .en = "Priority", .zh = "缓急", .kind = SHEET_TEXT, .width = 8 },
    [STOP_DUE] = { .en = "Due", .zh = "完成期限", .kind = SHEET_TIME, .width = 16 },
    [STOP_ACCOUNT] = { .en = "Account", .zh = "户号", .kind = SHEET_TEXT, .width = 11 },
    [STOP_ADDRESS] = { .en = "Address", .zh = "地址", .kind = SHEET_TEXT, .width = 26 },
    [STOP_PHONE] = { .en = "Phone", .zh = "电话", .kind = SHEET_TEXT, .width = 13 },
    [STOP_SERIAL] = { .en = "Meter", .zh = "表号", .kind = SHEET_TEXT, .width = 13 },
    [STOP_DN] = { .en = "DN", .zh = "口径", .kind = SHEET_NUMBER, .unit = "mm", .width = 8 },
    [STOP_WHY] = { .en = "Reason", .zh = "事由", .kind = SHEET_TEXT, .width = 34 },
    [STOP_LAST] = { .en = "Last index",
                    .zh = "上次读数",
                    .kind = SHEET_NUMBER,
                    .unit = "m³",
                    .digits = 3,
                    .width = 12 },
    [STOP_LAST_AT] = { .en = "Last read", .zh = "上次抄表", .kind = SHEET_TIME, .width = 16 },
    [STOP_LEG] = { .en = "Walk", .zh = "步行", .kind = SHEET_NUMBER, .unit = "m", .width = 8 },
    [STOP_INDEX] = { .en = "Index", .zh = "读数", .kind = SHEET_EMPTY, .unit = "m³", .width = 11 },
    [STOP_NEW_SERIAL] = { .en = "New meter", .zh = "新表号", .kind = SHEET_EMPTY, .width = 13 },
    [STOP_NEW_INDEX] = { .en = "New index",
                         .zh = "新表起度",
                         .kind = SHEET_EMPTY,
                         .unit = "m³",
                         .width = 11 },
    [STOP_SEAL] = { .en = "Seal", .zh = "封印号", .kind = SHEET_EMPTY, .width = 10 },
    [STOP_PHOTO] = { .en = "Photo", .zh = "照片", .kind = SHEET_EMPTY, .width = 8 },
    [STOP_RESULT] = { .en = "Result", .zh = "结果", .kind = SHEET_EMPTY, .width = 11 },
    [STOP_REMARK] = { .en = "Remark", .zh = "备注", .kind = SHEET_EMPTY, .width = 16 },
};

/* Both languages where they differ. */
static void put_both(struct xlsx *x, const char *zh, const char *en)
{
    char text[2 * FLAG_TEXT_SIZE + 2 * LIMIT_TEXT];

    snprintf(text, sizeof text, "%s%s%s", zh ? zh : "", zh && en && strcmp(zh, en) != 0 ? "\n" : "",
             en && (!zh || strcmp(zh, en) != 0) ? en : "");
    xlsx_text(x, span_text(text));
}

static bool show_sheet(void *arg, const struct tour_shown *s)
{
    const struct showing *v = (const struct showing *)arg;
    struct xlsx *x = v->sheet;

    xlsx_number(x, s->number);
    xlsx_text(x, s->order.name);
    put_both(x, order_kind_zh(s->order.kind), order_kind_name(s->order.kind));
    put_both(x, order_priority_zh(s->order.priority), order_priority_name(s->order.priority));
    xlsx_time(x, s->order.due_s);
    xlsx_text(x, s->place.account);
    xlsx_text(x, s->place.address);
    xlsx_text(x, s->place.phone);
    xlsx_text(x, s->serial);
    xlsx_number(x, s->dn_mm ? s->dn_mm : NAN);
    put_both(x, s->text_zh, s->text_en);
    if (s->has_last) {
        xlsx_litres(x, s->last_ml);
        xlsx_time(x, s->last_s);
    } else {
        xlsx_empty(x);
        xlsx_empty(x);
    }
    xlsx_number(x, s->leg_m >= 0 ? round(s->leg_m) : NAN);
    xlsx_row_end(x);
    return true;
}

/* What may stand in the column of results: all that can be reported. */
static void find_choices(const char *choices[CHOICES_MAX])
{
    size_t count = 0;

    for (unsigned r = 0; r < ORDER_RESULTS; r++)
        for (unsigned k = 0; k < ORDER_KINDS; k++)
            if (order_result_fits((enum order_result)r, (enum order_kind)k)) {
                choices[count++] = order_result_zh((enum order_result)r);
                break;
            }
    choices[count] = NULL;
}

static enum err make_sheet(struct showing *v, struct txn *t, const char *name)
{
    struct sheet_column shown[STOP_COLUMNS];
    const char *choices[CHOICES_MAX];
    char title[200];
    struct sheet sheet = {
        .name = name, .title = title, .zone = &v->app->zone, .made_at_s = v->now_s
    };
    enum err err;

    snprintf(title, sizeof title, "%s · %s · %u 处/stops · %.1f km · %u min", name, v->sum.assignee,
             v->sum.stops, v->sum.metres / 1000, v->sum.minutes);
    memcpy(shown, sheet_columns, sizeof shown);
    find_choices(choices);
    shown[STOP_RESULT].choices = choices;
    if ((err = xlsx_new(&sheet, shown, STOP_COLUMNS, &v->sheet)))
        return err;
    if ((err = tour_each(v->app, t, span_text(name), show_sheet, v))) {
        xlsx_drop(v->sheet);
        return err;
    }
    return xlsx_end(v->sheet, v->out);
}

/* ---- asking ---- */

static bool is_ours(struct request *q, struct txn *t, const struct tour_sum *s)
{
    struct scope scope = scope_of(q->caller.org);
    struct ledger_row row;

    if (!q->caller.org[0])
        return true;
    if (ledger_find(t, LIST_CREW, span_text(s->assignee), INT64_MAX, &row) ||
        ledger_find(t, LIST_POINT, span_text(s->point), INT64_MAX, &row))
        return scope_row(&scope, t, &row);
    return false;
}

static const char *type_of(enum form form)
{
    return form == FORM_GEOJSON ? "application/geo+json"
           : form == FORM_XLSX ? "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
                               : NULL;
}

void answer_tour(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct showing v = { .app = q->app, .now_s = clock_now_s(&q->app->clock), .out = &q->out };
    char name[TOUR_NAME_SIZE];
    bool ours = true;
    int32_t day;
    enum err err = tour_day(q->subject[0], &day) ? ERR_OK : ERR_NOT_FOUND;

    out_clear(&q->out);
    snprintf(name, sizeof name, "%.*s",
             (int)(q->subject[0].len < sizeof name ? q->subject[0].len : 0),
             (const char *)q->subject[0].at);
    if (!err) {
        tour_sum(q->app, &t, span_text(name), &v.sum);
        err = v.sum.stops ? ERR_OK : ERR_NOT_FOUND;
    }
    if (!err && (ours = is_ours(q, &t, &v.sum)))
        err = q->form == FORM_XLSX      ? make_sheet(&v, &t, name)
              : q->form == FORM_GEOJSON ? make_geojson(&v, &t, name)
                                        : make_json(&v, &t, name);
    if (!err)
        err = t.err ? t.err : q->out.err;
    txn_abort(&t);
    q->status = 200;
    q->type = type_of(q->form);
    if (q->form == FORM_XLSX)
        snprintf(q->file, sizeof q->file, "%s.xlsx", name);
    if (err)
        problem_of(q, err, "tour", "tour %.*s: %s",
                   (int)(q->subject[0].len < 64 ? q->subject[0].len : 64),
                   (const char *)q->subject[0].at,
                   err == ERR_NOT_FOUND ? "no order is on such a list" : err_text(err));
    else if (!ours)
        problem_of(q, ERR_FORBIDDEN, "tour",
                   "the role %s of the org unit %s may not do this: tour %s belongs to another "
                   "unit, or to none",
                   role_name(q->caller.role), q->caller.org, name);
}
