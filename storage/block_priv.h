/* The two halves of a block: when, and how much.  Of block*.c only.  Each half is planned first
 * (what costs least), then written as bits; its parameters stand before its codes. */
#ifndef NILO_STORAGE_BLOCK_PRIV_H
#define NILO_STORAGE_BLOCK_PRIV_H

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "proto/facts.h"
#include "storage/block_bits.h"

/* The order up to `most` that writes all of `x` in the fewest bits, and how many those are. */
unsigned golomb_order(const uint32_t *x, size_t count, unsigned most, uint64_t *out_bits);

/* ---- times ----------------------------------------------------------------------------------- */

enum time_mode { TIME_GENERAL, TIME_EXACT, TIME_SLOTS, TIME_OTHER };

#define TIME_SPAN (UINT64_C(1) << 31) /* no row is later than the month's start by as much */
#define TIME_LAG_MAX 8
#define TIME_DRIFT_MAX 4096 /* 1/64 s a slot */

/* Readings one period apart, and the step that led to the first of them: slots · period + a change
 * of phase. */
struct session {
    uint32_t run;    /* steps of exactly one period after its first reading */
    uint32_t slots;  /* of the step before; 0 for the first session */
    uint32_t at;     /* slots since the first reading of the block */
    int32_t phase_s; /* how far its readings lie after the slots that the first reading began */
};

struct time_plan {
    enum time_mode mode;
    uint32_t period_s;
    uint32_t usual_run;
    unsigned run_order, slot_order, phase_order, lag;
    int32_t drift;
    size_t count;
    struct session *sessions; /* room for one a row */
    uint32_t *scratch;        /* one a row */
};

/* `sessions` and `scratch` are the caller's. At least one row. */
void time_plan(struct time_plan *p, const struct row *rows, size_t count);
void time_put(struct bits_wr *w, const struct time_plan *p);

/* Fills time_s of rows[1 …], and attr with 0; rows[0] stands. false: no writer made this. */
bool time_get(struct bits_rd *r, enum time_mode mode, uint32_t period_s, struct row *rows,
              size_t count, uint64_t before_s);

/* Of the same times the last, without rows: the first is at first_s. */
bool time_get_last(struct bits_rd *r, enum time_mode mode, uint32_t period_s, uint32_t first_s,
                   size_t count, uint64_t before_s, uint32_t *out_last_s);

/* ---- values ---------------------------------------------------------------------------------- */

enum value_mode { VALUE_STEPS, VALUE_RUNS, VALUE_SIGNED, VALUE_EQUAL };

struct value_plan {
    enum value_mode mode;
    unsigned scale;   /* 0: `divisor` is stated and the first value is whole; 1, 2, 3: it is 1, 10,
                         100 times the unit */
    uint64_t divisor; /* of every step */
    size_t listed;    /* steps that do not fit a code: falls and huge ones */
    unsigned order, run_order;
    size_t step_count;
    uint32_t *steps; /* one a row; listed ones are 0 */
    uint32_t *runs,
        *gains; /* one a row: lengths of runs of zero steps; what follows each, less 1 */
    size_t run_count, gain_count;
};

/* `steps`, `runs`, `gains` are the caller's. At least one row. */
void value_plan(struct value_plan *p, const struct row *rows, size_t count, uint64_t unit);
void value_put_list(struct wr *w, const struct value_plan *p, const struct row *rows, size_t count);
void value_put(struct bits_wr *w, const struct value_plan *p);

/* Fills value of rows[1 …]; rows[0].value stands. false: no writer made this. */
bool value_get(struct bits_rd *r, uint64_t divisor, struct row *rows, size_t count);

/* Reads the list; adds it to `rows`, which may be NULL: then it is only passed over. */
bool value_get_list(struct rd *r, uint64_t divisor, struct row *rows, size_t count);

#define UNIT_MAX (INT64_C(1) << 40)

static inline uint64_t value_divisor(unsigned scale, uint64_t unit)
{
    static const unsigned times[] = { 0, 1, 10, 100 };

    return unit * times[scale];
}

static inline uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t) - (v < 0);
}

static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ -(v & 1));
}

#endif
