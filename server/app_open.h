/* Opening and closing the store's parts of an app, for nilod and for `nilo store rebuild`. */
#ifndef NILO_SERVER_APP_OPEN_H
#define NILO_SERVER_APP_OPEN_H

#include "server/app.h"

struct app_options {
    const char *dir;
    const char *tz;
    const char *holidays; /* a CSV file; NULL: the built-in days */
    const char *verification_rules; /* a file as server/fleet/verification/cn-jjg162.rules, which is built in; NULL: that one */
    const char *fleet_rules; /* a file as server/fleet/defaults/cn.table, which is built in; NULL: that one */
    const char *order_rules; /* a file as server/fleet/orders/default.rules, which is built in; NULL: that one */
    const char *store_key_file; /* NULL: a credential, or DIR/store.key */
    uint64_t segment_bytes, quarantine_frames, quarantine_source_frames;
    uint32_t retention_days;
    uint32_t session_hours; /* 0: SESSION_HOURS */
    unsigned settle_every_s;
    unsigned figures_close_day; /* of the next month; 0: by people alone */
    struct {
        bool on;
        const char *dir, *rules;
    } notices; /* server/notices.h */
    bool history_off; /* readings that are missing are not asked for */
};

/* Opens everything under `dir` (created when absent) but threads: after it every reading can be read.  What a crash left half done is
 * finished here: staged imports are sealed or discarded by the ledger, the tail is built from the journal's end.
 * BUSY with the holder's pid where another nilod has it; CORRUPT, MISSING, NEWER; `r` names the file. */
MUST_CHECK enum err app_open_store(struct app *app, const struct app_options *options, struct refusal *r);

/* What people and rules decided alone, to be read: ledger, time zone and the verification calendar's table. End it with ledger_close(app->ledger), also after an error. */
MUST_CHECK enum err app_open_ledger(struct app *app, const struct app_options *options, struct refusal *r);

/* The threads behind it: commit, settle. What an earlier process settled or recorded but did not judge is judged first. */
MUST_CHECK enum err app_start(struct app *app, const struct app_options *options, struct refusal *r);

void app_stop(struct app *app);        /* threads: commits what is queued */
void app_close_store(struct app *app); /* also after a failed open */

#endif
