/* History in one record (EN 13757-3 annex F): a VIFE 1F, 13 or 1E, and as data
 *
 *   control    bits 7..6 mode, 5..4 unit of the spacing, 3..0 type of one value (as in DIF)
 *   spacing    1 to 250 of that unit; 0: none; 253, 254: half months, months, quarters, half years
 *   values     the first one stands at storage number + 1
 *
 * The base value and its date are records of the same storage number, tariff and subunit. Of a compact profile (1F, and 1E, whose
 * values are registers of their own) entry n is n steps younger than the base, of an inverse one (13) n steps older. */
#ifndef NILO_PROTO_OMS_PROFILE_H
#define NILO_PROTO_OMS_PROFILE_H

#include "proto/oms_record.h"

enum oms_mode {
    OMS_ABSOLUTE,
    OMS_INCREMENTS, /* unsigned; the younger of two neighbours is larger by it */
    OMS_DECREMENTS, /* unsigned; smaller */
    OMS_DIFFERENCES /* signed; younger - older */
};

enum oms_step { OMS_NO_STEP, OMS_SECONDS, OMS_DAYS, OMS_HALF_MONTHS, OMS_MONTHS };

struct oms_spacing {
    enum oms_step step;
    uint32_t each; /* so many between two values */
};

struct oms_profile {
    enum oms_mode mode;
    struct oms_spacing spacing;
    bool inverse;
    uint8_t type;
    struct span entries; /* not yet walked */
    int64_t value;       /* of the entry before; to begin with the base */
    bool has_value;
    uint32_t index;      /* of the entry before; the base is 0 */
    bool ended;
};

struct oms_entry {
    struct span raw;
    uint32_t index;
    enum oms_kind kind; /* OMS_IS_NUMBER, OMS_IS_INVALID (a hole), OMS_IS_UNREADABLE: `fault` */
    const char *fault;
    int64_t number;     /* with the record's power and unit */
};

/* Of a value of kind OMS_IS_PROFILE; `base` may be NULL, and must have the profile's power. MALFORMED with *why where control or spacing are
 * reserved, or the type of the values has no length. */
MUST_CHECK enum err oms_profile_open(const struct oms_value *v, const struct oms_value *base, struct oms_profile *out, const char **why);

/* The next entry; false at the end, which in modes other than absolute is before the first invalid value. */
bool oms_profile_next(struct oms_profile *p, struct oms_entry *out);

/* `n` steps after the base (before, where negative). NOT_FOUND without steps; RANGE farther than 1000 years. */
MUST_CHECK enum err oms_spacing_time(const struct oms_spacing *s, const struct oms_date *base, const struct zone *z, int64_t n,
                                     int64_t *out_utc_s);

#endif
