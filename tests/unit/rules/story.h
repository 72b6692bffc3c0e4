/* A meter's life in a few lines, for tests of detectors: who lives there, what runs, what the meter
 * makes of it. */
#ifndef NILO_TESTS_STORY_H
#define NILO_TESTS_STORY_H

#include "proto/base/wr.h"
#include "server/detect/detect.h"
#include "tests/check.h"

#define HOUR 3600u
#define DAY 86400u
#define START 1767196800u /* 2026-01-01T00:00:00+08:00: a Thursday's midnight in Shanghai */
#define STORY_SAID_MAX 64
#define STORY_KINDS_MAX 32

struct story {
    struct meter_facts meter;
    struct point_facts point;
    struct fitting fitting;
    struct zone zone;
    struct holidays holidays; /* none unless a test wants some */
    struct judge_place place;
    struct detect_state state;
    uint32_t now_s, step_s; /* a reading each step */
    int64_t true_ml;        /* what has flowed */
    int64_t back_ml;        /* what has flowed back */
    int64_t dial_ml;        /* added to what the register shows: a shift */
    const uint8_t *hours;   /* litres in each hour of a lived day */
    struct verdict stands[STORY_KINDS_MAX]; /* of each kind, by its place in the table */
    size_t said;
    struct {
        const struct detector *kind;
        struct verdict verdict;
    } say[STORY_SAID_MAX];
};

/* 298 litres a day; nobody up from 23 to 6. */
static const uint8_t family_hours[24] = { 0,  0,  0, 0, 0, 0,  30, 45, 20, 5,  0,  8,
                                          20, 10, 0, 0, 5, 20, 45, 40, 25, 15, 10, 0 };
/* A shop: nothing on the hours it is closed. */
static const uint8_t shop_hours[24] = { 0,  0,  0,  0,  0,  0,  0,  0,  20, 30, 30, 40,
                                        60, 40, 30, 30, 30, 40, 30, 20, 0,  0,  0,  0 };

/* The last thing said of a kind; NULL: nothing. */
static inline const struct verdict *story_last(const struct story *s, const struct detector *d)
{
    for (size_t i = s->said; i-- > 0;)
        if (s->say[i].kind == d)
            return &s->say[i].verdict;
    return NULL;
}

static inline void story_hear(void *arg, const struct detector *d, const struct verdict *v)
{
    struct story *s = (struct story *)arg;
    struct verdict now;
    size_t kind = 0;

    while (detector_at(kind) != d)
        kind++;
    assert_true(kind < STORY_KINDS_MAX);
    assert_true(v->raised_s || s->stands[kind].open);
    verdict_take(&s->stands[kind], v);
    now = s->stands[kind];
    assert_true(now.onset_s <= now.raised_s);
    assert_true(now.open || now.cleared_s >= now.raised_s);
    assert_true(now.lost_low_mlpd <= now.lost_mlpd && now.lost_mlpd <= now.lost_high_mlpd);
    assert_true(now.confidence_pct > 0 && now.confidence_pct <= 100);
    assert_true(s->said < STORY_SAID_MAX);
    s->say[s->said].kind = d;
    s->say[s->said++].verdict = now;
}

static inline void story_begin(struct story *s)
{
    memset(s, 0, sizeof *s);
    s->meter = (struct meter_facts){ .id = 1,
                                     .serial = "M1",
                                     .dn_mm = 15,
                                     .q3_lph = 2500,
                                     .resolution_ml = 1000,
                                     .modulus_ml = 10000000000,
                                     .form = REGISTER_FORWARD };
    s->point = (struct point_facts){ .id = 1, .point = "P1", .use = USE_RESIDENTIAL };
    s->fitting = (struct fitting){ .meter = 1, .point = 1, .from_s = START, .to_s = FITTING_OPEN };
    zone_fixed(&s->zone, "CST", 8 * 3600);
    s->place = (struct judge_place){ .meter = &s->meter,
                                     .point = &s->point,
                                     .fitting = &s->fitting,
                                     .zone = &s->zone,
                                     .holidays = &s->holidays };
    s->now_s = START;
    s->step_s = HOUR;
    s->true_ml = 123456000;
    s->hours = family_hours;
}

static inline void story_row(struct story *s, enum channel c, int64_t value, uint32_t attr)
{
    struct judge_reading r = { .channel = c,
                               .row = { .value = value, .time_s = s->now_s, .attr = attr } };

    detect_feed(&s->state, &s->place, &r, story_hear, s);
}

static inline int64_t story_shown(const struct story *s, int64_t ml)
{
    int64_t res = s->meter.resolution_ml, whole = (ml + s->dial_ml) / res * res;

    return whole % s->meter.modulus_ml;
}

/* What the meter sends now. */
static inline void story_read(struct story *s)
{
    if (s->meter.form == REGISTER_NET) {
        story_row(s, CHANNEL_NET, story_shown(s, s->true_ml - s->back_ml), 0);
        return;
    }
    story_row(s, CHANNEL_FORWARD, story_shown(s, s->true_ml), 0);
    if (s->meter.form == REGISTER_BOTH)
        story_row(s, CHANNEL_REVERSE, s->back_ml / s->meter.resolution_ml * s->meter.resolution_ml,
                  0);
}

/* Time passes; what is lived and `lph` besides flow through the meter (or back through it).
 * `silent`: nothing is sent. */
static inline void story_pass(struct story *s, uint32_t seconds, bool lived, double lph, bool back,
                              bool silent)
{
    for (uint32_t end = s->now_s + seconds; s->now_s < end;) {
        uint32_t span = s->step_s < end - s->now_s ? s->step_s : end - s->now_s;

        for (uint32_t t = 0; t < span; t += 300) { /* five minutes at a time */
            unsigned hour = (s->now_s + t + 8 * HOUR) / HOUR % 24;
            double l = (lived ? s->hours[hour] : 0) / 12.0 + lph / 12;

            *(back ? &s->back_ml : &s->true_ml) += (int64_t)(l * 1000);
        }
        s->now_s += span;
        if (!silent)
            story_read(s);
    }
}

static inline void story_live(struct story *s, unsigned days)
{
    story_pass(s, days * DAY, true, 0, false, false);
}

static inline void story_leak(struct story *s, unsigned hours, double lph)
{
    story_pass(s, hours * HOUR, true, lph, false, false);
}

static inline void story_still(struct story *s, unsigned hours)
{
    story_pass(s, hours * HOUR, false, 0, false, false);
}

static inline void story_silence(struct story *s, unsigned hours, bool lived)
{
    story_pass(s, hours * HOUR, lived, 0, false, true);
}

/* The register runs back as fast as people live. */
static inline void story_backwards(struct story *s, unsigned days)
{
    story_pass(s, days * DAY, true, 0, true, false);
}

/* ---- what was said ---- */

static inline bool story_is_open(const struct story *s, const struct detector *d)
{
    const struct verdict *v = story_last(s, d);

    return v && v->open;
}

/* How many episodes of a kind there were. */
static inline unsigned story_episodes(const struct story *s, const struct detector *d)
{
    unsigned count = 0;
    bool open = false;

    for (size_t i = 0; i < s->said; i++) {
        if (s->say[i].kind != d)
            continue;
        count += s->say[i].verdict.open && !open;
        open = s->say[i].verdict.open;
    }
    return count;
}

#define assert_quiet(s) assert_int_equal((s)->said, 0)

#endif
