/* SPDX-License-Identifier: PostgreSQL
 *
 * What the console says at one moment, as numbers: for pgsluicectl top, which
 * shows what is between two of them.
 *
 * One thread.
 */
#ifndef PGSLUICE_CTL_LOOK_H
#define PGSLUICE_CTL_LOOK_H

#include <stdbool.h>

#include "base/clock.h"
#include "ctl/dial.h"
#include "stats/hist.h"

/* One of SHOW LATENCY BUCKETS. */
struct look_series {
	char *route, *variant, *outcome; /* of whatever backend */
	struct hist_view time;
};

struct look_pool {
	char *backend, *user, *error;
	long busy, idle, login, waiting, size;
};

struct look_backend {
	char *name, *state, *error;
	long busy, idle, login, waiting;
};

struct look_shape {
	char *number, *database, *text;
	uint64_t calls;
	double total_ms;
};

struct look {
	nsec_t at;
	uint64_t transactions, statements, received, sent; /* of all databases */
	struct look_series *series;
	size_t n_series;
	struct look_pool *pools;
	size_t n_pools;
	struct look_backend *backends;
	size_t n_backends;
	struct look_shape *shapes;
	size_t n_shapes;
	bool shapes_off; /* track_shapes is */
};

/* false: dial.why, and nothing is left. */
bool look_take(struct look *k, struct dial *l) PG_MUST_CHECK;
void look_fini(struct look *k);

#endif
