/* Day sheets of routes (handbook §8): every point in walking order with what was read, by radio and by hand, for one civil day, loaded from the store and judged by
 * server/billing/daysheet.h.  Points stand on a route as known now. */
#ifndef NILO_SERVER_ROUTES_H
#define NILO_SERVER_ROUTES_H

#include "server/app.h"
#include "server/billing/daysheet.h"
#include "server/out.h"
#include "server/registers.h"
#include "server/route_facts.h"

/* At which the register of a point is asked for, by time: the ends of the civil days that a day's use and checks rest on, and of 28 times 24 h.  Those of all points are the same. */
#define SHEET_INSTANTS_MOST 160 /* 62 days, as many again, and some; one place stays free */
struct sheet_instants {
    bool fit; /* false: there are more than find room */
    size_t count;
    int64_t at[SHEET_INSTANTS_MOST];
};

/* A route's day: which instants belong to it, and whether the route's days say that it is one. */
struct route_day {
    uint32_t route;             /* id of its row */
    int32_t day;                /* days since 1970-01-01 */
    bool due_known, due;        /* due_known: its `days` can be read */
    struct sheet_day span;
    int64_t since_s;            /* the cut-off of the route's day before: use and checks are of the time from there to this cut-off */
};
struct route_day route_day_of(const struct app *app, const struct ledger_row *route, int32_t day);

/* Texts of a sheet's rows: a place in its `texts`. */
struct sheet_text {
    uint32_t at, len;
};

struct sheet_row {
    uint32_t point; /* id */
    struct sheet_text name, account, address;
    int64_t seq; /* its place on the route; -1: none */
    uint32_t meter;
    char serial[SERIAL_MAX + 1]; /* "": no meter */
    uint32_t cell;               /* radio cell; 0: not known */
    struct sheet_facts facts;
    struct meter_facts facts_meter;
    bool use_known;
    int64_t use_ml; /* since the route's day before */
    struct check_told told[CHECK_COUNT]; /* of facts.checks */
    enum sheet_state state;
    enum sheet_reason reason;
    enum sheet_state judged; /* by what is known now alone */
    enum sheet_reason judged_reason;
    /* What was decided; texts are views into the sheet's. */
    struct sheet_text line_bytes, dispute_bytes;
    bool is_signed, has_dispute;
    bool changed; /* what is known now is not what was signed */
    struct route_line line;
    struct route_dispute dispute;
};
static inline bool sheet_is_disputed(const struct sheet_row *row)
{
    return row->has_dispute && !row->dispute.resolved_s;
}

#define SHEET_POINTS_MOST 50000 /* of one route: a hundred times what a person walks in a day */
struct route_sheet {
    struct route_day day;
    size_t count;
    struct sheet_row *rows; /* in walking order; behind them points that were signed on it and have left the route */
    struct out texts;
    bool is_signed;
    struct route_signed signature; /* likewise views into `texts` */
    struct sheet_text signature_bytes;
};
/* As of now_s. LIMIT: more points than SHEET_POINTS_MOST; CORRUPT, NO_MEMORY, IO. Free with route_sheet_done, also after an error. */
MUST_CHECK enum err route_sheet_load(struct app *app, struct txn *t, struct span route, const struct route_day *day, int64_t now_s, struct route_sheet *out);
void route_sheet_done(struct route_sheet *s);
static inline struct span sheet_span(const struct route_sheet *s, struct sheet_text t)
{
    return span_of(s->texts.at + t.at, t.len);
}

/* A row as it would be signed now, with a remark (empty: none); borrows from the row. */
struct route_line sheet_line(const struct sheet_row *row, struct span remark);
/* The members of a signed line from "point" to "remark": `{` before and `}` and a line feed behind make the line that the digest is over. */
void route_line_put(struct out *o, struct span point, const struct route_line *line);

/* ---- one point ---- */

/* Fills the meter, the reads, use and checks of a row whose `point` is set, but not what its silence is due to. `day` is borrowed by the row. */
MUST_CHECK enum err sheet_point_load(struct app *app, struct txn *t, const struct route_day *day, const struct sheet_instants *instants, int64_t now_s,
                                     struct sheet_row *row);
void sheet_instants_of(const struct app *app, const struct route_day *day, struct sheet_instants *out);

/* Rows of a meter's billed channel that hold those of [from_s, to_s), with verdicts that are right there (server/billing/verdicts.h); `rules` malloc'd. */
MUST_CHECK enum err sheet_rows_load(struct app *app, const struct meter_facts *m, const struct fittings *of_meter, int64_t from_s, int64_t to_s, struct rows *out,
                                    enum rule **rules);

#endif
