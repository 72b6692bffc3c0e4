#include "server/fleet/wear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S_MEAN 0.0113
#define S_SD 0.0113
#define T_SD 0.005
#define C_SD 0.05
#define SPREAD_USUAL 0.25
#define SPREAD_LEAST 0.05
#define Z95 1.959964
#define WEAR_STEPS 20 /* an e-fold */

const char *wear_source_name(enum wear_source s)
{
    static const char *const names[] = { "default", "fleet", "model" };

    return names[s];
}

static double units(double volume_l, int64_t q3_lph)
{
    return volume_l / ((double)q3_lph * WEAR_UNIT_H);
}

static bool is_wear(const struct wear_sample *s, double *out_y)
{
    *out_y = s->ratio > 0 ? -log(s->ratio) : 10;
    return fabs(*out_y) <= WEAR_MOST && s->q3_lph > 0 && s->years >= 0 && s->volume_l >= 0;
}

void wear_add(struct wear_sums *sums, const struct wear_sample *samples, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        const struct wear_sample *one = &samples[n];
        double y, row[3];

        if (!is_wear(one, &y)) {
            sums->left_out++;
            continue;
        }
        row[0] = 1;
        row[1] = units(one->volume_l, one->q3_lph);
        row[2] = one->years;
        for (int i = 0; i < 3; i++) {
            sums->b[i] += row[i] * y;
            for (int j = 0; j < 3; j++)
                sums->a[i][j] += row[i] * row[j];
        }
        sums->count++;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_size);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double wear_spread(const struct wear_sample *samples, size_t count, double *values)
{
    size_t kept = 0;
    double middle;

    for (size_t n = 0; n < count; n++)
        kept += is_wear(&samples[n], &values[kept]);
    if (kept < 6)
        return SPREAD_USUAL;
    middle = median(values, kept);
    for (size_t n = 0; n < kept; n++)
        values[n] = fabs(values[n] - middle);
    return fmax(1.4826 * median(values, kept), SPREAD_LEAST);
}

/* The inverse of a symmetric positive matrix, by its adjugate. */
static void inverse(double m[3][3], double out[3][3])
{
    double det = 0;

    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[j][i] = m[(i + 1) % 3][(j + 1) % 3] * m[(i + 2) % 3][(j + 2) % 3] -
                        m[(i + 1) % 3][(j + 2) % 3] * m[(i + 2) % 3][(j + 1) % 3];
    for (int i = 0; i < 3; i++)
        det += m[0][i] * out[i][0];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[i][j] /= det;
}

/* From a prior (mean, covariance) and sums to the posterior, in place. */
static void update(double mean[3], double v[3][3], const struct wear_sums *s, double spread)
{
    double precision[3][3], rhs[3] = { 0 };

    inverse(v, precision);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            rhs[i] += precision[i][j] * mean[j];
            precision[i][j] += s->a[i][j] / (spread * spread);
        }
        rhs[i] += s->b[i] / (spread * spread);
    }
    inverse(precision, v);
    for (int i = 0; i < 3; i++) {
        mean[i] = 0;
        for (int j = 0; j < 3; j++)
            mean[i] += v[i][j] * rhs[j];
    }
}

static struct wear_sums without(const struct wear_sums *all, const struct wear_sums *own)
{
    struct wear_sums rest = *all;

    for (int i = 0; i < 3; i++) {
        rest.b[i] -= own->b[i];
        for (int j = 0; j < 3; j++)
            rest.a[i][j] -= own->a[i][j];
    }
    return rest;
}

void wear_learn(const struct wear_sums *all, const struct wear_sums *own, double spread,
                struct wear_curve *out)
{
    double mean[3] = { 0, S_MEAN, 0 };
    double v[3][3] = { { C_SD * C_SD, 0, 0 }, { 0, S_SD * S_SD, 0 }, { 0, 0, T_SD * T_SD } };
    struct wear_sums rest = own ? without(all, own) : *all;

    update(mean, v, &rest, spread);
    if (own) {
        v[1][1] += S_SD * S_SD;
        v[2][2] += T_SD * T_SD;
        update(mean, v, own, spread);
    }
    *out = (struct wear_curve){
        .c = mean[0], .s = mean[1], .t = mean[2], .own = own ? own->count : 0, .all = all->count
    };
    memcpy(out->v, v, sizeof v);
    out->source = out->own >= WEAR_TOLD   ? WEAR_MODEL
                  : out->all >= WEAR_TOLD ? WEAR_FLEET
                                          : WEAR_DEFAULT;
}

void wear_predict(const struct wear_curve *c, double years, double volume_l, int64_t q3_lph,
                  struct wear_error *out)
{
    double x = q3_lph > 0 ? units(volume_l, q3_lph) : 0, y = c->s * x + c->t * years;
    double sd = sqrt(x * x * c->v[1][1] + years * years * c->v[2][2] + 2 * x * years * c->v[1][2]);

    *out = (struct wear_error){ 1 - exp(-y), 1 - exp(-(y - Z95 * sd)), 1 - exp(-(y + Z95 * sd)) };
}

double wear_missed(int32_t milli_pct, double volume_l, int64_t q3_lph)
{
    return q3_lph > 0 && volume_l > 0 ? 1 - exp(-milli_pct / 1e5 * units(volume_l, q3_lph)) : 0;
}

static int step_of(double x)
{
    return (int)floor(log(x) * WEAR_STEPS);
}

struct wear_pace wear_pace_of(int64_t volume_ml, int64_t seconds)
{
    double litres = (double)volume_ml / 1000, days = (double)seconds / 86400;
    int volume, time;

    if (litres < 1 || days < 1)
        return (struct wear_pace){ 0 };
    volume = step_of(litres);
    time = step_of(days);
    return (struct wear_pace){ exp((double)volume / WEAR_STEPS), exp((double)time / WEAR_STEPS),
                               1u + (uint32_t)volume * 4096u + (uint32_t)time };
}

double wear_lost(double missed, double registered_lpd)
{
    return missed < 1 ? registered_lpd * missed / (1 - missed) : 0;
}

double wear_milli_pct(const struct wear_curve *c, double litres_a_year, int64_t q3_lph)
{
    double pace = units(litres_a_year, q3_lph);

    return 1e5 * (c->s + (pace > 0 ? c->t / pace : 0));
}
