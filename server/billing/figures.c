#include "server/billing/figures.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400
#define ACTUAL_S (36 * 3600) /* rules-bills C2 */

/* ---- the table ---- */

#define MORE true
#define LESS false
enum {
#define FIGURE_REASON(id, name, en, zh) id = WITHOUT_##id,
#include "server/billing/figures.def"
};

static const struct figure_row figures[] = {
#define FIGURE(id, name_, source_, reasons_, aim_, target_, en_, zh_, n_en, n_zh, d_en, d_zh,      \
               basis_)                                                                             \
    { .name = name_,                                                                               \
      .source = FIGURES_OF_##source_,                                                              \
      .reasons = (unsigned)(reasons_),                                                             \
      .more_is_better = aim_,                                                                      \
      .target = target_,                                                                           \
      .text_en = en_,                                                                              \
      .text_zh = zh_,                                                                              \
      .numerator_en = n_en,                                                                        \
      .numerator_zh = n_zh,                                                                        \
      .denominator_en = d_en,                                                                      \
      .denominator_zh = d_zh,                                                                      \
      .basis = basis_ },
#include "server/billing/figures.def"
};

static const struct {
    const char *name, *en, *zh;
} reasons[] = {
#define FIGURE_REASON(id, name_, en_, zh_) { name_, en_, zh_ },
#include "server/billing/figures.def"
};

const struct figure_row *figure_row(enum figure f)
{
    return &figures[f];
}

bool figure_read(struct span name, enum figure *out)
{
    for (int f = 0; f < FIGURES; f++)
        if (span_equal(name, span_text(figures[f].name))) {
            *out = (enum figure)f;
            return true;
        }
    return false;
}

const char *figure_reason_name(unsigned place)
{
    return reasons[place].name;
}

const char *figure_reason_en(unsigned place)
{
    return reasons[place].en;
}

const char *figure_reason_zh(unsigned place)
{
    return reasons[place].zh;
}

bool figure_reason_read(struct span name, unsigned *out_place)
{
    for (unsigned i = 0; i < FIGURE_REASONS; i++)
        if (span_equal(name, span_text(reasons[i].name))) {
            *out_place = i;
            return true;
        }
    return false;
}

/* ---- a month ---- */

static int64_t day_start(const struct zone *z, int64_t day)
{
    struct civil c = day_civil(day * DAY_S + DAY_S / 2); /* noon, which every day has */
    int64_t at_s;

    if (zone_utc(z, c, &at_s))
        at_s = day * DAY_S + DAY_S / 2 - zone_offset(z, day * DAY_S);
    return zone_day_start(z, at_s);
}

void figure_month_of(const struct zone *z, int32_t year, int32_t month, struct figure_month *out)
{
    *out = (struct figure_month){ .year = year, .month = month };
    out->first_day = (int32_t)day_number(year, (unsigned)month, 1);
    out->days = day_month_length(year, (unsigned)month);
    for (unsigned d = 0; d <= out->days; d++)
        out->at_s[d] = day_start(z, (int64_t)out->first_day + d);
}

static int32_t digits(const uint8_t *at, unsigned count)
{
    int32_t n = 0;

    for (unsigned i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        n = n * 10 + (at[i] - '0');
    }
    return n;
}

bool figure_month_read(struct span text, const struct zone *z, struct figure_month *out)
{
    int32_t year, month;

    if (text.len != 7 || text.at[4] != '-')
        return false;
    year = digits(text.at, 4);
    month = digits(text.at + 5, 2);
    if (year < FIGURE_YEAR_LEAST || year > FIGURE_YEAR_MOST || month < 1 || month > 12)
        return false;
    figure_month_of(z, year, month, out);
    return true;
}

void figure_month_put(const struct figure_month *m, char out[FIGURE_MONTH_SIZE])
{
    snprintf(out, FIGURE_MONTH_SIZE, "%04u-%02u", (unsigned)m->year % 10000u,
             (unsigned)m->month % 100u);
}

unsigned figure_days_over(const struct figure_month *m, int64_t now_s)
{
    unsigned d = 0;

    while (d < m->days && m->at_s[d + 1] <= now_s)
        d++;
    return d;
}

int64_t figure_month_at(const struct figure_month *m, int64_t now_s)
{
    return figure_month_over(m, now_s) ? figure_month_end(m) - 1 : now_s;
}

/* ---- what was read ---- */

static bool is_radio(const struct row *row)
{
    return (row->attr & ATTR_SOURCE) == SOURCE_REMOTE;
}

/* The first row at or after an instant. */
static size_t first_at(const struct rows *rows, int64_t at_s)
{
    size_t low = 0, high = rows->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (rows->at[mid].time_s < at_s)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool takes_part(const struct figure_fitting *f, size_t i)
{
    int64_t at_s = f->rows->at[i].time_s;

    return !f->rules[i] && at_s >= f->fitting.from_s && at_s <= f->fitting.to_s;
}

struct found {
    bool radio, hand;
};

/* Which reads that take part lie in [from_s, to_s). */
static struct found reads_in(const struct figure_fitting *f, int64_t from_s, int64_t to_s)
{
    struct found found = { false, false };

    for (size_t i = first_at(f->rows, from_s); i < f->rows->count && f->rows->at[i].time_s < to_s;
         i++) {
        if (!takes_part(f, i))
            continue;
        if (is_radio(&f->rows->at[i]))
            found.radio = true;
        else
            found.hand = true;
        if (found.radio && found.hand)
            break;
    }
    return found;
}

static struct found reads_of_all(const struct figure_point *p, int64_t from_s, int64_t to_s)
{
    struct found all = { false, false };

    for (size_t i = 0; i < p->count; i++) {
        struct found f = reads_in(&p->fittings[i], from_s, to_s);

        all.radio |= f.radio;
        all.hand |= f.hand;
    }
    return all;
}

/* Whatever became of it. */
static bool heard_in(const struct figure_fitting *f, int64_t from_s, int64_t to_s)
{
    for (size_t i = first_at(f->rows, from_s); i < f->rows->count && f->rows->at[i].time_s < to_s;
         i++)
        if (is_radio(&f->rows->at[i]))
            return true;
    return false;
}

/* The readings that take part on both sides of an instant, the fitting's own indexes included (rules-bills B7). */
struct neighbours {
    bool before, after;
    int64_t before_s, after_s, before_ml, after_ml;
};

static struct neighbours neighbours_of(const struct figure_fitting *f, int64_t at_s)
{
    size_t i = first_at(f->rows, at_s), k = i;
    struct neighbours n = { 0 };

    while (i < f->rows->count && !takes_part(f, i))
        i++;
    if (i < f->rows->count) {
        n.after = true;
        n.after_s = f->rows->at[i].time_s;
        n.after_ml = f->rows->at[i].value;
    } else if (f->fitting.has_end && f->fitting.to_s >= at_s) {
        n.after = true;
        n.after_s = f->fitting.to_s;
        n.after_ml = f->fitting.end_ml;
    }
    if (n.after && n.after_s == at_s) {
        n.before = true;
        n.before_s = n.after_s;
        n.before_ml = n.after_ml;
        return n;
    }
    while (k && !takes_part(f, k - 1))
        k--;
    if (k) {
        n.before = true;
        n.before_s = f->rows->at[k - 1].time_s;
        n.before_ml = f->rows->at[k - 1].value;
    } else if (f->fitting.from_s <= at_s) {
        n.before = true;
        n.before_s = f->fitting.from_s;
        n.before_ml = f->fitting.start_ml;
    }
    return n;
}

static bool is_actual(const struct neighbours *n)
{
    return n->before && n->after && n->after_s - n->before_s <= ACTUAL_S;
}

/* ---- days under a meter ---- */

/* The one fitting that covers the day, or why it is left out. */
static const struct figure_fitting *fitting_of_day(const struct figure_point *p, unsigned d,
                                                   unsigned *out_without)
{
    int64_t from_s = p->month->at_s[d], to_s = p->month->at_s[d + 1];
    const struct figure_fitting *whole = NULL;
    bool touched = false;

    for (size_t i = 0; i < p->count; i++) {
        const struct figure_fitting *f = &p->fittings[i];

        if (f->fitting.from_s >= to_s || f->fitting.to_s <= from_s)
            continue;
        touched = true;
        if (f->fitting.from_s <= from_s && f->fitting.to_s >= to_s)
            whole = f;
    }
    *out_without = !touched                     ? WITHOUT_NO_METER
                   : !whole                     ? WITHOUT_MOVED
                   : whole->suspended >> d & 1u ? WITHOUT_SUSPENDED
                   : !whole->radio              ? WITHOUT_BY_HAND
                                                : WITHOUT_NOTHING;
    return whole;
}

static bool day_counts(const struct figure_point *p, enum figure figure,
                       const struct figure_fitting *f, unsigned d)
{
    int64_t from_s = p->month->at_s[d], to_s = p->month->at_s[d + 1];
    struct neighbours at_start, at_end;

    if (figure == FIGURE_DAYS_READ)
        return reads_in(f, from_s, to_s).radio;
    at_start = neighbours_of(f, from_s);
    at_end = neighbours_of(f, to_s);
    return !is_actual(&at_start) || !is_actual(&at_end);
}

static void days_of(const struct figure_point *p, enum figure figure, figure_each *each, void *arg)
{
    unsigned over = figure_days_over(p->month, p->now_s);

    for (unsigned d = 0; d < over; d++) {
        struct figure_case u = { .figure = figure, .day = p->month->first_day + (int32_t)d };
        const struct figure_fitting *f = fitting_of_day(p, d, &u.without);

        u.meter = f ? f->fitting.meter : 0;
        u.counts = !u.without && day_counts(p, figure, f, d);
        each(arg, &u);
    }
}

/* ---- due reads ---- */

/* The fitting at the cut-off (of two that touch there the later), else the first that begins within the window. */
static const struct figure_fitting *
fitting_of_due(const struct figure_point *p, const struct sheet_day *day, unsigned *out_without)
{
    const struct figure_fitting *f = NULL;

    for (size_t i = 0; i < p->count; i++) {
        const struct fitting *at = &p->fittings[i].fitting;

        if ((at->from_s <= day->cut_s && at->to_s >= day->cut_s) ||
            (!f && at->from_s > day->cut_s && at->from_s <= day->to_s))
            f = &p->fittings[i];
    }
    *out_without = !f ? WITHOUT_NO_METER : WITHOUT_NOTHING;
    return f;
}

/* Where the time ends in which a read is still that of this due day. */
static int64_t deadline(const struct figure_point *p, unsigned d, const struct sheet_day *day)
{
    int64_t end_s = figure_month_end(p->month) + SHEET_NEAR_S;

    for (unsigned next = d + 1; next < p->month->days; next++)
        if (p->due >> next & 1u) {
            end_s = p->month->at_s[next];
            break;
        }
    return end_s > day->to_s ? end_s : day->to_s + 1;
}

static bool was_new(const struct figure_point *p, const struct figure_fitting *f,
                    const struct sheet_day *day)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->fittings[i].fitting.from_s <= day->from_s &&
            p->fittings[i].fitting.to_s >= f->fitting.from_s - 1)
            return false; /* it came in the place of another */
    return f->fitting.from_s > day->from_s;
}

static void due_read(const struct figure_point *p, enum figure figure, unsigned d,
                     figure_each *each, void *arg)
{
    struct sheet_day day = sheet_day_of(p->month->at_s[d], p->month->at_s[d + 1]);
    struct figure_case u = { .figure = figure, .day = p->month->first_day + (int32_t)d };
    const struct figure_fitting *f = fitting_of_due(p, &day, &u.without);
    struct found near, on_day, any;
    bool on_time, seen;

    if (day.to_s > p->now_s)
        return;
    u.meter = f ? f->fitting.meter : 0;
    if (f && f->suspended >> d & 1u)
        u.without = WITHOUT_SUSPENDED;
    else if (f && was_new(p, f, &day))
        u.without = WITHOUT_NEW;
    near = reads_of_all(p, day.from_s, day.to_s + 1);
    on_day = reads_of_all(p, day.cut_s, day.end_s);
    any = reads_of_all(p, day.from_s, deadline(p, d, &day));
    on_time = near.radio || on_day.hand;
    seen = any.radio || any.hand;
    if (figure == FIGURE_MANUAL_SHARE && (u.without || !seen))
        return;
    u.counts = !u.without && (figure == FIGURE_READS_ON_TIME ? on_time
                              : figure == FIGURE_READS_SEEN  ? seen
                                                             : !any.radio);
    each(arg, &u);
}

static void due_reads(const struct figure_point *p, enum figure figure, figure_each *each,
                      void *arg)
{
    for (unsigned d = 0; d < p->month->days; d++)
        if (p->due >> d & 1u)
            due_read(p, figure, d, each, arg);
}

/* ---- no use ---- */

static const struct figure_fitting *fitted_at(const struct figure_point *p, int64_t at_s)
{
    const struct figure_fitting *f = NULL;

    for (size_t i = 0; i < p->count; i++)
        if (p->fittings[i].fitting.from_s <= at_s && p->fittings[i].fitting.to_s >= at_s)
            f = &p->fittings[i];
    return f;
}

/* A roll-over, a re-base, water that went back. */
static bool goes_back(const struct figure_fitting *f, int64_t from_s, int64_t to_s)
{
    int64_t last_ml = INT64_MIN;

    for (size_t i = first_at(f->rows, from_s); i < f->rows->count && f->rows->at[i].time_s <= to_s;
         i++) {
        if (!takes_part(f, i))
            continue;
        if (f->rows->at[i].value < last_ml)
            return true;
        last_ml = f->rows->at[i].value;
    }
    return false;
}

enum figure_use figure_use(const struct figure_point *p)
{
    unsigned over = figure_days_over(p->month, p->now_s);
    int64_t from_s = p->month->at_s[0], to_s = p->month->at_s[over];
    const struct figure_fitting *first = fitted_at(p, from_s), *last = fitted_at(p, to_s);
    struct neighbours start, end;

    if (!over || !first || first != last)
        return FIGURE_USE_ASK;
    start = neighbours_of(first, from_s);
    end = neighbours_of(first, to_s);
    if (!is_actual(&start) || !is_actual(&end))
        return FIGURE_USE_UNREAD;
    if (goes_back(first, start.before_s, end.after_s))
        return FIGURE_USE_ASK;
    return start.before_ml == end.after_ml  ? FIGURE_USE_NONE
           : start.after_ml < end.before_ml ? FIGURE_USE_SOME
                                            : FIGURE_USE_ASK;
}

static uint32_t days_suspended(const struct figure_point *p)
{
    uint32_t days = 0;

    for (size_t i = 0; i < p->count; i++)
        days |= p->fittings[i].suspended;
    return days;
}

static void zero_use(const struct figure_point *p, figure_each *each, void *arg)
{
    unsigned over = figure_days_over(p->month, p->now_s);
    struct figure_case u = { .figure = FIGURE_ZERO_USE };
    enum figure_use use = FIGURE_USE_ASK;
    const struct figure_fitting *first, *last;

    if (!over)
        return;
    u.day = p->month->first_day + (int32_t)over - 1;
    first = fitted_at(p, p->month->at_s[0]);
    last = fitted_at(p, p->month->at_s[over]);
    u.meter = last ? last->fitting.meter : 0;
    if (!p->is_customer)
        u.without = WITHOUT_NOT_CUSTOMER;
    else if (!p->has_account)
        u.without = WITHOUT_VACANT;
    else if (!last)
        u.without = WITHOUT_NO_METER;
    else if (!first)
        u.without = WITHOUT_NEW;
    else if (days_suspended(p))
        u.without = WITHOUT_SUSPENDED;
    else if (p->use_asked)
        use = !p->use_known ? FIGURE_USE_UNREAD : p->use_ml ? FIGURE_USE_SOME : FIGURE_USE_NONE;
    else
        use = figure_use(p);
    if (!u.without && use != FIGURE_USE_NONE && use != FIGURE_USE_SOME)
        u.without = WITHOUT_UNREAD;
    u.counts = !u.without && use == FIGURE_USE_NONE;
    each(arg, &u);
}

/* ---- at the month's end ---- */

static void at_the_end(const struct figure_point *p, enum figure figure, figure_each *each,
                       void *arg)
{
    int64_t at_s = figure_month_at(p->month, p->now_s);
    unsigned over = figure_days_over(p->month, at_s);
    struct figure_case u = { .figure = figure, .day = p->month->first_day + (int32_t)over };
    const struct figure_fitting *f = NULL;

    for (size_t i = 0; i < p->count; i++)
        if (p->fittings[i].fitting.from_s <= at_s && p->fittings[i].fitting.to_s > at_s)
            f = &p->fittings[i];
    if (!f || at_s < p->month->at_s[0])
        return;
    u.meter = f->fitting.meter;
    if (figure == FIGURE_SILENT_METERS) {
        u.without = f->suspended_at_end                          ? WITHOUT_SUSPENDED
                    : !f->radio                                  ? WITHOUT_BY_HAND
                    : f->fitting.from_s > at_s - FIGURE_SILENT_S ? WITHOUT_NEW
                                                                 : WITHOUT_NOTHING;
        u.counts = !u.without && !heard_in(f, at_s - FIGURE_SILENT_S, at_s + 1);
    } else if (figure == FIGURE_OVERDUE_METERS) {
        u.without = f->legal_due == INT32_MIN ? WITHOUT_UNVERIFIED : WITHOUT_NOTHING;
        u.counts = !u.without && f->legal_due < u.day;
    } else {
        u.counts = f->faulty_at_end;
    }
    each(arg, &u);
}

/* ---- exchanges that the law asks for ---- */

static void exchanges(const struct figure_point *p, figure_each *each, void *arg)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct figure_fitting *f = &p->fittings[i];
        int64_t place = (int64_t)f->due_then - p->month->first_day;
        struct figure_case u = { .figure = FIGURE_EXCHANGES_ON_TIME,
                                 .day = f->due_then,
                                 .meter = f->fitting.meter };
        int64_t end_s;

        if (f->due_then == INT32_MIN || place < 0 || place >= (int64_t)p->month->days ||
            f->fitting.from_s >= p->month->at_s[0] || f->fitting.to_s < p->month->at_s[0])
            continue;
        end_s = p->month->at_s[place + 1];
        u.counts = (f->fitting.to_s < end_s && f->fitting.to_s <= p->now_s) || f->renewed;
        if (u.counts || end_s <= p->now_s)
            each(arg, &u);
    }
}

void figure_point_units(const struct figure_point *p, figure_each *each, void *arg)
{
    days_of(p, FIGURE_DAYS_READ, each, arg);
    due_reads(p, FIGURE_READS_SEEN, each, arg);
    due_reads(p, FIGURE_READS_ON_TIME, each, arg);
    due_reads(p, FIGURE_MANUAL_SHARE, each, arg);
    days_of(p, FIGURE_ESTIMATED_DAYS, each, arg);
    zero_use(p, each, arg);
    at_the_end(p, FIGURE_SILENT_METERS, each, arg);
    at_the_end(p, FIGURE_OVERDUE_METERS, each, arg);
    at_the_end(p, FIGURE_FAULTY_METERS, each, arg);
    exchanges(p, each, arg);
}

/* ---- sums ---- */

void figure_group_take(struct figure_group *g, const struct figure_case *u)
{
    struct figure_counts *c = &g->of[u->figure];

    if (u->without) {
        c->without[(unsigned)__builtin_ctz(u->without)]++;
        return;
    }
    c->denominator++;
    c->numerator += u->counts;
}

void figure_group_add(struct figure_group *to, const struct figure_group *from)
{
    for (int f = 0; f < FIGURES; f++) {
        to->of[f].numerator += from->of[f].numerator;
        to->of[f].denominator += from->of[f].denominator;
        for (int r = 0; r < FIGURE_REASONS; r++)
            to->of[f].without[r] += from->of[f].without[r];
    }
}

bool figure_share(const struct figure_counts *c, int64_t *out_hundredths)
{
    if (!c->denominator)
        return false;
    *out_hundredths = (int64_t)((unsigned __int128)c->numerator * 20000u / c->denominator + 1) / 2;
    return true;
}

void figure_group_write(struct wr *w, const struct figure_group *g)
{
    wr_varint(w, FIGURES);
    for (int f = 0; f < FIGURES; f++) {
        const struct figure_counts *c = &g->of[f];
        unsigned told = 0;

        for (int r = 0; r < FIGURE_REASONS; r++)
            told += c->without[r] != 0;
        wr_varint(w, c->numerator);
        wr_varint(w, c->denominator);
        wr_varint(w, told);
        for (int r = 0; r < FIGURE_REASONS; r++) {
            if (!c->without[r])
                continue;
            wr_varint(w, (uint64_t)r);
            wr_varint(w, c->without[r]);
        }
    }
}

enum err figure_group_read(struct rd *r, struct figure_group *out)
{
    struct figure_group g = { 0 };
    uint64_t count = rd_varint(r);

    if (r->err || count > FIGURES)
        return ERR_CORRUPT;
    for (uint64_t f = 0; f < count && !r->err; f++) {
        uint64_t told;

        g.of[f].numerator = rd_varint(r);
        g.of[f].denominator = rd_varint(r);
        told = rd_varint(r);
        if (told > FIGURE_REASONS)
            return ERR_CORRUPT;
        while (told-- && !r->err) {
            uint64_t place = rd_varint(r);

            if (place >= FIGURE_REASONS)
                return ERR_CORRUPT;
            g.of[f].without[place] = rd_varint(r);
        }
    }
    if (r->err)
        return ERR_CORRUPT;
    *out = g;
    return ERR_OK;
}
