/* The verification calendar (rules-fleet V; JJG 162; handbook §2.1): which regime a meter falls under, and its last day in date.  The table is a data file with its source
 * (server/fleet/verification/cn-jjg162.rules is built in), so that another country is another file.  Pure. */
#ifndef NILO_SERVER_FLEET_VERIFY_H
#define NILO_SERVER_FLEET_VERIFY_H

#include "proto/life.h"

enum regime { REGIME_LIMITED, REGIME_PERIODIC };

#define VERIFY_RULES_MAX 32
#define VERIFY_RULES_BYTES 65536 /* of a file */

struct verify_rule {
    int32_t dn_above_mm, dn_to_mm;   /* dn_above < DN ≤ dn_to; 0, INT32_MAX: no bound */
    int64_t q3_above_lph, q3_to_lph; /* likewise */
    enum regime regime;
    int32_t months;                  /* how long a verification holds */
};
struct verify_rules { /* the first line that fits counts; the last one takes all */
    char name[32], source[160];
    uint32_t count;
    struct verify_rule at[VERIFY_RULES_MAX];
};

void verify_rules_builtin(struct verify_rules *out);
/* A rule file: see verification/cn-jjg162.rules for the form. MALFORMED with the line, what was found and expected; TOO_LARGE. `out` changes on success only. */
MUST_CHECK enum err verify_rules_read(struct verify_rules *out, struct span text, struct refusal *r);
uint32_t verify_rules_hash(const struct verify_rules *rules); /* another table: indexes by due date are made anew */

struct verify_meter {
    const struct verify_rules *rules;
    int32_t dn_mm;
    int64_t q3_lph;
    int32_t life_months; /* the meter's own shorter period; 0: none */
    int32_t row_verified_on; /* of its row; NO_DAY */
};

enum due_basis { DUE_UNKNOWN, DUE_RULE, DUE_OVERRIDE, DUE_CERTIFICATE };
const char *due_basis_name(enum due_basis b); /* "unknown", "rule", … */
const char *regime_name(enum regime r);       /* "limited" */

#define LEGAL_OVERRIDE_IGNORED 1u    /* the meter's own period is longer than the rule */
#define LEGAL_CERTIFICATE_IGNORED 2u /* the certificate's day lies after the rule's */

struct legal {
    enum regime regime;
    int32_t rule_years;               /* whole years of the rule (months / 12) */
    int32_t first_verified_on, verified_on; /* civil days; NO_DAY: never */
    int32_t due;                      /* the last day in date; NO_DAY: nobody knows */
    enum due_basis basis;
    unsigned warnings;                /* a set of LEGAL_… */
};

/* `first` and `latest`: days of the first and the latest verification, `first_until`, `latest_until` the last days that their certificates name; NO_DAY where there is none. */
void legal_of(const struct verify_meter *m, int32_t first, int32_t first_until, int32_t latest, int32_t latest_until, struct legal *out);

/* The corresponding day so many months later, or that month's last day where it has none (V3; Civil Code, articles 201 and 202). */
int32_t day_months_later(int32_t day, int32_t months);

#endif
