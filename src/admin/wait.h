/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands that are answered when something has come to pass: PAUSE
 * and WAIT_CLOSE.
 */
#ifndef PGSLUICE_ADMIN_WAIT_H
#define PGSLUICE_ADMIN_WAIT_H

#include "admin/tour.h"
#include "session/dbstate.h"
#include "session/layer.h"

struct wait;

/* What is waited for. Callbacks run on the worker that is named. */
struct wait_kind {
	const char *tag;
	/* On each worker: add to t->found what still stands in the way. */
	void (*visit)(struct tour *t, struct worker *w);
	/* On the origin, when no worker has found anything: is all else
	 * settled, too? */
	bool (*settled)(const struct wait *wait);
	/* On the origin: has someone else ended what was begun? */
	bool (*ended)(const struct wait *wait);
	/* On the origin: nobody waits any more; take back what was begun. */
	void (*undo)(const struct wait *wait);
};

struct wait {
	TAILQ_ENTRY(wait) link;
	const struct wait_kind *kind;
	struct worker *origin;
	uint64_t session;
	struct dbstate *db; /* NULL: all */
	uint64_t number;    /* of the kind */
	bool asking;        /* a tour is under way */
};

void wait_init(unsigned n_workers);
void wait_fini(void); /* after the workers have ended */
/* On w, on which the session lives. Answers when the time has come. */
void wait_start(const struct wait_kind *kind, struct worker *w,
    uint64_t session, struct dbstate *db, uint64_t number);
/* About every 100 ms on each worker. */
void wait_tick(struct worker *w);

#endif
