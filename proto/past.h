/* What a meter said of itself over time: vitals hold the newest alone, and a flag must know when a bit came and went, how the battery
 * fell, how the clock ran.  A machine of bounded size that takes one report after the other, in the order of arrival; kept beside the
 * vitals, of which it is made.  Pure.
 *
 *     report → vitals_take → past_take → spans → judge_vitals.c: flags; judge_pauses.c: no use is expected
 *
 * A span of a kind:
 *     tamper    reports with one of PAST_TAMPER_BITS; told with the third that comes within 7 days of the one before (a loose contact says so now
 *               and then); over after 14 days of reports without any
 *     clock     the least of the last four offsets, which must be of one sign, is beyond 120 s (handbook §4.3; its median of seven takes four late
 *               reports of seven for a slow clock), or two reports say that the clock was lost; over when
 *               the median of the last seven has been within 60 s for two days
 *     battery   the meter says that it is low; or its level is within a tenth of the full one of the end, or will be at the end within
 *               120 days as it falls; told with the second sample that says so; over after 7 days that do not
 * What was never told is forgotten when it is over. Of a kind PAST_SPANS are kept: with that many the last one comes back instead of another
 * one, so that nothing that was told is forgotten.
 *
 * The limits above are the loosest that anybody may set (server/detect/rules.def). What stricter ones ask is kept as steps, each an instant that stays what it is once it is known:
 *     tamper    of the first 12 reports that showed it, the arrival of each
 *     clock     of the limits 2 to 15 minutes, when the least of the last four offsets was first beyond each
 *     battery   of ends within 1, 2, 3 and 4 times 30 days, when that was seen for the first and the second time; a low battery, and one near its end, is within all
 *
 * Battery: a sample every two days, twelve of them. Level: the mean of the newest three; full: the highest level ever; the end: 0.7 of it
 * (2.5 V of 3.6); the fall: from the mean of the oldest three to the level. */
#ifndef NILO_PROTO_PAST_H
#define NILO_PROTO_PAST_H

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "proto/facts.h"

#define PAST_TAMPER_BITS ((uint32_t)(STATUS_MAGNET | STATUS_TAMPER | STATUS_DRY))
#define PAST_CLOCK_WARN_S 120
#define PAST_CLOCK_RIGHT_S 60

#define PAST_STEPS 14
#define PAST_TAMPER_STEPS 12
#define PAST_CLOCK_LEAST_MIN 2
#define PAST_BATTERY_MONTHS 4

enum past_kind { PAST_TAMPER, PAST_CLOCK, PAST_BATTERY, PAST_KINDS };

struct past_span {
    uint32_t from_s;   /* arrival of the first report that showed it; of a clock when it began to run off, of a battery when it began to fall, as far as that can be told */
    uint32_t raised_s; /* of the report that made it enough to tell; 0: not yet */
    uint32_t seen_s;   /* of the newest report that showed it */
    uint32_t quiet_s;  /* of the first report behind that one which did not; 0: none */
    bool ended;        /* at quiet_s */
    uint32_t bits;     /* enum frame_status, all that were seen in it */
    uint32_t reports;  /* that showed it */
    int32_t value;     /* the newest: clock: seconds ahead; battery: level, mV */
    int32_t worst;     /* clock: furthest from right, seconds; battery: lowest, mV */
    int32_t rate;      /* clock: thousandths of a second a day that it runs off, 0: it jumped; battery: thousandths of a mV a day, below 0: falls */
    uint32_t until_s;  /* battery: when it will be at its end; 0: not to be told */
    bool stepped;      /* false: its beginning is from a time when no steps were kept */
    uint32_t step_s[PAST_STEPS]; /* as above; 0: not reached */
};

/* When a span of a kind would have been enough to tell by a limit that is stricter than raised_s; 0: it is not. By the standing one it is raised_s, and so it is where no steps were kept.
 *   tamper  reports, 3 to 12      clock  minutes, 2 to 15 (or it was lost)      battery  times 30 days, 4 to 1 */
uint32_t past_raised(enum past_kind k, const struct past_span *s, int64_t limit);

#define PAST_SPANS 8
#define PAST_SHUTS 16
#define PAST_SAMPLES 12

struct past {
    struct past_span spans[PAST_KINDS][PAST_SPANS]; /* oldest first; at most the last one of a kind has not ended */
    uint8_t count[PAST_KINDS];
    uint8_t shut_count;
    struct past_shut {
        uint32_t from_s, to_s; /* the valve was closed: from the last report before to the first one after; to_s 0: it is */
    } shut[PAST_SHUTS];        /* beyond, the two oldest become one */
    uint8_t sample_count;
    struct past_sample {
        uint16_t day, mv; /* days since 1970 */
    } samples[PAST_SAMPLES]; /* newest first */
    uint16_t full_mv;        /* 0: not known */
};

struct past_change {
    bool any;  /* it is another than before */
    bool shut; /* and when the valve was closed, too */
};
/* `was`, `now`: the meter's vitals before and after the report. One that vitals did not take changes nothing. Sums up in *change. */
void past_take(struct past *p, const struct vitals *was, const struct vitals *now, struct past_change *change);

/* Level and end in mV, and the fall in thousandths of a mV a day, from the samples; false: too few. */
struct past_battery {
    int32_t level_mv, end_mv, rate;
    uint32_t until_s; /* when the level will be at the end as it falls; 0: it does not */
};
bool past_battery(const struct past *p, struct past_battery *out);

/* Bytes: u8 version 2 · varint full mV · u8 samples: varint day, varint mV each · u8 shuts: varint from, varint to each · for each kind u8 spans, and of each
 *   varint from, raised, seen, quiet · u8 ended · varint bits, reports · zigzag value, worst, rate · varint until · u8 steps, 0: stepped is false, else
 *   one more than follow · varint each. Version 1 had no steps. */
#define PAST_BYTES_MAX 4096
void past_encode(const struct past *p, struct wr *w);
MUST_CHECK enum err past_decode(struct span bytes, struct past *out); /* CORRUPT */

#endif
