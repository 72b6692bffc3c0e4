/* POST /v1/routes/ROUTE/day/sign: who read the route says that its day is as it should be.  The figures of every row, what was
 * said of those that are not in order, and a digest over all of them are facts from then on. */
#include "server/acts/route.h"

#include "proto/base/hex.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMED_MOST 8 /* rows that a refusal names */

struct signing {
    const struct act_request *q;
    struct act_reply *reply;
    struct ledger_row route;
    int32_t day;
    struct span note;
    struct route_sheet sheet;
    struct span *remarks; /* of each row of the sheet; empty: none */
    struct route_signed signature;
};

/* ---- facts ---- */

static struct sheet_row *row_of(struct signing *s, const char *point, size_t *out_place)
{
    for (size_t i = 0; i < s->sheet.count; i++) {
        if (span_equal(sheet_span(&s->sheet, s->sheet.rows[i].name), span_text(point))) {
            *out_place = i;
            return &s->sheet.rows[i];
        }
    }
    return NULL;
}

static bool refuse_remarks(struct signing *s, const char *found)
{
    answer_refuse(s->reply, ERR_INVALID, "remarks",
                  "remarks: found %.80s, expected a list of {\"point\",\"remark\"}, each point of "
                  "the route once, with 1 to %d bytes",
                  found, ROUTE_TEXT_MAX);
    return false;
}

static bool remark_taken(struct signing *s, const json_t *one)
{
    const char *point = json_string_value(json_object_get(one, "point"));
    const json_t *text = json_object_get(one, "remark");
    struct span remark = json_is_string(text)
                             ? span_of(json_string_value(text), json_string_length(text))
                             : (struct span){ 0 };
    size_t place;

    if (!point)
        return refuse_remarks(s, "one without a point");
    if (!row_of(s, point, &place) || s->remarks[place].len)
        return refuse_remarks(s, point);
    if (!remark.len || remark.len > ROUTE_TEXT_MAX || !text_is_utf8(remark))
        return refuse_remarks(s, point);
    s->remarks[place] = remark;
    return true;
}

static bool remarks_taken(struct signing *s)
{
    const json_t *list = json_object_get(s->q->body, "remarks");
    const json_t *one;
    size_t i;

    if (!list || json_is_null(list))
        return true;
    if (!json_is_array(list))
        return refuse_remarks(s, "something else");
    json_array_foreach(list, i, one)
    {
        if (!remark_taken(s, one))
            return false;
    }
    return true;
}

/* A point that a remark names must be registered at all: 404 before anything of the facts. */
static bool points_exist(struct signing *s, struct txn *t)
{
    const json_t *one;
    struct ledger_row row;
    size_t i;

    json_array_foreach(json_object_get(s->q->body, "remarks"), i, one)
    {
        const char *point = json_string_value(json_object_get(one, "point"));

        if (!point || ledger_find(t, LIST_POINT, span_text(point), INT64_MAX, &row))
            continue;
        if (t->err)
            answer_failed(s->reply, t->err);
        else
            answer_refuse(s->reply, ERR_NOT_FOUND, "remarks",
                          "remarks: found %.64s, expected a point that is registered", point);
        return false;
    }
    return true;
}

/* ---- what stands against it ---- */

static bool is_over(struct signing *s)
{
    char date[11];

    if (s->sheet.day.span.cut_s <= clock_now_s(&s->q->app->clock))
        return true;
    text_put_date(date, s->day);
    answer_refuse(s->reply, ERR_CONFLICT, "date",
                  "date: %s has not come; a day is signed from its cut-off on", date);
    return false;
}

static bool is_unsigned(struct signing *s, struct txn *t)
{
    struct route_place at = { s->route.id, 0, s->day };
    struct route_signed known;
    struct span bytes;
    char date[11], when[TEXT_TIME_SIZE];
    enum err err = ERR_OK;

    if (!ledger_route_fact(t, ROUTE_SIGNED, &at, &bytes)) {
        if (t->err)
            answer_failed(s->reply, t->err);
        return !t->err;
    }
    if ((err = route_signed_read(bytes, &known))) {
        answer_failed(s->reply, err);
        return false;
    }
    text_put_date(date, s->day);
    text_put_time(when, known.at_s);
    answer_refuse(
        s->reply, ERR_CONFLICT, "date",
        "date: %s was signed by %.*s at %s; what came later shows as changed_since_signed", date,
        (int)known.who.len, (const char *)known.who.at, when);
    return false;
}

/* Disputes as they are within the act. */
static bool disputes_seen(struct signing *s, struct txn *t)
{
    struct route_place at = { .route = s->route.id, .day = s->day };
    enum err err = ERR_OK;

    for (size_t i = 0; i < s->sheet.count && !err; i++) {
        struct sheet_row *row = &s->sheet.rows[i];
        struct span bytes;

        at.point = row->point;
        row->has_dispute = ledger_route_fact(t, ROUTE_DISPUTE, &at, &bytes);
        err = row->has_dispute ? route_dispute_read(bytes, &row->dispute) : t->err;
    }
    if (err)
        answer_failed(s->reply, err);
    return !err;
}

/* Each row that is not in order needs a remark; a dispute has to be resolved. */
static bool rows_are_in_order(struct signing *s)
{
    char named[600];
    struct wr w = wr_of(named, sizeof named);
    size_t open = 0;

    for (size_t i = 0; i < s->sheet.count; i++) {
        const struct sheet_row *row = &s->sheet.rows[i];
        struct span name = sheet_span(&s->sheet, row->name);
        bool disputed = sheet_is_disputed(row);

        if (!disputed && (row->judged == SHEET_OK || s->remarks[i].len))
            continue;
        if (open++ < NAMED_MOST)
            wr_format(&w, "%s%.*s (%s%s%s)", open > 1 ? ", " : "", (int)name.len,
                      (const char *)name.at,
                      sheet_state_name(disputed ? SHEET_DISPUTED : row->judged),
                      disputed ? "" : ", ", disputed ? "" : sheet_reason_name(row->judged_reason));
    }
    if (!open)
        return true;
    answer_refuse(s->reply, ERR_CONFLICT, "remarks",
                  "remarks: %zu rows are not in order: %.*s%s; expected a remark for each that is "
                  "missing or odd, and no open dispute",
                  open, (int)wr_len(&w), named, open > NAMED_MOST ? ", …" : "");
    return false;
}

/* ---- the act ---- */

static void put_line(struct signing *s, struct act *act, EVP_MD_CTX *sha, struct out *text,
                     size_t i)
{
    const struct sheet_row *row = &s->sheet.rows[i];
    struct route_place at = { s->route.id, row->point, s->day };
    struct route_line line = sheet_line(row, s->remarks[i]);
    uint8_t bytes[ROUTE_FACT_ROOM];
    struct wr w = wr_of(bytes, sizeof bytes);

    out_clear(text);
    out_text(text, "{");
    route_line_put(text, sheet_span(&s->sheet, row->name), &line);
    out_text(text, "}\n");
    route_line_write(&w, &line);
    if (text->err || w.err || !EVP_DigestUpdate(sha, text->at, text->len)) {
        act->txn.err = act->txn.err ? act->txn.err : text->err ? text->err : ERR_TOO_LARGE;
        return;
    }
    act_put_route_fact(act, ROUTE_LINE, &at, wr_span(&w));
    s->signature.points++;
    s->signature.by_state[row->judged]++;
}

static void put_lines(struct signing *s, struct act *act)
{
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    struct out text = { 0 };

    if (!sha || !EVP_DigestInit_ex(sha, EVP_sha256(), NULL))
        act->txn.err = ERR_NO_MEMORY;
    for (size_t i = 0; i < s->sheet.count && !act->txn.err; i++)
        put_line(s, act, sha, &text, i);
    if (!act->txn.err && !EVP_DigestFinal_ex(sha, s->signature.digest, NULL))
        act->txn.err = ERR_NO_MEMORY;
    EVP_MD_CTX_free(sha);
    out_done(&text);
}

static void put_signature(const struct signing *s, struct out *o)
{
    char hex[2 * sizeof s->signature.digest + 1] = "", date[11];
    struct wr w = wr_of(hex, sizeof hex);

    hex_write(&w, span_of(s->signature.digest, sizeof s->signature.digest));
    text_put_date(date, s->day);
    out_member_span(o, "route", s->q->subject);
    out_member_text(o, "date", date);
    out_member_text(o, "state", sheet_state_name(SHEET_SIGNED));
    out_member_span(o, "signed_by", s->signature.who);
    out_member_time(o, "signed_at", s->signature.at_s);
    out_member_span(o, "note", s->note);
    out_member_int(o, "points", (int64_t)s->signature.points);
    for (int n = 0; n < SHEET_DISPUTED; n++)
        out_member_int(o, sheet_state_name((enum sheet_state)n), (int64_t)s->signature.by_state[n]);
    out_member_span(o, "digest", wr_span(&w));
}

static void sign(struct signing *s, struct act *act)
{
    struct route_place at = { s->route.id, 0, s->day };
    uint8_t bytes[ROUTE_FACT_ROOM];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct out told = { 0 };

    s->signature.at_s = act->now_s;
    s->signature.who = span_text(s->q->caller->who);
    s->signature.note = s->note;
    put_lines(s, act);
    route_signed_write(&w, &s->signature);
    if (!act->txn.err)
        act_put_route_fact(act, ROUTE_SIGNED, &at, wr_span(&w));
    out_text(&told, "{");
    put_signature(s, &told);
    out_text(&told, "}");
    if (told.err && !act->txn.err)
        act->txn.err = told.err;
    act_note(act, "route.sign", s->q->subject, span_of(NULL, 0), span_of(told.at, told.len),
             s->note);
    out_done(&told);
    answer_begin(s->reply, 201);
    put_signature(s, &s->reply->body);
    answer_end(s->reply, NULL);
    (void)!answer_commit(s->q, s->reply, act); /* the answer tells */
}

/* The sheet, and whose it is; the row's texts end with `t`. */
static bool sheet_loaded(struct signing *s, struct txn *t)
{
    struct route_day day;
    enum err err;

    if (!route_named(s->q, s->reply, t, &s->route) ||
        !route_is_callers(s->q, s->reply, &s->route) || !points_exist(s, t) ||
        !answer_members(s->q, s->reply, "date", "note", "remarks", NULL) ||
        !route_date(s->q, s->reply, &s->day) ||
        !route_text(s->q, s->reply, "note", false, &s->note))
        return false;
    day = route_day_of(s->q->app, &s->route, s->day);
    err = route_sheet_load(s->q->app, t, s->q->subject, &day, clock_now_s(&s->q->app->clock),
                           &s->sheet);
    if (!err && !(s->remarks = (struct span *)calloc(s->sheet.count + 1, sizeof *s->remarks)))
        err = ERR_NO_MEMORY;
    if (err)
        answer_failed(s->reply, err);
    return !err;
}

/* The sheet is made before the act begins, so that nobody waits for it: it is what the signer knew. Only what was decided
 * meanwhile is looked at again, within the act. */
void act_sign_route_day(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct signing s = { .q = q, .reply = out };
    struct txn t;
    struct act act;
    bool fine;

    if (!answer_role(q, out, ROLES_SHEETS))
        return;
    t = ledger_read(app->ledger);
    fine = sheet_loaded(&s, &t) && remarks_taken(&s) && is_over(&s);
    txn_abort(&t);
    if (fine) {
        act = act_by(q);
        if (act.txn.err)
            answer_failed(out, act.txn.err);
        else if (is_unsigned(&s, &act.txn) && disputes_seen(&s, &act.txn) && rows_are_in_order(&s))
            sign(&s, &act);
        act_abort(&act);
    }
    route_sheet_done(&s.sheet);
    free(s.remarks);
}
