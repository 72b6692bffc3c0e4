/* A plain model of what the contract promises, in lists and loops, written from rules-bills.md
 * alone: it shares no line with the server.
 *
 * Time is a count of hours from `BASE_S`.  A meter's true register rises every hour by more than
 * any variant of it is off, so that no reading falls or is too high, and what takes part is settled
 * by B4 to B6. */
#ifndef NILO_TESTS_MODEL_HISTORY_H
#define NILO_TESTS_MODEL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE_S 1767225600 /* 2026-01-01T00:00:00Z */
#define BEGIN_H 900       /* where the clock stands at first */
#define METERS 4          /* a leak later on, one always, one that gets stuck, one that never turned */
#define POINTS 3
#define HOURS_MOST 4000
#define COPIES_MOST 30000
#define FITTINGS_MOST 64

enum model_channel { MODEL_FORWARD, MODEL_PRESSURE, MODEL_CHANNELS };
enum model_source { MODEL_REMOTE, MODEL_MANUAL, MODEL_PHOTO };

/* One arrival of one value. */
struct copy {
    int meter, channel, hour;
    int64_t ml;
    enum model_source source;
    bool retimed, future;
};

struct placed {
    int meter, point, from_h, to_h; /* to_h NO_END while fitted */
    int64_t start_ml, end_ml;
    bool has_end;
};
#define NO_END 1000000

struct model {
    int now_h;
    unsigned version; /* grows with every change of copies and fittings */
    bool meter_known[METERS], point_known[POINTS];
    struct copy copies[COPIES_MOST];
    size_t copy_count;
    struct placed fittings[FITTINGS_MOST];
    size_t fitting_count;
};

/* A reading as it should be listed. */
struct expected {
    int hour;
    int64_t ml;
    enum model_source source;
    bool retimed;
    const char *rule; /* "" takes part */
    size_t order;     /* of its first arrival */
};

int64_t true_ml(int meter, int channel, int hour);
bool rises_at(int meter, int hour); /* by 40 L at least until the next hour */
void model_copy(struct model *m, struct copy c);
bool model_may_fit(const struct model *m, const struct placed *f);

/* In the order of the list; how many. `out` has room for COPIES_MOST. */
size_t model_list(const struct model *m, int meter, int channel, struct expected *out);

struct expected_use {
    int64_t consumption_ml, billed_m3;
};
/* False where an end falls on no reading: then the rules estimate, which is not this model's
 * business. */
bool model_use(const struct model *m, int point, int from_h, int to_h, struct expected_use *out);

#endif
