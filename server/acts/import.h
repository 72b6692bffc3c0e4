/* What the two kinds of import share.  For this folder. */
#ifndef NILO_SERVER_ACTS_IMPORT_H
#define NILO_SERVER_ACTS_IMPORT_H

#include "server/acts/rowfile.h"

struct import {
    struct app *app;
    const struct caller *caller;
    const struct import_options *options;
    const struct zone *zone; /* of local times */
    int64_t now_s;
    struct import_report *report;
    enum err err; /* what ended it before its end */
    struct refusal forbidden; /* FORBIDDEN: what the caller's role may not */
};

/* Counts a refused row, and keeps it while there is room; false: no memory. */
bool import_refuse(struct import *i, const struct import_refusal *refusal);

/* The server is stopping: the import ends here, with nothing written. */
bool import_stopped(struct import *i);

/* INVALID where rows were refused that must not be. */
enum err import_verdict(const struct import *i);

const char *key_kind_name(uint8_t kind); /* "oms" */

extern const struct list list_readings, list_keyfile, list_events; /* the columns of files that are no lists of the register */

enum err import_register(struct import *i, const struct list *l, struct span text);
enum err import_readings(struct import *i, struct span text);
enum err import_keys(struct import *i, struct span text);
enum err import_events(struct import *i, struct span text);

#define IMPORT_EVENT_TEXTS 7 /* columns of list_events before those of enum event_text, in its order */

#endif
