/* Readings that are missing are asked for: a meter keeps some weeks of them.
 *
 * A hole is where two neighbours lie more than one and a half steps apart, the step being the larger
 * of those before and after.  Where judging sees one it is noted; the courier then makes a request
 * for history of it, if the meter speaks our own dialect, nobody asked for that span before, and the
 * readings have not come meanwhile.  Requests of a meter that were not sent yet are merged.  When a
 * request has ended and the readings still are not there, it is made again after one and after two
 * days, three times in all (command_row.c). */
#include "server/commands_priv.h"

#include "server/readings.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_BACK_S ((int64_t)31 * 86400) /* what lies longer ago no meter has kept */
#define ASKER "nilometer"
#define OWN_MOST 4         /* requests of one meter that have not ended, or come again */
#define ASKED_AT_ONCE 2048 /* gaps that go into one act: a fraction of a second */

/* ---- where readings are judged ---- */

/* Without room the hole is let go: the next one of that meter is asked for anew. */
static bool room_lkd(struct commands_memory *m)
{
    size_t cap = m->gap_cap ? m->gap_cap * 2 : 256;
    struct gap *more;

    if (m->gap_count < m->gap_cap)
        return true;
    if (cap > GAPS_MOST || !(more = (struct gap *)realloc(m->gaps, cap * sizeof *more)))
        return false;
    m->gaps = more;
    m->gap_cap = cap;
    return true;
}

static void note(struct commands_memory *m, uint32_t meter, uint32_t from_s, uint32_t to_s)
{
    pthread_mutex_lock(&m->lock);
    if (room_lkd(m))
        m->gaps[m->gap_count++] = (struct gap){ .meter = meter, .from_s = from_s, .to_s = to_s };
    m->awake = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
}

/* The distance from a row to the one before it; 0: none. */
static uint32_t step_to(const struct rows *rows, size_t i)
{
    return i > 0 && i < rows->count ? rows->at[i].time_s - rows->at[i - 1].time_s : 0;
}

static enum err add(struct holes *list, uint32_t from_s, uint32_t to_s)
{
    size_t cap = list->cap ? 2 * list->cap : 64;
    struct hole *more;

    if (list->count == list->cap) {
        if (!(more = (struct hole *)realloc(list->at, cap * sizeof *more)))
            return ERR_NO_MEMORY;
        list->at = more;
        list->cap = cap;
    }
    list->at[list->count++] = (struct hole){ from_s, to_s };
    return ERR_OK;
}

enum err commands_holes(const struct commands *c, uint32_t before_s, const struct rows *rows,
                        int64_t now_s, struct holes *out)
{
    enum err err = ERR_OK;

    if (!c || !c->memory->ask_history || rows->count < 2)
        return ERR_OK;
    for (size_t i = rows->count; i-- > 0 && !err;) {
        uint32_t at_s = rows->at[i].time_s, from_s = i ? rows->at[i - 1].time_s : before_s;
        uint32_t before = step_to(rows, i ? i - 1 : 0), after = step_to(rows, i + 1);
        uint32_t step_s = before > after ? before : after;

        if (at_s < now_s - LOOK_BACK_S)
            break;
        if (from_s && step_s && from_s < at_s && at_s - from_s > step_s + step_s / 2)
            err = add(out, from_s, at_s);
    }
    return err;
}

void commands_look(struct commands *c, uint32_t meter, bool readings, const struct hole *holes,
                   size_t count)
{
    if (!c || !c->memory->ask_history)
        return;
    if (readings && commands_any(c))
        review_requests(c->memory, meter);
    for (size_t i = 0; i < count; i++)
        note(c->memory, meter, holes[i].from_s, holes[i].to_s);
}

/* ---- whether it helps ---- */

/* The longest stretch without readings within the gap; false: nothing of note is missing. */
static bool still_missing(struct app *app, const struct meter_facts *facts, struct gap *g)
{
    struct rows rows = { 0 };
    uint32_t last_s = g->from_s, longest_s = 0;
    struct gap missing = *g;
    enum err err = readings_load(app, facts, meter_billed_channel(facts), (int64_t)g->from_s + 1,
                                 g->to_s, &rows);

    for (size_t i = 0; !err && i <= rows.count; i++) {
        uint32_t at_s = i < rows.count ? rows.at[i].time_s : g->to_s;

        if (at_s - last_s > longest_s) {
            longest_s = at_s - last_s;
            missing.from_s = last_s;
            missing.to_s = at_s;
        }
        last_s = at_s;
    }
    rows_done(&rows);
    /* Readings every so often are what the meter was told to keep. */
    if (err || longest_s < (g->to_s - g->from_s) / 2)
        return false;
    *g = missing;
    return true;
}

enum err gap_filled(struct commands_memory *m, struct txn *t, const struct pending *p,
                    bool *out_filled)
{
    struct gap g = { .meter = p->meter, .from_s = (uint32_t)p->value, .to_s = (uint32_t)p->until };
    struct meter_facts facts;
    enum err err = meter_facts_by_id(t, p->meter, &facts);

    *out_filled = !err && !still_missing(m->app, &facts, &g);
    return err;
}

/* The newest report came as our own. */
static bool speaks_native(struct app *app, const struct meter_facts *facts)
{
    struct vitals vitals = { 0 };
    struct journal_reader *reader;
    struct record record;
    bool native = false;

    if (readings_vitals(app, facts, &vitals) || !vitals.position ||
        journal_reader_open(app->journal, &reader))
        return false;
    if (journal_get(reader, vitals.position, &record) == ERR_OK)
        native = dialect_by_id(record.dialect) == dialect_by_name(span_text("native"));
    journal_reader_close(reader);
    return native;
}

struct asked {
    const struct gap *gap;
    uint32_t except; /* the request that comes again */
    bool already;
    unsigned own;
};

static bool look_at(void *arg, const struct command_row *row)
{
    struct asked *a = (struct asked *)arg;

    if (!(row->flags & COMMAND_OF_ITSELF) || row->id == a->except)
        return true;
    a->own += command_lives(row);
    if (!a->except || command_lives(row)) /* what comes again was asked for before */
        a->already = a->already || (row->value <= a->gap->from_s && row->until >= a->gap->to_s);
    a->already = a->already || (row->flags & COMMAND_BY_METER && row->result == 2); /* refused */
    return true;
}

/* The request that is not under way yet, and takes the new span in. */
struct unsent {
    struct command_row row;
    bool found;
};

static bool find_unsent(void *arg, const struct command_row *row)
{
    struct unsent *w = (struct unsent *)arg;

    if (row->flags & COMMAND_OF_ITSELF && row->state == COMMAND_QUEUED) {
        w->row = *row;
        w->found = true;
    }
    return true;
}

/* ---- asking ---- */

static struct command_row request_of(const struct gap *g, uint8_t tries, int64_t now_s)
{
    struct command_row row = { .meter = g->meter,
                               .what = COMMAND_HISTORY,
                               .state = COMMAND_QUEUED,
                               .flags = COMMAND_OF_ITSELF,
                               .tries = tries,
                               .value = g->from_s,
                               .until = g->to_s,
                               .queued_s = (uint32_t)now_s,
                               .expires_s = (uint32_t)(now_s + COMMAND_EXPIRES_S),
                               .asked_by = ASKER };

    return row;
}

/* Writes a request, or widens the one that waits; *out is what memory must know. */
static void ask(struct act *act, const struct gap *g, uint8_t tries, int64_t now_s,
                struct command_row *out)
{
    struct unsent w = { 0 };

    if (ledger_commands_of(&act->txn, g->meter, 0, find_unsent, &w))
        return;
    if (!w.found) {
        *out = request_of(g, tries, now_s);
        act_command_new(act, out);
        return;
    }
    if (w.row.value > g->from_s)
        w.row.value = g->from_s;
    if (w.row.until < g->to_s)
        w.row.until = g->to_s;
    act_command_put(act, &w.row, "command.widened", true);
    *out = w.row;
}

/* What is known of the meter and of what was asked for. False: nothing is to be asked. */
static bool is_worth_asking(struct commands_memory *m, struct txn *t, struct gap *g,
                            uint32_t except, int64_t now_s)
{
    struct asked a = { .gap = g, .except = except };
    struct meter_facts facts;

    if (meter_facts_by_id(t, g->meter, &facts) || ledger_commands_of(t, g->meter, 0, look_at, &a) ||
        a.already || a.own >= OWN_MOST)
        return false;
    if (g->from_s < now_s - LOOK_BACK_S)
        g->from_s = (uint32_t)(now_s - LOOK_BACK_S);
    return g->from_s < g->to_s && speaks_native(m->app, &facts) && still_missing(m->app, &facts, g);
}

/* ---- the courier's turn ---- */

/* What one act is made of: gaps, and beside each the request that it was asked for with before. */
struct asking {
    struct gap gap;
    struct command_row before; /* id 0: none */
    bool worth;
    struct command_row row; /* what became of it; id 0: nothing */
};

static void write_asking(struct act *act, struct asking *a, int64_t now_s)
{
    if (a->before.id) {
        a->before.retry_s = 0;
        act_command_put(act, &a->before, a->worth ? "command.again" : "command.over", false);
    }
    if (a->worth)
        ask(act, &a->gap, (uint8_t)(a->before.tries + 1), now_s, &a->row);
}

static enum err write_all(struct commands_memory *m, struct asking *all, size_t count,
                          int64_t now_s)
{
    struct act act = act_begin(m->app->ledger, ASKER, now_s, journal_end(m->app->journal));
    enum err err;

    for (size_t i = 0; i < count && !act.txn.err; i++)
        write_asking(&act, &all[i], now_s);
    if ((err = act_end(&act)))
        return err;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < count; i++) {
        if (all[i].before.id)
            pending_put_lkd(m, &all[i].before);
        if (all[i].row.id)
            pending_put_lkd(m, &all[i].row);
    }
    pthread_mutex_unlock(&m->lock);
    return ERR_OK;
}

static size_t take_again_lkd(struct commands_memory *m, struct asking *out, size_t count,
                             int64_t now_s)
{
    for (struct pending *p = m->buckets[m->again_bucket]; p && count < ASKED_AT_ONCE; p = p->next) {
        if (!p->retry_s || now_s < p->retry_s || !command_ended((enum command_state)p->state))
            continue;
        out[count++] = (struct asking){ .gap = { p->meter, (uint32_t)p->value, (uint32_t)p->until },
                                        .before.id = p->id };
    }
    return count;
}

/* Up to ASKED_AT_ONCE of what was noted, and of what comes again. */
static size_t take(struct commands_memory *m, struct asking *out, int64_t now_s)
{
    size_t count = 0;

    pthread_mutex_lock(&m->lock);
    while (m->gap_count && count < ASKED_AT_ONCE)
        out[count++] = (struct asking){ .gap = m->gaps[--m->gap_count] };
    while (count < ASKED_AT_ONCE && m->again_bucket < m->bucket_count) {
        count = take_again_lkd(m, out, count, now_s);
        if (count == ASKED_AT_ONCE)
            break; /* the rest of the bucket has the next turn */
        if (++m->again_bucket % BUCKETS_AT_ONCE == 0)
            breathe_lkd(m);
    }
    pthread_mutex_unlock(&m->lock);
    return count;
}

static enum err look_closer(struct commands_memory *m, struct asking *all, size_t count,
                            int64_t now_s)
{
    struct txn t = ledger_read(m->app->ledger);

    for (size_t i = 0; i < count && !t.err; i++) {
        uint32_t before = all[i].before.id;

        if (before && !ledger_command(&t, all[i].gap.meter, before, &all[i].before))
            all[i].before.id = 0;
        all[i].worth = is_worth_asking(m, &t, &all[i].gap, before, now_s);
    }
    return txn_end(&t);
}

static bool is_any(struct commands_memory *m)
{
    bool any;

    pthread_mutex_lock(&m->lock);
    any = m->gap_count || m->again_bucket < m->bucket_count;
    pthread_mutex_unlock(&m->lock);
    return any;
}

static void begin_again(struct commands_memory *m)
{
    pthread_mutex_lock(&m->lock);
    m->again_bucket = 0;
    pthread_mutex_unlock(&m->lock);
}

enum err gaps_turn(struct commands_memory *m, int64_t now_s, bool *out_more)
{
    struct asking *all;
    size_t count;
    enum err err = ERR_OK;

    *out_more = false;
    if (!is_any(m))
        return ERR_OK;
    if (!(all = (struct asking *)malloc(ASKED_AT_ONCE * sizeof *all)))
        return ERR_NO_MEMORY;
    count = take(m, all, now_s);
    if (count && !(err = look_closer(m, all, count, now_s)))
        err = write_all(m, all, count, now_s);
    free(all);
    if (err)
        begin_again(m);
    else
        *out_more = is_any(m);
    return err;
}
