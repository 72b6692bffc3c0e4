/* When: a block's times as sessions.
 *
 * Meters take readings at a phase of their own, a period apart, for a number of readings that is
 * mostly the same (the radio session), and then shift a little.  A step is slots · period + shift
 * with |shift| ≤ period / 2; a session is the readings after such a step that lie exactly one
 * period apart.
 *
 *   TIME_EXACT     every step is one period: no bits at all
 *   TIME_SLOTS     every step is a multiple of the period: no phases
 *   TIME_GENERAL   phases as what they differ from the phase `lag` sessions ago, moved by
 *                  drift · slots since / 64 s
 *
 *   golomb(2) usual run · 4 bits order of runs · 4 bits order of slots
 *   [GENERAL: 3 bits lag − 1 · golomb(4) zigzag drift · 4 bits order of phases]
 *   per session:
 *     [not the first: 1  one slot
 *                     01 golomb(0) m − 1: 1 + m · (usual run + 1) slots, for m lost sessions
 *                     00 golomb slots
 *      GENERAL: golomb zigzag phase difference]
 *     1 the usual run, or what is left of the block if that is less
 *     0 golomb run */
#include "storage/block_priv.h"

#define ORDER_MAX 13

/* ---- planning -------------------------------------------------------------------------------- */

/* Counts of the commonest values, roughly: a small table by hash, where a newcomer wears down who
 * sits in its place. */
#define TALLY_SIZE 64

struct tally {
    uint32_t value[TALLY_SIZE], count[TALLY_SIZE];
};

static void tally_add(struct tally *t, uint32_t value)
{
    unsigned place = value * 2654435769u >> 26;

    if (t->value[place] != value) {
        if (t->count[place] > 1) {
            t->count[place]--;
            return;
        }
        t->value[place] = value;
        t->count[place] = 0;
    }
    t->count[place]++;
}

static uint32_t tally_commonest(const struct tally *t)
{
    unsigned best = 0;

    for (unsigned i = 1; i < TALLY_SIZE; i++)
        if (t->count[i] > t->count[best])
            best = i;
    return t->value[best];
}

static uint32_t step_to(const struct row *row)
{
    return row->time_s - row[-1].time_s;
}

/* The commonest step that is not 0; 0 if all are. */
static uint32_t commonest_step(const struct row *rows, size_t count)
{
    struct tally t = { 0 };

    for (size_t i = 1; i < count; i++)
        if (step_to(&rows[i]))
            tally_add(&t, step_to(&rows[i]));
    return tally_commonest(&t);
}

static enum time_mode mode_of(const struct row *rows, size_t count, uint32_t period_s)
{
    enum time_mode mode = TIME_EXACT;

    for (size_t i = 1; i < count; i++) {
        uint32_t step = step_to(&rows[i]);

        if (step == period_s)
            continue;
        if (step % period_s)
            return TIME_GENERAL;
        mode = TIME_SLOTS;
    }
    return mode;
}

static void split_sessions(struct time_plan *p, const struct row *rows, size_t count)
{
    struct session *s = p->sessions;
    uint32_t period_s = p->period_s;

    *s = (struct session){ 0 };
    for (size_t i = 1; i < count; i++) {
        uint32_t step = step_to(&rows[i]);

        if (step == period_s) {
            s->run++;
            continue;
        }
        uint32_t slots = (uint32_t)(((uint64_t)step + period_s / 2) / period_s);

        s[1] = (struct session){ .slots = slots,
                                 .at = s->at + s->run + slots,
                                 .phase_s = (int32_t)(s->phase_s + ((int64_t)step -
                                                                    (int64_t)slots * period_s)) };
        s++;
    }
    p->count = (size_t)(s - p->sessions) + 1;
}

static bool lost_sessions(const struct time_plan *p, uint32_t slots)
{
    return slots > 1 && (slots - 1) % (p->usual_run + 1) == 0;
}

static void plan_runs(struct time_plan *p)
{
    struct tally t = { 0 };
    uint64_t bits;
    size_t odd = 0, gaps = 0;

    for (size_t i = 0; i < p->count; i++)
        tally_add(&t, p->sessions[i].run);
    p->usual_run = tally_commonest(&t);
    for (size_t i = 0; i < p->count; i++)
        if (p->sessions[i].run != p->usual_run)
            p->scratch[odd++] = p->sessions[i].run;
    p->run_order = golomb_order(p->scratch, odd, ORDER_MAX, &bits);
    for (size_t i = 1; i < p->count; i++)
        if (p->sessions[i].slots != 1 && !lost_sessions(p, p->sessions[i].slots))
            p->scratch[gaps++] = p->sessions[i].slots;
    p->slot_order = golomb_order(p->scratch, gaps, ORDER_MAX, &bits);
}

static int32_t drift_limit(uint32_t period_s)
{
    return period_s < TIME_DRIFT_MAX / 64 ? (int32_t)period_s * 64 : TIME_DRIFT_MAX;
}

static int32_t drift_between(const struct session *a, const struct session *b, int32_t most)
{
    int64_t slots = b->at > a->at ? b->at - a->at : 1;
    int64_t drift = ((int64_t)b->phase_s - a->phase_s) * 64 / slots;

    return drift > most ? most : drift < -most ? -most : (int32_t)drift;
}

/* Hoare's selection: x[k] becomes what it would be if x were sorted. */
static int32_t select_nth(int32_t *x, size_t count, size_t k)
{
    size_t low = 0, high = count - 1;

    while (low < high) {
        int32_t pivot = x[k];
        size_t i = low, j = high;

        do {
            while (x[i] < pivot)
                i++;
            while (pivot < x[j])
                j--;
            if (i <= j) {
                int32_t swap = x[i];

                x[i++] = x[j];
                x[j] = swap;
                if (j == 0)
                    break;
                j--;
            }
        } while (i <= j);
        if (j < k)
            low = i;
        if (k < i)
            high = j;
    }
    return x[k];
}

/* The median of the drifts over twelve sessions: a few leaps of the clock do not bend it. */
static int32_t drift_of(const struct time_plan *p)
{
    const struct session *s = p->sessions;
    int32_t *drifts = (int32_t *)p->scratch;
    int32_t most = drift_limit(p->period_s);
    size_t count = 0;

    if (p->count <= 12)
        return drift_between(&s[0], &s[p->count - 1], most);
    for (size_t i = 12; i < p->count; i++)
        drifts[count++] = drift_between(&s[i - 12], &s[i], most);
    return select_nth(drifts, count, count / 2);
}

/* Where the phase should be `slots` slots after `then_s`. The shift of a negative number rounds
 * down, with every compiler we build with. */
static int64_t phase_expected(int64_t then_s, uint64_t slots, int32_t drift)
{
    return then_s + ((int64_t)slots * drift >> 6);
}

static uint64_t phase_code(const struct time_plan *p, size_t i, unsigned lag)
{
    const struct session *s = &p->sessions[i];
    const struct session *then = i < lag ? p->sessions : s - lag;

    return zigzag(s->phase_s - phase_expected(then->phase_s, s->at - then->at, p->drift));
}

static void plan_phases(struct time_plan *p)
{
    uint64_t least = UINT64_MAX, bits;

    p->drift = drift_of(p);
    for (unsigned lag = 1; lag <= TIME_LAG_MAX; lag++) {
        bits = 0;
        for (size_t i = 1; i < p->count; i++)
            bits += bits_log2(phase_code(p, i, lag) + 1);
        if (bits < least) {
            least = bits;
            p->lag = lag;
        }
    }
    for (size_t i = 1; i < p->count; i++) {
        uint64_t code = phase_code(p, i, p->lag);

        p->scratch[i - 1] = code > UINT32_MAX ? UINT32_MAX : (uint32_t)code;
    }
    p->phase_order = golomb_order(p->scratch, p->count - 1, ORDER_MAX, &bits);
}

void time_plan(struct time_plan *p, const struct row *rows, size_t count)
{
    p->period_s = count == 1 ? 3600 : commonest_step(rows, count);
    p->mode = p->period_s ? mode_of(rows, count, p->period_s) : TIME_EXACT;
    if (p->mode == TIME_EXACT)
        return;
    split_sessions(p, rows, count);
    plan_runs(p);
    if (p->mode == TIME_GENERAL)
        plan_phases(p);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_slots(struct bits_wr *w, const struct time_plan *p, uint32_t slots)
{
    if (slots == 1) {
        bits_put(w, 1, 1);
    } else if (lost_sessions(p, slots)) {
        bits_put(w, 1, 2);
        golomb_put_wide(w, (slots - 1) / (p->usual_run + 1) - 1, 0);
    } else {
        bits_put(w, 0, 2);
        golomb_put_wide(w, slots, p->slot_order);
    }
}

static void put_run(struct bits_wr *w, const struct time_plan *p, uint32_t run, bool last)
{
    if (run == p->usual_run || (last && run < p->usual_run)) {
        bits_put(w, 1, 1);
    } else {
        bits_put(w, 0, 1);
        golomb_put_wide(w, run, p->run_order);
    }
}

void time_put(struct bits_wr *w, const struct time_plan *p)
{
    if (p->mode == TIME_EXACT)
        return;
    golomb_put_wide(w, p->usual_run, 2);
    bits_put(w, p->run_order, 4);
    bits_put(w, p->slot_order, 4);
    if (p->mode == TIME_GENERAL) {
        bits_put(w, p->lag - 1, 3);
        golomb_put_wide(w, zigzag(p->drift), 4);
        bits_put(w, p->phase_order, 4);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (i) {
            put_slots(w, p, p->sessions[i].slots);
            if (p->mode == TIME_GENERAL)
                golomb_put_wide(w, phase_code(p, i, p->lag), p->phase_order);
        }
        put_run(w, p, p->sessions[i].run, i + 1 == p->count);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static void set_time(struct row *row, uint64_t time_s)
{
    row->time_s = (uint32_t)time_s;
    row->attr = 0;
}

/* What the reader of sessions knows. The last eight sessions' phases and places stand in a ring. */
struct sessions {
    uint64_t period_s, usual_run;
    unsigned run_order, slot_order, phase_order, lag;
    int32_t drift;
    uint64_t before_s; /* every time is below it */
    uint64_t time_s, at;
    int64_t phase_s;
    size_t index;
    int64_t phases_s[TIME_LAG_MAX];
    uint64_t places[TIME_LAG_MAX];
};

static bool get_parameters(struct bits_rd *r, enum time_mode mode, struct sessions *s)
{
    s->usual_run = golomb_get_wide(r, 2);
    s->run_order = (unsigned)bits_get(r, 4);
    s->slot_order = (unsigned)bits_get(r, 4);
    if (mode == TIME_GENERAL) {
        s->lag = (unsigned)bits_get(r, 3) + 1;
        int64_t drift = unzigzag(golomb_get_wide(r, 4));
        int32_t most = drift_limit((uint32_t)s->period_s);

        s->phase_order = (unsigned)bits_get(r, 4);
        if (drift > most || drift < -most)
            return false;
        s->drift = (int32_t)drift;
    }
    return !r->bad && s->usual_run < TIME_SPAN && s->run_order <= ORDER_MAX &&
           s->slot_order <= ORDER_MAX && s->phase_order <= ORDER_MAX;
}

static uint64_t get_slots(struct bits_rd *r, const struct sessions *s)
{
    uint64_t first = bits_peek(r) >> 62;

    if (first >= 2) {
        r->bit += 1;
        return 1;
    }
    r->bit += 2;
    if (first == 1)
        return 1 + (golomb_get_wide(r, 0) + 1) * (s->usual_run + 1);
    return golomb_get_wide(r, s->slot_order);
}

/* The step that begins the next session. The bounds on its parts keep every sum within 64 bits. */
static bool get_break(struct bits_rd *r, enum time_mode mode, struct sessions *s)
{
    uint64_t slots = get_slots(r, s);
    int64_t shift_s = 0;

    if (r->bad || slots > TIME_SPAN)
        return false;
    s->at += slots;
    s->index++;
    if (mode == TIME_GENERAL) {
        size_t then = (s->index < s->lag ? 0 : s->index - s->lag) % TIME_LAG_MAX;
        int64_t expected = phase_expected(s->phases_s[then], s->at - s->places[then], s->drift);
        int64_t phase_s = expected + unzigzag(golomb_get_wide(r, s->phase_order));

        shift_s = phase_s - s->phase_s;
        if (r->bad || shift_s > (int64_t)(s->period_s / 2) || shift_s < -(int64_t)(s->period_s / 2))
            return false;
        s->phase_s = phase_s;
        s->phases_s[s->index % TIME_LAG_MAX] = phase_s;
        s->places[s->index % TIME_LAG_MAX] = s->at;
    }

    int64_t step_s = (int64_t)(slots * s->period_s) + shift_s;

    s->time_s += (uint64_t)step_s;
    return step_s >= 0 && s->time_s < s->before_s;
}

static uint64_t get_run(struct bits_rd *r, const struct sessions *s, uint64_t left)
{
    if (bits_get(r, 1))
        return s->usual_run < left ? s->usual_run : left;
    return golomb_get_wide(r, s->run_order);
}

/* `left` times after the first; `row` NULL: nobody wants them all, s->time_s becomes the last. */
static bool get_sessions(struct bits_rd *r, enum time_mode mode, struct sessions *s,
                         struct row *row, uint64_t left)
{
    for (;;) {
        uint64_t run = get_run(r, s, left);

        if (run > left || s->time_s + run * s->period_s >= s->before_s)
            return false;
        s->at += run;
        left -= run;
        if (!row)
            s->time_s += run * s->period_s;
        else
            for (const struct row *stop = row + run; row < stop; row++)
                set_time(row, s->time_s += s->period_s);
        if (left == 0)
            return !r->bad;
        if (!get_break(r, mode, s))
            return false;
        left--;
        if (row)
            set_time(row++, s->time_s);
    }
}

static bool get_exact(uint32_t period_s, struct row *rows, size_t count, uint64_t before_s)
{
    if (rows[0].time_s + (uint64_t)(count - 1) * period_s >= before_s)
        return false;
    for (size_t i = 1; i < count; i++)
        set_time(&rows[i], rows[i - 1].time_s + period_s);
    return true;
}

bool time_get(struct bits_rd *r, enum time_mode mode, uint32_t period_s, struct row *rows,
              size_t count, uint64_t before_s)
{
    struct sessions s = { .period_s = period_s, .time_s = rows[0].time_s, .before_s = before_s };

    if (mode == TIME_EXACT)
        return get_exact(period_s, rows, count, before_s);
    if (period_s == 0 || !get_parameters(r, mode, &s))
        return false;
    return get_sessions(r, mode, &s, rows + 1, count - 1);
}

bool time_get_last(struct bits_rd *r, enum time_mode mode, uint32_t period_s, uint32_t first_s,
                   size_t count, uint64_t before_s, uint32_t *out_last_s)
{
    struct sessions s = { .period_s = period_s, .time_s = first_s, .before_s = before_s };

    if (mode == TIME_EXACT)
        s.time_s += (uint64_t)(count - 1) * period_s;
    else if (period_s == 0 || !get_parameters(r, mode, &s) ||
             !get_sessions(r, mode, &s, NULL, count - 1))
        return false;
    if (s.time_s >= before_s)
        return false;
    *out_last_s = (uint32_t)s.time_s;
    return true;
}
