#include "server/field_list.h"

#include "proto/base/wr.h"
#include "server/flag_rules.h"
#include "server/prices.h"
#include "server/registers.h"

#include <stdlib.h>

struct standing {
    char id[FLAG_ID_SIZE];
    enum detect_rule rule;
    struct verdict verdict;
    uint32_t point;
    bool confirmed;
};

struct making {
    struct app *app;
    const struct field_wish *wish;
    struct field_list *out;
    struct txn ledger;
    struct flag_rules *rules;
    struct fleet_rules prices;
    int32_t today;
    /* the meter at hand */
    uint32_t meter;
    size_t count;
    struct standing at[2 * DETECT_RULES];
    enum err err;
};

/* ---- the rows ---- */

static int by_key(const void *a, const void *b)
{
    return memcmp(((const struct field_row *)a)->key, ((const struct field_row *)b)->key,
                  FIELD_KEY);
}

static enum err push(struct field_list *l, const struct field_row *row)
{
    if (l->count == FIELD_ROWS_MOST) { /* the lesser half goes */
        qsort(l->at, l->count, sizeof *l->at, by_key);
        l->count /= 2;
        l->more = true;
    }
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct field_row *more = (struct field_row *)realloc(l->at, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        l->at = more;
        l->cap = cap;
    }
    l->at[l->count++] = *row;
    return ERR_OK;
}

/* Money first, then severity, then the id. */
static void key_of(struct field_row *row, enum severity severity)
{
    struct wr w = wr_of(row->key, sizeof row->key);

    memset(row->key, 0, sizeof row->key);
    wr_be64(&w, (uint64_t)(INT64_MAX - row->money_month));
    wr_u8(&w, (uint8_t)(SEVERITY_URGENT - severity));
    wr_bytes(&w, span_text(row->id));
}

/* ---- a meter ---- */

static uint32_t kinds_of(const struct making *m, size_t without)
{
    uint32_t kinds = 0;

    for (size_t i = 0; i < m->count; i++)
        if (i != without)
            kinds |= 1u << m->at[i].rule;
    return kinds;
}

/* Where it is, as the wish has it. */
static bool is_there(struct making *m, uint32_t point)
{
    const struct field_wish *w = m->wish;
    struct ledger_row row;

    if (!w->zone.len && !w->route.len)
        return true;
    if (!ledger_by_id(&m->ledger, LIST_POINT, point, INT64_MAX, &row))
        return false;
    return (!w->zone.len || span_equal(row.cells[CELL_POINT_zone], w->zone)) &&
           (!w->route.len || span_equal(row.cells[CELL_POINT_route], w->route));
}

static bool weigh(struct making *m, const struct point_facts *point,
                  const struct detect_rules *rules, struct field_row *out, size_t *out_best)
{
    struct field_row best = { 0 };
    bool found = false;

    for (size_t i = 0; i < m->count; i++) {
        const struct standing *s = &m->at[i];
        uint32_t others = kinds_of(m, i);
        struct field_flag flag = { s->rule, &s->verdict, s->confirmed,
                                   verdict_is_explained(&s->verdict) };
        struct field_row row = { .meter = m->meter,
                                 .kinds = others | 1u << s->rule,
                                 .rule = s->rule,
                                 .confirmed = s->confirmed,
                                 .why = field_why(&flag, rules, others),
                                 .explained_by = field_explains(s->rule, others),
                                 .severity = s->verdict.severity,
                                 .confidence_pct = s->verdict.confidence_pct,
                                 .onset_s = s->verdict.onset_s,
                                 .lost_mlpd = s->verdict.lost_mlpd };

        if (m->wish->of_rule && (int)s->rule != m->wish->rule)
            continue;
        memcpy(row.id, s->id, sizeof row.id);
        row.money_month =
            field_money_month(&s->verdict, s->confirmed, m->prices.water_m3[point->use]);
        key_of(&row, s->verdict.severity);
        if (found && ((row.why != FIELD_GO) > (best.why != FIELD_GO) ||
                      ((row.why != FIELD_GO) == (best.why != FIELD_GO) && by_key(&row, &best) > 0)))
            continue;
        best = row;
        *out_best = i;
        found = true;
    }
    *out = best;
    return found;
}

static bool is_listed(const struct field_wish *w, const struct field_row *row)
{
    bool goes =
        w->of_rule ? row->why != FIELD_UNSURE && row->why != FIELD_EXPLAINED : row->why == FIELD_GO;

    return goes != w->left_out && (w->rule < 0 || (int)row->rule == w->rule);
}

static enum err end_meter(struct making *m)
{
    const struct rule_book *book;
    struct meter_facts facts;
    struct point_facts point;
    struct field_row row;
    size_t best = 0;
    enum err err;

    if (!m->count)
        return ERR_OK;
    if ((err = meter_facts_by_id(&m->ledger, m->meter, &facts)) ||
        (err = point_facts_by_id(&m->ledger, m->at[0].point, &point)))
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if ((err = flag_rules_of(m->rules, &m->ledger, m->meter, point.use, facts.dn_mm, &book)))
        return err;
    if (!weigh(m, &point, rules_on(book, m->today), &row, &best) || !is_listed(m->wish, &row) ||
        !is_there(m, m->at[best].point))
        return m->ledger.err;
    return push(m->out, &row);
}

static bool take(void *arg, const struct flag_head *h)
{
    struct making *m = (struct making *)arg;
    int rule = detect_rule_named(span_text(h->kind->flag));
    struct standing *s;

    if (!h->meter) /* a cell's */
        return true;
    if (h->meter != m->meter) {
        if ((m->err = end_meter(m)))
            return false;
        m->meter = h->meter;
        m->count = 0;
    }
    if (rule < 0 || h->ended || m->count == sizeof m->at / sizeof m->at[0])
        return true;
    s = &m->at[m->count++];
    *s = (struct standing){ .rule = (enum detect_rule)rule,
                            .verdict = *h->verdict,
                            .point = h->point,
                            .confirmed = h->state == FLAG_CONFIRMED };
    memcpy(s->id, h->id, strnlen(h->id, sizeof s->id - 1));
    return true;
}

enum err field_list_make(struct app *app, const struct field_wish *wish, struct field_list *out)
{
    struct flag_filter q = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED,
                             .meter = wish->meter };
    struct making *m = (struct making *)calloc(1, sizeof *m);
    enum err err, ended;

    *out = (struct field_list){ 0 };
    if (!m)
        return ERR_NO_MEMORY;
    m->app = app;
    m->wish = wish;
    m->out = out;
    m->today = (int32_t)zone_day_number(&app->zone, clock_now_s(&app->clock));
    m->ledger = ledger_read(app->ledger);
    if (!(err = fleet_rules_now(app, &m->ledger, &m->prices)) &&
        !(err = flag_rules_open(app, &m->ledger, &m->rules)) &&
        !(err = flag_heads_each(app, &q, take, m)) && !(err = m->err))
        err = end_meter(m);
    flag_rules_close(m->rules);
    ended = txn_end(&m->ledger);
    free(m);
    if (!err && out->count)
        qsort(out->at, out->count, sizeof *out->at, by_key);
    return err ? err : ended;
}

void field_list_done(struct field_list *l)
{
    free(l->at);
    *l = (struct field_list){ 0 };
}
