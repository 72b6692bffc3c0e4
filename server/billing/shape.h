/* The register of one fitting at any instant (rules-bills C): read, on a line between neighbours,
 * in the shape of days like it, or on from the last that is known. */
#ifndef NILO_SERVER_BILLING_SHAPE_H
#define NILO_SERVER_BILLING_SHAPE_H

#include "server/billing/consume.h"

struct shape_rules {
    const struct zone *zone;
    int64_t now_s;
    bool by_hour; /* rows of an hour: a line is actual over 1 h, else over 36 h (C2) */
};

/* What is used in each hour of a day on three days together; [1]: Saturday and Sunday. */
struct profile {
    __int128 use_ml[2][24], day_ml[2];
    unsigned days[2]; /* how many were found */
};

/* The gap that was asked for last, with its shape and how far its weight was added up. */
struct gap {
    size_t before; /* the step it begins at; SIZE_MAX: none yet */
    bool shaped;
    struct profile profile;
    __int128 whole, weight; /* of all of it, and up to at_s */
    int64_t at_s;
};

struct fitting_line {
    const struct consume_fitting *of; /* borrowed */
    bool made;                        /* the rest is filled when it is first needed */
    int64_t from_s, to_s, modulus;
    bool net;
    struct register_line line;
    size_t *rebases; /* steps[rebases[i]].rebased */
    size_t rebase_count;
    size_t near; /* the step that was asked for last: the next question is mostly of it, or of the one after it */
    struct gap gap;
    bool pace_known;
    int64_t pace_from_s, pace_ml; /* C6: h, and L − H */
};

MUST_CHECK enum err fitting_line_make(struct fitting_line *l);
void fitting_line_done(struct fitting_line *l);

struct register_at {
    int64_t register_ml;  /* not cut at the modulus; its differences count between re-bases */
    enum quality quality; /* QUALITY_MISSING: nothing else is said */
    enum method method;
    bool edited; /* it rests on an edit (edit.h) */
};

/* `at_s` within the fitting. */
struct register_at register_at(struct fitting_line *l, const struct shape_rules *rules,
                               int64_t at_s);

/* The last step at or before `at_s`; the first where there is none. */
size_t step_before(const struct fitting_line *l, int64_t at_s);

/* Not cut at the modulus: what the dial would show if it had digits without end. */
int64_t step_register(const struct fitting_line *l, const struct step *s);

/* The first re-base that ends after `at_s`, as a number into `rebases`. */
size_t rebase_after(const struct fitting_line *l, int64_t at_s);

#endif
