/* Frames that waited for a meter go back into the journal under its id, with their own arrival and
 * peer, and leave the quarantine only after that commit: a crash between the two counts them twice,
 * which their readings' times make one again. */
#include "server/acts/quarantine.h"

#include "server/acts/answer.h"
#include "server/fleet/columns.h"
#include "server/settler.h"

#include <stdio.h>
#include <stdlib.h>

#define RELEASE_BATCH 4096u

struct release {
    struct app *app;
    struct intake *intake;
    uint64_t positions[RELEASE_BATCH];
    size_t count;
    uint64_t after, released;
    bool more;
    enum err err;
};

/* One frame; false: the batch is full. */
static bool release_one(void *arg, const struct waiting *w)
{
    struct release *s = (struct release *)arg;
    struct record record = w->record;

    record.meter = w->why == ERR_UNKNOWN ? registry_find(s->app->registry, w->name) : 0;
    if (record.meter) {
        s->err = s->count < RELEASE_BATCH ? intake_add(s->intake, &record) : ERR_FULL;
        if (s->err == ERR_FULL && s->count) {
            s->err = ERR_OK;
            s->more = true;
            return false;
        }
        if (s->err)
            return false;
        s->positions[s->count++] = w->position;
    }
    s->after = w->position;
    return true;
}

static enum err release_batch(struct release *s, struct span name)
{
    enum err err;

    s->more = false;
    s->count = 0;
    intake_clear(s->intake);
    if ((err = quarantine_each(s->app->quarantine, name, s->after, release_one, s)) ||
        (err = s->err) || s->count == 0)
        return err;
    if ((err = ingest_submit_wait(s->app->ingest, s->intake)) ||
        (err = quarantine_remove(s->app->quarantine, s->positions, s->count)))
        return err;
    s->released += s->count;
    return ERR_OK;
}

/* `name` empty: all that wait for a name that is known now. */
static enum err release(struct app *app, struct span name, uint64_t *out_released)
{
    struct release *s = (struct release *)calloc(1, sizeof *s);
    enum err err;

    if (!s)
        return ERR_NO_MEMORY;
    s->app = app;
    if (!(err = intake_new(&s->intake))) {
        do
            err = release_batch(s, name);
        while (!err && s->more);
    }
    *out_released += s->released;
    intake_free(s->intake);
    free(s);
    return err;
}

/* What arrived and was not settled yet waits in the tail, under meter 0. */
static enum err gather(struct app *app, bool *out_any)
{
    if (tail_of(app->tail, 0, NULL, 0)) {
        enum err err = settler_settle(app->settler);

        if (err)
            return err;
    }
    *out_any = quarantine_count(app->quarantine) > 0;
    return ERR_OK;
}

static void upper(struct span text, uint8_t out[16])
{
    for (size_t i = 0; i < 16; i++)
        out[i] = text.at[i] >= 'a' && text.at[i] <= 'f' ? (uint8_t)(text.at[i] - 0x20) : text.at[i];
}

/* A name as it came, and an EUI in either case. */
static enum err release_name(struct app *app, struct span name, uint64_t *out_released)
{
    uint8_t lower[RADIO_NAME_MAX], capitals[RADIO_NAME_MAX];
    struct span form = registry_radio_form(name, lower);
    enum err err = release(app, name, out_released);

    if (err || form.at != lower || form.len != 16)
        return err;
    upper(form, capitals);
    if (!span_equal(form, name))
        err = release(app, form, out_released);
    if (!err && !span_equal(span_of(capitals, 16), name))
        err = release(app, span_of(capitals, 16), out_released);
    return err;
}

enum err quarantine_release(struct app *app, struct span name, uint64_t *out_released)
{
    uint64_t released = 0;
    bool any = false;
    enum err err = gather(app, &any);

    if (!err && any)
        err = name.len ? release_name(app, name, &released) : release(app, name, &released);
    *out_released = released;
    return err;
}

/* Above it one look at all that waits is cheaper than a look-up for each new meter. */
#define BY_NAME_MOST 64u

struct by_name {
    struct app *app;
    uint64_t released;
    enum err err;
};

static bool release_meter(void *arg, const struct ledger_row *row)
{
    struct by_name *b = (struct by_name *)arg;
    struct span radio = row->cells[CELL_METER_radio_id];

    b->err = release_name(b->app, row->cells[CELL_METER_serial], &b->released);
    if (!b->err && radio.len)
        b->err = release_name(b->app, radio, &b->released);
    return !b->err;
}

enum err quarantine_release_from(struct app *app, uint32_t first_meter)
{
    struct by_name b = { .app = app };
    struct txn t;
    bool any = false;
    enum err err = gather(app, &any), ended;

    if (err || !any)
        return err;
    t = ledger_read(app->ledger);
    if (ledger_last_id(&t, LIST_METER) - first_meter >= BY_NAME_MOST)
        err = release(app, span_of(NULL, 0), &b.released);
    else
        err = ledger_each_by_id(&t, LIST_METER, first_meter, release_meter, &b);
    ended = txn_end(&t);
    if (!err)
        err = b.err;
    return err ? err : ended;
}

enum err quarantine_release_known(struct app *app)
{
    uint64_t released = 0;

    return quarantine_count(app->quarantine) ? release(app, span_of(NULL, 0), &released) : ERR_OK;
}

void act_retry_quarantine(const struct act_request *q, struct act_reply *out)
{
    struct span name;
    uint64_t released = 0;
    enum err err;

    if (!answer_role(q, out, ROLES_CHIEF) || !answer_members(q, out, "name", NULL))
        return;
    if (!answer_text(q, out, "name", false, &name))
        return;
    if ((err = quarantine_release(q->app, name, &released))) {
        answer_failed(out, err);
        return;
    }
    answer_begin(out, 200);
    out_member_int(&out->body, "released", (int64_t)released);
    answer_end(out, NULL);
}
