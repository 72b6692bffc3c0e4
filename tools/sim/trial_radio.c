/* What comes of a life's flow: readings, dial reads, and what the meter says of itself.
 *
 * Read hourly at a minute of its own by a clock that is off by ± 40 ppm; 0.4 % of readings are missing; a day's report fails with 1.5 %,
 * in spells of up to 9 days for 4 % of meters.  Seven meters of ten keep 30 days for the next report, the others 5. A reader types the whole
 * m³ of the dial every 30 days where the transmitter has left it. Battery: 3.6 V ± 15 mV, up to 60 mV less in the middle of winter.
 *
 * What a sound meter says of itself is not clean: a report takes 5 s in the mean, one in fifty up to an hour; one in a thousand bears a bit
 * that means nothing (magnet, tamper, dry, battery low, clock lost); of one meter in two hundred a contact is loose, and one report in sixty
 * says tamper. The frequencies are ours. */
#include "tools/sim/trial.h"

#include "proto/frame.h"

#include <stdlib.h>

#define DAY_S 86400.0
#define HOUR_S 3600.0
#define TYPED_EVERY_D 30
#define PART_RADIO 3
#define PART_SAID 6

struct radio {
    struct chance c, said; /* said: of what is noise in that */
    bool poor, loose;
    uint32_t keeps_d;
    double spell_until_s, report_s; /* report_s: its second of the day */
    double deaf_s, deaf_end_s;
    double forward_ml, back_ml; /* until reading n */
    uint32_t n, first_kept;
};

static bool gets_through(struct radio *r, double at_s)
{
    if (at_s < r->spell_until_s || (at_s >= r->deaf_s && at_s < r->deaf_end_s))
        return false;
    if (r->poor && chance_happens(&r->c, 0.05)) {
        r->spell_until_s = at_s + chance_whole(&r->c, 1, 9) * DAY_S;
        return false;
    }
    return !chance_happens(&r->c, 0.015);
}

static enum err push_reading(struct trial *l, const struct radio *r, double arrival_s)
{
    const struct meter_facts *m = &l->meter;
    bool falls =
        l->fault.kind != FAULT_OUT_OF_STEP &&
        (m->form == REGISTER_NET || (m->form == REGISTER_FORWARD && l->works != WORKS_STATIC));
    double at_s = l->course.from_s + (r->n + 1) * l->course.step_s;
    double shown_ml = l->start_ml + r->forward_ml - (falls ? r->back_ml : 0);
    struct trial_row row = { .channel = (uint8_t)meter_billed_channel(m),
                             .arrival_s = (uint32_t)arrival_s,
                             .row = { .value = wheel_shows(m, shown_ml),
                                      .time_s = (uint32_t)(at_s + fault_clock_s(&l->fault, at_s)),
                                      .attr = SOURCE_REMOTE } };
    enum err err = trial_push(l, &row);

    if (err || m->form != REGISTER_BOTH)
        return err;
    row.channel = CHANNEL_REVERSE;
    row.row.value = wheel_shows(m, r->back_ml);
    return trial_push(l, &row);
}

/* The dial has what the transmitter missed. */
static enum err push_dial(struct trial *l, const struct radio *r, double at_s)
{
    int64_t dial = wheel_shows(&l->meter, l->start_ml + r->forward_ml + r->back_ml);
    struct trial_row row = { .channel = (uint8_t)meter_billed_channel(&l->meter),
                             .arrival_s = (uint32_t)at_s,
                             .row = { .value = dial / 1000000 * 1000000,
                                      .time_s = (uint32_t)at_s,
                                      .attr = SOURCE_MANUAL } };

    return trial_push(l, &row);
}

static void noise(struct radio *r, double at_s, struct trial_vital *v)
{
    static const uint32_t bits[] = { STATUS_MAGNET, STATUS_TAMPER, STATUS_DRY, STATUS_BATTERY_LOW,
                                     STATUS_CLOCK_LOST };
    double winter =
        cos((at_s / DAY_S - 15) * 6.283185307 / 365.25); /* 1 in the middle of January */

    v->offset_s -= (int32_t)chance_exponential(&r->said, 5);
    if (chance_happens(&r->said, 0.02))
        v->offset_s -= (int32_t)chance_even(&r->said, 10, 3600);
    if (winter > 0)
        v->battery_mv = (uint16_t)(v->battery_mv - 60 * winter);
    if (chance_happens(&r->said, 0.001))
        v->status |= bits[chance_whole(&r->said, 0, 4)];
    if (r->loose && chance_happens(&r->said, 1.0 / 60))
        v->status |= STATUS_TAMPER;
}

static enum err push_vital(struct trial *l, struct radio *r, double at_s)
{
    const struct fault *f = &l->fault;
    struct trial_vital v = { .arrival_s = (uint32_t)at_s,
                             .offset_s = (int32_t)fault_clock_s(f, at_s),
                             .battery_mv =
                                 (uint16_t)(fault_battery_mv(f, at_s) + 15 * chance_bell(&r->c)) };

    if (f->kind == FAULT_TAMPER && fault_is_on(f, at_s))
        v.status |= STATUS_MAGNET;
    noise(r, at_s, &v);
    if (l->vital_count == l->vital_cap) {
        size_t cap = l->vital_cap ? l->vital_cap * 2 : 512;
        struct trial_vital *at = (struct trial_vital *)realloc(l->vitals, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        l->vitals = at;
        l->vital_cap = cap;
    }
    l->vitals[l->vital_count++] = v;
    return ERR_OK;
}

/* The readings of a day arrive with the first report that gets through, if the meter keeps them until then. */
static enum err report(struct trial *l, struct radio *r, double day_end_s)
{
    double at_s = day_end_s + r->report_s;
    uint32_t end = (uint32_t)((day_end_s - l->course.from_s) / l->course.step_s);
    enum err err = ERR_OK;

    if (end > l->course.count)
        end = l->course.count;
    if (end > r->keeps_d * 24 && r->first_kept < end - r->keeps_d * 24)
        r->first_kept = end - r->keeps_d * 24;
    if (!gets_through(r, at_s))
        return ERR_OK;
    for (; r->n < end && !err; r->n++) {
        r->forward_ml += (double)l->course.forward_ml[r->n];
        r->back_ml += (double)l->course.back_ml[r->n];
        if (r->n >= r->first_kept && !chance_happens(&r->c, 0.004))
            err = push_reading(l, r, at_s);
    }
    return err ? err : push_vital(l, r, at_s);
}

enum err trial_readings(struct trial *l, const struct trial_options *o)
{
    struct radio r = { .c = chance_of(o->seed, l->n, PART_RADIO), .deaf_s = l->mishap_s };
    enum fault_kind kind = l->fault.kind;
    enum err err = ERR_OK;

    r.poor = chance_happens(&r.c, 0.04);
    r.said = chance_of(o->seed, l->n, PART_SAID);
    r.said.state = chance_draw(&r.said); /* no neighbour's stream, moved by some draws */
    r.loose = chance_happens(&r.said, 0.005);
    r.keeps_d = chance_happens(&r.c, 0.7) ? 30 : 5;
    r.report_s = chance_even(&r.c, 0, 6) * HOUR_S;
    r.deaf_end_s = r.deaf_s;
    if (l->mishaps & 1u << MISHAP_DEAF)
        r.deaf_end_s += chance_even(&r.c, 7, 40) * DAY_S;
    for (uint32_t d = 0; d < o->days && !err; d++) {
        double day_end_s = l->from_s + (d + 1) * DAY_S;

        if ((kind == FAULT_SILENT && day_end_s > l->fault.onset_s) ||
            (kind == FAULT_BATTERY && day_end_s > l->fault.end_s))
            break;
        err = report(l, &r, day_end_s);
        if (!err && kind == FAULT_OUT_OF_STEP && d % TYPED_EVERY_D == TYPED_EVERY_D - 1)
            err = push_dial(l, &r, l->course.from_s + (r.n + 0.2) * l->course.step_s);
    }
    return err;
}
