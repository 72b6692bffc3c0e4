#include "server/detect/daily.h"

#include <string.h>

static void find_day(struct days *d, const struct zone *z, int64_t at_s)
{
    if (at_s >= d->day_from_s && at_s < d->day_to_s)
        return;
    d->day = (int32_t)zone_day(z, at_s, &d->day_from_s, &d->day_to_s);
}

/* The day that was found; steps come in order, so it is the last one or a new one, and what lies before goes to the last. */
static struct day_use *day_here(struct days *d)
{
    struct day_use *last = d->count ? &d->at[d->count - 1] : NULL;

    if (last && last->day >= d->day)
        return last;
    if (d->count == DAYS_MOST) {
        memmove(d->at, d->at + DAYS_MOST / 8, (DAYS_MOST - DAYS_MOST / 8) * sizeof d->at[0]);
        d->count -= DAYS_MOST / 8;
    }
    last = &d->at[d->count++];
    *last = (struct day_use){ .day = d->day };
    for (int h = 0; h < 24; h++)
        last->hour_ml[h] = HOUR_UNKNOWN;
    return last;
}

static void add_hour(struct day_use *u, int64_t since_s, int64_t used_ml)
{
    int32_t *hour = since_s >= 0 && since_s < 86400 ? &u->hour_ml[since_s / 3600] : NULL;
    int64_t sum = used_ml < 0 ? 0 : used_ml;

    if (!hour)
        return;
    if (*hour > 0)
        sum += *hour;
    *hour = sum > INT32_MAX ? INT32_MAX : (int32_t)sum;
}

/* A gap is spread evenly over what it spans. */
static void add_gap(struct days *d, const struct zone *z, const struct judge_step *step)
{
    int64_t at_s = step->from_s, left_ml = step->used_ml;
    double rate = (double)step->used_ml / (step->to_s - step->from_s);

    while (at_s < step->to_s) {
        struct day_use *u;
        int64_t end_s, ml;

        find_day(d, z, at_s);
        u = day_here(d);
        end_s = d->day_to_s < step->to_s ? d->day_to_s : step->to_s;
        ml = end_s == step->to_s ? left_ml : (int64_t)(rate * (double)(end_s - at_s));
        u->covered_s += (uint32_t)(end_s - at_s);
        u->last_s = step->to_s;
        u->used_ml += ml;
        left_ml -= ml;
        at_s = end_s;
    }
}

void days_add(struct days *d, const struct zone *z, const struct judge_step *step)
{
    uint32_t seconds = step->to_s - step->from_s;
    struct day_use *u;
    int64_t middle_s = step->from_s + seconds / 2;

    if (step->reverse || step->fall || step->to_s <= step->from_s)
        return;
    if (seconds > HOUR_LONGEST_S) {
        if (seconds <= (DAYS_MOST / 2) * 86400)
            add_gap(d, z, step);
        return;
    }
    find_day(d, z, middle_s);
    u = day_here(d);
    u->covered_s += seconds;
    u->last_s = step->to_s;
    u->used_ml += step->used_ml;
    add_hour(u, middle_s - d->day_from_s, step->used_ml);
}

/* Of steps of an hour each: how many more, behind one to `row`, end up in an hour of their own, which nothing is known of yet. */
static size_t add_hours(struct day_use *u, unsigned hour, const struct row *row, size_t count)
{
    size_t n = 0;

    for (; n < count && hour + n < 24 && row[n].time_s - row[(ptrdiff_t)n - 1].time_s == 3600;
         n++) {
        int64_t used_ml = row[n].value - row[(ptrdiff_t)n - 1].value;

        u->hour_ml[hour + n] = used_ml > INT32_MAX ? INT32_MAX : (int32_t)used_ml;
    }
    return n;
}

/* The steps to `row` and on whose middle lies in the day that was found; how many they are, one at least. */
static size_t add_of_day(const struct days *d, struct day_use *u, const struct row *row,
                         size_t count)
{
    const struct row *before = row - 1, *end = row + count, *first = row;
    uint32_t length_s = (uint32_t)(d->day_to_s - d->day_from_s);

    while (row < end) {
        uint32_t seconds = row->time_s - row[-1].time_s;
        uint32_t since_s = (uint32_t)(row[-1].time_s + seconds / 2 - d->day_from_s);

        if (row > first && (seconds > HOUR_LONGEST_S || since_s >= length_s))
            break;
        add_hour(u, since_s, row->value - row[-1].value);
        row++;
        if (seconds == 3600 && length_s == 86400 && u->day == d->day)
            row += add_hours(u, since_s / 3600 + 1, row, (size_t)(end - row));
    }
    u->covered_s += row[-1].time_s - before->time_s;
    u->last_s = row[-1].time_s;
    u->used_ml += row[-1].value - before->value;
    return (size_t)(row - first);
}

void days_add_rows(struct days *d, const struct zone *z, const struct row *rows, size_t count)
{
    for (size_t i = 1; i < count;) {
        const struct row *from = &rows[i - 1], *to = &rows[i];
        uint32_t seconds = to->time_s - from->time_s;

        if (seconds > HOUR_LONGEST_S) {
            struct judge_step gap = { .from_s = from->time_s,
                                      .to_s = to->time_s,
                                      .used_ml = to->value - from->value };

            days_add(d, z, &gap);
            i++;
            continue;
        }
        find_day(d, z, (int64_t)from->time_s + seconds / 2);
        i += add_of_day(d, day_here(d), to, count - i);
    }
}

struct day_span days_between(const struct days *d, int32_t from_day, int32_t to_day)
{
    size_t from = 0, to = d->count;

    while (to > 0 && d->at[to - 1].day >= to_day)
        to--;
    while (from < to && d->at[from].day < from_day)
        from++;
    return (struct day_span){ .at = d->at + from, .count = to - from, .to_day = to_day };
}

static void rank(struct hours_top *t, int32_t ml)
{
    unsigned n = TOP_HOURS - 1;

    if (ml <= t->ml[n])
        return;
    for (; n > 0 && t->ml[n - 1] < ml; n--)
        t->ml[n] = t->ml[n - 1];
    t->ml[n] = ml;
}

double days_mean_mlpd(const struct day_span *days)
{
    double ml = 0, seconds = 0;

    for (size_t i = 0; i < days->count; i++)
        if (day_is_whole(&days->at[i])) {
            ml += (double)days->at[i].used_ml;
            seconds += days->at[i].covered_s;
        }
    return seconds > 0 ? ml * 86400 / seconds : 0;
}

void hours_rank(const struct day_span *days, int64_t low_ml, struct hours_top *out)
{
    double all = 0, low = 0, sum = 0, floors = 0;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < days->count; i++) {
        const struct day_use *d = &days->at[i];
        int32_t least = INT32_MAX;

        if (!day_is_whole(d))
            continue;
        out->days++;
        sum += (double)d->used_ml * 86400 / d->covered_s;
        for (int h = 0; h < 24; h++) {
            if (d->hour_ml[h] != HOUR_UNKNOWN && d->hour_ml[h] < least)
                least = d->hour_ml[h];
            if (d->hour_ml[h] <= 0)
                continue;
            all += d->hour_ml[h];
            low += d->hour_ml[h] < low_ml ? d->hour_ml[h] : 0;
            rank(out, d->hour_ml[h]);
        }
        floors += least == INT32_MAX ? 0 : 24.0 * least;
    }
    out->mean_mlpd = out->days ? (sum - floors) / out->days : 0;
    out->low_share = all > 0 ? low / all : 0;
}

bool days_are_recent(const struct day_span *days)
{
    return days->count && days->at[days->count - 1].day >= days->to_day - 14;
}

void days_clear(struct days *d)
{
    d->count = 0;
    d->day_from_s = d->day_to_s = 0;
}

int64_t day_midnight_s(const struct zone *z, int32_t day)
{
    int64_t noon_s = (int64_t)day * 86400 + 43200;

    return zone_day_start(z,
                          noon_s - zone_offset(z, noon_s)); /* whatever the clocks did at night */
}
