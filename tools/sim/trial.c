/* How a life is put together.
 *
 * Places: families 69 %, second homes 4, vacant flats 3, several flats behind one meter 4, shops 7, restaurants 2, offices 3, schools
 * 1, hotels 1, what runs by nature 4, works 2 %.  Meters: by the place's size; a third static (R250), the others mechanical, half of
 * them R160, half R80, up to 8 years old; registers forward 45 %, net 30, both 25.  A pulse of DN15 to 25 is 1 L (55 %), 10 L (30) or
 * 100 L (15); DN32 to 50 1, 10 or 100 L alike; above 10 or 100 L.
 */
#include "tools/sim/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400.0
#define HOUR_S 3600.0
#define TRIES_MOST 1000

enum {
    PART_PLACE = 1,
    PART_FAULT,
    PART_MISHAP = 4,
    PART_BEFALL,
    PART_DAYS = 1000
}; /* 3: trial_radio.c */

/* ---- the place and its meter ---- */

static enum way way_of(struct chance *c)
{
    static const uint8_t percent[WAYS] = { 69, 4, 3, 4, 7, 2, 3, 1, 1, 4, 2 };
    int u = chance_whole(c, 0, 99), way = 0;

    while (u >= percent[way])
        u -= percent[way++];
    return (enum way)way;
}

static int size_of(struct chance *c, const struct enduse *u)
{
    switch (u->way) {
    case WAY_FLATS:
        return u->flat_count <= 4 ? 2 : u->flat_count <= 12 ? 3 : u->flat_count <= 24 ? 4 : 5;
    case WAY_SHOP:
    case WAY_COOLING:
        return chance_whole(c, 1, 2);
    case WAY_RESTAURANT:
        return chance_whole(c, 2, 3);
    case WAY_OFFICE:
        return u->people > 60 ? 4 : 2;
    case WAY_SCHOOL:
    case WAY_HOTEL:
        return u->people > 60 ? 6 : 5;
    case WAY_WORKS:
        return u->base_lph > 1500 ? 6 : 4;
    default:
        return chance_happens(c, 0.2);
    }
}

static enum use_class class_of(enum way way)
{
    switch (way) {
    case WAY_SHOP:
    case WAY_RESTAURANT:
    case WAY_HOTEL:
    case WAY_COOLING:
        return USE_COMMERCIAL;
    case WAY_OFFICE:
    case WAY_SCHOOL:
        return USE_PUBLIC;
    case WAY_WORKS:
        return USE_INDUSTRIAL;
    default:
        return USE_RESIDENTIAL;
    }
}

void trial_meter(struct trial *l, struct chance *c, int size)
{
    static const struct {
        int16_t dn;
        int32_t q3_lph;
    } sizes[] = { { 15, 2500 },  { 20, 4000 },  { 25, 6300 },    { 32, 10000 },  { 40, 16000 },
                  { 50, 25000 }, { 80, 63000 }, { 100, 100000 }, { 150, 250000 } };
    struct meter_facts *m = &l->meter;
    double u = chance_unit(c), years = chance_even(c, 0, 8);

    size = size < 0 ? 0 : size > 8 ? 8 : size;
    *m = (struct meter_facts){ .id = l->n + 1,
                               .dn_mm = sizes[size].dn,
                               .q3_lph = sizes[size].q3_lph };
    snprintf(m->serial, sizeof m->serial, "%08u", (unsigned)(l->n + 1) % 100000000);
    m->form = u < 0.45 ? REGISTER_FORWARD : u < 0.75 ? REGISTER_NET : REGISTER_BOTH;
    u = chance_unit(c);
    l->works = u < 1.0 / 3 ? WORKS_STATIC : u < 2.0 / 3 ? WORKS_FINE : WORKS_PLAIN;
    if (m->form == REGISTER_BOTH)
        l->works = WORKS_STATIC;
    u = chance_unit(c);
    if (m->dn_mm <= 25)
        m->resolution_ml = u < 0.55 ? 1000 : u < 0.85 ? 10000 : 100000;
    else if (m->dn_mm <= 50)
        m->resolution_ml = u < 1.0 / 3 ? 1000 : u < 2.0 / 3 ? 10000 : 100000;
    else
        m->resolution_ml = u < 0.5 ? 10000 : 100000;
    m->modulus_ml = m->q3_lph <= 6300    ? INT64_C(10000000000)
                    : m->q3_lph <= 63000 ? INT64_C(100000000000)
                                         : INT64_C(1000000000000);
    curve_make(&l->curve, c, l->works, (double)m->q3_lph, l->works == WORKS_STATIC ? 0 : years);
    l->start_ml = floor(chance_even(c, 1, 900)) * 1e6 + floor(chance_even(c, 0, 1e6));
}

static void place_make(struct trial *l, const struct trial_options *o, struct chance *c)
{
    l->from_day = o->from_day + (o->homes ? 0 : chance_whole(c, 0, 364));
    l->from_s = (double)l->from_day * DAY_S - zone_offset(o->zone, l->from_day * 86400);
    l->to_s = l->from_s + o->days * DAY_S;
    enduse_make(&l->use, c, o->homes ? WAY_FAMILY : way_of(c), l->from_day, (int)o->days);
    if (o->homes) { /* in a flat */
        l->use.home.water_every = 0;
        l->use.home.waters_by_hand = false;
        l->use.home.pool_day = 0;
    }
    l->point = (struct point_facts){ .id = l->n + 1, .use = class_of(l->use.way) };
    snprintf(l->point.point, sizeof l->point.point, "P%07u", (unsigned)l->n + 1);
    trial_meter(l, c, size_of(c, &l->use));
    l->fittings[0] = (struct fitting){ .meter = l->meter.id,
                                       .point = l->point.id,
                                       .from_s = (int64_t)l->from_s,
                                       .to_s = FITTING_OPEN };
    l->fitting_count = 1;
}

/* ---- its fault ---- */

/* A fault that nothing could show is none to be judged by: an unused meter that stands still, a wheel that shows no direction. */
static bool can_have(const struct trial *l, enum fault_kind kind)
{
    enum way way = l->use.way;
    bool used = way != WAY_VACANT && way != WAY_SECOND_HOME, small = l->meter.dn_mm <= 25;

    if (kind == FAULT_REVERSED)
        return used && (l->meter.form != REGISTER_FORWARD || l->works != WORKS_STATIC);
    if (kind == FAULT_BACKFLOW)
        return l->meter.form != REGISTER_FORWARD;
    if (kind == FAULT_SELFTURN)
        return l->meter.form == REGISTER_BOTH || l->works == WORKS_STATIC;
    if (kind == FAULT_SLOW_EROSION)
        return used && small && l->works != WORKS_STATIC;
    if (fault_is_leak(kind))
        return way != WAY_WORKS &&
               (kind != FAULT_LEAK_2_5 || (small && l->works == WORKS_STATIC)) &&
               (kind != FAULT_LEAK_5_20 || (small && l->curve.start_lph < 5));
    if (kind == FAULT_OUT_OF_STEP)
        return used && l->meter.form == REGISTER_FORWARD;
    if (kind == FAULT_OVERSIZE)
        return used && small;
    if (kind == FAULT_UNDERSIZE)
        return way == WAY_FLATS || way == WAY_HOTEL || way == WAY_SCHOOL || way == WAY_WORKS ||
               way == WAY_RESTAURANT;
    return used || kind == FAULT_SILENT || kind == FAULT_CLOCK || kind == FAULT_BATTERY;
}

static int weight_of(const struct trial_options *o, int kind)
{
    return !o->kinds || o->kinds >> kind & 1 ? fault_about[kind].weight : 0;
}

static enum fault_kind kind_of(const struct trial_options *o, struct chance *c)
{
    int all = 0, u, kind = 0;

    for (int k = 0; k < FAULTS; k++)
        all += weight_of(o, k);
    u = chance_whole(c, 0, all - 1);
    while (u >= weight_of(o, kind))
        u -= weight_of(o, kind++);
    return (enum fault_kind)kind;
}

/* The fault is drawn first, then places until one can have it: so none is rare. */
static void place_and_fault(struct trial *l, const struct trial_options *o)
{
    struct chance place = chance_of(o->seed, l->n, PART_PLACE),
                  c = chance_of(o->seed, l->n, PART_FAULT);
    enum fault_kind kind = chance_happens(&c, o->faulty) ? kind_of(o, &c) : FAULT_NONE;

    l->tries = 0;
    do
        place_make(l, o, &place);
    while (++l->tries < TRIES_MOST && kind != FAULT_NONE && !can_have(l, kind));
    if (l->tries == TRIES_MOST)
        kind = FAULT_NONE;
    if (kind == FAULT_OVERSIZE || kind == FAULT_UNDERSIZE)
        trial_meter(l, &c, size_of(&c, &l->use) + (kind == FAULT_OVERSIZE ? 3 : -2));
    fault_make(&l->fault, &c, kind, l->from_s, l->to_s, (double)l->meter.q3_lph);
}

/* ---- flow ---- */

struct living {
    struct trial *l;
    double used_ml, would_ml, lost_ml, leaked_ml, leak_seen_ml;
    bool leaks;         /* what is being drawn is the fault's own water */
    struct curve curve; /* as it is today */
};

static void flow(struct living *v, double at_s, double seconds, double lph)
{
    struct trial *l = v->l;
    double sound = curve_share(&l->curve, lph) * lph * seconds / 3.6, ml = sound;
    bool during = at_s >= l->fault.onset_s && at_s < l->fault.end_s;

    if (l->fault.kind == FAULT_SLOW_EROSION)
        ml = curve_share(&v->curve, lph) * lph * seconds / 3.6;
    else if (l->fault.kind != FAULT_NONE)
        ml *= fault_share(&l->fault, at_s);
    if (v->leaks) {
        v->leaked_ml += lph * seconds / 3.6;
        v->leak_seen_ml += sound;
    } else {
        v->used_ml += sound;
        if (during)
            v->would_ml += sound;
        if (during && l->fault.kind != FAULT_NONE)
            v->lost_ml += sound - ml;
    }
    if (l->above) /* with what all flats draw at once, little stays below its starting flow */
        course_add(&l->above->course, l->above->course.forward_ml, at_s, seconds,
                   curve_share(&l->above->curve, lph + l->above->used_lpd / 24) * lph * seconds /
                       3.6);
    if (l->other && at_s >= l->other_s) {
        course_add(&l->other->course, l->other->course.forward_ml, at_s, seconds,
                   curve_share(&l->other->curve, lph) * lph * seconds / 3.6);
        return;
    }
    if (l->fault.kind == FAULT_OUT_OF_STEP) /* what the dial has and the transmitter has not */
        course_add(&l->course, l->course.back_ml, at_s, seconds, sound - ml);
    if (!fault_turns_back(&l->fault, at_s)) {
        course_add(&l->course, l->course.forward_ml, at_s, seconds, ml);
        return;
    }
    v->lost_ml += v->leaks ? 0 : sound;
    course_add(&l->course, l->course.back_ml, at_s, seconds, ml);
}

/* Long draws in pieces, for what a fault does changes meanwhile. */
static void take(void *arg, double at_s, double seconds, double lph)
{
    struct living *v = (struct living *)arg;

    for (; seconds > HOUR_S; at_s += HOUR_S, seconds -= HOUR_S)
        flow(v, at_s, HOUR_S, lph);
    flow(v, at_s, seconds, lph);
}

/* Water that flows back, and to and fro. */
static void back_day(struct trial *l, struct chance *c, double midnight_s)
{
    const struct fault *f = &l->fault;
    double to_s = midnight_s + DAY_S;

    if (f->kind == FAULT_BACKFLOW && f->onset_s >= midnight_s && f->onset_s < to_s)
        course_add(&l->course, l->course.back_ml, f->onset_s, f->extra, f->size * 1000);
    for (int h = 0; f->kind == FAULT_SELFTURN && h < 24; h++) {
        double at_s = midnight_s + h * HOUR_S, ml = f->size * 1000 * chance_even(c, 0.5, 1.5);

        if ((h < 7 || h >= 22) && fault_is_on(f, at_s)) {
            course_add(&l->course, l->course.forward_ml, at_s, HOUR_S, ml);
            course_add(&l->course, l->course.back_ml, at_s, HOUR_S, ml);
        }
    }
}

static void tell_truth(struct trial *l, const struct living *v)
{
    double all_d = (l->to_s - l->from_s) / DAY_S, d = (l->fault.end_s - l->fault.onset_s) / DAY_S;

    l->used_lpd = v->used_ml / 1000 / all_d;
    l->would_lpd = d > 0 ? v->would_ml / 1000 / d : 0;
    l->lost_lpd = d > 0 ? (v->lost_ml + v->leaked_ml) / 1000 / d : 0;
    l->seen_share = v->leaked_ml > 0 ? v->leak_seen_ml / v->leaked_ml : 1;
}

void trial_days(const struct trial_options *o, struct trial *l)
{
    struct living v = { .l = l };

    for (uint32_t d = 0; d < o->days; d++) {
        double midnight_s = l->from_s + d * DAY_S;
        struct chance c = chance_of(o->seed, l->n, PART_DAYS + d);

        if ((l->mishaps & 1u << MISHAP_MOVED) && midnight_s <= l->mishap_s &&
            l->mishap_s < midnight_s + DAY_S)
            home_make(&l->use.home, &c, l->from_day + d, (int)(o->days - d));
        v.curve = l->curve;
        fault_curve(&l->fault, midnight_s, &v.curve);
        v.leaks = false;
        enduse_day(&l->use, &c, l->from_day + d, midnight_s, take, &v);
        v.leaks = true;
        fault_day(&l->fault, &c, midnight_s, take, &v);
        back_day(l, &c, midnight_s);
    }
    tell_truth(l, &v);
}

enum err trial_begin(const struct trial_options *o, uint32_t n, struct trial *l)
{
    struct chance c = chance_of(o->seed, n, PART_MISHAP);
    double step_s = HOUR_S * (1 + chance_even(&c, -40e-6, 40e-6));
    double minute_s = chance_even(&c, 0, HOUR_S - 60);

    l->n = n;
    l->count = l->vital_count = 0;
    l->mishaps = 0;
    l->above = l->other = NULL;
    place_and_fault(l, o);
    mishaps_draw(l, o, &c);
    return course_begin(&l->course, l->from_s + minute_s, step_s, o->days * 24 - 1);
}

enum err trial_end(const struct trial_options *o, struct trial *l)
{
    struct chance c = chance_of(o->seed, l->n, PART_BEFALL);
    enum err err;

    if ((err = trial_readings(l, o)) || (err = mishaps_befall(l, &c)))
        return err;
    trial_tidy(l);
    return ERR_OK;
}

enum err trial_live(const struct trial_options *o, uint32_t n, struct trial *l)
{
    enum err err = trial_begin(o, n, l);

    if (err)
        return err;
    trial_days(o, l);
    return trial_end(o, l);
}

void trial_done(struct trial *l)
{
    course_done(&l->course);
    free(l->rows);
    free(l->vitals);
    l->rows = NULL;
    l->vitals = NULL;
    l->count = l->cap = l->vital_count = l->vital_cap = 0;
}
