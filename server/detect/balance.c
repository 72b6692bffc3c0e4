#include "server/detect/balance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_S 3600
#define EVERY_S                                                                                    \
    (6 * HOUR_S) /* instants a day: 4 h, 10 h, 16 h, 22 h from a from_s at 4 h, when little flows */
#define A_WEEK (BALANCE_WEEK_S / EVERY_S)
#define GAP_MOST_S (26 * HOUR_S) /* what ran when is not known across longer ones */
#define B_SD 0.08                /* how far a sound meter's b lies from 1 */
#define B_HIGH 1.25              /* a level that no sound meter has */
#define WANDERS 0.06     /* of a meter's use in an hour, what it misses more or less than usual */
#define WANDERS_L 2.0    /* and litres an hour of the whole */
#define LUMPS 0.5        /* 1: an hour's use is one draw at a random instant of it */
#define PULSES 2.0       /* how much worse a pulse is than an even error: it stands for hours */
#define WILD 12          /* rms of an innovation: a step that is none of water */
#define WILD_AFTER 100   /* instants, for the rms to be known */
#define LEAST_NOISE 0.05 /* of what the model expects: no house is more exact than that */
#define WEEKS_BEFORE 6   /* that a step is held against */
#define WEEKS_BACK 26    /* in which it is looked for */
#define WEEKS_LEVEL 10   /* for a level without a step */
#define HOLD 2           /* weeks more in which it is the same one */
#define ROWS_EACH 3      /* instants for each coefficient, at least */
#define Z95 1.96

const struct balance_rules balance_usual = { .z_least = 4, .margin = 15, .share_least = 0.08 };

struct balance {
    int64_t from_s;
    unsigned children, weeks, size; /* size: of a matrix of sums */
    size_t instants;
    double *level; /* litres of column c at instant n: [n × (children + 1) + c] */
    float *noise;  /* likewise: its variance, litres² */
    float *wander; /* likewise: the variance that it gathers until there */
    uint8_t *known;
    struct column {
        double level;
        int64_t at_s, fitted_s, removed_s;
        bool begun;
    } * columns;
    double *sums; /* of the weeks before week w: [w × size²], all whitened */
    bool summed;
    double observed[BALANCE_WEEKS_MOST + 1]; /* rows until then */
};

enum { KNOWN = 1, BROKEN = 2 };

enum err balance_new(int64_t from_s, unsigned weeks, unsigned children, struct balance **out)
{
    struct balance *b;
    size_t cells;

    if (weeks < 1 || weeks > BALANCE_WEEKS_MOST || children < 1 || children > BALANCE_CHILDREN_MOST)
        return ERR_LIMIT;
    if (!(b = (struct balance *)calloc(1, sizeof *b)))
        return ERR_NO_MEMORY;
    b->from_s = from_s;
    b->weeks = weeks;
    b->children = children;
    b->size = children + 3;
    b->instants = (size_t)weeks * A_WEEK + 1;
    cells = b->instants * (children + 1);
    b->level = (double *)calloc(cells, sizeof *b->level);
    b->noise = (float *)calloc(cells, sizeof *b->noise);
    b->wander = (float *)calloc(cells, sizeof *b->wander);
    b->known = (uint8_t *)calloc(cells, 1);
    b->columns = (struct column *)calloc(children + 1, sizeof *b->columns);
    b->sums = (double *)calloc((size_t)(weeks + 1) * b->size * b->size, sizeof *b->sums);
    if (!b->level || !b->noise || !b->wander || !b->known || !b->columns || !b->sums) {
        balance_free(b);
        return ERR_NO_MEMORY;
    }
    for (unsigned c = 0; c <= children; c++)
        b->columns[c].removed_s = INT64_MAX;
    *out = b;
    return ERR_OK;
}

void balance_free(struct balance *b)
{
    if (!b)
        return;
    free(b->level);
    free(b->noise);
    free(b->wander);
    free(b->known);
    free(b->columns);
    free(b->sums);
    free(b);
}

/* ---- registers at common instants ---- */

static size_t cell(const struct balance *b, size_t instant, unsigned column)
{
    return instant * (b->children + 1) + column;
}

/* The first instant at or after this one, within the table. */
static size_t instant_at(const struct balance *b, int64_t at_s)
{
    int64_t n = at_s <= b->from_s ? 0 : (at_s - b->from_s + EVERY_S - 1) / EVERY_S;

    return n > (int64_t)b->instants ? b->instants : (size_t)n;
}

void balance_fitted(struct balance *b, unsigned column, int64_t from_s, int64_t to_s)
{
    struct column *c = &b->columns[column];

    c->fitted_s = from_s;
    c->removed_s = to_s;
}

/* What a meter misses more or less than usual of so much in so long. */
static double wandering(double used, double seconds)
{
    return WANDERS * WANDERS * used * used * (seconds > HOUR_S ? HOUR_S / seconds : 1);
}

static void put_instant(struct balance *b, size_t i, double level, double noise, unsigned known)
{
    b->level[i] = level;
    b->noise[i] = (float)noise;
    b->known[i] = (uint8_t)known;
}

void balance_take(struct balance *b, unsigned column, const struct meter_facts *m,
                  const struct judge_step *step)
{
    struct column *c = &b->columns[column];
    double used = step->fall ? 0 : (double)step->used_ml / 1000;
    double pulse = (double)m->resolution_ml / 1000, seconds = (double)step->to_s - step->from_s;
    unsigned broken = step->fall || (c->begun && step->from_s != c->at_s) ? BROKEN : 0;
    size_t next;

    if (step->reverse || seconds <= 0)
        return;
    for (size_t n = instant_at(b, c->begun ? step->from_s + (int64_t)1 : step->from_s);
         n < b->instants; n++) {
        double x = ((double)(b->from_s + (int64_t)n * EVERY_S) - step->from_s) / seconds;

        if (x > 1)
            break;
        put_instant(b, cell(b, n, column), c->level + used * x,
                    LUMPS * used * used * x * (1 - x) + PULSES * pulse * pulse / 12,
                    (seconds > GAP_MOST_S && x < 1 ? 0 : KNOWN) | broken);
        broken = 0;
    }
    if ((next = instant_at(b, step->to_s)) < b->instants)
        b->wander[cell(b, next, column)] += (float)wandering(used, seconds);
    c->level += used;
    c->at_s = step->to_s;
    c->begun = true;
}

/* Nothing ran through a meter while it was not fitted. */
static void fill_unfitted(struct balance *b)
{
    for (unsigned c = 1; c <= b->children; c++) {
        const struct column *k = &b->columns[c];

        for (size_t n = 0; n < b->instants; n++) {
            int64_t at_s = b->from_s + (int64_t)n * EVERY_S;

            if (at_s < k->fitted_s || at_s > k->removed_s)
                put_instant(b, cell(b, n, c), at_s < k->fitted_s ? 0 : k->level, 0, KNOWN);
        }
    }
}

/* ---- whitening ---- */

struct filter {
    double *mean; /* of y, children, hours, all children */
    double variance, wandered, scale;
    bool begun;
    uint64_t rows;
};

/* What the instant says of each series; false: not all are known. */
static bool instant_read(const struct balance *b, size_t n, double *out, double *out_noise,
                         bool *out_broken)
{
    double all = 0;
    bool known = true;

    *out_noise = 0;
    for (unsigned c = 0; c <= b->children; c++) {
        size_t i = cell(b, n, c);

        *out_broken |= (b->known[i] & BROKEN) != 0;
        known = known && (b->known[i] & KNOWN);
        out[c] = b->level[i];
        *out_noise += b->noise[i];
        all += c ? b->level[i] : 0;
    }
    out[b->children + 1] = (double)n * EVERY_S / HOUR_S;
    out[b->children + 2] = all;
    return known;
}

static double wandered(const struct balance *b, size_t n)
{
    double sum = WANDERS_L * WANDERS_L * EVERY_S / HOUR_S;

    for (unsigned c = 0; c <= b->children; c++)
        sum += b->wander[cell(b, n, c)];
    return sum;
}

static void begin_again(struct filter *f, const struct balance *b, const double *values,
                        double noise)
{
    memcpy(f->mean, values, b->size * sizeof *values);
    f->variance = noise;
    f->wandered = 0;
    f->begun = true;
}

/* Whitens the hour's values in place; false: they begin anew and tell nothing. */
static bool whiten(struct filter *f, const struct balance *b, double *values, double noise,
                   bool broken)
{
    double spread = f->variance + f->wandered + noise, gain = (f->variance + f->wandered) / spread,
           odd;

    if (!f->begun || broken) {
        begin_again(f, b, values, noise);
        return false;
    }
    odd = (values[0] - f->mean[0]) - (values[b->children + 2] - f->mean[b->children + 2]);
    odd = odd * odd / spread;
    if (f->rows > WILD_AFTER && odd > WILD * WILD * fmax(1, f->scale / (double)f->rows)) {
        begin_again(f, b, values, noise);
        return false;
    }
    f->scale += odd;
    f->rows++;
    f->variance = (1 - gain) * (f->variance + f->wandered);
    f->wandered = 0;
    for (unsigned k = 0; k < b->size; k++) {
        double news = values[k] - f->mean[k];

        f->mean[k] += gain * news;
        values[k] = news / sqrt(spread);
    }
    return true;
}

static void add_row(double *sums, const double *row, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        for (unsigned j = 0; row[i] != 0 && j < size; j++)
            sums[i * size + j] += row[i] * row[j];
}

static enum err sum_up(struct balance *b)
{
    double values[BALANCE_CHILDREN_MOST + 3], noise;
    struct filter f = { .mean = (double *)calloc(b->size, sizeof *f.mean) };
    size_t square = (size_t)b->size * b->size;
    bool broken = false;

    if (!f.mean)
        return ERR_NO_MEMORY;
    fill_unfitted(b);
    for (size_t n = 0; n < b->instants; n++) {
        unsigned week = n == 0 ? 0 : (unsigned)((n - 1) / A_WEEK);
        double *sums = b->sums + (week + 1) * square;

        if (n % A_WEEK == 1) {
            memcpy(sums, b->sums + week * square, square * sizeof *sums);
            b->observed[week + 1] = b->observed[week];
        }
        f.wandered += wandered(b, n);
        if (!instant_read(b, n, values, &noise, &broken))
            continue;
        if (whiten(&f, b, values, noise, broken)) {
            add_row(sums, values, b->size);
            b->observed[week + 1]++;
        }
        broken = false;
    }
    free(f.mean);
    b->summed = true;
    return ERR_OK;
}

/* ---- least squares over the weeks so far ---- */

struct fit {
    const struct balance *b;
    struct balance_scan *scan;
    unsigned week; /* until its beginning */
    struct balance_step at[BALANCE_CHILDREN_MOST + 1 + BALANCE_STEPS_MOST];
    unsigned count;
    double *inverse, *rhs, *beta, *work; /* inverse: of count × count */
    double rss, variance;
};

/* Σ of column i × column j over the weeks [from, until). */
static double cross(const struct balance *b, unsigned i, unsigned j, unsigned from, unsigned until)
{
    size_t square = (size_t)b->size * b->size, at = (size_t)i * b->size + j;

    return until > from ? b->sums[until * square + at] - b->sums[from * square + at] : 0;
}

static unsigned later(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/* In place, of a symmetric positive matrix; false: it is none. */
static bool invert(double *a, unsigned n, double *work)
{
    for (unsigned k = 0; k < n;
         k++) { /* Gauss-Jordan; the pivots of such a matrix stand on its diagonal */
        double pivot = a[k * n + k];

        if (!(pivot > 1e-9))
            return false;
        memcpy(work, a + k * n, n * sizeof *work);
        for (unsigned i = 0; i < n; i++) {
            double factor = a[i * n + k] / pivot;

            if (i == k)
                continue;
            for (unsigned j = 0; j < n; j++)
                a[i * n + j] -= factor * work[j];
            a[i * n + k] = -factor;
        }
        for (unsigned j = 0; j < n; j++)
            a[k * n + j] /= pivot;
        a[k * n + k] = 1 / pivot;
    }
    return true;
}

static double prior_of(const struct fit *f, unsigned k)
{
    bool child = f->at[k].column >= 1 && f->at[k].column <= f->b->children;

    return child && f->at[k].week == 0 ? f->variance / (B_SD * B_SD) : 1e-6;
}

static double gram(const struct fit *f, unsigned i, unsigned j)
{
    return cross(f->b, f->at[i].column, f->at[j].column, later(f->at[i].week, f->at[j].week),
                 f->week);
}

/* With the variance of the week before for the ridge; false: too little is known. */
static bool fit_solve(struct fit *f)
{
    unsigned n = f->count;
    double rows = f->b->observed[f->week];

    for (unsigned i = 0; i < n; i++) {
        double prior = prior_of(f, i);

        for (unsigned j = 0; j < n; j++)
            f->inverse[i * n + j] = gram(f, i, j) + (i == j ? prior : 0);
        f->rhs[i] =
            cross(f->b, f->at[i].column, 0, f->at[i].week, f->week) + (prior > 1e-5 ? prior : 0);
    }
    if (rows < (double)ROWS_EACH * n || !invert(f->inverse, n, f->work))
        return false;
    f->rss = cross(f->b, 0, 0, 0, f->week);
    for (unsigned i = 0; i < n; i++) {
        f->beta[i] = 0;
        for (unsigned j = 0; j < n; j++)
            f->beta[i] += f->inverse[i * n + j] * f->rhs[j];
    }
    for (unsigned i = 0; i < n; i++) { /* y'y − 2 b'X'y + b'X'Xb */
        double prior = prior_of(f, i), xy = f->rhs[i] - (prior > 1e-5 ? prior : 0),
               xxb = f->rhs[i] - prior * f->beta[i];

        f->rss += f->beta[i] * (xxb - 2 * xy);
    }
    f->variance = fmax(f->rss / (rows - n), LEAST_NOISE);
    return true;
}

/* One more column from a week on: its coefficient and what it takes off the residual. */
struct trial_step {
    struct balance_step at;
    double delta, se, gain; /* gain: χ² */
};

static struct trial_step try_step(const struct fit *f, unsigned column, unsigned week)
{
    struct trial_step t = { .at = { column, week } };
    unsigned n = f->count;
    double self = cross(f->b, column, column, week, f->week),
           rest = cross(f->b, column, 0, week, f->week);

    for (unsigned i = 0; i < n; i++) {
        f->work[i] = cross(f->b, column, f->at[i].column, later(week, f->at[i].week), f->week);
        rest -= f->work[i] * f->beta[i];
    }
    for (unsigned i = 0; i < n; i++) {
        double row = 0;

        for (unsigned j = 0; j < n; j++)
            row += f->inverse[i * n + j] * f->work[j];
        self -= f->work[i] * row;
    }
    if (self < 1e-6)
        return t;
    t.delta = rest / self;
    t.gain = t.delta * rest / f->variance;
    t.se = sqrt(f->variance / self);
    return t;
}

/* The best step of all, and the best one of another column. */
static void best_steps(const struct fit *f, struct trial_step *best, struct trial_step *second)
{
    unsigned first = f->week > WEEKS_BACK + WEEKS_BEFORE ? f->week - WEEKS_BACK : WEEKS_BEFORE;

    *best = *second = (struct trial_step){ 0 };
    for (unsigned column = 1; column < f->b->size; column++) {
        struct trial_step own = { 0 };

        for (unsigned week = first; week < f->week; week++) {
            struct trial_step t = try_step(f, column, week);

            if (t.gain > own.gain)
                own = t;
        }
        if (own.gain > best->gain) {
            *second = *best;
            *best = own;
        } else if (own.gain > second->gain) {
            *second = own;
        }
    }
}

/* ---- findings ---- */

static int64_t week_s(const struct balance *b, unsigned week)
{
    return b->from_s + (int64_t)week * BALANCE_WEEK_S;
}

/* The variance of a sum of coefficients: all of that column. */
static double level_of(const struct fit *f, unsigned column, unsigned until_week, double *out_se)
{
    double sum = 0, variance = 0;

    for (unsigned i = 0; i < f->count; i++) {
        if (f->at[i].column != column || f->at[i].week > until_week)
            continue;
        sum += f->beta[i];
        for (unsigned j = 0; j < f->count; j++)
            if (f->at[j].column == column && f->at[j].week <= until_week)
                variance += f->inverse[i * f->count + j] * f->variance;
    }
    *out_se = sqrt(variance > 0 ? variance : 0);
    return sum;
}

/* What the child's register moved by a day from a week on. */
static double registered_lpd(const struct balance *b, unsigned column, unsigned from,
                             unsigned until)
{
    size_t first = (size_t)from * A_WEEK, last = (size_t)until * A_WEEK;

    while (last > first && !(b->known[cell(b, last, column)] & KNOWN))
        last--;
    while (first < last && !(b->known[cell(b, first, column)] & KNOWN))
        first++;
    return last > first ? (b->level[cell(b, last, column)] - b->level[cell(b, first, column)]) *
                              (86400 / EVERY_S) / (double)(last - first)
                        : 0;
}

static double within(double x, double least, double most)
{
    return x < least ? least : x > most ? most : x;
}

/* From b and its interval to what is lost. */
static void tell(const struct fit *f, struct balance_finding *g, double delta, double se,
                 unsigned week)
{
    double lpd = registered_lpd(f->b, g->child, week, f->week), low = delta - Z95 * se,
           high = delta + Z95 * se;
    double before = g->before > 0.5 ? g->before : 0.5;

    g->after = g->before + delta;
    g->share = within(delta / (before + delta), 0, 1);
    g->share_low = within(low > 0 ? low / (before + low) : 0, 0, 1);
    g->share_high = within(high / (before + high), 0, 1);
    g->lost_lpd = delta * lpd;
    g->lost_low_lpd = low > 0 ? low * lpd : 0;
    g->lost_high_lpd = high * lpd;
    for (unsigned i = 0; i < f->count; i++)
        if (f->at[i].column == f->b->children + 1)
            g->loss_lph += f->beta[i];
    g->children = f->b->children;
    g->weeks = f->week;
}

static struct balance_finding *standing(struct balance_finding *list, size_t count, unsigned child)
{
    for (size_t i = count; i-- > 0;)
        if (list[i].child == child && !list[i].cleared_s)
            return &list[i];
    return NULL;
}

/* In the first days after a step many series fit it: the same one has to be the best for some weeks. */
static bool holds(struct fit *f, unsigned column)
{
    struct balance_pending *p = &f->scan->pending;

    if (p->column != column || p->last + 1 < f->week)
        *p = (struct balance_pending){ column, f->week, f->week };
    p->last = f->week;
    return f->week - p->since >= HOLD;
}

/* When it is told what the week at hand shows. */
static int64_t told_s(const struct fit *f)
{
    return week_s(f->b, later(f->week, f->scan->own_week));
}

/* What came and went in weeks that were looked at before is none. */
static void clear(struct balance_finding *was, int64_t cleared_s, struct balance_finding *list,
                  size_t *count)
{
    was->cleared_s = cleared_s;
    if (was->raised_s == cleared_s)
        memmove(was, was + 1, (size_t)(&list[--*count] - was) * sizeof *was);
}

static void take_in(struct fit *f, const struct balance_step *step)
{
    f->at[f->count++] = *step;
    f->scan->steps[f->scan->step_count++] = *step;
}

/* A step that stands out: it joins the regressors, and is told if it is a child's that counts less, or counts fully again. */
static bool take_step(struct fit *f, const struct balance_rules *r, struct balance_finding *out,
                      size_t most, size_t *count)
{
    struct trial_step best, second;
    struct balance_finding g = { 0 }, *was;
    double se;

    if (f->scan->step_count == BALANCE_STEPS_MOST)
        return false;
    best_steps(f, &best, &second);
    if (best.gain < r->z_least * r->z_least || best.gain - second.gain < r->margin ||
        !holds(f, best.at.column))
        return false;
    if (best.at.column <= f->b->children) {
        g.child = best.at.column;
        g.stepped = true;
        g.raised_s = told_s(f);
        g.onset_s = week_s(f->b, best.at.week);
        g.before = level_of(f, g.child, f->week, &se);
        g.z = best.delta / best.se;
        was = standing(out, *count, g.child);
        tell(f, &g, best.delta, best.se, best.at.week);
        if (best.delta > 0 && g.share < r->share_least)
            return false;
        if (was && best.delta < 0 && g.onset_s > was->onset_s)
            clear(was, g.raised_s, out, count);
        else if (best.delta > 0 && !was && *count < most)
            out[(*count)++] = g;
    }
    take_in(f, &best.at);
    return true;
}

/* Those that counted too little from the first week on, and do. */
static void look_at_levels(const struct fit *f, struct balance_finding *out, size_t most,
                           size_t *count)
{
    for (unsigned child = 1; child <= f->b->children && f->week >= WEEKS_LEVEL && *count < most;
         child++) {
        struct balance_finding g = {
            .child = child, .raised_s = told_s(f), .onset_s = f->b->from_s, .before = 1
        };
        double se, level = level_of(f, child, f->week, &se);

        if (level - Z95 * se < B_HIGH || standing(out, *count, child))
            continue;
        g.z = (level - 1) / se;
        tell(f, &g, level - 1, se, 0);
        out[(*count)++] = g;
    }
}

static enum err fit_begin(struct fit *f, const struct balance *b, struct balance_scan *scan)
{
    size_t most = sizeof f->at / sizeof f->at[0];

    *f = (struct fit){
        .b = b, .scan = scan, .count = b->children + 1, .variance = scan->week ? scan->variance : 1
    };
    for (unsigned k = 0; k < f->count; k++)
        f->at[k] = (struct balance_step){ k + 1, 0 };
    for (unsigned k = 0; k < scan->step_count; k++)
        f->at[f->count++] = scan->steps[k];
    f->inverse = (double *)malloc(most * (most + 3) * sizeof *f->inverse);
    if (!f->inverse)
        return ERR_NO_MEMORY;
    f->rhs = f->inverse + most * most;
    f->beta = f->rhs + most;
    f->work = f->beta + most;
    return ERR_OK;
}

enum err balance_find(struct balance *b, const struct balance_rules *rules, int64_t until_s,
                      struct balance_scan *scan, struct balance_finding *out, size_t most,
                      size_t *out_count)
{
    struct fit f;
    unsigned week = scan->week > WEEKS_BEFORE ? scan->week + 1 : WEEKS_BEFORE + 1;
    bool known;
    enum err err = b->summed ? ERR_OK : sum_up(b);

    if (!err)
        err = fit_begin(&f, b, scan);
    if (err)
        return err;
    for (; week <= b->weeks && week_s(b, week) <= until_s; week++) {
        f.week = week;
        while ((known = fit_solve(&f)) && take_step(&f, rules, out, most, out_count))
            ;
        if (known)
            look_at_levels(&f, out, most, out_count);
        scan->week = week;
        scan->variance = f.variance;
    }
    free(f.inverse);
    return ERR_OK;
}
