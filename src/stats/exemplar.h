/* SPDX-License-Identifier: PostgreSQL
 *
 * Exemplars: for each series and order of magnitude, the trace of the
 * statement that was timed there last.
 *
 * Memory is taken at a series' first exemplar and kept, as with its histogram.
 * One writer (a worker), any reader: a slot has a number that is odd while it
 * is being written, and a reader that finds it changed looks elsewhere.
 */
#ifndef PGSLUICE_STATS_EXEMPLAR_H
#define PGSLUICE_STATS_EXEMPLAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "stats/metrics.h"

struct exemplar {
	uint64_t trace[2], span;
	nsec_t value;
	nsec_t wall;  /* when */
};

/* Writer only. e->value need not be set. */
void exemplar_note(struct metrics *m, unsigned series, nsec_t elapsed,
    const struct exemplar *e);
/* The newest of all workers with low < value <= high. false: none. */
bool exemplar_find(struct metrics *const *all, unsigned n, unsigned series,
    nsec_t low, nsec_t high, struct exemplar *out) PG_MUST_CHECK;

#endif
