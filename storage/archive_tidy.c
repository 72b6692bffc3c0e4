/* Tidying: many small runs of a month become one, in slices, so that nobody waits for it.
 *
 * Eight neighbours (in order of becoming visible) that are no larger than a tier allows are merged;
 * tiers grow eightfold, so a reading is written again once a tier.  A month that ended more than a
 * day ago is merged whole; what comes late to it waits until it makes a tenth of the month, so that
 * a trickle never rewrites a month.
 *
 * A merge reads its sources in one order, (meter, channel), and writes a pass.  Between slices it
 * remembers the next series; a crash leaves the sources as they were and the unfinished run as
 * garbage.  The commit that makes the new run visible turns the old ones into garbage, whose chunks
 * are deleted later, some hundred at a time.
 *
 * Damage ends a merge with its error, once; the month is then left as it is, for people to look at,
 * and others go on. */
#include "storage/archive_priv.h"

#include "storage/block.h"

#include <stdlib.h>

#define GROUP_LEAST 8
#define GROUP_MOST 64
#define TIER_BYTES (256u << 10) /* the lowest tier ends here */
#define TIER_FACTOR 8
#define TIERS 16      /* 256 KiB · 8^15: more than any disk */
#define LATE_SHARE 10 /* late rows are merged into a whole month when they make a tenth of it */
#define FINISHED_AFTER_S 86400
#define SWEEP_CHUNKS 512      /* deleted in one transaction: 8 MiB */
#define SWEEP_COST (1u << 19) /* what that counts against the caller's bytes */

struct tidy_job {
    struct archive_pass *pass;
    bool whole;
    bool done;
    uint32_t meter; /* the next series to merge */
    uint8_t channel;
    size_t count;
    struct run sources[GROUP_MOST];
    struct walk walks[GROUP_MOST];
    struct rows rows;
};

/* ---- what to merge --------------------------------------------------------------------------- */

/* Runs [at, at + count) of a list, all visible, of one month. */
struct group {
    const struct run *at;
    size_t count;
    bool whole;
};

static unsigned tier_of(const struct run *run)
{
    unsigned tier = 0;

    for (uint64_t bytes = run->chunk_bytes / TIER_BYTES; bytes; bytes /= TIER_FACTOR)
        tier++;
    return tier;
}

/* One run makes most of the group: it would be written again for little. */
static bool dominated(struct group g)
{
    uint64_t total = 0, most = 0;

    for (size_t i = 0; i < g.count; i++) {
        total += g.at[i].chunk_bytes;
        most = g.at[i].chunk_bytes > most ? g.at[i].chunk_bytes : most;
    }
    return total < most + most / 2;
}

/* The first stretch of at least eight neighbours of at most `tier`. */
static bool find_stretch(struct group month, unsigned tier, struct group *out)
{
    size_t from = 0;

    for (size_t i = 0; i <= month.count; i++) {
        struct group g = { month.at + from, i - from, false };
        bool fits = i < month.count && tier_of(&month.at[i]) <= tier;

        if (fits && g.count < GROUP_MOST)
            continue;
        if (g.count >= GROUP_LEAST && (tier == 0 || !dominated(g))) {
            *out = g;
            return true;
        }
        from = fits ? i : i + 1;
    }
    return false;
}

/* Not merged whole yet, or what came late since makes its share. */
static bool wants_whole(struct group month)
{
    uint64_t total = 0, most = 0;
    bool whole = false;

    for (size_t i = 0; i < month.count; i++) {
        total += month.at[i].chunk_bytes;
        most = month.at[i].chunk_bytes > most ? month.at[i].chunk_bytes : most;
        whole |= month.at[i].whole;
    }
    return month.count > 1 && (!whole || (total - most) * LATE_SHARE > total);
}

static bool finished(const struct run *run, int64_t now_s)
{
    int64_t next_month_s = month_start_s(month_of(month_start_s(run->month) + INT64_C(32) * 86400));

    return next_month_s + FINISHED_AFTER_S < now_s;
}

static bool choose_of_month(struct group month, int64_t now_s, struct group *out)
{
    bool found = false;

    if (month.count == 0)
        return false;
    if (finished(month.at, now_s) && wants_whole(month)) {
        *out = month;
        out->count = month.count <= GROUP_MOST ? month.count : GROUP_MOST;
        found = true;
    }
    for (unsigned tier = 0; !found && tier < TIERS; tier++)
        found = find_stretch(month, tier, out);
    if (found)
        out->whole = finished(month.at, now_s) && out->count == month.count;
    return found;
}

/* Visible runs are copied together, so that staged ones between them do not part neighbours. */
static bool choose(const struct archive *a, const struct run_list *list, int64_t now_s,
                   struct run *visible, struct group *out)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct run *run = &list->at[i];

        if (count && visible[0].month != run->month) {
            if (choose_of_month((struct group){ visible, count, false }, now_s, out))
                return true;
            count = 0;
        }
        if (run->state == RUN_VISIBLE && !a->damaged[run->month])
            visible[count++] = *run;
    }
    return choose_of_month((struct group){ visible, count, false }, now_s, out);
}

static enum err job_new(struct archive *a, struct group group)
{
    struct tidy_job *job = calloc(1, sizeof *job);
    enum err err;

    if (!job)
        return ERR_NO_MEMORY;
    job->count = group.count;
    job->whole = group.whole;
    memcpy(job->sources, group.at, group.count * sizeof *group.at);
    if ((err = archive_pass_begin(a, 0, &job->pass))) {
        free(job);
        return err;
    }
    a->job = job;
    return ERR_OK;
}

static enum err job_choose(struct archive *a, const struct run_list *list, int64_t now_s,
                           bool begin, bool *out_found)
{
    struct run *visible = malloc((list->count + 1) * sizeof *visible);
    struct group group = { 0 };
    enum err err = ERR_OK;

    if (!visible)
        return ERR_NO_MEMORY;
    *out_found = choose(a, list, now_s, visible, &group);
    if (*out_found && begin)
        err = job_new(a, group);
    free(visible);
    return err;
}

static void job_free(struct tidy_job *job)
{
    rows_done(&job->rows);
    free(job);
}

void tidy_abandon(struct archive *a)
{
    if (!a->job)
        return;
    archive_pass_abandon(a->job->pass);
    job_free(a->job);
    a->job = NULL;
}

/* ---- merging --------------------------------------------------------------------------------- */

static bool at_series(const struct walk *w, struct place series)
{
    return !w->err && !w->ended && place_same_series(w->now.place, series);
}

/* One source has it: its blocks are taken as they are. */
static enum err copy_series(struct tidy_job *job, struct place series)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < job->count; i++) {
        struct walk *w = &job->walks[i];

        while (!err && at_series(w, series)) {
            err = pass_put_block(job->pass, w->run, &w->now, block_count(w->now.block));
            walk_next(w);
        }
        err = err ? err : w->err;
    }
    return err;
}

static enum err merge_series(struct tidy_job *job, struct place series)
{
    uint16_t month = job->sources[0].month;
    int64_t unit = 1;
    enum err err = ERR_OK;

    job->rows.count = 0;
    for (size_t i = 0; i < job->count; i++) {
        struct walk *w = &job->walks[i];

        while (!err && at_series(w, series)) {
            unit = w->now.unit;
            err = archive_unpack(w->run, &w->now, &job->rows);
            walk_next(w);
        }
        err = err ? err : w->err;
    }
    if (!err)
        err = rows_tidy(&job->rows);
    if (!err)
        err = pass_put_rows(job->pass, month, series, unit, job->rows.at, job->rows.count);
    return err;
}

static enum err merge_until(struct tidy_job *job, uint64_t bytes)
{
    struct place series = { 0 };
    enum err err = ERR_OK;

    while (!err) {
        size_t standing = walks_least(job->walks, job->count, &series);

        if (standing == 0) {
            job->done = true;
            return ERR_OK;
        }
        job->meter = series.meter;
        job->channel = series.channel;
        if (pass_bytes(job->pass) >= bytes)
            return ERR_OK;
        err = standing == 1 ? copy_series(job, series) : merge_series(job, series);
    }
    return err;
}

/* Merges about `bytes` more. */
static enum err job_slice(struct archive *a, uint64_t bytes)
{
    struct tidy_job *job = a->job;
    struct txn t = txn_begin(a->db, TXN_READ);
    enum err err = t.err;
    size_t open = 0;

    for (; !err && open < job->count; open++) {
        walk_seek(&job->walks[open], &t, &job->sources[open], job->meter, job->channel);
        err = job->walks[open].err;
    }
    if (!err)
        err = merge_until(job, pass_bytes(job->pass) + bytes);
    while (open)
        walk_done(&job->walks[--open]);
    txn_abort(&t);
    return err;
}

static enum err job_end(struct archive *a)
{
    struct tidy_job *job = a->job;
    const struct pass_end end = { .state = RUN_VISIBLE,
                                  .whole = job->whole,
                                  .replaced = job->sources,
                                  .replaced_count = job->count };
    enum err err = pass_close(job->pass, &end);

    job_free(job);
    a->job = NULL;
    return err;
}

/* ---- sweeping -------------------------------------------------------------------------------- */

static const struct run *first_garbage(const struct archive *a, const struct run_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i].state == RUN_GARBAGE && !a->damaged[list->at[i].month])
            return &list->at[i];
    return NULL;
}

/* Deletes the run's first chunk; false if there is none. */
static bool delete_chunk(struct txn *t, const struct run *run)
{
    struct place first = { 0 };
    struct key from;
    uint16_t month;
    uint32_t number;
    bool found;

    chunk_key(&from, run->month, run->number, first);

    struct scan s = scan_from(t, TABLE_CHUNKS, key_span(&from));

    found = scan_next(&s) && !chunk_key_read(s.key, &month, &number, &first) &&
            month == run->month && number == run->number;
    scan_done(&s);
    if (found) {
        chunk_key(&from, month, number, first);
        txn_del(t, TABLE_CHUNKS, key_span(&from));
    }
    return found && !t->err;
}

static enum err sweep(struct archive *a, const struct run *garbage)
{
    struct txn t = txn_begin(a->db, TXN_WRITE);
    unsigned deleted = 0;
    enum err err;

    while (deleted < SWEEP_CHUNKS && delete_chunk(&t, garbage))
        deleted++;
    if (deleted < SWEEP_CHUNKS)
        run_del(&t, garbage);
    err = txn_end(&t);
    return err || deleted == SWEEP_CHUNKS ? err : run_list_renew(a);
}

/* ---- the border ------------------------------------------------------------------------------ */

static enum err step_job(struct archive *a, uint64_t bytes, uint64_t *used)
{
    uint64_t before = pass_bytes(a->job->pass);
    uint16_t month = a->job->sources[0].month;
    enum err err = job_slice(a, bytes);

    *used = pass_bytes(a->job->pass) - before + 1;
    a->damaged[month] |= err_class(err) == ERR_CLASS_STORE;
    if (err)
        tidy_abandon(a);
    else if (a->job->done)
        err = job_end(a);
    return err;
}

static enum err step_sweep(struct archive *a, const struct run *garbage, uint64_t *used)
{
    enum err err = sweep(a, garbage);

    *used = SWEEP_COST;
    a->damaged[garbage->month] |= err_class(err) == ERR_CLASS_STORE;
    return err;
}

/* One step; *used becomes what it counts against the caller's bytes, 0 if nothing was to do. */
static enum err tidy_step(struct archive *a, int64_t now_s, uint64_t bytes, uint64_t *used)
{
    struct run_list *list = run_list_hold(a);
    const struct run *garbage = first_garbage(a, list);
    bool found = false;
    enum err err;

    if (a->job) {
        err = step_job(a, bytes, used);
    } else if (garbage) {
        err = step_sweep(a, garbage, used);
    } else {
        err = job_choose(a, list, now_s, true, &found);
        *used = found;
    }
    run_list_release(list);
    return err;
}

static enum err more_to_do(struct archive *a, int64_t now_s, bool *out)
{
    struct run_list *list = run_list_hold(a);
    enum err err = ERR_OK;

    *out = a->job || first_garbage(a, list);
    if (!*out)
        err = job_choose(a, list, now_s, false, out);
    run_list_release(list);
    return err;
}

enum err archive_tidy(struct archive *a, int64_t now_s, uint64_t most_bytes, bool *out_more)
{
    enum err err = run_list_renew(a);
    uint64_t left = most_bytes ? most_bytes : 1, used = 1;

    while (!err && left && used) {
        err = tidy_step(a, now_s, left, &used);
        left -= used < left ? used : left;
    }
    return err ? err : more_to_do(a, now_s, out_more);
}
