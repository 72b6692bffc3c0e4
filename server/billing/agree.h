/* Which two values of a register agree, and what lies between them (rules-bills B3, B8). */
#ifndef NILO_SERVER_BILLING_AGREE_H
#define NILO_SERVER_BILLING_AGREE_H

#include "proto/facts.h"

/* What the register of a meter can do. */
struct meter_limits {
    bool net;
    int64_t modulus;      /* M; 0 where nobody knows it: then nothing rolls over */
    int64_t above, below; /* x > 0.9 M is x > above, y < 0.1 M is y < below */
    int64_t pulse;
#define METER_RATE_OVER 144
    __int128 rate; /* C is (rate × seconds) / METER_RATE_OVER + pulse */
    int64_t plain; /* millilitres a second that are within C whatever the time, at most 2^31; -1: nothing is plain */
};

struct meter_limits meter_limits_of(const struct meter_facts *m);

struct mark {
    int64_t at_s, value;
};

struct counted {
    __int128 volume; /* two values may lie further apart than 64 bits say */
    int32_t rollovers;
};

/* B8: whether a later `y` agrees with `x`. `counted` (may be NULL) is filled where it does. */
bool marks_agree(const struct meter_limits *m, const struct mark *x, const struct mark *y,
                 struct counted *counted);

/* Nearly all steps of nearly all meters: a later value that is not lower and well within C, which counts as it is. False says nothing. */
static inline bool marks_plain(const struct meter_limits *m, const struct mark *x, const struct mark *y, int64_t *rise)
{
    int64_t seconds;

    return !__builtin_sub_overflow(y->at_s, x->at_s, &seconds) && seconds > 0 && seconds <= INT32_MAX &&
           !__builtin_sub_overflow(y->value, x->value, rise) && *rise >= 0 && *rise <= m->plain * seconds;
}

static inline struct mark row_mark(const struct row *r)
{
    return (struct mark){ r->time_s, r->value };
}

/* Whether rows [begin, end) each follow the one before as a meter's register can: later, not below it, in agreement with it, none from the future or below 0.
 * A walk whose last row took part takes all of them and looks back at nothing before it. */
bool rows_calm(const struct meter_limits *limits, const struct row *rows, size_t begin, size_t end);

/* Differences of absurd values must not overflow: they stop where no register ever comes. */
#define VOLUME_MOST (INT64_MAX / 4)

static inline int64_t volume_clamped(__int128 v)
{
    return v > VOLUME_MOST ? VOLUME_MOST : v < -VOLUME_MOST ? -VOLUME_MOST : (int64_t)v;
}

#endif
