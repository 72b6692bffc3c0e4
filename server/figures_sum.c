/* Counting a whole month, summing it up the tree, keeping the answer, and what a closed month keeps of it. */
#include "server/figures_priv.h"

#include "storage/journal.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#define DAY_S 86400
#define SLICE 512         /* things between two transactions */
#define NICE 10           /* reports and whoever asks for a page go before */
#define KEPT 6            /* months; the oldest that nobody holds makes room */
#define KEPT_QUIET_S 900  /* how long one is given again while nothing was written */
#define KEPT_LONG_MS 5000 /* one that took longer is given again whatever was written, … */
#define KEPT_TIMES 20     /* … for so many times as long as it took */
#define TREE_DEPTH_MAX 32

/* ---- counting ---- */

struct counting {
    struct figure_scope *scope;
    struct figure_group **by_route; /* by id; [0]: what stands on none */
    enum err err;
};

static void count_unit(void *arg, const struct figure_told *told)
{
    struct counting *c = (struct counting *)arg;
    uint32_t route = told->route < c->scope->route_count ? told->route : 0;
    struct figure_group **g = &c->by_route[route];

    if (!*g && !(*g = (struct figure_group *)calloc(1, sizeof **g)))
        c->err = ERR_NO_MEMORY;
    if (*g)
        figure_group_take(*g, told->unit);
}

static enum err count_slice(struct counting *c, struct figure_place *place, bool *out_more)
{
    struct app *app = c->scope->app;
    struct txn t = ledger_read(app->ledger);
    enum err err = ERR_OK, ended;

    *out_more = true;
    for (unsigned n = 0; n < SLICE && *out_more && !err && !app->stopping; n++) {
        *out_more = figure_place_next(c->scope, &t, place);
        if (*out_more)
            err = figure_place_units(c->scope, &t, place, count_unit, c);
        err = err ? err : c->err;
    }
    ended = txn_end(&t);
    return err ? err : app->stopping ? ERR_STOPPING : ended;
}

static enum err count_all(struct counting *c)
{
    enum err err = ERR_OK;

    for (int source = 0; source < FIGURE_SOURCES && !err; source++) {
        struct figure_place place = { .source = (enum figure_source)source };
        bool more = true;

        while (more && !err)
            err = count_slice(c, &place, &more);
    }
    return err;
}

/* ---- sums ---- */

static int sum_order(const void *a, const void *b)
{
    const struct figure_sum *x = (const struct figure_sum *)a, *y = (const struct figure_sum *)b;

    return x->kind != y->kind ? x->kind - y->kind : strcmp(x->name, y->name);
}

static void add_up(const struct figure_scope *s, struct figure_sum *orgs, uint32_t org,
                   const struct figure_group *g)
{
    for (unsigned depth = 0; org && depth <= TREE_DEPTH_MAX; depth++) {
        figure_group_add(&orgs[org - 1].group, g);
        org = s->orgs[org - 1].parent;
    }
}

static enum err sum_up(const struct counting *c, struct figures *out)
{
    const struct figure_scope *s = c->scope;
    struct figure_sum *sums =
        (struct figure_sum *)calloc((size_t)s->org_count + s->route_count + 1, sizeof *sums);
    size_t count = 1 + (size_t)s->org_count;

    if (!sums)
        return ERR_NO_MEMORY;
    sums[0].kind = 'a';
    for (uint32_t i = 0; i < s->org_count; i++) {
        sums[1 + i].kind = 'o';
        sums[1 + i].level = s->orgs[i].level;
        memcpy(sums[1 + i].name, s->orgs[i].name, FIGURE_NAME);
    }
    for (uint32_t id = 0; id < s->route_count; id++) {
        const struct figure_route *r = &s->routes[id];

        if (c->by_route[id]) {
            figure_group_add(&sums[0].group, c->by_route[id]);
            add_up(s, sums + 1, r->org, c->by_route[id]);
        }
        if (!r->known)
            continue;
        sums[count].kind = 'r';
        memcpy(sums[count].name, r->name, FIGURE_NAME);
        if (r->org)
            memcpy(sums[count].org, s->orgs[r->org - 1].name, FIGURE_NAME);
        if (c->by_route[id])
            sums[count].group = *c->by_route[id];
        count++;
    }
    qsort(sums, count, sizeof *sums, sum_order);
    out->sums = sums;
    out->count = count;
    return ERR_OK;
}

void figures_free(struct figures *f)
{
    if (!f)
        return;
    free(f->sums);
    free(f);
}

static enum err stand_of(struct app *app, uint64_t *out_acts, uint64_t *out_position)
{
    struct txn t = ledger_read(app->ledger);

    *out_acts = ledger_end(&t);
    *out_position = journal_end(app->journal);
    return txn_end(&t);
}

static enum err make(struct app *app, struct figures *f)
{
    struct counting c = { 0 };
    enum err err = stand_of(app, &f->acts, &f->position);

    if (!err)
        err = figure_scope_new(app, &f->month, "", "", &c.scope);
    if (!err) {
        f->at_s = c.scope->now_s;
        c.by_route = (struct figure_group **)calloc(c.scope->route_count, sizeof *c.by_route);
        err = c.by_route ? count_all(&c) : ERR_NO_MEMORY;
    }
    if (!err)
        err = sum_up(&c, f);
    for (uint32_t id = 0; c.by_route && id < c.scope->route_count; id++)
        free(c.by_route[id]);
    free(c.by_route);
    figure_scope_free(c.scope);
    return err;
}

/* A thread's priority can be lowered, and not be raised again: so it has one of its own. */
struct making {
    struct app *app;
    struct figures *figures;
    enum err err;
};

static void *make_behind(void *arg)
{
    struct making *m = (struct making *)arg;

    (void)setpriority(PRIO_PROCESS, 0,
                      NICE); /* of this thread alone; where it fails it counts as it is */
    m->err = make(m->app, m->figures);
    return NULL;
}

enum err figures_make(struct app *app, const struct figure_month *m, struct figures **out)
{
    struct figures *f = (struct figures *)calloc(1, sizeof *f);
    struct making k = { .app = app, .figures = f };
    pthread_t thread;

    if (!f)
        return ERR_NO_MEMORY;
    f->month = *m;
    if (pthread_create(&thread, NULL, make_behind, &k))
        k.err = make(app, f);
    else
        pthread_join(thread, NULL);
    if (k.err)
        figures_free(f);
    else
        *out = f;
    return k.err;
}

/* ---- kept ---- */

struct figures_kept {
    pthread_mutex_t lock;
    pthread_cond_t made;
    bool making; /* one at a time: they read all there is */
    struct figures *at[KEPT];
};

enum err figures_kept_new(struct figures_kept **out)
{
    struct figures_kept *k = (struct figures_kept *)calloc(1, sizeof *k);

    if (!k)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->made, NULL);
    *out = k;
    return ERR_OK;
}

void figures_kept_free(struct figures_kept *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < KEPT; i++)
        figures_free(k->at[i]);
    pthread_cond_destroy(&k->made);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static bool still_good(struct app *app, const struct figures *f, uint64_t acts, uint64_t position)
{
    int64_t age_s = clock_now_s(&app->clock) - f->at_s;
    int64_t age_ms = clock_monotonic_ms() - f->made_ms;

    if (f->took_ms > KEPT_LONG_MS && age_s >= 0 && age_s < DAY_S &&
        age_ms < KEPT_TIMES * f->took_ms)
        return true;
    return f->acts == acts && f->position == position && age_s >= 0 && age_s < KEPT_QUIET_S;
}

static struct figures *find_lkd(struct figures_kept *k, struct app *app,
                                const struct figure_month *m, uint64_t acts, uint64_t position)
{
    for (size_t i = 0; i < KEPT; i++)
        if (k->at[i] && figure_month_number(&k->at[i]->month) == figure_month_number(m) &&
            still_good(app, k->at[i], acts, position))
            return k->at[i];
    return NULL;
}

/* Into a free place, else that of the oldest that nobody holds; without one it is not kept. */
static void keep_lkd(struct figures_kept *k, struct figures *f)
{
    struct figures **place = NULL;

    for (size_t i = 0; i < KEPT && (!place || *place); i++) {
        struct figures **at = &k->at[i];

        if (!*at || (!(*at)->holders && (!place || (*at)->made_ms < (*place)->made_ms)))
            place = at;
    }
    if (!place)
        return;
    figures_free(*place);
    *place = f;
}

enum err figures_take(struct app *app, const struct figure_month *m, const struct figures **out)
{
    struct figures_kept *k = app->figures;
    struct figures *f = NULL;
    uint64_t acts, position;
    int64_t began_ms;
    enum err err = stand_of(app, &acts, &position);

    if (err)
        return err;
    pthread_mutex_lock(&k->lock);
    while (!(f = find_lkd(k, app, m, acts, position)) && k->making)
        pthread_cond_wait(&k->made, &k->lock);
    k->making = k->making || !f;
    if (f)
        f->holders++;
    pthread_mutex_unlock(&k->lock);
    if (f) {
        *out = f;
        return ERR_OK;
    }
    began_ms = clock_monotonic_ms();
    err = figures_make(app, m, &f);
    pthread_mutex_lock(&k->lock);
    k->making = false;
    if (!err) {
        f->made_ms = clock_monotonic_ms();
        f->took_ms = f->made_ms - began_ms;
        f->holders = 1;
        keep_lkd(k, f);
        *out = f;
    }
    pthread_cond_broadcast(&k->made);
    pthread_mutex_unlock(&k->lock);
    return err;
}

void figures_give_back(struct app *app, const struct figures *given)
{
    struct figures_kept *k = app->figures;
    struct figures *f = (struct figures *)given;
    bool kept = false;

    if (!f)
        return;
    pthread_mutex_lock(&k->lock);
    f->holders--;
    for (size_t i = 0; i < KEPT; i++)
        kept = kept || k->at[i] == f;
    kept = kept || f->holders;
    pthread_mutex_unlock(&k->lock);
    if (!kept)
        figures_free(f);
}

static int sum_find(const void *key, const void *sum)
{
    return sum_order(key, sum);
}

const struct figure_sum *figures_find(const struct figures *f, char kind, struct span name)
{
    struct figure_sum key = { .kind = kind };

    if (name.len >= FIGURE_NAME)
        return NULL;
    if (name.len)
        memcpy(key.name, name.at, name.len);
    return (const struct figure_sum *)bsearch(&key, f->sums, f->count, sizeof *f->sums, sum_find);
}

const char *figure_level_name(const struct figure_sum *s)
{
    static const char *const levels[FIGURE_LEVELS] = { "org", "company", "branch", "team" };

    return s->kind == 'a' ? "all" : s->kind == 'r' ? "route" : levels[s->level % FIGURE_LEVELS];
}

/* ---- a closed month ---- */

void figure_sum_write(struct wr *w, const struct figure_sum *s)
{
    wr_u8(w, s->level);
    wr_counted(w, span_text(s->org));
    figure_group_write(w, &s->group);
}

enum err figure_sum_read(char kind, struct span name, struct span bytes, struct figure_sum *out)
{
    struct figure_sum s = { .kind = kind };
    struct rd r = rd_of(bytes);
    struct span org;

    s.level = rd_u8(&r);
    org = rd_counted(&r);
    if (r.err || name.len >= FIGURE_NAME || org.len >= FIGURE_NAME || s.level >= FIGURE_LEVELS ||
        figure_group_read(&r, &s.group) || rd_left(&r))
        return ERR_CORRUPT;
    if (name.len)
        memcpy(s.name, name.at, name.len);
    if (org.len)
        memcpy(s.org, org.at, org.len);
    *out = s;
    return ERR_OK;
}

static enum err closed_read(struct txn *t, struct figures *f, const struct ledger_month *row)
{
    struct month_walk w = ledger_month_walk(t, row->month, 0, span_of(NULL, 0));
    enum err err = ERR_OK;

    while (!err && month_walk_next(&w))
        err = f->count == row->groups
                  ? ERR_CORRUPT
                  : figure_sum_read(w.kind, w.name, w.bytes, &f->sums[f->count++]);
    month_walk_done(&w);
    return err ? err : t->err ? t->err : f->count == row->groups ? ERR_OK : ERR_CORRUPT;
}

enum err figures_closed(struct app *app, const struct figure_month *m, struct ledger_month *out_row,
                        struct figures **out)
{
    struct txn t = ledger_read(app->ledger);
    struct ledger_month row;
    struct figures *f = NULL;
    enum err err = ERR_NOT_FOUND, ended;

    if (ledger_month(&t, figure_month_number(m), &row)) {
        f = (struct figures *)calloc(1, sizeof *f);
        err =
            row.groups > 2 * (uint64_t)FIGURE_ROUTES_MAX ? ERR_LIMIT
            : f && (f->sums = (struct figure_sum *)calloc((size_t)row.groups + 1, sizeof *f->sums))
                ? closed_read(&t, f, &row)
                : ERR_NO_MEMORY;
    }
    ended = txn_end(&t);
    err = ended ? ended : err;
    if (err) {
        figures_free(f);
        return err;
    }
    f->month = *m;
    f->at_s = row.closed_s;
    *out_row = row;
    *out = f;
    return ERR_OK;
}

static void put_line(struct out *o, const char *month, const struct figure_sum *s, enum figure f)
{
    const struct figure_counts *c = &s->group.of[f];

    out_format(o, "%s %c %s %s %llu %llu", month, s->kind, s->name[0] ? s->name : "-",
               figure_row(f)->name, (unsigned long long)c->numerator,
               (unsigned long long)c->denominator);
    for (unsigned r = 0; r < FIGURE_REASONS; r++)
        if (c->without[r])
            out_format(o, " %s=%llu", figure_reason_name(r), (unsigned long long)c->without[r]);
    out_text(o, "\n");
}

enum err figures_digest(const struct figures *f, uint8_t out[32])
{
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    bool fine = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
    char month[FIGURE_MONTH_SIZE];
    struct out lines = { 0 };
    unsigned len = 0;

    figure_month_put(&f->month, month);
    for (size_t i = 0; i < f->count && fine; i++) {
        out_clear(&lines);
        for (int n = 0; n < FIGURES; n++)
            put_line(&lines, month, &f->sums[i], (enum figure)n);
        fine = !lines.err && EVP_DigestUpdate(sha, lines.at, lines.len);
    }
    fine = fine && EVP_DigestFinal_ex(sha, out, &len) && len == 32;
    EVP_MD_CTX_free(sha);
    out_done(&lines);
    return fine ? ERR_OK : ERR_NO_MEMORY;
}

void figures_freeze(struct act *act, const struct figures *f, struct ledger_month *out)
{
    uint8_t bytes[FIGURE_SUM_ROOM];
    enum err err;

    *out = (struct ledger_month){ .month = figure_month_number(&f->month),
                                  .closed_s = act->now_s,
                                  .position = f->position,
                                  .act = f->acts,
                                  .groups = f->count };
    memcpy(out->who, act->who, sizeof out->who);
    if ((err = figures_digest(f, out->digest)) && !act->txn.err)
        act->txn.err = err;
    for (size_t i = 0; i < f->count && !act->txn.err; i++) {
        struct wr w = wr_of(bytes, sizeof bytes);

        figure_sum_write(&w, &f->sums[i]);
        if (w.err && !act->txn.err)
            act->txn.err = w.err;
        act_put_month_group(act, out->month, f->sums[i].kind, span_text(f->sums[i].name),
                            wr_span(&w));
    }
    if (!act->txn.err)
        act_put_month(act, out);
}
