/* SPDX-License-Identifier: PostgreSQL
 *
 * The table of database states.
 *
 * Any thread; one short lock, a leaf.  Entries are never freed while workers
 * run, so that sessions and waiters may point into them.
 */
#include "session/dbstate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct {
	pthread_mutex_t lock;
	struct dbstate **v;
	size_t n;
	unsigned n_workers;
} dbstates = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
dbstate_init(unsigned n_workers)
{
	dbstates.n_workers = n_workers;
}

void
dbstate_fini(void)
{
	while (dbstates.n > 0) {
		struct dbstate *d = dbstates.v[--dbstates.n];

		free(d->name);
		free(d->stats);
		free(d);
	}
	free(dbstates.v);
	dbstates.v = NULL;
}

/* Under the lock. */
static struct dbstate *
dbstate_new(const char *name)
{
	struct dbstate *d = x_calloc(1, sizeof(*d)), **bigger;
	size_t size = dbstates.n_workers * sizeof(*d->stats);

	d->name = x_strdup(name);
	d->stats = aligned_alloc(_Alignof(struct dbstats), size);
	CHECK(d->stats != NULL);
	memset(d->stats, 0, size);
	bigger = realloc(dbstates.v, (dbstates.n + 1) * sizeof(*bigger));
	CHECK(bigger != NULL);
	dbstates.v = bigger;
	dbstates.v[dbstates.n++] = d;
	return d;
}

struct dbstate *
dbstate_get(const char *name)
{
	struct dbstate *d = NULL;
	size_t i;

	pthread_mutex_lock(&dbstates.lock);
	for (i = 0; i < dbstates.n && d == NULL; i++)
		if (strcmp(dbstates.v[i]->name, name) == 0)
			d = dbstates.v[i];
	if (d == NULL)
		d = dbstate_new(name);
	pthread_mutex_unlock(&dbstates.lock);
	return d;
}

void
dbstate_each(void (*fn)(struct dbstate *d, void *arg), void *arg)
{
	struct dbstate *d;
	size_t i;

	for (i = 0;; i++) {
		pthread_mutex_lock(&dbstates.lock);
		d = i < dbstates.n ? dbstates.v[i] : NULL;
		pthread_mutex_unlock(&dbstates.lock);
		if (d == NULL)
			return;
		fn(d, arg);
	}
}

static uint64_t
dbstate_load(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void
dbstate_totals(const struct dbstate *d, struct dbtotals *out)
{
	const struct dbstats *s;

	memset(out, 0, sizeof(*out));
	for (s = d->stats; s < d->stats + dbstates.n_workers; s++) {
#define DBSTAT(name) out->name += dbstate_load(&s->name);
#include "tbl/dbstats.h"
	}
}
