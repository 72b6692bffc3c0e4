/* A record of an M-Bus telegram as a line of the trace: "volume.storage8.tariff1  8.683 m3". */
#ifndef NILO_PROTO_OMS_TELL_H
#define NILO_PROTO_OMS_TELL_H

#include "proto/oms_profile.h"
#include "proto/trace.h"

/* What became of a value. */
struct oms_fate {
    const char *is;   /* the reading that it became; "" for none */
    const char *note; /* why it became none, where one might expect it; "" */
};

/* `ordinal` from 1: which of those that bear the same name; shown from 2. `t` must not be NULL. */
void oms_tell(struct trace *t, const struct oms_value *v, unsigned ordinal, const struct oms_fate *fate);
void oms_tell_entry(struct trace *t, const struct oms_value *v, const struct oms_profile *p, const struct oms_entry *e,
                    const struct oms_fate *fate);

#define OMS_NUMBER_SIZE 160
void oms_put_number(char out[OMS_NUMBER_SIZE], int64_t number, int power); /* number · 10^power, exactly, the shortest */

#endif
