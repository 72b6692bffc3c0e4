#include "server/detect/monthly.h"
#include "server/detect/detect_priv.h"
#include "server/detect/draws_priv.h"
#include "server/detect/peers.h"

#include <math.h>
#include <string.h>

static int64_t due_s(const struct zone *z, int32_t day)
{
    return day_midnight_s(z, day + 1);
}

/* The first day of a look that is due after since_s. */
static int32_t first_look(const struct zone *z, uint32_t meter, int64_t since_s)
{
    int32_t day = (int32_t)zone_day_number(z, since_s) - 2;

    day += MONTHLY_EVERY_D - 1 -
           (int32_t)(((int64_t)day + meter + MONTHLY_EVERY_D - 1) % MONTHLY_EVERY_D);
    while (due_s(z, day) <= since_s)
        day += MONTHLY_EVERY_D;
    return day;
}

static int64_t anchor_s(const struct zone *z, const struct fitting *f, int32_t day)
{
    int32_t from = (int32_t)zone_day_number(z, f->from_s),
            before = day - MONTHLY_WINDOW_D - 1 - from;

    return before < MONTHLY_ANCHOR_D
               ? f->from_s
               : day_midnight_s(z, from + before / MONTHLY_ANCHOR_D * MONTHLY_ANCHOR_D);
}

bool monthly_is_due(const struct zone *z, uint32_t meter, int64_t since_s, int64_t until_s)
{
    return until_s > since_s && since_s >= 0 && due_s(z, first_look(z, meter, since_s)) <= until_s;
}

int64_t monthly_needs(const struct zone *z, const struct fitting *f, uint32_t meter,
                      int64_t since_s)
{
    int64_t at_s = anchor_s(z, f, first_look(z, meter, since_s < f->from_s ? f->from_s : since_s));

    return at_s < 0 ? 0 : at_s;
}

void monthly_begin(struct monthly *m)
{
    const struct detector *d;

    m->kind_count = 0;
    for (size_t n = 0; (d = detector_at(n)); n++)
        if (d->look && m->kind_count < MONTHLY_KINDS) {
            m->open[m->kind_count].open = false;
            m->kinds[m->kind_count++] = d;
        }
}

void monthly_recall(struct monthly *m, const struct detector *d, const struct verdict *v)
{
    for (unsigned i = 0; i < m->kind_count; i++)
        if (m->kinds[i] == d)
            m->open[i] = *v;
}

static size_t first_from(const struct row *rows, size_t count, int64_t at_s)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rows[middle].time_s < at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- whether a look may find anything ----
 *
 * Taking up a year of readings and looking at its days costs as much as unpacking them, and in many months nothing has happened.  So the register, as it stands, is asked first: what was used on a day of the last four
 * weeks, against a day of what lies before the last 110 days.  Where neither less nor more by as much as a flag needs is used, where the meter is of no size that is
 * judged and no episode is open, there is no look.  A fall, a roll-over or a wild value among the four readings: the look is made. */

#define LATELY_D 28
#define EARLIER_D 110 /* draws.c looks for changes so far back */
#define LESS 0.85
#define MORE 1.12
/* Of Q3; below it no place uses too much, unless by a figure that people set (undersize.c). */
#define MEAN_SHARE 0.003
#define FINE_ML 1000
#define DN_SIZED 32

static const struct row *remote_from(const struct row *rows, size_t count, int64_t at_s)
{
    size_t n = first_from(rows, count, at_s);

    while (n < count && (rows[n].attr & ATTR_SOURCE) != SOURCE_REMOTE)
        n++;
    return n < count ? &rows[n] : NULL;
}

/* Millilitres a day between two readings; below 0: nobody knows. */
static double per_day(const struct row *from, const struct row *to)
{
    if (!from || !to || to->time_s <= from->time_s || to->value < from->value)
        return -1;
    return (double)(to->value - from->value) * 86400 / (to->time_s - from->time_s);
}

static bool may_find(const struct monthly *m, const struct judge_place *place,
                     const struct row *rows, size_t count, int32_t day)
{
    const struct zone *z = place->zone;
    const struct row *first = remote_from(rows, count, day_midnight_s(z, day - MONTHLY_WINDOW_D));
    const struct row *earlier = remote_from(rows, count, day_midnight_s(z, day - EARLIER_D));
    const struct row *lately = remote_from(rows, count, day_midnight_s(z, day - LATELY_D));
    const struct row *last = remote_from(rows, count, day_midnight_s(z, day));
    double before = per_day(first, earlier), now = per_day(lately, last),
           all = per_day(first, last);

    double hundredth =
        (double)rules_on(place->book, day)->value[FIGURE_UNDERSIZE_hour_share] / 1000;
    bool fast = place_is_household(place) && place->meter->resolution_ml <= FINE_ML; /* fast.c */

    for (unsigned i = 0; i < m->kind_count; i++)
        if (m->open[i].open)
            return true;
    if (before < 0 || now < 0 || all < 0 || now < LESS * before || (fast && now > MORE * before))
        return true;
    return place->meter->dn_mm >= DN_SIZED ||
           all > fmin(MEAN_SHARE, undersize_mean(hundredth)) * (double)place->meter->q3_lph * 24000;
}

struct taking {
    struct days *days;
    const struct zone *zone;
};

static void take_step(void *arg, const struct judge_step *step)
{
    const struct taking *t = (const struct taking *)arg;

    days_add(t->days, t->zone, step);
}

static void take_plain(void *arg, const struct row *rows, size_t count)
{
    const struct taking *t = (const struct taking *)arg;

    days_add_rows(t->days, t->zone, rows, count);
}

static void take(struct monthly *m, const struct judge_place *place, const struct row *rows,
                 size_t count)
{
    static const struct track_ear ear = { take_step, take_plain };
    struct taking t = { &m->days, place->zone };

    track_run(&m->track, place->meter, place->meter->form == REGISTER_NET, rows, count, &ear, &t);
}

/* What this day may know of the place's peers: of its zone, or of all zones while of that they are known for longer and of its own for weeks alone. */
static bool peers_on(const struct judge_place *place, int32_t day, struct peers *out)
{
    struct peers all = { 0 };

    out->count = 0;
    if (place->peers)
        peers_until(place->peers, day, out);
    if (place->peers_all && out->count < PEERS_LEAST) {
        peers_until(place->peers_all, day, &all);
        if (all.count > out->count)
            *out = all;
    }
    return out->count > 0;
}

static void look(struct monthly *m, const struct judge_place *place, int32_t day, detect_say *say,
                 void *arg)
{
    struct day_span span = days_between(&m->days, day - MONTHLY_WINDOW_D, day);
    struct judge_place today = *place;
    struct home_days home;
    struct peers known;

    home.asked = false;
    span.home = &home;
    today.rules = rules_on(place->book, day);
    today.peers = peers_on(place, day, &known) ? &known : NULL;
    for (unsigned i = 0; i < m->kind_count; i++) {
        struct verdict v;

        if (m->kinds[i]->look(&today, &span, m->open[i].open ? &m->open[i] : NULL, &v)) {
            m->open[i] = v;
            say(arg, m->kinds[i], &v);
        }
    }
}

void monthly_run(struct monthly *m, const struct judge_place *place, const struct row *rows,
                 size_t count, int64_t since_s, int64_t until_s, detect_say *say, void *arg)
{
    const struct zone *z = place->zone;
    uint32_t meter = place->meter->id;
    int64_t anchored_s = -1;
    size_t next = 0;

    if (since_s < place->fitting->from_s)
        since_s = place->fitting->from_s;
    for (int32_t day = first_look(z, meter, since_s); due_s(z, day) <= until_s;
         day += MONTHLY_EVERY_D) {
        int64_t from_s = anchor_s(z, place->fitting, day), to_s = due_s(z, day);
        size_t to;

        if (from_s != anchored_s) {
            memset(&m->track, 0, sizeof m->track);
            days_clear(&m->days);
            anchored_s = from_s;
            next = first_from(rows, count, from_s);
        }
        if (!may_find(m, place, rows, count, day))
            continue;
        to = first_from(rows, count, to_s);
        if (to > next)
            take(m, place, rows + next, to - next);
        next = to > next ? to : next;
        look(m, place, day, say, arg);
    }
}
