/* Two meters of a house that are crossed, as days show on which nothing is to be used in one of the flats (swapped.h says when). */
#include "server/detect/swapped_priv.h"

#define DAY_S 86400
#define KNOWN_S 64800  /* of a day, for it to count */
#define STANDS_L 0.5   /* a day's use below which a meter stands */
#define TURNS_OF_5 3   /* days of five on which the idle one turns */
#define BEFORE_DAYS 56 /* known of the other one, in which it never stood so long */
#define EDGE_DAYS 2    /* within which a meter follows a valve */
#define NOBODY UINT32_MAX

void swapped_idle(struct swapped *s, unsigned meter, bool shut, int64_t from_s, int64_t to_s)
{
    if (s->idle_count < SWAPPED_IDLE_MOST && meter < s->meters)
        s->idle[s->idle_count++] = (struct swapped_idle){ meter, shut, from_s, to_s };
}

void idle_take(struct swapped *s, unsigned meter, int64_t day, double litres, int64_t seconds)
{
    struct swapped_day *d = &s->days[(size_t)meter * s->weeks * 7 + (size_t)day];

    d->litres += (float)litres;
    d->known_s += (uint32_t)seconds;
}

static const struct swapped_day *day_of(const struct swapped *s, unsigned meter, unsigned day)
{
    return &s->days[(size_t)meter * s->weeks * 7 + day];
}

/* Days of [from, until) that are known, and on how many of them it turned. */
struct turning {
    unsigned known, turned;
    double litres;
};

static struct turning turning_of(const struct swapped *s, unsigned meter, unsigned from,
                                 unsigned until)
{
    struct turning t = { 0 };

    for (unsigned day = from; day < until; day++) {
        const struct swapped_day *d = day_of(s, meter, day);

        if (d->known_s < KNOWN_S)
            continue;
        t.known++;
        t.turned += d->litres > STANDS_L;
        t.litres += d->litres;
    }
    return t;
}

/* It stands through all of these days, and is known to. */
static bool stands(const struct swapped *s, unsigned meter, unsigned from, unsigned until)
{
    struct turning t = turning_of(s, meter, from, until);

    return t.known == until - from && t.turned == 0;
}

/* Before it stopped it was known for weeks, and never stood for so many days. */
static bool never_stood(const struct swapped *s, unsigned meter, unsigned from, unsigned days)
{
    unsigned known = 0, run = 0;

    while (from > 0 && day_of(s, meter, from - 1)->litres <= STANDS_L)
        from--;
    for (unsigned day = 0; day < from; day++) {
        const struct swapped_day *d = day_of(s, meter, day);

        known += d->known_s >= KNOWN_S;
        run = d->litres > STANDS_L ? 0 : run + 1;
        if (run >= days)
            return false;
    }
    return known >= BEFORE_DAYS;
}

/* It turned until the valve was shut, and again once it was open: both within two days. */
static bool follows(const struct swapped *s, unsigned meter, unsigned from, unsigned to)
{
    unsigned before = from > EDGE_DAYS ? from - EDGE_DAYS : 0;

    return turning_of(s, meter, before, from).turned &&
           turning_of(s, meter, to, to + EDGE_DAYS).turned;
}

/* The days of the window that a span is judged by; false: they are not over by the end of that week, or lie before it. */
static bool days_of(const struct swapped *s, const struct swapped_idle *span, unsigned week,
                    unsigned *out_from, unsigned *out_until)
{
    int64_t from = (span->from_s - s->from_s + DAY_S - 1) / DAY_S,
            until = from + SWAPPED_VACANT_DAYS, known = (int64_t)week * 7;

    if (span->from_s < s->from_s || from >= known)
        return false;
    if (span->shut) { /* until it was opened, and what came of that */
        until = span->to_s < s->from_s + known * DAY_S ? (span->to_s - s->from_s) / DAY_S : known;
        known -= EDGE_DAYS + 1;
    }
    if (until > known || until < from + SWAPPED_SHUT_DAYS || s->from_s + until * DAY_S > span->to_s)
        return false;
    *out_from = (unsigned)from;
    *out_until = (unsigned)until;
    return true;
}

/* The one other meter that stands meanwhile. */
static unsigned other_of(const struct swapped *s, const struct swapped_idle *span, unsigned from,
                         unsigned until)
{
    unsigned found = NOBODY;

    for (unsigned m = 0; m < s->meters; m++) {
        if (m == span->meter || !stands(s, m, from, until))
            continue;
        if (found != NOBODY)
            return NOBODY;
        found = m;
    }
    if (found == NOBODY)
        return NOBODY;
    return (span->shut ? follows(s, found, from, until + 1)
                       : never_stood(s, found, from, until - from))
               ? found
               : NOBODY;
}

static struct swapped_finding *open_of(struct swapped_finding *list, size_t count, unsigned meter)
{
    for (size_t i = count; i-- > 0;)
        if (!list[i].cleared_s && (list[i].first == meter || list[i].second == meter))
            return &list[i];
    return NULL;
}

static bool is_known(const struct swapped_finding *list, size_t count,
                     const struct swapped_finding *f)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].first == f->first && list[i].second == f->second &&
            list[i].onset_s >= f->onset_s)
            return true;
    return false;
}

static double lpd(const struct swapped *s, unsigned meter, unsigned from, unsigned until)
{
    struct turning t = turning_of(s, meter, from, until);

    return t.known ? t.litres / t.known : 0;
}

static struct swapped_finding finding_of(const struct swapped *s, const struct swapped_idle *span,
                                         unsigned other, unsigned from, unsigned until,
                                         int64_t told_s)
{
    unsigned before = from > BEFORE_DAYS ? from - BEFORE_DAYS : 0;
    unsigned a = span->meter < other ? span->meter : other,
             b = span->meter < other ? other : span->meter;

    return (struct swapped_finding){
        .first = a,
        .second = b,
        .onset_s = s->from_s + (int64_t)from * DAY_S,
        .since_s = s->from_s + (int64_t)from * DAY_S,
        .raised_s = told_s,
        .vacant_days = span->shut ? 0 : until - from,
        .shut_days = span->shut ? until - from : 0,
        .second_idle = b == span->meter,
        .first_before_lpd = lpd(s, a, before, from),
        .first_after_lpd = lpd(s, a, from, until),
        .second_before_lpd = lpd(s, b, before, from),
        .second_after_lpd = lpd(s, b, from, until),
        .weeks_before = (from - before) / 7,
        .weeks_after = (until - from) / 7,
    };
}

static void look_at_span(const struct swapped *s, const struct swapped_idle *span, unsigned week,
                         int64_t told_s, struct swapped_finding *out, size_t most,
                         size_t *out_count)
{
    struct swapped_finding *open = open_of(out, *out_count, span->meter), f;
    unsigned from, until, other;
    struct turning own;

    if (!days_of(s, span, week, &from, &until))
        return;
    own = turning_of(s, span->meter, from, until);
    if (open) {
        if ((open->vacant_days || open->shut_days) && own.known == until - from && !own.turned &&
            s->from_s + (int64_t)from * DAY_S > open->onset_s)
            open->cleared_s = told_s;
        return;
    }
    if (own.known < until - from || own.turned * 5 < own.known * TURNS_OF_5 ||
        (other = other_of(s, span, from, until)) == NOBODY || open_of(out, *out_count, other) ||
        *out_count == most)
        return;
    f = finding_of(s, span, other, from, until, told_s);
    if (!is_known(out, *out_count, &f))
        out[(*out_count)++] = f;
}

void idle_find(const struct swapped *s, unsigned week, int64_t told_s, struct swapped_finding *out,
               size_t most, size_t *out_count)
{
    for (unsigned i = 0; i < s->idle_count; i++)
        look_at_span(s, &s->idle[i], week, told_s, out, most, out_count);
}
