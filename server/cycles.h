/* Billing cycles (rules-bills F): which points a cycle has, how they are frozen, and how a determinant is written.
 *
 * Closing sees one state of the world: it holds the settler's place, so the archive stands still, and reads what is settled alone; all its threads read
 * the ledger as it was at one act. What arrives meanwhile is settled afterwards, when the cycle is closed: it becomes an adjustment. */
#ifndef NILO_SERVER_CYCLES_H
#define NILO_SERVER_CYCLES_H

#include "server/point_use.h"

const char *cycle_state_name(enum cycle_state s); /* "open" */

/* Routes are kept as texts, each ended by 0x00. */
bool cycle_route_next(struct span *routes, struct span *out_route);

/* The points on a cycle's routes as known in `t`, by name. */
struct cycle_points {
    size_t count, cap;
    struct cycle_point {
        uint32_t id, name_at; /* in `names`, ended by a zero */
    } *at;
    struct out names;
};
MUST_CHECK enum err cycle_points_load(struct txn *t, struct span routes, struct cycle_points *out); /* `out` zeroed before; done also after an error */
struct scope;
MUST_CHECK enum err cycle_points_in_zone(struct txn *t, struct span zone, struct scope *scope, struct cycle_points *out); /* likewise of a zone; `scope`: only those of its unit, NULL: all */
void cycle_points_done(struct cycle_points *p);
static inline const char *cycle_point_name(const struct cycle_points *p, size_t i)
{
    return p->names.at + p->at[i].name_at;
}

/* The members of a determinant's object, from "cycle" to "revision": `{` before and `}` and a line feed behind make the line that the digest is over. */
struct cycle_line {
    const char *cycle;
    int64_t from_s, to_s, days;
};
struct cycle_line cycle_line_of(const struct app *app, const struct ledger_cycle *c);
void cycle_line_put(struct out *o, const struct cycle_line *line, struct span point, const struct determinant *d);

/* Sums over determinants. */
struct cycle_sums {
    uint64_t points, by_quality[CYCLE_QUALITIES], elsewhere;
    uint64_t edits_waiting; /* for a second person, of instants within the span (server/edits.h) */
    int64_t consumption_ml, billed_m3;
#define CYCLE_MISSING_TOLD 100 /* the first of them by name; all stand in lists */
    size_t missing_count;
    struct cycle_missing {
        char point[64];
        enum missing_why why;
    } missing[CYCLE_MISSING_TOLD];
};
void cycle_sums_add(struct cycle_sums *s, struct span point, const struct determinant *d);

/* A cycle's members in JSON: its facts and marks, and of a closed one what its row says of its determinants; with `sums` also the points that are missing. */
void cycle_put(struct out *o, const struct ledger_cycle *c, const struct cycle_sums *sums);
void cycle_put_digest(struct out *o, const struct ledger_cycle *c); /* the member "digest" */
void cycle_put_sums(struct out *o, const struct cycle_sums *sums);

/* What is needed to make determinants of one cycle. */
struct cycle_maker {
    struct app *app;
    struct cycle_line line;
    int64_t now_s;
    bool anyhow; /* also points that another closed cycle has */
    struct cycle_span {
        uint32_t id;
        int64_t from_s, to_s;
    } *closed; /* all closed cycles but this */
    size_t count;
};
MUST_CHECK enum err cycle_maker_init(struct app *app, struct txn *t, const struct ledger_cycle *c, int64_t now_s, struct cycle_maker *out);
void cycle_maker_done(struct cycle_maker *m);
/* *out_elsewhere: another closed cycle has the point over a part of the span; then there is no determinant. Its account is a view into `t`. */
MUST_CHECK enum err cycle_make(const struct cycle_maker *m, struct txn *t, uint32_t point, struct span name, struct point_use *u, struct determinant *out,
                               bool *out_elsewhere);

/* Whether the closed cycle that has the point and ends where this one begins froze it as estimated. */
MUST_CHECK enum err cycle_estimated_before(const struct cycle_maker *m, struct txn *t, struct span point, bool *out);

/* Stages the determinants of a cycle that is not closed, in the settler's place (settler_lend), and fills what the cycle's row says of them: the act that puts it makes
 * them count. Before an error comes back they are dropped. STOPPING. */
MUST_CHECK enum err cycle_stage(struct app *app, struct ledger_cycle *c, int64_t now_s, struct cycle_sums *out);

/* What a closing that was cut off left behind; at the start. */
MUST_CHECK enum err cycles_tidy(struct app *app);

#endif
