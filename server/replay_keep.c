#include "server/replay_keep.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"

#include <stdlib.h>

#define VERSION 1
#define RECORD_MOST 256 /* bytes of one difference or group */
_Static_assert(RECORD_MOST > FLAG_ID_SIZE + 2 * 6 * 10 + 32, "a difference fits");
_Static_assert(RECORD_MOST > REPLAY_NAME + 4 * 10 + 8, "a group fits");

enum listed_as { DIFFERENCES, ZONES, MODELS };

/* ---- writing ---- */

static void put_head(struct wr *w, const struct replay *r)
{
    const struct replay_wish *wish = &r->wish;
    struct check_line_told told = { .line = wish->line };
    uint8_t bytes[256];
    struct wr line = wr_of(bytes, sizeof bytes);

    check_line_write(&line, &told);
    wr_u8(w, VERSION);
    wr_u8(w, (uint8_t)r->state);
    wr_counted(w, span_text(listed_rule(wish->line.rule)->name));
    wr_counted(w, wr_span(&line));
    wr_zigzag(w, wish->from_s);
    wr_counted(w, span_text(wish->zone));
    wr_varint(w, wish->share_permille);
    wr_counted(w, span_text(wish->who));
    wr_zigzag(w, r->begun_s);
    wr_zigzag(w, r->ended_s);
    wr_varint(w, r->meters);
    wr_varint(w, r->meters_done);
    wr_varint(w, r->damaged);
    for (int c = 0; c < REPLAY_CHANGES; c++)
        wr_varint(w, r->count[c]);
    wr_u8(w, r->more);
}

static void put_episode(struct wr *w, const struct replay_episode *e)
{
    wr_zigzag(w, e->fitting_from_s);
    wr_zigzag(w, e->onset_s);
    wr_zigzag(w, e->raised_s);
    wr_zigzag(w, e->cleared_s);
    wr_zigzag(w, e->lost_mlpd);
    wr_varint(w, e->confidence_pct);
}

static void put_record(struct wr *w, const struct replay *r, enum listed_as what, size_t i)
{
    const struct replay_group *g = what == ZONES ? r->zones : r->models;

    if (what == DIFFERENCES) {
        const struct replay_row *row = &r->rows[i];

        wr_u8(w, (uint8_t)row->change);
        wr_varint(w, row->meter);
        wr_varint(w, row->point);
        wr_counted(w, span_text(row->id));
        put_episode(w, &row->now);
        put_episode(w, &row->then);
        return;
    }
    wr_counted(w, span_text(g[i].name));
    for (int c = 0; c < REPLAY_CHANGES; c++)
        wr_varint(w, g[i].count[c]);
}

static size_t count_of(const struct replay *r, enum listed_as what)
{
    return what == DIFFERENCES ? r->row_count : what == ZONES ? r->zone_count : r->model_count;
}

/* As many records from `from` on as fit into one part; returns how many. */
static size_t put_part(struct wr *w, uint8_t *room, const struct replay *r, enum listed_as what,
                       size_t from)
{
    struct wr body = wr_of(room, REPLAY_PART - 16);
    size_t count = 0;

    while (from + count < count_of(r, what) && wr_len(&body) + RECORD_MOST < REPLAY_PART - 16)
        put_record(&body, r, what, from + count++);
    wr_u8(w, (uint8_t)what);
    wr_varint(w, count);
    wr_bytes(w, wr_span(&body));
    if (body.err)
        w->err = body.err;
    return count;
}

static enum err put_lists(struct txn *t, const struct replay *r)
{
    uint8_t *room = (uint8_t *)malloc(2 * (size_t)REPLAY_PART);
    uint32_t part = 1;
    enum err err = room ? ERR_OK : ERR_NO_MEMORY;

    for (int what = DIFFERENCES; what <= MODELS && !err; what++)
        for (size_t done = 0; done < count_of(r, (enum listed_as)what) && !err;) {
            struct wr w = wr_of(room + REPLAY_PART, REPLAY_PART);

            done += put_part(&w, room, r, (enum listed_as)what, done);
            if (!(err = w.err))
                views_put_replay(t, r->id, part++, wr_span(&w));
        }
    free(room);
    return err;
}

enum err replay_keep(struct app *app, const struct replay *r, bool whole, uint32_t drop)
{
    struct txn t = views_write(app->views);
    uint8_t bytes[1024];
    struct wr w = wr_of(bytes, sizeof bytes);
    enum err err;

    put_head(&w, r);
    if (drop)
        views_del_replay(&t, drop);
    views_del_replay(&t, r->id);
    views_put_replay(&t, r->id, 0, wr_span(&w));
    err = w.err ? w.err : whole ? put_lists(&t, r) : ERR_OK;
    if (err) {
        txn_abort(&t);
        return err;
    }
    return txn_end(&t);
}

/* ---- reading ---- */

static enum err read_head(struct span bytes, struct replay *r)
{
    struct rd in = rd_of(bytes);
    struct check_line_told told;
    uint8_t version = rd_u8(&in), state = rd_u8(&in);
    int rule = listed_named(rd_counted(&in));
    struct span line = rd_counted(&in);

    if (in.err || version != VERSION || state >= REPLAY_STATES || rule < 0 ||
        check_line_read(line, (enum listed_rule)rule, 0, &told))
        return ERR_CORRUPT;
    r->state = state == REPLAY_RUNNING ? REPLAY_INTERRUPTED : (enum replay_state)state;
    r->wish.line = told.line;
    r->wish.from_s = rd_zigzag(&in);
    text_cut(r->wish.zone, sizeof r->wish.zone, rd_counted(&in));
    r->wish.share_permille = (unsigned)rd_varint(&in);
    text_cut(r->wish.who, sizeof r->wish.who, rd_counted(&in));
    r->begun_s = rd_zigzag(&in);
    r->ended_s = rd_zigzag(&in);
    r->meters = rd_varint(&in);
    r->meters_done = rd_varint(&in);
    r->damaged = rd_varint(&in);
    for (int c = 0; c < REPLAY_CHANGES; c++)
        r->count[c] = rd_varint(&in);
    r->more = rd_u8(&in);
    return in.err || rd_left(&in) ? ERR_CORRUPT : ERR_OK;
}

static void read_episode(struct rd *in, struct replay_episode *e)
{
    e->fitting_from_s = rd_zigzag(in);
    e->onset_s = rd_zigzag(in);
    e->raised_s = rd_zigzag(in);
    e->cleared_s = rd_zigzag(in);
    e->lost_mlpd = rd_zigzag(in);
    e->confidence_pct = (unsigned)rd_varint(in);
}

static void read_row(struct rd *in, struct replay_row *row)
{
    uint8_t change = rd_u8(in);

    if (change >= REPLAY_CHANGES)
        rd_fail(in, ERR_CORRUPT);
    row->change = (enum replay_change)change;
    row->meter = (uint32_t)rd_varint(in);
    row->point = (uint32_t)rd_varint(in);
    text_cut(row->id, sizeof row->id, rd_counted(in));
    read_episode(in, &row->now);
    read_episode(in, &row->then);
}

static void read_group(struct rd *in, struct replay_group *g)
{
    text_cut(g->name, sizeof g->name, rd_counted(in));
    for (int c = 0; c < REPLAY_CHANGES; c++)
        g->count[c] = rd_varint(in);
}

/* Room for `count` more behind those that are there, zeroed. */
static void *room_for(void *at, size_t count, size_t more, size_t size)
{
    uint8_t *room = (uint8_t *)realloc(at, (count + more) * size);

    if (room)
        memset(room + count * size, 0, more * size);
    return room;
}

static enum err read_rows(struct rd *in, size_t count, struct replay *r)
{
    void *room;

    if (count > REPLAY_ROWS_MOST - r->row_count)
        return ERR_CORRUPT;
    if (!(room = room_for(r->rows, r->row_count, count, sizeof *r->rows)))
        return ERR_NO_MEMORY;
    r->rows = (struct replay_row *)room;
    while (count-- && !in->err)
        read_row(in, &r->rows[r->row_count++]);
    return in->err;
}

static enum err read_groups(struct rd *in, size_t count, struct replay_group **list,
                            size_t *list_count)
{
    void *room;

    if (count > REPLAY_GROUPS_MOST - *list_count)
        return ERR_CORRUPT;
    if (!(room = room_for(*list, *list_count, count, sizeof **list)))
        return ERR_NO_MEMORY;
    *list = (struct replay_group *)room;
    while (count-- && !in->err)
        read_group(in, &(*list)[(*list_count)++]);
    return in->err;
}

static enum err read_part(struct span bytes, struct replay *r)
{
    struct rd in = rd_of(bytes);
    uint8_t what = rd_u8(&in);
    uint64_t count = rd_varint(&in);
    enum err err = in.err ? ERR_CORRUPT : ERR_OK;

    if (err || what > MODELS || !count || count > REPLAY_ROWS_MOST)
        return ERR_CORRUPT;
    if (what == DIFFERENCES)
        err = read_rows(&in, (size_t)count, r);
    else if (what == ZONES)
        err = read_groups(&in, (size_t)count, &r->zones, &r->zone_count);
    else
        err = read_groups(&in, (size_t)count, &r->models, &r->model_count);
    return err ? err : rd_left(&in) ? ERR_CORRUPT : ERR_OK;
}

void replay_forget(struct replay *r)
{
    free(r->rows);
    free(r->zones);
    free(r->models);
    r->rows = NULL;
    r->zones = r->models = NULL;
    r->row_count = r->zone_count = r->model_count = 0;
}

struct kept {
    struct replay *at; /* REPLAYS_KEPT */
    size_t count;
};

static void push(struct kept *k, const struct replay *r)
{
    if (k->count == REPLAYS_KEPT) {
        replay_forget(&k->at[0]);
        memmove(k->at, k->at + 1, (REPLAYS_KEPT - 1) * sizeof *k->at);
        k->count--;
    }
    k->at[k->count++] = *r;
}

/* One that does not read is none: a rule that it names may be gone with a later version. NO_MEMORY. */
static enum err take_part(struct kept *k, uint32_t id, uint32_t part, struct span bytes)
{
    struct replay fresh = { .id = id }, *last = k->count ? &k->at[k->count - 1] : NULL;
    enum err err;

    if (!part) {
        if (!read_head(bytes, &fresh))
            push(k, &fresh);
        return ERR_OK;
    }
    if (!last || last->id != id || !(err = read_part(bytes, last)))
        return ERR_OK;
    if (err == ERR_NO_MEMORY)
        return err;
    replay_forget(last);
    k->count--;
    return ERR_OK;
}

enum err replays_kept(struct app *app, struct replay at[REPLAYS_KEPT], size_t *out_count)
{
    struct txn t = views_read(app->views);
    struct scan s = views_replays(&t);
    struct kept k = { .at = at };
    enum err err = ERR_OK, ended;

    while (!err && scan_next(&s)) {
        uint32_t id, part;

        replay_part(s.key, &id, &part);
        err = take_part(&k, id, part, s.value);
    }
    scan_done(&s);
    *out_count = k.count;
    ended = txn_end(&t);
    return err ? err : ended;
}
