#include "server/billing/agree.h"

/* C = 1.1 × 1.25 × Q3 × hours + 1 pulse (B8).  With Q3 in litres per hour, in millilitres: 1 375 Q3
 * / 3 600 s = 55 Q3 / 144 s. */
#define RATE_TIMES 55

/* A net register may have turned backwards through zero where it seems to have risen. */
static int64_t plain_mlps(const struct meter_facts *m)
{
    int64_t q3 = m->q3_lph < INT32_MAX ? m->q3_lph : INT32_MAX;

    return m->form == REGISTER_NET || m->resolution_ml < 0 || q3 <= 0
               ? -1
               : q3 * RATE_TIMES / METER_RATE_OVER;
}

struct meter_limits meter_limits_of(const struct meter_facts *m)
{
    int64_t modulus = m->modulus_ml > 0 ? m->modulus_ml : 0;

    return (struct meter_limits){
        .net = m->form == REGISTER_NET,
        .modulus = modulus,
        .above = modulus - modulus / 10 - (modulus % 10 != 0), /* floor(0.9 M) */
        .below = modulus / 10 + (modulus % 10 != 0),           /* ceiling(0.1 M) */
        .pulse = m->resolution_ml,
        .rate = (__int128)m->q3_lph * RATE_TIMES,
        .plain = plain_mlps(m),
    };
}

static bool say(struct counted *counted, __int128 volume, int32_t rollovers)
{
    if (counted)
        *counted = (struct counted){ volume, rollovers };
    return true;
}

/* C bounds `volume`: without the division, which costs more than all the rest. */
static bool within(const struct meter_limits *m, __int128 volume, int64_t seconds)
{
    return (volume - m->pulse) * METER_RATE_OVER <= m->rate * seconds;
}

bool marks_agree(const struct meter_limits *m, const struct mark *x, const struct mark *y,
                 struct counted *counted)
{
    __int128 rise = (__int128)y->value - x->value;
    int64_t seconds = y->at_s - x->at_s;

    if (m->modulus && x->value > m->above && y->value < m->below && rise + m->modulus >= 0 &&
        within(m, rise + m->modulus, seconds))
        return say(counted, rise + m->modulus, 1);
    if (m->net && m->modulus && x->value < m->below && y->value > m->above &&
        within(m, m->modulus - rise, seconds))
        return say(counted, rise - m->modulus, -1);
    if (rise >= 0 && within(m, rise, seconds))
        return say(counted, rise, 0);
    if (m->net && rise < 0 && within(m, -rise, seconds))
        return say(counted, rise, 0);
    return false;
}

bool rows_calm(const struct meter_limits *limits, const struct row *rows, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        struct mark x, y = row_mark(&rows[i]);
        int64_t rise;

        if (rows[i].attr & ATTR_FUTURE || rows[i].value < 0)
            return false;
        if (i == begin)
            continue;
        x = row_mark(&rows[i - 1]);
        if (!marks_plain(limits, &x, &y, &rise) &&
            (y.at_s <= x.at_s || y.value < x.value || !marks_agree(limits, &x, &y, NULL)))
            return false;
    }
    return true;
}
