/* Acts: what a person or a program asks to be changed.  One act, one file: load, ask the pure rooms, write one ledger transaction
 * with its audit record.  The order of checks is rules-fleet R3: may the sender (403), does it exist (404), are the facts there and
 * possible (422), does the state allow it (409), do the readings contradict it (422); a refused act changes nothing. */
#ifndef NILO_SERVER_ACTS_ACT_H
#define NILO_SERVER_ACTS_ACT_H

#include "server/app.h"
#include "server/out.h"

#include <jansson.h>

/* Sets of roles (rules-fleet R2): 1 << enum role. */
#define ROLES_CHIEF (1u << ROLE_ADMIN | 1u << ROLE_SUPERVISOR)
#define ROLES_STORE (ROLES_CHIEF | 1u << ROLE_STORE)
#define ROLES_CREW (ROLES_CHIEF | 1u << ROLE_CREW)
#define ROLES_FIELD (ROLES_STORE | ROLES_CREW) /* of which one or another may send events of meters */
#define ROLES_BILLING (ROLES_CHIEF | 1u << ROLE_BILLING)
#define ROLES_SHEETS (ROLES_CHIEF | 1u << ROLE_READER)
#define ROLES_READS (ROLES_CHIEF | 1u << ROLE_READER | 1u << ROLE_CREW)

struct caller {
    enum role role;
    char who[64]; /* name of the token, for the audit */
    char org[64]; /* the org unit that the token is for (server/scope.h); "": all that there is */
};

struct act_request {
    struct app *app;
    const struct caller *caller;
    struct span subject;  /* what the path names: a serial, a flag's id, …; empty where it names nothing */
    struct span also;     /* what it names besides: a command's id */
    const json_t *body;   /* an object; NULL where there was none */
    struct span key;      /* Idempotency-Key; empty where none came */
    const uint8_t *request; /* with a key: the 32 bytes of hash by which the request is known again */
    /* Where the answer has a secret in it: makes of it what may be kept. */
    enum err (*seal)(void *seal_arg, struct span answer, struct out *sealed);
    void *seal_arg;
};

unsigned http_status_of(enum err err); /* what an error is in HTTP, for acts and queries alike */

#define REPLY_DETAIL 1024 /* sentences that list states or several meters are longer than a refusal's text */

/* The answer. A status of 400 and more: `refusal` says why, and `body` stays empty. */
struct act_reply {
    unsigned status;
    struct refusal refusal;
    char detail[REPLY_DETAIL]; /* the refusal's sentence, whole */
    struct out body; /* one JSON object; the caller frees it with out_done */
};

typedef void act_handler(const struct act_request *q, struct act_reply *out);

act_handler act_post_meter;    /* POST /v1/meters: registers one (rules-fleet L1, R5) */
act_handler act_change_meter;  /* POST /v1/meters/SERIAL: attributes that may change */
act_handler act_post_point, act_post_fitting, act_post_zone, act_post_route, act_post_org, act_post_boundary;
act_handler act_post_event;    /* POST /v1/meters/SERIAL/events: something in its life (rules-fleet T) */
act_handler act_post_events;   /* POST /v1/events: the same for many meters, all or none */
act_handler act_post_exchange; /* POST /v1/exchanges (rules-fleet L12) */
act_handler act_post_model, act_post_batch, act_post_modem, act_post_depot, act_post_crew, act_post_price; /* rows of these lists */
act_handler act_change_modem;  /* POST /v1/meters/SERIAL/modem: another modem in the meter, or none */
act_handler act_tell_offset;   /* POST /v1/meters/SERIAL/offset: where dial and transmitter stand */
act_handler act_post_seals, act_issue_seals, act_return_seals, act_break_seals; /* POST /v1/seals[/issue, /return, /break] */
act_handler act_post_paper, act_post_stocktake, act_post_delivery; /* POST /v1/papers, /v1/stocktakes, /v1/deliveries */
act_handler act_post_sample, act_reject_batch; /* POST /v1/batches/BATCH/sample, …/reject */
act_handler act_orders_by_rule; /* POST /v1/orders/by-rule: orders for what a rule finds */
act_handler act_post_tour;     /* POST /v1/tours: orders become day lists in walking order */
act_handler act_post_read;     /* POST /v1/reads: a manual reading at a point */
act_handler act_sign_route_day, act_dispute_row, act_resolve_row, act_recheck_row; /* POST /v1/routes/ROUTE/day/sign, …/dispute, …/resolve, …/recheck */
act_handler act_open_cycle, act_review_cycle, act_close_cycle, act_settle_cycle; /* POST /v1/cycles[/ID/review, /ID/close, /ID/settled] (rules-bills F) */
act_handler act_set_rule; /* POST /v1/rules/RULE: other figures for a rule of validation, from a day on */
act_handler act_accept_figures; /* POST /v1/cycles/ID/accept: figures that stand out may pass */
act_handler act_post_edit, act_approve_edit, act_refuse_edit, act_undo_edit; /* POST /v1/points/POINT/edits, /v1/edits/ID/approve, …/refuse, …/undo */
act_handler act_close_figures; /* POST /v1/figures/MONTH/close */
act_handler act_post_order, act_change_order, act_assign_orders; /* POST /v1/orders, /v1/orders/ORDER, /v1/orders/assign */
act_handler act_start_order, act_cancel_order, act_order_done;   /* POST /v1/orders/ORDER/start, …/cancel, …/done */
act_handler act_decide_flag;   /* POST /v1/flags/ID {"state":"confirmed"|"dismissed","note"} */
act_handler act_choose_notices; /* POST /v1/notices/choices: which notices accounts want */
act_handler act_post_hook, act_remove_hook, act_test_hook, act_retry_dead; /* POST /v1/hooks[/HOOK/remove, /HOOK/test, /HOOK/dead/ID/retry] */
act_handler act_post_command, act_approve_command, act_cancel_command; /* POST /v1/meters/SERIAL/commands[/ID/approve, /ID/cancel] */
act_handler act_post_user, act_change_user; /* POST /v1/users, /v1/users/NAME: who signs in with a password */
act_handler act_create_token;  /* POST /v1/tokens {"role","name","expires"}: 201 {"token":…} */
act_handler act_set_clock;     /* POST /v1/clock {"now":TIME} */
act_handler act_retry_quarantine; /* POST /v1/quarantine/retry {"name"?}: frames that are usable now go on their way */

/* A file of the contract's §4 (`list` its plural name, "readings" too), from an open descriptor that is read from its start. */
struct import_options {
    bool keep_going;      /* rows that are refused are left out; without it one refused row undoes the whole file */
    bool dry_run;
    const struct zone *times_in; /* of local times; NULL: the server's */
};
struct import_refusal {
    uint64_t line;        /* from 1; the header is line 1 of a CSV */
    char column[48];
    char found[80];
    char expected[184]; /* the names of all columns of meters fit */
};
#define IMPORT_REFUSALS_MAX 100000 /* reported one by one, in 32 MB; all are counted */
struct import_report {
    uint64_t rows, written, unchanged, refused, bare; /* bare: zones, routes, orgs, parents created because a row named them */
    size_t refusal_count, refusal_cap;
    struct import_refusal *refusals; /* malloc'd; import_report_done */
};
/* ERR_OK also when rows were refused under keep_going. INVALID: rows were refused and nothing was written; the report says which.
 * NOT_FOUND: no such list. */
MUST_CHECK enum err act_import(struct app *app, const struct caller *caller, struct span list, int fd, const struct import_options *options,
                               struct import_report *out, struct refusal *r);
bool import_may(enum role role, struct span list); /* whether the role may import that list at all; of events each row is looked at besides (403 names the line) */
void import_report_done(struct import_report *report);

/* POST /v1/recipes: a recipe's file (proto/recipe.h). INVALID: it does not parse, or a sample does not come out as it states; `r` says
 * where and what. CONFLICT: its version is known with another text, or a higher one is. */
struct recipe_added {
    char name[SERIAL_MAX + 1];
    uint32_t version;
    unsigned samples;
    bool added;        /* false: it was known already */
    uint64_t released; /* frames that had waited */
};
MUST_CHECK enum err act_add_recipe(struct app *app, const struct caller *caller, struct span text, struct recipe_added *out,
                                   struct refusal *r);

/* After a meter was registered or its radio name changed: frames that waited for it go back into the journal, as of their own
 * arrival. Called by the acts above, and by act_retry_quarantine. */
MUST_CHECK enum err quarantine_release(struct app *app, struct span name, uint64_t *out_released);

#endif
