/* For senml*.c alone: a record as both encodings give it, and what it means. */
#ifndef NILO_PROTO_SENML_PRIV_H
#define NILO_PROTO_SENML_PRIV_H

#include "proto/gather.h"
#include "proto/senml.h"
#include "proto/trace.h"

static inline bool senml_says(struct span text, const char *what)
{
    for (size_t i = 0; i < text.len; i++)
        if (!what[i] || text.at[i] != (uint8_t)what[i])
            return false;
    return what[text.len] == 0;
}

/* Their order is that of struct senml_label's table. */
enum senml_field {
    SENML_BVER,
    SENML_BN,
    SENML_BT,
    SENML_BU,
    SENML_BV,
    SENML_BS,
    SENML_N,
    SENML_U,
    SENML_V,
    SENML_VS,
    SENML_VB,
    SENML_S,
    SENML_T,
    SENML_UT,
    SENML_VD,
    SENML_FIELDS,
    SENML_OTHER = SENML_FIELDS /* unknown, and not to be understood by all */
};

enum senml_form { SENML_NUMBER, SENML_TEXT, SENML_BOOL };

struct senml_label {
    const char *name;
    int8_t number; /* in CBOR */
    enum senml_form form;
};
extern const struct senml_label senml_labels[SENML_FIELDS];
enum senml_field senml_field_named(struct span name); /* SENML_OTHER */

/* mantissa · 10^power, or · 2^power; exactly. */
struct senml_number {
    int64_t mantissa;
    int32_t power;
    bool binary;
};

struct senml_record {
    uint32_t given; /* a bit for each field */
    struct span raw;
    bool boolean;
    struct senml_number number[SENML_FIELDS];
    struct span text[SENML_FIELDS];
};

static inline bool senml_has(const struct senml_record *rec, enum senml_field f)
{
    return rec->given >> f & 1;
}

/* Of what a pack tells about one thing the newest counts. */
struct senml_slot {
    bool given;
    int64_t at_s, value;
};
#define SENML_SLOTS 16

/* A pack in the making. */
struct senml {
    const struct dialect_input *in;
    struct trace *trace;
    struct refusal *r;
    struct gather g;
    struct frame f;
    uint32_t count;            /* of records, with the one at hand */
    struct senml_record base;  /* base fields that hold */
    char name[SENML_NAME_MOST];
    bool named;                /* a meter was, in `meter` */
    struct span meter;
    struct senml_slot slots[SENML_SLOTS];
    int64_t newest_s;          /* of absolute times; 0: none */
    bool has_instance, stamped;
    int64_t instance, stamp_s; /* of object 3424 */
    struct refusal unit;       /* a volume whose unit is not known; ERR_OK: none */
};

struct senml senml_begin(const struct dialect_input *in, struct arena *a, struct refusal *r);
enum err senml_record(struct senml *s, const struct senml_record *rec); /* takes one */
/* Ends the pack: `err` is what reading came to; fills `out` where it is ERR_OK or of class WAIT. */
enum err senml_end(struct senml *s, enum err err, struct frame *out);

/* Refusals that both encodings have: a field of the record at hand. */
enum err senml_refuse(struct senml *s, enum err err, const uint8_t *at, const char *field, const char *what);
enum err senml_other(struct senml *s, struct span name, const uint8_t *at); /* an unknown field: UNSUPPORTED, or passed over */

/* What a record is about. */
enum senml_what {
    WHAT_UNKNOWN,
    WHAT_CHANNEL, /* arg: enum channel */
    WHAT_STATUS,  /* arg: the number of its bit */
    WHAT_BATTERY,
    WHAT_RSRP,
    WHAT_SNR,
    WHAT_FLOW,    /* its sum is a volume, of channel arg */
    WHAT_STAMP,   /* the time of the instance's values */
    WHAT_QUALITY  /* 1: the meter itself rejects its value */
};
enum senml_quantity { QUANTITY_NONE, QUANTITY_VOLUME, QUANTITY_PRESSURE, QUANTITY_TEMPERATURE, QUANTITY_VOLTAGE, QUANTITY_FLOW, QUANTITY_DB };

struct senml_measure {
    enum senml_what what;
    uint32_t arg;
    enum senml_quantity quantity;
};

struct senml_unit {
    const char *name;
    enum senml_quantity quantity;
    int64_t thousandths; /* in one of it */
};

/* A record's name, taken apart; views of the name. */
struct senml_name {
    struct span meter, measure;
    bool is_path;
    int64_t object, instance, resource;
};
struct senml_name senml_name_read(struct span name);
struct frame_names senml_meter_names(struct span meter);
struct senml_measure senml_measure_of(const struct senml_name *n, const struct senml_unit *unit);
const struct senml_unit *senml_unit_of(struct span name); /* NULL */
struct span senml_path_unit(const struct senml_name *n);  /* what the object's definition says; empty: nothing */

/* In units of 10^-9 of what `unit` counts of it; false where that does not fit. */
bool senml_fixed(const struct senml_number *n, int64_t unit, __int128 *out);
/* Back from there: to the nearest, halves away from zero; or down. False beyond ±most. */
bool senml_whole(__int128 fixed, int64_t most, int64_t *out);
bool senml_floor(__int128 fixed, int64_t most, int64_t *out);

#endif
