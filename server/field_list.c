#include "server/field_list.h"

#include "proto/base/wr.h"
#include "server/flag_rules.h"
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
    int only; /* enum detect_rule: flags of it alone; -1: the one that is worth most */
    struct field_list *out;  /* who goes, or is found */
    struct field_list *left; /* who does not; NULL: nobody asks */
    struct txn ledger;
    struct flag_rules *rules;
    const struct fleet_rules *prices;
    int32_t today;
    char zone_name[128], route_name[128]; /* that were looked up last */
    uint32_t zone, route;
    /* the meter at hand */
    uint32_t meter;
    size_t count;
    struct standing at[2 * DETECT_RULES];
    enum err err;
};

/* ---- the rows ---- */

int field_order(const void *a, const void *b)
{
    return memcmp(((const struct field_row *)a)->key, ((const struct field_row *)b)->key,
                  FIELD_KEY);
}

static enum err push(struct field_list *l, const struct field_row *row)
{
    if (l->count == FIELD_ROWS_MOST) { /* the lesser half goes */
        qsort(l->at, l->count, sizeof *l->at, field_order);
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

static uint32_t id_named(struct txn *t, enum list_kind kind, struct span name, char known[128],
                         uint32_t *known_id)
{
    struct ledger_row row;

    if (!name.len || name.len >= 128)
        return 0;
    if (*known_id && span_equal(name, span_text(known)))
        return *known_id;
    if (!ledger_find(t, kind, name, INT64_MAX, &row))
        return 0;
    memcpy(known, name.at, name.len);
    known[name.len] = 0;
    return *known_id = row.id;
}

/* Where it is. */
static void place(struct making *m, uint32_t point, struct field_row *out)
{
    struct ledger_row row;
    struct cells cells;

    if (!ledger_by_id(&m->ledger, LIST_POINT, point, INT64_MAX, &row))
        return;
    cells = cells_of(&row);
    out->zone = id_named(&m->ledger, LIST_ZONE, cells.at[CELL_POINT_zone], m->zone_name, &m->zone);
    out->route =
        id_named(&m->ledger, LIST_ROUTE, cells.at[CELL_POINT_route], m->route_name, &m->route);
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

        if (m->only >= 0 && (int)s->rule != m->only)
            continue;
        memcpy(row.id, s->id, sizeof row.id);
        row.money_month =
            field_money_month(&s->verdict, s->confirmed, m->prices->water_m3[point->use]);
        key_of(&row, s->verdict.severity);
        if (found &&
            ((row.why != FIELD_GO) > (best.why != FIELD_GO) ||
             ((row.why != FIELD_GO) == (best.why != FIELD_GO) && field_order(&row, &best) > 0)))
            continue;
        best = row;
        *out_best = i;
        found = true;
    }
    *out = best;
    return found;
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
    if (!weigh(m, &point, rules_on(book, m->today), &row, &best))
        return m->ledger.err;
    if (m->only >= 0)
        return row.why != FIELD_UNSURE && row.why != FIELD_EXPLAINED ? push(m->out, &row) : ERR_OK;
    place(m, m->at[best].point, &row);
    return m->ledger.err ? m->ledger.err : push(row.why == FIELD_GO ? m->out : m->left, &row);
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

/* The flags of one meter; 0: of all. */
static enum err walk(struct making *m, uint32_t meter)
{
    struct flag_filter q = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED, .meter = meter };
    enum err err;

    m->meter = 0;
    m->count = 0;
    if (!(err = flag_heads_each(m->app, &q, take, m)) && !(err = m->err))
        err = end_meter(m);
    return err;
}

static enum err make(struct making *m, const uint32_t *meters, size_t count)
{
    enum err err, ended;

    m->ledger = ledger_read(m->app->ledger);
    if (!(err = flag_rules_open(m->app, &m->ledger, &m->rules)) && !meters)
        err = walk(m, 0);
    for (size_t i = 0; meters && i < count && !err; i++)
        err = walk(m, meters[i]);
    flag_rules_close(m->rules);
    ended = txn_end(&m->ledger);
    err = err ? err : ended;
    if (!err && m->out->count)
        qsort(m->out->at, m->out->count, sizeof *m->out->at, field_order);
    if (!err && m->left && m->left->count)
        qsort(m->left->at, m->left->count, sizeof *m->left->at, field_order);
    return err;
}

enum err field_list_of_rule(struct app *app, enum detect_rule rule, struct field_list *out)
{
    struct making *m = (struct making *)calloc(1, sizeof *m);
    enum err err = m ? ERR_OK : ERR_NO_MEMORY;

    *out = (struct field_list){ 0 };
    if (!err) {
        m->app = app;
        m->only = (int)rule;
        m->out = out;
        m->prices = &app->fleet_rules; /* money decides nothing here */
        m->today = (int32_t)zone_day_number(&app->zone, clock_now_s(&app->clock));
        err = make(m, NULL, 0);
    }
    free(m);
    return err;
}

enum err field_rows_make(struct app *app, const uint32_t *meters, size_t count, int32_t today,
                         const struct fleet_rules *prices, struct field_list *goes,
                         struct field_list *left_out)
{
    struct making *m = (struct making *)calloc(1, sizeof *m);
    enum err err = m ? ERR_OK : ERR_NO_MEMORY;

    if (!err) {
        m->app = app;
        m->only = -1;
        m->out = goes;
        m->left = left_out;
        m->prices = prices;
        m->today = today;
        err = make(m, meters, count);
    }
    free(m);
    return err;
}

void field_list_done(struct field_list *l)
{
    free(l->at);
    *l = (struct field_list){ 0 };
}
