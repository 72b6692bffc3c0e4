#include "server/billing/shape.h"

#include <stdlib.h>

#include "server/billing/agree.h"

#define HOUR_S 3600ll
#define DAY_S 86400ll
#define ACTUAL_APART_S (36 * HOUR_S) /* C2 */
#define LINE_APART_S (2 * HOUR_S)    /* C3: longer gaps take a shape */
#define LOOK_BACK_S (28 * DAY_S)     /* C4, C6 */
#define PACE_LEAST_S (7 * DAY_S)     /* C6 */
#define PROFILE_DAYS 3               /* C3 */

/* ---- the line ------------------------------------------------------------------------------- */

static size_t rebases_count(const struct register_line *line)
{
    size_t count = 0;

    for (size_t i = 0; i < line->count; i++)
        count += line->steps[i].rebased;
    return count;
}

enum err fitting_line_make(struct fitting_line *l)
{
    const struct consume_fitting *f = l->of;
    struct fitting_line made = {
        .of = f,
        .made = true,
        .from_s = f->fitting.from_s,
        .to_s = f->fitting.to_s,
        .modulus = f->meter->modulus_ml,
        .net = f->meter->form == REGISTER_NET,
        .gap.before = SIZE_MAX,
    };
    enum err err = register_line_make(f->meter, &f->fitting, f->rows, &made.line);

    if (err)
        return err;
    made.rebases = malloc((rebases_count(&made.line) + 1) * sizeof(*made.rebases));
    if (!made.rebases) {
        register_line_done(&made.line);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < made.line.count; i++) {
        if (made.line.steps[i].rebased)
            made.rebases[made.rebase_count++] = i;
    }
    *l = made;
    return ERR_OK;
}

void fitting_line_done(struct fitting_line *l)
{
    register_line_done(&l->line);
    free(l->rebases);
    *l = (struct fitting_line){ 0 };
}

size_t rebase_after(const struct fitting_line *l, int64_t at_s)
{
    size_t low = 0, high = l->rebase_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (l->line.steps[l->rebases[middle]].at_s <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t step_before(const struct fitting_line *l, int64_t at_s)
{
    size_t low = 0, high = l->line.count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (l->line.steps[middle].at_s <= at_s)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static bool is_before(const struct fitting_line *l, size_t i, int64_t at_s)
{
    return i < l->line.count && l->line.steps[i].at_s <= at_s;
}

/* The same, found soonest where rows follow one another. */
static size_t step_near(struct fitting_line *l, int64_t at_s)
{
    size_t i = l->near;

    if (is_before(l, i + 1, at_s))
        i++;
    if (!is_before(l, i, at_s) || is_before(l, i + 1, at_s))
        i = step_before(l, at_s);
    return l->near = i;
}

/* ---- the shape of days like it (C3, C4) ----------------------------------------------------- */

/* The litres of each hour of the civil day from `start_s`, where there is a reading at each full
 * hour; what a person says is none. */
static bool day_use(const struct fitting_line *l, int64_t start_s, int64_t use_ml[24])
{
    size_t before = step_before(l, start_s);

    if (l->line.steps[before].at_s != start_s || l->line.steps[before].edited)
        return false;
    for (unsigned hour = 0; hour < 24; hour++) {
        int64_t end_s = start_s + (hour + 1) * HOUR_S;
        size_t next = before + 1;

        while (next < l->line.count && l->line.steps[next].at_s < end_s)
            next++;
        if (next == l->line.count || l->line.steps[next].at_s != end_s ||
            l->line.steps[next].edited)
            return false;
        use_ml[hour] = l->line.steps[next].counted_ml - l->line.steps[before].counted_ml;
        before = next;
    }
    return true;
}

static bool day_off(int64_t day)
{
    return day_of_week(day) >= 5;
}

/* Which types of day the gap touches. */
static void gap_types(const struct zone *zone, int64_t from_s, int64_t to_s, bool wanted[2])
{
    int64_t last = zone_day_number(zone, to_s - 1);

    for (int64_t day = zone_day_number(zone, from_s); day <= last && !(wanted[0] && wanted[1]);
         day++)
        wanted[day_off(day)] = true;
}

static bool profile_wants(const struct profile *p, const bool wanted[2], bool off)
{
    return wanted[off] && p->days[off] < PROFILE_DAYS;
}

/* The last three valid days of each type that is wanted, looking back from `before_s`. */
static bool profile_find(const struct fitting_line *l, const struct zone *zone, int64_t before_s,
                         const bool wanted[2], struct profile *p)
{
    int64_t end_s = zone_day_start(zone, before_s);

    *p = (struct profile){ 0 };
    while (profile_wants(p, wanted, false) || profile_wants(p, wanted, true)) {
        int64_t start_s = zone_day_start(zone, end_s - 1);
        bool off = day_off(zone_day_number(zone, start_s));
        int64_t use_ml[24];

        if (start_s < before_s - LOOK_BACK_S || start_s < l->from_s)
            return false;
        if (end_s - start_s == DAY_S && profile_wants(p, wanted, off) &&
            day_use(l, start_s, use_ml)) {
            for (unsigned hour = 0; hour < 24; hour++) {
                p->use_ml[off][hour] += use_ml[hour];
                p->day_ml[off] += use_ml[hour];
            }
            p->days[off]++;
        }
        end_s = start_s;
    }
    return true;
}

static __int128 weight_of_hours(const struct profile *p, const struct zone *zone, bool off,
                                int64_t from_s, int64_t to_s)
{
    __int128 sum = 0;

    while (from_s < to_s) {
        int64_t end_s = zone_hour_next(zone, from_s);

        if (end_s > to_s)
            end_s = to_s;
        sum += p->use_ml[off][zone_civil(zone, from_s).hour] * (end_s - from_s);
        from_s = end_s;
    }
    return sum;
}

/* W: over the hours touched, seconds × what is used in that hour.  Day by day, for a gap may last
 * for years. */
static __int128 weight(const struct profile *p, const struct zone *zone, int64_t from_s,
                       int64_t to_s)
{
    __int128 sum = 0;

    while (from_s < to_s) {
        int64_t day_s = zone_day_start(zone, from_s), end_s = zone_day_next(zone, from_s);
        bool off = day_off(zone_day_number(zone, from_s));

        if (from_s == day_s && end_s <= to_s && end_s - day_s == DAY_S)
            sum += p->day_ml[off] * HOUR_S;
        else
            sum += weight_of_hours(p, zone, off, from_s, end_s < to_s ? end_s : to_s);
        from_s = end_s;
    }
    return sum;
}

static void gap_load(struct fitting_line *l, const struct zone *zone, size_t before)
{
    int64_t from_s = l->line.steps[before].at_s, to_s = l->line.steps[before + 1].at_s;
    struct gap *g = &l->gap;
    bool wanted[2] = { false, false };

    *g = (struct gap){ .before = before, .at_s = from_s };
    if (l->net || to_s - from_s <= LINE_APART_S)
        return;
    gap_types(zone, from_s, to_s, wanted);
    if (!profile_find(l, zone, from_s, wanted, &g->profile))
        return;
    g->whole = weight(&g->profile, zone, from_s, to_s);
    g->shaped = g->whole > 0;
}

/* Rows ask in the order of time: the weight goes on from where it was. */
static __int128 gap_weight(struct fitting_line *l, const struct zone *zone, int64_t at_s)
{
    struct gap *g = &l->gap;

    if (at_s < g->at_s) {
        g->at_s = l->line.steps[g->before].at_s;
        g->weight = 0;
    }
    g->weight += weight(&g->profile, zone, g->at_s, at_s);
    g->at_s = at_s;
    return g->weight;
}

/* ---- the register at an instant ------------------------------------------------------------- */

/* floor(volume × part / whole), 0 ≤ part ≤ whole, for any size of them. */
static int64_t share(__int128 volume, __int128 part, __int128 whole)
{
    __int128 product, floored;

    while (whole > INT64_MAX) { /* only registers that jump by what no city uses get here */
        whole >>= 1;
        part >>= 1;
    }
    product = volume * part;
    floored = product / whole;
    return volume_clamped(floored - (product % whole < 0));
}

int64_t step_register(const struct fitting_line *l, const struct step *s)
{
    return volume_clamped(s->dial_ml + (__int128)s->rollovers * l->modulus);
}

static enum quality good(bool edited)
{
    return edited ? QUALITY_EDITED : QUALITY_ACTUAL;
}

static struct register_at between(struct fitting_line *l, const struct shape_rules *rules, size_t i,
                                  int64_t at_s)
{
    const struct step *p = &l->line.steps[i], *n = p + 1;
    int64_t apart_s = n->at_s - p->at_s;
    __int128 volume = (__int128)n->counted_ml - p->counted_ml;
    struct register_at r = { .register_ml = step_register(l, p), .edited = p->edited || n->edited };

    if (n->rebased) {
        r.quality = QUALITY_ESTIMATED;
        r.method = METHOD_REBASED;
        return r;
    }
    if (l->gap.before != i)
        gap_load(l, rules->zone, i);
    r.quality =
        apart_s > (rules->by_hour ? HOUR_S : ACTUAL_APART_S) ? QUALITY_ESTIMATED : good(r.edited);
    if (l->gap.shaped) {
        r.method = METHOD_LIKE_DAY;
        r.register_ml += share(volume, gap_weight(l, rules->zone, at_s), l->gap.whole);
    } else {
        r.method = METHOD_INTERPOLATED;
        r.register_ml += share(volume, at_s - p->at_s, apart_s);
    }
    return r;
}

/* What is counted at `at_s`, which a reading follows or meets. */
static int64_t counted_at(struct fitting_line *l, const struct shape_rules *rules, int64_t at_s)
{
    size_t i = step_before(l, at_s);
    const struct step *p = &l->line.steps[i];

    if (p->at_s == at_s)
        return p->counted_ml;
    return p->counted_ml + between(l, rules, i, at_s).register_ml - step_register(l, p);
}

/* C6. */
static struct register_at after_last(struct fitting_line *l, const struct shape_rules *rules,
                                     int64_t at_s)
{
    const struct step *last = &l->line.steps[l->line.count - 1];

    if (at_s > rules->now_s || last->at_s - l->from_s < PACE_LEAST_S)
        return (struct register_at){ .quality = QUALITY_MISSING };
    if (!l->pace_known) {
        l->pace_from_s =
            last->at_s - LOOK_BACK_S > l->from_s ? last->at_s - LOOK_BACK_S : l->from_s;
        l->pace_ml = last->counted_ml - counted_at(l, rules, l->pace_from_s);
        l->pace_known = true;
    }
    return (struct register_at){
        .register_ml = step_register(l, last) +
                       share(l->pace_ml, at_s - last->at_s, last->at_s - l->pace_from_s),
        .quality = QUALITY_ESTIMATED,
        .method = METHOD_PROFILE,
        .edited = last->edited,
    };
}

struct register_at register_at(struct fitting_line *l, const struct shape_rules *rules,
                               int64_t at_s)
{
    size_t i = step_near(l, at_s);
    const struct step *s = &l->line.steps[i];

    if (s->at_s == at_s)
        return (struct register_at){ step_register(l, s), good(s->edited), METHOD_READ, s->edited };
    if (i + 1 < l->line.count)
        return between(l, rules, i, at_s);
    return after_last(l, rules, at_s);
}
