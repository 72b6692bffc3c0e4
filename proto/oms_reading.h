/* Which records of a telegram are readings, of which register and at what time.
 *
 * A reading is a volume, flow temperature or pressure that is instantaneous, of no tariff and no subunit, not turned into something
 * else by a VIFE, and the first under its DIF and VIF.  Storage number 0 stands at the telegram's time: its date and time record, else when it was heard, less the age
 * that it tells.  Another storage number stands at the date record of the same number; or, behind a block's first number, so many
 * storage intervals before that one's date.  Of a profile each entry stands its steps from the base.  A value that is dated by
 * nothing in the telegram is none, nor is a history that the register of today has not reached. */
#ifndef NILO_PROTO_OMS_READING_H
#define NILO_PROTO_OMS_READING_H

#include "proto/frame.h"
#include "proto/oms_profile.h"

struct oms_records {
    const struct oms_value *values;
    uint32_t count;
    const struct zone *zone;
    int64_t heard_s;        /* when it came */
    /* Set by oms_records_survey: */
    int64_t sent_s, now_s;  /* the meter's clock, 0 without; where undated values stand */
    int64_t current[CHANNEL_COUNT + 1]; /* of storage number 0, in thousandths; the last one of no direction */
    bool has_current[CHANNEL_COUNT + 1];
};

struct oms_reading {
    bool is;
    enum channel channel;
    struct sample sample; /* thousandths */
    const char *note;     /* of what is none, why, where one might expect it; of what is one, what was done to it; "" */
};

void oms_records_survey(struct oms_records *r);
/* `v` is one of r->values. */
struct oms_reading oms_judge(const struct oms_records *r, const struct oms_value *v);

/* The value and the date that a profile counts from; NULL where the telegram has none. */
const struct oms_value *oms_profile_base(const struct oms_records *r, const struct oms_value *profile);

/* What the entries of a profile have in common. */
struct oms_past {
    const char *why; /* none of them is a reading; NULL: they may be */
    enum channel channel;
    const struct oms_date *date; /* of the base */
    bool even;                   /* in steps of seconds, from base_s: no calendar is asked */
    int64_t base_s;
};
struct oms_past oms_past_of(const struct oms_records *r, const struct oms_value *v, const struct oms_profile *p);
struct oms_reading oms_judge_entry(const struct oms_records *r, const struct oms_value *v, const struct oms_profile *p,
                                   const struct oms_past *past, const struct oms_entry *e);

#endif
