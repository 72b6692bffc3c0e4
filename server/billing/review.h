/* What of a span's figures a person should look at before they are billed, and what was accepted once.  Pure. */
#ifndef NILO_SERVER_BILLING_REVIEW_H
#define NILO_SERVER_BILLING_REVIEW_H

#include "proto/base/limits.h"
#include "server/billing/cycle.h"

/* In alphabetical order of their names, but for those that came later: numbers stand on disk. */
enum review_reason {
    REVIEW_ESTIMATED_TWICE, /* estimated, and frozen as estimated in the closed cycle that ends where this begins */
    REVIEW_FIRST_AFTER_EXCHANGE, /* a meter was changed within the span */
    REVIEW_HIGH,            /* rules-bills E3; or above a bound that people set */
    REVIEW_LARGE_USER,      /* a meter of DN REVIEW_LARGE_DN or more, or above REVIEW_LARGE_ML */
    REVIEW_LOW,             /* E3 */
    REVIEW_MISSING,
    REVIEW_NEGATIVE,        /* E5 */
    REVIEW_PROLONGED,       /* E7 */
    REVIEW_SPIKE,           /* an hour of the span is a spike (E2), or above what people set for the meter's size */
    REVIEW_ZERO,            /* E4 */
    REVIEW_EDIT_WAITING,    /* an edit of an instant within the span waits for a second person */
    REVIEW_REASONS
};
#define REVIEW_LARGE_DN 50              /* mm: from here on a utility reads with two people */
#define REVIEW_LARGE_ML 500000000000ll /* 500 m³ in the span */

const char *review_reason_name(enum review_reason r); /* "first-after-exchange" */
bool review_reason_read(struct span name, enum review_reason *out);
#define REVIEW_REASONS_TEXT 160 /* bytes that hold the names of all, with the zero */
void review_reason_names(char out[REVIEW_REASONS_TEXT]); /* "estimated-twice, …, zero or edit-waiting" */
const char *review_reason_text_en(enum review_reason r);
const char *review_reason_text_zh(enum review_reason r);

struct review_facts {
    const struct determinant *d; /* of the span as of now */
    bool estimated_before, exchanged;
    int32_t dn_mm_most; /* of the meters within the span */
    unsigned spikes;    /* hours */
    unsigned edits_waiting;
};
unsigned review_reasons(const struct review_facts *f); /* a set of 1 << enum review_reason */

/* What somebody looked at and let pass. */
struct review_accepted {
    struct billed billed;
    enum quality quality;
    unsigned reasons;
    unsigned told_of; /* the checks among them whose rule and inputs were kept: what was seen rested on these */
    struct check_told told[CHECK_COUNT];
    int64_t at_s;
    struct span who, note; /* views */
};
/* Whether the figures are still those, and nothing stands out that did not then. */
bool review_holds(const struct review_accepted *a, const struct determinant *d, unsigned reasons);

/* The bytes: u8 1, or 2 with checks · u8 known, zigzag millilitres, m³ where it is · u8 quality · varint reasons · [2: checks_told_write's] · zigzag when · counted who, note. FULL in `w`; CORRUPT. */
#define REVIEW_BYTES_MOST (LIMIT_TEXT + 192 + CHECKS_TOLD_MOST)
void review_accepted_write(struct wr *w, const struct review_accepted *a);
MUST_CHECK enum err review_accepted_read(struct span bytes, struct review_accepted *out);

#endif
