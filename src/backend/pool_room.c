/* SPDX-License-Identifier: PostgreSQL
 *
 * Room for servers under the limits that pools share.
 *
 * A pool that finds none notes since when its first waiter has waited, and
 * posts one look at all pools (room_look): those with waiters grow in the
 * order of their waiting, and for each that still finds no room one idle
 * server of another pool under the same limit is closed.  Until then servers
 * that come to rest with nobody waiting for them close by themselves, and those
 * of a busy pool do once the other's waiter has waited for YIELD_AFTER more
 * than its own: else a busy pool would keep all of them for ever.
 *
 * Knows nothing of why a pool grows.  Any thread; no pool's lock is held while
 * another's is taken.
 */
#include <stdlib.h>

#include "backend/pool_priv.h"

#define YIELD_AFTER NSEC_PER_SEC

static void room_run(struct worker *w, struct message *m);

/* Any lock may be held: it takes a mailbox's only. */
static void
room_post(void)
{
	struct message *m;

	if (atomic_exchange(&pool_table.room_posted, true))
		return;
	m = x_calloc(1, sizeof(*m));
	m->run = room_run;
	worker_post(pool_table.workers[0], m);
}

/* ---- counting -------------------------------------------------------------- */

bool
pool_take_room(struct pool *p, nsec_t since, bool in_turn)
{
	nsec_t first = limits_short_since(&p->limits);

	/* Whoever has waited longer comes first. */
	if ((in_turn || first == 0 || since <= first) &&
	    limits_take(&p->limits, since))
		return true;
	if (!in_turn)
		room_post();
	return false;
}

void
pool_give_room(struct pool *p)
{
	if (limits_give(&p->limits))
		room_post();
}

bool
pool_must_yield(const struct pool *p, nsec_t now)
{
	const struct pool_waiter *wt = TAILQ_FIRST(&p->waiters);
	nsec_t since = limits_short_since(&p->limits);

	if (limits_over(&p->limits))
		return true;
	if (since == 0)
		return false;
	return wt == NULL || (now > since + YIELD_AFTER &&
	    wt->since > since + YIELD_AFTER);
}

/* ---- looking at all pools ---------------------------------------------------- */

struct starving {
	struct pool *p;
	nsec_t since;
};

static int
starving_cmp(const void *a, const void *b)
{
	const struct starving *x = a, *y = b;

	return x->since < y->since ? -1 : x->since > y->since;
}

/* Pools with waiters, those who have waited longest first. */
static struct starving *
room_starving(struct pool *const *v, unsigned n, unsigned *found)
{
	struct starving *list = x_calloc(n + 1, sizeof(*list));
	const struct pool_waiter *wt;
	unsigned i;

	*found = 0;
	for (i = 0; i < n; i++) {
		pthread_mutex_lock(&v[i]->lock);
		wt = TAILQ_FIRST(&v[i]->waiters);
		if (wt != NULL)
			list[(*found)++] = (struct starving){ v[i],
				wt->since };
		pthread_mutex_unlock(&v[i]->lock);
	}
	qsort(list, *found, sizeof(*list), starving_cmp);
	return list;
}

/* It wants servers and finds no room for them. */
static bool
room_is_missing(struct pool *p)
{
	bool missing;

	pthread_mutex_lock(&p->lock);
	missing = p->waiting > p->connecting + p->idle_count &&
	    p->total < p->limit && limits_full(&p->limits);
	pthread_mutex_unlock(&p->lock);
	return missing;
}

struct eviction {
	struct message m;
	struct pool *pool;
};

static void
eviction_run(struct worker *w, struct message *m)
{
	struct eviction *e = (struct eviction *)(void *)m;
	struct pool *p = e->pool;
	struct server *s = NULL;

	free(e);
	pthread_mutex_lock(&p->lock);
	if (TAILQ_EMPTY(&p->waiters))
		s = TAILQ_LAST(&p->idle[w->id], idle_list);
	if (s != NULL) {
		TAILQ_REMOVE(&p->idle[w->id], s, idle_link);
		p->idle_count--;
		pool_part(p, s);
	}
	pthread_mutex_unlock(&p->lock);
	if (s != NULL)
		server_close(s, "room for another pool");
	pool_unref(&p);
}

/* Ask the worker of one idle server of p to close it. false: there is none that
 * nobody in p waits for. */
static bool
room_evict(struct pool *p)
{
	struct eviction *e;
	unsigned i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < pool_table.n_workers; i++)
		if (!TAILQ_EMPTY(&p->idle[i]) && TAILQ_EMPTY(&p->waiters))
			break;
	pthread_mutex_unlock(&p->lock);
	if (i == pool_table.n_workers)
		return false;
	e = x_calloc(1, sizeof(*e));
	e->m.run = eviction_run;
	e->pool = pool_ref(p);
	worker_post(pool_table.workers[i], &e->m);
	return true;
}

static void
room_look(struct pool *const *v, unsigned n)
{
	struct starving *list;
	unsigned found, i, k;

	list = room_starving(v, n, &found);
	for (i = 0; i < n; i++)
		limits_clear_short(&v[i]->limits);
	for (i = 0; i < found; i++) {
		pthread_mutex_lock(&list[i].p->lock);
		pool_grow(list[i].p, clock_mono(), true);
		pthread_mutex_unlock(&list[i].p->lock);
	}
	for (i = 0; i < found; i++) {
		if (!room_is_missing(list[i].p))
			continue;
		for (k = 0; k < n; k++)
			if (v[k] != list[i].p && limits_share_full(
			    &v[k]->limits, &list[i].p->limits) &&
			    room_evict(v[k]))
				break;
	}
	free(list);
}

static void
room_run(struct worker *w PG_UNUSED, struct message *m)
{
	struct pool **v;
	unsigned i, n;

	free(m);
	/* Before looking: what changes from now on posts another look. */
	atomic_store(&pool_table.room_posted, false);
	v = pool_snapshot(&n);
	room_look(v, n);
	for (i = 0; i < n; i++)
		pool_unref(&v[i]);
	free(v);
}

void
pool_room_tick(struct pool *const *pools, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (limits_short_since(&pools[i]->limits) != 0) {
			room_look(pools, n);
			return;
		}
}
