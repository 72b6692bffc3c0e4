#include "server/fleet/quality.h"

#include <math.h>
#include <stdlib.h>

#define LEAST_RATIOS 6 /* 2 / 2^6 is the first that is below 5 % */

struct reading_life {
    const struct quality_of *q;
    struct quality_end end;
    bool fitted;
    int64_t from_s;   /* of the fitting at hand */
    int64_t served_s; /* before it */
    bool open;        /* a failure is being told: not over yet */
    bool told_here;   /* one was told in the fitting at hand, or the one before where none is */
    struct quality_failure now;
};

static int64_t age_at(const struct reading_life *r, int64_t at_s)
{
    return r->served_s + (r->fitted && at_s > r->from_s ? at_s - r->from_s : 0);
}

static void failure_begin(struct reading_life *r, int64_t at_s, enum failure_kind kind)
{
    if (r->open) {
        if (r->now.kind == FAILURE_OTHER && kind != FAILURE_LOST)
            r->now.kind = kind;
        return;
    }
    r->open = r->told_here = true;
    r->now = (struct quality_failure){ .kind = kind, .at_s = at_s, .age_s = age_at(r, at_s) };
}

static void failure_end(struct reading_life *r)
{
    if (!r->open)
        return;
    r->open = false;
    if (r->now.kind != FAILURE_LOST && !r->end.failed) {
        r->end.failed = true;
        r->end.age_s = r->now.age_s;
    }
    if (r->q->failure)
        r->q->failure(r->q->arg, &r->now);
}

static void fitting_end(struct reading_life *r, int64_t at_s)
{
    failure_end(r);
    if (!r->fitted)
        return;
    r->served_s = age_at(r, at_s);
    r->fitted = false;
    if (r->q->stretch)
        r->q->stretch(r->q->arg, r->from_s, at_s);
}

static void installed(struct reading_life *r, const struct life_event *e)
{
    fitting_end(r, e->at_s);
    r->fitted = r->end.served = true;
    r->told_here = false;
    r->from_s = e->at_s;
}

static void fault(struct reading_life *r, const struct life_event *e)
{
    enum failure_kind kind = FAILURE_OTHER;

    if (r->fitted && !failure_of_text(r->q->rules, e->text[EVENT_REASON], &kind))
        (void)failure_of_text(r->q->rules, e->text[EVENT_NOTE], &kind);
    if (r->fitted)
        failure_begin(r, e->at_s, kind);
}

static void removed(struct reading_life *r, const struct life_event *e)
{
    enum failure_kind kind;

    if (r->fitted && failure_of_text(r->q->rules, e->text[EVENT_REASON], &kind))
        failure_begin(r, e->at_s, kind);
    fitting_end(r, e->at_s);
}

static void lost(struct reading_life *r, const struct life_event *e)
{
    if (r->fitted)
        failure_begin(r, e->at_s, FAILURE_LOST);
    fitting_end(r, e->at_s);
}

/* In the laboratory it tells of the fitting before: what failed there already is not told again. */
static void inspected(struct reading_life *r, const struct life_event *e)
{
    if (!(e->flags & EVENT_FAILED) || !r->end.served || (!r->fitted && r->told_here))
        return;
    failure_begin(r, e->at_s, FAILURE_INACCURATE);
    if (!r->fitted)
        failure_end(r);
}

static void event(struct reading_life *r, const struct life_event *e)
{
    switch ((enum life_kind)e->kind) {
    case EVENT_INSTALL:
        installed(r, e);
        break;
    case EVENT_FAULT:
        fault(r, e);
        break;
    case EVENT_RESUME:
        failure_end(r);
        break;
    case EVENT_REMOVE:
        removed(r, e);
        break;
    case EVENT_LOSE:
        lost(r, e);
        break;
    case EVENT_INSPECT:
        inspected(r, e);
        break;
    default:
        break;
    }
}

/* Of one instant the events come first: a flag's onset is the fitting's at the earliest. */
static bool flag_is_next(const struct quality_of *q, size_t e, size_t f)
{
    if (f >= q->flag_count || q->flags[f].onset_s > q->now_s)
        return false;
    return e >= q->count || q->events[e].at_s > q->now_s || q->flags[f].onset_s < q->events[e].at_s;
}

struct quality_end quality_read(const struct quality_of *q)
{
    struct reading_life r = { .q = q };
    size_t e = 0, f = 0;

    for (;;) {
        if (flag_is_next(q, e, f)) {
            const struct quality_flag *flag = &q->flags[f++];

            if (r.fitted)
                failure_begin(&r, flag->onset_s, flag->kind);
        } else if (e < q->count && q->events[e].at_s <= q->now_s) {
            event(&r, &q->events[e++]);
        } else {
            break;
        }
    }
    fitting_end(&r, q->now_s);
    if (!r.end.failed)
        r.end.age_s = r.served_s;
    return r.end;
}

/* ---- figures ---- */

double quality_rate(uint64_t failures, int64_t service_s)
{
    return service_s > 0 ? (double)failures * 1000 * QUALITY_YEAR_S / (double)service_s : 0;
}

/* P(X ≤ k), X Poisson of `mean`: Q(k + 1, mean), the upper incomplete gamma function over the whole one (Abramowitz and
 * Stegun 6.5.29 as a series below the middle, 6.5.31 as a continued fraction by Lentz's method above it). */
static double poisson_at_most(double k, double mean)
{
    double a = k + 1, head, sum, term;
    int sign;

    if (mean <= 0)
        return 1;
    head = exp(a * log(mean) - mean - lgamma_r(a, &sign));
    if (mean < a + 1) {
        sum = term = 1 / a;
        for (double n = a + 1; term > sum * 1e-15; n++)
            sum += term *= mean / n;
        return 1 - head * sum;
    }
    double b = mean + 1 - a, c = 1e300, d = 1 / b, h = d;

    for (double n = 1; n < 1e6; n++) {
        double an = n * (a - n), step;

        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        step = c * d;
        h *= step;
        if (fabs(step - 1) < 1e-15)
            break;
    }
    return head * h;
}

/* The mean at which P(X ≤ k) is `share`: it falls as the mean rises. */
static double poisson_mean(double k, double share)
{
    double low = 0, high = k + 10 + 10 * sqrt(k + 1);

    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;

        if (poisson_at_most(k, middle) > share)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

void quality_bounds(uint64_t failures, double *out_low, double *out_high)
{
    *out_low = failures ? poisson_mean((double)failures - 1, 0.975) : 0;
    *out_high = poisson_mean((double)failures, 0.025);
}

static int age_order(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

double quality_median(uint16_t *ages, size_t count)
{
    qsort(ages, count, sizeof *ages, age_order);
    return count % 2 ? ages[count / 2] : (ages[count / 2 - 1] + ages[count / 2]) / 2.0;
}

static int ratio_order(const void *a, const void *b)
{
    const int32_t *x = (const int32_t *)a, *y = (const int32_t *)b;

    return (*x > *y) - (*x < *y);
}

/* The largest k for which the k-th smallest and the k-th largest hold the median between them with 95 %: P(B < k) ≤ 2.5 % where B counts heads of `count`
 * coins. */
static size_t sign_rank(size_t count)
{
    double term = pow(0.5, (double)count), sum = 0;
    size_t k = 0;

    if (count > 1000) /* the normal curve is closer than the ranks are apart */
        return (size_t)floor(((double)count - 1.959963984540054 * sqrt((double)count)) / 2);
    while (sum + term <= 0.025) {
        sum += term;
        term *= (double)(count - k) / (double)(k + 1);
        k++;
    }
    return k;
}

bool quality_middle(int32_t *ratios, size_t count, struct quality_middle *out)
{
    size_t k;

    if (count < LEAST_RATIOS)
        return false;
    qsort(ratios, count, sizeof *ratios, ratio_order);
    k = sign_rank(count);
    out->median =
        (count % 2 ? ratios[count / 2] : (ratios[count / 2 - 1] + ratios[count / 2]) / 2.0) / 1000;
    out->low = ratios[k - 1] / 1000.0;
    out->high = ratios[count - k] / 1000.0;
    return true;
}
