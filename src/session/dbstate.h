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

/* Written by one worker, read by any thread. */
struct dbstats {
#define DBSTAT(name) _Atomic uint64_t name;
#include "tbl/dbstats.h"
} __attribute__((aligned(64)));

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
/* Those that have come up so far. */
void dbstate_each(void (*fn)(struct dbstate *d, void *arg), void *arg);
/* Plain sums over the workers. */
struct dbtotals {
#define DBSTAT(name) uint64_t name;
#include "tbl/dbstats.h"
};
void dbstate_totals(const struct dbstate *d, struct dbtotals *out);

#endif
