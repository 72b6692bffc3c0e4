/* Figures that operators watch, and whether the store is well.  Any thread, no locks. */
#ifndef NILO_SERVER_METRICS_H
#define NILO_SERVER_METRICS_H

#include "server/out.h"

enum metric {
#define METRIC(id, kind, family, labels, text) METRIC_##id,
#include "server/metrics.def"
#undef METRIC
    METRIC_COUNT
};

extern _Atomic uint64_t metrics_values[METRIC_COUNT];

static inline void metrics_add(enum metric m, uint64_t n)
{
    __atomic_fetch_add((uint64_t *)&metrics_values[m], n, __ATOMIC_RELAXED);
}

static inline void metrics_sub(enum metric m, uint64_t n)
{
    __atomic_fetch_sub((uint64_t *)&metrics_values[m], n, __ATOMIC_RELAXED);
}

static inline void metrics_set(enum metric m, uint64_t v)
{
    __atomic_store_n((uint64_t *)&metrics_values[m], v, __ATOMIC_RELAXED);
}

static inline uint64_t metrics_get(enum metric m)
{
    return __atomic_load_n((const uint64_t *)&metrics_values[m], __ATOMIC_RELAXED);
}

/* How long an answer took: two histograms. */
enum metric_span { METRIC_SPAN_READ, METRIC_SPAN_WRITE, METRIC_SPAN_COUNT };
void metrics_span(enum metric_span s, int64_t us);

/* Around work that reads the store on the calling thread: how long the oldest such work has been going on is a figure, for a reader
 * that stays makes the store's files grow. */
void metrics_read_begin(int64_t now_ms);
void metrics_read_end(void);
int64_t metrics_oldest_read_ms(int64_t now_ms); /* its age, the caller's own left out; 0: there is none */

/* Refused frames by err.def's name: nilo_refused_frames_total{reason="malformed"}. */
void metrics_refused(enum err why);

void metrics_write(struct out *o); /* all of it, as Prometheus reads it */

/* What /readyz says.  health_commit: what the newest commit to the store came to; ERR_OK clears an
 * earlier FULL or IO. health_damage: CORRUPT or MISSING was met; it stands until the next start.
 * Other errors are passed over. */
void health_commit(enum err err);
void health_damage(enum err err);
enum err health(void);

#endif
