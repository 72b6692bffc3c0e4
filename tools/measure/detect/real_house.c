/* Houses of real series: 5 to 40 of those homes stand behind one meter that counts the sum of them, hour by hour, and what leaks between; each meter has a constant error of its own (−3 to +2 %, the
 * building's −2 to +1 %) and pulses of 1, 10 or 100 L.  Readings of flats are missing where the real ones are.  What wanders in real meters from flow to flow is not in it, for hours do not tell; what real
 * homes do is.  The same house is judged without its fault as well. */
#include "tools/measure/detect/houses.h"
#include "tools/measure/detect/real.h"

#include <stdlib.h>

#define DAY_S 86400.0
#define ROWS_LEAST 6500
#define DAYS_LEAST 300
#define PART_REAL_HOUSE 11
#define STREAM UINT64_C(104729) /* neighbours' streams are each other's, so many draws on */

struct flat {
    const struct real_series *series;
    size_t own, others; /* cursors: its own use, and the other one's */
    double share;
};
struct making {
    const struct real *real;
    unsigned fit[SERIES_MAX]; /* series that are long enough */
    unsigned fit_count;
    struct flat flats[FLATS_MAX];
    double parent_share, minute_s;
};

/* What has run through a home by an instant, ml; asked with rising ones for each cursor. */
static double upto(const struct real_series *s, size_t *cursor, double at_s)
{
    const struct row *a, *b;

    while (*cursor + 2 < s->count && s->at[*cursor + 1].time_s < at_s)
        ++*cursor;
    a = &s->at[*cursor];
    b = a + 1;
    if (at_s <= a->time_s)
        return (double)a->value;
    if (at_s >= b->time_s)
        return (double)b->value;
    return (double)a->value +
           (double)(b->value - a->value) * (at_s - a->time_s) / (b->time_s - a->time_s);
}

static void meter_of(struct trial *l, struct chance *c, uint32_t id, bool parent)
{
    double u = chance_unit(c);

    l->count = 0;
    l->meter = (struct meter_facts){ .id = id,
                                     .dn_mm = parent ? 40 : 15,
                                     .q3_lph = parent ? 16000 : 2500,
                                     .form = REGISTER_FORWARD,
                                     .modulus_ml = INT64_C(100000000000) };
    l->meter.resolution_ml = parent ? (u < 0.7 ? 1000 : 10000)
                                    : (u < 0.55   ? 1000
                                       : u < 0.85 ? 10000
                                                  : 100000);
}

/* Who lives there, and what is wrong. False: too little time is common to them. */
static bool draw(struct making *m, struct house *h, struct chance *c)
{
    double first_s = 0, last_s = 4e9, from_s;

    h->count = (int)chance_log_even(c, 5, FLATS_MAX + 1);
    if ((unsigned)h->count > m->fit_count)
        h->count = (int)m->fit_count;
    for (int i = 0; i < h->count; i++) {
        unsigned k = (unsigned)chance_whole(c, i, (int)m->fit_count - 1), own = m->fit[k];
        const struct real_series *s = &m->real->series[own];

        m->fit[k] = m->fit[i];
        m->fit[i] = own;
        m->flats[i] = (struct flat){ .series = s, .share = chance_even(c, 0.97, 1.02) };
        first_s = fmax(first_s, s->at[0].time_s);
        last_s = fmin(last_s, s->at[s->count - 1].time_s);
        meter_of(&h->flats[i], c, (uint32_t)i + 2, false);
    }
    meter_of(&h->parent, c, 1, true);
    m->parent_share = chance_even(c, 0.98, 1.01);
    m->minute_s = chance_even(c, 0, 3600);
    h->pipe_lph = chance_happens(c, 0.5) ? chance_log_even(c, 0.5, 15) : 0;
    h->flat = chance_whole(c, 0, h->count - 1);
    h->other = (h->flat + chance_whole(c, 1, h->count - 1)) % h->count;
    h->size = chance_even(c, 0.15, 0.9);
    from_s = (double)zone_day_next(&m->real->zone, (int64_t)first_s);
    h->parent.from_day = zone_day_number(&m->real->zone, (int64_t)from_s + 3600);
    h->parent.from_s = from_s;
    h->parent.to_s = last_s;
    h->onset_s = from_s + chance_even(c, 0.3, 0.65) * (last_s - from_s);
    return last_s - from_s >= DAYS_LEAST * DAY_S;
}

static enum err push(struct trial *l, double at_s, double ml)
{
    struct trial_row row = { .channel = (uint8_t)meter_billed_channel(&l->meter),
                             .arrival_s = (uint32_t)at_s,
                             .row = { .time_s = (uint32_t)at_s,
                                      .value = wheel_shows(&l->meter, ml),
                                      .attr = SOURCE_REMOTE } };

    return trial_push(l, &row);
}

/* All of them, hour by hour. */
static enum err read_parent(struct making *m, struct house *h)
{
    struct trial *p = &h->parent;
    enum err err = ERR_OK;

    p->count = 0;
    for (double at_s = p->from_s + m->minute_s; at_s < p->to_s && !err; at_s += 3600) {
        double ml = h->pipe_lph * (at_s - p->from_s) / 3.6;

        for (int i = 0; i < h->count; i++)
            ml += upto(m->flats[i].series, &m->flats[i].own, at_s);
        err = push(p, at_s, ml * m->parent_share);
    }
    return err;
}

static enum err read_flat(struct making *m, struct house *h, int i)
{
    const struct flat *f = &m->flats[i];
    const struct real_series *own = f->series, *use = own;
    struct trial *l = &h->flats[i];
    bool slow = h->fault == HOUSE_SLOW && i == h->flat, swaps = h->fault == HOUSE_SWAPPED;
    size_t mine = 0, theirs = 0;
    double counted = (double)own->at[0].value, was = counted, other_was = 0, lost = 0;
    enum err err = ERR_OK;

    swaps = swaps && (i == h->flat || i == h->other);
    if (swaps)
        use = m->flats[i == h->flat ? h->other : h->flat].series;
    other_was = upto(use, &theirs, own->at[0].time_s);
    l->count = 0;
    for (size_t n = 0; n < own->count && !err; n++) {
        double at_s = own->at[n].time_s, now = upto(own, &mine, at_s);
        double other = upto(use, &theirs, at_s);
        double ml = at_s > h->onset_s && swaps ? other - other_was : now - was;

        if (slow && at_s > h->onset_s) {
            lost += ml * h->size;
            ml *= 1 - h->size;
        }
        counted += ml * f->share;
        was = now;
        other_was = other;
        if (at_s >= h->parent.from_s && at_s <= h->parent.to_s)
            err = push(l, at_s, counted);
    }
    l->lost_lpd = slow ? lost / 1000 / ((h->parent.to_s - h->onset_s) / DAY_S) : 0;
    return err;
}

static enum err read_all(struct making *m, struct house *h)
{
    enum err err;

    for (int i = 0; i < h->count; i++)
        m->flats[i].own = 0;
    err = read_parent(m, h);
    for (int i = 0; i < h->count && !err; i++)
        err = read_flat(m, h, i);
    return err;
}

static enum err one(struct making *m, struct house *h, struct chance *c, struct house_told *without,
                    struct house_record *out)
{
    enum house_fault fault = !chance_happens(c, 0.5)  ? HOUSE_SOUND
                             : chance_happens(c, 0.5) ? HOUSE_SLOW
                                                      : HOUSE_SWAPPED;
    enum err err;

    h->fault = HOUSE_SOUND;
    if ((err = read_all(m, h)) || (err = house_tell(h, without)))
        return err;
    out->too += (unsigned)without->count;
    h->fault = fault;
    if ((err = read_all(m, h)))
        return err;
    return house_weigh(h, without, &out->subjects[out->count++]);
}

enum err real_houses_run(const char *path, uint64_t seed, uint32_t count, struct house_record *out)
{
    struct real *r = (struct real *)calloc(1, sizeof *r);
    struct making *m = (struct making *)calloc(1, sizeof *m);
    struct house *h = (struct house *)calloc(1, sizeof *h);
    struct house_told *without = (struct house_told *)calloc(1, sizeof *without);
    enum err err = ERR_NO_MEMORY;

    out->subjects = (struct house_subject *)calloc(count ? count : 1, sizeof *out->subjects);
    if (r && m && h && without && out->subjects)
        err = real_load(path, r);
    for (size_t i = 0; !err && i < r->count; i++)
        if (r->series[i].count >= ROWS_LEAST)
            m->fit[m->fit_count++] = (unsigned)i;
    if (!err)
        m->real = r;
    for (uint32_t n = 0; n < count && !err && m->fit_count >= 5; n++) {
        struct chance c = chance_of(seed, n * STREAM, PART_REAL_HOUSE);

        if (draw(m, h, &c))
            err = one(m, h, &c, without, out);
    }
    if (h)
        house_done(h);
    if (r)
        real_unload(r);
    free(without);
    free(h);
    free(m);
    free(r);
    return err;
}
