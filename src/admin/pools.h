/* SPDX-License-Identifier: PostgreSQL
 *
 * Pools as people see them: one row a (backend, user), whatever startup
 * settings split it into.
 */
#ifndef PGSLUICE_ADMIN_POOLS_H
#define PGSLUICE_ADMIN_POOLS_H

#include "backend/pool.h"

struct pools_row {
	char *backend, *user;
	int64_t limit; /* of each part */
	unsigned idle, active, connecting, waiting;
	unsigned cleaning, draining, clients;
	nsec_t longest_wait;
	bool paused;
	char *last_error; /* or "" */
};

struct pools {
	struct pools_row *v;
	size_t n, size;
};

/* Any thread. Sorted by backend, then user. */
void pools_gather(struct pools *p);
void pools_free(struct pools *p);

#endif
