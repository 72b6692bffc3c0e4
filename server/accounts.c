#include "server/accounts.h"

#include "server/points.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

void account_stays_done(struct account_stays *s)
{
    free(s->at);
    *s = (struct account_stays){ 0 };
}

static enum err push(struct account_stays *s, const struct account_stay *stay)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 4;
        struct account_stay *more = (struct account_stay *)realloc(s->at, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        s->at = more;
        s->cap = cap;
    }
    s->at[s->count++] = *stay;
    return ERR_OK;
}

/* The versions of a point's row, the newest first; neighbours that say the same are one stay. */
static enum err stays_of(struct txn *t, unsigned cell, struct span text, uint32_t point,
                         struct account_stays *s)
{
    struct account_stay stay = { .point = point };
    int64_t until_s = INT64_MAX; /* where the version at hand ends */
    size_t first = s->count;
    struct ledger_row row;
    enum err err = ERR_OK;

    for (int64_t as_of_s = INT64_MAX; !err && ledger_by_id(t, LIST_POINT, point, as_of_s, &row);
         as_of_s = row.since_s - 1) {
        struct cells cells = cells_of(&row);
        struct account_stay *later = s->count > first ? &s->at[s->count - 1] : NULL;
        int64_t from_s = row.since_s == LEDGER_ALWAYS ? INT64_MIN : row.since_s;

        snprintf(stay.name, sizeof stay.name, "%.*s", (int)cells.at[CELL_POINT_point].len,
                 (const char *)cells.at[CELL_POINT_point].at);
        stay.from_s = from_s;
        stay.to_s = until_s;
        if (span_equal(cells.at[cell], text)) {
            if (later && later->from_s == until_s)
                later->from_s = from_s;
            else
                err = push(s, &stay);
        }
        until_s = from_s;
        if (row.since_s == LEDGER_ALWAYS)
            break;
    }
    return err ? err : t->err;
}

static int by_name(const void *x, const void *y)
{
    const struct account_stay *a = (const struct account_stay *)x,
                              *b = (const struct account_stay *)y;
    int order = strcmp(a->name, b->name);

    return order ? order : (a->from_s > b->from_s) - (a->from_s < b->from_s);
}

/* A point that left and came back stands under both. */
static bool is_known(const struct account_stays *s, uint32_t point)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->at[i].point == point)
            return true;
    return false;
}

static enum err take(struct txn *t, unsigned cell, struct span text, struct index_walk w,
                     struct account_stays *s, unsigned *points)
{
    enum err err = ERR_OK;

    while (!err && index_next(&w)) {
        if (is_known(s, w.value))
            continue;
        err = ++*points > ACCOUNT_POINTS_MOST ? ERR_LIMIT : stays_of(t, cell, text, w.value, s);
    }
    index_done(&w);
    return err ? err : t->err;
}

static enum err stays_load(struct txn *t, unsigned cell, struct span text,
                           struct account_stays *out)
{
    bool account = cell == CELL_POINT_account;
    unsigned points = 0;
    enum err err =
        take(t, cell, text,
             account ? points_of_account(t, text, span_of(NULL, 0)) : points_behind(t, text, false),
             out, &points);

    if (!err)
        err = take(t, cell, text, account ? points_once_of(t, text) : points_behind(t, text, true),
                   out, &points);
    if (!err && out->count)
        qsort(out->at, out->count, sizeof *out->at, by_name);
    return err;
}

enum err account_stays_load(struct txn *t, struct span account, struct account_stays *out)
{
    return stays_load(t, CELL_POINT_account, account, out);
}

enum err behind_stays_load(struct txn *t, struct span point, struct account_stays *out)
{
    return stays_load(t, CELL_POINT_behind, point, out);
}
