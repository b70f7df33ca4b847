/* SPDX-License-Identifier: PostgreSQL
 *
 * What concerns many pools at once: pausing, holding, replacing servers.
 *
 * Knows which waiters are held, not why.  Any thread; one pool's lock at a
 * time, none over the walk.  Invariant under a pool's lock: a waiter is in the
 * list `held` if its hold was set when it was queued or at the last
 * pool_rehold(); whoever changes a hold calls that afterwards.
 */
#include <stdlib.h>

#include "backend/pool_priv.h"

/* ---- who is served ------------------------------------------------------- */

bool
pool_serves(const struct pool_waiter *wt)
{
	return wt->hold == NULL ||
	    !atomic_load_explicit(wt->hold, memory_order_acquire);
}

bool
pool_may_serve(const struct pool_waiter *wt)
{
	return !atomic_load(&pool_table.paused) && pool_serves(wt);
}

bool
pool_paused(void)
{
	return atomic_load(&pool_table.paused);
}

/* Idle servers and new ones for those who wait. */
static void
pool_serve_all(struct pool *p)
{
	unsigned i;

	pthread_mutex_lock(&p->lock);
	pool_grow(p, clock_mono(), false);
	for (i = 0; i < p->idle_count; i++)
		pool_steal(p, i % pool_table.n_workers);
	pthread_mutex_unlock(&p->lock);
	/* Each worker may hold several idle ones. */
	for (i = 0; i < pool_table.n_workers; i++)
		pool_steal(p, i);
}

bool
pool_pause_all(bool paused)
{
	unsigned i, n;
	struct pool **v;

	if (atomic_exchange(&pool_table.paused, paused) == paused)
		return false;
	if (paused)
		return true;
	v = pool_snapshot(&n);
	for (i = 0; i < n; i++) {
		pool_serve_all(v[i]);
		pool_unref(&v[i]);
	}
	free(v);
	return true;
}

/* Under the lock: sort both lists anew. true: some are held no longer. */
static bool
pool_sort_waiters(struct pool *p)
{
	struct waiter_list freed = TAILQ_HEAD_INITIALIZER(freed);
	struct pool_waiter *wt, *next;
	bool any;

	for (wt = TAILQ_FIRST(&p->held); wt != NULL; wt = next) {
		next = TAILQ_NEXT(wt, link);
		if (!pool_serves(wt))
			continue;
		TAILQ_REMOVE(&p->held, wt, link);
		TAILQ_INSERT_TAIL(&freed, wt, link);
		wt->held = false;
		p->held_count--;
		p->waiting++;
	}
	any = !TAILQ_EMPTY(&freed);
	for (wt = TAILQ_FIRST(&p->waiters); wt != NULL; wt = next) {
		next = TAILQ_NEXT(wt, link);
		if (pool_serves(wt))
			continue;
		TAILQ_REMOVE(&p->waiters, wt, link);
		TAILQ_INSERT_TAIL(&p->held, wt, link);
		wt->held = true;
		p->waiting--;
		p->held_count++;
	}
	TAILQ_CONCAT(&freed, &p->waiters, link);
	TAILQ_CONCAT(&p->waiters, &freed, link);
	return any;
}

void
pool_rehold(void)
{
	unsigned i, n;
	struct pool **v = pool_snapshot(&n);
	bool freed;

	for (i = 0; i < n; i++) {
		pthread_mutex_lock(&v[i]->lock);
		freed = pool_sort_waiters(v[i]);
		pthread_mutex_unlock(&v[i]->lock);
		if (freed)
			pool_serve_all(v[i]);
		pool_unref(&v[i]);
	}
	free(v);
}

/* ---- replacing servers --------------------------------------------------- */

void
pool_outdate(struct pool *p)
{
	p->epoch++;
	p->outdated = p->total;
	p->retry_at = 0;
	p->served = 0;
}

void
pool_ended(struct pool *p, uint64_t epoch)
{
	p->total--;
	pool_give_room(p);
	if (epoch == p->epoch)
		return;
	CHECK(p->outdated > 0);
	p->outdated--;
}

void
pool_reconnect(pool_fits_cb *fits, void *arg)
{
	unsigned i, n;
	struct pool **v = pool_snapshot(&n);

	for (i = 0; i < n; i++) {
		if (fits == NULL || fits(v[i]->backend, arg)) {
			pthread_mutex_lock(&v[i]->lock);
			pool_outdate(v[i]);
			pthread_mutex_unlock(&v[i]->lock);
		}
		pool_unref(&v[i]);
	}
	free(v);
}

void
pool_close_outdated(struct worker *w)
{
	unsigned i, n;
	struct pool **v = pool_snapshot(&n);

	for (i = 0; i < n; i++) {
		pool_close_outstayed(v[i], w, clock_mono());
		pool_unref(&v[i]);
	}
	free(v);
}
