/* SPDX-License-Identifier: PostgreSQL
 *
 * Counters and latency series with one writer (a worker) and any reader.
 *
 * A *series* is one label set (route, variant, backend, outcome); names are
 * interned process-wide into small numbers when plans are made, never on the
 * hot path, and live as long as the process, so their number is bounded by
 * the configurations loaded (SERIES_MAX; over it everything counts as "other").
 */
#ifndef PGSLUICE_STATS_METRICS_H
#define PGSLUICE_STATS_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "stats/hist.h"

#define SERIES_MAX 4096
#define BYPASS_SLOTS 64
#define CLOSE_SLOTS 64
#define REPLICA_SLOTS 32

struct counters {
#define COUNTER(name, help) _Atomic uint64_t name;
#include "tbl/counters.h"
};

struct exemplars; /* exemplar.c */

struct metrics { /* one per worker */
	struct counters c;
	_Atomic uint64_t bypass[BYPASS_SLOTS]; /* by enum bypass_reason */
	_Atomic uint64_t replica_bypass[REPLICA_SLOTS]; /* by replica_reason */
	_Atomic uint64_t closes[CLOSE_SLOTS]; /* of clients, by enum close_reason */
	_Atomic(struct hist *) series[SERIES_MAX]; /* made at first use by the writer */
	_Atomic(struct exemplars *) exemplars[SERIES_MAX]; /* likewise */
	struct hist wait;  /* for a server */
	struct hist lag;   /* of the worker's ticks */
	struct hist staleness; /* ages of hits that were found to be stale */
};

/* Single writer: a plain load and store, no locked instruction. */
static inline void
stat_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c,
	    atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

struct series_name {
	char *route, *variant, *backend, *outcome;
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics **m);
/* Intern; any thread (takes a lock). Same names, same number. */
unsigned series_intern(const char *route, const char *variant,
    const char *backend, const char *outcome);
unsigned series_count(void);
const struct series_name *series_get(unsigned id);
/* Writer only. */
void metrics_time(struct metrics *m, unsigned series, nsec_t elapsed);

/* Readers: sums over all workers' metrics. */
void metrics_sum_counters(struct metrics *const *all, unsigned n,
    void (*fn)(void *arg, const char *name, const char *help, uint64_t v),
    void *arg);
void metrics_sum_series(struct metrics *const *all, unsigned n,
    unsigned series, struct hist_view *out);

#endif
