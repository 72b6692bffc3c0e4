#include "server/flag_rules.h"

#include "server/judge.h"

#include <stdio.h>
#include <stdlib.h>

#define SAID_MOST 64 /* of one meter; later ones, by id, are not looked at */

struct shelf {
    enum use_class use;
    int32_t dn_mm;
    struct rule_book book;
};

struct flag_rules {
    struct app *app;
    struct check_rules lines; /* of flags alone */
    struct shelf *shelves;    /* one a use class and DN that was asked for */
    size_t shelf_count, shelf_cap;
    /* What was said, as far as it was read: the walk stands at the first id behind `meter`. */
    bool walking, ended;
    struct scan said_walk;
    struct span said_at;
    uint32_t meter;
    size_t said_count;
    struct flag_said said[SAID_MOST];
    struct rule_book own;
    size_t own_cap;
};

/* ---- lines ---- */

static enum err keep_lines(struct flag_rules *r, const struct check_rules *all)
{
    size_t count = all ? all->count : 0;

    if (!(r->lines.at = (struct check_line *)malloc((count + 1) * sizeof *r->lines.at)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (listed_rule(all->at[i].rule)->of == RULE_OF_FLAG)
            r->lines.at[r->lines.count++] = all->at[i];
    return ERR_OK;
}

enum err flag_rules_open(struct app *app, struct txn *ledger, struct flag_rules **out)
{
    struct flag_rules *r = (struct flag_rules *)calloc(1, sizeof *r);
    struct rules_held *held = NULL;
    enum err err = r ? rules_take(app, ledger, &held) : ERR_NO_MEMORY;

    if (!err) {
        r->app = app;
        err = keep_lines(r, rules_of(held));
    }
    rules_give(held);
    if (err) {
        flag_rules_close(r);
        return err;
    }
    *out = r;
    return ERR_OK;
}

void flag_rules_close(struct flag_rules *r)
{
    if (!r)
        return;
    if (r->walking)
        scan_done(&r->said_walk);
    for (size_t i = 0; i < r->shelf_count; i++)
        free(r->shelves[i].book.at);
    free(r->shelves);
    free(r->lines.at);
    free(r->own.at);
    free(r);
}

enum err flag_rules_try(struct flag_rules *r, const struct check_line *line)
{
    struct check_line *more =
        (struct check_line *)realloc(r->lines.at, (r->lines.count + 1) * sizeof *more);
    size_t kept = 0;

    if (!more)
        return ERR_NO_MEMORY;
    r->lines.at = more;
    for (size_t i = 0; i < r->lines.count; i++)
        if (more[i].rule != line->rule || more[i].use != line->use ||
            more[i].dn_mm != line->dn_mm || more[i].from_day < line->from_day)
            more[kept++] = more[i];
    r->lines.count = kept;
    more[r->lines.count] = *line;
    more[r->lines.count++].version = UINT32_MAX; /* goes before any other of its day */
    check_rules_sort(&r->lines);
    return ERR_OK;
}

/* ---- books ---- */

static int later_first(const void *left, const void *right)
{
    const struct rule_period *a = (const struct rule_period *)left;
    const struct rule_period *b = (const struct rule_period *)right;

    return (a->from_day < b->from_day) - (a->from_day > b->from_day);
}

static void fill(const struct flag_rules *r, const struct shelf *s, struct rule_period *p)
{
    p->rules = detect_rules_standing;
    for (int i = 0; i < DETECT_RULES; i++) {
        const struct check_line *l =
            line_for(&r->lines, listed_flag((enum detect_rule)i), p->from_day, s->use, s->dn_mm);

        memcpy(p->rules.value + (size_t)i * DETECT_FIGURES, l->value, sizeof l->value);
        p->rules.version[i] = l->version;
        if (l->state == LINE_OFF)
            p->rules.off |= 1u << i;
    }
}

static enum err make_book(const struct flag_rules *r, struct shelf *s)
{
    size_t n = 0, kept = 0;

    if (!r->lines.count)
        return ERR_OK;
    if (!(s->book.at = (struct rule_period *)calloc(r->lines.count, sizeof *s->book.at)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < r->lines.count; i++) {
        const struct check_line *l = &r->lines.at[i];

        if ((l->use == USE_UNKNOWN || l->use == s->use) && (!l->dn_mm || l->dn_mm == s->dn_mm))
            s->book.at[n++].from_day = (int32_t)l->from_day;
    }
    if (n)
        qsort(s->book.at, n, sizeof *s->book.at, later_first);
    for (size_t i = 0; i < n; i++)
        if (!kept || s->book.at[kept - 1].from_day != s->book.at[i].from_day)
            s->book.at[kept++].from_day = s->book.at[i].from_day;
    for (size_t i = 0; i < kept; i++)
        fill(r, s, &s->book.at[i]);
    s->book.count = kept;
    return ERR_OK;
}

static enum err shelf_of(struct flag_rules *r, enum use_class use, int32_t dn_mm,
                         const struct rule_book **out)
{
    struct shelf *s = r->shelves;
    enum err err;

    for (size_t i = 0; i < r->shelf_count; i++, s++)
        if (s->use == use && s->dn_mm == dn_mm) {
            *out = &s->book;
            return ERR_OK;
        }
    if (r->shelf_count == r->shelf_cap) {
        size_t cap = r->shelf_cap ? 2 * r->shelf_cap : 16;

        if (!(s = (struct shelf *)realloc(r->shelves, cap * sizeof *s)))
            return ERR_NO_MEMORY;
        r->shelves = s;
        r->shelf_cap = cap;
    }
    s = &r->shelves[r->shelf_count];
    *s = (struct shelf){ .use = use, .dn_mm = dn_mm };
    if ((err = make_book(r, s)))
        return err;
    r->shelf_count++;
    *out = &s->book;
    return ERR_OK;
}

/* ---- what was said ---- */

/* "0000002a-leak-69a1b2c3": leak. */
static struct span kind_of(struct span id)
{
    size_t end = id.len;

    while (end > 9 && id.at[end - 1] != '-')
        end--;
    return end > 10 ? span_of(id.at + 9, end - 10) : span_of(NULL, 0);
}

static void note_said(struct flag_rules *r, struct txn *ledger, struct span id)
{
    int rule = detect_rule_named(kind_of(id));
    struct flag_decision d;

    if (rule < 0 || r->said_count == SAID_MOST || !ledger_flag_decision(ledger, id, &d))
        return;
    r->said[r->said_count++] =
        (struct flag_said){ .rule = (enum detect_rule)rule,
                            .day = (int32_t)zone_day_number(&r->app->zone, d.at_s),
                            .confirmed = d.state == 1 };
}

static void walk_from(struct flag_rules *r, struct txn *ledger, uint32_t meter)
{
    char first[16];

    if (r->walking)
        scan_done(&r->said_walk);
    snprintf(first, sizeof first, "%08x", (unsigned)meter);
    r->said_walk = ledger_flags_decided(ledger, span_text(first));
    r->walking = true;
    r->ended = !scan_next(&r->said_walk);
}

#define AHEAD 64 /* decisions that are passed by before the walk begins anew further on */

static enum err said_of(struct flag_rules *r, struct txn *ledger, uint32_t meter)
{
    unsigned passed = 0;

    if (r->walking && meter == r->meter)
        return ERR_OK;
    r->said_count = 0;
    if (!r->walking || meter < r->meter)
        walk_from(r, ledger, meter);
    r->meter = meter;
    while (!r->ended && flag_meter(r->said_walk.key) < meter) {
        if (++passed > AHEAD)
            walk_from(r, ledger, meter);
        else
            r->ended = !scan_next(&r->said_walk);
    }
    while (!r->ended && flag_meter(r->said_walk.key) == meter) {
        note_said(r, ledger, r->said_walk.key);
        r->ended = !scan_next(&r->said_walk);
    }
    return ledger->err;
}

/* ---- a meter ---- */

static bool any_dismissed(const struct flag_rules *r)
{
    for (size_t i = 0; i < r->said_count; i++)
        if (!r->said[i].confirmed)
            return true;
    return false;
}

enum err flag_rules_of(struct flag_rules *r, struct txn *ledger, uint32_t meter, enum use_class use,
                       int32_t dn_mm, const struct rule_book **out)
{
    const struct rule_book *base = NULL;
    enum err err = said_of(r, ledger, meter);
    size_t most;

    *out = NULL;
    if (!err && r->lines.count)
        err = shelf_of(r, use, dn_mm, &base);
    if (err || !any_dismissed(r)) {
        *out = base;
        return err;
    }
    most = rule_periods_most(base ? base->count : 0, r->said_count);
    if (most > r->own_cap) {
        struct rule_period *more = (struct rule_period *)realloc(r->own.at, most * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        r->own.at = more;
        r->own_cap = most;
    }
    rule_book_dismissed(base, r->said, r->said_count, r->own.at, &r->own);
    *out = &r->own;
    return ERR_OK;
}
