/* SPDX-License-Identifier: PostgreSQL
 *
 * What belongs to the name of a database, whatever configuration is in force:
 * whether it is paused or disabled, and what passed through it.
 *
 * Interned for life by name; only names of configured databases come here, so
 * their number is bounded by the configurations loaded.
 */
#ifndef PGSLUICE_SESSION_DBSTATE_H
#define PGSLUICE_SESSION_DBSTATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

/* Written by one worker, read by any thread. Times in ns. */
struct dbstats {
	_Alignas(64) _Atomic uint64_t transactions; /* ended on servers */
	_Atomic uint64_t queries;    /* hits included */
	_Atomic uint64_t received;   /* bytes, from clients */
	_Atomic uint64_t sent;       /* bytes, to clients */
	_Atomic uint64_t transaction_time, query_time; /* on servers */
	_Atomic uint64_t wait_time;  /* for servers */
};

struct dbstate {
	char *name;
	atomic_bool paused;   /* its sessions get no servers */
	_Atomic uint64_t pauses; /* how often that began */
	atomic_bool disabled; /* it takes no new sessions */
	struct dbstats *stats; /* by worker */
};

void dbstate_init(unsigned n_workers); /* once, before workers start */
void dbstate_fini(void);               /* after they have ended */
/* Any thread; the caller knows that the database is configured. */
struct dbstate *dbstate_get(const char *name);
/* Plain sums over the workers. */
struct dbtotals {
	uint64_t transactions, queries, received, sent;
	uint64_t transaction_time, query_time, wait_time;
};
void dbstate_totals(const struct dbstate *d, struct dbtotals *out);

#endif
