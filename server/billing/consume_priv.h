/* What consume.c and checks.c share. */
#ifndef NILO_SERVER_BILLING_CONSUME_PRIV_H
#define NILO_SERVER_BILLING_CONSUME_PRIV_H

#include "server/billing/shape.h"

#define CHECK_DAYS 60 /* E3: the most that a rule may ask for */

/* A row in the making. */
struct row_of_use {
    struct consumption c;
    size_t part_cap;
};

/* What a civil day used, as far as the checks ask; end_s 0: not known yet. */
struct day_of_use {
    int64_t end_s, use_ml;
    bool counts; /* actual, and metered all day */
};

/* The civil day whose hours were asked for last (E2). */
struct hours_of_use {
    int64_t begin_s, end_s;
    bool actual;
    int64_t third_ml;
};

struct consumer {
    struct shape_rules rules;
    enum consume_step step;
    const struct check_rules *judge; /* NULL: the table's own */
    enum use_class use;
    struct check_told told[CHECK_COUNT]; /* of the row */
    struct fitting_line *lines; /* by time */
    size_t line_count;
    struct row_of_use row, scratch;
    struct hours_of_use hours;
    struct day_of_use days[CHECK_DAYS + 4]; /* by number of the day, modulo their number */
};

/* The row of [from_s, to_s) without its checks. */
MUST_CHECK enum err row_make(struct consumer *c, struct row_of_use *row, int64_t from_s,
                             int64_t to_s);

/* The first line that ends after `at_s`. */
size_t line_after(const struct consumer *c, int64_t at_s);

/* Fills c->row.c.checks (rules-bills E). */
MUST_CHECK enum err row_check(struct consumer *c);

#endif
