/* Readings from a file, in the order in which meters lived them, and the reports that a meter would
 * have sent of them. */
#ifndef NILO_TOOLS_SIM_HISTORY_H
#define NILO_TOOLS_SIM_HISTORY_H

#include "proto/frame.h"

#include <stdio.h>

struct past {
    int64_t time_s, value; /* thousandths, as in a frame */
    uint32_t meter;        /* place in the history's meters */
    uint32_t order;        /* line of the file */
    uint8_t channel;       /* enum channel */
    bool by_hand;          /* a person read it: no meter sends it */
};

struct past_meter {
    char serial[SERIAL_MAX + 1];
    int64_t first_s, first_value; /* of its earliest volume; INT64_MAX: it has none */
    bool net;                     /* and that was net */
};

struct history {
    struct past *at; /* by civil day, then meter, then time, then line */
    size_t count, cap;
    struct past_meter *meters;
    uint32_t meter_count;
    size_t meter_cap;
};

/* What the columns are called in the file; it may lack channel (then all are forward) and source
 * (then all are remote). */
struct history_columns {
    char serial[64], time[64], index_l[64], channel[64], source[64];
};
/* "serial=meter,time=local_time,index_l=index_l"; what is not named keeps its own name. False: said
 * why. */
bool history_columns_read(const char *map, struct history_columns *out);

/* Reads a CSV with a header; local times are those of `zone`. False: said why, with the line. */
bool history_read(FILE *file, const char *name, const struct history_columns *columns,
                  const struct zone *zone, struct history *out);
void history_done(struct history *h);

/* The rows from `first` on that are of the same civil day (and meter, where asked). */
size_t history_day(const struct history *h, const struct zone *zone, size_t first);
size_t history_meter(const struct history *h, size_t first, size_t day_end);

/* Takes one report, and how many readings are in it. False ends the work. */
typedef bool report_sink(void *arg, struct span payload, size_t readings);

/* Encodes what a meter sends at the end of its day: as few native reports as the payload's limit
 * allows.  Evenly spaced stretches become one series each; what people read is left out.  Rows
 * equal in time and value go once; equal in time alone, each into a report of its own. sent_s   the
 * meter's clock, 0 = it has none; *seq   its report counter, moved on */
bool history_reports(const char *serial, const struct past *rows, size_t count, int64_t sent_s,
                     uint32_t *seq, report_sink *sink, void *arg);

#endif
