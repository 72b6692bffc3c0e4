/* One row's way into the register, the same for a file's row and a request's body.  For this folder.
 *
 * A refused row gives NOT_FOUND (it names what nobody registered), INVALID (facts missing or impossible), EXISTS (known with other
 * values) or CONFLICT (something stands against it), with `why` filled, and leaves the act as it was; any other error ends the act. */
#ifndef NILO_SERVER_ACTS_REGISTER_H
#define NILO_SERVER_ACTS_REGISTER_H

#include "server/acts/act.h"
#include "server/fleet/columns.h"
#include "storage/registry.h"

struct registrar {
    struct app *app;
    struct act *act;
    bool bare;                   /* zones, routes, orgs and parents that a row names may come later, or be made bare at the end */
    json_t *wanted[LIST_COUNT];  /* those not seen yet */
    json_t *radios;              /* radio names that this act gives, to the serial */
    uint32_t first_new_meter;    /* 0: none */
    struct {
        uint32_t meter; /* 0: none changed */
        char was[SERIAL_MAX + 1], is[SERIAL_MAX + 1];
        char dialect[RADIO_NAME_MAX + 1]; /* as it is now */
    } heard;                     /* how a known meter is heard */
    uint32_t *touched;           /* meters that must be judged anew */
    size_t touched_count, touched_cap;
};

enum put_outcome { PUT_SAME, PUT_NEW, PUT_CHANGED };

void registrar_init(struct registrar *g, struct app *app, struct act *act, bool bare);
void registrar_done(struct registrar *g);

/* `cells`: canonical, those that were sent; cells of a known row that were not sent stay as they are. */
MUST_CHECK enum err registrar_names_exist(struct registrar *g, const struct list *l, const struct cells *cells, struct import_refusal *why);
MUST_CHECK enum err registrar_put(struct registrar *g, const struct list *l, const struct cells *cells, enum put_outcome *out,
                                  struct import_refusal *why);
/* POST /v1/meters/SERIAL: the cells sent replace those known. */
MUST_CHECK enum err registrar_change_meter(struct registrar *g, const struct cells *cells, enum put_outcome *out, struct import_refusal *why);

/* What was named and still is unknown becomes a row with nothing but its name. */
MUST_CHECK enum err registrar_make_bare(struct registrar *g, uint64_t *out_count);

/* After the commit: the registry learns the new meters, frames that waited for them go on, what changed is judged anew. */
MUST_CHECK enum err registrar_committed(struct registrar *g);

/* All cells of the known row `id`, empty ones too, become these; copied before, for the ledger's views end with its next change. */
MUST_CHECK enum err registrar_replace(struct registrar *g, const struct list *l, const struct cells *cells, uint32_t id, enum put_outcome *out,
                                      struct import_refusal *why);

unsigned list_roles(enum list_kind kind); /* who may write rows of a list: a set of roles (rules-fleet R2) */
/* POST /v1/LIST: one row by a request's body, by whoever may write that list. */
void act_post_row(const struct act_request *q, struct act_reply *out, enum list_kind kind);

bool row_refused(enum err err); /* a refusal of the row, not a failure */
enum err row_refuse(struct import_refusal *why, enum err err, const struct column *c, struct span found, const char *format, ...)
    PRINTF_LIKE(5, 6);

extern const struct act_words register_words;
#endif
