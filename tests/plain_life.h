/* A plain model of meters' lives (rules-fleet T, L, V): the table as words, copied from the rules' page, and every question answered by
 * beginning anew with the first event.  Slow, and without a line of the program's own code; civil time is eight hours ahead of UTC. */
#ifndef NILO_TESTS_PLAIN_LIFE_H
#define NILO_TESTS_PLAIN_LIFE_H

#include "proto/life.h"

#define PLAIN_EVENTS_MOST 256

struct plain_line {
    const char *event, *from, *to, *facts; /* words with blanks between them; "-": no recorded life */
};
extern const struct plain_line plain_page[EVENT_KINDS]; /* in the order of enum life_kind */

bool plain_word(const char *words, const char *word); /* whether it is one of them */
bool plain_is_fitted(const char *state);

struct plain_meter {
    bool limited;            /* six years, once; else two years */
    int32_t life_months;     /* 0: no own period */
    int32_t row_verified_on; /* NO_DAY */
    const char *imported;    /* "-" */
};

struct plain_life {
    char state[16], lost_from[16]; /* lost_from: "" where nobody knows */
    bool fitted, verified;         /* ever */
    uint32_t point;
};

size_t plain_place(const struct life_event *events, size_t count, int64_t at_s); /* behind those of that second */
struct plain_life plain_before(const struct plain_meter *m, const struct life_event *events, size_t n); /* what holds before events[n] */
int32_t plain_due(const struct plain_meter *m, const struct life_event *events, size_t count, int32_t on); /* by verifications up to that day; NO_DAY */

/* Of events[n] at its place: 0 right, 1 against the calendar, 2 against the table. */
int plain_verdict(const struct plain_meter *m, const struct life_event *events, size_t count, size_t n);
/* L3: it is right at its place, and makes none behind it worse. */
bool plain_takes(const struct plain_meter *m, const struct life_event *events, size_t count, const struct life_event *e);

/* Fittings in the order of their begin, at most `cap` of them; all are counted. Without indexes. */
size_t plain_fittings(const struct plain_meter *m, const struct life_event *events, size_t count, uint32_t meter, struct fitting *out, size_t cap);

#endif
