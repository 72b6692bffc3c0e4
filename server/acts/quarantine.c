/* Frames that waited go back into the journal under their meter's id, with their own arrival and
 * peer, and leave the quarantine only after that commit: a crash between the two counts them twice,
 * which their readings' times make one again. */
#include "server/acts/quarantine.h"

#include "server/acts/answer.h"
#include "server/fleet/columns.h"
#include "server/lore.h"
#include "server/readings.h"
#include "server/settler.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define RELEASE_BATCH 4096u

struct release {
    struct app *app;
    struct arena *scratch;
    struct intake *intake;
    enum err why; /* ERR_OK: whatever they wait for */
    uint64_t positions[RELEASE_BATCH];
    size_t count;
    uint64_t changed[RELEASE_BATCH]; /* those that stay, for another reason */
    enum err whys[RELEASE_BATCH];
    size_t change_count;
    uint64_t after, released;
    bool more;
    enum err err;
};

/* One at a time, so that no frame goes back twice. None of those who hold it waits for settling. */
static pthread_mutex_t releasing = PTHREAD_MUTEX_INITIALIZER;

/* What stands against it today; ERR_OK: `out` may go. */
static enum err judge_again(struct release *s, const struct waiting *w, struct judged *out)
{
    struct registry *registry = s->app->registry;
    enum err err;

    arena_clear(s->scratch);
    registry_read_lock(registry);
    err = record_judge_lkd(registry, &s->app->lore, &w->record, s->scratch, out, NULL);
    registry_read_unlock(registry);
    return err ? err : out->why;
}

/* One frame; false: the batch is full, or something failed. */
static bool release_one(void *arg, const struct waiting *w)
{
    struct release *s = (struct release *)arg;
    struct judged judged;
    enum err why;

    if (w->why == ERR_REPLAYED || (s->why && w->why != s->why)) {
        s->after = w->position;
        return true;
    }
    s->more = s->count == RELEASE_BATCH || s->change_count == RELEASE_BATCH;
    if (s->more)
        return false;
    why = judge_again(s, w, &judged);
    if (!why) {
        s->err = intake_add(s->intake, &judged.record);
        if (s->err == ERR_FULL && s->count) {
            s->err = ERR_OK;
            s->more = true;
        }
        if (s->err || s->more)
            return false;
        s->positions[s->count++] = w->position;
        lore_learn(s->app, &judged.frame);
    } else if (why == ERR_NO_MEMORY) {
        s->err = why;
        return false;
    } else if (why != w->why) {
        s->changed[s->change_count] = w->position;
        s->whys[s->change_count++] = why;
    }
    s->after = w->position;
    return true;
}

static enum err release_batch_lkd(struct release *s, struct span name)
{
    struct quarantine *q = s->app->quarantine;
    enum err err;

    s->more = false;
    s->count = s->change_count = 0;
    intake_clear(s->intake);
    if ((err = quarantine_each(q, name, s->after, release_one, s)) || (err = s->err))
        return err;
    if (s->change_count && (err = quarantine_change(q, s->changed, s->whys, s->change_count)))
        return err;
    if (s->count == 0)
        return ERR_OK;
    if ((err = ingest_submit_wait(s->app->ingest, s->intake)) ||
        (err = quarantine_remove(q, s->positions, s->count)))
        return err;
    s->released += s->count;
    return ERR_OK;
}

static enum err release_batch(struct release *s, struct span name)
{
    enum err err;

    pthread_mutex_lock(&releasing);
    err = release_batch_lkd(s, name);
    pthread_mutex_unlock(&releasing);
    return err;
}

/* `name` empty: all that wait. */
static enum err release(struct app *app, struct span name, enum err why, uint64_t *out_released)
{
    struct release *s = (struct release *)calloc(1, sizeof *s);
    enum err err;

    if (!s)
        return ERR_NO_MEMORY;
    s->app = app;
    s->why = why;
    s->scratch = readings_scratch();
    err = s->scratch ? intake_new(&s->intake) : ERR_NO_MEMORY;
    if (!err) {
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

static bool are_hex(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

struct span radio_digits(struct span name)
{
    struct span digits;

    if ((name.len != 12 && name.len != 18) || name.at[3] != '-' ||
        (name.len == 18 && (name.at[12] != '-' || name.at[15] != '-')))
        return span_of(NULL, 0);
    digits = span_of(name.at + 4, 8);
    return are_hex(digits) ? digits : span_of(NULL, 0);
}

/* A name as it came, and what rows of before wait under instead (0.1): the digits alone. */
static enum err release_name(struct app *app, struct span name, uint64_t *out_released)
{
    struct span digits = radio_digits(name);
    enum err err = name.len ? release(app, name, ERR_OK, out_released) : ERR_OK;

    return !err && digits.len ? release(app, digits, ERR_OK, out_released) : err;
}

enum err quarantine_release(struct app *app, struct span name, uint64_t *out_released)
{
    uint64_t released = 0;
    bool any = false;
    enum err err = gather(app, &any);

    if (!err && any)
        err = name.len ? release_name(app, name, &released) : release(app, name, ERR_OK, &released);
    *out_released = released;
    return err;
}

/* Above it one look at all that waits is cheaper than a look-up for each meter. */
#define BY_NAME_MOST 64u

struct by_name {
    struct app *app;
    uint64_t released;
    enum err err;
};

static bool release_meter(void *arg, const struct ledger_row *row)
{
    struct by_name *b = (struct by_name *)arg;

    b->err = release_name(b->app, row->cells[CELL_METER_serial], &b->released);
    if (!b->err)
        b->err = release_name(b->app, row->cells[CELL_METER_radio_id], &b->released);
    return !b->err;
}

static enum err release_listed(struct by_name *b, struct txn *t, const uint32_t *meters,
                               size_t count)
{
    struct ledger_row row;

    for (size_t i = 0; i < count && !b->err; i++) {
        bool again = i && meters[i] == meters[i - 1];

        if (!again && ledger_by_id(t, LIST_METER, meters[i], INT64_MAX, &row))
            release_meter(b, &row);
    }
    return t->err ? t->err : b->err;
}

enum err quarantine_release_meters(struct app *app, const uint32_t *meters, size_t count)
{
    struct by_name b = { .app = app };
    struct txn t;
    bool any = false;
    enum err err = gather(app, &any), ended;

    if (err || !any)
        return err;
    if (count > BY_NAME_MOST)
        return release(app, span_of(NULL, 0), ERR_OK, &b.released);
    t = ledger_read(app->ledger);
    err = release_listed(&b, &t, meters, count);
    ended = txn_end(&t);
    return err ? err : ended;
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
        err = release(app, span_of(NULL, 0), ERR_OK, &b.released);
    else
        err = ledger_each_by_id(&t, LIST_METER, first_meter, release_meter, &b);
    ended = txn_end(&t);
    if (!err)
        err = b.err;
    return err ? err : ended;
}

enum err quarantine_release_name(struct app *app, struct span name)
{
    uint64_t released = 0;

    return quarantine_count(app->quarantine) ? release_name(app, name, &released) : ERR_OK;
}

enum err quarantine_release_known(struct app *app, enum err why)
{
    uint64_t released = 0;

    return quarantine_count(app->quarantine) ? release(app, span_of(NULL, 0), why, &released)
                                             : ERR_OK;
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
