#include "server/check_rules.h"

#include "server/registers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct rules_held {
    atomic_uint holders;
    uint64_t rows; /* of the ledger that it was made from */
    size_t cap;
    struct check_rules rules;
};

struct rules_shelf {
    pthread_mutex_t lock; /* held for a look; what is missing is read outside of it */
    struct rules_held *newest;
};

enum err rules_shelf_open(struct rules_shelf **out)
{
    struct rules_shelf *s = (struct rules_shelf *)calloc(1, sizeof *s);

    if (!s)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return ERR_OK;
}

void rules_shelf_close(struct rules_shelf *s)
{
    if (!s)
        return;
    rules_give(s->newest);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void rules_give(struct rules_held *h)
{
    if (!h || atomic_fetch_sub(&h->holders, 1) > 1)
        return;
    free(h->rules.at);
    free(h);
}

const struct check_rules *rules_of(const struct rules_held *h)
{
    return h && h->rules.count ? &h->rules : NULL;
}

/* ---- reading ---- */

struct reading {
    struct rules_held *held;
    enum err err;
};

static enum err line_add(struct rules_held *h, const struct check_line *l)
{
    if (h->rules.count == h->cap) {
        size_t cap = h->cap ? 2 * h->cap : 16;
        struct check_line *more = (struct check_line *)realloc(h->rules.at, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        h->rules.at = more;
        h->cap = cap;
    }
    h->rules.at[h->rules.count++] = *l;
    return ERR_OK;
}

static bool add_row(void *arg, struct span rule, uint32_t version, struct span bytes)
{
    struct reading *r = (struct reading *)arg;
    int place = listed_named(rule);
    struct check_line_told told;

    r->err = place < 0 || !listed_rule((enum listed_rule)place)->open
                 ? ERR_CORRUPT
                 : check_line_read(bytes, (enum listed_rule)place, version, &told);
    if (!r->err)
        r->err = line_add(r->held, &told.line);
    return !r->err;
}

static enum err read_all(struct txn *t, uint64_t rows, struct rules_held **out)
{
    struct reading r = { .held = (struct rules_held *)calloc(1, sizeof *r.held) };
    enum err err;

    if (!r.held)
        return ERR_NO_MEMORY;
    atomic_init(&r.held->holders, 1);
    r.held->rows = rows;
    err = rows ? ledger_rules(t, add_row, &r) : ERR_OK;
    err = err ? err : r.err;
    if (err) {
        rules_give(r.held);
        return err;
    }
    check_rules_sort(&r.held->rules);
    *out = r.held;
    return ERR_OK;
}

static struct rules_held *look(struct rules_shelf *s, uint64_t rows)
{
    struct rules_held *found = NULL;

    pthread_mutex_lock(&s->lock);
    if (s->newest && s->newest->rows == rows) {
        found = s->newest;
        atomic_fetch_add(&found->holders, 1);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* An older set than the one that lies there is for its reader alone. */
static void keep(struct rules_shelf *s, struct rules_held *h)
{
    struct rules_held *old = NULL;

    pthread_mutex_lock(&s->lock);
    if (!s->newest || s->newest->rows < h->rows) {
        old = s->newest;
        s->newest = h;
        atomic_fetch_add(&h->holders, 1);
    }
    pthread_mutex_unlock(&s->lock);
    rules_give(old);
}

enum err rules_take(struct app *app, struct txn *t, struct rules_held **out)
{
    uint64_t rows = ledger_rule_count(t);
    struct rules_held *held;
    enum err err;

    if (t->err)
        return t->err;
    if (app->rules && (held = look(app->rules, rows))) {
        *out = held;
        return ERR_OK;
    }
    if ((err = read_all(t, rows, &held)))
        return err;
    if (app->rules)
        keep(app->rules, held);
    *out = held;
    return ERR_OK;
}

enum err rules_use_of(const struct rules_held *h, struct txn *t, uint32_t point,
                      enum use_class *out)
{
    struct ledger_row row;
    struct point_facts facts;
    struct cells cells;
    enum err err;

    *out = USE_UNKNOWN;
    if (!h || !h->rules.by_use)
        return ERR_OK;
    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row))
        return t->err ? t->err : ERR_CORRUPT;
    cells = cells_of(&row);
    if (!(err = cells_point(&cells, point, &facts)))
        *out = facts.use;
    return err;
}

/* ---- JSON ---- */

/* Half a millilitre has a fourth digit. */
static void put_halves(struct out *o, int64_t twice)
{
    uint64_t size = twice < 0 ? 0 - (uint64_t)twice : (uint64_t)twice;

    if (twice % 2 == 0)
        out_litres(o, twice / 2);
    else
        out_format(o, "%s%llu.%04llu", twice < 0 ? "-" : "", (unsigned long long)(size / 2000),
                   (unsigned long long)(size % 2000 * 5));
}

void rules_put_figure(struct out *o, const char *name, enum figure_unit unit, int64_t value)
{
    switch (unit) {
    case UNIT_NUMBER:
    case UNIT_LITRES:
    case UNIT_LPH:
    case UNIT_LPD:
        out_member_litres(o, name, value);
        break;
    case UNIT_HALVES:
        out_key(o, name);
        put_halves(o, value);
        break;
    case UNIT_TIME:
        out_member_time(o, name, value);
        break;
    case UNIT_COUNT:
    case UNIT_DAYS:
    case UNIT_SECONDS:
    case UNIT_HOURS:
    case UNIT_MINUTES:
        out_member_int(o, name, value);
        break;
    }
}

static void put_figures(struct out *o, const char *name, const struct rule_figure *figures,
                        unsigned count, const int64_t *values)
{
    out_key(o, name);
    out_text(o, "{");
    for (unsigned i = 0; i < count && figures[i].name; i++)
        rules_put_figure(o, figures[i].name, figures[i].unit, values[i]);
    out_text(o, "}");
}

void rules_put_told(struct out *o, unsigned which, unsigned checks,
                    const struct check_told told[CHECK_COUNT])
{
    bool first = true;

    out_text(o, "[");
    for (unsigned n = 0; n < CHECK_COUNT; n++) {
        enum check c = check_by_name(n);
        const struct listed *rule = listed_rule(listed_check(c));

        if (!(which & 1u << c))
            continue;
        out_text(o, first ? "{" : ",{");
        first = false;
        out_member_text(o, "rule", rule->name);
        out_member_int(o, "version", told[c].version);
        out_member_bool(o, "flagged", checks & 1u << c);
        put_figures(o, "parameters", rule->parameter, told[c].parameters, told[c].value);
        put_figures(o, "inputs", rule->input, told[c].inputs, told[c].input);
        out_text(o, "}");
    }
    out_text(o, "]");
}

void rules_put_line(struct out *o, const struct check_line *l)
{
    const struct listed *rule = listed_rule(l->rule);
    char day[11];

    out_member_text(o, "rule", rule->name);
    out_member_int(o, "version", l->version);
    out_member_text(o, "state", line_state_name(l->state));
    if (l->from_day == INT64_MIN) {
        out_member_null(o, "from");
    } else {
        text_put_date(day, l->from_day);
        out_member_text(o, "from", day);
    }
    out_member_text(o, "use_class", use_name(l->use));
    if (l->dn_mm)
        out_member_int(o, "dn", l->dn_mm);
    else
        out_member_null(o, "dn");
    put_figures(o, "parameters", rule->parameter, LINE_FIGURES, l->value);
}
