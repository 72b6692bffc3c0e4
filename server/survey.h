/* Surveys of all lives: how often meters failed in service, by model, supplier, batch, size or year, and how long they last.
 *
 *     ledger (rows, events, births of flags, one walk in the order of ids) → quality.h → groups → kept for a while
 *
 * A walk goes in slices, each a read transaction of its own, so that no page is pinned for long; it counts what each slice saw.  A survey is kept and given
 * again while the ledger stays as it is (for a quarter of an hour); one that took more than a second also for twenty times as long as it took, whatever is
 * written meanwhile.  Who asks for the same at once waits for the first.
 *
 *   surveys_take, survey_give_back   any thread that may wait */
#ifndef NILO_SERVER_SURVEY_H
#define NILO_SERVER_SURVEY_H

#include "server/app.h"
#include "server/fleet/quality.h"
#include "server/fleet/survival.h"
#include "server/fleet/wear.h"

#define SURVEY_NAME 256
#define SURVEY_GROUPS_MAX 100000   /* batches of a century */
#define SURVEY_AGES_MAX 36525      /* days: nothing is older than a century */
#define SURVEY_EXCHANGES 200       /* of a group, whose readings are looked at: bounds of a median are some percent then */
#define SURVEY_EXCHANGES_ALL 10000 /* of all groups together */

enum survey_by { SURVEY_MODEL, SURVEY_SUPPLIER, SURVEY_BATCH, SURVEY_DN, SURVEY_YEAR };

struct survey_wish {
    enum survey_by by;
    bool survival;                            /* ages are kept (survey_days), exchanges are not looked at */
    int32_t from_day, to_day;                 /* civil days, both inside, that service and failures are counted in; NO_DAY: no bound */
    char model[SURVEY_NAME], supplier[SURVEY_NAME]; /* "": any; the supplier of a meter, else of its batch */
    char org[64];                             /* meters of this unit alone (server/scope.h); "": all */
};

/* Why an exchange tells nothing of under-registration. */
enum exchange_left_out {
    LEFT_RECENT,    /* the new meter's days are not over, or it was taken off before */
    LEFT_SHORT,     /* the old one was not there a year before */
    LEFT_UNREAD,    /* an end of either span has no actual reading */
    LEFT_UNUSED,    /* the new one counted less than EXCHANGE_LEAST_ML */
    LEFT_UNSAMPLED, /* beyond SURVEY_EXCHANGES: not looked at */
    EXCHANGE_LEFT
};
#define EXCHANGE_LEAST_ML 1000000

struct survey_group {
    const char *name; /* NULL: of meters without one */
    uint64_t meters;  /* that served in the window */
    int64_t service_s;
    uint64_t failures, by_kind[FAILURE_KINDS]; /* `failures` without the lost ones, for which no meter is to blame */
    double median_age_days;                    /* in service when they failed; counts where there are failures */
    uint64_t exchanges, left_out[EXCHANGE_LEFT], measured;
    bool spread;                               /* six or more measured: `ratio` counts */
    struct quality_middle ratio;               /* old use / new use: the median and where it lies */
    struct wear_sample *samples;               /* the measured ones; NULL: none */
};

struct survey {
    struct survey_wish wish;
    struct survey_group *groups; /* by name, that without one last */
    size_t count;
    struct survival_day *days;   /* SURVEY_AGES_MAX of them, of all meters that served; with wish.survival */
    int64_t until_s;             /* the clock when it was made */
    /* for those that keep it */
    uint64_t acts;
    int64_t made_ms, took_ms;
    unsigned holders;
    struct survey_work *work;
};

MUST_CHECK enum err surveys_new(struct surveys **out);
void surveys_free(struct surveys *s); /* nobody holds a survey any more; NULL is fine */

/* STOPPING, NO_MEMORY, TOO_LARGE (more groups than there is room for), what reading gives. Give it back. */
MUST_CHECK enum err surveys_take(struct app *app, const struct survey_wish *wish, const struct survey **out);
void survey_give_back(struct app *app, const struct survey *s); /* NULL is fine */

/* The place of the first group behind the one of that name (NULL: without a name), whether it is there or not. */
size_t survey_after(const struct survey *s, const char *name);

const char *exchange_left_name(enum exchange_left_out why); /* "recent" */

#endif
