/* Where one thread judges, meter after meter: transactions, scratch and places in the archive of its own.  A desk reads and writes nothing but `findings`, which the settling thread takes into ledger,
 * views and what is watched in memory (judge.c), in the order of meters: so it does not matter which desk judged, nor how many there are. */
#ifndef NILO_SERVER_JUDGE_DESK_H
#define NILO_SERVER_JUDGE_DESK_H

#include "server/commands.h"
#include "server/flag_rules.h"
#include "server/houses.h"
#include "server/judge_condition.h"
#include "server/judge_priv.h"
#include "server/outages.h"
#include "server/registers.h"

#define STATE_VERSION (1001u + DETECTORS_VERSION)
#define STRETCH_METERS 256 /* whose findings lie together */

/* What is remembered of a meter between passes. */
struct meter_state {
    int64_t fitting_from_s;
    uint32_t facts_hash; /* of all that a judgement rests on beside readings */
    uint32_t last_s;     /* the newest reading folded, on any channel */
    uint32_t begun;      /* 0: nothing was folded */
    uint32_t dial_s;     /* the newest dial read of which later readings may still say otherwise; 0: none */
    struct detect_state detect;
};
_Static_assert(sizeof(struct meter_state) <= 256, "ten million of them must fit a disk and its cache");
_Static_assert(sizeof(struct meter_state) == 24 + sizeof(struct detect_state), "no hidden bytes on disk");

/* ---- what came of meters ---- */

/* A part of one of the lists of `findings`. */
struct lot {
    size_t from, count;
};

struct finding {
    uint32_t meter;
    bool nobody;  /* not registered (any more): nothing else is said */
    bool damaged; /* the store has its readings no longer whole: its flags stay, and `state` begins anew */
    bool changed; /* what rankings rest on is another */
    bool told;    /* its flags may be others than views hold: `now` instead of `old` */
    bool heard;   /* readings were folded */
    bool flows;   /* the rest is for server/drought.h: */
    uint32_t zone, moved_s, read_s;
    enum use_class use;
    struct lot old, now, holes, silences;
    struct condition_change condition;
    char serial[SERIAL_MAX + 1];
    struct meter_state state;
};

struct findings {
    struct finding at[STRETCH_METERS]; /* meters ascending */
    size_t count;
    struct flag_records old, now;      /* as views held them; with their ids, as they are to be, */
    struct flag_records fresh, turned; /* and of those what nobody was told of yet, and whose end, or return, somebody wants to hear of */
    struct holes holes;
    struct silence_notes silences;
    enum err err; /* why it ends before its last meter */
};
void findings_clear(struct findings *f);
void findings_done(struct findings *f);

/* ---- a desk ---- */

struct archive_reader;
struct desk {
    struct app *app;
    int64_t now_s;
    uint32_t holidays_hash;
    bool begun;
    struct txn ledger, views; /* of reading, from desk_begin to desk_end */
    struct archive_reader *reader;
    struct outages outages;           /* as the ledger told when it began, */
    struct lulls lulls[LULL_CLASSES]; /* likewise */
    struct flag_rules *rules;
    struct houses *houses;
    /* the meter at hand */
    struct flag_records episodes, births;
    struct rows billed, reverse;
    struct meter_facts meter;
    struct fittings fittings;
    struct point_facts point;
    struct pauses pauses;
    struct judge_place place;
    struct civil_day today;
    const struct rule_book *book; /* of the last fitting that was folded */
    int64_t before_mlpd; /* what was used at the last fitting's point before it, while its register has not turned; else 0 */
    int64_t since_s;     /* the newest reading that was folded before; 0: all is made anew */
    bool said;           /* a detector said something */
    bool dials;          /* among the rows that were loaded are dial reads */
    unsigned news;       /* NEWS_…: which sources are to be looked at */
    enum err err;
};

MUST_CHECK enum err desk_open(struct app *app, int64_t now_s, struct desk **out); /* NO_MEMORY */
void desk_close(struct desk *d); /* NULL is fine */

/* Looks at the stores as they are now. What reading them returns. */
MUST_CHECK enum err desk_begin(struct desk *d);
void desk_end(struct desk *d); /* lets go of them; fine where it has not begun */

/* Adds the meter's finding to `out`, which has room for it. Damage of its readings is a finding; NO_MEMORY, and what reading ledger or views returns, is not. */
MUST_CHECK enum err desk_judge(struct desk *d, const struct judge_news *news, struct findings *out);

/* The meter's episodes from its first reading on, in d->episodes, without ids; nothing is said of what is watched. */
MUST_CHECK enum err desk_rehearse(struct desk *d, uint32_t meter);

uint32_t holidays_hash(const struct holidays *h);

#endif
