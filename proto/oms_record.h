/* One data record of M-Bus (EN 13757-3 §6):
 *
 *   DIF [DIFE…]  VIF [VIFE…]  [LVAR]  data
 *
 * DIF: bit 7 a DIFE follows, 6 storage number's lowest bit, 5..4 function, 3..0 type of the data.  DIFE: bit 7 another, 6 subunit,
 * 5..4 tariff, 3..0 storage, the lowest bits first.  What VIF and VIFE mean stands in oms_vif.def. */
#ifndef NILO_PROTO_OMS_RECORD_H
#define NILO_PROTO_OMS_RECORD_H

#include "proto/base/rd.h"
#include "proto/oms_date.h"

#define OMS_EXTENSIONS_MOST 10 /* DIFEs of a record, and VIFEs (EN 13757-3 §6.3.1, §6.4.1) */

enum oms_quantity { /* the ones that somebody asks for */
    OMS_OTHER,
    OMS_VOLUME,
    OMS_FLOW_TEMPERATURE,
    OMS_PRESSURE,
    OMS_DATE,
    OMS_AGE,      /* of the values, at sending */
    OMS_INTERVAL, /* between stored values */
    OMS_VOLTAGE
};

enum oms_unit {
#define UNIT(name, text) OMS_UNIT_##name,
#include "proto/oms_vif.def"
    OMS_UNIT_COUNT
};
extern const char *const oms_unit_names[OMS_UNIT_COUNT];

enum oms_low {
    OMS_LOW_ONE, OMS_LOW_TEN, OMS_LOW_SPAN, OMS_LOW_AGE, OMS_LOW_DATE, OMS_LOW_BITS, OMS_LOW_COUNT, OMS_LOW_DIGITS, OMS_LOW_TEXT,
    OMS_LOW_OWN, OMS_LOW_FAR
};

struct oms_vif {
    const char *name; /* a word of a path: "volume" */
    uint8_t quantity, unit, low, first;
    int16_t power;
};

enum oms_effect {
    OMS_VIFE_KEEPS, OMS_VIFE_BARS, OMS_VIFE_FORWARD, OMS_VIFE_BACKWARD, OMS_VIFE_PROFILE, OMS_VIFE_INVERSE, OMS_VIFE_REGISTERS,
    OMS_VIFE_SCALE, OMS_VIFE_THOUSAND, OMS_VIFE_PLUS, OMS_VIFE_DATE, OMS_VIFE_SPAN, OMS_VIFE_MORE, OMS_VIFE_OWN
};

struct oms_vife {
    const char *text;
    uint8_t effect, first;
};
const struct oms_vife *oms_vife(uint8_t code); /* bit 7 does not matter */

enum oms_function { OMS_INSTANTANEOUS, OMS_MAXIMUM, OMS_MINIMUM, OMS_DURING_ERROR };

enum oms_kind {
    OMS_IS_NUMBER,   /* `number` · 10^`power` */
    OMS_IS_DAY,      /* `date` */
    OMS_IS_TEXT,     /* `data`, ISO 8859-1, the last character first */
    OMS_IS_PATTERN,  /* `data`, lowest byte first: flags, versions, digits that name something */
    OMS_IS_PROFILE,  /* `data`: values (oms_profile.h) */
    OMS_IS_NOTHING,  /* has no data: a selection, or length 0 */
    OMS_IS_INVALID,  /* the meter says that it has no value */
    OMS_IS_UNREADABLE, /* the data are not what their type says: `fault` */
    OMS_IS_FILLER,   /* a run of 2F, or 7F */
    OMS_IS_TAIL,     /* DIF 0F or 1F: the maker's own, to the end */
    OMS_IS_LOST      /* a reserved DIF or length: where the next record begins cannot be told; to the end */
};

struct oms_value {
    struct span raw, data;   /* all of it; what stands behind DIF to VIFE and LVAR */
    const struct oms_vif *vif;
    const char *fault;       /* of an unreadable one */
    struct span vifes;       /* the bytes */
    struct span words;       /* of a VIF in plain text: the unit, last character first */
    int64_t number;
    uint64_t storage;        /* 41 bits */
    uint32_t tariff;         /* 20 bits */
    uint16_t subunit;
    uint16_t head;           /* bytes of DIF to VIFE */
    uint8_t dif, type, function, kind, unit;
    uint8_t direction;       /* OMS_VIFE_FORWARD, OMS_VIFE_BACKWARD, or 0 */
    uint8_t profile;         /* OMS_VIFE_PROFILE, OMS_VIFE_INVERSE, OMS_VIFE_REGISTERS, or 0 */
    int16_t power;
    bool barred;             /* a VIFE makes it something else than the quantity itself */
    bool cut;                /* `number` has fewer digits than the value sent (float) */
    struct oms_date date;
};

/* Reads a record and moves `rd` behind it. TRUNCATED where it runs over the end, MALFORMED with more than ten extensions; then `r` (may be
 * NULL) tells the offset from rd->start, and `rd` stays. */
MUST_CHECK enum err oms_record_read(struct rd *rd, struct oms_value *out, struct refusal *r);

/* The same in two steps, for compact frames, whose heads stand elsewhere: what says how the data are laid out, and the data. */
MUST_CHECK enum err oms_head_read(struct rd *rd, struct oms_value *out, struct refusal *r);
MUST_CHECK enum err oms_data_read(struct rd *rd, struct oms_value *v, struct refusal *r);

/* A number of type `type` (DIF's low nibble), of data of its length (oms_length) above 0: to v->kind, number, fault; of floats also
 * power and cut. Of signed integers the least is invalid; unsigned ones have no invalid value. */
void oms_number_read(struct oms_value *v, uint8_t type, struct span data, bool is_unsigned);
int oms_length(uint8_t type); /* -1: variable or special */

#endif
