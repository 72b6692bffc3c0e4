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
    struct listing *l = ((struct wanted *)arg)->l;
    const struct record *r = &w->record;
    const struct dialect *dialect = dialect_by_id(r->dialect);
    uint8_t cursor[8];
    struct wr wr = wr_of(cursor, sizeof cursor);
    char id[17];

    if (listing_full(l))
        return false;
    wr_be64(&wr, w->position);
    snprintf(id, sizeof id, "%016llx", (unsigned long long)w->position);
    row_begin(l);
    row_word(l, "id", id);
    row_text(l, "name", w->name.len ? w->name : r->name);
    row_word(l, "why", err_name(w->why));
    row_time(l, "arrived_at", r->arrival_s);
    row_word(l, "dialect", dialect ? dialect->name : NULL);
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

static void answer(struct request *q, bool rejects)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);
    struct span name = ask_text(q, "name");

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
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
