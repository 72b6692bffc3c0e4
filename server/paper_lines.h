/* The lines of papers: which meters stand on a note, and what was found of each.  Written by server/acts/paper.c, read by whoever
 * shows a paper; keys of INDEX_PAPERS are made and read here alone. */
#ifndef NILO_SERVER_PAPER_LINES_H
#define NILO_SERVER_PAPER_LINES_H

#include "server/lives.h"
#include "server/out.h"

#define PAPER_NUMBER_MAX 48
#define PAPER_NAME_MAX 63
#define PAPER_HOLDER_MAX 63 /* of a longer name of a crew or depot the beginning */

/* Numbers stand on disk. */
enum line_what {
    LINE_DONE = 1,    /* the event of the note was recorded */
    LINE_MISSING,     /* a stocktaking: the register says here, nobody counted it */
    LINE_SURPLUS,     /* counted; the register says elsewhere */
    LINE_UNKNOWN,     /* not registered */
    LINE_OTHER_BATCH, /* a delivery: the register says another batch */
    LINE_OTHER_MODEL,
    LINE_OTHER_STATE, /* its state does not allow what the paper is about */
    LINE_PASS,        /* a sample's meter */
    LINE_FAIL,
    LINE_WHATS
};
const char *line_what_name(enum line_what what); /* "missing" */

struct paper_line {
    struct span serial;
    uint32_t meter; /* 0: not registered */
    enum line_what what;
    enum life_state state; /* as the register had it then */
    char holder_kind;      /* 'c' a crew, 'd' a depot, 'p' a point, 0: nobody */
    char holder[PAPER_HOLDER_MAX + 1];
};

/* What the meter was at an instant and who had it: `line`'s meter, state and holder. */
void line_of_life(struct txn *t, const struct meter_life *life, int64_t at_s, struct paper_line *line);

/* The event that settles a difference (rules-fleet T), NULL: none by itself. */
const char *line_settled_by(const struct paper_line *l);

void line_put(struct out *o, const struct paper_line *l); /* as a JSON object */
/* The members of a paper's object: its row (of LIST_PAPER), its figures, and the first PAPER_LINES_SHOWN of its lines. Errors stick in `o` and `t`. */
#define PAPER_LINES_SHOWN 1000
void paper_put(struct out *o, struct txn *t, const struct ledger_row *row);

void act_put_line(struct act *a, struct span paper, const struct paper_line *l);

struct line_walk {
    struct index_walk walk;
    size_t prefix;
    struct paper_line line; /* views */
};
/* In order of serials, after `after` (a serial of the walk before; empty: from the first). */
struct line_walk paper_lines(struct txn *t, struct span paper, struct span after);
bool line_next(struct line_walk *w); /* false: the end, or t->err */
void line_done(struct line_walk *w);

#endif
