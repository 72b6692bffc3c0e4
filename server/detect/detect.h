/* Detectors: pure functions of (state, reading, now).  One flag, one file; formula, source, units
 * and parameters at its top.
 *
 * The judge feeds a meter's readings in order of time, all channels together, those that take no
 * part under rules-bills B4 to B6 left out, within one fitting.  track.c makes steps of them that
 * can be trusted: a wild value, a fall, a re-based register never reaches a detector as flow.  A
 * detector takes one step after the other and keeps what it must remember in its own fixed-size
 * state (zeroed at the start of a fitting).  When late data changes the past, the judge begins the
 * fitting again: so flags follow from the readings known, not from the order in which they came.
 *
 *     reading → detect_feed → track_feed → step → each detector → verdict → the judge
 *
 * Only what the meter itself sent is looked at: a number that a person typed (whole m³, another
 * minute) tells of the person too.  What it tells of the transmitter is `out-of-step`, which the judge
 * finds by itself (server/judge_dials.c). */
#ifndef NILO_SERVER_DETECT_DETECT_H
#define NILO_SERVER_DETECT_DETECT_H

#include "proto/facts.h"
#include "server/detect/rules.h"

/* Spans of civil days on which many customers are away: zero use then is no evidence of a stuck
 * meter. */
struct holidays {
    size_t count;
    struct holiday_span {
        int32_t first_day, last_day; /* days since 1970-01-01, both included */
    } spans[128];
};

/* Civil days on which far more registers of a use class stood still than on such days usually: many are away, and of such a day a part alone
 * counts against whoever stands still, as much as the usual share is of that day's (lulls.c).  What was told of a day at known_s counts for
 * readings of LULL_KNOWN_S later and more: so it follows from the reading, not from when that came, whether it counts. */
#define LULLS_MAX 512 /* of a class; the newest count */
#define LULL_KNOWN_S 86400
#define LULL_DAYS 6 /* weekdays of a kind whose mean is what is usual */
#define LULL_CLASSES 5 /* of enum use_class, from USE_UNKNOWN to USE_PUBLIC */
struct lulls {
    size_t count;
    struct lull {
        int32_t day;        /* since 1970-01-01; ascending */
        uint16_t counts_pm; /* thousandths of it that count */
        int64_t known_s;
    } at[LULLS_MAX];
};

/* Spans in which nothing is to be expected of one meter's register, by what people and the meter itself say: zero use then is no
 * evidence, and time then does not count. In order of time, apart from each other; a last one may have no end yet (INT64_MAX). */
#define PAUSES_MAX 32 /* beyond, those that lie closest become one */
struct pauses {
    size_t count;
    struct pause {
        int64_t from_s, to_s; /* from_s ≤ t < to_s */
        enum pause_why {
            PAUSE_SUSPENDED, /* the account is (报停) */
            PAUSE_VACANT,    /* somebody was there: nobody lives there */
            PAUSE_SHUT,      /* the meter says that its valve is closed */
            PAUSE_DRY        /* its zone is without water */
        } why;               /* of several that overlap that of the first */
    } at[PAUSES_MAX];
};

/* What does not change while one fitting is judged. */
struct judge_place {
    const struct meter_facts *meter;
    const struct point_facts *point;
    const struct fitting *fitting;
    const struct zone *zone; /* civil time */
    const struct holidays *holidays;
    const struct pauses *pauses; /* NULL: none */
    const struct lulls *lulls;   /* of its use class; NULL: none */
    struct civil_day *today; /* of the meters that one thread judges; NULL: the zone is asked for
                                each step */
    const struct rule_book *book; /* this meter's figures, by day; NULL: the standing ones */
    const struct detect_rules *rules; /* those of the day at hand: detect_feed sets it */
    int64_t used_before_mlpd; /* at the point before this fitting, by the meter before; 0: nobody knows */
    const struct profile *profile; /* what was learned of the customer before the step at hand (profile.h): detect_feed sets it */
    const struct peers *peers;     /* how places of its kind in its zone changed (peers.h), of a look as far as its day may know; NULL: nobody knows */
    const struct peers *peers_all; /* and those of all zones, for where the zone is too new */
    const struct meter_facts *other;  /* of a verdict's sentence: the meter that its evidence names; NULL: none */
};

/* The civil day that was last asked for, so that the zone is asked once a day and not for each
 * step. Zeroed: none yet. */
struct civil_day {
    uint32_t from_s, to_s;
    int32_t day;
};
/* FIGURE_STUCK_household_hours and the like, as it holds on the day at hand. */
static inline int64_t place_figure(const struct judge_place *p, enum detect_figure f)
{
    return (p->rules ? p->rules : &detect_rules_standing)->value[f];
}

struct judge_reading {
    enum channel channel;
    struct row row;
};

/* What the register did between two readings that hold. */
struct judge_step {
    bool reverse; /* the reverse register of F/R; else the billed one */
    bool fall;   /* of a register that cannot fall: no flow, but evidence of something; used_ml < 0,
                    or 0 where it is a re-base */
    bool doubted; /* of a net register: other readings, from which it does not follow, lie between */
    uint8_t misreads; /* of a net register: wild values that were left out so far; 3: or more */
    uint8_t hour; /* civil hour of its middle: 0 to 23 (a day of 25 hours has 23 twice) */
    int32_t day; /* civil day of its middle, days since 1970-01-01 */
    uint32_t from_s, to_s;
    int64_t used_ml; /* roll-overs counted; below 0 on a net register that ran back */
};

#define EVIDENCE_MAX 12

/* One number of evidence, as `evidence` of the API shows it: {"name": value, …}. */
struct evidence {
    const char *name; /* with its unit last: "min_flow_lph" */
    enum { EVIDENCE_NUMBER, EVIDENCE_TIME, EVIDENCE_METER } form;
    int64_t value; /* thousandths of the number; UTC seconds; or a meter's dense id, shown as its serial */
};

enum severity { SEVERITY_LOW = 1, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_URGENT };

/* What a detector says of an episode.  raised_s and cleared_s are instants of the readings that
 * showed it, never of the clock.  Of one that stands already raised_s may be 0: then onset and
 * raised_s are those that it was told with, and where it ends all else is too. */
struct verdict {
    bool open; /* false: the episode that was open has ended at cleared_s */
    int64_t onset_s, raised_s, cleared_s;
    enum severity severity;
    int64_t lost_mlpd, lost_low_mlpd, lost_high_mlpd; /* millilitres per day, with an interval */
    unsigned confidence_pct;
    unsigned evidence_count;
    struct evidence evidence[EVIDENCE_MAX];
};

struct day_span;

struct detector {
    const char *flag;  /* "stuck" */
    bool replace;      /* the meter itself is at fault: it belongs on the list of replacements */
    size_t state_size; /* of its part of struct detect_state */
    /* Takes one step. Returns whether it has something to say, in *out: an episode opened, changed
     * (worse, better known), or ended. `out` is filled only then; onset_s and raised_s stay the
     * same while an episode lasts. */
    /* NULL: it follows from no reading. */
    bool (*judge)(void *state, const struct judge_place *place, const struct judge_step *step,
                  struct verdict *out);
    /* Asked once a month, with the days before it (monthly.h); `open`: the episode that is open, NULL if none is. Returns as `judge`; NULL: it is
     * no matter of months. */
    bool (*look)(const struct judge_place *place, const struct day_span *days,
                 const struct verdict *open, struct verdict *out);
    /* One sentence for a crew, from the verdict's numbers. */
    void (*explain)(const struct verdict *v, const struct judge_place *place, struct wr *text_en,
                    struct wr *text_zh);
};

/* How the detectors share a meter's bytes; those of one file, or of files that read each other's,
 * together. */
#define PROFILE_STATE 48 /* what profile.c learns of the customer: at the front */
#define STUCK_STATE 16 /* stuck.c; unmoved.c until the register first moves */
#define LEAK_STATE 52 /* leak.c */
#define BURST_STATE 12 /* burst.c */
#define FLOW_STATE 40  /* reversed.c, backflow.c, selfturn.c */
#define DETECTORS_STATE (PROFILE_STATE + STUCK_STATE + LEAK_STATE + BURST_STATE + FLOW_STATE)
#define DETECTORS_VERSION 12 /* of the states and rules: another one begins every fitting again */

/* The newest readings of one register: what holds, what is not yet believed. track.c alone reads
 * and writes it. Values in millilitres, times in UTC seconds. */
struct track {
    int64_t value : 56; /* the newest that holds */
    uint64_t flags : 4;
    uint64_t odd_count : 2; /* readings in a row that do not follow, each following the one before */
    uint64_t sank : 2;      /* how many of them lay no higher than the one before; of a net register: `misreads` of its steps */
    int64_t above_before : 48; /* `value` over the one that held before it: the step between them is
                                  held back until the next reading bears it out */
    uint64_t value_s_low : 16;
    int64_t odd_above : 48; /* over `value`: a reading that does not follow from it */
    uint64_t value_s_high : 16;
    uint32_t before_s, odd_s;
};

/* All that is remembered of one meter's fitting. Plain bytes, kept by views; zeroed at the
 * fitting's start. */
struct detect_state {
    struct track billed, reverse;
    _Alignas(8) uint8_t detectors[DETECTORS_STATE];
};
_Static_assert(sizeof(struct track) == 32, "states are kept on disk");
_Static_assert(sizeof(struct detect_state) == 64 + DETECTORS_STATE, "no hidden bytes on disk");

/* Takes one reading; `say` is called for each verdict, at most a few times. */
typedef void detect_say(void *arg, const struct detector *d, const struct verdict *v);
void detect_feed(struct detect_state *state, const struct judge_place *place,
                 const struct judge_reading *reading, detect_say *say, void *arg);

/* Whether the register has turned since the fitting began, as far as steps are sure. */
bool detect_has_moved(const struct detect_state *state);

const struct detector *detector_at(size_t n);            /* NULL at the end of the table */
const struct detector *detector_named(struct span flag); /* NULL if unknown */
size_t
detector_state_at(size_t n); /* where its state begins in struct detect_state's `detectors` */

/* ---- track.c ---- */

/* Takes a reading of one register, writes the steps that are sure now (at most two), returns how
 * many. */
unsigned track_feed(struct track *t, const struct meter_facts *m, bool net, const struct row *row,
                    struct judge_step out[2]);

/* The same of many rows, of which only remote ones are taken. Each step goes to `step`; or many at once to `plain`: from each of count ≥ 2 rows to the next
 * one, later ones that do not fall, nothing about them odd. In order of time, as track_feed has them. */
struct track_ear {
    void (*step)(void *arg, const struct judge_step *step);
    void (*plain)(void *arg, const struct row *rows, size_t count);
};
void track_run(struct track *t, const struct meter_facts *m, bool net, const struct row *rows,
               size_t count, const struct track_ear *to, void *arg);

/* The newest reading that a later one bore out; of a single reading: it. False: there is none yet. */
bool track_believes(const struct track *t, int64_t *out_value, int64_t *out_at_s);

/* ---- holidays.c ---- */

void holidays_builtin(
    struct holidays *h); /* Spring Festival and National Day of China, 2010 to 2040 */
/* CSV with the header first,last,name (dates; other columns and their order are free). MALFORMED,
 * TOO_LARGE; `h` changes on success only. */
MUST_CHECK enum err holidays_read(struct holidays *h, struct span csv, struct refusal *r);
/* Seconds of [from_s, to_s) that lie on holidays. */
int64_t holidays_overlap(const struct holidays *h, const struct zone *z, int64_t from_s,
                         int64_t to_s);

/* ---- lulls.c ---- */

/* What share of a class is still on a weekday, in the mean of such days of late. Zeroed: nothing is known. */
struct lull_usual {
    float share[7]; /* Monday first */
    uint8_t days[7];
};
struct lull_seen {
    int32_t day;
    uint32_t meters, still; /* of the class: read after the day; of those, not moved since before it */
};
/* Whether the day is one; what it is else is learned. out_counts_pm: as of struct lull. */
bool lull_judge(struct lull_usual *usual, const struct lull_seen *seen, uint16_t *out_counts_pm);
void lulls_add(struct lulls *l, const struct lull *day); /* days ascending; the oldest goes */
/* Seconds of [from_s, to_s) that do not count for a reading of to_s; of days that are no holidays, and outside pauses. 0 of NULL. */
int64_t lulls_left_out(const struct judge_place *p, int64_t from_s, int64_t to_s);

/* ---- pauses.c ---- */

void pauses_add(struct pauses *p, enum pause_why why, int64_t from_s, int64_t to_s);
/* Seconds of [from_s, to_s) that lie in pauses; 0 of NULL. */
int64_t pauses_overlap(const struct pauses *p, int64_t from_s, int64_t to_s);

/* What a flow in [from_s, to_s), or its end, tells of the pipes behind the meter.
 *
 *   ALL      it is as everywhere
 *   END      people say that no water is wanted (suspended, vacant): a flag that stands may end, none is raised
 *   NOTHING  there was no water, or it comes back and fills tanks and pipes: nothing is raised, and nothing has stopped either. So for
 *            PAUSES_REFILL_S from the end of PAUSE_DRY on
 *
 * 12 hours is ours: a roof tank of 15 m³ behind 1.3 m³/h. */
#define PAUSES_REFILL_S (12 * 3600)
enum flow_tells { FLOW_TELLS_ALL, FLOW_TELLS_END, FLOW_TELLS_NOTHING };
enum flow_tells pauses_flow_tells(const struct pauses *p, int64_t from_s, int64_t to_s); /* ALL of NULL */

/* ---- what detectors share: say.c ---- */

void verdict_number(struct verdict *v, const char *name, int64_t thousandths);
void verdict_time(struct verdict *v, const char *name, int64_t at_s);
void verdict_meter(struct verdict *v, const char *name, uint32_t meter); /* at most one */
uint32_t verdict_other(const struct verdict *v);                        /* that meter; 0: none */
/* What is said of an episode that stands takes the place of what stands, but for what it leaves out; none ends before it was raised. */
void verdict_take(struct verdict *stands, const struct verdict *v);
/* The name as a text that lasts, for evidence that is read back from a store; NULL if no detector
 * uses it. */
const char *evidence_name(struct span name);
/* The value of a number of evidence; 0 if there is none. */
int64_t verdict_value(const struct verdict *v, const char *name);
/* It is a part of something else that is told of: nobody goes to the meter for it. */
bool verdict_is_explained(const struct verdict *v);
enum severity severity_of_loss(int64_t lost_mlpd);
void say_volume(struct wr *w, int64_t ml);                          /* "85 L", "1.24 m³" */
void say_date(struct wr *w, const struct zone *z, int64_t utc_s);   /* "2026-03-01", local */
void say_minute(struct wr *w, const struct zone *z, int64_t utc_s); /* "2026-03-01 02:00", local */
void say_span(struct wr *w, int64_t seconds, bool zh);              /* "30 hours", "9 days" */

extern const struct detector detector_unmoved, detector_stuck, detector_backflow, detector_selfturn, detector_reversed,
    detector_leak, detector_burst, detector_overdue, detector_out_of_step, detector_silent, detector_outage, detector_swapped,
    detector_slow, detector_fast, detector_oversize, detector_undersize;

#endif
