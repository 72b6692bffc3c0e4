#include "server/detect/profile.h"

#include "server/detect/detect_priv.h"
#include "server/detect/said.h"

#define FLOW_STATE_AT (PROFILE_STATE + STUCK_STATE + LEAK_STATE + BURST_STATE)

static const struct {
    const struct detector *detector;
    size_t state_at;
} table[] = {
    { &detector_unmoved, PROFILE_STATE }, /* until it first moves; then the bytes are stuck's */
    { &detector_stuck, PROFILE_STATE },
    { &detector_leak, PROFILE_STATE + STUCK_STATE },
    { &detector_burst, PROFILE_STATE + STUCK_STATE + LEAK_STATE },
    { &detector_backflow, FLOW_STATE_AT }, /* these three share what */
    { &detector_selfturn, FLOW_STATE_AT }, /* back.h has, and take a */
    { &detector_reversed, FLOW_STATE_AT }, /* step in this order */
    { &detector_clock, DETECTORS_STATE },
    { &detector_battery, DETECTORS_STATE },
    { &detector_tamper, DETECTORS_STATE },
    { &detector_overdue, DETECTORS_STATE },
    { &detector_out_of_step, DETECTORS_STATE },
    { &detector_swapped, DETECTORS_STATE },
    { &detector_silent, DETECTORS_STATE },
    { &detector_outage, DETECTORS_STATE },
    { &detector_slow, DETECTORS_STATE },
    { &detector_fast, DETECTORS_STATE },
    { &detector_oversize, DETECTORS_STATE },
    { &detector_undersize, DETECTORS_STATE },
};

#define TABLE_COUNT (sizeof table / sizeof table[0])

const struct detector *detector_at(size_t n)
{
    return n < TABLE_COUNT ? table[n].detector : NULL;
}

size_t detector_state_at(size_t n)
{
    return table[n].state_at;
}

const struct detector *detector_named(struct span flag)
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (span_equal(flag, span_text(table[i].detector->flag)))
            return table[i].detector;
    return NULL;
}

static uint32_t within_u32(int64_t at_s)
{
    return at_s < 0 ? 0 : at_s > UINT32_MAX ? UINT32_MAX : (uint32_t)at_s;
}

/* Moves `d` to the civil day of an instant. */
static void turn_to(struct civil_day *d, const struct zone *z, uint32_t at_s)
{
    if (at_s >= d->from_s && at_s < d->to_s)
        return;
    if (d->to_s && at_s >= d->to_s) { /* most often the day that follows */
        uint32_t next_s = within_u32(zone_day_next(z, d->to_s));

        d->from_s = d->to_s;
        d->to_s = next_s;
        d->day++;
        if (at_s < next_s)
            return;
    }
    d->day = (int32_t)zone_day_number(z, at_s);
    d->from_s = within_u32(zone_day_start(z, at_s));
    d->to_s = within_u32(zone_day_next(z, at_s));
}

/* Gives a step its civil day and hour. */
static void date(struct judge_step *step, const struct judge_place *place)
{
    struct civil_day once = { 0 }, *day = place->today ? place->today : &once;
    uint32_t middle_s = step->from_s + (step->to_s - step->from_s) / 2, hour;

    turn_to(day, place->zone, middle_s);
    hour = (middle_s - day->from_s) / HOUR_S;
    step->day = day->day;
    step->hour = (uint8_t)(hour < 24 ? hour : 23);
}

void detect_feed(struct detect_state *state, const struct judge_place *place,
                 const struct judge_reading *reading, detect_say *say, void *arg)
{
    const struct meter_facts *m = place->meter;
    bool billed = reading->channel == meter_billed_channel(m), net = m->form == REGISTER_NET;
    struct judge_place at = *place;
    struct profile *profile = (struct profile *)(void *)state->detectors;
    struct judge_step steps[2];
    struct verdict v;
    unsigned count;

    if ((reading->row.attr & ATTR_SOURCE) != SOURCE_REMOTE)
        return;
    if (billed)
        count = track_feed(&state->billed, m, net, &reading->row, steps);
    else if (reading->channel == CHANNEL_REVERSE && !net)
        count = track_feed(&state->reverse, m, false, &reading->row, steps);
    else
        return;
    at.profile = profile;
    for (unsigned i = 0; i < count; i++) {
        struct judge_step *step = &steps[i];

        step->reverse = !billed;
        date(step, place);
        at.rules = rules_on(place->book, step->day);
        for (size_t n = 0; n < TABLE_COUNT; n++)
            if (table[n].detector->judge &&
                table[n].detector->judge(state->detectors + table[n].state_at, &at, step, &v))
                say(arg, table[n].detector, &v);
        /* While a standstill is open as a flag, the customer is who he was before it. */
        if (!stuck_holds(state->detectors + PROFILE_STATE))
            profile_learn(profile, place, step);
    }
}

bool detect_has_moved(const struct detect_state *state)
{
    return profile_has_use((const struct profile *)(const void *)state->detectors);
}
