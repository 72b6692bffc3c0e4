/* Amending months: series whose rows a mended decoder reads otherwise are written anew, together with
 * all that lies beside them, and the new run takes the place of the old ones in one commit.  A crash
 * leaves the month as it was. */
#include "storage/archive_priv.h"

#include <stdlib.h>

struct amending {
    struct archive_pass *pass;
    uint16_t month;
    const struct run *sources; /* all that the month has, older first */
    struct walk *walks;
    size_t count;
    const struct amendment *next, *end;
    struct rows rows;
};

static bool amendment_stands_at(const struct amending *m, struct place series)
{
    return m->next < m->end && m->next->meter == series.meter && m->next->channel == series.channel;
}

/* The series that comes next: of a source, or of an amendment alone. False: none is left. */
static bool next_series(const struct amending *m, struct place *out)
{
    size_t standing = walks_least(m->walks, m->count, out);
    struct place amended;

    if (m->next == m->end)
        return standing > 0;
    amended = (struct place){ m->next->meter, (uint8_t)m->next->channel, 0 };
    if (standing == 0 || place_compare(amended, (struct place){ out->meter, out->channel, 0 }) < 0)
        *out = amended;
    return true;
}

static enum err gather_kept(struct amending *m, struct place series, int64_t *unit)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < m->count && !err; i++) {
        struct walk *w = &m->walks[i];

        while (!err && !w->err && !w->ended && place_same_series(w->now.place, series)) {
            *unit = w->now.unit;
            err = archive_unpack(w->run, &w->now, &m->rows);
            walk_next(w);
        }
        err = err ? err : w->err;
    }
    return err;
}

static enum err gather_amended(struct amending *m, int64_t *unit)
{
    const struct amendment *n = m->next++;

    if (n->replaces)
        m->rows.count = 0;
    *unit = n->unit_ml;
    return rows_append(&m->rows, n->rows, n->count);
}

static enum err amend_series(struct amending *m, struct place series)
{
    int64_t unit = 1;
    enum err err;

    m->rows.count = 0;
    if ((err = gather_kept(m, series, &unit)))
        return err;
    if (amendment_stands_at(m, series) && (err = gather_amended(m, &unit)))
        return err;
    if (m->rows.count == 0)
        return ERR_OK;
    if ((err = rows_tidy(&m->rows)))
        return err;
    return pass_put_rows(m->pass, m->month, series, unit, m->rows.at, m->rows.count);
}

static enum err amend_all(struct archive *a, struct amending *m)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct place series = { 0 };
    enum err err = t.err;
    size_t open = 0;

    for (; !err && open < m->count; open++) {
        walk_seek(&m->walks[open], &t, &m->sources[open], 0, 0);
        err = m->walks[open].err;
    }
    while (!err && next_series(m, &series))
        err = amend_series(m, series);
    while (open)
        walk_done(&m->walks[--open]);
    txn_abort(&t);
    return err;
}

/* The visible runs of the month, in `m`, which then owns them. */
static enum err find_sources(struct archive *a, struct amending *m)
{
    struct run_list *list = run_list_hold(a);
    struct run *sources = malloc((list->count + 1) * sizeof *sources);

    m->walks = calloc(list->count + 1, sizeof *m->walks);
    m->sources = sources;
    for (size_t i = 0; sources && i < list->count; i++)
        if (list->at[i].month == m->month && list->at[i].state == RUN_VISIBLE)
            sources[m->count++] = list->at[i];
    run_list_release(list);
    return sources && m->walks ? ERR_OK : ERR_NO_MEMORY;
}

enum err archive_amend(struct archive *a, unsigned month, const struct amendment *list,
                       size_t count)
{
    struct amending m = { .month = (uint16_t)month, .next = list, .end = list + count };
    struct pass_end end = { .state = RUN_VISIBLE };
    enum err err;

    tidy_abandon(a);
    if (!(err = find_sources(a, &m)) && !(err = archive_pass_begin(a, 0, &m.pass)) &&
        !(err = amend_all(a, &m))) {
        end.replaced = m.sources;
        end.replaced_count = m.count;
        err = pass_close(m.pass, &end);
    } else {
        archive_pass_abandon(m.pass);
    }
    rows_done(&m.rows);
    free((void *)m.sources);
    free(m.walks);
    return err;
}

unsigned archive_month(int64_t time_s)
{
    return month_of(time_s);
}
