/* The life of a meter: its events in the order in which they hold, each with the state after it. */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "event",       "at",          "state",       "document",
                                       "note",        "point",       "crew",        "index_l",
                                       "certificate", "reason",      "recorded_at", "result",
                                       "verified_on", "valid_until", "depot",       "photo",
                                       "seal",        "order",       "imported",    "overruled",
                                       "who",         NULL };

struct history {
    struct meter_life life;
    int64_t as_of_s, known_s;
    uint64_t act; /* asked last, and who did it; 0: none was */
    char who[80];
};

static void history_done(void *state)
{
    struct history *h = (struct history *)state;

    life_done(&h->life);
    free(h);
}

static void put_text(struct listing *l, const char *name, const struct life_event *e,
                     enum event_text text)
{
    if (e->text[text].len)
        row_text(l, name, e->text[text]);
    else
        row_null(l, name);
}

static void put_index(struct listing *l, const struct life_event *e)
{
    if (e->flags & EVENT_HAS_INDEX)
        row_litres(l, "index_l", e->index_ml);
    else
        row_null(l, "index_l");
}

static bool note_who(void *arg, const struct audit_record *r)
{
    struct history *h = (struct history *)arg;

    if (r->number == h->act)
        snprintf(h->who, sizeof h->who, "%.*s", (int)r->who.len, (const char *)r->who.at);
    return false; /* what an act's first record says, all of them do */
}

/* The audit tells who recorded it; empty: that was before acts were numbered in events. */
static const char *who_of(struct history *h, struct txn *t, const struct life_event *e)
{
    if (e->act == h->act)
        return h->who;
    h->act = e->act;
    h->who[0] = 0;
    if (ledger_audit(t, e->act, note_who, h)) /* sticks in t */
        h->who[0] = 0;
    return h->who;
}

/* `point`: where it is fitted, or was until this event took it off. */
static void put(struct listing *l, struct txn *t, uint32_t n, const struct life_event *e,
                const struct life *before, const struct life *after)
{
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    uint32_t at = after->point ? after->point : before->point;
    char point[64];
    const char *who;

    wr_be32(&w, n + 1);
    row_begin(l);
    row_word(l, "event", event_name((enum life_kind)e->kind));
    row_time(l, "at", e->at_s);
    row_word(l, "state", life_state_name(after->state));
    put_text(l, "document", e, EVENT_DOCUMENT);
    put_text(l, "note", e, EVENT_NOTE);
    row_word(l, "point", at && point_name(t, at, point) ? point : NULL);
    put_text(l, "crew", e, EVENT_CREW);
    put_index(l, e);
    put_text(l, "certificate", e, EVENT_CERTIFICATE);
    put_text(l, "reason", e, EVENT_REASON);
    row_time(l, "recorded_at", e->recorded_s);
    row_word(l, "result",
             e->kind != EVENT_INSPECT  ? NULL
             : e->flags & EVENT_FAILED ? "fail"
                                       : "pass");
    row_day(l, "verified_on", e->kind == EVENT_VERIFY ? e->verified_on : NO_DAY);
    row_day(l, "valid_until", e->kind == EVENT_VERIFY ? e->valid_until : NO_DAY);
    put_text(l, "depot", e, EVENT_DEPOT);
    put_text(l, "photo", e, EVENT_PHOTO);
    put_text(l, "seal", e, EVENT_SEAL);
    put_text(l, "order", e, EVENT_ORDER_ID);
    row_bool(l, "imported", e->flags & EVENT_IMPORTED);
    row_bool(l, "overruled", e->flags & EVENT_OVERRULED);
    who = who_of((struct history *)l->state, t, e);
    row_word(l, "who", *who ? who : NULL);
    row_end(l, wr_span(&w));
}

static bool is_wanted(const struct history *h, const struct life_event *e)
{
    return e->at_s <= h->as_of_s && e->recorded_s <= h->known_s;
}

static void fill(struct listing *l)
{
    const struct history *h = (const struct history *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t first = l->cursor_len ? rd_be32(&r) : 0, n = 0;
    struct life life;

    life_begin(&life, &h->life.rules);
    for (; n < h->life.count && !listing_full(l); n++) {
        const struct life_event *e = &h->life.events[n];
        struct life before = life;

        if (!is_wanted(h, e))
            continue;
        life_step(&life, e);
        if (n >= first)
            put(l, &t, n, e, &before, &life);
    }
    l->ended = n >= h->life.count;
    listing_fail(l, txn_end(&t));
}

static bool ask_history(struct request *q, struct history *h)
{
    struct txn t;
    struct ledger_row row;
    enum err err;

    if (!ask_time(q, "as_of", INT64_MAX, &h->as_of_s) ||
        !ask_time(q, "known_at", INT64_MAX, &h->known_s))
        return false;
    t = ledger_read(q->app->ledger);
    if (!row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row)) {
        txn_abort(&t);
        return false;
    }
    err = life_load(q->app, &t, row.id, &h->life);
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the meter's life cannot be read: a record %s", err_text(err));
    return !err;
}

void answer_history(struct request *q)
{
    struct history *h = (struct history *)calloc(1, sizeof *h);

    if (!h)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (ask_history(q, h))
        listing_new(q, columns, fill, h, history_done, PAGE);
    else
        history_done(h);
}
