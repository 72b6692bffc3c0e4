/* Wilson's interval of a share (E. B. Wilson, JASA 1927); Garwood's exact one of a Poisson count (Biometrika 1936), its bounds found by
 * halving. */
#include "tools/measure/detect/bench.h"

#include <assert.h>
#include <stdlib.h>

#define Z95 1.959964
#define USE_LEAST_LPD 30

struct interval wilson(unsigned hits, unsigned all)
{
    double n = all, p = all ? hits / n : NAN, z2 = Z95 * Z95;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));

    if (all == 0)
        return (struct interval){ NAN, NAN, NAN };
    return (struct interval){ p, fmax(0, middle - half), fmin(1, middle + half) };
}

/* P(X ≤ k) of a Poisson count with this mean. */
static double poisson_up_to(unsigned k, double mean)
{
    double sum = 0;

    for (unsigned i = 0; i <= k; i++)
        sum += exp(i * log(mean) - mean - lgamma(i + 1.0));
    return sum;
}

/* The mean under which up to k have probability p. */
static double poisson_mean(unsigned k, double p)
{
    double low = 1e-9, high = k + 10 * sqrt(k + 1.0) + 20;

    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;

        if (poisson_up_to(k, middle) > p)
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct interval rate_of(unsigned count, double exposure)
{
    if (!(exposure > 0))
        return (struct interval){ NAN, NAN, NAN };
    if (count > 2000) /* normal is near enough */
        return (struct interval){ count / exposure, (count - Z95 * sqrt(count)) / exposure,
                                  (count + Z95 * sqrt(count)) / exposure };
    return (struct interval){ count / exposure,
                              count ? poisson_mean(count - 1, 0.975) / exposure : 0,
                              poisson_mean(count, 0.025) / exposure };
}

static int number_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double quantile(double *values, size_t count, double q)
{
    size_t at = (size_t)(q * (double)count);

    if (count == 0)
        return NAN;
    qsort(values, count, sizeof *values, number_order);
    return values[at < count ? at : count - 1];
}

/* ---- picking ---- */

static bool of_place(const struct subject *s, const struct pick *p)
{
    return (p->resolution_l == 0 || s->resolution_l == p->resolution_l) &&
           (p->form == 0 || s->form + 1u == p->form) && (!p->homes || s->way <= WAY_VACANT) &&
           (!p->seldom || s->way == WAY_SECOND_HOME || s->way == WAY_VACANT);
}

static bool of_size(const struct pick *p, double size)
{
    return p->size_below <= 0 || (size >= p->size_least && size < p->size_below);
}

static bool is_home_with(const struct subject *s, double use_lpd)
{
    return s->way == WAY_FAMILY && s->dn_mm < 40 && use_lpd >= USE_LEAST_LPD;
}

/* Whether the subject's fault is one of those asked for. */
static bool is_wanted(const struct subject *s, const struct pick *p)
{
    bool of_kind = p->kinds ? p->kinds & 1u << s->fault
                            : fault_has_flag(fault_about[s->fault].right, rules[p->rule].flag);

    return s->fault != FAULT_NONE && of_kind && !(s->left_out & 1u << p->rule) && of_place(s, p) &&
           of_size(p, s->size) && (!p->with_use || is_home_with(s, s->would_lpd)) &&
           (!p->steady || s->steady);
}

/* Days after the onset until it was as sure as asked for. */
static double delay_of(const struct note *n, unsigned confidence_least)
{
    unsigned i = 0;

    while (i + 1 < SURE_STEPS && sure_pct[i] < confidence_least)
        i++;
    return confidence_least ? n->sure_d[i] : n->delay_d;
}

struct lists {
    double *delay_d, *onset_d, *loss;
    size_t count, losses;
    uint32_t last; /* subject whose fault was found, and one; notes of one stand together */
};

static void count_note(const struct record *r, const struct pick *p, const struct note *n,
                       struct figures *f, struct lists *l)
{
    const struct subject *s = &r->subjects[n->subject];
    bool wanted = is_wanted(s, p), sized = of_size(p, n->told_lph), found;

    if (n->rule != p->rule || !of_place(s, p) || n->confidence_pct < p->confidence_least ||
        (p->with_use && !is_home_with(s, s->used_lpd)) ||
        (p->steady && !(n->outcome == NOTE_FALSE ? n->steady : s->steady)))
        return;
    /* The first that is sure enough, though a fainter one may have been told before it. */
    found = n->outcome == NOTE_FOUND || (n->outcome == NOTE_REPEAT && l->last != n->subject + 1);
    l->last = found ? n->subject + 1 : l->last;
    f->repeats += n->outcome == NOTE_REPEAT && !found;
    f->explained += n->outcome == NOTE_EXPLAINED;
    f->too += n->outcome == NOTE_TOO;
    f->wrong += n->outcome == NOTE_FALSE && sized;
    f->right += found && sized;
    if (!found || !wanted || (p->within_d > 0 && n->delay_d > p->within_d))
        return;
    f->found++;
    f->bound_asked += s->fault == FAULT_STUCK_WHOLE;
    f->in_bound += s->fault == FAULT_STUCK_WHOLE &&
                   delay_of(n, p->confidence_least) <= fmax(7, 1.5 * s->zero_run_d) + 2;
    l->delay_d[l->count] = delay_of(n, p->confidence_least);
    l->onset_d[l->count++] = n->onset_off_d;
    if (!isnan(n->loss_off))
        l->loss[l->losses++] = fabs(n->loss_off);
}

enum err figures_of(const struct record *r, const struct pick *p, struct figures *out)
{
    double *room = (double *)malloc((3 * r->note_count + 3) * sizeof *room);
    struct lists l = { room, room + r->note_count, room + 2 * r->note_count, 0, 0, 0 };
    struct figures f = { 0 };

    if (!room)
        return ERR_NO_MEMORY;
    assert(p->rule < rule_count);
    for (size_t i = 0; i < r->subject_count; i++) {
        f.faults += is_wanted(&r->subjects[i], p);
        if (of_place(&r->subjects[i], p) &&
            (!p->with_use || is_home_with(&r->subjects[i], r->subjects[i].used_lpd)))
            f.years += r->subjects[i].years;
    }
    for (size_t i = 0; i < r->note_count; i++)
        count_note(r, p, &r->notes[i], &f, &l);
    f.recall = wilson(f.found, f.faults);
    f.precision = wilson(f.right, f.right + f.wrong);
    f.false_per_1000 = rate_of(f.wrong, f.years / 1000);
    f.delay_median_d = quantile(l.delay_d, l.count, 0.5);
    f.delay_p90_d = quantile(l.delay_d, l.count, 0.9);
    f.onset_off_d = quantile(l.onset_d, l.count, 0.5);
    f.loss_off = quantile(l.loss, l.losses, 0.5);
    free(room);
    *out = f;
    return ERR_OK;
}
