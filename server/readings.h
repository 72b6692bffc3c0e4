/* A meter's readings, settled or not, as one: what every query, rule and judgement reads.  Any thread. */
#ifndef NILO_SERVER_READINGS_H
#define NILO_SERVER_READINGS_H

#include "server/app.h"

/* All kept rows of a channel with from_s ≤ time < to_s, tidied (rows_tidy). `out` is cleared first. */
MUST_CHECK enum err readings_load(struct app *app, const struct meter_facts *m, enum channel c, int64_t from_s, int64_t to_s, struct rows *out);

/* The same by a reader of the archive, for whoever asks about many meters; NULL: a read of its own. */
MUST_CHECK enum err readings_load_by(struct app *app, struct archive_reader *reader, const struct meter_facts *m, enum channel c, int64_t from_s, int64_t to_s, struct rows *out);
MUST_CHECK enum err readings_vitals_by(struct app *app, struct archive_reader *reader, const struct meter_facts *m, struct vitals *out);

/* The channels the meter has rows on: a set of 1 << channel. */
MUST_CHECK enum err readings_channels(struct app *app, const struct meter_facts *m, unsigned *out_set);

/* Whether the meter has a value below 0 on CHANNEL_FORWARD, at any time. */
MUST_CHECK enum err readings_below_zero(struct app *app, const struct meter_facts *m, bool *out_below);

/* The rows that one journal record holds for the meter, a channel at a time, oldest first.  Used by settling and by reads of the
 * tail: one decoder for both.  `each` returns an error to end it; `scratch` is emptied first.  A PEER error: the record does not
 * read any more; CORRUPT. */
struct arena *readings_scratch(void); /* the calling thread's own, emptied; NULL without memory */
typedef enum err readings_each(void *arg, enum channel c, const struct row *rows, size_t count);
struct kept_record {
    struct record record;
    uint64_t position;
    bool settling; /* by the settling thread: what it says of commands counts */
};
/* `vitals`: what the frames before said of the meter itself, in the order of the journal; this one is held against it and taken into it.
 * A repeat has no rows; REPLAYED (class WAIT): played back, it counts for nothing. NULL: every frame counts. */
MUST_CHECK enum err readings_of_record(struct app *app, const struct kept_record *kept, const struct meter_facts *m, struct arena *scratch,
                                       readings_each *each, void *arg, struct vitals *vitals);

/* What the meter last said of itself; zeroed where it was never vitals. */
MUST_CHECK enum err readings_vitals(struct app *app, const struct meter_facts *m, struct vitals *out);

#endif
