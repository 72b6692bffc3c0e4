/* How often flags are right, from what people found; and what would be stricter.  Pure. */
#ifndef NILO_SERVER_DETECT_PRECISION_H
#define NILO_SERVER_DETECT_PRECISION_H

#include "server/detect/rules.h"

struct found {
    uint32_t confirmed, dismissed, refused; /* refused: a crew was there and was not let in; it counts neither way */
};

/* The share that is right, in thousandths, with its 95 % interval (E. B. Wilson, JASA 22, 1927). False: nobody looked at any. */
struct precision {
    int64_t share, low, high;
};
bool precision_of(const struct found *f, struct precision *out);

#define PRECISION_LEAST 10 /* looked at; of fewer nothing is proposed */

enum precision_verdict {
    PRECISION_UNKNOWN, /* fewer than PRECISION_LEAST were looked at */
    PRECISION_BELOW,   /* the target lies above the whole interval */
    PRECISION_OPEN,    /* within it */
    PRECISION_ABOVE    /* the target is reached by all of it */
};
const char *precision_verdict_name(enum precision_verdict v); /* "below" */
enum precision_verdict precision_verdict(const struct found *f, int64_t target_permille);

/* A step stricter: each figure that can be by a quarter of itself, within its range; a rule without such figures asks for 100 thousandths more confidence of what crews are sent for, 950 at most. False: it can be no stricter. */
#define STRICTER_PERMILLE 250
bool rule_stricter(enum detect_rule r, const int64_t value[DETECT_FIGURES], int64_t out[DETECT_FIGURES]);

#endif
