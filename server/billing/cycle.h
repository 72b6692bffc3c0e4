/* Determinants: what the closing of a billing cycle freezes of one point (rules-bills D, E6, E7, F1), and their bytes.  Pure. */
#ifndef NILO_SERVER_BILLING_CYCLE_H
#define NILO_SERVER_BILLING_CYCLE_H

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/billing/consume.h"

/* Why nobody knows; numbers stand on disk. */
enum missing_why {
    WHY_NONE,
    WHY_NOT_OVER,   /* an end of the span lies after now (C6) */
    WHY_NEVER_READ, /* no reading of the fitting takes part */
    WHY_FIRST_WEEK, /* the last that does was taken less than 7 × 24 h after the fitting's start (C6) */
    WHY_COUNT
};
const char *missing_why_name(enum missing_why w);    /* "never-read"; NULL for WHY_NONE */
const char *missing_why_text_en(enum missing_why w); /* a sentence */
const char *missing_why_text_zh(enum missing_why w);

/* A figure that may be missing. */
struct billed {
    bool known;
    int64_t consumption_ml, m3;
};
bool billed_equal(const struct billed *a, const struct billed *b);
struct billed billed_of(const struct consumption *c);

struct determinant {
    struct span account;        /* borrowed; may be empty */
    bool start_known, end_known; /* which index counts: none without a meter, or where it is missing */
    int64_t start_ml, end_ml;   /* at the first start and the last end under a meter (F1) */
    struct billed billed;
    struct billed later;        /* the same as if `now` lay after the span: what time that passes alone makes of it (F2) */
    enum quality quality;
    enum method method;
    enum missing_why why;
    unsigned checks;            /* a set of 1 << enum check */
    unsigned told_of;           /* those of them whose rule and inputs were frozen with them: none of a cycle that was closed before they were */
    struct check_told told[CHECK_COUNT];
    size_t part_count;
    const struct part *parts;   /* borrowed; none with determinant_read's `parts` of NULL */
};

/* Of the row of a consumer over the cycle's span; `later` of the same row as if now lay after it. Parts are borrowed from `c`. `why` is told where the row is missing. */
void determinant_of(const struct consumption *c, const struct billed *later, enum missing_why why, struct determinant *out);

/* Whether nobody read it: estimated or missing. In this and so many closed cycles before it as the rule says, each ending where the next begins: CHECK_PROLONGED (E7). */
bool determinant_unread(const struct determinant *d);
/* Adds that check, with the rule by which it judges and since when it has been so. */
void determinant_prolonged(struct determinant *d, const struct check_line *rule, int64_t since_s);

/* Civil days that [from_s, to_s) touches. */
int64_t cycle_days(const struct zone *z, int64_t from_s, int64_t to_s);

/* The bytes; FULL in `w`. The cycle's span is not among them. */
void determinant_write(struct wr *w, const struct determinant *d, int64_t from_s, int64_t to_s);
#define DETERMINANT_PARTS_MAX 4096 /* exchanges and re-bases within one cycle */
/* `parts`: room for as many as there are, at most `cap`; NULL: the rest is read without them. Serials are views into `bytes`. CORRUPT; TOO_LARGE: more parts than `cap`, *out_count says how many. */
MUST_CHECK enum err determinant_read(struct span bytes, int64_t from_s, int64_t to_s, struct part *parts, size_t cap, struct determinant *out);

#endif
