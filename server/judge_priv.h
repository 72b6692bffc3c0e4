/* What judge*.c share: where flags come from, a flag as it is kept, and its bytes.
 *
 *   flag facts, version 1 (in views as they are now; in the ledger as they were told first):
 *     u8 version · u8 bits · counted kind · varint meter · varint point
 *     zigzag fitting's from · zigzag told
 *     zigzag onset · zigzag raised · zigzag cleared (0: not) · u8 severity · u8 confidence
 *     zigzag lost · zigzag low · zigzag high (ml a day)
 *     u8 count, then for each number of evidence: counted name · u8 form · zigzag value */
#ifndef NILO_SERVER_JUDGE_PRIV_H
#define NILO_SERVER_JUDGE_PRIV_H

#include "server/judge.h"

#define FLAG_FACTS_MAX 1024

struct flag_record {
    char id[FLAG_ID_SIZE];
    const struct detector *kind;
    uint32_t meter, point;
    int64_t fitting_from_s, told_s;
    bool ended, withdrawn;
    struct verdict verdict;
};

struct flag_records {
    struct flag_record *at;
    size_t count, cap;
};

MUST_CHECK enum err flag_records_push(struct flag_records *list,
                                      const struct flag_record *record); /* NO_MEMORY */
MUST_CHECK enum err flag_records_append(struct flag_records *list, const struct flag_records *more); /* NO_MEMORY */
void flag_records_done(struct flag_records *list);

void flag_id(char out[FLAG_ID_SIZE], uint32_t meter, const struct detector *kind, int64_t onset_s);
MUST_CHECK enum err flag_encode(const struct flag_record *record, struct wr *out);
MUST_CHECK enum err flag_decode(struct span id, struct span facts,
                                struct flag_record *out); /* CORRUPT */

/* What is kept of a meter: in views, or born in the ledger. Appends. */
MUST_CHECK enum err flags_kept(struct txn *views, uint32_t meter, struct flag_records *out);
MUST_CHECK enum err flags_born(struct txn *ledger, uint32_t meter, struct flag_records *out);

/* Gives each episode its id and when it was told, from births or as a new one at now_s; appends
 * births that no episode bears out as withdrawn.  Episodes come out in order of kind and onset.
 * `*out_new` counts the new ones, whose `told_s` is now_s and which stand in `fresh` too. */
MUST_CHECK enum err flags_match(struct flag_records *episodes, const struct flag_records *births,
                                int64_t now_s, struct flag_records *fresh);

/* judge_turned.c: of a meter's flags as they stand now those whose state is another than was told, and became so since `old`; appends. What was born
 * before this pass is in `births`. And the act that tells it. */
MUST_CHECK enum err flags_turned(struct txn *ledger, const struct flag_records *old, const struct flag_records *births,
                                 const struct flag_records *now, struct flag_records *out);
void flags_tell_turned(struct act *a, const struct flag_records *turned);

/* ---- where episodes come from ----
 *
 * Steps of the register make those of the kinds that have a `judge` (detect_feed).  Each other kind belongs to one source, which finds all
 * its episodes of a meter, fitting by fitting, from what is stored and the clock: never from what it found before.  So a rebuild finds the same.
 * A new one is a file judge_X.c and a line in judge_source.c. */

/* The meter at hand, as a source sees it; all of it borrowed for the call. */
struct judge_view {
    struct app *app;
    struct txn *ledger, *views;
    const struct meter_facts *meter;
    const struct fitting *fittings; /* in order of time; the last one's readings are folded */
    size_t count;
    int64_t now_s;
    const struct rule_book *book; /* the figures that hold for the meter where it is: rules_on(book, civil day); NULL: the standing ones */
    struct houses *houses; /* of this pass */
    const struct pauses *pauses; /* NULL: none */
    int64_t since_s, last_s; /* the newest reading that was folded before this pass, 0: all is made anew; and now */
    const struct outages *outages; /* all of them */
    struct archive_reader *reader; /* of the thread at hand */
    struct silence_notes *silences; /* what hearing.h is to be told goes in here; NULL: nothing */
    unsigned news;                 /* NEWS_…, of those that the source at hand asks for: why it is looked at */
    uint32_t *dial_s; /* kept with the meter: the newest dial read of which what comes later may still say otherwise; 0: none */
};

#define SOURCE_KINDS 4
struct judge_source {
    const struct detector *kinds[SOURCE_KINDS]; /* its own; NULL behind the last */
    bool (*own)(const struct flag_record *r); /* of kinds that it shares with another source: whether the record is its; NULL: all are */
    unsigned news; /* a set of NEWS_…: after these it is looked at; after NEWS_REGISTER too, for then all is made anew, */
    bool (*idle)(const struct judge_view *v); /* may be NULL. True: it finds what it found before, or nothing and never did (but where all is made anew) */
    bool idle_without; /* unless this is set: where its news did not come either, it would find nothing */
    /* Appends all its episodes of the meter, of the same kind in order of onset; ids, `told_s` and `withdrawn` are given later.
     * Where a fitting has ended, none of them is open (flag_record_end). */
    enum err (*episodes)(const struct judge_view *v, struct flag_records *out);
};
extern const struct judge_source judge_source_dials, judge_source_overdue, judge_source_silent, judge_source_house,
    judge_source_monthly, judge_source_vitals;

const struct judge_source *judge_source_at(size_t n); /* NULL behind the last */
bool source_owns(const struct judge_source *source, const struct flag_record *r);
/* Two sources may say the same of a meter: what is told of its house goes before what its own days alone show. Takes such episodes out. */
void house_goes_before(struct flag_records *episodes);
/* Whether what is kept of a source's kinds (withdrawn ones aside) says the same as `found`, in bytes. */
bool source_same(const struct judge_source *source, const struct flag_records *kept, const struct flag_records *found);
/* What is in `list` of its kinds gives way to `found`. NO_MEMORY. */
MUST_CHECK enum err source_replace(const struct judge_source *source, struct flag_records *list, const struct flag_records *found);

/* Readings of the billed channel within a fitting of the meter at hand, from from_s on: one an instant, of those that may take part. What stands in `out` is overwritten. */
MUST_CHECK enum err judge_rows(const struct judge_view *v, const struct fitting *f, int64_t from_s, struct rows *out);

/* judge_silent.c: what the clock's side of a meter's silence (server/hearing.h) is to be told. */
struct silence_note {
    int64_t counts_from_s; /* it is in use since then; 0: not told, but */
    int64_t again_s;       /* that it becomes another then */
};
struct silence_notes {
    struct silence_note *at;
    size_t count, cap;
};

/* judge_pauses.c: the spans in which nothing is to be expected of a meter, by its events, its orders of work and what it says of its valve. `last`: its last fitting, NULL: none. `reader` NULL: a read of its own. */
MUST_CHECK enum err judge_pauses(struct app *app, struct archive_reader *reader, struct txn *ledger, const struct meter_facts *m, const struct fitting *last, struct pauses *out);

/* The meter was taken off at to_s: an open episode has ended with the fitting. */
void flag_record_end(struct flag_record *e, int64_t to_s);

/* As if a meter had always been judged with a line of rules in its place (server/flag_rules.h): nothing is written. One thread; a rehearsal holds read transactions, which renew lets go of. */
struct judge_rehearsal;
struct check_line;
MUST_CHECK enum err judge_rehearsal_open(struct app *app, const struct check_line *line, int64_t now_s, struct judge_rehearsal **out); /* `line` is borrowed */
void judge_rehearsal_close(struct judge_rehearsal *r); /* NULL is fine */
MUST_CHECK enum err judge_rehearsal_renew(struct judge_rehearsal *r);
/* The meter's episodes, without ids and without those that are withdrawn, until the next call. */
MUST_CHECK enum err judge_rehearse(struct judge_rehearsal *r, uint32_t meter, const struct flag_records **out_view);
MUST_CHECK enum err judge_stands(struct judge_rehearsal *r, uint32_t meter, struct flag_records *out); /* what views hold of it, in place of what `out` had */

/* They are listed by date: what was kept goes, what is to be kept comes. Errors stick in `views`. */
void overdue_list(struct txn *views, struct span serial, const struct flag_records *kept,
                  const struct flag_records *wanted);
/* What lists by date are filtered by without a look at the flag: its state as long as nobody said anything, and when it was told. False: it is not told there. */
bool overdue_told(struct span facts, enum flag_state *out_state, int64_t *out_told_s);

#endif
