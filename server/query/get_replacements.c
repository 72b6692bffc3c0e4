/* Meters to be changed, the greatest benefit first, each with what a person checks it by. */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/replacing.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "rank",
                                       "serial",
                                       "point",
                                       "address",
                                       "lon",
                                       "lat",
                                       "route",
                                       "dn",
                                       "reason",
                                       "reason_zh",
                                       "kinds",
                                       "due_on",
                                       "loss_m3_month",
                                       "loss_low",
                                       "loss_high",
                                       "money_month",
                                       "confidence",
                                       "severity",
                                       "onset",
                                       "flag",
                                       "zone",
                                       "use_class",
                                       "model",
                                       "benefit",
                                       "cost",
                                       "payback_months",
                                       "loss_months",
                                       "legal_due",
                                       "condition_due",
                                       "condition_basis",
                                       "currency",
                                       "reasons",
                                       NULL };

struct ranked {
    struct ranking *ranking;
    struct sieve sieve;
    char model[LIFE_MODEL_MAX]; /* numbers of models are not theirs alone */
    struct ranking_walk walk;
    bool begun, ended;
    uint32_t rank; /* of the row before */
    struct replacement_shown *shown;
};

static void ranked_done(void *state)
{
    struct ranked *r = (struct ranked *)state;

    ranking_release(r->ranking);
    sieve_done(&r->sieve);
    if (r->shown)
        life_done(&r->shown->life);
    free(r->shown);
    free(r);
}

/* ---- one row ---- */

/* A candidate with all that is said of it. */
struct said {
    const struct ranked *ranked;
    const struct replacement *one;
    const struct replacement_shown *shown;
    struct replace_facts facts;
    struct replace_figures figures;
    struct ledger_row meter, point; /* views */
    bool legal, worn;
};

static struct span cell_of(const struct ledger_row *row, unsigned cell)
{
    return cell < row->count ? row->cells[cell] : (struct span){ 0 };
}

static void put_kinds(struct out *o, unsigned kinds)
{
    bool first = true;

    out_text(o, "[");
    for (size_t n = 0; detector_at(n); n++) {
        if (!(kinds & 1u << n))
            continue;
        if (!first)
            out_text(o, ",");
        first = false;
        out_string(o, span_text(detector_at(n)->flag));
    }
    out_text(o, "]");
}

/* Millilitres a day as thousandths of cubic metres a month. */
static int64_t month_of(int64_t mlpd)
{
    return mlpd * REPLACE_MONTH_DAYS / 1000;
}

/* A sentence of parts that have no capital and no full stop. */
static void sentence(struct wr *en, struct wr *zh, const struct said *s)
{
    if (s->legal)
        replace_say_legal(&s->facts, &s->figures, en, zh);
    if (s->legal && s->worn) {
        wr_text(en, "; ");
        wr_text(zh, "；");
    }
    if (s->worn)
        replace_say_condition(&s->shown->condition, en, zh);
    wr_text(en, ".");
    wr_text(zh, "。");
}

static void put_reason(struct listing *l, const struct said *s)
{
    char en[FLAG_TEXT_SIZE] = "", zh[FLAG_TEXT_SIZE] = "";
    struct wr w_en = wr_of(en, sizeof en - 1), w_zh = wr_of(zh, sizeof zh - 1);

    if (s->shown->blamed) {
        row_word(l, "reason", s->shown->flag.text_en);
        row_word(l, "reason_zh", s->shown->flag.text_zh);
        return;
    }
    sentence(&w_en, &w_zh, s);
    if (en[0] >= 'a' && en[0] <= 'z')
        en[0] -= 'a' - 'A';
    row_word(l, "reason", en);
    row_word(l, "reason_zh", zh);
}

/* ---- reasons: a part each, with its numbers ---- */

struct part {
    struct out *o;
    char en[FLAG_TEXT_SIZE], zh[FLAG_TEXT_SIZE];
    struct wr w_en, w_zh;
};

static void part_begin(struct part *p, struct out *o, const char *code)
{
    memset(p->en, 0, sizeof p->en);
    memset(p->zh, 0, sizeof p->zh);
    p->o = o;
    p->w_en = wr_of(p->en, sizeof p->en - 1);
    p->w_zh = wr_of(p->zh, sizeof p->zh - 1);
    out_next(o);
    out_text(o, "{");
    out_member_text(o, "code", code);
}

static void part_end(struct part *p)
{
    out_member_text(p->o, "text_en", p->en);
    out_member_text(p->o, "text_zh", p->zh);
    out_text(p->o, "}");
}

static void put_date(struct out *o, const char *name, int32_t day)
{
    char text[11];

    text_put_date(text, day);
    out_member_text(o, name, text);
}

static void say_flag(struct out *o, const struct flag *f)
{
    out_next(o);
    out_text(o, "{");
    out_member_text(o, "code", f->kind->flag);
    out_member_text(o, "flag", f->id);
    out_member_text(o, "state", flag_state_name(f->state));
    out_member_time(o, "onset", f->verdict.onset_s);
    out_member_text(o, "text_en", f->text_en);
    out_member_text(o, "text_zh", f->text_zh);
    out_text(o, "}");
}

static void say_loss(struct part *p, struct out *o, const struct said *s)
{
    const struct fleet_rules *rules = &s->ranked->ranking->rules;

    part_begin(p, o, "loss");
    out_member_litres(o, "m3_month", month_of(s->facts.lost_mlpd));
    out_member_litres(o, "price_m3", rules->water_m3[s->facts.use]);
    out_member_litres(o, "money_month", s->figures.money_month);
    out_member_litres(o, "confidence", 10 * (int64_t)s->facts.confidence_pct);
    out_member_int(o, "months", s->figures.months);
    replace_say_loss(rules, &s->facts, &s->figures, &p->w_en, &p->w_zh);
    part_end(p);
}

/* What its model misses, as somebody priced it: an expectation, no finding. */
static void say_wear(struct part *p, struct out *o, const struct said *s)
{
    const struct replacement_shown *w = s->shown;
    double m3 = w->wear_volume_l / 1000;

    part_begin(p, o, "wear");
    out_key(o, "missed_pct");
    out_format(o, "%.2f", 100 * w->wear_missed);
    out_key(o, "volume_m3");
    out_format(o, "%.0f", m3);
    wr_format(&p->w_en, "meters of its model miss about %.1f %% after %.0f m³",
              100 * w->wear_missed, m3);
    wr_format(&p->w_zh, "同型号水表累计 %.0f m³ 后约少计 %.1f%%", m3, 100 * w->wear_missed);
    part_end(p);
}

static void say_legal(struct part *p, struct out *o, const struct said *s)
{
    part_begin(p, o, "legal");
    put_date(o, "legal_due", s->facts.legal_due);
    out_member_int(o, "days_left", -(int64_t)s->figures.days_over);
    replace_say_legal(&s->facts, &s->figures, &p->w_en, &p->w_zh);
    part_end(p);
}

static void say_condition(struct part *p, struct out *o, const struct said *s)
{
    const struct condition *c = &s->shown->condition;

    part_begin(p, o, "condition");
    put_date(o, "condition_due", c->due);
    out_member_text(o, "basis", condition_name(c->basis));
    if (c->basis == CONDITION_THROUGHPUT) {
        out_member_litres(o, "volume_l", c->volume_ml);
        out_member_litres(o, "limit_l", c->limit_ml);
    }
    replace_say_condition(c, &p->w_en, &p->w_zh);
    part_end(p);
}

static void say_cost(struct part *p, struct out *o, const struct said *s)
{
    const struct fleet_rules *rules = &s->ranked->ranking->rules;

    part_begin(p, o, "cost");
    out_member_litres(o, "cost", s->figures.cost);
    out_member_litres(o, "benefit", s->figures.benefit);
    replace_say_cost(rules, &s->figures, &p->w_en, &p->w_zh);
    part_end(p);
}

static void put_reasons(struct out *o, const struct said *s)
{
    struct part p;

    out_text(o, "[");
    if (s->shown->blamed)
        say_flag(o, &s->shown->flag);
    if (s->facts.lost_mlpd > 0)
        say_loss(&p, o, s);
    if (s->shown->wear_missed > 0)
        say_wear(&p, o, s);
    if (s->legal)
        say_legal(&p, o, s);
    if (s->worn)
        say_condition(&p, o, s);
    say_cost(&p, o, s);
    out_text(o, "]");
}

/* ---- the row's cells ---- */

static void put_flag(struct listing *l, const struct said *s)
{
    const struct flag *f = &s->shown->flag;

    if (!s->shown->blamed) {
        row_null(l, "severity");
        row_null(l, "onset");
        row_null(l, "flag");
        return;
    }
    row_word(l, "severity", severity_name(f->verdict.severity));
    row_time(l, "onset", f->verdict.onset_s);
    row_word(l, "flag", f->id);
}

static void put_loss(struct listing *l, const struct said *s)
{
    bool lost = s->facts.lost_mlpd > 0, known = lost && s->shown->blamed;
    const struct verdict *v = &s->shown->flag.verdict;

    row_litres(l, "loss_m3_month", month_of(s->facts.lost_mlpd));
    row_litres(l, "loss_low", known ? month_of(v->lost_low_mlpd) : 0);
    row_litres(l, "loss_high", known ? month_of(v->lost_high_mlpd) : 0);
    row_litres(l, "money_month", s->figures.money_month);
    row_litres(l, "confidence", 10 * (int64_t)s->facts.confidence_pct);
}

static int32_t earlier(int32_t a, int32_t b)
{
    return a == NO_DAY || (b != NO_DAY && b < a) ? b : a;
}

static void put_payback(struct listing *l, const struct replace_figures *x)
{
    if (x->payback_tenths < 0)
        row_null(l, "payback_months");
    else
        row_litres(l, "payback_months", 100 * (int64_t)x->payback_tenths);
}

static void put_worth(struct listing *l, const struct said *s)
{
    const struct replace_figures *x = &s->figures;

    row_litres(l, "benefit", x->benefit);
    row_litres(l, "cost", x->cost);
    put_payback(l, x);
    row_int(l, "loss_months", x->months);
    row_day(l, "legal_due", s->facts.legal_due);
    row_day(l, "condition_due", s->facts.condition_due);
    row_word(l, "condition_basis", condition_name(s->shown->condition.basis));
    row_word(l, "currency", s->ranked->ranking->rules.currency);
}

static void put_said(struct listing *l, const struct said *s, uint32_t rank, struct span cursor)
{
    const struct ledger_row *p = &s->point;

    row_begin(l);
    row_int(l, "rank", rank);
    row_text(l, "serial", cell_of(&s->meter, CELL_METER_serial));
    row_text(l, "point", cell_of(p, CELL_POINT_point));
    row_text(l, "address", cell_of(p, CELL_POINT_address));
    row_number(l, "lon", cell_of(p, CELL_POINT_lon));
    row_number(l, "lat", cell_of(p, CELL_POINT_lat));
    row_text(l, "route", cell_of(p, CELL_POINT_route));
    row_number(l, "dn", cell_of(&s->meter, CELL_METER_dn));
    put_reason(l, s);
    put_kinds(row_raw_begin(l, "kinds"), s->one->kinds);
    row_raw_end(l);
    row_day(l, "due_on", earlier(s->facts.legal_due, s->facts.condition_due));
    put_loss(l, s);
    put_flag(l, s);
    row_text(l, "zone", cell_of(p, CELL_POINT_zone));
    row_text(l, "use_class", cell_of(p, CELL_POINT_use_class));
    row_text(l, "model", cell_of(&s->meter, CELL_METER_model));
    put_worth(l, s);
    put_reasons(row_raw_begin(l, "reasons"), s);
    row_raw_end(l);
    row_end(l, cursor);
}

/* The cursor is the row's place in any ranking, and its rank in this list. */
static void cursor_put(struct wr *w, const struct replacement *one, uint32_t rank)
{
    wr_be64(w, (uint64_t)one->benefit);
    wr_be64(w, (uint64_t)one->lost_mlpd);
    wr_be32(w, (uint32_t)one->legal_due);
    wr_be32(w, one->meter);
    wr_be32(w, rank);
}

static void put(struct listing *l, struct txn *t, struct txn *views, struct ranked *r,
                const struct replacement *one)
{
    uint8_t bytes[32];
    struct wr cursor = wr_of(bytes, sizeof bytes);
    struct said s = { .ranked = r, .one = one, .shown = r->shown };
    uint64_t rows = l->rows;
    enum err err = ERR_MISSING;

    if (!ledger_by_id(t, LIST_METER, one->meter, INT64_MAX, &s.meter) ||
        (err = replacement_show(l->app, r->ranking, one, t, views, &s.meter, r->shown)) ||
        !ledger_by_id(t, LIST_POINT, one->point, INT64_MAX, &s.point)) {
        listing_fail(l, t->err ? t->err : err ? err : ERR_MISSING);
        return;
    }
    cursor_put(&cursor, one, r->rank + 1);
    if (r->shown->gone ||
        (r->model[0] && !span_equal(cell_of(&s.meter, CELL_METER_model), span_text(r->model)))) {
        l->visits++;
        return;
    }
    replacement_facts(r->ranking, one, &s.facts);
    s.facts.condition_due = r->shown->condition.due; /* those that are far, too */
    replace_reckon(&r->ranking->rules, &s.facts, &s.figures);
    s.legal = replace_is_legal(&r->ranking->rules, &s.facts);
    s.worn = replace_is_worn(&r->ranking->rules, &s.facts);
    if (!s.legal && !s.worn && !r->shown->blamed) { /* what spoke for it went meanwhile */
        l->visits++;
        return;
    }
    put_said(l, &s, r->rank + 1, wr_span(&cursor));
    r->rank += l->rows > rows;
}

/* The first place behind the cursor, whether its row is still there or not. */
static void go_behind(struct ranked *r, struct span cursor)
{
    struct rd rd = rd_of(cursor);
    struct replace_rank last = { .benefit = (int64_t)rd_be64(&rd) };

    last.lost_mlpd = (int64_t)rd_be64(&rd);
    last.legal_due = (int32_t)rd_be32(&rd);
    last.meter = rd_be32(&rd);
    r->rank = rd_be32(&rd);
    if (!rd.err)
        r->walk = ranking_behind(r->ranking, &last);
}

static bool is_last(const struct ranked *r)
{
    struct ranking_walk next = r->walk;

    return !ranking_next(r->ranking, &next);
}

static void fill(struct listing *l)
{
    struct ranked *r = (struct ranked *)l->state;
    struct txn t = ledger_read(l->app->ledger), views = views_read(l->app->views);

    if (!r->begun && l->cursor_len)
        go_behind(r, span_of(l->cursor, l->cursor_len));
    r->begun = true;
    while (!listing_full(l) && !r->ended) {
        const struct replacement *one = ranking_next(r->ranking, &r->walk);

        if (!one)
            r->ended = true;
        else if (sieve_lets(&r->sieve, one))
            put(l, &t, &views, r, one);
    }
    l->ended = r->ended || is_last(r);
    listing_fail(l, txn_end(&views));
    listing_fail(l, txn_end(&t));
}

/* ---- asking ---- */

static bool ask_least(struct request *q, struct replacement_filter *f)
{
    struct span text = ask_text(q, "min_benefit");

    if (!text.len)
        return true;
    f->has_least = !text_decimal(text, 3, &f->least_benefit);
    if (!f->has_least)
        problem_of(q, ERR_INVALID, "min_benefit",
                   "min_benefit: found %.*s, expected money as 120 or 120.50",
                   (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return f->has_least;
}

bool ask_replacements(struct request *q, struct sieve *out)
{
    struct replacement_filter f = { .zone = ask_text(q, "zone"),
                                    .route = ask_text(q, "route"),
                                    .model = ask_text(q, "model"),
                                    .org = q->caller.org };
    struct txn t;
    bool fine;
    enum err err;

    if (!ask_int(q, "dn", 1, 5000, 0, &f.dn) || !ask_flag_kind(q, &f.kind, &f.nothing) ||
        !ask_least(q, &f))
        return false;
    t = ledger_read(q->app->ledger);
    fine = named_is_known(q, &t, LIST_ZONE, "zone") && named_is_known(q, &t, LIST_ROUTE, "route");
    if (fine && (err = sieve_open(&t, &f, out))) {
        problem_of(q, err, "", "the register cannot be read: it %s", err_text(err));
        fine = false;
    }
    txn_abort(&t);
    return fine;
}

bool ask_ranking(struct request *q, struct ranking **out)
{
    enum err err = ranking_hold(q->app, out);

    if (err)
        problem_of(q, err, "", "the list cannot be made: a part %s", err_text(err));
    return !err;
}

void answer_replacements(struct request *q)
{
    struct ranked *r = (struct ranked *)calloc(1, sizeof *r);
    struct span model = ask_text(q, "model");

    if (!r || !(r->shown = (struct replacement_shown *)calloc(1, sizeof *r->shown))) {
        free(r);
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    if (model.len >= sizeof r->model)
        problem_of(q, ERR_INVALID, "model", "model: found %zu bytes, expected at most %zu",
                   model.len, sizeof r->model - 1);
    else if (ask_replacements(q, &r->sieve) && ask_ranking(q, &r->ranking)) {
        if (model.len)
            memcpy(r->model, model.at, model.len);
        listing_new(q, columns, fill, r, ranked_done, PAGE);
        return;
    }
    ranked_done(r);
}
