/* Time zones.  A zone is a line of stretches, each with one offset; zone_span finds the one that
 * holds an instant, and all else is a walk over stretches, so that repeated and missing hours need
 * no cases of their own. */
#include "proto/base/day.h"

#include <stdio.h>

#include "proto/base/rd.h"

#define DAY_S 86400
#define HOUR_S 3600

/* RFC 8536 §3.2: offsets lie between −25 h and +26 h. */
#define OFFSET_LEAST_S (-25 * HOUR_S + 1)
#define OFFSET_MOST_S (26 * HOUR_S - 1)

#define HEADER_SIZE 44 /* RFC 8536 §3.1 */

/* ---- reading a TZif file -------------------------------------------------------------------- */

struct counts {
    uint32_t ut, standard, leap, time, type, character;
    uint8_t version;
};

static struct counts counts_read(struct rd *r)
{
    static const uint8_t magic[4] = { 'T', 'Z', 'i', 'f' };
    struct counts c = { 0 };

    if (!span_equal(rd_bytes(r, 4), span_of(magic, 4)))
        rd_fail(r, ERR_MALFORMED);
    c.version = rd_u8(r);
    rd_bytes(r, 15);
    c.ut = rd_be32(r);
    c.standard = rd_be32(r);
    c.leap = rd_be32(r);
    c.time = rd_be32(r);
    c.type = rd_be32(r);
    c.character = rd_be32(r);
    return c;
}

/* The first block has the same facts in 32 bits, for old readers. */
static void old_block_skip(struct rd *r, const struct counts *c)
{
    uint64_t len = (uint64_t)c->time * 5 + (uint64_t)c->type * 6 + c->character +
                   (uint64_t)c->leap * 8 + c->standard + c->ut;

    if (len > rd_left(r))
        rd_fail(r, ERR_TRUNCATED);
    else
        rd_bytes(r, (size_t)len);
}

static void steps_read(struct zone *z, struct rd *r, const struct counts *c)
{
    struct span times = rd_bytes(r, (size_t)c->time * 8);
    struct span kinds = rd_bytes(r, c->time);
    struct span types = rd_bytes(r, (size_t)c->type * 6);
    struct rd time = rd_of(times);
    int32_t offsets[256] = { 0 };

    if (r->err)
        return;
    for (uint32_t i = 0; i < c->type; i++) {
        struct rd type = rd_of(span_of(types.at + (size_t)i * 6, 6));

        offsets[i] = (int32_t)rd_be32(&type);
        if (offsets[i] < OFFSET_LEAST_S || offsets[i] > OFFSET_MOST_S)
            rd_fail(r, ERR_MALFORMED);
    }
    z->first_offset_s = offsets[0];
    z->count = c->time;
    for (uint32_t i = 0; i < c->time && !r->err; i++) {
        int64_t from_s = (int64_t)rd_be64(&time);

        if (kinds.at[i] >= c->type || (i > 0 && from_s <= z->steps[i - 1].from_s))
            rd_fail(r, ERR_MALFORMED);
        else
            z->steps[i] = (struct zone_step){ from_s, offsets[kinds.at[i]] };
    }
}

/* ---- the footer: POSIX TZ, "CET-1CEST,M3.5.0,M10.5.0/3" ------------------------------------- */

static uint8_t peek(const struct rd *r)
{
    return r->at < r->end ? *r->at : 0;
}

static bool take(struct rd *r, char c)
{
    if (r->err || peek(r) != (uint8_t)c)
        return false;
    r->at++;
    return true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static uint32_t footer_number(struct rd *r, uint32_t least, uint32_t most)
{
    uint32_t v = 0;

    if (!is_digit(peek(r)))
        rd_fail(r, ERR_MALFORMED);
    while (!r->err && is_digit(peek(r)) && v <= most)
        v = v * 10 + (uint32_t)(*r->at++ - '0');
    if (v < least || v > most)
        rd_fail(r, ERR_MALFORMED);
    return v;
}

static void footer_name(struct rd *r)
{
    bool quoted = take(r, '<');
    size_t len = 0;

    for (;
         is_letter(peek(r)) || (quoted && (is_digit(peek(r)) || peek(r) == '+' || peek(r) == '-'));
         len++)
        r->at++;
    if (len < 3 || (quoted && !take(r, '>')))
        rd_fail(r, ERR_MALFORMED);
}

/* [+-]hh[:mm[:ss]] */
static int32_t footer_time(struct rd *r, uint32_t hours_most)
{
    bool negative = take(r, '-');
    int32_t s;

    if (!negative)
        take(r, '+');
    s = (int32_t)footer_number(r, 0, hours_most) * HOUR_S;
    if (take(r, ':'))
        s += (int32_t)footer_number(r, 0, 59) * 60;
    if (take(r, ':'))
        s += (int32_t)footer_number(r, 0, 59);
    return negative ? -s : s;
}

static struct zone_turn footer_turn(struct rd *r)
{
    struct zone_turn turn = { .at_s = 2 * HOUR_S };

    if (!take(r, ','))
        rd_fail(r, ERR_MALFORMED);
    if (take(r, 'M')) {
        turn.month = (uint8_t)footer_number(r, 1, 12);
        if (!take(r, '.'))
            rd_fail(r, ERR_MALFORMED);
        turn.week = (uint8_t)footer_number(r, 1, 5);
        if (!take(r, '.'))
            rd_fail(r, ERR_MALFORMED);
        turn.weekday = (uint8_t)footer_number(r, 0, 6);
    } else if (take(r, 'J')) {
        turn.form = 1;
        turn.day = (uint16_t)footer_number(r, 1, 365);
    } else {
        turn.form = 2;
        turn.day = (uint16_t)footer_number(r, 0, 365);
    }
    if (take(r, '/'))
        turn.at_s = footer_time(r, 167); /* RFC 8536 §3.3.1: version 3 has −167 to 167 hours */
    return turn;
}

static struct zone_rule footer_rule(struct rd *r)
{
    struct zone_rule rule = { 0 };

    footer_name(r);
    rule.standard_s = -footer_time(r, 24); /* POSIX counts westward */
    rule.summer_s = rule.standard_s;
    if (r->err || rd_left(r) == 0)
        return rule;
    footer_name(r);
    rule.summer_s = peek(r) == ',' ? rule.standard_s + HOUR_S : -footer_time(r, 24);
    rule.begin = footer_turn(r);
    rule.end = footer_turn(r);
    if (rd_left(r) != 0)
        rd_fail(r, ERR_MALFORMED);
    return rule;
}

static struct zone_rule last_offset_for_ever(const struct zone *z)
{
    int32_t offset_s = z->count ? z->steps[z->count - 1].offset_s : z->first_offset_s;

    return (struct zone_rule){ .standard_s = offset_s, .summer_s = offset_s };
}

static void footer_read(struct zone *z, struct rd *r)
{
    const uint8_t *end;
    struct rd footer;

    if (rd_u8(r) != '\n')
        rd_fail(r, ERR_MALFORMED);
    if (r->err)
        return;
    end = memchr(r->at, '\n', rd_left(r));
    if (!end) {
        rd_fail(r, ERR_TRUNCATED);
        return;
    }
    footer = rd_of(span_of(r->at, (size_t)(end - r->at)));
    z->rule = rd_left(&footer) ? footer_rule(&footer) : last_offset_for_ever(z);
    if (footer.err)
        rd_fail(r, ERR_MALFORMED);
}

enum err zone_read(struct zone *z, const char *name, struct span tzif)
{
    struct rd r = rd_of(tzif);
    struct counts c = counts_read(&r);

    if (!r.err && c.version < '2')
        rd_fail(&r, ERR_MALFORMED); /* version 1 has neither 64-bit times nor a footer */
    old_block_skip(&r, &c);
    c = counts_read(&r);
    if (!r.err && c.time > ZONE_STEPS_MAX)
        rd_fail(&r, ERR_TOO_LARGE);
    /* A file that counts leap seconds ("right/…") has other instants than the rest of the world. */
    if (!r.err && (c.type == 0 || c.type > 256 || c.leap != 0))
        rd_fail(&r, ERR_MALFORMED);
    if (r.err)
        return r.err;
    snprintf(z->name, sizeof(z->name), "%s", name);
    z->summer = SUMMER_NORTH;
    steps_read(z, &r, &c);
    if ((uint64_t)c.character + c.standard + c.ut > rd_left(&r))
        rd_fail(&r, ERR_TRUNCATED);
    rd_bytes(&r, r.err ? 0 : (size_t)c.character + c.standard + c.ut);
    footer_read(z, &r);
    return r.err;
}

void zone_fixed(struct zone *z, const char *name, int32_t offset_s)
{
    snprintf(z->name, sizeof(z->name), "%s", name);
    z->summer = SUMMER_NORTH;
    z->count = 0;
    z->first_offset_s = offset_s;
    z->rule = last_offset_for_ever(z);
}

/* ---- stretches ------------------------------------------------------------------------------ */

/* from_s ≤ t < to_s: one offset. */
struct stretch {
    int64_t from_s, to_s;
    int32_t offset_s;
};

static int64_t turn_day(const struct zone_turn *turn, int32_t year)
{
    int64_t first, day;

    if (turn->form == 2)
        return day_number(year, 1, 1) + turn->day;
    if (turn->form == 1) /* February 29 is never counted */
        return day_number(year, 1, 1) + turn->day - 1 +
               (turn->day >= 60 && day_month_length(year, 2) == 29);
    first = day_number(year, turn->month, 1);
    day = (turn->weekday + 13 - (int64_t)day_of_week(first)) % 7 + 7 * (turn->week - 1l);
    return first + (day < day_month_length(year, turn->month) ? day : day - 7);
}

static void stretch_turn(struct stretch *s, int64_t t, int64_t turn_s, int32_t offset_s)
{
    if (turn_s <= t && turn_s >= s->from_s) {
        s->from_s = turn_s;
        s->offset_s = offset_s;
    } else if (turn_s > t && turn_s < s->to_s) {
        s->to_s = turn_s;
    }
}

/* The stretch around `t` by the rule alone.  Of an end and a beginning at the same instant the
 * beginning counts: so a zone writes summer time all year round. */
static struct stretch rule_stretch(const struct zone_rule *rule, int64_t t)
{
    struct stretch s = { INT64_MIN, INT64_MAX, rule->standard_s };
    int32_t year;

    if (rule->standard_s == rule->summer_s)
        return s;
    year = day_civil(t).year;
    for (int32_t y = year - 1; y <= year + 1; y++) {
        int64_t end_s = turn_day(&rule->end, y) * DAY_S + rule->end.at_s - rule->summer_s;

        stretch_turn(&s, t, end_s, rule->standard_s);
    }
    for (int32_t y = year - 1; y <= year + 1; y++) {
        int64_t begin_s = turn_day(&rule->begin, y) * DAY_S + rule->begin.at_s - rule->standard_s;

        stretch_turn(&s, t, begin_s, rule->summer_s);
    }
    return s;
}

/* How many steps begin at or before `t`. */
static uint32_t steps_before(const struct zone *z, int64_t t)
{
    uint32_t low = 0, high = z->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (z->steps[middle].from_s <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct stretch zone_stretch(const struct zone *z, int64_t t)
{
    uint32_t n = steps_before(z, t);
    struct stretch s;

    if (n < z->count)
        return (struct stretch){ n ? z->steps[n - 1].from_s : INT64_MIN, z->steps[n].from_s,
                                 n ? z->steps[n - 1].offset_s : z->first_offset_s };
    s = rule_stretch(&z->rule, t);
    if (z->count && s.from_s < z->steps[z->count - 1].from_s)
        s.from_s = z->steps[z->count - 1].from_s;
    return s;
}

int32_t zone_offset(const struct zone *z, int64_t utc_s)
{
    return zone_stretch(z, utc_s).offset_s;
}

struct civil zone_civil(const struct zone *z, int64_t utc_s)
{
    return day_civil(utc_s + zone_offset(z, utc_s));
}

enum err zone_utc(const struct zone *z, struct civil c, int64_t *out_utc_s)
{
    int64_t local_s = day_utc(c);
    struct stretch s = zone_stretch(z, local_s - OFFSET_MOST_S - 1);

    /* A stretch either shows the time, or ends before it, or begins after it: then the clock was
     * set past it, and only a later stretch that sets the clock back can show it yet. */
    while (local_s - s.offset_s < s.from_s || local_s - s.offset_s >= s.to_s) {
        if (s.to_s > local_s - OFFSET_LEAST_S)
            return ERR_NOT_FOUND;
        s = zone_stretch(z, s.to_s);
    }
    *out_utc_s = local_s - s.offset_s;
    return ERR_OK;
}

/* ---- civil days, hours and months ----------------------------------------------------------- */

/* The first instant at which the clock shows the midnight of `day` or anything later. */
static int64_t day_first(const struct zone *z, int64_t day)
{
    int64_t local_s = day * DAY_S;
    struct stretch s = zone_stretch(z, local_s - OFFSET_MOST_S - 1);

    while (local_s - s.offset_s >= s.to_s)
        s = zone_stretch(z, s.to_s);
    return local_s - s.offset_s > s.from_s ? local_s - s.offset_s : s.from_s;
}

/* The latest day that has begun.  Where the clock went back over midnight it shows the day before
 * once more; that hour belongs to the day that had begun already, so that days stay whole stretches
 * and follow one another. */
struct civil_day {
    int64_t number, first_s, next_s;
};

/* A day far from any change of the clock is 24 hours from its midnight: nearly all are. */
static bool day_is_plain(const struct zone *z, int64_t utc_s, struct civil_day *out)
{
    struct stretch s = zone_stretch(z, utc_s);
    int64_t local_s = utc_s + s.offset_s;

    out->number = local_s / DAY_S - (local_s % DAY_S < 0);
    out->first_s = out->number * DAY_S - s.offset_s;
    out->next_s = out->first_s + DAY_S;
    return (s.from_s == INT64_MIN || out->first_s - 3 * DAY_S >= s.from_s) &&
           out->next_s <= s.to_s - 3 * DAY_S;
}

static struct civil_day day_of(const struct zone *z, int64_t utc_s)
{
    struct civil_day d;

    if (day_is_plain(z, utc_s, &d))
        return d;
    while (day_first(z, d.number + 1) <= utc_s)
        d.number++;
    d.first_s = day_first(z, d.number);
    d.next_s = day_first(z, d.number + 1);
    return d;
}

int64_t zone_day_number(const struct zone *z, int64_t utc_s)
{
    return day_of(z, utc_s).number;
}

int64_t zone_day(const struct zone *z, int64_t utc_s, int64_t *out_start_s, int64_t *out_next_s)
{
    struct civil_day d = day_of(z, utc_s);

    *out_start_s = d.first_s;
    *out_next_s = d.next_s;
    return d.number;
}

int64_t zone_day_start(const struct zone *z, int64_t utc_s)
{
    return day_of(z, utc_s).first_s;
}

int64_t zone_day_next(const struct zone *z, int64_t utc_s)
{
    return day_of(z, utc_s).next_s;
}

static int64_t hour_number(int64_t local_s)
{
    return local_s / HOUR_S - (local_s % HOUR_S < 0);
}

int64_t zone_hour_next(const struct zone *z, int64_t utc_s)
{
    struct stretch s = zone_stretch(z, utc_s);
    int64_t hour = hour_number(utc_s + s.offset_s);

    /* A change of offset ends the hour, unless the clock shows the same hour after it. */
    while ((hour + 1) * HOUR_S - s.offset_s > s.to_s) {
        int64_t turn_s = s.to_s;

        s = zone_stretch(z, turn_s);
        if (hour_number(turn_s + s.offset_s) != hour)
            return turn_s;
    }
    return (hour + 1) * HOUR_S - s.offset_s;
}

int64_t zone_month_start(const struct zone *z, int64_t utc_s)
{
    struct civil c = day_civil(zone_day_number(z, utc_s) * DAY_S);

    return day_first(z, day_number(c.year, c.month, 1));
}

int64_t zone_month_next(const struct zone *z, int64_t utc_s)
{
    struct civil c = day_civil(zone_day_number(z, utc_s) * DAY_S);

    return day_first(z, c.month == 12 ? day_number(c.year + 1, 1, 1)
                                      : day_number(c.year, c.month + 1u, 1));
}
