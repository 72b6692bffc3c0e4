/* That a meter has keys: which kind, from when, and by what people tell them apart.  The keys themselves go
 * nowhere. */
#include "proto/base/rd.h"
#include "server/acts/import.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "storage/keyring.h"
#include "storage/secret.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "kind", "valid_from", "state", "fingerprint", NULL };

struct shown_key {
    uint8_t kind;
    int64_t from_s;
    const char *state;
    char fingerprint[FINGERPRINT_SIZE];
};

struct shown {
    const struct store_key *store_key; /* NULL: nobody can open them */
    struct shown_key *at;
    size_t count, cap;
    enum err err;
};

static void shown_done(void *state)
{
    struct shown *s = (struct shown *)state;

    free(s->at);
    free(s);
}

static enum err fingerprint(const struct shown *s, const struct sealed_key *k,
                            char out[FINGERPRINT_SIZE])
{
    uint8_t place[SEALED_PLACE_SIZE], key[KEYRING_KEY_MAX];
    size_t len;
    enum err err;

    out[0] = 0;
    if (!s->store_key)
        return ERR_OK;
    sealed_place(k, place);
    err = store_key_unseal(s->store_key, span_of(place, sizeof place), k->sealed, key, sizeof key,
                           &len);
    if (!err)
        store_key_fingerprint(s->store_key, k->kind, span_of(key, len), out);
    secret_wipe(key, sizeof key);
    return err;
}

static bool add_key(void *arg, const struct sealed_key *k)
{
    struct shown *s = (struct shown *)arg;
    struct shown_key *one;

    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        struct shown_key *more = (struct shown_key *)realloc(s->at, cap * sizeof *more);

        if (!more) {
            s->err = ERR_NO_MEMORY;
            return false;
        }
        s->at = more;
        s->cap = cap;
    }
    one = &s->at[s->count++];
    *one = (struct shown_key){ .kind = k->kind, .from_s = k->from_s };
    s->err = fingerprint(s, k, one->fingerprint);
    return !s->err;
}

/* They stand by kind, the oldest first. */
static void tell_states(struct shown *s, int64_t now_s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct shown_key *k = &s->at[i];
        const struct shown_key *next =
            i + 1 < s->count && s->at[i + 1].kind == k->kind ? &s->at[i + 1] : NULL;

        k->state = k->from_s > now_s               ? "coming"
                   : next && next->from_s <= now_s ? "past"
                                                   : "current";
    }
}

static void fill(struct listing *l)
{
    const struct shown *s = (const struct shown *)l->state;
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t n = l->cursor_len ? rd_be32(&r) : 0;

    for (; n < s->count && !listing_full(l); n++) {
        const struct shown_key *k = &s->at[n];
        uint8_t cursor[4];
        struct wr w = wr_of(cursor, sizeof cursor);

        wr_be32(&w, n + 1);
        row_begin(l);
        row_word(l, "kind", key_kind_name(k->kind));
        if (k->from_s == LEDGER_ALWAYS)
            row_null(l, "valid_from");
        else
            row_time(l, "valid_from", k->from_s);
        row_word(l, "state", k->state);
        row_word(l, "fingerprint", k->fingerprint[0] ? k->fingerprint : NULL);
        row_end(l, wr_span(&w));
    }
    l->ended = n >= s->count;
}

void answer_keys(struct request *q)
{
    struct shown *s = (struct shown *)calloc(1, sizeof *s);
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    enum err err = ERR_OK, ended;
    bool known = s && row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row);

    if (known) {
        s->store_key = q->app->store_key;
        err = ledger_keys(&t, row.id, add_key, s);
        if (!err)
            err = s->err;
    }
    ended = txn_end(&t);
    if (!err)
        err = ended;
    if (known && !err) {
        tell_states(s, clock_now_s(&q->app->clock));
        listing_new(q, columns, fill, s, shown_done, PAGE);
        return;
    }
    if (known || !s)
        problem_of(q, s ? err : ERR_NO_MEMORY, "", "the meter's keys cannot be listed");
    if (s)
        shown_done(s);
}
