#include "proto/past.h"

#include <stdlib.h>

#define DAY_S 86400u
#define VERSION 2
#define VERSION_STEPLESS 1

#define TAMPER_REPORTS 3
#define TAMPER_DOUBT_S (7 * DAY_S) /* before it was told */
#define TAMPER_HOLD_S (14 * DAY_S)
#define LOST_REPORTS 2 /* that say so; the median needs no other */
#define CLOCK_OFFSETS 4
#define CLOCK_HOLD_S (2 * DAY_S)
#define BATTERY_REPORTS 2
#define BATTERY_HOLD_S (7 * DAY_S)
#define SAMPLE_DAYS 2
#define LEVEL_OF 3
#define SAMPLES_LEAST (2 * LEVEL_OF)
#define MONTH_DAYS 30
#define FORECAST_DAYS (PAST_BATTERY_MONTHS * MONTH_DAYS)
#define FALLEN_MV 120   /* seasons move a cell by less */
#define RATE_LEAST 2000 /* thousandths of a mV a day: likewise */

static const uint32_t hold_s[PAST_KINDS] = { TAMPER_HOLD_S, CLOCK_HOLD_S, BATTERY_HOLD_S };
static const uint32_t doubt_s[PAST_KINDS] = { TAMPER_DOUBT_S, CLOCK_HOLD_S, BATTERY_HOLD_S };
static const uint32_t reports_least[PAST_KINDS] = { TAMPER_REPORTS, LOST_REPORTS, BATTERY_REPORTS };

static const int64_t standing_limit[PAST_KINDS] = { TAMPER_REPORTS, PAST_CLOCK_LEAST_MIN,
                                                    PAST_BATTERY_MONTHS };

/* ---- spans ---- */

static struct past_span *open_span(struct past *p, enum past_kind k)
{
    struct past_span *last = p->count[k] ? &p->spans[k][p->count[k] - 1] : NULL;

    return last && !last->ended ? last : NULL;
}

/* Another one; where there is no room, the last one comes back. */
static struct past_span *new_span(struct past *p, enum past_kind k, uint32_t from_s)
{
    struct past_span *s;

    if (p->count[k] == PAST_SPANS) {
        s = &p->spans[k][PAST_SPANS - 1];
        s->ended = false;
        return s;
    }
    s = &p->spans[k][p->count[k]++];
    *s = (struct past_span){ .from_s = from_s, .stepped = true };
    return s;
}

/* A report at now_s shows it. */
static struct past_span *show(struct past *p, enum past_kind k, uint32_t now_s, uint32_t bits)
{
    struct past_span *s = open_span(p, k);

    if (!s)
        s = new_span(p, k, now_s);
    s->seen_s = now_s;
    s->quiet_s = 0;
    s->bits |= bits;
    s->reports++;
    if (!s->raised_s && s->reports >= reports_least[k])
        s->raised_s = now_s;
    return s;
}

static void step(struct past_span *s, unsigned n, uint32_t now_s)
{
    if (n < PAST_STEPS && !s->step_s[n])
        s->step_s[n] = now_s;
}

uint32_t past_raised(enum past_kind k, const struct past_span *s, int64_t limit)
{
    int64_t n = 0;

    if (!s->raised_s || !s->stepped)
        return s->raised_s;
    switch (k) {
    case PAST_TAMPER:
        n = limit - 1;
        break;
    case PAST_CLOCK:
        n = limit - PAST_CLOCK_LEAST_MIN;
        break;
    default:
        n = 2 * (PAST_BATTERY_MONTHS - limit) + 1;
        break;
    }
    if (n < 0 || n >= PAST_STEPS || limit == standing_limit[k])
        return s->raised_s;
    if (k == PAST_CLOCK && s->bits & STATUS_CLOCK_LOST) /* that needs no minutes */
        return s->raised_s;
    return s->step_s[n];
}

/* A report at now_s does not. */
static bool hide(struct past *p, enum past_kind k, uint32_t now_s)
{
    struct past_span *s = open_span(p, k);

    if (!s)
        return false;
    if (s->quiet_s && now_s - s->quiet_s < (s->raised_s ? hold_s[k] : doubt_s[k]))
        return false;
    if (!s->quiet_s) {
        s->quiet_s = now_s;
        return true;
    }
    s->ended = true;
    if (!s->raised_s)
        p->count[k]--;
    return true;
}

/* ---- the valve ---- */

static bool take_valve(struct past *p, const struct vitals *was, const struct vitals *now)
{
    struct past_shut *last = p->shut_count ? &p->shut[p->shut_count - 1] : NULL;
    bool is_shut = last && last->to_s == 0, says = now->status & STATUS_VALVE_CLOSED;

    if (is_shut == says)
        return false;
    if (is_shut) {
        last->to_s = now->arrival_s;
        return true;
    }
    if (p->shut_count == PAST_SHUTS) {
        p->shut[0].to_s = p->shut[1].to_s;
        memmove(&p->shut[1], &p->shut[2], (PAST_SHUTS - 2) * sizeof p->shut[0]);
        p->shut_count--;
    }
    p->shut[p->shut_count++] =
        (struct past_shut){ .from_s = was->position ? was->arrival_s : now->arrival_s };
    return true;
}

/* ---- the clock ---- */

/* When the offset of place n (0: the newest) was told. */
static uint32_t offset_at_s(const struct vitals *v, unsigned n)
{
    uint32_t at_s = v->arrival_s;

    for (unsigned i = 0; i < n && i < v->pause_count; i++)
        at_s -= v->pause_min[i] * 60u < at_s ? v->pause_min[i] * 60u : at_s;
    return at_s;
}

/* Since when it is off, and how fast it runs off: of one that jumped the first report that says so, of another where the line through
 * its offsets began. */
static void clock_began(const struct vitals *v, struct past_span *s)
{
    unsigned last = v->offset_count - 1u, jump = 0,
             known = last < v->pause_count ? last : v->pause_count;
    int64_t newest = v->offset_s[0], most = 0;
    double days, rate;

    for (unsigned i = 0; i < last; i++) {
        int64_t step = llabs((int64_t)v->offset_s[i] - v->offset_s[i + 1]);

        if (step > most) {
            most = step;
            jump = i;
        }
    }
    s->rate = 0;
    if (10 * most > 6 * llabs(newest)) {
        s->from_s = offset_at_s(v, jump);
        return;
    }
    s->from_s = offset_at_s(v, known);
    days = (double)(v->arrival_s - s->from_s) / DAY_S;
    rate = days > 0 ? (double)(newest - v->offset_s[known]) / days : 0; /* seconds a day */
    if (rate * (double)newest <= 0 || (double)llabs(newest) / (rate < 0 ? -rate : rate) > 400)
        return; /* it was off before all that is known */
    s->rate = (int32_t)(rate < -2e6 ? -2e9 : rate > 2e6 ? 2e9 : rate * 1000);
    days = (double)newest / rate;
    s->from_s = v->arrival_s > days * DAY_S ? v->arrival_s - (uint32_t)(days * DAY_S) : 0;
}

/* What the newest offsets agree upon: the least of them, 0 where they do not. A report that took long looks like a slow clock, but not
 * one after the other by the same. */
static int32_t agreed_offset(const struct vitals *v)
{
    int64_t least = v->offset_s[0];

    if (v->offset_count < CLOCK_OFFSETS)
        return 0;
    for (unsigned i = 1; i < CLOCK_OFFSETS; i++) {
        int64_t offset = v->offset_s[i];

        if ((offset < 0) != (least < 0))
            return 0;
        if (llabs(offset) < llabs(least))
            least = offset;
    }
    return (int32_t)least;
}

static bool take_clock(struct past *p, const struct vitals *now)
{
    struct past_span *open = open_span(p, PAST_CLOCK), *s;
    int32_t agreed_s = agreed_offset(now), offset_s = agreed_s;
    bool lost = now->status & STATUS_CLOCK_LOST;
    bool wrong = llabs((int64_t)agreed_s) > PAST_CLOCK_WARN_S;

    if (open &&
        vitals_offset(now,
                      &offset_s)) /* one that is wrong stays so until most say that it is right */
        wrong = wrong || llabs((int64_t)offset_s) > PAST_CLOCK_RIGHT_S;
    if (!lost && !wrong)
        return hide(p, PAST_CLOCK, now->arrival_s);
    s = show(p, PAST_CLOCK, now->arrival_s, now->status & STATUS_CLOCK_LOST);
    if (!open && wrong && s->reports == 1)
        clock_began(now, s);
    if (wrong && !s->raised_s)
        s->raised_s = now->arrival_s;
    for (unsigned n = 0; n < PAST_STEPS; n++)
        if (llabs((int64_t)agreed_s) > (n + PAST_CLOCK_LEAST_MIN) * INT64_C(60))
            step(s, n, now->arrival_s);
    s->value = offset_s;
    if (llabs((int64_t)offset_s) > llabs((int64_t)s->worst))
        s->worst = offset_s;
    return true;
}

/* ---- the battery ---- */

static int32_t mean(const struct past_sample *s, double *out_day)
{
    int32_t mv = 0;
    double day = 0;

    for (unsigned i = 0; i < LEVEL_OF; i++) {
        mv += s[i].mv;
        day += s[i].day;
    }
    *out_day = day / LEVEL_OF;
    return (mv + LEVEL_OF / 2) / LEVEL_OF;
}

bool past_battery(const struct past *p, struct past_battery *out)
{
    double newest, oldest, days;
    int32_t level, before;

    if (p->sample_count < LEVEL_OF)
        return false;
    level = mean(p->samples, &newest);
    *out = (struct past_battery){ .level_mv = level, .end_mv = p->full_mv * 7 / 10 };
    if (p->sample_count < SAMPLES_LEAST)
        return true;
    before = mean(p->samples + p->sample_count - LEVEL_OF, &oldest);
    days = newest - oldest;
    out->rate = days > 0 ? (int32_t)((level - before) * 1000 / days) : 0;
    if (out->rate <= -RATE_LEAST) {
        double left = level > out->end_mv ? (level - out->end_mv) * 1000.0 / -out->rate : 0;

        out->until_s = (uint32_t)((p->samples[0].day + (left < 20000 ? left : 20000)) * DAY_S);
    }
    return true;
}

static bool is_near_end(const struct past *p, const struct past_battery *b)
{
    return b->level_mv <= b->end_mv + p->full_mv / 10;
}

static bool ends_within(const struct past *p, const struct past_battery *b, unsigned days)
{
    return b->until_s && p->full_mv - b->level_mv >= FALLEN_MV &&
           b->until_s < (p->samples[0].day + days) * DAY_S;
}

static bool is_running_out(const struct past *p, const struct past_battery *b)
{
    return is_near_end(p, b) || ends_within(p, b, FORECAST_DAYS);
}

static bool sample(struct past *p, const struct vitals *now)
{
    uint16_t day = (uint16_t)(now->arrival_s / DAY_S);
    double at;

    if (!now->battery_mv || now->battery_mv > UINT16_MAX ||
        (p->sample_count && day < p->samples[0].day + SAMPLE_DAYS))
        return false;
    if (p->sample_count == PAST_SAMPLES)
        p->sample_count--;
    memmove(p->samples + 1, p->samples, p->sample_count * sizeof p->samples[0]);
    p->samples[0] = (struct past_sample){ .day = day, .mv = (uint16_t)now->battery_mv };
    p->sample_count++;
    if (p->sample_count >= LEVEL_OF) {
        int32_t level = mean(p->samples, &at);

        if (level > p->full_mv)
            p->full_mv = (uint16_t)level;
    }
    return true;
}

/* Where the line of its fall was at the full level. */
static uint32_t fall_began_s(const struct past *p, const struct past_battery *b, uint32_t now_s)
{
    double days;

    if (b->rate > -RATE_LEAST || b->level_mv >= p->full_mv)
        return now_s;
    days = (p->full_mv - b->level_mv) * 1000.0 / -b->rate;
    return days * DAY_S < now_s ? now_s - (uint32_t)(days * DAY_S) : 0;
}

static bool take_battery(struct past *p, const struct vitals *now)
{
    bool low = now->status & STATUS_BATTERY_LOW, sampled = sample(p, now);
    struct past_battery b = { .level_mv = (int32_t)now->battery_mv };
    bool known = past_battery(p, &b), runs_out = known && is_running_out(p, &b);
    struct past_span *s;

    if (!low && !(sampled && runs_out))
        return (!runs_out && hide(p, PAST_BATTERY, now->arrival_s)) || sampled;
    s = show(p, PAST_BATTERY, now->arrival_s, now->status & STATUS_BATTERY_LOW);
    for (unsigned n = 0; n < PAST_BATTERY_MONTHS; n++)
        if (low || (known && (is_near_end(p, &b) ||
                              ends_within(p, &b, (PAST_BATTERY_MONTHS - n) * MONTH_DAYS))))
            step(s, 2 * n + (s->step_s[2 * n] != 0), now->arrival_s);
    if (s->reports == 1)
        s->from_s = fall_began_s(p, &b, now->arrival_s);
    s->value = b.level_mv;
    if (!s->worst || b.level_mv < s->worst)
        s->worst = b.level_mv;
    s->rate = b.rate;
    s->until_s = b.until_s;
    return true;
}

/* ---- a report ---- */

static bool take_tamper(struct past *p, const struct vitals *now)
{
    uint32_t bits = now->status & PAST_TAMPER_BITS;
    struct past_span *s;

    if (!bits)
        return hide(p, PAST_TAMPER, now->arrival_s);
    s = show(p, PAST_TAMPER, now->arrival_s, bits);
    if (s->reports <= PAST_TAMPER_STEPS)
        step(s, s->reports - 1, now->arrival_s);
    return true;
}

void past_take(struct past *p, const struct vitals *was, const struct vitals *now,
               struct past_change *change)
{
    bool shut, tamper, clock, battery;

    if (now->position == was->position)
        return;
    shut = take_valve(p, was, now);
    tamper = take_tamper(p, now);
    clock = take_clock(p, now);
    battery = take_battery(p, now);
    change->shut = change->shut || shut;
    change->any = change->any || shut || tamper || clock || battery;
}

/* ---- bytes ---- */

static void steps_encode(const struct past_span *s, struct wr *w)
{
    uint8_t count = PAST_STEPS;

    while (count && !s->step_s[count - 1])
        count--;
    if (!s->stepped) {
        wr_u8(w, 0);
        return;
    }
    wr_u8(w, (uint8_t)(count + 1));
    for (unsigned i = 0; i < count; i++)
        wr_varint(w, s->step_s[i]);
}

static void span_encode(const struct past_span *s, struct wr *w)
{
    wr_varint(w, s->from_s);
    wr_varint(w, s->raised_s);
    wr_varint(w, s->seen_s);
    wr_varint(w, s->quiet_s);
    wr_u8(w, s->ended);
    wr_varint(w, s->bits);
    wr_varint(w, s->reports);
    wr_zigzag(w, s->value);
    wr_zigzag(w, s->worst);
    wr_zigzag(w, s->rate);
    wr_varint(w, s->until_s);
    steps_encode(s, w);
}

void past_encode(const struct past *p, struct wr *w)
{
    wr_u8(w, VERSION);
    wr_varint(w, p->full_mv);
    wr_u8(w, p->sample_count);
    for (unsigned i = 0; i < p->sample_count; i++) {
        wr_varint(w, p->samples[i].day);
        wr_varint(w, p->samples[i].mv);
    }
    wr_u8(w, p->shut_count);
    for (unsigned i = 0; i < p->shut_count; i++) {
        wr_varint(w, p->shut[i].from_s);
        wr_varint(w, p->shut[i].to_s);
    }
    for (unsigned k = 0; k < PAST_KINDS; k++) {
        wr_u8(w, p->count[k]);
        for (unsigned i = 0; i < p->count[k]; i++)
            span_encode(&p->spans[k][i], w);
    }
}

static uint8_t count_read(struct rd *r, uint8_t most)
{
    uint8_t count = rd_u8(r);

    if (count > most) {
        rd_fail(r, ERR_CORRUPT);
        return 0;
    }
    return count;
}

static void steps_decode(struct rd *r, struct past_span *s)
{
    uint8_t count = count_read(r, PAST_STEPS + 1);

    s->stepped = count > 0;
    for (unsigned i = 0; i + 1 < count; i++)
        s->step_s[i] = (uint32_t)rd_varint(r);
}

static void span_decode(struct rd *r, struct past_span *s, bool steps)
{
    s->from_s = (uint32_t)rd_varint(r);
    s->raised_s = (uint32_t)rd_varint(r);
    s->seen_s = (uint32_t)rd_varint(r);
    s->quiet_s = (uint32_t)rd_varint(r);
    s->ended = rd_u8(r);
    s->bits = (uint32_t)rd_varint(r);
    s->reports = (uint32_t)rd_varint(r);
    s->value = (int32_t)rd_zigzag(r);
    s->worst = (int32_t)rd_zigzag(r);
    s->rate = (int32_t)rd_zigzag(r);
    s->until_s = (uint32_t)rd_varint(r);
    if (steps)
        steps_decode(r, s);
}

enum err past_decode(struct span bytes, struct past *out)
{
    struct rd r = rd_of(bytes);
    struct past p = { 0 };

    uint8_t version = rd_u8(&r);

    if (version != VERSION && version != VERSION_STEPLESS)
        return ERR_CORRUPT;
    p.full_mv = (uint16_t)rd_varint(&r);
    p.sample_count = count_read(&r, PAST_SAMPLES);
    for (unsigned i = 0; i < p.sample_count; i++) {
        p.samples[i].day = (uint16_t)rd_varint(&r);
        p.samples[i].mv = (uint16_t)rd_varint(&r);
    }
    p.shut_count = count_read(&r, PAST_SHUTS);
    for (unsigned i = 0; i < p.shut_count; i++) {
        p.shut[i].from_s = (uint32_t)rd_varint(&r);
        p.shut[i].to_s = (uint32_t)rd_varint(&r);
    }
    for (unsigned k = 0; k < PAST_KINDS; k++) {
        p.count[k] = count_read(&r, PAST_SPANS);
        for (unsigned i = 0; i < p.count[k]; i++)
            span_decode(&r, &p.spans[k][i], version == VERSION);
    }
    if (r.err || rd_left(&r))
        return ERR_CORRUPT;
    *out = p;
    return ERR_OK;
}
