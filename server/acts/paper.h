/* Papers of the store: notes with numbers, and the meters that stand on them.  A paper's name is its kind and its number,
 * "issue:IS-2026-000001"; one kind has a number once.
 *
 * INDEX_PAPERS   'n' · kind 00 · year u16 → the last number that we gave
 *                'l' · paper 00 · serial 00 · what u8 · state u8 · holder kind u8 · holder 00 → meter, 0: not registered */
#ifndef NILO_SERVER_ACTS_PAPER_H
#define NILO_SERVER_ACTS_PAPER_H

#include "server/acts/event_priv.h"
#include "server/acts/register.h"
#include "server/paper_lines.h"

struct paper {
    const char *kind; /* an event's name, or delivery, stocktake, sample, receipt */
    char number[PAPER_NUMBER_MAX + 1], name[PAPER_NAME_MAX + 1];
    int64_t at_s;
    struct span batch, depot, crew, note;
    struct out facts; /* an object's members, as JSON; the caller frees it */
    uint64_t meters;  /* those that it is about */
    uint64_t lines;
};

bool paper_number_fits(struct span number); /* 1 to PAPER_NUMBER_MAX bytes in one line */
/* Takes `number`, or the next of our own where it is "auto"; `field` is what the body calls it. False: refused (409: that kind has it; 422: too long). */
bool paper_open(struct paper *p, const struct zone *zone, struct act *act, struct act_reply *out, const char *kind, struct span number, const char *field,
                int64_t at_s);
void paper_line(struct paper *p, struct act *act, const struct paper_line *line);
/* Writes the paper's row and its audit record; errors stick in act->txn. */
void paper_close(struct paper *p, struct act *act);

/* The answer that shows the paper as it was written, with 201; the act must not be ended yet. */
void paper_answer(const struct paper *p, struct act *act, struct act_reply *out, const struct warnings *w);

/* `serials`: a list of 1 to `most` serials, each once. False: refused. */
bool serials_read(const json_t *serials, unsigned most, struct act_reply *out);
#define SERIALS_MAX 100000 /* a depot's; what fits a body of 1 MB is less where serials are long */

/* The row that a name in the body means must be registered, where it is there at all; false: 404. */
bool paper_names(struct act *act, struct act_reply *out, enum list_kind kind, const char *field, struct span name);

#endif
