/* Frames that wait, and frames that were refused: for the people who find out why. */
#include "proto/base/hex.h"
#include "proto/base/rd.h"
#include "proto/dialect.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "storage/quarantine.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "id",        "name", "why", "arrived_at", "dialect",
                                       "transport", "peer", "len", "bytes",      NULL };

struct wanted {
    bool rejects;
    enum err why; /* ERR_OK: any */
    char name[256];
    struct listing *l;
};

static const char *transport_name(uint8_t transport)
{
    static const char *const names[] = { NULL, "coap", "coaps", "http", "mqtt", "file" };

    return transport < sizeof names / sizeof names[0] ? names[transport] : NULL;
}

static void put_peer(struct listing *l, const struct peer *p)
{
    char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 10];

    if (p->len == 4 && inet_ntop(AF_INET, p->address, host, sizeof host))
        snprintf(text, sizeof text, "%s:%u", host, p->port);
    else if (p->len == 16 && inet_ntop(AF_INET6, p->address, host, sizeof host))
        snprintf(text, sizeof text, "[%s]:%u", host, p->port);
    else
        text[0] = 0;
    row_text(l, "peer", span_text(text));
}

static void put_bytes(struct listing *l, struct span bytes)
{
    struct out *o = row_raw_begin(l, "bytes");
    size_t len = 2 * bytes.len;
    char *room;

    if (l->form != FORM_CSV)
        out_text(o, "\"");
    if ((room = out_room(o, len))) {
        struct wr w = wr_of(room, len);

        hex_write(&w, bytes);
        o->len += wr_len(&w);
    }
    if (l->form != FORM_CSV)
        out_text(o, "\"");
    row_raw_end(l);
}

static bool take(void *arg, const struct waiting *w)
{
    const struct wanted *wanted = (const struct wanted *)arg;
    struct listing *l = wanted->l;
    const struct record *r = &w->record;
    const struct dialect *dialect = dialect_by_id(r->dialect);
    uint8_t cursor[8];
    struct wr wr = wr_of(cursor, sizeof cursor);
    char id[17];

    if (listing_full(l))
        return false;
    wr_be64(&wr, w->position);
    if (wanted->why && w->why != wanted->why) {
        listing_pass(l, wr_span(&wr));
        return true;
    }
    snprintf(id, sizeof id, "%016llx", (unsigned long long)w->position);
    row_begin(l);
    row_word(l, "id", id);
    row_text(l, "name", w->name.len ? w->name : r->name);
    row_word(l, "why", err_name(w->why));
    row_time(l, "arrived_at", r->arrival_s);
    row_text(l, "dialect", r->recipe.len ? r->recipe : span_text(dialect ? dialect->name : ""));
    row_word(l, "transport", transport_name(r->transport));
    put_peer(l, &r->peer);
    row_int(l, "len", (int64_t)r->bytes.len);
    put_bytes(l, r->bytes);
    row_end(l, wr_span(&wr));
    return true;
}

static void fill(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint64_t after = l->cursor_len ? rd_be64(&r) : 0;
    enum err err;

    w->l = l;
    err = w->rejects ? quarantine_each_reject(l->app->quarantine, after, take, w)
                     : quarantine_each(l->app->quarantine, span_text(w->name), after, take, w);
    if (err)
        listing_fail(l, err);
    l->ended = !listing_full(l);
}

/* Any word that a frame may wait for; false: refused. */
static bool ask_why(struct request *q, enum err *out)
{
    struct span why = ask_text(q, "why");

    *out = ERR_OK;
    if (!why.len)
        return true;
    for (int err = 1; err < ERR_COUNT; err++)
        if (err_of_frame((enum err)err) && span_equal(why, span_text(err_name((enum err)err))))
            *out = (enum err)err;
    if (!*out)
        problem_of(q, ERR_INVALID, "why",
                   "why: found %.*s, expected unknown, no_key, wrong_key, no_format, no_recipe, "
                   "damaged or replayed",
                   (int)(why.len < 40 ? why.len : 40), (const char *)why.at);
    return *out != ERR_OK;
}

static void answer(struct request *q, bool rejects)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);
    struct span name = ask_text(q, "name");

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    if (!rejects && !ask_why(q, &w->why)) {
        free(w);
        return;
    }
    w->rejects = rejects;
    snprintf(w->name, sizeof w->name, "%.*s", (int)(name.len < 255 ? name.len : 255),
             name.len ? (const char *)name.at : "");
    listing_new(q, columns, fill, w, free, PAGE);
}

void answer_quarantine(struct request *q)
{
    answer(q, false);
}

void answer_rejects(struct request *q)
{
    answer(q, true);
}

/* ---- how many wait for what ---- */

static const char *const summary_columns[] = { "why",    "dialect", "count", "oldest",
                                               "newest", "name",    NULL };

#define GROUPS_MAX 256 /* reasons times dialects */

struct group {
    enum err why;
    uint8_t dialect;
    uint64_t count;
    uint32_t oldest_s, newest_s;
    char name[65]; /* of the newest */
};

struct summary {
    size_t count;
    struct group group[GROUPS_MAX];
};

static struct group *group_of(struct summary *s, enum err why, uint8_t dialect)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->group[i].why == why && s->group[i].dialect == dialect)
            return &s->group[i];
    if (s->count == GROUPS_MAX)
        return NULL;
    s->group[s->count] = (struct group){ .why = why, .dialect = dialect, .oldest_s = UINT32_MAX };
    return &s->group[s->count++];
}

static bool count_one(void *arg, const struct waiting *w)
{
    struct group *g = group_of((struct summary *)arg, w->why, w->record.dialect);
    struct span name = w->name.len ? w->name : w->record.name;

    if (!g)
        return true;
    g->count++;
    if (w->record.arrival_s < g->oldest_s)
        g->oldest_s = w->record.arrival_s;
    if (w->record.arrival_s >= g->newest_s) {
        g->newest_s = w->record.arrival_s;
        snprintf(g->name, sizeof g->name, "%.*s", (int)(name.len < 64 ? name.len : 64),
                 name.len ? (const char *)name.at : "");
    }
    return true;
}

static int by_why(const void *a, const void *b)
{
    const struct group *x = (const struct group *)a, *y = (const struct group *)b;

    return x->why != y->why ? (x->why > y->why) - (x->why < y->why) : x->dialect - y->dialect;
}

static void summary_fill(struct listing *l)
{
    const struct summary *s = (const struct summary *)l->state;
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t n = l->cursor_len ? rd_be32(&r) : 0;

    for (; n < s->count && !listing_full(l); n++) {
        const struct group *g = &s->group[n];
        const struct dialect *dialect = dialect_by_id(g->dialect);
        uint8_t cursor[4];
        struct wr w = wr_of(cursor, sizeof cursor);

        wr_be32(&w, n + 1);
        row_begin(l);
        row_word(l, "why", err_name(g->why));
        row_word(l, "dialect", dialect ? dialect->name : NULL);
        row_int(l, "count", (int64_t)g->count);
        row_time(l, "oldest", g->oldest_s);
        row_time(l, "newest", g->newest_s);
        row_text(l, "name", span_text(g->name));
        row_end(l, wr_span(&w));
    }
    l->ended = n >= s->count;
}

void answer_quarantine_summary(struct request *q)
{
    struct summary *s = (struct summary *)calloc(1, sizeof *s);
    enum err err =
        s ? quarantine_each(q->app->quarantine, span_of(NULL, 0), 0, count_one, s) : ERR_NO_MEMORY;

    if (err) {
        free(s);
        problem_of(q, err, "", "what waits cannot be counted: the store %s", err_text(err));
        return;
    }
    if (s->count)
        qsort(s->group, s->count, sizeof s->group[0], by_why);
    listing_new(q, summary_columns, summary_fill, s, free, PAGE);
}
