/* GET /v1/stock: what depots and crews hold, counted by model, size and state, with what runs out. */
#include "server/lives.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"
#include "server/stock.h"

#include <stdlib.h>

#define PAGE 1000

struct wanted {
    char kind; /* 0: all holders */
    char holder[128], model[256];
    int64_t dn;      /* 0: any */
    const char *org; /* of the token; "": all there is */
    int32_t today, next_year;
};

/* One row: keys that differ in nothing but the date. */
struct pile {
    char kind, holder[STOCK_HOLDER_MAX + 1], model[STOCK_MODEL_MAX + 1];
    int32_t dn_mm;
    int64_t q3_lph;
    enum life_state state;
    uint64_t meters, under_a_year, overdue, unverified;
    int32_t earliest;
    uint8_t group[CURSOR_MAX];
    size_t group_len;
};

static void keep_text(char *to, size_t size, struct span text)
{
    size_t len = text.len < size ? text.len : size - 1;

    if (len)
        memcpy(to, text.at, len);
    to[len] = 0;
}

static void pile_begin(struct pile *p, const struct stock_walk *w)
{
    memset(p, 0, sizeof *p);
    p->kind = w->place.kind;
    keep_text(p->holder, sizeof p->holder, w->place.holder);
    keep_text(p->model, sizeof p->model, w->place.model);
    p->dn_mm = w->place.dn_mm;
    p->q3_lph = w->place.q3_lph;
    p->state = w->place.state;
    p->earliest = NO_DAY;
    p->group_len = w->group.len < CURSOR_MAX ? w->group.len : 0;
    memcpy(p->group, w->group.at, p->group_len);
}

static void pile_add(struct pile *p, const struct stock_walk *w, const struct wanted *wanted)
{
    int32_t due = w->place.due;

    p->meters += w->meters;
    if (due == NO_DAY) {
        p->unverified += w->meters;
        return;
    }
    if (p->earliest == NO_DAY)
        p->earliest = due; /* they come by date */
    if (due < wanted->today)
        p->overdue += w->meters;
    else if (due < wanted->next_year)
        p->under_a_year += w->meters;
}

static void put_q3(struct listing *l, int64_t lph)
{
    char text[TEXT_LITRES_SIZE];

    text_put_litres(text, lph); /* thousandths of m3/h */
    row_number(l, "q3", span_text(text));
}

/* What nobody is told to hold is for tokens without a unit. */
static bool is_ours(struct txn *t, const struct pile *p, const struct wanted *w)
{
    struct scope scope = scope_of(w->org);
    struct ledger_row row;

    return !w->org[0] || (p->kind != '-' &&
                          ledger_find(t, p->kind == 'c' ? LIST_CREW : LIST_DEPOT,
                                      span_text(p->holder), INT64_MAX, &row) &&
                          scope_row(&scope, t, &row));
}

static void pile_put(struct listing *l, struct txn *t, const struct pile *p, const struct wanted *w)
{
    struct span cursor = span_of(p->group, p->group_len);
    char due[11];

    if (!is_ours(t, p, w) || (w->model[0] && strcmp(w->model, p->model) != 0) ||
        (w->dn && w->dn != p->dn_mm)) {
        listing_pass(l, cursor);
        return;
    }
    if (p->earliest != NO_DAY)
        text_put_date(due, p->earliest);
    row_begin(l);
    row_word(l, "holder_kind", p->kind == 'c' ? "crew" : p->kind == 'd' ? "depot" : NULL);
    row_word(l, "holder", p->kind == '-' ? NULL : p->holder);
    row_word(l, "model", p->model[0] ? p->model : NULL);
    row_int(l, "dn", p->dn_mm);
    put_q3(l, p->q3_lph);
    row_word(l, "state", life_state_name(p->state));
    row_int(l, "meters", (int64_t)p->meters);
    row_word(l, "earliest_due", p->earliest != NO_DAY ? due : NULL);
    row_int(l, "under_a_year", (int64_t)p->under_a_year);
    row_int(l, "overdue", (int64_t)p->overdue);
    row_int(l, "unverified", (int64_t)p->unverified);
    row_end(l, cursor);
}

static void fill(struct listing *l)
{
    const struct wanted *wanted = (const struct wanted *)l->state;
    uint8_t after[CURSOR_MAX];
    struct pile pile = { .group_len = 0 };
    struct stock_walk w;
    struct txn t;
    bool more = true;
    int64_t now_s;

    listing_fail(l, lives_now(l->app, &now_s));
    t = ledger_read(l->app->ledger);
    memcpy(after, l->cursor, l->cursor_len);
    w = stock_walk(&t, wanted->kind, span_text(wanted->holder), span_of(after, l->cursor_len));
    while (!t.err && !l->err && !listing_full(l) && (more = stock_next(&w))) {
        if (!pile.group_len || !span_equal(w.group, span_of(pile.group, pile.group_len))) {
            if (pile.group_len)
                pile_put(l, &t, &pile, wanted);
            pile_begin(&pile, &w);
        }
        pile_add(&pile, &w, wanted);
    }
    if (pile.group_len && !more)
        pile_put(l, &t, &pile, wanted);
    stock_done(&w);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

static const char *const columns[] = { "holder_kind",  "holder",  "model",      "dn",
                                       "q3",           "state",   "meters",     "earliest_due",
                                       "under_a_year", "overdue", "unverified", NULL };

static bool ask_wanted(struct request *q, struct wanted *w)
{
    bool crew = ask_text(q, "crew").len != 0, depot = ask_text(q, "depot").len != 0;

    if (crew && depot) {
        problem_of(q, ERR_INVALID, "crew", "crew: found one beside a depot, expected either");
        return false;
    }
    w->kind = (char)(crew ? 'c' : depot ? 'd' : 0);
    return ask_copy(q, crew ? "crew" : "depot", w->holder, sizeof w->holder) &&
           ask_copy(q, "model", w->model, sizeof w->model) && ask_int(q, "dn", 1, 5000, 0, &w->dn);
}

void answer_stock(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    if (!ask_wanted(q, w)) {
        free(w);
        return;
    }
    w->org = q->caller.org;
    w->today = (int32_t)zone_day_number(&q->app->zone, clock_now_s(&q->app->clock));
    w->next_year = day_months_later(w->today, 12);
    listing_new(q, columns, fill, w, free, PAGE);
}
