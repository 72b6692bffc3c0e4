/* A meter's life by the state table (rules-fleet T, L): what holds after events, and whether one more may be taken.
 *
 *     events in order of (at, arrival) → life_fold → what holds at an instant → life_judge: may this one come in?
 *
 * The table is life.def: one line an event.  Pure; texts are borrowed from the caller's events. */
#ifndef NILO_SERVER_FLEET_LIFE_H
#define NILO_SERVER_FLEET_LIFE_H

#include "proto/life.h"
#include "server/fleet/verify.h"

const char *life_state_name(enum life_state s);                                      /* "in-stock"; NULL for LIFE_NONE */
bool life_state_read(struct span name, enum life_state *out);                        /* false: no such state */
const char *event_name(enum life_kind k);                                            /* "to-lab" */
bool event_read(struct span name, enum life_kind *out);                              /* false: no such event */
unsigned event_from(enum life_kind k);                                               /* the set of states (LIFE_BIT) from which it is allowed */
unsigned event_needs(enum life_kind k, enum life_state at);                          /* required texts as 1 << enum event_text: `resume` needs a note from faulty alone */
bool event_needs_index(enum life_kind k);                                            /* install, remove */
bool event_needs_point(enum life_kind k);                                            /* install */
bool event_needs_result(enum life_kind k);                                           /* inspect */
void life_states_say(unsigned set, struct wr *out);                                  /* "received, verified or no recorded life" */

/* What does not change while a life is judged. */
struct life_meter {
    const char *serial;
    enum life_state imported;     /* what it was before its first event; LIFE_NONE */
    struct verify_meter verify;   /* for the legal calendar */
    const struct zone *zone;      /* civil days */
};

/* What holds after the events up to an instant. */
struct life {
    enum life_state state;
    int64_t since_s;              /* of the event that led here; INT64_MIN: imported */
    bool ever_fitted;
    bool ever_verified;           /* by its row or an event so far */
    uint32_t point;               /* where it is fitted; 0 */
    int64_t fitted_s;             /* since when; counts while fitted */
    int64_t start_ml;             /* its opening index; likewise */
    enum life_state lost_from;    /* counts while lost; LIFE_NONE: nobody knows */
    struct span crew;             /* who has it, while issued; else empty */
    struct span depot;            /* told last; it lies there while verified, in stock, received, rejected, removed, at the laboratory or retired; empty: not told */
    struct span lost_crew;        /* to whom it returns when it is found */
};

/* Events come by (at_s, arrival). Those recorded after known_s are not known yet (INT64_MAX: all are). They are taken as they are, nothing
 * is judged; an imported install leads to running whatever the state, an imported remove to removed. */
void life_begin(struct life *l, const struct life_meter *m);
void life_step(struct life *l, const struct life_event *e);
void life_fold(const struct life_meter *m, const struct life_event *events, size_t count, int64_t at_s, int64_t known_s, struct life *out);

/* The verifications that count on a civil day: of that day or earlier (L13, V2), from the meter's row and its `verify` events, whatever
 * the order in which they were recorded. */
void life_legal(const struct life_meter *m, const struct life_event *events, size_t count, int32_t day, int64_t known_s, struct legal *out);

/* The fittings that follow from a life, in order of from; at most `cap` are written, the number of all of them comes back. `reason` of
 * fittings[i] is reasons[i] (may be NULL): the remove's, else that of an imported install. */
size_t life_fittings(const struct life_event *events, size_t count, uint32_t meter, struct fitting *fittings, struct span *reasons, size_t cap);

/* Where an event would stand among `events`: after those of its second that came before it. */
size_t life_place(const struct life_event *events, size_t count, const struct life_event *e);

/* ---- may it come in? ---- */

struct life_refusal {
    const char *field;  /* "event", "at", …; where facts are missing `fields` */
    char fields[120];   /* "point, index_l" */
    char text[640];     /* one sentence: what stands against it, and from which states it would be allowed */
};
struct life_warnings {
    bool unverified;     /* installed without a state and any verification (L6) */
    bool under_a_year;   /* issued with less than a year left (V10) */
    int32_t legal_due;   /* at the event's own day; NO_DAY */
};

/* Facts first: INVALID, with all missing fields named at once (R4, T), an impossible day (T1), an `overrule` without a note (L7). `e` has no arrival yet. `overrule`: the body said so. The
 * state at its place decides what `resume` needs: where the event is not allowed at all, its facts are judged as from any state. */
MUST_CHECK enum err life_facts(const struct life_meter *m, const struct life_event *events, size_t count, const struct life_event *e, bool overrule,
                               struct life_refusal *why);
/* Then the table and what else stands against it: CONFLICT, by L2, L3, L6, L9, V7. Events that stand before `e` were judged when they came and are not judged again; one after it is a
 * reason to refuse `e` only where it becomes wrong by it: against the table or its facts where it was not, against the calendar where it was right. */
MUST_CHECK enum err life_judge(const struct life_meter *m, const struct life_event *events, size_t count, const struct life_event *e,
                               struct life_warnings *warnings, struct life_refusal *why);

enum life_verdict { LIFE_RIGHT, LIFE_AGAINST_RULES, LIFE_AGAINST_TABLE }; /* the later the worse */
/* Of events[place] where it stands; imported events are not judged: right. `why` says what stands against it, unless it is right. */
enum life_verdict life_verdict(const struct life_meter *m, const struct life_event *events, size_t count, size_t place, struct life_refusal *why);

#endif
