/* Figures of a civil month (KPI, 考核指标): shares with their numerator, denominator and what is left out of them, each counted by itself.  The table is figures.def.
 *
 *     facts of a point, a route's day, a bill or an order → units, one a day and thing → counts → sums up the tree of org units
 *
 * Numerators and denominators add; a share is made of sums alone, never of shares.  Pure: the caller loads rows with their verdicts.  Times are Unix seconds, volumes millilitres. */
#ifndef NILO_SERVER_BILLING_FIGURES_H
#define NILO_SERVER_BILLING_FIGURES_H

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/billing/daysheet.h"

#define FIGURE_REASON(id, name, en, zh) WITHOUT_##id##_PLACE,
enum figure_reason_place {
#include "server/billing/figures.def"
    FIGURE_REASONS
};
#define FIGURE_REASON(id, name, en, zh) WITHOUT_##id = 1u << WITHOUT_##id##_PLACE,
enum figure_reason {
    WITHOUT_NOTHING = 0,
#include "server/billing/figures.def"
};
#define FIGURE(id, name, source, reasons, aim, target, en, zh, numerator_en, numerator_zh, denominator_en, denominator_zh, basis) FIGURE_##id,
enum figure {
#include "server/billing/figures.def"
    FIGURES
};

enum figure_source { FIGURES_OF_POINT, FIGURES_OF_BILL, FIGURES_OF_ROUTE, FIGURES_OF_ORDER, FIGURE_SOURCES };

struct figure_row {
    const char *name;
    enum figure_source source;
    unsigned reasons; /* a set of enum figure_reason */
    bool more_is_better;
    int32_t target; /* hundredths of a percent; -1: none */
    const char *text_en, *text_zh, *numerator_en, *numerator_zh, *denominator_en, *denominator_zh, *basis;
};
const struct figure_row *figure_row(enum figure f);
bool figure_read(struct span name, enum figure *out);                /* false: no such figure */
const char *figure_reason_name(unsigned place);                      /* "no-meter" */
const char *figure_reason_en(unsigned place);
const char *figure_reason_zh(unsigned place);
bool figure_reason_read(struct span name, unsigned *out_place);      /* false: no such reason */

/* ---- a month ---- */

#define FIGURE_DAYS_MOST 31
#define FIGURE_YEAR_LEAST 2000
#define FIGURE_YEAR_MOST 2105 /* the last whole one of 32-bit seconds */

struct figure_month {
    int32_t year, month;  /* month from 1 */
    int32_t first_day;    /* days since 1970-01-01 */
    unsigned days;
    int64_t at_s[FIGURE_DAYS_MOST + 1]; /* where each civil day begins, and where the last one ends */
};
/* "2026-03"; false: it is none, or out of bounds. */
bool figure_month_read(struct span text, const struct zone *z, struct figure_month *out);
void figure_month_of(const struct zone *z, int32_t year, int32_t month, struct figure_month *out);
#define FIGURE_MONTH_SIZE 8
void figure_month_put(const struct figure_month *m, char out[FIGURE_MONTH_SIZE]); /* "2026-03" */
static inline uint32_t figure_month_number(const struct figure_month *m) /* 202603 */
{
    return (uint32_t)m->year * 100u + (uint32_t)m->month;
}
static inline int64_t figure_month_end(const struct figure_month *m)
{
    return m->at_s[m->days];
}
static inline bool figure_month_over(const struct figure_month *m, int64_t now_s)
{
    return now_s >= figure_month_end(m);
}
unsigned figure_days_over(const struct figure_month *m, int64_t now_s); /* how many of its days are over */
/* What is told of the month's end: its last second, of a month that is not over now. */
int64_t figure_month_at(const struct figure_month *m, int64_t now_s);

/* ---- what is counted ---- */

/* One thing on one day. */
struct figure_case {
    enum figure figure;
    unsigned without; /* one of enum figure_reason: it is left out; 0: it stands in the denominator */
    bool counts;      /* in the numerator, too */
    int32_t day;      /* a civil day of the month */
    uint32_t meter;   /* id; 0: it is about none */
};
typedef void figure_each(void *arg, const struct figure_case *u);

#define FIGURE_NEAR_S (3 * SHEET_NEAR_S) /* what is read before and after the month: a neighbour within 36 h (rules-bills C2), silence of 3 days */
#define FIGURE_SILENT_S (3 * 86400)

struct figure_fitting {
    struct fitting fitting;
    const struct rows *rows;  /* of the billed channel, FIGURE_NEAR_S around the month at least, in rows_tidy order */
    const enum rule *rules;   /* their verdicts */
    bool radio;               /* it has a dialect or a radio name, or something of it came by radio up to the month's end */
    uint32_t suspended;       /* days of the month on which it was suspended at any time, 1 << (day of month - 1) */
    bool suspended_at_end, faulty_at_end; /* at figure_month_at */
    int32_t legal_due;        /* at figure_month_at; NO_DAY as INT32_MIN: never verified */
    int32_t due_then;         /* as of the day before the month; INT32_MIN likewise */
    bool renewed;             /* verified anew by the end of due_then, so that it is due later */
};

struct figure_point {
    const struct figure_month *month;
    int64_t now_s;
    const struct figure_fitting *fittings; /* those that touch the month, by from_s */
    size_t count;
    uint32_t due;       /* days of its route, as above */
    bool has_account, is_customer;
    bool use_asked;     /* the caller looked: use_known and use_ml count */
    bool use_known;     /* over the days that are over: by actual reads at both ends */
    int64_t use_ml;
};

/* Whether a point has no use over the month's days so far, where that can be said without counting: FIGURE_USE_ASK where it cannot (several meters, registers that
 * go back, a rise that spans an end). */
enum figure_use { FIGURE_USE_NONE, FIGURE_USE_SOME, FIGURE_USE_UNREAD, FIGURE_USE_ASK };
enum figure_use figure_use(const struct figure_point *p);

/* The units of FIGURES_OF_POINT, by figure, then day. */
void figure_point_units(const struct figure_point *p, figure_each *each, void *arg);

/* ---- sums ---- */

struct figure_counts {
    uint64_t numerator, denominator, without[FIGURE_REASONS];
};
struct figure_group {
    struct figure_counts of[FIGURES];
};
void figure_group_take(struct figure_group *g, const struct figure_case *u);
void figure_group_add(struct figure_group *to, const struct figure_group *from);

/* Percent in hundredths, rounded half away from zero; false: nothing is in the denominator. */
bool figure_share(const struct figure_counts *c, int64_t *out_hundredths);

/* The bytes of a group as a closed month keeps them: what was no figure then counts as nothing. CORRUPT. */
#define FIGURE_GROUP_ROOM (8 + FIGURES * (22 + 22 + 8 + FIGURE_REASONS * 12))
void figure_group_write(struct wr *w, const struct figure_group *g);
MUST_CHECK enum err figure_group_read(struct rd *r, struct figure_group *out);

#endif
