/* Acceptance sampling of lots: how many meters of a lot to inspect, and how many of them may fail.  The tables are a data file with
 * its source (server/fleet/sampling/gbt2828.plan is built in; the file tells its own form), single sampling.  Pure. */
#ifndef NILO_SERVER_FLEET_SAMPLING_H
#define NILO_SERVER_FLEET_SAMPLING_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#define SAMPLING_LETTERS_MAX 20
#define SAMPLING_LEVELS_MAX 8
#define SAMPLING_LOTS_MAX 20
#define SAMPLING_ROWS_MAX 48

enum sampling_severity { SAMPLING_NORMAL, SAMPLING_TIGHTENED };

struct sampling_table {
    char name[48], source[200];
    unsigned letters, levels, lots, rows;
    char letter[SAMPLING_LETTERS_MAX];
    uint32_t size[SAMPLING_LETTERS_MAX];
    char level[SAMPLING_LEVELS_MAX][8];
    struct {
        uint64_t most;                           /* the largest lot of the range */
        uint8_t letter[SAMPLING_LEVELS_MAX];     /* its place */
    } lot[SAMPLING_LOTS_MAX];
    struct {
        enum sampling_severity severity;
        uint32_t aql;                            /* thousandths of a percent */
        int16_t accept[SAMPLING_LETTERS_MAX];    /* −1: the first plan below, −2: above */
    } row[SAMPLING_ROWS_MAX];
};

void sampling_builtin(struct sampling_table *out);
/* A file of that form. MALFORMED with the line, what was found and expected; `out` changes on success only. */
MUST_CHECK enum err sampling_read(struct sampling_table *out, struct span text, struct refusal *r);

struct sampling_plan {
    char letter;       /* of the plan that is used, after arrows */
    uint64_t sample;   /* the whole lot where it is not larger */
    unsigned accept, reject;
};
/* The plan of a lot of 1 meter or more. INVALID: no such level or AQL; `r` names the field and those known. */
MUST_CHECK enum err sampling_plan(const struct sampling_table *t, uint64_t lot, struct span level, struct span aql, enum sampling_severity severity,
                                  struct sampling_plan *out, struct refusal *r);

/* The acceptance number that the same letter has one AQL tighter in the table; false: there is no such plan. */
bool sampling_tighter(const struct sampling_table *t, char letter, struct span aql, enum sampling_severity severity, unsigned *out_accept);

bool sampling_severity_read(struct span name, enum sampling_severity *out);
const char *sampling_severity_name(enum sampling_severity s);

#endif
