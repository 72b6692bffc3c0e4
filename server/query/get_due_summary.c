/* How many verifications fall due by month, zone, route and size, and how many are over: for those who plan. */
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/due_summary.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "month", "zone",    "route",          "dn", "fitted",
                                       "store", "overdue", "never_verified", NULL };

struct shown {
    struct due_wish wish;
    char zone[DUE_NAME], route[DUE_NAME];
    struct due_summary summary;
};

static void shown_done(void *state)
{
    struct shown *s = (struct shown *)state;

    due_summary_done(&s->summary);
    free(s);
}

/* ---- rows ---- */

static void cursor_write(struct wr *w, const struct due_group *g)
{
    wr_be32(w, (uint32_t)g->month);
    wr_be32(w, (uint32_t)g->dn_mm);
    wr_counted(w, span_text(g->zone));
    wr_counted(w, span_text(g->route));
}

/* False: the cursor is none of ours. */
static bool cursor_read(struct span cursor, char zone[DUE_NAME], char route[DUE_NAME],
                        struct due_group *out)
{
    struct rd r = rd_of(cursor);
    struct span text[2];

    out->month = (int32_t)rd_be32(&r);
    out->dn_mm = (int32_t)rd_be32(&r);
    text[0] = rd_counted(&r);
    text[1] = rd_counted(&r);
    if (r.err || text[0].len >= DUE_NAME || text[1].len >= DUE_NAME)
        return false;
    snprintf(zone, DUE_NAME, "%.*s", (int)text[0].len, (const char *)text[0].at);
    snprintf(route, DUE_NAME, "%.*s", (int)text[1].len, (const char *)text[1].at);
    out->zone = zone;
    out->route = route;
    return true;
}

/* Whose a group is was asked for each meter: a route that is not told bars no unit from its row. */
static void put_name(struct listing *l, const char *name, const char *text)
{
    struct out *o;

    if (*text) {
        row_word(l, name, text);
        return;
    }
    o = row_raw_begin(l, name);
    if (l->form != FORM_CSV)
        out_text(o, "null");
    row_raw_end(l);
}

static void put(struct listing *l, const struct due_group *g)
{
    uint8_t bytes[CURSOR_MAX];
    struct wr cursor = wr_of(bytes, sizeof bytes);
    char month[16] = "";

    cursor_write(&cursor, g);
    if (g->month != NO_DAY)
        snprintf(month, sizeof month, "%04d-%02d", (int)(g->month / 12), (int)(g->month % 12) + 1);
    row_begin(l);
    row_word(l, "month", *month ? month : NULL);
    put_name(l, "zone", g->zone);
    put_name(l, "route", g->route);
    if (g->dn_mm)
        row_int(l, "dn", g->dn_mm);
    else
        row_null(l, "dn");
    row_int(l, "fitted", (int64_t)g->fitted);
    row_int(l, "store", (int64_t)g->store);
    row_int(l, "overdue", (int64_t)g->overdue);
    row_int(l, "never_verified", (int64_t)g->never_verified);
    row_end(l, wr_span(&cursor));
}

static void fill(struct listing *l)
{
    const struct due_summary *s = &((const struct shown *)l->state)->summary;
    char zone[DUE_NAME], route[DUE_NAME];
    struct due_group after;
    size_t n = 0;

    if (l->cursor_len && !cursor_read(span_of(l->cursor, l->cursor_len), zone, route, &after)) {
        listing_fail(l, ERR_INVALID);
        return;
    }
    while (l->cursor_len && n < s->count && due_group_order(&s->groups[n], &after) <= 0)
        n++;
    for (; n < s->count && !listing_full(l); n++)
        put(l, &s->groups[n]);
    l->ended = n >= s->count;
}

/* ---- asking ---- */

static const struct {
    const char *name;
    enum due_by by;
} bys[] = { { "month", DUE_BY_MONTH },
            { "zone", DUE_BY_ZONE },
            { "route", DUE_BY_ROUTE },
            { "dn", DUE_BY_DN } };

static unsigned by_named(struct span word)
{
    for (size_t i = 0; i < sizeof bys / sizeof bys[0]; i++)
        if (span_equal(word, span_text(bys[i].name)))
            return bys[i].by;
    return 0;
}

static bool ask_by(struct request *q, unsigned *out)
{
    struct span text = ask_text(q, "by"), rest = text;

    *out = text.len ? 0 : DUE_BY_MONTH;
    while (rest.len) {
        const uint8_t *comma = (const uint8_t *)memchr(rest.at, ',', rest.len);
        struct span word = span_of(rest.at, comma ? (size_t)(comma - rest.at) : rest.len);
        unsigned by = by_named(word);
        size_t used = word.len + (comma != NULL);

        if (!by || (*out & by) || (comma && used == rest.len)) {
            problem_of(
                q, ERR_INVALID, "by",
                "by: found %.*s, expected some of month, zone, route and dn, with commas between",
                (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
            return false;
        }
        *out |= by;
        rest = span_of(rest.at + used, rest.len - used);
    }
    return true;
}

static bool ask_where(struct request *q, struct due_wish *w)
{
    struct span where = ask_text(q, "where");
    bool fitted = span_equal(where, span_text("fitted")),
         store = span_equal(where, span_text("store"));

    if (where.len && !fitted && !store && !span_equal(where, span_text("all"))) {
        problem_of(q, ERR_INVALID, "where", "where: found %.*s, expected fitted, store or all",
                   (int)(where.len < 40 ? where.len : 40), (const char *)where.at);
        return false;
    }
    w->fitted = !store;
    w->store = !fitted;
    return true;
}

static bool ask_place(struct request *q, struct txn *t, enum list_kind kind, const char *name,
                      char out[DUE_NAME])
{
    struct span text = ask_text(q, name);

    if (!named_is_known(q, t, kind, name))
        return false;
    snprintf(out, DUE_NAME, "%.*s", (int)text.len, text.len ? (const char *)text.at : "");
    return true;
}

static bool ask_all(struct request *q, struct shown *s)
{
    struct due_wish *w = &s->wish;
    struct txn t;
    int64_t dn;
    bool known;

    if (!ask_days(q, true, &w->from_day, &w->to_day) || !ask_by(q, &w->by) || !ask_where(q, w) ||
        !ask_int(q, "dn", 1, 5000, 0, &dn))
        return false;
    t = ledger_read(q->app->ledger);
    known = ask_place(q, &t, LIST_ZONE, "zone", s->zone) &&
            ask_place(q, &t, LIST_ROUTE, "route", s->route);
    txn_abort(&t);
    w->dn_mm = (int32_t)dn;
    w->zone = s->zone;
    w->route = s->route;
    w->org = q->caller.org;
    return known;
}

static enum err make(struct request *q, struct shown *s)
{
    int64_t now_s;
    enum err err = lives_now(q->app, &now_s);

    if (err)
        return err;
    s->wish.today = (int32_t)zone_day_number(&q->app->zone, now_s);
    return due_summary_make(q->app, &s->wish, now_s, &s->summary);
}

void answer_verifications_summary(struct request *q)
{
    struct shown *s = (struct shown *)calloc(1, sizeof *s);
    enum err err;

    if (!s) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    if (ask_all(q, s)) {
        if (!(err = make(q, s))) {
            listing_new(q, columns, fill, s, shown_done, PAGE);
            return;
        }
        if (err == ERR_LIMIT)
            problem_of(q, ERR_INVALID, "by",
                       "by: found more than %d groups, expected fewer: a filter, or less than all "
                       "together",
                       DUE_GROUPS_MAX);
        else
            problem_of(q, err, "", "what falls due cannot be counted: a part %s", err_text(err));
    }
    shown_done(s);
}
