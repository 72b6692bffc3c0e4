/* Compact frames (EN 13757-3 annex G): a full frame's data without DIF and VIF, and two checksums.  The heads come from a full frame or
 * a format frame of the same maker, version and type, heard before:
 *
 *   full     DIF VIF data   DIF VIF data   …       teaches: the list DIF VIF DIF VIF …, whose CRC is its signature
 *   compact  signature, CRC of the full records, data data … */
#ifndef NILO_PROTO_OMS_COMPACT_H
#define NILO_PROTO_OMS_COMPACT_H

#include "proto/base/arena.h"
#include "proto/oms_link.h"
#include "proto/oms_record.h"

/* The list of heads of a full frame's records, fillers left out; empty where a record is lost, for then it would be half. NO_MEMORY. */
MUST_CHECK enum err oms_format_list(const struct oms_value *values, uint32_t count, struct arena *a, struct span *out_list_view);

/* The full records again. DAMAGED where they do not fit the list, fail `t->full_crc`, or the list is none, with `r`;
 * NO_MEMORY. */
MUST_CHECK enum err oms_expand(const struct oms_telegram *t, struct span list, struct arena *a, struct span *out_records_view,
                               struct refusal *r);

#endif
