/* What was decided of a route's day, as the ledger keeps it: the sign-off with its figures, disputes, re-reads.  Texts that were read are views into their transaction. */
#ifndef NILO_SERVER_ROUTE_FACTS_H
#define NILO_SERVER_ROUTE_FACTS_H

#include "server/billing/daysheet.h"
#include "storage/ledger.h"

_Static_assert((int)ROUTE_FACTS == (int)ROUTE_RECHECK + (int)RECHECK_LEVELS, "");

#define ROUTE_TEXT_MAX 500 /* bytes of a note or a remark */
#define ROUTE_FACT_ROOM 2048

/* A day that was signed. */
struct route_signed {
    int64_t at_s;
    struct span who, note;
    uint64_t points, by_state[SHEET_SIGNED]; /* by what they were: ok, missing, odd, disputed */
    uint8_t digest[32]; /* SHA-256 over its lines (route_line_put), in walking order */
};

/* A row as it was signed. */
struct route_line {
    enum sheet_state state;
    enum sheet_reason reason;
    struct sheet_read remote, manual; /* without rule and source */
    bool use_known;
    int64_t use_ml;
    unsigned told_of; /* checks of the use whose rule and inputs were kept with it */
    struct check_told told[CHECK_COUNT];
    struct span serial, remark;
};

/* Somebody doubts a row; the newest counts. */
struct route_dispute {
    int64_t at_s;
    struct span who, note;
    int64_t resolved_s; /* 0: open */
    struct span resolved_by, resolution;
};

/* A read that a second person took; its kind is route_recheck_kind(level). */
struct route_recheck {
    enum recheck_level level;
    int64_t at_s, index_ml;
    struct span who, note;
    bool agrees;
};

static inline enum route_fact route_recheck_kind(enum recheck_level l)
{
    return (enum route_fact)(ROUTE_RECHECK + (int)l);
}

void route_signed_write(struct wr *w, const struct route_signed *f);
void route_line_write(struct wr *w, const struct route_line *f);
void route_dispute_write(struct wr *w, const struct route_dispute *f);
void route_recheck_write(struct wr *w, const struct route_recheck *f);
/* CORRUPT */
MUST_CHECK enum err route_signed_read(struct span bytes, struct route_signed *out);
MUST_CHECK enum err route_line_read(struct span bytes, struct route_line *out);
MUST_CHECK enum err route_dispute_read(struct span bytes, struct route_dispute *out);
MUST_CHECK enum err route_recheck_read(struct span bytes, struct route_recheck *out);

#endif
