/* The end of an act on the register: bare rows before its commit, and who must hear of it after. */
#include "server/acts/quarantine.h"
#include "server/acts/register_priv.h"
#include "server/commands.h"
#include "server/registers.h"
#include "server/replacements.h"
#include "server/settler.h"

static enum err make_bare(struct registrar *g, unsigned list, struct span name, uint64_t *count)
{
    struct cells cells = { .at = { name } };
    struct ledger_row row;
    bool written = false;

    if (ledger_find(&g->act->txn, list, name, INT64_MAX, &row))
        return ERR_OK; /* a later row of the file told it */
    act_put_row(g->act, list, name, LEDGER_ALWAYS, cells.at, 1, NULL, &written);
    *count += written;
    return g->act->txn.err;
}

enum err registrar_make_bare(struct registrar *g, uint64_t *out_count)
{
    uint64_t count = 0;

    for (unsigned list = 0; list < LIST_COUNT; list++) {
        const char *name;
        json_t *one;

        json_object_foreach(g->wanted[list], name, one)
        {
            enum err err = make_bare(g, list, span_text(name), &count);

            if (err)
                return err;
        }
    }
    *out_count = count;
    return ERR_OK;
}

static enum err hearing_committed(struct registrar *g)
{
    struct registry *r = g->app->registry;
    enum err err;

    if (!g->heard.meter)
        return ERR_OK;
    if (g->heard.was[0])
        registry_drop_radio(r, span_text(g->heard.was), g->heard.meter);
    if (g->heard.is[0] && (err = registry_add_radio(r, span_text(g->heard.is), g->heard.meter)))
        return err;
    return registry_set_profile(r, g->heard.meter, span_text(g->heard.dialect));
}

enum err registrar_committed(struct registrar *g)
{
    struct app *app = g->app;
    enum err err = ERR_OK;

    if (g->first_new_meter)
        err = registry_load_from(app->registry, app->ledger, LIST_METER, g->first_new_meter,
                                 &meter_cells);
    if (!err)
        err = hearing_committed(g);
    rankings_touch(app->rankings, g->touched, g->touched_count);
    for (size_t i = 0; i < g->touched_count; i++) {
        settler_touch_behind(app->settler, g->touched[i]);
        commands_review(app->commands, g->touched[i]);
    }
    if (!err && g->first_new_meter)
        err = quarantine_release_from(app, g->first_new_meter);
    if (!err && g->heard.meter)
        err = quarantine_release_meters(app, &g->heard.meter, 1);
    return err;
}
