/* Edits as people ask for them: what one would change, by what is known now, and how it is written.  The rule itself: server/billing/edit.h.  Any thread. */
#ifndef NILO_SERVER_EDITS_H
#define NILO_SERVER_EDITS_H

#include "server/point_use.h"

const char *edit_state_name(unsigned state); /* "in-force" */
bool edit_state_read(struct span name, enum edit_state *out);
const char *edit_state_en(unsigned state); /* a sentence */
const char *edit_state_zh(unsigned state);

bool edit_id_read(struct span text, uint64_t *out); /* "12" */

/* The meter that was on the point at an instant, its own indices aside. */
enum edit_place { EDIT_PLACE_FOUND, EDIT_PLACE_NONE /* no meter was there */, EDIT_PLACE_OWN_INDEX /* it came or went at that very instant */ };
MUST_CHECK enum err edit_place(struct txn *t, uint32_t point, int64_t at_s, enum edit_place *out, struct fitting *out_fitting);

/* What an edit changes. */
struct edit_weighed {
    bool beaten;           /* another reading of its instant goes before it: */
    int64_t reading_ml;
    enum rule rule;        /* why it takes no part; RULE_NONE: it does */
    bool has_before, has_after; /* what takes part around it, without it */
    struct row before, after;
    bool same;             /* a reading says just that */
    bool delta_known;
    int64_t delta_ml;      /* how far it moves the register at its instant */
    bool span_known, span_known_then;
    int64_t span_ml, span_then_ml; /* the figure of [span_from_s, at_s) without it, and with it */
};
/* `e`: not in force; its point, meter, at_s, index_ml, has_instead, instead_ml and span_from_s count, and `fitting` is that of its place. What point_use_load fails with. */
MUST_CHECK enum err edit_weigh(struct app *app, struct txn *t, const struct ledger_edit *e, const struct fitting *fitting, int64_t now_s, struct edit_weighed *out);

/* The reading of an instant that goes on; as known now. */
MUST_CHECK enum err edit_reading_at(struct app *app, const struct meter_facts *m, int64_t at_s, bool *out_has, int64_t *out_ml);

/* What the dial must have shown at to_s for the point to have used `litres_ml` over [from_s, to_s); the meter of to_s is on the dial. False: the register at the begin of
 * the last part is not known, or the parts before used more. */
MUST_CHECK enum err edit_index_for(struct app *app, struct txn *t, uint32_t point, int64_t from_s, int64_t to_s, int64_t litres_ml, int64_t now_s, bool *out_has,
                                   int64_t *out_ml);

/* An edit in force, or one that waits to be, of this meter and instant at the point; false: none, or t->err. */
bool edit_there(struct txn *t, uint32_t point, uint32_t meter, int64_t at_s, struct ledger_edit *out);

/* The members of an edit in JSON, of edit_members.def. CORRUPT where its point or meter is not registered. */
MUST_CHECK enum err edit_put(struct out *o, struct txn *t, const struct ledger_edit *e);

#endif
