/* Notices to customers: who is told what, and when.  Pure.
 *
 *   leak          a flag `leak` or `burst` of the meter at the point, from rules.leak on; of a leak while a burst is told of there is none
 *   unusual-use   a civil day, metered all through, whose use the check `high` finds (rules-bills E3)
 *   no-use        a civil day, metered all through, without any use: only for accounts that asked for it (somebody looks after a person who lives there);
 *                 a meter that stands still is otherwise our matter, and no news for a customer
 *   frost         the meter's newest report says FREEZE, or its newest temperature is rules.frost or less
 *
 * Of a case one notice tells the beginning and one the end, whatever happens in between. Each state of the world leads to at most one deed. */
#ifndef NILO_SERVER_BILLING_NOTICE_H
#define NILO_SERVER_BILLING_NOTICE_H

#include "proto/base/day.h"
#include "proto/base/span.h"
#include "proto/base/wr.h"

/* numbers stand on disk */
enum notice_kind { NOTICE_LEAK, NOTICE_UNUSUAL, NOTICE_NO_USE, NOTICE_FROST, NOTICE_KINDS };
enum notice_part { NOTICE_START, NOTICE_END, NOTICE_PARTS };
enum notice_state { NOTICE_WAITING, NOTICE_SENT, NOTICE_WITHHELD, NOTICE_DROPPED, NOTICE_STATES };
const char *notice_kind_name(enum notice_kind k);                        /* "unusual-use" */
const char *notice_part_name(enum notice_part p);                        /* "start" */
const char *notice_state_name(enum notice_state s);                      /* "waiting" */
bool notice_kind_read(struct span name, enum notice_kind *out);          /* false: none of them */
bool notice_state_read(struct span name, enum notice_state *out);

/* What an account gets where nobody said otherwise: a set of 1 << enum notice_kind. */
#define NOTICES_USUAL (1u << NOTICE_LEAK | 1u << NOTICE_UNUSUAL | 1u << NOTICE_FROST)

struct notice_rules {
    char name[80];
    int64_t leak_mlph, urgent_mlph;       /* millilitres an hour */
    int64_t frost_mk, frost_over_mk;      /* thousandths of a degree Celsius */
    int32_t quiet_from_min, quiet_to_min; /* of the civil day; the same: no quiet hours */
    int64_t keep_s;
};

struct notice_case {
    bool open;  /* it goes on */
    bool none;  /* it turned out, or was found, to be none */
    bool great; /* enough to be told */
    bool past;  /* worth to be told when it is over, too: what was used is paid for */
};
struct notice_told {
    bool begun, ended;        /* such a notice was made */
    enum notice_state begin;  /* what became of it */
};
enum notice_deed { NOTICE_DO_NOTHING, NOTICE_BEGIN, NOTICE_FINISH, NOTICE_DROP /* the beginning waits still: it is not told */ };
enum notice_deed notice_deed(const struct notice_case *c, const struct notice_told *told);

/* The first instant at or after `now_s` outside of the quiet hours. */
int64_t notice_due(const struct notice_rules *rules, const struct zone *zone, int64_t now_s);

/* Why a notice is not told to the account of now; NULL: it may be. `then` and `now`: the point's account at the case's onset and now; `wants`: of the account of now. */
const char *notice_withheld(struct span then, struct span now, unsigned wants, enum notice_kind kind);

/* ---- what is written ---- */

struct notice_facts {
    enum notice_kind kind;
    enum notice_part part;
    bool none;         /* of an end: there was nothing */
    struct span place; /* the address, or the point's name */
    int64_t onset_s, ended_s;
    int64_t flow_mlph, lost_mlpd; /* leak */
    int64_t use_ml, usual_ml;     /* unusual-use: of the day that begins at onset_s */
    bool has_temperature;         /* frost */
    int64_t temperature_mk;
    const struct zone *zone;
};
#define NOTICE_TEXT_MAX 512 /* bytes with the address at its longest that is written: 160 bytes, whole characters */
void notice_say(const struct notice_facts *f, struct wr *en, struct wr *zh);

#endif
