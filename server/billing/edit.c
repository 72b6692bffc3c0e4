#include "server/billing/edit.h"

#include <string.h>

#include "server/billing/walk.h"

bool reading_at(const struct rows *rows, int64_t at_s, int64_t *out_ml)
{
    const struct row *best = NULL;

    for (size_t i = rows_from(rows, at_s); i < rows->count && rows->at[i].time_s == at_s; i++) {
        const struct row *row = &rows->at[i];

        if (!(row->attr & (ATTR_FUTURE | ATTR_EDITED)) &&
            (!best || source_rank(row->attr) > source_rank(best->attr)))
            best = row;
    }
    if (best)
        *out_ml = best->value;
    return best != NULL;
}

static bool holds(const struct edit_mark *e, const struct fitting *f, const struct rows *rows)
{
    int64_t stands;

    if (e->meter != f->meter || e->at_s <= f->from_s || e->at_s >= f->to_s || e->at_s < 0 ||
        e->at_s > UINT32_MAX)
        return false;
    return !reading_at(rows, e->at_s, &stands) || (e->has_instead && stands == e->instead_ml);
}

static enum err put(struct rows *rows, const struct edit_mark *e)
{
    size_t at = rows_from(rows, e->at_s);
    struct row row = { e->index_ml, (uint32_t)e->at_s, ATTR_EDITED };
    enum err err = rows_push(rows, row);

    if (err)
        return err;
    memmove(&rows->at[at + 1], &rows->at[at], (rows->count - 1 - at) * sizeof rows->at[0]);
    rows->at[at] = row;
    return ERR_OK;
}

enum err edits_apply(const struct edit_mark *edits, size_t count, const struct fitting *f,
                     struct rows *rows)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < count && !err; i++)
        if (holds(&edits[i], f, rows))
            err = put(rows, &edits[i]);
    return err;
}

bool edit_found(const struct edit_mark *edit, const struct rows *rows, size_t *out_at)
{
    for (size_t i = rows_from(rows, edit->at_s);
         i < rows->count && rows->at[i].time_s == edit->at_s; i++) {
        if (!(rows->at[i].attr & ATTR_EDITED) || rows->at[i].value != edit->index_ml)
            continue;
        *out_at = i;
        return true;
    }
    return false;
}

bool edit_takes_two(const struct edit_limits *limits, bool known, int64_t delta_ml, bool span_known,
                    int64_t span_ml)
{
    __int128 moved = delta_ml < 0 ? -(__int128)delta_ml : delta_ml;
    __int128 whole = span_ml < 0 ? -(__int128)span_ml : span_ml;

    return !known || !span_known || moved > limits->alone_ml ||
           moved * 100 > whole * limits->percent;
}
