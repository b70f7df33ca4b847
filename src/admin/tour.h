/* SPDX-License-Identifier: PostgreSQL
 *
 * A tour: one message that goes from worker to worker, collecting rows of a
 * console answer, and ends on the worker of the session that asked.
 */
#ifndef PGSLUICE_ADMIN_TOUR_H
#define PGSLUICE_ADMIN_TOUR_H

#include "admin/rows.h"

struct tour {
	struct message m;
	TAILQ_ENTRY(tour) link;
	unsigned next;         /* worker to visit */
	struct worker *origin;
	uint64_t session;
	struct rows rows;
	void (*visit)(struct tour *t, struct worker *w); /* or NULL */
	/* On origin: answer (from t->rows, or an error). NULL: the rows, with
	 * the tag SHOW. The tour is freed afterwards. */
	void (*done)(struct tour *t);
	uint64_t number, found; /* of the visitor */
	char *text;             /* of the visitor; freed with the tour */
	void *data;             /* of the visitor; borrowed */
};

void tour_init(struct worker *const *workers, unsigned n);
/* After the workers have ended: free what tours that were under way hold. */
void tour_fini(void);

struct tour *tour_new(struct worker *origin, uint64_t session)
    PG_MUST_CHECK;
/* Any thread; the tour is no longer the caller's. */
void tour_start(struct tour *t);

#endif
