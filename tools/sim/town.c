/* The people and the meters of a town.
 *
 * Chance: splitmix64; each meter has a stream of its own for what it is, and one for each day, so
 * that a day does not depend on how many draws the day before took.  U(a,b) is even between a and
 * b, Exp(m) exponential with mean m, Poisson(m) Knuth's.
 *
 * A family of n people (1 to 5 with 20, 30, 25, 18, 7 %) draws, each day that it is at home:
 *
 *   flushes     Poisson(5 n)          U(4.5, 7) L each
 *   taps        Poisson(12 n)         Exp(2.2) L
 *   showers     Poisson(0.7 n)        25 L + Exp(20) L
 *   kitchen     Poisson(2.5)          5 L + Exp(8) L
 *   washing     Poisson(0.3 n^0.7)    U(40, 70) L
 *
 * at hours drawn from a profile over the family's waking day (rise U(5.5,8.5), bed U(21.5,24.5)):
 * twice as likely in the two hours after rising and the four before bed, a fifth as likely in
 * working hours of those who go out; at night only flushes, each person with 12 %.  A family's
 * habits scale all of it by a factor exp(N(0, 0.25)).
 *
 * Away: each day with 1.5 % for 1 to 3 days, with 0.25 % for U(3,7) days; 35 % around the lunar new
 * year for U(6,16) days, 20 % in the first week of October.  One family in 400 leaves for 10 to 40
 * days.  Vacant flats use nothing; second homes are a family's for U(2,6) days, then empty for 4 +
 * Exp(12) days.  Always on: a family and U(4,30) L/h for ever (a cooler, a fish tank, a spring).
 *
 * Shops draw Poisson(k) times 3 + Exp(6) L in their opening hours, one in three is closed on
 * Sundays; offices on both days of the weekend; works run in two or three shifts with 200 to 4 000
 * L/h, three-shift works through the week, idle at weekends.
 *
 * Meters: the dial of pulses p shows floor(true / p) p.  Faults: stuck, the dial stops; reversed,
 * forward flow turns it back (`net`) or counts on the other register (`both`); leak, a constant
 * flow that varies by ± 5 % a day.  Read hourly at a minute of the meter's own that drifts by
 * U(−2,2) s a day, or once a day.  A direct-read wheel now and then is read wrong: ± 10, 100, 1000
 * or 10 000 L for one reading.
 *
 * Radio: 0.4 % of hours never arrive; each day the report fails with 1.5 %, in spells for 4 % of
 * meters; a report that failed goes with the next that gets through if it is at most 5 days old,
 * else it is lost. */
#include "tools/sim/town.h"

#include "proto/base/limits.h"
#include "tools/sim/chance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_S 3600
#define DAY_S 86400
#define HELD_DAYS 5 /* of readings that a meter keeps until a report gets through */
#define NEVER INT64_MAX

/* ---- one place and its meter ---- */

struct place {
    struct town_meter about;
    int people;
    double habit;      /* scales all draws */
    uint8_t hours[64]; /* of the day: one of them at random is when somebody draws */
    unsigned hour_count;
    int open_from, open_to,
        closed_days; /* shops and works; closed from this day of the week on, 0 = Monday, 7 never */
    double base_lph; /* always on; works: while they run */
    int64_t away_until;               /* day number: away on the days below it */
    int64_t stay_until;               /* second homes */
    bool goes_home;                   /* around the lunar new year */
    bool travels;                     /* in October */
    double true_ml, back_ml, dial_ml; /* what flowed, flowed back; what the wheel shows (net: less
                                         what turned it back) */
    int32_t minute_s;                 /* past the hour, when it is read */
    double drift_s;                   /* a day */
    double wild;                      /* chance of a wrong reading */
    bool poor_radio;
    int64_t spell_until; /* day number: no report gets through below it */
    unsigned held;       /* readings that wait */
    struct town_reading waiting[HELD_DAYS * 24 * 2 + 64];
};

struct town {
    struct town_options options;
    int64_t from_day;
    uint32_t day; /* the next */
    struct place *places;
    uint64_t lost;
};

/* First days of lunar years, as days since 1970: 2015 to 2035. */
static int64_t new_year_near(int64_t day)
{
    static const struct {
        int16_t year;
        uint8_t month, day;
    } table[] = {
        { 2015, 2, 19 }, { 2016, 2, 8 },  { 2017, 1, 28 }, { 2018, 2, 16 }, { 2019, 2, 5 },
        { 2020, 1, 25 }, { 2021, 2, 12 }, { 2022, 2, 1 },  { 2023, 1, 22 }, { 2024, 2, 10 },
        { 2025, 1, 29 }, { 2026, 2, 17 }, { 2027, 2, 6 },  { 2028, 1, 26 }, { 2029, 2, 13 },
        { 2030, 2, 3 },  { 2031, 1, 23 }, { 2032, 2, 11 }, { 2033, 1, 31 }, { 2034, 2, 19 },
        { 2035, 2, 8 },
    };
    int64_t best = 0;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t d = day_number(table[i].year, table[i].month, table[i].day);

        if (llabs(d - day) < llabs(best - day))
            best = d;
    }
    return best;
}

static int64_t shown(const struct place *p, double ml)
{
    int64_t pulse = p->about.facts.resolution_ml, modulus = p->about.facts.modulus_ml, v;

    v = (int64_t)floor(ml / (double)pulse) * pulse % modulus;
    return v < 0 ? v + modulus : v;
}

/* ---- making a place ---- */

static void family_hours(struct chance *c, struct place *p)
{
    double rise = chance_even(c, 5.5, 8.5), bed = chance_even(c, 21.5, 24.5);
    bool out = chance_happens(c, 0.6);

    p->hour_count = 0;
    for (int h = 0; h < 24; h++) {
        double at = h + 0.5;
        int weight = at < rise || at > bed           ? 0
                     : at < rise + 2 || at > bed - 4 ? 4
                     : out && at > 8.5 && at < 17.5  ? 0
                                                     : 2;

        if (out && weight == 0 && at > rise && at < bed && h % 3 == 0)
            weight = 1;
        while (weight-- > 0 && p->hour_count < sizeof p->hours)
            p->hours[p->hour_count++] = (uint8_t)h;
    }
}

static void make_family(struct chance *c, struct place *p)
{
    double u = chance_unit(c);

    p->people = u < 0.2 ? 1 : u < 0.5 ? 2 : u < 0.75 ? 3 : u < 0.93 ? 4 : 5;
    p->habit = exp(0.25 * chance_normal(c));
    p->goes_home = chance_happens(c, 0.35);
    p->travels = chance_happens(c, 0.2);
    family_hours(c, p);
    p->about.facts.dn_mm = chance_happens(c, 0.2) ? 20 : 15;
    p->about.facts.q3_lph = p->about.facts.dn_mm == 20 ? 4000 : 2500;
    p->about.point.use = USE_RESIDENTIAL;
}

static void make_shop(struct chance *c, struct place *p, bool office)
{
    p->open_from = office ? 8 : chance_whole(c, 7, 10);
    p->open_to = office ? 18 : chance_whole(c, 19, 23);
    p->closed_days = office ? 5 : chance_happens(c, 0.33) ? 6 : 7;
    p->people = chance_whole(c, 2, office ? 60 : 12);
    p->habit = exp(0.3 * chance_normal(c));
    p->about.facts.dn_mm = office ? 25 : 20;
    p->about.facts.q3_lph = office ? 6300 : 4000;
    p->about.point.use = office ? USE_PUBLIC : USE_COMMERCIAL;
}

static void make_works(struct chance *c, struct place *p)
{
    bool three = chance_happens(c, 0.4);

    p->open_from = three ? 0 : 6;
    p->open_to = three ? 24 : 22;
    p->closed_days = chance_happens(c, 0.7) ? 5 : 6;
    p->base_lph = 200 * exp(chance_unit(c) * log(20));
    p->about.facts.dn_mm = p->base_lph > 1500 ? 80 : 40;
    p->about.facts.q3_lph = p->about.facts.dn_mm == 80 ? 63000 : 16000;
    p->about.point.use = USE_INDUSTRIAL;
}

static enum town_way way_of(struct chance *c)
{
    double u = chance_unit(c);

    return u < 0.81    ? TOWN_FAMILY
           : u < 0.84  ? TOWN_VACANT
           : u < 0.88  ? TOWN_SECOND_HOME
           : u < 0.895 ? TOWN_ALWAYS_ON
           : u < 0.965 ? TOWN_SHOP
           : u < 0.985 ? TOWN_OFFICE
                       : TOWN_WORKS;
}

static void make_use(struct chance *c, struct place *p)
{
    p->about.way = way_of(c);
    if (p->about.way == TOWN_SHOP || p->about.way == TOWN_OFFICE)
        make_shop(c, p, p->about.way == TOWN_OFFICE);
    else if (p->about.way == TOWN_WORKS)
        make_works(c, p);
    else
        make_family(c, p);
    if (p->about.way == TOWN_ALWAYS_ON)
        p->base_lph = chance_even(c, 4, 30);
}

static void make_meter(struct chance *c, struct place *p, uint32_t n)
{
    struct meter_facts *m = &p->about.facts;
    double u = chance_unit(c);

    m->id = n + 1;
    snprintf(m->serial, sizeof m->serial, "%08u",
             (unsigned)(26000000 + n * 7 % 1000003 + n / 1000003 * 1000003));
    m->form = u < 0.55 ? REGISTER_FORWARD : u < 0.8 ? REGISTER_NET : REGISTER_BOTH;
    u = chance_unit(c);
    m->resolution_ml = m->dn_mm >= 80   ? 100000
                       : m->dn_mm >= 40 ? 10000
                       : u < 0.75       ? 1000
                       : u < 0.93       ? 10000
                                        : 100000;
    m->modulus_ml = m->q3_lph <= 6300 ? 10000000000 : 100000000000;
    p->about.daily = chance_happens(c, 0.08);
    p->true_ml = floor(chance_even(c, 0, 900)) * 1e6 + floor(chance_even(c, 0, 1e6));
    p->dial_ml = p->true_ml;
    p->minute_s = p->about.daily ? chance_whole(c, 0, 3 * HOUR_S) : chance_whole(c, 0, HOUR_S - 60);
    p->drift_s = chance_even(c, -2, 2);
    p->wild = chance_happens(c, 0.04) ? 0.004 : 0;
    p->poor_radio = chance_happens(c, 0.04);
}

/* Whole draws of their own, so that a town of one dialect and a mixed one live the same days. */
static void make_voice(struct place *p, uint64_t seed, uint32_t n)
{
    struct town_meter *a = &p->about;
    struct chance c = chance_of(seed ^ 0x766f696365u, n, 0);
    double u = chance_unit(&c);

    a->voice =
        u < 0.2 && a->facts.form != REGISTER_BOTH ? VOICE_OMS
        : u >= 0.2 && u < 0.7 && a->facts.form != REGISTER_BOTH && a->facts.resolution_ml == 10000
            ? VOICE_CJT188
        : u >= 0.8 && a->facts.form == REGISTER_FORWARD ? VOICE_LORAWAN
                                                        : VOICE_NATIVE;
    if (a->voice == VOICE_OMS)
        snprintf(a->radio_id, sizeof a->radio_id, "NLM-%.8s", a->facts.serial);
    else if (a->voice == VOICE_CJT188)
        snprintf(a->radio_id, sizeof a->radio_id, "783300%.8s", a->facts.serial);
    else if (a->voice == VOICE_LORAWAN)
        snprintf(a->radio_id, sizeof a->radio_id, "70b3d5e0%.8s", a->facts.serial);
    for (size_t i = 0; i < VOICE_KEY; i++)
        a->key[i] = (uint8_t)chance_whole(&c, 0, 255);
}

static void make_address(struct chance *c, struct place *p, uint32_t n)
{
    static const char *const zh[] = { "东湖路", "西溪路",   "解放路", "人民路", "滨江大道",
                                      "文苑街", "体育场路", "凤起路", "学院路", "香樟街" };
    static const char *const en[] = { "East Lake Road", "West Brook Road", "Garden Lane",
                                      "Station Street", "Riverside Avenue" };
    int house = chance_whole(c, 1, 320), block = chance_whole(c, 1, 12),
        unit_no = chance_whole(c, 1, 3),
        flat = chance_whole(c, 1, 18) * 100 + chance_whole(c, 1, 4);

    if (chance_happens(c, 0.15))
        snprintf(p->about.address, sizeof p->about.address, "%d %s, Block %d, Flat %d", house,
                 en[chance_whole(c, 0, 4)], block, flat);
    else
        snprintf(p->about.address, sizeof p->about.address, "%s%d号%d幢%d单元%d室",
                 zh[chance_whole(c, 0, 9)], house, block, unit_no, flat);
    p->about.point.id = n + 1;
    snprintf(p->about.point.point, sizeof p->about.point.point, "P%07u", (unsigned)n + 1);
    snprintf(p->about.zone, sizeof p->about.zone, "DMA-%02u", (unsigned)(n / 250 + 1) % 10000);
    snprintf(p->about.route, sizeof p->about.route, "R%03u", (unsigned)(n / 200 + 1) % 100000);
    p->about.lon_e6 = 120150000 + (int64_t)(n / 250) * 9000 + chance_whole(c, 0, 8000);
    p->about.lat_e6 = 30280000 + (int64_t)(n / 250 % 7) * 9000 + chance_whole(c, 0, 8000);
}

/* Some day between two shares of the span, at some minute of it. */
static int64_t some_time(struct chance *c, const struct town *t, double from, double to)
{
    return t->options.from_s + (int64_t)(chance_even(c, from, to) * t->options.days * DAY_S);
}

static void strike(struct chance *c, const struct town *t, struct town_meter *a,
                   enum town_fault fault)
{
    double days = t->options.days;

    a->fault = fault;
    if (fault == TOWN_STUCK) {
        a->onset_s = some_time(c, t, 0.3, fmax(0.35, 1 - 22 / days));
    } else if (fault == TOWN_REVERSED) {
        a->onset_s = chance_happens(c, 0.5) ? t->options.from_s
                                            : some_time(c, t, 0.2, fmax(0.25, 1 - 10 / days));
    } else {
        a->size_lph = 2.5 * exp(chance_unit(c) * log(60));
        a->onset_s = some_time(c, t, 0.15, fmax(0.2, 1 - 10 / days));
        if (chance_happens(c, 0.4))
            a->end_s = a->onset_s + (int64_t)(chance_even(c, 5, 25) * DAY_S);
    }
}

static bool can_have(const struct town *t, const struct town_meter *a, enum town_fault fault)
{
    bool used = a->way == TOWN_FAMILY || a->way == TOWN_SHOP || a->way == TOWN_OFFICE;

    return used && t->options.days >= 30 &&
           (fault != TOWN_REVERSED || a->facts.form != REGISTER_FORWARD);
}

/* Stuck 2.5 %, reversed 1.5 % of those whose register shows it, leaks 4.5 %. */
static void make_fault(struct chance *c, const struct town *t, struct place *p)
{
    double u = chance_unit(c);
    enum town_fault fault = u < 0.025   ? TOWN_STUCK
                            : u < 0.04  ? TOWN_REVERSED
                            : u < 0.085 ? TOWN_LEAK
                                        : TOWN_SOUND;

    p->about.end_s = NEVER;
    if (fault != TOWN_SOUND && can_have(t, &p->about, fault))
        strike(c, t, &p->about, fault);
}

/* A town to be shown has something of each kind. */
static void leave_none_out(struct town *t)
{
    for (int fault = TOWN_STUCK; fault <= TOWN_LEAK; fault++) {
        struct town_meter *chosen = NULL;
        bool there = false;

        for (uint32_t n = 0; n < t->options.meters; n++) {
            struct town_meter *a = &t->places[n].about;

            there = there || a->fault == (enum town_fault)fault;
            if (a->fault == TOWN_SOUND && !a->daily && can_have(t, a, (enum town_fault)fault))
                chosen = chosen ? chosen : a;
        }
        if (!there && chosen) {
            struct chance c = chance_of(t->options.seed, UINT32_MAX, (uint64_t)fault);

            strike(&c, t, chosen, (enum town_fault)fault);
        }
    }
}

enum err town_new(const struct town_options *options, struct town **out)
{
    struct town *t;

    if (options->meters == 0 || options->days == 0 || options->meters > LIMIT_METERS ||
        !options->zone)
        return ERR_INVALID;
    if (!(t = (struct town *)calloc(1, sizeof *t)))
        return ERR_NO_MEMORY;
    t->options = *options;
    if (options->from_s == 0 &&
        zone_utc(options->zone, (struct civil){ .year = 2026, .month = 1, .day = 1 },
                 &t->options.from_s)) {
        free(t);
        return ERR_INVALID;
    }
    if (t->options.from_s < 0 || t->options.from_s + (int64_t)options->days * DAY_S >= UINT32_MAX) {
        free(t);
        return ERR_INVALID;
    }
    t->from_day = zone_day_number(options->zone, t->options.from_s);
    if (!(t->places = (struct place *)calloc(options->meters, sizeof *t->places))) {
        free(t);
        return ERR_NO_MEMORY;
    }
    for (uint32_t n = 0; n < options->meters; n++) {
        struct chance c = chance_of(options->seed, n, UINT32_MAX);
        struct place *p = &t->places[n];

        make_use(&c, p);
        make_meter(&c, p, n);
        make_address(&c, p, n);
        if (options->mixed)
            make_voice(p, options->seed, n);
        make_fault(&c, t, p);
        p->about.start_ml = shown(p, p->dial_ml);
    }
    leave_none_out(t);
    *out = t;
    return ERR_OK;
}

void town_free(struct town *t)
{
    if (!t)
        return;
    free(t->places);
    free(t);
}

const struct town_meter *town_meter(const struct town *t, uint32_t n)
{
    return &t->places[n].about;
}

const struct town_options *town_options_of(const struct town *t)
{
    return &t->options;
}

uint64_t town_lost(const struct town *t)
{
    return t->lost;
}

/* ---- a day's use: litres in each hour ---- */

static int some_hour(struct chance *c, const struct place *p)
{
    return p->hour_count ? p->hours[chance_draw(c) % p->hour_count] : 12;
}

static void draw_times(struct chance *c, const struct place *p, double mean, double least,
                       double more, double l[24])
{
    for (unsigned i = chance_poisson(c, mean); i > 0; i--)
        l[some_hour(c, p)] += p->habit * (least + (more > 0 ? chance_exponential(c, more) : 0));
}

static void family_day(struct chance *c, const struct place *p, double l[24])
{
    double n = p->people;

    for (unsigned i = chance_poisson(c, 5 * n); i > 0; i--)
        l[some_hour(c, p)] += chance_even(c, 4.5, 7);
    draw_times(c, p, 12 * n, 0, 2.2, l);
    draw_times(c, p, 0.7 * n, 25, 20, l);
    draw_times(c, p, 2.5, 5, 8, l);
    for (unsigned i = chance_poisson(c, 0.3 * pow(n, 0.7)); i > 0; i--)
        l[some_hour(c, p)] += chance_even(c, 40, 70);
    for (int i = 0; i < p->people; i++)
        if (chance_happens(c, 0.12))
            l[chance_whole(c, 0, 5)] += chance_even(c, 4.5, 7);
}

/* Whether the family sleeps elsewhere; draws its journeys. */
static bool is_away(struct chance *c, struct place *p, int64_t day)
{
    int64_t spring = new_year_near(day);
    struct civil civil = day_civil(day * DAY_S);

    if (day < p->away_until)
        return true;
    if (p->goes_home && day == spring - 7 + chance_whole(c, 0, 3) && chance_happens(c, 0.5))
        p->away_until = day + chance_whole(c, 6, 16);
    else if (p->travels && civil.month == 10 && civil.day == 1)
        p->away_until = day + chance_whole(c, 3, 7);
    else if (chance_happens(c, 0.015))
        p->away_until = day + chance_whole(c, 1, 3);
    else if (chance_happens(c, 0.0025))
        p->away_until = day + chance_whole(c, 3, 7);
    else if (chance_happens(c, 1 / 36000.0))
        p->away_until = day + chance_whole(c, 10, 40);
    return day < p->away_until;
}

static bool is_staying(struct chance *c, struct place *p, int64_t day)
{
    if (day >= p->away_until && day >= p->stay_until) {
        bool first = p->stay_until == 0;

        p->stay_until = day + chance_whole(c, 2, 6);
        p->away_until = p->stay_until + 4 + (int64_t)chance_exponential(c, 12);
        if (first && chance_happens(c, 0.7))
            p->stay_until = day;
    }
    return day < p->stay_until;
}

static void working_day(struct chance *c, const struct place *p, int64_t day, double l[24])
{
    bool open = (int)day_of_week(day) < p->closed_days, works = p->about.way == TOWN_WORKS;
    int64_t spring = new_year_near(day);
    double busy = day >= spring - 1 && day < spring + 6 ? (works ? 0 : 0.2) : 1;

    if (!open || busy * 1 == 0 || (busy < 1 && p->about.way == TOWN_OFFICE))
        return;
    for (int h = p->open_from; h < p->open_to; h++) {
        double mean = works ? 0 : busy * p->people * (p->about.way == TOWN_OFFICE ? 0.3 : 0.9);

        for (unsigned i = chance_poisson(c, mean); i > 0; i--)
            l[h] += p->habit * (3 + chance_exponential(c, 6));
        if (works)
            l[h] += p->base_lph * chance_even(c, 0.6, 1.4);
    }
}

static void day_of_use(struct chance *c, struct place *p, int64_t day, double l[24])
{
    memset(l, 0, 24 * sizeof *l);
    switch (p->about.way) {
    case TOWN_FAMILY:
    case TOWN_ALWAYS_ON:
        if (!is_away(c, p, day))
            family_day(c, p, l);
        break;
    case TOWN_SECOND_HOME:
        if (is_staying(c, p, day))
            family_day(c, p, l);
        break;
    case TOWN_SHOP:
    case TOWN_OFFICE:
    case TOWN_WORKS:
        working_day(c, p, day, l);
        break;
    case TOWN_VACANT:
        break;
    }
    for (int h = 0; h < 24 && p->about.way == TOWN_ALWAYS_ON; h++)
        l[h] += p->base_lph * chance_even(c, 0.9, 1.1);
}

/* ---- what the meter makes of it ---- */

/* The share of the stretch in which the fault was on. */
static double share_on(const struct town_meter *a, int64_t from_s, int64_t to_s)
{
    int64_t from = a->onset_s > from_s ? a->onset_s : from_s,
            to = a->end_s < to_s ? a->end_s : to_s;

    return a->fault == TOWN_SOUND || to <= from ? 0 : (double)(to - from) / (double)(to_s - from_s);
}

static void flow(struct place *p, double litres, double leak_lph, int64_t from_s, int64_t to_s)
{
    double on = share_on(&p->about, from_s, to_s), ml = litres * 1000;

    if (p->about.fault == TOWN_LEAK)
        ml += leak_lph * on * (double)(to_s - from_s) / HOUR_S * 1000;
    p->true_ml += ml;
    switch (p->about.fault) {
    case TOWN_STUCK:
        p->dial_ml += ml * (1 - on);
        break;
    case TOWN_REVERSED:
        p->dial_ml += ml * (1 - on) - (p->about.facts.form == REGISTER_NET ? ml * on : 0);
        p->back_ml += ml * on;
        break;
    case TOWN_SOUND:
    case TOWN_LEAK:
        p->dial_ml += ml;
    }
}

static void hold(struct town *t, struct place *p, uint32_t n, enum channel c, int64_t value,
                 int64_t at_s, uint32_t attr)
{
    if (p->held == sizeof p->waiting / sizeof p->waiting[0]) {
        memmove(p->waiting, p->waiting + 1, (p->held - 1) * sizeof *p->waiting);
        p->held--;
        t->lost++;
    }
    p->waiting[p->held++] = (struct town_reading){ n, c, { value, (uint32_t)at_s, attr } };
}

static void take_reading(struct town *t, struct chance *c, struct place *p, uint32_t n,
                         int64_t at_s)
{
    static const int64_t slips_ml[] = { 10000, 100000, 1000000, 10000000 };
    const struct meter_facts *m = &p->about.facts;
    int64_t value = shown(p, p->dial_ml);

    if (p->wild > 0 && chance_happens(c, p->wild)) {
        int64_t slip = slips_ml[chance_whole(c, 0, 3)] * (chance_happens(c, 0.5) ? 1 : -1);

        if (value + slip >= 0)
            value += slip;
    }
    if (chance_happens(c, 0.004)) {
        t->lost++;
        return;
    }
    hold(t, p, n, meter_billed_channel(m), value, at_s, SOURCE_REMOTE);
    if (m->form == REGISTER_BOTH)
        hold(t, p, n, CHANNEL_REVERSE, shown(p, p->back_ml), at_s, SOURCE_REMOTE);
}

/* The hours of a day, each cut where the meter is read. */
static void live_day(struct town *t, struct chance *c, struct place *p, uint32_t n, int64_t day,
                     int64_t from_s)
{
    double l[24], leak = p->about.size_lph * chance_even(c, 0.95, 1.05);
    int64_t minute = p->minute_s + (int64_t)(p->drift_s * (double)t->day);

    minute = (minute % HOUR_S + HOUR_S) % HOUR_S;
    day_of_use(c, p, day, l);
    for (int h = 0; h < 24; h++) {
        int64_t hour_s = from_s + (int64_t)h * HOUR_S, read_s = hour_s + minute;
        double share = (double)minute / HOUR_S;

        flow(p, l[h] * share, leak, hour_s, read_s);
        if (!p->about.daily || h == p->minute_s / HOUR_S)
            take_reading(t, c, p, n, read_s);
        flow(p, l[h] * (1 - share), leak, read_s, hour_s + HOUR_S);
    }
}

static bool gets_through(struct chance *c, struct place *p, int64_t day)
{
    if (day < p->spell_until)
        return false;
    if (p->poor_radio && chance_happens(c, 0.05)) {
        p->spell_until = day + chance_whole(c, 1, 9);
        return false;
    }
    return !chance_happens(c, 0.015);
}

/* Once a month somebody looks at one dial in twenty and types whole cubic metres. */
static void typed(struct chance *c, struct place *p, uint32_t n, int64_t noon_s,
                  struct town_reading *out, bool *is)
{
    *is = chance_happens(c, 0.05 / 30);
    *out = (struct town_reading){ n,
                                  meter_billed_channel(&p->about.facts),
                                  { shown(p, p->dial_ml) / 1000000 * 1000000, (uint32_t)noon_s,
                                    SOURCE_MANUAL } };
}

static bool send_held(struct place *p, bool (*each)(void *arg, const struct town_reading *r),
                      void *arg)
{
    bool go = true;

    for (unsigned i = 0; i < p->held && go; i++)
        go = each(arg, &p->waiting[i]);
    p->held = 0;
    return go;
}

enum err town_day(struct town *t, bool (*each)(void *arg, const struct town_reading *r), void *arg,
                  bool *out_more)
{
    int64_t from_s = t->options.from_s + (int64_t)t->day * DAY_S, day = t->from_day + t->day;
    bool go = true;

    for (uint32_t n = 0; n < t->options.meters && go; n++) {
        struct chance c = chance_of(t->options.seed, n, t->day);
        struct place *p = &t->places[n];
        struct town_reading by_hand;
        bool is_typed;

        live_day(t, &c, p, n, day, from_s);
        typed(&c, p, n, from_s + DAY_S - HOUR_S / 2, &by_hand, &is_typed);
        if (gets_through(&c, p, day))
            go = send_held(p, each, arg);
        if (is_typed && go)
            go = each(arg, &by_hand);
    }
    t->day++;
    *out_more = t->day < t->options.days;
    return ERR_OK;
}
