/* The judge: readings → detectors → flags.  Flags follow from the readings, the register and the
 * births in the ledger, never from the order in which readings came: after any history
 * judge_rebuild finds the same table, byte for byte.
 *
 *   judge_pass, judge_pass_new, judge_rebuild   the settling thread, or in its place (settler_lend); they
 *                                               take all cores (app->judges), to the same end as one
 *   flags_each, flag_of                         any thread
 *
 * A flag's birth (its id, and what was told first) is a ledger fact. An episode that the readings
 * show keeps the id of the birth of its kind with the same onset, else of the first one that
 * overlaps it; without one it is born.  A birth that the readings no longer bear out is listed as
 * withdrawn, with the evidence it was told with. */
#ifndef NILO_SERVER_JUDGE_H
#define NILO_SERVER_JUDGE_H

#include "server/app.h"

/* Judges meters (ids ascending, each once) anew from all their readings: right whatever happened to them.
 * Slices of 4 096 meters are kept as a whole or not at all: what an error or a stop (STOPPING) leaves over is
 * to be judged again. */
MUST_CHECK enum err judge_pass(struct app *app, const uint32_t *meters, size_t count,
                               int64_t now_s);

/* A meter with new readings, and the time of the earliest of them on any channel; 0: its past,
 * facts or fittings changed.  Where that is later than all that was folded, only what is new is
 * read. */
struct judge_news {
    uint32_t meter, first_s;
    unsigned news; /* a set of NEWS_…: what is new of it beside readings */
};
enum {
    NEWS_DATE = 1,   /* its legal due date has passed */
    NEWS_VITALS = 2, /* it said something of itself */
    NEWS_READINGS = 4, /* the judge's own: what was loaded of it holds readings, */
    NEWS_DIALS = 8,    /* among them dial reads, or later ones that decide what those meant; */
    NEWS_HOUSE = 64,   /* a week of the house that it belongs to can be judged, or something came late of that */
    NEWS_MONTH = 128,  /* or among them the first after a day on which it is to be looked at (server/detect/monthly.h) */
    NEWS_PAST = 256,   /* what it said of itself over time has become another (proto/past.h) */
    NEWS_SILENCE = 32, /* its silence has become another, or is over */
    NEWS_REGISTER = 16 /* or its past, facts or fittings changed, so all is made anew */
};
#define JUDGE_NO_READING UINT32_MAX /* first_s: none is new */
MUST_CHECK enum err judge_pass_new(struct app *app, const struct judge_news *news, size_t count,
                                   int64_t now_s);

/* All meters from nothing, and every mark of views set. */
MUST_CHECK enum err judge_rebuild(struct app *app);

/* Whether views were never judged (they were deleted), or by other detectors, holidays or civil
 * time than now: then every meter is to be judged, and judge_mark says that it was, in the views'
 * transaction that ends it. */
MUST_CHECK enum err judge_outdated(struct app *app, bool *out_outdated);
void judge_mark(struct app *app, struct txn *views);
void judge_unmark(struct txn *views); /* as if nobody had judged */

/* The newest index of the billed channel that a later reading bore out (of a single reading: it), in the fitting that began at `fitting_from_s`: what the meter itself sent, as far as readings were folded.
 * False: none, or views->err. */
struct judge_index {
    int64_t index_ml, at_s;
};
bool judge_index(struct txn *views, uint32_t meter, int64_t fitting_from_s, struct judge_index *out);

size_t judge_state_bytes(void); /* what is remembered of a meter between passes */

/* ---- flags as they are listed ---- */

enum flag_state {
    FLAG_OPEN,
    FLAG_CLEARED,
    FLAG_CONFIRMED,
    FLAG_DISMISSED,
    FLAG_WITHDRAWN,
    FLAG_STATES
};

const char *flag_state_name(enum flag_state s);                                    /* "open" */
MUST_CHECK enum err flag_state_read(struct span name, enum flag_state *out_state); /* NOT_FOUND */
const char *severity_name(enum severity s);                                        /* "low" */

#define FLAG_ID_SIZE 48 /* "0000002a-reversed-69a1b2c3" and its zero */
#define FLAG_TEXT_SIZE 512

struct flag {
    char id[FLAG_ID_SIZE];
    const struct detector *kind;
    uint32_t meter, point; /* dense ids; the point of the fitting that was judged */
    struct meter_facts meter_facts;
    struct point_facts point_facts;
    struct meter_facts other; /* that its evidence names; id 0: none */
    int64_t fitting_from_s;
    struct verdict verdict; /* as the readings show it now; a withdrawn one as it was told */
    int64_t told_s;         /* `raised_at`: the clock when it was first told */
    enum flag_state state;  /* what people said goes before what the readings say */
    bool ended; /* the readings show its end: verdict.cleared_s counts, whatever `state` */
    struct flag_decision decision; /* state 0: nobody has said anything */
    char zone[64]; /* of a zone without water its name; "": it is another flag */
    char text_en[FLAG_TEXT_SIZE], text_zh[FLAG_TEXT_SIZE];
};

/* What is asked for; zeroed: all. */
struct flag_filter {
    const struct detector *kind; /* NULL: any */
    unsigned states;             /* a set of 1 << enum flag_state; 0: any */
    int64_t since_s;             /* told at or after */
    uint32_t meter;              /* 0: any */
    struct span after;           /* ids above this one */
};

/* Calls `each` in order of id; false from it ends the walk. The flag is borrowed for the call. */
MUST_CHECK enum err flags_each(struct app *app, const struct flag_filter *filter,
                               bool (*each)(void *arg, const struct flag *f), void *arg);
uint32_t flag_meter(struct span id); /* of which an id says it is; 0: it is no id, or an outage's */
/* The subject of an outage for people: "31415926" a radio cell, "0a1b2c3d" a gateway, "all". Of a zone without water: "". */
#define FLAG_CELL_SIZE 16
void flag_cell(const struct verdict *v, char out[FLAG_CELL_SIZE]);
/* Of an outage the point by which it belongs to an org unit; 0: to none, or it is no outage. */
uint32_t flag_outage_point(struct txn *ledger, struct span id);
MUST_CHECK enum err flag_of(struct app *app, struct span id, struct flag *out); /* NOT_FOUND */

/* Those of the calendar (overdue) by onset, then serial (rules-fleet V14), whatever kind the filter
 * names: filter->after is the cursor of the row before. `cursor`: of the flag at hand, a view; `f`
 * NULL: one that is not wanted. */
MUST_CHECK enum err flags_dated_each(struct app *app, const struct flag_filter *filter,
                                     bool (*each)(void *arg, const struct flag *f,
                                                  struct span cursor),
                                     void *arg);

/* As flags_each, without what costs: facts of meter and point, and texts. */
struct flag_head {
    const char *id;
    const struct detector *kind;
    uint32_t meter, point;
    int64_t fitting_from_s;
    const struct verdict *verdict;
    enum flag_state state;
    bool ended;
};
MUST_CHECK enum err flag_heads_each(struct app *app, const struct flag_filter *filter,
                                    bool (*each)(void *arg, const struct flag_head *f), void *arg);

/* A meter's flags that a person confirmed, in order of kind and onset, each with the onset it was told with; false from `each` ends it. CORRUPT, NO_MEMORY, ledger->err. */
MUST_CHECK enum err flags_confirmed(struct txn *ledger, uint32_t meter, bool (*each)(void *arg, const char *kind, int64_t fitting_from_s, int64_t onset_s), void *arg);

#endif
