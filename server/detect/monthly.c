#include "server/detect/monthly.h"

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

static void take(struct monthly *m, const struct judge_place *place, const struct row *row)
{
    struct judge_step steps[2];
    unsigned count;

    if ((row->attr & ATTR_SOURCE) != SOURCE_REMOTE)
        return;
    count = track_feed(&m->track, place->meter, place->meter->form == REGISTER_NET, row, steps);
    for (unsigned i = 0; i < count; i++) {
        steps[i].reverse = false;
        days_add(&m->days, place->zone, &steps[i]);
    }
}

static void look(struct monthly *m, const struct judge_place *place, int32_t day, detect_say *say,
                 void *arg)
{
    struct day_span span = days_between(&m->days, day - MONTHLY_WINDOW_D, day);

    for (unsigned i = 0; i < m->kind_count; i++) {
        struct verdict v;

        if (m->kinds[i]->look(place, &span, m->open[i].open ? &m->open[i] : NULL, &v)) {
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

        if (from_s != anchored_s) {
            memset(&m->track, 0, sizeof m->track);
            days_clear(&m->days);
            anchored_s = from_s;
            next = first_from(rows, count, from_s);
        }
        while (next < count && rows[next].time_s < to_s)
            take(m, place, &rows[next++]);
        look(m, place, day, say, arg);
    }
}
