/* The columns of the files that `nilo import` takes, for its --help and its manual page. */
#ifndef NILO_TOOLS_NILO_COLUMNS_H
#define NILO_TOOLS_NILO_COLUMNS_H

#include <stdbool.h>

/* A row with `list` begins a list; those after it are its columns. */
struct file_column {
    const char *list, *name;
    bool must;
};

#define FILE_COLUMN_KEY true
#define FILE_COLUMN_MUST true
#define FILE_COLUMN_MAY false

static const struct file_column file_columns[] = {
#define LIST(kind, plural) { #plural, NULL, false },
#define COLUMN(kind, name, type, need) { NULL, #name, FILE_COLUMN_##need },
#include "server/fleet/columns.def"
#undef LIST
#undef COLUMN
    /* Readings are no list of the register: server/acts/import_readings.c has their columns. */
    { "readings", NULL, false },
    { NULL, "serial", true },
    { NULL, "time", true },
    { NULL, "index_l", true },
    { NULL, "channel", false },
    { NULL, "source", false },
    /* Nor are events: server/acts/import_events.c. */
    { "events", NULL, false },
    { NULL, "serial", true },
    { NULL, "event", true },
    { NULL, "at", true },
    { NULL, "recorded_at", false },
    { NULL, "point", false },
    { NULL, "index_l", false },
    { NULL, "result", false },
    { NULL, "document", false },
    { NULL, "note", false },
    { NULL, "crew", false },
    { NULL, "reason", false },
    { NULL, "certificate", false },
    { NULL, "depot", false },
    { NULL, "photo", false },
    { NULL, "seal", false },
    { NULL, "order", false },
    { NULL, "batch", false },
    { NULL, "verified_on", false },
    { NULL, "valid_until", false },
    { NULL, "overruled", false },
    { NULL, "read_index", false },
    { NULL, "imported", false },
    /* Nor are keys: server/acts/import_keys.c. */
    { "keys", NULL, false },
    { NULL, "serial", true },
    { NULL, "kind", true },
    { NULL, "key_hex", true },
    { NULL, "valid_from", false },
};

#define FILE_COLUMNS_TOLD                                                                          \
    "A file is CSV with a header, or NDJSON with the same names. Columns stand in any order; "     \
    "those with * must be there. Times are like 2026-03-01T00:00:00+08:00; without an offset "     \
    "they are those of --times-in, else of the server's --tz. A file of keys may also be a "       \
    "maker's XML (MetersInOrder); its serial may be the radio name, its kind is psk, oms or "      \
    "oscore, and a key without valid_from holds since ever, or from now on where one is there."

#endif
