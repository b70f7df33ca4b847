/* SPDX-License-Identifier: PostgreSQL
 *
 * Published numbers of the workers.
 *
 * A worker's L2 client is made once and lives until the worker has ended (its
 * settings need a restart), so its address may be shown to readers, who call
 * nothing on it but l2_stats().
 */
#include "admin/view.h"

#include <stdlib.h>

struct view {
	_Atomic(struct l2 *) l2;
	_Atomic uint64_t shapes, unprofitable;
};

static struct view *views;
static unsigned n_views;

void
view_init(unsigned n_workers)
{
	views = x_calloc(n_workers, sizeof(*views));
	n_views = n_workers;
}

void
view_fini(void)
{
	free(views);
	views = NULL;
	n_views = 0;
}

void
view_publish(struct worker *w)
{
	const struct shape_table *t = session_shapes(w);

	CHECK(w->id < n_views);
	atomic_store_explicit(&views[w->id].l2, session_l2(w),
	    memory_order_release);
	atomic_store_explicit(&views[w->id].shapes,
	    t != NULL ? t->tab.count : 0, memory_order_relaxed);
	atomic_store_explicit(&views[w->id].unprofitable,
	    worth_passed(session_worth(w)), memory_order_relaxed);
}

uint64_t
view_shapes(void)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < n_views; i++)
		sum += atomic_load_explicit(&views[i].shapes,
		    memory_order_relaxed);
	return sum;
}

uint64_t
view_unprofitable(void)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < n_views; i++)
		sum += atomic_load_explicit(&views[i].unprofitable,
		    memory_order_relaxed);
	return sum;
}

bool
view_l2(struct l2_stats *sum, unsigned *connected)
{
	struct l2_stats one;
	struct l2 *l2;
	bool any = false;
	unsigned i, o;

	*sum = (struct l2_stats){ .connected = false };
	*connected = 0;
	for (i = 0; i < n_views; i++) {
		l2 = atomic_load_explicit(&views[i].l2, memory_order_acquire);
		if (l2 == NULL)
			continue;
		any = true;
		l2_stats(l2, &one);
		*connected += one.connected;
		sum->gets += one.gets;
		sum->hits += one.hits;
		sum->misses += one.misses;
		sum->timeouts += one.timeouts;
		sum->errors += one.errors;
		sum->puts += one.puts;
		sum->bumps += one.bumps;
		sum->corrupt += one.corrupt;
		sum->breaker_opens += one.breaker_opens;
		for (o = 0; o < LEASE_OUTCOMES; o++)
			sum->leases[o] += one.leases[o];
	}
	return any;
}
