/* The settled blocks.  Readings of a UTC month lie in runs; a run is a sequence of chunks in
 * (meter, channel) order, a chunk a few pages of blocks with a directory.  A pass (one settling, or
 * one import) writes new runs and makes them visible at once, by one commit; tidying merges the
 * runs of a month, in the end to one: the month blocks.  Older runs first: rows of one instant keep
 * the order in which they came.
 *
 *   archive_pass_*, archive_tidy, archive_seal, archive_discard   the settling thread, or under
 *                                                                 its lock
 *   archive_read, _channels, _below_zero, _stat, _check, _settled, _staged     any thread
 *   archive_reader_*                                              any thread, a reader one at a time */
#ifndef NILO_STORAGE_ARCHIVE_H
#define NILO_STORAGE_ARCHIVE_H

#include "proto/facts.h"
#include "storage/db.h"

struct archive;
struct archive_pass;

MUST_CHECK enum err archive_open(const char *dir, unsigned db_flags, struct archive **out,
                                 struct refusal *r);
void archive_close(struct archive *a); /* NULL is fine */

/* `tag` 0: a settling; else an import's id. An unfinished pass of an earlier process is forgotten
 * by archive_open. */
MUST_CHECK enum err archive_pass_begin(struct archive *a, uint32_t tag, struct archive_pass **out);

/* Rows in rows_tidy order, meters ascending, channels ascending within a meter. Rows may span
 * months. `unit_ml`: block.h. */
MUST_CHECK enum err archive_pass_put(struct archive_pass *p, uint32_t meter, enum channel c,
                                     int64_t unit_ml, const struct row *rows, size_t count);

/* What meters last said, dense by id: truth of its own, for frames are not kept for ever. */
struct vitals_entry {
    uint32_t meter;
    struct vitals vitals;
    struct span past; /* in bytes (proto/past.h); empty: as it was */
};

/* What meters said last, ascending, and the pauses before that were too long: written in the commit that makes the pass visible. Borrowed until
 * the pass ends. */
void archive_pass_vitals(struct archive_pass *p, const struct vitals_entry *entries, size_t count, const struct hush *gaps, size_t gap_count);

/* Makes the pass visible and sets the settled position, in one commit; frees `p`, also on error
 * (then nothing is visible). */
MUST_CHECK enum err archive_pass_end(struct archive_pass *p, uint64_t settled);

/* Keeps the pass on disk, unseen until archive_seal(tag) or archive_discard(tag); frees `p`. For
 * imports. */
MUST_CHECK enum err archive_pass_stage(struct archive_pass *p);
void archive_pass_abandon(struct archive_pass *p); /* NULL is fine */
MUST_CHECK enum err archive_seal(struct archive *a, uint32_t tag);
MUST_CHECK enum err archive_discard(struct archive *a, uint32_t tag);
size_t archive_staged(struct archive *a, uint32_t *tags,
                      size_t cap); /* what waits; for the start after a crash */

uint64_t archive_settled(struct archive *a); /* every frame below is in visible runs */

/* Appends the meter's settled rows with from_s ≤ time < to_s to `out`, tidied. CORRUPT, NO_MEMORY,
 * IO. */
MUST_CHECK enum err archive_read(struct archive *a, uint32_t meter, enum channel c, int64_t from_s,
                                 int64_t to_s, struct rows *out);

/* The same for whoever asks about many meters, one after the other: a reader keeps its transaction, and its
 * place in each run, so that a meter behind the last one is found without a search.  One thread's.  It sees
 * the state of its first question after archive_reader_open or _rest; what is settled meanwhile it sees
 * with its next question.  As long as it was not let rest no page that it sees is used anew. */
struct archive_reader;
MUST_CHECK enum err archive_reader_open(struct archive *a, struct archive_reader **out); /* NO_MEMORY */
void archive_reader_close(struct archive_reader *r);                                     /* NULL is fine */
void archive_reader_rest(struct archive_reader *r);                                      /* NULL is fine */
MUST_CHECK enum err archive_reader_read(struct archive_reader *r, uint32_t meter, enum channel c,
                                        int64_t from_s, int64_t to_s, struct rows *out);
MUST_CHECK enum err archive_reader_vitals(struct archive_reader *r, uint32_t meter,
                                          struct vitals *out);
struct past;
MUST_CHECK enum err archive_reader_past(struct archive_reader *r, uint32_t meter, struct past *out);

/* The channels of which the meter has rows in any month: a set of 1 << channel. */
MUST_CHECK enum err archive_channels(struct archive *a, uint32_t meter, unsigned *out_set);

/* Whether the meter has a value below 0 on CHANNEL_FORWARD at any time. Costs next to nothing while
 * no meter near it has. */
MUST_CHECK enum err archive_below_zero(struct archive *a, uint32_t meter, bool *out_below);

/* Merges runs where it pays (a month that ended before `now_s` by more than a day to a single run;
 * what comes late to it waits until it makes a tenth), at most about `most_bytes` of output;
 * *out_more says whether there is more to do. CORRUPT, MISSING: once for each damaged month, which
 * is then left alone; call again. */
MUST_CHECK enum err archive_tidy(struct archive *a, int64_t now_s, uint64_t most_bytes,
                                 bool *out_more);

/* Rows of a month that are to be otherwise, for `nilo store rebuild`. */
struct amendment {
    uint32_t meter;
    enum channel channel;
    bool replaces; /* the rows are all that the series has in the month; else they come on top */
    int64_t unit_ml;
    const struct row *rows; /* of that month, in rows_tidy order */
    size_t count;
};

/* Writes one month (since January 1970, archive_month) anew with the amendments, which stand in the
 * order of (meter, channel), one for a series. In one commit; as after an error: as it was. The
 * settling thread, or nobody else at all. CORRUPT, MISSING, FULL, IO, NO_MEMORY. */
MUST_CHECK enum err archive_amend(struct archive *a, unsigned month,
                                  const struct amendment *list, size_t count);
unsigned archive_month(int64_t time_s);

/* Puts them, meters ascending, in one transaction. The settling thread, not within another transaction of the archive. */
MUST_CHECK enum err archive_vitals_put(struct archive *a, const struct vitals_entry *entries, size_t count, const struct hush *gaps, size_t gap_count);
MUST_CHECK enum err archive_vitals(struct archive *a, uint32_t meter, struct vitals *out); /* zeroed where never vitals */

/* What a meter said of itself over time; zeroed where nothing was worth a note. CORRUPT. */
MUST_CHECK enum err archive_past(struct archive *a, uint32_t meter, struct past *out);

/* All meters that were ever heard, in order of id; false from `each` ends it. CORRUPT. */
MUST_CHECK enum err archive_vitals_each(struct archive *a, bool (*each)(void *arg, uint32_t meter, const struct vitals *v), void *arg);
/* A meter's pauses that were too long, oldest first; an error of `each` ends it. CORRUPT. */
MUST_CHECK enum err archive_hushes(struct archive *a, uint32_t meter, enum err (*each)(void *arg, const struct hush *p), void *arg);

struct archive_stat {
    uint64_t rows, blocks, block_bytes, chunks, chunk_bytes, runs, file_bytes;
    uint64_t used_bytes; /* of file_bytes: without pages that lie free for what is written next */
};
MUST_CHECK enum err archive_stat(struct archive *a, struct archive_stat *out);

/* Reads every chunk and block of every run, and holds the runs' lists against their counts; the
 * first fault in `r`. */
MUST_CHECK enum err archive_check(struct archive *a, struct refusal *r);

#endif
